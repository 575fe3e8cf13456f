package main

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/api"
	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// shelf is a calendar's store with the seed and three deadlines that move.
type shelf struct {
	api.CalendarStore
	told []casework.CalendarVersion // as each look finds the import
	put  []string
}

func (*shelf) Notices(context.Context) (calendar.Notices, error) { return calendar.Seed(), nil }

func (*shelf) CalendarMoves(_ context.Context, _ calendar.Notices, _ string, each func(string, []casework.DeadlineMove) error) error {
	at := func(day, hour, minute int) time.Time {
		return time.Date(2027, 1, day, hour, minute, 0, 0, calendar.Shanghai)
	}
	if err := each("W20261230-00001", []casework.DeadlineMove{{
		Case: "W20261230-00001", Move: casework.Move{Deadline: "W20261230-00001-T3", Limit: "upload_survey",
			From: calendar.Due{At: at(4, 17, 30), Provisional: true}, To: calendar.Due{At: at(5, 17, 30)}},
	}}); err != nil {
		return err
	}
	return each("W20261230-00002", []casework.DeadlineMove{
		{Case: "W20261230-00002", Move: casework.Move{Deadline: "lane", Limit: "lane_101",
			From: calendar.Due{Stopped: true, Remaining: 7 * time.Hour, Provisional: true}, To: calendar.Due{Stopped: true, Remaining: 5 * time.Hour}}},
		{Case: "W20261230-00002", Move: casework.Move{Deadline: "W20261230-00002-T1", Limit: "contact_customer",
			From: calendar.Due{At: at(1, 17, 30)}, To: calendar.Due{At: at(1, 17, 30)}}, RungsOnly: true},
	})
}

func (*shelf) ImportedAs(context.Context, string) (string, error) { return "", nil }

func (s *shelf) ImportNotices(_ context.Context, p casework.CalendarPlan, _ casework.CalendarImport, by, _ string) (string, error) {
	s.put = append(s.put, p.Notices.Version())
	return "v1", nil
}

func (s *shelf) CalendarVersion(context.Context, string) (casework.CalendarVersion, error) {
	v := s.told[0]
	s.told = s.told[1:]
	return v, nil
}

func (s *shelf) TellOfCalendar(context.Context, string) error { return nil }

func importer(s *shelf) api.CalendarImporter {
	now := func() time.Time { return time.Date(2026, 11, 16, 9, 0, 0, 0, calendar.Shanghai) }
	return api.CalendarImporter{Store: s, Desk: s, Now: now}
}

const notice = `date,kind,name,source_notice
2026-01-01,holiday,元旦,国办发明电〔2025〕7号
2026-10-10,holiday,国庆节,国办发明电〔2026〕0号
2027-01-01,holiday,元旦,国办发明电〔2026〕0号
2027-01-02,holiday,元旦,
`

// The dry run says what a clerk must know before the import, and changes nothing.
func TestDryRunOutput(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := &shelf{}
	i := casework.CalendarImport{Name: "2027.csv", File: []byte(notice)}
	require.NoError(t, previewCalendar(t.Context(), &out, importer(s), i))
	require.Empty(t, s.put)
	want, err := os.ReadFile("testdata/dry_run.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), out.String())
}

func TestImportWaitsUntilTheCasesAreTold(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := &shelf{told: []casework.CalendarVersion{{}, {Told: 40, ToldAt: time.Now()}}}
	i := casework.CalendarImport{Name: "2027.csv", File: []byte(notice)}
	err := described(importCalendar(t.Context(), &out, importer(s), i))
	require.ErrorContains(t, err, "\n  2026: ", "each warning stands in a line of its own")
	require.Empty(t, s.put)
	i.AcceptWarnings = true
	require.NoError(t, importCalendar(t.Context(), &out, importer(s), i))
	require.Len(t, s.put, 1)
	require.Equal(t, "日历 v1 已生效，正在通知案件 in force, the cases are being told\n"+
		"已通知 40 个案件重新计算时限；稍后自动复核 40 cases were told; they are looked at again by and by\n", out.String())
}

func TestVersionLines(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 16, 9, 30, 0, 0, calendar.Shanghai)
	v := casework.CalendarVersion{Version: "seed-2026", ImportedAt: at, ImportedBy: "system", Years: []int{2025, 2026}}
	require.Equal(t, "seed-2026          2026-11-16 09:30  system  [2025 2026]  随程序 came with the program", versionLine(v))
	v.BasedOn, v.File, v.Told = "seed-2025", "2027.csv", 40
	require.Contains(t, versionLine(v), "2027.csv  通知案件 told 40，复核中")
	v.SettledAt, v.Left = at, 2
	require.Contains(t, versionLine(v), "2 个未重新计算 2 have not followed")
}
