package inbox

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/api"
	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/proof"
	"github.com/curbstop/curbstop/platforms/senders"
	"github.com/curbstop/curbstop/reports"
	"github.com/curbstop/curbstop/seal"
	"github.com/curbstop/curbstop/store"
	"github.com/curbstop/curbstop/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// tiny is an adapter whose platform speaks plainly.
type tiny struct {
	mu      sync.Mutex
	strict  bool // its mapping knows no "用途"
	waiting []platforms.Message
	settled []string
	left    bool  // the platform has sent another row: one that is settled is left as it is
	failing error // of Settle
}

type tinyMessage struct {
	Key, External, Withdraw string
	Stars                   int
	Text, Use               string
	Visit                   bool
	Satisfied               bool
	Service                 casework.CaseKind
	Utilities               []casework.Utility
	Lead                    bool
	Name, Project           string
}

func (a *tiny) Read(m platforms.Message) ([]platforms.Item, error) {
	if string(m.Body) == "fall over" {
		panic("13800001653 is personal")
	}
	var all []tinyMessage
	if err := json.Unmarshal(m.Body, &all); err != nil {
		var c casework.Check
		c.Field("body", casework.Say("应为 JSON 数组", "must be an array of JSON"))
		return nil, c.Err()
	}
	var items []platforms.Item
	for _, one := range all {
		item := platforms.Item{Key: one.Key}
		a.mu.Lock()
		unknown := a.strict && one.Use != ""
		a.mu.Unlock()
		switch {
		case unknown:
			var c casework.Check
			c.Field("use", casework.Say("不认识的用途", "an unknown use"))
			return nil, c.Err()
		case one.Withdraw != "":
			item.Withdraw = &platforms.Withdraw{External: one.Withdraw}
		case one.Stars > 0:
			item.Rating = &platforms.Rating{External: one.External, Stars: one.Stars, Text: one.Text, Tags: []string{"慢"}}
		case one.Visit:
			item.Visit = &platforms.Visit{External: one.External, Satisfied: one.Satisfied, Solved: one.Satisfied, Note: one.Text}
		case one.Service != "":
			item.Service = &casework.ServiceRequest{Service: one.Service, Account: "0000000001", NewHolder: casework.AccountHolder{Name: one.Name}}
			if one.Service == casework.OrderCase {
				item.Service.Account, item.Service.Order = "", &casework.HotlineOrder{Content: one.Text}
			}
		default:
			item.Intake = &platforms.Intake{}
			for _, u := range append(one.Utilities, "")[:max(1, len(one.Utilities))] {
				r := request(one.Name)
				r.Utility, r.Lead, r.Project = u, one.Lead, one.Project
				item.Intake.Requests = append(item.Intake.Requests, r)
			}
		}
		items = append(items, item)
	}
	return items, nil
}

func request(name string) casework.Request {
	return casework.Request{
		Applicant: casework.Applicant{Name: name, CreditCode: "91340281WKEFY5QE4Y"},
		Contact:   casework.Contact{Name: "沈兰英", Phone: "13800001653"},
		Site:      casework.Site{Address: "芜湖市无为市凤河路30号"},
	}
}

type tinyReply struct {
	Message, Code string
	Numbers       []string
	Before        bool
}

func (a *tiny) Reply(_ platforms.Message, o platforms.Outcome) platforms.Reply {
	said := tinyReply{Message: o.Message, Numbers: o.Numbers, Before: o.Before}
	status := 200
	if o.Fault != nil {
		said.Code, status = o.Fault.Code, 202
	}
	body, _ := json.Marshal(said)
	return platforms.Reply{Status: status, ContentType: "application/json", Body: body}
}

func (a *tiny) Report(platforms.Report) (platforms.Outgoing, bool, error) {
	return platforms.Outgoing{}, false, nil
}
func (a *tiny) Judge(platforms.Outgoing, int, []byte) error { return nil }

// worded is a platform that wants to be refused in its own words.
type worded struct{ *tiny }

func (worded) Refuse(status int, f *casework.Fault) platforms.Reply {
	return platforms.Reply{ContentType: "text/plain", Body: fmt.Appendf(nil, "refused %d %s", status, f.Code)}
}

// tables is one that sends through exchange tables.
type tables struct{ *tiny }

func (a tables) Poll(context.Context, int) ([]platforms.Message, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.waiting), nil
}

