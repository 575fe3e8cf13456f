package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/policy"
)

const goodGas = `version: v1
utilities: [water, gas]
lane: "101"
hours:
  every_day: true
  spans:
    - {from: "00:00", to: "24:00"}
retention_days: 30
checklists:
  commission_supply: [通风良好]
prices:
  - {code: Q01, name: 一口价, kind: inside_property_line, utility: gas, unit: 户, fen: 280000, source: 价目表, fixed: {class: residential, meter: G25}}
  - {code: Q02, name: 一口价, kind: inside_property_line, utility: gas, unit: 处, fen: 880000, source: 价目表, fixed: {class: non_residential, meter: G25}}
  - {code: N01, name: 管道, kind: inside_property_line, utility: water, unit: 米, fen: 12000, source: 价目表}
gas:
  small: {meter: G25, pipe_length: 50}
  atlas: [RQ-01, RQ-02]
  residential:
    contracts: [supply_contract]
    tightness: {kilopascals: 5, minutes: 15}
  non_residential:
    contracts: [connection_contract, supply_contract]
    tightness: {kilopascals: 5, minutes: 30}
    checklist: [报警器正常]
`

// What a policy says of gas is judged field by field, with its line.
func TestParseGas(t *testing.T) {
	t.Parallel()
	p, err := policy.Parse([]byte(goodGas))
	require.NoError(t, err)
	require.True(t, p.Serves(casework.Gas))
	require.Equal(t, p.Gas, p.Terms().Gas)
	for name, test := range map[string]struct {
		old, new string
		want     []string // line and field of each fault
		says     string
	}{
		"gas that is not served":      {"[water, gas]", "[water]", []string{"12 prices[0].utility", "13 prices[1].utility", "15 gas"}, "utilities"},
		"no checklist":                {"  commission_supply: [通风良好]", "  accept_meter: [表位正确]", []string{"9 checklists.commission_supply"}, "安全核对清单"},
		"unknown size":                {"small: {meter: G25", "small: {meter: G26", []string{"16 gas.small.meter"}, "G2.5"},
		"no fixed price up to there":  {"small: {meter: G25", "small: {meter: G40", []string{"16 gas.small.meter"}, "居民 G40 的一口价"},
		"pipe of nothing":             {"pipe_length: 50", "pipe_length: 0", []string{"16 gas.small.pipe_length"}, "1000"},
		"pipe in words":               {"pipe_length: 50", "pipe_length: long", []string{"16 gas.small.pipe_length"}, "类型"},
		"unknown field":               {"pipe_length: 50", "length: 50", []string{"16 gas.small.length"}, "没有这个字段"},
		"no atlas":                    {"[RQ-01, RQ-02]", "[]", []string{"17 gas.atlas"}, "图集"},
		"sheet twice":                 {"RQ-02", "RQ-01", []string{"17 gas.atlas[1]"}, "重复"},
		"no contract":                 {"contracts: [supply_contract]", "contracts: []", []string{"19 gas.residential.contracts"}, "合同"},
		"unknown contract":            {"contracts: [supply_contract]", "contracts: [marriage]", []string{"19 gas.residential.contracts[0]"}, "supply_contract"},
		"contract twice":              {"[connection_contract, supply_contract]", "[supply_contract, supply_contract]", []string{"22 gas.non_residential.contracts[1]"}, "重复"},
		"test without pressure":       {"kilopascals: 5, minutes: 15", "kilopascals: 0, minutes: 15", []string{"20 gas.residential.tightness.kilopascals"}, "1000"},
		"test of no time":             {"kilopascals: 5, minutes: 30", "kilopascals: 5", []string{"23 gas.non_residential.tightness.minutes"}, "1440"},
		"item that all have already":  {"[报警器正常]", "[通风良好]", []string{"24 gas.non_residential.checklist[0]"}, "已有此项"},
		"item without words":          {"[报警器正常]", `[" "]`, []string{"24 gas.non_residential.checklist[0]"}, "60"},
		"fixed price of water":        {"fen: 12000, source: 价目表", "fen: 12000, source: 价目表, fixed: {class: residential, meter: G4}", []string{"14 prices[2].fixed"}, "只有用气"},
		"fixed price for nobody":      {"class: residential, meter: G25", "meter: G25", []string{"12 prices[0].fixed.class", "16 gas.small.meter"}, "residential"},
		"fixed price of unknown size": {"class: non_residential, meter: G25", "class: non_residential, meter: XL", []string{"13 prices[1].fixed.meter", "16 gas.small.meter"}, "G2.5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, goodGas, test.old)
			_, err := policy.Parse([]byte(strings.Replace(goodGas, test.old, test.new, 1)))
			f := casework.AsFault(err)
			require.Equal(t, casework.Invalid, f.Kind, err)
			var got []string
			for _, field := range f.Fields {
				var line int
				_, err := fmt.Sscanf(field.ZH, "第 %d 行：", &line)
				require.NoError(t, err, field.ZH)
				got = append(got, fmt.Sprintf("%d %s", line, field.Field))
			}
			require.Equal(t, test.want, got, policy.Describe(err))
			require.Contains(t, policy.Describe(err), test.says)
		})
	}
}

// Two versions are compared in what they say of gas, too.
func TestDiffOfGas(t *testing.T) {
	t.Parallel()
	from, err := policy.Parse([]byte(goodGas))
	require.NoError(t, err)
	to, err := policy.Parse([]byte(strings.NewReplacer("pipe_length: 50", "pipe_length: 30", "RQ-02", "RQ-03", "minutes: 15", "minutes: 20", "contracts: [supply_contract]", "contracts: [connection_contract]",
		"[报警器正常]", "[报警器联动正常]", "meter: G25}}\n  - {code: Q02", "meter: G40}}\n  - {code: Q02").Replace(goodGas)))
	require.NoError(t, err)
	var paths []string
	for _, c := range policy.Diff(from, to) {
		require.NotEmpty(t, c.Title)
		require.NotEqual(t, c.From, c.To)
		paths = append(paths, c.Path)
	}
	require.Equal(t, []string{
		"prices.Q01", "gas.small.pipe_length", "gas.atlas", "gas.residential.contracts", "gas.residential.tightness", "gas.non_residential.checklist",
	}, paths)
	for _, c := range policy.Diff(from, policy.Default()) {
		require.NotEqual(t, "gas.small.meter", c.Path, "both say the same")
	}
}
