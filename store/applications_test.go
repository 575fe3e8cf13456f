package store_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/store"
)

// window is where requests of one project come in while its leads are worked on.
type window struct {
	*rapid.T
	s       *store.Store
	project string
	now     time.Time
	leads   []string        // numbers of cases that began as leads
	sent    map[string]bool // parts that were sent, by external number
	joints  map[string]bool // joint numbers that were given
}

func (w *window) request(u casework.Utility, external string) casework.Request {
	r := request()
	r.Utility, r.Project, r.ExternalNumber = u, w.project, w.project+"/"+external
	return r
}

// lead opens a lead.
func (w *window) lead(u casework.Utility) {
	r := w.request(u, fmt.Sprint("lead-", len(w.leads)))
	r.Lead = true
	rec, _, err := w.s.Accept(w.Context(), r, clerk, w.now)
	require.NoError(w, err)
	k := begin(rec.Number, r, w.now)
	require.NoError(w, w.s.Save(w.Context(), k.Case, k.TakeChanges()))
	w.leads = append(w.leads, rec.Number)
}

// single sends a request for one utility, as a process does that may die after it.
func (w *window) single(u casework.Utility) {
	r := w.request(u, "single-"+string(u))
	w.sent[r.ExternalNumber] = true
	_, found, err := w.s.AcceptApplication(w.Context(), r, clerk, w.now)
	require.NoError(w, err)
	if !found {
		_, _, err = w.s.Accept(w.Context(), r, clerk, w.now)
		require.NoError(w, err)
	}
}

// joint sends one of two joint requests.
func (w *window) joint(n int) {
	external := fmt.Sprint("joint-", n)
	requests := []casework.Request{w.request(casework.Water, external), w.request(casework.Gas, external)}
	for _, r := range requests {
		w.sent[r.ExternalNumber+"/"+string(r.Utility)] = true
	}
	rec, _, err := w.s.AcceptTogether(w.Context(), requests[0].ExternalNumber, requests, clerk, w.now)
	require.NoError(w, err)
	require.Len(w, append(rec.Receipts, make([]casework.Receipt, len(rec.Applications))...), 2)
	if rec.Number != "" {
		w.joints[rec.Number] = true
	}
}

// change has something done to a case, and saves it.
func (w *window) change(number string, a casework.Action) error {
	k, err := w.s.Case(w.Context(), number)
	require.NoError(w, err)
	next, err := k.Try(a, w.now)
	if err == nil {
		require.NoError(w, w.s.Save(w.Context(), next, next.TakeChanges()))
	}
	return err
}

// settle tells leads of their applications; whoever does may die before it is
// noted, and another does it again.
func (w *window) settle(dies bool) {
	waiting, err := w.s.UnsettledApplications(w.Context(), w.now.Add(time.Hour), 100)
	require.NoError(w, err)
	for _, app := range waiting {
		if app.Request.Project != w.project {
			continue
		}
		err := w.change(app.Case, casework.Apply{By: casework.By{Actor: app.By}, Request: app.Request, Joint: app.Joint})
		k, caseErr := w.s.Case(w.Context(), app.Case)
		require.NoError(w, caseErr)
		switch {
		case err == nil && dies:
			return
		case err == nil, k.Applied != nil && k.Applied.ExternalNumber == app.Request.ExternalNumber:
			require.NoError(w, w.s.SettleApplication(w.Context(), app.Request))
		default:
			_, refused, err := w.s.RefuseApplication(w.Context(), app)
			require.NoError(w, err)
			require.True(w, refused)
		}
	}
}

// elsewhere passes a lead on to the other utility, where it goes on.
func (w *window) elsewhere(number string, to casework.Utility) {
	if w.change(number, casework.PassOn{By: casework.By{Actor: clerk}, Utility: to, Reason: "转办"}) != nil {
		return
	}
	k, err := w.s.Case(w.Context(), number)
	require.NoError(w, err)
	r := k.Request
	r.Utility = to
	rec, err := w.s.AcceptPassed(w.Context(), r, k.Carry())
	require.NoError(w, err)
	k.PassedTo(rec.Number, w.now)
	require.NoError(w, w.s.Save(w.Context(), k, k.TakeChanges()))
	next := begin(rec.Number, r, w.now)
	require.NoError(w, w.s.Save(w.Context(), next.Case, next.TakeChanges()))
	w.leads = append(w.leads, rec.Number)
}

// Whatever comes in, again and at whatever moment, while leads are opened,
// dropped and passed on, and whoever dies in between: in the end each request
// that was accepted is one case, a lead's or its own, and no more; and of each
// joint request both cases are found by its number.
func TestNoApplicationIsLost(t *testing.T) {
	t.Parallel()
	s := open(t)
	var projects atomic.Int64
	utilities := []casework.Utility{casework.Water, casework.Gas}
	rapid.Check(t, func(t *rapid.T) {
		w := &window{T: t, s: s, project: fmt.Sprintf("2026-340207-50-01-%06d", projects.Add(1)), now: at(2, 9, 0), sent: map[string]bool{}, joints: map[string]bool{}}
		for range rapid.IntRange(1, 14).Draw(t, "steps") {
			w.now = w.now.Add(time.Minute)
			u := rapid.SampledFrom(utilities).Draw(t, "utility")
			step := rapid.SampledFrom([]string{"lead", "lead", "single", "joint", "joint", "settle", "settle", "withdraw", "district", "elsewhere"}).Draw(t, "step")
			switch {
			case step == "lead":
				w.lead(u)
			case step == "single":
				w.single(u)
			case step == "joint":
				w.joint(rapid.IntRange(0, 1).Draw(t, "joint"))
			case step == "settle":
				w.settle(rapid.Bool().Draw(t, "dies"))
			case len(w.leads) == 0:
			default:
				number := rapid.SampledFrom(w.leads).Draw(t, "which")
				switch step { // a refusal is as good
				case "withdraw":
					_ = w.change(number, casework.Withdraw{By: casework.By{Actor: casework.AsCustomer()}, Reason: "不办了"})
				case "district":
					_ = w.change(number, casework.PassOn{By: casework.By{Actor: clerk}, District: "340203", Reason: "转办"})
				default:
					w.elsewhere(number, u)
				}
			}
		}
		w.settle(false)
		applied := map[string]int{}
		for _, number := range w.leads {
			k, err := s.Case(t.Context(), number)
			require.NoError(t, err)
			if k.Applied != nil {
				applied[k.Applied.ExternalNumber]++
			}
		}
		own := map[string]int{}
		receipts, err := s.Unstarted(t.Context(), at(5, 0, 0), 100_000)
		require.NoError(t, err)
		for _, rec := range receipts {
			if rec.Request.Project == w.project && rec.Carried == nil && !rec.Request.Lead {
				own[rec.Request.ExternalNumber]++
			}
		}
		for external := range w.sent {
			require.Equal(t, 1, applied[external]+own[external], "%s: applied %d, own %d", external, applied[external], own[external])
		}
		require.Len(t, w.sent, len(applied)+len(own))
		for number := range w.joints {
			rec, err := s.JointReceipt(t.Context(), number)
			require.NoError(t, err)
			require.Len(t, rec.Receipts, 2, number)
			require.False(t, slices.ContainsFunc(rec.Receipts, func(r casework.Receipt) bool { return r.Request.Project != w.project }))
		}
	})
}
