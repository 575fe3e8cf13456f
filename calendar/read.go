package calendar

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

var csvHeader = []string{"date", "kind", "name", "source_notice"}

// ReadCSV reads exceptions from a table with the columns date, kind, name and source_notice, in
// UTF-8 or, as Chinese spreadsheets write it, in GB18030, with or without a byte order mark. A date
// may also be written as spreadsheets turn it, 2026/12/8; lines without any value are passed over.
// It stops at the first line that it cannot understand, and the error names it; a table without days
// is refused too. Whether the days make sense together is for [NewNotices] and [Check] to say.
func ReadCSV(r io.Reader) ([]Day, error) {
	text, err := readText(r)
	if err != nil {
		return nil, err
	}
	return parseCSV(text)
}

func parseCSV(text []byte) ([]Day, error) {
	rows := csv.NewReader(bytes.NewReader(text))
	rows.FieldsPerRecord = -1 // Judged below, in words for people.
	var days []Day
	for header := true; ; header = false {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if broken, ok := errors.AsType[*csv.ParseError](err); ok {
			return nil, atLine(broken.Line, wrong("引号用法不对", "quotes are not used as a CSV needs them"))
		}
		if err != nil {
			return nil, unreadable(err)
		}
		line, _ := rows.FieldPos(0)
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		switch {
		case header && !slices.Equal(row, csvHeader):
			return nil, atLine(line, wrong("应为表头 %s", "must be the header %s", strings.Join(csvHeader, ",")))
		case header || !slices.ContainsFunc(row, func(cell string) bool { return cell != "" }):
			continue
		case len(row) != len(csvHeader):
			return nil, atLine(line, wrong("有 %d 列，应为 %d 列", "has %d columns where there must be %d", len(row), len(csvHeader)))
		}
		day, err := parseDay(unslashed(row[0]), Kind(row[1]), row[2], row[3])
		if err != nil {
			return nil, atLine(line, err)
		}
		days = append(days, day)
	}
	if len(days) == 0 {
		return nil, errNoDays
	}
	return days, nil
}

// unslashed gives a date as we write it, if a spreadsheet has turned it.
func unslashed(date string) string {
	if t, err := time.Parse("2006/1/2", date); err == nil {
		return t.Format(time.DateOnly)
	}
	return date
}

// ReadHolidayCN reads the JSON of the public holiday-cn project, one file a year: year, papers (the
// addresses of the notices) and days with name, date and isOffDay. Unknown fields are passed over.
// All papers of the file become the notice of each of its days. It refuses a file that is not of
// this form, a file without days, and a date outside the year and the December before it; the error
// names the line, or the entry of days. Its encodings are those of [ReadCSV].
func ReadHolidayCN(r io.Reader) ([]Day, error) {
	text, err := readText(r)
	if err != nil {
		return nil, err
	}
	return parseHolidayCN(text)
}

func parseHolidayCN(text []byte) ([]Day, error) {
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
		return nil, notHolidayCN(err, text)
	}
	if len(file.Days) == 0 {
		return nil, errNoDays
	}
	if file.Year == 0 {
		return nil, wrong("缺 year（哪一年的通知）", "year is missing: whose notice is it?")
	}
	notice := strings.Join(file.Papers, " ")
	first, last := Date{file.Year - 1, time.December, 1}, Date{file.Year, time.December, 31}
	days := make([]Day, 0, len(file.Days))
	for i, d := range file.Days {
		place := fmt.Sprintf("days[%d]", i)
		if d.IsOffDay == nil {
			return nil, at(place, place, wrong("缺 isOffDay", "isOffDay is missing"))
		}
		kind := Workday
		if *d.IsOffDay {
			kind = Holiday
		}
		day, err := parseDay(d.Date, kind, d.Name, notice)
		if err != nil {
			return nil, at(place, place, err)
		}
		if day.Date.Before(first) || last.Before(day.Date) {
			return nil, at(place, place, wrong("%s 不属于 %d 年的通知", "%s cannot be in the notice for %d", day.Date, file.Year))
		}
		days = append(days, day)
	}
	return days, nil
}

var errNoDays = wrong("没有任何日期", "there are no days in it")

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

// readText reads a file as UTF-8 without byte order mark. What is not UTF-8 is taken for GB18030;
// what is neither, or holds control characters, is no text.
func readText(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, unreadable(err)
	}
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	if !utf8.Valid(text) {
		text, err = simplifiedchinese.GB18030.NewDecoder().Bytes(text)
	}
	if err != nil || bytes.ContainsFunc(text, noText) {
		return nil, wrong("不是文本文件；请存为 CSV 或 JSON，编码用 UTF-8 或 GB18030", "is no text file; save it as CSV or JSON, in UTF-8 or GB18030")
	}
	return text, nil
}

// noText tells what stands in no text: control characters, and what the decoder could not read.
func noText(r rune) bool {
	return r == utf8.RuneError || unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t'
}

func unreadable(err error) error {
	return &Error{"文件读不出", "the file cannot be read: " + err.Error()}
}

func atLine(line int, err error) error {
	return at(fmt.Sprintf("第 %d 行", line), fmt.Sprintf("line %d", line), err)
}

// notHolidayCN says what a JSON error is about, and in which line of the text.
func notHolidayCN(err error, text []byte) error {
	var offset int64
	why := err.Error()
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
		why = strings.TrimSpace(kind.Field+" can be no ") + " " + kind.Value
	}
	line := 1 + bytes.Count(text[:min(int(offset), len(text))], []byte("\n"))
	return atLine(line, &Error{"不是 holiday-cn 格式", "is not of the holiday-cn form: " + why})
}
