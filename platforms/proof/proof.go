package proof

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// Where the fields of a proof are, and how a signature is written.
const (
	inHeader = "header"
	inQuery  = "query"

	asHex    = "hex"
	asBase64 = "base64"
	asASN1   = "asn1"
	asRaw    = "raw"
)

// Request is what a proof is about.
type Request struct {
	Method string
	Path   string // escaped, as it was sent
	Query  string // as it was sent
	Header http.Header
	Body   []byte // as it was sent
}

// Proved is what is known of a proof that holds.
type Proved struct {
	At   time.Time // by the sender's clock; zero: it tells none
	Once string    // what must not come twice; empty: nothing
}

// ErrUnproved says that a request does not come from who it says, or not in the
// way that was agreed.
var ErrUnproved = errors.New("not proved")

func unproved(why string) error { return fmt.Errorf("%w: %s", ErrUnproved, why) }

// Proof judges requests, or proves ours. Make it with [New]. It is safe for
// concurrent use.
type Proof struct {
	Settings
	secret string
	key    any // of a signature: the sender's public key, or our private one
}

// Verify tells whether a request proves its sender. Whether it is fresh is
// another question: see [Proof.InTime].
func (p *Proof) Verify(r Request) (Proved, error) {
	switch p.Way {
	case None:
		return Proved{}, nil
	case Token:
		said, ok := strings.CutPrefix(p.field(r, p.Signature), p.Prefix)
		if !ok || p.secret == "" || !same([]byte(said), []byte(p.secret)) {
			return Proved{}, unproved("the token is missing or wrong")
		}
		return Proved{}, nil
	}
	algorithm := algorithms[p.Algorithm]
	if algorithm == nil {
		return Proved{}, unproved("no algorithm")
	}
	values := p.values(r)
	if p.KeyID != "" && p.uses("key") && !same([]byte(values["key"]), []byte(p.KeyID)) {
		return Proved{}, unproved("another key is named")
	}
	at, err := p.time(values["timestamp"])
	if err != nil {
		return Proved{}, unproved("the timestamp is missing or can't be read")
	}
	written, ok := strings.CutPrefix(p.field(r, p.Signature), p.Prefix)
	if !ok || written == "" {
		return Proved{}, unproved("the signature is missing")
	}
	signature, err := p.decode(written)
	if err != nil {
		return Proved{}, unproved("the signature can't be read")
	}
	if !algorithm.verify(p, []byte(p.text(values)), signature) {
		return Proved{}, unproved("the signature is wrong")
	}
	proved := Proved{At: at}
	switch p.Replay {
	case byNonce:
		if values["nonce"] == "" {
			return Proved{}, unproved("the nonce is missing")
		}
		proved.Once = "nonce/" + values["nonce"]
	case bySignature:
		proved.Once = "signature/" + hex.EncodeToString(signature)
	}
	return proved, nil
}

// InTime tells whether a proof's clock is near enough to ours.
func (p *Proof) InTime(proved Proved, now time.Time) bool {
	return proved.At.IsZero() || proved.At.Sub(now).Abs() <= p.Window
}

// BySignature tells whether only the signature tells two proofs apart. It does
// not cover the body then, and what is signed by the same second is signed alike.
func (p *Proof) BySignature() bool { return p.Replay == bySignature }

// Expires is when no clock would let the proof pass any more.
func (p *Proof) Expires(proved Proved) time.Time { return proved.At.Add(p.Window) }

// Sign proves a request as ours. The nonce is any text that was not used before.
func (p *Proof) Sign(r *Request, now time.Time, nonce string) error {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	for name, value := range p.Headers {
		r.Header.Set(name, value)
	}
	switch p.Way {
	case None:
		return nil
	case Token:
		p.set(r, p.Signature, p.Prefix+p.secret)
		return nil
	}
	algorithm := algorithms[p.Algorithm]
	if algorithm == nil {
		return errors.New("proof: no algorithm")
	}
	p.set(r, p.Timestamp, p.clock(now))
	if p.uses("nonce") {
		p.set(r, p.Nonce, nonce)
	}
	if p.KeyID != "" {
		p.set(r, p.Key, p.KeyID)
	}
	signature, err := algorithm.sign(p, []byte(p.text(p.values(*r))))
	if err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	p.set(r, p.Signature, p.Prefix+p.encode(signature))
	return nil
}

