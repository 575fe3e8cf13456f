package casework

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestWhoFollowsLateIsToldFromTheBeginning(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 11, n, 9, 0, 0, 0, time.UTC) }
	events := []Event{
		{N: 1, Kind: Received, At: day(1)}, {N: 2, Kind: CasePaused, At: day(2)}, {N: 3, Kind: CaseResumed, At: day(3)},
		{N: 4, Kind: CasePaused, At: day(5)}, {N: 5, Kind: CaseResumed, At: day(9)}, {N: 6, Kind: ApplicationAccepted, At: day(10)}, {N: 7, Kind: CaseWithdrawn, At: day(11)},
	}
	told := func(since time.Time) (said []string) {
		for _, r := range (Follower{Since: since}).Told(ReachedMilestones(events)) {
			said = append(said, fmt.Sprintf("%s %d %d", r.Milestone, r.Round, r.At.Day()))
		}
		return said
	}
	whole := []string{"received 1 1", "suspended 1 2", "resumed 1 3", "suspended 2 5", "resumed 2 9", "accepted 1 10", "withdrawn 1 11"}
	require.Equal(t, whole, told(time.Time{}))
	require.Equal(t, whole, told(day(1)), "who brought the case")
	require.Equal(t, []string{"received 1 7", "suspended 2 7", "resumed 2 9", "accepted 1 10", "withdrawn 1 11"}, told(day(7)),
		"nothing happened to a request before it came; what had ended by then never was of it")
	require.Equal(t, []string{"received 1 20", "accepted 1 20", "withdrawn 1 20"}, told(day(20)), "it comes behind the end")
}

// Whenever somebody comes to a case, suspensions are told in pairs, moments do
// not go back, and what is told of a case only ever grows at its end.
func TestWhatALateFollowerIsTold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		start := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
		since := start.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "since")) * time.Hour)
		kinds := rapid.SliceOfN(rapid.SampledFrom([]EventKind{Received, CasePaused, CasePaused, CaseResumed, CaseResumed, ApplicationAccepted, CaseCompleted}), 0, 30).Draw(t, "kinds")
		var events []Event
		var before []Reached
		open := 0
		for i, k := range kinds {
			switch k {
			case CasePaused:
				open++
			case CaseResumed:
				if open == 0 {
					continue
				}
				open--
			default:
			}
			events = append(events, Event{N: int64(len(events) + 1), Kind: k, At: start.Add(time.Duration(i) * time.Hour)})
			told := Follower{Since: since}.Told(ReachedMilestones(events))
			standing, last := false, since
			for _, r := range told {
				require.False(t, r.At.Before(last))
				last = r.At
				switch r.Milestone {
				case MilestoneSuspended:
					require.False(t, standing)
					standing = true
				case MilestoneResumed:
					require.True(t, standing)
					standing = false
				default:
				}
			}
			if e := events[len(events)-1]; e.At.After(since) {
				require.GreaterOrEqual(t, len(told), len(before))
				for i := range before {
					require.Equal(t, before[i], told[i])
				}
			}
			before = told
		}
	})
}

func TestKeysOfReports(t *testing.T) {
	t.Parallel()
	r := ProgressReport{Case: "W20261124-00001", Follower: 1, N: 4}
	require.Equal(t, "W20261124-00001/4", r.Key())
	r.Follower = 2
	require.Equal(t, "W20261124-00001/2/4", r.Key())
}

func TestOfACaseThatGoesOnEachStateIsToldOnce(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	reached := func(all ...Milestone) (r []Reached) {
		for i, m := range all {
			r = append(r, Reached{Milestone: m, Round: 1, At: at.Add(time.Duration(i) * time.Hour), Event: Event{N: int64(i + 1)}})
		}
		return r
	}
	had := func(all ...Milestone) (r []ProgressReport) {
		for _, m := range all {
			r = append(r, ProgressReport{Milestone: m, State: ProgressPending})
		}
		return r
	}
	takenBack := func(s ProgressState, m Milestone) ProgressReport {
		return ProgressReport{Milestone: m, State: s, AbandonedAt: at}
	}
	goesOn := Reached{Milestone: MilestoneResumed, At: at, Event: Event{N: 1}}
	all := reached(MilestoneReceived, MilestoneAccepted, MilestoneSuspended, MilestoneResumed, MilestoneCompleted)
	for name, c := range map[string]struct {
		told   []Reached
		before []ProgressReport
		want   []Reached
	}{
		"from no other":          {all, nil, all},
		"received before":        {all, had(MilestoneReceived, MilestonePassedOn), all[1:]},
		"the clock stood before": {all, had(MilestoneReceived, MilestoneSuspended, MilestoneResumed), all[1:]},
		"the clock stands":       {all, had(MilestoneReceived, MilestoneSuspended, MilestonePassedOn), append([]Reached{goesOn}, all[1:]...)},
		"nothing reached yet":    {nil, had(MilestoneReceived, MilestoneSuspended), nil},
		"taken back in time":     {all, append(had(MilestoneReceived), takenBack(ProgressPending, MilestoneAccepted), takenBack(ProgressUntold, MilestoneSuspended)), all[1:]},
		"taken back too late":    {all, append(had(MilestoneReceived), takenBack(ProgressSent, MilestoneAccepted)), all[2:]},
		"passed on twice":        {reached(MilestoneReceived, MilestonePassedOn), had(MilestoneReceived, MilestonePassedOn), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, GoingOn(c.told, c.before))
		})
	}
}
