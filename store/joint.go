package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// errOvertaken says that somebody else accepted a part since we looked.
var errOvertaken = errors.New("accepted by somebody else meanwhile")

// AcceptTogether accepts the requests of one customer for several utilities, in
// one transaction, under one number that the customer knows. The sender's own
// number is one for them all and must not be empty; each request is accepted
// once below it, however often it is sent. A request that names the project of
// exactly one open lead is kept as that lead's application, and the lead, which
// must then be told, gets the other case for a sibling. Where a part was
// accepted before by itself, or a lead has another sibling, each part stands by
// itself: a case that is under way is not tied to another later. created tells
// whether any receipt is new.
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
		r.ExternalNumber = partNumber(external, r.Utility)
		own[i] = r
	}
	// In one order, so that two who send the same wait for each other: water first.
	slices.SortStableFunc(own, func(a, b casework.Request) int { return cmp.Compare(b.Utility, a.Utility) })
	if len(own) == 1 {
		app, found, err := s.AcceptApplication(ctx, own[0], by, at)
		if err != nil || found {
			return casework.JointReceipt{Applications: []casework.LeadApplication{app}}, false, err
		}
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

// partNumber is the number of one utility's part of a joint request, made of the
// sender's own for the whole.
func partNumber(external string, u casework.Utility) string { return external + "/" + string(u) }

// jointPart is one utility of a joint request: known from before, the
// application of a lead, or a case of its own.
type jointPart struct {
	request casework.Request
	receipt *receiptRow     // accepted before
	applied *applicationRow // kept before
	lead    *openLead       // whose application it is
	drawn   int64           // the last part of its own case's number
	joint   *casework.Joint
}

func (s *Store) acceptTogether(ctx context.Context, requests []casework.Request, by casework.Actor, at time.Time) (rec casework.JointReceipt, created bool, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		parts, err := s.knownParts(ctx, tx, requests)
		if err != nil {
			return err
		}
		before := false
		for _, p := range parts {
			switch {
			case p.receipt != nil:
				rec.Number, before = cmp.Or(rec.Number, p.receipt.Joint), true
			case p.applied != nil:
				rec.Number, before = cmp.Or(rec.Number, p.applied.Joint), true
			}
		}
		for i := range parts {
			p := &parts[i]
			if p.receipt != nil || p.applied != nil {
				continue
			}
			if p.lead, err = leadOf(ctx, tx, p.request); err != nil {
				return err
			}
			if p.lead == nil {
				if err := tx.Raw("SELECT nextval('case_numbers')").Scan(&p.drawn).Error; err != nil {
					return err
				}
			}
		}
		if !before && len(parts) == 2 {
			if rec.Number, err = tieParts(tx, parts, at); err != nil {
				return err
			}
		}
		return s.keepParts(ctx, tx, parts, by, at, &rec, &created)
	})
	if err != nil {
		return casework.JointReceipt{}, false, err
	}
	return rec, created, nil
}

// knownParts looks up what was accepted of the requests before. A refused
// application has become a receipt.
func (s *Store) knownParts(ctx context.Context, tx *gorm.DB, requests []casework.Request) ([]jointPart, error) {
	parts := make([]jointPart, len(requests))
	externals := make([]string, len(requests))
	for i, r := range requests {
		parts[i].request, externals[i] = r, r.ExternalNumber
	}
	receipts, err := gorm.G[receiptRow](tx).Where("channel = ? AND external_number IN ?", requests[0].Channel, externals).Find(ctx)
	if err != nil {
		return nil, err
	}
	applications, err := gorm.G[applicationRow](tx).Where("channel = ? AND external_number IN ? AND state <> 'refused'", requests[0].Channel, externals).Find(ctx)
	if err != nil {
		return nil, err
	}
	for i := range parts {
		p := &parts[i]
		if n := slices.IndexFunc(receipts, func(r receiptRow) bool { return r.ExternalNumber == p.request.ExternalNumber }); n >= 0 {
			p.receipt = &receipts[n]
		}
		if n := slices.IndexFunc(applications, func(r applicationRow) bool { return r.ExternalNumber == p.request.ExternalNumber }); n >= 0 {
			p.applied = &applications[n]
		}
	}
	return parts, nil
}

