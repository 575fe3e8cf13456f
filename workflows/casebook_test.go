package workflows_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/demo"
	"github.com/curbstop/curbstop/policy"
	"github.com/curbstop/curbstop/worker"
)

// records is a store in memory that checks what PostgreSQL would refuse.
type records struct {
	events      []casework.Event
	tasks       map[string]casework.Task
	deadlines   map[string]casework.Deadline
	escalations map[string]casework.Escalation
	documents   []casework.Document
	snapshot    *casework.Case
	faults      []string
}

func (r *records) Save(_ context.Context, k *casework.Case, c casework.Changes) error {
	r.snapshot = k
	for _, e := range c.Events {
		if want := int64(len(r.events)) + 1; e.N != want {
			r.faults = append(r.faults, fmt.Sprintf("event %d where %d was due", e.N, want))
		}
		r.events = append(r.events, e)
	}
	for _, t := range c.Tasks {
		r.tasks[t.ID] = t
	}
	for _, d := range c.Deadlines {
		r.deadlines[d.ID] = d
	}
	for _, e := range c.Escalations {
		if old, ok := r.escalations[e.ID]; ok && e.AcknowledgedAt.Equal(old.AcknowledgedAt) {
			r.faults = append(r.faults, "rung fired twice: "+e.ID)
		}
		r.escalations[e.ID] = e
	}
	r.documents = append(r.documents, c.Documents...)
	live := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(r.tasks)) {
		t := r.tasks[id]
		key := string(t.Kind) + "/" + t.Qualifier
		if t.State != casework.TaskOpen {
			continue
		}
		if other, twice := live[key]; twice {
			r.faults = append(r.faults, "live twice: "+other+" and "+id)
		}
		live[key] = id
	}
	return nil
}

func (r *records) Case(context.Context, string) (*casework.Case, error) { return r.snapshot, nil }

func (r *records) Notices(context.Context) (calendar.Notices, error) { return calendar.Seed(), nil }

