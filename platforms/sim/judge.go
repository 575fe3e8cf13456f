package sim

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Verdict is the stand-in's own judgement of a run.
type Verdict struct {
	Rules []Rule `json:"rules"`
}

// Rule is one thing that must hold, and where it did not.
type Rule struct {
	Name   string   `json:"name"`
	Looked int      `json:"looked"` // at how many things
	Broken []string `json:"broken,omitempty"`
}

// Held tells whether all rules held.
func (v Verdict) Held() bool {
	return !slices.ContainsFunc(v.Rules, func(r Rule) bool { return len(r.Broken) > 0 })
}

// String names what did not hold.
func (v Verdict) String() string {
	var b strings.Builder
	for _, r := range v.Rules {
		for _, broken := range r.Broken {
			fmt.Fprintf(&b, "%s: %s\n", r.Name, broken)
		}
	}
	return b.String()
}

func (r *Rule) look(e Entry, ok bool, said string, args ...any) {
	r.Looked++
	if !ok {
		r.Broken = append(r.Broken, fmt.Sprintf("%s %s %s (#%d): ", e.Platform, e.Kind, e.External, e.N)+fmt.Sprintf(said, args...))
	}
}

// judge says what held, from the ledger alone.
func judge(entries []Entry, waiting, watching []string) Verdict {
	return Verdict{Rules: append([]Rule{
		oneNumber(entries), duplicates(entries), garbageKept(entries), nothingForged(entries), comeAhead(entries),
		afterEnds(entries), rowsSettled(entries), proved(entries), inOrder(entries), recorded(entries, watching), toldAtOnce(waiting), answered(entries), echoes(entries),
	}, append(billingRules(entries), customerRules(entries)...)...)}
}

// understood are the messages that ask for something and nothing is wrong with.
func understood(e Entry) bool {
	return e.Direction == Sent && e.Request && (e.Wrong == "" || e.Wrong == Duplicate)
}

func oneNumber(entries []Entry) Rule {
	r := Rule{Name: "每件一号 each request has its number, and no other has it"}
	owners := map[string]string{}
	for _, e := range entries {
		if !understood(e) || e.Wrong == Duplicate {
			continue
		}
		own := e.Platform + " " + e.External
		r.look(e, e.Good && e.Kept == "", "应答 %d %s", e.Status, e.Answer)
		// A gas company's answer says yes or no and has no place for a number.
		if e.Good && len(e.Numbers) == 0 && !numberless(e) {
			r.look(e, false, "没有编号 it has no number: %s", e.Answer)
		}
		for _, n := range e.Numbers {
			if other, taken := owners[n]; taken && other != own {
				r.look(e, false, "编号 %s 已属 the number belongs to %s", n, other)
			}
			owners[n] = own
		}
	}
	return r
}

func numberless(e Entry) bool { return strings.HasPrefix(e.Kind, "com/") }

func duplicates(entries []Entry) Rule {
	r := Rule{Name: "重复同号 what is sent twice has the same number"}
	first := map[string]Entry{}
	for _, e := range entries {
		if understood(e) && e.Wrong != Duplicate {
			first[e.Platform+" "+e.External] = e
		}
	}
	for _, e := range entries {
		if !understood(e) || e.Wrong != Duplicate {
			continue
		}
		f, sent := first[e.Platform+" "+e.External]
		r.look(e, sent && e.Good && slices.Equal(f.Numbers, e.Numbers), "%s：先 before %v，后 after %v；%d %s", e.How, f.Numbers, e.Numbers, e.Status, e.Answer)
	}
	return r
}

func garbageKept(entries []Entry) Rule {
	r := Rule{Name: "无法识别的留存 what nobody understands is kept, and its sender told so"}
	for _, e := range entries {
		if e.Wrong == Garbage && e.Direction == Sent {
			r.look(e, e.Kept != "" && !e.Good && len(e.Numbers) == 0, "%s：%d %s", e.How, e.Status, e.Answer)
		}
	}
	return r
}

func nothingForged(entries []Entry) Rule {
	r := Rule{Name: "伪造与过时不入 nothing forged or out of its time gets in"}
	forged := map[string]bool{}
	for _, e := range entries {
		if e.Wrong == Forged || e.Wrong == Late {
			forged[e.Platform+" "+e.External] = true
			r.look(e, e.Status == 401 && !e.Good && e.Kept == "" && len(e.Numbers) == 0, "%s：%d %s", e.How, e.Status, e.Answer)
		}
	}
	for _, e := range entries {
		if e.Direction == Told && forged[e.Platform+" "+e.External] {
			r.look(e, false, "伪造的申请有了进展 a forged request goes on")
		}
	}
	return r
}

