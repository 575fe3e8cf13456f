package reports

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// Report is what a report has to say, as tables.
type Report interface{ Tables() []Table }

// Period is what a report looks at: whole days in Shanghai, both included.
type Period struct {
	From calendar.Date `json:"from"`
	To   calendar.Date `json:"to"`
}

// Within gives the moments of a period, the first included, the last not.
func (p Period) Within() (from, to time.Time) { return p.From.At(0), p.To.AddDays(1).At(0) }

// OfMonth is the period of the month in which a date lies.
func OfMonth(d calendar.Date) Period {
	first := calendar.Date{Year: d.Year, Month: d.Month, Day: 1}
	next := first.AddDays(31)
	next.Day = 1
	return Period{From: first, To: next.AddDays(-1)}
}

func (p Period) String() string { return p.From.String() + " 至 " + p.To.String() }

// orEmpty makes a cell of a moment that may be missing.
func orEmpty(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// yes makes a cell of what is so or not.
func yes(so bool) string {
	if so {
		return "是 yes"
	}
	return ""
}

// DueToday is what falls due on one day.
type DueToday struct {
	At      time.Time           `json:"at"`
	Day     calendar.Date       `json:"day"`
	Due     int64               `json:"due"`
	Met     int64               `json:"met"`
	Overdue int64               `json:"overdue"`
	Lines   []casework.DueCount `json:"lines"`
}

// DueTodayOf sums up what falls due on a day.
func DueTodayOf(lines []casework.DueCount, day calendar.Date, now time.Time) DueToday {
	r := DueToday{At: now, Day: day, Lines: lines}
	for _, l := range lines {
		r.Due, r.Met, r.Overdue = r.Due+l.Due, r.Met+l.Met, r.Overdue+l.Overdue
	}
	return r
}

// Tables implements [Report].
func (r DueToday) Tables() []Table {
	t := Table{Name: "due", Title: "今日到期 due today", Columns: []Column{
		{"责任部门 department", Text}, {"区县 district", Text}, {"时限 limit", Text}, {"到期 due", Count}, {"已办结 met", Count}, {"已超时 overdue", Count}, {"待办 ahead", Count},
	}, Notes: []string{"日期 day " + r.Day.String() + "，北京时间零点至零点；截至 as of " + casework.Clock(r.At)}}
	for _, l := range r.Lines {
		t.Rows = append(t.Rows, []any{l.Department.Name(), l.District.Name(), l.Limit.Name(), l.Due, l.Met, l.Overdue, l.Due - l.Met - l.Overdue})
	}
	return []Table{t}
}

// Late is a list of limits that were passed.
type Late struct {
	At    time.Time  `json:"at"`
	Total int64      `json:"total" doc:"总数，可能多于所列 how many there are; may be more than are listed"`
	Lines []LateLine `json:"lines"`
}

// LateLine is a limit that was passed, with by how much.
type LateLine struct {
	casework.LateLine
	LimitName string `json:"limit_name"`
	Working   int64  `json:"late_working_seconds" doc:"超时的工作时间（秒）by how much working time"`
}

// LateOf says by how much working time limits were passed.
func LateOf(lines []casework.LateLine, total int64, cal *calendar.Calendar, now time.Time) Late {
	r := Late{At: now, Total: total, Lines: make([]LateLine, len(lines))}
	for i, l := range lines {
		end := now
		if !l.MetAt.IsZero() {
			end = l.MetAt
		}
		r.Lines[i] = LateLine{LateLine: l, LimitName: l.Limit.Name(), Working: seconds(cal.Between(l.DueAt, end))}
	}
	return r
}

// Tables implements [Report].
func (r Late) Tables() []Table {
	t := Table{Name: "late", Title: "超时清单 overdue", Columns: []Column{
		{"案件 case", Text}, {"时限 limit", Text}, {"阶段 stage", Text}, {"责任部门 department", Text}, {"承办人 holder", Text}, {"区县 district", Text},
		{"截止 due", Time}, {"暂定 provisional", Text}, {"办结 met", Time}, {"超时（工作小时） late, working hours", Duration}, {"已到级别 rung", Text},
	}, Notes: []string{fmt.Sprintf("共 %d 项，列出 %d 项；截至 as of %s", r.Total, len(r.Lines), casework.Clock(r.At))}}
	for _, l := range r.Lines {
		t.Rows = append(t.Rows, []any{
			l.Case, l.LimitName, l.Stage.Name(), l.Department.Name(), l.Holder, l.District.Name(), orEmpty(l.DueAt), yes(l.Provisional), orEmpty(l.MetAt), worked(l.Working), l.Rung.Name(),
		})
	}
	return []Table{t}
}

// Ladder is where the live limits and the open escalations stand.
type Ladder struct {
	At          time.Time                  `json:"at"`
	Deadlines   []casework.RungCount       `json:"deadlines"`
	Escalations []casework.EscalationCount `json:"escalations"`
}

// Tables implements [Report].
func (r Ladder) Tables() []Table {
	rungs := Table{Name: "deadlines", Title: "时限在梯子上的位置 deadlines by rung", Columns: []Column{
		{"已到级别 rung", Text}, {"级 level", Count}, {"时限 open", Count}, {"其中停表 stopped", Count}, {"最早截止 earliest due", Time}, {"暂定 provisional", Text},
	}, Notes: []string{"按已触发的最高一级；截至 by the highest rung that fired, as of " + casework.Clock(r.At)}}
	for _, c := range r.Deadlines {
		name := c.Rung.Name()
		if c.Rung == "" {
			name = "未触发 none yet"
		}
		rungs.Rows = append(rungs.Rows, []any{name, int64(c.Level), c.Open, c.Stopped, orEmpty(c.Oldest), yes(c.Provisional)})
	}
	open := Table{Name: "escalations", Title: "未关闭的升级 open escalations", Columns: []Column{
		{"由谁处理 role", Text}, {"状态 state", Text}, {"未关闭 open", Count}, {"答复超时 answer overdue", Count}, {"最早发出 oldest", Time},
	}}
	for _, c := range r.Escalations {
		open.Rows = append(open.Rows, []any{c.Role.Name(), c.State.Name(), c.Open, c.Overdue, orEmpty(c.Oldest)})
	}
	return []Table{rungs, open}
}

// OnTime is what became of the limits that fell due in a period.
type OnTime struct {
	At     time.Time `json:"at"`
	Period Period    `json:"period"`
	// Lanes come first: what the customer was promised.
	Lanes   []Rate         `json:"lanes" doc:"服务时限 what the customer was promised"`
	Rules   []Rate         `json:"rules" doc:"各项任务时限 the limits of tasks"`
	Answers []Rate         `json:"answers" doc:"升级答复时限 the supervisors' own clock: answers to escalations"`
	Pauses  *PauseOutcomes `json:"pauses,omitempty" doc:"暂停上限 the bound on pauses"`
}

// Rate is what became of the deadlines by one limit, with the share in time.
type Rate struct {
	casework.OnTime
	Name string   `json:"limit_name"`
	Rate *float64 `json:"rate,omitempty" doc:"按时率＝按时÷（按时＋逾期办结＋逾期未办），0 至 1；都未到期时没有 in time by all decided; absent while nothing is decided"`
}

// PauseOutcomes is what became of pauses that reached their bound in a period,
// or would have.
type PauseOutcomes struct {
	Within   int64 `json:"within" doc:"上限之内结束 ended before the bound"`
	Reviewed int64 `json:"reviewed" doc:"超过上限，转复核 beyond the bound, so reviewed"`
	Open     int64 `json:"open" doc:"仍在上限之内 still running"`
}

// OnTimeOf sorts counts into the headline, the rules, and the supervisors' own
// clocks.
func OnTimeOf(counts []casework.OnTime, p Period, now time.Time) OnTime {
	r := OnTime{At: now, Period: p, Lanes: []Rate{}, Rules: []Rate{}, Answers: []Rate{}}
	for _, c := range counts {
		rate := Rate{OnTime: c, Name: c.Limit.Name()}
		if share, ok := c.Rate(); ok {
			rate.Rate = &share
		}
		switch c.Limit {
		case casework.LaneLimit(casework.Lane101), casework.LaneLimit(casework.Lane201), casework.DesignedLaneLimit:
			r.Lanes = append(r.Lanes, rate)
		case casework.AnswerLimit:
			r.Answers = append(r.Answers, rate)
		case casework.PauseBoundLimit:
			// Its clock is met when a review becomes due, and dropped when the
			// pause ends before that.
			r.Pauses = &PauseOutcomes{Within: c.Dropped, Reviewed: c.InTime + c.Late, Open: c.Open + c.OpenLate}
		default:
			r.Rules = append(r.Rules, rate)
		}
	}
	specs := casework.Specs()
	place := func(r Rate) int {
		return slices.IndexFunc(specs, func(s casework.Spec) bool { return casework.LimitName(s.Kind) == r.Limit })
	}
	slices.SortStableFunc(r.Rules, func(a, b Rate) int { return cmp.Compare(place(a), place(b)) })
	return r
}

// Tables implements [Report].
func (r OnTime) Tables() []Table {
	columns := []Column{
		{"时限 limit", Text}, {"按时率 on time", Share}, {"按时 in time", Count}, {"逾期办结 met late", Count}, {"逾期未办 open, late", Count},
		{"未到期 open, in time", Count}, {"取消 dropped", Count},
	}
	fill := func(name, title string, rates []Rate, notes ...string) Table {
		t := Table{Name: name, Title: title, Columns: columns, Notes: notes}
		for _, x := range rates {
			var share any
			if x.Rate != nil {
				share = *x.Rate
			}
			t.Rows = append(t.Rows, []any{x.Name, share, x.InTime, x.Late, x.OpenLate, x.Open, x.Dropped})
		}
		return t
	}
	tables := []Table{
		fill("rules", "按时率 on time", slices.Concat(r.Lanes, r.Rules),
			"期间 period "+r.Period.String()+"，按截止日归属；截至 as of "+casework.Clock(r.At),
			"按时率＝按时÷（按时＋逾期办结＋逾期未办）；取消与未到期不计 dropped and not yet due don't count"),
		fill("answers", "督办时限 answers to escalations", r.Answers, "答复前工作已办结、或由下一级接手的，计入取消 what ended before an answer counts as dropped"),
	}
	if p := r.Pauses; p != nil {
		tables = append(tables, Table{Name: "pauses", Title: "暂停上限 bound on pauses", Columns: []Column{
			{"上限内结束 ended within", Count}, {"超过上限转复核 reviewed", Count}, {"仍在上限内 running", Count},
		}, Rows: [][]any{{p.Within, p.Reviewed, p.Open}}})
	}
	return tables
}

// ages are the bounds of the buckets of work in progress, in working days.
var ages = []int{1, 3, 5, 10, 20}

// AgeBounds gives the moments from which work is older than 1, 3, 5, 10 and 20
// working days now.
func AgeBounds(cal *calendar.Calendar, now time.Time) []time.Time {
	bounds := make([]time.Time, len(ages))
	for i, days := range ages {
		bounds[i] = cal.Add(now, -time.Duration(days)*workingDay(cal))
	}
	return bounds
}

func workingDay(cal *calendar.Calendar) time.Duration {
	var day time.Duration
	for _, s := range cal.Hours().Spans {
		day += time.Duration(s.To-s.From) * time.Minute
	}
	return day
}

// WorkInProgress is how much work is in each stage, and how long it has been.
type WorkInProgress struct {
	At     time.Time `json:"at"`
	Bounds []int     `json:"bucket_working_days" doc:"账龄分段上限（工作日），最后一段以上不限 upper bounds of the buckets in working days; the last bucket is open"`
	Stages []Load    `json:"stages"`
}

// Load is the work in progress in a stage, with ages in working time.
type Load struct {
	Stage    casework.Stage `json:"stage"`
	Name     string         `json:"stage_name"`
	Lead     bool           `json:"lead,omitempty" doc:"意向，尚未申请 leads: nobody applied yet"`
	Cases    int64          `json:"cases"`
	Paused   int64          `json:"paused"`
	Median   int64          `json:"median_working_seconds" doc:"在本阶段的中位时长 in the stage, median"`
	P90      int64          `json:"p90_working_seconds" doc:"九成不超过 nine in ten are younger"`
	Oldest   int64          `json:"oldest_working_seconds"`
	Received time.Time      `json:"oldest_received_at" doc:"最早收件 when the oldest request of the stage was received"`
	Buckets  []int64        `json:"buckets"`
}

// WorkInProgressOf turns moments into ages in working time.
func WorkInProgressOf(loads []casework.StageLoad, cal *calendar.Calendar, now time.Time) WorkInProgress {
	r := WorkInProgress{At: now, Bounds: ages, Stages: make([]Load, len(loads))}
	age := func(since time.Time) int64 { return seconds(cal.Between(since, now)) }
	for i, l := range loads {
		r.Stages[i] = Load{
			Stage: l.Stage, Name: l.Stage.Name(), Cases: l.Cases, Paused: l.Paused, Median: age(l.Median), P90: age(l.P90), Oldest: age(l.Oldest),
			Received: l.Received, Buckets: l.Buckets, Lead: l.Lead,
		}
		if l.Lead {
			r.Stages[i].Name += "（意向）"
		}
	}
	return r
}

// Tables implements [Report].
func (r WorkInProgress) Tables() []Table {
	t := Table{Name: "stages", Title: "在办与账龄 work in progress", Columns: []Column{
		{"阶段 stage", Text}, {"在办 cases", Count}, {"其中暂停 paused", Count}, {"中位时长（工作小时） median, working hours", Duration},
		{"九成不超过 p90", Duration}, {"最长 oldest", Duration}, {"最早收件 oldest received", Time},
	}, Notes: []string{"时长为进入本阶段以来的工作时间，含停表；截至 working time in the stage, stops included, as of " + casework.Clock(r.At)}}
	for _, name := range r.BucketNames() {
		t.Columns = append(t.Columns, Column{name, Count})
	}
	for _, l := range r.Stages {
		row := []any{l.Name, l.Cases, l.Paused, worked(l.Median), worked(l.P90), worked(l.Oldest), orEmpty(l.Received)}
		for _, n := range l.Buckets {
			row = append(row, n)
		}
		t.Rows = append(t.Rows, row)
	}
	return []Table{t}
}

// BucketNames says what the buckets hold.
func (r WorkInProgress) BucketNames() []string {
	var names []string
	from := 0
	for _, to := range r.Bounds {
		names = append(names, fmt.Sprintf("%d–%d 工作日 working days", from, to))
		from = to
	}
	return append(names, fmt.Sprintf("%d 工作日以上 more", from))
}

// Paused is what stands, and why.
type Paused struct {
	At      time.Time     `json:"at"`
	Cases   []PausedLine  `json:"cases"`
	Reasons []PauseReason `json:"reasons"`
}

// PausedLine is a paused case, once for each reason.
type PausedLine struct {
	casework.PausedCase
	Name    string `json:"reason_name"`
	Working int64  `json:"paused_working_seconds" doc:"已暂停的工作时间 working time paused"`
	Left    *int64 `json:"lane_left_seconds,omitempty" doc:"服务时限剩余；尚未受理时没有 what the lane's limit has left; absent before acceptance"`
	Beyond  bool   `json:"beyond_planned_end" doc:"已过计划结束时间 the planned end is past"`
}

// PauseReason sums up the pauses for one reason.
type PauseReason struct {
	Reason  casework.PauseReason `json:"reason"`
	Name    string               `json:"reason_name"`
	Cases   int64                `json:"cases"`
	Beyond  int64                `json:"beyond_planned_end"`
	Working int64                `json:"paused_working_seconds"`
}

// PausedOf counts for how long cases have stood, and sums up by reason.
func PausedOf(cases []casework.PausedCase, cal *calendar.Calendar, now time.Time) Paused {
	r := Paused{At: now, Cases: make([]PausedLine, len(cases)), Reasons: []PauseReason{}}
	for i, p := range cases {
		line := PausedLine{PausedCase: p, Name: p.Reason.Name()}
		if !p.Since.IsZero() {
			line.Working = seconds(cal.Between(p.Since, now))
		}
		line.Beyond = !p.PlannedEnd.IsZero() && p.PlannedEnd.Before(now)
		if p.Accepted {
			left := seconds(p.Remaining)
			line.Left = &left
		}
		r.Cases[i] = line
		n := slices.IndexFunc(r.Reasons, func(s PauseReason) bool { return s.Reason == p.Reason })
		if n < 0 {
			n = len(r.Reasons)
			r.Reasons = append(r.Reasons, PauseReason{Reason: p.Reason, Name: line.Name})
		}
		r.Reasons[n].Cases++
		r.Reasons[n].Working += line.Working
		if line.Beyond {
			r.Reasons[n].Beyond++
		}
	}
	slices.SortStableFunc(r.Reasons, func(a, b PauseReason) int { return cmp.Compare(b.Cases, a.Cases) })
	return r
}

// Tables implements [Report].
func (r Paused) Tables() []Table {
	cases := Table{Name: "cases", Title: "已暂停 paused", Columns: []Column{
		{"案件 case", Text}, {"原因 reason", Text}, {"自 since", Time}, {"计划至 planned end", Time}, {"已过计划 beyond", Text},
		{"已暂停（工作小时） working hours", Duration}, {"服务时限剩余 lane's limit left", Duration}, {"阶段 stage", Text}, {"责任部门 department", Text}, {"区县 district", Text},
	}, Notes: []string{"因多项原因暂停的案件各列一行 a case paused for several reasons has a line for each；截至 as of " + casework.Clock(r.At)}}
	for _, p := range r.Cases {
		left := any(nil)
		if p.Left != nil {
			left = worked(*p.Left)
		}
		cases.Rows = append(cases.Rows, []any{
			p.Case, p.Name, orEmpty(p.Since), orEmpty(p.PlannedEnd), yes(p.Beyond), worked(p.Working), left, p.Stage.Name(), p.Department.Name(), p.District.Name(),
		})
	}
	reasons := Table{Name: "reasons", Title: "暂停原因 reasons", Columns: []Column{
		{"原因 reason", Text}, {"暂停 pauses", Count}, {"已过计划 beyond", Count}, {"已暂停（工作小时） working hours", Duration},
	}}
	for _, s := range r.Reasons {
		reasons.Rows = append(reasons.Rows, []any{s.Name, s.Cases, s.Beyond, worked(s.Working)})
	}
	return []Table{cases, reasons}
}
