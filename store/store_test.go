package store_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/seal"
	"github.com/curbstop/curbstop/store"
	"github.com/curbstop/curbstop/testkit"
)

func TestPersonalDataLiesSealed(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	s := openAt(t, url, key)
	busyWeek(t, s)
	person := request()
	person.Channel, person.ExternalNumber = casework.Outreach, "OR-7"
	person.Applicant = casework.Applicant{Name: "尉迟恭", Person: true}
	y := contactAndAssessment("W20260302-00007", person, at(2, 9, 0))
	y.save(t, s)
	_, _, err := s.Accept(t.Context(), person, casework.Actor{ID: "customer", Name: "尉迟恭"}, at(2, 9, 0))
	require.NoError(t, err)
	require.NoError(t, s.KeepRows(t.Context(), []casework.KeptRow{{
		List: "park.csv", Line: 7, Cells: []casework.Cell{{Header: "联系人", Text: "欧阳若兰 13955301234"}},
		Faults: []casework.FieldFault{{Field: "联系人", Text: casework.Say("欧阳若兰？", "欧阳若兰?")}},
	}}))
	line, _, err := s.Cases(t.Context(), casework.CaseFilter{Channel: casework.Outreach})
	require.NoError(t, err)
	require.Equal(t, "尉*", line[0].Applicant)

	stored := everything(t, url)
	require.Contains(t, stored, "镜湖区北京西路", "the search must find what stands in the clear")
	for _, secret := range []string{"13955301234", "13855305678", "欧阳若兰", "司马清", "尉迟恭"} {
		require.NotContains(t, stored, secret)
	}
}

// everything is what is stored in all tables, byte by byte.
func everything(t *testing.T, url string) string {
	t.Helper()
	ctx := t.Context()
	connection, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer connection.Close(context.WithoutCancel(ctx))
	rows, err := connection.Query(ctx, `
		SELECT table_name, column_name, data_type FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name IN (SELECT tablename FROM pg_tables WHERE schemaname = 'public')`)
	require.NoError(t, err)
	type column struct{ Table, Name, Type string }
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
	require.NoError(t, err)
	var all strings.Builder
	for _, c := range columns {
		value := pgx.Identifier{c.Name}.Sanitize()
		if c.Type != "bytea" {
			value = "convert_to(" + value + "::text, 'UTF8')"
		}
		rows, err := connection.Query(ctx, "SELECT "+value+" FROM "+pgx.Identifier{c.Table}.Sanitize())
		require.NoError(t, err)
		values, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
		require.NoError(t, err)
		for _, v := range values {
			all.Write(v)
			all.WriteByte('\n')
		}
	}
	return all.String()
}

func TestKeysAreRotated(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	rotated := seal.NewKey("next") + "," + key
	before, after := openAt(t, url, key), openAt(t, url, rotated)
	y := busyWeek(t, before)
	equal(t, read(t, before, y.Number), read(t, after, y.Number))

	phone := casework.CaseFilter{Text: "13855305678"}
	lines, _, err := after.Cases(t.Context(), phone)
	require.NoError(t, err)
	require.Len(t, lines, 1, "indexes outlive a rotation")

	y.act(t, casework.ClaimTask{By: casework.By{Actor: engineer}, Task: y.Number + "-T2"}, at(4, 11, 0))
	y.save(t, after)
	equal(t, y.Case, read(t, after, y.Number).Case)
	_, err = before.Case(t.Context(), y.Number)
	require.ErrorContains(t, err, `key "next" is not on the ring`)
	require.Equal(t, casework.Internal, casework.AsFault(err).Kind)
}

