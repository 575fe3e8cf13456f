package demo

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/curbstop/curbstop/casework"
)

// Await waits until the cases left lying have climbed to the top of the ladder,
// at most for a while, and tells how far they are.
func (p *Play) Await(ctx context.Context, most time.Duration) error {
	deadline := time.Now().Add(most)
	for time.Now().Before(deadline) {
		top, err := All[casework.Escalation](ctx, p.as(casework.TaskforceOffice), "/v1/escalations?level=3")
		if err != nil {
			return err
		}
		if len(top) >= 3 {
			return nil
		}
		p.Say("等待超时升级：已到经管层 %d 件", len(top))
		if err := p.pause(ctx, 3*time.Second, true); err != nil {
			return err
		}
	}
	return nil
}

// Summary prints what happened: cases, tasks, escalations, messages and kept rows.
func (p *Play) Summary(ctx context.Context, out io.Writer) error {
	office := p.as(casework.TaskforceOffice)
	cases, err := All[casework.CaseLine](ctx, office, "/v1/cases")
	if err != nil {
		return err
	}
	open, ended, overdue := map[string]int{}, map[string]int{}, 0
	for _, c := range cases {
		switch {
		case c.Status.Ended():
			ended[string(c.Status)]++
		default:
			open[string(c.Stage)]++
			if c.Overdue {
				overdue++
			}
		}
	}
	done, err := All[struct {
		Department casework.Department `json:"department"`
	}](ctx, office, "/v1/tasks?state=done")
	if err != nil {
		return err
	}
	perDepartment := map[string]int{}
	for _, t := range done {
		perDepartment[string(t.Department)]++
	}
	escalations, err := All[casework.Escalation](ctx, office, "/v1/escalations")
	if err != nil {
		return err
	}
	rungs, answered, climbed := map[string]int{}, 0, 0
	for _, e := range escalations {
		rungs[string(e.Rung)]++
		if !e.AnsweredAt.IsZero() {
			answered++
		}
		if len(e.Climbs) > 0 {
			climbed++
		}
	}
	messages, err := All[casework.MessageLine](ctx, office, "/v1/messages")
	if err != nil {
		return err
	}
	fates := map[casework.DeliveryState]int{}
	for _, m := range messages {
		for _, d := range m.Deliveries {
			fates[d.State]++
		}
	}
	kept, err := All[casework.KeptRow](ctx, office, "/v1/request-lists/"+ListName+"/kept")
	if err != nil {
		return err
	}

	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "\n案件 cases\t%d\t已超时 overdue now %d\n", len(cases), overdue)
	for _, s := range []casework.Status{casework.Closed, casework.Withdrawn} {
		fmt.Fprintf(w, "  %s\t%d\t%s\n", s.Name(), ended[string(s)], s)
	}
	for _, s := range casework.AllStages() {
		if open[string(s)] == 0 && !slices.Contains(casework.Stages(), s) {
			continue
		}
		fmt.Fprintf(w, "  办理中·%s\t%d\t%s\n", s.Name(), open[string(s)], s)
	}
	fmt.Fprintf(w, "办结任务 tasks done\t%d\t\n", len(done))
	for _, d := range casework.Departments() {
		if n := perDepartment[string(d)]; n > 0 {
			fmt.Fprintf(w, "  %s\t%d\t%s\n", d.Name(), n, d)
		}
	}
	fmt.Fprintf(w, "提醒与升级 escalations\t%d\t\n", len(escalations))
	for _, r := range []casework.RungName{casework.RungReminder, casework.RungBreach, casework.RungLead, casework.RungManagement} {
		fmt.Fprintf(w, "  %s\t%d\t%s\n", r.Name(), rungs[string(r)], r)
	}
	fmt.Fprintf(w, "  已答复\t%d\tanswered\n  未答复而升级\t%d\tclimbed unanswered\n", answered, climbed)
	fmt.Fprintf(w, "消息 messages\t%d\t已发送 sent %d · 无需发送 moot %d · 待发送 pending %d · 已放弃 dead %d\n", len(messages),
		fates[casework.DeliverySent], fates[casework.DeliveryMoot], fates[casework.DeliveryPending], fates[casework.DeliveryDead])
	fmt.Fprintf(w, "留待人工处理 rows kept for mending\t%d\t\n", len(kept))
	if err := w.Flush(); err != nil {
		return err
	}
	for _, g := range groupKept(kept) {
		fmt.Fprintf(out, "  %s：序号 %s\n", g.why, strings.Join(g.numbers, "、"))
	}
	return nil
}

// keptGroup are the rows that were kept for one reason.
type keptGroup struct {
	why     string
	numbers []string
}

// groupKept puts rows together that were kept for the same reason, in the order
// in which the reasons first came up.
func groupKept(rows []casework.KeptRow) []keptGroup {
	var groups []keptGroup
	for _, row := range rows {
		for _, f := range row.Faults {
			why := f.Field + " " + f.ZH
			i := slices.IndexFunc(groups, func(g keptGroup) bool { return g.why == why })
			if i < 0 {
				groups = append(groups, keptGroup{why: why})
				i = len(groups) - 1
			}
			groups[i].numbers = append(groups[i].numbers, row.Number)
		}
	}
	return groups
}
