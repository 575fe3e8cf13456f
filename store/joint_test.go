package store_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/store"
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

// leadCase opens the case of an accepted lead as its workflow would.
func leadCase(t *testing.T, s *store.Store, r casework.Request) string {
	t.Helper()
	r.Lead, r.ExternalNumber = true, "lead/"+string(r.Utility)
	rec, _, err := s.Accept(t.Context(), r, clerk, at(1, 9, 0))
	require.NoError(t, err)
	begin(rec.Number, r, at(1, 9, 0)).save(t, s)
	return rec.Number
}

// ofProject are the requests of one customer for water and gas that name a project.
func ofProject() []casework.Request {
	all := both()
	for i := range all {
		all[i].Project = "2026-340207-50-01-000001"
	}
	return all
}

// A joint request finds the open lead of each utility; what has none is a case
// of its own. The two know each other, and the customer's number serves both.
func TestAJointRequestFindsLeads(t *testing.T) {
	t.Parallel()
	for name, leads := range map[string][]int{"none": nil, "water": {0}, "gas": {1}, "both": {0, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			numbers := map[casework.Utility]string{}
			for _, i := range leads {
				numbers[ofProject()[i].Utility] = leadCase(t, s, ofProject()[i])
			}
			first, created, err := s.AcceptTogether(t.Context(), "park/12", ofProject(), clerk, at(2, 9, 0))
			require.NoError(t, err)
			require.Equal(t, len(leads) < 2, created)
			require.Equal(t, "J20260302-00001", first.Number)
			require.Len(t, first.Applications, len(leads))
			joints := map[casework.Utility]casework.Joint{}
			for _, app := range first.Applications {
				require.Equal(t, numbers[app.Request.Utility], app.Case)
				require.True(t, at(2, 9, 0).Equal(app.Joint.Since))
				joints[app.Request.Utility] = *app.Joint
			}
			for _, rec := range first.Receipts {
				require.Empty(t, numbers[rec.Request.Utility])
				require.Zero(t, rec.Joint.Since)
				numbers[rec.Request.Utility], joints[rec.Request.Utility] = rec.Number, *rec.Joint
			}
			require.Equal(t, []any{numbers[casework.Gas], casework.Gas, first.Number, numbers[casework.Water], casework.Water}, []any{
				joints[casework.Water].Sibling, joints[casework.Water].Utility, joints[casework.Water].Number,
				joints[casework.Gas].Sibling, joints[casework.Gas].Utility,
			})
			again, created, err := s.AcceptTogether(t.Context(), "park/12", ofProject(), clerk, at(3, 9, 0))
			require.NoError(t, err)
			require.False(t, created)
			equal(t, first, again)
			read, err := s.JointReceipt(t.Context(), first.Number)
			require.NoError(t, err)
			require.Equal(t, []string{numbers[casework.Water], numbers[casework.Gas]}, []string{read.Receipts[0].Number, read.Receipts[1].Number})
			unsettled, err := s.UnsettledApplications(t.Context(), at(3, 9, 0), 10)
			require.NoError(t, err)
			require.Len(t, unsettled, len(leads))

			// Another's application of the same project does not wait behind it.
			other := ofProject()[0]
			other.ExternalNumber = "other/1"
			_, found, err := s.AcceptApplication(t.Context(), other, clerk, at(3, 9, 0))
			require.NoError(t, err)
			require.False(t, found)
		})
	}
}

// A lead that would not have its application leaves its place to a request of its
// own, also where both refuse at one moment.
func TestWhoComesInsteadOfALeadKnowsItsSibling(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, r := range ofProject() {
		leadCase(t, s, r)
	}
	first, _, err := s.AcceptTogether(t.Context(), "park/12", ofProject(), clerk, at(2, 9, 0))
	require.NoError(t, err)
	for _, app := range first.Applications { // both are dropped before they are told
		k, err := s.Case(t.Context(), app.Case)
		require.NoError(t, err)
		k.End(casework.Withdrawn, at(2, 9, 30))
		require.NoError(t, s.Save(t.Context(), k, k.TakeChanges()))
	}
	own := make([]casework.Receipt, 2)
	var all sync.WaitGroup
	var mutex sync.Mutex
	for i, app := range first.Applications {
		for range 8 {
			all.Go(func() {
				rec, refused, err := s.RefuseApplication(t.Context(), app)
				if err != nil || !refused {
					t.Error(refused, err)
				}
				mutex.Lock()
				defer mutex.Unlock()
				own[i] = rec
			})
		}
	}
	all.Wait()
	for i, rec := range own {
		require.Equal(t, first.Applications[i].Case, rec.Joint.InsteadOf)
		require.Equal(t, first.Number, rec.Joint.Number)
	}
	knows := func(i int) bool { return own[i].Joint.Sibling == own[1-i].Number }
	require.NotEqual(t, knows(0), knows(1), "the later one knows the earlier, which hears of it")
	read, err := s.JointReceipt(t.Context(), first.Number)
	require.NoError(t, err)
	require.Equal(t, []string{own[0].Number, own[1].Number}, []string{read.Receipts[0].Number, read.Receipts[1].Number})
	unsettled, err := s.UnsettledApplications(t.Context(), at(3, 9, 0), 10)
	require.NoError(t, err)
	require.Empty(t, unsettled)
	again, created, err := s.AcceptTogether(t.Context(), "park/12", ofProject(), clerk, at(3, 9, 0))
	require.NoError(t, err)
	require.False(t, created)
	equal(t, casework.JointReceipt{Number: first.Number, Receipts: own}, again)
}

