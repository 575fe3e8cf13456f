package store

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/curbstop/curbstop/casework"
)

type applicationRow struct {
	Channel        casework.Channel `gorm:"primaryKey"`
	ExternalNumber string           `gorm:"primaryKey"`
	CaseNumber     string
	ReceivedAt     time.Time
	State          casework.ApplicationState
	Body           []byte
	Joint          string // number of the joint request; empty where it stands by itself
}

func (applicationRow) TableName() string { return "applications" }

func applicationContext(r applicationRow) string {
	return "application/" + string(r.Channel) + "/" + r.ExternalNumber
}

// leadColumns are what applications are compared with, of a case and of an
// application alike.
type leadColumns struct {
	Lead       bool
	Project    string
	Plot       string
	PartyIndex string
}

func (s *Store) leadColumns(r *casework.Request) leadColumns {
	return leadColumns{Lead: r.Lead, Project: r.ProjectKey(), Plot: r.Site.Plot, PartyIndex: s.ring.Index(r.Party())}
}

// openLead is a lead that an application may belong to.
type openLead struct {
	Number string
	Joint  string // of the joint request that it belongs to
	Taken  bool   // an application is under way for it
}

// leadOf finds the open lead of a request's project, utility and district. Nil:
// there is none, or more than one, or one that has an application already.
func leadOf(ctx context.Context, tx *gorm.DB, r casework.Request) (*openLead, error) {
	if r.Lead || r.ProjectKey() == "" {
		return nil, nil
	}
	var leads []openLead
	err := tx.WithContext(ctx).Raw(`SELECT c.number, coalesce(r.joint, '') AS joint,
			EXISTS (SELECT FROM applications a WHERE a.case_number = c.number AND a.state <> 'refused') AS taken
		FROM cases c LEFT JOIN receipts r ON r.number = c.number
		WHERE c.lead AND c.ended_at IS NULL AND c.kind = 'connection' AND c.status NOT IN ('withdrawing', 'passing_on')
			AND c.project = ? AND c.utility = ? AND c.district = ? LIMIT 2`, r.ProjectKey(), r.Utility, r.Site.District).Scan(&leads).Error
	if err != nil || len(leads) != 1 || leads[0].Taken {
		return nil, err
	}
	return &leads[0], nil
}

// AcceptApplication keeps an application that names the project of an open lead,
// and tells which; the lead must then be told. False: it belongs to no lead, or
// to more than one, or was taken up as a request of its own. An application is
// accepted once per channel and external number: whoever sends it again gets the
// first.
func (s *Store) AcceptApplication(ctx context.Context, r casework.Request, by casework.Actor, at time.Time) (app casework.LeadApplication, found bool, err error) {
	if r.Lead || r.ProjectKey() == "" || r.ExternalNumber == "" {
		return app, false, nil
	}
	for range 10 {
		if app, found, err = s.application(ctx, r.Channel, r.ExternalNumber); err != nil || found {
			return app, found && app.State != casework.ApplicationRefused, err
		}
		err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			lead, err := leadOf(ctx, tx, r)
			if err != nil || lead == nil {
				return err
			}
			if app, err = s.keepApplication(ctx, tx, lead.Number, receiptBody{Request: r, By: by}, "", at); err != nil {
				return err
			}
			// Looked for last, so that what was accepted meanwhile is seen.
			taken, err := gorm.G[receiptRow](tx).Where("channel = ? AND external_number = ?", r.Channel, r.ExternalNumber).Count(ctx, "*")
			if err == nil && taken > 0 {
				err = errTakenUp
			}
			found = err == nil
			return err
		})
		switch {
		case errors.Is(err, errTakenUp):
			return casework.LeadApplication{}, false, nil
		case !errors.Is(err, errOvertaken):
			return app, found, failed("keep an application", err)
		}
	}
	return app, false, failed("keep an application", err)
}

// errTakenUp says that an application is a request of its own already.
var errTakenUp = errors.New("taken up as a request of its own")

func (s *Store) application(ctx context.Context, c casework.Channel, number string) (casework.LeadApplication, bool, error) {
	rows, err := gorm.G[applicationRow](s.db).Where("channel = ? AND external_number = ?", c, number).Find(ctx)
	if err != nil || len(rows) == 0 {
		return casework.LeadApplication{}, false, failed("read an application", err)
	}
	app, err := s.applicationOf(rows[0])
	return app, err == nil, err
}

func (s *Store) applicationOf(row applicationRow) (casework.LeadApplication, error) {
	var body receiptBody
	if err := s.open(row.Body, applicationContext(row), &body); err != nil {
		return casework.LeadApplication{}, err
	}
	return casework.LeadApplication{Case: row.CaseNumber, Request: body.Request, By: body.By, ReceivedAt: moment(&row.ReceivedAt), State: row.State, Joint: body.Joint}, nil
}

// SettleApplication notes that the lead became an application.
func (s *Store) SettleApplication(ctx context.Context, r casework.Request) error {
	_, err := gorm.G[applicationRow](s.db).Where("channel = ? AND external_number = ?", r.Channel, r.ExternalNumber).Update(ctx, "state", casework.ApplicationApplied)
	return failed("settle an application", err)
}

