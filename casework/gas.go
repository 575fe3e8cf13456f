package casework

import (
	"slices"
	"strings"
	"time"
)

// What only a connection to gas knows (measures part 3). It goes through the
// stages of every connection; decision 0022 says where its own tasks stand.

// MeterSize is the size of a gas meter as the standard names it: G and the
// nominal flow in cubic metres an hour (GB/T 6968, GB/T 28848).
type MeterSize string

// MeterSizes lists the sizes, the smallest first.
func MeterSizes() []MeterSize {
	return []MeterSize{
		"G1.6", "G2.5", "G4", "G6", "G10", "G16", "G25", "G40", "G65", "G100", "G160", "G250", "G400", "G650", "G1000",
	}
}

// Valid tells whether s is one of the sizes.
func (s MeterSize) Valid() bool { return slices.Contains(MeterSizes(), s) }

// exceeds tells whether a meter is larger than another; a size that is none is
// larger than all.
func (s MeterSize) exceeds(other MeterSize) bool {
	return !s.Valid() || slices.Index(MeterSizes(), s) > slices.Index(MeterSizes(), other)
}

// MeterType is how a gas meter is read and paid for.
type MeterType string

// The types of gas meter.
const (
	CardMeter   MeterType = "ic_card" // IC卡表: paid ahead, with a card
	RemoteMeter MeterType = "remote"  // 远传表: read from afar
)

// PressureClass is the class of the gas pipe that the connection leaves from
// (GB 50028).
type PressureClass string

// The classes of pressure that a connection may have.
const (
	LowPressure     PressureClass = "low"      // 低压, below 0.01 MPa
	MediumPressureB PressureClass = "medium_b" // 中压B, 0.01 to 0.2 MPa
	MediumPressureA PressureClass = "medium_a" // 中压A, above 0.2 to 0.4 MPa
)

// PressureClasses lists the classes, the lowest first.
func PressureClasses() []PressureClass {
	return []PressureClass{LowPressure, MediumPressureB, MediumPressureA}
}

// Name is the class's Chinese name.
func (p PressureClass) Name() string {
	switch p {
	case LowPressure:
		return "低压"
	case MediumPressureB:
		return "中压B级"
	case MediumPressureA:
		return "中压A级"
	}
	return string(p)
}

// CustomerClass tells homes from all others, whose contracts, prices and safety
// checks differ.
type CustomerClass string

// The classes of customer.
const (
	Residential    CustomerClass = "residential"     // 居民
	NonResidential CustomerClass = "non_residential" // 非居民
)

// CustomerClasses lists them.
func CustomerClasses() []CustomerClass { return []CustomerClass{Residential, NonResidential} }

// Valid tells whether c is one of the classes.
func (c CustomerClass) Valid() bool { return slices.Contains(CustomerClasses(), c) }

// Name is the class's Chinese name.
func (c CustomerClass) Name() string {
	switch c {
	case Residential:
		return "居民"
	case NonResidential:
		return "非居民"
	}
	return string(c)
}

// Class tells what class of customer asks: a natural person is a home, whoever
// has or will have a credit code is not.
func (r Request) Class() CustomerClass {
	if r.Applicant.Person {
		return Residential
	}
	return NonResidential
}

// GasTerms are what a policy says for gas alone.
type GasTerms struct {
	// Small bounds the small standardised connection (小型标准化接入工程).
	Small SmallLimits `json:"small" yaml:"small"`
	// Atlas lists the sheets of the gas atlas, from which the design of a small
	// connection is chosen.
	Atlas          []string      `json:"atlas" yaml:"atlas"`
	Residential    GasClassTerms `json:"residential" yaml:"residential"`
	NonResidential GasClassTerms `json:"non_residential" yaml:"non_residential"`
}

// SmallLimits are the largest meter and the longest pipe of a small connection.
// One for which a road or other ground must be dug up is never small.
type SmallLimits struct {
	Meter      MeterSize `json:"meter" yaml:"meter"`
	PipeLength float64   `json:"pipe_length" yaml:"pipe_length"` // metres
}

