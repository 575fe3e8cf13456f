package inbox

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/proof"
	"github.com/curbstop/curbstop/platforms/senders"
)

// TooMany is the kind of fault of who is over its quota.
const TooMany casework.FaultKind = "too_many_requests"

const formType = "application/x-www-form-urlencoded"

// Receive answers a sender: path is below its address, and from is where the
// call comes from. The body must be bounded by who calls. An error is a
// refusal that the sender's adapter has no words for; nothing was written then.
func (b *Inbox) Receive(w http.ResponseWriter, r *http.Request, sender, path string, from netip.Addr) error {
	s, ok := b.Senders.Find(sender)
	if !ok {
		return unproved()
	}
	answer, err := b.receive(r, s, path, from)
	if err != nil {
		refused, worded := b.refuse(s, casework.AsFault(err))
		if !worded {
			return err
		}
		if f := casework.AsFault(err); f.Kind == casework.Internal || f.Kind == casework.Unavailable {
			b.Logger.ErrorContext(r.Context(), "A message could not be kept.", "sender", s.ID, "kind", path, "error", err)
		}
		answer = refused
	}
	if answer.ContentType != "" {
		w.Header().Set("Content-Type", answer.ContentType)
	}
	if answer.Status == 0 {
		answer.Status = http.StatusOK
	}
	switch answer.Status {
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", strconv.Itoa(int(quotaPause/time.Second)))
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(int(firstRetry/time.Second)))
	}
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body)
	return nil
}

// quotaPause is when a sender that is over its quota comes back.
const quotaPause = time.Minute

func (b *Inbox) receive(r *http.Request, s *senders.Sender, path string, from netip.Addr) (platforms.Reply, error) {
	ctx := r.Context()
	if !s.Admits(from) {
		b.unknown(ctx, s, "address not listed")
		return platforms.Reply{}, unproved()
	}
	sent, err := io.ReadAll(r.Body)
	if tooBig := new(http.MaxBytesError); errors.As(err, &tooBig) {
		return platforms.Reply{}, casework.Refuse(casework.TooLarge, "body_too_large", casework.Sayf(
			"报文超过 %d MB，请拆分后发送", "the message exceeds %d MB; send it in parts", tooBig.Limit>>20))
	} else if err != nil {
		return platforms.Reply{}, casework.Refuse(casework.Unavailable, "body_broke_off", casework.Say("报文未能收完，请重发", "the message broke off; send it again"))
	}
	proved, err := s.Proof.Verify(proof.Request{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Header: r.Header, Body: sent})
	if err != nil {
		b.unknown(ctx, s, err.Error())
		return platforms.Reply{}, unproved()
	}
	m := casework.InboxMessage{Sender: s.ID, Kind: path, ContentType: r.Header.Get("Content-Type"), Body: sent, ReceivedAt: b.Now()}
	if len(sent) == 0 && r.URL.RawQuery != "" {
		// Who asks by GET writes what it has to say into the query.
		m.Body, m.ContentType = []byte(r.URL.RawQuery), formType
	}
	if s.Decrypt != nil {
		plain, err := s.Decrypt.Decrypt(m.Body)
		if m.Encrypted = err != nil; !m.Encrypted {
			m.Body = plain
		}
	}
	if !s.Proof.InTime(proved, m.ReceivedAt) {
		return b.stale(ctx, s, m)
	}
	if !b.within(s, m.ReceivedAt) {
		return platforms.Reply{}, casework.Refuse(TooMany, "too_many_requests", casework.Sayf(
			"超过每分钟 %[1]d 次的约定，请一分钟后重发，此件未收", "over the agreed %[1]d messages a minute; send it again in a minute, it was not taken", s.PerMinute))
	}
	if proved.Once != "" {
		same, err := b.Book.UseProof(ctx, s.ID, proved.Once, m.Kind, m.Body, s.Proof.Expires(proved))
		if err != nil {
			return platforms.Reply{}, err
		}
		if !same {
			b.unknown(ctx, s, "the proof was used for another message")
			if s.Proof.BySignature() {
				return platforms.Reply{}, signAgain()
			}
			return platforms.Reply{}, casework.Refuse(casework.Unauthorised, "proof_used", casework.Say(
				"随机数或签名已用于另一报文，请重新签名", "the nonce or signature was used for another message; sign it anew"))
		}
	}
	kept, fresh, err := b.Book.KeepMessage(ctx, m, m.ReceivedAt.Add(lease))
	if err != nil {
		return platforms.Reply{}, err
	}
	return b.reply(ctx, s, kept, fresh)
}

