package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

type inboxRow struct {
	ID          string `gorm:"primaryKey"`
	Sender      string
	Kind        string
	ContentType string
	Content     string
	Body        []byte
	Encrypted   bool
	ReceivedAt  time.Time
	State       casework.InboxState
	Numbers     string
	Fault       []byte
	Attempts    int
	NextAt      *time.Time
	Mends       string
	Note        []byte
	ByWhom      string
	SettledAt   *time.Time
}

func (inboxRow) TableName() string { return "inbox" }

func inboxContext(id, part string) string { return "inbox/" + id + "/" + part }

func (s *Store) inboxMessage(r inboxRow) (casework.InboxMessage, error) {
	m := casework.InboxMessage{
		ID: r.ID, Sender: r.Sender, Kind: r.Kind, ContentType: r.ContentType, Encrypted: r.Encrypted, ReceivedAt: moment(&r.ReceivedAt),
		State: r.State, Numbers: fields(r.Numbers), Attempts: r.Attempts, NextAt: moment(r.NextAt), Mends: r.Mends,
		By: r.ByWhom, SettledAt: moment(r.SettledAt),
	}
	var err error
	if m.Body, err = s.openBytes(r.Body, inboxContext(r.ID, "body")); err != nil {
		return m, err
	}
	note, err := s.openBytes(r.Note, inboxContext(r.ID, "note"))
	if err != nil {
		return m, err
	}
	m.Note = string(note)
	if len(r.Fault) > 0 {
		m.Fault = &casework.Fault{}
		err = s.open(r.Fault, inboxContext(r.ID, "fault"), m.Fault)
	}
	return m, err
}

// fields takes numbers apart; none are nil.
func fields(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Fields(text)
}

// inboxContent is the blind index by which two messages of a sender are told
// apart. The parts are of any length, so they are hashed before they are joined.
func (s *Store) inboxContent(kind string, body []byte) string {
	k, b := sha256.Sum256([]byte(kind)), sha256.Sum256(body)
	return s.ring.Index(fmt.Sprintf("inbox/%x/%x", k, b))
}

func (s *Store) newInboxRow(m casework.InboxMessage, lease time.Time) inboxRow {
	if m.ReceivedAt.IsZero() {
		m.ReceivedAt = s.now()
	}
	m.ID = "M" + m.ReceivedAt.In(calendar.Shanghai).Format("20060102") + "-" + rand.Text()[:12]
	return inboxRow{
		ID: m.ID, Sender: m.Sender, Kind: m.Kind, ContentType: m.ContentType, Content: s.inboxContent(m.Kind, m.Body),
		// Nothing was sent: that is sealed too, so that the column is never empty.
		Body: s.ring.Seal(m.Body, inboxContext(m.ID, "body")), Encrypted: m.Encrypted, ReceivedAt: m.ReceivedAt,
		State: casework.InboxReceived, NextAt: orNull(lease), Mends: m.Mends,
		Note: s.sealBytes([]byte(m.Note), inboxContext(m.ID, "note")), ByWhom: m.By,
	}
}

// KeepMessage writes down what a sender sent, once for its sender, kind and
// content, and tells whether it did: a repeat gives the first one as it stands.
// Until the lease ends the message is the caller's to take up; after that
// [Store.ClaimMessages] finds it.
func (s *Store) KeepMessage(ctx context.Context, m casework.InboxMessage, lease time.Time) (kept casework.InboxMessage, fresh bool, err error) {
	row := s.newInboxRow(m, lease)
	result := s.db.WithContext(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "sender"}, {Name: "content"}, {Name: "mends"}}, DoNothing: true,
	}).Create(&row)
	if result.Error != nil {
		return kept, false, failed("keep a message", result.Error)
	}
	if result.RowsAffected == 1 {
		kept, err = s.inboxMessage(row)
		return kept, true, err
	}
	kept, _, err = s.KeptMessage(ctx, m.Sender, m.Kind, m.Body)
	return kept, false, err
}

