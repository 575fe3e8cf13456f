package joint_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/joint"
	"github.com/curbstop/curbstop/platforms/trial"
)

func adapter(t testing.TB) platforms.Adapter {
	t.Helper()
	a, err := joint.New(nil)
	require.NoError(t, err)
	return a
}

// application is invented: no sample of the platform's messages is public.
func application(replace ...any) map[string]any {
	return trial.With(map[string]any{
		"bizNo": "SDQ20261124TEST0001", "services": []any{"01", "02", "03"}, "applicantType": 2, "applicantName": "芜湖测试机械有限公司",
		"certNo": "９１３４０２００ma8teat00j", "contactName": "测试李乙", "contactPhone": "+86 138-0000-0001", "regionCode": "340271",
		"address": "芜湖经济技术开发区测试路8号", "purpose": "工业用水", "expectDate": "2027/03/01", "needExcavation": true, "occupyGreen": "0",
		"projectCode": "2600-340200-04-01-000001-T1", "power": map[string]any{"capacity": "630kVA", "voltage": "10kV"}, "remark": "",
	}, replace...)
}

func TestOneApplicationGivesARequestForEachUtility(t *testing.T) {
	t.Parallel()
	trial.Golden(t, "application", adapter(t), trial.JSON("joint/apply", application()))
}

func TestVariations(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		replace []any
		refused []string
	}{
		"in words":           {[]any{"services", "水、电、气"}, nil},
		"twice the same":     {[]any{"services", "水,water,01"}, nil},
		"nothing asked for":  {[]any{"services", []any{}}, []string{"utility"}},
		"electricity alone":  {[]any{"services", "电"}, []string{"services"}},
		"no number":          {[]any{"bizNo", "  "}, []string{"bizNo"}},
		"truth unknown":      {[]any{"needExcavation", "也许"}, []string{"needExcavation"}},
		"wrong check letter": {[]any{"certNo", "91340200MA8TEAT00K"}, []string{"certNo"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.refused, trial.Refused(t, adapter(t), trial.JSON("joint/apply", application(c.replace...))))
		})
	}
}

func TestNothingOfAnApplicationIsLost(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	trial.NothingIsLost(t, application(), func(message map[string]any) (platforms.Message, []platforms.Item, error) {
		m := trial.JSON("joint/apply", message)
		items, err := a.Read(m)
		return m, items, err
	})
}

func TestStatesAreTold(t *testing.T) {
	t.Parallel()
	trial.GoldenReports(t, "reports", adapter(t), platforms.Report{
		External: "SDQ20261124TEST0001", Number: "J20261124-00001", Utility: casework.Gas, By: "客户服务部", Note: casework.Say("同意受理", "accepted"),
	})
}

func FuzzRead(f *testing.F) {
	trial.Fuzz(f, adapter(f),
		trial.JSON("joint/apply", application()),
		trial.JSON("joint/cancel", map[string]any{"bizNo": "SDQ20261124TEST0001", "status": "撤回", "reason": "不办了"}))
}
