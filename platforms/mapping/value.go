package mapping

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/curbstop/curbstop/casework"
)

// WholeMessage is the Field of a fault that concerns a message as a whole.
const WholeMessage = "整条消息"

// maxDepth bounds how deep a message nests. Real ones nest five deep.
const maxDepth = 32

type kind int

const (
	nothing kind = iota // null
	text
	number
	truth
	object
	list
)

// Value is a message, or a part of one, as its sender wrote it. It remembers
// which of its parts were understood, so that the rest can be kept.
type Value struct {
	kind  kind
	text  string   // of a scalar: the text, or a number as it was written
	keys  []string // of an object, in the order in which they were sent
	parts []*Value // of an object or a list
	read  bool     // a field of ours was read from it
	spent bool     // what it says stands elsewhere in full, such as in an attachment
}

// ParseJSON takes a message apart. What JSON would lose in silence is refused:
// a key that stands twice, bytes that are no characters, anything behind the
// end.
func ParseJSON(body []byte) (*Value, error) {
	if !utf8.Valid(body) {
		return nil, whole(casework.Say("内容不是 UTF-8 编码", "the message is not in UTF-8"))
	}
	body = bytes.TrimPrefix(body, []byte("\uFEFF"))
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	v, err := parse(d, "", 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, whole(casework.Say("JSON 之后还有别的内容", "something follows after the JSON"))
	}
	return v, nil
}

// ParseObject is [ParseJSON] for a message that must be an object.
func ParseObject(body []byte) (*Value, error) {
	v, err := ParseJSON(body)
	if err == nil && v.kind != object {
		return nil, whole(casework.Say("内容应为 JSON 对象 {…}", "the message should be a JSON object {…}"))
	}
	return v, err
}

func whole(t casework.Text) error { return Faulty(WholeMessage, t) }

// Faulty is the fault of a message in which one field is wrong.
func Faulty(field string, t casework.Text) error {
	var c casework.Check
	c.Field(field, t)
	return notUnderstood(&c)
}

// notUnderstood words a fault for the sender of a message.
func notUnderstood(c *casework.Check) error {
	f, ok := errors.AsType[*casework.Fault](c.Err())
	if !ok {
		return nil
	}
	f.Code = "message_not_understood"
	f.Text = casework.Say("来件有无法识别的内容，已留存待人工处理；请见各字段", "parts of the message were not understood; it is kept for a person; see each field")
	return f
}

func parse(d *json.Decoder, path string, depth int) (*Value, error) {
	token, err := d.Token()
	if err != nil {
		return nil, whole(casework.Sayf("不是有效的 JSON（第 %d 字节附近）", "not valid JSON (near byte %d)", d.InputOffset()))
	}
	if depth > maxDepth {
		return nil, whole(casework.Sayf("嵌套超过 %d 层", "nested more than %d deep", maxDepth))
	}
	switch t := token.(type) {
	case string:
		// A lone surrogate and a replacement character alike: whoever wrote the
		// message had damaged it already.
		if strings.ContainsRune(t, utf8.RuneError) {
			return nil, Faulty(named(path), damaged)
		}
		return &Value{kind: text, text: t}, nil
	case json.Number:
		return &Value{kind: number, text: t.String()}, nil
	case bool:
		return &Value{kind: truth, text: strconv.FormatBool(t)}, nil
	case json.Delim:
		if t == '[' {
			return parseList(d, path, depth)
		}
		return parseObject(d, path, depth)
	}
	return &Value{kind: nothing}, nil
}

var damaged = casework.Say("有无法识别的字符（�）", "it has characters that could not be read (�)")

func named(path string) string {
	if path == "" {
		return WholeMessage
	}
	return path
}

func parseList(d *json.Decoder, path string, depth int) (*Value, error) {
	v := &Value{kind: list}
	for d.More() {
		part, err := parse(d, fmt.Sprintf("%s[%d]", path, len(v.parts)), depth+1)
		if err != nil {
			return nil, err
		}
		v.parts = append(v.parts, part)
	}
	return v, closed(d)
}

func parseObject(d *json.Decoder, path string, depth int) (*Value, error) {
	v := &Value{kind: object}
	seen := map[string]bool{}
	for d.More() {
		key, err := parse(d, path, depth+1)
		if err != nil {
			return nil, err
		}
		at := Join(path, key.text)
		if seen[key.text] {
			return nil, Faulty(named(at), casework.Say("字段重复", "the field stands there twice"))
		}
		seen[key.text] = true
		part, err := parse(d, at, depth+1)
		if err != nil {
			return nil, err
		}
		v.keys, v.parts = append(v.keys, key.text), append(v.parts, part)
	}
	return v, closed(d)
}

