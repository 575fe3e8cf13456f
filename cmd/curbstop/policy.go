package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/curbstop/curbstop/api"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/cmd/curbstop/service"
	"github.com/curbstop/curbstop/policy"
	"github.com/curbstop/curbstop/store"
)

// byCommandLine is who acts where nobody has logged in.
const byCommandLine = "command line"

func policyCommand() *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "limits, ladders, hours, checklists and prices: judge, show, compare, publish, move cases"}
	c.AddCommand(validatePolicy(), showPolicy(), diffPolicies(), publishPolicy(), listPolicies(), movePolicy())
	return c
}

func validatePolicy() *cobra.Command {
	return &cobra.Command{
		Use: "validate FILE", Short: "judge a policy file", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := readPolicy(args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "政策文件有效 valid: %s %s\n", p.Version, p.Name)
			return err
		},
	}
}

func readPolicy(file string) (policy.Policy, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return policy.Policy{}, err
	}
	p, err := policy.Parse(text)
	if err != nil {
		return policy.Policy{}, fmt.Errorf("%s: %s", file, policy.Describe(err))
	}
	return p, nil
}

// versions are the published ones, which are opened when one is asked for:
// files compare without an installation.
type versions struct {
	store *store.Store
	shelf *policy.Shelf
}

func (v *versions) open(ctx context.Context) error {
	if v.store != nil {
		return nil
	}
	c, err := configuration()
	if err != nil {
		return err
	}
	if v.store, err = service.OpenUnsealed(ctx, c); err != nil {
		return err
	}
	v.shelf = policy.NewShelf(v.store)
	return nil
}

// named gives a version, or a file: only the name of a file has a slash or ends
// like one.
func (v *versions) named(ctx context.Context, name string) (policy.Policy, error) {
	if strings.Contains(name, "/") || strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") {
		return readPolicy(name)
	}
	if err := v.open(ctx); err != nil {
		return policy.Policy{}, err
	}
	if name == policy.Current {
		return v.shelf.Current(ctx)
	}
	return v.shelf.Version(ctx, name)
}

func withVersions(do func(v *versions) error) error {
	var v versions
	err := described(do(&v))
	if v.store != nil {
		err = errors.Join(err, v.store.Close())
	}
	return err
}

// described words a refusal for a terminal.
func described(err error) error {
	if f, ok := errors.AsType[*casework.Fault](err); ok && f.Kind != casework.Unavailable {
		return errors.New(policy.Describe(err))
	}
	return err
}

func showPolicy() *cobra.Command {
	var file bool
	c := &cobra.Command{
		Use: "show [VERSION|FILE]", Short: "show a version of the policy; without a name the one in force", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := policy.Current
			if len(args) == 1 {
				name = args[0]
			}
			return withVersions(func(v *versions) error {
				p, err := v.named(cmd.Context(), name)
				if err != nil {
					return err
				}
				if file {
					_, err = io.WriteString(cmd.OutOrStdout(), p.Text())
					return err
				}
				policy.Print(cmd.OutOrStdout(), p.Fields())
				return nil
			})
		},
	}
	c.Flags().BoolVar(&file, "yaml", false, "print the file as it was published, with its comments")
	return c
}

func diffPolicies() *cobra.Command {
	return &cobra.Command{
		Use: "diff A B", Short: "compare two versions or files, field by field", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withVersions(func(v *versions) error {
				from, err := v.named(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				to, err := v.named(cmd.Context(), args[1])
				if err != nil {
					return err
				}
				policy.PrintDiff(cmd.OutOrStdout(), from, to)
				return nil
			})
		},
	}
}

