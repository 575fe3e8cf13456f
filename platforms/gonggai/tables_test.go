package gonggai_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/gonggai"
	"github.com/curbstop/curbstop/platforms/trial"
	"github.com/curbstop/curbstop/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	projects    = "SPGL_XMJBXXB"
	units       = "SPGL_XMDWXXB"
	items       = "SPGL_XMSPSXBLXXB"
	stepRows    = "SPGL_XMSPSXBLXXXXB"
	attachments = "SPGL_XMSQCLJQTFJXXB"
)

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return b
}

func row(t testing.TB, table string, i int) map[string]any {
	t.Helper()
	return trial.Sample(t, samples, "frontdb_tables", table, i)
}

// good is the sample's project with a code that passes its check, in Wuhu.
func good(t testing.TB, replace ...any) map[string]any {
	t.Helper()
	return trial.With(row(t, projects, 0), append([]any{"jsdwdm", creditCode, "jsddxzqh", "340207", "xzqhdm", "340207", "jsdd", "芜湖市鸠江区测试路1号"}, replace...)...)
}

func itemRow(t testing.TB, replace ...any) map[string]any {
	t.Helper()
	return map[string]any{
		"item": trial.With(row(t, items, 0), replace...), "project": good(t), "units": []any{row(t, units, 0)}, "attachments": []any{row(t, attachments, 0)},
	}
}

func projectRow(t testing.TB, replace ...any) map[string]any {
	t.Helper()
	return map[string]any{"project": good(t, replace...), "units": []any{row(t, units, 0)}}
}

func TestRowsBecomeRequests(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	trial.Golden(t, "sample-project", a, trial.JSON(projects, map[string]any{"project": row(t, projects, 0)}))
	trial.Golden(t, "project", a, trial.JSON(projects, projectRow(t)))
	trial.Golden(t, "item", a, trial.JSON(items, itemRow(t)))
	trial.Golden(t, "item-void", a, trial.JSON(items, trial.With(itemRow(t, "sjyxbs", 0, "sjwxyy", "建设单位撤回"), "dead", true)))
	trial.Golden(t, "step-withdrawn", a, trial.JSON(stepRows, map[string]any{"step": trial.With(row(t, stepRows, 0), "blzt", 14, "blyj", "申请人撤件")}))
}

func TestRowVariations(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	asks := func(m platforms.Message) int {
		read, err := a.Read(m)
		trial.HoldsTo(t, m, read, err)
		require.NoError(t, err)
		return len(read)
	}
	assert.Equal(t, 0, asks(trial.JSON(units, map[string]any{"unit": row(t, units, 0)})))
	assert.Equal(t, 0, asks(trial.JSON(attachments, map[string]any{"attachment": row(t, attachments, 0)})))
	for i := range 4 {
		assert.Equal(t, 0, asks(trial.JSON(stepRows, map[string]any{"step": row(t, stepRows, i)})))
	}
	assert.Equal(t, 0, asks(trial.JSON(projects, trial.With(projectRow(t), "items", []any{"TEST-GSBZ", "TEST-RQBZ"}))), "its items ask for both")
	gasOnly := trial.Understood(t, a, trial.JSON(projects, trial.With(projectRow(t), "items", []any{"TEST-GSBZ"})))
	require.Len(t, gasOnly[0].Intake.Requests, 1)
	assert.Equal(t, casework.Gas, gasOnly[0].Intake.Requests[0].Utility)

	for name, c := range map[string]struct {
		m       platforms.Message
		refused []string
	}{
		"item unknown":           {trial.JSON(items, itemRow(t, "spsxbm", "TEST-LHSP")), []string{"item.spsxbm"}},
		"validity unknown":       {trial.JSON(items, itemRow(t, "sjyxbs", 7)), []string{"item.sjyxbs"}},
		"validity missing":       {trial.JSON(items, itemRow(t, "sjyxbs", nil)), []string{"item.sjyxbs"}},
		"number missing":         {trial.JSON(items, itemRow(t, "spsxslbm", nil)), []string{"item.spsxslbm"}},
		"phone mistyped":         {trial.JSON(items, itemRow(t, "lxrsjh", "1380000000")), []string{"item.lxrsjh"}},
		"corrected":              {trial.JSON(items, trial.With(itemRow(t), "earlier", row(t, items, 0))), []string{"item.sjyxbs"}},
		"step unknown":           {trial.JSON(stepRows, map[string]any{"step": trial.With(row(t, stepRows, 0), "blzt", 99)}), []string{"step.blzt"}},
		"project abolished":      {trial.JSON(projects, projectRow(t, "jsddxzqh", "340208")), []string{"project.jsddxzqh"}},
		"project without place":  {trial.JSON(projects, projectRow(t, "jsdd", nil)), []string{"project.jsdd"}},
		"project ends too early": {trial.JSON(projects, projectRow(t, "njcsj", "2026-01-01")), []string{"project.njcsj"}},
		"project without a code": {trial.JSON(projects, projectRow(t, "jsdwdm", nil)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.refused, trial.Refused(t, a, c.m))
		})
	}
}

