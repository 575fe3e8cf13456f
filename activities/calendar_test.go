package activities_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/testsuite"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// moving is a calendar that moves some of the cases.
type moving struct {
	notices calendar.Notices
	cases   []string // with live deadlines, in order
	moves   map[string]bool
	ended   map[string]bool
	signals []string
	broken  string // the case whose signal fails, once
	told    map[string]int
	settled map[string]int
}

func (m *moving) Notices(context.Context) (calendar.Notices, error) { return m.notices, nil }

func (m *moving) CalendarMoves(_ context.Context, _ calendar.Notices, behind string, each func(string, []casework.DeadlineMove) error) error {
	for _, number := range m.cases {
		var moves []casework.DeadlineMove
		if m.moves[number] {
			moves = append(moves, casework.DeadlineMove{Case: number})
		}
		if number > behind {
			if err := each(number, moves); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *moving) Told(_ context.Context, version string, told int) error {
	m.told[version] = told
	return nil
}

func (m *moving) Settled(_ context.Context, version string, left int) error {
	m.settled[version] = left
	return nil
}

func (m *moving) SignalWorkflow(_ context.Context, id, _, name string, _ any) error {
	number := id[len("case/"):]
	switch {
	case number == m.broken:
		m.broken = ""
		return errDown
	case m.ended[number] || name == contract.NoticeImported && number != "D2026-notice":
		return serviceerror.NewNotFound("no such workflow")
	}
	m.signals = append(m.signals, name+" "+number)
	return nil
}

func newMoving() *moving {
	return &moving{
		notices: calendar.Seed(), cases: []string{"W1", "W2", "W3", "W4"}, moves: map[string]bool{"W1": true, "W3": true, "W4": true},
		ended: map[string]bool{"W4": true}, told: map[string]int{}, settled: map[string]int{},
	}
}

// Only cases that the calendar moves are told, and the duties that wait; one
// that has ended needs no telling.
func TestTellCases(t *testing.T) {
	t.Parallel()
	m := newMoving()
	c := &activities.Calendar{Records: m, Signaller: m, Terms: func(context.Context) (casework.Terms, error) { return casework.Terms{PolicyVersion: "p"}, nil }}
	env := (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
	env.RegisterActivity(c)
	tell := func() (int, error) {
		v, err := env.ExecuteActivity(c.TellCases, contract.CalendarImport{Version: "v1"})
		if err != nil {
			return 0, err
		}
		var told int
		require.NoError(t, v.Get(&told))
		return told, nil
	}
	told, err := tell()
	require.NoError(t, err)
	require.Equal(t, 2, told)
	require.Equal(t, []string{"notice_imported D2026-notice", "calendar_changed W1", "calendar_changed W3"}, m.signals)
	require.Equal(t, map[string]int{"v1": 2}, m.told)

	// What breaks off goes on behind the last case that was told.
	m.broken, m.signals = "W3", nil
	_, err = tell()
	require.ErrorContains(t, err, errDown.Error())
	env.SetHeartbeatDetails(map[string]any{"behind": "W2", "told": 1})
	told, err = tell()
	require.NoError(t, err)
	require.Equal(t, 2, told)
	require.Equal(t, []string{
		"notice_imported D2026-notice", "calendar_changed W1",
		"notice_imported D2026-notice", "calendar_changed W3",
	}, m.signals)

	require.NoError(t, c.SettleImport(t.Context(), activities.SettleInput{Version: "v1", Left: 3}))
	require.Equal(t, map[string]int{"v1": 3}, m.settled)
}

func TestLookForNotice(t *testing.T) {
	t.Parallel()
	o := newOutside()
	c := &activities.Calendar{Records: records{o}, Terms: func(context.Context) (casework.Terms, error) { return casework.Terms{PolicyVersion: "p"}, nil }}
	for year, want := range map[int]bool{2022: false, 2023: true, 2026: true, 2027: false} {
		got, err := c.LookForNotice(t.Context(), year)
		require.NoError(t, err)
		require.Equal(t, activities.YearNotice{Imported: want, Version: "seed-2026", Terms: casework.Terms{PolicyVersion: "p"}}, got)
	}
	o.err = errDown
	_, err := c.LookForNotice(t.Context(), 2026)
	require.ErrorIs(t, err, errDown)
}

// records knows the table and nothing else.
type records struct{ *outside }

func (records) CalendarMoves(context.Context, calendar.Notices, string, func(string, []casework.DeadlineMove) error) error {
	return nil
}
func (records) Told(context.Context, string, int) error    { return nil }
func (records) Settled(context.Context, string, int) error { return nil }
