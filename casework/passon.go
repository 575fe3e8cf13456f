package casework

import (
	"fmt"
	"slices"
	"time"
)

// PassOn hands a case inside to where it belongs (转办): to another district, to
// the other utility, or to another service. The customer comes to one window
// once; what they said and brought goes along. Exactly one of the three is set.
type PassOn struct {
	By
	District District `json:"district,omitempty"`
	Utility  Utility  `json:"utility,omitempty"`
	Service  CaseKind `json:"service,omitempty"` // account_transfer, account_closing or hotline_order
	Reason   string   `json:"reason"`
}

// Pass is one passing-on of a case.
type Pass struct {
	District   District  `json:"district,omitempty"` // where it went
	Utility    Utility   `json:"utility,omitempty"`
	Service    CaseKind  `json:"service,omitempty"`
	Reason     string    `json:"reason"`
	At         time.Time `json:"at"`
	By         string    `json:"by"`
	Number     string    `json:"number,omitempty"`       // the case that goes on, or of what is kept for others
	AcceptedAt time.Time `json:"accepted_at,omitzero"`   // by those who received it
	AcceptedBy string    `json:"accepted_by,omitempty"`  // who did
	In         bool      `json:"in,omitempty"`           // this case received it
	From       District  `json:"from_district,omitzero"` // where it was
}

// Carried is what a case takes along from the one that it goes on from.
type Carried struct {
	From        string            `json:"from"`
	ReceivedAt  time.Time         `json:"received_at"` // when the customer first came
	At          time.Time         `json:"at"`          // when it was passed on
	By          string            `json:"by"`
	Reason      string            `json:"reason"`
	Contacted   *ContactInput     `json:"contacted,omitempty"`
	Appointment *AppointmentInput `json:"appointment,omitempty"`
	Documents   []Document        `json:"documents,omitempty"` // those that people brought
	Broken      []Zero            `json:"broken,omitempty"`
}

// passOnRoles may pass a case on: whoever takes requests in.
var passOnRoles = []Role{Taskforce, TaskforceOffice, ServiceHall, Hotline}

// Apply implements [Action].
func (a PassOn) Apply(k *Case, now time.Time) error {
	if k.ReceivedBy == a.Actor.ID {
		a.Actor.Districts = append(slices.Clone(a.Actor.Districts), k.Request.Site.District) // who took it in may put it right
	}
	if err := a.may(k, passOnRoles...); err != nil {
		return err
	}
	var c Check
	text(&c, "reason", a.Reason, true)
	targets := 0
	for _, set := range []bool{a.District != "", a.Utility != "", a.Service != ""} {
		if set {
			targets++
		}
	}
	c.Require(targets == 1, "", Say("请只填一项：district（区县）、utility（能源）或 service（业务）", "name exactly one of district, utility and service"))
	if a.District != "" {
		c.Nested("district", a.District.Check())
	}
	c.Require(a.Utility == "" || a.Utility.Known(), "utility", Say("应为 water（水）、gas（气）、electricity（电）或 heat（热）", "utility must be water, gas, electricity or heat"))
	if a.Service != "" {
		oneOf(&c, "service", a.Service, TransferCase, ClosingCase, OrderCase)
	}
	if err := c.Err(); err != nil {
		return err
	}
	switch {
	case k.Kind != ConnectionCase:
		return Refuse(Conflict, "not_a_connection", Say("只有报装案件可在此转办", "only a connection is passed on here"))
	case k.Status != Open && k.Status != Paused:
		return Refuse(Conflict, "not_open", Sayf("案件%[1]s，不能转办", "the case is %[2]s and can't be passed on", k.Status.Name(), k.Status))
	case a.District == k.Request.Site.District || a.Utility == k.Request.Utility:
		return Refuse(Conflict, "there_already", Say("案件本就属于该处", "the case is there already"))
	case a.District == "" && k.begun():
		return Refuse(Conflict, "work_begun", Say("已签订合同、登记收费、备料、申报审批或装表，不能转为其他能源或业务；请先撤回，再为客户登记新的申请",
			"contracts, charges, materials, permits or the meter are under way, so it can't become another utility's or service's; withdraw it, then take in the new request for the customer"))
	case a.Utility != "" && k.Joint != nil && k.Joint.Utility == a.Utility:
		return Refuse(Conflict, "sibling_exists", Sayf("同一联办已有%[1]s案件 %[3]s；如本案不再需要，请撤回", "the joint request has a %[2]s case already, %[3]s; withdraw this one if it is not wanted",
			a.Utility.Name(), a.Utility, k.Joint.Sibling))
	}
	k.passOn(a, now)
	return nil
}

// begun tells whether anything is under way that would have to be undone: what
// a withdrawal undoes by tasks, and charges, which the customer agreed to and
// may have paid. A quote without charges binds nobody, and a card comes after
// the supply.
func (k *Case) begun() bool {
	if k.Materials != nil || k.Meter != nil || k.Supply != nil || len(k.Charges) > 0 {
		return true
	}
	if slices.ContainsFunc(k.Gas.Contracts, func(c Contract) bool { return !c.SignedAt.IsZero() && c.VoidedAt.IsZero() }) {
		return true
	}
	return slices.ContainsFunc(k.Permits, func(p Permit) bool { return k.files(&p) })
}

