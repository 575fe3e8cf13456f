// Package billing holds what is said to the billing system of a utility, and
// what it says: accounts, balances, readings, payments and invoices. It knows
// nothing of cases. Who needs the system declares an interface of its own; the
// shipped implementation is package billing/rest.
package billing

import (
	"errors"
	"fmt"
	"time"
)

// ErrNotFound says that billing knows no such account.
var ErrNotFound = errors.New("billing knows no such account")

// ErrUnavailable says that billing did not answer, or not so that it could be
// understood: whoever asks tries again later, under the same key.
var ErrUnavailable = errors.New("billing is not available")

// RefusalError is billing's no, with its reason: trying again changes nothing.
type RefusalError struct {
	Code   string `json:"code"`   // billing's own
	Reason string `json:"reason"` // for people; may be in Chinese
}

// Error implements error.
func (r *RefusalError) Error() string {
	return fmt.Sprintf("billing refused (%s): %s", r.Code, r.Reason)
}

// Holder is in whose name an account is.
type Holder struct {
	Name       string `json:"name"`
	Phone      string `json:"phone,omitempty"`
	ResidentID string `json:"resident_id,omitempty"`
	CreditCode string `json:"credit_code,omitempty"`
}

// States of an account.
const (
	Active = "active"
	Closed = "closed"
)

// Account is an account with its balance and its last reading.
type Account struct {
	Number      string   `json:"number"`
	Utility     string   `json:"utility"` // water or gas
	State       string   `json:"state"`   // active or closed
	Holder      Holder   `json:"holder"`
	District    string   `json:"district,omitempty"`
	Address     string   `json:"address,omitempty"`
	Balance     Balance  `json:"balance"`
	LastReading *Reading `json:"last_reading,omitempty"`
}

// Balance is what an account owes and what it has prepaid, in fen.
type Balance struct {
	Owed   int64     `json:"owed"`
	Credit int64     `json:"credit"`
	AsOf   time.Time `json:"as_of,omitzero"`
}

// Reading is what a meter showed, in cubic metres.
type Reading struct {
	Value float64   `json:"value"`
	At    time.Time `json:"at"`
}

// HolderChange puts an account into another name.
type HolderChange struct {
	Account  string   `json:"-"`
	Holder   Holder   `json:"holder"`
	Contract string   `json:"contract"` // number of the new holder's contract
	Reading  *Reading `json:"reading,omitempty"`
	Payer    string   `json:"arrears_payer,omitempty"` // who pays what is owed: holder or new_holder
}

// FinalReading asks for the last bill of an account.
type FinalReading struct {
	Account string  `json:"-"`
	Reading Reading `json:"reading"`
}

// Bill is what a bill comes to: owed, or given back, in fen.
type Bill struct {
	Number string `json:"number"`
	Owed   int64  `json:"owed"`
	Refund int64  `json:"refund"`
}

// Closing closes an account.
type Closing struct {
	Account string `json:"-"`
	Reason  string `json:"reason,omitempty"`
}

// Payment is money that a customer paid.
type Payment struct {
	Account string    `json:"-"`
	Amount  int64     `json:"amount"` // fen
	Way     string    `json:"way"`
	Number  string    `json:"number"` // of whoever took the money
	PaidAt  time.Time `json:"paid_at"`
	Channel string    `json:"channel,omitempty"` // the way it came in, where that is known
	Source  string    `json:"source,omitempty"`  // who says so: staff, platform or customer; what a customer says is to be verified
}

// Invoice asks for an invoice.
type Invoice struct {
	Account string `json:"-"`
	Amount  int64  `json:"amount,omitempty"` // fen; 0: whatever has none yet
	Title   string `json:"title"`
	TaxCode string `json:"tax_code,omitempty"`
	Email   string `json:"email,omitempty"`
}

// Receipt is billing's own number of something that it did.
type Receipt struct {
	Reference string `json:"reference"`
}
