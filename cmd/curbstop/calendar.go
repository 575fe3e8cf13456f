package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/curbstop/curbstop/api"
	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/cmd/curbstop/service"
)

func calendarCommand() *cobra.Command {
	c := &cobra.Command{Use: "calendar", Short: "holidays and make-up working days"}
	c.AddCommand(calendarImportCommand(), calendarShowCommand(), calendarVersionsCommand())
	return c
}

func calendarImportCommand() *cobra.Command {
	var i casework.CalendarImport
	var dryRun bool
	c := &cobra.Command{
		Use: "import FILE", Short: "bring a holiday notice (CSV, or JSON of holiday-cn) in force and have the open cases work their deadlines out anew",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			i.Name, i.File = filepath.Base(args[0]), file
			return withService(cmd.Context(), func(ctx context.Context, s *service.Service) error {
				importer := api.CalendarImporter{Store: s.Store, Desk: s.Desk, Now: time.Now}
				if dryRun {
					return described(previewCalendar(ctx, cmd.OutOrStdout(), importer, i))
				}
				return described(importCalendar(ctx, cmd.OutOrStdout(), importer, i))
			})
		},
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "change nothing; list the days that change and the deadlines that would move")
	c.Flags().IntVar(&i.Year, "year", 0, "the year whose notice it is meant to be; days of another are refused")
	c.Flags().BoolVar(&i.Amend, "amend", false, "change only the days of the file; without it the file is the whole notice of its years")
	c.Flags().BoolVar(&i.AcceptWarnings, "accept-warnings", false, "import what is unusual all the same")
	return c
}

// previewCalendar lists what an import would do. Deadlines are written as they
// are found, however many there are.
func previewCalendar(ctx context.Context, out io.Writer, importer api.CalendarImporter, i casework.CalendarImport) error {
	inForce, err := importer.Store.Notices(ctx)
	if err != nil {
		return err
	}
	plan, err := i.Plan(inForce, "preview")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "试运行，不作更改 dry run, nothing is changed: %s\n", i.Name)
	writePlan(out, plan)
	fmt.Fprintln(out, "\n将移动的时限 deadlines that would move:")
	p, err := importer.Preview(ctx, i, func(m casework.DeadlineMove) error {
		_, err := fmt.Fprintln(out, "  "+moveLine(m))
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  共 %d 个案件 %d 项 %[2]d deadlines of %[1]d cases\n", p.Cases, p.Moved)
	if len(plan.Warnings) > 0 {
		fmt.Fprintln(out, "\n有异常；核对无误后加 --accept-warnings 导入 there are warnings: compare them with the notice, then import with --accept-warnings")
	}
	return nil
}

// importCalendar brings a file in force and waits until every case has been
// looked at. Who does not wait loses nothing: the worker goes on.
func importCalendar(ctx context.Context, out io.Writer, importer api.CalendarImporter, i casework.CalendarImport) error {
	version, err := importer.Import(ctx, i, commandLine(), rand.Text())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "日历 %s 已生效，正在通知案件 in force, the cases are being told\n", version)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for waited := 0; ; waited++ {
		v, err := importer.Store.CalendarVersion(ctx, version)
		if err != nil {
			return err
		}
		if !v.ToldAt.IsZero() {
			fmt.Fprintf(out, "已通知 %d 个案件重新计算时限；稍后自动复核 %[1]d cases were told; they are looked at again by and by\n", v.Told)
			return nil
		}
		if waited%10 == 9 {
			fmt.Fprintf(out, "  等待 worker 通知案件（%d 秒）waiting for a worker; it goes on without this command\n", waited+1)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// commandLine is who imports from a terminal, as the record names them.
func commandLine() string {
	if u, err := user.Current(); err == nil {
		return "command line (" + u.Username + ")"
	}
	return "command line"
}

// writePlan lists the days and what is unusual about them.
func writePlan(out io.Writer, p casework.CalendarPlan) {
	fmt.Fprintf(out, "现行版本 in force: %s\n通知 notice: %s\n", p.BasedOn, p.Source)
	n := calendar.Count(p.Changes)
	fmt.Fprintf(out, "新增 added %d，变更 changed %d，取消 removed %d\n", n.Added, n.Changed, n.Removed)
	for _, c := range p.Changes {
		fmt.Fprintln(out, "  "+changeLine(c))
	}
	if len(p.Warnings) > 0 {
		fmt.Fprintln(out, "异常 warnings:")
	}
	for _, w := range p.Warnings {
		fmt.Fprintln(out, "  "+w.Text)
	}
}

func changeLine(c calendar.Change) string {
	day := func(d *calendar.Day) string { return kindName(d.Kind) + " " + d.Name }
	line := c.Date.String() + " 周" + weekdays[c.Date.Weekday()] + " "
	switch {
	case c.Before == nil:
		return "+ " + line + day(c.After)
	case c.After == nil:
		return "- " + line + day(c.Before)
	}
	if day(c.Before) == day(c.After) {
		return "~ " + line + day(c.After) + "（仅通知出处变化 only the name of its notice）"
	}
	return "~ " + line + day(c.Before) + " → " + day(c.After)
}

var weekdays = [...]string{"日", "一", "二", "三", "四", "五", "六"}

func kindName(k calendar.Kind) string {
	if k == calendar.Workday {
		return "上班 workday"
	}
	return "放假 holiday"
}

func moveLine(m casework.DeadlineMove) string {
	line := m.Case + " " + strings.TrimPrefix(m.Deadline, m.Case+"-") + " " + string(m.Limit) + "  "
	if m.RungsOnly {
		return line + dueText(m.To) + "（仅提醒或升级时刻变化 only its ladder moves）"
	}
	return line + dueText(m.From) + " → " + dueText(m.To)
}

func dueText(d calendar.Due) string {
	if d == (calendar.Due{}) {
		return "无时限 no limit"
	}
	text := casework.Clock(d.At)
	if d.Stopped {
		text = "停表，余 stopped, left " + d.Remaining.Round(time.Minute).String()
	}
	if d.Provisional {
		text += "（暂定 provisional）"
	}
	return text
}

func calendarShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show [YEAR]", Short: "the calendar in force", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			year := 0
			if len(args) > 0 {
				var err error
				if year, err = strconv.Atoi(args[0]); err != nil {
					return fmt.Errorf("年份“%s”不对 (%q is no year)", args[0], args[0])
				}
			}
			return withService(cmd.Context(), func(ctx context.Context, s *service.Service) error {
				n, err := s.Store.Notices(ctx)
				if err != nil {
					return err
				}
				provisional, err := s.Store.ProvisionalDeadlines(ctx)
				if err != nil {
					return err
				}
				showCalendar(cmd.OutOrStdout(), n, year, provisional)
				return nil
			})
		},
	}
}

