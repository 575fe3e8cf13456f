package sim

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // what platforms sign with is not ours to choose
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the same
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
)

// scheme is how one side proves itself to the other. It is written from the
// descriptions of the schemes and not from the program that is tested, so that
// a mistake on either side shows.
type scheme struct {
	Way       string            `yaml:"way"`
	In        string            `yaml:"in"`
	Signature string            `yaml:"signature"`
	Timestamp string            `yaml:"timestamp"`
	Nonce     string            `yaml:"nonce"`
	Key       string            `yaml:"key"`
	Prefix    string            `yaml:"prefix"`
	Headers   map[string]string `yaml:"headers"`

	KeyID         string `yaml:"key_id"`
	SecretEnv     string `yaml:"secret_env"`
	PublicKeyEnv  string `yaml:"public_key_env"`
	PrivateKeyEnv string `yaml:"private_key_env"`

	// What makes a dialect of one's own. The stand-in knows those that have a
	// name; see [scheme.ready].
	Algorithm string `yaml:"algorithm"`
	Text      string `yaml:"text"`
	Sorted    bool   `yaml:"sorted"`
	Encoding  string `yaml:"encoding"`
	Form      string `yaml:"form"`
	Clock     string `yaml:"clock"`
	UserID    string `yaml:"user_id"`

	secret string
	sm2    *sm2.PrivateKey
	rsa    *rsa.PrivateKey
}

// A way of proving, as the platforms' documents describe it.
type way struct {
	query      bool // its fields stand in the query
	signature  string
	timestamp  string
	nonce      string
	key        string
	clock      func(time.Time) string
	pair       bool // signed with a private key
	overBody   bool // the body is under the signature
	signedText func(s scheme, r unsigned) []byte
	digest     func(s scheme, text []byte) string
}

// unsigned is what a signature is made over.
type unsigned struct {
	method, path, query string
	at, nonce           string
	body                []byte
}

func inSeconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
func inMillis(t time.Time) string  { return strconv.FormatInt(t.UnixMilli(), 10) }
func httpDate(t time.Time) string  { return t.UTC().Format(http.TimeFormat) }

func threeLines(_ scheme, r unsigned) []byte {
	return slices.Concat([]byte(r.at), []byte("\n"), []byte(r.nonce), []byte("\n"), r.body)
}

func hexOf(h hash.Hash, text []byte) string {
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil))
}

