package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/curbstop/curbstop/casework"
)

type eventRow struct {
	CaseNumber string `gorm:"primaryKey"`
	N          int64  `gorm:"primaryKey;autoIncrement:false"`
	At         time.Time
	Kind       casework.EventKind
	Actor      string
	Stage      casework.Stage
	Task       string
	NoteZH     string
	NoteEN     string
	Data       []byte
}

func (eventRow) TableName() string { return "events" }

func dataContext(number string, n int64) string { return fmt.Sprintf("event/%s/%d", number, n) }

func (s *Store) eventRow(e casework.Event) eventRow {
	return eventRow{
		CaseNumber: e.Case, N: e.N, At: e.At, Kind: e.Kind, Actor: e.Actor, Stage: e.Stage, Task: e.Task,
		NoteZH: e.Note.ZH, NoteEN: e.Note.EN, Data: s.sealBytes(e.Data, dataContext(e.Case, e.N)),
	}
}

func (s *Store) event(r eventRow) (casework.Event, error) {
	data, err := s.openBytes(r.Data, dataContext(r.CaseNumber, r.N))
	return casework.Event{
		Case: r.CaseNumber, N: r.N, At: moment(&r.At), Kind: r.Kind, Actor: r.Actor, Stage: r.Stage, Task: r.Task,
		Note: casework.Say(r.NoteZH, r.NoteEN), Data: data,
	}, err
}

// eventPlace is where an event stands in the timeline.
type eventPlace struct {
	N int64 `json:"n"`
}

var eventsByNumber = order[eventRow, eventPlace]{
	by:    "n",
	place: func(r eventRow) eventPlace { return eventPlace{r.N} },
	after: func(q query[eventRow], p eventPlace) query[eventRow] { return q.Where("n > ?", p.N) },
}

// Timeline lists the events of a case in their order. A case that does not
// exist has none.
func (s *Store) Timeline(ctx context.Context, number string, p casework.Page) ([]casework.Event, string, error) {
	rows, next, err := part(ctx, gorm.G[eventRow](s.db).Where("case_number = ?", number), eventsByNumber, p)
	if err != nil {
		return nil, "", failed("read a timeline", err)
	}
	events := make([]casework.Event, len(rows))
	for i, r := range rows {
		if events[i], err = s.event(r); err != nil {
			return nil, "", err
		}
	}
	return events, next, nil
}

// abandonedRow is an event in the table of those that were abandoned.
type abandonedRow struct {
	Event       eventRow `gorm:"embedded"`
	AbandonedAt time.Time
	ReplacedBy  int64
}

func (abandonedRow) TableName() string { return "abandoned_events" }

// AbandonedEvent is an event that was recorded and then turned out never to
// have happened for the workflow.
type AbandonedEvent struct {
	casework.Event
	AbandonedAt time.Time `json:"abandoned_at"`
	ReplacedBy  int64     `json:"replaced_by"` // the version of the case that took its place
}

// Abandoned lists for auditors the events of a case that [Store.Save] replaced,
// in the order in which it did. Only lost workflow tasks make any, so they are
// few.
func (s *Store) Abandoned(ctx context.Context, number string) ([]AbandonedEvent, error) {
	rows, err := gorm.G[abandonedRow](s.db).Where("case_number = ?", number).Order("id").Find(ctx)
	if err != nil {
		return nil, failed("read abandoned events", err)
	}
	events := make([]AbandonedEvent, len(rows))
	for i, r := range rows {
		e, err := s.event(r.Event)
		if err != nil {
			return nil, err
		}
		events[i] = AbandonedEvent{Event: e, AbandonedAt: moment(&r.AbandonedAt), ReplacedBy: r.ReplacedBy}
	}
	return events, nil
}

type touchpointRow struct {
	CaseNumber string `gorm:"primaryKey"`
	N          int    `gorm:"primaryKey;autoIncrement:false"`
	Zero       casework.Zero
	Cost       bool
	NoteZH     string
	NoteEN     string
	At         time.Time
	Actor      string
}

func (touchpointRow) TableName() string { return "touchpoints" }

func touchpointRowOf(number string, n int, t casework.Touchpoint) touchpointRow {
	return touchpointRow{
		CaseNumber: number, N: n, Zero: t.Zero, Cost: t.Cost, NoteZH: t.Note.ZH, NoteEN: t.Note.EN, At: t.At, Actor: t.By,
	}
}

// Touchpoints lists every contact with the customer of a case in their order.
func (s *Store) Touchpoints(ctx context.Context, number string) ([]casework.Touchpoint, error) {
	rows, err := gorm.G[touchpointRow](s.db).Where("case_number = ?", number).Order("n").Find(ctx)
	if err != nil {
		return nil, failed("read touchpoints", err)
	}
	touchpoints := make([]casework.Touchpoint, len(rows))
	for i, r := range rows {
		touchpoints[i] = casework.Touchpoint{
			Zero: r.Zero, Cost: r.Cost, Note: casework.Say(r.NoteZH, r.NoteEN), At: moment(&r.At), By: r.Actor,
		}
	}
	return touchpoints, nil
}

// documentRow is kept for reports by kind and time; readers of a case take its
// documents from the snapshot, which also has their titles.
type documentRow struct {
	CaseNumber string `gorm:"primaryKey"`
	ID         string `gorm:"primaryKey"`
	Kind       casework.DocumentKind
	MediaType  string
	Size       int64
	SHA256     string `gorm:"column:sha256"`
	Key        string
	Drafted    bool
	At         time.Time
	Actor      string
}

func (documentRow) TableName() string { return "documents" }

func documentRowOf(number string, d casework.Document) documentRow {
	return documentRow{
		CaseNumber: number, ID: d.ID, Kind: d.Kind, MediaType: d.MediaType, Size: d.Size, SHA256: d.SHA256, Key: d.Key,
		Drafted: d.Drafted, At: d.At, Actor: d.By,
	}
}
