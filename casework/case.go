package casework

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// Case is the whole state of one request under way: one serialisable value, so
// that a workflow can be continued as new, a decision can be tried on a copy,
// and readers get a snapshot. Only live tasks and deadlines are kept in it;
// those that ended live on in the records.
type Case struct {
	Number     string    `json:"number"`
	Kind       CaseKind  `json:"kind"`
	Parent     string    `json:"parent,omitempty"` // an upgrade's connection case
	Terms      Terms     `json:"terms"`
	Request    Request   `json:"request"`
	Lane       Lane      `json:"lane"`
	ReceivedAt time.Time `json:"received_at"`
	ReceivedBy string    `json:"received_by"` // who brought it in

	Version  int64  `json:"version"` // number of the last event; 0 before the first
	Status   Status `json:"status"`
	Stage    Stage  `json:"stage"`
	LastTask int    `json:"last_task"` // number of the last task opened

	Tasks       []Task       `json:"tasks,omitempty"`
	Deadlines   []Deadline   `json:"deadlines,omitempty"`
	Escalations []Escalation `json:"escalations,omitempty"` // not acknowledged yet
	Level       int          `json:"level"`                 // highest escalation level of a live deadline
	Pauses      []Pause      `json:"pauses,omitempty"`

	Contacts  int            `json:"contacts"` // touchpoints so far
	Broken    []Zero         `json:"broken,omitempty"`
	Charges   []Charge       `json:"charges,omitempty"`
	Documents []Document     `json:"documents,omitempty"`
	Drafts    []DocumentKind `json:"drafts,omitempty"` // documents that the system has yet to write

	Facts

	WithdrawnAt time.Time `json:"withdrawn_at,omitzero"` // when the customer withdrew
	Withdrawal  string    `json:"withdrawal,omitempty"`  // why
	EndedAt     time.Time `json:"ended_at,omitzero"`

	changes Changes
}

// Facts are what is known so far, each recorded by the task that found it out.
type Facts struct {
	Contacted   *ContactInput     `json:"contacted,omitempty"`
	Assessment  *AssessmentInput  `json:"assessment,omitempty"`
	Upgrade     *UpgradeFact      `json:"upgrade,omitempty"`
	Briefed     *BriefingInput    `json:"briefed,omitempty"`
	Appointment *AppointmentInput `json:"appointment,omitempty"`
	Survey      *SurveyInput      `json:"survey,omitempty"`
	FollowUps   int               `json:"follow_ups,omitempty"`
	NextFollow  calendar.Date     `json:"next_follow,omitzero"`

	DesignConfirmedAt   time.Time       `json:"design_confirmed_at,omitzero"`
	ApplicationAt       time.Time       `json:"application_at,omitzero"` // 受理: acceptance of the application
	UploadedAt          time.Time       `json:"uploaded_at,omitzero"`
	Materials           *MaterialsInput `json:"materials,omitempty"`
	Permits             []Permit        `json:"permits,omitempty"`
	TaskOrderAt         time.Time       `json:"task_order_at,omitzero"` // 任务单
	SiteEntry           *SiteEntryInput `json:"site_entry,omitempty"`
	Meter               *MeterInput     `json:"meter,omitempty"`
	Supply              *SupplyInput    `json:"supply,omitempty"`
	AcceptanceConfirmed time.Time       `json:"acceptance_confirmed,omitzero"` // by the customer
	EntryAt             time.Time       `json:"entry_at,omitzero"`

	MetersFailed  int                   `json:"meters_failed,omitempty"` // meters that failed their acceptance
	MeterAccepted *MeterAcceptanceInput `json:"meter_accepted,omitempty"`
	Account       *AccountInput         `json:"account,omitempty"`
	Reading       *ReadingInput         `json:"reading,omitempty"`
	Confirmed     []Department          `json:"confirmed,omitempty"`
	CompletedAt   time.Time             `json:"completed_at,omitzero"` // acceptance done

	Evaluated   EvaluationFact `json:"evaluation,omitzero"`
	UpgradeWork UpgradeWork    `json:"upgrade_work,omitzero"` // of an upgrade case
	ReopenedAt  time.Time      `json:"reopened_at,omitzero"`
}

