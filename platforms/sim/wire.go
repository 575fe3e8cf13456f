package sim

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// sending is how a message is sent, and how it is put down.
type sending struct {
	wrong  Wrong
	how    string
	ago    time.Duration // the clock is behind by this much
	at     time.Time     // signed at; zero: now
	nonce  string        // empty: a fresh one
	forge  bool          // signed with another's secret
	tamper bool          // changed after it was signed
	entry  int           // what was put down before; 0: put it down
}

// Numbers of cases, and of messages that are kept, as they stand in answers.
var (
	caseNumber = regexp.MustCompile(`\b[A-LN-Z][A-Z]?\d{8}-\d{3,}\b`)
	keptNumber = regexp.MustCompile(`\bM\d{8}-[A-Z0-9]{12}\b`)
)

// transmit sends a message until it is answered, and puts down with what.
func (w *World) transmit(ctx context.Context, s sender, p platform, m message, how sending) int {
	n := how.entry
	if n == 0 {
		n = w.ledger.add(Entry{
			Direction: Sent, Platform: s.ID, Kind: m.kind, External: m.external, Wrong: how.wrong, How: how.how, Request: m.request, Body: string(m.body),
		})
	}
	until := w.o.Now().Add(patience)
	for try := 1; ; try++ {
		status, retry, answer, err := w.post(ctx, s, m, how)
		again := err != nil || status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
		if again && ctx.Err() == nil && w.o.Now().Before(until) && pause(ctx, retry) == nil {
			continue
		}
		w.ledger.change(n, func(e *Entry) {
			e.Tries += try
			if err != nil || again {
				e.Status, e.Fault = status, "没有应答 it was not answered"
				return
			}
			e.read(p, m, status, answer)
		})
		return n
	}
}

// read takes an answer apart.
func (e *Entry) read(p platform, m message, status int, answer []byte) {
	e.Status, e.Answer = status, shorten(string(answer))
	e.Numbers, e.Good = nil, false
	body, err := parse(answer)
	if err != nil {
		return
	}
	e.Good = status >= 200 && status <= 299 && p.good(m, body)
	said := readable(answer)
	for _, number := range caseNumber.FindAllString(said, -1) {
		if !slices.Contains(e.Numbers, number) {
			e.Numbers = append(e.Numbers, number)
		}
	}
	slices.Sort(e.Numbers)
	if kept := keptNumber.FindString(said); kept != "" && !e.Good {
		e.Kept = kept
	}
}

// readable is an answer as a person reads it, without escapes.
func readable(answer []byte) string {
	var v any
	if json.Unmarshal(answer, &v) != nil {
		return string(answer)
	}
	return fmt.Sprint(v)
}

const mostAnswer = 2000

func shorten(text string) string {
	if r := []rune(text); len(r) > mostAnswer {
		return string(r[:mostAnswer]) + "…"
	}
	return text
}

// post sends a message once; retry is when to send it again, if that is needed.
func (w *World) post(ctx context.Context, s sender, m message, how sending) (status int, retry time.Duration, answer []byte, err error) {
	retry = time.Second
	path, query, _ := strings.Cut(m.kind, "?")
	to := *w.target
	to.Path, to.RawQuery = strings.TrimSuffix(to.Path, "/")+"/v1/platforms/"+s.ID+"/"+path, query
	proof, body, at, nonce := s.Proof, m.body, how.at, how.nonce
	if how.forge {
		if proof, err = proof.forged(); err != nil {
			return 0, retry, nil, err
		}
	}
	if at.IsZero() {
		at = w.clocks.read(s.ID, w.o.Now()).Add(-how.ago)
	}
	if nonce == "" {
		nonce = rand.Text()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), http.NoBody)
	if err != nil {
		return 0, retry, nil, err
	}
	r.Header.Set("Content-Type", m.contentType)
	if err := proof.sign(r, body, at, nonce); err != nil {
		return 0, retry, nil, err
	}
	if how.tamper {
		body = tampered(body)
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	got, err := w.client.Do(r)
	if err != nil {
		return 0, retry, nil, err
	}
	defer got.Body.Close()
	if answer, err = io.ReadAll(io.LimitReader(got.Body, 1<<20)); err != nil {
		return 0, retry, nil, err
	}
	if seconds, err := strconv.Atoi(got.Header.Get("Retry-After")); err == nil {
		retry = min(time.Duration(seconds)*time.Second, patience)
	}
	return got.StatusCode, retry, answer, nil
}

// reactions deals how reports are taken: each kind as often as its share says,
// and the first time early. It is safe for concurrent use.
type reactions struct {
	mu     sync.Mutex
	shares []reactionShare
	// again are reports that were not taken, or not answered: the next time they are.
	again map[string]bool
}

type reactionShare struct {
	Reaction
	share, due float64
}

func newReactions(s Shares) *reactions {
	d := &reactions{again: map[string]bool{}}
	for _, one := range []reactionShare{{TimedOut, s.TimedOut, 0}, {Failed, s.Failed, 0}, {Refused, s.Refused, 0}, {Busy, s.Busy, 0}} {
		if one.share > 0 {
			one.due = 1 - one.share // so that the first report that comes is one
			d.shares = append(d.shares, one)
		}
	}
	return d
}

func (d *reactions) next(name string) Reaction {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.again[name] {
		delete(d.again, name)
		return Took
	}
	chosen := Took
	for i := range d.shares {
		if one := &d.shares[i]; one.due < 1 {
			one.due += one.share
		}
		if one := &d.shares[i]; one.due >= 1 && chosen == Took {
			chosen = one.Reaction
			one.due--
		}
	}
	if chosen != Took {
		d.again[name] = true
	}
	return chosen
}

