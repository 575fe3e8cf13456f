package casework_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/casework"
)

func gasTerms() casework.Terms {
	t := terms()
	t.Gas = &casework.GasTerms{
		Small: casework.SmallLimits{Meter: "G25", PipeLength: 50}, Atlas: []string{"RQ-01", "RQ-02"},
		Residential: casework.GasClassTerms{Contracts: []casework.ContractKind{casework.SupplyContractKind}, Tightness: casework.Tightness{Kilopascals: 5, Minutes: 15}},
		NonResidential: casework.GasClassTerms{
			Contracts: casework.ContractKinds(), Tightness: casework.Tightness{Kilopascals: 5, Minutes: 30}, Checklist: []string{"报警器联动正常"},
		},
	}
	t.Checklists = map[casework.TaskKind][]string{casework.CommissionSupply: {"通风良好"}}
	fixed := func(code string, class casework.CustomerClass, meter casework.MeterSize, fen int64) casework.Price {
		return casework.Price{Code: code, Name: code, Kind: casework.InsideProperty, Utility: casework.Gas, Unit: "处", Fen: fen, Source: "价目表", Fixed: &casework.FixedPrice{Class: class, Meter: meter}}
	}
	t.Prices = []casework.Price{
		fixed("Q02", casework.Residential, "G25", 460000), fixed("Q01", casework.Residential, "G4", 280000),
		fixed("Q04", casework.NonResidential, "G25", 1680000), fixed("Q03", casework.NonResidential, "G6", 880000),
		{Code: "Q11", Name: "管道", Kind: casework.InsideProperty, Utility: casework.Gas, Unit: "米", Fen: 18000, Source: "价目表"},
		{Code: "Y11", Name: "改装", Kind: casework.CustomerRequest, Utility: casework.Gas, Unit: "次", Fen: 26000, Source: "价目表"},
		{Code: "N01", Name: "给水管", Kind: casework.InsideProperty, Utility: casework.Water, Unit: "米", Fen: 12000, Source: "价目表"},
	}
	return t
}

// newGasCase is a gas case with one live task of a kind.
func newGasCase(t *testing.T, kind casework.TaskKind, qualifier string) (*casework.Case, casework.Task) {
	t.Helper()
	r := soundRequest()
	r.Utility = casework.Gas
	k := casework.NewCase("G1", r, gasTerms(), able, received)
	k.Need(kind, qualifier, 1, received, received)
	task, ok := k.Live(kind, qualifier)
	require.True(t, ok)
	return k, *task
}

func smallDesign() casework.Design {
	return casework.Design{Atlas: "RQ-01", Meter: "G6", Pressure: casework.LowPressure, PipeMaterial: "PE80", PipeLength: 30}
}

// surveyedGas is a gas case whose survey found a design.
func surveyedGas(t *testing.T, change func(*casework.SurveyInput)) *casework.Case {
	t.Helper()
	k, task := newGasCase(t, casework.ConductSurvey, "")
	d := smallDesign()
	in := casework.SurveyInput{ConductedAt: now, Connectable: true, InformationChecked: true, ApplicationCompleted: true, Design: &d, DesignConfirmed: true}
	change(&in)
	next, err := k.Try(casework.CompleteTask{By: byAble, Task: task.ID, Input: marshal(t, in)}, now)
	require.NoError(t, err)
	return next
}

