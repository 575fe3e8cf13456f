package api

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// almanac is the calendar of a world: versions in memory, and who was told.
type almanac struct {
	versions []casework.CalendarVersion // the newest first
	tables   map[string]calendar.Notices
	keys     map[string]string
	told     []string
	moves    []casework.DeadlineMove
}

func newAlmanac() *almanac {
	seed := calendar.Seed()
	return &almanac{
		versions: []casework.CalendarVersion{{Version: seed.Version(), ImportedBy: "system"}},
		tables:   map[string]calendar.Notices{seed.Version(): seed}, keys: map[string]string{},
		moves: []casework.DeadlineMove{{Case: "W1", District: "340281", Move: casework.Move{Deadline: "W1-T1", Limit: "contact_customer",
			From: calendar.Due{At: noon, Provisional: true}, To: calendar.Due{At: noon.AddDate(0, 0, 1)}}}},
	}
}

func (a *almanac) Notices(context.Context) (calendar.Notices, error) {
	return a.tables[a.versions[0].Version], nil
}

func (a *almanac) NoticesAt(_ context.Context, version string) (calendar.Notices, error) {
	return a.tables[version], nil
}

func (a *almanac) CalendarVersions(context.Context, casework.Page) ([]casework.CalendarVersion, string, error) {
	return a.versions, "", nil
}

func (a *almanac) CalendarVersion(_ context.Context, version string) (casework.CalendarVersion, error) {
	for _, v := range a.versions {
		if v.Version == version {
			return v, nil
		}
	}
	return casework.CalendarVersion{}, missing("calendar_version")
}

func (a *almanac) CalendarMoves(_ context.Context, _ calendar.Notices, _ string, each func(string, []casework.DeadlineMove) error) error {
	if err := each("W0", nil); err != nil {
		return err
	}
	return each("W1", a.moves)
}

func (a *almanac) ProvisionalDeadlines(context.Context) (int64, error) { return 3, nil }

func (a *almanac) ImportedAs(_ context.Context, key string) (string, error) { return a.keys[key], nil }

func (a *almanac) ImportNotices(_ context.Context, p casework.CalendarPlan, i casework.CalendarImport, by, key string) (string, error) {
	v := p.Notices.Version()
	a.keys[key], a.tables[v] = v, p.Notices
	a.versions = append([]casework.CalendarVersion{{
		Version: v, ImportedAt: noon, ImportedBy: by, BasedOn: p.BasedOn, File: i.Name, Source: p.Source, Amended: i.Amend,
	}}, a.versions...)
	return v, nil
}

func (a *almanac) TellOfCalendar(_ context.Context, version string) error {
	a.told = append(a.told, version)
	return nil
}

// notice2027 is a made-up notice with the thirteen net days off that are due.
func notice2027() string {
	var b strings.Builder
	b.WriteString("date,kind,name,source_notice\n2026-12-31,holiday,元旦,国办发明电〔2026〕0号\n2026-12-26,workday,元旦,国办发明电〔2026〕0号\n")
	for d := 4; d <= 16; d++ {
		fmt.Fprintf(&b, "2027-01-%02d,holiday,元旦,国办发明电〔2026〕0号\n", d)
	}
	for _, d := range []string{"2027-01-18", "2027-01-19", "2027-01-20"} { // the 9th, 10th and 16th are weekend days
		fmt.Fprintf(&b, "%s,holiday,元旦,国办发明电〔2026〕0号\n", d)
	}
	return b.String()
}

const imports = "/v1/calendar/imports"

func csvFile() map[string]string { return map[string]string{"Content-Type": "text/csv"} }

func TestDryRunTellsWhatWouldMoveAndChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.ask(t, asked{as: "taskforce_office", path: imports + "?dry_run=true&year=2027", body: notice2027(), headers: csvFile()})
	got := read[calendarPreview](t, rec, http.StatusOK)
	require.Equal(t, "seed-2026", got.BasedOn)
	require.Equal(t, calendar.Counts{Added: 18}, got.Counts)
	require.Len(t, got.Changes, 18)
	require.Empty(t, got.Warnings)
	require.Equal(t, "国办发明电〔2026〕0号", got.Source)
	require.Equal(t, []int{1, 1, 1}, []int{got.Cases, got.Moved, len(got.Moves)})
	require.Equal(t, "联系客户", got.Moves[0].LimitTitle)
	require.Equal(t, "W1-T1", got.Moves[0].Deadline)
	require.True(t, got.Moves[0].From.Provisional)
	require.Contains(t, rec.Body.String(), `"after":{"date":"2026-12-26","kind":"workday"`)
	require.Len(t, w.versions, 1)
	require.Empty(t, w.almanac.told)
}

func TestImportIsDoneOnceAndTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := asked{as: "taskforce_office", path: imports + "?year=2027&name=2027.csv", body: notice2027(),
		headers: map[string]string{"Content-Type": "text/csv", "Idempotency-Key": "import-2027"}}
	rec := w.ask(t, q)
	got := read[calendarVersionView](t, rec, http.StatusAccepted)
	require.True(t, strings.HasPrefix(got.Version, "2026-12-01-"), got.Version)
	require.Equal(t, "https://water.example.cn/v1/calendar/versions/"+got.Version, rec.Header().Get("Location"))
	require.Equal(t, casework.CalendarVersion{Version: got.Version, ImportedAt: got.ImportedAt, ImportedBy: "taskforce_office", BasedOn: "seed-2026",
		File: "2027.csv", Source: "国办发明电〔2026〕0号"}, got.CalendarVersion)
	require.Equal(t, calendar.Counts{Added: 18}, got.Counts)
	again := read[calendarVersionView](t, w.ask(t, q), http.StatusAccepted)
	require.Equal(t, got, again)
	require.Len(t, w.versions, 2)
	require.Equal(t, []string{got.Version, got.Version}, w.almanac.told, "telling twice does no harm; telling never would")

	// The same under another key changes nothing, and says so.
	refused(t, w.ask(t, asked{as: "taskforce_office", path: imports, body: notice2027(), headers: csvFile()}), http.StatusConflict, "calendar_unchanged")

	shown := read[calendarVersionView](t, w.ask(t, asked{as: "auditor", path: "/v1/calendar/versions/" + got.Version}), http.StatusOK)
	require.Equal(t, got, shown)
	refused(t, w.ask(t, asked{as: "auditor", path: "/v1/calendar/versions/none"}), http.StatusNotFound, "calendar_version_not_found")
	list := read[page[casework.CalendarVersion]](t, w.ask(t, asked{as: "engineering", path: "/v1/calendar/versions"}), http.StatusOK)
	require.Len(t, list.Items, 2)
	inForce := read[calendarView](t, w.ask(t, asked{as: "hotline", path: "/v1/calendar?year=2027"}), http.StatusOK)
	require.Equal(t, got.Version, inForce.Version)
	require.Equal(t, calendarYear{Year: 2027, Holidays: 16}, inForce.Years[4])
	require.Empty(t, inForce.MissingYears)
	require.Equal(t, int64(3), inForce.ProvisionalDeadlines)
	require.Len(t, inForce.Days, 16)
}

func TestCalendarTellsWhichNoticeIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := read[calendarView](t, w.ask(t, asked{as: "hotline", path: "/v1/calendar"}), http.StatusOK)
	require.Equal(t, []int{2027}, got.MissingYears, "on 1 December the next year's should be there")
	require.Len(t, got.Days, len(calendar.Seed().Days()))
}

func TestBadCalendarChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const head = "date,kind,name,source_notice\n"
	for name, c := range map[string]struct {
		query, body string
		status      int
		code        string
	}{
		"unreadable":     {"", "\x89PNG", 422, "unreadable_calendar"},
		"empty":          {"", "", 422, "unreadable_calendar"},
		"half a form":    {"", `{"year":2027,"days":[`, 422, "unreadable_calendar"},
		"wrong year":     {"?year=2028", notice2027(), 422, "wrong_year"},
		"year and days":  {"", `{"year":2028,"papers":["n"],"days":[{"name":"x","date":"2027-01-01","isOffDay":true}]}`, 422, "unreadable_calendar"},
		"twice":          {"", head + "2027-01-01,holiday,a,b\n2027-01-01,workday,a,b\n", 422, "bad_calendar"},
		"unusual":        {"", head + "2027-01-01,holiday,a,b\n", 409, "calendar_warnings"},
		"no such option": {"?dryrun=true", notice2027(), 422, "invalid_input"},
		"too large":      {"", strings.Repeat("x", 1<<20+2), 413, "body_too_large"},
	} {
		rec := w.ask(t, asked{as: "taskforce_office", method: http.MethodPost, path: imports + c.query, body: bytes.NewReader([]byte(c.body)), headers: csvFile()})
		t.Log(name)
		p := refused(t, rec, c.status, c.code)
		if name == "unusual" {
			require.Equal(t, []string{"2027"}, fields(p))
		}
	}
	require.Len(t, w.versions, 1)
	require.Empty(t, w.almanac.told)
	w.act(t, asked{as: "taskforce_office", path: imports + "?accept_warnings=true", body: head + "2027-01-01,holiday,a,b\n", headers: csvFile()})
	require.Len(t, w.versions, 2)
}
