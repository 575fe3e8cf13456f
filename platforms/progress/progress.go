// Package progress tells platforms how the cases come on that they follow: each
// milestone once and in order, tried again until the platform has taken it, and
// on record with what was sent and what was answered.
//
// On record a report goes out once; on the wire at least once. Between "taken"
// and "recorded as taken" a crash or a time-out can fall, and then the platform
// gets the same report again, under the same key.
package progress

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/proof"
	"github.com/curbstop/curbstop/platforms/senders"
	"github.com/curbstop/curbstop/rounds"
)

// Book keeps reports and what became of them. Several reporters may share it.
type Book interface {
	// PlanProgress works out what is to be told of cases that have reached
	// something, and tells how many cases there were.
	PlanProgress(ctx context.Context, settle time.Duration, limit int) (int, error)
	ClaimProgress(ctx context.Context, sender string, now, lease time.Time, limit int) ([]casework.ProgressReport, error)
	RecordProgress(ctx context.Context, a casework.ProgressAttempt) error
	// Asked gives what the platform had asked for, or the case as it stands for
	// one that is told of all cases.
	Asked(ctx context.Context, r casework.ProgressReport) (casework.Receipt, error)
	// Watch notes which senders are told of all cases from now on.
	Watch(ctx context.Context, watchers []casework.Watcher) error
}

// Options are what a reporter is made of. Senders and Book are required.
type Options struct {
	Senders *senders.Senders
	Book    Book
	// Settle is how long a milestone waits before it is told: a decision whose
	// workflow task fails is taken back, mostly within seconds. Zero: 15 s.
	Settle time.Duration
	// Every is how often the reporter looks for what is to be told, and
	// FirstRetry when a report that was not taken is told again; the time is
	// doubled each time. Zero: 2 s and a minute.
	Every, FirstRetry time.Duration
	Now               func() time.Time // nil: time.Now
	Logger            *slog.Logger     // nil: slog.Default
}

// Reporter tells platforms what they are to be told.
type Reporter struct {
	Options
	client *http.Client

	mu      sync.Mutex
	watched time.Time // when the book was told who is told of all cases
}

const (
	defaultEvery  = 2 * time.Second
	batch         = 50
	parallel      = 4 // told at one time to one platform, each of another case
	lease         = 5 * time.Minute
	watchEvery    = time.Hour
	keepTimeout   = 15 * time.Second // to record how a try ended
	writeTimeout  = 30 * time.Second // into an exchange table
	defaultSettle = 15 * time.Second

	defaultRetry = time.Minute // doubled each time, and never given up
	lastRetry    = time.Hour

	maxAnswer = 64 << 10
)

// HeaderKey carries the key of a report, the same at each try.
const HeaderKey = "Idempotency-Key"

