package casework

import (
	"slices"
	"time"
)

// Follower is who is told how a case comes on: a sender, under a number of its
// own. A case has as many as have asked for it or are told of all cases; each
// is told by itself.
type Follower struct {
	Case     string
	N        int // 1 and up within the case
	Sender   string
	External string // the number under which the sender knows the case
	// Since is when the case became the sender's: when its message arrived. What
	// was before is told as of that moment, or not at all: see [Follower.Told].
	Since time.Time
	// Brought says that the sender asked for what the case does, so that it may
	// also take it back; else it is told of all cases.
	Brought bool
}

// Watcher is a sender that is told of all cases, of some utilities and of one
// district where it names them.
type Watcher struct {
	Sender    string
	Utilities []Utility
	District  District
}

// Told gives what a follower is told of the milestones that its case reached,
// in their order and as of the moment that holds for it. Who came later knows
// nothing yet and is told from the beginning, but nothing can have happened to
// its request before that came: an earlier milestone counts from then. A
// suspension that had ended by then never was one of its request.
func (f Follower) Told(reached []Reached) []Reached {
	told := slices.Clone(reached)
	told = slices.DeleteFunc(told, func(r Reached) bool {
		return (r.Milestone == MilestoneSuspended || r.Milestone == MilestoneResumed) && slices.ContainsFunc(reached, func(end Reached) bool {
			return end.Milestone == MilestoneResumed && end.Round == r.Round && end.At.Before(f.Since)
		})
	})
	for i := range told {
		if told[i].At.Before(f.Since) {
			told[i].At = f.Since
		}
	}
	return told
}

// GoingOn gives what a follower is told of a case that goes on from others, of
// what it was told of those before: each state once. One that was taken back
// before the platform took it was not told. The clock stands and goes on as often
// as it does; where it stood last for the platform, it goes on as this case begins.
func GoingOn(told []Reached, before []ProgressReport) []Reached {
	had, stands := map[Milestone]bool{}, false
	for _, r := range before {
		if !r.AbandonedAt.IsZero() && r.State != ProgressSent {
			continue
		}
		switch r.Milestone {
		case MilestoneSuspended, MilestoneResumed:
			stands = r.Milestone == MilestoneSuspended
		default:
			had[r.Milestone] = true
		}
	}
	var on []Reached
	if stands && len(told) > 0 {
		on = append(on, Reached{Milestone: MilestoneResumed, At: told[0].At, Event: told[0].Event})
	}
	for _, r := range told {
		if !had[r.Milestone] {
			on = append(on, r)
		}
	}
	return on
}
