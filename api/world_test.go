package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/policy"
	"github.com/curbstop/curbstop/reports"
	"github.com/curbstop/curbstop/seal"
)

// The moment of every test: Tuesday 1 December 2026, 10:00 in Wuhu.
var noon = time.Date(2026, 12, 1, 10, 0, 0, 0, calendar.Shanghai)

var testKey = []byte("0123456789abcdef0123456789abcdef")

// world is an API with everything around it in memory.
type world struct {
	*memory
	api  *API
	ring *seal.Ring
	log  *bytes.Buffer
}

// newWorld makes one with a member of staff for each role, named after it, who
// works in the whole city, and "tf-wuwei" of the taskforce, who works in 无为市.
func newWorld(t testing.TB, change ...func(*Options)) *world {
	t.Helper()
	m := &memory{
		almanac: newAlmanac(), pipes: &pipes{}, cases: map[string]*casework.Case{}, receipts: map[string]casework.Receipt{}, billed: map[string]casework.BillingRequest{}, lines: map[string]casework.TaskLine{},
		staff: map[string]casework.Staff{}, hashes: map[string]string{}, done: map[string]contract.Done{}, bound: map[string]string{}, blobs: map[string][]byte{},
		held: map[string][]casework.Holding{},
	}
	for _, r := range casework.Roles() {
		m.hire(string(r), r, casework.AllDistricts)
	}
	m.policies = []casework.PublishedPolicy{{Version: policy.Default().Version, Name: policy.Default().Name, Text: policy.Default().Text()}}
	m.hire("tf-wuwei", casework.Taskforce, "340281")
	ring, err := seal.ParseRing(seal.NewKey("test"))
	require.NoError(t, err)
	w := &world{memory: m, ring: ring, log: &bytes.Buffer{}}
	o := Options{
		Store: m, Desk: m, Archive: m, Ring: ring, Printout: printed, Paper: drafted, Auth: AuthOptions{JWTKey: testKey}, Now: func() time.Time { return noon },
		Logger: slog.New(slog.NewTextHandler(&locked{w: w.log}, nil)), PublicURL: "https://water.example.cn",
		TemporalUIURL: "https://temporal.example.cn/", Version: "1.2.3",
		Limits: Limits{PublicPerMinute: 1000, SessionsPerMinute: 1000},
	}
	for _, c := range change {
		c(&o)
	}
	w.api, err = New(o)
	require.NoError(t, err)
	return w
}

type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// asked is a request to be made.
type asked struct {
	as      string // staff number; empty: nobody
	method  string // GET where empty, POST where there is a body
	path    string
	body    any // marshalled unless a string, []byte or io.Reader
	headers map[string]string
}

var keys sync.Map

// key gives a fresh Idempotency-Key.
func key() string {
	n, _ := keys.LoadOrStore("n", &struct {
		sync.Mutex
		n int
	}{})
	c, _ := n.(*struct {
		sync.Mutex
		n int
	})
	c.Lock()
	defer c.Unlock()
	c.n++
	return fmt.Sprintf("key-%06d", c.n)
}

