package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
	"github.com/curbstop/curbstop/policy"
)

func as(role casework.Role) casework.By {
	return casework.By{Actor: casework.Actor{ID: string(role) + "-01", Name: role.Name(), Roles: []casework.Role{role}, Districts: []casework.District{casework.AllDistricts}}}
}

func clocks(times ...time.Time) []string {
	var out []string
	for _, t := range times {
		out = append(out, casework.Clock(t))
	}
	return out
}

// fate is what became of an escalation, as a test compares it.
type fate struct{ ID, To, Closing string }

func (l *ledger) fates() []fate {
	var out []fate
	for _, fired := range l.fired {
		e := l.escalations[fired.ID]
		out = append(out, fate{string(e.Rung), string(e.To), string(e.Closing)})
	}
	return out
}

// Nobody answers: the breach climbs to the lead after two working hours, the
// deadline's next rung takes over after four, and that one climbs to the
// management. The work then closes what is left.
func TestUnansweredEscalationClimbs(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		contact := p.task(casework.ContactCustomer)
		p.until("2026-11-25 10:29")
		breach := p.escalations[contact.ID+"/breach"]
		require.Equal(t, "2026-11-25 10:30", casework.Clock(breach.AnswerDueAt))
		require.Equal(t, 1, p.snapshot.Level)
		p.until("2026-11-25 10:31")
		breach = p.escalations[contact.ID+"/breach"]
		require.Equal(t, casework.TaskforceLead, breach.To)
		require.Equal(t, []string{"2026-11-25 10:30"}, clocks(breach.Climbs[0].At))
		require.Equal(t, 2, p.snapshot.Level)
		p.until("2026-11-26 10:00")
		require.Len(t, p.snapshot.Escalations, 1, "a deadline has one open at most")
		p.finish(casework.ContactCustomer)
		require.Zero(t, p.snapshot.Level)
		require.Equal(t, []fate{
			{"reminder", "", "superseded"}, {"breach", "taskforce_lead", "superseded"}, {"taskforce_lead", "management", "met"},
		}, p.fates())
		require.Equal(t, 2, p.count(casework.EscalationClimbed))
		var told []string
		for _, m := range p.messages {
			told = append(told, string(m.Kind)+" "+string(m.To)+" "+casework.Clock(m.At))
		}
		require.Equal(t, []string{
			"rung taskforce 2026-11-24 15:30", "rung taskforce_office 2026-11-24 17:30", "climb taskforce_lead 2026-11-25 10:30",
			"rung taskforce_lead 2026-11-25 14:30", "climb management 2026-11-26 09:30",
		}, told)
		p.leave()
	})
}

// Who owned an escalation lets go of it when it climbs: where it has climbed
// to, somebody owns it anew.
func TestClimbedEscalationIsOwnedAnew(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		id := p.task(casework.ContactCustomer).ID + "/breach"
		now := func() string { e := p.escalations[id]; return string(e.State()) + " " + e.AcknowledgedBy }
		p.until("2026-11-25 09:00")
		require.Equal(t, "waiting ", now())
		p.must(casework.AcknowledgeEscalation{By: as(casework.TaskforceOffice), Escalation: id})
		p.refused("already_acknowledged", casework.AcknowledgeEscalation{By: as(casework.TaskforceOffice), Escalation: id})
		require.Equal(t, "acknowledged taskforce_office-01", now())
		p.until("2026-11-25 10:31")
		require.Equal(t, "waiting taskforce_office-01", now())
		p.must(casework.AcknowledgeEscalation{By: as(casework.TaskforceLead), Escalation: id})
		require.Equal(t, "acknowledged taskforce_lead-01", now())
		p.must(casework.AnswerEscalation{By: as(casework.TaskforceLead), Escalation: id, Answer: casework.AnswerNote, Note: "已约定明日上门"})
		require.Equal(t, "answered taskforce_lead-01", now())
		p.must(casework.CloseEscalation{By: as(casework.TaskforceLead), Escalation: id})
		require.Equal(t, "closed taskforce_lead-01", now())
		p.leave()
	})
}

