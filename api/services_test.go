package api

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/billing"
	"github.com/curbstop/curbstop/casework"
)

func (m *memory) AcceptService(_ context.Context, r casework.ServiceRequest, by casework.Actor, now time.Time) (casework.Receipt, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := string(r.Channel) + "/" + r.AcceptedBy()
	if got, ok := m.receipts[id]; ok {
		return got, false, nil
	}
	got := casework.Receipt{Number: "WT20261201-00001", Request: r.Request(), Service: &r, By: by, ReceivedAt: now}
	m.receipts[id] = got
	return got, true, nil
}

func (m *memory) AskBilling(_ context.Context, r casework.BillingRequest) (casework.BillingRequest, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known != nil {
		return *m.known, false, nil
	}
	if got, ok := m.billed[r.ID]; ok {
		if !got.Same(r) {
			return got, false, casework.Refuse(casework.Conflict, "key_used", casework.Say("已用", "used"))
		}
		return got, false, nil
	}
	r.State = casework.BillingPending
	m.billed[r.ID] = r
	return r, true, nil
}

func (m *memory) BillingRequest(_ context.Context, id string) (casework.BillingRequest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.billed[id], nil
}

func (m *memory) BillingRequests(_ context.Context, f casework.BillingFilter) ([]casework.BillingRequest, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.filter = f
	var list []casework.BillingRequest
	for _, r := range m.billed {
		list = append(list, r)
	}
	return list, "", nil
}

// StartBilling answers at once unless the desk is down.
func (m *memory) StartBilling(_ context.Context, r casework.BillingRequest, _ time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down != nil {
		return m.down
	}
	r.State, r.Reference, r.SettledAt = casework.BillingDone, "B000001", noon
	m.billed[r.ID] = r
	return nil
}

// ledger is a billing system with one account.
type ledger struct{ err error }

func (l *ledger) Account(_ context.Context, number string) (billing.Account, error) {
	if l.err != nil {
		return billing.Account{}, l.err
	}
	if number != "0000000001" {
		return billing.Account{}, billing.ErrNotFound
	}
	return billing.Account{Number: number, Utility: "water", State: billing.Active, Holder: billing.Holder{Name: "测试赵丁"}, Balance: billing.Balance{Owed: 12_345}}, nil
}

func transferBody() object {
	return object{
		"service": "account_transfer", "utility": "water", "channel": "property_transfer", "external_number": "TESTSL0001",
		"account": "0000000001", "district": "340281",
		"holder":       object{"name": "测试赵丁", "phone": "13800000004", "resident_id": "340100190001010000"},
		"new_holder":   object{"name": "测试王丙", "phone": "138 0000 0003", "resident_id": "340100190001010000"},
		"certificates": []object{{"kind": "identity", "content": []byte("image")}, {"kind": "title", "number": "皖(2026)0001"}},
		"extra":        object{"qjgldm": "x"},
	}
}

// A service request is accepted once, shown masked, and followed by its code.
func TestServiceRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := asked{as: "platform", path: "/v1/service-requests", body: transferBody()}
	first := read[Acceptance](t, w.ask(t, q), 201)
	require.Equal(t, "WT20261201-00001", first.Number)
	require.Equal(t, acceptedBefore, read[Acceptance](t, w.ask(t, q), 200).Status)
	require.Len(t, w.cases, 1)

	rec := w.ask(t, asked{as: "service_hall", path: "/v1/cases/" + first.Number})
	k := read[caseView](t, rec, 200)
	require.Equal(t, casework.TransferCase, k.Kind)
	require.Empty(t, k.Missing)
	require.Equal(t, casework.AccountHolder{Name: "测*", Phone: "138****0003", ResidentID: "****00"}, k.Service.NewHolder)
	for _, secret := range []string{"13800000003", "340100190001010000", "王丙", "赵丁", "0001\"}]", "qjgldm", "aW1hZ2U"} {
		require.NotContains(t, rec.Body.String(), secret)
	}
	full := w.ask(t, asked{as: "service_hall", path: "/v1/cases/" + first.Number + "/contact"})
	require.Contains(t, full.Body.String(), "340100190001010000")
	require.Equal(t, "contact_unmasked", w.audited[0].What)

	v := read[progressView](t, w.ask(t, asked{path: "/v1/public/progress?number=" + first.Number + "&code=" + first.Code}), 200)
	require.Equal(t, casework.TransferCase, v.Kind)
	require.Len(t, v.Stages, 4)
	require.Equal(t, casework.AccountCheck, v.Stages[0].Stage)
	require.Equal(t, []string{"withdraw"}, v.Actions)
	w.act(t, asked{path: "/v1/public/cases/" + first.Number + "/withdraw", body: object{"code": first.Code, "reason": "不卖了"}})
}