// New makes a reporter.
func New(o Options) *Reporter {
	if o.Settle == 0 {
		o.Settle = defaultSettle
	}
	if o.Every == 0 {
		o.Every = defaultEvery
	}
	if o.FirstRetry == 0 {
		o.FirstRetry = defaultRetry
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Reporter{Options: o, client: &http.Client{
		// The address that was configured is the one that was meant.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Run reports until the context ends; what is under way then is finished and
// recorded first. A platform that does not answer holds up no other one.
func (p *Reporter) Run(ctx context.Context) {
	var group sync.WaitGroup
	waits := func(err error) { p.Logger.WarnContext(ctx, "Platforms wait to be told.", "error", err) }
	group.Go(func() { rounds.Repeat(ctx, p.Every, p.plan, waits) })
	for _, s := range p.Senders.All() {
		group.Go(func() {
			rounds.Repeat(ctx, p.Every, func(ctx context.Context) (bool, error) { return p.report(ctx, s) }, waits)
		})
	}
	group.Wait()
}

func (p *Reporter) plan(ctx context.Context) (more bool, err error) {
	if err := p.watch(ctx); err != nil {
		return false, err
	}
	n, err := p.Book.PlanProgress(ctx, p.Settle, batch)
	return n == batch, err
}

// watch says at the start, and once an hour, who is told of all cases: a process
// with another file may have said otherwise.
func (p *Reporter) watch(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.Now()
	if now.Sub(p.watched) < watchEvery {
		return nil
	}
	if err := p.Book.Watch(ctx, p.Senders.Watchers()); err != nil {
		return err
	}
	p.watched = now
	return nil
}

// report tells a platform a batch of what is due.
func (p *Reporter) report(ctx context.Context, s *senders.Sender) (more bool, err error) {
	now := p.Now()
	claimed, err := p.Book.ClaimProgress(ctx, s.ID, now, now.Add(lease), batch)
	if err != nil {
		return false, err
	}
	var group errgroup.Group
	group.SetLimit(parallel)
	for _, r := range claimed {
		group.Go(func() error { return p.try(ctx, s, r, now.Add(lease)) })
	}
	// Behind each report that went out the next one of its case may wait.
	return len(claimed) > 0, group.Wait()
}

// try tells one report and records how that ended.
func (p *Reporter) try(ctx context.Context, s *senders.Sender, r casework.ProgressReport, until time.Time) error {
	a := casework.ProgressAttempt{Report: r.ID, N: r.Attempts, State: casework.ProgressSent}
	if p.Now().Add(timeoutOf(s)).After(until) || ctx.Err() != nil {
		// It would not end within the lease; another try does it, at once.
		a.State, a.NextAt = casework.ProgressPending, p.Now()
		return p.record(ctx, a)
	}
	var out platforms.Outgoing
	told := false
	asked, err := p.Book.Asked(ctx, r)
	if err == nil {
		out, told, err = s.Adapter.Report(asReport(r, asked))
	}
	_, tables := s.Adapter.(platforms.Exchange)
	tables = tables && out.Table != ""
	switch {
	case err != nil:
	case !told, !tables && s.Report == nil:
		a.State = casework.ProgressUntold
	default:
		// A stop waits for what is under way, so that its end goes on record.
		a.Sent, err = p.tell(context.WithoutCancel(ctx), s, r, out, tables)
	}
	a.At = p.Now()
	log := p.Logger.With("sender", s.ID, "case", r.Case, "n", r.N, "milestone", r.Milestone, "attempts", r.Attempts)
	if err != nil {
		a.State, a.Error, a.NextAt = casework.ProgressPending, why(err), a.At.Add(rounds.Backoff(r.Attempts, p.FirstRetry, lastRetry))
		log.InfoContext(ctx, "A platform is told again later.", "next", a.NextAt, "error", a.Error)
	} else {
		log.InfoContext(ctx, "A platform was told.", "state", a.State)
	}
	return p.record(ctx, a)
}

func asReport(r casework.ProgressReport, asked casework.Receipt) platforms.Report {
	number := r.Case
	if asked.Joint != nil {
		number = asked.Joint.Number
	}
	return platforms.Report{
		Sender: r.Sender, External: r.External, Number: number, Case: r.Case, Request: &asked.Request, Service: asked.Service, Utility: r.Utility, N: r.N,
		State: r.Milestone, At: r.At, Received: asked.ReceivedAt, Accepted: r.AcceptedAt, By: r.Department.Name(), Note: r.Note,
	}
}

func timeoutOf(s *senders.Sender) time.Duration {
	if s.Report == nil {
		return writeTimeout
	}
	return s.Report.Timeout
}

func (p *Reporter) record(ctx context.Context, a casework.ProgressAttempt) error {
	keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	return p.Book.RecordProgress(keeping, a)
}

// why words an error for a list that everybody may read: what is no fault may
// hold an address, a password or what a platform repeated of a customer.
func why(err error) string {
	if f, ok := errors.AsType[*casework.Fault](err); ok {
		return f.Text.String()
	}
	return casework.Say("平台未接受或无法连接，应答见发送记录", "the platform did not take it or can't be reached; see what was sent and answered").String()
}

func unreachable(zh, en string, args ...any) error {
	return casework.Refuse(casework.Unavailable, "platform_unavailable", casework.Sayf(zh, en, args...))
}

// tell sends a report, and gives what was sent and answered as far as that came.
func (p *Reporter) tell(ctx context.Context, s *senders.Sender, r casework.ProgressReport, out platforms.Outgoing, tables bool) (*casework.Sent, error) {
	ctx, cancel := context.WithTimeout(ctx, timeoutOf(s))
	defer cancel()
	if tables {
		adapter, _ := s.Adapter.(platforms.Exchange)
		return &casework.Sent{Text: fmt.Sprintf("%s %v", out.Table, out.Row)}, adapter.Write(ctx, r.Key(), out)
	}
	if out.Method == "" {
		out.Method = http.MethodPost
	}
	sent := &casework.Sent{Text: fmt.Sprintf("%s %s\n%s", out.Method, out.Path, out.Body)}
	request, err := p.request(ctx, s.Report, r, out)
	if err != nil {
		return sent, err
	}
	answer, err := p.client.Do(request)
	if err != nil {
		// The error names the address, and with it what proves us.
		if ctx.Err() != nil {
			return sent, unreachable("平台在 %[1]s 内未应答", "the platform did not answer within %[1]s", timeoutOf(s))
		}
		return sent, unreachable("无法连接平台", "the platform can't be reached")
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return sent, unreachable("平台应答中断", "the platform's answer broke off")
	}
	sent.Answer = fmt.Sprintf("%d\n%s", answer.StatusCode, body)
	return sent, s.Adapter.Judge(out, answer.StatusCode, body)
}

// request words a report for HTTP and proves that it is ours.
func (p *Reporter) request(ctx context.Context, to *senders.Report, r casework.ProgressReport, out platforms.Outgoing) (*http.Request, error) {
	path, query, _ := strings.Cut(out.Path, "?")
	address := *to.URL
	if path != "" {
		address = *to.URL.JoinPath(path)
	}
	body := out.Body
	if to.Encrypt != nil {
		block := make([]byte, 16)
		_, _ = rand.Read(block) // never fails: crypto/rand ends the program instead
		var err error
		if body, err = to.Encrypt.Encrypt(body, block); err != nil {
			return nil, err
		}
	}
	signed := proof.Request{Method: out.Method, Path: address.EscapedPath(), Query: query, Header: http.Header{}, Body: body}
	signed.Header.Set("User-Agent", "curbstop")
	signed.Header.Set(HeaderKey, r.Key())
	if out.ContentType != "" {
		signed.Header.Set("Content-Type", out.ContentType)
	}
	for name, value := range out.Header {
		signed.Header.Set(name, value)
	}
	if err := to.Proof.Sign(&signed, p.Now(), rand.Text()); err != nil {
		return nil, err
	}
	address.RawQuery = signed.Query
	request, err := http.NewRequestWithContext(ctx, out.Method, address.String(), bytes.NewReader(body))
	if err != nil {
		return nil, unreachable("地址无法使用", "the address can't be used")
	}
	request.Header = signed.Header
	return request, nil
}
