package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
)

const one = `[{"Key":"P-1","Name":"芜湖泰盛汽车零部件有限公司"}]`

func TestAMessageBecomesACase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	said := w.answered(w.send(post{sender: "signed", path: "projects/push", body: one, nonce: "n1"}), 200)
	require.Len(t, said.Numbers, 1)
	require.False(t, said.Before)
	k, err := w.Case(t.Context(), said.Numbers[0])
	require.NoError(t, err)
	want := request("芜湖泰盛汽车零部件有限公司")
	want.Utility, want.Channel, want.ExternalNumber, want.Site.District = casework.Water, casework.ProjectApproval, "P-1", "340281"
	require.Equal(t, want, k.Request)
	receipt, err := w.Receipt(t.Context(), k.Number)
	require.NoError(t, err)
	require.Equal(t, "signed", receipt.By.ID)
	require.True(t, receipt.Started)

	m, err := w.InboxMessage(t.Context(), said.Message)
	require.NoError(t, err)
	require.Equal(t, casework.InboxMessage{
		ID: said.Message, Sender: "signed", Kind: "projects/push", ContentType: "application/json", Body: []byte(one), ReceivedAt: w.clock(),
		State: casework.InboxTakenUp, Numbers: said.Numbers, Attempts: 1, SettledAt: w.clock(),
	}, m)
	for _, listed := range w.all() {
		require.Empty(t, listed.Body, "a list holds no bodies")
	}
	for _, personal := range []string{"沈兰英", "13800001653", "泰盛", "a secret"} {
		require.NotContains(t, w.log.String(), personal)
	}
}

func TestWhoSendsAgainIsAnsweredAsBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := post{sender: "signed", path: "push", body: one, nonce: "n1", at: w.clock()}
	first := w.answered(w.send(p), 200)
	again := first
	again.Before = true
	require.Equal(t, again, w.answered(w.send(p), 200), "the very same bytes")
	p.nonce = "n2"
	require.Equal(t, again, w.answered(w.send(p), 200), "signed anew")
	p.body = `[{"Key":"P-1","Name":"另一个名称"}]`
	p.nonce = "n3"
	other := w.answered(w.send(p), 200)
	require.Equal(t, first.Numbers, other.Numbers, "the same thing in other words")
	require.True(t, other.Before)
	require.NotEqual(t, first.Message, other.Message, "what arrived is kept")
	require.Len(t, w.receipts(), 1)

	// Long after: the clock forbids it, but nothing is done by answering.
	w.wait(time.Hour)
	require.Equal(t, again, w.answered(w.send(post{sender: "signed", path: "push", body: one, nonce: "n1", at: w.clock().Add(-time.Hour)}), 200))
	w.refused(w.send(post{sender: "signed", path: "push", body: `[{"Key":"P-2","Name":"新"}]`, nonce: "n1", at: w.clock().Add(-time.Hour)}), 401, "sender_clock")
	require.Len(t, w.receipts(), 1)
}

func TestOneProofForOneMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answered(w.send(post{sender: "signed", path: "push", body: one, nonce: "n1"}), 200)
	// The signature of this dialect does not cover the body.
	w.refused(w.send(post{sender: "signed", path: "push", body: `[{"Key":"P-2","Name":"冒名"}]`, nonce: "n1"}), 401, "proof_used")
	w.refused(w.send(post{sender: "signed", path: "other", body: one, nonce: "n1"}), 401, "proof_used")
	other := joined(t, w.url, w.keys)
	other.refused(other.send(post{sender: "signed", path: "push", body: `[{"Key":"P-2","Name":"冒名"}]`, nonce: "n1"}), 401, "proof_used")
	require.Len(t, w.all(), 1, "nothing of it is kept")
}

func TestSendersProveThemselves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, p := range map[string]post{
		"unknown sender":  {sender: "nobody", path: "push", body: one},
		"not signed":      {sender: "signed", path: "push", body: one},
		"wrong token":     {sender: "ratings", path: "push", body: one, header: map[string]string{"X-Token": "guess"}},
		"another address": {sender: "listed", path: "push", body: one, from: "10.2.0.1"},
		"says an address": {sender: "listed", path: "push", body: one, from: "203.0.113.9", forwarded: "10.1.0.7"},
		"not in clear":    {sender: "secret", path: "push", body: one},
	} {
		rec := w.send(p)
		if p.sender == "listed" {
			require.Equal(t, 401, rec.Code)
			require.Equal(t, "refused 401 sender_not_proved", rec.Body.String(), "in the adapter's words")
			continue
		}
		w.refused(rec, 401, "sender_not_proved")
	}
	require.Empty(t, w.all())
	w.refused(w.send(post{sender: "signed", path: "push", body: one, nonce: "early", at: w.clock().Add(6 * time.Minute)}), 401, "sender_clock")
	w.answered(w.send(post{sender: "signed", path: "push", body: one, nonce: "slow", at: w.clock().Add(-4 * time.Minute)}), 200)
	w.answered(w.send(post{sender: "ratings", path: "push", body: `[{"Key":"R"}]`, header: map[string]string{"X-Token": "a secret"}}), 202)
	w.answered(w.send(post{sender: "listed", path: "push", body: `[{"Key":"L","Name":"园区企业"}]`, from: "10.1.0.7"}), 200)
	w.answered(w.send(post{sender: "listed", path: "push", body: `[{"Key":"L2","Name":"园区企业"}]`, from: "192.0.2.1", forwarded: "10.1.0.8"}), 200)
	w.refused(w.send(post{sender: "signed", path: "push", body: strings.Repeat("x", 1<<20+1), nonce: "big"}), 413, "body_too_large")
	require.NotContains(t, w.log.String(), "guess")
}

func TestWhoIsOverTheQuotaLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var refusedOnes []post
	for i := range 5 {
		p := post{sender: "listed", path: "push", body: fmt.Sprintf(`[{"Key":"L-%d","Name":"园区企业"}]`, i), from: "10.1.0.7"}
		if rec := w.send(p); rec.Code != 200 {
			require.Equal(t, http.StatusTooManyRequests, rec.Code)
			require.Equal(t, "60", rec.Header().Get("Retry-After"))
			require.Equal(t, "refused 429 too_many_requests", rec.Body.String(), "in the adapter's words")
			refusedOnes = append(refusedOnes, p)
		}
	}
	require.Len(t, refusedOnes, 3)
	for _, p := range refusedOnes {
		w.wait(time.Minute)
		require.False(t, w.answered(w.send(p), 200).Before)
	}
	require.Len(t, w.receipts(), 5)

	// A proof that was refused for its pace may come again as it is.
	signed := func(i int) post {
		return post{sender: "signed", path: "push", body: fmt.Sprintf(`[{"Key":"S-%d","Name":"企业"}]`, i), nonce: fmt.Sprint("q", i), at: w.clock()}
	}
	var last post
	for i := range 61 {
		last = signed(i)
		if rec := w.send(last); rec.Code != 200 {
			w.refused(rec, 429, "too_many_requests")
			require.Equal(t, 60, i)
			require.NotEmpty(t, rec.Header().Get("Retry-After"))
		}
	}
	w.wait(time.Minute)
	require.False(t, w.answered(w.send(last), 200).Before)
	require.Len(t, w.receipts(), 66)
}

func TestOneMessageForTwoUtilities(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	said := w.answered(w.send(post{sender: "signed", path: "push", body: `[{"Key":"J-1","Name":"联合企业","Utilities":["water","gas"],"Lead":true}]`, nonce: "n1"}), 200)
	require.Len(t, said.Numbers, 1)
	joint, err := w.JointReceipt(t.Context(), said.Numbers[0])
	require.NoError(t, err)
	require.Len(t, joint.Receipts, 2)
	numbers := []string{joint.Receipts[0].Number, joint.Receipts[1].Number}
	for i, u := range []casework.Utility{casework.Water, casework.Gas} {
		k, err := w.Case(t.Context(), numbers[i])
		require.NoError(t, err)
		require.Equal(t, "J-1/"+string(u), k.Request.ExternalNumber)
		require.True(t, k.Request.Lead)
	}
	back := w.answered(w.send(post{sender: "signed", path: "push", body: `[{"Key":"W-1","Withdraw":"J-1"}]`, nonce: "n2"}), 200)
	require.ElementsMatch(t, numbers, back.Numbers)
	for _, n := range numbers {
		k, err := w.Case(t.Context(), n)
		require.NoError(t, err)
		require.Equal(t, casework.Withdrawing, k.Status)
	}
	// Another sender has no say over these cases.
	stranger := w.answered(w.send(post{sender: "ratings", path: "push", body: `[{"Key":"W-2","Withdraw":"J-1"}]`, header: map[string]string{"X-Token": "a secret"}}), 202)
	require.Equal(t, "case_not_found", stranger.Code)
}

// One platform brings a project, and the application for it comes through
// another: both are told, and the other may take its application back.
func TestAnotherPlatformsApplicationJoinsALead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := map[string]string{"X-Token": "a secret"}
	lead := w.answered(w.send(post{sender: "signed", path: "push", body: `[{"Key":"GC-1","Name":"企业","Lead":true,"Project":"2600-340200-04-01-000001"}]`, nonce: "n1"}), 200)
	require.Len(t, lead.Numbers, 1)
	w.wait(time.Hour)
	application := `[{"Key":"P-1","Name":"企业","Project":"2600-340200-04-01-000001"}]`
	joined := w.answered(w.send(post{sender: "ratings", path: "push", body: application, header: token}), 200)
	require.Equal(t, lead.Numbers, joined.Numbers)
	again := w.answered(w.send(post{sender: "ratings", path: "push", body: application, header: token}), 200)
	require.Equal(t, lead.Numbers, again.Numbers)
	_, err := w.PlanProgress(t.Context(), 0, 10)
	require.NoError(t, err)
	told, _, err := w.ProgressReports(t.Context(), casework.ProgressFilter{Case: lead.Numbers[0]})
	require.NoError(t, err)
	var said []string
	for _, r := range told {
		said = append(said, fmt.Sprintf("%s %s %s %s %s", r.Sender, r.External, r.Key(), r.Milestone, r.At.In(calendar.Shanghai).Format("15:04")))
	}
	n := lead.Numbers[0]
	require.ElementsMatch(t, []string{"signed GC-1 " + n + "/1 received 09:00", "ratings P-1 " + n + "/2/1 received 10:00"}, said)
	back := w.answered(w.send(post{sender: "ratings", path: "push", body: `[{"Key":"W-1","Withdraw":"P-1"}]`, header: token}), 200)
	require.Equal(t, lead.Numbers, back.Numbers)
}