func publishPolicy() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "publish FILE", Short: "put a policy file in force for new cases; shows first what changes", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, out := cmd.Context(), cmd.OutOrStdout()
			p, err := readPolicy(args[0])
			if err != nil {
				return err
			}
			return withVersions(func(v *versions) error {
				now, err := v.named(ctx, policy.Current)
				if err != nil {
					return err
				}
				policy.PrintDiff(out, now, p)
				if !yes {
					fmt.Fprintln(out, "未发布；确认后加 --yes not published; repeat with --yes")
					return nil
				}
				published, err := v.store.PublishPolicy(ctx, casework.PublishedPolicy{Version: p.Version, Name: p.Name, Text: p.Text(), PublishedBy: byCommandLine})
				if err != nil {
					return err
				}
				if !published {
					fmt.Fprintf(out, "%s 已发布过，没有变化 published before, nothing changed\n", p.Version)
					return nil
				}
				fmt.Fprintf(out, "%s 已发布，此后新案件适用 published, serves new cases from now on\n", p.Version)
				return v.store.Audit(ctx, casework.AuditEntry{Actor: byCommandLine, What: "policy_published", Target: p.Version})
			})
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "publish what was shown")
	return c
}

func listPolicies() *cobra.Command {
	return &cobra.Command{
		Use: "versions", Short: "list the published versions, the one in force first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withVersions(func(v *versions) error {
				if err := v.open(cmd.Context()); err != nil {
					return err
				}
				all, err := v.store.Policies(cmd.Context())
				for i, p := range all {
					mark := "  "
					if i == 0 {
						mark = "* "
					}
					fmt.Fprintf(cmd.OutOrStdout(), "%s%-24s %s  %-14s %s\n", mark, p.Version, casework.Clock(p.PublishedAt), p.PublishedBy, p.Name)
				}
				return err
			})
		},
	}
}

// moving is what `policy move` is asked for.
type moving struct {
	to, reason, from, stage string
	cases, districts        []string
	all, apply              bool
}

func movePolicy() *cobra.Command {
	var m moving
	c := &cobra.Command{
		Use: "move --to VERSION", Short: "move running cases to a version of the policy; without --apply only shows what would change", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := m.check(); err != nil {
				return err
			}
			return withService(cmd.Context(), func(ctx context.Context, s *service.Service) error {
				return described(m.run(ctx, s, cmd.OutOrStdout()))
			})
		},
	}
	c.Flags().StringVar(&m.to, "to", "", "the version to move to; current is the one in force")
	c.Flags().StringVar(&m.reason, "reason", "", "why; it stands in the history of each case")
	c.Flags().StringSliceVar(&m.cases, "case", nil, "case number; may be repeated")
	c.Flags().StringVar(&m.from, "from-version", "", "cases that have this version now")
	c.Flags().StringVar(&m.stage, "stage", "", "cases in this stage")
	c.Flags().StringSliceVar(&m.districts, "district", nil, "cases in this district, by its code; may be repeated")
	c.Flags().BoolVar(&m.all, "all", false, "all running cases")
	c.Flags().BoolVar(&m.apply, "apply", false, "do it")
	return c
}

func (m moving) check() error {
	filtered := m.from != "" || m.stage != "" || len(m.districts) > 0
	ways := 0
	for _, given := range []bool{m.all, filtered, len(m.cases) > 0} {
		if given {
			ways++
		}
	}
	switch {
	case m.to == "":
		return errors.New("请用 --to 指明政策版本 name the version with --to")
	case ways != 1:
		return errors.New("请用 --case、筛选条件（--from-version、--stage、--district）或 --all 之一选定案件 select cases by --case, by a filter (--from-version, --stage, --district), or by --all")
	case m.stage != "" && !casework.Stage(m.stage).Valid():
		return fmt.Errorf("没有这个阶段；应为 no such stage; one of: %v", casework.AllStages())
	case m.apply && strings.TrimSpace(m.reason) == "":
		return errors.New("请用 --reason 说明原因 say why with --reason")
	}
	for _, d := range m.districts {
		if err := casework.District(d).Check(); err != nil {
			return errors.New(policy.Describe(err))
		}
	}
	return nil
}

