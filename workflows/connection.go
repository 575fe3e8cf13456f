package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// ConnectionWorkflow carries one connection request from first contact to the
// customer's verdict.
func ConnectionWorkflow(ctx workflow.Context, in contract.CaseInput) (contract.Done, error) {
	w := &connection{casefile: casefile{state: in.State}}
	if w.state == nil {
		w.state = casework.NewCase(in.Number, in.Request, in.Terms, in.By, workflow.Now(ctx))
		w.state.Joint = in.Joint
		w.state.CarryOver(in.Carried, workflow.Now(ctx))
	}
	// Leads that began before curbstop let them wait for their application go on without.
	w.leads = w.state.Request.Lead && workflow.GetVersion(ctx, "leads", workflow.DefaultVersion, 1) >= 1
	w.advance = w.stages
	if err := w.setup(ctx); err != nil {
		return contract.Done{}, err
	}
	w.listenBeside(ctx)
	w.shareWithSibling(ctx)
	w.beside(aside{name: "pass-on", wanted: func() bool { return w.state.PassPending() != nil }, serve: w.passOn})
	if err := w.run(ctx); err != nil {
		return contract.Done{}, err
	}
	if err := workflow.Await(ctx, func() bool { return w.upgradeTended || !w.upgradeUnwanted() }); err != nil {
		return contract.Done{}, err
	}
	if err := w.siblingTold(ctx); err != nil {
		return contract.Done{}, err
	}
	if !w.state.Status.Ended() {
		return contract.Done{}, workflow.NewContinueAsNewError(ctx, contract.ConnectionWorkflow, contract.CaseInput{Number: w.state.Number, State: w.state})
	}
	return w.done(), nil
}

// connection is a case with the six stages of section 3 of the process.
type connection struct {
	casefile
	upgradeTended bool          // the upgrade has ended, or knows of the withdrawal
	news          string        // what the sibling of a joint request knows of this case
	untold        int           // tries in a row to tell it that failed
	pause         time.Duration // before the next of them
	leads         bool          // a lead of this run waits for its application
}

// listenBeside takes what comes from beside: the end of the upgrade that the
// case waits for, and a new calendar. The state is looked up once the lock is
// held: decisions replace it.
func (w *connection) listenBeside(ctx workflow.Context) {
	listenForCalendar(ctx, &w.casefile)
	w.listen(ctx, contract.UpgradeFinished, func(now time.Time) { w.state.FinishUpgrade(now) })
	w.beside(aside{name: "upgrade", wanted: func() bool { return w.state.Upgrade.Pending() && !w.upgradeTended }, serve: w.tendUpgrade, early: true})
}

// listenForCalendar works the open deadlines out anew when a calendar version
// touches the case. Rungs that fired stay fired.
func listenForCalendar(ctx workflow.Context, f *casefile) {
	f.calendars = f.listen(ctx, contract.CalendarChanged, func(time.Time) { f.state.Recalculate() })
}

// moveUpgrade has the upgrade follow its connection to another policy. One that
// has ended meanwhile has no use for it.
func (w *connection) moveUpgrade(ctx workflow.Context) {
	move, at, _ := w.state.UpgradeFollows()
	// Runs that moved before curbstop moved the upgrade too go on without.
	if workflow.GetVersion(ctx, "upgrade-follows-policy", workflow.DefaultVersion, 1) >= 1 {
		err := workflow.SignalExternalWorkflow(ctx, contract.WorkflowID(w.state.Upgrade.Case), "", contract.MoveUpgrade, move).Get(ctx, nil)
		if err != nil {
			workflow.GetLogger(ctx).Warn("The network upgrade could not be moved with its connection.", "upgrade", w.state.Upgrade.Case, "error", err)
		}
	}
	// Where a decision is being recorded, its state must stay as it is.
	if err := workflow.Await(ctx, func() bool { return !w.lock.IsLocked() }); err != nil {
		return
	}
	w.state.UpgradeTold(at)
}

