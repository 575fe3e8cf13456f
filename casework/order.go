package casework

import (
	"slices"
	"time"
)

// A work order of 12345 is accepted, handled by a department, answered, and
// closed; a caller who is not satisfied brings it back (M 3.4).

// ReplyByLimit is the time that 12345 sets for its answer: a moment, whatever
// our calendar says.
const ReplyByLimit LimitName = "reply_by"

// OrderFact is where an order stands.
type OrderFact struct {
	Round      int               `json:"round,omitempty"` // 1, and one more each time the caller was not satisfied
	Department Department        `json:"department,omitempty"`
	Transfers  int               `json:"transfers,omitempty"` // how often it went to another department
	AcceptedAt time.Time         `json:"accepted_at,omitzero"`
	Handled    *HandleOrderInput `json:"handled,omitempty"`
	HandledAt  time.Time         `json:"handled_at,omitzero"`
	Answer     string            `json:"answer,omitempty"` // the last one
	AnsweredAt time.Time         `json:"answered_at,omitzero"`
	ReplyBy    time.Time         `json:"reply_by,omitzero"`
	Extension  *OrderExtension   `json:"extension,omitempty"` // the last one that was asked for
	Visits     int               `json:"visits,omitempty"`
	AgainAt    time.Time         `json:"again_at,omitzero"`
}

