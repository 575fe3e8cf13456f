package api

import (
	"context"
	"encoding/csv"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/reports"
)

// What the store would say: one line of each.

func (m *memory) asked(f casework.SupervisionFilter) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.filter = f
	return m.down
}

func (m *memory) DueOn(_ context.Context, f casework.SupervisionFilter) ([]casework.DueCount, error) {
	return []casework.DueCount{
		{Department: "engineering", District: "340202", Limit: "enter_site", Due: 3, Met: 1, Overdue: 1},
		{Department: "taskforce", District: "340281", Limit: "lane_101", Due: 2},
	}, m.asked(f)
}

func (m *memory) Overdue(_ context.Context, f casework.SupervisionFilter, _ int) ([]casework.LateLine, int64, error) {
	return []casework.LateLine{{
		Case: "W1", Task: "W1-T1", Limit: "contact_customer", Stage: casework.PreService, Department: "taskforce", Holder: "=cmd|' /C calc'!A0",
		District: "340202", DueAt: noon.Add(-3 * time.Hour), Rung: casework.RungBreach, Level: 1,
	}}, 7, m.asked(f)
}

func (m *memory) Breaches(ctx context.Context, f casework.SupervisionFilter, limit int) ([]casework.LateLine, int64, error) {
	return m.Overdue(ctx, f, limit)
}

func (m *memory) RungPositions(_ context.Context, f casework.SupervisionFilter) ([]casework.RungCount, error) {
	return []casework.RungCount{{Open: 4, Stopped: 1}, {Rung: casework.RungBreach, Level: 1, Open: 2, Oldest: noon}}, m.asked(f)
}

func (m *memory) OpenEscalations(_ context.Context, f casework.SupervisionFilter) ([]casework.EscalationCount, error) {
	return []casework.EscalationCount{{Role: casework.TaskforceOffice, State: casework.EscalationWaiting, Open: 2, Overdue: 1, Oldest: noon}}, m.asked(f)
}

func (m *memory) OnTime(_ context.Context, f casework.SupervisionFilter) ([]casework.OnTime, error) {
	return []casework.OnTime{
		{Limit: "answer_escalation", InTime: 3, Late: 1, Dropped: 2}, {Limit: "contact_customer", InTime: 7, Late: 2, OpenLate: 1, Open: 5, Dropped: 1},
		{Limit: "lane_101", InTime: 9, Late: 1}, {Limit: "pause_bound", Late: 1, Dropped: 4},
	}, m.asked(f)
}

func (m *memory) WorkInProgress(_ context.Context, f casework.SupervisionFilter, bounds []time.Time) ([]casework.StageLoad, error) {
	return []casework.StageLoad{{
		Stage: casework.Construction, Cases: 3, Paused: 1, Median: noon.Add(-time.Hour), P90: noon.Add(-2 * time.Hour), Oldest: noon.Add(-2 * time.Hour),
		Received: noon.Add(-24 * time.Hour), Buckets: make([]int64, len(bounds)+1),
	}}, m.asked(f)
}

func (m *memory) PausedCases(_ context.Context, f casework.SupervisionFilter) ([]casework.PausedCase, error) {
	return []casework.PausedCase{{
		Case: "W1", Stage: casework.Construction, Department: "engineering", District: "340202", Reason: casework.CustomerNotReady,
		Since: noon.Add(-4 * time.Hour), PlannedEnd: noon.Add(-time.Hour), Accepted: true, Remaining: 90 * time.Minute,
	}}, m.asked(f)
}

