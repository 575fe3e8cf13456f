package sim

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each rule can fail, and what is in order breaks none: a rule that no ledger
// breaks would say nothing of the other side.
func TestEachRuleCanFail(t *testing.T) {
	t.Parallel()
	good := []Entry{
		{Direction: Sent, Platform: "portal", Kind: "project_info", External: "P1", Request: true, Status: 200, Good: true, Numbers: []string{"W1"}},
		{Direction: Sent, Platform: "portal", Kind: "project_info", External: "P1", Request: true, Wrong: Duplicate, Status: 200, Good: true, Numbers: []string{"W1"}},
		{Direction: Sent, Platform: "portal", Kind: "project_info", External: "P2", Wrong: Garbage, Status: 200, Kept: "M1"},
		{Direction: Sent, Platform: "portal", Kind: "project_info", External: "P3", Wrong: Forged, Status: 401},
		{Direction: Sent, Platform: "rating", Kind: "rate", External: "P1", Wrong: OutOfOrder, Status: 200, Kept: "M2", Good: true},
		{Direction: Sent, Platform: "rating", Kind: "rate", External: "P1", How: afterwards, Status: 200, Good: true},
		{Direction: Row, Platform: "gonggai", Kind: "SPGL_XMJBXXB", External: "G1", Good: true},
		{Direction: Sent, Platform: "wechat", Kind: "wechat", Status: 200, Good: true},
		{Direction: Sent, Platform: "wechat", Kind: "progress", Wrong: Guessed, Status: 404, Good: true},
		{Direction: Sent, Platform: "wechat", Kind: "accounts/A1/" + payments, External: "WX1", Body: `{"number":"WX1","amount":500}`, Status: 200, Good: true},
		{Direction: Asked, Kind: payments, External: "A1", Key: "k1", Body: `{"number":"WX1","amount":500}`, Status: 200, Good: true},
		{Direction: Sent, Platform: "property", Kind: "fee", External: "A1", How: inquired, Status: 200, Good: true, Answer: `{"data":{"totalOweAmt":"5.00"}}`},
		{Direction: Asked, Kind: "account", External: "A1", Status: 200, Answer: `{"balance":{"owed":500}}`},
		{Direction: Asked, Kind: "holder", External: "A1", Key: "k2", Body: `{"holder":{"name":"测试"}}`, Status: 200, Good: true},
		{Direction: Told, Platform: "property", Kind: "result", External: "S1", Part: "A1", State: "1", Meaning: completed, Reaction: Took, Key: "r1"},
		{Direction: Told, Platform: "portal", External: "P1", State: "1", Meaning: received, Reaction: Took, Key: "r2"},
		{Direction: Told, Platform: "portal", External: "P1", State: "2", Meaning: completed, Reaction: Took, Key: "r3"},
		{Direction: Told, Platform: "rating", External: "W1", State: "1", Meaning: completed, Reaction: Took, Key: "r4"},
	}
	verdict := func(entries []Entry, waiting ...string) Verdict {
		numbered := make([]Entry, len(entries))
		for i, e := range entries {
			e.N = i + 1
			numbered[i] = e
		}
		return judge(numbered, waiting, []string{"rating"})
	}
	held := verdict(good)
	require.Empty(t, held.String())
	unbroken := map[string]bool{}
	for _, r := range held.Rules {
		name, _, _ := strings.Cut(r.Name, " ")
		unbroken[name] = true
		if name != "及时回告" { // looks at what waits, and nothing does
			require.NotZero(t, r.Looked, name)
		}
	}

	told := func(state string, meaning State) Entry {
		return Entry{Direction: Told, Platform: "park", External: "L1", State: state, Meaning: meaning, Reaction: Took, Key: state}
	}
	with := func(more ...Entry) []Entry { return append(append([]Entry{}, good...), more...) }
	without := func(drop func(Entry) bool) (rest []Entry) {
		for _, e := range good {
			if !drop(e) {
				rest = append(rest, e)
			}
		}
		return rest
	}
	for name, c := range map[string]struct {
		rule    string
		entries []Entry
	}{
		"a number twice":        {"每件一号", with(Entry{Direction: Sent, Platform: "park", Kind: "list", External: "L1", Request: true, Status: 200, Good: true, Numbers: []string{"W1"}})},
		"no number":             {"每件一号", with(Entry{Direction: Sent, Platform: "park", Kind: "list", External: "L1", Request: true, Status: 200, Good: true})},
		"another number":        {"重复同号", with(Entry{Direction: Sent, Platform: "portal", Kind: "project_info", External: "P1", Request: true, Wrong: Duplicate, Status: 200, Good: true, Numbers: []string{"W2"}})},
		"rubbish taken":         {"无法识别的留存", with(Entry{Direction: Sent, Platform: "park", Wrong: Garbage, Status: 200, Good: true, Kept: "M3"})},
		"rubbish lost":          {"无法识别的留存", with(Entry{Direction: Sent, Platform: "park", Wrong: Garbage, Status: 200})},
		"a forgery taken":       {"伪造与过时不入", with(Entry{Direction: Sent, Platform: "park", Wrong: Forged, Status: 200, Good: true})},
		"too late and taken":    {"伪造与过时不入", with(Entry{Direction: Sent, Platform: "park", Wrong: Late, Status: 401, Kept: "M3"})},
		"a forgery goes on":     {"伪造与过时不入", with(Entry{Direction: Told, Platform: "portal", External: "P3", State: "1", Meaning: received, Reaction: Took})},
		"ahead and lost":        {"先到的不丢", with(Entry{Direction: Sent, Platform: "rating", Wrong: OutOfOrder, Status: 200})},
		"too late for a rating": {"办结后的评价与回访", with(Entry{Direction: Sent, Platform: "rating", How: afterwards, Status: 409})},
		"a row left":            {"前置库回写", with(Entry{Direction: Row, Platform: "gonggai", Kind: "SPGL_XMJBXXB"})},
		"not signed":            {"回传有效", with(Entry{Direction: Told, Platform: "park", External: "L1", Reaction: Unproved})},
		"not well formed":       {"回传有效", with(Entry{Direction: Told, Platform: "park", External: "L1", Fault: "no JSON"})},
		"twice":                 {"状态各一次且有序", with(told("1", received), told("2", accepted), Entry{Direction: Told, Platform: "park", External: "L1", State: "1", Meaning: received, Reaction: Took, Key: "other"})},
		"backwards":             {"状态各一次且有序", with(told("2", accepted), told("1", received))},
		"ahead of one refused":  {"状态各一次且有序", with(Entry{Direction: Told, Platform: "park", External: "L1", State: "1", Meaning: received, Reaction: Failed}, told("2", accepted))},
		"resumed out of work":   {"状态各一次且有序", with(told("3", resumed))},
		"no record":             {"办结必录", without(func(e Entry) bool { return e.Direction == Told && e.Platform == "rating" })},
		"not of what goes on":   {"办结必录", with(Entry{Direction: Passed, External: "W1", Numbers: []string{"G1"}})},
		"two records":           {"办结必录", with(Entry{Direction: Told, Platform: "rating", External: "W1", State: "1", Meaning: completed, Reaction: Took, Key: "r5"})},
		"no end on record":      {"办结必录", with(Entry{Direction: Told, Platform: "rating", External: "W2", State: "0", Meaning: received, Reaction: Took, Key: "r6"})},
		"no answer":             {"皆有应答", with(Entry{Direction: Sent, Platform: "park"})},
		"another echo":          {"微信原样回显", with(Entry{Direction: Sent, Platform: "wechat", Kind: "wechat?echostr=1", Status: 200})},
		"paid twice":            {"计费只办一次", with(Entry{Direction: Asked, Kind: payments, External: "A1", Key: "k3", Body: `{"number":"WX1","amount":500}`, Status: 200, Good: true})},
		"other words":           {"计费只办一次", with(Entry{Direction: Asked, Kind: payments, External: "A1", Key: "k1", Body: `{"number":"WX1","amount":501}`, Status: 409})},
		"owing":                 {"欠费不办", with(Entry{Direction: Asked, Kind: "close", External: "A2", Key: "k4", Body: `{}`, Status: 409, Owed: 100})},
		"not passed on":         {"缴费皆转交", with(Entry{Direction: Sent, Platform: "wechat", Kind: "accounts/A1/" + payments, External: "WX2", Body: `{"number":"WX2","amount":1}`, Status: 202, Good: true})},
		"another fee":           {"费用如实告知", with(Entry{Direction: Sent, Platform: "property", Kind: "fee", External: "A1", How: inquired, Status: 200, Good: true, Answer: `{"data":{"totalOweAmt":"0.00"}}`}, good[12])},
		"billing not asked":     {"费用如实告知", with(Entry{Direction: Sent, Platform: "property", Kind: "fee", External: "A9", How: inquired, Status: 200, Good: true, Answer: `{"data":{"totalOweAmt":"0.00"}}`})},
		"told and not done":     {"办成才告知", without(func(e Entry) bool { return e.Kind == "holder" })},
		"a customer turned off": {"客户自助办理", with(Entry{Direction: Sent, Platform: "mini_program", Kind: "connection-requests", Status: 500})},
		"a guess that pays":     {"猜测无所得", with(Entry{Direction: Sent, Platform: "mini_program", Kind: "progress", Wrong: Guessed, Status: 200})},
	} {
		require.Contains(t, verdict(c.entries).String(), c.rule, name)
		delete(unbroken, c.rule)
	}
	require.Contains(t, verdict(good, "L1").String(), "及时回告")
	delete(unbroken, "及时回告")
	require.Empty(t, unbroken, "nothing breaks these")
}

func TestWhatIsPassedOnGoesOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		told   []State
		broken int
	}{
		"it goes on":             {[]State{received, passedOn, accepted, inWork, completed}, 0},
		"the clock stood":        {[]State{received, suspended, passedOn, resumed, withdrawn}, 0},
		"received twice":         {[]State{received, passedOn, received}, 1},
		"passed on after an end": {[]State{received, completed, passedOn}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var entries []Entry
			for i, s := range c.told {
				entries = append(entries, Entry{N: i + 1, Direction: Told, Platform: "park", External: "K-1", State: string(s), Meaning: s, Reaction: Took})
			}
			require.Len(t, inOrder(entries).Broken, c.broken)
		})
	}
}
