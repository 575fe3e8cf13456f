// Package gonggai speaks with the platform for approving construction projects
// (工改平台): through the exchange tables of the national data standard in a
// database that both sides reach, and through the pushes over HTTP that some
// cities use instead. A request for water or gas comes as an item that is to be
// handled (事项办理); a project by itself is a lead.
package gonggai

import (
	"crypto/rsa"
	"database/sql"
	_ "embed" // the default mapping
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of the exchange database

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/mapping"
)

//go:embed wuhu.yaml
var wuhu []byte

// The layouts of a mapping file.
const (
	project    = "project"
	unit       = "unit"
	item       = "item"
	step       = "step"
	attachment = "attachment"

	waterA      = "water_a"
	waterBCheck = "water_b_check"
	waterB      = "water_b"
	gas         = "gas"
	gasFile     = "gas_file"

	steps    = "steps"    // told: a row of the table of steps
	progress = "progress" // told over HTTP: a state
	result   = "result"   // told over HTTP: the end
)

// Options are what the mapping does not say.
type Options struct {
	// Database is the URL of the exchange database. With one, states are told
	// through its tables, without over HTTP.
	Database string
	// Token is put into the body of what is told over HTTP.
	Token string
	// Key opens what the platform encrypts for us, PlatformKey closes what we
	// answer. Without them such fields are plain.
	Key         *rsa.PrivateKey
	PlatformKey *rsa.PublicKey
}

// Adapter reads and answers the platform's messages and rows.
type Adapter struct {
	file    *mapping.File
	options Options
	db      *sql.DB // nil: no exchange database
	tables  map[string]string
}

var _ platforms.Exchange = (*Adapter)(nil)

// New makes the adapter; without a mapping file it has Wuhu's. The exchange
// database is connected to when it is first needed.
func New(file []byte, o Options) (*Adapter, error) {
	if file == nil {
		file = wuhu
	}
	asked := mapping.RequestFields("validity", "void_reason")
	pushed := mapping.RequestFields("attachments")
	f, err := mapping.Parse(file, mapping.Shape{
		Messages: map[string][]string{
			project: mapping.Optional(asked, "contact.name", "contact.phone"), item: asked,
			step: {"key!", "state!", "validity", "reason"}, unit: nil, attachment: nil,
			waterA: pushed, waterB: pushed, waterBCheck: nil, gas: pushed, gasFile: {"content!", "name"},
			mapping.Answer: mapping.AnswerFields(),
		},
		Reports: []string{steps, progress, result},
		Codes: mapping.RequestCodes(map[string]func(string) error{
			"validity": oneOf(valid, void), "step": oneOf(withdrawn, "other"), mapping.Answer: mapping.IsTaken,
		}),
		Settings: mapping.ReplySettings(with(mapping.RepliesOf(waterA, waterB, waterBCheck, gas, gasFile), map[string]func(string) error{
			"lead_utilities": areUtilities, "reason_length": isLength,
		})),
	})
	if err != nil {
		return nil, err
	}
	a := &Adapter{file: f, options: o, tables: map[string]string{}}
	for _, name := range []string{project, unit, item, step, attachment} {
		if l, ok := f.Layout(name); ok && len(l.Kinds) > 0 {
			if !identifier.MatchString(l.Kinds[0]) {
				return nil, casework.Refuse(casework.Invalid, "bad_mapping", casework.Sayf("“%s”不是表名", "%q is no name of a table", l.Kinds[0]))
			}
			a.tables[name] = l.Kinds[0]
		}
	}
	if o.Database != "" {
		if len(a.tables) < 5 {
			return nil, casework.Refuse(casework.Invalid, "bad_mapping", casework.Say(
				"使用前置库时，映射须有 project、unit、item、step、attachment 五张表", "with an exchange database the mapping needs the tables project, unit, item, step, attachment"))
		}
		if a.db, err = sql.Open("pgx", o.Database); err != nil {
			return nil, casework.Refuse(casework.Invalid, "bad_database", casework.Say("前置库地址无法识别", "the address of the exchange database can't be read"))
		}
		a.db.SetMaxOpenConns(maxConnections)
	}
	return a, nil
}