// tieParts lets the two parts know of each other, and gives the customer's
// number. Two leads that are siblings already stay as they are; with a lead
// that has another sibling each part stands by itself.
func tieParts(tx *gorm.DB, parts []jointPart, at time.Time) (string, error) {
	leads, bound := 0, ""
	for _, p := range parts {
		if p.lead != nil {
			leads++
			bound = cmp.Or(bound, p.lead.Joint)
		}
	}
	if bound != "" {
		if leads == 2 && parts[0].lead.Joint == parts[1].lead.Joint {
			return bound, nil
		}
		return "", nil
	}
	var n int64
	if err := tx.Raw("SELECT nextval('joint_numbers')").Scan(&n).Error; err != nil {
		return "", err
	}
	number := dayNumber("J", at, n)
	for i := range parts {
		p, other := &parts[i], &parts[1-i]
		p.joint = &casework.Joint{Number: number, Utility: other.request.Utility, Sibling: other.number(at)}
		if p.lead != nil {
			p.joint.Since = at
		}
		if d := p.request.Demand; leads > 0 && (d.BuildFrom != (calendar.Date{}) || d.BuildTo != (calendar.Date{})) {
			p.joint.ScheduleAt = at // newer than what a lead knew before
		}
	}
	return number, nil
}

// number is that of the part's case.
func (p *jointPart) number(at time.Time) string {
	if p.lead != nil {
		return p.lead.Number
	}
	return dayNumber(letters(receiptBody{Request: p.request}), at, p.drawn)
}

// keepParts writes down what is new of a joint request.
func (s *Store) keepParts(ctx context.Context, tx *gorm.DB, parts []jointPart, by casework.Actor, at time.Time, rec *casework.JointReceipt, created *bool) error {
	var fresh []receiptRow
	for i := range parts {
		p := &parts[i]
		body := receiptBody{Request: p.request, By: by, Joint: p.joint}
		switch {
		case p.receipt != nil:
			receipt, err := s.receipt(*p.receipt)
			if err != nil {
				return err
			}
			rec.Receipts = append(rec.Receipts, receipt)
		case p.applied != nil:
			app, err := s.applicationOf(*p.applied)
			if err != nil {
				return err
			}
			rec.Applications = append(rec.Applications, app)
		case p.lead != nil:
			app, err := s.keepApplication(ctx, tx, p.lead.Number, body, rec.Number, at)
			if err != nil {
				return err
			}
			rec.Applications = append(rec.Applications, app)
		default:
			row, receipt, err := s.newReceipt(p.drawn, p.request.ExternalNumber, body, at)
			if err != nil {
				return err
			}
			fresh, rec.Receipts = append(fresh, row), append(rec.Receipts, receipt)
		}
	}
	if *created = len(fresh) > 0; !*created {
		return nil
	}
	result := tx.Clauses(acceptedOnce).Create(&fresh)
	if result.Error == nil && result.RowsAffected != int64(len(fresh)) {
		return errOvertaken
	}
	return result.Error
}

// keepApplication keeps an application of a lead, unless somebody else did or
// the lead belongs to a joint request meanwhile. Under a joint number the lead
// belongs to that from then on.
func (s *Store) keepApplication(ctx context.Context, tx *gorm.DB, lead string, body receiptBody, joint string, at time.Time) (casework.LeadApplication, error) {
	r := body.Request
	row := applicationRow{Channel: r.Channel, ExternalNumber: r.ExternalNumber, CaseNumber: lead, ReceivedAt: at, State: casework.ApplicationReceived, Joint: joint}
	var err error
	if row.Body, err = s.seal(body, applicationContext(row)); err != nil {
		return casework.LeadApplication{}, err
	}
	if body.Joint != nil {
		tied, err := gorm.G[receiptRow](tx).Where("number = ? AND joint = ''", lead).Update(ctx, "joint", joint)
		if err != nil {
			return casework.LeadApplication{}, err
		}
		if tied == 0 {
			return casework.LeadApplication{}, errOvertaken
		}
	}
	// A refused application is no row to keep beside: it has a receipt.
	result := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row)
	if result.Error == nil && result.RowsAffected == 0 {
		return casework.LeadApplication{}, errOvertaken
	}
	row.ReceivedAt = at.Truncate(time.Microsecond) // as PostgreSQL keeps it
	if result.Error != nil {
		return casework.LeadApplication{}, result.Error
	}
	return s.applicationOf(row)
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
