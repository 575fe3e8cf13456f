package workflows_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
	"github.com/curbstop/curbstop/policy"
	"github.com/curbstop/curbstop/workflows"
)

// pair are the two cases of a joint request, played by the rules and stages
// alone, with what they tell each other under way for as long as a test likes.
type pair struct {
	t     require.TestingT
	now   time.Time
	cases [2]*casework.Case
	told  [2]string  // what each has told
	under [2][]under // what is under way to each
}

var jointNumbers = [2]string{"W20261123-00001", "G20261123-00002"}

// newPair gives two cases that have been surveyed and found to need permits.
func newPair(t require.TestingT, needs [2][]casework.PermitNeed) *pair {
	p := &pair{t: t, now: monday}
	for i, number := range jointNumbers {
		r := request()
		k := casework.NewCase(number, r, policy.Default().Terms(), staff, p.now)
		k.Joint = &casework.Joint{Number: "J20261123-00001", Sibling: jointNumbers[1-i]}
		k.Contacted, k.Briefed = &casework.ContactInput{By: "phone"}, &casework.BriefingInput{Delivered: "online"}
		k.Assessment = &casework.AssessmentInput{Result: casework.Adequate}
		k.Appointment = &casework.AppointmentInput{SurveyAt: p.now}
		k.Documents = []casework.Document{{ID: "1", Kind: casework.SurveyRecord}, {ID: "2", Kind: casework.ConstructionDrawing}}
		p.cases[i] = k
		p.settle(i)
		p.complete(i, casework.ConductSurvey, demo.Choices{Permits: needs[i]})
	}
	return p
}

// settle does what the workflow does after each decision.
func (p *pair) settle(i int) {
	k := p.cases[i]
	workflows.Advance(k, p.now)
	k.TakeChanges()
	if k.Joint == nil || k.SiblingEnded() {
		return
	}
	if news := k.Joint.Sibling + k.News(); news != p.told[i] {
		p.told[i] = news
		p.under[1-i] = append(p.under[1-i], under{k.Joint.Sibling, k.Clone().Share()})
	}
}

func (p *pair) act(i int, a casework.Action) {
	next, err := p.cases[i].Try(a, p.now)
	require.NoError(p.t, err, "%T %+v", a, a)
	p.cases[i] = next
	p.settle(i)
}

// complete does the first open task of a kind and tells whether there is one.
func (p *pair) complete(i int, kind casework.TaskKind, c demo.Choices) bool {
	k := p.cases[i]
	at := slices.IndexFunc(k.Tasks, func(t casework.Task) bool { return t.Kind == kind })
	if at < 0 {
		return false
	}
	for _, a := range complete(k, k.Tasks[at], c, p.now) {
		p.act(i, a)
	}
	return true
}

// deliver brings the next thing that is under way to a case. One that has
// ended hears it no more.
func (p *pair) deliver(i int) bool {
	if len(p.under[i]) == 0 || p.cases[i] == nil {
		return false // who can't be told yet is told later
	}
	s := p.under[i][0]
	p.under[i] = p.under[i][1:]
	if k := p.cases[i]; !k.Status.Ended() && k.Number == s.to {
		next := k.Clone()
		next.Learn(s.told, p.now)
		p.cases[i] = next
		p.settle(i)
	}
	return true
}

// under is what is under way to a case, by its number: a case whose place another
// one took hears it no more, nor does that one.
type under struct {
	to   string
	told casework.Shared
}

// requireOneFiling says that no two cases that go on have filed the same permit.
func (p *pair) requireOneFiling() {
	filed := map[casework.PermitKind]string{}
	for _, k := range p.cases {
		if k.Status != casework.Open {
			continue
		}
		for _, permit := range k.Permits {
			own := permit.SharedWith == "" && !permit.FiledAt.IsZero()
			if refused := !permit.DecidedAt.IsZero() && !permit.Granted; !own || refused {
				continue
			}
			require.Empty(p.t, filed[permit.Kind], "%s filed by %s too", permit.Kind, k.Number)
			filed[permit.Kind] = k.Number
		}
	}
}

var (
	permitWork = []casework.TaskKind{casework.UploadSurvey, casework.FilePermit, casework.RecordPermitResult, casework.HandOverPermit, casework.PrepareMaterials,
		casework.WithdrawPermit, casework.ReleaseMaterials}
	everyNeed = []casework.PermitNeed{road, green, trees}
)

