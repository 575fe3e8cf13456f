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
	Joint          string // number of the joint request; empty where it stands by itself
	PassedFrom     string // the case from which it goes on; empty where it does from none
}

func (receiptRow) TableName() string { return "receipts" }

// receiptBody is the sealed part of a receipt.
type receiptBody struct {
	Request casework.Request  `json:"request"`
	By      casework.Actor    `json:"by"`
	Joint   *casework.Joint   `json:"joint,omitempty"`
	Carried *casework.Carried `json:"carried,omitempty"`
	// Service comes with the images of its certificates.
	Service *casework.ServiceRequest `json:"service,omitempty"`
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
	number, err := s.numbers.draw(ctx, s.db)
	if err != nil {
		return rec, false, err
	}
	row, rec, err := s.newReceipt(number, key, body, at)
	if err != nil {
		return rec, false, err
	}
	// One statement for a request that is new: it is what every request waits for.
	result := s.db.WithContext(ctx).Clauses(acceptedOnce).Create(&row)
	if result.Error != nil {
		return rec, false, failed("accept a request", result.Error)
	}
	if result.RowsAffected == 1 {
		return rec, true, nil
	}
	// Platforms push again and again; that must not use up numbers.
	s.numbers.giveBack(number)
	rec, err = s.Accepted(ctx, row.Channel, key)
	return rec, false, err
}

// acceptedOnce leaves the first receipt as it is.
var acceptedOnce = clause.OnConflict{
	Columns: []clause.Column{{Name: "channel"}, {Name: "external_number"}}, DoNothing: true,
}

// Accepted gives the receipt of a request by its channel and external number; of
// a service request, by [casework.ServiceRequest.AcceptedBy].
func (s *Store) Accepted(ctx context.Context, channel casework.Channel, key string) (casework.Receipt, error) {
	row, err := gorm.G[receiptRow](s.db).Where("channel = ? AND external_number = ?", channel, key).Take(ctx)
	if err != nil {
		return casework.Receipt{}, found("look for a receipt", err, caseNotFound())
	}
	return s.receipt(row)
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

// dayNumber is a number as people know it: letters, day, and the drawn number.
func dayNumber(letter string, at time.Time, n int64) string {
	return fmt.Sprintf("%s%s-%05d", letter, at.In(calendar.Shanghai).Format("20060102"), n)
}

// newReceipt gives the row of a receipt and what it says.
func (s *Store) newReceipt(n int64, external string, body receiptBody, at time.Time) (receiptRow, casework.Receipt, error) {
	sealed, err := s.seal(body, receiptContext(dayNumber(letters(body), at, n)))
	row := receiptRow{Number: dayNumber(letters(body), at, n), Channel: body.Request.Channel, ExternalNumber: external, ReceivedAt: at, Body: sealed}
	if body.Service != nil {
		row.Channel = body.Service.Channel
	}
	if body.Joint != nil {
		row.Joint = body.Joint.Number
	}
	if err != nil {
		return row, casework.Receipt{}, err
	}
	row.ReceivedAt = at.Truncate(time.Microsecond) // as PostgreSQL keeps it
	return row, body.receipt(row), nil
}

func (s *Store) receipt(row receiptRow) (casework.Receipt, error) {
	var body receiptBody
	if err := s.open(row.Body, receiptContext(row.Number), &body); err != nil {
		return casework.Receipt{}, err
	}
	return body.receipt(row), nil
}

func (b receiptBody) receipt(row receiptRow) casework.Receipt {
	rec := casework.Receipt{
		Number: row.Number, Request: b.Request, By: b.By, ReceivedAt: moment(&row.ReceivedAt), Started: row.Started,
		Joint: b.Joint, Carried: b.Carried, Service: b.Service,
	}
	if b.Service != nil {
		rec.Request = b.Service.Request()
	}
	return rec
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

// AcceptPassed gives the receipt of the case that goes on from another, once
// for that one. The request keeps its sender's own number, and whoever follows
// the case that it goes on from follows it under the same number as there.
func (s *Store) AcceptPassed(ctx context.Context, r casework.Request, c casework.Carried) (casework.Receipt, error) {
	return s.acceptPassed(ctx, receiptBody{Request: r, By: casework.Actor{ID: c.By}, Carried: &c}, r.Channel)
}

// AcceptPassedService is AcceptPassed for what goes on as another service.
func (s *Store) AcceptPassedService(ctx context.Context, r casework.ServiceRequest, c casework.Carried) (casework.Receipt, error) {
	return s.acceptPassed(ctx, receiptBody{By: casework.Actor{ID: c.By}, Carried: &c, Service: &r}, r.Channel)
}

func (s *Store) acceptPassed(ctx context.Context, body receiptBody, channel casework.Channel) (rec casework.Receipt, err error) {
	from := body.Carried.From
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		// Who becomes a follower of the case that ends becomes one before or after.
		if err := tx.Exec("SELECT FROM receipts WHERE number = ? FOR UPDATE", from).Error; err != nil {
			return err
		}
		rows, err := gorm.G[receiptRow](tx).Where("passed_from = ? AND passed_from <> ''", from).Find(ctx)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			rec, err = s.receipt(rows[0])
			return err
		}
		var n int64
		if err := tx.Raw("SELECT nextval('case_numbers')").Scan(&n).Error; err != nil {
			return err
		}
		var row receiptRow
		// The sweep for unstarted receipts goes by when this one was written.
		if row, rec, err = s.newReceipt(n, "passed/"+from, body, s.now()); err != nil {
			return err
		}
		row.Channel, row.PassedFrom = channel, from
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return tx.Exec("SELECT follow_on(?, ?)", from, row.Number).Error
	})
	return rec, failed("accept what was passed on", err)
}
