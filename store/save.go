package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm/schema"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// errDiverged says that two different events claim the same number at the same
// moment. No workflow does that, however often it decides anew, so there is a
// mistake in the program: a person must look.
var errDiverged = errors.New("the history diverges from what is recorded")

// Save records what one decision did, with the case as it stands after it, in
// one transaction. The changes must be all that happened since the last Save.
//
// The workflow is the only truth about a case, and it may forget: if the task
// in which it decided fails after the Save, it is run again from before, later,
// and may decide something else. Nobody was told of what it forgot. So where
// the changes bring another event under a number that is taken, the moments at
// which the two were decided judge between them:
//
//   - Later than what is recorded, they replace it. The recorded events from
//     that number on are moved to where [Store.Abandoned] finds them, and all
//     that came with them is undone. The case may have fewer events after this.
//   - Earlier, they come from an attempt that was itself forgotten, and change
//     nothing. This holds too for numbers not taken yet, if what is recorded
//     before them was decided later.
//   - At the same moment they can't differ: the Save is refused.
//
// Until the workflow decides anew, readers see what it forgot.
//
// Saving again changes nothing, so a caller that does not know whether a Save
// succeeded repeats it. A Save that leaves a gap in the history is refused.
// Neither refusal is a [casework.Fault], nor does repeating the Save help; but
// nothing is lost by repeating it until a person has looked.
//
// Changes without events, such as due moments alone, carry no moment and
// replace nothing: they are recorded if the case's version is the one stored,
// and change nothing if it is an older one.
func (s *Store) Save(ctx context.Context, k *casework.Case, c casework.Changes) error {
	rows, err := s.rows(k, c)
	if err != nil {
		return err
	}
	return failed("save", s.lend(ctx, func(c *pgx.Conn) error {
		err := rows.write(ctx, c, &s.words)
		if c.IsClosed() || c.PgConn().TxStatus() == idle {
			return err
		}
		// Nothing was to be written, or it failed: the case's lock is let go at once.
		// Where there is no time left for it, the server does it for a connection that is gone.
		if _, fault := c.Exec(ctx, "ROLLBACK"); fault != nil {
			return errors.Join(err, fault, c.Close(ctx))
		}
		return err
	}))
}

// idle is a connection's state outside a transaction.
const idle = 'I'

// transact gives a transaction in which statements can be sent many at a time.
func (s *Store) transact(ctx context.Context, do func(tx pgx.Tx) error) error {
	return s.lend(ctx, func(c *pgx.Conn) error { return pgx.BeginFunc(ctx, c, do) })
}

// lend gives a connection. database/sql, which knows no batches, lends it.
func (s *Store) lend(ctx context.Context, do func(c *pgx.Conn) error) error {
	lent, err := s.pool.Conn(ctx)
	if err != nil {
		return err
	}
	err = lent.Raw(func(c any) error {
		connection, ok := c.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the driver's connection is a %T", c)
		}
		return do(connection.Conn())
	})
	return errors.Join(err, lent.Close())
}

// caseRows are the rows of one Save, sealed before the transaction begins so
// that it is short.
type caseRows struct {
	at          time.Time // when they are saved
	since       int64     // the number of the first event
	snapshot    caseRow
	events      []eventRow
	tasks       []taskRow
	deadlines   []deadlineRow
	escalations []escalationRow
	touchpoints []touchpointRow
	documents   []documentRow
	messages    []messageRow
	moot        []string // the IDs of messages
	holdings    []holdingRow
	// What is live but did not change. Only rows that an abandoned attempt may
	// have changed are put right by it. Tasks need none of it, because all live
	// ones are among the tasks; touchpoints and documents never change.
	standingDeadlines   []deadlineRow
	standingEscalations []escalationRow
	standingHoldings    []holdingRow
}

// sinceRow is a row with the number of the event with which it was first
// recorded, which later writes of the row leave alone. Only writing and taking
// back know it.
type sinceRow[R schema.Tabler] struct {
	Row   R     `gorm:"embedded"`
	Since int64 `gorm:"<-:create"`
}

// TableName implements [schema.Tabler].
func (r sinceRow[R]) TableName() string { return r.Row.TableName() }

