package casework

import (
	"fmt"
	"slices"
	"time"
)

// FixedPrice makes an item of the price list the fixed price (一口价) of a small
// gas connection: everything that may be charged for it, in one amount.
type FixedPrice struct {
	Class CustomerClass `json:"class" yaml:"class"` // for whom
	Meter MeterSize     `json:"meter" yaml:"meter"` // up to this size
}

// FixedPrice gives the fixed price of a small connection with a meter: the item
// for the smallest size that covers it; false where the list has none.
func (t Terms) FixedPrice(class CustomerClass, m MeterSize) (Price, bool) {
	var best Price
	found := false
	for _, p := range t.Prices {
		if p.Utility != Gas || p.Fixed == nil || p.Fixed.Class != class || m.exceeds(p.Fixed.Meter) {
			continue
		}
		if !found || best.Fixed.Meter.exceeds(p.Fixed.Meter) {
			best, found = p, true
		}
	}
	return best, found
}

// Quantity is so many units of an item of the price list.
type Quantity struct {
	Item     string `json:"item" doc:"价目表项目编号 code in the case's price list"`
	Quantity int64  `json:"quantity" doc:"数量 units of the item"`
	// Kind may be left out. What may never be charged is refused by its rule.
	Kind ChargeKind `json:"kind,omitempty" doc:"收费类别，可不填；计量装置及红线外一律不得收费 kind of charge; may be left out"`
}

// maxLines bounds the lines of a quote.
const maxLines = 40

// forbidden refuses lines that ask money for what may never be charged, with
// the name of the rule.
func forbidden(lines []Quantity) error {
	for _, l := range lines {
		if l.Kind == MeteringDevice || l.Kind == OutsideProperty {
			return CheckCharge(Charge{Kind: l.Kind})
		}
	}
	return nil
}

// checkQuantities names every line that the case's price list does not know.
func (k *Case) checkQuantities(c *Check, field string, lines []Quantity) {
	c.Require(len(lines) <= maxLines, field, Sayf("最多 %d 项", "at most %d lines", maxLines))
	for i, l := range lines {
		at := fmt.Sprintf("%s[%d]", field, i)
		p, listed := k.Terms.Price(l.Item)
		switch {
		case !listed || p.Utility != k.Request.Utility:
			c.Field(at+".item", Sayf("应为价目表中的项目：%s", "must be an item of the price list: %s", k.priceCodes()))
		case p.Fixed != nil:
			c.Field(at+".item", Sayf("%s 是小型工程一口价，不与其他项目合计", "%s is the fixed price of small connections and no part of another quote", p.Code))
		case l.Kind != "" && l.Kind != p.Kind:
			c.Field(at+".kind", Sayf("项目 %[1]s 的收费类别为 %[2]s", "the kind of item %[1]s is %[2]s", p.Code, p.Kind))
		}
		c.Require(l.Quantity >= 1 && l.Quantity <= maxQuantity, at+".quantity", Sayf("数量应为 1 至 %d", "quantity must be from 1 to %d", maxQuantity))
		c.Require(!slices.ContainsFunc(lines[:i], func(o Quantity) bool { return o.Item == l.Item }), at+".item",
			Sayf("项目重复：%s", "named twice: %s", l.Item))
	}
}

// Quote is what a gas connection will cost the customer (报价), worked out by
// the price list; no amount in it was typed by anybody.
type Quote struct {
	Fixed    bool        `json:"fixed,omitempty"` // 一口价
	Lines    []QuoteLine `json:"lines"`
	Total    int64       `json:"total"` // fen
	MadeAt   time.Time   `json:"made_at"`
	AgreedAt time.Time   `json:"agreed_at,omitzero"`
	AgreedBy Consent     `json:"agreed_by,omitempty"`
}

// QuoteLine is one item of a quote, as the price list had it.
type QuoteLine struct {
	Item     string     `json:"item"`
	Name     string     `json:"name"`
	Kind     ChargeKind `json:"kind"`
	Unit     string     `json:"unit"`
	Fen      int64      `json:"fen"` // for one unit
	Quantity int64      `json:"quantity"`
	Amount   int64      `json:"amount"` // fen
	Source   string     `json:"source"` // the document that sets the price
}

// Consent is how a customer agreed to something.
type Consent string

// The ways.
const (
	ConsentOnline Consent = "online"  // 凭查询码在线确认
	ConsentPaper  Consent = "paper"   // 书面
	ConsentOnSite Consent = "on_site" // 现场
	ConsentPhone  Consent = "phone"   // 电话
)

