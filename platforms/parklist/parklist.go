// Package parklist reads the list of connection requests that an industrial
// park (各园区) sends as a CSV file, in our terms.
//
// Nothing of a list is lost. A row that is understood gives one request for
// each utility it asks for, with a note of every cell that was read otherwise
// than it was written. A row that is not understood is kept whole, with the
// reasons, for a person to mend, and never stops the rows after it. Only a
// file that is no such list is refused.
package parklist

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/curbstop/curbstop/casework"
)

// WholeLine is the Field of a fault that concerns a row as a whole.
const WholeLine = "整行"

// Options are what the file itself does not say.
type Options struct {
	// List names the list among all that the park sends; it is required. A
	// list that is sent again under its name brings the same external numbers,
	// so that what was accepted is not accepted twice.
	List string
}

// Row is one row of a list.
type Row struct {
	Line   int    `json:"line"`             // physical line of the file on which the row begins, from 1
	Number string `json:"number,omitempty"` // 序号, empty where the row could not be taken apart
	Raw    string `json:"raw"`              // the line as it stood, decoded, without its end
	// Bytes is the line as it stood in the file, set where its encoding is
	// damaged: Raw then shows U+FFFD where something could not be read.
	Bytes []byte `json:"bytes,omitempty"`
	Cells []Cell `json:"cells,omitempty"` // in the order of the file; none where the row could not be taken apart

	// Requests are valid and normalised, water before gas. There are none if
	// there are faults: a row is accepted as a whole or kept as a whole.
	Requests []casework.Request    `json:"requests,omitempty"`
	Notes    []casework.Text       `json:"notes,omitempty"`  // what was read otherwise than written, or deferred
	Faults   []casework.FieldFault `json:"faults,omitempty"` // why the row is kept; Field is the Chinese header or [WholeLine]
}

// Cell is one cell of a row as it stood.
type Cell struct {
	Header string `json:"header"`
	Text   string `json:"text"`
}

// Kept tells whether the row is kept for a person to mend.
func (r Row) Kept() bool { return len(r.Faults) > 0 }

