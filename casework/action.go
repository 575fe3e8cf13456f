package casework

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Action is something a person asks of a case. Apply changes the case or
// refuses with a [Fault]; on a refusal the case must be thrown away, so callers
// apply to a copy (see [Case.Try]).
type Action interface {
	Apply(k *Case, now time.Time) error
}

// Try applies an action to a copy and gives the copy, or the refusal. The case
// itself is never changed, so validators and handlers share it. What fell due
// before goes on record before: nobody acts a breach away by being the first
// to act after a downtime.
func (k *Case) Try(a Action, now time.Time) (*Case, error) {
	next := k.Clone()
	next.Fire(now)
	if err := a.Apply(next, now); err != nil {
		return nil, err
	}
	return next, nil
}

// By is who acts, and on which version of the case they decided; zero acts on
// whatever version there is.
type By struct {
	Actor     Actor `json:"actor"`
	IfVersion int64 `json:"if_version,omitempty"`
}

// check refuses an action on a stale version, on an ended case and by somebody
// who does not cover the case's district.
func (b By) check(k *Case) error {
	if k.Status.Ended() {
		return Refuse(Conflict, "case_ended", Sayf("案件%[1]s，不能再操作", "the case is %[2]s; nothing can be done any more", k.Status.Name(), k.Status))
	}
	if k.Status == PassingOn {
		return Refuse(Conflict, "passing_on", Say("案件正在转办，请稍后按新编号办理", "the case is being passed on; act on it under its new number shortly"))
	}
	if err := b.current(k); err != nil {
		return err
	}
	if !b.Actor.Has(Customer) && !b.Actor.Covers(k.Request.Site.District) {
		return Refuse(Forbidden, "wrong_district", Sayf("该案件属于%s，不在您的服务区域", "the case is in %s, outside your districts", k.Request.Site.District.Name()))
	}
	return nil
}

// may refuses what [By.check] refuses, and whoever holds none of the roles.
func (b By) may(k *Case, roles ...Role) error {
	if err := b.check(k); err != nil {
		return err
	}
	return b.need(roles...)
}

// current refuses an action that was decided on another version of the case.
func (b By) current(k *Case) error {
	if b.IfVersion == 0 || b.IfVersion == k.Version {
		return nil
	}
	return Refuse(Conflict, "stale_version", Sayf("案件已更新（当前版本 %d），请刷新后重试",
		"the case has changed (now version %d); reload and try again", k.Version))
}

func (b By) need(roles ...Role) error {
	if b.Actor.Has(roles...) {
		return nil
	}
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = r.Name()
	}
	return Refuse(Forbidden, "wrong_role", Text{
		ZH: "此操作限：" + strings.Join(names, "、"),
		EN: "only for: " + joinAny(roles),
	})
}

// find gives the open task, or says what is the matter with it.
func (b By) find(k *Case, id string) (*Task, error) {
	if err := b.check(k); err != nil {
		return nil, err
	}
	if t, ok := k.Find(id); ok {
		return t, nil
	}
	return nil, Refuse(Conflict, "task_not_open", Sayf("任务 %s 已办结或已取消；当前待办：%s",
		"task %s is done or cancelled; open now: %s", id, k.openTasks()))
}

// openTasks lists what can be done now, for refusals.
func (k *Case) openTasks() string {
	if len(k.Tasks) == 0 {
		return "无 none"
	}
	parts := make([]string, len(k.Tasks))
	for i := range k.Tasks {
		parts[i] = k.Tasks[i].ID + " " + k.Tasks[i].Title()
	}
	return strings.Join(parts, "、")
}

// owns refuses a person of another department than the task's.
func (b By) owns(t *Task) error {
	if b.Actor.Has(t.Role) {
		return nil
	}
	return Refuse(Forbidden, "wrong_role", Sayf("该任务由%[1]s办理", "this task is for %[2]s", t.Role.Name(), t.Role))
}

