package notify

import (
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/curbstop/curbstop/casework"
)

// The kinds of outlet.
const (
	kindLog      = "log"
	kindWebhook  = "webhook"
	kindMail     = "smtp"
	kindWeCom    = "wecom"
	kindDingTalk = "dingtalk"
)

var kinds = []string{kindLog, kindWebhook, kindMail, kindWeCom, kindDingTalk}

// Outlets are those that an installation configured, and what each carries.
type Outlets struct{ routes []*route }

// route is an outlet with the messages that it carries.
type route struct {
	Outlet
	settings
	personal bool // writes to persons
	pace     pace
}

// settings are one outlet in the file. Secrets are never in it: they are in the
// environment variables that it names.
type settings struct {
	Name string `yaml:"name"`
	Kind string `yaml:"kind"`

	// What it carries; each empty list stands for all.
	Roles     []casework.Role        `yaml:"roles"`
	Districts []casework.District    `yaml:"districts"`
	Kinds     []casework.MessageKind `yaml:"kinds"`
	MinLevel  int                    `yaml:"min_level"`
	PerMinute int                    `yaml:"per_minute"` // messages at most; 0: the kind's own bound

	URLEnv      string   `yaml:"url_env"`      // webhook, wecom, dingtalk
	SecretEnv   string   `yaml:"secret_env"`   // webhook, dingtalk
	Host        string   `yaml:"host"`         // smtp, from here on
	Port        int      `yaml:"port"`         // 587 starttls, 465 implicit, 25 none
	Security    string   `yaml:"security"`     // starttls, implicit, none
	From        string   `yaml:"from"`         // a plain address
	Username    string   `yaml:"username"`     // none: without signing in
	PasswordEnv string   `yaml:"password_env"` //
	To          []string `yaml:"to"`           // where a message reaches nobody in particular
}

// Default is one outlet that carries everything into the log.
func Default(log *slog.Logger) *Outlets {
	return &Outlets{routes: []*route{{Outlet: logOutlet{kindLog, log}, settings: settings{Name: kindLog, Kind: kindLog}}}}
}

// Parse reads and judges a file of outlets. Secrets come from getenv. An error
// names the line, and every field that is wrong, in Chinese and English, and no
// secret.
func Parse(text []byte, getenv func(string) string, log *slog.Logger) (*Outlets, error) {
	var file struct {
		Outlets []settings `yaml:"outlets"`
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("通道文件无法读取 the file of outlets can't be read: %w", err)
	}
	var c casework.Check
	c.Require(len(file.Outlets) > 0, "outlets", casework.Say("请至少写一个通道", "name at least one outlet"))
	all := &Outlets{}
	for i, s := range file.Outlets {
		field := fmt.Sprintf("outlets[%d]", i)
		c.Require(!slices.ContainsFunc(file.Outlets[:i], func(o settings) bool { return o.Name == s.Name }), field+".name",
			casework.Sayf("名称重复：%[1]s", "named twice: %[1]s", s.Name))
		s.check(&c, field)
		all.routes = append(all.routes, s.route(&c, field, getenv, log))
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	return all, nil
}

var outletName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)

// check judges what all kinds have in common.
func (s settings) check(c *casework.Check, field string) {
	c.Require(outletName.MatchString(s.Name), field+".name", casework.Say("应为小写字母、数字、- 或 _，不超过40个字符", "must be lower-case letters, digits, - or _, at most 40"))
	c.Require(slices.Contains(kinds, s.Kind), field+".kind", casework.Sayf("应为：%[1]s", "must be one of: %[1]s", strings.Join(kinds, "、")))
	for _, r := range s.Roles {
		c.Require(r.Valid(), field+".roles", casework.Sayf("没有这个角色：%[1]s", "no such role: %[1]s", r))
	}
	for _, d := range s.Districts {
		c.Nested(field+".districts", d.Check())
	}
	for _, k := range s.Kinds {
		c.Require(slices.Contains(casework.MessageKinds(), k), field+".kinds", casework.Sayf("应为：%[1]v", "must be among: %[1]v", casework.MessageKinds()))
	}
	c.Require(s.MinLevel >= 0 && s.MinLevel <= 3, field+".min_level", casework.Say("应为 0 至 3", "must be between 0 and 3"))
	c.Require(s.PerMinute >= 0 && s.PerMinute <= 6000, field+".per_minute", casework.Say("应为 0 至 6000", "must be between 0 and 6000"))
	foreign := func(set bool, name string, of ...string) {
		c.Require(!set || slices.Contains(of, s.Kind), field+"."+name, casework.Sayf("仅用于：%[1]s", "only for: %[1]s", strings.Join(of, "、")))
	}
	foreign(s.URLEnv != "", "url_env", kindWebhook, kindWeCom, kindDingTalk)
	foreign(s.SecretEnv != "", "secret_env", kindWebhook, kindDingTalk)
	foreign(s.Host != "", "host", kindMail)
	foreign(s.Port != 0, "port", kindMail)
	foreign(s.Security != "", "security", kindMail)
	foreign(s.From != "", "from", kindMail)
	foreign(s.Username != "", "username", kindMail)
	foreign(s.PasswordEnv != "", "password_env", kindMail)
	foreign(len(s.To) > 0, "to", kindMail)
}

