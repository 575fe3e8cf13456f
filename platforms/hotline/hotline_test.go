package hotline_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/hotline"
	"github.com/curbstop/curbstop/platforms/trial"
)

const samples = "testdata/hotline-workorder.json"

func adapter(t testing.TB) platforms.Adapter {
	t.Helper()
	a, err := hotline.New(nil)
	require.NoError(t, err)
	return a
}

func order(t testing.TB, replace ...any) map[string]any {
	t.Helper()
	return trial.With(trial.Sample(t, samples, "order_push"), append([]any{"areaCode", "340207"}, replace...)...)
}

func grid(t testing.TB, replace ...any) map[string]any {
	t.Helper()
	return trial.With(trial.Sample(t, samples, "grid_case_variant"), replace...)
}

func visit(t testing.TB, replace ...any) map[string]any {
	t.Helper()
	return trial.With(trial.Sample(t, samples, "order_visit"), replace...)
}

func TestSamples(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	trial.Golden(t, "sample-of-another-city", a, trial.JSON("order_push", trial.Sample(t, samples, "order_push")))
	trial.Golden(t, "order", a, trial.JSON("order_push", order(t)))
	trial.Golden(t, "grid", a, trial.JSON("grid_case", grid(t)))
	trial.Golden(t, "visit", a, trial.JSON("order_visit", visit(t)))
}

func TestVariations(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind    string
		message map[string]any
		refused []string
	}{
		"gas by the company":      {"order_push", order(t, "questionName", "其他", "organizer", "测试燃气有限公司"), nil},
		"utility unknown":         {"order_push", order(t, "questionName", "市容", "organizer", "", "organizationName", nil), []string{"questionName"}},
		"the whole city":          {"order_push", order(t, "areaCode", "340200000000"), nil},
		"district abolished":      {"order_push", order(t, "areaCode", "340208"), []string{"areaCode"}},
		"a landline":              {"order_push", order(t, "contactInformation", "0553-1234567"), nil},
		"nobody's number":         {"order_push", order(t, "contactInformation", "", "number", nil), nil},
		"no content":              {"order_push", order(t, "majorContent", " "), []string{"majorContent"}},
		"no number":               {"order_push", order(t, "orderNum", trial.Missing), []string{"orderNum"}},
		"urgency unknown":         {"order_push", order(t, "pilotLight", "火急"), []string{"pilotLight"}},
		"reply by a strange date": {"order_push", order(t, "deadlineDate", "下周"), []string{"deadlineDate"}},
		"reply by a slashed date": {"order_push", order(t, "deadlineDate", "2026/11/26 18:00"), nil},
		"reply by milliseconds":   {"order_push", order(t, "deadlineDate", 1795687200000), nil},
		"no position":             {"order_push", order(t, "addressPoints", "测试路口"), nil},
		"position not a number":   {"order_push", order(t, "addressPoints", "NaN,Inf"), nil},
		"secret as a truth":       {"order_push", order(t, "isSecret", true), []string{"isSecret"}},
		"grid for gas":            {"grid_case", grid(t, "levelTwo", "燃气", "levelThree", "停气"), nil},
		"visit reached nobody":    {"order_visit", visit(t, "visitIsFailContact", "1", "finalVisitIsSatisfaction", "", "visitIsSatisfaction", "", "firstVisitIsSatisfaction", ""), nil},
		"visit says nothing":      {"order_visit", visit(t, "finalVisitIsSatisfaction", "", "visitIsSatisfaction", "", "firstVisitIsSatisfaction", ""), []string{"finalVisitIsSatisfaction"}},
		"visit in words":          {"order_visit", visit(t, "finalVisitIsSatisfaction", "不满意"), nil},
		"visit unknown":           {"order_visit", visit(t, "visitIsSolved", "7"), []string{"visitIsSolved"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.refused, trial.Refused(t, adapter(t), trial.JSON(c.kind, c.message)))
		})
	}
}

func TestEachVisitCountsOnce(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	first := trial.Understood(t, a, trial.JSON("order_visit", visit(t, "finalVisitIsSatisfaction", "0", "visitIsSolved", "0")))
	second := trial.Understood(t, a, trial.JSON("order_visit", visit(t, "visitNum", "2")))
	assert.Equal(t, "TEST202611230001/visit/1", first[0].Key)
	assert.Equal(t, "TEST202611230001/visit/2", second[0].Key)
	assert.False(t, first[0].Visit.Satisfied || first[0].Visit.Solved)
	assert.True(t, second[0].Visit.Satisfied && second[0].Visit.Solved)
}

func TestNothingOfAMessageIsLost(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	for kind, message := range map[string]map[string]any{"order_push": order(t), "grid_case": grid(t), "order_visit": visit(t)} {
		trial.NothingIsLost(t, message, func(message map[string]any) (platforms.Message, []platforms.Item, error) {
			m := trial.JSON(kind, message)
			items, err := a.Read(m)
			return m, items, err
		})
	}
}

func TestAnswerIsTold(t *testing.T) {
	t.Parallel()
	trial.GoldenReports(t, "reports", adapter(t), platforms.Report{
		External: "TEST202611230001", Number: "HW20261124-00001", Utility: casework.Water, By: "客户服务部", Note: casework.Say("已抢修恢复（测试数据）", "repaired"),
	})
}

func FuzzRead(f *testing.F) {
	trial.Fuzz(f, adapter(f), trial.JSON("order_push", order(f)), trial.JSON("grid_case", grid(f)), trial.JSON("order_visit", visit(f)))
}