// free refuses when somebody else holds the task.
func (b By) free(t *Task) error {
	if t.Assignee == "" || t.Assignee == b.Actor.ID {
		return nil
	}
	return Refuse(Conflict, "task_held", Sayf("任务由 %[1]s 承办，请其退回或转交", "the task is held by %[1]s, who can release or delegate it", t.Holder()))
}

// CompleteTask ends a task with what its kind asks for.
type CompleteTask struct {
	By
	Task  string          `json:"task"`
	Kind  TaskKind        `json:"kind,omitempty"` // what the caller believes the task to be; empty to trust the task
	Input json.RawMessage `json:"input"`
	// Checked are the items of the kind's checklist that were confirmed.
	Checked []string `json:"checked,omitempty"`
	// Proposal is what the register proposed to an assessment when it was
	// decided; the api fills it in.
	Proposal *Proposal `json:"proposal,omitempty"`
}

// Apply implements [Action].
func (a CompleteTask) Apply(k *Case, now time.Time) error {
	t, err := a.find(k, a.Task)
	if err != nil {
		return err
	}
	if err := a.owns(t); err != nil {
		return err
	}
	if err := a.free(t); err != nil {
		return err
	}
	if a.Kind != "" && a.Kind != t.Kind {
		return Refuse(Conflict, "wrong_task_kind", Sayf("任务 %[1]s 是“%[2]s”（%[3]s），不是 %[4]s",
			"task %[1]s is %[3]s, not %[4]s", t.ID, t.Title(), t.Kind, a.Kind))
	}
	spec, _ := SpecOf(t.Kind)
	in := spec.input()
	if len(bytes.TrimSpace(a.Input)) == 0 {
		a.Input = json.RawMessage("{}")
	}
	if err := decode(a.Input, in); err != nil {
		return err
	}
	if g, ok := in.(gated); ok {
		if err := g.gate(k, t); err != nil {
			return err
		}
	}
	if p, ok := in.(personal); ok {
		if err := p.gatePerson(k, a.Actor); err != nil {
			return err
		}
	}
	var c Check
	in.check(&c, k, t, now)
	a.checklist(&c, k.Checklist(t.Kind), in)
	if err := c.Err(); err != nil {
		return err
	}
	if t.Assignee == "" {
		t.Assignee, t.AssigneeName, t.AssignedAt = a.Actor.ID, a.Actor.Name, now
	}
	t.State, t.DoneAt, t.DoneBy, t.Input = TaskDone, now, a.Actor.ID, a.Input
	closed := *t
	k.closeDeadline(closed.ID, true, now, now)
	if a.Proposal != nil && closed.Kind == AssessNetwork {
		k.Proposed = a.Proposal
	}
	closed.Outcome = in.apply(k, &closed, a.Actor, now)
	k.changes.task(closed)
	k.dropEnded()
	k.record(now, a.Actor, TaskCompleted, closed.ID,
		Sayf("完成任务：%[1]s（%[3]s）", "task done: %[2]s (%[3]s)", closed.Title(), closed.Kind, closed.Outcome), a.onRecord())
	return nil
}

// failing is implemented by inputs that may say that the work did not pass: then
// not every item of the checklist can be confirmed.
type failing interface{ fails() bool }

// checklist refuses what the kind's checklist does not have, and a task done
// with items that nobody confirmed.
func (a CompleteTask) checklist(c *Check, items []string, in taskInput) {
	for i, item := range a.Checked {
		c.Require(slices.Contains(items, item), fmt.Sprintf("checked[%d]", i),
			Sayf("核对清单中没有此项；应为：%s", "not on the checklist; its items: %s", joinAny(items)))
	}
	if f, ok := in.(failing); ok && f.fails() {
		return
	}
	for _, item := range items {
		c.Require(slices.Contains(a.Checked, item), "checked", Sayf("尚未核对：%s", "not confirmed yet: %s", item))
	}
}

// onRecord is what the event keeps: the input and, beside its fields, what was
// confirmed.
func (a CompleteTask) onRecord() any {
	fields := map[string]json.RawMessage{}
	if len(a.Checked) == 0 || json.Unmarshal(a.Input, &fields) != nil {
		return a.Input
	}
	checked, err := json.Marshal(a.Checked)
	if err != nil {
		return a.Input // texts always marshal
	}
	fields["checked"] = checked
	return fields
}