func (k *Case) passOn(a PassOn, now time.Time) {
	p := Pass{District: a.District, Utility: a.Utility, Service: a.Service, Reason: a.Reason, At: now, By: a.Actor.ID, From: k.Request.Site.District}
	k.Passes = append(k.Passes, p)
	k.touch(now, a.Actor, ZeroErrand, false, Say("内部转办，客户无需另行申请", "passed on inside; the customer need not apply anew"))
	if a.District == "" {
		where := Say(a.Utility.Name(), string(a.Utility))
		if a.Service != "" {
			where = Say(serviceName(a.Service), string(a.Service))
		}
		k.Status = PassingOn
		k.record(now, a.Actor, PassOnRequested, "", Text{ZH: "转办至" + where.ZH, EN: "to be passed on to " + where.EN}, reasonData(a.Reason))
		k.cancelAll(now)
		k.endPauses(now)
		return
	}
	k.Request.Site.District = a.District
	k.record(now, a.Actor, CasePassedOn, "", Sayf("由%[1]s转办至%[2]s", "passed on from %[1]s to %[2]s", p.From.Name(), a.District.Name()), reasonData(a.Reason))
	// Who held a task worked in the other district.
	for i := range k.Tasks {
		if t := &k.Tasks[i]; t.Assignee != "" {
			k.giveBack(t, a.Actor, "", now)
		}
	}
	k.tellOfPass(now)
}

// serviceName is the Chinese name of a service other than a connection.
func serviceName(s CaseKind) string {
	switch s {
	case TransferCase:
		return "过户"
	case ClosingCase:
		return "销户"
	case OrderCase:
		return "12345 工单"
	default:
		return string(s)
	}
}

// tellOfPass tells those who receive a case that it came.
func (k *Case) tellOfPass(now time.Time) {
	k.tell(Message{
		ID: fmt.Sprintf("%s-pass-%d", k.Number, len(k.Passes)), Kind: MessagePassedOn, To: Taskforce, Department: Department(Taskforce), At: now,
		Text: Sayf("案件 %s 转办至%s，请当日接收", "case %s was passed on to %s; accept it today", k.Number, k.Request.Site.District.Name()),
	})
}

// PassPending gives the passing-on that waits for its other side to be opened.
func (k *Case) PassPending() *Pass {
	if k.Status != PassingOn || len(k.Passes) == 0 {
		return nil
	}
	return &k.Passes[len(k.Passes)-1]
}

// Carry gives what goes along.
func (k *Case) Carry() Carried {
	p := k.Passes[len(k.Passes)-1]
	c := Carried{From: k.Number, ReceivedAt: k.ReceivedAt, At: p.At, By: p.By, Reason: p.Reason, Contacted: k.Contacted, Broken: k.Broken}
	if k.Survey == nil {
		c.Appointment = k.Appointment
	}
	for i := range k.Documents {
		if d := k.Documents[i]; !d.Drafted {
			c.Documents = append(c.Documents, d)
		}
	}
	return c
}

// PassedTo notes where the case goes on, and ends it here.
func (k *Case) PassedTo(number string, now time.Time) {
	p := k.PassPending()
	if p == nil {
		return
	}
	p.Number = number
	k.End(PassedOn, now)
}

// GoesOnAs is the number under which a case that was passed on goes on; empty
// where it goes on here.
func (k *Case) GoesOnAs() string {
	if k.Status != PassedOn || len(k.Passes) == 0 {
		return ""
	}
	return k.Passes[len(k.Passes)-1].Number
}

// CarryOver takes over what came along with a case that was passed on. The
// customer has waited since they first came.
func (k *Case) CarryOver(c *Carried, now time.Time) {
	if c == nil {
		return
	}
	k.PassedFrom, k.ReceivedAt = c.From, c.ReceivedAt
	k.Passes = append(k.Passes, Pass{Utility: k.Request.Utility, Reason: c.Reason, At: c.At, By: c.By, In: true})
	k.Contacted, k.Broken = c.Contacted, c.Broken
	if c.Appointment != nil && c.Appointment.SurveyAt.After(now) {
		k.Appointment = c.Appointment
	}
	k.record(now, System(), CaseTakenOver, "", Sayf("由 %s 转入，资料随案", "taken over from %s with its papers", c.From), reasonData(c.Reason))
	for _, d := range c.Documents {
		k.attach(d, System(), now)
	}
	k.tellOfPass(now)
}

// AwaitsAcceptance gives the passing-on that those who received it have yet to
// accept, and its number; nil where there is none.
func (k *Case) AwaitsAcceptance() (*Pass, int) {
	n := len(k.Passes)
	if n == 0 {
		return nil, 0
	}
	if p := &k.Passes[n-1]; (p.District != "" || p.In) && p.AcceptedAt.IsZero() {
		return p, n
	}
	return nil, 0
}

func (k *Case) acceptPass(by Actor, now time.Time) {
	if p, _ := k.AwaitsAcceptance(); p != nil {
		p.AcceptedAt, p.AcceptedBy = now, by.ID
	}
}

// ArrivedAt is since when the case is with those who work on it: it was
// received, or came from another case.
func (k *Case) ArrivedAt() time.Time {
	if k.PassedFrom != "" && len(k.Passes) > 0 && k.Passes[0].In {
		return k.Passes[0].At
	}
	return k.ReceivedAt
}
