// Package hotline speaks with 12345: work orders come in, answers go out, and
// the outcome of the visit to the caller comes back. Every city has its own
// layout, so the mapping says which.
package hotline

import (
	_ "embed" // the default mapping
	"strconv"
	"strings"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/mapping"
)

//go:embed wuhu.yaml
var wuhu []byte

// The layouts of a mapping file.
const (
	order = "order" // a work order
	grid  = "grid"  // a work order as the grid platforms of some cities send it
	visit = "visit" // the outcome of a visit
	reply = "reply" // told: the answer
)

// Adapter reads and answers the messages of 12345.
type Adapter struct{ file *mapping.File }

var _ platforms.Adapter = (*Adapter)(nil)

// New makes the adapter; without a mapping file it has Wuhu's.
func New(file []byte) (*Adapter, error) {
	if file == nil {
		file = wuhu
	}
	fields := []string{
		"key!", "utility!", "account", "site.district", "site.address", "reason", "title", "content!", "question",
		"caller.name", "caller.phone", "called_at", "reply_by", "urgent", "secret", "position", "longitude", "latitude", "attachments",
	}
	f, err := mapping.Parse(file, mapping.Shape{
		Messages: map[string][]string{
			order: fields, grid: fields, visit: {"key!", "round", "unreached", "satisfied!", "solved", "note", "at"},
			mapping.Material: mapping.MaterialFields(), mapping.Answer: mapping.AnswerFields(),
		},
		Reports:  []string{reply},
		Codes:    mapping.RequestCodes(map[string]func(string) error{"urgent": mapping.IsTruth, mapping.Answer: mapping.IsTaken}),
		Settings: mapping.ReplySettings(nil),
	})
	if err != nil {
		return nil, err
	}
	return &Adapter{f}, nil
}

// Read implements [platforms.Adapter].
func (a *Adapter) Read(m platforms.Message) ([]platforms.Item, error) {
	layout, ok := a.file.LayoutOf(m.Kind)
	if !ok {
		return nil, a.file.UnknownKind(m.Kind)
	}
	root, err := mapping.ParseObject(m.Body)
	if err != nil {
		return nil, err
	}
	r := a.file.Read(layout, root)
	var item platforms.Item
	var asks bool
	if layout == visit {
		item, asks = readVisit(r)
	} else {
		item, asks = readOrder(r), true
	}
	if err := r.Err(); err != nil || !asks {
		return nil, err
	}
	if item.Notes = r.Notes(); item.Service != nil {
		item.Service.Extra = r.Extra(item)
	} else {
		item.Extra = r.Extra(item)
	}
	return []platforms.Item{item}, nil
}

// maxContent is how much a caller's words may be, in characters.
const maxContent = 5000

func readOrder(r *mapping.Reading) platforms.Item {
	s := r.Account(casework.OrderCase, casework.Hotline12345)
	o := casework.HotlineOrder{
		Title: r.Text("title"), Content: r.Required("content"), Question: r.Text("question"),
		Caller:   casework.Contact{Name: r.Text("caller.name"), Phone: caller(r)},
		CalledAt: r.Time("called_at"), ReplyBy: r.Time("reply_by"),
		Urgent: r.Code("urgent", "urgent") == "yes", Secret: r.Truth("secret"), Position: position(r),
	}
	r.Limit("content", o.Content, maxContent)
	r.Limit("title", o.Title, maxContent)
	s.Order = &o
	return platforms.Item{Key: s.ExternalNumber, Service: &s, Attachments: r.Attachments()}
}

// caller reads the number to call back. People also call from landlines: a
// number that is no mobile number stays as it is and holds nothing up.
func caller(r *mapping.Reading) string {
	phone := r.Phone("caller.phone")
	if phone != "" && casework.CheckPhone(phone) != nil {
		r.Note("caller.phone", casework.Sayf("%s不是手机号，按原样留存", "%s is no mobile number and was kept as it is", r.FieldOf("caller.phone")))
		return r.Text("caller.phone")
	}
	return phone
}

// position reads longitude and latitude, in one field or two. What can't be
// read as such is noted and holds nothing up: the address says where.
func position(r *mapping.Reading) *[2]float64 {
	x, y, _ := strings.Cut(strings.NewReplacer("，", ",", " ", "").Replace(r.Text("position")), ",")
	if x == "" {
		x, y = r.Text("longitude"), r.Text("latitude")
	}
	if x == "" && y == "" {
		return nil
	}
	longitude, err := strconv.ParseFloat(x, 64)
	latitude, err2 := strconv.ParseFloat(y, 64)
	if err != nil || err2 != nil || !(longitude >= -180 && longitude <= 180) || !(latitude >= -90 && latitude <= 90) {
		r.Note("position", casework.Say("坐标无法识别，按原样留存", "the position could not be read and was kept as it is"))
		return nil
	}
	return &[2]float64{longitude, latitude}
}

// readVisit reads the outcome of a visit. One that reached nobody has none.
func readVisit(r *mapping.Reading) (platforms.Item, bool) {
	key, round := r.Key("key"), r.Text("round")
	r.Limit("round", round, 10)
	v := platforms.Visit{External: key, Note: r.Text("note"), At: r.Time("at")}
	unreached := r.Truth("unreached")
	satisfied, solved := r.Code("satisfied", "truth"), r.Code("solved", "truth")
	if unreached {
		return platforms.Item{}, false
	}
	if satisfied == "" {
		r.Fault("satisfied", casework.Say("请说明是否满意", "it is not said whether the caller is satisfied"))
	}
	v.Satisfied = satisfied == "yes"
	// A caller of whom it is not said whether the matter is solved is taken at
	// the word about satisfaction.
	if v.Solved = solved == "yes"; solved == "" {
		v.Solved = v.Satisfied
	}
	return platforms.Item{Key: key + "/visit/" + round, Visit: &v}, true
}

// Reply implements [platforms.Adapter].
func (a *Adapter) Reply(m platforms.Message, o platforms.Outcome) platforms.Reply {
	return a.file.Reply(o, mapping.Said(m, o))
}

// Report implements [platforms.Adapter].
func (a *Adapter) Report(r platforms.Report) (platforms.Outgoing, bool, error) {
	w, told := a.file.Report(r, reply)
	if !told {
		return platforms.Outgoing{}, false, nil
	}
	return w.JSON(w.Object()), true, nil
}

// Judge implements [platforms.Adapter].
func (a *Adapter) Judge(_ platforms.Outgoing, status int, body []byte) error {
	return a.file.Judge(status, body)
}
