package casework

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// Outcomes of a survey and of a follow-up.
const (
	Connectable       = "connectable"
	NotYetConnectable = "not_yet_connectable"
)

// clockSkew is how far in the future a reported moment may lie before it is
// taken for a mistake: clocks of tablets differ.
const clockSkew = 5 * time.Minute

func past(c *Check, k *Case, field string, at, now time.Time) {
	switch {
	case at.IsZero():
		c.Field(field, Say("请填写时间", "the time is missing"))
	case at.After(now.Add(clockSkew)):
		c.Field(field, Sayf("时间晚于当前时间（%s）", "the time lies in the future (now %s)", Clock(now)))
	case at.Before(k.ReceivedAt.Add(-clockSkew)):
		c.Field(field, Sayf("时间早于收到申请的时间（%s）", "the time lies before the request was received (%s)", Clock(k.ReceivedAt)))
	}
}

func text(c *Check, field, value string, required bool) {
	if required && strings.TrimSpace(value) == "" {
		c.Field(field, Say("此项必填", "required"))
	}
	if len([]rune(value)) > maxText {
		c.Field(field, tooLong(maxText))
	}
}

func oneOf[T ~string](c *Check, field string, value T, allowed ...T) {
	if !slices.Contains(allowed, value) {
		c.Field(field, Sayf("应为以下之一：%s", "must be one of: %s", joinAny(allowed)))
	}
}

// NoteInput completes a task that asks for nothing but that it was done.
type NoteInput struct {
	Note string `json:"note,omitempty" doc:"备注 note"`
}

func (in *NoteInput) check(c *Check, _ *Case, _ *Task, _ time.Time) { text(c, "note", in.Note, false) }

func (in *NoteInput) apply(k *Case, t *Task, by Actor, now time.Time) string {
	switch t.Kind {
	case AcceptTransfer:
		k.acceptPass(by, now)
	case HandOverPermit:
		if p := k.permit(PermitKind(t.Qualifier)); p != nil {
			p.HandedOverAt = now
			if !p.Granted {
				// A refused permit is filed again; what was tried stays on record.
				p.refile()
			}
		}
	case ConfirmPart:
		k.Confirmed = append(k.Confirmed, Department(t.Qualifier))
	case RemoveMeter:
		k.Meter = nil
		if k.Kind == ClosingCase {
			k.Served.MeterOffAt = now
		}
	case ReleaseMaterials:
		k.Materials = nil
	case VoidContract:
		if c := k.Contract(ContractKind(t.Qualifier)); c != nil {
			c.VoidedAt = now
		}
	case WithdrawPermit:
		if p := k.permit(PermitKind(t.Qualifier)); p != nil {
			p.WithdrawnAt = now
		}
	default:
	}
	return done
}

// ContactInput completes contact_customer: what was learnt of the customer's
// plans. What the request said already need not be entered again.
type ContactInput struct {
	By          string        `json:"by" enum:"phone,online,visit" doc:"联系方式 how the customer was contacted"`
	BuildFrom   calendar.Date `json:"build_from,omitzero" doc:"建设开始日期 building starts"`
	BuildTo     calendar.Date `json:"build_to,omitzero" doc:"建设结束日期 building ends"`
	WantedOn    calendar.Date `json:"wanted_on,omitzero" doc:"希望通水日期 date wanted"`
	DailyVolume float64       `json:"daily_volume,omitempty" doc:"日用量(立方米) cubic metres a day"`
	Diameter    int           `json:"diameter,omitempty" doc:"口径(毫米) nominal diameter in mm"`
	Use         string        `json:"use,omitempty" doc:"用途 use"`
	Note        string        `json:"note,omitempty" doc:"备注 note"`
	// A lead may not say whom to call; then this is where it is found out.
	Nobody    bool       `json:"nobody,omitempty" doc:"意向尚无联系人（如地块未定入驻企业），备注中说明 nobody to talk to yet; the note says why"`
	Applicant *Applicant `json:"applicant,omitempty" doc:"意向所缺的单位 the applicant, where the lead lacks it"`
	Contact   *Contact   `json:"contact,omitempty" doc:"意向所缺的联系人 whom to call, where the lead lacks it"`
	Address   string     `json:"address,omitempty" doc:"意向所缺的地址 the address, where the lead lacks it"`
	Position  *Position  `json:"position,omitempty" doc:"意向所缺的坐标 the position, where the lead lacks it"`
}

// nobodyYet is the outcome of a contact for which there is nobody yet.
const nobodyYet = "nobody"

func (in *ContactInput) check(c *Check, k *Case, _ *Task, _ time.Time) {
	if !in.Nobody {
		oneOf(c, "by", in.By, "phone", "online", "visit")
	}
	text(c, "note", in.Note, in.Nobody)
	k.demandWith(in).check(c)
	r := k.learn(c, in.Applicant, in.Contact, in.Address, in.Position)
	switch {
	case in.Nobody:
		c.Require(r.Lead && r.Contact.Phone == "", "nobody", Say("已有联系人，请联系", "there is somebody to call"))
	case r.Lead && r.Contact.Phone == "":
		c.Field("contact", Say("请填写联系人和电话；尚无联系人时请勾选 nobody 并说明", "whom to call is missing; where there is nobody yet, set nobody and say why"))
	}
}

