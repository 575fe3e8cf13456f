package calendar_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/curbstop/curbstop/calendar"
)

func TestSeed(t *testing.T) {
	t.Parallel()
	seed := calendar.Seed()
	require.Equal(t, "seed-2026", seed.Version())
	require.Len(t, seed.Days(), 141)
	require.Empty(t, calendar.Check(seed.Days()))
	for year, want := range map[int]bool{2022: false, 2023: true, 2024: true, 2025: true, 2026: true, 2027: false} {
		require.Equal(t, want, seed.HasYear(year), "year %d", year)
	}
	seed.Days()[0].Kind = calendar.Workday
	require.Equal(t, calendar.Holiday, seed.Days()[0].Kind, "the table does not change")
}

func day(t testing.TB, date string, kind calendar.Kind) calendar.Day {
	t.Helper()
	d, err := calendar.ParseDate(date)
	require.NoError(t, err)
	return calendar.Day{Date: d, Kind: kind, Name: "节", Notice: "国办发明电〔2026〕1号"}
}

func TestNewNoticesRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		version string
		days    []calendar.Day
		says    string
	}{
		"no version":           {"", nil, "version"},
		"a date twice":         {"v", []calendar.Day{day(t, "2026-10-01", calendar.Holiday), day(t, "2026-01-01", calendar.Holiday), day(t, "2026-10-01", calendar.Holiday)}, "2026-10-01"},
		"an unknown kind":      {"v", []calendar.Day{day(t, "2026-10-01", "half")}, "half"},
		"a make-up Monday":     {"v", []calendar.Day{day(t, "2026-10-05", calendar.Workday)}, "Monday"},
		"a day not there":      {"v", []calendar.Day{{Date: calendar.Date{Year: 2026, Month: 2, Day: 30}, Kind: calendar.Holiday}}, "2026-02-30"},
		"no date":              {"v", []calendar.Day{{Kind: calendar.Holiday}}, "0000-00-00"},
		"a make-up twice over": {"v", []calendar.Day{day(t, "2026-10-10", calendar.Workday), day(t, "2026-10-10", calendar.Holiday)}, "2026-10-10"},
	} {
		_, err := calendar.NewNotices(tc.version, tc.days)
		require.ErrorContains(t, err, tc.says, name)
	}
}

func TestANoticeReachesIntoDecemberBefore(t *testing.T) {
	t.Parallel()
	n, err := calendar.NewNotices("2019", []calendar.Day{
		day(t, "2019-01-01", calendar.Holiday), day(t, "2018-12-31", calendar.Holiday), day(t, "2018-12-29", calendar.Workday),
	})
	require.NoError(t, err)
	require.True(t, n.HasYear(2019))
	require.False(t, n.HasYear(2018))
	c := newCalendar(t, n, officeHours)
	require.Equal(t, "2018-12-29", c.Next(date(t, "2018-12-28")).String())
	require.Equal(t, "2019-01-02", c.Next(date(t, "2018-12-29")).String())
	require.True(t, c.Due(at(t, "2018-12-28 09:00"), budget(t, "1 working_day"), nil).Provisional)
}

func TestAmend(t *testing.T) {
	t.Parallel()
	// The notice for 2020 ended the Spring Festival on Thursday 30 January and made Saturday
	// 1 February a working day; the emergency notice of 26 January took both back.
	first, err := calendar.NewNotices("2020", []calendar.Day{day(t, "2020-01-30", calendar.Holiday), day(t, "2020-02-01", calendar.Workday)})
	require.NoError(t, err)
	second, err := first.Amend("2020-emergency", []calendar.Day{day(t, "2020-01-31", calendar.Holiday), day(t, "2020-02-01", calendar.Holiday)})
	require.NoError(t, err)
	require.Equal(t, "2020-emergency", second.Version())
	require.Equal(t, "2020-01-31", newCalendar(t, first, officeHours).Next(date(t, "2020-01-30")).String())
	require.Equal(t, "2020-02-03", newCalendar(t, second, officeHours).Next(date(t, "2020-01-30")).String())
	require.Len(t, first.Days(), 2, "the first version stands")

	twice := day(t, "2020-01-31", calendar.Holiday)
	_, err = first.Amend("v", []calendar.Day{twice, twice})
	require.ErrorContains(t, err, "2020-01-31")
}

