package parklist_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms/parklist"
)

const (
	header = "序号,单位名称,统一社会信用代码,联系人,联系电话,所属区县,用能地址,用能类型,用途,预计日用量(立方米),口径(mm),计划通水(气)日期,是否需开挖道路,是否占用绿地,备注"
	good   = "1,芜湖泰盛汽车零部件有限公司,91340281WKEFY5QE4Y,沈兰英,13800009560,无为市,芜湖市无为市凤河路30号,水,消防用水,120,50,2026-12-19,是,否,"
)

func read(t require.TestingT, file string) []parklist.Row {
	var rows []parklist.Row
	for row, err := range parklist.Read(strings.NewReader(file), parklist.Options{List: "test"}) {
		require.NoError(t, err)
		rows = append(rows, row)
	}
	return rows
}

// with is the good row, some cells of which are replaced, header by header.
func with(replace ...string) string {
	headers, cells := strings.Split(header, ","), strings.Split(good, ",")
	for i := 0; i < len(replace); i += 2 {
		for j, h := range headers {
			if h == replace[i] {
				cells[j] = replace[i+1]
			}
		}
	}
	return csvLine(cells)
}

func csvLine(cells []string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(cells)
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

func gb18030(t require.TestingT, s string) string {
	encoded, err := simplifiedchinese.GB18030.NewEncoder().String(s)
	require.NoError(t, err)
	return encoded
}

func said(row parklist.Row) (notes, faults []string) {
	for _, n := range row.Notes {
		notes = append(notes, n.ZH)
	}
	for _, f := range row.Faults {
		faults = append(faults, f.Field+": "+f.ZH)
	}
	return notes, faults
}

func TestWholeRow(t *testing.T) {
	rows := read(t, header+"\r\n"+with("备注", "请“先”联系", "用能类型", "水、气")+"\r\n")
	require.Len(t, rows, 1)
	row := rows[0]
	assert.Equal(t, 2, row.Line)
	assert.Equal(t, "1", row.Number)
	assert.Equal(t, with("备注", "请“先”联系", "用能类型", "水、气"), row.Raw)
	assert.Len(t, row.Cells, 15)
	assert.Equal(t, parklist.Cell{Header: "备注", Text: "请“先”联系"}, row.Cells[14])
	assert.False(t, row.Kept())
	require.Len(t, row.Requests, 2)
	assert.Equal(t, "test/1/water", row.Requests[0].ExternalNumber)
	assert.Equal(t, "test/1/gas", row.Requests[1].ExternalNumber)
	for _, r := range row.Requests {
		require.NoError(t, r.Validate())
	}
}

func TestReadableCells(t *testing.T) {
	for _, c := range []struct{ header, written, note string }{
		{"计划通水(气)日期", "2026/12/8", "计划通水(气)日期“2026/12/8”读作“2026-12-08”"},
		{"计划通水(气)日期", "2026.12.08", "计划通水(气)日期“2026.12.08”读作“2026-12-08”"},
		{"计划通水(气)日期", "２０２６年１２月８日", "计划通水(气)日期“２０２６年１２月８日”读作“2026-12-08”"},
		{"计划通水(气)日期", "2026/12/8 0:00:00", "计划通水(气)日期“2026/12/8 0:00:00”读作“2026-12-08”"},
		{"计划通水(气)日期", "46377", "计划通水(气)日期“46377”按电子表格日期序号读作“2026-12-21”"},
		{"计划通水(气)日期", "", ""},
		{"预计日用量(立方米)", "120立方", "预计日用量(立方米)“120立方”读作“120”"},
		{"预计日用量(立方米)", "每天约120 m³左右", "预计日用量(立方米)“每天约120 m³左右”读作“120”"},
		{"预计日用量(立方米)", "1,200.5", "预计日用量(立方米)“1,200.5”读作“1200.5”"},
		{"预计日用量(立方米)", "0.5", ""},
		{"预计日用量(立方米)", "", ""},
		{"口径(mm)", "DN50", "口径(mm)“DN50”读作“50”"},
		{"口径(mm)", "50 毫米", "口径(mm)“50 毫米”读作“50”"},
		{"口径(mm)", "", ""},
		{"用能类型", "水,气", "用能类型“水,气”读作“水、气”"},
		{"用能类型", "水气", "用能类型“水气”读作“水、气”"},
		{"用能类型", "气 水", "用能类型“气 水”读作“水、气”"},
		{"联系电话", "+86 138-0000-9560", "联系电话去掉空格、短横线或全角字符后读作“138****9560”"},
		{"所属区县", "芜湖市经开区", ""},
		{"是否占用绿地", "", ""},
		{"序号", "１", ""},
	} {
		rows := read(t, header+"\n"+with(c.header, c.written))
		require.Len(t, rows, 1)
		notes, faults := said(rows[0])
		assert.Empty(t, faults, c.written)
		assert.Equal(t, c.note, strings.Join(notes, "|"), c.written)
		assert.NotEmpty(t, rows[0].Requests)
		assert.Equal(t, "test/1", rows[0].Requests[0].ExternalNumber[:6])
	}
}

func TestKeptCells(t *testing.T) {
	for _, c := range []struct{ header, written, fault string }{
		{"计划通水(气)日期", "2026-02-30", "“2026-02-30”不是日期；请填如 2026-12-08"},
		{"计划通水(气)日期", "12月8日", "“12月8日”不是日期；请填如 2026-12-08"},
		{"计划通水(气)日期", "99999", "“99999”不是日期；请填如 2026-12-08"},
		{"计划通水(气)日期", "尽快", "“尽快”不是日期；请填如 2026-12-08"},
		{"预计日用量(立方米)", "100-120", "“100-120”不是数量；请填每日立方米数，如 120"},
		{"预计日用量(立方米)", "-5", "“-5”不是数量；请填每日立方米数，如 120"},
		{"预计日用量(立方米)", "2000000", "日用量应在 0 至 1000000 立方米之间"},
		{"预计日用量(立方米)", strings.Repeat("9", 400), "“" + strings.Repeat("9", 400) + "”太大"},
		{"口径(mm)", "四分", "“四分”不是口径；请填毫米数，如 100"},
		{"用能类型", "水、电", "“水、电”不在受理范围；可填：水，气，或 水、气"},
		{"用能类型", "", "请填写用能类型：水，气，或 水、气"},
		{"是否占用绿地", "有", "“有”应为 是 或 否"},
		{"序号", " ", "请填写序号"},
		{"联系人", "", "请填写联系人"},
		{"用能地址", "", "请填写用能地址"},
	} {
		rows := read(t, header+"\n"+with(c.header, c.written)+"\n"+with("序号", "2", "用能地址", "别处"))
		require.Len(t, rows, 2)
		_, faults := said(rows[0])
		assert.Equal(t, []string{c.header + ": " + c.fault}, faults)
		assert.Empty(t, rows[0].Requests)
		assert.False(t, rows[1].Kept(), "the row after it is read")
	}
}

// All faults of a row are told at once, in the order of the columns; a note
// on a cell that has a fault is not.
func TestSeveralFaults(t *testing.T) {
	rows := read(t, header+"\n"+with("统一社会信用代码", "９１", "联系电话", "138", "所属区县", "三山区", "用能类型", "水、气",
		"计划通水(气)日期", "2026/12/8", "是否需开挖道路", "?"))
	notes, faults := said(rows[0])
	assert.Equal(t, []string{"计划通水(气)日期“2026/12/8”读作“2026-12-08”"}, notes)
	assert.Equal(t, []string{
		"统一社会信用代码: 统一社会信用代码应为18位，现为2位",
		"联系电话: 手机号应为11位，现为3位",
		"所属区县: 三山区（340208）已于2020年撤销，现为弋江区（340209）",
		"是否需开挖道路: “?”应为 是 或 否",
	}, faults)
}

// A missing code is deferred for gas; but a row is accepted or kept as a
// whole, so that asking for water as well keeps it.
func TestMissingCreditCode(t *testing.T) {
	rows := read(t, header+"\n"+with("统一社会信用代码", "", "用能类型", "气")+"\n"+with("序号", "2", "统一社会信用代码", "", "用能类型", "水、气"))
	notes, faults := said(rows[0])
	assert.Equal(t, []string{"未填统一社会信用代码，用气容缺受理，签订合同前补齐"}, notes)
	assert.Empty(t, faults)
	notes, faults = said(rows[1])
	assert.Empty(t, notes)
	assert.Equal(t, []string{
		"整行: 与序号1（第2行）是同一申请：单位、用能地址、用能类型都相同",
		"统一社会信用代码: 请填写统一社会信用代码（18位）",
	}, faults)
}

func TestRepeatedRows(t *testing.T) {
	rows := read(t, strings.Join([]string{header,
		with(),
		with("序号", "2", "用能类型", "气"),                         // the other utility
		with("序号", "3", "用能地址", "芜湖市无为市凤河路 ３０号"),             // the first one's address, spelt otherwise
		with("序号", "4", "统一社会信用代码", "91340209PA7R8JM87F"),    // the first one's name
		with("序号", "5", "单位名称", "泰盛公司"),                      // the first one's code
		with("序号", "1", "用能地址", "芜湖市无为市凤河路31号"),              // the first one's number
		with("序号", "7", "用能地址", "芜湖市无为市凤河路33号", "联系人", ""),   // kept
		with("序号", "8", "用能地址", "芜湖市无为市凤河路33号"),              // the one before, mended
		with("序号", "9", "用能地址", "芜湖市无为市凤河路33号", "用能类型", "气"), // the other utility
	}, "\n"))
	var got []string
	for _, row := range rows {
		_, faults := said(row)
		got = append(got, strings.Join(faults, "|"))
	}
	same := "整行: 与序号%s（第%d行）是同一申请：单位、用能地址、用能类型都相同"
	assert.Equal(t, []string{
		"", "", fmt.Sprintf(same, "1", 2), fmt.Sprintf(same, "1", 2), fmt.Sprintf(same, "1", 2),
		"序号: 序号1与第2行重复", "联系人: 请填写联系人", fmt.Sprintf(same, "7", 8), "",
	}, got)
}

func TestHeaders(t *testing.T) {
	t.Run("the order is free, blanks and width do not matter, optional ones may be missing", func(t *testing.T) {
		rows := read(t, "用能类型,序号,单位名称, 统一社会信用代码 ,联系人,联系电话,用能地址,所属区县,口径（ＭＭ）,\"计划通水\n（气）日期\"\n"+
			"水,1,芜湖泰盛汽车零部件有限公司,91340281WKEFY5QE4Y,沈兰英,13800009560,芜湖市无为市凤河路30号,无为市,50,2026-12-19\n")
		require.Len(t, rows, 1)
		require.Empty(t, rows[0].Faults)
		assert.Equal(t, 3, rows[0].Line)
		assert.Equal(t, 50, rows[0].Requests[0].Demand.Diameter)
		assert.Equal(t, "2026-12-19", rows[0].Requests[0].Demand.WantedOn.String())
		assert.Equal(t, "口径(mm)", rows[0].Cells[8].Header)
	})
	allowed := "清单表头有误；必需：序号、单位名称、统一社会信用代码、联系人、联系电话、所属区县、用能地址、用能类型；" +
		"可选：用途、预计日用量(立方米)、口径(mm)、计划通水(气)日期、是否需开挖道路、是否占用绿地、项目代码、备注"
	for file, want := range map[string][]string{
		strings.Replace(header, "备注", "传真", 1):         {"传真: 不认识的表头“传真”"},
		strings.Replace(header, "备注", "用途", 1):         {"用途: 表头“用途”重复"},
		strings.Replace(header, "联系人,联系电话,", "手机,", 1): {"手机: 不认识的表头“手机”", "联系人: 缺少表头“联系人”", "联系电话: 缺少表头“联系电话”"},
		header + ",": {": 不认识的表头“”"},
		strings.Replace(header, "备注", "\"备注", 1) + "\na\n": {"整行: 引号不成对或位置不对"},
	} {
		fault := refused(t, strings.NewReader(file+"\n"+good))
		assert.Equal(t, "bad_header", fault.Code)
		assert.Equal(t, allowed, fault.ZH)
		var fields []string
		for _, f := range fault.Fields {
			fields = append(fields, f.Field+": "+f.ZH)
		}
		assert.Equal(t, want, fields, file)
	}
}

// refused reads a file that is no list: one fault, before any row.
func refused(t *testing.T, file io.Reader) *casework.Fault {
	t.Helper()
	var fault *casework.Fault
	results := 0
	for row, err := range parklist.Read(file, parklist.Options{List: "test"}) {
		results++
		assert.Equal(t, parklist.Row{}, row)
		require.ErrorAs(t, err, &fault)
		assert.Equal(t, casework.Invalid, fault.Kind)
	}
	require.Equal(t, 1, results)
	return fault
}

func TestFilesThatAreNoLists(t *testing.T) {
	for name, c := range map[string]struct{ file, code string }{
		"empty":            {"", "empty_list"},
		"blank":            {"\r\n , ,\n", "empty_list"},
		"only a mark":      {"\uFEFF", "empty_list"},
		"only a header":    {header + "\r\n", "empty_list"},
		"UTF-16":           {"\xff\xfe\x8f\x5e\xf7\x53,\x00", "unknown_encoding"},
		"workbook":         {"PK\x03\x04\x14\x00\x06\x00\x08\x00\n", "unknown_encoding"},
		"Big5 of 序號":       {"\xa7\xc7\xb8\xb9,a\n", "unknown_encoding"},
		"something else":   {"id;name\n1;x\n", "bad_header"},
		"damaged header":   {"序号,单位\xff名称\n", "unknown_encoding"},
		"no line ends":     {strings.Repeat("x", 1<<20), "bad_header"},
		"header in quotes": {`"序号` + "\n", "bad_header"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.code, refused(t, strings.NewReader(c.file)).Code)
		})
	}
	for row, err := range parklist.Read(strings.NewReader(header), parklist.Options{List: " "}) {
		assert.Empty(t, row)
		assert.Equal(t, "list_unnamed", casework.AsFault(err).Code)
	}
}

