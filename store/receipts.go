package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

type receiptRow struct {
	Number         string `gorm:"primaryKey"`
	Channel        casework.Channel
	ExternalNumber string
	ReceivedAt     time.Time
	Started        bool
	Body           []byte
}

func (receiptRow) TableName() string { return "receipts" }

// receiptBody is the sealed part of a receipt.
type receiptBody struct {
	Request casework.Request `json:"request"`
	By      casework.Actor   `json:"by"`

	Service *casework.ServiceRequest `json:"service,omitempty"` // with the images of its certificates
}

func receiptContext(number string) string { return "receipt/" + number }

// Accept writes down that a request arrived and gives it its case number. A
// request is accepted once per channel and external number, which must not be
// empty: whoever sends it again, also at the same moment, gets the first
// receipt, and created is false. What the repeat says otherwise is not kept.
//
// A receipt is the promise that the case will be started; [Store.Unstarted]
// finds those for which that has not happened yet.
func (s *Store) Accept(ctx context.Context, r casework.Request, by casework.Actor, at time.Time) (rec casework.Receipt, created bool, err error) {
	return s.accept(ctx, receiptBody{Request: r, By: by}, r.ExternalNumber, at)
}

// AcceptService is Accept for a transfer, a closing or an order of 12345. The
// same number of a sender may ask for several of them.
func (s *Store) AcceptService(ctx context.Context, r casework.ServiceRequest, by casework.Actor, at time.Time) (rec casework.Receipt, created bool, err error) {
	key := r.AcceptedBy()
	if r.ExternalNumber == "" {
		key = ""
	}
	return s.accept(ctx, receiptBody{By: by, Service: &r}, key, at)
}

func (s *Store) accept(ctx context.Context, body receiptBody, key string, at time.Time) (rec casework.Receipt, created bool, err error) {
	if key == "" {
		return rec, false, casework.Refuse(casework.Invalid, "external_number_missing",
			casework.Say("缺少来源编号", "the sender's own number is missing"))
	}
	if at.IsZero() {
		at = s.now()
	}
	// A repeat is the common case where platforms push again and again; it
	// must not use up a number.
	channel := body.Request.Channel
	if body.Service != nil {
		channel = body.Service.Channel
	}
	if rec, err = s.accepted(ctx, channel, key); err == nil || casework.AsFault(err).Kind != casework.NotFound {
		return rec, false, err
	}
	row, err := s.newReceipt(ctx, body, channel, key, at)
	if err != nil {
		return rec, false, err
	}
	result := s.db.WithContext(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "channel"}, {Name: "external_number"}}, DoNothing: true,
	}).Create(&row)
	if result.Error != nil {
		return rec, false, failed("accept a request", result.Error)
	}
	// Nothing written: somebody else accepted it since we looked.
	rec, err = s.accepted(ctx, channel, key)
	return rec, result.RowsAffected == 1, err
}

func (s *Store) accepted(ctx context.Context, channel casework.Channel, key string) (casework.Receipt, error) {
	row, err := gorm.G[receiptRow](s.db).Where("channel = ? AND external_number = ?", channel, key).Take(ctx)
	if err != nil {
		return casework.Receipt{}, found("look for a receipt", err, caseNotFound())
	}
	return s.receipt(row)
}

func (s *Store) newReceipt(ctx context.Context, body receiptBody, channel casework.Channel, key string, at time.Time) (receiptRow, error) {
	var n int64
	if err := s.db.WithContext(ctx).Raw("SELECT nextval('case_numbers')").Scan(&n).Error; err != nil {
		return receiptRow{}, failed("draw a case number", err)
	}
	letter := letters(body)
	number := fmt.Sprintf("%s%s-%05d", letter, at.In(calendar.Shanghai).Format("20060102"), n)
	sealed, err := s.seal(body, receiptContext(number))
	return receiptRow{Number: number, Channel: channel, ExternalNumber: key, ReceivedAt: at, Body: sealed}, err
}

// letters begin a case number: the utility's, then that of a service.
func letters(body receiptBody) string {
	utility, service := body.Request.Utility, ""
	if r := body.Service; r != nil {
		utility = r.Utility
		service = map[casework.CaseKind]string{casework.TransferCase: "T", casework.ClosingCase: "X", casework.OrderCase: "H"}[r.Service]
	}
	if utility == casework.Gas {
		return "G" + service
	}
	return "W" + service
}

func (s *Store) receipt(row receiptRow) (casework.Receipt, error) {
	var body receiptBody
	if err := s.open(row.Body, receiptContext(row.Number), &body); err != nil {
		return casework.Receipt{}, err
	}
	rec := casework.Receipt{
		Number: row.Number, Request: body.Request, By: body.By, ReceivedAt: moment(&row.ReceivedAt), Started: row.Started,
		Service: body.Service,
	}
	if body.Service != nil {
		rec.Request = body.Service.Request()
	}
	return rec, nil
}

// MarkStarted notes that the case's workflow is known to be running.
func (s *Store) MarkStarted(ctx context.Context, number string) error {
	n, err := gorm.G[receiptRow](s.db).Where("number = ?", number).Update(ctx, "started", true)
	if err == nil && n == 0 {
		return caseNotFound()
	}
	return failed("mark a receipt", err)
}

// Unstarted lists at most limit requests that were accepted before a moment and
// whose workflow is not known to be running, the oldest first.
func (s *Store) Unstarted(ctx context.Context, before time.Time, limit int) ([]casework.Receipt, error) {
	rows, err := gorm.G[receiptRow](s.db).Where("NOT started AND received_at < ?", before).
		Order("received_at, number").Limit(limit).Find(ctx)
	if err != nil {
		return nil, failed("list unstarted receipts", err)
	}
	receipts := make([]casework.Receipt, len(rows))
	for i, row := range rows {
		if receipts[i], err = s.receipt(row); err != nil {
			return nil, err
		}
	}
	return receipts, nil
}

// Receipt gives the receipt of a case number. It is there before the case is.
func (s *Store) Receipt(ctx context.Context, number string) (casework.Receipt, error) {
	row, err := gorm.G[receiptRow](s.db).Where("number = ?", number).Take(ctx)
	if err != nil {
		return casework.Receipt{}, found("read a receipt", err, caseNotFound())
	}
	return s.receipt(row)
}
