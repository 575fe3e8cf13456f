package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// judge collects what is wrong with a file, with the line of each field.
type judge struct {
	where  places
	faults []fault
}

type fault struct {
	field string
	line  int
	text  casework.Text
}

// fault records what is wrong with a field; each field is named once.
func (j *judge) fault(field string, text casework.Text) {
	j.faultAt(field, j.where.line(field), text)
}

func (j *judge) faultAt(field string, line int, text casework.Text) {
	if !j.wrong(field) {
		j.faults = append(j.faults, fault{field, line, text})
	}
}

func (j *judge) wrong(field string) bool {
	return slices.ContainsFunc(j.faults, func(f fault) bool { return f.field == field })
}

// err names what was found in the order of the lines.
func (j *judge) err() error {
	slices.SortStableFunc(j.faults, func(a, b fault) int { return a.line - b.line })
	var c casework.Check
	for _, f := range j.faults {
		c.Field(f.field, atLine(f.line, f.text))
	}
	return c.Err()
}

func (j *judge) require(ok bool, field string, text casework.Text) {
	if !ok {
		j.fault(field, text)
	}
}

// lenient reads past texts that are no budget or time of day. The decoder would
// not say where they stand; judge.texts does, for all of them.
var lenient = []yaml.DecodeOption{
	yaml.CustomUnmarshaler(func(b *calendar.Budget, text []byte) error {
		*b, _ = calendar.ParseBudget(plain(text))
		return nil
	}),
	yaml.CustomUnmarshaler(func(m *calendar.Minute, text []byte) error {
		*m, _ = calendar.ParseMinute(plain(text))
		return nil
	}),
}

// plain is a scalar without quotes and comment.
func plain(text []byte) string {
	var s string
	if err := yaml.Unmarshal(text, &s); err != nil {
		return string(text)
	}
	return s
}

// written are the fields that are texts with a form of their own.
var written = []struct {
	path  *regexp.Regexp
	parse func(string) error
}{
	{regexp.MustCompile(`^limits\.[^.]+$|^pause_bound$|^ladder\[\d+\]\.(before|after|answer)$|^ladders\..+\]\.(before|after|answer)$`),
		func(s string) error { _, err := calendar.ParseBudget(s); return err }},
	{regexp.MustCompile(`^hours\.spans\[\d+\]\.(from|to)$`),
		func(s string) error { _, err := calendar.ParseMinute(s); return err }},
}

// whole are the fields that are whole numbers. The decoder would cut off what
// stands behind the point: a price of 120.5 fen would be one of 120.
var whole = regexp.MustCompile(`^retention_days$|\.(level|fen|minutes)$`)

// texts judges budgets, times of day and whole numbers where they stand.
func (j *judge) texts() {
	for _, p := range j.where {
		if _, broken := p.value.(*ast.FloatNode); broken && whole.MatchString(p.path) {
			j.fault(p.path, casework.Say("应为整数", "must be a whole number"))
		}
		for _, form := range written {
			if !form.path.MatchString(p.path) {
				continue
			}
			text := ""
			switch v := p.value.(type) {
			case *ast.StringNode:
				text = v.Value
			case ast.ScalarNode:
				text = v.GetToken().Value
			}
			if err := form.parse(text); err != nil {
				j.fault(p.path, both(err))
			}
		}
	}
}

// misread says what the decoder could not read.
func (j *judge) misread(err error) {
	say := casework.Sayf("无法读取：%[1]v", "can't be read: %[1]v", err)
	field := ""
	var (
		unknown    *yaml.UnknownFieldError
		kind       *yaml.TypeError
		unexpected *yaml.UnexpectedNodeTypeError
		e          yaml.Error
	)
	switch {
	case errors.As(err, &unknown):
		say = casework.Say("没有这个字段", "there is no such field")
	case errors.As(err, &kind):
		say = casework.Sayf("类型不对，应为 %[1]v", "of the wrong type; must be %[1]v", kind.DstType)
	case errors.As(err, &unexpected):
		say = casework.Sayf("类型不对，应为 %[1]v", "of the wrong type; must be %[1]v", unexpected.Expected)
	}
	line := 1
	if errors.As(err, &e) {
		if t := e.GetToken(); t != nil {
			line, field = t.Position.Line, j.where.at(t)
		}
	}
	j.faultAt(field, line, say)
}

