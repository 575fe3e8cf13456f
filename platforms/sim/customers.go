package sim

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The channels on which customers act by themselves, through the public API.
var ownChannels = []sender{
	{ID: "wechat", Name: "微信公众号"}, {ID: "mini_program", Name: "小程序"}, {ID: "company_site", Name: "公司门户网站"},
}

// channels are those rows of the table that no sender fills.
func (w *World) channels() []sender {
	if w.o.Customers == 0 {
		return nil
	}
	return ownChannels
}

// customer is somebody on one of these channels.
type customer struct {
	*draw
	w       *World
	channel string
}

// ownCases are the customers who look after a case of theirs, until they have rated it.
type ownCases struct {
	mu   sync.Mutex
	open []ownCase
}

// ownCase is a case that a customer looks after.
type ownCase struct {
	customer     customer
	number, code string
}

// lookAfter is how long a customer waits between two looks at a case.
const lookAfter = 2 * time.Second

// playCustomers has each customer do what they came for. Every channel sees
// every errand once twelve of them came.
func (w *World) playCustomers(ctx context.Context) {
	errands := []func(customer, context.Context){customer.applies, customer.pays, customer.closes, customer.transfers}
	var all sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for i := range w.o.Customers {
		select {
		case <-ctx.Done():
			return
		case slots <- struct{}{}:
		}
		if w.o.Rate > 0 && pause(ctx, time.Duration(float64(time.Second)/w.o.Rate)) != nil {
			return
		}
		d := w.draw(firstCustomer + i)
		d.standing = []Standing{Owes, Clear, Prepaid, OtherHolder}[(i+i/len(ownChannels))%4]
		c := customer{draw: d, w: w, channel: ownChannels[i%len(ownChannels)].ID}
		all.Go(func() {
			defer func() { <-slots }()
			errands[i/len(ownChannels)%len(errands)](c, ctx)
		})
	}
	all.Wait()
	if w.o.Customers > 0 {
		w.looking.Go(w.lookAfterCases)
	}
}

func (c customer) utility() string {
	if c.asksGas(3) {
		return "gas"
	}
	return "water"
}

// applies asks for a connection: first with a mistake, then rightly, mostly
// twice, because a form is sent again when its answer is slow.
func (c customer) applies(ctx context.Context) {
	p, external := c.place(), c.number("KH")
	form := object{
		"utility": c.utility(), "channel": c.channel, "applicant": object{"name": c.company(), "credit_code": c.creditCode()},
		"contact": object{"name": c.person(), "phone": "1380000"}, "site": object{"district": p.code, "address": p.address(c.draw)},
		"demand": object{"use": "经营用水用气"}, "remark": "测试数据 " + external,
	}
	c.mistakes(ctx, "connection-requests", external, form, "contact.phone")
	form["contact"] = object{"name": c.person(), "phone": c.phone()}
	c.opens(ctx, "connection-requests", external, form)
}

// transfers asks for a transfer by itself, without a house sale.
func (c customer) transfers(ctx context.Context) {
	a, external := c.account(c.utility()), c.number("KH")
	c.opens(ctx, "service-requests", external, object{
		"service": "account_transfer", "utility": a.utility, "channel": c.channel, "account": a.number, "address": a.address,
		"holder":     object{"name": a.holder.Name, "phone": a.holder.Phone},
		"new_holder": object{"name": c.person(), "phone": c.phone(), "resident_id": c.residentID()}, "reason": "测试数据 " + external,
	})
}

// closes asks for a closing, first without somebody to call.
func (c customer) closes(ctx context.Context) {
	if c.standing == OtherHolder {
		c.standing = Owes // who is not the holder can't close it
	}
	a, external := c.account(c.utility()), c.number("KH")
	form := object{
		"service": "account_closing", "utility": a.utility, "channel": c.channel, "account": a.number, "address": a.address,
		"holder": object{"name": a.holder.Name}, "reason": "房屋拆迁 " + external,
	}
	c.mistakes(ctx, "service-requests", external, form, "holder.phone")
	form["holder"] = object{"name": a.holder.Name, "phone": a.holder.Phone, "resident_id": a.holder.ResidentID}
	c.opens(ctx, "service-requests", external, form)
}