// demandWith is the request's demand with what the contact added.
func (k *Case) demandWith(in *ContactInput) Demand {
	d := k.Request.Demand
	if in.BuildFrom != (calendar.Date{}) {
		d.BuildFrom = in.BuildFrom
	}
	if in.BuildTo != (calendar.Date{}) {
		d.BuildTo = in.BuildTo
	}
	if in.WantedOn != (calendar.Date{}) {
		d.WantedOn = in.WantedOn
	}
	if in.DailyVolume != 0 {
		d.DailyVolume = in.DailyVolume
	}
	if in.Diameter != 0 {
		d.Diameter = in.Diameter
	}
	if in.Use != "" {
		d.Use = in.Use
	}
	return d
}

func (in *ContactInput) apply(k *Case, _ *Task, by Actor, now time.Time) string {
	demand := k.demandWith(in)
	var c Check
	k.Request = k.learn(&c, in.Applicant, in.Contact, in.Address, in.Position)
	k.Request.Demand = demand
	// Who was found out stands in the request alone, where it is masked.
	fact := *in
	fact.Applicant, fact.Contact = nil, nil
	k.Contacted = &fact
	if k.Joint != nil && (in.BuildFrom != (calendar.Date{}) || in.BuildTo != (calendar.Date{})) {
		k.Joint.ScheduleAt = now
	}
	if k.Joint != nil && (in.Applicant != nil || in.Contact != nil || in.Address != "") {
		k.Joint.PeopleAt = now
	}
	if in.Nobody {
		return nobodyYet
	}
	if in.By == "visit" {
		k.touch(now, by, ZeroVisit, false, Say("主动上门对接", "visited by us"))
	} else {
		k.touch(now, by, ZeroBurden, false, Say("主动联系对接", "contacted by us"))
	}
	return done
}

// NetworkResult is what the assessment found.
type NetworkResult string

// The results of an assessment (section 3 of the process).
const (
	Adequate      NetworkResult = "adequate"       // 满足
	UpgradeNeeded NetworkResult = "upgrade_needed" // 需改造
	NoMain        NetworkResult = "no_main"        // 无管网
)

// AssessmentInput completes assess_network.
type AssessmentInput struct {
	Result       NetworkResult `json:"result" enum:"adequate,upgrade_needed,no_main" doc:"评估结论 result"`
	MainDiameter int           `json:"main_diameter,omitempty" doc:"周边管径(毫米) diameter of the nearest main in mm"`
	Pressure     float64       `json:"pressure,omitempty" doc:"水压或燃气压力(MPa) pressure in MPa"`
	Distance     float64       `json:"distance,omitempty" doc:"距离(米) metres to the nearest main"`
	Source       string        `json:"source,omitempty" doc:"现状水源或气源 source"`
	Plan         string        `json:"plan,omitempty" doc:"改造或新建方案 the upgrade that is needed"`
	Main         string        `json:"main,omitempty" doc:"接入的管线编号，见评估建议 number of the main that was chosen; see the assessment's proposal"`
	Note         string        `json:"note,omitempty" doc:"备注 note"`
}

func (in *AssessmentInput) check(c *Check, _ *Case, _ *Task, _ time.Time) {
	oneOf(c, "result", in.Result, Adequate, UpgradeNeeded, NoMain)
	if in.Result != NoMain {
		c.Require(in.MainDiameter >= 15 && in.MainDiameter <= 3000, "main_diameter",
			Say("周边管径应在 15 至 3000 毫米之间", "the main's diameter must be between 15 and 3000 mm"))
		c.Require(in.Pressure > 0 && in.Pressure <= 2.5, "pressure",
			Say("压力应大于 0 且不超过 2.5 MPa", "pressure must be above 0 and at most 2.5 MPa"))
	}
	c.Require(in.Distance >= 0 && in.Distance <= 100_000, "distance",
		Say("距离应在 0 至 100000 米之间", "distance must be between 0 and 100,000 m"))
	text(c, "plan", in.Plan, in.Result == UpgradeNeeded || in.Result == NoMain)
	c.Require(in.Main == "" || in.Result != NoMain, "main", Say("无管网时不填管线编号", "no main is chosen where there is none"))
	c.Require(len([]rune(in.Main)) <= maxNumber, "main", tooLong(maxNumber))
	text(c, "source", in.Source, false)
	text(c, "note", in.Note, false)
}

func (in *AssessmentInput) apply(k *Case, _ *Task, _ Actor, _ time.Time) string {
	k.Assessment = in
	k.needDraft(Briefing)
	return string(in.Result)
}

// BriefingInput completes brief_customer.
type BriefingInput struct {
	Delivered  string        `json:"delivered" enum:"online,phone,visit" doc:"告知方式 how the briefing reached the customer"`
	FollowUpOn calendar.Date `json:"follow_up_on,omitzero" doc:"意向的下次跟进日期 of a lead: date of the next follow-up"`
	Note       string        `json:"note,omitempty" doc:"备注 note"`
}