// What is answered climbs no further; the deadline's own ladder goes on.
func TestAnsweredEscalationStays(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		contact := p.task(casework.ContactCustomer)
		p.until("2026-11-25 09:00")
		id := contact.ID + "/breach"
		p.refused("wrong_role", casework.AnswerEscalation{By: as(casework.Engineering), Escalation: id, Answer: casework.AnswerNote, Note: "x"})
		p.refused("not_answered", casework.CloseEscalation{By: as(casework.TaskforceOffice), Escalation: id})
		f := p.refused("invalid_input", casework.AnswerEscalation{By: as(casework.TaskforceOffice), Escalation: id, Answer: "shrug"})
		require.Equal(t, []string{"answer", "note"}, fields(f))
		p.refused("extension_too_late", casework.AnswerEscalation{By: as(casework.TaskforceLead), Escalation: id, Answer: casework.AnswerExtend, Note: "x",
			Extra: calendar.Budget{Unit: calendar.WorkingDays, Days: 1}})
		p.must(casework.AnswerEscalation{By: as(casework.TaskforceOffice), Escalation: id, Answer: casework.AnswerReassign, Note: "改派二组", To: &staff})
		require.Equal(t, staff.ID, p.task(casework.ContactCustomer).Assignee)
		p.refused("already_answered", casework.AnswerEscalation{By: as(casework.TaskforceOffice), Escalation: id, Answer: casework.AnswerNote, Note: "x"})
		p.until("2026-11-25 14:00")
		require.Zero(t, p.count(casework.EscalationClimbed))
		require.Empty(t, p.escalations[id].Closing)
		p.until("2026-11-25 15:00")
		p.must(casework.AnswerEscalation{By: as(casework.TaskforceLead), Escalation: contact.ID + "/taskforce_lead", Answer: casework.AnswerDispatch, Note: "加派一组"})
		p.must(casework.CloseEscalation{By: as(casework.TaskforceLead), Escalation: contact.ID + "/taskforce_lead"})
		require.Empty(t, p.snapshot.Escalations)
		p.leave()
	})
}

// A deadline is extended once, before it has run out, by the lead; the rungs
// that did not fire yet move along.
func TestExtension(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		contact := p.task(casework.ContactCustomer)
		extend := casework.ExtendDeadline{By: as(casework.TaskforceLead), Deadline: contact.ID, Extra: calendar.Budget{Unit: calendar.WorkingDays, Days: 1}, Reason: "客户外出"}
		office := extend
		office.By = as(casework.TaskforceOffice)
		p.refused("wrong_role", office)
		bare := extend
		bare.Extra, bare.Reason = calendar.Budget{Unit: calendar.SameDay}, ""
		require.Equal(t, []string{"reason", "extra"}, fields(p.refused("invalid_input", bare)))
		p.until("2026-11-24 16:00")
		p.must(extend)
		require.Equal(t, "2026-11-25 17:30", p.due(contact))
		p.refused("already_extended", extend)
		require.Equal(t, 1, p.count(casework.DeadlinesMoved))
		p.until("2026-11-26 09:00")
		require.Equal(t, []rung{{contact.ID, "2026-11-24 15:30"}, {contact.ID, "2026-11-25 17:30"}}, p.rungs())
		next := p.finish(casework.ContactCustomer)
		require.NotEmpty(t, next)
		p.until("2026-11-27 18:00")
		late := extend
		late.Deadline = p.task(casework.AssessNetwork).ID
		f := p.refused("extension_too_late", late)
		require.Equal(t, "时限已于 2026-11-27 17:30 到期，不能再延期；可答复升级：改派、调度或说明", f.ZH)
		require.Contains(t, f.EN, "answer its escalation: reassign, dispatch or note")
		p.leave()
	})
}

