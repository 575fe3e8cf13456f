package casework

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ServiceRequest asks for a service other than a connection, as it came in, in
// our terms: an account changes its holder (过户) or is closed (销户), or 12345
// sends a work order.
type ServiceRequest struct {
	Service        CaseKind                   `json:"service"`
	Utility        Utility                    `json:"utility"`
	Channel        Channel                    `json:"channel"`
	ExternalNumber string                     `json:"external_number,omitempty"` // the sender's own number; with the channel it is accepted once
	District       District                   `json:"district,omitempty"`        // empty where the sender does not say
	Address        string                     `json:"address,omitempty"`
	Account        string                     `json:"account,omitempty"` // 户号
	Holder         AccountHolder              `json:"holder,omitzero"`   // as the sender knows the present one
	NewHolder      AccountHolder              `json:"new_holder,omitzero"`
	Property       Property                   `json:"property,omitzero"`
	Certificates   []Certificate              `json:"certificates,omitempty"`
	Order          *HotlineOrder              `json:"order,omitempty"` // of 12345
	Reason         string                     `json:"reason,omitempty"`
	ByServiceCode  bool                       `json:"by_service_code,omitempty" readOnly:"true"` // as that of a [Request]
	Attachments    []Attachment               `json:"attachments,omitempty" readOnly:"true"`     // as those of a [Request]
	Extra          map[string]json.RawMessage `json:"extra,omitempty"`                           // what else the sender wrote
}

// AccountHolder is in whose name an account is (户主). It is personal data.
type AccountHolder struct {
	Name       string `json:"name,omitempty"`
	Phone      string `json:"phone,omitempty"`
	ResidentID string `json:"resident_id,omitempty"` // of a person
	CreditCode string `json:"credit_code,omitempty"` // of an organisation
}

// Property is what the property register says of a house that changed hands.
type Property struct {
	Unit       string `json:"unit,omitempty"`       // 不动产单元号, GB/T 37346-2019
	Acceptance string `json:"acceptance,omitempty"` // 受理编号 of the register
	Item       string `json:"item,omitempty"`       // 项目标识 of the register
}

// CertificateKind names an electronic certificate that came along (电子证照).
type CertificateKind string

// The certificates that come along with a transfer.
const (
	IdentityCertificate CertificateKind = "identity" // 身份证
	TitleCertificate    CertificateKind = "title"    // 不动产权证书
	SaleContract        CertificateKind = "contract" // 买卖合同
)

// Certificate is a certificate that came along with a request, so that nobody
// is asked for it.
type Certificate struct {
	Kind     CertificateKind `json:"kind"`
	Number   string          `json:"number,omitempty"`
	Document string          `json:"document,omitempty"` // where its image was put, in the archive
	Content  []byte          `json:"content,omitempty"`  // its image, until it is put there
}

// HotlineOrder is a work order of 12345 (工单).
type HotlineOrder struct {
	Title    string      `json:"title,omitempty"`
	Content  string      `json:"content"`            // what the caller said
	Question string      `json:"question,omitempty"` // 12345's own classification
	Caller   Contact     `json:"caller,omitzero"`
	CalledAt time.Time   `json:"called_at,omitzero"`
	ReplyBy  time.Time   `json:"reply_by,omitzero"` // the time that 12345 sets
	Urgent   bool        `json:"urgent,omitempty"`
	Secret   bool        `json:"secret,omitempty"`   // the caller does not want to be named
	Position *[2]float64 `json:"position,omitempty"` // longitude and latitude, as sent
}

// ServiceKinds lists the kinds of case that a service request opens.
func ServiceKinds() []CaseKind { return []CaseKind{TransferCase, ClosingCase, OrderCase} }

// CertificateKinds lists the certificates.
func CertificateKinds() []CertificateKind {
	return []CertificateKind{IdentityCertificate, TitleCertificate, SaleContract}
}

// Document is the kind of document as which a certificate is filed.
func (c CertificateKind) Document() DocumentKind {
	switch c {
	case IdentityCertificate:
		return IdentityPaper
	case TitleCertificate:
		return TitlePaper
	case SaleContract:
		return SaleContractPaper
	}
	return OtherPaper
}

// Name is the certificate's Chinese name.
func (c CertificateKind) Name() string { return c.Document().Name() }

const (
	maxCertificates = 20
	maxExtra        = 200 // fields that nobody knows
)

// Normalise brings the request to its canonical spelling and never changes its
// meaning; [ServiceRequest.Validate] judges what comes out.
func (r ServiceRequest) Normalise() ServiceRequest {
	r.ExternalNumber, r.Address, r.Reason = strings.TrimSpace(r.ExternalNumber), strings.TrimSpace(r.Address), strings.TrimSpace(r.Reason)
	r.Account = normaliseAccount(r.Account)
	r.Holder, r.NewHolder = r.Holder.normalise(), r.NewHolder.normalise()
	if r.Order != nil {
		o := *r.Order
		o.Title, o.Content = strings.TrimSpace(o.Title), strings.TrimSpace(o.Content)
		o.Caller.Name, o.Caller.Phone = strings.TrimSpace(o.Caller.Name), NormalisePhone(o.Caller.Phone)
		r.Order = &o
	}
	return r
}