// What a platform asked for was passed on: what it says later under its number
// is said of the case that goes on, also before the first one has ended.
func TestWhatWasPassedOnIsFoundWhereItGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := map[string]string{"X-Token": "a secret"}
	passed := func(number string) (first, on *casework.Case) {
		t.Helper()
		first, err := w.Case(t.Context(), number)
		require.NoError(t, err)
		first, err = first.Try(casework.PassOn{By: casework.By{Actor: casework.Actor{
			ID: "tf-01", Roles: []casework.Role{casework.Taskforce}, Districts: []casework.District{casework.AllDistricts},
		}}, Utility: casework.Gas, Reason: "应为供气"}, w.clock())
		require.NoError(t, err)
		require.NoError(t, w.Save(t.Context(), first, first.TakeChanges()))
		r := first.Request
		r.Utility = casework.Gas
		receipt, err := w.AcceptPassed(t.Context(), r, first.Carry())
		require.NoError(t, err)
		require.NoError(t, w.Start(t.Context(), receipt, true))
		on, err = w.Case(t.Context(), receipt.Number)
		require.NoError(t, err)
		return first, on
	}
	for key, ended := range map[string]bool{"P-7": true, "P-8": false} {
		number := w.answered(w.send(post{sender: "signed", path: "push", body: `[{"Key":"` + key + `","Name":"企业"}]`, nonce: "n" + key}), 200).Numbers[0]
		first, on := passed(number)
		if ended {
			first.PassedTo(on.Number, w.clock())
			require.NoError(t, w.Save(t.Context(), first, first.TakeChanges()))
		}
		again := w.answered(w.send(post{sender: "signed", path: "push", body: `[{"Key":"` + key + `","Name":"企业"}]`, nonce: "m" + key}), 200)
		require.Equal(t, []any{true, []string{number}}, []any{again.Before, again.Numbers})
		back := w.answered(w.send(post{sender: "signed", path: "push", body: `[{"Key":"W-` + key + `","Withdraw":"` + key + `"}]`, nonce: "w" + key}), 200)
		require.Equal(t, []string{on.Number}, back.Numbers)
		k, err := w.Case(t.Context(), on.Number)
		require.NoError(t, err)
		require.Equal(t, casework.Withdrawing, k.Status)
		stranger := w.answered(w.send(post{sender: "ratings", path: "push", body: `[{"Key":"X-` + key + `","Withdraw":"` + key + `"}]`, header: token}), 202)
		require.Equal(t, "case_not_found", stranger.Code)
	}
	// A rating finds it by whatever number its platform knows.
	number := w.answered(w.send(post{sender: "signed", path: "push", body: `[{"Key":"P-9","Name":"企业"}]`, nonce: "nP-9"}), 200).Numbers[0]
	first, on := passed(number)
	first.PassedTo(on.Number, w.clock())
	require.NoError(t, w.Save(t.Context(), first, first.TakeChanges()))
	w.supplied(on.Number)
	for n, known := range []string{"P-9", number, on.Number} {
		body := fmt.Sprintf(`[{"Key":"E-%d","External":"%s","Stars":5}]`, n, known)
		require.Equal(t, []string{on.Number}, w.answered(w.send(post{sender: "ratings", path: "evaluate", body: body, header: token}), 200).Numbers)
	}
}

// The lead can't be told of an application for now, and would not have it when it
// can: its platform follows the request of its own that is made then.
func TestAnApplicationThatItsLeadRefusesLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := map[string]string{"X-Token": "a secret"}
	lead := w.answered(w.send(post{sender: "signed", path: "push", body: `[{"Key":"GC-1","Name":"企业","Lead":true,"Project":"2600-340200-04-01-000001"}]`, nonce: "n1"}), 200).Numbers[0]
	w.fails(casework.Refuse(casework.Unavailable, "try_again", casework.Say("稍后", "later")))
	application := post{sender: "ratings", path: "push", body: `[{"Key":"P-1","Name":"企业","Project":"2600-340200-04-01-000001"}]`, header: token}
	require.Equal(t, []string{lead}, w.answered(w.send(application), 200).Numbers)
	w.fails(nil)
	waiting, err := w.UnsettledApplications(t.Context(), w.clock().Add(time.Hour), 10)
	require.NoError(t, err)
	require.Len(t, waiting, 1)
	own, refused, err := w.RefuseApplication(t.Context(), waiting[0])
	require.NoError(t, err)
	require.True(t, refused)
	require.NoError(t, w.Start(t.Context(), own, true))
	w.answered(w.send(application), 200)
	found, err := w.NumbersOf(t.Context(), "", "P-1")
	require.NoError(t, err)
	require.Equal(t, []string{own.Number}, found)
	_, err = w.PlanProgress(t.Context(), 0, 10)
	require.NoError(t, err)
	told, _, err := w.ProgressReports(t.Context(), casework.ProgressFilter{Sender: "ratings"})
	require.NoError(t, err)
	require.Len(t, told, 1)
	require.Equal(t, []any{own.Number, "P-1", casework.MilestoneReceived}, []any{told[0].Case, told[0].External, told[0].Milestone})
	back := w.answered(w.send(post{sender: "ratings", path: "push", body: `[{"Key":"W-1","Withdraw":"P-1"}]`, header: token}), 200)
	require.Equal(t, []string{own.Number}, back.Numbers, "the lead is another's")
}

func TestRatingsFindTheirCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := map[string]string{"X-Token": "a secret"}
	rating := post{sender: "ratings", path: "evaluate", body: `[{"Key":"E-1","External":"P-1","Stars":1}]`, header: token}
	early := w.answered(w.send(rating), 202)
	require.Equal(t, "case_not_found", early.Code)
	number := w.answered(w.send(post{sender: "signed", path: "push", body: one, nonce: "n1"}), 200).Numbers[0]
	w.supplied(number)
	// It came ahead of its case, and is taken up by itself.
	w.wait(11 * time.Second)
	w.sweeps()
	k, err := w.Case(t.Context(), number)
	require.NoError(t, err)
	require.Len(t, k.Evaluated.Ratings, 1)
	require.Equal(t, "慢", k.Evaluated.Ratings[0].Comment, "tags stand for words that are missing")
	require.Equal(t, []string{number}, w.answered(w.send(rating), 200).Numbers)
	// The record of a service that we sent bears our own number.
	ours := w.answered(w.send(post{sender: "ratings", path: "evaluate", body: `[{"Key":"E-2","External":"` + number + `","Stars":5}]`, header: token}), 200)
	require.Equal(t, []string{number}, ours.Numbers)
	// By our own number, and not twice however it is worded.
	w.answered(w.send(post{sender: "ratings", path: "evaluate", body: `[{"Key":"E-2","External":"` + number + `","Stars":5,"Text":"好"}]`, header: token}), 200)
	w.answered(w.send(post{sender: "ratings", path: "evaluate", body: `[{"Key":"E-2","External":"` + number + `","Stars":5,"Text":"好 "}]`, header: token}), 200)
	k, err = w.Case(t.Context(), number)
	require.NoError(t, err)
	require.Len(t, k.Evaluated.Ratings, 2)
}

func TestWhatComesAheadIsTriedForADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answered(w.send(post{sender: "signed", path: "evaluate", body: `[{"Key":"E-1","External":"none","Stars":5}]`, nonce: "n1"}), 202)
	tries := 0
	for range 60 {
		w.wait(time.Hour)
		w.sweeps()
		tries = w.all()[0].Attempts
	}
	require.Greater(t, tries, 20)
	require.Less(t, tries, 26)
	require.True(t, w.all()[0].NextAt.IsZero())
	require.Equal(t, []string{"kept"}, w.states(), "and stays for a person")
}

func TestWhatCannotBeUnderstoodIsKeptAndMended(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.adapter.strict = true
	bad := `[{"Key":"P-9","Name":"芜湖越皖电子科技有限公司","Use":"消防用氺"}]`
	said := w.answered(w.send(post{sender: "signed", path: "push", body: bad, nonce: "n1"}), 202)
	require.Equal(t, "invalid_input", said.Code)
	list := staff[listed](w, casework.Auditor, "GET", "/v1/inbox?state=kept&sender=signed", nil, 200)
	require.Len(t, list.Items, 1)
	require.Equal(t, "use", list.Items[0].Fault.Fields[0].Field)
	require.Empty(t, list.Items[0].Body)

	type whole struct {
		casework.InboxMessage
		Text string
	}
	got := staff[whole](w, casework.ServiceHall, "GET", "/v1/inbox/"+said.Message, nil, 200)
	require.Equal(t, bad, got.Text)

	path := "/v1/inbox/" + said.Message + "/mend"
	staff[map[string]any](w, casework.ServiceHall, "POST", path, map[string]string{"text": "x"}, 422)
	staff[map[string]any](w, casework.Auditor, "POST", path, map[string]string{"text": "x", "note": "y"}, 403)
	// A mend that is no better is kept itself, and mended in its turn.
	worse := staff[whole](w, casework.ServiceHall, "POST", path, map[string]string{"text": "[{", "note": "改错"}, 200)
	require.Equal(t, casework.InboxKept, worse.State)
	require.Equal(t, said.Message, worse.Mends)
	staff[map[string]any](w, casework.ServiceHall, "POST", path, map[string]string{"text": "[]", "note": "再改"}, 409)
	mended := staff[whole](w, casework.ServiceHall, "POST", "/v1/inbox/"+worse.ID+"/mend",
		map[string]string{"text": `[{"Key":"P-9","Name":"芜湖越皖电子科技有限公司"}]`, "note": "用途错字"}, 200)
	require.Equal(t, casework.InboxTakenUp, mended.State)
	require.Len(t, mended.Numbers, 1)
	require.Equal(t, []string{"mended", "mended", "taken_up"}, w.states())

	original, err := w.InboxMessage(t.Context(), said.Message)
	require.NoError(t, err)
	require.Equal(t, bad, string(original.Body), "what was sent stays")
	// Who sends the original again learns what became of it.
	again := w.answered(w.send(post{sender: "signed", path: "push", body: bad, nonce: "n2"}), 200)
	require.Equal(t, tinyReply{Message: said.Message, Numbers: mended.Numbers, Before: true}, again)
	require.Len(t, w.receipts(), 1)
}

