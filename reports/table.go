// Package reports puts what supervisors ask for into forms that people read: a
// table as CSV or XLSX, who held a case's clock as a drawn strip, a month as a
// page that prints.
//
// The package is pure: the same figures give the same bytes, but for what the
// XLSX format itself stamps.
package reports

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// Kind says what a column's cells hold.
type Kind int

// The kinds of columns, with the type of their cells. A cell that is nil is
// empty.
const (
	Text     Kind = iota // string
	Count                // int64
	Share                // float64, 0 to 1
	Duration             // time.Duration of working time, shown in hours
	Time                 // time.Time, shown as the clock in Shanghai has it
)

// Column is a column of a table.
type Column struct {
	Title string // Chinese, then English
	Kind  Kind
}

// Table is one table of a report.
type Table struct {
	Name    string // names it among the tables of its report, such as "rules"
	Title   string // Chinese, then English
	Columns []Column
	Rows    [][]any
	Notes   []string // what its reader must know
}

// CSV writes a table in UTF-8 by RFC 4180, with a byte order mark, by which
// Excel knows the encoding. Rates are percentages, durations hours. A text that
// a spreadsheet would take for a formula gets an apostrophe in front, which
// makes it a text there too.
func CSV(w io.Writer, t Table) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	record := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		record[i] = harmless(c.Title)
	}
	if err := out.Write(record); err != nil {
		return err
	}
	for _, row := range t.Rows {
		for i := range t.Columns {
			record[i] = field(row[i])
		}
		if err := out.Write(record); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// field writes a cell for programs that read it back.
func field(cell any) string {
	switch v := cell.(type) {
	case string:
		return harmless(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v*100, 'f', 1, 64) + "%"
	case time.Duration:
		return strconv.FormatFloat(v.Hours(), 'f', 4, 64)
	case time.Time:
		return v.In(calendar.Shanghai).Format("2006-01-02 15:04:05")
	}
	return ""
}

// harmless keeps a spreadsheet from taking a text for a formula. Full-width
// signs count too: a Chinese Excel reads them as the plain ones.
func harmless(text string) string {
	if text != "" && strings.ContainsAny(text[:1], "=+-@\t\r\n") || strings.HasPrefix(text, "＝") || strings.HasPrefix(text, "＋") ||
		strings.HasPrefix(text, "－") || strings.HasPrefix(text, "＠") {
		return "'" + text
	}
	return text
}