func (in *BriefingInput) check(c *Check, k *Case, _ *Task, now time.Time) {
	oneOf(c, "delivered", in.Delivered, "online", "phone", "visit")
	text(c, "note", in.Note, false)
	if in.FollowUpOn != (calendar.Date{}) {
		c.Require(k.Request.Lead, "follow_up_on", Say("已申请的案件不设意向跟进日期", "a case that applied has no follow-up of a lead"))
		followUpDate(c, "follow_up_on", in.FollowUpOn, now)
	}
}

func (in *BriefingInput) apply(k *Case, _ *Task, by Actor, now time.Time) string {
	k.Briefed = in
	k.followLead(in.FollowUpOn)
	k.touch(now, by, ZeroBurden, false, Say("送达"+Briefing.NameFor(k.Request.Utility), "briefing delivered"))
	return done
}

// maxAhead is how far ahead a survey or follow-up can be agreed.
const maxAhead = 366 * 24 * time.Hour

// AppointmentInput completes schedule_survey.
type AppointmentInput struct {
	SurveyAt  time.Time    `json:"survey_at" doc:"约定踏勘时间 the agreed time"`
	Attendees []Department `json:"attendees" doc:"参加部门 departments that attend"`
	Note      string       `json:"note,omitempty" doc:"备注 note"`
}

func (in *AppointmentInput) check(c *Check, _ *Case, _ *Task, now time.Time) {
	c.Require(!in.SurveyAt.IsZero(), "survey_at", Say("请填写约定时间", "the agreed time is missing"))
	c.Require(in.SurveyAt.After(now.Add(-clockSkew)), "survey_at",
		Say("约定时间已过", "the agreed time has passed"))
	c.Require(in.SurveyAt.Before(now.Add(maxAhead)), "survey_at",
		Say("约定时间应在一年之内", "the agreed time must be within a year"))
	c.Require(slices.Contains(in.Attendees, Department(Taskforce)), "attendees",
		Say("营商专班（taskforce）组织联合踏勘，必须参加", "the taskforce organises the survey and must attend"))
	for _, d := range in.Attendees {
		c.Require(d.Valid(), "attendees", Sayf("没有这个部门：%s；应为：%s", "no such department: %s; one of: %s", d, joinAny(Departments())))
	}
	text(c, "note", in.Note, false)
}

func (in *AppointmentInput) apply(k *Case, _ *Task, by Actor, now time.Time) string {
	k.Appointment = in
	if k.Joint != nil {
		k.Joint.AgreedAt = now
	}
	k.touch(now, by, ZeroBurden, false, Say("电话预约踏勘时间", "survey date agreed"))
	return done
}

// PermitKind names a municipal permit (measures part 2, section 2, item 4).
type PermitKind string

// The permits that the taskforce files for the customer.
const (
	RoadOccupation       PermitKind = "road_occupation"        // 临时占用城市道路
	RoadExcavation       PermitKind = "road_excavation"        // 挖掘城市道路
	GreenSpaceOccupation PermitKind = "green_space_occupation" // 临时占用城市绿地
)

// PermitKinds lists the permits.
func PermitKinds() []PermitKind {
	return []PermitKind{RoadOccupation, RoadExcavation, GreenSpaceOccupation}
}

// Valid tells whether p is a permit kind.
func (p PermitKind) Valid() bool { return slices.Contains(PermitKinds(), p) }

// Name is the permit's Chinese name.
func (p PermitKind) Name() string {
	switch p {
	case RoadOccupation:
		return "临时占用城市道路"
	case RoadExcavation:
		return "挖掘城市道路"
	case GreenSpaceOccupation:
		return "临时占用城市绿地"
	}
	return string(p)
}

// PermitNeed is a permit that the survey found necessary.
type PermitNeed struct {
	Kind           PermitKind `json:"kind" enum:"road_occupation,road_excavation,green_space_occupation" doc:"审批事项 permit"`
	FellsTrees     bool       `json:"fells_trees,omitempty" doc:"涉及砍伐、迁移城市树木 trees are felled or moved"`
	AffectsTraffic bool       `json:"affects_traffic,omitempty" doc:"影响交通安全 traffic safety is affected"`
}

// PermitRoute is the way a permit goes.
type PermitRoute string

// The two ways. The joint commitment does not cover felling or moving city
// trees nor anything that affects traffic safety (measures part 2, item 4).
const (
	JointCommitment PermitRoute = "joint_commitment" // 市政联合审批承诺备案
	OrdinaryRoute   PermitRoute = "ordinary"         // 一般审批
)

// Route is the way that the permit must go.
func (p PermitNeed) Route() PermitRoute {
	if p.FellsTrees || p.AffectsTraffic {
		return OrdinaryRoute
	}
	return JointCommitment
}

// Permit is one permit of a case, from need to hand-over.
type Permit struct {
	PermitNeed
	Route         PermitRoute `json:"route"`
	Attempt       int         `json:"attempt"` // 1, and one more after each refusal
	FiledAt       time.Time   `json:"filed_at,omitzero"`
	FilingNumber  string      `json:"filing_number,omitempty"`
	DecidedAt     time.Time   `json:"decided_at,omitzero"`
	Granted       bool        `json:"granted,omitempty"`
	ReceiptNumber string      `json:"receipt_number,omitempty"`
	HandedOverAt  time.Time   `json:"handed_over_at,omitzero"`
	WithdrawnAt   time.Time   `json:"withdrawn_at,omitzero"`
	// SharedWith is the sibling that files the permit for both (see joint.go);
	// PassedTo the one that it was left to when this case was withdrawn.
	SharedWith string `json:"shared_with,omitempty"`
	PassedTo   string `json:"passed_to,omitempty"`
}

