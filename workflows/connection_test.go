package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
)

func TestStraightConnectionClosesWithinADay(t *testing.T) {
	t.Parallel()
	for _, lane := range []casework.Lane{casework.Lane101, casework.Lane201} {
		t.Run(string(lane), func(t *testing.T) {
			t.Parallel()
			b := newBook(t)
			b.input.Request.Lane = lane
			b.play(func(p *people) { p.straight() })
			require.NoError(t, b.env.GetWorkflowError())
			require.Equal(t, casework.Closed, b.snapshot.Status)
			require.Equal(t, lane, b.snapshot.Lane)
			require.Empty(t, b.escalations)
			for _, d := range b.deadlines {
				require.False(t, d.MetAt.IsZero(), d.ID)
				require.False(t, d.Overdue(b.env.Now()), d.ID)
			}
			require.Equal(t, casework.LaneLimit(lane), b.deadlines[casework.LaneDeadline].Limit)
			require.Empty(t, b.snapshot.MissingDocuments())
			require.Equal(t, casework.Score{Kept: 7, Broken: []casework.Zero{}}, b.snapshot.Score())
		})
	}
}

// The timeline says each stage once, and in the order of the process, however
// many decisions a stage takes.
func TestEachStageIsEnteredOnce(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) { p.straight() })
	var entered []casework.Stage
	for _, e := range b.events {
		if e.Kind == casework.StageEntered {
			entered = append(entered, e.Stage)
		}
	}
	require.Equal(t, casework.Stages(), entered)
}

func TestNobodyActsAndEveryRungFiresOnceInOrder(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.wait(14 * 24 * time.Hour)
		p.leave()
	})
	task := caseNumber + "-T1"
	// Received Monday 10:00, due Tuesday at close of business.
	require.Equal(t, []rung{
		{task, "2026-11-24 15:30"}, {task, "2026-11-24 17:30"}, {task, "2026-11-25 14:30"}, {task, "2026-11-26 17:30"},
	}, b.rungs())
	require.Equal(t, 3, b.snapshot.Level)
}
