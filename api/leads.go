package api

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"os"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/platforms/parklist"
)

// LeadStore is what the api keeps and asks of leads.
type LeadStore interface {
	// AcceptApplication keeps an application that names the project of an open
	// lead, which must then be told; false: it is a request of its own.
	AcceptApplication(ctx context.Context, r casework.Request, by casework.Actor, at time.Time) (casework.LeadApplication, bool, error)
	// SettleApplication notes that the lead became the application.
	SettleApplication(ctx context.Context, r casework.Request) error
	// RefuseApplication notes that the lead would not have it, and gives the
	// receipt of the request of its own that it becomes; false: the lead did.
	RefuseApplication(ctx context.Context, app casework.LeadApplication) (casework.Receipt, bool, error)
	PossibleLeads(ctx context.Context, r casework.Request) ([]casework.LeadMatch, error)
}

func (a *API) registerLeads() {
	handle(a, route{
		id: "apply", method: http.MethodPost, path: "/v1/cases/{number}/apply", tag: "cases", versioned: true,
		access:  forRoles(casework.Taskforce, casework.TaskforceOffice, casework.ServiceHall, casework.Hotline),
		summary: casework.Say("意向转为报装申请；只填意向所缺的内容", "make a lead an application; only what the lead lacks is asked for"),
	}, a.applyLead)
	handle(a, route{
		id: "apply-own", method: http.MethodPost, path: "/v1/public/cases/{number}/apply", tag: "customers", access: forStrangers,
		summary: casework.Say("意向客户提交申请；只填所缺的内容", "the customer of a lead applies; only what is missing is asked for"),
	}, a.applyOwn)
	handle(a, route{
		id: "record-visit", method: http.MethodPost, path: "/v1/cases/{number}/visits", tag: "cases", versioned: true,
		access:  forRoles(casework.Taskforce, casework.TaskforceOffice, casework.ServiceHall, casework.Network, casework.Engineering),
		summary: casework.Say("登记走访", "put a visit on record"),
	}, a.recordVisit)
	handle(a, route{
		id: "possible-leads", method: http.MethodGet, path: "/v1/cases/{number}/possible-leads", tag: "cases", access: forRoles(caseReaders...),
		summary: casework.Say("可能对应的意向：同一项目、同一单位和地址、同一地块", "leads that the case may belong to: same project, same organisation and address, same plot"),
	}, a.possibleLeads)
	handle(a, route{
		id: "accept-plots", method: http.MethodPost, path: "/v1/plot-lists", tag: "intake",
		access:    forRoles(casework.Taskforce, casework.TaskforceOffice, casework.ServiceHall, casework.Platform),
		bodyBytes: a.limits.ListBytes,
		summary: casework.Say("提交规划地块清单（CSV，UTF-8 或 GB18030），逐行立为意向；看不懂的行留待人工处理",
			"hand in a list of planned plots (CSV, UTF-8 or GB18030); each becomes a lead, what is not understood is kept for a person"),
		body: listBody(), responses: a.listResponses(), reads: true,
	}, a.acceptPlots)
}

// acceptPlots takes a list of plots as acceptList takes one of requests.
func (a *API) acceptPlots(ctx context.Context, in *listUpload) (*streamed, error) {
	current, err := a.policies.Current(ctx)
	if err != nil {
		return nil, err
	}
	return a.takeList(ctx, in, func(file *os.File) iter.Seq2[parklist.Row, error] {
		return parklist.ReadPlots(file, parklist.Options{List: in.Name}, current.Utilities)
	})
}

// ApplicationWords are what an application says of a lead; exported like
// [CaseAddress].
type ApplicationWords struct {
	Applicant *casework.Applicant `json:"applicant,omitempty"`
	Contact   *casework.Contact   `json:"contact,omitempty"`
	Address   string              `json:"address,omitempty" doc:"用能地址 address"`
	Demand    *casework.Demand    `json:"demand,omitempty"`
	Remark    string              `json:"remark,omitempty" doc:"备注 remark"`
}

func (s ApplicationWords) request(channel casework.Channel) casework.Request {
	r := casework.Request{Channel: channel, Site: casework.Site{Address: s.Address}, Remark: s.Remark}
	if s.Applicant != nil {
		r.Applicant = *s.Applicant
	}
	if s.Contact != nil {
		r.Contact = *s.Contact
	}
	if s.Demand != nil {
		r.Demand = *s.Demand
	}
	return r
}

type ownApplication struct {
	CaseAddress
	Body struct {
		Code    string           `json:"code" required:"true" maxLength:"40" doc:"查询码 code"`
		Channel casework.Channel `json:"channel,omitempty" doc:"渠道；不填为公司网站 the way it came in; the company's site where empty"`
		ApplicationWords
	}
}

