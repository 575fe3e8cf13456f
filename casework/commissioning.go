package casework

import (
	"regexp"
	"time"
)

// CommissioningInput completes commission_supply: the safety check of a
// finished gas installation, the first ignition, and supply-on.
type CommissioningInput struct {
	Passed   bool      `json:"passed" doc:"安全检查合格 the installation is safe"`
	TestedAt time.Time `json:"tested_at" doc:"检查时间 when it was checked"`
	// The test of tightness: what was measured, judged by the policy.
	Kilopascals float64 `json:"kilopascals,omitempty" doc:"严密性试验压力(kPa) pressure of the tightness test in kPa"`
	Minutes     int     `json:"minutes,omitempty" doc:"稳压时间(分钟) how long it was held, in minutes"`
	Drop        float64 `json:"drop,omitempty" doc:"压力降(kPa) drop of pressure in kPa"`
	// What follows is only said of an installation that passed.
	SuppliedAt time.Time `json:"supplied_at,omitzero" doc:"通气点火时间 when gas was let in and lit"`
	Pressure   float64   `json:"pressure,omitempty" doc:"灶前压力(kPa) pressure at the appliance in kPa"`
	Hazard     string    `json:"hazard,omitempty" doc:"不合格时：隐患情况 what is not safe"`
	Note       string    `json:"note,omitempty" doc:"备注 note"`
}

func (in *CommissioningInput) fails() bool { return !in.Passed }

func (in *CommissioningInput) check(c *Check, k *Case, _ *Task, now time.Time) {
	past(c, k, "tested_at", in.TestedAt, now)
	if k.Meter != nil && !in.TestedAt.IsZero() {
		c.Require(!in.TestedAt.Before(k.Meter.InstalledAt), "tested_at",
			Sayf("检查时间早于装表时间（%s）", "checked before the meter was installed (%s)", Clock(k.Meter.InstalledAt)))
	}
	c.Require(in.Kilopascals >= 0 && in.Kilopascals <= 1000, "kilopascals", Say("试验压力应在 0 至 1000 kPa 之间", "the pressure of the test must be between 0 and 1000 kPa"))
	c.Require(in.Minutes >= 0 && in.Minutes <= 1440, "minutes", Say("稳压时间应在 0 至 1440 分钟之间", "it must be held for 0 to 1440 minutes"))
	c.Require(in.Drop >= 0 && in.Drop <= 1000, "drop", Say("压力降应在 0 至 1000 kPa 之间", "the drop must be between 0 and 1000 kPa"))
	c.Require(in.Pressure >= 0 && in.Pressure <= 400, "pressure", Say("灶前压力应在 0 至 400 kPa 之间", "the pressure must be between 0 and 400 kPa"))
	text(c, "note", in.Note, false)
	if !in.Passed {
		text(c, "hazard", in.Hazard, true)
		c.Require(in.SuppliedAt.IsZero(), "supplied_at", Say("不合格不得通气", "no supply before the installation is safe"))
		return
	}
	c.Require(in.Hazard == "", "hazard", Say("合格时不填隐患", "makes no sense of an installation that passed"))
	want := k.Terms.Gas.Class(k.Request.Class()).Tightness
	c.Require(in.Kilopascals >= want.Kilopascals, "kilopascals", Sayf("严密性试验压力不得低于 %g kPa", "the tightness test needs at least %g kPa", want.Kilopascals))
	c.Require(in.Minutes >= want.Minutes, "minutes", Sayf("稳压时间不得少于 %d 分钟", "the pressure must be held for at least %d minutes", want.Minutes))
	c.Require(in.Drop == 0, "drop", Say("有压力降为不合格，请如实登记隐患", "a drop of pressure is no pass: record the hazard"))
	past(c, k, "supplied_at", in.SuppliedAt, now)
	if !in.SuppliedAt.IsZero() {
		c.Require(!in.SuppliedAt.Before(in.TestedAt), "supplied_at", Say("通气时间早于检查时间", "supply-on before the check"))
	}
}

func (in *CommissioningInput) apply(k *Case, _ *Task, by Actor, now time.Time) string {
	k.Gas.Commissioning = in
	k.needDraft(CommissioningRecord)
	if !in.Passed {
		k.Gas.Failed++
		k.Gas.Hazard, k.Gas.Remedy = in.Hazard, nil
		k.touch(now, by, ZeroVisit, false, Say("安全检查发现隐患，已告知客户，暂不通气", "a hazard was found and explained; the supply stays off"))
		return "failed"
	}
	k.Supply = &SupplyInput{SuppliedAt: in.SuppliedAt}
	k.closeDeadline(LaneDeadline, true, in.SuppliedAt, now)
	k.touch(now, by, ZeroVisit, false, Say("现场安全检查、通气点火", "checked, supplied and lit on site"))
	return "passed"
}

// RemedyInput completes remedy_hazard.
type RemedyInput struct {
	RemediedAt time.Time `json:"remedied_at" doc:"整改完成时间 when it was remedied"`
	Measures   string    `json:"measures" doc:"整改措施 what was done"`
	Evidence   string    `json:"evidence,omitempty" doc:"佐证材料编号 ID of a document on file that shows it"`
}

func (in *RemedyInput) check(c *Check, k *Case, _ *Task, now time.Time) {
	past(c, k, "remedied_at", in.RemediedAt, now)
	text(c, "measures", in.Measures, true)
	c.Require(in.Evidence == "" || k.hasDocument(in.Evidence), "evidence", Say("本案没有这份材料", "this case has no such document"))
}

func (in *RemedyInput) apply(k *Case, _ *Task, _ Actor, _ time.Time) string {
	k.Gas.Hazard, k.Gas.Remedy = "", in
	return done
}

var cardPattern = regexp.MustCompile(`^[0-9A-Z-]{6,30}$`)

// CardInput completes issue_card.
type CardInput struct {
	Number string `json:"number" doc:"卡号 card number"`
	TopUp  int64  `json:"top_up,omitempty" doc:"首次充值金额（分），没有时不填 first top-up, in fen"`
	Note   string `json:"note,omitempty" doc:"备注 note"`
}

func (in *CardInput) check(c *Check, _ *Case, _ *Task, _ time.Time) {
	c.Require(cardPattern.MatchString(in.Number), "number",
		Say("卡号应为 6 至 30 位数字、大写字母或连字符", "a card number has 6 to 30 digits, capital letters or dashes"))
	c.Require(in.TopUp >= 0 && in.TopUp <= 10_000_000, "top_up", Say("充值金额应在 0 至 10000000 分（十万元）之间", "a top-up is between 0 and 10,000,000 fen"))
	text(c, "note", in.Note, false)
}

func (in *CardInput) apply(k *Case, _ *Task, by Actor, now time.Time) string {
	k.Gas.Card = in
	k.touch(now, by, ZeroErrand, false, Say("主动开卡充值，客户无需到场", "card issued without the customer coming"))
	return done
}
