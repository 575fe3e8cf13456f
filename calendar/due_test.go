package calendar_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/calendar"
)

func budget(t testing.TB, s string) calendar.Budget {
	t.Helper()
	b, err := calendar.ParseBudget(s)
	require.NoError(t, err)
	return b
}

func TestDueCounting(t *testing.T) {
	t.Parallel()
	c := office(t)
	for _, tc := range []struct{ name, anchor, budget, want string }{
		{"Thursday 16:00 and one working day", "2026-11-19 16:00", "1 working_day", "2026-11-20 17:30"},
		{"after the close counts like before it", "2026-11-19 23:59", "1 working_day", "2026-11-20 17:30"},
		{"midnight begins the next day", "2026-11-20 00:00", "1 working_day", "2026-11-23 17:30"},
		{"an event on a Saturday", "2026-11-21 10:00", "1 working_day", "2026-11-23 17:30"},
		{"an event on a Sunday", "2026-11-22 10:00", "3 working_days", "2026-11-25 17:30"},
		{"to a make-up Saturday", "2026-02-13 09:00", "1 working_day", "2026-02-14 17:30"},
		{"over the Spring Festival", "2026-02-13 09:00", "2 working_days", "2026-02-24 17:30"},
		{"within the Spring Festival", "2026-02-18 09:00", "5 working_days", "2026-02-28 17:30"},
		{"over New Year", "2025-12-31 09:00", "1 working_day", "2026-01-04 17:30"},

		{"the same day", "2026-11-19 09:00", "same_day", "2026-11-19 17:30"},
		{"the same day, in the lunch break", "2026-11-19 12:30", "same_day", "2026-11-19 17:30"},
		{"the same day, at the close", "2026-11-19 17:30", "same_day", "2026-11-20 00:00"},
		{"the same day, after the close", "2026-11-19 20:00", "same_day", "2026-11-20 00:00"},
		{"the same day, which is a Saturday", "2026-11-21 10:00", "same_day", "2026-11-23 17:30"},
		{"the same day, late on a Saturday", "2026-11-21 20:00", "same_day", "2026-11-23 17:30"},
		{"the same day, a make-up Saturday", "2026-02-14 10:00", "same_day", "2026-02-14 17:30"},

		{"the day after", "2026-11-19 09:00", "next_day", "2026-11-20 17:30"},
		{"the day after a Friday", "2026-11-20 09:00", "next_day", "2026-11-23 17:30"},
		{"the calendar day after a Friday", "2026-11-20 20:00", "next_calendar_day", "2026-11-21 17:30"},

		{"on a date", "2026-11-19 00:00", "on_date", "2026-11-19 17:30"},
		{"at a moment that is a day off", "2026-10-01 21:30", "at_moment", "2026-10-01 21:30"},
		{"at an agreed time", "2026-11-19 17:29", "on_date", "2026-11-19 17:30"},
		{"at an agreed time, at the close", "2026-11-19 17:30", "on_date", "2026-11-20 00:00"},
		{"at an agreed time, after the close", "2026-11-19 18:30", "on_date", "2026-11-20 00:00"},
		{"at an agreed time on a Saturday", "2026-11-21 10:00", "on_date", "2026-11-23 17:30"},
		{"at an agreed time on a Saturday evening", "2026-11-21 18:30", "on_date", "2026-11-23 17:30"},
		{"on a date that is a day off", "2026-10-01 00:00", "on_date", "2026-10-08 17:30"},

		{"working hours", "2026-11-19 16:00", "4 working_hours", "2026-11-20 11:00"},
		{"working minutes to the close", "2026-11-19 16:00", "90 working_minutes", "2026-11-19 17:30"},
		{"working time from a holiday", "2026-10-03 16:00", "2m", "2026-10-08 08:32"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, calendar.Due{At: at(t, tc.want)}, c.Due(at(t, tc.anchor), budget(t, tc.budget), nil))
		})
	}
}

func TestDueWhenAlwaysOpen(t *testing.T) {
	t.Parallel()
	c := newCalendar(t, calendar.Notices{}, calendar.AlwaysOpen)
	anchor := at(t, "2026-11-20 23:00") // A Friday.
	for text, want := range map[string]time.Time{
		"20s":               anchor.Add(20 * time.Second),
		"1 working_day":     at(t, "2026-11-22 00:00"),
		"same_day":          at(t, "2026-11-21 00:00"),
		"next_day":          at(t, "2026-11-22 00:00"),
		"next_calendar_day": at(t, "2026-11-22 00:00"),
		"on_date":           at(t, "2026-11-21 00:00"),
	} {
		require.Equal(t, calendar.Due{At: want}, c.Due(anchor, budget(t, text), nil), text)
	}
}

