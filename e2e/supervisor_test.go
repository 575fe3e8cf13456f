package e2e_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/curbstop/curbstop/contract"
)

// The Temporal UI has no key: what supervisors read in it must come in the
// clear, and must say who has to do what by when.
func TestSupervisorReadsDetailsWithoutAKey(t *testing.T) {
	t.Parallel()
	o := openCase(t, "details-1")
	plain, err := client.DialContext(t.Context(), client.Options{
		HostPort: place.stack.TemporalAddress, Namespace: contract.Namespace, DataConverter: converter.GetDefaultDataConverter()})
	require.NoError(t, err)
	defer plain.Close()
	answer, err := plain.QueryWorkflow(t.Context(), contract.WorkflowID(o.Number), "", "__temporal_workflow_metadata")
	require.NoError(t, err)
	var metadata sdkpb.WorkflowMetadata
	require.NoError(t, answer.Get(&metadata))
	require.Contains(t, metadata.GetCurrentDetails(), o.Number)
	require.Contains(t, metadata.GetCurrentDetails(), "| 联系客户 | 营商专班 | ")
	require.NotContains(t, metadata.GetCurrentDetails(), "秦刚丽")

	described, err := plain.DescribeWorkflow(t.Context(), contract.WorkflowID(o.Number), "")
	require.NoError(t, err)
	summary, err := described.GetStaticSummary()
	require.NoError(t, err)
	require.Equal(t, "用水报装 · 南陵县 · 模式101 · 线下大厅与各级窗口", summary)
}
