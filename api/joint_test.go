package api

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/policy"
)

// waterOnly begins with a policy that serves no gas.
func waterOnly(o *Options) {
	m, _ := o.Store.(*memory)
	m.serve("water", "[water]")
}

// serve puts a policy into force that serves some utilities.
func (m *memory) serve(version, utilities string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text := strings.Replace(policy.Default().Text(), "utilities: [water, gas]", "utilities: "+utilities, 1)
	m.policies = append(m.policies, casework.PublishedPolicy{
		Version: version, Text: strings.Replace(text, "version: "+policy.Default().Version, "version: "+version, 1),
	})
}

func jointBody(utilities ...string) object {
	r := goodRequest()
	return object{
		"utilities": utilities, "channel": "joint_utility", "external_number": "YWTB-1", "applicant": r.Applicant, "contact": r.Contact, "site": r.Site,
		"demand":  object{"build_from": "2027-01-04", "build_to": "2027-06-30"},
		"demands": object{"gas": object{"use": "锅炉", "daily_volume": 300}},
	}
}

// One request, one number and one code for the customer, a case for each
// utility; accepted once however often it is sent.
func TestOneRequestForSeveralUtilities(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := asked{as: "platform", path: "/v1/joint-requests", body: jointBody("gas", "water", "electricity")}
	first := read[JointAcceptance](t, w.ask(t, q), 201)
	require.Regexp(t, "^J", first.Number)
	require.True(t, w.ring.CheckCode(first.Number, first.Code))
	require.Len(t, first.Cases, 3)
	require.Len(t, w.cases, 2)
	water, gas, power := first.Cases[0], first.Cases[1], first.Cases[2]
	require.Equal(t, []casework.Utility{casework.Water, casework.Gas, casework.Electricity}, []casework.Utility{water.Utility, gas.Utility, power.Utility})
	require.Equal(t, forwarded, power.Status)
	require.Len(t, first.Notes, 1)
	require.Equal(t, gas.Number, w.cases[water.Number].Joint.Sibling)
	require.Equal(t, "锅炉", w.cases[gas.Number].Request.Demand.Use)
	require.Empty(t, w.cases[water.Number].Request.Demand.Use)
	require.Equal(t, "2027-01-04", w.cases[gas.Number].Request.Demand.BuildFrom.String())
	require.JSONEq(t, `["gas","water","electricity"]`, string(w.cases[water.Number].Request.Extra["utilities"]))

	again := read[JointAcceptance](t, w.ask(t, q), 200)
	require.Equal(t, acceptedBefore, again.Status)
	require.Equal(t, first.Number, again.Number)
	require.Len(t, w.cases, 2)
	require.Len(t, w.forwarded, 1)

	// The joint code shows all, and each case by its own number.
	all := read[progressView](t, w.ask(t, asked{path: "/v1/public/progress?number=" + first.Number + "&code=" + first.Code}), 200)
	require.Equal(t, []string{water.Number, gas.Number}, []string{all.Cases[0].Number, all.Cases[1].Number})
	one := read[progressView](t, w.ask(t, asked{path: "/v1/public/progress?number=" + gas.Number + "&code=" + first.Code}), 200)
	require.Equal(t, gas.Number, one.Number)
	refused(t, w.ask(t, asked{path: "/v1/public/progress?number=" + gas.Number + "&code=ABCDEFGHJK"}), 404, "number_or_code")
	refused(t, w.ask(t, asked{path: "/v1/public/progress?number=" + first.Number + "&code=ABCDEFGHJK"}), 404, "number_or_code")
	shown := read[caseView](t, w.ask(t, asked{as: "taskforce", path: "/v1/cases/" + gas.Number}), 200)
	require.Equal(t, &jointView{first.Number, water.Number, casework.Water}, shown.Joint)

	// One is withdrawn by itself; the joint number then takes the other back.
	w.act(t, asked{path: "/v1/public/cases/" + gas.Number + "/withdraw", body: object{"code": first.Code, "reason": "不用气了"}})
	gone := read[jointWithdrawal](t, w.ask(t, asked{path: "/v1/public/joint-requests/" + first.Number + "/withdraw", body: object{"code": first.Code, "reason": "不办了"}}), 200)
	require.Equal(t, []casework.Status{casework.Withdrawing, casework.Withdrawing}, []casework.Status{gone.Cases[0].Status, gone.Cases[1].Status})
	refused(t, w.ask(t, asked{path: "/v1/public/joint-requests/" + first.Number + "/withdraw", body: object{"code": "x", "reason": "不办了"}}), 404, "number_or_code")
}

