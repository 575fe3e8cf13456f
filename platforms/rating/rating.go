// Package rating speaks with the review platform (好差评): services that were
// rendered are told, and what customers think of them comes in.
package rating

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
	evaluation = "evaluation"
	service    = "service" // told: a service that was rendered
)

// Adapter reads ratings and tells services.
type Adapter struct {
	file    *mapping.File
	channel casework.Channel
}

var _ platforms.Adapter = (*Adapter)(nil)

// New makes the adapter; without a mapping file it has Wuhu's.
func New(file []byte) (*Adapter, error) {
	if file == nil {
		file = wuhu
	}
	f, err := mapping.Parse(file, mapping.Shape{
		Messages: map[string][]string{
			evaluation:     {"key!", "round!", "stars!", "tags", "text", "at", "terminal"},
			mapping.Answer: mapping.AnswerFields(),
		},
		Reports: []string{service},
		Codes: map[string]func(string) error{
			"stars": isStars, "tag": mapping.IsText, "terminal": mapping.IsText, mapping.Answer: mapping.IsTaken,
		},
		Settings: mapping.ReplySettings(map[string]func(string) error{"separator": mapping.IsText, "channel": isChannel}),
	})
	if err != nil {
		return nil, err
	}
	return &Adapter{f, casework.Channel(f.Setting("channel", string(casework.GovPortal)))}, nil
}

func isStars(value string) error {
	if len(value) == 1 && value >= "1" && value <= "5" {
		return nil
	}
	return casework.Refuse(casework.Invalid, "bad_mapping", casework.Say("应为 1 至 5", "it should be 1 to 5"))
}

func isChannel(value string) error {
	if casework.Channel(value).Valid() {
		return nil
	}
	return casework.Refuse(casework.Invalid, "bad_mapping", casework.Sayf("渠道应为：%v", "a channel is one of: %v", casework.Channels()))
}

// Limits of what a customer writes, in characters.
const (
	maxText   = 2000
	needsWhy  = 3 // fewer stars than this need tags or text
	maxRounds = 10
)

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
	external, round := r.Key("key"), r.Required("round")
	r.Limit("round", round, maxRounds)
	g := platforms.Rating{External: external, Text: r.Text("text"), At: r.Time("at"), Terminal: r.Code("terminal", "terminal"), Source: a.channel}
	g.Stars = a.stars(r, root)
	g.Tags = a.tags(r)
	r.Limit("text", g.Text, maxText)
	if g.Stars > 0 && g.Stars < needsWhy && len(g.Tags) == 0 && g.Text == "" {
		r.Fault("tags", casework.Say("低于“基本满意”的评价应选标签或写明原因", "a rating below 3 needs tags or text"))
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	item := platforms.Item{Key: external + "/" + round, Notes: r.Notes(), Rating: &g}
	item.Extra = r.Extra(item)
	return []platforms.Item{item}, nil
}

// stars reads the level. Platforms say it in two fields, which must agree.
func (a *Adapter) stars(r *mapping.Reading, root *mapping.Value) int {
	code := r.Code("stars", "stars")
	if code == "" {
		r.Fault("stars", casework.Say("缺少评价等级：1 至 5", "the level is missing: 1 to 5"))
		return 0
	}
	l, _ := a.file.Layout(evaluation)
	for _, path := range l.Fields["stars"] {
		if v := root.At(path); !v.Silent() {
			if other, _ := a.file.Code("stars", v.Text()); other != code {
				r.FaultAt(path, casework.Say("两处评价等级不一致", "two fields say different levels"))
			}
		}
	}
	n, _ := strconv.Atoi(code) // the mapping allows 1 to 5 only
	return n
}

// tags reads the codes of what the customer ticked, in a list or in one text.
func (a *Adapter) tags(r *mapping.Reading) []string {
	var tags []string
	for _, v := range r.Part("tags").Items() {
		if !v.Scalar() {
			r.Fault("tags", casework.Say("应为标签代码", "it should be codes of tags"))
			return nil
		}
		for code := range strings.SplitSeq(v.Text(), a.file.Setting("separator", ",")) {
			if code = strings.TrimSpace(code); code == "" {
				continue
			}
			tag, known := a.file.Code("tag", code)
			if !known {
				r.Fault("tags", casework.Sayf("标签“%s”不在代码表中", "the tag %q is not in the table of codes", code))
				continue
			}
			tags = append(tags, tag)
		}
	}
	return tags
}

// Reply implements [platforms.Adapter].
func (a *Adapter) Reply(m platforms.Message, o platforms.Outcome) platforms.Reply {
	return a.file.Reply(o, mapping.Said(m, o))
}

// Report implements [platforms.Adapter].
func (a *Adapter) Report(r platforms.Report) (platforms.Outgoing, bool, error) {
	w, told := a.file.Report(r, service)
	if !told {
		return platforms.Outgoing{}, false, nil
	}
	return w.JSON(w.Object("params.serviceNumber")), true, nil
}

// Judge implements [platforms.Adapter].
func (a *Adapter) Judge(_ platforms.Outgoing, status int, body []byte) error {
	return a.file.Judge(status, body)
}
