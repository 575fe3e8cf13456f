package casework

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// A lead (意向) is a case before anybody applied: a planned plot, a project that
// a platform pushed, a firm that an outreach visit found. It has its number and
// its workflow from the first day. Pre-service is done on it; then it waits,
// followed up at dates, until somebody applies. The application completes what
// is known, and the same case goes on.

// MayEnter tells whether a case may go on to a stage. A lead has pre-service
// only, until somebody applies. Gas is front-loaded (measures 3.1.3): survey,
// design, quote and permits are done on the lead, and only construction waits
// for the application.
func (k *Case) MayEnter(s Stage) bool {
	if !k.Request.Lead {
		return true
	}
	switch s {
	case PreService:
		return true
	case JointSurvey, Permits:
		return k.Request.Utility == Gas
	default:
		return false
	}
}

// frontLoaded tells whether the case is surveyed before anybody applied.
func (k *Case) frontLoaded() bool { return k.Request.Lead && k.MayEnter(JointSurvey) }

// WaitingLead is how people call the state of a lead on which everything is done
// that can be done before the application.
const WaitingLead = "意向待申请"

// Waits tells whether the case is a lead that waits for its application.
func (k *Case) Waits() bool {
	_, followed := k.Live(FollowUpLead, "")
	return k.Request.Lead && followed
}

// StageTitle is the Chinese name of where the case stands.
func (k *Case) StageTitle() string {
	if k.Waits() {
		return WaitingLead
	}
	return k.Stage.Name()
}

// Reachable tells whether there is somebody to talk to: of a planned plot it may
// not be known yet who will come.
func (k *Case) Reachable() bool { return !k.Request.Lead || k.Request.Contact.Phone != "" }

// Visit is what an outreach visit found (走访摸排).
type Visit struct {
	VisitedAt time.Time     `json:"visited_at" doc:"走访时间 when it took place"`
	Visitors  string        `json:"visitors,omitempty" doc:"走访人员；不填为登记人 who went; whoever records it where empty"`
	Found     string        `json:"found" doc:"走访情况 what was found"`
	NextStep  string        `json:"next_step" doc:"下一步 what comes next"`
	NextOn    calendar.Date `json:"next_on,omitzero" doc:"下次跟进日期 date of the next follow-up"`
}

func (v Visit) check(c *Check, prefix string) {
	c.Require(!v.VisitedAt.IsZero(), prefix+"visited_at", Say("请填写走访时间", "the time of the visit is missing"))
	text(c, prefix+"visitors", v.Visitors, false)
	text(c, prefix+"found", v.Found, true)
	text(c, prefix+"next_step", v.NextStep, true)
}

// VisitFact is a visit on record.
type VisitFact struct {
	Visit
	By string    `json:"by"` // who recorded it
	At time.Time `json:"at"`
}

// Application is how a lead became an application.
type Application struct {
	At             time.Time `json:"at"`
	By             string    `json:"by"`
	Channel        Channel   `json:"channel,omitempty"`         // the way it came in
	ExternalNumber string    `json:"external_number,omitempty"` // the sender's own number
}

// validateLead judges a lead, which may know little: who or which plot, in which
// district, and where. What it does say must be right; what is missing is found
// out by tasks, or asked for when somebody applies.
func (r Request) validateLead() error {
	var c Check
	r.checkFrame(&c)
	c.Require(r.Applicant.Name != "" || r.Site.Plot != "", "applicant.name",
		Say("意向请填写单位名称或地块编号（site.plot）", "a lead needs the applicant's name or the number of the plot (site.plot)"))
	r.Applicant.checkGiven(&c)
	r.Contact.checkGiven(&c)
	c.Nested("site.district", r.Site.District.Check())
	c.Require(r.Site.Address != "" || r.Site.Position != nil, "site.address",
		Say("意向请填写地址或坐标（site.position）", "a lead needs an address or a position (site.position)"))
	c.Require(len([]rune(r.Site.Address)) <= maxName, "site.address", tooLong(maxName))
	r.Site.checkPlace(&c)
	r.Demand.check(&c)
	c.Require(r.Channel != Outreach || r.Visit != nil, "visit",
		Say("走访摸排请填写走访记录（时间、情况、下一步）", "an outreach lead needs the record of its visit: when, what was found, next step"))
	return c.Err()
}

