package store_test

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/store"
	"github.com/curbstop/curbstop/testkit"
)

// hired gives a store with a staff of four.
func hired(t *testing.T, url string) *store.Store {
	t.Helper()
	s := openAt(t, url, key)
	for _, id := range []string{"tf-01", "tf-02", "tf-03", "nw-01"} {
		require.NoError(t, s.PutStaff(t.Context(), casework.Staff{ID: id, Name: "某", Department: "taskforce", Roles: []casework.Role{casework.Taskforce},
			Districts: []casework.District{casework.AllDistricts}, Active: true}, ""))
	}
	return s
}

func away(id, person, deputy string, from, to time.Time) casework.Absence {
	return casework.Absence{ID: id, Person: person, Deputy: deputy, From: from, To: to, Reason: "因病休养", By: person, At: at(4, 11, 0)}
}

func TestAbsencesAreKeptAndListed(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	s := hired(t, url)
	ctx := t.Context()
	past := away("a1", "tf-01", "", at(2, 9, 0), at(3, 9, 0))
	current := away("a2", "tf-01", "tf-02", at(4, 9, 0), at(6, 9, 0))
	coming := away("a3", "tf-02", "", at(9, 9, 0), at(10, 9, 0))
	for _, a := range []casework.Absence{past, current, coming} {
		got, created, err := s.AddAbsence(ctx, a)
		require.NoError(t, err)
		require.True(t, created)
		equal(t, a, got)
	}
	again := current
	again.To = at(20, 9, 0)
	got, created, err := s.AddAbsence(ctx, again)
	require.NoError(t, err)
	require.False(t, created, "the same ID is entered once")
	equal(t, current, got)

	list := func(f casework.AbsenceFilter) []casework.Absence {
		var all []casework.Absence
		f.Limit = 1
		for {
			some, next, err := s.Absences(ctx, f)
			require.NoError(t, err)
			all = append(all, some...)
			if f.Cursor = next; next == "" {
				return all
			}
		}
	}
	equal(t, []casework.Absence{coming, current, past}, list(casework.AbsenceFilter{}))
	equal(t, []casework.Absence{current, past}, list(casework.AbsenceFilter{Person: "tf-01"}))
	equal(t, []casework.Absence{coming, current}, list(casework.AbsenceFilter{Involving: "tf-02"}))
	equal(t, []casework.Absence{coming}, list(casework.AbsenceFilter{State: casework.AbsenceComing}))
	equal(t, []casework.Absence{current}, list(casework.AbsenceFilter{State: casework.AbsenceCurrent}))
	equal(t, []casework.Absence{past}, list(casework.AbsenceFilter{State: casework.AbsenceEnded}))

	touching, err := s.AbsencesOf(ctx, []string{"tf-01", "tf-02"}, at(3, 9, 0), at(9, 9, 0))
	require.NoError(t, err)
	equal(t, []casework.Absence{current}, touching)

	// Cancelled before it began, it touches nothing any more.
	coming.EndedAt, coming.EndedBy = at(4, 12, 0), "office"
	got, err = s.EndAbsence(ctx, "a3", "office", at(4, 12, 0))
	require.NoError(t, err)
	equal(t, coming, got)
	got, err = s.EndAbsence(ctx, "a3", "tf-02", at(4, 13, 0))
	require.NoError(t, err)
	equal(t, coming, got)
	equal(t, []casework.Absence{coming}, list(casework.AbsenceFilter{State: casework.AbsenceCancelled}))
	equal(t, []casework.Absence(nil), list(casework.AbsenceFilter{State: casework.AbsenceComing}))
	touching, err = s.AbsencesOf(ctx, []string{"tf-02"}, at(1, 0, 0), at(20, 0, 0))
	require.NoError(t, err)
	require.Empty(t, touching)
	_, err = s.EndAbsence(ctx, "a1", "tf-01", at(4, 12, 0))
	refused(t, err, casework.Conflict, "absence_over")
	_, err = s.EndAbsence(ctx, "nothing", "tf-01", at(4, 12, 0))
	refused(t, err, casework.NotFound, "absence_not_found")

	unstarted, err := s.UnstartedAbsences(ctx, at(4, 12, 0), 10)
	require.NoError(t, err)
	require.Len(t, unstarted, 3)
	require.NoError(t, s.MarkAbsenceStarted(ctx, "a1"))
	unstarted, err = s.UnstartedAbsences(ctx, at(4, 12, 0), 10)
	require.NoError(t, err)
	equal(t, []casework.Absence{current, coming}, unstarted)
	require.NotContains(t, everything(t, url), "因病休养")
}

