package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/simulate"
)

// curbstop runs the command and gives what it printed.
func curbstop(t *testing.T, args ...string) (out, log string, err error) {
	t.Helper()
	c := simulateCommand()
	c.SilenceErrors, c.SilenceUsage = true, true
	var stdout, stderr bytes.Buffer
	c.SetOut(&stdout)
	c.SetErr(&stderr)
	c.SetArgs(args)
	err = c.ExecuteContext(t.Context())
	return stdout.String(), stderr.String(), err
}

// oneWeek writes the example, cut to one week, into a file.
func oneWeek(t *testing.T) string {
	t.Helper()
	text, _, err := curbstop(t, "--example")
	require.NoError(t, err)
	text = strings.NewReplacer("from: 2026-01-01", "from: 2026-05-11", "to: 2026-12-31", "to: 2026-05-15").Replace(text)
	file := filepath.Join(t.TempDir(), "week.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestSimulateCommand(t *testing.T) {
	t.Parallel()
	file, drawings := oneWeek(t), filepath.Join(t.TempDir(), "drawings")
	out, log, err := curbstop(t, file, "--cases", "30", "--svg", drawings)
	require.NoError(t, err)
	require.Contains(t, out, "收到 received              30\n")
	require.Contains(t, log, "100% · 30/30 件")
	again, _, err := curbstop(t, file, "--cases", "30")
	require.NoError(t, err)
	require.Equal(t, out, again)
	for _, name := range []string{"on-time", "queues", "load"} {
		require.FileExists(t, filepath.Join(drawings, name+".svg"))
	}

	out, _, err = curbstop(t, file, "--cases", "30", "--json", "--crews", "engineering=9")
	require.NoError(t, err)
	var result simulate.Result
	require.NoError(t, json.Unmarshal([]byte(out), &result))
	require.Equal(t, 9, result.Departments[1].People)

	picture := filepath.Join(t.TempDir(), "trials.svg")
	out, log, err = curbstop(t, file, "--cases", "30", "--crews", "engineering=2..4", "--crews", "hotline=1", "--svg", picture)
	require.NoError(t, err)
	require.FileExists(t, picture)
	require.Contains(t, out, "工程管理部 engineering：受理至通水的按时率")
	require.Equal(t, 3, strings.Count(log, "模拟 simulated engineering="))

	out, _, err = curbstop(t, file, "--cases", "5", "--keep", "20%", "--vary", "engineering", "--months", "5")
	require.NoError(t, err)
	require.Contains(t, out, "of the cases accepted in months 5 on time, at least 20.00% was asked")
}

func TestSimulateCommandForBothUtilities(t *testing.T) {
	t.Parallel()
	text, _, err := curbstop(t, "--example=city")
	require.NoError(t, err)
	again, _, err := curbstop(t, "--example", "city")
	require.NoError(t, err)
	require.Equal(t, text, again)
	text = strings.NewReplacer("from: 2026-01-01", "from: 2026-05-11", "to: 2026-12-31", "to: 2026-05-15").Replace(text)
	file := filepath.Join(t.TempDir(), "city.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	out, log, err := curbstop(t, file, "--cases", "40", "--crews", "engineering/gas=9..10", "--crews", "engineering/water=20")
	require.NoError(t, err)
	require.Contains(t, out, "工程管理部（用气） engineering/gas")
	require.Equal(t, 2, strings.Count(log, "模拟 simulated engineering/gas="))
	_, _, err = curbstop(t, "--example=heat")
	require.ErrorContains(t, err, "must be water or city")
}

func TestSimulateCommandRefuses(t *testing.T) {
	t.Parallel()
	file := oneWeek(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "name the scenario file"},
		{[]string{filepath.Join(t.TempDir(), "none.yaml")}, "no such file"},
		{[]string{file, "--crews", "engineering"}, "must be like engineering=5"},
		{[]string{file, "--crews", "engineering=8..3"}, "must be like engineering=5"},
		{[]string{file, "--crews", "engineering=1"}, "its people must be between 2 and"},
		{[]string{file, "--crews", "plumbers=2"}, `no staff of department "plumbers"`},
		{[]string{file, "--crews", "engineering=2..3", "--crews", "hotline=1..2"}, "only one department"},
		{[]string{file, "--vary", "engineering"}, "--vary needs --keep"},
		{[]string{file, "--keep", "99%"}, "need a department to vary"},
		{[]string{file, "--keep", "990%", "--vary", "engineering"}, "must be like 99% or 0.99"},
		{[]string{file, "--keep", "0.99", "--vary", "engineering", "--months", "13"}, "a month is 1 to 12"},
		{[]string{file, "--policy", file}, "没有这个字段 line"},
	} {
		out, _, err := curbstop(t, c.args...)
		require.ErrorContains(t, err, c.want)
		require.Empty(t, out)
	}
}
