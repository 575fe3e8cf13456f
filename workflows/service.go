package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// service is the case of a transfer, a closing or an order of 12345.
type service struct{ casefile }

// carryService runs a service's case to its end, or to where it continues as new.
func carryService(ctx workflow.Context, in contract.CaseInput) (contract.Done, error) {
	w := &service{casefile{state: in.State}}
	if w.state == nil {
		w.state = casework.NewService(in.Number, *in.Service, in.Terms, in.By, workflow.Now(ctx))
		w.state.CarryOver(in.Carried, workflow.Now(ctx))
	}
	w.advance = w.stages
	if err := w.setup(ctx); err != nil {
		return contract.Done{}, err
	}
	listenForCalendar(ctx, &w.casefile)
	if w.state.Kind != casework.OrderCase {
		w.beside(aside{name: "certificates", wanted: func() bool { return w.opened && w.state.Served.FiledAt.IsZero() }, serve: w.fileCertificates, early: true})
		w.beside(aside{name: "billing", wanted: func() bool { return w.state.Served.Billing.Question != "" }, serve: w.askBilling})
		w.beside(aside{name: "arrears", wanted: func() bool { return w.state.AwaitsPayment() && !w.state.Status.Ended() }, serve: w.watchArrears, early: true})
	}
	if err := w.run(ctx); err != nil {
		return contract.Done{}, err
	}
	if !w.state.Status.Ended() {
		return contract.Done{}, workflow.NewContinueAsNewError(ctx, contract.WorkflowOf(w.state.Kind), contract.CaseInput{Number: w.state.Number, State: w.state})
	}
	return w.done(), nil
}

// stages goes through the stages of the case's kind as far as the facts allow.
func (w *service) stages(now time.Time) {
	k := w.state
	if k.Status.Ended() {
		return
	}
	if k.Status == casework.Withdrawing {
		k.End(casework.Withdrawn, now) // nothing was done yet that would have to be undone
		return
	}
	w.visits(now)
	if p, n := k.AwaitsAcceptance(); p != nil {
		k.Need(casework.AcceptTransfer, "", n, p.At, now)
	}
	work := map[casework.Stage]func(now time.Time) bool{
		casework.AccountCheck: w.accountChecked, casework.HolderChange: w.holderChanged, casework.AccountClosure: w.accountClosed,
		casework.OrderIntake: w.orderAccepted, casework.OrderHandling: w.orderAnswered, casework.Evaluation: w.evaluation,
		casework.Settlement: w.handedOver,
	}
	if k.Kind == casework.ClosingCase {
		work[casework.Settlement] = w.settledForGood
	}
	for _, stage := range casework.StagesOf(k.Kind) {
		k.Enter(stage, now)
		if !work[stage](now) {
			return
		}
	}
	k.End(casework.Closed, now)
}

// accountChecked: certificates that did not come along are obtained, each by its
// own task, while billing is asked about the account.
func (w *service) accountChecked(now time.Time) bool {
	k := w.state
	if !k.ApplicationAt.IsZero() {
		return true
	}
	if k.Served.FiledAt.IsZero() || len(k.Unfiled()) > 0 {
		return false // what came along is being filed
	}
	missing := k.MissingCertificates()
	for _, kind := range missing {
		k.Need(casework.ObtainCertificate, string(kind), 1, k.ReceivedAt, now)
	}
	switch {
	case k.Served.Account.Clear():
		if len(missing) == 0 {
			k.ClearAccount(now)
			return true
		}
	case k.Served.Account == nil && k.Service.Account != "":
		k.AskBilling(casework.AskAccount)
		fallthrough
	default:
		if k.HeldUp() || k.Served.Billing.Question == "" {
			k.Need(casework.CheckAccount, "", 1, k.ReceivedAt, now)
		}
	}
	return false
}

// arrearsSettled: what is owed was paid or agreed upon, by billing's word where
// it has one.
func (w *service) arrearsSettled(now time.Time) bool {
	k := w.state
	if !k.Arrears() {
		return true
	}
	k.TellOfArrears(now)
	s := &k.Served
	switch {
	case s.Billing.Question == "" && !k.HeldUp():
		k.Need(casework.SettleArrears, "", s.SettleTry+1, now, now)
	case k.HeldUp():
		// Billing does not say whether it was paid: a person does.
		if _, waiting := k.Live(casework.SettleArrears, ""); !waiting {
			k.Need(casework.CheckAccount, "", s.SettleTry+1, now, now)
		}
	}
	return false
}

