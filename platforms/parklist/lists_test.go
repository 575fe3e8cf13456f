package parklist_test

import (
	"bytes"
	"embed"
	"encoding/csv"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms/parklist"
)

//go:embed testdata/*.csv
var lists embed.FS

// special is what is particular about a row of a list; every other row is
// accepted exactly as it stands.
type special struct {
	reads map[string]string // the cells as a careful clerk would have written them
	notes []string          // in Chinese
	fault string            // header and Chinese reason; the row is kept if there is one
}

// outcome is what became of a row.
type outcome struct {
	Line     int
	Number   string
	Notes    []string
	Fault    string
	Requests []casework.Request
}

func TestListInGB18030(t *testing.T) {
	got := outcomes(t, "park-list-gb18030.csv")
	require.Equal(t, expected(t, "park-list-gb18030.csv", map[string]special{
		"5":  {fault: "所属区县: 芜湖县（340221）已于2020年撤县设区，现为湾沚区（340210）"},
		"7":  {fault: "用能类型: “热”不在受理范围；可填：水，气，或 水、气"},
		"21": {fault: "统一社会信用代码: 统一社会信用代码校验码不符，请对照证照核对各位"},
		"23": {reads: map[string]string{"计划通水(气)日期": "2026-12-08"},
			notes: []string{"计划通水(气)日期“2026年12月8日”读作“2026-12-08”"}},
		"25": {fault: "单位名称: 请填写单位名称或姓名"},
		"32": {reads: map[string]string{"统一社会信用代码": "91340207NNNLUCJJ5T", "联系电话": "17700008404"},
			notes: []string{"统一社会信用代码“91340207nnnlucjj5t”读作“91340207NNNLUCJJ5T”",
				"联系电话去掉空格、短横线或全角字符后读作“177****8404”"}},
		"38": {fault: "联系电话: 手机号应为11位，现为10位"},
		"44": {reads: map[string]string{"计划通水(气)日期": "2026-12-21"},
			notes: []string{"计划通水(气)日期“46377”按电子表格日期序号读作“2026-12-21”"}},
		"61": {reads: map[string]string{"预计日用量(立方米)": "120"},
			notes: []string{"预计日用量(立方米)“约120”读作“120”"}},
		"84": {notes: []string{"未填统一社会信用代码，用气容缺受理，签订合同前补齐"}},
		"117": {reads: map[string]string{"联系电话": "15800009435"},
			notes: []string{"联系电话去掉空格、短横线或全角字符后读作“158****9435”"}},
		"121": {fault: "整行: 与序号49（第50行）是同一申请：单位、用能地址、用能类型都相同"},
	}), got)
	require.Equal(t, counts{Rows: 121, Plain: 109, Noted: 6, Kept: 6, Water: 89, Gas: 53}, count(got))
}

func TestListInUTF8(t *testing.T) {
	got := outcomes(t, "park-list-utf8-bom.csv")
	require.Equal(t, expected(t, "park-list-utf8-bom.csv", map[string]special{
		"3":  {fault: "联系电话: 手机号应为11位，现为10位"},
		"24": {fault: "单位名称: 请填写单位名称或姓名"},
		"26": {fault: "用能类型: “热”不在受理范围；可填：水，气，或 水、气"},
		"30": {fault: "所属区县: 芜湖县（340221）已于2020年撤县设区，现为湾沚区（340210）"},
		"35": {fault: "统一社会信用代码: 请填写统一社会信用代码（18位）"},
		"37": {fault: "统一社会信用代码: 统一社会信用代码校验码不符，请对照证照核对各位"},
		"38": {reads: map[string]string{"计划通水(气)日期": "2026-12-08"},
			notes: []string{"计划通水(气)日期“2026年12月8日”读作“2026-12-08”"}},
		"42": {reads: map[string]string{"计划通水(气)日期": "2026-12-21"},
			notes: []string{"计划通水(气)日期“46377”按电子表格日期序号读作“2026-12-21”"}},
		"45": {reads: map[string]string{"统一社会信用代码": "9134022306YL9QAG8U", "联系电话": "18600005477"},
			notes: []string{"统一社会信用代码“9134022306yl9qag8u”读作“9134022306YL9QAG8U”",
				"联系电话去掉空格、短横线或全角字符后读作“186****5477”"}},
		"51": {reads: map[string]string{"联系电话": "19900006409"},
			notes: []string{"联系电话去掉空格、短横线或全角字符后读作“199****6409”"}},
		"53": {reads: map[string]string{"预计日用量(立方米)": "120"},
			notes: []string{"预计日用量(立方米)“约120”读作“120”"}},
		"61": {fault: "整行: 与序号19（第20行）是同一申请：单位、用能地址、用能类型都相同"},
	}), got)
	require.Equal(t, counts{Rows: 61, Plain: 49, Noted: 5, Kept: 7, Water: 36, Gas: 23}, count(got))
}

