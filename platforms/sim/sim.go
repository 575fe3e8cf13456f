// Package sim plays the outside world: the platforms that send requests for
// water and gas and are told of their progress, over real HTTP and a real
// exchange database. It sends twice, ahead of time, garbage, and with wrong
// signatures; it refuses what it is told and lets it time out. It keeps a
// ledger of all of that and judges by itself whether the other side did right.
//
// It knows the formats from the same documents as the adapters and shares no
// code with them, so that a mistake on either side shows.
package sim

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curbstop/curbstop/platforms/sim/billing"
)

// Shares say how much of what is done goes wrong on purpose, from 0 to 1. What
// has a share above 0 happens at least once, if there is anything to do it to.
type Shares struct {
	Duplicate, OutOfOrder, Garbage, Late, Forged float64 // of the requests
	Failed, Busy, Refused, TimedOut              float64 // of the reports
}

// DemoShares are those of a day on which much goes wrong.
func DemoShares() Shares {
	return Shares{Duplicate: 0.2, OutOfOrder: 0.15, Garbage: 0.2, Late: 0.05, Forged: 0.1, Failed: 0.1, Busy: 0.05, Refused: 0.05, TimedOut: 0.1}
}

// Options are a scenario. The same seed makes the same requests.
type Options struct {
	Seed     uint64  // 0: from the clock
	Requests int     // how many
	Rate     float64 // a second; 0: as fast as they are answered
	Shares   Shares
	Target   string // the API, such as http://127.0.0.1:8080
	Senders  []byte // the senders' file that the other side has
	// Without are the IDs of senders that are not played, and Serves the
	// utilities that are asked for; empty: water and gas.
	Without, Serves []string
	Exchange        string // URL of the exchange database; empty: no exchange
	Listen          string // where platforms are told; empty: as the demo's file says
	// BillingToken is what the other side asks the stand-in's billing system with,
	// which is at [BillingURL]; empty: it does not ask it. BillingFaults is the share
	// of what is asked that goes wrong.
	BillingToken  string
	BillingFaults float64
	// Customers are how many act by themselves through the public API.
	Customers int
	// Getenv looks up the secrets that the file names.
	Getenv func(string) string
	Now    func() time.Time
}

// World is a running stand-in.
type World struct {
	o        Options
	target   *url.URL
	senders  []sender
	ledger   *ledger
	exchange *exchange // nil without one
	server   *http.Server
	listener net.Listener
	client   *http.Client
	deal     *reactions
	ending   chan struct{}
	looking  sync.WaitGroup
	follow   sync.WaitGroup
	followed sync.Map // what was sent because of a report, once
	clocks   clocks
	mark     string
	random   *rand.Rand
	books    *billing.Server // nil where no billing system is played
	served   ownCases
	extra    atomic.Int64 // what was sent beside the scenario
}

const (
	lookEvery = 200 * time.Millisecond // at the exchange, and at what is still missing
	parallel  = 8                      // messages under way at one time
	patience  = time.Minute            // with one that is not answered
)

