// Package store keeps cases, their records and the tables around them in
// PostgreSQL. It turns rows into the types of casework at its door, so nobody
// else knows a column.
//
// A case is written by its workflow alone, through [Store.Save]; people's reads
// come from here, never from a workflow. Saving is idempotent: repeated, late
// and overtaken calls change nothing. What a workflow recorded and then forgot,
// because its task failed, gives way to what it decides later. What must not go
// wrong the schema refuses as well: a gap in a history, a changed or lost event,
// two live tasks that nobody could tell apart.
//
// Personal data lies sealed in columns of type bytea; see package seal. In the
// clear stand only what lists must filter, sort and show, with natural persons
// masked.
package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/seal"
)

// Options says how to open a store.
type Options struct {
	Ring     *seal.Ring // seals and opens personal data
	MaxConns int        // connections to PostgreSQL at most; 0 means 20
	// Now tells the time by which "overdue" is derived and by which what
	// carries no time of its own is stamped; nil means [time.Now].
	Now func() time.Time
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	db   *gorm.DB
	pool *sql.DB
	ring *seal.Ring
	now  func() time.Time

	words   scribe
	numbers numbers                          // drawn ahead
	notices atomic.Pointer[calendar.Notices] // the version in force when it was last asked for
}

// Open connects to the database at a postgres:// URL, whose schema [Migrate]
// has brought up to date. It fails at once where the database does not answer.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	if o.Ring == nil {
		return nil, fmt.Errorf("store: a store needs a ring of keys")
	}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err) // pgx leaves the password out
	}
	if o.MaxConns == 0 {
		o.MaxConns = 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{pool: stdlib.OpenDB(*config), ring: o.Ring, now: o.Now}
	s.pool.SetMaxOpenConns(o.MaxConns)
	// A connection that is closed takes its prepared statements with it, so
	// the idle ones are kept for a while.
	s.pool.SetMaxIdleConns(o.MaxConns)
	s.pool.SetConnMaxIdleTime(5 * time.Minute)
	s.db, err = gorm.Open(postgres.New(postgres.Config{Conn: s.pool}), &gorm.Config{
		// gorm would log statements with their values, which are personal.
		Logger:               logger.Discard,
		TranslateError:       true,
		QueryFields:          true, // name the columns: lists must not fetch sealed snapshots
		DisableAutomaticPing: true, // it knows no context
		// Single statements need no transaction of their own. Statements are
		// prepared by pgx, which keeps the last 512 of each connection; a
		// second cache in gorm would grow with every length of a batch.
		SkipDefaultTransaction: true,
	})
	s.words.db = s.db
	if err == nil {
		err = s.Ping(ctx)
	}
	if err != nil {
		_ = s.pool.Close()
		return nil, failed("open", err)
	}
	return s, nil
}

// Close waits for what is under way and closes the connections.
func (s *Store) Close() error { return failed("close", s.pool.Close()) }

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return failed("ping", s.pool.PingContext(ctx)) }

// seal marshals and encrypts a value for the row that context names.
func (s *Store) seal(v any, context string) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("store: seal %s: %w", context, err)
	}
	return s.ring.Seal(plain, context), nil
}

// open is the inverse of [Store.seal].
func (s *Store) open(sealed []byte, context string, into any) error {
	plain, err := s.ring.Open(sealed, context)
	if err != nil {
		return fmt.Errorf("store: open %s: %w", context, err)
	}
	if err := json.Unmarshal(plain, into); err != nil {
		return fmt.Errorf("store: read %s: %w", context, err)
	}
	return nil
}

// sealBytes encrypts bytes; nothing stays nothing.
func (s *Store) sealBytes(plain []byte, context string) []byte {
	if len(plain) == 0 {
		return nil
	}
	return s.ring.Seal(plain, context)
}

// openBytes is the inverse of [Store.sealBytes].
func (s *Store) openBytes(sealed []byte, context string) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	plain, err := s.ring.Open(sealed, context)
	if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", context, err)
	}
	return plain, nil
}

// orNull is how a moment that may be missing is stored.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// moment is the inverse of [orNull]. Every moment leaves the store in the time
// of Shanghai, whatever the machine's own.
func moment(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.In(calendar.Shanghai)
}
