package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/policy"
	"github.com/curbstop/curbstop/simulate"
)

// simulation is what the command line asks of a scenario.
type simulation struct {
	example    string
	options    simulate.Options
	policyFile string
	svg        string
	json       bool
	crews      []string
	keep       string
	vary       string
	months     []int
}

func simulateCommand() *cobra.Command {
	var s simulation
	c := &cobra.Command{
		Use: "simulate FILE", Short: "模拟一年的报装 play a year of requests: how many crews keep the limit?",
		Args: cobra.MaximumNArgs(1),
		Example: `  curbstop simulate --example > year.yaml
  curbstop simulate --example=city > city.yaml
  curbstop simulate year.yaml --svg drawings
  curbstop simulate year.yaml --keep 99% --vary engineering --months 3,4,5
  curbstop simulate year.yaml --crews engineering=20..40 --crews service_hall=9
  curbstop simulate city.yaml --keep 97% --vary engineering/gas --months 10,11`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if s.example != "" {
				if len(args) > 0 {
					s.example = args[0]
				}
				return s.show(cmd.OutOrStdout())
			}
			if len(args) == 0 {
				return errors.New("请写明模拟文件；--example 给出示例 name the scenario file; --example shows one")
			}
			return s.run(cmd, args[0])
		},
	}
	flags := c.Flags()
	flags.StringVar(&s.example, "example", "", "print an example of a scenario file: water, or city, where water and gas are asked for")
	flags.Lookup("example").NoOptDefVal = "water"
	flags.Uint64Var(&s.options.Seed, "seed", 1, "the same seed gives the same numbers")
	flags.IntVar(&s.options.Cases, "cases", 0, "how many requests come in; 0: as many as the file's rates make")
	flags.StringVar(&s.policyFile, "policy", "", "policy file; the built-in one of Wuhu where empty")
	flags.StringVar(&s.svg, "svg", "", "draw into this file (.svg) or folder")
	flags.BoolVar(&s.json, "json", false, "print JSON")
	flags.StringArrayVar(&s.crews, "crews", nil, "people or crews of a department, DEPARTMENT=N, or of its teams for one utility alone, DEPARTMENT/UTILITY=N; one may be a range, DEPARTMENT=A..B")
	flags.StringVar(&s.keep, "keep", "", "the share of cases, such as 99%, to have supply on within the limit; needs --vary or a range")
	flags.StringVar(&s.vary, "vary", "", "department, or DEPARTMENT/UTILITY, whose people are tried from few to many until --keep is reached")
	flags.IntSliceVar(&s.months, "months", nil, "months of acceptance that count for --keep, such as 3,4,5")
	return c
}

// show prints an example of a scenario file.
func (s *simulation) show(out io.Writer) error {
	text := simulate.Example()
	switch s.example {
	case "water":
	case "city":
		text = simulate.City()
	default:
		return fmt.Errorf("--example=%s：应为 water 或 city must be water or city", s.example)
	}
	_, err := out.Write(text)
	return err
}

func (s *simulation) run(cmd *cobra.Command, file string) error {
	scenario, question, err := s.read(file)
	if err != nil {
		return err
	}
	s.options.Notices = calendar.Seed()
	s.options.Policy = policy.Default()
	if s.policyFile != "" {
		text, err := os.ReadFile(s.policyFile)
		if err != nil {
			return err
		}
		if s.options.Policy, err = policy.Parse(text); err != nil {
			return errors.New(policy.Describe(err))
		}
	}
	if question != nil {
		return s.try(cmd, scenario, *question)
	}
	start, shown := time.Now(), 0
	s.options.Progress = func(came, all int) {
		if tenth := came * 10 / all; tenth > shown {
			shown = tenth
			fmt.Fprintf(cmd.ErrOrStderr(), "模拟 simulating %d%% · %d/%d 件 · %s\n", tenth*10, came, all, time.Since(start).Round(100*time.Millisecond))
		}
	}
	result, err := simulate.Run(cmd.Context(), scenario, s.options)
	if err != nil {
		return err
	}
	if err := s.draw(cmd.ErrOrStderr(), result.Drawings()); err != nil {
		return err
	}
	if s.json {
		return writeJSON(cmd.OutOrStdout(), result)
	}
	return result.Print(cmd.OutOrStdout())
}

