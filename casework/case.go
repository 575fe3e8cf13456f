package casework

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// Case is the whole state of one request under way: one serialisable value, so
// that a workflow can be continued as new, a decision can be tried on a copy,
// and readers get a snapshot. Only live tasks and deadlines are kept in it;
// those that ended live on in the records.
type Case struct {
	Number  string   `json:"number"`
	Kind    CaseKind `json:"kind"`
	Parent  string   `json:"parent,omitempty"` // an upgrade's connection case
	Terms   Terms    `json:"terms"`
	Request Request  `json:"request"`
	// Service is what was asked for where it is no connection; Request then says
	// the same as far as lists, districts and calls need it.
	Service    *ServiceRequest `json:"service,omitempty"`
	Lane       Lane            `json:"lane"`
	ReceivedAt time.Time       `json:"received_at"`
	ReceivedBy string          `json:"received_by"` // who brought it in

	Version  int64  `json:"version"` // number of the last event; 0 before the first
	Status   Status `json:"status"`
	Stage    Stage  `json:"stage"`
	LastTask int    `json:"last_task"` // number of the last task opened

	Tasks       []Task       `json:"tasks,omitempty"`
	Deadlines   []Deadline   `json:"deadlines,omitempty"`
	Escalations []Escalation `json:"escalations,omitempty"` // not closed yet
	Level       int          `json:"level"`                 // highest escalation level of what is open
	Pauses      []Pause      `json:"pauses,omitempty"`
	Clock       Clocking     `json:"clock,omitzero"` // who holds the clock

	Contacts  int            `json:"contacts"` // touchpoints so far
	Broken    []Zero         `json:"broken,omitempty"`
	Charges   []Charge       `json:"charges,omitempty"`
	Documents []Document     `json:"documents,omitempty"`
	Drafts    []DocumentKind `json:"drafts,omitempty"` // documents that the system has yet to write

	// Joint is set where the case belongs to a joint request.
	Joint *Joint `json:"joint,omitempty"`
	// Early is what siblings told a lead that does not know of them yet.
	Early []Shared `json:"early,omitempty"`
	// Passes are the times at which it was passed on inside; PassedFrom is the
	// case that it goes on from.
	Passes     []Pass `json:"passes,omitempty"`
	PassedFrom string `json:"passed_from,omitempty"`

	Facts

	WithdrawnAt time.Time `json:"withdrawn_at,omitzero"` // when the customer withdrew
	Withdrawal  string    `json:"withdrawal,omitempty"`  // why
	EndedAt     time.Time `json:"ended_at,omitzero"`

	changes Changes
}

// Facts are what is known so far, each recorded by the task that found it out.
type Facts struct {
	Contacted  *ContactInput    `json:"contacted,omitempty"`
	Assessment *AssessmentInput `json:"assessment,omitempty"`
	// Reassessments counts how often an application wanted more than was assessed.
	Reassessments int `json:"reassessments,omitempty"`

	Upgrade     *UpgradeFact      `json:"upgrade,omitempty"`
	Briefed     *BriefingInput    `json:"briefed,omitempty"`
	Appointment *AppointmentInput `json:"appointment,omitempty"`
	Survey      *SurveyInput      `json:"survey,omitempty"`
	SurveyedBy  string            `json:"surveyed_by,omitempty"` // who conducted the survey
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

	Visits        []VisitFact   `json:"visits,omitempty"`     // 走访
	LeadFollow    calendar.Date `json:"lead_follow,omitzero"` // when a lead is followed up
	LeadFollowUps int           `json:"lead_follow_ups,omitempty"`
	Applied       *Application  `json:"applied,omitempty"`  // set where the case began as a lead
	Proposed      *Proposal     `json:"proposed,omitempty"` // what the register proposed to the assessment

	Gas GasFact `json:"gas,omitzero"` // of a gas connection alone

	Evaluated   EvaluationFact `json:"evaluation,omitzero"`
	UpgradeWork UpgradeWork    `json:"upgrade_work,omitzero"` // of an upgrade case
	ReopenedAt  time.Time      `json:"reopened_at,omitzero"`

	Served ServiceFacts `json:"served,omitzero"` // of a transfer, a closing or an order
}

// UpgradeFact is what a connection knows of the upgrade that it waits for.
type UpgradeFact struct {
	Case      string    `json:"case"` // the upgrade's own case number
	StartedAt time.Time `json:"started_at"`
	DoneAt    time.Time `json:"done_at,omitzero"`
	// Move is the last move of the connection to another policy, until the
	// upgrade has been told to follow.
	Move *UpgradeMove `json:"move,omitempty"`
}