// Name is the way's Chinese name.
func (w Consent) Name() string {
	switch w {
	case ConsentOnline:
		return "凭查询码在线确认"
	case ConsentPaper:
		return "书面"
	case ConsentOnSite:
		return "现场"
	case ConsentPhone:
		return "电话"
	}
	return string(w)
}

// NewQuote works out a quote by a price list: each item's price times its
// quantity, and their sum. What the list does not know has no place in it.
func NewQuote(t Terms, lines []Quantity, now time.Time) Quote {
	q := Quote{Lines: []QuoteLine{}, MadeAt: now}
	for _, l := range lines {
		p, ok := t.Price(l.Item)
		if !ok {
			continue
		}
		line := QuoteLine{Item: p.Code, Name: p.Name, Kind: p.Kind, Unit: p.Unit, Fen: p.Fen, Quantity: l.Quantity, Amount: p.Fen * l.Quantity, Source: p.Source}
		q.Lines, q.Total = append(q.Lines, line), q.Total+line.Amount
	}
	return q
}

// quote makes the quote of the case: the fixed price, or the lines of a design
// of its own.
func (k *Case) quote(lines []Quantity, by Actor, now time.Time) {
	fixed := lines == nil
	if p, ok := k.Terms.FixedPrice(k.Request.Class(), k.ChosenDesign().Meter); ok && fixed {
		lines = []Quantity{{Item: p.Code, Quantity: 1}}
	}
	q := NewQuote(k.Terms, lines, now)
	q.Fixed = fixed
	k.Gas.Quote = &q
	k.needDraft(Quotation)
	how := Say("按价目表项目", "by the items of the price list")
	if fixed {
		how = Say("一口价", "fixed price")
	}
	k.record(now, by, QuoteMade, "", Text{
		ZH: fmt.Sprintf("出具报价：%s，共 %.2f 元", how.ZH, float64(q.Total)/100),
		EN: fmt.Sprintf("quote made, %s: %.2f yuan", how.EN, float64(q.Total)/100),
	}, q)
}

// AgreementInput completes agree_quote.
type AgreementInput struct {
	Agreed   bool      `json:"agreed" doc:"客户同意报价 the customer agrees to the quote"`
	AgreedAt time.Time `json:"agreed_at,omitzero" doc:"同意时间 when they agreed"`
	AgreedBy Consent   `json:"agreed_by,omitempty" enum:"paper,on_site,phone" doc:"同意方式 how they agreed"`
	Wish     string    `json:"wish,omitempty" doc:"不同意时：客户要求如何调整方案 what the customer wants otherwise"`
	Note     string    `json:"note,omitempty" doc:"备注 note"`
}

func (in *AgreementInput) gate(k *Case, _ *Task) error { return k.mayAgree() }

// mayAgree refuses an agreement while there is nothing to agree to.
func (k *Case) mayAgree() error {
	switch q := k.Gas.Quote; {
	case q == nil:
		return Refuse(Conflict, "no_quote", Say("报价尚未出具", "there is no quote yet"))
	case !q.AgreedAt.IsZero():
		return Refuse(Conflict, "already_confirmed", Sayf("报价已于 %s 同意", "agreed already at %s", Clock(q.AgreedAt)))
	case len(k.Charges)+len(q.Lines) > maxCharges:
		return Refuse(Conflict, "too_many_charges", Sayf("每案最多 %d 项收费", "a case holds at most %d charges", maxCharges))
	}
	return nil
}

func (in *AgreementInput) check(c *Check, k *Case, _ *Task, now time.Time) {
	text(c, "note", in.Note, false)
	text(c, "wish", in.Wish, !in.Agreed)
	if !in.Agreed {
		c.Require(in.AgreedAt.IsZero() && in.AgreedBy == "", "agreed", Say("不同意时不填同意时间和方式", "neither time nor way makes sense without agreement"))
		return
	}
	c.Require(in.Wish == "", "wish", Say("同意时不填此项", "makes no sense when the customer agrees"))
	past(c, k, "agreed_at", in.AgreedAt, now)
	oneOf(c, "agreed_by", in.AgreedBy, ConsentPaper, ConsentOnSite, ConsentPhone)
	if q := k.Gas.Quote; q != nil && !in.AgreedAt.IsZero() {
		c.Require(!in.AgreedAt.Before(q.MadeAt.Add(-clockSkew)), "agreed_at", Sayf("同意时间早于报价出具时间（%s）", "agreed before the quote was made (%s)", Clock(q.MadeAt)))
	}
}

