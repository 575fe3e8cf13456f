package property_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/property"
	"github.com/curbstop/curbstop/platforms/trial"
)

const samples = "testdata/anhui-transfer.json"

// billing knows one account.
type billing struct{}

func (billing) Balance(_ context.Context, _ casework.Utility, account string) (property.Balance, error) {
	if account != "0000000001" {
		return property.Balance{}, casework.Refuse(casework.NotFound, "no_account", casework.Say("户号不存在", "there is no such account"))
	}
	return property.Balance{Holder: "测试赵丁", Address: "测试路2号101室", Owed: 1205, Prepaid: -50, Receivable: 1205}, nil
}

func adapter(t testing.TB) platforms.Adapter {
	t.Helper()
	a, err := property.New(nil, billing{})
	require.NoError(t, err)
	return a
}

const seller, buyer = "340202199001011231", "340207198505050020"

func gas(t testing.TB, replace ...any) map[string]any {
	t.Helper()
	return trial.With(trial.Sample(t, samples, "hefei_gas"), append([]any{"fromUserSfid", seller, "toUserSfid", buyer}, replace...)...)
}

func envelope(t testing.TB, replace ...any) map[string]any {
	t.Helper()
	inner, err := json.Marshal(gas(t))
	require.NoError(t, err)
	return trial.With(trial.Sample(t, samples, "gas_common_envelope"), append([]any{"requestContent", string(inner)}, replace...)...)
}

func water(t testing.TB, replace ...any) map[string]any {
	t.Helper()
	return trial.With(trial.Sample(t, samples, "hefei_water_new"), append([]any{"newIdcard", buyer}, replace...)...)
}

func shucheng(t testing.TB, replace ...any) map[string]any {
	t.Helper()
	return trial.With(trial.Sample(t, samples, "shucheng_water_transfer"), append([]any{"body.id", buyer, "body.oldId", seller}, replace...)...)
}

func TestSamplesAreKeptForTheirInventedNumbers(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]string{
		"hefei_gas": "gas/transfer", "gas_common_envelope": "gas/common", "hefei_water_new": "water/transfer", "shucheng_water_transfer": "water/shucheng",
	} {
		trial.Golden(t, "sample-"+name, adapter(t), trial.JSON(kind, trial.Sample(t, samples, name)))
	}
}

func TestTransfersComeWithTheirCertificates(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	trial.Golden(t, "gas", a, trial.JSON("gas/transfer", gas(t)))
	trial.Golden(t, "envelope", a, trial.JSON("gas/common", envelope(t)))
	trial.Golden(t, "water", a, trial.JSON("water/transfer", water(t)))
	trial.Golden(t, "shucheng", a, trial.JSON("water/shucheng", shucheng(t)))
}

