package casework

import (
	"regexp"
	"strings"
	"time"
	"unicode"
)

// NormaliseCreditCode brings a unified social credit code to the spelling of
// the standard: half-width, upper case, without blanks and dashes. What else
// is in it stays, for [CheckCreditCode] to name.
func NormaliseCreditCode(s string) string { return strings.Map(upper, plain(s)) }

// CheckCreditCode judges a normalised unified social credit code
// (统一社会信用代码, GB 32100-2015). It returns nil or an Invalid [Fault] that
// says whether length, a character or the check character is wrong.
//
// The fault does not say which check character would fit: the slip is as
// likely in the other seventeen, and a code made to fit would be somebody
// else's.
func CheckCreditCode(s string) error {
	const (
		alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY" // value = position; no I, O, S, V, Z
		length   = 18
	)
	characters := []rune(s)
	if len(characters) != length {
		return creditCodeFault(Sayf("统一社会信用代码应为18位，现为%d位",
			"a unified social credit code has 18 characters, this one has %d", len(characters)))
	}
	sum, weight := 0, 1
	for i, r := range characters {
		value := strings.IndexRune(alphabet, r)
		if value < 0 {
			return creditCodeFault(Sayf("统一社会信用代码第%d位“%c”有误：只用数字和大写字母，不用 I、O、S、V、Z",
				"character %d of the unified social credit code is %q; only digits and capital letters without I, O, S, V, Z occur",
				i+1, r))
		}
		// The check character has weight 1 in the sum, so that the sum of a
		// right code is a multiple of 31.
		if i == length-1 {
			weight = 1
		}
		sum += value * weight
		weight = weight * 3 % 31
	}
	if sum%31 != 0 {
		return creditCodeFault(Say("统一社会信用代码校验码不符，请对照证照核对各位",
			"the check character of the unified social credit code does not fit; compare the code with the licence"))
	}
	return nil
}

func creditCodeFault(text Text) *Fault {
	return &Fault{Kind: Invalid, Code: "bad_credit_code", Text: text, Rule: "GB 32100-2015"}
}

// NormalisePhone brings a mobile number to eleven half-width digits without
// blanks, dashes and the country code 86. What else is in it stays, for
// [CheckPhone] to refuse.
func NormalisePhone(s string) string {
	s = plain(s)
	// A prefix counts as the country code only before eleven digits, so that
	// normalising twice changes nothing.
	if m := withCountryCode.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return s
}

var (
	withCountryCode = regexp.MustCompile(`^(?:\+|00)?86(\d{11})$`)
	mobile          = regexp.MustCompile(`^1[3-9]\d{9}$`)
)

// CheckPhone judges a normalised mobile number of the mainland: 1, then 3 to
// 9, then nine digits. It returns nil or an Invalid [Fault], which does not
// repeat the number, for faults are logged.
func CheckPhone(s string) error {
	if mobile.MatchString(s) {
		return nil
	}
	text := Say("手机号应为11位数字，以13至19开头", "a mobile number is eleven digits and begins with 13 to 19")
	switch n := len([]rune(s)); {
	case n == 0:
		text = Say("请填写手机号（11位）", "the mobile number (eleven digits) is missing")
	case n != 11:
		text = Sayf("手机号应为11位，现为%d位", "a mobile number has eleven digits, this one has %d", n)
	}
	return &Fault{Kind: Invalid, Code: "bad_phone", Text: text}
}

// CheckResidentID judges the number of a resident's identity card
// (居民身份证, GB 11643-1999): seventeen digits, of which eight are a date
// that exists, and the check character. Blanks are ignored and x is read as
// X. The division in front need not exist today, for numbers are kept for
// life. It returns nil or an Invalid [Fault], which does not repeat the
// number, for faults are logged.
func CheckResidentID(s string) error {
	s = strings.Map(upper, plain(s))
	refuse := func(zh, en string) error {
		return &Fault{Kind: Invalid, Code: "bad_resident_id", Text: Say(zh, en), Rule: "GB 11643-1999"}
	}
	if !residentID.MatchString(s) {
		return refuse("居民身份证号码应为18位：17位数字，末位为数字或 X",
			"a resident identity number has seventeen digits and a last character that is a digit or X")
	}
	if _, err := time.Parse("20060102", s[6:14]); err != nil {
		return refuse("居民身份证号码中的出生日期不存在", "the date of birth in the resident identity number does not exist")
	}
	sum, weights := 0, [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	for i, weight := range weights {
		sum += int(s[i]-'0') * weight
	}
	if "10X98765432"[sum%11] != s[17] {
		return refuse("居民身份证号码校验码不符，请对照证件核对",
			"the check character of the resident identity number does not fit; compare it with the card")
	}
	return nil
}

var residentID = regexp.MustCompile(`^\d{17}[\dX]$`)

// CheckRealEstateUnit judges a real-estate unit number (不动产单元号, GB/T
// 37346-2019): 28 characters of parcel, kind of right, parcel sequence and
// the building or fixture on it. Blanks are ignored: certificates print the
// number in groups. It returns nil or an Invalid [Fault].
func CheckRealEstateUnit(s string) error {
	s = plain(s)
	if realEstateUnit.MatchString(s) {
		return nil
	}
	text := Say("不动产单元号格式有误，例：441302 007014 GB00078 F00190006",
		"a real-estate unit number looks like 441302 007014 GB00078 F00190006")
	if n := len([]rune(s)); n != 28 {
		text = Sayf("不动产单元号应为28位，现为%d位",
			"a real-estate unit number has 28 characters, this one has %d", n)
	}
	return &Fault{Kind: Invalid, Code: "bad_real_estate_unit", Text: text, Rule: "GB/T 37346-2019"}
}

var realEstateUnit = regexp.MustCompile(`^\d{12}[GJZ][A-HLNSWXY]\d{5}[FLQW]\d{8}$`)

// plain makes full-width characters half-width and drops blanks, dashes and
// invisible format characters: Chinese input methods write the first, forms
// and people the second, and copying a number out of a chat the third.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if '！' <= r && r <= '～' {
			r -= '！' - '!'
		}
		if unicode.IsSpace(r) || unicode.In(r, unicode.Pd, unicode.Cf) || r == '−' {
			return -1
		}
		return r
	}, s)
}

// upper touches ASCII only: what Unicode would make of other letters is not
// what was written.
func upper(r rune) rune {
	if 'a' <= r && r <= 'z' {
		return r - 'a' + 'A'
	}
	return r
}
