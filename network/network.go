// Package network knows the mains of a utility: what they are, where they lie,
// and which are near a place. It reads the registers that a geographic
// information system exports, as CSV or GeoJSON, and says what changes between
// two of them. Pure: the rows are kept by store, the rule by which a main is
// proposed is casework's.
package network

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/curbstop/curbstop/casework"
)

// State is whether a main can be connected to.
type State string

// The states of a main.
const (
	InService State = "in_service" // 在用
	Planned   State = "planned"    // 规划
	Abandoned State = "abandoned"  // 废弃
)

// States lists the states.
func States() []State { return []State{InService, Planned, Abandoned} }

// Class is the pressure class of a gas main (GB 50028).
type Class string

// The classes, by the gauge pressure.
const (
	Low    Class = "low"    // 低压: below 10 kPa
	Medium Class = "medium" // 中压: 10 to 400 kPa
	High   Class = "high"   // 次高压、高压: above 400 kPa
)

// ClassOf is the class of a pressure in MPa.
func ClassOf(pressure float64) Class {
	switch {
	case pressure < 0.01:
		return Low
	case pressure <= 0.4:
		return Medium
	}
	return High
}

// Line is a course of a main, from place to place.
type Line []casework.Position

// Main is a stretch of the network. What a register does not say is zero or, for
// the capacity, nil.
type Main struct {
	ID       string            `json:"id"` // unique among the mains of its utility
	Utility  casework.Utility  `json:"utility"`
	District casework.District `json:"district"`
	State    State             `json:"state"`
	Material string            `json:"material,omitempty"`
	Diameter int               `json:"diameter,omitempty"` // mm
	Pressure float64           `json:"pressure,omitempty"` // MPa
	Class    Class             `json:"class,omitempty"`    // of gas
	Capacity *float64          `json:"capacity,omitempty"` // free, in m³ a day
	Year     int               `json:"year,omitempty"`     // of building
	Lines    []Line            `json:"lines"`              // WGS84
}

// Check names every field of a main that is wrong.
func (m Main) Check() error {
	var c casework.Check
	c.Require(m.ID != "" && len([]rune(m.ID)) <= 64 && !strings.ContainsFunc(m.ID, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), "id",
		casework.Say("请填写管线编号，不超过 64 个字符，不含空格", "a main needs a number of at most 64 characters without blanks"))
	c.Require(m.Utility.Valid(), "utility", casework.Say("应为 water（水）或 gas（气）", "must be water or gas"))
	c.Nested("district", m.District.Check())
	c.Require(slices.Contains(States(), m.State), "state", casework.Say("应为 in_service（在用）、planned（规划）或 abandoned（废弃）", "must be in_service, planned or abandoned"))
	c.Require(len([]rune(m.Material)) <= 100, "material", casework.Say("不超过 100 个字", "at most 100 characters"))
	c.Require(m.Diameter == 0 || m.Diameter >= 15 && m.Diameter <= 3000, "diameter", casework.Say("管径应在 15 至 3000 毫米之间", "must be between 15 and 3000 mm"))
	c.Require(m.Pressure >= 0 && m.Pressure <= 10, "pressure", casework.Say("压力应在 0 至 10 MPa 之间", "must be between 0 and 10 MPa"))
	c.Require(m.Capacity == nil || *m.Capacity >= 0 && *m.Capacity <= 10_000_000, "capacity", casework.Say("余量应在 0 至 10000000 立方米/日之间", "must be between 0 and 10,000,000 m³ a day"))
	c.Require(m.Year == 0 || m.Year >= 1900 && m.Year <= 2100, "year", casework.Say("年份应在 1900 至 2100 之间", "must be between 1900 and 2100"))
	m.checkLines(&c)
	return c.Err()
}

// maxPlaces bounds the course of one main.
const maxPlaces = 10_000

func (m Main) checkLines(c *casework.Check) {
	places := 0
	for _, line := range m.Lines {
		places += len(line)
		if len(line) < 2 {
			c.Field("geometry", casework.Say("每段走向至少两个坐标", "each line has at least two positions"))
			return
		}
		for _, p := range line {
			if err := p.Check(); err != nil {
				c.Field("geometry", casework.AsFault(err).Text)
				return
			}
		}
	}
	c.Require(places > 0 && places <= maxPlaces, "geometry", casework.Sayf("走向应有 2 至 %d 个坐标", "must have 2 to %d positions", maxPlaces))
}

