package store_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/testkit"
)

func transfer() casework.ServiceRequest {
	return casework.ServiceRequest{
		Service: casework.TransferCase, Utility: casework.Water, Channel: casework.PropertyTransfer, ExternalNumber: "TESTSL0001",
		Account: "0000000001", NewHolder: casework.AccountHolder{Name: "测试王丙", Phone: "13800000003"},
		Certificates: []casework.Certificate{{Kind: casework.IdentityCertificate, Content: []byte("image")}},
	}
}

// A house sale asks for both utilities under one number, each once; an order of
// 12345 is one order, whatever utility it is taken for.
func TestServiceIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	water := transfer()
	first, created, err := s.AcceptService(t.Context(), water, clerk, at(2, 9, 0))
	require.NoError(t, err)
	require.True(t, created)
	equal(t, casework.Receipt{Number: "WT20260302-00001", Request: water.Request(), By: clerk, ReceivedAt: at(2, 9, 0), Service: &water}, first)

	again, created, err := s.AcceptService(t.Context(), water, clerk, at(3, 9, 0))
	require.NoError(t, err)
	require.False(t, created)
	equal(t, first, again)

	gas := transfer()
	gas.Utility = casework.Gas
	second, created, err := s.AcceptService(t.Context(), gas, clerk, at(2, 9, 0))
	require.NoError(t, err)
	require.True(t, created)
	require.Equal(t, "GT20260302-00002", second.Number)

	closing := transfer()
	closing.Service = casework.ClosingCase
	third, created, err := s.AcceptService(t.Context(), closing, clerk, at(2, 9, 0))
	require.NoError(t, err)
	require.True(t, created)
	require.Equal(t, "WX20260302-00003", third.Number)

	order := casework.ServiceRequest{Service: casework.OrderCase, Utility: casework.Water, Channel: casework.Hotline12345, ExternalNumber: "O1", Order: &casework.HotlineOrder{Content: "x"}}
	fourth, _, err := s.AcceptService(t.Context(), order, clerk, at(2, 9, 0))
	require.NoError(t, err)
	require.Equal(t, "WH20260302-00004", fourth.Number)
	order.Utility = casework.Gas
	_, created, err = s.AcceptService(t.Context(), order, clerk, at(2, 9, 0))
	require.NoError(t, err)
	require.False(t, created)

	// A connection under the same number of the same sender is another thing.
	connection := request()
	connection.Channel, connection.ExternalNumber = casework.PropertyTransfer, "TESTSL0001"
	_, created, err = s.Accept(t.Context(), connection, clerk, at(2, 9, 0))
	require.NoError(t, err)
	require.True(t, created)

	water.ExternalNumber = ""
	_, _, err = s.AcceptService(t.Context(), water, clerk, at(2, 9, 0))
	refused(t, err, casework.Invalid, "external_number_missing")

	waiting, err := s.Unstarted(t.Context(), at(4, 0, 0), 10)
	require.NoError(t, err)
	require.Len(t, waiting, 5)
	equal(t, first, waiting[3]) // by number, where they came together
}

func payment(id string) casework.BillingRequest {
	return casework.BillingRequest{
		ID: id, Kind: casework.PaymentRequest, Account: "0000000001", By: "hall", At: at(2, 9, 0), Amount: 12_345, Way: "wechat", Number: "WX-1",
	}
}

