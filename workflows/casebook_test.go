package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
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
	mu       sync.Mutex
	cases    map[string]*ledger
	notices  calendar.Notices
	faults   []string
	down     bool
	receipt  casework.Receipt // of the service case, if it is one
	passed   []casework.Receipt
	messages map[string][]byte // files that came along, by the message that brought them
	started  []string
}

// ledger holds the records of one case.
type ledger struct {
	events      []casework.Event
	tasks       map[string]casework.Task
	deadlines   map[string]casework.Deadline
	escalations map[string]casework.Escalation
	fired       []casework.Escalation // in the order in which they fired
	documents   []casework.Document
	messages    []casework.Message
	holdings    map[int]casework.Holding
	snapshot    *casework.Case
}

func newRecords() *records { return &records{cases: map[string]*ledger{}, notices: calendar.Seed()} }

// of gives the ledger of a case, which may be empty yet.
func (r *records) of(number string) *ledger {
	l, ok := r.cases[number]
	if !ok {
		l = &ledger{tasks: map[string]casework.Task{}, deadlines: map[string]casework.Deadline{}, escalations: map[string]casework.Escalation{}, holdings: map[int]casework.Holding{}}
		r.cases[number] = l
	}
	return l
}

// breakDown makes the records refuse to be written, or take them again.
func (r *records) breakDown(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

func (r *records) Save(_ context.Context, k *casework.Case, c casework.Changes) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down {
		return errors.New("the database is down")
	}
	l := r.of(k.Number)
	for _, fault := range l.save(k, c) {
		r.faults = append(r.faults, k.Number+": "+fault)
	}
	return nil
}

func (l *ledger) save(k *casework.Case, c casework.Changes) (faults []string) {
	l.snapshot = k.Clone()
	for _, e := range c.Events {
		if want := int64(len(l.events)) + 1; e.N != want {
			faults = append(faults, fmt.Sprintf("event %d where %d was due", e.N, want))
		}
		l.events = append(l.events, e)
	}
	if k.Version != int64(len(l.events)) {
		faults = append(faults, fmt.Sprintf("version %d after %d events", k.Version, len(l.events)))
	}
	for _, t := range c.Tasks {
		l.tasks[t.ID] = t
	}
	for _, d := range c.Deadlines {
		l.deadlines[d.ID] = d
	}
	for _, e := range c.Escalations {
		if old, ok := l.escalations[e.ID]; ok && !e.FiredAt.Equal(old.FiredAt) {
			faults = append(faults, "rung fired twice: "+e.ID)
		}
		if _, known := l.escalations[e.ID]; !known {
			l.fired = append(l.fired, e)
		}
		l.escalations[e.ID] = e
	}
	l.documents = append(l.documents, c.Documents...)
	l.messages = append(l.messages, c.Messages...)
	for _, h := range c.Holdings {
		l.holdings[h.N] = h
	}
	live := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(l.tasks)) {
		t := l.tasks[id]
		key := string(t.Kind) + "/" + t.Qualifier
		if t.State != casework.TaskOpen {
			continue
		}
		if other, twice := live[key]; twice {
			faults = append(faults, "live twice: "+other+" and "+id)
		}
		live[key] = id
	}
	return faults
}

func (r *records) Case(_ context.Context, number string) (*casework.Case, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of(number).snapshot, nil
}

func (r *records) Notices(context.Context) (calendar.Notices, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.notices, nil
}

// announce puts another table of notices in force.
func (r *records) announce(n calendar.Notices) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notices = n
}

// count tells how many events of a kind a case has.
func (l *ledger) count(kind casework.EventKind) int {
	n := 0
	for _, e := range l.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// rung is one rung that fired, as a test compares it.
type rung struct{ Of, At string }

// rungs lists what fired, in the order of the history.
func (l *ledger) rungs() []rung {
	var fired []rung
	for _, e := range l.events {
		if e.Kind == casework.RungFired {
			fired = append(fired, rung{e.Task, casework.Clock(e.At)})
		}
	}
	return fired
}

// draft stands in for the archive and the drafts.
func draft(kind casework.DocumentKind, _ *casework.Case, _ time.Time) (string, []byte, error) {
	return kind.Name(), []byte(kind), nil
}

type archiveFunc func(key string) (int64, string, error)

func (f archiveFunc) Put(_ context.Context, key, _ string, _ io.Reader) (int64, string, error) {
	return f(key)
}

// kept is an archive that is up.
func kept(string) (int64, string, error) { return 1, "00", nil }

func termsInForce(context.Context) (casework.Terms, error) { return policy.Default().Terms(), nil }

// Attachment gives the file that a test put into a message.
func (r *records) Attachment(_ context.Context, a casework.Attachment) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	content, ok := r.messages[a.Message]
	if !ok {
		return nil, errors.New("no such message")
	}
	return content, nil
}

