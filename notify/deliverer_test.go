package notify

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/seal"
	"github.com/curbstop/curbstop/store"
	"github.com/curbstop/curbstop/testkit"
)

// hours are those of the examples, with a lunch break.
var hours = calendar.Hours{Spans: []calendar.Span{{From: 8*60 + 30, To: 12 * 60}, {From: 13*60 + 30, To: 17*60 + 30}}}

func TestQuietHours(t *testing.T) {
	t.Parallel()
	cal, err := calendar.New(calendar.Seed(), hours)
	require.NoError(t, err)
	for ready, opening := range map[string]string{
		"2026-11-24 10:00": "2026-11-24 10:00",
		"2026-11-24 12:30": "2026-11-24 13:30",
		"2026-11-24 17:30": "2026-11-25 08:30",
		"2026-11-28 10:00": "2026-11-30 08:30", // Saturday
		"2026-10-01 10:00": "2026-10-08 08:30", // National Day
		"2026-10-10 10:00": "2026-10-10 10:00", // a Saturday made a working day
		"2026-10-09 18:00": "2026-10-10 08:30",
	} {
		m := breach().Message
		require.Equal(t, at(t, opening), quiet(cal, m, at(t, ready)), ready)
		m.Top = true
		require.Equal(t, at(t, ready), quiet(cal, m, at(t, ready)), "the top rung disturbs at any time")
	}
}

// scripted is an outlet that does what a test says, and remembers.
type scripted struct {
	name string
	mu   sync.Mutex
	got  []string
	does func(n Notice) error // nil: takes it
}

func (o *scripted) Name() string { return o.name }

func (o *scripted) Send(_ context.Context, n Notice) (casework.Sent, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.got = append(o.got, n.ID)
	if o.does != nil {
		if err := o.does(n); err != nil {
			return casework.Sent{}, err
		}
	}
	return casework.Sent{To: n.To, Text: n.Text.ZH}, nil
}

// house is an outbox with a clock of the test's own.
type house struct {
	*store.Store
	mu  sync.Mutex
	now time.Time
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) until(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = now
}

