package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// Field is one thing that a policy says, as people read and compare it.
type Field struct {
	Path  string `json:"path"`  // such as limits.upload_survey, ladder.breach
	Title string `json:"title"` // Chinese
	Value string `json:"value"`
}

// Fields says all of a policy in the order of the process. What stands in a
// list is named by what it is about, not by its place, so that two versions
// compare.
func (p Policy) Fields() []Field {
	var all []Field
	add := func(path, title, value string) {
		if value != "" {
			all = append(all, Field{path, title, value})
		}
	}
	add("version", "版本", p.Version)
	add("name", "名称", p.Name)
	add("utilities", "服务类别", list(p.Utilities))
	add("lane", "默认服务模式", string(p.Lane))
	add("hours", "工作时间", hours(p.Hours))
	add("retention_days", "流程记录保留天数", fmt.Sprint(p.RetentionDays))
	for _, name := range LimitNames() {
		add("limits."+string(name), name.Name(), p.Limits[name].String())
	}
	ladder := func(path, title string, rungs []casework.Rung) {
		for _, r := range rungs {
			add(path+"."+string(r.Name), title+"·"+r.Name.Name(), rung(r))
		}
	}
	ladder("ladder", "升级阶梯", p.Ladder)
	for _, name := range inOrder(p.Ladders) {
		ladder("ladders."+string(name), name.Name()+"的阶梯", p.Ladders[name])
	}
	add("pause_reasons", "暂停原因", list(p.PauseReasons))
	add("pause_bound", "暂停复核期限", p.PauseBound.String())
	add("separate_acceptance", "踏勘与验收分离", fmt.Sprint(p.SeparateAcceptance))
	add("confirming", "同步点击部门", list(p.Confirming))
	add("atlas", "标准图集", list(p.Atlas))
	for _, spec := range casework.Specs() {
		add("checklists."+string(spec.Kind), spec.Name+"核对清单", strings.Join(p.Checklists[spec.Kind], "、"))
	}
	if n := p.Network; n != (casework.NetworkTerms{}) {
		add("network.reach", "接入距离上限", fmt.Sprintf("%v 米", n.Reach))
		add("network.water_pressure", "管网水压下限", fmt.Sprintf("%v MPa", n.WaterPressure))
		add("network.capacity_share", "余量可承诺比例", fmt.Sprintf("%v%%", n.CapacityShare))
	}
	for _, price := range p.Prices {
		fixed := ""
		if f := price.Fixed; f != nil {
			fixed = fmt.Sprintf("，%s一口价，至 %s", f.Class.Name(), f.Meter)
		}
		add("prices."+price.Code, price.Name, fmt.Sprintf("%d.%02d 元/%s (%s, %s)，依据 %s%s",
			price.Fen/100, price.Fen%100, price.Unit, price.Utility, price.Kind, price.Source, fixed))
	}
	return append(all, gasFields(p.Gas)...)
}

func list[T ~string](values []T) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return strings.Join(texts, ", ")
}

func hours(h calendar.Hours) string {
	spans := make([]string, len(h.Spans))
	for i, s := range h.Spans {
		spans[i] = s.From.String() + "-" + s.To.String()
	}
	text := strings.Join(spans, ", ")
	if h.EveryDay {
		text += " (every_day)"
	}
	return text
}

func rung(r casework.Rung) string {
	said := []string{fmt.Sprintf("level %d", r.Level)}
	if r.To != "" {
		said = append(said, "to "+string(r.To))
	}
	for _, b := range []struct {
		name   string
		budget calendar.Budget
	}{{"before", r.Before}, {"after", r.After}, {"answer", r.Answer}} {
		if b.budget != (calendar.Budget{}) {
			said = append(said, b.name+" "+b.budget.String())
		}
	}
	return strings.Join(said, ", ")
}

// FieldChange is a field that two versions of the policy say differently.
type FieldChange struct {
	Path  string `json:"path"`
	Title string `json:"title"` // Chinese
	From  string `json:"from"`  // empty: the old version does not say it
	To    string `json:"to"`    // empty: the new version does not say it
}

// Diff lists what changes from one version to another, field by field.
func Diff(from, to Policy) []FieldChange {
	olds, news := from.Fields(), to.Fields()
	var changes []FieldChange
	for _, f := range news {
		c := FieldChange{Path: f.Path, Title: f.Title, To: f.Value}
		if i := at(olds, f.Path); i >= 0 {
			c.From = olds[i].Value
		}
		if c.From != c.To {
			changes = append(changes, c)
		}
	}
	for _, f := range olds {
		if at(news, f.Path) < 0 {
			changes = append(changes, FieldChange{Path: f.Path, Title: f.Title, From: f.Value})
		}
	}
	return changes
}

func at(fields []Field, path string) int {
	return slices.IndexFunc(fields, func(f Field) bool { return f.Path == path })
}
