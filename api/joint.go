package api

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/curbstop/curbstop/casework"
)

// JointAcceptance is the answer to a joint request; exported like [CaseAddress].
type JointAcceptance struct {
	Acceptance
	Cases []listCase      `json:"cases" doc:"各能源的案件；联办编号和查询码对全部案件有效 the cases; the joint number and code serve them all"`
	Notes []casework.Text `json:"notes,omitempty" doc:"哪些由其他单位办理 what is another company's"`
}

type jointReply struct {
	Status int
	Body   JointAcceptance
}

func (a *API) registerJoint() {
	handle(a, route{
		id: "accept-joint-request", method: http.MethodPost, path: "/v1/joint-requests", tag: "intake",
		access: forRoles(intakers...), status: http.StatusCreated,
		summary: casework.Say("提交一网通办申请：一次申请多种能源，客户只有一个编号和查询码", "hand in one request for several utilities: one number and code for the customer, a case for each"),
	}, a.acceptJointRequest)
	handle(a, route{
		id: "withdraw-own-joint", method: http.MethodPost, path: "/v1/public/joint-requests/{number}/withdraw", tag: "customers", access: forStrangers,
		summary: casework.Say("凭联办编号撤回全部案件（已通水通气的除外）", "withdraw all cases of a joint request that are not supplied yet"),
	}, a.withdrawJoint)
}

// jointInput is a joint request as somebody hands it in.
type jointInput struct {
	Body struct {
		casework.JointRequest
		ServiceCode
	}
}

func (a *API) acceptJointRequest(ctx context.Context, in *jointInput) (*jointReply, error) {
	joint := in.Body.JointRequest
	joint.ByServiceCode = false // what is said of that is not taken on trust
	switch person, shown, err := a.shown(ctx, in.Body.ServiceCode.ServiceCode); {
	case err != nil:
		return nil, err
	case shown:
		joint = person.FillJoint(joint)
	}
	all, err := joint.Requests()
	if err != nil {
		return nil, err
	}
	external := all[0].Normalise().ExternalNumber
	if external == "" {
		external = "key:" + callOf(ctx).updateID
	}
	served, err := a.served(ctx)
	if err != nil {
		return nil, err
	}
	var ours, others []casework.Request
	var reasons []casework.ForwardReason // of the others
	for _, r := range all {
		r = r.Normalise()
		r.ExternalNumber = external + "/" + string(r.Utility)
		reason, err := a.foreign(ctx, served, r)
		if err != nil {
			return nil, err
		}
		if reason != "" {
			if err := r.ValidateForeign(); err != nil {
				return nil, err
			}
			others, reasons = append(others, r), append(reasons, reason)
			continue
		}
		if err := r.Validate(); err != nil {
			return nil, err
		}
		ours = append(ours, r)
	}
	body := JointAcceptance{Cases: []listCase{}}
	if len(ours) > 0 {
		if body, err = a.acceptTogether(ctx, external, ours, true); err != nil {
			return nil, err
		}
		a.showLeads(ctx, body.Cases, ours)
	}
	for i, r := range others {
		got, err := a.forward(ctx, reasons[i], r)
		if err != nil {
			return nil, err
		}
		if len(ours) == 0 && body.Number == "" {
			body.Acceptance = got
		}
		body.Cases = append(body.Cases, listCase{Acceptance: got, Utility: r.Utility})
		body.Notes = append(body.Notes, casework.Sayf("%[1]s由其他单位办理，已代收（%[3]s），将转交", "%[2]s is another company's; taken in as %[3]s, to be handed over", r.Utility.Name(), r.Utility, got.Number))
	}
	return &jointReply{Status: statusOf(body.Status), Body: body}, nil
}

// acceptTogether keeps valid requests of one customer and starts their cases.
// The requests' own external numbers are the sender's number, a slash and the
// utility.
func (a *API) acceptTogether(ctx context.Context, external string, requests []casework.Request, wait bool) (JointAcceptance, error) {
	actor := actorOf(ctx)
	joint, fresh, err := a.store.AcceptTogether(ctx, external, requests, actor, a.now())
	if err != nil {
		return JointAcceptance{}, err
	}
	out := JointAcceptance{Cases: []listCase{}}
	for _, r := range requests {
		got, err := a.beginPart(ctx, joint, r.Utility, fresh, wait)
		if err != nil {
			return out, err
		}
		if got.Code != "" && joint.Number != "" {
			got.Code = a.ring.Code(joint.Number)
			got.ProgressURL = a.link("/v1/public/progress?number=%s&code=%s", got.Number, got.Code)
		}
		out.Cases = append(out.Cases, listCase{Acceptance: got, Utility: r.Utility, Joint: joint.Number})
		if out.Status == "" || got.Status == starting {
			out.Status = got.Status
		}
	}
	first := out.Cases[0].Acceptance
	out.Number, out.Code, out.ProgressURL = first.Number, first.Code, first.ProgressURL
	if joint.Number != "" {
		out.Number = joint.Number
		if first.Code != "" {
			out.ProgressURL = a.link("/v1/public/progress?number=%s&code=%s", joint.Number, out.Code)
		}
	}
	return out, nil
}