func (s *Store) rows(k *casework.Case, c casework.Changes) (r caseRows, err error) {
	if r.snapshot, err = s.caseRow(k); err != nil {
		return r, err
	}
	r.at, r.since = s.now(), k.Version-int64(len(c.Events))+1
	for _, e := range c.Events {
		r.events = append(r.events, s.eventRow(e))
	}
	// Ended tasks come first: one that is opened again in the same decision
	// would else meet its predecessor while that is still live.
	tasks := slices.Clone(c.Tasks)
	slices.SortStableFunc(tasks, func(a, b casework.Task) int { return live(a) - live(b) })
	// Live tasks that did not change are written too, because the lane's limit,
	// which makes them urgent, may have moved.
	for _, t := range k.Tasks {
		if live(t) == 1 && !slices.ContainsFunc(tasks, func(other casework.Task) bool { return other.ID == t.ID }) {
			tasks = append(tasks, t)
		}
	}
	for _, t := range tasks {
		r.tasks = append(r.tasks, s.taskRow(t, deadlineOf(t, k, c), k.Urgency(&t)))
	}
	for _, d := range c.Deadlines {
		r.deadlines = append(r.deadlines, deadlineRowOf(k.Number, d))
	}
	for _, d := range k.Deadlines {
		if !slices.ContainsFunc(c.Deadlines, func(changed casework.Deadline) bool { return changed.ID == d.ID }) {
			r.standingDeadlines = append(r.standingDeadlines, deadlineRowOf(k.Number, d))
		}
	}
	for i, e := range c.Escalations {
		// One that fired and was acknowledged in the same decision comes
		// twice; the last word counts.
		if !slices.ContainsFunc(c.Escalations[i+1:], func(later casework.Escalation) bool { return later.ID == e.ID }) {
			r.escalations = append(r.escalations, s.escalationRow(e))
		}
	}
	for _, e := range k.Escalations {
		if !slices.ContainsFunc(c.Escalations, func(changed casework.Escalation) bool { return changed.ID == e.ID }) {
			r.standingEscalations = append(r.standingEscalations, s.escalationRow(e))
		}
	}
	// The case counts its touchpoints, so those of this decision have the last
	// numbers.
	for i, t := range c.Touchpoints {
		r.touchpoints = append(r.touchpoints, touchpointRowOf(k.Number, k.Contacts-len(c.Touchpoints)+1+i, t))
	}
	for _, d := range c.Documents {
		r.documents = append(r.documents, documentRowOf(k.Number, d))
	}
	for _, m := range c.Messages {
		r.messages = append(r.messages, messageRowOf(m))
	}
	r.moot = c.Moot
	for _, h := range c.Holdings {
		r.holdings = append(r.holdings, holdingRowOf(k.Number, h))
	}
	if now := k.Clock.Now; now.N > 0 && len(c.Holdings) == 0 {
		r.standingHoldings = append(r.standingHoldings, holdingRowOf(k.Number, now))
	}
	return r, nil
}

func live(t casework.Task) int {
	if t.State == casework.TaskOpen {
		return 1
	}
	return 0
}

// deadlineOf is the deadline by which a task is shown: its own, else the
// lane's; nil when it has neither.
func deadlineOf(t casework.Task, k *casework.Case, c casework.Changes) *casework.Deadline {
	for _, id := range []string{t.ID, casework.LaneDeadline} {
		for _, ds := range [][]casework.Deadline{c.Deadlines, k.Deadlines} {
			if i := slices.IndexFunc(ds, func(d casework.Deadline) bool { return d.ID == id }); i >= 0 {
				if ds[i].Budget == (calendar.Budget{}) {
					break // the case's policy has no limit for it
				}
				return &ds[i]
			}
		}
	}
	return nil
}

// write is the transaction of a Save. It takes few round trips, for they are
// what many Saves at once wait for: one to begin, lock and look, one to write
// and commit. Where it returns with the transaction open, nothing was written.
func (r caseRows) write(ctx context.Context, c *pgx.Conn, words *scribe) error {
	recorded, err := r.lock(ctx, c, words)
	if err != nil {
		return err
	}
	ruling, err := r.judge(recorded)
	if err != nil || ruling == nothingNew {
		return err
	}
	var b pgx.Batch
	if ruling == laterTruth {
		r.abandon(&b)
		r.deadlines = append(r.deadlines, r.standingDeadlines...)
		r.escalations = append(r.escalations, r.standingEscalations...)
		r.holdings = append(r.holdings, r.standingHoldings...)
	}
	r.noteProgress(&b, ruling)
	err = errors.Join(
		insert(&b, words, []caseRow{r.snapshot}, replace),
		insert(&b, words, r.events, keep),
		insert(&b, words, since(r.since, r.tasks), unlessStanding),
		insert(&b, words, since(r.since, r.deadlines), replace),
		insert(&b, words, since(r.since, r.escalations), replace),
		insert(&b, words, since(r.since, r.touchpoints), keep),
		insert(&b, words, since(r.since, r.documents), keep),
		insert(&b, words, since(r.since, r.messages), toldAgain),
		insert(&b, words, since(r.since, r.holdings), replace),
	)
	if err != nil {
		return err
	}
	if len(r.moot) > 0 {
		b.Queue("UPDATE messages SET moot_since = $1 WHERE id = ANY($2) AND moot_since IS NULL", r.since, r.moot)
	}
	b.Queue("COMMIT")
	return c.SendBatch(ctx, &b).Close()
}

// history is what is recorded of a case: its version, and the events under the
// numbers of a Save with the last one before them.
type history struct {
	version int64
	events  []eventRow // only what tells them apart
}

