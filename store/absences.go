package store

import (
	"context"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/curbstop/curbstop/casework"
)

type absenceRow struct {
	ID        string `gorm:"primaryKey"`
	Person    string
	Deputy    *string
	FromAt    time.Time
	ToAt      time.Time
	Reason    []byte
	EnteredBy string
	EnteredAt time.Time
	EndedAt   *time.Time
	EndedBy   string
	Started   bool
}

func (absenceRow) TableName() string { return "absences" }

func absenceContext(id string) string { return "absence/" + id }

func absenceNotFound() *casework.Fault {
	return casework.Refuse(casework.NotFound, "absence_not_found", casework.Say("没有这条缺勤记录", "there is no such absence"))
}

func (s *Store) absences(ctx context.Context, rows []absenceRow) ([]casework.Absence, error) {
	list := make([]casework.Absence, len(rows))
	causes := make([]string, len(rows))
	for i, r := range rows {
		list[i] = casework.Absence{
			ID: r.ID, Person: r.Person, Deputy: orEmpty(r.Deputy), From: moment(&r.FromAt), To: moment(&r.ToAt), By: r.EnteredBy,
			At: moment(&r.EnteredAt), EndedAt: moment(r.EndedAt), EndedBy: r.EndedBy,
		}
		if err := s.open(r.Reason, absenceContext(r.ID), &list[i].Reason); err != nil {
			return nil, err
		}
		causes[i] = list[i].Cause()
	}
	handed, err := s.handed(ctx, causes)
	for i := range list {
		list[i].Handed = handed[causes[i]]
	}
	return list, err
}

// orEmpty is the inverse of [orNone].
func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// orNone is how a reference that may be missing is stored.
func orNone(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// lockStaff keeps what is entered about the same people apart: it lasts until
// the transaction ends.
func lockStaff(tx *gorm.DB, ids ...string) error {
	var locked []string
	return tx.Raw("SELECT id FROM staff WHERE id IN ? ORDER BY id FOR UPDATE", ids).Scan(&locked).Error
}

// touching selects the absences that touch a stretch of time.
func touching(q query[absenceRow], from, to time.Time) query[absenceRow] {
	// An absence that was cancelled ended before it began and touches nothing.
	return q.Where("from_at < ? AND COALESCE(ended_at, to_at) > ? AND COALESCE(ended_at, to_at) > from_at", to, from)
}

// AddAbsence writes an absence down, once for its ID: a repeat gives the first,
// and created is false. It refuses a person or a deputy who is absent at the
// same time. Somebody who is to stand in for others may be absent all the same:
// what would go to them goes to the department.
func (s *Store) AddAbsence(ctx context.Context, a casework.Absence) (got casework.Absence, created bool, err error) {
	reason, err := s.seal(a.Reason, absenceContext(a.ID))
	if err != nil {
		return got, false, err
	}
	row := absenceRow{
		ID: a.ID, Person: a.Person, Deputy: orNone(a.Deputy), FromAt: a.From, ToAt: a.To, Reason: reason, EnteredBy: a.By, EnteredAt: a.At,
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		people := []string{a.Person}
		if a.Deputy != "" {
			people = append(people, a.Deputy)
		}
		if err := lockStaff(tx, people...); err != nil {
			return err
		}
		n, err := gorm.G[absenceRow](tx).Where("id = ?", a.ID).Count(ctx, "id")
		if err != nil || n > 0 {
			return err
		}
		there, err := touching(gorm.G[absenceRow](tx).Where("person IN ?", people), a.From, a.To).Order("from_at").Limit(1).Find(ctx)
		if err != nil {
			return err
		}
		if len(there) > 0 {
			found, err := s.absences(ctx, there)
			if err != nil {
				return err
			}
			return a.Overlapping(found[0])
		}
		created = true
		return tx.Create(&row).Error
	})
	if err != nil {
		return got, false, failed("enter an absence", err)
	}
	got, err = s.Absence(ctx, a.ID)
	return got, created, err
}

// Absence gives one absence.
func (s *Store) Absence(ctx context.Context, id string) (casework.Absence, error) {
	row, err := gorm.G[absenceRow](s.db).Where("id = ?", id).Take(ctx)
	if err != nil {
		return casework.Absence{}, found("read an absence", err, absenceNotFound())
	}
	list, err := s.absences(ctx, []absenceRow{row})
	if err != nil {
		return casework.Absence{}, err
	}
	return list[0], nil
}