func (in *AgreementInput) apply(k *Case, _ *Task, by Actor, now time.Time) string {
	if in.Agreed {
		k.agree(in.AgreedBy, in.AgreedAt, by, now)
		return "agreed"
	}
	// The connection is designed anew as the customer wants it, and priced anew.
	k.Gas.Revisions++
	k.Gas.Design, k.Gas.Quote, k.DesignConfirmedAt = nil, nil, time.Time{}
	k.judgeScale(by, Scale{Reasons: []Text{Say("客户要求调整方案", "the customer wants another design")}}, Design{}, now)
	k.relimit()
	k.touch(now, by, ZeroBurden, false, Say("商务洽谈，客户要求调整方案", "negotiated; the customer wants another design"))
	return "revise"
}

// agree records the customer's consent to the quote and with it to the design
// that it prices; what is charged goes on record line by line.
func (k *Case) agree(how Consent, at time.Time, by Actor, now time.Time) {
	q := k.Gas.Quote
	q.AgreedAt, q.AgreedBy = at, how
	if k.DesignConfirmedAt.IsZero() {
		k.DesignConfirmedAt = at
	}
	k.touch(now, by, ZeroBurden, false, Say("客户同意报价", "the customer agreed to the quote"))
	k.record(now, by, QuoteAgreed, "", Sayf("客户同意报价（%[1]s）", "quote agreed by the customer (%[2]s)", how.Name(), how), nil)
	for _, l := range q.Lines {
		ch := Charge{
			ID: fmt.Sprintf("%s-C%d", k.Number, len(k.Charges)+1), Kind: l.Kind, Amount: l.Amount, Note: l.Name + "，" + l.Source,
			At: now, By: by.ID, Item: l.Item, Quantity: l.Quantity,
		}
		k.Charges = append(k.Charges, ch)
		k.touch(now, by, ZeroFee, true, Sayf("收费 %.2f 元", "charged %.2f yuan", float64(ch.Amount)/100))
		k.record(now, by, ChargeProposed, "", Sayf("登记收费：%s", "charge: %s", ch.Kind), ch)
	}
}

// ConfirmQuote is the customer's own consent to the quote.
type ConfirmQuote struct{ By }

// Apply implements [Action].
func (a ConfirmQuote) Apply(k *Case, now time.Time) error {
	if err := a.may(k, Customer); err != nil {
		return err
	}
	if err := k.stillOpen(); err != nil {
		return err
	}
	if err := k.mayAgree(); err != nil {
		return err
	}
	k.agree(ConsentOnline, now, a.Actor, now)
	k.finish(AgreeQuote, "", "agreed", a.Actor, now)
	return nil
}

// stillOpen refuses what only makes sense while the connection goes on.
func (k *Case) stillOpen() error {
	if k.Status == Withdrawing {
		return Refuse(Conflict, "already_withdrawing", Say("案件正在撤回", "the case is being withdrawn already"))
	}
	return nil
}

// ConnectionDesignInput completes design_connection: the connection that is not
// small, designed on its own, and what of it is charged.
type ConnectionDesignInput struct {
	Design  Design       `json:"design" doc:"设计方案 design"`
	Lines   []Quantity   `json:"lines,omitempty" doc:"红线内工程量，按价目表；没有收费项目时不填 what is charged, by the price list; none where nothing is"`
	Permits []PermitNeed `json:"permits,omitempty" doc:"设计发现还需办理的市政审批 further permits that the design found necessary"`
	Note    string       `json:"note,omitempty" doc:"备注 note"`
}

func (in *ConnectionDesignInput) gate(k *Case, _ *Task) error {
	if err := forbidden(in.Lines); err != nil {
		return err
	}
	// Each design has its own drawing.
	if k.countDocuments(ConstructionDrawing) <= k.Gas.Revisions {
		return k.missingDocument(ConstructionDrawing)
	}
	return nil
}

func (in *ConnectionDesignInput) check(c *Check, k *Case, _ *Task, _ time.Time) {
	in.Design.checkGas(c, "design", k.Terms.gasAtlas(), false)
	k.checkQuantities(c, "lines", in.Lines)
	checkPermits(c, in.Permits)
	text(c, "note", in.Note, false)
}

func (in *ConnectionDesignInput) apply(k *Case, _ *Task, by Actor, now time.Time) string {
	k.Gas.Design, k.Gas.DesignedAt = in, now
	for _, p := range in.Permits {
		if k.permit(p.Kind) == nil {
			k.Permits = append(k.Permits, Permit{PermitNeed: p, Route: p.Route(), Attempt: 1})
		}
	}
	lines := in.Lines
	if lines == nil {
		lines = []Quantity{}
	}
	k.quote(lines, by, now)
	return done
}
