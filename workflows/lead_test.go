package workflows_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/demo"
)

// aLead is a planned plot of which nobody knows yet who will come.
func aLead(u casework.Utility) casework.Request {
	return casework.Request{
		Utility: u, Channel: casework.IndustrialPark, Lead: true, ExternalNumber: "plot/1",
		Site:   casework.Site{District: "340223", Plot: "WH-2026-017", Address: "芜湖市南陵县涌珠泉路287号"},
		Demand: casework.Demand{Use: "工业用地"},
	}
}

// leadBook plays a lead's workflow.
func leadBook(t *testing.T, r casework.Request) *book {
	t.Helper()
	b := newBook(t)
	b.input.Request = r
	return b
}

func application() casework.Apply {
	r := request()
	return casework.Apply{By: byCustomer, Request: casework.Request{Channel: casework.MiniProgram, ExternalNumber: "M-1", Applicant: r.Applicant, Contact: r.Contact}}
}

// nobodyYet completes the contact of a plot for which nobody is known.
func (p *people) nobodyYet() {
	p.must(enter(p.task(casework.ContactCustomer), casework.ContactInput{Nobody: true, Note: "园区尚未定企业"}))
}

func TestLeadWaitsUntilItsCustomerAppliesThenIsSurveyed(t *testing.T) {
	t.Parallel()
	b := leadBook(t, aLead(casework.Water))
	b.play(func(p *people) {
		d, ok := p.snapshot.Deadline(p.task(casework.ContactCustomer).ID)
		require.True(t, ok)
		require.Equal(t, "2026-11-24 17:30", casework.Clock(d.Due.At), "one working day after the lead arrived")
		p.nobodyYet()
		p.finish(casework.AssessNetwork)
		// Nobody is there to be briefed, so it waits at once, due the same day.
		require.Equal(t, []string{"follow_up_lead"}, p.kinds())
		require.Equal(t, casework.WaitingLead, p.snapshot.StageTitle())
		d, _ = p.snapshot.Deadline(p.task(casework.FollowUpLead).ID)
		require.Equal(t, "2026-11-23 17:30", casework.Clock(d.Due.At))

		for round := 1; round <= 3; round++ {
			f := p.finish(casework.FollowUpLead)
			require.Equal(t, round, f.Round)
			next := p.task(casework.FollowUpLead)
			d, _ = p.snapshot.Deadline(next.ID)
			require.Equal(t, p.snapshot.LeadFollow, calendar.DateOf(d.Due.At), "again, at the date that was set")
			require.Equal(t, casework.PreService, p.snapshot.Stage)
			p.until(casework.Clock(d.Due.At.Add(-3 * time.Hour)))
		}
		require.Empty(t, p.snapshot.Escalations, "it was followed up in time")
		require.Equal(t, casework.PartyCustomer, p.snapshot.Clock.Now.Party, "it waits for the customer")

		// A visit finds out who comes: now there is somebody to brief.
		p.must(casework.RecordVisit{By: byStaff, Visit: casework.Visit{VisitedAt: p.env.Now(), Found: "企业已入驻", NextStep: "告知管网情况"},
			Contact: &casework.Contact{Name: "秦刚丽", Phone: "13900007716"}})
		require.Equal(t, []string{"brief_customer", "follow_up_lead"}, p.kinds())
		p.finish(casework.BriefCustomer)

		p.refused("invalid_input", casework.Apply{By: byCustomer})
		p.must(application())
		require.Equal(t, []string{"schedule_survey"}, p.kinds())
		require.Equal(t, casework.JointSurvey, p.snapshot.Stage)
		require.False(t, p.snapshot.Request.Lead)
		require.Equal(t, "applied", p.tasks[followUpOf(p.ledger)].Outcome)
		d, _ = p.snapshot.Deadline(p.task(casework.ScheduleSurvey).ID)
		require.Equal(t, calendar.DateOf(p.env.Now()), calendar.DateOf(d.Anchor), "as for a request that begins now")
		p.refused("applied_before", application())
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.Equal(t, 1, b.count(casework.LeadApplied))
	require.Equal(t, 1, b.count(casework.ApplicationAccepted))
	requireNothingLeft(t, b.ledger)
}

// followUpOf is the last follow-up of a lead.
func followUpOf(l *ledger) string {
	last := casework.Task{}
	for _, t := range l.tasks {
		if t.Kind == casework.FollowUpLead && t.OpenedAt.After(last.OpenedAt) {
			last = t
		}
	}
	return last.ID
}

func TestApplicationBeforePreServiceIsDone(t *testing.T) {
	t.Parallel()
	b := leadBook(t, aLead(casework.Water))
	b.play(func(p *people) {
		p.must(application())
		require.Equal(t, []string{"contact_customer"}, p.kinds())
		p.straight()
	})
}

// What was assessed for little does not answer for much.
func TestApplicationForMoreIsAssessedAgain(t *testing.T) {
	t.Parallel()
	b := leadBook(t, aLead(casework.Water))
	b.play(func(p *people) {
		p.nobodyYet()
		p.finish(casework.AssessNetwork)
		a := application()
		a.Request.Demand.DailyVolume = 500
		p.must(a)
		require.Equal(t, []string{"assess_network"}, p.kinds())
		require.Equal(t, 2, p.finish(casework.AssessNetwork, demo.Choices{Upgrade: true}).Round)
		p.finish(casework.BriefCustomer)
		p.on(upgradeNumber).straight()
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

func TestLeadIsDropped(t *testing.T) {
	t.Parallel()
	b := leadBook(t, aLead(casework.Water))
	b.play(func(p *people) {
		p.nobodyYet()
		p.finish(casework.AssessNetwork)
		p.finish(casework.FollowUpLead, demo.Choices{LeadDropped: true})
	})
	require.Equal(t, casework.Withdrawn, b.snapshot.Status)
	require.Equal(t, "项目已取消", b.snapshot.Withdrawal)
}

// The upgrade that a lead needs is built before anybody applies, and the lane's
// clock never waits for it.
func TestUpgradeIsBuiltForALead(t *testing.T) {
	t.Parallel()
	b := leadBook(t, aLead(casework.Water))
	b.play(func(p *people) {
		p.nobodyYet()
		p.finish(casework.AssessNetwork, demo.Choices{Upgrade: true})
		require.Equal(t, []string{"follow_up_lead"}, p.kinds())
		p.on(upgradeNumber).straight()
		require.False(t, p.snapshot.Upgrade.Pending())
		p.must(application())
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
	for _, h := range b.deadlines[casework.LaneDeadline].Holds {
		require.NotEqual(t, string(casework.UpgradeCase), h.Reason)
	}
}

// Gas goes on to survey and permits on the lead; construction waits for the
// application, and with it the lane's clock begins.
func TestFrontLoadedGasWaitsBeforeConstruction(t *testing.T) {
	t.Parallel()
	r := request()
	r.Utility, r.Lead = casework.Gas, true
	b := leadBook(t, r)
	b.play(func(p *people) {
		p.reach(casework.ConductSurvey)
		p.must(enter(p.task(casework.ConductSurvey), casework.SurveyInput{
			ConductedAt: p.env.Now(), Connectable: true, InformationChecked: true, DesignConfirmed: true,
			Design: &casework.Design{Atlas: "RQ-01", Meter: "G6", Pressure: casework.LowPressure, PipeMaterial: "PE80", PipeLength: 12},
		}))
		require.Zero(t, p.count(casework.ApplicationAccepted))
		p.finish(casework.UploadSurvey)
		p.finish(casework.AgreeQuote)
		require.Equal(t, []string{"follow_up_lead"}, p.kinds())
		p.refused("no_contract", casework.ConfirmContract{By: byCustomer, Kind: casework.SupplyContractKind})
		require.Equal(t, casework.Permits, p.snapshot.Stage)
		require.Equal(t, casework.WaitingLead, p.snapshot.StageTitle())

		p.must(casework.Apply{By: byStaff})
		require.Equal(t, 1, p.count(casework.ApplicationAccepted))
		require.Equal(t, []string{"prepare_materials", "sign_contracts/connection_contract", "sign_contracts/supply_contract"}, p.kinds())
		lane, ok := p.snapshot.Deadline(casework.LaneDeadline)
		require.True(t, ok)
		require.Equal(t, p.snapshot.ApplicationAt, lane.Anchor)
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// A lead that grows long goes on as new and still waits.
func TestLeadGoesOnAsNew(t *testing.T) {
	t.Parallel()
	b := leadBook(t, aLead(casework.Water))
	b.play(func(p *people) {
		p.nobodyYet()
		p.finish(casework.AssessNetwork)
		p.full = true
		p.finish(casework.FollowUpLead)
	})
	require.ErrorContains(t, b.env.GetWorkflowError(), "continue as new")
	again := newBookAt(t, b.env.Now(), b.records)
	again.input = contract.CaseInput{Number: caseNumber, State: b.snapshot}
	again.play(func(p *people) {
		require.Equal(t, []string{"follow_up_lead"}, p.kinds())
		p.finish(casework.FollowUpLead)
		p.must(application())
		p.straight()
	})
	require.Equal(t, casework.Closed, again.snapshot.Status)
}

// Whatever people do to a lead, the workflow answers as the rules do, nothing is
// lost on the way, and once its customer applies it comes to its end.
func TestRandomPeopleOnLeads(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := aLead([]casework.Utility{casework.Water, casework.Gas}[seed%2])
			b := leadBook(t, r)
			b.play(func(p *people) {
				random := rand.New(rand.NewPCG(seed, 3))
				for range 30 {
					if p.ledger.ended() {
						return
					}
					p.stumble(random)
					if k := p.snapshot; k.Request.Lead && !k.Status.Ended() && random.IntN(10) == 0 {
						a := []casework.Action{application(), casework.Apply{By: byCustomer}, casework.RecordVisit{By: byStaff, Visit: casework.Visit{
							VisitedAt: p.env.Now(), Found: "在建", NextStep: "再访", NextOn: calendar.DateOf(p.env.Now()).AddDays(random.IntN(9))}}}[random.IntN(3)]
						_, want := k.Try(a, p.env.Now())
						_, err := p.try(a)
						require.Equal(t, want == nil, err == nil, "%T: %v, %v", a, want, err)
						p.wait(time.Second)
					}
				}
				if k := p.snapshot; !k.Status.Ended() && k.Status != casework.Withdrawing && k.Request.Lead {
					p.must(application())
				}
				p.recover()
			})
			require.NoError(t, b.env.GetWorkflowError())
			require.True(t, b.snapshot.Status.Ended())
			require.LessOrEqual(t, b.count(casework.LeadApplied), 1)
			require.Equal(t, b.count(casework.ApplicationAccepted) > 0, !b.snapshot.ApplicationAt.IsZero())
			requireNothingLeft(t, b.ledger)
		})
	}
}
