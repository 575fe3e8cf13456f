package store_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
)

// both are the requests of one customer for water and gas.
func both() []casework.Request {
	water, gas := request(), request()
	gas.Utility = casework.Gas
	return []casework.Request{water, gas}
}

func TestRequestsAreAcceptedTogetherOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	first, created, err := s.AcceptTogether(t.Context(), "park/12", both(), clerk, at(2, 9, 0))
	require.NoError(t, err)
	require.True(t, created)
	require.Equal(t, "J20260302-00001", first.Number)
	water, gas := first.Receipts[0], first.Receipts[1]
	require.Equal(t, []string{"W20260302-00001", "G20260302-00002"}, []string{water.Number, gas.Number})
	require.Equal(t, &casework.Joint{Number: first.Number, Sibling: gas.Number, Utility: casework.Gas}, water.Joint)
	require.Equal(t, &casework.Joint{Number: first.Number, Sibling: water.Number, Utility: casework.Water}, gas.Joint)
	require.Equal(t, "park/12/gas", gas.Request.ExternalNumber)

	again, created, err := s.AcceptTogether(t.Context(), "park/12", both(), clerk, at(3, 9, 0))
	require.NoError(t, err)
	require.False(t, created)
	equal(t, first, again)
	read, err := s.JointReceipt(t.Context(), first.Number)
	require.NoError(t, err)
	equal(t, first, read)
	joint, err := s.JointOf(t.Context(), gas.Number)
	require.NoError(t, err)
	require.Equal(t, first.Number, joint)
	joint, err = s.JointOf(t.Context(), "W20260302-09999")
	require.NoError(t, err)
	require.Empty(t, joint)
	_, err = s.JointReceipt(t.Context(), "")
	refused(t, err, casework.NotFound, "case_not_found")
	unstarted, err := s.Unstarted(t.Context(), at(4, 9, 0), 10)
	require.NoError(t, err)
	require.Equal(t, first.Receipts[0].Joint.Number, unstarted[0].Joint.Number)
}

// A half that was accepted by itself stays as it is, and so does the other.
func TestHalfOfARequestWasAcceptedBefore(t *testing.T) {
	t.Parallel()
	s := open(t)
	water := both()[0]
	water.ExternalNumber = "park/12/water"
	before, _, err := s.Accept(t.Context(), water, clerk, at(2, 9, 0))
	require.NoError(t, err)
	for i := range 2 {
		got, created, err := s.AcceptTogether(t.Context(), "park/12", both(), clerk, at(3, 9, 0))
		require.NoError(t, err)
		require.Equal(t, i == 0, created)
		require.Empty(t, got.Number)
		equal(t, before, got.Receipts[0])
		require.Nil(t, got.Receipts[1].Joint)
	}
	one, created, err := s.AcceptTogether(t.Context(), "park/13", both()[:1], clerk, at(3, 9, 0))
	require.NoError(t, err)
	require.True(t, created)
	require.Empty(t, one.Number)
	require.Equal(t, "park/13/water", one.Receipts[0].Request.ExternalNumber)
	_, _, err = s.AcceptTogether(t.Context(), "", both(), clerk, at(3, 9, 0))
	refused(t, err, casework.Invalid, "external_number_missing")
}

func TestRequestsAreAcceptedTogetherOnceHoweverManySendThem(t *testing.T) {
	t.Parallel()
	s := open(t)
	const senders, requests = 40, 4
	var all sync.WaitGroup
	var mutex sync.Mutex
	created := map[string]int{}
	receipts := map[string]casework.JointReceipt{}
	for i := range senders {
		all.Go(func() {
			external := fmt.Sprint("park/", i%requests)
			asked := both()
			if i%3 == 0 { // in the other order
				asked[0], asked[1] = asked[1], asked[0]
			}
			got, isNew, err := s.AcceptTogether(t.Context(), external, asked, clerk, at(2, 9, 0))
			mutex.Lock()
			defer mutex.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			if isNew {
				created[external]++
			}
			if first, known := receipts[external]; known && first.Number != got.Number {
				t.Errorf("%s has %s and %s", external, first.Number, got.Number)
			}
			receipts[external] = got
		})
	}
	all.Wait()
	require.Len(t, created, requests)
	for external, n := range created {
		require.Equal(t, 1, n, external)
	}
	unstarted, err := s.Unstarted(t.Context(), at(4, 9, 0), 100)
	require.NoError(t, err)
	require.Len(t, unstarted, 2*requests)
}

func TestWhatIsPassedOnIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	r := request()
	old, _, err := s.Accept(t.Context(), r, clerk, at(2, 9, 0))
	require.NoError(t, err)
	r.Utility = casework.Gas
	carried := casework.Carried{From: old.Number, ReceivedAt: at(2, 9, 0), At: at(3, 9, 0), By: "hall-01", Reason: "客户要的是用气",
		Documents: []casework.Document{{ID: "d1", Kind: casework.OtherPaper, At: at(2, 10, 0)}}}
	first, err := s.AcceptPassed(t.Context(), r, carried)
	require.NoError(t, err)
	require.Regexp(t, "^G", first.Number)
	equal(t, carried, *first.Carried)
	require.Equal(t, r.ExternalNumber, first.Request.ExternalNumber, "the sender's own number stays")
	again, err := s.AcceptPassed(t.Context(), r, carried)
	require.NoError(t, err)
	equal(t, first, again)
	// Who sends the request again still gets the first case.
	sent, created, err := s.Accept(t.Context(), request(), clerk, at(4, 9, 0))
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, old.Number, sent.Number)
}

func TestForwardingsAreKeptAndHandedOver(t *testing.T) {
	t.Parallel()
	s := open(t)
	f := casework.Forwarding{Reason: casework.OtherUtility, Request: request(), By: "hall-01", ReceivedAt: at(2, 9, 0)}
	f.Request.Utility = casework.Electricity
	first, created, err := s.Forward(t.Context(), f)
	require.NoError(t, err)
	require.True(t, created)
	f.Number, f.State = "Z20260302-00001", casework.ForwardingWaits
	equal(t, f, first)
	again, created, err := s.Forward(t.Context(), f)
	require.NoError(t, err)
	require.False(t, created)
	equal(t, first, again)
	other := f
	other.PassedFrom, other.Service = "W20260302-00007", casework.ClosingCase
	passed, created, err := s.Forward(t.Context(), other)
	require.NoError(t, err)
	require.True(t, created)

	waiting, next, err := s.Forwardings(t.Context(), casework.ForwardingFilter{State: casework.ForwardingWaits, Page: casework.Page{Limit: 1}})
	require.NoError(t, err)
	equal(t, []casework.Forwarding{first}, waiting)
	rest, _, err := s.Forwardings(t.Context(), casework.ForwardingFilter{State: casework.ForwardingWaits, Page: casework.Page{Limit: 1, Cursor: next}})
	require.NoError(t, err)
	equal(t, []casework.Forwarding{passed}, rest)

	for range 2 {
		done, err := s.HandForwarding(t.Context(), first.Number, casework.HandForwarding{To: "芜湖供电公司", Note: "88"}, "hall-01", at(3, 9, 0))
		require.NoError(t, err)
		require.Equal(t, casework.ForwardingDone, done.State)
		require.Equal(t, "芜湖供电公司", done.HandedTo)
	}
	_, err = s.HandForwarding(t.Context(), first.Number, casework.HandForwarding{To: "别家"}, "hall-01", at(3, 9, 0))
	refused(t, err, casework.Conflict, "handed_over_already")
	_, err = s.HandForwarding(t.Context(), "Z1", casework.HandForwarding{To: "别家"}, "hall-01", at(3, 9, 0))
	refused(t, err, casework.NotFound, "forwarding_not_found")
	waiting, _, err = s.Forwardings(t.Context(), casework.ForwardingFilter{State: casework.ForwardingWaits, Page: casework.Page{Limit: 10}})
	require.NoError(t, err)
	require.Len(t, waiting, 1)
}