// handedOver: arrears settled and the meter read, side by side.
func (w *service) handedOver(now time.Time) bool {
	k := w.state
	if k.Served.Confirmed != nil {
		return true
	}
	settled := w.arrearsSettled(now)
	if k.Served.Reading == nil {
		k.Need(casework.ReadMeter, "", 1, now, now)
		return false
	}
	return settled
}

// holderChanged: the rules of contract and number are kept, then billing has the
// new holder.
func (w *service) holderChanged(now time.Time) bool {
	k := w.state
	switch {
	case !k.Served.ChangedAt.IsZero():
		return true
	case k.Served.Confirmed == nil:
		k.Need(casework.ConfirmTransfer, "", 1, now, now)
	default:
		w.orByHand(casework.AskChange, casework.ChangeHolder, now)
	}
	return false
}

// orByHand has billing do something; where it is in trouble, a person does it.
func (w *service) orByHand(q casework.BillingQuestion, task casework.TaskKind, now time.Time) {
	w.state.AskBilling(q)
	if w.state.HeldUp() {
		w.state.Need(task, "", w.state.Served.Billing.Round, now, now)
	}
}

// settledForGood: nothing is owed, the meter is read and off, and the last bill
// is paid or given back.
func (w *service) settledForGood(now time.Time) bool {
	k := w.state
	s := &k.Served
	if s.Final != nil || s.Bill != nil && s.Bill.Owed == 0 && s.Bill.Refund == 0 {
		return true
	}
	switch {
	case s.Bill != nil:
		k.Need(casework.SettleFinal, "", 1, now, now)
	case s.Reading == nil || s.MeterOffAt.IsZero():
		settled := w.arrearsSettled(now)
		if s.Reading == nil {
			k.Need(casework.ReadMeter, "", 1, now, now)
		} else if settled {
			k.Need(casework.RemoveMeter, "", 1, now, now)
		}
	default:
		w.orByHand(casework.AskBill, casework.SettleFinal, now)
	}
	return false
}

// accountClosed: billing closes the account.
func (w *service) accountClosed(now time.Time) bool {
	if !w.state.Served.ClosedAt.IsZero() {
		return true
	}
	w.orByHand(casework.AskClose, casework.CloseAccount, now)
	return false
}

// orderAccepted: the hotline accepts the order; the answer is owed from the first
// moment, by the time that 12345 set.
func (w *service) orderAccepted(now time.Time) bool {
	k := w.state
	if !k.Served.Order.AcceptedAt.IsZero() {
		return true
	}
	k.Need(casework.AcceptOrder, "", 1, k.ReceivedAt, now)
	k.NeedAnswer(now)
	return false
}

// orderAnswered: a department handles it, or passes it on, until 12345 has its
// answer.
func (w *service) orderAnswered(now time.Time) bool {
	k := w.state
	o := &k.Served.Order
	if !o.AnsweredAt.IsZero() {
		return true
	}
	if o.Handled == nil {
		k.Need(casework.HandleOrder, string(o.Department), max(o.Round, 1), now, now)
	}
	k.NeedAnswer(now)
	return false
}

// fileCertificates has the certificates that came along put into the archive.
func (w *service) fileCertificates(ctx workflow.Context) error {
	var filed []casework.Document
	if len(w.state.Service.Certificates) > 0 {
		var certificates *activities.Certificates
		if err := workflow.ExecuteActivity(remote(ctx, "归档证照"), certificates.FileCertificates, w.state.Number).Get(ctx, &filed); err != nil {
			return err
		}
	}
	return w.change(ctx, func(now time.Time) { w.state.FileCertificates(filed, now) })
}

// billingPatience is how long billing may keep silent before a person may do
// what it was asked.
const billingPatience = 2 * time.Minute

// askBilling carries a question to billing. One that is not answered is asked on
// for as long as the case waits for it.
func (w *service) askBilling(ctx workflow.Context) error {
	b := w.state.Served.Billing
	in := activities.BillingInput{Number: w.state.Number, Version: w.state.Version, Question: b.Question, Round: b.Round}
	answer, err := w.ask(ctx, in, billingPatience)
	if err != nil && ctx.Err() == nil {
		if err := w.change(ctx, func(now time.Time) { w.state.BillingUnanswered(in.Round, now) }); err != nil {
			return err
		}
		answer, err = w.ask(ctx, in, 0)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		// Mostly somebody else has settled it; what fails at once all the same
		// must not fill the history.
		if b := w.state.Served.Billing; b.Question == in.Question && b.Round == in.Round {
			return workflow.Sleep(ctx, billingPatience)
		}
		return nil
	}
	return w.change(ctx, func(now time.Time) { w.state.BillingAnswers(answer, now) })
}

