package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/curbstop/curbstop/contract"
)

// TransferWorkflow changes the holder of an account (过户, measures part 3, item 3):
// certificates and account checked, arrears settled, the meter read, the contract
// confirmed, billing told.
func TransferWorkflow(ctx workflow.Context, in contract.CaseInput) (contract.Done, error) {
	return carryService(ctx, in)
}
