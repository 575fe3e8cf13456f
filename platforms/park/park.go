// Package park reads the requests that an industrial park (各园区) pushes as
// JSON: the rows of its list, with the list's columns for names. A row is read
// exactly as [parklist] reads that of a file.
package park

import (
	"bytes"
	_ "embed" // the default mapping
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/mapping"
	"github.com/curbstop/curbstop/platforms/parklist"
)

//go:embed wuhu.yaml
var wuhu []byte

// The layouts of a mapping file.
const (
	list     = "list"
	progress = "progress" // told: a state
)

// columns are those of a list, in the order of its files.
var columns = []string{
	"序号", "单位名称", "统一社会信用代码", "联系人", "联系电话", "所属区县", "用能地址", "用能类型", "用途", "预计日用量(立方米)",
	"口径(mm)", "计划通水(气)日期", "是否需开挖道路", "是否占用绿地", "备注",
}

// required are those that a list must have.
const required = 8

// maxRows bounds a push; longer lists come as files.
const maxRows = 1000

// Adapter reads and answers the pushes of a park.
type Adapter struct{ file *mapping.File }

var _ platforms.Adapter = (*Adapter)(nil)

// New makes the adapter; without a mapping file it has Wuhu's.
func New(file []byte) (*Adapter, error) {
	if file == nil {
		file = wuhu
	}
	fields := []string{"list!", "rows"}
	for i, c := range columns {
		if i < required {
			c += "!"
		}
		fields = append(fields, c)
	}
	f, err := mapping.Parse(file, mapping.Shape{
		Messages: map[string][]string{list: fields, mapping.Answer: mapping.AnswerFields()},
		Reports:  []string{progress},
		Codes:    map[string]func(string) error{mapping.Answer: mapping.IsTaken},
		Settings: mapping.ReplySettings(nil),
	})
	if err != nil {
		return nil, err
	}
	return &Adapter{f}, nil
}

// Read implements [platforms.Adapter]. A push is taken up whole or kept whole:
// its park learns from the answer which rows are wrong.
func (a *Adapter) Read(m platforms.Message) ([]platforms.Item, error) {
	layout, ok := a.file.LayoutOf(m.Kind)
	if !ok {
		return nil, a.file.UnknownKind(m.Kind)
	}
	root, err := mapping.ParseObject(m.Body)
	if err != nil {
		return nil, err
	}
	push := a.file.Read(layout, root)
	name := push.Key("list")
	rows := push.Part("rows").Items()
	if rows == nil {
		rows = []*mapping.Value{root} // a push of one row may be flat
	}
	if len(rows) > maxRows {
		return nil, mapping.Faulty(push.FieldOf("rows"), casework.Sayf("一次最多推送 %d 行；更多请用清单文件", "at most %d rows in a push; send a file for more", maxRows))
	}
	var items []platforms.Item
	seen := map[string]int{}
	for i, row := range rows {
		r := push
		if row != root {
			r = a.file.Read(layout, row).Below(fmt.Sprintf("%s[%d]", push.FieldOf("rows"), i))
		}
		item := read(r, name)
		for _, is := range same(item) {
			if before, again := seen[is]; again {
				r.Fault(columns[0], casework.Sayf("与第 %d 行重复", "the same as row %d", before+1))
			}
			seen[is] = i
		}
		if r != push {
			push.Adopt(r)
		}
		items = append(items, item)
		if row != root {
			items[i].Intake = withExtra(item.Intake, r.Extra(item))
			row.Spend() // all of it stands in its own item now
		}
	}
	if err := push.Err(); err != nil {
		return nil, err
	}
	// What the push says about all its rows goes with each of them.
	for i := range items {
		items[i].Intake = withExtra(items[i].Intake, root.Rest(items[i]))
	}
	return items, nil
}

// withExtra adds what else was said to each of the requests.
func withExtra(in *platforms.Intake, extra map[string]json.RawMessage) *platforms.Intake {
	for i := range in.Requests {
		for field, said := range extra {
			if in.Requests[i].Extra == nil {
				in.Requests[i].Extra = map[string]json.RawMessage{}
			}
			if _, taken := in.Requests[i].Extra[field]; taken {
				field = list + "." + field
			}
			in.Requests[i].Extra[field] = said
		}
	}
	return in
}

// read has parklist read one row, as a file of one row.
func read(r *mapping.Reading, name string) platforms.Item {
	cells := make([]string, len(columns))
	said := false
	for i, c := range columns {
		// A line end inside a cell is of no meaning to any of the columns.
		cells[i] = strings.Join(strings.FieldsFunc(r.Text(c), func(c rune) bool { return c == '\n' || c == '\r' }), " ")
		said = said || cells[i] != ""
	}
	item := platforms.Item{Key: name + "/" + cells[0], Intake: &platforms.Intake{}}
	if !said || name == "" {
		r.Fault(columns[0], casework.Say("本行没有内容或清单没有名称", "the row is empty, or the list has no name"))
		return item
	}
	var file bytes.Buffer
	w := csv.NewWriter(&file)
	_ = w.WriteAll([][]string{columns, cells}) // a buffer takes everything
	for row, err := range parklist.Read(&file, parklist.Options{List: name}) {
		if err != nil {
			r.Fault(columns[0], casework.AsFault(err).Text)
			return item
		}
		for _, f := range row.Faults {
			if f.Field == parklist.WholeLine {
				f.Field = columns[0]
			}
			r.Fault(f.Field, f.Text)
		}
		item.Notes = append(item.Notes, row.Notes...)
		item.Intake.Requests = append(item.Intake.Requests, row.Requests...)
	}
	return item
}

// same gives what would make two rows of a push the same request.
func same(item platforms.Item) []string {
	all := []string{"number " + item.Key}
	for _, q := range item.Intake.Requests {
		all = append(all, fmt.Sprintf("request %s|%s|%s|%s", q.Utility, q.Applicant.CreditCode, q.Applicant.Name, q.Site.Address))
	}
	return all
}

// Reply implements [platforms.Adapter].
func (a *Adapter) Reply(m platforms.Message, o platforms.Outcome) platforms.Reply {
	return a.file.Reply(o, mapping.Said(m, o))
}

// Report implements [platforms.Adapter].
func (a *Adapter) Report(r platforms.Report) (platforms.Outgoing, bool, error) {
	w, told := a.file.Report(r, progress)
	if !told {
		return platforms.Outgoing{}, false, nil
	}
	return w.JSON(w.Object("seq")), true, nil
}

// Judge implements [platforms.Adapter].
func (a *Adapter) Judge(_ platforms.Outgoing, status int, body []byte) error {
	return a.file.Judge(status, body)
}
