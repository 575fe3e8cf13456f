package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

const siblingNumber = "G20261123-00002"

// sibling stands in for the other case of a joint request.
type sibling struct {
	heard []casework.Shared
	down  int // tells that fail before one arrives
}

// join makes the book's case part of a joint request.
func (b *book) join() *sibling { return b.joinWith(siblingNumber, casework.Gas) }

func (b *book) joinWith(number string, u casework.Utility) *sibling {
	b.input.Joint = &casework.Joint{Number: "J20261123-00001", Sibling: number, Utility: u}
	return b.sibling(number)
}

// sibling stands in for a case of a number.
func (b *book) sibling(number string) *sibling {
	s := &sibling{}
	b.env.OnSignalExternalWorkflow(mock.Anything, contract.WorkflowID(number), "", contract.SiblingTells, mock.Anything).
		Return(func(_, _, _, _ string, arg any) error {
			if s.down > 0 {
				s.down--
				return errors.New("there is no such workflow yet")
			}
			shared, ok := arg.(casework.Shared)
			if !ok {
				return errors.New("a sibling tells something else")
			}
			s.heard = append(s.heard, shared)
			return nil
		})
	return s
}

func (s *sibling) last() casework.Shared { return s.heard[len(s.heard)-1] }

// A sibling whose workflow starts later is told later; what it tells is taken
// over, each time once; and it knows the end before this case's workflow is gone.
func TestCasesOfAJointRequestTellEachOther(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	s := b.join()
	s.down = 2
	b.play(func(p *people) {
		require.Empty(t, s.heard)
		p.wait(20 * time.Second)
		require.Len(t, s.heard, 1)
		p.reach(casework.ScheduleSurvey)
		told := casework.Shared{Case: siblingNumber, N: 9, AgreedAt: p.env.Now(),
			Appointment: &casework.AppointmentInput{SurveyAt: p.env.Now().Add(2 * time.Hour), Attendees: []casework.Department{"taskforce"}}}
		scheduled := p.task(casework.ScheduleSurvey)
		for range 2 { // it comes twice
			p.tell(told)
		}
		require.Equal(t, []string{"conduct_survey"}, p.kinds())
		require.Equal(t, casework.TaskDone, p.tasks[scheduled.ID].State)
		require.Equal(t, "system", p.tasks[scheduled.ID].DoneBy)
		require.Equal(t, told.Appointment.SurveyAt.UTC(), s.last().Appointment.SurveyAt.UTC())

		p.toPermits(permitsOf(road))
		require.Equal(t, []string{"prepare_materials"}, p.kinds(), "the case that leads has not said who files")
		require.Len(t, s.last().Permits, 1)
		permit := casework.Permit{PermitNeed: road, Route: road.Route(), Attempt: 1}
		told.N, told.Permits, told.Holders = 12, []casework.Permit{permit}, []casework.PermitHolder{{Kind: road.Kind, Case: siblingNumber}}
		p.tell(told)
		require.Equal(t, []string{"prepare_materials"}, p.kinds())
		told.N, told.Permits[0].FiledAt, told.Permits[0].FilingNumber = 13, p.env.Now(), "SZ1"
		p.tell(told)
		d, ok := p.snapshot.Deadline(casework.LaneDeadline)
		require.True(t, ok)
		require.True(t, d.Due.Stopped, "the lane's clock stands as for a permit of its own")
		told.N, told.Permits[0].DecidedAt, told.Permits[0].Granted, told.Permits[0].ReceiptNumber = 14, p.env.Now(), true, "HZ1"
		p.tell(told)
		d, _ = p.snapshot.Deadline(casework.LaneDeadline)
		require.False(t, d.Due.Stopped)
		require.Equal(t, []string{"hand_over_permit/road_occupation", "prepare_materials"}, p.kinds())
		told.N, told.Ended = 20, true
		p.tell(told)
		p.straight()
	})
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.False(t, s.last().Ended, "who has ended is told nothing more")
}

// tell signals what the sibling tells.
func (p *people) tell(s casework.Shared) {
	p.yield(func(resume func()) {
		p.env.SignalWorkflow(contract.SiblingTells, s)
		p.after(time.Second, resume)
	})
}

// The end is told before the workflow is gone, however long the sibling takes
// to start.
func TestTheEndIsToldToASiblingThatStartsLate(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	s := b.join()
	s.down = 12
	b.play(func(p *people) {
		p.must(casework.Withdraw{By: byCustomer, Reason: "不办了"})
		require.Equal(t, casework.Withdrawn, p.snapshot.Status)
		require.Empty(t, s.heard)
	})
	require.NoError(t, b.env.GetWorkflowError())
	require.True(t, s.last().Ended)
	require.True(t, s.last().Gone)
}