// decode reads a task's input strictly: a field that the kind does not know is
// a mistake that the clerk should see.
func decode(raw json.RawMessage, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = fmt.Errorf("more than one JSON value")
		}
	}
	if err == nil {
		return nil
	}
	var c Check
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		c.Field(wrong.Field, Sayf("类型应为 %s", "must be of type %s", wrong.Type))
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		c.Field(strings.Trim(strings.TrimPrefix(err.Error(), "json: unknown field "), `"`),
			Say("没有这个填报项", "there is no such field"))
	default:
		c.Field("", Sayf("无法识别的内容：%v", "not understood: %v", err))
	}
	return c.Err()
}

// ClaimTask takes an unassigned task of one's own department.
type ClaimTask struct {
	By
	Task string `json:"task"`
}

// Apply implements [Action].
func (a ClaimTask) Apply(k *Case, now time.Time) error {
	t, err := a.find(k, a.Task)
	if err != nil {
		return err
	}
	if err := a.owns(t); err != nil {
		return err
	}
	if err := a.free(t); err != nil {
		return err
	}
	if t.Assignee == a.Actor.ID {
		return Refuse(Conflict, "task_yours", Say("任务已由您承办", "you hold this task already"))
	}
	k.give(t, a.Actor, a.Actor, TaskClaimed, "", now)
	return nil
}

// give hands a task to somebody and records how.
func (k *Case) give(t *Task, by, to Actor, kind EventKind, reason string, now time.Time) {
	t.Assignee, t.AssigneeName, t.AssignedAt, t.Taken = to.ID, to.Name, now, by.ID == to.ID
	k.changes.task(*t)
	note := Sayf("%[1]s：由 %[2]s 承办", "%[3]s: held by %[2]s", t.Title(), to.ID, t.Kind)
	k.record(now, by, kind, t.ID, note, reasonData(reason))
}

func reasonData(reason string) any {
	if reason == "" {
		return nil
	}
	return map[string]string{"reason": reason}
}

// ReleaseTask gives a task back to the department.
type ReleaseTask struct {
	By
	Task   string `json:"task"`
	Reason string `json:"reason,omitempty"`
}

// Apply implements [Action].
func (a ReleaseTask) Apply(k *Case, now time.Time) error {
	t, err := a.find(k, a.Task)
	if err != nil {
		return err
	}
	if err := a.mayMove(t); err != nil {
		return err
	}
	if t.Assignee == "" {
		return Refuse(Conflict, "task_not_held", Say("任务尚无承办人", "nobody holds this task"))
	}
	k.giveBack(t, a.Actor, a.Reason, now)
	return nil
}

// giveBack returns a task to its department.
func (k *Case) giveBack(t *Task, by Actor, reason string, now time.Time) {
	t.Assignee, t.AssigneeName, t.AssignedAt, t.Taken = "", "", time.Time{}, false
	k.changes.task(*t)
	k.record(now, by, TaskReleased, t.ID, Sayf("%[1]s：退回部门", "%[2]s: released", t.Title(), t.Kind), reasonData(reason))
}

// mayMove lets the holder, and those who dispatch, move a task.
func (b By) mayMove(t *Task) error {
	if b.Actor.Dispatches() || (t.Assignee != "" && t.Assignee == b.Actor.ID) {
		return nil
	}
	return Refuse(Forbidden, "not_holder", Sayf("限承办人或调度人员操作；当前承办：%s", "only its holder or a dispatcher may do this; held by %s", t.Holder()))
}

// AssignTask gives a task to a member of staff; those who dispatch do it.
type AssignTask struct {
	By
	Task   string `json:"task"`
	To     Actor  `json:"to"`
	Reason string `json:"reason,omitempty"`
}

