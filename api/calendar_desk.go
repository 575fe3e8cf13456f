package api

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/curbstop/curbstop/contract"
)

// TellOfCalendar starts the workflow that tells the cases of a version; one that
// runs or has run is left as it is.
func (d *TemporalDesk) TellOfCalendar(ctx context.Context, version string) error {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	_, err := d.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: contract.CalendarImportID(version), TaskQueue: contract.TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		// One that failed or was ended by hand is started again by the sweep.
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		StaticSummary:         "日历 " + version + " · 通知相关案件",
	}, contract.CalendarImportWorkflow, contract.CalendarImport{Version: version})
	if err != nil {
		return asFault(err)
	}
	return nil
}

// CatchUpCalendar goes on with imports of which a process that ended had told
// nobody. It returns how many there are.
func (d *TemporalDesk) CatchUpCalendar(ctx context.Context) (int, error) {
	waiting, err := d.Store.Unsettled(ctx)
	if err != nil {
		return 0, fmt.Errorf("look for calendars that nobody was told of: %w", err)
	}
	for i, version := range waiting {
		if err := d.TellOfCalendar(ctx, version); err != nil {
			return i, fmt.Errorf("tell of calendar %s: %w", version, err)
		}
	}
	return len(waiting), nil
}
