package api

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// MoveStore is what moving cases to another policy needs to read.
type MoveStore interface {
	Case(ctx context.Context, number string) (*casework.Case, error)
	Cases(ctx context.Context, f casework.CaseFilter) ([]casework.CaseLine, string, error)
	Notices(ctx context.Context) (calendar.Notices, error)
}

// PolicyMoves moves running cases to another version of the policy, and shows
// before what that would change. The API and the command line share it.
type PolicyMoves struct {
	Store MoveStore
	Desk  Desk
	Now   func() time.Time
}

// MoveOutcome is what a move does, or would do, to one case.
type MoveOutcome struct {
	casework.Preview
	// Upgrade is the same for the network upgrade that the case waits for, which
	// moves with it.
	Upgrade *casework.Preview `json:"upgrade,omitempty" doc:"随案件改用的管网改造 the open network upgrade, which moves with the case"`
	Done    *contract.Done    `json:"done,omitempty" doc:"已改用 moved; absent in a preview"`
	Problem *Problem          `json:"problem,omitempty" doc:"未改用的原因 why it was not moved"`
}

// One moves a case, or with apply false only works out what would change, by
// the calendar in force and the case as it is on record.
func (m PolicyMoves) One(ctx context.Context, number string, move casework.MovePolicy, apply bool, key string) (MoveOutcome, error) {
	k, err := m.Store.Case(ctx, number)
	if err != nil {
		return MoveOutcome{}, err
	}
	notices, err := m.Store.Notices(ctx)
	if err != nil {
		return MoveOutcome{}, err
	}
	return m.one(ctx, k, notices, move, apply, key)
}

func (m PolicyMoves) one(ctx context.Context, k *casework.Case, notices calendar.Notices, move casework.MovePolicy, apply bool, key string) (MoveOutcome, error) {
	var out MoveOutcome
	var err error
	out.Preview, err = move.Preview(k, notices, m.Now())
	if err == nil {
		out.Upgrade, err = m.upgrade(ctx, k, notices, move)
	}
	if !apply {
		return out, err
	}
	// The workflow decides, whatever the records said: a repeated call gets the
	// first one's answer, though the case has the policy already.
	done, err := m.Desk.Do(ctx, k.Number, move, key)
	if err != nil {
		return MoveOutcome{}, err
	}
	out.Case, out.To, out.Done = k.Number, move.Terms.PolicyVersion, &done
	return out, nil
}

// upgrade works out what the move changes for the case's open upgrade; nil where
// there is none, or it has the policy already.
func (m PolicyMoves) upgrade(ctx context.Context, k *casework.Case, notices calendar.Notices, move casework.MovePolicy) (*casework.Preview, error) {
	if !k.Upgrade.Pending() {
		return nil, nil //nolint:nilnil // without an upgrade there is nothing to tell
	}
	u, err := m.Store.Case(ctx, k.Upgrade.Case)
	if err != nil && casework.AsFault(err).Kind != casework.NotFound {
		return nil, err
	}
	if err != nil || u.Status.Ended() || u.Terms.PolicyVersion == move.Terms.PolicyVersion {
		return nil, nil //nolint:nilnil,nilerr // one that is not open yet begins under the new policy
	}
	move.IfVersion = 0 // that was the connection's
	p, err := move.Preview(u, notices, m.Now())
	return &p, err
}

// Some does the same for a page of the running cases that a filter selects, and
// gives the cursor of the next page. Cases that have the version already are
// passed over. What is refused for one case does not keep the others.
func (m PolicyMoves) Some(ctx context.Context, f casework.CaseFilter, move casework.MovePolicy, apply bool, key string) ([]MoveOutcome, string, error) {
	f.Running = true
	lines, next, err := m.Store.Cases(ctx, f)
	if err != nil {
		return nil, "", err
	}
	notices, err := m.Store.Notices(ctx)
	if err != nil {
		return nil, "", err
	}
	all := make([]*MoveOutcome, len(lines))
	var group errgroup.Group
	group.SetLimit(bulkWorkers)
	for i, line := range lines {
		group.Go(func() error {
			var out MoveOutcome
			k, err := m.Store.Case(ctx, line.Number)
			switch {
			case err != nil:
			case k.Terms.PolicyVersion == move.Terms.PolicyVersion:
				return nil
			default:
				out, err = m.one(ctx, k, notices, move, apply, digest(key, line.Number))
			}
			if f := casework.AsFault(err); err != nil && f.Code == "same_policy" {
				return nil // an upgrade that came along with its connection
			}
			if err != nil {
				out = MoveOutcome{Preview: casework.Preview{Case: line.Number, To: move.Terms.PolicyVersion}, Problem: problemOf(ctx, err)}
			}
			all[i] = &out
			return nil
		})
	}
	_ = group.Wait() // each outcome holds its own error
	var outcomes []MoveOutcome
	for _, out := range all {
		if out != nil {
			outcomes = append(outcomes, *out)
		}
	}
	return outcomes, next, nil
}