// refile makes the permit ready to be filed once more after a refusal.
func (p *Permit) refile() {
	*p = Permit{PermitNeed: p.PermitNeed, Route: p.Route, Attempt: p.Attempt + 1}
}

func (k *Case) permit(kind PermitKind) *Permit {
	for i := range k.Permits {
		if k.Permits[i].Kind == kind {
			return &k.Permits[i]
		}
	}
	return nil
}

// Design is what is built, chosen from the standard atlas (标准图集).
type Design struct {
	Atlas         string  `json:"atlas" doc:"标准图集图号 sheet of the standard atlas"`
	MeterDiameter int     `json:"meter_diameter,omitempty" doc:"水表口径(毫米)，用水必填 size of a water meter in mm"`
	PipeMaterial  string  `json:"pipe_material" doc:"管材 pipe material"`
	PipeLength    float64 `json:"pipe_length" doc:"管长(米) pipe length in metres"`

	// Of gas.
	Meter    MeterSize     `json:"meter,omitempty" enum:"G1.6,G2.5,G4,G6,G10,G16,G25,G40,G65,G100,G160,G250,G400,G650,G1000" doc:"燃气表规格，用气必填 size of a gas meter"`
	Pressure PressureClass `json:"pressure,omitempty" enum:"low,medium_b,medium_a" doc:"压力级制，用气必填 pressure class of a gas pipe"`
}

func (d Design) check(c *Check, prefix string, atlas []string) {
	if len(atlas) > 0 {
		c.Require(slices.Contains(atlas, d.Atlas), prefix+".atlas",
			Sayf("图号不在标准图集中，可选：%s", "not a sheet of the standard atlas; one of: %s", strings.Join(atlas, ", ")))
	} else {
		text(c, prefix+".atlas", d.Atlas, true)
	}
	c.Require(slices.Contains(Diameters(), d.MeterDiameter), prefix+".meter_diameter",
		Sayf("口径应为：%s 毫米", "diameter must be one of: %s mm", joinAny(Diameters())))
	text(c, prefix+".pipe_material", d.PipeMaterial, true)
	c.Require(d.PipeLength > 0 && d.PipeLength <= 100_000, prefix+".pipe_length",
		Say("管长应大于 0 且不超过 100000 米", "pipe length must be above 0 and at most 100,000 m"))
}

// NotYet says why a case can't be connected now.
type NotYet struct {
	Reason     string        `json:"reason" doc:"暂不具备条件的原因 why not yet"`
	Explained  bool          `json:"explained" doc:"已现场向客户解释 explained to the customer on site"`
	FollowUpOn calendar.Date `json:"follow_up_on" doc:"下次跟进日期 date of the next follow-up"`
}

// SurveyInput completes conduct_survey.
type SurveyInput struct {
	ConductedAt          time.Time    `json:"conducted_at" doc:"踏勘时间 when the survey took place"`
	CustomerPresent      bool         `json:"customer_present,omitempty" doc:"客户到场 the customer was present"`
	Connectable          bool         `json:"connectable" doc:"具备接入条件 can be connected"`
	InformationChecked   bool         `json:"information_checked,omitempty" doc:"已核对客户信息 customer information checked"`
	ApplicationCompleted bool         `json:"application_completed,omitempty" doc:"已现场代办报装申请 application completed for the customer"`
	Design               *Design      `json:"design,omitempty" doc:"设计方案 design"`
	DesignConfirmed      bool         `json:"design_confirmed,omitempty" doc:"客户现场确认方案 confirmed by the customer on the spot"`
	Excavation           bool         `json:"excavation,omitempty" doc:"需开挖（用气） ground must be dug up (gas)"`
	Permits              []PermitNeed `json:"permits,omitempty" doc:"需办理的市政审批 permits needed"`
	NotYet               *NotYet      `json:"not_yet,omitempty" doc:"暂不具备条件时填写 when it can't be connected yet"`
	Note                 string       `json:"note,omitempty" doc:"备注 note"`
}

func (in *SurveyInput) check(c *Check, k *Case, _ *Task, now time.Time) {
	past(c, k, "conducted_at", in.ConductedAt, now)
	text(c, "note", in.Note, false)
	if !in.Connectable {
		c.Require(in.Design == nil && len(in.Permits) == 0, "connectable",
			Say("暂不具备条件时不填方案和审批", "a design or permits make no sense while it can't be connected"))
		if in.NotYet == nil {
			c.Field("not_yet", Say("请填写暂不具备条件的原因和下次跟进日期", "say why not yet and when to follow up"))
			return
		}
		text(c, "not_yet.reason", in.NotYet.Reason, true)
		c.Require(in.NotYet.Explained, "not_yet.explained", Say("须现场向客户做好解释", "it must be explained to the customer on site"))
		followUpDate(c, "not_yet.follow_up_on", in.NotYet.FollowUpOn, now)
		return
	}
	c.Require(in.NotYet == nil, "not_yet", Say("具备条件时不填此项", "makes no sense when it can be connected"))
	c.Require(in.InformationChecked, "information_checked", Say("须现场核对客户信息", "the customer's information must be checked on site"))
	if k.frontLoaded() {
		c.Require(!in.ApplicationCompleted, "application_completed", Say("意向尚未申请：先提交申请，再登记踏勘", "this is a lead: hand in its application first, then record the survey"))
	} else {
		c.Require(in.ApplicationCompleted, "application_completed", Say("须现场为客户完成报装申请", "the application must be completed for the customer on site"))
	}
	if in.Design == nil {
		c.Field("design", Say("请从标准图集中选择方案", "choose a design from the standard atlas"))
	} else {
		in.checkDesign(c, k)
	}
	checkPermits(c, in.Permits)
}

