// Package workflows orders the work on a case: what follows what, what waits
// for what, and what time does by itself. One file a workflow, one small
// method a stage. Rules live in package casework, effects in activities.
package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// casefile runs one case as a workflow. Every decision, a person's or time's,
// goes the same way: it is tried on a copy, the stages open what follows, due
// moments are worked out, and everything is committed at once; then the
// decision is answered. One lock keeps decisions apart.
type casefile struct {
	state *casework.Case
	lock  workflow.Mutex
	// advance opens what the stages need now. It only looks at facts, so it may
	// be called again and again.
	advance func(now time.Time)
	// decisions counts those of this run, which ends by continuing as new
	// before the server's limit of updates is reached.
	decisions int
	changing  int  // changes of the system's own under way
	opened    bool // the first records are committed
	shown     attributes
	clock     clock
	holders   bool // this run notes who holds the clock; see run
	heeds     bool // this run takes over a new calendar before anything else; see run
	marks     bool // this run's row says where its due moment is provisional; see run
	starts    bool // this run starts its asides when they are wanted; see run
	listeners []listener
	calendars workflow.ReceiveChannel // tells of new calendars
	asides    []*aside
}

// maxDecisions keeps a run well below the server's limit of 2,000 updates.
const maxDecisions = 1000

// setup registers everything that can be asked of the case. It comes before
// the first blocking call, so that no early update finds no handler. What the
// case listens to is said after it, and also before the first blocking call.
func (f *casefile) setup(ctx workflow.Context) error {
	f.lock = workflow.NewMutex(ctx)
	workflow.GoNamed(ctx, "listening", f.listening)
	for _, register := range []func() error{
		func() error { return handle[casework.CompleteTask](ctx, f, contract.CompleteTask, "办结任务") },
		func() error { return handle[casework.ClaimTask](ctx, f, contract.ClaimTask, "领取任务") },
		func() error { return handle[casework.ReleaseTask](ctx, f, contract.ReleaseTask, "退回任务") },
		func() error { return handle[casework.AssignTask](ctx, f, contract.AssignTask, "指派任务") },
		func() error { return handle[casework.DelegateTask](ctx, f, contract.DelegateTask, "转交任务") },
		func() error { return handle[casework.Withdraw](ctx, f, contract.Withdraw, "撤回申请") },
		func() error { return handle[casework.PauseCase](ctx, f, contract.PauseCase, "暂停计时") },
		func() error { return handle[casework.ResumeCase](ctx, f, contract.ResumeCase, "恢复计时") },
		func() error { return handle[casework.AmendRequest](ctx, f, contract.AmendRequest, "更正信息") },
		func() error { return handle[casework.AttachDocument](ctx, f, contract.AttachDocument, "归档材料") },
		func() error {
			return handle[casework.BringAttachments](ctx, f, contract.BringAttachments, "补送材料")
		},
		func() error { return handle[casework.ProposeCharge](ctx, f, contract.ProposeCharge, "登记收费") },
		func() error {
			return handle[casework.ConfirmDesign](ctx, f, contract.ConfirmDesign, "客户确认方案")
		},
		func() error {
			return handle[casework.ConfirmAcceptance](ctx, f, contract.ConfirmAcceptance, "客户确认验收")
		},
		func() error {
			return handle[casework.ConfirmQuote](ctx, f, contract.ConfirmQuote, "客户确认报价")
		},
		func() error {
			return handle[casework.ConfirmContract](ctx, f, contract.ConfirmContract, "客户确认合同")
		},
		func() error { return handle[casework.Rate](ctx, f, contract.Rate, "客户评价") },
		func() error {
			return handle[casework.AcknowledgeEscalation](ctx, f, contract.AcknowledgeEscalation, "签收升级")
		},
		func() error {
			return handle[casework.AnswerEscalation](ctx, f, contract.AnswerEscalation, "答复升级")
		},
		func() error {
			return handle[casework.CloseEscalation](ctx, f, contract.CloseEscalation, "关闭升级")
		},
		func() error { return handle[casework.ExtendDeadline](ctx, f, contract.ExtendDeadline, "延期") },
		func() error { return handle[casework.MovePolicy](ctx, f, contract.MovePolicy, "改用政策版本") },
		func() error { return handle[casework.PassOn](ctx, f, contract.PassOn, "转办") },
		func() error { return handle[casework.HandOver](ctx, f, contract.HandOver, "移交任务") },
		func() error { return handle[casework.Apply](ctx, f, contract.Apply, "提交申请") },
		func() error { return handle[casework.RecordVisit](ctx, f, contract.RecordVisit, "登记走访") },
		func() error { return handle[casework.LocateSite](ctx, f, contract.LocateSite, "标注位置") },
		func() error {
			return handle[casework.RecordOrderVisit](ctx, f, contract.RecordOrderVisit, "登记12345回访")
		},
		func() error { return handle[casework.ExtendOrder](ctx, f, contract.ExtendOrder, "12345延期") },
		func() error { return f.handleOpened(ctx) },
		func() error {
			return workflow.SetQueryHandler(ctx, contract.StateQuery, func() (*casework.Case, error) { return f.state, nil })
		},
	} {
		if err := register(); err != nil {
			return err
		}
	}
	return nil
}

