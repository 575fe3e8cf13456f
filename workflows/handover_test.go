package workflows_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/worker"
)

// desk is a person's absence, as it is on record, and the real cases that they
// hold tasks in.
type desk struct {
	*testing.T
	env      *testsuite.TestWorkflowEnvironment
	now      func() time.Time
	absence  casework.Absence
	handOver casework.StaffHandOver
	cases    map[string]*casework.Case
	staff    map[string]casework.Staff
	looks    []string // when the cases were asked for
	failing  int      // how many looks fail
}

var (
	wang = casework.Staff{ID: "tf-01", Name: "王专", Active: true, Roles: []casework.Role{casework.Taskforce}, Districts: []casework.District{casework.AllDistricts}}
	li   = casework.Staff{ID: "tf-02", Name: "李班", Active: true, Roles: []casework.Role{casework.Taskforce}, Districts: []casework.District{"340223"}}
	chu  = casework.Staff{ID: "tf-03", Name: "褚专", Active: true, Roles: []casework.Role{casework.Taskforce}, Districts: []casework.District{"340281"}}
)

func newDesk(t *testing.T, deputy casework.Staff) *desk {
	t.Helper()
	suite := &testsuite.WorkflowTestSuite{}
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	d := &desk{
		T: t, env: suite.NewTestWorkflowEnvironment(), cases: map[string]*casework.Case{},
		absence:  casework.Absence{ID: "a", Person: wang.ID, Deputy: deputy.ID, From: monday.Add(time.Hour), To: monday.Add(4 * time.Hour)},
		handOver: casework.StaffHandOver{ID: "h", Person: wang.ID, To: deputy.ID, Leaving: true},
		staff:    map[string]casework.Staff{wang.ID: wang, li.ID: li, chu.ID: chu},
	}
	d.now = d.env.Now
	d.env.SetStartTime(monday)
	d.env.SetTestTimeout(20 * time.Second)
	effects := effects(newRecords(), kept)
	effects.HandOvers = &activities.HandOvers{Book: d, Cases: d, Now: d.env.Now}
	worker.Register(d.env, effects)
	for _, number := range []string{"W1", "W2"} {
		k := casework.NewCase(number, request(), casework.Terms{}, staff, monday)
		k.Need(casework.ContactCustomer, "", 1, monday, monday)
		d.cases[number] = k
		d.act(number, casework.AssignTask{By: as(casework.TaskforceOffice), Task: number + "-T1", To: wang.Actor()})
	}
	return d
}

// act does something to a case at once.
func (d *desk) act(number string, a casework.Action) {
	d.Helper()
	_, err := d.Do(d.Context(), number, a, "")
	require.NoError(d, err)
}

func (d *desk) holders() map[string]string {
	holders := map[string]string{}
	for number, k := range d.cases {
		for i := range k.Tasks {
			holders[number] = k.Tasks[i].Assignee
		}
	}
	return holders
}

func (d *desk) Do(_ context.Context, number string, a casework.Action, _ string) (contract.Done, error) {
	next, err := d.cases[number].Try(a, d.now())
	if err == nil {
		next.TakeChanges()
		d.cases[number] = next
	}
	return contract.Done{}, err
}

func (d *desk) Absence(context.Context, string) (casework.Absence, error) { return d.absence, nil }

func (d *desk) StaffHandOver(context.Context, string) (casework.StaffHandOver, error) {
	return d.handOver, nil
}

func (d *desk) FinishHandOver(_ context.Context, _ string, at time.Time) (casework.StaffHandOver, error) {
	d.handOver.DoneAt = at
	return d.handOver, nil
}

func (d *desk) Staff(_ context.Context, id string) (casework.Staff, error) { return d.staff[id], nil }

func (d *desk) AbsencesOf(context.Context, []string, time.Time, time.Time) ([]casework.Absence, error) {
	return nil, nil
}

func (d *desk) Held(_ context.Context, person, after string, _ int) ([]casework.HeldCase, error) {
	if after == "" {
		d.looks = append(d.looks, casework.Clock(d.now())[11:])
	}
	if d.failing > 0 {
		d.failing--
		return nil, errors.New("the database is down")
	}
	for _, number := range []string{"W1", "W2"} {
		if number > after && d.holders()[number] == person {
			return []casework.HeldCase{{Case: number, Tasks: []string{number + "-T1"}}}, nil
		}
	}
	return nil, nil
}

func (d *desk) NoteHanding(context.Context, string, []casework.HeldCase) error { return nil }

func (d *desk) SettleHanding(context.Context, string, string, []string, time.Time) error { return nil }

func (d *desk) TellHanding(context.Context, string, func([]casework.HandedTask) []casework.Message) error {
	return nil
}

// at does something at a moment.
func (d *desk) at(clock string, do func()) {
	d.env.RegisterDelayedCallback(do, at(d.T, "2026-11-23 "+clock).Sub(monday))
}

func (d *desk) run() {
	d.Helper()
	d.env.ExecuteWorkflow(contract.AbsenceWorkflow, contract.AbsenceInput{Absence: d.absence})
	require.True(d, d.env.IsWorkflowCompleted())
	require.NoError(d, d.env.GetWorkflowError())
}

