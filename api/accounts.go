package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/curbstop/curbstop/billing"
	"github.com/curbstop/curbstop/casework"
)

// Billing is the billing system as far as the api asks it itself.
type Billing interface {
	Account(ctx context.Context, number string) (billing.Account, error)
}

// accountants are the roles that ask after accounts and take payments.
var accountants = []casework.Role{
	casework.ServiceHall, casework.Hotline, casework.Taskforce, casework.TaskforceOffice, casework.Platform,
}

// billingWait is how long a caller waits for billing's answer to a payment or an
// invoice before it is told that the request is kept.
const billingWait = 5 * time.Second

func (a *API) registerAccounts() {
	handle(a, route{
		id: "get-balance", method: http.MethodGet, path: "/v1/accounts/{account}/balance", tag: "accounts", access: forRoles(accountants...),
		summary: casework.Say("账户余额和欠费（每次查看留痕）", "what an account owes and has prepaid; each look is audited"),
	}, func(ctx context.Context, in *AccountAddress) (*reply[balanceView], error) {
		if err := casework.CheckAccountNumber(in.Account); err != nil {
			return nil, err
		}
		if err := a.audit(ctx, "balance_read", in.Account, nil); err != nil {
			return nil, err
		}
		return answer(a.balance(ctx, in.Account))
	})
	handle(a, route{
		id: "pay", method: http.MethodPost, path: "/v1/accounts/{account}/payments", tag: "accounts", access: forRoles(accountants...),
		summary: casework.Say("缴费：转交计费系统；系统暂不可用时保留并重试（202）", "a payment, passed on to billing; kept and tried again while billing is down (202)"),
	}, func(ctx context.Context, in *paymentInput) (*billingReply, error) {
		return a.askBilling(ctx, in.Body.request(in.Account, ""))
	})
	handle(a, route{
		id: "ask-invoice", method: http.MethodPost, path: "/v1/accounts/{account}/invoices", tag: "accounts", access: forRoles(accountants...),
		summary: casework.Say("开票：转交计费系统；系统暂不可用时保留并重试（202）", "an invoice, passed on to billing; kept and tried again while billing is down (202)"),
	}, func(ctx context.Context, in *invoiceInput) (*billingReply, error) {
		return a.askBilling(ctx, in.Body.request(in.Account, ""))
	})
	handle(a, route{
		id: "list-billing-requests", method: http.MethodGet, path: "/v1/billing-requests", tag: "accounts",
		access:  forRoles(casework.ServiceHall, casework.Hotline, casework.TaskforceOffice, casework.TaskforceLead, casework.Management, casework.Auditor),
		summary: casework.Say("缴费和开票申请，最近的在前；可查看待计费系统确认的", "payments and invoices that were asked for, the last first; also those that wait for billing"),
	}, a.listBilling)
	a.registerOwnAccounts()
}

// registerOwnAccounts lets a customer ask about the account of their own case.
func (a *API) registerOwnAccounts() {
	handle(a, route{
		id: "own-balance", method: http.MethodGet, path: "/v1/public/cases/{number}/balance", tag: "customers", access: forStrangers,
		summary: casework.Say("凭查询码查看本案户号的余额和欠费", "the balance of the account of a case, by its code"),
	}, func(ctx context.Context, in *codedQuery) (*reply[balanceView], error) {
		account, err := a.ownAccount(ctx, in.Number, in.Code)
		if err != nil {
			return nil, err
		}
		return answer(a.balance(ctx, account))
	})
	handle(a, route{
		id: "pay-own", method: http.MethodPost, path: "/v1/public/cases/{number}/payments", tag: "customers", access: forStrangers,
		summary: casework.Say("报告已付款，由计费系统核对入账", "report a payment, which billing verifies and books"),
	}, func(ctx context.Context, in *ownPayment) (*billingReply, error) {
		account, err := a.ownAccount(ctx, in.Number, in.Body.Code)
		if err != nil {
			return nil, err
		}
		return a.askBilling(ctx, in.Body.request(account, in.Number))
	})
	handle(a, route{
		id: "ask-own-invoice", method: http.MethodPost, path: "/v1/public/cases/{number}/invoices", tag: "customers", access: forStrangers,
		summary: casework.Say("申请开票", "ask for an invoice"),
	}, func(ctx context.Context, in *ownInvoice) (*billingReply, error) {
		account, err := a.ownAccount(ctx, in.Number, in.Body.Code)
		if err != nil {
			return nil, err
		}
		return a.askBilling(ctx, in.Body.request(account, in.Number))
	})
}

// AccountAddress is the part of an address that names an account; exported like
// [CaseAddress].
type AccountAddress struct {
	Account string `path:"account" maxLength:"20" doc:"户号 account number"`
}