func TestNothingOfARowIsLost(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	for kind, message := range map[string]map[string]any{items: itemRow(t), projects: projectRow(t)} {
		trial.NothingIsLost(t, message, func(message map[string]any) (platforms.Message, []platforms.Item, error) {
			m := trial.JSON(kind, message)
			read, err := a.Read(m)
			return m, read, err
		})
	}
}

// exchange is an exchange database with an adapter on our side of it.
type exchange struct {
	*testing.T
	db *sql.DB
	a  *gonggai.Adapter
}

func newExchange(t *testing.T) exchange {
	t.Helper()
	url := testkit.Database(t)
	a, err := gonggai.New(nil, gonggai.Options{Database: url})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, a.Close()) })
	db, err := sql.Open("pgx", url)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	_, err = db.ExecContext(t.Context(), string(readFile(t, "testdata/front.sql")))
	require.NoError(t, err)
	return exchange{t, db, a}
}

// put writes a row as the platform does.
func (x exchange) put(table string, row map[string]any) {
	x.Helper()
	row = maps.Clone(row)
	delete(row, "lsh") // drawn by the table
	columns := slices.Sorted(maps.Keys(row))
	var places []string
	var values []any
	for i, c := range columns {
		places = append(places, fmt.Sprintf("$%d", i+1))
		if n, ok := row[c].(json.Number); ok {
			row[c] = n.String()
		}
		values = append(values, row[c])
	}
	_, err := x.db.ExecContext(x.Context(), "INSERT INTO "+table+" ("+strings.Join(columns, ",")+") VALUES ("+strings.Join(places, ",")+")", values...)
	require.NoError(x, err)
}

func (x exchange) sample(table string, i int, replace ...any) {
	x.Helper()
	x.put(table, trial.With(row(x, table, i), replace...))
}

// taken is what became of one row.
type taken struct {
	Table string
	Keys  []string
	Fault string
}

// turn polls once and settles what was polled.
func (x exchange) turn() []taken {
	x.Helper()
	rows, err := x.a.Poll(x.Context(), 100)
	require.NoError(x, err)
	var all []taken
	for _, m := range rows {
		m.ID = "M1"
		read, err := x.a.Read(m)
		trial.HoldsTo(x, m, read, err)
		was := taken{Table: m.Kind}
		o := platforms.Outcome{Message: m.ID}
		if err != nil {
			o.Fault = casework.AsFault(err)
			was.Fault = o.Fault.Fields[0].Field
		}
		for _, r := range read {
			was.Keys = append(was.Keys, r.Key)
		}
		require.NoError(x, x.a.Settle(x.Context(), m, o))
		all = append(all, was)
	}
	return all
}