// tendUpgrade starts the network upgrade's own workflow once the case needs
// one, and tells it when the customer withdraws. The upgrade outlives a
// continue-as-new of this case, so it is abandoned to itself and reports its
// end by a signal.
func (w *connection) tendUpgrade(ctx workflow.Context) error {
	defer func() { w.upgradeTended = true }()
	number := w.state.Upgrade.Case
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            contract.WorkflowID(number),
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_ABANDON,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		StaticSummary:         "管网改造 " + number,
		TypedSearchAttributes: contract.SearchAttributes(w.state.Request, w.state.Lane),
	})
	child := workflow.ExecuteChildWorkflow(ctx, contract.NetworkUpgradeWorkflow,
		contract.CaseInput{Number: number, State: casework.NewUpgrade(number, w.state, workflow.Now(ctx))})
	// After a continue-as-new the upgrade exists already, which is as good.
	if err := child.GetChildWorkflowExecution().Get(ctx, nil); err != nil && !temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		workflow.GetLogger(ctx).Error("The network upgrade could not be started.", "upgrade", number, "error", err)
		return nil // what refuses a start once would refuse it again
	}
	for w.state.Upgrade.Pending() && !w.upgradeUnwanted() {
		moved := func() bool {
			_, _, follows := w.state.UpgradeFollows()
			return follows && w.settled()
		}
		if err := workflow.Await(ctx, func() bool { return w.upgradeUnwanted() || !w.state.Upgrade.Pending() || moved() }); err != nil {
			return err
		}
		if moved() && !w.upgradeUnwanted() {
			w.moveUpgrade(ctx)
		}
	}
	if w.upgradeUnwanted() {
		err := workflow.SignalExternalWorkflow(ctx, contract.WorkflowID(number), "", contract.CancelUpgrade, nil).Get(ctx, nil)
		if err != nil {
			workflow.GetLogger(ctx).Warn("The network upgrade could not be told of the withdrawal.", "upgrade", number, "error", err)
		}
	}
	return nil
}

// upgradeUnwanted tells whether the customer withdrew while the upgrade is
// still being built. A case with nothing to undo has ended by then.
func (w *connection) upgradeUnwanted() bool {
	k := w.state
	return (!k.WithdrawnAt.IsZero() || k.Status == casework.PassingOn || k.Status == casework.PassedOn) && k.Upgrade.Pending()
}

// stages goes through the six stages as far as the facts allow.
func (w *connection) stages(now time.Time) {
	if w.state.Status.Ended() {
		return
	}
	if w.state.Status == casework.PassingOn {
		return
	}
	if w.state.Status == casework.Withdrawing {
		w.undo(now)
		return
	}
	w.visits(now)
	if p, n := w.state.AwaitsAcceptance(); p != nil {
		w.state.Need(casework.AcceptTransfer, "", n, p.At, now)
	}
	w.deferred(now)
	for _, stage := range []struct {
		name casework.Stage
		done func(now time.Time) bool
	}{
		{casework.PreService, w.preService},
		{casework.JointSurvey, w.jointSurvey},
		{casework.Permits, w.permits},
		{casework.Construction, w.construction},
		{casework.Acceptance, w.acceptance},
		{casework.Evaluation, w.evaluation},
	} {
		if w.leads && !w.state.MayEnter(stage.name) {
			w.followLead(now)
			return
		}
		w.state.Enter(stage.name, now)
		if !stage.done(now) {
			return
		}
	}
	w.state.End(casework.Closed, now)
}

// followLead: a lead on which everything is done that can be done waits for its
// application, and is never out of sight.
func (w *connection) followLead(now time.Time) {
	k := w.state
	anchor := now
	if k.LeadFollow != (calendar.Date{}) {
		anchor = k.LeadFollow.At(0)
	}
	k.Need(casework.FollowUpLead, "", k.LeadFollowUps+1, anchor, now)
}

// preService: who the customer is, what the network can give, and telling them.
func (w *connection) preService(now time.Time) bool {
	k := w.state
	if k.Contacted == nil {
		k.Need(casework.ContactCustomer, "", 1, k.ArrivedAt(), now)
		return false
	}
	if k.Assessment == nil {
		k.Need(casework.AssessNetwork, "", k.Reassessments+1, now, now)
		return false
	}
	if k.Assessment.Result != casework.Adequate && k.Upgrade == nil {
		k.StartUpgrade(now)
	}
	if k.Briefed == nil && k.Reachable() {
		k.Need(casework.BriefCustomer, "", 1, now, now)
		return false
	}
	return true
}

// jointSurvey: agreed, held on site, followed up without end until the supply
// can be connected, and uploaded.
func (w *connection) jointSurvey(now time.Time) bool {
	k := w.state
	round := k.FollowUps + 1
	switch {
	case k.NextFollow != (calendar.Date{}):
		k.Need(casework.FollowUp, "", round, k.NextFollow.At(0), now)
		return false
	case k.Appointment == nil && !k.JoinAppointment(now):
		k.Need(casework.ScheduleSurvey, "", round, now, now)
		return false
	case k.Survey == nil:
		k.Need(casework.ConductSurvey, "", round, k.Appointment.SurveyAt, now)
		return false
	case k.UploadedAt.IsZero():
		k.Need(casework.UploadSurvey, "", 1, k.Survey.ConductedAt, now)
		return false
	}
	return k.Gas.Revisions > 0 || w.designed(now)
}