// effects are the activities over records in memory.
func effects(r *records, archive archiveFunc) worker.Activities {
	return worker.Activities{
		Records: &activities.Records{Recorder: r}, Deadlines: &activities.Deadlines{Calendars: r},
		Documents:    &activities.Documents{Cases: r, Archive: archive, Write: draft},
		Calendar:     &activities.Calendar{Records: r, Terms: termsInForce},
		HandOvers:    &activities.HandOvers{},
		Billing:      &activities.Billing{Cases: r, Now: time.Now},
		Certificates: &activities.Certificates{Receipts: r, Archive: archive},
		Attachments:  &activities.Attachments{Messages: r, Archive: archive},
		Passes:       &activities.Passes{Book: r, Cases: r, Serves: servesBoth},
	}
}

// book runs one connection's workflow in skipped time and lets people act on it.
type book struct {
	t       *testing.T
	env     *testsuite.TestWorkflowEnvironment
	records *records
	*ledger // of the connection itself
	input   contract.CaseInput
	archive archiveFunc
	updates int
	full    bool // the next update is the last that the run's history has room for
}

const (
	caseNumber    = "W20261123-00001"
	upgradeNumber = caseNumber + "-U1"
)

// monday is a Monday at ten in the morning, far from any holiday.
var monday = time.Date(2026, 11, 23, 10, 0, 0, 0, calendar.Shanghai)

var staff = casework.Actor{ID: "all-01", Name: "全能", Department: "taskforce", Roles: casework.Roles()[:10], Districts: []casework.District{casework.AllDistricts}}

var (
	byStaff    = casework.By{Actor: staff}
	byCustomer = casework.By{Actor: casework.AsCustomer()}
)

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
	return newBookAt(t, monday, newRecords())
}

// newBookAt begins at a moment, with the records of an earlier book or none.
func newBookAt(t *testing.T, start time.Time, r *records) *book {
	t.Helper()
	suite := &testsuite.WorkflowTestSuite{}
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	b := &book{
		archive: kept,
		t:       t, env: suite.NewTestWorkflowEnvironment(), records: r, ledger: r.of(caseNumber),
		input: contract.CaseInput{Number: caseNumber, Request: request(), Terms: policy.Default().Terms(), By: staff},
	}
	b.env.SetDataConverter(converter.GetDefaultDataConverter())
	b.env.SetStartTime(start)
	b.env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: contract.WorkflowID(caseNumber), TaskQueue: contract.TaskQueue})
	b.env.SetTestTimeout(20 * time.Second)
	b.env.SetDetachedChildWait(false)
	worker.Register(b.env, effects(r, func(key string) (int64, string, error) { return b.archive(key) }))
	return b
}

// run plays a callback beside the workflow and returns when the case has ended.
func (b *book) run(script func()) {
	b.t.Helper()
	b.env.RegisterDelayedCallback(script, 0)
	kind := casework.ConnectionCase
	if b.input.Service != nil {
		kind = b.input.Service.Service
	}
	b.env.ExecuteWorkflow(contract.WorkflowOf(kind), b.input)
	require.True(b.t, b.env.IsWorkflowCompleted())
	require.Empty(b.t, b.records.faults)
}

// after goes on when time has passed.
func (b *book) after(d time.Duration, next func()) { b.env.RegisterDelayedCallback(next, d) }

// clock is the workflow's time as people read it.
func (b *book) clock() string { return casework.Clock(b.env.Now()) }

// step is one thing that people do; it calls resume when it is done.
type step func(resume func())

