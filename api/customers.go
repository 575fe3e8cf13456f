package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/curbstop/curbstop/casework"
)

func (a *API) registerCustomers() {
	handle(a, route{
		id: "progress", method: http.MethodGet, path: "/v1/public/progress", tag: "customers", access: forStrangers,
		summary: casework.Say("凭案件编号和查询码查看进度", "the progress of a case, by its number and code"),
	}, a.progress)
	handle(a, route{
		id: "confirm-design", method: http.MethodPost, path: "/v1/public/cases/{number}/confirm-design", tag: "customers", access: forStrangers,
		summary: casework.Say("确认设计方案", "confirm the design"),
	}, func(ctx context.Context, in *coded) (*doneReply, error) {
		return a.asCustomer(ctx, in.Number, in.Body.Code, casework.ConfirmDesign{By: by(ctx)})
	})
	handle(a, route{
		id: "confirm-acceptance", method: http.MethodPost, path: "/v1/public/cases/{number}/confirm-acceptance", tag: "customers", access: forStrangers,
		summary: casework.Say("确认验收", "confirm the finished work"),
	}, func(ctx context.Context, in *coded) (*doneReply, error) {
		return a.asCustomer(ctx, in.Number, in.Body.Code, casework.ConfirmAcceptance{By: by(ctx)})
	})
	handle(a, route{
		id: "rate", method: http.MethodPost, path: "/v1/public/cases/{number}/rate", tag: "customers", access: forStrangers,
		summary: casework.Say("评价（好差评，通水后任何时候）", "rate, at any time after supply-on"),
	}, func(ctx context.Context, in *rating) (*doneReply, error) {
		return a.asCustomer(ctx, in.Number, in.Body.Code, casework.Rate{By: by(ctx), Level: in.Body.Level, Comment: in.Body.Comment})
	})
	handle(a, route{
		id: "withdraw-own", method: http.MethodPost, path: "/v1/public/cases/{number}/withdraw", tag: "customers", access: forStrangers,
		summary: casework.Say("撤回申请（通水前）", "withdraw, before supply-on"),
	}, func(ctx context.Context, in *ownWithdrawal) (*doneReply, error) {
		return a.asCustomer(ctx, in.Number, in.Body.Code, casework.Withdraw{By: by(ctx), Reason: in.Body.Reason})
	})
}

type coded struct {
	CaseAddress
	Body struct {
		Code string `json:"code" required:"true" maxLength:"40" doc:"查询码 code"`
	}
}

type rating struct {
	CaseAddress
	Body struct {
		Code    string `json:"code" required:"true" maxLength:"40" doc:"查询码 code"`
		Level   int    `json:"level" doc:"1 非常不满意 至 5 非常满意 1 very dissatisfied to 5 very satisfied"`
		Comment string `json:"comment,omitempty" doc:"意见；不满意时必填 comment; required when dissatisfied"`
	}
}

type ownWithdrawal struct {
	CaseAddress
	Body struct {
		Code   string `json:"code" required:"true" maxLength:"40" doc:"查询码 code"`
		Reason string `json:"reason" doc:"原因 why"`
	}
}

// strangersCase is the answer to a wrong code and to an unknown number alike:
// else numbers could be found out by trying.
func strangersCase() error {
	return casework.Refuse(casework.NotFound, "number_or_code",
		casework.Say("案件编号或查询码不正确", "wrong case number or code"))
}

const opening = "case_opening"

// caseOpening is the answer about a case that was accepted and is not open yet,
// because more came in than can be opened at once.
func caseOpening() error {
	return casework.Refuse(casework.Unavailable, opening, casework.Say("案件正在登记，请稍后重试", "the case is being opened; try again shortly"))
}

