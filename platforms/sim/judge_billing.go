package sim

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/curbstop/curbstop/platforms/sim/billing"
)

// billingRules judge what the billing system was asked; none where it was not
// played.
func billingRules(entries []Entry) []Rule {
	if !slices.ContainsFunc(entries, func(e Entry) bool { return e.Direction == Asked || e.How == inquired }) {
		return nil
	}
	return []Rule{onceInBilling(entries), nothingForOwing(entries), paymentsPassedOn(entries), feesTold(entries), toldWhatIsDone(entries)}
}

// deed is what a call changes: an account gets a holder, is closed, or a payment
// is booked. Empty: it changes nothing of that kind.
func deed(e Entry) string {
	switch e.Kind {
	case "holder":
		return "holder " + said(e, "holder.name")
	case "close":
		return "close"
	case payments:
		return "payment " + said(e, "number")
	}
	return ""
}

// onceInBilling: what is asked again, because its answer was lost or nobody
// answered, comes under the key that it had and with the same words.
func onceInBilling(entries []Entry) Rule {
	r := Rule{Name: "计费只办一次 a change of holder, a closing, a payment is done once, however often it was asked"}
	done, asked := map[string]bool{}, map[string]string{}
	for _, e := range entries {
		if e.Direction != Asked || e.Key == "" {
			continue
		}
		what := e.External + " " + e.Kind + " " + e.Body
		before, again := asked[e.Key]
		asked[e.Key] = what
		own := e.External + " " + deed(e)
		r.look(e, e.Fault == "" && (!again || before == what) && !(e.Good && deed(e) != "" && done[own]), "%s %s %d", e.Key, deed(e), e.Status)
		done[own] = done[own] || e.Good
	}
	return r
}

// nothingForOwing judges what is asked, and not only what is done: billing would
// refuse it.
func nothingForOwing(entries []Entry) Rule {
	r := Rule{Name: "欠费不办 no holder is changed and no account closed that owes, unless who pays was agreed"}
	for _, e := range entries {
		if e.Direction == Asked && (e.Kind == "holder" || e.Kind == "close") {
			r.look(e, e.Owed == 0 || said(e, "arrears_payer") != "", "欠 owed %s", yuan(e.Owed))
		}
	}
	return r
}

// reachedBilling tells whether billing has booked a payment, or said why not.
func reachedBilling(entries []Entry, paid Entry) bool {
	return slices.ContainsFunc(entries, func(e Entry) bool {
		if e.Direction != Asked || e.Kind != payments || said(e, "number") != paid.External || said(e, "amount") != said(paid, "amount") {
			return false
		}
		return e.Good || e.Played == string(billing.Refuse) || e.Status >= 400 && e.Status <= 499
	})
}

// payment tells whether somebody was told that their payment is kept or booked.
func payment(e Entry) bool {
	return e.Direction == Sent && e.Good && e.Wrong == "" && strings.HasSuffix(e.Kind, "/"+payments)
}

func paymentsPassedOn(entries []Entry) Rule {
	r := Rule{Name: "缴费皆转交 every payment that was taken is passed on to billing"}
	for _, e := range entries {
		if payment(e) {
			r.look(e, reachedBilling(entries, e), "尚未转交 not passed on")
		}
	}
	return r
}

// unpaid are the payments that have not reached billing yet.
func unpaid(entries []Entry) (missing []string) {
	for _, e := range entries {
		if payment(e) && !reachedBilling(entries, e) {
			missing = append(missing, fmt.Sprintf("%[1]s %[2]s 缴费尚未转交 the payment %[2]s of %[1]s was not passed on", e.Platform, e.External))
		}
	}
	return missing
}

// feesTold judges what the register was told, by what billing answered to the
// question that this made us ask.
func feesTold(entries []Entry) Rule {
	r := Rule{Name: "费用如实告知 the register is told what is owed, that there is no such account, or to ask later"}
	for _, e := range entries {
		if e.How != inquired || e.Status == 0 {
			continue
		}
		i := slices.IndexFunc(entries[e.N:], func(a Entry) bool { return a.Direction == Asked && a.Kind == "account" && a.External == e.External })
		if i < 0 {
			r.look(e, false, "未问计费系统 billing was not asked: %s", e.Answer)
			continue
		}
		switch asked := entries[e.N:][i]; {
		case asked.Played != "":
			r.look(e, !e.Good && saidOwed(e.Answer) == "" && !unknownAccount(e.Answer), "计费系统未答 billing did not say it: %s", e.Answer)
		case asked.Status == http.StatusNotFound:
			r.look(e, !e.Good && saidOwed(e.Answer) == "" && unknownAccount(e.Answer), "无此户号 there is no such account: %s", e.Answer)
		default:
			r.look(e, e.Good && saidOwed(e.Answer) == owedBy(asked.Answer), "应为 %s it should be: %[1]s; %[2]s", owedBy(asked.Answer), e.Answer)
		}
	}
	return r
}

// toldWhatIsDone judges what the register is told of: billing has changed the
// holder, unless it knows no such account or said no, so that a person did it.
func toldWhatIsDone(entries []Entry) Rule {
	r := Rule{Name: "办成才告知 the register is told of a transfer that billing has done"}
	for i, e := range entries {
		if e.Direction != Told || e.Meaning != completed || e.Part == "" || e.Fault != "" {
			continue
		}
		looked := slices.ContainsFunc(entries, func(a Entry) bool { return a.Direction == Asked && a.External == e.Part })
		if e.Kind != "result" || !looked {
			continue
		}
		r.look(e, slices.ContainsFunc(entries[:i], func(a Entry) bool {
			return a.Direction == Asked && a.External == e.Part && (a.Kind == "holder" && a.Good || a.Status == http.StatusNotFound || a.Played == string(billing.Refuse))
		}), "%s", e.Part)
	}
	return r
}

// printBilling says in a line what billing was asked.
func (w *World) printBilling(out io.Writer) {
	if w.books == nil {
		return
	}
	asked, done := 0, 0
	played := map[string]int{}
	for _, e := range w.ledger.all() {
		if e.Direction != Asked {
			continue
		}
		asked++
		if e.Good {
			done++
		}
		if e.Played != "" {
			played[e.Played]++
		}
	}
	fmt.Fprintf(out, "计费系统 billing  被询 asked %d · 已办 done %d · 不通 down %d · 办了但应答丢失 answer lost %d · 乱码 garbage %d · 拒绝 refused %d\n",
		asked, done, played[string(billing.Down)], played[string(billing.LoseAnswer)], played[string(billing.Garbage)], played[string(billing.Refuse)])
}
