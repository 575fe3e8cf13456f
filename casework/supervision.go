package casework

import "time"

// SupervisionFilter selects what a report of the supervisors looks at; a zero
// field selects all.
type SupervisionFilter struct {
	Districts  []District // any of these; empty selects all
	Department Department // which holds the task; for the lane's limit the one in charge
	From, To   time.Time  // a period, From included, To not
}

// DueCount is how many limits fall due on a day in one department and district.
type DueCount struct {
	Department Department `json:"department"`
	District   District   `json:"district"`
	Limit      LimitName  `json:"limit"`
	Due        int64      `json:"due"`     // all that fall due
	Met        int64      `json:"met"`     // of these done
	Overdue    int64      `json:"overdue"` // of these not done and past
}

// LateLine is a limit that was passed: work not done yet, or done late.
type LateLine struct {
	Case        string     `json:"case"`
	Task        string     `json:"task,omitempty"` // empty: the lane's limit
	Limit       LimitName  `json:"limit"`
	Stage       Stage      `json:"stage"`
	Department  Department `json:"department"`
	Holder      string     `json:"holder,omitempty"` // who holds the task
	District    District   `json:"district"`
	DueAt       time.Time  `json:"due_at"`
	Provisional bool       `json:"provisional,omitempty"` // DueAt counted through a year without notice
	MetAt       time.Time  `json:"met_at,omitzero"`       // zero: not done yet
	Rung        RungName   `json:"rung,omitempty"`        // the highest that fired
	Level       int        `json:"level"`
}

// RungCount is how many live limits stand on a rung, the highest that fired;
// an empty rung is the ground.
type RungCount struct {
	Rung    RungName  `json:"rung"`
	Level   int       `json:"level"`
	Open    int64     `json:"open"`
	Stopped int64     `json:"stopped"`         // of these with a clock that stands
	Oldest  time.Time `json:"oldest,omitzero"` // the earliest due moment

	Provisional bool `json:"provisional,omitempty"` // Oldest counted through a year without notice
}

// EscalationCount is how many open escalations a role has in one state.
// Reminders are none of them.
type EscalationCount struct {
	Role    Role            `json:"role"`
	State   EscalationState `json:"state"`
	Open    int64           `json:"open"`
	Overdue int64           `json:"overdue"` // of these not answered in time
	Oldest  time.Time       `json:"oldest"`  // when the first of them fired
}

// OnTime is what became of the deadlines by one limit that fell due in a
// period.
type OnTime struct {
	Limit    LimitName `json:"limit"`
	InTime   int64     `json:"in_time"`   // met in time
	Late     int64     `json:"late"`      // met late
	OpenLate int64     `json:"open_late"` // not met and past
	Open     int64     `json:"open"`      // not met, time left
	Dropped  int64     `json:"dropped"`   // the work was no longer needed
}

// Decided is how many count for the rate: those met, and those not met though
// their time is past.
func (o OnTime) Decided() int64 { return o.InTime + o.Late + o.OpenLate }

// Rate is the share of the decided that were met in time; false where nothing
// is decided yet.
func (o OnTime) Rate() (float64, bool) {
	if o.Decided() == 0 {
		return 0, false
	}
	return float64(o.InTime) / float64(o.Decided()), true
}

// StageLoad is the work in progress in one stage; leads, which may wait for
// years, stand apart. Moments stand for ages: the
// median age is that of the case that entered at Median.
type StageLoad struct {
	Stage    Stage     `json:"stage"`
	Lead     bool      `json:"lead,omitempty"` // of cases before anybody applied
	Cases    int64     `json:"cases"`
	Paused   int64     `json:"paused"`
	Median   time.Time `json:"median"`   // half of the cases entered the stage later
	P90      time.Time `json:"p90"`      // nine in ten entered later
	Oldest   time.Time `json:"oldest"`   // the first to enter
	Received time.Time `json:"received"` // when the oldest request of the stage was received
	Buckets  []int64   `json:"buckets"`  // by age, the youngest first
}

// PausedCase is a case whose clock stands, once for each reason.
type PausedCase struct {
	Case       string        `json:"case"`
	Stage      Stage         `json:"stage"`
	Department Department    `json:"department"` // in charge
	District   District      `json:"district"`
	Reason     PauseReason   `json:"reason,omitempty"` // empty: recorded before reasons were kept beside the case
	Since      time.Time     `json:"since,omitzero"`
	PlannedEnd time.Time     `json:"planned_end,omitzero"`
	Accepted   bool          `json:"accepted"` // the lane's clock has begun
	Remaining  time.Duration `json:"-"`        // working time that the lane's limit has left
}

// PartyTime is how long a party held the clock of connections in stretches that
// ended in a month; a zero month stands for the whole period, an empty party
// for all of them.
type PartyTime struct {
	Month   time.Time     `json:"month,omitzero"` // its first midnight
	Party   Party         `json:"party,omitempty"`
	Cases   int64         `json:"cases"`
	Working time.Duration `json:"working"`
	Stopped time.Duration `json:"stopped"` // of this while the limit's clock stood
}

// OpenHolding is who holds the clock of some connection now.
type OpenHolding struct {
	Party   Party     `json:"party"`
	Stopped bool      `json:"stopped"`
	From    time.Time `json:"from"`
}

// VerdictCount is how many callbacks ended with an outcome.
type VerdictCount struct {
	Outcome string `json:"outcome"` // a [Satisfaction], or "unreached"
	Calls   int64  `json:"calls"`
}

// ZeroCount is how many cases with supply on in a period broke a zero; an empty
// zero counts the cases themselves, and the breaks of all.
type ZeroCount struct {
	Zero   Zero  `json:"zero,omitempty"`
	Cases  int64 `json:"cases"`
	Broken int64 `json:"broken"`
}