func (a tables) Settle(_ context.Context, m platforms.Message, o platforms.Outcome) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failing != nil {
		return a.failing
	}
	code := ""
	if o.Fault != nil {
		code = o.Fault.Code
	}
	a.settled = append(a.settled, fmt.Sprintf("%s %s %v %s", m.Kind, m.Body, o.Before, code))
	a.waiting = slices.DeleteFunc(a.waiting, func(w platforms.Message) bool { return string(w.Body) == string(m.Body) })
	return nil
}

func (a tables) SettleAgain(_ context.Context, m platforms.Message, o platforms.Outcome) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failing != nil {
		return false, a.failing
	}
	a.settled = append(a.settled, fmt.Sprintf("again %s %s %v", m.Kind, m.Body, o.Numbers))
	return !a.left, nil
}

func (tables) Write(context.Context, string, platforms.Outgoing) error { return nil }

// world is an installation: a real database, the API, and cases that are
// decided as their workflows would, without the waiting.
type world struct {
	*store.Store
	t       testing.TB
	inbox   *Inbox
	api     *api.API
	adapter *tiny // of the plain world
	getenv  func(string) string
	log     *bytes.Buffer
	url     string
	keys    string

	mu     sync.Mutex
	now    time.Time
	down   error // what starting a case fails with
	starts map[string]int
	did    map[string]int
	served []casework.Utility // by the policy in force
}

const file = `
senders:
  - id: signed
    name: 芜湖市测试平台
    adapter: tiny
    channel: project_approval
    utilities: [water]
    district: "340281"
    per_minute: 60
    proof: {way: tif, secret_env: SECRET}
  - id: listed
    name: 园区
    adapter: worded
    channel: industrial_park
    utilities: [water]
    district: "340281"
    per_minute: 2
    proof: {way: none}
    addresses: [10.1.0.0/16]
  - id: dated
    name: 无随机数的平台
    adapter: tiny
    channel: gov_portal
    utilities: [water]
    district: "340281"
    proof: {way: bg-hmac, key_id: ours, secret_env: SECRET}
  - id: ratings
    name: 好差评
    adapter: tiny
    channel: gov_portal
    utilities: [water]
    district: "340281"
    proof: {way: token, secret_env: SECRET}
  - id: secret
    name: 加密的平台
    adapter: tiny
    channel: gov_portal
    utilities: [water]
    district: "340281"
    proof: {way: hmac-sm3, secret_env: SECRET}
    decrypt: {cipher: sm4-cbc, key_env: SM4}
  - id: tables
    name: 前置库
    adapter: tables
    channel: project_approval
    utilities: [water]
    district: "340281"
    proof: {way: none}
    exchange: {url_env: DSN}
`

var environment = map[string]string{"SECRET": "a secret", "SM4": "0123456789abcdef", "DSN": "postgres://exchange"}

func newWorld(t testing.TB) *world {
	t.Helper()
	return joined(t, testkit.Database(t), seal.NewKey("test"))
}

// joined is one process more on the same database.
func joined(t testing.TB, url, keys string) *world {
	t.Helper()
	a := &tiny{}
	gives := func(a platforms.Adapter) func(senders.Setup) (platforms.Adapter, error) {
		return func(senders.Setup) (platforms.Adapter, error) { return a, nil }
	}
	w := joinedBy(t, url, keys, file, senders.Adapters{"tiny": gives(a), "worded": gives(worded{a}), "tables": gives(tables{a})},
		func(name string) string { return environment[name] })
	w.adapter = a
	return w
}

