// Package contract holds what two processes must agree on: task queue,
// workflow types and IDs, update, signal and search-attribute names, and how a
// refusal travels from a workflow to the api.
package contract

import (
	"errors"

	"go.temporal.io/sdk/temporal"

	"github.com/curbstop/curbstop/casework"
)

// TaskQueue is where the workers of curbstop listen.
const TaskQueue = "curbstop"

// Namespace is the Temporal namespace where none is configured.
const Namespace = "curbstop"

// Workflow types.
const (
	ConnectionWorkflow     = "ConnectionWorkflow"
	NetworkUpgradeWorkflow = "NetworkUpgradeWorkflow"
)

// WorkflowID is the ID of a case's workflow: the case number says all.
func WorkflowID(caseNumber string) string { return "case/" + caseNumber }

// CaseInput starts a case's workflow, and continues it as new with the state
// so far.
type CaseInput struct {
	Number  string            `json:"number"`
	Request casework.Request  `json:"request,omitzero"`
	Terms   casework.Terms    `json:"terms,omitzero"`
	By      casework.Actor    `json:"by,omitzero"`
	Joint   *casework.Joint   `json:"joint,omitempty"`   // of a joint request
	Carried *casework.Carried `json:"carried,omitempty"` // from the case that it goes on from
	// Service is set, in place of Request, where something else than a connection
	// is asked for; it comes without the images of its certificates.
	Service *casework.ServiceRequest `json:"service,omitempty"`
	State   *casework.Case           `json:"state,omitempty"` // set when the workflow continues, or a closed case is opened again
}

// Updates: everything that a person does to a case. Each takes the action of
// the same name in package casework and answers with a Done.
const (
	CompleteTask          = "complete_task"
	ClaimTask             = "claim_task"
	ReleaseTask           = "release_task"
	AssignTask            = "assign_task"
	DelegateTask          = "delegate_task"
	Withdraw              = "withdraw"
	PauseCase             = "pause"
	ResumeCase            = "resume"
	AmendRequest          = "amend"
	AttachDocument        = "attach_document"
	BringAttachments      = "bring_attachments"
	ProposeCharge         = "propose_charge"
	ConfirmDesign         = "confirm_design"
	ConfirmAcceptance     = "confirm_acceptance"
	ConfirmQuote          = "confirm_quote"
	ConfirmContract       = "confirm_contract"
	Rate                  = "rate"
	AcknowledgeEscalation = "acknowledge_escalation"
	AnswerEscalation      = "answer_escalation"
	CloseEscalation       = "close_escalation"
	ExtendDeadline        = "extend_deadline"
	MovePolicy            = "move_policy"
	HandOver              = "hand_over"
	PassOn                = "pass_on"
	Apply                 = "apply"
	RecordVisit           = "record_visit"
	LocateSite            = "locate_site"
	// Opened answers as soon as the case's first records are committed; it
	// changes nothing.
	Opened = "opened"
)

// UpdateName gives the update that carries an action.
func UpdateName(a casework.Action) string {
	switch a.(type) {
	case casework.CompleteTask:
		return CompleteTask
	case casework.ClaimTask:
		return ClaimTask
	case casework.ReleaseTask:
		return ReleaseTask
	case casework.AssignTask:
		return AssignTask
	case casework.DelegateTask:
		return DelegateTask
	case casework.Withdraw:
		return Withdraw
	case casework.PauseCase:
		return PauseCase
	case casework.ResumeCase:
		return ResumeCase
	case casework.AmendRequest:
		return AmendRequest
	case casework.AttachDocument:
		return AttachDocument
	case casework.BringAttachments:
		return BringAttachments
	case casework.ProposeCharge:
		return ProposeCharge
	case casework.ConfirmDesign:
		return ConfirmDesign
	case casework.ConfirmAcceptance:
		return ConfirmAcceptance
	case casework.ConfirmQuote:
		return ConfirmQuote
	case casework.ConfirmContract:
		return ConfirmContract
	case casework.Rate:
		return Rate
	case casework.AcknowledgeEscalation:
		return AcknowledgeEscalation
	case casework.AnswerEscalation:
		return AnswerEscalation
	case casework.CloseEscalation:
		return CloseEscalation
	case casework.ExtendDeadline:
		return ExtendDeadline
	case casework.MovePolicy:
		return MovePolicy
	case casework.HandOver:
		return HandOver
	case casework.PassOn:
		return PassOn
	case casework.Apply:
		return Apply
	case casework.RecordVisit:
		return RecordVisit
	case casework.LocateSite:
		return LocateSite
	}
	if name, ok := serviceUpdate(a); ok {
		return name
	}
	panic("contract: an action without an update")
}