func (p *Proof) field(r Request, name string) string {
	if p.In == inQuery {
		values, err := url.ParseQuery(r.Query)
		if err != nil {
			return ""
		}
		return values.Get(name)
	}
	// A header that comes twice would be read one way here and another way elsewhere.
	if values := r.Header[textproto.CanonicalMIMEHeaderKey(name)]; len(values) == 1 {
		return values[0]
	}
	return ""
}

func (p *Proof) set(r *Request, name, value string) {
	if p.In == inQuery {
		if r.Query != "" {
			r.Query += "&"
		}
		r.Query += url.QueryEscape(name) + "=" + url.QueryEscape(value)
		return
	}
	r.Header.Set(name, value)
}

// names are what a text may hold.
var names = []string{"method", "path", "query", "params", "key", "timestamp", "nonce", "secret", "body"}

func (p *Proof) values(r Request) map[string]string {
	key := p.field(r, p.Key)
	return map[string]string{
		"method": r.Method, "path": r.Path, "query": p.query(r), "params": p.params(r), "key": key,
		"timestamp": p.field(r, p.Timestamp), "nonce": p.field(r, p.Nonce), "secret": p.secret, "body": string(r.Body),
	}
}

// query is the query as it was sent, its parts sorted and without the signature.
func (p *Proof) query(r Request) string {
	if r.Query == "" {
		return ""
	}
	parts := slices.DeleteFunc(strings.Split(r.Query, "&"), func(part string) bool {
		name, _, _ := strings.Cut(part, "=")
		return p.In == inQuery && name == url.QueryEscape(p.Signature)
	})
	slices.Sort(parts)
	return strings.Join(parts, "&")
}

// params are the fields of query and form, decoded, sorted and without the
// signature, as name=value joined by &. It is a dialect that many write.
func (p *Proof) params(r Request) string {
	if !p.uses("params") {
		return ""
	}
	var all []string
	for _, raw := range []string{r.Query, string(r.Body)} {
		values, err := url.ParseQuery(raw)
		if err != nil {
			continue
		}
		for name, several := range values {
			for _, v := range several {
				if name != p.Signature && v != "" {
					all = append(all, name+"="+v)
				}
			}
		}
	}
	slices.Sort(all)
	return strings.Join(all, "&")
}

// text puts together what is signed. A value is never looked at again for
// placeholders.
func (p *Proof) text(values map[string]string) string {
	if p.Sorted {
		var parts []string
		for _, name := range placeholders(p.Text) {
			parts = append(parts, values[name])
		}
		slices.Sort(parts)
		return strings.Join(parts, "")
	}
	var b strings.Builder
	rest := p.Text
	for {
		before, after, found := strings.Cut(rest, "{")
		b.WriteString(before)
		name, behind, closed := strings.Cut(after, "}")
		if !found || !closed {
			return b.String()
		}
		b.WriteString(values[name])
		rest = behind
	}
}

// placeholders gives the names in a text, in their order.
func placeholders(text string) (found []string) {
	for {
		_, after, ok := strings.Cut(text, "{")
		name, rest, closed := strings.Cut(after, "}")
		if !ok || !closed {
			return found
		}
		found, text = append(found, name), rest
	}
}

func (p *Proof) time(written string) (time.Time, error) {
	switch p.Clock {
	case seconds, millis:
		n, err := strconv.ParseInt(written, 10, 64)
		if err != nil || n <= 0 {
			return time.Time{}, errors.New("no number")
		}
		if p.Clock == seconds {
			return time.Unix(n, 0), nil
		}
		return time.UnixMilli(n), nil
	case httpDate:
		return http.ParseTime(written)
	default:
		return time.ParseInLocation(p.Clock, written, calendar.Shanghai)
	}
}

func (p *Proof) clock(now time.Time) string {
	switch p.Clock {
	case seconds:
		return strconv.FormatInt(now.Unix(), 10)
	case millis:
		return strconv.FormatInt(now.UnixMilli(), 10)
	case httpDate:
		return now.UTC().Format(http.TimeFormat)
	default:
		return now.In(calendar.Shanghai).Format(p.Clock)
	}
}

func (p *Proof) encode(signature []byte) string {
	if p.Encoding == asBase64 {
		return base64.StdEncoding.EncodeToString(signature)
	}
	return hex.EncodeToString(signature)
}

// decode takes either letter case of hex: senders write both.
func (p *Proof) decode(written string) ([]byte, error) {
	if p.Encoding == asBase64 {
		return base64.StdEncoding.DecodeString(written)
	}
	return hex.DecodeString(written)
}

// same compares in constant time.
func same(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