func (w *world) ask(t testing.TB, q asked) *httptest.ResponseRecorder {
	t.Helper()
	var body io.Reader
	switch b := q.body.(type) {
	case nil:
	case string:
		body = strings.NewReader(b)
	case []byte:
		body = bytes.NewReader(b)
	case io.Reader:
		body = b
	default:
		raw, err := json.Marshal(b)
		require.NoError(t, err)
		body = bytes.NewReader(raw)
	}
	method := q.method
	if method == "" && body != nil {
		method = http.MethodPost
	}
	r := httptest.NewRequestWithContext(t.Context(), method, q.path, body)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if r.Method != http.MethodGet {
		r.Header.Set("Idempotency-Key", key())
	}
	if q.as != "" {
		r.Header.Set("Authorization", "Bearer "+w.token(t, q.as))
	}
	for name, value := range q.headers {
		if value == "" {
			r.Header.Del(name)
			continue
		}
		r.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	w.api.Handler().ServeHTTP(rec, r)
	return rec
}

// act does something that must succeed.
func (w *world) act(t testing.TB, q asked) *httptest.ResponseRecorder {
	t.Helper()
	rec := w.ask(t, q)
	require.Less(t, rec.Code, 300, rec.Body.String())
	return rec
}

func (w *world) token(t testing.TB, id string) string {
	t.Helper()
	token, err := IssueToken(testKey, id, time.Hour, noon)
	require.NoError(t, err)
	return token
}

// read decodes an answer.
func read[T any](t testing.TB, rec *httptest.ResponseRecorder, status int) T {
	t.Helper()
	require.Equal(t, status, rec.Code, rec.Body.String())
	var v T
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &v), rec.Body.String())
	return v
}

// refused checks that an answer is a problem of a status and code with both
// languages, and gives it.
func refused(t testing.TB, rec *httptest.ResponseRecorder, status int, code string) Problem {
	t.Helper()
	p := read[Problem](t, rec, status)
	require.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"))
	require.Equal(t, code, p.Code, rec.Body.String())
	require.Equal(t, "/problems/"+code, p.Type)
	require.Equal(t, status, p.Status)
	require.NotEmpty(t, p.Title)
	require.NotEmpty(t, p.RequestID)
	require.Equal(t, p.ZH+" "+p.EN, p.Detail)
	requireBoth(t, p.ZH, p.EN)
	for _, f := range p.Errors {
		requireBoth(t, f.ZH, f.EN)
	}
	return p
}

func requireBoth(t testing.TB, zh, en string) {
	t.Helper()
	require.True(t, strings.ContainsFunc(zh, func(r rune) bool { return r >= '一' && r <= '鿿' }), "no Chinese: %q", zh)
	require.True(t, strings.ContainsFunc(en, func(r rune) bool { return r >= 'a' && r <= 'z' }), "no English: %q", en)
}

func fields(p Problem) []string {
	var names []string
	for _, f := range p.Errors {
		names = append(names, f.Field)
	}
	slices.Sort(names)
	return names
}

var testTerms = casework.Terms{
	PolicyVersion: "test", Lane: casework.Lane101, Hours: calendar.AlwaysOpen,
	PauseReasons: []casework.PauseReason{casework.CustomerNotReady},
	Limits:       map[casework.LimitName]calendar.Budget{"contact_customer": {Unit: calendar.WorkingDays, Days: 1}},
	Ladder:       []casework.Rung{{Name: casework.RungBreach, To: casework.TaskforceOffice, Level: 1}},
}

func goodRequest() casework.Request {
	return casework.Request{
		Utility: casework.Water, Channel: casework.ServiceHallDesk, ExternalNumber: "A-1",
		Applicant: casework.Applicant{Name: "芜湖泰盛汽车零部件有限公司", CreditCode: "91340281WKEFY5QE4Y"},
		Contact:   casework.Contact{Name: "沈兰英", Phone: "13800001653"},
		Site:      casework.Site{District: "340281", Address: "芜湖市无为市凤河路30号"},
		Demand:    casework.Demand{Use: "消防用水", DailyVolume: 120, Diameter: 50},
	}
}

// open puts a case into the world with its first tasks open.
func (w *world) open(t testing.TB, number string) *casework.Case {
	t.Helper()
	return w.openBy(t, number, testTerms)
}