func comeAhead(entries []Entry) Rule {
	r := Rule{Name: "先到的不丢 what came ahead is kept, and taken up when it can be"}
	for _, e := range entries {
		if e.Wrong != OutOfOrder || e.Direction != Sent {
			continue
		}
		// The last answer counts: at first it can't be taken up.
		r.look(e, e.Kept != "" && (e.Good || e.How == mayRemain), "%s：%d %s", e.How, e.Status, e.Answer)
	}
	return r
}

func afterEnds(entries []Entry) Rule {
	r := Rule{Name: "办结后的评价与回访 ratings and visits after the end are taken"}
	for _, e := range entries {
		if e.Direction == Sent && e.How == afterwards {
			r.look(e, e.Good, "%d %s", e.Status, e.Answer)
		}
	}
	return r
}

func rowsSettled(entries []Entry) Rule {
	r := Rule{Name: "前置库回写 every row of the exchange was settled as it should"}
	for _, e := range entries {
		if e.Direction == Row {
			r.look(e, e.Good && e.Fault == "", "SJSCZT=%d %s %s", e.Status, e.Answer, e.Fault)
		}
	}
	return r
}

func proved(entries []Entry) Rule {
	r := Rule{Name: "回传有效 what we are told is signed and well formed"}
	for _, e := range entries {
		if e.Direction == Told {
			r.look(e, e.Fault == "" && e.Reaction != Unproved, "%s", e.Fault)
		}
	}
	return r
}

// inOrder judges each request's states: each taken once and in their order, and
// none told while an earlier one was refused and not told again.
func inOrder(entries []Entry) Rule {
	r := Rule{Name: "状态各一次且有序 each state is told once and in order"}
	chains := map[string]*chain{}
	for _, e := range entries {
		if e.Direction != Told || e.Fault != "" {
			continue
		}
		name := e.Platform + " " + e.External + " " + e.Part
		if chains[name] == nil {
			chains[name] = &chain{}
		}
		broken := chains[name].next(e)
		r.look(e, broken == "", "%s", broken)
	}
	return r
}

// chain is what a platform was told of one request.
type chain struct {
	pending Entry // refused, and not told again yet
	last    Entry // taken
	taken   map[State]int
	stands  bool // the clock stands
}

var rank = map[State]int{received: 1, accepted: 2, inWork: 3, completed: 4, withdrawn: 4, passedOn: 4}

func (c *chain) next(e Entry) string {
	if c.pending.N != 0 && c.pending.State != e.State {
		return fmt.Sprintf("“%s”尚未被接收就报了“%s” was told before the one ahead of it was taken", c.pending.State, e.State)
	}
	if e.Reaction != Took && e.Reaction != TimedOut {
		c.pending = e
		return ""
	}
	c.pending = Entry{}
	meaning := e.Meaning
	if c.taken == nil {
		c.taken = map[State]int{}
	}
	if c.last.State == e.State && e.Key != "" && c.last.Key == e.Key {
		c.last = e // the answer came too late or was lost on its way; who knows the key takes it once
		return ""
	}
	if c.last.Reaction == TimedOut && c.last.State == e.State {
		// It was taken and not answered, so it comes once more, under its key.
		if c.last.Key != e.Key {
			return fmt.Sprintf("“%s”再报时换了标识 came again under another key", e.State)
		}
		c.last = e
		return ""
	}
	if meaning == inWork && c.stands {
		meaning = resumed // platforms that have one word for both
	}
	before := c.last
	c.last = e
	switch meaning {
	case suspended:
		if c.stands {
			return "重复暂停 suspended twice"
		}
		c.stands = true
		return ""
	case resumed:
		if !c.stands {
			return "未暂停就恢复 resumed without having been suspended"
		}
		c.stands = false
		return ""
	default:
	}
	c.taken[meaning]++
	if c.taken[meaning] > 1 {
		return fmt.Sprintf("“%s”报了 %d 次 was told %[2]d times", e.State, c.taken[meaning])
	}
	for m := range c.taken {
		// What was passed on inside goes on, under the same number.
		if m != meaning && m != passedOn && rank[m] >= rank[meaning] {
			return fmt.Sprintf("“%s”在“%s”之后 came after %[2]q", e.State, before.State)
		}
	}
	return ""
}

// recorded judges the records of those who are told of all cases: each case that
// ended well, whoever asked for it, is recorded once, and nothing but ends is.
func recorded(entries []Entry, watching []string) Rule {
	r := Rule{Name: "办结必录 each service that was rendered is recorded once"}
	for _, watcher := range watching {
		records := map[string]map[string]bool{} // keys of those that were taken, by number
		for _, e := range entries {
			if e.Direction != Told || e.Platform != watcher || e.Fault != "" {
				continue
			}
			if records[e.External] == nil {
				records[e.External] = map[string]bool{}
			}
			if e.Reaction == Took || e.Reaction == TimedOut {
				records[e.External][e.Key] = true
			}
			r.look(e, e.Meaning == completed && len(records[e.External]) < 2, "“%s”，共 %d 条记录 %[2]d records", e.State, len(records[e.External]))
		}
		for number, end := range ended(entries) {
			r.look(end, len(records[number]) > 0, "%s 没有记录 has no record at %s", number, watcher)
		}
	}
	return r
}

