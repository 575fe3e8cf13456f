package workflows

import (
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// How often the cases are looked at again after they were told, and how long
// after: first a minute, then twice as long each time, an hour in all.
const (
	lookAgainAfter = time.Minute
	lookAgainTimes = 6
)

// CalendarImportWorkflow tells the cases that a new version of the calendar
// touches. The version is in force before it starts, so a case that opens now
// counts by it. One that read the older version a moment before and recorded
// what it worked out a moment after is found by looking again.
func CalendarImportWorkflow(ctx workflow.Context, in contract.CalendarImport) error {
	var c *activities.Calendar
	for again := 0; ; again++ {
		var told int
		if err := workflow.ExecuteActivity(walking(ctx), c.TellCases, in).Get(ctx, &told); err != nil {
			return err
		}
		workflow.SetCurrentDetails(ctx, fmt.Sprintf("### 日历 %s\n\n第 %d 次核对，通知 %d 个案件重新计算时限\n", in.Version, again+1, told))
		if again > 0 && told == 0 || again == lookAgainTimes {
			return workflow.ExecuteActivity(remote(ctx, "办结"), c.SettleImport, activities.SettleInput{Version: in.Version, Left: told}).Get(ctx, nil)
		}
		wait := workflow.TimerOptions{Summary: "等待各案件重新计算"}
		if err := workflow.NewTimerWithOptions(ctx, lookAgainAfter<<again, wait).Get(ctx, nil); err != nil {
			return err
		}
	}
}

// walking options are for an activity that goes through all open cases and says
// how far it has come.
func walking(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 2 * time.Hour,
		HeartbeatTimeout:    time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
		Summary:             "通知相关案件",
	})
}

// CalendarWatchWorkflow is started by a schedule each day from 15 November to
// the end of the year. If the next year's notice is missing it opens the duty of
// importing it, once a year.
func CalendarWatchWorkflow(ctx workflow.Context) error {
	year := casework.LatestNotice(calendar.DateOf(workflow.Now(ctx)))
	var c *activities.Calendar
	var notice activities.YearNotice
	if err := workflow.ExecuteActivity(remote(ctx, "查看日历"), c.LookForNotice, year).Get(ctx, &notice); err != nil || notice.Imported {
		return err
	}
	number := casework.NoticeDutyNumber(year)
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            contract.WorkflowID(number),
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_ABANDON,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		StaticSummary:         fmt.Sprintf("例行事务 · 导入 %d 年放假通知", year),
		TypedSearchAttributes: temporal.NewSearchAttributes(contract.AttrDistrict.ValueSet(string(casework.AllDistricts))),
	})
	duty := workflow.ExecuteChildWorkflow(ctx, contract.NoticeDutyWorkflow,
		contract.CaseInput{Number: number, State: casework.NewNoticeDuty(year, notice.Terms, workflow.Now(ctx))})
	err := duty.GetChildWorkflowExecution().Get(ctx, nil)
	if temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return nil // yesterday's watch opened it
	}
	return err
}
