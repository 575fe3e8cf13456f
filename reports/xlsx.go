package reports

import (
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"github.com/curbstop/curbstop/calendar"
)

// XLSX writes tables as the sheets of a workbook: numbers, percentages and
// dates are cells of their kind, the header stays in sight, and what the reader
// must know stands on a sheet of its own.
func XLSX(w io.Writer, tables ...Table) (err error) {
	f := excelize.NewFile()
	defer func() {
		if closing := f.Close(); err == nil {
			err = closing
		}
	}()
	book := workbook{File: f, styles: map[Kind]int{}}
	if err := book.prepare(); err != nil {
		return err
	}
	notes := Table{Title: "说明 notes", Columns: []Column{{"表 table", Text}, {"说明 note", Text}}}
	for i, t := range tables {
		if err := book.sheet(i, t); err != nil {
			return err
		}
		for _, note := range t.Notes {
			notes.Rows = append(notes.Rows, []any{t.Title, note})
		}
	}
	if len(notes.Rows) > 0 {
		if err := book.sheet(len(tables), notes); err != nil {
			return err
		}
	}
	_, err = f.WriteTo(w)
	return err
}

// workbook is a file with the styles of its cells.
type workbook struct {
	*excelize.File
	styles map[Kind]int
	header int
}

func (b *workbook) prepare() (err error) {
	for kind, format := range map[Kind]string{
		Text: "@", Count: "#,##0", Share: "0.0%", Duration: "#,##0.00", Time: "yyyy-mm-dd hh:mm",
	} {
		if b.styles[kind], err = b.NewStyle(&excelize.Style{CustomNumFmt: &format}); err != nil {
			return err
		}
	}
	b.header, err = b.NewStyle(&excelize.Style{
		Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"E8EEF4"}},
		Alignment: &excelize.Alignment{WrapText: true, Vertical: "center"},
	})
	return err
}

// sheetName is a title as Excel takes it for a sheet's name: 31 characters at
// most, without those that references use.
func sheetName(title string) string {
	name, _, _ := strings.Cut(title, " ")
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`[]:*?/\'`, r) {
			return '_'
		}
		return r
	}, name)
	if runes := []rune(name); len(runes) > excelize.MaxSheetNameLength {
		return string(runes[:excelize.MaxSheetNameLength])
	}
	return name
}

func (b *workbook) sheet(n int, t Table) error {
	name := sheetName(t.Title)
	if n == 0 {
		if err := b.SetSheetName("Sheet1", name); err != nil {
			return err
		}
	} else if _, err := b.NewSheet(name); err != nil {
		return err
	}
	out, err := b.NewStreamWriter(name)
	if err != nil {
		return err
	}
	header := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		header[i] = excelize.Cell{StyleID: b.header, Value: c.Title}
		if err := out.SetColWidth(i+1, i+1, width(t, i)); err != nil {
			return err
		}
	}
	if err := out.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	if err := out.SetRow("A1", header, excelize.RowOpts{Height: 32}); err != nil {
		return err
	}
	for i, row := range t.Rows {
		cells := make([]any, len(t.Columns))
		for j, c := range t.Columns {
			cells[j] = excelize.Cell{StyleID: b.styles[c.Kind], Value: value(row[j])}
		}
		at, err := excelize.CoordinatesToCellName(1, i+2)
		if err != nil {
			return err
		}
		if err := out.SetRow(at, cells); err != nil {
			return err
		}
	}
	return out.Flush()
}

// value is a cell as Excel counts: hours, and moments without a zone.
func value(cell any) any {
	switch v := cell.(type) {
	case time.Duration:
		return v.Hours()
	case time.Time:
		t := v.In(calendar.Shanghai)
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	}
	return cell
}

// width of a column in characters of Latin script; a Chinese one takes two.
func width(t Table, column int) float64 {
	widest := 8.0
	measure := func(text string) {
		w := float64(utf8.RuneCountInString(text)+len(text)) / 2
		widest = max(widest, min(w+2, 48))
	}
	for part := range strings.SplitSeq(t.Columns[column].Title, " ") {
		measure(part)
	}
	for _, row := range t.Rows {
		switch v := row[column].(type) {
		case string:
			measure(v)
		case time.Time:
			widest = max(widest, 18)
		}
	}
	return widest
}