// Version is an import of the register: who brought which file when, and what it
// changed.
type Version struct {
	N          int64              `json:"version"`
	ImportedAt time.Time          `json:"imported_at"`
	ImportedBy string             `json:"imported_by"`
	File       string             `json:"file"`
	SHA256     string             `json:"sha256"`
	Utilities  []casework.Utility `json:"utilities"`         // of which the file has mains
	Partial    bool               `json:"partial,omitempty"` // it left mains alone that it does not name
	Mains      int                `json:"mains"`             // in the file
	Added      int                `json:"added"`
	Changed    int                `json:"changed"`
	Removed    int                `json:"removed"`
}

// Filter selects mains; a zero field selects all.
type Filter struct {
	Utility   casework.Utility
	State     State
	Districts []casework.District
	casework.Page
}

// Register is a file that was read.
type Register struct {
	Mains []Main
	// Notes say what was read otherwise than it was written.
	Notes []casework.Text
}

// Utilities lists those of which the register has mains.
func (r Register) Utilities() []casework.Utility {
	var us []casework.Utility
	for _, u := range []casework.Utility{casework.Water, casework.Gas} {
		if slices.ContainsFunc(r.Mains, func(m Main) bool { return m.Utility == u }) {
			us = append(us, u)
		}
	}
	return us
}

// Change is a main before and after; one of them is nil where it was added or
// removed.
type Change struct {
	Before *Main `json:"before,omitempty"`
	After  *Main `json:"after,omitempty"`
}

// Main is the main that changed, as it is now, or was.
func (c Change) Main() *Main {
	if c.After != nil {
		return c.After
	}
	return c.Before
}

// Kind tells whether a main was added, changed or removed.
func (c Change) Kind() string {
	switch {
	case c.Before == nil:
		return "added"
	case c.After == nil:
		return "removed"
	}
	return "changed"
}

// What says in a line what changed of the main.
func (c Change) What() string {
	if c.Before == nil || c.After == nil {
		m := c.Main()
		return fmt.Sprintf("DN%d %s %s", m.Diameter, m.State, m.District.Name())
	}
	var parts []string
	say := func(name string, before, after any) {
		if !reflect.DeepEqual(before, after) {
			parts = append(parts, fmt.Sprintf("%s %v → %v", name, before, after))
		}
	}
	b, a := c.Before, c.After
	say("state", b.State, a.State)
	say("diameter", b.Diameter, a.Diameter)
	say("pressure", b.Pressure, a.Pressure)
	say("class", b.Class, a.Class)
	say("capacity", figure(b.Capacity), figure(a.Capacity))
	say("material", b.Material, a.Material)
	say("year", b.Year, a.Year)
	say("district", b.District.Name(), a.District.Name())
	if !reflect.DeepEqual(b.Lines, a.Lines) {
		parts = append(parts, "geometry")
	}
	return strings.Join(parts, ", ")
}

func figure(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprint(*v)
}

// Compare lists what changes from the mains on record to those of a file, by
// utility and number. The file stands for the whole network of each utility that
// it has mains of, unless it is partial: then it removes nothing.
func Compare(recorded, file []Main, partial bool) []Change {
	type key struct {
		utility casework.Utility
		id      string
	}
	before := map[key]*Main{}
	for i := range recorded {
		before[key{recorded[i].Utility, recorded[i].ID}] = &recorded[i]
	}
	var changes []Change
	utilities := Register{Mains: file}.Utilities()
	for i := range file {
		after := &file[i]
		k := key{after.Utility, after.ID}
		old, known := before[k]
		delete(before, k)
		if !known || !reflect.DeepEqual(old, after) {
			changes = append(changes, Change{Before: old, After: after})
		}
	}
	for k, old := range before {
		if !partial && slices.Contains(utilities, k.utility) {
			changes = append(changes, Change{Before: old})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int {
		return cmp.Or(-cmp.Compare(a.Main().Utility, b.Main().Utility), cmp.Compare(a.Main().ID, b.Main().ID))
	})
	return changes
}