// loopback tells whether a host is this machine.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// Open judges a scenario, makes the exchange tables, and listens for what the
// platforms are told.
func Open(ctx context.Context, o Options) (_ *World, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Seed == 0 {
		o.Seed = uint64(o.Now().UnixNano())
	}
	if len(o.Serves) == 0 {
		o.Serves = []string{"water", "gas"}
	}
	if o.Listen == "" {
		o.Listen = demoAddress
	}
	w := &World{
		o: o, ledger: &ledger{now: o.Now}, ending: make(chan struct{}), deal: newReactions(o.Shares),
		// Two runs never share a number, so that nothing is taken for sent before.
		mark: fmt.Sprintf("%s%05d", o.Now().In(shanghai).Format("060102"), o.Seed%100_000), random: rand.New(rand.NewPCG(o.Seed, 1)),
		client: &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if err := w.judgeOptions(); err != nil {
		return w, err
	}
	if w.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen); err != nil {
		return w, fmt.Errorf("无法监听 can't listen: %w", err)
	}
	for _, s := range w.senders {
		if s.Exchange == nil {
			continue
		}
		if o.Exchange == "" {
			return w, fmt.Errorf("来件方 %[1]s 用前置库，请给出 --exchange sender %[1]s has exchange tables: name the database by --exchange", s.ID)
		}
		if w.exchange != nil {
			return w, errors.New("替身只有一个前置库 the stand-in has one exchange database only")
		}
		if w.exchange, err = openExchange(ctx, o.Exchange, s.ID, w.ledger); err != nil {
			return w, err
		}
	}
	w.openBilling()
	w.server = &http.Server{Handler: w.routes(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = w.server.Serve(w.listener) }()
	if w.exchange != nil {
		w.looking.Go(w.lookAtExchange)
	}
	return w, nil
}

func (w *World) judgeOptions() (err error) {
	if w.target, err = url.Parse(w.o.Target); err != nil || w.target.Scheme != "http" && w.target.Scheme != "https" || !loopback(w.target.Hostname()) {
		return fmt.Errorf("目标 %[1]q 应为本机地址，如 http://127.0.0.1:8080：替身会乱发消息，只对本机使用 "+
			"the target %[1]q must be on this machine, such as http://127.0.0.1:8080: the stand-in sends rubbish and forgeries and never leaves the machine", w.o.Target)
	}
	if host, _, err := net.SplitHostPort(w.o.Listen); err != nil || !loopback(host) {
		return fmt.Errorf("监听地址 %[1]q 应为本机地址与端口，如 127.0.0.1:8790 the address to listen on, %[1]q, must be one of this machine with a port, such as 127.0.0.1:8790", w.o.Listen)
	}
	if w.o.Requests < 0 || w.o.Rate < 0 || w.o.Customers < 0 {
		return errors.New("件数、客户数与速率不得为负 requests, customers and rate must not be negative")
	}
	s := w.o.Shares
	for _, share := range []float64{s.Duplicate, s.OutOfOrder, s.Garbage, s.Late, s.Forged, s.Failed, s.Busy, s.Refused, s.TimedOut, w.o.BillingFaults} {
		if share < 0 || share > 1 {
			return errors.New("比例应在 0 至 1 之间 a share must be between 0 and 1")
		}
	}
	if s.Duplicate+s.OutOfOrder+s.Garbage+s.Late+s.Forged > 1 || s.Failed+s.Busy+s.Refused+s.TimedOut > 1 {
		return errors.New("各种情形的比例之和不得超过 1 the shares of requests, and those of reports, must not exceed 1 together")
	}
	all, err := readSenders(w.o.Senders)
	if err != nil {
		return err
	}
	for _, one := range all {
		if _, known := w.platformOf(one); !known || slices.Contains(w.o.Without, one.ID) {
			continue // what nobody plays sends nothing
		}
		if one, err = one.ready(w.o.Getenv); err != nil {
			return err
		}
		w.senders = append(w.senders, one)
	}
	if len(w.senders) == 0 {
		return errors.New("文件中没有替身会扮演的来件方 the file has no sender that the stand-in can play")
	}
	return nil
}

func (w *World) platformOf(s sender) (platform, bool) {
	if s.Adapter == "gonggai" && s.Exchange == nil {
		return gonggaiREST, true
	}
	p, known := platformsBy[s.Adapter]
	return p, known
}

// Address is where platforms are told, host and port.
func (w *World) Address() string { return w.listener.Addr().String() }

// Close stops listening.
func (w *World) Close() error {
	select {
	case <-w.ending:
		return nil
	default:
		close(w.ending)
	}
	var err error
	if w.server != nil {
		err = w.server.Close()
	} else if w.listener != nil {
		err = w.listener.Close()
	}
	w.follow.Wait()
	w.looking.Wait()
	if w.exchange != nil {
		w.exchange.close()
	}
	return err
}

func (w *World) lookAtExchange() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-w.ending:
			return
		case <-tick.C:
			// A look that fails is made again; what stays missing shows in the end.
			_ = w.exchange.look(ctx)
		}
	}
}

