package casework_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// plotLead is what is known of a planned plot: nobody to talk to yet.
func plotLead() casework.Request {
	return casework.Request{
		Utility: casework.Water, Channel: casework.IndustrialPark, Lead: true, ExternalNumber: "plot/1",
		Site:   casework.Site{District: "340207", Plot: "WH-2026-017", Address: "鸠江区万春中路北侧"},
		Demand: casework.Demand{Use: "工业用地", BuildFrom: calendar.Date{Year: 2027, Month: 5, Day: 1}},
	}
}

func TestLeadMayKnowLittle(t *testing.T) {
	t.Parallel()
	require.NoError(t, plotLead().Validate())
	for name, c := range map[string]struct {
		change func(*casework.Request)
		want   []string
	}{
		"nobody and no plot": {func(r *casework.Request) { r.Site.Plot = "" }, []string{"applicant.name"}},
		"no place":           {func(r *casework.Request) { r.Site.Address = "" }, []string{"site.address"}},
		"no district":        {func(r *casework.Request) { r.Site.District = "" }, []string{"site.district"}},
		"wrong phone":        {func(r *casework.Request) { r.Contact.Phone = "123" }, []string{"contact.phone"}},
		"wrong code":         {func(r *casework.Request) { r.Applicant.CreditCode = "91340200MA8N004321" }, []string{"applicant.credit_code"}},
		"swapped position":   {func(r *casework.Request) { r.Site.Position = &casework.Position{Lon: 31.3, Lat: 118.4} }, []string{"site.position"}},
		"unrecorded visit":   {func(r *casework.Request) { r.Channel = casework.Outreach }, []string{"visit"}},
		"empty visit":        {func(r *casework.Request) { r.Visit = &casework.Visit{} }, []string{"visit.visited_at", "visit.found", "visit.next_step"}},
		"a position instead of an address": {func(r *casework.Request) {
			r.Site.Address, r.Site.Position = "", &casework.Position{Lon: 118.4, Lat: 31.3}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := plotLead()
			c.change(&r)
			err := r.Validate()
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			require.Equal(t, c.want, wrong(t, err))
		})
	}
	k := casework.NewCase("W1", plotLead(), terms(), able, received)
	require.Equal(t, []string{"applicant.name", "applicant.credit_code", "contact.name", "contact.phone"}, k.MissingForApplication())
	require.Empty(t, k.Drafts, "there is nothing to draw a booking from")
	require.Equal(t, "地块 WH-2026-017", plotLead().Who())
}

func TestLeadMayEnterWhatNeedsNoApplication(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		utility casework.Utility
		lead    bool
		stages  int // that it may enter, from the first
	}{
		{casework.Water, false, 6}, {casework.Gas, false, 6}, {casework.Water, true, 1}, {casework.Gas, true, 3},
	} {
		r := plotLead()
		r.Utility, r.Lead = c.utility, c.lead
		k := casework.Case{Request: r}
		for i, s := range casework.Stages() {
			require.Equal(t, i < c.stages, k.MayEnter(s), "%s %v %s", c.utility, c.lead, s)
		}
	}
}

