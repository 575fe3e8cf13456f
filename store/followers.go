package store

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"

	"github.com/curbstop/curbstop/casework"
)

type followerRow struct {
	CaseNumber   string
	N            int
	Sender       string
	SenderNumber string
	Since        time.Time
	Brought      bool
	Before       string     // the case that it followed until then, under the same number
	LeftAt       *time.Time // when its application became a request of its own
}

func (followerRow) TableName() string { return "followers" }

func (r followerRow) follower() casework.Follower {
	return casework.Follower{Case: r.CaseNumber, N: r.N, Sender: r.Sender, External: r.SenderNumber, Since: moment(&r.Since), Brought: r.Brought}
}

// Follow notes that a sender asked for what a case does, under a number of its
// own and since when, so that it is told of the progress: of the case, and of
// those that go on from it. The first note of a number stays.
func (s *Store) Follow(ctx context.Context, f casework.Follower) error {
	return failed("note who follows a case", s.transact(ctx, func(tx pgx.Tx) error {
		for number, before := f.Case, ""; number != ""; {
			next := ""
			var b pgx.Batch
			// Followers of one case are counted one after the other.
			b.Queue("SELECT FROM receipts WHERE number = $1 FOR UPDATE", number)
			b.Queue(`WITH follower AS (
					INSERT INTO followers (case_number, n, sender, sender_number, since, brought, before)
					SELECT number, (SELECT coalesce(max(n), 0) + 1 FROM followers WHERE case_number = $1), $2, $3, $4, true, $5 FROM receipts WHERE number = $1
					ON CONFLICT (case_number, sender, sender_number) DO UPDATE SET brought = true WHERE NOT followers.brought RETURNING case_number)
				UPDATE receipts SET progress_due = true FROM follower WHERE number = follower.case_number`, number, f.Sender, f.External, f.Since, before)
			b.Queue("SELECT coalesce(max(number), '') FROM receipts WHERE passed_from = $1 AND passed_from <> ''", number).
				QueryRow(func(row pgx.Row) error { return row.Scan(&next) })
			if err := tx.SendBatch(ctx, &b).Close(); err != nil {
				return err
			}
			number, before = next, number
		}
		return nil
	}))
}

// moveFollower has who joined a lead by an application that the lead would not
// have follow the request of its own that the application is then, and neither
// the lead nor a case that goes on from it any more. The lead's receipt is not
// locked yet.
func (s *Store) moveFollower(tx *gorm.DB, app casework.LeadApplication, own string) error {
	external := app.Request.ExternalNumber
	// A part of a joint request has its number below the one that the sender knows.
	numbers := []string{external, strings.TrimSuffix(external, partNumber("", app.Request.Utility))}
	now := s.now()
	for number := app.Case; number != ""; {
		if err := tx.Exec("SELECT FROM receipts WHERE number = ? FOR UPDATE", number).Error; err != nil {
			return err
		}
		var left []followerRow
		err := tx.Raw("UPDATE followers SET left_at = ? WHERE case_number = ? AND sender = ? AND sender_number IN ? AND brought AND left_at IS NULL RETURNING *",
			now, number, app.By.ID, numbers).Scan(&left).Error
		if err != nil {
			return err
		}
		for _, f := range left {
			// What the sender may have of the lead's reports stays on record.
			err := tx.Exec("DELETE FROM progress_reports WHERE case_number = ? AND follower = ? AND state = 'pending' AND attempts = 0", number, f.N).Error
			if err != nil {
				return err
			}
			err = tx.Exec("UPDATE progress_reports SET abandoned_at = ? WHERE case_number = ? AND follower = ? AND state = 'pending' AND abandoned_at IS NULL", now, number, f.N).Error
			if err != nil {
				return err
			}
			// The last one is the one that it knows last.
			err = tx.Exec(`INSERT INTO followers AS f (case_number, n, sender, sender_number, since, brought, before)
				VALUES (?, (SELECT coalesce(max(n), 0) + 1 FROM followers WHERE case_number = ?), ?, ?, ?, true, ?)
				ON CONFLICT (case_number, sender, sender_number) DO UPDATE SET before = excluded.before`,
				own, own, f.Sender, f.SenderNumber, f.Since, number).Error
			if err != nil {
				return err
			}
		}
		var next []string
		if err := tx.Raw("SELECT number FROM receipts WHERE passed_from = ? AND passed_from <> ''", number).Scan(&next).Error; err != nil {
			return err
		}
		number = strings.Join(next, "") // one at the most
	}
	return tx.Exec("UPDATE receipts SET progress_due = true WHERE number = ? AND EXISTS (SELECT FROM followers WHERE case_number = ?)", own, own).Error
}

