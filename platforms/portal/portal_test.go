package portal_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/portal"
	"github.com/curbstop/curbstop/platforms/trial"
)

const samples = "testdata/ahzwfw-application.json"

func adapter(t testing.TB) platforms.Adapter {
	t.Helper()
	a, err := portal.New(nil, casework.GovPortal)
	require.NoError(t, err)
	return a
}

// application is the sample with numbers that pass their checks, in Wuhu.
func application(t testing.TB, replace ...any) map[string]any {
	t.Helper()
	good := []any{"applyerPageCode", "91340200MA8TEAT00J", "applicantcode", "340202199001011231", "itemregionid", "340207000000", "region_id", "340207000000"}
	return trial.With(trial.Sample(t, samples, "project_info"), append(good, replace...)...)
}

func TestSampleIsKeptForItsInventedNumbers(t *testing.T) {
	t.Parallel()
	trial.Golden(t, "sample", adapter(t), trial.JSON("project_info", trial.Sample(t, samples, "project_info")))
}

func TestApplicationBecomesARequest(t *testing.T) {
	t.Parallel()
	trial.Golden(t, "application", adapter(t), trial.JSON("project_info", application(t)))
}

func TestPersonsApplicationHasNoCreditCode(t *testing.T) {
	t.Parallel()
	trial.Golden(t, "person", adapter(t), trial.JSON("project_info", application(t,
		"applyerType", "1", "applyerPageCode", "340202199001011231", "applicant", "测试王丙", "itemno", "TEST-RQBZ")))
}

// materials are invented: no sample of the portal shows how papers come along.
var materials = []any{
	map[string]any{"name": "营业执照.png", "content": "data:image/png;base64,iVBORw0KGgo="}, map[string]any{"certName": "身份证", "certNo": "340202199001011231"},
	map[string]any{"name": "规划许可证", "url": "https://example.invalid/1"}, map[string]any{"name": "公司章程"},
}

func TestPapersComeAlong(t *testing.T) {
	t.Parallel()
	trial.Golden(t, "papers", adapter(t), trial.JSON("project_info", application(t, "materials", materials)))
}

func TestAccountsChangeThroughThePortal(t *testing.T) {
	t.Parallel()
	trial.Golden(t, "closing", adapter(t), trial.JSON("project_info", application(t, "itemno", "TEST-GSXH", "yhh", "0000000001")))
}

func TestVariations(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		replace []any
		refused []string
	}{
		"good":                          {nil, nil},
		"number missing":                {[]any{"projid", trial.Missing}, []string{"projid"}},
		"number null":                   {[]any{"projid", nil}, []string{"projid"}},
		"phone as a number":             {[]any{"applicantmobile", 13800000001}, nil},
		"phone in full width":           {[]any{"applicantmobile", "１３８００００００１１"}, nil},
		"phone too short":               {[]any{"applicantmobile", "1380000000"}, []string{"applicantmobile"}},
		"second phone holds":            {[]any{"applicantmobile", ""}, nil},
		"item unknown":                  {[]any{"itemno", "TEST-X"}, []string{"itemno"}},
		"item is an object":             {[]any{"itemno", map[string]any{"a": 1}}, []string{"itemno"}},
		"kind unknown":                  {[]any{"applyerType", "9"}, []string{"applyerType"}},
		"code fails its check":          {[]any{"applyerPageCode", "91340100TEST00001X"}, []string{"applyerPageCode"}},
		"card fails its check":          {[]any{"applicantcode", "340100190001010000"}, []string{"applicantcode"}},
		"district abolished":            {[]any{"itemregionid", "340208000000"}, []string{"itemregionid"}},
		"district by name":              {[]any{"itemregionid", "芜湖市鸠江区"}, nil},
		"district of another city":      {[]any{"itemregionid", "340100000000", "region_id", "340100000000"}, []string{"itemregionid"}},
		"city, then the district":       {[]any{"itemregionid", "340200000000"}, nil},
		"city, district in the address": {[]any{"itemregionid", "340200000000", "region_id", trial.Missing, "address", "芜湖市弋江区测试路1号"}, nil},
		"no district at all":            {[]any{"itemregionid", "340200000000", "region_id", trial.Missing}, []string{"itemregionid"}},
		"name too long":                 {[]any{"applicant", string(make([]byte, 0)) + longName()}, []string{"applicant"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.refused, trial.Refused(t, adapter(t), trial.JSON("project_info", application(t, c.replace...))))
		})
	}
}

func longName() string {
	long := make([]rune, 201)
	for i := range long {
		long[i] = '测'
	}
	return string(long)
}

