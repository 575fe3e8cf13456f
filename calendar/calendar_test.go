package calendar_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/calendar"
)

// officeHours are the hours that the examples of this package's tests are worked out by.
var officeHours = calendar.Hours{Spans: []calendar.Span{{From: 8*60 + 30, To: 12 * 60}, {From: 13*60 + 30, To: 17*60 + 30}}}

func office(t testing.TB) *calendar.Calendar {
	t.Helper()
	return newCalendar(t, calendar.Seed(), officeHours)
}

func newCalendar(t testing.TB, n calendar.Notices, h calendar.Hours) *calendar.Calendar {
	t.Helper()
	c, err := calendar.New(n, h)
	require.NoError(t, err)
	return c
}

func date(t testing.TB, s string) calendar.Date {
	t.Helper()
	d, err := calendar.ParseDate(s)
	require.NoError(t, err)
	return d
}

// at reads "2026-11-19 16:00" as a moment in Shanghai.
func at(t testing.TB, s string) time.Time {
	t.Helper()
	moment, err := time.ParseInLocation("2006-01-02 15:04", s, calendar.Shanghai)
	require.NoError(t, err)
	return moment
}

func TestNextWorkingDay(t *testing.T) {
	t.Parallel()
	vectors := map[string]string{
		"2024-12-31": "2025-01-02", "2026-04-30": "2026-05-06",
		"2025-01-24": "2025-01-26", "2026-05-08": "2026-05-09",
		"2025-01-27": "2025-02-05", "2026-09-18": "2026-09-20",
		"2025-02-07": "2025-02-08", "2026-09-24": "2026-09-28",
		"2025-12-31": "2026-01-04", "2026-09-30": "2026-10-08",
		"2026-02-13": "2026-02-14", "2026-10-09": "2026-10-10",
		"2026-02-14": "2026-02-24", "2026-10-10": "2026-10-12",
	}
	c := office(t)
	for from, next := range vectors {
		require.Equal(t, next, c.Next(date(t, from)).String(), "after %s", from)
	}
}

func TestWorkingDaysPerYear(t *testing.T) {
	t.Parallel()
	c := office(t)
	for year, want := range map[int]int{2023: 249, 2024: 251, 2025: 248, 2026: 248} {
		got := 0
		for d := (calendar.Date{Year: year, Month: 1, Day: 1}); d.Year == year; d = d.AddDays(1) {
			if c.Working(d) {
				got++
			}
		}
		require.Equal(t, want, got, "year %d", year)

		first, last := calendar.Date{Year: year, Month: 1, Day: 1}, calendar.Date{Year: year, Month: 12, Day: 31}
		require.Equal(t, time.Duration(want)*7*time.Hour+time.Duration(want)*30*time.Minute, c.Between(first.At(0), last.At(24*60)))
	}
}

func TestNextAgreesWithWorking(t *testing.T) {
	t.Parallel()
	for _, c := range []*calendar.Calendar{office(t), newCalendar(t, calendar.Notices{}, officeHours), newCalendar(t, calendar.Seed(), calendar.AlwaysOpen)} {
		for d := date(t, "1969-11-20"); d.Year < 2029; d = d.AddDays(1) {
			if d.Year == 1971 {
				d = date(t, "2022-11-01")
			}
			want := d.AddDays(1)
			for !c.Working(want) {
				want = want.AddDays(1)
			}
			require.Equal(t, want, c.Next(d), "after %s", d)
		}
	}
}

func TestAddAtTheEdgesOfADay(t *testing.T) {
	t.Parallel()
	c := office(t)
	for _, tc := range []struct {
		name, from string
		add        time.Duration
		want       string
	}{
		{"the rest of the day ends at its close", "2026-11-19 16:00", 90 * time.Minute, "2026-11-19 17:30"},
		{"a minute more is in the next day", "2026-11-19 16:00", 91 * time.Minute, "2026-11-20 08:31"},
		{"from the close", "2026-11-19 17:30", time.Hour, "2026-11-20 09:30"},
		{"from the opening it is the same", "2026-11-20 08:30", time.Hour, "2026-11-20 09:30"},
		{"a whole day from the opening ends at the close", "2026-11-20 08:30", 450 * time.Minute, "2026-11-20 17:30"},
		{"a whole day from the close is the next close", "2026-11-19 17:30", 450 * time.Minute, "2026-11-20 17:30"},
		{"the morning ends at noon", "2026-11-20 08:30", 210 * time.Minute, "2026-11-20 12:00"},
		{"over the weekend", "2026-11-20 17:00", time.Hour, "2026-11-23 09:00"},
		{"from a weekend", "2026-11-21 11:11", time.Hour, "2026-11-23 09:30"},
		{"over the Spring Festival, from a make-up Saturday", "2026-02-14 17:00", time.Hour, "2026-02-24 09:00"},
		{"nothing, within hours", "2026-11-20 10:00", 0, "2026-11-20 10:00"},
		{"nothing, at the close", "2026-11-20 17:30", 0, "2026-11-20 17:30"},
		{"nothing, on a day off", "2026-11-21 10:00", 0, "2026-11-21 10:00"},
		{"back within the day", "2026-11-20 17:30", -4 * time.Hour, "2026-11-20 13:30"},
		{"back by a whole day is the opening", "2026-11-20 17:30", -450 * time.Minute, "2026-11-20 08:30"},
		{"back over the night", "2026-11-20 09:00", -time.Hour, "2026-11-19 17:00"},
		{"back from the opening", "2026-11-20 08:30", -time.Hour, "2026-11-19 16:30"},
		{"back from a weekend", "2026-11-22 09:00", -time.Hour, "2026-11-20 16:30"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, at(t, tc.want), c.Add(at(t, tc.from), tc.add))
		})
	}
}