func TestReplayAfterTheMappingWasCorrected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.adapter.strict = true
	said := w.answered(w.send(post{sender: "signed", path: "push", body: `[{"Key":"P-9","Name":"甲","Use":"x"},{"Key":"P-10","Name":"乙"}]`, nonce: "n1"}), 202)
	path := "/v1/inbox/" + said.Message + "/replay"
	got := staff[casework.InboxMessage](w, casework.TaskforceOffice, "POST", path, nil, 200)
	require.Equal(t, casework.InboxKept, got.State)
	w.adapter.strict = false
	got = staff[casework.InboxMessage](w, casework.TaskforceOffice, "POST", path, nil, 200)
	require.Equal(t, casework.InboxTakenUp, got.State)
	require.Len(t, got.Numbers, 2)
	require.Equal(t, 3, got.Attempts)
	staff[map[string]any](w, casework.TaskforceOffice, "POST", path, nil, 409)
	staff[map[string]any](w, casework.TaskforceOffice, "POST", "/v1/inbox/M-none/replay", nil, 404)
}

func TestIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	said := w.answered(w.send(post{sender: "signed", path: "push", body: "garbage", nonce: "n1"}), 202)
	path := "/v1/inbox/" + said.Message + "/ignore"
	staff[map[string]any](w, casework.ServiceHall, "POST", path, map[string]string{"reason": " "}, 422)
	got := staff[casework.InboxMessage](w, casework.ServiceHall, "POST", path, map[string]string{"reason": "联调报文"}, 200)
	require.Equal(t, casework.InboxIgnored, got.State)
	require.Equal(t, "联调报文", got.Note)
	require.Equal(t, "service_hall", got.By)
	require.Equal(t, tinyReply{Message: said.Message, Before: true}, w.answered(w.send(post{sender: "signed", path: "push", body: "garbage", nonce: "n2"}), 200))
	require.Equal(t, []string{"ignored"}, w.states())
}

func TestAnAdapterThatFallsOverLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	said := w.answered(w.send(post{sender: "signed", path: "push", body: "fall over", nonce: "n1"}), 202)
	require.Equal(t, "message_not_read", said.Code)
	require.Equal(t, []string{"kept"}, w.states())
	require.NotContains(t, w.log.String(), "13800001653")
}

// What no case could keep is kept for a person, and its sender told so.
func TestAZeroCharacterIsKeptForAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, body := range []string{"a\x00b", `{"remark":"a\u0000"}`} {
		said := w.answered(w.send(post{sender: "signed", path: "push", body: body, nonce: fmt.Sprint("n", i)}), 202)
		require.Equal(t, "zero_character", said.Code)
	}
	require.Equal(t, []string{"kept", "kept"}, w.states())
}

func TestARequestForSeveralUtilitiesHasOneNumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	both := post{sender: "signed", path: "push", body: `[{"Key":"J-1","Name":"联合企业","Utilities":["water","gas"]}]`, nonce: "n1"}
	said := w.answered(w.send(both), 200)
	require.Len(t, said.Numbers, 1)
	require.Regexp(t, `^J\d{8}-\d{5}$`, said.Numbers[0])
	joint, err := w.JointReceipt(t.Context(), said.Numbers[0])
	require.NoError(t, err)
	require.Len(t, joint.Receipts, 2)
	both.nonce = "n2"
	require.Equal(t, said.Numbers, w.answered(w.send(both), 200).Numbers)
}

func TestWhatIsNotServedIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve(casework.Water)
	both := post{sender: "signed", path: "push", body: `[{"Key":"J-1","Name":"联合企业","Utilities":["water","gas"]}]`, nonce: "n1"}
	half := w.answered(w.send(both), 200)
	require.Len(t, half.Numbers, 2, "the other company's half is taken in for it")
	all, _, err := w.Forwardings(t.Context(), casework.ForwardingFilter{Page: casework.Page{Limit: 10}})
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, []any{half.Numbers[0], casework.OtherUtility, casework.Gas}, []any{all[0].Number, all[0].Reason, all[0].Request.Utility})
	both.nonce = "n3"
	require.Equal(t, half.Numbers, w.answered(w.send(both), 200).Numbers)
	w.serve(casework.Gas)
	service := w.answered(w.send(post{sender: "signed", path: "push", body: `[{"Key":"S-1","Name":"测试王丙","Service":"account_transfer"}]`, nonce: "n2"}), 202)
	require.Equal(t, "utility_not_served", service.Code)
}

func TestAServiceIsTakenUpOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sale := post{sender: "signed", path: "push", body: `[{"Key":"S-1","Name":"测试王丙","Service":"account_transfer"}]`, nonce: "n1"}
	said := w.answered(w.send(sale), 200)
	require.Len(t, said.Numbers, 1)
	require.Regexp(t, `^WT\d{8}-\d{5}$`, said.Numbers[0])
	k, err := w.Case(t.Context(), said.Numbers[0])
	require.NoError(t, err)
	require.Equal(t, []any{casework.TransferCase, "S-1", casework.ProjectApproval, casework.District("340281"), "测试王丙"},
		[]any{k.Kind, k.Service.ExternalNumber, k.Service.Channel, k.Service.District, k.Request.Applicant.Name})
	sale.nonce = "n2"
	again := w.answered(w.send(sale), 200)
	require.Equal(t, said.Numbers, again.Numbers)
	require.Equal(t, 1, w.starts[said.Numbers[0]])

	// What lacks a field is kept for a person, who is told which.
	bad := w.answered(w.send(post{sender: "signed", path: "push", body: `[{"Key":"S-2","Service":"account_transfer"}]`, nonce: "n3"}), 202)
	require.Equal(t, "invalid_input", bad.Code)
	m, err := w.InboxMessage(t.Context(), bad.Message)
	require.NoError(t, err)
	require.Equal(t, "new_holder.name", m.Fault.Fields[0].Field)
}

