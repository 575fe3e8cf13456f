package casework

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/curbstop/curbstop/calendar"
)

// Utility is what the customer asks to be connected to.
type Utility string

// The utilities.
const (
	Water Utility = "water" // 水
	Gas   Utility = "gas"   // 气
)

// Valid tells whether u is one of the utilities.
func (u Utility) Valid() bool { return u == Water || u == Gas }

// Name is the utility's Chinese name.
func (u Utility) Name() string {
	switch u {
	case Water:
		return "用水"
	case Gas:
		return "用气"
	case Electricity:
		return "用电"
	case Heat:
		return "用热"
	}
	return string(u)
}

// Lane is a service lane (服务模式): the number of customer-facing steps,
// materials and working days (measures, part 2, section 1, item 1).
type Lane string

// The lanes.
const (
	Lane101 Lane = "101" // one step, no material, one working day; the leading lane
	Lane201 Lane = "201" // two steps, no material, one working day
)

// Valid tells whether l is one of the lanes.
func (l Lane) Valid() bool { return l == Lane101 || l == Lane201 }

// Channel is the way a request came in (section 5 of the process).
type Channel string

// The channels, spelt as in the process.
const (
	WanShiTong        Channel = "wanshitong"         // 皖事通APP
	GovPortal         Channel = "gov_portal"         // 安徽政务服务网
	CompanySite       Channel = "company_site"       // 公司门户网站
	WeChat            Channel = "wechat"             // 微信公众号
	MiniProgram       Channel = "mini_program"       // 壹品慧缴费小程序
	ServiceHallDesk   Channel = "service_hall"       // 线下大厅与各级窗口
	ProjectApproval   Channel = "project_approval"   // 工改平台
	EnterpriseStartup Channel = "enterprise_startup" // 企业开办平台
	IndustrialPark    Channel = "industrial_park"    // 各园区
	JointUtility      Channel = "joint_utility"      // 水电气一网通办
	PropertyTransfer  Channel = "property_transfer"  // 不动产登记过户系统
	Hotline12345      Channel = "hotline_12345"      // 12345 分线
	Outreach          Channel = "outreach"           // 走访摸排
)

// Channels lists every channel in the order of the process.
func Channels() []Channel {
	return []Channel{
		WanShiTong, GovPortal, CompanySite, WeChat, MiniProgram, ServiceHallDesk, ProjectApproval,
		EnterpriseStartup, IndustrialPark, JointUtility, PropertyTransfer, Hotline12345, Outreach,
	}
}

// Valid tells whether c is one of the channels.
func (c Channel) Valid() bool { return slices.Contains(Channels(), c) }

// Name is the channel's Chinese name.
func (c Channel) Name() string {
	if name, ok := channelNames[c]; ok {
		return name
	}
	return string(c)
}

var channelNames = map[Channel]string{
	WanShiTong:        "皖事通APP",
	GovPortal:         "安徽政务服务网",
	CompanySite:       "公司门户网站",
	WeChat:            "微信公众号",
	MiniProgram:       "壹品慧缴费小程序",
	ServiceHallDesk:   "线下大厅与各级窗口",
	ProjectApproval:   "工程建设项目审批平台",
	EnterpriseStartup: "企业开办平台",
	IndustrialPark:    "园区推送",
	JointUtility:      "水电气一网通办",
	PropertyTransfer:  "不动产登记过户系统",
	Hotline12345:      "12345 分线",
	Outreach:          "走访摸排",
}

// Applicant is who asks: an enterprise, institution or person.
type Applicant struct {
	Name       string `json:"name" doc:"名称或姓名 name"`                                           // 单位名称, or a person's name
	CreditCode string `json:"credit_code,omitempty" doc:"统一社会信用代码 unified social credit code"` // 统一社会信用代码, GB 32100-2015
	// CreditCodeOverride is the reason for which a code that fails its check
	// character is accepted all the same: such codes are known to be in use.
	CreditCodeOverride string `json:"credit_code_override,omitempty" doc:"校验码不符仍受理的理由 reason to accept a code that fails its check"`
	Person             bool   `json:"person,omitempty" doc:"自然人 a natural person"` // a natural person, who has no credit code
}