// showLeads names to staff the leads that new cases of a joint request may belong
// to. The request is kept: what can't be looked up now is no reason to refuse it.
func (a *API) showLeads(ctx context.Context, cases []listCase, requests []casework.Request) {
	if actorOf(ctx).Has(casework.Platform) {
		return
	}
	for i := range cases {
		c := &cases[i]
		if c.Status != accepted || c.Applied {
			continue
		}
		leads, err := a.leadsOf(ctx, requests[i], c.Number)
		if err != nil {
			callOf(ctx).report(ctx, err)
			return
		}
		c.PossibleLeads = leads
	}
}

// beginPart starts the case of one utility of a joint request, or tells the lead
// that becomes it.
func (a *API) beginPart(ctx context.Context, joint casework.JointReceipt, u casework.Utility, fresh, wait bool) (Acceptance, error) {
	for _, app := range joint.Applications {
		if app.Request.Utility == u {
			return a.applyKept(ctx, app, wait)
		}
	}
	at := slices.IndexFunc(joint.Receipts, func(r casework.Receipt) bool { return r.Request.Utility == u })
	return a.begin(ctx, joint.Receipts[at], fresh, wait)
}

// jointProgress shows all cases of a joint request below the customer's number.
func (a *API) jointProgress(ctx context.Context, number string) (*reply[progressView], error) {
	joint, err := a.store.JointReceipt(ctx, number)
	if err != nil {
		if casework.AsFault(err).Kind == casework.NotFound {
			err = strangersCase()
		}
		return nil, err
	}
	v := progressView{
		Number: number, Status: casework.Closed, ReceivedAt: joint.Receipts[0].ReceivedAt,
		NextStep: casework.Say("各项进度见 cases", "see cases for each"),
		Call:     callView{Department: casework.Department(casework.Taskforce).Name(), Phone: a.hotline},
	}
	for _, receipt := range joint.Receipts {
		k, err := a.goesOn(ctx, receipt.Number)
		one := a.viewReceived(receipt)
		switch {
		case err == nil:
			if one, err = a.viewProgress(ctx, k); err != nil {
				return nil, err
			}
		case casework.AsFault(err).Kind != casework.NotFound:
			return nil, err
		}
		if !one.Status.Ended() {
			v.Status = casework.Open
		}
		if slices.Contains(one.Actions, "withdraw") && !slices.Contains(v.Actions, "withdraw") {
			v.Actions = append(v.Actions, "withdraw")
		}
		v.Cases = append(v.Cases, one)
	}
	v.StatusName = v.Status.Name()
	return answer(v, nil)
}

// jointWithdrawal says what became of each case.
type jointWithdrawal struct {
	Number string          `json:"number"`
	Cases  []withdrawnCase `json:"cases"`
}

type withdrawnCase struct {
	Number  string           `json:"number"`
	Utility casework.Utility `json:"utility"`
	Status  casework.Status  `json:"status"`
	Refused *casework.Text   `json:"refused,omitempty" doc:"为何不能撤回 why it can't be withdrawn"`
}

func (a *API) withdrawJoint(ctx context.Context, in *ownWithdrawal) (*reply[jointWithdrawal], error) {
	if !a.ring.CheckCode(in.Number, in.Body.Code) {
		return nil, strangersCase()
	}
	joint, err := a.store.JointReceipt(ctx, in.Number)
	if err != nil {
		if casework.AsFault(err).Kind == casework.NotFound {
			err = strangersCase()
		}
		return nil, err
	}
	out := jointWithdrawal{Number: in.Number}
	var refusal error
	gone := 0
	for _, receipt := range joint.Receipts {
		one := withdrawnCase{Number: receipt.Number, Utility: receipt.Request.Utility}
		k, err := a.goesOn(ctx, receipt.Number)
		switch {
		case err != nil && casework.AsFault(err).Kind == casework.NotFound:
			return nil, caseOpening()
		case err != nil:
			return nil, err
		case k.Status.Ended() || k.Status == casework.Withdrawing:
			one.Number, one.Status = k.Number, k.Status
			gone++
		default:
			one.Number = k.Number
			done, err := a.desk.Do(ctx, k.Number, casework.Withdraw{By: by(ctx), Reason: in.Body.Reason}, digest(callOf(ctx).updateID, k.Number))
			one.Status = done.Status
			if f := new(casework.Fault); errors.As(err, &f) && f.Kind == casework.Conflict {
				one.Status, one.Refused, refusal = k.Status, &f.Text, err
			} else if err != nil {
				return nil, err
			} else {
				gone++
			}
		}
		out.Cases = append(out.Cases, one)
	}
	if gone == 0 && refusal != nil {
		return nil, refusal
	}
	return answer(out, nil)
}