// A payment is kept once under its key, sealed, and settled once.
func TestBillingRequestIsKeptOnce(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	s := openAt(t, url, key)
	want := payment("k1")
	want.State = casework.BillingPending
	got, created, err := s.AskBilling(t.Context(), payment("k1"))
	require.NoError(t, err)
	require.True(t, created)
	equal(t, want, got)
	_, created, err = s.AskBilling(t.Context(), payment("k1"))
	require.NoError(t, err)
	require.False(t, created)
	other := payment("k1")
	other.Amount = 1
	_, _, err = s.AskBilling(t.Context(), other)
	refused(t, err, casework.Conflict, "key_used")

	later := payment("k2")
	later.At, later.Account = at(3, 9, 0), "0000000002"
	_, _, err = s.AskBilling(t.Context(), later)
	require.NoError(t, err)

	waiting, err := s.UnstartedBilling(t.Context(), at(2, 12, 0), 10)
	require.NoError(t, err)
	equal(t, []casework.BillingRequest{want}, waiting)
	require.NoError(t, s.MarkBillingStarted(t.Context(), "k1"))
	waiting, err = s.UnstartedBilling(t.Context(), at(2, 12, 0), 10)
	require.NoError(t, err)
	require.Empty(t, waiting)

	require.NoError(t, s.TryBilling(t.Context(), "k1"))
	require.NoError(t, s.TryBilling(t.Context(), "k1"))
	got, err = s.SettleBilling(t.Context(), "k1", casework.BillingDone, "B000001", "", at(2, 9, 5))
	require.NoError(t, err)
	want.State, want.Tries, want.Started, want.SettledAt, want.Reference = casework.BillingDone, 2, true, at(2, 9, 5), "B000001"
	equal(t, want, got)
	again, err := s.SettleBilling(t.Context(), "k1", casework.BillingDenied, "", "too late", at(2, 9, 6))
	require.NoError(t, err)
	equal(t, want, again)

	list, next, err := s.BillingRequests(t.Context(), casework.BillingFilter{Page: casework.Page{Limit: 1}})
	require.NoError(t, err)
	require.Equal(t, "k2", list[0].ID)
	list, _, err = s.BillingRequests(t.Context(), casework.BillingFilter{Page: casework.Page{Limit: 1, Cursor: next}})
	require.NoError(t, err)
	equal(t, []casework.BillingRequest{want}, list)
	list, _, err = s.BillingRequests(t.Context(), casework.BillingFilter{Account: "0000000002", State: casework.BillingPending})
	require.NoError(t, err)
	require.Len(t, list, 1)

	for _, err := range []error{s.MarkBillingStarted(t.Context(), "k9"), s.TryBilling(t.Context(), "k9")} {
		refused(t, err, casework.NotFound, "billing_request_not_found")
	}
	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, connection.Close(t.Context())) }()
	var row string
	require.NoError(t, connection.QueryRow(t.Context(), "SELECT string_agg(r::text, ' ') FROM billing_requests r").Scan(&row))
	require.NotContains(t, row, "0000000001", "the account number stands nowhere in the clear")
	require.NotContains(t, row, "WX-1")
}

func TestWhatIsPassedOnToAServiceIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	old, _, err := s.Accept(t.Context(), request(), clerk, at(2, 9, 0))
	require.NoError(t, err)
	carried := casework.Carried{From: old.Number, ReceivedAt: at(2, 9, 0), At: at(3, 9, 0), By: "hall-01", Reason: "要销户"}
	r := casework.ServiceOf(request(), casework.ClosingCase, carried.Reason)
	first, err := s.AcceptPassedService(t.Context(), r, carried)
	require.NoError(t, err)
	require.Regexp(t, "^WX", first.Number)
	equal(t, carried, *first.Carried)
	equal(t, r, *first.Service)
	again, err := s.AcceptPassedService(t.Context(), r, carried)
	require.NoError(t, err)
	equal(t, first, again)
}

// A payment is one by the number of whoever took the money, under whatever key it
// is reported; once billing has refused it, it may be handed in again.
func TestPaymentIsKeptOnceByItsNumber(t *testing.T) {
	t.Parallel()
	s := openAt(t, testkit.Database(t), key)
	first, created, err := s.AskBilling(t.Context(), payment("k1"))
	require.NoError(t, err)
	require.True(t, created)
	again, created, err := s.AskBilling(t.Context(), payment("k2"))
	require.NoError(t, err)
	require.False(t, created)
	equal(t, first, again)
	other := payment("k3")
	other.Amount = 1
	_, _, err = s.AskBilling(t.Context(), other)
	refused(t, err, casework.Conflict, "payment_known")
	for i := range 2 { // an invoice has no number of its own
		_, created, err = s.AskBilling(t.Context(), casework.BillingRequest{ID: fmt.Sprint("i", i), Kind: casework.InvoiceRequest, Account: "0000000001", At: at(2, 9, 0), Title: "x"})
		require.NoError(t, err)
		require.True(t, created)
	}

	_, err = s.SettleBilling(t.Context(), "k1", casework.BillingDenied, "", "locked", at(2, 9, 5))
	require.NoError(t, err)
	_, created, err = s.AskBilling(t.Context(), payment("k2"))
	require.NoError(t, err)
	require.True(t, created)
	_, err = s.SettleBilling(t.Context(), "k2", casework.BillingDone, "B1", "", at(2, 9, 6))
	require.NoError(t, err)
	again, created, err = s.AskBilling(t.Context(), payment("k4"))
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, casework.BillingDone, again.State)
}
