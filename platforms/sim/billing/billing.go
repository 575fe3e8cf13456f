// Package billing plays a utility's billing system over real HTTP, with accounts
// in memory: the contract of docs/billing.md, and what goes wrong with such
// systems, on demand.
package billing

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Account is an account as the stand-in keeps it.
type Account struct {
	Number      string   `json:"number"`
	Utility     string   `json:"utility"`
	State       string   `json:"state"`
	Holder      Holder   `json:"holder"`
	District    string   `json:"district,omitempty"`
	Address     string   `json:"address,omitempty"`
	Balance     Balance  `json:"balance"`
	LastReading *Reading `json:"last_reading,omitempty"`

	Contract string    `json:"-"`
	Payments []Payment `json:"-"`
	Invoices []Invoice `json:"-"`
}

// The words of the contract, as this side of it writes them.
type (
	// Holder is in whose name an account is.
	Holder struct {
		Name       string `json:"name"`
		Phone      string `json:"phone,omitempty"`
		ResidentID string `json:"resident_id,omitempty"`
		CreditCode string `json:"credit_code,omitempty"`
	}
	// Balance is in fen.
	Balance struct {
		Owed   int64     `json:"owed"`
		Credit int64     `json:"credit"`
		AsOf   time.Time `json:"as_of,omitzero"`
	}
	// Reading is in cubic metres.
	Reading struct {
		Value float64   `json:"value"`
		At    time.Time `json:"at"`
	}
	// Payment is money that came in.
	Payment struct {
		Amount int64     `json:"amount"`
		Way    string    `json:"way"`
		Number string    `json:"number"`
		PaidAt time.Time `json:"paid_at"`

		Channel string `json:"channel,omitempty"`
		Source  string `json:"source,omitempty"`
	}
	// Invoice is an invoice that was written.
	Invoice struct {
		Amount  int64  `json:"amount"`
		Title   string `json:"title"`
		TaxCode string `json:"tax_code"`
		Email   string `json:"email"`
	}
)

// Fault is what goes wrong with a call.
type Fault string

// The faults.
const (
	Refuse      Fault = "refuse"       // a no with a reason
	Down        Fault = "down"         // 503
	Garbage     Fault = "garbage"      // an answer that nobody understands
	Hang        Fault = "hang"         // no answer until the caller gives up
	LoseAnswer  Fault = "lose_answer"  // does it, and the answer is lost on the way
	AnswerTwice Fault = "answer_twice" // the answer comes twice in one body
)

// PricePerUnit is what the stand-in asks for a cubic metre, in fen.
const PricePerUnit = 300

// Call is one call, as it was heard and answered.
type Call struct {
	What    string // account, holder, final-bill, close, payments or invoices
	Account string
	Key     string
	Body    string
	Fault   Fault // that was played
	Status  int   // 0: none was given
	Answer  string
	Known   bool  // there is such an account
	Owed    int64 // by it, before the call
	Done    bool  // it changed something
}

// Server is a billing system. It is safe for concurrent use. What is exported is
// set before the first call.
type Server struct {
	// Token, where set, must come with each call.
	Token string
	// Deal, where set, says what goes wrong with a call: with what is asked of an
	// account for the nth time. Faults that were ordered come first.
	Deal func(what, account string, nth int) Fault
	// Heard, where set, is told of each call before it is answered.
	Heard func(Call)

	mu       sync.Mutex
	times    map[string]int // how often something was asked of an account
	accounts map[string]*Account
	answers  map[string][]byte // by idempotency key
	asked    map[string]string // what was asked under a key
	done     int
	calls    int
	faults   []Fault
	always   Fault
}

// New gives a billing system with accounts.
func New(accounts ...Account) *Server {
	s := &Server{accounts: map[string]*Account{}, answers: map[string][]byte{}, asked: map[string]string{}, times: map[string]int{}}
	for _, a := range accounts {
		s.Put(a)
	}
	return s
}

// Put adds or replaces an account.
func (s *Server) Put(a Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.State == "" {
		a.State = "active"
	}
	s.accounts[a.Number] = &a
}

// Account gives an account as it is now.
func (s *Server) Account(number string) (Account, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.accounts[number]
	if !ok {
		return Account{}, false
	}
	return *a, true
}

// Fail has the next calls fail so, one each.
func (s *Server) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// Break has every call fail so; an empty fault mends it.
func (s *Server) Break(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.always = f
}

// Counts tells how many calls came, and how many changed something.
func (s *Server) Counts() (calls, done int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls, s.done
}

func (s *Server) fault(c Call) Fault {
	s.calls++
	s.times[c.What+" "+c.Account]++
	if len(s.faults) > 0 {
		f := s.faults[0]
		s.faults = s.faults[1:]
		return f
	}
	if s.always == "" && s.Deal != nil {
		return s.Deal(c.What, c.Account, s.times[c.What+" "+c.Account])
	}
	return s.always
}

