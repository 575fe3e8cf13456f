package activities_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// office is a book of who holds what, and the cases themselves.
type office struct {
	mu       sync.Mutex
	absence  casework.Absence
	handOver casework.StaffHandOver
	staff    map[string]casework.Staff
	away     []string          // who is absent too
	tasks    map[string]string // task to holder
	fails    map[string]error  // what a case answers
	noted    map[string]bool
	asked    []string
	told     map[string]bool
	messages []string
}

func (o *office) Absence(context.Context, string) (casework.Absence, error) {
	a := o.absence
	a.Handed = o.counts()
	return a, nil
}

func (o *office) StaffHandOver(context.Context, string) (casework.StaffHandOver, error) {
	return o.handOver, nil
}

func (o *office) FinishHandOver(_ context.Context, _ string, at time.Time) (casework.StaffHandOver, error) {
	o.handOver.DoneAt, o.handOver.Handed = at, o.counts()
	return o.handOver, nil
}

func (o *office) Staff(_ context.Context, id string) (casework.Staff, error) { return o.staff[id], nil }

func (o *office) AbsencesOf(_ context.Context, persons []string, _, _ time.Time) ([]casework.Absence, error) {
	if slices.Contains(o.away, persons[0]) {
		return []casework.Absence{{Person: persons[0]}}, nil
	}
	return nil, nil
}

func (o *office) Held(_ context.Context, person, after string, _ int) ([]casework.HeldCase, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var held []casework.HeldCase
	for task, holder := range o.tasks {
		if number, _, _ := strings.Cut(task, "-"); holder == person && number > after {
			held = append(held, casework.HeldCase{Case: number, Tasks: []string{task}})
		}
	}
	slices.SortFunc(held, func(a, b casework.HeldCase) int { return strings.Compare(a.Case, b.Case) })
	return held[:min(len(held), 2)], nil // pages of two
}

func (o *office) NoteHanding(_ context.Context, _ string, held []casework.HeldCase) error {
	for _, k := range held {
		o.noted[k.Tasks[0]] = true
	}
	return nil
}

func (o *office) SettleHanding(_ context.Context, _, person string, answered []string, _ time.Time) error {
	for task := range o.noted {
		if number, _, _ := strings.Cut(task, "-"); o.tasks[task] == person && slices.Contains(answered, number) {
			delete(o.noted, task)
		}
	}
	return nil
}

func (o *office) TellHanding(_ context.Context, cause string, write func([]casework.HandedTask) []casework.Message) error {
	var tasks []casework.HandedTask
	for task := range o.noted {
		if number, _, _ := strings.Cut(task, "-"); o.tasks[task] != "tf-01" && !o.told[cause+task] {
			tasks = append(tasks, casework.HandedTask{ID: task, Case: number, Role: casework.Taskforce, To: o.tasks[task]})
			o.told[cause+task] = true
		}
	}
	for _, m := range write(tasks) {
		o.messages = append(o.messages, m.ID+" "+m.Person)
	}
	return nil
}

func (o *office) counts() casework.Handed {
	var h casework.Handed
	for task := range o.noted {
		h.Cases++
		if o.tasks[task] == "" {
			h.ToDepartment++
		} else {
			h.ToPerson++
		}
	}
	return h
}

func (o *office) Do(_ context.Context, number string, a casework.Action, key string) (contract.Done, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	act, _ := a.(casework.HandOver)
	to := ""
	if act.To != nil {
		to = act.To.ID
	}
	o.asked = append(o.asked, number+" "+key+" "+act.Actor.ID+" "+to)
	if err := o.fails[number]; err != nil {
		return contract.Done{}, err
	}
	o.tasks[number+"-T1"] = to
	return contract.Done{}, nil
}

var nine = time.Date(2026, 11, 24, 9, 0, 0, 0, calendar.Shanghai)

func newOffice() *office {
	return &office{
		absence:  casework.Absence{ID: "a", Person: "tf-01", Deputy: "tf-02", From: nine, To: nine.Add(8 * time.Hour), Reason: "病假"},
		handOver: casework.StaffHandOver{ID: "h", Person: "tf-01", To: "tf-02", Reason: "调岗", By: "office-01"},
		staff:    map[string]casework.Staff{"tf-02": {ID: "tf-02", Active: true}},
		tasks:    map[string]string{"W1-T1": "tf-01", "W2-T1": "tf-01", "W3-T1": "tf-01", "W4-T1": "tf-09"},
		fails:    map[string]error{}, noted: map[string]bool{}, told: map[string]bool{},
	}
}

