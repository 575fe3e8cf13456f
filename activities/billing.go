package activities

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/curbstop/curbstop/billing"
	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// BillingSystem is a utility's billing system. What is done twice under one key
// is done once. Its errors are [billing.ErrNotFound], a [billing.RefusalError], or
// something that another try may mend.
type BillingSystem interface {
	Account(ctx context.Context, number string) (billing.Account, error)
	ChangeHolder(ctx context.Context, key string, c billing.HolderChange) (billing.Receipt, error)
	FinalBill(ctx context.Context, key string, r billing.FinalReading) (billing.Bill, error)
	Close(ctx context.Context, key string, c billing.Closing) (billing.Receipt, error)
	Pay(ctx context.Context, key string, p billing.Payment) (billing.Receipt, error)
	Invoice(ctx context.Context, key string, i billing.Invoice) (billing.Receipt, error)
}

// BillingBook keeps the payments and invoices that were asked for.
type BillingBook interface {
	BillingRequest(ctx context.Context, id string) (casework.BillingRequest, error)
	// TryBilling counts a try before it is made.
	TryBilling(ctx context.Context, id string) error
	// SettleBilling writes down what billing answered, once.
	SettleBilling(ctx context.Context, id string, state casework.BillingState, reference, reason string, at time.Time) (casework.BillingRequest, error)
}

// Billing asks the billing system for cases, and carries payments and invoices
// to it.
type Billing struct {
	System BillingSystem // nil: this installation has none
	Cases  CaseReader
	Book   BillingBook
	Now    func() time.Time
}

// BillingInput is a question of a case. What it is about is read from the
// records, so that nobody's name travels with it.
type BillingInput struct {
	Number   string                   `json:"number"`
	Version  int64                    `json:"version"` // of the case when it asked
	Question casework.BillingQuestion `json:"question"`
	Round    int                      `json:"round"`
}

// AskBilling asks billing what a case wants to know or to have done. A no is an
// answer; an error means that it should be asked again.
func (b *Billing) AskBilling(ctx context.Context, in BillingInput) (casework.BillingAnswer, error) {
	a := casework.BillingAnswer{Question: in.Question, Round: in.Round}
	if b.System == nil {
		a.Trouble = casework.BillingNotConnected
		return a, nil
	}
	k, err := b.Cases.Case(ctx, in.Number)
	if err != nil {
		return a, fmt.Errorf("read case %s: %w", in.Number, err)
	}
	if k.Version < in.Version {
		return a, fmt.Errorf("case %s is recorded up to version %d, the question is of version %d", in.Number, k.Version, in.Version)
	}
	err = b.answer(ctx, k, &a)
	var no *billing.RefusalError
	switch {
	case errors.Is(err, billing.ErrNotFound):
		a.Trouble = casework.BillingNotFound
	case errors.As(err, &no):
		a.Trouble, a.Reason = casework.BillingRefused, no.Reason
	case err != nil:
		return a, fmt.Errorf("case %s: %w", in.Number, err)
	}
	return a, nil
}

func (b *Billing) answer(ctx context.Context, k *casework.Case, a *casework.BillingAnswer) error {
	s := &k.Served
	// What is done is done once for a case, however often it is asked. After a
	// no that somebody put right it is asked anew, under another key.
	key := fmt.Sprintf("%s/%s/%d", k.Number, a.Question, a.Round)
	number := k.Service.Account
	switch a.Question {
	case casework.AskAccount:
		account, err := b.System.Account(ctx, number)
		if err != nil {
			return err
		}
		if account.State == billing.Closed {
			return &billing.RefusalError{Code: "closed", Reason: "该户号已销户"}
		}
		if account.Utility != string(k.Request.Utility) {
			return &billing.RefusalError{Code: "other_utility", Reason: "该户号属于另一类用能"}
		}
		a.Account = factOf(account, k.Service.Holder)
	case casework.AskBill:
		if s.Reading == nil {
			return fmt.Errorf("no final reading")
		}
		bill, err := b.System.FinalBill(ctx, key, billing.FinalReading{Account: number, Reading: readingOf(*s.Reading)})
		if err != nil {
			return err
		}
		a.Bill = &casework.FinalBill{Number: bill.Number, Owed: bill.Owed, Refund: bill.Refund, At: b.Now()}
	case casework.AskChange:
		change := billing.HolderChange{Account: number, Holder: billing.Holder(k.Service.NewHolder)}
		if s.Confirmed != nil {
			change.Contract = s.Confirmed.ContractNumber
		}
		if s.Reading != nil {
			r := readingOf(*s.Reading)
			change.Reading = &r
		}
		if s.Settled != nil && s.Settled.How == casework.SettledByAgreement {
			change.Payer = s.Settled.Payer
		}
		receipt, err := b.System.ChangeHolder(ctx, key, change)
		if err != nil {
			return err
		}
		a.Reference = receipt.Reference
	case casework.AskClose:
		receipt, err := b.System.Close(ctx, key, billing.Closing{Account: number, Reason: k.Service.Reason})
		if err != nil {
			return err
		}
		a.Reference = receipt.Reference
	default:
		return fmt.Errorf("no such question: %q", a.Question)
	}
	return nil
}

