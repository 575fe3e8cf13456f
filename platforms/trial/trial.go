// Package trial is for the tests of adapters: what every adapter must hold to,
// whatever it is sent, and golden files of what it understood.
package trial

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
)

// ReceivedAt is when the messages of trials arrive.
var ReceivedAt = time.Date(2026, 11, 24, 10, 0, 0, 0, time.FixedZone("CST", 8*3600))

// Message is one that arrives at a kind.
func Message(kind, contentType string, body []byte) platforms.Message {
	return platforms.Message{ID: "M1", Sender: "trial", Kind: kind, ContentType: contentType, Body: body, ReceivedAt: ReceivedAt}
}

// JSON is a message with a JSON body.
func JSON(kind string, body any) platforms.Message {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return Message(kind, "application/json", b)
}

// Sample reads a part of a file of sample messages, by the names of fields
// and, in lists, places on the way to it. Notes, whose names begin with _, are
// taken out.
func Sample(t testing.TB, file string, path ...any) map[string]any {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	require.NoError(t, d.Decode(&v))
	for _, p := range path {
		if i, ok := p.(int); ok {
			v = v.([]any)[i] //nolint:errcheck // a test stops at the panic
			continue
		}
		v = v.(map[string]any)[p.(string)] //nolint:errcheck // a test stops at the panic
	}
	require.NotNil(t, v, "%v", path)
	return withoutNotes(v).(map[string]any) //nolint:errcheck // a test stops at the panic
}

func withoutNotes(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, part := range v {
			if strings.HasPrefix(key, "_") {
				delete(v, key)
				continue
			}
			v[key] = withoutNotes(part)
		}
	case []any:
		for i, part := range v {
			v[i] = withoutNotes(part)
		}
	}
	return v
}

// With is a copy of a message in which fields have other values. A name may
// hold dots for nested objects.
func With(message map[string]any, replace ...any) map[string]any {
	b, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var other map[string]any
	if err := d.Decode(&other); err != nil {
		panic(err)
	}
	for pair := range slices.Chunk(replace, 2) {
		in, names := other, strings.Split(pair[0].(string), ".") //nolint:errcheck // a test stops at the panic
		for _, n := range names[:len(names)-1] {
			in = in[n].(map[string]any) //nolint:errcheck // a test stops at the panic
		}
		if pair[1] == Missing {
			delete(in, names[len(names)-1])
			continue
		}
		in[names[len(names)-1]] = pair[1]
	}
	return other
}

// Missing takes a field out of a message.
var Missing = any(new(struct{ missing bool }))

// Refused gives the names of the fields for which a message is kept, or none
// if it was understood.
func Refused(t testing.TB, a platforms.Adapter, m platforms.Message) []string {
	t.Helper()
	items, err := a.Read(m)
	HoldsTo(t, m, items, err)
	if err == nil {
		return nil
	}
	var fields []string
	for _, f := range casework.AsFault(err).Fields {
		fields = append(fields, f.Field)
	}
	return fields
}

// Understood reads a message that must be understood.
func Understood(t testing.TB, a platforms.Adapter, m platforms.Message) []platforms.Item {
	t.Helper()
	items, err := a.Read(m)
	HoldsTo(t, m, items, err)
	require.NoError(t, err)
	return items
}

// HoldsTo checks what every adapter promises of every message: what is not
// understood names its fields; what is understood is valid and has a key; and
// everything that the message says stands in the items, in their Extra or
// their attachments. A message that asks for nothing is kept whole by itself.
func HoldsTo(t testing.TB, m platforms.Message, items []platforms.Item, err error) {
	t.Helper()
	if err != nil {
		f, ok := errors.AsType[*casework.Fault](err)
		require.True(t, ok, "the error is no fault: %v", err)
		require.Equal(t, casework.Invalid, f.Kind)
		require.NotEmpty(t, f.Fields)
		for _, field := range f.Fields {
			require.NotEmpty(t, field.Field)
			require.NotEmpty(t, field.ZH)
			require.NotEmpty(t, field.EN)
		}
		require.Empty(t, items, "a message is taken up whole or kept whole")
		return
	}
	for _, item := range items {
		valid(t, item)
	}
	if len(items) == 0 {
		return
	}
	said := says(t, items)
	for _, leaf := range leaves(m) {
		assert.True(t, leaf.within(said), "%s is lost: %q", leaf.path, leaf.text)
	}
}

