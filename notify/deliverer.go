package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/rounds"
)

// Outbox keeps messages and what became of them. Several deliverers may share
// it: what one of them takes, no other one gets until the lease has ended.
type Outbox interface {
	RouteMessages(ctx context.Context, limit int, plan func(casework.Message) []casework.Delivery) (int, error)
	ClaimDeliveries(ctx context.Context, outlet string, now, lease time.Time, topOnly bool, limit int) ([]casework.MessageLine, int, error)
	RecordAttempt(ctx context.Context, a casework.Attempt) error
	ExpireDeliveries(ctx context.Context, configured []string, before, now time.Time) error
}

// Calendars knows the notices in force.
type Calendars interface {
	Notices(ctx context.Context) (calendar.Notices, error)
}

// Directory knows the staff, page by page.
type Directory interface {
	StaffList(ctx context.Context, p casework.Page) ([]casework.Staff, string, error)
}

// Options are what a deliverer is made of. All but Now and Logger are required.
type Options struct {
	Outlets   *Outlets
	Outbox    Outbox
	Calendars Calendars
	Directory Directory
	// Hours are the business hours in force. Outside them only the top rung of
	// a ladder disturbs anybody.
	Hours  func(context.Context) (calendar.Hours, error)
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default
}

// Deliverer sends what waits in the outbox.
type Deliverer struct {
	Options
	mu        sync.Mutex
	staff     []casework.Staff
	staffRead time.Time
	expired   time.Time
}

const (
	pollEvery   = 2 * time.Second
	batch       = 100 // messages that are taken at one time
	parallel    = 4   // sent at one time through one outlet
	lease       = 5 * time.Minute
	sendTimeout = 30 * time.Second
	keepTimeout = 15 * time.Second // to record how a try ended

	firstRetry = time.Minute // doubled each time
	lastRetry  = time.Hour
	// giveUpAfter is counted from the first try; what was never tried, because
	// its outlet left the configuration, from when it was routed.
	giveUpAfter = 72 * time.Hour

	staffFresh = time.Minute
)

// NewDeliverer makes a deliverer.
func NewDeliverer(o Options) *Deliverer {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Deliverer{Options: o}
}

// Run sends until the context ends; what is under way then is finished and
// recorded first. Each outlet goes at its own pace: a mail server that does not
// answer holds up no robot.
func (d *Deliverer) Run(ctx context.Context) {
	var group sync.WaitGroup
	waits := func(err error) { d.Logger.WarnContext(ctx, "Messages wait to be sent.", "error", err) }
	group.Go(func() { rounds.Repeat(ctx, pollEvery, d.route, waits) })
	for _, r := range d.Outlets.routes {
		group.Go(func() {
			rounds.Repeat(ctx, pollEvery, func(ctx context.Context) (bool, error) { return d.deliver(ctx, r) }, waits)
		})
	}
	group.Wait()
}

// route decides for new messages through which outlets they go.
func (d *Deliverer) route(ctx context.Context) (more bool, err error) {
	now := d.Now()
	cal, err := d.calendar(ctx)
	if err != nil {
		return false, err
	}
	if now.Sub(d.expired) >= lastRetry {
		if err := d.Outbox.ExpireDeliveries(ctx, d.Outlets.Names(), now.Add(-giveUpAfter), now); err != nil {
			return false, err
		}
		d.expired = now
	}
	n, err := d.Outbox.RouteMessages(ctx, batch, func(m casework.Message) []casework.Delivery {
		var planned []casework.Delivery
		for _, r := range d.Outlets.routes {
			if r.carries(m) {
				planned = append(planned, casework.Delivery{Outlet: r.Outlet.Name(), NextAt: quiet(cal, m, now)})
			}
		}
		return planned
	})
	return n == batch, err
}

// quiet is when a message may go out that is ready at a moment: the top rung's
// then, any other within business hours.
func quiet(cal *calendar.Calendar, m casework.Message, ready time.Time) time.Time {
	if m.Top {
		return ready
	}
	return cal.Opening(ready)
}

func (d *Deliverer) calendar(ctx context.Context) (*calendar.Calendar, error) {
	notices, err := d.Calendars.Notices(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the calendar: %w", err)
	}
	hours, err := d.Hours(ctx)
	if err != nil {
		return nil, err
	}
	return calendar.New(notices, hours)
}

