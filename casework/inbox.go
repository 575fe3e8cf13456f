package casework

import "time"

// InboxState is what became of a message that a sender sent.
type InboxState string

// The states of a message.
const (
	InboxReceived InboxState = "received" // 已收到: kept, not taken up yet
	InboxTakenUp  InboxState = "taken_up" // 已接办: all that it asks for is under way
	InboxKept     InboxState = "kept"     // 待人工处理: kept with the reason, for a person to mend
	InboxMended   InboxState = "mended"   // 已更正: a corrected copy took its place
	InboxIgnored  InboxState = "ignored"  // 已忽略: a person found that nothing is to be done
)

// InboxStates lists the states of a message.
func InboxStates() []InboxState {
	return []InboxState{InboxReceived, InboxTakenUp, InboxKept, InboxMended, InboxIgnored}
}

// InboxMessage is what a sender sent, whole, and what became of it. It is kept
// before it is understood, once for its sender, kind and content, and its body
// never changes: who mends it makes a corrected copy.
type InboxMessage struct {
	ID          string     `json:"id"`
	Sender      string     `json:"sender"`
	Kind        string     `json:"kind"` // the path below the sender's address, or the table it was polled from
	ContentType string     `json:"content_type,omitempty"`
	Body        []byte     `json:"body,omitempty"`      // after decryption; lists leave it out
	Encrypted   bool       `json:"encrypted,omitempty"` // the body is as it was sent, because it could not be decrypted
	ReceivedAt  time.Time  `json:"received_at"`
	State       InboxState `json:"state"`
	Numbers     []string   `json:"numbers,omitempty"` // of the cases that came of it
	Fault       *Fault     `json:"fault,omitempty"`   // why it is kept
	Attempts    int        `json:"attempts"`          // at taking it up
	NextAt      time.Time  `json:"next_at,omitzero"`  // when it is taken up next, if it is
	Mends       string     `json:"mends,omitempty"`   // the message of which this is the corrected copy
	Note        string     `json:"note,omitempty"`    // what was corrected, or why it is ignored
	By          string     `json:"by,omitempty"`      // who corrected or ignored it
	SettledAt   time.Time  `json:"settled_at,omitzero"`
}

// Open tells whether a person may still mend, replay or ignore the message.
func (m InboxMessage) Open() error {
	switch m.State {
	case InboxKept, InboxReceived:
		return nil
	default:
		return Refuse(Conflict, "inbox_settled", Sayf(
			"只有已收到或待人工处理的来件可以更正、重放或忽略；此件状态为 %[1]s",
			"only a message that is received or kept can be mended, replayed or ignored; this one is %[1]s", m.State))
	}
}

// InboxFilter selects messages; a zero field selects all.
type InboxFilter struct {
	Sender string
	State  InboxState
	Page
}

// InboxItem is one thing that a message asked for and that was taken up: with
// the sender and what sort of thing it is, its key counts once.
type InboxItem struct {
	Sender   string
	Sort     string // intake, service, rating, withdraw, visit, papers
	Key      string // the sender's own number of the thing
	Message  string // the first one that asked for it
	External string // the number under which the sender knows the case
	Numbers  []string
	At       time.Time
}