// joinedBy is one process more on the same database, with senders of its own.
func joinedBy(t testing.TB, url, keys, file string, with senders.Adapters, getenv func(string) string) *world {
	t.Helper()
	w := &world{
		t: t, getenv: getenv, log: &bytes.Buffer{}, now: time.Date(2026, 11, 24, 9, 0, 0, 0, calendar.Shanghai), url: url, keys: keys,
		starts: map[string]int{}, did: map[string]int{}, served: []casework.Utility{casework.Water, casework.Gas},
	}
	ring, err := seal.ParseRing(keys)
	require.NoError(t, err)
	w.Store, err = store.Open(t.Context(), url, store.Options{Ring: ring, Now: w.clock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	all, err := senders.Parse([]byte(file), senders.Options{Adapters: with, Getenv: getenv})
	require.NoError(t, err)
	log := slog.New(slog.NewTextHandler(&locked{w: w.log}, nil))
	w.inbox = New(Options{Senders: all, Book: w.Store, Desk: w, Serves: w.servesUtility, Now: w.clock, Logger: log})
	w.api, err = api.New(api.Options{
		Store: w.Store, Desk: noDesk{}, Archive: noArchive{}, Ring: ring, Auth: api.AuthOptions{JWTKey: bytes.Repeat([]byte("k"), 32)}, Now: w.clock, Logger: log,
		Printout:  func(*casework.Case, []casework.Event, reports.Clock, time.Time) ([]byte, error) { return nil, nil },
		Paper:     func(casework.DocumentKind, *casework.Case, time.Time) (string, []byte, error) { return "", nil, nil },
		Platforms: w.inbox, Limits: api.Limits{MessageBytes: 1 << 20}, TrustedProxies: []string{"192.0.2.1"},
	})
	require.NoError(t, err)
	for _, r := range []casework.Role{casework.TaskforceOffice, casework.ServiceHall, casework.Auditor} {
		require.NoError(t, w.PutStaff(t.Context(), casework.Staff{
			ID: string(r), Name: r.Name(), Department: r.Department(), Roles: []casework.Role{r}, Districts: []casework.District{casework.AllDistricts}, Active: true,
		}, ""))
	}
	return w
}

type noArchive struct{ api.Archive }

type noDesk struct{ api.Desk }

type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) servesUtility(_ context.Context, u casework.Utility) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.served, u), nil
}

func (w *world) serve(utilities ...casework.Utility) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.served = utilities
}

func (w *world) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) fails(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = err
}

// Start implements Desk.
func (w *world) Start(ctx context.Context, r casework.Receipt, _ bool) error {
	w.mu.Lock()
	down, now := w.down, w.now
	w.mu.Unlock()
	if down != nil {
		return down
	}
	k := casework.NewCase(r.Number, r.Request, casework.Terms{Lane: casework.Lane101, Hours: calendar.AlwaysOpen}, r.By, r.ReceivedAt)
	if r.Service != nil {
		k = casework.NewService(r.Number, *r.Service, k.Terms, r.By, r.ReceivedAt)
		k.NeedAnswer(now)
	} else {
		k.Need(casework.ContactCustomer, "", 1, now, now)
		k.Joint = r.Joint
	}
	if _, err := w.Case(ctx, r.Number); err != nil {
		if err := w.Save(ctx, k, k.TakeChanges()); err != nil {
			return err
		}
	}
	w.mu.Lock()
	w.starts[r.Number]++
	w.mu.Unlock()
	return w.MarkStarted(ctx, r.Number)
}

// Do implements Desk.
func (w *world) Do(ctx context.Context, number string, a casework.Action, key string) (contract.Done, error) {
	k, err := w.Case(ctx, number)
	if err != nil {
		return contract.Done{}, err
	}
	w.mu.Lock()
	done, now := w.did[key], w.now
	w.mu.Unlock()
	if done > 0 {
		return contract.Done{Number: number}, nil
	}
	next, err := k.Try(a, now)
	if err != nil {
		return contract.Done{}, err
	}
	w.mu.Lock()
	w.did[key]++
	w.mu.Unlock()
	return contract.Done{Number: number}, w.Save(ctx, next, next.TakeChanges())
}

// Apply implements Desk.
func (w *world) Apply(ctx context.Context, app casework.LeadApplication) (*casework.Receipt, error) {
	w.mu.Lock()
	down := w.down
	w.mu.Unlock()
	if down != nil {
		return nil, down
	}
	_, err := w.Do(ctx, app.Case, casework.Apply{By: casework.By{Actor: app.By}, Request: app.Request, Joint: app.Joint}, "apply/"+app.Request.ExternalNumber)
	if casework.AsFault(err).Kind == casework.Conflict && err != nil {
		own, _, err := w.RefuseApplication(ctx, app)
		return &own, err
	}
	if err != nil {
		return nil, err
	}
	return nil, w.SettleApplication(ctx, app.Request)
}

