package api

import (
	"context"
	"net/http"
	"time"

	"github.com/curbstop/curbstop/casework"
)

func (a *API) registerAbsences() {
	workers := forRoles(taskWorkers...)
	readers := forRoles(append([]casework.Role{casework.Auditor}, taskWorkers...)...)
	handle(a, route{
		id: "list-absences", method: http.MethodGet, path: "/v1/absences", tag: "staff", access: readers,
		summary: casework.Say("缺勤记录，最近的在前（非督办人员限本人及本人代理的）", "absences, the latest first; one's own and those one stands in for, unless one supervises"),
	}, a.listAbsences)
	handle(a, route{
		id: "enter-absence", method: http.MethodPost, path: "/v1/absences", tag: "staff", access: workers, status: http.StatusCreated,
		summary: casework.Say("登记缺勤：本人，或由调度人员代为登记；到时在办任务移交代理人或退回部门",
			"enter an absence, one's own or as a dispatcher another's; when it begins, open tasks go to the deputy or back to the department"),
	}, a.enterAbsence)
	handle(a, route{
		id: "get-absence", method: http.MethodGet, path: "/v1/absences/{id}", tag: "staff", access: readers,
		summary: casework.Say("缺勤详情", "an absence"),
	}, a.getAbsence)
	handle(a, route{
		id: "end-absence", method: http.MethodPost, path: "/v1/absences/{id}/end", tag: "staff", access: workers,
		summary: casework.Say("提前结束缺勤，或取消未开始的缺勤；已移交的任务不退回", "end an absence early, or cancel one that has not begun; what was handed over stays there"),
	}, a.endAbsence)
}

// absenceView is an absence as somebody sees it who may.
type absenceView struct {
	casework.Absence
	State casework.AbsenceState `json:"state"`
}

// viewAbsence leaves the reason to the person and to those who supervise.
func (a *API) viewAbsence(ctx context.Context, absence casework.Absence) absenceView {
	if actor := actorOf(ctx); actor.ID != absence.Person && !actor.SeesAll() {
		absence.Reason = ""
	}
	return absenceView{absence, absence.State(a.now())}
}

type absenceQuery struct {
	Person string                `query:"person" maxLength:"64" doc:"工号 staff number"`
	State  casework.AbsenceState `query:"state"`
	Paging
}

func (a *API) listAbsences(ctx context.Context, in *absenceQuery) (*reply[page[absenceView]], error) {
	f := casework.AbsenceFilter{Person: in.Person, State: in.State, Page: in.page()}
	if actor := actorOf(ctx); !actor.SeesAll() {
		f.Involving = actor.ID
	}
	list, next, err := a.store.Absences(ctx, f)
	if err != nil {
		return nil, err
	}
	views := make([]absenceView, len(list))
	for i, absence := range list {
		views[i] = a.viewAbsence(ctx, absence)
	}
	return answer(page[absenceView]{views, next}, nil)
}

// AbsenceAddress is the part of an address that names an absence; exported
// like [CaseAddress].
type AbsenceAddress struct {
	ID string `path:"id" maxLength:"100" doc:"缺勤编号 the absence's ID"`
}

// absence gives an absence to those who may see it; to others there is none.
func (a *API) absence(ctx context.Context, id string) (casework.Absence, error) {
	absence, err := a.store.Absence(ctx, id)
	if actor := actorOf(ctx); err == nil && !actor.SeesAll() && actor.ID != absence.Person && actor.ID != absence.Deputy {
		return absence, casework.Refuse(casework.NotFound, "absence_not_found", casework.Say("没有这条缺勤记录", "there is no such absence"))
	}
	return absence, err
}

func (a *API) getAbsence(ctx context.Context, in *AbsenceAddress) (*reply[absenceView], error) {
	absence, err := a.absence(ctx, in.ID)
	return answer(a.viewAbsence(ctx, absence), err)
}

