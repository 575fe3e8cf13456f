package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// attributes are what the Temporal UI filters by. They hold no personal data.
type attributes struct {
	stage      casework.Stage
	status     casework.Status
	department casework.Department
	due        time.Time
	level      int
	deadlines  casework.DeadlineState
	clock      casework.Party
	// provisional tells that due counts through a year without notice.
	provisional bool
	district    casework.District // where the case was passed on; empty before
}

// show brings the Temporal UI up to date: current details always, which cost
// nothing in the history; search attributes only when they changed, which do.
func (f *casefile) show(ctx workflow.Context) error {
	workflow.SetCurrentDetails(ctx, f.details())
	now := attributes{stage: f.state.Stage, status: f.state.Status, department: f.state.InCharge(), due: f.state.EarliestDue(), level: f.state.Level}
	if f.holders {
		now.deadlines = f.state.DeadlineState()
		if held := f.state.Clock.Now; held.To.IsZero() {
			now.clock = held.Party
		}
	}
	now.provisional = f.marks && f.state.ProvisionallyDue()
	if len(f.state.Passes) > 0 {
		now.district = f.state.Request.Site.District
	}
	if now == f.shown {
		return nil
	}
	line := f.line()
	if now.provisional {
		line += " · 截止暂定"
	}
	updates := []temporal.SearchAttributeUpdate{
		contract.AttrSummary.ValueSet(line),
		contract.AttrStage.ValueSet(string(now.stage)),
		contract.AttrStatus.ValueSet(string(now.status)),
		contract.AttrDepartment.ValueSet(string(now.department)),
		contract.AttrLevel.ValueSet(int64(now.level)),
	}
	if now.district != "" {
		updates = append(updates, contract.AttrDistrict.ValueSet(string(now.district)))
	}
	if now.due.IsZero() {
		updates = append(updates, contract.AttrDue.ValueUnset())
	} else {
		updates = append(updates, contract.AttrDue.ValueSet(now.due))
	}
	if f.holders {
		updates = append(updates, contract.AttrDeadlines.ValueSet(string(now.deadlines)))
		if now.clock == "" {
			updates = append(updates, contract.AttrClock.ValueUnset())
		} else {
			updates = append(updates, contract.AttrClock.ValueSet(string(now.clock)))
		}
	}
	f.shown = now
	return workflow.UpsertTypedSearchAttributes(ctx, updates...)
}

// line says in one row where the case is, where it stands and who holds it.
func (f *casefile) line() string {
	k := f.state
	if k.Kind == casework.DutyCase {
		return dutyLine(k)
	}
	if k.Service != nil {
		return serviceLine(k)
	}
	line := strings.Join([]string{k.Request.Utility.Name(), k.Request.Site.District.Name(), k.StageTitle(), k.InCharge().Name()}, " · ")
	if k.Status != casework.Open {
		line += " · " + k.Status.Name()
	}
	if k.Level > 0 {
		line += fmt.Sprintf(" · 升级%d", k.Level)
	}
	return line
}