// Read gives the rows of a list one by one, in the order of the file; it can
// be ranged over once. Blank lines are passed over. Of what it has read it
// keeps only fingerprints, to recognise a request or number that comes twice.
//
// The file is UTF-8, with or without a byte-order mark, or GB18030, with CRLF
// or LF lines. An error comes last and ends the list: an Invalid
// [casework.Fault] if the file is no such list, before any row, or what r
// answered, wrapped.
func Read(r io.Reader, o Options) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		l, err := open(r, o)
		if err != nil {
			yield(Row{}, err)
			return
		}
		for rows := 0; ; rows++ {
			row, err := l.next()
			if errors.Is(err, io.EOF) && rows > 0 {
				return
			}
			if errors.Is(err, io.EOF) {
				err = empty()
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

func empty() error {
	return casework.Refuse(casework.Invalid, "empty_list",
		casework.Say("清单里没有申请", "there is no request in the list"))
}

// list is a file that is being read, past its header.
type list struct {
	name    string
	lines   *lines
	columns []column // in the order of the file
	seen    register
}

func open(r io.Reader, o Options) (*list, error) {
	l := &list{seen: register{}}
	header, err := l.begin(r, o)
	if err != nil {
		return nil, err
	}
	l.columns, err = readHeader(header.cells)
	return l, err
}

// begin reads the first line of a list, which is its header.
func (l *list) begin(r io.Reader, o Options) (record, error) {
	l.name = strings.TrimSpace(o.List)
	if l.name == "" {
		return record{}, casework.Refuse(casework.Invalid, "list_unnamed",
			casework.Say("请给出清单名称", "the list has no name"))
	}
	l.lines = newLines(r)
	header, err := l.lines.record(0)
	if errors.Is(err, io.EOF) {
		return record{}, empty()
	}
	if err != nil {
		return record{}, err
	}
	// A workbook that was not saved as CSV is the usual file of this kind; its
	// zeros give it away where its bytes happen to be characters.
	if header.damaged != nil || strings.ContainsRune(header.raw, 0) {
		return record{}, casework.Refuse(casework.Invalid, "unknown_encoding",
			casework.Say("无法识别文件编码；请另存为 CSV，编码用 UTF-8 或 GB18030（GBK）",
				"the file is neither UTF-8 nor GB18030; save it as CSV in one of these"))
	}
	if header.broken != (casework.Text{}) {
		return record{}, badHeader([]casework.FieldFault{{Field: WholeLine, Text: header.broken}}, headers[:], int(firstOptional))
	}
	return header, nil
}

// next gives the next row, or io.EOF.
func (l *list) next() (Row, error) {
	row, cells, err := l.cells(len(l.columns))
	if err != nil || cells == nil {
		return row, err
	}
	var said reading
	for i, c := range l.columns {
		row.Cells = append(row.Cells, Cell{Header: headers[c], Text: cells[i]})
		said.cells[c] = strings.TrimSpace(cells[i])
	}
	row.Number = fold(said.cells[number])
	requests := said.requests(l.name, row.Number)
	l.seen.recognise(&said, requests, earlier{number: row.Number, line: row.Line})
	row.Notes, row.Faults = said.outcome()
	if !row.Kept() {
		row.Requests = requests
	}
	return row, nil
}

// cells takes the next row apart into so many cells; there are none where the
// row says why it is kept.
func (l *list) cells(width int) (Row, []string, error) {
	record, err := l.lines.record(width)
	if err != nil {
		return Row{}, nil, err
	}
	row := Row{Line: record.line, Raw: record.raw, Bytes: record.damaged}
	if record.broken == (casework.Text{}) && len(record.cells) != width {
		record.broken = casework.Sayf("应有 %d 格，实有 %d 格", "the line should have %d cells, it has %d", width, len(record.cells))
	}
	if record.broken != (casework.Text{}) {
		row.Faults = []casework.FieldFault{{Field: WholeLine, Text: record.broken}}
		return row, nil, nil
	}
	return row, record.cells, nil
}

// column is one of the columns that a list may have.
type column int

// The columns, in the order in which parks send them.
const (
	number column = iota
	applicant
	creditCode
	contact
	phone
	district
	address
	utility
	use
	volume
	diameter
	wantedOn
	digsRoad
	usesGreen
	project
	remark
	columnCount
)

// The columns before this one make a request; a list must have them.
const firstOptional = use

var headers = [columnCount]string{ //nolint:gosec // column headers, one of which names a code, not credentials
	number: "序号", applicant: "单位名称", creditCode: "统一社会信用代码", contact: "联系人", phone: "联系电话",
	district: "所属区县", address: "用能地址", utility: "用能类型", use: "用途", volume: "预计日用量(立方米)",
	diameter: "口径(mm)", wantedOn: "计划通水(气)日期", digsRoad: "是否需开挖道路", usesGreen: "是否占用绿地", project: "项目代码", remark: "备注",
}

// readHeader finds the column of each header. The order is free; blanks,
// letter case and the width of characters do not matter.
func readHeader(cells []string) ([]column, error) {
	found, err := columnsOf(cells, headers[:], int(firstOptional))
	columns := make([]column, len(found))
	for i, c := range found {
		columns[i] = column(c)
	}
	return columns, err
}

// columnsOf finds the place of each header among those that a list may have, of
// which the first ones are required.
func columnsOf(cells, headers []string, required int) ([]int, error) {
	columns := make([]int, len(cells))
	var faults []casework.FieldFault
	refuse := func(header, zh, en string) {
		faults = append(faults, casework.FieldFault{Field: header, Text: casework.Say(
			fmt.Sprintf(zh, header), fmt.Sprintf(en, header))})
	}
	for i, cell := range cells {
		written := strings.Join(strings.Fields(fold(cell)), "")
		c := slices.IndexFunc(headers, func(h string) bool { return strings.EqualFold(h, written) })
		switch {
		case c < 0:
			refuse(strings.TrimSpace(cell), "不认识的表头“%s”", "unknown header %q")
		case slices.Contains(columns[:i], c):
			refuse(headers[c], "表头“%s”重复", "header %q occurs twice")
		}
		columns[i] = c
	}
	for c, h := range headers[:required] {
		if !slices.Contains(columns, c) {
			refuse(h, "缺少表头“%s”", "header %q is missing")
		}
	}
	if faults != nil {
		return nil, badHeader(faults, headers, required)
	}
	return columns, nil
}

func badHeader(faults []casework.FieldFault, headers []string, required int) error {
	return &casework.Fault{Kind: casework.Invalid, Code: "bad_header", Fields: faults, Text: casework.Sayf(
		"清单表头有误；必需：%s；可选：%s", "the header of the list is wrong; required: %s; optional: %s",
		strings.Join(headers[:required], "、"), strings.Join(headers[required:], "、"))}
}