// Apply implements [Action].
func (a AssignTask) Apply(k *Case, now time.Time) error {
	t, err := a.find(k, a.Task)
	if err != nil {
		return err
	}
	if err := a.need(TaskforceOffice, TaskforceLead, Management); err != nil {
		return err
	}
	var c Check
	suits(&c, k, t, a.To)
	if err := c.Err(); err != nil {
		return err
	}
	k.give(t, a.Actor, a.To, TaskAssigned, a.Reason, now)
	return nil
}

// suits refuses a person who could not do the task.
func suits(c *Check, k *Case, t *Task, to Actor) {
	c.Require(to.Has(t.Role), "to", Sayf("%[1]s 不是%[2]s人员", "%[1]s does not hold the role %[3]s", to.ID, t.Role.Name(), t.Role))
	c.Require(to.Covers(k.Request.Site.District), "to",
		Sayf("%s 不负责%s", "%s does not cover %s", to.ID, k.Request.Site.District.Name()))
}

// DelegateTask passes one's own task to a colleague.
type DelegateTask struct {
	By
	Task   string `json:"task"`
	To     Actor  `json:"to"`
	Reason string `json:"reason"`
}

// Apply implements [Action].
func (a DelegateTask) Apply(k *Case, now time.Time) error {
	t, err := a.find(k, a.Task)
	if err != nil {
		return err
	}
	if err := a.mayMove(t); err != nil {
		return err
	}
	var c Check
	text(&c, "reason", a.Reason, true)
	suits(&c, k, t, a.To)
	if err := c.Err(); err != nil {
		return err
	}
	k.give(t, a.Actor, a.To, TaskDelegated, a.Reason, now)
	return nil
}

// Withdraw ends a case at the customer's wish, before supply-on. What was
// begun is undone.
type Withdraw struct {
	By
	Reason string `json:"reason"`
}

// Apply implements [Action].
func (a Withdraw) Apply(k *Case, now time.Time) error {
	if err := a.may(k, Customer, Platform, Taskforce, TaskforceOffice, ServiceHall, Hotline); err != nil {
		return err
	}
	var c Check
	text(&c, "reason", a.Reason, true)
	if err := c.Err(); err != nil {
		return err
	}
	switch {
	case k.Status == Withdrawing:
		return Refuse(Conflict, "already_withdrawing", Say("案件正在撤回", "the case is being withdrawn already"))
	case k.Service != nil:
		if err := k.withdrawable(); err != nil {
			return err
		}
	case k.Kind != ConnectionCase:
		return Refuse(Conflict, "not_a_connection", Say("只有报装可由客户撤回", "only a connection is withdrawn by its customer"))
	case k.Supply != nil:
		return Refuse(Conflict, "already_supplied", Sayf("已于 %[1]s 通%[2]s，不能撤回；如需销户请办理销户", "supply was turned on at %[1]s; close the account instead", Clock(k.Supply.SuppliedAt), k.Request.Utility.Flow()))
	}
	k.withdraw(a.Reason, a.Actor, now)
	return nil
}

// withdraw cancels what is open. The workflow then has undone what was begun.
func (k *Case) withdraw(reason string, by Actor, now time.Time) {
	k.passPermits()
	k.Status, k.WithdrawnAt, k.Withdrawal = Withdrawing, now, reason
	k.record(now, by, WithdrawalRequested, "", Say("客户撤回申请", "withdrawn by the customer"), reasonData(reason))
	k.cancelAll(now)
	k.endPauses(now)
}

// Cancel ends an upgrade whose connection was withdrawn before the building of
// it began; what is being built serves the network and goes on.
func (k *Case) Cancel(now time.Time) {
	if k.Kind != UpgradeCase || k.Status.Ended() || k.UpgradeWork.Design != nil {
		return
	}
	k.cancelAll(now)
	k.End(Withdrawn, now)
}

func (k *Case) cancelAll(now time.Time) {
	for i := range k.Tasks {
		t := &k.Tasks[i]
		if t.State != TaskOpen {
			continue
		}
		k.cancel(t, now)
	}
	for i := range k.Deadlines {
		if k.Deadlines[i].Live() {
			k.closeDeadline(k.Deadlines[i].ID, false, now, now)
		}
	}
	k.dropEnded()
}

