// Package proof judges how a sender proves who it is, and proves us to a
// platform in the same ways: a fixed token, a keyed digest, or a signature over
// a text that is put together from the request. Which text, in which fields and
// with which clock is data, so that another city's dialect needs no code.
//
// Nothing here reads a clock or remembers anything: who calls judges by
// [Proof.InTime] whether a proof is fresh, and sees to it that none is used for
// two things.
package proof

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/curbstop/curbstop/casework"
)

// The ways of a proof. All but the last two are known dialects, whose settings
// need not be said.
const (
	None     = "none"     // addresses alone
	Token    = "token"    // a fixed token
	BG       = "bg-hmac"  // HMAC-SHA256 over method, path, query, key and date
	TIF      = "tif"      // SHA-256 of timestamp, token, nonce, timestamp
	MD5      = "md5"      // MD5 of an application's code and the time
	WeChat   = "wechat"   // SHA-1 of token, timestamp and nonce, sorted
	DingTalk = "dingtalk" // HMAC-SHA256 of the time
	SM3      = "sm3"      // keyed SM3 digest of time, nonce and body
	HMACSM3  = "hmac-sm3"
	SM2      = "sm2"
	RSA      = "rsa" // PKCS #1 v1.5, SHA-256
	RSAPSS   = "rsa-pss"
	Signed   = "signed" // everything is said in the file
)

// Ways lists the ways of a proof.
func Ways() []string {
	return []string{None, Token, BG, TIF, MD5, WeChat, DingTalk, SM3, HMACSM3, SM2, RSA, RSAPSS, Signed}
}

// The clocks of a timestamp; anything else is a layout of Go's package time, in
// the time of Shanghai.
const (
	seconds  = "seconds"
	millis   = "millis"
	httpDate = "http"
)

// How a proof that was used is told from a new one.
const (
	byNonce     = "nonce"     // a nonce comes once
	bySignature = "signature" // a signature comes once
	replayable  = "off"       // not at all
)

// Settings say how a proof is made. A field that is not said is the dialect's.
// Secrets are never among them: they are in the environment variables that are
// named.
type Settings struct {
	Way       string `yaml:"way"`
	Algorithm string `yaml:"algorithm"` // md5, sha1, sha256, sm3, hmac-sha256, hmac-sm3, sm2, rsa-pkcs1v15, rsa-pss
	Text      string `yaml:"text"`      // what is signed, with {method} {path} {query} {params} {key} {timestamp} {nonce} {secret} {body}
	Sorted    bool   `yaml:"sorted"`    // the values of the text are sorted before they are joined
	Encoding  string `yaml:"encoding"`  // of the signature: hex or base64
	Form      string `yaml:"form"`      // of an SM2 signature: asn1 or raw (r and s, 32 bytes each)

	In        string            `yaml:"in"`        // where its fields are: header or query
	Signature string            `yaml:"signature"` // names of its fields
	Timestamp string            `yaml:"timestamp"`
	Nonce     string            `yaml:"nonce"`
	Key       string            `yaml:"key"`
	Prefix    string            `yaml:"prefix"`  // before the signature or token, such as "Bearer "
	Headers   map[string]string `yaml:"headers"` // what else we send; not asked of a sender

	KeyID         string `yaml:"key_id"` // the key's public name
	SecretEnv     string `yaml:"secret_env"`
	PublicKeyEnv  string `yaml:"public_key_env"`  // of the sender: PEM, base64 of DER, or for SM2 hex of the point
	PrivateKeyEnv string `yaml:"private_key_env"` // ours
	UserID        string `yaml:"user_id"`         // of SM2; 1234567812345678 where nothing is said

	Clock  string        `yaml:"clock"`  // seconds, millis, http, or a layout
	Window time.Duration `yaml:"window"` // how far its clock may be from ours; 5m
	Replay string        `yaml:"replay"` // nonce, signature, or off
}

const (
	defaultWindow = 5 * time.Minute
	longestWindow = 24 * time.Hour
	defaultUserID = "1234567812345678" // GM/T 0009
)

// wholeBody is what a dialect without a text of its own signs.
const wholeBody = "{timestamp}\n{nonce}\n{body}"

