package store

import (
	"context"
	"time"
)

// BindKey notes what came with an Idempotency-Key; content is a blind index of
// it. It tells whether that may pass, because the key is new or came with the
// same before, and whether it is new.
func (s *Store) BindKey(ctx context.Context, key, content string) (same, fresh bool, err error) {
	var row struct{ Same, Fresh bool }
	err = s.db.WithContext(ctx).Raw(`
		INSERT INTO idempotency_keys AS k (key, content, at) VALUES (?, ?, ?)
		ON CONFLICT (key) DO UPDATE SET at = excluded.at
		RETURNING k.content = ? AS same, k.xmax = 0 AS fresh`, key, content, s.now(), content).Scan(&row).Error
	return row.Same, row.Fresh, failed("bind a key", err)
}

// FreeKey forgets a key under which nothing was done.
func (s *Store) FreeKey(ctx context.Context, key string) error {
	return failed("free a key", s.db.WithContext(ctx).Exec("DELETE FROM idempotency_keys WHERE key = ?", key).Error)
}

// ForgetKeys removes the keys that came last before a moment: nobody repeats
// those any more.
func (s *Store) ForgetKeys(ctx context.Context, before time.Time) error {
	return failed("forget keys", s.db.WithContext(ctx).Exec("DELETE FROM idempotency_keys WHERE at < ?", before).Error)
}
