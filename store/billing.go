package store

import (
	"context"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/curbstop/curbstop/casework"
)

type billingRow struct {
	ID        string `gorm:"primaryKey"`
	Kind      casework.BillingRequestKind
	Account   string // blind index
	Payment   string // blind index of a payment's account, way and number; empty where it is none, or was refused
	AskedAt   time.Time
	AskedBy   string
	State     casework.BillingState
	Started   bool
	Tries     int
	SettledAt *time.Time
	Body      []byte
	Answer    []byte
}

func (billingRow) TableName() string { return "billing_requests" }

// billingAnswer is the sealed answer of billing.
type billingAnswer struct {
	Reference string `json:"reference,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

func billingContext(id string) string       { return "billing/" + id }
func billingAnswerContext(id string) string { return "billing-answer/" + id }

func (s *Store) accountIndex(number string) string { return s.ring.Index("account/" + number) }

// paymentIndex finds a payment by the number of whoever took the money.
func (s *Store) paymentIndex(r casework.BillingRequest) string {
	if r.Kind != casework.PaymentRequest {
		return ""
	}
	return s.ring.Index("payment/" + r.Account + "/" + r.Way + "/" + r.Number)
}

func billingNotFound() *casework.Fault {
	return casework.Refuse(casework.NotFound, "billing_request_not_found", casework.Say("没有这条缴费或开票申请", "there is no such payment or invoice request"))
}

// AskBilling writes a payment or invoice request down, once for its ID, and a
// payment once for its number too: a repeat gives the first, and created is false.
// Something else under the same ID or number is a Conflict.
func (s *Store) AskBilling(ctx context.Context, r casework.BillingRequest) (got casework.BillingRequest, created bool, err error) {
	r.State = casework.BillingPending
	body, err := s.seal(r, billingContext(r.ID))
	if err != nil {
		return got, false, err
	}
	row := billingRow{
		ID: r.ID, Kind: r.Kind, Account: s.accountIndex(r.Account), Payment: s.paymentIndex(r), AskedAt: r.At, AskedBy: r.By, State: r.State, Body: body,
	}
	result := s.db.WithContext(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&row)
	if result.Error != nil {
		return got, false, failed("ask billing", result.Error)
	}
	got, err = s.BillingRequest(ctx, r.ID)
	if err != nil && row.Payment != "" && casework.AsFault(err).Kind == casework.NotFound {
		return s.knownPayment(ctx, row.Payment, r)
	}
	if err != nil {
		return got, false, err
	}
	if !got.Same(r) {
		return casework.BillingRequest{}, false, casework.Refuse(casework.Conflict, "key_used",
			casework.Say("同一 Idempotency-Key 已用于另一笔申请", "this Idempotency-Key was used for another request"))
	}
	return got, result.RowsAffected == 1, nil
}

// knownPayment gives the payment that was reported before, under another key.
func (s *Store) knownPayment(ctx context.Context, payment string, r casework.BillingRequest) (casework.BillingRequest, bool, error) {
	row, err := gorm.G[billingRow](s.db).Where("payment = ?", payment).Take(ctx)
	if err != nil {
		return casework.BillingRequest{}, false, found("read a payment", err, billingNotFound())
	}
	got, err := s.billingRequest(row)
	if err == nil && !got.Same(r) {
		err = casework.Refuse(casework.Conflict, "payment_known",
			casework.Say("该支付流水号已登记，金额不同；请核对", "a payment with this number is on record with another amount; check it"))
	}
	return got, false, err
}

func (s *Store) billingRequest(row billingRow) (r casework.BillingRequest, err error) {
	if err := s.open(row.Body, billingContext(row.ID), &r); err != nil {
		return r, err
	}
	var answer billingAnswer
	if len(row.Answer) > 0 {
		if err := s.open(row.Answer, billingAnswerContext(row.ID), &answer); err != nil {
			return r, err
		}
	}
	r.At, r.State, r.Started, r.Tries, r.SettledAt = moment(&row.AskedAt), row.State, row.Started, row.Tries, moment(row.SettledAt)
	r.Reference, r.Reason = answer.Reference, answer.Reason
	return r, nil
}

// BillingRequest gives one request.
func (s *Store) BillingRequest(ctx context.Context, id string) (casework.BillingRequest, error) {
	row, err := gorm.G[billingRow](s.db).Where("id = ?", id).Take(ctx)
	if err != nil {
		return casework.BillingRequest{}, found("read a billing request", err, billingNotFound())
	}
	return s.billingRequest(row)
}

// billingPlace is where a request stands in the list.
type billingPlace struct {
	Asked time.Time `json:"asked"`
	ID    string    `json:"billing"`
}

var latestBilling = order[billingRow, billingPlace]{
	by:    "asked_at DESC, id DESC",
	place: func(r billingRow) billingPlace { return billingPlace{r.AskedAt, r.ID} },
	after: func(q query[billingRow], p billingPlace) query[billingRow] {
		return q.Where("(asked_at, id) < (?, ?)", p.Asked, p.ID)
	},
}

// BillingRequests lists requests, the last first.
func (s *Store) BillingRequests(ctx context.Context, f casework.BillingFilter) ([]casework.BillingRequest, string, error) {
	q := equal(gorm.G[billingRow](s.db).Scopes(), "state", f.State)
	if f.Account != "" {
		q = q.Where("account = ?", s.accountIndex(f.Account))
	}
	rows, next, err := part(ctx, q, latestBilling, f.Page)
	if err != nil {
		return nil, "", failed("list billing requests", err)
	}
	list, err := s.billingRequests(rows)
	return list, next, err
}

func (s *Store) billingRequests(rows []billingRow) (list []casework.BillingRequest, err error) {
	list = make([]casework.BillingRequest, len(rows))
	for i, row := range rows {
		if list[i], err = s.billingRequest(row); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// UnstartedBilling lists at most limit requests that were written down before a
// moment and whose workflow is not known to be running, the oldest first.
func (s *Store) UnstartedBilling(ctx context.Context, before time.Time, limit int) ([]casework.BillingRequest, error) {
	rows, err := gorm.G[billingRow](s.db).Where("NOT started AND asked_at < ?", before).Order("asked_at, id").Limit(limit).Find(ctx)
	if err != nil {
		return nil, failed("list unstarted billing requests", err)
	}
	return s.billingRequests(rows)
}

// MarkBillingStarted notes that the request's workflow is known to be running.
func (s *Store) MarkBillingStarted(ctx context.Context, id string) error {
	n, err := gorm.G[billingRow](s.db).Where("id = ?", id).Update(ctx, "started", true)
	if err == nil && n == 0 {
		return billingNotFound()
	}
	return failed("mark a billing request", err)
}

// TryBilling counts a try before it is made.
func (s *Store) TryBilling(ctx context.Context, id string) error {
	n, err := gorm.G[billingRow](s.db).Where("id = ?", id).Update(ctx, "tries", gorm.Expr("tries + 1"))
	if err == nil && n == 0 {
		return billingNotFound()
	}
	return failed("count a try", err)
}

// SettleBilling writes down what billing answered. What was settled before stays
// as it is.
func (s *Store) SettleBilling(ctx context.Context, id string, state casework.BillingState, reference, reason string, at time.Time) (casework.BillingRequest, error) {
	answer, err := s.seal(billingAnswer{reference, reason}, billingAnswerContext(id))
	if err != nil {
		return casework.BillingRequest{}, err
	}
	settled := map[string]any{"state": state, "answer": answer, "settled_at": at}
	if state == casework.BillingDenied {
		settled["payment"] = "" // once the cause is put right it may be handed in again
	}
	result := s.db.WithContext(ctx).Model(&billingRow{}).Where("id = ? AND state = ?", id, casework.BillingPending).Updates(settled)
	if result.Error != nil {
		return casework.BillingRequest{}, failed("settle a billing request", result.Error)
	}
	return s.BillingRequest(ctx, id)
}
