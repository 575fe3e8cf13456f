package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// A decision that comes with the start of a case is delivered before the case's
// own first step. It waits for that, and nothing of the history is lost.
func TestDecisionThatComesWithTheStart(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := casework.Request{
		Utility: casework.Water, Channel: casework.WeChat, ExternalNumber: "early-1",
		Applicant: casework.Applicant{Name: "王小明", Person: true}, Contact: casework.Contact{Name: "王小明", Phone: "13800138000"},
		Site: casework.Site{District: "340202", Address: "芜湖市镜湖区北京西路1号"},
	}
	receipt, _, err := place.Store.Accept(ctx, r, casework.System(), time.Now())
	require.NoError(t, err)
	terms, err := place.Policies.Terms(ctx)
	require.NoError(t, err)
	id := contract.WorkflowID(receipt.Number)
	start := place.Temporal.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
		ID: id, TaskQueue: contract.TaskQueue, WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
	}, contract.ConnectionWorkflow, contract.CaseInput{Number: receipt.Number, Request: r, Terms: terms, By: casework.System()})
	update, err := place.Temporal.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: start,
		UpdateOptions: client.UpdateWorkflowOptions{
			WorkflowID: id, UpdateName: contract.Withdraw, WaitForStage: client.WorkflowUpdateStageCompleted,
			Args: []any{casework.Withdraw{By: casework.By{Actor: casework.AsCustomer()}, Reason: "不需要了"}},
		},
	})
	require.NoError(t, err)
	require.NoError(t, update.Get(ctx, nil))
	events, _, err := place.Store.Timeline(ctx, receipt.Number, casework.Page{})
	require.NoError(t, err)
	require.Equal(t, casework.Received, events[0].Kind)
	require.Equal(t, int64(1), events[0].N)
	k, err := place.Store.Case(ctx, receipt.Number)
	require.NoError(t, err)
	require.Equal(t, casework.Withdrawn, k.Status)
}
