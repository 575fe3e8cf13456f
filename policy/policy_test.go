package policy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/policy"
)

func TestDefaultSaysWhatTheMeasuresSay(t *testing.T) {
	t.Parallel()
	terms := policy.Default().Terms()
	day := calendar.Budget{Unit: calendar.WorkingDays, Days: 1}
	for name, want := range map[casework.LimitName]calendar.Budget{
		"lane_101": day, "lane_201": day, "upload_survey": day,
		"hand_over_permit": {Unit: calendar.SameDay}, "enter_site": {Unit: calendar.NextDay}, "complete_entry": {Unit: calendar.SameDay},
	} {
		require.Equal(t, want, terms.Limits[name], name)
	}
	require.Equal(t, casework.Lane101, terms.Lane)
}

// Every task of the process has a limit of its own, but for those that the
// lane's limit covers.
func TestEveryTaskIsTimed(t *testing.T) {
	t.Parallel()
	for _, p := range []policy.Policy{policy.Default(), policy.Demo()} {
		for _, name := range policy.LimitNames() {
			_, ok := p.Limits[name]
			byLane := name == "install_meter" || name == "turn_on_supply" || name == "commission_supply"
			require.Equal(t, !byLane, ok, "%s: %s", p.Version, name)
		}
	}
}

// What is published is read back as it was judged.
func TestPublishedIsWhatWasParsed(t *testing.T) {
	t.Parallel()
	for _, p := range []policy.Policy{policy.Default(), policy.Demo()} {
		published, err := policy.Published(p.Text())
		require.NoError(t, err)
		require.Equal(t, p, published)
	}
}

// An editor may put a byte order mark before the file; what is published has none.
func TestByteOrderMarkIsNoField(t *testing.T) {
	t.Parallel()
	p, err := policy.Parse([]byte("\uFEFF" + good))
	require.NoError(t, err)
	require.Equal(t, good, p.Text())
}

const good = `version: v1
utilities: [water]
lane: "101"
hours:
  spans:
    - {from: "08:30", to: "12:00"}
    - {from: "14:00", to: "17:30"}
retention_days: 30
limits:
  upload_survey: 1 working_day
  hand_over_permit: same_day
  callback: 90 working_minutes
ladder:
  - {name: reminder, before: 1 working_hour, level: 0}
  - {name: breach, to: taskforce_office, level: 1, answer: 2 working_hours}
  - {name: lead, to: taskforce_lead, after: 4 working_hours, level: 2}
ladders:
  callback:
    - {name: breach, to: hotline, level: 1}
pause_reasons: [customer_not_ready]
pause_bound: 10 working_days
confirming: [taskforce]
checklists:
  accept_meter: [表位正确, 封号完好]
prices:
  - {code: N01, name: 管道, kind: inside_property_line, utility: water, unit: 米, fen: 12000, source: 价目表}
`