// checkGiven judges what a lead says of the applicant.
func (a Applicant) checkGiven(c *Check) {
	c.Require(len([]rune(a.Name)) <= maxName, "applicant.name", tooLong(maxName))
	if a.CreditCode != "" || a.Person {
		a.checkCode(c, Gas)
	}
}

// checkGiven judges what a lead says of the contact.
func (p Contact) checkGiven(c *Check) {
	c.Require(len([]rune(p.Name)) <= maxName, "contact.name", tooLong(maxName))
	if p.Phone != "" {
		c.Nested("contact.phone", CheckPhone(p.Phone))
	}
}

// MissingForApplication names the fields that an application of a lead must
// still say, as [Request.Validate] names them. There are none once it applied.
func (k *Case) MissingForApplication() []string {
	if !k.Request.Lead {
		return nil
	}
	r := k.Request
	r.Lead = false
	var fields []string
	if err := r.Validate(); err != nil {
		for _, f := range AsFault(err).Fields {
			if !slices.Contains(fields, f.Field) {
				fields = append(fields, f.Field)
			}
		}
	}
	return fields
}

// completedBy is the request with what somebody says anew. A field that they
// leave out stays as it was.
func (r Request) completedBy(said Request) Request {
	over(&r.Applicant.Name, said.Applicant.Name)
	over(&r.Applicant.CreditCode, said.Applicant.CreditCode)
	over(&r.Applicant.CreditCodeOverride, said.Applicant.CreditCodeOverride)
	if said.Applicant.Person {
		r.Applicant.Person, r.Applicant.CreditCode, r.Applicant.CreditCodeOverride = true, "", ""
	}
	over(&r.Contact.Name, said.Contact.Name)
	over(&r.Contact.Phone, said.Contact.Phone)
	over(&r.Site.District, said.Site.District)
	over(&r.Site.Address, said.Site.Address)
	over(&r.Site.Plot, said.Site.Plot)
	over(&r.Site.Position, said.Site.Position)
	over(&r.Project, said.Project)
	over(&r.Remark, said.Remark)
	d := &r.Demand
	over(&d.Use, said.Demand.Use)
	over(&d.DailyVolume, said.Demand.DailyVolume)
	over(&d.Diameter, said.Demand.Diameter)
	over(&d.WantedOn, said.Demand.WantedOn)
	over(&d.BuildFrom, said.Demand.BuildFrom)
	over(&d.BuildTo, said.Demand.BuildTo)
	d.DigsRoad = d.DigsRoad || said.Demand.DigsRoad
	d.OccupiesWay = d.OccupiesWay || said.Demand.OccupiesWay
	d.UsesGreen = d.UsesGreen || said.Demand.UsesGreen
	r.ByServiceCode = r.ByServiceCode || said.ByServiceCode
	r.Attachments = with(r.Attachments, said.Attachments)
	if len(said.Extra) > 0 {
		extra := make(map[string]json.RawMessage, len(r.Extra)+len(said.Extra))
		maps.Copy(extra, r.Extra)
		maps.Copy(extra, said.Extra)
		r.Extra = extra
	}
	return r
}

// over takes over a value that was given.
func over[T comparable](into *T, given T) {
	var none T
	if given != none {
		*into = given
	}
}

// Apply makes a lead an application: by the customer with their code, by staff
// who act for them, or by a platform whose application names the project. The
// request says what the lead lacks; what it leaves out is known already and is
// not asked again.
type Apply struct {
	By
	Request Request `json:"request"`
	// Joint is set where the application is a part of a joint request, whose
	// other part is another case: the lead gets to know its sibling.
	Joint *Joint `json:"joint,omitempty"`
}

