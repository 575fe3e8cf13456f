package simulate

import (
	"context"
	_ "embed"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/policy"
)

var options = Options{Policy: policy.Default(), Notices: calendar.Seed(), Seed: 7}

// spring is the example's March and April with a tenth of its requests and staff.
func spring(t testing.TB) Scenario {
	t.Helper()
	s, err := Parse(Example())
	require.NoError(t, err)
	s.From, s.To = calendar.Date{Year: 2026, Month: time.March, Day: 1}, calendar.Date{Year: 2026, Month: time.April, Day: 30}
	for channel := range s.Requests.PerWorkingDay {
		s.Requests.PerWorkingDay[channel] /= 10
	}
	s.Staff = map[casework.Department][]Team{
		"taskforce": {{People: 3}}, "network": {{People: 1}}, "engineering": {{People: 3}, {Districts: []casework.District{"340281"}, People: 1}},
		"service_hall": {{People: 1}}, "hotline": {{People: 1}},
	}
	return s
}

func run(t testing.TB, s Scenario, o Options) Result {
	t.Helper()
	r, err := Run(t.Context(), s, o)
	require.NoError(t, err)
	return r
}

// everything is all that a run gives, as bytes.
func everything(t *testing.T, r Result) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, r.Print(&b))
	require.NoError(t, json.NewEncoder(&b).Encode(r))
	b.Write(SVG(r.Drawings()...))
	return b.String()
}

func TestSameSeedGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	first := everything(t, run(t, spring(t), options))
	require.Equal(t, first, everything(t, run(t, spring(t), options)))
	other := options
	other.Seed++
	require.NotEqual(t, first, everything(t, run(t, spring(t), other)))
}

//go:embed testdata/spring.txt
var printed string

// The whole text of a small run. Where a rule, a limit or the drawing of numbers
// changes, so does this file: write it anew from what the failure shows.
func TestPrint(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	require.NoError(t, run(t, spring(t), options).Print(&b))
	require.Equal(t, printed, b.String())
}

func TestNothingIsLostAndNothingDoneTwice(t *testing.T) {
	t.Parallel()
	s := spring(t)
	s.Staff["engineering"] = []Team{{People: 2}} // too few: much is open at the end
	s.Shares.Withdrawn = 0.2
	opened, ended, received := map[string]casework.TaskState{}, map[string]casework.TaskState{}, map[string]bool{}
	versions := map[string]int64{}
	o := options
	o.Watch = func(d Decision) {
		for _, e := range d.Changes.Events {
			if e.N != versions[e.Case]+1 {
				require.Fail(t, "a gap in the history", "%s: %d after %d", e.Case, e.N, versions[e.Case])
			}
			versions[e.Case] = e.N
			if e.Kind == casework.Received && d.Case.Kind == casework.ConnectionCase {
				received[e.Case] = true
			}
		}
		for _, task := range d.Changes.Tasks {
			if _, back := ended[task.ID]; back {
				require.Fail(t, "a task came back", task.ID)
			}
			opened[task.ID] = task.State
			if task.State != casework.TaskOpen {
				ended[task.ID] = task.State
			}
		}
	}
	r := run(t, s, o)
	done, cancelled := 0, 0
	for _, state := range ended {
		if state == casework.TaskDone {
			done++
		} else {
			cancelled++
		}
	}
	byDepartment := 0
	for _, d := range r.Departments {
		byDepartment += d.Tasks
	}
	require.Len(t, received, r.Cases.Received)
	require.Equal(t, r.Cases.Received, r.Cases.Closed+r.Cases.Withdrawn+r.Cases.Open)
	require.Positive(t, r.Cases.Withdrawn)
	require.Positive(t, r.Cases.Open)
	require.Equal(t, done, byDepartment)
	require.Equal(t, cancelled, r.Cases.Cancelled)
	require.Len(t, opened, r.Cases.Tasks)
	require.Equal(t, r.Cases.Tasks, done+cancelled+r.Cases.OpenTasks)
}

