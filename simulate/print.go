package simulate

import (
	"fmt"
	"io"
	"strings"

	"github.com/curbstop/curbstop/casework"
)

// Print writes the result for people, Chinese first.
func (r Result) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s – %s\n", r.Scenario, r.From, r.To)
	fmt.Fprintf(&b, "政策 policy %s · 节假日表 calendar %s · 种子 seed %d\n\n", r.Policy, r.Calendar, r.Seed)
	r.printCases(&b)
	rows := [][]string{{"时限 limits", "按时率 on time", "按时 in time", "计入 judged"}, rateRow("受理至"+r.flow()+" lane", r.Lane)}
	for _, p := range r.Utilities {
		rows = append(rows, rateRow("· "+p.Utility.Name()+" "+string(p.Utility), p.Lane))
	}
	if len(r.Utilities) == 0 {
		rows = append(rows, limitRows(r.Limits)...)
	}
	table(&b, rows)
	for _, p := range r.Utilities {
		rows = [][]string{{p.Utility.Name() + "时限 limits of " + string(p.Utility), "按时率 on time", "按时 in time", "计入 judged"}}
		table(&b, append(rows, limitRows(p.Limits)...))
	}
	r.printMonths(&b)
	rows = [][]string{{"提醒与升级 rungs", "次数 fired"}}
	for _, rung := range r.Rungs {
		rows = append(rows, []string{casework.RungName(rung.Name).Name() + " " + rung.Name, number(rung.N)})
	}
	table(&b, rows)
	rows = [][]string{{"部门 departments", "人数 people", "任务 tasks", "平均等待 wait h", "P95 h", "利用率 load", "最长排队 queue", "期末排队 left"}}
	for i, d := range r.Departments {
		rows = append(rows, loadRow(d.Department.Name()+" "+string(d.Department), d))
		for _, p := range r.Utilities {
			rows = append(rows, loadRow("· "+p.Utility.Name()+" "+string(p.Utility), p.Departments[i]))
		}
	}
	table(&b, rows)
	if len(r.Utilities) > 0 {
		b.WriteString("分能源的人数是可以办理的人，利用率是占他们时间的份额。 The people of a utility are those who may do its tasks; its load is what it takes of their time.\n")
	}
	b.WriteString("等待以工作小时计：从可以办理到有人着手。 Waits are working hours, from when a task could be begun to when it was.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// flow says what begins with supply-on: 通水, 通气, or both.
func (r Result) flow() string {
	switch {
	case len(r.Utilities) > 0:
		return "通水（气）"
	case r.gasOnly:
		return "通气"
	}
	return "通水"
}

func (r Result) printCases(b *strings.Builder) {
	rows := [][]string{{"案件 cases", ""}}
	titles := []string{"收到 received", "已办结 closed", "已撤回 withdrawn", "期末在办 open at the end", "管网改造 network upgrades"}
	values := func(c Cases) []int { return []int{c.Received, c.Closed, c.Withdrawn, c.Open, c.Upgrades} }
	if len(r.Utilities) > 0 {
		rows[0][1] = "合计 all"
	}
	for i, title := range titles {
		rows = append(rows, []string{title, number(values(r.Cases)[i])})
	}
	for _, p := range r.Utilities {
		rows[0] = append(rows[0], p.Utility.Name()+" "+string(p.Utility))
		for i := range titles {
			rows[i+1] = append(rows[i+1], number(values(p.Cases)[i]))
		}
	}
	table(b, rows)
}

func (r Result) printMonths(b *strings.Builder) {
	rows := [][]string{{"受理月份 accepted in", "按时率 on time", "按时 in time", "计入 judged"}}
	for _, p := range r.Utilities {
		rows[0] = append(rows[0], p.Utility.Name()+" "+string(p.Utility), "计入 judged")
	}
	for i, m := range r.Months {
		row := rateRow(m.Name, m)
		for _, p := range r.Utilities {
			of := rateRow("", p.Months[i])
			row = append(row, of[1], of[3])
		}
		rows = append(rows, row)
	}
	table(b, rows)
}

func limitRows(limits []Rate) [][]string {
	var rows [][]string
	for _, l := range limits {
		rows = append(rows, rateRow(limitTitle(casework.LimitName(l.Name)), l))
	}
	return rows
}

func loadRow(title string, l Load) []string {
	return []string{
		title, number(l.People), number(l.Tasks), hours(l.MeanWait), hours(l.P95Wait),
		percent(l.Utilisation, 0), number(l.LongestQueue), number(l.LeftAtTheEnd),
	}
}

// PrintTrials writes what each number of people came to, and the answer.
func PrintTrials(w io.Writer, q Question, trials []Trial) error {
	var b strings.Builder
	head := []string{"人数 people", "按时率 on time"}
	if len(q.Months) > 0 {
		head = append(head, "计入月份 in "+months(q.Months))
	}
	head = append(head, "最差月份 worst month", "", "利用率 load", "P95 h", "最长排队 queue")
	rows := [][]string{head}
	for _, t := range trials {
		figures := q.of(t.Result)
		row := []string{number(t.People), percent(figures.Lane.Share(), 2)}
		if len(q.Months) > 0 {
			row = append(row, percent(q.Share(t.Result), 2))
		}
		worst, _ := figures.Worst()
		load := figures.load(q.Department)
		rows = append(rows, append(row, worst.Name, percent(worst.Share(), 2), percent(load.Utilisation, 0), hours(load.P95Wait), number(load.LongestQueue)))
	}
	flow := "通水"
	switch {
	case q.Utility != "":
		flow = "通" + q.Utility.Flow()
	case len(trials) > 0:
		flow = trials[0].Result.flow()
	}
	fmt.Fprintf(&b, "%s %s：受理至%s的按时率 supply-on within the limit, by number of people\n\n", q.subject(), q.Teams(), flow)
	table(&b, rows)
	if q.Keep > 0 && len(trials) > 0 {
		b.WriteString(q.answer(trials[len(trials)-1]))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// answer is the sentence that was asked for.
func (q Question) answer(last Trial) string {
	during := casework.Say("全年", "of the whole run")
	if len(q.Months) > 0 {
		during = casework.Sayf("%s 月受理的案件", "of the cases accepted in months %s", months(q.Months))
	}
	rate := percent(q.Share(last.Result), 2)
	if !q.Reached(last.Result) {
		slowest := q.of(last.Result).Slowest()
		if hours(slowest.MeanWait) == hours(0) {
			return fmt.Sprintf("%s增至 %d 也达不到 %s（%s）。没有部门让任务等待：超时的耗在客户、审批部门、返工和工序本身。\n",
				q.subject(), last.People, percent(q.Keep, 2), rate) +
				fmt.Sprintf("Up to %d, %s does not reach %s (it comes to %s). No department lets tasks wait: what is late is so by customers, authorities, work done twice and the work itself.\n",
					last.People, q.Teams(), percent(q.Keep, 2), rate)
		}
		return fmt.Sprintf("%s增至 %d 也达不到 %s（%s）。等待最长的是%s，平均 %s 工作小时。\n",
			q.subject(), last.People, percent(q.Keep, 2), rate, slowest.Department.Name(), hours(slowest.MeanWait)) +
			fmt.Sprintf("Up to %d, %s does not reach %s (it comes to %s). Tasks wait longest for %s, %s working hours on average.\n",
				last.People, q.Teams(), percent(q.Keep, 2), rate, slowest.Department, hours(slowest.MeanWait))
	}
	return fmt.Sprintf("%s需 %d 个（人或班组）：%s按时率 %s，达到 %s。\n", q.subject(), last.People, during.ZH, rate, percent(q.Keep, 2)) +
		fmt.Sprintf("%s needs %d (people or crews): %s %s on time, at least %s was asked.\n", q.Teams(), last.People, rate, during.EN, percent(q.Keep, 2))
}

func (r Figures) load(d casework.Department) Load {
	for _, l := range r.Departments {
		if l.Department == d {
			return l
		}
	}
	return Load{Department: d}
}

func limitTitle(l casework.LimitName) string {
	if lane, ok := strings.CutPrefix(string(l), "lane_"); ok && l != casework.DesignedLaneLimit {
		return "模式 " + lane + " " + string(l)
	}
	return l.Name() + " " + string(l)
}

func rateRow(title string, r Rate) []string {
	rate := "—"
	if r.Judged > 0 {
		rate = percent(r.Share(), 2)
	}
	return []string{title, rate, number(r.OnTime), number(r.Judged)}
}

func months(of []int) string {
	parts := make([]string, len(of))
	for i, m := range of {
		parts[i] = fmt.Sprint(m)
	}
	return strings.Join(parts, ",")
}

func number(n int) string { return fmt.Sprint(n) }

func hours(h float64) string { return fmt.Sprintf("%.1f", h) }

// percent never rounds up to what was not reached: 98.996% is no 99%.
func percent(share float64, digits int) string {
	scale := 1.0
	for range digits {
		scale *= 10
	}
	// What is a whole number but for the last bit of the multiplication stays one.
	return fmt.Sprintf("%.*f%%", digits, float64(int64(share*100*scale+1e-6))/scale)
}

// table writes rows in columns, the first row as their heads and the first
// column to the left; a blank line follows.
func table(b *strings.Builder, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], width(cell))
		}
	}
	for n, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-width(cell))
			switch {
			case i > 0:
				line.WriteString("  " + pad + cell)
			case n > 0:
				line.WriteString("  " + cell + pad)
			default:
				line.WriteString(cell + pad + "  ")
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	b.WriteString("\n")
}

// width is how many columns a terminal gives a text: two for each Chinese
// character.
func width(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r >= 0x1100 && r != '–' && r != '—' {
			n++
		}
	}
	return n
}
