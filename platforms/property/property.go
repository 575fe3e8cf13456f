// Package property speaks with the property register's transfer system
// (不动产登记过户系统): a house changes hands, and with it the accounts for water
// and gas; certificates come along, so that nobody is asked for them.
package property

import (
	"context"
	_ "embed" // the default mapping
	"fmt"
	"strings"
	"time"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/mapping"
)

//go:embed wuhu.yaml
var wuhu []byte

// Balances tells what an account owes, when the register asks before a sale.
type Balances interface {
	// Balance gives a NotFound [casework.Fault] for an account that does not
	// exist.
	Balance(ctx context.Context, utility casework.Utility, account string) (Balance, error)
}

// Balance is what billing says of an account; amounts are in fen.
type Balance struct {
	Holder     string
	Address    string
	Kind       string // of consumption, in billing's words
	Owed       int64
	Receivable int64
	Received   int64
	Prepaid    int64
}

// The layouts of a mapping file.
const (
	gas           = "gas"
	water         = "water"
	waterFee      = "water_fee"
	jointTransfer = "joint_transfer"
	jointCheck    = "joint_check"
	result        = "result"
	refusal       = "refusal"
)

// Adapter reads and answers the register's messages.
type Adapter struct {
	file     *mapping.File
	balances Balances
}

var _ platforms.Adapter = (*Adapter)(nil)

// New makes the adapter; without a mapping file it has Wuhu's, and without
// balances it answers that they can't be asked for.
func New(file []byte, balances Balances) (*Adapter, error) {
	if file == nil {
		file = wuhu
	}
	transfer := mapping.AccountFields("service", "servCode", "property.item", "property.unit",
		"identity.content", "title.content", "contract.content", "attachments")
	query := []string{"account!", "utility!", "servCode"}
	settings := mapping.RepliesOf(gas, water, waterFee, jointTransfer, jointCheck)
	f, err := mapping.Parse(file, mapping.Shape{
		Messages: map[string][]string{
			gas: transfer, water: transfer, jointTransfer: transfer, waterFee: query, jointCheck: query,
			mapping.Material: mapping.MaterialFields(),
			mapping.Answer:   mapping.AnswerFields(),
		},
		Reports: []string{result, refusal},
		Codes: mapping.RequestCodes(map[string]func(string) error{
			"servCode": isServCode, mapping.Answer: mapping.IsTaken,
		}),
		Settings: mapping.ReplySettings(settings),
	})
	if err != nil {
		return nil, err
	}
	return &Adapter{file: f, balances: balances}, nil
}

func isServCode(value string) error {
	if value == jointTransfer || value == jointCheck {
		return nil
	}
	return casework.Refuse(casework.Invalid, "bad_mapping", casework.Sayf("应为 %s 或 %s", "it should be %s or %s", jointTransfer, jointCheck))
}

// open finds the layout of a message and takes its envelope off.
func (a *Adapter) open(m platforms.Message) (string, *mapping.Reading, *mapping.Value, error) {
	layout, ok := a.file.LayoutOf(m.Kind)
	if !ok {
		return "", nil, nil, a.file.UnknownKind(m.Kind)
	}
	root, err := mapping.ParseObject(m.Body)
	if err != nil {
		return layout, nil, nil, err
	}
	if inner := root.At("requestContent"); !inner.Silent() {
		if err := inner.Unfold(); err != nil {
			return layout, nil, nil, mapping.Faulty("requestContent", casework.AsFault(err).Fields[0].Text)
		}
	}
	// Attachments that are a list written as text are kept as the list.
	if list := root.At("attachment"); strings.HasPrefix(list.Text(), "[") {
		_ = list.Unfold() // what is no list stays the text it is
	}
	r := a.file.Read(layout, root)
	if layout == jointTransfer || layout == jointCheck {
		layout = r.Code("servCode", "servCode")
		if err := r.Err(); err != nil || layout == "" {
			r.Required("servCode")
			return jointTransfer, nil, nil, r.Err()
		}
		r = a.file.Read(layout, root)
	}
	return layout, r, root, nil
}