// errand is one request with what goes wrong about it.
type errand struct {
	sender sender
	wrong  Wrong
	n      int
	turn   int // of the sender's own requests
}

// plan deals the requests to the platforms, and what goes wrong to the requests.
func (w *World) plan() []errand {
	var asking []sender
	var rating []sender
	for _, s := range w.senders {
		switch p, _ := w.platformOf(s); {
		case p.ask != nil || s.Exchange != nil:
			asking = append(asking, s)
		case p.unknown != nil:
			rating = append(rating, s)
		}
	}
	all := make([]errand, 0, w.o.Requests)
	for n := range w.o.Requests {
		if len(asking) > 0 {
			all = append(all, errand{sender: asking[n%len(asking)], n: n, turn: n / len(asking)})
		}
	}
	order := w.random.Perm(len(all))
	for _, kind := range []struct {
		wrong Wrong
		share float64
	}{
		{OutOfOrder, w.o.Shares.OutOfOrder}, {Late, w.o.Shares.Late}, {Forged, w.o.Shares.Forged}, {Garbage, w.o.Shares.Garbage}, {Duplicate, w.o.Shares.Duplicate},
	} {
		left := 0
		if kind.share > 0 {
			left = max(1, int(kind.share*float64(len(all))+0.5))
		}
		for _, i := range order {
			if left > 0 && all[i].wrong == "" && w.capable(all[i].sender, kind.wrong) {
				all[i].wrong = kind.wrong
				left--
			}
		}
	}
	for i, s := range rating {
		if w.o.Shares.Garbage > 0 {
			all = append(all, errand{sender: s, wrong: Garbage, n: len(all) + i})
		}
	}
	return all
}

func (w *World) capable(s sender, wrong Wrong) bool {
	p, _ := w.platformOf(s)
	switch wrong {
	case OutOfOrder:
		return p.ahead != nil || s.Exchange != nil
	case Late:
		return s.Proof.timed()
	case Forged:
		return s.Proof.proves()
	case Garbage, Duplicate:
		return true
	default:
		return false
	}
}

// Play sends everything and returns when all of it was answered.
func (w *World) Play(ctx context.Context) error {
	var tick <-chan time.Time
	if w.o.Rate > 0 {
		t := time.NewTicker(time.Duration(float64(time.Second) / w.o.Rate))
		defer t.Stop()
		tick = t.C
	}
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() { w.playCustomers(ctx) })
	slots := make(chan struct{}, parallel)
	for _, s := range w.senders {
		if s.Adapter == wechat {
			w.greet(ctx, s)
		}
	}
	for _, e := range w.plan() {
		if tick != nil {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick:
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case slots <- struct{}{}:
		}
		d := w.draw(e.n)
		d.turn = e.turn
		sending.Go(func() {
			defer func() { <-slots }()
			w.run(ctx, e, d)
		})
	}
	return nil
}

// draw invents for the nth thing of the scenario.
func (w *World) draw(n int) *draw {
	return &draw{Rand: rand.New(rand.NewPCG(w.o.Seed, uint64(n)+2)), mark: w.mark, n: n, now: w.o.Now(), serves: w.o.Serves, books: w.books}
}

// mayRemain says of what came ahead that it may stay kept.
const mayRemain = "先于工单，可一直留存 ahead of its order, may stay kept"