// GasClassTerms are what a policy says for one class of customer.
type GasClassTerms struct {
	// Contracts lists what the customer signs before construction.
	Contracts []ContractKind `json:"contracts" yaml:"contracts"`
	Tightness Tightness      `json:"tightness" yaml:"tightness"`
	// Checklist is what is confirmed at commissioning beside the items that the
	// checklist of commission_supply has for everyone.
	Checklist []string `json:"checklist,omitempty" yaml:"checklist"`
}

// Tightness is the test that a finished installation must pass: at least this
// pressure, for at least this long, without any drop.
type Tightness struct {
	Kilopascals float64 `json:"kilopascals" yaml:"kilopascals"`
	Minutes     int     `json:"minutes" yaml:"minutes"`
}

// Class gives the terms of one class of customer.
func (g *GasTerms) Class(c CustomerClass) GasClassTerms {
	switch {
	case g == nil:
		return GasClassTerms{}
	case c == Residential:
		return g.Residential
	}
	return g.NonResidential
}

// gasAtlas lists the sheets from which a small connection's design is chosen.
func (t Terms) gasAtlas() []string {
	if t.Gas == nil {
		return nil
	}
	return t.Gas.Atlas
}

// DesignedLaneLimit is the limit from acceptance to supply-on of a connection
// that needs a design of its own; it stands in place of the lane's.
const DesignedLaneLimit LimitName = "lane_designed"

// LaneLimit names the limit of the case from acceptance to supply-on.
func (k *Case) LaneLimit() LimitName {
	if _, limited := k.Terms.Limits[DesignedLaneLimit]; limited && k.needsDesign() {
		return DesignedLaneLimit
	}
	return LaneLimit(k.Lane)
}

// relimit has the limit from acceptance to supply-on go on as another one: a
// customer's wish made a small connection one that is designed, or another
// policy sets other limits. What fired stays fired.
func (k *Case) relimit() {
	d, ok := k.Deadline(LaneDeadline)
	limit := k.LaneLimit()
	if !ok || d.Limit == limit {
		return
	}
	d.Limit, d.Budget = limit, k.Terms.Limits[limit]
	d.climbs(k.Terms.LadderOf(limit))
	d.recount()
	for i := range k.Escalations {
		e := &k.Escalations[i]
		if e.Deadline != LaneDeadline || !e.Open() {
			continue
		}
		e.Limit = limit
		k.changes.escalation(*e)
		if clock, ok := k.Deadline(answerClock + e.ID); ok {
			clock.recount()
			k.applyAnswer(clock)
		}
	}
}

// Scale says whether a gas connection is a small standardised one, which takes
// the short way: a design from the atlas and a fixed price (measures part 3,
// item 5). Where it is not, the reasons say why.
type Scale struct {
	Small   bool   `json:"small"`
	Reasons []Text `json:"reasons,omitempty"`
}

// Scale judges what a survey found. Every reason against the short way is
// named, not only the first.
func (t Terms) Scale(class CustomerClass, d Design, excavation bool) Scale {
	var why []Text
	if t.Gas == nil {
		why = append(why, Say("政策未规定小型标准化接入", "the policy sets no limits for small connections"))
	} else {
		if d.Meter.exceeds(t.Gas.Small.Meter) {
			why = append(why, Sayf("表具 %s 大于 %s", "the meter %s is larger than %s", d.Meter, t.Gas.Small.Meter))
		}
		if d.PipeLength > t.Gas.Small.PipeLength {
			why = append(why, Sayf("管长 %g 米超过 %g 米", "the pipe of %g m is longer than %g m", d.PipeLength, t.Gas.Small.PipeLength))
		}
	}
	if excavation {
		why = append(why, Say("需开挖", "ground must be dug up"))
	}
	if _, priced := t.FixedPrice(class, d.Meter); !priced && len(why) == 0 {
		why = append(why, Sayf("价目表中没有 %s 的一口价", "the price list has no fixed price for %s", d.Meter))
	}
	return Scale{Small: len(why) == 0, Reasons: why}
}

