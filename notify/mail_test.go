package notify

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
)

// postOffice is a mail server of a few lines.
type postOffice struct {
	auth   string            // the methods that it offers; empty: none
	plain  bool              // offers no STARTTLS
	refuse map[string]string // an answer to a command that begins so

	address string
	mu      sync.Mutex
	heard   []string // commands
	mails   []string
}

var testCertificate = sync.OnceValue(func() *tls.Config {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return s.TLS.Clone()
})

// trust believes in the test's certificate, which is for 127.0.0.1.
func trust() *tls.Config {
	pool := x509.NewCertPool()
	certificate, err := x509.ParseCertificate(testCertificate().Certificates[0].Certificate[0])
	if err != nil {
		panic(err)
	}
	pool.AddCert(certificate)
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

func (p *postOffice) open(t testing.TB, implicit bool) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	if implicit {
		l = tls.NewListener(l, &tls.Config{Certificates: testCertificate().Certificates, MinVersion: tls.VersionTLS12})
	}
	p.address = l.Addr().String()
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() { p.serve(conn, implicit) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		group.Wait()
	})
}

func (p *postOffice) serve(conn net.Conn, secure bool) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	in := bufio.NewReader(conn)
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(conn, format+"\r\n", args...) }
	line := func() (string, bool) {
		s, err := in.ReadString('\n')
		return strings.TrimRight(s, "\r\n"), err == nil
	}
	say("220 office")
	for {
		command, ok := line()
		if !ok {
			return
		}
		p.mu.Lock()
		p.heard = append(p.heard, command)
		p.mu.Unlock()
		if answer := p.refusal(command); answer != "" {
			say("%s", answer)
			continue
		}
		switch verb, _, _ := strings.Cut(command, " "); verb {
		case "EHLO":
			say("250-office") // the greeting; what follows is offered
			if !secure && !p.plain {
				say("250-STARTTLS")
			}
			if p.auth != "" {
				say("250-AUTH %s", p.auth)
			}
			say("250 8BITMIME")
		case "STARTTLS":
			say("220 go on")
			conn = tls.Server(conn, &tls.Config{Certificates: testCertificate().Certificates, MinVersion: tls.VersionTLS12})
			in, secure = bufio.NewReader(conn), true
		case "AUTH":
			if strings.HasPrefix(command, "AUTH LOGIN") {
				for _, question := range []string{"Username:", "Password:"} {
					say("334 %s", base64.StdEncoding.EncodeToString([]byte(question)))
					answer, _ := line()
					p.mu.Lock()
					p.heard = append(p.heard, answer)
					p.mu.Unlock()
				}
			}
			say("235 welcome")
		case "DATA":
			say("354 go on")
			var mail strings.Builder
			for {
				s, ok := line()
				if !ok {
					return
				}
				if s == "." {
					break
				}
				mail.WriteString(s + "\r\n")
			}
			if answer := p.refusal("CONTENT"); answer != "" {
				say("%s", answer)
				continue
			}
			p.mu.Lock()
			p.mails = append(p.mails, mail.String())
			p.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (p *postOffice) refusal(command string) string {
	for prefix, answer := range p.refuse {
		if strings.HasPrefix(command, prefix) {
			return answer
		}
	}
	return ""
}

// said gives the commands that it heard, taken the mails that it took.
func (p *postOffice) said() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.heard)
}

func (p *postOffice) taken() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.mails)
}

func (p *postOffice) outlet(t testing.TB, security string) mail {
	t.Helper()
	host, port, err := net.SplitHostPort(p.address)
	require.NoError(t, err)
	user := "username: curbstop, password_env: P, "
	if p.auth == "" {
		user = ""
	}
	file := fmt.Sprintf("outlets:\n  - {name: post, kind: smtp, host: %q, port: %s, security: %s, %sfrom: curbstop@example.cn, to: [office@example.cn]}\n", host, port, security, user)
	o, ok := one(t, file, map[string]string{"P": "PASSWORD1"}).Outlet.(mail)
	require.True(t, ok)
	o.trust, o.now = trust(), func() time.Time { return time.Unix(1795600000, 0).UTC() }
	return o
}

func TestMailGoesOut(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		security string
		auth     string
		said     string // by which it signs in
	}{
		"STARTTLS and PLAIN":     {startTLS, "LOGIN PLAIN", "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00curbstop\x00PASSWORD1"))},
		"implicit TLS and LOGIN": {implicitTLS, "LOGIN", base64.StdEncoding.EncodeToString([]byte("PASSWORD1"))},
		"STARTTLS alone":         {startTLS, "", "STARTTLS"},
		"in the clear":           {noTLS, "", "EHLO localhost"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			office := &postOffice{auth: test.auth}
			office.open(t, test.security == implicitTLS)
			n := breach()
			n.To = []string{"zhou@example.cn", "wu@example.cn"}
			sent, err := office.outlet(t, test.security).Send(t.Context(), n)
			require.NoError(t, err)
			require.Equal(t, n.To, sent.To)
			require.Empty(t, sent.Answer)
			require.Contains(t, office.said(), test.said)
			require.Contains(t, office.said(), "RCPT TO:<wu@example.cn>")
			require.Len(t, office.taken(), 1)
			got, err := netmail.ReadMessage(strings.NewReader(office.taken()[0]))
			require.NoError(t, err)
			subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
			require.NoError(t, err)
			require.Equal(t, "【提醒与升级 级别1】W20261124-00001 镜湖区", subject)
			require.Equal(t, "zhou@example.cn, wu@example.cn", got.Header.Get("To"))
			require.Regexp(t, `^<[0-9a-f]{32}@example\.cn>$`, got.Header.Get("Message-Id"))
			require.Equal(t, "auto-generated", got.Header.Get("Auto-Submitted"))
			date, err := got.Header.Date()
			require.NoError(t, err)
			require.True(t, date.Equal(time.Unix(1795600000, 0)))
			body, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, got.Body))
			require.NoError(t, err)
			require.Contains(t, string(body), "超时：联系客户\nbreach: contact_customer\n\n案件 case：W20261124-00001\n区县 district：镜湖区\n")
			require.Equal(t, subject+"\n\n"+string(body), sent.Text)

			// A mail that comes twice can be told by its ID.
			_, err = office.outlet(t, test.security).Send(t.Context(), n)
			require.NoError(t, err)
			second, err := netmail.ReadMessage(strings.NewReader(office.taken()[1]))
			require.NoError(t, err)
			require.Equal(t, got.Header.Get("Message-Id"), second.Header.Get("Message-Id"))
		})
	}
}

