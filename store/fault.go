package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
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
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*casework.Fault](err); ok {
		return err
	}
	if unreachable(err) {
		return fmt.Errorf("store: %s: %w: %w", doing, casework.Refuse(casework.Unavailable, "store_unavailable",
			casework.Say("数据库暂不可用，请稍后重试", "the database is not available; try again later")), err)
	}
	return fmt.Errorf("store: %s: %w", doing, err)
}

func unreachable(err error) bool {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return again[refused.Code] || strings.HasPrefix(refused.Code, "08")
	}
	_, network := errors.AsType[net.Error](err)
	_, connect := errors.AsType[*pgconn.ConnectError](err)
	// A connection that is found closed says only that nothing was sent.
	return network || connect || pgconn.SafeToRetry(err) || slices.ContainsFunc(brokenConnection, func(broken error) bool { return errors.Is(err, broken) })
}

// brokenConnection lists what a connection that ends says, and a deadline
// that passed while waiting for one.
var brokenConnection = []error{
	io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, driver.ErrBadConn, sql.ErrConnDone, context.DeadlineExceeded,
}

// again are the codes with which PostgreSQL, beside class 08 (connection),
// says that the same statement may succeed later.
var again = map[string]bool{
	"40001": true, // the transaction met a concurrent one
	"40P01": true, // deadlock
	"53300": true, // too many connections
	"57P01": true, // the server shuts down
	"57P02": true, // the server crashed
	"57P03": true, // the server starts
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

func deliveryNotFound() *casework.Fault {
	return casework.Refuse(casework.NotFound, "delivery_not_found", casework.Say("没有这条发送记录", "there is no such delivery"))
}

func staffNotFound() *casework.Fault {
	return casework.Refuse(casework.NotFound, "staff_not_found", casework.Say("没有这个工号", "there is no such member of staff"))
}
