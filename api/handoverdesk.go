package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// once names a workflow that is started once for its cause, and the line that
// the Temporal UI's list shows of it.
func once(cause, line string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: cause, TaskQueue: contract.TaskQueue, StaticSummary: line,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		TypedSearchAttributes:    temporal.NewSearchAttributes(contract.AttrSummary.ValueSet(line)),
	}
}

// StartAbsence starts the workflow of an absence that is on record.
func (d *TemporalDesk) StartAbsence(ctx context.Context, a casework.Absence) error {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	a.Reason = "" // no workflow needs it
	options := once(a.Cause(), fmt.Sprintf("缺勤 · %s · %s 至 %s", a.Person, casework.Clock(a.From), casework.Clock(a.To)))
	_, err := d.Client.ExecuteWorkflow(ctx, options, contract.AbsenceWorkflow, contract.AbsenceInput{Absence: a})
	if _, started := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); err != nil && !started {
		return asFault(err)
	}
	return d.Store.MarkAbsenceStarted(ctx, a.ID)
}

// LookAgain has the workflow of an absence read its record now. One that has
// ended has nothing to read.
func (d *TemporalDesk) LookAgain(ctx context.Context, a casework.Absence) error {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	err := d.Client.SignalWorkflow(ctx, a.Cause(), "", contract.AbsenceChanged, nil)
	if _, ended := errors.AsType[*serviceerror.NotFound](err); err == nil || ended {
		return nil
	}
	return asFault(err)
}

// StartHandOver starts the workflow of a hand-over that is on record, and waits
// for a while until everything has moved. Where that takes longer it goes on:
// the record says how far it has come.
func (d *TemporalDesk) StartHandOver(ctx context.Context, h casework.StaffHandOver, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	h.Reason = ""
	options := once(h.Cause(), fmt.Sprintf("移交 · %s", h.Person))
	_, err := d.Client.ExecuteWorkflow(ctx, options, contract.HandOverWorkflow, contract.HandOverInput{HandOver: h})
	if _, started := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); err != nil && !started {
		return asFault(err)
	}
	if err := d.Store.MarkHandOverStarted(ctx, h.ID); err != nil || wait == 0 {
		return err
	}
	waiting, enough := context.WithTimeout(ctx, wait)
	defer enough()
	handle, err := d.Client.UpdateWorkflow(waiting, client.UpdateWorkflowOptions{
		UpdateID: contract.HandedOver, WorkflowID: h.Cause(), UpdateName: contract.HandedOver, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(waiting, nil)
	}
	if _, ended := errors.AsType[*serviceerror.NotFound](err); err == nil || ended || waiting.Err() != nil {
		return nil
	}
	return asFault(err)
}

// CatchUpHandOvers starts the absences and hand-overs that were written down
// but not started, because a process ended between the two. It returns how many
// it started.
func (d *TemporalDesk) CatchUpHandOvers(ctx context.Context) (int, error) {
	before := d.Now().Add(-30 * time.Second)
	absences, err := d.Store.UnstartedAbsences(ctx, before, 1000)
	if err != nil {
		return 0, fmt.Errorf("look for unstarted absences: %w", err)
	}
	for i, a := range absences {
		if err := d.StartAbsence(ctx, a); err != nil {
			return i, fmt.Errorf("start absence %s: %w", a.ID, err)
		}
	}
	handOvers, err := d.Store.UnstartedHandOvers(ctx, before, 1000)
	if err != nil {
		return len(absences), fmt.Errorf("look for unstarted hand-overs: %w", err)
	}
	for i, h := range handOvers {
		if err := d.StartHandOver(ctx, h, 0); err != nil {
			return len(absences) + i, fmt.Errorf("start hand-over %s: %w", h.ID, err)
		}
	}
	return len(absences) + len(handOvers), nil
}
