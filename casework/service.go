package casework

import (
	"encoding/json"
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
	Extra          map[string]json.RawMessage `json:"extra,omitempty"` // what else the sender wrote
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
