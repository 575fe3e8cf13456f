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
	"github.com/curbstop/curbstop/policy"
)

// What TestModel plays against the rules alone is played here through the
// workflow itself, in fewer histories: the same answer to every action, no gap
// in the records, and an end once people act straight.
func TestRandomPeople(t *testing.T) {
	t.Parallel()
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			b := newBook(t)
			b.play(func(p *people) {
				random := rand.New(rand.NewPCG(seed, 1))
				for range 40 {
					if p.ledger.ended() {
						return
					}
					p.stumble(random)
				}
				p.recover()
			})
			require.NoError(t, b.env.GetWorkflowError())
			require.True(t, b.snapshot.Status.Ended())
			requireNothingLeft(t, b.ledger)
		})
	}
}

// stumble does one random thing; the workflow must answer as the rules do.
func (p *people) stumble(random *rand.Rand) {
	p.t.Helper()
	who := p
	if u := p.snapshot.Upgrade; u.Pending() && random.IntN(3) == 0 {
		who = p.on(u.Case)
	}
	if random.IntN(4) == 0 || who.snapshot == nil || who.ledger.ended() {
		p.wait(time.Duration(random.IntN(4*24*60)+1) * time.Minute)
		return
	}
	switch random.IntN(20) {
	case 0:
		p.otherNotices(random)
		return
	case 1: // the records are down for hours
		p.records.breakDown(true)
		p.wait(time.Duration(random.IntN(8*60)+1) * time.Minute)
		p.records.breakDown(false)
		p.wait(time.Minute)
		return
	}
	a := who.anything(random)
	_, want := who.snapshot.Try(a, p.env.Now())
	before := who.snapshot.Version
	_, err := who.try(a)
	require.Equal(p.t, want == nil, err == nil, "%T: %v, %v", a, want, err)
	if err != nil {
		require.Equal(p.t, before, who.snapshot.Version)
	}
	p.wait(time.Second) // in which drafts are written
}

// otherNotices puts another table in force, of which both cases are told.
func (p *people) otherNotices(random *rand.Rand) {
	p.t.Helper()
	date := calendar.DateOf(p.env.Now()).AddDays(random.IntN(5))
	kind := calendar.Holiday
	if weekday := date.Weekday(); (weekday == time.Saturday || weekday == time.Sunday) && random.IntN(2) == 0 {
		kind = calendar.Workday
	}
	other, err := calendar.Seed().Amend(fmt.Sprintf("other-%d", p.snapshot.Version), []calendar.Day{{Date: date, Kind: kind, Name: "调整"}})
	require.NoError(p.t, err)
	p.records.announce(other)
	p.env.SignalWorkflow(contract.CalendarChanged, nil)
	if u := p.snapshot.Upgrade; u.Pending() && p.records.of(u.Case).snapshot != nil {
		require.NoError(p.t, p.env.SignalWorkflowByID(contract.WorkflowID(u.Case), contract.CalendarChanged, nil))
	}
	p.wait(time.Second)
}

// otherTerms are policies to which a case is moved, and back.
func otherTerms() []casework.Terms {
	wuhu, slow, bare := policy.Default().Terms(), policy.Default().Terms(), policy.Default().Terms()
	slow.PolicyVersion, slow.PauseBound = "slow", calendar.Budget{Unit: calendar.WorkingDays, Days: 2}
	for name := range slow.Limits {
		slow.Limits[name] = calendar.Budget{Unit: calendar.WorkingDays, Days: 3}
	}
	bare.PolicyVersion, bare.PauseBound = "bare", calendar.Budget{}
	bare.Ladder = []casework.Rung{{Name: casework.RungBreach, To: casework.TaskforceOffice, Level: 1}}
	for _, name := range []casework.LimitName{"lane_101", "assess_network", "upload_survey", "enter_site"} {
		delete(bare.Limits, name)
	}
	return []casework.Terms{wuhu, slow, bare}
}

