package workflows_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
)

// gasBook is a book of a request for gas.
func gasBook(t *testing.T, change ...func(*casework.Request)) *book {
	t.Helper()
	b := newBook(t)
	b.input.Request.Utility, b.input.Request.ExternalNumber = casework.Gas, "park/1/gas"
	for _, f := range change {
		f(&b.input.Request)
	}
	return b
}

func person(r *casework.Request) {
	r.Applicant = casework.Applicant{Name: "沈兰英", Person: true}
}

func withoutCode(r *casework.Request) { r.Applicant.CreditCode = "" }

// order lists the tasks of a case in the order in which they were opened.
func (l *ledger) order() []string {
	var all []casework.Task
	for _, t := range l.tasks {
		all = append(all, t)
	}
	number := func(t casework.Task) int { return len(t.ID)*10_000 + int(t.ID[len(t.ID)-1]) }
	slices.SortFunc(all, func(a, b casework.Task) int { return number(a) - number(b) })
	var kinds []string
	for _, t := range all {
		kind := string(t.Kind)
		if t.Qualifier != "" {
			kind += "/" + t.Qualifier
		}
		kinds = append(kinds, kind)
	}
	return kinds
}

// worked lists the tasks of a case that belong to gas alone, or that gas does
// without, in their order.
func (l *ledger) worked() []string {
	return slices.DeleteFunc(l.order(), func(kind string) bool {
		switch kind {
		case "complete_deferred/credit_code", "design_connection", "agree_quote", "sign_contracts/connection_contract", "sign_contracts/supply_contract",
			"commission_supply", "remedy_hazard", "issue_card", "turn_on_supply", "enrol_reading", "prepare_materials", "enter_site",
			"void_contract/connection_contract", "void_contract/supply_contract":
			return false
		}
		return true
	})
}

// The short way: a design from the atlas at the survey, the fixed price, no
// task for a design.
func TestSmallGasConnection(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		class     func(*casework.Request)
		choices   demo.Choices
		contracts []string
		price     int64
		last      string
	}{
		"non-residential": {func(*casework.Request) {}, demo.Choices{}, []string{"sign_contracts/connection_contract", "sign_contracts/supply_contract"}, 880000, "enrol_reading"},
		"residential":     {person, demo.Choices{}, []string{"sign_contracts/supply_contract"}, 460000, "enrol_reading"},
		"by card":         {person, demo.Choices{CardPaid: true}, []string{"sign_contracts/supply_contract"}, 460000, "issue_card"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := gasBook(t, test.class)
			b.play(func(p *people) { p.straight(test.choices) })
			require.NoError(t, b.env.GetWorkflowError())
			k := b.snapshot
			require.Equal(t, casework.Closed, k.Status)
			want := append([]string{"agree_quote"}, test.contracts...)
			want = append(want, "prepare_materials", "enter_site", "commission_supply", test.last)
			got := b.worked()
			require.Len(t, got, len(want), got)
			require.ElementsMatch(t, want, got)
			require.True(t, k.Gas.Scale.Small)
			require.True(t, k.Gas.Quote.Fixed)
			require.Equal(t, test.price, k.Gas.Quote.Total)
			require.Len(t, k.Charges, 1)
			require.Equal(t, test.price, k.Charges[0].Amount)
			require.Equal(t, casework.LaneLimit(casework.Lane101), b.deadlines[casework.LaneDeadline].Limit)
			require.Empty(t, k.MissingDocuments())
			require.Equal(t, k.Supply.SuppliedAt, k.Gas.Commissioning.SuppliedAt)
			for _, c := range k.Gas.Contracts {
				require.False(t, c.SignedAt.IsZero())
			}
			require.Equal(t, []casework.Zero{casework.ZeroFee}, k.Score().Broken)
			require.Equal(t, 1, b.count(casework.ConnectionJudged))
			require.Equal(t, 1, b.count(casework.QuoteMade))
			require.Equal(t, 1, b.count(casework.QuoteAgreed))
		})
	}
}

