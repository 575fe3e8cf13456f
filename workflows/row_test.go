package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/curbstop/curbstop/contract"
)

// The row of a case in the Temporal UI says that its due moment is provisional,
// as long as the holiday notice of the year is missing.
func TestRowSaysWhatIsProvisional(t *testing.T) {
	t.Parallel()
	for start, want := range map[string]string{
		"2026-11-23 16:00": "用水 · 南陵县 · 前置服务 · 营商专班",
		"2026-12-31 16:00": "用水 · 南陵县 · 前置服务 · 营商专班 · 截止暂定",
	} {
		t.Run(start, func(t *testing.T) {
			t.Parallel()
			b := newBookAt(t, at(t, start), newRecords())
			var rows []string
			b.env.OnUpsertTypedSearchAttributes(mock.MatchedBy(func(a temporal.SearchAttributes) bool {
				row, _ := a.GetKeyword(contract.AttrSummary)
				rows = append(rows, row)
				return true
			})).Return(nil)
			b.play(func(p *people) { p.leave() })
			require.NotEmpty(t, rows)
			require.Equal(t, want, rows[0])
		})
	}
}