func checkPermits(c *Check, needs []PermitNeed) {
	seen := map[PermitKind]bool{}
	for _, p := range needs {
		oneOf(c, "permits", p.Kind, PermitKinds()...)
		c.Require(!seen[p.Kind], "permits", Sayf("审批事项重复：%s", "permit named twice: %s", p.Kind))
		seen[p.Kind] = true
	}
}

func followUpDate(c *Check, field string, d calendar.Date, now time.Time) {
	today := calendar.DateOf(now)
	switch {
	case d == (calendar.Date{}):
		c.Field(field, Say("请填写下次跟进日期", "the date of the next follow-up is missing"))
	case d.Before(today):
		c.Field(field, Sayf("跟进日期已过（今天 %s）", "the date has passed (today is %s)", today))
	case calendar.DateOf(now.Add(maxAhead)).Before(d):
		c.Field(field, Say("跟进日期应在一年之内", "the date must be within a year"))
	}
}

func (in *SurveyInput) apply(k *Case, _ *Task, by Actor, now time.Time) string {
	k.Survey, k.SurveyedBy = in, by.ID
	k.touch(now, by, ZeroVisit, in.CustomerPresent, Say("现场联合踏勘", "joint survey on site"))
	if !in.Connectable {
		k.NextFollow = in.NotYet.FollowUpOn
		return NotYetConnectable
	}
	for _, p := range in.Permits {
		k.Permits = append(k.Permits, Permit{PermitNeed: p, Route: p.Route(), Attempt: 1})
	}
	k.judgeSurvey(in, by, now)
	if in.DesignConfirmed {
		k.DesignConfirmedAt = in.ConductedAt
	}
	if k.frontLoaded() {
		return Connectable // accepted once somebody applies
	}
	k.touch(now, by, ZeroApplication, false, Say("现场代办报装申请", "application completed for the customer"))
	k.acceptApplication(in.ConductedAt, by, now)
	return Connectable
}

// FollowUpInput completes follow_up.
type FollowUpInput struct {
	Result string        `json:"result" enum:"connectable,not_yet_connectable,withdrawn" doc:"跟进结果 result"`
	NextOn calendar.Date `json:"next_on,omitzero" doc:"下次跟进日期 date of the next follow-up"`
	Note   string        `json:"note" doc:"跟进情况 what was found"`
}

func (in *FollowUpInput) check(c *Check, _ *Case, _ *Task, now time.Time) {
	oneOf(c, "result", in.Result, Connectable, NotYetConnectable, "withdrawn")
	text(c, "note", in.Note, true)
	if in.Result == NotYetConnectable {
		followUpDate(c, "next_on", in.NextOn, now)
	}
}

func (in *FollowUpInput) apply(k *Case, _ *Task, by Actor, now time.Time) string {
	k.FollowUps++
	k.touch(now, by, ZeroBurden, false, Say("持续跟进", "followed up by us"))
	switch in.Result {
	case Connectable:
		// The survey is held again: what was found the last time is out of date.
		k.Survey, k.Appointment, k.NextFollow = nil, nil, calendar.Date{}
	case NotYetConnectable:
		k.NextFollow = in.NextOn
	default:
		k.withdraw(in.Note, by, now)
	}
	return in.Result
}

// UploadInput completes upload_survey.
type UploadInput struct {
	Note string `json:"note,omitempty" doc:"备注 note"`
}

func (in *UploadInput) gate(k *Case, _ *Task) error {
	if k.NeedsDesign() {
		return k.needDocuments(SurveyRecord) // what is designed on its own is drawn and confirmed later
	}
	if k.DesignConfirmedAt.IsZero() {
		return Refuse(Conflict, "design_not_confirmed", Say(
			"客户尚未确认设计方案：请客户凭查询码在线确认", "the customer has not confirmed the design yet; they can do so online with their code"))
	}
	return k.needDocuments(SurveyRecord, ConstructionDrawing)
}

// needDocuments refuses while a paper is not on file.
func (k *Case) needDocuments(kinds ...DocumentKind) error {
	for _, kind := range kinds {
		if k.countDocuments(kind) == 0 {
			return k.missingDocument(kind)
		}
	}
	return nil
}

func (k *Case) missingDocument(kind DocumentKind) error {
	return Refuse(Conflict, "document_missing", Sayf("请先上传%[1]s（%[2]s）", "upload the %[2]s first", kind.NameFor(k.Request.Utility), kind))
}

