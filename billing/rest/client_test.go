package rest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/billing"
	"github.com/curbstop/curbstop/billing/rest"
	sim "github.com/curbstop/curbstop/platforms/sim/billing"
)

var read = time.Date(2026, 10, 23, 9, 0, 0, 0, time.UTC)

// system is the stand-in over real HTTP, with one account that owes and one that
// does not.
func system(t *testing.T) (*sim.Server, *rest.Client) {
	t.Helper()
	s := sim.New(
		sim.Account{Number: "1000000001", Utility: "water", Holder: sim.Holder{Name: "测试赵丁"}, Balance: sim.Balance{Owed: 500}, LastReading: &sim.Reading{Value: 1200, At: read}},
		sim.Account{Number: "1000000002", Utility: "gas", Holder: sim.Holder{Name: "测试王丙"}, LastReading: &sim.Reading{Value: 10, At: read}},
	)
	s.Token = "test-token"
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c, err := rest.New(server.URL+"/api/", s.Token)
	require.NoError(t, err)
	return s, c
}

func TestEachCall(t *testing.T) {
	t.Parallel()
	s, c := system(t)
	ctx := t.Context()
	a, err := c.Account(ctx, "1000000001")
	require.NoError(t, err)
	require.Equal(t, billing.Account{
		Number: "1000000001", Utility: "water", State: billing.Active, Holder: billing.Holder{Name: "测试赵丁"},
		Balance: billing.Balance{Owed: 500}, LastReading: &billing.Reading{Value: 1200, At: read},
	}, a)
	_, err = c.Account(ctx, "1000000009")
	require.ErrorIs(t, err, billing.ErrNotFound)

	change := billing.HolderChange{Account: "1000000001", Holder: billing.Holder{Name: "测试李乙"}, Contract: "HT1", Reading: &billing.Reading{Value: 1210, At: read}}
	_, err = c.ChangeHolder(ctx, "change-1", change)
	require.Equal(t, &billing.RefusalError{Code: "arrears", Reason: "尚有欠费"}, err)
	_, err = c.Pay(ctx, "pay-1", billing.Payment{Account: "1000000001", Amount: 500, Way: "wechat", Number: "WX-1", PaidAt: read, Channel: "wechat", Source: "customer"})
	require.NoError(t, err)
	_, err = c.ChangeHolder(ctx, "change-2", change)
	require.NoError(t, err)
	_, err = c.Invoice(ctx, "invoice-1", billing.Invoice{Account: "1000000001", Title: "测试李乙", Email: "li@example.cn"})
	require.NoError(t, err)
	got, _ := s.Account("1000000001")
	require.Equal(t, sim.Holder{Name: "测试李乙"}, got.Holder)
	require.Equal(t, []sim.Payment{{Amount: 500, Way: "wechat", Number: "WX-1", PaidAt: read, Channel: "wechat", Source: "customer"}}, got.Payments)
	require.Equal(t, []sim.Invoice{{Title: "测试李乙", Email: "li@example.cn"}}, got.Invoices)

	bill, err := c.FinalBill(ctx, "bill-1", billing.FinalReading{Account: "1000000002", Reading: billing.Reading{Value: 12, At: read}})
	require.NoError(t, err)
	require.Equal(t, int64(2*sim.PricePerUnit), bill.Owed)
	_, err = c.Close(ctx, "close-1", billing.Closing{Account: "1000000002"})
	require.Equal(t, &billing.RefusalError{Code: "arrears", Reason: "尚有欠费"}, err)
}

// Whatever can't be understood may be asked again, under the same key, and is done
// once; a no is an answer. No error repeats what was sent.
func TestWhatGoesWrong(t *testing.T) {
	t.Parallel()
	for fault, again := range map[sim.Fault]bool{
		sim.Down: true, sim.Garbage: true, sim.LoseAnswer: true, sim.AnswerTwice: true, sim.Refuse: false,
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			s, c := system(t)
			s.Fail(fault)
			pay := func() (billing.Receipt, error) {
				return c.Pay(t.Context(), "pay-1", billing.Payment{Account: "1000000001", Amount: 100, Way: "bank", Number: "YH-SECRET", PaidAt: read})
			}
			_, err := pay()
			var no *billing.RefusalError
			if !again {
				require.ErrorAs(t, err, &no)
				return
			}
			require.ErrorIs(t, err, billing.ErrUnavailable)
			require.NotContains(t, err.Error(), "SECRET")
			receipt, err := pay()
			require.NoError(t, err)
			require.NotEmpty(t, receipt.Reference)
			got, _ := s.Account("1000000001")
			require.Len(t, got.Payments, 1)
		})
	}
}

// A token goes to nobody but the address that was configured, and an answer
// without end is none.
func TestGuards(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 1)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Header.Get("Authorization") }))
	t.Cleanup(elsewhere.Close)
	redirects := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(redirects.Close)
	c, err := rest.New(redirects.URL, "test-token")
	require.NoError(t, err)
	_, err = c.Account(t.Context(), "1000000001")
	require.ErrorIs(t, err, billing.ErrUnavailable)
	require.Empty(t, asked)

	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"number":"`+strings.Repeat("1", 2<<20)+`"}`)
	}))
	t.Cleanup(endless.Close)
	c, err = rest.New(endless.URL, "")
	require.NoError(t, err)
	_, err = c.Account(t.Context(), "1000000001")
	require.ErrorIs(t, err, billing.ErrUnavailable)

	// JSON of somebody else is no yes.
	another := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"status":"ok"}`) }))
	t.Cleanup(another.Close)
	c, err = rest.New(another.URL, "")
	require.NoError(t, err)
	_, err = c.Account(t.Context(), "1000000001")
	require.ErrorIs(t, err, billing.ErrUnavailable)
	_, err = c.Pay(t.Context(), "pay-1", billing.Payment{Account: "1000000001", Amount: 100})
	require.ErrorIs(t, err, billing.ErrUnavailable)
	_, err = c.FinalBill(t.Context(), "bill-1", billing.FinalReading{Account: "1000000001"})
	require.ErrorIs(t, err, billing.ErrUnavailable)

	// No record keeps a zero character: a case that took it over could not be saved.
	zero := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"number":"1000000001","state":"active","address":"a\u0000"}`)
	}))
	t.Cleanup(zero.Close)
	c, err = rest.New(zero.URL, "")
	require.NoError(t, err)
	_, err = c.Account(t.Context(), "1000000001")
	require.ErrorIs(t, err, billing.ErrUnavailable)

	s, _ := system(t)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c, err = rest.New(server.URL, "another")
	require.NoError(t, err)
	_, err = c.Account(t.Context(), "1000000001")
	require.ErrorIs(t, err, billing.ErrUnavailable, "a wrong token is ours to mend, and no answer about the account")

	for _, address := range []string{"", "billing.example.cn", "ftp://billing.example.cn", "https://u:p@billing.example.cn", "https://billing.example.cn?x=1"} {
		_, err := rest.New(address, "")
		require.Error(t, err, address)
	}
}
