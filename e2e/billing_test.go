package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
	"github.com/curbstop/curbstop/platforms/sim"
	"github.com/curbstop/curbstop/platforms/sim/billing"
)

// settleAccounts has the register transfer accounts, and a customer close one,
// with billing asked: while it is down, with and without arrears. The stand-in
// judges afterwards what billing was asked.
func settleAccounts(t *testing.T, w *sim.World) {
	t.Helper()
	downForAWhile(t, w)
	t.Run("each to its end", func(t *testing.T) {
		t.Run("nothing is owed", func(t *testing.T) {
			t.Parallel()
			number := transferred(t, w, sim.Clear)
			serve(t, number)
			inNewName(t, w, number)
		})
		t.Run("arrears are paid meanwhile", func(t *testing.T) {
			t.Parallel()
			number := transferred(t, w, sim.Owes)
			finish(t, number, casework.ObtainCertificate, demo.Choices{})
			open(t, number, casework.SettleArrears)
			code := place.Ring.Code(number)
			var progress struct {
				Actions []string `json:"actions"`
			}
			require.NoError(t, as("").Get(t.Context(), "/v1/public/progress?number="+number+"&code="+url.QueryEscape(code), &progress))
			require.Contains(t, progress.Actions, "pay")
			owed := recorded(t, number).Served.Account.Owed
			require.NoError(t, as("").Post(t.Context(), "/v1/public/cases/"+number+"/payments", "arrears-"+number,
				map[string]any{"code": code, "amount": owed, "way": "wechat", "number": "WX-" + number, "channel": "wechat"}, nil))
			require.Eventually(t, func() bool { return account(t, w, number).Balance.Owed == 0 }, 20*time.Second, 50*time.Millisecond)
			finish(t, number, casework.SettleArrears, demo.Choices{})
			serve(t, number)
			inNewName(t, w, number)
			require.Len(t, account(t, w, number).Payments, 1)
		})
		t.Run("who pays is agreed", func(t *testing.T) {
			t.Parallel()
			number := transferred(t, w, sim.Owes)
			finish(t, number, casework.ObtainCertificate, demo.Choices{})
			finish(t, number, casework.SettleArrears, demo.Choices{Agreement: true})
			serve(t, number)
			inNewName(t, w, number)
			require.Positive(t, account(t, w, number).Balance.Owed, "it was agreed who pays, not paid")
		})
		t.Run("closed with a final bill", func(t *testing.T) {
			t.Parallel()
			const number = "9900000001"
			w.Billing().Put(billing.Account{
				Number: number, Utility: "water", Holder: billing.Holder{Name: "测试赵丁"}, District: "340202", Address: "测试路2号101室",
				Balance: billing.Balance{Credit: 600}, LastReading: &billing.Reading{Value: 1200, At: time.Now().AddDate(0, -1, 0)},
			})
			var o opened
			require.NoError(t, as("").Post(t.Context(), "/v1/public/service-requests", "close-"+number, map[string]any{
				"service": "account_closing", "utility": "water", "channel": "mini_program", "account": number,
				"holder": map[string]any{"name": "测试赵丁", "phone": "13800000004"}, "reason": "房屋拆迁",
			}, &o))
			serve(t, o.Number)
			k := recorded(t, o.Number)
			require.Equal(t, casework.Closed, k.Status)
			require.Equal(t, int64(12*billing.PricePerUnit-600), k.Served.Bill.Owed)
			a := account(t, w, o.Number)
			require.Equal(t, "closed", a.State)
			require.Len(t, a.Payments, 1)
			require.Equal(t, k.Served.Bill.Owed, a.Payments[0].Amount)
		})
	})
}

