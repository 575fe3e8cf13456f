package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/curbstop/curbstop/casework"
)

func (a *API) registerServices() {
	handle(a, route{
		id: "accept-service-request", method: http.MethodPost, path: "/v1/service-requests", tag: "intake",
		access: forRoles(intakers...), status: http.StatusCreated, bodyBytes: a.limits.DocumentBytes,
		summary: casework.Say("提交过户、销户申请或12345工单；同一渠道、同一外部编号只收一次",
			"hand in a transfer, a closing or an order of 12345; accepted once per channel and external number"),
	}, a.acceptService)
	handle(a, route{
		id: "record-order-visit", method: http.MethodPost, path: "/v1/cases/{number}/order-visits", tag: "services",
		access:  forRoles(casework.Hotline, casework.Platform),
		summary: casework.Say("登记12345对工单的回访结果；不满意的重新办理", "record what 12345 found when it asked the caller; who is not satisfied brings the order back"),
	}, a.recordOrderVisit)
	handle(a, route{
		id: "extend-order", method: http.MethodPost, path: "/v1/cases/{number}/order-extension", tag: "services",
		access:  forRoles(casework.Hotline, casework.Platform),
		summary: casework.Say("向12345申请工单延期，或登记其答复", "ask 12345 for more time, or note what it decided"),
	}, a.extendOrder)
}

// serviceInput is a service request as somebody hands it in.
type serviceInput struct {
	Body struct {
		casework.ServiceRequest
		ServiceCode
	}
}