// A small connection is one within all limits; every reason against it is named.
func TestScale(t *testing.T) {
	t.Parallel()
	terms := gasTerms()
	design := func(m casework.MeterSize, length float64) casework.Design {
		return casework.Design{Meter: m, PipeLength: length}
	}
	for name, test := range map[string]struct {
		terms   casework.Terms
		class   casework.CustomerClass
		design  casework.Design
		digs    bool
		reasons []string
	}{
		"at the limits":      {terms, casework.NonResidential, design("G25", 50), false, nil},
		"the smallest":       {terms, casework.Residential, design("G1.6", 0.5), false, nil},
		"a larger meter":     {terms, casework.NonResidential, design("G40", 50), false, []string{"表具 G40 大于 G25"}},
		"a longer pipe":      {terms, casework.NonResidential, design("G25", 50.1), false, []string{"管长 50.1 米超过 50 米"}},
		"digging":            {terms, casework.NonResidential, design("G25", 50), true, []string{"需开挖"}},
		"everything":         {terms, casework.NonResidential, design("G1000", 900), true, []string{"表具 G1000 大于 G25", "管长 900 米超过 50 米", "需开挖"}},
		"no size at all":     {terms, casework.NonResidential, design("", 5), false, []string{"表具  大于 G25"}},
		"no fixed price":     {casework.Terms{Gas: terms.Gas}, casework.Residential, design("G4", 5), false, []string{"价目表中没有 G4 的一口价"}},
		"policy without gas": {casework.Terms{Prices: terms.Prices}, casework.Residential, design("G4", 5), false, []string{"政策未规定小型标准化接入"}},
	} {
		got := test.terms.Scale(test.class, test.design, test.digs)
		var reasons []string
		for _, r := range got.Reasons {
			require.NotEmpty(t, r.EN)
			reasons = append(reasons, r.ZH)
		}
		require.Equal(t, test.reasons, reasons, name)
		require.Equal(t, len(test.reasons) == 0, got.Small, name)
	}
}

// The short way widens with every limit and never with a larger connection.
func TestScaleIsMonotonic(t *testing.T) {
	t.Parallel()
	sizes := casework.MeterSizes()
	rapid.Check(t, func(t *rapid.T) {
		size := func(label string) int { return rapid.IntRange(0, len(sizes)-1).Draw(t, label) }
		length := func(label string) float64 { return float64(rapid.IntRange(1, 2000).Draw(t, label)) / 10 }
		terms := gasTerms()
		terms.Gas.Small = casework.SmallLimits{Meter: sizes[size("limit")], PipeLength: length("longest")}
		class := rapid.SampledFrom(casework.CustomerClasses()).Draw(t, "class")
		meter, pipe := size("meter"), length("pipe")
		small := terms.Scale(class, casework.Design{Meter: sizes[meter], PipeLength: pipe}, false).Small
		lesser := terms.Scale(class, casework.Design{Meter: sizes[rapid.IntRange(0, meter).Draw(t, "lesser")], PipeLength: pipe * rapid.Float64Range(0.01, 1).Draw(t, "share")}, false).Small
		if small && !lesser {
			t.Fatal("a smaller connection is not small")
		}
		if terms.Scale(class, casework.Design{Meter: sizes[meter], PipeLength: pipe}, true).Small {
			t.Fatal("digging is small")
		}
		if p, ok := terms.FixedPrice(class, sizes[meter]); ok != (meter <= slices.Index(sizes, "G25")) || ok && p.Fixed.Class != class {
			t.Fatalf("fixed price of %s: %v", sizes[meter], p)
		}
	})
}

// The fixed price is that of the smallest size that covers the meter.
func TestFixedPrice(t *testing.T) {
	t.Parallel()
	for meter, want := range map[casework.MeterSize][2]string{
		"G1.6": {"Q01", "Q03"}, "G4": {"Q01", "Q03"}, "G6": {"Q02", "Q03"}, "G10": {"Q02", "Q04"}, "G25": {"Q02", "Q04"}, "G40": {"", ""}, "moon": {"", ""},
	} {
		for i, class := range casework.CustomerClasses() {
			p, ok := gasTerms().FixedPrice(class, meter)
			require.Equal(t, want[i], p.Code, "%s %s", class, meter)
			require.Equal(t, want[i] != "", ok)
		}
	}
}

