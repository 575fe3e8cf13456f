package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
	"github.com/curbstop/curbstop/policy"
	"github.com/curbstop/curbstop/workflows"
)

const waterNumber = "W20261123-00002"

// half is the water case of a joint request, played by the rules beside the gas
// case, which is the workflow under test and leads.
type half struct {
	*people
	k     *casework.Case
	s     *sibling
	heard int
	told  string
}

func gasAndWater(t *testing.T, play func(p *people, water *half)) *book {
	t.Helper()
	b := gasBook(t)
	s := b.joinWith(waterNumber, casework.Water)
	b.play(func(p *people) {
		k := casework.NewCase(waterNumber, request(), policy.Default().Terms(), staff, p.env.Now())
		k.Joint = &casework.Joint{Number: "J20261123-00001", Sibling: caseNumber, Utility: casework.Gas}
		k.Documents = []casework.Document{{ID: "1", Kind: casework.SurveyRecord}, {ID: "2", Kind: casework.ConstructionDrawing}}
		h := &half{people: p, k: k, s: s}
		h.exchange()
		play(p, h)
	})
	require.NoError(t, b.env.GetWorkflowError())
	requireNothingLeft(t, b.ledger)
	return b
}

// exchange has both hear what the other has to tell, until neither has news.
func (h *half) exchange() {
	for {
		h.people.wait(time.Second)
		for ; h.heard < len(h.s.heard); h.heard++ {
			h.k.Learn(h.s.heard[h.heard], h.env.Now())
		}
		workflows.Advance(h.k, h.env.Now())
		h.k.TakeChanges()
		news := h.k.News()
		if news == h.told {
			return
		}
		h.told = news
		h.people.tell(h.k.Clone().Share())
	}
}

// does completes a task of the water case, and both hear of it.
func (h *half) does(kind casework.TaskKind, c demo.Choices) {
	h.t.Helper()
	i := slices.IndexFunc(h.k.Tasks, func(t casework.Task) bool { return t.Kind == kind })
	require.GreaterOrEqual(h.t, i, 0, "%s is not open: %v", kind, h.open())
	for _, a := range complete(h.k, h.k.Tasks[i], c, h.env.Now()) {
		next, err := h.k.Try(a, h.env.Now())
		require.NoError(h.t, err)
		h.k = next
	}
	h.exchange()
}

func (h *half) open() []string {
	var kinds []string
	for _, t := range h.k.Tasks {
		kinds = append(kinds, string(t.Kind))
	}
	slices.Sort(kinds)
	return kinds
}

func (h *half) withdraws() {
	next, err := h.k.Try(casework.Withdraw{By: byCustomer, Reason: "不用水了"}, h.env.Now())
	require.NoError(h.t, err)
	h.k = next
	h.exchange()
}

// toSurvey brings both to the day of the survey, whose date water agrees.
func (h *half) toSurvey() {
	h.people.reach(casework.ScheduleSurvey)
	for _, kind := range []casework.TaskKind{casework.ContactCustomer, casework.AssessNetwork, casework.BriefCustomer, casework.ScheduleSurvey} {
		h.does(kind, demo.Choices{})
	}
}