// UpgradeFact is what a connection knows of the upgrade that it waits for.
type UpgradeFact struct {
	Case      string    `json:"case"` // the upgrade's own case number
	StartedAt time.Time `json:"started_at"`
	DoneAt    time.Time `json:"done_at,omitzero"`
}

// Pending tells whether the upgrade is still being built.
func (u *UpgradeFact) Pending() bool { return u != nil && u.DoneAt.IsZero() }

// Pause is a stop of the case's clock.
type Pause struct {
	Reason     PauseReason `json:"reason"`
	Evidence   string      `json:"evidence"` // the ID of a document, or a reference in words
	From       time.Time   `json:"from"`
	PlannedEnd time.Time   `json:"planned_end"`
	RemindedAt time.Time   `json:"reminded_at,omitzero"` // when its planned end was announced
	To         time.Time   `json:"to,omitzero"`          // zero while it lasts
	By         string      `json:"by"`
}

// Escalation is a rung of a deadline's ladder that fired.
type Escalation struct {
	ID         string     `json:"id"` // deadline ID, a slash and the rung's name
	Case       string     `json:"case"`
	Deadline   string     `json:"deadline"`
	Limit      LimitName  `json:"limit"`
	Rung       RungName   `json:"rung"`
	Level      int        `json:"level"`
	To         Role       `json:"to,omitempty"` // empty: the holder
	Department Department `json:"department"`   // in charge when it fired
	Holder     string     `json:"holder"`
	District   District   `json:"district"`
	DueAt      time.Time  `json:"due_at"`   // the deadline's own moment
	RungAt     time.Time  `json:"rung_at"`  // when the rung fell due
	FiredAt    time.Time  `json:"fired_at"` // when it was recorded

	Provisional bool `json:"provisional,omitempty"` // DueAt counted through a year without notice

	AcknowledgedAt time.Time `json:"acknowledged_at,omitzero"`
	AcknowledgedBy string    `json:"acknowledged_by,omitempty"`
	Note           string    `json:"note,omitempty"`
}

// EventKind names what happened to a case.
type EventKind string

// The events of a case's history, as the timeline shows them.
const (
	Received                      EventKind = "received"
	StageEntered                  EventKind = "stage_entered"
	TaskOpened                    EventKind = "task_opened"
	TaskClaimed                   EventKind = "task_claimed"
	TaskReleased                  EventKind = "task_released"
	TaskAssigned                  EventKind = "task_assigned"
	TaskDelegated                 EventKind = "task_delegated"
	TaskCompleted                 EventKind = "task_completed"
	TaskWasCancelled              EventKind = "task_cancelled"
	ApplicationAccepted           EventKind = "application_accepted"
	UpgradeStarted                EventKind = "upgrade_started"
	UpgradeFinished               EventKind = "upgrade_finished"
	TaskOrderIssued               EventKind = "task_order_issued"
	DesignConfirmed               EventKind = "design_confirmed"
	AcceptanceConfirmedByCustomer EventKind = "acceptance_confirmed"
	Rated                         EventKind = "rated"
	CasePaused                    EventKind = "paused"
	PauseEndReached               EventKind = "pause_end_reached"
	CaseResumed                   EventKind = "resumed"
	Amended                       EventKind = "amended"
	DocumentAttached              EventKind = "document_attached"
	ChargeProposed                EventKind = "charge_proposed"
	RungFired                     EventKind = "rung_fired"
	Acknowledged                  EventKind = "escalation_acknowledged"
	DeadlinesMoved                EventKind = "deadlines_moved"
	WithdrawalRequested           EventKind = "withdrawal_requested"
	CaseWithdrawn                 EventKind = "withdrawn"
	CaseCompleted                 EventKind = "completed"
	CaseClosed                    EventKind = "closed"
	CaseReopened                  EventKind = "reopened"
)

