package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// at reads "2026-11-24 10:00" as a moment in Shanghai.
func at(t testing.TB, s string) time.Time {
	t.Helper()
	moment, err := time.ParseInLocation("2006-01-02 15:04", s, calendar.Shanghai)
	require.NoError(t, err)
	return moment
}

func breach() Notice {
	return Notice{Message: casework.Message{
		ID: "W20261124-00001-T1/breach", Case: "W20261124-00001", Kind: casework.MessageRung, Escalation: "W20261124-00001-T1/breach", Level: 1,
		To: casework.TaskforceOffice, Department: "taskforce", District: "340202", Text: casework.Say("超时：联系客户", "breach: contact_customer"),
		DueAt: time.Date(2026, 11, 24, 17, 30, 0, 0, calendar.Shanghai), At: time.Date(2026, 11, 24, 17, 30, 0, 0, calendar.Shanghai),
	}}
}

// The vector was worked out apart from this program, from DingTalk's rule, with
// an invented key.
func TestDingTalkSignature(t *testing.T) {
	t.Parallel()
	const (
		secret         = "SECTEST"
		milliseconds   = "1795600000000"
		signURLEncoded = "2KIGsxDUzLwjAg91W%2FaZGOVMTtjitGa%2BapiOy7OpPNU%3D"
	)
	require.Equal(t, signURLEncoded, url.QueryEscape(dingtalkSign(secret, milliseconds)))
}

// The signature is what `printf '%s.%s' 1795600000 '{"id":"x"}' | openssl dgst
// -sha256 -hmac secret` prints.
func TestWebhookSignature(t *testing.T) {
	t.Parallel()
	require.Equal(t, "v1=902155ea5c6287a184053c5517db88bc41459e49cb27ed01bf8613c04bdd571a", Sign("secret", time.Unix(1795600000, 0), []byte(`{"id":"x"}`)))
}

// answerer is a server that answers each call with the next of its answers, and
// remembers what it was sent.
type answerer struct {
	*httptest.Server
	got    chan *http.Request
	bodies chan []byte
}

