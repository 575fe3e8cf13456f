package sim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The tables of the national data standard V3 that matter here.
const (
	projectTable = "spgl_xmjbxxb"
	unitTable    = "spgl_xmdwxxb"
	itemTable    = "spgl_xmspsxblxxb"
	stepTable    = "spgl_xmspsxblxxxxb"
	fileTable    = "spgl_xmsqcljqtfjxxb"
)

// What stands in SJSCZT.
const (
	rowWaits    = 0
	rowAccepted = 3
)

// frontTables are the front database (前置库) as the standard has it: every
// table has the sender's key, the state of its exchange, and whether it holds.
// The column sim_n is the stand-in's own: in which order rows came.
var frontTables = []struct{ name, columns string }{
	{projectTable, `gcdm varchar(100), xmdm varchar(100), xmmc varchar(500), jsdw varchar(200), jsdwdm varchar(50), jsdwlx integer,
		jsdd varchar(500), jsddxzqh varchar(12), jsgmjnr text, gbhy varchar(20), gbhydmfbnd varchar(4), gcfl integer, gcfw varchar(500), gchyfl varchar(10),
		jsxz integer, jzmj numeric, ydmj numeric, cd numeric, ztze numeric, lxlx integer, nkgsj timestamp, njcsj timestamp, qjdgcdm varchar(100), sbsj timestamp,
		sfwcqypg integer, sfxxgc integer, splcbbh integer, splcbm varchar(50), splclx integer, tdhqfs integer, tdsfdsjfa integer, xmjwdzb varchar(500),
		xmsfwqbj integer, xmtzly integer, xmwqbjsj timestamp, xmzjsx integer, gxsj timestamp`},
	{unitTable, `xmdm varchar(100), gcdm varchar(100), dwlx integer, dwmc varchar(200), dwtyshxydm varchar(50), gxsj timestamp`},
	{itemTable, `gcdm varchar(100), spsxslbm varchar(100), blspslbm varchar(100), spsxbm varchar(50), spsxbbh integer, splcbm varchar(50), splcbbh integer,
		spbmbm varchar(50), spbmmc varchar(200), lxr varchar(100), lxrsjh varchar(50), gkfs integer, slfs integer, sxblsx integer, ywqx integer,
		qypgdybm varchar(50), sxgzcnzspqk varchar(500), yyqypgqk varchar(500)`},
	{stepTable, `gcdm varchar(100), spsxslbm varchar(100), blcs varchar(200), blr varchar(100), blsj timestamp, blyj varchar(2000), blzt integer,
		dwmc varchar(200), dwtyshxydm varchar(50), sjly varchar(10)`},
	{fileTable, `gcdm varchar(100), spsxslbm varchar(100), blspslbm varchar(100), clfl integer, clid varchar(50), cllx varchar(20), clmc varchar(200),
		clmlbh varchar(50), dzzzwjlj varchar(500), sqfs integer, sqsl integer, zzbh varchar(100), zzbs varchar(100), zzlx varchar(50), zzmc varchar(200)`},
}

// exchange is the platform's side of the front database.
type exchange struct {
	db     *pgxpool.Pool
	ledger *ledger
	sender string

	// looking keeps a look and a row that is sent again apart: what was read
	// before must not count for after.
	looking sync.Mutex

	mu    sync.Mutex
	rows  map[string]*watched // by their key
	steps map[string]bool     // keys of the steps that we were told
}

// watched is a row that we look back at.
type watched struct {
	table string
	entry int // in the ledger
	state int // as it was when we looked last
	// waitsFor is the project that it must not be taken before; empty: none.
	waitsFor string
	good     bool // it is to be accepted; else refused with a reason
}

func openExchange(ctx context.Context, url, sender string, l *ledger) (*exchange, error) {
	// The error would repeat the password.
	unreachable := errors.New("无法连接前置库 the exchange database can't be reached")
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, unreachable
	}
	if !loopback(c.ConnConfig.Host) && !strings.HasPrefix(c.ConnConfig.Host, "/") {
		return nil, fmt.Errorf("前置库应在本机：%[1]s the exchange database must be on this machine: %[1]s", c.ConnConfig.Host)
	}
	x := &exchange{ledger: l, sender: sender, rows: map[string]*watched{}, steps: map[string]bool{}}
	if x.db, err = pgxpool.NewWithConfig(ctx, c); err != nil {
		return nil, unreachable
	}
	if err := x.makeTables(ctx); err != nil {
		x.db.Close()
		return nil, errors.Join(unreachable, err)
	}
	return x, nil
}

