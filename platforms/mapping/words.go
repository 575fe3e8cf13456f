package mapping

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
)

// sources are what a report may tell.
var sources = []string{
	"external", "number", "case", "utility", "service", "n", "state", "at", "at.compact", "received", "accepted", "by", "note",
	"project", "project.investment", "account", "applicant.kind", "applicant.name", "applicant.credit_code", "applicant.resident_id",
	"contact.name", "contact.phone", "site.district", "site.region", "site.address",
}

// moments of the platforms are Asia/Shanghai, to the second.
const clock, compactClock = "2006-01-02 15:04:05", "20060102150405"

// investment is the code of an investment project (投资项目代码), which those of
// its parts (工程代码) go on from.
var investment = regexp.MustCompile(`^\d{4}-\d{6}-\d{2}-\d{2}-\d{6}`)

// source gives one thing that a report tells; empty where it is not known.
func source(r platforms.Report, name string) string {
	var q casework.Request
	if r.Request != nil {
		q = *r.Request
	}
	var s casework.ServiceRequest
	if r.Service != nil {
		s = *r.Service
	}
	switch name {
	case "external":
		return r.External
	case "number":
		return r.Number
	case "case":
		return r.Case
	case "utility":
		return string(r.Utility)
	case "service":
		// Platforms name what was asked for in one word, water and gas apart.
		return string(r.Utility) + "/" + string(cmp.Or(s.Service, casework.ConnectionCase))
	case "n":
		return fmt.Sprint(r.N)
	case "state":
		return string(r.State)
	case "at":
		return clocked(r.At)
	case "received":
		return clocked(r.Received)
	case "accepted":
		return clocked(r.Accepted)
	case "at.compact":
		return r.At.In(calendar.Shanghai).Format(compactClock)
	case "by":
		return r.By
	case "note":
		return r.Note.ZH
	case "project":
		return q.Project
	case "project.investment":
		// The code of a part of a project begins with that of the project.
		return investment.FindString(q.Project)
	case "account":
		return s.Account
	case "applicant.kind":
		switch {
		case r.Request == nil:
			return ""
		case q.Applicant.Person:
			return person
		}
		return organisation
	case "applicant.name":
		return q.Applicant.Name
	case "applicant.credit_code":
		return q.Applicant.CreditCode
	case "applicant.resident_id":
		// Known only of who changes or gives up an account.
		return cmp.Or(s.NewHolder.ResidentID, s.Holder.ResidentID)
	case "contact.name":
		return q.Contact.Name
	case "contact.phone":
		return q.Contact.Phone
	case "site.district":
		return district(q, s)
	case "site.region":
		// Platforms of the province know a district by twelve digits.
		if d := district(q, s); d != "" {
			return d + "000000"
		}
	case "site.address":
		return cmp.Or(q.Site.Address, s.Address)
	}
	if field, ok := strings.CutPrefix(name, "extra."); ok {
		if v := kept(q.Extra, field); v != "" {
			return v
		}
		return kept(s.Extra, field)
	}
	return ""
}

func clocked(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.In(calendar.Shanghai).Format(clock)
}

// district is where the thing is; a service that names no district is the whole
// city's, which is none that a platform knows.
func district(q casework.Request, s casework.ServiceRequest) string {
	d := cmp.Or(q.Site.District, s.District)
	if d == casework.AllDistricts {
		return ""
	}
	return string(d)
}

// kept finds a field of the sender's own that was kept with the request.
func kept(extra map[string]json.RawMessage, path string) string {
	first, rest, nested := strings.Cut(path, ".")
	raw, ok := extra[path]
	if !ok && nested {
		raw, ok = extra[first]
	}
	if !ok {
		return ""
	}
	v, err := ParseJSON(raw)
	if err != nil {
		return ""
	}
	if _, whole := extra[path]; !whole {
		v = v.At(rest)
	}
	return v.Text()
}

// Report words a report by the first of the layouts, in their order in names,
// that tells of its state: the fields of theirs, in the order of the file. It
// is false where none does.
func (f *File) Report(r platforms.Report, names ...string) (Worded, bool) {
	for _, name := range names {
		l, ok := f.layouts[name]
		if !ok || !slices.Contains(l.States, r.State) {
			continue
		}
		w := Worded{Layout: name, Path: l.Path}
		for _, field := range l.order {
			value, constant := l.Always[field]
			for _, s := range l.Fields[field] {
				said := source(r, s)
				if s == "state" {
					said = f.codes[field][said]
				} else if table, ok := f.codes[field]; ok {
					if code, known := table[fold(said)]; known {
						said = code
					}
				}
				if said != "" {
					value, constant = said, true
					break
				}
			}
			w.Fields = append(w.Fields, WordedField{field, value, constant || value != ""})
		}
		return w, true
	}
	return Worded{}, false
}

// Worded is a report in the platform's words.
type Worded struct {
	Layout string
	Path   string
	Fields []WordedField
}

// WordedField is one field of theirs.
type WordedField struct {
	Name  string
	Value string
	Said  bool // false where we have nothing to say
}