// The customer is not told that something is withdrawn that can't be.
func TestAJointRequestThatIsSuppliedIsNotWithdrawn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := read[JointAcceptance](t, w.ask(t, asked{as: "hotline", path: "/v1/joint-requests", body: jointBody("gas", "water")}), 201)
	withdraw := func() asked {
		return asked{path: "/v1/public/joint-requests/" + first.Number + "/withdraw", body: object{"code": first.Code, "reason": "不办了"}}
	}
	w.cases[first.Cases[0].Number].Supply = &casework.SupplyInput{SuppliedAt: noon}
	got := read[jointWithdrawal](t, w.ask(t, withdraw()), 200)
	require.Contains(t, got.Cases[0].Refused.ZH, "通水")
	require.Equal(t, casework.Withdrawing, got.Cases[1].Status)
	w.cases[first.Cases[1].Number].Status = casework.Open
	w.cases[first.Cases[1].Number].Supply = &casework.SupplyInput{SuppliedAt: noon}
	refused(t, w.ask(t, withdraw()), 409, "already_supplied")
}

func TestJointRequestsThatAreWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct {
		body   object
		fields []string
	}{
		"unknown utility": {jointBody("water", "internet"), []string{"utilities[1]"}},
		"twice":           {jointBody("gas", "gas"), []string{"utilities"}},
		"bad phone": {func() object {
			b := jointBody("gas", "water")
			b["contact"] = object{"name": "张三", "phone": "1380"}
			return b
		}(), []string{"contact.phone"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := refused(t, w.ask(t, asked{as: "hotline", path: "/v1/joint-requests", body: c.body}), 422, "invalid_input")
			require.ElementsMatch(t, c.fields, fields(p))
		})
	}
}

// Half of a row that was accepted by itself, before the other half was served,
// is not accepted again; the other half stands by itself.
func TestAListAsksForBothAtOnce(t *testing.T) {
	t.Parallel()
	const row = header + "2,芜湖越皖电子科技有限公司,91340209PA7R8JM87F,冯艳,13900008260,弋江区,利民路16号3栋,水、气\r\n"
	w := newWorld(t)
	got := read[listAnswer](t, w.ask(t, list("park-1", row)), 200)
	require.Equal(t, listCounts{Rows: 1, Accepted: 1, Cases: 2}, got.Counts)
	cases := got.Rows[0].Cases
	require.Regexp(t, "^J", cases[0].Joint)
	require.Equal(t, cases[0].Joint, cases[1].Joint)
	require.True(t, w.ring.CheckCode(cases[0].Joint, cases[0].Code))
	again := read[listAnswer](t, w.ask(t, list("park-1", row)), 200)
	require.Equal(t, listCounts{Rows: 1, AcceptedBefore: 1, Cases: 2}, again.Counts)
	require.Equal(t, cases[0].Number, again.Rows[0].Cases[0].Number)
	require.Len(t, w.cases, 2)

	early := newWorld(t, waterOnly)
	half := read[listAnswer](t, early.ask(t, list("park-1", row)), 200)
	require.Len(t, half.Rows[0].Cases, 1)
	late := newWorld(t)
	late.receipts, late.cases = early.receipts, early.cases
	whole := read[listAnswer](t, late.ask(t, list("park-1", row)), 200)
	require.Len(t, whole.Rows[0].Cases, 2)
	require.Equal(t, half.Rows[0].Cases[0].Number, whole.Rows[0].Cases[0].Number)
	require.Empty(t, whole.Rows[0].Cases[1].Joint)
	require.Len(t, late.cases, 2)
}

// The lists as parks send them, with both utilities served.
func TestParksListsGiveTheirOutcomes(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]listCounts{
		"park-list-gb18030.csv":  {Rows: 121, Accepted: 109, AcceptedWithNote: 6, Kept: 6, Cases: 142},
		"park-list-utf8-bom.csv": {Rows: 61, Accepted: 49, AcceptedWithNote: 5, Kept: 7, Cases: 59},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile("../platforms/parklist/testdata/" + file)
			require.NoError(t, err)
			w := newWorld(t)
			require.Equal(t, want, read[listAnswer](t, w.ask(t, list("park", string(raw))), 200).Counts)
			require.Len(t, w.cases, want.Cases)
			again := want
			again.AcceptedBefore, again.Accepted, again.AcceptedWithNote = want.Accepted+want.AcceptedWithNote, 0, 0
			require.Equal(t, again, read[listAnswer](t, w.ask(t, list("park", string(raw))), 200).Counts)
			require.Len(t, w.cases, want.Cases)
		})
	}
}