func (in *UploadInput) check(c *Check, _ *Case, _ *Task, _ time.Time) {
	text(c, "note", in.Note, false)
}

func (in *UploadInput) apply(k *Case, _ *Task, _ Actor, now time.Time) string {
	k.UploadedAt = now
	return done
}

// Material is one line of the requisition.
type Material struct {
	Code     string  `json:"code" doc:"物料编码 code"`
	Name     string  `json:"name" doc:"名称 name"`
	Quantity float64 `json:"quantity" doc:"数量 quantity"`
	Unit     string  `json:"unit" doc:"单位 unit"`
}

// MaterialsInput completes prepare_materials.
type MaterialsInput struct {
	Items []Material `json:"items" doc:"领料明细 lines of the requisition"`
	Note  string     `json:"note,omitempty" doc:"备注 note"`
}

func (in *MaterialsInput) check(c *Check, _ *Case, _ *Task, _ time.Time) {
	c.Require(len(in.Items) > 0 && len(in.Items) <= 200, "items",
		Say("领料明细应有 1 至 200 行", "the requisition needs 1 to 200 lines"))
	for _, m := range in.Items {
		text(c, "items.code", m.Code, true)
		text(c, "items.name", m.Name, true)
		text(c, "items.unit", m.Unit, true)
		c.Require(m.Quantity > 0 && m.Quantity <= 1_000_000, "items.quantity",
			Sayf("%s 的数量应大于 0", "the quantity of %s must be above 0", m.Code))
	}
	text(c, "note", in.Note, false)
}

func (in *MaterialsInput) apply(k *Case, _ *Task, _ Actor, _ time.Time) string {
	k.Materials = in
	k.needDraft(MaterialRequisition)
	return done
}

// FilingInput completes file_permit.
type FilingInput struct {
	FiledAt      time.Time `json:"filed_at" doc:"申报时间 when it was filed"`
	FilingNumber string    `json:"filing_number" doc:"申报编号 the authority's filing number"`
}

func (in *FilingInput) check(c *Check, k *Case, _ *Task, now time.Time) {
	past(c, k, "filed_at", in.FiledAt, now)
	text(c, "filing_number", in.FilingNumber, true)
}

func (in *FilingInput) apply(k *Case, t *Task, by Actor, now time.Time) string {
	p := k.permit(PermitKind(t.Qualifier))
	p.FiledAt, p.FilingNumber = in.FiledAt, in.FilingNumber
	k.holdLane("permit:"+t.Qualifier, in.FiledAt)
	k.touch(now, by, ZeroApproval, false, Say("网上代办审批，客户无需办理", "permit filed for the customer"))
	return done
}

// PermitResultInput completes record_permit_result.
type PermitResultInput struct {
	Granted       bool      `json:"granted" doc:"是否批准 granted"`
	DecidedAt     time.Time `json:"decided_at" doc:"审批时间 when it was decided"`
	ReceiptNumber string    `json:"receipt_number,omitempty" doc:"回执编号 number of the receipt"`
	Reason        string    `json:"reason,omitempty" doc:"未批准原因 why it was refused"`
}

func (in *PermitResultInput) check(c *Check, k *Case, t *Task, now time.Time) {
	past(c, k, "decided_at", in.DecidedAt, now)
	if p := k.permit(PermitKind(t.Qualifier)); p != nil && !in.DecidedAt.IsZero() {
		c.Require(!in.DecidedAt.Before(p.FiledAt), "decided_at",
			Sayf("审批时间早于申报时间（%s）", "decided before it was filed (%s)", Clock(p.FiledAt)))
	}
	text(c, "receipt_number", in.ReceiptNumber, in.Granted)
	text(c, "reason", in.Reason, !in.Granted)
}

func (in *PermitResultInput) apply(k *Case, t *Task, _ Actor, _ time.Time) string {
	p := k.permit(PermitKind(t.Qualifier))
	p.DecidedAt, p.Granted, p.ReceiptNumber = in.DecidedAt, in.Granted, in.ReceiptNumber
	k.releaseLane("permit:"+t.Qualifier, in.DecidedAt)
	if in.Granted {
		return "granted"
	}
	return "refused"
}

// SiteEntryInput completes enter_site.
type SiteEntryInput struct {
	EnteredAt time.Time `json:"entered_at" doc:"进场时间 when the crew entered the site"`
	Crew      string    `json:"crew" doc:"施工班组 crew"`
}

func (in *SiteEntryInput) check(c *Check, k *Case, _ *Task, now time.Time) {
	past(c, k, "entered_at", in.EnteredAt, now)
	text(c, "crew", in.Crew, true)
}

func (in *SiteEntryInput) apply(k *Case, _ *Task, _ Actor, _ time.Time) string {
	k.SiteEntry = in
	k.needDraft(CommencementReport)
	return done
}

var serialPattern = regexp.MustCompile(`^[A-Z0-9][A-Z0-9-]{4,29}$`)

