package casework_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// workOut works a deadline of one budget out, anchored on Monday at ten.
func workOut(t *testing.T, d casework.Deadline) casework.Deadline {
	t.Helper()
	cal, err := calendar.New(calendar.Seed(), terms().Hours)
	require.NoError(t, err)
	return d.WorkOut(cal, "v1")
}

func deadline(budget calendar.Budget) casework.Deadline {
	d := casework.Deadline{ID: "W1-T1", Limit: "x", Anchor: received, Budget: budget, Stale: true}
	for _, r := range terms().Ladder {
		d.Rungs = append(d.Rungs, casework.RungMark{Rung: r})
	}
	return d
}

func moments(d casework.Deadline) []string {
	var all []string
	for _, r := range d.Rungs {
		all = append(all, casework.Clock(r.At))
	}
	return all
}

func TestWorkOutClimbsTheLadder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		budget calendar.Budget
		want   []string
	}{
		"one working day": {calendar.Budget{Unit: calendar.WorkingDays, Days: 1}, []string{"2026-11-24 15:30", "2026-11-24 17:30", "2026-11-25 14:30", "2026-11-26 17:30"}},
		"same day":        {calendar.Budget{Unit: calendar.SameDay}, []string{"2026-11-23 15:30", "2026-11-23 17:30", "2026-11-24 14:30", "2026-11-25 17:30"}},
		// Two hours before a deadline of one would lie before the event itself.
		"shorter than the reminder": {calendar.Budget{Unit: calendar.WorkingTime, Time: time.Hour}, []string{"2026-11-23 10:00", "2026-11-23 11:00", "2026-11-23 17:00", "2026-11-24 17:30"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := workOut(t, deadline(c.budget))
			require.Equal(t, c.want, moments(d))
			require.False(t, d.Stale)
			require.Equal(t, "v1", d.CalendarVersion)
			require.Equal(t, d, workOut(t, d), "working out again changes nothing")
		})
	}
}

// While the clock stands no rung has a moment; afterwards those that fired keep
// theirs and the others follow the due moment.
func TestFiredRungsKeepTheirMomentAfterAMove(t *testing.T) {
	t.Parallel()
	d := workOut(t, deadline(calendar.Budget{Unit: calendar.WorkingDays, Days: 1}))
	reminded := d.Rungs[0].At
	d.Rungs[0].FiredAt = reminded
	d.Holds = []casework.Hold{{Reason: "x", From: time.Date(2026, 11, 24, 16, 0, 0, 0, calendar.Shanghai)}}
	d = workOut(t, d)
	require.True(t, d.Due.Stopped)
	require.Equal(t, 90*time.Minute, d.Due.Remaining)
	require.Equal(t, []string{"2026-11-24 15:30", "—", "—", "—"}, moments(d))
	_, ok := d.NextRung()
	require.False(t, ok)

	d.Holds[0].To = time.Date(2026, 11, 26, 16, 0, 0, 0, calendar.Shanghai)
	d = workOut(t, d)
	require.Equal(t, []string{"2026-11-24 15:30", "2026-11-26 17:30", "2026-11-27 14:30", "2026-11-30 17:30"}, moments(d))
	require.Equal(t, reminded, d.Rungs[0].FiredAt)
	next, ok := d.NextRung()
	require.True(t, ok)
	require.Equal(t, casework.RungBreach, next.Name)
}

// The working out never writes into the deadline it was asked about: a decision
// that is given up must leave no moment behind.
func TestWorkOutLeavesItsDeadlineAlone(t *testing.T) {
	t.Parallel()
	d := deadline(calendar.Budget{Unit: calendar.SameDay})
	workOut(t, d)
	require.Equal(t, deadline(calendar.Budget{Unit: calendar.SameDay}), d)
}

func TestOverdueIsDerived(t *testing.T) {
	t.Parallel()
	d := workOut(t, deadline(calendar.Budget{Unit: calendar.SameDay}))
	at, later := d.Due.At, d.Due.At.Add(time.Second)
	require.False(t, d.Overdue(at))
	require.True(t, d.Overdue(later))
	met := d
	met.MetAt = at
	require.False(t, met.Overdue(later), "met in time, whatever the time is now")
	met.MetAt = later
	require.True(t, met.Overdue(at))
	dropped := d
	dropped.DroppedAt = later
	require.False(t, dropped.Overdue(later), "what was cancelled was not missed")
	require.False(t, dropped.Live())
}

// What falls due at 24:00 falls due on the day that ends then: one working day
// later is the next one, not the one after.
func TestRungCountsFromTheDayThatEndsAtMidnight(t *testing.T) {
	t.Parallel()
	// Accepted after the close of business, it ends at midnight.
	d := casework.Deadline{ID: "W1-T1", Limit: "x", Anchor: received.Add(8 * time.Hour), Budget: calendar.Budget{Unit: calendar.SameDay}, Stale: true}
	d.Rungs = []casework.RungMark{
		{Rung: casework.Rung{Name: casework.RungBreach}},
		{Rung: casework.Rung{Name: casework.RungLead, After: calendar.Budget{Unit: calendar.WorkingDays, Days: 1}}},
	}
	require.Equal(t, []string{"2026-11-24 00:00", "2026-11-24 17:30"}, moments(workOut(t, d)))
}

// The review of a pause is due on a day of its own. Lists show the time that is
// left for the work; who supervises is told of the review as well.
func TestReviewOfAPauseIsNotWhenTheWorkIsDue(t *testing.T) {
	t.Parallel()
	stands := calendar.Due{Stopped: true, Remaining: 90 * time.Minute}
	review := calendar.Due{At: received.AddDate(0, 0, 3)}
	k := casework.Case{Deadlines: []casework.Deadline{
		{ID: casework.LaneDeadline, Limit: casework.LaneLimit(casework.Lane101), Due: stands},
		{ID: "W1-T9", Limit: "review_pause", Due: review},
	}}
	require.Equal(t, stands, k.NextDue())
	require.Equal(t, review.At, k.EarliestDue())
}