var ways = map[string]way{
	"none":  {},
	"token": {signature: "X-Token"},
	"bg-hmac": {
		signature: "X-BG-HMAC-SIGNATURE", timestamp: "X-BG-DATE-TIME", key: "X-BG-HMAC-ACCESS-KEY", clock: httpDate,
		signedText: func(s scheme, r unsigned) []byte {
			return []byte(r.method + "\n" + r.path + "\n" + r.query + "\n" + s.KeyID + "\n" + r.at + "\n")
		},
		digest: func(s scheme, text []byte) string {
			h := hmac.New(sha256.New, []byte(s.secret))
			h.Write(text)
			return base64.StdEncoding.EncodeToString(h.Sum(nil))
		},
	},
	"tif": {
		signature: "X-Tif-Signature", timestamp: "X-Tif-Timestamp", nonce: "X-Tif-Nonce", key: "X-Tif-Paasid", clock: inSeconds,
		signedText: func(s scheme, r unsigned) []byte { return []byte(r.at + s.secret + r.nonce + r.at) },
		digest:     func(_ scheme, text []byte) string { return hexOf(sha256.New(), text) },
	},
	"md5": {
		signature: "sign", timestamp: "timestamp", clock: inMillis,
		signedText: func(s scheme, r unsigned) []byte { return []byte(s.secret + r.at) },
		digest:     func(_ scheme, text []byte) string { return hexOf(md5.New(), text) }, //nolint:gosec // the platform's choice
	},
	"wechat": {
		query: true, signature: "signature", timestamp: "timestamp", nonce: "nonce", clock: inSeconds,
		signedText: func(s scheme, r unsigned) []byte {
			parts := []string{s.secret, r.at, r.nonce}
			slices.Sort(parts)
			return []byte(strings.Join(parts, ""))
		},
		digest: func(_ scheme, text []byte) string { return hexOf(sha1.New(), text) }, //nolint:gosec // the platform's choice
	},
	"dingtalk": {
		query: true, signature: "sign", timestamp: "timestamp", clock: inMillis,
		signedText: func(s scheme, r unsigned) []byte { return []byte(r.at + "\n" + s.secret) },
		digest: func(s scheme, text []byte) string {
			h := hmac.New(sha256.New, []byte(s.secret))
			h.Write(text)
			return base64.StdEncoding.EncodeToString(h.Sum(nil))
		},
	},
	"sm3": {
		signature: "X-Signature", timestamp: "X-Timestamp", nonce: "X-Nonce", key: "X-Key", clock: inMillis, overBody: true,
		signedText: func(s scheme, r unsigned) []byte {
			return slices.Concat([]byte(r.at), []byte(s.secret), []byte(r.nonce), r.body)
		},
		digest: func(_ scheme, text []byte) string { return hexOf(sm3.New(), text) },
	},
	"hmac-sm3": {
		signature: "X-Signature", timestamp: "X-Timestamp", nonce: "X-Nonce", key: "X-Key", clock: inMillis, overBody: true,
		signedText: threeLines,
		digest:     func(s scheme, text []byte) string { return hexOf(hmac.New(sm3.New, []byte(s.secret)), text) },
	},
	"sm2":     {signature: "X-Signature", timestamp: "X-Timestamp", nonce: "X-Nonce", key: "X-Key", clock: inMillis, overBody: true, pair: true, signedText: threeLines},
	"rsa":     {signature: "X-Signature", timestamp: "X-Timestamp", nonce: "X-Nonce", key: "X-Key", clock: inMillis, overBody: true, pair: true, signedText: threeLines},
	"rsa-pss": {signature: "X-Signature", timestamp: "X-Timestamp", nonce: "X-Nonce", key: "X-Key", clock: inMillis, overBody: true, pair: true, signedText: threeLines},
}

// ready fills in what the dialect says, and the keys.
func (s scheme) ready(getenv func(string) string) (scheme, error) {
	w, known := ways[s.Way]
	if !known || s.Algorithm != "" || s.Text != "" || s.Sorted || s.Encoding != "" || s.Form != "" || s.Clock != "" || s.UserID != "" {
		return s, fmt.Errorf("替身只会有名称的签名方法，不会 %q 或其自定内容 the stand-in signs in the ways that have a name, not by %q or settings of one's own", s.Way, s.Way)
	}
	pick := func(said *string, otherwise string) {
		if *said == "" {
			*said = otherwise
		}
	}
	pick(&s.Signature, w.signature)
	pick(&s.Timestamp, w.timestamp)
	pick(&s.Nonce, w.nonce)
	pick(&s.Key, w.key)
	pick(&s.In, "header")
	if w.query {
		s.In = "query"
	}
	if s.Way == "none" {
		return s, nil
	}
	if !w.pair {
		if s.secret = getenv(s.SecretEnv); s.secret == "" {
			return s, fmt.Errorf("环境变量 %[1]s 未设置 the environment variable %[1]s is not set", s.SecretEnv)
		}
		return s, nil
	}
	// Whoever signs, the stand-in knows the pair: it made it.
	name := s.PrivateKeyEnv
	if name == "" {
		name = s.PublicKeyEnv + PrivateSuffix
	}
	return s, s.readKey(name, getenv(name))
}

// PrivateSuffix ends the name of the variable that holds the private key of a
// sender, which only the stand-in knows; the senders' file names the variable
// of the public one.
const PrivateSuffix = "_PRIVATE"

