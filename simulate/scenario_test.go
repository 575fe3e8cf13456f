package simulate

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/policy"
)

// A slip in the file is named by its field, or by its line where the file
// can't be read at all, and nothing runs.
func TestParseNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ replace, by, want string }{
		{"from: 2026-01-01", "from: 2026-02-30", "from: “2026-02-30”应为实有的日期"},
		{"from: 2026-01-01", "form: 2026-01-01", `[16:1] unknown field "form"`},
		{"to: 2026-12-31", "to: 2025-12-31", "to: 请写明结束日期"},
		{"to: 2026-12-31", "to: 2046-12-31", "to: 最多模拟五年"},
		{"wechat: 6", "wechatt: 6", "requests.per_working_day.wechatt: 没有这个渠道"},
		{"wechat: 6", "wechat: -1", "requests.per_working_day.wechat: 应在 0 至 10000 之间"},
		{"wechat: 6", "wechat: .nan", "requests.per_working_day.wechat: 应在 0 至 10000 之间"},
		{"{1: 0.7,", "{13: 0.7,", "requests.months.13: 月份应为 1 至 12"},
		{`"340202": 24 #`, `"340208": 24 #`, "districts.340208: 三山区（340208）已于2020年撤销"},
		{`"101": 80`, `"301": 80`, "lanes.301: 应为 101 或 201"},
		{"upgrade: 0.02", "upgrade: 2", "shares.upgrade: 应在 0 至 1 之间"},
		{"permit_refused: 0.06", "permit_refused: 1", "shares.permit_refused: 应在 0 至 0.95 之间"},
		{"road_occupation: 0.08", "tree: 0.08", "shares.permits.tree: 没有这种审批"},
		{"hotline: [{people: 2}]", "hotline: [{people: 0}]", "staff.hotline[0].people: 人数应在 1 至 10000 之间"},
		{"hotline: [{people: 2}]", "phone: [{people: 2}]", "staff.phone: 没有这个部门"},
		{"hotline: [{people: 2}]", "", "staff.hotline: 以下区县无人负责"},
		{`["340210", "340212", "340223", "340281"], people: 8`, `["340210", "340212", "340223"], people: 8`, "staff.taskforce: 以下区县无人负责：[340281]"},
		{"contact_customer: {triangular: [5, 10, 30]}", "contact: {fixed: 3}", "service.contact: 没有这种任务"},
		{"contact_customer: {triangular: [5, 10, 30]}", "contact_customer: {}", "service.contact_customer: 请写明且只写一种分布"},
		{"contact_customer: {triangular: [5, 10, 30]}", "contact_customer: {fixed: 3, exponential: 3}", "service.contact_customer: 请写明且只写一种分布"},
		{"contact_customer: {triangular: [5, 10, 30]}", "contact_customer: {triangular: [5, 30]}", "service.contact_customer.triangular: 应为三个数"},
		{"contact_customer: {triangular: [5, 10, 30]}", "contact_customer: {uniform: [30, 10]}", "service.contact_customer: 应由小到大排列"},
		{"contact_customer: {triangular: [5, 10, 30]}", "contact_customer: {lognormal: {mean: 0, spread: -1}}", "service.contact_customer.lognormal.mean: 均值应大于 0"},
		{"joint_commitment: {", "joint: {", "authority.joint: 应为：[joint_commitment ordinary]"},
		{"withdraw: {exponential: 840}", "withdraw: {exponential: -840}", "customers.withdraw: 应在 0 至 2000000 分钟之间"},
		{"tasks: [conduct_survey,", "tasks: [survey,", "travel.tasks[0]: 没有这种任务"},
		{`    "340223": {triangular: [20`, `    "999999": {triangular: [20`, "travel.minutes.999999: “999999”不是芜湖市的区县"},
	} {
		require.Contains(t, string(example), c.replace)
		_, err := Parse([]byte(strings.Replace(string(example), c.replace, c.by, 1)))
		require.Error(t, err, c.by)
		require.Contains(t, policy.Describe(err), c.want, c.by)
	}
	_, err := Parse(nil)
	require.ErrorContains(t, err, "name: 请写明名称")
}

// A department's people are shared out over its teams as the file shares them.
func TestWithPeople(t *testing.T) {
	t.Parallel()
	s, err := Parse(Example())
	require.NoError(t, err)
	for n, want := range map[int][]int{2: {1, 1}, 3: {2, 1}, 10: {7, 3}, 29: {19, 10}, 58: {38, 20}} {
		staffed, err := s.WithPeople("engineering", "", n)
		require.NoError(t, err)
		var got []int
		for _, team := range staffed.Staff["engineering"] {
			got = append(got, team.People)
		}
		require.Equal(t, want, got)
		require.Equal(t, n, staffed.People("engineering", ""))
	}
	require.Equal(t, 29, s.People("engineering", ""), "the scenario itself was changed")
	for _, n := range []int{1, maxPeople + 1} {
		_, err = s.WithPeople("engineering", "", n)
		require.ErrorContains(t, err, "its people must be between 2 and 10000")
	}
	_, err = s.WithPeople("crews", "", 3)
	require.ErrorContains(t, err, `no staff of department "crews"`)
}

func TestDistributionsHaveTheirMean(t *testing.T) {
	t.Parallel()
	fixed, mean := 20.0, 60.0
	for name, c := range map[string]struct {
		Distribution
		minutes float64
	}{
		"none":        {Distribution{}, 0},
		"fixed":       {Distribution{Fixed: &fixed}, 20},
		"uniform":     {Distribution{Uniform: []float64{10, 30}}, 20},
		"triangular":  {Distribution{Triangular: []float64{0, 30, 60}}, 30},
		"skewed":      {Distribution{Triangular: []float64{10, 10, 40}}, 20},
		"degenerate":  {Distribution{Triangular: []float64{10, 10, 10}}, 10},
		"lognormal":   {Distribution{Lognormal: &Lognormal{Mean: 60, Spread: 30}}, 60},
		"exponential": {Distribution{Exponential: &mean}, 60},
	} {
		r := draws(1, name)
		sum := 0.0
		const n = 20_000
		for range n {
			d := c.draw(r)
			require.GreaterOrEqual(t, d.Minutes(), 0.0)
			sum += d.Minutes()
		}
		require.InDelta(t, c.minutes, sum/n, 0.02*c.minutes+0.01, name)
	}
}

// Streams with names that differ by a letter have nothing to do with each other.
func TestStreamsAreIndependent(t *testing.T) {
	t.Parallel()
	var buckets [10]int
	for i := range 10_000 {
		buckets[int(draws(uint64(i%2), string(casework.ContactCustomer)+string(rune(i))).Float64()*10)]++
	}
	for _, n := range buckets {
		require.InDelta(t, 1000, n, 150)
	}
	once, again := draws(1, "a"), draws(1, "a")
	require.Equal(t, once.Uint64(), again.Uint64())
}
