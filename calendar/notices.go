package calendar

import (
	_ "embed" // The seed table is compiled in.
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind is what a notice makes of a day.
type Kind string

// The kinds of exception that a notice can make.
const (
	Holiday Kind = "holiday" // 放假: a day off, on a weekday or a weekend.
	Workday Kind = "workday" // 调休上班: a Saturday or Sunday on which people work.
)

// Day is one exception to "Monday to Friday".
type Day struct {
	Date Date   `json:"date"`
	Kind Kind   `json:"kind"`
	Name string `json:"name"` // The festival, for example 春节.
	// Notice names the State Council notice by its number or title, and where it was published.
	Notice string `json:"notice"`
}

// Notices is one version of the table of exceptions, taken from the State Council's notices. It does
// not change once made. The zero value knows no notice at all.
type Notices struct {
	version string
	days    []Day // In order of date.
}

// NewNotices makes a table under a version, which deadlines record so that one can tell by which
// table they were worked out. The order of days does not matter. It refuses an empty version, a date
// that does not exist or comes twice, an unknown kind, and a make-up workday from Monday to Friday,
// which is a misread notice. What is merely unusual is for [Check] to say.
func NewNotices(version string, days []Day) (Notices, error) {
	if version == "" {
		return Notices{}, wrong("节假日表须有版本号", "a table of notices needs a version")
	}
	days = slices.Clone(days)
	slices.SortStableFunc(days, byDate)
	for i, d := range days {
		switch {
		case !d.Date.Valid():
			return Notices{}, wrong("没有 %04d-%02d-%02d 这一天", "there is no day %04d-%02d-%02d", d.Date.Year, d.Date.Month, d.Date.Day)
		case d.Kind != Holiday && d.Kind != Workday:
			return Notices{}, at(d.Date.String(), d.Date.String(), unknownKind(d.Kind))
		case d.Kind == Workday && plainWorkday(d.Date.day()):
			return Notices{}, wrong("%[1]s 本是工作日，不能作调休上班日", "%[1]s is a %[2]s: only a weekend day can be made a working day", d.Date, d.Date.Weekday())
		case i > 0 && d.Date == days[i-1].Date:
			return Notices{}, wrong("%s 出现两次", "%s comes twice", d.Date)
		}
	}
	return Notices{version, days}, nil
}

//go:embed seed/cn-workdays.csv
var seed string

// Seed is the table that comes with the program: the notices for 2023 to 2026. Each call reads it
// anew (well under a millisecond), because a shared table would be a global.
func Seed() Notices {
	days, err := ReadCSV(strings.NewReader(seed))
	if err != nil {
		panic("calendar: the embedded seed is broken: " + err.Error())
	}
	n, err := NewNotices("seed-2026", days)
	if err != nil {
		panic("calendar: the embedded seed is broken: " + err.Error())
	}
	return n
}

// Version names this table.
func (n Notices) Version() string { return n.version }

// Days are the exceptions in order of date. The slice is the caller's own.
func (n Notices) Days() []Day { return slices.Clone(n.days) }

// HasYear tells whether the notice for year is in the table. A notice can reach back into December
// of the year before (the days off around New Year 2019 began on 2018-12-30), so a day in December
// is no sign of its own year's notice; each notice has days before that.
func (n Notices) HasYear(year int) bool {
	i, _ := slices.BinarySearchFunc(n.days, Date{year, time.January, 1}, func(d Day, first Date) int {
		return d.Date.Compare(first)
	})
	return i < len(n.days) && n.days[i].Date.Before(Date{year, time.December, 1})
}

// Amend lays newer days over the table and gives the result a version of its own: a date in both is
// taken from days. That is how the next year's notice comes in, and how a notice that changes the
// running year does (in late January 2020 the Spring Festival was prolonged over a make-up workday).
// It refuses what [NewNotices] refuses.
func (n Notices) Amend(version string, days []Day) (Notices, error) {
	newer := make(map[Date]bool, len(days))
	for _, d := range days {
		newer[d.Date] = true
	}
	kept := slices.DeleteFunc(n.Days(), func(d Day) bool { return newer[d.Date] })
	return NewNotices(version, append(kept, days...))
}

// Warning is something in a table that is unusual but can be right, for a person to confirm.
type Warning struct {
	Year int    `json:"year"`
	Date Date   `json:"date,omitzero"` // Zero if the whole year is meant.
	Text string `json:"text"`          // Chinese, then English.
}

// Check says what is unusual in days that are about to be imported: a day whose notice is not named,
// and a year whose weekdays off, less its make-up workdays, are not as many as its statutory
// holidays. That number is 11 from 2008 and 13 from 2025 (全国年节及纪念日放假办法, State Council
// decrees 513, 644 and 795); an extra holiday, as on 2015-09-03, changes it rightly. A year of which
// only December days are given is not weighed. Warnings come in order of year, then date; what
// concerns the whole year comes last.
func Check(days []Day) []Warning {
	days = slices.Clone(days)
	slices.SortStableFunc(days, byDate)
	var warnings []Warning
	for len(days) > 0 {
		year := days[0].Date.Year
		end := slices.IndexFunc(days, func(d Day) bool { return d.Date.Year != year })
		if end < 0 {
			end = len(days)
		}
		warnings = append(warnings, checkYear(year, days[:end])...)
		days = days[end:]
	}
	return warnings
}

func checkYear(year int, days []Day) []Warning {
	var warnings []Warning
	off := 0
	for _, d := range days {
		switch {
		case d.Kind == Workday:
			off--
		case plainWorkday(d.Date.day()):
			off++
		}
		if d.Notice == "" {
			warnings = append(warnings, Warning{year, d.Date, fmt.Sprintf("%s 未注明通知文号 (%[1]s does not name its notice)", d.Date)})
		}
	}
	if want := statutoryHolidays(year); want > 0 && off != want && days[0].Date.Month < time.December {
		warnings = append(warnings, Warning{year, Date{}, fmt.Sprintf(
			"%d 年净放假工作日 %d 天，法定节假日应为 %d 天 (%[1]d has %[2]d net weekdays off where the statutory holidays are %[3]d)", year, off, want)})
	}
	return warnings
}

// statutoryHolidays is how many days the regulation grants everyone, or 0 for years before the rule
// that each of them falls on a weekday or is made up for by one.
func statutoryHolidays(year int) int {
	switch {
	case year >= 2025:
		return 13
	case year >= 2008:
		return 11
	default:
		return 0
	}
}

func byDate(a, b Day) int { return a.Date.Compare(b.Date) }

func unknownKind(k Kind) error {
	return wrong("类别“%s”不对，只能是 holiday 或 workday", "kind %q is neither holiday nor workday", string(k))
}
