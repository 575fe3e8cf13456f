package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/curbstop/curbstop/contract"
)

// ClosingWorkflow closes an account (销户): checked, read, the meter taken off, the
// last bill settled, closed in billing.
func ClosingWorkflow(ctx workflow.Context, in contract.CaseInput) (contract.Done, error) {
	return carryService(ctx, in)
}