// route makes the outlet.
func (s settings) route(c *casework.Check, field string, getenv func(string) string, log *slog.Logger) *route {
	secret := func(name, variable string, required bool) string {
		if variable == "" {
			c.Require(!required, field+"."+name, casework.Say("请写明存放它的环境变量名", "name the environment variable that holds it"))
			return ""
		}
		value := strings.TrimSpace(getenv(variable))
		c.Require(value != "", field+"."+name, casework.Sayf("环境变量 %[1]s 未设置", "the environment variable %[1]s is not set", variable))
		return value
	}
	r := &route{settings: s, pace: pace{perMinute: s.PerMinute}}
	switch s.Kind {
	case kindLog:
		r.Outlet = logOutlet{s.Name, log}
	case kindWebhook:
		address := secret("url_env", s.URLEnv, true)
		checkURL(c, field+".url_env", address, true)
		key := secret("secret_env", s.SecretEnv, true)
		r.Outlet = webhook{newPoster(append(secretsOf(address), key)...), s.Name, address, key, time.Now}
	case kindWeCom:
		address := secret("url_env", s.URLEnv, true)
		checkURL(c, field+".url_env", address, false)
		r.Outlet = wecom{newPoster(secretsOf(address)...), s.Name, address}
	case kindDingTalk:
		address := secret("url_env", s.URLEnv, true)
		checkURL(c, field+".url_env", address, false)
		key := secret("secret_env", s.SecretEnv, false)
		r.Outlet = dingtalk{newPoster(append(secretsOf(address), key)...), s.Name, address, key, time.Now}
	case kindMail:
		r.personal = true
		r.Outlet = s.mail(c, field, secret)
	}
	if r.pace.perMinute == 0 && (s.Kind == kindWeCom || s.Kind == kindDingTalk) {
		r.pace.perMinute = robotsPerMinute
	}
	return r
}

func (s settings) mail(c *casework.Check, field string, secret func(name, variable string, required bool) string) mail {
	ports := map[string]int{startTLS: 587, implicitTLS: 465, noTLS: 25}
	if s.Security == "" {
		s.Security = startTLS
	}
	if s.Port == 0 {
		s.Port = ports[s.Security]
	}
	c.Require(s.Host != "" && !strings.ContainsAny(s.Host, ":/ "), field+".host", casework.Say("请填写邮件服务器主机名", "name the mail server's host"))
	c.Require(ports[s.Security] != 0, field+".security", casework.Say("应为 starttls、implicit 或 none", "must be starttls, implicit or none"))
	c.Require(s.Port > 0 && s.Port < 1<<16, field+".port", casework.Say("应为端口号", "must be a port"))
	c.Require(casework.MailAddress(s.From), field+".from", casework.Say("应为邮箱地址 name@example.cn", "must be an address: name@example.cn"))
	for _, to := range s.To {
		c.Require(casework.MailAddress(to), field+".to", casework.Say("应为邮箱地址 name@example.cn", "must be addresses: name@example.cn"))
	}
	c.Require(s.Username == "" || s.Security != noTLS, field+".security", casework.Say("未加密的连接不登录", "no signing in without TLS"))
	password := ""
	if s.Username != "" || s.PasswordEnv != "" {
		password = secret("password_env", s.PasswordEnv, true)
		c.Require(s.Username != "", field+".username", casework.Say("请填写用户名", "the user name is missing"))
	}
	return mail{
		name: s.Name, host: s.Host, port: s.Port, security: s.Security, from: s.From,
		username: s.Username, password: password, to: s.To, now: time.Now,
	}
}