// supplied puts a case where it can be rated.
func (w *world) supplied(number string) {
	k, err := w.Case(w.t.Context(), number)
	require.NoError(w.t, err)
	k.Supply = &casework.SupplyInput{SuppliedAt: w.clock()}
	require.NoError(w.t, w.Save(w.t.Context(), k, casework.Changes{}))
}

// post is a message on its way.
type post struct {
	sender, path, body string
	nonce              string // of the signature; the time of signing is at
	at                 time.Time
	from               string
	forwarded          string
	method             string
	contentType        string
	header             map[string]string
}

func (w *world) send(p post) *httptest.ResponseRecorder {
	w.t.Helper()
	if p.method == "" {
		p.method = http.MethodPost
	}
	r := httptest.NewRequestWithContext(w.t.Context(), p.method, "/v1/platforms/"+p.sender+"/"+p.path, strings.NewReader(p.body))
	r.Header.Set("Content-Type", cmp.Or(p.contentType, "application/json"))
	r.RemoteAddr = "203.0.113.9:1234"
	if p.from != "" {
		r.RemoteAddr = p.from + ":1234"
	}
	if p.forwarded != "" {
		r.Header.Set("X-Forwarded-For", p.forwarded)
	}
	if p.at.IsZero() {
		p.at = w.clock()
	}
	if s, ok := w.inbox.Senders.Find(p.sender); ok && p.nonce != "" {
		var c casework.Check
		ours := proof.New(s.Proof.Settings, true, w.getenv, &c, "")
		require.NoError(w.t, c.Err())
		signed := proof.Request{Method: p.method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Header: r.Header, Body: []byte(p.body)}
		require.NoError(w.t, ours.Sign(&signed, p.at, p.nonce))
		r.URL.RawQuery = signed.Query
	}
	for name, value := range p.header {
		r.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	w.api.Handler().ServeHTTP(rec, r)
	return rec
}

func (w *world) answered(rec *httptest.ResponseRecorder, status int) tinyReply {
	w.t.Helper()
	require.Equal(w.t, status, rec.Code, rec.Body.String())
	var said tinyReply
	require.NoError(w.t, json.Unmarshal(rec.Body.Bytes(), &said), rec.Body.String())
	return said
}

func (w *world) refused(rec *httptest.ResponseRecorder, status int, code string) {
	w.t.Helper()
	require.Equal(w.t, status, rec.Code, rec.Body.String())
	var p api.Problem
	require.NoError(w.t, json.Unmarshal(rec.Body.Bytes(), &p), rec.Body.String())
	require.Equal(w.t, code, p.Code)
	require.NotEmpty(w.t, p.ZH)
	require.NotEmpty(w.t, p.EN)
}

// staff asks as a member of staff, and reads the answer.
func staff[T any](w *world, as casework.Role, method, path string, body any, status int) T {
	w.t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(w.t, err)
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, bytes.NewReader(raw))
	token, err := api.IssueToken(bytes.Repeat([]byte("k"), 32), string(as), time.Hour, w.clock())
	require.NoError(w.t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", fmt.Sprintf("key-%d", time.Now().UnixNano()))
	rec := httptest.NewRecorder()
	w.api.Handler().ServeHTTP(rec, r)
	require.Equal(w.t, status, rec.Code, rec.Body.String())
	var v T
	require.NoError(w.t, json.Unmarshal(rec.Body.Bytes(), &v), rec.Body.String())
	return v
}

type listed struct{ Items []casework.InboxMessage }

// all lists the inbox, without what changes from run to run.
func (w *world) all() []casework.InboxMessage {
	w.t.Helper()
	found, _, err := w.Inbox(w.t.Context(), casework.InboxFilter{})
	require.NoError(w.t, err)
	return found
}

func (w *world) states() []string {
	w.t.Helper()
	var states []string
	for _, m := range w.all() {
		states = append(states, string(m.State))
	}
	slices.Sort(states)
	return states
}

func (w *world) receipts() []casework.CaseLine {
	w.t.Helper()
	lines, _, err := w.Cases(w.t.Context(), casework.CaseFilter{Page: casework.Page{Limit: 200}})
	require.NoError(w.t, err)
	return lines
}

// sweeps does what the sweep of a process does until nothing is due.
func (w *world) sweeps() {
	w.t.Helper()
	for more := true; more; {
		var err error
		more, err = w.inbox.sweep(w.t.Context())
		require.NoError(w.t, err)
	}
}
