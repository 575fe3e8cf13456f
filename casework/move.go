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
	if err := a.may(k, TaskforceOffice, TaskforceLead, Management); err != nil {
		return err
	}
	if err := a.Reasoned(); err != nil {
		return err
	}
	from := k.Terms.PolicyVersion
	if from == a.Terms.PolicyVersion {
		return Refuse(Conflict, "same_policy", Sayf("案件已适用政策 %s", "the case has policy %s already", from))
	}
	if k.gas() && a.Terms.Gas == nil {
		return Refuse(Conflict, "policy_without_gas", Sayf("政策 %s 不含用气规定，用气案件不能改用", "policy %s does not serve gas; a gas case can't be moved to it", a.Terms.PolicyVersion))
	}
	k.Terms = a.Terms
	k.record(now, a.Actor, PolicyMoved, "", Sayf("适用政策由 %[1]s 改为 %[2]s", "policy moved from %[1]s to %[2]s", from, a.Terms.PolicyVersion),
		map[string]string{"reason": a.Reason, "from": from, "to": a.Terms.PolicyVersion})
	k.applyTerms()
	if k.Upgrade.Pending() {
		k.Upgrade.Move = &UpgradeMove{By: a.Actor, Reason: a.Reason, At: now}
	}
	return nil
}

// UpgradeFollows gives the move that the open upgrade of the case is to follow,
// and when it was decided: an upgrade belongs to its connection and has its
// policy, there and back. False: there is none.
func (k *Case) UpgradeFollows() (MovePolicy, time.Time, bool) {
	if !k.Upgrade.Pending() || k.Upgrade.Move == nil {
		return MovePolicy{}, time.Time{}, false
	}
	m := k.Upgrade.Move
	return MovePolicy{By: By{Actor: m.By}, Terms: k.Terms, Reason: m.Reason}, m.At, true
}

// UpgradeTold notes that the upgrade was told of a move, unless there has been
// another one since.
func (k *Case) UpgradeTold(at time.Time) {
	if u := k.Upgrade; u != nil && u.Move != nil && u.Move.At.Equal(at) {
		u.Move = nil
	}
}

// Reasoned refuses a move that names no reason or no version.
func (a MovePolicy) Reasoned() error {
	var c Check
	text(&c, "reason", a.Reason, true)
	c.Require(a.Terms.PolicyVersion != "", "terms", Say("请指明政策版本", "name the version of the policy"))
	return c.Err()
}

// Preview is what a move to another policy would do to a case.
type Preview struct {
	Case  string   `json:"case"`
	From  string   `json:"from"` // the versions of the policy
	To    string   `json:"to"`
	Moves []Move   `json:"moves"` // deadlines that would be due at another moment; a due without a moment is no limit
	Fires []Firing `json:"fires"` // rungs that would fire at once
}

// Firing is a rung that a move would make fire at once.
type Firing struct {
	Deadline string    `json:"deadline"`
	Limit    LimitName `json:"limit"`
	Rung     RungName  `json:"rung"`
	At       time.Time `json:"at"` // when it would have fallen due
}

// Preview works out by the notices in force what the move would do, and changes
// nothing. What the move would be refused for is its error.
func (a MovePolicy) Preview(k *Case, notices calendar.Notices, now time.Time) (Preview, error) {
	next, err := k.Try(a, now)
	if err != nil {
		return Preview{}, err
	}
	cal, err := calendar.New(notices, a.Terms.Hours)
	if err != nil {
		return Preview{}, err
	}
	p := Preview{Case: k.Number, From: k.Terms.PolicyVersion, To: a.Terms.PolicyVersion}
	for _, d := range next.Unworked() {
		d = d.WorkOut(cal, notices.Version())
		var before calendar.Due
		if old, ok := k.Deadline(d.ID); ok {
			before = old.Due
		}
		if !before.Same(d.Due) {
			p.Moves = append(p.Moves, Move{Deadline: d.ID, Limit: d.Limit, From: before, To: d.Due})
		}
		for _, r := range d.Rungs {
			if r.FiredAt.IsZero() && !r.At.IsZero() && !r.At.After(now) {
				p.Fires = append(p.Fires, Firing{Deadline: d.ID, Limit: d.Limit, Rung: r.Name, At: r.At})
			}
		}
	}
	return p, nil
}

// applyTerms brings the live deadlines to the case's terms. A limit that the
// terms don't have leaves its deadline without a due moment, with what fired.
func (k *Case) applyTerms() {
	k.relimit()
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
	// Since leaves with the person what they took themselves from this moment
	// on: an absent person who takes a task is there. Zero leaves nothing.
	Since time.Time `json:"since,omitzero"`
}

// keeps tells whether a task stays with the person.
func (a HandOver) keeps(t *Task) bool {
	return !a.Since.IsZero() && t.Taken && !t.AssignedAt.Before(a.Since)
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
		if t.Assignee != a.Person || a.keeps(t) {
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
