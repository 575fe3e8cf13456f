package policy

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/curbstop/curbstop/casework"
)

// place is a field of the file and where it stands.
type place struct {
	path  string // such as ladder[0].before
	line  int
	key   *token.Token // nil for an item of a list
	value ast.Node
}

// places are the fields of a file in the order in which they stand.
type places []place

// locate finds the fields of a file, or says where it is no YAML.
func locate(text []byte) (places, error) {
	var where places
	var c casework.Check
	if !utf8.Valid(text) {
		before, _, _ := bytes.Cut(bytes.ToValidUTF8(text, []byte("\uFFFD")), []byte("\uFFFD"))
		line := 1 + bytes.Count(before, []byte("\n"))
		c.Field("", atLine(line, casework.Say("编码不是 UTF-8，请另存为 UTF-8", "not UTF-8; save the file as UTF-8")))
		return nil, c.Err()
	}
	file, err := parser.ParseBytes(text, 0)
	switch {
	case err != nil:
		line, field, say := 1, "", casework.Sayf("不是有效的 YAML：%[1]v", "not valid YAML: %[1]v", err)
		if e, ok := errors.AsType[*yaml.SyntaxError](err); ok && e.Token != nil {
			line, say = e.Token.Position.Line, casework.Sayf("不是有效的 YAML：%[1]s", "not valid YAML: %[1]s", e.Message)
			if strings.HasPrefix(e.Message, "mapping key") {
				field, say = e.Token.Value, casework.Say("字段重复", "the field stands here twice")
			}
		}
		c.Field(field, atLine(line, say))
	case len(file.Docs) == 0 || file.Docs[0].Body == nil:
		c.Field("", atLine(1, casework.Say("文件是空的", "the file is empty")))
	case len(file.Docs) > 1:
		c.Field("", atLine(file.Docs[1].Start.Position.Line, casework.Say("一个文件只写一份政策", "a file holds one policy")))
	default:
		where.walk("", file.Docs[0].Body)
	}
	return where, c.Err()
}

func (w *places) walk(path string, n ast.Node) {
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			w.walk(path, v)
		}
	case *ast.MappingValueNode:
		key := n.Key.GetToken()
		child := key.Value
		if path != "" {
			child = path + "." + child
		}
		*w = append(*w, place{path: child, line: key.Position.Line, key: key, value: n.Value})
		w.walk(child, n.Value)
	case *ast.SequenceNode:
		for i, v := range n.Values {
			child := fmt.Sprintf("%s[%d]", path, i)
			*w = append(*w, place{path: child, line: v.GetToken().Position.Line, value: v})
			w.walk(child, v)
		}
	case *ast.AnchorNode:
		w.walk(path, n.Value)
	case *ast.TagNode:
		w.walk(path, n.Value)
	}
}

// line gives the line of a field; where the field is missing, that of what it
// would stand in.
func (w places) line(path string) int {
	for path != "" {
		for _, p := range w {
			if p.path == path {
				return p.line
			}
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 1
}

// at gives the field that a token belongs to.
func (w places) at(t *token.Token) string {
	field := ""
	for _, p := range w {
		start := p.key
		if start == nil {
			start = p.value.GetToken()
		}
		if start.Position.Offset <= t.Position.Offset {
			field = p.path
		}
	}
	return field
}

// atLine puts the line before a sentence.
func atLine(line int, t casework.Text) casework.Text {
	return casework.Text{ZH: fmt.Sprintf("第 %d 行：%s", line, t.ZH), EN: fmt.Sprintf("line %d: %s", line, t.EN)}
}