// A pause that lasts beyond ten working days is reviewed; the review lets it go
// on, and it is reviewed again.
func TestLongPauseIsReviewed(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.must(pause(p, "2027-03-01 09:00"))
		p.must(casework.PauseCase{By: byStaff, Reason: casework.ForceMajeure, Evidence: "暴雪预警", PlannedEnd: at(t, "2026-11-26 09:00")})
		p.until("2026-11-27 09:00")
		require.Equal(t, 1, p.count(casework.PauseEndReached))
		p.must(casework.ResumeCase{By: byStaff, Reason: casework.ForceMajeure})
		require.Equal(t, casework.Paused, p.snapshot.Status)
		p.until("2026-12-07 17:29")
		require.NotContains(t, p.kinds(), "review_pause/customer_not_ready")
		p.until("2026-12-07 17:31")
		review := p.task(casework.ReviewPause)
		require.Equal(t, casework.TaskforceOffice, review.Role)
		require.Equal(t, "2026-12-08 17:30", p.due(review), "a review is not paused")
		p.finish(casework.ReviewPause, demo.Choices{PauseGoesOn: true})
		p.until("2026-12-21 17:31")
		require.Equal(t, 2, p.task(casework.ReviewPause).Round)
		p.finish(casework.ReviewPause)
		require.Equal(t, casework.Open, p.snapshot.Status)
		// Left were five and a half working hours of the day, and the next one's seven.
		require.Equal(t, "2026-12-23 15:59", p.due(p.task(casework.ContactCustomer)))
		p.leave()
	})
}

// A limit whose event is reported only after a pause stood in that pause too.
func TestPauseBeforeTheReportCounts(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		survey := p.reach(casework.ConductSurvey)
		conducted := p.env.Now()
		p.until("2026-11-23 11:00")
		p.must(pause(p, "2026-12-01 09:00"))
		p.until("2026-11-25 11:00") // two working days later
		p.must(casework.ResumeCase{By: byStaff})
		p.must(enter(survey, demo.AnswerTo(survey, demo.Choices{}, conducted).Input))
		require.Equal(t, "2026-11-26 17:30", p.due(p.task(casework.UploadSurvey)))
		lane, _ := p.snapshot.Deadline(casework.LaneDeadline)
		require.Equal(t, "2026-11-26 17:30", casework.Clock(lane.Due.At))
		p.leave()
	})
}

// A case moves to another policy and back, and is due as before; what fired
// stays fired.
func TestPolicyMoveIsReversible(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		contact := p.task(casework.ContactCustomer)
		p.until("2026-11-24 16:00")
		before, _ := p.snapshot.Deadline(contact.ID)
		old, other := p.snapshot.Terms, policy.Default().Terms()
		other.PolicyVersion = "wuhu-2027.1"
		other.Limits["contact_customer"] = calendar.Budget{Unit: calendar.WorkingDays, Days: 3}
		delete(other.Limits, "assess_network")
		p.refused("wrong_role", casework.MovePolicy{By: as(casework.Taskforce), Terms: other, Reason: "x"})
		p.refused("same_policy", casework.MovePolicy{By: as(casework.TaskforceOffice), Terms: old, Reason: "x"})
		p.must(casework.MovePolicy{By: as(casework.TaskforceOffice), Terms: other, Reason: "新办法施行"})
		require.Equal(t, "2026-11-26 17:30", p.due(contact))
		p.must(casework.MovePolicy{By: as(casework.TaskforceOffice), Terms: old, Reason: "退回"})
		after, _ := p.snapshot.Deadline(contact.ID)
		require.Equal(t, asJSON(t, before), asJSON(t, after))
		require.Equal(t, 2, p.count(casework.DeadlinesMoved))
		p.must(casework.MovePolicy{By: as(casework.TaskforceOffice), Terms: other, Reason: "新办法施行"})
		p.finish(casework.ContactCustomer)
		_, timed := p.snapshot.Deadline(p.task(casework.AssessNetwork).ID)
		require.False(t, timed)
		p.must(casework.MovePolicy{By: as(casework.TaskforceOffice), Terms: old, Reason: "退回"})
		require.Equal(t, "2026-11-25 17:30", p.due(p.task(casework.AssessNetwork)))
		require.Len(t, p.rungs(), 1)
		p.leave()
	})
}

// A person's open tasks go to the deputy where the deputy may do them, else
// back to the department.
func TestHandOver(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		contact := p.task(casework.ContactCustomer)
		leaving, deputy := as(casework.Taskforce), as(casework.Taskforce)
		deputy.Actor.ID = "taskforce-02"
		hand := casework.HandOver{By: casework.By{Actor: casework.System()}, Person: leaving.Actor.ID, To: &deputy.Actor, Reason: "请假"}
		p.refused("nothing_to_hand_over", hand)
		p.must(casework.ClaimTask{By: leaving, Task: contact.ID})
		other := hand
		other.By = deputy
		p.refused("not_holder", other)
		p.must(hand)
		require.Equal(t, "taskforce-02", p.task(casework.ContactCustomer).Assignee)
		back := casework.HandOver{By: as(casework.TaskforceOffice), Person: "taskforce-02", To: &casework.Actor{ID: "en-01", Roles: []casework.Role{casework.Engineering}}, Reason: "离职"}
		p.must(back)
		require.Empty(t, p.task(casework.ContactCustomer).Assignee)
		p.leave()
	})
}

