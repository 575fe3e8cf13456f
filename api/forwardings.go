package api

import (
	"context"
	"net/http"

	"github.com/curbstop/curbstop/casework"
)

// forwarded is the state of an acceptance that is another company's.
const forwarded = "forwarded"

func (a *API) registerForwardings() {
	handle(a, route{
		id: "forwardings", method: http.MethodGet, path: "/v1/forwardings", tag: "intake",
		access:  forRoles(casework.Taskforce, casework.TaskforceOffice, casework.ServiceHall, casework.Hotline, casework.Auditor),
		summary: casework.Say("代收件：属于其他单位或业务、待转交的申请；联系人已脱敏", "requests that were taken in for another company or service; contacts are masked"),
	}, a.forwardings)
	handle(a, route{
		id: "get-forwarding", method: http.MethodGet, path: "/v1/forwardings/{number}", tag: "intake",
		access:  forRoles(contactReaders...),
		summary: casework.Say("代收件全文，用于转交（每次查看留痕）", "one in full, to be handed over; each look is audited"),
	}, a.getForwarding)
	handle(a, route{
		id: "hand-forwarding", method: http.MethodPost, path: "/v1/forwardings/{number}/handed-over", tag: "intake",
		access:  forRoles(casework.Taskforce, casework.TaskforceOffice, casework.ServiceHall, casework.Hotline),
		summary: casework.Say("登记代收件已转交给谁", "note to whom one was handed over"),
	}, a.handForwarding)
	handle(a, route{
		id: "pass-on", method: http.MethodPost, path: "/v1/cases/{number}/pass-on", tag: "cases", versioned: true,
		access:  forRoles(casework.Taskforce, casework.TaskforceOffice, casework.ServiceHall, casework.Hotline),
		summary: casework.Say("内部转办：转至其他区县、能源或业务，资料随案，客户不再跑", "pass a case on inside, to another district, utility or service, with everything known"),
	}, a.passOn)
}

// forward keeps a request that another company serves. Any window takes any
// request, so it is no refusal.
func (a *API) forward(ctx context.Context, reason casework.ForwardReason, r casework.Request) (Acceptance, error) {
	actor := actorOf(ctx)
	f, fresh, err := a.store.Forward(ctx, casework.Forwarding{Reason: reason, Request: r, By: actor.ID, ReceivedAt: a.now()})
	if err != nil {
		return Acceptance{}, err
	}
	got := Acceptance{Number: f.Number, Status: forwarded}
	if fresh || f.By == actor.ID || !actor.Has(casework.Platform) {
		got.Code = a.ring.Code(f.Number)
		got.ProgressURL = a.link("/v1/public/progress?number=%s&code=%s", f.Number, got.Code)
	}
	return got, nil
}

type forwardingQuery struct {
	State string `query:"state" enum:"waiting,handed_over" doc:"waiting 待转交；handed_over 已转交"`
	Paging
}

func (a *API) forwardings(ctx context.Context, in *forwardingQuery) (*reply[page[casework.Forwarding]], error) {
	all, next, err := a.store.Forwardings(ctx, casework.ForwardingFilter{State: casework.ForwardingState(in.State), Page: in.page()})
	for i := range all {
		all[i].Request = maskRequest(all[i].Request)
	}
	return answer(page[casework.Forwarding]{all, next}, err)
}

func (a *API) getForwarding(ctx context.Context, in *CaseAddress) (*reply[casework.Forwarding], error) {
	f, err := a.store.Forwarding(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	if err := a.audit(ctx, "forwarding_read", f.Number, nil); err != nil {
		return nil, err
	}
	return answer(f, nil)
}

type handForwardingInput struct {
	CaseAddress
	Body casework.HandForwarding
}

func (a *API) handForwarding(ctx context.Context, in *handForwardingInput) (*reply[casework.Forwarding], error) {
	if err := in.Body.Check(); err != nil {
		return nil, err
	}
	f, err := a.store.HandForwarding(ctx, in.Number, in.Body, actorOf(ctx).ID, a.now())
	f.Request = maskRequest(f.Request)
	return answer(f, err)
}

type passOnInput struct {
	CaseAddress
	Body struct {
		District casework.District `json:"district,omitempty" doc:"转至区县代码 to another district"`
		Utility  casework.Utility  `json:"utility,omitempty" doc:"转至能源 water、gas、electricity、heat to another utility"`
		Service  casework.CaseKind `json:"service,omitempty" doc:"转至业务 account_transfer 过户、account_closing 销户、hotline_order 工单 to another service"`
		Reason   string            `json:"reason" doc:"原因 why"`
	}
}

func (a *API) passOn(ctx context.Context, in *passOnInput) (*doneReply, error) {
	b := in.Body
	return a.do(ctx, in.Number, casework.PassOn{By: by(ctx), District: b.District, Utility: b.Utility, Service: b.Service, Reason: b.Reason})
}

// goesOn gives a case, or where it was passed on the one that it goes on as.
func (a *API) goesOn(ctx context.Context, number string) (*casework.Case, error) {
	// A case that is passed back and forth ends somewhere.
	for range 20 {
		k, err := a.store.Case(ctx, number)
		if err != nil {
			return nil, err
		}
		next := k.GoesOnAs()
		if next == "" {
			return k, nil
		}
		if _, err := a.store.Case(ctx, next); err != nil {
			return k, nil //nolint:nilerr // it is being opened, or is another company's: the old case says so
		}
		number = next
	}
	return nil, casework.Refuse(casework.NotFound, "case_not_found", casework.Say("没有这个案件，请核对编号", "there is no such case; check the number"))
}

// forwardingProgress is what a customer sees of a request that is another
// company's.
func (a *API) forwardingProgress(ctx context.Context, number string) (*reply[progressView], error) {
	f, err := a.store.Forwarding(ctx, number)
	if err != nil {
		if casework.AsFault(err).Kind == casework.NotFound {
			err = strangersCase()
		}
		return nil, err
	}
	v := progressView{
		Number: f.Number, Utility: f.Request.Utility, Status: casework.PassingOn, StatusName: "已代收，待转交", ReceivedAt: f.ReceivedAt,
		NextStep: casework.Say("该业务由其他单位办理，我们已代收并将转交，无需您另行申请", "another company serves this; we took it in and hand it over, you need not apply anew"),
		Call:     callView{Department: casework.Department(casework.ServiceHall).Name(), Phone: a.hotline},
	}
	if f.State == casework.ForwardingDone {
		v.Status, v.StatusName = casework.PassedOn, "已转交"
		v.NextStep = casework.Sayf("已于 %[1]s 转交%[2]s", "Handed over at %[1]s to %[2]s", casework.Clock(f.HandedAt), f.HandedTo)
	}
	return answer(v, nil)
}