// Contact is whom to call. It is personal data: encrypted at rest, masked
// where the reader's role does not need it.
type Contact struct {
	Name  string `json:"name" doc:"名称或姓名 name"`
	Phone string `json:"phone" doc:"手机号 mobile number"` // mobile, eleven digits
}

// Site is where the supply is wanted.
type Site struct {
	District District `json:"district" doc:"区县代码 district code"`
	Address  string   `json:"address" doc:"详细地址 address"`
	// Plot is the number of a planned plot (地块编号), Position where the supply
	// is wanted, by which the nearest mains are found.
	Plot     string    `json:"plot,omitempty" doc:"规划地块编号 number of the planned plot"`
	Position *Position `json:"position,omitempty" doc:"坐标（WGS84 经纬度） position, WGS84"`
}

// Demand is how much of what is wanted when.
type Demand struct {
	Use         string        `json:"use,omitempty" doc:"用途 use"`                               // 用途
	DailyVolume float64       `json:"daily_volume,omitempty" doc:"日用量(立方米) cubic metres a day"` // cubic metres a day
	Diameter    int           `json:"diameter,omitempty" doc:"口径(毫米) nominal diameter in mm"`   // nominal diameter in millimetres
	WantedOn    calendar.Date `json:"wanted_on,omitzero" doc:"希望通水日期 date wanted"`              // the day on which supply is wanted
	BuildFrom   calendar.Date `json:"build_from,omitzero" doc:"建设开始日期 building starts"`         // building schedule: start
	BuildTo     calendar.Date `json:"build_to,omitzero" doc:"建设结束日期 building ends"`             // building schedule: end
	DigsRoad    bool          `json:"digs_road,omitempty" doc:"需开挖道路 a road is dug up"`         // the customer expects a road to be dug up
	OccupiesWay bool          `json:"occupies_way,omitempty" doc:"需占用道路 a road is occupied"`    // the customer expects a road to be occupied
	UsesGreen   bool          `json:"uses_green,omitempty" doc:"需占用绿地 green space is occupied"` // the customer expects green space to be occupied
}

// Request is a connection request as it came in, in our terms.
type Request struct {
	Utility        Utility   `json:"utility" doc:"用能类型 water or gas"`
	Channel        Channel   `json:"channel" doc:"渠道 the way it came in"`
	ExternalNumber string    `json:"external_number,omitempty" doc:"来件编号；同一渠道只收一次 the sender's own number; with the channel it is accepted once"` // the sender's own number; with the channel it is accepted once
	Lane           Lane      `json:"lane,omitempty" doc:"服务模式；不填按政策 service lane; chosen by policy where empty"`                                  // empty: chosen by policy
	Lead           bool      `json:"lead,omitempty" doc:"尚未申请的意向 contact before an application"`                                                  // contact before an application exists
	Applicant      Applicant `json:"applicant" required:"false" doc:"申请单位或个人 applicant"`
	Contact        Contact   `json:"contact" required:"false" doc:"联系人 whom to call"`
	Site           Site      `json:"site" doc:"用能地址 where"`
	Demand         Demand    `json:"demand" doc:"用能需求 demand"`
	Remark         string    `json:"remark,omitempty" doc:"备注 remark"`
	// Project is the code of the project (项目代码): an application that names
	// the same one belongs to the lead that was opened for it.
	Project string `json:"project,omitempty" doc:"投资项目代码 code of the project"`
	Visit   *Visit `json:"visit,omitempty" doc:"走访记录，走访摸排时填写 the visit that found it"`
	// ByServiceCode tells that a service code (办事码) filled in who it is.
	ByServiceCode bool `json:"by_service_code,omitempty" readOnly:"true" doc:"凭办事码填写 filled in by a service code"`
	// Attachments are the papers that came along with it, without their files.
	// They are ours to note: nobody who hands in a request names them.
	Attachments []Attachment `json:"attachments,omitempty" readOnly:"true" doc:"随件材料；由系统登记，不能填报 papers that came along; noted by the system, never handed in"`
	// Extra keeps what the sender wrote and we do not know, so that nothing
	// that arrived is lost.
	Extra map[string]json.RawMessage `json:"extra,omitempty" doc:"来件的其他内容，原样保留 what else the sender wrote, kept as it is"`
}

