package calendar_test

import (
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// reference counts minute by minute and day by day, with nothing clever in it, so that a reader can
// see that it is right. It knows whole minutes only.
type reference struct {
	kinds map[calendar.Date]calendar.Kind
	hours calendar.Hours
}

func newReference(n calendar.Notices, h calendar.Hours) reference {
	r := reference{kinds: map[calendar.Date]calendar.Kind{}, hours: h}
	for _, d := range n.Days() {
		r.kinds[d.Date] = d.Kind
	}
	return r
}

func (r reference) workday(t time.Time) bool {
	if r.hours.EveryDay {
		return true
	}
	if kind, ok := r.kinds[calendar.DateOf(t)]; ok {
		return kind == calendar.Workday
	}
	weekday := t.In(calendar.Shanghai).Weekday()
	return weekday != time.Saturday && weekday != time.Sunday
}

// works tells whether the minute that begins at t is worked.
func (r reference) works(t time.Time) bool {
	if !r.workday(t) {
		return false
	}
	t = t.In(calendar.Shanghai)
	minute := calendar.Minute(t.Hour()*60 + t.Minute())
	for _, s := range r.hours.Spans {
		if s.From <= minute && minute < s.To {
			return true
		}
	}
	return false
}

func (r reference) between(from, to time.Time) time.Duration {
	if to.Before(from) {
		return -r.between(to, from)
	}
	var sum time.Duration
	for t := from; t.Before(to); t = t.Add(time.Minute) {
		if r.works(t) {
			sum += time.Minute
		}
	}
	return sum
}

func (r reference) add(t time.Time, d time.Duration) time.Time {
	for ; d > 0; t = t.Add(time.Minute) {
		if r.works(t) {
			d -= time.Minute
		}
	}
	for ; d < 0; t = t.Add(-time.Minute) {
		if r.works(t.Add(-time.Minute)) {
			d += time.Minute
		}
	}
	return t
}

func (r reference) close(t time.Time) time.Time {
	midnight := calendar.DateOf(t).At(0)
	last := r.hours.Spans[len(r.hours.Spans)-1].To
	return midnight.Add(time.Duration(last) * time.Minute)
}

// unstopped is when b runs out without stops.
func (r reference) unstopped(anchor time.Time, b calendar.Budget) time.Time {
	const day = 24 * time.Hour
	t := calendar.DateOf(anchor).At(0)
	switch b.Unit { //nolint:exhaustive // the rest is counted below
	case calendar.WorkingTime:
		return r.add(anchor, b.Time)
	case calendar.NextCalendarDay:
		return r.close(t.Add(day))
	case calendar.SameDay, calendar.OnDate:
		if r.workday(t) && !anchor.Before(r.close(t)) {
			return t.Add(day)
		}
		for !r.workday(t) {
			t = t.Add(day)
		}
		return r.close(t)
	}
	n := 1
	if b.Unit == calendar.WorkingDays {
		n = b.Days
	}
	for n > 0 {
		t = t.Add(day)
		if r.workday(t) {
			n--
		}
	}
	return r.close(t)
}

// due lives through the time from the anchor: each working minute that is stopped moves the due
// moment by one working minute, and a due moment reached within a stop waits for its end.
func (r reference) due(anchor time.Time, b calendar.Budget, stops []calendar.Stop) (at time.Time, left time.Duration, stopped bool) {
	at = r.unstopped(anchor, b)
	was := false
	t := anchor
	for ; t.Before(at) || was; t = t.Add(time.Minute) {
		inside, lasting := false, false
		for _, s := range stops {
			if !t.Before(s.From) && (s.To.IsZero() || t.Before(s.To)) {
				inside, lasting = true, lasting || s.To.IsZero()
			}
		}
		if lasting {
			return time.Time{}, max(r.between(t, at), 0), true
		}
		if !inside && !t.Before(at) {
			return t, 0, false
		}
		if was = inside; was && r.works(t) {
			at = r.add(at, time.Minute)
		}
	}
	return at, 0, false
}