// KeptMessage gives a message as it was kept when it was sent before; false
// where it was not.
func (s *Store) KeptMessage(ctx context.Context, sender, kind string, body []byte) (casework.InboxMessage, bool, error) {
	rows, err := gorm.G[inboxRow](s.db).Where("sender = ? AND content = ? AND mends = ''", sender, s.inboxContent(kind, body)).Find(ctx)
	if err != nil || len(rows) == 0 {
		return casework.InboxMessage{}, false, failed("look for a message", err)
	}
	m, err := s.inboxMessage(rows[0])
	return m, true, err
}

// MendedMessage gives the last corrected copy of a message; false where it has
// none.
func (s *Store) MendedMessage(ctx context.Context, id string) (casework.InboxMessage, bool, error) {
	rows, err := gorm.G[inboxRow](s.db).Where("mends = ?", id).Order("received_at DESC, id DESC").Limit(1).Find(ctx)
	if err != nil || len(rows) == 0 {
		return casework.InboxMessage{}, false, failed("look for a corrected copy", err)
	}
	m, err := s.inboxMessage(rows[0])
	return m, true, err
}

// ClaimMessages takes those that are due to be taken up, the oldest first, for
// whoever calls, until the lease ends.
func (s *Store) ClaimMessages(ctx context.Context, now, lease time.Time, limit int) ([]casework.InboxMessage, error) {
	var rows []inboxRow
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) (err error) {
		rows, err = gorm.G[inboxRow](tx, clause.Locking{Strength: clause.LockingStrengthUpdate, Options: clause.LockingOptionsSkipLocked}).
			Where("next_at <= ? AND state IN ('received', 'kept')", now).Order("next_at, id").Limit(limit).Find(ctx)
		if err != nil || len(rows) == 0 {
			return err
		}
		ids := make([]string, len(rows))
		for i := range rows {
			ids[i], rows[i].NextAt = rows[i].ID, &lease
		}
		return tx.Exec("UPDATE inbox SET next_at = ? WHERE id IN ?", lease, ids).Error
	})
	if err != nil {
		return nil, failed("claim messages", err)
	}
	claimed := make([]casework.InboxMessage, len(rows))
	for i, r := range rows {
		if claimed[i], err = s.inboxMessage(r); err != nil {
			return nil, err
		}
	}
	return claimed, nil
}

// SettleMessage records what became of a message: its state, numbers, fault,
// number of attempts and when it is tried next. What a person decided about it
// meanwhile stays, and what was taken up is not kept again.
func (s *Store) SettleMessage(ctx context.Context, m casework.InboxMessage) error {
	var fault []byte
	if m.Fault != nil {
		var err error
		if fault, err = s.seal(m.Fault, inboxContext(m.ID, "fault")); err != nil {
			return err
		}
	}
	settled := orNull(m.SettledAt)
	err := s.db.WithContext(ctx).Exec(
		`UPDATE inbox SET state = ?, numbers = ?, fault = ?, attempts = ?, next_at = ?, settled_at = ? WHERE id = ? AND state IN ('received', 'kept')`,
		m.State, strings.Join(m.Numbers, " "), fault, m.Attempts, orNull(m.NextAt), settled, m.ID).Error
	return failed("settle a message", err)
}

// MendMessage keeps a corrected copy of a message, which stays as it was sent,
// and marks that as mended. The same correction again gives the first copy.
func (s *Store) MendMessage(ctx context.Context, original string, c casework.InboxMessage, lease time.Time) (casework.InboxMessage, error) {
	var copied inboxRow
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		row, err := lockedMessage(ctx, tx, original)
		if err != nil {
			return err
		}
		c.Sender, c.Kind, c.Mends = row.Sender, row.Kind, row.ID
		if c.ContentType == "" {
			c.ContentType = row.ContentType
		}
		copied = s.newInboxRow(c, lease)
		same, err := gorm.G[inboxRow](tx).Where("sender = ? AND content = ? AND mends = ?", copied.Sender, copied.Content, copied.Mends).Find(ctx)
		if err != nil {
			return err
		}
		if len(same) > 0 {
			copied = same[0]
			return nil
		}
		if err := (casework.InboxMessage{State: row.State}).Open(); err != nil {
			return err
		}
		if err := tx.Create(&copied).Error; err != nil {
			return err
		}
		return tx.Exec("UPDATE inbox SET state = 'mended', next_at = NULL, settled_at = ? WHERE id = ?", copied.ReceivedAt, original).Error
	})
	if err != nil {
		return casework.InboxMessage{}, failed("mend a message", err)
	}
	return s.inboxMessage(copied)
}

