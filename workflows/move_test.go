package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/policy"
)

// moveTo moves the case to a policy that is Wuhu's but for a change.
func (p *people) moveTo(version string, change func(t *casework.Terms)) {
	p.t.Helper()
	t := policy.Default().Terms()
	t.PolicyVersion, t.Ladder = version, slices.Clone(t.Ladder)
	change(&t)
	p.must(casework.MovePolicy{By: as(casework.TaskforceOffice), Terms: t, Reason: "新办法施行"})
}

func asBefore(*casework.Terms) {}

// A policy without a lane's limit still knows what the lane waits for, and for
// whom; a policy that sets the limit finds it as if it had been there always.
func TestLaneIsHeldWithoutALimit(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.moveTo("no-lane", func(t *casework.Terms) { delete(t.Limits, "lane_101") })
		p.toPermits(permitsOf(trees))
		p.until("2026-11-23 11:00")
		p.finish(casework.FilePermit)
		lane, ok := p.snapshot.Deadline(casework.LaneDeadline)
		require.True(t, ok)
		require.Equal(t, calendar.Due{}, lane.Due)
		require.Equal(t, casework.PartyAuthority, p.snapshot.Clock.Now.Party)
		p.until("2026-11-26 11:00")
		p.finish(casework.RecordPermitResult)
		p.moveTo("lane", asBefore)
		lane, _ = p.snapshot.Deadline(casework.LaneDeadline)
		require.Equal(t, "2026-11-27 17:30", casework.Clock(lane.Due.At))
		p.leave()
	})
}

// A pause that ended before a task was opened still lies in its limit, where the
// event from which it counts came before the pause.
func TestLimitCountsThePausesSinceItsAnchor(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		survey := p.reach(casework.ConductSurvey)
		conducted := p.env.Now().Truncate(time.Second)
		p.until("2026-11-23 11:00")
		p.must(pause(p, "2026-11-23 17:00"))
		p.until("2026-11-23 15:00")
		p.must(casework.ResumeCase{By: byStaff})
		p.must(enter(survey, casework.SurveyInput{
			ConductedAt: conducted, Connectable: true, InformationChecked: true, ApplicationCompleted: true, DesignConfirmed: true,
			Design: &casework.Design{Atlas: "WS-01", MeterDiameter: 50, PipeMaterial: "PE100", PipeLength: 35.5},
		}))
		// The limit would end on Tuesday; two working hours were paused.
		require.Equal(t, "2026-11-25 10:30", p.due(p.task(casework.UploadSurvey)))
		p.leave()
	})
}

// The bound of a pause counts from the pause's beginning also where a later
// policy sets it.
func TestBoundCountsFromThePausesBeginning(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.moveTo("no-bound", func(t *casework.Terms) { t.PauseBound = calendar.Budget{} })
		p.must(pause(p, "2027-03-01 09:00"))
		p.until("2026-12-03 09:00")
		p.moveTo("bound", asBefore)
		p.until("2026-12-07 17:31")
		require.Contains(t, p.kinds(), "review_pause/customer_not_ready")
		p.leave()
	})
}

// A rung that fired under another ladder stays on record, and no rung of the
// ladder in force counts from it.
func TestNothingCountsFromARungOfAnotherLadder(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		contact := p.task(casework.ContactCustomer)
		p.until("2026-11-25 15:00") // the lead's rung has fired
		p.moveTo("own-ladder", func(t *casework.Terms) {
			t.Ladder = []casework.Rung{{Name: casework.RungManagement, To: casework.Management, Level: 3, After: calendar.Budget{Unit: calendar.WorkingDays, Days: 2}}}
		})
		d, _ := p.snapshot.Deadline(contact.ID)
		next, ok := d.NextRung()
		require.True(t, ok)
		require.Equal(t, "2026-11-26 17:30", casework.Clock(next.At))
		p.leave()
	})
}

// Where a policy that asks for answers gives way to one that does not, the clock
// of an answer ends with the work all the same.
func TestNoAnswerIsAwaitedAfterTheWork(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.until("2026-11-25 09:00")
		p.moveTo("no-answers", func(t *casework.Terms) {
			for i := range t.Ladder {
				t.Ladder[i].Answer = calendar.Budget{}
			}
		})
		p.finish(casework.ContactCustomer)
		for _, d := range p.snapshot.Deadlines {
			require.True(t, d.OnWork(), d.ID)
		}
		p.leave()
	})
}

// An escalation that has reached the management goes to nobody below it, though
// another policy may have a step there.
func TestNothingClimbsDown(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		contact := p.task(casework.ContactCustomer)
		p.moveTo("short-ladder", func(t *casework.Terms) { t.Ladder = slices.Delete(t.Ladder, 2, 3) })
		p.until("2026-11-25 11:00")
		require.Equal(t, casework.Management, p.escalations[contact.ID+"/breach"].To)
		p.moveTo("long-ladder", func(t *casework.Terms) {
			for i := range t.Ladder {
				t.Ladder[i].After = calendar.Budget{}
				if i > 1 {
					t.Ladder[i].After = calendar.Budget{Unit: calendar.WorkingDays, Days: 20}
				}
			}
		})
		p.until("2026-11-26 09:00")
		require.Equal(t, casework.Management, p.escalations[contact.ID+"/breach"].To)
		require.Equal(t, 1, p.count(casework.EscalationClimbed))
		p.leave()
	})
}