func TestServiceRequestIsJudgedFieldByField(t *testing.T) {
	t.Parallel()
	w := newWorld(t, waterOnly)
	for name, c := range map[string]struct {
		change func(o object)
		want   []string
	}{
		"empty":              {func(o object) { clear(o) }, []string{"channel", "service", "utility"}},
		"no new holder":      {func(o object) { delete(o, "new_holder") }, []string{"new_holder.name"}},
		"bad phone":          {func(o object) { part(o, "new_holder")["phone"] = "1" }, []string{"new_holder.phone"}},
		"no account":         {func(o object) { delete(o, "account") }, []string{"account"}},
		"bad account":        {func(o object) { o["account"] = "户" }, []string{"account"}},
		"order in transfer":  {func(o object) { o["order"] = object{"content": "x"} }, []string{"order"}},
		"no order":           {func(o object) { o["service"] = "hotline_order" }, []string{"order"}},
		"empty order":        {func(o object) { o["service"] = "hotline_order"; o["order"] = object{} }, []string{"order.content"}},
		"place of archive":   {func(o object) { o["certificates"] = []object{{"kind": "identity", "document": "cases/W1/x"}} }, []string{"certificates[0].content", "certificates[0].document"}},
		"abolished district": {func(o object) { o["district"] = "340208" }, []string{"district"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := transferBody()
			c.change(body)
			p := refused(t, w.ask(t, asked{as: "hotline", path: "/v1/service-requests", body: body}), 422, "invalid_input")
			require.Equal(t, c.want, fields(p))
		})
	}
	gas := transferBody()
	gas["utility"] = "gas"
	refused(t, w.ask(t, asked{as: "hotline", path: "/v1/service-requests", body: gas}), 409, "utility_not_served")
}

// What 12345 found after an order was closed reaches the case, and a caller who
// wants no name is known to the hotline alone.
func TestOrderOf12345(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := casework.NewService("WH1", casework.ServiceRequest{
		Service: casework.OrderCase, Utility: casework.Water, Channel: casework.Hotline12345, District: "340281",
		Order: &casework.HotlineOrder{Content: "停水", Caller: casework.Contact{Name: "测试王丙", Phone: "13800000003"}, Secret: true, ReplyBy: noon.Add(48 * time.Hour)},
	}, testTerms, casework.Actor{ID: "platform"}, noon.Add(-time.Hour))
	k.Need(casework.AcceptOrder, "", 1, noon, noon)
	k.NeedAnswer(noon)
	w.keep(k)
	require.NotContains(t, w.ask(t, asked{as: "taskforce", path: "/v1/cases/WH1"}).Body.String(), "138****")
	refused(t, w.ask(t, asked{as: "taskforce", path: "/v1/cases/WH1/contact"}), 403, "caller_secret")
	w.act(t, asked{as: "hotline", path: "/v1/cases/WH1/contact"})
	visit := object{"satisfied": true, "solved": true, "visited_at": noon}
	refused(t, w.ask(t, asked{as: "platform", path: "/v1/cases/WH1/order-visits", body: visit}), 409, "not_answered")
	w.act(t, asked{as: "hotline", path: "/v1/cases/WH1/order-extension", body: object{"decision": "requested", "until": noon.Add(96 * time.Hour), "reason": "管材到货延迟"}})
	w.act(t, asked{as: "platform", path: "/v1/cases/WH1/order-extension", body: object{"decision": "granted"}})
	require.Equal(t, noon.Add(96*time.Hour), w.cases["WH1"].Served.Order.ReplyBy.In(noon.Location()))
	v := read[progressView](t, w.ask(t, asked{path: "/v1/public/progress?number=WH1&code=" + w.ring.Code("WH1")}), 200)
	require.Empty(t, v.Actions)
}