// IgnoreMessage notes that nothing is to be done about a message, and why.
func (s *Store) IgnoreMessage(ctx context.Context, id, reason, by string, at time.Time) error {
	note := s.sealBytes([]byte(reason), inboxContext(id, "note"))
	return failed("ignore a message", s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		row, err := lockedMessage(ctx, tx, id)
		if err != nil || row.State == casework.InboxIgnored {
			return err
		}
		if err := (casework.InboxMessage{State: row.State}).Open(); err != nil {
			return err
		}
		return tx.Exec("UPDATE inbox SET state = 'ignored', note = ?, by_whom = ?, next_at = NULL, settled_at = ? WHERE id = ?", note, by, at, id).Error
	}))
}

func lockedMessage(ctx context.Context, tx *gorm.DB, id string) (inboxRow, error) {
	row, err := gorm.G[inboxRow](tx, clause.Locking{Strength: clause.LockingStrengthUpdate}).Where("id = ?", id).Take(ctx)
	if err != nil {
		return row, found("read a message", err, inboxNotFound())
	}
	return row, nil
}

func inboxNotFound() *casework.Fault {
	return casework.Refuse(casework.NotFound, "inbox_message_not_found", casework.Say("没有这份来件，请核对编号", "there is no such message; check its ID"))
}

// InboxMessage gives a message, whole.
func (s *Store) InboxMessage(ctx context.Context, id string) (casework.InboxMessage, error) {
	row, err := gorm.G[inboxRow](s.db).Where("id = ?", id).Take(ctx)
	if err != nil {
		return casework.InboxMessage{}, found("read a message", err, inboxNotFound())
	}
	return s.inboxMessage(row)
}

// inboxPlace is where a message stands in the list.
type inboxPlace struct {
	At time.Time `json:"at"`
	ID string    `json:"inbox"`
}

var newestInbox = order[inboxRow, inboxPlace]{
	by:    "received_at DESC, id DESC",
	place: func(r inboxRow) inboxPlace { return inboxPlace{r.ReceivedAt, r.ID} },
	after: func(q query[inboxRow], p inboxPlace) query[inboxRow] {
		return q.Where("(received_at, id) < (?, ?)", p.At, p.ID)
	},
}

// Inbox lists what senders sent, the newest first, without the bodies.
func (s *Store) Inbox(ctx context.Context, f casework.InboxFilter) ([]casework.InboxMessage, string, error) {
	q := gorm.G[inboxRow](s.db).Omit("body").Scopes()
	q = equal(q, "sender", f.Sender)
	q = equal(q, "state", f.State)
	rows, next, err := part(ctx, q, newestInbox, f.Page)
	if err != nil {
		return nil, "", failed("list the inbox", err)
	}
	messages := make([]casework.InboxMessage, len(rows))
	for i, r := range rows {
		if messages[i], err = s.inboxMessage(r); err != nil {
			return nil, "", err
		}
	}
	return messages, next, nil
}

type inboxItemRow struct {
	Sender    string
	Sort      string
	Key       string
	MessageID string
	External  string
	Numbers   string
	At        time.Time
}

func (inboxItemRow) TableName() string { return "inbox_items" }

// TakenUp gives what a sender asked for under a key and was taken up; false
// where nothing was.
func (s *Store) TakenUp(ctx context.Context, sender, sort, key string) (casework.InboxItem, bool, error) {
	rows, err := gorm.G[inboxItemRow](s.db).Where("sender = ? AND sort = ? AND key = ?", sender, sort, key).Find(ctx)
	if err != nil || len(rows) == 0 {
		return casework.InboxItem{}, false, failed("look for an item", err)
	}
	r := rows[0]
	return casework.InboxItem{
		Sender: r.Sender, Sort: r.Sort, Key: r.Key, Message: r.MessageID, External: r.External, Numbers: fields(r.Numbers), At: moment(&r.At),
	}, true, nil
}