// Whatever a window is asked for is taken in: another company's is kept and
// handed over, never refused.
func TestAnotherCompanysRequestIsTakenIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(object)
		reason casework.ForwardReason
	}{
		"gas, which is not served": {func(o object) { o["utility"] = "gas" }, casework.OtherUtility},
		"electricity":              {func(o object) { o["utility"] = "electricity" }, casework.OtherUtility},
		"a district elsewhere":     {func(o object) { part(o, "site")["district"] = "340104" }, casework.OtherDistrict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, waterOnly)
			q := asked{as: "service_hall", path: "/v1/connection-requests", body: requestWith(c.change)}
			first := read[Acceptance](t, w.ask(t, q), 202)
			require.Equal(t, forwarded, first.Status)
			require.Equal(t, first.Number, read[Acceptance](t, w.ask(t, q), 202).Number)
			require.Empty(t, w.cases)
			listed := read[page[casework.Forwarding]](t, w.ask(t, asked{as: "service_hall", path: "/v1/forwardings?state=waiting"}), 200)
			require.Len(t, listed.Items, 1)
			require.Equal(t, c.reason, listed.Items[0].Reason)
			require.Equal(t, "138****1653", listed.Items[0].Request.Contact.Phone)
			whole := read[casework.Forwarding](t, w.ask(t, asked{as: "service_hall", path: "/v1/forwardings/" + first.Number}), 200)
			require.Equal(t, "13800001653", whole.Request.Contact.Phone)
			require.Equal(t, "forwarding_read", w.audited[0].What)

			progress := read[progressView](t, w.ask(t, asked{path: "/v1/public/progress?number=" + first.Number + "&code=" + first.Code}), 200)
			require.Equal(t, "已代收，待转交", progress.StatusName)
			hand := asked{as: "service_hall", path: "/v1/forwardings/" + first.Number + "/handed-over", body: object{"to": ""}}
			refused(t, w.ask(t, hand), 422, "invalid_input")
			hand.body = object{"to": "芜湖供电公司", "note": "对方受理号 88"}
			require.Equal(t, casework.ForwardingDone, read[casework.Forwarding](t, w.ask(t, hand), 200).State)
			progress = read[progressView](t, w.ask(t, asked{path: "/v1/public/progress?number=" + first.Number + "&code=" + first.Code}), 200)
			require.Contains(t, progress.NextStep.ZH, "芜湖供电公司")
		})
	}
	w := newWorld(t)
	refused(t, w.ask(t, asked{as: "hotline", path: "/v1/connection-requests", body: requestWith(func(o object) { o["utility"] = "internet" })}), 422, "invalid_input")
	refused(t, w.ask(t, asked{as: "hotline", path: "/v1/connection-requests", body: requestWith(func(o object) { part(o, "site")["district"] = "340221" })}), 422, "invalid_input")
}

// Who held the old number and code sees the case as it goes on.
func TestACaseThatWasPassedOnIsFoundByItsOldNumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	rec := w.ask(t, asked{as: "service_hall", path: "/v1/cases/W1/pass-on", body: object{"utility": "gas", "reason": "客户要的是用气"}})
	require.Equal(t, 200, rec.Code, rec.Body.String())
	code := w.ring.Code("W1")
	progress := func() progressView {
		return read[progressView](t, w.ask(t, asked{path: "/v1/public/progress?number=W1&code=" + code}), 200)
	}
	require.Equal(t, casework.PassingOn, progress().Status)
	refused(t, w.ask(t, asked{as: "service_hall", path: "/v1/cases/W1/pass-on", body: object{"utility": "gas", "reason": "再转"}}), 409, "passing_on")
	k := w.cases["W1"].Clone()
	k.PassedTo("G2", noon)
	w.keep(k)
	require.Equal(t, casework.PassedOn, progress().Status, "the new case is being opened")
	next := casework.NewCase("G2", k.Request, testTerms, casework.System(), noon)
	carried := k.Carry()
	next.CarryOver(&carried, noon)
	w.keep(next)
	require.Equal(t, "G2", progress().Number)
	w.act(t, asked{path: "/v1/public/cases/W1/withdraw", body: object{"code": code, "reason": "不办了"}})
	require.Equal(t, casework.Withdrawing, w.cases["G2"].Status)
}