// What 12345 found when it asked the caller finds the order by 12345's number;
// it may come ahead of the order, and before our answer it is refused.
func TestAVisitFindsItsOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	visit := post{sender: "signed", path: "push", body: `[{"Key":"V-1","Visit":true,"External":"DH-1","Text":"仍未解决"}]`, nonce: "n1"}
	require.Equal(t, "case_not_found", w.answered(w.send(visit), 202).Code)
	said := w.answered(w.send(post{sender: "signed", path: "push", body: `[{"Key":"DH-1","Service":"hotline_order","Text":"小区停水"}]`, nonce: "n2"}), 200)
	require.Regexp(t, `^WH`, said.Numbers[0])
	early := post{sender: "signed", path: "push", body: `[{"Key":"V-2","Visit":true,"External":"DH-1"}]`, nonce: "n3"}
	require.Equal(t, "not_answered", w.answered(w.send(early), 202).Code)
	k, err := w.Case(t.Context(), said.Numbers[0])
	require.NoError(t, err)
	k.Served.Order.AnsweredAt = w.clock()
	require.NoError(t, w.Save(t.Context(), k, k.TakeChanges()))
	late := post{sender: "signed", path: "push", body: `[{"Key":"V-3","Visit":true,"External":"DH-1","Text":"仍未解决"}]`, nonce: "n4"}
	require.Equal(t, said.Numbers, w.answered(w.send(late), 200).Numbers)
	k, err = w.Case(t.Context(), said.Numbers[0])
	require.NoError(t, err)
	require.Equal(t, 2, k.Served.Order.Round)
}

func TestEncryptedBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, _ := w.inbox.Senders.Find("secret")
	body, err := s.Decrypt.Encrypt([]byte(one), []byte("fedcba9876543210"))
	require.NoError(t, err)
	said := w.answered(w.send(post{sender: "secret", path: "push", body: string(body), nonce: "n1"}), 200)
	require.Len(t, said.Numbers, 1)
	m, err := w.InboxMessage(t.Context(), said.Message)
	require.NoError(t, err)
	require.JSONEq(t, one, string(m.Body))
	// Encrypted anew it is the same message.
	body, err = s.Decrypt.Encrypt([]byte(one), []byte("0000000000000000"))
	require.NoError(t, err)
	require.Equal(t, tinyReply{Message: said.Message, Numbers: said.Numbers, Before: true}, w.answered(w.send(post{sender: "secret", path: "push", body: string(body), nonce: "n2"}), 200))
	bad := w.answered(w.send(post{sender: "secret", path: "push", body: one + " ", nonce: "n3"}), 202)
	require.Equal(t, "not_decrypted", bad.Code)
	kept, err := w.InboxMessage(t.Context(), bad.Message)
	require.NoError(t, err)
	require.True(t, kept.Encrypted)
	require.Len(t, kept.Body, len(one)+1, "as it was sent, with its blank")
}

// A process that dies between keeping a message and taking it up leaves it to
// any other one.
func TestWhatADeadProcessLeftIsTakenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m, fresh, err := w.KeepMessage(t.Context(), casework.InboxMessage{Sender: "signed", Kind: "push", Body: []byte(one), ReceivedAt: w.clock()}, w.clock().Add(lease))
	require.NoError(t, err)
	require.True(t, fresh)
	w.sweeps()
	require.Equal(t, []string{"received"}, w.states(), "its lease has not ended")
	w.wait(lease)
	other := joined(t, w.url, w.keys)
	other.wait(lease)
	other.sweeps()
	require.Equal(t, []string{"taken_up"}, w.states())
	require.Len(t, w.receipts(), 1)
	require.Equal(t, m.ID, w.answered(w.send(post{sender: "signed", path: "push", body: one, nonce: "n1"}), 200).Message)
	require.Len(t, w.receipts(), 1)
}

func TestACaseThatCannotStartYetIsAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fails(casework.Refuse(casework.Unavailable, "busy", casework.Say("忙", "busy")))
	said := w.answered(w.send(post{sender: "signed", path: "push", body: one, nonce: "n1"}), 200)
	require.Len(t, said.Numbers, 1)
	require.Empty(t, w.receipts())
	// A mistake of ours keeps the message waiting, and says so to the sender.
	w.fails(errors.New("secret of the cluster"))
	rec := w.send(post{sender: "signed", path: "push", body: `[{"Key":"P-2","Name":"乙"}]`, nonce: "n2"})
	w.refused(rec, 503, "taken_up_later")
	require.NotContains(t, rec.Body.String(), "cluster")
	require.Equal(t, []string{"received", "taken_up"}, w.states())
	w.fails(nil)
	w.wait(firstRetry)
	w.sweeps()
	require.Equal(t, []string{"taken_up", "taken_up"}, w.states())
	require.Len(t, w.receipts(), 1, "the first is started by who looks after unstarted receipts")
}