// One date for both, one permit for the trench, and then each at its own pace:
// the gas contracts wait for the customer while water is built and closed.
func TestGasWaitsForItsContractsWhileWaterGoesOn(t *testing.T) {
	t.Parallel()
	b := gasAndWater(t, func(p *people, water *half) {
		water.toSurvey()
		require.Equal(t, []string{"conduct_survey"}, p.kinds(), "the date that water agreed")
		require.Equal(t, water.k.Appointment.SurveyAt.UTC(), p.snapshot.Appointment.SurveyAt.UTC())
		water.does(casework.ConductSurvey, permitsOf(road))
		water.does(casework.UploadSurvey, permitsOf(road))
		require.Contains(t, water.open(), "file_permit", "gas leads, and let water file: it was first")
		p.finish(casework.ConductSurvey, permitsOf(road))
		p.finish(casework.UploadSurvey, permitsOf(road))
		if _, large := p.snapshot.Live(casework.DesignConnection, ""); large {
			p.finish(casework.DesignConnection)
		}
		water.exchange()
		require.Equal(t, waterNumber, p.snapshot.Permits[0].SharedWith)
		require.Equal(t, []string{"agree_quote"}, p.kinds(), "gas files nothing")
		water.does(casework.FilePermit, demo.Choices{})
		d, ok := p.snapshot.Deadline(casework.LaneDeadline)
		require.True(t, ok)
		require.True(t, d.Due.Stopped, "the clock of gas stands for the permit that water filed")
		water.does(casework.RecordPermitResult, demo.Choices{})
		require.Contains(t, p.kinds(), "hand_over_permit/road_occupation")
		p.finish(casework.AgreeQuote)
		p.finish(casework.HandOverPermit)
		p.finish(casework.PrepareMaterials)
		require.Equal(t, []string{"sign_contracts/connection_contract", "sign_contracts/supply_contract"}, p.kinds())
		water.does(casework.HandOverPermit, demo.Choices{})
		water.does(casework.PrepareMaterials, demo.Choices{})
		require.False(t, water.k.TaskOrderAt.IsZero())
		require.True(t, p.snapshot.TaskOrderAt.IsZero(), "no construction before the contracts")
		water.k.End(casework.Closed, p.env.Now())
		water.exchange()
		require.True(t, p.snapshot.SiblingEnded())
		require.True(t, p.snapshot.Permits[0].Granted, "what was granted to water stays granted")
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// Gas is withdrawn with its contracts signed and the permit pending that both
// need: the contracts are void, the permit passes to water, and gas ends once
// water has it.
func TestGasLeavesThePermitToWater(t *testing.T) {
	t.Parallel()
	b := gasAndWater(t, func(p *people, water *half) {
		water.toSurvey()
		p.reach(casework.AgreeQuote, permitsOf(road))
		p.finish(casework.AgreeQuote)
		p.finish(casework.FilePermit)
		water.does(casework.ConductSurvey, permitsOf(road))
		water.does(casework.UploadSurvey, permitsOf(road))
		require.NotContains(t, water.open(), "file_permit")
		for range 2 {
			p.finish(casework.SignContracts)
		}
		p.refused("work_begun", casework.PassOn{By: byStaff, Service: casework.OrderCase, Reason: "投诉"})
		p.must(casework.Withdraw{By: byCustomer, Reason: "不用气了"})
		require.Equal(t, []string{"void_contract/connection_contract", "void_contract/supply_contract"}, p.kinds())
		for range 2 {
			p.finish(casework.VoidContract)
		}
		require.Equal(t, casework.Withdrawing, p.snapshot.Status, "water has not said that it has the permit")
		water.exchange()
		require.Equal(t, casework.Withdrawn, p.snapshot.Status)
		require.Contains(t, water.open(), "record_permit_result")
		require.Equal(t, p.snapshot.Permits[0].FilingNumber, water.k.Permits[0].FilingNumber)
	})
	require.Equal(t, casework.Withdrawn, b.snapshot.Status)
}

// Water is withdrawn while gas waits for the permit that water files: gas files
// it itself.
func TestGasFilesWhatWaterLeft(t *testing.T) {
	t.Parallel()
	b := gasAndWater(t, func(p *people, water *half) {
		water.toSurvey()
		water.does(casework.ConductSurvey, permitsOf(road))
		water.does(casework.UploadSurvey, permitsOf(road))
		p.reach(casework.AgreeQuote, permitsOf(road))
		water.exchange()
		require.Equal(t, []string{"agree_quote"}, p.kinds())
		water.withdraws()
		require.Equal(t, casework.Withdrawn, water.k.Status)
		require.Equal(t, []string{"agree_quote", "file_permit/road_occupation"}, p.kinds())
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// Gas that the customer never wanted goes on as what it was meant to be; water
// hears that nothing more comes of it, and is not passed on to where gas is.
func TestGasIsPassedOnBesideWater(t *testing.T) {
	t.Parallel()
	b := gasAndWater(t, func(p *people, water *half) {
		water.toSurvey()
		p.refused("sibling_exists", casework.PassOn{By: byStaff, Utility: casework.Water, Reason: "客户要的是用水"})
		p.must(casework.PassOn{By: byStaff, Service: casework.OrderCase, Reason: "客户是来投诉的"})
		water.exchange()
		require.True(t, water.k.SiblingEnded())
		water.does(casework.ConductSurvey, permitsOf(road))
		water.does(casework.UploadSurvey, permitsOf(road))
		require.Contains(t, water.open(), "file_permit", "water asks nobody any more")
	})
	require.Equal(t, casework.PassedOn, b.snapshot.Status)
}

// A lead is told of its sibling by the application. What that told before is not
// lost, and the lead tells all it knows at once. Where another case takes the
// sibling's place, it hears everything anew.
func TestALeadGetsASibling(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.input.Request = aLead(casework.Water)
	b.input.Request.Contact = request().Contact
	first, second := b.sibling(siblingNumber), b.sibling("G20261123-00009")
	b.play(func(p *people) {
		p.reach(casework.FollowUpLead)
		early := casework.Shared{Case: siblingNumber, N: 7, AgreedAt: p.env.Now(),
			Appointment: &casework.AppointmentInput{SurveyAt: p.env.Now().Add(20 * time.Hour), Attendees: []casework.Department{"taskforce"}}}
		p.tell(early)
		require.Equal(t, []string{"follow_up_lead"}, p.kinds())
		require.Empty(t, first.heard)
		r := request()
		r.Site.District, r.Project = b.input.Request.Site.District, b.input.Request.Project
		p.must(casework.Apply{By: byStaff, Request: r, Joint: &casework.Joint{
			Number: "J20261123-00001", Sibling: siblingNumber, Utility: casework.Gas, Since: p.env.Now().Add(-time.Second)}})
		p.wait(time.Second)
		require.Equal(t, []string{"conduct_survey"}, p.kinds(), "the date that the sibling told before")
		require.Equal(t, caseNumber, first.last().Case)
		require.Equal(t, p.snapshot.Appointment, first.last().Appointment)

		told := len(first.heard)
		p.tell(casework.Shared{Case: "G20261123-00009", N: 1, InsteadOf: siblingNumber})
		require.Equal(t, "G20261123-00009", p.snapshot.Joint.Sibling)
		require.NotEmpty(t, second.heard)
		p.tell(casework.Shared{Case: siblingNumber, N: 99, Gone: true, Ended: true})
		require.False(t, p.snapshot.SiblingEnded(), "who was replaced is not heard any more")
		require.Len(t, first.heard, told)
		p.tell(casework.Shared{Case: "G20261123-00009", N: 2, InsteadOf: siblingNumber, Gone: true, Ended: true})
		p.straight()
	})
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, casework.Closed, b.snapshot.Status)
	requireNothingLeft(t, b.ledger)
}

// A lead whose application was refused may be told by a case that took it for its
// sibling; that keeps it from nothing.
func TestALeadIsToldByAStranger(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.input.Request = aLead(casework.Water)
	b.play(func(p *people) {
		for n := range 3 {
			p.tell(casework.Shared{Case: siblingNumber, N: int64(n + 1)})
		}
		p.must(casework.Withdraw{By: byCustomer, Reason: "不办了"})
	})
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, casework.Withdrawn, b.snapshot.Status)
}