type absenceInput struct {
	Body struct {
		Person string    `json:"person,omitempty" maxLength:"64" doc:"工号；不填为本人 staff number; yourself if left out"`
		Deputy string    `json:"deputy,omitempty" maxLength:"64" doc:"代理人工号；不填则退回部门 who stands in; left out, tasks go back to the department"`
		From   time.Time `json:"from,omitzero" doc:"开始；不填为现在 when it begins; now if left out"`
		To     time.Time `json:"to" doc:"结束 when it ends"`
		Reason string    `json:"reason" doc:"原因，仅本人与督办人员可见 why; seen by the person and those who supervise"`
	}
}

type absenceReply struct {
	Status   int
	Location string `header:"Location"`
	Body     absenceView
}

// enterAbsence writes the absence down first: where its workflow can't be
// started for now, it is started later.
func (a *API) enterAbsence(ctx context.Context, in *absenceInput) (*absenceReply, error) {
	b, actor, now := in.Body, actorOf(ctx), a.now()
	absence := casework.Absence{Person: nonZero(b.Person, actor.ID), Deputy: b.Deputy, From: nonZero(b.From, now), To: b.To, Reason: b.Reason, By: actor.ID, At: now}
	if err := ownAbsence(actor, absence.Person); err != nil {
		return nil, err
	}
	absence.ID = absence.Person + "-" + callOf(ctx).updateID[:12]
	person, err := a.named(ctx, "person", absence.Person)
	if err != nil {
		return nil, err
	}
	var deputy *casework.Staff
	if absence.Deputy != "" {
		if deputy, err = a.named(ctx, "deputy", absence.Deputy); err != nil {
			return nil, err
		}
	}
	if err := absence.Validate(*person, deputy, now); err != nil {
		return nil, err
	}
	absence, created, err := a.store.AddAbsence(ctx, absence)
	if err != nil {
		return nil, err
	}
	if err := a.desk.StartAbsence(ctx, absence); err != nil {
		callOf(ctx).report(ctx, err) // it is on record, and started later
	}
	out := &absenceReply{Status: http.StatusCreated, Location: a.link("/v1/absences/%s", absence.ID), Body: a.viewAbsence(ctx, absence)}
	if !created {
		out.Status = http.StatusOK
	}
	return out, nil
}

// ownAbsence lets people speak for themselves, and dispatchers for others.
func ownAbsence(actor casework.Actor, person string) error {
	if actor.ID == person || actor.Dispatches() {
		return nil
	}
	return casework.Refuse(casework.Forbidden, "not_yours", casework.Say("只能办理本人的缺勤；他人的由调度人员办理",
		"only your own absence; a dispatcher enters and ends those of others"))
}

// named gives a member of staff whom a field names.
func (a *API) named(ctx context.Context, field, id string) (*casework.Staff, error) {
	staff, err := a.store.Staff(ctx, id)
	if err != nil && casework.AsFault(err).Kind != casework.NotFound {
		return nil, err
	}
	var c casework.Check
	c.Require(err == nil, field, casework.Say("没有这个工号", "there is no such staff number"))
	return &staff, c.Err()
}

func (a *API) endAbsence(ctx context.Context, in *AbsenceAddress) (*reply[absenceView], error) {
	absence, err := a.absence(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	actor := actorOf(ctx)
	if err := ownAbsence(actor, absence.Person); err != nil {
		return nil, err
	}
	if absence, err = a.store.EndAbsence(ctx, in.ID, actor.ID, a.now()); err != nil {
		return nil, err
	}
	if err := a.desk.LookAgain(ctx, absence); err != nil {
		callOf(ctx).report(ctx, err) // the workflow reads the record when it looks next
	}
	return answer(a.viewAbsence(ctx, absence), nil)
}

// there refuses to give a task to a person who is absent, or will be before
// the task is due. Every way of giving a task to somebody asks here.
func (a *API) there(ctx context.Context, person, task string) error {
	from := a.now()
	to := from.Add(time.Second)
	line, err := a.store.Task(ctx, task)
	switch {
	case err != nil && casework.AsFault(err).Kind != casework.NotFound:
		return err
	case err == nil && line.DueAt.After(to):
		to = line.DueAt
	}
	absences, err := a.store.AbsencesOf(ctx, []string{person}, from, to)
	if err != nil || len(absences) == 0 {
		return err
	}
	return absences[0].Assigning()
}
