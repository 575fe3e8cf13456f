package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/billing"
	"github.com/curbstop/curbstop/casework"
)

func onlineForm() object {
	return object{
		"utility": "water", "channel": "wechat",
		"applicant": object{"name": "芜湖泰盛汽车零部件有限公司", "credit_code": "91340281WKEFY5QE4Y"},
		"contact":   object{"name": "沈兰英", "phone": "138 0000 1653"},
		"site":      object{"district": "340281", "address": "芜湖市无为市凤河路30号"},
	}
}

// A customer applies without a login, once for a key and what was asked, and
// follows the case by its code.
func TestCustomerAppliesOnline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := asked{path: "/v1/public/connection-requests", body: onlineForm(), headers: map[string]string{"Idempotency-Key": "12345678"}}
	first := read[Acceptance](t, w.ask(t, q), 201)
	require.Equal(t, w.ring.Code(first.Number), first.Code)
	k := w.cases[first.Number]
	require.Equal(t, casework.WeChat, k.Request.Channel)
	require.Equal(t, "13800001653", k.Request.Contact.Phone)
	require.Equal(t, casework.AsCustomer().ID, k.ReceivedBy)
	require.Equal(t, []casework.Zero{casework.ZeroApplication}, k.Broken)
	again := read[Acceptance](t, w.ask(t, q), 200)
	require.Equal(t, Acceptance{Number: first.Number, Code: first.Code, ProgressURL: first.ProgressURL, Status: acceptedBefore}, again)
	read[progressView](t, w.ask(t, asked{path: "/v1/public/progress?number=" + first.Number + "&code=" + first.Code}), 200)

	// Somebody else who chose the same key learns nothing of the first.
	other := onlineForm()
	part(other, "contact")["phone"] = "13800001654"
	q.body = other
	second := read[Acceptance](t, w.ask(t, q), 201)
	require.NotEqual(t, first.Number, second.Number)
	require.NotEqual(t, first.Code, second.Code)
}

func TestCustomerAppliesForSeveralUtilitiesOnline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := onlineForm()
	delete(form, "utility")
	form["channel"], form["utilities"] = "mini_program", []string{"water", "gas"}
	got := read[JointAcceptance](t, w.ask(t, asked{path: "/v1/public/joint-requests", body: form}), 201)
	require.Len(t, got.Cases, 2)
	require.Equal(t, w.ring.Code(got.Number), got.Code)
}

// What only staff and platforms may say is refused to strangers, and each fault
// is named.
func TestOnlineFormIsJudgedFieldByField(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.Limits.PublicPerMinute = 1_000_000 })
	transfer := func() object {
		return object{
			"service": "account_transfer", "utility": "water", "channel": "company_site", "account": "0000000001",
			"holder": object{"name": "测试赵丁"}, "new_holder": object{"name": "测试王丙", "phone": "13800000003"},
		}
	}
	for name, c := range map[string]struct {
		path   string
		form   func() object
		change func(object)
		want   []string
	}{
		"another's channel":   {"connection-requests", onlineForm, func(o object) { o["channel"] = "project_approval" }, []string{"channel"}},
		"a number of its own": {"connection-requests", onlineForm, func(o object) { o["external_number"] = "GG-1" }, []string{"external_number"}},
		"a project":           {"connection-requests", onlineForm, func(o object) { o["project"] = "2026-340202" }, []string{"project"}},
		"a lead":              {"connection-requests", onlineForm, func(o object) { o["lead"] = true }, []string{"lead"}},
		"a wrong code let by": {"connection-requests", onlineForm, func(o object) { part(o, "applicant")["credit_code_override"] = "x" }, []string{"applicant.credit_code_override"}},
		"bad phone":           {"connection-requests", onlineForm, func(o object) { part(o, "contact")["phone"] = "1" }, []string{"contact.phone"}},
		"no address":          {"connection-requests", onlineForm, func(o object) { part(o, "site")["address"] = "" }, []string{"site.address"}},
		"an order of 12345":   {"service-requests", transfer, func(o object) { o["service"] = "hotline_order" }, []string{"service"}},
		"certificates":        {"service-requests", transfer, func(o object) { o["certificates"] = []object{{"kind": "identity", "number": "1"}} }, []string{"certificates"}},
		"nobody to call":      {"service-requests", transfer, func(o object) { delete(part(o, "new_holder"), "phone") }, []string{"new_holder.phone"}},
		"no present holder":   {"service-requests", transfer, func(o object) { part(o, "holder")["name"] = "" }, []string{"holder.name"}},
		"no account":          {"service-requests", transfer, func(o object) { o["account"] = "" }, []string{"account"}},
		"closing, no phone": {"service-requests", transfer, func(o object) {
			o["service"] = "account_closing"
			delete(o, "new_holder")
		}, []string{"holder.phone"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			form := c.form()
			c.change(form)
			p := refused(t, w.ask(t, asked{path: "/v1/public/" + c.path, body: form}), 422, "invalid_input")
			require.Equal(t, c.want, fields(p))
		})
	}
	gas := transfer()
	gas["utility"] = "gas"
	refused(t, newWorld(t, waterOnly).ask(t, asked{path: "/v1/public/service-requests", body: gas}), 409, "utility_not_served")
}

