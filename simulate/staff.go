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
	district   int // place in the year's districts
	opened     time.Time
	ready      time.Time // when ours can begin
	begun      time.Time
	due        time.Time // by which the list orders; zero while no clock runs
	place      int       // on the list; -1 while it is not there
	team       *team     // while somebody has it in hand
	by         string    // staff number
	gone       bool      // cancelled

	// What was drawn for it.
	service, ahead time.Duration // working time
	chance, other  float64
}

// newWork draws all that a task will need. The stream of numbers is named
// after customer and task, so it is the same whoever does the task and whenever.
func (y *year) newWork(f *file, t *casework.Task) *work {
	r := draws(y.Seed, fmt.Sprintf("%d/%s/%s/%d", f.who.index, t.Kind, t.Qualifier, t.Round))
	w := &work{file: f, task: t.ID, kind: t.Kind, department: t.Department, district: f.who.place, opened: t.OpenedAt, place: -1}
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
		if delay := y.Customers.ConfirmDesign.draw(r); k.DesignConfirmedAt.IsZero() {
			wait += delay
		}
	case casework.RecordPermitResult:
		wait += y.Authority[route(k, t.Qualifier)].draw(r)
	case casework.CompleteEntry:
		wait += y.Customers.ConfirmAcceptance.draw(r)
	}
	w.ready = y.cal.Add(w.ready, wait).UTC()
	return w
}

func route(k *casework.Case, permit string) casework.PermitRoute {
	for _, p := range k.Permits {
		if string(p.Kind) == permit {
			return p.Route
		}
	}
	return ""
}

// office is a department with its lists of waiting tasks, one a district.
type office struct {
	department casework.Department
	teams      []*team
	lists      []list
	waiting    int
	opens      time.Time // the next opening that it waits for
	inHand     []*work

	// What is counted of it.
	people  int
	tasks   int             // completed
	waits   []time.Duration // working time from ready to begun
	busy    time.Duration   // working time of all its people together
	longest int             // tasks waiting at once, at most
	left    []int           // tasks waiting at the close of each working day
}

// team is people who work in the same districts.
type team struct {
	role      casework.Role
	districts []casework.District
	covers    []int    // places in the year's districts
	idle      []string // staff numbers
}

func newOffice(d casework.Department, teams []Team, districts []casework.District) *office {
	o := &office{department: d, lists: make([]list, len(districts))}
	for i, t := range teams {
		team := &team{role: casework.Role(d), districts: t.Districts}
		if len(t.Districts) == 0 {
			team.districts = []casework.District{casework.AllDistricts}
		}
		for place, district := range districts {
			if t.covers(district) {
				team.covers = append(team.covers, place)
			}
		}
		for n := range t.People {
			team.idle = append(team.idle, fmt.Sprintf("%s-%d-%03d", d, i+1, n+1))
		}
		o.people += t.People
		o.teams = append(o.teams, team)
	}
	return o
}

func (t *team) actor(id string) casework.Actor {
	return casework.Actor{ID: id, Name: id, Department: t.role.Department(), Roles: []casework.Role{t.role}, Districts: t.districts}
}

// list is a district's waiting tasks as a heap in the order of the work lists:
// due first, what has no due moment last, then by the moment of opening.
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
	case w.due.IsZero() != v.due.IsZero():
		return v.due.IsZero()
	case !w.due.Equal(v.due):
		return w.due.Before(v.due)
	case !w.opened.Equal(v.opened):
		return w.opened.Before(v.opened)
	}
	return w.task < v.task
}

func (o *office) put(w *work) {
	heap.Push(&o.lists[w.district], w)
	o.waiting++
	o.longest = max(o.longest, o.waiting)
}

func (o *office) moved(w *work) { heap.Fix(&o.lists[w.district], w.place) }

func (o *office) remove(w *work) {
	if w.place >= 0 {
		heap.Remove(&o.lists[w.district], w.place)
		o.waiting--
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
