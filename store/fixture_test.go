package store_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/seal"
	"github.com/curbstop/curbstop/store"
	"github.com/curbstop/curbstop/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// key seals in tests; it protects nothing.
const key = "test:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

// at is a moment of March 2026 in Shanghai; the 2nd is a Monday.
func at(day, hour, minute int) time.Time {
	return time.Date(2026, time.March, day, hour, minute, 0, 0, calendar.Shanghai)
}

// open gives a store on a database of its own, at noon of Wednesday the 4th.
func open(t testing.TB) *store.Store {
	t.Helper()
	return openAt(t, testkit.Database(t), key)
}

func openAt(t testing.TB, url, keys string) *store.Store {
	t.Helper()
	return openIn(t, url, keys, at(4, 12, 0))
}

// openIn is openAt at a moment.
func openIn(t testing.TB, url, keys string, now time.Time) *store.Store {
	t.Helper()
	ring, err := seal.ParseRing(keys)
	require.NoError(t, err)
	s, err := store.Open(t.Context(), url, store.Options{Ring: ring, Now: func() time.Time { return now }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// execute runs statements behind the store's back.
func execute(t testing.TB, url, statement string) error {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer connection.Close(context.WithoutCancel(t.Context()))
	_, err = connection.Exec(t.Context(), statement)
	return err
}

// tester is a test, or one try of a property.
type tester interface {
	require.TestingT
	Helper()
	Fatalf(format string, args ...any)
	Context() context.Context
}

func equal(t tester, want, got any) {
	t.Helper()
	// What a case has not handed over yet is not part of its state.
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(casework.Case{}), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("differs (-want +got):\n%s", diff)
	}
}

func refused(t testing.TB, err error, kind casework.FaultKind, code string) {
	t.Helper()
	require.Error(t, err)
	f := casework.AsFault(err)
	require.Equal(t, []string{string(kind), code}, []string{string(f.Kind), f.Code}, "%v", err)
	require.NotEmpty(t, f.ZH)
	require.NotEmpty(t, f.EN)
}

var (
	clerk    = casework.Actor{ID: "tf-01", Name: "陈专", Department: "taskforce", Roles: []casework.Role{casework.Taskforce}, Districts: []casework.District{casework.AllDistricts}}
	office   = casework.Actor{ID: "to-01", Name: "周办", Department: "taskforce", Roles: []casework.Role{casework.TaskforceOffice}, Districts: []casework.District{casework.AllDistricts}}
	engineer = casework.Actor{ID: "nw-01", Name: "吴网", Department: "network", Roles: []casework.Role{casework.Network}, Districts: []casework.District{casework.AllDistricts}}
)

func terms() casework.Terms {
	return casework.Terms{
		PolicyVersion: "2026-01",
		Lane:          casework.Lane101,
		Hours:         calendar.Hours{Spans: []calendar.Span{{From: 8*60 + 30, To: 12 * 60}, {From: 14 * 60, To: 17*60 + 30}}},
		Limits: map[casework.LimitName]calendar.Budget{
			"contact_customer": {Unit: calendar.WorkingDays, Days: 1},
			"assess_network":   {Unit: calendar.WorkingDays, Days: 2},
		},
		Ladder: []casework.Rung{
			{Name: casework.RungReminder, Before: calendar.Budget{Unit: calendar.WorkingTime, Time: 2 * time.Hour}},
			{Name: casework.RungBreach, To: casework.TaskforceOffice, Level: 1},
			{Name: casework.RungLead, To: casework.TaskforceLead, After: calendar.Budget{Unit: calendar.WorkingTime, Time: 2 * time.Hour}, Level: 2},
		},
		PauseReasons: []casework.PauseReason{casework.CustomerNotReady},
	}
}

func request() casework.Request {
	return casework.Request{
		Utility: casework.Water, Channel: casework.WanShiTong, ExternalNumber: "WST-1",
		Applicant: casework.Applicant{Name: "芜湖鸠兹食品有限公司", CreditCode: "91350100M000100Y43"},
		Contact:   casework.Contact{Name: "欧阳若兰", Phone: "13955301234"},
		Site:      casework.Site{District: "340202", Address: "镜湖区北京西路100%号"},
		Remark:    "请联系欧阳若兰",
		Extra:     map[string]json.RawMessage{"sender_field": json.RawMessage(`"13955301234"`)},
	}
}

// story is a case with everything that was saved of it.
type story struct {
	*casework.Case
	saved casework.Changes
	saves []save
}

// save is one call of Store.Save.
type save struct {
	snapshot *casework.Case
	changes  casework.Changes
}

func begin(number string, r casework.Request, received time.Time) *story {
	return &story{Case: casework.NewCase(number, r, terms(), casework.AsCustomer(), received)}
}

// act applies an action as a workflow does, at a moment.
func (y *story) act(t tester, a casework.Action, now time.Time) {
	t.Helper()
	require.False(t, y.Changed(), "save before the next action")
	next, err := y.Try(a, now)
	require.NoError(t, err)
	y.Case = next
}

// save works out the deadlines and saves what happened.
func (y *story) save(t tester, s *store.Store) {
	t.Helper()
	one := y.commit(t)
	require.NoError(t, s.Save(t.Context(), one.snapshot, one.changes))
}

// commit works out the deadlines and hands over what happened.
func (y *story) commit(t tester) save {
	t.Helper()
	cal, err := calendar.New(calendar.Seed(), y.Terms.Hours)
	require.NoError(t, err)
	stale := y.Unworked()
	for i := range stale {
		stale[i] = stale[i].WorkOut(cal, cal.Version())
	}
	y.Worked(stale, y.ReceivedAt)
	c := y.TakeChanges()
	y.saved.Events = append(y.saved.Events, c.Events...)
	y.saved.Touchpoints = append(y.saved.Touchpoints, c.Touchpoints...)
	one := save{y.Clone(), c}
	y.saves = append(y.saves, one)
	return one
}

// contactAndAssessment is the beginning of a connection: two departments at work.
func contactAndAssessment(number string, r casework.Request, received time.Time) *story {
	y := begin(number, r, received)
	y.Need(casework.ContactCustomer, "", 1, received, received)
	y.Need(casework.AssessNetwork, "", 1, received, received)
	return y
}

// answered is such a beginning under a policy whose rungs must be answered
// within some working time.
func answered(number string, received time.Time, within time.Duration) *story {
	rules := terms()
	for i := range rules.Ladder {
		if rules.Ladder[i].Level > 0 {
			rules.Ladder[i].Answer = calendar.Budget{Unit: calendar.WorkingTime, Time: within}
		}
	}
	y := &story{Case: casework.NewCase(number, request(), rules, casework.AsCustomer(), received)}
	y.Need(casework.ContactCustomer, "", 1, received, received)
	return y
}

// busyWeek takes a case through actions that together write to every table.
func busyWeek(t testing.TB, s *store.Store) *story {
	t.Helper()
	y := contactAndAssessment("W20260302-00001", request(), at(2, 9, 0))
	y.save(t, s)
	y.act(t, casework.ClaimTask{By: casework.By{Actor: clerk}, Task: y.Number + "-T1"}, at(2, 9, 30))
	y.save(t, s)
	y.act(t, casework.AttachDocument{By: casework.By{Actor: clerk}, Document: casework.Document{
		ID: "d1", Kind: casework.Evidence, Title: "欧阳若兰身份证.pdf", MediaType: "application/pdf", Size: 7, SHA256: "00", Key: "k/d1",
	}}, at(2, 10, 0))
	y.save(t, s)
	y.Fire(at(3, 16, 0)) // the contact's reminder
	y.save(t, s)
	y.Fire(at(3, 17, 30)) // its breach
	y.save(t, s)
	y.act(t, casework.AcknowledgeEscalation{
		By: casework.By{Actor: office}, Escalation: y.Number + "-T1/breach", Note: "已电话催办 13955301234",
	}, at(3, 18, 0))
	y.save(t, s)
	y.act(t, casework.CompleteTask{
		By: casework.By{Actor: clerk}, Task: y.Number + "-T1", Input: json.RawMessage(`{"by":"phone","note":"与欧阳若兰通话"}`),
	}, at(4, 9, 0))
	y.Need(casework.BriefCustomer, "", 1, at(4, 9, 0), at(4, 9, 0))
	y.save(t, s)
	phone := casework.Contact{Name: "司马清", Phone: "13855305678"}
	y.act(t, casework.AmendRequest{By: casework.By{Actor: clerk}, Contact: &phone, Reason: "联系人由欧阳若兰改为司马清"}, at(4, 10, 0))
	y.save(t, s)
	return y
}

// records is everything that the store tells of one case.
type records struct {
	Case        *casework.Case
	Lines       []casework.CaseLine
	Tasks       []casework.TaskLine
	Events      []casework.Event
	Touchpoints []casework.Touchpoint
	Deadlines   []casework.Deadline
	Escalations []casework.Escalation
	Messages    []casework.MessageLine
}

func read(t tester, s *store.Store, number string) (r records) {
	t.Helper()
	ctx := t.Context()
	var err error
	r.Case, err = s.Case(ctx, number)
	require.NoError(t, err)
	r.Lines, _, err = s.Cases(ctx, casework.CaseFilter{Text: number})
	require.NoError(t, err)
	r.Tasks, _, err = s.Tasks(ctx, casework.TaskFilter{Case: number})
	require.NoError(t, err)
	r.Events, _, err = s.Timeline(ctx, number, casework.Page{Limit: 200})
	require.NoError(t, err)
	r.Touchpoints, err = s.Touchpoints(ctx, number)
	require.NoError(t, err)
	r.Deadlines, err = s.Deadlines(ctx, number)
	require.NoError(t, err)
	r.Escalations, _, err = s.Escalations(ctx, casework.EscalationFilter{Case: number})
	require.NoError(t, err)
	r.Messages, _, err = s.Messages(ctx, casework.MessageFilter{Case: number})
	require.NoError(t, err)
	return r
}
