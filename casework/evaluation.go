package casework

import (
	"slices"
	"time"
)

// Satisfaction is the customer's verdict.
type Satisfaction string

// The verdicts of a callback; a rating's five levels map onto them.
const (
	Satisfied          Satisfaction = "satisfied"           // 满意
	BasicallySatisfied Satisfaction = "basically_satisfied" // 基本满意
	Dissatisfied       Satisfaction = "dissatisfied"        // 不满意
)

// EvaluationFact is where the evaluation stands.
type EvaluationFact struct {
	Round     int          `json:"round,omitempty"` // callbacks so far
	Last      Satisfaction `json:"last,omitempty"`  // verdict of the last callback that reached the customer
	CalledAt  time.Time    `json:"called_at,omitzero"`
	TriedAt   time.Time    `json:"tried_at,omitzero"`  // the last call that did not reach the customer
	Rectify   []Department `json:"rectify,omitempty"`  // departments that owe a rectification
	Rectified time.Time    `json:"rectified,omitzero"` // when the last one was done
	Visits    int          `json:"visits,omitempty"`   // home visits still owed
	Ratings   []Rating     `json:"ratings,omitempty"`
}

// Closed tells whether a satisfied customer, or a closed loop, is on record.
func (e EvaluationFact) Closed() bool {
	return (e.Last == Satisfied || e.Last == BasicallySatisfied) && len(e.Rectify) == 0 && e.Visits == 0
}

// CallbackFrom is the event from which the next callback's limit counts: the
// end of the work, the last rectification, the last call that did not get
// through, or the review that opened the case again, whichever came last.
func (k *Case) CallbackFrom() time.Time {
	e := &k.Evaluated
	return later(later(k.CompletedAt, e.Rectified), later(e.TriedAt, k.ReopenedAt))
}

// Rating is a customer's own verdict (好差评), five levels as the national
// platform counts them: 5 very satisfied … 1 very dissatisfied.
type Rating struct {
	Level   int       `json:"level"`
	Comment string    `json:"comment,omitempty"`
	At      time.Time `json:"at"`
}

// CallbackInput completes callback.
type CallbackInput struct {
	Reached      bool         `json:"reached" doc:"接通 the customer was reached"`
	CalledAt     time.Time    `json:"called_at" doc:"回访时间 when"`
	Satisfaction Satisfaction `json:"satisfaction,omitempty" enum:"satisfied,basically_satisfied,dissatisfied" doc:"满意度 verdict"`
	Comment      string       `json:"comment,omitempty" doc:"客户意见 what the customer said"`
	Responsible  Department   `json:"responsible,omitempty" doc:"责任部门，不满意时必填 department responsible, when dissatisfied"`
}

func (in *CallbackInput) check(c *Check, k *Case, _ *Task, now time.Time) {
	past(c, k, "called_at", in.CalledAt, now)
	text(c, "comment", in.Comment, in.Satisfaction == Dissatisfied)
	if !in.Reached {
		c.Require(in.Satisfaction == "", "satisfaction", Say("未接通时不填满意度", "no verdict without reaching the customer"))
		return
	}
	oneOf(c, "satisfaction", in.Satisfaction, Satisfied, BasicallySatisfied, Dissatisfied)
	if in.Satisfaction == Dissatisfied {
		oneOf(c, "responsible", in.Responsible, Departments()...)
	}
}

func (in *CallbackInput) apply(k *Case, _ *Task, by Actor, now time.Time) string {
	e := &k.Evaluated
	e.Round++
	if !in.Reached {
		e.TriedAt = in.CalledAt
		return "unreached"
	}
	e.Last, e.CalledAt = in.Satisfaction, in.CalledAt
	k.touch(now, by, ZeroBurden, false, Say("电话回访", "callback"))
	if k.Kind == OrderCase && in.Satisfaction == Dissatisfied {
		k.Served.Order.Department = in.Responsible
		k.orderAgain(by, Say("来电人不满意，重新办理", "the caller is not satisfied; taken up again"), now)
		return string(Dissatisfied)
	}
	if in.Satisfaction == Dissatisfied && !slices.Contains(e.Rectify, in.Responsible) {
		e.Rectify = append(e.Rectify, in.Responsible)
	}
	return string(in.Satisfaction)
}

// RectificationInput completes rectify.
type RectificationInput struct {
	Measures string `json:"measures" doc:"整改措施 what was done"`
	Evidence string `json:"evidence" doc:"佐证材料的文件编号 ID of the document that proves it"`
}

func (in *RectificationInput) check(c *Check, k *Case, _ *Task, _ time.Time) {
	text(c, "measures", in.Measures, true)
	c.Require(k.hasDocument(in.Evidence), "evidence",
		Say("请先上传佐证材料，并填写其文件编号", "upload the evidence first and give its document ID"))
}

func (k *Case) hasDocument(id string) bool {
	return slices.ContainsFunc(k.Documents, func(d Document) bool { return d.ID == id })
}

func (in *RectificationInput) apply(k *Case, t *Task, _ Actor, now time.Time) string {
	e := &k.Evaluated
	e.Rectify = slices.DeleteFunc(e.Rectify, func(d Department) bool { return string(d) == t.Qualifier })
	e.Rectified = now
	// Who was called before it was put right is asked about it again.
	e.Last = Dissatisfied
	return done
}

// HomeVisitInput completes home_visit.
type HomeVisitInput struct {
	VisitedAt   time.Time  `json:"visited_at" doc:"上门时间 when"`
	Reasons     string     `json:"reasons" doc:"客户意见详情 the reasons in full"`
	Resolved    bool       `json:"resolved" doc:"已解决 resolved"`
	Responsible Department `json:"responsible,omitempty" doc:"需整改的责任部门 department that must put it right"`
}

func (in *HomeVisitInput) check(c *Check, k *Case, _ *Task, now time.Time) {
	past(c, k, "visited_at", in.VisitedAt, now)
	text(c, "reasons", in.Reasons, true)
	if !in.Resolved {
		oneOf(c, "responsible", in.Responsible, Departments()...)
	}
}

func (in *HomeVisitInput) apply(k *Case, _ *Task, by Actor, now time.Time) string {
	e := &k.Evaluated
	e.Visits--
	k.touch(now, by, ZeroVisit, false, Say("上门回访", "home visit"))
	if in.Resolved {
		return "resolved"
	}
	if !slices.Contains(e.Rectify, in.Responsible) {
		e.Rectify = append(e.Rectify, in.Responsible)
	}
	// What is put right is asked about again.
	e.Last = Dissatisfied
	return "rectify"
}