// routes are where the platforms are told, and where people look.
func (w *World) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ledger", func(out http.ResponseWriter, _ *http.Request) {
		answer(out, http.StatusOK, struct {
			Seed    uint64  `json:"seed"`
			Held    bool    `json:"held"`
			Verdict Verdict `json:"verdict"`
			Entries []Entry `json:"entries"`
		}{w.o.Seed, w.Judge().Held(), w.Judge(), w.ledger.all()})
	})
	mux.HandleFunc("POST /identity/swap", w.swap)
	mux.HandleFunc("/{sender}/{path...}", w.told)
	return mux
}

func answer(out http.ResponseWriter, status int, body any) {
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(status)
	_ = json.NewEncoder(out).Encode(body) //nolint:errchkjson // whoever went away reads nothing
}

// swap gives the person behind the token of a service code (办事码). A token is
// good for whom it names; one that ends in "expired" is not good any more.
func (w *World) swap(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	said, parseErr := parse(body)
	if err != nil || parseErr != nil || said.text("SERVICEID") == "" {
		answer(out, http.StatusBadRequest, object{"flag": "400"})
		return
	}
	token := said.text("TOKEN")
	e := Entry{Direction: Told, Platform: "identity", Kind: "swap", External: token, Reaction: Took}
	defer func() { w.ledger.add(e) }()
	if token == "" || strings.HasSuffix(token, "expired") {
		answer(out, http.StatusOK, object{})
		return
	}
	answer(out, http.StatusOK, object{"perUserVo.bindPhone": "13800000003", "perUserVo.credentNo": "340207198505050020", "perUserVo.name": "测试王丙"})
}

// told takes what a platform is told.
func (w *World) told(out http.ResponseWriter, r *http.Request) {
	i := slices.IndexFunc(w.senders, func(s sender) bool { return s.ID == r.PathValue("sender") })
	if i < 0 || w.senders[i].Report == nil {
		http.NotFound(out, r)
		return
	}
	s, path := w.senders[i], r.PathValue("path")
	p, _ := w.platformOf(s)
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return // it broke off, and is told again
	}
	e := Entry{Direction: Told, Platform: s.ID, Kind: path, Key: r.Header.Get("Idempotency-Key"), Body: string(body)}
	if err := s.Report.Proof.check(r, body, w.o.Now()); err != nil {
		e.Reaction, e.Status, e.Fault = Unproved, http.StatusUnauthorized, err.Error()
		w.ledger.add(e)
		answer(out, http.StatusUnauthorized, p.answer(path, false))
		return
	}
	said, err := parse(body)
	var got report
	if err == nil {
		got, err = p.read(path, said)
	}
	e.External, e.Part, e.State, e.Meaning = got.external, got.part, got.word, got.meaning
	if err != nil {
		e.Reaction, e.Status, e.Fault = Refused, http.StatusBadRequest, err.Error()
		w.ledger.add(e)
		answer(out, http.StatusBadRequest, p.answer(path, false))
		return
	}
	e.Reaction = w.deal.next(strings.Join([]string{s.ID, got.external, got.part, got.word}, " "))
	e.Status = map[Reaction]int{Took: 200, Refused: 200, Failed: 500, Busy: 429}[e.Reaction]
	w.ledger.add(e)
	switch e.Reaction {
	case TimedOut:
		select {
		case <-r.Context().Done():
		case <-w.ending:
		case <-time.After(patience):
		}
	case Failed:
		answer(out, e.Status, p.answer(path, false))
	case Busy:
		out.Header().Set("Retry-After", "1")
		answer(out, e.Status, p.answer(path, false))
	case Refused:
		answer(out, e.Status, p.answer(path, false))
	default:
		answer(out, e.Status, p.answer(path, true))
	}
	if e.Reaction == Took {
		w.followUp(s, got)
	}
}

// followUp does what comes of an end that a platform was told: the customer
// rates the case, 12345 visits the caller. Each once. A customer of the portal
// rates the record of the service, or, where the rating platform has none, the
// portal's own number.
func (w *World) followUp(s sender, got report) {
	i := slices.IndexFunc(w.senders, func(s sender) bool { return s.Adapter == "rating" })
	rates := false
	switch {
	case got.meaning != completed:
	case s.Adapter == "rating":
		rates = s.watches() && w.portalAsked(got.external)
	case s.Adapter == "portal":
		rates = i >= 0 && !w.senders[i].watches()
	}
	if !rates && (got.meaning != completed || s.Adapter != "hotline") {
		return
	}
	if _, before := w.followed.LoadOrStore(s.ID+" "+got.external, true); before {
		return
	}
	d := &draw{Rand: w.fresh(got.external), mark: w.mark, now: w.o.Now(), serves: w.o.Serves}
	to, m := s, visit(d, got.external, true)
	if rates {
		to, m = w.senders[i], evaluation(d, got.external, max(got.seq, 1), 5)
	}
	p, _ := w.platformOf(to)
	w.follow.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		go func() {
			select {
			case <-w.ending:
				cancel()
			case <-ctx.Done():
			}
		}()
		w.transmit(ctx, to, p, m, sending{how: afterwards})
	})
}

// portalAsked tells whether a case goes back to a request of the portal.
func (w *World) portalAsked(number string) bool {
	return slices.ContainsFunc(w.ledger.all(), func(e Entry) bool {
		return understood(e) && slices.Contains(e.Numbers, number) && slices.ContainsFunc(w.senders, func(s sender) bool { return s.ID == e.Platform && s.Adapter == "portal" })
	})
}

// afterwards says of a message that it follows from a report.
const afterwards = "办结之后 after the end"
