package casework

import (
	"strings"
	"time"
)

// ChargeKind says what a charge is for.
type ChargeKind string

// The kinds of charge that can be proposed. The first two are always refused.
const (
	MeteringDevice  ChargeKind = "metering_device"       // 计量装置
	OutsideProperty ChargeKind = "outside_property_line" // 建筑区划红线外接入工程
	InsideProperty  ChargeKind = "inside_property_line"  // 红线内工程, by agreement with the customer
	CustomerRequest ChargeKind = "customer_request"      // 客户自愿选择的延伸服务
)

// Charge is money that someone proposes to ask of the customer.
type Charge struct {
	ID     string     `json:"id"`
	Kind   ChargeKind `json:"kind"`
	Amount int64      `json:"amount"` // fen (分)
	Note   string     `json:"note"`   // what exactly is charged, and by which price document
	At     time.Time  `json:"at"`
	By     string     `json:"by"`
}

// feeRule names the documents that forbid connection charges (measures part 2,
// section 1, item 4).
const feeRule = "国办函〔2020〕129号、皖发改价格〔2021〕543号"

// CheckCharge refuses a charge for the metering device or for anything outside
// the property line, naming the rule, and input that makes no sense.
func CheckCharge(c Charge) error {
	switch c.Kind {
	case MeteringDevice, OutsideProperty:
		f := Refuse(Conflict, "charge_forbidden", Say(
			"依据"+feeRule+"，不得向用户收取计量装置及建筑区划红线外的接入费用",
			"no charge for the metering device or for works outside the property line ("+feeRule+")"))
		f.Rule = feeRule
		return f
	case InsideProperty, CustomerRequest:
	default:
		var check Check
		check.Field("kind", Say("收费类别应为 inside_property_line（红线内工程）或 customer_request（延伸服务）",
			"kind must be inside_property_line or customer_request"))
		return check.Err()
	}
	var check Check
	check.Require(c.Amount > 0, "amount", Say("金额应大于 0（单位：分）", "amount must be above 0 (in fen)"))
	check.Require(strings.TrimSpace(c.Note) != "", "note", Say("请注明收费内容和依据", "say what is charged and by which document"))
	check.Require(len([]rune(c.Note)) <= maxText, "note", tooLong(maxText))
	return check.Err()
}