// However many processes and senders meet, each thing becomes one case.
func TestRaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	crowd := []*world{w, joined(t, w.url, w.keys), joined(t, w.url, w.keys)}
	var group sync.WaitGroup
	var mu sync.Mutex
	numbers := map[string]map[string]bool{}
	for i := range 30 {
		group.Go(func() {
			me, name := crowd[i%3], fmt.Sprintf("P-%d", i%5)
			body := fmt.Sprintf(`[{"Key":"%s","Name":"企业"}]`, name)
			rec := me.send(post{sender: "signed", path: "push", body: body, nonce: fmt.Sprint("n", i)})
			var said tinyReply
			if rec.Code != 200 || json.Unmarshal(rec.Body.Bytes(), &said) != nil || len(said.Numbers) != 1 {
				t.Errorf("%d: %d %s", i, rec.Code, rec.Body)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if numbers[name] == nil {
				numbers[name] = map[string]bool{}
			}
			numbers[name][said.Numbers[0]] = true
		})
		group.Go(func() { _, _ = crowd[i%3].inbox.sweep(t.Context()) })
	}
	group.Wait()
	require.Len(t, numbers, 5)
	for name, given := range numbers {
		require.Len(t, given, 1, name)
	}
	require.Len(t, w.receipts(), 5)
	require.Len(t, w.all(), 5)
}

func TestRowsArePolledAndSettled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	poll := func(w *world) error {
		s, _ := w.inbox.Senders.Find("tables")
		_, err := w.inbox.poll(t.Context(), s, tables{w.adapter})
		return err
	}
	rows := func() []platforms.Message {
		return []platforms.Message{{Kind: "SPGL_XMJBXXB", Body: []byte(one)}, {Kind: "SPGL_XMJBXXB", Body: []byte("garbage")}}
	}
	w.adapter.waiting = rows()
	// It dies before the outcome is written back.
	w.adapter.failing = errors.New("gone")
	require.ErrorContains(t, poll(w), "gone")
	require.Len(t, w.receipts(), 1)
	w.adapter.failing = nil
	require.NoError(t, poll(w))
	require.Equal(t, []string{"SPGL_XMJBXXB " + one + " true ", "SPGL_XMJBXXB garbage false invalid_input"}, w.adapter.settled)
	require.Empty(t, w.adapter.waiting)
	require.Len(t, w.receipts(), 1)
	require.Equal(t, []string{"kept", "taken_up"}, w.states())

	// One process at a time.
	w.adapter.waiting = []platforms.Message{{Kind: "SPGL_XMJBXXB", Body: []byte(`[{"Key":"P-7","Name":"丙"}]`)}}
	other := joined(t, w.url, w.keys)
	other.adapter.waiting = w.adapter.waiting
	did, err := w.Alone(t.Context(), "poll/tables", func(ctx context.Context) error { return poll(other) })
	require.NoError(t, err)
	require.True(t, did)
	require.Len(t, other.adapter.waiting, 1, "another one is at it")
	require.NoError(t, poll(other))
	require.Empty(t, other.adapter.waiting)
}

// A row that was refused is settled again once a person mended its message, or
// replayed it: once, and tried again while the front database is down.
func TestARefusedRowIsSettledAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	poll := func() error {
		s, _ := w.inbox.Senders.Find("tables")
		_, err := w.inbox.poll(t.Context(), s, tables{w.adapter})
		return err
	}
	settled := func() []string {
		all := w.adapter.settled
		w.adapter.settled = nil
		return all
	}
	w.adapter.strict = true
	unknown := `[{"Key":"P-8","Name":"乙","Use":"洗车"}]`
	ahead := `[{"Key":"W-1","Withdraw":"P-9"}]`
	for _, body := range []string{"garbage", "rubbish", unknown, ahead} {
		w.adapter.waiting = append(w.adapter.waiting, platforms.Message{Kind: "T", Body: []byte(body)})
	}
	require.NoError(t, poll())
	require.Equal(t, []string{"T garbage false invalid_input", "T rubbish false invalid_input", "T " + unknown + " false invalid_input", "T " + ahead + " false case_not_found"}, settled())
	ids := map[string]string{}
	for _, m := range w.all() {
		m, err := w.InboxMessage(t.Context(), m.ID)
		require.NoError(t, err)
		ids[string(m.Body)] = m.ID
	}
	mend := func(id, text string) casework.InboxMessage {
		return staff[casework.InboxMessage](w, casework.ServiceHall, "POST", "/v1/inbox/"+id+"/mend", map[string]any{"text": text, "note": "对方补发"}, 200)
	}
	// A copy that is no better changes nothing; the next one does.
	worse := mend(ids["garbage"], "still garbage")
	require.NoError(t, poll())
	require.Empty(t, settled())
	mended := mend(worse.ID, one)
	require.Equal(t, casework.InboxTakenUp, mended.State)
	w.adapter.failing = errors.New("gone")
	require.ErrorContains(t, poll(), "gone")
	require.ErrorContains(t, poll(), "gone")
	require.Empty(t, settled())
	w.adapter.failing = nil
	require.NoError(t, poll())
	require.Equal(t, []string{"again T garbage " + fmt.Sprint(mended.Numbers)}, settled())
	require.NoError(t, poll())
	require.Empty(t, settled(), "once")

	// The mapping was corrected, and the message replayed.
	w.adapter.strict = false
	replayed := staff[casework.InboxMessage](w, casework.ServiceHall, "POST", "/v1/inbox/"+ids[unknown]+"/replay", nil, 200)
	require.Equal(t, casework.InboxTakenUp, replayed.State)
	// What it came ahead of came meanwhile.
	w.answered(w.send(post{sender: "signed", path: "push", body: `[{"Key":"P-7","Name":"丙"}]`, nonce: "n1"}), 200)
	w.adapter.waiting = []platforms.Message{{Kind: "T", Body: []byte(`[{"Key":"P-9","Name":"丁"}]`)}}
	require.NoError(t, poll())
	w.wait(time.Minute)
	w.sweeps()
	w.adapter.left = true // the platform has sent another row in its place
	require.NoError(t, poll())
	var again []string
	for _, said := range settled() {
		if strings.HasPrefix(said, "again") {
			again = append(again, said)
		}
	}
	require.Len(t, again, 2)
	require.Equal(t, "again T "+unknown+" "+fmt.Sprint(replayed.Numbers), again[0])
	require.Contains(t, again[1], "again T "+ahead)

	// Of what a person ignores nothing is written back.
	staff[casework.InboxMessage](w, casework.ServiceHall, "POST", "/v1/inbox/"+ids["rubbish"]+"/ignore", map[string]any{"reason": "联调"}, 200)
	require.NoError(t, poll())
	require.Empty(t, settled())
	left, err := w.RefusedRows(t.Context(), "tables", 10)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestAskedByGet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	said := w.answered(w.send(post{sender: "ratings", path: "echo?echostr=1", method: "GET", header: map[string]string{"X-Token": "a secret"}}), 202)
	m, err := w.InboxMessage(t.Context(), said.Message)
	require.NoError(t, err)
	require.Equal(t, "echostr=1", string(m.Body))
	require.Equal(t, "echo", m.Kind)
	require.Equal(t, formType, m.ContentType)
}

