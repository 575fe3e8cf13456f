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
	c := r.Cases
	table(&b, [][]string{
		{"案件 cases", ""},
		{"收到 received", number(c.Received)}, {"已办结 closed", number(c.Closed)}, {"已撤回 withdrawn", number(c.Withdrawn)},
		{"期末在办 open at the end", number(c.Open)}, {"管网改造 network upgrades", number(c.Upgrades)},
	})
	rows := [][]string{{"时限 limits", "按时率 on time", "按时 in time", "计入 judged"}, rateRow("受理至通水 lane", r.Lane)}
	for _, l := range r.Limits {
		rows = append(rows, rateRow(limitTitle(casework.LimitName(l.Name)), l))
	}
	table(&b, rows)
	rows = [][]string{{"受理月份 accepted in", "按时率 on time", "按时 in time", "计入 judged"}}
	for _, m := range r.Months {
		rows = append(rows, rateRow(m.Name, m))
	}
	table(&b, rows)
	rows = [][]string{{"提醒与升级 rungs", "次数 fired"}}
	for _, rung := range r.Rungs {
		rows = append(rows, []string{casework.RungName(rung.Name).Name() + " " + rung.Name, number(rung.N)})
	}
	table(&b, rows)
	rows = [][]string{{"部门 departments", "人数 people", "任务 tasks", "平均等待 wait h", "P95 h", "利用率 load", "最长排队 queue", "期末排队 left"}}
	for _, d := range r.Departments {
		rows = append(rows, []string{
			d.Department.Name() + " " + string(d.Department), number(d.People), number(d.Tasks), hours(d.MeanWait), hours(d.P95Wait),
			percent(d.Utilisation, 0), number(d.LongestQueue), number(d.LeftAtTheEnd),
		})
	}
	table(&b, rows)
	b.WriteString("等待以工作小时计：从可以办理到有人着手。 Waits are working hours, from when a task could be begun to when it was.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// PrintTrials writes what each number of people came to, and the answer.
func PrintTrials(w io.Writer, q Question, trials []Trial) error {
	var b strings.Builder
	name := q.Department.Name()
	head := []string{"人数 people", "按时率 on time"}
	if len(q.Months) > 0 {
		head = append(head, "计入月份 in "+months(q.Months))
	}
	head = append(head, "最差月份 worst month", "", "利用率 load", "P95 h", "最长排队 queue")
	rows := [][]string{head}
	for _, t := range trials {
		row := []string{number(t.People), percent(t.Result.Lane.Share(), 2)}
		if len(q.Months) > 0 {
			row = append(row, percent(t.Result.During(q.Months).Share(), 2))
		}
		worst, _ := t.Result.Worst()
		load := t.Result.load(q.Department)
		rows = append(rows, append(row, worst.Name, percent(worst.Share(), 2), percent(load.Utilisation, 0), hours(load.P95Wait), number(load.LongestQueue)))
	}
	fmt.Fprintf(&b, "%s %s：受理至通水的按时率 supply-on within the limit, by number of people\n\n", name, q.Department)
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
	rate := percent(last.Result.During(q.Months).Share(), 2)
	if !q.Reached(last.Result) {
		slowest := last.Result.Slowest()
		return fmt.Sprintf("%s增至 %d 也达不到 %s（%s）。等待最长的是%s，平均 %s 工作小时。\n",
			q.Department.Name(), last.People, percent(q.Keep, 2), rate, slowest.Department.Name(), hours(slowest.MeanWait)) +
			fmt.Sprintf("Up to %d, %s does not reach %s (it comes to %s). Tasks wait longest for %s, %s working hours on average.\n",
				last.People, q.Department, percent(q.Keep, 2), rate, slowest.Department, hours(slowest.MeanWait))
	}
	return fmt.Sprintf("%s需 %d 个（人或班组）：%s按时率 %s，达到 %s。\n", q.Department.Name(), last.People, during.ZH, rate, percent(q.Keep, 2)) +
		fmt.Sprintf("%s needs %d (people or crews): %s %s on time, at least %s was asked.\n", q.Department, last.People, rate, during.EN, percent(q.Keep, 2))
}

func (r Result) load(d casework.Department) Load {
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
