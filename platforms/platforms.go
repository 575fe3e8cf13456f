// Package platforms holds what every adapter to a government platform or other
// outside system shares: what arrives, what it asks for, how it is answered,
// and what is reported back. An adapter, in a folder of its own, knows the
// words of one kind of system; a file of mappings beside it knows those of one
// city. Neither stores anything nor starts anything: who calls them does.
package platforms

import (
	"context"
	"encoding/json"
	"time"

	"github.com/curbstop/curbstop/casework"
)

// Message is what a sender sent, whole, once the sender has proved itself.
type Message struct {
	ID          string    // given when it was kept; the reference in every answer and log
	Sender      string    // as the senders' file names it
	Kind        string    // the path below the sender's address, or the table it was polled from
	ContentType string    // as sent
	Body        []byte    // as sent, after decryption
	ReceivedAt  time.Time // on this side
}

// Item is one thing that a message asks for. Exactly one of the pointers is
// set.
type Item struct {
	// Key is the sender's own number of the thing: with the sender it is taken
	// up once, however often it is sent.
	Key      string
	Notes    []casework.Text // what was read otherwise than it was written
	Intake   *Intake
	Service  *casework.ServiceRequest
	Rating   *Rating
	Withdraw *Withdraw
	Visit    *Visit
	// Attachments came along with the item. Whoever takes it up puts them into
	// the archive, so that no request carries images through its history.
	Attachments []Attachment
	// Extra keeps what the sender wrote of a rating, a withdrawal or a visit and
	// we have no field for; requests have an Extra of their own.
	Extra map[string]json.RawMessage
}

// Attachment is a file that came along with an item.
type Attachment struct {
	Field       string // where it stood, or its kind, in the sender's words
	Name        string // of the file, if the sender says
	ContentType string // if the sender says
	Content     []byte
}

// Intake asks for a connection. Several requests, one for each utility, share
// one customer-facing number; a request whose Lead is set is no application yet.
type Intake struct {
	Requests []casework.Request
}

// Rating is what a customer thinks of a service of ours (好差评).
type Rating struct {
	External string           // the number under which the platform knows the case
	Stars    int              // 5 very satisfied to 1 very dissatisfied
	Tags     []string         // in the platform's words
	Text     string           // the customer's own words
	At       time.Time        // when the customer rated
	Terminal string           // where
	Source   casework.Channel // the platform
}

// Withdraw takes an application back.
type Withdraw struct {
	External string // the number under which the platform knows the case
	Reason   string
}

// Visit is the outcome of a visit to a caller whose order we answered (12345).
type Visit struct {
	External  string // the order's number
	Satisfied bool
	Solved    bool
	Note      string
	At        time.Time
}

// Outcome is what became of a message.
type Outcome struct {
	Message string   // its ID
	Numbers []string // the customer-facing numbers of what was taken up, in the order of the items
	Before  bool     // all of it had been taken up before
	// Fault says why the message could not be understood. It is kept whole all
	// the same, for a person to mend; nil: all of it was taken up.
	Fault *casework.Fault
}

// Reply is the answer in the sender's own words.
type Reply struct {
	Status      int // of HTTP
	ContentType string
	Body        []byte
}

// Outgoing is something told to a platform.
type Outgoing struct {
	Method      string
	Path        string // below the address that the senders' file gives
	ContentType string
	Header      map[string]string
	Body        []byte
	// Table and Row are set, in place of Path, where the platform is told
	// through an exchange table.
	Table string
	Row   map[string]any
}

// Adapter reads and answers the messages of one kind of platform. It is safe
// for concurrent use.
type Adapter interface {
	// Read says what a message asks for. Its error is an Invalid
	// [casework.Fault] whose fields name what could not be understood; such a
	// message is kept for a person. A message may ask for nothing.
	Read(m Message) ([]Item, error)
	// Reply words what became of a message.
	Reply(m Message, o Outcome) Reply
	// Report words a state for the platform; false where the platform is not
	// told of such a state.
	Report(r Report) (Outgoing, bool, error)
	// Judge tells from a platform's answer whether it took a report. An error
	// is tried again later.
	Judge(o Outgoing, status int, body []byte) error
}

// Refuser is an adapter whose platform wants to be refused in words of its own
// where a message is not even kept: its sender is not proved, is over its quota,
// or we can't keep anything just now. The status is ours where the reply has
// none; who is over its quota is told 429 in any case.
type Refuser interface {
	Refuse(status int, f *casework.Fault) Reply
}

// Exchange is an adapter whose platform sends through tables of a database
// that both sides reach (前置库). Poll gives rows that wait, parents before
// their children, and Settle writes back what became of each.
type Exchange interface {
	Adapter
	Poll(ctx context.Context, limit int) ([]Message, error)
	Settle(ctx context.Context, m Message, o Outcome) error
	// SettleAgain writes back that a row which was refused was taken up after
	// all. It is false where the row is left as it stands: the platform has
	// changed it, or sent another in its place.
	SettleAgain(ctx context.Context, m Message, o Outcome) (bool, error)
	// Write puts a report into its table, once for its key.
	Write(ctx context.Context, key string, o Outgoing) error
}

// Report is a state that a case has reached. A platform is told each once and in
// the order of N.
type Report struct {
	Sender   string
	External string // the number under which the platform knows the case
	Number   string // our customer-facing number
	Case     string // the case's own number
	Utility  casework.Utility
	N        int // 1 and up, without a gap within what it is told of the case
	State    casework.Milestone
	At       time.Time
	Received time.Time // when the case was received
	Accepted time.Time // when its application was accepted (受理); zero before, and for what has none
	By       string    // the department that acted, in Chinese
	Note     casework.Text
	// Request and Service are what the platform had asked for, for platforms that
	// want their own fields repeated; for one that is told of all cases, the case
	// as it stands. Of a service other than a connection Request says the same as
	// far as it can. They are nil where they are not at hand.
	Request *casework.Request
	Service *casework.ServiceRequest
}
