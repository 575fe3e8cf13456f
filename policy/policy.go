// Package policy reads the policy file: the limits, ladders, business hours
// and lists that a utility sets for itself. A version that is published serves
// the cases that start from then on; a case takes its terms from it and keeps
// them until it is moved.
package policy

import (
	"bytes"
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
	// Checklists are what is confirmed item by item before a task is done.
	Checklists map[casework.TaskKind][]string `yaml:"checklists"`
	Prices     []casework.Price               `yaml:"prices"`
	// Gas is what is said for gas alone; a policy that serves gas must have it.
	Gas *casework.GasTerms `yaml:"gas"`
	// Network is what a main must give before an assessment proposes it.
	Network casework.NetworkTerms `yaml:"network"`

	text string
}

// Default is the policy of Wuhu's water and gas companies: the measures' own rules and
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

// Parse reads and judges a policy file. Its error is a fault that names the
// line of every field that is wrong, in Chinese and English. The file is UTF-8,
// with or without a byte order mark.
func Parse(text []byte) (Policy, error) {
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	where, err := locate(text)
	if err != nil {
		return Policy{}, err
	}
	p := Policy{text: string(text)}
	j := judge{where: where}
	j.texts()
	if err := yaml.UnmarshalWithOptions(text, &p, append(lenient, yaml.Strict())...); err != nil {
		j.misread(err)
		return Policy{}, j.err()
	}
	j.judge(&p)
	if err := j.err(); err != nil {
		return Policy{}, err
	}
	return p, nil
}

// Published reads a version that was judged when it was published. A rule that
// curbstop learnt since does not keep its cases from starting.
func Published(text string) (Policy, error) {
	p := Policy{text: text}
	if err := yaml.Unmarshal([]byte(text), &p); err != nil {
		return Policy{}, fmt.Errorf("a published policy can't be read: %w", err)
	}
	return p, nil
}

// Text is the file as it was written.
func (p Policy) Text() string { return p.text }

// LimitNames lists every limit that a policy may set: one a task kind, the time
// that 12345 sets, one a lane, and the one of connections that are designed on
// their own.
func LimitNames() []casework.LimitName {
	var names []casework.LimitName
	for _, s := range casework.Specs() {
		if !slices.Contains(names, s.Limit) {
			names = append(names, s.Limit)
		}
	}
	return append(names, casework.ReplyByLimit, casework.LaneLimit(casework.Lane101), casework.LaneLimit(casework.Lane201), casework.DesignedLaneLimit)
}

// Terms are what the policy says for one case.
func (p Policy) Terms() casework.Terms {
	return casework.Terms{
		PolicyVersion: p.Version, Lane: p.Lane, Hours: p.Hours, Limits: p.Limits,
		Ladder: p.Ladder, Ladders: p.Ladders, PauseReasons: p.PauseReasons, PauseBound: p.PauseBound,
		SeparateAcceptance: p.SeparateAcceptance, Confirming: p.Confirming, Atlas: p.Atlas,
		Checklists: p.Checklists, Prices: p.Prices, Gas: p.Gas, Network: p.Network,
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