// What the source of the file answers is not a fault of the list.
func TestSourceFails(t *testing.T) {
	broken := errors.New("connection reset")
	source := io.MultiReader(strings.NewReader(header+"\n"+good+"\n2,"), iotest.ErrReader(broken))
	var rows []parklist.Row
	var last error
	for row, err := range parklist.Read(source, parklist.Options{List: "test"}) {
		if last = err; err == nil {
			rows = append(rows, row)
		}
	}
	assert.Len(t, rows, 1)
	require.ErrorIs(t, last, broken)
}

// A broken line is kept as it stood, and the line after it is read.
func TestBrokenLines(t *testing.T) {
	quotes := "整行: 引号不成对或位置不对"
	for broken, want := range map[string]string{
		"2,少了":                            "整行: 应有 15 格，实有 2 格",
		good + ",":                        "整行: 应有 15 格，实有 16 格",
		`2,"芜湖,没有结尾,,,,,,,,,,,,`:          quotes,
		good + `"`:                        quotes,
		`2,"芜湖"公司,,,,,,,,,,,,,`:           quotes,
		`2,芜湖"瑞安"公司,,,,,,,,,,,,,`:         quotes,
		good[:len(good)-9] + "\xff":       "整行: 本行有无法识别的字节（显示为 �）",
		good + "\uFFFD":                   "整行: 本行有无法识别的字节（显示为 �）",
		good + strings.Repeat("x", 1<<17): "整行: 本行超过 65536 字节，只留下开头",
	} {
		rows := read(t, header+"\n"+broken+"\n\n"+good)
		require.Len(t, rows, 2, broken)
		_, faults := said(rows[0])
		assert.Equal(t, []string{want}, faults)
		assert.Equal(t, 2, rows[0].Line)
		assert.True(t, strings.HasPrefix(strings.ToValidUTF8(broken, "\uFFFD"), rows[0].Raw))
		assert.Equal(t, 4, rows[1].Line)
		assert.False(t, rows[1].Kept())
	}
}

