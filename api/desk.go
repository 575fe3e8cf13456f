package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// updateTimeout is how long a person waits for a decision. One that takes
// longer is not lost: the same Idempotency-Key asks for its answer again.
const updateTimeout = 20 * time.Second

// DeskStore is what the desk needs to know of the records.
type DeskStore interface {
	Case(ctx context.Context, number string) (*casework.Case, error)
	Receipt(ctx context.Context, number string) (casework.Receipt, error)
	Unstarted(ctx context.Context, before time.Time, limit int) ([]casework.Receipt, error)
	MarkStarted(ctx context.Context, number string) error
	UnsettledApplications(ctx context.Context, before time.Time, limit int) ([]casework.LeadApplication, error)
	SettleApplication(ctx context.Context, r casework.Request) error
	RefuseApplication(ctx context.Context, app casework.LeadApplication) (casework.Receipt, bool, error)
	UnstartedBilling(ctx context.Context, before time.Time, limit int) ([]casework.BillingRequest, error)
	MarkBillingStarted(ctx context.Context, id string) error
	// Unsettled lists the calendar versions of which not every case is known to
	// have been told.
	Unsettled(ctx context.Context) ([]string, error)
	UnstartedAbsences(ctx context.Context, before time.Time, limit int) ([]casework.Absence, error)
	MarkAbsenceStarted(ctx context.Context, id string) error
	UnstartedHandOvers(ctx context.Context, before time.Time, limit int) ([]casework.StaffHandOver, error)
	MarkHandOverStarted(ctx context.Context, id string) error
}

// TemporalDesk hands actions to the cases' workflows on a Temporal cluster.
type TemporalDesk struct {
	Client client.Client
	Store  DeskStore
	// Terms gives those of the policy in force, for cases of a utility that start now.
	Terms func(ctx context.Context, u casework.Utility) (casework.Terms, error)
	Now   func() time.Time
}

var _ Desk = (*TemporalDesk)(nil)

// Do sends an action as an update whose ID is the key, so that a repeated call
// gets the first one's answer. Its errors are faults: the workflow's refusal,
// NotFound, Conflict where the case has ended, or Unavailable.
func (d *TemporalDesk) Do(ctx context.Context, number string, a casework.Action, key string) (contract.Done, error) {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	options := client.UpdateWorkflowOptions{
		UpdateID: key, WorkflowID: contract.WorkflowID(number), UpdateName: contract.UpdateName(a),
		Args: []any{a}, WaitForStage: client.WorkflowUpdateStageCompleted,
	}
	// Temporal takes plain IDs only, and says of another that the call is wrong.
	if strings.ContainsFunc(number, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return d.withoutWorkflow(ctx, number, a, options)
	}
	handle, err := d.Client.UpdateWorkflow(ctx, options)
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return d.withoutWorkflow(ctx, number, a, options)
	}
	return outcome(ctx, handle, err)
}

// Working tells whether a worker asked for work within the last minutes.
func (d *TemporalDesk) Working(ctx context.Context) (bool, error) {
	queue, err := d.Client.DescribeTaskQueue(ctx, contract.TaskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return false, asFault(err)
	}
	return len(queue.GetPollers()) > 0, nil
}

func outcome(ctx context.Context, handle client.WorkflowUpdateHandle, err error) (contract.Done, error) {
	var done contract.Done
	if err == nil {
		err = handle.Get(ctx, &done)
	}
	if err == nil {
		return done, nil
	}
	return contract.Done{}, asFault(err)
}

// asFault finds the refusal in an error, or tells an overloaded or slow cluster
// from a mistake of ours.
func asFault(err error) error {
	if f, ok := contract.FaultOf(err); ok {
		return f
	}
	var (
		slow        *client.WorkflowUpdateServiceTimeoutOrCanceledError
		busy        *serviceerror.ResourceExhausted
		unavailable *serviceerror.Unavailable
		late        *serviceerror.DeadlineExceeded
		unready     *serviceerror.WorkflowNotReady // a workflow task failed; the next one answers
	)
	if errors.As(err, &slow) || errors.As(err, &busy) || errors.As(err, &unavailable) || errors.As(err, &late) || errors.As(err, &unready) ||
		errors.Is(err, context.DeadlineExceeded) {
		return casework.Refuse(casework.Unavailable, "try_again", casework.Say(
			"系统繁忙，请用同一 Idempotency-Key 重试，操作不会重复",
			"busy; try again with the same Idempotency-Key, nothing is done twice"))
	}
	return fmt.Errorf("update: %w", err)
}