// TakeUp notes that a thing was taken up; the first note stays.
func (s *Store) TakeUp(ctx context.Context, i casework.InboxItem) error {
	row := inboxItemRow{
		Sender: i.Sender, Sort: i.Sort, Key: i.Key, MessageID: i.Message, External: i.External, Numbers: strings.Join(i.Numbers, " "), At: i.At,
	}
	return failed("note an item", s.db.WithContext(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error)
}

// RefuseRow notes that a message is a row of an exchange table that is written
// back as refused.
func (s *Store) RefuseRow(ctx context.Context, id string) error {
	return failed("note a refused row", s.db.WithContext(ctx).Exec("UPDATE inbox SET row_refused = true WHERE id = ?", id).Error)
}

// RowSettled notes that what came of a refused row was written back.
func (s *Store) RowSettled(ctx context.Context, id string) error {
	return failed("note a settled row", s.db.WithContext(ctx).Exec("UPDATE inbox SET row_refused = false WHERE id = ?", id).Error)
}

// RefusedRows gives the refused rows of a sender that were taken up since or
// about which nothing is to be done, as they were sent, with the state and the
// numbers that came of them: of a mended one, those of its last copy.
func (s *Store) RefusedRows(ctx context.Context, sender string, limit int) ([]casework.InboxMessage, error) {
	var ends []struct {
		Original string
		State    casework.InboxState
		Numbers  string
	}
	err := s.db.WithContext(ctx).Raw(`
		WITH RECURSIVE copies AS (
			SELECT id AS original, received_at AS since, id, state, numbers FROM inbox
			WHERE sender = ? AND row_refused AND state IN ('taken_up', 'mended', 'ignored')
			UNION ALL
			SELECT c.original, c.since, last.id, last.state, last.numbers
			FROM copies c CROSS JOIN LATERAL (
				SELECT id, state, numbers FROM inbox WHERE mends = c.id AND mends <> '' ORDER BY received_at DESC, id DESC LIMIT 1) last
			WHERE c.state = 'mended')
		SELECT original, state, numbers FROM copies WHERE state IN ('taken_up', 'ignored') ORDER BY since, original LIMIT ?`, sender, limit).Scan(&ends).Error
	if err != nil {
		return nil, failed("list refused rows", err)
	}
	rows := make([]casework.InboxMessage, len(ends))
	for i, end := range ends {
		if rows[i], err = s.InboxMessage(ctx, end.Original); err != nil {
			return nil, err
		}
		rows[i].State, rows[i].Numbers = end.State, fields(end.Numbers)
	}
	return rows, nil
}

// UseProof notes that a sender's proof came with some content. It tells whether
// the proof may pass: it is new, or came with the same content before.
func (s *Store) UseProof(ctx context.Context, sender, proof, kind string, body []byte, expires time.Time) (bool, error) {
	sum := sha256.Sum256([]byte(proof)) // of any length
	proof = fmt.Sprintf("%x", sum)
	content := s.inboxContent(kind, body)
	var same bool
	err := s.db.WithContext(ctx).Raw(`
		INSERT INTO used_proofs AS u (sender, proof, content, expires_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (sender, proof) DO UPDATE SET content = CASE WHEN u.expires_at < ? THEN excluded.content ELSE u.content END,
			expires_at = greatest(u.expires_at, excluded.expires_at)
		RETURNING content = ?`, sender, proof, content, expires, s.now(), content).Scan(&same).Error
	return same, failed("note a proof", err)
}

// ForgetProofs removes the proofs that no clock would let pass any more.
func (s *Store) ForgetProofs(ctx context.Context, before time.Time) error {
	return failed("forget proofs", s.db.WithContext(ctx).Exec("DELETE FROM used_proofs WHERE expires_at < ?", before).Error)
}

// Alone does something that only one process may do at a time, under a name. It
// tells whether it did: false while another one is at it.
func (s *Store) Alone(ctx context.Context, name string, do func(context.Context) error) (bool, error) {
	lent, err := s.pool.Conn(ctx)
	if err != nil {
		return false, failed("take a lock", err)
	}
	defer lent.Close()
	var locked bool
	if err := lent.QueryRowContext(ctx, "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", name).Scan(&locked); err != nil || !locked {
		return false, failed("take a lock", err)
	}
	defer func() {
		// A lock outlives its statement, and the connection goes back to the pool.
		_, _ = lent.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(hashtextextended($1, 0))", name)
	}()
	return true, do(ctx)
}