// handle registers one action as an update. The validator refuses on a copy,
// so a refused action leaves no trace in the history; the handler tries again,
// because the case may have changed while it waited for the lock.
func handle[A casework.Action](ctx workflow.Context, f *casefile, name, description string) error {
	return workflow.SetUpdateHandlerWithOptions(ctx, name,
		func(ctx workflow.Context, action A) (contract.Done, error) { return f.decide(ctx, action) },
		workflow.UpdateHandlerOptions{
			Description: description,
			Validator: func(ctx workflow.Context, action A) error {
				if _, err := f.state.Try(action, workflow.Now(ctx)); err != nil {
					return contract.Refusal(err)
				}
				return nil
			},
		})
}

// handleOpened lets the intake wait until the case's first records are there.
func (f *casefile) handleOpened(ctx workflow.Context) error {
	return workflow.SetUpdateHandlerWithOptions(ctx, contract.Opened, func(ctx workflow.Context) (contract.Done, error) {
		err := workflow.Await(ctx, func() bool { return f.opened })
		return f.done(), err
	}, workflow.UpdateHandlerOptions{Description: "等待立案"})
}

func (f *casefile) done() contract.Done {
	return contract.Done{Number: f.state.Number, Version: f.state.Version, Status: f.state.Status, Stage: f.state.Stage}
}

// decide takes a person's decision to its committed end. One that came with the
// start is handled before the workflow's own first step. It waits there for the
// first records of a case that is new, because a copy, on which it is tried, has
// none of what waits to be recorded.
func (f *casefile) decide(ctx workflow.Context, action casework.Action) (contract.Done, error) {
	if err := workflow.Await(ctx, func() bool { return f.opened || !f.state.Changed() }); err != nil {
		return contract.Done{}, err
	}
	if err := f.lock.Lock(ctx); err != nil {
		return contract.Done{}, err
	}
	defer f.lock.Unlock()
	if err := f.heed(ctx); err != nil {
		return contract.Done{}, err
	}
	next, err := f.state.Try(action, workflow.Now(ctx))
	if err != nil {
		return contract.Done{}, contract.Refusal(err)
	}
	f.state = next
	f.decisions++
	if err := f.settle(ctx); err != nil {
		return contract.Done{}, err
	}
	return f.done(), nil
}

// change is a decision of the system's own: a rung, a finished upgrade, a new
// calendar.
func (f *casefile) change(ctx workflow.Context, do func(now time.Time)) error {
	f.changing++
	defer func() { f.changing-- }()
	if err := f.lock.Lock(ctx); err != nil {
		return err
	}
	defer f.lock.Unlock()
	if err := f.heed(ctx); err != nil {
		return err
	}
	do(workflow.Now(ctx))
	return f.settle(ctx)
}

// listener is a signal that the case listens to, and what comes of it.
type listener struct {
	told workflow.ReceiveChannel
	take func(now time.Time) // takes one from the channel, if there is still one
}

// listen changes the case whenever a signal comes. What is told waits in the
// channel until the lock is held, so that heed and quiet see it.
func (f *casefile) listen(ctx workflow.Context, signal string, do func(now time.Time)) workflow.ReceiveChannel {
	told := workflow.GetSignalChannel(ctx, signal)
	f.listeners = append(f.listeners, listener{told, func(now time.Time) {
		if told.ReceiveAsync(nil) {
			do(now)
		}
	}})
	return told
}

// hear is listen for signals that say something.
func hear[T any](ctx workflow.Context, f *casefile, signal string, do func(said T, now time.Time)) {
	told := workflow.GetSignalChannel(ctx, signal)
	f.listeners = append(f.listeners, listener{told, func(now time.Time) {
		var said T
		if told.ReceiveAsync(&said) {
			do(said, now)
		}
	}})
}

// listening takes what is told for as long as the case lives. One coroutine does
// it for all signals: coroutines are half of what a case costs in memory, and
// each is looked at whenever the case does anything.
func (f *casefile) listening(ctx workflow.Context) {
	for {
		if err := workflow.Await(ctx, func() bool { return slices.ContainsFunc(f.listeners, listener.waits) }); err != nil {
			return
		}
		for _, l := range f.listeners {
			for l.waits() {
				if err := f.change(ctx, l.take); err != nil {
					return
				}
			}
		}
	}
}

