package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

func (a *API) registerCases() {
	read := forRoles(caseReaders...)
	handle(a, route{
		id: "list-cases", method: http.MethodGet, path: "/v1/cases", tag: "cases", access: read,
		summary: casework.Say("案件列表（限本人服务区域）", "cases, of one's own districts"),
	}, a.listCases)
	handle(a, route{
		id: "get-case", method: http.MethodGet, path: "/v1/cases/{number}", tag: "cases", access: read,
		summary: casework.Say("案件详情；联系人已脱敏", "a case in full; the contact is masked"),
	}, a.getCase)
	handle(a, route{
		id: "get-contact", method: http.MethodGet, path: "/v1/cases/{number}/contact", tag: "cases",
		access:  forRoles(contactReaders...),
		summary: casework.Say("联系人与电话（每次查看留痕）", "the contact, unmasked; each look is audited"),
	}, a.getContact)
	handle(a, route{
		id: "print-case", method: http.MethodGet, path: "/v1/cases/{number}/printout", tag: "cases",
		access:    forRoles(contactReaders...),
		summary:   casework.Say("打印整案（A4，含联系人，查看留痕）", "the whole case on paper, contact included; audited"),
		responses: pageResponse(),
	}, a.printCase)
	handle(a, route{
		id: "case-timeline", method: http.MethodGet, path: "/v1/cases/{number}/timeline", tag: "cases", access: read,
		summary: casework.Say("办理过程", "what happened to a case"),
	}, a.timeline)
	handle(a, route{
		id: "case-touchpoints", method: http.MethodGet, path: "/v1/cases/{number}/touchpoints", tag: "cases", access: read,
		summary: casework.Say("与客户的接触及七零得分", "contacts with the customer, and the seven zeros"),
	}, a.touchpoints)
	handle(a, route{
		id: "case-deadlines", method: http.MethodGet, path: "/v1/cases/{number}/deadlines", tag: "cases", access: read,
		summary: casework.Say("全部时限，含已完成的和督办时限", "all deadlines, those that ended and the supervisors' own too"),
	}, a.deadlines)

	handle(a, route{
		id: "amend-case", method: http.MethodPatch, path: "/v1/cases/{number}", tag: "cases", versioned: true,
		access:  forRoles(casework.Taskforce, casework.TaskforceOffice, casework.ServiceHall, casework.Hotline),
		summary: casework.Say("更正申请内容；未填的项不变", "correct the request; what is left out stays"),
	}, a.amend)
	handle(a, route{
		id: "withdraw-case", method: http.MethodPost, path: "/v1/cases/{number}/withdraw", tag: "cases", versioned: true,
		access:  forRoles(casework.Taskforce, casework.TaskforceOffice, casework.ServiceHall, casework.Hotline),
		summary: casework.Say("按客户意愿撤回（通水前）", "withdraw at the customer's wish, before supply-on"),
	}, a.withdraw)
	pausers := forRoles(casework.Taskforce, casework.TaskforceOffice, casework.TaskforceLead)
	handle(a, route{
		id: "pause-case", method: http.MethodPost, path: "/v1/cases/{number}/pause", tag: "cases", versioned: true,
		access: pausers, summary: casework.Say("暂停计时，须有原因、佐证和计划结束时间", "stop the clock, with reason, evidence and planned end"),
	}, a.pause)
	handle(a, route{
		id: "resume-case", method: http.MethodPost, path: "/v1/cases/{number}/resume", tag: "cases", versioned: true,
		access: pausers, summary: casework.Say("恢复计时；可只恢复一种原因的暂停", "let the clock go on; for one reason, or for all"),
	}, a.resume)
	handle(a, route{
		id: "propose-charge", method: http.MethodPost, path: "/v1/cases/{number}/charges", tag: "cases", versioned: true,
		access:  forRoles(casework.Taskforce, casework.Engineering, casework.ServiceHall),
		summary: casework.Say("登记收费；计量装置及红线外收费一律拒绝", "record a charge; none for the meter or outside the property line"),
	}, a.charge)
}

// CaseAddress is the part of an address that names a case. It is exported, like
// [TaskAddress] and [Paging], only because huma looks for parameters in
// embedded types that are.
type CaseAddress struct {
	Number string `path:"number" maxLength:"64" doc:"案件编号 case number"`
}

