package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/store"
	"github.com/curbstop/curbstop/testkit"
)

// underWay is a case whose lane's clock runs out a day before its assessment is
// due, with a task that supply-on does not wait for.
func underWay() *story {
	y := contactAndAssessment("W20260302-00001", request(), at(2, 9, 0))
	y.Terms.Limits["hand_over_permit"] = calendar.Budget{Unit: calendar.WorkingDays, Days: 2}
	y.Need(casework.HandOverPermit, "road_occupation", 1, at(2, 9, 0), at(2, 9, 0))
	y.Deadlines = append(y.Deadlines, casework.Deadline{
		ID: casework.LaneDeadline, Limit: "lane_101", Anchor: at(2, 9, 0), Budget: calendar.Budget{Unit: calendar.WorkingDays, Days: 1}, Stale: true,
	})
	return y
}

// urgencies says of each open task, in the order of the list, when it is due by
// itself, and by what it is how urgent. The list is walked page by page.
func urgencies(t *testing.T, s *store.Store) (all []string) {
	t.Helper()
	page := casework.Page{Limit: 1}
	for {
		lines, next, err := s.Tasks(t.Context(), casework.TaskFilter{State: casework.TaskOpen, Page: page})
		require.NoError(t, err)
		for _, l := range lines {
			say := l.ID[len(l.ID)-4:] + " " + string(l.Kind) + " " + casework.Clock(l.DueAt) + " " + casework.Clock(l.UrgentAt) + " " + string(l.UrgentBy)
			all = append(all, say)
		}
		if next == "" {
			return all
		}
		page.Cursor = next
	}
}

// Lists put first what is most urgent by its own limit or by the lane's, and
// show both. What supply-on does not wait for is as urgent as itself, and a
// clock that stands presses on nobody.
func TestListsPutTheMostUrgentFirst(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	s := openAt(t, url, key)
	r := request()
	r.ExternalNumber = "WST-2"
	other := contactAndAssessment("W20260302-00002", r, at(2, 8, 45))
	other.save(t, s)
	y := underWay()
	y.save(t, s)
	want := []string{
		"2-T1 contact_customer 2026-03-03 17:30 2026-03-03 17:30 contact_customer",
		"1-T1 contact_customer 2026-03-03 17:30 2026-03-03 17:30 contact_customer",
		"1-T2 assess_network 2026-03-04 17:30 2026-03-03 17:30 lane_101",
		"2-T2 assess_network 2026-03-04 17:30 2026-03-04 17:30 assess_network",
		"1-T3 hand_over_permit 2026-03-04 17:30 2026-03-04 17:30 hand_over_permit",
	}
	require.Equal(t, want, urgencies(t, s))

	y.act(t, casework.PauseCase{By: casework.By{Actor: clerk}, Reason: casework.CustomerNotReady, Evidence: "电话记录", PlannedEnd: at(6, 9, 0)}, at(2, 10, 0))
	y.save(t, s)
	require.Equal(t, []string{
		want[0], want[3],
		"1-T1 contact_customer — — ", "1-T2 assess_network — — ", "1-T3 hand_over_permit — — ",
	}, urgencies(t, s))
	y.act(t, casework.ResumeCase{By: casework.By{Actor: clerk}}, at(2, 10, 0))
	y.save(t, s)
	require.Equal(t, want, urgencies(t, s))
}

// The migration works out for open tasks what saving them would have written.
func TestMigrationFillsUrgency(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	s := openAt(t, url, key)
	y := underWay()
	delete(y.Terms.Limits, "install_meter")
	y.Need(casework.InstallMeter, "", 1, at(2, 9, 0), at(2, 9, 0)) // has no limit of its own
	y.save(t, s)
	y.act(t, casework.ClaimTask{By: casework.By{Actor: clerk}, Task: y.Number + "-T1"}, at(2, 9, 30))
	y.save(t, s)
	want := urgencies(t, s)
	require.Contains(t, want, "1-T4 install_meter 2026-03-03 17:30 2026-03-03 17:30 lane_101")
	require.Contains(t, want, "1-T2 assess_network 2026-03-04 17:30 2026-03-03 17:30 lane_101")
	require.NoError(t, s.Close())
	require.NoError(t, store.MigrateDown(t.Context(), url, 19))
	_, err := store.Migrate(t.Context(), url)
	require.NoError(t, err)
	require.Equal(t, want, urgencies(t, openAt(t, url, key)))
}