// pays looks what is owed, pays it, twice under one key, and asks for an invoice.
func (c customer) pays(ctx context.Context) {
	if c.w.books == nil {
		return
	}
	if c.standing == OtherHolder {
		c.standing = Owes
	}
	a, external := c.account(c.utility()), c.number("WX")
	at := "accounts/" + a.number + "/"
	c.says(ctx, Entry{Kind: at + "balance", External: external, Wrong: Guessed, How: "他人的户名 another's name"}, "", object{"holder": "测试某人"},
		func(status int, _ object) bool { return status == http.StatusNotFound || c.mayRefuse(status) })
	owed := 0
	c.says(ctx, Entry{Kind: at + "balance", External: external}, "", object{"holder": a.holder.Name}, func(status int, got object) bool {
		owed = got.number("owed")
		return status == http.StatusOK || c.mayRefuse(status)
	})
	payment := object{"channel": c.channel, "amount": max(owed, 5000), "way": "wechat", "number": external}
	kept := func(status int, _ object) bool { return status == http.StatusOK || status == http.StatusAccepted }
	c.says(ctx, Entry{Kind: at + payments, External: external}, c.key(external), payment, kept)
	c.says(ctx, Entry{Kind: at + payments, External: external, Wrong: Duplicate, How: "同一幂等键 under the same key"}, c.key(external), payment, kept)
	c.says(ctx, Entry{Kind: at + "invoices", External: external}, c.key(external), object{"channel": c.channel, "holder": a.holder.Name, "title": a.holder.Name, "email": "ceshi@example.cn"}, kept)
}

// mayRefuse tells whether a no may be billing's own, played on purpose.
func (c customer) mayRefuse(status int) bool {
	return c.w.o.BillingFaults > 0 && status == http.StatusConflict
}

// payments ends the address of what is paid.
const payments = "payments"

func (c customer) key(external string) string { return "sim-" + c.mark + "-" + external }

// mistakes sends a form that must be refused, with the field that is wrong named.
func (c customer) mistakes(ctx context.Context, kind, external string, form object, field string) {
	c.says(ctx, Entry{Kind: kind, External: external, Wrong: Faulty, How: field}, c.key(external)+"-faulty", form, func(status int, got object) bool {
		faults, _ := got["errors"].([]any)
		return status == http.StatusUnprocessableEntity && slices.ContainsFunc(faults, func(f any) bool {
			one, _ := f.(map[string]any)
			return one["field"] == field
		})
	})
}

// opens sends a form that must get a number and a code, and follows the case by
// them; mostly twice.
func (c customer) opens(ctx context.Context, kind, external string, form object) {
	v := ownCase{customer: c}
	taken := func(status int, got object) bool {
		v.number, v.code = got.text("number"), got.text("code")
		return (status == http.StatusCreated || status == http.StatusOK || status == http.StatusAccepted) && v.number != "" && v.code != ""
	}
	if !c.says(ctx, Entry{Kind: kind, External: external, Request: true}, c.key(external), form, taken) {
		return
	}
	if c.IntN(3) > 0 {
		c.says(ctx, Entry{Kind: kind, External: external, Request: true, Wrong: Duplicate, How: "同一幂等键 under the same key"}, c.key(external), form, taken)
	}
	c.says(ctx, Entry{Kind: v.progress(), External: external, Wrong: Guessed, How: "猜的查询码 a guessed code"}, "", nil, func(status int, _ object) bool {
		return status == http.StatusNotFound
	}, "AAAAAAAAAA")
	c.says(ctx, Entry{Kind: v.progress(), External: external}, "", nil, func(status int, got object) bool {
		return status == http.StatusOK && got.text("number") == v.number
	}, v.code)
	c.w.served.mu.Lock()
	c.w.served.open = append(c.w.served.open, v)
	c.w.served.mu.Unlock()
}

// progress is where a customer looks, without the code.
func (v ownCase) progress() string { return "progress?number=" + v.number }

// lookAfterCases has one customer after the other look whether their case can be
// rated, and rate it.
func (w *World) lookAfterCases() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-w.ending:
			cancel()
		case <-ctx.Done():
		}
	}()
	for i := 0; pause(ctx, lookAfter) == nil; i++ {
		w.served.mu.Lock()
		n := len(w.served.open)
		if n == 0 {
			w.served.mu.Unlock()
			return
		}
		i %= n
		v := w.served.open[i]
		w.served.mu.Unlock()
		status, _, got, err := w.ask(ctx, http.MethodGet, v.progress()+"&code="+url.QueryEscape(v.code), "", nil)
		body, parseErr := parse(got)
		if err != nil || parseErr != nil || status != http.StatusOK {
			continue
		}
		can, _ := body["actions"].([]any)
		if !slices.Contains(can, any("rate")) {
			continue
		}
		v.customer.says(ctx, Entry{Kind: "cases/" + v.number + "/rate", External: v.customer.number("KH"), How: afterwards}, v.customer.key(v.number),
			object{"code": v.code, "level": 5, "comment": "线上办成，没有跑腿"}, func(status int, _ object) bool { return status == http.StatusOK })
		w.served.mu.Lock()
		w.served.open = slices.Delete(w.served.open, i, i+1)
		w.served.mu.Unlock()
	}
}