// Every mistake is named with its line and field, in both languages.
func TestParseNamesLineAndField(t *testing.T) {
	t.Parallel()
	_, err := policy.Parse([]byte(good))
	require.NoError(t, err)
	for name, test := range map[string]struct {
		old, new string
		want     []string // line and field of each fault
		says     string
	}{
		"no YAML":                    {"limits:", "limits: [", []string{"13 "}, "YAML"},
		"empty":                      {good, "", []string{"1 "}, "空"},
		"two policies":               {"prices:", "---\nprices:", []string{"25 "}, "一份"},
		"unknown field":              {"lane:", "lanes:", []string{"3 lanes"}, "没有这个字段"},
		"unknown field of a rung":    {"name: lead,", "name: lead, tell: x,", []string{"16 ladder[2].tell"}, "没有这个字段"},
		"named twice":                {"utilities:", "version: v2\nutilities:", []string{"2 version"}, "重复"},
		"of the wrong type":          {"retention_days: 30", "retention_days: soon", []string{"8 retention_days"}, "类型"},
		"list in place of a text":    {"lane: \"101\"", "lane: [101]", []string{"3 lane"}, "类型"},
		"part of a fen":              {"fen: 12000", "fen: 120.5", []string{"26 prices[0].fen"}, "整数"},
		"part of a level":            {"level: 2", "level: 2.5", []string{"16 ladder[2].level"}, "整数"},
		"part of a day":              {"retention_days: 30", "retention_days: 30.9", []string{"8 retention_days"}, "整数"},
		"another encoding":           {"管道", "\xb9\xdc\xb5\xc0", []string{"26 "}, "UTF-8"},
		"no version":                 {"version: v1", "version: ''", []string{"1 version"}, "版本"},
		"version left out":           {"version: v1\n", "", []string{"1 version"}, "版本"},
		"version with a slash":       {"version: v1", "version: a/b", []string{"1 version"}, "斜线"},
		"version that is none":       {"version: v1", "version: current", []string{"1 version"}, "current"},
		"no utility":                 {"[water]", "[]", []string{"2 utilities", "26 prices[0].utility"}, "能源"},
		"unknown utility":            {"[water]", "[water, heat]", []string{"2 utilities[1]"}, "gas"},
		"utility twice":              {"[water]", "[water, water]", []string{"2 utilities[1]"}, "重复"},
		"gas without its rules":      {"[water]", "[water, gas]", []string{"1 gas"}, "小型接入"},
		"unknown lane":               {`"101"`, `"301"`, []string{"3 lane"}, "101"},
		"no time of day":             {`"12:00"`, `"noon"`, []string{"6 hours.spans[0].to"}, "noon"},
		"closing before opening":     {`to: "17:30"`, `to: "13:30"`, []string{"4 hours"}, "14:00-13:30"},
		"retention too long":         {"retention_days: 30", "retention_days: 4000", []string{"8 retention_days"}, "3650"},
		"unknown limit":              {"callback: 90", "phone: 90", []string{"12 limits.phone"}, "upload_survey"},
		"limit in no unit":           {"1 working_day", "one day", []string{"10 limits.upload_survey"}, "one day"},
		"limit of nothing":           {"1 working_day", "0 working_days", []string{"10 limits.upload_survey"}, "3660"},
		"no limit":                   {"upload_survey: 1 working_day", "upload_survey:", []string{"10 limits.upload_survey"}, "看不懂"},
		"rung without a name":        {"name: lead, ", "", []string{"16 ladder[2].name"}, "级别名称"},
		"rung named twice":           {"name: lead", "name: breach", []string{"16 ladder[2].name"}, "breach"},
		"unknown role":               {"to: taskforce_lead", "to: boss", []string{"16 ladder[2].to"}, "boss"},
		"falling level":              {"level: 2", "level: 0", []string{"16 ladder[2].level"}, "逐级"},
		"level that does not rise":   {"level: 2", "level: 1", []string{"16 ladder[2].level"}, "逐级"},
		"negative level":             {"level: 0}", "level: -1}", []string{"14 ladder[0].level"}, "0 至 9"},
		"circle":                     {"level: 2}", "level: 2}\n  - {name: again, to: taskforce_office, level: 3}", []string{"17 ladder[3].to"}, "taskforce_office → taskforce_lead → taskforce_office"},
		"circle of a limit's ladder": {"to: hotline, level: 1}", "to: hotline, level: 1}\n    - {name: x, to: hotline, level: 2}", []string{"20 ladders.callback[1].to"}, "hotline → hotline"},
		"ladder of no limit":         {"ladders:\n  callback", "ladders:\n  phone", []string{"18 ladders.phone"}, "没有这个时限"},
		"reminder in days":           {"1 working_hour", "1 working_day", []string{"14 ladder[0].before"}, "工作时间"},
		"reminder and after":         {"before: 1 working_hour", "before: 1 working_hour, after: 20s", []string{"14 ladder[0]"}, "before"},
		"reminder too early":         {"1 working_hour", "8 working_hours", []string{"14 ladder[0].before"}, "hand_over_permit (same_day = 7h0m0s), upload_survey (1 working_day = 7h0m0s)"},
		"reminder of its own ladder": {"{name: breach, to: hotline, level: 1}", "{name: r, before: 91 working_minutes, level: 0}", []string{"19 ladders.callback[0].before"}, "callback (90 working_minutes = 1h30m0s)"},
		"answer by a date":           {"answer: 2 working_hours", "answer: next_day", []string{"15 ladder[1].answer"}, "工作日"},
		"answer in no unit":          {"answer: 2 working_hours", "answer: soon", []string{"15 ladder[1].answer"}, "soon"},
		"unknown pause reason":       {"[customer_not_ready]", "[customer_not_ready, lunch]", []string{"20 pause_reasons[1]"}, "force_majeure"},
		"pause reason twice":         {"[customer_not_ready]", "[customer_not_ready, customer_not_ready]", []string{"20 pause_reasons[1]"}, "重复"},
		"pause bound by a date":      {"10 working_days", "on_date", []string{"21 pause_bound"}, "工作日"},
		"unknown department":         {"[taskforce]", "[taskforce, kitchen]", []string{"22 confirming[1]"}, "kitchen"},
		"checklist of no task":       {"accept_meter:", "accept_gift:", []string{"24 checklists.accept_gift"}, "任务"},
		"empty checklist":            {"[表位正确, 封号完好]", "[]", []string{"24 checklists.accept_meter"}, "1 至 30"},
		"item twice":                 {"封号完好", "表位正确", []string{"24 checklists.accept_meter[1]"}, "重复"},
		"price for the meter":        {"kind: inside_property_line", "kind: metering_device", []string{"26 prices[0].kind"}, "计量装置"},
		"price of nothing":           {"fen: 12000", "fen: 0", []string{"26 prices[0].fen"}, "大于 0"},
		"price without a document":   {", source: 价目表", "", []string{"26 prices[0].source"}, "必填"},
		"two mistakes":               {"lane: \"101\"\nhours:", "lane: x\nhours:\n  every_day: false", []string{"3 lane"}, "101"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, good, test.old)
			_, err := policy.Parse([]byte(strings.Replace(good, test.old, test.new, 1)))
			f := casework.AsFault(err)
			require.Equal(t, casework.Invalid, f.Kind, err)
			var got []string
			for _, field := range f.Fields {
				var line int
				_, err := fmt.Sscanf(field.ZH, "第 %d 行：", &line)
				require.NoError(t, err, field.ZH)
				require.Contains(t, field.EN, fmt.Sprintf("line %d: ", line))
				got = append(got, fmt.Sprintf("%d %s", line, field.Field))
			}
			require.Equal(t, test.want, got, policy.Describe(err))
			require.Contains(t, f.Fields[0].String(), test.says)
			require.Contains(t, policy.Describe(err), f.Fields[0].Field)
		})
	}
}

