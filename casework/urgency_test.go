package casework

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
)

// A task is as urgent as the earlier of its own limit and the lane's, where
// supply-on waits for it; a clock that stands or is over presses on nobody.
func TestUrgency(t *testing.T) {
	t.Parallel()
	day := func(d int) time.Time { return time.Date(2026, 3, d, 17, 30, 0, 0, calendar.Shanghai) }
	at := func(d int) calendar.Due { return calendar.Due{At: day(d)} }
	stopped := calendar.Due{Stopped: true, Remaining: time.Hour}
	limited := calendar.Budget{Unit: calendar.WorkingDays, Days: 1}
	for name, test := range map[string]struct {
		kind      TaskKind
		own, lane *Deadline
		want      Urgency
	}{
		"own limit first":        {EnterSite, &Deadline{Due: at(3), Budget: limited}, &Deadline{Due: at(4), Budget: limited}, Urgency{day(3), "own"}},
		"lane first":             {EnterSite, &Deadline{Due: at(4), Budget: limited}, &Deadline{Due: at(3), Budget: limited}, Urgency{day(3), "lane_101"}},
		"at the same moment":     {EnterSite, &Deadline{Due: at(3), Budget: limited}, &Deadline{Due: at(3), Budget: limited}, Urgency{day(3), "own"}},
		"no limit of its own":    {InstallMeter, nil, &Deadline{Due: at(3), Budget: limited}, Urgency{day(3), "lane_101"}},
		"none of its policy":     {EnterSite, &Deadline{}, &Deadline{Due: at(3), Budget: limited}, Urgency{day(3), "lane_101"}},
		"no lane":                {EnterSite, &Deadline{Due: at(3), Budget: limited}, nil, Urgency{day(3), "own"}},
		"lane stands":            {EnterSite, &Deadline{Due: at(4), Budget: limited}, &Deadline{Due: stopped, Budget: limited}, Urgency{day(4), "own"}},
		"both stand":             {EnterSite, &Deadline{Due: stopped, Budget: limited}, &Deadline{Due: stopped, Budget: limited}, Urgency{}},
		"lane was met":           {EnterSite, &Deadline{Due: at(4), Budget: limited}, &Deadline{Due: at(3), Budget: limited, MetAt: day(2)}, Urgency{day(4), "own"}},
		"supply does not wait":   {HandOverPermit, &Deadline{Due: at(4), Budget: limited}, &Deadline{Due: at(3), Budget: limited}, Urgency{day(4), "own"}},
		"it does wait for terms": {CompleteDeferred, &Deadline{Due: at(9), Budget: limited}, &Deadline{Due: at(3), Budget: limited}, Urgency{day(3), "lane_101"}},
		"nothing":                {EnterSite, nil, nil, Urgency{}},
	} {
		k := &Case{Kind: ConnectionCase}
		if test.own != nil {
			d := *test.own
			d.ID, d.Limit = "T1", "own"
			k.Deadlines = append(k.Deadlines, d)
		}
		if test.lane != nil {
			d := *test.lane
			d.ID, d.Limit = LaneDeadline, "lane_101"
			k.Deadlines = append(k.Deadlines, d)
		}
		require.Equal(t, test.want, k.Urgency(&Task{ID: "T1", Kind: test.kind}), name)
	}
}