func (h AccountHolder) normalise() AccountHolder {
	h.Name, h.Phone = strings.TrimSpace(h.Name), NormalisePhone(h.Phone)
	h.ResidentID, h.CreditCode = NormaliseCreditCode(h.ResidentID), NormaliseCreditCode(h.CreditCode)
	return h
}

// normaliseAccount keeps dashes, which belong to some account numbers.
func normaliseAccount(s string) string { return strings.Map(upper, strings.TrimSpace(s)) }

// Validate judges a normalised request and names every field that is wrong.
// What the sender does not know, such as the account number of a house that was
// sold, is no fault: somebody of ours finds it out.
func (r ServiceRequest) Validate() error {
	var c Check
	oneOf(&c, "service", r.Service, ServiceKinds()...)
	c.Require(r.Utility.Valid(), "utility", Say("用能类型应为 water（水）或 gas（气）", "utility must be water or gas"))
	c.Require(r.Channel.Valid(), "channel", Sayf("渠道应为：%s", "channel must be one of: %s", joinAny(Channels())))
	c.Require(len([]rune(r.ExternalNumber)) <= maxNumber, "external_number", tooLong(maxNumber))
	if r.District != "" {
		c.Nested("district", r.District.Check())
	}
	c.Require(len([]rune(r.Address)) <= maxName, "address", tooLong(maxName))
	if r.Account != "" {
		checkAccountNumber(&c, r.Account)
	}
	text(&c, "reason", r.Reason, false)
	r.Holder.check(&c, "holder", r.Service == ClosingCase)
	r.NewHolder.check(&c, "new_holder", r.Service == TransferCase)
	for _, number := range []struct{ field, value string }{
		{"property.unit", r.Property.Unit}, {"property.acceptance", r.Property.Acceptance}, {"property.item", r.Property.Item},
	} {
		c.Require(len([]rune(number.value)) <= maxNumber, number.field, tooLong(maxNumber))
	}
	c.Require(len(r.Certificates) <= maxCertificates, "certificates", Sayf("证照最多 %d 份", "at most %d certificates", maxCertificates))
	for i, certificate := range r.Certificates {
		oneOf(&c, fmt.Sprintf("certificates[%d].kind", i), certificate.Kind, CertificateKinds()...)
	}
	c.Require(len(r.Extra) <= maxExtra, "extra", Sayf("其他内容最多 %d 项", "at most %d further fields", maxExtra))
	switch r.Service {
	case TransferCase, ClosingCase:
		c.Require(r.Order == nil, "order", Say("仅 12345 工单填写", "only for an order of 12345"))
		c.Require(r.Account != "" || r.Address != "", "account", Say("请填写户号；不知道户号的，填写用能地址", "give the account number or, where it is not known, the address"))
	case OrderCase:
		if r.Order == nil {
			c.Field("order", Say("请填写工单内容", "the order's content is missing"))
			break
		}
		r.Order.check(&c)
	default:
	}
	return c.Err()
}

func (h AccountHolder) check(c *Check, field string, required bool) {
	c.Require(h.Name != "" || !required, field+".name", Say("请填写姓名或单位名称", "the name is missing"))
	c.Require(len([]rune(h.Name)) <= maxName, field+".name", tooLong(maxName))
	if h.Phone != "" {
		c.Nested(field+".phone", CheckPhone(h.Phone))
	}
	// The register has verified who they are; a number is compared, not judged.
	c.Require(len([]rune(h.ResidentID)) <= maxNumber, field+".resident_id", tooLong(maxNumber))
	c.Require(len([]rune(h.CreditCode)) <= maxNumber, field+".credit_code", tooLong(maxNumber))
}

func (o HotlineOrder) check(c *Check) {
	text(c, "order.content", o.Content, true)
	c.Require(len([]rune(o.Title)) <= maxName, "order.title", tooLong(maxName))
	c.Require(len([]rune(o.Question)) <= maxName, "order.question", tooLong(maxName))
	c.Require(len([]rune(o.Caller.Name)) <= maxName, "order.caller.name", tooLong(maxName))
	// A landline is what many callers have: what 12345 wrote is kept as it is.
	c.Require(len([]rune(o.Caller.Phone)) <= maxNumber, "order.caller.phone", tooLong(maxNumber))
	c.Require(o.ReplyBy.IsZero() || !o.ReplyBy.Before(o.CalledAt), "order.reply_by",
		Say("答复时限早于来电时间", "the reply is due before the call"))
}

// AcceptedBy is the number by which the request is accepted once on its
// channel. A house sale asks for both utilities under one number, and a number
// of a connection is another thing; an order of 12345 is the same order whatever
// utility it was first taken for.
func (r ServiceRequest) AcceptedBy() string {
	if r.Service == OrderCase {
		return string(r.Service) + "/" + r.ExternalNumber
	}
	return string(r.Service) + "/" + string(r.Utility) + "/" + r.ExternalNumber
}

