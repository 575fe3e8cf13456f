// Package mapping turns the field names and codes of another system into ours
// and back, by a file that each city keeps for itself. The file says which of
// their fields hold which of ours and what their codes mean; it holds no
// expressions. What a message says beyond that is kept as it was sent.
package mapping

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/curbstop/curbstop/casework"
)

// File is a mapping file that was read and judged.
type File struct {
	Name    string
	layouts map[string]Layout
	codes   map[string]map[string]string
	setting map[string]string
}

// Layout is one kind of message, or one kind of report.
type Layout struct {
	Kinds  []string             // where such a message arrives: the path below the sender's address, or the table
	Path   string               // where such a report goes: a path, or a table
	States []casework.Milestone // the states that such a report tells
	// Fields say, for a message, where our fields stand in theirs; for a report,
	// what of ours stands in each of theirs. The first that says something holds.
	Fields map[string][]string
	// Always are values that the messages of the kind do not say, or that every
	// such report says.
	Always map[string]string
	order  []string // of Fields and Always, as in the file
}

// Shape is what an adapter allows in its mapping files.
type Shape struct {
	// Messages and Reports are the layouts by name. For a message the names are
	// those of our fields that may be mapped; one that ends in ! must be.
	Messages map[string][]string
	Reports  []string
	// Codes are the tables from their codes to ours, and how a value of ours is
	// judged; the error of a judgement is a sentence in both languages. A table
	// for a report is named after the field of theirs that it fills.
	Codes map[string]func(value string) error
	// Settings are the adapter's own, with their judgement.
	Settings map[string]func(value string) error
}

// node is a part of the file and the line on which it stands.
type node struct {
	line  int
	text  string // of a scalar
	keys  []string
	parts []*node // of a mapping or a list
	kind  kind
}

func (n *node) at(key string) *node {
	if n == nil || n.kind != object {
		return nil
	}
	if i := slices.Index(n.keys, key); i >= 0 {
		return n.parts[i]
	}
	return nil
}

// judge collects the faults of a file with their lines.
type judge struct {
	check casework.Check
	named map[string]bool
}

// fault records what is wrong with a field; each field is named once.
func (j *judge) fault(field string, line int, t casework.Text) {
	if j.named[field] {
		return
	}
	j.named[field] = true
	j.check.Field(field, casework.Text{ZH: fmt.Sprintf("第 %d 行：%s", line, t.ZH), EN: fmt.Sprintf("line %d: %s", line, t.EN)})
}

// Parse reads and judges a mapping file. Its error is an Invalid
// [casework.Fault] that names the line and the field of everything that is
// wrong.
func Parse(file []byte, shape Shape) (*File, error) {
	j := judge{named: map[string]bool{}}
	root := j.parse(file)
	if root == nil {
		return nil, j.check.Err()
	}
	f := &File{layouts: map[string]Layout{}, codes: map[string]map[string]string{}, setting: map[string]string{}}
	j.allowed("", root, "name", "layouts", "codes", "settings")
	f.Name = j.word("name", root.at("name"))
	j.layouts(f, root.at("layouts"), shape, root.line)
	j.codes(f, root.at("codes"), shape)
	j.settings(f, root.at("settings"), shape)
	if err := j.check.Err(); err != nil {
		fault := casework.AsFault(err)
		fault.Code = "bad_mapping"
		fault.Text = casework.Say("映射文件有误，请按提示修改", "the mapping file is not valid; see each field")
		return nil, fault
	}
	return f, nil
}

func (j *judge) parse(file []byte) *node {
	tree, err := parser.ParseBytes(file, 0)
	switch {
	case err != nil:
		line, field, said := 1, "", err.Error()
		if e, ok := errors.AsType[*yaml.SyntaxError](err); ok && e.Token != nil {
			line, said = e.Token.Position.Line, e.Message
			if strings.HasPrefix(e.Message, "mapping key") {
				field = e.Token.Value // stands there twice
			}
		}
		j.fault(field, line, casework.Sayf("不是有效的 YAML：%s", "not valid YAML: %s", said))
		return nil
	case len(tree.Docs) != 1 || tree.Docs[0].Body == nil:
		j.fault("", 1, casework.Say("文件应恰有一份映射", "the file should hold exactly one mapping"))
		return nil
	}
	root := j.node("", tree.Docs[0].Body)
	if root.kind != object {
		j.fault("", root.line, casework.Say("文件应由“字段: 值”组成", "the file should consist of field: value"))
		return nil
	}
	return root
}

