package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// BillingRequestWorkflow carries a payment or an invoice request to billing, for
// as long as it takes: nothing is lost while billing is down. It answers with the
// state in which it left the record.
func BillingRequestWorkflow(ctx workflow.Context, in contract.BillingRequestInput) (casework.BillingState, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 30 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 10 * time.Minute},
		Summary:             "计费系统：" + string(in.Kind),
	})
	var billing *activities.Billing
	var state casework.BillingState
	err := workflow.ExecuteActivity(ctx, billing.SendBillingRequest, in.ID).Get(ctx, &state)
	return state, err
}
