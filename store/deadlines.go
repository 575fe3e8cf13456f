package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/curbstop/curbstop/casework"
)

type deadlineRow struct {
	CaseNumber       string `gorm:"primaryKey"`
	ID               string `gorm:"primaryKey"`
	LimitName        casework.LimitName
	Anchor           time.Time
	DueAt            *time.Time
	RemainingSeconds int64
	Stopped          bool
	Provisional      bool
	MetAt            *time.Time
	DroppedAt        *time.Time
	Body             casework.Deadline `gorm:"serializer:json"`
}

func (deadlineRow) TableName() string { return "deadlines" }

func deadlineRowOf(number string, d casework.Deadline) deadlineRow {
	return deadlineRow{
		CaseNumber: number, ID: d.ID, LimitName: d.Limit, Anchor: d.Anchor, DueAt: orNull(d.Due.At),
		RemainingSeconds: int64(d.Due.Remaining / time.Second), Stopped: d.Due.Stopped, Provisional: d.Due.Provisional,
		MetAt: orNull(d.MetAt), DroppedAt: orNull(d.DroppedAt), Body: d,
	}
}

// Deadlines lists every deadline of a case in the order of their anchors,
// those that were met or dropped too.
func (s *Store) Deadlines(ctx context.Context, number string) ([]casework.Deadline, error) {
	rows, err := gorm.G[deadlineRow](s.db).Where("case_number = ?", number).Order("anchor, id").Find(ctx)
	if err != nil {
		return nil, failed("read deadlines", err)
	}
	deadlines := make([]casework.Deadline, len(rows))
	for i, r := range rows {
		deadlines[i] = r.Body
	}
	return deadlines, nil
}