// RefuseApplication notes that the lead would not have an application, and gives
// the receipt of the request of its own that it becomes, which its sender follows
// from then on: all or nothing. In a joint request that takes the lead's place.
// False: the lead did become it, as somebody else found.
func (s *Store) RefuseApplication(ctx context.Context, app casework.LeadApplication) (rec casework.Receipt, refused bool, err error) {
	r := app.Request
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if app.Joint != nil {
			// One part of a joint request after the other, so that two whose leads
			// both refuse get to know each other. Its receipts can't be the lock,
			// because they change: who waits for them would hold one that has left.
			lock := tx.Exec("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", "joint/"+app.Joint.Number)
			if lock.Error != nil {
				return lock.Error
			}
		}
		row, err := gorm.G[applicationRow](tx, clause.Locking{Strength: "UPDATE"}).Where("channel = ? AND external_number = ?", r.Channel, r.ExternalNumber).Take(ctx)
		if err != nil {
			return err
		}
		if refused = row.State != casework.ApplicationApplied; !refused {
			return nil
		}
		if row.State == casework.ApplicationRefused {
			own, err := gorm.G[receiptRow](tx).Where("channel = ? AND external_number = ?", r.Channel, r.ExternalNumber).Take(ctx)
			if err != nil {
				return err
			}
			if rec, err = s.receipt(own); err != nil {
				return err
			}
			return s.moveFollower(tx, app, own.Number) // who was noted since
		}
		body := receiptBody{Request: r, By: app.By}
		if app.Joint != nil {
			if body.Joint, err = untie(ctx, tx, app); err != nil {
				return err
			}
		}
		var n int64
		if err := tx.Raw("SELECT nextval('case_numbers')").Scan(&n).Error; err != nil {
			return err
		}
		var own receiptRow
		if own, rec, err = s.newReceipt(n, r.ExternalNumber, body, app.ReceivedAt); err != nil {
			return err
		}
		if app.Joint != nil {
			own.Joint = app.Joint.Number
		}
		if err := tx.Create(&own).Error; err != nil {
			return err
		}
		if err := s.moveFollower(tx, app, own.Number); err != nil {
			return err
		}
		_, err = gorm.G[applicationRow](tx).Where("channel = ? AND external_number = ?", r.Channel, r.ExternalNumber).Update(ctx, "state", casework.ApplicationRefused)
		return err
	})
	return rec, refused, failed("refuse an application", err)
}

// untie takes a lead out of a joint request, and says how the case that comes
// instead belongs to it. With one that has ended, which hears nothing any more,
// it shares the customer's number alone.
func untie(ctx context.Context, tx *gorm.DB, app casework.LeadApplication) (*casework.Joint, error) {
	j := casework.Joint{Number: app.Joint.Number, Utility: app.Joint.Utility, ScheduleAt: app.Joint.ScheduleAt, InsteadOf: app.Case}
	if _, err := gorm.G[receiptRow](tx).Where("number = ? AND joint = ?", app.Case, j.Number).Update(ctx, "joint", ""); err != nil {
		return nil, err
	}
	other, err := gorm.G[receiptRow](tx).Where("joint = ?", j.Number).Take(ctx)
	if err != nil {
		return nil, err
	}
	// A lead that has ended is about to leave its place too.
	ended, err := gorm.G[caseLine](tx).Where(`number = ? AND ended_at IS NOT NULL
		AND NOT EXISTS (SELECT FROM applications a WHERE a.case_number = number AND a.joint = ? AND a.state = 'received')`, other.Number, j.Number).Count(ctx, "*")
	if err != nil || ended > 0 {
		return nil, err
	}
	j.Sibling = other.Number
	return &j, nil
}

// UnsettledApplications lists at most limit applications that were kept before a
// moment and of which nobody knows yet what became of them, the oldest first.
func (s *Store) UnsettledApplications(ctx context.Context, before time.Time, limit int) ([]casework.LeadApplication, error) {
	rows, err := gorm.G[applicationRow](s.db).Where("state = 'received' AND received_at < ?", before).Order("received_at").Limit(limit).Find(ctx)
	if err != nil {
		return nil, failed("list applications", err)
	}
	apps := make([]casework.LeadApplication, len(rows))
	for i, row := range rows {
		if apps[i], err = s.applicationOf(row); err != nil {
			return nil, err
		}
	}
	return apps, nil
}

// PossibleLeads lists open leads for the same utility that a request may belong
// to: of the same project, the same organisation at the same address, or the
// same plot. The oldest comes first; ten at most.
func (s *Store) PossibleLeads(ctx context.Context, r casework.Request) ([]casework.LeadMatch, error) {
	k := s.leadColumns(&r)
	if k.Project == "" && k.Plot == "" && k.PartyIndex == "" {
		return nil, nil
	}
	var rows []struct {
		Number, Applicant, Address string
		District                   casework.District
		Project, Plot, PartyIndex  string
	}
	err := s.db.WithContext(ctx).Raw(`SELECT number, applicant, address, district, project, plot, party_index FROM cases
		WHERE lead AND ended_at IS NULL AND kind = 'connection' AND utility = ? AND (project <> '' AND project = ?
			OR plot <> '' AND plot = ? AND district = ? OR party_index <> '' AND party_index = ?)
		ORDER BY received_at, number LIMIT 10`, r.Utility, k.Project, k.Plot, r.Site.District, k.PartyIndex).Scan(&rows).Error
	if err != nil {
		return nil, failed("look for leads", err)
	}
	matches := make([]casework.LeadMatch, len(rows))
	for i, row := range rows {
		matches[i] = casework.LeadMatch{
			Number: row.Number, Applicant: row.Applicant, Address: row.Address, District: row.District,
			Project: k.Project != "" && row.Project == k.Project, Party: k.PartyIndex != "" && row.PartyIndex == k.PartyIndex,
			Plot: k.Plot != "" && row.Plot == k.Plot && row.District == r.Site.District,
		}
	}
	return matches, nil
}