func (w *World) run(ctx context.Context, e errand, d *draw) {
	if e.sender.Exchange != nil {
		if err := w.exchange.send(ctx, d, e.wrong); err != nil {
			w.ledger.add(Entry{Direction: Sent, Platform: e.sender.ID, Kind: itemTable, Wrong: e.wrong, Fault: err.Error()})
		}
		return
	}
	p, _ := w.platformOf(e.sender)
	switch e.wrong {
	case Garbage:
		m, how := w.garbage(p, d)
		w.transmit(ctx, e.sender, p, m, sending{wrong: Garbage, how: how})
	case Late:
		w.transmit(ctx, e.sender, p, p.ask(d), sending{wrong: Late, how: "一小时前的签名 signed an hour ago", ago: time.Hour})
	case Forged:
		how, tamper := "他人的密钥 with another's secret", false
		if e.sender.Proof.overBody() && d.IntN(2) == 0 {
			how, tamper = "签名后改了内容 changed after it was signed", true
		}
		w.transmit(ctx, e.sender, p, p.ask(d), sending{wrong: Forged, how: how, forge: !tamper, tamper: tamper})
	case OutOfOrder:
		w.sendAhead(ctx, e.sender, p, d)
	case Duplicate:
		m := p.ask(d)
		w.inquire(ctx, e.sender, p, m)
		w.sendTwice(ctx, e.sender, p, m, d)
	default:
		m := p.ask(d)
		w.inquire(ctx, e.sender, p, m)
		w.transmit(ctx, e.sender, p, m, sending{})
	}
}

func (w *World) garbage(p platform, d *draw) (message, string) {
	if p.ask == nil || d.IntN(len(breaks)+1) == 0 {
		return p.unknown(d), "不认识的代码或编号 a code or number that nobody knows"
	}
	m, b := p.ask(d), breaks[d.IntN(len(breaks))]
	b.do(&m)
	return m, b.how
}

// sendAhead sends what belongs behind a request, then the request, then what
// came ahead once more, as platforms do that were told no.
func (w *World) sendAhead(ctx context.Context, s sender, p platform, d *draw) {
	request := p.ask(d)
	how := "先于其申请 ahead of its request"
	if p.remains {
		how = mayRemain
	}
	ahead := p.ahead(d, request.external)
	n := w.transmit(ctx, s, p, ahead, sending{wrong: OutOfOrder, how: how})
	w.transmit(ctx, s, p, request, sending{})
	for range 10 {
		w.transmit(ctx, s, p, ahead, sending{entry: n})
		if e := w.ledger.all()[n-1]; e.Good || p.remains || pause(ctx, time.Second) != nil {
			return
		}
	}
}

// sendTwice sends a request and then once more, in one of the ways in which
// that happens.
func (w *World) sendTwice(ctx context.Context, s sender, p platform, m message, d *draw) {
	switch d.IntN(4) {
	case 0:
		nonce, at := w.nonce(d), w.clocks.read(s.ID, w.o.Now())
		w.transmit(ctx, s, p, m, sending{nonce: nonce, at: at})
		w.transmit(ctx, s, p, m, sending{wrong: Duplicate, how: "原样重发 byte by byte, with the same signature", nonce: nonce, at: at})
	case 1:
		w.transmit(ctx, s, p, m, sending{})
		w.transmit(ctx, s, p, m, sending{wrong: Duplicate, how: "重新签名 signed anew"})
	case 2:
		w.transmit(ctx, s, p, m, sending{})
		w.transmit(ctx, s, p, again(m), sending{wrong: Duplicate, how: "另一种写法 written differently"})
	default:
		var both sync.WaitGroup
		both.Go(func() { w.transmit(ctx, s, p, m, sending{}) })
		both.Go(func() {
			w.transmit(ctx, s, p, m, sending{wrong: Duplicate, how: "同时发两次 twice at one moment"})
		})
		both.Wait()
	}
}

func (w *World) nonce(d *draw) string { return fmt.Sprintf("%s-%x", w.mark, d.Uint64()) }

// Await waits until everything was settled and told for the first time, or the
// time is over.
func (w *World) Await(ctx context.Context, most time.Duration) error {
	end := time.NewTimer(most)
	defer end.Stop()
	for len(w.Waiting()) > 0 {
		select {
		case <-end.C:
			return nil
		default:
		}
		if err := pause(ctx, lookEvery); err != nil {
			return err
		}
	}
	w.follow.Wait()
	return nil
}