func TestCheck(t *testing.T) {
	t.Parallel()
	days := calendar.Seed().Days()
	require.Equal(t, calendar.Workday, days[len(days)-1].Kind)
	days = days[:len(days)-1] // 2026-10-10
	days[0].Notice = ""
	warnings := calendar.Check(days)
	require.Len(t, warnings, 2)
	require.Equal(t, "2023-01-01", warnings[0].Date.String())
	require.Contains(t, warnings[0].Text, "2023-01-01")
	require.Equal(t, 2026, warnings[1].Year)
	require.True(t, warnings[1].Date.IsZero())
	require.Contains(t, warnings[1].Text, "14")
	require.Contains(t, warnings[1].Text, "13")

	require.Empty(t, calendar.Check(nil))
	require.Empty(t, calendar.Check([]calendar.Day{day(t, "2018-12-31", calendar.Holiday)}), "December alone is not weighed")
	require.Empty(t, calendar.Check([]calendar.Day{day(t, "2007-05-01", calendar.Holiday)}), "no rule is known before 2008")
	require.Len(t, calendar.Check([]calendar.Day{day(t, "2020-05-01", calendar.Holiday)}), 1)
}

func TestReadCSV(t *testing.T) {
	t.Parallel()
	const header = "date,kind,name,source_notice\n"
	days, err := calendar.ReadCSV(strings.NewReader("\uFEFF" + header + "2026-10-10,workday,\"国庆节,调休\",通知\r\n"))
	require.NoError(t, err)
	require.Equal(t, []calendar.Day{{Date: date(t, "2026-10-10"), Kind: calendar.Workday, Name: "国庆节,调休", Notice: "通知"}}, days)

	for name, tc := range map[string]struct{ text, says string }{
		"empty":           {"", "no days"},
		"no header":       {"2026-10-10,workday,国庆节,通知\n", "line 1"},
		"header only":     {header, "no days"},
		"a bad date":      {header + "2026-10-01,holiday,a,b\n2026-02-30,holiday,a,b\n", "line 3"},
		"a short date":    {header + "2026-2-3,holiday,a,b\n", "line 2"},
		"a bad kind":      {header + "\n\n2026-10-01,half,a,b\n", "line 4"},
		"a column short":  {header + "2026-10-01,holiday,a\n", "line 2"},
		"a bare quote":    {header + "2026-10-01,holiday,a,b\n2026-10-02,holi\"day,a,b\n", "line 3"},
		"columns in one":  {"date;kind;name;source_notice\n", "line 1"},
		"a NUL":           {header + "2026-10-01,holiday,a\x00,b\n", "no text file"},
		"UTF-16":          {"\xff\xfed\x00a\x00t\x00e\x00", "no text file"},
		"neither":         {header + "2026-10-01,holiday,\xff\xff,b\n", "GB18030"},
		"after two lines": {header + "2026-10-01,holiday,\"a\na\",b\n2026-10-02,off,a,b\n", "line 4"},
	} {
		_, err := calendar.ReadCSV(strings.NewReader(tc.text))
		require.ErrorContains(t, err, tc.says, name)
	}
}

// Spreadsheets in China write GB18030, turn dates and leave empty lines behind.
func TestReadCSVFromASpreadsheet(t *testing.T) {
	t.Parallel()
	text, err := simplifiedchinese.GB18030.NewEncoder().String("date,kind,name,source_notice\r\n2026/1/3, workday,元旦,国办发明电〔2025〕7号\r\n,,,\r\n")
	require.NoError(t, err)
	days, err := calendar.Read(strings.NewReader(text))
	require.NoError(t, err)
	require.Equal(t, []calendar.Day{{Date: date(t, "2026-01-03"), Kind: calendar.Workday, Name: "元旦", Notice: "国办发明电〔2025〕7号"}}, days)
}

