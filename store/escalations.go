package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/curbstop/curbstop/casework"
)

type escalationRow struct {
	ID                string `gorm:"primaryKey"`
	CaseNumber        string
	Deadline          string
	LimitName         casework.LimitName
	Rung              casework.RungName
	Level             int
	ToRole            casework.Role
	Department        casework.Department
	Holder            string
	District          casework.District
	DueAt             *time.Time
	Provisional       bool
	RungAt            *time.Time
	FiredAt           time.Time
	AcknowledgedAt    *time.Time
	AcknowledgedBy    string
	Note              []byte
	AnswerDueAt       *time.Time
	AnswerProvisional bool
	Climbs            []casework.Climb `gorm:"serializer:json"`
	Answer            casework.AnswerKind
	AnsweredAt        *time.Time
	AnsweredBy        string
	AnswerNote        []byte
	ClosedAt          *time.Time
	ClosedBy          string
	Closing           casework.Closing
}

func (escalationRow) TableName() string { return "escalations" }

func noteContext(escalationID string) string { return "escalation/" + escalationID }

func (s *Store) escalationRow(e casework.Escalation) escalationRow {
	return escalationRow{
		ID: e.ID, CaseNumber: e.Case, Deadline: e.Deadline, LimitName: e.Limit, Rung: e.Rung, Level: e.Level, ToRole: e.To,
		Department: e.Department, Holder: e.Holder, District: e.District, DueAt: orNull(e.DueAt), Provisional: e.Provisional, RungAt: orNull(e.RungAt),
		FiredAt: e.FiredAt, AcknowledgedAt: orNull(e.AcknowledgedAt), AcknowledgedBy: e.AcknowledgedBy,
		// Sealed, because people write names and numbers into notes.
		Note:        s.sealBytes([]byte(e.Note), noteContext(e.ID)),
		AnswerDueAt: orNull(e.AnswerDueAt), AnswerProvisional: e.AnswerProvisional, Climbs: append([]casework.Climb{}, e.Climbs...), Answer: e.Answer, AnsweredAt: orNull(e.AnsweredAt),
		AnsweredBy: e.AnsweredBy, AnswerNote: s.sealBytes([]byte(e.AnswerNote), noteContext(e.ID)),
		ClosedAt: orNull(e.ClosedAt), ClosedBy: e.ClosedBy, Closing: e.Closing,
	}
}

func (s *Store) escalation(r escalationRow) (casework.Escalation, error) {
	note, err := s.openBytes(r.Note, noteContext(r.ID))
	if err != nil {
		return casework.Escalation{}, err
	}
	answer, err := s.openBytes(r.AnswerNote, noteContext(r.ID))
	e := casework.Escalation{
		ID: r.ID, Case: r.CaseNumber, Deadline: r.Deadline, Limit: r.LimitName, Rung: r.Rung, Level: r.Level, To: r.ToRole,
		Department: r.Department, Holder: r.Holder, District: r.District, DueAt: moment(r.DueAt), Provisional: r.Provisional, RungAt: moment(r.RungAt),
		FiredAt: moment(&r.FiredAt), AcknowledgedAt: moment(r.AcknowledgedAt), AcknowledgedBy: r.AcknowledgedBy, Note: string(note),
		AnswerDueAt: moment(r.AnswerDueAt), AnswerProvisional: r.AnswerProvisional, Answer: r.Answer, AnsweredAt: moment(r.AnsweredAt), AnsweredBy: r.AnsweredBy, AnswerNote: string(answer),
		ClosedAt: moment(r.ClosedAt), ClosedBy: r.ClosedBy, Closing: r.Closing,
	}
	for _, c := range r.Climbs {
		e.Climbs = append(e.Climbs, casework.Climb{To: c.To, At: moment(&c.At)})
	}
	return e, err
}

// Escalation gives one rung that fired.
func (s *Store) Escalation(ctx context.Context, id string) (casework.Escalation, error) {
	row, err := gorm.G[escalationRow](s.db).Where("id = ?", id).Take(ctx)
	if err != nil {
		return casework.Escalation{}, found("read an escalation", err, escalationNotFound())
	}
	return s.escalation(row)
}

// escalationPlace is where an escalation stands in the list.
type escalationPlace struct {
	Fired time.Time `json:"fired"`
	ID    string    `json:"id"`
}

var newestEscalations = order[escalationRow, escalationPlace]{
	by:    "fired_at DESC, id DESC",
	place: func(r escalationRow) escalationPlace { return escalationPlace{r.FiredAt, r.ID} },
	after: func(q query[escalationRow], p escalationPlace) query[escalationRow] {
		return q.Where("(fired_at, id) < (?, ?)", p.Fired, p.ID)
	},
}

// escalationStates are the conditions behind [casework.Escalation.State].
var escalationStates = map[casework.EscalationState]string{
	casework.EscalationWaiting:      "closed_at IS NULL AND answered_at IS NULL AND NOT " + escalationOwned,
	casework.EscalationAcknowledged: "closed_at IS NULL AND answered_at IS NULL AND " + escalationOwned,
	casework.EscalationReplied:      "closed_at IS NULL AND answered_at IS NOT NULL",
	casework.EscalationOver:         "closed_at IS NOT NULL",
}

// escalationOwned is true where it was acknowledged after it climbed last.
const escalationOwned = "coalesce(acknowledged_at > coalesce((climbs->-1->>'at')::timestamptz, '-infinity'), false)"

// Escalations lists rungs that fired, the newest first.
func (s *Store) Escalations(ctx context.Context, f casework.EscalationFilter) ([]casework.Escalation, string, error) {
	q := gorm.G[escalationRow](s.db).Scopes()
	q = equal(q, "case_number", f.Case)
	q = equal(q, "to_role", f.To)
	q = equal(q, "department", f.Department)
	q = anyOf(q, "district", f.Districts)
	if f.Level > 0 {
		q = q.Where("level >= ?", f.Level)
	}
	if f.Open {
		q = q.Where("closed_at IS NULL")
	}
	if condition, ok := escalationStates[f.State]; ok {
		q = q.Where(condition)
	}
	if f.Mine.ID != "" {
		q = q.Where("(acknowledged_by = ? OR coalesce(nullif(to_role, ''), department) IN ?)", f.Mine.ID, append([]casework.Role{""}, f.Mine.Roles...))
	}
	rows, next, err := part(ctx, q, newestEscalations, f.Page)
	if err != nil {
		return nil, "", failed("list escalations", err)
	}
	escalations := make([]casework.Escalation, len(rows))
	for i, r := range rows {
		if escalations[i], err = s.escalation(r); err != nil {
			return nil, "", err
		}
	}
	return escalations, next, nil
}
