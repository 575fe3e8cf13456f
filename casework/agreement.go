package casework

import (
	"slices"
	"strings"
	"time"
)

// DeferredItem is something that a request may lack and is accepted without
// (容缺受理, measures part 3, item 1). It gates the contracts and nothing else.
type DeferredItem string

// CreditCodeItem is the only item that is deferred: an organisation's code.
const CreditCodeItem DeferredItem = "credit_code"

// Valid tells whether i is an item that can be deferred.
func (i DeferredItem) Valid() bool { return i == CreditCodeItem }

// Name is the item's Chinese name.
func (i DeferredItem) Name() string {
	if i == CreditCodeItem {
		return "统一社会信用代码"
	}
	return string(i)
}

// Deferred lists what the case was accepted without and still lacks.
func (k *Case) Deferred() []DeferredItem {
	if k.gas() && !k.Request.Applicant.Person && k.Request.Applicant.CreditCode == "" {
		return []DeferredItem{CreditCodeItem}
	}
	return nil
}

// deferredMissing refuses what must wait for the items that were deferred.
func (k *Case) deferredMissing() error {
	items := k.Deferred()
	if len(items) == 0 {
		return nil
	}
	f := Refuse(Conflict, "deferred_missing", Sayf("容缺受理的%[1]s尚未补齐，补齐后方可签订合同", "%[2]s was deferred when the request was accepted and is due before the contracts", items[0].Name(), items[0]))
	f.Rule = "measures 3.1.1"
	return f
}

// DeferredInput completes complete_deferred.
type DeferredInput struct {
	CreditCode         string `json:"credit_code" doc:"统一社会信用代码 unified social credit code"`
	CreditCodeOverride string `json:"credit_code_override,omitempty" doc:"校验码不符仍受理的理由 reason to accept a code that fails its check"`
}

func (in *DeferredInput) check(c *Check, k *Case, _ *Task, _ time.Time) {
	a := in.of(k.Request.Applicant)
	if a.CreditCode == "" {
		c.Field("credit_code", Say("请填写统一社会信用代码（18位）", "the unified social credit code (18 characters) is missing"))
		return
	}
	var own Check
	a.check(&own, k.Request.Utility)
	for _, f := range own.fields {
		if field := strings.TrimPrefix(f.Field, "applicant."); strings.HasPrefix(field, "credit_code") {
			c.Field(field, f.Text)
		}
	}
}

// of gives the applicant with the code.
func (in *DeferredInput) of(a Applicant) Applicant {
	a.CreditCode, a.CreditCodeOverride = NormaliseCreditCode(in.CreditCode), in.CreditCodeOverride
	return a
}

func (in *DeferredInput) apply(k *Case, _ *Task, by Actor, now time.Time) string {
	k.Request.Applicant = in.of(k.Request.Applicant)
	k.touch(now, by, ZeroDocument, false, Say("补齐容缺项", "what was deferred was completed"))
	return done
}

// settleAmended does what follows from a correction of the request: what was
// deferred may be there now, and contracts that nobody has signed are written
// anew with what is right.
func (k *Case) settleAmended(by Actor, now time.Time) {
	if k.gas() && len(k.Deferred()) == 0 {
		k.finish(CompleteDeferred, string(CreditCodeItem), done, by, now)
	}
	for _, c := range k.Gas.Contracts {
		if c.SignedAt.IsZero() {
			k.needDraft(c.Kind.document())
		}
	}
}

// finish ends a live task whose work was done by another way than the task
// itself: the customer did it, or a correction made it needless.
func (k *Case) finish(kind TaskKind, qualifier, outcome string, by Actor, now time.Time) {
	t, ok := k.Live(kind, qualifier)
	if !ok {
		return
	}
	t.State, t.DoneAt, t.DoneBy, t.Outcome = TaskDone, now, by.ID, outcome
	k.closeDeadline(t.ID, true, now, now)
	k.changes.task(*t)
	k.record(now, by, TaskCompleted, t.ID, Sayf("完成任务：%[1]s（%[3]s）", "task done: %[2]s (%[3]s)", t.Title(), t.Kind, outcome), nil)
	k.dropEnded()
}

// ContractKind names a contract that a gas customer signs before construction.
type ContractKind string

// The contracts (measures part 3, item 2).
const (
	ConnectionContractKind ContractKind = "connection_contract" // 入户合同
	SupplyContractKind     ContractKind = "supply_contract"     // 用气合同
)

// ContractKinds lists them.
func ContractKinds() []ContractKind {
	return []ContractKind{ConnectionContractKind, SupplyContractKind}
}

// Valid tells whether c is one of the contracts.
func (c ContractKind) Valid() bool { return slices.Contains(ContractKinds(), c) }

// Name is the contract's Chinese name.
func (c ContractKind) Name() string { return c.document().Name() }

// document is the paper that the contract is: its kind has the same name.
func (c ContractKind) document() DocumentKind { return DocumentKind(c) }

