package casework

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// noticeLead is how many days before a year its notice should be there: from 15
// November on.
const noticeLead = 47

// LatestNotice is the latest year whose notice should be there on a day.
func LatestNotice(today calendar.Date) int { return today.AddDays(noticeLead).Year }

// CalendarImport is a file with the State Council's notice on public holidays
// (放假安排), as somebody brings it in.
type CalendarImport struct {
	Name string // of the file, for the record
	File []byte // the project's CSV or the JSON of holiday-cn
	// Year, where it is set, is the year whose notice the file is meant to be;
	// days of another are refused.
	Year int
	// Amend lays the file's days over the table and leaves all others. Without
	// it the file is the whole notice of each of its years, and takes the place
	// of what the table has for them.
	Amend bool
	// AcceptWarnings imports what is unusual all the same.
	AcceptWarnings bool
}

// CalendarPlan is what an import would make of the table in force.
type CalendarPlan struct {
	BasedOn  string // the version that it changes
	Notices  calendar.Notices
	Source   string // which notices the file names
	Changes  []calendar.Change
	Warnings []calendar.Warning
}

// maxSource bounds how many characters of the notices' names go on record with
// an import; each day keeps its own.
const maxSource = 500

// Plan works out what the import would make of the table in force, under a
// version. It refuses a file that can't be read, days of another year than was
// asked for, dates that come twice, and what changes nothing. Nothing is
// refused for a warning: see [CalendarPlan.Accept].
func (i CalendarImport) Plan(inForce calendar.Notices, version string) (CalendarPlan, error) {
	days, err := calendar.Read(bytes.NewReader(i.File))
	if err != nil {
		return CalendarPlan{}, badCalendar("unreadable_calendar", err)
	}
	if err := i.checkYear(days); err != nil {
		return CalendarPlan{}, err
	}
	p := CalendarPlan{BasedOn: inForce.Version(), Source: sources(days)}
	if i.Amend {
		p.Notices, err = amend(inForce, version, days)
	} else {
		p.Notices, err = inForce.Replace(version, days)
	}
	if err != nil {
		return CalendarPlan{}, badCalendar("bad_calendar", err)
	}
	p.Changes = calendar.Diff(inForce, p.Notices)
	if len(p.Changes) == 0 {
		return CalendarPlan{}, Refuse(Conflict, "calendar_unchanged", Sayf("文件内容与现行日历 %s 相同，无需导入",
			"the file changes nothing: the calendar in force, %s, has the same days", p.BasedOn))
	}
	p.Warnings = calendar.Check(slices.DeleteFunc(p.Notices.Days(), func(d calendar.Day) bool {
		return !slices.ContainsFunc(p.Changes, func(c calendar.Change) bool { return c.Date.Year == d.Date.Year })
	}))
	return p, nil
}

// amend refuses a file with a date twice, which laying it over the table day by
// day would hide.
func amend(inForce calendar.Notices, version string, days []calendar.Day) (calendar.Notices, error) {
	if _, err := calendar.NewNotices(version, days); err != nil {
		return calendar.Notices{}, err
	}
	return inForce.Amend(version, days)
}

// checkYear refuses days that can't be in the notice of the year asked for: it
// reaches back into the December before.
func (i CalendarImport) checkYear(days []calendar.Day) error {
	if i.Year == 0 {
		return nil
	}
	first, last := calendar.Date{Year: i.Year - 1, Month: time.December, Day: 1}, calendar.Date{Year: i.Year, Month: time.December, Day: 31}
	for _, d := range days {
		if d.Date.Before(first) || last.Before(d.Date) {
			return Refuse(Invalid, "wrong_year", Sayf("%[1]s 不属于 %[2]d 年的放假通知，请核对文件和年份", "%[1]s cannot be in the notice for %[2]d; check the file and the year", d.Date, i.Year))
		}
	}
	return nil
}