// ended are the cases of whose good end their own platform knows, by number, as
// far as it knows the number: one request that is several cases has another. Of
// one that was passed on it is the case that goes on.
func ended(entries []Entry) map[string]Entry {
	numbers, goesOn := map[string]string{}, map[string]string{}
	for _, e := range entries {
		if e.Direction == Passed {
			goesOn[e.External] = e.Numbers[0]
		}
		if understood(e) && e.Good && len(e.Numbers) == 1 && !strings.HasPrefix(e.Numbers[0], "J") {
			numbers[e.Platform+" "+e.External] = e.Numbers[0]
		}
	}
	all := map[string]Entry{}
	for _, e := range entries {
		n, known := numbers[e.Platform+" "+e.External]
		if known && e.Direction == Told && e.Meaning == completed && (e.Reaction == Took || e.Reaction == TimedOut) {
			for goesOn[n] != "" {
				n = goesOn[n]
			}
			all[n] = e
		}
	}
	return all
}

func toldAtOnce(waiting []string) Rule {
	return Rule{Name: "及时回告 everything was answered, settled and told at first within the time", Looked: len(waiting), Broken: waiting}
}

func answered(entries []Entry) Rule {
	r := Rule{Name: "皆有应答 nothing was left without an answer"}
	for _, e := range entries {
		if e.Direction == Sent {
			r.look(e, e.Status != 0 && e.Fault == "", "%s", e.Fault)
		}
	}
	return r
}

// count is a line of the table: what went to and came from one platform.
type count struct {
	sent, duplicate, ahead, garbage, forged, rows, taken, kept, turned int
	told, repeated, refused                                            int
}

func counts(entries []Entry) map[string]*count {
	all := map[string]*count{}
	for _, e := range entries {
		c := all[e.Platform]
		if c == nil {
			c = &count{}
			all[e.Platform] = c
		}
		switch e.Direction {
		case Told:
			c.told++
			switch e.Reaction {
			case TimedOut:
				c.repeated++
			case Took:
			default:
				c.refused++
			}
			continue
		case Row:
			c.rows++
		case Sent:
			c.sent++
		case Asked: // has a line of its own
		case Passed: // is no platform's
		}
		switch e.Wrong {
		case Duplicate:
			c.duplicate++
		case OutOfOrder:
			c.ahead++
		case Garbage:
			c.garbage++
		case Late, Forged, Faulty, Guessed:
			c.forged++
		default:
		}
		switch {
		case e.Wrong == Late || e.Wrong == Forged || e.Wrong == Faulty || e.Wrong == Guessed:
			c.turned++
		case e.Good && e.Wrong != Garbage:
			c.taken++
		case e.Kept != "":
			c.kept++
		}
	}
	return all
}

// Print writes the table and the verdict.
func (w *World) Print(out io.Writer) {
	entries := w.ledger.all()
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "平台 platform\t发出 sent\t重复 twice\t乱序 ahead\t乱码 garbage\t伪造/过时 forged\t表行 rows\t接收 taken\t留存 kept\t拒绝 refused\t回告 told\t拒收 not taken\t超时 timed out")
	all := counts(entries)
	for _, s := range slices.Concat(w.senders, w.channels()) {
		c := all[s.ID]
		if c == nil {
			c = &count{}
		}
		fmt.Fprintf(t, "%s %s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", s.ID, s.Name, c.sent, c.duplicate, c.ahead, c.garbage, c.forged, c.rows,
			c.taken, c.kept, c.turned, c.told, c.refused, c.repeated)
	}
	_ = t.Flush()
	w.printBilling(out)
	v := w.Judge()
	for _, r := range v.Rules {
		mark := "✓"
		if len(r.Broken) > 0 {
			mark = "✗"
		}
		fmt.Fprintf(out, "%s %s (%d)\n", mark, r.Name, r.Looked)
		for i, broken := range r.Broken {
			if i == mostShown {
				fmt.Fprintf(out, "    … 另有 %d 处，见账本 and %[1]d more, in the ledger\n", len(r.Broken)-i)
				break
			}
			fmt.Fprintf(out, "    %s\n", broken)
		}
	}
}

// mostShown bounds what is printed of a rule that did not hold.
const mostShown = 10
