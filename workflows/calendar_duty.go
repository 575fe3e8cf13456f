package workflows

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// NoticeDutyWorkflow waits for a year's holiday notice with a task, a limit and
// the ladder of every case. It ends by itself when the notice has come in.
func NoticeDutyWorkflow(ctx workflow.Context, in contract.CaseInput) (contract.Done, error) {
	f := &casefile{state: in.State, advance: func(time.Time) {}}
	year, err := yearOfDuty(f.state.Number)
	if err != nil {
		return contract.Done{}, err
	}
	f.state.BeginNoticeDuty(year, workflow.Now(ctx))
	if err := f.setup(ctx); err != nil {
		return contract.Done{}, err
	}
	listenForCalendar(ctx, f)
	workflow.GoNamed(ctx, "notice-imported", func(ctx workflow.Context) { f.awaitNotice(ctx, year) })
	if err := f.run(ctx); err != nil {
		return contract.Done{}, err
	}
	if !f.state.Status.Ended() {
		return contract.Done{}, workflow.NewContinueAsNewError(ctx, contract.NoticeDutyWorkflow, contract.CaseInput{Number: f.state.Number, State: f.state})
	}
	return f.done(), nil
}

// yearOfDuty reads the year out of a duty's number.
func yearOfDuty(number string) (int, error) {
	digits, _, _ := strings.Cut(strings.TrimPrefix(number, "D"), "-")
	year, err := strconv.Atoi(digits)
	if err != nil || casework.NoticeDutyNumber(year) != number {
		return 0, fmt.Errorf("%q is not the duty of a year", number)
	}
	return year, nil
}

// awaitNotice looks whether the notice is there, at first because it may have
// come before anybody listened, then whenever an import says so.
func (f *casefile) awaitNotice(ctx workflow.Context, year int) {
	imported := workflow.GetSignalChannel(ctx, contract.NoticeImported)
	for {
		var c *activities.Calendar
		var notice activities.YearNotice
		if err := workflow.ExecuteActivity(remote(ctx, "查看日历"), c.LookForNotice, year).Get(ctx, &notice); err != nil {
			return
		}
		if notice.Imported {
			_ = f.change(ctx, func(now time.Time) { f.state.NoticeImported(notice.Version, now) }) // fails only with the workflow
			return
		}
		if !imported.Receive(ctx, nil) {
			return
		}
	}
}

// dutyLine says in one row what the duty is and who holds it.
func dutyLine(k *casework.Case) string {
	parts := []string{k.Stage.Name(), k.Request.Site.District.Name(), k.InCharge().Name()}
	for i := range k.Tasks {
		parts = append(parts, k.Tasks[i].Title())
	}
	if k.Status != casework.Open {
		parts = append(parts, k.Status.Name())
	}
	if k.Level > 0 {
		parts = append(parts, fmt.Sprintf("升级%d", k.Level))
	}
	return strings.Join(parts, " · ")
}

// dutyDetails describe a duty in Markdown: it has no customer, lane or score.
func dutyDetails(k *casework.Case) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s %s · %s\n\n%s\n\n**%s** · 立案 %s\n\n", k.Number, k.Stage.Name(), k.Status.Name(),
		k.Request.Applicant.Name, k.Request.Site.District.Name(), casework.Clock(k.ReceivedAt))
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
	return b.String()
}
