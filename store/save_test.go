package store_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/testkit"
)

func TestWhatIsSavedIsRead(t *testing.T) {
	t.Parallel()
	s := open(t)
	y := busyWeek(t, s)
	number := y.Number
	got := read(t, s, number)

	equal(t, y.Case, got.Case)
	equal(t, y.saved.Events, got.Events)
	equal(t, y.saved.Touchpoints, got.Touchpoints)
	equal(t, []casework.CaseLine{{
		Number: number, Kind: casework.ConnectionCase, Utility: casework.Water, Lane: casework.Lane101,
		Channel: casework.WanShiTong, District: "340202", Status: casework.Open, Stage: casework.PreService,
		Applicant: "芜湖鸠兹食品有限公司", Address: "镜湖区北京西路100%号", Department: "network", OpenTasks: 2,
		ReceivedAt: at(2, 9, 0), DueAt: at(4, 17, 30), Version: y.Version,
	}}, got.Lines)

	line := casework.TaskLine{District: "340202", Applicant: "芜湖鸠兹食品有限公司", Address: "镜湖区北京西路100%号"}
	contact, assess, brief := line, line, line
	contact.Task = casework.Task{
		ID: number + "-T1", Case: number, Kind: casework.ContactCustomer, Round: 1, Stage: casework.PreService,
		Role: casework.Taskforce, Department: "taskforce", State: casework.TaskDone, OpenedAt: at(2, 9, 0), Anchor: at(2, 9, 0),
		Assignee: "tf-01", AssigneeName: "陈专", AssignedAt: at(2, 9, 30), DoneAt: at(4, 9, 0), DoneBy: "tf-01", Outcome: "done",
		Input: json.RawMessage(`{"by":"phone","note":"与欧阳若兰通话"}`),
	}
	contact.DueAt, contact.Overdue = at(3, 17, 30), true // done, but too late
	assess.Task = casework.Task{
		ID: number + "-T2", Case: number, Kind: casework.AssessNetwork, Round: 1, Stage: casework.PreService,
		Role: casework.Network, Department: "network", State: casework.TaskOpen, OpenedAt: at(2, 9, 0), Anchor: at(2, 9, 0),
	}
	assess.DueAt, assess.UrgentAt, assess.UrgentBy = at(4, 17, 30), at(4, 17, 30), "assess_network"
	brief.Task = casework.Task{
		ID: number + "-T3", Case: number, Kind: casework.BriefCustomer, Round: 1, Stage: casework.PreService,
		Role: casework.Taskforce, Department: "taskforce", State: casework.TaskOpen, OpenedAt: at(4, 9, 0), Anchor: at(4, 9, 0),
	}
	equal(t, []casework.TaskLine{contact, assess, brief}, got.Tasks)

	require.Len(t, got.Deadlines, 2)
	equal(t, at(4, 9, 0), got.Deadlines[0].MetAt)
	equal(t, y.Deadlines[0], got.Deadlines[1])

	breach := casework.Escalation{
		ID: number + "-T1/breach", Case: number, Deadline: number + "-T1", Limit: "contact_customer", Rung: casework.RungBreach,
		Level: 1, To: casework.TaskforceOffice, Department: "taskforce", Holder: "陈专(tf-01)", District: "340202",
		DueAt: at(3, 17, 30), RungAt: at(3, 17, 30), FiredAt: at(3, 17, 30),
		AcknowledgedAt: at(3, 18, 0), AcknowledgedBy: "to-01", Note: "已电话催办 13955301234",
		ClosedAt: at(3, 18, 0), ClosedBy: "to-01", Closing: casework.ClosedByPerson,
	}
	reminder := casework.Escalation{
		ID: number + "-T1/reminder", Case: number, Deadline: number + "-T1", Limit: "contact_customer", Rung: casework.RungReminder,
		Department: "taskforce", Holder: "陈专(tf-01)", District: "340202",
		DueAt: at(3, 17, 30), RungAt: at(3, 15, 30), FiredAt: at(3, 16, 0),
	}
	equal(t, []casework.Escalation{breach, reminder}, got.Escalations)

	one, err := s.Task(t.Context(), number+"-T1")
	require.NoError(t, err)
	equal(t, contact, one)
	rung, err := s.Escalation(t.Context(), breach.ID)
	require.NoError(t, err)
	equal(t, breach, rung)
}

func TestSavingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	y := busyWeek(t, s)
	before := read(t, s, y.Number)

	again := slices.Clone(y.saves)
	slices.Reverse(again) // the newest first, then each that it overtook
	for _, one := range append(again, y.saves...) {
		require.NoError(t, s.Save(t.Context(), one.snapshot, one.changes))
		equal(t, before, read(t, s, y.Number))
	}
}

