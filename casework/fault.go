package casework

import (
	"errors"
	"fmt"
	"strings"
)

// FaultKind says what sort of refusal a [Fault] is. One table in the api
// package maps kinds to HTTP.
type FaultKind string

// The kinds of fault, from the caller's mistakes to ours.
const (
	Invalid      FaultKind = "invalid"      // the input is wrong; Fields says where
	Unauthorised FaultKind = "unauthorised" // nobody knows who is asking
	Forbidden    FaultKind = "forbidden"    // who is asking may not do this
	NotFound     FaultKind = "not_found"    // there is no such thing, or not for this person
	Conflict     FaultKind = "conflict"     // not in this state; the text says what is allowed now
	Gone         FaultKind = "gone"         // it was there and has ended
	TooLarge     FaultKind = "too_large"    // the body or file exceeds its limit
	Unsupported  FaultKind = "unsupported"  // a file or body of a kind that is not accepted
	Unavailable  FaultKind = "unavailable"  // try again later; nothing was lost
	Internal     FaultKind = "internal"     // our mistake; the cause stays in the log
)

// Text is a sentence for people, Chinese first with English beside it.
type Text struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

// Say builds a Text.
func Say(zh, en string) Text { return Text{ZH: zh, EN: en} }

// Sayf builds a Text whose two sentences take the same arguments; use %[n]v
// where their order differs.
func Sayf(zh, en string, args ...any) Text {
	return Text{ZH: fmt.Sprintf(zh, args...), EN: fmt.Sprintf(en, args...)}
}

// String gives both sentences, Chinese first.
func (t Text) String() string { return t.ZH + " " + t.EN }

// FieldFault points at one input that is wrong.
type FieldFault struct {
	Field string `json:"field"` // path in the input, such as "meter.serial"
	Text
}

// Fault is a refusal that a clerk understands. It is the only error type that
// may reach a client; every other error is [Internal] and stays in the log.
type Fault struct {
	Kind   FaultKind    `json:"kind"`
	Code   string       `json:"code"` // stable name for programs, such as "task_already_done"
	Text                // what is wrong and what is allowed
	Rule   string       `json:"rule,omitempty"`   // the measure, law or standard behind the refusal
	Fields []FieldFault `json:"fields,omitempty"` // for Invalid: every field that is wrong, not only the first
}

// Error implements error with the Chinese and the English sentence.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.Text.String())
	for _, field := range f.Fields {
		fmt.Fprintf(&b, "; %s: %s", field.Field, field.Text.String())
	}
	return b.String()
}

// Refuse builds a Fault of a kind.
func Refuse(kind FaultKind, code string, text Text) *Fault {
	return &Fault{Kind: kind, Code: code, Text: text}
}

// AsFault finds the Fault in an error's chain. Anything else becomes an
// Internal fault that says nothing of its cause.
func AsFault(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	return Refuse(Internal, "internal", Say("系统内部错误，请稍后重试", "internal error, please try again later"))
}

// Check collects the faults of an input field by field, so that a clerk sees
// all of them at once.
type Check struct{ fields []FieldFault }

// Field records a fault of a field.
func (c *Check) Field(field string, text Text) {
	c.fields = append(c.fields, FieldFault{Field: field, Text: text})
}

// Require records a fault where ok is false.
func (c *Check) Require(ok bool, field string, text Text) {
	if !ok {
		c.Field(field, text)
	}
}

// Nested takes over the field faults of err below a prefix. Any other error is
// recorded at the prefix itself.
func (c *Check) Nested(prefix string, err error) {
	if err == nil {
		return
	}
	var f *Fault
	if errors.As(err, &f) && len(f.Fields) > 0 {
		for _, field := range f.Fields {
			c.Field(prefix+"."+field.Field, field.Text)
		}
		return
	}
	if f != nil {
		c.Field(prefix, f.Text)
		return
	}
	c.Field(prefix, Sayf("无法识别：%v", "not understood: %v", err))
}

// Err is nil, or an Invalid fault with every field that was recorded.
func (c *Check) Err() error {
	if len(c.fields) == 0 {
		return nil
	}
	return &Fault{
		Kind: Invalid, Code: "invalid_input",
		Text:   Say("填报内容有误，请按提示修改", "the input is not valid; see each field"),
		Fields: c.fields,
	}
}
