package casework_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

const csvHeader = "date,kind,name,source_notice\n"

func file(rows ...string) []byte { return []byte(csvHeader + strings.Join(rows, "\n") + "\n") }

func codeOf(t *testing.T, err error) string {
	t.Helper()
	require.Error(t, err)
	f := casework.AsFault(err)
	require.NotEmpty(t, f.ZH)
	require.NotEmpty(t, f.EN)
	return string(f.Kind) + " " + f.Code
}

func TestPlanRefusesWhatIsNoNotice(t *testing.T) {
	t.Parallel()
	seed := calendar.Seed()
	for name, c := range map[string]struct {
		i    casework.CalendarImport
		want string
	}{
		"unreadable":            {casework.CalendarImport{File: []byte("\x89PNG")}, "invalid unreadable_calendar"},
		"empty":                 {casework.CalendarImport{}, "invalid unreadable_calendar"},
		"a date that is none":   {casework.CalendarImport{File: file("2027-02-30,holiday,a,b")}, "invalid unreadable_calendar"},
		"another year":          {casework.CalendarImport{File: file("2026-11-30,holiday,a,b"), Year: 2027}, "invalid wrong_year"},
		"the year after":        {casework.CalendarImport{File: file("2027-01-01,holiday,a,b", "2028-01-01,holiday,a,b"), Year: 2027}, "invalid wrong_year"},
		"a file that errs":      {casework.CalendarImport{File: []byte(`{"year":2027,"days":[{"date":"2026-01-01","isOffDay":true}]}`)}, "invalid unreadable_calendar"},
		"overlapping":           {casework.CalendarImport{File: file("2027-01-01,holiday,a,b", "2027-01-01,holiday,a,b")}, "invalid bad_calendar"},
		"overlapping, amending": {casework.CalendarImport{File: file("2027-01-01,holiday,a,b", "2027-01-01,holiday,a,b"), Amend: true}, "invalid bad_calendar"},
		"make-up on a Monday":   {casework.CalendarImport{File: file("2027-01-04,workday,a,b")}, "invalid bad_calendar"},
		"December alone":        {casework.CalendarImport{File: file("2026-12-31,holiday,a,b")}, "invalid bad_calendar"},
	} {
		_, err := c.i.Plan(seed, "v")
		require.Equal(t, c.want, codeOf(t, err), name)
	}
	same := seed.Days()[0]
	_, err := casework.CalendarImport{Amend: true, File: file(same.Date.String() + "," + string(same.Kind) + "," + same.Name + "," + same.Notice)}.Plan(seed, "v")
	require.Equal(t, "conflict calendar_unchanged", codeOf(t, err))
}

// What is unusual stops an import until a person has accepted it.
func TestWarningsAreAccepted(t *testing.T) {
	t.Parallel()
	p, err := casework.CalendarImport{File: file("2026-12-31,holiday,元旦,通知", "2027-01-01,holiday,元旦,"), Year: 2027}.Plan(calendar.Seed(), "v")
	require.NoError(t, err)
	require.Equal(t, "seed-2026", p.BasedOn)
	require.Equal(t, "v", p.Notices.Version())
	require.Equal(t, "通知", p.Source)
	require.Len(t, p.Changes, 2)
	var years []int
	for _, w := range p.Warnings {
		years = append(years, w.Year)
	}
	require.Equal(t, []int{2026, 2027, 2027}, years, "the December day makes 2026 one more, 2027 names no notice and has one day of thirteen")
	err = p.Accept(false)
	require.Equal(t, "conflict calendar_warnings", codeOf(t, err))
	require.Len(t, casework.AsFault(err).Fields, 3)
	require.Equal(t, "2027-01-01 未注明通知文号", casework.AsFault(err).Fields[1].ZH)
	require.NoError(t, p.Accept(true))
}

