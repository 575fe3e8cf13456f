package calendar

import (
	"slices"
	"time"
)

// Stop is a stretch in which a clock stands still: a pause, a pending permit, an upgrade being
// built. A stop that ends no later than it begins is none.
type Stop struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to,omitzero"` // Zero while it lasts.
}

func (s Stop) lasting() bool { return s.To.IsZero() }

// Due is what a [Budget] comes to.
type Due struct {
	// At is the moment the budget runs out, in [Shanghai]; zero while Stopped.
	At time.Time `json:"at,omitzero"`
	// Remaining is the working time left, which runs on when the stop ends; 0 unless Stopped. It is
	// never negative, for a stop that begins after the budget ran out stops nothing.
	Remaining time.Duration `json:"remaining,omitempty"`
	// Stopped tells that a stop lasts, so that nobody can say yet when the budget runs out.
	Stopped bool `json:"stopped,omitempty"`
	// Provisional tells that a year was counted through whose notice is not known, by weekends only;
	// it has to be worked out anew when the notice comes.
	Provisional bool `json:"provisional,omitempty"`
}

// Same tells whether two dues come to the same for people.
func (d Due) Same(other Due) bool {
	return d.At.Equal(other.At) && d.Remaining == other.Remaining && d.Stopped == other.Stopped && d.Provisional == other.Provisional
}

// Due works out when b runs out, counted from anchor, the moment of the event that the rule names;
// see [Unit] for the counting. The stops may overlap and come in any order; what lies before the
// anchor does not matter.
//
// Each stop that begins before the due moment moves it by the working time that was stopped, no
// more and no less: nights and days off within a stop move nothing. A stop that begins at the due
// moment or later changes nothing, for what was missed stays missed. The due moment never falls
// within a stop: where no working time was left (a SameDay that reaches to midnight, stopped after
// the close) it is the stop's end at the earliest.
//
// What is granted on top, an extension, counts from the moment at which the budget before it would
// run out if nothing stopped it; the stops then move the whole.
//
// A moment that somebody outside has set stays where it is.
//
// Every budget must be valid; Due panics if one is not, since a deadline by a broken rule would go
// unnoticed.
func (c *Calendar) Due(anchor time.Time, b Budget, stops []Stop, onTop ...Budget) Due {
	if b.Unit == AtMoment {
		return Due{At: anchor.Round(0).In(Shanghai)}
	}
	at, provisional := c.unstopped(anchor, b)
	for _, more := range onTop {
		from := at
		if more.Unit != WorkingTime {
			from = at.Add(-time.Nanosecond) // What ends at 24:00 ends on the day before.
		}
		extended, guessed := c.unstopped(from, more)
		at, provisional = extended, provisional || guessed
	}
	for _, s := range union(anchor, stops) {
		if !s.From.Before(at) {
			break
		}
		if s.lasting() {
			provisional = provisional || c.guesses(s.From, at)
			return Due{Remaining: c.Between(s.From, at), Stopped: true, Provisional: provisional}
		}
		from := at
		at = later(c.Add(at, c.Between(s.From, s.To)), s.To)
		provisional = provisional || c.guesses(s.From, s.To) || c.guesses(from, at)
	}
	return Due{At: at.Round(0).In(Shanghai), Provisional: provisional}
}

// unstopped is when b runs out if nothing stops it, and whether working that out took a guess.
func (c *Calendar) unstopped(anchor time.Time, b Budget) (at time.Time, provisional bool) {
	if err := b.Validate(); err != nil {
		panic("calendar: " + err.Error())
	}
	date := DateOf(anchor)
	tomorrow := date.AddDays(1)
	switch b.Unit {
	case WorkingDays:
		last := c.nth(c.before(tomorrow.day()) + b.Days - 1)
		at = c.Close(dateOfDay(last))
		return at, c.guesses(tomorrow.At(0), at)
	case NextDay:
		at = c.Close(c.Next(date))
		return at, c.guesses(tomorrow.At(0), at)
	case NextCalendarDay:
		return c.Close(tomorrow), false
	case WorkingTime:
		at = c.Add(anchor, b.Time)
		return at, c.guesses(anchor, at)
	case AtMoment:
		return anchor, false
	case SameDay, OnDate:
	}
	switch {
	case !c.Working(date):
		at = c.Close(c.Next(date))
	case !anchor.Before(c.Close(date)):
		at = date.At(endOfDay)
	default:
		at = c.Close(date)
	}
	return at, c.guesses(date.At(0), at)
}

// guesses tells whether counting from one moment to another passes a year without notice.
func (c *Calendar) guesses(from, to time.Time) bool {
	if c.hours.EveryDay || !from.Before(to) {
		return false
	}
	last := DateOf(to.Add(-time.Nanosecond)) // A period that ends at 24:00 does not touch the next day.
	for year := DateOf(from).Year; year <= last.Year; year++ {
		if !c.notices.HasYear(year) {
			return true
		}
	}
	return false
}

// union merges overlapping stops into separate ones in order of time, cut to what follows the anchor.
func union(anchor time.Time, stops []Stop) []Stop {
	var cut []Stop
	for _, s := range stops {
		s.From = later(s.From, anchor)
		if s.lasting() || s.From.Before(s.To) {
			cut = append(cut, s)
		}
	}
	slices.SortFunc(cut, func(a, b Stop) int { return a.From.Compare(b.From) })
	merged := cut[:0]
	for _, s := range cut {
		if n := len(merged); n > 0 && (merged[n-1].lasting() || !merged[n-1].To.Before(s.From)) {
			if last := &merged[n-1]; !last.lasting() {
				last.To = laterEnd(last.To, s.To)
			}
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// laterEnd is the later of two ends of stops, of which zero, "not yet", is the latest.
func laterEnd(a, b time.Time) time.Time {
	if a.IsZero() || b.IsZero() {
		return time.Time{}
	}
	return later(a, b)
}
