package casework

import (
	"slices"
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// AnswerKind is what was done about an escalation.
type AnswerKind string

// The answers to an escalation.
const (
	AnswerReassign AnswerKind = "reassign" // 改派: the task goes to somebody else
	AnswerExtend   AnswerKind = "extend"   // 延期: time is granted on top
	AnswerDispatch AnswerKind = "dispatch" // 调度: people or means are sent, as the note says
	AnswerNote     AnswerKind = "note"     // 说明: nothing is changed, for the reason that the note gives
)

// AnswerKinds lists the answers to an escalation.
func AnswerKinds() []AnswerKind {
	return []AnswerKind{AnswerReassign, AnswerExtend, AnswerDispatch, AnswerNote}
}

// Name is the answer's Chinese name.
func (a AnswerKind) Name() string {
	switch a {
	case AnswerReassign:
		return "改派"
	case AnswerExtend:
		return "延期"
	case AnswerDispatch:
		return "调度"
	case AnswerNote:
		return "说明"
	}
	return string(a)
}

// Closing is why an escalation was closed.
type Closing string

// The ways in which an escalation ends.
const (
	ClosedByPerson Closing = "person"     // somebody was content with its answer
	ClosedByWork   Closing = "met"        // the work was done
	ClosedByDrop   Closing = "dropped"    // the work is no longer needed
	ClosedByRung   Closing = "superseded" // the next rung of the same deadline took over
)

// Name is the reason's Chinese name.
func (c Closing) Name() string {
	switch c {
	case ClosedByPerson:
		return "人工关闭"
	case ClosedByWork:
		return "工作已完成"
	case ClosedByDrop:
		return "工作不再需要"
	case ClosedByRung:
		return "上一级已接手"
	}
	return string(c)
}

// Climb is an escalation's step to the next role, because nobody answered.
type Climb struct {
	To Role      `json:"to"`
	At time.Time `json:"at"`
}

// EscalationState is how far an escalation has come.
type EscalationState string

// The states of an escalation.
const (
	EscalationWaiting      EscalationState = "waiting"      // 待签收: nobody owns it where it has climbed to
	EscalationAcknowledged EscalationState = "acknowledged" // 已签收: owned, and not answered
	EscalationReplied      EscalationState = "answered"     // 已答复
	EscalationOver         EscalationState = "closed"       // 已关闭
)

// EscalationStates lists the states in the order of an escalation's life.
func EscalationStates() []EscalationState {
	return []EscalationState{EscalationWaiting, EscalationAcknowledged, EscalationReplied, EscalationOver}
}

// Name is the state's Chinese name.
func (s EscalationState) Name() string {
	switch s {
	case EscalationWaiting:
		return "待签收"
	case EscalationAcknowledged:
		return "已签收"
	case EscalationReplied:
		return "已答复"
	case EscalationOver:
		return "已关闭"
	}
	return string(s)
}

// State tells how far the escalation has come.
func (e *Escalation) State() EscalationState {
	switch {
	case !e.Open():
		return EscalationOver
	case !e.AnsweredAt.IsZero():
		return EscalationReplied
	case e.owned():
		return EscalationAcknowledged
	}
	return EscalationWaiting
}

// owned tells whether somebody of the role that must act now has said that
// they do: who owned it before it climbed has let go of it.
func (e *Escalation) owned() bool {
	if e.AcknowledgedAt.IsZero() || len(e.Climbs) == 0 {
		return !e.AcknowledgedAt.IsZero()
	}
	return e.AcknowledgedAt.After(e.Climbs[len(e.Climbs)-1].At)
}

// Open tells whether the escalation is not closed yet.
func (e *Escalation) Open() bool { return e.ClosedAt.IsZero() }

// responsible is the role that must act: the one told, or the role of the
// department in charge where the holder was.
func (e *Escalation) responsible() Role {
	if e.To != "" {
		return e.To
	}
	return Role(e.Department)
}

// MessageKind says on what occasion somebody is told.
type MessageKind string

// The occasions of messages.
const (
	MessageRung     MessageKind = "rung"      // a rung of the ladder fired
	MessageClimb    MessageKind = "climb"     // an escalation climbed unanswered
	MessagePauseEnd MessageKind = "pause_end" // a pause has reached its planned end
	MessageReview   MessageKind = "review"    // a pause lasts beyond the policy's bound
	MessagePassedOn MessageKind = "passed_on" // a case was passed on to them
	MessageHandOver MessageKind = "hand_over" // open tasks of somebody else came to them
)

// Name is the occasion's Chinese name.
func (k MessageKind) Name() string {
	switch k {
	case MessageRung:
		return "提醒与升级"
	case MessageClimb:
		return "未答复升级"
	case MessagePauseEnd:
		return "暂停到期"
	case MessageReview:
		return "暂停复核"
	case MessagePassedOn:
		return "转办"
	case MessageHandOver:
		return "任务移交"
	}
	return string(k)
}

// MessageKinds lists the occasions of messages.
func MessageKinds() []MessageKind {
	return []MessageKind{MessageRung, MessageClimb, MessagePauseEnd, MessageReview, MessagePassedOn, MessageHandOver}
}

// Message is what a person is told, once through each outlet that carries it.
// It holds no personal data of customers, for it leaves the house.
type Message struct {
	ID         string      `json:"id"`   // the same occasion has the same ID
	Case       string      `json:"case"` // empty where it is about several
	Kind       MessageKind `json:"kind"`
	Escalation string      `json:"escalation,omitempty"`
	Level      int         `json:"level"`
	Top        bool        `json:"top"`              // of the top rung, which disturbs outside business hours too
	To         Role        `json:"to"`               // who is told
	Person     string      `json:"person,omitempty"` // the staff number, where one person is told
	Department Department  `json:"department"`
	District   District    `json:"district"`
	Text       Text        `json:"text"`
	DueAt      time.Time   `json:"due_at,omitzero"`
	At         time.Time   `json:"at"`

	Provisional bool `json:"provisional,omitempty"` // DueAt counted through a year without notice
}

// tell has a message of the case sent.
func (k *Case) tell(m Message) {
	m.Case, m.District = k.Number, k.Request.Site.District
	k.changes.Messages = append(k.changes.Messages, m)
}

// top tells whether a level is the highest of a limit's ladder.
func (k *Case) top(l LimitName, level int) bool {
	highest := 0
	for _, r := range k.Terms.LadderOf(l) {
		highest = max(highest, r.Level)
	}
	return level > 0 && level >= highest
}

// awaitAnswer starts the clock of an escalation's answer. It climbs from role
// to role, each with the time that its own rung grants.
func (k *Case) awaitAnswer(d *Deadline, r *RungMark, e Escalation, now time.Time) {
	if r.Answer == (calendar.Budget{}) {
		return
	}
	clock := Deadline{ID: answerClock + e.ID, Limit: AnswerLimit, Anchor: now, Budget: r.Answer, Stale: true}
	clock.climbs(answerLadder(k.Terms.LadderOf(d.Limit), r.Rung))
	k.Deadlines = append(k.Deadlines, clock)
}

// answerLadder gives the steps that an unanswered escalation climbs: the roles
// above its own.
func answerLadder(ladder []Rung, from Rung) []Rung {
	var steps []Rung
	last := from
	for _, r := range ladder {
		if r.Level <= last.Level || r.To == "" || r.To == last.To {
			continue
		}
		step := Rung{Name: r.Name, To: r.To, Level: r.Level}
		if len(steps) > 0 {
			if last.Answer == (calendar.Budget{}) {
				break // whoever it reached need not answer
			}
			step.After = last.Answer
		}
		steps = append(steps, step)
		last = r
	}
	return steps
}

// answerDue shows in an escalation when it climbs, once that is worked out.
func (k *Case) answerDue(d *Deadline) {
	for i := range k.Escalations {
		e := &k.Escalations[i]
		if d.ID != answerClock+e.ID {
			continue
		}
		due := time.Time{}
		if r, ok := d.NextRung(); ok {
			due = r.At
		} else if len(d.Rungs) == 0 {
			due = d.Due.At
		}
		if !e.AnswerDueAt.Equal(due) || e.AnswerProvisional != d.Due.Provisional {
			e.AnswerDueAt, e.AnswerProvisional = due, d.Due.Provisional
			k.changes.escalation(*e)
		}
	}
}

// climb hands an escalation that nobody answered to the next role.
func (k *Case) climb(id string, r *RungMark, now time.Time) {
	e := k.escalation(id)
	if e == nil {
		return
	}
	if d, ok := k.Deadline(answerClock + id); ok {
		k.answerDue(d) // this step is behind it, whether it climbs or not
	}
	if r.Level <= e.Level {
		return // another policy may have steps below the one that it has reached
	}
	from := e.responsible()
	e.To, e.Level = r.To, r.Level
	e.Climbs = append(e.Climbs, Climb{To: r.To, At: now})
	k.changes.escalation(*e)
	say := Sayf("%[1]s未答复，升级%[2]s改由%[3]s处理", "not answered by %[4]s: %[5]s goes to %[6]s",
		from.Name(), e.Rung.Name(), r.To.Name(), from, e.Rung, r.To)
	k.record(now, System(), EscalationClimbed, e.task(), say, map[string]string{"escalation": e.ID})
	k.tell(Message{
		ID: e.ID + "/" + string(r.To), Kind: MessageClimb, Escalation: e.ID, Level: e.Level, Top: k.top(e.Limit, r.Level), To: r.To,
		Department: e.Department, Text: say, DueAt: e.DueAt, Provisional: e.Provisional, At: now,
	})
}

// escalation gives an open escalation, or nil.
func (k *Case) escalation(id string) *Escalation {
	for i := range k.Escalations {
		if e := &k.Escalations[i]; e.ID == id && e.Open() {
			return e
		}
	}
	return nil
}

// answered tells whether the ladder of a limit asks for answers. Where it asks
// for none, an escalation is over as soon as it is acknowledged, and until then
// it stays, whatever becomes of the work.
func (k *Case) answered(l LimitName) bool {
	return slices.ContainsFunc(k.Terms.LadderOf(l), func(r Rung) bool { return r.Answer != (calendar.Budget{}) })
}

// endsWithWork tells whether an escalation is over when its work is, or when the
// next rung takes over: where the ladder asks for answers now, and where it did
// when the rung fired, so that no clock of an answer outlives the work.
func (k *Case) endsWithWork(e *Escalation) bool {
	_, asked := k.Deadline(answerClock + e.ID)
	return asked || !e.AnsweredAt.IsZero() || k.answered(e.Limit)
}

// task is the task that an escalation is about; empty for the lane's limit.
func (e *Escalation) task() string {
	if e.Deadline == LaneDeadline {
		return ""
	}
	return e.Deadline
}

// supersede closes what a deadline's earlier rungs left open: the new rung
// takes over.
func (k *Case) supersede(deadline string, now time.Time) {
	for i := range k.Escalations {
		if e := &k.Escalations[i]; e.Deadline == deadline && e.Open() && k.endsWithWork(e) {
			k.closeEscalation(e, System(), ClosedByRung, now)
		}
	}
}

// closeEscalations closes what a deadline caused, because it was met or its
// work is no longer needed.
func (k *Case) closeEscalations(deadline string, met bool, now time.Time) {
	why := ClosedByDrop
	if met {
		why = ClosedByWork
	}
	for i := range k.Escalations {
		if e := &k.Escalations[i]; e.Deadline == deadline && e.Open() && k.endsWithWork(e) {
			k.closeEscalation(e, System(), why, now)
		}
	}
}

func (k *Case) closeEscalation(e *Escalation, by Actor, why Closing, now time.Time) {
	e.ClosedAt, e.ClosedBy, e.Closing = now, by.ID, why
	k.changes.escalation(*e)
	k.stopAnswerClock(e, now)
}

// stopAnswerClock ends the clock of an answer.
func (k *Case) stopAnswerClock(e *Escalation, now time.Time) {
	k.closeDeadline(answerClock+e.ID, !e.AnsweredAt.IsZero(), now, now)
}

// findEscalation gives an open escalation that the actor may act on.
func (b By) findEscalation(k *Case, id string) (*Escalation, error) {
	if err := b.check(k); err != nil {
		return nil, err
	}
	e := k.escalation(id)
	if e == nil {
		return nil, Refuse(Conflict, "escalation_not_open", Say("没有这条未关闭的升级", "no such escalation is open"))
	}
	if to := e.responsible(); !b.Actor.Dispatches() && !b.Actor.Has(to) {
		return nil, Refuse(Forbidden, "wrong_role", Sayf("该升级由%[1]s处理", "this escalation is for %[2]s", to.Name(), to))
	}
	return e, nil
}

// remark refuses a note, which may be left out, that can't be kept.
func remark(note string) error {
	var c Check
	text(&c, "note", note, false)
	return c.Err()
}

// AcknowledgeEscalation says that somebody acts on a rung, and owns it from
// then on.
type AcknowledgeEscalation struct {
	By
	Escalation string `json:"escalation"`
	Note       string `json:"note,omitempty"`
}

// Apply implements [Action].
func (a AcknowledgeEscalation) Apply(k *Case, now time.Time) error {
	e, err := a.findEscalation(k, a.Escalation)
	if err != nil {
		return err
	}
	if err := remark(a.Note); err != nil {
		return err
	}
	if e.owned() {
		return Refuse(Conflict, "already_acknowledged", Sayf("已由 %[1]s 于 %[2]s 签收", "acknowledged already by %[1]s at %[2]s",
			e.AcknowledgedBy, Clock(e.AcknowledgedAt)))
	}
	e.AcknowledgedAt, e.AcknowledgedBy, e.Note = now, a.Actor.ID, a.Note
	k.changes.escalation(*e)
	k.record(now, a.Actor, Acknowledged, e.task(), Sayf("签收升级：%[1]s", "escalation acknowledged: %[2]s", e.Rung.Name(), e.ID), reasonData(a.Note))
	if !k.answered(e.Limit) {
		k.closeEscalation(e, a.Actor, ClosedByPerson, now)
	}
	return nil
}

// AnswerEscalation says what is done about a rung, and does it: a task is given
// to somebody else, or a deadline is extended. The escalation then climbs no
// further; its deadline's own ladder goes on until the work is done.
type AnswerEscalation struct {
	By
	Escalation string          `json:"escalation"`
	Answer     AnswerKind      `json:"answer"`
	Note       string          `json:"note"`
	To         *Actor          `json:"to,omitempty"`   // reassign: who takes the task
	Extra      calendar.Budget `json:"extra,omitzero"` // extend: the time granted on top
}

// Apply implements [Action].
func (a AnswerEscalation) Apply(k *Case, now time.Time) error {
	e, err := a.findEscalation(k, a.Escalation)
	if err != nil {
		return err
	}
	var c Check
	oneOf(&c, "answer", a.Answer, AnswerKinds()...)
	text(&c, "note", a.Note, true)
	c.Require(a.Answer == AnswerReassign || a.To == nil, "to", Say("仅改派时填写", "only for reassign"))
	c.Require(a.Answer != AnswerReassign || a.To != nil, "to", Say("请指明改派给谁", "say to whom the task goes"))
	c.Require(a.Answer == AnswerExtend || a.Extra == (calendar.Budget{}), "extra", Say("仅延期时填写", "only for extend"))
	if err := c.Err(); err != nil {
		return err
	}
	if !e.AnsweredAt.IsZero() {
		return Refuse(Conflict, "already_answered", Sayf("已由 %[1]s 于 %[2]s 答复", "answered already by %[1]s at %[2]s", e.AnsweredBy, Clock(e.AnsweredAt)))
	}
	switch a.Answer {
	case AnswerReassign:
		if e.task() == "" {
			return Refuse(Conflict, "no_task", Say("服务时限没有单独的任务可改派，请改派在办任务", "the lane's limit has no task of its own; assign an open task instead"))
		}
		err = AssignTask{By: a.unversioned(), Task: e.Deadline, To: *a.To, Reason: a.Note}.Apply(k, now)
	case AnswerExtend:
		err = ExtendDeadline{By: a.unversioned(), Deadline: e.Deadline, Extra: a.Extra, Reason: a.Note}.Apply(k, now)
	case AnswerDispatch, AnswerNote:
	}
	if err != nil {
		return err
	}
	if !e.owned() {
		e.AcknowledgedAt, e.AcknowledgedBy = now, a.Actor.ID
	}
	e.Answer, e.AnsweredAt, e.AnsweredBy, e.AnswerNote = a.Answer, now, a.Actor.ID, a.Note
	k.stopAnswerClock(e, now)
	k.changes.escalation(*e)
	k.record(now, a.Actor, EscalationAnswered, e.task(), Sayf("答复升级：%[1]s（%[2]s）", "escalation answered: %[3]s (%[4]s)", e.Rung.Name(), a.Answer.Name(), e.ID, a.Answer), reasonData(a.Note))
	return nil
}

// unversioned is the same person acting within an action whose version was
// looked at.
func (b By) unversioned() By { return By{Actor: b.Actor} }

// CloseEscalation ends an escalation that was answered, before the work is done.
type CloseEscalation struct {
	By
	Escalation string `json:"escalation"`
	Note       string `json:"note,omitempty"`
}

// Apply implements [Action].
func (a CloseEscalation) Apply(k *Case, now time.Time) error {
	e, err := a.findEscalation(k, a.Escalation)
	if err != nil {
		return err
	}
	if err := remark(a.Note); err != nil {
		return err
	}
	if e.AnsweredAt.IsZero() {
		return Refuse(Conflict, "not_answered", Say("请先答复再关闭", "answer it before closing it"))
	}
	k.closeEscalation(e, a.Actor, ClosedByPerson, now)
	k.record(now, a.Actor, EscalationClosed, e.task(), Sayf("关闭升级：%[1]s", "escalation closed: %[2]s", e.Rung.Name(), e.ID), reasonData(a.Note))
	k.level()
	return nil
}

// ExtendDeadline grants time on top of a limit: once a deadline, before it has
// run out, by the taskforce's lead or above.
type ExtendDeadline struct {
	By
	Deadline string          `json:"deadline"` // a task's ID, or "lane"
	Extra    calendar.Budget `json:"extra"`    // working days or working time
	Reason   string          `json:"reason"`
}

// Apply implements [Action].
func (a ExtendDeadline) Apply(k *Case, now time.Time) error {
	if err := a.may(k, TaskforceLead, Management); err != nil {
		return err
	}
	var c Check
	text(&c, "reason", a.Reason, true)
	units := []calendar.Unit{calendar.WorkingDays, calendar.WorkingTime}
	c.Require(slices.Contains(units, a.Extra.Unit) && a.Extra.Validate() == nil, "extra",
		Say("应为工作日或工作时间，如 1 working_day、4 working_hours", "must be working days or working time, such as 1 working_day or 4 working_hours"))
	if err := c.Err(); err != nil {
		return err
	}
	d, ok := k.Deadline(a.Deadline)
	if !ok || !d.OnWork() || d.Budget == (calendar.Budget{}) {
		return Refuse(Conflict, "deadline_not_open", Sayf("没有这项进行中的时限：%s", "no such deadline is running: %s", a.Deadline))
	}
	if d.Budget.Unit == calendar.AtMoment {
		return Refuse(Conflict, "set_outside", Say("该时限由12345规定，请向12345申请延期", "this time was set by 12345; ask it for an extension"))
	}
	if d.Extension != nil {
		return Refuse(Conflict, "already_extended", Sayf("每项时限只能延期一次，已由 %[1]s 于 %[2]s 延期",
			"a deadline is extended once; %[1]s did at %[2]s", d.Extension.By, Clock(d.Extension.At)))
	}
	if !d.Due.Stopped && !now.Before(d.Due.At) {
		return Refuse(Conflict, "extension_too_late", Sayf("时限已于 %s 到期，不能再延期；可答复升级：改派、调度或说明",
			"the deadline ran out at %s and can't be extended any more; answer its escalation: reassign, dispatch or note", Clock(d.Due.At)))
	}
	d.Extension = &Extension{Budget: a.Extra, Reason: a.Reason, By: a.Actor.ID, At: now}
	d.recount()
	task := d.ID
	if task == LaneDeadline {
		task = ""
	}
	k.record(now, a.Actor, DeadlineExtended, task, Sayf("延期：%[1]s，增加 %[2]s", "extended: %[3]s by %[4]s", d.Limit.Name(), BudgetName(a.Extra), d.Limit, a.Extra), reasonData(a.Reason))
	return nil
}