// Accept refuses a plan with warnings, unless whoever imports has accepted them.
func (p CalendarPlan) Accept(acceptWarnings bool) error {
	if acceptWarnings || len(p.Warnings) == 0 {
		return nil
	}
	f := Refuse(Conflict, "calendar_warnings", Sayf("有 %d 处异常，请核对通知原文；确认无误后注明接受异常（accept_warnings）再导入",
		"%d things are unusual; compare them with the notice, then import with accept_warnings", len(p.Warnings)))
	for _, w := range p.Warnings {
		zh, en, _ := strings.Cut(strings.TrimSuffix(w.Text, ")"), " (")
		f.Fields = append(f.Fields, FieldFault{Field: warned(w), Text: Say(zh, en)})
	}
	return f
}

// warned is what a warning is about: a day, or a year.
func warned(w calendar.Warning) string {
	if w.Date.IsZero() {
		return fmt.Sprint(w.Year)
	}
	return w.Date.String()
}

// badCalendar refuses a file for an error of package calendar.
func badCalendar(code string, err error) error {
	zh, en := calendar.Said(err)
	return Refuse(Invalid, code, Say("节假日文件有误，未作任何更改："+zh, "the calendar file is not valid and nothing was changed: "+en))
}

// sources lists the notices that days name, each once.
func sources(days []calendar.Day) string {
	var names []string
	for _, d := range days {
		if d.Notice != "" && !slices.Contains(names, d.Notice) {
			names = append(names, d.Notice)
		}
	}
	text := []rune(strings.Join(names, "；"))
	return string(text[:min(len(text), maxSource)])
}

// CalendarVersion is one version of the table of holidays, on record.
type CalendarVersion struct {
	Version    string    `json:"version"`
	ImportedAt time.Time `json:"imported_at"`
	ImportedBy string    `json:"imported_by"`
	Days       int       `json:"days"` // exceptions in the whole table
	Years      []int     `json:"years,omitempty" doc:"已有通知的年份 years whose notice it has"`

	// What follows is empty for the table that came with the program.
	BasedOn string `json:"based_on,omitempty" doc:"所修改的版本 the version that it changed"`
	File    string `json:"file,omitempty" doc:"文件名 name of the file"`
	Source  string `json:"source,omitempty" doc:"通知 the notices"`
	Amended bool   `json:"amended,omitempty" doc:"仅修改个别日子 single days were changed"`
	// Told counts the cases that were told so far; ToldAt is when every case had
	// been looked at once. Left counts those whose deadlines still stand by an
	// older table when nobody was told any more; SettledAt is when that was.
	Told      int       `json:"told" doc:"已通知的案件 cases that were told"`
	ToldAt    time.Time `json:"told_at,omitzero" doc:"全部案件首次核对完毕 when every case had been looked at once"`
	Left      int       `json:"left,omitempty" doc:"尚未重新计算的案件 cases that have not worked their deadlines out anew"`
	SettledAt time.Time `json:"settled_at,omitzero" doc:"办结：复核完毕 when it was confirmed that nothing is left"`
}

// DeadlineMove is a live deadline that a calendar moves: its due moment, the
// time that is left of it, its mark as provisional, or only its rungs.
type DeadlineMove struct {
	Case     string   `json:"case"`
	District District `json:"district"`
	Move
	// RungsOnly tells that the due moment stays and only a step of the ladder
	// moves.
	RungsOnly bool `json:"rungs_only,omitempty" doc:"仅提醒或升级时刻变化 only a reminder or an escalation moves"`
}

// MoveBy works a deadline out by a calendar and tells whether that moves it.
// What is the same stays, whichever version gave it: so a case that is told
// twice has nothing to do the second time.
func (d *Deadline) MoveBy(cal *calendar.Calendar) (DeadlineMove, bool) {
	next := d.WorkOut(cal, cal.Version())
	m := DeadlineMove{Move: Move{Deadline: d.ID, Limit: d.Limit, From: d.Due, To: next.Due}}
	if !d.Due.Same(next.Due) {
		return m, true
	}
	for i := range d.Rungs {
		if !d.Rungs[i].At.Equal(next.Rungs[i].At) {
			m.RungsOnly = true
			return m, true
		}
	}
	return m, false
}
