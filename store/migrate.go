package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the database to the schema that this program knows and tells
// how many steps that took. Processes that start together may all call it: one
// migrates, the others wait and find nothing left to do.
func Migrate(ctx context.Context, url string) (applied int, err error) {
	err = migrate(ctx, url, func(p *goose.Provider) error {
		done, err := p.Up(ctx)
		applied = len(done)
		return err
	})
	return applied, err
}

// MigrateDown takes the schema back to a version; 0 leaves nothing. The data of
// every table that goes is lost with it.
func MigrateDown(ctx context.Context, url string, to int64) error {
	return migrate(ctx, url, func(p *goose.Provider) error {
		_, err := p.DownTo(ctx, to)
		return err
	})
}

func migrate(ctx context.Context, url string, run func(*goose.Provider) error) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return failed("migrate", err)
	}
	defer db.Close()
	if err := db.PingContext(ctx); err != nil {
		return failed("migrate", err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("store: migrate: %w", err)
	}
	// Looked for each second for five minutes: a start waits no longer than it must.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return fmt.Errorf("store: migrate: %w", err)
	}
	// The registry of package goose is a global to which any package could add.
	p, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("store: migrate: %w", err)
	}
	return failed("migrate", run(p))
}
