package notify

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/smtp"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/curbstop/curbstop/casework"
)

// How a mail server is spoken to.
const (
	startTLS    = "starttls" // begins in the clear and must change to TLS
	implicitTLS = "implicit" // TLS from the first byte
	noTLS       = "none"     // for a relay beside ours; without a password
)

// mail writes to persons through a mail server (SMTP).
type mail struct {
	name     string
	host     string
	port     int
	security string
	from     string
	username string
	password string
	to       []string // where a message reaches nobody in particular
	now      func() time.Time
	trust    *tls.Config // nil: the machine's certificates
}

func (o mail) Name() string { return o.name }

func (o mail) Send(ctx context.Context, n Notice) (casework.Sent, error) {
	to := n.To
	if len(to) == 0 {
		to = o.to
	}
	if len(to) == 0 {
		return casework.Sent{}, permanent("没有收件人：%[1]s无人登记邮箱，通道也未设 to", "nobody to write to: no address is known of %[2]s, and the outlet has no to",
			n.Message.To.Name(), n.Message.To)
	}
	c, err := o.connect(ctx)
	if err != nil {
		return casework.Sent{}, o.failed(err)
	}
	defer c.Close()
	accepted, refusal, err := o.envelope(c, to)
	if err != nil {
		return casework.Sent{}, o.failed(err)
	}
	w, err := c.Data()
	if err == nil {
		if _, err = w.Write(o.write(n, accepted)); err == nil {
			err = w.Close() // the server takes it, or not, here
		}
	}
	if err != nil {
		return casework.Sent{}, o.failed(err)
	}
	_ = c.Quit() // it has the mail, however it says goodbye
	return casework.Sent{To: accepted, Text: title(n.Message) + "\n\n" + plain(n.Message), Answer: refusal}, nil
}

// connect gives a connection on which mail may be sent.
func (o mail) connect(ctx context.Context) (*smtp.Client, error) {
	address := net.JoinHostPort(o.host, strconv.Itoa(o.port))
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.trust != nil {
		trust = o.trust.Clone()
	}
	trust.ServerName = o.host
	var conn net.Conn
	var err error
	if o.security == implicitTLS {
		conn, err = (&tls.Dialer{Config: trust}).DialContext(ctx, "tcp", address)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(end)
	}
	c, err := smtp.NewClient(conn, o.host)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	if err := o.enter(c, trust); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// enter secures the connection and signs in.
func (o mail) enter(c *smtp.Client, trust *tls.Config) error {
	if o.security == startTLS {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return permanent("邮件服务器不支持 STARTTLS", "the mail server does not offer STARTTLS")
		}
		if err := c.StartTLS(trust); err != nil {
			return err
		}
	}
	if o.username == "" {
		return nil
	}
	_, methods := c.Extension("AUTH")
	if slices.Contains(strings.Fields(methods), "PLAIN") {
		return c.Auth(smtp.PlainAuth("", o.username, o.password, o.host))
	}
	return c.Auth(loginAuth{o.username, o.password})
}

// envelope names sender and recipients. Those whom the server refuses are left
// out, and said, as long as it takes one.
func (o mail) envelope(c *smtp.Client, to []string) (accepted []string, refusal string, err error) {
	if err := c.Mail(o.from); err != nil {
		return nil, "", err
	}
	var refused error
	for _, address := range to {
		err := c.Rcpt(address)
		if _, answered := errors.AsType[*textproto.Error](err); err != nil && !answered {
			return nil, "", err
		}
		if err == nil {
			accepted = append(accepted, address)
			continue
		}
		// What passes by itself is worth another try, if it is all there is.
		if refused == nil || o.failed(refused).Permanent {
			refused = err
		}
	}
	if len(accepted) == 0 {
		return nil, "", refused
	}
	if n := len(to) - len(accepted); n > 0 {
		refusal = casework.Sayf("%[1]d 个地址被拒：%[2]s", "%[1]d addresses were refused: %[2]s", n, o.failed(refused).Error()).String()
	}
	return accepted, refusal, nil
}

// failed says what went wrong, and whether it will again.
func (o mail) failed(err error) *SendError {
	if e, ok := errors.AsType[*SendError](err); ok {
		return e
	}
	said := without([]string{o.password, o.username}, err.Error())
	var refused *textproto.Error
	if errors.As(err, &refused) && refused.Code >= 500 {
		return permanent("邮件服务器拒收：%[1]s", "the mail server refused: %[1]s", said)
	}
	return passing("邮件未送出：%[1]s", "the mail did not go out: %[1]s", said)
}

// write gives the mail as it goes over the wire. Its ID follows from the
// message's, so that a mail which comes twice can be told.
func (o mail) write(n Notice, to []string) []byte {
	_, domain, _ := strings.Cut(o.from, "@")
	sum := sha256.Sum256([]byte(o.name + "\x00" + n.ID))
	var b strings.Builder
	for _, header := range [][2]string{
		{"From", o.from},
		{"To", strings.Join(to, ", ")},
		{"Subject", mime.BEncoding.Encode("utf-8", title(n.Message))},
		{"Date", o.now().Format(time.RFC1123Z)},
		{"Message-ID", fmt.Sprintf("<%s@%s>", hex.EncodeToString(sum[:16]), domain)},
		{"Auto-Submitted", "auto-generated"},
		{"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "base64"},
	} {
		b.WriteString(header[0] + ": " + header[1] + "\r\n")
	}
	b.WriteString("\r\n")
	const line = 76 // RFC 2045
	for body := base64.StdEncoding.EncodeToString([]byte(plain(n.Message))); body != ""; {
		part := body[:min(line, len(body))]
		body = body[len(part):]
		b.WriteString(part + "\r\n")
	}
	return []byte(b.String())
}

// loginAuth is the method LOGIN, which some servers know alone.
type loginAuth struct{ username, password string }

func (a loginAuth) Start(server *smtp.ServerInfo) (string, []byte, error) {
	if !server.TLS {
		return "", nil, permanent("未加密的连接不发送密码", "no password is sent without TLS")
	}
	return "LOGIN", nil, nil
}

func (a loginAuth) Next(question []byte, more bool) ([]byte, error) {
	switch {
	case !more:
		return nil, nil
	case strings.HasPrefix(strings.ToLower(string(question)), "user"):
		return []byte(a.username), nil
	default:
		return []byte(a.password), nil
	}
}