// A customer asks for a closing; what a stranger says is verified by staff, so
// that no certificate counts as brought.
func TestCustomerAsksForAClosingOnline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := asked{path: "/v1/public/service-requests", body: object{
		"service": "account_closing", "utility": "water", "channel": "mini_program", "account": "0000000001",
		"holder": object{"name": "测试赵丁", "phone": "13800000004"}, "reason": "房屋拆迁",
	}, headers: map[string]string{"Idempotency-Key": "closing-1"}}
	first := read[Acceptance](t, w.ask(t, q), 201)
	require.Equal(t, first.Number, read[Acceptance](t, w.ask(t, q), 200).Number)
	k := w.cases[first.Number]
	require.Equal(t, casework.MiniProgram, k.Service.Channel)
	require.Equal(t, []casework.CertificateKind{casework.IdentityCertificate}, k.MissingCertificates())
	v := read[progressView](t, w.ask(t, asked{path: "/v1/public/progress?number=" + first.Number + "&code=" + first.Code}), 200)
	require.Equal(t, casework.ClosingCase, v.Kind)
}

// Without a code, the holder's name shows whose account it is; a payment needs
// no proof, because anybody may pay.
func TestAccountsOnline(t *testing.T) {
	t.Parallel()
	system := &ledger{}
	w := newWorld(t, func(o *Options) { o.Billing = system })
	balance := func(account, holder string) asked {
		return asked{path: "/v1/public/accounts/" + account + "/balance", body: object{"holder": holder}, headers: map[string]string{"Idempotency-Key": ""}}
	}
	rec := w.ask(t, balance("0000000001", "测试赵丁"))
	require.Equal(t, int64(12_345), read[balanceView](t, rec, 200).Owed)
	require.NotContains(t, rec.Body.String(), "赵丁")
	require.Equal(t, casework.AuditEntry{At: noon, Actor: "customer", What: "balance_read", Target: "0000000001"}, w.audited[0])
	refused(t, w.ask(t, balance("0000000001", "测试王丙")), 404, "account_or_holder")
	refused(t, w.ask(t, balance("0000000009", "测试赵丁")), 404, "account_or_holder")
	require.Len(t, w.audited, 1)
	// What billing says no to shows nobody that there is such an account.
	system.err = &billing.RefusalError{Code: "blocked", Reason: "该户号已冻结"}
	refused(t, w.ask(t, balance("0000000001", "测试王丙")), 404, "account_or_holder")
	system.err = billing.ErrUnavailable
	refused(t, w.ask(t, balance("0000000001", "测试王丙")), 503, "billing_unavailable")

	pay := asked{path: "/v1/public/accounts/0000000001/payments", body: object{"channel": "wechat", "amount": 12_345, "way": "wechat", "number": "WX-1"}}
	paid := read[billingView](t, w.ask(t, pay), 200)
	require.Equal(t, casework.ByCustomer, paid.Source)
	require.Equal(t, casework.WeChat, paid.Channel)
	// What staff have taken already is told, and not by whom.
	w.known = &casework.BillingRequest{ID: "k1", Kind: casework.PaymentRequest, By: "hall-01", Case: "W1", State: casework.BillingDone}
	w.billed["k1"] = *w.known
	known := read[billingView](t, w.ask(t, pay), 200)
	require.Equal(t, billingView{ID: "k1", Kind: casework.PaymentRequest, State: casework.BillingDone}, known)
	// Nor of which case another customer has paid: all customers are one caller.
	w.known.By = casework.AsCustomer().ID
	w.billed["k1"] = *w.known
	require.Equal(t, known, read[billingView](t, w.ask(t, pay), 200))
	w.known = nil
	// A key counts together with what is asked: somebody else may have chosen it too.
	for _, number := range []string{"WX-2", "WX-3"} {
		same := asked{path: pay.path, headers: map[string]string{"Idempotency-Key": "12345678"}, body: object{"channel": "wechat", "amount": 5, "way": "wechat", "number": number}}
		require.Equal(t, number, read[billingView](t, w.ask(t, same), 200).Number)
		require.Equal(t, number, read[billingView](t, w.ask(t, same), 200).Number)
	}
	pay.body = object{"channel": "wechat", "amount": 1, "way": "cash", "number": "XJ-1"}
	require.Equal(t, []string{"way"}, fields(refused(t, w.ask(t, pay), 422, "invalid_input")))

	// An invoice is kept although billing is down: who asks is judged when it is back.
	invoice := asked{path: "/v1/public/accounts/0000000001/invoices", body: object{"channel": "mini_program", "holder": "测试赵丁", "title": "测试赵丁"}}
	require.Equal(t, "测试赵丁", w.billed[read[billingView](t, w.ask(t, invoice), 200).ID].Holder)
	invoice = asked{as: "service_hall", path: "/v1/accounts/0000000001/invoices", body: object{"title": "测试赵丁", "channel": "service_hall"}}
	byStaff := read[billingView](t, w.ask(t, invoice), 200)
	require.Equal(t, casework.ByStaff, byStaff.Source)
	require.Empty(t, w.billed[byStaff.ID].Holder)

	without := newWorld(t)
	refused(t, without.ask(t, balance("0000000001", "测试赵丁")), 409, "billing_not_connected")
}

