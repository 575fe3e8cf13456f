package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/curbstop/curbstop/casework"
)

// registerAgreement is what a gas customer agrees to without a login: the quote
// and the contracts, which they can read before.
func (a *API) registerAgreement() {
	handle(a, route{
		id: "confirm-quote", method: http.MethodPost, path: "/v1/public/cases/{number}/confirm-quote", tag: "customers", access: forStrangers,
		summary: casework.Say("确认报价（用气），同时确认所附方案", "agree to the quote of a gas connection, and to the design that it prices"),
	}, func(ctx context.Context, in *coded) (*doneReply, error) {
		return a.asCustomer(ctx, in.Number, in.Body.Code, casework.ConfirmQuote{By: by(ctx)})
	})
	handle(a, route{
		id: "confirm-contract", method: http.MethodPost, path: "/v1/public/cases/{number}/confirm-contract", tag: "customers", access: forStrangers,
		summary: casework.Say("签订合同（用气）", "sign a contract of a gas connection"),
	}, func(ctx context.Context, in *signing) (*doneReply, error) {
		return a.asCustomer(ctx, in.Number, in.Body.Code, casework.ConfirmContract{By: by(ctx), Kind: in.Body.Kind})
	})
	handle(a, route{
		id: "read-paper", method: http.MethodGet, path: "/v1/public/cases/{number}/papers/{kind}", tag: "customers", access: forStrangers,
		summary:   casework.Say("阅读报价单或合同（联系人已脱敏）", "read the quotation or a contract; the contact is masked"),
		responses: pageResponse(),
	}, a.readPaper)
}

type signing struct {
	CaseAddress
	Body struct {
		Code string                `json:"code" required:"true" maxLength:"40" doc:"查询码 code"`
		Kind casework.ContractKind `json:"kind" required:"true" maxLength:"64" doc:"合同：connection_contract 入户合同，supply_contract 用气合同 which contract"`
	}
}

type paperQuery struct {
	CaseAddress
	Kind string `path:"kind" maxLength:"64" doc:"quotation、connection_contract 或 supply_contract"`
	Code string `query:"code" required:"true" maxLength:"40" doc:"查询码 code"`
}

// readPaper draws a paper as it stands, for whoever is to agree to it. Like the
// progress it shows no personal data: who has the code may have found it.
func (a *API) readPaper(ctx context.Context, in *paperQuery) (*streamed, error) {
	k, err := a.ownCase(ctx, in.Number, in.Code)
	if err != nil {
		return nil, err
	}
	kind := casework.DocumentKind(in.Kind)
	there := kind == casework.Quotation && k.Gas.Quote != nil || k.Contract(casework.ContractKind(kind)) != nil
	if !there {
		return nil, casework.Refuse(casework.NotFound, "paper_not_found", casework.Say(
			"没有这份材料；可阅读已出具的 quotation（报价单）、connection_contract（入户合同）、supply_contract（用气合同）",
			"there is no such paper; those that are made can be read: quotation, connection_contract, supply_contract"))
	}
	k = k.Clone()
	k.Request = maskRequest(k.Request)
	if k.Request.Applicant.Person {
		k.Request.Site.Address = "＊＊＊" // a home
	}
	k.Facts = maskFacts(k.Facts)
	_, html, err := a.paper(kind, k, a.now())
	if err != nil {
		return nil, err
	}
	return a.file(ctx, "text/html; charset=utf-8", "", html), nil
}

// maskFacts hides who signed for a customer.
func maskFacts(f casework.Facts) casework.Facts {
	f.Gas.Contracts = slices.Clone(f.Gas.Contracts)
	for i := range f.Gas.Contracts {
		f.Gas.Contracts[i].Signatory = maskName(f.Gas.Contracts[i].Signatory)
	}
	return f
}

// quoteView is a quote as the customer sees it.
type quoteView struct {
	Fixed    bool                 `json:"fixed" doc:"一口价 a fixed price"`
	Lines    []casework.QuoteLine `json:"lines"`
	Total    int64                `json:"total" doc:"合计（分） in fen"`
	AgreedAt time.Time            `json:"agreed_at,omitzero" doc:"您同意的时间 when you agreed"`
	Paper    string               `json:"paper" doc:"报价单，附上 code 阅读 the paper; add the code to read it"`
}

// contractView is a contract as the customer sees it.
type contractView struct {
	Kind     casework.ContractKind `json:"kind"`
	Name     string                `json:"name"`
	Number   string                `json:"number"`
	SignedAt time.Time             `json:"signed_at,omitzero"`
	Paper    string                `json:"paper" doc:"合同文本，附上 code 阅读 the paper; add the code to read it"`
}

// deferredView is what a request was accepted without and still lacks.
type deferredView struct {
	Item casework.DeferredItem `json:"item"`
	Name string                `json:"name"`
}

// showAgreement adds what only a gas customer sees of their case.
func (a *API) showAgreement(v *progressView, k *casework.Case) {
	paper := func(kind casework.DocumentKind) string {
		return a.link("/v1/public/cases/%s/papers/%s", k.Number, kind)
	}
	if q := k.Gas.Quote; q != nil {
		v.Quote = &quoteView{Fixed: q.Fixed, Lines: q.Lines, Total: q.Total, AgreedAt: q.AgreedAt, Paper: paper(casework.Quotation)}
	}
	for _, c := range k.Gas.Contracts {
		v.Contracts = append(v.Contracts, contractView{c.Kind, c.Kind.Name(), c.Number, c.SignedAt, paper(casework.DocumentKind(c.Kind))})
	}
	for _, item := range k.Deferred() {
		v.Deferred = append(v.Deferred, deferredView{item, item.Name()})
	}
}

// agreementStep says what of the quote and the contracts waits for the customer;
// false where nothing does.
func agreementStep(k *casework.Case) (casework.Text, string, bool) {
	if q := k.Gas.Quote; q != nil && q.AgreedAt.IsZero() {
		return casework.Say("请您确认报价和所附方案，或与工作人员洽谈", "Please agree to the quote and its design, or talk to us"), "confirm-quote", true
	}
	if len(k.Deferred()) > 0 {
		return casework.Text{}, "", false
	}
	for _, c := range k.Gas.Contracts {
		if c.SignedAt.IsZero() {
			return casework.Say("请您阅读并签订合同，无需到窗口", "Please read and sign the contracts; you need not come to us"), "confirm-contract", true
		}
	}
	return casework.Text{}, "", false
}