func (s *scheme) readKey(name, value string) error {
	der, err := base64.StdEncoding.DecodeString(value)
	if value == "" || err != nil {
		return fmt.Errorf("环境变量 %[1]s 应为私钥（PKCS #8 DER 的 base64） the environment variable %[1]s should hold a private key, base64 of PKCS #8 DER", name)
	}
	if s.Way == "sm2" {
		key, err := smx509.ParsePKCS8PrivateKey(der)
		k, ok := key.(*sm2.PrivateKey)
		if err != nil || !ok {
			return fmt.Errorf("环境变量 %[1]s 不是 SM2 私钥 the environment variable %[1]s holds no key for SM2", name)
		}
		s.sm2 = k
		return nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	k, ok := key.(*rsa.PrivateKey)
	if err != nil || !ok {
		return fmt.Errorf("环境变量 %[1]s 不是 RSA 私钥 the environment variable %[1]s holds no key for RSA", name)
	}
	s.rsa = k
	return nil
}

// overBody tells whether a changed body breaks the signature.
func (s scheme) overBody() bool { return ways[s.Way].overBody }

// timed tells whether the proof tells the time.
func (s scheme) timed() bool { return ways[s.Way].clock != nil }

// proves tells whether there is something to forge.
func (s scheme) proves() bool { return s.Way != "none" }

// forged is the scheme of somebody who has another secret.
func (s scheme) forged() (scheme, error) {
	var err error
	switch {
	case s.sm2 != nil:
		s.sm2, err = sm2.GenerateKey(rand.Reader)
	case s.rsa != nil:
		s.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		s.secret += "?"
	}
	return s, err
}

// sign proves a request.
func (s scheme) sign(r *http.Request, body []byte, at time.Time, nonce string) error {
	w := ways[s.Way]
	for name, value := range s.Headers {
		r.Header.Set(name, value)
	}
	switch s.Way {
	case "none":
		return nil
	case "token":
		s.put(r, s.Signature, s.Prefix+s.secret)
		return nil
	case "bg-hmac":
		r.Header.Set("X-BG-HMAC-ALGORITHM", "hmac-sha256")
	}
	u := unsigned{method: r.Method, path: r.URL.EscapedPath(), at: w.clock(at), body: body}
	s.put(r, s.Timestamp, u.at)
	if w.nonce != "" {
		u.nonce = nonce
		s.put(r, s.Nonce, nonce)
	}
	if s.KeyID != "" && w.key != "" {
		s.put(r, s.Key, s.KeyID)
	}
	u.query = sortedQuery(r.URL.RawQuery)
	signature, err := s.make(u)
	if err != nil {
		return err
	}
	s.put(r, s.Signature, s.Prefix+signature)
	return nil
}

// sortedQuery is the query as BG's rule wants it: its parts in order.
func sortedQuery(raw string) string {
	if raw == "" {
		return ""
	}
	parts := strings.Split(raw, "&")
	slices.Sort(parts)
	return strings.Join(parts, "&")
}

func (s scheme) put(r *http.Request, name, value string) {
	if s.In == "query" {
		if r.URL.RawQuery != "" {
			r.URL.RawQuery += "&"
		}
		r.URL.RawQuery += url.QueryEscape(name) + "=" + url.QueryEscape(value)
		return
	}
	r.Header.Set(name, value)
}

func (s scheme) get(r *http.Request, name string) string {
	if s.In == "query" {
		return r.URL.Query().Get(name)
	}
	return r.Header.Get(name)
}

func (s scheme) make(u unsigned) (string, error) {
	w := ways[s.Way]
	text := w.signedText(s, u)
	switch s.Way {
	case "sm2":
		signature, err := s.sm2.SignWithSM2(rand.Reader, []byte(userID), text)
		return base64.StdEncoding.EncodeToString(signature), err
	case "rsa":
		sum := sha256.Sum256(text)
		signature, err := rsa.SignPKCS1v15(rand.Reader, s.rsa, crypto.SHA256, sum[:])
		return base64.StdEncoding.EncodeToString(signature), err
	case "rsa-pss":
		sum := sha256.Sum256(text)
		signature, err := rsa.SignPSS(rand.Reader, s.rsa, crypto.SHA256, sum[:], nil)
		return base64.StdEncoding.EncodeToString(signature), err
	default:
		return w.digest(s, text), nil
	}
}

// userID is what GM/T 0009 has everybody sign as who names nothing else.
const userID = "1234567812345678"

// ourClock is how far the clock of who tells us may be from ours.
const ourClock = 5 * time.Minute

// check judges a request that tells us something; its error says what is wrong
// with the proof.
func (s scheme) check(r *http.Request, body []byte, now time.Time) error {
	w := ways[s.Way]
	if s.Way == "none" {
		return nil
	}
	signature, ok := strings.CutPrefix(s.get(r, s.Signature), s.Prefix)
	if !ok || signature == "" {
		return errors.New("签名缺失 there is no signature")
	}
	if s.Way == "token" {
		if signature != s.secret {
			return errors.New("令牌不符 the token is wrong")
		}
		return nil
	}
	if s.KeyID != "" && w.key != "" && s.get(r, s.Key) != s.KeyID {
		return errors.New("密钥编号不符 another key is named")
	}
	u := unsigned{method: r.Method, path: r.URL.EscapedPath(), at: s.get(r, s.Timestamp), body: body}
	if w.nonce != "" {
		if u.nonce = s.get(r, s.Nonce); u.nonce == "" {
			return errors.New("随机数缺失 there is no nonce")
		}
	}
	at, err := readClock(s.Way, u.at)
	if err != nil || now.Sub(at).Abs() > ourClock {
		return errors.New("时间戳缺失或相差过大 the timestamp is missing or too far away")
	}
	if s.In != "query" {
		u.query = sortedQuery(r.URL.RawQuery)
	}
	if !s.holds(u, signature) {
		return errors.New("签名不符 the signature is wrong")
	}
	return nil
}

func (s scheme) holds(u unsigned, signature string) bool {
	w := ways[s.Way]
	text := w.signedText(s, u)
	if !w.pair {
		return signature == w.digest(s, text)
	}
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return false
	}
	sum := sha256.Sum256(text)
	switch s.Way {
	case "sm2":
		public, ok := s.sm2.Public().(*ecdsa.PublicKey)
		return ok && sm2.VerifyASN1WithSM2(public, []byte(userID), text, raw)
	case "rsa":
		return rsa.VerifyPKCS1v15(&s.rsa.PublicKey, crypto.SHA256, sum[:], raw) == nil
	default:
		return rsa.VerifyPSS(&s.rsa.PublicKey, crypto.SHA256, sum[:], raw, nil) == nil
	}
}

