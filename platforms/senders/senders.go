// Package senders reads the file of those who send us messages and are told of
// the progress: who they are, which adapter reads their words, how they prove
// themselves, and how we prove ourselves to them.
//
// The file is data: another city changes it, and the files of mappings beside
// it, and no code. Secrets are never in it; they are in the environment
// variables that it names.
package senders

import (
	_ "embed"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/proof"
)

// Demo is the file that is used where no other is named.
//
//go:embed demo.yaml
var Demo []byte

// Setup is what an adapter is made of.
type Setup struct {
	Sender  string
	Channel casework.Channel
	// Mapping is the file of mappings that the senders' file names; nil: the
	// adapter's own.
	Mapping  []byte
	Exchange Exchange
	// Secrets are what an adapter needs beside the sender's proof, such as a key
	// for one field, by the names under which the file lists their variables.
	Secrets map[string]string
}

// Exchange says where an exchange database is.
type Exchange struct {
	URL   string        // postgres://…, mysql://…: with the password
	Every time.Duration // between two looks
	Batch int           // rows that are taken at one time
}

// Adapters makes adapters by the names that the file uses.
type Adapters map[string]func(Setup) (platforms.Adapter, error)

// Sender is one who sends.
type Sender struct {
	ID, Name string
	Adapter  platforms.Adapter
	Channel  casework.Channel

	Utilities []casework.Utility // asked for where a request names none
	District  casework.District  // where a request names none

	Proof     *proof.Proof
	Addresses []netip.Prefix // that it may call from; none: any, if it proves itself
	Decrypt   *proof.Cipher  // nil: bodies come as they are
	PerMinute int            // messages; 0: without bound
	Exchange  Exchange       // set where the adapter polls

	Report *Report // nil: it is not told of the progress through HTTP
	// Watches says that it is told of all cases, of Utilities and District where
	// it has some, and not only of those that it brought.
	Watches bool

	adapterName, mapping string
}

// Report says where a sender is told of the progress.
type Report struct {
	URL     *url.URL
	Proof   *proof.Proof
	Encrypt *proof.Cipher // nil: bodies go as they are
	Timeout time.Duration
}

// Actor is who acts in a sender's name.
func (s *Sender) Actor() casework.Actor {
	return casework.Actor{ID: s.ID, Name: s.Name, Roles: []casework.Role{casework.Platform}, Districts: []casework.District{casework.AllDistricts}}
}

// Admits tells whether a sender may call from an address.
func (s *Sender) Admits(address netip.Addr) bool {
	address = address.Unmap()
	return len(s.Addresses) == 0 || slices.ContainsFunc(s.Addresses, func(p netip.Prefix) bool { return p.Contains(address) })
}

// Watchers lists the senders that are told of all cases.
func (s *Senders) Watchers() (watchers []casework.Watcher) {
	for _, one := range s.all {
		if one.Watches {
			watchers = append(watchers, casework.Watcher{Sender: one.ID, Utilities: one.Utilities, District: one.District})
		}
	}
	return watchers
}

// Senders are those of an installation.
type Senders struct{ all []*Sender }

// Find gives the sender of an ID.
func (s *Senders) Find(id string) (*Sender, bool) {
	for _, one := range s.all {
		if one.ID == id {
			return one, true
		}
	}
	return nil, false
}

// All lists the senders in the order of the file.
func (s *Senders) All() []*Sender { return slices.Clone(s.all) }