// cancel ends a task that is no longer needed.
func (k *Case) cancel(t *Task, now time.Time) {
	t.State, t.DoneAt = TaskCancelled, now
	k.changes.task(*t)
	k.record(now, System(), TaskWasCancelled, t.ID, Sayf("取消任务：%[1]s", "task cancelled: %[2]s", t.Title(), t.Kind), nil)
	k.closeDeadline(t.ID, false, now, now)
}

// End closes the case for good, and with it a pause during which the work went
// on to its end.
func (k *Case) End(s Status, now time.Time) {
	k.Status, k.EndedAt = s, now
	k.endPauses(now)
	k.NoteHolder(now)
	kind, note := CaseClosed, Say("办结归档", "closed")
	if s == Withdrawn {
		kind, note = CaseWithdrawn, Say("撤回完成", "withdrawn")
	}
	if s == PassedOn {
		kind, note = CasePassedOn, Sayf("已转办，后续见 %[1]s", "passed on; it goes on as %[1]s", k.GoesOnAs())
	}
	k.record(now, System(), kind, "", note, nil)
}

// AmendRequest corrects what the request says. A field that is nil stays.
type AmendRequest struct {
	By
	Applicant *Applicant `json:"applicant,omitempty"`
	Contact   *Contact   `json:"contact,omitempty"`
	Address   *string    `json:"address,omitempty"`
	Demand    *Demand    `json:"demand,omitempty"`
	Remark    *string    `json:"remark,omitempty"`
	Reason    string     `json:"reason"`
}

// Apply implements [Action].
func (a AmendRequest) Apply(k *Case, now time.Time) error {
	if err := a.may(k, Taskforce, TaskforceOffice, ServiceHall, Hotline); err != nil {
		return err
	}
	r := k.Request
	var fields []string
	if a.Applicant != nil {
		r.Applicant, fields = *a.Applicant, append(fields, "applicant")
	}
	if a.Contact != nil {
		r.Contact, fields = *a.Contact, append(fields, "contact")
	}
	if a.Address != nil {
		r.Site.Address, fields = *a.Address, append(fields, "address")
	}
	if a.Demand != nil {
		r.Demand, fields = *a.Demand, append(fields, "demand")
	}
	if a.Remark != nil {
		r.Remark, fields = *a.Remark, append(fields, "remark")
	}
	var c Check
	c.Require(len(fields) > 0, "", Say("没有要更正的内容", "nothing to amend"))
	text(&c, "reason", a.Reason, true)
	if err := c.Err(); err != nil {
		return err
	}
	r = r.Normalise()
	if err := a.judge(k, r); err != nil {
		return err
	}
	before := k.Request
	k.Request = r
	k.Service.amend(r)
	if k.Joint != nil && (a.Applicant != nil || a.Contact != nil || a.Address != nil) {
		k.Joint.PeopleAt = now
	}
	k.record(now, a.Actor, Amended, "", Sayf("更正：%s", "amended: %s", strings.Join(fields, ", ")),
		map[string]any{"reason": a.Reason, "before": before})
	k.settleAmended(a.Actor, now)
	return nil
}

// judge judges the request as it would be. Of a service request only what is
// corrected is judged: it never had to say what a connection's must.
func (a AmendRequest) judge(k *Case, r Request) error {
	if k.Service == nil {
		return r.Validate()
	}
	var c Check
	c.Require(a.Demand == nil, "demand", Say("仅报装填写", "only for a connection"))
	if a.Applicant != nil {
		c.Require(r.Applicant.Name != "", "applicant.name", Say("请填写单位名称或姓名", "the applicant's name is missing"))
	}
	if a.Contact != nil {
		r.Contact.check(&c)
	}
	c.Require(len([]rune(r.Site.Address)) <= maxName, "site.address", tooLong(maxName))
	c.Require(len([]rune(r.Remark)) <= maxText, "remark", tooLong(maxText))
	return c.Err()
}

// maxDocuments bounds the documents of a case.
const maxDocuments = 200

