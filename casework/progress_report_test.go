package casework

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestMilestonesThatACaseReached(t *testing.T) {
	t.Parallel()
	events := func(kinds ...EventKind) (all []Event) {
		for i, k := range kinds {
			all = append(all, Event{N: int64(i + 1), Kind: k})
		}
		return all
	}
	told := func(all []Event) (said []string) {
		for _, r := range ReachedMilestones(all) {
			said = append(said, fmt.Sprintf("%d %s %d", r.Event.N, r.Milestone, r.Round))
		}
		return said
	}
	require.Equal(t, []string{"1 received 1", "3 accepted 1", "4 in_work 1", "6 completed 1"},
		told(events(Received, TaskOpened, ApplicationAccepted, TaskOrderIssued, TaskOrderIssued, CaseCompleted, CaseCompleted)))
	// Two pauses overlap, the third stands alone and ends with the case.
	require.Equal(t, []string{"1 suspended 1", "4 resumed 1", "5 suspended 2", "6 withdrawn 1"},
		told(events(CasePaused, CasePaused, CaseResumed, CaseResumed, CasePaused, CaseWithdrawn)))
	rapid.Check(t, func(t *rapid.T) {
		// However pauses follow each other, platforms hear of pairs.
		var kinds []EventKind
		open := 0
		for range rapid.IntRange(0, 30).Draw(t, "events") {
			if open > 0 && rapid.Bool().Draw(t, "resumes") {
				kinds, open = append(kinds, CaseResumed), open-1
			} else {
				kinds, open = append(kinds, CasePaused), open+1
			}
		}
		want := MilestoneSuspended
		for _, r := range ReachedMilestones(events(kinds...)) {
			require.Equal(t, want, r.Milestone)
			want = map[Milestone]Milestone{MilestoneSuspended: MilestoneResumed, MilestoneResumed: MilestoneSuspended}[want]
		}
		require.Equal(t, open > 0, want == MilestoneResumed)
	})
}
