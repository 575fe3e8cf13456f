package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/curbstop/curbstop/casework"
)

// errDiverged says that another event already has the number of one to be
// saved. The one workflow that writes a case never decides twice about the
// same number, so its history was rewritten (a reset): a person must look.
var errDiverged = errors.New("the history diverges from what is recorded")

// Save records what one decision did, with the case as it stands after it, in
// one transaction. The changes must be all that happened since the last Save.
//
// Saving again changes nothing, so a caller that does not know whether a Save
// succeeded repeats it. A Save of an older version than the one stored changes
// nothing either: it was overtaken, and what it holds is there. A Save that
// leaves a gap in the history, or that brings another event under a number
// that is taken, is refused.
func (s *Store) Save(ctx context.Context, k *casework.Case, c casework.Changes) error {
	rows, err := s.rows(k, c)
	if err != nil {
		return err
	}
	return failed("save", s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return rows.write(ctx, tx) }))
}

// caseRows are the rows of one Save, sealed before the transaction begins so
// that it is short.
type caseRows struct {
	snapshot    caseRow
	events      []eventRow
	tasks       []taskRow
	deadlines   []deadlineRow
	escalations []escalationRow
	touchpoints []touchpointRow
	documents   []documentRow
}

func (s *Store) rows(k *casework.Case, c casework.Changes) (r caseRows, err error) {
	if r.snapshot, err = s.caseRow(k); err != nil {
		return r, err
	}
	for _, e := range c.Events {
		r.events = append(r.events, s.eventRow(e))
	}
	// Ended tasks come first: one that is opened again in the same decision
	// would else meet its predecessor while that is still live.
	tasks := slices.Clone(c.Tasks)
	slices.SortStableFunc(tasks, func(a, b casework.Task) int { return live(a) - live(b) })
	// Live tasks that did not change are written too, because their due moment
	// may be the lane's, which did.
	for _, t := range k.Tasks {
		if live(t) == 1 && !slices.ContainsFunc(tasks, func(other casework.Task) bool { return other.ID == t.ID }) {
			tasks = append(tasks, t)
		}
	}
	for _, t := range tasks {
		r.tasks = append(r.tasks, s.taskRow(t, deadlineOf(t, k, c)))
	}
	for _, d := range c.Deadlines {
		r.deadlines = append(r.deadlines, deadlineRowOf(k.Number, d))
	}
	for i, e := range c.Escalations {
		// One that fired and was acknowledged in the same decision comes
		// twice; the last word counts.
		if !slices.ContainsFunc(c.Escalations[i+1:], func(later casework.Escalation) bool { return later.ID == e.ID }) {
			r.escalations = append(r.escalations, s.escalationRow(e))
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
				return &ds[i]
			}
		}
	}
	return nil
}

// write is the transaction of a Save. The case's own row comes first: its lock
// puts Saves of one case into a row, and its version alone decides which of
// them may change anything.
func (r caseRows) write(ctx context.Context, tx *gorm.DB) error {
	written, err := insert(tx, []caseRow{r.snapshot}, clause.OnConflict{
		Columns:   []clause.Column{{Name: "number"}},
		UpdateAll: true,
		Where:     clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "cases.version <= excluded.version"}}},
	})
	if err != nil {
		return err
	}
	if err := appendEvents(ctx, tx, r.events); err != nil || written == 0 {
		return err // nil if the Save was overtaken
	}
	replace := clause.OnConflict{UpdateAll: true}
	keep := clause.OnConflict{DoNothing: true}
	if _, err = insert(tx, r.tasks, replace); err == nil {
		_, err = insert(tx, r.deadlines, replace)
	}
	if err == nil {
		_, err = insert(tx, r.escalations, replace)
	}
	if err == nil {
		_, err = insert(tx, r.touchpoints, keep)
	}
	if err == nil {
		_, err = insert(tx, r.documents, keep)
	}
	return err
}

// insert writes rows in one statement and tells how many were written.
func insert[R any](tx *gorm.DB, rows []R, on clause.OnConflict) (int64, error) {
	if len(rows) == 0 {
		return 0, nil
	}
	result := tx.Clauses(on).Create(&rows)
	return result.RowsAffected, result.Error
}

// appendEvents adds events to the history. Those that are there already must
// be the same ones.
func appendEvents(ctx context.Context, tx *gorm.DB, events []eventRow) error {
	added, err := insert(tx, events, clause.OnConflict{DoNothing: true})
	if err != nil || added == int64(len(events)) {
		return err
	}
	numbers := make([]int64, len(events))
	for i, e := range events {
		numbers[i] = e.N
	}
	recorded, err := gorm.G[eventRow](tx).Where("case_number = ? AND n IN ?", events[0].CaseNumber, numbers).Order("n").Find(ctx)
	if err != nil {
		return err
	}
	if !slices.EqualFunc(events, recorded, eventRow.same) {
		return fmt.Errorf("%w: case %s", errDiverged, events[0].CaseNumber)
	}
	return nil
}

// same compares what tells events apart; sealed bytes differ each time.
func (e eventRow) same(other eventRow) bool {
	return e.N == other.N && e.Kind == other.Kind && e.Actor == other.Actor && e.Task == other.Task &&
		// PostgreSQL keeps microseconds.
		e.At.Truncate(time.Microsecond).Equal(other.At)
}
