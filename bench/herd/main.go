// Command herd measures how late time itself acts when many limits run out at
// one moment, as at half past five: so many connection cases of the real
// workflow, with the real records in PostgreSQL, whose first limit runs out at
// the close of business; and as many bare timers of the same server, before
// them and after them in the same run. `make bench-herd` runs it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"text/tabwriter"
	"time"

	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"golang.org/x/sync/errgroup"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/cmd/curbstop/service"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/devstack"
	"github.com/curbstop/curbstop/drafts"
	"github.com/curbstop/curbstop/policy"
	"github.com/curbstop/curbstop/worker"
)

func main() {
	n := flag.Int("n", 20_000, "how many limits run out at one moment")
	perSecond := flag.Int("rate", 0, "how many cases this machine is expected to open in a second; 0: a few are opened first to see it")
	data := flag.String("data", "", "data folder of the stack; empty: a temporary one, removed at the end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	err := run(ctx, os.Stdout, *n, *perSecond, *data)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "herd:", err)
		os.Exit(1)
	}
}

// callers is how many cases and timers are started at one time.
const callers = 32

// herd is one run of the benchmark.
type herd struct {
	n    int
	out  io.Writer
	s    *service.Service
	save *recorder
}

func run(ctx context.Context, out io.Writer, n, perSecond int, data string) (err error) {
	if n < 1 || n > 100_000 || perSecond < 0 {
		return errors.New("-n must be from 1 to 100,000, -rate at least 1, or 0 to have it measured")
	}
	h := &herd{n: n, out: out}
	if data == "" {
		if data, err = os.MkdirTemp("", "curbstop-herd-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
		// PostgreSQL runs as another user where root starts it.
		if err := os.Chmod(data, 0o755); err != nil {
			return err
		}
	}
	h.say("starting the stack in %s", data)
	stack, err := devstack.Start(ctx, devstack.Options{DataDir: data})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Close(context.WithoutCancel(ctx))) }()
	c := service.Config{DatabaseURL: stack.PostgresURL("curbstop"), TemporalAddress: stack.TemporalAddress, BlobURL: "mem://"}
	if _, err := c.LocalKeys(data); err != nil {
		return err
	}
	if err := service.Migrate(ctx, c, slog.Default()); err != nil {
		return err
	}
	if h.s, err = service.Open(ctx, c, slog.Default()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.s.Close(context.WithoutCancel(ctx))) }()
	// A machine that is shared or grows warm is not the same all along, so what the
	// cases are measured by stands on both sides of them.
	before, err := h.timers(ctx, "before")
	if err != nil {
		return fmt.Errorf("bare timers before: %w", err)
	}
	cases, err := h.cases(ctx, perSecond)
	if err != nil {
		return fmt.Errorf("cases: %w", err)
	}
	after, err := h.timers(ctx, "after")
	if err != nil {
		return fmt.Errorf("bare timers after: %w", err)
	}
	return h.report(cases, before, after)
}

func (h *herd) say(format string, args ...any) {
	fmt.Fprintf(h.out, "%s %s\n", time.Now().In(calendar.Shanghai).Format("15:04:05"), fmt.Sprintf(format, args...))
}

// lateness are the delays of one herd, each measured from the moment at which
// all of it was due.
type lateness struct {
	woke []time.Duration // the workflow's own time when it acted
	done []time.Duration // this machine's time when the effect was there
}

// recorder is the store, with a note of when each rung was committed.
type recorder struct {
	activities.Recorder
	mu    sync.Mutex
	due   time.Time
	open  map[string]bool // cases whose first task is recorded
	fired map[string]lateOne
}

type lateOne struct{ woke, done time.Duration }

func (r *recorder) Save(ctx context.Context, k *casework.Case, c casework.Changes) error {
	if err := r.Recorder.Save(ctx, k, c); err != nil {
		return err
	}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(c.Tasks) > 0 {
		r.open[k.Number] = true
	}
	for _, e := range c.Escalations {
		if _, known := r.fired[k.Number]; !known {
			r.fired[k.Number] = lateOne{woke: e.FiredAt.Sub(r.due), done: now.Sub(r.due)}
		}
	}
	return nil
}

// from counts anew, for a herd that is due at a moment.
func (r *recorder) from(due time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.due = due
	clear(r.open)
}

func (r *recorder) working() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open)
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.fired)
}

