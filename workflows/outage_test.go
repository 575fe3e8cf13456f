package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// fell lists the rungs that fired after the first n, by when each fell due and
// when it was recorded.
func fell(l *ledger, n int) []string {
	var all []string
	for _, e := range l.fired[n:] {
		all = append(all, string(e.Rung)+" "+casework.Clock(e.RungAt)+" recorded "+casework.Clock(e.FiredAt))
	}
	return all
}

// downForAWeek brings a case to the moment before an outage: the first limit is
// met a minute before it runs out, the second has a day to go. It gives the run
// that goes on a week later.
func downForAWeek(t *testing.T) (*book, casework.Task) {
	t.Helper()
	first := newBook(t)
	var assess casework.Task
	first.play(func(p *people) {
		p.until("2026-11-24 17:29")
		p.finish(casework.ContactCustomer)
		assess = p.task(casework.AssessNetwork)
		p.full = true
		p.must(casework.ClaimTask{By: byStaff, Task: assess.ID})
	})
	require.Equal(t, []string{"reminder 2026-11-24 15:30 recorded 2026-11-24 15:30"}, fell(first.ledger, 0))
	b := first.continued()
	b.env.SetStartTime(at(t, "2026-12-01 17:29"))
	return b, assess
}

// No worker for a week, between two runs of a case: on return every rung that
// was missed is recorded once, in order, and the people told have their time to
// answer from then. What was met before the outage fires nothing.
func TestWeekWithoutWorkers(t *testing.T) {
	t.Parallel()
	b, assess := downForAWeek(t)
	b.play(func(p *people) {
		require.Equal(t, []string{
			"reminder 2026-11-25 15:30 recorded 2026-12-01 17:29", "breach 2026-11-25 17:30 recorded 2026-12-01 17:29",
			"taskforce_lead 2026-11-26 14:30 recorded 2026-12-01 17:29", "management 2026-11-27 17:30 recorded 2026-12-01 17:29",
		}, fell(p.ledger, 1))
		for _, e := range p.fired[1:] {
			require.Equal(t, assess.ID, e.Deadline)
		}
		require.Len(t, p.messages, 5, "each is announced once")
		require.Zero(t, p.count(casework.EscalationClimbed), "nobody could answer what nobody was told")
		require.Equal(t, []fate{{"reminder", "", "met"}, {"reminder", "", "superseded"}, {"breach", "taskforce_office", "superseded"},
			{"taskforce_lead", "taskforce_lead", "superseded"}, {"management", "management", ""}}, p.fates())
		p.until("2026-12-20 09:00")
		require.Len(t, p.fired, 5)
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// A notice that comes during the outage moves what has not been recorded yet:
// nobody is called out for a day that turned out to be a holiday.
func TestNoticeDuringAnOutage(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.until("2026-11-24 15:00")
		p.finish(casework.ContactCustomer)
		p.until("2026-11-25 15:00")
		p.records.breakDown(true)
		p.until("2026-11-25 16:00") // the reminder waits to be recorded
		notices, err := calendar.Seed().Amend("holiday", []calendar.Day{{Date: calendar.Date{Year: 2026, Month: 11, Day: 25}, Kind: calendar.Holiday, Name: "补休"}})
		require.NoError(t, err)
		p.records.announce(notices)
		p.env.SignalWorkflow(contract.CalendarChanged, nil)
		p.until("2026-11-27 09:00")
		p.records.breakDown(false)
		p.until("2026-11-27 10:00")
		require.Equal(t, []string{
			"reminder 2026-11-25 15:30 recorded 2026-11-25 15:30", "breach 2026-11-26 17:30 recorded 2026-11-27 09:00",
		}, fell(p.ledger, 0))
		require.Equal(t, 1, p.count(casework.DeadlinesMoved))
		p.until("2026-11-27 15:00")
		require.Equal(t, []string{"taskforce_lead 2026-11-27 14:30 recorded 2026-11-27 14:30"}, fell(p.ledger, 2))
		p.leave()
	})
}

// A notice that comes between two runs is looked at when the next one is told.
func TestNoticeBetweenTwoRuns(t *testing.T) {
	t.Parallel()
	b, _ := downForAWeek(t)
	notices, err := calendar.Seed().Amend("holiday", []calendar.Day{{Date: calendar.Date{Year: 2026, Month: 12, Day: 2}, Kind: calendar.Holiday, Name: "补休"}})
	require.NoError(t, err)
	b.play(func(p *people) {
		require.Len(t, p.fired, 5)
		p.records.announce(notices)
		p.env.SignalWorkflow(contract.CalendarChanged, nil)
		p.wait(time.Second)
		require.Len(t, p.fired, 5, "what fired stays fired")
		require.Equal(t, "2026-12-03 17:30", p.due(p.next()))
		p.leave()
	})
}

// next completes what is open and gives the task that follows.
func (p *people) next() casework.Task {
	p.t.Helper()
	p.finish(p.snapshot.Tasks[0].Kind)
	return p.snapshot.Tasks[0]
}