// UpgradeMove is who moved a connection to another policy, and why, for its
// upgrade to follow.
type UpgradeMove struct {
	By     Actor     `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
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
	Reviews    int         `json:"reviews,omitempty"`    // how often it lasted beyond the policy's bound
	BoundFrom  time.Time   `json:"bound_from,omitzero"`  // from when the bound counts: its beginning, or the last review
	To         time.Time   `json:"to,omitzero"`          // zero while it lasts
	By         string      `json:"by"`
}

// Escalation is a rung of a deadline's ladder that fired. Somebody takes it up,
// answers it, and it is closed: by a person, by the end of the work, or by the
// next rung of the same deadline, so that a deadline has one open at most.
type Escalation struct {
	ID         string     `json:"id"` // deadline ID, a slash and the rung's name
	Case       string     `json:"case"`
	Deadline   string     `json:"deadline"`
	Limit      LimitName  `json:"limit"`
	Rung       RungName   `json:"rung"`
	Level      int        `json:"level"`
	To         Role       `json:"to,omitempty"` // who is to act; empty: the holder
	Department Department `json:"department"`   // in charge when it fired
	Holder     string     `json:"holder"`
	District   District   `json:"district"`
	DueAt      time.Time  `json:"due_at"`   // the deadline's own moment
	RungAt     time.Time  `json:"rung_at"`  // when the rung fell due
	FiredAt    time.Time  `json:"fired_at"` // when it was recorded

	Provisional bool `json:"provisional,omitempty"` // DueAt counted through a year without notice

	AcknowledgedAt time.Time `json:"acknowledged_at,omitzero"`
	AcknowledgedBy string    `json:"acknowledged_by,omitempty"` // who owns it from then on
	Note           string    `json:"note,omitempty"`

	AnswerDueAt time.Time `json:"answer_due_at,omitzero"` // when it climbs if nobody answers
	// AnswerProvisional tells that AnswerDueAt counted through a year without
	// notice.
	AnswerProvisional bool `json:"answer_provisional,omitempty"`

	Climbs     []Climb    `json:"climbs,omitempty"`
	Answer     AnswerKind `json:"answer,omitempty"`
	AnsweredAt time.Time  `json:"answered_at,omitzero"`
	AnsweredBy string     `json:"answered_by,omitempty"`
	AnswerNote string     `json:"answer_note,omitempty"`

	ClosedAt time.Time `json:"closed_at,omitzero"`
	ClosedBy string    `json:"closed_by,omitempty"`
	Closing  Closing   `json:"closing,omitempty"` // why it was closed
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
	AttachmentsBrought            EventKind = "attachments_brought"
	AttachmentLeft                EventKind = "attachment_left" // what came along and could not be filed
	ChargeProposed                EventKind = "charge_proposed"
	ConnectionJudged              EventKind = "connection_judged" // small or not; gas
	QuoteMade                     EventKind = "quote_made"
	QuoteAgreed                   EventKind = "quote_agreed"
	ContractSigned                EventKind = "contract_signed"
	RungFired                     EventKind = "rung_fired"
	Acknowledged                  EventKind = "escalation_acknowledged"
	EscalationAnswered            EventKind = "escalation_answered"
	EscalationClimbed             EventKind = "escalation_climbed"
	EscalationClosed              EventKind = "escalation_closed"
	PauseReviewDue                EventKind = "pause_review_due"
	PauseReviewed                 EventKind = "pause_reviewed"
	DeadlineExtended              EventKind = "deadline_extended"
	DeadlinesMoved                EventKind = "deadlines_moved"
	PolicyMoved                   EventKind = "policy_moved"
	WithdrawalRequested           EventKind = "withdrawal_requested"
	CaseWithdrawn                 EventKind = "withdrawn"
	CaseCompleted                 EventKind = "completed"
	CaseClosed                    EventKind = "closed"
	CaseReopened                  EventKind = "reopened"
	LeadApplied                   EventKind = "applied"
	VisitRecorded                 EventKind = "visit_recorded"
	SiteLocated                   EventKind = "site_located"

	// JointShared: what the sibling of a joint request told was taken over.
	JointShared EventKind = "joint_shared"

	// Passing a case on inside (转办).
	PassOnRequested EventKind = "pass_on_requested"
	CasePassedOn    EventKind = "passed_on"
	CaseTakenOver   EventKind = "taken_over"

	AccountCleared     EventKind = "account_cleared"
	ArrearsFound       EventKind = "arrears_found"
	BillingAnswered    EventKind = "billing_answered"
	BillingTroubled    EventKind = "billing_troubled"
	HolderChanged      EventKind = "holder_changed"
	AccountClosed      EventKind = "account_closed"
	OrderAssigned      EventKind = "order_assigned"
	OrderAnswered      EventKind = "order_answered"
	ExtensionRequested EventKind = "extension_requested"
	ExtensionSettled   EventKind = "extension_settled"
	OrderVisited       EventKind = "order_visited"
	OrderAgain         EventKind = "order_again"
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
	Messages    []Message    `json:"messages,omitempty"`
	// Moot are the IDs of messages that are about nothing any more: what has not
	// gone out of them stays.
	Moot     []string  `json:"moot,omitempty"`
	Holdings []Holding `json:"holdings,omitempty"`
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
	if r.Visit != nil {
		k.visited(*r.Visit, by, now)
		k.followLead(r.Visit.NextOn)
	}
	k.touchIntake(by, now)
	// A lead that lacks something has its booking drawn when somebody applies.
	if len(k.MissingForApplication()) == 0 {
		k.needDraft(Booking)
	}
	return k
}

// NewUpgrade gives the case of a network upgrade that a connection needs. Its
// own workflow opens it with [Case.BeginUpgrade]: an event recorded here would
// not travel there.
func NewUpgrade(number string, parent *Case, now time.Time) *Case {
	r := parent.Request
	r.Contact = Contact{} // the upgrade's crews have no business with the customer's phone
	r.Lead, r.Visit, r.Attachments = false, nil, nil
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
	k.touchServiceCode(k.Request, by, now)
}

// touchServiceCode records that a service code stood for the papers by which
// somebody says who they are.
func (k *Case) touchServiceCode(r Request, by Actor, now time.Time) {
	if r.ByServiceCode {
		k.touch(now, by, ZeroDocument, false, Say("凭办事码自动填表，客户未带材料", "a service code filled in the form; the customer brought no paper"))
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
	k.Escalations = slices.DeleteFunc(k.Escalations, func(e Escalation) bool { return !e.Open() })
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

// Working tells whether any task is open that the work itself needs.
func (k *Case) Working() bool {
	return slices.ContainsFunc(k.Tasks, func(t Task) bool { return t.Kind != ReviewPause })
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
	spec, _ := SpecOf(kind)
	k.needWithin(spec, spec.Limit, qualifier, round, anchor, now)
}

// needWithin is Need by a limit other than the kind's own.
func (k *Case) needWithin(spec Spec, limit LimitName, qualifier string, round int, anchor, now time.Time) {
	kind := spec.Kind
	if _, ok := k.Live(kind, qualifier); ok {
		return
	}
	role := spec.Role
	if d := Department(qualifier); d.Valid() {
		role = Role(d)
	}
	k.LastTask++
	t := Task{
		ID: TaskID(k.Number, k.LastTask), Case: k.Number, Kind: kind, Qualifier: qualifier, Round: max(round, 1),
		Stage: spec.Stage, Role: role, Department: role.Department(), State: TaskOpen, OpenedAt: now, Anchor: anchor,
	}
	switch {
	case k.Kind == UpgradeCase:
		t.Stage = Upgrade
	case k.Service != nil && spec.Stage != Evaluation, spec.Stage == "":
		t.Stage = k.Stage // a task of any stage
	}
	k.Tasks = append(k.Tasks, t)
	k.changes.task(t)
	k.record(now, System(), TaskOpened, t.ID, Sayf("开出任务：%[1]s", "task opened: %[2]s", t.Title(), t.Kind), nil)
	k.startDeadline(t.ID, limit, anchor)
}

// startDeadline opens a deadline if the policy has a limit of that name. It
// begins with the pauses since its anchor, those that last and those that ended
// before it was opened. The lane's is opened in any case: what
// holds it is noted in it, and another policy may set a limit later.
func (k *Case) startDeadline(id string, limit LimitName, anchor time.Time) {
	budget, ok := k.Terms.Limits[limit]
	if !ok && id != LaneDeadline {
		return
	}
	d := Deadline{ID: id, Limit: limit, Anchor: anchor, Budget: budget, Stale: true}
	d.climbs(k.Terms.LadderOf(limit))
	if limit != reviewLimit {
		for _, p := range k.Pauses {
			if p.To.IsZero() || p.To.After(anchor) {
				d.Holds = append(d.Holds, Hold{Reason: string(p.Reason), From: later(p.From, anchor), To: p.To})
			}
		}
	}
	k.Deadlines = append(k.Deadlines, d)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// openPauses gives the pauses that last, each for another reason.
func (k *Case) openPauses() []*Pause {
	var open []*Pause
	for i := range k.Pauses {
		if k.Pauses[i].To.IsZero() {
			open = append(open, &k.Pauses[i])
		}
	}
	return open
}

// Unworked lists the live deadlines whose due moment must be worked out.
func (k *Case) Unworked() []Deadline {
	var out []Deadline
	for _, d := range k.Deadlines {
		if d.Stale && d.Live() {
			out = append(out, d)
		}
	}
	return out
}

// Worked takes over due moments that were worked out, and records those that a
// calendar, a policy or an extension moved.
func (k *Case) Worked(ds []Deadline, now time.Time) {
	var moves []Move
	for _, d := range ds {
		for i := range k.Deadlines {
			if k.Deadlines[i].ID != d.ID {
				continue
			}
			if d.Was != nil && !d.Was.Same(d.Due) {
				moves = append(moves, Move{Deadline: d.ID, Limit: d.Limit, From: *d.Was, To: d.Due})
			}
			d.Was = nil
			k.Deadlines[i] = d
			k.changes.deadline(d)
			k.answerDue(&d)
		}
	}
	if len(moves) > 0 {
		k.record(now, System(), DeadlinesMoved, "", movesText(moves), moves)
	}
	k.level()
}

// movesText says the first of the moves in full; the event's data has them all.
func movesText(moves []Move) Text {
	m := moves[0]
	from, to := DueText(m.From), DueText(m.To)
	text := Say(fmt.Sprintf("时限变更：%s 由 %s 改为 %s", m.Limit.Name(), from.ZH, to.ZH), fmt.Sprintf("deadlines moved: %s from %s to %s", m.Limit, from.EN, to.EN))
	if n := len(moves); n > 1 {
		text.ZH += fmt.Sprintf("，共 %d 项", n)
		text.EN += fmt.Sprintf(", %d in all", n)
	}
	return text
}

// DueText writes for people when something is due: the time that is left while
// the clock stands, and whether a year without notice was counted through.
func DueText(d calendar.Due) Text {
	switch {
	case d == calendar.Due{}:
		return Say("无时限", "no limit")
	case d.Stopped:
		return Say("已停表，余 "+Worked(d.Remaining), fmt.Sprintf("stopped, %s left", d.Remaining.Round(time.Second)))
	case d.Provisional:
		return Sayf("%s（暂定）", "%s (provisional)", Clock(d.At))
	}
	return Say(Clock(d.At), Clock(d.At))
}

// closeDeadline meets or drops a deadline as of a moment, and with it the
// escalations that it caused.
func (k *Case) closeDeadline(id string, met bool, at, now time.Time) {
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
	k.closeEscalations(id, met, now)
	k.level()
}

// level works out the highest escalation level of the live deadlines and of
// what waits for an answer.
func (k *Case) level() {
	k.Level = 0
	for i := range k.Escalations {
		if e := &k.Escalations[i]; e.Open() {
			k.Level = max(k.Level, e.Level)
		}
	}
	for i := range k.Deadlines {
		d := &k.Deadlines[i]
		if !d.Live() || !d.OnWork() {
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
	for _, p := range k.openPauses() {
		if p.RemindedAt.IsZero() {
			earlier(p.PlannedEnd)
		}
	}
	return next
}

// Fire does what fell due by a moment: every rung whose time has come, once,
// in the order of their moments, and the reminder at a pause's planned end.
func (k *Case) Fire(now time.Time) {
	for _, p := range k.openPauses() {
		if p.RemindedAt.IsZero() && !p.PlannedEnd.After(now) {
			k.remindOfPause(p, now)
		}
	}
	for {
		d, r := k.dueRung(now)
		if d == nil {
			break
		}
		r.FiredAt = now
		k.changes.deadline(*d)
		switch {
		case strings.HasPrefix(d.ID, answerClock):
			k.climb(strings.TrimPrefix(d.ID, answerClock), r, now)
		case strings.HasPrefix(d.ID, pauseClock):
			k.reviewPause(d.ID, now)
		default:
			k.fire(d, r, now)
		}
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

// fire records that a rung of a limit on the work fell due. Those who are told
// have a time to answer in, where the rung sets one.
func (k *Case) fire(d *Deadline, r *RungMark, now time.Time) {
	e := Escalation{
		ID: d.ID + "/" + string(r.Name), Case: k.Number, Deadline: d.ID, Limit: d.Limit, Rung: r.Name, Level: r.Level,
		To: r.To, Department: k.InCharge(), District: k.Request.Site.District, DueAt: d.Due.At, RungAt: r.At, FiredAt: now, Provisional: d.Due.Provisional,
	}
	title, task, person := "服务时限", d.ID, ""
	if t, ok := k.Find(d.ID); ok {
		e.Department, e.Holder, title, person = t.Department, t.Holder(), t.Title(), t.Assignee
	} else {
		e.Holder = e.Department.Name()
	}
	if d.ID == LaneDeadline {
		e.ID, task = k.Number+"-lane/"+string(r.Name), ""
	}
	to := e.Holder
	if r.To != "" {
		to, person = r.To.Name(), ""
	}
	k.supersede(d.ID, now)
	k.Escalations = append(k.Escalations, e)
	k.changes.escalation(e)
	due := DueText(d.Due)
	say := Say(fmt.Sprintf("%s：%s，应于 %s 前完成，通知%s", r.Name.Name(), title, due.ZH, to), fmt.Sprintf("%s: %s due %s", r.Name, d.Limit, due.EN))
	k.record(now, System(), RungFired, task, say, nil)
	k.tell(Message{
		ID: e.ID, Kind: MessageRung, Escalation: e.ID, Level: e.Level, Top: k.top(d.Limit, e.Level), To: e.responsible(), Person: person,
		Department: e.Department, Text: say, DueAt: e.DueAt, Provisional: e.Provisional, At: now,
	})
	k.awaitAnswer(d, r, e, now)
}

// Recalculate marks every live deadline for being worked out anew, because the
// calendar changed.
func (k *Case) Recalculate() {
	for i := range k.Deadlines {
		if k.Deadlines[i].Live() {
			k.Deadlines[i].recount()
		}
	}
}

// InCharge is the department that holds the earliest open task; the taskforce
// where none is open.
func (k *Case) InCharge() Department {
	for i := range k.Tasks {
		// What was deferred waits for the customer beside the work.
		if t := &k.Tasks[i]; t.Kind != CompleteDeferred || len(k.Tasks) == 1 {
			return t.Department
		}
	}
	return Department(Taskforce)
}

// EarliestDue is the earliest due moment of the limits on the work and of the
// review of a pause; zero when none runs.
func (k *Case) EarliestDue() time.Time { return k.earliestDue().At }

// ProvisionallyDue tells whether [Case.EarliestDue] counts through a year without
// a holiday notice.
func (k *Case) ProvisionallyDue() bool { return k.earliestDue().Provisional }

func (k *Case) earliestDue() calendar.Due {
	return k.nextDue(func(*Deadline) bool { return true })
}

// NextDue is the limit on the work that is due first; while all stand, the one
// with the least time left; zero when there is none. The review of a pause has
// a date of its own, which says nothing of when the work is due.
func (k *Case) NextDue() calendar.Due {
	return k.nextDue(func(d *Deadline) bool { return d.Limit != reviewLimit })
}

func (k *Case) nextDue(counts func(*Deadline) bool) calendar.Due {
	var next calendar.Due
	for i := range k.Deadlines {
		d := &k.Deadlines[i]
		if !d.Live() || !d.OnWork() || d.Due == (calendar.Due{}) || !counts(d) {
			continue
		}
		switch {
		case next == (calendar.Due{}), next.Stopped && !d.Due.Stopped:
			next = d.Due
		case next.Stopped != d.Due.Stopped:
		case d.Due.Stopped && d.Due.Remaining < next.Remaining, !d.Due.Stopped && d.Due.At.Before(next.At):
			next = d.Due
		}
	}
	return next
}

// DeadlineState sums up the limits on the work.
func (k *Case) DeadlineState() DeadlineState {
	state := DeadlinesNone
	for i := range k.Deadlines {
		d := &k.Deadlines[i]
		if !d.Live() || !d.OnWork() || d.Due == (calendar.Due{}) {
			continue
		}
		this := DeadlinesRunning
		if d.Due.Stopped {
			this = DeadlinesStopped
		}
		for _, r := range d.Rungs {
			switch {
			case r.FiredAt.IsZero():
			case r.Level > 0:
				this = DeadlinesBreached
			case this == DeadlinesRunning:
				this = DeadlinesReminded
			}
		}
		if this.worse(state) {
			state = this
		}
	}
	return state
}

// Enter moves the case to a stage and says so once. A stage that was passed is
// not entered again: who goes through the stages may name each of them.
func (k *Case) Enter(s Stage, now time.Time) {
	stages := StagesOf(k.Kind)
	if k.Version > 1 && slices.Index(stages, s) <= slices.Index(stages, k.Stage) {
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

func (c *Changes) escalation(e Escalation) {
	for i := range c.Escalations {
		if c.Escalations[i].ID == e.ID {
			c.Escalations[i] = e
			return
		}
	}
	c.Escalations = append(c.Escalations, e)
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