func TestDueWithStops(t *testing.T) {
	t.Parallel()
	c := office(t)
	stop := func(from, to string) calendar.Stop {
		s := calendar.Stop{From: at(t, from)}
		if to != "" {
			s.To = at(t, to)
		}
		return s
	}
	const anchor, rule = "2026-11-19 16:00", "1 working_day" // Due on Friday the 20th at 17:30.
	for _, tc := range []struct {
		name, anchor, budget string
		stops                []calendar.Stop
		want                 string        // Empty if stopped.
		left                 time.Duration // If stopped.
	}{
		{"two hours on Friday", anchor, rule, []calendar.Stop{stop("2026-11-20 09:00", "2026-11-20 11:00")}, "2026-11-23 10:30", 0},
		{"a night costs and gains nothing", anchor, rule, []calendar.Stop{stop("2026-11-19 17:30", "2026-11-20 08:30")}, "2026-11-20 17:30", 0},
		{"over a weekend", anchor, rule, []calendar.Stop{stop("2026-11-20 16:30", "2026-11-23 08:30")}, "2026-11-23 09:30", 0},
		{"over the Spring Festival", "2026-02-12 16:00", rule, []calendar.Stop{stop("2026-02-13 16:30", "2026-02-24 09:00")}, "2026-02-24 10:00", 0},
		{"resumed on a Sunday", anchor, rule, []calendar.Stop{stop("2026-11-20 16:30", "2026-11-22 12:00")}, "2026-11-23 09:30", 0},
		{"a whole day over", anchor, rule, []calendar.Stop{stop("2026-11-20 08:30", "2026-11-20 17:30")}, "2026-11-23 17:30", 0},
		{"from before the event", anchor, rule, []calendar.Stop{stop("2026-11-01 09:00", "2026-11-19 17:00")}, "2026-11-23 09:30", 0},
		{"all of it before the event", anchor, rule, []calendar.Stop{stop("2026-11-01 09:00", "2026-11-19 16:00")}, "2026-11-20 17:30", 0},
		{"at the due moment", anchor, rule, []calendar.Stop{stop("2026-11-20 17:30", "2026-11-25 17:30")}, "2026-11-20 17:30", 0},
		{"after the due moment, still lasting", anchor, rule, []calendar.Stop{stop("2026-11-21 09:00", "")}, "2026-11-20 17:30", 0},
		{"a second one reached only through the first", anchor, rule, []calendar.Stop{
			stop("2026-11-23 09:00", "2026-11-23 10:00"), stop("2026-11-20 16:30", "2026-11-20 17:30"),
		}, "2026-11-23 10:30", 0},
		{"overlapping", anchor, rule, []calendar.Stop{
			stop("2026-11-20 09:00", "2026-11-20 11:00"), stop("2026-11-20 10:00", "2026-11-20 12:00"), stop("2026-11-20 09:30", "2026-11-20 10:30"),
		}, "2026-11-23 11:30", 0},
		{"backwards and empty are none", anchor, rule, []calendar.Stop{
			stop("2026-11-20 11:00", "2026-11-20 09:00"), stop("2026-11-20 10:00", "2026-11-20 10:00"),
		}, "2026-11-20 17:30", 0},
		{"lasting", anchor, rule, []calendar.Stop{stop("2026-11-20 15:30", "")}, "", 2 * time.Hour},
		{"lasting, within a finite one", anchor, rule, []calendar.Stop{
			stop("2026-11-20 14:30", "2026-11-20 15:30"), stop("2026-11-20 15:00", ""),
		}, "", 3 * time.Hour},
		{"lasting, after a finite one", anchor, rule, []calendar.Stop{
			stop("2026-11-20 09:00", "2026-11-20 11:00"), stop("2026-11-20 15:30", ""),
		}, "", 4 * time.Hour},

		{"no working time is left before midnight", "2026-11-19 18:00", "same_day", []calendar.Stop{stop("2026-11-19 19:00", "2026-11-19 21:00")}, "2026-11-20 00:00", 0},
		{"stopped over that midnight", "2026-11-19 18:00", "same_day", []calendar.Stop{stop("2026-11-19 19:00", "2026-11-20 10:00")}, "2026-11-20 10:00", 0},
		{"stopped over that midnight until before the opening", "2026-11-19 18:00", "same_day", []calendar.Stop{stop("2026-11-19 19:00", "2026-11-20 07:00")}, "2026-11-20 07:00", 0},
		{"stopped over that midnight, and again at once", "2026-11-19 18:00", "same_day", []calendar.Stop{
			stop("2026-11-20 10:00", "2026-11-20 11:00"), stop("2026-11-19 19:00", "2026-11-20 10:00"),
		}, "2026-11-20 11:00", 0},
		{"stopped over that midnight, lasting", "2026-11-19 18:00", "same_day", []calendar.Stop{stop("2026-11-19 19:00", "")}, "", 0},
		{"a night before a calendar day off", "2026-11-20 10:00", "next_calendar_day", []calendar.Stop{stop("2026-11-20 18:00", "2026-11-20 20:00")}, "2026-11-21 17:30", 0},
		{"two hours before a calendar day off", "2026-11-20 08:30", "next_calendar_day", []calendar.Stop{stop("2026-11-20 09:00", "2026-11-20 11:00")}, "2026-11-23 10:30", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			want := calendar.Due{Stopped: true, Remaining: tc.left}
			if tc.want != "" {
				want = calendar.Due{At: at(t, tc.want)}
			}
			given := slices.Clone(tc.stops)
			require.Equal(t, want, c.Due(at(t, tc.anchor), budget(t, tc.budget), tc.stops))
			require.Equal(t, given, tc.stops, "the caller's stops are left alone")
		})
	}
}

