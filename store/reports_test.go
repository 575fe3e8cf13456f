package store_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/store"
)

// file is what a test put into the store of one case, for a plain recount.
type file struct {
	*casework.Case
	deadlines   []casework.Deadline
	tasks       []casework.Task
	escalations []casework.Escalation
	holdings    []casework.Holding
	entered     map[casework.Stage]time.Time // the last time that it entered
	touchpoints []casework.Touchpoint
}

func one[T any](d *rand.Rand, of ...T) T { return of[d.IntN(len(of))] }

// noonOn4 is the moment at which the store of a test reads.
var noonOn4 = at(4, 12, 0)

// moments gives one of the days around, at any minute: also midnights.
func momentNear(d *rand.Rand) time.Time {
	return at(1, 0, 0).Add(time.Duration(d.IntN(8*24*4)) * 15 * time.Minute)
}

func maybe(d *rand.Rand, t time.Time) time.Time {
	if d.IntN(2) == 0 {
		return time.Time{}
	}
	return t
}

var reportDistricts = []casework.District{"340202", "340207", "340281"}

// drawFile makes up a case that no workflow would have written, which is what
// makes a recount worth something: every combination of columns occurs.
func drawFile(d *rand.Rand, n int) (*file, casework.Changes) {
	r := request()
	r.ExternalNumber = fmt.Sprint(n)
	r.Site.District = one(d, reportDistricts...)
	received := momentNear(d)
	k := casework.NewCase(fmt.Sprintf("W20260302-%05d", n), r, terms(), casework.AsCustomer(), received)
	c := casework.Changes{Events: k.TakeChanges().Events}
	k.Contacts = 0
	f := &file{Case: k, entered: map[casework.Stage]time.Time{}}
	k.Status = one(d, casework.Open, casework.Open, casework.Paused, casework.Withdrawing, casework.Closed, casework.Withdrawn)
	if one(d, 0, 0, 0, 1) == 1 {
		k.Kind = casework.UpgradeCase
	}
	k.Stage = one(d, append(casework.Stages(), casework.Upgrade)...)
	event := func(kind casework.EventKind, at time.Time, stage casework.Stage) {
		k.Version++
		c.Events = append(c.Events, casework.Event{Case: k.Number, N: k.Version, At: at, Kind: kind, Actor: "system", Stage: stage})
	}
	last := received
	for range d.IntN(3) {
		last = last.Add(time.Duration(d.IntN(100)) * time.Hour)
		if bound := one(d, ageBounds...); d.IntN(3) == 0 && bound.After(last) {
			last = bound // just on the edge of two ages
		}
		event(casework.StageEntered, last, k.Stage)
		f.entered[k.Stage] = last
	}
	if d.IntN(2) == 0 {
		k.Supply = &casework.SupplyInput{SuppliedAt: momentNear(d)}
	}
	for i := range d.IntN(4) {
		t := casework.Task{
			ID: fmt.Sprintf("%s-T%d", k.Number, i+1), Case: k.Number, Kind: one(d, casework.ContactCustomer, casework.AssessNetwork, casework.Callback),
			Round: 1, Qualifier: fmt.Sprint(i), Stage: k.Stage, Department: one(d, casework.Departments()[:4]...),
			State: one(d, casework.TaskOpen, casework.TaskDone, casework.TaskDone), OpenedAt: received,
		}
		if t.State == casework.TaskDone {
			t.DoneAt, t.Outcome = momentNear(d), one(d, "satisfied", "dissatisfied", "unreached", "done")
		}
		if d.IntN(2) == 0 {
			t.AssigneeName = "李工"
		}
		if t.State == casework.TaskOpen {
			k.Tasks = append(k.Tasks, t)
		}
		f.tasks = append(f.tasks, t)
	}
	for i := range d.IntN(6) {
		f.deadlines = append(f.deadlines, f.drawDeadline(d, i))
	}
	for i, deadline := range f.deadlines {
		for _, rung := range deadline.Rungs {
			if rung.FiredAt.IsZero() {
				continue
			}
			e := casework.Escalation{
				ID: fmt.Sprintf("%s-%d/%s", k.Number, i, rung.Name), Case: k.Number, Deadline: deadline.ID, Limit: deadline.Limit, Rung: rung.Name,
				Level: rung.Level, To: rung.To, Department: one(d, casework.Departments()...), District: r.Site.District, FiredAt: rung.FiredAt,
				AcknowledgedAt: maybe(d, rung.FiredAt), AnswerDueAt: maybe(d, momentNear(d)), ClosedAt: maybe(d, rung.FiredAt),
			}
			if !e.AcknowledgedAt.IsZero() {
				e.AnsweredAt = maybe(d, rung.FiredAt)
			}
			f.escalations = append(f.escalations, e)
		}
	}
	from := received
	for i := range d.IntN(5) {
		h := casework.Holding{N: i + 1, Party: one(d, casework.Parties()...), Stopped: d.IntN(2) == 0, From: from}
		from = from.Add(time.Duration(d.IntN(60*60*24*3)) * time.Second)
		h.To, h.Working = from, time.Duration(d.IntN(100000))*time.Second
		f.holdings = append(f.holdings, h)
	}
	if n := len(f.holdings); n > 0 && d.IntN(2) == 0 {
		f.holdings[n-1].To, f.holdings[n-1].Working = time.Time{}, 0
	}
	for range d.IntN(5) {
		k.Contacts++
		f.touchpoints = append(f.touchpoints, casework.Touchpoint{Zero: one(d, casework.Zeros()...), Cost: d.IntN(2) == 0, At: received})
	}
	if k.Status == casework.Paused {
		for range d.IntN(3) {
			k.Pauses = append(k.Pauses, casework.Pause{
				Reason: one(d, casework.CustomerNotReady, casework.ExternalApproval), Evidence: "来函", From: momentNear(d), PlannedEnd: momentNear(d),
				To: maybe(d, noonOn4),
			})
		}
	}
	c.Tasks, c.Deadlines, c.Escalations, c.Holdings, c.Touchpoints = f.tasks, f.deadlines, f.escalations, f.holdings, f.touchpoints
	return f, c
}

