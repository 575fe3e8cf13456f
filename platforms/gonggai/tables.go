package gonggai

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/mapping"
)

// States of a row in SJSCZT, as the national standard has them.
const (
	waits    = 0
	accepted = 3
	refused  = 2
	badRow   = -1 // it does not even have what every row must have
)

// Codes of the faults that [Adapter.Settle] tells apart.
const (
	codeBadRow     = "bad_row"
	codeCorrection = "correction_by_a_person"
)

// ours begins the keys of the rows that we write ourselves, so that they are
// not read as the platform's.
const ours = "c5b09000-"

// readRow reads a row of an exchange table, with what [Adapter.Poll] put beside
// it: the project, its units and attachments, and whether the thing is dead.
func (a *Adapter) readRow(layout string, m platforms.Message) ([]platforms.Item, error) {
	root, err := mapping.ParseObject(m.Body)
	if err != nil {
		return nil, err
	}
	r := a.file.Read(layout, root)
	switch layout {
	case unit, attachment:
		return nil, nil // they go with their project and item; by themselves they ask for nothing
	case step:
		return a.readStep(r)
	}
	key, validity := r.Key("key"), r.Code("validity", "validity")
	if validity == "" {
		r.Fault("validity", casework.Say("不能为空", "it is missing"))
	}
	if err := r.Err(); err != nil {
		return nil, coded(err, codeBadRow)
	}
	switch {
	case validity == void:
		return voided(r, root, key)
	case !root.At("dead").Silent():
		return nil, nil // it was voided before it was read
	case !root.At("earlier").Silent():
		r.Fault("validity", casework.Say("平台更正了已接收的数据，请人工按新内容更正案件",
			"the platform corrected what was taken up before; a person amends the case"))
		return nil, coded(r.Err(), codeCorrection)
	case layout == project:
		return a.lead(r, root)
	}
	utility := casework.Utility(r.Code("utility", "utility"))
	if !utility.Valid() {
		r.Fault("utility", casework.Say("不是供水、供气报装事项", "it is no item of water or gas"))
	}
	q := r.Request(casework.ProjectApproval, utility, false)
	if err := r.Err(); err != nil {
		return nil, err
	}
	one := platforms.Item{Key: key, Notes: r.Notes(), Intake: &platforms.Intake{Requests: []casework.Request{q}}}
	one.Intake.Requests[0].Extra = r.Extra(one)
	return []platforms.Item{one}, nil
}

// voided reads a void row. One of several that make up a correction asks for
// nothing; neither does one whose thing was never taken up.
func voided(r *mapping.Reading, root *mapping.Value, key string) ([]platforms.Item, error) {
	if root.At("dead").Silent() || !root.At("never_taken").Silent() {
		return nil, nil
	}
	one := platforms.Item{Key: key + "/void", Withdraw: &platforms.Withdraw{External: key, Reason: r.Text("void_reason")}}
	one.Extra = r.Extra(one)
	return []platforms.Item{one}, nil
}

// readStep reads what the platform did with an item: only a withdrawal asks
// something of us.
func (a *Adapter) readStep(r *mapping.Reading) ([]platforms.Item, error) {
	key, state, validity := r.Key("key"), r.Code("state", "step"), r.Code("validity", "validity")
	if state == "" {
		r.Fault("state", casework.Say("不能为空", "it is missing"))
	}
	one := platforms.Item{Key: key + "/withdraw", Withdraw: &platforms.Withdraw{External: key, Reason: r.Text("reason")}}
	if err := r.Err(); err != nil {
		return nil, coded(err, codeBadRow)
	}
	if state != withdrawn || validity == void {
		return nil, nil
	}
	one.Extra = r.Extra(one)
	return []platforms.Item{one}, nil
}

