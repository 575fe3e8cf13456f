package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
)

// Every completed case is called back until the customer was reached.
func TestUnreachedCustomerIsCalledAgain(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.reach(casework.Callback)
		for round := 1; round <= 3; round++ {
			call := p.finish(casework.Callback, demo.Choices{Unreached: true})
			require.Equal(t, round, call.Round)
			require.Equal(t, "unreached", p.tasks[call.ID].Outcome)
			p.wait(24 * time.Hour)
		}
		require.Equal(t, 4, p.task(casework.Callback).Round)
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.Empty(t, b.escalations, "each try begins its own five days")
}

func TestDissatisfiedCustomerIsCalledAgainAfterRectification(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.reach(casework.Callback)
		for range 2 {
			p.finish(casework.Callback, demo.Choices{Dissatisfied: true})
			require.Equal(t, []string{"rectify/engineering"}, p.kinds())
			task := p.task(casework.Rectify)
			require.Equal(t, casework.Engineering, task.Role)
			f := p.refused("invalid_input", enter(task, casework.RectificationInput{Measures: "已修复", Evidence: "nowhere"}))
			require.Equal(t, "evidence", f.Fields[0].Field)
			p.finish(casework.Rectify)
			require.Equal(t, []string{"callback"}, p.kinds())
		}
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.Equal(t, 3, b.snapshot.Evaluated.Round)
	require.True(t, b.snapshot.Evaluated.Closed())
}

// rate is the customer's own review.
func rate(level int) casework.Rate {
	return casework.Rate{By: byCustomer, Level: level, Comment: "施工扰民"}
}

// A bad review brings a visit at once, beside whatever else is open. What the
// visit leaves to be put right is asked about again, although the customer was
// called, and content, in between.
func TestBadReviewBringsAVisit(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.reach(casework.CompleteEntry)
		p.must(rate(1))
		require.Equal(t, []string{"complete_entry", "home_visit"}, p.kinds())
		p.must(enter(p.task(casework.HomeVisit), casework.HomeVisitInput{VisitedAt: p.env.Now(), Reasons: "路面未恢复", Responsible: "engineering"}))
		require.Equal(t, []string{"complete_entry"}, p.kinds(), "put right once the work is done")
		p.reach(casework.Rectify)
		require.Equal(t, []string{"rectify/engineering"}, p.kinds())
		p.finish(casework.Rectify)
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.Equal(t, 1, b.snapshot.Evaluated.Round)
}

func TestRectificationAfterACallbackIsAskedAboutAgain(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.reach(casework.Callback)
		p.must(rate(2))
		require.Equal(t, []string{"callback", "home_visit"}, p.kinds())
		p.must(enter(p.task(casework.HomeVisit), casework.HomeVisitInput{VisitedAt: p.env.Now(), Reasons: "路面未恢复", Responsible: "engineering"}))
		require.Equal(t, []string{"callback", "rectify/engineering"}, p.kinds())
		p.finish(casework.Callback)
		require.Equal(t, casework.Satisfied, p.snapshot.Evaluated.Last)
		p.finish(casework.Rectify)
		require.Equal(t, []string{"callback"}, p.kinds(), "nobody has asked since it was put right")
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// Two bad reviews bring two visits, one after the other.
func TestEachBadReviewBringsAVisit(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.reach(casework.Callback)
		p.must(rate(2), rate(1), rate(5))
		require.Equal(t, []string{"callback", "home_visit"}, p.kinds())
		p.finish(casework.HomeVisit)
		require.Equal(t, []string{"callback", "home_visit"}, p.kinds())
		p.finish(casework.HomeVisit)
		require.Equal(t, []string{"callback"}, p.kinds())
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.Len(t, b.snapshot.Evaluated.Ratings, 3)
}

// closed plays a case to its end and gives a book that starts its workflow
// again with the state in which it ended, as the api does for a late review.
func closed(t *testing.T) *book {
	t.Helper()
	first := newBook(t)
	first.play(func(p *people) { p.straight() })
	require.Equal(t, casework.Closed, first.snapshot.Status)
	b := newBookAt(t, first.env.Now().Add(30*24*time.Hour), first.records)
	b.input.State = first.snapshot
	return b
}

// A bad review after closing opens the case again; a good one is noted and the
// case stays closed.
func TestReviewAfterClosing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		level    int
		reopened int
	}{"bad": {1, 1}, "good": {5, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := closed(t)
			events := b.snapshot.Version
			// The review comes with the start, as an update-with-start does.
			b.playFrom(0, func(p *people) {
				p.must(rate(c.level))
				if c.reopened > 0 {
					require.Equal(t, casework.Open, p.snapshot.Status)
					require.Equal(t, []string{"home_visit"}, p.kinds())
					p.straight()
				}
			})
			require.NoError(t, b.env.GetWorkflowError())
			require.Equal(t, casework.Closed, b.snapshot.Status)
			require.Equal(t, []casework.Rating{{Level: c.level, Comment: "施工扰民", At: b.snapshot.Evaluated.Ratings[0].At}}, b.snapshot.Evaluated.Ratings)
			require.Equal(t, c.reopened, b.count(casework.CaseReopened))
			require.Equal(t, 1+c.reopened, b.count(casework.CaseClosed))
			require.Greater(t, b.snapshot.Version, events)
			requireNothingLeft(t, b.ledger)
		})
	}
}

func TestReviewBeforeSupplyIsRefused(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.reach(casework.TurnOnSupply)
		p.refused("not_supplied", rate(1))
		p.refused("invalid_input", casework.Rate{By: byCustomer, Level: 6})
		p.refused("invalid_input", casework.Rate{By: byCustomer, Level: 2})
		p.refused("wrong_role", casework.Rate{By: byStaff, Level: 5})
		p.leave()
	})
}