// A quote is the sum of price × quantity in whole fen, whatever the order of its
// lines, and what is agreed is charged line by line, to the same sum.
func TestQuoteArithmetic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var terms casework.Terms
		var lines []casework.Quantity
		total := int64(0)
		for i := range rapid.IntRange(0, 40).Draw(t, "lines") {
			code := string(rune('A'+i/26)) + string(rune('A'+i%26))
			p := casework.Price{Code: code, Kind: casework.InsideProperty, Utility: casework.Gas, Fen: rapid.Int64Range(1, 1_000_000_000).Draw(t, "fen")}
			terms.Prices = append(terms.Prices, p)
			q := rapid.Int64Range(1, 1_000_000).Draw(t, "quantity")
			lines = append(lines, casework.Quantity{Item: code, Quantity: q})
			total += p.Fen * q
		}
		quote := casework.NewQuote(terms, lines, now)
		if quote.Total != total || len(quote.Lines) != len(lines) || total < 0 {
			t.Fatalf("%d is not %d", quote.Total, total)
		}
		sum := int64(0)
		for i, l := range quote.Lines {
			if l.Amount != l.Fen*lines[i].Quantity || l.Item != lines[i].Item || l.Amount <= 0 {
				t.Fatalf("%+v", l)
			}
			sum += l.Amount
		}
		slices.Reverse(lines)
		if casework.NewQuote(terms, lines, now).Total != sum || sum != total {
			t.Fatal("the order of the lines changes the sum")
		}
	})
}

// The survey of a small connection makes the quote; agreeing to it charges it.
func TestSmallSurveyIsQuotedAndCharged(t *testing.T) {
	t.Parallel()
	k := surveyedGas(t, func(*casework.SurveyInput) {})
	require.Equal(t, &casework.Quote{Fixed: true, Total: 880000, MadeAt: now, Lines: []casework.QuoteLine{{
		Item: "Q03", Name: "Q03", Kind: casework.InsideProperty, Unit: "处", Fen: 880000, Quantity: 1, Amount: 880000, Source: "价目表",
	}}}, k.Gas.Quote)
	_, err := k.Try(casework.ConfirmQuote{By: byAble}, now)
	require.Equal(t, "wrong_role", casework.AsFault(err).Code)
	agreed, err := k.Try(casework.ConfirmQuote{By: byCustomer}, now)
	require.NoError(t, err)
	require.Equal(t, []casework.Charge{{
		ID: "G1-C1", Kind: casework.InsideProperty, Amount: 880000, Note: "Q03，价目表", At: now, By: "customer", Item: "Q03", Quantity: 1,
	}}, agreed.Charges)
	var kinds []casework.EventKind
	for _, e := range agreed.TakeChanges().Events {
		kinds = append(kinds, e.Kind)
		require.NotContains(t, e.Note.String(), "沈", "notes hold no personal data")
	}
	require.Equal(t, []casework.EventKind{casework.QuoteAgreed, casework.ChargeProposed}, kinds)
}

// Where digging, a large meter or a long pipe is found, nothing is confirmed or
// priced at the survey.
func TestLargeSurveyHasNoQuote(t *testing.T) {
	t.Parallel()
	k := surveyedGas(t, func(in *casework.SurveyInput) {
		in.DesignConfirmed, in.Design.Atlas = false, ""
		in.Permits = []casework.PermitNeed{{Kind: casework.RoadExcavation}}
	})
	require.Nil(t, k.Gas.Quote)
	require.Nil(t, k.ChosenDesign())
	require.True(t, k.NeedsDesign())
	events := k.TakeChanges().Events
	i := slices.IndexFunc(events, func(e casework.Event) bool { return e.Kind == casework.ConnectionJudged })
	require.Equal(t, "不属于小型标准化接入，另行设计、按价目表报价：需开挖", events[i].Note.ZH)
	require.JSONEq(t, `{"small":false,"reasons":[{"zh":"需开挖","en":"ground must be dug up"}]}`, string(events[i].Data))
}

