package api

import (
	"context"
	"net/http"
	"time"

	"github.com/curbstop/curbstop/casework"
)

// handOverWait is how long an answer waits for the tasks to move: those of one
// person mostly do within it.
const handOverWait = 5 * time.Second

func (a *API) registerHandOvers() {
	handle(a, route{
		id: "hand-over", method: http.MethodPost, path: "/v1/staff/{id}/hand-over", tag: "staff", access: forRoles(dispatchers...),
		summary: casework.Say("一次移交某人全部在办任务；leaving 为离岗，先停用账号（限专班办公室，操作留痕）",
			"hand over all open tasks of a person in one act; with leaving the account is switched off first (taskforce office; audited)"),
	}, a.handOver)
	handle(a, route{
		id: "get-hand-over", method: http.MethodGet, path: "/v1/hand-overs/{id}", tag: "staff",
		access:  forRoles(append([]casework.Role{casework.Auditor}, dispatchers...)...),
		summary: casework.Say("移交进度", "how far a hand-over has come"),
	}, a.getHandOver)
}

// handOverView is a hand-over and what is left of it.
type handOverView struct {
	casework.StaffHandOver
	OpenTasks int `json:"open_tasks" doc:"此人现有在办任务 open tasks that the person holds now"`
}

func (a *API) viewHandOver(ctx context.Context, id string) (handOverView, error) {
	h, err := a.store.StaffHandOver(ctx, id)
	if err != nil {
		return handOverView{}, err
	}
	left, err := a.store.OpenTasksOf(ctx, h.Person)
	return handOverView{h, left}, err
}

func (a *API) getHandOver(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"100" doc:"移交编号 the hand-over's ID"`
}) (*reply[handOverView], error) {
	return answer(a.viewHandOver(ctx, in.ID))
}

type handOverInput struct {
	ID   string `path:"id" maxLength:"64" doc:"工号 staff number"`
	Body struct {
		To      string `json:"to,omitempty" maxLength:"64" doc:"接手人工号；不填或不适合的退回部门 who takes over; left out or unsuited, tasks go back to the department"`
		Reason  string `json:"reason" doc:"原因 why"`
		Leaving bool   `json:"leaving,omitempty" doc:"离岗：先停用账号 the person leaves: switched off first"`
	}
}

type handOverReply struct {
	Status   int
	Location string `header:"Location"`
	Body     handOverView
}

// handOver answers 200 with what was moved, or 202 where it takes longer: what
// is written down is done in any case.
func (a *API) handOver(ctx context.Context, in *handOverInput) (*handOverReply, error) {
	b, actor := in.Body, actorOf(ctx)
	if b.Leaving {
		if err := forRoles(casework.TaskforceOffice).check(actor); err != nil {
			return nil, err
		}
		if in.ID == actor.ID {
			return nil, casework.Refuse(casework.Forbidden, "own_roles", casework.Say("不能停用自己，请由同事操作", "nobody switches themselves off; ask a colleague"))
		}
	}
	person, err := a.store.Staff(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	var to *casework.Staff
	if b.To != "" {
		if to, err = a.named(ctx, "to", b.To); err != nil {
			return nil, err
		}
	}
	h := casework.StaffHandOver{
		ID: in.ID + "-" + callOf(ctx).updateID[:12], Person: in.ID, To: b.To, Reason: b.Reason, Leaving: b.Leaving, By: actor.ID, At: a.now(),
	}
	if err := h.Validate(person, to); err != nil {
		return nil, err
	}
	if to != nil {
		absences, err := a.store.AbsencesOf(ctx, []string{b.To}, h.At, h.At.Add(time.Second))
		if err != nil {
			return nil, err
		}
		if len(absences) > 0 {
			return nil, absences[0].Assigning()
		}
	}
	if err := a.audit(ctx, "work_handed_over", in.ID, map[string]any{"to": b.To, "leaving": b.Leaving}); err != nil {
		return nil, err
	}
	h, _, err = a.store.BeginHandOver(ctx, h)
	if err != nil {
		return nil, err
	}
	a.identities.forget(in.ID)
	if h.DoneAt.IsZero() {
		if err := a.desk.StartHandOver(ctx, h, handOverWait); err != nil {
			callOf(ctx).report(ctx, err) // it is on record, and goes on or is started later
		}
	}
	out := &handOverReply{Status: http.StatusOK, Location: a.link("/v1/hand-overs/%s", h.ID)}
	if out.Body, err = a.viewHandOver(ctx, h.ID); err != nil {
		return nil, err
	}
	if out.Body.DoneAt.IsZero() {
		out.Status = http.StatusAccepted
	}
	return out, nil
}
