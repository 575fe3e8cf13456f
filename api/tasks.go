package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// maxBulk bounds an assignment of many tasks; bulkWorkers is how many of them
// are asked at one time.
const (
	maxBulk     = 200
	bulkWorkers = 8
)

func (a *API) registerTasks() {
	workers := forRoles(taskWorkers...)
	readers := forRoles(append([]casework.Role{casework.Auditor}, taskWorkers...)...)
	handle(a, route{
		id: "list-tasks", method: http.MethodGet, path: "/v1/tasks", tag: "tasks", access: readers,
		summary: casework.Say("任务列表，最急的在前（非督办人员限本部门）", "tasks, the most urgent first; of one's own department unless one supervises"),
	}, a.listTasks)
	handle(a, route{
		id: "my-tasks", method: http.MethodGet, path: "/v1/tasks/mine", tag: "tasks", access: workers,
		summary: casework.Say("我的待办，最急的在前", "the open tasks that I hold, the most urgent first"),
	}, a.myTasks)
	handle(a, route{
		id: "department-tasks", method: http.MethodGet, path: "/v1/tasks/department", tag: "tasks", access: readers,
		summary: casework.Say("部门待办，最急的在前", "the open tasks of my department, the most urgent first"),
	}, a.departmentTasks)
	handle(a, route{
		id: "get-task", method: http.MethodGet, path: "/v1/tasks/{id}", tag: "tasks", access: readers,
		summary: casework.Say("任务详情", "a task"),
	}, a.getTask)
	handle(a, route{
		id: "claim-task", method: http.MethodPost, path: "/v1/tasks/{id}/claim", tag: "tasks", access: workers, versioned: true,
		summary: casework.Say("领取本部门任务", "take a task of one's own department"),
	}, a.claimTask)
	handle(a, route{
		id: "release-task", method: http.MethodPost, path: "/v1/tasks/{id}/release", tag: "tasks", access: workers, versioned: true,
		summary: casework.Say("退回部门", "give a task back to the department"),
	}, a.releaseTask)
	handle(a, route{
		id: "assign-task", method: http.MethodPost, path: "/v1/tasks/{id}/assign", tag: "tasks", access: forRoles(dispatchers...), versioned: true,
		summary: casework.Say("派单", "give a task to a member of staff"),
	}, a.assignTask)
	handle(a, route{
		id: "delegate-task", method: http.MethodPost, path: "/v1/tasks/{id}/delegate", tag: "tasks", access: workers, versioned: true,
		summary: casework.Say("转交同事", "pass one's own task to a colleague"),
	}, a.delegateTask)
	handle(a, route{
		id: "complete-task", method: http.MethodPost, path: "/v1/tasks/{id}/complete", tag: "tasks", access: workers, versioned: true,
		summary: casework.Say("办结任务；填报项见 GET /v1/task-kinds/{kind}", "complete a task; for its input see GET /v1/task-kinds/{kind}"),
	}, a.completeTask)
	handle(a, route{
		id: "bulk-assign", method: http.MethodPost, path: "/v1/tasks/bulk-assign", tag: "tasks", access: forRoles(dispatchers...),
		summary: casework.Say("批量派单，逐项给出结果", "give many tasks to one member of staff, with an outcome for each"),
	}, a.bulkAssign)
}

// taskView is a task with what a work list shows beside it.
type taskView struct {
	casework.Task
	Title        string            `json:"title" doc:"任务名称 the task's name"`
	HolderName   string            `json:"holder" doc:"承办人或部门 who holds it"`
	District     casework.District `json:"district"`
	DistrictName string            `json:"district_name"`
	Applicant    string            `json:"applicant"`
	Address      string            `json:"address"`
	DueAt        time.Time         `json:"due_at,omitzero" doc:"时限 due; absent while the clock stands"`
	Stopped      bool              `json:"stopped,omitempty" doc:"计时暂停 the clock stands"`
	// UrgentAt orders the lists; UrgentBy says which limit it is.
	UrgentAt time.Time          `json:"urgent_at,omitzero" doc:"最急时限：本任务时限与所卡服务时限中较早者，列表据此排序；停表时没有 the earlier of its own limit and, where supply-on waits for it, the lane's: lists are sorted by it; absent while the clocks stand"`
	UrgentBy casework.LimitName `json:"urgent_by,omitempty" doc:"最急时限出自哪一项 the limit that urgent_at is of"`
	// RemainingMinutes is of working time, and there only while the clock stands.
	RemainingMinutes int64 `json:"remaining_minutes,omitempty" doc:"暂停时剩余的工作分钟 working minutes left while the clock stands"`
	Provisional      bool  `json:"provisional,omitempty" doc:"暂定：所在年份放假安排未公布 provisional: due in a year without a holiday notice"`
	Overdue          bool  `json:"overdue"`
	// Checklist is shown with one task, not in lists.
	Checklist []string `json:"checklist,omitempty" doc:"办结前逐项核对，随 checked 提交 what to confirm item by item before the task is done"`
}