// maxConnections is what a poller and those who write reports need at once.
const maxConnections = 4

// Close lets the connections to the exchange database go.
func (a *Adapter) Close() error {
	if a.db == nil {
		return nil
	}
	return a.db.Close()
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

const (
	valid, void = "valid", "void" // of a row
	withdrawn   = "withdrawn"     // of a step
)

func oneOf(allowed ...string) func(string) error {
	return func(value string) error {
		if slices.Contains(allowed, value) {
			return nil
		}
		return casework.Refuse(casework.Invalid, "bad_mapping", casework.Sayf("可用：%s", "allowed: %s", strings.Join(allowed, "、")))
	}
}

func areUtilities(value string) error {
	for u := range strings.SplitSeq(value, ",") {
		if !casework.Utility(u).Valid() {
			return casework.Refuse(casework.Invalid, "bad_mapping", casework.Say("应为 water、gas 或 water,gas", "it should be water, gas or water,gas"))
		}
	}
	return nil
}

func isLength(value string) error {
	if n, err := strconv.Atoi(value); err != nil || n < 20 || n > 4000 {
		return casework.Refuse(casework.Invalid, "bad_mapping", casework.Say("应为 20 至 4000 的整数", "it should be a whole number from 20 to 4000"))
	}
	return nil
}

func with(settings, besides map[string]func(string) error) map[string]func(string) error {
	maps.Copy(settings, besides)
	return settings
}

// Read implements [platforms.Adapter].
func (a *Adapter) Read(m platforms.Message) ([]platforms.Item, error) {
	layout, ok := a.file.LayoutOf(m.Kind)
	if !ok {
		return nil, a.file.UnknownKind(m.Kind)
	}
	switch layout {
	case project, unit, item, step, attachment:
		return a.readRow(layout, m)
	}
	return a.readPush(layout, m)
}

// Reply implements [platforms.Adapter]. Rows are answered by [Adapter.Settle].
func (a *Adapter) Reply(m platforms.Message, o platforms.Outcome) platforms.Reply {
	layout, _ := a.file.LayoutOf(m.Kind)
	said := mapping.Said(m, o)
	number := m.ID
	if len(o.Numbers) > 0 {
		number = strings.Join(o.Numbers, "、")
	}
	switch {
	case o.Fault != nil:
		o.Numbers = nil
	case layout == waterA:
		said = ""
		o.Numbers = []string{a.seal(number)}
	case layout == waterB:
		// The platform takes what stands before the first comma for the number
		// of the bill.
		said, o.Numbers = number+",提交成功", nil
	case layout == waterBCheck:
		said, o.Numbers = "", nil
	case layout == gas:
		said, o.Numbers = "ok", nil
	case layout == gasFile:
		// The file is kept with its message, under whose ID the request names it.
		said, o.Numbers = "ok", []string{m.ID}
	}
	return a.file.ReplyAs(layout, o, said)
}

// Report implements [platforms.Adapter].
func (a *Adapter) Report(r platforms.Report) (platforms.Outgoing, bool, error) {
	if a.db != nil {
		if r.Request != nil && r.Request.Lead {
			return platforms.Outgoing{}, false, nil // steps are those of items: a project alone has none
		}
		w, told := a.file.Report(r, steps)
		if !told {
			return platforms.Outgoing{}, false, nil
		}
		row := map[string]any{}
		for _, f := range w.Fields {
			row[f.Name] = f.Value
		}
		return platforms.Outgoing{Table: w.Path, Row: row}, true, nil
	}
	w, told := a.file.Report(r, result, progress)
	if !told {
		return platforms.Outgoing{}, false, nil
	}
	body := w.Object()
	if w.Layout == result {
		body.SetEmptyList("params.bzlist").SetEmptyList("params.resultlist")
	}
	return w.JSON(body.Set("token", a.options.Token)), true, nil
}

// Judge implements [platforms.Adapter].
func (a *Adapter) Judge(o platforms.Outgoing, status int, body []byte) error {
	if o.Table != "" {
		return nil // it was written, or Write had an error
	}
	return a.file.Judge(status, body)
}