// A damaged byte far down neither turns the file into another encoding nor
// loses its row.
func TestDamagedLine(t *testing.T) {
	for name, encode := range map[string]func(string) string{
		"UTF-8":   func(s string) string { return s },
		"GB18030": func(s string) string { return gb18030(t, s) },
	} {
		t.Run(name, func(t *testing.T) {
			zero := read(t, encode(header+"\r\n"+with("备注", "a\x00b")))
			require.Len(t, zero, 1)
			assert.True(t, zero[0].Kept())
			damaged := strings.Replace(encode(with("序号", "2")), "1380", "\xff380", 1)
			rows := read(t, encode(header+"\r\n"+good+"\r\n")+damaged+encode("\r\n"+with("序号", "3", "用能地址", "别处")))
			require.Len(t, rows, 3)
			assert.False(t, rows[0].Kept())
			assert.True(t, rows[1].Kept())
			assert.Equal(t, []byte(damaged), rows[1].Bytes)
			assert.False(t, rows[2].Kept())
		})
	}
}

func TestQuotedCellsMayHoldLineEnds(t *testing.T) {
	rows := read(t, header+"\r\n"+with("备注", "先联系\n再\"进场\"\n，谢谢")+"\r\n"+with("序号", "2", "用能地址", "别处"))
	require.Len(t, rows, 2)
	assert.False(t, rows[0].Kept())
	assert.Equal(t, "先联系\n再\"进场\"\n，谢谢", rows[0].Requests[0].Remark)
	assert.Equal(t, 5, rows[1].Line)
}