// Apply implements [Action].
func (a Apply) Apply(k *Case, now time.Time) error {
	// Any window takes any application, so districts are not asked here.
	switch {
	case k.Status.Ended() || k.Status == Withdrawing || k.Status == PassingOn:
		return Refuse(Conflict, "case_ended", Sayf("案件%[1]s，请重新提交申请", "the case is %[2]s; hand in a new request", k.Status.Name(), k.Status))
	case k.Kind != ConnectionCase || !k.Request.Lead && k.Applied == nil:
		return Refuse(Conflict, "not_a_lead", Say("该案件不是意向，无需再次申请", "the case is no lead: it was an application from the beginning"))
	case !k.Request.Lead:
		return Refuse(Conflict, "applied_before", Sayf("已于 %s 申请", "applied already, at %s", Clock(k.Applied.At)))
	}
	if err := a.current(k); err != nil {
		return err
	}
	if err := a.need(Customer, Platform, Taskforce, TaskforceOffice, ServiceHall, Hotline); err != nil {
		return err
	}
	if slices.ContainsFunc(k.Passes, func(p Pass) bool { return p.District != "" && p.From == a.Request.Site.District }) {
		a.Request.Site.District = "" // who passed the lead on knew better where the place lies
	}
	r := k.Request.completedBy(a.Request)
	r.Lead = false
	r = r.Normalise()
	var c Check
	c.Require(a.Request.Utility == "" || a.Request.Utility == k.Request.Utility, "utility",
		Sayf("该意向为%[1]s，请另行申请", "this lead is for %[2]s; hand in a request of its own", k.Request.Utility.Name(), k.Request.Utility))
	c.Require(r.Site.District == k.Request.Site.District, "site.district",
		Sayf("该意向属于%[1]s，区县不能随申请变更", "this lead is in %[1]s; an application does not move it to another district", k.Request.Site.District.Name()))
	c.Require(a.Request.Lane == "" || a.Request.Lane.Valid(), "lane", Say("服务模式应为 101 或 201", "lane must be 101 or 201"))
	if err := r.Validate(); err != nil {
		for _, f := range AsFault(err).Fields {
			c.Field(f.Field, f.Text)
		}
	}
	if err := c.Err(); err != nil {
		return err
	}
	before := k.Request
	k.Request = r
	over(&k.Lane, a.Request.Lane)
	k.Applied = &Application{At: now, By: a.Actor.ID, Channel: a.Request.Channel, ExternalNumber: a.Request.ExternalNumber}
	k.touchApplication(a, now)
	k.record(now, a.Actor, LeadApplied, "", Say("意向转为报装申请", "the lead became an application"),
		map[string]any{"before": before, "channel": k.Applied.Channel, "external_number": k.Applied.ExternalNumber})
	k.endFollowUp(a.Actor, now)
	k.needDraft(Booking)
	// An assessment answers for the demand that it knew.
	if d := before.Demand; k.Assessment != nil && (r.Demand.DailyVolume > d.DailyVolume || r.Demand.Diameter > d.Diameter) {
		k.Assessment, k.Briefed = nil, nil
		k.Reassessments++
	}
	if k.Survey != nil && k.Survey.Connectable && k.ApplicationAt.IsZero() {
		// Survey and design were front-loaded: all that was missing is the application.
		k.acceptApplication(now, a.Actor, now)
	}
	k.tie(a.Joint, now)
	return nil
}

// touchApplication records what applying cost the customer.
func (k *Case) touchApplication(a Apply, now time.Time) {
	switch {
	case a.Actor.Has(Customer):
		k.touch(now, a.Actor, ZeroApplication, true, Say("客户自行线上申请", "the customer applied online"))
	case a.Actor.Has(Platform):
		k.touch(now, a.Actor, ZeroApplication, false, Say("平台推送申请，与意向合并", "the application was pushed and joined with the lead"))
	default:
		k.touch(now, a.Actor, ZeroApplication, false, Say("工作人员代办申请", "staff applied for the customer"))
	}
	k.touchServiceCode(a.Request, a.Actor, now)
}

// endFollowUp ends the follow-up of a lead that waits no longer.
func (k *Case) endFollowUp(by Actor, now time.Time) {
	k.LeadFollow = calendar.Date{}
	t, ok := k.Live(FollowUpLead, "")
	if !ok {
		return
	}
	t.State, t.DoneAt, t.DoneBy, t.Outcome = TaskDone, now, by.ID, applied
	k.closeDeadline(t.ID, true, now, now)
	k.changes.task(*t)
	k.record(now, by, TaskCompleted, t.ID, Sayf("完成任务：%[1]s（%[3]s）", "task done: %[2]s (%[3]s)", t.Title(), t.Kind, applied), nil)
	k.dropEnded()
}

