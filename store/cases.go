package store

import (
	"context"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/curbstop/curbstop/casework"
)

// caseLine holds the columns that lists show.
type caseLine struct {
	Number     string `gorm:"primaryKey"`
	Kind       casework.CaseKind
	Utility    casework.Utility
	Lane       casework.Lane
	Channel    casework.Channel
	District   casework.District
	Status     casework.Status
	Stage      casework.Stage
	Applicant  string
	Address    string
	Department casework.Department
	Level      int
	OpenTasks  int
	ReceivedAt time.Time
	DueAt      *time.Time
	SupplyAt   *time.Time
	EndedAt    *time.Time
	Version    int64

	RemainingSeconds int64
	Stopped          bool
	Provisional      bool

	Lead bool
}

func (caseLine) TableName() string { return "cases" }

// caseRow is a whole row of cases.
type caseRow struct {
	Line           caseLine `gorm:"embedded"`
	Parent         string
	ExternalNumber string
	PolicyVersion  string
	PhoneIndex     string
	Search         string
	Project        string
	Plot           string
	PartyIndex     string
	Main           string
	MainDemand     float64
	Pauses         []pauseRow `gorm:"serializer:json"`
	State          []byte
}

// pauseRow is a pause that lasts, without its evidence, which people write.
type pauseRow struct {
	Reason     casework.PauseReason `json:"reason"`
	From       time.Time            `json:"from"`
	PlannedEnd time.Time            `json:"planned_end"`
}

func (caseRow) TableName() string { return "cases" }

// sealedState is the snapshot alone.
type sealedState struct{ State []byte }

func (sealedState) TableName() string { return "cases" }

func stateContext(number string) string { return "case/" + number }

func (s *Store) caseRow(k *casework.Case) (caseRow, error) {
	state, err := s.seal(k, stateContext(k.Number))
	if err != nil {
		return caseRow{}, err
	}
	due := k.NextDue()
	r, applicant := &k.Request, maskApplicant(k.Request.Applicant)
	if applicant == "" {
		applicant = r.Who() // the plot
	}
	lead := s.leadColumns(r)
	row := caseRow{
		Line: caseLine{
			Number: k.Number, Kind: k.Kind, Utility: r.Utility, Lane: k.Lane, Channel: r.Channel, District: r.Site.District,
			Status: k.Status, Stage: k.Stage, Applicant: applicant, Address: r.Site.Address, Department: k.InCharge(),
			Level: k.Level, ReceivedAt: k.ReceivedAt, DueAt: orNull(due.At), EndedAt: orNull(k.EndedAt), Version: k.Version,
			RemainingSeconds: int64(due.Remaining / time.Second), Stopped: due.Stopped, Provisional: due.Provisional, Lead: lead.Lead,
		},
		Project: lead.Project, Plot: lead.Plot, PartyIndex: lead.PartyIndex,
		Parent: k.Parent, ExternalNumber: r.ExternalNumber, PolicyVersion: k.Terms.PolicyVersion,
		PhoneIndex: s.ring.Index(r.Contact.Phone),
		Search:     strings.ToLower(strings.Join([]string{k.Number, applicant, r.Site.Address, jointNumber(k)}, "\n")),
		Pauses:     []pauseRow{},
		State:      state,
	}
	if k.Assessment != nil && k.Assessment.Main != "" {
		row.Main, row.MainDemand = k.Assessment.Main, r.Demand.DailyVolume
	}
	for _, p := range k.Pauses {
		if p.To.IsZero() {
			row.Pauses = append(row.Pauses, pauseRow{p.Reason, p.From, p.PlannedEnd})
		}
	}
	for _, t := range k.Tasks {
		row.Line.OpenTasks += live(t)
	}
	if k.Supply != nil {
		row.Line.SupplyAt = orNull(k.Supply.SuppliedAt)
	}
	return row, nil
}

// jointNumber is what the customer of a joint request names.
func jointNumber(k *casework.Case) string {
	if k.Joint == nil {
		return ""
	}
	return k.Joint.Number
}

