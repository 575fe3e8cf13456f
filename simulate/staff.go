package simulate

import (
	"container/heap"
	"fmt"
	"slices"
	"time"

	"github.com/curbstop/curbstop/casework"
)

// work is a task on its way: in other hands until it is ready, on a list until
// it is begun, then in the hands of one person or crew.
type work struct {
	file       *file
	task       string
	kind       casework.TaskKind
	department casework.Department
	list       int // the place of its list in its office
	opened     time.Time
	ready      time.Time // when ours can begin
	begun      time.Time
	urgent     time.Time // by which the list orders; zero while no clock runs
	place      int       // on the list; -1 while it is not there
	team       *team     // while somebody has it in hand
	by         string    // staff number
	awaited    time.Time // when it is put on its list
	listed     bool      // it was put there
	gone       bool      // cancelled, or done by the customer

	// What was drawn for it.
	service, ahead time.Duration // working time
	chance, other  float64
}

// listOf is the place of the list of a district and utility in an office.
func listOf(district int, u casework.Utility) int {
	return district*len(utilities) + slices.Index(utilities, u)
}

// newWork draws all that a task will need. The stream of numbers is named
// after customer and task, so it is the same whoever does the task and whenever.
func (y *year) newWork(f *file, t *casework.Task) *work {
	r := draws(y.Seed, fmt.Sprintf("%s/%s/%s/%d", f.who.stream, t.Kind, t.Qualifier, t.Round))
	w := &work{file: f, task: t.ID, kind: t.Kind, department: t.Department, list: listOf(f.who.place, f.who.utility), opened: t.OpenedAt, place: -1}
	w.chance, w.other = r.Float64(), r.Float64()
	w.service = y.Service[t.Kind].draw(r)
	wait := y.Waits[t.Kind].draw(r)
	if slices.Contains(y.Travel.Tasks, t.Kind) {
		way, ok := y.Travel.Minutes[f.who.district]
		if !ok {
			way = y.Travel.Minutes[casework.AllDistricts]
		}
		w.service += way.draw(r)
	}
	k := f.k
	w.ready = t.OpenedAt
	switch t.Kind { //nolint:exhaustive // the other kinds wait for nobody outside
	case casework.ScheduleSurvey:
		w.ahead = y.Customers.SurveyAhead.draw(r)
	case casework.ConductSurvey:
		w.ready = k.Appointment.SurveyAt
		w.ahead = y.Customers.FollowUpAfter.draw(r)
	case casework.FollowUp:
		w.ready = k.NextFollow.At(0)
		w.ahead = y.Customers.FollowUpAfter.draw(r)
	case casework.UploadSurvey:
		if delay := y.Customers.ConfirmDesign.draw(r); confirmsDesign(k) {
			wait += delay
		}
	case casework.AgreeQuote:
		wait += y.Customers.AgreeQuote.draw(r)
	case casework.SignContracts:
		wait += y.Customers.SignContracts.draw(r)
	case casework.CompleteDeferred:
		wait += y.Customers.CompleteDeferred.draw(r)
	case casework.RecordPermitResult:
		wait += y.Authority[route(k, t.Qualifier)].draw(r)
	case casework.CompleteEntry:
		wait += y.Customers.ConfirmAcceptance.draw(r)
	}
	w.ready = y.cal.Add(w.ready, wait).UTC()
	return w
}

// confirmsDesign tells whether the upload of a survey waits for the customer to
// confirm the design. One of its own is agreed to with its quote.
func confirmsDesign(k *casework.Case) bool {
	return k.DesignConfirmedAt.IsZero() && !k.NeedsDesign()
}

func route(k *casework.Case, permit string) casework.PermitRoute {
	for _, p := range k.Permits {
		if string(p.Kind) == permit {
			return p.Route
		}
	}
	return ""
}

// office is a department with its lists of waiting tasks, one a district and
// utility.
type office struct {
	department casework.Department
	teams      []*team
	lists      []list
	opens      time.Time // the next opening that it waits for
	inHand     []*work
	all        count
	of         []count // of each utility, by its place
}

