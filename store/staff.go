package store

import (
	"context"
	"encoding/json"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/curbstop/curbstop/casework"
)

type staffRow struct {
	ID           string `gorm:"primaryKey"`
	Name         string
	Department   casework.Department
	Roles        []casework.Role     `gorm:"serializer:json"`
	Districts    []casework.District `gorm:"serializer:json"`
	Active       bool
	PasswordHash string
	Email        []byte
}

func (staffRow) TableName() string { return "staff" }

func emailContext(staffID string) string { return "staff/" + staffID }

func (s *Store) staff(r staffRow) (casework.Staff, error) {
	email, err := s.openBytes(r.Email, emailContext(r.ID))
	return casework.Staff{
		ID: r.ID, Name: r.Name, Department: r.Department, Roles: r.Roles, Districts: r.Districts, Active: r.Active, Email: string(email),
	}, err
}

func (s *Store) staffRow(ctx context.Context, id string) (staffRow, error) {
	row, err := gorm.G[staffRow](s.db).Where("id = ?", id).Take(ctx)
	return row, found("read staff", err, staffNotFound())
}

// Staff gives a member of staff, active or not.
func (s *Store) Staff(ctx context.Context, id string) (casework.Staff, error) {
	row, err := s.staffRow(ctx, id)
	if err != nil {
		return casework.Staff{}, err
	}
	return s.staff(row)
}

// PasswordHash gives what a password is checked against; empty for who can't
// sign in with one. Whether the member is active is for the caller to ask.
func (s *Store) PasswordHash(ctx context.Context, id string) (string, error) {
	row, err := s.staffRow(ctx, id)
	return row.PasswordHash, err
}

// staffPlace is where a member of staff stands in the list.
type staffPlace struct {
	ID string `json:"staff"`
}

var staffByID = order[staffRow, staffPlace]{
	by:    "id",
	place: func(r staffRow) staffPlace { return staffPlace{r.ID} },
	after: func(q query[staffRow], p staffPlace) query[staffRow] { return q.Where("id > ?", p.ID) },
}

// StaffList lists everybody by staff number, also those who are not active.
func (s *Store) StaffList(ctx context.Context, p casework.Page) ([]casework.Staff, string, error) {
	rows, next, err := part(ctx, gorm.G[staffRow](s.db).Scopes(), staffByID, p)
	if err != nil {
		return nil, "", failed("list staff", err)
	}
	list := make([]casework.Staff, len(rows))
	for i, r := range rows {
		if list[i], err = s.staff(r); err != nil {
			return nil, "", err
		}
	}
	return list, next, nil
}

// PutStaff adds a member of staff or replaces what is known of them. An empty
// password hash keeps the one there is.
func (s *Store) PutStaff(ctx context.Context, m casework.Staff, passwordHash string) error {
	columns := []string{"name", "department", "roles", "districts", "active", "email"}
	if passwordHash != "" {
		columns = append(columns, "password_hash")
	}
	row := staffRow{
		ID: m.ID, Name: m.Name, Department: m.Department,
		// Nobody's roles are unknown: none is an empty list.
		Roles: append([]casework.Role{}, m.Roles...), Districts: append([]casework.District{}, m.Districts...),
		Active: m.Active, PasswordHash: passwordHash,
		Email: s.sealBytes([]byte(m.Email), emailContext(m.ID)),
	}
	err := s.db.WithContext(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns(columns),
	}).Create(&row).Error
	return failed("put staff", err)
}

type auditRow struct {
	ID     int64
	At     time.Time
	Actor  string
	What   string
	Target string
	Data   json.RawMessage
}

func (auditRow) TableName() string { return "audit" }

// Audit records that somebody saw or took what is not for everyone. The entry
// is stored readable, for auditors need no key: its data names the fields that
// were shown, never their values. No entry is ever changed or deleted.
func (s *Store) Audit(ctx context.Context, e casework.AuditEntry) error {
	if e.At.IsZero() {
		e.At = s.now()
	}
	row := auditRow{At: e.At, Actor: e.Actor, What: e.What, Target: e.Target, Data: e.Data}
	return failed("audit", s.db.WithContext(ctx).Create(&row).Error)
}