type caseQuery struct {
	Kind       casework.CaseKind   `query:"kind"`
	Status     casework.Status     `query:"status"`
	Stage      casework.Stage      `query:"stage"`
	Lane       casework.Lane       `query:"lane"`
	Channel    casework.Channel    `query:"channel"`
	District   []string            `query:"district" maxItems:"20" doc:"区县代码，逗号分隔 district codes, separated by commas"`
	Department casework.Department `query:"department" doc:"当前办理部门 department in charge"`
	Assignee   string              `query:"assignee" maxLength:"64" doc:"承办人工号 who holds one of its open tasks"`
	Overdue    bool                `query:"overdue" doc:"已超时 a live deadline has passed"`
	Level      int                 `query:"level" minimum:"0" maximum:"3" doc:"升级级别不低于 escalation level at least"`
	Lead       string              `query:"lead" enum:"true,false" doc:"仅意向，或仅非意向 leads only, or none"`
	Policy     string              `query:"policy_version" maxLength:"40" doc:"适用的政策版本 version of the policy"`
	Text       string              `query:"text" maxLength:"100" doc:"编号、单位或地址的一部分，或完整手机号 part of number, applicant or address; or a whole phone number"`
	From       string              `query:"received_from" format:"date" doc:"收件日期自 received on or after"`
	To         string              `query:"received_to" format:"date" doc:"收件日期至（含） received on or before"`
	Paging
}

// filter puts a query in the words of casework. Dates are whole days.
func (q caseQuery) filter(actor casework.Actor) (casework.CaseFilter, error) {
	districts, err := within(actor, districtsOf(q.District))
	if err != nil {
		return casework.CaseFilter{}, err
	}
	f := casework.CaseFilter{
		Kind: q.Kind, Status: q.Status, Stage: q.Stage, Lane: q.Lane, Channel: q.Channel, Districts: districts,
		Department: q.Department, Assignee: q.Assignee, Overdue: q.Overdue, Level: q.Level, Text: q.Text, Policy: q.Policy, Page: q.page(),
	}
	if q.Lead != "" {
		lead := q.Lead == "true"
		f.Lead = &lead
	}
	// huma has judged the form of both dates.
	if d, err := calendar.ParseDate(q.From); err == nil {
		f.From = d.At(0)
	}
	if d, err := calendar.ParseDate(q.To); err == nil {
		f.To = d.AddDays(1).At(0)
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		var c casework.Check
		c.Field("received_to", casework.Say("结束日期早于开始日期", "ends before it begins"))
		return f, c.Err()
	}
	return f, nil
}

func districtsOf(codes []string) []casework.District {
	var ds []casework.District
	for _, code := range codes {
		ds = append(ds, casework.District(code))
	}
	return ds
}

// caseLineView is a case as lists show it. While all its clocks stand it has no
// due moment, and the time that is left instead.
type caseLineView struct {
	casework.CaseLine
	RemainingMinutes int64 `json:"remaining_minutes,omitempty" doc:"暂停时剩余的工作分钟 working minutes left while the clock stands"`
}

func (a *API) listCases(ctx context.Context, in *caseQuery) (*reply[page[caseLineView]], error) {
	f, err := in.filter(actorOf(ctx))
	if err != nil {
		return nil, err
	}
	lines, next, err := a.store.Cases(ctx, f)
	if err != nil {
		return nil, err
	}
	views := make([]caseLineView, len(lines))
	for i, l := range lines {
		views[i] = caseLineView{l, minutes(l.Remaining)}
	}
	return answer(page[caseLineView]{views, next}, nil)
}

func minutes(d time.Duration) int64 { return int64(d / time.Minute) }

// readable gives a case that the caller may see.
func (a *API) readable(ctx context.Context, number string) (*casework.Case, error) {
	k, err := a.store.Case(ctx, number)
	if err != nil {
		return nil, err
	}
	return k, covers(actorOf(ctx), k.Request.Site.District)
}

