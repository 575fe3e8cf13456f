package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
	"github.com/curbstop/curbstop/policy"
)

const water, gas = 0, 1

var utilities = [2]casework.Utility{casework.Water, casework.Gas}

// asked is one part of a joint request.
func asked(i int) casework.Request {
	r := request()
	r.Utility, r.Project = utilities[i], "2026-340207-50-01-000001"
	r.ExternalNumber = "GG-1/" + string(r.Utility)
	r.Demand.Diameter, r.Demand.DailyVolume = 50, 100
	return r
}

// jointLeads are a joint request of which some parts are applications of leads.
type jointLeads struct {
	*pair
	since time.Time // when the request came in; zero before
	joint [2]*casework.Joint
	lead  [2]bool // the part is an application that its lead has not been told of
}

func (p *jointLeads) begin(i int, r casework.Request, number string, j *casework.Joint) {
	k := casework.NewCase(number, r, policy.Default().Terms(), staff, p.now)
	k.Joint = j
	k.Documents = []casework.Document{{ID: "1", Kind: casework.SurveyRecord}, {ID: "2", Kind: casework.ConstructionDrawing}}
	p.cases[i], p.told[i] = k, ""
	p.settle(i)
}

// newJointLeads opens the leads of a project.
func newJointLeads(t require.TestingT, leads [2]bool) *jointLeads {
	p := &jointLeads{pair: &pair{t: t, now: monday}}
	for i, lead := range leads {
		if lead {
			r := asked(i)
			r.Lead, r.Applicant.CreditCode = true, ""
			p.begin(i, r, jointNumbers[i], nil)
		}
	}
	return p
}

// come has the joint request come in: receipts and applications are written
// down, and nobody is told yet.
func (p *jointLeads) come() {
	p.since = p.now
	for i := range p.cases {
		p.lead[i] = p.cases[i] != nil
		p.joint[i] = &casework.Joint{Number: "J20261123-00001", Sibling: jointNumbers[1-i], Utility: utilities[1-i]}
		if p.lead[i] {
			p.joint[i].Since = p.since
		}
	}
}

// open opens a part's own case, or tells its lead. Where the lead would not have
// it, a case comes instead.
func (p *jointLeads) open(i int) {
	j := *p.joint[i]
	if !p.lead[i] {
		if p.cases[i] == nil {
			p.begin(i, asked(i), jointNumbers[i], &j)
		}
		return
	}
	p.lead[i] = false
	a := casework.Apply{By: byStaff, Request: asked(i), Joint: &j}
	if next, err := p.cases[i].Try(a, p.now); err == nil {
		p.cases[i] = next
		p.settle(i)
		return
	}
	own := casework.Joint{Number: j.Number, Utility: j.Utility, InsteadOf: jointNumbers[i], Sibling: jointNumbers[1-i]}
	other := p.cases[1-i]
	if other != nil && other.Joint != nil && other.Joint.InsteadOf != "" {
		own.Sibling = other.Number
	}
	number := jointNumbers[i][:len(jointNumbers[i])-1] + "9"
	if other != nil && other.Number == own.Sibling && other.Status.Ended() && !p.lead[1-i] {
		p.begin(i, asked(i), number, nil)
		return
	}
	p.begin(i, asked(i), number, &own)
}

// leadWork is what is done on the cases, up to the permits' results.
var leadWork = append([]casework.TaskKind{
	casework.ContactCustomer, casework.AssessNetwork, casework.BriefCustomer, casework.ScheduleSurvey, casework.ConductSurvey,
	casework.CompleteDeferred, casework.DesignConnection, casework.AgreeQuote, casework.SignContracts, casework.VoidContract,
}, permitWork...)

// work does the first open task of a kind that can be done now.
func (p *jointLeads) work(i int, kind casework.TaskKind, c demo.Choices) bool {
	if p.cases[i] == nil {
		return false
	}
	c.Gas = i == gas
	return p.complete(i, kind, c)
}

func (p *jointLeads) filings() map[casework.PermitKind][]string {
	filed := map[casework.PermitKind][]string{}
	for _, k := range p.cases {
		if k == nil || k.Status != casework.Open {
			continue
		}
		for _, permit := range k.Permits {
			refused := !permit.DecidedAt.IsZero() && !permit.Granted
			if permit.SharedWith == "" && !permit.FiledAt.IsZero() && !refused {
				filed[permit.Kind] = append(filed[permit.Kind], k.Number)
			}
		}
	}
	return filed
}