// AttachDocument adds a document whose bytes the blob store holds already.
type AttachDocument struct {
	By
	Document Document `json:"document"`
}

// Apply implements [Action].
func (a AttachDocument) Apply(k *Case, now time.Time) error {
	// Every department may have to prove that it put something right.
	if err := a.may(k, Taskforce, TaskforceOffice, Management, Engineering, Network, Production, Quality, ServiceHall, Hotline); err != nil {
		return err
	}
	// What the case can't be finished without is taken however full the file is.
	if len(k.Documents) >= maxDocuments && !slices.Contains(k.MissingDocuments(), a.Document.Kind) {
		return Refuse(Conflict, "too_many_documents", Sayf("每案最多 %d 份材料", "a case holds at most %d documents", maxDocuments))
	}
	d := a.Document
	var c Check
	c.Require(d.Kind.Valid(), "kind", Sayf("材料类别应为：%s", "kind must be one of: %s", joinAny(DocumentKinds())))
	c.Require(d.ID != "" && d.Key != "", "id", Say("缺少文件", "there is no file"))
	c.Require(!k.hasDocument(d.ID), "id", Say("该文件已归档", "this document is attached already"))
	text(&c, "title", d.Title, true)
	if err := c.Err(); err != nil {
		return err
	}
	d.At, d.By, d.Drafted = now, a.Actor.ID, false
	k.attach(d, a.Actor, now)
	return nil
}

func (k *Case) attach(d Document, by Actor, now time.Time) {
	k.Documents = append(k.Documents, d)
	k.changes.Documents = append(k.changes.Documents, d)
	k.record(now, by, DocumentAttached, "", Sayf("归档材料：%[1]s", "document attached: %[2]s", d.Kind.NameFor(k.Request.Utility), d.Kind),
		map[string]string{"document": d.ID, "kind": string(d.Kind)})
}

// Drafted attaches the documents that the system wrote.
func (k *Case) Drafted(ds []Document, now time.Time) {
	for _, d := range ds {
		k.Drafts = slices.DeleteFunc(k.Drafts, func(kind DocumentKind) bool { return kind == d.Kind })
		d.At, d.By, d.Drafted = now, System().ID, true
		k.attach(d, System(), now)
	}
}

// maxCharges bounds the charges of a case.
const maxCharges = 50

// ProposeCharge records a charge, or refuses it by the rule that forbids it.
type ProposeCharge struct {
	By
	Charge Charge `json:"charge"`
}

// Apply implements [Action].
func (a ProposeCharge) Apply(k *Case, now time.Time) error {
	if err := a.may(k, Taskforce, Engineering, ServiceHall); err != nil {
		return err
	}
	if err := CheckCharge(a.Charge); err != nil {
		return err
	}
	if err := k.priced(a.Charge); err != nil {
		return err
	}
	if len(k.Charges) >= maxCharges {
		return Refuse(Conflict, "too_many_charges", Sayf("每案最多 %d 项收费", "a case holds at most %d charges", maxCharges))
	}
	ch := a.Charge
	ch.ID, ch.At, ch.By = fmt.Sprintf("%s-C%d", k.Number, len(k.Charges)+1), now, a.Actor.ID
	k.Charges = append(k.Charges, ch)
	k.touch(now, a.Actor, ZeroFee, true, Sayf("收费 %.2f 元", "charged %.2f yuan", float64(ch.Amount)/100))
	k.record(now, a.Actor, ChargeProposed, "", Sayf("登记收费：%s", "charge: %s", ch.Kind), ch)
	return nil
}

// ConfirmDesign is the customer's consent to the design.
type ConfirmDesign struct{ By }

