package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/curbstop/curbstop/contract"
)

// OrderWorkflow carries an order of 12345 (measures part 3, item 4): accepted,
// handled by a department, answered, and again where the caller is not satisfied.
func OrderWorkflow(ctx workflow.Context, in contract.CaseInput) (contract.Done, error) {
	return carryService(ctx, in)
}