// caseView is a case as staff see it.
type caseView struct {
	Number     string            `json:"number"`
	Version    int64             `json:"version" doc:"版本号，用于 If-Match for If-Match"`
	Kind       casework.CaseKind `json:"kind"`
	Lead       bool              `json:"lead,omitempty" doc:"意向，尚未申请 a lead: nobody applied yet"`
	ToApply    []string          `json:"missing_for_application,omitempty" doc:"申请时还须填写 what an application must still say"`
	Parent     string            `json:"parent,omitempty" doc:"所属报装案件 the connection that an upgrade serves"`
	Joint      *jointView        `json:"joint,omitempty" doc:"一网通办 the joint request that it belongs to"`
	Passes     []casework.Pass   `json:"passes" doc:"内部转办 how it was passed on inside"`
	PassedFrom string            `json:"passed_from,omitempty" doc:"由哪个案件转入 the case that it goes on from"`
	Lane       casework.Lane     `json:"lane,omitempty"`
	Status     casework.Status   `json:"status"`
	StatusName string            `json:"status_name"`
	Stage      casework.Stage    `json:"stage"`
	StageName  string            `json:"stage_name"`
	District   string            `json:"district_name"`
	ReceivedAt time.Time         `json:"received_at"`
	ReceivedBy string            `json:"received_by"`
	EndedAt    time.Time         `json:"ended_at,omitzero"`
	Level      int               `json:"level"`
	Policy     string            `json:"policy_version"`

	DueAt            time.Time `json:"due_at,omitzero" doc:"最早到期的时限；全部停表时没有 the limit that is due first; absent while all clocks stand"`
	Stopped          bool      `json:"stopped,omitempty" doc:"全部停表 all clocks stand"`
	RemainingMinutes int64     `json:"remaining_minutes,omitempty" doc:"停表时剩余的工作分钟 working minutes left while they stand"`
	Provisional      bool      `json:"provisional,omitempty" doc:"暂定：所在年份放假安排未公布 due in a year without a holiday notice"`

	Clock *clockView `json:"clock,omitempty" doc:"谁占用时间 who holds the clock"`

	Request     casework.Request         `json:"request" doc:"联系人已脱敏 the contact is masked"`
	Service     *casework.ServiceRequest `json:"service,omitempty" doc:"过户、销户或12345工单的申请，已脱敏 what was asked for where it is no connection; masked"`
	Facts       casework.Facts           `json:"facts"`
	Tasks       []taskView               `json:"tasks" doc:"待办任务 open tasks"`
	Deadlines   []deadlineView           `json:"deadlines" doc:"办理时限，计时中的 live limits on the work"`
	Supervision []deadlineView           `json:"supervision" doc:"督办时限：暂停复核、升级答复 the supervisors' own clocks"`
	Escalations []escalationView         `json:"escalations" doc:"未关闭的升级 not closed yet"`
	Pauses      []casework.Pause         `json:"pauses"`
	Score       casework.Score           `json:"score" doc:"七零得分 seven zeros"`
	Contacts    int                      `json:"contacts" doc:"与客户接触次数 contacts with the customer"`
	Documents   []documentView           `json:"documents"`
	Missing     []casework.DocumentKind  `json:"missing_documents" doc:"通水资料尚缺 documents that are missing yet"`
	Charges     []casework.Charge        `json:"charges"`
	WithdrawnAt time.Time                `json:"withdrawn_at,omitzero"`
	Withdrawal  string                   `json:"withdrawal,omitempty"`
}

// jointView ties a case to the other one of a joint request.
type jointView struct {
	Number  string           `json:"number" doc:"客户的联办编号 the customer's number"`
	Sibling string           `json:"sibling" doc:"另一案件 the other case"`
	Utility casework.Utility `json:"utility" doc:"另一案件的能源 its utility"`
}

func viewJoint(j *casework.Joint) *jointView {
	if j == nil {
		return nil
	}
	return &jointView{j.Number, j.Sibling, j.Utility}
}

// deadlineView adds to a deadline what is derived from the clock.
type deadlineView struct {
	casework.Deadline
	LimitTitle string `json:"limit_name" doc:"时限名称 what the limit is for"`
	OnWork     bool   `json:"on_work" doc:"办理时限；否则为督办时限 limits the work; else a supervisors' clock"`
	Overdue    bool   `json:"overdue"`
	// MinutesLeft is negative once the deadline has passed and absent where it
	// is met or dropped, or the case's policy has no limit.
	MinutesLeft *int64 `json:"minutes_left,omitempty" doc:"剩余分钟：计时中为自然时间，暂停时为工作时间 minutes left: of the wall clock while it runs, of working time while it stands"`
}