type settled struct {
	State  int
	Reason string
}

func (x exchange) settled(table string) map[string]settled {
	x.Helper()
	rows, err := x.db.QueryContext(x.Context(), "SELECT right(dfsjzj, 2), sjsczt, coalesce(sbyy, '') FROM "+table)
	require.NoError(x, err)
	defer func() { assert.NoError(x, rows.Close()) }()
	all := map[string]settled{}
	for rows.Next() {
		var key string
		var s settled
		require.NoError(x, rows.Scan(&key, &s.State, &s.Reason))
		all[key] = s
	}
	require.NoError(x, rows.Err())
	return all
}

const (
	gcdm         = "2600-340100-04-01-000001-T1"
	waterItem    = "340100260101TEST0001"
	gasItem      = "340100260101TEST0002"
	anotherRow   = "00000000-0000-4000-8000-0000000000"
	acceptedByUs = 3
)

func TestChildrenComeAfterTheirParents(t *testing.T) {
	t.Parallel()
	x := newExchange(t)
	// Everything waits at once, children written before their parents.
	x.sample(attachments, 0)
	x.sample(stepRows, 0)
	x.sample(items, 0)
	x.sample(items, 1)
	x.sample(units, 0)
	x.put(projects, good(t))

	assert.Equal(t, []taken{{Table: projects}}, x.turn(), "its items ask for both utilities: no lead")
	assert.Equal(t, []taken{{Table: units}, {Table: items, Keys: []string{waterItem}}, {Table: items, Keys: []string{gasItem}}}, x.turn())
	assert.Equal(t, []taken{{Table: stepRows}, {Table: attachments}}, x.turn())
	assert.Empty(t, x.turn())
	for _, table := range []string{projects, units, items, stepRows, attachments} {
		for key, s := range x.settled(table) {
			assert.Equal(t, settled{State: acceptedByUs}, s, "%s %s", table, key)
		}
	}
}

func TestTwoItemsOfOneProjectShareItsCode(t *testing.T) {
	t.Parallel()
	x := newExchange(t)
	x.put(projects, good(t))
	x.turn()
	x.sample(items, 0)
	x.sample(items, 1)
	rows, err := x.a.Poll(t.Context(), 100)
	require.NoError(t, err)
	var utilities []casework.Utility
	for _, m := range rows {
		q := trial.Understood(t, x.a, m)[0].Intake.Requests[0]
		utilities = append(utilities, q.Utility)
		assert.Equal(t, gcdm, q.Project)
		assert.Equal(t, "测试置业有限公司", q.Applicant.Name)
		assert.Equal(t, "测试张甲", q.Contact.Name)
	}
	assert.Equal(t, []casework.Utility{casework.Water, casework.Gas}, utilities)
}

func TestAProjectAloneIsALead(t *testing.T) {
	t.Parallel()
	x := newExchange(t)
	x.put(projects, good(t))
	rows, err := x.a.Poll(t.Context(), 100)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	read := trial.Understood(t, x.a, rows[0])
	require.Len(t, read, 1)
	for i, u := range []casework.Utility{casework.Water, casework.Gas} {
		q := read[0].Intake.Requests[i]
		assert.True(t, q.Lead)
		assert.Equal(t, u, q.Utility)
		assert.Equal(t, gcdm, q.ExternalNumber)
	}
}

func TestRefusedRowsSayWhyAndKeepTheirChildrenWaiting(t *testing.T) {
	t.Parallel()
	x := newExchange(t)
	x.sample(projects, 0) // of another city, with a code that fails its check
	x.sample(items, 0)
	assert.Equal(t, []taken{{Table: projects, Fault: "project.jsddxzqh"}}, x.turn())
	s := x.settled(projects)["01"]
	assert.Equal(t, 2, s.State)
	assert.Contains(t, s.Reason, "project.jsddxzqh “340100”不是芜湖市的区县")
	assert.LessOrEqual(t, len([]rune(s.Reason)), 200)
	assert.Empty(t, x.turn(), "the item waits for its project")

	// The platform mends the project: a void copy and a new row.
	x.sample(projects, 0, "dfsjzj", anotherRow+"a1", "sjyxbs", 0, "sjwxyy", "更正")
	x.put(projects, good(t, "dfsjzj", anotherRow+"a2"))
	x.turn()
	assert.Equal(t, []taken{{Table: items, Keys: []string{waterItem}}}, x.turn())
}

