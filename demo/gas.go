package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/curbstop/curbstop/casework"
)

// answerToGas gives what people enter for gas where it is not what they enter
// for water; false where it is.
func answerToGas(t casework.Task, c Choices, now time.Time) (Answer, bool) {
	now = now.Truncate(time.Second)
	n := number(t.ID)
	switch t.Kind { //nolint:exhaustive // the other kinds ask the same for water and gas
	case casework.CompleteDeferred:
		return plain(casework.DeferredInput{CreditCode: "91340200MA8N004320"}), true //nolint:gosec // an organisation's public code
	case casework.DesignConnection:
		design := gasDesign(n)
		design.Meter, design.PipeLength, design.Pressure = "G65", 180, casework.MediumPressureB
		return Answer{Input: casework.ConnectionDesignInput{Design: design, Lines: []casework.Quantity{{Item: "Q11", Quantity: 40}, {Item: "Q13", Quantity: 1}}},
			Papers: []casework.DocumentKind{casework.ConstructionDrawing}}, true
	case casework.AgreeQuote:
		if c.Revise {
			return plain(casework.AgreementInput{Wish: "希望管线绕开绿化带，表箱移至门卫室旁"}), true
		}
		return plain(casework.AgreementInput{Agreed: true, AgreedAt: now, AgreedBy: casework.ConsentOnSite}), true
	case casework.SignContracts:
		return plain(casework.SignatureInput{SignedAt: now, SignedBy: casework.ConsentPaper}), true
	case casework.CommissionSupply:
		in := casework.CommissioningInput{TestedAt: now, Kilopascals: 5, Minutes: 30}
		if c.Hazard {
			in.Drop, in.Hazard = 0.4, "灶前阀门接口渗漏"
			return plain(in), true
		}
		in.Passed, in.SuppliedAt, in.Pressure = true, now, 2.1
		return plain(in), true
	case casework.RemedyHazard:
		return plain(casework.RemedyInput{RemediedAt: now, Measures: "更换灶前阀门并重新打压"}), true
	case casework.IssueCard:
		return plain(casework.CardInput{Number: fmt.Sprintf("IC%08d", n), TopUp: 20000}), true
	}
	if !c.Gas {
		return Answer{}, false
	}
	switch t.Kind { //nolint:exhaustive // as above
	case casework.ContactCustomer:
		return plain(casework.ContactInput{By: "phone", Use: "生产经营用气", DailyVolume: 30, Note: "已电话对接，了解建设周期"}), true
	case casework.AssessNetwork:
		a := casework.AssessmentInput{Result: casework.Adequate, MainDiameter: 200, Pressure: 0.2, Distance: 18, Source: "城东门站"}
		if c.Upgrade {
			a.Result, a.MainDiameter, a.Plan = casework.UpgradeNeeded, 90, "周边 de90 中压管余量不足，需改造为 de200"
		}
		return plain(a), true
	case casework.ConductSurvey:
		in := survey(c, n, now)
		if in.Design == nil {
			return plain(in), true
		}
		design := gasDesign(n)
		in.Design = &design
		for _, p := range c.Permits {
			in.Excavation = in.Excavation || p.Kind == casework.RoadExcavation
		}
		if c.Large {
			design.Meter, design.PipeLength = "G65", 180
		}
		if c.Large || in.Excavation {
			design.Atlas, in.DesignConfirmed = "", false
		}
		return plain(in), true
	case casework.UploadSurvey:
		if !c.Large {
			return Answer{}, false
		}
		return Answer{Input: casework.UploadInput{}, Papers: []casework.DocumentKind{casework.SurveyRecord}}, true
	case casework.PrepareMaterials:
		return plain(casework.MaterialsInput{Items: []casework.Material{
			{Code: "RB-6", Name: "燃气表", Quantity: 1, Unit: "只"}, {Code: "PE-63", Name: "PE 燃气管 de63", Quantity: 35.5, Unit: "米"}}}), true
	case casework.InstallMeter:
		in := casework.MeterInput{Serial: fmt.Sprintf("RQ%08d", n), Seal: fmt.Sprintf("F%06d", n), Size: "G6", Type: casework.RemoteMeter, InstalledAt: now}
		if c.CardPaid {
			in.Type = casework.CardMeter
		}
		return plain(in), true
	case casework.CommissionUpgrade:
		return plain(casework.UpgradeCommissionInput{CommissionedAt: now, Pressure: 0.2, TightnessPassed: true}), true
	case casework.DesignUpgrade:
		return plain(casework.UpgradeDesignInput{Scheme: "沿路新建 de200 PE 燃气管", Diameter: 200, Length: 320}), true
	}
	return Answer{}, false
}

// gasDesign is a design within the limits of a small connection.
func gasDesign(n int) casework.Design {
	return casework.Design{Atlas: fmt.Sprintf("RQ-%02d", n%6+1), Meter: "G6", Pressure: casework.LowPressure, PipeMaterial: "PE80", PipeLength: 35.5}
}

// gasFates are what the play makes of gas cases beside the fates of all.
func gasFates() []fate {
	large := func(task) Choices { return Choices{Large: true} }
	return []fate{
		{name: "另行设计", choices: large},
		{name: "调整方案后同意报价", choices: func(t task) Choices {
			return Choices{Large: true, Revise: t.Kind == casework.AgreeQuote && t.Round == 1}
		}},
		{name: "线上确认报价、签订合同", online: true},
		{name: "安全检查发现隐患，整改后通气", choices: func(t task) Choices { return Choices{CardPaid: true, Hazard: t.Round == 1} }},
		{name: "IC卡表开卡", choices: func(task) Choices { return Choices{CardPaid: true} }},
		{name: "签约后撤回", withdraw: casework.CommissionSupply},
		{name: "报价待确认", leave: casework.AgreeQuote, choices: large},
	}
}

// agreesOnline has the customer agree to the quote or sign a contract with
// their code, where a task waits for that.
func (p *Play) agreesOnline(ctx context.Context, t task, number, code string) (bool, error) {
	switch t.Kind { //nolint:exhaustive // the others are not the customer's
	case casework.AgreeQuote:
		return true, p.customer(ctx, number, code, "confirm-quote", nil)
	case casework.SignContracts:
		return true, p.customer(ctx, number, code, "confirm-contract", map[string]any{"kind": t.Qualifier})
	}
	return false, nil
}
