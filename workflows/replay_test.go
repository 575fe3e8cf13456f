package workflows_test

import (
	"log/slog"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	temporalworker "go.temporal.io/sdk/worker"

	"github.com/curbstop/curbstop/worker"
)

// TestReplay plays every recorded history against the workflow code of today.
// A change that a running case could not survive fails here: put it behind
// workflow.GetVersion. Histories are added by TestRecord and never taken away
// while a case of their kind may be running.
func TestReplay(t *testing.T) {
	t.Parallel()
	const recorded = "testdata/histories"
	first, err := filepath.Glob(recorded + "/*.json")
	require.NoError(t, err)
	later, err := filepath.Glob(recorded + "/*/*.json")
	require.NoError(t, err)
	files := slices.Concat(first, later)
	require.NotEmpty(t, files, "no history to replay")
	for _, file := range files {
		name, err := filepath.Rel(recorded, file)
		require.NoError(t, err)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			replayer, err := temporalworker.NewWorkflowReplayerWithOptions(temporalworker.WorkflowReplayerOptions{DisableDeadlockDetection: true})
			require.NoError(t, err)
			worker.Register(replaying{replayer}, effects(newRecords(), kept))
			require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), file))
		})
	}
}

// replaying registers workflows only: a replay runs no activity.
type replaying struct {
	temporalworker.WorkflowReplayer
}

func (replaying) RegisterActivityWithOptions(any, activity.RegisterOptions) {}