// Who brings something new in is counted by address, and what is done to one
// phone number or account wherever it comes from.
func TestApplicantsAreLimited(t *testing.T) {
	t.Parallel()
	clock := noon
	from := func(address string, q asked) asked {
		q.headers = map[string]string{"X-Forwarded-For": address}
		return q
	}
	w := newWorld(t, func(o *Options) {
		o.Limits.PublicPerMinute, o.Billing = 10, &ledger{} // two a minute may apply
		o.Now = func() time.Time { return clock }
		o.TrustedProxies = []string{"192.0.2.0/24"}
	})
	apply := asked{path: "/v1/public/connection-requests", body: onlineForm()}
	for range 2 {
		read[Acceptance](t, w.ask(t, from("203.0.113.1", apply)), http.StatusCreated)
	}
	other := onlineForm()
	part(other, "contact")["phone"] = "13800001654"
	refused(t, w.ask(t, from("203.0.113.1", asked{path: apply.path, body: other})), 429, "too_many_requests")
	refused(t, w.ask(t, from("203.0.113.2", apply)), 429, "too_many_requests") // the same phone, from elsewhere
	refused(t, w.ask(t, from("203.0.113.1", asked{path: "/v1/public/progress?number=W1&code=x"})), 404, "number_or_code")
	guess := asked{path: "/v1/public/accounts/0000000001/balance", body: object{"holder": "王"}}
	for i, address := range []string{"203.0.113.3", "203.0.113.4", "203.0.113.5"} {
		status, code := 404, "account_or_holder"
		if i == 2 {
			status, code = 429, "too_many_requests"
		}
		refused(t, w.ask(t, from(address, guess)), status, code)
	}
	// Payments are counted by themselves: who guesses names keeps nobody from paying.
	for i, address := range []string{"203.0.113.6", "203.0.113.7", "203.0.113.8"} {
		pay := asked{path: "/v1/public/accounts/0000000001/payments", body: object{"channel": "wechat", "amount": 1, "way": "wechat", "number": "WX-" + address}}
		if rec := w.ask(t, from(address, pay)); i < 2 {
			read[billingView](t, rec, http.StatusOK)
		} else {
			refused(t, rec, 429, "too_many_requests")
		}
	}
	clock = clock.Add(time.Minute)
	read[Acceptance](t, w.ask(t, from("203.0.113.1", apply)), http.StatusCreated)
}