func (a *API) applyOwn(ctx context.Context, in *ownApplication) (*doneReply, error) {
	channel := nonZero(in.Body.Channel, casework.CompanySite)
	return a.asCustomer(ctx, in.Number, in.Body.Code, casework.Apply{By: by(ctx), Request: in.Body.request(channel)})
}

type leadApplication struct {
	CaseAddress
	Body struct {
		Channel casework.Channel `json:"channel,omitempty" doc:"渠道；不填为窗口 the way it came in; a counter where empty"`
		Lane    casework.Lane    `json:"lane,omitempty"`
		// Case is a request that came in by itself and is the lead's application:
		// what it says is taken over, and it ends as part of the lead.
		Case string `json:"case,omitempty" maxLength:"64" doc:"已单独立案的申请编号：并入本意向 number of the application that was opened as a case of its own: it is joined with the lead"`
		ApplicationWords
	}
}

func (a *API) applyLead(ctx context.Context, in *leadApplication) (*doneReply, error) {
	b := in.Body
	act := casework.Apply{By: by(ctx), Request: b.request(nonZero(b.Channel, casework.ServiceHallDesk))}
	act.Request.Lane = b.Lane
	if b.Case == "" {
		return a.do(ctx, in.Number, act)
	}
	other, err := a.readable(ctx, b.Case)
	if err != nil {
		return nil, err
	}
	var c casework.Check
	c.Require(other.Number != in.Number && other.Kind == casework.ConnectionCase && !other.Request.Lead && other.Survey == nil, "case",
		casework.Say("应为尚未踏勘的报装案件", "must be an application that has not been surveyed yet"))
	if err := c.Err(); err != nil {
		return nil, err
	}
	act.Request = other.Request
	done, err := a.do(ctx, in.Number, act)
	if err != nil {
		return nil, err
	}
	// The lead has all that the other said; sending the call again ends it if this did not.
	withdraw := casework.Withdraw{By: casework.By{Actor: actorOf(ctx)}, Reason: "并入意向案件 " + in.Number}
	_, err = a.desk.Do(ctx, other.Number, withdraw, digest(callOf(ctx).updateID, other.Number))
	if f := casework.AsFault(err); err != nil && f.Code != "case_ended" && f.Code != "already_withdrawing" {
		return nil, err
	}
	return done, nil
}

type visitInput struct {
	CaseAddress
	Body struct {
		casework.Visit
		Applicant *casework.Applicant `json:"applicant,omitempty" doc:"走访了解到的单位 the applicant, if the visit found out"`
		Contact   *casework.Contact   `json:"contact,omitempty" doc:"走访了解到的联系人 whom to call, if the visit found out"`
	}
}

func (a *API) recordVisit(ctx context.Context, in *visitInput) (*doneReply, error) {
	b := in.Body
	return a.do(ctx, in.Number, casework.RecordVisit{By: by(ctx), Visit: b.Visit, Applicant: b.Applicant, Contact: b.Contact})
}