func TestAbsencesDoNotOverlap(t *testing.T) {
	t.Parallel()
	s := hired(t, testkit.Database(t))
	ctx := t.Context()
	_, _, err := s.AddAbsence(ctx, away("a1", "tf-01", "tf-02", at(4, 9, 0), at(6, 9, 0)))
	require.NoError(t, err)
	_, _, err = s.AddAbsence(ctx, away("a2", "tf-01", "", at(5, 9, 0), at(9, 9, 0)))
	refused(t, err, casework.Conflict, "absence_overlaps")
	require.ErrorContains(t, err, "2026-03-04 09:00")
	_, _, err = s.AddAbsence(ctx, away("a3", "tf-03", "tf-01", at(5, 9, 0), at(9, 9, 0)))
	refused(t, err, casework.Conflict, "deputy_absent")
	_, _, err = s.AddAbsence(ctx, away("a4", "tf-03", "tf-01", at(6, 9, 0), at(9, 9, 0)))
	require.NoError(t, err, "one ends as the other begins")
	_, _, err = s.AddAbsence(ctx, away("a5", "tf-02", "", at(4, 9, 0), at(6, 9, 0)))
	require.NoError(t, err, "who falls ill need not stay because they stand in for somebody")

	// Two at one moment: one of them gets in.
	var all sync.WaitGroup
	var mutex sync.Mutex
	entered := 0
	for _, id := range []string{"b1", "b2", "b3", "b4"} {
		all.Go(func() {
			_, created, _ := s.AddAbsence(ctx, away(id, "nw-01", "", at(4, 9, 0), at(6, 9, 0)))
			mutex.Lock()
			defer mutex.Unlock()
			if created {
				entered++
			}
		})
	}
	all.Wait()
	require.Equal(t, 1, entered)
}