var dialects = map[string]Settings{
	Token: {In: inHeader, Signature: "X-Token"},
	BG: {
		Algorithm: hmacSHA256, Text: "{method}\n{path}\n{query}\n{key}\n{timestamp}\n", Encoding: asBase64, In: inHeader, Clock: httpDate,
		Signature: "X-BG-HMAC-SIGNATURE", Timestamp: "X-BG-DATE-TIME", Key: "X-BG-HMAC-ACCESS-KEY",
		Headers: map[string]string{"X-BG-HMAC-ALGORITHM": "hmac-sha256"},
	},
	TIF: {
		Algorithm: plainSHA256, Text: "{timestamp}{secret}{nonce}{timestamp}", Encoding: asHex, In: inHeader, Clock: seconds,
		Signature: "X-Tif-Signature", Timestamp: "X-Tif-Timestamp", Nonce: "X-Tif-Nonce", Key: "X-Tif-Paasid",
	},
	MD5:      {Algorithm: plainMD5, Text: "{secret}{timestamp}", Encoding: asHex, In: inHeader, Clock: millis, Signature: "sign", Timestamp: "timestamp"},
	WeChat:   {Algorithm: plainSHA1, Text: "{secret}{timestamp}{nonce}", Sorted: true, Encoding: asHex, In: inQuery, Clock: seconds, Signature: "signature", Timestamp: "timestamp", Nonce: "nonce"},
	DingTalk: {Algorithm: hmacSHA256, Text: "{timestamp}\n{secret}", Encoding: asBase64, In: inQuery, Clock: millis, Signature: "sign", Timestamp: "timestamp"},
	SM3:      {Algorithm: plainSM3, Text: "{timestamp}{secret}{nonce}{body}", Encoding: asHex},
	HMACSM3:  {Algorithm: hmacSM3, Text: wholeBody, Encoding: asHex},
	SM2:      {Algorithm: signSM2, Text: wholeBody, Encoding: asBase64},
	RSA:      {Algorithm: signRSA, Text: wholeBody, Encoding: asBase64},
	RSAPSS:   {Algorithm: signPSS, Text: wholeBody, Encoding: asBase64},
	None:     {},
	Signed:   {},
}

// filled gives the settings with what the dialect says where they say nothing.
func (s Settings) filled() Settings {
	d := dialects[s.Way]
	// The dialects in the national algorithms share their fields.
	otherwise := Settings{In: inHeader, Signature: "X-Signature", Timestamp: "X-Timestamp", Nonce: "X-Nonce", Key: "X-Key", Clock: millis, Encoding: asHex}
	pick := func(values ...string) string {
		for _, v := range values {
			if v != "" {
				return v
			}
		}
		return ""
	}
	s.Algorithm, s.Text, s.Sorted = pick(s.Algorithm, d.Algorithm), pick(s.Text, d.Text), s.Sorted || d.Sorted
	s.Encoding, s.In = pick(s.Encoding, d.Encoding, otherwise.Encoding), pick(s.In, d.In, otherwise.In)
	s.Signature = pick(s.Signature, d.Signature, otherwise.Signature)
	s.Timestamp, s.Nonce = pick(s.Timestamp, d.Timestamp, otherwise.Timestamp), pick(s.Nonce, d.Nonce, otherwise.Nonce)
	s.Key, s.Clock = pick(s.Key, d.Key, otherwise.Key), pick(s.Clock, d.Clock, otherwise.Clock)
	s.Form, s.UserID = pick(s.Form, asASN1), pick(s.UserID, defaultUserID)
	if d.Headers != nil {
		headers := maps.Clone(d.Headers)
		maps.Copy(headers, s.Headers)
		s.Headers = headers
	}
	if s.Window == 0 {
		s.Window = defaultWindow
	}
	if s.Replay == "" {
		switch {
		case !s.signs():
			s.Replay = replayable
		case s.uses("nonce"):
			s.Replay = byNonce
		default:
			s.Replay = bySignature
		}
	}
	return s
}

// signs tells whether there is more to it than a token.
func (s Settings) signs() bool { return s.Way != None && s.Way != Token }

func (s Settings) uses(name string) bool { return strings.Contains(s.Text, "{"+name+"}") }