// cases opens the herd, waits for the close of business, and gives how late
// each breach was.
func (h *herd) cases(ctx context.Context, perSecond int) (lateness, error) {
	h.save = &recorder{Recorder: h.s.Store, open: map[string]bool{}, fired: map[string]lateOne{}}
	w := worker.New(h.s.Temporal, worker.Activities{
		Records:   &activities.Records{Recorder: h.save},
		Deadlines: &activities.Deadlines{Calendars: h.s.Store},
		Documents: &activities.Documents{Cases: h.s.Store, Archive: h.s.Archive, Write: drafts.Write},
	}, worker.Options{})
	if err := w.Start(); err != nil {
		return lateness{}, err
	}
	defer w.Stop()

	if perSecond == 0 {
		var err error
		if perSecond, err = h.pace(ctx); err != nil {
			return lateness{}, fmt.Errorf("see how fast cases open: %w", err)
		}
	}
	due := time.Now().In(calendar.Shanghai).Add(time.Duration(h.n/perSecond+60) * time.Second).Truncate(time.Minute).Add(time.Minute)
	if calendar.DateOf(due) != calendar.DateOf(time.Now()) {
		return lateness{}, errors.New("it is nearly midnight in Shanghai: start again after it, so that all limits run out on one day")
	}
	terms, err := closingAt(due)
	if err != nil {
		return lateness{}, err
	}
	h.save.from(due)
	h.say("opening %d cases, whose first limit runs out at %s", h.n, due.Format(time.TimeOnly))
	began := time.Now()
	if err := h.each(ctx, h.n, "started", func(ctx context.Context, i int) error {
		return h.open(ctx, fmt.Sprintf("W-HERD-%06d", i), terms)
	}); err != nil {
		return lateness{}, err
	}
	// What opening sets off must not be under way any more at the moment itself.
	if err := h.await(ctx, h.n, "opened", due, h.save.working); err != nil {
		return lateness{}, err
	}
	took := time.Since(began)
	h.say("opened in %s, %.0f a second", took.Round(time.Second), float64(h.n)/took.Seconds())
	if time.Until(due) < 5*time.Second {
		return lateness{}, fmt.Errorf("this machine opened %.0f cases a second: start again with -rate %.0f", float64(h.n)/took.Seconds(), float64(h.n)/took.Seconds()*0.9)
	}
	h.say("waiting for %s", due.In(calendar.Shanghai).Format(time.TimeOnly))
	if err := h.await(ctx, h.n, "breaches recorded", due, h.save.count); err != nil {
		return lateness{}, err
	}
	var l lateness
	for _, one := range h.save.fired {
		l.woke, l.done = append(l.woke, one.woke), append(l.done, one.done)
	}
	return l, nil
}

// slower is what is left of the pace of the first cases when thousands are open.
const slower = 0.6

// pace opens a few cases, whose limit runs out weeks later and not in the middle
// of the herd, and tells how many a second this machine opens when it goes on for
// long.
func (h *herd) pace(ctx context.Context) (perSecond int, err error) {
	terms := policy.Default().Terms()
	terms.Limits = map[casework.LimitName]calendar.Budget{"contact_customer": {Unit: calendar.WorkingDays, Days: 20}}
	few := max(50, h.n/50)
	began := time.Now()
	if err := h.each(ctx, few, "opened", func(ctx context.Context, i int) error {
		return h.open(ctx, fmt.Sprintf("W-PACE-%06d", i), terms)
	}); err != nil {
		return 0, err
	}
	if err := h.await(ctx, few, "opened", began.Add(time.Minute), h.save.working); err != nil {
		return 0, err
	}
	first := float64(few) / time.Since(began).Seconds()
	h.say("opened %d cases, %.0f a second", few, first)
	return max(1, int(first*slower)), nil
}

// open starts a case that owes no paper: a herd does not come straight after as
// many new requests, whose papers would be written while it is due.
func (h *herd) open(ctx context.Context, number string, terms casework.Terms) error {
	r := request(number)
	k := casework.NewCase(number, r, terms, casework.System(), time.Now())
	k.Drafts = nil
	if err := h.s.Store.Save(ctx, k, k.TakeChanges()); err != nil {
		return err
	}
	_, err := h.s.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: contract.WorkflowID(number), TaskQueue: contract.TaskQueue, TypedSearchAttributes: contract.SearchAttributes(r, terms.Lane),
	}, contract.ConnectionWorkflow, contract.CaseInput{Number: number, State: k})
	return err
}

// closingAt are the terms by which the first limit of every case runs out at
// one moment: the close of a business day that is always open till then. The
// breach is the only rung that falls due, and must be answered as everywhere.
func closingAt(due time.Time) (casework.Terms, error) {
	terms := policy.Default().Terms()
	var hours calendar.Hours
	err := json.Unmarshal(fmt.Appendf(nil, `{"every_day":true,"spans":[{"from":"00:00","to":%q}]}`, due.Format("15:04")), &hours)
	terms.Hours = hours
	terms.Limits = map[casework.LimitName]calendar.Budget{"contact_customer": {Unit: calendar.SameDay}}
	terms.Ladder = slices.DeleteFunc(terms.Ladder, func(r casework.Rung) bool { return r.Name != casework.RungBreach })
	return terms, err
}