func (f *file) drawDeadline(d *rand.Rand, i int) casework.Deadline {
	deadline := casework.Deadline{ID: fmt.Sprintf("%s-T%d", f.Number, i+1), Limit: one[casework.LimitName](d, "contact_customer", "callback"), Anchor: f.ReceivedAt}
	switch i {
	case 3:
		deadline.ID, deadline.Limit = casework.LaneDeadline, casework.LaneLimit(one(d, casework.Lane101, casework.Lane201))
	case 4:
		deadline.ID, deadline.Limit = "answer:"+f.Number, casework.AnswerLimit
	case 5:
		deadline.ID, deadline.Limit = "pause-1-1", casework.PauseBoundLimit
	}
	switch d.IntN(5) {
	case 0: // no limit under the case's policy
	case 1:
		deadline.Due = calendar.Due{Stopped: true, Remaining: time.Duration(d.IntN(9000)) * time.Second}
	default:
		deadline.Due = calendar.Due{At: momentNear(d), Provisional: d.IntN(4) == 0}
	}
	switch d.IntN(4) {
	case 0:
		deadline.MetAt = momentNear(d)
		if d.IntN(4) == 0 {
			deadline.MetAt = deadline.Due.At // the very moment is in time
		}
	case 1:
		deadline.DroppedAt = momentNear(d)
	}
	for _, r := range []casework.Rung{{Name: casework.RungReminder}, {Name: casework.RungBreach, To: casework.TaskforceOffice, Level: 1}, {Name: casework.RungLead, To: casework.TaskforceLead, Level: 2}}[:d.IntN(4)] {
		deadline.Rungs = append(deadline.Rungs, casework.RungMark{Rung: r, FiredAt: maybe(d, momentNear(d))})
	}
	return deadline
}