// Each sentence of an error is in one language, wherever the error comes from.
func TestErrorsKeepTheirLanguagesApart(t *testing.T) {
	t.Parallel()
	const header = "date,kind,name,source_notice\n"
	for _, text := range []string{
		"", "[]", "{", `{"days":[{"date":"2026-13-01","isOffDay":true}],"year":2026}`, "a,b\n", header + "2026-10-01,holiday,a\n",
		header + "2026-10-01,holi\"day,a,b\n", header + "2026-02-30,holiday,a,b\n", header + "2026-10-01,half,a,b\n",
	} {
		_, err := calendar.Read(strings.NewReader(text))
		require.Error(t, err, text)
		zh, en := calendar.Said(err)
		require.Regexp(t, `\p{Han}`, zh)
		require.NotRegexp(t, `\p{Han}`, en)
		require.NotContains(t, zh, " (")
		require.Equal(t, zh+" ("+en+")", err.Error())
	}
}

func TestReadHolidayCN(t *testing.T) {
	t.Parallel()
	days, err := calendar.ReadHolidayCN(strings.NewReader(`{
		"$schema": "https://example.invalid/schema.json",
		"year": 2019,
		"papers": ["https://www.gov.cn/a", "https://www.gov.cn/b"],
		"days": [
			{"name": "元旦", "date": "2018-12-29", "isOffDay": false},
			{"name": "元旦", "date": "2018-12-31", "isOffDay": true}
		]
	}`))
	require.NoError(t, err)
	const notice = "https://www.gov.cn/a https://www.gov.cn/b"
	require.Equal(t, []calendar.Day{
		{Date: date(t, "2018-12-29"), Kind: calendar.Workday, Name: "元旦", Notice: notice},
		{Date: date(t, "2018-12-31"), Kind: calendar.Holiday, Name: "元旦", Notice: notice},
	}, days)

	for name, tc := range map[string]struct{ text, says string }{
		"empty":           {"", "line 1"},
		"not JSON":        {"{\n\"year\": 2026,\n\"days\" [}", "line 3"},
		"another form":    {"{\n\"year\": 2026,\n\n\"days\": \"none\"}", "line 4"},
		"a list":          {"[]", "can be no array"},
		"no days":         {`{"year":2026,"days":[]}`, "no days"},
		"a bad date":      {`{"year":2026,"days":[{"date":"2026-01-01","isOffDay":true},{"date":"2026-13-01","isOffDay":true}]}`, "days[1]"},
		"no year":         {`{"days":[{"date":"2026-01-01","isOffDay":true}]}`, "year is missing"},
		"no isOffDay":     {`{"year":2026,"days":[{"date":"2026-01-01"}]}`, "days[0]"},
		"of another year": {`{"year":2026,"days":[{"date":"2025-11-30","isOffDay":true}]}`, "2025-11-30"},
	} {
		_, err := calendar.ReadHolidayCN(strings.NewReader(tc.text))
		require.ErrorContains(t, err, tc.says, name)
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add("date,kind,name,source_notice\n2026-10-10,workday,国庆节,通知\n")
	f.Add("\uFEFFdate,kind,name,source_notice\r\n2026-10-01,holiday,\"a\nb\",c\r\n")
	f.Add("date,kind\n")
	f.Fuzz(func(t *testing.T, text string) {
		days, err := calendar.ReadCSV(strings.NewReader(text))
		checkRead(t, days, err)
	})
}

func FuzzReadHolidayCN(f *testing.F) {
	f.Add(`{"year":2026,"papers":["p"],"days":[{"name":"元旦","date":"2026-01-01","isOffDay":true}]}`)
	f.Add(`{"year":0,"days":[{"date":"0000-01-01","isOffDay":true}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		days, err := calendar.ReadHolidayCN(strings.NewReader(text))
		checkRead(t, days, err)
	})
}

// checkRead holds what a reader promises: an error, or days that exist and that a calendar made of
// them, if there can be one, counts like its table says.
func checkRead(t *testing.T, days []calendar.Day, err error) {
	t.Helper()
	if err != nil {
		require.Nil(t, days)
		return
	}
	require.NotEmpty(t, days)
	calendar.Check(days)
	n, err := calendar.NewNotices("fuzz", days)
	if err != nil {
		return
	}
	c := newCalendar(t, n, officeHours)
	for _, d := range n.Days() {
		require.True(t, d.Date.Valid())
		require.Equal(t, d.Kind == calendar.Workday, c.Working(d.Date))
		require.True(t, d.Date.Before(c.Next(d.Date)))
	}
}