func (l listener) waits() bool { return l.told.Len() > 0 }

// heed takes over a new calendar that the case has been told of. It comes before
// any other decision: what time missed while everything was down falls due by
// the notices of the day, not by those that they replaced. The lock is held.
func (f *casefile) heed(ctx workflow.Context) error {
	if !f.heeds {
		return nil
	}
	told := false
	for f.calendars.ReceiveAsync(nil) {
		told = true
	}
	if !told {
		return nil
	}
	f.state.Recalculate()
	return f.settle(ctx)
}

// settle opens what follows, works out due moments, fires what has fallen due
// meanwhile, and commits. The lock is held.
func (f *casefile) settle(ctx workflow.Context) error {
	for {
		f.advance(workflow.Now(ctx))
		if f.holders {
			f.state.NoteHolder(workflow.Now(ctx))
		}
		if err := f.workOut(ctx); err != nil {
			return err
		}
		wake := f.state.NextWake()
		if wake.IsZero() || wake.After(workflow.Now(ctx)) {
			return f.commit(ctx)
		}
		f.state.Fire(workflow.Now(ctx))
	}
}

// workOut has worked out what only the calendar can tell: the due moments of
// new and moved deadlines, and how long those held the clock who let go of it.
func (f *casefile) workOut(ctx workflow.Context) error {
	stale, ended := f.state.Unworked(), f.state.Clock.Ended
	if len(stale) == 0 && len(ended) == 0 {
		return nil
	}
	var deadlines *activities.Deadlines
	var worked activities.Worked
	var err error
	if f.holders {
		err = workflow.ExecuteLocalActivity(short(ctx, "计算时限"), deadlines.WorkOut,
			activities.WorkOutInput{Hours: f.state.Terms.Hours, Deadlines: stale, Ended: ended}).Get(ctx, &worked)
	} else {
		err = workflow.ExecuteLocalActivity(short(ctx, "计算时限"), deadlines.WorkOutDeadlines,
			activities.WorkOutInput{Hours: f.state.Terms.Hours, Deadlines: stale}).Get(ctx, &worked.Deadlines)
	}
	if err != nil {
		return err
	}
	f.state.Worked(worked.Deadlines, workflow.Now(ctx))
	f.state.Counted(worked.Ended)
	return nil
}

// commit records what changed and shows it in the Temporal UI. The state is
// handed over as it is: whoever changes it holds the lock, which is held here
// until it is recorded.
func (f *casefile) commit(ctx workflow.Context) error {
	if f.state.Changed() {
		var records *activities.Records
		changes := f.state.TakeChanges()
		err := workflow.ExecuteLocalActivity(short(ctx, "记录"), records.SaveRecords,
			activities.SaveInput{Case: f.state, Changes: changes}).Get(ctx, nil)
		if err != nil {
			return err
		}
	}
	f.opened = true
	f.startAsides(ctx)
	return f.show(ctx)
}

// short options are for local activities on the own database. They are tried
// again for as long as it takes: an accepted decision is never given up, the
// caller only waits no longer.
func short(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout:    10 * time.Second,
		ScheduleToCloseTimeout: endless,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second},
		Summary:                summary,
	})
}

// endless stands for no limit at all: a local activity without one would be
// given up after a single attempt's time, and its case with it.
const endless = 100 * 365 * 24 * time.Hour

// remote options are for activities that reach other systems.
func remote(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 5 * time.Minute},
		Summary:             summary,
	})
}

// run lives with the case until it ends or the history has grown enough. The
// one clock of the case sleeps until the next thing that time itself does.
func (f *casefile) run(ctx workflow.Context) error {
	// Runs that began before curbstop noted who holds the clock (1), or heeded a
	// new calendar before anything else (2), or marked in its row what is
	// provisional (3), or started what goes on beside the clock only when it is
	// wanted (4), go on without.
	version := workflow.GetVersion(ctx, "who-holds-the-clock", workflow.DefaultVersion, 4)
	f.holders, f.heeds, f.marks, f.starts = version >= 1, version >= 2, version >= 3, version >= 4
	f.beside(aside{name: "drafts", wanted: func() bool { return len(f.state.Drafts) > 0 }, serve: f.draft})
	f.beside(aside{name: "attachments", wanted: func() bool { return len(f.state.Unfiled()) > 0 }, serve: f.fileAttachments})
	if !f.starts {
		f.attendAsides(ctx)
	}
	if err := f.change(ctx, func(time.Time) {}); err != nil {
		return err
	}
	for {
		if f.state.Status.Ended() || f.full(ctx) {
			if err := f.leave(ctx); err != nil {
				return err
			}
			// A handler that finished meanwhile may have opened the case again.
			if (f.state.Status.Ended() || f.full(ctx)) && f.quiet(ctx) {
				return nil
			}
		}
		if err := f.sleep(ctx); err != nil {
			return err
		}
		wake := f.state.NextWake()
		if !wake.IsZero() && !wake.After(workflow.Now(ctx)) {
			if err := f.change(ctx, func(now time.Time) { f.state.Fire(now) }); err != nil {
				return err
			}
		}
	}
}

