package casework

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// maxAbsence bounds an absence, and how far ahead it is announced: what lasts
// longer is a change of post, and a mistyped year (D).
const maxAbsence = 366 * 24 * time.Hour

// AbsenceState is where an absence stands. It is derived from the clock, never
// stored.
type AbsenceState string

// The states of an absence.
const (
	AbsenceComing    AbsenceState = "coming"    // 未开始
	AbsenceCurrent   AbsenceState = "current"   // 缺勤中
	AbsenceEnded     AbsenceState = "ended"     // 已结束
	AbsenceCancelled AbsenceState = "cancelled" // 已取消: ended before it began
)

// AbsenceStates lists the states of an absence.
func AbsenceStates() []AbsenceState {
	return []AbsenceState{AbsenceComing, AbsenceCurrent, AbsenceEnded, AbsenceCancelled}
}

// Name is the state's Chinese name.
func (s AbsenceState) Name() string {
	switch s {
	case AbsenceComing:
		return "未开始"
	case AbsenceCurrent:
		return "缺勤中"
	case AbsenceEnded:
		return "已结束"
	case AbsenceCancelled:
		return "已取消"
	}
	return string(s)
}

// Absence is a time during which a member of staff is not there. Their open
// tasks go to the deputy where that suits, else back to the department.
type Absence struct {
	ID      string    `json:"id"`
	Person  string    `json:"person"`           // staff number
	Deputy  string    `json:"deputy,omitempty"` // staff number; empty: the department takes over
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Reason  string    `json:"reason,omitempty"` // personal: for the person and those who dispatch
	By      string    `json:"by"`               // who entered it
	At      time.Time `json:"at"`
	EndedAt time.Time `json:"ended_at,omitzero"` // ended before To; cancelled, if before From
	EndedBy string    `json:"ended_by,omitempty"`
	Handed  Handed    `json:"handed"`
}

// Handed counts what was handed over so far for one cause, each task once.
type Handed struct {
	Cases        int `json:"cases"`
	ToPerson     int `json:"to_person"`     // tasks that went to the deputy or the colleague named
	ToDepartment int `json:"to_department"` // tasks that went back to their department
}

// Cause names why tasks change hands: it stands in records and names the
// absence's workflow.
func (a Absence) Cause() string { return "absence/" + a.ID }

// Until is when the absence really ends.
func (a Absence) Until() time.Time {
	if a.EndedAt.IsZero() {
		return a.To
	}
	return a.EndedAt
}

// State tells where the absence stands at a moment.
func (a Absence) State(now time.Time) AbsenceState {
	switch {
	case !a.EndedAt.IsZero() && !a.EndedAt.After(a.From):
		return AbsenceCancelled
	case !now.Before(a.Until()):
		return AbsenceEnded
	case now.Before(a.From):
		return AbsenceComing
	}
	return AbsenceCurrent
}

// Validate judges an absence that is entered at a moment. Person and deputy are
// as the staff table knows them; the deputy is nil where none is named. Whether
// either is absent already is for the store to say, which can lock them.
func (a Absence) Validate(person Staff, deputy *Staff, now time.Time) error {
	var c Check
	c.Require(person.Active, "person", Say("此人已停用", "this member of staff is not active"))
	c.Require(!a.From.IsZero(), "from", Say("请填写开始时间", "say when it begins"))
	c.Require(a.From.Before(a.To), "to", Say("结束时间须晚于开始时间", "it must end after it begins"))
	c.Require(a.To.After(now), "to", Say("结束时间已过", "it would be over already"))
	c.Require(a.To.Sub(a.From) <= maxAbsence && a.From.Sub(now) <= maxAbsence, "to",
		Say("缺勤最长一年，且须在一年内开始；更长请调整岗位", "an absence lasts a year at most and begins within a year; for longer, change the person's post"))
	text(&c, "reason", a.Reason, true)
	if deputy != nil {
		c.Require(deputy.ID != person.ID, "deputy", Say("代理人不能是本人", "the deputy must be somebody else"))
		c.Require(deputy.Active, "deputy", Say("代理人已停用", "the deputy is not active"))
		c.Require(deputy.Actor().Has(person.Roles...), "deputy", Sayf("%[1]s 与 %[2]s 没有相同角色，不能代理",
			"%[1]s shares no role with %[2]s and could do none of the tasks", deputy.ID, person.ID))
	}
	return c.Err()
}