// Each kind of task of gas names every field that is wrong, at once.
func TestBadGasInputNamesItsFields(t *testing.T) {
	t.Parallel()
	const ok = `"2026-11-23T10:30:00+08:00"`
	long := strings.Repeat("长", 2001)
	type bad struct {
		input string
		want  []string
	}
	for kind, cases := range map[casework.TaskKind][]bad{
		casework.ConductSurvey: {
			{`{"conducted_at":` + ok + `,"connectable":true,"information_checked":true,"application_completed":true,"design":{"meter_diameter":20,"atlas":"WS-01"}}`,
				[]string{"design.atlas", "design.meter_diameter", "design.meter", "design.pressure", "design.pipe_material", "design.pipe_length"}},
			{`{"conducted_at":` + ok + `,"connectable":true,"information_checked":true,"application_completed":true,"design":{"meter":"G6","pressure":"low","pipe_material":"PE80","pipe_length":5}}`,
				[]string{"design.atlas"}},
			{`{"conducted_at":` + ok + `,"connectable":true,"information_checked":true,"application_completed":true,"excavation":true,"design_confirmed":true,
				"design":{"atlas":"RQ-01","meter":"G6","pressure":"low","pipe_material":"PE80","pipe_length":5}}`, []string{"design_confirmed"}},
		},
		casework.CompleteDeferred: {
			{`{}`, []string{"credit_code"}},
			{`{"credit_code":"91340200MA8N004321"}`, []string{"credit_code"}},
			{`{"credit_code":"91340200","credit_code_override":"` + long + `"}`, []string{"credit_code", "credit_code_override"}},
		},
		casework.DesignConnection: {
			{`{"lines":[{"item":"N01","quantity":1},{"item":"Q01","quantity":1},{"item":"Q11","quantity":0,"kind":"customer_request"},{"item":"Q11","quantity":1000001}],"permits":[{"kind":"moon"}]}`,
				[]string{"design.meter", "design.pressure", "design.pipe_material", "design.pipe_length", "lines[0].item", "lines[1].item", "lines[2].kind", "lines[2].quantity", "lines[3].quantity", "lines[3].item", "permits"}},
		},
		casework.AgreeQuote: {
			{`{}`, []string{"wish"}},
			{`{"agreed":true,"wish":"x"}`, []string{"wish", "agreed_at", "agreed_by"}},
			{`{"agreed_by":"phone","agreed_at":` + ok + `,"wish":"x"}`, []string{"agreed"}},
			{`{"agreed":true,"agreed_by":"online","agreed_at":"2026-11-23T10:14:59+08:00"}`, []string{"agreed_by", "agreed_at"}},
		},
		casework.SignContracts: {
			{`{}`, []string{"signed_at", "signed_by"}},
			{`{"signed_by":"phone","signed_at":"2026-11-23T10:14:59+08:00","signatory":"` + long + `"}`, []string{"signed_at", "signed_by", "signatory"}},
		},
		casework.InstallMeter: {
			{`{"diameter":20}`, []string{"serial", "seal", "diameter", "size", "type", "installed_at"}},
		},
		casework.CommissionSupply: {
			{`{}`, []string{"tested_at", "hazard"}},
			{`{"tested_at":` + ok + `,"supplied_at":` + ok + `,"hazard":"漏","kilopascals":-1,"minutes":1441,"drop":1001,"pressure":401}`,
				[]string{"kilopascals", "minutes", "drop", "pressure", "supplied_at"}},
			{`{"passed":true,"tested_at":"2026-11-23T10:14:59+08:00","hazard":"漏","kilopascals":4.9,"minutes":29,"drop":0.1}`,
				[]string{"tested_at", "hazard", "kilopascals", "minutes", "drop", "supplied_at", "checked", "checked"}},
		},
		casework.RemedyHazard:      {{`{"evidence":"D1"}`, []string{"remedied_at", "measures", "evidence"}}},
		casework.IssueCard:         {{`{"number":"abc","top_up":-1}`, []string{"number", "top_up"}}},
		casework.VoidContract:      {{`{"note":"` + long + `"}`, []string{"note"}}},
		casework.CommissionUpgrade: {{`{"commissioned_at":` + ok + `,"pressure":0.2,"water_passed":true}`, []string{"tightness_passed"}}},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			for _, c := range cases {
				k, task := newGasCase(t, kind, map[bool]string{true: "supply_contract"}[kind == casework.SignContracts || kind == casework.VoidContract])
				k.Documents = []casework.Document{{ID: "x", Kind: casework.ConstructionDrawing}}
				k.Meter = &casework.MeterInput{InstalledAt: received.Add(15 * time.Minute)}
				k.Gas.Quote = &casework.Quote{MadeAt: received.Add(20 * time.Minute)}
				k.Gas.Contracts = []casework.Contract{{Kind: casework.SupplyContractKind, DraftedAt: received.Add(20 * time.Minute)}}
				_, err := k.Try(casework.CompleteTask{By: byAble, Task: task.ID, Input: json.RawMessage(c.input)}, now)
				require.Equal(t, c.want, wrong(t, err), c.input)
			}
		})
	}
}

