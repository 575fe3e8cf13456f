package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/curbstop/curbstop/billing"
	"github.com/curbstop/curbstop/casework"
)

// registerPublicIntake is what customers bring in by themselves, through our own
// channels: the company's site, the WeChat account, the mini program. Whoever
// opens or asks after something here has proved nothing, so that it is counted
// more narrowly than what a code is needed for.
func (a *API) registerPublicIntake() {
	handle(a, route{
		id: "apply-online", method: http.MethodPost, path: "/v1/public/connection-requests", tag: "customers", access: forApplicants, status: http.StatusCreated,
		summary: casework.Say("客户自行线上报装：公司网站、微信公众号、小程序", "a customer applies for a connection by themselves, on one of our own channels"),
	}, a.applyOnline)
	handle(a, route{
		id: "apply-jointly-online", method: http.MethodPost, path: "/v1/public/joint-requests", tag: "customers", access: forApplicants, status: http.StatusCreated,
		summary: casework.Say("客户自行线上报装多种能源：一个编号和查询码", "a customer applies for several utilities at once: one number and code"),
	}, a.applyJointlyOnline)
	handle(a, route{
		id: "request-service-online", method: http.MethodPost, path: "/v1/public/service-requests", tag: "customers", access: forApplicants, status: http.StatusCreated,
		summary: casework.Say("客户自行线上申请过户、销户；证照由工作人员向电子证照库核验，无需上传", "a customer asks for a transfer or a closing; staff verify the certificates in the register, none is uploaded"),
	}, a.requestServiceOnline)
	handle(a, route{
		id: "balance-online", method: http.MethodPost, path: "/v1/public/accounts/{account}/balance", tag: "customers", access: forApplicants, unkeyed: true,
		summary: casework.Say("凭户号和户名查询余额和欠费", "what an account owes and has prepaid, by its number and its holder's name"),
	}, a.balanceOnline)
	handle(a, route{
		id: "pay-online", method: http.MethodPost, path: "/v1/public/accounts/{account}/payments", tag: "customers", access: forApplicants,
		summary: casework.Say("缴费：报告已付款，由计费系统核对入账；任何人都可代缴", "report a payment, which billing verifies and books; anybody may pay for an account"),
	}, a.payOnline)
	handle(a, route{
		id: "ask-invoice-online", method: http.MethodPost, path: "/v1/public/accounts/{account}/invoices", tag: "customers", access: forApplicants,
		summary: casework.Say("凭户号和户名申请开票", "ask for an invoice, by account number and holder's name"),
	}, a.askInvoiceOnline)
}

// OwnChannel is the part of a body that says where a customer is; exported like
// [CaseAddress].
type OwnChannel struct {
	Channel casework.Channel `json:"channel" enum:"company_site,wechat,mini_program" doc:"渠道：公司门户网站、微信公众号、小程序 which of our own channels"`
}

// ConnectionFields are what an application of a customer says, whatever it is
// for; exported like [CaseAddress]. What only staff and platforms may say, such
// as a number of their own or that a wrong code is accepted, is not among it.
type ConnectionFields struct {
	Applicant struct {
		Name       string `json:"name" doc:"名称或姓名 name"`
		CreditCode string `json:"credit_code,omitempty" doc:"统一社会信用代码 unified social credit code"`
		Person     bool   `json:"person,omitempty" doc:"自然人 a natural person"`
	} `json:"applicant" doc:"申请单位或个人 applicant"`
	Contact casework.Contact `json:"contact" doc:"联系人 whom to call"`
	Site    struct {
		District casework.District  `json:"district" doc:"区县代码 district code"`
		Address  string             `json:"address" doc:"详细地址 address"`
		Position *casework.Position `json:"position,omitempty" doc:"坐标（WGS84 经纬度） position, WGS84"`
	} `json:"site" doc:"用能地址 where"`
	Demand casework.Demand `json:"demand" required:"false" doc:"用能需求 demand"`
	Remark string          `json:"remark,omitempty" doc:"备注 remark"`
}

func (f ConnectionFields) applicant() casework.Applicant {
	return casework.Applicant{Name: f.Applicant.Name, CreditCode: f.Applicant.CreditCode, Person: f.Applicant.Person}
}

func (f ConnectionFields) site() casework.Site {
	return casework.Site{District: f.Site.District, Address: f.Site.Address, Position: f.Site.Position}
}

