package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
)

func TestStraightConnectionClosesWithinADay(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.run(func() {
		b.work(func(casework.Task) (demo.Choices, bool) { return demo.Choices{}, false })
	})
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.Empty(t, b.escalations)
	for _, d := range b.deadlines {
		require.False(t, d.MetAt.IsZero(), d.ID)
		require.False(t, d.Overdue(b.env.Now()), d.ID)
	}
	require.Empty(t, b.snapshot.MissingDocuments())
	require.Equal(t, casework.Score{Kept: 7, Broken: []casework.Zero{}}, b.snapshot.Score())
}

func TestNobodyActsAndEveryRungFiresOnceInOrder(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.run(func() { b.after(14*24*time.Hour, b.env.CancelWorkflow) })
	task := caseNumber + "-T1"
	type fired struct {
		ID string
		At string
	}
	var got []fired
	for _, e := range b.events {
		if e.Kind == casework.RungFired {
			got = append(got, fired{e.Task, casework.Clock(e.At)})
		}
	}
	// Received Monday 10:00, due Tuesday at close of business.
	require.Equal(t, []fired{
		{task, "2026-11-24 15:30"}, {task, "2026-11-24 17:30"}, {task, "2026-11-25 14:30"}, {task, "2026-11-26 17:30"},
	}, got)
	require.Equal(t, 3, b.snapshot.Level)
}
