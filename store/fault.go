package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/curbstop/curbstop/casework"
)

// failed wraps an error of the database with what was being done. Where the
// database could not be reached, or wants the transaction tried again, the
// error also is an Unavailable fault, so that callers retry and clients are
// told to. Messages name constraints, never values: they end up in logs.
func failed(doing string, err error) error {
	var fault *casework.Fault
	switch {
	case err == nil:
		return nil
	case errors.As(err, &fault):
		return err
	case unreachable(err):
		return fmt.Errorf("store: %s: %w: %w", doing, casework.Refuse(casework.Unavailable, "store_unavailable",
			casework.Say("数据库暂不可用，请稍后重试", "the database is not available; try again later")), err)
	}
	return fmt.Errorf("store: %s: %w", doing, err)
}

func unreachable(err error) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return again[refused.Code] || strings.HasPrefix(refused.Code, "08")
	}
	// A deadline that passed while waiting for a connection counts: it is a
	// net.Error too.
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connect) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, context.DeadlineExceeded)
}

// again are the codes with which PostgreSQL, beside class 08 (connection),
// says that the same statement may succeed later.
var again = map[string]bool{
	"40001": true, // serialization_failure
	"40P01": true, // deadlock_detected
	"53300": true, // too_many_connections
	"57P01": true, // admin_shutdown
	"57P02": true, // crash_shutdown
	"57P03": true, // cannot_connect_now
}

// found turns "no such row" into a fault and wraps everything else.
func found(doing string, err error, missing *casework.Fault) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return missing
	}
	return failed(doing, err)
}

func caseNotFound() *casework.Fault {
	return casework.Refuse(casework.NotFound, "case_not_found", casework.Say("没有这个案件，请核对编号", "there is no such case; check the number"))
}

func taskNotFound() *casework.Fault {
	return casework.Refuse(casework.NotFound, "task_not_found", casework.Say("没有这项任务，请核对编号", "there is no such task; check the ID"))
}

func escalationNotFound() *casework.Fault {
	return casework.Refuse(casework.NotFound, "escalation_not_found", casework.Say("没有这条升级记录", "there is no such escalation"))
}

func staffNotFound() *casework.Fault {
	return casework.Refuse(casework.NotFound, "staff_not_found", casework.Say("没有这个工号", "there is no such member of staff"))
}