// Whatever the order in which the two upload, file, are refused, withdraw and
// hear of each other: no permit is filed by both, and once everything under way
// has arrived and everybody has done what is open, no case waits for anything.
func TestPermitForOneTrenchIsFiledOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var needs [2][]casework.PermitNeed
		for i := range needs {
			for _, n := range everyNeed {
				if rapid.IntRange(0, 3).Draw(t, "needs") > 0 {
					needs[i] = append(needs[i], n)
				}
			}
		}
		p := newPair(t, needs)
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			p.now = p.now.Add(time.Minute)
			i := rapid.IntRange(0, 1).Draw(t, "case")
			switch step := rapid.IntRange(0, 20).Draw(t, "step"); {
			case step < 7:
				p.deliver(i)
			case step < 20:
				p.complete(i, rapid.SampledFrom(permitWork).Draw(t, "task"), demo.Choices{RefusePermit: rapid.Bool().Draw(t, "refused")})
			case p.cases[i].Status == casework.Open:
				p.act(i, casework.Withdraw{By: byCustomer, Reason: "不办了"})
			}
			p.requireOneFiling()
		}
		for progress := true; progress; {
			progress = false
			for i := range p.cases {
				p.now = p.now.Add(time.Minute)
				for _, kind := range permitWork {
					progress = p.complete(i, kind, demo.Choices{}) || progress
				}
				progress = p.deliver(i) || progress
				p.requireOneFiling()
			}
		}
		for _, k := range p.cases {
			switch k.Status {
			case casework.Open:
				require.False(t, k.TaskOrderAt.IsZero(), "%s waits forever: %+v", k.Number, k.Permits)
				d, ok := k.Deadline(casework.LaneDeadline)
				require.True(t, ok)
				for _, h := range d.Holds {
					require.False(t, h.To.IsZero(), "%s: the clock stands for nothing: %+v", k.Number, d.Holds)
				}
			default:
				require.Equal(t, casework.Withdrawn, k.Status, "%s can't end: %+v", k.Number, k.Permits)
			}
		}
	})
}