func (w *world) openBy(t testing.TB, number string, rules casework.Terms) *casework.Case {
	t.Helper()
	k := casework.NewCase(number, goodRequest(), rules, casework.Actor{ID: "hall"}, noon.Add(-time.Hour))
	k.Enter(casework.PreService, noon.Add(-time.Hour))
	k.Need(casework.ContactCustomer, "", 1, noon.Add(-time.Hour), noon.Add(-time.Hour)) // T1
	k.Need(casework.AssessNetwork, "", 1, noon.Add(-time.Hour), noon.Add(-time.Hour))   // T2
	for _, d := range k.Unworked() {
		d.Due, d.Stale = calendar.Due{At: noon.Add(time.Hour)}, false
		for i := range d.Rungs {
			d.Rungs[i].At = noon.Add(-time.Minute)
		}
		k.Worked([]casework.Deadline{d}, noon)
	}
	k.Fire(noon)
	w.keep(k)
	return k
}

// memory is a store, a desk and an archive. The desk applies actions to the
// cases as the workflow would.
type memory struct {
	*almanac
	*pipes
	mu       sync.Mutex
	cases    map[string]*casework.Case
	events   []casework.Event
	touched  []casework.Touchpoint
	fired    []casework.Escalation
	policies []casework.PublishedPolicy // the newest last
	lines    map[string]casework.TaskLine
	receipts map[string]casework.Receipt // by channel and external number
	billed   map[string]casework.BillingRequest
	known    *casework.BillingRequest // a payment that was reported before, under another key
	staff    map[string]casework.Staff
	hashes   map[string]string
	keptRows []casework.KeptRow
	told     []casework.MessageLine
	audited  []casework.AuditEntry
	done     map[string]contract.Done // by key
	bound    map[string]string        // what came with a key
	blobs    map[string][]byte
	leave    leave
	held     map[string][]casework.Holding // who held the clock, by case
	filter   any                           // the last one that a list was asked by

	forwarded []casework.Forwarding

	down error // what every call fails with
	idle bool  // no worker works
	away error // what a question to Temporal fails with
}

func (m *memory) hire(id string, r casework.Role, districts ...casework.District) {
	m.staff[id] = casework.Staff{ID: id, Name: r.Name(), Department: r.Department(), Roles: []casework.Role{r}, Districts: districts, Active: true}
}

func (m *memory) keep(k *casework.Case) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.commit(k)
}

func (m *memory) commit(k *casework.Case) {
	c := k.TakeChanges()
	m.events = append(m.events, c.Events...)
	m.touched = append(m.touched, c.Touchpoints...)
	for _, e := range c.Escalations {
		m.fired = append(slices.DeleteFunc(m.fired, func(o casework.Escalation) bool { return o.ID == e.ID }), e)
	}
	for _, t := range c.Tasks {
		r := k.Request
		m.lines[t.ID] = casework.TaskLine{Task: t, District: r.Site.District, Applicant: r.Applicant.Name, Address: r.Site.Address}
	}
	m.cases[k.Number] = k
}

func (m *memory) state(number string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, _ := json.Marshal(m.cases[number])
	return string(b)
}

func missing(what string) error {
	return casework.Refuse(casework.NotFound, what+"_not_found", casework.Say("没有", "there is none"))
}

func (m *memory) Do(_ context.Context, number string, a casework.Action, key string) (contract.Done, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down != nil {
		return contract.Done{}, m.down
	}
	if d, ok := m.done[key]; ok {
		return d, nil
	}
	k, ok := m.cases[number]
	if !ok {
		return contract.Done{}, missing("case")
	}
	next, err := k.Try(a, noon)
	if err != nil {
		return contract.Done{}, err
	}
	m.commit(next)
	m.done[key] = contract.Done{Number: number, Version: next.Version, Status: next.Status, Stage: next.Stage}
	return m.done[key], nil
}

func (m *memory) Working(context.Context) (bool, error) { return !m.idle, m.away }