// ownCase gives the case that a number and code belong to. The code is judged
// first and needs no case, so that a guess learns nothing from the time it
// takes.
func (a *API) ownCase(ctx context.Context, number, code string) (*casework.Case, error) {
	if !a.ring.CheckCode(number, code) {
		// The code of a joint request serves its cases too.
		joint, err := a.store.JointOf(ctx, number)
		if err != nil {
			return nil, err
		}
		if joint == "" || !a.ring.CheckCode(joint, code) {
			return nil, strangersCase()
		}
	}
	k, err := a.goesOn(ctx, number)
	switch {
	case err != nil && casework.AsFault(err).Kind == casework.NotFound:
		if _, received := a.store.Receipt(ctx, number); received == nil {
			return nil, caseOpening()
		}
		return nil, strangersCase()
	case err != nil:
		return nil, err
	case k.Kind != casework.ConnectionCase && k.Service == nil:
		return nil, strangersCase()
	}
	return k, nil
}

func (a *API) asCustomer(ctx context.Context, number, code string, act casework.Action) (*doneReply, error) {
	k, err := a.ownCase(ctx, number, code)
	if err != nil {
		return nil, err
	}
	return a.do(ctx, k.Number, act)
}

type progressQuery struct {
	Number string `query:"number" required:"true" maxLength:"64" doc:"案件编号 case number"`
	Code   string `query:"code" required:"true" maxLength:"40" doc:"查询码 code"`
}

// progressView is what a customer sees. It holds no personal data: whoever
// has the code may have it from an envelope in a bin.
type progressView struct {
	Number     string            `json:"number"`
	Kind       casework.CaseKind `json:"kind,omitempty"`
	Utility    casework.Utility  `json:"utility,omitempty"`
	Status     casework.Status   `json:"status"`
	StatusName string            `json:"status_name"`
	Stages     []stageView       `json:"stages"`
	NextStep   casework.Text     `json:"next_step" doc:"下一步 what comes next"`
	Actions    []string          `json:"actions" doc:"您现在可以做的 what you can do now: apply, confirm-design, confirm-quote, confirm-contract, confirm-acceptance, pay, rate, withdraw"`
	Lead       bool              `json:"lead,omitempty" doc:"意向，尚未申请 a lead: nobody applied yet"`
	ToApply    []string          `json:"missing_for_application,omitempty" doc:"申请时还须填写 what an application must still say"`
	PromisedBy time.Time         `json:"promised_by,omitzero" doc:"承诺通水时间；暂停计时时没有 when supply is promised; absent while the clock stands"`
	// Provisional, Stopped and RemainingMinutes say of the promise what staff see of a due moment.
	Provisional      bool  `json:"provisional,omitempty" doc:"暂定：所在年份放假安排未公布 promised in a year without a holiday notice"`
	Stopped          bool  `json:"stopped,omitempty" doc:"暂停计时 the clock stands"`
	RemainingMinutes int64 `json:"remaining_minutes,omitempty" doc:"暂停计时时剩余的工作分钟 working minutes left while the clock stands"`

	// Of gas alone.
	Quote     *quoteView     `json:"quote,omitempty" doc:"报价（用气） quote, of gas"`
	Contracts []contractView `json:"contracts,omitempty" doc:"合同（用气） contracts, of gas"`
	Deferred  []deferredView `json:"deferred,omitempty" doc:"容缺受理、签订合同前须补齐的 accepted without; due before the contracts"`

	ReceivedAt time.Time `json:"received_at"`
	SuppliedAt time.Time `json:"supplied_at,omitzero"`
	Call       callView  `json:"call" doc:"联系谁 who to call"`

	Cases []progressView `json:"cases,omitempty" doc:"联办的各个案件 the cases of a joint request"`
}

type stageView struct {
	Stage     casework.Stage `json:"stage"`
	Name      string         `json:"name"`
	State     string         `json:"state" enum:"done,current,ahead,not_needed"`
	EnteredAt time.Time      `json:"entered_at,omitzero"`
}

type callView struct {
	Department string `json:"department"`
	Phone      string `json:"phone"`
}