// slow is a desk whose cases open when the test says so.
type slow struct {
	Desk
	mu   sync.Mutex
	most int
	now  int
	open chan struct{}
}

func (s *slow) Start(ctx context.Context, r casework.Receipt, wait bool) error {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	<-s.open
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	return s.Desk.Start(ctx, r, wait)
}

// Where requests come in faster than cases open, they are accepted at once and
// their cases are opened by turns, few at one time; none is forgotten.
func TestStartsTrailBehindARush(t *testing.T) {
	t.Parallel()
	desk := &slow{open: make(chan struct{})}
	w := newWorld(t, func(o *Options) { desk.Desk, o.Desk = o.Desk, desk })
	const rush = 50
	var all sync.WaitGroup
	statuses := make(chan int, rush)
	for i := range rush {
		all.Go(func() {
			statuses <- w.ask(t, asked{as: "platform", path: "/v1/connection-requests",
				body: requestWith(func(o object) { o["external_number"] = fmt.Sprint("R-", i) })}).Code
		})
	}
	for range rush - maxOpening {
		require.Equal(t, 202, <-statuses, "no slot is free, so nobody waits for one")
	}
	close(desk.open)
	all.Wait()
	for range maxOpening {
		require.Equal(t, 201, <-statuses, "who has a slot waits until the case is open")
	}
	require.Eventually(t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.cases) == rush
	}, 10*time.Second, 5*time.Millisecond)
	require.LessOrEqual(t, desk.most, maxOpening)
}

// A part of a joint request that names the project of an open lead becomes that
// lead's application; the other is a case of its own, and the two know each
// other. A lead that would not have it leaves its place to a case of its own.
func TestAJointRequestJoinsLeads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lead := aLead()
	lead.Utility = casework.Gas
	w.keepLead(t, "G9", lead)
	body := jointBody("water", "gas")
	body["project"] = lead.Project
	q := asked{as: "platform", path: "/v1/joint-requests", body: body}
	first := read[JointAcceptance](t, w.ask(t, q), 201)
	water, gas := first.Cases[0], first.Cases[1]
	require.Equal(t, []any{"J9", accepted, "G9", accepted, true, false}, []any{first.Number, first.Status, gas.Number, gas.Status, gas.Applied, water.Applied})
	require.True(t, w.ring.CheckCode("J9", gas.Code), "the code is that of the joint request")
	k := w.cases["G9"]
	require.False(t, k.Request.Lead)
	require.Equal(t, water.Number, k.Joint.Sibling)
	require.Equal(t, "锅炉", k.Request.Demand.Use)
	require.Equal(t, "G9", w.cases[water.Number].Joint.Sibling)

	again := read[JointAcceptance](t, w.ask(t, q), 200)
	require.Equal(t, acceptedBefore, again.Status)
	require.Equal(t, []string{water.Number, "G9"}, []string{again.Cases[0].Number, again.Cases[1].Number})

	// The lead of another project was dropped while the request came in.
	lead.Project = "2026-340281-35-01-100002"
	w.keepLead(t, "G8", lead)
	w.cases["G8"].Status = casework.Withdrawing
	body["project"], body["external_number"] = lead.Project, "YWTB-2"
	got := read[JointAcceptance](t, w.ask(t, q), 201)
	require.False(t, got.Cases[1].Applied)
	require.NotEqual(t, "G8", got.Cases[1].Number)
	require.Contains(t, w.cases, got.Cases[1].Number)
}

// Staff are shown which leads the cases of a joint request may belong to.
func TestLeadsAreShownBesideAJointRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keepLead(t, "W9", aLead())
	first := read[JointAcceptance](t, w.ask(t, asked{as: "service_hall", path: "/v1/joint-requests", body: jointBody("water", "gas")}), 201)
	require.Equal(t, "W9", first.Cases[0].PossibleLeads[0].Number)
	body := jointBody("water", "gas")
	body["external_number"] = "YWTB-2"
	pushed := read[JointAcceptance](t, w.ask(t, asked{as: "platform", path: "/v1/joint-requests", body: body}), 201)
	require.Empty(t, pushed.Cases[0].PossibleLeads, "a platform learns of no lead")
}