// PaymentFields are what a payment says; exported like [CaseAddress].
type PaymentFields struct {
	Amount int64  `json:"amount" doc:"金额（分） in fen"`
	Way    string `json:"way" enum:"wechat,alipay,bank,cash,platform" doc:"缴费方式；现金限工作人员代收 how it was paid; cash is taken by staff alone"`
	Number string `json:"number" doc:"支付流水号 number of whoever took the money"`

	Channel casework.Channel `json:"channel,omitempty" doc:"渠道 the way it came in"`
}

func (f PaymentFields) request(account, number string) casework.BillingRequest {
	return casework.BillingRequest{
		Kind: casework.PaymentRequest, Account: account, Case: number, Channel: f.Channel, Amount: f.Amount, Way: f.Way, Number: f.Number,
	}
}

// InvoiceFields are what an invoice is asked with; exported like [CaseAddress].
type InvoiceFields struct {
	Amount  int64  `json:"amount,omitempty" doc:"金额（分）；不填为全部未开票金额 in fen; left out: whatever has no invoice yet"`
	Title   string `json:"title" doc:"抬头 to whom it is written"`
	TaxCode string `json:"tax_code,omitempty" doc:"纳税人识别号 tax number"`
	Email   string `json:"email,omitempty" doc:"接收邮箱 where it is sent"`

	Channel casework.Channel `json:"channel,omitempty" doc:"渠道 the way it came in"`
}

func (f InvoiceFields) request(account, number string) casework.BillingRequest {
	return casework.BillingRequest{
		Kind: casework.InvoiceRequest, Account: account, Case: number, Channel: f.Channel, Amount: f.Amount, Title: f.Title,
		TaxCode: casework.NormaliseCreditCode(f.TaxCode), Email: f.Email,
	}
}

type paymentInput struct {
	AccountAddress
	Body PaymentFields
}

type invoiceInput struct {
	AccountAddress
	Body InvoiceFields
}

type codedQuery struct {
	CaseAddress
	Code string `query:"code" required:"true" maxLength:"40" doc:"查询码 code"`
}

type ownPayment struct {
	CaseAddress
	Body struct {
		Code string `json:"code" required:"true" maxLength:"40" doc:"查询码 code"`
		PaymentFields
	}
}

type ownInvoice struct {
	CaseAddress
	Body struct {
		Code string `json:"code" required:"true" maxLength:"40" doc:"查询码 code"`
		InvoiceFields
	}
}

// ownAccount is the account of a customer's own case.
func (a *API) ownAccount(ctx context.Context, number, code string) (string, error) {
	k, err := a.ownCase(ctx, number, code)
	if err != nil {
		return "", err
	}
	account := k.AccountOf()
	// Whoever asks for a transfer may not yet look into an account that a holder
	// of another name has.
	if k.Kind == casework.TransferCase && k.Served.ChangedAt.IsZero() && !k.Served.Account.Clear() {
		account = ""
	}
	if account == "" {
		return "", casework.Refuse(casework.Conflict, "no_account", casework.Say("本案尚无可查询的户号", "the case has no account yet that can be asked about"))
	}
	return account, nil
}

// balanceView is what an account owes. It names nobody.
type balanceView struct {
	Account string    `json:"account"`
	State   string    `json:"state" enum:"active,closed"`
	Owed    int64     `json:"owed" doc:"欠费（分） in fen"`
	Credit  int64     `json:"credit" doc:"预存余额（分） prepaid, in fen"`
	AsOf    time.Time `json:"as_of,omitzero"`
}

func billingNotConnected() error {
	return casework.Refuse(casework.Conflict, "billing_not_connected", casework.Say("本系统未接通计费系统，请到服务大厅办理", "no billing system is connected here; the service hall can help"))
}

func (a *API) balance(ctx context.Context, number string) (balanceView, error) {
	if a.billing == nil {
		return balanceView{}, billingNotConnected()
	}
	account, err := a.billing.Account(ctx, number)
	return a.viewBalance(ctx, account, err)
}

// viewBalance words what billing said of an account.
func (a *API) viewBalance(ctx context.Context, account billing.Account, err error) (balanceView, error) {
	var no *billing.RefusalError
	switch {
	case errors.Is(err, billing.ErrNotFound):
		return balanceView{}, casework.Refuse(casework.NotFound, "account_not_found", casework.Say("没有这个户号", "there is no such account"))
	case errors.As(err, &no):
		return balanceView{}, casework.Refuse(casework.Conflict, "billing_refused", casework.Sayf("计费系统拒绝：%s", "billing refused: %s", no.Reason))
	case err != nil:
		callOf(ctx).report(ctx, err)
		return balanceView{}, casework.Refuse(casework.Unavailable, "billing_unavailable", casework.Say("计费系统暂不可用，请稍后重试", "billing does not answer; try again later"))
	}
	b := account.Balance
	return balanceView{Account: account.Number, State: account.State, Owed: b.Owed, Credit: b.Credit, AsOf: b.AsOf}, nil
}

