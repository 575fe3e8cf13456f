package store_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/store"
	"github.com/curbstop/curbstop/testkit"
)

// amended is the seed with some days made holidays.
func amended(t testing.TB, version string, dates ...string) calendar.Notices {
	t.Helper()
	var days []calendar.Day
	for _, text := range dates {
		d, err := calendar.ParseDate(text)
		require.NoError(t, err)
		days = append(days, calendar.Day{Date: d, Kind: calendar.Holiday, Name: "临时放假", Notice: "通知"})
	}
	n, err := calendar.Seed().Amend(version, days)
	require.NoError(t, err)
	return n
}

func plan(n calendar.Notices, basedOn string) casework.CalendarPlan {
	return casework.CalendarPlan{BasedOn: basedOn, Notices: n, Source: "通知"}
}

func TestImportIsAVersionOnRecord(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx := t.Context()
	require.NoError(t, s.SeedNotices(ctx, calendar.Seed()))
	i := casework.CalendarImport{Name: "2027.csv", Amend: true}
	first := amended(t, "v1", "2026-12-31", "2027-01-01")
	version, err := s.ImportNotices(ctx, plan(first, "seed-2026"), i, "to-01", "key-1")
	require.NoError(t, err)
	require.Equal(t, "v1", version)
	requireNotices(t, s, first)

	// The same key gives the first answer; a plan for another table is refused.
	version, err = s.ImportNotices(ctx, plan(amended(t, "v2", "2026-12-30"), "seed-2026"), i, "to-01", "key-1")
	require.NoError(t, err)
	require.Equal(t, "v1", version)
	_, err = s.ImportNotices(ctx, plan(amended(t, "v2", "2026-12-30"), "seed-2026"), i, "to-01", "key-2")
	refused(t, err, casework.Conflict, "calendar_moved_on")
	requireNotices(t, s, first)
	for key, want := range map[string]string{"key-1": "v1", "key-2": ""} {
		version, err = s.ImportedAs(ctx, key)
		require.NoError(t, err)
		require.Equal(t, want, version)
	}

	unsettled, err := s.Unsettled(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"v1"}, unsettled)
	require.NoError(t, s.Told(ctx, "v1", 7))
	require.NoError(t, s.Told(ctx, "v1", 2))
	require.NoError(t, s.Settled(ctx, "v1", 1))
	unsettled, err = s.Unsettled(ctx)
	require.NoError(t, err)
	require.Empty(t, unsettled)

	want := []casework.CalendarVersion{
		{Version: "v1", ImportedAt: at(4, 12, 0), ImportedBy: "to-01", Days: len(first.Days()), Years: []int{2023, 2024, 2025, 2026, 2027}, BasedOn: "seed-2026",
			File: "2027.csv", Source: "通知", Amended: true, Told: 7, ToldAt: at(4, 12, 0), Left: 1, SettledAt: at(4, 12, 0)},
		{Version: "seed-2026", ImportedAt: at(4, 12, 0), ImportedBy: "system", Days: len(calendar.Seed().Days()), Years: []int{2023, 2024, 2025, 2026}},
	}
	got, next, err := s.CalendarVersions(ctx, casework.Page{})
	require.NoError(t, err)
	require.Empty(t, next)
	equal(t, want, got)
	one, err := s.CalendarVersion(ctx, "v1")
	require.NoError(t, err)
	equal(t, want[0], one)
	page, next, err := s.CalendarVersions(ctx, casework.Page{Limit: 1})
	require.NoError(t, err)
	equal(t, want[:1], page)
	page, _, err = s.CalendarVersions(ctx, casework.Page{Limit: 1, Cursor: next})
	require.NoError(t, err)
	equal(t, want[1:], page)
	older, err := s.NoticesAt(ctx, "seed-2026")
	require.NoError(t, err)
	equal(t, calendar.Seed().Days(), older.Days())
	_, err = s.NoticesAt(ctx, "v9")
	refused(t, err, casework.NotFound, "calendar_version_not_found")
	_, err = s.CalendarVersion(ctx, "v9")
	refused(t, err, casework.NotFound, "calendar_version_not_found")
}

// moved is a move as a test compares it.
type moved struct{ Deadline, From, To string }

func movesBy(t testing.TB, s *store.Store, n calendar.Notices, behind string) (seen []string, moves []moved) {
	t.Helper()
	require.NoError(t, s.CalendarMoves(t.Context(), n, behind, func(number string, found []casework.DeadlineMove) error {
		seen = append(seen, number)
		for _, m := range found {
			require.Equal(t, number, m.Case)
			require.Equal(t, casework.District("340202"), m.District)
			from, to := casework.Clock(m.From.At), casework.Clock(m.To.At)
			if m.From.Stopped {
				from, to = m.From.Remaining.String(), m.To.Remaining.String()
			}
			if m.RungsOnly {
				to = "rungs"
			}
			moves = append(moves, moved{m.Deadline, from, to})
		}
		return nil
	}))
	return seen, moves
}