// Limits of free text, in characters: generous for people, small enough that
// a history stays small.
const (
	maxName   = 200
	maxText   = 2000
	maxNumber = 100
)

// creditCodeLength is the length of a unified social credit code.
const creditCodeLength = 18

// Diameters are the nominal meter and pipe diameters in millimetres that a
// request may name (GB/T 778.1 and the price list's sizes).
func Diameters() []int { return []int{15, 20, 25, 32, 40, 50, 65, 80, 100, 150, 200, 250, 300} }

// Normalise brings the request to its canonical spelling: full-width digits,
// blanks, dashes and letter case of codes and phones. It never changes meaning
// and gives a request that [Request.Validate] judges.
func (r Request) Normalise() Request {
	r.Applicant.Name = strings.TrimSpace(r.Applicant.Name)
	r.Applicant.CreditCode = NormaliseCreditCode(r.Applicant.CreditCode)
	r.Contact.Name = strings.TrimSpace(r.Contact.Name)
	r.Contact.Phone = NormalisePhone(r.Contact.Phone)
	r.Site.Address = strings.TrimSpace(r.Site.Address)
	r.ExternalNumber = strings.TrimSpace(r.ExternalNumber)
	r.Site.Plot = strings.TrimSpace(r.Site.Plot)
	r.Project = strings.TrimSpace(r.Project)
	return r
}

// Validate judges a normalised request and names every field that is wrong.
// A missing credit code is a fault for water and for a person is not asked
// (for gas it is deferred, 容缺受理, measures part 3, item 1).
//
// Of a lead less is asked: see [Case.MissingForApplication].
func (r Request) Validate() error {
	if r.Lead {
		return r.validateLead()
	}
	var c Check
	r.checkFrame(&c)
	r.Applicant.check(&c, r.Utility)
	r.Contact.check(&c)
	r.Site.check(&c)
	r.Demand.check(&c)
	return c.Err()
}

// checkFrame judges what a lead and an application say alike.
func (r Request) checkFrame(c *Check) {
	c.Require(r.Utility.Valid(), "utility", Say("用能类型应为 water（水）或 gas（气）", "utility must be water or gas"))
	c.Require(r.Channel.Valid(), "channel", Sayf("渠道应为：%s", "channel must be one of: %s", joinAny(Channels())))
	c.Require(r.Lane == "" || r.Lane.Valid(), "lane", Say("服务模式应为 101 或 201", "lane must be 101 or 201"))
	c.Require(len([]rune(r.ExternalNumber)) <= maxNumber, "external_number", tooLong(maxNumber))
	c.Require(!strings.HasPrefix(r.ExternalNumber, "passed/"), "external_number", Say("不得以 passed/ 开头，系统用它登记转办", "must not begin with passed/, by which what is passed on is kept"))
	c.Require(len([]rune(r.Remark)) <= maxText, "remark", tooLong(maxText))
	c.Require(len([]rune(r.Project)) <= maxNumber, "project", tooLong(maxNumber))
	if r.Visit != nil {
		r.Visit.check(c, "visit.")
	}
}

func (a Applicant) check(c *Check, u Utility) {
	c.Require(a.Name != "", "applicant.name", Say("请填写单位名称或姓名", "the applicant's name is missing"))
	c.Require(len([]rune(a.Name)) <= maxName, "applicant.name", tooLong(maxName))
	a.checkCode(c, u)
}

