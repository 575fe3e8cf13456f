package reports_test

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/reports"
)

func table() reports.Table {
	return reports.Table{
		Name: "t", Title: "示例[表] sample",
		Columns: []reports.Column{
			{Title: "名称 name", Kind: reports.Text}, {Title: "件数 n", Kind: reports.Count}, {Title: "占比 share", Kind: reports.Share},
			{Title: "用时 hours", Kind: reports.Duration}, {Title: "时间 time", Kind: reports.Time},
		},
		Rows: [][]any{
			{"甲，“引号\"\n换行", int64(1200), 0.973, 90 * time.Minute, time.Date(2026, 11, 23, 1, 5, 30, 0, time.UTC)},
			{"=HYPERLINK(\"http://x\")", int64(-1), nil, nil, nil},
			{"+1", nil, 0.0, time.Duration(0), nil}, {"-1", nil, 1.0, nil, nil}, {"@x", nil, nil, nil, nil}, {"\t=1", nil, nil, nil, nil}, {"＝1", nil, nil, nil, nil},
			{"1-2", nil, nil, nil, nil},
		},
		Notes: []string{"说明"},
	}
}

// A spreadsheet takes none of our texts for a formula, and a program reads
// every cell back.
func TestCSV(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	require.NoError(t, reports.CSV(&b, table()))
	text, marked := strings.CutPrefix(b.String(), "\ufeff")
	require.True(t, marked, "Excel needs the mark to know UTF-8")
	require.Contains(t, text, "\r\n")
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	require.Equal(t, [][]string{
		{"名称 name", "件数 n", "占比 share", "用时 hours", "时间 time"},
		{"甲，“引号\"\n换行", "1200", "97.3%", "1.5000", "2026-11-23 09:05:30"},
		{"'=HYPERLINK(\"http://x\")", "-1", "", "", ""},
		{"'+1", "", "0.0%", "0.0000", ""}, {"'-1", "", "100.0%", "", ""}, {"'@x", "", "", "", ""}, {"'\t=1", "", "", "", ""}, {"'＝1", "", "", "", ""},
		{"1-2", "", "", "", ""},
	}, records)
}

// A workbook holds numbers, percentages and dates as such, and texts as texts.
func TestXLSX(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	second := table()
	second.Title = "第二张 second"
	require.NoError(t, reports.XLSX(&b, table(), second))
	show(t, "table.xlsx", b.String())
	f, err := excelize.OpenReader(&b)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	require.Equal(t, []string{"示例_表_", "第二张", "说明"}, f.GetSheetList())
	sheet := "示例_表_"
	shown, raw := map[string]string{}, map[string]string{}
	for _, cell := range []string{"A2", "B2", "C2", "D2", "E2", "A3", "C4"} {
		shown[cell], err = f.GetCellValue(sheet, cell)
		require.NoError(t, err)
		raw[cell], err = f.GetCellValue(sheet, cell, excelize.Options{RawCellValue: true})
		require.NoError(t, err)
		formula, err := f.GetCellFormula(sheet, cell)
		require.NoError(t, err)
		require.Empty(t, formula)
	}
	require.Equal(t, map[string]string{
		"A2": "甲，“引号\"\n换行", "B2": "1,200", "C2": "97.3%", "D2": "1.50", "E2": "2026-11-23 09:05", "A3": "=HYPERLINK(\"http://x\")", "C4": "0.0%",
	}, shown)
	require.Equal(t, "1200", raw["B2"])
	require.Equal(t, "0.973", raw["C2"])
	require.Equal(t, "1.5", raw["D2"])
	serial, err := excelize.ExcelDateToTime(46349.378819444, false)
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 11, 23, 9, 5, 30, 0, time.UTC), serial.Round(time.Second))
	require.True(t, strings.HasPrefix(raw["E2"], "46349.37881944"), raw["E2"])
	for cell, want := range map[string]excelize.CellType{"B2": excelize.CellTypeUnset, "D2": excelize.CellTypeUnset, "A3": excelize.CellTypeInlineString} {
		kind, err := f.GetCellType(sheet, cell)
		require.NoError(t, err)
		require.Equal(t, want, kind, cell)
	}
	panes, err := f.GetPanes(sheet)
	require.NoError(t, err)
	require.True(t, panes.Freeze)
	require.Equal(t, 1, panes.YSplit)
}

