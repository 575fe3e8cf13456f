//go:build record

package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/devstack"
	"github.com/curbstop/curbstop/policy"
)

// TestRecordDuty records the duty of a missing notice: a notice of another year
// comes in, nobody acts until every rung has fired, and then the year's own.
func TestRecordDuty(t *testing.T) { //nolint:paralleltest // it brings a server of its own
	stack, err := devstack.Start(t.Context(), devstack.Options{Ephemeral: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stack.Close(context.WithoutCancel(t.Context()))) })
	c, r := recorder(t, stack.TemporalAddress)
	const year = 2040
	l := &live{t: t, c: c, r: r, number: casework.NoticeDutyNumber(year)}
	terms := policy.Demo().Terms()
	terms.Limits["import_notice"] = calendar.Budget{Unit: calendar.WorkingTime, Time: 5 * time.Second}
	in := contract.CaseInput{Number: l.number, State: casework.NewNoticeDuty(year, terms, time.Now().In(calendar.Shanghai))}
	options := client.StartWorkflowOptions{ID: contract.WorkflowID(l.number), TaskQueue: contract.TaskQueue, StaticSummary: "例行事务"}
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		_, err := c.ExecuteWorkflow(l.t.Context(), options, contract.NoticeDutyWorkflow, in)
		require.NoError(t, err)
	}, time.Minute, time.Second)
	require.Eventually(t, func() bool { return l.snapshot() != nil }, time.Minute, 50*time.Millisecond)
	tell := func(signal string) {
		require.NoError(t, c.SignalWorkflow(t.Context(), contract.WorkflowID(l.number), "", signal, nil))
	}
	tell(contract.NoticeImported)
	tell(contract.CalendarChanged)
	require.Eventually(t, func() bool { return l.snapshot().Level == 3 }, 2*time.Minute, 100*time.Millisecond)
	l.must(casework.ClaimTask{By: byStaff, Task: l.number + "-T1"})
	n, err := calendar.Seed().Amend("v2", []calendar.Day{{Date: calendar.Date{Year: year, Month: 1, Day: 2}, Kind: calendar.Holiday}})
	require.NoError(t, err)
	r.setNotices(n)
	tell(contract.NoticeImported)
	l.save("notice-duty", l.number)
	require.Empty(t, r.faultsOf())
}

func (r *records) setNotices(n calendar.Notices) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notices = n
}
