package api

import (
	"context"
	"net/http"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

func (a *API) registerEscalations() {
	access := forRoles(append([]casework.Role{casework.Auditor}, taskWorkers...)...)
	handle(a, route{
		id: "list-escalations", method: http.MethodGet, path: "/v1/escalations", tag: "escalations", access: access,
		summary: casework.Say("升级记录（非督办人员限本部门）", "rungs that fired; of one's own department unless one supervises"),
	}, a.listEscalations)
	handle(a, route{
		id: "acknowledge-escalation", method: http.MethodPost, tag: "escalations", versioned: true,
		path:    "/v1/cases/{number}/escalations/{deadline}/{rung}/acknowledge",
		access:  forRoles(taskWorkers...),
		summary: casework.Say("签收升级，签收人从此负责", "own a rung: say that one acts on it"),
	}, a.acknowledge)
	handle(a, route{
		id: "answer-escalation", method: http.MethodPost, tag: "escalations", versioned: true,
		path:    "/v1/cases/{number}/escalations/{deadline}/{rung}/answer",
		access:  forRoles(taskWorkers...),
		summary: casework.Say("答复升级：改派、延期、调度或说明；未按时答复则升级", "answer a rung: reassign, extend, dispatch or note; what is not answered in time climbs"),
	}, a.answerEscalation)
	handle(a, route{
		id: "close-escalation", method: http.MethodPost, tag: "escalations", versioned: true,
		path:    "/v1/cases/{number}/escalations/{deadline}/{rung}/close",
		access:  forRoles(taskWorkers...),
		summary: casework.Say("关闭已答复的升级", "close a rung that was answered"),
	}, a.closeEscalation)
	handle(a, route{
		id: "extend-deadline", method: http.MethodPost, tag: "escalations", versioned: true,
		path:    "/v1/cases/{number}/deadlines/{deadline}/extend",
		access:  forRoles(casework.TaskforceLead, casework.Management),
		summary: casework.Say("延期：每项时限一次，须在到期之前并说明原因", "extend a deadline: once, before it has run out, with a reason"),
	}, a.extend)
}

// escalationView is a rung with its whole life, and the addresses at which
// something can be done about it now.
type escalationView struct {
	casework.Escalation
	State           casework.EscalationState `json:"state" enum:"waiting,acknowledged,answered,closed"`
	StateName       string                   `json:"state_name"`
	Owner           string                   `json:"owner,omitempty" doc:"负责人工号；待签收时没有 who owns it; nobody while it waits"`
	RungName        string                   `json:"rung_name"`
	LimitTitle      string                   `json:"limit_name" doc:"时限名称 what the limit is for"`
	AnswerName      string                   `json:"answer_name,omitempty"`
	ClosingName     string                   `json:"closing_name,omitempty"`
	AcknowledgePath string                   `json:"acknowledge_path,omitempty" doc:"签收地址（POST） where it is acknowledged"`
	AnswerPath      string                   `json:"answer_path,omitempty" doc:"答复地址（POST） where it is answered"`
	ClosePath       string                   `json:"close_path,omitempty" doc:"关闭地址（POST） where it is closed"`
}

func (a *API) viewEscalation(e casework.Escalation) escalationView {
	v := escalationView{
		Escalation: e, State: e.State(), StateName: e.State().Name(), RungName: e.Rung.Name(), LimitTitle: e.Limit.Name(),
		AnswerName: e.Answer.Name(), ClosingName: e.Closing.Name(),
	}
	address := a.link("/v1/cases/%s/escalations/%s/%s/", e.Case, e.Deadline, e.Rung)
	switch v.State {
	case casework.EscalationWaiting:
		v.AcknowledgePath, v.AnswerPath = address+"acknowledge", address+"answer"
	case casework.EscalationAcknowledged:
		v.Owner, v.AnswerPath = e.AcknowledgedBy, address+"answer"
	case casework.EscalationReplied:
		v.Owner, v.ClosePath = e.AcknowledgedBy, address+"close"
	case casework.EscalationOver:
		v.Owner = e.AcknowledgedBy
	}
	return v
}

type escalationQuery struct {
	Case       string                   `query:"case" maxLength:"64" doc:"案件编号 case number"`
	To         casework.Role            `query:"to" doc:"由谁处理，随升级而变 who is to act; changes as it climbs"`
	Department casework.Department      `query:"department"`
	District   []string                 `query:"district" maxItems:"20" doc:"区县代码，逗号分隔 district codes, separated by commas"`
	Level      int                      `query:"level" minimum:"0" maximum:"3" doc:"级别不低于 level at least"`
	Open       bool                     `query:"open" doc:"未关闭 not closed yet"`
	State      casework.EscalationState `query:"state" enum:"waiting,acknowledged,answered,closed" doc:"状态 how far it has come"`
	Mine       bool                     `query:"mine" doc:"我负责的，或应由我的角色处理的 those that I own, or on which a role of mine must act"`
	Paging
}

func (a *API) listEscalations(ctx context.Context, in *escalationQuery) (*reply[page[escalationView]], error) {
	actor := actorOf(ctx)
	districts, err := within(actor, districtsOf(in.District))
	if err != nil {
		return nil, err
	}
	department, err := ownDepartment(actor, in.Department)
	if err != nil {
		return nil, err
	}
	f := casework.EscalationFilter{
		Case: in.Case, To: in.To, Department: department, Districts: districts, Level: in.Level, Open: in.Open, State: in.State, Page: in.page(),
	}
	if in.Mine {
		f.Mine = actor
	}
	found, next, err := a.store.Escalations(ctx, f)
	if err != nil {
		return nil, err
	}
	views := make([]escalationView, len(found))
	for i, e := range found {
		views[i] = a.viewEscalation(e)
	}
	return answer(page[escalationView]{views, next}, nil)
}

// DeadlineAddress is the part of an address that names a deadline of a case;
// exported like [CaseAddress].
type DeadlineAddress struct {
	CaseAddress
	Deadline string `path:"deadline" maxLength:"80" doc:"时限：任务编号，或 lane（服务时限） the deadline: a task's ID, or lane"`
}

// EscalationAddress is the part of an address that names a rung of a deadline;
// exported like [CaseAddress].
type EscalationAddress struct {
	DeadlineAddress
	Rung string `path:"rung" maxLength:"64" doc:"级别 rung"`
}

// id is the escalation's own ID, which holds a slash and so can't stand in an
// address as it is.
func (in EscalationAddress) id() string {
	deadline := in.Deadline
	if deadline == casework.LaneDeadline {
		deadline = in.Number + "-" + casework.LaneDeadline
	}
	return deadline + "/" + in.Rung
}

// escalationAt gives the escalation of an address. A case knows only what is
// not closed; whether there ever was such an escalation, the records tell.
func (a *API) escalationAt(ctx context.Context, in EscalationAddress) (casework.Escalation, error) {
	e, err := a.store.Escalation(ctx, in.id())
	if err == nil && e.Case != in.Number {
		err = casework.Refuse(casework.NotFound, "escalation_not_found",
			casework.Say("该案件没有这条升级", "the case has no such escalation"))
	}
	return e, err
}

type escalationNote struct {
	EscalationAddress
	Body struct {
		Note string `json:"note,omitempty" doc:"说明 note"`
	}
}

func (a *API) acknowledge(ctx context.Context, in *escalationNote) (*doneReply, error) {
	e, err := a.escalationAt(ctx, in.EscalationAddress)
	if err != nil {
		return nil, err
	}
	return a.do(ctx, in.Number, casework.AcknowledgeEscalation{By: by(ctx), Escalation: e.ID, Note: in.Body.Note})
}

func (a *API) closeEscalation(ctx context.Context, in *escalationNote) (*doneReply, error) {
	e, err := a.escalationAt(ctx, in.EscalationAddress)
	if err != nil {
		return nil, err
	}
	return a.do(ctx, in.Number, casework.CloseEscalation{By: by(ctx), Escalation: e.ID, Note: in.Body.Note})
}

type escalationAnswer struct {
	EscalationAddress
	Body struct {
		Answer casework.AnswerKind `json:"answer" doc:"reassign 改派、extend 延期、dispatch 调度、note 说明"`
		Note   string              `json:"note" doc:"说明：做了什么、为何 what was done, and why"`
		To     string              `json:"to,omitempty" maxLength:"64" doc:"改派：承办人工号 reassign: who takes the task"`
		Extra  string              `json:"extra,omitempty" maxLength:"40" doc:"延期：增加多少，如 1 working_day、4 working_hours extend: the time granted on top"`
	}
}

func (a *API) answerEscalation(ctx context.Context, in *escalationAnswer) (*doneReply, error) {
	e, err := a.escalationAt(ctx, in.EscalationAddress)
	if err != nil {
		return nil, err
	}
	b := in.Body
	act := casework.AnswerEscalation{By: by(ctx), Escalation: e.ID, Answer: b.Answer, Note: b.Note}
	if b.To != "" {
		to, err := a.holder(ctx, b.To, e.Deadline)
		if err != nil {
			return nil, err
		}
		act.To = &to
	}
	if act.Extra, err = extraTime(b.Extra); err != nil {
		return nil, err
	}
	return a.do(ctx, in.Number, act)
}

type extension struct {
	DeadlineAddress
	Body struct {
		Extra  string `json:"extra" maxLength:"40" doc:"增加多少，如 1 working_day、4 working_hours the time granted on top"`
		Reason string `json:"reason" doc:"原因 why"`
	}
}

func (a *API) extend(ctx context.Context, in *extension) (*doneReply, error) {
	extra, err := extraTime(in.Body.Extra)
	if err != nil {
		return nil, err
	}
	return a.do(ctx, in.Number, casework.ExtendDeadline{By: by(ctx), Deadline: in.Deadline, Extra: extra, Reason: in.Body.Reason})
}

// extraTime reads what is granted on top of a limit; what was not said the case
// judges.
func extraTime(text string) (calendar.Budget, error) {
	if text == "" {
		return calendar.Budget{}, nil
	}
	extra, err := calendar.ParseBudget(text)
	var c casework.Check
	c.Require(err == nil, "extra", casework.Say("应为工作日或工作时间，如 1 working_day、4 working_hours",
		"must be working days or working time, such as 1 working_day or 4 working_hours"))
	return extra, c.Err()
}
