package casework

import (
	"fmt"
	"time"
)

// ProgressState is what became of a report of progress.
type ProgressState string

// The states of a report. Stuck is not stored: it is derived from how long a
// pending one has waited.
const (
	ProgressPending ProgressState = "pending" // 待回传: for the first time or again
	ProgressSent    ProgressState = "sent"    // 已回传
	ProgressUntold  ProgressState = "untold"  // 无需回传: the platform is not told of such a state
	ProgressStuck   ProgressState = "stuck"   // 回传受阻: pending for longer than a day
)

// ProgressStuckAfter is how long a report waits before people are shown it.
const ProgressStuckAfter = 24 * time.Hour

// ProgressReport is a milestone of a case on its way to one of those who follow
// it: each once, and in the order of N.
type ProgressReport struct {
	ID          int64         `json:"id"`
	Case        string        `json:"case"`
	Follower    int           `json:"follower"` // which of those who follow the case
	Sender      string        `json:"sender"`
	External    string        `json:"external"` // the number under which the platform knows the case
	Utility     Utility       `json:"utility,omitempty"`
	N           int           `json:"n"` // 1 and up for each who follows the case; one that goes on from another counts on
	Milestone   Milestone     `json:"milestone"`
	At          time.Time     `json:"at"`                   // when it was reached, as far as the platform is concerned
	AcceptedAt  time.Time     `json:"accepted_at,omitzero"` // the case's application (受理), if it was
	Department  Department    `json:"department,omitempty"`
	Note        Text          `json:"note"`
	State       ProgressState `json:"state"`
	Stuck       bool          `json:"stuck,omitempty"`
	MadeAt      time.Time     `json:"made_at"`
	Attempts    int           `json:"attempts"`
	NextAt      time.Time     `json:"next_at,omitzero"`
	FirstAt     time.Time     `json:"first_at,omitzero"`
	SettledAt   time.Time     `json:"settled_at,omitzero"`
	AbandonedAt time.Time     `json:"abandoned_at,omitzero"` // the case decided otherwise after it had gone out
	Sent        *Sent         `json:"sent,omitempty"`
	LastError   string        `json:"last_error,omitempty"`
}

// Key names a report to its platform, the same at each try and no other's. That
// of who followed the case first bears the case and N alone.
func (r ProgressReport) Key() string {
	if r.Follower <= 1 {
		return fmt.Sprintf("%s/%d", r.Case, r.N)
	}
	return fmt.Sprintf("%s/%d/%d", r.Case, r.Follower, r.N)
}

// ProgressFilter selects reports; a zero field selects all.
type ProgressFilter struct {
	Case   string
	Sender string
	State  ProgressState
	Page
}

// ProgressAttempt is how one try of a report ended.
type ProgressAttempt struct {
	Report int64
	N      int // which try it was
	State  ProgressState
	At     time.Time
	NextAt time.Time // for Pending
	Sent   *Sent     // what went out and what came back, if anything did
	Error  string
}

// Reached is a milestone that a case has come to.
type Reached struct {
	Milestone Milestone
	Round     int // 1 and up: only the clock stands and goes on more than once; 0 where it goes on with the case that goes on
	At        time.Time
	Event     Event
}

// ReachedMilestones gives those that a case's events mark, each once and in
// their order. Pauses for several reasons that overlap are one suspension: it
// ends with the last of them.
func ReachedMilestones(events []Event) []Reached {
	var reached []Reached
	rounds := map[Milestone]int{}
	standing := 0
	for _, e := range events {
		m, ok := MilestoneOf(e)
		if !ok {
			continue
		}
		switch m {
		case MilestoneSuspended:
			standing++
			if standing > 1 {
				continue
			}
		case MilestoneResumed:
			standing--
			if standing > 0 {
				continue
			}
		default:
			if rounds[m] > 0 {
				continue
			}
		}
		rounds[m]++
		reached = append(reached, Reached{Milestone: m, Round: rounds[m], At: e.At, Event: e})
	}
	return reached
}