func (a *API) acceptService(ctx context.Context, in *serviceInput) (*acceptanceReply, error) {
	request := in.Body.ServiceRequest
	request.ByServiceCode = false // what is said of that is not taken on trust
	switch person, shown, err := a.shown(ctx, in.Body.ServiceCode.ServiceCode); {
	case err != nil:
		return nil, err
	case shown:
		request = person.FillService(request)
	}
	request = request.Normalise()
	if request.ExternalNumber == "" {
		request.ExternalNumber = "key:" + callOf(ctx).updateID
	}
	if err := request.Validate(); err != nil {
		return nil, err
	}
	if err := noAttachments(request.Attachments); err != nil {
		return nil, err
	}
	var c casework.Check
	for i, certificate := range request.Certificates {
		// A place in the archive is ours to give: else one could name somebody else's.
		field := fmt.Sprintf("certificates[%d]", i)
		c.Require(certificate.Document == "", field+".document", casework.Say("不能指定归档位置，请传证照内容或编号", "send the image or the number; where it is filed is not for the sender to say"))
		c.Require(len(certificate.Content) > 0 || certificate.Number != "", field+".content", casework.Say("请传证照内容或编号", "send the image or the number"))
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	served, err := a.served(ctx)
	if err != nil {
		return nil, err
	}
	if !served(request.Utility) {
		switch before, err := a.acceptedBefore(ctx, request.Channel, request.AcceptedBy()); {
		case err != nil:
			return nil, err
		case !before:
			return nil, casework.Refuse(casework.Conflict, "utility_not_served", notServed(request.Utility))
		}
	}
	receipt, fresh, err := a.store.AcceptService(ctx, request, actorOf(ctx), a.now())
	if err != nil {
		return nil, err
	}
	got, err := a.begin(ctx, receipt, fresh, true)
	if err != nil {
		return nil, err
	}
	return &acceptanceReply{Status: statusOf(got.Status), Location: a.link("/v1/cases/%s", got.Number), Body: got}, nil
}

type orderVisitInput struct {
	CaseAddress
	Body struct {
		Satisfied bool      `json:"satisfied" doc:"来电人满意 the caller is satisfied"`
		Solved    bool      `json:"solved" doc:"问题已解决 the problem is solved"`
		Comment   string    `json:"comment,omitempty" doc:"来电人意见 what the caller said"`
		VisitedAt time.Time `json:"visited_at" doc:"回访时间 when"`
		ReplyBy   time.Time `json:"reply_by,omitzero" doc:"不满意时，12345规定的再次答复时限 until when 12345 wants the next answer"`
	}
}

func (a *API) recordOrderVisit(ctx context.Context, in *orderVisitInput) (*doneReply, error) {
	b := in.Body
	return a.do(ctx, in.Number, casework.RecordOrderVisit{
		By: by(ctx), Satisfied: b.Satisfied, Solved: b.Solved, Comment: b.Comment, VisitedAt: b.VisitedAt, ReplyBy: b.ReplyBy,
	})
}

type extensionInput struct {
	CaseAddress
	Body struct {
		Decision string    `json:"decision" enum:"requested,granted,refused" doc:"申请，或12345同意、不同意 asked for, or what 12345 decided"`
		Until    time.Time `json:"until,omitzero" doc:"延期至；12345同意原申请时间的可不填 until when; may be left out where what was asked for is granted"`
		Reason   string    `json:"reason,omitempty" doc:"理由 why"`
	}
}

func (a *API) extendOrder(ctx context.Context, in *extensionInput) (*doneReply, error) {
	b := in.Body
	return a.do(ctx, in.Number, casework.ExtendOrder{By: by(ctx), Decision: b.Decision, Until: b.Until, Reason: b.Reason})
}

// maskService hides who a service request's people are.
func maskService(r *casework.ServiceRequest) *casework.ServiceRequest {
	if r == nil {
		return nil
	}
	masked := r.Brief()
	masked.Attachments = maskAttachments(r.Attachments)
	masked.Holder, masked.NewHolder, masked.Extra = maskHolder(r.Holder), maskHolder(r.NewHolder), nil
	for i := range masked.Certificates {
		c := &masked.Certificates[i]
		c.Number, c.Document = maskNumber(c.Number), ""
	}
	if r.Order != nil {
		o := *r.Order
		o.Caller = maskContact(o.Caller)
		if o.Secret {
			o.Caller = casework.Contact{}
		}
		masked.Order = &o
	}
	return &masked
}

func maskHolder(h casework.AccountHolder) casework.AccountHolder {
	name := h.Name
	if h.CreditCode == "" {
		name = maskName(name)
	}
	return casework.AccountHolder{Name: name, Phone: maskPhone(h.Phone), ResidentID: maskNumber(h.ResidentID), CreditCode: h.CreditCode}
}

// maskNumber keeps the last two characters, by which people recognise their own.
func maskNumber(s string) string {
	switch {
	case s == "":
		return ""
	case len(s) < 6:
		return "****"
	}
	return "****" + s[len(s)-2:]
}

// serviceStep says in a customer's words what comes next in a transfer or a
// closing, or to a caller of 12345, and what they can do themselves.
func serviceStep(k *casework.Case) (casework.Text, []string) {
	var actions []string
	open := k.Status == casework.Open || k.Status == casework.Paused
	if open && k.CompletedAt.IsZero() && k.Kind != casework.OrderCase {
		actions = append(actions, "withdraw")
	}
	if !k.CompletedAt.IsZero() && (open || k.Status == casework.Closed) {
		actions = append(actions, "rate")
	}
	switch {
	case k.Status == casework.Closed:
		return casework.Say("已办结。如有意见，欢迎随时评价", "Finished. You can rate the service at any time"), actions
	case k.Status == casework.Withdrawn, k.Status == casework.Withdrawing:
		return casework.Say("申请已撤回。如需重新办理，请再次联系我们", "Withdrawn. Contact us when you want to go on"), actions
	case k.Status == casework.Paused:
		return casework.Say("目前暂停计时，条件具备后我们会主动联系您", "The clock stands for now; we shall contact you"), actions
	case k.Stage == casework.Settlement && k.Arrears():
		owed := casework.Worth(k.Served.Account.Owed)
		return casework.Sayf("账户尚欠费 %[1]s 元：请缴清，或由双方约定承担人后告知我们", "%[1]s yuan are owed: please pay, or agree who pays and tell us", owed), append(actions, "pay")
	}
	text, ok := map[casework.Stage]casework.Text{
		casework.AccountCheck:   casework.Say("正在核验证照和账户", "We are checking certificates and account"),
		casework.Settlement:     casework.Say("工作人员将抄表结清", "The meter will be read and the account settled"),
		casework.HolderChange:   casework.Say("工作人员将与新户主确认供用合同，随后变更户主", "We shall confirm the contract with the new holder and change the account"),
		casework.AccountClosure: casework.Say("正在注销账户", "The account is being closed"),
		casework.OrderIntake:    casework.Say("已收到您的诉求，正在交办", "We have your report and are passing it on"),
		casework.OrderHandling:  casework.Say("承办部门正在办理您的诉求", "Your report is being dealt with"),
		casework.Evaluation:     casework.Say("已办理，热线中心将电话回访，听取您的意见", "Done; the hotline will call you and ask for your opinion"),
	}[k.Stage]
	if !ok {
		text = casework.Say("正在办理", "In work")
	}
	return text, actions
}