func (a *API) progress(ctx context.Context, in *progressQuery) (*reply[progressView], error) {
	// The first letter tells what kind of number it is; the code is judged first.
	switch {
	case strings.HasPrefix(in.Number, "J") && a.ring.CheckCode(in.Number, in.Code):
		return a.jointProgress(ctx, in.Number)
	case strings.HasPrefix(in.Number, "Z") && a.ring.CheckCode(in.Number, in.Code):
		return a.forwardingProgress(ctx, in.Number)
	}
	k, err := a.ownCase(ctx, in.Number, in.Code)
	if err != nil && casework.AsFault(err).Code == opening {
		receipt, err := a.store.Receipt(ctx, in.Number)
		return answer(a.viewReceived(receipt), err)
	}
	if err != nil {
		return nil, err
	}
	return answer(a.viewProgress(ctx, k))
}

// viewReceived is what the customer sees of a request whose case is not open yet.
func (a *API) viewReceived(r casework.Receipt) progressView {
	return progressView{
		Number: r.Number, Utility: r.Request.Utility, Status: casework.Open, StatusName: casework.Open.Name(), ReceivedAt: r.ReceivedAt,
		NextStep: casework.Say("已收件，正在立案，无需您办理手续", "Received; the case is being opened; you need do nothing"),
		Call:     callView{Department: casework.Department(casework.Taskforce).Name(), Phone: a.hotline},
	}
}

// viewProgress is what the customer sees of a case.
func (a *API) viewProgress(ctx context.Context, k *casework.Case) (progressView, error) {
	entered, err := a.stagesEntered(ctx, k)
	if err != nil {
		return progressView{}, err
	}
	step, actions := nextStep(k)
	v := progressView{
		Number: k.Number, Kind: k.Kind, Utility: k.Request.Utility, Status: k.Status, StatusName: k.Status.Name(),
		Stages: viewStages(k, entered), NextStep: step, Actions: actions, ReceivedAt: k.ReceivedAt,
		Lead: k.Request.Lead, ToApply: k.MissingForApplication(),
		Call: callView{Department: k.InCharge().Name(), Phone: a.hotline},
	}
	a.showAgreement(&v, k)
	if d, ok := k.Deadline(casework.LaneDeadline); ok && d.Live() {
		v.PromisedBy, v.Provisional, v.Stopped, v.RemainingMinutes = d.Due.At, d.Due.Provisional, d.Due.Stopped, minutes(d.Due.Remaining)
	}
	if k.Supply != nil {
		v.SuppliedAt = k.Supply.SuppliedAt
	}
	return v, nil
}

// stagesEntered says when the case last came to each stage, as its timeline
// tells.
func (a *API) stagesEntered(ctx context.Context, k *casework.Case) (map[casework.Stage]time.Time, error) {
	entered := map[casework.Stage]time.Time{casework.StagesOf(k.Kind)[0]: k.ReceivedAt}
	for p := (casework.Page{Limit: 200}); ; {
		events, next, err := a.store.Timeline(ctx, k.Number, p)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			if e.Kind == casework.StageEntered {
				entered[e.Stage] = e.At
			}
		}
		if next == "" {
			return entered, nil
		}
		p.Cursor = next
	}
}

func viewStages(k *casework.Case, entered map[casework.Stage]time.Time) []stageView {
	stages := casework.StagesOf(k.Kind)
	current := slices.Index(stages, k.Stage)
	views := make([]stageView, len(stages))
	for i, s := range stages {
		v := stageView{Stage: s, Name: s.Name(), EnteredAt: entered[s], State: "ahead"}
		switch {
		case i > current:
			v.EnteredAt = time.Time{} // an earlier round's: the case has gone back since
		case i < current && v.EnteredAt.IsZero():
			v.State = "not_needed"
		case i < current, k.Status == casework.Closed:
			v.State = "done"
		default:
			v.State = "current"
		}
		views[i] = v
	}
	return views
}

