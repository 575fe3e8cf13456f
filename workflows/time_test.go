package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

func pause(p *people, plannedEnd string) casework.PauseCase {
	return casework.PauseCase{By: byStaff, Reason: casework.CustomerNotReady, Evidence: "客户来函", PlannedEnd: at(p.t, plannedEnd)}
}

func (p *people) due(t casework.Task) string {
	p.t.Helper()
	d, ok := p.snapshot.Deadline(t.ID)
	require.True(p.t, ok)
	return casework.Clock(d.Due.At)
}

// A pause keeps the working time that was left, over the Sunday that was made a
// working day (September 20) and the Mid-Autumn holiday (25 to 27). No rung
// fires meanwhile, and the planned end is announced once.
func TestPauseKeepsTheRemainingWorkingTime(t *testing.T) {
	t.Parallel()
	b := newBookAt(t, at(t, "2026-09-18 10:00"), newRecords()) // a Friday
	b.play(func(p *people) {
		contact := p.task(casework.ContactCustomer)
		require.Equal(t, "2026-09-20 17:30", p.due(contact), "the next working day is that Sunday")
		p.until("2026-09-20 14:00")
		_, err := p.try(pause(p, "2026-09-25 12:00"))
		require.NoError(t, err)
		d, _ := p.snapshot.Deadline(contact.ID)
		require.Equal(t, 3*time.Hour+30*time.Minute, d.Due.Remaining)
		require.Equal(t, casework.Paused, p.snapshot.Status)
		p.refused("already_paused", pause(p, "2026-09-25 12:00"))

		p.until("2026-09-28 09:00")
		require.Empty(t, p.rungs())
		require.Equal(t, 1, p.count(casework.PauseEndReached))
		_, err = p.try(casework.ResumeCase{By: byStaff, Note: "客户已就绪"})
		require.NoError(t, err)
		require.Equal(t, "2026-09-28 14:30", p.due(contact))
		p.refused("not_paused", casework.ResumeCase{By: byStaff})

		p.until("2026-10-12 09:00")
		require.Equal(t, []rung{
			{contact.ID, "2026-09-28 10:30"}, {contact.ID, "2026-09-28 14:30"}, {contact.ID, "2026-09-29 09:30"}, {contact.ID, "2026-09-30 17:30"},
		}, p.rungs())
		for _, e := range p.events {
			if e.Kind == casework.PauseEndReached {
				require.Equal(t, "2026-09-25 12:00", casework.Clock(e.At))
			}
		}
		p.leave()
	})
}

// Over the National Day holiday (October 1 to 7) and the Saturday that makes up
// for it (October 10), the ladder keeps to working days.
func TestLadderOverAHoliday(t *testing.T) {
	t.Parallel()
	b := newBookAt(t, at(t, "2026-09-30 16:00"), newRecords())
	b.play(func(p *people) {
		contact := p.task(casework.ContactCustomer)
		p.until("2026-10-13 09:00")
		require.Equal(t, []rung{
			{contact.ID, "2026-10-08 15:30"}, {contact.ID, "2026-10-08 17:30"}, {contact.ID, "2026-10-09 14:30"}, {contact.ID, "2026-10-10 17:30"},
		}, p.rungs())
		p.leave()
	})
}

// The work may go on during a pause; what is opened then stands too, and runs
// from the resumption.
func TestTasksOpenedDuringAPauseStandToo(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.must(pause(p, "2026-12-20 09:00"))
		survey := p.reach(casework.ConductSurvey)
		p.wait(7 * 24 * time.Hour)
		require.Empty(t, p.rungs())
		d, _ := p.snapshot.Deadline(survey.ID)
		require.True(t, d.Due.Stopped)
		p.must(casework.ResumeCase{By: byStaff})
		d, _ = p.snapshot.Deadline(survey.ID)
		require.False(t, d.Due.Stopped)
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// A case that is worked to its end while paused ends its pause, so that one
// opened again is not paused for ever.
func TestPauseEndsWithTheCase(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.must(pause(p, "2026-12-20 09:00"))
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.Equal(t, b.snapshot.EndedAt, b.snapshot.Pauses[0].To)
	require.Zero(t, b.snapshot.NextWake())
}

func TestPauseNeedsAReasonEvidenceAndAnEnd(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		f := p.refused("invalid_input", casework.PauseCase{By: byStaff, Reason: "tired", PlannedEnd: monday})
		require.Equal(t, []string{"reason", "evidence", "planned_end"}, fields(f))
		f = p.refused("invalid_input", pause(p, "2027-12-01 09:00"))
		require.Equal(t, []string{"planned_end"}, fields(f))
		p.refused("wrong_role", casework.PauseCase{By: byCustomer})
		p.leave()
	})
}

func fields(f *casework.Fault) []string {
	var names []string
	for _, field := range f.Fields {
		names = append(names, field.Field)
	}
	return names
}

