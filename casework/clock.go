package casework

import (
	"fmt"
	"slices"
	"time"
)

// Party is who holds the clock: a department, or one of those outside the
// utility for whom it waits.
type Party string

// The parties beside the departments.
const (
	PartyCustomer  Party = "customer"         // 客户
	PartyAuthority Party = "permit_authority" // 审批部门
	PartyUpgrade   Party = "network_upgrade"  // 管网改造
	PartyForce     Party = "force_majeure"    // 不可抗力
)

// Parties lists everybody who can hold the clock, the departments first.
func Parties() []Party {
	var all []Party
	for _, d := range Departments() {
		all = append(all, Party(d))
	}
	return append(all, PartyCustomer, PartyAuthority, PartyUpgrade, PartyForce)
}

// Name is the party's Chinese name.
func (p Party) Name() string {
	switch p {
	case PartyCustomer:
		return "客户"
	case PartyAuthority:
		return "审批部门"
	case PartyUpgrade:
		return "管网改造"
	case PartyForce:
		return "不可抗力"
	}
	return Department(p).Name()
}

// Worked writes working time for people: 7.5 小时, 12 分, 1.5 分, 40 秒.
func Worked(d time.Duration) string {
	switch {
	case d == 0:
		return "0 小时"
	case d >= time.Hour:
		return fmt.Sprintf("%.1f 小时", d.Hours())
	case d >= time.Minute && d%time.Minute < time.Second:
		return fmt.Sprintf("%d 分", d/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%.1f 分", d.Minutes())
	}
	return fmt.Sprintf("%d 秒", d/time.Second)
}

// Holding is a stretch of a case in which one party held the clock. The
// stretches of a case follow each other without a gap, from the first contact
// to supply-on, so that their working times add up to the whole.
type Holding struct {
	N       int           `json:"n"` // counted within the case, from 1
	Party   Party         `json:"party"`
	Stopped bool          `json:"stopped,omitempty"` // the limit's clock stood
	From    time.Time     `json:"from"`
	To      time.Time     `json:"to,omitzero"`       // zero while it lasts
	Working time.Duration `json:"working,omitempty"` // working time, once it has ended
}

// Spent is the working time that a party has held the clock in all.
type Spent struct {
	Party   Party         `json:"party"`
	Working time.Duration `json:"working"`
}

// Clocking is who holds the clock of a case now, and who held it for how long.
type Clocking struct {
	Now   Holding   `json:"now,omitzero"`
	Spent []Spent   `json:"spent,omitempty"` // of what has ended, in the order of first holding
	Ended []Holding `json:"ended,omitempty"` // stretches whose working time is to be worked out
}

// NoteHolder records who holds the clock from a moment on, if that changed. It
// ends with supply-on, or with the case.
func (k *Case) NoteHolder(now time.Time) {
	c := &k.Clock
	party, stopped, holds := k.holder()
	if !holds {
		if c.Now.N > 0 && c.Now.To.IsZero() {
			end := now
			if k.Supply != nil {
				end = k.Supply.SuppliedAt
			}
			k.endHolding(end)
		}
		return
	}
	switch {
	case c.Now.N == 0:
		c.Now = Holding{N: 1, Party: party, Stopped: stopped, From: k.ArrivedAt()}
	case c.Now.Party == party && c.Now.Stopped == stopped:
		return
	default:
		from := k.endHolding(now)
		c.Now = Holding{N: c.Now.N + 1, Party: party, Stopped: stopped, From: from}
	}
	k.changes.holding(c.Now)
}

// endHolding ends the stretch that lasts and gives the moment at which the next
// begins: work that is reported late ends no stretch before it began.
func (k *Case) endHolding(at time.Time) time.Time {
	c := &k.Clock
	c.Now.To = later(at, c.Now.From)
	c.Ended = append(c.Ended, c.Now)
	k.changes.holding(c.Now)
	return c.Now.To
}

// holder tells who holds the clock, and whether the limit's clock stands
// meanwhile; false once nobody does. What stops the clock comes first; then the
// department of the oldest open task; then those for whom all tasks only wait.
func (k *Case) holder() (party Party, stopped, holds bool) {
	if k.Kind == DutyCase || k.Status.Ended() || k.Supply != nil || k.Service != nil && !k.CompletedAt.IsZero() {
		return "", false, false
	}
	if open := k.openPauses(); len(open) > 0 {
		return open[0].Reason.party(), true, true
	}
	if lane, ok := k.Deadline(LaneDeadline); ok {
		for _, h := range lane.Holds {
			if h.To.IsZero() {
				return holdParty(h.Reason), true, true
			}
		}
	}
	for i := range k.Tasks {
		switch t := &k.Tasks[i]; t.Kind {
		case RecordPermitResult, FollowUp, FollowUpLead, CompleteDeferred, SettleArrears: // these wait for others
		default:
			return Party(t.Department), false, true
		}
	}
	switch {
	case len(k.Tasks) > 0 && (k.Tasks[0].Kind == FollowUp || k.Tasks[0].Kind == FollowUpLead || k.Tasks[0].Kind == SettleArrears):
		return PartyCustomer, false, true
	case k.waitsFor(RecordPermitResult):
		return PartyAuthority, false, true
	case k.Upgrade.Pending():
		return PartyUpgrade, false, true
	case len(k.Tasks) > 0:
		return PartyCustomer, false, true
	}
	return Party(Taskforce), false, true
}

// waitsFor tells whether a task of a kind is open.
func (k *Case) waitsFor(kind TaskKind) bool {
	return slices.ContainsFunc(k.Tasks, func(t Task) bool { return t.Kind == kind })
}

// party is who makes the clock stand for a reason.
func (r PauseReason) party() Party {
	switch r {
	case ExternalApproval:
		return PartyAuthority
	case ForceMajeure:
		return PartyForce
	case CustomerNotReady:
	}
	return PartyCustomer
}

// holdParty is who makes the lane's clock stand.
func holdParty(reason string) Party {
	if reason == string(UpgradeCase) {
		return PartyUpgrade
	}
	return PartyAuthority
}

// Counted takes over the working times of stretches that have ended.
func (k *Case) Counted(ended []Holding) {
	for _, h := range ended {
		k.changes.holding(h)
		i := slices.IndexFunc(k.Clock.Spent, func(s Spent) bool { return s.Party == h.Party })
		if i < 0 {
			i = len(k.Clock.Spent)
			k.Clock.Spent = append(k.Clock.Spent, Spent{Party: h.Party})
		}
		k.Clock.Spent[i].Working += h.Working
		if k.Clock.Now.N == h.N {
			k.Clock.Now = h
		}
	}
	k.Clock.Ended = nil
}

func (c *Changes) holding(h Holding) {
	for i := range c.Holdings {
		if c.Holdings[i].N == h.N {
			c.Holdings[i] = h
			return
		}
	}
	c.Holdings = append(c.Holdings, h)
}
