package api

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/policy"
)

// quoted is a gas case with a quote, as its survey left it.
func (w *world) quoted(t *testing.T, number string) *casework.Case {
	t.Helper()
	terms := policy.Default().Terms()
	k := w.openBy(t, number, terms).Clone()
	k.Request.Utility = casework.Gas
	k.Survey = &casework.SurveyInput{Connectable: true, Design: &casework.Design{Atlas: "RQ-01", Meter: "G6", PipeLength: 20}}
	scale := terms.Scale(k.Request.Class(), *k.Survey.Design, false)
	fixed, ok := terms.FixedPrice(k.Request.Class(), "G6")
	require.True(t, ok)
	quote := casework.NewQuote(terms, []casework.Quantity{{Item: fixed.Code, Quantity: 1}}, noon)
	quote.Fixed = true
	k.Gas.Scale, k.Gas.Quote, k.DesignConfirmedAt = &scale, &quote, noon
	k.Stage = casework.Permits
	k.Tasks = nil
	k.Need(casework.AgreeQuote, "", 1, noon, noon)
	w.keep(k)
	return k
}

// A gas customer reads the quote and the contracts and agrees, with number and
// code and nothing else.
func TestGasCustomerAgreesAndSigns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.quoted(t, "G1")
	code := w.ring.Code("G1")
	progress := func() progressView {
		return read[progressView](t, w.ask(t, asked{path: "/v1/public/progress?number=G1&code=" + code}), 200)
	}
	act := func(what string, body object) asked {
		body["code"] = code
		return asked{path: "/v1/public/cases/G1/" + what, body: body}
	}
	paper := func(kind string) string { return "/v1/public/cases/G1/papers/" + kind + "?code=" + code }

	v := progress()
	require.Equal(t, []string{"withdraw", "confirm-quote"}, v.Actions)
	require.Equal(t, int64(880000), v.Quote.Total)
	require.True(t, v.Quote.Fixed)
	require.Empty(t, v.Contracts)
	require.Equal(t, "https://water.example.cn/v1/public/cases/G1/papers/quotation", v.Quote.Paper)
	rec := w.ask(t, asked{path: paper("quotation")})
	require.Equal(t, 200, rec.Code)
	require.Contains(t, rec.Body.String(), "quotation G1")
	require.NotContains(t, rec.Body.String(), goodRequest().Contact.Phone, "the contact is masked")
	refused(t, w.ask(t, asked{path: paper("supply_contract")}), 404, "paper_not_found")
	refused(t, w.ask(t, asked{path: paper("booking")}), 404, "paper_not_found")
	refused(t, w.ask(t, act("confirm-contract", object{"kind": "supply_contract"})), 409, "no_contract")

	w.act(t, act("confirm-quote", object{}))
	require.Equal(t, casework.ConsentOnline, w.cases["G1"].Gas.Quote.AgreedBy)
	refused(t, w.ask(t, act("confirm-quote", object{})), 409, "already_confirmed")

	k := w.cases["G1"].Clone()
	k.DraftContracts(noon)
	k.Request.Applicant.CreditCode = ""
	w.keep(k)
	v = progress()
	require.Equal(t, []deferredView{{casework.CreditCodeItem, "统一社会信用代码"}}, v.Deferred)
	require.Equal(t, []string{"withdraw"}, v.Actions, "the contracts wait for the code")
	p := refused(t, w.ask(t, act("confirm-contract", object{"kind": "supply_contract"})), 409, "deferred_missing")
	require.Equal(t, "measures 3.1.1", p.Rule)

	k = k.Clone()
	k.Request.Applicant.CreditCode = goodRequest().Applicant.CreditCode
	w.keep(k)
	v = progress()
	k.Gas.Contracts[1].Signatory = "沈兰英"
	seen := w.ask(t, asked{as: "taskforce_office", path: "/v1/cases/G1"})
	require.Contains(t, seen.Body.String(), `"signatory":"沈*"`)
	require.Equal(t, "沈兰英", k.Gas.Contracts[1].Signatory, "what is shown is not what is kept")
	k.Gas.Contracts[1].Signatory = ""
	require.Equal(t, []string{"withdraw", "confirm-contract"}, v.Actions)
	require.Equal(t, "入户合同", v.Contracts[0].Name)
	require.Equal(t, 200, w.ask(t, asked{path: paper("supply_contract")}).Code)
	require.Equal(t, []string{"kind"}, fields(refused(t, w.ask(t, act("confirm-contract", object{"kind": "marriage"})), 422, "invalid_input")))
	for _, kind := range casework.ContractKinds() {
		w.act(t, act("confirm-contract", object{"kind": kind}))
	}
	require.Equal(t, []string{"withdraw"}, progress().Actions)
	require.Contains(t, progress().NextStep.ZH, "正在为您代办")
}

// A wrong code learns nothing of a gas case either.
func TestStrangersReadNoPapers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.quoted(t, "G1")
	for _, q := range []asked{
		{path: "/v1/public/cases/G1/papers/quotation?code=AAAAAAAAAA"},
		{path: "/v1/public/cases/G9/papers/quotation?code=" + w.ring.Code("G9")},
		{path: "/v1/public/cases/G1/confirm-quote", body: object{"code": "AAAAAAAAAA"}},
		{path: "/v1/public/cases/G1/confirm-contract", body: object{"code": "AAAAAAAAAA", "kind": "supply_contract"}},
	} {
		refused(t, w.ask(t, q), 404, "number_or_code")
	}
}

// Where gas is served, a request without a credit code is accepted.
func TestGasIsAcceptedWithoutACreditCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := requestWith(func(o object) {
		o["utility"] = "gas"
		applicant, ok := o["applicant"].(object)
		require.True(t, ok)
		delete(applicant, "credit_code")
	})
	got := read[Acceptance](t, w.ask(t, asked{as: "taskforce", path: "/v1/connection-requests", body: body}), 201)
	require.Equal(t, "accepted", got.Status)
}