// New reads settings. Secrets come from getenv; with ours, the private key is
// needed and not the other side's public one. What is wrong is noted below a
// field, in both languages and without a secret.
func New(s Settings, ours bool, getenv func(string) string, c *casework.Check, field string) *Proof {
	if !slices.Contains(Ways(), s.Way) {
		c.Field(field+".way", casework.Sayf("应为：%[1]s", "must be one of: %[1]s", strings.Join(Ways(), "、")))
		return &Proof{}
	}
	s = s.filled()
	p := &Proof{Settings: s}
	secret := func(name, variable string) string {
		if variable == "" {
			c.Field(field+"."+name, casework.Say("请写明存放它的环境变量名", "name the environment variable that holds it"))
			return ""
		}
		value := strings.TrimSpace(getenv(variable))
		c.Require(value != "", field+"."+name, casework.Sayf("环境变量 %[1]s 未设置", "the environment variable %[1]s is not set", variable))
		return value
	}
	if s.Way == None {
		return p
	}
	oneOf(c, field+".in", s.In, inHeader, inQuery)
	if s.Way == Token {
		p.secret = secret("secret_env", s.SecretEnv)
		return p
	}
	oneOf(c, field+".algorithm", s.Algorithm, slices.Sorted(maps.Keys(algorithms))...)
	oneOf(c, field+".encoding", s.Encoding, asHex, asBase64)
	oneOf(c, field+".form", s.Form, asASN1, asRaw)
	oneOf(c, field+".replay", s.Replay, byNonce, bySignature, replayable)
	s.checkText(c, field)
	c.Require(s.Window > 0 && s.Window <= longestWindow, field+".window", casework.Say("应在 0 至 24 小时之间", "must be between 0 and 24 hours"))
	algorithm := algorithms[s.Algorithm]
	switch {
	case algorithm == nil:
	case !algorithm.keys:
		p.secret = secret("secret_env", s.SecretEnv)
		c.Require(algorithm.keyed || s.uses("secret"), field+".text", casework.Say(
			"摘要算法的文本须含 {secret}，否则任何人都能算出", "the text of a digest must hold {secret}, or anybody could make it"))
	case ours:
		p.keyed(c, field+".private_key_env", secret("private_key_env", s.PrivateKeyEnv), p.readPrivate)
	default:
		p.keyed(c, field+".public_key_env", secret("public_key_env", s.PublicKeyEnv), p.readPublic)
	}
	return p
}

func oneOf(c *casework.Check, field, value string, allowed ...string) {
	c.Require(slices.Contains(allowed, value), field, casework.Sayf("应为：%[1]s", "must be one of: %[1]s", strings.Join(allowed, "、")))
}

func (s Settings) checkText(c *casework.Check, field string) {
	for _, name := range placeholders(s.Text) {
		c.Require(slices.Contains(names, name), field+".text", casework.Sayf(
			"不认识 {%[1]s}，可用：%[2]s", "there is no {%[1]s}; there are: %[2]s", name, strings.Join(names, "、")))
	}
	c.Require(s.uses("timestamp"), field+".text", casework.Say("须含 {timestamp}，否则旧消息可以一再重放", "must hold {timestamp}, or old messages could be sent again for ever"))
	c.Require(s.Replay != byNonce || s.uses("nonce"), field+".replay", casework.Say("文本中没有 {nonce}", "the text has no {nonce}"))
	if s.Clock != seconds && s.Clock != millis && s.Clock != httpDate {
		reference := time.Date(2006, 1, 2, 15, 4, 5, 0, time.UTC)
		back, err := time.Parse(s.Clock, reference.Format(s.Clock))
		c.Require(err == nil && back.Equal(reference), field+".clock", casework.Say(
			"应为 seconds、millis、http，或精确到秒的 Go 时间格式，如 20060102150405", "must be seconds, millis, http, or a layout of Go down to the second, such as 20060102150405"))
	}
}

func (p *Proof) keyed(c *casework.Check, field, value string, read func(string) error) {
	if value == "" {
		return // said already
	}
	if err := read(value); err != nil {
		c.Field(field, casework.Sayf("变量的值不是 %[1]s 的密钥（PEM、DER 的 base64，SM2 亦可为十六进制）", "the variable holds no key for %[1]s (PEM, base64 of DER, for SM2 also hex)", p.Algorithm))
	}
}

// Describe says in a line how the proof is made, without secrets.
func (s Settings) Describe() string {
	s = s.filled()
	switch s.Way {
	case None:
		return None
	case Token:
		return fmt.Sprintf("%s %s:%s", s.Way, s.In, s.Signature)
	}
	return fmt.Sprintf("%s %s %s:%s text=%q clock=%s window=%s replay=%s", s.Way, s.Algorithm, s.In, s.Signature, s.Text, s.Clock, s.Window, s.Replay)
}