// acceptApplication is 受理: from this moment the lane's clock runs. It stands
// while an upgrade is being built, and while permits pend that were filed on the
// lead.
func (k *Case) acceptApplication(at time.Time, by Actor, now time.Time) {
	k.ApplicationAt = at
	k.record(now, by, ApplicationAccepted, "", Say("受理报装申请", "application accepted"), nil)
	k.needDraft(NoticeOfAcceptance)
	k.startDeadline(LaneDeadline, k.LaneLimit(), at)
	// A survey that is reported late may have been held while the upgrade was still being built.
	if u := k.Upgrade; u.Pending() || u != nil && u.DoneAt.After(at) {
		k.holdLane(string(UpgradeCase), later(u.StartedAt, at))
		if !u.Pending() {
			k.releaseLane(string(UpgradeCase), u.DoneAt)
		}
	}
	for i := range k.Permits {
		if p := &k.Permits[i]; !p.FiledAt.IsZero() && p.DecidedAt.IsZero() {
			k.holdLane("permit:"+string(p.Kind), later(p.FiledAt, at))
		}
	}
}

// maxVisits bounds the visits of a case.
const maxVisits = 100

// RecordVisit puts a visit on record. It may bring who is to be called, and when
// the lead is followed up.
type RecordVisit struct {
	By
	Visit     Visit      `json:"visit"`
	Applicant *Applicant `json:"applicant,omitempty"`
	Contact   *Contact   `json:"contact,omitempty"`
}

// Apply implements [Action].
func (a RecordVisit) Apply(k *Case, now time.Time) error {
	if err := a.may(k, Taskforce, TaskforceOffice, ServiceHall, Network, Engineering); err != nil {
		return err
	}
	switch {
	case k.Kind != ConnectionCase:
		return Refuse(Conflict, "not_a_connection", Say("只有意向和报装可登记走访", "a visit is recorded of a lead or a connection only"))
	case len(k.Visits) >= maxVisits:
		return Refuse(Conflict, "too_many_visits", Sayf("每案最多 %d 次走访", "a case holds at most %d visits", maxVisits))
	}
	var c Check
	a.Visit.check(&c, "visit.")
	c.Require(!a.Visit.VisitedAt.After(now.Add(clockSkew)), "visit.visited_at",
		Sayf("时间晚于当前时间（%s）", "the time lies in the future (now %s)", Clock(now)))
	if a.Visit.NextOn != (calendar.Date{}) {
		c.Require(k.Request.Lead, "visit.next_on", Say("已申请的案件不设意向跟进日期", "a case that applied has no follow-up of a lead"))
		followUpDate(&c, "visit.next_on", a.Visit.NextOn, now)
	}
	learnt := k.learn(&c, a.Applicant, a.Contact, "", nil)
	if err := c.Err(); err != nil {
		return err
	}
	k.Request = learnt
	k.visited(a.Visit, a.Actor, now)
	k.followLead(a.Visit.NextOn)
	return nil
}

// visited notes a visit, which costs the customer nothing.
func (k *Case) visited(v Visit, by Actor, now time.Time) {
	k.Visits = append(k.Visits, VisitFact{Visit: v, By: by.ID, At: now})
	k.record(now, by, VisitRecorded, "", Sayf("走访（第%d次）", "visit %d", len(k.Visits)), v)
	k.touch(now, by, ZeroVisit, false, Say("主动走访", "visited by us"))
}

// followLead sets the date on which a lead is followed up. A follow-up that is
// open already moves to it.
func (k *Case) followLead(on calendar.Date) {
	if on == (calendar.Date{}) || !k.Request.Lead {
		return
	}
	k.LeadFollow = on
	t, ok := k.Live(FollowUpLead, "")
	if !ok {
		return
	}
	t.Anchor = on.At(0)
	k.changes.task(*t)
	if d, ok := k.Deadline(t.ID); ok {
		d.Anchor = on.At(0)
		d.recount()
	}
}

// learn gives the request with what was found out about a lead. Of a case that
// applied the request is corrected by an amendment, which says why.
func (k *Case) learn(c *Check, who *Applicant, contact *Contact, address string, position *Position) Request {
	if who == nil && contact == nil && address == "" && position == nil {
		return k.Request
	}
	if !k.Request.Lead {
		c.Field("contact", Say("已申请的案件请用更正（PATCH 案件）修改申请内容", "the request of a case that applied is corrected by amending it"))
		return k.Request
	}
	said := Request{Site: Site{Address: address, Position: position}}
	if who != nil {
		said.Applicant = *who
	}
	if contact != nil {
		said.Contact = *contact
	}
	r := k.Request.completedBy(said).Normalise()
	if err := r.Validate(); err != nil {
		for _, f := range AsFault(err).Fields {
			c.Field(f.Field, f.Text)
		}
	}
	return r
}

