// Package inbox takes in what platforms send: it proves the sender, keeps the
// message whole before it is understood, has the sender's adapter read it, and
// takes up what it asks for. Nothing that arrived is lost: what can't be taken
// up is kept with the reason, for a person to mend, and what a process left
// behind when it died is found and taken up by another.
//
// Everything may be done twice. A message is kept once for its sender and
// content, a thing is taken up once for its sender and key, and who sends again
// is answered as before.
package inbox

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/platforms/senders"
)

// Book keeps messages and what became of them. Several processes may share it.
type Book interface {
	// KeepMessage keeps a message once; false: it was kept before, and stands
	// as it is given back.
	KeepMessage(ctx context.Context, m casework.InboxMessage, lease time.Time) (casework.InboxMessage, bool, error)
	KeptMessage(ctx context.Context, sender, kind string, body []byte) (casework.InboxMessage, bool, error)
	MendedMessage(ctx context.Context, id string) (casework.InboxMessage, bool, error)
	ClaimMessages(ctx context.Context, now, lease time.Time, limit int) ([]casework.InboxMessage, error)
	SettleMessage(ctx context.Context, m casework.InboxMessage) error
	MendMessage(ctx context.Context, original string, copied casework.InboxMessage, lease time.Time) (casework.InboxMessage, error)
	IgnoreMessage(ctx context.Context, id, reason, by string, at time.Time) error
	InboxMessage(ctx context.Context, id string) (casework.InboxMessage, error)
	Inbox(ctx context.Context, f casework.InboxFilter) ([]casework.InboxMessage, string, error)

	ProgressReports(ctx context.Context, f casework.ProgressFilter) ([]casework.ProgressReport, string, error)
	ProgressReport(ctx context.Context, id int64) (casework.ProgressReport, error)
	RetryProgress(ctx context.Context, id int64, now time.Time) (casework.ProgressReport, error)

	TakenUp(ctx context.Context, sender, sort, key string) (casework.InboxItem, bool, error)
	TakeUp(ctx context.Context, i casework.InboxItem) error
	Accept(ctx context.Context, r casework.Request, by casework.Actor, now time.Time) (casework.Receipt, bool, error)
	// AcceptService is Accept for a transfer, a closing or an order of 12345.
	AcceptService(ctx context.Context, r casework.ServiceRequest, by casework.Actor, now time.Time) (casework.Receipt, bool, error)
	// AcceptTogether keeps one customer's requests for several utilities.
	AcceptTogether(ctx context.Context, external string, requests []casework.Request, by casework.Actor, at time.Time) (casework.JointReceipt, bool, error)
	// Forward keeps a request that another company serves.
	Forward(ctx context.Context, f casework.Forwarding) (casework.Forwarding, bool, error)
	// AcceptApplication keeps an application that names the project of an open
	// lead, which must then be told; false: it is a request of its own.
	AcceptApplication(ctx context.Context, r casework.Request, by casework.Actor, now time.Time) (casework.LeadApplication, bool, error)
	// Follow notes that a sender asked for what a case does, so that it is told of
	// the progress.
	Follow(ctx context.Context, f casework.Follower) error
	// NumbersOf gives the cases that a sender asked for, or anybody where none is
	// named, and knows under a number.
	NumbersOf(ctx context.Context, sender, external string) ([]string, error)

	// RefuseRow notes that a message is a row that is written back as refused.
	// RefusedRows gives those of a sender that a person or time has settled since,
	// each as it was sent and with what came of it, and RowSettled says that this
	// was written back.
	RefuseRow(ctx context.Context, id string) error
	RefusedRows(ctx context.Context, sender string, limit int) ([]casework.InboxMessage, error)
	RowSettled(ctx context.Context, id string) error

	// UseProof tells whether a proof may pass: it is new, or came with the same.
	UseProof(ctx context.Context, sender, proof, kind string, body []byte, expires time.Time) (bool, error)
	ForgetProofs(ctx context.Context, before time.Time) error
	// Alone does something unless another process is at it.
	Alone(ctx context.Context, name string, do func(context.Context) error) (bool, error)
}

// Desk hands to the cases' workflows what is asked for.
type Desk interface {
	Start(ctx context.Context, r casework.Receipt, wait bool) error
	// Apply tells a lead of its application. One that the lead would not have is a
	// request of its own, of which it gives the receipt; else nil.
	Apply(ctx context.Context, app casework.LeadApplication) (*casework.Receipt, error)
	Do(ctx context.Context, caseNumber string, a casework.Action, key string) (contract.Done, error)
}