func (j *judge) judge(p *Policy) {
	j.require(p.Version != "" && len(p.Version) <= 40 && !strings.ContainsAny(p.Version, "/ \t\n") && p.Version != Current, "version",
		casework.Say("请写明版本（不超过40个字符，不含空格和斜线，不为 current）", "name the version, at most 40 characters without blanks and slashes, and not current"))
	j.require(len([]rune(p.Name)) <= 100, "name", casework.Say("名称不超过100个字", "the name has at most 100 characters"))
	j.require(len(p.Utilities) > 0, "utilities", casework.Say("请写明服务的能源类别", "name the utilities that are served"))
	for i, u := range p.Utilities {
		j.require(u.Valid(), fmt.Sprintf("utilities[%d]", i), casework.Say("应为 water（水）或 gas（气）", "must be water or gas"))
		once(j, p.Utilities, i, "utilities")
	}
	j.require(p.Lane.Valid(), "lane", casework.Say("应为 101 或 201", "must be 101 or 201"))
	j.require(p.RetentionDays >= 1 && p.RetentionDays <= 3650, "retention_days", casework.Say("应在 1 至 3650 天之间", "must be between 1 and 3650 days"))
	hours := p.Hours.Validate()
	if hours != nil && !slices.ContainsFunc(j.faults, func(f fault) bool { return strings.HasPrefix(f.field, "hours") }) {
		j.fault("hours", both(hours))
	}
	j.limits(p)
	j.ladders(p, hours == nil)
	j.pauses(p)
	for i, d := range p.Confirming {
		j.require(d.Valid(), fmt.Sprintf("confirming[%d]", i), casework.Sayf("没有这个部门：%[1]s", "no such department: %[1]s", d))
		once(j, p.Confirming, i, "confirming")
	}
	for i := range p.Atlas {
		once(j, p.Atlas, i, "atlas")
	}
	j.checklists(p)
	j.prices(p)
	j.gas(p)
	j.network(p.Network)
}

// network judges what a main must give; a policy without it proposes nothing.
func (j *judge) network(n casework.NetworkTerms) {
	if n == (casework.NetworkTerms{}) {
		return
	}
	j.require(n.Reach > 0 && n.Reach <= 20_000, "network.reach", casework.Say("应大于 0 且不超过 20000 米", "must be above 0 and at most 20,000 m"))
	j.require(n.WaterPressure >= 0 && n.WaterPressure <= 2.5, "network.water_pressure", casework.Say("应在 0 至 2.5 MPa 之间", "must be between 0 and 2.5 MPa"))
	j.require(n.CapacityShare > 0 && n.CapacityShare <= 100, "network.capacity_share", casework.Say("应大于 0 且不超过 100（百分比）", "must be above 0 and at most 100 percent"))
}

func (j *judge) limits(p *Policy) {
	for _, name := range inOrder(p.Limits) {
		field := "limits." + string(name)
		j.known(name, field)
		if err := p.Limits[name].Validate(); err != nil {
			j.fault(field, both(err))
		}
	}
}

func (j *judge) known(name casework.LimitName, field string) {
	names := LimitNames()
	j.require(slices.Contains(names, name), field, casework.Sayf("没有这个时限；应为：%[1]v", "no such limit; one of: %[1]v", names))
}

// ladders judges each ladder by itself, then its reminders against the limits
// that climb it.
func (j *judge) ladders(p *Policy, timed bool) {
	var common []casework.LimitName
	for _, name := range inOrder(p.Limits) {
		if _, own := p.Ladders[name]; !own {
			common = append(common, name)
		}
	}
	j.ladder("ladder", p.Ladder)
	if timed {
		j.reminders("ladder", p.Ladder, p, common)
	}
	for _, name := range inOrder(p.Ladders) {
		field := "ladders." + string(name)
		j.known(name, field)
		j.ladder(field, p.Ladders[name])
		if _, limited := p.Limits[name]; limited && timed {
			j.reminders(field, p.Ladders[name], p, []casework.LimitName{name})
		}
	}
}

func (j *judge) ladder(path string, rungs []casework.Rung) {
	level, top := 0, 0
	var roles []string
	for i, r := range rungs {
		field := fmt.Sprintf("%s[%d]", path, i)
		j.require(r.Name != "", field+".name", casework.Say("请写明级别名称", "name the rung"))
		j.require(!slices.ContainsFunc(rungs[:i], func(o casework.Rung) bool { return o.Name == r.Name }), field+".name",
			casework.Sayf("级别重复：%[1]s", "named twice: %[1]s", r.Name))
		j.require(r.Level >= 0 && r.Level <= 9, field+".level", casework.Say("级别应在 0 至 9 之间", "levels are from 0 to 9"))
		j.require(r.Level >= level, field+".level", casework.Say("级别应逐级升高", "levels must not fall"))
		level = max(level, r.Level)
		if r.To != "" {
			j.require(r.To.Valid(), field+".to", casework.Sayf("没有这个角色：%[1]s", "no such role: %[1]s", r.To))
			back := slices.Contains(roles, string(r.To))
			roles = append(roles, string(r.To))
			j.require(!back, field+".to", casework.Sayf("升级阶梯兜圈：%[1]s", "the ladder goes in a circle: %[1]s", strings.Join(roles, " → ")))
			j.require(r.Level > top || len(roles) == 1, field+".level", casework.Sayf("通知角色的级别应逐级升高，须大于 %[1]d", "levels of rungs that tell a role must rise, above %[1]d", top))
			top = max(top, r.Level)
		}
		before, after := r.Before != (calendar.Budget{}), r.After != (calendar.Budget{})
		j.require(!before || r.Before.Unit == calendar.WorkingTime, field+".before",
			casework.Say("提前量应为工作时间，如 2 working_hours", "must be working time, such as 2 working_hours"))
		j.require(!before || !after, field, casework.Say("before 与 after 只能写一个", "give before or after, not both"))
		j.span(r.Answer, field+".answer")
	}
}