// FollowUpLeadInput completes follow_up_lead: once more somebody asked whether
// the customer is ready. Who is ready applies, which ends the task by itself.
type FollowUpLeadInput struct {
	Result    string        `json:"result" enum:"waiting,dropped" doc:"跟进结果：waiting 继续等待，dropped 不再需要；客户已准备好请直接提交申请 result; who is ready applies instead"`
	NextOn    calendar.Date `json:"next_on,omitzero" doc:"下次跟进日期 date of the next follow-up"`
	Note      string        `json:"note" doc:"跟进情况 what was found"`
	Applicant *Applicant    `json:"applicant,omitempty" doc:"新了解到的单位 the applicant, if that is known now"`
	Contact   *Contact      `json:"contact,omitempty" doc:"新了解到的联系人 whom to call, if that is known now"`
	Address   string        `json:"address,omitempty" doc:"新了解到的地址 the address, if that is known now"`
}

// Outcomes of the follow-up of a lead.
const (
	waiting = "waiting"
	dropped = "dropped"
	applied = "applied"
)

func (in *FollowUpLeadInput) check(c *Check, k *Case, _ *Task, now time.Time) {
	oneOf(c, "result", in.Result, waiting, dropped)
	text(c, "note", in.Note, true)
	if in.Result == waiting {
		followUpDate(c, "next_on", in.NextOn, now)
	}
	k.learn(c, in.Applicant, in.Contact, in.Address, nil)
}

func (in *FollowUpLeadInput) apply(k *Case, _ *Task, by Actor, now time.Time) string {
	var c Check
	k.Request = k.learn(&c, in.Applicant, in.Contact, in.Address, nil)
	k.LeadFollowUps++
	k.touch(now, by, ZeroBurden, false, Say("跟进意向", "the lead was followed up by us"))
	if in.Result == dropped {
		k.withdraw(in.Note, by, now)
		return dropped
	}
	k.LeadFollow = in.NextOn
	return waiting
}

// ProjectKey is the project's code as it is compared: however its parts are
// set apart, and in which width they are written.
func (r Request) ProjectKey() string { return NormaliseCreditCode(r.Project) }

// Party names who asks for what where, so that an application finds the lead of
// the same organisation at the same address; empty where one of them is not
// known.
func (r Request) Party() string {
	place := strings.Join(strings.Fields(r.Site.Address), "")
	if r.Applicant.CreditCode == "" || place == "" {
		return ""
	}
	return r.Applicant.CreditCode + "\n" + place
}

// Who is how lists name a request: the applicant, or the plot while nobody
// knows who will come.
func (r Request) Who() string {
	if r.Applicant.Name == "" && r.Site.Plot != "" {
		return "地块 " + r.Site.Plot
	}
	return r.Applicant.Name
}

// ApplicationState is what became of an application that names a lead's project.
type ApplicationState string

// The states: it is kept before the lead is told of it.
const (
	ApplicationReceived ApplicationState = "received"
	ApplicationApplied  ApplicationState = "applied" // the lead became it
	ApplicationRefused  ApplicationState = "refused" // the lead would not have it; it is a request of its own
)

// LeadApplication is an application that names the project of an open lead.
type LeadApplication struct {
	Case       string           `json:"case"` // the lead's number
	Request    Request          `json:"request"`
	By         Actor            `json:"by"`
	ReceivedAt time.Time        `json:"received_at"`
	State      ApplicationState `json:"state"`
	Joint      *Joint           `json:"joint,omitempty"` // of a joint request
}

// LeadMatch is an open lead that an application may belong to, and why.
type LeadMatch struct {
	Number    string   `json:"number"`
	Applicant string   `json:"applicant"`
	Address   string   `json:"address"`
	District  District `json:"district"`
	Project   bool     `json:"same_project,omitempty" doc:"项目代码相同 the same project code"`
	Party     bool     `json:"same_party,omitempty" doc:"统一社会信用代码和地址相同 the same credit code and address"`
	Plot      bool     `json:"same_plot,omitempty" doc:"区县和地块编号相同 the same plot"`
}
