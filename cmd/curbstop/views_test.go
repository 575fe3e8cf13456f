package main

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/contract"
)

// The links lead into the namespace that is in use, and ask by search
// attributes that there are.
func TestSavedViews(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, key := range contract.SearchAttributeKeys() {
		known[key.GetName()] = true
	}
	views := savedViews("http://ui", "city/one", time.Date(2026, 11, 24, 16, 30, 0, 0, time.UTC))
	queries := map[string]string{}
	for _, v := range views {
		u, err := url.Parse(v.url)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(v.url, "http://ui/namespaces/city%2Fone/workflows?"), v.url)
		query := u.Query().Get("query")
		queries[v.name] = query
		for word := range strings.FieldsSeq(query) {
			require.True(t, !strings.HasPrefix(word, "Curbstop") || known[word], word)
		}
	}
	require.Equal(t, "ExecutionStatus = 'Running' AND CurbstopDue < '2026-11-25T16:00:00Z'", queries["今日到期 due today"], "it is past midnight in Shanghai")
	require.Equal(t, "ExecutionStatus = 'Running' AND CurbstopDeadlines = 'breached'", queries["已超时 breached"])
	require.Equal(t, "ExecutionStatus = 'Running' AND CurbstopClock = 'customer'", queries["客户计时 the customer holds the clock"])
}