// Beyond the limits somebody designs the connection, the price list prices it,
// and its own limit holds.
func TestLargeGasConnectionIsDesigned(t *testing.T) {
	t.Parallel()
	b := gasBook(t)
	large := demo.Choices{Large: true, Permits: []casework.PermitNeed{green}}
	b.play(func(p *people) {
		p.reach(casework.ConductSurvey, large)
		confirmed := demo.AnswerTo(p.task(casework.ConductSurvey), demo.Choices{Gas: true, Large: true}, p.env.Now())
		in, ok := confirmed.Input.(casework.SurveyInput)
		require.True(t, ok)
		in.DesignConfirmed = true
		fault := p.refused("invalid_input", enter(p.task(casework.ConductSurvey), in))
		require.Equal(t, "design_confirmed", fault.Fields[0].Field)
		require.Contains(t, fault.Fields[0].ZH, "表具 G65 大于 G25")
		p.reach(casework.DesignConnection, large)
		require.Equal(t, []string{"design_connection"}, p.kinds())
		p.refused("no_design", casework.ConfirmDesign{By: byCustomer})
		p.refused("no_quote", casework.ConfirmQuote{By: byCustomer})
		p.refused("document_missing", enter(p.task(casework.DesignConnection), casework.ConnectionDesignInput{}))
		p.finish(casework.DesignConnection, large)
		require.Equal(t, []string{"agree_quote", "file_permit/green_space_occupation"}, p.kinds())
		// The customer wants it otherwise: designed and priced anew, beside the permit.
		p.finish(casework.AgreeQuote, demo.Choices{Revise: true})
		require.Equal(t, []string{"design_connection", "file_permit/green_space_occupation"}, p.kinds())
		again := p.task(casework.DesignConnection)
		require.Equal(t, 2, again.Round)
		p.refused("document_missing", enter(again, casework.ConnectionDesignInput{})) // another design has another drawing
		p.finish(casework.DesignConnection, large)
		p.straight(large)
	})
	require.NoError(t, b.env.GetWorkflowError())
	k := b.snapshot
	require.Equal(t, casework.Closed, k.Status)
	require.False(t, k.Gas.Quote.Fixed)
	require.Equal(t, int64(40*18000+360000), k.Gas.Quote.Total)
	require.Len(t, k.Charges, 2, "what the customer did not agree to was never charged")
	require.Equal(t, casework.DesignedLaneLimit, b.deadlines[casework.LaneDeadline].Limit)
	require.Equal(t, k.Gas.Quote.AgreedAt, k.DesignConfirmedAt, "who agrees to the price agrees to the design")
	require.Equal(t, casework.MeterSize("G65"), k.ChosenDesign().Meter)
	require.Equal(t, 2, b.count(casework.QuoteMade))
}

// A road that is dug up takes the short way from a connection within the limits.
func TestExcavationIsNeverSmall(t *testing.T) {
	t.Parallel()
	b := gasBook(t)
	b.play(func(p *people) {
		p.reach(casework.DesignConnection, permitsOf(casework.PermitNeed{Kind: casework.RoadExcavation}))
		require.Equal(t, []casework.Text{casework.Say("需开挖", "ground must be dug up")}, p.snapshot.Gas.Scale.Reasons)
		p.leave()
	})
}

