package casework

import (
	"slices"
	"strings"
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// LaneDeadline is the ID of the deadline that runs from the acceptance of the
// application to supply-on. Every other limit on the work has the ID of its
// task.
const LaneDeadline = "lane"

// The supervisors' own clocks run beside the limits on the work: a pause is
// reviewed when it lasts too long, an escalation is answered in time. Their IDs
// begin so, followed by the pause's number or the escalation's ID.
const (
	pauseClock  = "pause-"
	answerClock = "answer:"
)

// The limits of the supervisors' own clocks, as records name them.
const (
	PauseBoundLimit LimitName = "pause_bound"
	AnswerLimit     LimitName = "answer_escalation"
)

// Hold is a reason for which one deadline's clock stands, from when to when.
// Holds may overlap: the calendar counts their union once.
type Hold struct {
	Reason string    `json:"reason"` // a PauseReason, or "permit:<kind>", "network_upgrade"
	From   time.Time `json:"from"`
	To     time.Time `json:"to,omitzero"` // zero while it lasts
}

// RungMark is one rung of one deadline: when it falls due and when it fired.
type RungMark struct {
	Rung
	At      time.Time `json:"at,omitzero"`       // zero while the clock stands
	FiredAt time.Time `json:"fired_at,omitzero"` // zero until it fired; it fires once
}

// Deadline is a budget with an anchor, not a moment: the due moment follows
// from the anchor, the budget, the holds and the calendar, and is worked out
// anew whenever one of them changes. Nothing stores "overdue".
type Deadline struct {
	ID     string          `json:"id"`
	Limit  LimitName       `json:"limit"`
	Anchor time.Time       `json:"anchor"` // the event from which the budget counts
	Budget calendar.Budget `json:"budget"`
	Holds  []Hold          `json:"holds,omitempty"`

	// Extension is time granted on top, once.
	Extension *Extension `json:"extension,omitempty"`

	Due             calendar.Due `json:"due"`
	Rungs           []RungMark   `json:"rungs"`
	CalendarVersion string       `json:"calendar_version,omitempty"`

	MetAt     time.Time `json:"met_at,omitzero"`     // when what it waits for was done
	DroppedAt time.Time `json:"dropped_at,omitzero"` // when its task was cancelled

	// Stale marks a deadline whose due moment must be worked out before the
	// next commit.
	Stale bool `json:"stale,omitempty"`
	// Was is the due moment before a new calendar, another policy or an
	// extension; the record of the move shows both.
	Was *calendar.Due `json:"was,omitempty"`
}

// Extension is time that somebody granted on top of a limit.
type Extension struct {
	Budget calendar.Budget `json:"budget"` // working days or working time
	Reason string          `json:"reason"`
	By     string          `json:"by"`
	At     time.Time       `json:"at"`
}

// Move is a deadline that another calendar, another policy or an extension
// moved.
type Move struct {
	Deadline string       `json:"deadline" doc:"任务编号，或 lane the task's ID, or lane"`
	Limit    LimitName    `json:"limit"`
	From     calendar.Due `json:"from"`
	To       calendar.Due `json:"to"`
}

// DeadlineState sums up the limits on a case's work by what has fired, so that
// it changes when a rung passes and never by itself.
type DeadlineState string

// The states, the worst first.
const (
	DeadlinesBreached DeadlineState = "breached" // 已超时: a limit was passed and its work is not done
	DeadlinesReminded DeadlineState = "reminded" // 已提醒: a limit is about to be passed
	DeadlinesRunning  DeadlineState = "running"  // 计时中
	DeadlinesStopped  DeadlineState = "stopped"  // 已停表: every clock stands
	DeadlinesNone     DeadlineState = "none"     // 无时限
)

// worse tells whether a state is worse than another.
func (s DeadlineState) worse(other DeadlineState) bool {
	order := []DeadlineState{DeadlinesBreached, DeadlinesReminded, DeadlinesRunning, DeadlinesStopped, DeadlinesNone}
	return slices.Index(order, s) < slices.Index(order, other)
}

// OnWork tells whether the deadline limits the work itself: a task's or the
// lane's. The others are the supervisors' own clocks.
func (d *Deadline) OnWork() bool {
	return !strings.HasPrefix(d.ID, pauseClock) && !strings.HasPrefix(d.ID, answerClock)
}

// Live tells whether the deadline still runs or stands.
func (d *Deadline) Live() bool { return d.MetAt.IsZero() && d.DroppedAt.IsZero() }

// Overdue tells whether the due moment had passed at a moment without the
// deadline being met. It is derived, never stored.
func (d *Deadline) Overdue(now time.Time) bool {
	if d.Due.At.IsZero() || !d.DroppedAt.IsZero() {
		return false
	}
	end := now
	if !d.MetAt.IsZero() {
		end = d.MetAt
	}
	return end.After(d.Due.At)
}

// WorkOut gives the deadline with its due moment and the moments of its rungs
// by a calendar. Rungs that fired keep the moment at which they fell due, so a
// later move of the deadline neither fires them again nor rewrites the record.
func (d Deadline) WorkOut(cal *calendar.Calendar, calendarVersion string) Deadline {
	stops := make([]calendar.Stop, 0, len(d.Holds))
	for _, h := range d.Holds {
		stops = append(stops, calendar.Stop{From: h.From, To: h.To})
	}
	var extension []calendar.Budget
	if d.Extension != nil {
		extension = append(extension, d.Extension.Budget)
	}
	d.CalendarVersion = calendarVersion
	d.Stale = false
	d.Rungs = slices.Clone(d.Rungs)
	if d.Budget == (calendar.Budget{}) {
		return d.unlimited()
	}
	d.Due = cal.Due(d.Anchor, d.Budget, stops, extension...)
	previous := d.Due.At
	for i := range d.Rungs {
		r := &d.Rungs[i]
		at := time.Time{}
		switch {
		case d.Due.Stopped:
		case r.Before != (calendar.Budget{}):
			// A reminder never comes before the event it counts from.
			at = cal.Add(d.Due.At, -r.Before.Time)
			if at.Before(d.Anchor) {
				at = d.Anchor
			}
		case r.After != (calendar.Budget{}):
			at = cal.Due(eventAt(previous, r.After), r.After, nil).At
			previous = at
		default:
			at = d.Due.At
			previous = at
		}
		if r.FiredAt.IsZero() {
			r.At = at
		}
	}
	return d
}

// eventAt is the event from which a rung's days count, which is the end of a
// period: what ended at 24:00 happened on the day before.
func eventAt(end time.Time, b calendar.Budget) time.Time {
	if b.Unit != calendar.WorkingTime && end.Equal(calendar.DateOf(end).At(0)) {
		return end.Add(-time.Nanosecond)
	}
	return end
}

// unlimited gives a deadline for which the case's policy has no limit: nothing
// is due and no rung falls due. It is kept with what fired, so that a policy
// with that limit finds it as it was.
func (d Deadline) unlimited() Deadline {
	d.Due = calendar.Due{}
	for i := range d.Rungs {
		if r := &d.Rungs[i]; r.FiredAt.IsZero() {
			r.At = time.Time{}
		}
	}
	return d
}

// recount has the due moment worked out anew and remembers the one before.
func (d *Deadline) recount() {
	d.Stale = true
	if d.Was == nil {
		was := d.Due
		d.Was = &was
	}
}

// climbs by another ladder from now on: rungs that fired stay as they are, the
// others are the new ladder's. What fired and is no rung of it comes last, for
// nothing counts from it.
func (d *Deadline) climbs(ladder []Rung) {
	var marks []RungMark
	for _, r := range ladder {
		mark := RungMark{Rung: r}
		for _, m := range d.Rungs {
			if m.Name == r.Name && !m.FiredAt.IsZero() {
				mark = m
			}
		}
		marks = append(marks, mark)
	}
	for _, m := range d.Rungs {
		if !m.FiredAt.IsZero() && !slices.ContainsFunc(ladder, func(r Rung) bool { return r.Name == m.Name }) {
			marks = append(marks, m)
		}
	}
	d.Rungs = marks
}

// hold stops the deadline's clock for a reason, unless it stands for that
// reason already.
func (d *Deadline) hold(reason string, from time.Time) {
	for _, h := range d.Holds {
		if h.Reason == reason && h.To.IsZero() {
			return
		}
	}
	d.Holds = append(d.Holds, Hold{Reason: reason, From: from})
	d.Stale = true
}

// release lets the clock go on as far as a reason held it.
func (d *Deadline) release(reason string, to time.Time) {
	for i := range d.Holds {
		if d.Holds[i].Reason == reason && d.Holds[i].To.IsZero() {
			d.Holds[i].To = to
			d.Stale = true
		}
	}
}

// nextRung is the earliest moment at which a rung that has not fired falls
// due; zero when there is none.
func (d *Deadline) nextRung() time.Time {
	next := time.Time{}
	if !d.Live() {
		return next
	}
	for _, r := range d.Rungs {
		if r.FiredAt.IsZero() && !r.At.IsZero() && (next.IsZero() || r.At.Before(next)) {
			next = r.At
		}
	}
	return next
}

// NextRung is the rung that fires next and its moment; false when none will.
func (d *Deadline) NextRung() (RungMark, bool) {
	at := d.nextRung()
	for _, r := range d.Rungs {
		if !at.IsZero() && r.FiredAt.IsZero() && r.At.Equal(at) {
			return r, true
		}
	}
	return RungMark{}, false
}
