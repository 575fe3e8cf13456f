package mapping_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/mapping"
)

var shape = mapping.Shape{
	Messages: map[string][]string{"request": mapping.RequestFields("when"), mapping.Answer: mapping.AnswerFields()},
	Reports:  []string{"told"},
	Codes:    mapping.RequestCodes(map[string]func(string) error{mapping.Answer: mapping.IsTaken}),
	Settings: mapping.ReplySettings(nil),
}

const good = `# 注释
name: 测试
layouts:
  request:
    kinds: a/b
    fields:
      key: no
      applicant.name: name
      contact.name: [who, name]
      contact.phone: tel
      site.district: area
      site.address: at
      demand.diameter: size
      when: when
    always:
      utility: gas
  told:
    path: x/y
    states: [received, completed]
    fields: {no: external, state: state, kept: extra.deep.er}
    always: {fixed: 007}
  answer:
    fields: {code: [r.code, ok]}
codes:
  site.district: {340207: 340207, 340208: "340208", 340200: ""}
  state: {received: 1, completed: 2}
  answer: {1: taken, "true": taken, 2: refused}
`

func parse(t testing.TB, file string) *mapping.File {
	t.Helper()
	f, err := mapping.Parse([]byte(file), shape)
	require.NoError(t, err)
	return f
}

func TestFileNamesLineAndFieldOfWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from, to string
		faults   []string
	}{
		"unknown at the top":      {"name: 测试", "nmae: 测试", []string{"nmae 2"}},
		"unknown layout":          {"  request:", "  requset:", []string{"layouts.requset 5"}},
		"unknown field":           {"applicant.name: name", "applicant.nmae: name", []string{"layouts.request.fields.applicant.nmae 8", "layouts.request.fields.applicant.name 5"}},
		"field missing":           {"      key: no\n", "", []string{"layouts.request.fields.key 5"}},
		"field of the wrong kind": {"key: no", "key: {a: b}", []string{"layouts.request.fields.key 7"}},
		"field stands twice":      {"      key: no\n", "      key: no\n      key: nr\n", []string{"key 8"}},
		"path for a message":      {"kinds: a/b", "path: a/b", []string{"layouts.request.path 5"}},
		"state unknown":           {"[received, completed]", "[received, done]", []string{"layouts.told.states 19"}},
		"source unknown":          {"no: external", "no: extrenal", []string{"layouts.told.fields.no 20"}},
		"table unknown":           {"site.district: {", "site.distirct: {", []string{"codes.site.distirct 25"}},
		"district is none":        {"340207: 340207", "340207: 34020", []string{"codes.site.district.340207 25"}},
		"state in a table":        {"state: {received: 1", "state: {recieved: 1", []string{"codes.state.recieved 26"}},
		"answer unknown":          {"1: taken", "1: yes", []string{"codes.answer.1 27"}},
		"setting unknown":         {"codes:", "settings: {a: b}\ncodes:", []string{"settings.a 24"}},
		"no YAML":                 {"codes:", "codes: [", []string{" "}},
		"an anchor":               {"kinds: a/b", "kinds: &k a/b", []string{"layouts.request.kinds 5"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, good, c.from)
			_, err := mapping.Parse([]byte(strings.Replace(good, c.from, c.to, 1)), shape)
			require.Error(t, err)
			var faults []string
			for _, f := range casework.AsFault(err).Fields {
				line := ""
				_, _ = fmt.Sscanf(f.ZH, "第 %s 行", &line)
				faults = append(faults, f.Field+" "+line)
				assert.Contains(t, f.EN, "line "+line)
			}
			if name == "no YAML" {
				assert.Len(t, faults, 1)
				return
			}
			assert.ElementsMatch(t, c.faults, faults)
		})
	}
	for _, file := range []string{"", "a", "[]", "layouts: {}", "a: b\n---\nc: d", "\t"} {
		_, err := mapping.Parse([]byte(file), shape)
		require.Error(t, err, "%q", file)
	}
}

func TestNotesInAFileMeanNothing(t *testing.T) {
	t.Parallel()
	parse(t, strings.Replace(good, "name: 测试", "_guess: [1]\nname: 测试", 1))
}

func reading(t testing.TB, message string) *mapping.Reading {
	t.Helper()
	root, err := mapping.ParseObject([]byte(message))
	require.NoError(t, err)
	return parse(t, good).Read("request", root)
}

func TestTimesAreOfShanghai(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 11, 20, 9, 0, 0, 0, calendar.Shanghai)
	for _, written := range []string{
		`"2026-11-20 09:00:00"`, `"2026-11-20T09:00:00"`, `"2026-11-20 09:00:00.0"`, `"2026/11/20 9:00"`, `"2026年11月20日 9时00分"`, `"２０２６－１１－２０　０９：００：００"`,
		`"20261120090000"`, `"2026-11-20T01:00:00Z"`, `"2026-11-20T09:00:00+08:00"`, `1795136400`, `1795136400000`,
	} {
		r := reading(t, `{"when":`+written+`}`)
		assert.True(t, want.Equal(r.Time("when")), "%s is %s", written, r.Time("when"))
		require.NoError(t, r.Err())
	}
	for _, written := range []string{`"2026-02-30"`, `"1899-01-01"`, `"昨天"`, `"2026-11-20 25:00:00"`, `12`, `"20261320"`, `true`, `{"a":1}`} {
		r := reading(t, `{"when":`+written+`}`)
		assert.True(t, r.Time("when").IsZero(), written)
		require.Error(t, r.Err(), written)
	}
	assert.True(t, reading(t, `{"when":null}`).Time("when").IsZero())
}

