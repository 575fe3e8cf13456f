package simulate

import (
	_ "embed"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/policy"
)

// autumn is the city's October and November with a tenth of its requests and
// staff, and more hazards.
func autumn(t testing.TB) Scenario {
	t.Helper()
	s, err := Parse(City())
	require.NoError(t, err)
	s.From, s.To = calendar.Date{Year: 2026, Month: time.October, Day: 1}, calendar.Date{Year: 2026, Month: time.November, Day: 30}
	for _, of := range []Requests{s.Requests, s.Gas.Requests} {
		for channel := range of.PerWorkingDay {
			of.PerWorkingDay[channel] /= 10
		}
	}
	s.Gas.Shares.Hazard = 0.2
	water, gas := []casework.Utility{casework.Water}, []casework.Utility{casework.Gas}
	s.Staff = map[casework.Department][]Team{
		"taskforce": {{People: 3}}, "network": {{People: 1}}, "engineering": {{Utilities: water, People: 3}, {Utilities: gas, People: 2}},
		"service_hall": {{People: 1}}, "hotline": {{People: 1}},
	}
	return s
}

//go:embed testdata/autumn.txt
var printedAutumn string

func TestPrintOfBothUtilities(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	require.NoError(t, run(t, autumn(t), options).Print(&b))
	require.Equal(t, printedAutumn, b.String())
}

func TestSameSeedGivesTheSameBytesForBoth(t *testing.T) {
	t.Parallel()
	first := everything(t, run(t, autumn(t), options))
	require.Equal(t, first, everything(t, run(t, autumn(t), options)))
}

// The figures of the utilities are those of the whole, each case in one of them.
func TestUtilitiesAddUp(t *testing.T) {
	t.Parallel()
	s := autumn(t)
	s.Gas.Shares.Joint = 0.3
	joint, done, byOthers := map[string]int{}, 0, 0
	o := options
	o.Watch = func(d Decision) {
		if d.Case.Joint != nil && d.Case.Version <= 4 {
			joint[d.Case.Joint.Number] |= 1 << (len(d.Case.Request.Utility) - 3)
		}
		for _, task := range d.Changes.Tasks {
			if task.State == casework.TaskDone {
				done++
				if task.DoneBy == casework.AsCustomer().ID || task.DoneBy == casework.System().ID {
					byOthers++
				}
			}
		}
	}
	r := run(t, s, o)
	require.Len(t, r.Utilities, 2)
	water, gas := r.Utilities[0], r.Utilities[1]
	require.Equal(t, []casework.Utility{casework.Water, casework.Gas}, []casework.Utility{water.Utility, gas.Utility})
	require.NotEmpty(t, joint)
	for number, both := range joint {
		require.Equal(t, 1|1<<2, both, number)
	}
	require.Positive(t, byOthers, "no customer did anything online, and no sibling anything for another")
	tasks := 0
	for i, d := range r.Departments {
		tasks += d.Tasks
		for _, n := range [][3]int{
			{d.Tasks, water.Departments[i].Tasks, gas.Departments[i].Tasks},
			{d.LeftAtTheEnd, water.Departments[i].LeftAtTheEnd, gas.Departments[i].LeftAtTheEnd},
			{d.InHandAtEnd, water.Departments[i].InHandAtEnd, gas.Departments[i].InHandAtEnd},
		} {
			require.Equal(t, n[0], n[1]+n[2], d.Department)
		}
	}
	require.Equal(t, done, tasks+byOthers)
	w, g := water.Cases, gas.Cases
	sum := Cases{
		Received: w.Received + g.Received, Closed: w.Closed + g.Closed, Withdrawn: w.Withdrawn + g.Withdrawn, Open: w.Open + g.Open,
		Upgrades: w.Upgrades + g.Upgrades, Tasks: w.Tasks + g.Tasks, Cancelled: w.Cancelled + g.Cancelled, OpenTasks: w.OpenTasks + g.OpenTasks,
	}
	require.Equal(t, sum, r.Cases)
	require.Equal(t, g.Received, g.Closed+g.Withdrawn+g.Open)
	require.Equal(t, r.Lane.Judged, water.Lane.Judged+gas.Lane.Judged)
	names := func(of []Rate) (all []string) {
		for _, l := range of {
			all = append(all, l.Name)
		}
		return all
	}
	require.Subset(t, names(gas.Limits), []string{"lane_designed", "design_connection", "agree_quote", "sign_contracts", "remedy_hazard", "issue_card"})
	require.NotContains(t, names(water.Limits), "lane_designed")
	require.Equal(t, 5, r.Departments[1].People)
	require.Equal(t, []int{3, 2}, []int{water.Departments[1].People, gas.Departments[1].People})
}

// Where nobody works for both, gas beside the water changes nothing for water.
func TestGasBesideWaterIsAnotherCompany(t *testing.T) {
	t.Parallel()
	s := autumn(t)
	s.Gas.Shares.Joint = 0
	for d, teams := range s.Staff {
		s.Staff[d] = []Team{
			{Utilities: []casework.Utility{casework.Water}, People: teams[0].People}, {Utilities: []casework.Utility{casework.Gas}, People: 2},
		}
	}
	both := run(t, s, options)
	s.Gas = nil
	for d, teams := range s.Staff {
		s.Staff[d] = teams[:1]
	}
	require.Equal(t, run(t, s, options).Figures, both.Utilities[0].Figures)
}