func TestMigrationsGoUpDownAndUpAgain(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	ctx := t.Context()
	steps, err := store.Migrate(ctx, url)
	require.NoError(t, err)
	require.Zero(t, steps)
	busyWeek(t, openAt(t, url, key))

	require.NoError(t, store.MigrateDown(ctx, url, 0))
	connection, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer connection.Close(context.WithoutCancel(ctx))
	var left int
	require.NoError(t, connection.QueryRow(ctx, `
		SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'goose%')
		     + (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace)`).Scan(&left))
	require.Zero(t, left, "something was left behind")

	// Processes that start together share the work.
	var all sync.WaitGroup
	var mutex sync.Mutex
	total := 0
	for range 3 {
		all.Go(func() {
			steps, err := store.Migrate(ctx, url)
			mutex.Lock()
			defer mutex.Unlock()
			total += steps
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Equal(t, 5, total)
	busyWeek(t, openAt(t, url, key))
}

func TestDatabaseThatDoesNotAnswerIsUnavailable(t *testing.T) {
	t.Parallel()
	ring, err := seal.ParseRing(key)
	require.NoError(t, err)
	const nobody = "postgres://u:p@127.0.0.1:1/x?sslmode=disable"
	_, err = store.Open(t.Context(), nobody, store.Options{Ring: ring})
	refused(t, err, casework.Unavailable, "store_unavailable")
	_, err = store.Migrate(t.Context(), nobody)
	refused(t, err, casework.Unavailable, "store_unavailable")

	url := testkit.Database(t)
	s := openAt(t, url, key)
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	refused(t, s.Ping(late), casework.Unavailable, "store_unavailable")
	// What the server ends under a connection is answered the same way, or by a new connection.
	require.NoError(t, execute(t, url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"))
	if _, err = s.Case(t.Context(), "W1"); casework.AsFault(err).Kind != casework.Unavailable {
		refused(t, err, casework.NotFound, "case_not_found")
	}
	_, err = s.Case(t.Context(), "W1")
	refused(t, err, casework.NotFound, "case_not_found")
	_, err = store.Open(t.Context(), url, store.Options{})
	require.Error(t, err)
}

func TestNoticesAreAddedNeverChanged(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx := t.Context()
	none, err := s.Notices(ctx)
	require.NoError(t, err)
	require.Empty(t, none.Version())

	seed := calendar.Seed()
	require.NoError(t, s.SeedNotices(ctx, seed))
	requireNotices(t, s, seed)

	next := []calendar.Day{{Date: calendar.Date{Year: 2027, Month: time.January, Day: 1}, Kind: calendar.Holiday, Name: "元旦", Notice: "国办发明电〔2026〕1号"}}
	amended, err := seed.Amend("2027", next)
	require.NoError(t, err)
	require.NoError(t, s.PutNotices(ctx, "2027", "to-01", amended.Days()))
	requireNotices(t, s, amended)

	require.NoError(t, s.PutNotices(ctx, "2027", "to-01", amended.Days()))
	refused(t, s.PutNotices(ctx, "2027", "to-01", next), casework.Conflict, "notices_exist")
	refused(t, s.PutNotices(ctx, "", "to-01", next), casework.Invalid, "bad_notices")
	require.NoError(t, s.SeedNotices(ctx, seed)) // too late
	requireNotices(t, s, amended)
}

func requireNotices(t *testing.T, s *store.Store, want calendar.Notices) {
	t.Helper()
	got, err := s.Notices(t.Context())
	require.NoError(t, err)
	require.Equal(t, want.Version(), got.Version())
	equal(t, want.Days(), got.Days())
}

func TestNoticesAreSeededOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if err := s.SeedNotices(t.Context(), calendar.Seed()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	requireNotices(t, s, calendar.Seed())
}

func TestStaffKeepTheirPasswordUntilAnotherIsGiven(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx := t.Context()
	member := casework.Staff{
		ID: "tf-01", Name: "陈专", Department: "taskforce", Roles: []casework.Role{casework.Taskforce},
		Districts: []casework.District{"340202"}, Active: true,
	}
	check := func(hash string) {
		t.Helper()
		got, err := s.Staff(ctx, "tf-01")
		require.NoError(t, err)
		equal(t, member, got)
		stored, err := s.PasswordHash(ctx, "tf-01")
		require.NoError(t, err)
		require.Equal(t, hash, stored)
	}
	require.NoError(t, s.PutStaff(ctx, member, "one"))
	check("one")
	member.Name, member.Roles, member.Districts, member.Active = "陈专一", nil, nil, false
	require.NoError(t, s.PutStaff(ctx, member, ""))
	check("one")
	require.NoError(t, s.PutStaff(ctx, member, "two"))
	check("two")
}

func TestRowsAreKeptOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx := t.Context()
	row := func(list string, line int, text string) casework.KeptRow {
		return casework.KeptRow{
			List: list, Line: line, Number: "P-" + text, KeptAt: at(2, 9, 0), KeptBy: "to-01",
			Cells:  []casework.Cell{{Header: "单位名称", Text: text}},
			Faults: []casework.FieldFault{{Field: "单位名称", Text: casework.Say("不清楚", "unclear")}},
		}
	}
	require.NoError(t, s.KeepRows(ctx, nil))
	require.NoError(t, s.KeepRows(ctx, []casework.KeptRow{row("a.csv", 2, "first"), row("a.csv", 3, "second")}))
	require.NoError(t, s.KeepRows(ctx, []casework.KeptRow{row("a.csv", 3, "changed"), row("a.csv", 4, "third"), row("b.csv", 3, "other")}))
	list := func(name string) []casework.KeptRow {
		t.Helper()
		rows, _, err := s.KeptRows(ctx, name, casework.Page{})
		require.NoError(t, err)
		for i := range rows {
			require.Positive(t, rows[i].ID)
			rows[i].ID = 0
		}
		return rows
	}
	// The line that came with other cells mends the first; both are there.
	mended := row("a.csv", 3, "second")
	mended.MendedAt = at(2, 9, 0)
	equal(t, []casework.KeptRow{row("a.csv", 2, "first"), mended, row("a.csv", 3, "changed"), row("a.csv", 4, "third")}, list("a.csv"))
	require.Len(t, list(""), 5)

	// Sent again as it was, nothing is kept twice; sent again and understood, it is mended.
	require.NoError(t, s.KeepRows(ctx, []casework.KeptRow{row("a.csv", 4, "third")}))
	require.NoError(t, s.MendRows(ctx, "a.csv", []int{2, 99}, at(3, 9, 0)))
	first := row("a.csv", 2, "first")
	first.MendedAt = at(3, 9, 0)
	equal(t, []casework.KeptRow{first, mended, row("a.csv", 3, "changed"), row("a.csv", 4, "third")}, list("a.csv"))
}

func TestAuditIsReadWithoutAKey(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	s := openAt(t, url, key)
	require.NoError(t, s.Audit(t.Context(), casework.AuditEntry{Actor: "to-01", What: "contact_unmasked", Target: "W1", Data: json.RawMessage(`{"fields":["phone"]}`)}))
	require.NoError(t, s.Audit(t.Context(), casework.AuditEntry{At: at(2, 9, 0), Actor: "to-01", What: "payload_decoded", Target: "W1"}))
	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer connection.Close(context.WithoutCancel(t.Context()))
	rows, err := connection.Query(t.Context(), "SELECT concat_ws(' ', to_char(at AT TIME ZONE 'Asia/Shanghai', 'DD HH24:MI'), actor, what, target, data->'fields'->>0) FROM audit ORDER BY id")
	require.NoError(t, err)
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Equal(t, []string{"04 12:00 to-01 contact_unmasked W1 phone", "02 09:00 to-01 payload_decoded W1"}, got)
}
