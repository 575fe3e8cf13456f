package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/curbstop/curbstop/casework"
)

type deliveryRow struct {
	ID        int64
	MessageID string
	Outlet    string
	State     casework.DeliveryState
	Attempts  int
	MadeAt    time.Time
	NextAt    time.Time
	FirstAt   *time.Time
	SettledAt *time.Time
	Sent      []byte
	LastError string
}

func (deliveryRow) TableName() string { return "deliveries" }

func sentContext(delivery int64) string { return fmt.Sprintf("delivery/%d", delivery) }

func (s *Store) delivery(r deliveryRow) (casework.Delivery, error) {
	d := casework.Delivery{
		ID: r.ID, Message: r.MessageID, Outlet: r.Outlet, State: r.State, Attempts: r.Attempts,
		FirstAt: moment(r.FirstAt), SettledAt: moment(r.SettledAt), LastError: r.LastError,
	}
	if r.State == casework.DeliveryPending {
		d.NextAt = moment(&r.NextAt)
	}
	if len(r.Sent) > 0 {
		d.Sent = &casework.Sent{}
		if err := s.open(r.Sent, sentContext(r.ID), d.Sent); err != nil {
			return casework.Delivery{}, err
		}
	}
	return d, nil
}

// RouteMessages has decided, for some of the messages for which nobody has yet,
// through which outlets each goes out and when at the earliest; plan names
// these in Outlet and NextAt. It tells how many there were. A message is routed
// once, so an outlet that is added later carries none of the old ones.
func (s *Store) RouteMessages(ctx context.Context, limit int, plan func(casework.Message) []casework.Delivery) (n int, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		rows, err := gorm.G[messageRow](tx, clause.Locking{Strength: clause.LockingStrengthUpdate, Options: clause.LockingOptionsSkipLocked}).
			Where("routed_at IS NULL").Order("at, id").Limit(limit).Find(ctx)
		if err != nil || len(rows) == 0 {
			return err
		}
		n = len(rows)
		now := s.now()
		var made []deliveryRow
		ids := make([]string, n)
		for i, r := range rows {
			ids[i] = r.ID
			for _, d := range plan(r.message()) {
				made = append(made, deliveryRow{MessageID: r.ID, Outlet: d.Outlet, State: casework.DeliveryPending, MadeAt: now, NextAt: d.NextAt})
			}
		}
		// A message that was abandoned and then decided again is routed again:
		// what had not gone out goes out after all.
		again := clause.OnConflict{
			Columns:   []clause.Column{{Name: "message_id"}, {Name: "outlet"}},
			DoUpdates: append(clause.AssignmentColumns([]string{"state", "next_at"}), clause.Assignments(map[string]any{"settled_at": nil})...),
			Where:     clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "deliveries.state = 'moot'"}}},
		}
		if len(made) > 0 {
			if err := tx.Clauses(again).Create(&made).Error; err != nil {
				return err
			}
		}
		return tx.Exec("UPDATE messages SET routed_at = ? WHERE id IN ?", now, ids).Error
	})
	return n, failed("route messages", err)
}

// claimedRow is a delivery that is due, with its message.
type claimedRow struct {
	DeliveryID int64
	Attempts   int
	FirstAt    *time.Time
	Over       bool       // its escalation is closed, or the case took it back
	Message    messageRow `gorm:"embedded"`
}

// ClaimDeliveries takes those of an outlet that are due, the top rung's first,
// for whoever calls, until the lease ends: then they are due again, for nobody
// knows what became of them. What is about an escalation or a pause that is over is not
// handed out but recorded as moot, unless it is of the top rung; seen counts
// these too. With topOnly, all others are left where they are.
func (s *Store) ClaimDeliveries(ctx context.Context, outlet string, now, lease time.Time, topOnly bool, limit int) (claimed []casework.MessageLine, seen int, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var rows []claimedRow
		err := tx.Raw(`
			SELECT d.id AS delivery_id, d.attempts, d.first_at, e.closed_at IS NOT NULL OR m.moot_since IS NOT NULL AS over, m.*
			FROM deliveries d JOIN messages m ON m.id = d.message_id LEFT JOIN escalations e ON e.id = m.escalation
			WHERE d.outlet = ? AND d.state = 'pending' AND d.next_at <= ? AND (m.top OR NOT ?)
			ORDER BY m.top DESC, d.next_at, d.id LIMIT ?
			FOR UPDATE OF d SKIP LOCKED`, outlet, now, topOnly, limit).Scan(&rows).Error
		if err != nil {
			return err
		}
		seen = len(rows)
		var moot, taken []int64
		for _, r := range rows {
			if r.Over && !r.Message.Top {
				moot = append(moot, r.DeliveryID)
				continue
			}
			taken = append(taken, r.DeliveryID)
			first := moment(r.FirstAt)
			if first.IsZero() {
				first = now
			}
			claimed = append(claimed, casework.MessageLine{Message: r.Message.message(), Deliveries: []casework.Delivery{{
				ID: r.DeliveryID, Message: r.Message.ID, Outlet: outlet, State: casework.DeliveryPending, Attempts: r.Attempts + 1, NextAt: lease, FirstAt: first,
			}}})
		}
		if len(moot) > 0 {
			if err := tx.Exec("UPDATE deliveries SET state = 'moot', settled_at = ? WHERE id IN ?", now, moot).Error; err != nil {
				return err
			}
		}
		if len(taken) == 0 {
			return nil
		}
		return tx.Exec("UPDATE deliveries SET attempts = attempts + 1, first_at = coalesce(first_at, ?), next_at = ? WHERE id IN ?", now, lease, taken).Error
	})
	if err != nil {
		return nil, 0, failed("claim deliveries", err)
	}
	return claimed, seen, nil
}

