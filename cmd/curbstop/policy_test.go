package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/policy"
)

// run gives what a command prints and how it ends.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := policyCommand()
	c.SetOut(&out)
	c.SetErr(&out)
	c.SilenceUsage = true
	c.SetArgs(args)
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}

// Files are judged, shown and compared without an installation.
func TestPolicyFilesNeedNoInstallation(t *testing.T) {
	t.Parallel()
	dir, text := t.TempDir(), policy.Default().Text()
	file := func(name string, pairs ...string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(strings.NewReplacer(pairs...).Replace(text)), 0o600))
		return path
	}
	ours, next := file("ours.yaml"), file("next.yaml", policy.Default().Version, "next", "lane_201: 1 working_day", "lane_201: 2 working_days")
	out, err := run(t, "validate", ours)
	require.NoError(t, err)
	require.Contains(t, out, "有效 valid: "+policy.Default().Version)
	out, err = run(t, "show", ours, "--yaml")
	require.NoError(t, err)
	require.Equal(t, text, out)
	out, err = run(t, "show", next)
	require.NoError(t, err)
	require.Contains(t, out, "limits.lane_201               模式201服务时限           2 working_days\n")
	out, err = run(t, "diff", ours, next)
	require.NoError(t, err)
	require.Contains(t, out, "limits.lane_201               模式201服务时限\n  旧 old  1 working_day\n  新 new  2 working_days\n")

	circle := file("circle.yaml", "to: management", "to: taskforce_office")
	for _, args := range [][]string{{"validate", circle}, {"publish", circle, "--yes"}, {"diff", ours, circle}} {
		_, err = run(t, args...)
		require.ErrorContains(t, err, "  ladder[3].to: 第 ", args)
		require.ErrorContains(t, err, " 行：升级阶梯兜圈：taskforce_office → taskforce_lead → taskforce_office line ", args)
	}
}

func TestMoveSaysWhichCases(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		m    moving
		want string // empty: accepted
	}{
		"no version":       {moving{all: true}, "--to"},
		"no cases":         {moving{to: "v2"}, "--case"},
		"a case and all":   {moving{to: "v2", all: true, cases: []string{"W1"}}, "--case"},
		"a case by filter": {moving{to: "v2", from: "v1", cases: []string{"W1"}}, "--case"},
		"unknown stage":    {moving{to: "v2", stage: "later"}, "pre_service"},
		"unknown district": {moving{to: "v2", districts: []string{"000000"}}, "000000"},
		"without a reason": {moving{to: "v2", all: true, apply: true, reason: " "}, "--reason"},
		"a preview":        {moving{to: "v2", all: true}, ""},
		"a filter":         {moving{to: "v2", from: "v1", stage: "pre_service", districts: []string{"340202"}, apply: true, reason: "x"}, ""},
		"cases":            {moving{to: "v2", cases: []string{"W1", "W2"}, apply: true, reason: "x"}, ""},
	} {
		err := test.m.check()
		if test.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, test.want, name)
	}
}
