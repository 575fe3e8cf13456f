package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/reports"
)

// Reports is what supervisors read: each method answers for one moment.
type Reports interface {
	DueOn(ctx context.Context, f casework.SupervisionFilter) ([]casework.DueCount, error)
	// Overdue and Breaches give the worst lines up to a limit, and how many
	// there are.
	Overdue(ctx context.Context, f casework.SupervisionFilter, limit int) ([]casework.LateLine, int64, error)
	Breaches(ctx context.Context, f casework.SupervisionFilter, limit int) ([]casework.LateLine, int64, error)
	RungPositions(ctx context.Context, f casework.SupervisionFilter) ([]casework.RungCount, error)
	OpenEscalations(ctx context.Context, f casework.SupervisionFilter) ([]casework.EscalationCount, error)
	OnTime(ctx context.Context, f casework.SupervisionFilter) ([]casework.OnTime, error)
	WorkInProgress(ctx context.Context, f casework.SupervisionFilter, bounds []time.Time) ([]casework.StageLoad, error)
	PausedCases(ctx context.Context, f casework.SupervisionFilter) ([]casework.PausedCase, error)
	PartyTimes(ctx context.Context, f casework.SupervisionFilter) ([]casework.PartyTime, error)
	OpenHoldings(ctx context.Context, f casework.SupervisionFilter) ([]casework.OpenHolding, error)
	Verdicts(ctx context.Context, f casework.SupervisionFilter) ([]casework.VerdictCount, error)
	Zeros(ctx context.Context, f casework.SupervisionFilter) ([]casework.ZeroCount, error)

	Holdings(ctx context.Context, number string) ([]casework.Holding, error)
	Notices(ctx context.Context) (calendar.Notices, error)
}

const (
	// lateLines bounds the list of what is overdue. Who has more has another
	// problem than a list.
	lateLines = 5000
	// agendaLines is how many breaches a meeting can speak about.
	agendaLines = 20
)

const xlsxType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