func valid(t testing.TB, item platforms.Item) {
	t.Helper()
	require.NotEmpty(t, item.Key)
	set := 0
	for _, is := range []bool{item.Intake != nil, item.Service != nil, item.Rating != nil, item.Withdraw != nil, item.Visit != nil, item.Papers != nil} {
		if is {
			set++
		}
	}
	require.Equal(t, 1, set, "an item asks for exactly one thing")
	switch {
	case item.Intake != nil:
		require.NotEmpty(t, item.Intake.Requests)
		var utilities []casework.Utility
		for _, q := range item.Intake.Requests {
			require.Equal(t, q.Normalise(), q, "a request is normalised")
			require.NoError(t, q.Validate())
			require.NotContains(t, utilities, q.Utility, "one request for each utility")
			utilities = append(utilities, q.Utility)
		}
	case item.Service != nil:
		require.True(t, item.Service.Utility.Valid())
		require.True(t, item.Service.Channel.Valid())
		require.NotEmpty(t, item.Service.Service)
		if item.Service.District != "" {
			require.NoError(t, item.Service.District.Check())
		}
	case item.Rating != nil:
		require.NotEmpty(t, item.Rating.External)
		require.True(t, item.Rating.Stars >= 1 && item.Rating.Stars <= 5, "stars: %d", item.Rating.Stars)
		require.False(t, item.Rating.Stars < 3 && len(item.Rating.Tags) == 0 && item.Rating.Text == "", "a bad rating says why")
	case item.Withdraw != nil:
		require.NotEmpty(t, item.Withdraw.External)
	case item.Visit != nil:
		require.NotEmpty(t, item.Visit.External)
	case item.Papers != nil:
		require.NotEmpty(t, item.Attachments)
	}
	for _, a := range item.Attachments {
		require.Contains(t, casework.BroughtKinds(), a.Kind)
		require.True(t, len(a.Content) > 0 || a.Reference != "" || a.Upload != "", "an attachment has a file, or says where it lies")
	}
}

// says gathers every text that the items hold.
func says(t testing.TB, items []platforms.Item) map[string]bool {
	t.Helper()
	said := map[string]bool{}
	b, err := json.Marshal(items)
	require.NoError(t, err)
	for _, l := range leavesOf("", decode(b)) {
		said[l.text] = true
	}
	for _, item := range items {
		for _, a := range item.Attachments {
			content := base64.StdEncoding.EncodeToString(a.Content)
			said[content], said[a.ContentType+";base64,"+content] = true, true
			said["data:"+a.ContentType+";base64,"+content] = true
		}
	}
	return said
}

type leaf struct{ path, text string }

// within tells whether a leaf stands among what was said, as it is, or, if it
// holds a message itself, in its parts.
func (l leaf) within(said map[string]bool) bool {
	if l.text == "" || said[l.text] {
		return true
	}
	// A file is in its bytes: Base64 may be broken into lines, and its type is
	// told by what is in it.
	if _, plain, typed := strings.Cut(l.text, ";base64,"); said[strings.NewReplacer("\r", "", "\n", "").Replace(cmp.Or(plain, l.text))] && (typed || strings.ContainsAny(l.text, "\r\n")) {
		return true
	}
	for _, inner := range opened(l.text) {
		parts := leavesOf(l.path, inner)
		if !slices.ContainsFunc(parts, func(p leaf) bool { return !p.within(said) }) {
			return true
		}
	}
	if plain, err := url.QueryUnescape(l.text); err == nil && plain != l.text {
		return said[strings.TrimSpace(plain)]
	}
	return false
}

// opened gives what a text holds if it is a message: JSON, or JSON in Base64.
func opened(text string) []any {
	var all []any
	tries := []string{text}
	if plain, err := base64.StdEncoding.DecodeString(text); err == nil {
		tries = append(tries, string(plain))
	}
	for _, s := range tries {
		if v := decode([]byte(s)); v != nil {
			switch v.(type) {
			case map[string]any, []any:
				all = append(all, v)
			}
		}
	}
	return all
}

func decode(b []byte) any {
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(b, []byte("\uFEFF"))))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil
	}
	return v
}

// leaves takes a message apart into what it says, without the code that is
// tried here.
func leaves(m platforms.Message) []leaf {
	if v := decode(m.Body); v != nil {
		return leavesOf("", v)
	}
	var all []leaf
	media, parameters, _ := mime.ParseMediaType(m.ContentType)
	if media == "multipart/form-data" {
		form, err := multipart.NewReader(bytes.NewReader(m.Body), parameters["boundary"]).ReadForm(1 << 24)
		if err != nil {
			return nil
		}
		for key, values := range form.Value {
			for _, v := range values {
				all = append(all, leaf{key, strings.TrimSpace(v)})
			}
		}
		return all
	}
	rest := strings.TrimSpace(string(m.Body))
	if raw, ok := strings.CutPrefix(rest, "data="); ok && strings.HasPrefix(raw, "{") {
		d := json.NewDecoder(strings.NewReader(raw))
		d.UseNumber()
		var v any
		if d.Decode(&v) == nil {
			all = leavesOf("data", v)
			rest = strings.TrimPrefix(raw[d.InputOffset():], "&")
		}
	}
	values, _ := url.ParseQuery(rest)
	for key, vs := range values {
		for _, v := range vs {
			all = append(all, leaf{key, strings.TrimSpace(v)})
		}
	}
	return all
}