// A person mended the message of a refused row: the row counts as accepted, and
// what waited for it comes. Where the platform corrected it meanwhile, it is
// left as it stands.
func TestARefusedRowIsSettledAgain(t *testing.T) {
	t.Parallel()
	refused := func(t *testing.T) (exchange, platforms.Message) {
		t.Helper()
		x := newExchange(t)
		x.put(projects, good(t, "jsdwdm", "91340200MA8TEAT00K"))
		x.sample(items, 0)
		rows, err := x.a.Poll(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, rows, 1)
		x.turn()
		require.Equal(t, 2, x.settled(projects)["01"].State)
		return x, rows[0]
	}
	again := func(x exchange, m platforms.Message) bool {
		x.Helper()
		done, err := x.a.SettleAgain(x.Context(), m, platforms.Outcome{Message: "M1", Numbers: []string{"W20261124-00001"}})
		require.NoError(x, err)
		return done
	}
	t.Run("it counts as accepted", func(t *testing.T) {
		t.Parallel()
		x, m := refused(t)
		assert.True(t, again(x, m))
		assert.Equal(t, settled{State: acceptedByUs}, x.settled(projects)["01"])
		assert.False(t, again(x, m), "once")
		next := x.turn()
		require.Len(t, next, 1)
		assert.Equal(t, items, next[0].Table, "it waited for its project")
	})
	t.Run("the platform voided it", func(t *testing.T) {
		t.Parallel()
		x, m := refused(t)
		x.put(projects, good(t, "dfsjzj", anotherRow+"a1", "sjyxbs", 0, "sjwxyy", "更正"))
		assert.False(t, again(x, m))
		assert.Equal(t, 2, x.settled(projects)["01"].State)
	})
	t.Run("the platform sent another in its place", func(t *testing.T) {
		t.Parallel()
		x, m := refused(t)
		x.put(projects, good(t, "dfsjzj", anotherRow+"a1", "sjyxbs", 0, "sjwxyy", "更正"))
		x.put(projects, good(t, "dfsjzj", anotherRow+"a2"))
		assert.False(t, again(x, m), "the new one waits")
		x.turn()
		assert.False(t, again(x, m), "the new one was accepted")
		assert.Equal(t, 2, x.settled(projects)["01"].State)
	})
	t.Run("what it sent in its place was refused and mended", func(t *testing.T) {
		t.Parallel()
		x, _ := refused(t)
		x.put(projects, good(t, "dfsjzj", anotherRow+"a1", "sjyxbs", 0, "sjwxyy", "更正"))
		x.put(projects, good(t, "dfsjzj", anotherRow+"a2", "jsdd", nil))
		rows, err := x.a.Poll(t.Context(), 10)
		require.NoError(t, err)
		x.turn()
		require.Equal(t, 2, x.settled(projects)["a2"].State)
		assert.True(t, again(x, rows[len(rows)-1]))
		assert.Equal(t, acceptedByUs, x.settled(projects)["a2"].State)
	})
	t.Run("the platform changed the row itself", func(t *testing.T) {
		t.Parallel()
		x, m := refused(t)
		_, err := x.db.ExecContext(t.Context(), "UPDATE "+projects+" SET jsdd = '芜湖市鸠江区别处2号'")
		require.NoError(t, err)
		assert.False(t, again(x, m))
	})
	t.Run("a push is no row", func(t *testing.T) {
		t.Parallel()
		x, _ := refused(t)
		assert.False(t, again(x, platforms.Message{Kind: "api/appService/submit", Body: []byte("data={}")}))
		assert.False(t, again(x, platforms.Message{Kind: projects, Body: []byte("{")}))
	})
}