// OrderExtension is more time that 12345 is asked for.
type OrderExtension struct {
	Until   time.Time `json:"until"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Decided time.Time `json:"decided,omitzero"`
	Granted bool      `json:"granted,omitempty"`
}

// AcceptOrderInput completes accept_order.
type AcceptOrderInput struct {
	Department Department `json:"department" doc:"承办部门 department that handles it"`
	Utility    Utility    `json:"utility,omitempty" doc:"更正用能类型 utility, where 12345 named the wrong one"`
	District   District   `json:"district,omitempty" doc:"更正区县代码 district code"`
	Note       string     `json:"note,omitempty" doc:"交办意见 instruction"`
}

func (in *AcceptOrderInput) check(c *Check, _ *Case, _ *Task, _ time.Time) {
	oneOf(c, "department", in.Department, Departments()...)
	c.Require(in.Utility == "" || in.Utility.Valid(), "utility", Say("用能类型应为 water（水）或 gas（气）", "utility must be water or gas"))
	if in.District != "" {
		c.Nested("district", in.District.Check())
	}
	text(c, "note", in.Note, false)
}

func (in *AcceptOrderInput) apply(k *Case, t *Task, by Actor, now time.Time) string {
	if in.Utility != "" {
		k.Request.Utility, k.Service.Utility = in.Utility, in.Utility
	}
	if in.District != "" {
		k.Request.Site.District, k.Service.District = in.District, in.District
	}
	o := &k.Served.Order
	if o.AcceptedAt.IsZero() {
		o.AcceptedAt, k.ApplicationAt = now, now
		k.record(now, by, ApplicationAccepted, t.ID, Say("签收12345工单", "order of 12345 accepted"), nil)
	}
	k.assignOrder(in.Department, by, now)
	return done
}

func (k *Case) assignOrder(to Department, by Actor, now time.Time) {
	o := &k.Served.Order
	o.Department = to
	k.record(now, by, OrderAssigned, "", Sayf("工单交%[1]s办理", "order given to %[2]s", to.Name(), to), nil)
}

// HandleOrderInput completes handle_order.
type HandleOrderInput struct {
	Result   string     `json:"result" enum:"handled,transferred" doc:"已办理，或转其他部门 handled, or passed on to another department"`
	To       Department `json:"to,omitempty" doc:"转交部门 department that it goes to"`
	Measures string     `json:"measures" doc:"办理情况；转交的说明理由 what was done; why it is passed on"`
	Contacts bool       `json:"contacted,omitempty" doc:"已联系来电人 the caller was contacted"`
	Evidence string     `json:"evidence,omitempty" doc:"佐证材料文件编号 ID of the document that proves it"`
}

const (
	orderHandled     = "handled"
	orderTransferred = "transferred"
)

func (in *HandleOrderInput) check(c *Check, k *Case, t *Task, _ time.Time) {
	oneOf(c, "result", in.Result, orderHandled, orderTransferred)
	text(c, "measures", in.Measures, true)
	if in.Result == orderTransferred {
		oneOf(c, "to", in.To, Departments()...)
		c.Require(string(in.To) != t.Qualifier, "to", Say("已由本部门承办", "this department has it already"))
	} else {
		c.Require(in.To == "", "to", Say("仅转交时填写", "only where it is passed on"))
	}
	c.Require(in.Evidence == "" || k.hasDocument(in.Evidence), "evidence", Say("请先上传佐证材料，并填写其文件编号", "upload the evidence first and give its document ID"))
}

func (in *HandleOrderInput) apply(k *Case, _ *Task, by Actor, now time.Time) string {
	o := &k.Served.Order
	if in.Result == orderTransferred {
		o.Transfers++
		k.assignOrder(in.To, by, now)
		return orderTransferred
	}
	o.Handled, o.HandledAt = in, now
	if in.Contacts {
		k.touch(now, by, ZeroBurden, false, Say("联系来电人", "the caller was contacted"))
	}
	return orderHandled
}

// AnswerOrderInput completes answer_order, once the order was handled.
type AnswerOrderInput struct {
	Answer string `json:"answer" doc:"答复12345的内容 the answer to 12345"`
}

func (in *AnswerOrderInput) gate(k *Case, _ *Task) error {
	if k.Served.Order.Handled != nil {
		return nil
	}
	return Refuse(Conflict, "order_not_handled", Sayf("工单尚在办理：%s", "the order is being handled: %s", k.openTasks()))
}

func (in *AnswerOrderInput) check(c *Check, _ *Case, _ *Task, _ time.Time) {
	text(c, "answer", in.Answer, true)
}

func (in *AnswerOrderInput) apply(k *Case, t *Task, by Actor, now time.Time) string {
	o := &k.Served.Order
	o.Answer, o.AnsweredAt = in.Answer, now
	k.record(now, by, OrderAnswered, t.ID, Sayf("答复12345（第%[1]d次）", "12345 answered (round %[1]d)", max(o.Round, 1)), nil)
	k.finishService(Say("工单已答复", "the order is answered"), now)
	return done
}

// NeedAnswer opens the answer that is owed to 12345: due at the moment that it
// set, else by the policy's limit.
func (k *Case) NeedAnswer(now time.Time) {
	o := &k.Served.Order
	spec, _ := SpecOf(AnswerOrder)
	if o.ReplyBy.IsZero() && k.Service.Order != nil && o.Round <= 1 {
		o.ReplyBy = k.Service.Order.ReplyBy
	}
	if o.ReplyBy.IsZero() {
		k.Need(AnswerOrder, "", max(o.Round, 1), later(k.ReceivedAt, o.AgainAt), now)
	} else {
		k.needWithin(spec, ReplyByLimit, "", max(o.Round, 1), o.ReplyBy, now)
	}
	// Whoever handles the order is in charge; the answer comes last.
	slices.SortStableFunc(k.Tasks, func(a, b Task) int { return last(a) - last(b) })
}

func last(t Task) int {
	if t.Kind == AnswerOrder {
		return 1
	}
	return 0
}

// orderAgain takes an answered order up once more.
func (k *Case) orderAgain(by Actor, why Text, now time.Time) {
	o := &k.Served.Order
	o.Round = max(o.Round, 1) + 1
	o.Handled, o.HandledAt, o.AnsweredAt, o.ReplyBy, o.AgainAt, o.Extension = nil, time.Time{}, time.Time{}, time.Time{}, now, nil
	k.CompletedAt = time.Time{}
	k.Evaluated.Last, k.Evaluated.Rectify = "", nil
	k.Stage = OrderHandling
	k.record(now, by, OrderAgain, "", why, nil)
	if t, ok := k.Live(Callback, ""); ok {
		k.cancel(t, now)
		k.dropEnded()
	}
	k.assignOrder(o.Department, by, now)
}

// RecordOrderVisit is what 12345 found when it asked the caller about our answer,
// also after the order was closed: who is not satisfied brings it back.
type RecordOrderVisit struct {
	By
	Satisfied bool      `json:"satisfied"`
	Solved    bool      `json:"solved"`
	Comment   string    `json:"comment,omitempty"`
	VisitedAt time.Time `json:"visited_at"`
	ReplyBy   time.Time `json:"reply_by,omitzero"` // until when 12345 wants the next answer
}

// maxOrderVisits bounds the visits of an order.
const maxOrderVisits = 20

// Apply implements [Action].
func (a RecordOrderVisit) Apply(k *Case, now time.Time) error {
	// A closed case takes a visit, so the check for an ended case is not made.
	if err := a.current(k); err != nil {
		return err
	}
	if err := a.need(Platform, Hotline); err != nil {
		return err
	}
	o := &k.Served.Order
	switch {
	case k.Kind != OrderCase:
		return Refuse(Conflict, "not_an_order", Say("只有12345工单登记回访结果", "only an order of 12345 has a visit"))
	case o.AnsweredAt.IsZero():
		return Refuse(Conflict, "not_answered", Say("工单尚未答复", "the order is not answered yet"))
	case o.Visits >= maxOrderVisits:
		return Refuse(Conflict, "too_many_visits", Sayf("每单最多 %d 次回访", "an order takes at most %d visits", maxOrderVisits))
	}
	var c Check
	past(&c, k, "visited_at", a.VisitedAt, now)
	text(&c, "comment", a.Comment, false)
	c.Require(a.ReplyBy.IsZero() || a.ReplyBy.After(now), "reply_by", Say("答复时限应晚于现在", "the reply must be due in the future"))
	if err := c.Err(); err != nil {
		return err
	}
	o.Visits++
	content := a.Satisfied && a.Solved
	k.record(now, a.Actor, OrderVisited, "", Sayf("12345回访：%s", "visit by 12345: %s", verdictOf(content)), a)
	e := &k.Evaluated
	e.Round++
	e.CalledAt = a.VisitedAt
	if content {
		// The caller was asked already and is not asked again.
		e.Last = Satisfied
		if t, ok := k.Live(Callback, ""); ok {
			k.cancel(t, now)
			k.dropEnded()
		}
		return nil
	}
	if k.Status == Closed {
		k.Status, k.EndedAt, k.ReopenedAt = Open, time.Time{}, now
		k.record(now, System(), CaseReopened, "", Say("因12345回访不满意重新办理", "opened again by a visit"), nil)
	}
	k.orderAgain(a.Actor, Say("来电人不满意，重新办理", "the caller is not satisfied; taken up again"), now)
	o.ReplyBy = a.ReplyBy
	return nil
}

func verdictOf(content bool) string {
	if content {
		return "满意 satisfied"
	}
	return "不满意 dissatisfied"
}

// ExtendOrder asks 12345 for more time, and notes what it decided.
type ExtendOrder struct {
	By
	Until    time.Time `json:"until,omitzero"`
	Reason   string    `json:"reason,omitempty"`
	Decision string    `json:"decision"` // requested, granted, refused
}

// The decisions of an [ExtendOrder].
const (
	ExtensionAsked   = "requested"
	ExtensionGranted = "granted"
	ExtensionDenied  = "refused"
)

// Apply implements [Action].
func (a ExtendOrder) Apply(k *Case, now time.Time) error {
	if a.Actor.Has(Platform) {
		// A platform has no districts; what it decided is its own.
		if err := a.current(k); err != nil {
			return err
		}
		if k.Status.Ended() {
			return Refuse(Conflict, "case_ended", Sayf("案件%[1]s，不能再操作", "the case is %[2]s; nothing can be done any more", k.Status.Name(), k.Status))
		}
	} else if err := a.check(k); err != nil {
		return err
	}
	if err := a.need(Hotline, Platform); err != nil {
		return err
	}
	if k.Kind != OrderCase {
		return Refuse(Conflict, "not_an_order", Say("只有12345工单申请延期", "only an order of 12345 is extended so"))
	}
	o := &k.Served.Order
	t, open := k.Live(AnswerOrder, "")
	if !open || o.ReplyBy.IsZero() {
		return Refuse(Conflict, "no_reply_due", Say("当前没有12345规定的答复时限", "12345 waits for no answer by a time of its own"))
	}
	var c Check
	oneOf(&c, "decision", a.Decision, ExtensionAsked, ExtensionGranted, ExtensionDenied)
	waits := o.Extension != nil && o.Extension.Decided.IsZero()
	asked := a.Decision == ExtensionAsked
	text(&c, "reason", a.Reason, asked)
	until := a.Until
	if waits && !asked && until.IsZero() {
		until = o.Extension.Until
	}
	if a.Decision != ExtensionDenied {
		c.Require(until.After(o.ReplyBy), "until", Sayf("应晚于现时限 %s", "must be later than the time set now, %s", Clock(o.ReplyBy)))
	}
	if err := c.Err(); err != nil {
		return err
	}
	switch {
	case asked && waits:
		return Refuse(Conflict, "extension_waits", Say("已申请延期，等待12345答复", "an extension was asked for and waits for 12345"))
	case asked:
		o.Extension = &OrderExtension{Until: until, Reason: a.Reason, At: now, By: a.Actor.ID}
		k.record(now, a.Actor, ExtensionRequested, t.ID, Sayf("向12345申请延期至 %s", "12345 is asked for time until %s", Clock(until)), reasonData(a.Reason))
		return nil
	case !waits:
		return Refuse(Conflict, "no_extension", Say("没有待12345答复的延期申请", "no extension waits for 12345"))
	}
	o.Extension.Decided, o.Extension.Granted = now, a.Decision == ExtensionGranted
	if !o.Extension.Granted {
		k.record(now, a.Actor, ExtensionSettled, t.ID, Say("12345不同意延期", "12345 refused the extension"), reasonData(a.Reason))
		return nil
	}
	o.Extension.Until, o.ReplyBy = until, until
	k.record(now, a.Actor, ExtensionSettled, t.ID, Sayf("12345同意延期至 %s", "12345 granted time until %s", Clock(until)), reasonData(a.Reason))
	if d, ok := k.Deadline(t.ID); ok {
		d.Anchor = until
		d.recount()
	}
	return nil
}
