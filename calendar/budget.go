package calendar

import (
	"strconv"
	"strings"
	"time"
)

// Unit is the way in which a [Budget] is counted.
type Unit string

// The units, with the moment at which a budget of each ends. "Close" is the close of business.
const (
	// WorkingDays (工作日) ends at the close of the n-th working day after the event's date (Civil
	// Code art. 201 and 203), whether the event fell on a working day or not.
	WorkingDays Unit = "working_days"
	// SameDay (当天) ends at the close of the event's own day; if the event came at the close or
	// after it, at midnight (art. 203 knows 24:00 where business hours set no earlier end). If the
	// event fell on a day off, the day in which it could be met is the next working day (art. 203),
	// and the budget ends at its close.
	SameDay Unit = "same_day"
	// NextDay (次日) ends at the close of the next working day after the event's date.
	NextDay Unit = "next_day"
	// NextCalendarDay ends at the closing hour of the next calendar day, be it a day off or not.
	NextCalendarDay Unit = "next_calendar_day"
	// WorkingTime ends when that much working time has passed since the event; periods in hours
	// begin at once (art. 201).
	WorkingTime Unit = "working_time"
	// OnDate is for an agreed date or time, which is the event, and ends as SameDay does: what was
	// agreed for a time after the close may be done until midnight, and what was agreed for a day
	// off is late only once the next working day has ended. So it never ends before what was agreed.
	OnDate Unit = "on_date"
	// AtMoment is for a moment that somebody outside has set, which is the event: it ends right
	// then, whatever day that is. Their clock is not ours, so no stop moves it, and it grants no time.
	AtMoment Unit = "at_moment"
)

// Limits of a budget, ten years: what is longer is a slip of the pen.
const (
	maxDays = 3660
	maxTime = maxDays * 24 * time.Hour
)

// Budget is the time that a rule grants for a task. Its text form, also in JSON and YAML, is what
// [ParseBudget] reads; the zero Budget means "not set" and its text form is empty.
type Budget struct {
	Unit Unit
	Days int           // How many, for WorkingDays; else 0.
	Time time.Duration // How much working time, for WorkingTime; else 0.
}

// ParseBudget reads a budget:
//
//	1 working_day, 3 working_days        working days
//	4 working_hours, 90 working_minutes  working time
//	20s, 2m, 1h30m                       working time, as Go writes durations
//	same_day, next_day, next_calendar_day, on_date, at_moment
//
// The error says what is allowed. What is read is [Budget.Validate]d.
func ParseBudget(s string) (Budget, error) {
	b, ok := parseBudget(strings.Fields(s))
	if !ok {
		const allowed = "1 working_day, 3 working_days, 4 working_hours, 90 working_minutes, 20s, same_day, next_day, next_calendar_day, on_date, at_moment"
		return Budget{}, wrong("期限“%s”看不懂，可写 %s", "budget %q is not understood; allowed are %s", s, allowed)
	}
	if err := b.Validate(); err != nil {
		return Budget{}, at("期限“"+s+"”", "budget "+strconv.Quote(s), err)
	}
	return b, nil
}

func parseBudget(words []string) (b Budget, ok bool) {
	switch len(words) {
	case 1:
		switch unit := Unit(words[0]); unit {
		case SameDay, NextDay, NextCalendarDay, OnDate, AtMoment:
			return Budget{Unit: unit}, true
		default:
			d, err := time.ParseDuration(words[0])
			return Budget{Unit: WorkingTime, Time: d}, err == nil
		}
	case 2:
		n, err := strconv.ParseUint(words[0], 10, 64)
		if err != nil {
			return Budget{}, false
		}
		switch words[1] {
		case "working_day", "working_days":
			return Budget{Unit: WorkingDays, Days: int(min(n, maxDays+1))}, true
		case "working_hour", "working_hours":
			return Budget{Unit: WorkingTime, Time: times(n, time.Hour)}, true
		case "working_minute", "working_minutes":
			return Budget{Unit: WorkingTime, Time: times(n, time.Minute)}, true
		}
	}
	return Budget{}, false
}

// times is n units, or something above the limit where n units might overflow.
func times(n uint64, unit time.Duration) time.Duration {
	return time.Duration(min(n, uint64(maxTime/unit)+1)) * unit
}

// Validate refuses the zero Budget, an unknown unit, a number where the unit takes none, and a
// number that is not positive or above ten years (3660 days).
func (b Budget) Validate() error {
	switch b.Unit {
	case WorkingDays:
		if b.Days < 1 || b.Days > maxDays || b.Time != 0 {
			return wrong("工作日数须在 1 至 %d 之间", "working days must be from 1 to %d", maxDays)
		}
	case WorkingTime:
		if b.Time <= 0 || b.Time > maxTime || b.Days != 0 {
			return wrong("工作时间须大于零、不超过 %d 小时", "working time must be above zero and at most %d hours", maxTime/time.Hour)
		}
	case SameDay, NextDay, NextCalendarDay, OnDate, AtMoment:
		if b.Days != 0 || b.Time != 0 {
			return wrong("%s 不带数目", "%s takes no number", b.Unit)
		}
	case "":
		return wrong("期限未设", "the budget is not set")
	default:
		return wrong("期限单位“%s”不对", "unknown unit of budget %q", string(b.Unit))
	}
	return nil
}

// String is the form that [ParseBudget] reads, in the largest unit that fits.
func (b Budget) String() string {
	switch b.Unit {
	case WorkingDays:
		return counted(int64(b.Days), "working_day")
	case WorkingTime:
		switch {
		case b.Time%time.Hour == 0:
			return counted(int64(b.Time/time.Hour), "working_hour")
		case b.Time%time.Minute == 0:
			return counted(int64(b.Time/time.Minute), "working_minute")
		}
		return b.Time.String()
	default:
		return string(b.Unit)
	}
}

func counted(n int64, unit string) string {
	if n != 1 {
		unit += "s"
	}
	return strconv.FormatInt(n, 10) + " " + unit
}

// MarshalText writes what [Budget.String] shows. It refuses a budget that is set but not valid.
func (b Budget) MarshalText() ([]byte, error) {
	if b == (Budget{}) {
		return nil, nil
	}
	if err := b.Validate(); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}

// UnmarshalText reads what [Budget.MarshalText] writes.
func (b *Budget) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*b = Budget{}
		return nil
	}
	parsed, err := ParseBudget(string(text))
	if err != nil {
		return err
	}
	*b = parsed
	return nil
}
