package park_test

import (
	"bytes"
	"encoding/csv"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/park"
	"github.com/curbstop/curbstop/platforms/parklist"
	"github.com/curbstop/curbstop/platforms/trial"
)

func adapter(t testing.TB) platforms.Adapter {
	t.Helper()
	a, err := park.New(nil)
	require.NoError(t, err)
	return a
}

// row is invented, with the columns of a list.
func row(replace ...any) map[string]any {
	return trial.With(map[string]any{
		"序号": 1, "单位名称": "芜湖泰盛汽车零部件有限公司", "统一社会信用代码": "91340281WKEFY5QE4Y", "联系人": "沈兰英", "联系电话": "13800009560",
		"所属区县": "无为市", "用能地址": "芜湖市无为市凤河路30号", "用能类型": "水、气", "用途": "消防用水", "预计日用量(立方米)": "约120方",
		"口径(mm)": 50, "计划通水(气)日期": "46377", "是否需开挖道路": "是", "是否占用绿地": "否", "备注": "", "厂房编号": "A-3",
	}, replace...)
}

func rows(all ...any) map[string]any {
	return map[string]any{"batchNo": "城东园区202611", "parkName": "城东产业园", "rows": all}
}

func TestPushOfRows(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	trial.Golden(t, "rows", a, trial.JSON("list", rows(row(), row("序号", "2", "用能类型", "气", "统一社会信用代码", "", "用能地址", "凤河路31号"))))
	trial.Golden(t, "faulty", a, trial.JSON("list", rows(row(), row("序号", 2, "联系电话", "1380000956", "所属区县", "芜湖县"))))
}

func TestVariations(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		message map[string]any
		refused []string
	}{
		"one row, flat":           {trial.With(row(), "batchNo", "B1"), nil},
		"no name of the list":     {trial.With(rows(row()), "batchNo", ""), []string{"batchNo", "rows[0].序号"}},
		"no number":               {rows(row("序号", nil)), []string{"rows[0].序号"}},
		"number twice":            {rows(row(), row("用能地址", "凤河路31号")), []string{"rows[1].序号"}},
		"request twice":           {rows(row(), row("序号", 2)), []string{"rows[1].序号"}},
		"an empty row":            {rows(map[string]any{}, row()), []string{"rows[0].序号"}},
		"a row that is none":      {rows("水"), []string{"rows[0].序号"}},
		"a cell that is a list":   {rows(row("备注", []any{"a"})), []string{"rows[0].备注"}},
		"wrong check character":   {rows(row("统一社会信用代码", "91340281WKEFY5QE4X")), []string{"rows[0].统一社会信用代码"}},
		"several lines in a cell": {rows(row("备注", "请先\r\n联系")), nil},
		"quotes in a cell":        {rows(row("备注", `请"先"联系,`)), nil},
		"electricity":             {rows(row("用能类型", "电")), []string{"rows[0].用能类型"}},
		"names in English":        {rows(trial.With(row("用途", trial.Missing), "use", "消防用水")), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.refused, trial.Refused(t, adapter(t), trial.JSON("list", c.message)))
		})
	}
}

// A row that is pushed is read exactly as a row of the file.
func TestPushIsReadAsTheFileIs(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../parklist/testdata/park-list-utf8-bom.csv")
	require.NoError(t, err)
	records, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(file, []byte("\uFEFF")))).ReadAll()
	require.NoError(t, err)
	a := adapter(t)
	i := 0
	for read, err := range parklist.Read(bytes.NewReader(file), parklist.Options{List: "L"}) {
		require.NoError(t, err)
		i++
		pushed := map[string]any{"batchNo": "L"}
		for c, cell := range records[i] {
			pushed[records[0][c]] = cell
		}
		items, err := a.Read(trial.JSON("list", pushed))
		trial.HoldsTo(t, trial.JSON("list", pushed), items, err)
		if read.Kept() {
			if read.Faults[0].Field != parklist.WholeLine { // the same as an earlier row
				require.Error(t, err, read.Raw)
			}
			continue
		}
		require.NoError(t, err, read.Raw)
		require.Len(t, items, 1)
		for q := range items[0].Intake.Requests {
			items[0].Intake.Requests[q].Extra = nil
		}
		assert.Equal(t, read.Requests, items[0].Intake.Requests)
		assert.Equal(t, read.Notes, items[0].Notes)
	}
	assert.Equal(t, len(records)-1, i)
}

func TestNothingOfAPushIsLost(t *testing.T) {
	t.Parallel()
	a := adapter(t)
	trial.NothingIsLost(t, trial.With(row(), "batchNo", "B1"), func(message map[string]any) (platforms.Message, []platforms.Item, error) {
		m := trial.JSON("list", message)
		items, err := a.Read(m)
		return m, items, err
	})
}

func TestStatesAreTold(t *testing.T) {
	t.Parallel()
	trial.GoldenReports(t, "reports", adapter(t), platforms.Report{
		External: "城东园区202611/1", Number: "J20261124-00001", Utility: casework.Gas, By: "客户服务部", Note: casework.Say("同意受理", "accepted"),
	})
}

func FuzzRead(f *testing.F) {
	trial.Fuzz(f, adapter(f), trial.JSON("list", rows(row(), row("序号", 2))), trial.JSON("requests", trial.With(row(), "batchNo", "B1")))
}