func TestVariations(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind    string
		message map[string]any
		refused []string
	}{
		"proper spelling":         {"gas/transfer", gas(t, "toUame", trial.Missing, "toUname", "测试王丙"), nil},
		"no new holder":           {"gas/transfer", gas(t, "toUame", trial.Missing), []string{"toUame"}},
		"no account":              {"gas/transfer", gas(t, "fromUserhuhao", nil), []string{"fromUserhuhao"}},
		"account as a number":     {"gas/transfer", gas(t, "fromUserhuhao", 1), nil},
		"image is no Base64":      {"gas/transfer", gas(t, "hetongimg", "图"), []string{"hetongimg"}},
		"image as a data URL":     {"gas/transfer", gas(t, "hetongimg", "data:image/png;base64,iVBORw0KGgo="), nil},
		"phone mistyped":          {"gas/transfer", gas(t, "toUserMobile", "23800000003"), []string{"toUserMobile"}},
		"card in lower case":      {"gas/transfer", gas(t, "toUserSfid", "34052419800101001x"), nil},
		"holder is a company":     {"gas/transfer", gas(t, "fromUserSfid", "91340200MA8TEAT00J"), nil},
		"company mistyped":        {"gas/transfer", gas(t, "fromUserSfid", "91340200MA8TEAT00K"), []string{"fromUserSfid"}},
		"number of an object":     {"gas/transfer", gas(t, "slbh", map[string]any{}), []string{"slbh"}},
		"envelope contradicts":    {"gas/common", envelope(t, "slbh", "TESTSL0002"), []string{"slbh"}},
		"envelope is no JSON":     {"gas/common", envelope(t, "requestContent", "{"), []string{"requestContent"}},
		"envelope holds a number": {"gas/common", envelope(t, "requestContent", "1"), []string{"fromUserhuhao", "toUame"}},
		"not a transfer":          {"water/transfer", water(t, "businessType", "XH"), []string{"businessType"}},
		"attachments in a text":   {"water/transfer", water(t, "attachment", `[{"name":"身份证","url":"https://example.invalid/a"}]`), nil},
		"service code unknown":    {"water/shucheng", shucheng(t, "head.servCode", "1"), []string{"head.servCode"}},
		"service code missing":    {"water/shucheng", shucheng(t, "head.servCode", ""), []string{"head.servCode"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.refused, trial.Refused(t, adapter(t), trial.JSON(c.kind, c.message)))
		})
	}
}

func TestNothingOfATransferIsLost(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	for kind, message := range map[string]map[string]any{
		"gas/transfer": gas(t), "gas/common": envelope(t), "water/transfer": water(t), "water/shucheng": shucheng(t),
	} {
		trial.NothingIsLost(t, message, func(message map[string]any) (platforms.Message, []platforms.Item, error) {
			m := trial.JSON(kind, message)
			items, err := a.Read(m)
			return m, items, err
		})
	}
}

func TestBalanceIsAnswered(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	check := trial.Sample(t, samples, "shucheng_water_check")
	trial.Golden(t, "check", a, trial.JSON("water/shucheng", check))
	trial.Golden(t, "check-unknown", a, trial.JSON("water/shucheng", trial.With(check, "body.userID", "7")))
	trial.Golden(t, "fee", a, trial.JSON("water/fee", trial.Sample(t, samples, "hefei_water_fee_query")))
	without, err := property.New(nil, nil)
	require.NoError(t, err)
	trial.Golden(t, "fee-without-billing", without, trial.JSON("water/fee", trial.Sample(t, samples, "hefei_water_fee_query")))
}

// The answer has every field of the recorded one.
func TestCheckIsAnsweredInTheRecordedFields(t *testing.T) {
	t.Parallel()
	m := trial.JSON("water/shucheng", trial.Sample(t, samples, "shucheng_water_check"))
	var answer map[string]map[string]any
	require.NoError(t, json.Unmarshal(adapter(t).Reply(m, platforms.Outcome{Message: "M1"}).Body, &answer))
	for field := range trial.Sample(t, samples, "shucheng_water_check_response", "body") {
		assert.Contains(t, answer["body"], field)
	}
}

func TestResultIsTold(t *testing.T) {
	t.Parallel()
	trial.GoldenReports(t, "reports", adapter(t), platforms.Report{
		External: "TESTSL0001/0000000001", Number: "TG20261124-00001", Utility: casework.Gas, By: "客户服务部", Note: casework.Say("测试数据", "test"),
	})
}

func FuzzRead(f *testing.F) {
	trial.Fuzz(f, adapter(f),
		trial.JSON("gas/transfer", gas(f)), trial.JSON("gas/common", envelope(f)), trial.JSON("water/transfer", water(f)),
		trial.JSON("water/transfer", water(f, "attachment", `[{"fileName":"合同.png","base64":"iVBORw0KGgo="}]`)),
		trial.JSON("water/shucheng", shucheng(f)), trial.JSON("water/shucheng", trial.Sample(f, samples, "shucheng_water_check")),
		trial.JSON("water/fee", trial.Sample(f, samples, "hefei_water_fee_query")))
}