func TestApplicationCompletesTheLead(t *testing.T) {
	t.Parallel()
	k := casework.NewCase("W1", plotLead(), terms(), able, received)
	missing := casework.Apply{By: casework.By{Actor: casework.AsCustomer()}}
	_, err := k.Try(missing, now)
	require.Equal(t, []string{"applicant.name", "applicant.credit_code", "contact.name", "contact.phone"}, wrong(t, err))

	apply := missing
	apply.Request = casework.Request{
		Channel: casework.MiniProgram, ExternalNumber: "M-1",
		Applicant: casework.Applicant{Name: "芜湖新材料有限公司", CreditCode: "91340200MA8N004320"},
		Contact:   casework.Contact{Name: "陈新", Phone: "138-0013-8000"},
		Demand:    casework.Demand{DailyVolume: 80},
	}
	next, err := k.Try(apply, now)
	require.NoError(t, err)
	want := plotLead()
	want.Lead = false
	want.Applicant, want.Contact = apply.Request.Applicant, casework.Contact{Name: "陈新", Phone: "13800138000"}
	want.Demand.DailyVolume = 80
	require.Equal(t, want, next.Request)
	require.Equal(t, &casework.Application{At: now, By: "customer", Channel: casework.MiniProgram, ExternalNumber: "M-1"}, next.Applied)
	require.Contains(t, next.Drafts, casework.Booking)
	require.Contains(t, next.Broken, casework.ZeroApplication, "the customer had to apply")
	require.Empty(t, next.MissingForApplication())

	_, err = next.Try(apply, now)
	require.Equal(t, "applied_before", casework.AsFault(err).Code)
	other := apply
	other.Request.Utility, other.Request.Site.District = casework.Gas, "340202"
	_, err = k.Try(other, now)
	require.Equal(t, []string{"utility", "site.district"}, wrong(t, err))
	_, err = casework.NewCase("W2", soundRequest(), terms(), able, received).Try(apply, now)
	require.Equal(t, "not_a_lead", casework.AsFault(err).Code)
}

// What a lead knows is never asked for again, whatever it knows; and what the
// application says is never lost.
func TestNothingIsAskedTwice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		full, lead, said := soundRequest(), plotLead(), casework.Request{}
		lead.Site.District = full.Site.District
		for i, move := range []func(from casework.Request, to *casework.Request){
			func(from casework.Request, to *casework.Request) { to.Applicant.Name = from.Applicant.Name },
			func(from casework.Request, to *casework.Request) { to.Applicant.CreditCode = from.Applicant.CreditCode },
			func(from casework.Request, to *casework.Request) { to.Contact.Name = from.Contact.Name },
			func(from casework.Request, to *casework.Request) { to.Contact.Phone = from.Contact.Phone },
			func(from casework.Request, to *casework.Request) { to.Site.Address = from.Site.Address },
		} {
			switch rapid.IntRange(0, 2).Draw(t, "who says "+string(rune('a'+i))) {
			case 0:
				move(full, &lead)
			case 1:
				move(full, &said)
			default:
				move(full, &lead)
				move(full, &said)
			}
		}
		require.NoError(t, lead.Validate())
		k := casework.NewCase("W1", lead, terms(), able, received)
		next, err := k.Try(casework.Apply{By: casework.By{Actor: able}, Request: said}, now)
		require.NoError(t, err)
		require.NoError(t, next.Request.Validate())
		require.Equal(t, full.Applicant, next.Request.Applicant)
		require.Equal(t, full.Contact, next.Request.Contact)
		require.Equal(t, lead.Demand, next.Request.Demand)
	})
}

func TestContactFillsWhatTheLeadLacks(t *testing.T) {
	t.Parallel()
	k := casework.NewCase("W1", plotLead(), terms(), able, received)
	k.Need(casework.ContactCustomer, "", 1, received, received)
	complete := func(input string) (*casework.Case, error) {
		return k.Try(casework.CompleteTask{By: byAble, Task: "W1-T1", Input: json.RawMessage(input)}, now)
	}
	_, err := complete(`{"by":"phone"}`)
	require.Equal(t, []string{"contact"}, wrong(t, err))
	_, err = complete(`{"nobody":true}`)
	require.Equal(t, []string{"note"}, wrong(t, err))

	next, err := complete(`{"nobody":true,"note":"园区称尚未定企业"}`)
	require.NoError(t, err)
	require.False(t, next.Reachable())
	require.Equal(t, 1, next.Contacts, "nobody was contacted")

	next, err = complete(`{"by":"phone","contact":{"name":"陈新","phone":"13800138000"},"applicant":{"name":"芜湖新材料有限公司"}}`)
	require.NoError(t, err)
	require.True(t, next.Reachable())
	require.Equal(t, "13800138000", next.Request.Contact.Phone)
	require.Equal(t, casework.ContactInput{By: "phone"}, *next.Contacted, "who it is stands in the request, where it is masked")

	applied := casework.NewCase("W1", soundRequest(), terms(), able, received)
	applied.Need(casework.ContactCustomer, "", 1, received, received)
	_, err = applied.Try(casework.CompleteTask{By: byAble, Task: "W1-T1", Input: json.RawMessage(`{"by":"phone","contact":{"name":"x","phone":"13800138000"}}`)}, now)
	require.Equal(t, []string{"contact"}, wrong(t, err))
}

