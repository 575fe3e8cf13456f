package drafts_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/drafts"
	"github.com/curbstop/curbstop/reports"
)

// gasPapers are the papers that only a gas connection has.
func gasPapers() []casework.DocumentKind {
	return []casework.DocumentKind{casework.Quotation, casework.ConnectionContract, casework.SupplyContract, casework.CommissioningRecord}
}

// gasConnected is a gas connection with supply on, after a hazard.
func gasConnected(t *testing.T) *story {
	t.Helper()
	r := request()
	r.Utility, r.Demand.Use, r.Demand.Diameter = casework.Gas, "食堂炊事", 0
	s := begin(t, r)
	s.k.Terms.Gas = &casework.GasTerms{
		Small: casework.SmallLimits{Meter: "G25", PipeLength: 50}, Atlas: []string{"RQ-03"},
		NonResidential: casework.GasClassTerms{
			Contracts: casework.ContractKinds(), Tightness: casework.Tightness{Kilopascals: 5, Minutes: 30}, Checklist: []string{"报警器联动正常"},
		},
	}
	s.k.Terms.Prices = []casework.Price{{
		Code: "Q03", Name: "小微工程一口价", Kind: casework.InsideProperty, Utility: casework.Gas, Unit: "处", Fen: 880000, Source: "公示价目表第8项",
		Fixed: &casework.FixedPrice{Class: casework.NonResidential, Meter: "G25"},
	}}
	s.done(casework.AssessNetwork, "", casework.AssessmentInput{Result: casework.Adequate, MainDiameter: 200, Pressure: 0.2, Distance: 12, Source: "城东门站"})
	s.done(casework.ScheduleSurvey, "", casework.AppointmentInput{SurveyAt: s.now.Add(time.Hour), Attendees: []casework.Department{"taskforce"}})
	s.done(casework.ConductSurvey, "", casework.SurveyInput{
		ConductedAt: s.now, Connectable: true, InformationChecked: true, ApplicationCompleted: true, DesignConfirmed: true,
		Design: &casework.Design{Atlas: "RQ-03", Meter: "G6", Pressure: casework.LowPressure, PipeMaterial: "PE80", PipeLength: 35.5},
	})
	s.done(casework.AgreeQuote, "", casework.AgreementInput{Agreed: true, AgreedAt: s.now, AgreedBy: casework.ConsentPhone})
	s.k.DraftContracts(s.now)
	s.do(casework.ConfirmContract{By: casework.By{Actor: casework.AsCustomer()}, Kind: casework.ConnectionContractKind})
	s.done(casework.SignContracts, string(casework.SupplyContractKind), casework.SignatureInput{SignedAt: s.now, SignedBy: casework.ConsentPaper, Signatory: "陈总"})
	s.done(casework.InstallMeter, "", casework.MeterInput{Serial: "RQ2026-001", Seal: "F-1", Size: "G6", Type: casework.CardMeter, InstalledAt: s.now})
	s.done(casework.CommissionSupply, "", casework.CommissioningInput{TestedAt: s.now, Kilopascals: 5, Minutes: 30, Drop: 0.3, Hazard: "阀门渗漏"})
	s.done(casework.RemedyHazard, "", casework.RemedyInput{RemediedAt: s.now, Measures: "更换阀门"})
	s.k.Terms.Gas.NonResidential.Checklist = nil // confirmed item by item elsewhere
	s.done(casework.CommissionSupply, "", casework.CommissioningInput{Passed: true, TestedAt: s.now, SuppliedAt: s.now, Kilopascals: 5.5, Minutes: 30, Pressure: 2.1})
	s.k.Terms.Gas.NonResidential.Checklist = []string{"报警器联动正常"}
	s.do(casework.ConfirmAcceptance{By: casework.By{Actor: casework.AsCustomer()}})
	return s
}

// The papers of gas say what is known of gas, and nothing of water.
func TestGasPapers(t *testing.T) {
	t.Parallel()
	s := gasConnected(t)
	says := map[casework.DocumentKind][]string{
		casework.Booking:                {"用气报装", "希望通气日期", "食堂炊事"},
		casework.Briefing:               {"供气现状告知书", "城东门站", "管网压力", "内部供气设计", "供气企业（盖章）"},
		casework.NoticeOfAcceptance:     {"受理起至通气止", "RQ-03", "G6（低压）", "用气报装申请"},
		casework.AcceptanceConfirmation: {"燃气表已安装，经安全检查合格并通气", "2.1 kPa", "G6（IC卡表）", "8800.00 元"},
		casework.Quotation:              {"报价单", "一口价", "Q03", "8800.00 元/处", "公示价目表第8项", "红线外的接入工程不向用户收费", "电话", "包干价"},
		casework.ConnectionContract:     {"入户合同", "W20261123-00001-RH", "非居民", "8800.00 元", "凭查询码在线签订", "整改完成前不得通气"},
		casework.SupplyContract:         {"用气合同", "W20261123-00001-YQ", "非居民用气", "低压", "陈总", "不得擅自拆改燃气设施"},
		casework.CommissioningRecord:    {"安全检查与通气记录", "合格，准予通气", "5.5 kPa，稳压 30 分钟", "不低于 5 kPa，不少于 30 分钟，无压降", "报警器联动正常：合格"},
	}
	for _, kind := range drafted() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			html := write(t, kind, s.k, s.now)
			contains(t, html, says[kind]...)
			lacks(t, html, "通水|用水|供水|水压|水表|接水", `(?i)https?:|url\(|@import|src=|href=`)
		})
	}
	html, err := drafts.Printout(s.k, s.events, reports.Clock{}, s.now)
	require.NoError(t, err)
	show(t, "用气案件全卷.html", html)
	contains(t, string(html), "小型标准化接入", "8800.00 元", "W20261123-00001-YQ", "合格，准予通气", "整改", "燃气表验收", "具备接气条件", "客户同意报价")
	lacks(t, string(html), "通水|用水|供水|水压|水表|接水")
}

// What is not known of gas yet shows as a dash, and a failed check says so.
func TestGasPapersOnTheWay(t *testing.T) {
	t.Parallel()
	r := request()
	r.Utility = casework.Gas
	s := begin(t, r)
	for _, kind := range gasPapers() {
		html := write(t, kind, s.k, s.now)
		contains(t, html, "—")
		lacks(t, html, `0001-01-01|1970|nil|&lt;|%!`, `\b0(\.0+)? (mm|m|MPa|kPa|m³)`)
	}
	done := gasConnected(t)
	k := done.k.Clone()
	i := slices.IndexFunc(done.events, func(e casework.Event) bool { return e.Kind == casework.QuoteMade })
	require.GreaterOrEqual(t, i, 0)
	k.Gas.Commissioning = &casework.CommissioningInput{TestedAt: monday, Drop: 0.3, Kilopascals: 5, Minutes: 30, Hazard: "阀门渗漏"}
	contains(t, write(t, casework.CommissioningRecord, k, calendar.DateOf(monday).At(0)), "不合格，不得通气", "阀门渗漏", "压降 0.3 kPa")
}
