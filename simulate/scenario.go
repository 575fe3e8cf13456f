// Package simulate answers "what if": it plays a year of requests by the rules,
// the stages, the policy and the calendar of the real cases, in skipped time,
// with as many people as one likes, and counts what was on time.
package simulate

import (
	_ "embed" // The example file is compiled in.
	"fmt"
	"maps"
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// Scenario is the year that is asked about, as its file says it.
type Scenario struct {
	Name      string                        `yaml:"name"`
	From      calendar.Date                 `yaml:"from"` // the first day
	To        calendar.Date                 `yaml:"to"`   // the last day
	Requests  Requests                      `yaml:"requests"`
	Districts map[casework.District]float64 `yaml:"districts"` // how often each, relative to the others
	Lanes     map[casework.Lane]float64     `yaml:"lanes"`     // the same; empty: the policy's lane
	Shares    Shares                        `yaml:"shares"`
	// Staff are the teams of each department. A team's people take tasks of
	// its districts only.
	Staff map[casework.Department][]Team `yaml:"staff"`
	// Service is how long a task keeps one person or crew busy. A kind that is
	// absent takes no time.
	Service map[casework.TaskKind]Distribution `yaml:"service"`
	// Waits is what passes in other hands after a task has opened, before ours
	// can begin it: a contractor building, a customer who can't be called at once.
	Waits map[casework.TaskKind]Distribution `yaml:"waits"`
	// Authority is how long a permit's decision takes after its filing.
	Authority map[casework.PermitRoute]Distribution `yaml:"authority"`
	Customers Customers                             `yaml:"customers"`
	Travel    Travel                                `yaml:"travel"`
	// Gas is what is asked of the gas company beside all this; where it is
	// absent, water alone is played.
	Gas *GasDemand `yaml:"gas"`
}

// GasDemand are the requests for gas, and what only they know. Districts,
// lanes, shares, services and the customers' delays of the scenario hold for
// both utilities.
type GasDemand struct {
	Requests Requests  `yaml:"requests"`
	Shares   GasShares `yaml:"shares"`
}

// GasShares are how often a connection to gas goes which way, from 0 to 1.
type GasShares struct {
	Joint        float64 `yaml:"joint"`          // of the requests for water: gas is asked for in the same request
	Residential  float64 `yaml:"residential"`    // of the cases: a natural person; the others are organisations
	NoCreditCode float64 `yaml:"no_credit_code"` // of the organisations: accepted without, the code is brought later
	Designed     float64 `yaml:"designed"`       // of the cases: too large for the short way
	Revised      float64 `yaml:"revised"`        // of the quotes: the customer wants another design
	Online       float64 `yaml:"online"`         // of the agreements and signatures: by the customer's own code, not on paper
	CardMeter    float64 `yaml:"card_meter"`     // of the meters: paid ahead, with a card
	Hazard       float64 `yaml:"hazard"`         // of the safety checks: remedied, then checked again
}

// Requests are how many come in on a working day.
type Requests struct {
	// PerWorkingDay is the rate of each channel in an ordinary month.
	PerWorkingDay map[casework.Channel]float64 `yaml:"per_working_day"`
	// Months multiply the rates by month, 1 to 12; a month that is absent is ordinary.
	Months map[int]float64 `yaml:"months"`
}

// Shares are how often the process branches, from 0 to 1.
type Shares struct {
	Upgrade       float64                         `yaml:"upgrade"`             // of the cases: the network must be upgraded
	NotYet        float64                         `yaml:"not_yet_connectable"` // of the surveys and follow-ups
	DesignLater   float64                         `yaml:"design_later"`        // of the surveys: the customer confirms later, online
	Permits       map[casework.PermitKind]float64 `yaml:"permits"`             // of the cases, each permit by itself
	Ordinary      float64                         `yaml:"ordinary_route"`      // of the permits: not by the joint commitment
	PermitRefused float64                         `yaml:"permit_refused"`      // of the filings
	MeterFails    float64                         `yaml:"meter_fails"`         // of the acceptances
	Unreached     float64                         `yaml:"unreached"`           // of the callbacks
	Dissatisfied  float64                         `yaml:"dissatisfied"`        // of the callbacks that get through
	Withdrawn     float64                         `yaml:"withdrawn"`           // of the cases, if supply is not on by then
}

// Team is people or crews who work in the same districts, for the same utility.
type Team struct {
	Districts []casework.District `yaml:"districts"` // empty: the whole city
	Utilities []casework.Utility  `yaml:"utilities"` // empty: water and gas alike
	People    int                 `yaml:"people"`    // a crew counts as one
}

// Customers are the delays that customers make.
type Customers struct {
	SurveyAhead       Distribution `yaml:"survey_ahead"`       // from the agreement to the survey
	FollowUpAfter     Distribution `yaml:"follow_up_after"`    // to the date of the next follow-up
	ConfirmDesign     Distribution `yaml:"confirm_design"`     // when they confirm later
	ConfirmAcceptance Distribution `yaml:"confirm_acceptance"` // of the finished work
	AgreeQuote        Distribution `yaml:"agree_quote"`        // gas: to say yes or no to the quote
	SignContracts     Distribution `yaml:"sign_contracts"`     // gas: to sign, online or on paper
	CompleteDeferred  Distribution `yaml:"complete_deferred"`  // gas: to bring the credit code
	Withdraw          Distribution `yaml:"withdraw"`           // from the request to the withdrawal
}

// Travel is the way there and back, added to the service time of some kinds.
type Travel struct {
	Tasks   []casework.TaskKind                `yaml:"tasks"`
	Minutes map[casework.District]Distribution `yaml:"minutes"` // "*" for the districts that are not named
}

// The scenario files to begin with.
var (
	//go:embed example.yaml
	example []byte
	//go:embed city.yaml
	city []byte
)

// Example is a scenario file to begin with: a plausible year of a water company.
func Example() []byte { return slices.Clone(example) }

// City is the same for a city whose water and gas companies work together.
func City() []byte { return slices.Clone(city) }

// Plays tells whether requests for a utility come in.
func (s Scenario) Plays(u casework.Utility) bool {
	if u == casework.Gas {
		return s.Gas != nil
	}
	return s.Requests.rate() > 0
}

// rate is how many requests come in on an ordinary working day.
func (r Requests) rate() float64 {
	sum := 0.0
	for _, channel := range sorted(r.PerWorkingDay) {
		sum += r.PerWorkingDay[channel]
	}
	return sum
}

// utilities are those that can be played, in the order of their places.
var utilities = []casework.Utility{casework.Water, casework.Gas}

// Parse reads and judges a scenario file. An error names the line, or every
// field that is wrong, in Chinese and English.
func Parse(text []byte) (Scenario, error) {
	if err := checkDates(text); err != nil {
		return Scenario{}, err
	}
	var s Scenario
	if err := yaml.UnmarshalWithOptions(text, &s, yaml.Strict()); err != nil {
		return Scenario{}, unreadable(err)
	}
	if err := s.validate(); err != nil {
		return Scenario{}, err
	}
	return s, nil
}

func unreadable(err error) error {
	return fmt.Errorf("模拟文件无法读取 the scenario file can't be read: %w", err)
}

// checkDates names the field of a date that does not exist; the error of the
// date itself knows neither field nor line.
func checkDates(text []byte) error {
	var dates struct{ From, To string }
	if err := yaml.Unmarshal(text, &dates); err != nil {
		return unreadable(err)
	}
	var c casework.Check
	for _, d := range []struct{ field, text string }{{"from", dates.From}, {"to", dates.To}} {
		if d.text == "" {
			continue
		}
		if _, err := calendar.ParseDate(d.text); err != nil {
			c.Field(d.field, casework.Sayf("“%s”应为实有的日期，如 2026-01-01", "%q must be a date that exists, such as 2026-01-01", d.text))
		}
	}
	return c.Err()
}

// maxPerDay bounds the requests of a channel on one working day, maxPeople the
// people of a team, and maxSpan the days of a run.
const (
	maxPerDay = 10_000
	maxPeople = 10_000
	maxSpan   = 5 * 366
)

func (s Scenario) validate() error {
	var c casework.Check
	c.Require(s.Name != "" && len([]rune(s.Name)) <= 100, "name", casework.Say("请写明名称（不超过100个字）", "name the scenario, at most 100 characters"))
	c.Require(!s.From.IsZero(), "from", casework.Say("请写明起始日期，如 2026-01-01", "name the first day, such as 2026-01-01"))
	c.Require(!s.To.IsZero() && !s.To.Before(s.From), "to", casework.Say("请写明结束日期，不早于起始日期", "name the last day, which must not lie before the first"))
	c.Require(s.To.Before(s.From.AddDays(maxSpan)), "to", casework.Say("最多模拟五年", "at most five years"))
	s.validateRequests(&c)
	s.validateShares(&c)
	s.validateGas(&c)
	s.validateStaff(&c)
	for _, part := range []struct {
		field string
		kinds map[casework.TaskKind]Distribution
	}{{"service", s.Service}, {"waits", s.Waits}} {
		for _, kind := range sorted(part.kinds) {
			field := part.field + "." + string(kind)
			c.Require(kind.Valid(), field, noSuchKind)
			part.kinds[kind].check(&c, field)
		}
	}
	for _, route := range sorted(s.Authority) {
		field := "authority." + string(route)
		c.Require(slices.Contains(routes, route), field, casework.Sayf("应为：%v", "must be one of: %v", routes))
		s.Authority[route].check(&c, field)
	}
	for _, d := range []struct {
		field string
		delay Distribution
	}{
		{"survey_ahead", s.Customers.SurveyAhead}, {"follow_up_after", s.Customers.FollowUpAfter}, {"confirm_design", s.Customers.ConfirmDesign},
		{"confirm_acceptance", s.Customers.ConfirmAcceptance}, {"withdraw", s.Customers.Withdraw}, {"agree_quote", s.Customers.AgreeQuote},
		{"sign_contracts", s.Customers.SignContracts}, {"complete_deferred", s.Customers.CompleteDeferred},
	} {
		if d.delay.given() {
			d.delay.check(&c, "customers."+d.field)
		}
	}
	for i, kind := range s.Travel.Tasks {
		c.Require(kind.Valid(), fmt.Sprintf("travel.tasks[%d]", i), noSuchKind)
	}
	for _, d := range sorted(s.Travel.Minutes) {
		field := "travel.minutes." + string(d)
		if d != casework.AllDistricts {
			c.Nested(field, d.Check())
		}
		s.Travel.Minutes[d].check(&c, field)
	}
	return c.Err()
}

var (
	noSuchKind = casework.Say("没有这种任务；任务种类见 docs/glossary.md", "no such kind of task; the kinds are listed in docs/glossary.md")
	routes     = []casework.PermitRoute{casework.JointCommitment, casework.OrdinaryRoute}
)

func (d Distribution) given() bool {
	return d.Fixed != nil || d.Uniform != nil || d.Triangular != nil || d.Lognormal != nil || d.Exponential != nil
}

func (s Scenario) validateRequests(c *casework.Check) {
	s.Requests.check(c, "requests")
	c.Require(s.Requests.rate() > 0 || s.Gas != nil, "requests.per_working_day", noRequests)
	weights(c, "districts", s.Districts, func(d casework.District) error { return d.Check() })
	if len(s.Lanes) > 0 {
		weights(c, "lanes", s.Lanes, func(l casework.Lane) error {
			if l.Valid() {
				return nil
			}
			return casework.Refuse(casework.Invalid, "unknown_lane", casework.Say("应为 101 或 201", "must be 101 or 201"))
		})
	}
}

var noRequests = casework.Say("请写明各渠道每个工作日的来件数", "say how many requests each channel brings on a working day")

func (r Requests) check(c *casework.Check, at string) {
	for _, channel := range sorted(r.PerWorkingDay) {
		field, rate := at+".per_working_day."+string(channel), r.PerWorkingDay[channel]
		c.Require(channel.Valid(), field, casework.Sayf("没有这个渠道；应为：%v", "no such channel; one of: %v", casework.Channels()))
		c.Require(upTo(rate, maxPerDay), field, casework.Sayf("应在 0 至 %d 之间", "must be between 0 and %d", maxPerDay))
	}
	for _, month := range sorted(r.Months) {
		field := fmt.Sprintf("%s.months.%d", at, month)
		c.Require(month >= 1 && month <= 12, field, casework.Say("月份应为 1 至 12", "a month is 1 to 12"))
		c.Require(upTo(r.Months[month], 100), field, casework.Say("倍数应在 0 至 100 之间", "a factor is between 0 and 100"))
	}
}

func (s Scenario) validateGas(c *casework.Check) {
	if s.Gas == nil {
		return
	}
	s.Gas.Requests.check(c, "gas.requests")
	of := &s.Gas.Shares
	c.Require(s.Gas.Requests.rate() > 0 || of.Joint > 0, "gas.requests.per_working_day", noRequests)
	c.Require(s.Requests.rate() > 0 || of.Joint == 0, "gas.shares.joint",
		casework.Say("水气联办须有用水来件（requests）", "joint requests need requests for water"))
	for _, share := range []struct {
		field   string
		x, most float64
	}{
		{"joint", of.Joint, 1}, {"residential", of.Residential, 1}, {"no_credit_code", of.NoCreditCode, 1}, {"designed", of.Designed, 1},
		{"revised", of.Revised, maxRepeat}, {"online", of.Online, 1}, {"card_meter", of.CardMeter, 1}, {"hazard", of.Hazard, maxRepeat},
	} {
		c.Require(upTo(share.x, share.most), "gas.shares."+share.field, casework.Sayf("应在 0 至 %v 之间", "must be between 0 and %v", share.most))
	}
}

func weights[K ~string](c *casework.Check, field string, of map[K]float64, known func(K) error) {
	sum := 0.0
	for _, key := range sorted(of) {
		c.Nested(field+"."+string(key), known(key))
		c.Require(upTo(of[key], 1e6), field+"."+string(key), casework.Say("权重应在 0 至 1000000 之间", "a weight is between 0 and 1,000,000"))
		sum += of[key]
	}
	c.Require(sum > 0, field, casework.Say("请至少写一项大于 0 的权重", "give at least one weight above 0"))
}

func (s Scenario) validateShares(c *casework.Check) {
	share := func(field string, x, most float64) {
		c.Require(upTo(x, most), "shares."+field, casework.Sayf("应在 0 至 %v 之间", "must be between 0 and %v", most))
	}
	share("upgrade", s.Shares.Upgrade, 1)
	share("design_later", s.Shares.DesignLater, 1)
	share("ordinary_route", s.Shares.Ordinary, 1)
	share("dissatisfied", s.Shares.Dissatisfied, maxRepeat)
	share("withdrawn", s.Shares.Withdrawn, 1)
	// What is tried again until it succeeds must be able to.
	share("not_yet_connectable", s.Shares.NotYet, maxRepeat)
	share("permit_refused", s.Shares.PermitRefused, maxRepeat)
	share("meter_fails", s.Shares.MeterFails, maxRepeat)
	share("unreached", s.Shares.Unreached, maxRepeat)
	for _, kind := range sorted(s.Shares.Permits) {
		c.Require(kind.Valid(), "shares.permits."+string(kind), casework.Sayf("没有这种审批；应为：%v", "no such permit; one of: %v", casework.PermitKinds()))
		share("permits."+string(kind), s.Shares.Permits[kind], 1)
	}
}

const maxRepeat = 0.95

func (s Scenario) validateStaff(c *casework.Check) {
	for _, department := range sorted(s.Staff) {
		field := "staff." + string(department)
		c.Require(department.Valid(), field, casework.Sayf("没有这个部门；应为：%v", "no such department; one of: %v", casework.Departments()))
		for i, team := range s.Staff[department] {
			at := fmt.Sprintf("%s[%d]", field, i)
			c.Require(team.People >= 1 && team.People <= maxPeople, at+".people", casework.Sayf("人数应在 1 至 %d 之间", "people must be between 1 and %d", maxPeople))
			for _, d := range team.Districts {
				if d != casework.AllDistricts {
					c.Nested(at+".districts", d.Check())
				}
			}
			for _, u := range team.Utilities {
				c.Require(u.Valid(), at+".utilities", casework.Sayf("应为：%v", "must be one of: %v", utilities))
			}
		}
	}
	// Whoever a task may fall to must be there in every district that cases come
	// from, for every utility.
	for _, department := range working {
		for _, u := range utilities {
			var without []string
			for _, d := range sorted(s.Districts) {
				covered := slices.ContainsFunc(s.Staff[department], func(t Team) bool { return t.covers(d, u) })
				if s.Districts[d] > 0 && s.Plays(u) && !covered {
					without = append(without, string(d))
				}
			}
			say := casework.Sayf("以下区县无人负责：%v", "nobody covers these districts: %v", without)
			if s.Gas != nil {
				say = casework.Sayf("以下区县的%[1]s无人负责：%[3]v", "nobody covers %[2]s in these districts: %[3]v", u.Name(), u, without)
			}
			c.Require(len(without) == 0, "staff."+string(department), say)
		}
	}
}

// working are the departments that the process hands tasks to.
var working = []casework.Department{
	casework.Department(casework.Taskforce), casework.Department(casework.Network), casework.Department(casework.Engineering),
	casework.Department(casework.ServiceHall), casework.Department(casework.Hotline),
}

func (t Team) covers(d casework.District, u casework.Utility) bool {
	return (len(t.Districts) == 0 || slices.Contains(t.Districts, casework.AllDistricts) || slices.Contains(t.Districts, d)) && t.serves(u)
}

func (t Team) serves(u casework.Utility) bool {
	return len(t.Utilities) == 0 || slices.Contains(t.Utilities, u)
}

// among tells whether a team is meant by a department's teams: all of them, or
// those for one utility alone.
func (t Team) among(u casework.Utility) bool {
	return u == "" || len(t.Utilities) == 1 && t.Utilities[0] == u
}

// sorted gives the keys of a map in an order that does not change.
func sorted[K ~string | ~int, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// People is how many people or crews a department has; with a utility, in its
// teams for that alone.
func (s Scenario) People(d casework.Department, u casework.Utility) int {
	n := 0
	for _, t := range s.Staff[d] {
		if t.among(u) {
			n += t.People
		}
	}
	return n
}

// WithPeople gives the scenario with another number of people in a department,
// shared out over its teams as the file does, and at least one a team. With a
// utility it is its teams for that alone.
func (s Scenario) WithPeople(d casework.Department, u casework.Utility, n int) (Scenario, error) {
	var teams []int
	for i, t := range s.Staff[d] {
		if t.among(u) {
			teams = append(teams, i)
		}
	}
	switch {
	case u != "" && !u.Valid():
		return Scenario{}, fmt.Errorf("没有这种能源：%q，应为 water 或 gas no such utility: %[1]q; water or gas", string(u))
	case !d.Valid() || len(s.Staff[d]) == 0:
		return Scenario{}, fmt.Errorf("模拟文件中没有部门“%s”的人员 the scenario has no staff of department %q", d, string(d))
	case len(teams) == 0:
		return Scenario{}, fmt.Errorf("%s没有只办%s的班组 %s has no team for %s alone", d.Name(), u.Name(), d, u)
	case n < len(teams) || n > maxPeople:
		return Scenario{}, fmt.Errorf("%s有 %d 个班组，人数应在 %[2]d 至 %d 之间 %s has %[2]d teams: its people must be between %[2]d and %[3]d",
			d.Name(), len(teams), maxPeople, d)
	}
	total := s.People(d, u)
	was, shared := s.Staff[d], slices.Clone(s.Staff[d])
	for _, i := range teams {
		shared[i].People = 1
	}
	// One after the other goes to the team that has the least of its share.
	for range n - len(teams) {
		best := teams[0]
		for _, i := range teams {
			if owed(shared[i].People, was[i].People, n, total) > owed(shared[best].People, was[best].People, n, total) {
				best = i
			}
		}
		shared[best].People++
	}
	s.Staff = maps.Clone(s.Staff)
	s.Staff[d] = shared
	return s, nil
}

// owed is what a team lacks of its share of n, times total.
func owed(has, inFile, n, total int) int { return inFile*n - has*total }