func TestVisitMovesTheFollowUp(t *testing.T) {
	t.Parallel()
	r := plotLead()
	r.Channel, r.Visit = casework.Outreach, &casework.Visit{VisitedAt: received, Found: "在建", NextStep: "月底再访"}
	k := casework.NewCase("W1", r, terms(), able, received)
	require.Len(t, k.Visits, 1)
	k.Need(casework.FollowUpLead, "", 1, received, received)
	require.Equal(t, casework.WaitingLead, k.StageTitle())
	on := calendar.DateOf(now).AddDays(5)
	next, err := k.Try(casework.RecordVisit{
		By: byAble, Visit: casework.Visit{VisitedAt: now, Found: "已封顶", NextStep: "下周送方案", NextOn: on},
		Contact: &casework.Contact{Name: "陈新", Phone: "13800138000"},
	}, now)
	require.NoError(t, err)
	require.Equal(t, on, next.LeadFollow)
	task, _ := next.Live(casework.FollowUpLead, "")
	require.Equal(t, on.At(0), task.Anchor.In(calendar.Shanghai))
	require.Equal(t, "13800138000", next.Request.Contact.Phone)
	require.Len(t, next.Visits, 2)

	_, err = k.Try(casework.RecordVisit{By: byAble, Visit: casework.Visit{VisitedAt: now.Add(time.Hour), NextOn: calendar.DateOf(now).AddDays(-1)}}, now)
	require.Equal(t, []string{"visit.found", "visit.next_step", "visit.visited_at", "visit.next_on"}, wrong(t, err))
}

// A gas lead is surveyed before it applies; with the application it is accepted,
// and only then the lane's clock runs.
func TestFrontLoadedGasIsAcceptedWhenItApplies(t *testing.T) {
	t.Parallel()
	r := soundRequest()
	r.Utility, r.Lead = casework.Gas, true
	k := casework.NewCase("G1", r, gasTerms(), able, received)
	k.Need(casework.ConductSurvey, "", 1, received, received)
	survey := `{"conducted_at":"2026-11-23T10:30:00+08:00","connectable":true,"information_checked":true,"application_completed":%s,
		"design":{"atlas":"RQ-01","meter":"G6","pressure":"low","pipe_material":"PE80","pipe_length":12}}`
	_, err := k.Try(casework.CompleteTask{By: byAble, Task: "G1-T1", Input: json.RawMessage(fmt.Sprintf(survey, "true"))}, now)
	require.Equal(t, []string{"application_completed"}, wrong(t, err))
	next, err := k.Try(casework.CompleteTask{By: byAble, Task: "G1-T1", Input: json.RawMessage(fmt.Sprintf(survey, "false"))}, now)
	require.NoError(t, err)
	require.True(t, next.ApplicationAt.IsZero())
	_, running := next.Deadline(casework.LaneDeadline)
	require.False(t, running)

	later := now.Add(48 * time.Hour)
	next, err = next.Try(casework.Apply{By: casework.By{Actor: able}}, later)
	require.NoError(t, err)
	require.Equal(t, later, next.ApplicationAt)
	lane, running := next.Deadline(casework.LaneDeadline)
	require.True(t, running)
	require.Equal(t, later, lane.Anchor)
}
