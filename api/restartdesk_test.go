package api

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// cluster is a Temporal cluster that knows of workflows only whether they run.
type cluster struct {
	client.Client
	status map[string]enumspb.WorkflowExecutionStatus
	began  []contract.CaseInput
	told   []string
}

func (c *cluster) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	status, ok := c.status[id]
	if !ok {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{Status: status}}, nil
}

func (c *cluster) SignalWithStartWorkflow(_ context.Context, _, signal string, _ any, o client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	c.told = append(c.told, o.ID+" "+signal)
	in, _ := args[0].(contract.CaseInput)
	c.began = append(c.began, in)
	c.status[o.ID] = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	return nil, nil
}

func (c *cluster) SignalWorkflow(_ context.Context, id, _, signal string, _ any) error {
	c.told = append(c.told, id+" "+signal)
	return nil
}

func (c *cluster) UpdateWorkflow(_ context.Context, o client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	if strings.ContainsFunc(o.WorkflowID, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, errors.New("header key \"temporal-resource-id\" contains value with non-printable ASCII characters")
	}
	return answered{}, nil
}

type answered struct{ client.WorkflowUpdateHandle }

func (answered) Get(context.Context, any) error { return nil }

// Temporal takes plain IDs only; another one is no case's.
func TestANumberThatIsNoPlainTextIsNoCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	desk := &TemporalDesk{Client: &cluster{}, Store: records{memory: w.memory}, Now: func() time.Time { return noon }}
	_, err := desk.Do(t.Context(), "W…", casework.Withdraw{}, "k")
	require.Equal(t, casework.NotFound, casework.AsFault(err).Kind, "%v", err)
}

// An open case without a workflow starts again from its record, once; one that
// runs, or has ended, does not.
func TestACaseWithoutAWorkflowStartsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := &cluster{status: map[string]enumspb.WorkflowExecutionStatus{
		contract.WorkflowID("W1"): enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, contract.WorkflowID("W3"): enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
	}}
	d := &TemporalDesk{Client: c, Store: records{memory: w.memory}, Now: func() time.Time { return noon }, Terms: func(context.Context, casework.Utility) (casework.Terms, error) {
		return testTerms, nil
	}}
	for _, number := range []string{"W1", "W2", "W3"} {
		w.open(t, number)
	}
	over := w.open(t, "W4")
	over.Status = casework.Closed

	require.NoError(t, d.Restart(t.Context(), "W1", true))
	require.Empty(t, c.began, "a dry run starts nothing")
	for _, number := range []string{"W1", "W2"} { // terminated; forgotten
		require.NoError(t, d.Restart(t.Context(), number, false))
		got := c.began[len(c.began)-1]
		require.Equal(t, number, got.Number)
		require.Equal(t, w.cases[number].Version, got.State.Version)
		require.Len(t, got.State.Tasks, 2)
	}
	for number, code := range map[string]string{"W1": "case_running", "W3": "case_running", "W4": "case_ended", "W9": "receipt_not_found"} {
		for _, dry := range []bool{true, false} {
			require.Equal(t, code, casework.AsFault(d.Restart(t.Context(), number, dry)).Code, number)
		}
	}
	require.Len(t, c.began, 2)

	// The upgrade that it waited for ended while nobody listened.
	waiting := w.open(t, "W5")
	waiting.Upgrade = &casework.UpgradeFact{Case: "W4"}
	c.told = nil
	require.NoError(t, d.Restart(t.Context(), "W5", false))
	id := contract.WorkflowID("W5")
	require.Equal(t, []string{id + " " + contract.CalendarChanged, id + " " + contract.UpgradeFinished}, c.told)

	// One that was accepted and never recorded starts from its receipt.
	w.mu.Lock()
	w.receipts["x"] = casework.Receipt{Number: "W8", Request: goodRequest(), Started: true}
	w.mu.Unlock()
	require.NoError(t, d.Restart(t.Context(), "W8", false))
	require.Equal(t, goodRequest(), c.began[3].Request)
	require.Nil(t, c.began[3].State)
}

// records are the memory's, with receipts by number.
type records struct {
	DeskStore
	memory *memory
}

func (r records) Case(ctx context.Context, number string) (*casework.Case, error) {
	return r.memory.Case(ctx, number)
}

func (r records) Receipt(_ context.Context, number string) (casework.Receipt, error) {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	for _, one := range r.memory.receipts {
		if one.Number == number {
			return one, nil
		}
	}
	return casework.Receipt{}, missing("receipt")
}
