package api

import (
	"context"
	"net/http"

	"github.com/curbstop/curbstop/casework"
)

// intakers are the roles that bring requests in. Any of them takes a request
// for any district and, where it is served, any utility: one window accepts,
// the inside hands over (measures part 3), so districts are not asked here.
var intakers = []casework.Role{
	casework.Taskforce, casework.TaskforceOffice, casework.ServiceHall, casework.Hotline, casework.Platform,
}

// Acceptance is the answer to a request that came in; exported like
// [CaseAddress].
type Acceptance struct {
	Number string `json:"number" doc:"案件编号 case number"`
	// Code is left out where somebody sends again what another brought in: who
	// holds it can confirm and withdraw in the customer's name.
	Code        string `json:"code,omitempty" doc:"客户查询码，凭此查看进度、确认方案 the customer's code"`
	ProgressURL string `json:"progress_url,omitempty" doc:"客户查看进度的网址 where the customer sees the progress"`
	// Applied tells that the request is the application of a lead, whose number it has.
	Applied bool `json:"applied_to_lead,omitempty" doc:"已并入同一项目的意向 joined with the lead of the same project"`
	// PossibleLeads is for staff, who know whether it is the same matter.
	PossibleLeads []casework.LeadMatch `json:"possible_leads,omitempty" doc:"可能对应的意向，请核对后并入 leads that it may belong to; look, and join them"`

	Status string `json:"status" enum:"accepted,accepted_before,starting,forwarded" doc:"accepted 已收件；accepted_before 此前已收；starting 已收件，正在启动办理 accepted, its work begins shortly；forwarded 属其他单位，已代收待转交 another company's, taken in and to be handed over"`
}

// The states of an acceptance.
const (
	accepted       = "accepted"
	acceptedBefore = "accepted_before"
	starting       = "starting"
)

type acceptanceReply struct {
	Status   int
	Location string `header:"Location"`
	Body     Acceptance
}

func (a *API) registerIntake() {
	handle(a, route{
		id: "accept-request", method: http.MethodPost, path: "/v1/connection-requests", tag: "intake",
		access: forRoles(intakers...), status: http.StatusCreated,
		summary: casework.Say("提交报装申请；同一渠道、同一外部编号只收一次", "hand in a connection request; accepted once per channel and external number"),
	}, a.acceptRequest)
}

// requestInput is a request as somebody hands it in.
type requestInput struct {
	Body struct {
		casework.Request
		ServiceCode
	}
}

func (a *API) acceptRequest(ctx context.Context, in *requestInput) (*acceptanceReply, error) {
	request := in.Body.Request
	if err := noAttachments(request.Attachments); err != nil {
		return nil, err
	}
	request.ByServiceCode = false // what is said of that is not taken on trust
	switch person, shown, err := a.shown(ctx, in.Body.ServiceCode.ServiceCode); {
	case err != nil:
		return nil, err
	case shown:
		request = person.Fill(request)
	}
	request = request.Normalise()
	if request.ExternalNumber == "" {
		// The sender has no number of its own, so the key stands for one: the
		// same person sending the same again is answered with the first case.
		request.ExternalNumber = "key:" + callOf(ctx).updateID
	}
	served, err := a.served(ctx)
	if err != nil {
		return nil, err
	}
	if reason, err := a.foreign(ctx, served, request); err != nil {
		return nil, err
	} else if reason != "" {
		if err := request.ValidateForeign(); err != nil {
			return nil, err
		}
		got, err := a.forward(ctx, reason, request)
		return &acceptanceReply{Status: statusOf(got.Status), Location: a.link("/v1/forwardings/%s", got.Number), Body: got}, err
	}
	if err := request.Validate(); err != nil {
		return nil, err
	}
	got, err := a.accept(ctx, request, true)
	if err != nil {
		return nil, err
	}
	if got.Status == accepted && !got.Applied && !actorOf(ctx).Has(casework.Platform, casework.Customer) {
		// The request is kept: what can't be looked up now is no reason to refuse it.
		if got.PossibleLeads, err = a.leadsOf(ctx, request, got.Number); err != nil {
			callOf(ctx).report(ctx, err)
		}
	}
	return &acceptanceReply{Status: statusOf(got.Status), Location: a.link("/v1/cases/%s", got.Number), Body: got}, nil
}

