package calendar

import (
	"fmt"
	"slices"
	"time"
)

// Minute is a time of day in minutes since midnight, 0 to 1440. Its text form, also in JSON and
// YAML, is 08:30; 24:00 is the midnight that ends the day.
type Minute int

const endOfDay Minute = 24 * 60

// ParseMinute reads the form 08:30, from 00:00 to 24:00.
func ParseMinute(s string) (Minute, error) {
	if s == "24:00" {
		return endOfDay, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		return 0, wrong("时刻“%s”不对，应写作 08:30，最晚 24:00", "%q is not a time of day of the form 08:30, at most 24:00", s)
	}
	return Minute(t.Hour()*60 + t.Minute()), nil
}

// String is the form 08:30.
func (m Minute) String() string { return fmt.Sprintf("%02d:%02d", int(m)/60, int(m)%60) }

// MarshalText writes what [Minute.String] shows. It refuses what is not a time of day.
func (m Minute) MarshalText() ([]byte, error) {
	if m < 0 || m > endOfDay {
		return nil, wrong("%d 分钟不是一天中的时刻", "%d minutes is not a time of day", int(m))
	}
	return []byte(m.String()), nil
}

// UnmarshalText reads what [ParseMinute] reads.
func (m *Minute) UnmarshalText(text []byte) error {
	parsed, err := ParseMinute(string(text))
	if err != nil {
		return err
	}
	*m = parsed
	return nil
}

func (m Minute) sinceMidnight() time.Duration { return time.Duration(m) * time.Minute }

// Span is a stretch of a day, From included, To not.
type Span struct {
	From Minute `json:"from" yaml:"from"`
	To   Minute `json:"to" yaml:"to"`
}

func (s Span) length() time.Duration { return (s.To - s.From).sinceMidnight() }

// Hours are the business hours (业务时间) of a working day; they are the same on each. The end of
// the last span is the close of business, at which periods end (Civil Code art. 203).
type Hours struct {
	// Spans are in order and do not overlap; a lunch break is the gap between two.
	Spans []Span `json:"spans" yaml:"spans"`
	// EveryDay makes every calendar day a working day: notices and weekends have no say.
	EveryDay bool `json:"every_day,omitempty" yaml:"every_day,omitempty"`
}

// AlwaysOpen are hours without an end, under which working time is elapsed time: for services that
// never close, and for demonstrations that cannot wait for Monday. Treat it as a constant.
var AlwaysOpen = Hours{Spans: []Span{{0, endOfDay}}, EveryDay: true}

// Validate refuses hours without a span, and spans that are empty, leave the day, overlap or are
// out of order.
func (h Hours) Validate() error {
	if len(h.Spans) == 0 {
		return wrong("工作时间至少要有一段", "business hours need at least one span")
	}
	var previous Minute
	for _, s := range h.Spans {
		switch {
		case s.From < 0 || s.To > endOfDay || s.From >= s.To:
			return wrong("工作时间 %s-%s 不对：须在 00:00-24:00 之内，先起后止", "span %s-%s is empty or outside 00:00-24:00", s.From, s.To)
		case s.From < previous:
			return wrong("工作时间 %s-%s 与前一段重叠或颠倒", "span %s-%s overlaps the one before it or is out of order", s.From, s.To)
		}
		previous = s.To
	}
	return nil
}

// Granted is the working time that a budget grants, so that budgets of different units compare: a
// working day is the length of a day, and so is what ends with a day, which grants that at most.
func (h Hours) Granted(b Budget) time.Duration {
	switch b.Unit {
	case WorkingTime:
		return b.Time
	case WorkingDays:
		return time.Duration(b.Days) * h.length()
	case SameDay, NextDay, NextCalendarDay, OnDate, AtMoment:
		return h.length()
	}
	return 0
}

func (h Hours) clone() Hours {
	h.Spans = slices.Clone(h.Spans)
	return h
}

func (h Hours) close() Minute { return h.Spans[len(h.Spans)-1].To }

// length is the working time of one day.
func (h Hours) length() time.Duration { return h.worked(endOfDay.sinceMidnight()) }

// worked is the working time of a day from its midnight to sinceMidnight.
func (h Hours) worked(sinceMidnight time.Duration) time.Duration {
	var sum time.Duration
	for _, s := range h.Spans {
		sum += min(max(sinceMidnight-s.From.sinceMidnight(), 0), s.length())
	}
	return sum
}

// earliest is the first time of day at which worked time has been worked, and latest the last one
// before more is: they differ where a span ends, by the break after it. For earliest worked is
// above 0 and at most the day's length; for latest it is at least 0 and below the day's length.
func (h Hours) earliest(worked time.Duration) time.Duration {
	i := 0
	for ; worked > h.Spans[i].length(); i++ {
		worked -= h.Spans[i].length()
	}
	return h.Spans[i].From.sinceMidnight() + worked
}

func (h Hours) latest(worked time.Duration) time.Duration {
	i := 0
	for ; worked >= h.Spans[i].length(); i++ {
		worked -= h.Spans[i].length()
	}
	return h.Spans[i].From.sinceMidnight() + worked
}