// factOf says what a case may know of an account: whether its holder is the one
// whom the request names, but not who that is.
func factOf(account billing.Account, named casework.AccountHolder) *casework.AccountFact {
	fact := &casework.AccountFact{
		Number: account.Number, Found: true, Holder: named.Compare(casework.AccountHolder(account.Holder)),
		District: casework.District(account.District), Address: account.Address, Owed: account.Balance.Owed, Credit: account.Balance.Credit,
	}
	if r := account.LastReading; r != nil {
		fact.Reading, fact.ReadOn = r.Value, calendar.DateOf(r.At)
	}
	return fact
}

func readingOf(r casework.MeterReading) billing.Reading {
	return billing.Reading{Value: r.Reading, At: r.ReadAt}
}

// SendBillingRequest carries a payment or an invoice request to billing and
// writes down what it answers. A no is an answer; an error means that it is tried
// again, under the same key.
func (b *Billing) SendBillingRequest(ctx context.Context, id string) (casework.BillingState, error) {
	r, err := b.Book.BillingRequest(ctx, id)
	if err != nil {
		return "", fmt.Errorf("read billing request %s: %w", id, err)
	}
	if r.State != casework.BillingPending {
		return r.State, nil
	}
	if b.System == nil {
		return r.State, fmt.Errorf("billing request %s: %w: not connected", id, billing.ErrUnavailable)
	}
	if err := b.Book.TryBilling(ctx, id); err != nil {
		return r.State, err
	}
	var receipt billing.Receipt
	theirs, err := b.holderIs(ctx, r)
	switch {
	case err != nil || !theirs:
	case r.Kind == casework.PaymentRequest:
		receipt, err = b.System.Pay(ctx, id, billing.Payment{
			Account: r.Account, Amount: r.Amount, Way: r.Way, Number: r.Number, PaidAt: r.At, Channel: string(r.Channel), Source: string(r.Source),
		})
	case r.Kind == casework.InvoiceRequest:
		receipt, err = b.System.Invoice(ctx, id, billing.Invoice{Account: r.Account, Amount: r.Amount, Title: r.Title, TaxCode: r.TaxCode, Email: r.Email})
	}
	state, reason := casework.BillingDone, ""
	var no *billing.RefusalError
	switch {
	case !theirs && err == nil:
		// An unknown account gets the same answer: else numbers could be found out by trying.
		state, reason = casework.BillingDenied, "户号与户名不符 account number and holder's name do not belong together"
	case errors.Is(err, billing.ErrNotFound):
		state, reason = casework.BillingDenied, "计费系统无此户号 billing knows no such account"
	case errors.As(err, &no):
		state, reason = casework.BillingDenied, no.Reason
	case err != nil:
		return r.State, fmt.Errorf("billing request %s: %w", id, err)
	}
	settled, err := b.Book.SettleBilling(ctx, id, state, receipt.Reference, reason, b.Now())
	return settled.State, err
}

// holderIs tells whether whoever proves by a name that they may ask has the
// account's; true where nothing is to be proved.
func (b *Billing) holderIs(ctx context.Context, r casework.BillingRequest) (bool, error) {
	if r.Holder == "" {
		return true, nil
	}
	account, err := b.System.Account(ctx, r.Account)
	if _, no := errors.AsType[*billing.RefusalError](err); no || errors.Is(err, billing.ErrNotFound) {
		return false, nil
	}
	named := casework.AccountHolder{Name: r.Holder}
	return err == nil && named.Compare(casework.AccountHolder{Name: account.Holder.Name}) == casework.HolderMatches, err
}

// ReceiptReader gives what a case was started for, with the images of its
// certificates.
type ReceiptReader interface {
	Receipt(ctx context.Context, number string) (casework.Receipt, error)
}

// Certificates files what came along with a request.
type Certificates struct {
	Receipts ReceiptReader
	Archive  Archive
}

// FileCertificates puts the images of certificates into the archive and gives
// their records. Those that were put there before are only recorded.
func (c *Certificates) FileCertificates(ctx context.Context, number string) ([]casework.Document, error) {
	receipt, err := c.Receipts.Receipt(ctx, number)
	if err != nil {
		return nil, fmt.Errorf("read the receipt of %s: %w", number, err)
	}
	if receipt.Service == nil {
		return nil, fmt.Errorf("%s is no service request", number)
	}
	documents := []casework.Document{}
	for i, certificate := range receipt.Service.Certificates {
		if len(certificate.Content) == 0 && certificate.Document == "" {
			continue // verified by its number
		}
		id := fmt.Sprintf("%s-c%d-%s", number, i+1, certificate.Kind)
		d := casework.Document{ID: id, Kind: certificate.Kind.Document(), Title: certificate.Kind.Name() + "（随申请推送）", Key: certificate.Document}
		if len(certificate.Content) > 0 {
			d.MediaType, d.Key = mediaTypeOf(certificate.Content), "cases/"+number+"/"+id
			if d.Size, d.SHA256, err = c.Archive.Put(ctx, d.Key, d.MediaType, bytes.NewReader(certificate.Content)); err != nil {
				return nil, fmt.Errorf("archive %s: %w", id, err)
			}
		}
		documents = append(documents, d)
	}
	return documents, nil
}

// mediaTypeOf tells an image or a PDF by its first bytes. Anything else, which
// might be a page that runs scripts, is only ever downloaded.
func mediaTypeOf(content []byte) string {
	switch kind := http.DetectContentType(content); kind {
	case "image/png", "image/jpeg", "application/pdf":
		return kind
	}
	return "application/octet-stream"
}