func TestRowsWithoutAKeyFailTheirOwnCheck(t *testing.T) {
	t.Parallel()
	x := newExchange(t)
	x.put(projects, good(t))
	x.turn()
	x.sample(items, 0, "spsxslbm", nil)
	assert.Equal(t, []taken{{Table: items, Fault: "item.spsxslbm"}}, x.turn())
	assert.Equal(t, -1, x.settled(items)["03"].State)
}

func TestCorrectionsAndWithdrawals(t *testing.T) {
	t.Parallel()
	begun := func(t *testing.T) exchange {
		t.Helper()
		x := newExchange(t)
		x.put(projects, good(t))
		x.turn()
		x.sample(items, 0)
		require.Equal(t, []taken{{Table: items, Keys: []string{waterItem}}}, x.turn())
		return x
	}
	t.Run("a void row alone withdraws", func(t *testing.T) {
		t.Parallel()
		x := begun(t)
		x.sample(items, 0, "dfsjzj", anotherRow+"b1", "sjyxbs", 0, "sjwxyy", "建设单位撤回")
		assert.Equal(t, []taken{{Table: items, Keys: []string{waterItem + "/void"}}}, x.turn())
		assert.Equal(t, settled{State: acceptedByUs}, x.settled(items)["b1"])
	})
	for name, order := range map[string][]int{"void first": {0, 1}, "valid first": {1, 0}} {
		t.Run("a correction goes to a person, "+name, func(t *testing.T) {
			t.Parallel()
			x := begun(t)
			for _, which := range order {
				x.sample(items, 0, "dfsjzj", fmt.Sprintf("%sb%d", anotherRow, which), "sjyxbs", which, "sjwxyy", "联系人变更", "lxr", []any{"测试张甲", "测试李乙"}[which])
			}
			got := x.turn()
			assert.ElementsMatch(t, []taken{{Table: items}, {Table: items, Fault: "item.sjyxbs"}}, got)
			all := x.settled(items)
			assert.Equal(t, settled{State: acceptedByUs}, all["b0"])
			assert.Equal(t, acceptedByUs, all["b1"].State)
			assert.Contains(t, all["b1"].Reason, "人工")
		})
	}
	t.Run("a row voided before it was read asks for nothing", func(t *testing.T) {
		t.Parallel()
		x := newExchange(t)
		x.put(projects, good(t))
		x.turn()
		x.sample(items, 0)
		x.sample(items, 0, "dfsjzj", anotherRow+"b1", "sjyxbs", 0)
		assert.Equal(t, []taken{{Table: items}, {Table: items}}, x.turn())
	})
	t.Run("a row corrected before it was read counts as it is now", func(t *testing.T) {
		t.Parallel()
		x := newExchange(t)
		x.put(projects, good(t))
		x.turn()
		x.sample(items, 0, "lxrsjh", "1")
		require.Equal(t, []taken{{Table: items, Fault: "item.lxrsjh"}}, x.turn())
		x.sample(items, 0, "dfsjzj", anotherRow+"b0", "sjyxbs", 0)
		x.sample(items, 0, "dfsjzj", anotherRow+"b1")
		assert.Equal(t, []taken{{Table: items}, {Table: items, Keys: []string{waterItem}}}, x.turn())
	})
	t.Run("a step of the platform withdraws", func(t *testing.T) {
		t.Parallel()
		x := begun(t)
		x.sample(stepRows, 0, "blzt", 14)
		assert.Equal(t, []taken{{Table: stepRows, Keys: []string{waterItem + "/withdraw"}}}, x.turn())
	})
}

