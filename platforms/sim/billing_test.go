package sim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms/property"
	"github.com/curbstop/curbstop/platforms/sim"
	"github.com/curbstop/curbstop/platforms/sim/billing"
)

const billingToken = "test-billing"

// hall is the other side as customers and the fee query see it, in memory, with
// the stand-in's billing system behind it.
type hall struct {
	billing string // its address
	// What it does wrong, in the tests of the judgement.
	loses, paysAnew, lies, waves bool

	mu      sync.Mutex
	numbers map[string]string // by key
	made    int
}

// ask asks billing until it answers so that it can be understood.
func (h *hall) ask(ctx context.Context, method, path, key string, body any) (status int, answer map[string]any) {
	sent, _ := json.Marshal(body)
	for range 8 {
		r, err := http.NewRequestWithContext(ctx, method, h.billing+path, bytes.NewReader(sent))
		if err != nil {
			return 0, nil
		}
		r.Header.Set("Authorization", "Bearer "+billingToken)
		if key != "" {
			r.Header.Set("Idempotency-Key", key)
		}
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, nil
		}
		said, _ := io.ReadAll(got.Body)
		_ = got.Body.Close()
		answer = nil
		if json.Unmarshal(said, &answer) == nil && got.StatusCode < 500 {
			return got.StatusCode, answer
		}
		if method == http.MethodGet {
			break // whoever looks is told to look again
		}
		if h.paysAnew {
			key += "x"
		}
	}
	return http.StatusServiceUnavailable, nil
}

// balances answers the fee query; nil where no billing is played.
func (h *hall) balances() property.Balances {
	if h == nil {
		return nil
	}
	return h
}

func (h *hall) Balance(ctx context.Context, _ casework.Utility, account string) (property.Balance, error) {
	switch status, a := h.ask(ctx, http.MethodGet, "/accounts/"+account, "", nil); {
	case status == http.StatusNotFound:
		return property.Balance{}, casework.Refuse(casework.NotFound, "no_such_account", casework.Say("没有这个户号", "no such account"))
	case status != http.StatusOK:
		return property.Balance{}, casework.Refuse(casework.Unavailable, "busy", casework.Say("请稍后重试", "later"))
	case h.lies:
		return property.Balance{Owed: 1}, nil
	default:
		balance, _ := a["balance"].(map[string]any)
		owed, _ := balance["owed"].(float64)
		return property.Balance{Owed: int64(owed)}, nil
	}
}