func request(number string) casework.Request {
	return casework.Request{
		Utility: casework.Water, Channel: casework.IndustrialPark, ExternalNumber: number,
		Applicant: casework.Applicant{Name: "芜湖瑞安医疗器械有限公司", CreditCode: "91340223RDUELXGQ0Y"},
		Contact:   casework.Contact{Name: "秦刚丽", Phone: "13900007716"},
		Site:      casework.Site{District: "340223", Address: "芜湖市南陵县涌珠泉路287号"},
	}
}

// timers starts as many workflows that do nothing but sleep, on the same server
// and with the same options of a worker.
func (h *herd) timers(ctx context.Context, when string) (lateness, error) {
	queue := "bare-" + when
	due := time.Now().Add(time.Duration(h.n/90+30) * time.Second).Truncate(time.Second)
	var mu sync.Mutex
	var l lateness
	bare := func(ctx workflow.Context, due time.Time) error {
		if err := workflow.Sleep(ctx, due.Sub(workflow.Now(ctx))); err != nil {
			return err
		}
		if !workflow.IsReplaying(ctx) {
			mu.Lock()
			defer mu.Unlock()
			l.woke, l.done = append(l.woke, workflow.Now(ctx).Sub(due)), append(l.done, time.Since(due))
		}
		return nil
	}
	w := sdkworker.New(h.s.Temporal, queue, worker.Tuning())
	w.RegisterWorkflowWithOptions(bare, workflow.RegisterOptions{Name: "bare"})
	if err := w.Start(); err != nil {
		return lateness{}, err
	}
	defer w.Stop()
	h.say("starting %d bare timers, due at %s", h.n, due.In(calendar.Shanghai).Format(time.TimeOnly))
	if err := h.each(ctx, h.n, "started", func(ctx context.Context, i int) error {
		_, err := h.s.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: fmt.Sprintf("%s-%06d", queue, i), TaskQueue: queue}, "bare", due)
		return err
	}); err != nil {
		return lateness{}, err
	}
	if time.Until(due) < 5*time.Second {
		return lateness{}, errors.New("the timers were due before all had started")
	}
	h.say("waiting for %s", due.In(calendar.Shanghai).Format(time.TimeOnly))
	err := h.await(ctx, h.n, "timers fired", due, func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(l.woke)
	})
	return l, err
}

// each does something n times, several at one time.
func (h *herd) each(ctx context.Context, n int, what string, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(callers)
	var done atomic.Int64
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			if err := do(ctx, i); err != nil {
				return err
			}
			if d := done.Add(1); d%2000 == 0 {
				h.say("  %d %s", d, what)
			}
			return nil
		})
	}
	return group.Wait()
}

// longest bounds the time in which a herd must have been dealt with.
const longest = 20 * time.Minute

// await waits for the moment, and then for all n.
func (h *herd) await(ctx context.Context, n int, what string, due time.Time, count func() int) error {
	ctx, cancel := context.WithDeadline(ctx, due.Add(longest))
	defer cancel()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	said := due
	for count() < n {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d %s: %w", count(), n, what, ctx.Err())
		case now := <-tick.C:
			if now.Sub(said) >= 10*time.Second {
				said = now
				h.say("  %d %s", count(), what)
			}
		}
	}
	if late := time.Since(due); late > 0 {
		h.say("all %d %s, %s after the moment", n, what, late.Round(time.Millisecond))
	}
	return nil
}

// report prints the cases beside the bare timers. Their ratio is to the mean of
// the timers before and after them.
func (h *herd) report(cases, before, after lateness) error {
	fmt.Fprintf(h.out, "\n%d limits due at one moment; %d cores, %s\n", h.n, runtime.NumCPU(), runtime.Version())
	w := tabwriter.NewWriter(h.out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "lateness\tp50\tp99\tmax\t")
	for _, row := range []struct {
		name string
		of   []time.Duration
	}{
		{"bare timers before, woke", before.woke}, {"bare timers before, done", before.done},
		{"cases, rung fired", cases.woke}, {"cases, rung committed", cases.done},
		{"bare timers after, woke", after.woke}, {"bare timers after, done", after.done},
	} {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t\n", row.name, short(at(row.of, 50)), short(at(row.of, 99)), short(at(row.of, 100)))
	}
	for _, row := range []struct {
		name                 string
		cases, before, after []time.Duration
	}{
		{"ratio, fired to woke", cases.woke, before.woke, after.woke},
		{"ratio, committed to done", cases.done, before.done, after.done},
	} {
		fmt.Fprint(w, row.name, "\t")
		for _, percent := range []int{50, 99, 100} {
			fmt.Fprintf(w, "%.2f\t", ratio(row.cases, row.before, row.after, percent))
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

func short(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// at gives a percentile by the nearest rank; 100 is the largest.
func at(of []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	rank := (len(sorted)*percent + 99) / 100
	return sorted[max(rank, 1)-1]
}

// ratio is of percentiles: that of the cases to the mean of those around them.
func ratio(cases, before, after []time.Duration, percent int) float64 {
	return 2 * at(cases, percent).Seconds() / (at(before, percent) + at(after, percent)).Seconds()
}
