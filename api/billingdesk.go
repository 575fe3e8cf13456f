package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// optionsOf is options for a case of any kind.
func (d *TemporalDesk) optionsOf(number string, kind casework.CaseKind, r casework.Request, lane casework.Lane) client.StartWorkflowOptions {
	o := d.options(number, r, lane)
	if kind != casework.ConnectionCase {
		o.TypedSearchAttributes = contract.ServiceAttributes(r)
		o.StaticSummary = fmt.Sprintf("%s%s · %s · %s", r.Utility.Name(), kind.Name(), r.Site.District.Name(), r.Channel.Name())
	}
	return o
}

// StartBilling starts the workflow of a payment or invoice request that is on
// record, and waits for a while until billing has answered. Where that takes
// longer it goes on: the record says what became of it.
func (d *TemporalDesk) StartBilling(ctx context.Context, r casework.BillingRequest, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	// Neither account nor amount: the line is readable in the Temporal UI.
	options := once(contract.BillingRequestID(r.ID), "计费系统 · "+map[casework.BillingRequestKind]string{casework.PaymentRequest: "缴费", casework.InvoiceRequest: "开票"}[r.Kind])
	run, err := d.Client.ExecuteWorkflow(ctx, options, contract.BillingRequestWorkflow, contract.BillingRequestInput{ID: r.ID, Kind: r.Kind})
	_, started := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err)
	if err != nil && !started {
		return asFault(err)
	}
	if err := d.Store.MarkBillingStarted(ctx, r.ID); err != nil || wait == 0 || started {
		return err
	}
	waiting, enough := context.WithTimeout(ctx, wait)
	defer enough()
	if err := run.Get(waiting, nil); err != nil && waiting.Err() == nil {
		return asFault(err)
	}
	return nil
}

// CatchUpBilling starts the payment and invoice requests that were written down
// but not started, because a process ended between the two. It returns how many
// it started.
func (d *TemporalDesk) CatchUpBilling(ctx context.Context) (int, error) {
	waiting, err := d.Store.UnstartedBilling(ctx, d.Now().Add(-30*time.Second), 1000)
	if err != nil {
		return 0, fmt.Errorf("look for unstarted billing requests: %w", err)
	}
	for i, r := range waiting {
		if err := d.StartBilling(ctx, r, 0); err != nil {
			return i, fmt.Errorf("start billing request %s: %w", r.ID, err)
		}
	}
	return len(waiting), nil
}
