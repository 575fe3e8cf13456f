package inbox

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/senders"
	"github.com/curbstop/curbstop/rounds"
)

// Run takes up what was kept and not taken up, until the context ends; what is
// under way then is finished first. With poll it also asks the exchange tables
// of the senders that have some. Any number of processes may run it.
func (b *Inbox) Run(ctx context.Context, poll bool) {
	var group sync.WaitGroup
	waits := func(err error) { b.Logger.WarnContext(ctx, "Messages of platforms wait.", "error", err) }
	group.Go(func() { rounds.Repeat(ctx, sweepEvery, b.sweep, waits) })
	for _, s := range b.Senders.All() {
		if adapter, ok := s.Adapter.(platforms.Exchange); ok && poll && s.Exchange.URL != "" {
			group.Go(func() {
				rounds.Repeat(ctx, s.Exchange.Every, func(ctx context.Context) (bool, error) { return b.poll(ctx, s, adapter) }, waits)
			})
		}
	}
	group.Wait()
}

// sweep takes up a batch of what is due: what a process left behind that died,
// what could not be taken up before, and what came ahead of its case.
func (b *Inbox) sweep(ctx context.Context) (more bool, err error) {
	now := b.Now()
	if b.hourly(now) {
		if err := b.Book.ForgetProofs(ctx, now.Add(-lastRetry)); err != nil {
			return false, err
		}
	}
	claimed, err := b.Book.ClaimMessages(ctx, now, now.Add(lease), sweepBatch)
	if err != nil {
		return false, err
	}
	var group errgroup.Group
	group.SetLimit(parallel)
	for _, m := range claimed {
		group.Go(func() error {
			s, ok := b.Senders.Find(m.Sender)
			if !ok {
				b.Logger.WarnContext(ctx, "A message waits for a sender that is not configured any more.", "sender", m.Sender, "message", m.ID)
				m.NextAt = now.Add(lastRetry)
				return b.Book.SettleMessage(ctx, m)
			}
			_, err := b.takeUp(ctx, s, m, false)
			return err
		})
	}
	return len(claimed) == sweepBatch, group.Wait()
}

// hourly tells whether an hour has passed since it last said so. API and worker
// may run in one process and share the inbox.
func (b *Inbox) hourly(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.forgotAt) < lastRetry {
		return false
	}
	b.forgotAt = now
	return true
}

// poll takes rows from a sender's exchange tables and writes back what became
// of each. One process does so at a time. A row whose outcome was not written
// back is given again, is found kept, and gets the same outcome.
func (b *Inbox) poll(ctx context.Context, s *senders.Sender, adapter platforms.Exchange) (more bool, err error) {
	_, err = b.Book.Alone(ctx, "poll/"+s.ID, func(ctx context.Context) error {
		if err := b.settleAgain(ctx, s, adapter); err != nil {
			return err
		}
		rows, err := adapter.Poll(ctx, s.Exchange.Batch)
		if err != nil {
			return err
		}
		for _, row := range rows {
			now := b.Now()
			kept, fresh, err := b.Book.KeepMessage(ctx, casework.InboxMessage{
				Sender: s.ID, Kind: row.Kind, ContentType: row.ContentType, Body: row.Body, ReceivedAt: now,
			}, now.Add(lease))
			if err != nil {
				return err
			}
			out, err := b.outcome(ctx, s, kept, fresh, false)
			if err != nil {
				return err // the row waits, and those behind it: a child comes after its parent
			}
			if out.Fault != nil {
				// Noted first: a row that is refused and not noted would stay so.
				if err := b.Book.RefuseRow(ctx, kept.ID); err != nil {
					return err
				}
			}
			row.ID, row.Sender, row.ReceivedAt = kept.ID, s.ID, kept.ReceivedAt
			if err := adapter.Settle(ctx, row, out); err != nil {
				return err
			}
		}
		more = len(rows) == s.Exchange.Batch
		return nil
	})
	return more, err
}

// settleAgain writes back of rows that were refused that they were taken up
// after all: a person mended or replayed them, or what was missing came. A row
// of which a person found that nothing is to be done stays refused.
func (b *Inbox) settleAgain(ctx context.Context, s *senders.Sender, adapter platforms.Exchange) error {
	rows, err := b.Book.RefusedRows(ctx, s.ID, s.Exchange.Batch)
	if err != nil {
		return err
	}
	for _, m := range rows {
		if m.State == casework.InboxTakenUp {
			settled, err := adapter.SettleAgain(ctx, asMessage(m), platforms.Outcome{Message: m.ID, Numbers: m.Numbers})
			if err != nil {
				return err
			}
			b.Logger.InfoContext(ctx, "A row that was refused was taken up after all.", "sender", s.ID, "kind", m.Kind, "message", m.ID, "written_back", settled)
		}
		if err := b.Book.RowSettled(ctx, m.ID); err != nil {
			return err
		}
	}
	return nil
}