// settings are one sender in the file.
type settings struct {
	ID        string                `yaml:"id"`
	Name      string                `yaml:"name"`
	Adapter   string                `yaml:"adapter"`
	Channel   casework.Channel      `yaml:"channel"`
	Mapping   string                `yaml:"mapping"`
	Utilities []casework.Utility    `yaml:"utilities"`
	District  casework.District     `yaml:"district"`
	Proof     proof.Settings        `yaml:"proof"`
	Addresses []string              `yaml:"addresses"`
	Decrypt   *proof.CipherSettings `yaml:"decrypt"`
	PerMinute int                   `yaml:"per_minute"`
	Secrets   map[string]string     `yaml:"secrets"`
	Exchange  *struct {
		URLEnv string        `yaml:"url_env"`
		Every  time.Duration `yaml:"every"`
		Batch  int           `yaml:"batch"`
	} `yaml:"exchange"`
	Report *struct {
		URL     string                `yaml:"url"`
		Proof   proof.Settings        `yaml:"proof"`
		Encrypt *proof.CipherSettings `yaml:"encrypt"`
		Timeout time.Duration         `yaml:"timeout"`
		Cases   string                `yaml:"cases"`
	} `yaml:"report"`
}

// Options are what reading a file needs.
type Options struct {
	Adapters Adapters
	Getenv   func(string) string
	// ReadFile reads a file of mappings that the senders' file names.
	ReadFile func(name string) ([]byte, error)
}

const (
	defaultEvery   = 30 * time.Second
	defaultBatch   = 100
	defaultTimeout = 15 * time.Second
	longestTimeout = 2 * time.Minute
)

// Of which cases a sender is told.
const ownCases, allCases = "own", "all"

var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)

// Parse reads and judges a file. Its error is a [casework.Fault] that names
// every field that is wrong with its line, in Chinese and English, and no
// secret.
func Parse(text []byte, o Options) (*Senders, error) {
	var file struct {
		Senders []settings `yaml:"senders"`
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		return nil, &casework.Fault{
			Kind: casework.Invalid, Code: "invalid_senders",
			Text: casework.Sayf("来件方文件无法读取：%[1]v", "the senders' file can't be read: %[1]v", err),
		}
	}
	var c casework.Check
	all := &Senders{}
	for i, s := range file.Senders {
		field := fmt.Sprintf("senders[%d]", i)
		c.Require(!slices.ContainsFunc(file.Senders[:i], func(o settings) bool { return o.ID == s.ID }), field+".id",
			casework.Sayf("编号重复：%[1]s", "named twice: %[1]s", s.ID))
		all.all = append(all.all, s.sender(&c, field, o))
	}
	if err := c.Err(); err != nil {
		f := casework.AsFault(err)
		lines := linesOf(text)
		for i := range f.Fields {
			if n := lines(f.Fields[i].Field); n > 0 {
				said := f.Fields[i].Text
				f.Fields[i].Text = casework.Say(fmt.Sprintf("第 %d 行：%s", n, said.ZH), fmt.Sprintf("line %d: %s", n, said.EN))
			}
		}
		return nil, f
	}
	return all, nil
}

func (s settings) sender(c *casework.Check, field string, o Options) *Sender {
	one := &Sender{
		ID: s.ID, Name: s.Name, Channel: s.Channel, Utilities: s.Utilities, District: s.District, PerMinute: s.PerMinute,
		adapterName: s.Adapter, mapping: s.Mapping,
	}
	c.Require(idForm.MatchString(s.ID), field+".id", casework.Say("应为小写字母、数字、- 或 _，不超过40个字符", "must be lower-case letters, digits, - or _, at most 40"))
	c.Require(strings.TrimSpace(s.Name) != "", field+".name", casework.Say("此项必填", "required"))
	c.Require(s.Channel.Valid(), field+".channel", casework.Sayf("应为：%[1]v", "must be one of: %[1]v", casework.Channels()))
	for _, u := range s.Utilities {
		c.Require(u.Valid(), field+".utilities", casework.Say("应为 water 或 gas", "must be water or gas"))
	}
	if s.District != "" {
		c.Nested(field+".district", s.District.Check())
	}
	c.Require(s.PerMinute >= 0 && s.PerMinute <= 1_000_000, field+".per_minute", casework.Say("应为 0（不限）至 1000000", "must be between 0 (no bound) and 1000000"))
	for _, text := range s.Addresses {
		prefix, ok := prefixOf(text)
		c.Require(ok, field+".addresses", casework.Sayf("应为 IP 地址或网段，如 10.1.2.0/24：%[1]s", "must be addresses or networks, such as 10.1.2.0/24: %[1]s", text))
		one.Addresses = append(one.Addresses, prefix)
	}
	one.Proof = proof.New(s.Proof, false, o.Getenv, c, field+".proof")
	c.Require(s.Proof.Way != proof.None || len(s.Addresses) > 0 || s.Exchange != nil, field+".addresses", casework.Say(
		"不证明身份的来件方须列明其地址，否则任何人都可冒名", "a sender that proves nothing must have its addresses listed, or anybody could send in its name"))
	if s.Decrypt != nil {
		one.Decrypt = proof.NewCipher(*s.Decrypt, o.Getenv, c, field+".decrypt")
	}
	s.report(c, field, o, one)
	s.adapter(c, field, o, one)
	return one
}