func (a *API) registerSupervision() {
	supervise(a, "due-today", casework.Say("今日到期，按部门、区县、时限", "what falls due today, by department, district and limit"), false, a.dueToday)
	supervise(a, "overdue", casework.Say("此刻超时的时限，最久的在前", "the limits passed now, the longest passed first"), true, a.overdue)
	supervise(a, "ladder", casework.Say("时限在梯子上的位置，未关闭的升级", "where live limits stand on the ladder, and open escalations"), false, a.ladder)
	supervise(a, "on-time", casework.Say("各项时限的按时率及件数", "on-time rate by limit, with its counts"), false, a.onTime)
	supervise(a, "work-in-progress", casework.Say("各阶段在办与账龄", "work in progress and its age, by stage"), false, a.workInProgress)
	supervise(a, "paused", casework.Say("已暂停的案件及原因", "what is paused, and why"), true, a.paused)
	supervise(a, "clock", casework.Say("谁在计时：各方用时合计", "who held the clock, in sum"), false, a.clockSum)
	handle(a, route{
		id: "supervision-month", method: http.MethodGet, path: "/v1/supervision/months/{month}", tag: "supervision", access: forSupervisors(),
		summary:   casework.Say("督办月报（可打印，供月度调度会；留痕）", "a month as a page that prints, for the monthly meeting; audited"),
		responses: pageResponse(),
	}, a.month)

	read := forRoles(caseReaders...)
	handle(a, route{
		id: "case-clock", method: http.MethodGet, path: "/v1/cases/{number}/clock", tag: "cases", access: read,
		summary: casework.Say("计时归属：各方用时与服务时限", "who held the clock of a case, and its lane's limit"),
	}, a.caseClock)
	handle(a, route{
		id: "case-clock-strip", method: http.MethodGet, path: "/v1/cases/{number}/clock.svg", tag: "cases", access: read,
		summary: casework.Say("计时归属图（SVG）", "who held the clock of a case, drawn"),
		responses: map[string]*huma.Response{"200": {
			Description: "图 a drawing", Content: map[string]*huma.MediaType{"image/svg+xml": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}},
	}, a.caseStrip)
}

func forSupervisors() access {
	return forRoles(casework.TaskforceOffice, casework.TaskforceLead, casework.Management, casework.Auditor)
}

func pageResponse() map[string]*huma.Response {
	return map[string]*huma.Response{"200": {
		Description: "可打印的网页 a page that prints",
		Content:     map[string]*huma.MediaType{"text/html": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
}

// Supervision is what every report takes; exported like [CaseAddress].
type Supervision struct {
	District   []string            `query:"district" maxItems:"20" doc:"区县代码，逗号分隔 district codes, separated by commas"`
	Department casework.Department `query:"department" doc:"责任部门；时限按任务所属部门，服务时限按当前办理部门；计时合计不分部门 department: of the task, for the lane's limit the one in charge; of no meaning for the clock"`
	From       string              `query:"from" format:"date" doc:"自（日期），用于按时率与计时合计；不填为本月一日 first day, for on-time and clock; the first of this month where absent"`
	To         string              `query:"to" format:"date" doc:"至（日期，含）；不填为今日 last day; today where absent"`
	Format     string              `query:"format" enum:"json,csv,xlsx" default:"json" doc:"格式 form"`
	Table      string              `query:"table" maxLength:"20" doc:"CSV 只含一张表；不填为第一张 the one table of a CSV; the first where absent"`
}

// superviseQuery is a report that was asked for, in the words of casework.
type superviseQuery struct {
	casework.SupervisionFilter
	period reports.Period
	cal    *calendar.Calendar
	now    time.Time
	today  calendar.Date
}

// maxPeriod bounds what one report reads: a leap year.
const maxPeriod = 366 * 24 * time.Hour

func (a *API) superviseQuery(ctx context.Context, in Supervision) (q superviseQuery, err error) {
	q.now = a.now().In(calendar.Shanghai)
	q.today = calendar.DateOf(q.now)
	if q.Districts, err = within(actorOf(ctx), districtsOf(in.District)); err != nil {
		return q, err
	}
	q.Department = in.Department
	q.period = reports.Period{From: reports.OfMonth(q.today).From, To: q.today}
	// huma has judged the form of both dates.
	if d, err := calendar.ParseDate(in.To); err == nil {
		q.period.To = d
		q.period.From = reports.OfMonth(d).From
	}
	if d, err := calendar.ParseDate(in.From); err == nil {
		q.period.From = d
	}
	q.SupervisionFilter.From, q.SupervisionFilter.To = q.period.Within()
	var c casework.Check
	switch length := q.To.Sub(q.From); {
	case length <= 0:
		c.Field("to", casework.Say("结束日期早于开始日期", "ends before it begins"))
	case length > maxPeriod:
		c.Field("to", casework.Say("期间最长 366 日", "a period has 366 days at most"))
	}
	if err := c.Err(); err != nil {
		return q, err
	}
	hours, err := a.hours(ctx)
	if err != nil {
		return q, err
	}
	q.cal, err = a.calendar(ctx, hours)
	return q, err
}

// calendar counts by the notices in force.
func (a *API) calendar(ctx context.Context, hours calendar.Hours) (*calendar.Calendar, error) {
	notices, err := a.store.Notices(ctx)
	if err != nil {
		return nil, err
	}
	return calendar.New(notices, hours)
}

// supervise registers a report with its forms. A file that lists cases leaves
// the house, so it is audited.
func supervise[R reports.Report](a *API, name string, summary casework.Text, lines bool, build func(context.Context, superviseQuery) (R, error)) {
	file := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	handle(a, route{
		id: "supervision-" + name, method: http.MethodGet, path: "/v1/supervision/" + name, tag: "supervision", access: forSupervisors(), summary: summary,
		responses: map[string]*huma.Response{"200": {
			Description: "报表；format=csv 或 xlsx 时为文件 the report; a file for csv and xlsx",
			Content: map[string]*huma.MediaType{
				"application/json": {Schema: schemaOf[R](a.huma)}, "text/csv": file, xlsxType: file,
			},
		}},
	}, func(ctx context.Context, in *Supervision) (*streamed, error) {
		q, err := a.superviseQuery(ctx, *in)
		if err != nil {
			return nil, err
		}
		r, err := build(ctx, q)
		if err != nil {
			return nil, err
		}
		if lines && in.Format != "json" {
			if err := a.audit(ctx, "report_exported", name, map[string]string{"format": in.Format}); err != nil {
				return nil, err
			}
		}
		return a.formed(ctx, name, *in, q, r)
	})
}

// formed gives a report in the form that was asked for.
func (a *API) formed(ctx context.Context, name string, in Supervision, q superviseQuery, r reports.Report) (*streamed, error) {
	tables := r.Tables()
	var b bytes.Buffer
	switch in.Format {
	case "csv":
		i := 0
		if in.Table != "" {
			i = slices.IndexFunc(tables, func(t reports.Table) bool { return t.Name == in.Table })
		}
		if i < 0 {
			var c casework.Check
			names := make([]string, len(tables))
			for i, t := range tables {
				names[i] = t.Name
			}
			c.Field("table", casework.Sayf("应为以下之一：%[1]s", "must be one of: %[1]s", strings.Join(names, "、")))
			return nil, c.Err()
		}
		if err := reports.CSV(&b, tables[i]); err != nil {
			return nil, err
		}
		return a.file(ctx, "text/csv; charset=utf-8", fmt.Sprintf("%s-%s-%s.csv", name, tables[i].Name, q.today), b.Bytes()), nil
	case "xlsx":
		if err := reports.XLSX(&b, tables...); err != nil {
			return nil, err
		}
		return a.file(ctx, xlsxType, fmt.Sprintf("%s-%s.xlsx", name, q.today), b.Bytes()), nil
	}
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(presented(reflect.ValueOf(r)).Interface()); err != nil {
		return nil, err
	}
	return a.file(ctx, "application/json", "", b.Bytes()), nil
}

// file answers with bytes; under a name it is one to save.
func (a *API) file(ctx context.Context, mediaType, name string, content []byte) *streamed {
	return &streamed{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", mediaType)
		hc.SetHeader("Content-Security-Policy", documentPolicy)
		if name != "" {
			hc.SetHeader("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
		}
		hc.SetStatus(http.StatusOK)
		if _, err := hc.BodyWriter().Write(content); err != nil {
			a.log.WarnContext(ctx, "an answer broke off", slog.Any("error", err))
		}
	}}
}

func (a *API) dueToday(ctx context.Context, q superviseQuery) (reports.DueToday, error) {
	f := q.SupervisionFilter
	f.From, f.To = reports.Period{From: q.today, To: q.today}.Within()
	lines, err := a.store.DueOn(ctx, f)
	return reports.DueTodayOf(lines, q.today, q.now), err
}

func (a *API) overdue(ctx context.Context, q superviseQuery) (reports.Late, error) {
	lines, total, err := a.store.Overdue(ctx, q.SupervisionFilter, lateLines)
	return reports.LateOf(lines, total, q.cal, q.now), err
}

func (a *API) ladder(ctx context.Context, q superviseQuery) (reports.Ladder, error) {
	deadlines, err := a.store.RungPositions(ctx, q.SupervisionFilter)
	if err != nil {
		return reports.Ladder{}, err
	}
	escalations, err := a.store.OpenEscalations(ctx, q.SupervisionFilter)
	return reports.Ladder{At: q.now, Deadlines: deadlines, Escalations: escalations}, err
}

func (a *API) onTime(ctx context.Context, q superviseQuery) (reports.OnTime, error) {
	counts, err := a.store.OnTime(ctx, q.SupervisionFilter)
	return reports.OnTimeOf(counts, q.period, q.now), err
}

func (a *API) workInProgress(ctx context.Context, q superviseQuery) (reports.WorkInProgress, error) {
	loads, err := a.store.WorkInProgress(ctx, q.SupervisionFilter, reports.AgeBounds(q.cal, q.now))
	return reports.WorkInProgressOf(loads, q.cal, q.now), err
}

func (a *API) paused(ctx context.Context, q superviseQuery) (reports.Paused, error) {
	cases, err := a.store.PausedCases(ctx, q.SupervisionFilter)
	return reports.PausedOf(cases, q.cal, q.now), err
}

func (a *API) clockSum(ctx context.Context, q superviseQuery) (reports.ClockSum, error) {
	times, err := a.store.PartyTimes(ctx, q.SupervisionFilter)
	if err != nil {
		return reports.ClockSum{}, err
	}
	open, err := a.store.OpenHoldings(ctx, q.SupervisionFilter)
	return reports.ClockSumOf(times, open, q.period, q.cal, q.now), err
}

type monthQuery struct {
	Month      string              `path:"month" pattern:"^[0-9]{4}-(0[1-9]|1[0-2])$" patternDescription:"月份，如 2026-12 a month such as 2026-12" doc:"月份 month, such as 2026-12"`
	District   []string            `query:"district" maxItems:"20" doc:"区县代码，逗号分隔 district codes, separated by commas"`
	Department casework.Department `query:"department" doc:"责任部门 department"`
}

// month draws a month with what stands now. It lists cases, so it is audited.
func (a *API) month(ctx context.Context, in *monthQuery) (*streamed, error) {
	first, err := calendar.ParseDate(in.Month + "-01")
	if err != nil {
		return nil, casework.Refuse(casework.Invalid, "bad_month", casework.Say("月份应写作 2026-12", "a month is written such as 2026-12"))
	}
	period := reports.OfMonth(first)
	q, err := a.superviseQuery(ctx, Supervision{
		District: in.District, Department: in.Department, From: period.From.String(), To: period.To.String(),
	})
	if err != nil {
		return nil, err
	}
	m, err := a.monthOf(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := a.audit(ctx, "report_exported", "months/"+in.Month, map[string]string{"format": "html"}); err != nil {
		return nil, err
	}
	page, err := reports.MonthPage(m)
	if err != nil {
		return nil, err
	}
	return a.file(ctx, "text/html; charset=utf-8", "", page), nil
}

func (a *API) monthOf(ctx context.Context, q superviseQuery) (m reports.Month, err error) {
	m = reports.Month{At: q.now, Period: q.period, Places: placesOf(q.SupervisionFilter)}
	parts := []func() error{
		func() (err error) { m.OnTime, err = a.onTime(ctx, q); return err },
		func() (err error) { m.Clock, err = a.clockSum(ctx, q); return err },
		func() (err error) { m.Work, err = a.workInProgress(ctx, q); return err },
		func() (err error) { m.Ladder, err = a.ladder(ctx, q); return err },
		func() (err error) { m.Paused, err = a.paused(ctx, q); return err },
		func() (err error) { m.DueToday, err = a.dueToday(ctx, q); return err },
		func() error {
			lines, total, err := a.store.Breaches(ctx, q.SupervisionFilter, agendaLines)
			m.Agenda = reports.LateOf(lines, total, q.cal, q.now)
			return err
		},
		func() error {
			verdicts, err := a.store.Verdicts(ctx, q.SupervisionFilter)
			if err != nil {
				return err
			}
			zeros, err := a.store.Zeros(ctx, q.SupervisionFilter)
			m.Voice = reports.VoiceOf(verdicts, zeros)
			return err
		},
	}
	for _, part := range parts {
		if err := part(); err != nil {
			return m, err
		}
	}
	return m, nil
}

// placesOf says what a report is narrowed to.
func placesOf(f casework.SupervisionFilter) string {
	places := []string{}
	for _, d := range f.Districts {
		places = append(places, d.Name())
	}
	text := "全市 the whole city"
	if len(places) > 0 {
		text = strings.Join(places, "、")
	}
	if f.Department != "" {
		text += " · " + f.Department.Name()
	}
	return text
}

// clockOf reads who held a case's clock, counted by the hours of its own terms.
func (a *API) clockOf(ctx context.Context, k *casework.Case) (reports.Clock, error) {
	holdings, err := a.store.Holdings(ctx, k.Number)
	if err != nil {
		return reports.Clock{}, err
	}
	deadlines, err := a.store.Deadlines(ctx, k.Number)
	if err != nil {
		return reports.Clock{}, err
	}
	cal, err := a.calendar(ctx, k.Terms.Hours)
	if err != nil {
		return reports.Clock{}, err
	}
	var lane *casework.Deadline
	if i := slices.IndexFunc(deadlines, func(d casework.Deadline) bool { return d.ID == casework.LaneDeadline }); i >= 0 {
		lane = &deadlines[i]
	}
	return reports.ClockOf(k, holdings, lane, cal, a.now()), nil
}

func (a *API) caseClock(ctx context.Context, in *CaseAddress) (*reply[reports.Clock], error) {
	k, err := a.readable(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	return answer(a.clockOf(ctx, k))
}

func (a *API) caseStrip(ctx context.Context, in *CaseAddress) (*streamed, error) {
	k, err := a.readable(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	clock, err := a.clockOf(ctx, k)
	if err != nil {
		return nil, err
	}
	return a.file(ctx, "image/svg+xml", "", []byte(clock.Strip())), nil
}