func answering(t testing.TB, answer http.HandlerFunc) answerer {
	t.Helper()
	a := answerer{got: make(chan *http.Request, 100), bodies: make(chan []byte, 100)}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.got <- r
		a.bodies <- body
		answer(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

func says(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// one makes the only outlet of a file.
func one(t testing.TB, file string, env map[string]string) *route {
	t.Helper()
	o, err := Parse([]byte(file), func(name string) string { return env[name] }, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Len(t, o.routes, 1)
	return o.routes[0]
}

// httpOutlet makes an outlet that speaks to a server, at a fixed moment.
func httpOutlet(t testing.TB, kind, address string) Outlet {
	t.Helper()
	file := "outlets:\n  - {name: it, kind: " + kind + ", url_env: U"
	if kind != kindWeCom {
		file += ", secret_env: S"
	}
	o := one(t, file+"}\n", map[string]string{"U": address + "/send?key=ROBOTKEY", "S": "SECTEST"}).Outlet
	now := func() time.Time { return time.UnixMilli(1795600000000) }
	switch o := o.(type) {
	case webhook:
		o.now = now
		return o
	case dingtalk:
		o.now = now
		return o
	}
	return o
}

func TestWebhookPostsSignedJSON(t *testing.T) {
	t.Parallel()
	server := answering(t, says(202, "thanks, SECTEST"))
	sent, err := httpOutlet(t, kindWebhook, server.URL).Send(t.Context(), breach())
	require.NoError(t, err)
	r, body := <-server.got, <-server.bodies
	require.Equal(t, "W20261124-00001-T1/breach", r.Header.Get(HeaderMessage))
	require.Equal(t, "1795600000", r.Header.Get(HeaderTimestamp))
	require.Equal(t, Sign("SECTEST", time.Unix(1795600000, 0), body), r.Header.Get(HeaderSignature))
	require.Equal(t, "application/json; charset=utf-8", r.Header.Get("Content-Type"))
	var m casework.Message
	require.NoError(t, json.Unmarshal(body, &m))
	require.True(t, m.At.Equal(breach().At))
	require.Equal(t, breach().Text, m.Text)
	require.Equal(t, casework.Sent{Text: string(body), Answer: "thanks, ***"}, sent)
}

func TestIDsStandInHeaders(t *testing.T) {
	t.Parallel()
	require.Equal(t, "W1-T1/%E8%B6%85%20%25", inHeader("W1-T1/超 %"))
}

func TestRobotsAreToldInMarkdown(t *testing.T) {
	t.Parallel()
	for kind, field := range map[string]string{kindWeCom: "content", kindDingTalk: "text"} {
		server := answering(t, says(200, `{"errcode":0,"errmsg":"ok"}`))
		sent, err := httpOutlet(t, kind, server.URL).Send(t.Context(), breach())
		require.NoError(t, err)
		r := <-server.got
		var m struct {
			Kind     string            `json:"msgtype"`
			Markdown map[string]string `json:"markdown"`
		}
		require.NoError(t, json.Unmarshal(<-server.bodies, &m))
		require.Equal(t, "markdown", m.Kind)
		require.Equal(t, sent.Text, m.Markdown[field])
		require.Contains(t, sent.Text, "**【提醒与升级 级别1】W20261124-00001 镜湖区**")
		require.Contains(t, sent.Text, "超时：联系客户")
		require.Equal(t, "ok", sent.Answer)
		require.Equal(t, "ROBOTKEY", r.URL.Query().Get("key"))
		if kind == kindDingTalk {
			require.Equal(t, "1795600000000", r.URL.Query().Get("timestamp"))
			require.Contains(t, r.URL.RawQuery, "sign=2KIGsxDUzLwjAg91W%2FaZGOVMTtjitGa%2BapiOy7OpPNU%3D")
		}
	}
}

// What an outlet answers decides whether it is asked again, and nothing that it
// says gives a secret away.
func TestWhatOutletsAnswer(t *testing.T) {
	t.Parallel()
	type outcome struct {
		Permanent bool
		After     time.Duration
	}
	for name, test := range map[string]struct {
		kinds  []string
		answer http.HandlerFunc
		want   outcome
		text   string
	}{
		"too many":           {[]string{kindWebhook, kindWeCom, kindDingTalk}, says(429, "slow", "Retry-After", "7"), outcome{After: 7 * time.Second}, "429"},
		"too many, no words": {[]string{kindWebhook}, says(429, "", "Retry-After", "Tue, 24 Nov 2026 08:00:00 GMT"), outcome{After: time.Minute}, "429"},
		"failed":             {[]string{kindWebhook, kindWeCom, kindDingTalk}, says(500, "key=ROBOTKEY"), outcome{}, "500"},
		"unavailable":        {[]string{kindWebhook}, says(503, ""), outcome{}, "503"},
		"timed out":          {[]string{kindWebhook}, says(408, ""), outcome{}, "408"},
		"refused":            {[]string{kindWebhook, kindWeCom, kindDingTalk}, says(403, "who are you, ROBOTKEY?"), outcome{Permanent: true}, "who are you, ***?"},
		"redirects":          {[]string{kindWebhook, kindWeCom, kindDingTalk}, says(307, "", "Location", "http://127.0.0.1:1/elsewhere"), outcome{Permanent: true}, "307"},
		"no robot":           {[]string{kindWeCom, kindDingTalk}, says(200, "<html>ROBOTKEY"), outcome{Permanent: true}, "<html>***"},
		"no code":            {[]string{kindWeCom, kindDingTalk}, says(200, `{"ok":true}`), outcome{Permanent: true}, `"ok"`},
		"too fast, WeCom":    {[]string{kindWeCom}, says(200, `{"errcode":45009,"errmsg":"api freq out of limit"}`), outcome{After: time.Minute}, "45009"},
		"too fast, DingTalk": {[]string{kindDingTalk}, says(200, `{"errcode":130101,"errmsg":"send too fast"}`), outcome{After: time.Minute}, "130101"},
		"busy":               {[]string{kindWeCom, kindDingTalk}, says(200, `{"errcode":-1,"errmsg":"system busy"}`), outcome{}, "busy"},
		"wrong key":          {[]string{kindWeCom}, says(200, `{"errcode":93000,"errmsg":"invalid webhook url, hint ROBOTKEY"}`), outcome{Permanent: true}, "93000"},
		"wrong signature":    {[]string{kindDingTalk}, says(200, `{"errcode":310000,"errmsg":"sign not match"}`), outcome{Permanent: true}, "310000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, kind := range test.kinds {
				server := answering(t, test.answer)
				_, err := httpOutlet(t, kind, server.URL).Send(t.Context(), breach())
				why, ok := errors.AsType[*SendError](err)
				require.True(t, ok, err)
				require.Equal(t, test.want, outcome{why.Permanent, why.After}, kind)
				require.Contains(t, err.Error(), test.text)
				noSecrets(t, err.Error())
				require.Len(t, server.got, 1, "asked once")
			}
		})
	}
}

func noSecrets(t testing.TB, text string) {
	t.Helper()
	for _, secret := range []string{"ROBOTKEY", "SECTEST", "/send"} {
		require.NotContains(t, text, secret)
	}
}

func TestSilentAndAbsentServers(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	silent := answering(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	for _, kind := range []string{kindWebhook, kindWeCom, kindDingTalk} {
		for name, address := range map[string]string{"silent": silent.URL, "absent": "http://127.0.0.1:1"} {
			ctx, cancel := context.WithCancel(t.Context())
			if name == "silent" {
				go func() {
					<-silent.got
					cancel()
				}()
			}
			_, err := httpOutlet(t, kind, address).Send(ctx, breach())
			cancel()
			why, ok := errors.AsType[*SendError](err)
			require.True(t, ok, err)
			require.False(t, why.Permanent)
			noSecrets(t, err.Error())
		}
	}
}

func TestLogOutletWritesTheMessage(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	o := Default(slog.New(slog.NewTextHandler(&log, nil))).routes[0]
	sent, err := o.Send(t.Context(), breach())
	require.NoError(t, err)
	require.Equal(t, casework.Sent{Text: "超时：联系客户"}, sent)
	require.Contains(t, log.String(), "message=W20261124-00001-T1/breach")
	require.True(t, o.carries(breach().Message))
}

const good = `
outlets:
  - name: office-wecom
    kind: wecom
    url_env: WECOM_URL
    roles: [taskforce_office, taskforce_lead]
    min_level: 1
    kinds: [rung, climb]
    districts: ["340202"]
  - {name: lead-ding, kind: dingtalk, url_env: DING_URL, secret_env: DING_SECRET, roles: [taskforce_lead], per_minute: 5}
  - {name: desk, kind: webhook, url_env: HOOK_URL, secret_env: HOOK_SECRET}
  - name: mail
    kind: smtp
    host: smtp.example.cn
    from: curbstop@example.cn
    username: curbstop
    password_env: MAIL_PASSWORD
    to: [office@example.cn]
  - {name: log, kind: log}
`

var goodEnv = map[string]string{
	"WECOM_URL": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=ROBOTKEY", "DING_URL": "https://oapi.dingtalk.com/robot/send?access_token=ROBOTKEY",
	"DING_SECRET": "SECTEST", "HOOK_URL": "http://desk.lan/hook", "HOOK_SECRET": "SECTEST", "MAIL_PASSWORD": "SECTEST",
}

func TestOutletsOfAFile(t *testing.T) {
	t.Parallel()
	o, err := Parse([]byte(good), func(name string) string { return goodEnv[name] }, slog.Default())
	require.NoError(t, err)
	require.Equal(t, []string{"office-wecom", "lead-ding", "desk", "mail", "log"}, o.Names())
	said := strings.Join(o.Describe(), "\n")
	noSecrets(t, said)
	require.Contains(t, said, "per_minute=20")
	require.Contains(t, said, "per_minute=5")
	_, found := o.Find("mail")
	require.True(t, found)
	_, found = o.Find("pigeon")
	require.False(t, found)
	post, ok := o.routes[3].Outlet.(mail)
	require.True(t, ok)
	require.Equal(t, 587, post.port)

	through := func(change func(*casework.Message)) (names []string) {
		m := breach().Message
		change(&m)
		for _, r := range o.routes {
			if r.carries(m) {
				names = append(names, r.Outlet.Name())
			}
		}
		return names
	}
	rest := []string{"desk", "mail", "log"}
	require.Equal(t, append([]string{"office-wecom"}, rest...), through(func(*casework.Message) {}))
	require.Equal(t, append([]string{"office-wecom", "lead-ding"}, rest...), through(func(m *casework.Message) { m.To = casework.TaskforceLead }))
	require.Equal(t, rest, through(func(m *casework.Message) { m.Level = 0 }))
	require.Equal(t, rest, through(func(m *casework.Message) { m.District = "340207" }))
	require.Equal(t, append([]string{"office-wecom"}, rest...), through(func(m *casework.Message) { m.District = casework.AllDistricts }))
	require.Equal(t, rest, through(func(m *casework.Message) { m.Kind = casework.MessagePauseEnd }))
}

func TestBrokenFilesOfOutlets(t *testing.T) {
	t.Parallel()
	hook := func(more string) string {
		return "outlets:\n  - {name: desk, kind: webhook, url_env: HOOK_URL, secret_env: HOOK_SECRET" + more + "}\n"
	}
	post := func(more string) string {
		return "outlets:\n  - {name: mail, kind: smtp, host: smtp.example.cn, from: a@example.cn" + more + "}\n"
	}
	for name, test := range map[string]struct{ file, field string }{
		"nothing":           {"outlets: []\n", "outlets"},
		"twice":             {good + "  - {name: log, kind: log}\n", "outlets[5].name"},
		"bad name":          {"outlets:\n  - {name: 微信, kind: log}\n", "outlets[0].name"},
		"unknown kind":      {"outlets:\n  - {name: sms, kind: sms}\n", "outlets[0].kind"},
		"unknown role":      {hook(", roles: [king]"), "outlets[0].roles"},
		"unknown district":  {hook(`, districts: ["340208"]`), "outlets[0].districts"},
		"unknown occasion":  {hook(", kinds: [birthday]"), "outlets[0].kinds"},
		"level":             {hook(", min_level: 4"), "outlets[0].min_level"},
		"pace":              {hook(", per_minute: -1"), "outlets[0].per_minute"},
		"foreign setting":   {hook(", host: x.example.cn"), "outlets[0].host"},
		"no address":        {"outlets:\n  - {name: desk, kind: webhook, secret_env: HOOK_SECRET}\n", "outlets[0].url_env"},
		"variable not set":  {"outlets:\n  - {name: w, kind: wecom, url_env: NOT_SET}\n", "outlets[0].url_env"},
		"no address at all": {"outlets:\n  - {name: w, kind: wecom, url_env: HOOK_SECRET}\n", "outlets[0].url_env"},
		"robot without TLS": {"outlets:\n  - {name: w, kind: wecom, url_env: HOOK_URL}\n", "outlets[0].url_env"},
		"no secret":         {"outlets:\n  - {name: desk, kind: webhook, url_env: HOOK_URL}\n", "outlets[0].secret_env"},
		"sender":            {"outlets:\n  - {name: mail, kind: smtp, host: smtp.example.cn, from: '报装 <a@example.cn>'}\n", "outlets[0].from"},
		"recipient":         {post(`, to: ["a@example.cn\nBcc: b@example.cn"]`), "outlets[0].to"},
		"security":          {post(", security: hope"), "outlets[0].security"},
		"password in clear": {post(", security: none, username: u, password_env: MAIL_PASSWORD"), "outlets[0].security"},
		"no user name":      {post(", password_env: MAIL_PASSWORD"), "outlets[0].username"},
		"no password":       {post(", username: u"), "outlets[0].password_env"},
		"port":              {post(", port: 70000"), "outlets[0].port"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(test.file), func(name string) string { return goodEnv[name] }, slog.Default())
			f, ok := errors.AsType[*casework.Fault](err)
			require.True(t, ok, "%v", err)
			var fields []string
			for _, field := range f.Fields {
				fields = append(fields, field.Field)
				require.NotEmpty(t, field.ZH)
				require.NotEmpty(t, field.EN)
			}
			require.Contains(t, fields, test.field)
			noSecrets(t, err.Error())
		})
	}
	_, err := Parse([]byte("outlets:\n  - {name: w, kind: wecom, url: https://example.cn}\n"), os.Getenv, slog.Default())
	require.ErrorContains(t, err, "url")
	require.ErrorContains(t, err, "通道文件无法读取")
}

func TestPaceKeepsBelowWhatAnOutletTakes(t *testing.T) {
	t.Parallel()
	p := pace{perMinute: 3}
	now := at(t, "2026-11-24 10:00")
	for i := range 3 {
		require.Equal(t, 3-i, p.most(now, 100))
		p.called(now)
		now = now.Add(10 * time.Second)
	}
	require.Zero(t, p.most(now, 100))
	require.Equal(t, 1, p.most(now.Add(30*time.Second), 100), "the first is a minute ago")
	require.Equal(t, 3, p.most(now.Add(time.Hour), 100))
	require.Equal(t, 2, p.most(now.Add(time.Hour), 2))
	p.restUntil(now.Add(2 * time.Hour))
	require.Zero(t, p.most(now.Add(time.Hour), 100))
	require.Equal(t, now.Add(2*time.Hour), p.resting(now))
	require.Zero(t, p.resting(now.Add(2*time.Hour)))
	free := pace{}
	require.Equal(t, 100, free.most(now, 100))
}