// lead makes a project a lead for each utility for which it has no item of its
// own.
func (a *Adapter) lead(r *mapping.Reading, root *mapping.Value) ([]platforms.Item, error) {
	asked := map[casework.Utility]bool{}
	for _, v := range root.At("items").Items() {
		if u, ok := a.file.Code("utility", v.Text()); ok {
			asked[casework.Utility(u)] = true
		}
	}
	one := platforms.Item{Intake: &platforms.Intake{}}
	for u := range strings.SplitSeq(a.file.Setting("lead_utilities", "water,gas"), ",") {
		if u := casework.Utility(u); !asked[u] {
			q := r.Request(casework.ProjectApproval, u, true)
			one.Key = q.ExternalNumber
			one.Intake.Requests = append(one.Intake.Requests, q)
		}
	}
	if len(one.Intake.Requests) == 0 {
		r.Request(casework.ProjectApproval, casework.Water, true) // its items need a project that holds
	}
	if err := r.Err(); err != nil || len(one.Intake.Requests) == 0 {
		return nil, err
	}
	one.Notes = r.Notes()
	extra := r.Extra(one)
	for i := range one.Intake.Requests {
		one.Intake.Requests[i].Extra = extra
	}
	return []platforms.Item{one}, nil
}

func coded(err error, code string) error {
	if f, ok := errors.AsType[*casework.Fault](err); ok {
		f.Code = code
	}
	return err
}

// Poll implements [platforms.Exchange]: rows that wait, projects before their
// units and items, and those before their steps and attachments; a row only
// after what it belongs to was accepted.
func (a *Adapter) Poll(ctx context.Context, limit int) ([]platforms.Message, error) {
	if a.db == nil {
		return nil, nil
	}
	var all []platforms.Message
	for _, layout := range []string{project, unit, item, step, attachment} {
		if len(all) >= limit {
			break
		}
		rows, err := a.waiting(ctx, layout, limit-len(all))
		if err != nil {
			return nil, fmt.Errorf("poll %s: %w", a.tables[layout], err)
		}
		all = append(all, rows...)
	}
	return all, nil
}

func (a *Adapter) waiting(ctx context.Context, layout string, limit int) (all []platforms.Message, err error) {
	rows, err := a.db.QueryContext(ctx, a.query(layout), limit)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		all = append(all, platforms.Message{Kind: a.tables[layout], ContentType: "application/json", Body: body})
	}
	return all, rows.Err()
}

// query gives the statement for the rows of a table that wait, each as one JSON
// object with what belongs to it. Columns are taken as they are, so that those
// that we do not know are kept too.
//
// A thing is dead when there are no more valid rows of it than void ones: a
// correction is a void copy and a new valid row, in whichever order they come.
func (a *Adapter) query(layout string) string {
	t := func(name string) string { return a.tables[name] }
	// Of the rows of a thing in its own table, by the column that names it.
	life := func(table, column string) string {
		same := fmt.Sprintf("FROM %s s WHERE s.%s = t.%s AND s.sjsczt <> %d", table, column, column, badRow)
		return fmt.Sprintf(`
  'dead', (SELECT CASE WHEN count(*) FILTER (WHERE s.sjyxbs = 1) <= count(*) FILTER (WHERE s.sjyxbs = 0) THEN true END %[1]s),
  'never_taken', (SELECT CASE WHEN count(*) FILTER (WHERE s.sjyxbs = 1) > 0 AND count(*) FILTER (WHERE s.sjyxbs = 1 AND s.sjsczt = %[2]d) = 0 THEN true END %[1]s),
  'earlier', (SELECT to_json(s) %[1]s AND s.sjyxbs = 1 AND s.sjsczt = %[2]d AND s.dfsjzj <> t.dfsjzj ORDER BY s.ctid DESC LIMIT 1)`, same, accepted)
	}
	holds := func(table, column string) string {
		return fmt.Sprintf("EXISTS (SELECT FROM %s p WHERE p.%s = t.%s AND p.sjyxbs = 1 AND p.sjsczt = %d)", table, column, column, accepted)
	}
	list := func(what, table, where string) string {
		return fmt.Sprintf("(SELECT json_agg(%s ORDER BY c.ctid) FROM %s c WHERE c.sjyxbs = 1 AND %s)", what, table, where)
	}
	var fields, condition string
	switch layout {
	case project:
		fields = "'project', to_json(t), 'items', " + list("c.spsxbm", t(item), "c.gcdm = t.gcdm") +
			", 'units', " + list("to_json(c)", t(unit), "c.gcdm = t.gcdm") + "," + life(t(project), "gcdm")
		condition = "true"
	case unit:
		fields, condition = "'unit', to_json(t)", holds(t(project), "gcdm")
	case item:
		fields = "'item', to_json(t), 'project', (SELECT to_json(p) FROM " + t(project) + " p WHERE p.gcdm = t.gcdm AND p.sjyxbs = 1 AND p.sjsczt = " +
			strconv.Itoa(accepted) + " ORDER BY p.ctid DESC LIMIT 1), 'units', " + list("to_json(c)", t(unit), "c.gcdm = t.gcdm") +
			", 'attachments', " + list("to_json(c)", t(attachment), "c.spsxslbm = t.spsxslbm") + "," + life(t(item), "spsxslbm")
		condition = holds(t(project), "gcdm")
	case step:
		fields = "'step', to_json(t)"
		condition = holds(t(item), "spsxslbm") + " AND t.dfsjzj::text NOT LIKE '" + ours + "%'"
	case attachment:
		fields, condition = "'attachment', to_json(t)", holds(t(item), "spsxslbm")
	}
	return fmt.Sprintf("SELECT json_build_object(%s)::text FROM %s t WHERE t.sjsczt = %d AND %s ORDER BY t.ctid LIMIT $1",
		fields, t(layout), waits, condition)
}