// RecordAttempt records how a try ended. That something was sent is recorded
// whatever was recorded before. Anything else only counts as long as the try is
// the last one: who was overtaken after the lease has nothing to say.
func (s *Store) RecordAttempt(ctx context.Context, a casework.Attempt) error {
	q := s.db.WithContext(ctx)
	var err error
	switch {
	case a.State == casework.DeliverySent:
		sent, sealErr := s.seal(a.Sent, sentContext(a.Delivery))
		if sealErr != nil {
			return sealErr
		}
		err = q.Exec("UPDATE deliveries SET state = 'sent', settled_at = ?, sent = ?, last_error = '' WHERE id = ? AND state <> 'sent'", a.At, sent, a.Delivery).Error
	case a.Uncalled:
		err = q.Exec(`UPDATE deliveries SET attempts = attempts - 1, first_at = CASE WHEN attempts > 1 THEN first_at END, next_at = ?
			WHERE id = ? AND attempts = ? AND state = 'pending'`, a.NextAt, a.Delivery, a.N).Error
	case a.State == casework.DeliveryPending:
		err = q.Exec("UPDATE deliveries SET next_at = ?, last_error = ? WHERE id = ? AND attempts = ? AND state = 'pending'",
			a.NextAt, a.Error, a.Delivery, a.N).Error
	default:
		err = q.Exec("UPDATE deliveries SET state = ?, settled_at = ?, last_error = ? WHERE id = ? AND attempts = ? AND state = 'pending'",
			a.State, a.At, a.Error, a.Delivery, a.N).Error
	}
	return failed("record an attempt", err)
}

// ExpireDeliveries gives up what was made before a moment for outlets that are
// not configured any more.
func (s *Store) ExpireDeliveries(ctx context.Context, configured []string, before, now time.Time) error {
	return failed("expire deliveries", s.db.WithContext(ctx).Exec(
		"UPDATE deliveries SET state = 'dead', settled_at = ?, last_error = ? WHERE state = 'pending' AND made_at < ? AND outlet NOT IN ?",
		now, casework.Say("通道已不在配置中", "the outlet is not configured any more").String(), before, configured).Error)
}

// RetryDelivery has one that was given up tried again from now on. One that
// waits to be tried stays as it is.
func (s *Store) RetryDelivery(ctx context.Context, id int64, now time.Time) (casework.Delivery, error) {
	err := s.db.WithContext(ctx).Exec(
		"UPDATE deliveries SET state = 'pending', next_at = ?, first_at = NULL, settled_at = NULL WHERE id = ? AND state = 'dead'", now, id).Error
	if err != nil {
		return casework.Delivery{}, failed("retry a delivery", err)
	}
	row, err := gorm.G[deliveryRow](s.db).Where("id = ?", id).Take(ctx)
	if err != nil {
		return casework.Delivery{}, found("read a delivery", err, deliveryNotFound())
	}
	if row.State != casework.DeliveryPending {
		return casework.Delivery{}, casework.Refuse(casework.Conflict, "not_dead", casework.Sayf(
			"只能重发已放弃的消息，此消息状态为 %[1]s", "only what was given up is sent again; this is %[1]s", row.State))
	}
	return s.delivery(row)
}

// messageLineRow is a message as it is listed.
type messageLineRow struct {
	Message     messageRow `gorm:"embedded"`
	AbandonedAt *time.Time
}

func (messageLineRow) TableName() string { return "messages" }

// messagePlace is where a message stands in the list.
type messagePlace struct {
	At time.Time `json:"at"`
	ID string    `json:"message"`
}

