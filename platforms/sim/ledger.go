package sim

import (
	"sync"
	"time"
)

// Direction says who spoke.
type Direction string

// The directions.
const (
	Sent  Direction = "sent"  // we sent it and were answered
	Told  Direction = "told"  // the other side told us and we answered
	Row   Direction = "row"   // a row of the exchange tables, and what was written back to it
	Asked Direction = "asked" // the other side asked our billing system
	// Passed notes that the other side passed a case on: External is its number,
	// and it goes on under the one in Numbers.
	Passed Direction = "passed"
)

// Wrong is what is wrong with something that was sent, on purpose.
type Wrong string

// What can be wrong.
const (
	Duplicate  Wrong = "duplicate"    // sent before
	OutOfOrder Wrong = "out_of_order" // ahead of what it belongs to
	Garbage    Wrong = "garbage"      // nobody can understand it
	Late       Wrong = "late"         // outside the clock's window
	Forged     Wrong = "forged"       // with a wrong signature
	Faulty     Wrong = "faulty"       // a customer's form with a mistake
	Guessed    Wrong = "guessed"      // a code or name that is not the customer's
)

// Reaction is how a report to us was taken.
type Reaction string

// The reactions.
const (
	Took     Reaction = "took"
	Failed   Reaction = "failed"    // HTTP 500
	Busy     Reaction = "busy"      // HTTP 429
	Refused  Reaction = "refused"   // a no in the platform's own words
	TimedOut Reaction = "timed_out" // taken, and no answer
	Unproved Reaction = "unproved"  // its signature was wrong or missing
)

// Entry is one thing that was said.
type Entry struct {
	N         int       `json:"n"`
	At        time.Time `json:"at"`
	Direction Direction `json:"direction"`
	Platform  string    `json:"platform"`           // the sender's ID
	Kind      string    `json:"kind"`               // the path, or the table
	External  string    `json:"external,omitempty"` // the platform's own number
	Wrong     Wrong     `json:"wrong,omitempty"`
	How       string    `json:"how,omitempty"`     // what exactly is wrong, or done again
	Request   bool      `json:"request,omitempty"` // it asks for something of its own, so it must get a number

	Body    string   `json:"body,omitempty"`
	Status  int      `json:"status,omitempty"`
	Answer  string   `json:"answer,omitempty"`
	Numbers []string `json:"numbers,omitempty"` // under which it was taken up
	Kept    string   `json:"kept,omitempty"`    // the number under which it was kept for a person
	Good    bool     `json:"good,omitempty"`    // the answer says so in the platform's own words
	Tries   int      `json:"tries,omitempty"`   // 429, 503 and broken connections count

	Key      string   `json:"key,omitempty"`   // of a report
	Part     string   `json:"part,omitempty"`  // of a request for several utilities
	State    string   `json:"state,omitempty"` // in the platform's own words
	Meaning  State    `json:"meaning,omitempty"`
	Reaction Reaction `json:"reaction,omitempty"`
	Fault    string   `json:"fault,omitempty"` // what went wrong that should not have

	// Of what billing was asked: what went wrong on purpose, whether there is such an
	// account, and what it owed before. Good tells there that something was changed.
	Played string `json:"played,omitempty"`
	Known  bool   `json:"known,omitempty"`
	Owed   int64  `json:"owed,omitempty"`
}

// ledger keeps everything that was said, in its order. It is safe for
// concurrent use.
type ledger struct {
	mu      sync.Mutex
	entries []Entry
	now     func() time.Time
}

func (l *ledger) add(e Entry) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.N, e.At = len(l.entries)+1, l.now()
	l.entries = append(l.entries, e)
	return e.N
}

// change puts down what became of an entry.
func (l *ledger) change(n int, f func(*Entry)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.entries[n-1])
}

func (l *ledger) all() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Entry(nil), l.entries...)
}