// However a Save ends, the case's lock is free when it returns, and not only when
// its connection is needed again.
func TestSaveLetsGoOfTheCase(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	s := openAt(t, url, key)
	free := func() {
		t.Helper()
		require.NoError(t, execute(t, url, "SELECT FROM cases FOR UPDATE NOWAIT"))
	}
	y := contactAndAssessment("W20260302-00001", request(), at(2, 9, 0))
	y.save(t, s)
	free()
	fork, gap := y.fork(), y.fork()
	y.act(t, casework.ClaimTask{By: casework.By{Actor: clerk}, Task: y.Number + "-T1"}, at(2, 9, 30))
	one := y.commit(t)
	require.NoError(t, s.Save(t.Context(), one.snapshot, one.changes))
	free()
	require.NoError(t, s.Save(t.Context(), one.snapshot, one.changes), "once more, which writes nothing")
	free()

	fork.act(t, casework.ClaimTask{By: casework.By{Actor: engineer}, Task: y.Number + "-T2"}, at(2, 9, 30))
	other := fork.commit(t)
	require.ErrorContains(t, s.Save(t.Context(), other.snapshot, other.changes), "diverges")
	free()

	for minute := range 3 {
		gap.act(t, casework.ClaimTask{By: casework.By{Actor: engineer}, Task: y.Number + "-T2"}, at(2, 10, 2*minute))
		one = gap.commit(t)
		gap.act(t, casework.ReleaseTask{By: casework.By{Actor: engineer}, Task: y.Number + "-T2", Reason: "去现场"}, at(2, 10, 2*minute+1))
		gap.commit(t)
	}
	require.ErrorContains(t, s.Save(t.Context(), one.snapshot, one.changes), "events_without_gap")
	free()

	ended, end := context.WithCancel(t.Context())
	end()
	require.ErrorIs(t, s.Save(ended, one.snapshot, one.changes), context.Canceled)
	free()
}

// A lane's deadline is what tasks without a limit of their own are shown by,
// so it moves their lines without any event of theirs.
func TestLaneDeadlineMovesTheTasksThatItCovers(t *testing.T) {
	t.Parallel()
	s := open(t)
	y := begin("W20260302-00001", request(), at(2, 9, 0))
	y.Need(casework.BriefCustomer, "", 1, at(2, 9, 0), at(2, 9, 0))
	y.save(t, s)
	line, err := s.Task(t.Context(), "W20260302-00001-T1")
	require.NoError(t, err)
	equal(t, [2]any{line.DueAt.IsZero(), line.Overdue}, [2]any{true, false})

	y.Deadlines = append(y.Deadlines, casework.Deadline{
		ID: casework.LaneDeadline, Limit: "lane_101", Anchor: at(2, 9, 0), Stale: true,
		Budget: calendar.Budget{Unit: calendar.WorkingDays, Days: 1},
	})
	y.save(t, s)
	line, err = s.Task(t.Context(), "W20260302-00001-T1")
	require.NoError(t, err)
	equal(t, [2]any{line.DueAt, line.Overdue}, [2]any{at(3, 17, 30), true})

	y.act(t, casework.PauseCase{By: casework.By{Actor: clerk}, Reason: casework.CustomerNotReady, Evidence: "d1", PlannedEnd: at(9, 9, 0)}, at(2, 11, 0))
	y.save(t, s)
	line, err = s.Task(t.Context(), "W20260302-00001-T1")
	require.NoError(t, err)
	// From 11:00 to 12:00, in the afternoon and on the next day.
	equal(t, [4]any{line.DueAt.IsZero(), line.Stopped, line.Remaining.Hours(), line.Overdue}, [4]any{true, true, 11.5, false})
}

// Each decision comes with all live tasks. Those that stand as they are recorded
// are not written again: that would leave a dead row of each behind.
func TestLiveTasksThatStandAreNotWrittenAgain(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	s := openAt(t, url, key)
	y := contactAndAssessment("W20260302-00001", request(), at(2, 9, 0))
	y.save(t, s)
	written := func() map[string]string {
		t.Helper()
		connection, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		defer connection.Close(context.WithoutCancel(t.Context()))
		rows, err := connection.Query(t.Context(), "SELECT id, ctid::text FROM tasks")
		require.NoError(t, err)
		places := map[string]string{}
		var id, place string
		_, err = pgx.ForEachRow(rows, []any{&id, &place}, func() error { places[id] = place; return nil })
		require.NoError(t, err)
		return places
	}
	contact, assessment := y.Number+"-T1", y.Number+"-T2"
	before := written()

	y.act(t, casework.ClaimTask{By: casework.By{Actor: clerk}, Task: contact}, at(2, 9, 30))
	y.save(t, s)
	after := written()
	require.NotEqual(t, before[contact], after[contact], "it has a holder now")
	require.Equal(t, before[assessment], after[assessment])

	y.act(t, casework.PauseCase{By: casework.By{Actor: clerk}, Reason: casework.CustomerNotReady, Evidence: "d1", PlannedEnd: at(9, 9, 0)}, at(2, 11, 0))
	y.save(t, s)
	paused := written()
	require.NotEqual(t, after[contact], paused[contact], "its clock stands")
	require.NotEqual(t, after[assessment], paused[assessment], "its clock stands")
}

func TestGapInAHistoryIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t)
	y := contactAndAssessment("W20260302-00001", request(), at(2, 9, 0))
	lost := y.commit(t)
	y.act(t, casework.ClaimTask{By: casework.By{Actor: clerk}, Task: y.Number + "-T1"}, at(2, 9, 30))
	next := y.commit(t)

	require.ErrorContains(t, s.Save(t.Context(), next.snapshot, next.changes), "events_without_gap")
	_, err := s.Case(t.Context(), y.Number)
	refused(t, err, casework.NotFound, "case_not_found") // nothing of it stays

	require.NoError(t, s.Save(t.Context(), lost.snapshot, lost.changes))
	require.ErrorContains(t, s.Save(t.Context(), next.snapshot, casework.Changes{}), "cases_last_event")
	require.NoError(t, s.Save(t.Context(), next.snapshot, next.changes))
	equal(t, y.saved.Events, read(t, s, y.Number).Events)
}

func TestTwoLiveTasksOfOneKindAreRefused(t *testing.T) {
	t.Parallel()
	s := open(t)
	y := contactAndAssessment("W20260302-00001", request(), at(2, 9, 0))
	one := y.commit(t)
	twin := one.changes.Tasks[0]
	twin.ID = casework.TaskID(y.Number, 9)
	twins := one.changes
	twins.Tasks = append(slices.Clone(twins.Tasks), twin)
	err := s.Save(t.Context(), one.snapshot, twins)
	require.ErrorContains(t, err, "tasks_one_live")

	// Told apart by what they are for, or one after the other, they are fine,
	// in whatever order the decision names them.
	twin.Qualifier = "network"
	twins.Tasks[len(twins.Tasks)-1] = twin
	require.NoError(t, s.Save(t.Context(), one.snapshot, twins))
	done := twin
	done.State, done.DoneAt = casework.TaskDone, at(2, 10, 0)
	twin.ID = casework.TaskID(y.Number, 10)
	y.act(t, casework.ClaimTask{By: casework.By{Actor: clerk}, Task: y.Number + "-T1"}, at(2, 10, 0))
	next := y.commit(t)
	next.changes.Tasks = append(next.changes.Tasks, twin, done)
	require.NoError(t, s.Save(t.Context(), next.snapshot, next.changes))
}

func TestHistoriesAreAppendOnly(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	s := openAt(t, url, key)
	y := busyWeek(t, s)
	fork := &story{Case: y.Clone()}
	y.act(t, casework.ClaimTask{By: casework.By{Actor: engineer}, Task: y.Number + "-T2"}, at(4, 10, 30))
	y.save(t, s)
	fork.act(t, casework.ClaimTask{By: casework.By{Actor: clerk}, Task: y.Number + "-T3"}, at(4, 10, 31))
	fork.save(t, s)
	require.NoError(t, s.Audit(t.Context(), casework.AuditEntry{Actor: "to-01", What: "contact_unmasked", Target: "W1", Data: json.RawMessage(`{"fields":["phone"]}`)}))
	require.NoError(t, s.SeedNotices(t.Context(), calendar.Seed()))
	for _, statement := range []string{
		"UPDATE events SET actor = 'x'", "DELETE FROM events", "TRUNCATE events CASCADE",
		"UPDATE abandoned_events SET actor = 'x'", "DELETE FROM abandoned_events", "TRUNCATE abandoned_events",
		"UPDATE audit SET actor = 'x'", "DELETE FROM audit", "TRUNCATE audit",
		"UPDATE notices SET imported_by = 'x'", "DELETE FROM notices", "TRUNCATE notices CASCADE",
		"UPDATE notice_days SET name = 'x'", "DELETE FROM notice_days", "TRUNCATE notice_days",
	} {
		require.ErrorContains(t, execute(t, url, statement), "append-only", statement)
	}
}

func BenchmarkSave(b *testing.B) {
	s := open(b)
	y := contactAndAssessment("W20260302-00001", request(), at(2, 9, 0))
	y.save(b, s)
	var spent time.Duration
	save := func(a casework.Action) {
		y.act(b, a, at(2, 9, 30))
		one := y.commit(b)
		begun := time.Now()
		require.NoError(b, s.Save(b.Context(), one.snapshot, one.changes))
		spent += time.Since(begun)
	}
	for b.Loop() {
		// One event, one changed task, two live deadlines: what most actions do.
		save(casework.ClaimTask{By: casework.By{Actor: clerk}, Task: y.Number + "-T1"})
		save(casework.ReleaseTask{By: casework.By{Actor: clerk}, Task: y.Number + "-T1"})
	}
	b.ReportMetric(float64(spent.Microseconds())/float64(2*b.N), "µs/save")
}
