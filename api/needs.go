package api

import (
	"context"
	"io"
	"time"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/policy"
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
	// AcceptService is Accept for a transfer, a closing or an order of 12345.
	AcceptService(ctx context.Context, r casework.ServiceRequest, by casework.Actor, now time.Time) (casework.Receipt, bool, error)
	Receipt(ctx context.Context, number string) (casework.Receipt, error)
	// Accepted gives the receipt of a request by its channel and external number,
	// or a service request's AcceptedBy; NotFound: it never came.
	Accepted(ctx context.Context, channel casework.Channel, external string) (casework.Receipt, error)
	// AcceptTogether keeps requests of one customer for several utilities under
	// one number, each once; false: all of them were accepted before.
	AcceptTogether(ctx context.Context, external string, requests []casework.Request, by casework.Actor, now time.Time) (casework.JointReceipt, bool, error)
	JointReceipt(ctx context.Context, number string) (casework.JointReceipt, error)
	// JointOf gives the joint number of a case; empty where there is none.
	JointOf(ctx context.Context, number string) (string, error)
	// Forward keeps a request that is another company's, once.
	Forward(ctx context.Context, f casework.Forwarding) (casework.Forwarding, bool, error)
	Forwarding(ctx context.Context, number string) (casework.Forwarding, error)
	Forwardings(ctx context.Context, f casework.ForwardingFilter) ([]casework.Forwarding, string, error)
	HandForwarding(ctx context.Context, number string, h casework.HandForwarding, by string, now time.Time) (casework.Forwarding, error)
	// AskBilling keeps a payment or invoice request, once for its ID; false: it
	// was there. Another request under the same ID is a Conflict.
	AskBilling(ctx context.Context, r casework.BillingRequest) (casework.BillingRequest, bool, error)
	BillingRequest(ctx context.Context, id string) (casework.BillingRequest, error)
	BillingRequests(ctx context.Context, f casework.BillingFilter) ([]casework.BillingRequest, string, error)

	Case(ctx context.Context, number string) (*casework.Case, error)
	Cases(ctx context.Context, f casework.CaseFilter) ([]casework.CaseLine, string, error)
	Task(ctx context.Context, id string) (casework.TaskLine, error)
	Tasks(ctx context.Context, f casework.TaskFilter) ([]casework.TaskLine, string, error)
	Timeline(ctx context.Context, number string, p casework.Page) ([]casework.Event, string, error)
	Touchpoints(ctx context.Context, number string) ([]casework.Touchpoint, error)
	Deadlines(ctx context.Context, number string) ([]casework.Deadline, error)
	Escalations(ctx context.Context, f casework.EscalationFilter) ([]casework.Escalation, string, error)
	Escalation(ctx context.Context, id string) (casework.Escalation, error)

	policy.Versions
	// PublishPolicy adds a version, which serves new cases from then on, and
	// tells whether it did; the same text again changes nothing, and another
	// text under a published version is a Conflict.
	PublishPolicy(ctx context.Context, p casework.PublishedPolicy) (bool, error)
	Notices(ctx context.Context) (calendar.Notices, error)
	Messages(ctx context.Context, f casework.MessageFilter) ([]casework.MessageLine, string, error)
	// MessageOf gives the message to which a delivery belongs.
	MessageOf(ctx context.Context, delivery int64) (casework.MessageLine, error)
	// RetryDelivery has one that was given up tried again.
	RetryDelivery(ctx context.Context, id int64, now time.Time) (casework.Delivery, error)
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

	LeadStore
	NetworkStore
	CalendarStore
	// AddAbsence writes an absence down, once for its ID; false: it was there.
	AddAbsence(ctx context.Context, a casework.Absence) (casework.Absence, bool, error)
	Absence(ctx context.Context, id string) (casework.Absence, error)
	Absences(ctx context.Context, f casework.AbsenceFilter) ([]casework.Absence, string, error)
	// AbsencesOf lists the absences of persons that touch a stretch of time.
	AbsencesOf(ctx context.Context, persons []string, from, to time.Time) ([]casework.Absence, error)
	EndAbsence(ctx context.Context, id, by string, at time.Time) (casework.Absence, error)
	// BeginHandOver writes a hand-over down, once for its ID, and switches off
	// who leaves; false: it was there.
	BeginHandOver(ctx context.Context, h casework.StaffHandOver) (casework.StaffHandOver, bool, error)
	StaffHandOver(ctx context.Context, id string) (casework.StaffHandOver, error)
	OpenTasksOf(ctx context.Context, person string) (int, error)

	// BindKey notes what came with an Idempotency-Key, and tells whether it is
	// the same as before, and whether the key is new; FreeKey forgets a key.
	BindKey(ctx context.Context, key, content string) (same, fresh bool, err error)
	FreeKey(ctx context.Context, key string) error

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

	// Working tells whether anybody works on cases; an error: Temporal does not answer.
	Working(ctx context.Context) (bool, error)

	// StartBilling starts the workflow that carries a request to billing, and waits
	// for its end as long as a person does.
	StartBilling(ctx context.Context, r casework.BillingRequest, wait time.Duration) error

	CalendarDesk
	// StartAbsence starts the workflow of an absence, which does nothing if it
	// was started before; LookAgain tells it that its record has changed.
	StartAbsence(ctx context.Context, a casework.Absence) error
	LookAgain(ctx context.Context, a casework.Absence) error
	// StartHandOver starts the workflow of a hand-over and waits for its end as
	// long as a person does; Unavailable: it goes on, or will be started.
	StartHandOver(ctx context.Context, h casework.StaffHandOver, wait time.Duration) error
}
