package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// NetworkUpgradeWorkflow builds the upgrade or new main that a connection
// needs (measures part 2, item 2), with its own tasks and deadlines. It reports
// its end to the connection that asked for it.
func NetworkUpgradeWorkflow(ctx workflow.Context, in contract.CaseInput) (contract.Done, error) {
	w := &networkUpgrade{casefile{state: in.State}}
	w.state.BeginUpgrade(workflow.Now(ctx))
	w.advance = w.stages
	if err := w.setup(ctx); err != nil {
		return contract.Done{}, err
	}
	listenForCalendar(ctx, &w.casefile)
	w.listen(ctx, contract.CancelUpgrade, func(now time.Time) { w.state.Cancel(now) })
	hear(ctx, &w.casefile, contract.MoveUpgrade, func(move casework.MovePolicy, now time.Time) {
		// Refused where somebody moved the upgrade there already.
		if next, err := w.state.Try(move, now); err == nil {
			w.state = next
		}
	})
	if err := w.run(ctx); err != nil {
		return contract.Done{}, err
	}
	if !w.state.Status.Ended() {
		return contract.Done{}, workflow.NewContinueAsNewError(ctx, contract.NetworkUpgradeWorkflow, contract.CaseInput{Number: w.state.Number, State: w.state})
	}
	w.report(ctx)
	return w.done(), nil
}

// networkUpgrade is a case with the one stage of an upgrade.
type networkUpgrade struct{ casefile }

// report tells the connection. One that has ended meanwhile, withdrawn, has no
// use for the news.
func (w *networkUpgrade) report(ctx workflow.Context) {
	err := workflow.SignalExternalWorkflow(ctx, contract.WorkflowID(w.state.Parent), "", contract.UpgradeFinished, nil).Get(ctx, nil)
	if err != nil {
		workflow.GetLogger(ctx).Warn("The connection could not be told that its upgrade ended.", "case", w.state.Parent, "error", err)
	}
}

// stages designs, builds and commissions, one after the other.
func (w *networkUpgrade) stages(now time.Time) {
	k := w.state
	if k.Status.Ended() {
		return
	}
	work := &k.UpgradeWork
	switch {
	case work.Design == nil:
		k.Need(casework.DesignUpgrade, "", 1, k.ReceivedAt, now)
	case work.Build == nil:
		k.Need(casework.BuildUpgrade, "", 1, now, now)
	case work.Commission == nil:
		k.Need(casework.CommissionUpgrade, "", 1, now, now)
	default:
		k.End(casework.Closed, now)
	}
}