// nextStep says in a customer's words what comes next, and what they can do
// themselves. Mostly that is nothing: the seven zeros.
func nextStep(k *casework.Case) (casework.Text, []string) {
	if k.Service != nil {
		return serviceStep(k)
	}
	var actions []string
	if k.Supply == nil && (k.Status == casework.Open || k.Status == casework.Paused) {
		actions = append(actions, "withdraw")
	}
	if k.Request.Lead && !k.Status.Ended() && k.Status != casework.Withdrawing {
		actions = append(actions, "apply")
	}
	if k.Supply != nil && !k.Status.Ended() || k.Status == casework.Closed {
		actions = append(actions, "rate")
	}
	step, action, waits := agreementStep(k)
	switch {
	case k.Status == casework.Closed:
		return casework.Say("已办结。如有意见，欢迎随时评价", "Finished. You can rate the service at any time"), actions
	case k.Status == casework.Withdrawn, k.Status == casework.Withdrawing:
		return casework.Say("申请已撤回。如需重新办理，请再次联系我们", "Withdrawn. Contact us when you want to go on"), actions
	case k.Status == casework.PassingOn, k.Status == casework.PassedOn:
		return casework.Say("已内部转办，资料随案，无需您另行申请", "Passed on inside with everything you gave us; you need not apply anew"), actions
	case waits && action == "confirm-quote" && !k.Gas.Quote.Fixed:
		return step, append(actions, action) // who agrees to the price agrees to the design
	case k.ChosenDesign() != nil && k.DesignConfirmedAt.IsZero():
		return casework.Say("请您确认设计方案", "Please confirm the design"), append(actions, "confirm-design")
	case waits:
		return step, append(actions, action)
	case k.Supply != nil && k.AcceptanceConfirmed.IsZero():
		return casework.Say("已通"+k.Request.Utility.Flow()+"，请您确认验收", "Supply is on; please confirm the finished work"), append(actions, "confirm-acceptance")
	case k.Status == casework.Paused:
		return casework.Say("目前暂停计时，条件具备后我们会主动联系您", "The clock stands for now; we shall contact you"), actions
	case k.Waits():
		return casework.Say("前期服务已就绪，您准备好后即可提交申请，已登记的内容无需重填；也可致电由我们代办",
			"Everything is prepared; apply when you are ready, what we know need not be said again; or call and we apply for you"), actions
	case k.Upgrade.Pending():
		return casework.Say("周边管网正在改造，完工后继续，无需您办理手续", "The mains nearby are being upgraded; you need do nothing"), actions
	case k.NextFollow.Valid() && !k.NextFollow.IsZero() && k.Survey == nil, k.Survey != nil && !k.Survey.Connectable:
		return casework.Sayf("暂不具备接入条件，我们将于 %[1]s 前后再次跟进", "Not connectable yet; we follow up about %[1]s", k.NextFollow), actions
	}
	flow, meter := k.Request.Utility.Flow(), "水表"
	if k.Request.Utility == casework.Gas {
		meter = "燃气表"
	}
	names := map[casework.Stage]casework.Text{
		casework.PreService:   casework.Say("工作人员将与您联系，了解用"+flow+"需求和建设周期", "We shall contact you about your demand and building schedule"),
		casework.JointSurvey:  casework.Say("工作人员将与您约定时间上门踏勘，现场代办申请", "We shall agree a date for the survey and apply for you on site"),
		casework.Permits:      casework.Say("我们正在为您代办市政审批", "We are obtaining the municipal permits for you"),
		casework.Construction: casework.Say("正在施工接入、装表通"+flow, "The connection is being built"),
		casework.Acceptance:   casework.Say("正在验收"+meter+"、立户投抄", "The meter is being accepted and your account opened"),
		casework.Evaluation:   casework.Say("热线中心将电话回访，听取您的意见", "The hotline will call you and ask for your opinion"),
	}
	text := names[k.Stage]
	text.ZH += "，无需您办理手续"
	text.EN += "; you need do nothing"
	return text, actions
}