// supervise draws something that moves clocks.
func (p *people) supervise(random *rand.Rand, by casework.By) casework.Action {
	k := p.snapshot
	escalation, limit := p.number+"-T1/breach", casework.LaneDeadline
	if n := len(k.Escalations); n > 0 {
		escalation = k.Escalations[random.IntN(n)].ID
	}
	if n := len(k.Deadlines); n > 0 {
		limit = k.Deadlines[random.IntN(n)].ID
	}
	extra := calendar.Budget{Unit: calendar.WorkingDays, Days: 1 + random.IntN(2)}
	reasons := []casework.PauseReason{casework.CustomerNotReady, casework.ExternalApproval, casework.ForceMajeure}
	switch random.IntN(9) {
	case 0, 1:
		return casework.PauseCase{By: by, Reason: reasons[random.IntN(3)], Evidence: "客户来函", PlannedEnd: p.env.Now().Add(time.Duration(1+random.IntN(9*24)) * time.Hour)}
	case 2:
		return casework.ResumeCase{By: by, Reason: reasons[random.IntN(3)]}
	case 3:
		return casework.ExtendDeadline{By: by, Deadline: limit, Extra: extra, Reason: "客户外出"}
	case 4:
		others := otherTerms()
		return casework.MovePolicy{By: by, Terms: others[random.IntN(len(others))], Reason: "新办法施行"}
	case 5:
		to := as(casework.Taskforce).Actor
		return casework.HandOver{By: by, Person: staff.ID, To: &to, Reason: "请假"}
	case 6:
		return casework.CloseEscalation{By: by, Escalation: escalation}
	}
	kinds := casework.AnswerKinds()
	a := casework.AnswerEscalation{By: by, Escalation: escalation, Answer: kinds[random.IntN(len(kinds))], Note: "已安排"}
	if a.Answer == casework.AnswerReassign {
		a.To = &staff
	}
	if a.Answer == casework.AnswerExtend {
		a.Extra = extra
	}
	return a
}

func (p *people) anything(random *rand.Rand) casework.Action {
	flag := func() bool { return random.IntN(3) == 0 }
	by := byStaff
	if random.IntN(8) == 0 {
		by = byCustomer
	}
	task := casework.Task{ID: p.number + "-T1", Kind: casework.ContactCustomer}
	if n := len(p.snapshot.Tasks); n > 0 {
		task = p.snapshot.Tasks[random.IntN(n)]
	}
	switch random.IntN(24) {
	case 16, 17, 18, 19, 20, 21, 22, 23:
		return p.supervise(random, by)
	case 0:
		return casework.ClaimTask{By: by, Task: task.ID}
	case 1:
		return casework.ReleaseTask{By: by, Task: task.ID}
	case 2:
		return casework.PauseCase{By: by, Reason: casework.ForceMajeure, Evidence: "暴雨", PlannedEnd: p.env.Now().Add(48 * time.Hour)}
	case 3, 4:
		return casework.ResumeCase{By: by}
	case 5:
		return casework.Rate{By: byCustomer, Level: random.IntN(5) + 1, Comment: "评价"}
	case 6:
		return casework.ConfirmDesign{By: byCustomer}
	case 7:
		kinds := casework.DocumentKinds()
		return paper(fmt.Sprintf("p-%d", p.snapshot.Version), kinds[random.IntN(len(kinds))])
	}
	c := demo.Choices{
		PauseGoesOn: flag(), Upgrade: flag(), NotYet: flag(), RefusePermit: flag(), DesignLater: flag(), MeterFails: flag(), Unreached: flag(), Dissatisfied: flag(),
	}
	if flag() {
		c.Permits = []casework.PermitNeed{road, green}
	}
	actions := complete(p.snapshot, task, c, p.env.Now())
	return actions[random.IntN(len(actions))]
}

// recover brings a case in any state to its end.
func (p *people) recover() {
	p.t.Helper()
	for range 80 {
		switch k := p.snapshot; {
		case p.ledger.ended():
			return
		case k.Status == casework.Paused:
			p.must(casework.ResumeCase{By: byStaff})
		case len(k.Tasks) == 0:
			require.True(p.t, k.Upgrade.Pending(), "a dead end in %s", k.Stage)
			built := p.on(k.Upgrade.Case)
			if built.snapshot.Status == casework.Paused {
				built.must(casework.ResumeCase{By: byStaff})
			}
			built.straight()
		default:
			t := k.Tasks[0]
			if t.Kind == casework.UploadSurvey && k.DesignConfirmedAt.IsZero() {
				p.must(casework.ConfirmDesign{By: byCustomer})
			}
			if t.Kind == casework.CompleteEntry {
				for i := range k.Permits {
					p.must(paper(fmt.Sprintf("receipt-%d-%d", i, k.Version), casework.PermitReceipt))
				}
			}
			var actions []casework.Action
			for _, a := range complete(p.snapshot, t, demo.Choices{}, p.env.Now()) {
				if d, ok := a.(casework.AttachDocument); !ok || !has(p.snapshot, d.Document.ID) {
					actions = append(actions, a)
				}
			}
			p.must(actions...)
		}
	}
	require.FailNow(p.t, "eighty steps did not end the case", "%s", p.kinds())
}

func has(k *casework.Case, document string) bool {
	for i := range k.Documents {
		if k.Documents[i].ID == document {
			return true
		}
	}
	return false
}
