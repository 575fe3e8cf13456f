package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// The first and the longest pause before a sibling that could not be told is
// told again: its workflow may start later, where a process ended between two
// starts.
const (
	firstPause   = 5 * time.Second
	longestPause = 30 * time.Minute
	// patience is after how many tries in a row, about a week, a case that has
	// ended waits no longer: somebody ended the sibling's workflow by hand.
	patience = 400
)

// shareWithSibling lets the cases of a joint request know of each other. Each
// stays the only writer of its own state: it tells what it knows whenever that
// has changed, and what it is told it takes over by the rules. A lead may get a
// sibling later, and be told by it before.
func (w *connection) shareWithSibling(ctx workflow.Context) {
	hear(ctx, &w.casefile, contract.SiblingTells, func(s casework.Shared, now time.Time) { w.state.Learn(s, now) })
	owed := func() bool { return w.state.Joint != nil && !w.knows() && !w.state.SiblingEnded() }
	w.beside(aside{name: "tell-sibling", wanted: owed, serve: w.tellSibling})
}

// tellSibling tells only what is committed. A sibling that has ended is told
// nothing more; before it ended it told so.
func (w *connection) tellSibling(ctx workflow.Context) error {
	news, shared, sibling := w.tidings(), w.state.Share(), w.state.Joint.Sibling
	err := workflow.SignalExternalWorkflow(ctx, contract.WorkflowID(sibling), "", contract.SiblingTells, shared).Get(ctx, nil)
	if err == nil {
		w.news, w.untold, w.pause = news, 0, 0
		return nil
	}
	w.untold++
	w.pause = min(max(2*w.pause, firstPause), longestPause)
	given := func() bool { return w.state.SiblingEnded() || w.state.Joint.Sibling != sibling }
	if _, err := workflow.AwaitWithTimeout(ctx, w.pause, given); err != nil {
		return err
	}
	if w.state.Joint.Sibling != sibling {
		w.pause = 0
	}
	return nil
}

// tidings are what the sibling is to know, and which case that is: one that takes
// another's place knows nothing yet.
func (w *connection) tidings() string { return w.state.Joint.Sibling + w.state.News() }

// knows tells whether the sibling was told all there is.
func (w *connection) knows() bool { return w.news == w.tidings() }

// siblingTold waits until the sibling knows how a case has ended. Who continues
// as new tells it again.
func (w *connection) siblingTold(ctx workflow.Context) error {
	if w.state.Joint == nil || !w.state.Status.Ended() {
		return nil
	}
	return workflow.Await(ctx, func() bool { return w.knows() || w.state.SiblingEnded() || w.untold >= patience })
}
