package contract

import (
	"go.temporal.io/sdk/temporal"

	"github.com/curbstop/curbstop/casework"
)

// Workflow types of the services beside connections.
const (
	TransferWorkflow       = "TransferWorkflow"
	ClosingWorkflow        = "ClosingWorkflow"
	OrderWorkflow          = "OrderWorkflow"
	BillingRequestWorkflow = "BillingRequestWorkflow"
)

// WorkflowOf gives the workflow type that carries a kind of case.
func WorkflowOf(kind casework.CaseKind) string {
	switch kind {
	case casework.TransferCase:
		return TransferWorkflow
	case casework.ClosingCase:
		return ClosingWorkflow
	case casework.OrderCase:
		return OrderWorkflow
	case casework.UpgradeCase:
		return NetworkUpgradeWorkflow
	case casework.DutyCase:
		return NoticeDutyWorkflow
	case casework.ConnectionCase:
	}
	return ConnectionWorkflow
}

// Updates of an order of 12345.
const (
	RecordOrderVisit = "record_order_visit"
	ExtendOrder      = "extend_order"
)

// serviceUpdate gives the update that carries an action of the services.
func serviceUpdate(a casework.Action) (string, bool) {
	switch a.(type) {
	case casework.RecordOrderVisit:
		return RecordOrderVisit, true
	case casework.ExtendOrder:
		return ExtendOrder, true
	}
	return "", false
}

// ServiceAttributes are the search attributes with which the workflow of a
// service's case starts. It has no lane.
func ServiceAttributes(r casework.Request) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(
		AttrUtility.ValueSet(string(r.Utility)),
		AttrDistrict.ValueSet(string(r.Site.District)),
		AttrChannel.ValueSet(string(r.Channel)),
	)
}

// BillingRequestID is the ID of the workflow that carries a payment or an invoice
// request to billing.
func BillingRequestID(id string) string { return "billing/" + id }

// BillingRequestInput starts it. What is asked stands in the record alone.
type BillingRequestInput struct {
	ID   string                      `json:"id"`
	Kind casework.BillingRequestKind `json:"kind"`
}