func (a Applicant) checkCode(c *Check, u Utility) {
	switch {
	case a.Person:
		c.Require(a.CreditCode == "", "applicant.credit_code",
			Say("个人没有统一社会信用代码", "a natural person has no credit code"))
	case a.CreditCode == "":
		c.Require(u == Gas, "applicant.credit_code",
			Say("请填写统一社会信用代码（18位）", "the unified social credit code (18 characters) is missing"))
	default:
		overridden := strings.TrimSpace(a.CreditCodeOverride) != "" && len(a.CreditCode) == creditCodeLength
		if err := CheckCreditCode(a.CreditCode); err != nil && !overridden {
			c.Nested("applicant.credit_code", err)
		}
		c.Require(len([]rune(a.CreditCodeOverride)) <= maxText, "applicant.credit_code_override", tooLong(maxText))
	}
}

func (p Contact) check(c *Check) {
	c.Require(p.Name != "", "contact.name", Say("请填写联系人", "the contact's name is missing"))
	c.Require(len([]rune(p.Name)) <= maxName, "contact.name", tooLong(maxName))
	c.Nested("contact.phone", CheckPhone(p.Phone))
}

func (s Site) check(c *Check) {
	c.Nested("site.district", s.District.Check())
	c.Require(s.Address != "", "site.address", Say("请填写用能地址", "the address is missing"))
	c.Require(len([]rune(s.Address)) <= maxName, "site.address", tooLong(maxName))
	s.checkPlace(c)
}

func (s Site) checkPlace(c *Check) {
	c.Require(len([]rune(s.Plot)) <= maxNumber, "site.plot", tooLong(maxNumber))
	if s.Position != nil {
		c.Nested("site.position", s.Position.Check())
	}
}

func (d Demand) check(c *Check) {
	c.Require(d.DailyVolume >= 0 && d.DailyVolume <= 1_000_000, "demand.daily_volume",
		Say("日用量应在 0 至 1000000 立方米之间", "daily volume must be between 0 and 1,000,000 cubic metres"))
	c.Require(d.Diameter == 0 || slices.Contains(Diameters(), d.Diameter), "demand.diameter",
		Sayf("口径应为：%s 毫米", "diameter must be one of: %s mm", joinAny(Diameters())))
	c.Require(len([]rune(d.Use)) <= maxName, "demand.use", tooLong(maxName))
	if d.BuildFrom != (calendar.Date{}) && d.BuildTo != (calendar.Date{}) {
		c.Require(!d.BuildTo.Before(d.BuildFrom), "demand.build_to",
			Say("施工结束日期早于开始日期", "building ends before it begins"))
	}
}

func tooLong(n int) Text {
	return Sayf("文字过长，最多 %d 个字", "too long: at most %d characters", n)
}

// SameMatter tells whether two requests under one number may be the same one,
// sent again or by another way: of the same project, or of the same applicant at
// the same place, as far as both say.
func (r Request) SameMatter(other Request) bool {
	if a, b := r.ProjectKey(), other.ProjectKey(); a != "" && b != "" {
		return a == b
	}
	who, whose := r.Applicant.CreditCode, other.Applicant.CreditCode
	if who == "" || whose == "" {
		who, whose = r.Who(), other.Who()
	}
	place, where := strings.Join(strings.Fields(r.Site.Address), ""), strings.Join(strings.Fields(other.Site.Address), "")
	return who == whose && (place == where || place == "" || where == "")
}

// NumberOfAnother refuses a request under a number under which somebody else
// sent another one: who asks here would be taken for who asked there.
func NumberOfAnother() error {
	return Refuse(Conflict, "number_of_another", Say("另一来件方已用同一编号提交了另一项申请；请核对，更正编号后重新提交",
		"somebody else sent another request under the same number; look at both, and send this one under a number of its own"))
}