// Done is the answer to an update: what was decided is committed.
type Done struct {
	Number  string          `json:"number"`
	Version int64           `json:"version"` // of the case after the action and all that followed from it
	Status  casework.Status `json:"status"`
	Stage   casework.Stage  `json:"stage"`
}

// Signals.
const (
	// CalendarChanged tells a case that a new calendar version touches it; it
	// works its open deadlines out anew.
	CalendarChanged = "calendar_changed"
	// UpgradeFinished tells a connection that its network upgrade has ended.
	UpgradeFinished = "upgrade_finished"
	// MoveUpgrade tells an upgrade that its connection was moved to another
	// policy; it carries the move.
	MoveUpgrade = "move_upgrade"
	// CancelUpgrade tells an upgrade that its connection was withdrawn.
	CancelUpgrade = "cancel_upgrade"
	// SiblingTells brings a [casework.Shared] to the other case of a joint request.
	SiblingTells = "sibling_tells"
)

// StateQuery answers with the case as it stands, for diagnosis; work lists
// come from PostgreSQL.
const StateQuery = "state"

// Search attributes: typed, few, and without personal data, for the codec does
// not cover them.
var (
	// AttrSummary is a line for people: the Temporal UI's list has no column for
	// a workflow's own summary, but one for each search attribute.
	AttrSummary    = temporal.NewSearchAttributeKeyKeyword("CurbstopSummary")
	AttrUtility    = temporal.NewSearchAttributeKeyKeyword("CurbstopUtility")
	AttrLane       = temporal.NewSearchAttributeKeyKeyword("CurbstopLane")
	AttrStage      = temporal.NewSearchAttributeKeyKeyword("CurbstopStage")
	AttrStatus     = temporal.NewSearchAttributeKeyKeyword("CurbstopStatus")
	AttrDistrict   = temporal.NewSearchAttributeKeyKeyword("CurbstopDistrict")
	AttrChannel    = temporal.NewSearchAttributeKeyKeyword("CurbstopChannel")
	AttrDepartment = temporal.NewSearchAttributeKeyKeyword("CurbstopDepartment")
	AttrDue        = temporal.NewSearchAttributeKeyTime("CurbstopDue")
	AttrLevel      = temporal.NewSearchAttributeKeyInt64("CurbstopLevel")
	// AttrDeadlines is the state of the limits on the work, as [casework.DeadlineState] spells it.
	AttrDeadlines = temporal.NewSearchAttributeKeyKeyword("CurbstopDeadlines")
	// AttrClock is the party that holds the clock.
	AttrClock = temporal.NewSearchAttributeKeyKeyword("CurbstopClock")
)

// SearchAttributeKeys lists the search attributes that a namespace must know.
func SearchAttributeKeys() []temporal.SearchAttributeKey {
	return []temporal.SearchAttributeKey{
		AttrSummary, AttrUtility, AttrLane, AttrStage, AttrStatus, AttrDistrict, AttrChannel, AttrDepartment, AttrDue, AttrLevel,
		AttrDeadlines, AttrClock,
	}
}

// SearchAttributes are those that a case's workflow starts with.
func SearchAttributes(r casework.Request, lane casework.Lane) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(
		AttrUtility.ValueSet(string(r.Utility)),
		AttrLane.ValueSet(string(lane)),
		AttrDistrict.ValueSet(string(r.Site.District)),
		AttrChannel.ValueSet(string(r.Channel)),
	)
}

// Refusal turns a fault into the error that a workflow answers an update
// with. It is benign: a refused action is no failure of the case.
func Refusal(err error) error {
	f := casework.AsFault(err)
	return temporal.NewApplicationErrorWithOptions(f.Error(), string(f.Kind), temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: []any{f}, Category: temporal.ApplicationErrorCategoryBenign,
	})
}

// FaultOf finds the fault in an error that came from a workflow; false when it
// is no refusal.
func FaultOf(err error) (*casework.Fault, bool) {
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || !app.HasDetails() {
		return nil, false
	}
	var f *casework.Fault
	understood := app.Details(&f) == nil && f != nil && f.Kind != ""
	return f, understood
}
