package e2e_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/policy"
)

// A version that is published serves the next case without a restart; the case
// before keeps its own until it is moved, and can be moved back.
func TestPublishedPolicyServesNewCases(t *testing.T) {
	t.Parallel()
	ctx, rules := t.Context(), policy.Demo()
	has := func(o opened) string {
		k, err := place.Store.Case(ctx, o.Number)
		require.NoError(t, err)
		d, ok := k.Deadline(o.Number + "-T1")
		require.True(t, ok)
		return k.Terms.PolicyVersion + " " + d.Budget.String()
	}
	before := openCase(t, "policy-1")
	require.Equal(t, rules.Version+" 20s", has(before))
	text := strings.NewReplacer("version: "+rules.Version, "version: demo-next", "contact_customer: 20s", "contact_customer: 21s").Replace(rules.Text())
	_, err := place.Store.PublishPolicy(ctx, casework.PublishedPolicy{Version: "demo-next", Text: text, PublishedBy: "lead-01"})
	require.NoError(t, err)
	after := openCase(t, "policy-2")
	require.Equal(t, "demo-next 21s", has(after))
	require.Equal(t, rules.Version+" 20s", has(before))

	var out struct {
		casework.Preview
		Done *contract.Done `json:"done"`
	}
	move := func(key, query, to string) {
		out.Moves, out.Done = nil, nil
		require.NoError(t, as(casework.TaskforceOffice).Post(ctx, "/v1/cases/"+before.Number+"/policy"+query, key, map[string]any{"to": to, "reason": "试行"}, &out))
	}
	move("preview-1", "?dry_run=true", "demo-next")
	require.Nil(t, out.Done)
	require.Len(t, out.Moves, 1)
	preview := out.Moves[0]
	require.Equal(t, "1s", preview.To.At.Sub(preview.From.At).String())
	require.Equal(t, rules.Version+" 20s", has(before))
	move("move-there", "", "demo-next")
	require.NotNil(t, out.Done)
	require.Equal(t, "demo-next 21s", has(before))
	k, err := place.Store.Case(ctx, before.Number)
	require.NoError(t, err)
	d, _ := k.Deadline(before.Number + "-T1")
	require.True(t, d.Due.At.Equal(preview.To.At), "it is due when the preview said")
	move("move-back", "", rules.Version)
	require.Equal(t, rules.Version+" 20s", has(before))
}