// Two stray quotes, each at the end of a row, look like one long cell; the
// rows between them must not disappear in it.
func TestStrayQuotesSwallowNothing(t *testing.T) {
	rows := read(t, strings.Join([]string{header, good + `"`, with("序号", "2", "用能地址", "甲"), good + `"`, with("序号", "4", "用能地址", "乙")}, "\n"))
	require.Len(t, rows, 4)
	rows = read(t, strings.Join([]string{header, strings.TrimSuffix(good, ",") + `,"`, with("序号", "2", "用能地址", "甲"), `"`, good}, "\n"))
	require.Len(t, rows, 4)
	assert.True(t, rows[0].Kept())
	assert.False(t, rows[1].Kept())
	assert.True(t, rows[2].Kept())
	assert.False(t, rows[3].Kept())
}

// counting tells how much was read of a file.
type counting struct {
	io.Reader
	read int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += n
	return n, err
}

// Each of ten thousand rows is given before more than a buffer beyond it was
// read: the list is never in memory as a whole.
func TestLongListStreams(t *testing.T) {
	const n, buffer = 10_000, 64 << 10
	for name, encode := range map[string]func(string) string{
		"UTF-8":   func(s string) string { return s },
		"GB18030": func(s string) string { return gb18030(t, s) },
	} {
		t.Run(name, func(t *testing.T) {
			var file bytes.Buffer
			file.WriteString(encode(header + "\r\n"))
			ends := make([]int, n)
			for i := range n {
				file.WriteString(encode(with("序号", fmt.Sprint(i+1), "用能地址", fmt.Sprintf("芜湖市鸠江区万春中路%d号", i+1)) + "\r\n"))
				ends[i] = file.Len()
			}
			source, rows := &counting{Reader: &file}, 0
			for row, err := range parklist.Read(source, parklist.Options{List: "long"}) {
				require.NoError(t, err)
				require.Empty(t, row.Faults)
				require.LessOrEqual(t, source.read, ends[rows]+buffer)
				rows++
				require.Equal(t, fmt.Sprintf("long/%d/water", rows), row.Requests[0].ExternalNumber)
			}
			assert.Equal(t, n, rows)
		})
	}
}