// Overlapping refuses an absence because of one that is there already: of the
// same person, or of the deputy.
func (a Absence) Overlapping(there Absence) *Fault {
	if there.Person == a.Person {
		return Refuse(Conflict, "absence_overlaps", Sayf("%[1]s 已登记缺勤：%[2]s 至 %[3]s（%[4]s），请先结束或取消",
			"%[1]s is absent already from %[2]s to %[3]s (%[4]s); end or cancel that first", there.Person, Clock(there.From), Clock(there.Until()), there.ID))
	}
	return Refuse(Conflict, "deputy_absent", Sayf("代理人 %[1]s 同期缺勤：%[2]s 至 %[3]s，请另选代理人或不填",
		"the deputy %[1]s is absent too, from %[2]s to %[3]s; name another one, or none", there.Person, Clock(there.From), Clock(there.Until())))
}

// Assigning refuses to give a task to the person while they are not there.
func (a Absence) Assigning() *Fault {
	instead := Say("请派给他人", "give it to somebody else")
	if a.Deputy != "" {
		instead = Sayf("请派给代理人 %s", "give it to the deputy, %s", a.Deputy)
	}
	return Refuse(Conflict, "person_absent", Text{
		ZH: fmt.Sprintf("%s 自 %s 至 %s 缺勤，%s", a.Person, Clock(a.From), Clock(a.Until()), instead.ZH),
		EN: fmt.Sprintf("%s is absent from %s to %s; %s", a.Person, Clock(a.From), Clock(a.Until()), instead.EN),
	})
}

// Why says in a case's history why its tasks change hands. The reason of the
// absence is personal and stays out.
func (a Absence) Why() Text {
	return Sayf("%[1]s 缺勤至 %[2]s", "%[1]s is absent until %[2]s", a.Person, Clock(a.Until()))
}

// StaffHandOver is the handing over of all open work of a person in one act.
type StaffHandOver struct {
	ID      string    `json:"id"`
	Person  string    `json:"person"`       // staff number
	To      string    `json:"to,omitempty"` // staff number; empty: the departments
	Reason  string    `json:"reason"`
	Leaving bool      `json:"leaving"` // the person leaves: switched off first
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	DoneAt  time.Time `json:"done_at,omitzero"`
	Handed  Handed    `json:"handed"`
}

// Cause names why tasks change hands: it stands in records and names the
// workflow that does it.
func (h StaffHandOver) Cause() string { return "hand-over/" + h.ID }

// Validate judges a request to hand over. The colleague is nil where none is
// named.
func (h StaffHandOver) Validate(person Staff, to *Staff) error {
	var c Check
	text(&c, "reason", h.Reason, true)
	if to != nil {
		c.Require(to.ID != person.ID, "to", Say("不能交给本人", "must be somebody else"))
		c.Require(to.Active, "to", Say("此人已停用", "this member of staff is not active"))
		c.Require(to.Actor().Has(person.Roles...), "to", Sayf("%[1]s 与 %[2]s 没有相同角色，不能接手",
			"%[1]s shares no role with %[2]s and could do none of the tasks", to.ID, person.ID))
	}
	return c.Err()
}

// Why says in a case's history why its tasks change hands, and who wanted it.
func (h StaffHandOver) Why() Text {
	if h.Leaving {
		return Sayf("%[1]s 离岗移交（%[2]s）：%[3]s", "%[1]s leaves (%[2]s): %[3]s", h.Person, h.By, h.Reason)
	}
	return Sayf("%[1]s 工作移交（%[2]s）：%[3]s", "%[1]s hands over (%[2]s): %[3]s", h.Person, h.By, h.Reason)
}

// Said is what those are told who get the tasks. The reason may be personal and
// stays out.
func (h StaffHandOver) Said() Text {
	if h.Leaving {
		return Sayf("%[1]s 离岗移交", "%[1]s leaves", h.Person)
	}
	return Sayf("%[1]s 工作移交", "%[1]s hands over", h.Person)
}