// Read implements [platforms.Adapter]. A question for a balance asks for
// nothing that goes on; its answer is all.
func (a *Adapter) Read(m platforms.Message) ([]platforms.Item, error) {
	layout, r, root, err := a.open(m)
	if err != nil {
		return nil, err
	}
	if layout == waterFee || layout == jointCheck {
		r.Key("account")
		return nil, r.Err()
	}
	if kind := r.Code("service", "service"); kind != "" && casework.CaseKind(kind) != casework.TransferCase {
		r.Fault("service", casework.Say("此接口只办过户", "only transfers come in here"))
	}
	s := r.Account(casework.TransferCase, casework.PropertyTransfer)
	if s.Account == "" {
		r.Required("account")
	}
	// One sale may move several accounts, all under one number of the register.
	s.Property = casework.Property{Acceptance: s.ExternalNumber, Item: r.Text("property.item"), Unit: r.Text("property.unit")}
	s.ExternalNumber += "/" + s.Account
	r.Limit("property.item", s.Property.Item, 100)
	if s.Property.Unit != "" {
		r.Nested("property.unit", casework.CheckRealEstateUnit(s.Property.Unit))
	}
	if outer, inner := root.At("slbh").Text(), root.At("requestContent.slbh").Text(); inner != "" && outer != "" && inner != outer {
		r.Fault("key", casework.Say("信封与内容的受理编号不一致", "envelope and content name different acceptance numbers"))
	}
	s.Holder, s.NewHolder = r.Holder("holder"), r.Holder("new_holder")
	r.Required("new_holder.name")
	for _, c := range []struct {
		field string
		kind  casework.CertificateKind
	}{
		{"identity.content", casework.IdentityCertificate}, {"title.content", casework.TitleCertificate}, {"contract.content", casework.SaleContract},
	} {
		if content, _ := r.Content(c.field); content != nil {
			s.Certificates = append(s.Certificates, casework.Certificate{Kind: c.kind, Content: content})
		}
	}
	papers := r.Attachments()
	if err := r.Err(); err != nil {
		return nil, err
	}
	item := platforms.Item{Key: s.ExternalNumber, Notes: r.Notes(), Service: &s, Attachments: papers}
	s.Extra = r.Extra(item)
	return []platforms.Item{item}, nil
}

// askTimeout bounds how long the register waits for a balance.
const askTimeout = 5 * time.Second

// Reply implements [platforms.Adapter].
func (a *Adapter) Reply(m platforms.Message, o platforms.Outcome) platforms.Reply {
	layout, r, _, err := a.open(m)
	if err != nil || o.Fault != nil || (layout != waterFee && layout != jointCheck) {
		return a.file.ReplyAs(layout, o, mapping.Said(m, o))
	}
	account := r.Key("account")
	b, err := a.balance(casework.Utility(r.Text("utility")), account)
	said := "查询成功"
	if err != nil {
		said = casework.AsFault(err).ZH
	}
	// The answer is built by hand: its names are those of the question's kind.
	body, names := mapping.NewObject(), answerNames[layout]
	code := a.file.Setting(layout+".reply.ok", a.file.Setting("reply.ok", "200"))
	if err != nil {
		code = a.file.Setting(layout+".reply.failed", a.file.Setting("reply.failed", "500"))
	}
	for i, value := range []string{code, said, account, b.Holder, b.Address, b.Kind, yuan(b.Owed), yuan(b.Receivable), yuan(b.Received), yuan(b.Prepaid)} {
		if err == nil || i < 3 {
			body.Set(names[i], value)
		}
	}
	return mapping.JSONReply(body)
}

// answerNames are the fields of an answer: code, sentence, account, holder,
// address, kind, owed, receivable, received, prepaid. Those of the fee query
// are not public; they are laid out as the answers beside it.
var answerNames = map[string][10]string{
	jointCheck: {
		"body.rtnCode", "body.rtnMsg", "body.userID", "body.userName", "body.userAddr", "body.consType",
		"body.totalOweAmt", "body.totalRcvblAmt", "body.totalRcvedAmt", "body.prepayAmt",
	},
	waterFee: {
		"code", "msg", "data.yhdm", "data.customerName", "data.customerAddress", "data.consType",
		"data.totalOweAmt", "data.totalRcvblAmt", "data.totalRcvedAmt", "data.prepayAmt",
	},
}

func (a *Adapter) balance(u casework.Utility, account string) (Balance, error) {
	if a.balances == nil {
		return Balance{}, casework.Refuse(casework.Unavailable, "no_billing", casework.Say("暂不能查询费用，请联系营业厅", "balances can't be asked for here"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	return a.balances.Balance(ctx, u, account)
}

func yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return fmt.Sprintf("%s%d.%02d", sign, fen/100, fen%100)
}

// Report implements [platforms.Adapter].
func (a *Adapter) Report(r platforms.Report) (platforms.Outgoing, bool, error) {
	account := ""
	if i := strings.LastIndexByte(r.External, '/'); i >= 0 {
		r.External, account = r.External[:i], r.External[i+1:]
	}
	if r.Service == nil {
		r.Service = &casework.ServiceRequest{Account: account}
	}
	w, told := a.file.Report(r, result, refusal)
	if !told {
		return platforms.Outgoing{}, false, nil
	}
	return w.JSON(w.Object()), true, nil
}

// Judge implements [platforms.Adapter].
func (a *Adapter) Judge(_ platforms.Outgoing, status int, body []byte) error {
	return a.file.Judge(status, body)
}
