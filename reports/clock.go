package reports

import (
	"fmt"
	"slices"
	"time"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// Clock is who held the clock of one case, from the first contact to supply-on,
// or until now.
type Clock struct {
	Case      string       `json:"case"`
	From      time.Time    `json:"from,omitzero" doc:"首次联系 first contact"`
	To        time.Time    `json:"to,omitzero" doc:"通水、结束或现在 supply-on, the case's end, or now"`
	Running   bool         `json:"running" doc:"仍在计时 somebody holds it still"`
	Supplied  time.Time    `json:"supply_at,omitzero" doc:"通水 supply-on"`
	Working   int64        `json:"working_seconds" doc:"工作时间合计（秒）working time in all"`
	Parties   []PartyShare `json:"parties" doc:"各方用时，按先后 by party, in the order of first holding"`
	Stretches []Stretch    `json:"stretches" doc:"逐段，首尾相接 one after the other, without a gap"`
	Lane      *LaneUse     `json:"lane,omitempty" doc:"服务时限；受理前没有 the lane's limit; none before the acceptance of the application"`

	cal  *calendar.Calendar
	flow string // what is supplied: 水 or 气
}

// Stretch is a stretch in which one party held the clock.
type Stretch struct {
	N       int            `json:"n"`
	Party   casework.Party `json:"party"`
	Name    string         `json:"party_name"`
	Stopped bool           `json:"stopped" doc:"服务时限停表 the limit's clock stood"`
	From    time.Time      `json:"from"`
	To      time.Time      `json:"to"`
	Working int64          `json:"working_seconds" doc:"工作时间（秒）working time"`
}

// PartyShare is what one party held of the whole.
type PartyShare struct {
	Party   casework.Party `json:"party"`
	Name    string         `json:"party_name"`
	Working int64          `json:"working_seconds"`
	Stopped int64          `json:"stopped_seconds" doc:"其中停表 of this with the limit's clock standing"`
	Share   float64        `json:"share" doc:"占比，0 至 1 of the whole"`
}

// LaneUse is how much of the lane's limit was used. Allowed and left add up to
// used until the limit is passed; from then on used exceeds allowed by over.
type LaneUse struct {
	Limit       casework.LimitName `json:"limit"`
	Name        string             `json:"limit_name"`
	Accepted    time.Time          `json:"accepted_at" doc:"受理 acceptance of the application"`
	Ended       time.Time          `json:"ended_at,omitzero"`
	DueAt       time.Time          `json:"due_at,omitzero" doc:"停表时没有 absent while the clock stands"`
	Standing    bool               `json:"stopped"`
	Provisional bool               `json:"provisional,omitempty" doc:"暂定：所在年份放假安排未公布 due in a year without a holiday notice"`
	Allowed     int64              `json:"allowed_seconds" doc:"允许的工作时间 working time allowed"`
	Used        int64              `json:"used_seconds"`
	Left        int64              `json:"left_seconds"`
	Over        int64              `json:"over_seconds"`

	stops []calendar.Stop
}

func seconds(d time.Duration) int64      { return int64(d / time.Second) }
func worked(seconds int64) time.Duration { return time.Duration(seconds) * time.Second }

// ClockOf reads from a case's holdings who held its clock. The stretch that
// lasts is counted up to now by the calendar, which must have the business
// hours of the case's terms. The lane's deadline may be one that has ended, or
// nil.
func ClockOf(k *casework.Case, holdings []casework.Holding, lane *casework.Deadline, cal *calendar.Calendar, now time.Time) Clock {
	c := Clock{Case: k.Number, Parties: []PartyShare{}, Stretches: []Stretch{}, cal: cal}
	c.flow = k.Request.Utility.Flow()
	if k.Supply != nil {
		c.Supplied = k.Supply.SuppliedAt
	}
	for _, h := range holdings {
		s := Stretch{N: h.N, Party: h.Party, Name: h.Party.Name(), Stopped: h.Stopped, From: h.From, To: h.To, Working: seconds(h.Working)}
		if h.To.IsZero() {
			c.Running = true
			s.To = later(now, h.From)
			s.Working = seconds(cal.Between(s.From, s.To))
		}
		c.add(s)
	}
	for i := range c.Parties {
		if c.Working > 0 {
			c.Parties[i].Share = float64(c.Parties[i].Working) / float64(c.Working)
		}
	}
	if lane != nil && lane.Budget != (calendar.Budget{}) {
		c.Lane = laneUse(lane, cal, now)
	}
	return c
}

func (c *Clock) add(s Stretch) {
	if len(c.Stretches) == 0 {
		c.From = s.From
	}
	c.To = s.To
	c.Stretches = append(c.Stretches, s)
	c.Working += s.Working
	i := slices.IndexFunc(c.Parties, func(p PartyShare) bool { return p.Party == s.Party })
	if i < 0 {
		i = len(c.Parties)
		c.Parties = append(c.Parties, PartyShare{Party: s.Party, Name: s.Name})
	}
	c.Parties[i].Working += s.Working
	if s.Stopped {
		c.Parties[i].Stopped += s.Working
	}
}

func laneUse(d *casework.Deadline, cal *calendar.Calendar, now time.Time) *LaneUse {
	var granted []calendar.Budget
	if d.Extension != nil {
		granted = append(granted, d.Extension.Budget)
	}
	use := &LaneUse{
		Limit: d.Limit, Name: d.Limit.Name(), Accepted: d.Anchor, DueAt: d.Due.At, Standing: d.Due.Stopped, Provisional: d.Due.Provisional,
		Allowed: seconds(cal.Between(d.Anchor, cal.Due(d.Anchor, d.Budget, nil, granted...).At)),
	}
	end := now
	for _, ended := range []time.Time{d.MetAt, d.DroppedAt} {
		if !ended.IsZero() {
			use.Ended, end = ended, ended
		}
	}
	switch {
	case d.Due.Stopped:
		use.Left = seconds(d.Due.Remaining)
	case end.After(d.Due.At):
		use.Over = seconds(cal.Between(d.Due.At, end))
	default:
		use.Left = seconds(cal.Between(end, d.Due.At))
	}
	use.Used = max(use.Allowed-use.Left, 0) + use.Over
	for _, h := range d.Holds {
		use.stops = append(use.stops, calendar.Stop{From: h.From, To: h.To})
	}
	return use
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// Spell writes seconds of working time for people; for templates.
func (Clock) Spell(seconds int64) string { return casework.Worked(worked(seconds)) }

// Percent writes a share for people; for templates.
func (Clock) Percent(share float64) string { return fmt.Sprintf("%.0f%%", share*100) }
