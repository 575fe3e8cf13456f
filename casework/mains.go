package casework

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Position is a place in degrees of longitude and latitude, in WGS84, the system
// of satellite navigation. Maps published in China draw in GCJ-02, some hundred
// metres beside it; package network converts what is marked so.
type Position struct {
	Lon float64 `json:"lon" doc:"经度 longitude, in degrees"`
	Lat float64 `json:"lat" doc:"纬度 latitude, in degrees"`
}

// The box around the country: what lies outside is a slip, most often longitude
// and latitude exchanged.
const (
	west, east   = 73.0, 136.0
	south, north = 3.0, 54.0
)

// Check refuses a position outside the country.
func (p Position) Check() error {
	inside := func(lon, lat float64) bool { return lon >= west && lon <= east && lat >= south && lat <= north }
	switch {
	case inside(p.Lon, p.Lat):
		return nil
	case inside(p.Lat, p.Lon):
		return Refuse(Invalid, "position_swapped", Sayf("经度与纬度颠倒：经度 %[1]v，纬度 %[2]v", "longitude and latitude are exchanged: lon %[1]v, lat %[2]v", p.Lon, p.Lat))
	}
	return Refuse(Invalid, "position_outside", Sayf("坐标应为国内经纬度（经度 %[1]v 至 %[2]v，纬度 %[3]v 至 %[4]v）",
		"the position must lie within longitude %[1]v to %[2]v and latitude %[3]v to %[4]v", west, east, south, north))
}

// LocateSite says where a case's supply is wanted, where the request knew an
// address only.
type LocateSite struct {
	By
	Position Position `json:"position"`
	Source   string   `json:"source,omitempty"` // how it was found
}

// Apply implements [Action].
func (a LocateSite) Apply(k *Case, now time.Time) error {
	if err := a.may(k, Network, Taskforce, TaskforceOffice, ServiceHall); err != nil {
		return err
	}
	var c Check
	c.Nested("position", a.Position.Check())
	text(&c, "source", a.Source, false)
	if err := c.Err(); err != nil {
		return err
	}
	before := k.Request.Site.Position
	k.Request.Site.Position = &a.Position
	k.record(now, a.Actor, SiteLocated, "", Say("标注用能位置", "the site was located"),
		map[string]any{"before": before, "position": a.Position, "source": a.Source})
	return nil
}

// NetworkTerms are what a main must give before an assessment proposes to
// connect to it (D). The zero value is no terms: the policy has none.
type NetworkTerms struct {
	// Reach is how far away a main may be, in metres.
	Reach float64 `json:"reach" yaml:"reach"`
	// WaterPressure is the least pressure of a water main, in MPa.
	WaterPressure float64 `json:"water_pressure" yaml:"water_pressure"`
	// CapacityShare is how much of a main's free capacity may be promised, in percent.
	CapacityShare float64 `json:"capacity_share" yaml:"capacity_share"`
}

// Finding is what a comparison came to. What the register or the request does
// not say is not known: a person looks.
type Finding string

// The findings.
const (
	Suffices   Finding = "yes"
	FallsShort Finding = "no"
	NotKnown   Finding = "unknown"
)

// The comparisons by which it is told whether there is a main at all.
const (
	checkReach   = "distance"
	checkService = "state"
)

// MainCheck is one comparison of a main with what is wanted.
type MainCheck struct {
	Name    string  `json:"name" enum:"distance,state,diameter,pressure,capacity" doc:"比较项 what is compared"`
	Finding Finding `json:"finding" enum:"yes,no,unknown" doc:"结论 what it came to"`
	Text    Text    `json:"text" doc:"说明 why"`
}

// ProposedMain is a main near the site, as it was when the proposal was made.
type ProposedMain struct {
	ID        string      `json:"id" doc:"管线编号 number of the main"`
	Distance  float64     `json:"distance" doc:"距离(米) metres to the site"`
	Diameter  int         `json:"diameter,omitempty" doc:"管径(毫米) in mm"`
	Pressure  float64     `json:"pressure,omitempty" doc:"压力(MPa) in MPa"`
	Class     string      `json:"class,omitempty" doc:"压力级别 pressure class of gas"`
	Material  string      `json:"material,omitempty" doc:"管材 material"`
	State     string      `json:"state" doc:"状态 state"`
	Capacity  *float64    `json:"capacity,omitempty" doc:"登记余量(立方米/日) free capacity on record, m³ a day"`
	Committed float64     `json:"committed" doc:"其他在办案件已占用(立方米/日) demand of other open cases on this main, m³ a day"`
	Cases     int         `json:"cases" doc:"占用的案件数 how many cases that are"`
	Suitable  bool        `json:"suitable" doc:"满足要求 nothing falls short"`
	Checks    []MainCheck `json:"checks"`
}

// Proposal is what the register of mains proposes to the assessment. A person
// decides; both stay on record.
type Proposal struct {
	Result  NetworkResult  `json:"result" doc:"建议结论 proposed result"`
	Main    string         `json:"main,omitempty" doc:"建议接入的管线 the main proposed"`
	Why     Text           `json:"why" doc:"理由 why"`
	Mains   []ProposedMain `json:"mains" doc:"附近管线，近者在前 mains nearby, the nearest first"`
	Demand  Demand         `json:"demand" doc:"所依据的需求 the demand it was made for"`
	Site    Position       `json:"site" doc:"所依据的坐标 the position it was made for"`
	Version int64          `json:"register_version" doc:"管网登记版本 version of the register"`
	At      time.Time      `json:"at"`
}

