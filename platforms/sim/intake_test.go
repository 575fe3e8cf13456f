package sim_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/adapters"
	"github.com/curbstop/curbstop/platforms/progress"
	"github.com/curbstop/curbstop/platforms/proof"
	"github.com/curbstop/curbstop/platforms/senders"
	"github.com/curbstop/curbstop/platforms/sim"
)

// intake is the other side without a database and without cases: the adapters,
// the proofs and the reporter as they are, and whatever they need in memory.
type intake struct {
	t       testing.TB
	server  *httptest.Server
	senders *senders.Senders
	secrets map[string]string
	// spoil, if set, makes the other side do something wrong.
	spoil func(*platforms.Outcome)
	// spoilRecords does so with what those are told who are told of all cases.
	spoilRecords func([]casework.ProgressReport) []casework.ProgressReport

	mu       sync.Mutex
	numbers  map[string][]string // by sender, sort and key
	known    map[string]bool     // sender and external number
	used     map[string]string   // proofs, with what came with them
	made     int
	reports  []casework.ProgressReport
	watchers []casework.Watcher
	stop     context.CancelFunc
	running  sync.WaitGroup
}

func newIntake(t testing.TB) *intake {
	t.Helper()
	in := &intake{t: t, numbers: map[string][]string{}, known: map[string]bool{}, used: map[string]string{}}
	in.server = httptest.NewServer(http.HandlerFunc(in.receive))
	t.Cleanup(in.server.Close)
	return in
}

// meets has the intake read the senders' file of a world, and begins to report.
func (in *intake) meets(file []byte) {
	all := senders.Adapters{}
	for _, name := range adapters.Names() {
		all[name] = func(s senders.Setup) (platforms.Adapter, error) {
			return adapters.New(name, adapters.Setup{Mapping: s.Mapping, Channel: s.Channel, Database: s.Exchange.URL, Token: s.Secrets["token"]})
		}
	}
	var err error
	in.senders, err = senders.Parse(file, senders.Options{Adapters: all, Getenv: in.getenv})
	require.NoError(in.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	in.stop = cancel
	reporter := progress.New(progress.Options{Senders: in.senders, Book: in, FirstRetry: 50 * time.Millisecond, Every: 20 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	in.running.Go(func() { reporter.Run(ctx) })
	for _, s := range in.senders.All() {
		if x, ok := s.Adapter.(platforms.Exchange); ok && s.Exchange.URL != "" {
			in.running.Go(func() { in.poll(ctx, s, x) })
		}
	}
	in.t.Cleanup(func() {
		cancel()
		in.running.Wait()
	})
}

func (in *intake) getenv(name string) string { return in.secrets[name] }

func (in *intake) receive(w http.ResponseWriter, r *http.Request) {
	id, kind, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/platforms/"), "/")
	s, ok := in.senders.Find(id)
	host := netip.MustParseAddrPort(r.RemoteAddr).Addr()
	body, err := io.ReadAll(r.Body)
	if !ok || err != nil || !s.Admits(host) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	proved, err := s.Proof.Verify(proof.Request{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Header: r.Header, Body: body})
	if err != nil || !s.Proof.InTime(proved, time.Now()) || !in.fresh(id, proved.Once, kind, body) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	m := platforms.Message{Sender: id, Kind: kind, ContentType: r.Header.Get("Content-Type"), Body: body, ReceivedAt: time.Now()}
	m.ID = fmt.Sprintf("M%s-%012d", m.ReceivedAt.Format("20060102"), in.next())
	answer := s.Adapter.Reply(m, in.takeUp(s, m))
	w.Header().Set("Content-Type", answer.ContentType)
	w.WriteHeader(max(answer.Status, 200))
	_, _ = w.Write(answer.Body)
}

func (in *intake) fresh(sender, once, kind string, body []byte) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	content := kind + "\n" + string(body)
	before, used := in.used[sender+once]
	in.used[sender+once] = content
	return once == "" || !used || before == content
}

func (in *intake) next() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.made++
	return in.made
}

// takeUp gives numbers to what a message asks for, each once.
func (in *intake) takeUp(s *senders.Sender, m platforms.Message) (out platforms.Outcome) {
	out = platforms.Outcome{Message: m.ID, Before: true}
	if in.spoil != nil {
		defer func() { in.spoil(&out) }()
	}
	items, err := s.Adapter.Read(m)
	if err != nil {
		out.Fault = casework.AsFault(err)
		return out
	}
	for _, item := range items {
		external, parts, follows := asked(item)
		in.mu.Lock()
		if follows && !in.known[s.ID+external] && !(item.Rating != nil && in.known[external]) {
			out.Fault = casework.Refuse(casework.NotFound, "case_not_found", casework.Say("没有此编号的案件", "there is no such case"))
		}
		numbers, before := in.numbers[s.ID+item.Key]
		if !before && !follows {
			for _, u := range parts {
				in.made++
				number := fmt.Sprintf("W20261124-%05d", in.made)
				numbers = append(numbers, number)
				for n, state := range []casework.Milestone{casework.MilestoneReceived, casework.MilestoneAccepted, casework.MilestoneSuspended,
					casework.MilestoneResumed, casework.MilestoneInWork, casework.MilestoneCompleted} {
					in.reports = append(in.reports, casework.ProgressReport{
						ID: int64(len(in.reports)), Case: number, Sender: s.ID, External: external, Utility: u, N: n + 1, Milestone: state, At: time.Now(),
						Department: casework.Department(casework.ServiceHall), Note: casework.Say("测试", "test"), State: casework.ProgressPending,
					})
				}
			}
			for _, number := range numbers {
				in.known[number] = true
				in.records(number, parts[0])
			}
			in.numbers[s.ID+item.Key], in.known[s.ID+external], in.known[external] = numbers, true, true
		}
		in.mu.Unlock()
		out.Numbers, out.Before = append(out.Numbers, numbers...), out.Before && before
	}
	return out
}

// records has those told of a case that are told of all.
func (in *intake) records(number string, u casework.Utility) {
	var all []casework.ProgressReport
	for _, w := range in.watchers {
		for n, state := range []casework.Milestone{casework.MilestoneReceived, casework.MilestoneCompleted} {
			all = append(all, casework.ProgressReport{
				Case: number, Follower: 2, Sender: w.Sender, External: number, Utility: u, N: n + 1, Milestone: state, At: time.Now(),
				Department: casework.Department(casework.ServiceHall), State: casework.ProgressPending,
			})
		}
	}
	if in.spoilRecords != nil {
		all = in.spoilRecords(all)
	}
	for _, r := range all {
		r.ID = int64(len(in.reports))
		in.reports = append(in.reports, r)
	}
}

// asked tells what an item is about, for which utilities, and whether it
// follows something else.
func asked(item platforms.Item) (external string, parts []casework.Utility, follows bool) {
	switch {
	case item.Intake != nil:
		for _, r := range item.Intake.Requests {
			parts = append(parts, r.Utility)
		}
		return item.Intake.Requests[0].ExternalNumber, parts, false
	case item.Service != nil:
		return item.Service.ExternalNumber, []casework.Utility{item.Service.Utility}, false
	case item.Rating != nil:
		return item.Rating.External, nil, true
	case item.Withdraw != nil:
		return item.Withdraw.External, nil, true
	default:
		return item.Visit.External, nil, true
	}
}

func (in *intake) poll(ctx context.Context, s *senders.Sender, x platforms.Exchange) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		rows, err := x.Poll(ctx, 50)
		if err != nil && ctx.Err() == nil {
			in.t.Error(err)
		}
		for _, m := range rows {
			m.Sender, m.ID, m.ReceivedAt = s.ID, fmt.Sprintf("M20261124-%012d", in.next()), time.Now()
			if err := x.Settle(ctx, m, in.takeUp(s, m)); err != nil && ctx.Err() == nil {
				in.t.Error(err)
			}
		}
	}
}

// Asked implements [progress.Book].
func (in *intake) Asked(_ context.Context, r casework.ProgressReport) (casework.Receipt, error) {
	return casework.Receipt{ReceivedAt: r.At, Request: casework.Request{
		Applicant: casework.Applicant{Name: "芜湖测试有限公司", CreditCode: "91340200MA8TEAT00J"}, Contact: casework.Contact{Phone: "13800000001"},
		Site: casework.Site{District: "340202"},
	}}, nil
}

// Watch implements [progress.Book].
func (in *intake) Watch(_ context.Context, watchers []casework.Watcher) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.watchers = watchers
	return nil
}

// PlanProgress implements [progress.Book]: everything is planned at once.
func (in *intake) PlanProgress(context.Context, time.Duration, int) (int, error) { return 0, nil }

// ClaimProgress implements [progress.Book]: of each case the first that waits.
func (in *intake) ClaimProgress(_ context.Context, sender string, now, lease time.Time, _ int) (claimed []casework.ProgressReport, _ error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	var busy []string
	for i := range in.reports {
		r := &in.reports[i]
		if r.Sender != sender || r.State != casework.ProgressPending || slices.Contains(busy, r.Case) {
			continue
		}
		busy = append(busy, r.Case)
		if !r.NextAt.After(now) {
			r.NextAt = lease
			r.Attempts++
			claimed = append(claimed, *r)
		}
	}
	return claimed, nil
}

// RecordProgress implements [progress.Book].
func (in *intake) RecordProgress(_ context.Context, a casework.ProgressAttempt) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.reports[a.Report].State, in.reports[a.Report].NextAt = a.State, a.NextAt
	return nil
}

// open opens a world that sends to the intake; the file may be cut down to some
// senders.
func (in *intake) open(o sim.Options, file func(address string) []byte) *sim.World {
	secrets, err := sim.Secrets(file("127.0.0.1:1"))
	require.NoError(in.t, err)
	in.secrets = secrets
	secrets["CURBSTOP_EXCHANGE_URL"] = o.Exchange
	o.Target, o.Listen, o.Getenv = in.server.URL, "127.0.0.1:0", in.getenv
	o.Senders = file("127.0.0.1:1")
	w, err := sim.Open(in.t.Context(), o)
	require.NoError(in.t, err)
	in.t.Cleanup(func() { require.NoError(in.t, w.Close()) })
	in.meets(file(w.Address()))
	return w
}
