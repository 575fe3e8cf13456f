package progress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/proof"
	"github.com/curbstop/curbstop/platforms/senders"
	"github.com/curbstop/curbstop/seal"
	"github.com/curbstop/curbstop/store"
	"github.com/curbstop/curbstop/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// tiny is an adapter whose platform wants a line, and is not told that a clock
// goes on.
type tiny struct{ platforms.Adapter }

func (tiny) Report(r platforms.Report) (platforms.Outgoing, bool, error) {
	if r.State == casework.MilestoneResumed {
		return platforms.Outgoing{}, false, nil
	}
	body := fmt.Sprintf("%s %s %d %s %s", r.External, r.Number, r.N, r.State, r.By)
	return platforms.Outgoing{Path: "/push?v=1", ContentType: "text/plain", Body: []byte(body)}, true, nil
}

func (tiny) Judge(_ platforms.Outgoing, status int, body []byte) error {
	switch {
	case status == 200 && string(body) == "ok":
		return nil
	case status == 200:
		return casework.Refuse(casework.Conflict, "platform_refused", casework.Say("平台不收", "the platform does not take it"))
	default:
		return errors.New("13800001653 was told in the answer")
	}
}

// tables is one whose platform is told through tables.
type tables struct {
	tiny
	mu    *sync.Mutex
	wrote *[]string
}

func (a tables) Report(r platforms.Report) (platforms.Outgoing, bool, error) {
	return platforms.Outgoing{Table: "STATES", Row: map[string]any{"BLZT": string(r.State)}}, true, nil
}
func (tables) Poll(context.Context, int) ([]platforms.Message, error)             { return nil, nil }
func (tables) Settle(context.Context, platforms.Message, platforms.Outcome) error { return nil }
func (tables) SettleAgain(context.Context, platforms.Message, platforms.Outcome) (bool, error) {
	return false, nil
}
func (a tables) Write(_ context.Context, key string, o platforms.Outgoing) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	*a.wrote = append(*a.wrote, fmt.Sprint(key, " ", o.Table, " ", o.Row))
	return nil
}

// platform is the other side.
type platform struct {
	*httptest.Server
	proof *proof.Proof
	mu    sync.Mutex
	got   []string
	keys  []string
	does  func(w http.ResponseWriter, r *http.Request, n int) bool // false: it answers as usual
}

func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_, err := p.proof.Verify(proof.Request{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Header: r.Header, Body: body})
	p.mu.Lock()
	if err != nil {
		body = []byte(err.Error())
	}
	p.got = append(p.got, string(body))
	p.keys = append(p.keys, r.URL.Path+" "+r.Header.Get(HeaderKey))
	n, does := len(p.got), p.does
	p.mu.Unlock()
	if does != nil && does(w, r, n) {
		return
	}
	_, _ = io.WriteString(w, "ok")
}

func (p *platform) told() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	told := p.got
	p.got = nil
	return told
}

// world is an installation with a platform beside it.
type world struct {
	*store.Store
	t        *testing.T
	reporter *Reporter
	platform *platform
	wrote    []string
	log      *bytes.Buffer
	mu       sync.Mutex
	now      time.Time
}