func leavesOf(path string, v any) []leaf {
	var all []leaf
	switch v := v.(type) {
	case map[string]any:
		for key, part := range v {
			all = append(all, leavesOf(path+"."+key, part)...)
		}
	case []any:
		for i, part := range v {
			all = append(all, leavesOf(fmt.Sprintf("%s[%d]", path, i), part)...)
		}
	case string:
		all = append(all, leaf{path, strings.TrimSpace(v)})
	case json.Number:
		all = append(all, leaf{path, v.String()})
	case bool:
		all = append(all, leaf{path, fmt.Sprint(v)})
	}
	return all
}

// NothingIsLost puts a text that no table knows into each leaf of a message in
// turn, and a field that nobody knows beside it: each must be found again, or
// be named as what keeps the message.
func NothingIsLost(t *testing.T, message map[string]any, read func(message map[string]any) (platforms.Message, []platforms.Item, error)) {
	t.Helper()
	var names []string
	var walk func(prefix string, v map[string]any)
	walk = func(prefix string, v map[string]any) {
		names = append(names, prefix+"unknown_field")
		for key, part := range v {
			if inner, ok := part.(map[string]any); ok {
				walk(prefix+key+".", inner)
				continue
			}
			names = append(names, prefix+key)
		}
	}
	walk("", message)
	slices.Sort(names)
	for _, name := range names {
		const sentinel = "哨兵 7f3a"
		m, items, err := read(With(message, name, sentinel))
		HoldsTo(t, m, items, err)
		if err != nil {
			fields := casework.AsFault(err).Fields
			named := slices.ContainsFunc(fields, func(f casework.FieldFault) bool {
				return f.Field == name || strings.HasSuffix(f.Field, "."+name) || strings.HasSuffix(name, "."+f.Field)
			})
			assert.True(t, named, "%s was changed, but these are named: %v", name, fields)
			continue
		}
		assert.True(t, len(items) == 0 || says(t, items)[sentinel], "%s is lost", name)
	}
}

// Golden compares what an adapter made of a message, and what it answers, with
// a file under testdata. GOLDEN=1 writes the file anew.
func Golden(t *testing.T, name string, a platforms.Adapter, m platforms.Message) {
	t.Helper()
	items, err := a.Read(m)
	HoldsTo(t, m, items, err)
	out := struct {
		Items  []platforms.Item `json:",omitempty"`
		Fault  *casework.Fault  `json:",omitempty"`
		Answer string
		Again  string `json:",omitempty"`
	}{Items: items}
	outcome := platforms.Outcome{Message: m.ID, Numbers: []string{"W20261124-00001"}}
	if err != nil {
		out.Fault = casework.AsFault(err)
		outcome = platforms.Outcome{Message: m.ID, Fault: out.Fault}
	} else if len(items) == 0 {
		outcome.Numbers = nil
	}
	out.Answer = told(a.Reply(m, outcome))
	if err == nil && len(items) > 0 {
		outcome.Before = true
		out.Again = told(a.Reply(m, outcome))
	}
	compare(t, name, out)
}

func told(r platforms.Reply) string {
	return fmt.Sprintf("%d %s %s", r.Status, r.ContentType, r.Body)
}

// GoldenReports compares how every state is told with a file under testdata.
func GoldenReports(t *testing.T, name string, a platforms.Adapter, r platforms.Report) {
	t.Helper()
	out := map[string]any{}
	for i, state := range casework.Milestones() {
		r.N, r.State, r.At = i+1, state, ReceivedAt.Add(time.Duration(i)*time.Hour)
		o, told, err := a.Report(r)
		require.NoError(t, err)
		if !told {
			out[string(state)] = "not told"
			continue
		}
		out[string(state)] = map[string]any{
			"to": o.Method + " " + o.Path + o.Table, "as": o.ContentType, "header": o.Header, "body": string(o.Body), "row": o.Row,
		}
	}
	compare(t, name, out)
}

func compare(t *testing.T, name string, out any) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	require.NoError(t, e.Encode(out))
	file := filepath.Join("testdata", name+".golden.json")
	if os.Getenv("GOLDEN") != "" {
		require.NoError(t, os.WriteFile(file, b.Bytes(), 0o644)) //nolint:gosec // a file of the tests
	}
	golden, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(golden), b.String())
}

// Fuzz reads whatever comes, at the place of each of the seeds: a number beyond
// them counts round.
func Fuzz(f *testing.F, a platforms.Adapter, seeds ...platforms.Message) {
	f.Helper()
	for i, s := range seeds {
		f.Add(i, s.Body)
	}
	f.Fuzz(func(t *testing.T, i int, body []byte) {
		m := seeds[uint(i)%uint(len(seeds))]
		m.Body = body
		items, err := a.Read(m)
		HoldsTo(t, m, items, err)
		outcome := platforms.Outcome{Message: m.ID, Numbers: []string{"W20261124-00001"}}
		if err != nil {
			outcome = platforms.Outcome{Message: m.ID, Fault: casework.AsFault(err)}
		}
		r := a.Reply(m, outcome)
		require.GreaterOrEqual(t, r.Status, 200)
		require.True(t, utf8.Valid(r.Body))
	})
}