func TestNothingOfAnApplicationIsLost(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	trial.NothingIsLost(t, application(t), func(message map[string]any) (platforms.Message, []platforms.Item, error) {
		m := trial.JSON("project_info", message)
		items, err := a.Read(m)
		return m, items, err
	})
}

func TestOnlyAWithdrawalAsksForSomethingAmongTheSteps(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	assert.Empty(t, trial.Understood(t, a, trial.JSON("process_info", trial.Sample(t, samples, "process_info"))))
	assert.Empty(t, trial.Understood(t, a, trial.JSON("process_info_done", trial.Sample(t, samples, "process_info_done"))))
	trial.Golden(t, "withdrawal", a, trial.JSON("process_info", trial.With(trial.Sample(t, samples, "process_info"), "proStatus", "已撤件", "dealOpinion", "申请人撤件")))
	assert.Equal(t, []string{"proStatus"}, trial.Refused(t, a, trial.JSON("process_info",
		trial.With(trial.Sample(t, samples, "process_info"), "proStatus", "查无此态"))))
}

func TestUnknownPlaceIsNamed(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{"整条消息"}, trial.Refused(t, adapter(t), trial.JSON("nowhere", application(t))))
}

func TestStatesAreTold(t *testing.T) {
	t.Parallel()
	trial.GoldenReports(t, "reports", adapter(t), platforms.Report{
		External: "340100260101TEST0001", Number: "W20261124-00001", Case: "W20261124-00001", Utility: casework.Water, By: "客户服务部",
		Note: casework.Say("同意受理", "accepted"), Request: &casework.Request{Contact: casework.Contact{Name: "测试张甲"}},
	})
}

func TestAnswersAreJudged(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	for body, taken := range map[string]bool{
		`{"code":"200"}`: true, `{"code":200}`: true, `{"flag":"200","data":[{}]}`: true, "": true,
		`{"code":"500","msg":"失败"}`: false, `{"msg":"?"}`: false, `<html>`: false,
	} {
		assert.Equal(t, taken, a.Judge(platforms.Outgoing{}, 200, []byte(body)) == nil, body)
	}
	require.Error(t, a.Judge(platforms.Outgoing{}, 502, nil))
}

func TestServiceCodeTellsWhoShowsIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer string
		person casework.Person
		code   string
	}{
		"good":    {`{"perUserVo.bindPhone":"13800000003","perUserVo.credentNo":"340202199001011231","perUserVo.name":"测试王丙"}`, casework.Person{Name: "测试王丙", Phone: "13800000003", ResidentID: "340202199001011231"}, ""},
		"nested":  {`{"code":0,"data":{"perUserVo":{"bindPhone":"13800000003","credentNo":"34020219900101123１","name":"测试王丙"}}}`, casework.Person{Name: "测试王丙", Phone: "13800000003", ResidentID: "340202199001011231"}, ""},
		"expired": {`{"code":401}`, casework.Person{}, "service_code_expired"},
		"broken":  {`<html>`, casework.Person{}, "service_code_unavailable"},
		"a zero":  {`{"perUserVo.bindPhone":"13800000003","perUserVo.credentNo":"340202199001011231","perUserVo.name":"a\u0000"}`, casework.Person{}, "service_code_unavailable"},
		"half":    {`{"perUserVo.name":"测试王丙"}`, casework.Person{}, "service_code_incomplete"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(c.answer)) }))
			defer server.Close()
			exchange, err := portal.NewWanshitong(server.URL, "TEST-SERVICE-ID", "")
			require.NoError(t, err)
			p, err := exchange.Person(t.Context(), "TESTTOKEN")
			assert.Equal(t, c.person, p)
			if c.code == "" {
				require.NoError(t, err)
				return
			}
			assert.Equal(t, c.code, casework.AsFault(err).Code)
		})
	}
}

func TestExchangeOfServiceCodesNeedsAnAddressAndAService(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{{"", "S"}, {"ftp://h/x", "S"}, {"https://u:p@h/x", "S"}, {"https://h/x", ""}} {
		_, err := portal.NewWanshitong(c[0], c[1], "")
		require.Error(t, err, "%v", c)
	}
}

func FuzzRead(f *testing.F) {
	trial.Fuzz(f, adapter(f),
		trial.JSON("project_info", application(f)),
		trial.JSON("project_info", application(f, "materials", materials)),
		trial.JSON("project_info", trial.Sample(f, samples, "project_info")),
		trial.JSON("process_info", trial.Sample(f, samples, "process_info")),
		trial.JSON("process_info_done", trial.Sample(f, samples, "process_info_done")))
}