// full tells whether the run should end and continue as new.
func (f *casefile) full(ctx workflow.Context) bool {
	return f.decisions >= maxDecisions || workflow.GetInfo(ctx).GetContinueAsNewSuggested()
}

// quiet tells whether nothing is under way: no handler, no change of the
// system's own, nothing told that nobody took yet, and no paper owed by a case
// that has ended or not put into its file.
func (f *casefile) quiet(ctx workflow.Context) bool {
	if f.heeds && slices.ContainsFunc(f.listeners, listener.waits) {
		return false
	}
	owed := len(f.state.Drafts) > 0 || len(f.state.Unfiled()) > 0
	return workflow.AllHandlersFinished(ctx) && f.changing == 0 && (!owed || !f.state.Status.Ended())
}

// leave waits until nothing is under way, so that nothing is lost. The end of
// the run then goes into a workflow task of its own: the server refuses a task
// that ends a run while something new arrives, and a decision committed within
// it would have to be taken again.
func (f *casefile) leave(ctx workflow.Context) error {
	if err := workflow.Await(ctx, func() bool { return f.quiet(ctx) }); err != nil {
		return err
	}
	return workflow.NewTimerWithOptions(ctx, time.Millisecond, workflow.TimerOptions{Summary: "归档"}).Get(ctx, nil)
}

// clock is the one timer of a case. It is set anew only for an earlier moment:
// a timer that comes too early costs one look, a cancelled one two events.
type clock struct {
	at     time.Time
	timer  workflow.Future
	cancel workflow.CancelFunc
}

// late tells whether the clock would wake too late for a moment.
func (c *clock) late(wake time.Time) bool {
	return !wake.IsZero() && (c.timer == nil || wake.Before(c.at))
}

// set makes the clock wake at a moment.
func (c *clock) set(ctx workflow.Context, wake time.Time, summary string) {
	if c.timer != nil {
		c.cancel()
	}
	ctx, c.cancel = workflow.WithCancel(ctx)
	c.at = wake
	c.timer = workflow.NewTimerWithOptions(ctx, wake.Sub(workflow.Now(ctx)), workflow.TimerOptions{Summary: summary})
}

// rang tells whether the clock has woken.
func (c *clock) rang() bool { return c.timer != nil && c.timer.IsReady() }

// sleep lasts until the clock rings, or the case has changed so that it must be
// set anew.
func (f *casefile) sleep(ctx workflow.Context) error {
	if wake := f.state.NextWake(); f.clock.late(wake) && wake.After(workflow.Now(ctx)) {
		f.clock.set(ctx, wake, f.clockSummary())
	}
	err := workflow.Await(ctx, func() bool {
		return f.clock.rang() || f.clock.late(f.state.NextWake()) || f.state.Status.Ended() || f.full(ctx)
	})
	if f.clock.rang() {
		f.clock.timer = nil
	}
	return err
}

// draft has the documents written that the system owes, once the facts that
// they show are committed.
func (f *casefile) draft(ctx workflow.Context) error {
	var documents *activities.Documents
	var written []casework.Document
	in := activities.DraftInput{Number: f.state.Number, Version: f.state.Version, Kinds: f.state.Drafts, At: workflow.Now(ctx)}
	if err := workflow.ExecuteActivity(remote(ctx, "起草材料"), documents.DraftDocuments, in).Get(ctx, &written); err != nil {
		return err
	}
	return f.change(ctx, func(now time.Time) { f.state.Drafted(written, now) })
}

// attachmentBatch is how many attachments are filed at a time. Each is read from
// its whole message, and all of a batch in the time that one try has.
const attachmentBatch = 10

// fileAttachments has the papers put into the archive that came along with the
// request, or after it. Their files lie in the messages that brought them, and
// go from there to the archive without passing through the history.
func (f *casefile) fileAttachments(ctx workflow.Context) error {
	var attachments *activities.Attachments
	var filed []casework.Filed
	unfiled := f.state.Unfiled()
	in := activities.AttachmentsInput{Number: f.state.Number, Attachments: unfiled[:min(len(unfiled), attachmentBatch)]}
	if err := workflow.ExecuteActivity(remote(ctx, "归档随件材料"), attachments.FileAttachments, in).Get(ctx, &filed); err != nil {
		return err
	}
	return f.change(ctx, func(now time.Time) { f.state.FileAttachments(filed, now) })
}