const file = `
senders:
  - id: there
    name: 平台
    adapter: tiny
    channel: project_approval
    proof: {way: hmac-sm3, secret_env: SECRET}
    report: {url: "%s/base", proof: {way: hmac-sm3, secret_env: SECRET}, timeout: 1s}
  - id: silent
    name: 不回传
    adapter: tiny
    channel: industrial_park
    proof: {way: token, secret_env: SECRET}
  - id: tables
    name: 前置库
    adapter: tables
    channel: project_approval
    proof: {way: none}
    exchange: {url_env: SECRET}
`

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, log: &bytes.Buffer{}, now: time.Date(2026, 11, 24, 9, 0, 0, 0, calendar.Shanghai)}
	ring, err := seal.ParseRing(seal.NewKey("test"))
	require.NoError(t, err)
	w.Store, err = store.Open(t.Context(), testkit.Database(t), store.Options{Ring: ring, Now: w.clock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	getenv := func(string) string { return "a secret" }
	var c casework.Check
	w.platform = &platform{proof: proof.New(proof.Settings{Way: proof.HMACSM3, SecretEnv: "SECRET"}, false, getenv, &c, "")}
	require.NoError(t, c.Err())
	w.platform.Server = httptest.NewServer(w.platform)
	t.Cleanup(w.platform.Close)
	var mu sync.Mutex
	all, err := senders.Parse(fmt.Appendf(nil, file, w.platform.URL), senders.Options{Getenv: getenv, Adapters: senders.Adapters{
		"tiny":   func(senders.Setup) (platforms.Adapter, error) { return tiny{}, nil },
		"tables": func(senders.Setup) (platforms.Adapter, error) { return tables{mu: &mu, wrote: &w.wrote}, nil },
	}})
	require.NoError(t, err)
	w.reporter = New(Options{Senders: all, Book: w.Store, Now: w.clock, Logger: slog.New(slog.NewTextHandler(w.log, nil))})
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// works does what a process does until nothing is due now.
func (w *world) works() {
	w.t.Helper()
	for more := true; more; {
		var err error
		more, err = w.reporter.plan(w.t.Context())
		require.NoError(w.t, err)
	}
	for _, s := range w.reporter.Senders.All() {
		for more := true; more; {
			var err error
			more, err = w.reporter.report(w.t.Context(), s)
			require.NoError(w.t, err)
		}
	}
}

var number = 0
var numbers sync.Mutex

// begin receives a request of a sender and starts its case.
func (w *world) begin(sender string) *casework.Case {
	w.t.Helper()
	numbers.Lock()
	number++
	external := fmt.Sprintf("P-%d", number)
	numbers.Unlock()
	r := casework.Request{
		Utility: casework.Water, Channel: casework.ProjectApproval, ExternalNumber: external,
		Applicant: casework.Applicant{Name: "芜湖泰盛汽车零部件有限公司", CreditCode: "91340281WKEFY5QE4Y"},
		Contact:   casework.Contact{Name: "沈兰英", Phone: "13800001653"}, Site: casework.Site{District: "340281", Address: "芜湖市无为市凤河路30号"},
	}
	receipt, _, err := w.Accept(w.t.Context(), r, casework.Actor{ID: sender}, w.clock())
	require.NoError(w.t, err)
	if sender != "" {
		require.NoError(w.t, w.Follow(w.t.Context(), casework.Follower{Case: receipt.Number, Sender: sender, External: external, Since: w.clock()}))
	}
	k := casework.NewCase(receipt.Number, r, casework.Terms{
		Lane: casework.Lane101, Hours: calendar.AlwaysOpen, PauseReasons: []casework.PauseReason{casework.CustomerNotReady, casework.ForceMajeure},
	}, receipt.By, w.clock())
	k.Need(casework.ContactCustomer, "", 1, w.clock(), w.clock())
	w.save(k)
	return k
}

func (w *world) follows(k *casework.Case, sender, external string) {
	w.t.Helper()
	require.NoError(w.t, w.Follow(w.t.Context(), casework.Follower{Case: k.Number, Sender: sender, External: external, Since: w.clock()}))
}

func (w *world) save(k *casework.Case) {
	w.t.Helper()
	require.NoError(w.t, w.Save(w.t.Context(), k, k.TakeChanges()))
}

// act does something to a case and saves it.
func (w *world) act(k *casework.Case, a casework.Action) *casework.Case {
	w.t.Helper()
	next, err := k.Try(a, w.clock())
	require.NoError(w.t, err)
	w.save(next)
	return next
}

var office = casework.By{Actor: casework.Actor{ID: "to-01", Department: "taskforce", Roles: []casework.Role{casework.TaskforceOffice, casework.Taskforce}, Districts: []casework.District{casework.AllDistricts}}}

func (w *world) pause(k *casework.Case, r casework.PauseReason) *casework.Case {
	return w.act(k, casework.PauseCase{By: office, Reason: r, Evidence: "证明", PlannedEnd: w.clock().Add(48 * time.Hour)})
}

func (w *world) reports(f casework.ProgressFilter) []casework.ProgressReport {
	w.t.Helper()
	found, _, err := w.ProgressReports(w.t.Context(), f)
	require.NoError(w.t, err)
	return found
}

func said(k *casework.Case, n int, m casework.Milestone) string {
	return fmt.Sprintf("%s %s %d %s 营商专班", k.Request.ExternalNumber, k.Number, n, m)
}

func TestEachMilestoneOnceAndInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, stranger := w.begin("there"), w.begin("")
	w.works()
	require.Empty(t, w.platform.told(), "a decision may yet be taken back")
	w.wait(defaultSettle)
	w.works()
	require.Equal(t, []string{said(k, 1, casework.MilestoneReceived)}, w.platform.told())

	// Pauses that overlap are one suspension.
	k = w.pause(k, casework.CustomerNotReady)
	k = w.pause(k, casework.ForceMajeure)
	k = w.act(k, casework.ResumeCase{By: office, Reason: casework.CustomerNotReady})
	w.wait(time.Minute)
	w.works()
	require.Equal(t, []string{said(k, 2, casework.MilestoneSuspended)}, w.platform.told())
	k = w.act(k, casework.ResumeCase{By: office})
	k = w.pause(k, casework.ForceMajeure)
	k = w.act(k, casework.Withdraw{By: office, Reason: "不办了"})
	w.wait(time.Minute)
	w.works()
	w.works()
	require.Equal(t, []string{said(k, 4, casework.MilestoneSuspended)}, w.platform.told(), "the platform is not told that the clock goes on")

	all := w.reports(casework.ProgressFilter{Case: k.Number})
	require.Len(t, all, 4)
	require.Equal(t, casework.ProgressUntold, all[1].State)
	require.Equal(t, "POST /push?v=1\n"+said(k, 4, casework.MilestoneSuspended), all[0].Sent.Text)
	require.Equal(t, "200\nok", all[0].Sent.Answer)
	require.Empty(t, w.reports(casework.ProgressFilter{Case: stranger.Number}))
	require.Equal(t, "/base/push "+k.Number+"/1", w.platform.keys[0])
	for _, personal := range []string{"沈兰英", "13800001653", "泰盛", "a secret"} {
		require.NotContains(t, w.log.String(), personal)
	}
}

// The platform took a report and its answer was lost: it gets the same one
// again under the same key, and nothing behind it goes ahead.
func TestATimeOutAfterTheReportWasTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.begin("there")
	k = w.pause(k, casework.CustomerNotReady)
	other := w.begin("there")
	w.wait(time.Minute)
	w.platform.does = func(_ http.ResponseWriter, r *http.Request, n int) bool {
		if n == 1 {
			<-r.Context().Done() // longer than the time that is given to it
		}
		return n == 1
	}
	w.reporter.Senders.All()[0].Report.Timeout = 50 * time.Millisecond
	w.works()
	w.platform.does = nil
	told := w.platform.told()
	pending := w.reports(casework.ProgressFilter{State: casework.ProgressPending})
	first, reached := k, 2
	if pending[len(pending)-1].Case == other.Number {
		first, reached = other, 3 // which of two cases is told first is nobody's matter
	}
	require.Len(t, told, reached, "another case does not wait for it")
	require.Equal(t, first.Number, pending[len(pending)-1].Case)
	require.Contains(t, pending[len(pending)-1].LastError, "未应答")
	w.wait(defaultRetry + time.Second)
	w.works()
	require.Contains(t, w.platform.told(), said(first, 1, casework.MilestoneReceived))
	require.Empty(t, w.reports(casework.ProgressFilter{State: casework.ProgressPending}))
	count := 0
	for _, key := range w.platform.keys {
		if strings.HasSuffix(key, first.Number+"/1") {
			count++
		}
	}
	require.Equal(t, 2, count, "twice on the wire under one key, once on record")
	require.Len(t, w.reports(casework.ProgressFilter{}), 3)
}

func TestARefusedReportIsTriedForDaysAndSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.begin("there")
	w.pause(k, casework.CustomerNotReady)
	refuse := true
	w.platform.does = func(rw http.ResponseWriter, _ *http.Request, n int) bool {
		if refuse && n%2 == 0 {
			rw.WriteHeader(http.StatusInternalServerError)
		}
		if refuse {
			_, _ = io.WriteString(rw, "no")
		}
		return refuse
	}
	for range 72 * 4 {
		w.wait(15 * time.Minute)
		w.works()
	}
	tries := len(w.platform.told())
	require.Greater(t, tries, 70, "three days of tries, the last ones an hour apart")
	require.Less(t, tries, 85)
	stuck := w.reports(casework.ProgressFilter{State: casework.ProgressStuck})
	require.Len(t, stuck, 2, "what waits behind it is stuck too")
	require.True(t, stuck[1].Stuck)
	require.NotContains(t, stuck[1].LastError, "13800001653", "what an answer repeats stays in the sealed record")
	n, err := w.StuckProgress(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, n)

	refuse = false
	got, err := w.RetryProgress(t.Context(), stuck[1].ID, w.clock())
	require.NoError(t, err)
	require.Equal(t, w.clock(), got.NextAt.In(calendar.Shanghai))
	w.works()
	w.works()
	require.Equal(t, []string{said(k, 1, casework.MilestoneReceived), said(k, 2, casework.MilestoneSuspended)}, w.platform.told())
	_, err = w.RetryProgress(t.Context(), stuck[1].ID, w.clock())
	require.Equal(t, "not_pending", casework.AsFault(err).Code)
}