// A request without a credit code is accepted: the code is asked for from the
// first moment with its own clock, and holds up the contracts and nothing else.
func TestDeferredCodeGatesTheContractsOnly(t *testing.T) {
	t.Parallel()
	for name, provide := range map[string]func(p *people){
		"by its task": func(p *people) { p.finish(casework.CompleteDeferred) },
		"by correction": func(p *people) {
			a := p.snapshot.Request.Applicant
			a.CreditCode = "91340223RDUELXGQ0Y"
			p.must(casework.AmendRequest{By: byStaff, Applicant: &a, Reason: "客户补充"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := gasBook(t, withoutCode)
			b.play(func(p *people) {
				require.Equal(t, []string{"complete_deferred/credit_code", "contact_customer"}, p.kinds())
				code := p.task(casework.CompleteDeferred)
				require.Equal(t, "补齐容缺项·统一社会信用代码", code.Title())
				require.Equal(t, casework.ServiceHall, code.Role)
				require.Equal(t, casework.Department("taskforce"), p.snapshot.InCharge())
				_, timed := p.snapshot.Deadline(code.ID)
				require.True(t, timed)
				for p.snapshot.Gas.Quote == nil || p.snapshot.Gas.Quote.AgreedAt.IsZero() || p.snapshot.Materials == nil {
					i := slices.IndexFunc(p.snapshot.Tasks, func(t casework.Task) bool { return t.Kind != casework.CompleteDeferred })
					p.must(complete(p.snapshot, p.snapshot.Tasks[i], demo.Choices{}, p.env.Now())...)
				}
				require.Equal(t, []string{"complete_deferred/credit_code"}, p.kinds(), "survey, design and quote went ahead, the contracts wait")
				require.Equal(t, casework.PartyCustomer, p.snapshot.Clock.Now.Party)
				p.refused("deferred_missing", casework.ConfirmContract{By: byCustomer, Kind: casework.SupplyContractKind})
				require.Equal(t, []string{"credit_code"}, fields(p.refused("invalid_input", enter(code, casework.DeferredInput{CreditCode: "91340200MA8N004321"}))))
				provide(p)
				require.Equal(t, casework.TaskDone, p.tasks[code.ID].State)
				require.False(t, p.deadlines[code.ID].MetAt.IsZero())
				require.Equal(t, []string{"sign_contracts/connection_contract", "sign_contracts/supply_contract"}, p.kinds())
				p.straight()
			})
			require.NoError(t, b.env.GetWorkflowError())
			require.Equal(t, casework.Closed, b.snapshot.Status)
		})
	}
}

// The reminders of a deferred item are those of every limit.
func TestDeferredCodeIsReminded(t *testing.T) {
	t.Parallel()
	b := gasBook(t, withoutCode)
	b.play(func(p *people) {
		p.finish(casework.ContactCustomer)
		p.finish(casework.AssessNetwork)
		p.finish(casework.BriefCustomer)
		p.until("2026-12-08 09:00")
		p.leave()
	})
	code := caseNumber + "-T1"
	var fired []string
	for _, r := range b.rungs() {
		if r.Of == code {
			fired = append(fired, r.At)
		}
	}
	// Received Monday 23 November, ten working days: 7 December, close of business.
	require.Equal(t, []string{"2026-12-07 15:30", "2026-12-07 17:30"}, fired)
}

// The customer agrees to the quote and signs with the case's code; nobody in
// the office has anything left to do.
func TestCustomerAgreesAndSignsOnline(t *testing.T) {
	t.Parallel()
	b := gasBook(t)
	b.play(func(p *people) {
		p.reach(casework.AgreeQuote)
		quote := p.task(casework.AgreeQuote)
		p.must(casework.ConfirmQuote{By: byCustomer})
		require.Equal(t, "customer", p.tasks[quote.ID].DoneBy)
		p.refused("already_confirmed", casework.ConfirmQuote{By: byCustomer})
		require.Contains(t, p.kinds(), "sign_contracts/supply_contract")
		p.refused("invalid_input", casework.ConfirmContract{By: byCustomer, Kind: "marriage"})
		p.must(casework.ConfirmContract{By: byCustomer, Kind: casework.SupplyContractKind}, casework.ConfirmContract{By: byCustomer, Kind: casework.ConnectionContractKind})
		p.refused("already_confirmed", casework.ConfirmContract{By: byCustomer, Kind: casework.SupplyContractKind})
		require.Equal(t, []string{"prepare_materials"}, p.kinds())
		p.straight()
	})
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.Equal(t, casework.ConsentOnline, b.snapshot.Gas.Quote.AgreedBy)
	require.Equal(t, caseNumber+"-YQ", b.snapshot.Account.ContractNumber, "the contract's number is not asked again")
	drafted := 0
	for _, d := range b.documents {
		if d.Kind == casework.SupplyContract {
			drafted++
		}
	}
	require.Equal(t, 2, drafted, "once to be read, once with the signature")
}

// A hazard keeps the supply off until it is remedied and checked again.
func TestHazardKeepsTheSupplyOff(t *testing.T) {
	t.Parallel()
	b := gasBook(t)
	b.play(func(p *people) {
		p.reach(casework.CommissionSupply)
		for range 2 {
			p.finish(casework.CommissionSupply, demo.Choices{Hazard: true})
			require.Equal(t, []string{"remedy_hazard"}, p.kinds())
			require.Nil(t, p.snapshot.Supply)
			require.Equal(t, "灶前阀门接口渗漏", p.snapshot.Gas.Hazard)
			p.finish(casework.RemedyHazard)
			require.Equal(t, []string{"commission_supply"}, p.kinds())
		}
		require.Equal(t, 3, p.task(casework.CommissionSupply).Round)
		now := p.env.Now()
		done := enter(p.task(casework.CommissionSupply), casework.CommissioningInput{Passed: true, TestedAt: now, SuppliedAt: now, Kilopascals: 4.9, Minutes: 29})
		// Six items for everyone, two more for a business.
		got := fields(p.refused("invalid_input", done))
		require.Equal(t, []string{"kilopascals", "minutes"}, slices.DeleteFunc(slices.Clone(got), func(f string) bool { return f == "checked" }))
		require.Len(t, got, 2+8, "each item of the checklist is confirmed by itself")
		p.straight()
	})
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.Equal(t, 2, b.snapshot.Gas.Failed)
}

// What was begun before the customer withdrew is undone: signed contracts are
// void, the meter comes back. Before supply-on there is no card yet.
func TestGasWithdrawalIsUndone(t *testing.T) {
	t.Parallel()
	b := gasBook(t)
	b.play(func(p *people) {
		p.reach(casework.CommissionSupply)
		p.must(casework.Withdraw{By: byCustomer, Reason: "项目取消"})
		require.Equal(t, []string{"release_materials", "remove_meter", "void_contract/connection_contract", "void_contract/supply_contract"}, p.kinds())
		p.refused("already_withdrawing", casework.ConfirmQuote{By: byCustomer})
		p.straight()
	})
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, casework.Withdrawn, b.snapshot.Status)
	for _, c := range b.snapshot.Gas.Contracts {
		require.False(t, c.VoidedAt.IsZero())
	}
	requireNothingLeft(t, b.ledger)
}