func (m *memory) Start(_ context.Context, r casework.Receipt, _ bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down != nil {
		return m.down
	}
	if r.Service != nil {
		m.commit(casework.NewService(r.Number, *r.Service, testTerms, r.By, r.ReceivedAt))
		r.Started = true
		m.receipts[string(r.Service.Channel)+"/"+r.Service.AcceptedBy()] = r
		return nil
	}
	k := casework.NewCase(r.Number, r.Request, testTerms, r.By, r.ReceivedAt)
	k.Joint = r.Joint
	k.Need(casework.ContactCustomer, "", 1, noon, noon)
	m.commit(k)
	r.Started = true
	m.receipts[string(r.Request.Channel)+"/"+r.Request.ExternalNumber] = r
	return nil
}

func (m *memory) Accept(_ context.Context, r casework.Request, by casework.Actor, now time.Time) (casework.Receipt, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := string(r.Channel) + "/" + r.ExternalNumber
	if got, ok := m.receipts[id]; ok {
		return got, false, nil
	}
	got := casework.Receipt{Number: fmt.Sprintf("W2026%06d", len(m.receipts)+1), Request: r, By: by, ReceivedAt: now}
	m.receipts[id] = got
	return got, true, nil
}

func (m *memory) Accepted(_ context.Context, channel casework.Channel, external string) (casework.Receipt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if got, ok := m.receipts[string(channel)+"/"+external]; ok {
		return got, nil
	}
	return casework.Receipt{}, missing("receipt")
}

func (m *memory) AcceptTogether(ctx context.Context, external string, requests []casework.Request, by casework.Actor, now time.Time) (casework.JointReceipt, bool, error) {
	var rec casework.JointReceipt
	created, before := false, false
	for _, r := range requests {
		r.ExternalNumber = external + "/" + string(r.Utility)
		app, found, err := m.AcceptApplication(ctx, r, by, now)
		if err != nil {
			return rec, false, err
		}
		if found {
			rec.Applications = append(rec.Applications, app)
			continue
		}
		one, fresh, err := m.Accept(ctx, r, by, now)
		if err != nil {
			return rec, false, err
		}
		created, before = created || fresh, before || !fresh
		rec.Receipts = append(rec.Receipts, one)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(rec.Applications) > 0 {
		m.tie(&rec)
		return rec, created, nil
	}
	if len(requests) == 2 && created && !before {
		rec.Number = "J" + rec.Receipts[0].Number[1:]
		for i := range rec.Receipts {
			r := &rec.Receipts[i]
			r.Joint = &casework.Joint{Number: rec.Number, Sibling: rec.Receipts[1-i].Number, Utility: rec.Receipts[1-i].Request.Utility}
			m.receipts[string(r.Request.Channel)+"/"+r.Request.ExternalNumber] = *r
		}
	} else if j := rec.Receipts[0].Joint; j != nil {
		rec.Number = j.Number
	}
	return rec, created, nil
}

func (m *memory) JointReceipt(_ context.Context, number string) (casework.JointReceipt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rec := casework.JointReceipt{Number: number}
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(m.receipts))) { // water first
		if r := m.receipts[id]; r.Joint != nil && r.Joint.Number == number {
			rec.Receipts = append(rec.Receipts, r)
		}
	}
	if len(rec.Receipts) == 0 {
		return rec, missing("case")
	}
	return rec, nil
}

func (m *memory) JointOf(_ context.Context, number string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.receipts {
		if r.Number == number && r.Joint != nil {
			return r.Joint.Number, nil
		}
	}
	return "", nil
}

func (m *memory) Forward(_ context.Context, f casework.Forwarding) (casework.Forwarding, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, known := range m.forwarded {
		if known.Request.Channel == f.Request.Channel && known.Request.ExternalNumber == f.Request.ExternalNumber {
			return known, false, nil
		}
	}
	f.Number, f.State = fmt.Sprintf("Z2026%06d", len(m.forwarded)+1), casework.ForwardingWaits
	m.forwarded = append(m.forwarded, f)
	return f, true, nil
}

func (m *memory) Forwarding(_ context.Context, number string) (casework.Forwarding, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.forwarded {
		if f.Number == number {
			return f, nil
		}
	}
	return casework.Forwarding{}, missing("forwarding")
}

