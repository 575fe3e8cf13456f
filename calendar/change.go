package calendar

import (
	"bytes"
	"io"
	"slices"
	"time"
)

// Read reads a notice in either form: a file that begins like JSON is read by [ReadHolidayCN],
// anything else by [ReadCSV].
func Read(r io.Reader) ([]Day, error) {
	text, err := readText(r)
	if err != nil {
		return nil, err
	}
	if begins := bytes.TrimSpace(text); len(begins) > 0 && (begins[0] == '{' || begins[0] == '[') {
		return parseHolidayCN(text)
	}
	return parseCSV(text)
}

// Years are the years whose notice is in the table, in order; see [Notices.HasYear].
func (n Notices) Years() []int {
	var years []int
	for _, d := range n.days {
		if y := d.Date.Year; d.Date.Month < time.December && !slices.Contains(years, y) {
			years = append(years, y)
		}
	}
	return years
}

// noticeYear is the year to whose notice a day of the table belongs. A notice reaches back into the
// December before (and no notice has a holiday of its own in December), so a day in December belongs
// to the next year's notice where the table has that one, else to its own year's.
func (n Notices) noticeYear(d Date) int {
	if d.Month == time.December && n.HasYear(d.Year+1) {
		return d.Year + 1
	}
	return d.Year
}

// Replace puts whole notices in the place of those that the table has for the same years, and gives
// the result a version of its own: a day that the newer notice does not name is none any more. Days
// of other years stay. It refuses what [NewNotices] refuses, and days in December that come without
// the rest of a notice: they are no whole notice, and would empty a year. [Notices.Amend] takes them.
func (n Notices) Replace(version string, days []Day) (Notices, error) {
	newer, err := NewNotices(version, days)
	if err != nil {
		return Notices{}, err
	}
	years := newer.Years()
	for _, d := range newer.days {
		if y := newer.noticeYear(d.Date); !slices.Contains(years, y) {
			return Notices{}, wrong("%s 只有 12 月的日子，不是完整的通知；若只修改个别日子，请用“修改”方式（amend）", "%s comes without the rest of its notice; to change single days, amend", d.Date)
		}
	}
	kept := slices.DeleteFunc(n.Days(), func(d Day) bool { return slices.Contains(years, n.noticeYear(d.Date)) })
	rest := Notices{version, kept}
	return rest.Amend(version, newer.days)
}

// Change is a day on which two tables differ. A day that one of them does not name is nil there.
type Change struct {
	Date   Date `json:"date"`
	Before *Day `json:"before,omitempty"`
	After  *Day `json:"after,omitempty"`
}

// Diff lists the days on which two tables differ, in order of date. A day whose kind is the same and
// that is only named otherwise, or by another notice, is a change too, for the table keeps both.
func Diff(before, after Notices) []Change {
	var changes []Change
	b, a := before.days, after.days
	for len(b) > 0 || len(a) > 0 {
		switch {
		case len(a) == 0 || len(b) > 0 && b[0].Date.Before(a[0].Date):
			old := b[0]
			changes = append(changes, Change{Date: old.Date, Before: &old})
			b = b[1:]
		case len(b) == 0 || a[0].Date.Before(b[0].Date):
			added := a[0]
			changes = append(changes, Change{Date: added.Date, After: &added})
			a = a[1:]
		default:
			if a[0] != b[0] {
				old, changed := b[0], a[0]
				changes = append(changes, Change{Date: old.Date, Before: &old, After: &changed})
			}
			a, b = a[1:], b[1:]
		}
	}
	return changes
}

// Counts are how many days a change of tables adds, changes and removes.
type Counts struct {
	Added   int `json:"added"`
	Changed int `json:"changed"`
	Removed int `json:"removed"`
}

// Count counts changes.
func Count(changes []Change) (c Counts) {
	for _, change := range changes {
		switch {
		case change.Before == nil:
			c.Added++
		case change.After == nil:
			c.Removed++
		default:
			c.Changed++
		}
	}
	return c
}