// Water is asked nothing of gas.
func TestWaterHasNothingOfGas(t *testing.T) {
	t.Parallel()
	for kind, test := range map[casework.TaskKind]struct {
		input string
		want  []string
	}{
		casework.ConductSurvey: {`{"conducted_at":"2026-11-23T10:30:00+08:00","connectable":true,"information_checked":true,"application_completed":true,"excavation":true,
			"design":{"atlas":"WS-01","meter_diameter":20,"pipe_material":"PE","pipe_length":5,"meter":"G4"}}`, []string{"excavation", "design.meter"}},
		casework.InstallMeter: {`{"serial":"WH001","seal":"F1","diameter":20,"installed_at":"2026-11-23T10:30:00+08:00","type":"ic_card"}`, []string{"size"}},
	} {
		k, task := newCase(t, kind, "")
		_, err := k.Try(casework.CompleteTask{By: byAble, Task: task.ID, Input: json.RawMessage(test.input)}, now)
		require.Equal(t, test.want, wrong(t, err), kind)
	}
	k, _ := newCase(t, casework.ContactCustomer, "")
	_, err := k.Try(casework.ConfirmQuote{By: byCustomer}, now)
	require.Equal(t, "no_quote", casework.AsFault(err).Code)
	_, err = k.Try(casework.ConfirmContract{By: byCustomer, Kind: casework.SupplyContractKind}, now)
	require.Equal(t, "no_contract", casework.AsFault(err).Code)
	b, err := json.Marshal(k)
	require.NoError(t, err)
	require.NotContains(t, string(b), `"gas"`, "a water case reads as it always did")
}

// A design that charges for the meter, or for works outside the property line,
// is refused by the rule's name.
func TestDesignChargesNothingForbidden(t *testing.T) {
	t.Parallel()
	for _, kind := range []casework.ChargeKind{casework.MeteringDevice, casework.OutsideProperty} {
		k, task := newGasCase(t, casework.DesignConnection, "")
		k.Documents = []casework.Document{{ID: "x", Kind: casework.ConstructionDrawing}}
		in := casework.ConnectionDesignInput{Design: smallDesign(), Lines: []casework.Quantity{{Item: "Q11", Quantity: 1, Kind: kind}}}
		_, err := k.Try(casework.CompleteTask{By: byAble, Task: task.ID, Input: marshal(t, in)}, now)
		f := casework.AsFault(err)
		require.Equal(t, "charge_forbidden", f.Code)
		require.Contains(t, f.Rule, "国办函〔2020〕129号")
	}
}