// Whatever the order in which leads are worked on, dropped, told of their
// application and hear of each other, and whichever case comes instead of a
// lead: no permit is filed by both, nobody waits for anything in the end, and
// what either knows of the customer both know.
func TestLeadsAreJoinedToAJointRequest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := newJointLeads(t, [2]bool{rapid.Bool().Draw(t, "water lead"), rapid.Bool().Draw(t, "gas lead")})
		choices := func() demo.Choices {
			c := demo.Choices{RefusePermit: rapid.IntRange(0, 3).Draw(t, "refused") == 0, NotYet: rapid.IntRange(0, 5).Draw(t, "not yet") == 0}
			for _, n := range everyNeed {
				if rapid.IntRange(0, 2).Draw(t, "needs") > 0 {
					c.Permits = append(c.Permits, n)
				}
			}
			return c
		}
		for range rapid.IntRange(0, 120).Draw(t, "steps") {
			p.now = p.now.Add(time.Minute)
			i := rapid.IntRange(0, 1).Draw(t, "case")
			switch step := rapid.IntRange(0, 24).Draw(t, "step"); {
			case step < 6:
				p.deliver(i)
			case step < 9 && p.since.IsZero():
				p.come()
			case step < 10 && !p.since.IsZero():
				p.open(i)
			case step < 24:
				p.work(i, rapid.SampledFrom(leadWork).Draw(t, "task"), choices())
			case p.cases[i] != nil && p.cases[i].Status == casework.Open:
				p.act(i, casework.Withdraw{By: byCustomer, Reason: "不办了"})
			}
			for kind, by := range p.filings() {
				require.Less(t, len(by), 2, "%s filed by %s", kind, by)
			}
		}
		if p.since.IsZero() {
			p.come()
		}
		for i := range p.cases {
			p.open(i)
		}
		for progress := true; progress; {
			progress = false
			for i := range p.cases {
				p.now = p.now.Add(time.Minute)
				for _, kind := range append(leadWork, casework.FollowUp) {
					progress = p.work(i, kind, demo.Choices{}) || progress
				}
				progress = p.deliver(i) || progress
			}
			for kind, by := range p.filings() {
				require.Less(t, len(by), 2, "%s filed by %s", kind, by)
			}
		}
		for i, k := range p.cases {
			require.False(t, k.Request.Lead)
			require.NotEmpty(t, k.Request.Applicant.CreditCode)
			if other := p.cases[1-i]; k.Joint != nil && !k.Status.Ended() && !other.Status.Ended() {
				require.Equal(t, other.Number, k.Joint.Sibling)
				require.Equal(t, other.Request.Applicant, k.Request.Applicant)
				require.Equal(t, other.Request.Contact, k.Request.Contact)
			}
			switch k.Status {
			case casework.Open:
				require.False(t, k.TaskOrderAt.IsZero(), "%s waits forever: %s %+v %+v", k.Number, k.Stage, k.Tasks, k.Permits)
				if d, ok := k.Deadline(casework.LaneDeadline); ok {
					for _, h := range d.Holds {
						require.False(t, h.To.IsZero(), "%s: the clock stands for nothing: %+v", k.Number, d.Holds)
					}
				}
			default:
				require.Equal(t, casework.Withdrawn, k.Status, "%s can't end: %+v", k.Number, k.Permits)
			}
		}
	})
}

// What the gas lead knows, agreed and filed before anybody applied is the water
// case's too: the customer's code, the building schedule, the survey's date, the
// permit for the trench. What the new case told before the lead knew of it is
// not lost.
func TestALeadBringsWhatItKnows(t *testing.T) {
	t.Parallel()
	p := newJointLeads(t, [2]bool{false, true})
	p.act(gas, enter(p.cases[gas].Tasks[0], map[string]any{"by": "phone", "build_from": "2027-01-04", "build_to": "2027-06-30",
		"applicant": asked(gas).Applicant, "contact": asked(gas).Contact}))
	for _, kind := range []casework.TaskKind{casework.AssessNetwork, casework.BriefCustomer, casework.ScheduleSurvey} {
		require.True(t, p.work(gas, kind, demo.Choices{}), kind)
	}
	p.come()
	p.joint[water].ScheduleAt = time.Time{}
	p.open(water)
	require.True(t, p.deliver(gas))
	require.Nil(t, p.cases[gas].Joint)
	require.Len(t, p.cases[gas].Early, 1)
	p.now = p.now.Add(time.Hour)
	said := asked(gas)
	said.Demand.BuildFrom, said.Demand.BuildTo = calendar.Date{}, calendar.Date{}
	p.act(gas, casework.Apply{By: byStaff, Request: said, Joint: p.joint[gas]})
	p.lead[gas] = false
	require.Empty(t, p.cases[gas].Early)
	require.Equal(t, jointNumbers[water], p.cases[gas].Joint.Known.Case)
	hear := func() {
		for p.deliver(water) || p.deliver(gas) {
			p.now = p.now.Add(time.Minute)
		}
	}
	hear()
	require.Equal(t, "2027-01-04", p.cases[water].Request.Demand.BuildFrom.String())
	for _, kind := range []casework.TaskKind{casework.ContactCustomer, casework.AssessNetwork, casework.BriefCustomer} {
		require.True(t, p.work(water, kind, demo.Choices{}), kind)
	}
	require.Equal(t, p.cases[gas].Appointment, p.cases[water].Appointment, "the date that was agreed on the lead")
	for i := range p.cases {
		require.True(t, p.work(i, casework.ConductSurvey, permitsOf(road)))
		require.True(t, p.work(i, casework.UploadSurvey, demo.Choices{}))
	}
	hear()
	require.Equal(t, jointNumbers[gas], p.cases[water].Permits[0].SharedWith)
	require.Empty(t, p.cases[gas].Permits[0].SharedWith)
}

// Of two leads with a code between them, the one that lacks it asks nobody.
func TestOfTwoLeadsOneKnowsTheCode(t *testing.T) {
	t.Parallel()
	p := newJointLeads(t, [2]bool{true, true})
	p.act(water, enter(p.cases[water].Tasks[0], map[string]any{"by": "phone", "applicant": asked(water).Applicant, "contact": asked(water).Contact}))
	p.come()
	for i := range p.cases {
		said := asked(i)
		said.Applicant.CreditCode = ""
		p.act(i, casework.Apply{By: byStaff, Request: said, Joint: p.joint[i]})
	}
	_, deferred := p.cases[gas].Live(casework.CompleteDeferred, string(casework.CreditCodeItem))
	require.True(t, deferred)
	for p.deliver(water) || p.deliver(gas) {
		p.now = p.now.Add(time.Minute)
	}
	require.Equal(t, asked(water).Applicant, p.cases[gas].Request.Applicant)
	_, deferred = p.cases[gas].Live(casework.CompleteDeferred, string(casework.CreditCodeItem))
	require.False(t, deferred)
}
