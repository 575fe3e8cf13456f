package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// What counted through a year without notice stays marked on the way through
// the tables: the breach, the time to answer it, and the messages about both.
func TestProvisionalIsKept(t *testing.T) {
	t.Parallel()
	s := open(t)
	unknown := func(hour, minute int) time.Time { return time.Date(2028, 3, 1, hour, minute, 0, 0, calendar.Shanghai) }
	y := answered("W20280301-00001", unknown(9, 0), time.Hour)
	y.save(t, s)
	y.Fire(unknown(17, 30).AddDate(0, 0, 1))
	y.save(t, s)
	kept := read(t, s, y.Number)
	require.Len(t, kept.Escalations, 2)
	for _, e := range kept.Escalations {
		require.True(t, e.Provisional, e.ID)
		require.Equal(t, e.Rung == casework.RungBreach, e.AnswerProvisional, e.ID)
	}
	require.Len(t, kept.Messages, 2)
	for _, m := range kept.Messages {
		require.True(t, m.Provisional, m.ID)
	}
}