func viewTask(l casework.TaskLine) taskView {
	l.Input = maskLearnt(l.Input)
	return taskView{
		Task: l.Task, Title: l.Title(), HolderName: l.Holder(), District: l.District, DistrictName: l.District.Name(),
		Applicant: l.Applicant, Address: l.Address, DueAt: l.DueAt, Stopped: l.Stopped,
		RemainingMinutes: minutes(l.Remaining), Provisional: l.Provisional, Overdue: l.Overdue, UrgentAt: l.UrgentAt, UrgentBy: l.UrgentBy,
	}
}

// viewTaskOf shows a task of a case that was read whole.
func viewTaskOf(k *casework.Case, t *casework.Task, now time.Time) taskView {
	r := maskRequest(k.Request)
	line := casework.TaskLine{Task: *t, District: r.Site.District, Applicant: r.Applicant.Name, Address: r.Site.Address}
	if d := k.TaskDeadline(t.ID); d != nil {
		line.DueAt, line.Remaining, line.Stopped, line.Provisional = d.Due.At, d.Due.Remaining, d.Due.Stopped, d.Due.Provisional
		line.Overdue = d.Overdue(now)
	}
	urgency := k.Urgency(t)
	line.UrgentAt, line.UrgentBy = urgency.At, urgency.Limit
	v := viewTask(line)
	v.Checklist = k.Checklist(t.Kind)
	return v
}

type taskQuery struct {
	Assignee   string              `query:"assignee" maxLength:"64" doc:"承办人工号 holder"`
	Unassigned bool                `query:"unassigned" doc:"无人承办 held by nobody"`
	Department casework.Department `query:"department"`
	District   []string            `query:"district" maxItems:"20" doc:"区县代码，逗号分隔 district codes, separated by commas"`
	Kind       casework.TaskKind   `query:"kind"`
	Stage      casework.Stage      `query:"stage"`
	State      casework.TaskState  `query:"state" default:"open"`
	Case       string              `query:"case" maxLength:"64" doc:"案件编号 case number"`
	Overdue    bool                `query:"overdue"`
	DueBefore  string              `query:"due_before" format:"date" doc:"时限早于此日 due before this day"`
	Paging
}

func (a *API) listTasks(ctx context.Context, in *taskQuery) (*reply[page[taskView]], error) {
	actor := actorOf(ctx)
	districts, err := within(actor, districtsOf(in.District))
	if err != nil {
		return nil, err
	}
	department, err := ownDepartment(actor, in.Department)
	if err != nil {
		return nil, err
	}
	f := casework.TaskFilter{
		Assignee: in.Assignee, Unassigned: in.Unassigned, Department: department, Districts: districts, Kind: in.Kind,
		Stage: in.Stage, State: in.State, Case: in.Case, Overdue: in.Overdue, Page: in.page(),
	}
	if d, err := calendar.ParseDate(in.DueBefore); err == nil {
		f.DueBefore = d.At(0)
	}
	return a.tasks(ctx, f)
}

func (a *API) myTasks(ctx context.Context, in *Paging) (*reply[page[taskView]], error) {
	return a.tasks(ctx, casework.TaskFilter{Assignee: actorOf(ctx).ID, State: casework.TaskOpen, Page: in.page()})
}

type departmentQuery struct {
	Unassigned bool `query:"unassigned" doc:"无人承办 held by nobody"`
	Paging
}

// departmentTasks shows those who supervise, and so belong to no one
// department's work, the tasks of every department.
func (a *API) departmentTasks(ctx context.Context, in *departmentQuery) (*reply[page[taskView]], error) {
	actor := actorOf(ctx)
	districts, err := within(actor, nil)
	if err != nil {
		return nil, err
	}
	department, err := ownDepartment(actor, "")
	if err != nil {
		return nil, err
	}
	return a.tasks(ctx, casework.TaskFilter{
		Department: department, Districts: districts, Unassigned: in.Unassigned, State: casework.TaskOpen, Page: in.page(),
	})
}

