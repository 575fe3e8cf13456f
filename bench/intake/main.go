// Command intake measures how requests are taken in: at a fixed rate over real
// HTTP, with authentication, while cases are open, on the embedded stack. Then
// it checks that what was accepted is there: one receipt and one started case
// for each request, none lost, none twice. In the same run it measures the bare
// start of a workflow that does nothing, at the same rate on the same server.
// `make bench-intake` runs it.
package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"golang.org/x/sync/errgroup"

	"github.com/curbstop/curbstop/api"
	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/cmd/curbstop/service"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/devstack"
	"github.com/curbstop/curbstop/worker"
)

// plan is what is asked of one run.
type plan struct {
	open, rate, seconds int
	data                string
}

func main() {
	var p plan
	flag.IntVar(&p.open, "open", 1000, "how many cases are open before")
	flag.IntVar(&p.rate, "rate", 100, "requests a second")
	flag.IntVar(&p.seconds, "seconds", 60, "for how long")
	flag.StringVar(&p.data, "data", "", "data folder of the stack; empty: a temporary one, removed at the end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	err := run(ctx, os.Stdout, p)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "intake:", err)
		os.Exit(1)
	}
}

// intake is one run of the benchmark.
type intake struct {
	plan
	out   io.Writer
	s     *service.Service
	db    string
	token string
	http  *http.Client
}

func run(ctx context.Context, out io.Writer, p plan) (err error) {
	if p.open < 0 || p.rate < 1 || p.seconds < 1 {
		return errors.New("-open must be at least 0, -rate and -seconds at least 1")
	}
	b := &intake{plan: p, out: out, http: &http.Client{
		Timeout:   time.Minute,
		Transport: &http.Transport{MaxIdleConnsPerHost: 512, MaxConnsPerHost: 512},
	}}
	if b.data == "" {
		if b.data, err = os.MkdirTemp("", "curbstop-intake-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(b.data)) }()
		// PostgreSQL runs as another user where root starts it.
		if err := os.Chmod(b.data, 0o755); err != nil {
			return err
		}
	}
	b.say("starting the stack in %s", b.data)
	stack, err := devstack.Start(ctx, devstack.Options{DataDir: b.data})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Close(context.WithoutCancel(ctx))) }()
	if err := b.serve(ctx, stack); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.s.Close(context.WithoutCancel(ctx))) }()
	if err := b.openCases(ctx); err != nil {
		return fmt.Errorf("open cases: %w", err)
	}
	bare, err := b.bareStarts(ctx)
	if err != nil {
		return fmt.Errorf("bare starts: %w", err)
	}
	b.say("sending %d requests, %d a second", b.rate*b.seconds, b.rate)
	got := b.send(ctx)
	b.say("sent; waiting until every case is open")
	trailed, err := b.drained(ctx)
	if err != nil {
		return err
	}
	wrong, err := b.check(ctx, got)
	if err != nil {
		return err
	}
	return b.report(got, bare, trailed, wrong)
}

func (b *intake) say(format string, args ...any) {
	fmt.Fprintf(b.out, "%s %s\n", time.Now().In(calendar.Shanghai).Format("15:04:05"), fmt.Sprintf(format, args...))
}

const sender = "bench-platform"

// serve starts the worker and the API, which serves both utilities, and lets a
// platform in.
func (b *intake) serve(ctx context.Context, stack *devstack.Stack) (err error) {
	c := service.Config{DatabaseURL: stack.PostgresURL("curbstop"), TemporalAddress: stack.TemporalAddress, BlobURL: "mem://", Listen: "127.0.0.1:0"}
	if _, err := c.LocalKeys(b.data); err != nil {
		return err
	}
	if err := service.Migrate(ctx, c, slog.Default()); err != nil {
		return err
	}
	if b.s, err = service.Open(ctx, c, slog.Default()); err != nil {
		return err
	}
	b.db = c.DatabaseURL
	platform := casework.Staff{ID: sender, Name: "压测平台", Roles: []casework.Role{casework.Platform}, Active: true}
	if err := b.s.Store.PutStaff(ctx, platform, ""); err != nil {
		return err
	}
	key, err := base64.StdEncoding.DecodeString(c.JWTKey)
	if err != nil {
		return err
	}
	if b.token, err = api.IssueToken(key, sender, 10*time.Hour, time.Now()); err != nil {
		return err
	}
	if err := b.s.StartWorker(); err != nil {
		return err
	}
	return b.s.StartAPI(ctx)
}

// openCases opens those that are under way before, eight at one time.
func (b *intake) openCases(ctx context.Context) error {
	b.say("opening %d cases", b.open)
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range b.open {
		group.Go(func() error {
			r := request(fmt.Sprintf("open-%06d", i))
			receipt, _, err := b.s.Store.Accept(ctx, r, casework.System(), time.Now())
			if err != nil {
				return err
			}
			return b.start(ctx, receipt)
		})
	}
	err := group.Wait()
	took := time.Since(began)
	b.say("opened in %s, %.0f a second", took.Round(time.Second), float64(b.open)/took.Seconds())
	return err
}