// Options are what an inbox is made of. Senders, Book, Desk and Serves are required.
type Options struct {
	Senders *senders.Senders
	Book    Book
	Desk    Desk
	// Serves tells by the policy in force whether a utility is served.
	Serves func(ctx context.Context, u casework.Utility) (bool, error)
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default
}

// Inbox takes in what platforms send. It is safe for concurrent use.
type Inbox struct {
	Options
	mu       sync.Mutex
	quotas   map[string]*rate.Limiter
	forgotAt time.Time
}

const (
	// lease is how long who took a message has it for itself. It covers waiting
	// for two cases to start; beyond it, the message is taken up twice at one
	// time, which changes nothing.
	lease      = time.Minute
	sweepEvery = 5 * time.Second
	sweepBatch = 50
	parallel   = 4

	firstRetry = 10 * time.Second // doubled each time
	lastRetry  = time.Hour
	// outOfOrder is how long a message is tried again that speaks of a case
	// which is not there yet: platforms send in no order.
	outOfOrder = 24 * time.Hour
)

// New makes an inbox.
func New(o Options) *Inbox {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Inbox{Options: o, quotas: map[string]*rate.Limiter{}}
}

// Messages lists what senders sent, the newest first.
func (b *Inbox) Messages(ctx context.Context, f casework.InboxFilter) ([]casework.InboxMessage, string, error) {
	return b.Book.Inbox(ctx, f)
}

// Message gives a message, whole.
func (b *Inbox) Message(ctx context.Context, id string) (casework.InboxMessage, error) {
	return b.Book.InboxMessage(ctx, id)
}

// Mend keeps a corrected copy of a message beside it, and takes the copy up.
// It gives the copy as it stands then.
func (b *Inbox) Mend(ctx context.Context, id string, body []byte, note string, by casework.Actor) (casework.InboxMessage, error) {
	now := b.Now()
	copied, err := b.Book.MendMessage(ctx, id, casework.InboxMessage{Body: body, Note: note, By: by.ID, ReceivedAt: now}, now.Add(lease))
	if err != nil {
		return casework.InboxMessage{}, err
	}
	return b.again(ctx, copied)
}

// Replay takes a message up once more, such as after a mapping was corrected.
func (b *Inbox) Replay(ctx context.Context, id string) (casework.InboxMessage, error) {
	m, err := b.Book.InboxMessage(ctx, id)
	if err != nil {
		return m, err
	}
	if err := m.Open(); err != nil {
		return m, err
	}
	return b.again(ctx, m)
}

func (b *Inbox) again(ctx context.Context, m casework.InboxMessage) (casework.InboxMessage, error) {
	if m.State == casework.InboxReceived || m.State == casework.InboxKept {
		s, ok := b.Senders.Find(m.Sender)
		if !ok {
			return m, casework.Refuse(casework.Conflict, "sender_not_configured", casework.Sayf(
				"来件方 %[1]s 已不在配置中", "the sender %[1]s is not configured any more", m.Sender))
		}
		if _, err := b.takeUp(ctx, s, m, true); err != nil {
			return m, err
		}
	}
	return b.Book.InboxMessage(ctx, m.ID)
}

// Ignore notes that nothing is to be done about a message, and why.
func (b *Inbox) Ignore(ctx context.Context, id, reason string, by casework.Actor) (casework.InboxMessage, error) {
	if err := b.Book.IgnoreMessage(ctx, id, reason, by.ID, b.Now()); err != nil {
		return casework.InboxMessage{}, err
	}
	return b.Book.InboxMessage(ctx, id)
}

// ProgressReports lists what platforms are told of their cases.
func (b *Inbox) ProgressReports(ctx context.Context, f casework.ProgressFilter) ([]casework.ProgressReport, string, error) {
	return b.Book.ProgressReports(ctx, f)
}

// RetryProgress has a report that waits tried again now.
func (b *Inbox) RetryProgress(ctx context.Context, id int64, now time.Time) (casework.ProgressReport, error) {
	return b.Book.RetryProgress(ctx, id, now)
}

// ProgressReport gives a report, with what was sent and answered.
func (b *Inbox) ProgressReport(ctx context.Context, id int64) (casework.ProgressReport, error) {
	return b.Book.ProgressReport(ctx, id)
}
