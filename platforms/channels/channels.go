// Package channels answers what the WeChat account (微信公众号) needs beyond our
// public API: the echo by which the platform verifies an address, and an answer
// to whatever its users write, which is kept and asks for nothing by itself.
// The mini program and the company's site speak to the public API alone.
package channels

import (
	"net/http"
	"net/url"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/mapping"
)

// Adapter answers the platform's calls. For a call without a body, the message
// holds its query.
type Adapter struct{}

var _ platforms.Adapter = Adapter{}

// New makes the adapter.
func New() Adapter { return Adapter{} }

// maxEcho bounds what is sent back: real echoes have some twenty digits.
const maxEcho = 256

// Read implements [platforms.Adapter].
func (Adapter) Read(m platforms.Message) ([]platforms.Item, error) {
	if len(echo(m)) > maxEcho {
		return nil, mapping.Faulty("echostr", casework.Sayf("过长，最多 %d 字节", "too long: at most %d bytes", maxEcho))
	}
	return nil, nil
}

// echo gives the text that the platform wants back, if it asks for one.
func echo(m platforms.Message) string {
	if len(m.Body) > 0 && m.Body[0] == '<' {
		return "" // an event, in XML
	}
	query, err := url.ParseQuery(string(m.Body))
	if err != nil {
		return ""
	}
	return query.Get("echostr")
}

// Reply implements [platforms.Adapter]. The platform calls again when it gets
// anything but its echo, or the word success.
func (Adapter) Reply(m platforms.Message, o platforms.Outcome) platforms.Reply {
	body := "success"
	if e := echo(m); e != "" && o.Fault == nil {
		body = e
	}
	return platforms.Reply{Status: http.StatusOK, ContentType: "text/plain; charset=utf-8", Body: []byte(body)}
}

// Report implements [platforms.Adapter]: customers are told by other ways.
func (Adapter) Report(platforms.Report) (platforms.Outgoing, bool, error) {
	return platforms.Outgoing{}, false, nil
}

// Judge implements [platforms.Adapter].
func (Adapter) Judge(platforms.Outgoing, int, []byte) error { return nil }