func TestSettlingAndPollingAreRepeatable(t *testing.T) {
	t.Parallel()
	x := newExchange(t)
	x.put(projects, good(t))
	first, err := x.a.Poll(t.Context(), 100)
	require.NoError(t, err)
	second, err := x.a.Poll(t.Context(), 100)
	require.NoError(t, err)
	assert.Equal(t, first, second, "the same row is the same message until it is settled")
	for range 2 {
		require.NoError(t, x.a.Settle(t.Context(), first[0], platforms.Outcome{}))
	}
	// What is settled stays so: a late outcome changes nothing.
	require.NoError(t, x.a.Settle(t.Context(), first[0], platforms.Outcome{Fault: casework.Refuse(casework.Invalid, "x", casework.Say("晚", "late"))}))
	assert.Equal(t, settled{State: acceptedByUs}, x.settled(projects)["01"])
}

func TestPollTakesNoMoreThanItsLimit(t *testing.T) {
	t.Parallel()
	x := newExchange(t)
	x.put(projects, good(t))
	x.turn()
	x.sample(units, 0)
	x.sample(items, 0)
	x.sample(items, 1)
	rows, err := x.a.Poll(t.Context(), 2)
	require.NoError(t, err)
	var kinds []string
	for _, m := range rows {
		kinds = append(kinds, m.Kind)
	}
	assert.Equal(t, []string{units, items}, kinds)
}

func TestStatesAreWrittenOnceAndNotReadBack(t *testing.T) {
	t.Parallel()
	x := newExchange(t)
	x.put(projects, good(t))
	x.turn()
	x.sample(items, 0)
	x.turn()
	r := platforms.Report{External: waterItem, Number: "W20261124-00001", Utility: casework.Water, By: "客户服务部", Note: casework.Say("同意受理", "accepted")}
	trial.GoldenReports(t, "reports-tables", x.a, r)
	for n, state := range casework.Milestones() {
		r.N, r.State, r.At = n+1, state, trial.ReceivedAt
		o, told, err := x.a.Report(r)
		require.NoError(t, err)
		if !told {
			continue
		}
		for range 2 {
			require.NoError(t, x.a.Write(t.Context(), fmt.Sprintf("W20261124-00001/%d", r.N), o))
		}
	}
	rows, err := x.db.QueryContext(t.Context(), `SELECT blzt, blsj::text, blcs, blyj, dwmc, gcdm, sjsczt, sjyxbs, dfsjzj FROM `+stepRows+` ORDER BY lsh`)
	require.NoError(t, err)
	defer func() { assert.NoError(t, rows.Close()) }()
	var states []int
	for rows.Next() {
		var blzt, sjsczt, sjyxbs int
		var blsj, blcs, blyj, dwmc, code, key string
		require.NoError(t, rows.Scan(&blzt, &blsj, &blcs, &blyj, &dwmc, &code, &sjsczt, &sjyxbs, &key))
		states = append(states, blzt)
		assert.Equal(t, []any{"2026-11-24 10:00:00", "客户服务部", "同意受理", "测试供水有限公司", gcdm, 0, 1}, []any{blsj, blcs, blyj, dwmc, code, sjsczt, sjyxbs})
		assert.Regexp(t, `^c5b09000-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$`, key)
	}
	require.NoError(t, rows.Err())
	assert.Equal(t, []int{1, 3, 8, 9, 10, 11, 14}, states)
	assert.Empty(t, x.turn(), "rows of ours wait for the platform, not for us")

	_, told, err := x.a.Report(platforms.Report{External: gcdm, State: casework.MilestoneReceived, Request: &casework.Request{Lead: true}})
	require.NoError(t, err)
	require.False(t, told, "a project alone has no steps")
	o, _, err := x.a.Report(platforms.Report{External: "unknown", State: casework.MilestoneReceived})
	require.NoError(t, err)
	require.Error(t, x.a.Write(t.Context(), "k", o), "a step needs its item; it is tried again")
}