func (x *exchange) makeTables(ctx context.Context) error {
	for _, t := range frontTables {
		// What stands here is in every table of the standard.
		_, err := x.db.Exec(ctx, "CREATE TABLE IF NOT EXISTS "+t.name+" (dfsjzj varchar(50) PRIMARY KEY, lsh bigint, xzqhdm varchar(12), "+t.columns+
			", sjyxbs integer NOT NULL, sjwxyy varchar(500), sjsczt integer NOT NULL, sbyy varchar(500), sim_n bigint GENERATED ALWAYS AS IDENTITY)")
		if err != nil {
			return err
		}
	}
	return nil
}

// MakeTables makes the exchange tables in a database where they are missing,
// for whoever starts the other side before the stand-in.
func MakeTables(ctx context.Context, url string) error {
	x, err := openExchange(ctx, url, "", nil)
	if err == nil {
		x.close()
	}
	return err
}

func (x *exchange) close() { x.db.Close() }

// row is one row of the front database.
type row struct {
	table  string
	key    string
	values map[string]any
}

// insert puts rows in, all at once, as one batch of the platform comes.
func (x *exchange) insert(ctx context.Context, rows ...row) error {
	return pgx.BeginFunc(ctx, x.db, func(tx pgx.Tx) error {
		for _, r := range rows {
			values := map[string]any{"dfsjzj": r.key, "xzqhdm": "340200", "sjyxbs": 1, "sjsczt": rowWaits}
			maps.Copy(values, r.values)
			var columns, places []string
			var arguments []any
			for column, v := range values {
				columns, arguments = append(columns, column), append(arguments, v)
				places = append(places, fmt.Sprintf("$%d", len(arguments)))
			}
			if _, err := tx.Exec(ctx, "INSERT INTO "+r.table+" ("+strings.Join(columns, ", ")+") VALUES ("+strings.Join(places, ", ")+")", arguments...); err != nil {
				return fmt.Errorf("前置库 %[1]s the exchange table %[1]s: %[2]w", r.table, err)
			}
		}
		return nil
	})
}

// watch has a row looked back at.
func (x *exchange) watch(r row, w watched, e Entry) {
	e.Direction, e.Platform, e.Kind = Row, x.sender, r.table
	w.table, w.entry = r.table, x.ledger.add(e)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.rows[r.key] = &w
}

// sendAgain has rows that were accepted wait once more, as a platform does that
// is not sure.
func (x *exchange) sendAgain(ctx context.Context, r row, e Entry) error {
	x.looking.Lock()
	defer x.looking.Unlock()
	if _, err := x.db.Exec(ctx, "UPDATE "+r.table+" SET sjsczt = $1, sbyy = NULL WHERE dfsjzj = $2", rowWaits, r.key); err != nil {
		return err
	}
	x.watch(r, watched{good: true}, e)
	return nil
}