// Gas alone can be played too.
func TestGasAlone(t *testing.T) {
	t.Parallel()
	s := autumn(t)
	s.Requests, s.Gas.Shares.Joint = Requests{}, 0
	r := run(t, s, options)
	require.Empty(t, r.Utilities)
	require.Positive(t, r.Cases.Closed)
	var b strings.Builder
	require.NoError(t, r.Print(&b))
	require.Contains(t, b.String(), "受理至通气 lane")
	require.Contains(t, string(SVG(r.Drawings()...)), "受理至通气按时率")
}

// With people without number, work that takes no time and nothing that goes
// wrong, gas is on in time as well.
func TestPlentyOfPeopleKeepsEveryLimitOfGas(t *testing.T) {
	t.Parallel()
	s := autumn(t)
	for d := range s.Staff {
		s.Staff[d] = []Team{{People: 500}}
	}
	s.Service, s.Waits, s.Authority, s.Travel, s.Customers = nil, nil, nil, Travel{}, Customers{}
	r := run(t, s, options)
	for _, p := range r.Utilities {
		require.Positive(t, p.Lane.Judged)
		for _, l := range append(p.Limits, p.Lane) {
			require.Equal(t, l.Judged, l.OnTime, l.Name)
		}
	}
}

// Answers fit what another policy calls small, its prices and its tests.
func TestAnotherPolicyForGas(t *testing.T) {
	t.Parallel()
	o := options
	terms := *o.Policy.Gas
	terms.Small = casework.SmallLimits{Meter: "G4", PipeLength: 20}
	terms.Residential.Tightness = casework.Tightness{Kilopascals: 15, Minutes: 60}
	o.Policy.Gas = &terms
	var prices []casework.Price
	for _, p := range o.Policy.Prices {
		if p.Code != "Q13" && (p.Fixed == nil || p.Fixed.Class == casework.Residential) {
			prices = append(prices, p) // no fixed price for organisations: each is designed on its own
		}
	}
	o.Policy.Prices = prices
	require.Positive(t, run(t, autumn(t), o).Utilities[1].Cases.Closed)

	o.Policy.Utilities = []casework.Utility{casework.Water}
	_, err := Run(t.Context(), autumn(t), o)
	require.ErrorContains(t, err, "does not serve gas")
}

func TestParseNamesWhatIsWrongForGas(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ replace, by, want string }{
		{"    joint: 0.05", "    joined: 0.05", `unknown field "joined"`},
		{"joint: 0.05", "joint: 1.5", "gas.shares.joint: 应在 0 至 1 之间"},
		{"hazard: 0.08", "hazard: 1", "gas.shares.hazard: 应在 0 至 0.95 之间"},
		{"      wanshitong: 3", "      wanshitongg: 3", "gas.requests.per_working_day.wanshitongg: 没有这个渠道"},
		{"10: 1.7, 11", "20: 1.7, 11", "gas.requests.months.20: 月份应为 1 至 12"},
		{"utilities: [gas], people: 4", "utilities: [heat], people: 4", "staff.network[1].utilities: 应为：[water gas]"},
		{"    - {utilities: [gas], people: 4}\n", "", "staff.network: 以下区县的用气无人负责"},
		{"agree_quote: {exponential: 20}", "agree_quote: {exponential: -20}", "customers.agree_quote: 应在 0 至 2000000 分钟之间"},
	} {
		require.Contains(t, string(city), c.replace)
		_, err := Parse([]byte(strings.Replace(string(city), c.replace, c.by, 1)))
		require.Error(t, err, c.by)
		require.Contains(t, policy.Describe(err), c.want, c.by)
	}
}

// A question about one utility varies its own teams and counts its own cases.
func TestQuestionAboutOneUtility(t *testing.T) {
	t.Parallel()
	s := autumn(t)
	trials, err := Try(t.Context(), s, options, Question{Department: "engineering", Utility: casework.Gas, From: 1, To: 4}, nil)
	require.NoError(t, err)
	require.Len(t, trials, 4)
	for i, trial := range trials {
		require.Equal(t, 3, trial.Result.Utilities[0].Departments[1].People)
		require.Equal(t, i+1, trial.Result.Utilities[1].Departments[1].People)
	}
	var b strings.Builder
	q := Question{Department: "engineering", Utility: casework.Gas, Keep: 1}
	require.NoError(t, PrintTrials(&b, q, trials))
	require.Contains(t, b.String(), "工程管理部（用气） engineering/gas：受理至通气的按时率")
	require.Contains(t, b.String(), percent(trials[3].Result.Utilities[1].Lane.Share(), 2))
	_, err = s.WithPeople("hotline", casework.Gas, 2)
	require.ErrorContains(t, err, "hotline has no team for gas alone")
	_, err = s.WithPeople("engineering", "heat", 2)
	require.ErrorContains(t, err, `no such utility: "heat"`)
}

func TestDrawingsOfBothUtilities(t *testing.T) {
	t.Parallel()
	r := run(t, autumn(t), options)
	var names []string
	for _, d := range r.Drawings() {
		names = append(names, d.Name)
	}
	require.Equal(t, []string{"on-time-water", "on-time-gas", "queues", "load"}, names)
	svg := string(SVG(r.Drawings()...))
	for _, text := range []string{"用水：受理至通水按时率", "用气：受理至通气按时率", "用气 gas", "工程管理部 engineering 用水"} {
		require.Contains(t, svg, text)
	}
}