func showCalendar(out io.Writer, n calendar.Notices, year int, provisional int64) {
	fmt.Fprintf(out, "版本 version: %s\n已有通知 years with notice: %v\n暂定时限 provisional deadlines: %d\n", n.Version(), n.Years(), provisional)
	if year != 0 && !n.HasYear(year) {
		fmt.Fprintf(out, "%d 年尚无通知，时限按周末推算，标为暂定 no notice for %[1]d: weekends only, deadlines are provisional\n", year)
	}
	for _, d := range n.Days() {
		if year == 0 || d.Date.Year == year {
			fmt.Fprintf(out, "  %s 周%s %s %s\n", d.Date, weekdays[d.Date.Weekday()], kindName(d.Kind), d.Name)
		}
	}
}

func calendarVersionsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "versions", Short: "who imported which notice and when, the newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withService(cmd.Context(), func(ctx context.Context, s *service.Service) error {
				for p := (casework.Page{Limit: 200}); ; {
					versions, next, err := s.Store.CalendarVersions(ctx, p)
					if err != nil {
						return err
					}
					for _, v := range versions {
						fmt.Fprintln(cmd.OutOrStdout(), versionLine(v))
					}
					if next == "" {
						return nil
					}
					p.Cursor = next
				}
			})
		},
	}
}

func versionLine(v casework.CalendarVersion) string {
	line := fmt.Sprintf("%-18s %s  %s  %v", v.Version, casework.Clock(v.ImportedAt), v.ImportedBy, v.Years)
	if v.BasedOn == "" {
		return line + "  随程序 came with the program"
	}
	line += fmt.Sprintf("  %s  通知案件 told %d", v.File, v.Told)
	switch {
	case v.SettledAt.IsZero():
		line += "，复核中 being looked at again"
	case v.Left > 0:
		line += fmt.Sprintf("，%d 个未重新计算 %[1]d have not followed", v.Left)
	}
	return line
}