// The case that uploads first files; the other's clock stands as for a permit
// of its own; a refusal and the second attempt are known to both.
func TestTheOtherCaseWaitsForThePermit(t *testing.T) {
	t.Parallel()
	p := newPair(t, [2][]casework.PermitNeed{{road}, {road}})
	water, gas := 0, 1
	hear := func() {
		for p.deliver(water) || p.deliver(gas) {
			p.now = p.now.Add(time.Minute)
		}
	}
	require.True(t, p.complete(water, casework.UploadSurvey, demo.Choices{}))
	hear()
	require.True(t, p.complete(gas, casework.UploadSurvey, demo.Choices{}))
	hear()
	open := func(i int) []string {
		kinds := []string{}
		for _, t := range p.cases[i].Tasks {
			kinds = append(kinds, string(t.Kind))
		}
		return kinds
	}
	holds := func() string {
		d, _ := p.cases[gas].Deadline(casework.LaneDeadline)
		text := ""
		for _, h := range d.Holds {
			text += fmt.Sprintf("%s standing=%t ", h.Reason, h.To.IsZero())
		}
		return text
	}
	require.Equal(t, []string{"file_permit", "prepare_materials"}, sorted(open(water)))
	require.Equal(t, []string{"prepare_materials"}, open(gas))
	require.Equal(t, jointNumbers[0], p.cases[gas].Permits[0].SharedWith)
	require.Empty(t, holds())

	p.complete(water, casework.FilePermit, demo.Choices{})
	hear()
	require.Equal(t, "permit:road_occupation standing=true ", holds())
	p.complete(water, casework.RecordPermitResult, demo.Choices{RefusePermit: true})
	hear()
	require.Equal(t, "permit:road_occupation standing=false ", holds())
	require.False(t, p.cases[gas].Permits[0].DecidedAt.IsZero())
	p.complete(water, casework.HandOverPermit, demo.Choices{})
	p.complete(water, casework.FilePermit, demo.Choices{})
	hear()
	require.Equal(t, 2, p.cases[gas].Permits[0].Attempt)

	// Water withdraws while the permit is pending: it passes to gas, which
	// records the result itself.
	p.act(water, casework.Withdraw{By: byCustomer, Reason: "不用水了"})
	require.Equal(t, casework.Withdrawing, p.cases[water].Status)
	require.Empty(t, open(water), "the permit is not withdrawn: gas needs it")
	hear()
	require.Equal(t, casework.Withdrawn, p.cases[water].Status)
	require.Equal(t, []string{"prepare_materials", "record_permit_result"}, sorted(open(gas)))
	p.complete(gas, casework.RecordPermitResult, demo.Choices{})
	p.complete(gas, casework.HandOverPermit, demo.Choices{})
	p.complete(gas, casework.PrepareMaterials, demo.Choices{})
	require.False(t, p.cases[gas].TaskOrderAt.IsZero())
	require.Equal(t, "permit:road_occupation standing=false permit:road_occupation standing=false ", holds())
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

// What is asked of the customer once is known to both: the survey's date, the
// building schedule, and an amended contact.
func TestTheCustomerIsAskedOnce(t *testing.T) {
	t.Parallel()
	p := &pair{t: t, now: monday}
	for i, number := range jointNumbers {
		r := request()
		p.cases[i] = casework.NewCase(number, r, policy.Default().Terms(), staff, p.now)
		p.cases[i].Joint = &casework.Joint{Number: "J20261123-00001", Sibling: jointNumbers[1-i]}
		p.settle(i)
	}
	hear := func() {
		for p.deliver(0) || p.deliver(1) {
			p.now = p.now.Add(time.Minute)
		}
	}
	hear()
	k := p.cases[0]
	p.act(0, enter(k.Tasks[0], map[string]any{"by": "phone", "build_from": "2027-01-04", "build_to": "2027-06-30"}))
	p.act(1, casework.AmendRequest{By: byStaff, Contact: &casework.Contact{Name: "王五", Phone: "13800138000"}, Reason: "换人"})
	hear()
	require.Equal(t, "2027-01-04", p.cases[1].Request.Demand.BuildFrom.String())
	require.Equal(t, "2027-06-30", p.cases[1].Request.Demand.BuildTo.String())
	require.Equal(t, "王五", p.cases[0].Request.Contact.Name)

	// Water agrees the date while gas is one step behind: gas takes it over when
	// it gets there, and its task is never open.
	for _, kind := range []casework.TaskKind{casework.AssessNetwork, casework.BriefCustomer, casework.ScheduleSurvey} {
		require.True(t, p.complete(0, kind, demo.Choices{}))
	}
	hear()
	require.Nil(t, p.cases[1].Appointment)
	for _, kind := range []casework.TaskKind{casework.ContactCustomer, casework.AssessNetwork, casework.BriefCustomer} {
		require.True(t, p.complete(1, kind, demo.Choices{}))
	}
	require.Equal(t, p.cases[0].Appointment, p.cases[1].Appointment)
	require.Equal(t, casework.ConductSurvey, p.cases[1].Tasks[0].Kind)

	// Both are found not ready and followed up: the next date is one again, and
	// the open task of the other is done by itself.
	for i := range p.cases {
		p.now = p.now.Add(time.Hour)
		require.True(t, p.complete(i, casework.ConductSurvey, demo.Choices{NotYet: true}))
		p.now = p.now.Add(time.Hour)
		require.True(t, p.complete(i, casework.FollowUp, demo.Choices{}))
		hear()
		require.Equal(t, casework.ScheduleSurvey, p.cases[i].Tasks[0].Kind, "an old date is not taken over again")
	}
	require.True(t, p.complete(1, casework.ScheduleSurvey, demo.Choices{}))
	hear()
	require.Equal(t, p.cases[1].Appointment, p.cases[0].Appointment)
	require.Equal(t, casework.ConductSurvey, p.cases[0].Tasks[0].Kind)

	// What an ended sibling told holds nobody up.
	p.act(1, casework.Withdraw{By: byCustomer, Reason: "不用气了"})
	hear()
	require.Equal(t, casework.Withdrawn, p.cases[1].Status)
	require.True(t, p.cases[0].SiblingEnded())
	require.Equal(t, casework.ConductSurvey, p.cases[0].Tasks[0].Kind)
}

// Two dates that were agreed before either heard of the other: the first holds.
func TestOfTwoDatesTheFirstHolds(t *testing.T) {
	t.Parallel()
	p := &pair{t: t, now: monday}
	for i, number := range jointNumbers {
		k := casework.NewCase(number, request(), policy.Default().Terms(), staff, p.now)
		k.Joint = &casework.Joint{Number: "J20261123-00001", Sibling: jointNumbers[1-i]}
		k.Contacted, k.Briefed = &casework.ContactInput{By: "phone"}, &casework.BriefingInput{Delivered: "online"}
		k.Assessment = &casework.AssessmentInput{Result: casework.Adequate}
		p.cases[i] = k
		p.settle(i)
	}
	for i := range p.cases {
		p.now = p.now.Add(time.Minute)
		require.True(t, p.complete(i, casework.ScheduleSurvey, demo.Choices{}))
	}
	first := *p.cases[0].Appointment
	for p.deliver(1) || p.deliver(0) {
		p.now = p.now.Add(time.Second)
	}
	for i := range p.cases {
		require.Equal(t, first, *p.cases[i].Appointment)
		require.Equal(t, first.SurveyAt, p.cases[i].Tasks[0].Anchor)
		d, ok := p.cases[i].Deadline(p.cases[i].Tasks[0].ID)
		require.True(t, ok)
		require.Equal(t, first.SurveyAt, d.Anchor)
	}
}