// Contract is one contract of a case.
type Contract struct {
	Kind      ContractKind `json:"kind"`
	Number    string       `json:"number"` // 合同编号
	DraftedAt time.Time    `json:"drafted_at"`
	SignedAt  time.Time    `json:"signed_at,omitzero"`
	SignedBy  Consent      `json:"signed_by,omitempty"` // on paper, or online
	Signatory string       `json:"signatory,omitempty"` // who signed for the customer, where not the contact
	VoidedAt  time.Time    `json:"voided_at,omitzero"`  // 作废: after a withdrawal
}

// Contract gives the case's contract of a kind; nil where it is not drafted.
func (k *Case) Contract(kind ContractKind) *Contract {
	for i := range k.Gas.Contracts {
		if k.Gas.Contracts[i].Kind == kind {
			return &k.Gas.Contracts[i]
		}
	}
	return nil
}

// DraftContracts has the contracts of the customer's class written that are not
// yet. The caller has seen that the quote is agreed, the application accepted
// and nothing deferred.
func (k *Case) DraftContracts(now time.Time) {
	for _, kind := range k.Terms.Gas.Class(k.Request.Class()).Contracts {
		if k.Contract(kind) != nil {
			continue
		}
		number := k.Number + "-RH"
		if kind == SupplyContractKind {
			number = k.Number + "-YQ"
		}
		k.Gas.Contracts = append(k.Gas.Contracts, Contract{Kind: kind, Number: number, DraftedAt: now})
		k.needDraft(kind.document())
	}
}

// SignatureInput completes sign_contracts.
type SignatureInput struct {
	SignedAt  time.Time `json:"signed_at" doc:"签订时间 when it was signed"`
	SignedBy  Consent   `json:"signed_by" enum:"paper,on_site" doc:"签订方式：书面或现场电子签 how it was signed: on paper, or on a device on site"`
	Signatory string    `json:"signatory,omitempty" doc:"签订人，非联系人时填写 who signed for the customer, where not the contact"`
	Note      string    `json:"note,omitempty" doc:"备注 note"`
}

func (in *SignatureInput) gate(k *Case, t *Task) error {
	return k.maySign(ContractKind(t.Qualifier))
}

// maySign refuses a signature below a contract that is not there, or that must
// wait for what was deferred.
func (k *Case) maySign(kind ContractKind) error {
	c := k.Contract(kind)
	if err := k.deferredMissing(); err != nil {
		return err
	}
	switch {
	case c == nil:
		return Refuse(Conflict, "no_contract", Say("合同尚未拟定", "the contract is not drafted yet"))
	case !c.SignedAt.IsZero():
		return Refuse(Conflict, "already_confirmed", Sayf("合同已于 %s 签订", "signed already at %s", Clock(c.SignedAt)))
	}
	return nil
}

func (in *SignatureInput) check(c *Check, k *Case, t *Task, now time.Time) {
	past(c, k, "signed_at", in.SignedAt, now)
	if contract := k.Contract(ContractKind(t.Qualifier)); contract != nil && !in.SignedAt.IsZero() {
		c.Require(!in.SignedAt.Before(contract.DraftedAt.Add(-clockSkew)), "signed_at",
			Sayf("签订时间早于合同拟定时间（%s）", "signed before the contract was drafted (%s)", Clock(contract.DraftedAt)))
	}
	oneOf(c, "signed_by", in.SignedBy, ConsentPaper, ConsentOnSite)
	c.Require(len([]rune(in.Signatory)) <= maxName, "signatory", tooLong(maxName))
	text(c, "note", in.Note, false)
}

func (in *SignatureInput) apply(k *Case, t *Task, by Actor, now time.Time) string {
	k.sign(ContractKind(t.Qualifier), in.SignedBy, in.Signatory, in.SignedAt, by, now)
	return done
}

// sign records the customer's signature and has the contract written once more,
// with it.
func (k *Case) sign(kind ContractKind, how Consent, signatory string, at time.Time, by Actor, now time.Time) {
	c := k.Contract(kind)
	c.SignedAt, c.SignedBy, c.Signatory = at, how, signatory
	k.needDraft(kind.document())
	k.touch(now, by, ZeroErrand, false, Sayf("签订%[1]s", "%[2]s signed", kind.Name(), kind))
	k.record(now, by, ContractSigned, "", Sayf("签订%[1]s %[3]s（%[4]s）", "%[2]s %[3]s signed (%[5]s)", kind.Name(), kind, c.Number, how.Name(), how), nil)
}

// ConfirmContract is the customer's own signature below a contract.
type ConfirmContract struct {
	By
	Kind ContractKind `json:"kind"`
}

// Apply implements [Action].
func (a ConfirmContract) Apply(k *Case, now time.Time) error {
	if err := a.may(k, Customer); err != nil {
		return err
	}
	if err := k.stillOpen(); err != nil {
		return err
	}
	var c Check
	oneOf(&c, "kind", a.Kind, ContractKinds()...)
	if err := c.Err(); err != nil {
		return err
	}
	if err := k.maySign(a.Kind); err != nil {
		return err
	}
	k.sign(a.Kind, ConsentOnline, "", now, a.Actor, now)
	k.finish(SignContracts, string(a.Kind), done, a.Actor, now)
	return nil
}
