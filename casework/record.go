package casework

import (
	"encoding/json"
	"time"
)

// Receipt is the proof that a request arrived: it is written before the case's
// workflow is started, so that nothing that was accepted can be lost between
// the two. A request is accepted once per channel and external number.
type Receipt struct {
	Number     string    `json:"number"` // the case number
	Request    Request   `json:"request"`
	By         Actor     `json:"by"`
	ReceivedAt time.Time `json:"received_at"`
	Started    bool      `json:"started"` // the workflow is known to be running
	// Joint is set where the request is part of a joint one.
	Joint *Joint `json:"joint,omitempty"`
	// Carried is set where the case goes on from another one.
	Carried *Carried `json:"carried,omitempty"`

	// Service is set where something else than a connection is asked for; Request
	// then says of it what lists and districts need.
	Service *ServiceRequest `json:"service,omitempty"`
}

// KeptRow is a row or message that could not be understood, kept whole for a
// person to mend.
type KeptRow struct {
	ID       int64        `json:"id"`
	List     string       `json:"list"` // the name of the list that it came in
	Line     int          `json:"line"` // line in the file, counted from 1
	Number   string       `json:"number,omitempty"`
	Cells    []Cell       `json:"cells"` // as they stood
	Faults   []FieldFault `json:"faults"`
	KeptAt   time.Time    `json:"kept_at"`
	KeptBy   string       `json:"kept_by"`
	MendedAt time.Time    `json:"mended_at,omitzero"`
}

// Cell is one field of a kept row: the header and what stood below it.
type Cell struct {
	Header string `json:"header"`
	Text   string `json:"text"`
}

// Page asks for a part of a list. Cursor is empty for the beginning, then what
// the part before returned.
type Page struct {
	Limit  int    // 1 to 200
	Cursor string // opaque
}

// CaseFilter selects cases; a zero field selects all.
type CaseFilter struct {
	Kind       CaseKind
	Status     Status
	Stage      Stage
	Lane       Lane
	Channel    Channel
	Districts  []District // any of these; empty selects all
	Department Department // in charge
	Assignee   string     // holds one of its open tasks
	Overdue    bool       // a live deadline has passed
	Level      int        // escalation level at least
	Text       string     // part of number, applicant or address; or a whole phone number
	From, To   time.Time  // received within
	Policy     string     // has this version of the policy
	Running    bool       // has not ended
	Lead       *bool      // is a lead, or is none
	Page
}

// PublishedPolicy is a version of the policy as it was published: its text
// never changes.
type PublishedPolicy struct {
	Version     string    `json:"version"`
	Name        string    `json:"name"`
	Text        string    `json:"-"` // the file
	PublishedAt time.Time `json:"published_at"`
	PublishedBy string    `json:"published_by"` // a staff number; the system where a start brought it
}

// CaseLine is a case as lists show it. It holds no personal data.
type CaseLine struct {
	Number     string     `json:"number"`
	Kind       CaseKind   `json:"kind"`
	Utility    Utility    `json:"utility,omitempty"` // empty for a duty, like lane and channel
	Lane       Lane       `json:"lane,omitempty"`
	Channel    Channel    `json:"channel,omitempty"`
	District   District   `json:"district"`
	Status     Status     `json:"status"`
	Stage      Stage      `json:"stage"`
	Applicant  string     `json:"applicant"` // an organisation's name; a person's is masked
	Address    string     `json:"address"`
	Department Department `json:"department"` // in charge
	Level      int        `json:"level"`
	OpenTasks  int        `json:"open_tasks"`
	ReceivedAt time.Time  `json:"received_at"`
	DueAt      time.Time  `json:"due_at,omitzero"` // earliest live deadline; zero while all stand
	SupplyAt   time.Time  `json:"supply_at,omitzero"`
	EndedAt    time.Time  `json:"ended_at,omitzero"`
	Overdue    bool       `json:"overdue"` // derived when read
	Version    int64      `json:"version"`

	Remaining   time.Duration `json:"-"` // working time left while all its clocks stand
	Stopped     bool          `json:"stopped,omitempty"`
	Provisional bool          `json:"provisional,omitempty"` // due in a year without a notice yet

	Lead bool `json:"lead,omitempty"` // nobody applied yet
}

// TaskFilter selects tasks; a zero field selects all.
type TaskFilter struct {
	Assignee   string
	Unassigned bool
	Department Department
	Roles      []Role
	Districts  []District
	Kind       TaskKind
	Stage      Stage
	State      TaskState
	Case       string
	Overdue    bool
	DueBefore  time.Time
	Page
}

// TaskLine is a task as lists show it: the most urgent first.
type TaskLine struct {
	Task
	District    District      `json:"district"`
	Applicant   string        `json:"applicant"`
	Address     string        `json:"address"`
	DueAt       time.Time     `json:"due_at,omitzero"`     // of the task's own limit, else of the lane's
	Remaining   time.Duration `json:"remaining,omitempty"` // working time left while the clock stands
	Stopped     bool          `json:"stopped,omitempty"`
	Provisional bool          `json:"provisional,omitempty"` // due in a year without a notice yet
	Overdue     bool          `json:"overdue"`               // derived when read

	UrgentAt time.Time `json:"urgent_at,omitzero"` // see Urgency; zero unless it is open and a clock runs
	UrgentBy LimitName `json:"urgent_by,omitempty"`
}

// EscalationFilter selects rungs that fired.
type EscalationFilter struct {
	Case       string
	To         Role
	Department Department
	Districts  []District
	Level      int  // at least
	Open       bool // not closed yet
	State      EscalationState
	Mine       Actor // those that this person owns or whose role must act; zero: everybody's
	Page
}

// AuditEntry records that somebody saw or took what is not for everyone.
type AuditEntry struct {
	At     time.Time       `json:"at"`
	Actor  string          `json:"actor"`
	What   string          `json:"what"`   // such as "contact_unmasked", "payload_decoded"
	Target string          `json:"target"` // such as the case number
	Data   json.RawMessage `json:"data,omitempty"`
}
