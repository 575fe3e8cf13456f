package drafts

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

func TestFactWritesShanghaiTimeAndRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value any
		want  string
	}{
		{"", "—"}, {"  ", "—"}, {0, "—"}, {0.0, "—"}, {time.Time{}, "—"}, {calendar.Date{}, "—"},
		{" 一班 ", "一班"}, {100, "100"}, {2.50, "2.5"}, {1e6, "1000000"},
		{time.Date(2026, 12, 31, 16, 30, 0, 0, time.UTC), "2027-01-01 00:30"},
		{calendar.Date{Year: 2026, Month: 2, Day: 3}, "2026-02-03"},
	} {
		got, err := fact(c.value)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	_, err := fact([]string{"a"})
	require.Error(t, err)
}

func TestDay(t *testing.T) {
	t.Parallel()
	require.Equal(t, "2027年1月1日", day(time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC)))
	require.Equal(t, "—", day(time.Time{}))
}

func TestDetailsLeaveNothingOut(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		``:                "",
		`"只有文字"`:          "只有文字",
		`{"b":1,"a":"x"}`: "b：1；a：x",
		`{"at":"2026-11-23T01:00:00Z","ok":true}`:  "at：2026-11-23 09:00；ok：true",
		`{"items":[{"n":1},{"n":null}],"none":{}}`: "items.1.n：1；items.2.n：",
		`[1,"二"]`:  "1：1；2：二",
		`not JSON`: "not JSON",
	} {
		require.Equal(t, want, details(json.RawMessage(data)), data)
	}
}

// Every channel and reason must have a name: a code on a customer's paper is a
// word forgotten here.
func TestTermsAreComplete(t *testing.T) {
	t.Parallel()
	for _, c := range casework.Channels() {
		name, err := term(c)
		require.NoError(t, err)
		require.NotEqual(t, string(c), name)
	}
	name, err := term(casework.LimitName("contact_customer"))
	require.NoError(t, err)
	require.Equal(t, "联系客户", name)
	name, err = term(casework.PauseReason("flood"))
	require.NoError(t, err)
	require.Equal(t, "flood", name, "a policy may add reasons")
}