// count is what is counted of the tasks of an office.
type count struct {
	people  int             // who may do them
	waiting int             // tasks on the lists
	tasks   int             // completed
	waits   []time.Duration // working time from ready to begun
	busy    time.Duration   // working time of all its people together
	longest int             // tasks waiting at once, at most
	left    []int           // tasks waiting at the close of each working day
}

// counts are those that a task counts for.
func (o *office) counts(w *work) [2]*count { return [2]*count{&o.all, &o.of[w.list%len(utilities)]} }

// team is people who work in the same districts.
type team struct {
	role      casework.Role
	districts []casework.District
	covers    []int    // places of the lists that it takes tasks from
	idle      []string // staff numbers
}

func newOffice(d casework.Department, teams []Team, districts []casework.District) *office {
	o := &office{department: d, lists: make([]list, len(districts)*len(utilities)), of: make([]count, len(utilities))}
	for i, t := range teams {
		team := &team{role: casework.Role(d), districts: t.Districts}
		if len(t.Districts) == 0 {
			team.districts = []casework.District{casework.AllDistricts}
		}
		for place, district := range districts {
			for _, u := range utilities {
				if t.covers(district, u) {
					team.covers = append(team.covers, listOf(place, u))
				}
			}
		}
		for n := range t.People {
			team.idle = append(team.idle, fmt.Sprintf("%s-%d-%03d", d, i+1, n+1))
		}
		o.all.people += t.People
		for place, u := range utilities {
			if t.serves(u) {
				o.of[place].people += t.People
			}
		}
		o.teams = append(o.teams, team)
	}
	return o
}

func (t *team) actor(id string) casework.Actor {
	return casework.Actor{ID: id, Name: id, Department: t.role.Department(), Roles: []casework.Role{t.role}, Districts: t.districts}
}

// list is waiting tasks as a heap in the order of the work lists: the most urgent
// first, what no clock presses on last, then by the moment of opening.
type list []*work

func (l list) Len() int           { return len(l) }
func (l list) Less(i, j int) bool { return l[i].before(l[j]) }
func (l list) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].place, l[j].place = i, j
}

// Push implements [heap.Interface].
func (l *list) Push(x any) {
	if w, ok := x.(*work); ok {
		w.place = len(*l)
		*l = append(*l, w)
	}
}

// Pop implements [heap.Interface].
func (l *list) Pop() any {
	last := len(*l) - 1
	w := (*l)[last]
	(*l)[last] = nil
	*l = (*l)[:last]
	w.place = -1
	return w
}

func (w *work) before(v *work) bool {
	switch {
	case w.urgent.IsZero() != v.urgent.IsZero():
		return v.urgent.IsZero()
	case !w.urgent.Equal(v.urgent):
		return w.urgent.Before(v.urgent)
	case !w.opened.Equal(v.opened):
		return w.opened.Before(v.opened)
	}
	return w.task < v.task
}

func (o *office) put(w *work) {
	heap.Push(&o.lists[w.list], w)
	for _, c := range o.counts(w) {
		c.waiting++
		c.longest = max(c.longest, c.waiting)
	}
}

func (o *office) moved(w *work) { heap.Fix(&o.lists[w.list], w.place) }

func (o *office) remove(w *work) {
	if w.place < 0 {
		return
	}
	heap.Remove(&o.lists[w.list], w.place)
	for _, c := range o.counts(w) {
		c.waiting--
	}
}

// begin notes that somebody begins a task, who then has it in hand.
func (o *office) begin(w *work, waited time.Duration) {
	o.inHand = append(o.inHand, w)
	for _, c := range o.counts(w) {
		c.waits = append(c.waits, waited)
	}
}

// free takes a task out of somebody's hands, after so much work on it.
func (o *office) free(w *work, worked time.Duration) {
	w.team.idle = append(w.team.idle, w.by)
	w.team = nil
	o.inHand = slices.DeleteFunc(o.inHand, func(x *work) bool { return x == w })
	for _, c := range o.counts(w) {
		c.busy += worked
	}
}

// take takes the task that a team should do next off the lists; nil when
// there is none in its districts.
func (o *office) take(t *team) *work {
	var next *work
	for _, place := range t.covers {
		if l := o.lists[place]; len(l) > 0 && (next == nil || l[0].before(next)) {
			next = l[0]
		}
	}
	if next != nil {
		o.remove(next)
	}
	return next
}