func viewDeadline(d casework.Deadline, now time.Time) deadlineView {
	v := deadlineView{Deadline: d, LimitTitle: d.Limit.Name(), OnWork: d.OnWork(), Overdue: d.Overdue(now)}
	if !d.Live() || d.Due == (calendar.Due{}) {
		return v
	}
	left := minutes(d.Due.Remaining)
	if !d.Due.Stopped {
		left = minutes(d.Due.At.Sub(now))
	}
	v.MinutesLeft = &left
	return v
}

// clockView says who holds the clock of a case, and for how long those before
// held it.
type clockView struct {
	Party     casework.Party `json:"party,omitempty" doc:"现由谁占用；通水或结束后没有 who holds it now; nobody after supply-on"`
	PartyName string         `json:"party_name,omitempty"`
	Since     time.Time      `json:"since,omitzero"`
	Stopped   bool           `json:"stopped,omitempty" doc:"服务时限停表 the lane's clock stands"`
	Spent     []spentView    `json:"spent" doc:"此前各方用时（工作分钟） working minutes of stretches that have ended"`
}

type spentView struct {
	Party     casework.Party `json:"party"`
	PartyName string         `json:"party_name"`
	Minutes   int64          `json:"working_minutes"`
}

// viewClock is nil where the case never noted who holds the clock.
func viewClock(c casework.Clocking) *clockView {
	if c.Now.N == 0 {
		return nil
	}
	v := &clockView{}
	if c.Now.To.IsZero() {
		v.Party, v.PartyName, v.Since, v.Stopped = c.Now.Party, c.Now.Party.Name(), c.Now.From, c.Now.Stopped
	}
	for _, s := range c.Spent {
		v.Spent = append(v.Spent, spentView{s.Party, s.Party.Name(), minutes(s.Working)})
	}
	return v
}

func (a *API) viewCase(k *casework.Case) caseView {
	now, due := a.now(), k.NextDue()
	v := caseView{
		Number: k.Number, Version: k.Version, Kind: k.Kind, Parent: k.Parent, Lane: k.Lane,
		Status: k.Status, StatusName: k.Status.Name(), Stage: k.Stage, StageName: k.StageTitle(), Lead: k.Request.Lead, ToApply: k.MissingForApplication(),
		District: k.Request.Site.District.Name(), ReceivedAt: k.ReceivedAt, ReceivedBy: k.ReceivedBy, EndedAt: k.EndedAt,
		Level: k.Level, Policy: k.Terms.PolicyVersion, Request: maskRequest(k.Request), Service: maskService(k.Service), Facts: maskFacts(k.Facts),
		Pauses: k.Pauses, Score: k.Score(), Contacts: k.Contacts, Missing: k.MissingDocuments(), Charges: k.Charges,
		WithdrawnAt: k.WithdrawnAt, Withdrawal: k.Withdrawal, Joint: viewJoint(k.Joint), Passes: k.Passes, PassedFrom: k.PassedFrom,
		DueAt: due.At, Stopped: due.Stopped, RemainingMinutes: minutes(due.Remaining), Provisional: due.Provisional, Clock: viewClock(k.Clock),
	}
	for i := range k.Tasks {
		v.Tasks = append(v.Tasks, viewTaskOf(k, &k.Tasks[i], now))
	}
	for _, d := range k.Deadlines {
		switch {
		case !d.Live():
		case !d.OnWork():
			v.Supervision = append(v.Supervision, viewDeadline(d, now))
		case d.Budget != (calendar.Budget{}): // else the case's policy has no such limit
			v.Deadlines = append(v.Deadlines, viewDeadline(d, now))
		}
	}
	for _, e := range k.Escalations {
		v.Escalations = append(v.Escalations, a.viewEscalation(e))
	}
	for _, d := range k.Documents {
		v.Documents = append(v.Documents, a.viewDocument(k.Number, d))
	}
	return v
}

type caseReply struct {
	ETag string `header:"ETag"`
	Body caseView
}