func (h *hall) serve(w http.ResponseWriter, r *http.Request, path string) {
	var form map[string]any
	_ = json.NewDecoder(r.Body).Decode(&form)
	say := func(status int, body any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
	account, what, _ := strings.Cut(strings.TrimPrefix(path, "accounts/"), "/")
	switch {
	case path == "progress":
		number := r.URL.Query().Get("number")
		if r.URL.Query().Get("code") != "C-"+number && !h.waves {
			say(404, map[string]any{})
			return
		}
		say(200, map[string]any{"number": number, "actions": []string{"rate"}})
	case strings.HasSuffix(path, "/rate"):
		say(200, map[string]any{})
	case path == "connection-requests" || path == "service-requests":
		for field, wrong := range map[string]bool{
			"contact.phone": path == "connection-requests" && len(field(form, "contact", "phone")) < 11,
			"holder.phone":  form["service"] == "account_closing" && field(form, "holder", "phone") == "",
		} {
			if wrong {
				say(422, map[string]any{"errors": []map[string]string{{"field": field}}})
				return
			}
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		key := r.Header.Get("Idempotency-Key")
		if h.numbers[key] == "" {
			h.made++
			h.numbers[key] = fmt.Sprintf("W20261124-7%04d", h.made)
		}
		say(201, map[string]any{"number": h.numbers[key], "code": "C-" + h.numbers[key]})
	case what == "balance":
		status, a := h.ask(r.Context(), http.MethodGet, "/accounts/"+account, "", nil)
		switch {
		case status != 200:
			say(503, map[string]any{})
		case field(a, "holder", "name") != form["holder"]:
			say(404, map[string]any{})
		default:
			say(200, a["balance"])
		}
	case what == "payments" && h.loses:
		say(200, map[string]any{})
	default:
		h.ask(r.Context(), http.MethodPost, "/"+path, what+r.Header.Get("Idempotency-Key"), form)
		say(200, map[string]any{})
	}
}

func field(form map[string]any, name, part string) string {
	o, _ := form[name].(map[string]any)
	s, _ := o[part].(string)
	return s
}

// played plays a register and customers, with billing behind.
func played(t *testing.T, h *hall, faults float64) *sim.World {
	t.Helper()
	h.numbers = map[string]string{}
	in := newIntake(t)
	in.hall = h
	w := in.open(sim.Options{Seed: 1, Requests: 24, Customers: 12, BillingToken: billingToken, BillingFaults: faults}, only(t, "property"))
	require.NoError(t, w.Play(t.Context()))
	require.NoError(t, w.Await(t.Context(), time.Second))
	return w
}

// The register asks before it sends, and is told what billing says, whatever goes
// wrong with it; customers on each channel do each of their errands.
func TestBillingAndCustomers(t *testing.T) {
	t.Parallel()
	w := played(t, &hall{}, 0.3)
	for _, r := range w.Judge().Rules {
		// The tests' other side tells the register of ends that nobody worked for.
		if !strings.HasPrefix(r.Name, "办成才告知") {
			require.Empty(t, r.Broken, r.Name)
		}
	}
	inquired, played, errands := 0, map[string]bool{}, map[string]bool{}
	for _, e := range w.Ledger() {
		switch {
		case e.Direction == sim.Asked:
			played[e.Played] = true
		case e.How == "过户前查询费用 asked before the transfer":
			inquired++
		case e.Direction == sim.Sent && e.Good && e.Platform != "property":
			kind, _, _ := strings.Cut(e.Kind, "?")
			errands[e.Platform+" "+kind[strings.LastIndex(kind, "/")+1:]] = true
		}
	}
	require.Positive(t, inquired)
	require.Subset(t, played, map[string]bool{"down": true, "lose_answer": true, "garbage": true, "refuse": true})
	for _, channel := range []string{"wechat", "mini_program", "company_site"} {
		for _, errand := range []string{"connection-requests", "service-requests", "progress", "balance", "payments", "invoices"} {
			require.True(t, errands[channel+" "+errand], "%s %s", channel, errand)
		}
	}
	require.Eventually(t, func() bool {
		for _, e := range w.Ledger() {
			if strings.HasSuffix(e.Kind, "/rate") && e.Good {
				return true
			}
		}
		return false
	}, 10*time.Second, 50*time.Millisecond)
}

// The judgement of billing finds fault.
func TestJudgementOfBillingFindsFault(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hall  *hall
		broke string
	}{
		"a payment is lost":     {&hall{loses: true}, "缴费皆转交"},
		"asked anew":            {&hall{paysAnew: true}, "计费只办一次"},
		"a lie to the register": {&hall{lies: true}, "费用如实告知"},
		"any code will do":      {&hall{waves: true}, "猜测无所得"},
		"told, and not done":    {&hall{}, "办成才告知"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := played(t, c.hall, 0.5)
			require.Eventually(t, func() bool { return strings.Contains(w.Judge().String(), c.broke) }, 10*time.Second, 50*time.Millisecond)
		})
	}
	t.Run("nothing for who owes", func(t *testing.T) {
		t.Parallel()
		w := played(t, &hall{}, 0)
		w.Billing().Put(billing.Account{Number: "9999999999", Utility: "water", Balance: billing.Balance{Owed: 5}})
		h := &hall{billing: sim.BillingURL(w.Address())}
		h.ask(t.Context(), http.MethodPost, "/accounts/9999999999/close", "key-close", map[string]string{})
		require.Contains(t, w.Judge().String(), "欠费不办")
	})
}
