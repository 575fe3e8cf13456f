// Package push is what adapters share whose platform pushes requests as JSON,
// is answered in JSON and told of states in JSON: all that tells them apart is
// the channel and the file of mappings.
package push

import (
	"strings"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/mapping"
)

// The layouts that a mapping file of such a platform may have.
const (
	Application = "application" // a request
	Step        = "step"        // a step of a request that the platform records: a withdrawal, or nothing for us
	Progress    = "progress"    // told: a state
	Done        = "done"        // told: the end
)

// Adapter reads and answers pushed requests.
type Adapter struct {
	channel casework.Channel
	file    *mapping.File
	token   string
}

var _ platforms.Adapter = (*Adapter)(nil)

// Options tell the platforms apart.
type Options struct {
	Channel casework.Channel
	// Token is put into the field that the setting "token" names of every
	// report, for platforms that want it in the body.
	Token string
}

// New reads a mapping file.
func New(file []byte, o Options) (*Adapter, error) {
	f, err := mapping.Parse(file, mapping.Shape{
		Messages: map[string][]string{
			Application:      mapping.RequestFields("utilities", "account", "attachments"),
			Step:             {"key!", "state!", "reason"},
			mapping.Material: mapping.MaterialFields(),
			mapping.Answer:   mapping.AnswerFields(),
		},
		Reports: []string{Progress, Done},
		Codes: mapping.RequestCodes(map[string]func(string) error{
			mapping.Answer: mapping.IsTaken, "state": isState,
		}),
		Settings: mapping.ReplySettings(map[string]func(string) error{"token": mapping.IsText, "separator": mapping.IsText}),
	})
	if err != nil {
		return nil, err
	}
	return &Adapter{channel: o.Channel, file: f, token: o.Token}, nil
}

const withdrawn, otherState = "withdrawn", "other"

func isState(value string) error {
	if value == withdrawn || value == otherState {
		return nil
	}
	return casework.Refuse(casework.Invalid, "bad_mapping", casework.Say("应为 withdrawn 或 other", "it should be withdrawn or other"))
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
	if layout == Step {
		item, asks = a.step(r)
	} else {
		item, asks = a.application(r)
	}
	if err := r.Err(); err != nil || !asks {
		return nil, err
	}
	item.Notes = r.Notes()
	return []platforms.Item{item}, nil
}

// step reads what the platform did with a request: only a withdrawal asks
// something of us.
func (a *Adapter) step(r *mapping.Reading) (platforms.Item, bool) {
	key, reason := r.Key("key"), r.Text("reason")
	if r.Code("state", "state") != withdrawn {
		return platforms.Item{}, false
	}
	item := platforms.Item{Key: key + "/withdraw", Withdraw: &platforms.Withdraw{External: key, Reason: reason}}
	item.Extra = r.Extra(item)
	return item, true
}

// application reads a request: for one utility or several, for a connection or
// for another service.
func (a *Adapter) application(r *mapping.Reading) (platforms.Item, bool) {
	utilities := a.utilities(r)
	service := casework.CaseKind(r.Code("service", "service"))
	if service == casework.TransferCase || service == casework.ClosingCase {
		s := r.Account(service, a.channel)
		// Who asks is the holder who leaves, or, for a transfer, the one who comes.
		r.Required("applicant.name")
		who := r.Applicant()
		if s.Holder = who; service == casework.TransferCase {
			s.Holder, s.NewHolder = casework.AccountHolder{}, who
		}
		item := platforms.Item{Key: s.ExternalNumber, Service: &s, Attachments: r.Attachments()}
		s.Extra = r.Extra(item)
		return item, true
	}
	if len(utilities) == 0 {
		r.Request(a.channel, "", false) // names whatever else is wrong
		return platforms.Item{}, false
	}
	item := platforms.Item{Intake: &platforms.Intake{}, Attachments: r.Attachments()}
	for _, u := range utilities {
		q := r.Request(a.channel, u, false)
		item.Key = q.ExternalNumber
		item.Intake.Requests = append(item.Intake.Requests, q)
	}
	// What the sender wrote besides goes with each of the requests: each of
	// their cases may need it.
	extra := r.Extra(item)
	for i := range item.Intake.Requests {
		item.Intake.Requests[i].Extra = extra
	}
	return item, true
}