// A deadline moves with its due moment, its mark as provisional or its rungs;
// what has moved has nothing to move any more.
func TestMoveBy(t *testing.T) {
	t.Parallel()
	hours := calendar.Hours{Spans: []calendar.Span{{From: 9 * 60, To: 17 * 60}}}
	by := func(days ...calendar.Day) *calendar.Calendar {
		n, err := calendar.Seed().Amend("amended", days)
		require.NoError(t, err)
		cal, err := calendar.New(n, hours)
		require.NoError(t, err)
		return cal
	}
	off := func(y, m, d int) calendar.Day {
		return calendar.Day{Date: calendar.Date{Year: y, Month: time.Month(m), Day: d}, Kind: calendar.Holiday}
	}
	d := casework.Deadline{
		ID: "W1-T1", Limit: "contact_customer", Anchor: time.Date(2026, 12, 30, 10, 0, 0, 0, calendar.Shanghai),
		Budget: calendar.Budget{Unit: calendar.WorkingDays, Days: 1},
		Rungs: []casework.RungMark{{Rung: casework.Rung{Name: "breach"}}, {Rung: casework.Rung{Name: "lead",
			After: calendar.Budget{Unit: calendar.WorkingTime, Time: 4 * time.Hour}}}},
	}
	d = d.WorkOut(by(), "seed-2026")
	require.Equal(t, "2026-12-31 17:00", casework.Clock(d.Due.At))
	_, moved := d.MoveBy(by(off(2026, 11, 20)))
	require.False(t, moved, "a day before it")

	m, moved := d.MoveBy(by(off(2027, 1, 1)))
	require.True(t, moved)
	require.True(t, m.RungsOnly, "the lead is told on the next working day")

	m, moved = d.MoveBy(by(off(2026, 12, 31), off(2027, 1, 1)))
	require.True(t, moved)
	require.Equal(t, casework.DeadlineMove{Move: casework.Move{Deadline: "W1-T1", Limit: "contact_customer", From: d.Due, To: calendar.Due{At: m.To.At}}}, m)
	require.Equal(t, "2027-01-04 17:00", casework.Clock(m.To.At))

	later := d.WorkOut(by(off(2026, 12, 31)), "x")
	require.True(t, later.Due.Provisional)
	m, moved = later.MoveBy(by(off(2026, 12, 31), off(2027, 3, 1)))
	require.True(t, moved, "the notice is there, and the same moment is certain")
	require.Equal(t, m.From.At, m.To.At)
	require.False(t, m.To.Provisional)
	again := later.WorkOut(by(off(2026, 12, 31), off(2027, 3, 1)), "y")
	_, moved = again.MoveBy(by(off(2026, 12, 31), off(2027, 3, 1)))
	require.False(t, moved)
}

// Nobody completes the duty by hand: the import does, and the breach it may have
// come to stays on record.
func TestNoticeDutyIsDoneByTheImport(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 16, 9, 0, 0, 0, calendar.Shanghai)
	terms := casework.Terms{Limits: map[casework.LimitName]calendar.Budget{"import_notice": {Unit: calendar.WorkingDays, Days: 10}}}
	k := casework.NewNoticeDuty(2027, terms, now)
	k.BeginNoticeDuty(2027, now)
	k.BeginNoticeDuty(2027, now)
	require.Len(t, k.Tasks, 1)
	require.Equal(t, "导入放假通知·2027", k.Tasks[0].Title())
	require.Equal(t, casework.Duty, k.Tasks[0].Stage)
	require.Len(t, k.Unworked(), 1)

	office := casework.Actor{ID: "to-01", Roles: []casework.Role{casework.TaskforceOffice}, Districts: []casework.District{casework.AllDistricts}}
	_, err := k.Try(casework.CompleteTask{By: casework.By{Actor: office}, Task: "D2027-notice-T1"}, now)
	require.Equal(t, "conflict notice_missing", codeOf(t, err))
	_, err = k.Try(casework.Withdraw{By: casework.By{Actor: office}, Reason: "x"}, now)
	require.Equal(t, "conflict not_a_connection", codeOf(t, err))
	office.Districts = []casework.District{"340202"}
	_, err = k.Try(casework.ClaimTask{By: casework.By{Actor: office}, Task: "D2027-notice-T1"}, now)
	require.Equal(t, "forbidden wrong_district", codeOf(t, err))

	later := now.Add(time.Hour)
	k.NoticeImported("2026-11-20-abc", later)
	version := k.Version
	k.NoticeImported("2026-11-20-abc", later)
	require.Equal(t, version, k.Version)
	require.Equal(t, casework.Closed, k.Status)
	require.Empty(t, k.Tasks)
	require.Equal(t, later, k.Deadlines[0].MetAt)
}

// A rung of a deadline that counted through a year without notice says so for
// good, whatever notice comes later.
func TestEscalationOfAProvisionalDeadlineIsMarked(t *testing.T) {
	t.Parallel()
	k := casework.NewNoticeDuty(2027, casework.Terms{
		Hours:  calendar.Hours{Spans: []calendar.Span{{From: 9 * 60, To: 17 * 60}}},
		Limits: map[casework.LimitName]calendar.Budget{"import_notice": {Unit: calendar.WorkingDays, Days: 1}},
		Ladder: []casework.Rung{{Name: casework.RungBreach, Level: 1}},
	}, time.Time{})
	k.BeginNoticeDuty(2027, time.Date(2027, 1, 4, 10, 0, 0, 0, calendar.Shanghai))
	cal, err := calendar.New(calendar.Seed(), k.Terms.Hours)
	require.NoError(t, err)
	k.Deadlines[0] = k.Deadlines[0].WorkOut(cal, cal.Version())
	k.Fire(time.Date(2027, 1, 6, 10, 0, 0, 0, calendar.Shanghai))
	require.Len(t, k.Escalations, 1)
	require.True(t, k.Escalations[0].Provisional)
}

func TestLatestNotice(t *testing.T) {
	t.Parallel()
	for day, year := range map[int]int{14: 2026, 15: 2027} {
		require.Equal(t, year, casework.LatestNotice(calendar.Date{Year: 2026, Month: 11, Day: day}))
	}
	require.Equal(t, 2027, casework.LatestNotice(calendar.Date{Year: 2027, Month: 1, Day: 1}))
}