// Event is one line of a case's history. Numbers run from 1 without a gap.
type Event struct {
	Case  string          `json:"case"`
	N     int64           `json:"n"`
	At    time.Time       `json:"at"`
	Kind  EventKind       `json:"kind"`
	Actor string          `json:"actor"`
	Stage Stage           `json:"stage"`
	Task  string          `json:"task,omitempty"`
	Note  Text            `json:"note"`           // for people; holds no personal data
	Data  json.RawMessage `json:"data,omitempty"` // details; may be personal
}

// Changes are what one decision did, ready to be recorded. Recording them
// twice changes nothing: every row has its own key.
type Changes struct {
	Events      []Event      `json:"events,omitempty"`
	Tasks       []Task       `json:"tasks,omitempty"`
	Deadlines   []Deadline   `json:"deadlines,omitempty"`
	Escalations []Escalation `json:"escalations,omitempty"`
	Touchpoints []Touchpoint `json:"touchpoints,omitempty"`
	Documents   []Document   `json:"documents,omitempty"`
}

// NewCase opens a case for a validated request. The lane is the request's, or
// the one of the terms where the request names none.
func NewCase(number string, r Request, terms Terms, by Actor, now time.Time) *Case {
	k := &Case{
		Number: number, Kind: ConnectionCase, Terms: terms, Request: r, Lane: r.Lane,
		ReceivedAt: now, ReceivedBy: by.ID, Status: Open, Stage: PreService,
	}
	if k.Lane == "" {
		k.Lane = terms.Lane
	}
	k.record(now, by, Received, "", Sayf("收到%[1]s报装（%[2]s）", "%[3]s request received by %[4]s", r.Utility.Name(), r.Channel.Name(), r.Utility, r.Channel), nil)
	k.touchIntake(by, now)
	k.needDraft(Booking)
	return k
}

// NewUpgrade gives the case of a network upgrade that a connection needs. Its
// own workflow opens it with [Case.BeginUpgrade]: an event recorded here would
// not travel there.
func NewUpgrade(number string, parent *Case, now time.Time) *Case {
	r := parent.Request
	r.Contact = Contact{} // the upgrade's crews have no business with the customer's phone
	return &Case{
		Number: number, Kind: UpgradeCase, Parent: parent.Number, Terms: parent.Terms, Request: r,
		Lane: parent.Lane, ReceivedAt: now, ReceivedBy: System().ID, Status: Open, Stage: Upgrade,
	}
}

// BeginUpgrade opens an upgrade's case with its first event; one that is open
// already stays as it is.
func (k *Case) BeginUpgrade(now time.Time) {
	if k.Version > 0 {
		return
	}
	k.record(now, System(), Received, "", Sayf("因 %s 启动管网改造", "network upgrade for %s", k.Parent), nil)
}

// touchIntake records how the request came in: a customer who applied alone
// had to apply; a pushed or assisted request cost them nothing.
func (k *Case) touchIntake(by Actor, now time.Time) {
	switch k.Request.Channel {
	case WanShiTong, GovPortal, CompanySite, WeChat, MiniProgram:
		k.touch(now, by, ZeroApplication, true, Say("客户自行线上申请", "the customer applied online"))
	case ServiceHallDesk:
		k.touch(now, by, ZeroErrand, true, Say("客户到窗口，由工作人员代办", "the customer came to a window and staff applied for them"))
	default:
		k.touch(now, by, ZeroApplication, false, Say("信息推送或主动上门，客户无需申请", "pushed or found by us; the customer need not apply"))
	}
}

// Clone gives a deep copy, on which a decision can be tried. Changes not yet
// taken are not copied.
func (k *Case) Clone() *Case {
	b, err := json.Marshal(k)
	if err != nil {
		panic(fmt.Sprintf("casework: a case that is not serialisable: %v", err))
	}
	c := &Case{}
	if err := json.Unmarshal(b, c); err != nil {
		panic(fmt.Sprintf("casework: a case that does not read back: %v", err))
	}
	return c
}