func TestMailThatReachesNobodyInParticularGoesToTheOutletsOwn(t *testing.T) {
	t.Parallel()
	office := &postOffice{}
	office.open(t, false)
	o := office.outlet(t, startTLS)
	sent, err := o.Send(t.Context(), breach())
	require.NoError(t, err)
	require.Equal(t, []string{"office@example.cn"}, sent.To)
	o.to = nil
	_, err = o.Send(t.Context(), breach())
	why, ok := errors.AsType[*SendError](err)
	require.True(t, ok)
	require.True(t, why.Permanent)
	require.Contains(t, why.Text.ZH, "营商专班办公室")
}

// One address that the server does not know holds up nobody else.
func TestRefusedAddressesAreLeftOutAndSaid(t *testing.T) {
	t.Parallel()
	office := &postOffice{refuse: map[string]string{"RCPT TO:<gone": "550 no such user"}}
	office.open(t, false)
	n := breach()
	n.To = []string{"gone@example.cn", "wu@example.cn"}
	sent, err := office.outlet(t, startTLS).Send(t.Context(), n)
	require.NoError(t, err)
	require.Equal(t, []string{"wu@example.cn"}, sent.To)
	require.Contains(t, sent.Answer, `550 "no such user"`)
	require.NotContains(t, office.taken()[0], "gone@example.cn")
}

func TestWhatMailServersRefuse(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		office    *postOffice
		permanent bool
		text      string
	}{
		"no STARTTLS":       {&postOffice{plain: true}, true, "STARTTLS"},
		"password":          {&postOffice{auth: "PLAIN", refuse: map[string]string{"AUTH": "535 bad PASSWORD1"}}, true, `535 "bad ***"`},
		"try later":         {&postOffice{auth: "PLAIN", refuse: map[string]string{"AUTH": "454 later"}}, false, "454"},
		"sender":            {&postOffice{refuse: map[string]string{"MAIL": "553 not you"}}, true, "553"},
		"all recipients":    {&postOffice{refuse: map[string]string{"RCPT": "550 nobody"}}, true, "550"},
		"all of them, yet":  {&postOffice{refuse: map[string]string{"RCPT TO:<zhou": "550 nobody", "RCPT TO:<wu": "451 greylisted"}}, false, "451"},
		"content":           {&postOffice{refuse: map[string]string{"CONTENT": "554 spam"}}, true, "554"},
		"content, for now":  {&postOffice{refuse: map[string]string{"CONTENT": "452 full"}}, false, "452"},
		"it hangs up early": {&postOffice{refuse: map[string]string{"DATA": "421 closing"}}, false, "421"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.office.open(t, false)
			n := breach()
			n.To = []string{"zhou@example.cn", "wu@example.cn"}
			_, err := test.office.outlet(t, startTLS).Send(t.Context(), n)
			why, ok := errors.AsType[*SendError](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, test.permanent, why.Permanent, why.Error())
			require.Contains(t, why.Error(), test.text)
			require.NotContains(t, why.Error(), "PASSWORD1")
			require.Empty(t, test.office.taken())
		})
	}
	_, err := mail{host: "127.0.0.1", port: 1, security: noTLS, from: "a@example.cn", to: []string{"b@example.cn"}, now: time.Now}.Send(t.Context(), breach())
	why, ok := errors.AsType[*SendError](err)
	require.True(t, ok)
	require.False(t, why.Permanent)
}

func TestMailServersMustProveThemselves(t *testing.T) {
	t.Parallel()
	office := &postOffice{auth: "PLAIN"}
	office.open(t, false)
	o := office.outlet(t, startTLS)
	o.trust = nil
	_, err := o.Send(t.Context(), breach())
	require.ErrorContains(t, err, "certificate")
	require.NotContains(t, strings.Join(office.said(), "\n"), "AUTH")
}

func TestMailAddresses(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"wang@water.example.cn": true, "a.b+c@x.cn": true, "": false, "wang": false, "wang@": false, "@x.cn": false, "wang@x": false,
		"王@x.cn": false, "a@x.cn, b@x.cn": false, "a@x.cn\r\nBcc: b@x.cn": false, "<a@x.cn>": false, "a@-x.cn": false, strings.Repeat("a", 65) + "@x.cn": false,
	} {
		require.Equal(t, ok, casework.MailAddress(address), address)
	}
}
