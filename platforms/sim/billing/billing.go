// Package billing plays a utility's billing system over real HTTP, with accounts
// in memory: the contract of docs/billing.md, and what goes wrong with such
// systems, on demand.
package billing

import (
	"bytes"
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

// Server is a billing system. It is safe for concurrent use.
type Server struct {
	// Token, where set, must come with each call.
	Token string

	mu       sync.Mutex
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
	s := &Server{accounts: map[string]*Account{}, answers: map[string][]byte{}, asked: map[string]string{}}
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

func (s *Server) fault() Fault {
	s.calls++
	if len(s.faults) > 0 {
		f := s.faults[0]
		s.faults = s.faults[1:]
		return f
	}
	return s.always
}

// ServeHTTP answers a call: GET accounts/{number}, POST accounts/{number}/… below
// whatever path the server was put at.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	s.mu.Lock()
	fault := s.fault()
	s.mu.Unlock()
	switch fault {
	case Hang:
		<-r.Context().Done()
		return
	case Down:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case Garbage:
		_, _ = w.Write([]byte("<html>系统升级中</html>"))
		return
	case Refuse:
		refuse(w, http.StatusConflict, "locked", "账户已锁定，请到营业厅核实")
		return
	case LoseAnswer, AnswerTwice:
	}
	if s.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.Token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	status, answer := s.answer(r.Method, r.URL.Path, r.Header.Get("Idempotency-Key"), body)
	if fault == LoseAnswer {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	if fault == AnswerTwice {
		answer = append(bytes.Clone(answer), answer...)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(answer) //nolint:gosec // JSON, and no browser reads it
}

func refuse(w http.ResponseWriter, status int, code, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(said(refusal{code, reason}))
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
	s.mu.Lock()
	defer s.mu.Unlock()
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