// The encoding changes nothing, and every cell arrives as it was written.
func TestEncodingsReadAlike(t *testing.T) {
	alphabet := []rune("水气、芜湖镜湖区县龘𠮷，“”\"\n ,０１９１３8-（)aZ年月日約€é")
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.Permutation(strings.Split(header, ",")).Draw(t, "columns")
		file := csvLine(columns) + "\n"
		var written [][]parklist.Cell
		for i := range rapid.IntRange(1, 5).Draw(t, "rows") {
			var cells []string
			var want []parklist.Cell
			for _, h := range columns {
				cell := rapid.StringOfN(rapid.SampledFrom(alphabet), 0, 8, -1).Draw(t, h)
				if rapid.Bool().Draw(t, "ordinary") {
					cell = strings.Split(good, ",")[slices.Index(strings.Split(header, ","), h)]
				}
				if h == "序号" {
					cell = fmt.Sprint(i)
				} else if h != "备注" {
					cell = strings.ReplaceAll(cell, "\n", "") // only remarks have line ends
				}
				cells = append(cells, cell)
				want = append(want, parklist.Cell{Header: h, Text: cell})
			}
			file += csvLine(cells) + "\n"
			written = append(written, want)
		}
		plain := read(t, file)
		var cells [][]parklist.Cell
		for _, row := range plain {
			cells = append(cells, row.Cells)
			assert.Equal(t, row.Kept(), len(row.Requests) == 0)
		}
		assert.Equal(t, written, cells)
		assert.Equal(t, plain, read(t, "\uFEFF"+file))
		assert.Equal(t, plain, read(t, gb18030(t, file)))
	})
}