// EndAbsence ends an absence at a moment, or cancels one that has not begun.
// One that was ended before stays as it is; one that is over is refused.
func (s *Store) EndAbsence(ctx context.Context, id, by string, at time.Time) (casework.Absence, error) {
	n, err := gorm.G[absenceRow](s.db).Where("id = ? AND ended_at IS NULL AND to_at > ?", id, at).
		Set(clause.Assignment{Column: clause.Column{Name: "ended_at"}, Value: at}, clause.Assignment{Column: clause.Column{Name: "ended_by"}, Value: by}).
		Update(ctx)
	if err != nil {
		return casework.Absence{}, failed("end an absence", err)
	}
	a, err := s.Absence(ctx, id)
	if err == nil && n == 0 && a.EndedAt.IsZero() {
		return casework.Absence{}, casework.Refuse(casework.Conflict, "absence_over",
			casework.Sayf("缺勤已于 %s 结束", "the absence was over at %s", casework.Clock(a.To)))
	}
	return a, err
}

// AbsencesOf lists the absences of these persons that touch a stretch of time,
// the earliest first.
func (s *Store) AbsencesOf(ctx context.Context, persons []string, from, to time.Time) ([]casework.Absence, error) {
	if len(persons) == 0 {
		return nil, nil
	}
	rows, err := touching(gorm.G[absenceRow](s.db).Where("person IN ?", persons), from, to).Order("from_at, id").Find(ctx)
	if err != nil {
		return nil, failed("look for absences", err)
	}
	return s.absences(ctx, rows)
}

// absencePlace is where an absence stands in the list.
type absencePlace struct {
	From time.Time `json:"from"`
	ID   string    `json:"absence"`
}

var latestAbsences = order[absenceRow, absencePlace]{
	by:    "from_at DESC, id DESC",
	place: func(r absenceRow) absencePlace { return absencePlace{r.FromAt, r.ID} },
	after: func(q query[absenceRow], p absencePlace) query[absenceRow] {
		return q.Where("(from_at, id) < (?, ?)", p.From, p.ID)
	},
}

// Absences lists absences, the latest first.
func (s *Store) Absences(ctx context.Context, f casework.AbsenceFilter) ([]casework.Absence, string, error) {
	now := s.now()
	q := equal(gorm.G[absenceRow](s.db).Scopes(), "person", f.Person)
	if f.Involving != "" {
		q = q.Where("(person = ? OR deputy = ?)", f.Involving, f.Involving)
	}
	switch f.State {
	case "":
	case casework.AbsenceComing:
		q = q.Where("ended_at IS NULL AND from_at > ?", now)
	case casework.AbsenceCurrent:
		q = q.Where("from_at <= ? AND COALESCE(ended_at, to_at) > ?", now, now)
	case casework.AbsenceEnded:
		q = q.Where("COALESCE(ended_at, to_at) > from_at AND COALESCE(ended_at, to_at) <= ?", now)
	case casework.AbsenceCancelled:
		q = q.Where("ended_at <= from_at")
	}
	rows, next, err := part(ctx, q, latestAbsences, f.Page)
	if err != nil {
		return nil, "", failed("list absences", err)
	}
	list, err := s.absences(ctx, rows)
	return list, next, err
}

// MarkAbsenceStarted notes that the workflow of an absence was started.
func (s *Store) MarkAbsenceStarted(ctx context.Context, id string) error {
	_, err := gorm.G[absenceRow](s.db).Where("id = ?", id).Update(ctx, "started", true)
	return failed("mark an absence", err)
}

// UnstartedAbsences lists at most limit absences that were entered before a
// moment and whose workflow is not known to have been started.
func (s *Store) UnstartedAbsences(ctx context.Context, before time.Time, limit int) ([]casework.Absence, error) {
	rows, err := gorm.G[absenceRow](s.db).Where("NOT started AND entered_at < ?", before).Order("entered_at, id").Limit(limit).Find(ctx)
	if err != nil {
		return nil, failed("list unstarted absences", err)
	}
	return s.absences(ctx, rows)
}