// Only deadlines that count over a changed day move: a running one, one that
// stands, one of which only a rung is left. Those that were met don't.
func TestCalendarMovesWhatCountsOverTheChangedDays(t *testing.T) {
	t.Parallel()
	s := open(t)
	running := contactAndAssessment("W20260302-00001", request(), at(2, 9, 0)) // Monday: T1 due on the 3rd, T2 on the 4th
	running.save(t, s)
	standing := contactAndAssessment("W20260302-00002", request(), at(2, 9, 0))
	standing.save(t, s)
	standing.act(t, casework.PauseCase{By: casework.By{Actor: clerk}, Reason: casework.CustomerNotReady, Evidence: "来函", PlannedEnd: at(20, 9, 0)}, at(2, 10, 0))
	standing.save(t, s)
	done := contactAndAssessment("W20260302-00003", request(), at(2, 9, 0))
	done.save(t, s)
	done.act(t, casework.CompleteTask{By: casework.By{Actor: clerk}, Task: done.Number + "-T1", Input: completeContact}, at(2, 11, 0))
	done.save(t, s)
	ended := contactAndAssessment("W20260302-00004", request(), at(2, 9, 0))
	ended.save(t, s)
	ended.act(t, casework.Withdraw{By: casework.By{Actor: clerk}, Reason: "撤回"}, at(2, 11, 0))
	ended.End(casework.Withdrawn, at(2, 11, 0))
	ended.save(t, s)

	all := []string{running.Number, standing.Number, done.Number}
	seen, moves := movesBy(t, s, calendar.Seed(), "")
	require.Equal(t, all, seen)
	require.Empty(t, moves, "the same table moves nothing")
	_, moves = movesBy(t, s, amended(t, "past", "2026-02-27", "2026-03-10"), "")
	require.Empty(t, moves, "days before the anchor and far behind the last rung")

	tuesday := amended(t, "tuesday", "2026-03-03")
	seen, moves = movesBy(t, s, tuesday, "")
	require.Equal(t, all, seen)
	require.Equal(t, []moved{
		{running.Number + "-T1", "2026-03-03 17:30", "2026-03-04 17:30"},
		{running.Number + "-T2", "2026-03-04 17:30", "2026-03-05 17:30"},
		{done.Number + "-T2", "2026-03-04 17:30", "2026-03-05 17:30"},
	}, moves, "a clock that stands has as many working hours left as before")
	seen, _ = movesBy(t, s, tuesday, running.Number)
	require.Equal(t, all[1:], seen)

	_, moves = movesBy(t, s, amended(t, "thursday", "2026-03-05"), "")
	require.Equal(t, []moved{
		{running.Number + "-T2", "2026-03-04 17:30", "rungs"},
		{done.Number + "-T2", "2026-03-04 17:30", "rungs"},
	}, moves, "the lead is told on the next working day")
	_, moves = movesBy(t, s, amended(t, "monday", "2026-03-02"), "")
	require.Equal(t, []moved{
		{standing.Number + "-T1", "12h30m0s", "7h0m0s"}, {standing.Number + "-T2", "19h30m0s", "14h0m0s"},
	}, moves)

	broken := fmt.Errorf("broken off")
	require.ErrorIs(t, s.CalendarMoves(t.Context(), tuesday, "", func(string, []casework.DeadlineMove) error { return broken }), broken)
	n, err := s.ProvisionalDeadlines(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
}

// A case that has worked its deadlines out anew has nothing left to move.
func TestCalendarMovesNothingTwice(t *testing.T) {
	t.Parallel()
	s := open(t)
	y := contactAndAssessment("W20260302-00001", request(), at(2, 9, 0))
	y.save(t, s)
	y.Fire(at(3, 16, 0)) // the contact's reminder
	y.save(t, s)
	holiday := amended(t, "tuesday", "2026-03-03")
	_, moves := movesBy(t, s, holiday, "")
	require.Len(t, moves, 2)

	cal, err := calendar.New(holiday, y.Terms.Hours)
	require.NoError(t, err)
	y.Recalculate()
	y.recount(t, cal)
	y.save(t, s)
	_, moves = movesBy(t, s, holiday, "")
	require.Empty(t, moves, "the reminder that fired keeps its moment, and that is no move")
}

// recount works the deadlines out by another calendar than the seed.
func (y *story) recount(t tester, cal *calendar.Calendar) {
	t.Helper()
	stale := y.Unworked()
	require.NotEmpty(t, stale)
	for i := range stale {
		stale[i] = stale[i].WorkOut(cal, cal.Version())
	}
	y.Worked(stale, y.saved.Events[len(y.saved.Events)-1].At)
}

// BenchmarkCalendarMoves measures a dry run over as many live deadlines as
// CURBSTOP_BENCH_DEADLINES says, two a case; 2,000 if it says nothing.
func BenchmarkCalendarMoves(b *testing.B) {
	deadlines := 2000
	if text := os.Getenv("CURBSTOP_BENCH_DEADLINES"); text != "" {
		var err error
		deadlines, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	s := openAt(b, testkit.Database(b), key)
	for n := range deadlines / 2 {
		y := contactAndAssessment(fmt.Sprintf("W20260302-%05d", n), request(), at(2, 9, 0))
		y.save(b, s)
	}
	holiday := amended(b, "tuesday", "2026-03-03")
	b.ResetTimer()
	for b.Loop() {
		began, found := time.Now(), 0
		require.NoError(b, s.CalendarMoves(b.Context(), holiday, "", func(_ string, moves []casework.DeadlineMove) error {
			found += len(moves)
			return nil
		}))
		require.Equal(b, deadlines, found)
		b.ReportMetric(float64(found)/time.Since(began).Seconds(), "deadlines/s")
	}
}
