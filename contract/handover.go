package contract

import "github.com/curbstop/curbstop/casework"

// Workflow types of what is handed over. The workflow's ID is the cause, such
// as "absence/tf-01-5d41402abc4b".
const (
	AbsenceWorkflow  = "AbsenceWorkflow"
	HandOverWorkflow = "HandOverWorkflow"
)

// AbsenceInput starts the workflow of an absence, and continues it as new. The
// absence comes without its reason, which no workflow needs.
type AbsenceInput struct {
	Absence casework.Absence `json:"absence"`
	Rounds  int              `json:"rounds,omitempty"` // how often the person's work was looked at
}

// HandOverInput starts the workflow of a hand-over; without its reason, too.
type HandOverInput struct {
	HandOver casework.StaffHandOver `json:"hand_over"`
}

const (
	// AbsenceChanged tells the workflow of an absence to look at it again: it
	// was ended or cancelled. It is a signal without content, for the record in
	// PostgreSQL says what holds.
	AbsenceChanged = "absence_changed"
	// HandedOver is an update that changes nothing and answers with a
	// [casework.Handed] as soon as everything was handed over once.
	HandedOver = "handed_over"
)