// Waiting lists what has not come yet that must come by itself: what is written
// back to a row, and the first report of each request.
func (w *World) Waiting() (missing []string) {
	entries := w.ledger.all()
	if w.exchange != nil {
		for _, row := range w.exchange.waiting() {
			missing = append(missing, "前置库未回写 nothing was written back to "+row)
		}
	}
	for _, e := range entries {
		if !e.Request || e.Wrong != "" && e.Wrong != Duplicate && e.Wrong != OutOfOrder || !e.Good {
			continue
		}
		i := slices.IndexFunc(w.senders, func(s sender) bool { return s.ID == e.Platform })
		if i < 0 {
			continue // a customer, who looks for themselves
		}
		p, _ := w.platformOf(w.senders[i])
		if p.first == "" || w.senders[i].Report == nil && w.senders[i].Exchange == nil {
			continue
		}
		if !slices.ContainsFunc(entries, func(t Entry) bool {
			return t.Direction == Told && t.Platform == e.Platform && (t.External == e.External || strings.HasPrefix(t.External, e.External+"/")) &&
				(t.Reaction == Took || t.Reaction == TimedOut)
		}) {
			missing = append(missing, fmt.Sprintf("%[1]s %[2]s 尚未回告 %[1]s was told nothing of %[2]s", e.Platform, e.External))
		}
	}
	for _, e := range entries {
		if e.Direction == Told && e.Fault == "" && e.Reaction != Took && !slices.ContainsFunc(entries[e.N:], func(t Entry) bool {
			return t.Direction == Told && t.Platform == e.Platform && t.External == e.External && t.Part == e.Part && t.State == e.State && t.Reaction == Took
		}) {
			missing = append(missing, fmt.Sprintf("%[1]s %[2]s“%[3]s”未再报 %[1]s was not told %[3]q of %[2]s again", e.Platform, e.External, e.State))
		}
	}
	for _, watcher := range w.watching() {
		for number := range ended(entries) {
			if !slices.ContainsFunc(entries, func(t Entry) bool {
				return t.Direction == Told && t.Platform == watcher && t.External == number && (t.Reaction == Took || t.Reaction == TimedOut)
			}) {
				missing = append(missing, fmt.Sprintf("%[1]s 未收到 %[2]s 的服务记录 %[1]s has no record of %[2]s", watcher, number))
			}
		}
	}
	missing = append(missing, unpaid(entries)...)
	slices.Sort(missing)
	return missing
}

// watching are the senders that are told of all cases.
func (w *World) watching() (ids []string) {
	for _, s := range w.senders {
		if s.watches() {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// PassedOn notes that staff passed a case on to another one, whose record is the
// one to expect at its end. Platforms know only their own numbers.
func (w *World) PassedOn(number, on string) {
	w.ledger.add(Entry{Direction: Passed, External: number, Numbers: []string{on}})
}

// Judge says what held.
func (w *World) Judge() Verdict { return judge(w.ledger.all(), w.Waiting(), w.watching()) }

// Ledger gives everything that was said, in its order.
func (w *World) Ledger() []Entry { return w.ledger.all() }

// Seed is the one that was used.
func (w *World) Seed() uint64 { return w.o.Seed }

// fresh draws for one thing alone, however many others were drawn before.
func (w *World) fresh(name string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash takes everything
	return rand.New(rand.NewPCG(w.o.Seed, h.Sum64()))
}

// clocks are those of the senders. A clock never shows a moment twice: where
// nothing but the moment is signed, two messages would have one signature.
type clocks struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (c *clocks) read(sender string, now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		c.last = map[string]time.Time{}
	}
	now = now.Truncate(time.Millisecond)
	if last := c.last[sender]; !now.After(last) {
		now = last.Add(time.Millisecond)
	}
	c.last[sender] = now
	return now
}

// pause waits a while.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