func (a *API) tasks(ctx context.Context, f casework.TaskFilter) (*reply[page[taskView]], error) {
	lines, next, err := a.store.Tasks(ctx, f)
	if err != nil {
		return nil, err
	}
	views := make([]taskView, len(lines))
	for i, l := range lines {
		views[i] = viewTask(l)
	}
	return answer(page[taskView]{views, next}, nil)
}

// TaskAddress is the part of an address that names a task; exported like
// [CaseAddress].
type TaskAddress struct {
	ID string `path:"id" maxLength:"80" doc:"任务编号 task ID"`
}

// number is the case that a task belongs to.
func (t TaskAddress) number() (string, error) {
	if number, ok := casework.CaseOfTask(t.ID); ok {
		return number, nil
	}
	return "", casework.Refuse(casework.NotFound, "task_not_found",
		casework.Say("没有这项任务，请核对编号", "there is no such task; check the ID"))
}

// getTask shows a task to its department, and to those who read cases.
func (a *API) getTask(ctx context.Context, in *TaskAddress) (*reply[taskView], error) {
	line, err := a.store.Task(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	actor := actorOf(ctx)
	if err := covers(actor, line.District); err != nil {
		return nil, err
	}
	if !actor.Has(caseReaders...) {
		if _, err := ownDepartment(actor, line.Department); err != nil {
			return nil, err
		}
	}
	v := viewTask(line)
	if line.State == casework.TaskOpen {
		k, err := a.store.Case(ctx, line.Case)
		if err != nil {
			return nil, err
		}
		v.Checklist = k.Checklist(line.Kind)
	}
	return answer(v, nil)
}

// doTask hands an action on a task to its case's workflow.
func (a *API) doTask(ctx context.Context, t TaskAddress, act casework.Action) (*doneReply, error) {
	number, err := t.number()
	if err != nil {
		return nil, err
	}
	return a.do(ctx, number, act)
}

func (a *API) claimTask(ctx context.Context, in *TaskAddress) (*doneReply, error) {
	return a.doTask(ctx, *in, casework.ClaimTask{By: by(ctx), Task: in.ID})
}

type releaseInput struct {
	TaskAddress
	Body struct {
		Reason string `json:"reason,omitempty" doc:"原因 why"`
	}
}

func (a *API) releaseTask(ctx context.Context, in *releaseInput) (*doneReply, error) {
	return a.doTask(ctx, in.TaskAddress, casework.ReleaseTask{By: by(ctx), Task: in.ID, Reason: in.Body.Reason})
}

type handing struct {
	TaskAddress
	Body struct {
		To     string `json:"to" required:"true" minLength:"1" maxLength:"64" doc:"承办人工号 staff number"`
		Reason string `json:"reason,omitempty" doc:"原因 why"`
	}
}

func (a *API) assignTask(ctx context.Context, in *handing) (*doneReply, error) {
	to, err := a.holder(ctx, in.Body.To, in.ID)
	if err != nil {
		return nil, err
	}
	return a.doTask(ctx, in.TaskAddress, casework.AssignTask{By: by(ctx), Task: in.ID, To: to, Reason: in.Body.Reason})
}

func (a *API) delegateTask(ctx context.Context, in *handing) (*doneReply, error) {
	to, err := a.holder(ctx, in.Body.To, in.ID)
	if err != nil {
		return nil, err
	}
	return a.doTask(ctx, in.TaskAddress, casework.DelegateTask{By: by(ctx), Task: in.ID, To: to, Reason: in.Body.Reason})
}

// holder gives the person who is to hold a task, and refuses one who is absent,
// or will be before it is due.
func (a *API) holder(ctx context.Context, id, task string) (casework.Actor, error) {
	to, err := a.colleague(ctx, id)
	if err != nil {
		return casework.Actor{}, err
	}
	return to, a.there(ctx, id, task)
}

// colleague gives the person who is to hold a task; whether they suit it is
// judged by the case; whether they are there, by [API.there].
func (a *API) colleague(ctx context.Context, id string) (casework.Actor, error) {
	staff, err := a.store.Staff(ctx, id)
	if err != nil && casework.AsFault(err).Kind != casework.NotFound {
		return casework.Actor{}, err
	}
	var c casework.Check
	c.Require(err == nil, "to", casework.Say("没有这个工号", "there is no such staff number"))
	c.Require(err != nil || staff.Active, "to", casework.Say("此人已停用", "this member of staff is not active"))
	return staff.Actor(), c.Err()
}

type completion struct {
	TaskAddress
	Body struct {
		Kind  casework.TaskKind `json:"kind,omitempty" doc:"所办任务的类别，用于核对 the kind that you believe the task to be"`
		Input json.RawMessage   `json:"input,omitempty" doc:"填报内容，见 GET /v1/task-kinds/{kind} what the kind asks for"`

		Checked []string `json:"checked,omitempty" maxItems:"30" doc:"已核对的清单项，见任务详情的 checklist items of the task's checklist that were confirmed"`
	}
}

func (a *API) completeTask(ctx context.Context, in *completion) (*doneReply, error) {
	if err := a.witnessed(ctx, in.Body.Input); err != nil {
		return nil, err
	}
	proposed, err := a.assessed(ctx, in.ID, in.Body.Input)
	if err != nil {
		return nil, err
	}
	return a.doTask(ctx, in.TaskAddress, casework.CompleteTask{
		By: by(ctx), Task: in.ID, Kind: in.Body.Kind, Input: in.Body.Input, Checked: in.Body.Checked, Proposal: proposed,
	})
}

// witnessed refuses a second pair of eyes that belongs to nobody here: the case
// judges who may not accept alone, only the staff table knows who there is.
func (a *API) witnessed(ctx context.Context, input json.RawMessage) error {
	var in struct {
		Witness string `json:"witness"`
	}
	_ = json.Unmarshal(input, &in) // what can't be read at all is refused by the case, field by field
	if in.Witness == "" {
		return nil
	}
	staff, err := a.store.Staff(ctx, in.Witness)
	if err != nil && casework.AsFault(err).Kind != casework.NotFound {
		return err
	}
	var c casework.Check
	c.Require(err == nil && staff.Active, "witness", casework.Say("没有这个在岗工号", "there is no active member of staff with this number"))
	return c.Err()
}

type bulkInput struct {
	Body struct {
		Tasks  []string `json:"tasks" required:"true" minItems:"1" maxItems:"200" uniqueItems:"true" doc:"任务编号 task IDs"`
		To     string   `json:"to" required:"true" minLength:"1" maxLength:"64" doc:"承办人工号 staff number"`
		Reason string   `json:"reason,omitempty" doc:"原因 why"`
	}
}

type bulkOutcome struct {
	Task    string         `json:"task"`
	Done    *contract.Done `json:"done,omitempty"`
	Problem *Problem       `json:"problem,omitempty"`
}

type bulkReply struct {
	Status int
	Body   struct {
		Items    []bulkOutcome `json:"items"`
		Assigned int           `json:"assigned"`
		Refused  int           `json:"refused"`
	}
}

// bulkAssign answers 207 where some of the tasks were refused. Each has a key
// of its own, so that sending the same again assigns what is left.
func (a *API) bulkAssign(ctx context.Context, in *bulkInput) (*bulkReply, error) {
	to, err := a.colleague(ctx, in.Body.To)
	if err != nil {
		return nil, err
	}
	out := &bulkReply{Status: http.StatusOK}
	out.Body.Items = make([]bulkOutcome, len(in.Body.Tasks))
	var group errgroup.Group
	group.SetLimit(bulkWorkers)
	for i, id := range in.Body.Tasks {
		group.Go(func() error {
			item := bulkOutcome{Task: id}
			if done, err := a.assignOne(ctx, id, to, in.Body.Reason); err != nil {
				item.Problem = problemOf(ctx, err)
			} else {
				item.Done = &done
			}
			out.Body.Items[i] = item
			return nil
		})
	}
	_ = group.Wait() // each outcome holds its own error
	for _, item := range out.Body.Items {
		if item.Problem == nil {
			out.Body.Assigned++
		} else {
			out.Body.Refused++
			out.Status = http.StatusMultiStatus
		}
	}
	return out, nil
}

func (a *API) assignOne(ctx context.Context, id string, to casework.Actor, reason string) (contract.Done, error) {
	number, err := TaskAddress{ID: id}.number()
	if err != nil {
		return contract.Done{}, err
	}
	if err := a.there(ctx, to.ID, id); err != nil {
		return contract.Done{}, err
	}
	act := casework.AssignTask{By: by(ctx), Task: id, To: to, Reason: reason}
	return a.desk.Do(ctx, number, act, digest(callOf(ctx).updateID, id))
}
