package casework

import (
	"fmt"
	"slices"
	"strings"
)

// District is a county-level division by its six-digit code (GB/T 2260), such
// as "340207", or a statistical zone by the code that the National Bureau of
// Statistics gives it.
type District string

// AllDistricts stands for the whole city where a list of districts says who
// works where. It is no place and not [District.Valid].
const AllDistricts District = "*"

// Division is one row of a city's table.
type Division struct {
	Code District `json:"code"`
	Name string   `json:"name"`
	Also []string `json:"also,omitempty"` // other names that people write, without province and city
	// Successor is set for a division that was abolished: the one that its
	// area belongs to today.
	Successor District `json:"successor,omitempty"`
	Reform    Text     `json:"reform,omitzero"` // for an abolished division: when and how
}

// Districts is the table of one city. [Wuhu] is built in; another city's is
// the same kind of data.
type Districts struct {
	Province  string     `json:"province"` // 安徽省
	City      string     `json:"city"`     // 芜湖市
	Divisions []Division `json:"divisions"`
}

// Wuhu is the table of Wuhu City (芜湖市, 340200): the divisions and
// statistical zones of today, and the abolished ones that old papers still
// name. Reforms: State Council, Guohan [2005] No. 77; Ministry of Civil
// Affairs, December 2019 (Wuwei); Anhui, Wanzhengmi [2020] No. 120.
func Wuhu() Districts {
	return Districts{Province: "安徽省", City: "芜湖市", Divisions: []Division{
		{Code: "340202", Name: "镜湖区", Also: []string{"镜湖"}},
		{Code: "340207", Name: "鸠江区", Also: []string{"鸠江"}},
		{Code: "340209", Name: "弋江区", Also: []string{"弋江"}},
		{Code: "340210", Name: "湾沚区", Also: []string{"湾沚"}},
		{Code: "340212", Name: "繁昌区", Also: []string{"繁昌"}},
		{Code: "340223", Name: "南陵县", Also: []string{"南陵"}},
		{Code: "340281", Name: "无为市", Also: []string{"无为"}},
		{Code: "340271", Name: "芜湖经济技术开发区", Also: []string{"经济技术开发区", "经济开发区", "经开区"}},
		{Code: "340272", Name: "三山经济开发区", Also: []string{"三山经开区", "三山开发区", "芜湖三山经济开发区"}},

		{Code: "340203", Name: "马塘区", Also: []string{"马塘"}, Successor: "340209",
			Reform: Say("已于2005年更名", "was renamed in 2005")},
		{Code: "340208", Name: "三山区", Also: []string{"三山"}, Successor: "340209",
			Reform: Say("已于2020年撤销", "was merged in 2020")},
		// Without its last character this name is the city's, so it has no short form.
		{Code: "340221", Name: "芜湖县", Successor: "340210",
			Reform: Say("已于2020年撤县设区", "became a district in 2020")},
		{Code: "340222", Name: "繁昌县", Successor: "340212",
			Reform: Say("已于2020年撤县设区", "became a district in 2020")},
		{Code: "340225", Name: "无为县", Successor: "340281",
			Reform: Say("已于2019年撤县设市", "became a city in 2019")},
	}}
}

// Name is the Chinese name of d, of abolished divisions too. A code that the
// table does not have is its own name.
func (t Districts) Name(d District) string {
	if row, ok := t.find(d); ok {
		return row.Name
	}
	return string(d)
}

// Check returns nil for a division of today. For an abolished one the Invalid
// [Fault] names the successor, for anything else it names what is allowed.
func (t Districts) Check(d District) error {
	row, ok := t.find(d)
	switch {
	case !ok:
		return t.unknown(string(d))
	case row.Successor != "":
		return t.abolished(row)
	}
	return nil
}

// Named finds a division by its name as people write it, with or without
// province and city (镜湖区, 镜湖, 芜湖市镜湖区, 安徽省芜湖市镜湖区). Its faults are those
// of [Districts.Check].
func (t Districts) Named(name string) (District, error) {
	rest := plain(name)
	// The name as a whole is tried before anything is taken off its front:
	// 芜湖县 begins with the city's short name.
	for _, prefix := range []string{"", t.Province, withoutRank(t.Province), t.City, withoutRank(t.City)} {
		rest = strings.TrimPrefix(rest, prefix)
		i := slices.IndexFunc(t.Divisions, func(row Division) bool {
			return row.Name == rest || slices.Contains(row.Also, rest)
		})
		if i >= 0 {
			if err := t.Check(t.Divisions[i].Code); err != nil {
				return "", err
			}
			return t.Divisions[i].Code, nil
		}
	}
	return "", t.unknown(strings.TrimSpace(name))
}

func (t Districts) find(d District) (Division, bool) {
	i := slices.IndexFunc(t.Divisions, func(row Division) bool { return row.Code == d })
	if i < 0 {
		return Division{}, false
	}
	return t.Divisions[i], true
}

func (t Districts) unknown(written string) error {
	var allowed []string
	for _, row := range t.Divisions {
		if row.Successor == "" {
			allowed = append(allowed, row.Name+" "+string(row.Code))
		}
	}
	text := Sayf("“%[1]s”不是%[2]s的区县；可填：%[3]s", "%[1]q is no district of %[2]s; allowed: %[3]s",
		written, t.City, strings.Join(allowed, "、"))
	if written == "" {
		text = Sayf("请填写所属区县：%s", "the district is missing; allowed: %s", strings.Join(allowed, "、"))
	}
	return &Fault{Kind: Invalid, Code: "unknown_district", Text: text, Rule: "GB/T 2260"}
}

func (t Districts) abolished(row Division) error {
	reform := row.Reform
	if reform == (Text{}) {
		reform = Say("已撤销", "was abolished")
	}
	successor := t.Name(row.Successor)
	return &Fault{Kind: Invalid, Code: "abolished_district", Rule: "GB/T 2260", Text: Say(
		fmt.Sprintf("%s（%s）%s，现为%s（%s）", row.Name, row.Code, reform.ZH, successor, row.Successor),
		fmt.Sprintf("%s (%s) %s; today it is %s (%s)", row.Name, row.Code, reform.EN, successor, row.Successor),
	)}
}

// withoutRank takes 省, 市, 区 or 县 off the end, as people do.
func withoutRank(name string) string {
	characters := []rune(name)
	if len(characters) < 2 {
		return name
	}
	return string(characters[:len(characters)-1])
}

// Name is the Chinese name of the district; see [Districts.Name]. What belongs
// to the whole city, as a duty does, says so.
func (d District) Name() string {
	if d == AllDistricts {
		return "全市"
	}
	return Wuhu().Name(d)
}

// Valid tells whether d is a division of today.
func (d District) Valid() bool { return d.Check() == nil }

// Check returns nil for a division of today; see [Districts.Check].
func (d District) Check() error { return Wuhu().Check(d) }

// DistrictNamed finds a division by its name as people write it; see
// [Districts.Named].
func DistrictNamed(name string) (District, error) { return Wuhu().Named(name) }