// look reads back what became of our rows, and the steps that we are told.
func (x *exchange) look(ctx context.Context) error {
	x.looking.Lock()
	defer x.looking.Unlock()
	// All tables as of one moment: a project that is settled between two looks
	// would seem to come after its items.
	one := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	if err := pgx.BeginTxFunc(ctx, x.db, one, func(tx pgx.Tx) error {
		for _, t := range frontTables {
			rows, err := tx.Query(ctx, "SELECT dfsjzj, sjsczt, COALESCE(sbyy, '') FROM "+t.name+" ORDER BY sim_n")
			if err != nil {
				return err
			}
			var key, reason string
			var state int
			if _, err := pgx.ForEachRow(rows, []any{&key, &state, &reason}, func() error {
				x.note(key, state, reason)
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return x.readSteps(ctx)
}

func (x *exchange) note(key string, state int, reason string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	w, ours := x.rows[key]
	if !ours || w.state == state || state == rowWaits {
		return
	}
	w.state = state
	x.ledger.change(w.entry, func(e *Entry) {
		e.Status, e.Answer = state, reason
		switch {
		case w.good:
			e.Good = state == rowAccepted
			if !e.Good {
				e.Fault = fmt.Sprintf("未被接收 it was not accepted: %d %s", state, reason)
			}
		case state == rowAccepted && e.Kept != "": // a person mended it since
		case state == rowAccepted || reason == "":
			e.Fault = "无法识别的行未说明原因 what nobody can understand was not refused with a reason"
		default:
			e.Good, e.Kept = true, reason
		}
		if p, waits := x.rows[w.waitsFor]; waits && p.state != rowAccepted {
			e.Fault = "先于其项目被处理 it was settled before its project was"
		}
	})
}

// readSteps takes the steps that the other side writes, as the platform does.
func (x *exchange) readSteps(ctx context.Context) error {
	rows, err := x.db.Query(ctx, "SELECT dfsjzj, COALESCE(spsxslbm, ''), COALESCE(blzt, 0), blsj, COALESCE(blr, ''), COALESCE(gcdm, ''), sjyxbs FROM "+
		stepTable+" WHERE sjsczt = 0 ORDER BY sim_n")
	if err != nil {
		return err
	}
	type step struct {
		key, external, who, project string
		state, valid                int
		at                          *time.Time
	}
	steps, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (s step, err error) {
		err = r.Scan(&s.key, &s.external, &s.state, &s.at, &s.who, &s.project, &s.valid)
		return s, err
	})
	if err != nil {
		return err
	}
	words := map[int]State{1: received, 3: accepted, 6: suspended, 7: resumed, 8: inWork, 9: suspended, 10: resumed, 11: completed, 12: completed, 13: withdrawn, 14: withdrawn}
	for _, s := range steps {
		x.mu.Lock()
		_, sent := x.rows[s.key]
		known := x.steps[s.key]
		x.steps[s.key] = true
		x.mu.Unlock()
		if sent || known {
			continue
		}
		e := Entry{Direction: Told, Platform: x.sender, Kind: stepTable, External: s.external, Key: s.key, State: fmt.Sprint(s.state), Meaning: words[s.state], Reaction: Took}
		switch {
		case words[s.state] == "":
			e.Fault = "BLZT 不在标准中 BLZT is not in the standard"
		case s.at == nil || s.who == "" || s.project == "" || s.valid != 1:
			e.Fault = "步骤缺少 BLSJ、BLR、GCDM 或无效 the step lacks BLSJ, BLR or GCDM, or is void"
		}
		x.ledger.add(e)
		if _, err := x.db.Exec(ctx, "UPDATE "+stepTable+" SET sjsczt = $1 WHERE dfsjzj = $2", rowAccepted, s.key); err != nil {
			return err
		}
	}
	return nil
}

// project invents a project with its unit, its items and their attachments.
func (d *draw) project(items ...string) (rows []row) {
	p, company, code, build := d.place(), d.company(), d.creditCode(), d.number("2600-340200-04-01-")
	work := build + "-T1"
	key := func(i int) string { return fmt.Sprintf("sim-%s-%04d-%d", d.mark, d.n, i) }
	moment := d.now.In(shanghai)
	rows = []row{
		{projectTable, key(1), map[string]any{
			"gcdm": work, "xmdm": build, "xmmc": "演示厂房（测试数据）", "jsdw": company, "jsdwdm": code, "jsdwlx": 1, "jsdd": p.address(d), "jsddxzqh": p.code,
			"jsgmjnr": "新建厂房2栋，配套给水、燃气管线（测试数据）", "gbhy": "7010", "gbhydmfbnd": "2017", "gcfl": 31, "gcfw": "1#-2#楼", "gchyfl": "01", "jsxz": 0,
			"jzmj": 56000, "ydmj": 20000, "ztze": 12000.5, "lxlx": 9, "nkgsj": moment.AddDate(0, 1, 0), "njcsj": moment.AddDate(1, 0, 0), "sbsj": moment,
			"sfwcqypg": 0, "sfxxgc": 0, "splcbbh": 1, "splcbm": "TEST-SPLC-0001", "splclx": 3, "tdhqfs": 1, "tdsfdsjfa": 0, "xmjwdzb": "118.433000,31.352000",
			"xmsfwqbj": 0, "xmtzly": 2, "xmzjsx": 1,
		}},
		{unitTable, key(2), map[string]any{"xmdm": build, "gcdm": work, "dwlx": 1, "dwmc": company, "dwtyshxydm": code, "gxsj": moment}},
	}
	for i, item := range items {
		external := d.number("340200GG") + fmt.Sprint(i+1)
		rows = append(rows,
			row{itemTable, key(10 + i), map[string]any{
				"gcdm": work, "spsxslbm": external, "blspslbm": d.number("TEST-BLSP-"), "spsxbm": item, "spsxbbh": 1, "splcbm": "TEST-SPLC-0001", "splcbbh": 1,
				"spbmbm": "91340200TEST00002X", "spbmmc": "测试公用事业有限公司", "lxr": d.person(), "lxrsjh": d.phone(), "gkfs": 1, "slfs": 1, "sxblsx": 4, "ywqx": 1,
			}},
			row{fileTable, key(20 + i), map[string]any{
				"gcdm": work, "spsxslbm": external, "blspslbm": d.number("TEST-BLSP-"), "clfl": 1, "clid": key(30 + i), "cllx": ".pdf", "clmc": "建设工程规划许可证",
				"clmlbh": "001", "sqfs": 1, "sqsl": 1,
			}})
	}
	return rows
}

// send has the platform put something into its tables: in order, out of order,
// twice, or so that nobody can understand it.
func (x *exchange) send(ctx context.Context, d *draw, wrong Wrong) error {
	items := among(d, []string{"TEST-GSBZ", "TEST-RQBZ"}, []string{"TEST-GSBZ"}, []string{"TEST-RQBZ"})
	rows := d.project(items...)
	external := func(r row) string {
		if s, ok := r.values["spsxslbm"].(string); ok {
			return s
		}
		return fmt.Sprint(r.values["gcdm"])
	}
	note := func(r row, w watched, how string) {
		x.watch(r, w, Entry{External: external(r), Wrong: wrong, How: how, Request: r.table == itemTable && w.good})
	}
	switch wrong {
	case Garbage:
		how := "联系电话位数不对 the phone has too few digits"
		bad := slices.IndexFunc(rows, func(r row) bool { return r.table == itemTable })
		if d.IntN(2) == 0 {
			rows[bad].values["lxrsjh"] = "1380000"
		} else {
			how = "不认识的事项编码 a code that nobody knows"
			rows[bad].values["spsxbm"] = "TEST-9999"
		}
		rows = rows[:bad+1] // what belongs to a refused item would wait for ever
		for i, r := range rows {
			if i == bad {
				note(r, watched{}, how)
			} else {
				x.watch(r, watched{good: true}, Entry{External: external(r)})
			}
		}
		return x.insert(ctx, rows...)
	case OutOfOrder:
		parents := slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.table != projectTable })
		children := slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.table == projectTable })
		for _, r := range children {
			note(r, watched{good: true, waitsFor: parents[0].key}, "先于其项目 ahead of its project")
		}
		if err := x.insert(ctx, children...); err != nil {
			return err
		}
		if err := pause(ctx, exchangeGap); err != nil {
			return err
		}
		x.watch(parents[0], watched{good: true}, Entry{External: external(parents[0])})
		return x.insert(ctx, parents...)
	case Duplicate, Late, Forged, Faulty, Guessed:
	}
	for _, r := range rows {
		x.watch(r, watched{good: true}, Entry{External: external(r), Request: r.table == itemTable})
	}
	if err := x.insert(ctx, rows...); err != nil || wrong != Duplicate {
		return err
	}
	for _, r := range rows {
		if r.table != itemTable {
			continue
		}
		if err := x.settled(ctx, r.key); err != nil {
			return err
		}
		if err := x.sendAgain(ctx, r, Entry{External: external(r), Wrong: Duplicate, How: "再次置为待接收 made to wait once more"}); err != nil {
			return err
		}
	}
	return nil
}

// exchangeGap is how long a parent comes behind its child: longer than the
// other side takes between two looks.
const exchangeGap = 1500 * time.Millisecond

// settled waits until something was written back to a row.
func (x *exchange) settled(ctx context.Context, key string) error {
	for {
		x.mu.Lock()
		state := x.rows[key].state
		x.mu.Unlock()
		if state != rowWaits {
			return nil
		}
		if err := pause(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// waiting tells of which rows nothing was written back yet.
func (x *exchange) waiting() (keys []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for key, w := range x.rows {
		if w.state == rowWaits {
			keys = append(keys, w.table+" "+key)
		}
	}
	slices.Sort(keys)
	return keys
}