// noAttachments refuses papers that a request names: they would be those of
// somebody else's message.
func noAttachments(named []casework.Attachment) error {
	var c casework.Check
	c.Require(len(named) == 0, "attachments", casework.Say("随件材料由系统登记；材料请在立案后上传", "papers that came along are noted by the system; upload documents to the case"))
	return c.Err()
}

// statusOf is how HTTP says what became of a request.
func statusOf(state string) int {
	switch state {
	case acceptedBefore:
		return http.StatusOK
	case starting, forwarded:
		return http.StatusAccepted
	}
	return http.StatusCreated
}

// served tells by the policy in force which utilities are served, so that a
// version that adds or drops one holds as soon as it is published.
func (a *API) served(ctx context.Context) (func(casework.Utility) bool, error) {
	p, err := a.policies.Current(ctx)
	return p.Serves, err
}

// foreign tells why a request belongs to another company; there is no reason
// where it is ours. What was accepted while its utility was served stays ours:
// who sends it again gets the first answer.
func (a *API) foreign(ctx context.Context, served func(casework.Utility) bool, r casework.Request) (casework.ForwardReason, error) {
	reason, _ := r.Foreign(served)
	if reason != casework.OtherUtility {
		return reason, nil
	}
	before, err := a.acceptedBefore(ctx, r.Channel, r.ExternalNumber)
	if before {
		reason = ""
	}
	return reason, err
}

func (a *API) acceptedBefore(ctx context.Context, channel casework.Channel, external string) (bool, error) {
	_, err := a.store.Accepted(ctx, channel, external)
	if err != nil && casework.AsFault(err).Kind == casework.NotFound {
		return false, nil
	}
	return err == nil, err
}

func notServed(u casework.Utility) casework.Text {
	return casework.Sayf("%[1]s服务尚未在本系统开通", "%[2]s is not served by this installation", u.Name(), u)
}

// accept keeps a valid request and starts its case. The receipt is written
// first: where the start fails for now, the request is accepted all the same,
// and whoever sends it again or looks after unstarted receipts starts it.
func (a *API) accept(ctx context.Context, r casework.Request, wait bool) (Acceptance, error) {
	if got, joined, err := a.joinLead(ctx, r, wait); err != nil || joined {
		return got, err
	}
	receipt, fresh, err := a.store.Accept(ctx, r, actorOf(ctx), a.now())
	if err != nil {
		return Acceptance{}, err
	}
	return a.begin(ctx, receipt, fresh, wait)
}

// begin starts the case of a receipt, unless it is known to be running, and says
// what became of the request. With wait it returns when the case is open, unless
// so many are being opened that this one has to take its turn.
func (a *API) begin(ctx context.Context, receipt casework.Receipt, fresh, wait bool) (Acceptance, error) {
	actor := actorOf(ctx)
	got := Acceptance{Number: receipt.Number, Status: accepted}
	if !fresh {
		got.Status = acceptedBefore
	}
	switch {
	case !fresh && receipt.Started:
	case wait && !a.starts.take():
		if fresh {
			got.Status = starting
		}
		a.starts.later(receipt)
	default:
		err := a.desk.Start(ctx, receipt, wait)
		if wait {
			a.starts.release()
		}
		switch {
		case err != nil && casework.AsFault(err).Kind != casework.Unavailable:
			return Acceptance{}, err
		case err != nil:
			got.Status = starting
			callOf(ctx).report(ctx, err) // the sender has nothing to do about it
		}
	}
	if fresh || receipt.By.ID == actor.ID || !actor.Has(casework.Platform) {
		got.Code = a.ring.Code(receipt.Number)
		got.ProgressURL = a.link("/v1/public/progress?number=%s&code=%s", receipt.Number, got.Code)
	}
	return got, nil
}