// ask asks once and waits for the answer as long as the case does, and no longer
// than patience where there is one.
func (w *service) ask(ctx workflow.Context, in activities.BillingInput, patience time.Duration) (casework.BillingAnswer, error) {
	asking, cancel := workflow.WithCancel(ctx)
	defer cancel()
	asking = workflow.WithActivityOptions(asking, workflow.ActivityOptions{
		StartToCloseTimeout: 30 * time.Second, ScheduleToCloseTimeout: patience,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 5 * time.Minute},
		Summary:     "计费系统：" + in.Question.Name(),
	})
	var billing *activities.Billing
	future := workflow.ExecuteActivity(asking, billing.AskBilling, in)
	owed := func() bool {
		b := &w.state.Served.Billing
		return b.Question == in.Question && b.Round == in.Round && !w.state.Status.Ended()
	}
	if err := workflow.Await(ctx, func() bool { return future.IsReady() || !owed() }); err != nil {
		return casework.BillingAnswer{}, err
	}
	if !future.IsReady() {
		return casework.BillingAnswer{}, temporal.NewCanceledError()
	}
	var answer casework.BillingAnswer
	err := future.Get(ctx, &answer)
	return answer, err
}

// recheckInterval is how often billing is asked whether arrears were paid.
const recheckInterval = 12 * time.Hour

// watchArrears looks after a while whether what is owed was paid, so that nobody
// has to say so.
func (w *service) watchArrears(ctx workflow.Context) error {
	paid, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{Timeout: recheckInterval, TimerOptions: workflow.TimerOptions{Summary: "查询是否缴清"}},
		func() bool { return !w.state.AwaitsPayment() })
	if err != nil || paid {
		return err
	}
	return w.change(ctx, func(time.Time) { w.state.RecheckBalance() })
}

// serviceLine says in one row what is asked for, where it stands and who holds it.
func serviceLine(k *casework.Case) string {
	parts := []string{k.Kind.Name(), k.Request.Utility.Name(), k.Request.Site.District.Name(), k.Stage.Name(), k.InCharge().Name()}
	if k.Status != casework.Open {
		parts = append(parts, k.Status.Name())
	}
	if k.Level > 0 {
		parts = append(parts, fmt.Sprintf("升级%d", k.Level))
	}
	return strings.Join(parts, " · ")
}

// serviceDetails describe the case in Markdown, without personal data.
func serviceDetails(k *casework.Case) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s %s%s · %s · %s\n\n", k.Number, k.Request.Utility.Name(), k.Kind.Name(), k.Stage.Name(), k.Status.Name())
	fmt.Fprintf(&b, "**%s** · 渠道 %s · 收到 %s\n\n", k.Request.Site.District.Name(), k.Request.Channel.Name(), casework.Clock(k.ReceivedAt))
	if k.Level > 0 {
		fmt.Fprintf(&b, "**升级级别 %d**\n\n", k.Level)
	}
	if len(k.Tasks) > 0 {
		b.WriteString("| 待办任务 | 承办 | 截止 | 下一级提醒 |\n|---|---|---|---|\n")
	}
	for i := range k.Tasks {
		t := &k.Tasks[i]
		due, next := "—", "—"
		if d, ok := k.Deadline(t.ID); ok {
			due, next = casework.DueText(d.Due).ZH, nextRung(d)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", t.Title(), t.Holder(), due, next)
	}
	b.WriteString("\n")
	if q := k.Served.Billing; q.Question != "" || q.Trouble != "" {
		fmt.Fprintf(&b, "计费系统：%s %s\n\n", q.Question.Name(), q.Trouble.Text().ZH)
	}
	if o := k.Served.Order; !o.ReplyBy.IsZero() {
		fmt.Fprintf(&b, "12345答复时限：%s · 第 %d 次办理\n\n", casework.Clock(o.ReplyBy), max(o.Round, 1))
	}
	for i := range k.Escalations {
		if e := &k.Escalations[i]; e.Open() && e.Level > 0 {
			b.WriteString(escalationText(e))
		}
	}
	b.WriteString(clockText(k))
	return b.String()
}
