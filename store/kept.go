package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/curbstop/curbstop/casework"
)

type keptRow struct {
	ID       int64
	List     string
	Line     int
	Number   string
	Body     []byte
	KeptAt   time.Time
	KeptBy   string
	MendedAt *time.Time
	Content  string
}

func (keptRow) TableName() string { return "kept_rows" }

// keptBody is the sealed part: cells hold whatever a person wrote, and faults
// may repeat it.
type keptBody struct {
	Cells  []casework.Cell       `json:"cells"`
	Faults []casework.FieldFault `json:"faults"`
}

func keptContext(list string, line int) string { return fmt.Sprintf("kept/%s/%d", list, line) }

// KeepRows keeps rows that could not be understood. A list that is sent again
// as it was keeps nothing twice. A line that came with other cells is kept
// beside the first, which counts as mended: what arrived is never overwritten.
func (s *Store) KeepRows(ctx context.Context, rows []casework.KeptRow) error {
	kept := make([]keptRow, len(rows))
	for i, r := range rows {
		body, err := s.seal(keptBody{r.Cells, r.Faults}, keptContext(r.List, r.Line))
		if err != nil {
			return err
		}
		at := r.KeptAt
		if at.IsZero() {
			at = s.now()
		}
		cells, err := json.Marshal(r.Cells)
		if err != nil {
			return fmt.Errorf("store: the cells of a kept row: %w", err)
		}
		kept[i] = keptRow{
			List: r.List, Line: r.Line, Number: r.Number, Body: body, KeptAt: at, KeptBy: r.KeptBy, MendedAt: orNull(r.MendedAt),
			Content: s.ring.Index(string(cells)),
		}
	}
	// A list may have more rows than one statement takes parameters.
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		for _, r := range kept {
			mended := tx.Model(&keptRow{}).Where("list = ? AND line = ? AND content <> ? AND mended_at IS NULL", r.List, r.Line, r.Content)
			if err := mended.Update("mended_at", r.KeptAt).Error; err != nil {
				return err
			}
		}
		return tx.Clauses(clause.OnConflict{
			Columns: []clause.Column{{Name: "list"}, {Name: "line"}, {Name: "content"}}, DoNothing: true,
		}).CreateInBatches(kept, 500).Error
	})
	return failed("keep rows", err)
}

// MendRows notes that lines of a list, sent again, were understood.
func (s *Store) MendRows(ctx context.Context, list string, lines []int, at time.Time) error {
	mended := s.db.WithContext(ctx).Model(&keptRow{}).Where("list = ? AND line IN ? AND mended_at IS NULL", list, lines)
	return failed("mend rows", mended.Update("mended_at", at).Error)
}

// keptPlace is where a kept row stands in the list.
type keptPlace struct {
	ID int64 `json:"kept"`
}

var oldestKept = order[keptRow, keptPlace]{
	by:    "id",
	place: func(r keptRow) keptPlace { return keptPlace{r.ID} },
	after: func(q query[keptRow], p keptPlace) query[keptRow] { return q.Where("id > ?", p.ID) },
}

// KeptRows lists the kept rows of one list, or of all where list is empty, in
// the order in which they were kept.
func (s *Store) KeptRows(ctx context.Context, list string, p casework.Page) ([]casework.KeptRow, string, error) {
	rows, next, err := part(ctx, equal(gorm.G[keptRow](s.db).Scopes(), "list", list), oldestKept, p)
	if err != nil {
		return nil, "", failed("list kept rows", err)
	}
	kept := make([]casework.KeptRow, len(rows))
	for i, r := range rows {
		var body keptBody
		if err := s.open(r.Body, keptContext(r.List, r.Line), &body); err != nil {
			return nil, "", err
		}
		kept[i] = casework.KeptRow{
			ID: r.ID, List: r.List, Line: r.Line, Number: r.Number, Cells: body.Cells, Faults: body.Faults,
			KeptAt: moment(&r.KeptAt), KeptBy: r.KeptBy, MendedAt: moment(r.MendedAt),
		}
	}
	return kept, next, nil
}
