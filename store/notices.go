package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

type noticesRow struct {
	Version    string `gorm:"primaryKey"`
	ImportedAt time.Time
	ImportedBy string
}

func (noticesRow) TableName() string { return "notices" }

type noticeDayRow struct {
	Version string    `gorm:"primaryKey"`
	Date    time.Time `gorm:"primaryKey;type:date"`
	Kind    calendar.Kind
	Name    string
	Notice  string
}

func (noticeDayRow) TableName() string { return "notice_days" }

// Notices gives the version of the table that is in force, the one imported
// last; the zero Notices, which know weekends only, while there is none.
//
// It is asked for each deadline that is worked out, so the days of a version,
// which never change, are read once.
func (s *Store) Notices(ctx context.Context) (calendar.Notices, error) {
	var newest string
	err := s.pool.QueryRowContext(ctx, "SELECT version FROM notices ORDER BY n DESC LIMIT 1").Scan(&newest)
	if errors.Is(err, sql.ErrNoRows) {
		return calendar.Notices{}, nil
	}
	if err != nil {
		return calendar.Notices{}, failed("read the notices", err)
	}
	if read := s.notices.Load(); read != nil && read.Version() == newest {
		return *read, nil
	}
	n, err := noticesOf(ctx, s.db, newest)
	if err == nil {
		s.notices.Store(&n)
	}
	return n, err
}

func noticesOf(ctx context.Context, db *gorm.DB, version string) (calendar.Notices, error) {
	rows, err := gorm.G[noticeDayRow](db).Where("version = ?", version).Order("date").Find(ctx)
	if err != nil {
		return calendar.Notices{}, failed("read the notices", err)
	}
	days := make([]calendar.Day, len(rows))
	for i, r := range rows {
		y, m, d := r.Date.Date() // a date comes as its midnight in UTC
		days[i] = calendar.Day{Date: calendar.Date{Year: y, Month: m, Day: d}, Kind: r.Kind, Name: r.Name, Notice: r.Notice}
	}
	n, err := calendar.NewNotices(version, days)
	return n, failed("read the notices", err)
}

// PutNotices adds a version of the whole table, which is in force from then
// on. A version never changes: the same days again are no mistake and change
// nothing, other days are refused.
func (s *Store) PutNotices(ctx context.Context, version, by string, days []calendar.Day) error {
	n, err := calendar.NewNotices(version, days)
	if err != nil {
		return casework.Refuse(casework.Invalid, "bad_notices", casework.Say(err.Error(), err.Error()))
	}
	return s.importing(ctx, func(tx *gorm.DB) error {
		there, err := gorm.G[noticesRow](tx).Where("version = ?", version).Count(ctx, "*")
		if err != nil {
			return err
		}
		if there == 0 {
			return s.addNotices(tx, n, by)
		}
		old, err := noticesOf(ctx, tx, version)
		if err == nil && !slices.Equal(old.Days(), n.Days()) {
			err = casework.Refuse(casework.Conflict, "notices_exist", casework.Sayf(
				"节假日表版本 %s 已存在且内容不同，请换一个版本号", "version %s of the notices exists with other days; choose another version", version))
		}
		return err
	})
}

// SeedNotices adds a version if there is none at all, so that a new
// installation counts holidays from its first case.
func (s *Store) SeedNotices(ctx context.Context, n calendar.Notices) error {
	return s.importing(ctx, func(tx *gorm.DB) error {
		there, err := gorm.G[noticesRow](tx).Count(ctx, "*")
		if err != nil || there > 0 {
			return err
		}
		return s.addNotices(tx, n, casework.System().ID)
	})
}

// importing lets one import run at a time, while readers go on: versions are
// numbered in the order in which they become visible, and two processes that
// start together seed once.
func (s *Store) importing(ctx context.Context, do func(tx *gorm.DB) error) error {
	return failed("import notices", s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Exec("LOCK TABLE notices IN EXCLUSIVE MODE").Error; err != nil {
			return err
		}
		return do(tx)
	}))
}

func (s *Store) addNotices(tx *gorm.DB, n calendar.Notices, by string) error {
	if err := tx.Create(&noticesRow{Version: n.Version(), ImportedAt: s.now(), ImportedBy: by}).Error; err != nil {
		return err
	}
	var rows []noticeDayRow
	for _, d := range n.Days() {
		midnight := time.Date(d.Date.Year, d.Date.Month, d.Date.Day, 0, 0, 0, 0, time.UTC)
		rows = append(rows, noticeDayRow{n.Version(), midnight, d.Kind, d.Name, d.Notice})
	}
	return tx.CreateInBatches(rows, 1000).Error
}