// task is the task of a deadline, if it has one.
func (f *file) task(d casework.Deadline) casework.Task {
	i := slices.IndexFunc(f.tasks, func(t casework.Task) bool { return t.ID == d.ID })
	if i < 0 {
		return casework.Task{}
	}
	return f.tasks[i]
}

func (f *file) department(d casework.Deadline) casework.Department {
	return cmp.Or(f.task(d).Department, f.InCharge())
}

// recount says in plain Go what the reports should say.
type recount struct {
	files []*file
	f     casework.SupervisionFilter
}

func (r recount) place(d casework.District) bool {
	return len(r.f.Districts) == 0 || slices.Contains(r.f.Districts, d)
}

func (r recount) held(d casework.Department) bool {
	return r.f.Department == "" || r.f.Department == d
}

func (r recount) period(t time.Time) bool { return !t.Before(r.f.From) && t.Before(r.f.To) }

func (r recount) each(do func(f *file, d casework.Deadline)) {
	for _, f := range r.files {
		if !r.place(f.Request.Site.District) {
			continue
		}
		for _, d := range f.deadlines {
			do(f, d)
		}
	}
}

func (r recount) due() []casework.DueCount {
	counts := map[casework.DueCount]casework.DueCount{}
	r.each(func(f *file, d casework.Deadline) {
		if !d.OnWork() || !d.DroppedAt.IsZero() || d.Due.At.IsZero() || !r.period(d.Due.At) || !r.held(f.department(d)) {
			return
		}
		key := casework.DueCount{Department: f.department(d), District: f.Request.Site.District, Limit: d.Limit}
		c := cmp.Or(counts[key], key)
		c.Due++
		if !d.MetAt.IsZero() {
			c.Met++
		} else if d.Overdue(noonOn4) {
			c.Overdue++
		}
		counts[key] = c
	})
	return sorted(counts, func(a, b casework.DueCount) int {
		return cmp.Or(cmp.Compare(a.Department, b.Department), cmp.Compare(a.District, b.District), cmp.Compare(a.Limit, b.Limit))
	})
}

func (r recount) late(breaches bool) []casework.LateLine {
	lines := []casework.LateLine{}
	r.each(func(f *file, d casework.Deadline) {
		if !d.OnWork() || !d.DroppedAt.IsZero() || !d.Overdue(noonOn4) || !r.held(f.department(d)) {
			return
		}
		if breaches && !r.period(d.Due.At) || !breaches && !d.MetAt.IsZero() {
			return
		}
		t := f.task(d)
		line := casework.LateLine{
			Case: f.Number, Task: t.ID, Limit: d.Limit, Stage: f.Stage, Department: f.department(d), Holder: t.AssigneeName,
			District: f.Request.Site.District, DueAt: d.Due.At, Provisional: d.Due.Provisional, MetAt: d.MetAt,
		}
		for _, rung := range d.Rungs {
			if !rung.FiredAt.IsZero() {
				line.Rung, line.Level = rung.Name, rung.Level
			}
		}
		lines = append(lines, line)
	})
	lateness := func(l casework.LateLine) time.Duration {
		if l.MetAt.IsZero() {
			return noonOn4.Sub(l.DueAt)
		}
		return l.MetAt.Sub(l.DueAt)
	}
	slices.SortFunc(lines, func(a, b casework.LateLine) int {
		return cmp.Or(cmp.Compare(lateness(b), lateness(a)), cmp.Compare(a.Case, b.Case), cmp.Compare(cmp.Or(a.Task, "~"), cmp.Or(b.Task, "~")))
	})
	return lines
}