// permits: each goes its own way beside the others, and the materials are
// prepared beside them all.
func (w *connection) permits(now time.Time) bool {
	k := w.state
	ready := w.agreement(now)
	ready = w.materials(now) && ready
	k.SharePermits(now)
	for i := range k.Permits {
		p := &k.Permits[i]
		kind := string(p.Kind)
		switch {
		case p.SharedWith != "" && !p.Granted: // the sibling of a joint request files it
		case p.FiledAt.IsZero():
			anchor := k.PermitsFrom()
			if p.Attempt > 1 {
				anchor = now
			}
			k.Need(casework.FilePermit, kind, p.Attempt, anchor, now)
		case p.DecidedAt.IsZero():
			k.Need(casework.RecordPermitResult, kind, p.Attempt, p.FiledAt, now)
		case p.HandedOverAt.IsZero():
			decided := p.DecidedAt
			if p.SharedWith != "" {
				decided = later(decided, k.UploadedAt)
			}
			k.Need(casework.HandOverPermit, kind, p.Attempt, decided, now)
		}
		ready = ready && p.Granted
	}
	return ready
}

// construction: the task order goes out once nothing stands in the way; then
// site, meter, supply, and everything entered the same day.
func (w *connection) construction(now time.Time) bool {
	k := w.state
	if k.TaskOrderAt.IsZero() {
		if k.Upgrade.Pending() {
			return false
		}
		k.IssueTaskOrder(now)
	}
	switch {
	case k.SiteEntry == nil:
		k.Need(casework.EnterSite, "", 1, k.TaskOrderAt, now)
		return false
	case k.Supply == nil && k.Meter == nil:
		k.Need(casework.InstallMeter, "", 1, now, now)
		return false
	case k.Supply == nil:
		w.supply(now)
		return false
	case k.EntryAt.IsZero():
		k.Need(casework.CompleteEntry, "", 1, k.Supply.SuppliedAt, now)
		return false
	}
	return true
}

// acceptance: meter, account and reading side by side, and each department's
// confirmation of its part.
func (w *connection) acceptance(now time.Time) bool {
	k := w.state
	if !k.CompletedAt.IsZero() {
		return true
	}
	since := k.Supply.SuppliedAt
	ready := k.MeterAccepted != nil && k.Account != nil && (k.Reading != nil || k.ByCard()) && (k.Gas.Card != nil || !k.ByCard())
	switch {
	case k.Meter == nil:
		k.Need(casework.InstallMeter, "", k.MetersFailed+1, now, now)
	case k.MeterAccepted == nil:
		// A meter that was replaced is accepted anew, from its own installation.
		k.Need(casework.AcceptMeter, "", k.MetersFailed+1, later(since, k.Meter.InstalledAt), now)
	}
	switch {
	case k.Account == nil:
		k.Need(casework.OpenAccount, "", 1, since, now)
	case k.ByCard():
		w.card(now)
	case k.Reading == nil && !w.meterToCome():
		k.Need(casework.EnrolReading, "", 1, since, now)
	}
	for _, d := range k.Terms.Confirming {
		if !slices.Contains(k.Confirmed, d) {
			k.Need(casework.ConfirmPart, string(d), 1, since, now)
			ready = false
		}
	}
	if ready {
		k.Complete(now)
	}
	return ready
}

// visits: a bad review of the customer's own brings a visit, at any time after
// supply-on.
func (f *casefile) visits(now time.Time) {
	k := f.state
	if k.Evaluated.Visits > 0 {
		k.Need(casework.HomeVisit, "", len(k.Evaluated.Ratings)-k.Evaluated.Visits+1, now, now)
	}
}

// evaluation: called back until satisfied or the loop is closed.
func (f *casefile) evaluation(now time.Time) bool {
	k := f.state
	e := &k.Evaluated
	for _, d := range e.Rectify {
		k.Need(casework.Rectify, string(d), max(e.Round, 1), now, now)
	}
	if len(e.Rectify) == 0 && e.Last != casework.Satisfied && e.Last != casework.BasicallySatisfied {
		k.Need(casework.Callback, "", e.Round+1, k.CallbackFrom(), now)
	}
	return e.Closed() && !k.Working()
}

// undo takes back what was begun before the customer withdrew.
func (w *connection) undo(now time.Time) {
	k := w.state
	undone := true
	if k.Meter != nil {
		k.Need(casework.RemoveMeter, "", 1, k.WithdrawnAt, now)
		undone = false
	}
	for _, c := range k.Gas.Contracts {
		if !c.SignedAt.IsZero() && c.VoidedAt.IsZero() {
			k.Need(casework.VoidContract, string(c.Kind), 1, k.WithdrawnAt, now)
			undone = false
		}
	}
	if k.Materials != nil {
		k.Need(casework.ReleaseMaterials, "", 1, k.WithdrawnAt, now)
		undone = false
	}
	k.TakePassed(now)
	for i := range k.Permits {
		p := &k.Permits[i]
		if passing, kept := k.Passing(p); passing || kept {
			undone = undone && kept
			continue
		}
		refused := !p.DecidedAt.IsZero() && !p.Granted
		if !p.FiledAt.IsZero() && p.WithdrawnAt.IsZero() && !refused {
			k.Need(casework.WithdrawPermit, string(p.Kind), 1, k.WithdrawnAt, now)
			undone = false
		}
	}
	if undone {
		k.End(casework.Withdrawn, now)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