// month is one in which something of everything happened.
func month(t require.TestingT) reports.Month {
	cal := workdays(t)
	now := at(30, 16, 30)
	november := reports.OfMonth(calendar.Date{Year: 2026, Month: 11, Day: 12})
	parties := []struct {
		party casework.Party
		cases int64
		hours int64
	}{{"taskforce", 84, 512}, {"engineering", 77, 466}, {"network", 80, 201}, {"service_hall", 12, 18}, {casework.PartyCustomer, 31, 390}, {casework.PartyAuthority, 22, 301}, {casework.PartyUpgrade, 3, 160}}
	times := []casework.PartyTime{{Cases: 88}}
	for _, p := range parties {
		line := casework.PartyTime{Party: p.party, Cases: p.cases, Working: time.Duration(p.hours) * time.Hour}
		if p.party == casework.PartyCustomer || p.party == casework.PartyAuthority {
			line.Stopped = line.Working * 2 / 3
		}
		times = append(times, line)
		times[0].Working += line.Working
	}
	late := []casework.LateLine{
		{Case: "W20261103-00007", Limit: "lane_101", Stage: casework.Construction, Department: "engineering", District: "340207", DueAt: at(5, 17, 30), MetAt: at(12, 11, 0), Rung: casework.RungManagement, Level: 3},
		{Case: "W20261119-00012", Limit: "upload_survey", Stage: casework.JointSurvey, Department: "taskforce", Holder: "陈专", District: "340202", DueAt: at(26, 17, 30), Provisional: true, Rung: casework.RungLead, Level: 2},
		{Case: "W20261120-00003", Limit: "assess_network", Stage: casework.PreService, Department: "network", District: "340281", DueAt: at(24, 17, 30), MetAt: at(25, 15, 0), Rung: casework.RungBreach, Level: 1},
	}
	stage := func(s casework.Stage, cases, paused int64, days int, buckets ...int64) casework.StageLoad {
		return casework.StageLoad{Stage: s, Cases: cases, Paused: paused, Median: now.AddDate(0, 0, -days/3), P90: now.AddDate(0, 0, -days*2/3),
			Oldest: now.AddDate(0, 0, -days), Received: now.AddDate(0, 0, -days-5), Buckets: buckets}
	}
	return reports.Month{
		At: now, Period: november, Places: "全市 the whole city",
		OnTime: reports.OnTimeOf([]casework.OnTime{
			{Limit: "lane_101", InTime: 81, Late: 4, OpenLate: 1, Open: 6, Dropped: 2}, {Limit: "lane_201", InTime: 12, Late: 1},
			{Limit: "contact_customer", InTime: 96, Late: 3}, {Limit: "assess_network", InTime: 90, Late: 8, OpenLate: 1}, {Limit: "upload_survey", InTime: 85, Late: 2, OpenLate: 2, Open: 3},
			{Limit: "enter_site", InTime: 77, Late: 5, Open: 2}, {Limit: "callback", InTime: 70, Open: 11},
			{Limit: "answer_escalation", InTime: 14, Late: 3, Dropped: 6}, {Limit: "pause_bound", InTime: 2, Dropped: 19, Open: 4},
		}, november, now),
		Clock:  reports.ClockSumOf(times, []casework.OpenHolding{{Party: "network", From: at(30, 9, 0)}}, november, cal, now),
		Agenda: reports.LateOf(late, 27, cal, now),
		Voice: reports.VoiceOf([]casework.VerdictCount{{Outcome: "satisfied", Calls: 66}, {Outcome: "basically_satisfied", Calls: 3}, {Outcome: "dissatisfied", Calls: 1}, {Outcome: "unreached", Calls: 5}},
			[]casework.ZeroCount{{Cases: 86, Broken: 40}, {Zero: casework.ZeroVisit, Cases: 86, Broken: 31}, {Zero: casework.ZeroErrand, Cases: 86, Broken: 9}}),
		Work: reports.WorkInProgressOf([]casework.StageLoad{
			stage(casework.PreService, 14, 0, 4, 9, 3, 2, 0, 0, 0), stage(casework.JointSurvey, 21, 3, 40, 8, 5, 3, 2, 2, 1), stage(casework.Permits, 9, 1, 12, 1, 3, 2, 3, 0, 0),
			stage(casework.Construction, 11, 2, 9, 7, 2, 1, 1, 0, 0), stage(casework.Evaluation, 30, 0, 14, 10, 8, 7, 5, 0, 0),
		}, cal, now),
		Ladder: reports.Ladder{At: now, Deadlines: []casework.RungCount{{Open: 160, Stopped: 15}, {Rung: casework.RungReminder, Open: 11, Oldest: at(30, 17, 30)}, {Rung: casework.RungBreach, Level: 1, Open: 3, Oldest: at(27, 17, 30)}},
			Escalations: []casework.EscalationCount{{Role: casework.TaskforceOffice, State: casework.EscalationWaiting, Open: 2, Overdue: 1, Oldest: at(30, 8, 30)}}},
		Paused: reports.PausedOf([]casework.PausedCase{
			{Case: "W20261012-00002", Reason: casework.CustomerNotReady, Since: at(2, 9, 0), PlannedEnd: at(20, 17, 0)},
			{Case: "W20261112-00009", Reason: casework.ExternalApproval, Since: at(16, 9, 0), PlannedEnd: at(30, 17, 0), Accepted: true, Remaining: 5 * time.Hour},
		}, cal, now),
		DueToday: reports.DueTodayOf([]casework.DueCount{{Department: "engineering", District: "340202", Limit: "enter_site", Due: 9, Met: 4, Overdue: 1}}, calendar.DateOf(now), now),
	}
}

