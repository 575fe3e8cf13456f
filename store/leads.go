package store

import (
	"context"
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

// AcceptApplication keeps an application that names the project of an open lead,
// and tells which; the lead must then be told. False: it belongs to no lead, or
// to more than one, or was taken up as a request of its own. An application is
// accepted once per channel and external number: whoever sends it again gets the
// first.
func (s *Store) AcceptApplication(ctx context.Context, r casework.Request, by casework.Actor, at time.Time) (app casework.LeadApplication, found bool, err error) {
	if r.Lead || r.ProjectKey() == "" || r.ExternalNumber == "" {
		return app, false, nil
	}
	if app, found, err = s.application(ctx, r.Channel, r.ExternalNumber); err != nil || found {
		return app, found && app.State != casework.ApplicationRefused, err
	}
	if _, err := s.Accepted(ctx, r.Channel, r.ExternalNumber); err == nil || casework.AsFault(err).Kind != casework.NotFound {
		return app, false, err
	}
	leads, err := gorm.G[caseLine](s.db).Where("lead AND ended_at IS NULL AND kind = 'connection' AND status <> 'withdrawing' AND project = ? AND utility = ? AND district = ?",
		r.ProjectKey(), r.Utility, r.Site.District).Limit(2).Find(ctx)
	if err != nil || len(leads) != 1 {
		return app, false, failed("look for the lead of an application", err)
	}
	row := applicationRow{Channel: r.Channel, ExternalNumber: r.ExternalNumber, CaseNumber: leads[0].Number, ReceivedAt: at, State: casework.ApplicationReceived}
	if row.Body, err = s.seal(receiptBody{Request: r, By: by}, applicationContext(row)); err != nil {
		return app, false, err
	}
	if err := s.db.WithContext(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error; err != nil {
		return app, false, failed("keep an application", err)
	}
	return s.application(ctx, r.Channel, r.ExternalNumber)
}

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
	return casework.LeadApplication{Case: row.CaseNumber, Request: body.Request, By: body.By, ReceivedAt: moment(&row.ReceivedAt), State: row.State}, nil
}

// SettleApplication notes what became of an application.
func (s *Store) SettleApplication(ctx context.Context, r casework.Request, state casework.ApplicationState) error {
	_, err := gorm.G[applicationRow](s.db).Where("channel = ? AND external_number = ?", r.Channel, r.ExternalNumber).Update(ctx, "state", state)
	return failed("settle an application", err)
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