// Get gives a field's value.
func (w Worded) Get(name string) string {
	for _, f := range w.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// Object gives the fields as a JSON object; a name with dots stands for nested
// objects. The numbers are the names of fields that hold no text but a number.
func (w Worded) Object(numbers ...string) *Value {
	root := &Value{kind: object}
	for _, f := range w.Fields {
		root.put(f.Name, f.Value)
		if slices.Contains(numbers, f.Name) && wholeNumber.MatchString(f.Value) {
			root.At(f.Name).kind = number
		}
	}
	return root
}

var wholeNumber = regexp.MustCompile(`^(?:0|[1-9]\d{0,14})$`)

// Set puts a text at a path, in objects that are made where they are missing.
func (v *Value) Set(path, said string) *Value {
	v.put(path, said)
	return v
}

// SetEmptyList puts a list without items at a path.
func (v *Value) SetEmptyList(path string) *Value {
	v.put(path, "")
	*v.At(path) = Value{kind: list}
	return v
}

// NewObject is an object without fields.
func NewObject() *Value { return &Value{kind: object} }

func (v *Value) put(path, said string) {
	key, rest, nested := strings.Cut(path, ".")
	i := slices.Index(v.keys, key)
	if i < 0 {
		v.keys, v.parts = append(v.keys, key), append(v.parts, &Value{kind: nothing})
		i = len(v.keys) - 1
	}
	if !nested {
		v.parts[i] = &Value{kind: text, text: said}
		return
	}
	if v.parts[i].kind != object {
		v.parts[i] = &Value{kind: object}
	}
	v.parts[i].put(rest, said)
}

// JSON is a message with a JSON body.
func (w Worded) JSON(body *Value) platforms.Outgoing {
	b, _ := body.MarshalJSON() // it is made of texts
	return platforms.Outgoing{Method: "POST", Path: w.Path, ContentType: "application/json", Body: b}
}

// Answer is the name of the layout that says where a platform's answer to a
// report holds its code; AnswerFields are those that it may map. Which codes
// mean that the report was taken stands in the table of the same name.
const Answer = "answer"

// AnswerFields are the fields of [Answer].
func AnswerFields() []string { return []string{"code!", "message"} }

// IsTaken judges a value of the table of answers.
func IsTaken(value string) error {
	if value == "taken" || value == "refused" {
		return nil
	}
	return refuse("应为 taken 或 refused", "it should be taken or refused")
}

// Judge tells from a platform's answer whether it took a report: by HTTP, and
// by the code in the answer. An empty answer with a good status counts as
// taken; one whose code is not in the table does not, so that it shows.
func (f *File) Judge(status int, body []byte) error {
	if status < 200 || status > 299 {
		return fmt.Errorf("the platform answered with HTTP status %d", status)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if _, ok := f.layouts[Answer]; !ok {
		return nil
	}
	v, err := ParseObject(body)
	if err != nil {
		return errors.New("the platform's answer can't be read")
	}
	r := f.Read(Answer, v)
	code := r.Text("code")
	if r.value("code").Scalar() {
		code = r.value("code").Text() // true and false are codes too
	}
	if code == "" {
		return errors.New("the platform's answer has no code")
	}
	if meaning, _ := f.Code(Answer, code); meaning != "taken" {
		return fmt.Errorf("the platform answered with code %q: %s", code, r.Text("message"))
	}
	return nil
}

// Said is what a sender is told of its message, in one Chinese sentence: the
// numbers under which it was taken up, or what is wrong with it field by field.
func Said(m platforms.Message, o platforms.Outcome) string {
	switch {
	case o.Fault != nil:
		var b strings.Builder
		b.WriteString(o.Fault.ZH)
		for i, f := range o.Fault.Fields {
			if i == 0 {
				b.WriteString("：")
			} else {
				b.WriteString("；")
			}
			fmt.Fprintf(&b, "%s %s", f.Field, f.ZH)
		}
		fmt.Fprintf(&b, "（编号 %s）", m.ID)
		return b.String()
	case len(o.Numbers) > 0 && o.Before:
		return "此前已接收，办件编号 " + strings.Join(o.Numbers, "、")
	case len(o.Numbers) > 0:
		return "已接收，办件编号 " + strings.Join(o.Numbers, "、")
	}
	return "已接收"
}

// ReplySettings are the settings that say how a reply is worded, with the
// adapter's own besides: the names of the fields for code, sentence and number
// (dots stand for nested objects), and the codes for good and bad.
func ReplySettings(besides map[string]func(string) error) map[string]func(string) error {
	settings := map[string]func(string) error{
		"reply.code": IsText, "reply.message": IsText, "reply.number": IsText, "reply.ok": IsText, "reply.failed": IsText,
	}
	maps.Copy(settings, besides)
	return settings
}

// RepliesOf are the settings of [ReplySettings] for layouts that are answered
// each in its own way: the name of the layout stands before them.
func RepliesOf(layouts ...string) map[string]func(string) error {
	settings := map[string]func(string) error{}
	for _, l := range layouts {
		for name, judge := range ReplySettings(nil) {
			settings[l+"."+name] = judge
		}
	}
	return settings
}

// Reply words an answer by the settings of [ReplySettings].
func (f *File) Reply(o platforms.Outcome, said string) platforms.Reply { return f.ReplyAs("", o, said) }

// ReplyAs is Reply for a layout that is answered in its own way.
func (f *File) ReplyAs(layout string, o platforms.Outcome, said string) platforms.Reply {
	setting := func(name, otherwise string) string {
		return f.Setting(Join(layout, name), f.Setting(name, otherwise))
	}
	body := NewObject()
	code := setting("reply.ok", "200")
	if o.Fault != nil {
		code = setting("reply.failed", "500")
	}
	body.put(setting("reply.code", "code"), code)
	body.put(setting("reply.message", "msg"), said)
	if len(o.Numbers) > 0 {
		body.put(setting("reply.number", "data.number"), strings.Join(o.Numbers, ","))
	}
	return JSONReply(body)
}

// JSONReply is a reply with a JSON body. Platforms of this kind tell failures in
// the body alone: the HTTP status says that the message arrived.
func JSONReply(body *Value) platforms.Reply {
	b, _ := body.MarshalJSON() // it is made of texts
	return platforms.Reply{Status: 200, ContentType: "application/json; charset=utf-8", Body: b}
}
