// Package worker registers the workflows and activities of curbstop with a
// Temporal worker.
package worker

import (
	"cmp"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/workflows"
)

// Activities are the effects that the workflows call.
type Activities struct {
	Records   *activities.Records
	Deadlines *activities.Deadlines
	Documents *activities.Documents
	Calendar  *activities.Calendar
	HandOvers *activities.HandOvers
	Passes    *activities.Passes

	Billing      *activities.Billing
	Certificates *activities.Certificates
	Attachments  *activities.Attachments
}

// Options tune a worker.
type Options struct {
	BuildID string // of this binary, shown beside each workflow; empty for a development build
	// Deployment versioning lets the server route running cases to the newest
	// workers; it needs a cluster that knows this worker's deployment.
	Versioned bool
	// CasesInMemory is how many workflows all workers of this process together
	// keep in memory, ready to go on; 0 means [DefaultCasesInMemory]. One beyond
	// them that is woken pushes another out, and is played again from its whole
	// history.
	CasesInMemory int
}

// DefaultCasesInMemory holds every open case of a large city, so that a limit
// that many of them share finds them all ready. A case takes about 100 kB, only
// while it is open.
const DefaultCasesInMemory = 25_000

// New makes a worker that is ready to start. Stopping it waits for the local
// activities and activities under way for up to ten seconds; what does not end
// by then another worker takes up.
func New(c client.Client, a Activities, o Options) worker.Worker {
	worker.SetStickyWorkflowCacheSize(cmp.Or(o.CasesInMemory, DefaultCasesInMemory))
	options := Tuning()
	if o.Versioned {
		options.DeploymentOptions = worker.DeploymentOptions{
			UseVersioning:             true,
			Version:                   worker.WorkerDeploymentVersion{DeploymentName: "curbstop", BuildID: o.BuildID},
			DefaultVersioningBehavior: workflow.VersioningBehaviorAutoUpgrade,
		}
	}
	w := worker.New(c, contract.TaskQueue, options)
	Register(w, a)
	return w
}

// stickyPatience is how long a case waits for the worker that still holds it in
// memory before any worker may take it up from its whole history. When many
// cases wake at one moment they wait for their turn, and the SDK's 5 seconds
// would have most of them replayed. The server notices within ten seconds that
// a worker was killed and then asks others at once; only what it had put aside
// for the dead one in those seconds waits for as long as this.
const stickyPatience = time.Minute

// pollers ask the server for work. The SDK's 2 starve under many callers at
// once, and a fall to 1 in quiet hours takes half a minute to make good. More
// do harm: the server gives itself a second to hand a task to a poller that
// waits, and with a hundred on a small machine it takes longer. The task is
// lost then until it times out, and the case decides twice.
func pollers() worker.PollerBehavior {
	return worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{
		InitialNumberOfPollers: 8, MinimumNumberOfPollers: 8, MaximumNumberOfPollers: 16,
	})
}

// Tuning is how curbstop's workers poll, stop and register; a benchmark gives a
// worker of its own the same.
func Tuning() worker.Options {
	return worker.Options{
		WorkerStopTimeout:            10 * time.Second,
		StickyScheduleToStartTimeout: stickyPatience,
		WorkflowTaskPollerBehavior:   pollers(),
		ActivityTaskPollerBehavior:   pollers(),
		// A herd that is let in all at once shares the machine until each of its
		// tasks outlasts the server's ten seconds and is decided again.
		MaxConcurrentWorkflowTaskExecutionSize: 100,
		DisableRegistrationAliasing:            true,
	}
}

// Registry is what workflows and activities are registered with: a worker, or
// a test environment.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

// Register names everything explicitly: a renamed function changes no history.
func Register(r Registry, a Activities) {
	r.RegisterWorkflowWithOptions(workflows.ConnectionWorkflow, workflow.RegisterOptions{Name: contract.ConnectionWorkflow})
	r.RegisterWorkflowWithOptions(workflows.NetworkUpgradeWorkflow, workflow.RegisterOptions{Name: contract.NetworkUpgradeWorkflow})
	r.RegisterWorkflowWithOptions(workflows.CalendarImportWorkflow, workflow.RegisterOptions{Name: contract.CalendarImportWorkflow})
	r.RegisterWorkflowWithOptions(workflows.CalendarWatchWorkflow, workflow.RegisterOptions{Name: contract.CalendarWatchWorkflow})
	r.RegisterWorkflowWithOptions(workflows.NoticeDutyWorkflow, workflow.RegisterOptions{Name: contract.NoticeDutyWorkflow})
	r.RegisterWorkflowWithOptions(workflows.AbsenceWorkflow, workflow.RegisterOptions{Name: contract.AbsenceWorkflow})
	r.RegisterWorkflowWithOptions(workflows.HandOverWorkflow, workflow.RegisterOptions{Name: contract.HandOverWorkflow})
	registerServices(r, a)
	r.RegisterActivityWithOptions(a.Records.SaveRecords, activity.RegisterOptions{Name: "SaveRecords"})
	r.RegisterActivityWithOptions(a.Deadlines.WorkOut, activity.RegisterOptions{Name: "WorkOut"})
	r.RegisterActivityWithOptions(a.Deadlines.WorkOutDeadlines, activity.RegisterOptions{Name: "WorkOutDeadlines"})
	r.RegisterActivityWithOptions(a.Documents.DraftDocuments, activity.RegisterOptions{Name: "DraftDocuments"})
	r.RegisterActivityWithOptions(a.Calendar.TellCases, activity.RegisterOptions{Name: "TellCases"})
	r.RegisterActivityWithOptions(a.Calendar.SettleImport, activity.RegisterOptions{Name: "SettleImport"})
	r.RegisterActivityWithOptions(a.Calendar.LookForNotice, activity.RegisterOptions{Name: "LookForNotice"})
	r.RegisterActivityWithOptions(a.Passes.PassOn, activity.RegisterOptions{Name: "PassOn"})
	r.RegisterActivityWithOptions(a.HandOvers.HandOverAbsent, activity.RegisterOptions{Name: "HandOverAbsent"})
	r.RegisterActivityWithOptions(a.HandOvers.HandOverStaff, activity.RegisterOptions{Name: "HandOverStaff"})
}

// registerServices names what carries transfers, closings, orders of 12345 and
// requests to billing.
func registerServices(r Registry, a Activities) {
	r.RegisterWorkflowWithOptions(workflows.TransferWorkflow, workflow.RegisterOptions{Name: contract.TransferWorkflow})
	r.RegisterWorkflowWithOptions(workflows.ClosingWorkflow, workflow.RegisterOptions{Name: contract.ClosingWorkflow})
	r.RegisterWorkflowWithOptions(workflows.OrderWorkflow, workflow.RegisterOptions{Name: contract.OrderWorkflow})
	r.RegisterWorkflowWithOptions(workflows.BillingRequestWorkflow, workflow.RegisterOptions{Name: contract.BillingRequestWorkflow})
	r.RegisterActivityWithOptions(a.Billing.AskBilling, activity.RegisterOptions{Name: "AskBilling"})
	r.RegisterActivityWithOptions(a.Billing.SendBillingRequest, activity.RegisterOptions{Name: "SendBillingRequest"})
	r.RegisterActivityWithOptions(a.Certificates.FileCertificates, activity.RegisterOptions{Name: "FileCertificates"})
	r.RegisterActivityWithOptions(a.Attachments.FileAttachments, activity.RegisterOptions{Name: "FileAttachments"})
}
