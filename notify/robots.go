package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/curbstop/curbstop/casework"
)

// robotsPerMinute is what the robots of WeCom and DingTalk take in a minute;
// both then refuse for a while.
const robotsPerMinute = 20

// The error codes with which the robots say that it is too much, and that they
// are busy. All others will not pass by themselves: a wrong key, a signature or
// keyword that the group asks for, a robot that was removed.
var (
	tooFast   = []int{45009, 45033, 130101, 410100, 90030}
	robotBusy = -1
)

// robotAnswer is what both kinds of robot answer, always with status 200.
type robotAnswer struct {
	Code    *int   `json:"errcode"`
	Message string `json:"errmsg"`
}

// tell posts a message to a robot and reads its answer.
func (p poster) tell(ctx context.Context, address string, message any, text string) (casework.Sent, error) {
	body, err := json.Marshal(message)
	if err != nil {
		return casework.Sent{}, permanent("消息无法写成 JSON", "the message can't be written as JSON")
	}
	raw, err := p.post(ctx, address, http.Header{}, body)
	if err != nil {
		return casework.Sent{}, err
	}
	var answer robotAnswer
	if json.Unmarshal(raw, &answer) != nil || answer.Code == nil {
		return casework.Sent{}, permanent("应答不是机器人的：%[1]s", "not the answer of a robot: %[1]s", without(p.secrets, string(raw)))
	}
	code, said := *answer.Code, without(p.secrets, answer.Message)
	switch {
	case code == 0:
		return casework.Sent{Text: text, Answer: said}, nil
	case slices.Contains(tooFast, code):
		e := passing("机器人限流（%[1]d）：%[2]s", "the robot asks for fewer messages (%[1]d): %[2]s", code, said)
		e.After = time.Minute
		return casework.Sent{}, e
	case code == robotBusy:
		return casework.Sent{}, passing("机器人忙（%[1]d）：%[2]s", "the robot is busy (%[1]d): %[2]s", code, said)
	default:
		return casework.Sent{}, permanent("机器人拒收（%[1]d）：%[2]s", "the robot refused (%[1]d): %[2]s", code, said)
	}
}

// wecom is the robot of a group in WeCom (企业微信群机器人). Its key is part of
// its address.
type wecom struct {
	poster
	name, url string
}

func (o wecom) Name() string { return o.name }

func (o wecom) Send(ctx context.Context, n Notice) (casework.Sent, error) {
	text := markdown(n.Message)
	return o.tell(ctx, o.url, map[string]any{"msgtype": "markdown", "markdown": map[string]any{"content": text}}, text)
}

// dingtalk is the robot of a group in DingTalk (钉钉自定义机器人). Its token is
// part of its address; groups that ask for signatures (加签) have a secret too.
type dingtalk struct {
	poster
	name, url, secret string
	now               func() time.Time
}

func (o dingtalk) Name() string { return o.name }

func (o dingtalk) Send(ctx context.Context, n Notice) (casework.Sent, error) {
	address, err := url.Parse(o.url)
	if err != nil {
		return casework.Sent{}, permanent("地址无法使用", "the address can't be used")
	}
	if o.secret != "" {
		at := strconv.FormatInt(o.now().UnixMilli(), 10)
		query := address.Query()
		query.Set("timestamp", at)
		query.Set("sign", dingtalkSign(o.secret, at))
		address.RawQuery = query.Encode()
	}
	text := markdown(n.Message)
	return o.tell(ctx, address.String(), map[string]any{"msgtype": "markdown", "markdown": map[string]any{"title": title(n.Message), "text": text}}, text)
}

// dingtalkSign signs a moment in milliseconds as the robots ask for it.
func dingtalkSign(secret, milliseconds string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(milliseconds + "\n" + secret))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