// withoutWorkflow tells why no workflow answers: there is no such case, it is
// about to start, or it has ended. A rating opens an ended case again.
func (d *TemporalDesk) withoutWorkflow(ctx context.Context, number string, a casework.Action, options client.UpdateWorkflowOptions) (contract.Done, error) {
	k, err := d.Store.Case(ctx, number)
	if err != nil {
		if _, received := d.Store.Receipt(ctx, number); received == nil {
			return contract.Done{}, casework.Refuse(casework.Unavailable, "case_opening", casework.Say("案件正在登记，请稍后重试", "the case is being opened; try again shortly"))
		}
		return contract.Done{}, err
	}
	// The action is judged before anything is started: a refused one leaves no run.
	if _, err := k.Try(a, d.Now()); err != nil {
		return contract.Done{}, err
	}
	if !reopens(a) || !k.Status.Ended() {
		return contract.Done{}, casework.Refuse(casework.Unavailable, "try_again", casework.Say("系统繁忙，请稍后重试", "busy; try again shortly"))
	}
	start := d.optionsOf(k.Number, k.Kind, k.Request, k.Lane)
	start.WorkflowIDReusePolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	handle, err := d.Client.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: d.Client.NewWithStartWorkflowOperation(start, contract.WorkflowOf(k.Kind), contract.CaseInput{Number: number, State: k}),
		UpdateOptions:          options,
	})
	return outcome(ctx, handle, err)
}

// reopens tells whether an action is taken by a case that has ended.
func reopens(a casework.Action) bool {
	switch a.(type) {
	case casework.Rate, casework.RecordOrderVisit:
		return true
	}
	return false
}

// Start starts a case's workflow; a case that was started before is left as it
// is. With wait it returns when the case's first records are committed, so that
// a list read next shows it.
func (d *TemporalDesk) Start(ctx context.Context, r casework.Receipt, wait bool) error {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	kind, in, start, err := d.opening(ctx, r)
	if err != nil {
		return err
	}
	start.WorkflowIDReusePolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
	if wait {
		var handle client.WorkflowUpdateHandle
		handle, err = d.Client.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
			StartWorkflowOperation: d.Client.NewWithStartWorkflowOperation(start, contract.WorkflowOf(kind), in),
			UpdateOptions: client.UpdateWorkflowOptions{UpdateID: contract.Opened, WorkflowID: start.ID, UpdateName: contract.Opened,
				WaitForStage: client.WorkflowUpdateStageCompleted},
		})
		_, err = outcome(ctx, handle, err)
	} else {
		_, err = d.Client.ExecuteWorkflow(ctx, start, contract.WorkflowOf(kind), in)
	}
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	if err != nil && !errors.As(err, &started) {
		return asFault(err)
	}
	if err := d.Store.MarkStarted(ctx, r.Number); err != nil {
		return fmt.Errorf("mark %s started: %w", r.Number, err)
	}
	return nil
}

// opening is what a case is started with that was accepted and is not open yet.
func (d *TemporalDesk) opening(ctx context.Context, r casework.Receipt) (casework.CaseKind, contract.CaseInput, client.StartWorkflowOptions, error) {
	terms, err := d.Terms(ctx, r.Request.Utility)
	if err != nil {
		return "", contract.CaseInput{}, client.StartWorkflowOptions{}, fmt.Errorf("the policy in force: %w", err)
	}
	lane := r.Request.Lane
	if lane == "" {
		lane = terms.Lane
	}
	kind, in := casework.ConnectionCase, contract.CaseInput{Number: r.Number, Request: r.Request, Terms: terms, By: r.By, Joint: r.Joint, Carried: r.Carried}
	if r.Service != nil {
		brief := r.Service.Brief()
		kind, in = brief.Service, contract.CaseInput{Number: r.Number, Service: &brief, Terms: terms, By: r.By, Carried: r.Carried}
	}
	return kind, in, d.optionsOf(r.Number, kind, r.Request, lane), nil
}

// CatchUp starts the cases whose request was accepted but whose workflow was
// not, because a process ended between the two. It returns how many it started.
func (d *TemporalDesk) CatchUp(ctx context.Context) (int, error) {
	// Half a minute leaves requests alone that are being started right now.
	const batch = 200
	for started := 0; ; {
		waiting, err := d.Store.Unstarted(ctx, d.Now().Add(-30*time.Second), batch)
		if err != nil {
			return started, fmt.Errorf("look for unstarted cases: %w", err)
		}
		for _, r := range waiting {
			// One after the other, each until it is open: what trails behind a
			// rush of requests must not slow down those that come in now.
			// One that does not open in time is started all the same.
			if d.Start(ctx, r, true) != nil {
				if err := d.Start(ctx, r, false); err != nil {
					return started, fmt.Errorf("start %s: %w", r.Number, err)
				}
			}
			started++
		}
		if len(waiting) < batch {
			return started, nil
		}
	}
}

// options name a case's workflow and say in the Temporal UI's list what it is,
// without personal data.
func (d *TemporalDesk) options(number string, r casework.Request, lane casework.Lane) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: contract.WorkflowID(number), TaskQueue: contract.TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes:    contract.SearchAttributes(r, lane),
		StaticSummary:            fmt.Sprintf("%s报装 · %s · 模式%s · %s", r.Utility.Name(), r.Site.District.Name(), lane, r.Channel.Name()),
	}
}