func (m moving) run(ctx context.Context, s *service.Service, out io.Writer) error {
	to, err := s.Policies.Version(ctx, m.to)
	if m.to == policy.Current {
		to, err = s.Policies.Current(ctx)
	}
	if err != nil {
		return err
	}
	if m.reason == "" {
		m.reason = "预览 preview"
	}
	by := casework.Actor{
		ID: byCommandLine, Name: byCommandLine, Roles: []casework.Role{casework.Management}, Districts: []casework.District{casework.AllDistricts},
	}
	act := casework.MovePolicy{By: casework.By{Actor: by}, Terms: to.Terms(), Reason: m.reason}
	if m.apply {
		data, err := json.Marshal(map[string]any{"reason": m.reason, "cases": m.cases, "from": m.from, "stage": m.stage, "districts": m.districts, "all": m.all})
		if err != nil {
			return err
		}
		if err := s.Store.Audit(ctx, casework.AuditEntry{Actor: byCommandLine, What: "cases_moved", Target: to.Version, Data: data}); err != nil {
			return err
		}
	}
	moves, key := api.PolicyMoves{Store: s.Store, Desk: s.Desk, Now: time.Now}, rand.Text()
	var sum moved
	if len(m.cases) > 0 {
		for _, number := range m.cases {
			outcome, err := moves.One(ctx, number, act, m.apply, key+number)
			if err != nil {
				f := casework.AsFault(err)
				outcome.Case, outcome.Problem = number, &api.Problem{ZH: f.ZH, EN: f.EN}
			}
			sum.add(out, outcome)
		}
		return sum.say(out, m.apply)
	}
	f := casework.CaseFilter{Policy: m.from, Stage: casework.Stage(m.stage), Page: casework.Page{Limit: 50}}
	for _, d := range m.districts {
		f.Districts = append(f.Districts, casework.District(d))
	}
	for {
		outcomes, next, err := moves.Some(ctx, f, act, m.apply, key)
		if err != nil {
			return err
		}
		for _, outcome := range outcomes {
			sum.add(out, outcome)
		}
		if next == "" {
			return sum.say(out, m.apply)
		}
		f.Cursor = next
	}
}

// moved counts what became of the cases.
type moved struct{ cases, moved, refused, deadlines, fires int }

// add prints what a move does to one case.
func (n *moved) add(out io.Writer, o api.MoveOutcome) {
	n.cases++
	switch {
	case o.Problem != nil:
		n.refused++
		fmt.Fprintf(out, "%s  未改用 refused: %s %s\n", o.Case, o.Problem.ZH, o.Problem.EN)
		return
	case o.Done != nil:
		n.moved++
		fmt.Fprintf(out, "%s  %s → %s  已改用 moved (%d)\n", o.Case, o.From, o.To, n.moved)
	default:
		fmt.Fprintf(out, "%s  %s → %s\n", o.Case, o.From, o.To)
	}
	n.show(out, o.Preview)
	if u := o.Upgrade; u != nil {
		fmt.Fprintf(out, "%s  %s → %s  随案改用 moves with the case\n", u.Case, u.From, u.To)
		n.show(out, *u)
	}
}

// show prints what changes for the deadlines of a case.
func (n *moved) show(out io.Writer, p casework.Preview) {
	n.deadlines += len(p.Moves)
	n.fires += len(p.Fires)
	for _, m := range p.Moves {
		fmt.Fprintf(out, "  %s %s (%s)：%s → %s\n", m.Limit.Name(), m.Limit, m.Deadline, dueText(m.From), dueText(m.To))
	}
	for _, f := range p.Fires {
		fmt.Fprintf(out, "  立即触发 fires at once: %s %s (%s)，%s\n", f.Rung.Name(), f.Rung, f.Deadline, casework.Clock(f.At))
	}
}

func (n *moved) say(out io.Writer, applied bool) error {
	fmt.Fprintf(out, "%d 案 cases, %d 项时限变更 deadlines moved, %d 级立即触发 rungs at once, 拒绝 refused %d\n", n.cases, n.deadlines, n.fires, n.refused)
	if !applied {
		_, err := fmt.Fprintln(out, "仅预览，未改动；执行请加 --reason 与 --apply a preview, nothing changed; repeat with --reason and --apply")
		return err
	}
	_, err := fmt.Fprintf(out, "已改用 moved %d；改回：同一命令，--to 原版本 to go back: the same command --to the version before\n", n.moved)
	return err
}
