package calendar

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

var csvHeader = []string{"date", "kind", "name", "source_notice"}

// ReadCSV reads exceptions from a table with the columns date, kind, name and source_notice, in
// UTF-8, with or without the byte order mark that spreadsheets write. It stops at the first line
// that it cannot understand, and the error names it; a table without days is refused too. Whether
// the days make sense together is for [NewNotices] and [Check] to say.
func ReadCSV(r io.Reader) ([]Day, error) {
	rows := csv.NewReader(withoutMark(r))
	rows.FieldsPerRecord = len(csvHeader)
	header, err := rows.Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("节假日表读不出 (cannot read the table): %w", err)
	}
	if !slices.Equal(header, csvHeader) {
		return nil, fmt.Errorf("第 1 行应为表头 %s (line 1 must be the header)", strings.Join(csvHeader, ","))
	}
	var days []Day
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("节假日表读不出 (cannot read the table): %w", err)
		}
		day, err := parseDay(row[0], Kind(row[1]), row[2], row[3])
		if err != nil {
			line, _ := rows.FieldPos(0)
			return nil, fmt.Errorf("第 %d 行 (line %[1]d): %w", line, err)
		}
		days = append(days, day)
	}
	if len(days) == 0 {
		return nil, errNoDays
	}
	return days, nil
}

// ReadHolidayCN reads the JSON of the public holiday-cn project, one file a year: year, papers (the
// addresses of the notices) and days with name, date and isOffDay. Unknown fields are passed over.
// All papers of the file become the notice of each of its days. It refuses a file that is not of
// this form, a file without days, and a date outside the year and the December before it; the error
// names the line, or the entry of days.
func ReadHolidayCN(r io.Reader) ([]Day, error) {
	text, err := io.ReadAll(withoutMark(r))
	if err != nil {
		return nil, fmt.Errorf("节假日文件读不出 (cannot read the file): %w", err)
	}
	var file struct {
		Year   int      `json:"year"`
		Papers []string `json:"papers"`
		Days   []struct {
			Name     string `json:"name"`
			Date     string `json:"date"`
			IsOffDay *bool  `json:"isOffDay"`
		} `json:"days"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("第 %d 行不是 holiday-cn 格式 (line %[1]d is not of the holiday-cn form): %w", lineOf(err, text), err)
	}
	if len(file.Days) == 0 {
		return nil, errNoDays
	}
	notice := strings.Join(file.Papers, " ")
	first, last := Date{file.Year - 1, time.December, 1}, Date{file.Year, time.December, 31}
	days := make([]Day, 0, len(file.Days))
	for i, d := range file.Days {
		if d.IsOffDay == nil {
			return nil, fmt.Errorf("days[%d]：缺 isOffDay (isOffDay is missing)", i)
		}
		kind := Workday
		if *d.IsOffDay {
			kind = Holiday
		}
		day, err := parseDay(d.Date, kind, d.Name, notice)
		if err != nil {
			return nil, fmt.Errorf("days[%d]: %w", i, err)
		}
		if day.Date.Before(first) || last.Before(day.Date) {
			return nil, fmt.Errorf("days[%d]：%s 不属于 %d 年的通知 (%[2]s cannot be in the notice for %[3]d)", i, day.Date, file.Year)
		}
		days = append(days, day)
	}
	return days, nil
}

var errNoDays = errors.New("没有任何日期 (there are no days in it)")

func parseDay(date string, kind Kind, name, notice string) (Day, error) {
	d, err := ParseDate(date)
	if err != nil {
		return Day{}, err
	}
	if kind != Holiday && kind != Workday {
		return Day{}, unknownKind(kind)
	}
	return Day{d, kind, name, notice}, nil
}

// withoutMark skips the byte order mark.
func withoutMark(r io.Reader) io.Reader {
	b := bufio.NewReader(r)
	if mark, err := b.Peek(3); err == nil && string(mark) == "\uFEFF" {
		_, _ = b.Discard(len(mark)) // Peek has shown that they are there.
	}
	return b
}

// lineOf finds the line of the text that a JSON error is about.
func lineOf(err error, text []byte) int {
	var offset int64
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	}
	return 1 + strings.Count(string(text[:min(int(offset), len(text))]), "\n")
}
