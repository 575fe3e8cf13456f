package casework

import (
	"fmt"
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// What people enter in the case of a transfer or a closing.

// Worth writes an amount of fen in yuan: 12.30.
func Worth(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

const maxFen = 10_000_000_00

func amount(c *Check, field string, fen int64) {
	c.Require(fen >= 0 && fen <= maxFen, field, Say("金额应在 0 至一千万元之间（单位：分）", "the amount must be between 0 and ten million yuan, in fen"))
}

// CertificateInput completes obtain_certificate: one that did not come along.
type CertificateInput struct {
	Document string `json:"document,omitempty" doc:"已上传证照的文件编号 ID of the uploaded image"`
	Number   string `json:"number,omitempty" doc:"或：在电子证照库核验的证照编号 or its number, verified in the register of certificates"`
	Source   string `json:"source" enum:"register,wanshitong,customer" doc:"来源：电子证照库、皖事通亮证、客户提供 where it came from"`
}

func (in *CertificateInput) check(c *Check, k *Case, _ *Task, _ time.Time) {
	oneOf(c, "source", in.Source, "register", "wanshitong", "customer")
	c.Require(len([]rune(in.Number)) <= maxNumber, "number", tooLong(maxNumber))
	switch {
	case in.Document != "":
		c.Require(k.hasDocument(in.Document), "document", Say("请先上传证照，并填写其文件编号", "upload the certificate first and give its document ID"))
	default:
		c.Require(in.Number != "", "document", Say("请上传证照，或填写已核验的证照编号", "upload the certificate, or give the number that was verified"))
	}
}

func (in *CertificateInput) apply(k *Case, t *Task, by Actor, now time.Time) string {
	k.Served.Obtained = append(k.Served.Obtained, CertificateKind(t.Qualifier))
	k.touch(now, by, ZeroDocument, in.Source == "customer", Sayf("补取%[1]s", "obtained: %[2]s", CertificateKind(t.Qualifier).Name(), t.Qualifier))
	return done
}

// AccountCheckInput completes check_account: what billing would say, or that it
// is to be asked again.
type AccountCheckInput struct {
	AskAgain bool   `json:"ask_again,omitempty" doc:"更正户号后重新查询计费系统 ask billing again, about the account number given"`
	Account  string `json:"account" doc:"户号 account number"`
	// Verified says that the person who asks may ask, whatever the names say.
	HolderVerified bool          `json:"holder_verified,omitempty" doc:"已核实原户主身份（姓名不一致时说明） the present holder was verified; explain where names differ"`
	District       District      `json:"district,omitempty" doc:"区县代码 district code"`
	Address        string        `json:"address,omitempty" doc:"用能地址 address"`
	Owed           int64         `json:"owed,omitempty" doc:"欠费（分） owed, in fen"`
	Credit         int64         `json:"credit,omitempty" doc:"预存余额（分） prepaid, in fen"`
	Reading        float64       `json:"reading,omitempty" doc:"上期读数 last reading"`
	ReadOn         calendar.Date `json:"read_on,omitzero" doc:"上期抄表日期 date of the last reading"`
	Note           string        `json:"note,omitempty" doc:"说明 note"`
}

func (in *AccountCheckInput) check(c *Check, k *Case, _ *Task, _ time.Time) {
	in.Account = normaliseAccount(in.Account)
	checkAccountNumber(c, in.Account)
	if in.District != "" {
		c.Nested("district", in.District.Check())
	}
	c.Require(len([]rune(in.Address)) <= maxName, "address", tooLong(maxName))
	differs := k.Served.Account != nil && k.Served.Account.Found && k.Served.Account.Holder == HolderDiffers
	text(c, "note", in.Note, differs && !in.AskAgain)
	if in.AskAgain {
		return
	}
	c.Require(in.HolderVerified, "holder_verified", Say(
		"须核实原户主；确属不符的，请告知客户并按客户意愿撤回", "the present holder must be verified; where it is somebody else, tell the customer, who may withdraw"))
	amount(c, "owed", in.Owed)
	amount(c, "credit", in.Credit)
	c.Require(in.Reading >= 0 && in.Reading < maxReading, "reading", Say("读数应在 0 至 9999999 之间", "a reading is between 0 and 9,999,999"))
}

func (in *AccountCheckInput) apply(k *Case, _ *Task, _ Actor, now time.Time) string {
	s := &k.Served
	k.Service.Account = in.Account
	if in.AskAgain {
		verified := s.Account != nil && in.HolderVerified
		s.Account = nil
		if verified {
			// Asked again for what is owed: who was verified stays so.
			s.Account = &AccountFact{Number: in.Account, Holder: HolderVerified, At: now}
		}
		k.askAgain(AskAccount)
		return "ask_again"
	}
	fact := AccountFact{
		Number: in.Account, Found: true, Holder: HolderVerified, District: in.District, Address: in.Address,
		Owed: in.Owed, Credit: in.Credit, Reading: in.Reading, ReadOn: in.ReadOn, Person: true,
	}
	if old := s.Account; old != nil && old.Found && old.Number == in.Account && !old.Person && s.Billing.Trouble == "" {
		// Billing has said it all but for the holder.
		fact = *old
		fact.Holder = HolderVerified
	}
	s.Billing = BillingFact{Round: s.Billing.Round}
	k.learnAccount(fact, now)
	return "verified"
}

const maxReading = 10_000_000

// SettledBy is how arrears are settled.
type SettledBy string

// The ways.
const (
	SettledByPayment   SettledBy = "paid"      // 已缴清
	SettledByAgreement SettledBy = "agreement" // 双方约定由谁承担
)

// ArrearsInput completes settle_arrears.
type ArrearsInput struct {
	How       SettledBy `json:"how" enum:"paid,agreement" doc:"结清方式：已缴清，或约定由谁承担 paid, or agreed who pays"`
	Payer     string    `json:"payer" enum:"holder,new_holder" doc:"由谁承担：原户主、新户主 who pays"`
	Agreement string    `json:"agreement,omitempty" doc:"约定内容或文件编号 the agreement, in words or as a document's ID"`
	Note      string    `json:"note,omitempty" doc:"备注 note"`
}

func (in *ArrearsInput) check(c *Check, k *Case, _ *Task, _ time.Time) {
	oneOf(c, "how", in.How, SettledByPayment, SettledByAgreement)
	if k.Kind == TransferCase {
		oneOf(c, "payer", in.Payer, "holder", "new_holder")
	} else {
		oneOf(c, "payer", in.Payer, "holder")
	}
	text(c, "agreement", in.Agreement, in.How == SettledByAgreement)
	text(c, "note", in.Note, false)
}

func (in *ArrearsInput) apply(k *Case, _ *Task, by Actor, now time.Time) string {
	s := &k.Served
	s.Settled = in
	s.SettleTry++
	if in.How == SettledByAgreement {
		return string(SettledByAgreement)
	}
	k.touch(now, by, ZeroBurden, false, Say("确认缴清欠费", "payment of what was owed reported"))
	if s.Account.Person {
		s.Account.Owed = 0 // there is nobody to ask
	} else {
		k.askAgain(AskAccount)
	}
	return string(SettledByPayment)
}

// MeterReading completes read_meter: at the hand-over, or the last one.
type MeterReading struct {
	Reading float64   `json:"reading" doc:"读数 reading"`
	ReadAt  time.Time `json:"read_at" doc:"抄表时间 when it was read"`
	How     string    `json:"how" enum:"visit,remote,photo" doc:"抄表方式：上门、远传、客户拍照 how"`
	Agreed  bool      `json:"agreed" doc:"双方（客户）认可读数 both sides agree to it"`
	Note    string    `json:"note,omitempty" doc:"备注 note"`
}

func (in *MeterReading) check(c *Check, k *Case, _ *Task, now time.Time) {
	oneOf(c, "how", in.How, "visit", "remote", "photo")
	past(c, k, "read_at", in.ReadAt, now)
	c.Require(in.Reading >= 0 && in.Reading < maxReading, "reading", Say("读数应在 0 至 9999999 之间", "a reading is between 0 and 9,999,999"))
	if a := k.Served.Account; a != nil {
		c.Require(in.Reading >= a.Reading, "reading", Sayf("读数小于上期读数 %v；如有换表请先更正上期读数", "below the last reading, %v; if the meter was replaced, correct that first", a.Reading))
	}
	c.Require(in.Agreed, "agreed", Say("读数须经客户认可", "the reading must be agreed to"))
	text(c, "note", in.Note, false)
}

func (in *MeterReading) apply(k *Case, _ *Task, by Actor, now time.Time) string {
	k.Served.Reading = in
	if in.How == "photo" {
		k.touch(now, by, ZeroBurden, true, Say("客户拍照报读数", "the customer sent a photograph of the meter"))
	} else {
		k.touch(now, by, ZeroVisit, false, Say("抄表", "the meter was read"))
	}
	return done
}

// TransferInput completes confirm_transfer: the rules of account number and
// contract are kept (M 3.3).
type TransferInput struct {
	ContractEnded  bool      `json:"contract_ended" doc:"原供用合同已终止 the former contract is ended"`
	ContractNumber string    `json:"contract_number" doc:"新供用合同编号 number of the new contract"`
	ConfirmedAt    time.Time `json:"confirmed_at" doc:"新户主确认新合同的时间 when the new holder confirmed it"`
	ConfirmedBy    string    `json:"confirmed_by" enum:"online,phone,window" doc:"确认方式 how"`
	NumberKept     bool      `json:"number_kept" doc:"户号沿用，按户号管理规定 the account number stays, by the rule"`
	Note           string    `json:"note,omitempty" doc:"备注 note"`
}

func (in *TransferInput) check(c *Check, k *Case, _ *Task, now time.Time) {
	c.Require(in.ContractEnded, "contract_ended", Say("原户主的供用合同须先终止", "the former holder's contract must be ended first"))
	text(c, "contract_number", in.ContractNumber, true)
	c.Require(len([]rune(in.ContractNumber)) <= maxNumber, "contract_number", tooLong(maxNumber))
	past(c, k, "confirmed_at", in.ConfirmedAt, now)
	oneOf(c, "confirmed_by", in.ConfirmedBy, "online", "phone", "window")
	c.Require(in.NumberKept, "number_kept", Say("过户沿用原户号；需要新户号的，请按销户和立户办理", "a transfer keeps the account number; for another one the account is closed and one opened"))
	text(c, "note", in.Note, false)
}

func (in *TransferInput) apply(k *Case, _ *Task, by Actor, now time.Time) string {
	k.Served.Confirmed = in
	k.touch(now, by, ZeroErrand, in.ConfirmedBy == "window", Say("新户主确认供用合同", "the new holder confirmed the contract"))
	return done
}

// BillingTaskInput completes change_holder and close_account, where billing did
// not do it by itself.
type BillingTaskInput struct {
	AskAgain  bool   `json:"ask_again,omitempty" doc:"问题已处理，请系统重新提交 it was put right; submit it again"`
	Reference string `json:"reference,omitempty" doc:"已在计费系统人工办理，受理号 done by hand in billing: its number"`
	Note      string `json:"note,omitempty" doc:"备注 note"`
}

func (in *BillingTaskInput) check(c *Check, _ *Case, _ *Task, _ time.Time) {
	text(c, "reference", in.Reference, !in.AskAgain)
	c.Require(!in.AskAgain || in.Reference == "", "reference", Say("重新提交时不填", "not when it is submitted again"))
	text(c, "note", in.Note, false)
}

func (in *BillingTaskInput) apply(k *Case, t *Task, by Actor, now time.Time) string {
	question := AskChange
	if t.Kind == CloseAccount {
		question = AskClose
	}
	if in.AskAgain {
		k.askAgain(question)
		return "ask_again"
	}
	k.Served.Billing = BillingFact{Round: k.Served.Billing.Round}
	if t.Kind == CloseAccount {
		k.closed(in.Reference, by, now)
	} else {
		k.changed(in.Reference, by, now)
	}
	return done
}

// FinalInput completes settle_final: the last bill is paid, or what is left is
// given back.
type FinalInput struct {
	AskAgain  bool   `json:"ask_again,omitempty" doc:"请系统重新出账 have billing write the bill again"`
	Owed      int64  `json:"owed,omitempty" doc:"应缴（分）；计费系统未出账时填写 owed, in fen, where billing wrote no bill"`
	Refund    int64  `json:"refund,omitempty" doc:"应退（分） to be given back, in fen"`
	Settled   bool   `json:"settled,omitempty" doc:"已缴清或已退款 paid, or given back"`
	Reference string `json:"reference,omitempty" doc:"收款或退款凭证号 number of the receipt"`
	Note      string `json:"note,omitempty" doc:"备注 note"`
}

func (in *FinalInput) check(c *Check, k *Case, _ *Task, _ time.Time) {
	text(c, "note", in.Note, false)
	if in.AskAgain {
		return
	}
	amount(c, "owed", in.Owed)
	amount(c, "refund", in.Refund)
	c.Require(in.Owed == 0 || in.Refund == 0, "refund", Say("应缴和应退只能填一项", "give what is owed or what is given back, not both"))
	c.Require(in.Settled, "settled", Say("须缴清或退款后办结", "it must be paid, or given back, first"))
	owes := in.Owed != 0 || in.Refund != 0 || k.Served.Bill != nil
	text(c, "reference", in.Reference, owes)
}

func (in *FinalInput) apply(k *Case, _ *Task, by Actor, now time.Time) string {
	s := &k.Served
	if in.AskAgain {
		s.Bill = nil
		k.askAgain(AskBill)
		return "ask_again"
	}
	s.Final = in
	if s.Bill == nil {
		s.Bill = &FinalBill{Owed: in.Owed, Refund: in.Refund, At: now}
	}
	s.Billing = BillingFact{Round: s.Billing.Round}
	k.touch(now, by, ZeroBurden, false, Say("结清最后一期费用", "the last bill is settled"))
	return "settled"
}

// withdrawable refuses the withdrawal of a service that is as good as done.
func (k *Case) withdrawable() error {
	s := &k.Served
	switch {
	case k.Kind == OrderCase:
		return Refuse(Conflict, "order_not_withdrawn", Say("12345 工单由 12345 撤回；请如实答复来电人意愿", "an order is taken back by 12345; answer what the caller wishes"))
	case !k.CompletedAt.IsZero():
		return Refuse(Conflict, "already_done", Sayf("%[1]s已于 %[2]s 办结，不能撤回", "%[3]s was done at %[2]s and can't be withdrawn", k.Kind.Name(), Clock(k.CompletedAt), k.Kind))
	case !s.MeterOffAt.IsZero():
		return Refuse(Conflict, "meter_removed", Sayf("已于 %s 拆表，不能撤回；如需用水用气请重新报装", "the meter was removed at %s; to have supply again, ask for a connection", Clock(s.MeterOffAt)))
	case s.Billing.Question == AskChange:
		return Refuse(Conflict, "being_changed", Say("户主正在变更，不能撤回；如需改回请另办过户", "the holder is being changed; to change back, ask for another transfer"))
	}
	return nil
}