// A rung is acknowledged once, by those whom it was for or who dispatch. Where
// the ladder asks for no answers, that ends it.
func TestEscalationIsAcknowledgedByItsRole(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	for i := range b.input.Terms.Ladder {
		b.input.Terms.Ladder[i].Answer = calendar.Budget{}
	}
	b.play(func(p *people) {
		contact := p.task(casework.ContactCustomer)
		p.until("2026-11-26 18:00")
		as := func(role casework.Role, rung string) casework.AcknowledgeEscalation {
			actor := casework.Actor{ID: "x-01", Name: "某人", Roles: []casework.Role{role}, Districts: []casework.District{casework.AllDistricts}}
			return casework.AcknowledgeEscalation{By: casework.By{Actor: actor}, Escalation: contact.ID + "/" + rung, Note: "已督办"}
		}
		require.Len(t, p.snapshot.Escalations, 4)
		p.refused("wrong_role", as(casework.Engineering, "reminder"))
		p.must(as(casework.Taskforce, "reminder"))
		p.refused("wrong_role", as(casework.Taskforce, "breach"))
		p.must(as(casework.TaskforceOffice, "breach"), as(casework.TaskforceLead, "taskforce_lead"), as(casework.Management, "management"))
		require.Empty(t, p.snapshot.Escalations)
		p.refused("escalation_not_open", as(casework.Management, "management"))
		require.Equal(t, 3, p.snapshot.Level, "it is late still")
		e := p.escalations[contact.ID+"/breach"]
		require.Equal(t, "x-01", e.AcknowledgedBy)
		require.Equal(t, "已督办", e.Note)
		p.finish(casework.ContactCustomer)
		require.Zero(t, p.snapshot.Level)
		late := p.deadlines[contact.ID]
		require.True(t, late.Overdue(p.env.Now()), "the breach stays on record")
		p.leave()
	})
	require.Len(t, b.rungs(), 4, "what is done climbs no further")
}

// After a stop of everything, each rung that fell due meanwhile fires once, in
// the order of their moments, and the others at theirs.
func TestWhatWasMissedFiresOnceInOrder(t *testing.T) {
	t.Parallel()
	first := newBook(t)
	first.play(func(p *people) {
		p.toPermits(permitsOf(road))
		p.until("2026-11-23 18:00") // the filing of the permit is in breach by now
		p.leave()
	})
	require.Equal(t, []string{"T8 reminder 2026-11-23 15:30", "T8 breach 2026-11-23 17:30"}, ladder(first.ledger, 0))

	b := newBookAt(t, at(t, "2026-11-25 10:00"), first.records)
	b.input.State = first.snapshot
	b.play(func(p *people) {
		missed := ladder(p.ledger, 2)
		require.Equal(t, []string{
			"T8 taskforce_lead 2026-11-24 14:30",
			"lane reminder 2026-11-24 15:30", "T7 reminder 2026-11-24 15:30",
			"lane breach 2026-11-24 17:30", "T7 breach 2026-11-24 17:30",
		}, missed)
		for _, e := range p.events[len(p.events)-len(missed):] {
			require.Equal(t, casework.RungFired, e.Kind)
			require.Equal(t, "2026-11-25 10:00", casework.Clock(e.At), "the record says when it was announced")
		}
		p.until("2026-11-27 12:00")
		require.Equal(t, []string{
			"lane taskforce_lead 2026-11-25 14:30", "T7 taskforce_lead 2026-11-25 14:30", "T8 management 2026-11-25 17:30",
			"lane management 2026-11-26 17:30", "T7 management 2026-11-26 17:30",
		}, ladder(p.ledger, 7))
		p.leave()
	})
}

// ladder lists the rungs that fired after the first n: of what, which, and when
// each fell due.
func ladder(l *ledger, n int) []string {
	var all []string
	for _, e := range l.fired {
		of := strings.TrimPrefix(e.Deadline, caseNumber+"-")
		all = append(all, of+" "+string(e.Rung)+" "+casework.Clock(e.RungAt))
	}
	return all[n:]
}

// A new calendar version works the open deadlines out anew: what fell due in a
// holiday that nobody knew of falls due after it. What fired stays fired.
func TestNewCalendarMovesOpenDeadlines(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		contact := p.task(casework.ContactCustomer)
		before := p.deadlines[contact.ID]
		p.env.SignalWorkflow(contract.CalendarChanged, nil)
		p.wait(time.Second)
		require.Equal(t, before, p.deadlines[contact.ID], "by the same calendar everything stays")

		p.until("2026-11-24 16:00")
		holiday := []calendar.Day{{Date: calendar.Date{Year: 2026, Month: 11, Day: 24}, Kind: calendar.Holiday, Name: "补休"}}
		var err error
		p.records.notices, err = calendar.NewNotices("another", holiday)
		require.NoError(t, err)
		p.env.SignalWorkflow(contract.CalendarChanged, nil)
		p.wait(time.Second)
		require.Equal(t, "another", p.deadlines[contact.ID].CalendarVersion)
		require.Equal(t, "2026-11-25 17:30", p.due(contact))
		p.until("2026-11-25 18:00")
		require.Equal(t, []string{"T1 reminder 2026-11-24 15:30", "T1 breach 2026-11-25 17:30"}, ladder(p.ledger, 0))
		p.leave()
	})
}