// says sends what a customer asks until it is answered, puts it down, and tells
// whether the answer is the right one. Whoever is turned away because too many
// ask comes back; who is turned away for a whole minute gives up, and was not
// wronged.
func (c customer) says(ctx context.Context, e Entry, key string, form any, right func(int, object) bool, code ...string) bool {
	e.Direction, e.Platform = Sent, c.channel
	var body []byte
	method, path := http.MethodGet, e.Kind
	if form != nil {
		method, body = http.MethodPost, asJSON("", "", false, form).body
	}
	if len(code) > 0 {
		path += "&code=" + url.QueryEscape(code[0])
	}
	e.Body = string(body)
	n := c.w.ledger.add(e)
	until, good := c.w.o.Now().Add(patience), false
	for try := 1; ; try++ {
		status, retry, answer, err := c.w.ask(ctx, method, path, key, body)
		again := err != nil || status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
		if again && ctx.Err() == nil && c.w.o.Now().Before(until) && pause(ctx, retry) == nil {
			continue
		}
		c.w.ledger.change(n, func(e *Entry) {
			e.Tries, e.Status, e.Answer = try, status, shorten(string(answer))
			switch said, parseErr := parse(answer); {
			case status == http.StatusTooManyRequests:
				e.Request, e.How = false, turnedAway
			case again:
				e.Fault = "没有应答 it was not answered"
			case parseErr != nil:
				e.Fault = parseErr.Error()
			default:
				good = right(status, said)
				e.Good = good
				if number := said.text("number"); e.Request && number != "" {
					e.Numbers = []string{number}
				}
			}
		})
		return good
	}
}

// turnedAway says of a customer that too many were asking.
const turnedAway = "限流，未受理 too many were asking"

// ask calls the public API once; retry is when to call again, if that is needed.
func (w *World) ask(ctx context.Context, method, path, key string, body []byte) (status int, retry time.Duration, answer []byte, err error) {
	retry = time.Second
	to := *w.target
	path, to.RawQuery, _ = strings.Cut(path, "?")
	to.Path = strings.TrimSuffix(to.Path, "/") + "/v1/public/" + path
	r, err := http.NewRequestWithContext(ctx, method, to.String(), bytes.NewReader(body))
	if err != nil {
		return 0, retry, nil, err
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	got, err := w.client.Do(r)
	if err != nil {
		return 0, retry, nil, err
	}
	defer got.Body.Close()
	if seconds, err := strconv.Atoi(got.Header.Get("Retry-After")); err == nil {
		retry = min(time.Duration(seconds)*time.Second, patience)
	}
	answer, err = io.ReadAll(io.LimitReader(got.Body, 1<<20))
	return got.StatusCode, retry, answer, err
}

// customerRules judge what customers were answered.
func customerRules(entries []Entry) []Rule {
	served := Rule{Name: "客户自助办理 customers are served on our own channels, and told what is wrong"}
	guessed := Rule{Name: "猜测无所得 who guesses a code or a name learns nothing"}
	own := map[string]bool{}
	for _, c := range ownChannels {
		own[c.ID] = true
	}
	for _, e := range entries {
		switch {
		case e.Direction != Sent || !own[e.Platform] || e.How == turnedAway || e.Status == 0:
		case e.Wrong == Guessed:
			guessed.look(e, e.Good, "%d %s", e.Status, e.Answer)
		default:
			served.look(e, e.Good, "%s %d %s", e.How, e.Status, e.Answer)
		}
	}
	if served.Looked+guessed.Looked == 0 {
		return nil
	}
	return []Rule{served, guessed}
}

// said is a word of the body of a payment or a change, as billing heard it.
func said(e Entry, field string) string {
	body, err := parse([]byte(e.Body))
	if err != nil {
		return ""
	}
	if n, is := body[field].(float64); is {
		return fmt.Sprint(int64(n))
	}
	return body.text(field)
}
