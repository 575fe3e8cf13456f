package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// An import of the next year's notice comes in force, on record with who brought
// it, and a process that ends before anybody was told is made up for. The cases
// of this place count every day, so none of them moves.
func TestHolidayNoticeIsImported(t *testing.T) { //nolint:paralleltest // the calendar is everybody's
	notice := "date,kind,name,source_notice\n2031-01-01,holiday,元旦,国办发明电〔2030〕0号\n"
	post := func(query, key string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+place.Address+"/v1/calendar/imports?name=2031.csv"+query, strings.NewReader(notice))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+place.tokens[casework.TaskforceOffice])
		r.Header.Set("Content-Type", "text/csv")
		r.Header.Set("Idempotency-Key", key)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer.StatusCode, string(body)
	}
	status, body := post("&dry_run=true", "dry-run-1")
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, `"added":1`)
	status, body = post("", "import-1")
	require.Equal(t, http.StatusConflict, status, body)
	require.Contains(t, body, "calendar_warnings")
	before, err := place.Store.Notices(t.Context())
	require.NoError(t, err)
	require.False(t, before.HasYear(2031), "nothing changed")

	status, body = post("&accept_warnings=true", "import-1")
	require.Equal(t, http.StatusAccepted, status, body)
	after, err := place.Store.Notices(t.Context())
	require.NoError(t, err)
	require.True(t, after.HasYear(2031))
	told := func(version string) casework.CalendarVersion {
		var v casework.CalendarVersion
		require.Eventually(t, func() bool {
			require.NoError(t, as(casework.Auditor).Get(t.Context(), "/v1/calendar/versions/"+version, &v))
			return !v.ToldAt.IsZero()
		}, 30*time.Second, 50*time.Millisecond)
		return v
	}
	v := told(after.Version())
	require.Equal(t, []string{before.Version(), "2031.csv", "国办发明电〔2030〕0号"}, []string{v.BasedOn, v.File, v.Source})
	require.Zero(t, v.Told)

	// The version is in force, and the process ends before it tells anybody.
	plan, err := casework.CalendarImport{File: []byte(strings.ReplaceAll(notice, "2031", "2032")), Name: "2032.csv"}.Plan(after, fmt.Sprint("crash-", calendar.DateOf(time.Now())))
	require.NoError(t, err)
	crashed, err := place.Store.ImportNotices(t.Context(), plan, casework.CalendarImport{Name: "2032.csv"}, "to-01", "crashed")
	require.NoError(t, err)
	n, err := place.Desk.CatchUpCalendar(t.Context())
	require.NoError(t, err)
	require.Positive(t, n)
	told(crashed)
}

// The schedule looks for the next year's notice at nine in the morning of Wuhu,
// from 15 November on, and making it again leaves it as it is.
func TestCalendarIsWatchedEachYear(t *testing.T) {
	t.Parallel()
	d, err := place.Temporal.ScheduleClient().GetHandle(t.Context(), contract.CalendarWatch).Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, 7*24*time.Hour, d.Schedule.Policy.CatchupWindow)
	require.NotEmpty(t, d.Info.NextActionTimes)
	for _, at := range d.Info.NextActionTimes {
		at = at.In(calendar.Shanghai)
		require.Equal(t, "09:00:00", at.Format(time.TimeOnly))
		require.True(t, at.Month() == time.November && at.Day() >= 15 || at.Month() == time.December, at)
	}
}