// people act on a case one step after the other, in the workflow's own time.
type people struct {
	*book
	*ledger
	number string
	yield  func(step) bool
}

// play runs the workflow beside people who act on it. The script may go on to
// look at the records after the case has ended, but not act any more.
func (b *book) play(script func(p *people)) {
	b.t.Helper()
	// A second passes first, in which the case is opened.
	b.playFrom(time.Second, script)
}

// playFrom is play with people who begin to act when some time has passed.
func (b *book) playFrom(begin time.Duration, script func(p *people)) {
	b.t.Helper()
	next, _ := iter.Pull(func(yield func(step) bool) { script(&people{b, b.ledger, b.input.Number, yield}) })
	finished := false
	var resume func()
	resume = func() {
		if do, more := next(); more {
			do(resume)
		} else {
			finished = true
		}
	}
	if begin == 0 {
		b.run(resume)
	} else {
		b.run(func() { b.after(begin, resume) })
	}
	for !finished {
		_, more := next()
		finished = !more
	}
}

// on gives the same people acting on another case.
func (p *people) on(number string) *people {
	return &people{p.book, p.records.of(number), number, p.yield}
}

// wait lets time pass.
func (p *people) wait(d time.Duration) {
	p.yield(func(resume func()) { p.after(d, resume) })
}

// until lets time pass up to a moment, written as people read it.
func (p *people) until(clock string) {
	p.t.Helper()
	moment := at(p.t, clock)
	require.True(p.t, moment.After(p.env.Now()), "%s lies before %s", clock, p.clock())
	p.wait(moment.Sub(p.env.Now()))
}

// try sends an action and gives the refusal, or nil. Accepted tells that the
// action went past the validator into the history.
func (p *people) try(a casework.Action) (accepted bool, refusal error) {
	p.t.Helper()
	require.False(p.t, p.env.IsWorkflowCompleted(), "the case has ended already")
	p.updates++
	id := fmt.Sprintf("update-%d", p.updates)
	p.yield(func(resume func()) {
		end := func(err error) {
			refusal = err
			p.after(0, resume)
		}
		err := p.env.UpdateWorkflowByID(contract.WorkflowID(p.number), contract.UpdateName(a), id, &testsuite.TestUpdateCallback{
			OnAccept: func() {
				accepted = true
				if p.full {
					p.env.SetContinueAsNewSuggested(true)
				}
			},
			OnReject:   end,
			OnComplete: func(_ any, err error) { end(err) },
		}, a)
		if err != nil {
			end(err)
		}
	})
	return accepted, refusal
}

// must sends actions one after the other, each of which must be accepted.
func (p *people) must(actions ...casework.Action) {
	p.t.Helper()
	for _, a := range actions {
		accepted, err := p.try(a)
		require.NoError(p.t, err, "%T %+v", a, a)
		require.True(p.t, accepted, "%T was not answered", a)
		// A second passes between two actions, in which drafts are written.
		p.wait(time.Second)
	}
}

// refused sends an action that must be refused with a code, before anything
// is recorded.
func (p *people) refused(code string, a casework.Action) *casework.Fault {
	p.t.Helper()
	before, events := p.snapshot, len(p.events)
	accepted, err := p.try(a)
	require.Error(p.t, err, "%T", a)
	require.False(p.t, accepted, "the refusal went into the history")
	f, ok := contract.FaultOf(err)
	require.True(p.t, ok, "%v", err)
	require.Equal(p.t, code, f.Code, f.Error())
	require.Len(p.t, p.events, events)
	require.Same(p.t, before, p.snapshot, "a refusal was saved")
	return f
}

func (l *ledger) ended() bool { return l.snapshot != nil && l.snapshot.Status.Ended() }

// task gives the one live task of a kind.
func (p *people) task(kind casework.TaskKind) casework.Task {
	p.t.Helper()
	for _, t := range p.snapshot.Tasks {
		if t.Kind == kind {
			return t
		}
	}
	require.FailNow(p.t, "no such task", "%s among %s", kind, p.kinds())
	return casework.Task{}
}