func TestPathsMayHoldDotsAndOtherLetters(t *testing.T) {
	t.Parallel()
	v, err := mapping.ParseObject([]byte(`{"a.b":"1","a":{"c":{"d":"2"}},"Field14":"3","x.y":{"z":"4"}}`))
	require.NoError(t, err)
	for path, said := range map[string]string{"a.b": "1", "a.c.d": "2", "field14": "3", "x.y.z": "4", "a.x": "", "": ""} {
		assert.Equal(t, said, v.At(path).Text(), path)
	}
}

func TestMessagesThatWouldLoseSomethingAreRefused(t *testing.T) {
	t.Parallel()
	for message, field := range map[string]string{
		`{"a":1,"a":2}`: "a", `{"a":{"b":1,"b":1}}`: "a.b", `{"a":"\ud800"}`: "a", "{\"a\":\"\xff\"}": mapping.WholeMessage,
		`{} {}`: mapping.WholeMessage, `{"a":`: mapping.WholeMessage, ``: mapping.WholeMessage, `[]`: mapping.WholeMessage, `1`: mapping.WholeMessage,
		strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100): mapping.WholeMessage,
	} {
		_, err := mapping.ParseObject([]byte(message))
		require.Error(t, err, message)
		assert.Equal(t, field, casework.AsFault(err).Fields[0].Field, message)
	}
}

// Whatever a message says beyond an item stands in what is kept of it, under
// its own name and as it was written.
func TestRestKeepsWhatWasNotRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var value func(depth int) any
		value = func(depth int) any {
			switch n := rapid.IntRange(0, 7).Draw(t, "kind"); {
			case n < 3 || depth == 0:
				return rapid.StringN(1, 8, 16).Filter(func(s string) bool { return strings.TrimSpace(s) != "" && !strings.ContainsRune(s, '\uFFFD') }).Draw(t, "text")
			case n == 3:
				return json.Number(fmt.Sprint(rapid.Int().Draw(t, "number")))
			case n == 4:
				return rapid.Bool().Draw(t, "truth")
			case n == 5:
				return []any{value(depth - 1), value(depth - 1)}
			default:
				return map[string]any{rapid.StringMatching(`[a-z]{1,3}`).Draw(t, "key"): value(depth - 1)}
			}
		}
		message := map[string]any{"no": "N1"}
		for range rapid.IntRange(1, 4).Draw(t, "fields") {
			message["x"+rapid.StringMatching(`[a-z.]{1,6}`).Draw(t, "name")] = value(3)
		}
		b, err := json.Marshal(message)
		require.NoError(t, err)
		root, err := mapping.ParseObject(b)
		require.NoError(t, err)
		r := parseRapid(t).Read("request", root)
		require.Equal(t, "N1", r.Key("key"))
		extra, err := json.Marshal(r.Extra(platforms.Item{Key: "N1"}))
		require.NoError(t, err)
		delete(message, "no")
		want, err := json.Marshal(message)
		require.NoError(t, err)
		assert.JSONEq(t, string(want), string(extra))
	})
}

func parseRapid(t *rapid.T) *mapping.File {
	f, err := mapping.Parse([]byte(good), shape)
	require.NoError(t, err)
	return f
}

func TestWhatIsReadOtherwiseStaysAsItWasWritten(t *testing.T) {
	t.Parallel()
	r := reading(t, `{"no":"N1","name":"测试","tel":"138-0000-0001","area":"340207001000","at":"测试路","size":"DN100","blank":" ","null":null,"none":{}}`)
	q := r.Request(casework.JointUtility, casework.Gas, false)
	require.NoError(t, r.Err())
	assert.Equal(t, map[string]json.RawMessage{
		"tel": json.RawMessage(`"138-0000-0001"`), "area": json.RawMessage(`"340207001000"`), "size": json.RawMessage(`"DN100"`),
	}, r.Extra(q))
	for _, n := range r.Notes() {
		assert.NotContains(t, n.ZH, "13800000001", "notes are read by more people than the number is meant for")
	}
}

func TestFaultsHaveTheSendersNames(t *testing.T) {
	t.Parallel()
	r := reading(t, `{"no":"","who":"","tel":"1","area":"340208","size":"DN7"}`)
	r.Request(casework.JointUtility, casework.Gas, false)
	var fields []string
	for _, f := range casework.AsFault(r.Err()).Fields {
		fields = append(fields, f.Field)
	}
	assert.Equal(t, []string{"no", "area", "name", "who", "tel", "at", "size"}, fields)
}

func TestReportsAreWordedByTheFile(t *testing.T) {
	t.Parallel()
	f := parse(t, good)
	r := platforms.Report{External: "N1", State: casework.MilestoneCompleted, Request: &casework.Request{Extra: map[string]json.RawMessage{"deep": json.RawMessage(`{"er":"kept"}`)}}}
	w, told := f.Report(r, "told")
	require.True(t, told)
	b, err := w.Object().MarshalJSON()
	require.NoError(t, err)
	assert.JSONEq(t, `{"no":"N1","state":"2","kept":"kept","fixed":"007"}`, string(b))
	r.State = casework.MilestoneAccepted
	_, told = f.Report(r, "told")
	assert.False(t, told)
}

func TestAnswersAreJudgedByTheirTable(t *testing.T) {
	t.Parallel()
	f := parse(t, good)
	for body, taken := range map[string]bool{
		`{"r":{"code":1}}`: true, `{"r":{"code":"2"}}`: false, `{"ok":true}`: true, `{"ok":false}`: false, ``: true, ` `: true, `{}`: false, `ok`: false, `[1]`: false,
		`{"ok":{"a":1}}`: false,
	} {
		assert.Equal(t, taken, f.Judge(200, []byte(body)) == nil, body)
	}
	assert.Error(t, f.Judge(301, nil))
}