// Balances, payments and invoices pass through billing; what it has not answered
// is kept and told so.
func TestAccounts(t *testing.T) {
	t.Parallel()
	system := &ledger{}
	w := newWorld(t, func(o *Options) { o.Billing = system })
	balance := asked{as: "platform", path: "/v1/accounts/0000000001/balance"}
	rec := w.ask(t, balance)
	require.Equal(t, balanceView{Account: "0000000001", State: "active", Owed: 12_345}, read[balanceView](t, rec, 200))
	require.NotContains(t, rec.Body.String(), "赵丁")
	require.Equal(t, "balance_read", w.audited[0].What)
	refused(t, w.ask(t, asked{as: "hotline", path: "/v1/accounts/0000000002/balance"}), 404, "account_not_found")
	refused(t, w.ask(t, asked{as: "hotline", path: "/v1/accounts/1/balance"}), 422, "invalid_input")
	system.err = billing.ErrUnavailable
	refused(t, w.ask(t, balance), 503, "billing_unavailable")
	system.err = &billing.RefusalError{Code: "locked", Reason: "已锁定"}
	refused(t, w.ask(t, balance), 409, "billing_refused")

	pay := asked{as: "service_hall", path: "/v1/accounts/0000000001/payments", body: object{"amount": 12_345, "way": "cash", "number": "XJ-1"}, headers: map[string]string{"Idempotency-Key": "payment-1"}}
	done := read[billingView](t, w.ask(t, pay), 200)
	require.Equal(t, casework.BillingDone, done.State)
	require.Equal(t, done, read[billingView](t, w.ask(t, pay), 200))
	pay.body = object{"amount": 1, "way": "cash", "number": "XJ-1"}
	refused(t, w.ask(t, pay), 422, "idempotency_key_reused")
	pay.as = "platform"
	require.Equal(t, []string{"way"}, fields(refused(t, w.ask(t, pay), 422, "invalid_input")))

	w.down = casework.Refuse(casework.Unavailable, "desk_unavailable", casework.Say("暂不可用", "not available"))
	invoice := asked{as: "platform", path: "/v1/accounts/0000000001/invoices", body: object{"title": "测试王丙"}, headers: map[string]string{"Idempotency-Key": "invoice-1"}}
	require.Equal(t, casework.BillingPending, read[billingView](t, w.ask(t, invoice), 202).State)
	w.down = nil
	require.Equal(t, casework.BillingDone, read[billingView](t, w.ask(t, invoice), 200).State, "the same key asks what became of it")
	list := read[page[billingView]](t, w.ask(t, asked{as: "auditor", path: "/v1/billing-requests?state=done"}), 200)
	require.Len(t, list.Items, 2)
	require.Equal(t, casework.BillingFilter{State: casework.BillingDone, Page: casework.Page{Limit: 50}}, w.filter)

	without := newWorld(t)
	refused(t, without.ask(t, balance), 409, "billing_not_connected")
	refused(t, without.ask(t, invoice), 409, "billing_not_connected")
}

// A customer asks about the account of their own case, by its code.
func TestCustomersOwnAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.Billing = &ledger{} })
	k := w.open(t, "W1").Clone()
	code := w.ring.Code("W1")
	own := asked{path: "/v1/public/cases/W1/balance?code=" + code}
	refused(t, w.ask(t, own), 409, "no_account")
	k.Account = &casework.AccountInput{AccountNumber: "0000000001"}
	w.keep(k)
	require.Equal(t, int64(12_345), read[balanceView](t, w.ask(t, own), 200).Owed)
	refused(t, w.ask(t, asked{path: "/v1/public/cases/W1/balance?code=x"}), 404, "number_or_code")
	got := read[billingView](t, w.ask(t, asked{path: "/v1/public/cases/W1/payments", body: object{"code": code, "amount": 100, "way": "wechat", "number": "WX-1"}}), 200)
	require.Equal(t, "W1", got.Case)
	read[billingView](t, w.ask(t, asked{path: "/v1/public/cases/W1/invoices", body: object{"code": code, "title": "测试王丙"}}), 200)

	// Who asks for a transfer sees nothing of the account before its holder is known.
	r := transferBody()
	first := read[Acceptance](t, w.ask(t, asked{as: "platform", path: "/v1/service-requests", body: r}), 201)
	refused(t, w.ask(t, asked{path: "/v1/public/cases/" + first.Number + "/balance?code=" + first.Code}), 409, "no_account")
}
