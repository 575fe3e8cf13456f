package casework

import (
	"slices"
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// LaneDeadline is the ID of the deadline that runs from the acceptance of the
// application to supply-on; every other deadline has the ID of its task.
const LaneDeadline = "lane"

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

	Due             calendar.Due `json:"due"`
	Rungs           []RungMark   `json:"rungs"`
	CalendarVersion string       `json:"calendar_version,omitempty"`

	MetAt     time.Time `json:"met_at,omitzero"`     // when what it waits for was done
	DroppedAt time.Time `json:"dropped_at,omitzero"` // when its task was cancelled

	// Stale marks a deadline whose due moment must be worked out before the
	// next commit.
	Stale bool `json:"stale,omitempty"`
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
	d.Due = cal.Due(d.Anchor, d.Budget, stops)
	d.CalendarVersion = calendarVersion
	d.Stale = false
	d.Rungs = slices.Clone(d.Rungs)
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
			at = cal.Due(previous, r.After, nil).At
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
