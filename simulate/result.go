package simulate

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// Result is what a run counted. A deadline counts once it is met, or once its
// due moment has passed; one that was dropped with its task, or still runs in
// time on the last day, counts for neither side.
type Result struct {
	Scenario string        `json:"scenario"`
	Policy   string        `json:"policy"` // version
	Calendar string        `json:"calendar"`
	Seed     uint64        `json:"seed"`
	From     calendar.Date `json:"from"`
	To       calendar.Date `json:"to"`

	Figures
	// Utilities are the same figures of each utility, where both were played.
	Utilities []Part `json:"utilities,omitempty"`

	gasOnly bool
}

// Part are the figures of one utility.
type Part struct {
	Utility casework.Utility `json:"utility"`
	Figures
}

// Figures are what was counted.
type Figures struct {
	Cases       Cases   `json:"cases"`
	Lane        Rate    `json:"lane"`   // supply-on within the case's limit, all lanes together
	Limits      []Rate  `json:"limits"` // every limit by its name, lanes first
	Months      []Rate  `json:"months"` // the lane's, by the month of acceptance (受理)
	Weeks       []Rate  `json:"weeks"`  // the lane's, by the Monday of the week of acceptance
	Rungs       []Count `json:"rungs"`  // of the ladder that fired
	Departments []Load  `json:"departments"`
	Days        []Day   `json:"days"` // tasks left waiting at the close of each working day
}

// Cases are the connections of a run. Received is the sum of the other three.
type Cases struct {
	Received  int `json:"received"`
	Closed    int `json:"closed"`
	Withdrawn int `json:"withdrawn"`
	Open      int `json:"open"`     // at the end of the last day
	Upgrades  int `json:"upgrades"` // cases of network upgrades beside them
	Tasks     int `json:"tasks"`    // opened
	Cancelled int `json:"cancelled_tasks"`
	OpenTasks int `json:"open_tasks"` // at the end of the last day
}

// Rate is how many of those judged were on time.
type Rate struct {
	Name   string `json:"name"`
	Judged int    `json:"judged"`
	OnTime int    `json:"on_time"`
}

// Share is the on-time rate from 0 to 1; 1 where none was judged.
func (r Rate) Share() float64 {
	if r.Judged == 0 {
		return 1
	}
	return float64(r.OnTime) / float64(r.Judged)
}

// Count is how often something happened.
type Count struct {
	Name string `json:"name"`
	N    int    `json:"n"`
}

// Load is the work of one department, or its part of one utility: then its
// people are those who may do it, and the utilisation is what it takes of their
// time. Hours are working hours.
type Load struct {
	Department   casework.Department `json:"department"`
	People       int                 `json:"people"`         // who may do such tasks
	Tasks        int                 `json:"tasks"`          // completed
	MeanWait     float64             `json:"mean_wait"`      // hours from when a task could be begun to when it was
	P95Wait      float64             `json:"p95_wait"`       // hours; 95 of 100 tasks waited no longer
	Utilisation  float64             `json:"utilisation"`    // share of their working time with a task in hand
	LongestQueue int                 `json:"longest_queue"`  // tasks waiting at once, at most
	LeftAtTheEnd int                 `json:"left_at_end"`    // tasks waiting at the end
	InHandAtEnd  int                 `json:"in_hand_at_end"` // tasks begun and not completed at the end
}

// Day is how many tasks waited at the close of a working day, in the order of
// the departments.
type Day struct {
	Date calendar.Date `json:"date"`
	Left []int         `json:"left"`
}

// tally counts while a run is under way.
type tally struct {
	received, closed, withdrawn, upgrades int
	tasks, cancelled                      int
	open, openTasks                       int // at the end
	limits                                map[casework.LimitName]*Rate
	months, weeks                         map[string]*Rate
	rungs                                 map[casework.RungName]int
}

func newTally(y *year) *tally {
	t := &tally{limits: map[casework.LimitName]*Rate{}, months: map[string]*Rate{}, weeks: map[string]*Rate{}, rungs: map[casework.RungName]int{}}
	// Every month and week has its place, also one in which nothing was judged.
	for d := y.From; !y.To.Before(d); d = d.AddDays(1) {
		rateOf(t.months, monthOf(d))
		rateOf(t.weeks, weekOf(d))
	}
	return t
}