// A warning may be as long as its limit and no longer, whatever the units and
// the business hours.
func TestWarningAgainstItsLimit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		morning := rapid.IntRange(1, 12).Draw(t, "hours of the morning")
		afternoon := rapid.IntRange(1, 11).Draw(t, "hours of the afternoon")
		day := time.Duration(morning+afternoon) * time.Hour
		before := time.Duration(rapid.IntRange(1, 100).Draw(t, "half hours of warning")) * 30 * time.Minute
		n := rapid.IntRange(1, 5).Draw(t, "n")
		limits := []struct {
			text    string
			working time.Duration
		}{
			{fmt.Sprintf("%d working_days", n), time.Duration(n) * day},
			{fmt.Sprintf("%d working_minutes", n*10), time.Duration(n*10) * time.Minute},
			{fmt.Sprintf("%d working_hours", n), time.Duration(n) * time.Hour},
			{"same_day", day}, {"next_day", day}, {"next_calendar_day", day}, {"on_date", day},
		}
		limit := rapid.SampledFrom(limits).Draw(t, "limit")
		own := rapid.Bool().Draw(t, "a ladder of its own")
		path, ladder := "ladder", "ladder:\n"
		if own {
			path, ladder = "ladders.callback", "ladders:\n  callback:\n"
		}
		text := fmt.Sprintf(`version: v1
utilities: [water]
lane: "101"
hours: {spans: [{from: "00:00", to: "%02d:00"}, {from: "13:00", to: "%02d:00"}]}
retention_days: 30
limits: {callback: %s}
%s    - {name: reminder, before: %s}
`, morning, 13+afternoon, limit.text, ladder, before)
		_, err := policy.Parse([]byte(text))
		if before <= limit.working {
			if err != nil {
				t.Fatalf("%s before %s refused: %v", before, limit.text, err)
			}
			return
		}
		f := casework.AsFault(err)
		if len(f.Fields) != 1 || f.Fields[0].Field != path+"[0].before" {
			t.Fatalf("%s before %s (%s): %v", before, limit.text, limit.working, err)
		}
	})
}

// change gives the default policy with texts replaced.
func change(t *testing.T, pairs ...string) policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(strings.NewReplacer(pairs...).Replace(policy.Default().Text())))
	require.NoError(t, err)
	return p
}

func TestDiff(t *testing.T) {
	t.Parallel()
	require.Empty(t, policy.Diff(policy.Default(), policy.Default()))
	other := change(t, "wuhu-2026.4", "wuhu-2027.1", "contact_customer: 1 working_day", "contact_customer: 4 working_hours",
		"  brief_customer: 1 working_day # D\n", "", "answer: 2 working_hours", "answer: 1 working_hour", "fen: 12000", "fen: 12550",
		"表位正确, ", "", "separate_acceptance: true", "separate_acceptance: false")
	require.Len(t, policy.Diff(other, policy.Default()), len(policy.Diff(policy.Default(), other)))
	var b strings.Builder
	policy.PrintDiff(&b, policy.Default(), other)
	golden(t, "diff.golden", b.String())
}

func TestPrint(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	policy.Print(&b, policy.Default().Fields())
	golden(t, "show.golden", b.String())
}

// golden compares what people read with what was agreed on.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("GOLDEN") != "" {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}
