package casework

import (
	"regexp"
	"time"
)

// Forwarding is a request that came to the wrong company: any window takes any
// request (measures part 3), so it is accepted, kept whole, and handed over by
// a person. The customer does not come again.
type Forwarding struct {
	Number     string          `json:"number"`
	Reason     ForwardReason   `json:"reason"`
	Request    Request         `json:"request"`
	Service    CaseKind        `json:"service,omitempty"`     // the service that was meant, where it is no connection
	PassedFrom string          `json:"passed_from,omitempty"` // the case from which it was passed on
	By         string          `json:"by"`                    // who took it in
	ReceivedAt time.Time       `json:"received_at"`
	State      ForwardingState `json:"state"`
	HandedTo   string          `json:"handed_to,omitempty"` // the company or desk
	HandedAt   time.Time       `json:"handed_at,omitzero"`
	HandedBy   string          `json:"handed_by,omitempty"`
	Note       string          `json:"note,omitempty"`
}

// ForwardReason says why a request is not ours.
type ForwardReason string

// The reasons.
const (
	OtherUtility  ForwardReason = "other_utility"  // 非本公司能源
	OtherDistrict ForwardReason = "other_district" // 非本公司供应区域
	OtherService  ForwardReason = "other_service"  // 非报装业务
)

// Name is the reason's Chinese name.
func (r ForwardReason) Name() string {
	switch r {
	case OtherUtility:
		return "非本公司能源"
	case OtherDistrict:
		return "非本公司供应区域"
	case OtherService:
		return "非报装业务"
	}
	return string(r)
}

// ForwardingState is where a forwarding stands.
type ForwardingState string

// The states.
const (
	ForwardingWaits ForwardingState = "waiting"     // 待转交
	ForwardingDone  ForwardingState = "handed_over" // 已转交
)

// ForwardingFilter selects forwardings; a zero field selects all.
type ForwardingFilter struct {
	State ForwardingState
	Page
}

// Utilities of other companies, which a window may be asked for.
const (
	Electricity Utility = "electricity" // 电
	Heat        Utility = "heat"        // 热
)

// Known tells whether u is a utility, ours or another company's.
func (u Utility) Known() bool { return u.Valid() || u == Electricity || u == Heat }

var divisionCode = regexp.MustCompile(`^[1-9]\d{5}$`)

// Foreign tells why a request belongs to another company; served are the
// utilities of this installation. A district that was abolished is no other
// company's, it is a slip.
func (r Request) Foreign(served func(Utility) bool) (ForwardReason, bool) {
	_, ours := Wuhu().find(r.Site.District)
	switch {
	case r.Utility.Known() && !served(r.Utility):
		return OtherUtility, true
	case !ours && divisionCode.MatchString(string(r.Site.District)):
		return OtherDistrict, true
	}
	return "", false
}

// ValidateForeign judges a request that is forwarded: everything but whether
// the utility and the district are ours.
func (r Request) ValidateForeign() error {
	if r.Utility.Known() {
		r.Utility = Gas // of which no credit code is asked at once
	}
	if _, ours := Wuhu().find(r.Site.District); !ours && divisionCode.MatchString(string(r.Site.District)) {
		r.Site.District = Wuhu().Divisions[0].Code
	}
	return r.Validate()
}

// HandForwarding is what a person notes who handed a request over.
type HandForwarding struct {
	To   string `json:"to" doc:"转交给哪家单位 the company or desk that took it"`
	Note string `json:"note,omitempty" doc:"备注，如对方受理号 note, such as their number"`
}

// Check names every field that is wrong.
func (h HandForwarding) Check() error {
	var c Check
	text(&c, "to", h.To, true)
	c.Require(len([]rune(h.To)) <= maxName, "to", tooLong(maxName))
	text(&c, "note", h.Note, false)
	return c.Err()
}
