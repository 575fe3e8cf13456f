package casework

import (
	"slices"
	"strings"
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// MovePolicy moves a running case to another version of the policy. What fired
// stays fired; every deadline is worked out anew by the new limits, ladders and
// business hours. Moving back gives the deadlines as they were.
type MovePolicy struct {
	By
	Terms  Terms  `json:"terms"`
	Reason string `json:"reason"`
}

// Apply implements [Action].
func (a MovePolicy) Apply(k *Case, now time.Time) error {
	if err := a.check(k); err != nil {
		return err
	}
	if err := a.need(TaskforceOffice, TaskforceLead, Management); err != nil {
		return err
	}
	var c Check
	text(&c, "reason", a.Reason, true)
	c.Require(a.Terms.PolicyVersion != "", "terms", Say("请指明政策版本", "name the version of the policy"))
	if err := c.Err(); err != nil {
		return err
	}
	from := k.Terms.PolicyVersion
	if from == a.Terms.PolicyVersion {
		return Refuse(Conflict, "same_policy", Sayf("案件已适用政策 %s", "the case has policy %s already", from))
	}
	k.Terms = a.Terms
	k.record(now, a.Actor, PolicyMoved, "", Sayf("适用政策由 %[1]s 改为 %[2]s", "policy moved from %[1]s to %[2]s", from, a.Terms.PolicyVersion),
		map[string]string{"reason": a.Reason, "from": from, "to": a.Terms.PolicyVersion})
	k.applyTerms()
	return nil
}

// applyTerms brings the live deadlines to the case's terms. A limit that the
// terms don't have leaves its deadline without a due moment, with what fired.
func (k *Case) applyTerms() {
	for i := range k.Deadlines {
		d := &k.Deadlines[i]
		if !d.Live() {
			continue
		}
		d.recount()
		switch {
		case d.OnWork():
			d.Budget = k.Terms.Limits[d.Limit]
			d.climbs(k.Terms.LadderOf(d.Limit))
		case strings.HasPrefix(d.ID, pauseClock):
			d.Budget = k.Terms.PauseBound
		default:
			k.applyAnswer(d)
		}
	}
	for i := range k.Tasks {
		t := &k.Tasks[i]
		spec, _ := SpecOf(t.Kind)
		anchor := t.Anchor
		if anchor.IsZero() {
			anchor = t.OpenedAt
		}
		if _, timed := k.Deadline(t.ID); !timed {
			k.startDeadline(t.ID, spec.Limit, anchor)
		}
	}
	for n := range k.Pauses {
		p := &k.Pauses[n]
		if _, bound := k.Deadline(pauseClockID(n, p.Reviews)); p.To.IsZero() && !bound {
			if _, reviewed := k.Live(ReviewPause, string(p.Reason)); !reviewed {
				k.boundPause(n)
			}
		}
	}
}

// applyAnswer gives the clock of an answer the time and the steps of the terms.
func (k *Case) applyAnswer(d *Deadline) {
	e := k.escalation(strings.TrimPrefix(d.ID, answerClock))
	if e == nil {
		return
	}
	ladder := k.Terms.LadderOf(e.Limit)
	i := slices.IndexFunc(ladder, func(r Rung) bool { return r.Name == e.Rung })
	if i < 0 {
		d.Budget = calendar.Budget{}
		return
	}
	d.Budget = ladder[i].Answer
	d.climbs(answerLadder(ladder, ladder[i]))
}

// HandOver passes on all open tasks that a person holds in a case, because they
// are absent or have left: to a deputy where that is possible, else back to
// the department.
type HandOver struct {
	By
	Person string `json:"person"`       // the staff number
	To     *Actor `json:"to,omitempty"` // the deputy; nil: the department
	Reason string `json:"reason"`
}

// Apply implements [Action].
func (a HandOver) Apply(k *Case, now time.Time) error {
	if k.Status.Ended() {
		return a.check(k)
	}
	// The system does this at the moment an absence begins; a person may pass on
	// their own work, or that of others where they dispatch.
	if a.Actor.ID != System().ID {
		if err := a.check(k); err != nil {
			return err
		}
		if !a.Actor.Dispatches() && a.Actor.ID != a.Person {
			return Refuse(Forbidden, "not_holder", Say("限本人或调度人员操作", "only the person or a dispatcher may do this"))
		}
	}
	var c Check
	text(&c, "reason", a.Reason, true)
	c.Require(a.To == nil || a.To.ID != a.Person, "to", Say("不能交给本人", "must be somebody else"))
	if err := c.Err(); err != nil {
		return err
	}
	moved := false
	for i := range k.Tasks {
		t := &k.Tasks[i]
		if t.Assignee != a.Person {
			continue
		}
		moved = true
		var fits Check
		if a.To != nil {
			suits(&fits, k, t, *a.To)
		}
		if a.To != nil && fits.Err() == nil {
			k.give(t, a.Actor, *a.To, TaskDelegated, a.Reason, now)
		} else {
			k.giveBack(t, a.Actor, a.Reason, now)
		}
	}
	if !moved {
		return Refuse(Conflict, "nothing_to_hand_over", Sayf("%s 在本案没有在办任务", "%s holds no open task in this case", a.Person))
	}
	return nil
}
