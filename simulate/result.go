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

	Cases       Cases   `json:"cases"`
	Lane        Rate    `json:"lane"`   // supply-on within the lane's limit, both lanes together
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

// Load is the work of one department. Hours are working hours.
type Load struct {
	Department   casework.Department `json:"department"`
	People       int                 `json:"people"`
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
	limits                                map[casework.LimitName]*Rate
	months, weeks                         map[string]*Rate
	rungs                                 map[casework.RungName]int
	days                                  []calendar.Date
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

// close notes what is left at the close of a working day.
func (t *tally) close(y *year, d calendar.Date) {
	t.days = append(t.days, d)
	for _, o := range y.offices {
		o.left = append(o.left, o.waiting)
	}
}

// result sums up at the end of the last day.
func (t *tally) result(y *year) Result {
	open, openTasks := 0, 0
	for _, f := range y.files {
		if f.k.Kind == casework.ConnectionCase {
			open++
		}
		openTasks += len(f.k.Tasks)
		for i := range f.k.Deadlines {
			// A deadline that passed will not be met in time any more.
			if d := &f.k.Deadlines[i]; d.Overdue(y.end) {
				t.judge(d, false)
			}
		}
	}
	res := Result{
		Scenario: y.Name, Policy: y.Policy.Version, Calendar: y.Notices.Version(), Seed: y.Seed, From: y.From, To: y.To,
		Cases: Cases{
			Received: t.received, Closed: t.closed, Withdrawn: t.withdrawn, Open: open, Upgrades: t.upgrades,
			Tasks: t.tasks, Cancelled: t.cancelled, OpenTasks: openTasks,
		},
		Lane: Rate{Name: "lane"}, Months: listed(t.months), Weeks: listed(t.weeks),
	}
	for _, l := range []casework.Lane{casework.Lane101, casework.Lane201} {
		if r, ok := t.limits[casework.LaneLimit(l)]; ok {
			res.Lane.Judged += r.Judged
			res.Lane.OnTime += r.OnTime
			res.Limits = append(res.Limits, *r)
		}
	}
	for _, spec := range casework.Specs() {
		if r, ok := t.limits[spec.Limit]; ok {
			res.Limits = append(res.Limits, *r)
		}
	}
	for _, rung := range y.Policy.Ladder {
		res.Rungs = append(res.Rungs, Count{string(rung.Name), t.rungs[rung.Name]})
	}
	for _, o := range y.offices {
		res.Departments = append(res.Departments, o.load(y))
	}
	for i, d := range t.days {
		day := Day{Date: d}
		for _, o := range y.offices {
			day.Left = append(day.Left, o.left[i])
		}
		res.Days = append(res.Days, day)
	}
	return res
}

func listed(m map[string]*Rate) []Rate {
	var rates []Rate
	for _, name := range sorted(m) {
		rates = append(rates, *m[name])
	}
	return rates
}

func (o *office) load(y *year) Load {
	from := y.From.At(0)
	busy := o.busy
	for _, w := range o.inHand {
		busy += y.cal.Between(w.begun, y.end)
	}
	l := Load{Department: o.department, People: o.people, Tasks: o.tasks, LongestQueue: o.longest, LeftAtTheEnd: o.waiting, InHandAtEnd: len(o.inHand)}
	if capacity := time.Duration(o.people) * y.cal.Between(from, y.end); capacity > 0 {
		l.Utilisation = float64(busy) / float64(capacity)
	}
	// What waits still has waited so far: it is the longest of all.
	waits := slices.Clone(o.waits)
	for _, list := range o.lists {
		for _, w := range list {
			waits = append(waits, y.cal.Between(w.ready, y.end))
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
func (r Result) During(months []int) Rate {
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
func (r Result) Worst() (Rate, bool) {
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
func (r Result) Slowest() Load {
	return slices.MaxFunc(r.Departments, func(a, b Load) int { return cmp.Compare(a.MeanWait, b.MeanWait) })
}