func (m *memory) PartyTimes(_ context.Context, f casework.SupervisionFilter) ([]casework.PartyTime, error) {
	december := time.Date(2026, 12, 1, 0, 0, 0, 0, calendar.Shanghai)
	return []casework.PartyTime{
		{Cases: 2, Working: 4 * time.Hour}, {Party: casework.PartyCustomer, Cases: 1, Working: time.Hour, Stopped: time.Hour},
		{Party: "taskforce", Cases: 2, Working: 3 * time.Hour},
		{Month: december, Cases: 2, Working: 4 * time.Hour}, {Month: december, Party: casework.PartyCustomer, Cases: 1, Working: time.Hour, Stopped: time.Hour},
		{Month: december, Party: "taskforce", Cases: 2, Working: 3 * time.Hour},
	}, m.asked(f)
}

func (m *memory) OpenHoldings(_ context.Context, f casework.SupervisionFilter) ([]casework.OpenHolding, error) {
	return []casework.OpenHolding{{Party: "network", From: noon.Add(-2 * time.Hour)}, {Party: "network", From: noon.Add(-30 * time.Minute)}}, m.asked(f)
}

func (m *memory) Verdicts(_ context.Context, f casework.SupervisionFilter) ([]casework.VerdictCount, error) {
	return []casework.VerdictCount{{Outcome: "dissatisfied", Calls: 1}, {Outcome: "satisfied", Calls: 3}, {Outcome: "unreached", Calls: 1}}, m.asked(f)
}

func (m *memory) Zeros(_ context.Context, f casework.SupervisionFilter) ([]casework.ZeroCount, error) {
	return []casework.ZeroCount{{Cases: 4, Broken: 2}, {Zero: casework.ZeroVisit, Cases: 4, Broken: 2}}, m.asked(f)
}

func (m *memory) Holdings(_ context.Context, number string) ([]casework.Holding, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held[number], m.down
}

var supervisors = []string{"taskforce_office", "taskforce_lead", "management", "auditor"}

var reportNames = []string{"due-today", "overdue", "ladder", "on-time", "work-in-progress", "paused", "clock"}

// Each report comes in three forms, to those who supervise and to nobody else;
// a file that lists cases is on the audit trail.
func TestReportsComeInThreeForms(t *testing.T) {
	t.Parallel()
	for _, name := range reportNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			path := "/v1/supervision/" + name
			for _, role := range casework.Roles() {
				if !strings.Contains(strings.Join(supervisors, " "), string(role)) && role != casework.Taskforce && role != casework.Customer {
					refused(t, w.ask(t, asked{as: string(role), path: path}), 403, "wrong_role")
				}
			}
			for _, who := range supervisors {
				require.Equal(t, 200, w.ask(t, asked{as: who, path: path}).Code, who)
			}
			require.Empty(t, w.audited, "looking is no export")

			rec := w.ask(t, asked{as: "auditor", path: path + "?format=csv"})
			require.Equal(t, 200, rec.Code, rec.Body.String())
			require.Equal(t, "text/csv; charset=utf-8", rec.Header().Get("Content-Type"))
			require.Contains(t, rec.Header().Get("Content-Disposition"), name)
			records, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(rec.Body.String(), "\ufeff"))).ReadAll()
			require.NoError(t, err)
			require.Greater(t, len(records), 1)
			require.NotContains(t, rec.Body.String(), ",=", "no formula")

			rec = w.ask(t, asked{as: "auditor", path: path + "?format=xlsx"})
			require.Equal(t, 200, rec.Code)
			book, err := excelize.OpenReader(rec.Body)
			require.NoError(t, err)
			require.NotEmpty(t, book.GetSheetList())
			require.NoError(t, book.Close())

			exports := 0
			if name == "overdue" || name == "paused" {
				exports = 2
			}
			require.Len(t, w.audited, exports)
			refused(t, w.ask(t, asked{as: "auditor", path: path + "?format=csv&table=nothing"}), 422, "invalid_input")
			refused(t, w.ask(t, asked{as: "auditor", path: path + "?format=doc"}), 422, "invalid_input")
		})
	}
}