// Whatever arrives: no panic, every line that is not blank is in exactly one
// row, and a row either is valid or says why it is not.
func FuzzRead(f *testing.F) {
	f.Add([]byte(header + "\r\n" + good + "\r\n"))
	f.Add([]byte(gb18030(f, header+"\n"+good+"\n"+good)))
	f.Add([]byte("\uFEFF" + header + "\n" + with("备注", "a\nb") + "\n\"\n\n2,\"\n" + good))
	f.Add([]byte(header + "\n" + with("用能类型", "水气", "计划通水(气)日期", "46377", "预计日用量(立方米)", "约1,200") + "\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		// A sound header in front lets most of the data reach the rows.
		for _, file := range [][]byte{data, append([]byte(header+"\n"), data...)} {
			next := 1
			lines := bytes.Split(file, []byte("\n"))
			for row, err := range parklist.Read(bytes.NewReader(file), parklist.Options{List: "fuzz"}) {
				if err != nil {
					require.ErrorAs(t, err, new(*casework.Fault))
					require.Equal(t, parklist.Row{}, row)
					break
				}
				require.GreaterOrEqual(t, row.Line, next)
				if next > 1 {
					for _, passed := range lines[next-1 : row.Line-1] {
						require.Empty(t, bytes.Trim(passed, ", \t\r"))
					}
				}
				next = row.Line + 1 + strings.Count(row.Raw, "\n")
				require.NotEmpty(t, row.Raw)
				require.Equal(t, row.Kept(), len(row.Requests) == 0)
				for _, r := range row.Requests {
					require.NoError(t, r.Validate())
				}
			}
		}
	})
}