// deliver sends a batch of what is due through one outlet.
func (d *Deliverer) deliver(ctx context.Context, r *route) (more bool, err error) {
	now := d.Now()
	limit := r.pace.most(now, batch)
	if limit == 0 {
		return false, nil
	}
	cal, err := d.calendar(ctx)
	if err != nil {
		return false, err
	}
	closed := cal.Opening(now).After(now)
	until := now.Add(lease)
	claimed, seen, err := d.Outbox.ClaimDeliveries(ctx, r.Outlet.Name(), now, until, closed, limit)
	if err != nil {
		return false, err
	}
	var group errgroup.Group
	group.SetLimit(parallel)
	for _, line := range claimed {
		group.Go(func() error { return d.try(ctx, r, line, until, cal) })
	}
	return seen == limit, group.Wait()
}

// try sends one message and records how that ended.
func (d *Deliverer) try(ctx context.Context, r *route, line casework.MessageLine, until time.Time, cal *calendar.Calendar) error {
	now := d.Now()
	delivery := line.Deliveries[0]
	a := casework.Attempt{Delivery: delivery.ID, N: delivery.Attempts, At: now}
	notice := Notice{Message: line.Message}
	var err error
	if r.personal {
		notice.To, err = d.recipients(ctx, line.Message)
	}
	rest := r.pace.resting(now)
	switch {
	case err != nil, ctx.Err() != nil, !rest.IsZero(), now.Add(sendTimeout).After(until):
		// Nobody was called: another try does it, soon or when the outlet has rested.
		a.Uncalled, a.State, a.NextAt = true, casework.DeliveryPending, now
		if rest.After(now) {
			a.NextAt = rest
		}
		return errors.Join(err, d.record(ctx, a))
	}
	r.pace.called(now)
	// A stop waits for what is under way, so that its end goes on record.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	sent, err := r.Send(sending, notice)
	cancel()
	a.At = d.Now()
	if err == nil {
		a.State, a.Sent = casework.DeliverySent, &sent
		return d.record(ctx, a)
	}
	d.refused(ctx, r, &a, line.Message, delivery.FirstAt, err, cal)
	return d.record(ctx, a)
}

// refused decides what becomes of a message that an outlet did not take.
func (d *Deliverer) refused(ctx context.Context, r *route, a *casework.Attempt, m casework.Message, first time.Time, err error, cal *calendar.Calendar) {
	why, known := errors.AsType[*SendError](err)
	if !known {
		why = passing("未送出", "it did not go out") // what else it says may hold a secret
	}
	a.Error = why.Error()
	if why.Permanent || a.At.Sub(first) >= giveUpAfter {
		a.State = casework.DeliveryDead
		d.Logger.ErrorContext(ctx, "A message was given up.", "outlet", r.Outlet.Name(), "message", m.ID, "attempts", a.N, "error", a.Error)
		return
	}
	wait := rounds.Backoff(a.N, firstRetry, lastRetry)
	if why.After > 0 {
		wait = why.After
		r.pace.restUntil(a.At.Add(wait))
	}
	a.State, a.NextAt = casework.DeliveryPending, quiet(cal, m, a.At.Add(wait))
	d.Logger.InfoContext(ctx, "A message is tried again later.", "outlet", r.Outlet.Name(), "message", m.ID, "attempts", a.N, "next", a.NextAt, "error", a.Error)
}

func (d *Deliverer) record(ctx context.Context, a casework.Attempt) error {
	keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	return d.Outbox.RecordAttempt(keeping, a)
}

// recipients are the addresses of those whom a message reaches: the person that
// it names, or, where that person has no address, whoever holds the role there.
func (d *Deliverer) recipients(ctx context.Context, m casework.Message) ([]string, error) {
	staff, err := d.everybody(ctx)
	if err != nil {
		return nil, err
	}
	reached := func(m casework.Message) (to []string) {
		for _, s := range staff {
			if s.Email != "" && m.Reaches(s) {
				to = append(to, s.Email)
			}
		}
		return to
	}
	if to := reached(m); len(to) > 0 || m.Person == "" {
		return to, nil
	}
	m.Person = ""
	return reached(m), nil
}

func (d *Deliverer) everybody(ctx context.Context) ([]casework.Staff, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.Now()
	if !d.staffRead.IsZero() && now.Sub(d.staffRead) < staffFresh {
		return d.staff, nil
	}
	var all []casework.Staff
	for p := (casework.Page{Limit: 200}); ; {
		part, next, err := d.Directory.StaffList(ctx, p)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
		if next == "" {
			break
		}
		p.Cursor = next
	}
	d.staff, d.staffRead = all, now
	return all, nil
}