// checkURL judges an address without repeating it. What holds a robot's key
// goes over TLS, except on this machine.
func checkURL(c *casework.Check, field, address string, plainAllowed bool) {
	if address == "" {
		return // said already
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		c.Field(field, casework.Say("变量的值应为 https:// 地址", "the variable must hold an https:// address"))
		return
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	c.Require(u.Scheme == "https" || plainAllowed || local, field, casework.Say("机器人地址应为 https://", "a robot's address must be https://"))
}

// secretsOf are the parts of an address that nobody may see.
func secretsOf(address string) []string {
	u, err := url.Parse(address)
	if err != nil {
		return []string{address}
	}
	secrets := []string{address, u.RequestURI(), u.RawQuery}
	if u.User != nil {
		secrets = append(secrets, u.User.String())
	}
	for _, values := range u.Query() {
		secrets = append(secrets, values...)
	}
	// What is only a slash would take apart every text.
	return slices.DeleteFunc(secrets, func(s string) bool { return len(s) < 4 })
}

// carries tells whether a message goes out here. One about several districts is
// for the outlets of each.
func (r *route) carries(m casework.Message) bool {
	return m.Level >= r.MinLevel &&
		(len(r.Roles) == 0 || slices.Contains(r.Roles, m.To)) &&
		(len(r.Districts) == 0 || m.District == casework.AllDistricts || slices.Contains(r.Districts, m.District)) &&
		(len(r.Kinds) == 0 || slices.Contains(r.Kinds, m.Kind))
}

// Find gives the outlet of a name.
func (o *Outlets) Find(name string) (Outlet, bool) {
	for _, r := range o.routes {
		if r.Outlet.Name() == name {
			return r.Outlet, true
		}
	}
	return nil, false
}

// Names lists the outlets by name.
func (o *Outlets) Names() []string {
	names := make([]string, len(o.routes))
	for i, r := range o.routes {
		names[i] = r.Outlet.Name()
	}
	return names
}

// Describe says of each outlet what it is and what it carries, without secrets.
func (o *Outlets) Describe() []string {
	said := make([]string, len(o.routes))
	for i, r := range o.routes {
		parts := []string{fmt.Sprintf("%-16s %-8s", r.settings.Name, r.Kind)}
		list := func(name string, n int, values any) {
			if n > 0 {
				parts = append(parts, fmt.Sprintf("%s=%v", name, values))
			}
		}
		list("roles", len(r.Roles), r.Roles)
		list("districts", len(r.Districts), r.Districts)
		list("kinds", len(r.Kinds), r.Kinds)
		list("min_level", r.MinLevel, r.MinLevel)
		list("per_minute", r.pace.perMinute, r.pace.perMinute)
		list("host", len(r.Host), r.Host)
		list("to", len(r.settings.To), len(r.settings.To))
		said[i] = strings.Join(parts, " ")
	}
	return said
}

// Test makes the notice with which somebody sees whether an outlet works.
func Test(at time.Time, to ...string) Notice {
	return Notice{To: to, Message: casework.Message{
		ID: "test/" + at.UTC().Format("20060102T150405.000Z"), Kind: testKind, At: at,
		Text: casework.Say("通道测试，请忽略", "a test of this outlet; please ignore it"),
	}}
}

// pace keeps an outlet below what it takes in a minute, and lets it rest when
// it asks for that.
type pace struct {
	perMinute int // 0: no bound

	mu    sync.Mutex
	calls []time.Time // of the last minute
	rest  time.Time
}

// most is how many messages it may be given now.
func (p *pace) most(now time.Time, batch int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.rest) {
		return 0
	}
	if p.perMinute == 0 {
		return batch
	}
	p.calls = slices.DeleteFunc(p.calls, func(t time.Time) bool { return !t.After(now.Add(-time.Minute)) })
	return max(0, min(batch, p.perMinute-len(p.calls)))
}

// resting is until when it wants to be left alone; zero: it does not.
func (p *pace) resting(now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.rest) {
		return p.rest
	}
	return time.Time{}
}

func (p *pace) called(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.perMinute > 0 {
		p.calls = append(p.calls, now)
	}
}

func (p *pace) restUntil(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.After(p.rest) {
		p.rest = t
	}
}