// TakeChanges hands over what happened since the last call and drops deadlines
// that ended, whose records now hold them.
func (k *Case) TakeChanges() Changes {
	c := k.changes
	k.changes = Changes{}
	k.Deadlines = slices.DeleteFunc(k.Deadlines, func(d Deadline) bool { return !d.Live() })
	k.Escalations = slices.DeleteFunc(k.Escalations, func(e Escalation) bool { return !e.AcknowledgedAt.IsZero() })
	return c
}

// dropEnded lets go of tasks that ended; the changes have noted them.
func (k *Case) dropEnded() {
	k.Tasks = slices.DeleteFunc(k.Tasks, func(t Task) bool { return t.State != TaskOpen })
}

// Changed tells whether anything waits to be recorded.
func (k *Case) Changed() bool { return len(k.changes.Events) > 0 || len(k.changes.Deadlines) > 0 }

// Find gives a live task.
func (k *Case) Find(id string) (*Task, bool) {
	for i := range k.Tasks {
		if k.Tasks[i].ID == id {
			return &k.Tasks[i], true
		}
	}
	return nil, false
}

// Live gives the live task of a kind and qualifier.
func (k *Case) Live(kind TaskKind, qualifier string) (*Task, bool) {
	for i := range k.Tasks {
		t := &k.Tasks[i]
		if t.Kind == kind && t.Qualifier == qualifier && t.State == TaskOpen {
			return t, true
		}
	}
	return nil, false
}

// Deadline gives a live deadline by its ID.
func (k *Case) Deadline(id string) (*Deadline, bool) {
	for i := range k.Deadlines {
		if k.Deadlines[i].ID == id && k.Deadlines[i].Live() {
			return &k.Deadlines[i], true
		}
	}
	return nil, false
}

// Need opens a task unless one of the same kind and qualifier is live. The
// anchor is the event from which its limit counts.
func (k *Case) Need(kind TaskKind, qualifier string, round int, anchor, now time.Time) {
	if _, ok := k.Live(kind, qualifier); ok {
		return
	}
	spec, _ := SpecOf(kind)
	role := spec.Role
	if d := Department(qualifier); d.Valid() {
		role = Role(d)
	}
	k.LastTask++
	t := Task{
		ID: TaskID(k.Number, k.LastTask), Case: k.Number, Kind: kind, Qualifier: qualifier, Round: max(round, 1),
		Stage: spec.Stage, Role: role, Department: role.Department(), State: TaskOpen, OpenedAt: now,
	}
	if k.Kind == UpgradeCase {
		t.Stage = Upgrade
	}
	k.Tasks = append(k.Tasks, t)
	k.changes.task(t)
	k.record(now, System(), TaskOpened, t.ID, Sayf("开出任务：%[1]s", "task opened: %[2]s", t.Title(), t.Kind), nil)
	k.startDeadline(t.ID, spec.Limit, anchor)
}

