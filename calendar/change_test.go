package calendar_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/calendar"
)

func notices(t testing.TB, days ...calendar.Day) calendar.Notices {
	t.Helper()
	n, err := calendar.NewNotices("before", days)
	require.NoError(t, err)
	return n
}

// lines writes changes as a clerk would.
func lines(changes []calendar.Change) []string {
	var all []string
	for _, c := range changes {
		switch {
		case c.Before == nil:
			all = append(all, "+ "+c.Date.String()+" "+string(c.After.Kind))
		case c.After == nil:
			all = append(all, "- "+c.Date.String()+" "+string(c.Before.Kind))
		default:
			all = append(all, "~ "+c.Date.String()+" "+string(c.Before.Kind)+" "+string(c.After.Kind))
		}
	}
	return all
}

func TestReadTellsTheFormsApart(t *testing.T) {
	t.Parallel()
	const table = "date,kind,name,source_notice\n2027-01-01,holiday,元旦,n\n"
	const form = `{"year":2027,"papers":["n"],"days":[{"name":"元旦","date":"2027-01-01","isOffDay":true}]}`
	want := []calendar.Day{{Date: date(t, "2027-01-01"), Kind: calendar.Holiday, Name: "元旦", Notice: "n"}}
	for _, text := range []string{table, "\uFEFF" + table, form, "\uFEFF \n\t" + form} {
		got, err := calendar.Read(strings.NewReader(text))
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for name, text := range map[string]string{
		"nothing": "", "blanks": " \n", "a picture": "\x89PNG\r\n", "a list of JSON": "[1]", "half a file": `{"year":2027,"days":[`,
	} {
		_, err := calendar.Read(strings.NewReader(text))
		require.Error(t, err, name)
	}
}

// A whole notice takes the place of the year's: what it no longer names is gone.
func TestReplaceTakesAwayWhatTheNoticeNoLongerNames(t *testing.T) {
	t.Parallel()
	before := notices(t, day(t, "2026-05-01", calendar.Holiday), day(t, "2027-01-01", calendar.Holiday), day(t, "2027-02-06", calendar.Holiday),
		day(t, "2027-02-20", calendar.Workday), day(t, "2028-01-03", calendar.Holiday))
	after, err := before.Replace("after", []calendar.Day{day(t, "2027-01-01", calendar.Holiday), day(t, "2027-02-05", calendar.Holiday), day(t, "2027-02-20", calendar.Holiday)})
	require.NoError(t, err)
	require.Equal(t, "after", after.Version())
	changes := calendar.Diff(before, after)
	require.Equal(t, []string{"+ 2027-02-05 holiday", "- 2027-02-06 holiday", "~ 2027-02-20 workday holiday"}, lines(changes))
	require.Equal(t, calendar.Counts{Added: 1, Changed: 1, Removed: 1}, calendar.Count(changes))
	require.Equal(t, []int{2026, 2027, 2028}, after.Years())
	require.Equal(t, []string{"- 2027-02-05 holiday", "+ 2027-02-06 holiday", "~ 2027-02-20 holiday workday"}, lines(calendar.Diff(after, before)))
}

// A notice reaches into the December before. Those days come and go with it, and
// not with the notice of their own year.
func TestReplaceKnowsWhoseTheDecemberDaysAre(t *testing.T) {
	t.Parallel()
	y2018 := []calendar.Day{day(t, "2018-01-01", calendar.Holiday), day(t, "2018-10-01", calendar.Holiday)}
	y2019 := []calendar.Day{day(t, "2018-12-29", calendar.Workday), day(t, "2018-12-31", calendar.Holiday), day(t, "2019-01-01", calendar.Holiday)}
	n, err := notices(t, y2018...).Replace("2019", y2019)
	require.NoError(t, err)
	require.Len(t, n.Days(), 5)

	again, err := n.Replace("2018 anew", y2018[:1])
	require.NoError(t, err)
	require.Equal(t, []string{"- 2018-10-01 holiday"}, lines(calendar.Diff(n, again)), "the December days are the notice's for 2019")

	again, err = n.Replace("2019 anew", y2019[2:])
	require.NoError(t, err)
	require.Equal(t, []string{"- 2018-12-29 workday", "- 2018-12-31 holiday"}, lines(calendar.Diff(n, again)))

	_, err = n.Replace("December alone", y2019[:2])
	require.ErrorContains(t, err, "2018-12-29")
	_, err = n.Replace("twice", append(y2019, y2019[2]))
	require.ErrorContains(t, err, "2019-01-01")
}

// Importing a year's own rows changes nothing, and the difference of two tables
// leads from one to the other.
func TestDiffLeadsFromOneTableToTheOther(t *testing.T) {
	t.Parallel()
	seed := calendar.Seed()
	for _, year := range seed.Years() {
		var own []calendar.Day
		for _, d := range seed.Days() {
			if d.Date.Year == year {
				own = append(own, d)
			}
		}
		same, err := seed.Replace("same", own)
		require.NoError(t, err)
		require.Empty(t, calendar.Diff(seed, same))
	}
	all := seed.Days()
	some := rapid.SliceOfDistinct(rapid.IntRange(0, len(all)-1), rapid.ID[int])
	rapid.Check(t, func(t *rapid.T) {
		table := func(label string) calendar.Notices {
			var days []calendar.Day
			for _, i := range some.Draw(t, label) {
				d := all[i]
				d.Name = fmt.Sprint(rapid.IntRange(0, 1).Draw(t, "name"))
				days = append(days, d)
			}
			n, err := calendar.NewNotices(label, days)
			require.NoError(t, err)
			return n
		}
		a, b := table("a"), table("b")
		days := map[calendar.Date]calendar.Day{}
		for _, d := range a.Days() {
			days[d.Date] = d
		}
		for _, c := range calendar.Diff(a, b) {
			if c.Before != nil {
				require.Equal(t, days[c.Date], *c.Before)
			}
			delete(days, c.Date)
			if c.After != nil {
				days[c.Date] = *c.After
			}
		}
		var reached []calendar.Day
		for _, d := range days {
			reached = append(reached, d)
		}
		n, err := calendar.NewNotices("b", reached)
		require.NoError(t, err)
		require.Equal(t, b.Days(), n.Days())
	})
}
