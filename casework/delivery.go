package casework

import (
	"slices"
	"time"
)

// Delivery is a message on its way through one outlet: the robot of a group,
// the mail server, a system beside ours. (A [Channel] is how a request comes
// in; an outlet is how a message goes out.)
type Delivery struct {
	ID        int64         `json:"id"`
	Message   string        `json:"message"`
	Outlet    string        `json:"outlet"` // by the name that its configuration gives it
	State     DeliveryState `json:"state"`
	Attempts  int           `json:"attempts"`            // begun, whether or not their end is known
	NextAt    time.Time     `json:"next_at,omitzero"`    // when it is tried next, while pending
	FirstAt   time.Time     `json:"first_at,omitzero"`   // when it was tried first
	SettledAt time.Time     `json:"settled_at,omitzero"` // when it was sent, given up, or found moot
	Sent      *Sent         `json:"sent,omitempty"`
	LastError string        `json:"last_error,omitempty"` // without secrets and addresses
}

// DeliveryState is what became of a delivery.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending DeliveryState = "pending" // 待发送: for the first time or again
	DeliverySent    DeliveryState = "sent"    // 已发送
	DeliveryMoot    DeliveryState = "moot"    // 无需发送: what it was about was over before it was sent
	DeliveryDead    DeliveryState = "dead"    // 已放弃: a person must look
)

// DeliveryStates lists the states of a delivery.
func DeliveryStates() []DeliveryState {
	return []DeliveryState{DeliveryPending, DeliverySent, DeliveryMoot, DeliveryDead}
}

// Sent is what went out, and what the other side said to it.
type Sent struct {
	To     []string `json:"to,omitempty"` // mail addresses
	Text   string   `json:"text"`
	Answer string   `json:"answer,omitempty"`
}

// Attempt is how one try of a delivery ended.
type Attempt struct {
	Delivery int64
	N        int // which try it was
	State    DeliveryState
	At       time.Time
	NextAt   time.Time // for Pending
	Sent     *Sent     // for Sent
	Error    string
	Uncalled bool // the outlet was not called after all, so that the try does not count
}

// MessageLine is a message with what became of it.
type MessageLine struct {
	Message
	// AbandonedAt is set where the case decided otherwise after the message
	// had gone out; see the abandoned tail.
	AbandonedAt time.Time  `json:"abandoned_at,omitzero"`
	Deliveries  []Delivery `json:"deliveries"`
}

// MessageFilter selects messages; a zero field selects all.
type MessageFilter struct {
	Case      string
	State     DeliveryState // of one of its deliveries
	Outlet    string        // of the same delivery
	Districts []District
	Page
}

// Reaches tells whether a message is for a member of staff: for the one person
// it names, else for whoever holds the role where it happened.
func (m Message) Reaches(s Staff) bool {
	if !s.Active {
		return false
	}
	if m.Person != "" {
		return s.ID == m.Person
	}
	return slices.Contains(s.Roles, m.To) && s.Actor().Covers(m.District)
}