func (r *records) kinds() []casework.EventKind {
	var kinds []casework.EventKind
	for _, e := range r.events {
		if len(kinds) == 0 || kinds[len(kinds)-1] != e.Kind {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

// draft stands in for the archive and the drafts.
func (r *records) draft(kind casework.DocumentKind, _ *casework.Case, _ time.Time) (string, []byte, error) {
	return kind.Name(), []byte(kind), nil
}

// book runs one connection's workflow in skipped time and lets people act on it.
type book struct {
	t   *testing.T
	env *testsuite.TestWorkflowEnvironment
	*records
	updates int
}

const caseNumber = "W20261123-00001"

// monday is a Monday at ten in the morning, far from any holiday.
var monday = time.Date(2026, 11, 23, 10, 0, 0, 0, calendar.Shanghai)

var staff = casework.Actor{ID: "all-01", Name: "全能", Department: "taskforce", Roles: casework.Roles()[:10], Districts: []casework.District{casework.AllDistricts}}

func request() casework.Request {
	return casework.Request{
		Utility: casework.Water, Channel: casework.IndustrialPark, ExternalNumber: "park/1/water",
		Applicant: casework.Applicant{Name: "芜湖瑞安医疗器械有限公司", CreditCode: "91340223RDUELXGQ0Y"},
		Contact:   casework.Contact{Name: "秦刚丽", Phone: "13900007716"},
		Site:      casework.Site{District: "340223", Address: "芜湖市南陵县涌珠泉路287号"},
	}
}

func newBook(t *testing.T) *book {
	t.Helper()
	suite := &testsuite.WorkflowTestSuite{}
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	b := &book{t: t, env: suite.NewTestWorkflowEnvironment(), records: &records{
		tasks: map[string]casework.Task{}, deadlines: map[string]casework.Deadline{}, escalations: map[string]casework.Escalation{}}}
	b.env.SetDataConverter(converter.GetDefaultDataConverter())
	b.env.SetStartTime(monday)
	b.env.SetTestTimeout(20 * time.Second)
	archive := archiveFunc(func(string) (int64, string, error) { return 1, "00", nil })
	worker.Register(b.env, worker.Activities{
		Records: &activities.Records{Recorder: b.records}, Deadlines: &activities.Deadlines{Calendars: b.records},
		Documents: &activities.Documents{Cases: b.records, Archive: archive, Write: b.draft},
	})
	return b
}

// run plays the script beside the workflow and returns when the case has ended.
func (b *book) run(script func()) {
	b.t.Helper()
	b.env.RegisterDelayedCallback(script, 0)
	b.env.ExecuteWorkflow(contract.ConnectionWorkflow, contract.CaseInput{
		Number: caseNumber, Request: request(), Terms: policy.Default().Terms(), By: staff})
	require.True(b.t, b.env.IsWorkflowCompleted())
	require.Empty(b.t, b.faults)
}

// do sends an action and calls next with the refusal, or nil.
func (b *book) do(a casework.Action, next func(error)) {
	b.updates++
	b.env.UpdateWorkflow(contract.UpdateName(a), fmt.Sprintf("update-%d", b.updates), &testsuite.TestUpdateCallback{
		OnAccept:   func() {},
		OnReject:   func(err error) { next(err) },
		OnComplete: func(_ any, err error) { next(err) },
	}, a)
}

// must sends actions one after the other, each of which must be accepted.
func (b *book) must(next func(), actions ...casework.Action) {
	if len(actions) == 0 {
		next()
		return
	}
	b.do(actions[0], func(err error) {
		if err != nil {
			b.t.Errorf("%T: %v", actions[0], err)
			b.env.CancelWorkflow()
			return
		}
		// A second passes between two actions, in which drafts are written.
		b.after(time.Second, func() { b.must(next, actions[1:]...) })
	})
}

// after goes on when time has passed.
func (b *book) after(d time.Duration, next func()) { b.env.RegisterDelayedCallback(next, d) }

// complete gives the actions that complete a task, papers first.
func (b *book) complete(t casework.Task, c demo.Choices) []casework.Action {
	by := casework.By{Actor: staff}
	var actions []casework.Action
	a := demo.AnswerTo(t, c, b.env.Now())
	for _, kind := range a.Papers {
		id := fmt.Sprintf("paper-%s-%s", t.ID, kind)
		if t.Kind == casework.Rectify {
			a.Input = casework.RectificationInput{Measures: "已修复", Evidence: id}
		}
		actions = append(actions, casework.AttachDocument{By: by, Document: casework.Document{ID: id, Kind: kind, Title: id + ".pdf", Key: id}})
	}
	if a.Customer && b.snapshot.AcceptanceConfirmed.IsZero() {
		actions = append(actions, casework.ConfirmAcceptance{By: casework.By{Actor: casework.AsCustomer()}})
	}
	input, err := json.Marshal(a.Input)
	require.NoError(b.t, err)
	return append(actions, casework.CompleteTask{By: by, Task: t.ID, Kind: t.Kind, Input: input})
}

// work completes the open tasks one by one, with a pause of an hour of working
// life between them, until none is left or stop says so.
func (b *book) work(choose func(t casework.Task) (c demo.Choices, stop bool)) {
	again := func() { b.after(time.Minute, func() { b.work(choose) }) }
	if b.snapshot != nil && b.snapshot.Status.Ended() || b.env.IsWorkflowCompleted() {
		return
	}
	if b.env.Now().After(monday.Add(90 * 24 * time.Hour)) {
		b.t.Errorf("stuck in %s with %v", b.snapshot.Stage, b.snapshot.Tasks)
		b.env.CancelWorkflow()
		return
	}
	if b.snapshot == nil || len(b.snapshot.Tasks) == 0 {
		again()
		return
	}
	t := b.snapshot.Tasks[0]
	c, stop := choose(t)
	if stop {
		return
	}
	b.must(again, b.complete(t, c)...)
}

type archiveFunc func(key string) (int64, string, error)

func (f archiveFunc) Put(_ context.Context, key, _ string, _ io.Reader) (int64, string, error) {
	return f(key)
}