// Leads that are one joint request already stay so; a lead that has another
// sibling is not tied to a second one.
func TestLeadsOfAJointRequestStayTogether(t *testing.T) {
	t.Parallel()
	s := open(t)
	asked := ofProject()
	for i := range asked {
		asked[i].Lead = true
	}
	leads, _, err := s.AcceptTogether(t.Context(), "plot/1", asked, clerk, at(1, 9, 0))
	require.NoError(t, err)
	for _, rec := range leads.Receipts {
		begin(rec.Number, rec.Request, at(1, 9, 0)).save(t, s)
	}
	got, _, err := s.AcceptTogether(t.Context(), "park/12", ofProject(), clerk, at(2, 9, 0))
	require.NoError(t, err)
	require.Equal(t, leads.Number, got.Number)
	require.Len(t, got.Applications, 2)
	require.Nil(t, got.Applications[0].Joint)

	alone := open(t)
	leads, _, err = alone.AcceptTogether(t.Context(), "plot/1", asked, clerk, at(1, 9, 0))
	require.NoError(t, err)
	begin(leads.Receipts[0].Number, leads.Receipts[0].Request, at(1, 9, 0)).save(t, alone)
	got, _, err = alone.AcceptTogether(t.Context(), "park/12", ofProject(), clerk, at(2, 9, 0))
	require.NoError(t, err)
	require.Empty(t, got.Number)
	require.Nil(t, got.Applications[0].Joint)
	require.Nil(t, got.Receipts[0].Joint)
}

// However many ask for the same project at one moment, a lead gets one
// application, and whoever gets no lead a case of their own.
func TestALeadGetsOneApplication(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, r := range ofProject() {
		leadCase(t, s, r)
	}
	var all sync.WaitGroup
	var mutex sync.Mutex
	applied, own := map[string]int{}, 0
	for i := range 20 {
		all.Go(func() {
			asked := ofProject()
			if i%3 == 0 {
				asked[0], asked[1] = asked[1], asked[0]
			}
			got, _, err := s.AcceptTogether(t.Context(), fmt.Sprint("park/", i), asked, clerk, at(2, 9, 0))
			mutex.Lock()
			defer mutex.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			for _, app := range got.Applications {
				applied[app.Case]++
			}
			own += len(got.Receipts)
		})
	}
	all.Wait()
	require.Len(t, applied, 2)
	for number, n := range applied {
		require.Equal(t, 1, n, number)
	}
	require.Equal(t, 38, own)
}

// With a case that has ended a request that comes instead of a lead shares the
// customer's number alone.
func TestWhoComesInsteadOfALeadIsNotTiedToWhatHasEnded(t *testing.T) {
	t.Parallel()
	s := open(t)
	leadCase(t, s, ofProject()[0])
	first, _, err := s.AcceptTogether(t.Context(), "park/12", ofProject(), clerk, at(2, 9, 0))
	require.NoError(t, err)
	gas := begin(first.Receipts[0].Number, first.Receipts[0].Request, at(2, 9, 0))
	gas.End(casework.Withdrawn, at(2, 9, 30))
	gas.save(t, s)
	own, refused, err := s.RefuseApplication(t.Context(), first.Applications[0])
	require.NoError(t, err)
	require.True(t, refused)
	require.Nil(t, own.Joint)
	joint, err := s.JointOf(t.Context(), own.Number)
	require.NoError(t, err)
	require.Equal(t, first.Number, joint)
}