// start opens a case. A server that has only just begun may be busy for a while
// and says so.
func (b *intake) start(ctx context.Context, receipt casework.Receipt) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := b.s.Desk.Start(ctx, receipt, true)
		if fault, ok := errors.AsType[*casework.Fault](err); !ok || fault.Kind != casework.Unavailable {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

func request(external string) casework.Request {
	return casework.Request{
		Utility: casework.Water, Channel: casework.ProjectApproval, ExternalNumber: external,
		Applicant: casework.Applicant{Name: "芜湖瑞安医疗器械有限公司", CreditCode: "91340223RDUELXGQ0Y"},
		Contact:   casework.Contact{Name: "秦刚丽", Phone: "13900007716"},
		Site:      casework.Site{District: "340223", Address: "芜湖市南陵县涌珠泉路287号"},
		Demand:    casework.Demand{Use: "生产用水", DailyVolume: 40, Diameter: 50},
	}
}

// paced does something at a fixed rate, an open loop: what is slow delays
// nothing that comes after, and every latency counts from the planned moment.
func (b *intake) paced(ctx context.Context, do func(i int, planned time.Time)) {
	var all sync.WaitGroup
	begin := time.Now().Add(100 * time.Millisecond)
	gap := time.Second / time.Duration(b.rate)
	for i := range b.rate * b.seconds {
		planned := begin.Add(time.Duration(i) * gap)
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(planned)):
			all.Go(func() { do(i, planned) })
		}
	}
	all.Wait()
}

// bareQueue is where the workflows that do nothing run.
const bareQueue = "intake-bare"

// bareStarts gives how long the start of a workflow takes that does nothing.
func (b *intake) bareStarts(ctx context.Context) ([]time.Duration, error) {
	w := sdkworker.New(b.s.Temporal, bareQueue, worker.Tuning())
	w.RegisterWorkflowWithOptions(func(workflow.Context) error { return nil }, workflow.RegisterOptions{Name: "bare"})
	if err := w.Start(); err != nil {
		return nil, err
	}
	defer w.Stop()
	b.say("starting %d bare workflows, %d a second", b.rate*b.seconds, b.rate)
	var mu sync.Mutex
	var took []time.Duration
	var failed error
	b.paced(ctx, func(i int, planned time.Time) {
		_, err := b.s.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: fmt.Sprintf("bare-%06d", i), TaskQueue: bareQueue}, "bare")
		mu.Lock()
		defer mu.Unlock()
		took, failed = append(took, time.Since(planned)), errors.Join(failed, err)
	})
	return took, failed
}

// result is what became of the requests.
type result struct {
	mu       sync.Mutex
	took     []time.Duration
	statuses map[int]int
	failures map[string]int
	numbers  map[string][]string // of the cases, by the external number of each, as every answer told them
	twice    int                 // sendings that repeated another
}

// send plays the senders: of ten requests one asks for both utilities, and one
// of twenty is sent twice, the second time while the first is under way.
func (b *intake) send(ctx context.Context) *result {
	r := &result{statuses: map[int]int{}, failures: map[string]int{}, numbers: map[string][]string{}}
	b.paced(ctx, func(i int, planned time.Time) {
		n := i
		if i%20 == 15 || i%40 == 19 {
			n = i - 1
		}
		external := fmt.Sprintf("push-%07d", n)
		path, body := "/v1/connection-requests", any(request(external))
		joint := n%10 == 8
		if joint {
			one := request("")
			path, body = "/v1/joint-requests", casework.JointRequest{
				Utilities: []casework.Utility{casework.Water, casework.Gas}, Channel: casework.JointUtility, ExternalNumber: external,
				Applicant: one.Applicant, Contact: one.Contact, Site: one.Site, Demand: one.Demand,
			}
		}
		status, cases, err := b.post(ctx, path, body, fmt.Sprintf("bench-intake-%07d", i))
		took := time.Since(planned)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.took = append(r.took, took)
		r.statuses[status]++
		if n != i {
			r.twice++
		}
		switch {
		case err != nil:
			r.failures[err.Error()]++
		case joint:
			for utility, number := range cases {
				r.numbers[external+"/"+utility] = append(r.numbers[external+"/"+utility], number)
			}
		default:
			r.numbers[external] = append(r.numbers[external], cases[""])
		}
	})
	return r
}

// post sends a request and gives the numbers of its cases, by utility where it
// asked for several.
func (b *intake) post(ctx context.Context, path string, body any, key string) (int, map[string]string, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+b.s.Address+path, bytes.NewReader(raw))
	if err != nil {
		return 0, nil, err
	}
	q.Header.Set("Authorization", "Bearer "+b.token)
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Idempotency-Key", key)
	answer, err := b.http.Do(q)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return answer.StatusCode, nil, err
	}
	if answer.StatusCode >= 300 {
		return answer.StatusCode, nil, fmt.Errorf("%d %s", answer.StatusCode, text)
	}
	var got struct {
		Number string
		Cases  []struct{ Number, Utility string }
	}
	if err := json.Unmarshal(text, &got); err != nil {
		return answer.StatusCode, nil, err
	}
	numbers := map[string]string{"": got.Number}
	for _, c := range got.Cases {
		numbers[c.Utility] = c.Number
	}
	if len(got.Cases) > 0 {
		delete(numbers, "")
	}
	return answer.StatusCode, numbers, nil
}