func (a *API) possibleLeads(ctx context.Context, in *CaseAddress) (*reply[page[casework.LeadMatch]], error) {
	k, err := a.readable(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	leads, err := a.leadsOf(ctx, k.Request, in.Number)
	return answer(page[casework.LeadMatch]{Items: leads}, err)
}

// leadsOf lists the leads that a request may belong to, but itself.
func (a *API) leadsOf(ctx context.Context, r casework.Request, itself string) ([]casework.LeadMatch, error) {
	all, err := a.store.PossibleLeads(ctx, r)
	var leads []casework.LeadMatch
	for _, l := range all {
		if l.Number != itself {
			leads = append(leads, l)
		}
	}
	return leads, err
}

// joinLead makes an application that names the project of an open lead that
// lead's application. False: it is a request of its own.
func (a *API) joinLead(ctx context.Context, r casework.Request, wait bool) (Acceptance, bool, error) {
	app, found, err := a.store.AcceptApplication(ctx, r, actorOf(ctx), a.now())
	if err != nil || !found {
		return Acceptance{}, false, err
	}
	got, err := a.applyKept(ctx, app, wait)
	return got, err == nil, err
}

// applyKept tells a lead of an application that was kept, and says what became of
// it. One that its lead refuses begins as a request of its own.
func (a *API) applyKept(ctx context.Context, app casework.LeadApplication, wait bool) (Acceptance, error) {
	got := Acceptance{Number: app.Case, Status: accepted, Applied: true}
	switch app.State {
	case casework.ApplicationApplied:
		got.Status = acceptedBefore
	default:
		own, err := settleApplication(ctx, a.desk, a.store, app)
		switch {
		case err != nil && casework.AsFault(err).Kind == casework.Unavailable:
			got.Status = starting
			callOf(ctx).report(ctx, err) // the sender has nothing to do about it
		case err != nil:
			return Acceptance{}, err
		case own != nil:
			return a.begin(ctx, *own, true, wait)
		}
	}
	// The code is for whoever brought this application in, as that of a request is.
	if got.Status == accepted || app.By.ID == actorOf(ctx).ID || !actorOf(ctx).Has(casework.Platform) {
		got.Code = a.ring.Code(app.Case)
		got.ProgressURL = a.link("/v1/public/progress?number=%s&code=%s", app.Case, got.Code)
	}
	return got, nil
}

// What settling an application needs of the records and of a desk.
type (
	applicationStore interface {
		Case(ctx context.Context, number string) (*casework.Case, error)
		SettleApplication(ctx context.Context, r casework.Request) error
		RefuseApplication(ctx context.Context, app casework.LeadApplication) (casework.Receipt, bool, error)
	}
	doer interface {
		Do(ctx context.Context, number string, a casework.Action, key string) (contract.Done, error)
	}
)

// settleApplication tells a lead of its application and notes what became of it.
// Where the lead would not have it, because another was faster or the lead was
// dropped, it gives the receipt of the request of its own that it is then, to be
// started; else nil.
func settleApplication(ctx context.Context, desk doer, store applicationStore, app casework.LeadApplication) (*casework.Receipt, error) {
	r := app.Request
	key := digest("apply", string(r.Channel), r.ExternalNumber)
	_, err := desk.Do(ctx, app.Case, casework.Apply{By: casework.By{Actor: app.By}, Request: r, Joint: app.Joint}, key)
	if err == nil {
		return nil, store.SettleApplication(ctx, r)
	}
	switch casework.AsFault(err).Kind {
	case casework.Conflict, casework.Invalid, casework.NotFound, casework.Forbidden:
	default:
		return nil, err // it says nothing about the application
	}
	// A repeat in a later run of the case is refused though it was this one that applied.
	k, err := store.Case(ctx, app.Case)
	if err != nil {
		return nil, err
	}
	if k.Applied != nil && k.Applied.Channel == r.Channel && k.Applied.ExternalNumber == r.ExternalNumber {
		return nil, store.SettleApplication(ctx, r)
	}
	own, refused, err := store.RefuseApplication(ctx, app)
	if err != nil || !refused {
		return nil, err
	}
	return &own, nil
}

// Apply tells a lead of an application that was kept. One that the lead would not
// have is a request of its own, of which it gives the receipt; else nil.
func (d *TemporalDesk) Apply(ctx context.Context, app casework.LeadApplication) (*casework.Receipt, error) {
	return settleApplication(ctx, d, d.Store, app)
}

// CatchUpApplications tells leads of the applications that were kept, because a
// process ended before it told them. One that its lead refuses starts as a
// request of its own. It returns how many it settled.
func (d *TemporalDesk) CatchUpApplications(ctx context.Context) (int, error) {
	waiting, err := d.Store.UnsettledApplications(ctx, d.Now().Add(-30*time.Second), 1000)
	if err != nil {
		return 0, fmt.Errorf("look for applications: %w", err)
	}
	for i, app := range waiting {
		own, err := settleApplication(ctx, d, d.Store, app)
		if err != nil {
			return i, fmt.Errorf("tell %s of its application: %w", app.Case, err)
		}
		if own == nil {
			continue
		}
		if err := d.Start(ctx, *own, false); err != nil {
			return i, fmt.Errorf("start %s: %w", own.Number, err)
		}
	}
	return len(waiting), nil
}

// maskLearnt hides the people in what somebody entered about a lead.
func maskLearnt(raw json.RawMessage) json.RawMessage {
	fields := map[string]json.RawMessage{}
	if len(raw) == 0 || json.Unmarshal(raw, &fields) != nil {
		return raw
	}
	masked := false
	if raw, ok := fields["contact"]; ok {
		var c casework.Contact
		_ = json.Unmarshal(raw, &c) // what is no contact shows none
		fields["contact"], masked = marshalled(maskContact(c)), true
	}
	if raw, ok := fields["applicant"]; ok {
		var who casework.Applicant
		_ = json.Unmarshal(raw, &who)
		if who.Person {
			who.Name = maskName(who.Name)
		}
		fields["applicant"], masked = marshalled(who), true
	}
	if !masked {
		return raw
	}
	return marshalled(fields)
}

func marshalled(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return nil // structs of our own always marshal
	}
	return b
}

// listBody and listResponses describe a list that is handed in, and the answer.
func listBody() *huma.RequestBody {
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"text/csv":                 {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
	}}
}

func (a *API) listResponses() map[string]*huma.Response {
	return map[string]*huma.Response{"200": {
		Description: "按行的结果；Accept: application/x-ndjson 时一行一条 the outcome of each row; one a line where application/x-ndjson is accepted",
		Content: map[string]*huma.MediaType{
			"application/json": {Schema: schemaOf[listAnswer](a.huma)},
			ndjson:             {Schema: schemaOf[listRow](a.huma)},
		},
	}}
}