func (r caseLine) line(now time.Time) casework.CaseLine {
	line := casework.CaseLine{
		Number: r.Number, Kind: r.Kind, Utility: r.Utility, Lane: r.Lane, Channel: r.Channel, District: r.District,
		Status: r.Status, Stage: r.Stage, Applicant: r.Applicant, Address: r.Address, Department: r.Department,
		Level: r.Level, OpenTasks: r.OpenTasks, ReceivedAt: moment(&r.ReceivedAt), DueAt: moment(r.DueAt),
		SupplyAt: moment(r.SupplyAt), EndedAt: moment(r.EndedAt), Version: r.Version,
		Remaining: time.Duration(r.RemainingSeconds) * time.Second, Stopped: r.Stopped, Provisional: r.Provisional, Lead: r.Lead,
	}
	line.Overdue = !line.DueAt.IsZero() && line.DueAt.Before(now)
	return line
}

// Case gives a case as it stood after the last Save, with personal data.
func (s *Store) Case(ctx context.Context, number string) (*casework.Case, error) {
	row, err := gorm.G[sealedState](s.db).Where("number = ?", number).Take(ctx)
	if err != nil {
		return nil, found("read a case", err, caseNotFound())
	}
	k := &casework.Case{}
	if err := s.open(row.State, stateContext(number), k); err != nil {
		return nil, err
	}
	return k, nil
}

// casePlace is where a case stands in the list.
type casePlace struct {
	Received time.Time `json:"received"`
	Number   string    `json:"number"`
}

var newestCases = order[caseLine, casePlace]{
	by:    "received_at DESC, number DESC",
	place: func(r caseLine) casePlace { return casePlace{r.ReceivedAt, r.Number} },
	after: func(q query[caseLine], p casePlace) query[caseLine] {
		return q.Where("(received_at, number) < (?, ?)", p.Received, p.Number)
	},
}

// Cases lists cases, those received last first. The time received runs from
// the filter's From up to, not including, its To.
//
// Text finds any part of the number, the applicant's name and the address,
// whatever the letter case; a natural person's name can't be found, because it
// is stored masked. A text that is a mobile number finds the cases of which it
// is the contact's, and only by the whole number.
func (s *Store) Cases(ctx context.Context, f casework.CaseFilter) ([]casework.CaseLine, string, error) {
	now := s.now()
	q := gorm.G[caseLine](s.db).Scopes()
	q = equal(q, "kind", f.Kind)
	q = equal(q, "status", f.Status)
	q = equal(q, "stage", f.Stage)
	q = equal(q, "lane", f.Lane)
	q = equal(q, "channel", f.Channel)
	q = anyOf(q, "district", f.Districts)
	q = equal(q, "department", f.Department)
	if f.Assignee != "" {
		q = q.Where("EXISTS (SELECT FROM tasks WHERE case_number = cases.number AND state = 'open' AND assignee = ?)", f.Assignee)
	}
	if f.Overdue {
		q = q.Where("due_at < ?", now)
	}
	if f.Level > 0 {
		q = q.Where("level >= ?", f.Level)
	}
	q = equal(q, "policy_version", f.Policy)
	if f.Lead != nil {
		q = q.Where("lead = ?", *f.Lead)
	}
	if f.Running {
		q = q.Where("ended_at IS NULL")
	}
	if !f.From.IsZero() {
		q = q.Where("received_at >= ?", f.From)
	}
	if !f.To.IsZero() {
		q = q.Where("received_at < ?", f.To)
	}
	if text := strings.TrimSpace(f.Text); text != "" {
		q = s.withText(q, text)
	}
	rows, next, err := part(ctx, q, newestCases, f.Page)
	if err != nil {
		return nil, "", failed("list cases", err)
	}
	lines := make([]casework.CaseLine, len(rows))
	for i, r := range rows {
		lines[i] = r.line(now)
	}
	return lines, next, nil
}

// likeLiterally takes their meaning from the characters that LIKE knows.
var likeLiterally = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func (s *Store) withText(q query[caseLine], text string) query[caseLine] {
	if phone := casework.NormalisePhone(text); casework.CheckPhone(phone) == nil {
		return q.Where("phone_index <> '' AND phone_index = ?", s.ring.Index(phone))
	}
	return q.Where("search LIKE ?", "%"+likeLiterally.Replace(strings.ToLower(text))+"%")
}
