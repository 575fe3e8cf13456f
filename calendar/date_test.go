package calendar_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
)

func TestDate(t *testing.T) {
	t.Parallel()
	eve := date(t, "2026-12-31")
	require.Equal(t, calendar.Date{Year: 2026, Month: time.December, Day: 31}, eve)
	require.Equal(t, "2027-01-01", eve.AddDays(1).String())
	require.Equal(t, "2024-02-29", date(t, "2024-03-01").AddDays(-1).String())
	require.Equal(t, time.Thursday, eve.Weekday())
	require.True(t, eve.Before(eve.AddDays(1)))
	require.False(t, eve.Before(eve))
	require.Equal(t, at(t, "2026-12-31 08:30"), eve.At(8*60+30))
	require.Equal(t, at(t, "2027-01-01 00:00"), eve.At(24*60))

	require.Equal(t, eve, calendar.DateOf(time.Date(2026, 12, 30, 16, 0, 0, 0, time.UTC)), "midnight in Shanghai")
	require.Equal(t, eve.AddDays(-1), calendar.DateOf(time.Date(2026, 12, 30, 15, 59, 59, 0, time.UTC)))
}

func TestDateAsJSON(t *testing.T) {
	t.Parallel()
	type visit struct{ Agreed, Open calendar.Date }
	text, err := json.Marshal(visit{Agreed: date(t, "2026-02-28")})
	require.NoError(t, err)
	require.JSONEq(t, `{"Agreed":"2026-02-28","Open":""}`, string(text))
	var back visit
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, visit{Agreed: date(t, "2026-02-28")}, back)

	for _, s := range []string{"2026-02-29", "2026-2-8", "26-02-08", "2026/02/08", " 2026-02-08", "2026-02-08T00:00:00Z"} {
		require.Error(t, new(calendar.Date).UnmarshalText([]byte(s)), s)
		_, err := calendar.ParseDate(s)
		require.ErrorContains(t, err, s)
	}
	_, err = json.Marshal(calendar.Date{Year: 2026, Month: 2, Day: 29})
	require.Error(t, err)
}

func TestHoursAsJSON(t *testing.T) {
	t.Parallel()
	const text = `{"spans":[{"from":"08:30","to":"12:00"},{"from":"13:30","to":"17:30"}]}`
	var h calendar.Hours
	require.NoError(t, json.Unmarshal([]byte(text), &h))
	require.Equal(t, officeHours, h)
	back, err := json.Marshal(h)
	require.NoError(t, err)
	require.JSONEq(t, text, string(back))

	always, err := json.Marshal(calendar.AlwaysOpen)
	require.NoError(t, err)
	require.JSONEq(t, `{"spans":[{"from":"00:00","to":"24:00"}],"every_day":true}`, string(always))
	require.NoError(t, json.Unmarshal(always, &h))
	require.Equal(t, calendar.AlwaysOpen, h)

	for _, s := range []string{"", "8:30", "08:60", "24:01", "0830", "08:30:00"} {
		require.Error(t, new(calendar.Minute).UnmarshalText([]byte(s)), s)
	}
	_, err = json.Marshal(calendar.Minute(1441))
	require.Error(t, err)
}