// span refuses what is neither working days nor working time; it may be left out.
func (j *judge) span(b calendar.Budget, field string) {
	j.require(b == (calendar.Budget{}) || b.Unit == calendar.WorkingDays || b.Unit == calendar.WorkingTime, field,
		casework.Say("应为工作日或工作时间，如 1 working_day、4 working_hours", "must be working days or working time, such as 1 working_day, 4 working_hours"))
}

// reminders refuses a warning that comes before its limit begins, both counted
// in working time.
func (j *judge) reminders(path string, rungs []casework.Rung, p *Policy, limits []casework.LimitName) {
	for i, r := range rungs {
		if r.Before.Unit != calendar.WorkingTime {
			continue
		}
		var shorter []string
		for _, name := range limits {
			if limit := p.Limits[name]; limit.Validate() == nil && r.Before.Time > p.Hours.Granted(limit) {
				shorter = append(shorter, fmt.Sprintf("%s (%s = %s)", name, limit, p.Hours.Granted(limit)))
			}
		}
		n := len(shorter)
		j.require(n == 0, fmt.Sprintf("%s[%d].before", path, i), casework.Sayf(
			"提前量 %[1]s（工作时间 %[2]s）超过 %[4]d 项时限，如 %[3]s", "a warning of %[1]s (%[2]s of working time) is longer than %[4]d limits, such as %[3]s",
			r.Before, r.Before.Time, strings.Join(shorter[:min(n, 3)], ", "), n))
	}
}

func (j *judge) pauses(p *Policy) {
	for i, r := range p.PauseReasons {
		j.require(slices.Contains(casework.PauseReasons(), r), fmt.Sprintf("pause_reasons[%d]", i),
			casework.Sayf("没有这个暂停原因；应为：%[1]v", "no such reason; one of: %[1]v", casework.PauseReasons()))
		once(j, p.PauseReasons, i, "pause_reasons")
	}
	j.span(p.PauseBound, "pause_bound")
}

func (j *judge) checklists(p *Policy) {
	for _, kind := range inOrder(p.Checklists) {
		field := "checklists." + string(kind)
		j.require(kind.Valid(), field, casework.Say("没有这类任务，见术语表", "no such kind of task; see the glossary"))
		items := p.Checklists[kind]
		j.require(len(items) > 0 && len(items) <= 30, field, casework.Say("应有 1 至 30 项", "must have 1 to 30 items"))
		for i, item := range items {
			j.require(strings.TrimSpace(item) != "" && len([]rune(item)) <= 60, fmt.Sprintf("%s[%d]", field, i),
				casework.Say("请写明核对项（不超过60个字）", "name the item, in at most 60 characters"))
			once(j, items, i, field)
		}
	}
}

func (j *judge) prices(p *Policy) {
	for i, price := range p.Prices {
		field := fmt.Sprintf("prices[%d]", i)
		for _, text := range [][2]string{{"code", price.Code}, {"name", price.Name}, {"unit", price.Unit}, {"source", price.Source}} {
			j.require(strings.TrimSpace(text[1]) != "" && len([]rune(text[1])) <= 100, field+"."+text[0],
				casework.Say("此项必填（不超过100个字）", "required, at most 100 characters"))
		}
		j.require(!slices.ContainsFunc(p.Prices[:i], func(o casework.Price) bool { return o.Code == price.Code }), field+".code",
			casework.Sayf("项目重复：%[1]s", "named twice: %[1]s", price.Code))
		j.require(slices.Contains(p.Utilities, price.Utility), field+".utility",
			casework.Sayf("应为本政策服务的类别：%[1]v", "must be a utility that is served: %[1]v", p.Utilities))
		j.require(price.Kind == casework.InsideProperty || price.Kind == casework.CustomerRequest, field+".kind",
			casework.Say("只可为 inside_property_line（红线内工程）或 customer_request（延伸服务）；计量装置及红线外不得收费",
				"must be inside_property_line or customer_request: nothing is charged for the meter or outside the property line"))
		j.fixed(field+".fixed", price)
		j.require(price.Fen > 0 && price.Fen <= 1_000_000_000, field+".fen", casework.Say("单价应大于 0（单位：分），不超过一千万元", "the price must be above 0 fen and at most ten million yuan"))
	}
}

// once refuses an entry of a list that stands in it before.
func once[T comparable](j *judge, list []T, i int, path string) {
	j.require(!slices.Contains(list[:i], list[i]), fmt.Sprintf("%s[%d]", path, i), casework.Say("重复", "named twice"))
}

// both says an error of package calendar in both languages.
func both(err error) casework.Text {
	return casework.Say(calendar.Said(err))
}

// inOrder gives the names of a map in an order that does not change.
func inOrder[K ~string, V any](m map[K]V) []K {
	names := make([]K, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