// MeterInput completes install_meter.
type MeterInput struct {
	Serial      string    `json:"serial" doc:"表号 meter serial number"`
	Seal        string    `json:"seal" doc:"封号 seal number"`
	Diameter    int       `json:"diameter,omitempty" doc:"口径(毫米)，用水必填 size of a water meter in mm"`
	Size        MeterSize `json:"size,omitempty" enum:"G1.6,G2.5,G4,G6,G10,G16,G25,G40,G65,G100,G160,G250,G400,G650,G1000" doc:"规格，用气必填 size of a gas meter"`
	Type        MeterType `json:"type,omitempty" enum:"ic_card,remote" doc:"表型：IC卡表或远传表，用气必填 type of a gas meter"`
	Reading     float64   `json:"reading" doc:"起码(立方米) reading at installation in cubic metres"`
	InstalledAt time.Time `json:"installed_at" doc:"装表时间 when it was installed"`
}

func (in *MeterInput) check(c *Check, k *Case, _ *Task, now time.Time) {
	c.Require(serialPattern.MatchString(in.Serial), "serial",
		Say("表号应为 5 至 30 位大写字母、数字或连字符", "a serial number has 5 to 30 capital letters, digits or dashes"))
	text(c, "seal", in.Seal, true)
	in.checkSize(c, k)
	c.Require(in.Reading >= 0 && in.Reading < 1_000_000, "reading",
		Say("起码应在 0 至 999999 之间", "the reading must be between 0 and 999,999"))
	past(c, k, "installed_at", in.InstalledAt, now)
}

func (in *MeterInput) apply(k *Case, _ *Task, _ Actor, now time.Time) string {
	k.Meter = in
	k.settleMeterType(now)
	return done
}

// SupplyInput completes turn_on_supply.
type SupplyInput struct {
	SuppliedAt time.Time `json:"supplied_at" doc:"通水时间 when supply was turned on"`
	Pressure   float64   `json:"pressure,omitempty" doc:"末端水压(MPa) pressure at the tap in MPa"`
}

func (in *SupplyInput) check(c *Check, k *Case, _ *Task, now time.Time) {
	past(c, k, "supplied_at", in.SuppliedAt, now)
	if k.Meter != nil && !in.SuppliedAt.IsZero() {
		c.Require(!in.SuppliedAt.Before(k.Meter.InstalledAt), "supplied_at",
			Sayf("通水时间早于装表时间（%s）", "supply-on before the meter was installed (%s)", Clock(k.Meter.InstalledAt)))
	}
	c.Require(in.Pressure >= 0 && in.Pressure <= 2.5, "pressure",
		Say("水压应在 0 至 2.5 MPa 之间", "pressure must be between 0 and 2.5 MPa"))
}

func (in *SupplyInput) apply(k *Case, _ *Task, by Actor, now time.Time) string {
	k.Supply = in
	k.closeDeadline(LaneDeadline, true, in.SuppliedAt, now)
	k.touch(now, by, ZeroVisit, false, Say("现场通水", "supply turned on on site"))
	return done
}

// EntryInput completes complete_entry.
type EntryInput struct {
	Note string `json:"note,omitempty" doc:"备注 note"`
}

func (in *EntryInput) gate(k *Case, _ *Task) error {
	missing := k.MissingDocuments()
	if len(missing) == 0 {
		return nil
	}
	names := make([]string, len(missing))
	for i, m := range missing {
		names[i] = m.Name() + "(" + string(m) + ")"
	}
	f := Refuse(Conflict, "documents_missing", Sayf("通水资料不齐，尚缺：%s", "documents are missing: %s", strings.Join(names, "、")))
	f.Rule = "measures 2.2.5"
	return f
}

func (in *EntryInput) check(c *Check, _ *Case, _ *Task, _ time.Time) { text(c, "note", in.Note, false) }

func (in *EntryInput) apply(k *Case, _ *Task, _ Actor, now time.Time) string {
	k.EntryAt = now
	return done
}

// MeterAcceptanceInput completes accept_meter.
type MeterAcceptanceInput struct {
	Passed bool `json:"passed" doc:"验收合格 passed"`
	// Witness is the second pair of eyes that a policy may ask for.
	Witness string `json:"witness,omitempty" doc:"共同验收人工号；踏勘人不得单独验收 staff number of who accepted it too; who surveyed may not accept alone"`
	Note    string `json:"note,omitempty" doc:"备注；不合格时说明原因 note; why it failed"`
}

// gatePerson keeps whoever conducted the survey from accepting the finished
// work alone, where the policy says so.
func (in *MeterAcceptanceInput) gatePerson(k *Case, by Actor) error {
	witnessed := in.Witness != "" && in.Witness != by.ID
	if !in.Passed || !k.Terms.SeparateAcceptance || k.SurveyedBy != by.ID || witnessed {
		return nil
	}
	return Refuse(Forbidden, "surveyor_accepts", Say("踏勘人不得单独验收，请填写共同验收人（witness）或由他人验收",
		"who conducted the survey may not accept alone: name a witness, or leave it to somebody else"))
}

func (in *MeterAcceptanceInput) check(c *Check, _ *Case, _ *Task, _ time.Time) {
	text(c, "note", in.Note, !in.Passed)
}

func (in *MeterAcceptanceInput) fails() bool { return !in.Passed }

func (in *MeterAcceptanceInput) apply(k *Case, _ *Task, _ Actor, _ time.Time) string {
	if !in.Passed {
		k.Meter = nil // a meter that fails is replaced and accepted again
		k.MetersFailed++
		return "failed"
	}
	k.MeterAccepted = in
	return "passed"
}