func (r recount) rungs() []casework.RungCount {
	counts := map[casework.RungName]casework.RungCount{}
	r.each(func(f *file, d casework.Deadline) {
		if !d.Live() || !d.OnWork() || d.Due == (calendar.Due{}) || !r.held(f.department(d)) {
			return
		}
		top := casework.RungMark{}
		for _, rung := range d.Rungs {
			if !rung.FiredAt.IsZero() {
				top = rung
			}
		}
		c := counts[top.Name]
		c.Rung, c.Level = top.Name, top.Level
		c.Open++
		if d.Due.Stopped {
			c.Stopped++
		} else if c.Oldest.IsZero() || d.Due.At.Before(c.Oldest) {
			c.Oldest, c.Provisional = d.Due.At, d.Due.Provisional
		}
		counts[top.Name] = c
	})
	return sorted(counts, func(a, b casework.RungCount) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.Rung, b.Rung))
	})
}

func (r recount) escalations() []casework.EscalationCount {
	counts := map[string]casework.EscalationCount{}
	for _, f := range r.files {
		for _, e := range f.escalations {
			if !r.place(e.District) || !r.held(e.Department) || !e.Open() || e.Level == 0 {
				continue
			}
			state := casework.EscalationWaiting
			if !e.AnsweredAt.IsZero() {
				state = casework.EscalationReplied
			} else if !e.AcknowledgedAt.IsZero() {
				state = casework.EscalationAcknowledged
			}
			role := cmp.Or(e.To, casework.Role(e.Department))
			c := counts[string(role)+string(state)]
			c.Role, c.State = role, state
			c.Open++
			if e.AnsweredAt.IsZero() && !e.AnswerDueAt.IsZero() && e.AnswerDueAt.Before(noonOn4) {
				c.Overdue++
			}
			if c.Oldest.IsZero() || e.FiredAt.Before(c.Oldest) {
				c.Oldest = e.FiredAt
			}
			counts[string(role)+string(state)] = c
		}
	}
	return sorted(counts, func(a, b casework.EscalationCount) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.State, b.State))
	})
}

func (r recount) onTime() []casework.OnTime {
	counts := map[casework.LimitName]casework.OnTime{}
	r.each(func(f *file, d casework.Deadline) {
		if d.Due == (calendar.Due{}) || r.f.Department != "" && f.task(d).Department != r.f.Department {
			return
		}
		day := d.Due.At
		for _, ended := range []time.Time{d.MetAt, d.DroppedAt} {
			if day.IsZero() {
				day = ended
			}
		}
		if day.IsZero() || !r.period(day) {
			return
		}
		c := counts[d.Limit]
		c.Limit = d.Limit
		switch {
		case !d.DroppedAt.IsZero():
			c.Dropped++
		case d.Live() && d.Overdue(noonOn4):
			c.OpenLate++
		case d.Live():
			c.Open++
		case d.Overdue(noonOn4):
			c.Late++
		default:
			c.InTime++
		}
		counts[d.Limit] = c
	})
	return sorted(counts, func(a, b casework.OnTime) int { return cmp.Compare(a.Limit, b.Limit) })
}

// sorted gives the values of a map in an order.
func sorted[K comparable, V any](counts map[K]V, order func(a, b V) int) []V {
	values := make([]V, 0, len(counts))
	for _, v := range counts {
		values = append(values, v)
	}
	slices.SortFunc(values, order)
	return values
}

var ageBounds = []time.Time{at(4, 0, 0), at(3, 0, 0), at(2, 0, 0)}

func (r recount) work() []casework.StageLoad {
	loads := []casework.StageLoad{}
	for _, stage := range append(casework.Stages(), casework.Upgrade) {
		load := casework.StageLoad{Stage: stage, Buckets: make([]int64, len(ageBounds)+1)}
		var entered []time.Time
		for _, f := range r.files {
			if f.Stage != stage || f.Status.Ended() || !r.place(f.Request.Site.District) || !r.held(f.InCharge()) {
				continue
			}
			at := cmp.Or(f.entered[stage], f.ReceivedAt)
			entered = append(entered, at)
			load.Cases++
			if f.Status == casework.Paused {
				load.Paused++
			}
			if load.Received.IsZero() || f.ReceivedAt.Before(load.Received) {
				load.Received = f.ReceivedAt
			}
			bucket := 0
			for bucket < len(ageBounds) && !at.After(ageBounds[bucket]) {
				bucket++
			}
			load.Buckets[bucket]++
		}
		if load.Cases == 0 {
			continue
		}
		slices.SortFunc(entered, func(a, b time.Time) int { return b.Compare(a) })
		share := func(percent int) time.Time { return entered[(len(entered)*percent+99)/100-1] }
		load.Median, load.P90, load.Oldest = share(50), share(90), entered[len(entered)-1]
		loads = append(loads, load)
	}
	return loads
}