// With people without number and work that takes no time, nothing can be late.
func TestPlentyOfPeopleAndNoWorkKeepsEveryLimit(t *testing.T) {
	t.Parallel()
	s := spring(t)
	for d := range s.Staff {
		s.Staff[d] = []Team{{People: 500}}
	}
	s.Service, s.Waits, s.Authority, s.Travel, s.Customers = nil, nil, nil, Travel{}, Customers{}
	r := run(t, s, options)
	require.Positive(t, r.Lane.Judged)
	for _, l := range append(r.Limits, r.Lane) {
		require.Equal(t, l.Judged, l.OnTime, l.Name)
	}
	for _, d := range r.Departments {
		require.Zero(t, d.Utilisation)
		require.Zero(t, d.MeanWait)
	}
}

func TestMoreCrewsAreNotMuchWorse(t *testing.T) {
	t.Parallel()
	s := spring(t)
	s.Staff["engineering"] = []Team{{People: 1}}
	trials, err := Try(t.Context(), s, options, Question{Department: "engineering", From: 1, To: 7}, nil)
	require.NoError(t, err)
	require.Len(t, trials, 7)
	for i, trial := range trials[1:] {
		require.GreaterOrEqual(t, trial.Result.Lane.Share(), trials[i].Result.Lane.Share()-0.05, "%d people", trial.People)
	}
	require.Less(t, trials[0].Result.Lane.Share(), 0.5)
	require.Greater(t, trials[6].Result.Lane.Share(), 0.9)
}

// Runs with different numbers of people meet the same customers, who do the
// same things, and the same work.
func TestCrewsDoNotChangeTheCustomers(t *testing.T) {
	t.Parallel()
	type history struct {
		customers map[string]string
		outcomes  map[string]string
	}
	play := func(crews int) history {
		s := spring(t)
		s.Staff["engineering"] = []Team{{People: crews}}
		h := history{map[string]string{}, map[string]string{}}
		o := options
		o.Watch = func(d Decision) {
			k := d.Case
			if k.Kind == casework.ConnectionCase {
				h.customers[k.Number] = fmt.Sprint(k.ReceivedAt, k.Request.Channel, k.Request.Site, k.Lane)
			}
			for _, task := range d.Changes.Tasks {
				if task.State == casework.TaskDone {
					h.outcomes[fmt.Sprint(k.Number, task.Kind, task.Qualifier, task.Round)] = task.Outcome
				}
			}
		}
		run(t, s, o)
		return h
	}
	few, many := play(2), play(8)
	require.Equal(t, few.customers, many.customers)
	common := 0
	for key, outcome := range few.outcomes {
		if other, ok := many.outcomes[key]; ok {
			require.Equal(t, outcome, other, key)
			common++
		}
	}
	require.Greater(t, common, 1000)
}

func TestTryStopsWhereTheShareIsKept(t *testing.T) {
	t.Parallel()
	s := spring(t)
	s.Staff["engineering"] = []Team{{People: 4}}
	q := Question{Department: "engineering", Keep: 0.9, Months: []int{4}}
	var told []int
	trials, err := Try(t.Context(), s, options, q, func(trial Trial) { told = append(told, trial.People) })
	require.NoError(t, err)
	last := len(trials) - 1
	for i, trial := range trials {
		require.Equal(t, i+1, trial.People)
		require.Equal(t, i == last, q.Reached(trial.Result), "%d people", trial.People)
	}
	require.Len(t, told, len(trials))
	var b strings.Builder
	require.NoError(t, PrintTrials(&b, q, trials))
	require.Contains(t, b.String(), fmt.Sprintf("工程管理部需 %d 个（人或班组）：4 月受理的案件按时率", last+1))
	require.Contains(t, string(SVG(DrawTrials(q, trials))), "工程管理部人数与按时率")

	// Crews can't make up for an authority that takes its time.
	s.Service["conduct_survey"] = s.Service["rectify"]
	s.Staff["taskforce"] = []Team{{People: 1}}
	q.To = 2
	trials, err = Try(t.Context(), s, options, q, nil)
	require.NoError(t, err)
	b.Reset()
	require.NoError(t, PrintTrials(&b, q, trials))
	require.Contains(t, b.String(), "工程管理部增至 2 也达不到 90.00%")

	_, err = Try(t.Context(), s, options, Question{Department: "engineering", From: 3, To: 2}, nil)
	require.ErrorContains(t, err, "the range 3..2 is empty")
	_, err = Try(t.Context(), s, options, Question{Department: "production"}, nil)
	require.ErrorContains(t, err, `no staff of department "production"`)
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	o := options
	o.Policy.Confirming = append([]casework.Department{"quality"}, o.Policy.Confirming...)
	_, err := Run(t.Context(), spring(t), o)
	require.ErrorContains(t, err, "the policy wants quality to confirm its part")

	s := spring(t)
	s.Requests.Months = map[int]float64{3: 0, 4: 0}
	_, err = Run(t.Context(), s, options)
	require.ErrorContains(t, err, "no request comes in")

	o = options
	o.Cases = maxCases + 1
	_, err = Run(t.Context(), spring(t), o)
	require.ErrorContains(t, err, "too many")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Run(ctx, spring(t), options)
	require.ErrorIs(t, err, context.Canceled)
}

