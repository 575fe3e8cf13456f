package casework_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/casework"
)

// refusal is what a check's fault is compared by.
type refusal struct{ Code, Rule, ZH string }

// refused takes the fault out of an error; nil gives the zero refusal.
func refused(t require.TestingT, err error) refusal {
	if err == nil {
		return refusal{}
	}
	var fault *casework.Fault
	require.ErrorAs(t, err, &fault)
	require.Equal(t, casework.Invalid, fault.Kind)
	require.NotEmpty(t, fault.EN)
	return refusal{fault.Code, fault.Rule, fault.ZH}
}

func TestCheckCreditCode(t *testing.T) {
	bad := func(zh string) refusal { return refusal{"bad_credit_code", "GB 32100-2015", zh} }
	checkCharacter := bad("统一社会信用代码校验码不符，请对照证照核对各位")
	for code, want := range map[string]refusal{
		"91350100M000100Y43": {},
		"91110000600037341L": {},
		"91110108551385082Q": {},
		"123402004850000168": {},
		"52340200MJ00000181": {},
		"N2340209MF12345AXH": {},
		"Y1340202MB12345627": {},
		"91340200MA8N004320": {}, // check character 0, which published code refuses

		"91350100M000100Y4Z":  bad("统一社会信用代码第18位“Z”有误：只用数字和大写字母，不用 I、O、S、V、Z"),
		"91340200MA8N004321":  checkCharacter,
		"19350100M000100Y43":  checkCharacter,
		"91350100MO00100Y43":  bad("统一社会信用代码第10位“O”有误：只用数字和大写字母，不用 I、O、S、V、Z"),
		"91350100m000100y43":  bad("统一社会信用代码第9位“m”有误：只用数字和大写字母，不用 I、O、S、V、Z"),
		"91350100M000100Y4":   bad("统一社会信用代码应为18位，现为17位"),
		"91350100M000100Y433": bad("统一社会信用代码应为18位，现为19位"),
		"":                    bad("统一社会信用代码应为18位，现为0位"),
		"统一社会信用代码":            bad("统一社会信用代码应为18位，现为8位"),
	} {
		assert.Equal(t, want, refused(t, casework.CheckCreditCode(code)), code)
	}
}

func TestNormaliseCreditCode(t *testing.T) {
	for written, want := range map[string]string{
		"91350100m000100y43":     "91350100M000100Y43",
		" 9135 0100-M000 100Y43": "91350100M000100Y43",
		"９１３５０１００ｍ０００１００Ｙ４３":             "91350100M000100Y43",
		"91350100－M000—100Y43\t":         "91350100M000100Y43",
		"\u202d91350100M000100Y43\u202c": "91350100M000100Y43", // as copied out of a chat
		"无":                              "无",
		"":                               "",
	} {
		assert.Equal(t, want, casework.NormaliseCreditCode(written), "%q", written)
	}
}

// creditCode draws a valid code: seventeen characters and the one that fits,
// found by trying, so that the test does not repeat the computation.
func creditCode(t *rapid.T) string {
	body := rapid.StringMatching(`[0-9A-HJ-NPQRTUWXY]{17}`).Draw(t, "body")
	var fits []string
	for _, check := range "0123456789ABCDEFGHJKLMNPQRTUWXY" {
		if code := body + string(check); casework.CheckCreditCode(code) == nil {
			fits = append(fits, code)
		}
	}
	require.Len(t, fits, 1, "exactly one check character fits %s", body)
	return fits[0]
}

// The standard's check finds every slip of one character and every swap of
// two neighbours, as a modulus that is prime must.
func TestCreditCodeFindsSlips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := creditCode(t)
		i := rapid.IntRange(0, 17).Draw(t, "position")
		r := rapid.SampledFrom([]rune("0123456789ABCDEFGHJKLMNPQRTUWXY")).Draw(t, "character")
		slip := code[:i] + string(r) + code[i+1:]
		assert.Equal(t, slip == code, casework.CheckCreditCode(slip) == nil, slip)

		j := rapid.IntRange(0, 15).Draw(t, "swapped")
		swap := code[:j] + code[j+1:j+2] + code[j:j+1] + code[j+2:]
		assert.Equal(t, swap == code, casework.CheckCreditCode(swap) == nil, swap)
	})
}

func TestCreditCodeSpellings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := creditCode(t)
		var written strings.Builder
		for _, r := range code {
			written.WriteString(rapid.SampledFrom([]string{"", "", "", " ", "-", "　", "－"}).Draw(t, "between"))
			spelling := []string{string(r), strings.ToLower(string(r)), string(r - '!' + '！')}
			written.WriteString(rapid.SampledFrom(spelling).Draw(t, "spelling"))
		}
		assert.Equal(t, code, casework.NormaliseCreditCode(written.String()))
	})
}