func readClock(way, written string) (time.Time, error) {
	if way == "bg-hmac" {
		return http.ParseTime(written)
	}
	n, err := strconv.ParseInt(written, 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	if way == "tif" || way == "wechat" {
		return time.Unix(n, 0), nil
	}
	return time.UnixMilli(n), nil
}

// secretsFor makes what a scheme's variables hold, for both sides.
func (s scheme) secretsFor(into map[string]string) error {
	w, known := ways[s.Way]
	if !known || s.Way == "none" {
		return nil
	}
	if !w.pair {
		if _, have := into[s.SecretEnv]; !have {
			into[s.SecretEnv] = rand.Text()
		}
		return nil
	}
	public, private := s.PublicKeyEnv, s.PrivateKeyEnv
	if private == "" {
		private = public + PrivateSuffix
	}
	if public == "" {
		public = private + "_PUBLIC" // nobody reads it; the stand-in checks with the pair
	}
	if _, have := into[private]; have {
		return nil
	}
	privateDER, publicDER, err := newPair(s.Way)
	if err != nil {
		return err
	}
	into[private], into[public] = base64.StdEncoding.EncodeToString(privateDER), base64.StdEncoding.EncodeToString(publicDER)
	return nil
}

func newPair(way string) (private, public []byte, err error) {
	if way == "sm2" {
		key, err := sm2.GenerateKey(rand.Reader)
		if err != nil {
			return nil, nil, err
		}
		private, err = smx509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, nil, err
		}
		public, err = smx509.MarshalPKIXPublicKey(key.Public())
		return private, public, err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, err
	}
	if private, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		return nil, nil, err
	}
	public, err = x509.MarshalPKIXPublicKey(&key.PublicKey)
	return private, public, err
}

// tampered is a body with one digit changed, as long as before.
func tampered(body []byte) []byte {
	other := bytes.Clone(body)
	if i := bytes.LastIndexAny(other, "0123456789"); i >= 0 {
		other[i] = '0' + (other[i]-'0'+1)%10
	} else {
		other = append(other, ' ')
	}
	return other
}