// utilities reads what is asked for: one utility by its code, or several in a
// list or in one text. One that is known and not ours, such as electricity, is
// noted and stays with the request.
func (a *Adapter) utilities(r *mapping.Reading) []casework.Utility {
	part := r.Part("utilities")
	if part == nil {
		u := r.Code("utility", "utility")
		switch u {
		case mapping.Other:
			r.Fault("utility", casework.Say("不属供水、供气服务", "it is no service of water or gas"))
		case "":
			r.Fault("utility", casework.Say("请填写用能类型：水或气", "the utility is missing: water or gas"))
		default:
			return []casework.Utility{casework.Utility(u)}
		}
		return nil
	}
	var codes []string
	for _, v := range part.Items() {
		if !v.Scalar() {
			r.Fault("utilities", casework.Say("应为代码的列表", "it should be a list of codes"))
			return nil
		}
		codes = append(codes, split(v.Text(), a.file.Setting("separator", ","))...)
	}
	asked := map[casework.Utility]bool{}
	for _, code := range codes {
		switch u, known := a.file.Code("utility", code); {
		case !known:
			r.Fault("utilities", casework.Sayf("“%s”不在代码表中；可用：%s", "%q is not in the table of codes; allowed: %s", code,
				strings.Join(a.file.Table("utility"), "、")))
		case u == mapping.Other:
			r.Note("utilities "+code, casework.Sayf("“%s”不属供水、供气服务，未受理", "%q is no service of water or gas and was not taken up", code))
		default:
			asked[casework.Utility(u)] = true
		}
	}
	if len(asked) == 0 {
		r.Fault("utilities", casework.Say("没有供水或供气的申请", "neither water nor gas is asked for"))
	}
	var all []casework.Utility
	for _, u := range []casework.Utility{casework.Water, casework.Gas} {
		if asked[u] {
			all = append(all, u)
		}
	}
	return all
}

// split takes a text apart at the separator of the mapping, and at the marks
// that people write between.
func split(text, separator string) []string {
	return strings.FieldsFunc(strings.ReplaceAll(text, separator, ","), func(c rune) bool {
		return strings.ContainsRune(",，、;； ", c)
	})
}

// Reply implements [platforms.Adapter]. What was asked for besides and is not
// ours is said too.
func (a *Adapter) Reply(m platforms.Message, o platforms.Outcome) platforms.Reply {
	said := mapping.Said(m, o)
	if o.Fault == nil {
		var others strings.Builder
		for _, code := range a.notOurs(m) {
			others.WriteString("；“" + code + "”不属供水、供气服务，未受理")
		}
		said += others.String()
	}
	return a.file.Reply(o, said)
}

func (a *Adapter) notOurs(m platforms.Message) []string {
	root, err := mapping.ParseObject(m.Body)
	if layout, _ := a.file.LayoutOf(m.Kind); err != nil || layout != Application {
		return nil
	}
	var all []string
	for _, v := range a.file.Read(Application, root).Part("utilities").Items() {
		for _, code := range split(v.Text(), a.file.Setting("separator", ",")) {
			if u, _ := a.file.Code("utility", code); u == mapping.Other {
				all = append(all, code)
			}
		}
	}
	return all
}

// Report implements [platforms.Adapter].
func (a *Adapter) Report(r platforms.Report) (platforms.Outgoing, bool, error) {
	w, told := a.file.Report(r, Progress, Done)
	if !told {
		return platforms.Outgoing{}, false, nil
	}
	body := w.Object()
	if at := a.file.Setting("token", ""); at != "" {
		body.Set(at, a.token)
	}
	return w.JSON(body), true, nil
}

// Judge implements [platforms.Adapter].
func (a *Adapter) Judge(_ platforms.Outgoing, status int, body []byte) error {
	return a.file.Judge(status, body)
}