// A customer may withdraw after any task before supply-on, and the case ends.
func TestGasWithdrawalAfterEachTask(t *testing.T) {
	t.Parallel()
	const tasks = 12 // completed before commission_supply
	for done := range tasks + 1 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			b := gasBook(t)
			b.play(func(p *people) {
				for range done {
					p.must(complete(p.snapshot, p.snapshot.Tasks[0], demo.Choices{}, p.env.Now())...)
				}
				require.Nil(t, p.snapshot.Supply)
				p.must(casework.Withdraw{By: byCustomer, Reason: "项目取消"})
				p.straight()
			})
			require.NoError(t, b.env.GetWorkflowError())
			require.Equal(t, casework.Withdrawn, b.snapshot.Status)
			requireNothingLeft(t, b.ledger)
		})
	}
}

// A meter that failed its acceptance may be replaced by one of the other type:
// what only the first needed is no longer asked for.
func TestReplacedMeterOfAnotherType(t *testing.T) {
	t.Parallel()
	b := gasBook(t)
	b.play(func(p *people) {
		p.reach(casework.AcceptMeter, demo.Choices{CardPaid: true})
		p.finish(casework.OpenAccount)
		require.Contains(t, p.kinds(), "issue_card")
		p.finish(casework.AcceptMeter, demo.Choices{MeterFails: true})
		p.finish(casework.InstallMeter)
		require.NotContains(t, p.kinds(), "issue_card")
		require.Contains(t, p.kinds(), "enrol_reading")
		p.straight()
	})
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.Nil(t, b.snapshot.Gas.Card)
}

// An upgrade of a gas main is tested for tightness, not for water.
func TestGasUpgrade(t *testing.T) {
	t.Parallel()
	b := gasBook(t)
	b.play(func(p *people) {
		p.reach(casework.BriefCustomer, demo.Choices{Upgrade: true})
		built := p.on(upgradeNumber)
		built.straight()
		p.straight()
	})
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// A code that is struck out once the contracts are signed is asked for again
// and stops no construction.
func TestCodeStruckOutLaterStopsNoConstruction(t *testing.T) {
	t.Parallel()
	b := gasBook(t)
	b.play(func(p *people) {
		p.reach(casework.EnterSite)
		a := p.snapshot.Request.Applicant
		a.CreditCode = ""
		p.must(casework.AmendRequest{By: byStaff, Applicant: &a, Reason: "代码有误，待核实"})
		require.Equal(t, []string{"complete_deferred/credit_code", "enter_site"}, p.kinds())
		p.finish(casework.EnterSite)
		require.Equal(t, []string{"complete_deferred/credit_code", "install_meter"}, p.kinds())
		p.straight()
	})
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// A lead is asked for nothing that only an application needs.
func TestGasLeadLacksNothingYet(t *testing.T) {
	t.Parallel()
	b := gasBook(t, withoutCode, func(r *casework.Request) { r.Lead = true })
	b.play(func(p *people) {
		require.Equal(t, []string{"contact_customer"}, p.kinds())
		p.leave()
	})
}