func closed(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return whole(casework.Sayf("不是有效的 JSON（第 %d 字节附近）", "not valid JSON (near byte %d)", d.InputOffset()))
	}
	return nil
}

// Join puts a key below a path.
func Join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// ParseForm takes a form apart (application/x-www-form-urlencoded). One of its
// fields may hold JSON that was sent without encoding: then everything from
// its first brace to the end of the JSON is its value, whatever stands in it.
func ParseForm(body []byte, jsonField string) (*Value, error) {
	v := &Value{kind: object}
	rest := string(bytes.TrimSpace(body))
	if !utf8.ValidString(rest) {
		return nil, whole(casework.Say("内容不是 UTF-8 编码", "the message is not in UTF-8"))
	}
	if raw, found := strings.CutPrefix(rest, jsonField+"="); found && jsonField != "" && strings.HasPrefix(raw, "{") {
		d := json.NewDecoder(strings.NewReader(raw))
		d.UseNumber()
		part, err := parse(d, jsonField, 1)
		if err != nil {
			return nil, err
		}
		v.keys, v.parts = []string{jsonField}, []*Value{part}
		rest = raw[d.InputOffset():]
		if rest != "" && rest[0] != '&' {
			return nil, whole(casework.Sayf("%s 的 JSON 之后还有别的内容", "something follows after the JSON of %s", jsonField))
		}
		rest = strings.TrimPrefix(rest, "&")
	}
	values, err := url.ParseQuery(rest)
	if err != nil {
		return nil, whole(casework.Say("不是有效的表单", "not a valid form"))
	}
	for _, key := range slices.Sorted(keysOf(values)) {
		if err := v.addField(key, values[key]); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func keysOf[V any](m map[string]V) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// Form makes an object of the fields of a form that was taken apart already.
func Form(fields map[string][]string) (*Value, error) {
	v := &Value{kind: object}
	for _, key := range slices.Sorted(keysOf(fields)) {
		if err := v.addField(key, fields[key]); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (v *Value) addField(key string, values []string) error {
	if len(values) != 1 || slices.Contains(v.keys, key) {
		return Faulty(named(key), casework.Say("字段重复", "the field stands there twice"))
	}
	for _, s := range []string{key, values[0]} {
		if !utf8.ValidString(s) || strings.ContainsRune(s, utf8.RuneError) {
			return Faulty(named(key), damaged)
		}
	}
	v.keys, v.parts = append(v.keys, key), append(v.parts, &Value{kind: text, text: values[0]})
	return nil
}

// TextOf is a text.
func TextOf(s string) *Value { return &Value{kind: text, text: s} }

// At finds a part by the sender's own path: the name of a field, or names
// joined by dots. A name may itself hold dots. Letter case decides only where
// two fields differ in nothing else. It is nil where there is no such part.
func (v *Value) At(path string) *Value {
	if v == nil || v.kind != object {
		return nil
	}
	if part := v.field(path); part != nil {
		return part
	}
	for i := range len(path) {
		if path[i] == '.' {
			if part := v.field(path[:i]).At(path[i+1:]); part != nil {
				return part
			}
		}
	}
	return nil
}

func (v *Value) field(key string) *Value {
	i := slices.Index(v.keys, key)
	if i < 0 {
		i = slices.IndexFunc(v.keys, func(k string) bool { return strings.EqualFold(k, key) })
	}
	if i < 0 {
		return nil
	}
	return v.parts[i]
}

// Items are the items of a list; a single value that is no list is a list of
// one, as some senders write it.
func (v *Value) Items() []*Value {
	switch {
	case v == nil || v.kind == nothing:
		return nil
	case v.kind == list:
		return v.parts
	}
	return []*Value{v}
}

// Fields are the names of an object's fields in the order in which they were sent.
func (v *Value) Fields() []string {
	if v == nil {
		return nil
	}
	return slices.Clone(v.keys)
}

// Text is a scalar as it was written, trimmed; empty for anything else.
func (v *Value) Text() string {
	if v == nil || v.kind == object || v.kind == list {
		return ""
	}
	return strings.TrimSpace(v.text)
}

// Scalar tells whether v is a text, a number or a truth.
func (v *Value) Scalar() bool { return v != nil && v.kind >= text && v.kind <= truth }

// Silent tells whether v says nothing: it is missing, null, blank, or holds
// nothing that says something.
func (v *Value) Silent() bool {
	if v == nil || v.kind == nothing {
		return true
	}
	if v.kind == object || v.kind == list {
		return !slices.ContainsFunc(v.parts, func(p *Value) bool { return !p.Silent() })
	}
	return strings.TrimSpace(v.text) == ""
}

// Spend marks v as standing elsewhere in full.
func (v *Value) Spend() {
	if v != nil {
		v.spent = true
	}
}

// Unfold replaces a text by the JSON that it holds. Where it holds none v
// stays as it is, and the answer is an error.
func (v *Value) Unfold() error {
	if v == nil || v.kind != text {
		return whole(casework.Say("应为含 JSON 的文字", "it should be a text that holds JSON"))
	}
	inner, err := ParseJSON([]byte(v.text))
	if err != nil {
		return err
	}
	*v = *inner
	return nil
}

// UnfoldBase64 is [Value.Unfold] for JSON in Base64.
func (v *Value) UnfoldBase64() error {
	plain, err := base64.StdEncoding.DecodeString(v.Text())
	if err != nil || v.Text() == "" {
		return whole(casework.Say("不是有效的 Base64", "not valid Base64"))
	}
	inner, err := ParseJSON(plain)
	if err != nil {
		return err
	}
	*v = *inner
	return nil
}

// Unescape decodes every text below v that was written with percent signs, as
// in an address.
func (v *Value) Unescape() {
	if v == nil {
		return
	}
	if plain, err := url.QueryUnescape(v.text); v.kind == text && strings.Contains(v.text, "%") && err == nil && utf8.ValidString(plain) && !strings.ContainsRune(plain, utf8.RuneError) {
		v.text = plain
	}
	for _, p := range v.parts {
		p.Unescape()
	}
}

// MarshalJSON writes v as it was sent.
func (v *Value) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	v.write(&b)
	return b.Bytes(), nil
}

func (v *Value) write(b *bytes.Buffer) {
	switch v.kind {
	case nothing:
		b.WriteString("null")
	case text:
		writeText(b, v.text)
	case number, truth:
		b.WriteString(v.text)
	case list:
		b.WriteByte('[')
		for i, p := range v.parts {
			if i > 0 {
				b.WriteByte(',')
			}
			p.write(b)
		}
		b.WriteByte(']')
	case object:
		b.WriteByte('{')
		for i, p := range v.parts {
			if i > 0 {
				b.WriteByte(',')
			}
			writeText(b, v.keys[i])
			b.WriteByte(':')
			p.write(b)
		}
		b.WriteByte('}')
	}
}

func writeText(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) //nolint:errchkjson // a string can be encoded always
	b.Truncate(b.Len() - 1)
}

// rest is what is left of v once everything that was read word by word is
// taken away: what was never read, and what was read otherwise than it stands
// there. It is nil where nothing is left.
func (v *Value) rest(said map[string]bool) *Value {
	if v.spent || v.Silent() {
		return nil
	}
	if v.kind != object && v.kind != list {
		if v.read && said[strings.TrimSpace(v.text)] {
			return nil
		}
		return v
	}
	left := &Value{kind: v.kind}
	for i, p := range v.parts {
		r := p.rest(said)
		if r == nil {
			continue
		}
		left.parts = append(left.parts, r)
		if v.kind == object {
			left.keys = append(left.keys, v.keys[i])
		}
	}
	if len(left.parts) == 0 {
		return nil
	}
	return left
}

// Rest gives what a message says beyond what an item of ours says word by
// word, under the sender's own names: for its Extra. Fields that say nothing
// (null, blank) are not kept.
func (v *Value) Rest(item any) map[string]json.RawMessage {
	said := map[string]bool{}
	if written, err := json.Marshal(item); err == nil {
		if ours, err := ParseJSON(written); err == nil {
			ours.gather(said)
		}
	}
	left := v.rest(said)
	if left == nil {
		return nil
	}
	extra := map[string]json.RawMessage{}
	if left.kind != object {
		left = &Value{kind: object, keys: []string{WholeMessage}, parts: []*Value{left}}
	}
	for i, p := range left.parts {
		extra[left.keys[i]], _ = p.MarshalJSON()
	}
	return extra
}

func (v *Value) gather(said map[string]bool) {
	if v.Scalar() {
		said[strings.TrimSpace(v.text)] = true
	}
	for _, p := range v.parts {
		p.gather(said)
	}
}