func (s settings) report(c *casework.Check, field string, o Options, one *Sender) {
	r := s.Report
	if r == nil {
		return
	}
	u, err := url.Parse(r.URL)
	ok := err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && u.User == nil && u.RawQuery == ""
	c.Require(ok, field+".report.url", casework.Say("应为 https:// 或 http:// 地址，不含密码与参数", "must be an https:// or http:// address without a password or query"))
	if r.Timeout == 0 {
		r.Timeout = defaultTimeout
	}
	c.Require(r.Timeout > 0 && r.Timeout <= longestTimeout, field+".report.timeout", casework.Sayf("应在 %[1]s 以内", "must be within %[1]s", longestTimeout))
	c.Require(r.Cases == "" || r.Cases == ownCases || r.Cases == allCases, field+".report.cases", casework.Say(
		"应为 own（它送来的办件）或 all（此后的全部办件）", "must be own (the cases that it brought) or all (every case from now on)"))
	c.Require(r.Cases != allCases || s.Exchange == nil, field+".report.cases", casework.Say(
		"有前置库的来件方只能是 own：前置库中没有他人的办件", "must be own where there are exchange tables, which know nothing of others' cases"))
	one.Watches = r.Cases == allCases
	one.Report = &Report{URL: u, Proof: proof.New(r.Proof, true, o.Getenv, c, field+".report.proof"), Timeout: r.Timeout}
	if r.Encrypt != nil {
		one.Report.Encrypt = proof.NewCipher(*r.Encrypt, o.Getenv, c, field+".report.encrypt")
	}
}

func (s settings) adapter(c *casework.Check, field string, o Options, one *Sender) {
	setup := Setup{Sender: s.ID, Channel: s.Channel, Secrets: map[string]string{}}
	for name, variable := range s.Secrets {
		setup.Secrets[name] = strings.TrimSpace(o.Getenv(variable))
		c.Require(setup.Secrets[name] != "", field+".secrets."+name, casework.Sayf("环境变量 %[1]s 未设置", "the environment variable %[1]s is not set", variable))
	}
	if s.Mapping != "" {
		var err error
		setup.Mapping, err = o.ReadFile(s.Mapping)
		c.Require(err == nil, field+".mapping", casework.Sayf("无法读取文件 %[1]s", "the file %[1]s can't be read", s.Mapping))
	}
	if s.Exchange != nil {
		setup.Exchange = Exchange{URL: strings.TrimSpace(o.Getenv(s.Exchange.URLEnv)), Every: s.Exchange.Every, Batch: s.Exchange.Batch}
		c.Require(setup.Exchange.URL != "", field+".exchange.url_env", casework.Sayf("环境变量 %[1]s 未设置", "the environment variable %[1]s is not set", s.Exchange.URLEnv))
		if setup.Exchange.Every == 0 {
			setup.Exchange.Every = defaultEvery
		}
		if setup.Exchange.Batch == 0 {
			setup.Exchange.Batch = defaultBatch
		}
		c.Require(setup.Exchange.Every >= time.Second && setup.Exchange.Every <= 24*time.Hour, field+".exchange.every", casework.Say("应为 1s 至 24h", "must be between 1s and 24h"))
		c.Require(setup.Exchange.Batch > 0 && setup.Exchange.Batch <= 10_000, field+".exchange.batch", casework.Say("应为 1 至 10000", "must be between 1 and 10000"))
		one.Exchange = setup.Exchange
	}
	maker := o.Adapters[s.Adapter]
	if maker == nil {
		var known []string
		for name := range o.Adapters {
			known = append(known, name)
		}
		slices.Sort(known)
		c.Field(field+".adapter", casework.Sayf("应为：%[1]s", "must be one of: %[1]s", strings.Join(known, "、")))
		return
	}
	var err error
	if one.Adapter, err = maker(setup); err != nil {
		// A mapping's own faults name its fields; anything else may hold an
		// address with its password.
		if f := casework.AsFault(err); f.Kind == casework.Invalid {
			c.Nested(field+".mapping", f)
		} else {
			c.Field(field+".adapter", casework.Say("适配器无法启用，请检查其映射文件与前置库", "the adapter can't be made; check its mapping and its exchange database"))
		}
		return
	}
	_, polls := one.Adapter.(platforms.Exchange)
	c.Require(s.Exchange == nil || polls, field+".exchange", casework.Sayf("适配器 %[1]s 没有前置库", "the adapter %[1]s has no exchange tables", s.Adapter))
}