// Apply implements [Action].
func (a ConfirmDesign) Apply(k *Case, now time.Time) error {
	if err := a.may(k, Customer); err != nil {
		return err
	}
	switch {
	case k.ChosenDesign() == nil:
		return Refuse(Conflict, "no_design", Say("设计方案尚未出具", "there is no design yet"))
	case !k.DesignConfirmedAt.IsZero():
		return Refuse(Conflict, "already_confirmed", Sayf("方案已于 %s 确认", "confirmed already at %s", Clock(k.DesignConfirmedAt)))
	}
	k.DesignConfirmedAt = now
	k.touch(now, a.Actor, ZeroBurden, false, Say("客户在线确认方案", "design confirmed online"))
	k.record(now, a.Actor, DesignConfirmed, "", Say("客户确认设计方案", "design confirmed by the customer"), nil)
	return nil
}

// ConfirmAcceptance is the customer's consent to the finished work. The
// confirmation document is drafted from it.
type ConfirmAcceptance struct{ By }

// Apply implements [Action].
func (a ConfirmAcceptance) Apply(k *Case, now time.Time) error {
	if err := a.may(k, Customer); err != nil {
		return err
	}
	switch {
	case k.Supply == nil:
		return Refuse(Conflict, "not_supplied", Say("尚未通"+k.Request.Utility.Flow(), "supply is not on yet"))
	case !k.AcceptanceConfirmed.IsZero():
		return Refuse(Conflict, "already_confirmed", Sayf("已于 %s 确认验收", "confirmed already at %s", Clock(k.AcceptanceConfirmed)))
	}
	k.AcceptanceConfirmed = now
	k.needDraft(AcceptanceConfirmation)
	k.touch(now, a.Actor, ZeroBurden, false, Say("客户在线确认验收", "acceptance confirmed online"))
	k.record(now, a.Actor, AcceptanceConfirmedByCustomer, "", Say("客户确认验收", "acceptance confirmed by the customer"), nil)
	return nil
}

// maxRatings bounds the ratings of a case; a customer may change their mind,
// not fill a disk.
const maxRatings = 20

// Rate is the customer's own verdict (好差评), at any time after supply-on,
// also after the case was closed: then it is opened again if a visit is owed.
type Rate struct {
	By
	Level   int    `json:"level"`
	Comment string `json:"comment,omitempty"`
}

// Apply implements [Action].
func (a Rate) Apply(k *Case, now time.Time) error {
	// A closed case takes a rating, so the check for an ended case is not made.
	if err := a.current(k); err != nil {
		return err
	}
	if err := a.need(Customer, Platform); err != nil {
		return err
	}
	var c Check
	c.Require(a.Level >= 1 && a.Level <= 5, "level", Say("评价为 1（非常不满意）至 5（非常满意）", "level is 1 (very dissatisfied) to 5 (very satisfied)"))
	text(&c, "comment", a.Comment, a.Level == 1 || a.Level == 2)
	if err := c.Err(); err != nil {
		return err
	}
	switch {
	case k.Service != nil && k.CompletedAt.IsZero():
		return Refuse(Conflict, "not_done", Say("办结后方可评价", "a rating can be given once it is done"))
	case k.Service == nil && k.Supply == nil || k.Status == Withdrawn || k.Status == Withdrawing || k.Status == PassedOn:
		return Refuse(Conflict, "not_supplied", Say("通"+k.Request.Utility.Flow()+"后方可评价", "a rating can be given once supply is on"))
	case len(k.Evaluated.Ratings) >= maxRatings:
		return Refuse(Conflict, "too_many_ratings", Sayf("每案最多 %d 次评价", "a case takes at most %d ratings", maxRatings))
	}
	k.Evaluated.Ratings = append(k.Evaluated.Ratings, Rating{Level: a.Level, Comment: a.Comment, At: now})
	k.record(now, a.Actor, Rated, "", Sayf("客户评价：%d 分", "rated %d", a.Level), a)
	if a.Level <= 2 {
		k.Evaluated.Visits++
		if k.Status == Closed {
			k.Status, k.EndedAt, k.ReopenedAt = Open, time.Time{}, now
			k.record(now, System(), CaseReopened, "", Say("因差评重新办理", "opened again by a bad review"), nil)
		}
	}
	return nil
}

// joinAny writes allowed values for people.
func joinAny[T any](values []T) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = fmt.Sprint(v)
	}
	return strings.Join(parts, ", ")
}