// node takes the part of the file that n is over into our own tree. Notes,
// which are keys that begin with _, are left out.
func (j *judge) node(path string, n ast.Node) *node {
	here := &node{line: n.GetToken().Position.Line}
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.MappingNode:
		here.kind = object
		for _, v := range n.Values {
			j.member(path, here, v)
		}
	case *ast.MappingValueNode:
		here.kind = object
		j.member(path, here, n)
	case *ast.SequenceNode:
		here.kind = list
		for i, v := range n.Values {
			here.parts = append(here.parts, j.node(fmt.Sprintf("%s[%d]", path, i), v))
		}
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		j.fault(path, here.line, casework.Say("不支持锚点、引用和标签", "anchors, references and tags are not supported"))
	case *ast.StringNode:
		here.kind, here.text = text, n.Value
	case *ast.LiteralNode:
		here.kind, here.text = text, n.Value.Value
	case ast.ScalarNode:
		// The token is what stands in the file: 007 keeps its zeros and 1e3 is
		// no thousand.
		here.kind, here.text = text, n.GetToken().Value
	default:
		j.fault(path, here.line, casework.Say("此处只能写文字、列表或“字段: 值”", "only texts, lists and fields are allowed here"))
	}
	return here
}

func (j *judge) member(path string, parent *node, v *ast.MappingValueNode) {
	key := v.Key.GetToken().Value
	if strings.HasPrefix(key, "_") {
		return
	}
	at := Join(path, key)
	if slices.Contains(parent.keys, key) {
		j.fault(at, v.Key.GetToken().Position.Line, casework.Say("字段重复", "the field stands here twice"))
		return
	}
	part := j.node(at, v.Value)
	if part.kind != object && part.kind != list {
		part.line = v.Key.GetToken().Position.Line
	}
	parent.keys, parent.parts = append(parent.keys, key), append(parent.parts, part)
}

// allowed names every field of n that has no meaning.
func (j *judge) allowed(path string, n *node, names ...string) {
	for i, key := range n.keys {
		if !slices.Contains(names, key) {
			j.fault(Join(path, key), n.parts[i].line, casework.Sayf("不认识的字段；可用：%s", "unknown field; allowed: %s", strings.Join(names, "、")))
		}
	}
}

// word reads a single text; a missing one is empty.
func (j *judge) word(path string, n *node) string {
	if n == nil {
		return ""
	}
	if n.kind == object || n.kind == list {
		j.fault(path, n.line, casework.Say("应为一个值", "it should be a single value"))
	}
	return n.text
}

// words reads a text or a list of texts.
func (j *judge) words(path string, n *node) []string {
	if n == nil || n.kind == nothing {
		return nil
	}
	if n.kind == text {
		return []string{n.text}
	}
	var all []string
	if n.kind == object {
		j.fault(path, n.line, casework.Say("应为一个值或列表", "it should be a value or a list"))
		return nil
	}
	for i, p := range n.parts {
		all = append(all, j.word(fmt.Sprintf("%s[%d]", path, i), p))
	}
	return all
}

// table reads texts by name; it goes by the order in which they stand.
func (j *judge) table(path string, n *node, take func(key string, n *node)) {
	if n == nil || n.kind == nothing {
		return
	}
	if n.kind != object {
		j.fault(path, n.line, casework.Say("应由“字段: 值”组成", "it should consist of field: value"))
		return
	}
	for i, key := range n.keys {
		take(key, n.parts[i])
	}
}