func (r recount) paused() []casework.PausedCase {
	paused := []casework.PausedCase{}
	for _, f := range r.files {
		if f.Status != casework.Paused || !r.place(f.Request.Site.District) || !r.held(f.InCharge()) {
			continue
		}
		line := casework.PausedCase{Case: f.Number, Stage: f.Stage, Department: f.InCharge(), District: f.Request.Site.District}
		for _, d := range f.deadlines {
			if d.ID == casework.LaneDeadline && d.Live() {
				line.Accepted, line.Remaining = true, d.Due.Remaining
			}
		}
		n := len(paused)
		for _, p := range f.Pauses {
			if p.To.IsZero() {
				line.Reason, line.Since, line.PlannedEnd = p.Reason, p.From, p.PlannedEnd
				paused = append(paused, line)
			}
		}
		if len(paused) == n {
			paused = append(paused, line)
		}
	}
	return paused
}

func comparePaused(a, b casework.PausedCase) int {
	return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Case, b.Case), cmp.Compare(a.Reason, b.Reason), a.PlannedEnd.Compare(b.PlannedEnd))
}

func (r recount) times() []casework.PartyTime {
	type key struct {
		month time.Time
		party casework.Party
	}
	counts, cases := map[key]casework.PartyTime{}, map[key]map[string]bool{}
	for _, f := range r.files {
		for _, h := range f.holdings {
			if f.Kind != casework.ConnectionCase || h.To.IsZero() || !r.period(h.To) || !r.place(f.Request.Site.District) {
				continue
			}
			y, m, _ := h.To.In(calendar.Shanghai).Date()
			month := time.Date(y, m, 1, 0, 0, 0, 0, calendar.Shanghai)
			for _, k := range []key{{}, {month, ""}, {time.Time{}, h.Party}, {month, h.Party}} {
				if cases[k] == nil {
					cases[k] = map[string]bool{}
				}
				cases[k][f.Number] = true
				c := counts[k]
				c.Month, c.Party, c.Cases = k.month, k.party, int64(len(cases[k]))
				c.Working += h.Working
				if h.Stopped {
					c.Stopped += h.Working
				}
				counts[k] = c
			}
		}
	}
	return sorted(counts, func(a, b casework.PartyTime) int {
		return cmp.Or(a.Month.Compare(b.Month), cmp.Compare(a.Party, b.Party))
	})
}

func (r recount) openHoldings() []casework.OpenHolding {
	open := []casework.OpenHolding{}
	for _, f := range r.files {
		for _, h := range f.holdings {
			if f.Kind == casework.ConnectionCase && h.To.IsZero() && r.place(f.Request.Site.District) {
				open = append(open, casework.OpenHolding{Party: h.Party, Stopped: h.Stopped, From: h.From})
			}
		}
	}
	slices.SortStableFunc(open, func(a, b casework.OpenHolding) int { return a.From.Compare(b.From) })
	return open
}

func (r recount) verdicts() []casework.VerdictCount {
	counts := map[string]casework.VerdictCount{}
	for _, f := range r.files {
		for _, t := range f.tasks {
			if t.Kind == casework.Callback && t.State == casework.TaskDone && r.period(t.DoneAt) && r.place(f.Request.Site.District) {
				counts[t.Outcome] = casework.VerdictCount{Outcome: t.Outcome, Calls: counts[t.Outcome].Calls + 1}
			}
		}
	}
	return sorted(counts, func(a, b casework.VerdictCount) int { return cmp.Compare(a.Outcome, b.Outcome) })
}