func (a *API) getCase(ctx context.Context, in *CaseAddress) (*caseReply, error) {
	k, err := a.readable(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	return &caseReply{ETag: etag(k.Version), Body: a.viewCase(k)}, nil
}

type contactView struct {
	Applicant casework.Applicant         `json:"applicant"`
	Contact   casework.Contact           `json:"contact"`
	Extra     map[string]json.RawMessage `json:"extra,omitempty" doc:"来件中未识别的内容 what the sender wrote beyond our fields"`

	Service *casework.ServiceRequest `json:"service,omitempty" doc:"过户双方、销户人或来电人 the people of a service request"`
}

func (a *API) getContact(ctx context.Context, in *CaseAddress) (*reply[contactView], error) {
	k, err := a.readable(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	if k.Service != nil && k.Service.Order != nil && k.Service.Order.Secret && !actorOf(ctx).Has(casework.Hotline) {
		return nil, casework.Refuse(casework.Forbidden, "caller_secret", casework.Say("来电人要求保密，由热线中心联系", "the caller does not want to be named; the hotline calls"))
	}
	if err := a.audit(ctx, "contact_unmasked", k.Number, nil); err != nil {
		return nil, err
	}
	return answer(contactView{k.Request.Applicant, k.Request.Contact, k.Request.Extra, k.Service}, nil)
}

// printCase draws the case with its whole history, as it stands.
func (a *API) printCase(ctx context.Context, in *CaseAddress) (*streamed, error) {
	k, err := a.readable(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	if err := a.audit(ctx, "case_printed", k.Number, nil); err != nil {
		return nil, err
	}
	var events []casework.Event
	for page := (casework.Page{Limit: 200}); ; {
		part, next, err := a.store.Timeline(ctx, k.Number, page)
		if err != nil {
			return nil, err
		}
		events = append(events, part...)
		if next == "" {
			break
		}
		page.Cursor = next
	}
	clock, err := a.clockOf(ctx, k)
	if err != nil {
		return nil, err
	}
	html, err := a.printout(k, events, clock, a.now())
	if err != nil {
		return nil, err
	}
	return a.file(ctx, "text/html; charset=utf-8", "", html), nil
}

type numberedPage struct {
	CaseAddress
	Paging
}

func (a *API) timeline(ctx context.Context, in *numberedPage) (*reply[page[casework.Event]], error) {
	if _, err := a.readable(ctx, in.Number); err != nil {
		return nil, err
	}
	events, next, err := a.store.Timeline(ctx, in.Number, in.page())
	if err != nil {
		return nil, err
	}
	shown := make([]casework.Event, len(events))
	for i, e := range events {
		shown[i] = maskEvent(e)
	}
	return answer(page[casework.Event]{shown, next}, nil)
}

// maskEvent hides the people of a request that was amended; the other events'
// details are what staff entered themselves.
func maskEvent(e casework.Event) casework.Event {
	switch e.Kind {
	case casework.TaskCompleted:
		e.Data = maskLearnt(e.Data)
		return e
	case casework.Amended, casework.LeadApplied:
	default:
		return e
	}
	var data struct {
		Reason   string           `json:"reason,omitempty"`
		Channel  casework.Channel `json:"channel,omitempty"`
		External string           `json:"external_number,omitempty"`
		Before   casework.Request `json:"before"`
	}
	err := json.Unmarshal(e.Data, &data)
	data.Before = maskRequest(data.Before)
	masked, again := json.Marshal(data)
	if err != nil || again != nil {
		e.Data = nil // what can't be masked is not shown
		return e
	}
	e.Data = masked
	return e
}

type touchpointsView struct {
	Score casework.Score        `json:"score"`
	Items []casework.Touchpoint `json:"items"`
}

func (a *API) touchpoints(ctx context.Context, in *CaseAddress) (*reply[touchpointsView], error) {
	k, err := a.readable(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	items, err := a.store.Touchpoints(ctx, in.Number)
	return answer(touchpointsView{k.Score(), items}, err)
}

func (a *API) deadlines(ctx context.Context, in *CaseAddress) (*reply[page[deadlineView]], error) {
	if _, err := a.readable(ctx, in.Number); err != nil {
		return nil, err
	}
	all, err := a.store.Deadlines(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	views := make([]deadlineView, len(all))
	for i, d := range all {
		views[i] = viewDeadline(d, a.now())
	}
	return answer(page[deadlineView]{Items: views}, nil)
}

// doneReply says what an action made of the case.
type doneReply struct {
	ETag string `header:"ETag"`
	Body contract.Done
}

// do hands an action to the case's workflow. The caller's key makes it happen
// once, however often it is sent.
func (a *API) do(ctx context.Context, number string, act casework.Action) (*doneReply, error) {
	done, err := a.desk.Do(ctx, number, act, callOf(ctx).updateID)
	if err != nil {
		return nil, err
	}
	return &doneReply{ETag: etag(done.Version), Body: done}, nil
}

type amendInput struct {
	CaseAddress
	Body struct {
		Applicant *casework.Applicant `json:"applicant,omitempty"`
		Contact   *casework.Contact   `json:"contact,omitempty"`
		Address   *string             `json:"address,omitempty" doc:"用能地址 address"`
		Demand    *casework.Demand    `json:"demand,omitempty"`
		Remark    *string             `json:"remark,omitempty" doc:"备注 remark"`
		Reason    string              `json:"reason" doc:"更正原因 why"`
	}
}

func (a *API) amend(ctx context.Context, in *amendInput) (*doneReply, error) {
	b := in.Body
	return a.do(ctx, in.Number, casework.AmendRequest{
		By: by(ctx), Applicant: b.Applicant, Contact: b.Contact, Address: b.Address, Demand: b.Demand, Remark: b.Remark, Reason: b.Reason,
	})
}

type reasonInput struct {
	CaseAddress
	Body struct {
		Reason string `json:"reason" doc:"原因 why"`
	}
}

func (a *API) withdraw(ctx context.Context, in *reasonInput) (*doneReply, error) {
	return a.do(ctx, in.Number, casework.Withdraw{By: by(ctx), Reason: in.Body.Reason})
}

type pauseInput struct {
	CaseAddress
	Body struct {
		Reason     casework.PauseReason `json:"reason" doc:"暂停原因：customer_not_ready、external_approval、force_majeure，以政策为准 one that the policy allows"`
		Evidence   string               `json:"evidence" doc:"佐证：材料编号或说明 evidence: a document's ID, or words"`
		PlannedEnd time.Time            `json:"planned_end" doc:"计划结束时间 planned end"`
	}
}

func (a *API) pause(ctx context.Context, in *pauseInput) (*doneReply, error) {
	b := in.Body
	return a.do(ctx, in.Number, casework.PauseCase{By: by(ctx), Reason: b.Reason, Evidence: b.Evidence, PlannedEnd: b.PlannedEnd})
}

type resumeInput struct {
	CaseAddress
	Body struct {
		Reason casework.PauseReason `json:"reason,omitempty" doc:"结束哪种原因的暂停；不填为全部 the pause that ends; none: all"`
		Note   string               `json:"note,omitempty" doc:"说明 note"`
	}
}

func (a *API) resume(ctx context.Context, in *resumeInput) (*doneReply, error) {
	return a.do(ctx, in.Number, casework.ResumeCase{By: by(ctx), Reason: in.Body.Reason, Note: in.Body.Note})
}

type chargeInput struct {
	CaseAddress
	Body struct {
		Kind   casework.ChargeKind `json:"kind" doc:"inside_property_line 红线内工程；customer_request 延伸服务"`
		Amount int64               `json:"amount" doc:"金额（分） in fen"`
		Note   string              `json:"note,omitempty" doc:"收费内容和依据，价目表内项目可不填 what is charged and by which document; may be left out for an item of the price list"`

		Item     string `json:"item,omitempty" maxLength:"100" doc:"价目表项目编号，见 GET /v1/policies/{version} code in the price list of the case's policy"`
		Quantity int64  `json:"quantity,omitempty" doc:"数量；金额须等于单价×数量 units of the item; the amount must be price × quantity"`
	}
}

func (a *API) charge(ctx context.Context, in *chargeInput) (*doneReply, error) {
	b := in.Body
	return a.do(ctx, in.Number, casework.ProposeCharge{By: by(ctx), Charge: casework.Charge{
		Kind: b.Kind, Amount: b.Amount, Note: b.Note, Item: b.Item, Quantity: b.Quantity,
	}})
}
