package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

func TestPercentilesAreOfTheNearestRank(t *testing.T) {
	t.Parallel()
	var of []time.Duration
	for i := range 100 {
		of = append(of, time.Duration(100-i))
	}
	require.Equal(t, []time.Duration{50, 99, 100}, []time.Duration{at(of, 50), at(of, 99), at(of, 100)})
	require.Equal(t, []time.Duration{7, 7}, []time.Duration{at([]time.Duration{7}, 50), at([]time.Duration{7}, 99)})
	require.InDelta(t, 2.0, ratio([]time.Duration{6}, []time.Duration{2}, []time.Duration{4}, 99), 1e-9)
}

// Whatever the minute in which a case comes in, its first limit runs out at the
// same moment, and nothing else falls due before.
func TestTheHerdIsDueAtOneMoment(t *testing.T) {
	t.Parallel()
	due := time.Date(2026, 11, 28, 17, 31, 0, 0, calendar.Shanghai) // a Saturday
	terms, err := closingAt(due)
	require.NoError(t, err)
	cal, err := calendar.New(calendar.Seed(), terms.Hours)
	require.NoError(t, err)
	for _, early := range []time.Duration{time.Second, time.Minute, 10 * time.Hour} {
		k := casework.NewCase("W1", request("1"), terms, casework.System(), due.Add(-early))
		k.Need(casework.ContactCustomer, "", 1, k.ReceivedAt, k.ReceivedAt)
		k.Worked([]casework.Deadline{k.Unworked()[0].WorkOut(cal, "seed")}, k.ReceivedAt)
		require.True(t, k.NextWake().Equal(due), early)
	}
}