// text says the scale in a sentence.
func (s Scale) text(d Design) Text {
	if s.Small {
		return Sayf("小型标准化接入（%s，管长 %g 米，不开挖）：标准图集、一口价", "small standardised connection (%s, %g m of pipe, no digging): atlas design, fixed price", d.Meter, d.PipeLength)
	}
	var zh, en []string
	for _, r := range s.Reasons {
		zh, en = append(zh, r.ZH), append(en, r.EN)
	}
	return Text{
		ZH: "不属于小型标准化接入，另行设计、按价目表报价：" + strings.Join(zh, "；"),
		EN: "not a small standardised connection, designed and priced on its own: " + strings.Join(en, "; "),
	}
}

// GasFact is what is known so far of a gas connection alone.
type GasFact struct {
	Scale  *Scale                 `json:"scale,omitempty"`  // as the survey was judged, or a customer's wish changed it
	Design *ConnectionDesignInput `json:"design,omitempty"` // of its own, where the connection is not small
	// DesignedAt is when that design was ready.
	DesignedAt time.Time  `json:"designed_at,omitzero"`
	Revisions  int        `json:"revisions,omitempty"` // designs and quotes that the customer did not agree to
	Quote      *Quote     `json:"quote,omitempty"`
	Contracts  []Contract `json:"contracts,omitempty"`

	Commissioning *CommissioningInput `json:"commissioning,omitempty"` // the last one
	Failed        int                 `json:"failed,omitempty"`        // commissionings that found a hazard
	Hazard        string              `json:"hazard,omitempty"`        // what keeps the supply off
	Remedy        *RemedyInput        `json:"remedy,omitempty"`        // how the last hazard was remedied
	Card          *CardInput          `json:"card,omitempty"`
}

// gas tells whether the case is a connection to gas.
func (k *Case) gas() bool { return k.Request.Utility == Gas }

// needsDesign tells whether the connection is designed on its own.
func (k *Case) needsDesign() bool { return k.gas() && k.Gas.Scale != nil && !k.Gas.Scale.Small }

// ChosenDesign is the design that is or will be built: the one of the survey,
// or, where the connection is designed on its own, that; nil while there is none.
func (k *Case) ChosenDesign() *Design {
	switch {
	case k.Survey == nil:
		return nil
	case !k.needsDesign():
		return k.Survey.Design
	case k.Gas.Design == nil:
		return nil
	}
	return &k.Gas.Design.Design
}

// NeedsDesign tells whether somebody must design the connection now.
func (k *Case) NeedsDesign() bool { return k.needsDesign() && k.Gas.Design == nil }

// Checklist is what whoever does a task of a kind confirms in this case.
func (k *Case) Checklist(kind TaskKind) []string {
	items := k.Terms.Checklists[kind]
	if kind == CommissionSupply {
		items = slices.Concat(items, k.Terms.Gas.Class(k.Request.Class()).Checklist)
	}
	return items
}

// ByCard tells whether the gas is paid for ahead with a card, so that a card is
// issued and nobody reads the meter.
func (k *Case) ByCard() bool { return k.Meter != nil && k.Meter.Type == CardMeter }

// checkGas judges a design of a gas connection. Without an atlas the sheet may
// be left out.
func (d Design) checkGas(c *Check, prefix string, atlas []string, fromAtlas bool) {
	switch {
	case d.Atlas == "" && !fromAtlas:
	case len(atlas) > 0:
		c.Require(slices.Contains(atlas, d.Atlas), prefix+".atlas",
			Sayf("图号不在燃气标准图集中，可选：%s", "not a sheet of the gas atlas; one of: %s", strings.Join(atlas, ", ")))
	default:
		text(c, prefix+".atlas", d.Atlas, true)
	}
	c.Require(d.MeterDiameter == 0, prefix+".meter_diameter", Say("用气报装填 meter（燃气表规格），不填口径", "gas has a meter (its size), no diameter"))
	oneOf(c, prefix+".meter", d.Meter, MeterSizes()...)
	oneOf(c, prefix+".pressure", d.Pressure, PressureClasses()...)
	text(c, prefix+".pipe_material", d.PipeMaterial, true)
	c.Require(d.PipeLength > 0 && d.PipeLength <= 100_000, prefix+".pipe_length",
		Say("管长应大于 0 且不超过 100000 米", "pipe length must be above 0 and at most 100,000 m"))
}

// digs tells whether a survey found that ground must be dug up.
func (in *SurveyInput) digs() bool {
	return in.Excavation || slices.ContainsFunc(in.Permits, func(p PermitNeed) bool { return p.Kind == RoadExcavation })
}

