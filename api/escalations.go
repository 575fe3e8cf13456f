package api

import (
	"context"
	"net/http"

	"github.com/curbstop/curbstop/casework"
)

func (a *API) registerEscalations() {
	access := forRoles(append([]casework.Role{casework.Auditor}, taskWorkers...)...)
	handle(a, route{
		id: "list-escalations", method: http.MethodGet, path: "/v1/escalations", tag: "escalations", access: access,
		summary: casework.Say("升级记录（非督办人员限本部门）", "rungs that fired; of one's own department unless one supervises"),
	}, a.listEscalations)
	handle(a, route{
		id: "acknowledge-escalation", method: http.MethodPost, tag: "escalations",
		path:    "/v1/cases/{number}/escalations/{deadline}/{rung}/acknowledge",
		access:  forRoles(taskWorkers...),
		summary: casework.Say("签收升级", "say that somebody acts on a rung"),
	}, a.acknowledge)
}

// escalationView is a rung with the address at which it is acknowledged.
type escalationView struct {
	casework.Escalation
	RungName        string `json:"rung_name"`
	LimitTitle      string `json:"limit_name" doc:"时限名称 what the limit is for"`
	AcknowledgePath string `json:"acknowledge_path,omitempty" doc:"签收地址（POST） where it is acknowledged"`
}

func (a *API) viewEscalation(e casework.Escalation) escalationView {
	v := escalationView{Escalation: e, RungName: e.Rung.Name(), LimitTitle: limitTitle(e.Limit)}
	if e.AcknowledgedAt.IsZero() {
		v.AcknowledgePath = a.link("/v1/cases/%s/escalations/%s/%s/acknowledge", e.Case, e.Deadline, e.Rung)
	}
	return v
}

func limitTitle(l casework.LimitName) string {
	kind := casework.TaskKind(l)
	if kind.Valid() {
		return kind.Name()
	}
	return "服务时限"
}

type escalationQuery struct {
	Case       string              `query:"case" maxLength:"64" doc:"案件编号 case number"`
	To         casework.Role       `query:"to" doc:"通知对象 who was told"`
	Department casework.Department `query:"department"`
	District   []string            `query:"district" maxItems:"20" doc:"区县代码，逗号分隔 district codes, separated by commas"`
	Level      int                 `query:"level" minimum:"0" maximum:"3" doc:"级别不低于 level at least"`
	Open       bool                `query:"open" doc:"待签收 not acknowledged yet"`
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
	found, next, err := a.store.Escalations(ctx, casework.EscalationFilter{
		Case: in.Case, To: in.To, Department: department, Districts: districts, Level: in.Level, Open: in.Open, Page: in.page(),
	})
	if err != nil {
		return nil, err
	}
	views := make([]escalationView, len(found))
	for i, e := range found {
		views[i] = a.viewEscalation(e)
	}
	return answer(page[escalationView]{views, next}, nil)
}

type acknowledgement struct {
	CaseAddress
	Deadline string `path:"deadline" maxLength:"80" doc:"时限：任务编号，或 lane（服务时限） the deadline: a task's ID, or lane"`
	Rung     string `path:"rung" maxLength:"64" doc:"级别 rung"`
	Body     struct {
		Note string `json:"note,omitempty" doc:"说明 note"`
	}
}

// id is the escalation's own ID, which holds a slash and so can't stand in an
// address as it is.
func (in acknowledgement) id() string {
	deadline := in.Deadline
	if deadline == casework.LaneDeadline {
		deadline = in.Number + "-" + casework.LaneDeadline
	}
	return deadline + "/" + in.Rung
}

func (a *API) acknowledge(ctx context.Context, in *acknowledgement) (*doneReply, error) {
	// A case knows only what still waits; whether there ever was such an
	// escalation, the records tell.
	e, err := a.store.Escalation(ctx, in.id())
	if err != nil {
		return nil, err
	}
	if e.Case != in.Number {
		return nil, casework.Refuse(casework.NotFound, "escalation_not_found",
			casework.Say("该案件没有这条升级", "the case has no such escalation"))
	}
	return a.do(ctx, in.Number, casework.AcknowledgeEscalation{By: by(ctx), Escalation: e.ID, Note: in.Body.Note})
}