// Settle implements [platforms.Exchange].
func (a *Adapter) Settle(ctx context.Context, m platforms.Message, o platforms.Outcome) error {
	layout, ok := a.file.LayoutOf(m.Kind)
	if !ok || a.db == nil {
		return fmt.Errorf("%s is no table of the exchange", m.Kind)
	}
	root, err := mapping.ParseObject(m.Body)
	if err != nil {
		return fmt.Errorf("a row of %s: %w", m.Kind, err)
	}
	state, reason := accepted, ""
	if o.Fault != nil {
		reason = a.short(mapping.Said(m, o))
		switch o.Fault.Code {
		case codeCorrection: // it was received, and a person sees to it
		case codeBadRow:
			state = badRow
		default:
			state = refused
		}
	}
	_, err = a.db.ExecContext(ctx,
		"UPDATE "+a.tables[layout]+" SET sjsczt = $1, sbyy = NULLIF($2, '') WHERE dfsjzj = $3 AND sjsczt = $4", //nolint:gosec // the name of the table is checked when the mapping is read
		state, reason, root.At(layout+".dfsjzj").Text(), waits)
	if err != nil {
		return fmt.Errorf("settle a row of %s: %w", m.Kind, err)
	}
	return nil
}

// SettleAgain implements [platforms.Exchange]: a row that was refused counts as
// accepted, and its reason goes. Of a valid row it may have become another
// matter: the platform voided the thing, or sent another row of it that waits or
// was accepted.
func (a *Adapter) SettleAgain(ctx context.Context, m platforms.Message, _ platforms.Outcome) (bool, error) {
	layout, ok := a.file.LayoutOf(m.Kind)
	table, row := a.tables[layout], ""
	if !ok || table == "" || a.db == nil {
		return false, nil // it was no row
	}
	root, err := mapping.ParseObject(m.Body)
	if err != nil {
		return false, nil //nolint:nilerr // nobody could tell which row it was
	}
	if v := root.At(layout); !v.Silent() {
		b, err := v.MarshalJSON()
		if err != nil {
			return false, fmt.Errorf("a row of %s: %w", m.Kind, err)
		}
		row = string(b)
	}
	if row == "" {
		return false, nil
	}
	replaced := "false"
	if column := map[string]string{project: "gcdm", item: "spsxslbm"}[layout]; column != "" {
		replaced = fmt.Sprintf(`t.sjyxbs = 1 AND (SELECT count(*) FILTER (WHERE s.sjyxbs = 1) <= count(*) FILTER (WHERE s.sjyxbs = 0)
			OR bool_or(s.dfsjzj <> t.dfsjzj AND s.sjyxbs = 1 AND s.sjsczt IN (%[3]d, %[4]d)) FROM %[1]s s WHERE s.%[2]s = t.%[2]s)`, table, column, waits, accepted)
	}
	done, err := a.db.ExecContext(ctx, fmt.Sprintf(`UPDATE %s t SET sjsczt = $1, sbyy = NULL
		WHERE dfsjzj = $2 AND sjsczt IN (%d, %d) AND to_jsonb(t) - 'sjsczt' - 'sbyy' = $3::jsonb - 'sjsczt' - 'sbyy' AND NOT coalesce(%s, false)`,
		table, refused, badRow, replaced), accepted, root.At(layout+".dfsjzj").Text(), row)
	if err != nil {
		return false, fmt.Errorf("settle a row of %s again: %w", m.Kind, err)
	}
	n, err := done.RowsAffected()
	return n > 0, err
}

