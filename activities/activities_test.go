package activities_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

var errDown = errors.New("out of reach")

// outside is everything that the activities reach, in memory.
type outside struct {
	notices calendar.Notices
	k       *casework.Case
	saved   []casework.Changes
	puts    map[string]string // key to bytes
	err     error
}

func (o *outside) Notices(context.Context) (calendar.Notices, error)    { return o.notices, o.err }
func (o *outside) Case(context.Context, string) (*casework.Case, error) { return o.k, o.err }
func (o *outside) Save(_ context.Context, _ *casework.Case, c casework.Changes) error {
	o.saved = append(o.saved, c)
	return o.err
}

func (o *outside) Put(_ context.Context, key, _ string, r io.Reader) (int64, string, error) {
	b, err := io.ReadAll(r)
	if err != nil || o.err != nil {
		return 0, "", errors.Join(err, o.err)
	}
	o.puts[key] = string(b)
	return int64(len(b)), "sum", nil
}

func newOutside() *outside {
	return &outside{notices: calendar.Seed(), k: &casework.Case{Number: "W1", Version: 9}, puts: map[string]string{}}
}

var hours = calendar.Hours{Spans: []calendar.Span{{From: 9 * 60, To: 17 * 60}}}

// The due moment comes with the version of the calendar that gave it, and the
// deadlines in the order in which they were asked for.
func TestWorkOutDeadlines(t *testing.T) {
	t.Parallel()
	o := newOutside()
	a := &activities.Deadlines{Calendars: o}
	friday := time.Date(2026, 11, 27, 16, 0, 0, 0, calendar.Shanghai)
	in := activities.WorkOutInput{Hours: hours, Deadlines: []casework.Deadline{
		{ID: "W1-T2", Anchor: friday, Budget: calendar.Budget{Unit: calendar.SameDay}, Stale: true},
		{ID: "W1-T1", Anchor: friday, Budget: calendar.Budget{Unit: calendar.WorkingDays, Days: 1}, Stale: true},
	}}
	got, err := a.WorkOutDeadlines(t.Context(), in)
	require.NoError(t, err)
	want := []casework.Deadline{in.Deadlines[0], in.Deadlines[1]}
	for i, due := range []string{"2026-11-27 17:00", "2026-11-30 17:00"} {
		require.Equal(t, due, casework.Clock(got[i].Due.At))
		want[i].Due, want[i].CalendarVersion, want[i].Stale = calendar.Due{At: got[i].Due.At}, "seed-2026", false
	}
	require.Equal(t, want, got)

	in.Hours = calendar.Hours{}
	_, err = a.WorkOutDeadlines(t.Context(), in)
	require.ErrorContains(t, err, "calendar of seed-2026")
	o.err = errDown
	_, err = a.WorkOutDeadlines(t.Context(), in)
	require.ErrorIs(t, err, errDown)
}

func TestSaveRecords(t *testing.T) {
	t.Parallel()
	o := newOutside()
	a := &activities.Records{Recorder: o}
	in := activities.SaveInput{Case: o.k, Changes: casework.Changes{Events: []casework.Event{{Case: "W1", N: 9}}}}
	require.NoError(t, a.SaveRecords(t.Context(), in))
	require.Equal(t, []casework.Changes{in.Changes}, o.saved)
	o.err = errDown
	err := a.SaveRecords(t.Context(), in)
	require.ErrorIs(t, err, errDown)
	require.ErrorContains(t, err, "W1 at version 9")
}

// A draft is named after the decision that asked for it, so a repeated attempt
// gives the same documents; the archive's key names what was drawn.
func TestDraftDocuments(t *testing.T) {
	t.Parallel()
	o := newOutside()
	at := time.Date(2026, 11, 27, 16, 0, 0, 0, time.UTC)
	var drawn []time.Time
	a := &activities.Documents{Cases: o, Archive: o, Write: func(kind casework.DocumentKind, k *casework.Case, now time.Time) (string, []byte, error) {
		drawn = append(drawn, now)
		return kind.Name(), []byte(k.Number + " " + string(kind)), nil
	}}
	in := activities.DraftInput{Number: "W1", Version: 8, Kinds: []casework.DocumentKind{casework.Booking, casework.Briefing}, At: at}
	got, err := a.DraftDocuments(t.Context(), in)
	require.NoError(t, err)
	want := []casework.Document{
		{ID: "W1-8-booking", Kind: casework.Booking, Title: "客户预约报装信息", MediaType: "text/html; charset=utf-8", Size: 10, SHA256: "sum", Key: "cases/W1/W1-8-booking@9"},
		{ID: "W1-8-briefing", Kind: casework.Briefing, Title: "供水现状告知书", MediaType: "text/html; charset=utf-8", Size: 11, SHA256: "sum", Key: "cases/W1/W1-8-briefing@9"},
	}
	require.Equal(t, want, got)
	require.Equal(t, map[string]string{"cases/W1/W1-8-booking@9": "W1 booking", "cases/W1/W1-8-briefing@9": "W1 briefing"}, o.puts)
	again, err := a.DraftDocuments(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, want, again)
	require.Equal(t, []time.Time{at, at, at, at}, drawn, "the moment on the paper is the workflow's")

	a.Write = func(casework.DocumentKind, *casework.Case, time.Time) (string, []byte, error) {
		return "", nil, errDown
	}
	_, err = a.DraftDocuments(t.Context(), in)
	require.ErrorIs(t, err, errDown)
	o.err = errDown
	_, err = a.DraftDocuments(t.Context(), in)
	require.ErrorIs(t, err, errDown)
	require.ErrorContains(t, err, "read case W1")
}