// What the case took back is not told; what was told and taken back is not told
// twice when the case decides it again.
func TestTheAbandonedTailIsNotTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.begin("there")
	w.wait(time.Second)
	attempt := k.Clone()
	w.pause(attempt, casework.CustomerNotReady) // its workflow task fails after this
	w.works()
	require.Len(t, w.reports(casework.ProgressFilter{}), 2)
	w.wait(time.Second)
	k = w.act(k, casework.ClaimTask{By: office, Task: k.Number + "-T1"})
	w.wait(time.Minute)
	w.works()
	require.Equal(t, []string{said(k, 1, casework.MilestoneReceived)}, w.platform.told())
	require.Len(t, w.reports(casework.ProgressFilter{}), 1)

	before := k.Clone()
	w.pause(before, casework.CustomerNotReady)
	w.wait(time.Minute)
	w.works()
	require.Equal(t, []string{said(k, 2, casework.MilestoneSuspended)}, w.platform.told())
	k = w.act(k, casework.ReleaseTask{By: office, Task: k.Number + "-T1", Reason: "换人"})
	w.works()
	require.False(t, w.reports(casework.ProgressFilter{})[0].AbandonedAt.IsZero(), "it went out, and is on record as taken back")
	w.wait(time.Minute)
	k = w.pause(k, casework.CustomerNotReady)
	w.wait(time.Minute)
	w.works()
	require.Empty(t, w.platform.told(), "the platform knows it")
	k = w.act(k, casework.Withdraw{By: office, Reason: "不办了"})
	w.works()
	require.True(t, w.reports(casework.ProgressFilter{Case: k.Number})[0].AbandonedAt.IsZero())
}

func TestTwoReportersTellOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 20 {
		w.begin("there")
	}
	w.wait(time.Minute)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 5 {
				_, _ = w.reporter.plan(t.Context())
				_, err := w.reporter.report(t.Context(), w.reporter.Senders.All()[0])
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	w.works()
	told := w.platform.told()
	require.Len(t, told, 20)
	once := map[string]bool{}
	for _, body := range told {
		once[body] = true
	}
	require.Len(t, once, 20)
}

// A reporter that dies with a report leaves it to another, once its lease ends.
func TestALeaseEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.begin("there")
	w.wait(time.Minute)
	_, err := w.PlanProgress(t.Context(), defaultSettle, 10)
	require.NoError(t, err)
	claimed, err := w.ClaimProgress(t.Context(), "there", w.clock(), w.clock().Add(lease), 10)
	require.NoError(t, err)
	require.Len(t, claimed, 1)
	w.works()
	require.Empty(t, w.platform.told())
	w.wait(lease)
	w.works()
	require.Equal(t, []string{said(k, 1, casework.MilestoneReceived)}, w.platform.told())
	// The first one, late, has nothing to say any more.
	require.NoError(t, w.RecordProgress(t.Context(), casework.ProgressAttempt{Report: claimed[0].ID, N: 1, State: casework.ProgressPending, NextAt: w.clock()}))
	require.Equal(t, casework.ProgressSent, w.reports(casework.ProgressFilter{})[0].State)
}

// One platform is down, and the other is told all the same: each in order, under
// keys of its own.
func TestAStuckPlatformHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.begin("there")
	w.follows(k, "tables", "GG-1")
	w.platform.does = func(rw http.ResponseWriter, _ *http.Request, _ int) bool {
		rw.WriteHeader(http.StatusBadGateway)
		return true
	}
	for range 25 {
		w.wait(time.Hour)
		w.works()
	}
	k = w.pause(k, casework.CustomerNotReady)
	w.wait(time.Minute)
	w.works()
	require.Equal(t, []string{k.Number + "/2/1 STATES map[BLZT:received]", k.Number + "/2/2 STATES map[BLZT:suspended]"}, w.wrote)
	stuck := w.reports(casework.ProgressFilter{State: casework.ProgressStuck})
	require.Len(t, stuck, 1)
	require.Equal(t, "there", stuck[0].Sender)
	w.platform.told()
	w.platform.does = nil
	w.wait(time.Hour)
	w.works()
	require.Equal(t, []string{said(k, 1, casework.MilestoneReceived), said(k, 2, casework.MilestoneSuspended)}, w.platform.told())
}

// A sender may be told of all cases, under our number and in its turn.
func TestAPlatformIsToldOfAllCases(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.begin("")
	w.wait(time.Hour)
	w.reporter.Senders.All()[0].Watches = true
	w.works()
	k, own := w.begin(""), w.begin("there")
	w.wait(time.Minute)
	w.works()
	require.ElementsMatch(t, []string{
		fmt.Sprintf("%s %s 1 received 营商专班", k.Number, k.Number), said(own, 1, casework.MilestoneReceived),
	}, w.platform.told())
	require.Empty(t, w.reports(casework.ProgressFilter{Case: before.Number}))
}

func TestThroughTablesAndNotAtAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	row, silent := w.begin("tables"), w.begin("silent")
	w.wait(time.Minute)
	w.works()
	require.Equal(t, []string{row.Number + "/1 STATES map[BLZT:received]"}, w.wrote)
	require.Equal(t, casework.ProgressUntold, w.reports(casework.ProgressFilter{Case: silent.Number})[0].State)
	require.Equal(t, casework.ProgressSent, w.reports(casework.ProgressFilter{Case: row.Number})[0].State)
	require.Empty(t, w.platform.told())
}