func TestCheckPhone(t *testing.T) {
	bad := func(zh string) refusal { return refusal{Code: "bad_phone", ZH: zh} }
	for phone, want := range map[string]refusal{
		"13800138000": {},
		"19212345678": {},

		"12345678901":    bad("手机号应为11位数字，以13至19开头"),
		"1380013800a":    bad("手机号应为11位数字，以13至19开头"),
		"1860000226":     bad("手机号应为11位，现为10位"),
		"138001380000":   bad("手机号应为11位，现为12位"),
		"":               bad("请填写手机号（11位）"),
		"+8613800138000": bad("手机号应为11位，现为14位"), // not normalised
	} {
		assert.Equal(t, want, refused(t, casework.CheckPhone(phone)), phone)
	}
}

func TestNormalisePhone(t *testing.T) {
	for written, want := range map[string]string{
		"138-0013-8000":     "13800138000",
		" 138 0013 8000 ":   "13800138000",
		"+86 138-0013-8000": "13800138000",
		"+86-13800138000":   "13800138000",
		"008613800138000":   "13800138000",
		"8613800138000":     "13800138000",
		"＋８６１３８００１３８０００":    "13800138000",
		"１５８００００９４３５":       "15800009435",
		"+8612":             "+8612", // too short for a prefix and a number
		"+86+8613800138000": "+86+8613800138000",
	} {
		assert.Equal(t, want, casework.NormalisePhone(written), "%q", written)
	}
}

func TestCheckResidentID(t *testing.T) {
	bad := func(zh string) refusal { return refusal{"bad_resident_id", "GB 11643-1999", zh} }
	form := bad("居民身份证号码应为18位：17位数字，末位为数字或 X")
	date := bad("居民身份证号码中的出生日期不存在")
	sum := bad("居民身份证号码校验码不符，请对照证件核对")
	for number, want := range map[string]refusal{
		"11010519491231002X":   {},
		"11010519491231002x":   {},
		"110105 19491231 002X": {},
		"440524188001010014":   {},
		"34020219900101001X":   {},

		"110101202311012171": sum,
		"340221198502290018": date, // 1985 was no leap year
		"110105194912310020": sum,
		"X10105194912310021": form,
		"130503670401001":    form, // fifteen digits, no longer in use
		"":                   form,
	} {
		assert.Equal(t, want, refused(t, casework.CheckResidentID(number)), number)
	}
}

func TestCheckRealEstateUnit(t *testing.T) {
	bad := func(zh string) refusal { return refusal{"bad_real_estate_unit", "GB/T 37346-2019", zh} }
	form := bad("不动产单元号格式有误，例：441302 007014 GB00078 F00190006")
	for number, want := range map[string]refusal{
		"441302007014GB00078F00190006":    {},
		"441302 007014 GB00078 F00190006": {},
		"４４１３０２００７０１４ＧＢ０００７８Ｆ００１９０００６": {},

		"441302007014GI00078F00190006":  form, // there is no kind of right I
		"441302007014AB00078F00190006":  form,
		"441302007014GB00078X00190006":  form,
		"441302007014GB00078F0019000":   bad("不动产单元号应为28位，现为27位"),
		"441302007014GB00078F001900061": bad("不动产单元号应为28位，现为29位"),
		"":                              bad("不动产单元号应为28位，现为0位"),
	} {
		assert.Equal(t, want, refused(t, casework.CheckRealEstateUnit(number)), number)
	}
}

// A phone number, and in it a person, must not reach a log by way of a fault.
func TestFaultsDoNotRepeatPersonalNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.StringMatching(`[0-9]{5,25}`).Draw(t, "digits")
		for _, err := range []error{casework.CheckPhone(digits), casework.CheckResidentID(digits)} {
			if err != nil {
				assert.NotContains(t, err.Error(), digits)
			}
		}
	})
}

// Whatever arrives, normalising twice is normalising once, and no check
// panics, however broken the text.
func FuzzIdentifiers(f *testing.F) {
	for _, seed := range []string{
		"91350100M000100Y43", "９１３５０１００ｍ０００１００Ｙ４３", "+86 138-0013-8000", "+86+8613800138000", "8688613800138000",
		"11010519491231002x", "441302 007014 GB00078 F00190006", "\xff\xfe", "\u202d1\u202c", "ſıK",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		code, phone := casework.NormaliseCreditCode(s), casework.NormalisePhone(s)
		assert.Equal(t, code, casework.NormaliseCreditCode(code))
		assert.Equal(t, phone, casework.NormalisePhone(phone))
		if casework.CheckCreditCode(code) == nil {
			assert.Len(t, code, 18)
		}
		if casework.CheckPhone(phone) == nil {
			_, err := strconv.ParseUint(phone, 10, 64)
			require.NoError(t, err)
		}
		refused(t, casework.CheckResidentID(s))
		refused(t, casework.CheckRealEstateUnit(s))
	})
}

// A name of dashes and blanks alone is no name: it matches nobody, not even an
// account of which billing knows no name.
func TestANameWithoutAWordMatchesNobody(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"-", " － ", "\u200b"} {
		got := casework.AccountHolder{Name: name}.Compare(casework.AccountHolder{})
		require.Equal(t, casework.HolderUnknown, got, "%q", name)
	}
	require.Equal(t, casework.HolderMatches, casework.AccountHolder{Name: "测试赵 丁"}.Compare(casework.AccountHolder{Name: "测试赵丁"}))
}