// ProposeConnection compares the mains near a site with what is wanted there.
// The mains come with their distance and what is committed of them, the nearest
// first; their checks and whether they suit are filled in here.
func ProposeConnection(u Utility, d Demand, terms NetworkTerms, mains []ProposedMain) Proposal {
	p := Proposal{Result: NoMain, Demand: d, Mains: mains}
	nearest := -1 // in reach and in service
	for i := range p.Mains {
		m := &p.Mains[i]
		m.compare(u, d, terms)
		if nearest < 0 && m.finds(checkReach) == Suffices && m.finds(checkService) == Suffices {
			nearest = i
		}
		if m.Suitable && p.Main == "" {
			p.Result, p.Main = Adequate, m.ID
			p.Why = Sayf("最近的合适管线 %[1]s，距离 %[2]s 米", "the nearest main that suits is %[1]s, %[2]s m away", m.ID, metres(m.Distance))
			if open := m.said(NotKnown); open != (Text{}) {
				p.Why.ZH += "；待核实：" + open.ZH
				p.Why.EN += "; to be checked: " + open.EN
			}
		}
	}
	switch {
	case p.Main != "":
	case nearest >= 0:
		m := &p.Mains[nearest]
		short := m.said(FallsShort)
		p.Result, p.Main = UpgradeNeeded, m.ID
		p.Why = Say("最近的管线 "+m.ID+" 不满足："+short.ZH, "the nearest main, "+m.ID+", falls short: "+short.EN)
	default:
		p.Why = Sayf("%[1]s 米内没有在用管线", "there is no main in service within %[1]s m", metres(terms.Reach))
	}
	return p
}

func (m *ProposedMain) compare(u Utility, d Demand, terms NetworkTerms) {
	m.Checks = nil
	add := func(name string, known, enough bool, text Text) {
		f := FallsShort
		switch {
		case !known:
			f = NotKnown
		case enough:
			f = Suffices
		}
		m.Checks = append(m.Checks, MainCheck{Name: name, Finding: f, Text: text})
	}
	add(checkReach, true, m.Distance <= terms.Reach,
		Sayf("距离 %[1]s 米，上限 %[2]s 米", "%[1]s m away, at most %[2]s m", metres(m.Distance), metres(terms.Reach)))
	add(checkService, true, m.State == "in_service", Sayf("状态 %[1]s", "state %[1]s", m.State))
	switch {
	case m.Diameter == 0 || d.Diameter == 0:
		add("diameter", false, false, Say("管径或用水口径未知", "the main's diameter or the one wanted is not known"))
	default:
		add("diameter", true, m.Diameter > d.Diameter, Sayf("管径 DN%[1]d，接入口径 DN%[2]d", "the main is DN%[1]d, wanted is DN%[2]d", m.Diameter, d.Diameter))
	}
	switch {
	case u == Gas && m.Class == "" || u != Gas && m.Pressure == 0:
		add("pressure", false, false, Say("压力未知", "its pressure is not known"))
	case u == Gas:
		add("pressure", true, true, Sayf("压力级别 %[1]s", "pressure class %[1]s", m.Class))
	default:
		add("pressure", true, m.Pressure >= terms.WaterPressure,
			Sayf("水压 %[1]v MPa，下限 %[2]v MPa", "pressure %[1]v MPa, at least %[2]v MPa", m.Pressure, terms.WaterPressure))
	}
	switch {
	case m.Capacity == nil || d.DailyVolume == 0:
		add("capacity", false, false, Say("余量或日用量未知", "its free capacity or the demand is not known"))
	default:
		free := *m.Capacity*terms.CapacityShare/100 - m.Committed
		add("capacity", true, free >= d.DailyVolume, Sayf("可用 %[1]s 立方米/日（余量 %[2]s，可承诺 %[3]v%%，已占用 %[4]s），需要 %[5]s",
			"%[1]s m³ a day to give (free %[2]s, of which %[3]v%% may be promised, committed %[4]s), wanted %[5]s",
			metres(free), metres(*m.Capacity), terms.CapacityShare, metres(m.Committed), metres(d.DailyVolume)))
	}
	m.Suitable = true
	for _, c := range m.Checks {
		m.Suitable = m.Suitable && c.Finding != FallsShort
	}
}

func (m *ProposedMain) finds(name string) Finding {
	for _, c := range m.Checks {
		if c.Name == name {
			return c.Finding
		}
	}
	return NotKnown
}

// said joins the texts of the checks that came to a finding.
func (m *ProposedMain) said(f Finding) Text {
	var zh, en []string
	for _, c := range m.Checks {
		if c.Finding == f {
			zh, en = append(zh, c.Text.ZH), append(en, c.Text.EN)
		}
	}
	return Say(strings.Join(zh, "；"), strings.Join(en, "; "))
}

// metres writes a figure without more digits than it deserves.
func metres(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }
