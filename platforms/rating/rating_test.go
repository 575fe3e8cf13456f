package rating_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/rating"
	"github.com/curbstop/curbstop/platforms/trial"
)

const samples = "testdata/haochaping-evaluation.json"

func adapter(t testing.TB) platforms.Adapter {
	t.Helper()
	a, err := rating.New(nil)
	require.NoError(t, err)
	return a
}

func evaluation(t testing.TB, replace ...any) map[string]any {
	t.Helper()
	return trial.With(trial.Sample(t, samples, "evaluation_in"), replace...)
}

func TestSampleBecomesARating(t *testing.T) {
	t.Parallel()
	trial.Golden(t, "evaluation", adapter(t), trial.JSON("evaluation", evaluation(t)))
}

func TestVariations(t *testing.T) {
	t.Parallel()
	level := func(n string, besides ...any) map[string]any {
		return evaluation(t, append([]any{"params.satisfaction", n, "params.evaluateLevel", n}, besides...)...)
	}
	for name, c := range map[string]struct {
		message map[string]any
		refused []string
	}{
		"bad, with tags":        {level("1", "params.evalDetail", "110,115", "params.writingEvaluation", ""), nil},
		"bad, with words":       {level("2", "params.evalDetail", "", "params.writingEvaluation", "太慢"), nil},
		"bad, without a reason": {level("2", "params.evalDetail", nil, "params.writingEvaluation", " "), []string{"params.evalDetail"}},
		"so so, without":        {level("3", "params.evalDetail", "", "params.writingEvaluation", ""), nil},
		"level in words":        {level("非常满意"), nil},
		"level as a number":     {evaluation(t, "params.satisfaction", 5), nil},
		"level in full width":   {level("５"), nil},
		"level unknown":         {level("6"), []string{"params.satisfaction"}},
		"level missing":         {level(""), []string{"params.satisfaction"}},
		"levels disagree":       {evaluation(t, "params.evaluateLevel", "1"), []string{"params.evaluateLevel"}},
		"one level is enough":   {evaluation(t, "params.evaluateLevel", trial.Missing), nil},
		"tag unknown":           {evaluation(t, "params.evalDetail", "510,999"), []string{"params.evalDetail"}},
		"tags in a list":        {evaluation(t, "params.evalDetail", []any{"510", 517}), nil},
		"other separator":       {evaluation(t, "params.evalDetail", "510|517"), []string{"params.evalDetail"}},
		"no number":             {evaluation(t, "params.projectno", nil), []string{"params.projectno"}},
		"no round":              {evaluation(t, "params.assessNumber", nil), []string{"params.assessNumber"}},
		"terminal unknown":      {evaluation(t, "params.pf", "9"), []string{"params.pf"}},
		"rated in milliseconds": {evaluation(t, "params.assessTime", 1795600000000), nil},
		"rated nowhen":          {evaluation(t, "params.assessTime", "2026-13-24 17:00:00"), []string{"params.assessTime"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.refused, trial.Refused(t, adapter(t), trial.JSON("evaluation", c.message)))
		})
	}
}

func TestSeparatorIsASetting(t *testing.T) {
	t.Parallel()
	a, err := rating.New([]byte(`
layouts:
  evaluation:
    kinds: evaluation
    fields: {key: projectno, round: n, stars: level, tags: detail}
codes:
  stars: {"5": 5}
  tag: {"510": 一次办结, "517": 效率高}
settings: {separator: "|"}
`))
	require.NoError(t, err)
	items := trial.Understood(t, a, trial.JSON("evaluation", map[string]any{"projectno": "P1", "n": 1, "level": "5", "detail": "510|517"}))
	assert.Equal(t, []platforms.Item{{
		Key:    "P1/1",
		Rating: &platforms.Rating{External: "P1", Stars: 5, Tags: []string{"一次办结", "效率高"}, Source: casework.GovPortal},
		Extra:  map[string]json.RawMessage{"detail": json.RawMessage(`"510|517"`), "n": json.RawMessage("1")},
	}}, items)
}