func (m *memory) Forwardings(_ context.Context, f casework.ForwardingFilter) ([]casework.Forwarding, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.filter = f
	return slices.Clone(m.forwarded), "", nil
}

func (m *memory) HandForwarding(ctx context.Context, number string, h casework.HandForwarding, by string, now time.Time) (casework.Forwarding, error) {
	f, err := m.Forwarding(ctx, number)
	if err != nil {
		return f, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	f.State, f.HandedTo, f.Note, f.HandedBy, f.HandedAt = casework.ForwardingDone, h.To, h.Note, by, now
	for i := range m.forwarded {
		if m.forwarded[i].Number == number {
			m.forwarded[i] = f
		}
	}
	return f, nil
}

func (m *memory) Receipt(_ context.Context, number string) (casework.Receipt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.receipts {
		if r.Number == number {
			return r, nil
		}
	}
	return casework.Receipt{}, missing("case")
}

func (m *memory) Case(_ context.Context, number string) (*casework.Case, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k, ok := m.cases[number]; ok {
		return k.Clone(), nil
	}
	return nil, missing("case")
}

func (m *memory) Cases(_ context.Context, f casework.CaseFilter) ([]casework.CaseLine, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.filter = f
	var lines []casework.CaseLine
	for _, k := range m.cases {
		due := k.NextDue()
		lines = append(lines, casework.CaseLine{
			Number: k.Number, District: k.Request.Site.District, ReceivedAt: k.ReceivedAt.UTC(),
			DueAt: due.At, Remaining: due.Remaining, Stopped: due.Stopped, Provisional: due.Provisional,
		})
	}
	return lines, "", nil
}

func (m *memory) Task(_ context.Context, id string) (casework.TaskLine, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l, ok := m.lines[id]; ok {
		return l, nil
	}
	return casework.TaskLine{}, missing("task")
}

func (m *memory) Tasks(_ context.Context, f casework.TaskFilter) ([]casework.TaskLine, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.filter = f
	var lines []casework.TaskLine
	for _, l := range m.lines {
		if (f.Department == "" || f.Department == l.Department) && (f.Assignee == "" || f.Assignee == l.Assignee) {
			lines = append(lines, l)
		}
	}
	return lines, "next", nil
}

func (m *memory) Timeline(_ context.Context, number string, _ casework.Page) ([]casework.Event, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []casework.Event
	for _, e := range m.events {
		if e.Case == number {
			found = append(found, e)
		}
	}
	return found, "", nil
}

func (m *memory) Touchpoints(context.Context, string) ([]casework.Touchpoint, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.touched), nil
}

func (m *memory) Deadlines(_ context.Context, number string) ([]casework.Deadline, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cases[number].Clone().Deadlines, nil
}

func (m *memory) Escalations(_ context.Context, f casework.EscalationFilter) ([]casework.Escalation, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.filter = f
	return slices.Clone(m.fired), "", nil
}

func (m *memory) Escalation(_ context.Context, id string) (casework.Escalation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.fired {
		if e.ID == id {
			return e, nil
		}
	}
	return casework.Escalation{}, missing("escalation")
}

func (m *memory) Policies(context.Context) ([]casework.PublishedPolicy, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []casework.PublishedPolicy
	for _, p := range slices.Backward(m.policies) {
		p.Text = ""
		all = append(all, p)
	}
	return all, nil
}

func (m *memory) CurrentPolicy(ctx context.Context) (casework.PublishedPolicy, error) {
	all, err := m.Policies(ctx)
	return all[0], err
}

func (m *memory) Policy(_ context.Context, version string) (casework.PublishedPolicy, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.policies {
		if p.Version == version {
			return p, nil
		}
	}
	return casework.PublishedPolicy{}, missing("policy")
}