func monthOf(d calendar.Date) string { return d.String()[:len("2006-01")] }

// weekOf is the Monday of a date's week.
func weekOf(d calendar.Date) string {
	return d.AddDays(-(int(d.Weekday()+6) % 7)).String()
}

func rateOf[K ~string](m map[K]*Rate, name K) *Rate {
	r, ok := m[name]
	if !ok {
		r = &Rate{Name: string(name)}
		m[name] = r
	}
	return r
}

// note counts what a decision changed.
func (t *tally) note(y *year, f *file, c casework.Changes) {
	for i := range c.Deadlines {
		if d := &c.Deadlines[i]; !d.MetAt.IsZero() {
			t.judge(d, !d.Overdue(y.now))
		}
	}
	// An escalation comes again whenever its life goes on: what counts is the
	// message that it fired, which comes once.
	for i := range c.Messages {
		if m := &c.Messages[i]; m.Kind == casework.MessageRung {
			_, rung, _ := strings.Cut(m.Escalation, "/")
			t.rungs[casework.RungName(rung)]++
		}
	}
	for i := range c.Events {
		switch c.Events[i].Kind { //nolint:exhaustive // the others are not counted
		case casework.TaskOpened:
			t.tasks++
		case casework.TaskWasCancelled:
			t.cancelled++
		case casework.CaseClosed, casework.CaseWithdrawn:
			t.end(f)
		case casework.UpgradeStarted:
			t.upgrades++
		}
	}
}

func (t *tally) end(f *file) {
	switch {
	case f.k.Kind == casework.UpgradeCase:
	case f.k.Status == casework.Withdrawn:
		t.withdrawn++
	default:
		t.closed++
	}
}

// judge counts a deadline for its limit and, if it is the lane's, for the
// month and week in which it began to run.
func (t *tally) judge(d *casework.Deadline, onTime bool) {
	rates := []*Rate{rateOf(t.limits, d.Limit)}
	if d.ID == casework.LaneDeadline {
		accepted := calendar.DateOf(d.Anchor)
		rates = append(rates, rateOf(t.months, monthOf(accepted)), rateOf(t.weeks, weekOf(accepted)))
	}
	for _, r := range rates {
		r.Judged++
		if onTime {
			r.OnTime++
		}
	}
}

// tallies are those that a case counts for.
func (y *year) tallies(f *file) [2]*tally {
	return [2]*tally{y.all, y.of[slices.Index(utilities, f.who.utility)]}
}

// close notes what is left at the close of a working day.
func (y *year) close(d calendar.Date) {
	y.closed = append(y.closed, d)
	for _, o := range y.offices {
		o.all.left = append(o.all.left, o.all.waiting)
		for i := range o.of {
			o.of[i].left = append(o.of[i].left, o.of[i].waiting)
		}
	}
}

// result sums up at the end of the last day.
func (y *year) result() Result {
	res := Result{
		Scenario: y.Name, Policy: y.Policy.Version, Calendar: y.Notices.Version(), Seed: y.Seed, From: y.From, To: y.To,
	}
	for _, f := range y.files {
		for _, t := range y.tallies(f) {
			t.left(y, f)
		}
	}
	var counts []*count
	for _, o := range y.offices {
		counts = append(counts, &o.all)
	}
	res.Figures = y.figures(y.all, counts, func(*work) bool { return true })
	res.gasOnly = !y.Plays(casework.Water)
	if y.Gas == nil || res.gasOnly {
		return res
	}
	for i, u := range utilities {
		for n, o := range y.offices {
			counts[n] = &o.of[i]
		}
		of := func(w *work) bool { return w.file.who.utility == u }
		res.Utilities = append(res.Utilities, Part{u, y.figures(y.of[i], counts, of)})
	}
	return res
}

// left counts a case that is open at the end.
func (t *tally) left(y *year, f *file) {
	if f.k.Kind == casework.ConnectionCase {
		t.open++
	}
	t.openTasks += len(f.k.Tasks)
	for i := range f.k.Deadlines {
		// A deadline that passed will not be met in time any more.
		if d := &f.k.Deadlines[i]; d.Overdue(y.end) {
			t.judge(d, false)
		}
	}
}