// ServeHTTP answers a call: GET accounts/{number}, POST accounts/{number}/… below
// whatever path the server was put at.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	c := Call{What: "account", Key: r.Header.Get("Idempotency-Key"), Body: string(body)}
	_, rest, _ := strings.Cut(r.URL.Path, "/accounts/")
	number, what, _ := strings.Cut(rest, "/")
	if c.Account = number; what != "" {
		c.What = what
	}
	s.mu.Lock()
	if a, known := s.accounts[c.Account]; known {
		c.Known, c.Owed = true, a.Balance.Owed
	}
	if s.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.Token {
		c.Status = http.StatusUnauthorized
	} else if c.Fault = s.fault(c); c.Fault == Refuse && s.answers[c.Key] != nil {
		c.Fault = "" // what is done under a key is not refused under it
	}
	if c.Status == 0 && (c.Fault == "" || c.Fault == LoseAnswer || c.Fault == AnswerTwice) {
		before := s.done
		var answer []byte
		c.Status, answer = s.answer(r.Method, r.URL.Path, c.Key, body)
		c.Answer, c.Done = string(answer), s.done > before
	}
	s.mu.Unlock()
	switch c.Fault {
	case Down:
		c.Status = http.StatusServiceUnavailable
	case Garbage:
		c.Status, c.Answer = http.StatusOK, "<html>系统升级中</html>"
	case Refuse:
		c.Status, c.Answer = http.StatusConflict, string(said(refusal{"locked", "账户已锁定，请到营业厅核实"}))
	case LoseAnswer:
		c.Status, c.Answer = http.StatusBadGateway, ""
	case AnswerTwice:
		c.Answer += c.Answer
	case Hang:
	}
	if s.Heard != nil {
		s.Heard(c)
	}
	if c.Fault == Hang {
		<-r.Context().Done()
		return
	}
	if c.Fault != Garbage {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(c.Status)
	_, _ = io.WriteString(w, c.Answer) //nolint:gosec // JSON, and no browser reads it
}

type refusal struct {
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

func said(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only values of this package
	}
	return b
}

func (s *Server) answer(method, path, key string, body []byte) (int, []byte) {
	_, rest, found := strings.Cut(path, "/accounts/")
	if !found {
		return http.StatusNotFound, said(refusal{"no_such_address", "没有这个接口"})
	}
	number, what, _ := strings.Cut(rest, "/")
	account, ok := s.accounts[number]
	if !ok {
		return http.StatusNotFound, said(refusal{"no_such_account", "没有这个户号"})
	}
	if method == http.MethodGet && what == "" {
		return http.StatusOK, said(account)
	}
	if method != http.MethodPost || key == "" {
		return http.StatusBadRequest, nil
	}
	asked := path + "\n" + string(body)
	if before, again := s.answers[key]; again {
		if s.asked[key] != asked {
			return http.StatusConflict, said(refusal{"key_used", "同一幂等键用于不同请求"})
		}
		return http.StatusOK, before
	}
	reply, no := s.do(account, what, body)
	if no != nil {
		return http.StatusUnprocessableEntity, said(no)
	}
	s.done++
	s.answers[key], s.asked[key] = said(reply), asked
	return http.StatusOK, s.answers[key]
}

// do does what is asked of an account, or says why not.
func (s *Server) do(a *Account, what string, body []byte) (any, *refusal) {
	if a.State == "closed" {
		return nil, &refusal{"closed", "该户号已销户"}
	}
	receipt := map[string]string{"reference": fmt.Sprintf("B%06d", s.done+1)}
	switch what {
	case "holder":
		var in struct {
			Holder   Holder   `json:"holder"`
			Contract string   `json:"contract"`
			Reading  *Reading `json:"reading"`
			Payer    string   `json:"arrears_payer"`
		}
		if no := read(body, &in); no != nil {
			return nil, no
		}
		if a.Balance.Owed > 0 && in.Payer == "" {
			return nil, &refusal{"arrears", "尚有欠费"}
		}
		a.Holder, a.Contract = in.Holder, in.Contract
		if in.Reading != nil {
			a.LastReading = in.Reading
		}
		return receipt, nil
	case "final-bill":
		var in struct {
			Reading Reading `json:"reading"`
		}
		if no := read(body, &in); no != nil {
			return nil, no
		}
		before := 0.0
		if a.LastReading != nil {
			before = a.LastReading.Value
		}
		if in.Reading.Value < before {
			return nil, &refusal{"reading", "读数小于上期读数"}
		}
		a.LastReading = &in.Reading
		a.settle(int64((in.Reading.Value - before) * PricePerUnit))
		return map[string]any{"number": receipt["reference"], "owed": a.Balance.Owed, "refund": a.Balance.Credit}, nil
	case "close":
		if a.Balance.Owed > 0 {
			return nil, &refusal{"arrears", "尚有欠费"}
		}
		a.State, a.Balance.Credit = "closed", 0
		return receipt, nil
	case "payments":
		var p Payment
		if no := read(body, &p); no != nil {
			return nil, no
		}
		a.Payments = append(a.Payments, p)
		a.settle(-p.Amount)
		return receipt, nil
	case "invoices":
		var i Invoice
		if no := read(body, &i); no != nil {
			return nil, no
		}
		a.Invoices = append(a.Invoices, i)
		return receipt, nil
	}
	return nil, &refusal{"no_such_address", "没有这个接口"}
}

// settle puts a charge, or with a minus a payment, against the balance.
func (a *Account) settle(charge int64) {
	owed := a.Balance.Owed - a.Balance.Credit + charge
	a.Balance.Owed, a.Balance.Credit = max(owed, 0), max(-owed, 0)
}

func read(body []byte, into any) *refusal {
	if json.Unmarshal(body, into) != nil {
		return &refusal{"unreadable", "无法识别的内容"}
	}
	return nil
}
