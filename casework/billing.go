package casework

import (
	"slices"
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// ServiceFacts are what is known so far of a transfer, a closing or an order.
type ServiceFacts struct {
	FiledAt    time.Time         `json:"filed_at,omitzero"`    // the certificates that came along are on file
	Obtained   []CertificateKind `json:"obtained,omitempty"`   // those that were missing and were obtained
	Account    *AccountFact      `json:"account,omitempty"`    // what billing, or a person for it, says
	Billing    BillingFact       `json:"billing,omitzero"`     // what billing is being asked
	ToldAt     time.Time         `json:"told_at,omitzero"`     // when the customer was told of arrears
	Settled    *ArrearsInput     `json:"settled,omitempty"`    // how the arrears were settled
	SettleTry  int               `json:"settle_try,omitempty"` // how often settling was reported
	Reading    *MeterReading     `json:"reading,omitempty"`    // at the hand-over or closing
	Confirmed  *TransferInput    `json:"confirmed,omitempty"`
	MeterOffAt time.Time         `json:"meter_off_at,omitzero"` // 拆表或封表
	Bill       *FinalBill        `json:"bill,omitempty"`
	Final      *FinalInput       `json:"final,omitempty"`
	ChangedAt  time.Time         `json:"changed_at,omitzero"` // the billing system has the new holder
	ClosedAt   time.Time         `json:"closed_at,omitzero"`  // the account is closed there
	Reference  string            `json:"reference,omitempty"` // of what billing did, in its own number
	Order      OrderFact         `json:"order,omitzero"`
}

// HolderMatch tells whether the present holder is the one that the request names.
type HolderMatch string

// The outcomes of the comparison.
const (
	HolderMatches  HolderMatch = "match"    // 一致
	HolderDiffers  HolderMatch = "mismatch" // 不一致
	HolderUnknown  HolderMatch = "unknown"  // 来件未写户主
	HolderVerified HolderMatch = "verified" // 经核实
)

// AccountFact is what billing says of an account. It names nobody.
type AccountFact struct {
	Number   string        `json:"number"`
	Found    bool          `json:"found"`
	Holder   HolderMatch   `json:"holder,omitempty"`
	District District      `json:"district,omitempty"`
	Address  string        `json:"address,omitempty"`
	Owed     int64         `json:"owed"`   // fen
	Credit   int64         `json:"credit"` // prepaid, fen
	Reading  float64       `json:"reading"`
	ReadOn   calendar.Date `json:"read_on,omitzero"`
	At       time.Time     `json:"at"`
	Person   bool          `json:"person,omitempty"` // a person entered it
}

// Clear tells whether the account is there and its holder is the right one.
func (a *AccountFact) Clear() bool {
	return a != nil && a.Found && (a.Holder == HolderMatches || a.Holder == HolderVerified)
}

// FinalBill is the last bill of an account that is closed: what is still owed,
// or what is given back.
type FinalBill struct {
	Number string    `json:"number,omitempty"`
	Owed   int64     `json:"owed"`
	Refund int64     `json:"refund"`
	At     time.Time `json:"at"`
}

// BillingQuestion is what a case asks of the billing system.
type BillingQuestion string

// The questions. The first only looks; the others do something there, once.
const (
	AskAccount BillingQuestion = "account"       // 查询账户
	AskBill    BillingQuestion = "final_bill"    // 出最后一期账单
	AskChange  BillingQuestion = "change_holder" // 变更户主
	AskClose   BillingQuestion = "close_account" // 注销账户
)

// Name is the question's Chinese name.
func (q BillingQuestion) Name() string {
	switch q {
	case AskAccount:
		return "查询账户"
	case AskBill:
		return "出具最后一期账单"
	case AskChange:
		return "变更户主"
	case AskClose:
		return "注销账户"
	}
	return string(q)
}

// BillingTrouble is why billing did not do what it was asked, so that a person
// does it, or says what billing would have said.
type BillingTrouble string

// The troubles.
const (
	BillingNotConnected BillingTrouble = "not_connected" // 未接通: this installation has none
	BillingUnavailable  BillingTrouble = "unavailable"   // 暂不可用: it is asked again and again
	BillingRefused      BillingTrouble = "refused"       // 被拒绝, with a reason
	BillingNotFound     BillingTrouble = "not_found"     // 无此户号
)

// Text says what a trouble means.
func (t BillingTrouble) Text() Text {
	switch t {
	case BillingNotConnected:
		return Say("计费系统未接通，请人工办理", "billing is not connected; a person does it")
	case BillingUnavailable:
		return Say("计费系统暂不可用，系统持续重试，也可人工办理", "billing does not answer; it is asked again, and a person may do it meanwhile")
	case BillingRefused:
		return Say("计费系统拒绝，请人工处理", "billing refused; a person looks into it")
	case BillingNotFound:
		return Say("计费系统无此户号，请核实", "billing knows no such account; check the number")
	}
	return Text{}
}

// BillingFact is what billing is being asked.
type BillingFact struct {
	Question BillingQuestion `json:"question,omitempty"` // that waits for an answer
	Round    int             `json:"round,omitempty"`    // questions so far; part of the key of what is done there
	Trouble  BillingTrouble  `json:"trouble,omitempty"`  // with the last question
	Reason   string          `json:"reason,omitempty"`   // in billing's words
}

// BillingAnswer is what came of a question.
type BillingAnswer struct {
	Question  BillingQuestion `json:"question"`
	Round     int             `json:"round"`
	Trouble   BillingTrouble  `json:"trouble,omitempty"`
	Reason    string          `json:"reason,omitempty"`
	Account   *AccountFact    `json:"account,omitempty"`
	Bill      *FinalBill      `json:"bill,omitempty"`
	Reference string          `json:"reference,omitempty"`
}

// AskBilling has billing asked a question, once: a question that waits, or whose
// last answer was a trouble, waits for a person or is asked again by one.
func (k *Case) AskBilling(q BillingQuestion) {
	b := &k.Served.Billing
	if b.Question == q || b.Trouble != "" {
		return
	}
	k.askAgain(q)
}

// askAgain asks anew, whatever came of it before.
func (k *Case) askAgain(q BillingQuestion) {
	b := &k.Served.Billing
	*b = BillingFact{Question: q, Round: b.Round + 1}
}

// RecheckBalance asks once more whether what was owed has been paid, while the
// case waits for it.
func (k *Case) RecheckBalance() {
	if k.AwaitsPayment() && k.Served.Billing.Question == "" {
		k.askAgain(AskAccount)
	}
}

// AwaitsPayment tells whether the case waits for arrears to be paid of which
// billing will know.
func (k *Case) AwaitsPayment() bool {
	_, waiting := k.Live(SettleArrears, "")
	return waiting && k.Served.Account != nil && !k.Served.Account.Person
}

// HeldUp tells whether a question to billing needs a person.
func (k *Case) HeldUp() bool { return k.Served.Billing.Trouble != "" }

// BillingUnanswered notes that billing has not answered for a while. It is
// asked on; meanwhile a person may do it.
func (k *Case) BillingUnanswered(round int, now time.Time) {
	b := &k.Served.Billing
	if b.Question == "" || b.Round != round || b.Trouble != "" || k.Status.Ended() {
		return
	}
	b.Trouble = BillingUnavailable
	k.troubled(b.Question, now)
}

func (k *Case) troubled(q BillingQuestion, now time.Time) {
	b := &k.Served.Billing
	text := b.Trouble.Text()
	k.record(now, System(), BillingTroubled, "", Sayf("%[1]s：%[2]s", "%[3]s: %[4]s", q.Name(), text.ZH, q, text.EN), reasonData(b.Reason))
}

// BillingAnswers takes over what billing said. An answer to a question that
// nobody asks any more changes nothing.
func (k *Case) BillingAnswers(a BillingAnswer, now time.Time) {
	b := &k.Served.Billing
	if b.Question != a.Question || b.Round != a.Round || k.Status.Ended() {
		return
	}
	*b = BillingFact{Round: b.Round, Trouble: a.Trouble, Reason: a.Reason}
	if a.Trouble != "" {
		k.troubled(a.Question, now)
		return
	}
	k.record(now, System(), BillingAnswered, "", Sayf("计费系统已答复：%[1]s", "billing answered: %[2]s", a.Question.Name(), a.Question), nil)
	switch a.Question {
	case AskAccount:
		k.learnAccount(*a.Account, now)
		k.doneBySystem(CheckAccount, k.Served.Account.Clear(), now)
		if k.Served.Account.Owed == 0 {
			k.doneBySystem(SettleArrears, true, now)
		}
	case AskBill:
		k.Served.Bill = a.Bill
		k.doneBySystem(SettleFinal, a.Bill.Owed == 0 && a.Bill.Refund == 0, now)
	case AskChange:
		k.changed(a.Reference, System(), now)
		k.doneBySystem(ChangeHolder, true, now)
	case AskClose:
		k.closed(a.Reference, System(), now)
		k.doneBySystem(CloseAccount, true, now)
	}
}

// doneBySystem ends a task that a person need not do any more, because billing
// has answered.
func (k *Case) doneBySystem(kind TaskKind, really bool, now time.Time) {
	t, ok := k.Live(kind, "")
	if !ok || !really {
		return
	}
	t.State, t.DoneAt, t.DoneBy, t.Outcome = TaskDone, now, System().ID, done
	k.closeDeadline(t.ID, true, now, now)
	k.changes.task(*t)
	k.record(now, System(), TaskCompleted, t.ID, Sayf("完成任务：%[1]s（计费系统已办）", "task done: %[2]s (billing has done it)", t.Title(), t.Kind), nil)
	k.dropEnded()
}

// learnAccount takes over what is said of the account, and with it the place
// that the sender did not know.
func (k *Case) learnAccount(a AccountFact, now time.Time) {
	a.At = now
	if before := k.Served.Account; before != nil && before.Holder == HolderVerified && before.Number == a.Number {
		a.Holder = HolderVerified
	}
	k.Served.Account = &a
	if k.Request.Site.District == AllDistricts && a.District.Valid() {
		k.Request.Site.District = a.District
	}
	if k.Request.Site.Address == "" {
		k.Request.Site.Address = a.Address
	}
}

// Compare tells whether the holder that billing knows is the one whom the
// request names. Identity numbers decide where both sides have one.
func (h AccountHolder) Compare(known AccountHolder) HolderMatch {
	h, known = h.normalise(), known.normalise()
	for _, ids := range [][2]string{{h.ResidentID, known.ResidentID}, {h.CreditCode, known.CreditCode}} {
		if ids[0] != "" && ids[1] != "" && ids[0] != ids[1] {
			return HolderDiffers
		}
	}
	switch {
	case plain(h.Name) == "":
		return HolderUnknown
	case plain(h.Name) == plain(known.Name):
		return HolderMatches
	}
	return HolderDiffers
}

// Arrears tells whether what is owed stands in the way: it was neither paid nor
// agreed upon.
func (k *Case) Arrears() bool {
	s := &k.Served
	return s.Account != nil && s.Account.Owed > 0 && (s.Settled == nil || s.Settled.How != SettledByAgreement)
}

// TellOfArrears tells the customer what is owed, once.
func (k *Case) TellOfArrears(now time.Time) {
	if !k.Served.ToldAt.IsZero() {
		return
	}
	k.Served.ToldAt = now
	k.record(now, System(), ArrearsFound, "", Sayf("账户尚欠费 %[1]s 元，已告知客户", "%[1]s yuan are owed; the customer is told", yuan(k.Served.Account.Owed)), nil)
	k.touch(now, System(), ZeroBurden, false, Say("告知欠费金额及办法", "told what is owed and what can be done"))
}

func yuan(fen int64) string { return Worth(fen) }

// changed notes that billing has the new holder.
func (k *Case) changed(reference string, by Actor, now time.Time) {
	k.Served.ChangedAt, k.Served.Reference = now, reference
	k.record(now, by, HolderChanged, "", Say("户主已变更，已告知双方", "the account has its new holder; both are told"), referenceData(reference))
	k.touch(now, by, ZeroBurden, false, Say("告知新户主过户完成", "the new holder is told"))
	k.touch(now, by, ZeroBurden, false, Say("告知原户主过户完成", "the former holder is told"))
	k.finishService(Say("过户完成", "the transfer is done"), now)
}

// closed notes that the account is closed in billing.
func (k *Case) closed(reference string, by Actor, now time.Time) {
	k.Served.ClosedAt, k.Served.Reference = now, reference
	k.record(now, by, AccountClosed, "", Say("账户已注销，已告知客户", "the account is closed; the customer is told"), referenceData(reference))
	k.touch(now, by, ZeroBurden, false, Say("告知销户完成", "told that the account is closed"))
	k.finishService(Say("销户完成", "the closing is done"), now)
}

func referenceData(reference string) any {
	if reference == "" {
		return nil
	}
	return map[string]string{"reference": reference}
}

// finishService notes that what was asked for is done; the customer is called next.
func (k *Case) finishService(note Text, now time.Time) {
	k.CompletedAt = now
	k.record(now, System(), CaseCompleted, "", note, nil)
}

// ClearAccount notes, once, that certificates and account are in order: the
// application is accepted.
func (k *Case) ClearAccount(now time.Time) {
	if !k.ApplicationAt.IsZero() {
		return
	}
	k.ApplicationAt = now
	k.record(now, System(), ApplicationAccepted, "", Sayf("受理%[1]s申请", "application for %[2]s accepted", k.Kind.Name(), k.Kind), nil)
	k.record(now, System(), AccountCleared, "", Say("证照与账户核验无误", "certificates and account are in order"), nil)
}

// BillingRequest is a payment or an invoice that somebody asks of billing
// through us: written down first, then sent until billing has answered.
type BillingRequest struct {
	ID      string             `json:"id"`
	Kind    BillingRequestKind `json:"kind"`
	Account string             `json:"account"`
	Case    string             `json:"case,omitempty"` // of the customer who asked
	Channel Channel            `json:"channel,omitempty"`
	By      string             `json:"by"`
	Source  BillingSource      `json:"source,omitempty"`
	At      time.Time          `json:"at"`
	// Holder is the name that proves that a stranger may ask: nothing is passed on
	// before billing has been asked whether the account has that holder. Empty where
	// somebody is known who may.
	Holder string `json:"holder,omitempty"`

	// What is asked: an amount in fen; for a payment the way it was paid and the
	// payer's own number; for an invoice to whom it is written.
	Amount  int64  `json:"amount,omitempty"`
	Way     string `json:"way,omitempty"`
	Number  string `json:"number,omitempty"`
	Title   string `json:"title,omitempty"`
	TaxCode string `json:"tax_code,omitempty"`
	Email   string `json:"email,omitempty"`

	State     BillingState `json:"state"`
	Tries     int          `json:"tries"`
	Started   bool         `json:"-"`
	SettledAt time.Time    `json:"settled_at,omitzero"`
	Reference string       `json:"reference,omitempty"` // billing's own number of it
	Reason    string       `json:"reason,omitempty"`    // why it was refused, in billing's words
}

// BillingRequestKind tells a payment from an invoice.
type BillingRequestKind string

// The kinds.
const (
	PaymentRequest BillingRequestKind = "payment" // 缴费
	InvoiceRequest BillingRequestKind = "invoice" // 开票
)

// BillingSource is who says what billing is asked to book: what a customer only
// reports, billing verifies.
type BillingSource string

// The sources.
const (
	ByStaff    BillingSource = "staff"    // 工作人员
	ByPlatform BillingSource = "platform" // 平台
	ByCustomer BillingSource = "customer" // 客户本人
)

// BillingSourceOf tells which source somebody is.
func BillingSourceOf(by Actor) BillingSource {
	switch {
	case by.Has(Customer):
		return ByCustomer
	case by.Has(Platform):
		return ByPlatform
	}
	return ByStaff
}

// BillingState is where a request to billing stands.
type BillingState string

// The states.
const (
	BillingPending BillingState = "pending" // 待计费系统确认: kept, and sent until billing answers
	BillingDone    BillingState = "done"    // 已办
	BillingDenied  BillingState = "refused" // 被拒绝
)

// PaymentWays are how customers pay.
func PaymentWays() []string { return []string{"wechat", "alipay", "bank", "cash", "platform"} }

// maxPayment bounds one payment, in fen: what is more is a slip of the pen.
const maxPayment = 10_000_000_00

// Validate judges what somebody asks and names every field that is wrong.
func (r BillingRequest) Validate() error {
	var c Check
	checkAccountNumber(&c, r.Account)
	c.Require(r.Channel == "" || r.Channel.Valid(), "channel", Sayf("渠道应为：%s", "channel must be one of: %s", joinAny(Channels())))
	c.Require(len([]rune(r.Holder)) <= maxName, "holder", tooLong(maxName))
	c.Require(len([]rune(r.Number)) <= maxNumber, "number", tooLong(maxNumber))
	switch r.Kind {
	case PaymentRequest:
		c.Require(r.Amount > 0 && r.Amount <= maxPayment, "amount", Say("金额应大于 0，不超过一千万元（单位：分）", "the amount must be above 0 and at most ten million yuan, in fen"))
		oneOf(&c, "way", r.Way, PaymentWays()...)
		text(&c, "number", r.Number, true) // without it nobody could prove the payment
	case InvoiceRequest:
		text(&c, "title", r.Title, true)
		c.Require(r.Amount >= 0 && r.Amount <= maxPayment, "amount", Say("金额不能为负；不填为全部未开票金额", "must not be negative; left out: whatever has no invoice yet"))
		if r.TaxCode != "" {
			c.Nested("tax_code", CheckCreditCode(r.TaxCode))
		}
		c.Require(r.Email == "" || MailAddress(r.Email), "email", Say("邮箱应写作 name@example.cn", "an email address is written name@example.cn"))
	default:
		c.Field("kind", Say("应为 payment（缴费）或 invoice（开票）", "must be payment or invoice"))
	}
	return c.Err()
}

// Same tells whether two requests ask for the same: under one key only one thing
// can be asked.
func (r BillingRequest) Same(o BillingRequest) bool {
	return r.Kind == o.Kind && r.Account == o.Account && r.Amount == o.Amount && r.Way == o.Way && r.Number == o.Number &&
		r.Holder == o.Holder && r.Title == o.Title && r.TaxCode == o.TaxCode && r.Email == o.Email
}

// CheckAccountNumber judges an account number (户号).
func CheckAccountNumber(s string) error {
	var c Check
	checkAccountNumber(&c, s)
	return c.Err()
}

func checkAccountNumber(c *Check, s string) {
	c.Require(accountPattern.MatchString(s), "account",
		Say("户号应为 6 至 20 位数字、大写字母或连字符", "an account number has 6 to 20 digits, capital letters or dashes"))
}

// AccountOf is the account that a case is about; empty while it has none.
func (k *Case) AccountOf() string {
	switch {
	case k.Service != nil:
		return k.Service.Account
	case k.Account != nil:
		return k.Account.AccountNumber
	}
	return ""
}

// BillingStates lists the states.
func BillingStates() []BillingState {
	return []BillingState{BillingPending, BillingDone, BillingDenied}
}

// Valid tells whether s is a state.
func (s BillingState) Valid() bool { return slices.Contains(BillingStates(), s) }

// BillingFilter selects requests to billing; a zero field selects all.
type BillingFilter struct {
	Account string
	State   BillingState
	Page
}