// PermitsFrom is from when permits can be filed: the upload of the survey, or
// the design where the connection has one of its own, for it is filed with the
// permits.
func (k *Case) PermitsFrom() time.Time { return later(k.UploadedAt, k.Gas.DesignedAt) }

// checkDesign judges the design of a survey by its utility.
func (in *SurveyInput) checkDesign(c *Check, k *Case) {
	if !k.gas() {
		c.Require(!in.Excavation, "excavation", Say("用水报装不填此项", "makes no sense for water"))
		c.Require(in.Design.Meter == "" && in.Design.Pressure == "", "design.meter",
			Say("用水报装不填燃气表规格和压力级制", "water has neither size nor pressure class of a gas meter"))
		in.Design.check(c, "design", k.Terms.Atlas)
		return
	}
	scale := k.Terms.Scale(k.Request.Class(), *in.Design, in.digs())
	in.Design.checkGas(c, "design", k.Terms.gasAtlas(), scale.Small)
	if !scale.Small {
		say := scale.text(*in.Design)
		c.Require(!in.DesignConfirmed || !in.Design.Meter.Valid(), "design_confirmed",
			Text{ZH: "方案尚未出具，不能确认。" + say.ZH, EN: "there is no design to confirm yet: " + say.EN})
	}
}

// Flow names what flows, for words such as 通水 and 通气.
func (u Utility) Flow() string {
	if u == Gas {
		return "气"
	}
	return "水"
}

// utilityOf reads a case number, whose first letter says what is supplied.
func utilityOf(number string) Utility {
	if strings.HasPrefix(number, "G") {
		return Gas
	}
	return Water
}

// NameFor is the kind's Chinese name in a case of a utility.
func (kind TaskKind) NameFor(u Utility) string {
	switch {
	case u == Gas && kind == BriefCustomer:
		return "告知供气现状"
	case u == Gas && kind == AcceptMeter:
		return "燃气表验收"
	}
	return kind.Name()
}

// NameFor is the document's Chinese name in a case of a utility.
func (d DocumentKind) NameFor(u Utility) string {
	if u == Gas && d == Briefing {
		return "供气现状告知书"
	}
	return d.Name()
}

// judgeSurvey decides by what the survey found which way a gas connection goes;
// a small one has its quote at once. Whether anybody has applied is another
// matter.
func (k *Case) judgeSurvey(in *SurveyInput, by Actor, now time.Time) {
	if !k.gas() {
		return
	}
	scale := k.Terms.Scale(k.Request.Class(), *in.Design, in.digs())
	k.judgeScale(by, scale, *in.Design, now)
	if scale.Small {
		k.quote(nil, by, now)
	}
}

// judgeScale records which way a gas connection goes, and says why.
func (k *Case) judgeScale(by Actor, s Scale, d Design, now time.Time) {
	k.Gas.Scale = &s
	k.record(now, by, ConnectionJudged, "", s.text(d), s)
}

// checkSize judges the size of a meter by the utility.
func (in *MeterInput) checkSize(c *Check, k *Case) {
	if k.gas() {
		c.Require(in.Diameter == 0, "diameter", Say("用气报装填 size（燃气表规格），不填口径", "a gas meter has a size, no diameter"))
		oneOf(c, "size", in.Size, MeterSizes()...)
		oneOf(c, "type", in.Type, CardMeter, RemoteMeter)
		return
	}
	c.Require(slices.Contains(Diameters(), in.Diameter), "diameter",
		Sayf("口径应为：%s 毫米", "diameter must be one of: %s mm", joinAny(Diameters())))
	c.Require(in.Size == "" && in.Type == "", "size", Say("用水报装不填燃气表规格和表型", "water has neither size nor type of a gas meter"))
}

// settleMeterType cancels what the meter that was put in place of another does
// not need: a card, or the enrolment for reading.
func (k *Case) settleMeterType(now time.Time) {
	if !k.gas() {
		return
	}
	needless := IssueCard
	if k.ByCard() {
		needless = EnrolReading
	}
	if t, ok := k.Live(needless, ""); ok {
		k.cancel(t, now)
	}
}