// Request gives what lists, districts and calls need of a service request in
// the words of a connection's. What has no known district belongs to the whole
// city until somebody knows.
func (r ServiceRequest) Request() Request {
	out := Request{
		Utility: r.Utility, Channel: r.Channel, ExternalNumber: r.ExternalNumber,
		Site: Site{District: r.District, Address: r.Address}, ByServiceCode: r.ByServiceCode, Attachments: r.Attachments,
	}
	if out.Site.District == "" {
		out.Site.District = AllDistricts
	}
	who := r.Holder
	if r.Service == TransferCase {
		who = r.NewHolder
	}
	if r.Service == OrderCase && r.Order != nil {
		who = AccountHolder{Name: r.Order.Caller.Name, Phone: r.Order.Caller.Phone}
		if r.Order.Secret {
			who = AccountHolder{Name: "（来电人保密）"} // only the hotline knows, from the order itself
		}
	}
	out.Applicant = Applicant{Name: who.Name, CreditCode: who.CreditCode, Person: who.CreditCode == ""}
	out.Contact = Contact{Name: who.Name, Phone: who.Phone}
	return out
}

// ServiceOf gives what a request for a connection asks for where it turned out
// to mean another service: who applies, where, and in their words.
func ServiceOf(r Request, service CaseKind, words string) ServiceRequest {
	out := ServiceRequest{
		Service: service, Utility: r.Utility, Channel: r.Channel, ExternalNumber: r.ExternalNumber,
		District: r.Site.District, Address: r.Site.Address, Reason: words, ByServiceCode: r.ByServiceCode, Attachments: r.Attachments, Extra: r.Extra,
	}
	who := AccountHolder{Name: r.Applicant.Name, Phone: r.Contact.Phone, CreditCode: r.Applicant.CreditCode}
	switch service {
	case TransferCase:
		out.NewHolder = who
	case ClosingCase:
		out.Holder = who
	default:
		out.Order = &HotlineOrder{Content: words, Caller: r.Contact}
	}
	return out.Normalise()
}

// amend takes a correction over to whoever the request is about.
func (r *ServiceRequest) amend(to Request) {
	if r == nil {
		return
	}
	r.Address = to.Site.Address
	switch {
	case r.Service == TransferCase:
		r.NewHolder.Name, r.NewHolder.Phone = to.Applicant.Name, to.Contact.Phone
	case r.Service == ClosingCase:
		r.Holder.Name, r.Holder.Phone = to.Applicant.Name, to.Contact.Phone
	case r.Order != nil && !r.Order.Secret:
		r.Order.Caller = to.Contact
	}
}

// Brief gives the request without the images of its certificates, which are too
// large to travel with a case.
func (r ServiceRequest) Brief() ServiceRequest {
	r.Certificates = slices.Clone(r.Certificates)
	for i := range r.Certificates {
		r.Certificates[i].Content = nil
	}
	return r
}

// NewService opens the case of a validated service request.
func NewService(number string, r ServiceRequest, terms Terms, by Actor, now time.Time) *Case {
	r = r.Brief()
	k := &Case{
		Number: number, Kind: r.Service, Terms: terms, Request: r.Request(), Service: &r,
		ReceivedAt: now, ReceivedBy: by.ID, Status: Open, Stage: StagesOf(r.Service)[0],
	}
	r.Attachments = nil // the request in the words of a connection has them
	k.record(now, by, Received, "", Sayf("收到%[1]s：%[2]s（%[3]s）", "%[4]s received for %[5]s by %[6]s",
		r.Service.Name(), r.Utility.Name(), r.Channel.Name(), r.Service, r.Utility, r.Channel), nil)
	k.touchIntake(by, now)
	return k
}

// certificatesNeeded lists what an account's case needs on file (M 3.3: identity
// and title come along with a transfer; whoever closes an account says who they
// are).
func (k *Case) certificatesNeeded() []CertificateKind {
	switch k.Kind {
	case TransferCase:
		return []CertificateKind{IdentityCertificate, TitleCertificate}
	case ClosingCase:
		return []CertificateKind{IdentityCertificate}
	default:
		return nil
	}
}

// MissingCertificates lists those that neither came along nor were obtained.
// One that came along by its number alone was verified by whoever sent it.
func (k *Case) MissingCertificates() []CertificateKind {
	var missing []CertificateKind
	for _, kind := range k.certificatesNeeded() {
		came := slices.ContainsFunc(k.Service.Certificates, func(c Certificate) bool { return c.Kind == kind })
		if !came && !slices.Contains(k.Served.Obtained, kind) && k.countDocuments(kind.Document()) == 0 {
			missing = append(missing, kind)
		}
	}
	return missing
}

// FileCertificates attaches the certificates that came along, whose images are
// in the archive now.
func (k *Case) FileCertificates(ds []Document, now time.Time) {
	if !k.Served.FiledAt.IsZero() {
		return
	}
	k.Served.FiledAt = now
	for _, d := range ds {
		d.At, d.By = now, System().ID
		k.attach(d, System(), now)
	}
	if len(k.Service.Certificates) > 0 {
		k.touch(now, System(), ZeroDocument, false, Say("证照随申请推送，客户无需提供", "certificates came along; the customer brings none"))
	}
}
