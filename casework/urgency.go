package casework

import (
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// Urgency is when a task is due in the order of work lists, and by which limit.
// Both are empty while no clock of it runs: what stands presses on nobody.
type Urgency struct {
	At    time.Time
	Limit LimitName
}

// Urgency tells how urgent an open task of the case is: by the earlier of the
// deadline by which it is shown and, where supply-on waits for it, the lane's.
func (k *Case) Urgency(t *Task) Urgency {
	var u Urgency
	press := func(d *Deadline) {
		if d != nil && !d.Due.At.IsZero() && (u.At.IsZero() || d.Due.At.Before(u.At)) {
			u = Urgency{At: d.Due.At, Limit: d.Limit}
		}
	}
	press(k.TaskDeadline(t.ID))
	if lane, ok := k.Deadline(LaneDeadline); ok && t.Kind.holdsUpSupply() {
		press(lane)
	}
	return u
}

// TaskDeadline is the live deadline by which a task is shown: its own, else the
// lane's; nil when it has neither. One for which the case's policy has no limit
// is none.
func (k *Case) TaskDeadline(task string) *Deadline {
	for _, id := range []string{task, LaneDeadline} {
		if d, ok := k.Deadline(id); ok && d.Budget != (calendar.Budget{}) {
			return d
		}
	}
	return nil
}

// holdsUpSupply tells whether supply-on waits for tasks of a kind while they are
// open. What is done beside the work or after supply-on is no more urgent for
// the lane's limit.
func (kind TaskKind) holdsUpSupply() bool {
	switch kind { //nolint:exhaustive // the others lead to supply-on, or their cases have no lane
	case HandOverPermit, AcceptTransfer, ReviewPause, CompleteEntry, AcceptMeter, OpenAccount, EnrolReading, IssueCard, ConfirmPart,
		Callback, Rectify, HomeVisit:
		return false
	}
	return true
}