var accountPattern = regexp.MustCompile(`^[0-9A-Z-]{6,20}$`)

// AccountInput completes open_account.
type AccountInput struct {
	AccountNumber  string `json:"account_number" doc:"户号 account number"`
	ContractNumber string `json:"contract_number,omitempty" doc:"合同编号 contract number"`
}

func (in *AccountInput) check(c *Check, _ *Case, _ *Task, _ time.Time) {
	c.Require(accountPattern.MatchString(in.AccountNumber), "account_number",
		Say("户号应为 6 至 20 位数字、大写字母或连字符", "an account number has 6 to 20 digits, capital letters or dashes"))
	text(c, "contract_number", in.ContractNumber, false)
}

func (in *AccountInput) apply(k *Case, _ *Task, _ Actor, _ time.Time) string {
	if c := k.Contract(SupplyContractKind); c != nil && in.ContractNumber == "" {
		in.ContractNumber = c.Number // nobody enters what the case knows
	}
	k.Account = in
	return done
}

// ReadingInput completes enrol_reading.
type ReadingInput struct {
	Book  string `json:"book" doc:"册本号 reading book or route"`
	Cycle string `json:"cycle" enum:"monthly,bimonthly" doc:"抄表周期 reading cycle"`
}

func (in *ReadingInput) check(c *Check, _ *Case, _ *Task, _ time.Time) {
	text(c, "book", in.Book, true)
	oneOf(c, "cycle", in.Cycle, "monthly", "bimonthly")
}

func (in *ReadingInput) apply(k *Case, _ *Task, _ Actor, _ time.Time) string {
	k.Reading = in
	return done
}

// UpgradeWork is what an upgrade's own case has done so far.
type UpgradeWork struct {
	Design     *UpgradeDesignInput     `json:"design,omitempty"`
	Build      *UpgradeBuildInput      `json:"build,omitempty"`
	Commission *UpgradeCommissionInput `json:"commission,omitempty"`
}

// UpgradeDesignInput completes design_upgrade.
type UpgradeDesignInput struct {
	Scheme   string  `json:"scheme" doc:"方案 scheme"`
	Diameter int     `json:"diameter" doc:"管径(毫米) diameter of the main in mm"`
	Length   float64 `json:"length" doc:"长度(米) length in metres"`
}

func (in *UpgradeDesignInput) check(c *Check, _ *Case, _ *Task, _ time.Time) {
	text(c, "scheme", in.Scheme, true)
	c.Require(in.Diameter >= 15 && in.Diameter <= 3000, "diameter",
		Say("管径应在 15 至 3000 毫米之间", "diameter must be between 15 and 3000 mm"))
	c.Require(in.Length > 0 && in.Length <= 100_000, "length",
		Say("长度应大于 0 且不超过 100000 米", "length must be above 0 and at most 100,000 m"))
}

func (in *UpgradeDesignInput) apply(k *Case, _ *Task, _ Actor, _ time.Time) string {
	k.UpgradeWork.Design = in
	return done
}

// UpgradeBuildInput completes build_upgrade.
type UpgradeBuildInput struct {
	BuiltAt time.Time `json:"built_at" doc:"完工时间 when it was built"`
	Note    string    `json:"note,omitempty" doc:"备注 note"`
}

func (in *UpgradeBuildInput) check(c *Check, k *Case, _ *Task, now time.Time) {
	past(c, k, "built_at", in.BuiltAt, now)
	text(c, "note", in.Note, false)
}

func (in *UpgradeBuildInput) apply(k *Case, _ *Task, _ Actor, _ time.Time) string {
	k.UpgradeWork.Build = in
	return done
}

// UpgradeCommissionInput completes commission_upgrade.
type UpgradeCommissionInput struct {
	CommissionedAt  time.Time `json:"commissioned_at" doc:"投运时间 when it was commissioned"`
	Pressure        float64   `json:"pressure" doc:"压力(MPa) pressure in MPa"`
	WaterPassed     bool      `json:"water_passed,omitempty" doc:"水质检测合格，供水管网必填 water quality passed, of a water main"`
	TightnessPassed bool      `json:"tightness_passed,omitempty" doc:"严密性试验合格，燃气管网必填 tightness passed, of a gas main"`
}

func (in *UpgradeCommissionInput) check(c *Check, k *Case, _ *Task, now time.Time) {
	past(c, k, "commissioned_at", in.CommissionedAt, now)
	c.Require(in.Pressure > 0 && in.Pressure <= 2.5, "pressure",
		Say("压力应大于 0 且不超过 2.5 MPa", "pressure must be above 0 and at most 2.5 MPa"))
	if k.gas() {
		c.Require(in.TightnessPassed, "tightness_passed", Say("严密性试验合格后方可投运", "the main must pass its tightness test before commissioning"))
		return
	}
	c.Require(in.WaterPassed, "water_passed", Say("水质检测合格后方可投运", "the water must pass its test before commissioning"))
}

func (in *UpgradeCommissionInput) apply(k *Case, _ *Task, _ Actor, _ time.Time) string {
	k.UpgradeWork.Commission = in
	return done
}