// The stretches follow each other without a gap from the first contact to
// supply-on, and their working times add up to the whole; those of the
// departments since the application was accepted are what the lane's limit
// counts.
func TestWhoHeldTheClock(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.until("2026-11-24 09:00")
		p.finish(casework.ContactCustomer)
		p.until("2026-11-24 11:00")
		p.must(pause(p, "2026-12-01 09:00"))
		p.until("2026-11-26 11:00")
		p.must(casework.ResumeCase{By: byStaff})
		p.reach(casework.RecordPermitResult, demo.Choices{Permits: []casework.PermitNeed{{Kind: casework.RoadExcavation, AffectsTraffic: true}}})
		p.until("2026-11-30 10:00")
		p.straight()
	})
	h := b.holdings
	var got []string
	total := time.Duration(0)
	for n := 1; n <= len(h); n++ {
		if n > 1 {
			require.True(t, h[n].From.Equal(h[n-1].To), n)
		}
		total += h[n].Working
		if rounded := h[n].Working.Round(time.Minute); rounded > 0 { // people take a second for each act
			got = append(got, string(h[n].Party)+" "+rounded.String())
		}
	}
	require.Equal(t, []string{"taskforce 6h0m0s", "network 2h0m0s", "customer 14h0m0s", "permit_authority 13h0m0s"}, got)
	cal, err := calendar.New(calendar.Seed(), b.input.Terms.Hours)
	require.NoError(t, err)
	require.Equal(t, cal.Between(monday, b.snapshot.Supply.SuppliedAt), total)
	spent := time.Duration(0)
	for _, party := range b.snapshot.Clock.Spent {
		spent += party.Working
	}
	require.Equal(t, total, spent)
	require.Empty(t, b.snapshot.Clock.Ended)
}

// Who conducted the survey accepts the finished work only with a witness.
func TestSurveyorDoesNotAcceptAlone(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		accept := p.reach(casework.AcceptMeter)
		p.refused("surveyor_accepts", enter(accept, casework.MeterAcceptanceInput{Passed: true}))
		p.refused("surveyor_accepts", enter(accept, casework.MeterAcceptanceInput{Passed: true, Witness: staff.ID}))
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// All processes down for a week: here the database, so that nothing can be
// recorded. On its return what was missed fires once each, in order; what was
// met before fires nothing.
func TestWeekOfOutage(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		contact := p.task(casework.ContactCustomer)
		p.until("2026-11-24 15:00")
		p.finish(casework.ContactCustomer)
		assess := p.task(casework.AssessNetwork)
		p.records.breakDown(true)
		p.until("2026-12-02 09:00")
		p.records.breakDown(false)
		p.until("2026-12-02 10:00")
		require.Empty(t, slices.DeleteFunc(p.rungs(), func(r rung) bool { return r.Of != contact.ID }))
		var fired []string
		for _, e := range p.fired {
			fired = append(fired, string(e.Rung)+" "+casework.Clock(e.RungAt))
			require.Equal(t, assess.ID, e.Deadline)
		}
		require.Equal(t, []string{
			"reminder 2026-11-25 15:30", "breach 2026-11-25 17:30", "taskforce_lead 2026-11-26 14:30", "management 2026-11-27 17:30",
		}, fired)
		p.leave()
	})
}

// A pause without a reason is refused, and the refusal says which are allowed.
func TestPauseWithoutAReason(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		f := p.refused("invalid_input", casework.PauseCase{By: byStaff, PlannedEnd: at(t, "2026-11-25 09:00")})
		require.Equal(t, []string{"reason", "evidence"}, fields(f))
		require.Equal(t, "暂停原因应为：customer_not_ready, external_approval, force_majeure", f.Fields[0].ZH)
		require.Equal(t, "reason must be one of: customer_not_ready, external_approval, force_majeure", f.Fields[0].EN)
		require.Equal(t, casework.Open, p.snapshot.Status)
		p.leave()
	})
}