type onlineApplication struct {
	Body struct {
		OwnChannel
		Utility casework.Utility `json:"utility" doc:"用能类型 water or gas"`
		ConnectionFields
	}
}

func (a *API) applyOnline(ctx context.Context, in *onlineApplication) (*acceptanceReply, error) {
	b := in.Body
	if err := a.sparingly("phone", casework.NormalisePhone(b.Contact.Phone)); err != nil {
		return nil, err
	}
	var request requestInput
	request.Body.Request = casework.Request{
		Utility: b.Utility, Channel: b.Channel, ExternalNumber: ownNumber(ctx, b),
		Applicant: b.applicant(), Contact: b.Contact, Site: b.site(), Demand: b.Demand, Remark: b.Remark,
	}
	return a.acceptRequest(ctx, &request)
}

type onlineJointApplication struct {
	Body struct {
		OwnChannel
		Utilities []casework.Utility         `json:"utilities" minItems:"1" maxItems:"5" doc:"要接入的能源：water 水、gas 气；electricity 电由供电公司办理 what is asked for; electricity is another company's"`
		Demands   map[string]casework.Demand `json:"demands,omitempty" doc:"各能源各自的需求，按 utilities 的写法 the demand of each, by its name in utilities"`
		ConnectionFields
	}
}

func (a *API) applyJointlyOnline(ctx context.Context, in *onlineJointApplication) (*jointReply, error) {
	b := in.Body
	if err := a.sparingly("phone", casework.NormalisePhone(b.Contact.Phone)); err != nil {
		return nil, err
	}
	var request jointInput
	request.Body.JointRequest = casework.JointRequest{
		Utilities: b.Utilities, Channel: b.Channel, ExternalNumber: ownNumber(ctx, b),
		Applicant: b.applicant(), Contact: b.Contact, Site: b.site(), Demand: b.Demand, Demands: b.Demands, Remark: b.Remark,
	}
	return a.acceptJointRequest(ctx, &request)
}

type onlineService struct {
	Body struct {
		OwnChannel
		Service   casework.CaseKind      `json:"service" enum:"account_transfer,account_closing" doc:"过户或销户 transfer or closing"`
		Utility   casework.Utility       `json:"utility" doc:"用能类型 water or gas"`
		Account   string                 `json:"account" doc:"户号 account number"`
		District  casework.District      `json:"district,omitempty" doc:"区县代码，可不填 district code; may be left out"`
		Address   string                 `json:"address,omitempty" doc:"用能地址 address"`
		Holder    casework.AccountHolder `json:"holder" doc:"现户主；销户须填手机号 the present holder; of a closing with a phone number"`
		NewHolder casework.AccountHolder `json:"new_holder,omitzero" doc:"新户主，过户填写，须填手机号 the new holder of a transfer, with a phone number"`
		Reason    string                 `json:"reason,omitempty" doc:"原因 why"`
	}
}

func (a *API) requestServiceOnline(ctx context.Context, in *onlineService) (*acceptanceReply, error) {
	b := in.Body
	field, who := "holder", b.Holder
	if b.Service == casework.TransferCase {
		field, who = "new_holder", b.NewHolder
	}
	var c casework.Check
	c.Require(b.Holder.Name != "", "holder.name", casework.Say("请填写现户主姓名或单位名称，与缴费账单一致", "give the present holder's name as it stands on the bill"))
	c.Require(who.Phone != "", field+".phone", casework.Say("请填写手机号，以便与您联系", "give a phone number, so that we can call"))
	c.Require(b.Account != "", "account", casework.Say("请填写户号，见缴费账单", "give the account number; it stands on the bill"))
	if err := c.Err(); err != nil {
		return nil, err
	}
	if err := a.sparingly("phone", casework.NormalisePhone(who.Phone)); err != nil {
		return nil, err
	}
	var request serviceInput
	request.Body.ServiceRequest = casework.ServiceRequest{
		Service: b.Service, Utility: b.Utility, Channel: b.Channel, ExternalNumber: ownNumber(ctx, b),
		District: b.District, Address: b.Address, Account: b.Account, Holder: b.Holder, NewHolder: b.NewHolder, Reason: b.Reason,
	}
	return a.acceptService(ctx, &request)
}

// ownNumber is the number by which a customer's request is accepted once.
func ownNumber(ctx context.Context, body any) string { return "key:" + ownKey(ctx, body) }

