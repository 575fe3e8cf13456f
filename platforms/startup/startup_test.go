package startup_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/startup"
	"github.com/curbstop/curbstop/platforms/trial"
)

func adapter(t testing.TB) platforms.Adapter {
	t.Helper()
	a, err := startup.New(nil)
	require.NoError(t, err)
	return a
}

// application is invented: no sample of the platform's messages is public.
func application(replace ...any) map[string]any {
	return trial.With(map[string]any{
		"applyno": "KB340200260101TEST0001", "services": "水,气", "applyerType": "2", "entname": "芜湖测试餐饮有限公司",
		"uniscid": "91340200MA8TEAT00J", "lerep": "测试张甲", "lerepid": "340202199001011231", "applicantmobile": "13800000001",
		"regionid": "340202", "dom": "芜湖市镜湖区测试路3号", "industry": "餐饮", "opendate": "2027-01-15", "regcap": 500000,
		"members": []any{map[string]any{"name": "测试张甲", "share": "100%"}},
	}, replace...)
}

func TestNewEnterpriseWantsWaterAndGas(t *testing.T) {
	t.Parallel()
	trial.Golden(t, "application", adapter(t), trial.JSON("application", application()))
}

func TestVariations(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		replace []any
		refused []string
	}{
		"one utility by its code":          {[]any{"services", trial.Missing, "itemno", "TEST-GSBZ"}, nil},
		"a list":                           {[]any{"services", []any{"water", "gas", "electricity"}}, nil},
		"electricity alone":                {[]any{"services", "电"}, []string{"services"}},
		"a list of objects":                {[]any{"services", []any{map[string]any{"a": "水"}}}, []string{"services"}},
		"unknown utility":                  {[]any{"services", "水,热"}, []string{"services"}},
		"gas without a code is accepted":   {[]any{"services", "气", "uniscid", ""}, nil},
		"water without a code is kept":     {[]any{"services", "水", "uniscid", nil}, []string{"uniscid"}},
		"opening day in Chinese":           {[]any{"opendate", "2027年1月15日"}, nil},
		"opening day does not exist":       {[]any{"opendate", "2027-02-30"}, []string{"opendate"}},
		"district abolished":               {[]any{"regionid", "340221"}, []string{"regionid"}},
		"card of whom to call is mistyped": {[]any{"lerepid", "340202199001011232"}, []string{"lerepid"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.refused, trial.Refused(t, adapter(t), trial.JSON("application", application(c.replace...))))
		})
	}
}

func TestNothingOfAnApplicationIsLost(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	trial.NothingIsLost(t, application(), func(message map[string]any) (platforms.Message, []platforms.Item, error) {
		m := trial.JSON("application", message)
		items, err := a.Read(m)
		return m, items, err
	})
}

func TestStatesAreTold(t *testing.T) {
	t.Parallel()
	trial.GoldenReports(t, "reports", adapter(t), platforms.Report{
		External: "KB340200260101TEST0001", Number: "J20261124-00001", Utility: casework.Gas, By: "客户服务部", Note: casework.Say("同意受理", "accepted"),
	})
}

func FuzzRead(f *testing.F) {
	trial.Fuzz(f, adapter(f),
		trial.JSON("application", application()),
		trial.JSON("process_info", map[string]any{"projid": "KB1", "proStatus": "已撤件", "dealOpinion": "不开了"}))
}
