package worker_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/workflow"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/worker"
)

// registry notes the names under which everything is registered.
type registry struct{ workflows, activities []string }

func (r *registry) RegisterWorkflowWithOptions(_ any, o workflow.RegisterOptions) {
	r.workflows = append(r.workflows, o.Name)
}

func (r *registry) RegisterActivityWithOptions(_ any, o activity.RegisterOptions) {
	r.activities = append(r.activities, o.Name)
}

// The names stand in the histories of running cases. One that changes here
// strands them, so a renamed function keeps its name.
func TestNamesAreThoseOfTheHistories(t *testing.T) {
	t.Parallel()
	r := &registry{}
	worker.Register(r, worker.Activities{Records: &activities.Records{}, Deadlines: &activities.Deadlines{}, Documents: &activities.Documents{}, Calendar: &activities.Calendar{}, HandOvers: &activities.HandOvers{}, Passes: &activities.Passes{}, Billing: &activities.Billing{}, Certificates: &activities.Certificates{}, Attachments: &activities.Attachments{}})
	require.Equal(t, &registry{
		workflows:  []string{"ConnectionWorkflow", "NetworkUpgradeWorkflow", "CalendarImportWorkflow", "CalendarWatchWorkflow", "NoticeDutyWorkflow", "AbsenceWorkflow", "HandOverWorkflow", "TransferWorkflow", "ClosingWorkflow", "OrderWorkflow", "BillingRequestWorkflow"},
		activities: []string{"AskBilling", "SendBillingRequest", "FileCertificates", "FileAttachments", "SaveRecords", "WorkOut", "WorkOutDeadlines", "DraftDocuments", "TellCases", "SettleImport", "LookForNotice", "PassOn", "HandOverAbsent", "HandOverStaff"},
	}, r)
}