// The requests follow the rates: by channel, by month, and as many as asked.
func TestArrivals(t *testing.T) {
	t.Parallel()
	s := spring(t)
	s.Requests = Requests{
		PerWorkingDay: map[casework.Channel]float64{casework.WeChat: 3, casework.Outreach: 1}, Months: map[int]float64{3: 2, 4: 1},
	}
	cal, err := calendar.New(options.Notices, options.Policy.Hours)
	require.NoError(t, err)
	y := &year{Scenario: s, Options: options, cal: cal, districts: sorted(s.Districts)}
	usual, err := y.arrivals()
	require.NoError(t, err)
	// 22 working days in March and 21 in April 2026.
	require.Len(t, usual, 4*(2*22+21))
	y.Cases = 20_000
	many, err := y.arrivals()
	require.NoError(t, err)
	require.Len(t, many, 20_000)
	outreach, march := 0, 0
	for i, c := range many {
		require.True(t, y.opening(c.at).Equal(c.at), "%s is outside business hours", c.at)
		require.True(t, i == 0 || !c.at.Before(many[i-1].at))
		if c.channel == casework.Outreach {
			outreach++
		}
		if c.at.In(calendar.Shanghai).Month() == time.March {
			march++
		}
	}
	require.InDelta(t, 0.25, float64(outreach)/20_000, 0.01)
	require.InDelta(t, 44.0/65, float64(march)/20_000, 0.01)
}

func TestDrawingsAreReadable(t *testing.T) {
	t.Parallel()
	r := run(t, spring(t), options)
	names := []string{}
	for _, d := range r.Drawings() {
		names = append(names, d.Name)
	}
	require.Equal(t, []string{"on-time", "queues", "load"}, names)
	r.Scenario = `春季 <高峰> & "抢装"`
	svg := string(SVG(r.Drawings()...))
	for _, text := range []string{"受理至通水按时率", "下班时排队的任务", "部门负荷", "工程管理部 engineering", "3月", "春季 &lt;高峰&gt; &amp;"} {
		require.Contains(t, svg, text)
	}
	require.NotContains(t, svg, "NaN")
	require.NotContains(t, svg, "Inf")
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); err != nil {
			require.ErrorIs(t, err, io.EOF)
			break
		}
	}
}

func TestPercentNeverRoundsUp(t *testing.T) {
	t.Parallel()
	for share, want := range map[float64]string{0.98999: "98.99%", 0.99: "99.00%", 1: "100.00%", 0.29: "29.00%", 0: "0.00%", 0.999999: "99.99%"} {
		require.Equal(t, want, percent(share, 2))
	}
}

// The stages open no task that could fall to nobody.
func TestWorkingDepartments(t *testing.T) {
	t.Parallel()
	for _, spec := range casework.Specs() {
		require.Contains(t, working, spec.Role.Department(), spec.Kind)
	}
}

func BenchmarkYear(b *testing.B) {
	s, err := Parse(Example())
	require.NoError(b, err)
	for b.Loop() {
		r := run(b, s, options)
		b.ReportMetric(float64(r.Cases.Received), "cases/op")
	}
}
