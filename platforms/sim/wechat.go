package sim

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// wechat is the adapter's name of the WeChat account (微信公众号), which asks for
// nothing of its own: it verifies the address by an echo, and passes on what its
// users write.
const wechat = "channels"

// greet does both, once.
func (w *World) greet(ctx context.Context, s sender) {
	echo := fmt.Sprintf("%s%019d", w.mark, w.o.Seed)
	verify := message{kind: "wechat?echostr=" + echo, external: echo}
	w.echoed(ctx, s, verify, sending{method: http.MethodGet}, echo)
	event := message{kind: "wechat", contentType: "text/xml", external: w.mark, body: []byte(
		"<xml><ToUserName><![CDATA[gh_test]]></ToUserName><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[怎么报装用水]]></Content><MsgId>" + w.mark + "</MsgId></xml>")}
	w.echoed(ctx, s, event, sending{}, "success")
	w.echoed(ctx, s, event, sending{wrong: Duplicate, how: "重新签名 signed anew"}, "success")
}

// echoed sends what must be answered by exactly these words.
func (w *World) echoed(ctx context.Context, s sender, m message, how sending, words string) {
	e := Entry{Direction: Sent, Platform: s.ID, Kind: m.kind, External: m.external, Wrong: how.wrong, How: how.how, Body: string(m.body), Tries: 1}
	status, _, answer, err := w.post(ctx, s, m, how)
	if err != nil {
		e.Fault = "没有应答 it was not answered"
	}
	e.Status, e.Answer, e.Good = status, shorten(string(answer)), status == http.StatusOK && string(answer) == words
	w.ledger.add(e)
}

func echoes(entries []Entry) Rule {
	r := Rule{Name: "微信原样回显 WeChat gets its echo word for word"}
	for _, e := range entries {
		if e.Direction == Sent && (e.Kind == "wechat" || strings.HasPrefix(e.Kind, "wechat?")) {
			r.look(e, e.Good, "应答 %d %s", e.Status, e.Answer)
		}
	}
	return r
}