// ownKey is what a customer asks under their key. All strangers are one caller,
// so that the key alone would give one of them the number and code of another who
// chose the same: what is asked for belongs to it.
func ownKey(ctx context.Context, body any) string {
	asked, err := json.Marshal(body)
	if err != nil {
		asked = nil // it was JSON a moment ago
	}
	return digest(callOf(ctx).updateID, string(asked))
}

// HolderProof is the part of a body by which a stranger shows that an account is
// theirs; exported like [CaseAddress].
type HolderProof struct {
	Holder string `json:"holder" minLength:"1" maxLength:"200" doc:"户名，与缴费账单一致 the holder's name as it stands on the bill"`
}

type onlineBalance struct {
	AccountAddress
	Body HolderProof
}

// strangersAccount is the answer to a wrong name, to an unknown number and to an
// account of which billing will not speak alike.
func strangersAccount() error {
	return casework.Refuse(casework.NotFound, "account_or_holder", casework.Say("户号与户名不符", "account number and holder's name do not belong together"))
}

func (a *API) balanceOnline(ctx context.Context, in *onlineBalance) (*reply[balanceView], error) {
	if err := casework.CheckAccountNumber(in.Account); err != nil {
		return nil, err
	}
	if err := a.sparingly("account", in.Account); err != nil {
		return nil, err
	}
	if a.billing == nil {
		return nil, billingNotConnected()
	}
	account, err := a.billing.Account(ctx, in.Account)
	named := casework.AccountHolder{Name: in.Body.Holder}
	// Billing's no was said before anybody's name was compared.
	_, refused := errors.AsType[*billing.RefusalError](err)
	if refused || errors.Is(err, billing.ErrNotFound) || err == nil && named.Compare(casework.AccountHolder{Name: account.Holder.Name}) != casework.HolderMatches {
		return nil, strangersAccount()
	}
	if err == nil {
		if err := a.audit(ctx, "balance_read", in.Account, nil); err != nil {
			return nil, err
		}
	}
	return answer(a.viewBalance(ctx, account, err))
}

type onlinePayment struct {
	AccountAddress
	Body struct {
		OwnChannel
		Amount int64  `json:"amount" doc:"金额（分） in fen"`
		Way    string `json:"way" enum:"wechat,alipay,bank,platform" doc:"缴费方式 how it was paid"`
		Number string `json:"number" doc:"支付流水号 number of whoever took the money"`
	}
}

func (a *API) payOnline(ctx context.Context, in *onlinePayment) (*billingReply, error) {
	b := in.Body
	// By itself, so that who guesses names keeps nobody from paying.
	if err := a.sparingly("payment", in.Account); err != nil {
		return nil, err
	}
	r := PaymentFields{Amount: b.Amount, Way: b.Way, Number: b.Number, Channel: b.Channel}.request(in.Account, "")
	r.ID = ownKey(ctx, b)
	return a.askBilling(ctx, r)
}

type onlineInvoice struct {
	AccountAddress
	Body struct {
		OwnChannel
		HolderProof
		Amount  int64  `json:"amount,omitempty" doc:"金额（分）；不填为全部未开票金额 in fen; left out: whatever has no invoice yet"`
		Title   string `json:"title" doc:"抬头 to whom it is written"`
		TaxCode string `json:"tax_code,omitempty" doc:"纳税人识别号 tax number"`
		Email   string `json:"email,omitempty" doc:"接收邮箱 where it is sent"`
	}
}

// askInvoiceOnline keeps the request before anybody compares the name: billing
// may be down, and what somebody asked for is not lost by that.
func (a *API) askInvoiceOnline(ctx context.Context, in *onlineInvoice) (*billingReply, error) {
	b := in.Body
	if err := a.sparingly("account", in.Account); err != nil {
		return nil, err
	}
	r := InvoiceFields{Amount: b.Amount, Title: b.Title, TaxCode: b.TaxCode, Email: b.Email, Channel: b.Channel}.request(in.Account, "")
	r.ID, r.Holder = ownKey(ctx, b), b.Holder
	return a.askBilling(ctx, r)
}

// sparingly counts what strangers do to one phone number or account, however
// many addresses they come from. What is counted is kept as a digest.
func (a *API) sparingly(what, name string) error {
	if name != "" && !a.applicants.allow(digest(what, name)) {
		return tooManyCalls()
	}
	return nil
}