func TestReportsAreNarrowedToOnesDistricts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hire("office-wuwei", casework.TaskforceOffice, "340281")
	for _, name := range reportNames {
		w.act(t, asked{as: "office-wuwei", path: "/v1/supervision/" + name})
		f, _ := w.filter.(casework.SupervisionFilter)
		require.Equal(t, []casework.District{"340281"}, f.Districts, name)
		refused(t, w.ask(t, asked{as: "office-wuwei", path: "/v1/supervision/" + name + "?district=340202"}), 403, "wrong_district")
		w.act(t, asked{as: "auditor", path: "/v1/supervision/" + name + "?district=340202,340207&department=network"})
		f, _ = w.filter.(casework.SupervisionFilter)
		require.Equal(t, casework.SupervisionFilter{
			Districts: []casework.District{"340202", "340207"}, Department: "network", From: f.From, To: f.To,
		}, f, name)
	}
	refused(t, w.ask(t, asked{as: "office-wuwei", path: "/v1/supervision/months/2026-11?district=340202"}), 403, "wrong_district")
}

// A day begins at midnight in Shanghai, wherever the machine stands.
func TestTodayIsShanghais(t *testing.T) {
	t.Parallel()
	for at, day := range map[time.Time]int{
		time.Date(2026, 11, 30, 15, 59, 59, 0, time.UTC): 30, time.Date(2026, 11, 30, 16, 0, 0, 0, time.UTC): 1,
		time.Date(2026, 12, 1, 15, 59, 59, 0, time.UTC): 1,
	} {
		w := newWorld(t, func(o *Options) { o.Now = func() time.Time { return at } })
		// The token's own time runs by the same clock.
		token, err := IssueToken(testKey, "auditor", time.Hour, at)
		require.NoError(t, err)
		w.act(t, asked{path: "/v1/supervision/due-today", headers: map[string]string{"Authorization": "Bearer " + token}})
		f, _ := w.filter.(casework.SupervisionFilter)
		midnight := calendar.DateOf(at).At(0)
		require.Equal(t, day, midnight.Day())
		require.True(t, f.From.Equal(midnight) && f.To.Equal(midnight.Add(24*time.Hour)), "%s to %s", f.From, f.To)
	}
}

func TestReportsKeepToAPeriod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	period := func(query string) string {
		w.act(t, asked{as: "auditor", path: "/v1/supervision/on-time" + query})
		f, _ := w.filter.(casework.SupervisionFilter)
		return casework.Clock(f.From) + " " + casework.Clock(f.To)
	}
	require.Equal(t, "2026-12-01 00:00 2026-12-02 00:00", period(""))
	require.Equal(t, "2026-11-01 00:00 2026-11-16 00:00", period("?to=2026-11-15"))
	require.Equal(t, "2026-10-05 00:00 2026-12-02 00:00", period("?from=2026-10-05"))
	for _, query := range []string{"?from=2026-12-02&to=2026-12-01", "?from=2024-01-01&to=2026-12-01", "?from=yesterday"} {
		refused(t, w.ask(t, asked{as: "auditor", path: "/v1/supervision/on-time" + query}), 422, "invalid_input")
	}
}

func TestReportsCountInWorkingTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	late := read[reports.Late](t, w.ask(t, asked{as: "auditor", path: "/v1/supervision/overdue"}), 200)
	require.Equal(t, int64(3*3600), late.Lines[0].Working)
	require.Equal(t, int64(7), late.Total)
	paused := read[reports.Paused](t, w.ask(t, asked{as: "auditor", path: "/v1/supervision/paused"}), 200)
	left := int64(90 * 60)
	require.Equal(t, &left, paused.Cases[0].Left)
	require.Equal(t, []reports.PauseReason{{Reason: casework.CustomerNotReady, Name: "客户原因", Cases: 1, Beyond: 1, Working: 4 * 3600}}, paused.Reasons)
	onTime := read[reports.OnTime](t, w.ask(t, asked{as: "auditor", path: "/v1/supervision/on-time"}), 200)
	require.InDelta(t, 0.9, *onTime.Lanes[0].Rate, 1e-9)
	require.InDelta(t, 0.7, *onTime.Rules[0].Rate, 1e-9)
	require.InDelta(t, 0.75, *onTime.Answers[0].Rate, 1e-9)
	require.Equal(t, &reports.PauseOutcomes{Within: 4, Reviewed: 1}, onTime.Pauses)
	sum := read[reports.ClockSum](t, w.ask(t, asked{as: "auditor", path: "/v1/supervision/clock"}), 200)
	require.Equal(t, []reports.PartySum{
		{Party: "taskforce", Name: "营商专班", Cases: 2, Working: 3 * 3600, Share: 0.75, Average: 3 * 1800},
		{Party: "customer", Name: "客户", Cases: 1, Working: 3600, Stopped: 3600, Share: 0.25, Average: 1800},
	}, sum.Parties)
	require.Equal(t, int64(9000), sum.Open[0].Working)
	require.Equal(t, "2026-12", sum.Months[0].Month)
}

func TestMonthPrints(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.ask(t, asked{as: "management", path: "/v1/supervision/months/2026-11"})
	require.Equal(t, 200, rec.Code, rec.Body.String())
	require.Equal(t, "text/html; charset=utf-8", rec.Header().Get("Content-Type"))
	require.Contains(t, rec.Header().Get("Content-Security-Policy"), "sandbox")
	for _, said := range []string{"督办月报 2026年11月", "A4 landscape", "90.0%", "75.0%", "6.50 / 7", "调度意见", "未办结", "全市"} {
		require.Contains(t, rec.Body.String(), said)
	}
	require.Len(t, w.audited, 1)
	require.Equal(t, "months/2026-11", w.audited[0].Target)
	refused(t, w.ask(t, asked{as: "management", path: "/v1/supervision/months/2026-13"}), 422, "invalid_input")
	w.down = casework.Refuse(casework.Unavailable, "down", casework.Say("停", "down"))
	require.Equal(t, http.StatusServiceUnavailable, w.ask(t, asked{as: "management", path: "/v1/supervision/months/2026-11"}).Code)
}

// A case's clock is for those who read the case; its working time counts by the
// hours of the case's own terms.
func TestCaseClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.open(t, "W1")
	w.held["W1"] = []casework.Holding{
		{N: 1, Party: "taskforce", From: k.ReceivedAt, To: noon.Add(-30 * time.Minute), Working: 30 * time.Minute},
		{N: 2, Party: casework.PartyCustomer, Stopped: true, From: noon.Add(-30 * time.Minute)},
	}
	clock := read[reports.Clock](t, w.ask(t, asked{as: "engineering", path: "/v1/cases/W1/clock"}), 200)
	require.Equal(t, int64(3600), clock.Working)
	require.True(t, clock.Running)
	require.Equal(t, []reports.PartyShare{
		{Party: "taskforce", Name: "营商专班", Working: 1800, Share: 0.5}, {Party: "customer", Name: "客户", Working: 1800, Stopped: 1800, Share: 0.5},
	}, clock.Parties)
	require.Nil(t, clock.Lane)
	rec := w.ask(t, asked{as: "engineering", path: "/v1/cases/W1/clock.svg"})
	require.Equal(t, 200, rec.Code)
	require.Equal(t, "image/svg+xml", rec.Header().Get("Content-Type"))
	require.Contains(t, rec.Body.String(), "<svg ")
	rec = w.ask(t, asked{as: "hotline", path: "/v1/cases/W1/printout"})
	require.Contains(t, rec.Body.String(), "<p>W1")
	for _, path := range []string{"/v1/cases/W1/clock", "/v1/cases/W1/clock.svg"} {
		refused(t, w.ask(t, asked{as: "platform", path: path}), 403, "wrong_role")
		refused(t, w.ask(t, asked{as: "auditor", path: strings.Replace(path, "W1", "W2", 1)}), 404, "case_not_found")
	}
}