func TestNothingOfAnEvaluationIsLost(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	trial.NothingIsLost(t, evaluation(t), func(message map[string]any) (platforms.Message, []platforms.Item, error) {
		m := trial.JSON("evaluation", message)
		items, err := a.Read(m)
		return m, items, err
	})
}

// record is what the platform is told of a case that was completed.
func record(t testing.TB, r platforms.Report) map[string]any {
	t.Helper()
	r.N, r.State = 5, casework.MilestoneCompleted
	o, told, err := adapter(t).Report(r)
	require.NoError(t, err)
	require.True(t, told)
	var body map[string]map[string]any
	require.NoError(t, json.Unmarshal(o.Body, &body))
	return body["params"]
}

func TestServicesAreTold(t *testing.T) {
	t.Parallel()
	r := platforms.Report{
		External: "W20261124-00001", Number: "W20261124-00001", Case: "W20261124-00001", Utility: casework.Water, By: "客户服务部", At: trial.ReceivedAt,
		Received: trial.ReceivedAt.AddDate(0, 0, -3), Accepted: trial.ReceivedAt.AddDate(0, 0, -2),
		Request: &casework.Request{
			Applicant: casework.Applicant{Name: "测试置业有限公司", CreditCode: "91340200MA8TEAT00J"},
			Contact:   casework.Contact{Phone: "13800000001"}, Site: casework.Site{District: "340207"},
			Extra: map[string]json.RawMessage{"taskCode": json.RawMessage(`"TEST11340100000000000200000000001"`), "timelimit": json.RawMessage(`"20"`)},
		},
	}
	trial.GoldenReports(t, "reports", adapter(t), r)
	// What is told has the fields of the recorded message, each with something in it.
	said := record(t, r)
	for field, sample := range trial.Sample(t, samples, "service_push", "params") {
		if field == "ouguid" { // a key of the platform's own for an office
			continue
		}
		assert.Contains(t, said, field)
		assert.NotEmpty(t, said[field], field)
		assert.Equal(t, fmt.Sprintf("%T", sample) == "json.Number", fmt.Sprintf("%T", said[field]) == "float64", field)
	}
}

// A service is told by its own name, of whoever asked for it.
func TestOtherServicesAreToldToo(t *testing.T) {
	t.Parallel()
	transfer := casework.ServiceRequest{
		Service: casework.TransferCase, Utility: casework.Gas, District: "340202",
		NewHolder: casework.AccountHolder{Name: "测试张甲", Phone: "13800000002", ResidentID: "340202199001010019"},
	}
	order := casework.ServiceRequest{
		Service: casework.OrderCase, Utility: casework.Water,
		Order: &casework.HotlineOrder{Content: "停水", Secret: true, Caller: casework.Contact{Name: "测试李乙", Phone: "13800000003"}},
	}
	told := func(s casework.ServiceRequest) map[string]any {
		q := s.Request()
		return record(t, platforms.Report{External: "N1", Utility: s.Utility, Request: &q, Service: &s, Received: trial.ReceivedAt, At: trial.ReceivedAt})
	}
	fields := func(said map[string]any) []any {
		var all []any
		for _, f := range []string{"taskName", "taskCode", "areaCode", "userName", "userProp", "certKey", "creditType", "mobile", "acceptDate"} {
			all = append(all, said[f])
		}
		return all
	}
	assert.Equal(t, []any{
		"用气过户", "TEST11340200000000000200000000004", "340202000000", "测试张甲", "1", "340202199001010019", "111", "13800000002", "2026-11-24 10:00:00",
	}, fields(told(transfer)))
	assert.Equal(t, []any{
		"供水诉求办理", "TEST11340200000000000200000000007", "340200000000", "（来电人保密）", "1", "", "111", "", "2026-11-24 10:00:00",
	}, fields(told(order)), "a caller who does not want to be named is not")
}

func FuzzRead(f *testing.F) {
	trial.Fuzz(f, adapter(f), trial.JSON("evaluation", evaluation(f)))
}
