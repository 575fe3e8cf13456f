package api

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// Restart starts the workflow of an open case that has none, because it was
// ended by hand or Temporal was restored from an older backup, with the state
// that is on record, and waits until it works. A case that was accepted and
// never recorded starts from its receipt. One that has ended needs no workflow,
// and one whose workflow runs is refused: two would decide against each other.
// With dry it only says whether it would.
func (d *TemporalDesk) Restart(ctx context.Context, number string, dry bool) error {
	k, err := d.Store.Case(ctx, number)
	if err != nil && casework.AsFault(err).Kind != casework.NotFound {
		return err
	}
	var receipt casework.Receipt
	if err != nil {
		k = nil
		if receipt, err = d.Store.Receipt(ctx, number); err != nil {
			return err
		}
	} else if k.Status.Ended() {
		return casework.Refuse(casework.Conflict, "case_ended", casework.Sayf("案件%[1]s，无须重启；评价会自动重新打开", "the case is %[2]s and needs no workflow; a rating opens it again by itself", k.Status.Name(), k.Status))
	}
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	run, err := d.Client.DescribeWorkflowExecution(ctx, contract.WorkflowID(number), "")
	switch _, missing := errors.AsType[*serviceerror.NotFound](err); {
	case missing:
	case err != nil:
		return asFault(err)
	case run.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return stillRunning()
	}
	if dry {
		return nil
	}
	var kind casework.CaseKind
	var in contract.CaseInput
	var start client.StartWorkflowOptions
	if k != nil {
		kind, in, start = k.Kind, contract.CaseInput{Number: number, State: k}, d.optionsOf(number, k.Kind, k.Request, k.Lane)
	} else if kind, in, start, err = d.opening(ctx, receipt); err != nil {
		return err
	}
	start.WorkflowIDReusePolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	// The first thing that it hears is that the calendar may have changed, so that
	// what time missed falls due by the notices of the day.
	if _, err := d.Client.SignalWithStartWorkflow(ctx, start.ID, contract.CalendarChanged, nil, start, contract.WorkflowOf(kind), in); err != nil {
		return asFault(err)
	}
	handle, err := d.Client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		UpdateID: contract.Opened, WorkflowID: start.ID, UpdateName: contract.Opened, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if _, err := outcome(ctx, handle, err); err != nil {
		return fmt.Errorf("it was started and does not work yet: %w", err)
	}
	return d.tellOfUpgrade(ctx, k)
}

// tellOfUpgrade tells a case that started again of the network upgrade that
// ended meanwhile: nobody was there to hear it.
func (d *TemporalDesk) tellOfUpgrade(ctx context.Context, k *casework.Case) error {
	if k == nil || k.Upgrade == nil || !k.Upgrade.Pending() {
		return nil
	}
	upgrade, err := d.Store.Case(ctx, k.Upgrade.Case)
	if err != nil && casework.AsFault(err).Kind == casework.NotFound {
		return nil // the case starts it now
	}
	if err != nil || !upgrade.Status.Ended() {
		return err
	}
	if err := d.Client.SignalWorkflow(ctx, contract.WorkflowID(k.Number), "", contract.UpgradeFinished, nil); err != nil {
		return asFault(err)
	}
	return nil
}

func stillRunning() error {
	return casework.Refuse(casework.Conflict, "case_running", casework.Say("案件的工作流正在运行，不能重启", "the workflow of the case is running; it is not started again"))
}