func (j *judge) layouts(f *File, n *node, shape Shape, line int) {
	j.table("layouts", n, func(name string, n *node) {
		targets, incoming := shape.Messages[name]
		outgoing := slices.Contains(shape.Reports, name)
		path := "layouts." + name
		if !incoming && !outgoing {
			known := append(slices.Sorted(maps.Keys(shape.Messages)), shape.Reports...)
			j.fault(path, n.line, casework.Sayf("不认识的报文；可用：%s", "unknown layout; allowed: %s", strings.Join(known, "、")))
			return
		}
		if n.kind != object {
			j.fault(path, n.line, casework.Say("应由“字段: 值”组成", "it should consist of field: value"))
			return
		}
		l := Layout{Fields: map[string][]string{}, Always: map[string]string{}}
		if incoming {
			j.allowed(path, n, "kinds", "fields", "always")
			l.Kinds = j.words(path+".kinds", n.at("kinds"))
		} else {
			j.allowed(path, n, "path", "states", "fields", "always")
			l.Path = j.word(path+".path", n.at("path"))
			l.States = j.states(path+".states", n.at("states"))
		}
		var needed []string
		for i, t := range targets {
			if bare, must := strings.CutSuffix(t, "!"); must {
				needed = append(needed, bare)
				targets = slices.Clone(targets)
				targets[i] = bare
			}
		}
		ours := func(path, key string, n *node) {
			if incoming && !slices.Contains(targets, key) {
				j.fault(path+"."+key, n.line, casework.Sayf("不认识的字段；可用：%s", "unknown field; allowed: %s", strings.Join(targets, "、")))
			}
		}
		j.table(path+".fields", n.at("fields"), func(key string, n *node) {
			ours(path+".fields", key, n)
			l.Fields[key] = j.words(path+".fields."+key, n)
			l.order = append(l.order, key)
			for _, source := range l.Fields[key] {
				if outgoing && !slices.Contains(sources, source) && !strings.HasPrefix(source, "extra.") {
					j.fault(path+".fields."+key, n.line, casework.Sayf("“%s”不可上报；可用：%s、extra.来件字段", "%q can't be told; allowed: %s, extra.FIELD",
						source, strings.Join(sources, "、")))
				}
			}
		})
		j.table(path+".always", n.at("always"), func(key string, n *node) {
			ours(path+".always", key, n)
			l.Always[key] = j.word(path+".always."+key, n)
			if !slices.Contains(l.order, key) {
				l.order = append(l.order, key)
			}
		})
		for _, t := range needed {
			if len(l.Fields[t]) == 0 && l.Always[t] == "" {
				j.fault(path+".fields."+t, n.line, casework.Say("必须说明从哪个字段读取", "it must be said from which field it is read"))
			}
		}
		f.layouts[name] = l
	})
	if len(f.layouts) == 0 {
		j.fault("layouts", line, casework.Say("至少要有一种报文", "there must be at least one layout"))
	}
}

func (j *judge) states(path string, n *node) []casework.Milestone {
	var states []casework.Milestone
	for _, s := range j.words(path, n) {
		if !slices.Contains(casework.Milestones(), casework.Milestone(s)) {
			j.fault(path, n.line, notMilestone(s))
		}
		states = append(states, casework.Milestone(s))
	}
	return states
}

func notMilestone(s string) casework.Text {
	var names []string
	for _, m := range casework.Milestones() {
		names = append(names, string(m))
	}
	return casework.Sayf("“%s”不是办理状态；可用：%s", "%q is no state; allowed: %s", s, strings.Join(names, "、"))
}

func (j *judge) codes(f *File, n *node, shape Shape) {
	reported := map[string]bool{} // fields of reports that tell the state
	for _, name := range shape.Reports {
		for field, from := range f.layouts[name].Fields {
			if slices.Contains(from, "state") {
				reported[field] = true
			}
		}
	}
	j.table("codes", n, func(name string, n *node) {
		judge, known := shape.Codes[name]
		filled := slices.ContainsFunc(shape.Reports, func(r string) bool { return f.layouts[r].Fields[name] != nil })
		path := "codes." + name
		if !known && !filled {
			j.fault(path, n.line, casework.Sayf("不认识的代码表；可用：%s", "unknown table of codes; allowed: %s",
				strings.Join(slices.Sorted(maps.Keys(shape.Codes)), "、")))
			return
		}
		table := map[string]string{}
		j.table(path, n, func(code string, n *node) {
			at := path + "." + code
			table[fold(code)] = j.word(at, n)
			if judge != nil {
				if err := judge(table[fold(code)]); err != nil {
					j.fault(at, n.line, casework.AsFault(err).Text)
				}
			}
			if reported[name] && !known && !slices.Contains(casework.Milestones(), casework.Milestone(code)) {
				j.fault(at, n.line, notMilestone(code))
			}
		})
		f.codes[name] = table
	})
}

func (j *judge) settings(f *File, n *node, shape Shape) {
	j.table("settings", n, func(name string, n *node) {
		judge, known := shape.Settings[name]
		path := "settings." + name
		if !known {
			j.fault(path, n.line, casework.Sayf("不认识的设置；可用：%s", "unknown setting; allowed: %s",
				strings.Join(slices.Sorted(maps.Keys(shape.Settings)), "、")))
			return
		}
		f.setting[name] = j.word(path, n)
		if judge != nil {
			if err := judge(f.setting[name]); err != nil {
				j.fault(path, n.line, casework.AsFault(err).Text)
			}
		}
	})
}