// Tasks stay until the absence begins, then go to the deputy. What is given to
// the absent person nonetheless follows within a quarter of an hour; what they
// take themselves stays with them.
func TestTasksMoveWhenTheAbsenceBegins(t *testing.T) {
	t.Parallel()
	d := newDesk(t, li)
	d.at("10:59", func() { require.Equal(t, map[string]string{"W1": wang.ID, "W2": wang.ID}, d.holders()) })
	d.at("11:01", func() {
		require.Equal(t, map[string]string{"W1": li.ID, "W2": li.ID}, d.holders())
		d.act("W1", casework.AssignTask{By: as(casework.TaskforceOffice), Task: "W1-T1", To: wang.Actor()})
		d.act("W2", casework.ReleaseTask{By: as(casework.TaskforceOffice), Task: "W2-T1"})
		d.act("W2", casework.ClaimTask{By: casework.By{Actor: wang.Actor()}, Task: "W2-T1"})
	})
	d.at("11:16", func() { require.Equal(t, map[string]string{"W1": li.ID, "W2": wang.ID}, d.holders()) })
	d.run()
	require.Equal(t, "11:00", d.looks[0])
	require.Equal(t, "13:45", d.looks[len(d.looks)-1], "nothing is asked for once it is over")
	require.Len(t, d.looks, 12)
	require.Equal(t, map[string]string{"W1": li.ID, "W2": wang.ID}, d.holders())
}

func TestUnsuitableDeputyLeavesTasksToTheDepartment(t *testing.T) {
	t.Parallel()
	d := newDesk(t, chu)
	d.run()
	require.Equal(t, map[string]string{"W1": "", "W2": ""}, d.holders())
}

func TestEndedEarlyMovesNothingMore(t *testing.T) {
	t.Parallel()
	d := newDesk(t, li)
	d.at("11:40", func() {
		d.absence.EndedAt = d.env.Now()
		d.env.SignalWorkflow(contract.AbsenceChanged, nil)
	})
	d.run()
	require.Equal(t, []string{"11:00", "11:15", "11:30"}, d.looks)
	require.Equal(t, "11:40", casework.Clock(d.env.Now())[11:])

	cancelled := newDesk(t, li)
	cancelled.at("10:30", func() {
		cancelled.absence.EndedAt = cancelled.env.Now()
		cancelled.env.SignalWorkflow(contract.AbsenceChanged, nil)
	})
	cancelled.run()
	require.Empty(t, cancelled.looks)
	require.Equal(t, map[string]string{"W1": wang.ID, "W2": wang.ID}, cancelled.holders())

	// The signal is lost: the record is read at the next look.
	lost := newDesk(t, li)
	lost.at("11:40", func() { lost.absence.EndedAt = lost.env.Now() })
	lost.run()
	require.Equal(t, []string{"11:00", "11:15", "11:30"}, lost.looks)
}

func TestCaseThatEndedMeanwhileIsPassedOver(t *testing.T) {
	t.Parallel()
	d := newDesk(t, li)
	d.at("10:30", func() {
		// The list still shows a task of a case that has ended.
		d.cases["W1"].Status = casework.Closed
	})
	d.run()
	require.Equal(t, li.ID, d.holders()["W2"])
}

func TestHandingOverIsTriedUntilItSucceeds(t *testing.T) {
	t.Parallel()
	d := newDesk(t, li)
	d.failing = 3
	d.run()
	require.Equal(t, []string{"11:00", "11:00", "11:00", "11:00"}, d.looks[:4])
	require.Equal(t, map[string]string{"W1": li.ID, "W2": li.ID}, d.holders())
}

// A year's absence does not grow one history for ever.
func TestLongAbsenceContinuesAsNew(t *testing.T) {
	t.Parallel()
	d := newDesk(t, li)
	d.absence.To = d.absence.From.AddDate(0, 0, 30)
	d.env.ExecuteWorkflow(contract.AbsenceWorkflow, contract.AbsenceInput{Absence: d.absence})
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, d.env.GetWorkflowError(), &next)
	require.Equal(t, contract.AbsenceWorkflow, next.WorkflowType.Name)
	require.Len(t, d.looks, 400)
}

// Who leaves hands everything over at once, and what was under way a minute
// later.
func TestLeavingHandsEverythingOver(t *testing.T) {
	t.Parallel()
	d := newDesk(t, li)
	answered := ""
	d.env.RegisterDelayedCallback(func() {
		d.env.UpdateWorkflow(contract.HandedOver, "wait", &waiter{done: func() { answered = casework.Clock(d.env.Now())[11:] }})
	}, 0)
	d.env.RegisterDelayedCallback(func() {
		require.Equal(t, map[string]string{"W1": li.ID, "W2": li.ID}, d.holders())
		d.act("W1", casework.AssignTask{By: as(casework.TaskforceOffice), Task: "W1-T1", To: wang.Actor()})
	}, 30*time.Second)
	d.env.ExecuteWorkflow(contract.HandOverWorkflow, contract.HandOverInput{HandOver: d.handOver})
	require.NoError(t, d.env.GetWorkflowError())
	require.Equal(t, map[string]string{"W1": li.ID, "W2": li.ID}, d.holders())
	require.Equal(t, "10:00", answered)
	require.Equal(t, []string{"10:00", "10:01"}, d.looks)
}

// waiter takes the answer to an update.
type waiter struct{ done func() }

func (w *waiter) Accept()      {}
func (w *waiter) Reject(error) {}
func (w *waiter) Complete(_ any, err error) {
	if err == nil {
		w.done()
	}
}