// short cuts a text to what the column holds.
func (a *Adapter) short(text string) string {
	most, _ := strconv.Atoi(a.file.Setting("reason_length", "200")) // judged with the mapping
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

// Write implements [platforms.Exchange]: a row of the table of steps, with
// what the item's own row says of project and department. It is written once
// for its key, however often it is tried.
func (a *Adapter) Write(ctx context.Context, key string, o platforms.Outgoing) error {
	if a.db == nil || !identifier.MatchString(o.Table) {
		return fmt.Errorf("%q is no table of the exchange", o.Table)
	}
	row := maps.Clone(o.Row)
	external := fmt.Sprint(row["spsxslbm"])
	var xzqhdm, gcdm, dwmc, dwtyshxydm sql.NullString
	err := a.db.QueryRowContext(ctx,
		"SELECT xzqhdm, gcdm, spbmmc, spbmbm FROM "+a.tables[item]+" WHERE spsxslbm = $1 ORDER BY sjyxbs DESC, (sjsczt = 3) DESC, ctid DESC LIMIT 1",
		external).Scan(&xzqhdm, &gcdm, &dwmc, &dwtyshxydm)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("the exchange has no item %s to tell a step of", external)
	case err != nil:
		return fmt.Errorf("look for item %s: %w", external, err)
	}
	for column, value := range map[string]sql.NullString{"xzqhdm": xzqhdm, "gcdm": gcdm, "dwmc": dwmc, "dwtyshxydm": dwtyshxydm} {
		if _, said := row[column]; !said {
			row[column] = value
		}
	}
	if note, ok := row["blyj"].(string); ok {
		row["blyj"] = a.short(note)
	}
	row["dfsjzj"], row["sjsczt"] = ownKey(key), waits
	columns := slices.Sorted(maps.Keys(row))
	values, places := make([]any, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		if !identifier.MatchString(c) {
			return fmt.Errorf("%q is no name of a column", c)
		}
		values[i], places[i] = row[c], "$"+strconv.Itoa(i+1)
	}
	_, err = a.db.ExecContext(ctx,
		"INSERT INTO "+o.Table+" ("+strings.Join(columns, ", ")+") VALUES ("+strings.Join(places, ", ")+") ON CONFLICT (dfsjzj) DO NOTHING", //nolint:gosec // names of table and columns are checked above
		values...)
	if err != nil {
		return fmt.Errorf("write a step of item %s: %w", external, err)
	}
	return nil
}

// ownKey makes the key of a row of ours from that of a report: a UUID of
// version 8 (RFC 9562), the same for the same report.
func ownKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	h := hex.EncodeToString(sum[:])
	return ours + h[0:4] + "-8" + h[4:7] + "-8" + h[7:10] + "-" + h[10:22]
}
