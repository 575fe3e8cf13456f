package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/curbstop/curbstop/casework"
)

type holdingRow struct {
	CaseNumber     string `gorm:"primaryKey"`
	N              int    `gorm:"primaryKey;autoIncrement:false"`
	Party          casework.Party
	Stopped        bool
	FromAt         time.Time
	ToAt           *time.Time
	WorkingSeconds int64
}

func (holdingRow) TableName() string { return "holdings" }

func holdingRowOf(number string, h casework.Holding) holdingRow {
	return holdingRow{
		CaseNumber: number, N: h.N, Party: h.Party, Stopped: h.Stopped, FromAt: h.From, ToAt: orNull(h.To),
		WorkingSeconds: int64(h.Working / time.Second),
	}
}

// Holdings lists who held the clock of a case, one stretch after the other.
func (s *Store) Holdings(ctx context.Context, number string) ([]casework.Holding, error) {
	rows, err := gorm.G[holdingRow](s.db).Where("case_number = ?", number).Order("n").Find(ctx)
	if err != nil {
		return nil, failed("read who held the clock", err)
	}
	holdings := make([]casework.Holding, len(rows))
	for i, r := range rows {
		holdings[i] = casework.Holding{
			N: r.N, Party: r.Party, Stopped: r.Stopped, From: moment(&r.FromAt), To: moment(r.ToAt),
			Working: time.Duration(r.WorkingSeconds) * time.Second,
		}
	}
	return holdings, nil
}

type messageRow struct {
	ID          string  `gorm:"primaryKey"`
	CaseNumber  *string // null where it is about several cases
	Kind        casework.MessageKind
	Escalation  string
	Level       int
	Top         bool
	ToRole      casework.Role
	Person      string
	Department  casework.Department
	District    casework.District
	TextZH      string
	TextEN      string
	DueAt       *time.Time
	Provisional bool
	At          time.Time
}

func (messageRow) TableName() string { return "messages" }

func messageRowOf(m casework.Message) messageRow {
	return messageRow{
		ID: m.ID, CaseNumber: orNone(m.Case), Kind: m.Kind, Escalation: m.Escalation, Level: m.Level, Top: m.Top, ToRole: m.To, Person: m.Person,
		Department: m.Department, District: m.District, TextZH: m.Text.ZH, TextEN: m.Text.EN, DueAt: orNull(m.DueAt), Provisional: m.Provisional, At: m.At,
	}
}

func (r messageRow) message() casework.Message {
	return casework.Message{
		ID: r.ID, Case: orEmpty(r.CaseNumber), Kind: r.Kind, Escalation: r.Escalation, Level: r.Level, Top: r.Top, To: r.ToRole, Person: r.Person,
		Department: r.Department, District: r.District, Text: casework.Text{ZH: r.TextZH, EN: r.TextEN}, DueAt: moment(r.DueAt), Provisional: r.Provisional, At: moment(&r.At),
	}
}
