//go:build measure

package store_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/testkit"
)

// The reports over 100,000 cases, of which 5,000 are open:
//
//	go test -tags measure ./store/ -run TestMeasureReports -v
func TestMeasureReports(t *testing.T) {
	url := testkit.Database(t)
	s := openAt(t, url, key)
	script, err := os.ReadFile("testdata/hundred_thousand.sql")
	require.NoError(t, err)
	require.NoError(t, execute(t, url, string(script)))
	f := casework.SupervisionFilter{From: at(1, 0, 0), To: at(31, 0, 0)}
	narrow := f
	narrow.Districts, narrow.Department = []casework.District{"340202", "340207"}, "engineering"
	day := casework.SupervisionFilter{From: at(4, 0, 0), To: at(5, 0, 0)}
	for _, filter := range []casework.SupervisionFilter{f, narrow} {
		for name, ask := range map[string]func() (any, error){
			"due today": func() (any, error) {
				q := filter
				q.From, q.To = day.From, day.To
				rows, err := s.DueOn(t.Context(), q)
				return len(rows), err
			},
			"overdue": func() (any, error) {
				rows, n, err := s.Overdue(t.Context(), filter, 5000)
				return fmt.Sprint(len(rows), " of ", n), err
			},
			"breaches": func() (any, error) {
				rows, n, err := s.Breaches(t.Context(), filter, 20)
				return fmt.Sprint(len(rows), " of ", n), err
			},
			"rungs":       func() (any, error) { return s.RungPositions(t.Context(), filter) },
			"escalations": func() (any, error) { return s.OpenEscalations(t.Context(), filter) },
			"on time":     func() (any, error) { rows, err := s.OnTime(t.Context(), filter); return rows[0], err },
			"work in progress": func() (any, error) {
				rows, err := s.WorkInProgress(t.Context(), filter, ageBounds)
				return rows[0], err
			},
			"paused":        func() (any, error) { rows, err := s.PausedCases(t.Context(), filter); return len(rows), err },
			"party times":   func() (any, error) { rows, err := s.PartyTimes(t.Context(), filter); return rows[0], err },
			"open holdings": func() (any, error) { rows, err := s.OpenHoldings(t.Context(), filter); return len(rows), err },
			"verdicts":      func() (any, error) { return s.Verdicts(t.Context(), filter) },
			"zeros":         func() (any, error) { return s.Zeros(t.Context(), filter) },
		} {
			_, err := ask() // warm
			require.NoError(t, err, name)
			began := time.Now()
			said, err := ask()
			require.NoError(t, err, name)
			t.Logf("%-18s %-12s %8.1f ms  %v", name, filter.Department, float64(time.Since(began).Microseconds())/1000, said)
		}
	}
}