func outcomes(t *testing.T, file string) []outcome {
	t.Helper()
	raw, err := lists.ReadFile("testdata/" + file)
	require.NoError(t, err)
	var all []outcome
	for row, err := range parklist.Read(bytes.NewReader(raw), parklist.Options{List: file}) {
		require.NoError(t, err)
		o := outcome{Line: row.Line, Number: row.Number, Requests: row.Requests}
		for _, note := range row.Notes {
			require.NotEmpty(t, note.EN)
			o.Notes = append(o.Notes, note.ZH)
		}
		for _, f := range row.Faults {
			require.NotEmpty(t, f.EN)
			require.Empty(t, o.Fault, "each row of the lists has one fault at most")
			o.Fault = f.Field + ": " + f.ZH
		}
		all = append(all, o)
	}
	return all
}

// expected reads the list the plain way, which holds once every special cell
// is replaced by what a careful clerk would have written.
func expected(t *testing.T, file string, specials map[string]special) []outcome {
	t.Helper()
	raw, err := lists.ReadFile("testdata/" + file)
	require.NoError(t, err)
	if strings.Contains(file, "gb18030") {
		raw, err = simplifiedchinese.GB18030.NewDecoder().Bytes(raw)
		require.NoError(t, err)
	}
	records, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\uFEFF")))).ReadAll()
	require.NoError(t, err)
	var all []outcome
	for i, record := range records[1:] {
		cell := map[string]string{}
		for j, header := range records[0] {
			cell[header] = record[j]
		}
		s := specials[cell["序号"]]
		o := outcome{Line: i + 2, Number: cell["序号"], Notes: s.notes, Fault: s.fault}
		maps.Copy(cell, s.reads)
		if s.fault == "" {
			o.Requests = plainly(t, file, cell)
		}
		all = append(all, o)
	}
	return all
}

func plainly(t *testing.T, list string, cell map[string]string) []casework.Request {
	t.Helper()
	code := map[string]casework.District{
		"镜湖区": "340202", "鸠江区": "340207", "弋江区": "340209", "湾沚区": "340210",
		"繁昌区": "340212", "南陵县": "340223", "无为市": "340281",
	}
	volume, err := strconv.ParseFloat(cell["预计日用量(立方米)"], 64)
	require.NoError(t, err)
	diameter, err := strconv.Atoi(cell["口径(mm)"])
	require.NoError(t, err)
	wanted, err := calendar.ParseDate(cell["计划通水(气)日期"])
	require.NoError(t, err)
	var requests []casework.Request
	for _, u := range map[string][]casework.Utility{
		"水": {casework.Water}, "气": {casework.Gas}, "水、气": {casework.Water, casework.Gas},
	}[cell["用能类型"]] {
		requests = append(requests, casework.Request{
			Utility: u, Channel: casework.IndustrialPark,
			ExternalNumber: list + "/" + cell["序号"] + "/" + string(u),
			Applicant:      casework.Applicant{Name: cell["单位名称"], CreditCode: cell["统一社会信用代码"]},
			Contact:        casework.Contact{Name: cell["联系人"], Phone: cell["联系电话"]},
			Site:           casework.Site{District: code[cell["所属区县"]], Address: cell["用能地址"]},
			Demand: casework.Demand{
				Use: cell["用途"], DailyVolume: volume, Diameter: diameter, WantedOn: wanted,
				DigsRoad: cell["是否需开挖道路"] == "是", UsesGreen: cell["是否占用绿地"] == "是",
			},
			Remark: cell["备注"],
		})
	}
	return requests
}

// counts is what a clerk is told after a list was taken in.
type counts struct{ Rows, Plain, Noted, Kept, Water, Gas int }

func count(all []outcome) counts {
	c := counts{Rows: len(all)}
	for _, o := range all {
		switch {
		case o.Fault != "":
			c.Kept++
		case o.Notes != nil:
			c.Noted++
		default:
			c.Plain++
		}
		for _, q := range o.Requests {
			if q.Utility == casework.Water {
				c.Water++
			} else {
				c.Gas++
			}
		}
	}
	return c
}