// startDeadline opens a deadline if the policy has a limit of that name. It
// begins held where the case is paused.
func (k *Case) startDeadline(id string, limit LimitName, anchor time.Time) {
	budget, ok := k.Terms.Limits[limit]
	if !ok {
		return
	}
	d := Deadline{ID: id, Limit: limit, Anchor: anchor, Budget: budget, Stale: true}
	for _, r := range k.Terms.Ladder {
		d.Rungs = append(d.Rungs, RungMark{Rung: r})
	}
	if p := k.pause(); p != nil {
		d.hold(string(p.Reason), later(p.From, anchor))
	}
	k.Deadlines = append(k.Deadlines, d)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// pause gives the pause that lasts, or nil.
func (k *Case) pause() *Pause {
	for i := range k.Pauses {
		if k.Pauses[i].To.IsZero() {
			return &k.Pauses[i]
		}
	}
	return nil
}

// Unworked lists the live deadlines whose due moment must be worked out.
func (k *Case) Unworked() []Deadline {
	var out []Deadline
	for _, d := range k.Deadlines {
		if d.Stale {
			out = append(out, d)
		}
	}
	return out
}

// Worked takes over due moments that were worked out.
func (k *Case) Worked(ds []Deadline) {
	for _, d := range ds {
		for i := range k.Deadlines {
			if k.Deadlines[i].ID == d.ID {
				k.Deadlines[i] = d
				k.changes.deadline(d)
			}
		}
	}
	k.level()
}

// closeDeadline meets or drops a deadline.
func (k *Case) closeDeadline(id string, met bool, at time.Time) {
	for i := range k.Deadlines {
		d := &k.Deadlines[i]
		if d.ID != id || !d.Live() {
			continue
		}
		if met {
			d.MetAt = at
		} else {
			d.DroppedAt = at
		}
		k.changes.deadline(*d)
	}
	k.level()
}

// level works out the highest escalation level of the live deadlines.
func (k *Case) level() {
	k.Level = 0
	for i := range k.Deadlines {
		d := &k.Deadlines[i]
		if !d.Live() {
			continue
		}
		for _, r := range d.Rungs {
			if !r.FiredAt.IsZero() {
				k.Level = max(k.Level, r.Level)
			}
		}
	}
}

// holdLane and releaseLane stop the lane's own clock beside the case's pauses:
// external permits pending and an open upgrade do so by themselves.
func (k *Case) holdLane(reason string, from time.Time) {
	if d, ok := k.Deadline(LaneDeadline); ok {
		d.hold(reason, from)
	}
}

func (k *Case) releaseLane(reason string, to time.Time) {
	if d, ok := k.Deadline(LaneDeadline); ok {
		d.release(reason, to)
	}
}

// NextWake is the next moment at which time itself has something to do in the
// case: a rung to fire or the planned end of a pause. Zero when there is none.
func (k *Case) NextWake() time.Time {
	next := time.Time{}
	earlier := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for i := range k.Deadlines {
		earlier(k.Deadlines[i].nextRung())
	}
	if p := k.pause(); p != nil && p.RemindedAt.IsZero() {
		earlier(p.PlannedEnd)
	}
	return next
}

// Fire does what fell due by a moment: every rung whose time has come, once,
// in the order of their moments, and the reminder at a pause's planned end.
func (k *Case) Fire(now time.Time) {
	if p := k.pause(); p != nil && p.RemindedAt.IsZero() && !p.PlannedEnd.After(now) {
		p.RemindedAt = now
		k.record(now, System(), PauseEndReached, "", Say("暂停已到计划结束时间，请恢复计时", "the pause has reached its planned end"), nil)
	}
	for {
		d, r := k.dueRung(now)
		if d == nil {
			break
		}
		k.fire(d, r, now)
	}
	k.level()
}

// dueRung gives the earliest rung that fell due and has not fired.
func (k *Case) dueRung(now time.Time) (*Deadline, *RungMark) {
	var deadline *Deadline
	var rung *RungMark
	for i := range k.Deadlines {
		d := &k.Deadlines[i]
		if !d.Live() || d.Stale {
			continue
		}
		for j := range d.Rungs {
			r := &d.Rungs[j]
			if !r.FiredAt.IsZero() || r.At.IsZero() || r.At.After(now) {
				continue
			}
			if rung == nil || r.At.Before(rung.At) {
				deadline, rung = d, r
			}
		}
	}
	return deadline, rung
}

func (k *Case) fire(d *Deadline, r *RungMark, now time.Time) {
	r.FiredAt = now
	e := Escalation{
		ID: d.ID + "/" + string(r.Name), Case: k.Number, Deadline: d.ID, Limit: d.Limit, Rung: r.Name, Level: r.Level,
		To: r.To, Department: k.InCharge(), District: k.Request.Site.District, DueAt: d.Due.At, RungAt: r.At, FiredAt: now, Provisional: d.Due.Provisional,
	}
	title := "服务时限"
	if t, ok := k.Find(d.ID); ok {
		e.Department, e.Holder, title = t.Department, t.Holder(), t.Title()
	} else {
		e.Holder = e.Department.Name()
	}
	if d.ID == LaneDeadline {
		e.ID = k.Number + "-lane/" + string(r.Name)
	}
	k.Escalations = append(k.Escalations, e)
	k.changes.Escalations = append(k.changes.Escalations, e)
	k.changes.deadline(*d)
	to := e.Holder
	if r.To != "" {
		to = r.To.Name()
	}
	task := d.ID
	if task == LaneDeadline {
		task = ""
	}
	k.record(now, System(), RungFired, task,
		Sayf("%[1]s：%[2]s，应于 %[3]s 前完成，通知%[4]s", "%[5]s: %[6]s due %[3]s",
			r.Name.Name(), title, Clock(d.Due.At), to, r.Name, d.Limit), nil)
}

// Recalculate marks every live deadline for being worked out anew, because the
// calendar changed.
func (k *Case) Recalculate(now time.Time) {
	live := 0
	for i := range k.Deadlines {
		if k.Deadlines[i].Live() {
			k.Deadlines[i].Stale = true
			live++
		}
	}
	if live > 0 {
		k.record(now, System(), DeadlinesMoved, "", Sayf("日历变更，重新计算 %d 项时限", "the calendar changed; %d deadlines worked out anew", live), nil)
	}
}

// InCharge is the department that holds the earliest open task; the taskforce
// where none is open.
func (k *Case) InCharge() Department {
	if len(k.Tasks) > 0 {
		return k.Tasks[0].Department
	}
	return Department(Taskforce)
}

// EarliestDue is the earliest due moment of the live deadlines; zero when none
// runs.
func (k *Case) EarliestDue() time.Time {
	next := time.Time{}
	for i := range k.Deadlines {
		d := &k.Deadlines[i]
		if d.Live() && !d.Due.At.IsZero() && (next.IsZero() || d.Due.At.Before(next)) {
			next = d.Due.At
		}
	}
	return next
}

// Enter moves the case to a stage and says so once. A stage that was passed is
// not entered again: who goes through the stages may name each of them.
func (k *Case) Enter(s Stage, now time.Time) {
	if k.Version > 1 && slices.Index(Stages(), s) <= slices.Index(Stages(), k.Stage) {
		return
	}
	k.Stage = s
	k.record(now, System(), StageEntered, "", Sayf("进入阶段：%[1]s", "stage entered: %[2]s", s.Name(), s), nil)
}

// touch records a contact with the customer.
func (k *Case) touch(now time.Time, by Actor, z Zero, cost bool, note Text) {
	k.Contacts++
	if cost && !slices.Contains(k.Broken, z) {
		k.Broken = append(k.Broken, z)
	}
	k.changes.Touchpoints = append(k.changes.Touchpoints, Touchpoint{Zero: z, Cost: cost, Note: note, At: now, By: by.ID})
}

// record appends an event. Data is marshalled as it is; it may hold personal
// data, the note may not.
func (k *Case) record(now time.Time, by Actor, kind EventKind, task string, note Text, data any) {
	k.Version++
	e := Event{Case: k.Number, N: k.Version, At: now, Kind: kind, Actor: by.ID, Stage: k.Stage, Task: task, Note: note}
	if data != nil {
		b, err := json.Marshal(data)
		if err != nil {
			panic(fmt.Sprintf("casework: event data that is not serialisable: %v", err))
		}
		e.Data = b
	}
	k.changes.Events = append(k.changes.Events, e)
}

func (c *Changes) task(t Task) {
	for i := range c.Tasks {
		if c.Tasks[i].ID == t.ID {
			c.Tasks[i] = t
			return
		}
	}
	c.Tasks = append(c.Tasks, t)
}

func (c *Changes) deadline(d Deadline) {
	for i := range c.Deadlines {
		if c.Deadlines[i].ID == d.ID {
			c.Deadlines[i] = d
			return
		}
	}
	c.Deadlines = append(c.Deadlines, d)
}

// Clock writes a moment as people in the utility read it: Asia/Shanghai.
func Clock(t time.Time) string {
	if t.IsZero() {
		return "—"
	}
	return t.In(calendar.Shanghai).Format("2006-01-02 15:04")
}