func prefixOf(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), true
	}
	if ip := net.ParseIP(text); ip != nil {
		if a, err := netip.ParseAddr(text); err == nil {
			a = a.Unmap()
			return netip.PrefixFrom(a, a.BitLen()), true
		}
	}
	return netip.Prefix{}, false
}

// linesOf finds the line on which a field stands, or the nearest thing around
// it that the file has.
func linesOf(text []byte) func(field string) int {
	file, err := parser.ParseBytes(text, 0)
	if err != nil || len(file.Docs) == 0 {
		return func(string) int { return 0 }
	}
	return func(field string) int {
		for field != "" {
			path, err := yaml.PathString("$." + field)
			if err == nil {
				if node, err := path.FilterNode(file.Docs[0].Body); err == nil && node != nil {
					return startOf(node)
				}
			}
			field = field[:max(0, strings.LastIndexByte(field, '.'))]
		}
		return 0
	}
}

// startOf is where a node begins: a mapping's own token is its first colon.
func startOf(node ast.Node) int {
	if token := node.GetToken(); token != nil && token.Position != nil {
		return token.Position.Line
	}
	return 0
}

// Describe says of each sender what is understood of it, without secrets.
func (s *Senders) Describe() []string {
	var said []string
	for _, one := range s.all {
		line := func(name, value string) {
			if value != "" {
				said = append(said, fmt.Sprintf("  %-10s %s", name, value))
			}
		}
		said = append(said, fmt.Sprintf("%s %s", one.ID, one.Name))
		adapter := one.adapterName
		if one.mapping != "" {
			adapter += " (" + one.mapping + ")"
		}
		line("adapter", adapter)
		line("channel", string(one.Channel))
		if len(one.Utilities) > 0 {
			line("utilities", fmt.Sprint(one.Utilities))
		}
		line("district", string(one.District))
		line("proof", one.Proof.Describe())
		if len(one.Addresses) > 0 {
			line("addresses", fmt.Sprint(one.Addresses))
		}
		if one.Decrypt != nil {
			line("decrypt", one.Decrypt.Cipher)
		}
		if one.PerMinute > 0 {
			line("quota", fmt.Sprintf("%d 次/分钟 a minute", one.PerMinute))
		}
		if one.Exchange.URL != "" {
			line("exchange", fmt.Sprintf("每 every %s，每批 rows %d", one.Exchange.Every, one.Exchange.Batch))
		}
		if one.Report != nil {
			line("report", fmt.Sprintf("%s %s (timeout %s)", one.Report.URL.Redacted(), one.Report.Proof.Describe(), one.Report.Timeout))
		}
		if one.Watches {
			line("told of", "全部办件 all cases")
		}
	}
	return said
}