// details describe the case in Markdown for a supervisor who opens it.
func (f *casefile) details() string {
	k := f.state
	if k.Kind == casework.DutyCase {
		return dutyDetails(k)
	}
	if k.Service != nil {
		return serviceDetails(k)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "### %s %s · %s · %s\n\n", k.Number, k.Request.Utility.Name(), k.StageTitle(), k.Status.Name())
	fmt.Fprintf(&b, "**%s** · 模式 %s · 渠道 %s · 收到 %s\n\n", k.Request.Site.District.Name(), k.Lane, k.Request.Channel.Name(), casework.Clock(k.ReceivedAt))
	if k.Level > 0 {
		fmt.Fprintf(&b, "**升级级别 %d**\n\n", k.Level)
	}
	if len(k.Tasks) > 0 {
		b.WriteString("| 待办任务 | 承办 | 截止 | 下一级提醒 |\n|---|---|---|---|\n")
		for i := range k.Tasks {
			t := &k.Tasks[i]
			due, next := "按服务时限", "—"
			if d, ok := k.Deadline(t.ID); ok && d.Budget != (calendar.Budget{}) {
				due, next = casework.DueText(d.Due).ZH, nextRung(d)
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", t.Title(), t.Holder(), due, next)
		}
		b.WriteString("\n")
	}
	if d, ok := k.Deadline(casework.LaneDeadline); ok {
		fmt.Fprintf(&b, "服务时限（受理至通%s）：%s · 下一级：%s\n\n", k.Request.Utility.Flow(), casework.DueText(d.Due).ZH, nextRung(d))
	}
	for _, p := range k.Pauses {
		if p.To.IsZero() {
			fmt.Fprintf(&b, "暂停（%s）自 %s，计划至 %s\n\n", p.Reason.Name(), casework.Clock(p.From), casework.Clock(p.PlannedEnd))
		}
	}
	for i := range k.Escalations {
		if e := &k.Escalations[i]; e.Open() && e.Level > 0 {
			b.WriteString(escalationText(e))
		}
	}
	if k.Upgrade.Pending() {
		fmt.Fprintf(&b, "等待管网改造：%s\n\n", k.Upgrade.Case)
	}
	b.WriteString(jointText(k))
	b.WriteString(clockText(k))
	score := k.Score()
	fmt.Fprintf(&b, "与客户接触 %d 次 · 七零 %d/7", k.Contacts, score.Kept)
	for _, z := range score.Broken {
		b.WriteString(" · 未达" + z.Name())
	}
	b.WriteString("\n")
	return b.String()
}

// jointText says to which joint request the case belongs, who files its shared
// permits, and how it was passed on.
func jointText(k *casework.Case) string {
	var b strings.Builder
	if k.Joint != nil {
		fmt.Fprintf(&b, "一网通办 %s · 另一案件 %s\n\n", k.Joint.Number, k.Joint.Sibling)
		for i := range k.Permits {
			if p := &k.Permits[i]; p.SharedWith != "" {
				fmt.Fprintf(&b, "%s：由 %s 代办\n\n", p.Kind.Name(), p.SharedWith)
			}
		}
	}
	if k.PassedFrom != "" {
		fmt.Fprintf(&b, "由 %s 转入\n\n", k.PassedFrom)
	}
	if next := k.GoesOnAs(); next != "" {
		fmt.Fprintf(&b, "已转办，后续见 %s\n\n", next)
	}
	return b.String()
}

// escalationText says who must answer an escalation, and by when.
func escalationText(e *casework.Escalation) string {
	text := fmt.Sprintf("升级：%s → %s · %s", e.Rung.Name(), e.To.Name(), e.State().Name())
	if e.AnsweredAt.IsZero() && !e.AnswerDueAt.IsZero() {
		text += "，未答复将于 " + casework.DueText(calendar.Due{At: e.AnswerDueAt, Provisional: e.AnswerProvisional}).ZH + " 升级"
	}
	return text + "\n\n"
}

// clockText says who holds the clock since when, and for how long those before
// held it.
func clockText(k *casework.Case) string {
	now := k.Clock.Now
	if now.N == 0 {
		return ""
	}
	var parts []string
	if now.To.IsZero() {
		holds := fmt.Sprintf("**计时在%s**，自 %s", now.Party.Name(), casework.Clock(now.From))
		if now.Stopped {
			holds += "（服务时限停表）"
		}
		parts = append(parts, holds)
	}
	if len(k.Clock.Spent) > 0 {
		spent := make([]string, len(k.Clock.Spent))
		for i, s := range k.Clock.Spent {
			spent[i] = s.Party.Name() + " " + casework.Worked(s.Working)
		}
		parts = append(parts, "此前用时（工作时间）："+strings.Join(spent, "、"))
	}
	return strings.Join(parts, " · ") + "\n\n"
}

func nextRung(d *casework.Deadline) string {
	r, ok := d.NextRung()
	if !ok {
		return "—"
	}
	return r.Rung.Name.Name() + " " + casework.Clock(r.At)
}

// clockSummary names the case's timer: what it waits for.
func (f *casefile) clockSummary() string {
	k := f.state
	wake := k.NextWake()
	for i := range k.Deadlines {
		d := &k.Deadlines[i]
		r, ok := d.NextRung()
		if !ok || !r.At.Equal(wake) {
			continue
		}
		if d.Limit == casework.AnswerLimit {
			return "升级未答复，转" + r.To.Name()
		}
		title := "服务时限"
		if t, found := k.Find(d.ID); found {
			title = t.Title()
		} else if !d.OnWork() {
			title = "督办"
		}
		return r.Rung.Name.Name() + "：" + title
	}
	return "暂停计划结束"
}