// Setting is one of the adapter's own settings, or what holds without it.
func (f *File) Setting(name, otherwise string) string {
	if s, ok := f.setting[name]; ok {
		return s
	}
	return otherwise
}

// Layout gives a layout by name.
func (f *File) Layout(name string) (Layout, bool) {
	l, ok := f.layouts[name]
	return l, ok
}

// LayoutOf finds the layout of the messages that arrive at a place.
func (f *File) LayoutOf(kind string) (string, bool) {
	kind, _, _ = strings.Cut(kind, "?")
	kind = strings.Trim(kind, "/")
	for _, name := range slices.Sorted(maps.Keys(f.layouts)) {
		for _, k := range f.layouts[name].Kinds {
			if strings.EqualFold(strings.Trim(k, "/"), kind) {
				return name, true
			}
		}
	}
	return "", false
}

// Kinds lists where messages arrive.
func (f *File) Kinds() []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(f.layouts)) {
		all = append(all, f.layouts[name].Kinds...)
	}
	return all
}

// UnknownKind is the fault of a message that arrives where none is expected.
func (f *File) UnknownKind(kind string) error {
	return Faulty(WholeMessage, casework.Sayf("不认识的接口“%s”；可用：%s", "nothing is read at %q; allowed: %s", kind, strings.Join(f.Kinds(), "、")))
}

// Code finds what a code of theirs means. A code that is made of several parts
// with strokes between is also found by one of its parts, the first that has a
// meaning.
func (f *File) Code(table, code string) (string, bool) {
	t := f.codes[table]
	code = fold(code)
	if v, ok := t[code]; ok {
		return v, true
	}
	for part := range strings.SplitSeq(code, "/") {
		if v, ok := t[strings.TrimSpace(part)]; ok {
			return v, true
		}
	}
	return "", false
}

// Table lists the codes of a table.
func (f *File) Table(name string) []string { return slices.Sorted(maps.Keys(f.codes[name])) }

var sixDigits = regexp.MustCompile(`^\d{6}$`)

func refuse(zh, en string) error {
	return casework.Refuse(casework.Invalid, "bad_mapping", casework.Say(zh, en))
}

// IsDistrict judges a value of a table of districts. Empty is allowed: it
// stands for a code of the whole city, which names no district.
func IsDistrict(value string) error {
	if value == "" || sixDigits.MatchString(value) {
		return nil
	}
	return refuse("区县应为六位代码，如 340207", "a district is a code of six digits, such as 340207")
}

// IsUtility judges a value of a table of utilities; other stands for one that
// is known and not ours.
func IsUtility(value string) error {
	if casework.Utility(value).Valid() || value == Other {
		return nil
	}
	return refuse("应为 water、gas 或 other", "it should be water, gas or other")
}

// Other stands for a utility that is known and not ours, such as electricity.
const Other = "other"

// IsService judges a value of a table of services.
func IsService(value string) error {
	services := []casework.CaseKind{casework.ConnectionCase, casework.TransferCase, casework.ClosingCase, casework.OrderCase}
	if slices.Contains(services, casework.CaseKind(value)) {
		return nil
	}
	return refuse("应为 connection、account_transfer、account_closing 或 hotline_order",
		"it should be connection, account_transfer, account_closing or hotline_order")
}

// IsApplicantKind judges a value of a table of kinds of applicants.
func IsApplicantKind(value string) error {
	if value == person || value == organisation {
		return nil
	}
	return refuse("应为 organisation 或 person", "it should be organisation or person")
}

const person, organisation = "person", "organisation"

// IsTruth judges a value of a table of truths.
func IsTruth(value string) error {
	if value == yes || value == no {
		return nil
	}
	return refuse("应为 yes 或 no，并加引号", "it should be yes or no, in quotes")
}

const yes, no = "yes", "no"

// IsDiameter judges a value of a table of diameters, in millimetres.
func IsDiameter(value string) error {
	if slices.ContainsFunc(casework.Diameters(), func(d int) bool { return fmt.Sprint(d) == value }) {
		return nil
	}
	return refuse(fmt.Sprintf("口径应为：%v 毫米", casework.Diameters()), fmt.Sprintf("a diameter is one of %v mm", casework.Diameters()))
}

// IsText accepts whatever is not empty.
func IsText(value string) error {
	if strings.TrimSpace(value) == "" {
		return refuse("不能为空", "it must not be empty")
	}
	return nil
}
