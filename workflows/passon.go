package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/curbstop/curbstop/activities"
)

// passOn opens the other side of a case that was passed on to another utility
// or service, and only then lets this one end: whatever dies meanwhile, the
// request is never in neither.
func (w *connection) passOn(ctx workflow.Context) error {
	in := activities.PassOnInput{Request: w.state.Request, Pass: *w.state.PassPending(), Carried: w.state.Carry()}
	var passes *activities.Passes
	var number activities.PassedOn
	if err := workflow.ExecuteActivity(remote(ctx, "转办"), passes.PassOn, in).Get(ctx, &number); err != nil {
		return err
	}
	return w.change(ctx, func(now time.Time) { w.state.PassedTo(number.Number, now) })
}
