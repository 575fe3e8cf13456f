package casework_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

func TestBudgetName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"1 working_day": "1 个工作日", "same_day": "当日", "next_day": "次日（工作日）", "next_calendar_day": "次日",
		"on_date": "约定之日", "4 working_hours": "工作时间 4小时", "1h30m20s": "工作时间 1小时30分钟20秒",
	} {
		b, err := calendar.ParseBudget(text)
		require.NoError(t, err)
		require.Equal(t, want, casework.BudgetName(b))
	}
	require.Equal(t, "—", casework.BudgetName(calendar.Budget{}))
}

// notes are what the timeline says of some kinds of events.
func notes(k *casework.Case, kinds ...casework.EventKind) []casework.Text {
	var said []casework.Text
	for _, e := range k.TakeChanges().Events {
		for _, kind := range kinds {
			if e.Kind == kind {
				said = append(said, e.Note)
			}
		}
	}
	return said
}

// workAll works all deadlines of a case out that wait for it.
func workAll(t *testing.T, k *casework.Case, at time.Time) {
	t.Helper()
	var worked []casework.Deadline
	for _, d := range k.Unworked() {
		worked = append(worked, workOut(t, d))
	}
	k.Worked(worked, at)
}

// Clerks read the field's own words, not the names that programs use.
func TestTimelineSpeaksTheFieldsOwnWords(t *testing.T) {
	t.Parallel()
	k, task := newCase(t, casework.ContactCustomer, "")
	workAll(t, k, received)
	require.NoError(t, casework.ExtendDeadline{
		By: byAble, Deadline: task.ID, Extra: calendar.Budget{Unit: calendar.WorkingDays, Days: 2}, Reason: "客户改期",
	}.Apply(k, now))
	workAll(t, k, now)
	require.NoError(t, casework.PauseCase{By: byAble, Reason: casework.ForceMajeure, Evidence: "台风", PlannedEnd: now.Add(24 * time.Hour)}.Apply(k, now))
	require.NoError(t, casework.ResumeCase{By: byAble}.Apply(k, now.Add(time.Hour)))
	require.Equal(t, []casework.Text{
		casework.Say("延期：联系客户，增加 2 个工作日", "extended: contact_customer by 2 working_days"),
		casework.Say("时限变更：联系客户 由 2026-11-24 17:30 改为 2026-11-26 17:30", "deadlines moved: contact_customer from 2026-11-24 17:30 to 2026-11-26 17:30"),
		casework.Say("暂停计时（不可抗力），计划至 2026-11-24 11:00", "paused (force_majeure) until about 2026-11-24 11:00"),
		casework.Say("恢复计时（不可抗力）", "resumed (force_majeure)"),
	}, notes(k, casework.DeadlineExtended, casework.DeadlinesMoved, casework.CasePaused, casework.CaseResumed))
}

// Who is told of a due moment in a year without notice is told that it may move.
func TestRungSaysWhatIsProvisional(t *testing.T) {
	t.Parallel()
	k, _ := newCase(t, casework.ContactCustomer, "")
	var worked []casework.Deadline
	for _, d := range k.Unworked() {
		d.Anchor = time.Date(2027, 1, 4, 10, 0, 0, 0, calendar.Shanghai)
		worked = append(worked, workOut(t, d))
	}
	k.Worked(worked, received)
	k.Fire(time.Date(2027, 1, 5, 16, 0, 0, 0, calendar.Shanghai))
	changes := k.TakeChanges()
	require.Len(t, changes.Messages, 1)
	require.True(t, changes.Messages[0].Provisional)
	require.Equal(t, casework.Say("到期提醒：联系客户，应于 2027-01-05 17:30（暂定） 前完成，通知营商专班", "reminder: contact_customer due 2027-01-05 17:30 (provisional)"),
		changes.Messages[0].Text)
}

func TestDueText(t *testing.T) {
	t.Parallel()
	at := time.Date(2027, 1, 5, 17, 30, 0, 0, calendar.Shanghai)
	for _, c := range []struct {
		due    calendar.Due
		zh, en string
	}{
		{calendar.Due{}, "无时限", "no limit"},
		{calendar.Due{At: at}, "2027-01-05 17:30", "2027-01-05 17:30"},
		{calendar.Due{At: at, Provisional: true}, "2027-01-05 17:30（暂定）", "2027-01-05 17:30 (provisional)"},
		{calendar.Due{Stopped: true, Remaining: 150 * time.Minute}, "已停表，余 2.5 小时", "stopped, 2h30m0s left"},
	} {
		require.Equal(t, casework.Say(c.zh, c.en), casework.DueText(c.due))
	}
}

func TestWorked(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 小时", 40 * time.Second: "40 秒", time.Minute: "1 分", 90 * time.Second: "1.5 分",
		12*time.Minute + time.Millisecond: "12 分", 450 * time.Minute: "7.5 小时",
	} {
		require.Equal(t, want, casework.Worked(d))
	}
}