// read gives the scenario with the numbers of people that were asked for, and
// the question if there is one.
func (s *simulation) read(file string) (simulate.Scenario, *simulate.Question, error) {
	var none simulate.Scenario
	text, err := os.ReadFile(file)
	if err != nil {
		return none, nil, err
	}
	scenario, err := simulate.Parse(text)
	if err != nil {
		return none, nil, errors.New(policy.Describe(err))
	}
	var question *simulate.Question
	ask := func(q simulate.Question) error {
		if question != nil {
			return errors.New("一次只能变动一个部门的人数 only one department's people can vary at a time")
		}
		question = &q
		return nil
	}
	for _, crews := range s.crews {
		q, err := parseCrews(crews)
		if err != nil {
			return none, nil, err
		}
		// The ends of a range are judged with the numbers themselves.
		for _, n := range []int{q.To, q.From} {
			staffed, err := scenario.WithPeople(q.Department, q.Utility, n)
			if err != nil {
				return none, nil, err
			}
			if q.From == q.To {
				scenario = staffed
			}
		}
		if q.From != q.To {
			if err := ask(q); err != nil {
				return none, nil, err
			}
		}
	}
	if s.vary != "" {
		d, u := parseTeams(s.vary)
		if _, err := scenario.WithPeople(d, u, max(scenario.People(d, u), 1)); err != nil {
			return none, nil, err
		}
		if s.keep == "" {
			return none, nil, errors.New("--vary 须与 --keep 一起使用，如 --keep 99% --vary needs --keep, such as --keep 99%")
		}
		if err := ask(simulate.Question{Department: d, Utility: u}); err != nil {
			return none, nil, err
		}
	}
	for _, m := range s.months {
		if m < 1 || m > 12 {
			return none, nil, fmt.Errorf("--months：月份应为 1 至 12，不是 %d a month is 1 to 12, not %[1]d", m)
		}
	}
	if question == nil {
		if s.keep != "" || len(s.months) > 0 {
			return none, nil, errors.New("--keep 和 --months 须指明变动人数的部门：--vary 部门，或 --crews 部门=少..多 --keep and --months need a department to vary: --vary DEPARTMENT, or --crews DEPARTMENT=A..B")
		}
		return scenario, nil, nil
	}
	question.Months = s.months
	question.Keep, err = parseShare(s.keep)
	return scenario, question, err
}

// parseTeams reads DEPARTMENT or DEPARTMENT/UTILITY.
func parseTeams(text string) (casework.Department, casework.Utility) {
	department, utility, _ := strings.Cut(text, "/")
	return casework.Department(department), casework.Utility(utility)
}

// parseCrews reads DEPARTMENT=N or DEPARTMENT=A..B.
func parseCrews(text string) (q simulate.Question, err error) {
	name, number, found := strings.Cut(text, "=")
	low, high, ranged := strings.Cut(number, "..")
	if !ranged {
		high = low
	}
	from, errLow := strconv.Atoi(low)
	to, errHigh := strconv.Atoi(high)
	if !found || errLow != nil || errHigh != nil || from < 1 || to < from {
		return q, fmt.Errorf("--crews %q 应写作 engineering=5 或 engineering=3..8 must be like engineering=5 or engineering=3..8", text)
	}
	q.Department, q.Utility = parseTeams(name)
	q.From, q.To = from, to
	return q, nil
}

// parseShare reads 99% or 0.99; empty is 0.
func parseShare(text string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	digits, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	share, err := strconv.ParseFloat(digits, 64)
	if percent {
		share /= 100
	}
	if err != nil || share <= 0 || share > 1 {
		return 0, fmt.Errorf("--keep %q 应写作 99%% 或 0.99 must be like 99%% or 0.99", text)
	}
	return share, nil
}

// try answers a question, telling of each trial as it ends.
func (s *simulation) try(cmd *cobra.Command, scenario simulate.Scenario, q simulate.Question) error {
	start := time.Now()
	trials, err := simulate.Try(cmd.Context(), scenario, s.options, q, func(t simulate.Trial) {
		fmt.Fprintf(cmd.ErrOrStderr(), "模拟 simulated %s=%d · 按时 on time %.2f%% · %s\n",
			q.Teams(), t.People, q.Share(t.Result)*100, time.Since(start).Round(100*time.Millisecond))
	})
	if err != nil {
		return err
	}
	last := trials[len(trials)-1].Result
	if err := s.draw(cmd.ErrOrStderr(), append([]simulate.Drawing{simulate.DrawTrials(q, trials)}, last.Drawings()...)); err != nil {
		return err
	}
	if s.json {
		return writeJSON(cmd.OutOrStdout(), struct {
			Question simulate.Question `json:"question"`
			Trials   []simulate.Trial  `json:"trials"`
		}{q, trials})
	}
	return simulate.PrintTrials(cmd.OutOrStdout(), q, trials)
}

// draw writes the drawings: all into one file, or each into one of a folder.
func (s *simulation) draw(say io.Writer, drawings []simulate.Drawing) error {
	if s.svg == "" {
		return nil
	}
	files := map[string][]byte{}
	if strings.HasSuffix(strings.ToLower(s.svg), ".svg") {
		files[s.svg] = simulate.SVG(drawings...)
	} else {
		if err := os.MkdirAll(s.svg, 0o750); err != nil {
			return err
		}
		for _, d := range drawings {
			files[filepath.Join(s.svg, d.Name+".svg")] = simulate.SVG(d)
		}
	}
	for name, svg := range files {
		if err := os.WriteFile(name, svg, 0o600); err != nil {
			return err
		}
	}
	fmt.Fprintf(say, "已绘图 drawn: %s\n", s.svg)
	return nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