func (m *memory) PublishPolicy(_ context.Context, p casework.PublishedPolicy) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, old := range m.policies {
		if old.Version == p.Version && old.Text != p.Text {
			return false, casework.Refuse(casework.Conflict, "policy_exists", casework.Say("已发布", "published already"))
		} else if old.Version == p.Version {
			return false, nil
		}
	}
	p.PublishedAt = noon
	m.policies = append(m.policies, p)
	return true, nil
}

func (m *memory) Messages(_ context.Context, f casework.MessageFilter) ([]casework.MessageLine, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.filter = f
	return slices.Clone(m.told), "", nil
}

func (m *memory) MessageOf(_ context.Context, delivery int64) (casework.MessageLine, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.told {
		for _, d := range l.Deliveries {
			if d.ID == delivery {
				return l, nil
			}
		}
	}
	return casework.MessageLine{}, missing("delivery")
}

func (m *memory) RetryDelivery(_ context.Context, id int64, now time.Time) (casework.Delivery, error) {
	return casework.Delivery{ID: id, State: casework.DeliveryPending, NextAt: now.UTC()}, nil
}

func (m *memory) KeepRows(_ context.Context, rows []casework.KeptRow) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keptRows = append(m.keptRows, rows...)
	return nil
}

func (m *memory) MendRows(_ context.Context, list string, lines []int, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.keptRows {
		if r := &m.keptRows[i]; r.List == list && slices.Contains(lines, r.Line) {
			r.MendedAt = at
		}
	}
	return nil
}

func (m *memory) KeptRows(_ context.Context, list string, _ casework.Page) ([]casework.KeptRow, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.keptRows), func(r casework.KeptRow) bool { return r.List != list }), "", nil
}

func (m *memory) Staff(_ context.Context, id string) (casework.Staff, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.staff[id]; ok {
		return s, nil
	}
	return casework.Staff{}, missing("staff")
}

func (m *memory) StaffList(context.Context, casework.Page) ([]casework.Staff, string, error) {
	return slices.SortedFunc(maps.Values(m.staff), func(a, b casework.Staff) int { return strings.Compare(a.ID, b.ID) }), "", nil
}

func (m *memory) PutStaff(_ context.Context, s casework.Staff, hash string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.staff[s.ID] = s
	if hash != "" {
		m.hashes[s.ID] = hash
	}
	return nil
}

func (m *memory) PasswordHash(_ context.Context, id string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hashes[id], nil
}

func (m *memory) Audit(_ context.Context, e casework.AuditEntry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down != nil {
		return m.down
	}
	m.audited = append(m.audited, e)
	return nil
}

func (m *memory) BindKey(_ context.Context, key, content string) (same, fresh bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	was, found := m.bound[key]
	if !found {
		m.bound[key] = content
	}
	return !found || was == content, !found, nil
}

func (m *memory) FreeKey(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.bound, key)
	return nil
}

func (m *memory) Ping(context.Context) error { return m.down }

func (m *memory) Put(_ context.Context, key, _ string, r io.Reader) (int64, string, error) {
	b, err := io.ReadAll(r)
	sum := sha256.Sum256(b)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[key] = b
	return int64(len(b)), hex.EncodeToString(sum[:]), err
}

func (m *memory) Open(_ context.Context, key string) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b, ok := m.blobs[key]; ok {
		return io.NopCloser(bytes.NewReader(b)), nil
	}
	return nil, errors.New("no such blob")
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blobs, key)
	return nil
}

// printed stands in for the drawn page.
func printed(k *casework.Case, events []casework.Event, clock reports.Clock, _ time.Time) ([]byte, error) {
	return fmt.Appendf(nil, "<p>%s %d %s</p>", k.Number, len(events), clock.Case), nil
}

// drafted stands in for a paper.
func drafted(kind casework.DocumentKind, k *casework.Case, _ time.Time) (string, []byte, error) {
	return "", fmt.Appendf(nil, "<p>%s %s %s</p>", kind, k.Number, k.Request.Contact.Phone), nil
}
