package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/curbstop/curbstop/casework"
)

// The headers of a webhook. The receiver takes each message ID once, refuses a
// timestamp that is minutes away from its own clock, and compares the
// signature: "v1=" and the HMAC-SHA256, in lower hex, of timestamp, a dot and
// the body as it came.
const (
	HeaderMessage   = "Idempotency-Key"
	HeaderTimestamp = "Curbstop-Timestamp" // seconds since 1970
	HeaderSignature = "Curbstop-Signature"
)

// Sign gives the signature of a webhook's body at a moment.
func Sign(secret string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// poster sends bodies by HTTP. Redirects are not followed: the address that was
// configured is the one that was meant.
type poster struct {
	client  *http.Client
	secrets []string // never shown
}

const postTimeout = 15 * time.Second

func newPoster(secrets ...string) poster {
	return poster{
		client: &http.Client{
			Timeout:       postTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		secrets: secrets,
	}
}

// maxBody bounds what is read of an answer.
const maxBody = 64 << 10

// post sends a body and gives the answer to a success; anything else is an
// error that says whether trying again can help.
func (p poster) post(ctx context.Context, address string, headers http.Header, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, permanent("地址无法使用", "the address can't be used") // the error would show it
	}
	r.Header = headers
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("User-Agent", "curbstop")
	answer, err := p.client.Do(r)
	if err != nil {
		// The error names the address, and with it the key of a robot.
		if named, ok := errors.AsType[*url.Error](err); ok {
			err = named.Err
		}
		return nil, passing("对方无法连接：%[1]s", "the other side can't be reached: %[1]s", without(p.secrets, err.Error()))
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil {
		return nil, passing("对方应答中断", "the answer broke off")
	}
	said := without(p.secrets, string(text))
	switch status := answer.StatusCode; {
	case status < 300:
		return text, nil
	case status < 400:
		return nil, permanent("对方要求转到别处（%[1]d），不予跟随", "the other side redirects (%[1]d), which is not followed", status)
	case status == http.StatusTooManyRequests:
		e := passing("对方限流（%[1]d）：%[2]s", "the other side asks for fewer calls (%[1]d): %[2]s", status, said)
		e.After = retryAfter(answer.Header.Get("Retry-After"))
		return nil, e
	case status == http.StatusRequestTimeout, status >= 500:
		return nil, passing("对方暂时出错（%[1]d）：%[2]s", "the other side failed (%[1]d): %[2]s", status, said)
	default:
		return nil, permanent("对方拒收（%[1]d）：%[2]s", "the other side refused (%[1]d): %[2]s", status, said)
	}
}

// retryAfter reads the header of that name in seconds, within bounds; where it
// says nothing that can be read, a minute.
func retryAfter(header string) time.Duration {
	seconds, err := strconv.Atoi(strings.TrimSpace(header))
	if err != nil || seconds <= 0 {
		return time.Minute
	}
	return min(time.Duration(seconds)*time.Second, time.Hour)
}

// webhook posts messages as JSON to a system beside ours.
type webhook struct {
	poster
	name, url, secret string
	now               func() time.Time
}

func (o webhook) Name() string { return o.name }

func (o webhook) Send(ctx context.Context, n Notice) (casework.Sent, error) {
	body, err := json.Marshal(n.Message)
	if err != nil {
		return casework.Sent{}, permanent("消息无法写成 JSON", "the message can't be written as JSON")
	}
	now := o.now()
	headers := http.Header{}
	headers.Set(HeaderMessage, inHeader(n.ID))
	headers.Set(HeaderTimestamp, strconv.FormatInt(now.Unix(), 10))
	headers.Set(HeaderSignature, Sign(o.secret, now, body))
	answer, err := o.post(ctx, o.url, headers, body)
	if err != nil {
		return casework.Sent{}, err
	}
	return casework.Sent{Text: string(body), Answer: without(o.secrets, string(answer))}, nil
}

// inHeader writes an ID so that it can stand in a header: what is neither a
// visible ASCII character nor % is percent-encoded.
func inHeader(id string) string {
	var b strings.Builder
	for _, c := range []byte(id) {
		if c > ' ' && c <= '~' && c != '%' {
			b.WriteByte(c)
			continue
		}
		b.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{c})))
	}
	return b.String()
}
