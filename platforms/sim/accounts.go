package sim

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"

	"github.com/curbstop/curbstop/platforms/sim/billing"
)

// billingPath is where the stand-in's billing system is, below its address.
const billingPath = "/billing"

// BillingURL is the address of the stand-in's billing system, for a stand-in that
// listens at an address.
func BillingURL(address string) string { return "http://" + address + billingPath }

// Standing is how an account stands with the billing system.
type Standing string

// The standings.
const (
	Clear       Standing = "clear"        // nothing is owed
	Owes        Standing = "owes"         // 欠费
	Prepaid     Standing = "prepaid"      // 预存
	OtherHolder Standing = "other_holder" // billing has another name than who speaks of it
	Unknown     Standing = "unknown"      // billing knows no such account
)

// account is an account that somebody speaks of, as that one knows it.
type account struct {
	number, utility string
	holder          billing.Holder
	place           place
	address         string
}

// account draws the account that a request is about, and opens it in billing, once.
func (d *draw) account(utility string) account {
	p := d.place()
	a := account{number: fmt.Sprintf("9%s%04d", d.mark[len(d.mark)-5:], d.n), utility: utility, place: p, address: p.address(d)}
	a.holder = billing.Holder{Name: d.person(), Phone: d.phone(), ResidentID: d.residentID()}
	standing, owed, read := d.standing, int64(100+d.IntN(30_000)), 1000+float64(d.IntN(4000))
	if standing == "" {
		standing = one(d, Clear, Clear, Clear, Owes, Owes, Prepaid, OtherHolder, Unknown)
	}
	kept := billing.Account{
		Number: a.number, Utility: utility, Holder: a.holder, District: p.code, Address: a.address, Balance: billing.Balance{AsOf: d.now},
		LastReading: &billing.Reading{Value: read, At: d.now.AddDate(0, -1, 0)},
	}
	switch standing {
	case Owes:
		kept.Balance.Owed = owed
	case Prepaid:
		kept.Balance.Credit = owed
	case OtherHolder:
		kept.Holder = billing.Holder{Name: "测试前户主", ResidentID: d.residentID()}
	case Clear, Unknown:
	}
	if d.books != nil && standing != Unknown {
		if _, open := d.books.Account(a.number); !open {
			d.books.Put(kept)
		}
	}
	return a
}

// openBilling mounts the billing system, which puts down whatever it hears.
func (w *World) openBilling() {
	if w.o.BillingToken == "" {
		return
	}
	w.books = billing.New()
	w.books.Token, w.books.Deal = w.o.BillingToken, w.dealBilling
	w.books.Heard = func(c billing.Call) {
		e := Entry{
			Direction: Asked, Platform: "billing", Kind: c.What, External: c.Account, Key: c.Key, Body: c.Body, Status: c.Status, Answer: shorten(c.Answer),
			Played: string(c.Fault), Known: c.Known, Owed: c.Owed, Good: c.Done,
		}
		if c.Status == http.StatusUnauthorized {
			e.Fault = "令牌不符 it came with a wrong token"
		}
		w.ledger.add(e)
	}
}

// dealBilling says what goes wrong with a call to billing. It depends on the seed
// and on what is asked for the nth time, not on what others ask meanwhile; a
// fourth time nothing goes wrong, so that every run ends.
func (w *World) dealBilling(what, account string, nth int) billing.Fault {
	const most = 3
	if w.o.BillingFaults == 0 || nth > most {
		return ""
	}
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %s %s %d", w.o.Seed, what, account, nth) // a hash takes everything
	r := w.fresh(fmt.Sprint(h.Sum64()))
	if r.Float64() >= w.o.BillingFaults {
		return ""
	}
	faults := []billing.Fault{billing.Down, billing.LoseAnswer, billing.Garbage, billing.Refuse}
	return faults[r.IntN(len(faults))]
}

// Billing is the billing system of the scenario; nil where it has none.
func (w *World) Billing() *billing.Server { return w.books }

// inquired says of a message that it asks what an account owes, before the house
// is sold.
const inquired = "过户前查询费用 asked before the transfer"

// inquire asks what the register asks before it sends a transfer.
func (w *World) inquire(ctx context.Context, s sender, p platform, m message) {
	if m.before != nil && w.books != nil {
		w.transmit(ctx, s, p, *m.before, sending{how: inquired})
	}
}

// asksFee is the question for a water account's fees: the fee query of its own,
// or the check of the joint interface.
func asksFee(a account, external, kind string) *message {
	m := asJSON("water/fee", a.number, false, object{"dsffwbs": "", "gzlslid": "TEST", "slbh": external, "xmid": "TEST", "yhdm": a.number})
	if kind == "water/shucheng" {
		m = asJSON(kind, a.number, false, object{"head": object{"servCode": "900011"}, "body": object{"userID": a.number}})
	}
	return &m
}

// Transfer has the property register send the transfer of a water account that
// stands so, beside whatever is played, and gives what it was answered.
func (w *World) Transfer(ctx context.Context, standing Standing) (Entry, error) {
	for _, s := range w.senders {
		if s.Adapter != "property" {
			continue
		}
		p, _ := w.platformOf(s)
		d := w.draw(firstExtra + int(w.extra.Add(1)))
		d.standing = standing
		m := askShucheng(d)
		w.inquire(ctx, s, p, m)
		n := w.transmit(ctx, s, p, m, sending{})
		return w.ledger.all()[n-1], nil
	}
	return Entry{}, fmt.Errorf("没有不动产登记的来件方 no sender has the adapter property")
}

// Customers and what is sent beside a scenario draw numbers of their own, so that
// no account is spoken of twice.
const (
	firstCustomer = 5000
	firstExtra    = 9000
)

// yuan is an amount as the register reads it.
func yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

// saidOwed is what an answer to the register says is owed.
func saidOwed(answer string) string {
	body, err := parse([]byte(answer))
	if err != nil {
		return ""
	}
	if owed := body.text("data.totalOweAmt"); owed != "" {
		return owed
	}
	return body.text("body.totalOweAmt")
}

// owedBy reads what billing answered to a question for an account.
func owedBy(answer string) string {
	body, err := parse([]byte(answer))
	if err != nil {
		return ""
	}
	var owed int64
	if _, err := fmt.Sscan(body.text("balance.owed"), &owed); err != nil {
		return ""
	}
	return yuan(owed)
}

// unknownAccount tells whether an answer says that there is no such account.
func unknownAccount(answer string) bool { return strings.Contains(answer, "没有这个户号") }