// figures sums up one tally, with the counts of each office.
func (y *year) figures(t *tally, counts []*count, of func(*work) bool) Figures {
	f := Figures{
		Cases: Cases{
			Received: t.received, Closed: t.closed, Withdrawn: t.withdrawn, Open: t.open, Upgrades: t.upgrades,
			Tasks: t.tasks, Cancelled: t.cancelled, OpenTasks: t.openTasks,
		},
		Lane: Rate{Name: "lane"}, Months: listed(t.months), Weeks: listed(t.weeks),
	}
	for _, l := range []casework.LimitName{casework.LaneLimit(casework.Lane101), casework.LaneLimit(casework.Lane201), casework.DesignedLaneLimit} {
		if r, ok := t.limits[l]; ok {
			f.Lane.Judged += r.Judged
			f.Lane.OnTime += r.OnTime
			f.Limits = append(f.Limits, *r)
		}
	}
	for _, spec := range casework.Specs() {
		if r, ok := t.limits[spec.Limit]; ok {
			f.Limits = append(f.Limits, *r)
		}
	}
	for _, rung := range y.Policy.Ladder {
		f.Rungs = append(f.Rungs, Count{string(rung.Name), t.rungs[rung.Name]})
	}
	for i, o := range y.offices {
		f.Departments = append(f.Departments, o.load(y, counts[i], of))
	}
	for i, d := range y.closed {
		day := Day{Date: d}
		for _, c := range counts {
			day.Left = append(day.Left, c.left[i])
		}
		f.Days = append(f.Days, day)
	}
	return f
}

func listed(m map[string]*Rate) []Rate {
	var rates []Rate
	for _, name := range sorted(m) {
		rates = append(rates, *m[name])
	}
	return rates
}

// load sums up one count of an office, and what is still under way of it.
func (o *office) load(y *year, c *count, of func(*work) bool) Load {
	busy, inHand := c.busy, 0
	for _, w := range o.inHand {
		if of(w) {
			busy += y.cal.Between(w.begun, y.end)
			inHand++
		}
	}
	l := Load{Department: o.department, People: c.people, Tasks: c.tasks, LongestQueue: c.longest, LeftAtTheEnd: c.waiting, InHandAtEnd: inHand}
	if capacity := time.Duration(c.people) * y.cal.Between(y.From.At(0), y.end); capacity > 0 {
		l.Utilisation = float64(busy) / float64(capacity)
	}
	// What waits still has waited so far: it is the longest of all.
	waits := slices.Clone(c.waits)
	for _, list := range o.lists {
		for _, w := range list {
			if of(w) {
				waits = append(waits, y.cal.Between(w.ready, y.end))
			}
		}
	}
	if len(waits) == 0 {
		return l
	}
	slices.Sort(waits)
	sum := 0.0
	for _, w := range waits {
		sum += w.Hours()
	}
	l.MeanWait = sum / float64(len(waits))
	l.P95Wait = waits[(len(waits)*95+99)/100-1].Hours()
	return l
}

// During gives the lane's rate over some months of the year, 1 to 12; over all
// where none is named.
func (r Figures) During(months []int) Rate {
	if len(months) == 0 {
		return r.Lane
	}
	rate := Rate{Name: "lane"}
	for _, m := range r.Months {
		if at, err := time.Parse("2006-01", m.Name); err == nil && slices.Contains(months, int(at.Month())) {
			rate.Judged += m.Judged
			rate.OnTime += m.OnTime
		}
	}
	return rate
}

// Worst is the month in which the lane's rate was lowest; false where none was
// judged.
func (r Figures) Worst() (Rate, bool) {
	var judged []Rate
	for _, m := range r.Months {
		if m.Judged > 0 {
			judged = append(judged, m)
		}
	}
	if len(judged) == 0 {
		return Rate{}, false
	}
	return slices.MinFunc(judged, func(a, b Rate) int { return cmp.Compare(a.Share(), b.Share()) }), true
}

// Slowest is the department whose tasks wait longest on average.
func (r Figures) Slowest() Load {
	return slices.MaxFunc(r.Departments, func(a, b Load) int { return cmp.Compare(a.MeanWait, b.MeanWait) })
}
