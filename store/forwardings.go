package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/curbstop/curbstop/casework"
)

type forwardingRow struct {
	N              int64 `gorm:"->;primaryKey"`
	Number         string
	Channel        casework.Channel
	ExternalNumber string
	ReceivedAt     time.Time
	State          casework.ForwardingState
	Body           []byte
}

func (forwardingRow) TableName() string { return "forwardings" }

func forwardingContext(number string) string { return "forwarding/" + number }

// Forward keeps a request that belongs to another company or service, once per
// channel and external number, and gives it a number. created tells whether it
// is new.
func (s *Store) Forward(ctx context.Context, f casework.Forwarding) (_ casework.Forwarding, created bool, err error) {
	external := f.Request.ExternalNumber
	if f.PassedFrom != "" {
		external = "passed/" + f.PassedFrom + "/" + external
	}
	if external == "" {
		return f, false, casework.Refuse(casework.Invalid, "external_number_missing", casework.Say("缺少来源编号", "the sender's own number is missing"))
	}
	known := func(tx *gorm.DB) (forwardingRow, error) {
		return gorm.G[forwardingRow](tx).Where("channel = ? AND external_number = ?", f.Request.Channel, external).Take(ctx)
	}
	if row, err := known(s.db); err == nil {
		f, err = s.forwarding(row)
		return f, false, err
	}
	if f.ReceivedAt.IsZero() {
		f.ReceivedAt = s.now()
	}
	var n int64
	if err := s.db.WithContext(ctx).Raw("SELECT nextval('forwarding_numbers')").Scan(&n).Error; err != nil {
		return f, false, failed("draw a number", err)
	}
	f.Number, f.State = dayNumber("Z", f.ReceivedAt, n), casework.ForwardingWaits
	body, err := s.seal(f, forwardingContext(f.Number))
	if err != nil {
		return f, false, err
	}
	row := forwardingRow{Number: f.Number, Channel: f.Request.Channel, ExternalNumber: external, ReceivedAt: f.ReceivedAt, State: f.State, Body: body}
	result := s.db.WithContext(ctx).Clauses(acceptedOnce).Create(&row)
	if result.Error != nil {
		return f, false, failed("keep a request for others", result.Error)
	}
	if row, err = known(s.db); err != nil {
		return f, false, failed("keep a request for others", err)
	}
	f, err = s.forwarding(row)
	return f, result.RowsAffected == 1, err
}

func (s *Store) forwarding(row forwardingRow) (f casework.Forwarding, err error) {
	if err := s.open(row.Body, forwardingContext(row.Number), &f); err != nil {
		return f, err
	}
	f.ReceivedAt = moment(&row.ReceivedAt)
	return f, nil
}

// Forwarding gives one by its number.
func (s *Store) Forwarding(ctx context.Context, number string) (casework.Forwarding, error) {
	row, err := gorm.G[forwardingRow](s.db).Where("number = ?", number).Take(ctx)
	if err != nil {
		return casework.Forwarding{}, found("read a request for others", err, forwardingNotFound())
	}
	return s.forwarding(row)
}

func forwardingNotFound() *casework.Fault {
	return casework.Refuse(casework.NotFound, "forwarding_not_found", casework.Say("没有这件代收件，请核对编号", "there is no such request for others; check the number"))
}

type forwardingPlace struct {
	N int64 `json:"n"`
}

var oldestForwardings = order[forwardingRow, forwardingPlace]{
	by:    "n",
	place: func(r forwardingRow) forwardingPlace { return forwardingPlace{r.N} },
	after: func(q query[forwardingRow], p forwardingPlace) query[forwardingRow] { return q.Where("n > ?", p.N) },
}

// Forwardings lists requests that are kept for others, the oldest first.
func (s *Store) Forwardings(ctx context.Context, f casework.ForwardingFilter) ([]casework.Forwarding, string, error) {
	rows, next, err := part(ctx, equal(gorm.G[forwardingRow](s.db).Scopes(), "state", f.State), oldestForwardings, f.Page)
	if err != nil {
		return nil, "", failed("list requests for others", err)
	}
	all := make([]casework.Forwarding, len(rows))
	for i, row := range rows {
		if all[i], err = s.forwarding(row); err != nil {
			return nil, "", err
		}
	}
	return all, next, nil
}

// HandForwarding notes that a request was handed over. The same again changes
// nothing; one that was handed over otherwise is a Conflict.
func (s *Store) HandForwarding(ctx context.Context, number string, h casework.HandForwarding, by string, at time.Time) (f casework.Forwarding, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var row forwardingRow
		if err := tx.Raw("SELECT * FROM forwardings WHERE number = ? FOR UPDATE", number).Take(&row).Error; err != nil {
			return found("read a request for others", err, forwardingNotFound())
		}
		if f, err = s.forwarding(row); err != nil {
			return err
		}
		switch {
		case f.State == casework.ForwardingDone && f.HandedTo == h.To && f.Note == h.Note:
			return nil
		case f.State == casework.ForwardingDone:
			return casework.Refuse(casework.Conflict, "handed_over_already", casework.Sayf("已于 %[1]s 转交给%[2]s", "handed over already at %[1]s, to %[2]s", casework.Clock(f.HandedAt), f.HandedTo))
		}
		f.State, f.HandedTo, f.HandedAt, f.HandedBy, f.Note = casework.ForwardingDone, h.To, at, by, h.Note
		body, err := s.seal(f, forwardingContext(number))
		if err != nil {
			return err
		}
		return tx.Exec("UPDATE forwardings SET state = ?, body = ? WHERE number = ?", f.State, body, number).Error
	})
	if err != nil {
		return casework.Forwarding{}, failed(fmt.Sprintf("hand %s over", number), err)
	}
	return f, nil
}