// A dialect without a nonce signs two messages of one second alike. The second
// is not taken, because it might be forged, and who sent it is told to sign it
// anew: an honest sender does, and loses nothing.
func TestTwoMessagesOfOneSecondAreSignedAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := post{sender: "dated", path: "push", body: `[{"Key":"D-1","Name":"甲企业"}]`, nonce: "unused"}
	second := post{sender: "dated", path: "push", body: `[{"Key":"D-2","Name":"乙企业"}]`, nonce: "unused"}
	w.answered(w.send(first), 200)
	rec := w.send(second)
	w.refused(rec, 503, "sign_again")
	require.NotEmpty(t, rec.Header().Get("Retry-After"))
	require.Len(t, w.all(), 1)
	w.answered(w.send(first), 200) // the same again is a repeat
	w.wait(time.Second)
	w.answered(w.send(second), 200)
	require.Len(t, w.receipts(), 2)
}

// One message that asks for both utilities of a project becomes the application
// of the lead that is open, and a case of its own for the other.
func TestAMessageForTwoUtilitiesJoinsALead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lead := w.answered(w.send(post{sender: "signed", path: "push",
		body: `[{"Key":"L-1","Name":"联合企业","Utilities":["gas"],"Lead":true,"Project":"2026-340281-35-01-100001"}]`, nonce: "n1"}), 200).Numbers[0]
	both := post{sender: "signed", path: "push", body: `[{"Key":"J-1","Name":"联合企业","Utilities":["water","gas"],"Project":"2026-340281-35-01-100001"}]`, nonce: "n2"}
	said := w.answered(w.send(both), 200)
	require.Len(t, said.Numbers, 1)
	joint, err := w.JointReceipt(t.Context(), said.Numbers[0])
	require.NoError(t, err)
	water := joint.Receipts[0].Number
	require.Equal(t, lead, joint.Receipts[1].Number)
	for number, sibling := range map[string]string{lead: water, water: lead} {
		k, err := w.Case(t.Context(), number)
		require.NoError(t, err)
		require.False(t, k.Request.Lead)
		require.Equal(t, sibling, k.Joint.Sibling)
		require.Equal(t, said.Numbers[0], k.Joint.Number)
	}
	both.nonce = "n3"
	require.True(t, w.answered(w.send(both), 200).Before)
}

// Two senders of one channel may count alike. What the second asks for is not
// taken for what the first did, but kept for a person; the same matter, sent by
// another way, is accepted once.
func TestTwoSendersUnderOneNumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.answered(w.send(post{sender: "ratings", path: "push", body: `[{"Key":"P-1","Name":"甲企业","Project":"2026-340281-35-01-100001"}]`, header: map[string]string{"X-Token": "a secret"}}), 200)
	s, _ := w.inbox.Senders.Find("secret")
	send := func(project, nonce string) post {
		body, err := s.Decrypt.Encrypt(fmt.Appendf(nil, `[{"Key":"P-1","Name":"乙企业","Project":%q}]`, project), []byte("fedcba9876543210"))
		require.NoError(t, err)
		return post{sender: "secret", path: "push", body: string(body), nonce: nonce}
	}
	other := w.answered(w.send(send("2026-340281-35-01-100002", "n1")), 202)
	require.Equal(t, "number_of_another", other.Code)
	kept, err := w.InboxMessage(t.Context(), other.Message)
	require.NoError(t, err)
	require.Equal(t, casework.InboxKept, kept.State)
	same := w.answered(w.send(send("2026-340281 35-01-100001", "n2")), 200)
	require.True(t, same.Before)
	require.Equal(t, first.Numbers, same.Numbers)
	require.Len(t, w.receipts(), 1)
}
