package activities

import (
	"context"

	"github.com/curbstop/curbstop/casework"
)

// PassBook writes down what is passed on, once for the case it comes from.
type PassBook interface {
	// AcceptPassed gives the receipt of the case that goes on.
	AcceptPassed(ctx context.Context, r casework.Request, c casework.Carried) (casework.Receipt, error)
	// AcceptPassedService is AcceptPassed for what goes on as another service.
	AcceptPassedService(ctx context.Context, r casework.ServiceRequest, c casework.Carried) (casework.Receipt, error)
	// Forward keeps what goes on outside or in another service.
	Forward(ctx context.Context, f casework.Forwarding) (casework.Forwarding, bool, error)
}

// CaseStarter starts the workflow of an accepted request.
type CaseStarter interface {
	Start(ctx context.Context, r casework.Receipt, wait bool) error
}

// Passes opens the other side of cases that are passed on inside.
type Passes struct {
	Book  PassBook
	Cases CaseStarter
	// Serves tells whether a utility is served by this installation.
	Serves func(ctx context.Context, u casework.Utility) (bool, error)
}

// PassOnInput is a case that is passed on.
type PassOnInput struct {
	Request casework.Request `json:"request"` // as it stands in the case that ends
	Pass    casework.Pass    `json:"pass"`
	Carried casework.Carried `json:"carried"`
}

// PassedOn is where it goes on.
type PassedOn struct {
	Number string `json:"number"`
}

// PassOn writes the receipt of the case that goes on and starts it. What this
// installation has no case for is kept for a person to hand over. Repeated, it
// gives the same number.
func (p *Passes) PassOn(ctx context.Context, in PassOnInput) (PassedOn, error) {
	r, reason := in.Request, casework.OtherService
	if in.Pass.Utility != "" {
		serves, err := p.Serves(ctx, in.Pass.Utility)
		if err != nil {
			return PassedOn{}, err
		}
		r.Utility, reason = in.Pass.Utility, casework.OtherUtility
		if serves {
			receipt, err := p.Book.AcceptPassed(ctx, r, in.Carried)
			if err != nil {
				return PassedOn{}, err
			}
			return PassedOn{receipt.Number}, p.Cases.Start(ctx, receipt, false)
		}
	}
	if in.Pass.Service != "" {
		// What a service can't be opened with is for a person to complete.
		if service := casework.ServiceOf(r, in.Pass.Service, in.Pass.Reason); service.Validate() == nil {
			receipt, err := p.Book.AcceptPassedService(ctx, service, in.Carried)
			if err != nil {
				return PassedOn{}, err
			}
			return PassedOn{receipt.Number}, p.Cases.Start(ctx, receipt, false)
		}
	}
	kept, _, err := p.Book.Forward(ctx, casework.Forwarding{
		Reason: reason, Request: r, Service: in.Pass.Service, PassedFrom: in.Carried.From, By: in.Pass.By, ReceivedAt: in.Carried.ReceivedAt,
	})
	return PassedOn{kept.Number}, err
}