// downForAWhile takes billing away: the register is told to ask later and its
// transfer is taken in, a payment is kept; when billing is back both are done, once.
func downForAWhile(t *testing.T, w *sim.World) {
	t.Helper()
	const payer = "9900000002"
	w.Billing().Put(billing.Account{Number: payer, Utility: "water", Holder: billing.Holder{Name: "测试王丙"}, Balance: billing.Balance{Owed: 8000}})
	w.Billing().Break(billing.Down)
	number := transferred(t, w, sim.Clear)
	for _, e := range w.Ledger() {
		if strings.Contains(e.How, "asked before") && e.External == recorded(t, number).Service.Account {
			require.False(t, e.Good, e.Answer)
			require.Contains(t, e.Answer, "请稍后重试")
		}
	}
	pay := func() (state casework.BillingState) {
		var got struct {
			State casework.BillingState `json:"state"`
		}
		require.NoError(t, as("").Post(t.Context(), "/v1/public/accounts/"+payer+"/payments", "pay-"+payer,
			map[string]any{"channel": "wechat", "amount": 8000, "way": "wechat", "number": "WX-" + payer}, &got))
		return got.State
	}
	require.Equal(t, casework.BillingPending, pay(), "kept")
	refused(t, as("").Post(t.Context(), "/v1/public/accounts/"+payer+"/balance", "", map[string]any{"holder": "测试王丙"}, nil), http.StatusServiceUnavailable, "billing_unavailable")
	require.Nil(t, recorded(t, number).Served.Account, "nobody said anything of the account")
	w.Billing().Break("")
	require.Eventually(t, func() bool { return pay() == casework.BillingDone }, 30*time.Second, 200*time.Millisecond)
	a, _ := w.Billing().Account(payer)
	require.Len(t, a.Payments, 1)
	require.Zero(t, a.Balance.Owed)
	require.Equal(t, "customer", a.Payments[0].Source)
	serve(t, number)
	inNewName(t, w, number)
}

// transferred has the register send a transfer of an account that stands so, and
// gives its number.
func transferred(t *testing.T, w *sim.World, s sim.Standing) string {
	t.Helper()
	e, err := w.Transfer(t.Context(), s)
	require.NoError(t, err)
	require.True(t, e.Good, e.Answer)
	require.Len(t, e.Numbers, 1)
	open(t, e.Numbers[0], casework.ObtainCertificate) // the identity did not come along
	return e.Numbers[0]
}

func recorded(t *testing.T, number string) *casework.Case {
	t.Helper()
	k, err := place.Store.Case(t.Context(), number)
	require.NoError(t, err)
	return k
}

// account is what billing has of a case's account.
func account(t *testing.T, w *sim.World, number string) billing.Account {
	t.Helper()
	a, known := w.Billing().Account(recorded(t, number).Service.Account)
	require.True(t, known)
	return a
}

// inNewName sees that billing has the new holder, with the new contract and the
// reading at the hand-over.
func inNewName(t *testing.T, w *sim.World, number string) {
	t.Helper()
	k, a := recorded(t, number), account(t, w, number)
	require.Equal(t, casework.Closed, k.Status)
	require.Equal(t, k.Service.NewHolder, casework.AccountHolder(a.Holder))
	require.Equal(t, k.Served.Confirmed.ContractNumber, a.Contract)
	require.InDelta(t, k.Served.Reading.Reading, a.LastReading.Value, 0)
	require.NotEmpty(t, k.Served.Reference)
}

// open waits for a task.
func open(t *testing.T, number string, kind casework.TaskKind) (found casework.Task) {
	t.Helper()
	require.Eventually(t, func() bool {
		k, err := place.Store.Case(t.Context(), number)
		if err != nil {
			return false
		}
		for _, task := range k.Tasks {
			if task.Kind == kind {
				found = task
				return true
			}
		}
		return false
	}, 30*time.Second, 50*time.Millisecond, "%s: %s", number, kind)
	return found
}

func finish(t *testing.T, number string, kind casework.TaskKind, c demo.Choices) {
	t.Helper()
	task := open(t, number, kind)
	require.NoError(t, as(task.Role).Post(t.Context(), "/v1/tasks/"+url.PathEscape(task.ID)+"/complete", fmt.Sprintf("finish-%s", task.ID),
		map[string]any{"kind": kind, "input": demo.AnswerTo(task, c, time.Now()).Input}, nil))
}

// serve has the demo's staff work a transfer or a closing to its end.
func serve(t *testing.T, number string) {
	t.Helper()
	p := &demo.Play{Base: "http://" + place.Address, Tokens: place.tokens, Hurry: true, Say: t.Logf}
	require.NoError(t, p.Serve(t.Context(), number))
}
