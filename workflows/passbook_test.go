package workflows_test

import (
	"context"

	"github.com/curbstop/curbstop/casework"
)

func servesBoth(_ context.Context, u casework.Utility) (bool, error) { return u.Valid(), nil }

// AcceptPassed and Forward give the number under which a case goes on; Start
// notes that it was started.
func (r *records) AcceptPassed(_ context.Context, q casework.Request, c casework.Carried) (casework.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := casework.Receipt{Number: "G20261123-00002", Request: q, By: casework.Actor{ID: c.By}, Carried: &c}
	r.passed = append(r.passed, rec)
	return rec, nil
}

func (r *records) AcceptPassedService(_ context.Context, q casework.ServiceRequest, c casework.Carried) (casework.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := casework.Receipt{Number: "WX20261123-00002", Request: q.Request(), By: casework.Actor{ID: c.By}, Carried: &c, Service: &q}
	r.passed = append(r.passed, rec)
	return rec, nil
}

func (r *records) Forward(_ context.Context, f casework.Forwarding) (casework.Forwarding, bool, error) {
	f.Number = "Z20261123-00001"
	return f, true, nil
}

func (r *records) Start(_ context.Context, rec casework.Receipt, _ bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = append(r.started, rec.Number)
	return nil
}