func TestBetween(t *testing.T) {
	t.Parallel()
	c := office(t)
	require.Equal(t, 3*time.Hour, c.Between(at(t, "2026-11-19 16:00"), at(t, "2026-11-20 10:00")))
	require.Equal(t, -3*time.Hour, c.Between(at(t, "2026-11-20 10:00"), at(t, "2026-11-19 16:00")))
	require.Zero(t, c.Between(at(t, "2026-11-20 17:30"), at(t, "2026-11-23 08:30")), "a weekend has no length")
	require.Equal(t, 450*time.Minute, c.Between(at(t, "2026-02-14 00:00"), at(t, "2026-02-24 00:00")), "a make-up Saturday, then nine days off")

	utc := at(t, "2026-11-19 16:00").UTC()
	require.Equal(t, 90*time.Minute, c.Between(utc, at(t, "2026-11-20 00:00")), "the location of a moment does not matter")
	require.Equal(t, calendar.Shanghai, c.Add(utc, 0).Location())
}

func TestFarAwayIsAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	ancient, remote := time.Time{}, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	for _, h := range []calendar.Hours{officeHours, calendar.AlwaysOpen, {Spans: []calendar.Span{{From: 0, To: 1}}}} {
		c := newCalendar(t, calendar.Seed(), h)
		for _, d := range []time.Duration{math.MaxInt64, math.MinInt64} {
			require.Equal(t, d, c.Between(ancient, c.Add(ancient, d)))
		}
	}
	always := newCalendar(t, calendar.Notices{}, calendar.AlwaysOpen)
	require.Equal(t, time.Duration(math.MaxInt64), always.Between(ancient, remote))
	require.Equal(t, time.Duration(math.MinInt64), always.Between(remote, ancient))
}

func TestAlwaysOpenIsElapsedTime(t *testing.T) {
	t.Parallel()
	c := newCalendar(t, calendar.Seed(), calendar.AlwaysOpen)
	rapid.Check(t, func(t *rapid.T) {
		from, to := drawMoment(t, "from"), drawMoment(t, "to")
		require.Equal(t, to.Sub(from), c.Between(from, to))
		require.True(t, to.Equal(c.Add(from, to.Sub(from))))
	})
}

func TestAddThenBetweenGivesTheBudgetBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, _ := drawCalendar(t)
		from := drawMoment(t, "from").Add(time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "ns")))
		d := time.Duration(rapid.Int64Range(-int64(3000*time.Hour), int64(3000*time.Hour)).Draw(t, "d"))
		to := c.Add(from, d)
		require.Equal(t, d, c.Between(from, to))
		switch {
		case d > 0:
			require.Less(t, c.Between(from, to.Add(-1)), d, "no earlier moment has that much")
		case d < 0:
			require.Greater(t, c.Between(from, to.Add(1)), d, "no later moment has that much")
		}
	})
}

func TestBetweenIsAdditive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, _ := drawCalendar(t)
		a, b, c := drawMoment(t, "a"), drawMoment(t, "b"), drawMoment(t, "c")
		require.Equal(t, x.Between(a, c), x.Between(a, b)+x.Between(b, c))
		require.Equal(t, x.Between(a, b), -x.Between(b, a))
	})
}

func TestWorkingTimeAgreesWithTheReference(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, r := drawCalendar(t)
		from := drawMoment(t, "from")
		to := from.Add(time.Duration(rapid.IntRange(-20*24*60, 20*24*60).Draw(t, "minutes")) * time.Minute)
		require.Equal(t, r.between(from, to), c.Between(from, to))
		d := time.Duration(rapid.IntRange(-3000, 3000).Draw(t, "working minutes")) * time.Minute
		require.Equal(t, r.add(from, d), c.Add(from, d))
	})
}

