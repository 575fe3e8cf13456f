// Package policy reads the policy file: the limits, ladders, business hours
// and lists that a utility sets for itself. A case takes its terms from the
// version in force when it starts and keeps them.
package policy

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

//go:embed wuhu.yaml demo.yaml
var files embed.FS

// Policy is one version of the file.
type Policy struct {
	Version   string             `yaml:"version"`
	Name      string             `yaml:"name"`
	Utilities []casework.Utility `yaml:"utilities"` // served by this installation
	Lane      casework.Lane      `yaml:"lane"`      // where a request names none
	Hours     calendar.Hours     `yaml:"hours"`
	// RetentionDays is how long Temporal keeps the history of an ended case;
	// the records in PostgreSQL stay.
	RetentionDays int                                    `yaml:"retention_days"`
	Limits        map[casework.LimitName]calendar.Budget `yaml:"limits"`
	Ladder        []casework.Rung                        `yaml:"ladder"`
	// Ladders are those of single limits, in place of Ladder.
	Ladders      map[casework.LimitName][]casework.Rung `yaml:"ladders"`
	PauseReasons []casework.PauseReason                 `yaml:"pause_reasons"`
	PauseBound   calendar.Budget                        `yaml:"pause_bound"`
	// SeparateAcceptance keeps whoever surveyed from accepting alone.
	SeparateAcceptance bool                  `yaml:"separate_acceptance"`
	Confirming         []casework.Department `yaml:"confirming"`
	Atlas              []string              `yaml:"atlas"`
}

// Default is the policy of Wuhu's water company: the measures' own rules and
// this project's defaults beside them.
func Default() Policy { return embedded("wuhu.yaml") }

// Demo is the policy of the demonstration: one working day compressed into
// seconds, on a calendar that is always open.
func Demo() Policy { return embedded("demo.yaml") }

func embedded(name string) Policy {
	b, err := files.ReadFile(name)
	if err == nil {
		var p Policy
		if p, err = Parse(b); err == nil {
			return p
		}
	}
	panic(fmt.Sprintf("policy: the embedded %s: %v", name, err))
}

// Parse reads and judges a policy file. An error names the line, and every
// field that is wrong, in Chinese and English.
func Parse(text []byte) (Policy, error) {
	var p Policy
	if err := yaml.UnmarshalWithOptions(text, &p, yaml.Strict()); err != nil {
		return Policy{}, fmt.Errorf("政策文件无法读取 the policy file can't be read: %w", err)
	}
	if err := p.validate(); err != nil {
		return Policy{}, err
	}
	return p, nil
}

func (p Policy) validate() error {
	var c casework.Check
	c.Require(p.Version != "" && len(p.Version) <= 40, "version", casework.Say("请写明版本（不超过40个字符）", "name the version, at most 40 characters"))
	c.Require(len(p.Utilities) > 0, "utilities", casework.Say("请写明服务的能源类别", "name the utilities that are served"))
	for _, u := range p.Utilities {
		// Gas has tasks of its own, which no workflow knows yet; gas requests are kept until then.
		c.Require(u == casework.Water, "utilities", casework.Say("目前只能写 water（用气流程尚未提供）", "must be water: the process for gas is not there yet"))
	}
	c.Require(p.Lane.Valid(), "lane", casework.Say("应为 101 或 201", "must be 101 or 201"))
	c.Require(p.RetentionDays >= 1 && p.RetentionDays <= 3650, "retention_days", casework.Say("应在 1 至 3650 天之间", "must be between 1 and 3650 days"))
	if err := p.Hours.Validate(); err != nil {
		c.Field("hours", casework.Sayf("营业时间有误：%v", "business hours are wrong: %v", err))
	}
	p.validateLimits(&c)
	p.validateLadder(&c)
	for _, d := range p.Confirming {
		c.Require(d.Valid(), "confirming", casework.Sayf("没有这个部门：%s", "no such department: %s", d))
	}
	return c.Err()
}

func (p Policy) validateLimits(c *casework.Check) {
	known := LimitNames()
	for name, budget := range p.Limits {
		field := "limits." + string(name)
		c.Require(slices.Contains(known, name), field, casework.Sayf("没有这个时限；应为：%v", "no such limit; one of: %v", known))
		if err := budget.Validate(); err != nil {
			c.Field(field, casework.Sayf("时限有误：%v", "not a limit: %v", err))
		}
	}
}

func (p Policy) validateLadder(c *casework.Check) {
	level := 0
	for i, r := range p.Ladder {
		field := fmt.Sprintf("ladder[%d]", i)
		c.Require(r.Name != "", field+".name", casework.Say("请写明级别名称", "name the rung"))
		c.Require(!slices.ContainsFunc(p.Ladder[:i], func(o casework.Rung) bool { return o.Name == r.Name }), field+".name",
			casework.Sayf("级别重复：%s", "named twice: %s", r.Name))
		c.Require(r.To == "" || r.To.Valid(), field+".to", casework.Sayf("没有这个角色：%s", "no such role: %s", r.To))
		c.Require(r.Level >= level, field+".level", casework.Say("级别应逐级升高", "levels must not fall"))
		level = r.Level
		before := r.Before != (calendar.Budget{})
		c.Require(!before || r.Before.Unit == calendar.WorkingTime, field+".before",
			casework.Say("提前量应为工作时间，如 2 working_hours", "must be working time, such as 2 working_hours"))
		c.Require(!before || r.After == (calendar.Budget{}), field, casework.Say("before 与 after 只能写一个", "give before or after, not both"))
	}
}

// LimitNames lists every limit that a policy may set: one a task kind and one
// a lane.
func LimitNames() []casework.LimitName {
	var names []casework.LimitName
	for _, s := range casework.Specs() {
		if !slices.Contains(names, s.Limit) {
			names = append(names, s.Limit)
		}
	}
	return append(names, casework.LaneLimit(casework.Lane101), casework.LaneLimit(casework.Lane201))
}

// Terms are what the policy says for one case.
func (p Policy) Terms() casework.Terms {
	return casework.Terms{
		PolicyVersion: p.Version, Lane: p.Lane, Hours: p.Hours, Limits: p.Limits,
		Ladder: p.Ladder, Ladders: p.Ladders, PauseReasons: p.PauseReasons, PauseBound: p.PauseBound,
		SeparateAcceptance: p.SeparateAcceptance, Confirming: p.Confirming, Atlas: p.Atlas,
	}
}

// Retention is how long Temporal keeps the history of an ended case.
func (p Policy) Retention() time.Duration { return time.Duration(p.RetentionDays) * 24 * time.Hour }

// Serves tells whether a utility is served by this installation.
func (p Policy) Serves(u casework.Utility) bool { return slices.Contains(p.Utilities, u) }

// Describe writes an error of Parse line by line, for a terminal.
func Describe(err error) string {
	var f *casework.Fault
	if !errors.As(err, &f) {
		return err.Error()
	}
	lines := []string{f.Text.String()}
	for _, field := range f.Fields {
		lines = append(lines, "  "+field.Field+": "+field.Text.String())
	}
	return strings.Join(lines, "\n")
}
