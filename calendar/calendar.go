package calendar

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Calendar answers questions about working days and working time under one table of notices and one
// set of business hours. It does not change once made and is safe for concurrent use.
//
// No question takes longer for lying far away: the cost grows with the logarithm of the number of
// exceptions, not with the number of days between.
type Calendar struct {
	notices    Notices
	hours      Hours
	perDay     time.Duration // The working time of a working day.
	exceptions []exception   // In order of day; none if every day is a working day.
}

// exception is a day of the notices, with the sums that make counting a look-up.
type exception struct {
	day     int
	working bool
	extra   int // Working days that the exceptions up to this one add to the plain weeks.
	through int // Working days up to the end of this day, counted from some fixed Monday.
}

// New makes a calendar. It refuses hours that do not [Hours.Validate]. The zero [Notices] are
// allowed and leave weekends only.
func New(n Notices, h Hours) (*Calendar, error) {
	if err := h.Validate(); err != nil {
		return nil, err
	}
	c := &Calendar{notices: n, hours: h.clone(), perDay: h.length()}
	if h.EveryDay {
		return c, nil
	}
	extra := 0
	for _, d := range n.days {
		day, working := d.Date.day(), d.Kind == Workday
		switch plain := plainWorkday(day); {
		case working && !plain:
			extra++
		case !working && plain:
			extra--
		}
		c.exceptions = append(c.exceptions, exception{day, working, extra, plainWorkdaysBefore(day+1) + extra})
	}
	return c, nil
}

// Version is the version of the notices that this calendar counts by.
func (c *Calendar) Version() string { return c.notices.version }

// Hours are the business hours that this calendar counts by.
func (c *Calendar) Hours() Hours { return c.hours.clone() }

// Working tells whether d is a working day: what the notices say of it, else Monday to Friday.
func (c *Calendar) Working(d Date) bool { return c.working(d.day()) }

// Next is the first working day after d, whether d is one or not.
func (c *Calendar) Next(d Date) Date { return dateOfDay(c.nth(c.before(d.day() + 1))) }

// Close is the close of business on d, as if d were a working day. If business closes at 24:00 it is
// the midnight that ends d, a moment that [DateOf] counts to the next day.
func (c *Calendar) Close(d Date) time.Time { return d.At(c.hours.close()) }

// Between is the working time from one moment to another, negative if to comes before from. It is
// additive: the time from a to b and that from b to c make the time from a to c. Like
// [time.Time.Sub] it ends at the largest [time.Duration], 292 years of working time.
func (c *Calendar) Between(from, to time.Time) time.Duration {
	fromDays, fromRest := c.position(from)
	toDays, toRest := c.position(to)
	days := toDays - fromDays
	switch limit := int(math.MaxInt64/c.perDay) - 1; {
	case days > limit:
		return math.MaxInt64
	case days < -limit:
		return math.MinInt64
	}
	return time.Duration(days)*c.perDay + toRest - fromRest
}

// Add is the moment that lies d of working time from t, so that Between(t, Add(t, d)) is d.
//
// Many moments lie equally far where a night, a weekend or a lunch break comes between. Going
// forward Add gives the first of them: what ends with the day ends at its close, not at the next
// opening. Going backward it gives the last, also the one next to t: an opening, not the close
// before it. For d of 0 it is t itself, even outside business hours. The result is in [Shanghai].
func (c *Calendar) Add(t time.Time, d time.Duration) time.Time {
	if d == 0 {
		return t.Round(0).In(Shanghai) // Round takes off the machine's monotonic reading.
	}
	days, rest := c.position(t)
	days += int(d / c.perDay)
	rest += d % c.perDay
	if d > 0 {
		days, rest = carry(days, rest-1, c.perDay) // A full day stays with its own date.
		return join(c.nth(days), c.hours.earliest(rest+1))
	}
	days, rest = carry(days, rest, c.perDay)
	return join(c.nth(days), c.hours.latest(rest))
}

// Opening is the first moment from t on that lies within business hours: t itself where it does. The
// close of a span lies outside it.
func (c *Calendar) Opening(t time.Time) time.Time {
	return c.Add(t, time.Nanosecond).Add(-time.Nanosecond)
}

// carry brings rest to at least 0 and below perDay.
func carry(days int, rest, perDay time.Duration) (int, time.Duration) {
	over := floorDiv(int64(rest), int64(perDay))
	return days + int(over), rest - time.Duration(over)*perDay
}

// position is where t lies on the line of working time: the working days before its date, and the
// working time since its midnight. They are kept apart because their sum would overflow.
func (c *Calendar) position(t time.Time) (days int, rest time.Duration) {
	day, sinceMidnight := split(t)
	if c.working(day) {
		rest = c.hours.worked(sinceMidnight)
	}
	return c.before(day), rest
}

func (c *Calendar) working(day int) bool {
	if c.hours.EveryDay {
		return true
	}
	if i, found := c.search(day); found {
		return c.exceptions[i].working
	}
	return plainWorkday(day)
}

// before counts the working days before day. Where the count starts does not matter: only its
// differences do.
func (c *Calendar) before(day int) int {
	if c.hours.EveryDay {
		return day
	}
	i, _ := c.search(day)
	return plainWorkdaysBefore(day) + c.extraBefore(i)
}

// nth is the inverse of before on working days: the working day that has k working days before it.
func (c *Calendar) nth(k int) int {
	if c.hours.EveryDay {
		return k
	}
	// The first exception by whose end more than k days were worked is the day sought or lies after
	// it, and from the exception before it up to there the weeks are plain.
	i, _ := slices.BinarySearchFunc(c.exceptions, k, func(e exception, k int) int {
		return cmp.Compare(e.through, k+1)
	})
	day := plainWorkdayAfter(k - c.extraBefore(i))
	if i < len(c.exceptions) {
		day = min(day, c.exceptions[i].day)
	}
	return day
}

func (c *Calendar) search(day int) (int, bool) {
	return slices.BinarySearchFunc(c.exceptions, day, func(e exception, day int) int {
		return cmp.Compare(e.day, day)
	})
}

// extraBefore is what all exceptions before the i-th add together.
func (c *Calendar) extraBefore(i int) int {
	if i == 0 {
		return 0
	}
	return c.exceptions[i-1].extra
}

// mondayShift turns day numbers, whose 0 is a Thursday, into days since a Monday.
const mondayShift = 3

// plainWorkday tells whether day is a Monday to Friday.
func plainWorkday(day int) bool {
	day += mondayShift
	return day-floorDiv(day, 7)*7 < 5
}

// plainWorkdaysBefore counts the Mondays to Fridays before day.
func plainWorkdaysBefore(day int) int {
	day += mondayShift
	weeks := floorDiv(day, 7)
	return weeks*5 + min(day-weeks*7, 5)
}

// plainWorkdayAfter is the Monday to Friday that has k of them before it.
func plainWorkdayAfter(k int) int {
	weeks := floorDiv(k, 5)
	return weeks*7 + (k - weeks*5) - mondayShift
}