// What is lacking is known from the request alone, and only for an organisation
// that asks for gas.
func TestDeferred(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*casework.Request)
		want   []casework.DeferredItem
	}{
		"nothing lacks": {func(*casework.Request) {}, nil},
		"no code":       {func(r *casework.Request) { r.Applicant.CreditCode = "" }, []casework.DeferredItem{casework.CreditCodeItem}},
		"a person":      {func(r *casework.Request) { r.Applicant = casework.Applicant{Name: "沈", Person: true} }, nil},
		"water":         {func(r *casework.Request) { r.Utility, r.Applicant.CreditCode = casework.Water, "" }, nil},
	} {
		k, _ := newGasCase(t, casework.ContactCustomer, "")
		test.change(&k.Request)
		require.Equal(t, test.want, k.Deferred(), name)
	}
	// A code that fails its check is taken with a reason, as in a request.
	k, task := newGasCase(t, casework.CompleteDeferred, string(casework.CreditCodeItem))
	k.Request.Applicant.CreditCode = ""
	next, err := k.Try(casework.CompleteTask{By: byAble, Task: task.ID,
		Input: json.RawMessage(`{"credit_code":"91340200ma8n00432 1","credit_code_override":"证照如此"}`)}, now)
	require.NoError(t, err)
	require.Empty(t, next.Deferred())
	require.Equal(t, "91340200MA8N004321", next.Request.Applicant.CreditCode)
	require.NoError(t, next.Request.Validate())
}

// A contract that nobody signed follows a correction of the request.
func TestUnsignedContractsAreWrittenAnew(t *testing.T) {
	t.Parallel()
	k, _ := newGasCase(t, casework.ContactCustomer, "")
	k.DraftContracts(now)
	require.Equal(t, []casework.Contract{
		{Kind: casework.ConnectionContractKind, Number: "G1-RH", DraftedAt: now}, {Kind: casework.SupplyContractKind, Number: "G1-YQ", DraftedAt: now},
	}, k.Gas.Contracts)
	k.DraftContracts(now.Add(time.Hour))
	require.Len(t, k.Gas.Contracts, 2)
	k.Drafts, k.Gas.Contracts[0].SignedAt = nil, now
	address := "芜湖市无为市凤河路31号"
	next, err := k.Try(casework.AmendRequest{By: byAble, Address: &address, Reason: "笔误"}, now)
	require.NoError(t, err)
	require.Equal(t, []casework.DocumentKind{casework.SupplyContract}, next.Drafts)
}

// A gas case is not moved to a policy that says nothing of gas.
func TestGasCaseStaysWithGasPolicies(t *testing.T) {
	t.Parallel()
	k, _ := newGasCase(t, casework.ContactCustomer, "")
	to := terms()
	to.PolicyVersion = "water-only"
	_, err := k.Try(casework.MovePolicy{By: byAble, Terms: to, Reason: "x"}, now)
	require.Equal(t, "policy_without_gas", casework.AsFault(err).Code)
	to.Gas = gasTerms().Gas
	_, err = k.Try(casework.MovePolicy{By: byAble, Terms: to, Reason: "x"}, now)
	require.NoError(t, err)
}

// Words that people read say what flows.
func TestWordsOfGas(t *testing.T) {
	t.Parallel()
	k, task := newGasCase(t, casework.AcceptMeter, "")
	require.Equal(t, "燃气表验收", task.Title())
	water, meter := newCase(t, casework.AcceptMeter, "")
	require.Equal(t, "水表验收", meter.Title())
	_, err := k.Try(casework.ConfirmAcceptance{By: byCustomer}, now)
	require.Equal(t, "尚未通气", casework.AsFault(err).Text.ZH)
	_, err = water.Try(casework.ConfirmAcceptance{By: byCustomer}, now)
	require.Equal(t, "尚未通水", casework.AsFault(err).Text.ZH)
	require.Equal(t, "签订合同·入户合同", (&casework.Task{Kind: casework.SignContracts, Qualifier: "connection_contract", Case: "G1"}).Title())
}
