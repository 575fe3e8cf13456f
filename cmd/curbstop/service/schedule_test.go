package service

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The watch looks each day from 15 November to the end of the year; on a real
// server e2e asks for the moments themselves.
func TestCalendarWatchSpec(t *testing.T) {
	t.Parallel()
	spec := calendarWatchSpec()
	_, err := time.LoadLocation(spec.TimeZoneName)
	require.NoError(t, err)
	days := 0
	for d := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() == 2026; d = d.AddDate(0, 0, 1) {
		looks := 0
		for _, c := range spec.Calendars {
			if m, on := c.Month[0], c.DayOfMonth[0]; m.Start == int(d.Month()) && on.Start <= d.Day() && d.Day() <= on.End {
				looks++
			}
			require.Equal(t, 9, c.Hour[0].Start)
		}
		require.LessOrEqual(t, looks, 1)
		days += looks
		require.Equal(t, d.YearDay() >= 319, looks == 1, d) // 15 November
	}
	require.Equal(t, 16+31, days)
}