func TestWhatChangesHandsIsCountedOnce(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	s := hired(t, url)
	ctx := t.Context()
	y := busyWeek(t, s)
	y.act(t, casework.ClaimTask{By: casework.By{Actor: engineer}, Task: y.Number + "-T2"}, at(4, 11, 0))
	y.save(t, s)
	held, err := s.Held(ctx, "nw-01", "", 10)
	require.NoError(t, err)
	equal(t, []casework.HeldCase{{Case: y.Number, Tasks: []string{y.Number + "-T2"}}}, held)
	n, err := s.OpenTasksOf(ctx, "nw-01")
	require.NoError(t, err)
	require.Equal(t, 1, n)
	rest, err := s.Held(ctx, "nw-01", y.Number, 10)
	require.NoError(t, err)
	require.Empty(t, rest)

	h := casework.StaffHandOver{ID: "h1", Person: "nw-01", To: "tf-02", Reason: "调往外地", Leaving: true, By: "to-01", At: at(4, 11, 0)}
	got, created, err := s.BeginHandOver(ctx, h)
	require.NoError(t, err)
	require.True(t, created)
	equal(t, h, got)
	staff, err := s.Staff(ctx, "nw-01")
	require.NoError(t, err)
	require.False(t, staff.Active)
	_, created, err = s.BeginHandOver(ctx, h)
	require.NoError(t, err)
	require.False(t, created)

	// A case that did not answer keeps its note; one that answered and moved
	// nothing is forgotten.
	require.NoError(t, s.NoteHanding(ctx, h.Cause(), held))
	require.NoError(t, s.NoteHanding(ctx, h.Cause(), held))
	require.NoError(t, s.SettleHanding(ctx, h.Cause(), "nw-01", []string{"another"}, at(4, 12, 0)))
	deputy := engineer
	deputy.ID = "nw-02"
	y.act(t, casework.HandOver{By: casework.By{Actor: casework.System()}, Person: "nw-01", To: &deputy, Reason: "x"}, at(4, 12, 0))
	limit, ok := y.Deadline(y.Number + "-T2")
	require.True(t, ok)
	limit.Due.Provisional = true // due in a year without notice
	y.save(t, s)
	require.NoError(t, s.SettleHanding(ctx, h.Cause(), "nw-01", []string{y.Number}, at(4, 12, 0)))
	require.NoError(t, s.NoteHanding(ctx, h.Cause(), []casework.HeldCase{{Case: "W2", Tasks: []string{"W2-T1"}}}))
	require.NoError(t, s.SettleHanding(ctx, h.Cause(), "nw-01", []string{"W2"}, at(4, 12, 0)))

	// Whoever got it is told once, by a message that is about no single case.
	for range 2 {
		require.NoError(t, s.TellHanding(ctx, h.Cause(), func(tasks []casework.HandedTask) []casework.Message {
			return casework.TellOfHanded(h.Cause(), h.Said(), tasks, at(4, 12, 1))
		}))
	}
	told, _, err := s.Messages(ctx, casework.MessageFilter{})
	require.NoError(t, err)
	told = slices.DeleteFunc(told, func(l casework.MessageLine) bool { return l.Kind != casework.MessageHandOver })
	require.Len(t, told, 1)
	due := told[0].DueAt
	require.NotZero(t, due)
	task := y.Number + " 管网评估（" + casework.Clock(due) + "（暂定） 到期）"
	equal(t, casework.Message{
		ID: "hand-over/h1/" + y.Number + "-T2", Kind: casework.MessageHandOver, To: casework.Network, Person: "nw-02", Department: "network",
		District: "340202", DueAt: due, Provisional: true, At: at(4, 12, 1),
		Text: casework.Text{
			ZH: "nw-01 离岗移交：1 项任务转由 nw-02 办理。最先到期：" + task,
			EN: "nw-01 leaves: 1 open tasks came to nw-02. Due first: " + y.Number + " assess_network (due " + casework.Clock(due) + " (provisional))",
		},
	}, told[0].Message)
	require.Positive(t, route(t, s, "log"))

	h.DoneAt, h.Handed = at(4, 12, 30), casework.Handed{Cases: 1, ToPerson: 1}
	got, err = s.FinishHandOver(ctx, "h1", at(4, 12, 30))
	require.NoError(t, err)
	equal(t, h, got)
	got, err = s.FinishHandOver(ctx, "h1", at(4, 13, 0))
	require.NoError(t, err)
	equal(t, h, got)

	waiting, err := s.UnstartedHandOvers(ctx, at(4, 12, 0), 10)
	require.NoError(t, err)
	equal(t, []casework.StaffHandOver{h}, waiting)
	require.NoError(t, s.MarkHandOverStarted(ctx, "h1"))
	waiting, err = s.UnstartedHandOvers(ctx, at(4, 12, 0), 10)
	require.NoError(t, err)
	require.Empty(t, waiting)
	_, err = s.StaffHandOver(ctx, "nothing")
	refused(t, err, casework.NotFound, "hand_over_not_found")
	require.NotContains(t, everything(t, url), "调往外地")

	// The case itself knows that its holder took the task; lists need not.
	raw, err := json.Marshal(y.Tasks)
	require.NoError(t, err)
	require.NotContains(t, string(raw), `"taken":true`)
}
