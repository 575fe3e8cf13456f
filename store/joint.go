package store

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/curbstop/curbstop/casework"
)

// errOvertaken says that somebody else accepted a part since we looked.
var errOvertaken = errors.New("accepted by somebody else meanwhile")

// AcceptTogether accepts the requests of one customer for several utilities, in
// one transaction, under one number that the customer knows. The sender's own
// number is one for them all and must not be empty; each request is accepted
// once below it, however often it is sent. Where a part was accepted before by
// itself, each of the others stands by itself too: a case that is under way is
// not tied to another later. created tells whether any of them is new.
func (s *Store) AcceptTogether(ctx context.Context, external string, requests []casework.Request, by casework.Actor, at time.Time) (rec casework.JointReceipt, created bool, err error) {
	if external == "" || len(requests) == 0 {
		return rec, false, casework.Refuse(casework.Invalid, "external_number_missing",
			casework.Say("缺少来源编号", "the sender's own number is missing"))
	}
	if at.IsZero() {
		at = s.now()
	}
	own := make([]casework.Request, len(requests))
	for i, r := range requests {
		r.ExternalNumber = external + "/" + string(r.Utility)
		own[i] = r
	}
	if len(own) == 1 {
		one, fresh, err := s.Accept(ctx, own[0], by, at)
		return casework.JointReceipt{Receipts: []casework.Receipt{one}}, fresh, err
	}
	for range 10 {
		rec, created, err = s.acceptTogether(ctx, own, by, at)
		if !errors.Is(err, errOvertaken) {
			break
		}
	}
	return rec, created, failed("accept a joint request", err)
}

func (s *Store) acceptTogether(ctx context.Context, requests []casework.Request, by casework.Actor, at time.Time) (rec casework.JointReceipt, created bool, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var externals []string
		for _, r := range requests {
			externals = append(externals, r.ExternalNumber)
		}
		rows, err := gorm.G[receiptRow](tx).Where("channel = ? AND external_number IN ?", requests[0].Channel, externals).Find(ctx)
		if err != nil {
			return err
		}
		known := map[string]receiptRow{}
		for _, row := range rows {
			known[row.ExternalNumber] = row
			rec.Number = row.Joint
		}
		var fresh []receiptRow
		joints := make([]*casework.Joint, len(requests))
		numbers := make([]int64, len(requests))
		for i, r := range requests {
			if _, before := known[r.ExternalNumber]; !before {
				if err := tx.Raw("SELECT nextval('case_numbers')").Scan(&numbers[i]).Error; err != nil {
					return err
				}
			}
		}
		if len(rows) == 0 && len(requests) == 2 {
			var n int64
			if err := tx.Raw("SELECT nextval('joint_numbers')").Scan(&n).Error; err != nil {
				return err
			}
			rec.Number = dayNumber("J", at, n)
			for i := range requests {
				other := 1 - i
				joints[i] = &casework.Joint{Number: rec.Number, Utility: requests[other].Utility,
					Sibling: dayNumber(letters(receiptBody{Request: requests[other]}), at, numbers[other])}
			}
		}
		for i, r := range requests {
			if row, before := known[r.ExternalNumber]; before {
				receipt, err := s.receipt(row)
				if err != nil {
					return err
				}
				rec.Receipts = append(rec.Receipts, receipt)
				continue
			}
			row, receipt, err := s.newReceipt(numbers[i], r.ExternalNumber, receiptBody{Request: r, By: by, Joint: joints[i]}, at)
			if err != nil {
				return err
			}
			fresh, rec.Receipts = append(fresh, row), append(rec.Receipts, receipt)
		}
		if created = len(fresh) > 0; !created {
			return nil
		}
		result := tx.Clauses(acceptedOnce).Create(&fresh)
		if result.Error == nil && result.RowsAffected != int64(len(fresh)) {
			return errOvertaken
		}
		return result.Error
	})
	if err != nil {
		return casework.JointReceipt{}, false, err
	}
	return rec, created, nil
}

// JointReceipt gives the receipts of a joint request by the customer's number,
// water first.
func (s *Store) JointReceipt(ctx context.Context, number string) (casework.JointReceipt, error) {
	rec := casework.JointReceipt{Number: number}
	rows, err := gorm.G[receiptRow](s.db).Where("joint <> '' AND joint = ?", number).Order("number DESC").Find(ctx)
	if err != nil {
		return rec, failed("read a joint request", err)
	}
	if len(rows) == 0 {
		return rec, caseNotFound()
	}
	for _, row := range rows {
		receipt, err := s.receipt(row)
		if err != nil {
			return rec, err
		}
		rec.Receipts = append(rec.Receipts, receipt)
	}
	return rec, nil
}

// JointOf gives the number of the joint request to which a case belongs; empty
// for a case that stands by itself, and where there is no such case.
func (s *Store) JointOf(ctx context.Context, number string) (string, error) {
	var joint string
	err := s.db.WithContext(ctx).Raw("SELECT joint FROM receipts WHERE number = ?", number).Scan(&joint).Error
	return joint, failed("look for a joint request", err)
}