func (r recount) zeros() []casework.ZeroCount {
	counts, cases := map[casework.Zero]casework.ZeroCount{"": {}}, int64(0)
	for _, f := range r.files {
		if f.Supply == nil || f.Kind != casework.ConnectionCase || !r.period(f.Supply.SuppliedAt) || !r.place(f.Request.Site.District) {
			continue
		}
		cases++
		broken := map[casework.Zero]bool{}
		for _, p := range f.touchpoints {
			if p.Cost && !broken[p.Zero] {
				broken[p.Zero] = true
				for _, z := range []casework.Zero{"", p.Zero} {
					counts[z] = casework.ZeroCount{Zero: z, Broken: counts[z].Broken + 1}
				}
			}
		}
	}
	for z, c := range counts {
		c.Cases = cases
		counts[z] = c
	}
	return sorted(counts, func(a, b casework.ZeroCount) int { return cmp.Compare(a.Zero, b.Zero) })
}

// Every report says what a plain recount of the same records says, whatever is
// asked for.
func TestReportsSayWhatARecountSays(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			d := rand.New(rand.NewPCG(seed, 0))
			s := open(t)
			var files []*file
			for n := range 1 + d.IntN(60) {
				f, c := drawFile(d, n+1)
				require.NoError(t, s.Save(t.Context(), f.Case, c))
				files = append(files, f)
			}
			for range 12 {
				from := momentNear(d)
				recount{files, casework.SupervisionFilter{
					Districts:  one(d, nil, []casework.District{"340202"}, []casework.District{"340202", "340281"}),
					Department: one[casework.Department](d, "", "", "taskforce", "network"),
					From:       from, To: from.Add(time.Duration(1+d.IntN(9*24)) * time.Hour),
				}}.compare(t, s)
			}
		})
	}
}

// same compares a report that takes a filter alone.
func same[R any](t tester, want []R, f casework.SupervisionFilter, report func(context.Context, casework.SupervisionFilter) ([]R, error)) {
	t.Helper()
	got, err := report(t.Context(), f)
	require.NoError(t, err)
	equal(t, want, got)
}

func (r recount) compare(t tester, s *store.Store) {
	t.Helper()
	same(t, r.due(), r.f, s.DueOn)
	for _, breaches := range []bool{false, true} {
		list, want := s.Overdue, r.late(breaches)
		if breaches {
			list = s.Breaches
		}
		got, total, err := list(t.Context(), r.f, 1000)
		require.NoError(t, err)
		equal(t, want, got)
		require.Equal(t, int64(len(want)), total)
		few, total, err := list(t.Context(), r.f, 2)
		require.NoError(t, err)
		equal(t, want[:min(2, len(want))], few)
		require.Equal(t, int64(len(want)), total)
	}
	same(t, r.rungs(), r.f, s.RungPositions)
	same(t, r.escalations(), r.f, s.OpenEscalations)
	same(t, r.onTime(), r.f, s.OnTime)
	loads, err := s.WorkInProgress(t.Context(), r.f, ageBounds)
	require.NoError(t, err)
	equal(t, r.work(), loads)
	paused, err := s.PausedCases(t.Context(), r.f)
	require.NoError(t, err)
	require.True(t, slices.IsSortedFunc(paused, func(a, b casework.PausedCase) int { return a.Since.Compare(b.Since) }))
	want := r.paused()
	slices.SortFunc(paused, comparePaused)
	slices.SortFunc(want, comparePaused)
	equal(t, want, paused)
	same(t, r.times(), r.f, s.PartyTimes)
	same(t, r.openHoldings(), r.f, s.OpenHoldings)
	same(t, r.verdicts(), r.f, s.Verdicts)
	same(t, r.zeros(), r.f, s.Zeros)
}