// billingView is a payment or invoice request as its caller sees it.
type billingView struct {
	ID        string                      `json:"id"`
	Kind      casework.BillingRequestKind `json:"kind"`
	Account   string                      `json:"account"`
	Case      string                      `json:"case,omitempty"`
	Channel   casework.Channel            `json:"channel,omitempty"`
	By        string                      `json:"by"`
	Source    casework.BillingSource      `json:"source,omitempty" enum:"staff,platform,customer" doc:"谁报的：工作人员、平台、客户本人 who says so"`
	At        time.Time                   `json:"at"`
	Amount    int64                       `json:"amount,omitempty"`
	Way       string                      `json:"way,omitempty"`
	Number    string                      `json:"number,omitempty"`
	State     casework.BillingState       `json:"state" enum:"pending,done,refused" doc:"pending 已保留，系统持续提交；done 已办；refused 计费系统拒绝，见 reason"`
	Tries     int                         `json:"tries"`
	SettledAt time.Time                   `json:"settled_at,omitzero"`
	Reference string                      `json:"reference,omitempty" doc:"计费系统受理号 billing's own number"`
	Reason    string                      `json:"reason,omitempty" doc:"拒绝原因 why billing refused"`
}

func viewBilling(r casework.BillingRequest) billingView {
	return billingView{
		ID: r.ID, Kind: r.Kind, Account: r.Account, Case: r.Case, Channel: r.Channel, By: r.By, Source: r.Source, At: r.At, Amount: r.Amount, Way: r.Way, Number: r.Number,
		State: r.State, Tries: r.Tries, SettledAt: r.SettledAt, Reference: r.Reference, Reason: r.Reason,
	}
}

type billingReply struct {
	Status int
	Body   billingView
}

// askBilling writes a request down and has it carried to billing. What billing
// has not answered in time is kept, and told with 202; the same key asks again
// what became of it. The key is the request's ID, unless it has one.
func (a *API) askBilling(ctx context.Context, r casework.BillingRequest) (*billingReply, error) {
	if a.billing == nil {
		return nil, billingNotConnected()
	}
	actor := actorOf(ctx)
	r.ID, r.By, r.Source, r.At = nonZero(r.ID, callOf(ctx).updateID), actor.ID, casework.BillingSourceOf(actor), a.now()
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if r.Way == "cash" && actor.Has(casework.Customer, casework.Platform) {
		var c casework.Check
		c.Field("way", casework.Say("现金由工作人员代收", "cash is taken by staff"))
		return nil, c.Err()
	}
	kept, fresh, err := a.store.AskBilling(ctx, r)
	if err != nil {
		return nil, err
	}
	if kept.State == casework.BillingPending {
		wait := time.Duration(0)
		if fresh {
			wait = billingWait
		}
		if err := a.desk.StartBilling(ctx, kept, wait); err != nil {
			callOf(ctx).report(ctx, err) // it is kept, and will be started
		}
		if settled, err := a.store.BillingRequest(ctx, kept.ID); err == nil {
			kept = settled
		}
	}
	status := http.StatusOK
	if kept.State == casework.BillingPending {
		status = http.StatusAccepted
	}
	view := viewBilling(kept)
	// All customers are one caller, so that another's payment is told by its ID.
	if others := kept.By != actor.ID || kept.ID != r.ID && actor.Has(casework.Customer); others && actor.Has(casework.Customer, casework.Platform) {
		view.By, view.Case = "", "" // who else has reported the payment is none of theirs
	}
	return &billingReply{Status: status, Body: view}, nil
}

type billingQuery struct {
	Account string `query:"account" maxLength:"20" doc:"户号 account number"`
	State   string `query:"state" enum:"pending,done,refused"`
	Paging
}

func (a *API) listBilling(ctx context.Context, in *billingQuery) (*reply[page[billingView]], error) {
	if err := a.audit(ctx, "billing_requests_read", "billing_requests", nil); err != nil {
		return nil, err
	}
	list, next, err := a.store.BillingRequests(ctx, casework.BillingFilter{Account: in.Account, State: casework.BillingState(in.State), Page: in.page()})
	if err != nil {
		return nil, err
	}
	views := make([]billingView, len(list))
	for i, r := range list {
		views[i] = viewBilling(r)
	}
	return answer(page[billingView]{views, next}, nil)
}
