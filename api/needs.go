package api

import (
	"context"
	"io"
	"time"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// Store is what the api reads, and the few things that it writes without a
// case: receipts, kept rows, staff and the audit trail. A case itself is only
// ever changed through the [Desk].
//
// What a method refuses is a [casework.Fault]; any other error is ours and
// stays in the log. Lists give one page and the cursor of the next, empty at
// the end.
type Store interface {
	// Accept keeps a request and gives its receipt. A request that was accepted
	// before, by channel and external number, gives the first receipt and false.
	Accept(ctx context.Context, r casework.Request, by casework.Actor, now time.Time) (casework.Receipt, bool, error)
	Receipt(ctx context.Context, number string) (casework.Receipt, error)

	Case(ctx context.Context, number string) (*casework.Case, error)
	Cases(ctx context.Context, f casework.CaseFilter) ([]casework.CaseLine, string, error)
	Task(ctx context.Context, id string) (casework.TaskLine, error)
	Tasks(ctx context.Context, f casework.TaskFilter) ([]casework.TaskLine, string, error)
	Timeline(ctx context.Context, number string, p casework.Page) ([]casework.Event, string, error)
	Touchpoints(ctx context.Context, number string) ([]casework.Touchpoint, error)
	Deadlines(ctx context.Context, number string) ([]casework.Deadline, error)
	Escalations(ctx context.Context, f casework.EscalationFilter) ([]casework.Escalation, string, error)
	Escalation(ctx context.Context, id string) (casework.Escalation, error)

	Reports

	KeepRows(ctx context.Context, rows []casework.KeptRow) error
	// MendRows notes that lines of a list, sent again, were understood.
	MendRows(ctx context.Context, list string, lines []int, at time.Time) error
	KeptRows(ctx context.Context, list string, p casework.Page) ([]casework.KeptRow, string, error)

	Staff(ctx context.Context, id string) (casework.Staff, error)
	StaffList(ctx context.Context, p casework.Page) ([]casework.Staff, string, error)
	// PutStaff writes a member of staff; an empty hash leaves the password.
	PutStaff(ctx context.Context, s casework.Staff, hash string) error
	PasswordHash(ctx context.Context, id string) (string, error)

	Audit(ctx context.Context, e casework.AuditEntry) error
	Ping(ctx context.Context) error
}

// Archive keeps the bytes of documents.
type Archive interface {
	Put(ctx context.Context, key, mediaType string, r io.Reader) (size int64, sha256 string, err error)
	Open(ctx context.Context, key string) (io.ReadCloser, error)
	Delete(ctx context.Context, key string) error
}

// Desk hands to a case's workflow what a person does.
type Desk interface {
	// Do applies an action to a case and answers once it is committed. The key
	// makes a repeated call give the first answer. Errors are faults: the
	// workflow's refusal, NotFound, Conflict where the case has ended, or
	// Unavailable where nobody can say yet what became of it.
	Do(ctx context.Context, caseNumber string, a casework.Action, key string) (contract.Done, error)
	// Start starts the workflow of an accepted request, which does nothing if
	// it runs already. With wait it returns after the first records are committed.
	Start(ctx context.Context, r casework.Receipt, wait bool) error
}
