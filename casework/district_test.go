package casework_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
)

const districtsOfToday = "镜湖区 340202、鸠江区 340207、弋江区 340209、湾沚区 340210、繁昌区 340212、" +
	"南陵县 340223、无为市 340281、芜湖经济技术开发区 340271、三山经济开发区 340272"

func TestDistrictsOfToday(t *testing.T) {
	for code, name := range map[casework.District]string{
		"340202": "镜湖区", "340207": "鸠江区", "340209": "弋江区", "340210": "湾沚区", "340212": "繁昌区",
		"340223": "南陵县", "340281": "无为市", "340271": "芜湖经济技术开发区", "340272": "三山经济开发区",
	} {
		assert.True(t, code.Valid(), code)
		assert.Equal(t, name, code.Name())
	}
}

func TestAbolishedDistrictsNameTheirSuccessor(t *testing.T) {
	for _, old := range []struct {
		code     casework.District
		name, zh string
	}{
		{"340203", "马塘区", "马塘区（340203）已于2005年更名，现为弋江区（340209）"},
		{"340208", "三山区", "三山区（340208）已于2020年撤销，现为弋江区（340209）"},
		{"340221", "芜湖县", "芜湖县（340221）已于2020年撤县设区，现为湾沚区（340210）"},
		{"340222", "繁昌县", "繁昌县（340222）已于2020年撤县设区，现为繁昌区（340212）"},
		{"340225", "无为县", "无为县（340225）已于2019年撤县设市，现为无为市（340281）"},
	} {
		want := refusal{"abolished_district", "GB/T 2260", old.zh}
		assert.False(t, old.code.Valid(), old.code)
		assert.Equal(t, old.name, old.code.Name())
		assert.Equal(t, want, refused(t, old.code.Check()))

		_, err := casework.DistrictNamed(old.name)
		assert.Equal(t, want, refused(t, err), old.name)
	}
	assert.Equal(t, "芜湖县 (340221) became a district in 2020; today it is 湾沚区 (340210)",
		casework.AsFault(casework.District("340221").Check()).EN)
}

func TestDistrictNamed(t *testing.T) {
	for written, want := range map[string]casework.District{
		"镜湖区":         "340202",
		"镜湖":          "340202",
		" 镜湖 区　":      "340202",
		"芜湖市镜湖区":      "340202",
		"芜湖镜湖":        "340202",
		"安徽省芜湖市镜湖区":   "340202",
		"安徽芜湖镜湖区":     "340202",
		"无为市":         "340281",
		"安徽省无为市":      "340281",
		"无为":          "340281",
		"繁昌":          "340212", // the district of today, not the county
		"芜湖经济技术开发区":   "340271",
		"芜湖市经济技术开发区":  "340271",
		"芜湖经开区":       "340271",
		"芜湖市经开区":      "340271",
		"经开区":         "340271",
		"三山经开区":       "340272",
		"安徽芜湖三山经济开发区": "340272",
	} {
		got, err := casework.DistrictNamed(written)
		require.NoError(t, err, written)
		assert.Equal(t, want, got, written)
	}
}

func TestUnknownDistricts(t *testing.T) {
	for _, written := range []string{"芜湖", "芜湖市", "安徽省", "包河区", "区", "*"} {
		_, err := casework.DistrictNamed(written)
		assert.Equal(t, refusal{"unknown_district", "GB/T 2260",
			"“" + written + "”不是芜湖市的区县；可填：" + districtsOfToday}, refused(t, err))
	}
	_, err := casework.DistrictNamed("　")
	assert.Equal(t, refusal{"unknown_district", "GB/T 2260", "请填写所属区县：" + districtsOfToday}, refused(t, err))

	for _, code := range []casework.District{"", "340200", "340299", casework.AllDistricts} {
		assert.False(t, code.Valid(), code)
		assert.Equal(t, "unknown_district", refused(t, code.Check()).Code)
		if code != casework.AllDistricts {
			assert.Equal(t, string(code), code.Name())
		}
	}
	assert.Equal(t, "全市", casework.AllDistricts.Name(), "the whole city has a name, though it is no place")
}

// Every name in the table finds its own row: a short name that two rows
// share would send requests to the wrong people.
func TestNamesAreUnambiguous(t *testing.T) {
	owner := map[string]casework.District{}
	for _, row := range casework.Wuhu().Divisions {
		for _, name := range append([]string{row.Name}, row.Also...) {
			assert.Empty(t, owner[name], name)
			owner[name] = row.Code
		}
		if row.Successor != "" {
			assert.True(t, row.Successor.Valid(), "the successor of %s is a division of today", row.Name)
		}
	}
}

// Another city's table is data: it comes in as JSON and works the same.
func TestAnotherCity(t *testing.T) {
	var hefei casework.Districts
	require.NoError(t, json.Unmarshal([]byte(`{"province":"安徽省","city":"合肥市","divisions":[
		{"code":"340111","name":"包河区","also":["包河"]},
		{"code":"340181","name":"巢湖市","also":["巢湖"]},
		{"code":"341402","name":"居巢区","successor":"340181"}]}`), &hefei))

	got, err := hefei.Named("合肥市包河区")
	require.NoError(t, err)
	assert.Equal(t, casework.District("340111"), got)
	assert.Equal(t, refusal{"abolished_district", "GB/T 2260", "居巢区（341402）已撤销，现为巢湖市（340181）"},
		refused(t, hefei.Check("341402")))
	assert.Equal(t, refusal{"unknown_district", "GB/T 2260", "“340202”不是合肥市的区县；可填：包河区 340111、巢湖市 340181"},
		refused(t, hefei.Check("340202")))
}
