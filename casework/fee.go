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

	Item     string `json:"item,omitempty"`     // code in the case's price list
	Quantity int64  `json:"quantity,omitempty"` // units of the item
}

// maxQuantity bounds the units of one charge, so that the amount never overflows.
const maxQuantity = 1_000_000

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
	// The price list says what an item is and by which document.
	check.Require(c.Item != "" || strings.TrimSpace(c.Note) != "", "note", Say("请注明收费内容和依据", "say what is charged and by which document"))
	check.Require(len([]rune(c.Note)) <= maxText, "note", tooLong(maxText))
	return check.Err()
}

// priced refuses a charge that the case's price list does not know, or whose
// amount is not the list's.
func (k *Case) priced(c Charge) error {
	if c.Item == "" && len(k.Terms.Prices) == 0 {
		return nil
	}
	var check Check
	p, listed := k.Terms.Price(c.Item)
	switch {
	case !listed || p.Utility != k.Request.Utility:
		check.Field("item", Sayf("应为价目表中的项目：%s", "must be an item of the price list: %s", k.priceCodes()))
	case p.Kind != c.Kind:
		check.Field("kind", Sayf("项目 %[1]s 的收费类别为 %[2]s", "the kind of item %[1]s is %[2]s", p.Code, p.Kind))
	case c.Quantity < 1 || c.Quantity > maxQuantity:
		check.Field("quantity", Sayf("数量应为 1 至 %[1]d（%[2]s）", "quantity must be from 1 to %[1]d (%[2]s)", maxQuantity, p.Unit))
	case c.Amount != p.Fen*c.Quantity:
		check.Field("amount", Sayf("金额应为单价 %[1]d 分 × 数量 %[2]d = %[3]d 分", "amount must be the price of %[1]d fen × %[2]d = %[3]d fen", p.Fen, c.Quantity, p.Fen*c.Quantity))
	}
	return check.Err()
}

// priceCodes lists what may be charged in the case, for refusals.
func (k *Case) priceCodes() string {
	var codes []string
	for _, p := range k.Terms.Prices {
		if p.Utility == k.Request.Utility {
			codes = append(codes, p.Code+" "+p.Name)
		}
	}
	return joinAny(codes)
}