func TestDueProvisional(t *testing.T) {
	t.Parallel()
	c := office(t)
	for _, tc := range []struct {
		anchor, budget string
		stops          []calendar.Stop
		want           bool
	}{
		{"2026-12-30 10:00", "1 working_day", nil, false},
		{"2026-12-31 10:00", "same_day", nil, false},
		{"2026-12-31 20:00", "same_day", nil, false}, // Ends at 24:00, which is still 2026.
		{"2026-12-31 10:00", "1 working_day", nil, true},
		{"2026-12-31 10:00", "next_day", nil, true},
		{"2026-12-31 10:00", "next_calendar_day", nil, false}, // It is a day off or not: both end alike.
		{"2026-12-31 17:00", "30 working_minutes", nil, false},
		{"2026-12-31 17:00", "31 working_minutes", nil, true},
		{"2027-03-01 10:00", "on_date", nil, true},
		{"2022-12-31 10:00", "1 working_day", nil, false}, // The event's day is not counted.
		{"2026-12-30 10:00", "1 working_day", []calendar.Stop{{From: at(t, "2026-12-31 10:00"), To: at(t, "2026-12-31 11:00")}}, true},
		{"2026-12-30 10:00", "1 working_day", []calendar.Stop{{From: at(t, "2026-12-31 10:00")}}, false},
		{"2027-01-01 10:00", "next_calendar_day", []calendar.Stop{{From: at(t, "2027-01-02 09:00"), To: at(t, "2027-01-02 10:00")}}, true}, // A Saturday, or a make-up day.
		{"2026-12-30 10:00", "2 working_days", []calendar.Stop{{From: at(t, "2026-12-31 10:00")}}, true},
	} {
		require.Equal(t, tc.want, c.Due(at(t, tc.anchor), budget(t, tc.budget), tc.stops).Provisional, "%s from %s", tc.budget, tc.anchor)
	}

	always := newCalendar(t, calendar.Notices{}, calendar.AlwaysOpen)
	require.False(t, always.Due(at(t, "2027-03-01 10:00"), budget(t, "3 working_days"), nil).Provisional, "no notice is asked")
}

func TestDueRefusesABrokenBudget(t *testing.T) {
	t.Parallel()
	c := office(t)
	require.Panics(t, func() { c.Due(at(t, "2026-11-19 16:00"), calendar.Budget{}, nil) })
}

func TestDueAgreesWithTheReference(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, r := drawCalendar(t)
		anchor, b := drawMoment(t, "anchor"), drawBudget(t)
		stops := drawStops(t, anchor, true)
		at, left, stopped := r.due(anchor, b, stops)
		got := c.Due(anchor, b, stops)
		require.Equal(t, stopped, got.Stopped)
		require.Equal(t, left, got.Remaining)
		require.True(t, at.Equal(got.At), "want %s, got %s", at, got.At)
	})
}

func TestStopsMoveTheDueMomentByTheWorkingTimeStopped(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, r := drawCalendar(t)
		anchor, b := drawMoment(t, "anchor"), drawBudget(t)
		stops := drawStops(t, anchor, false)
		plain, moved := c.Due(anchor, b, nil), c.Due(anchor, b, stops)
		if plain.At.Before(anchor) {
			require.Equal(t, plain.At, moved.At, "what was due before the event stays so")
			return
		}
		var stopped time.Duration
		for x := anchor; x.Before(moved.At); x = x.Add(time.Minute) {
			if r.works(x) && slices.ContainsFunc(stops, func(s calendar.Stop) bool { return !x.Before(s.From) && x.Before(s.To) }) {
				stopped += time.Minute
			}
		}
		require.Equal(t, stopped, c.Between(plain.At, moved.At))
		require.False(t, moved.At.Before(plain.At))
	})
}

func TestOrderAndRepetitionOfStopsDoNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, _ := drawCalendar(t)
		anchor, b := drawMoment(t, "anchor"), drawBudget(t)
		stops := drawStops(t, anchor, true)
		want := c.Due(anchor, b, stops)
		require.Equal(t, want, c.Due(anchor, b, rapid.Permutation(stops).Draw(t, "order")))
		require.Equal(t, want, c.Due(anchor, b, append(slices.Clone(stops), stops...)))
	})
}

func TestResumingGivesTheRemainingTimeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, _ := drawCalendar(t)
		anchor, b := drawMoment(t, "anchor"), drawBudget(t)
		from := anchor.Add(time.Duration(rapid.IntRange(0, 10*24*60).Draw(t, "from")) * time.Minute)
		while := c.Due(anchor, b, []calendar.Stop{{From: from}})
		if !while.Stopped {
			return
		}
		to := from.Add(time.Duration(rapid.IntRange(1, 20*24*60).Draw(t, "to")) * time.Minute)
		after := c.Due(anchor, b, []calendar.Stop{{From: from, To: to}})
		require.Equal(t, while.Remaining, c.Between(to, after.At))
		require.False(t, after.At.Before(to))
	})
}

// Whatever the hours, no limit of a day ends before the event from which it counts.
func TestNothingIsDueBeforeItTakesPlace(t *testing.T) {
	t.Parallel()
	hours := []calendar.Hours{
		officeHours, calendar.AlwaysOpen, {Spans: []calendar.Span{{From: 0, To: 6 * 60}, {From: 20 * 60, To: 24 * 60}}},
		{Spans: []calendar.Span{{From: 8 * 60, To: 12 * 60}}, EveryDay: true},
	}
	first := at(t, "2026-09-01 00:00")
	rapid.Check(t, func(t *rapid.T) {
		c, err := calendar.New(calendar.Seed(), rapid.SampledFrom(hours).Draw(t, "hours"))
		require.NoError(t, err)
		anchor := first.Add(time.Duration(rapid.IntRange(0, 200*24*60).Draw(t, "anchor")) * time.Minute)
		require.True(t, c.Due(anchor, drawBudget(t), nil).At.After(anchor))
	})
}

func drawBudget(t *rapid.T) calendar.Budget {
	return rapid.OneOf(
		rapid.Map(rapid.IntRange(1, 8), func(n int) calendar.Budget { return calendar.Budget{Unit: calendar.WorkingDays, Days: n} }),
		rapid.Map(rapid.IntRange(1, 2000), func(n int) calendar.Budget {
			return calendar.Budget{Unit: calendar.WorkingTime, Time: time.Duration(n) * time.Minute}
		}),
		rapid.Map(rapid.SampledFrom([]calendar.Unit{calendar.SameDay, calendar.NextDay, calendar.NextCalendarDay, calendar.OnDate}),
			func(u calendar.Unit) calendar.Budget { return calendar.Budget{Unit: u} }),
	).Draw(t, "budget")
}

func drawStops(t *rapid.T, anchor time.Time, lasting bool) []calendar.Stop {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) calendar.Stop {
		from := anchor.Add(time.Duration(rapid.IntRange(-2*24*60, 12*24*60).Draw(t, "from")) * time.Minute)
		s := calendar.Stop{From: from}
		if !lasting || rapid.IntRange(0, 7).Draw(t, "lasts") > 0 {
			s.To = from.Add(time.Duration(rapid.IntRange(-60, 4*24*60).Draw(t, "minutes")) * time.Minute)
		}
		return s
	}), 0, 5).Draw(t, "stops")
}

func TestDueAndStopAsJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal([]any{
		calendar.Due{At: at(t, "2026-11-20 17:30")},
		calendar.Due{Stopped: true, Remaining: time.Hour, Provisional: true},
		calendar.Stop{From: at(t, "2026-11-20 17:30")},
	})
	require.NoError(t, err)
	require.JSONEq(t, `[{"at":"2026-11-20T17:30:00+08:00"},
		{"stopped":true,"remaining":3600000000000,"provisional":true},
		{"from":"2026-11-20T17:30:00+08:00"}]`, string(text))
}

func BenchmarkDue(b *testing.B) {
	c := office(b)
	anchor := at(b, "2026-01-05 16:00")
	stops := []calendar.Stop{
		{From: at(b, "2026-02-13 16:30"), To: at(b, "2026-02-24 09:00")},
		{From: at(b, "2026-01-07 09:00"), To: at(b, "2026-01-09 11:00")},
		{From: at(b, "2026-01-08 09:00"), To: at(b, "2026-01-12 11:00")},
	}
	for _, bc := range []struct {
		name   string
		budget string
		stops  []calendar.Stop
	}{
		{"1day", "1 working_day", nil},
		{"30days3stops", "30 working_days", stops},
		{"3660days", "3660 working_days", nil},
		{"4hours", "4 working_hours", nil},
	} {
		rule := budget(b, bc.budget)
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Due(anchor, rule, bc.stops)
			}
		})
	}
}