// kinds lists the live tasks.
func (l *ledger) kinds() []string {
	kinds := []string{}
	for i := range l.snapshot.Tasks {
		t := &l.snapshot.Tasks[i]
		kind := string(t.Kind)
		if t.Qualifier != "" {
			kind += "/" + t.Qualifier
		}
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return kinds
}

// complete gives the actions that complete a task, papers first.
func complete(k *casework.Case, t casework.Task, c demo.Choices, now time.Time) []casework.Action {
	var actions []casework.Action
	c.Checklist, c.Gas = k.Checklist(t.Kind), k.Request.Utility == casework.Gas
	a := demo.AnswerTo(t, c, now)
	for _, kind := range a.Papers {
		id := fmt.Sprintf("paper-%s-%s", t.ID, kind)
		if t.Kind == casework.Rectify {
			a.Input = casework.RectificationInput{Measures: "已修复", Evidence: id}
		}
		actions = append(actions, casework.AttachDocument{By: byStaff, Document: casework.Document{ID: id, Kind: kind, Title: id + ".pdf", Key: id}})
	}
	if a.Customer && k.AcceptanceConfirmed.IsZero() {
		actions = append(actions, casework.ConfirmAcceptance{By: byCustomer})
	}
	done := enter(t, a.Input)
	done.Checked = a.Checked
	return append(actions, done)
}

// enter completes a task with an input as it is.
func enter(t casework.Task, input any) casework.CompleteTask {
	b, err := json.Marshal(input)
	if err != nil {
		panic(err)
	}
	return casework.CompleteTask{By: byStaff, Task: t.ID, Kind: t.Kind, Input: b}
}

// finish completes the live task of a kind, the straight way unless chosen
// otherwise, and gives the task as it was opened.
func (p *people) finish(kind casework.TaskKind, choices ...demo.Choices) casework.Task {
	p.t.Helper()
	t := p.task(kind)
	p.must(complete(p.snapshot, t, one(choices), p.env.Now())...)
	return t
}

func one(choices []demo.Choices) demo.Choices {
	if len(choices) == 0 {
		return demo.Choices{}
	}
	return choices[0]
}

// reach completes task after task until one of a kind is open.
func (p *people) reach(kind casework.TaskKind, choices ...demo.Choices) casework.Task {
	p.t.Helper()
	for range 100 {
		require.False(p.t, p.ledger.ended(), "the case ended before %s", kind)
		for _, t := range p.snapshot.Tasks {
			if t.Kind == kind {
				return t
			}
		}
		require.NotEmpty(p.t, p.snapshot.Tasks, "nothing to do before %s", kind)
		p.must(complete(p.snapshot, p.snapshot.Tasks[0], one(choices), p.env.Now())...)
	}
	require.FailNow(p.t, "a hundred tasks did not lead there", "%s", kind)
	return casework.Task{}
}

// straight completes what is open, task after task, until the case has ended.
func (p *people) straight(choices ...demo.Choices) {
	p.t.Helper()
	for range 100 {
		if p.ledger.ended() {
			return
		}
		require.NotEmpty(p.t, p.snapshot.Tasks, "nothing to do in %s", p.snapshot.Stage)
		p.must(complete(p.snapshot, p.snapshot.Tasks[0], one(choices), p.env.Now())...)
	}
	require.FailNow(p.t, "a hundred tasks did not end the case")
}

// leave cancels the workflow of a case that a test does not play to its end.
func (p *people) leave() {
	p.yield(func(resume func()) {
		p.env.CancelWorkflow()
		p.after(0, resume)
	})
}

// at reads a moment as people write it, in UTC as the workflow keeps it.
func at(t *testing.T, clock string) time.Time {
	t.Helper()
	m, err := time.ParseInLocation("2006-01-02 15:04", clock, calendar.Shanghai)
	require.NoError(t, err)
	return m.UTC()
}

var errDown = errors.New("the archive is down")

// hours is the calendar by which the cases of these tests are counted.
func hours(t *testing.T) *calendar.Calendar {
	t.Helper()
	cal, err := calendar.New(calendar.Seed(), policy.Default().Hours)
	require.NoError(t, err)
	return cal
}

// permitsOf are the choices of a survey that finds permits necessary.
func permitsOf(needs ...casework.PermitNeed) demo.Choices { return demo.Choices{Permits: needs} }
