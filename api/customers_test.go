package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
)

func TestProgressForCustomers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	rec := w.ask(t, asked{path: "/v1/public/progress?number=W1&code=" + w.ring.Code("W1")})
	v := read[progressView](t, rec, 200)
	require.Equal(t, "办理中", v.StatusName)
	require.Len(t, v.Stages, 6)
	require.Equal(t, stageView{Stage: casework.PreService, Name: "前置服务", State: "current", EnteredAt: v.Stages[0].EnteredAt}, v.Stages[0])
	require.Equal(t, "ahead", v.Stages[5].State)
	require.Contains(t, v.NextStep.ZH, "无需您办理手续")
	require.Equal(t, []string{"withdraw"}, v.Actions)
	require.Equal(t, callView{Department: "营商专班", Phone: "12345"}, v.Call)
	for _, personal := range []string{"沈", "1653", "凤河路", "泰盛", "91340281"} {
		require.NotContains(t, rec.Body.String(), personal)
	}
	require.NotContains(t, w.log.String(), w.ring.Code("W1"), "a code is in the log")
}

// A wrong code and an unknown number can't be told apart.
func TestStrangersLearnNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	upgrade := casework.NewUpgrade("W1-U1", w.cases["W1"], noon)
	w.keep(upgrade)
	code := w.ring.Code
	var details []string
	for _, q := range []asked{
		{path: "/v1/public/progress?number=W1&code=AAAAAAAAAA"},
		{path: "/v1/public/progress?number=W9&code=AAAAAAAAAA"},
		{path: "/v1/public/progress?number=W9&code=" + code("W9")},
		{path: "/v1/public/progress?number=W1&code=" + code("W2")},
		{path: "/v1/public/progress?number=W1-U1&code=" + code("W1-U1")},
		{path: "/v1/public/cases/W1/withdraw", body: object{"code": "AAAAAAAAAA", "reason": "x"}},
		{path: "/v1/public/cases/W9/rate", body: object{"code": code("W9"), "level": 5}},
		{path: "/v1/public/cases/W1/confirm-design", body: object{"code": ""}},
		{path: "/v1/public/cases/W1/confirm-acceptance", body: object{"code": "x"}},
	} {
		before := w.state("W1")
		details = append(details, refused(t, w.ask(t, q), 404, "number_or_code").Detail)
		require.Equal(t, before, w.state("W1"))
		require.Equal(t, details[0], details[len(details)-1])
	}
	refused(t, w.ask(t, asked{path: "/v1/public/progress?number=W1"}), 422, "invalid_input")
}

func TestCustomersAct(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.open(t, "W1")
	code := w.ring.Code("W1")
	act := func(what string, body object) asked {
		body["code"] = code
		return asked{path: "/v1/public/cases/W1/" + what, body: body}
	}
	refused(t, w.ask(t, act("confirm-design", object{})), 409, "no_design")
	refused(t, w.ask(t, act("rate", object{"level": 5})), 409, "not_supplied")
	refused(t, w.ask(t, act("confirm-acceptance", object{})), 409, "not_supplied")
	refused(t, w.ask(t, asked{path: "/v1/public/cases/W1/rate", body: object{"code": code, "level": 5}, headers: map[string]string{"Idempotency-Key": ""}}), 400, "idempotency_key")

	k = k.Clone()
	k.Survey = &casework.SurveyInput{Connectable: true, Design: &casework.Design{Atlas: "A"}}
	k.Stage = casework.JointSurvey
	w.keep(k)
	progress := func() progressView {
		return read[progressView](t, w.ask(t, asked{path: "/v1/public/progress?number=W1&code=" + code}), 200)
	}
	require.Equal(t, []string{"withdraw", "confirm-design"}, progress().Actions)
	w.act(t, act("confirm-design", object{}))
	require.False(t, w.cases["W1"].DesignConfirmedAt.IsZero())

	k = w.cases["W1"].Clone()
	k.Supply = &casework.SupplyInput{SuppliedAt: noon}
	k.Stage = casework.Construction
	w.keep(k)
	v := progress()
	require.Equal(t, []string{"rate", "confirm-acceptance"}, v.Actions)
	require.Equal(t, "not_needed", v.Stages[2].State, "no permit was needed")
	require.Equal(t, noon, v.SuppliedAt.In(noon.Location()))
	w.act(t, act("confirm-acceptance", object{}))
	p := refused(t, w.ask(t, act("rate", object{"level": 9})), 422, "invalid_input")
	require.Equal(t, []string{"level"}, fields(p))
	w.act(t, act("rate", object{"level": 5}))
	refused(t, w.ask(t, act("withdraw", object{"reason": "不要了"})), 409, "already_supplied")
}

// Every state has a sentence in both languages.
func TestNextSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.open(t, "W1")
	for _, s := range casework.Statuses() {
		for _, stage := range casework.Stages() {
			k.Status, k.Stage = s, stage
			text, _ := nextStep(k)
			requireBoth(t, text.ZH, text.EN)
		}
	}
	k.Status = casework.Open
	k.Upgrade = &casework.UpgradeFact{StartedAt: noon}
	text, _ := nextStep(k)
	require.Contains(t, text.ZH, "管网")
	k.Upgrade = nil
	k.Survey = &casework.SurveyInput{}
	k.NextFollow.Year, k.NextFollow.Month, k.NextFollow.Day = 2026, 12, 8
	text, _ = nextStep(k)
	require.Contains(t, text.ZH, "2026-12-08")
}

func TestStrangersAreLimitedByAddress(t *testing.T) {
	t.Parallel()
	clock := noon
	w := newWorld(t, func(o *Options) {
		o.Limits.PublicPerMinute = 2
		o.Now = func() time.Time { return clock }
	})
	q := asked{path: "/v1/public/progress?number=W1&code=x", headers: map[string]string{"X-Forwarded-For": "203.0.113.1"}}
	for range 2 {
		refused(t, w.ask(t, q), 404, "number_or_code")
	}
	// Nobody chooses the address that they are counted by.
	q.headers["X-Forwarded-For"] = "203.0.113.2"
	rec := w.ask(t, q)
	refused(t, rec, 429, "too_many_requests")
	require.Equal(t, "60", rec.Header().Get("Retry-After"))
	require.Equal(t, http.StatusOK, w.ask(t, asked{path: "/healthz"}).Code)
	clock = clock.Add(time.Minute)
	refused(t, w.ask(t, q), 404, "number_or_code")
}

// A request that was accepted and whose case is not open yet is shown as received
// to who has its code; what can't be done with it yet is to be tried again.
func TestCustomerLooksBeforeTheCaseIsOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	receipt, _, err := w.Accept(t.Context(), goodRequest(), casework.AsCustomer(), noon)
	require.NoError(t, err)
	code := w.ring.Code(receipt.Number)
	v := read[progressView](t, w.ask(t, asked{path: "/v1/public/progress?number=" + receipt.Number + "&code=" + code}), 200)
	require.Equal(t, receipt.Number, v.Number)
	require.Equal(t, casework.Open, v.Status)
	require.Contains(t, v.NextStep.ZH, "正在立案")
	refused(t, w.ask(t, asked{path: "/v1/public/cases/" + receipt.Number + "/withdraw", body: object{"code": code, "reason": "不要了"}}), 503, "case_opening")
	refused(t, w.ask(t, asked{path: "/v1/public/progress?number=" + receipt.Number + "&code=x"}), 404, "number_or_code")
}