// signAgain refuses a message whose signature came with another one. A forger may
// have seen that signature, but an honest sender without nonces signs all that it
// sends within one tick of its clock alike. Nobody can tell the two apart; the
// honest one is told to come again, signs anew then, and loses nothing.
func signAgain() error {
	return casework.Refuse(casework.Unavailable, "sign_again", casework.Say(
		"此签名刚用于另一报文，此件未收；请以新的时间重新签名后重发", "this signature came with another message just now, so this one was not taken; sign it anew with a later time and send it again"))
}

// stale answers a message whose proof holds but is too old, or ahead of our
// clock. Who sends again, word for word, what is on record is answered as
// before, because nothing is done by that; anybody else is refused.
func (b *Inbox) stale(ctx context.Context, s *senders.Sender, m casework.InboxMessage) (platforms.Reply, error) {
	kept, found, err := b.Book.KeptMessage(ctx, s.ID, m.Kind, m.Body)
	if err != nil {
		return platforms.Reply{}, err
	}
	if found && kept.State == casework.InboxTakenUp {
		return b.reply(ctx, s, kept, false)
	}
	b.unknown(ctx, s, "the clock is too far away")
	return platforms.Reply{}, casework.Refuse(casework.Unauthorised, "sender_clock", casework.Sayf(
		"时间戳与本系统相差超过 %[1]s，请校时后重新签名", "the timestamp is more than %[1]s away from our clock; set yours and sign anew", s.Proof.Window))
}

// reply takes a message up unless that is done, and words what became of it.
func (b *Inbox) reply(ctx context.Context, s *senders.Sender, m casework.InboxMessage, fresh bool) (platforms.Reply, error) {
	out, err := b.outcome(ctx, s, m, fresh, true)
	if err != nil {
		return platforms.Reply{}, busy(err)
	}
	return s.Adapter.Reply(asMessage(m), out), nil
}

// outcome is what became of a message that is kept.
func (b *Inbox) outcome(ctx context.Context, s *senders.Sender, m casework.InboxMessage, fresh, wait bool) (platforms.Outcome, error) {
	out := platforms.Outcome{Message: m.ID, Numbers: m.Numbers, Before: true}
	switch m.State {
	case casework.InboxReceived, casework.InboxKept:
		// One that is kept is looked at again: what was missing may be there now.
		got, err := b.takeUp(ctx, s, m, wait)
		got.Before = got.Before || !fresh && got.Fault == nil
		return got, err
	case casework.InboxMended:
		copied, found, err := b.Book.MendedMessage(ctx, m.ID)
		if err != nil || !found {
			return out, err
		}
		got, err := b.outcome(ctx, s, copied, false, wait)
		got.Message = m.ID
		return got, err
	default:
		return out, nil
	}
}

// busy says to a sender that its message is kept and that it may ask again.
func busy(err error) error {
	return errors.Join(casework.Refuse(casework.Unavailable, "taken_up_later", casework.Say(
		"报文已收妥，稍后办理；重发同一报文可得受理结果，不会重复办理",
		"the message is kept and is taken up shortly; send it again for the outcome, nothing is done twice")), err)
}

// unknown notes a call that did not prove itself, without what it said.
func (b *Inbox) unknown(ctx context.Context, s *senders.Sender, why string) {
	b.Logger.WarnContext(ctx, "A sender did not prove itself.", "sender", s.ID, "why", why)
}

func unproved() error {
	return casework.Refuse(casework.Unauthorised, "sender_not_proved", casework.Say(
		"来件方身份未通过核验，请核对约定的地址、密钥与签名方法", "the sender did not prove itself; compare the agreed addresses, keys and way of signing"))
}

var statuses = map[casework.FaultKind]int{
	casework.Unauthorised: http.StatusUnauthorized,
	casework.TooLarge:     http.StatusRequestEntityTooLarge,
	TooMany:               http.StatusTooManyRequests,
	casework.Unavailable:  http.StatusServiceUnavailable,
}

// refuse words a refusal as the sender's platform wants it; false where its
// adapter has no words for that.
func (b *Inbox) refuse(s *senders.Sender, f *casework.Fault) (platforms.Reply, bool) {
	adapter, ok := s.Adapter.(platforms.Refuser)
	if !ok {
		return platforms.Reply{}, false
	}
	status, known := statuses[f.Kind]
	if !known {
		status = http.StatusInternalServerError
	}
	answer := adapter.Refuse(status, f)
	if answer.Status == 0 || f.Kind == TooMany {
		answer.Status = status
	}
	return answer, true
}

// within counts a message against its sender's quota, in this process.
func (b *Inbox) within(s *senders.Sender, now time.Time) bool {
	if s.PerMinute == 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	bucket := b.quotas[s.ID]
	if bucket == nil {
		bucket = rate.NewLimiter(rate.Every(time.Minute/time.Duration(s.PerMinute)), s.PerMinute)
		b.quotas[s.ID] = bucket
	}
	return bucket.AllowN(now, 1)
}
