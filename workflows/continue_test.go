package workflows_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/demo"
)

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

// continued gives the book of the next run, as the server starts it.
func (b *book) continued() *book {
	b.t.Helper()
	var next *workflow.ContinueAsNewError
	require.ErrorAs(b.t, b.env.GetWorkflowError(), &next)
	require.Equal(b.t, contract.ConnectionWorkflow, next.WorkflowType.Name)
	var in contract.CaseInput
	require.NoError(b.t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &in))
	require.Equal(b.t, caseNumber, in.Number)
	require.Equal(b.t, asJSON(b.t, b.snapshot), asJSON(b.t, in.State), "the next run knows what was committed, no more and no less")
	c := newBookAt(b.t, b.env.Now(), b.records)
	c.input = in
	return c
}

// A long history is continued in a new run with the same open tasks; rungs that
// fired don't fire again and the others fire at their moments.
func TestCaseGoesOnInANewRun(t *testing.T) {
	t.Parallel()
	first := newBook(t)
	first.play(func(p *people) {
		p.toPermits(permitsOf(road, green))
		p.until("2026-11-23 16:00") // the reminders of the filings have fired
		p.finish(casework.FilePermit)
		p.full = true
		p.must(casework.ClaimTask{By: byStaff, Task: p.task(casework.FilePermit).ID})
	})
	fired := len(first.fired)
	require.Equal(t, []string{"file_permit/green_space_occupation", "prepare_materials", "record_permit_result/road_occupation"}, first.kinds())
	before := first.snapshot

	b := first.continued()
	b.play(func(p *people) {
		require.Equal(t, before.Tasks, p.snapshot.Tasks)
		require.Equal(t, before.Version, p.snapshot.Version, "to go on is no event")
		p.until("2026-11-23 18:00")
		require.Equal(t, []string{"T9 breach 2026-11-23 17:30"}, ladder(p.ledger, fired))
		p.straight()
	})
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// The upgrade lives through the runs of the connection: it is not started a
// second time, and its end reaches the run of the day.
func TestUpgradeOutlivesARun(t *testing.T) {
	t.Parallel()
	first := newBook(t)
	first.play(func(p *people) {
		p.reach(casework.PrepareMaterials, demo.Choices{Upgrade: true})
		p.full = true
		p.finish(casework.PrepareMaterials)
	})
	require.True(t, first.snapshot.Upgrade.Pending())
	b := first.continued()
	// The test environment knows nothing of the first run's child, so the second
	// run starts one; on a server that is refused, which the recorded history of
	// an upgrade shows.
	b.records.cases[upgradeNumber] = newRecords().of(upgradeNumber)
	b.play(func(p *people) {
		require.Empty(t, p.kinds())
		p.env.SignalWorkflow(contract.UpgradeFinished, nil)
		p.wait(time.Second)
		require.Equal(t, []string{"enter_site"}, p.kinds())
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// A run takes a thousand decisions and no more, well below the server's limit
// of two thousand updates.
func TestRunEndsAfterAThousandDecisions(t *testing.T) {
	t.Parallel()
	first := newBook(t)
	first.play(func(p *people) {
		contact := p.task(casework.ContactCustomer).ID
		for range 500 {
			_, err := p.try(casework.ClaimTask{By: byStaff, Task: contact})
			require.NoError(t, err)
			_, err = p.try(casework.ReleaseTask{By: byStaff, Task: contact})
			require.NoError(t, err)
		}
	})
	require.Equal(t, 500, first.count(casework.TaskReleased))
	b := first.continued()
	b.play(func(p *people) { p.straight() })
	require.Equal(t, casework.Closed, b.snapshot.Status)
}