// longest bounds how long the starts may trail.
const longest = 20 * time.Minute

// drained waits until every receipt has its case, and gives how long that took.
func (b *intake) drained(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	db, err := pgx.Connect(ctx, b.db)
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	for said := began; ; {
		var left int
		err := db.QueryRow(ctx, `SELECT count(*) FROM receipts r LEFT JOIN cases c USING (number) WHERE NOT r.started OR c.number IS NULL`).Scan(&left)
		if err != nil || left == 0 {
			return time.Since(began), err
		}
		if time.Since(said) > 10*time.Second {
			said = time.Now()
			b.say("  %d to be opened", left)
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%d accepted requests have no case: %w", left, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// check compares what was answered with what is there.
func (b *intake) check(ctx context.Context, r *result) (wrong []string, err error) {
	db, err := pgx.Connect(ctx, b.db)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	type kept struct {
		Number, External string
		Cases            int
	}
	rows, err := db.Query(ctx, `SELECT r.number, r.external_number, (SELECT count(*) FROM cases c WHERE c.number = r.number) FROM receipts r WHERE r.external_number LIKE 'push-%'`)
	if err != nil {
		return nil, err
	}
	receipts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[kept])
	if err != nil {
		return nil, err
	}
	there := map[string][]string{}
	for _, k := range receipts {
		there[k.External] = append(there[k.External], k.Number)
		if k.Cases != 1 {
			wrong = append(wrong, fmt.Sprintf("%s has %d cases", k.Number, k.Cases))
		}
		if _, answered := r.numbers[k.External]; !answered && len(r.failures) == 0 {
			wrong = append(wrong, fmt.Sprintf("%s was never answered", k.External))
		}
	}
	for external, answered := range r.numbers {
		slices.Sort(answered)
		if one := slices.Compact(answered); !slices.Equal(one, there[external]) {
			wrong = append(wrong, fmt.Sprintf("%s was answered with %v and has the receipts %v", external, one, there[external]))
		}
	}
	// Temporal's own count lags a moment behind.
	var started int64
	want := int64(len(receipts) + b.open)
	for range 100 {
		count, err := b.s.Temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: "WorkflowType = '" + contract.ConnectionWorkflow + "'"})
		if err != nil {
			return nil, err
		}
		if started = count.GetCount(); started == want {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	if started != want {
		wrong = append(wrong, fmt.Sprintf("%d workflows were started for %d receipts", started, want))
	}
	b.say("%d receipts, %d workflows started in all, %d sent twice on purpose", len(receipts), started, r.twice)
	return wrong, nil
}

// report prints what was measured; what was lost or done twice is an error.
func (b *intake) report(r *result, bare []time.Duration, trailed time.Duration, wrong []string) error {
	fmt.Fprintf(b.out, "\n%d requests at %d a second beside %d open cases; %d cores, %s\n", len(r.took), b.rate, b.open, runtime.NumCPU(), runtime.Version())
	fmt.Fprintf(b.out, "answers:")
	for _, status := range []int{http.StatusCreated, http.StatusAccepted, http.StatusOK} {
		fmt.Fprintf(b.out, " %d %s %d;", status, strings.ToLower(http.StatusText(status)), r.statuses[status])
		delete(r.statuses, status)
	}
	failed := 0
	for _, n := range r.statuses {
		failed += n
	}
	fmt.Fprintf(b.out, " failed %d\nthe last case was open %s after the last answer\n", failed, trailed.Round(100*time.Millisecond))
	w := tabwriter.NewWriter(b.out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "from the planned moment\tp50\tp99\tmax\t")
	for _, row := range []struct {
		name string
		of   []time.Duration
	}{{"request answered", r.took}, {"bare workflow started", bare}} {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t\n", row.name, short(at(row.of, 50)), short(at(row.of, 99)), short(at(row.of, 100)))
	}
	fmt.Fprintf(w, "ratio\t%.2f\t%.2f\t%.2f\t\n", ratio(r.took, bare, 50), ratio(r.took, bare, 99), ratio(r.took, bare, 100))
	if err := w.Flush(); err != nil {
		return err
	}
	for failure, n := range r.failures {
		wrong = append(wrong, fmt.Sprintf("%d times: %s", n, failure))
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d things are wrong, first: %s", len(wrong), strings.Join(wrong[:min(5, len(wrong))], "; "))
	}
	fmt.Fprintln(b.out, "none lost, none twice")
	return nil
}

func short(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

// at gives a percentile by the nearest rank; 100 is the largest.
func at(of []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	rank := (len(sorted)*percent + 99) / 100
	return sorted[max(rank, 1)-1]
}

func ratio(a, b []time.Duration, percent int) float64 {
	return at(a, percent).Seconds() / at(b, percent).Seconds()
}