// look runs an activity in an environment of its own, as a worker does.
func look[O any](t *testing.T, o *office, now time.Time, of func(*activities.HandOvers) any) (out O, err error) {
	t.Helper()
	env := (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
	do := of(&activities.HandOvers{Book: o, Cases: o, Now: func() time.Time { return now }})
	env.RegisterActivity(do)
	value, err := env.ExecuteActivity(do, activities.HandOverInput{ID: "a", Round: 3, At: nine})
	if err == nil {
		err = value.Get(&out)
	}
	return out, err
}

func absent(h *activities.HandOvers) any  { return h.HandOverAbsent }
func leaving(h *activities.HandOvers) any { return h.HandOverStaff }

func TestAbsentPersonsTasksMove(t *testing.T) {
	t.Parallel()
	o := newOffice()
	got, err := look[activities.AbsenceLook](t, o, nine.Add(-time.Second), absent) // this clock is behind
	require.NoError(t, err)
	require.Equal(t, casework.AbsenceCurrent, got.State)
	require.Equal(t, casework.Handed{Cases: 3, ToPerson: 3}, got.Absence.Handed)
	require.Empty(t, got.Absence.Reason, "no workflow needs it")
	require.Equal(t, []string{"absence/a/W1-T1 tf-02"}, o.messages, "one message for all of them")
	slices.Sort(o.asked)
	require.Equal(t, []string{"W1 absence/a/3 system tf-02", "W2 absence/a/3 system tf-02", "W3 absence/a/3 system tf-02"}, o.asked)
}

func TestAbsenceThatIsNotOnMovesNothing(t *testing.T) {
	t.Parallel()
	for want, change := range map[casework.AbsenceState]func(*casework.Absence){
		casework.AbsenceCancelled: func(a *casework.Absence) { a.EndedAt = nine.Add(-time.Hour) },
		casework.AbsenceEnded:     func(a *casework.Absence) { a.EndedAt = nine.Add(time.Minute) },
		casework.AbsenceComing:    func(a *casework.Absence) { a.From = nine.Add(2 * time.Hour) },
	} {
		o := newOffice()
		change(&o.absence)
		got, err := look[activities.AbsenceLook](t, o, nine.Add(time.Hour), absent)
		require.NoError(t, err)
		require.Equal(t, want, got.State)
		require.Empty(t, o.asked)
	}
}

// A deputy who has left, or is away too, gets nothing.
func TestDeputyWhoIsNotThereGetsNothing(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*office){
		func(o *office) { o.staff["tf-02"] = casework.Staff{ID: "tf-02"} },
		func(o *office) { o.away = []string{"tf-02"} },
		func(o *office) { o.absence.Deputy = "" },
	} {
		o := newOffice()
		change(o)
		got, err := look[activities.AbsenceLook](t, o, nine, absent)
		require.NoError(t, err)
		require.Equal(t, casework.Handed{Cases: 3, ToDepartment: 3}, got.Absence.Handed)
	}
}

// What ended meanwhile is passed over; what does not answer holds up nobody
// else, and is asked again by the next attempt alone.
func TestCaseThatDoesNotAnswerHoldsUpNobody(t *testing.T) {
	t.Parallel()
	o := newOffice()
	o.fails["W1"] = errDown
	o.fails["W2"] = casework.Refuse(casework.Conflict, "case_ended", casework.Say("已办结", "closed"))
	_, err := look[casework.Handed](t, o, nine, leaving)
	require.ErrorContains(t, err, "W1")
	require.Equal(t, map[string]string{"W1-T1": "tf-01", "W2-T1": "tf-01", "W3-T1": "tf-02", "W4-T1": "tf-09"}, o.tasks)
	require.Zero(t, o.handOver.DoneAt)
	require.Equal(t, []string{"hand-over/h/W3-T1 tf-02"}, o.messages, "what has moved is told")
	delete(o.fails, "W1")
	delete(o.tasks, "W2-T1")
	o.asked = nil
	got, err := look[casework.Handed](t, o, nine, leaving)
	require.NoError(t, err)
	require.Equal(t, casework.Handed{Cases: 2, ToPerson: 2}, got)
	require.Equal(t, []string{"W1 hand-over/h/3 system tf-02"}, o.asked)
	require.Equal(t, nine, o.handOver.DoneAt)
	require.Equal(t, []string{"hand-over/h/W3-T1 tf-02", "hand-over/h/W1-T1 tf-02"}, o.messages, "each task once")
}
