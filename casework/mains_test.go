package casework_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/casework"
)

var networkTerms = casework.NetworkTerms{Reach: 500, WaterPressure: 0.2, CapacityShare: 90}

// sound is a main that gives what is wanted by little.
func sound(id string, distance float64) casework.ProposedMain {
	return casework.ProposedMain{ID: id, Distance: distance, Diameter: 100, Pressure: 0.2, State: "in_service", Capacity: new(1000.0), Committed: 800, Cases: 3}
}

var wanted = casework.Demand{DailyVolume: 100, Diameter: 80}

func TestProposal(t *testing.T) {
	t.Parallel()
	with := func(m casework.ProposedMain, change func(*casework.ProposedMain)) casework.ProposedMain {
		change(&m)
		return m
	}
	for name, c := range map[string]struct {
		utility casework.Utility
		demand  casework.Demand
		mains   []casework.ProposedMain
		result  casework.NetworkResult
		main    string
		short   []string // what of the first main falls short
		open    []string // what of it is not known
	}{
		"nothing around":     {casework.Water, wanted, nil, casework.NoMain, "", nil, nil},
		"it gives by little": {casework.Water, wanted, []casework.ProposedMain{sound("a", 500)}, casework.Adequate, "a", nil, nil},
		"too far":            {casework.Water, wanted, []casework.ProposedMain{sound("a", 500.1)}, casework.NoMain, "", []string{"distance"}, nil},
		"planned only": {casework.Water, wanted, []casework.ProposedMain{with(sound("a", 9), func(m *casework.ProposedMain) { m.State = "planned" })},
			casework.NoMain, "", []string{"state"}, nil},
		"no wider than what is wanted": {casework.Water, wanted, []casework.ProposedMain{with(sound("a", 9), func(m *casework.ProposedMain) { m.Diameter = 80 })},
			casework.UpgradeNeeded, "a", []string{"diameter"}, nil},
		"pressure": {casework.Water, wanted, []casework.ProposedMain{with(sound("a", 9), func(m *casework.ProposedMain) { m.Pressure = 0.199 })},
			casework.UpgradeNeeded, "a", []string{"pressure"}, nil},
		"promised to others": {casework.Water, wanted, []casework.ProposedMain{with(sound("a", 9), func(m *casework.ProposedMain) { m.Committed = 800.1 })},
			casework.UpgradeNeeded, "a", []string{"capacity"}, nil},
		"the second suits": {casework.Water, wanted, []casework.ProposedMain{with(sound("a", 9), func(m *casework.ProposedMain) { m.Pressure = 0.1 }), sound("b", 300)},
			casework.Adequate, "b", []string{"pressure"}, nil},
		"little is known": {casework.Water, casework.Demand{}, []casework.ProposedMain{{ID: "a", State: "in_service"}},
			casework.Adequate, "a", nil, []string{"diameter", "pressure", "capacity"}},
		"gas goes by its class": {casework.Gas, wanted, []casework.ProposedMain{with(sound("a", 9), func(m *casework.ProposedMain) { m.Pressure, m.Class = 0, "low" })},
			casework.Adequate, "a", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := casework.ProposeConnection(c.utility, c.demand, networkTerms, c.mains)
			require.Equal(t, c.result, p.Result)
			require.Equal(t, c.main, p.Main)
			require.NotEmpty(t, p.Why.ZH)
			require.NotEmpty(t, p.Why.EN)
			var short, open []string
			if len(p.Mains) > 0 {
				for _, check := range p.Mains[0].Checks {
					require.NotEmpty(t, check.Text.ZH)
					switch check.Finding {
					case casework.FallsShort:
						short = append(short, check.Name)
					case casework.NotKnown:
						open = append(open, check.Name)
					case casework.Suffices:
					}
				}
			}
			require.Equal(t, c.short, short)
			require.Equal(t, c.open, open)
		})
	}
}

// More capacity, more pressure or less promised elsewhere never makes a proposal
// worse; and what is proposed as adequate has enough left for everybody.
func TestProposalIsMonotonous(t *testing.T) {
	t.Parallel()
	rank := map[casework.NetworkResult]int{casework.NoMain: 0, casework.UpgradeNeeded: 1, casework.Adequate: 2}
	rapid.Check(t, func(t *rapid.T) {
		var mains, better []casework.ProposedMain
		for i := range rapid.IntRange(0, 5).Draw(t, "mains") {
			m := sound(string(rune('a'+i)), float64(100*i)+rapid.Float64Range(0, 99).Draw(t, "metres"))
			m.Pressure = rapid.Float64Range(0.01, 0.4).Draw(t, "pressure")
			*m.Capacity = rapid.Float64Range(0, 2000).Draw(t, "capacity")
			m.Committed = rapid.Float64Range(0, 2000).Draw(t, "committed")
			b := m
			b.Capacity = new(*m.Capacity + rapid.Float64Range(0, 500).Draw(t, "more"))
			b.Pressure += rapid.Float64Range(0, 0.2).Draw(t, "higher")
			b.Committed *= rapid.Float64Range(0, 1).Draw(t, "less")
			mains, better = append(mains, m), append(better, b)
		}
		p, q := casework.ProposeConnection(casework.Water, wanted, networkTerms, mains), casework.ProposeConnection(casework.Water, wanted, networkTerms, better)
		require.GreaterOrEqual(t, rank[q.Result], rank[p.Result])
		if p.Result == casework.Adequate {
			for _, m := range p.Mains {
				if m.ID == p.Main {
					require.LessOrEqual(t, m.Committed+wanted.DailyVolume, *m.Capacity*0.9+1e-9)
				}
			}
		}
	})
}
