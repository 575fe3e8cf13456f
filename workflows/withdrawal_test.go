package workflows_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
)

// A customer may withdraw after any task before supply-on. What was begun is
// undone: materials go back, permits that were filed and not refused are
// withdrawn. Nothing else stays open.
func TestWithdrawalAfterEachTask(t *testing.T) {
	t.Parallel()
	choices := demo.Choices{Permits: []casework.PermitNeed{road, green}}
	const tasks = 15 // completed before turn_on_supply, with two permits
	for done := range tasks + 1 {
		t.Run(fmt.Sprint(done), func(t *testing.T) {
			t.Parallel()
			b := newBook(t)
			b.play(func(p *people) {
				for range done {
					p.must(complete(p.snapshot, p.snapshot.Tasks[0], choices, p.env.Now())...)
				}
				require.Nil(t, p.snapshot.Supply)
				want := []string{}
				for _, task := range p.tasks {
					switch {
					case task.State != casework.TaskDone:
					case task.Kind == casework.PrepareMaterials:
						want = append(want, "release_materials")
					case task.Kind == casework.InstallMeter:
						want = append(want, "remove_meter")
					case task.Kind == casework.FilePermit:
						want = append(want, "withdraw_permit/"+task.Qualifier)
					}
				}
				slices.Sort(want)
				open := p.snapshot.Tasks
				p.must(casework.Withdraw{By: byCustomer, Reason: "项目取消"})
				for _, task := range open {
					require.Equal(t, casework.TaskCancelled, p.tasks[task.ID].State, task.ID)
				}
				require.Equal(t, want, p.kinds())
				if len(want) > 0 {
					require.Equal(t, casework.Withdrawing, p.snapshot.Status)
					require.Len(t, p.snapshot.Deadlines, len(want), "only what undoes has a deadline")
					p.refused("already_withdrawing", casework.Withdraw{By: byCustomer, Reason: "项目取消"})
					p.refused("not_open", casework.PauseCase{By: byStaff, Reason: casework.ForceMajeure, Evidence: "x", PlannedEnd: p.env.Now().Add(1)})
				}
				p.straight()
			})
			require.NoError(t, b.env.GetWorkflowError())
			require.Equal(t, casework.Withdrawn, b.snapshot.Status)
			require.Equal(t, 1, b.count(casework.CaseWithdrawn))
			requireNothingLeft(t, b.ledger)
		})
	}
}

// A refused permit has nothing left to withdraw.
func TestRefusedPermitIsNotWithdrawn(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.toPermits(demo.Choices{Permits: []casework.PermitNeed{road}})
		p.finish(casework.FilePermit)
		p.finish(casework.RecordPermitResult, demo.Choices{RefusePermit: true})
		p.must(casework.Withdraw{By: byStaff, Reason: "项目取消"})
	})
	require.Equal(t, casework.Withdrawn, b.snapshot.Status)
}

func TestWithdrawalAfterSupplyIsRefused(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.reach(casework.CompleteEntry)
		p.refused("already_supplied", casework.Withdraw{By: byCustomer, Reason: "项目取消"})
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// A paused case can be withdrawn too, which ends the pause.
func TestWithdrawalOfAPausedCase(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.must(pause(p, "2026-12-01 09:00"))
		p.refused("invalid_input", casework.Withdraw{By: byCustomer})
		p.must(casework.Withdraw{By: byCustomer, Reason: "项目取消"})
	})
	require.Equal(t, casework.Withdrawn, b.snapshot.Status)
	require.False(t, b.snapshot.Pauses[0].To.IsZero())
	require.Zero(t, b.count(casework.PauseEndReached))
}
