package calendar_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
)

func TestParseBudget(t *testing.T) {
	t.Parallel()
	days := func(n int) calendar.Budget { return calendar.Budget{Unit: calendar.WorkingDays, Days: n} }
	worked := func(d time.Duration) calendar.Budget {
		return calendar.Budget{Unit: calendar.WorkingTime, Time: d}
	}
	for _, tc := range []struct {
		text      string
		want      calendar.Budget
		canonical string
	}{
		{"1 working_day", days(1), "1 working_day"},
		{" 3  working_days ", days(3), "3 working_days"},
		{"1 working_days", days(1), "1 working_day"},
		{"3660 working_days", days(3660), "3660 working_days"},
		{"4 working_hours", worked(4 * time.Hour), "4 working_hours"},
		{"1 working_hour", worked(time.Hour), "1 working_hour"},
		{"90 working_minutes", worked(90 * time.Minute), "90 working_minutes"},
		{"100000 working_minutes", worked(100000 * time.Minute), "100000 working_minutes"},
		{"120 working_minutes", worked(2 * time.Hour), "2 working_hours"},
		{"20s", worked(20 * time.Second), "20s"},
		{"2m", worked(2 * time.Minute), "2 working_minutes"},
		{"1m30s", worked(90 * time.Second), "1m30s"},
		{"same_day", calendar.Budget{Unit: calendar.SameDay}, "same_day"},
		{"next_day", calendar.Budget{Unit: calendar.NextDay}, "next_day"},
		{"next_calendar_day", calendar.Budget{Unit: calendar.NextCalendarDay}, "next_calendar_day"},
		{"on_date", calendar.Budget{Unit: calendar.OnDate}, "on_date"},
		{"at_moment", calendar.Budget{Unit: calendar.AtMoment}, "at_moment"},
	} {
		got, err := calendar.ParseBudget(tc.text)
		require.NoError(t, err, tc.text)
		require.Equal(t, tc.want, got, tc.text)
		require.Equal(t, tc.canonical, got.String())
	}
}

func TestParseBudgetRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "3", "3 days", "working_days", "1 working_day later", "Same_Day", "one working_day", "1.5 working_days",
		"-1 working_day", "+1 working_day", "18446744073709551616 working_days",
	} {
		_, err := calendar.ParseBudget(text)
		require.ErrorContains(t, err, "1 working_day, 3 working_days", "the error of %q shows what is allowed", text)
	}
	for _, text := range []string{
		"0 working_days", "3661 working_days", "18446744073709551615 working_days", "18446744073709551615 working_hours",
		"0s", "-20s", "87841 working_hours", "5270401 working_minutes",
	} {
		_, err := calendar.ParseBudget(text)
		require.Error(t, err, text)
		require.Contains(t, err.Error(), text)
	}
}

func TestBudgetValidate(t *testing.T) {
	t.Parallel()
	for _, b := range []calendar.Budget{
		{},
		{Unit: "fortnights", Days: 1},
		{Unit: calendar.WorkingDays},
		{Unit: calendar.WorkingDays, Days: 1, Time: time.Hour},
		{Unit: calendar.WorkingTime, Days: 1, Time: time.Hour},
		{Unit: calendar.SameDay, Days: 1},
		{Unit: calendar.OnDate, Time: 1},
	} {
		require.Error(t, b.Validate(), "%+v", b)
	}
}

func TestBudgetAsJSON(t *testing.T) {
	t.Parallel()
	type rule struct {
		Limit, Unset calendar.Budget
	}
	text, err := json.Marshal(rule{Limit: budget(t, "1 working_day")})
	require.NoError(t, err)
	require.JSONEq(t, `{"Limit":"1 working_day","Unset":""}`, string(text))

	var back rule
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, rule{Limit: budget(t, "1 working_day")}, back)

	require.ErrorContains(t, json.Unmarshal([]byte(`{"Limit":"3 days"}`), &back), "3 days")
	_, err = json.Marshal(calendar.Budget{Unit: calendar.WorkingDays})
	require.Error(t, err)
}

func FuzzParseBudget(f *testing.F) {
	for _, s := range []string{"1 working_day", "3 working_days", "90 working_minutes", "20s", "1h30m", "same_day", "on_date", "-1s", ""} {
		f.Add(s)
	}
	c := office(f)
	anchor := at(f, "2026-11-19 16:00")
	f.Fuzz(func(t *testing.T, s string) {
		b, err := calendar.ParseBudget(s)
		if err != nil {
			require.Zero(t, b)
			return
		}
		again, err := calendar.ParseBudget(b.String())
		require.NoError(t, err)
		require.Equal(t, b, again)
		require.False(t, c.Due(anchor, b, nil).At.Before(anchor))
	})
}
