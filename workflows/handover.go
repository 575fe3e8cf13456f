package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

const (
	// lookInterval is how often an absent person's tasks are looked at: what
	// reached them nonetheless is moved long before it is late.
	lookInterval = 15 * time.Minute
	// maxRounds keeps the history of a long absence short.
	maxRounds = 400
	// leavingPause covers what was under way while the account was switched off.
	leavingPause = time.Minute
)

// AbsenceWorkflow moves the open tasks of an absent person when the absence
// begins, and what reaches them while it lasts. The record in PostgreSQL says
// what holds; the workflow knows when to look.
func AbsenceWorkflow(ctx workflow.Context, in contract.AbsenceInput) error {
	changed := workflow.GetSignalChannel(ctx, contract.AbsenceChanged)
	look := activities.AbsenceLook{Absence: in.Absence, State: in.Absence.State(workflow.Now(ctx))}
	wake := in.Absence.From
	for rounds := 0; ; rounds++ {
		workflow.SetCurrentDetails(ctx, absenceDetails(look))
		if rounds >= maxRounds || workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return workflow.NewContinueAsNewError(ctx, contract.AbsenceWorkflow, contract.AbsenceInput{Absence: look.Absence, Rounds: in.Rounds})
		}
		if err := sleepOr(ctx, changed, wake, absenceTimer(look)); err != nil {
			return err
		}
		in.Rounds++
		var handOvers *activities.HandOvers
		err := workflow.ExecuteActivity(handing(ctx, "移交任务"), handOvers.HandOverAbsent,
			activities.HandOverInput{ID: in.Absence.ID, Round: in.Rounds, At: workflow.Now(ctx)}).Get(ctx, &look)
		if err != nil {
			return err
		}
		switch look.State {
		case casework.AbsenceEnded, casework.AbsenceCancelled:
			workflow.SetCurrentDetails(ctx, absenceDetails(look))
			return nil
		case casework.AbsenceComing:
			wake = look.Absence.From
		case casework.AbsenceCurrent:
			wake = workflow.Now(ctx).Add(lookInterval)
			if until := look.Absence.Until(); until.Before(wake) {
				wake = until
			}
		}
	}
}

// sleepOr sleeps until a moment, or until a signal comes.
func sleepOr(ctx workflow.Context, signal workflow.ReceiveChannel, wake time.Time, summary string) error {
	timing, cancel := workflow.WithCancel(ctx)
	defer cancel()
	selector := workflow.NewSelector(ctx)
	selector.AddReceive(signal, func(c workflow.ReceiveChannel, _ bool) {
		for received := true; received; {
			received = c.ReceiveAsync(nil) // one look serves all that came
		}
	})
	if left := wake.Sub(workflow.Now(ctx)); left > 0 {
		selector.AddFuture(workflow.NewTimerWithOptions(timing, left, workflow.TimerOptions{Summary: summary}), func(workflow.Future) {})
	} else {
		selector.AddDefault(func() {})
	}
	selector.Select(ctx)
	return ctx.Err()
}

// handing options are for moving many tasks: tried again until it is done, and
// taken up elsewhere where a worker dies.
func handing(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Hour,
		HeartbeatTimeout:    time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
		Summary:             summary,
	})
}

// absenceDetails describe an absence for a supervisor who opens it. Its reason
// is personal and stays out.
func absenceDetails(look activities.AbsenceLook) string {
	a := look.Absence
	deputy := "所在部门"
	if a.Deputy != "" {
		deputy = a.Deputy
	}
	return fmt.Sprintf("### 缺勤 %s · %s\n\n%s 至 %s · 代理：%s\n\n%s", a.Person, look.State.Name(), casework.Clock(a.From), casework.Clock(a.Until()), deputy, handedText(a.Handed))
}

// absenceTimer names the timer of an absence: what it waits for.
func absenceTimer(look activities.AbsenceLook) string {
	if look.State == casework.AbsenceComing {
		return "缺勤开始"
	}
	return "再次查看"
}

func handedText(h casework.Handed) string {
	return fmt.Sprintf("已移交：%d 案，代理 %d 项，退回部门 %d 项\n", h.Cases, h.ToPerson, h.ToDepartment)
}

// HandOverWorkflow moves everything that a person holds. After somebody has
// left it looks once more, for what was under way at that moment.
func HandOverWorkflow(ctx workflow.Context, in contract.HandOverInput) (casework.Handed, error) {
	var handed casework.Handed
	done := false
	err := workflow.SetUpdateHandlerWithOptions(ctx, contract.HandedOver, func(ctx workflow.Context) (casework.Handed, error) {
		err := workflow.Await(ctx, func() bool { return done })
		return handed, err
	}, workflow.UpdateHandlerOptions{Description: "等待移交完成"})
	if err != nil {
		return handed, err
	}
	rounds := 1
	if in.HandOver.Leaving {
		rounds = 2
	}
	for round := 1; round <= rounds; round++ {
		if round > 1 {
			if err := workflow.NewTimerWithOptions(ctx, leavingPause, workflow.TimerOptions{Summary: "再次查看"}).Get(ctx, nil); err != nil {
				return handed, err
			}
		}
		var handOvers *activities.HandOvers
		err := workflow.ExecuteActivity(handing(ctx, "移交任务"), handOvers.HandOverStaff,
			activities.HandOverInput{ID: in.HandOver.ID, Round: round, At: workflow.Now(ctx)}).Get(ctx, &handed)
		if err != nil {
			return handed, err
		}
		done = true
		workflow.SetCurrentDetails(ctx, fmt.Sprintf("### 移交 %s\n\n%s", in.HandOver.Person, handedText(handed)))
	}
	return handed, workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
}