// HandedTask is an open task that went from one person to another, or back to
// its department.
type HandedTask struct {
	ID         string
	Case       string
	Kind       TaskKind
	Role       Role
	Department Department
	District   District
	To         string    // staff number; empty: the department
	DueAt      time.Time // zero while its clock stands, or where it has none

	Provisional bool // DueAt counted through a year without notice
}

// namedTasks is how many of the tasks a message names, those that are due first.
const namedTasks = 5

// TellOfHanded writes to those who got tasks for one cause: one message to each
// person, and one to each role and district that has some back.
func TellOfHanded(cause string, why Text, tasks []HandedTask, now time.Time) []Message {
	tasks = slices.Clone(tasks)
	slices.SortFunc(tasks, func(a, b HandedTask) int {
		if a.DueAt.IsZero() != b.DueAt.IsZero() {
			if a.DueAt.IsZero() {
				return 1
			}
			return -1
		}
		return cmp.Or(a.DueAt.Compare(b.DueAt), strings.Compare(a.ID, b.ID))
	})
	type taker struct {
		person   string
		role     Role
		district District
	}
	var takers []taker
	got := map[taker][]HandedTask{}
	for _, t := range tasks {
		to := taker{person: t.To}
		if t.To == "" {
			to.role, to.district = t.Role, t.District
		}
		if got[to] == nil {
			takers = append(takers, to)
		}
		got[to] = append(got[to], t)
	}
	messages := make([]Message, len(takers))
	for i, to := range takers {
		messages[i] = handedMessage(cause, why, got[to], now)
	}
	return messages
}

// handedMessage tells one who got tasks, of which the first is due first. Each
// task is told once for a cause, so the first one gives the message its ID.
func handedMessage(cause string, why Text, tasks []HandedTask, now time.Time) Message {
	first := tasks[0]
	m := Message{
		ID: cause + "/" + first.ID, Kind: MessageHandOver, To: first.Role, Person: first.To, Department: first.Department,
		District: first.District, DueAt: first.DueAt, Provisional: first.Provisional, At: now,
	}
	var zh, en []string
	for i, t := range tasks {
		if t.District != first.District {
			m.District = AllDistricts
		}
		if i >= namedTasks {
			continue
		}
		due := Say("无时限或计时已停", "no due moment for now")
		if !t.DueAt.IsZero() {
			moment := DueText(calendar.Due{At: t.DueAt, Provisional: t.Provisional})
			due = Say(moment.ZH+" 到期", "due "+moment.EN)
		}
		zh = append(zh, t.Case+" "+t.Kind.Name()+"（"+due.ZH+"）")
		en = append(en, t.Case+" "+string(t.Kind)+" ("+due.EN+")")
	}
	to := Say("退回部门，请领取或派单", "came back to the department, to be claimed or given to somebody")
	if first.To != "" {
		to = Sayf("转由 %[1]s 办理", "came to %[1]s", first.To)
	}
	m.Text = Text{
		ZH: fmt.Sprintf("%s：%d 项任务%s。最先到期：%s", why.ZH, len(tasks), to.ZH, strings.Join(zh, "；")),
		EN: fmt.Sprintf("%s: %d open tasks %s. Due first: %s", why.EN, len(tasks), to.EN, strings.Join(en, "; ")),
	}
	return m
}

// HeldCase is a case with the open tasks that a person holds in it.
type HeldCase struct {
	Case  string
	Tasks []string
}

// HoldsTasks refuses to switch off a person who holds open tasks.
func HoldsTasks(person string, tasks int) *Fault {
	return Refuse(Conflict, "holds_tasks", Sayf("%[1]s 尚有 %[2]d 项在办任务，请改用移交：POST /v1/staff/%[1]s/hand-over（leaving: true），移交并停用一次办结",
		"%[1]s holds %[2]d open tasks; hand them over instead with POST /v1/staff/%[1]s/hand-over (leaving: true), which also switches the account off", person, tasks))
}

// AbsenceFilter selects absences; a zero field selects all.
type AbsenceFilter struct {
	Person string
	// Involving selects those in which somebody is the person or the deputy.
	Involving string
	State     AbsenceState
	Page
}