// lock takes the lock on the case's own row, which puts Saves of one case into
// a line, and tells what is recorded. A case that is not there yet is inserted:
// of two that are first, one inserts it and the other waits for that.
func (r caseRows) lock(ctx context.Context, c *pgx.Conn, words *scribe) (history, error) {
	line := &r.snapshot.Line
	for {
		var stored history
		var look pgx.Batch
		if c.PgConn().TxStatus() == idle {
			look.Queue("BEGIN")
		}
		look.Queue("SELECT version FROM cases WHERE number = $1 FOR UPDATE", line.Number).
			QueryRow(func(row pgx.Row) error { return row.Scan(&stored.version) })
		// A statement of its own, which sees what the lock was waited for.
		look.Queue("SELECT n, at, kind, actor, task FROM events WHERE case_number = $1 AND n BETWEEN least($2, (SELECT version FROM cases WHERE number = $1)) AND $3 ORDER BY n",
			line.Number, r.since-1, line.Version).
			Query(func(rows pgx.Rows) (err error) {
				stored.events, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (e eventRow, err error) {
					return e, row.Scan(&e.N, &e.At, &e.Kind, &e.Actor, &e.Task)
				})
				return err
			})
		err := c.SendBatch(ctx, &look).Close()
		if !errors.Is(err, pgx.ErrNoRows) {
			return stored, err
		}
		inserted := false
		var first pgx.Batch
		if err := insert(&first, words, []caseRow{r.snapshot}, keep); err != nil {
			return history{}, err
		}
		first.QueuedQueries[0].Exec(func(tag pgconn.CommandTag) error {
			inserted = tag.RowsAffected() == 1
			return nil
		})
		if err := c.SendBatch(ctx, &first).Close(); err != nil || inserted {
			return history{}, err
		}
	}
}

// ruling is what becomes of a Save.
type ruling int

const (
	nothingNew ruling = iota // it is there already, or was overtaken or abandoned
	nextTruth                // it follows what is recorded
	laterTruth               // it replaces what is recorded from its first event on
)

// judge compares what is to be saved with what is recorded. The lock is held.
func (r caseRows) judge(stored history) (ruling, error) {
	if len(r.events) == 0 {
		if r.snapshot.Line.Version < stored.version {
			return nothingNew, nil
		}
		return nextTruth, nil
	}
	recorded := stored.events
	first := r.events[0]
	if len(recorded) > 0 && recorded[0].N < first.N {
		if first.moment().Before(recorded[0].At) {
			return nothingNew, nil
		}
		recorded = recorded[1:]
	}
	if len(recorded) == 0 {
		return nextTruth, nil
	}
	if order := first.moment().Compare(recorded[0].At); order > 0 {
		return laterTruth, nil
	} else if order < 0 {
		return nothingNew, nil
	}
	both := min(len(r.events), len(recorded))
	switch {
	case !slices.EqualFunc(r.events[:both], recorded[:both], eventRow.same):
		return nothingNew, fmt.Errorf("%w: case %s from event %d on", errDiverged, first.CaseNumber, first.N)
	case both == len(r.events):
		return nothingNew, nil
	}
	return nextTruth, nil
}

// abandon takes back what is recorded from the first event on. Rows that are
// older but were changed since are written anew by who calls it: what has ended
// in truth is among the changes, or had ended before and can't have changed.
func (r caseRows) abandon(b *pgx.Batch) {
	const columns = "case_number, n, at, kind, actor, stage, task, note_zh, note_en, data"
	number := r.snapshot.Line.Number
	// The guard of events lets go only what it sees kept, so it is kept first.
	b.Queue("INSERT INTO abandoned_events ("+columns+", abandoned_at, replaced_by) SELECT "+columns+", $1, $2 FROM events WHERE case_number = $3 AND n >= $4 ORDER BY n",
		r.at, r.snapshot.Line.Version, number, r.since)
	b.Queue("DELETE FROM events WHERE case_number = $1 AND n >= $2", number, r.since)
	for _, table := range []schema.Tabler{taskRow{}, deadlineRow{}, escalationRow{}, touchpointRow{}, documentRow{}, holdingRow{}} {
		b.Queue("DELETE FROM "+table.TableName()+" WHERE case_number = $1 AND since >= $2", number, r.since)
	}
	r.abandonMessages(b)
}

// since makes rows remember with which event they were recorded.
func since[R schema.Tabler](n int64, rows []R) []sinceRow[R] {
	remembered := make([]sinceRow[R], len(rows))
	for i, row := range rows {
		remembered[i] = sinceRow[R]{row, n}
	}
	return remembered
}

// same compares what tells events apart; sealed bytes differ each time.
func (e eventRow) same(other eventRow) bool {
	return e.N == other.N && e.Kind == other.Kind && e.Actor == other.Actor && e.Task == other.Task && e.moment().Equal(other.At)
}

// moment is when the event happened as PostgreSQL keeps it, in microseconds.
func (e eventRow) moment() time.Time { return e.At.Truncate(time.Microsecond) }