// The page has every part, needs nothing from outside and runs nothing.
func TestMonthPage(t *testing.T) {
	t.Parallel()
	html, err := reports.MonthPage(month(t))
	require.NoError(t, err)
	page := string(html)
	show(t, "month.html", page)
	for _, said := range []string{
		"2026-11-26 17:30（暂定）",
		"督办月报 2026年11月", "2026-11-01 to 2026-11-30", "94.2%", "98.6%", "6.53 / 7", // headline
		"营商专班", "25.0%", "2048.0 小时", "23.3 小时", // the clock
		"升级答复时限", "82.4%", "上限内结束 19", // supervisors' own clocks
		"W20261103-00007", "提级调度", "未办结", "共 27 项，列出最严重的 3 项", // agenda
		"0–1 工作日", "市政联合审批承诺备案", "未触发", "待签收", "客户原因", "零见面", "36.0%",
		"到期 9 项，已办结 4，已超时 1",
	} {
		if !strings.Contains(page, said) { // the whole page in a failure helps nobody
			t.Errorf("the page does not say %q", said)
		}
	}
	for _, never := range []string{"<script", "src=", "href=", "url(", "ZgotmplZ", "%!", "0001-01-01"} {
		if strings.Contains(page, never) {
			t.Errorf("the page says %q", never)
		}
	}
	empty, err := reports.MonthPage(reports.Month{At: at(30, 9, 0), Period: reports.OfMonth(calendar.Date{Year: 2024, Month: 2, Day: 29})})
	require.NoError(t, err)
	require.Contains(t, string(empty), "2024-02-01 to 2024-02-29")
	require.Contains(t, string(empty), "没有在办案件")
}