var newestMessages = order[messageLineRow, messagePlace]{
	by:    "at DESC, id DESC",
	place: func(r messageLineRow) messagePlace { return messagePlace{r.Message.At, r.Message.ID} },
	after: func(q query[messageLineRow], p messagePlace) query[messageLineRow] {
		return q.Where("(at, id) < (?, ?)", p.At, p.ID)
	},
}

// Messages lists what people were told, the newest first, with what became of
// it in each outlet.
func (s *Store) Messages(ctx context.Context, f casework.MessageFilter) ([]casework.MessageLine, string, error) {
	q := gorm.G[messageLineRow](s.db).Scopes()
	q = equal(q, "case_number", f.Case)
	q = anyOf(q, "district", f.Districts)
	if f.State != "" || f.Outlet != "" {
		q = q.Where("EXISTS (SELECT FROM deliveries d WHERE d.message_id = messages.id AND d.state = coalesce(nullif(?, ''), d.state) AND d.outlet = coalesce(nullif(?, ''), d.outlet))",
			string(f.State), f.Outlet)
	}
	rows, next, err := part(ctx, q, newestMessages, f.Page)
	if err != nil {
		return nil, "", failed("list messages", err)
	}
	lines, err := s.messageLines(ctx, rows)
	return lines, next, err
}

// MessageOf gives the message to which a delivery belongs.
func (s *Store) MessageOf(ctx context.Context, delivery int64) (casework.MessageLine, error) {
	rows, err := gorm.G[messageLineRow](s.db).Where("id = (SELECT message_id FROM deliveries WHERE id = ?)", delivery).Find(ctx)
	if err != nil {
		return casework.MessageLine{}, failed("read a message", err)
	}
	if len(rows) == 0 {
		return casework.MessageLine{}, deliveryNotFound()
	}
	lines, err := s.messageLines(ctx, rows)
	if err != nil {
		return casework.MessageLine{}, err
	}
	return lines[0], nil
}

func (s *Store) messageLines(ctx context.Context, rows []messageLineRow) ([]casework.MessageLine, error) {
	lines := make([]casework.MessageLine, len(rows))
	ids := make([]string, len(rows))
	at := map[string]int{}
	for i, r := range rows {
		lines[i] = casework.MessageLine{Message: r.Message.message(), AbandonedAt: moment(r.AbandonedAt)}
		ids[i], at[r.Message.ID] = r.Message.ID, i
	}
	deliveries, err := gorm.G[deliveryRow](s.db).Where("message_id IN ?", ids).Order("outlet").Find(ctx)
	if err != nil {
		return nil, failed("list deliveries", err)
	}
	for _, r := range deliveries {
		d, err := s.delivery(r)
		if err != nil {
			return nil, err
		}
		line := &lines[at[r.MessageID]]
		line.Deliveries = append(line.Deliveries, d)
	}
	return lines, nil
}

// abandonMessages takes back the messages of an abandoned tail. What was on its
// way to somebody, or may have been, stays on record as abandoned. Messages are
// locked before their deliveries, as the router does it.
func (r caseRows) abandonMessages(b *pgx.Batch) {
	number := r.snapshot.Line.Number
	const tail = "(SELECT id FROM messages WHERE case_number = $1 AND since >= $2)"
	b.Queue("SELECT id FROM messages WHERE case_number = $1 AND since >= $2 ORDER BY id FOR UPDATE", number, r.since)
	b.Queue("DELETE FROM deliveries WHERE attempts = 0 AND message_id IN "+tail, number, r.since)
	b.Queue("UPDATE deliveries SET state = 'moot', settled_at = $3 WHERE state = 'pending' AND message_id IN "+tail, number, r.since, r.at)
	b.Queue("DELETE FROM messages WHERE case_number = $1 AND since >= $2 AND NOT EXISTS (SELECT FROM deliveries WHERE message_id = messages.id)", number, r.since)
	// What the tail had taken back is meant again, through the outlets that had
	// left it.
	b.Queue("UPDATE messages SET moot_since = NULL, routed_at = NULL WHERE case_number = $1 AND moot_since >= $2", number, r.since)
	b.Queue("UPDATE messages SET abandoned_at = $3, routed_at = $3 WHERE case_number = $1 AND since >= $2", number, r.since, r.at)
}

// toldAgain is what becomes of a message that is recorded already: nothing,
// unless it was abandoned and is decided again now.
var toldAgain = &clause.OnConflict{
	Columns: []clause.Column{{Name: "id"}},
	DoUpdates: clause.Set{
		{Column: clause.Column{Name: "abandoned_at"}, Value: nil},
		{Column: clause.Column{Name: "routed_at"}, Value: nil},
		{Column: clause.Column{Name: "since"}, Value: clause.Column{Table: "excluded", Name: "since"}},
	},
	Where: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "messages.abandoned_at IS NOT NULL"}}},
}