// watcherReturns is how long a watcher that is not named any more may take to
// come back as if it had been there all the time.
const watcherReturns = 7 * 24 * time.Hour

// Watch notes which senders are told of all cases: of those that are received
// from when it was first called with the sender on. One that is not named any
// more is told of no further case. If it comes back within a week, such as when a
// process had an older file, it is told of what it missed; later it begins anew.
func (s *Store) Watch(ctx context.Context, watchers []casework.Watcher) error {
	return failed("note who is told of all cases", s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Exec("LOCK TABLE watchers IN SHARE ROW EXCLUSIVE MODE").Error; err != nil {
			return err
		}
		now, names := s.now(), []string{""} // no sender's
		for _, w := range watchers {
			names = append(names, w.Sender)
		}
		if err := tx.Exec("UPDATE watchers SET ended_at = ? WHERE ended_at IS NULL AND sender NOT IN ?", now, names).Error; err != nil {
			return err
		}
		for _, w := range watchers {
			var utilities []string
			for _, u := range w.Utilities {
				utilities = append(utilities, string(u))
			}
			back := now.Add(-watcherReturns)
			// A day before the end too: what was received then may not have been planned.
			err := tx.Exec(`UPDATE receipts r SET progress_due = true FROM watchers w
				WHERE w.sender = ? AND w.ended_at >= ? AND r.received_at >= greatest(w.since, w.ended_at - interval '1 day')`, w.Sender, back).Error
			if err != nil {
				return err
			}
			err = tx.Exec(`INSERT INTO watchers AS w (sender, since, utilities, district) VALUES (?, ?, ?, ?)
				ON CONFLICT (sender) DO UPDATE SET utilities = excluded.utilities, district = excluded.district, ended_at = NULL,
					since = CASE WHEN w.ended_at < ? THEN excluded.since ELSE w.since END`,
				w.Sender, now, strings.Join(utilities, " "), w.District, back).Error
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// followersOf gives who follows a case, whose receipt is locked, with those who
// are told of all cases and to whom this one is new. Such a sender knows it
// under our number, unless it brought the case itself.
func followersOf(ctx context.Context, tx *gorm.DB, number string) ([]casework.Follower, error) {
	err := tx.Exec(`
		INSERT INTO followers (case_number, n, sender, sender_number, since, brought)
		SELECT r.number, (SELECT coalesce(max(n), 0) FROM followers WHERE case_number = r.number) + row_number() OVER (ORDER BY w.sender),
			w.sender, r.number, r.received_at, false
		FROM receipts r JOIN cases c ON c.number = r.number JOIN watchers w ON w.ended_at IS NULL AND w.since <= r.received_at
		WHERE r.number = ? AND (w.utilities = '' OR c.utility = ANY (string_to_array(w.utilities, ' '))) AND (w.district = '' OR c.district = w.district)
			AND NOT EXISTS (SELECT FROM followers f WHERE f.case_number = r.number AND f.sender = w.sender AND f.left_at IS NULL)`, number).Error
	if err != nil {
		return nil, err
	}
	rows, err := gorm.G[followerRow](tx).Where("case_number = ? AND left_at IS NULL", number).Order("n").Find(ctx)
	if err != nil {
		return nil, err
	}
	followers := make([]casework.Follower, len(rows))
	for i, row := range rows {
		followers[i] = row.follower()
	}
	return followers, nil
}

// Asked gives what a report is about: what its platform had asked for, also where
// that goes on as another case, or, for one that is told of all cases, the case as
// it stands.
func (s *Store) Asked(ctx context.Context, r casework.ProgressReport) (casework.Receipt, error) {
	asked, err := s.Receipt(ctx, r.Case)
	if err != nil {
		return asked, err
	}
	row, err := gorm.G[followerRow](s.db).Where("case_number = ? AND n = ?", r.Case, r.Follower).Take(ctx)
	if err != nil {
		return asked, failed("look for who follows a case", err)
	}
	if !row.Brought {
		k, err := s.Case(ctx, r.Case)
		if err != nil {
			return asked, err
		}
		asked.Request, asked.Service = k.Request, k.Service
		return asked, nil
	}
	// What was passed on was asked for where it came in.
	service, first := asked.Service, asked
	for before := row.Before; before != "" && first.Carried != nil && first.Carried.From == before; {
		if first, err = s.Receipt(ctx, before); err != nil {
			return asked, err
		}
		earlier, err := gorm.G[followerRow](s.db).Where("case_number = ? AND sender = ? AND sender_number = ?", before, row.Sender, row.SenderNumber).Take(ctx)
		if err != nil {
			return asked, failed("look for who follows a case", err)
		}
		before = earlier.Before
	}
	asked, asked.Service = first, service
	if !asked.Request.Lead {
		return asked, nil
	}
	// It may have joined the lead by an application of its own, or by one part of
	// a joint request.
	own := []string{row.SenderNumber, partNumber(row.SenderNumber, asked.Request.Utility)}
	rows, err := gorm.G[applicationRow](s.db).Where("case_number = ? AND external_number IN ?", asked.Number, own).Find(ctx)
	if err != nil {
		return asked, failed("look for an application", err)
	}
	for _, row := range rows {
		app, err := s.applicationOf(row)
		if err != nil {
			return asked, err
		}
		if app.By.ID == r.Sender {
			asked.Request = app.Request
		}
	}
	return asked, nil
}

// NumbersOf gives the cases that a sender asked for and knows under a number of
// its own; with no sender, those that anybody knows under it, or that bear it. Of
// what was passed on it is the case that goes on.
func (s *Store) NumbersOf(ctx context.Context, sender, external string) ([]string, error) {
	if external == "" {
		return nil, nil
	}
	// Statements each of which an index serves.
	found := `
		SELECT case_number FROM followers WHERE brought AND left_at IS NULL AND sender = @sender AND sender_number = @external
		UNION SELECT case_number FROM followers WHERE brought AND left_at IS NULL AND sender = @sender AND case_number = @external`
	if sender == "" {
		found = `
			SELECT number FROM receipts WHERE number = @external
			UNION SELECT case_number FROM followers WHERE left_at IS NULL AND sender_number = @external
			UNION SELECT number FROM receipts WHERE number IN (
				SELECT unnest(string_to_array(numbers, ' ')) FROM inbox_items WHERE external <> '' AND external = @external)
				AND number NOT IN (SELECT case_number FROM followers WHERE sender_number = @external AND left_at IS NOT NULL)`
	}
	statement := `
		WITH RECURSIVE found (number) AS (` + found + `),
		going (number) AS (
			SELECT number FROM found
			UNION SELECT r.number FROM going JOIN receipts r ON r.passed_from = going.number AND r.passed_from <> '')
		SELECT number FROM going WHERE NOT EXISTS (SELECT FROM receipts r WHERE r.passed_from = going.number AND r.passed_from <> '')
		ORDER BY number`
	var numbers []string
	err := s.db.WithContext(ctx).Raw(statement, map[string]any{"sender": sender, "external": external}).Scan(&numbers).Error
	return numbers, failed("look for cases by an outside number", err)
}
