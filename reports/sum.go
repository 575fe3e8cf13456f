package reports

import (
	"slices"
	"time"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// ClockSum is who held the clocks of connections, in sum.
type ClockSum struct {
	At      time.Time   `json:"at"`
	Period  Period      `json:"period"`
	Cases   int64       `json:"cases" doc:"期间内有时段结束的案件数 cases with a stretch that ended in the period"`
	Working int64       `json:"working_seconds"`
	Average int64       `json:"average_working_seconds" doc:"每案平均 average a case"`
	Parties []PartySum  `json:"parties"`
	Months  []MonthSum  `json:"months"`
	Open    []PartyOpen `json:"open" doc:"此刻由谁计时 who holds clocks now"`
}

// PartySum is one party's part of the sum.
type PartySum struct {
	Party   casework.Party `json:"party"`
	Name    string         `json:"party_name"`
	Cases   int64          `json:"cases"`
	Working int64          `json:"working_seconds"`
	Stopped int64          `json:"stopped_seconds"`
	Share   float64        `json:"share"`
	Average int64          `json:"average_working_seconds" doc:"每案平均：除以全部案件，各方相加即总平均 over all cases, so that the averages add up"`
}

// MonthSum is the sum of one month.
type MonthSum struct {
	Month   string     `json:"month" example:"2026-12"`
	Cases   int64      `json:"cases"`
	Working int64      `json:"working_seconds"`
	Parties []PartySum `json:"parties"`
}

// PartyOpen is how many clocks a party holds now, and for how long so far.
type PartyOpen struct {
	Party   casework.Party `json:"party"`
	Name    string         `json:"party_name"`
	Cases   int64          `json:"cases"`
	Working int64          `json:"working_seconds" doc:"至今的工作时间 working time so far"`
	Oldest  time.Time      `json:"oldest_from"`
}

// ClockSumOf puts sums together, and counts by the calendar what lasts.
func ClockSumOf(times []casework.PartyTime, open []casework.OpenHolding, p Period, cal *calendar.Calendar, now time.Time) ClockSum {
	r := ClockSum{At: now, Period: p, Parties: []PartySum{}, Months: []MonthSum{}, Open: []PartyOpen{}}
	for _, t := range times { // totals first
		switch {
		case t.Party != "":
		case t.Month.IsZero():
			r.Cases, r.Working, r.Average = t.Cases, seconds(t.Working), seconds(t.Working)/max(t.Cases, 1)
		default:
			r.Months = append(r.Months, MonthSum{Month: t.Month.Format("2006-01"), Cases: t.Cases, Working: seconds(t.Working), Parties: []PartySum{}})
		}
	}
	for _, party := range casework.Parties() {
		for _, t := range times {
			if t.Party != party {
				continue
			}
			if t.Month.IsZero() {
				r.Parties = append(r.Parties, partySum(t, r.Cases, r.Working))
				continue
			}
			m := &r.Months[slices.IndexFunc(r.Months, func(m MonthSum) bool { return m.Month == t.Month.Format("2006-01") })]
			m.Parties = append(m.Parties, partySum(t, m.Cases, m.Working))
		}
		n := PartyOpen{Party: party, Name: party.Name()}
		for _, h := range open {
			if h.Party != party {
				continue
			}
			n.Cases++
			n.Working += max(seconds(cal.Between(h.From, now)), 0)
			if n.Oldest.IsZero() || h.From.Before(n.Oldest) {
				n.Oldest = h.From
			}
		}
		if n.Cases > 0 {
			r.Open = append(r.Open, n)
		}
	}
	return r
}

func partySum(t casework.PartyTime, cases, working int64) PartySum {
	s := PartySum{Party: t.Party, Name: t.Party.Name(), Cases: t.Cases, Working: seconds(t.Working), Stopped: seconds(t.Stopped)}
	if working > 0 {
		s.Share = float64(s.Working) / float64(working)
	}
	if cases > 0 {
		s.Average = s.Working / cases
	}
	return s
}

// Tables implements [Report].
func (r ClockSum) Tables() []Table {
	columns := []Column{
		{"计时方 party", Text}, {"案件 cases", Count}, {"用时（工作小时） working hours", Duration}, {"占比 share", Share},
		{"其中停表 limit's clock stopped", Duration}, {"每案平均 average a case", Duration},
	}
	row := func(s PartySum) []any {
		return []any{s.Name, s.Cases, worked(s.Working), s.Share, worked(s.Stopped), worked(s.Average)}
	}
	parties := Table{Name: "parties", Title: "谁在计时 who held the clock", Columns: columns, Notes: []string{
		"期间 period " + r.Period.String() + " 内结束的时段；报装案件自首次联系至通水 stretches of connections that ended in the period",
		"每案平均除以全部案件，各方相加即总平均 averages are over all cases, so they add up",
	}}
	for _, s := range r.Parties {
		parties.Rows = append(parties.Rows, row(s))
	}
	months := Table{Name: "months", Title: "按月 by month", Columns: append([]Column{{"月 month", Text}}, columns...)}
	for _, m := range r.Months {
		for _, s := range m.Parties {
			months.Rows = append(months.Rows, append([]any{m.Month}, row(s)...))
		}
	}
	open := Table{Name: "open", Title: "此刻由谁计时 who holds clocks now", Columns: []Column{
		{"计时方 party", Text}, {"案件 cases", Count}, {"至今用时（工作小时） working hours so far", Duration}, {"最早自 oldest since", Time},
	}, Notes: []string{"截至 as of " + casework.Clock(r.At)}}
	for _, o := range r.Open {
		open.Rows = append(open.Rows, []any{o.Name, o.Cases, worked(o.Working), orEmpty(o.Oldest)})
	}
	return []Table{parties, months, open}
}

// Tables gives a case's clock by party, and stretch by stretch.
func (c Clock) Tables() []Table {
	parties := Table{Name: "parties", Title: "计时归属 who held the clock", Columns: []Column{
		{"计时方 party", Text}, {"用时（工作小时） working hours", Duration}, {"占比 share", Share}, {"其中停表 limit's clock stopped", Duration},
	}, Notes: []string{c.Case}}
	for _, p := range c.Parties {
		parties.Rows = append(parties.Rows, []any{p.Name, worked(p.Working), p.Share, worked(p.Stopped)})
	}
	if c.Lane != nil {
		parties.Notes = append(parties.Notes, c.Lane.said())
	}
	stretches := Table{Name: "stretches", Title: "逐段 stretches", Columns: []Column{
		{"序 n", Count}, {"计时方 party", Text}, {"停表 stopped", Text}, {"自 from", Time}, {"至 to", Time}, {"用时（工作小时） working hours", Duration},
	}}
	for _, s := range c.Stretches {
		stopped := ""
		if s.Stopped {
			stopped = "停表 stopped"
		}
		stretches.Rows = append(stretches.Rows, []any{int64(s.N), s.Name, stopped, orEmpty(s.From), orEmpty(s.To), worked(s.Working)})
	}
	return []Table{parties, stretches}
}

// Voice is what customers said of a period's work, and what it cost them.
type Voice struct {
	Calls     int64                   `json:"calls"`
	Reached   int64                   `json:"reached"`
	Content   int64                   `json:"content" doc:"满意与基本满意 satisfied and basically satisfied"`
	Outcomes  []casework.VerdictCount `json:"outcomes"`
	Connected int64                   `json:"connected" doc:"期间内通水的案件 cases with supply on in the period"`
	Broken    []casework.ZeroCount    `json:"broken_zeros"`
	Kept      *float64                `json:"zeros_kept,omitempty" doc:"七零平均得分，0 至 7 the average of the seven zeros"`
	Satisfied *float64                `json:"satisfied,omitempty" doc:"满意率＝（满意＋基本满意）÷接通 of those reached"`
}

// VoiceOf puts verdicts and broken zeros together.
func VoiceOf(verdicts []casework.VerdictCount, zeros []casework.ZeroCount) Voice {
	r := Voice{Outcomes: verdicts, Broken: []casework.ZeroCount{}}
	for _, v := range verdicts {
		r.Calls += v.Calls
		switch casework.Satisfaction(v.Outcome) {
		case casework.Satisfied, casework.BasicallySatisfied:
			r.Content += v.Calls
			r.Reached += v.Calls
		case casework.Dissatisfied:
			r.Reached += v.Calls
		}
	}
	if r.Reached > 0 {
		share := float64(r.Content) / float64(r.Reached)
		r.Satisfied = &share
	}
	for _, z := range zeros {
		if z.Zero != "" {
			r.Broken = append(r.Broken, z)
			continue
		}
		r.Connected = z.Cases
		if z.Cases > 0 {
			kept := float64(len(casework.Zeros())) - float64(z.Broken)/float64(z.Cases)
			r.Kept = &kept
		}
	}
	return r
}