func newHouse(t *testing.T, now string) *house {
	t.Helper()
	h := &house{now: at(t, now)}
	ring, err := seal.ParseRing(seal.NewKey("test"))
	require.NoError(t, err)
	h.Store, err = store.Open(t.Context(), testkit.Database(t), store.Options{Ring: ring, Now: h.clock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	return h
}

// deliverer is a process that sends through outlets.
func (h *house) deliverer(outlets ...*route) *Deliverer {
	return NewDeliverer(Options{
		Outlets: &Outlets{routes: outlets}, Outbox: h.Store, Calendars: weekends{}, Directory: h.Store, Now: h.clock, Logger: slog.New(slog.DiscardHandler),
		Hours: func(context.Context) (calendar.Hours, error) { return hours, nil },
	})
}

// weekends is the calendar of the seed, without a table.
type weekends struct{}

func (weekends) Notices(context.Context) (calendar.Notices, error) { return calendar.Seed(), nil }

// work does what a process does until there is nothing left to do now.
func (d *Deliverer) work(t *testing.T) {
	t.Helper()
	for more := true; more; {
		var err error
		more, err = d.route(t.Context())
		require.NoError(t, err)
	}
	for _, r := range d.Outlets.routes {
		for more := true; more; {
			var err error
			more, err = d.deliver(t.Context(), r)
			require.NoError(t, err)
		}
	}
}

// tell records a case that has messages for people.
func (h *house) tell(t *testing.T, number string, messages ...casework.Message) {
	t.Helper()
	r := casework.Request{
		Utility: casework.Water, Channel: casework.ServiceHallDesk, ExternalNumber: number, Applicant: casework.Applicant{Name: "芜湖鸠兹食品有限公司"},
		Contact: casework.Contact{Name: "欧阳若兰", Phone: "13955301234"}, Site: casework.Site{District: "340202", Address: "北京西路1号"},
	}
	k := casework.NewCase(number, r, casework.Terms{Hours: hours}, casework.System(), h.clock())
	c := k.TakeChanges()
	for _, m := range messages {
		m.Case, m.District, m.At = number, "340202", h.clock()
		m.ID = number + "/" + m.ID
		c.Messages = append(c.Messages, m)
	}
	require.NoError(t, h.Save(t.Context(), k.Clone(), c))
}

// fates gives the state and tries of each delivery.
func (h *house) fates(t *testing.T) (all []string) {
	t.Helper()
	lines, _, err := h.Messages(t.Context(), casework.MessageFilter{Page: casework.Page{Limit: 200}})
	require.NoError(t, err)
	for _, l := range lines {
		for _, d := range l.Deliveries {
			next := ""
			if d.State == casework.DeliveryPending {
				next = " " + casework.Clock(d.NextAt)
			}
			all = append(all, fmt.Sprintf("%s %s %s %d%s", l.ID, d.Outlet, d.State, d.Attempts, next))
		}
	}
	slices.Sort(all)
	return all
}

func message(id string, level int, top bool) casework.Message {
	return casework.Message{ID: id, Kind: casework.MessageRung, Level: level, Top: top, To: casework.TaskforceOffice, Department: "taskforce", Text: casework.Say("催办", "do it")}
}

func TestOutsideBusinessHoursOnlyTheTopRungDisturbs(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "2026-09-30 20:00") // the evening before National Day
	o := &scripted{name: "o"}
	d := h.deliverer(&route{Outlet: o})
	h.tell(t, "W1", message("breach", 1, false), message("management", 3, true))
	d.work(t)
	require.Equal(t, []string{"W1/management"}, o.got)
	require.Equal(t, []string{"W1/breach o pending 0 2026-10-08 08:30", "W1/management o sent 1"}, h.fates(t))
	h.until(at(t, "2026-10-05 10:00"))
	d.work(t)
	require.Len(t, o.got, 1)
	h.until(at(t, "2026-10-08 08:30"))
	d.work(t)
	require.Equal(t, []string{"W1/management", "W1/breach"}, o.got)
	require.Equal(t, []string{"W1/breach o sent 1", "W1/management o sent 1"}, h.fates(t))
}

// A refusal that passes is tried again, later each time and never at night,
// until three days have gone by; one that does not pass is given up at once.
func TestTriesAndTheirEnd(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "2026-11-24 17:25")
	o := &scripted{name: "o", does: func(n Notice) error {
		if n.ID == "W1/wrong" {
			return permanent("拒收", "refused")
		}
		return fmt.Errorf("dial https://robot/?key=SECRET")
	}}
	d := h.deliverer(&route{Outlet: o})
	h.tell(t, "W1", message("breach", 1, false), message("wrong", 1, false), message("top", 3, true))
	d.work(t)
	require.Equal(t, []string{"W1/breach o pending 1 2026-11-24 17:26", "W1/top o pending 1 2026-11-24 17:26", "W1/wrong o dead 1"}, h.fates(t))
	for _, now := range []string{"2026-11-24 17:26", "2026-11-24 17:28", "2026-11-24 17:32"} {
		h.until(at(t, now))
		d.work(t)
	}
	require.Equal(t, []string{"W1/breach o pending 3 2026-11-25 08:30", "W1/top o pending 4 2026-11-24 17:40", "W1/wrong o dead 1"}, h.fates(t))
	for range 160 {
		h.until(h.clock().Add(time.Hour))
		d.work(t)
	}
	fates := h.fates(t)
	require.Regexp(t, `^W1/breach o dead \d+$`, fates[0])
	require.Regexp(t, `^W1/top o dead 7\d$`, fates[1])
	lines, _, err := h.Messages(t.Context(), casework.MessageFilter{State: casework.DeliveryDead})
	require.NoError(t, err)
	for _, l := range lines {
		require.NotContains(t, l.Deliveries[0].LastError, "SECRET")
		require.NotEmpty(t, l.Deliveries[0].LastError)
	}
	o.does = nil
	before := len(o.got)
	_, err = h.RetryDelivery(t.Context(), lines[0].Deliveries[0].ID, h.clock())
	require.NoError(t, err)
	h.until(at(t, "2026-12-02 10:00"))
	d.work(t)
	require.Len(t, o.got, before+1)
}

// A process that dies between taking a message and recording its end leaves it
// to the next one, which sends it under the same ID.
func TestWhatADeadProcessTookIsSentByAnother(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "2026-11-24 10:00")
	o := &scripted{name: "o"}
	d := h.deliverer(&route{Outlet: o})
	h.tell(t, "W1", message("breach", 1, false))
	_, err := d.route(t.Context())
	require.NoError(t, err)
	taken, _, err := h.ClaimDeliveries(t.Context(), "o", h.clock(), h.clock().Add(lease), false, 10)
	require.NoError(t, err)
	require.Len(t, taken, 1)
	h.until(at(t, "2026-11-24 10:04"))
	d.work(t)
	require.Empty(t, o.got)
	h.until(at(t, "2026-11-24 10:05"))
	d.work(t)
	require.Equal(t, []string{"W1/breach"}, o.got)
	require.Equal(t, []string{"W1/breach o sent 2"}, h.fates(t))
}

func TestSeveralProcessesSendEachMessageOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "2026-11-24 10:00")
	const n = 250 // more than two batches
	var messages []casework.Message
	for i := range n {
		messages = append(messages, message(fmt.Sprintf("m%03d", i), 1, false))
	}
	h.tell(t, "W1", messages...)
	o, other := &scripted{name: "o"}, &scripted{name: "other"}
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			d := h.deliverer(&route{Outlet: o}, &route{Outlet: other})
			for more := true; more; {
				more = false
				for _, work := range []func(context.Context) (bool, error){
					d.route,
					func(ctx context.Context) (bool, error) { return d.deliver(ctx, d.Outlets.routes[0]) },
					func(ctx context.Context) (bool, error) { return d.deliver(ctx, d.Outlets.routes[1]) },
				} {
					again, err := work(t.Context())
					if err != nil {
						t.Error(err)
					}
					more = more || again
				}
			}
		})
	}
	group.Wait()
	h.deliverer(&route{Outlet: o}, &route{Outlet: other}).work(t) // what the last of them left
	for _, outlet := range []*scripted{o, other} {
		slices.Sort(outlet.got)
		require.Len(t, outlet.got, n, "sent twice")
		require.Len(t, slices.Compact(outlet.got), n)
	}
}

// An outlet that asks to be left alone is, with all that it was to be sent.
func TestAnOutletIsLeftAloneWhenItAsks(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "2026-11-24 10:00")
	o := &scripted{name: "o"}
	o.does = func(Notice) error {
		if len(o.got) == 1 {
			return &SendError{Text: casework.Say("太快", "too fast"), After: 10 * time.Minute}
		}
		return nil
	}
	d := h.deliverer(&route{Outlet: o, pace: pace{perMinute: 2}})
	h.tell(t, "W1", message("a", 1, false))
	d.work(t)
	h.tell(t, "W2", message("b", 1, false), message("c", 1, false), message("d", 1, false))
	d.work(t)
	require.Equal(t, []string{"W1/a"}, o.got)
	h.until(at(t, "2026-11-24 10:10"))
	d.work(t)
	require.Len(t, o.got, 3, "two a minute")
	h.until(at(t, "2026-11-24 10:11"))
	d.work(t)
	slices.Sort(o.got)
	require.Equal(t, []string{"W1/a", "W1/a", "W2/b", "W2/c", "W2/d"}, o.got)
}

// Mail goes to the person that a message names, else to those who hold the role
// where it happened.
func TestWhomMailReaches(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "2026-11-24 10:00")
	hire := func(id, email string, active bool, role casework.Role, districts ...casework.District) {
		t.Helper()
		require.NoError(t, h.PutStaff(t.Context(), casework.Staff{
			ID: id, Name: id, Department: role.Department(), Roles: []casework.Role{role}, Districts: districts, Active: active, Email: email,
		}, ""))
	}
	hire("to-01", "to-01@x.cn", true, casework.TaskforceOffice, casework.AllDistricts)
	hire("to-02", "to-02@x.cn", true, casework.TaskforceOffice, "340202")
	hire("to-03", "to-03@x.cn", true, casework.TaskforceOffice, "340207") // works elsewhere
	hire("to-04", "to-04@x.cn", false, casework.TaskforceOffice, casework.AllDistricts)
	hire("to-05", "", true, casework.TaskforceOffice, casework.AllDistricts)
	hire("tf-01", "tf-01@x.cn", true, casework.Taskforce, casework.AllDistricts)
	d := h.deliverer()
	m := message("x", 1, false)
	m.District = "340202"
	for person, want := range map[string][]string{
		"": {"to-01@x.cn", "to-02@x.cn"}, "tf-01": {"tf-01@x.cn"},
		"to-04": {"to-01@x.cn", "to-02@x.cn"}, "to-05": {"to-01@x.cn", "to-02@x.cn"}, "gone": {"to-01@x.cn", "to-02@x.cn"},
	} {
		m.Person = person
		to, err := d.recipients(t.Context(), m)
		require.NoError(t, err)
		require.Equal(t, want, to, person)
	}
	m.Person, m.To = "", casework.Management
	to, err := d.recipients(t.Context(), m)
	require.NoError(t, err)
	require.Empty(t, to)
}

// A stop finishes what is under way, so that it goes on record, and takes
// nothing more.
func TestAStopFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "2026-11-24 10:00")
	ctx, cancel := context.WithCancel(t.Context())
	o := &scripted{name: "o", does: func(Notice) error { cancel(); return nil }}
	h.tell(t, "W1", message("a", 1, false))
	d := h.deliverer(&route{Outlet: o})
	_, err := d.route(ctx)
	require.NoError(t, err)
	d.Run(ctx)
	require.Equal(t, []string{"W1/a o sent 1"}, h.fates(t))
}