func TestNewTakesItsOwnCopyOfTheHours(t *testing.T) {
	t.Parallel()
	spans := []calendar.Span{{From: 540, To: 1020}}
	c := newCalendar(t, calendar.Seed(), calendar.Hours{Spans: spans})
	spans[0].To = 600
	c.Hours().Spans[0].To = 600
	require.Equal(t, at(t, "2026-11-19 17:00"), c.Close(date(t, "2026-11-19")))
	require.Equal(t, "seed-2026", c.Version())
}

// drawMoment draws a whole minute from before the first notice to after the last, often near the
// edges of a business day and of the holidays.
func drawMoment(t *rapid.T, label string) time.Time {
	day := rapid.OneOf(
		rapid.Map(rapid.IntRange(0, 5*366), calendar.Date{Year: 2022, Month: 12, Day: 20}.AddDays),
		rapid.Map(rapid.IntRange(-3, 20), calendar.Date{Year: 2026, Month: 2, Day: 12}.AddDays),
		rapid.Map(rapid.IntRange(-3, 20), calendar.Date{Year: 2026, Month: 9, Day: 25}.AddDays),
		rapid.Map(rapid.IntRange(-5, 5), calendar.Date{Year: 2026, Month: 12, Day: 31}.AddDays),
	).Draw(t, label+" day")
	minute := rapid.OneOf(
		rapid.IntRange(0, 24*60-1),
		rapid.SampledFrom([]int{0, 509, 510, 511, 720, 810, 1049, 1050, 1051, 1439}),
	).Draw(t, label+" minute")
	return day.At(calendar.Minute(minute))
}

func drawCalendar(t *rapid.T) (*calendar.Calendar, reference) {
	hours := rapid.SampledFrom([]calendar.Hours{
		officeHours,
		calendar.AlwaysOpen,
		{Spans: []calendar.Span{{From: 0, To: 24 * 60}}},
		{Spans: []calendar.Span{{From: 540, To: 600}, {From: 600, To: 601}, {From: 1380, To: 1440}}},
		{Spans: officeHours.Spans, EveryDay: true},
	}).Draw(t, "hours")
	notices := rapid.SampledFrom([]calendar.Notices{calendar.Seed(), {}}).Draw(t, "notices")
	c, err := calendar.New(notices, hours)
	require.NoError(t, err)
	return c, newReference(notices, hours)
}

func TestHoursValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, officeHours.Validate())
	require.NoError(t, calendar.AlwaysOpen.Validate())
	for name, spans := range map[string][]calendar.Span{
		"none":         nil,
		"empty":        {{From: 600, To: 600}},
		"backwards":    {{From: 600, To: 540}},
		"before":       {{From: -1, To: 540}},
		"after":        {{From: 600, To: 1441}},
		"overlapping":  {{From: 540, To: 720}, {From: 719, To: 1020}},
		"out of order": {{From: 780, To: 1020}, {From: 540, To: 720}},
	} {
		_, err := calendar.New(calendar.Seed(), calendar.Hours{Spans: spans})
		require.Error(t, err, name)
	}
}

func TestOpening(t *testing.T) {
	t.Parallel()
	c := office(t)
	for from, opening := range map[string]string{
		"2026-11-24 08:30": "2026-11-24 08:30", // Tuesday
		"2026-11-24 08:29": "2026-11-24 08:30",
		"2026-11-24 11:59": "2026-11-24 11:59",
		"2026-11-24 12:00": "2026-11-24 13:30", // the close of a span lies outside
		"2026-11-24 17:30": "2026-11-25 08:30",
		"2026-11-27 18:00": "2026-11-30 08:30", // a weekend
		"2026-02-14 20:00": "2026-02-24 08:30", // Spring Festival
		"2026-02-14 09:00": "2026-02-14 09:00", // a Saturday made a working day
		"2026-09-19 09:00": "2026-09-20 08:30", // the next day is a Sunday made a working day
	} {
		require.Equal(t, at(t, opening), c.Opening(at(t, from)), from)
	}
	always := newCalendar(t, calendar.Seed(), calendar.AlwaysOpen)
	require.Equal(t, at(t, "2026-02-17 00:00"), always.Opening(at(t, "2026-02-17 00:00")))
}

// The opening is open, nothing before it is, and no working time lies between.
func TestOpeningIsTheFirstOpenMoment(t *testing.T) {
	t.Parallel()
	c := office(t)
	rapid.Check(t, func(t *rapid.T) {
		from := calendar.Date{Year: 2026, Month: 1, Day: 1}.At(0).Add(time.Duration(rapid.Int64Range(0, int64(364*24*time.Hour)).Draw(t, "from")))
		opening := c.Opening(from)
		if opening.Before(from) || !c.Opening(opening).Equal(opening) || c.Between(from, opening) != 0 || c.Between(opening, opening.Add(time.Nanosecond)) != 1 {
			t.Fatalf("the opening after %s is not %s", from, opening)
		}
	})
}
