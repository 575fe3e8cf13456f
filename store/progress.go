package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/curbstop/curbstop/casework"
)

// noteProgress has the reports of a case worked out anew where a Save may have
// changed them: it reached a milestone, or took back what was recorded. Only
// cases that somebody follows have any.
func (r caseRows) noteProgress(b *pgx.Batch, ruling ruling) {
	marks := ruling == laterTruth
	for _, e := range r.events {
		_, is := casework.MilestoneOf(casework.Event{Kind: e.Kind})
		marks = marks || is
	}
	if marks {
		b.Queue(`UPDATE receipts SET progress_due = true WHERE number = $1
			AND (EXISTS (SELECT FROM followers WHERE case_number = $1) OR EXISTS (SELECT FROM watchers w WHERE w.ended_at IS NULL AND w.since <= received_at))`, r.snapshot.Line.Number)
	}
}

type progressRow struct {
	ID          int64
	CaseNumber  string
	Follower    int
	Sender      string
	N           int
	Milestone   casework.Milestone
	Round       int
	EventN      int64
	EventKind   casework.EventKind
	At          time.Time
	Department  casework.Department
	NoteZH      string `gorm:"column:note_zh"`
	NoteEN      string `gorm:"column:note_en"`
	State       casework.ProgressState
	MadeAt      time.Time
	Attempts    int
	NextAt      time.Time
	FirstAt     *time.Time
	SettledAt   *time.Time
	AbandonedAt *time.Time
	Sent        []byte
	LastError   string
}

func (progressRow) TableName() string { return "progress_reports" }

// progressLine is a report with what its follower and its case know of it.
type progressLine struct {
	Row          progressRow      `gorm:"embedded"`
	SenderNumber string           `gorm:"->"`
	Utility      casework.Utility `gorm:"->"`
	AcceptedAt   *time.Time       `gorm:"->"`
}

func (progressLine) TableName() string { return "progress_lines" }

func progressContext(id int64) string { return fmt.Sprintf("progress/%d", id) }

func (s *Store) progressReport(l progressLine) (casework.ProgressReport, error) {
	r := l.Row
	p := casework.ProgressReport{
		ID: r.ID, Case: r.CaseNumber, Follower: r.Follower, Sender: r.Sender, External: l.SenderNumber, Utility: l.Utility, N: r.N, Milestone: r.Milestone,
		At: moment(&r.At), AcceptedAt: moment(l.AcceptedAt), Department: r.Department, Note: casework.Say(r.NoteZH, r.NoteEN), State: r.State, MadeAt: moment(&r.MadeAt),
		Attempts: r.Attempts, FirstAt: moment(r.FirstAt), SettledAt: moment(r.SettledAt), AbandonedAt: moment(r.AbandonedAt), LastError: r.LastError,
	}
	if r.State == casework.ProgressPending {
		p.NextAt = moment(&r.NextAt)
		p.Stuck = r.AbandonedAt == nil && r.MadeAt.Before(s.now().Add(-casework.ProgressStuckAfter))
	}
	if len(r.Sent) > 0 {
		p.Sent = &casework.Sent{}
		if err := s.open(r.Sent, progressContext(r.ID), p.Sent); err != nil {
			return p, err
		}
	}
	return p, nil
}

// PlanProgress works out what platforms are to be told, for some of the cases
// that have reached something, from what is committed of them; it tells how
// many cases there were. A report waits until settle has passed since its
// milestone, because a decision may yet be taken back. One of which the case
// has no event any more goes, unless a try has begun: then it stays on record
// as abandoned, and the same milestone reached again is not told twice.
func (s *Store) PlanProgress(ctx context.Context, settle time.Duration, limit int) (n int, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var due []string
		// What goes on from another case follows on all that this one comes to.
		err := tx.Raw(`SELECT number FROM receipts r WHERE progress_due AND (r.passed_from = '' OR NOT EXISTS (
				SELECT FROM receipts b LEFT JOIN cases c ON c.number = b.number WHERE b.number = r.passed_from AND (b.progress_due OR c.ended_at IS NULL)))
			ORDER BY number LIMIT ? FOR UPDATE OF r SKIP LOCKED`, limit).Scan(&due).Error
		if err != nil {
			return err
		}
		n = len(due)
		for _, number := range due {
			if err := s.planProgress(ctx, tx, number, settle); err != nil {
				return err
			}
		}
		return nil
	})
	return n, failed("plan reports of progress", err)
}

func (s *Store) planProgress(ctx context.Context, tx *gorm.DB, number string, settle time.Duration) error {
	followers, err := followersOf(ctx, tx, number)
	if err != nil {
		return err
	}
	if len(followers) > 0 {
		reached, departments, err := reachedBy(tx, number)
		if err != nil {
			return err
		}
		for _, f := range followers {
			if err := s.planFollower(ctx, tx, f, f.Told(reached), departments, settle); err != nil {
				return err
			}
		}
	}
	return tx.Exec("UPDATE receipts SET progress_due = false WHERE number = ?", number).Error
}

// reachedBy gives the milestones that a case has reached, and the departments
// that acted, by the numbers of the events.
func reachedBy(tx *gorm.DB, number string) ([]casework.Reached, map[int64]casework.Department, error) {
	type markedEvent struct {
		N              int64
		At             time.Time
		Kind           casework.EventKind
		NoteZH, NoteEN string
		Department     casework.Department
	}
	var rows []markedEvent
	err := tx.Raw(`
		SELECT e.n, e.at, e.kind, e.note_zh, e.note_en, coalesce(t.department, c.department) AS department
		FROM events e JOIN cases c ON c.number = e.case_number LEFT JOIN tasks t ON t.id = e.task AND e.task <> ''
		WHERE e.case_number = ? ORDER BY e.n`, number).Scan(&rows).Error
	if err != nil {
		return nil, nil, err
	}
	events := make([]casework.Event, len(rows))
	departments := map[int64]casework.Department{}
	for i, r := range rows {
		events[i] = casework.Event{Case: number, N: r.N, At: r.At, Kind: r.Kind, Note: casework.Say(r.NoteZH, r.NoteEN)}
		departments[r.N] = r.Department
	}
	return casework.ReachedMilestones(events), departments, nil
}

// planFollower compares what a follower is to be told with the reports that are
// there for it.
func (s *Store) planFollower(ctx context.Context, tx *gorm.DB, f casework.Follower, told []casework.Reached, departments map[int64]casework.Department, settle time.Duration) error {
	there, err := gorm.G[progressRow](tx, clause.Locking{Strength: clause.LockingStrengthUpdate}).
		Where("case_number = ? AND follower = ?", f.Case, f.N).Order("n").Find(ctx)
	if err != nil {
		return err
	}
	before, err := toldBefore(tx, f)
	if err != nil {
		return err
	}
	told = casework.GoingOn(told, before)
	type mark struct {
		milestone casework.Milestone
		round     int
	}
	wanted := map[mark]casework.Reached{}
	for _, r := range told {
		wanted[mark{r.Milestone, r.Round}] = r
	}
	now, last := s.now(), 0
	for _, r := range before {
		last = max(last, r.N)
	}
	known := map[mark]bool{}
	// The numbers have no gap: where one that nobody was told of goes, those
	// behind it are made anew.
	gone := false
	for _, row := range there {
		r, still := wanted[mark{row.Milestone, row.Round}]
		untouched := row.Attempts == 0 && row.State == casework.ProgressPending
		switch {
		case untouched && (gone || !still || r.Event.N != row.EventN):
			gone = true
			if err := tx.Exec("DELETE FROM progress_reports WHERE id = ?", row.ID).Error; err != nil {
				return err
			}
			continue
		case !still && row.AbandonedAt == nil:
			err = tx.Exec("UPDATE progress_reports SET abandoned_at = ? WHERE id = ?", now, row.ID).Error
		case still:
			err = tx.Exec("UPDATE progress_reports SET abandoned_at = NULL, event_n = ?, at = ? WHERE id = ? AND (abandoned_at IS NOT NULL OR event_n <> ?)",
				r.Event.N, r.At, row.ID, r.Event.N).Error
		}
		if err != nil {
			return err
		}
		known[mark{row.Milestone, row.Round}], last = true, row.N
	}
	var made []progressRow
	for _, r := range told {
		if known[mark{r.Milestone, r.Round}] {
			continue
		}
		last++
		e := r.Event
		made = append(made, progressRow{
			CaseNumber: f.Case, Follower: f.N, Sender: f.Sender, N: last, Milestone: r.Milestone, Round: r.Round, EventN: e.N, EventKind: e.Kind, At: r.At,
			Department: departments[e.N], NoteZH: e.Note.ZH, NoteEN: e.Note.EN, State: casework.ProgressPending, MadeAt: now, NextAt: r.At.Add(settle),
		})
	}
	if len(made) == 0 {
		return nil
	}
	return tx.Create(&made).Error
}

// toldBefore gives what a follower is or was told of the cases that its case goes
// on from, in order.
func toldBefore(tx *gorm.DB, f casework.Follower) ([]casework.ProgressReport, error) {
	var rows []progressRow
	err := tx.Raw(`SELECT p.* FROM followed_before(?, ?) e JOIN progress_reports p ON p.case_number = e.case_number AND p.follower = e.n
		ORDER BY p.n`, f.Case, f.N).Scan(&rows).Error
	before := make([]casework.ProgressReport, len(rows))
	for i, r := range rows {
		before[i] = casework.ProgressReport{Case: r.CaseNumber, N: r.N, Milestone: r.Milestone, State: r.State, AbandonedAt: moment(r.AbandonedAt)}
	}
	return before, err
}

// ClaimProgress takes the reports to a sender that are due, for whoever calls,
// until the lease ends: for each follower of a case the first that is not
// settled, so that each is told in order and none waits for another. Those of a
// case that goes on come behind all of the cases before.
func (s *Store) ClaimProgress(ctx context.Context, sender string, now, lease time.Time, limit int) ([]casework.ProgressReport, error) {
	var lines []progressLine
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		// An event that is gone takes its report along at the next planning.
		err := tx.Raw(`
			SELECT p.*, f.sender_number, c.utility,
				(SELECT min(e.at) FROM events e WHERE e.case_number = p.case_number AND e.kind = 'application_accepted') AS accepted_at
			FROM progress_reports p JOIN followers f ON f.case_number = p.case_number AND f.n = p.follower JOIN cases c ON c.number = p.case_number
			WHERE p.sender = ? AND p.state = 'pending' AND p.next_at <= ? AND p.abandoned_at IS NULL
				AND EXISTS (SELECT FROM events e WHERE e.case_number = p.case_number AND e.n = p.event_n AND e.kind = p.event_kind)
				AND NOT EXISTS (SELECT FROM progress_reports b WHERE b.case_number = p.case_number AND b.follower = p.follower AND b.n < p.n AND b.state = 'pending' AND b.abandoned_at IS NULL)
				AND (f.before = '' OR NOT EXISTS (SELECT FROM followed_before(f.case_number, f.n) e JOIN progress_reports b ON b.case_number = e.case_number AND b.follower = e.n
					WHERE b.state = 'pending' AND b.abandoned_at IS NULL))
			ORDER BY p.next_at, p.id LIMIT ? FOR UPDATE OF p SKIP LOCKED`, sender, now, limit).Scan(&lines).Error
		if err != nil || len(lines) == 0 {
			return err
		}
		ids := make([]int64, len(lines))
		for i := range lines {
			r := &lines[i].Row
			ids[i] = r.ID
			r.Attempts++
			r.NextAt = lease
			if r.FirstAt == nil {
				r.FirstAt = &now
			}
		}
		return tx.Exec("UPDATE progress_reports SET attempts = attempts + 1, first_at = coalesce(first_at, ?), next_at = ? WHERE id IN ?", now, lease, ids).Error
	})
	if err != nil {
		return nil, failed("claim reports of progress", err)
	}
	return s.progressReports(lines)
}

func (s *Store) progressReports(lines []progressLine) (_ []casework.ProgressReport, err error) {
	reports := make([]casework.ProgressReport, len(lines))
	for i, l := range lines {
		if reports[i], err = s.progressReport(l); err != nil {
			return nil, err
		}
	}
	return reports, nil
}

// RecordProgress records how a try ended. That a platform took a report is
// recorded whatever was recorded before; anything else counts only as long as
// the try is the last one.
func (s *Store) RecordProgress(ctx context.Context, a casework.ProgressAttempt) error {
	var sent []byte
	if a.Sent != nil {
		var err error
		if sent, err = s.seal(a.Sent, progressContext(a.Report)); err != nil {
			return err
		}
	}
	q := s.db.WithContext(ctx)
	var err error
	if a.State == casework.ProgressPending {
		err = q.Exec("UPDATE progress_reports SET next_at = ?, last_error = ?, sent = ? WHERE id = ? AND attempts = ? AND state = 'pending'",
			a.NextAt, a.Error, sent, a.Report, a.N).Error
	} else {
		err = q.Exec("UPDATE progress_reports SET state = ?, settled_at = ?, sent = ?, last_error = '' WHERE id = ? AND state = 'pending'",
			a.State, a.At, sent, a.Report).Error
	}
	return failed("record a report of progress", err)
}

// progressPlace is where a report stands in the list.
type progressPlace struct {
	ID int64 `json:"progress"`
}

var newestProgress = order[progressLine, progressPlace]{
	by:    "id DESC",
	place: func(l progressLine) progressPlace { return progressPlace{l.Row.ID} },
	after: func(q query[progressLine], p progressPlace) query[progressLine] { return q.Where("id < ?", p.ID) },
}

// ProgressReports lists what platforms are told of their cases, the newest
// first.
func (s *Store) ProgressReports(ctx context.Context, f casework.ProgressFilter) ([]casework.ProgressReport, string, error) {
	q := equal(gorm.G[progressLine](s.db).Scopes(), "case_number", f.Case)
	q = equal(q, "sender", f.Sender)
	if f.State == casework.ProgressStuck {
		q = q.Where("state = 'pending' AND abandoned_at IS NULL AND made_at < ?", s.now().Add(-casework.ProgressStuckAfter))
	} else {
		q = equal(q, "state", f.State)
	}
	lines, next, err := part(ctx, q, newestProgress, f.Page)
	if err != nil {
		return nil, "", failed("list reports of progress", err)
	}
	reports, err := s.progressReports(lines)
	return reports, next, err
}

// StuckProgress counts the reports that have waited for longer than a day.
func (s *Store) StuckProgress(ctx context.Context) (int64, error) {
	n, err := gorm.G[progressRow](s.db).Where("state = 'pending' AND abandoned_at IS NULL AND made_at < ?", s.now().Add(-casework.ProgressStuckAfter)).Count(ctx, "*")
	return n, failed("count stuck reports", err)
}

// RetryProgress has a report that waits tried again now.
func (s *Store) RetryProgress(ctx context.Context, id int64, now time.Time) (casework.ProgressReport, error) {
	if err := s.db.WithContext(ctx).Exec("UPDATE progress_reports SET next_at = least(next_at, ?) WHERE id = ? AND state = 'pending'", now, id).Error; err != nil {
		return casework.ProgressReport{}, failed("retry a report", err)
	}
	report, err := s.ProgressReport(ctx, id)
	if err == nil && report.State != casework.ProgressPending {
		return casework.ProgressReport{}, casework.Refuse(casework.Conflict, "not_pending", casework.Sayf(
			"只能重发待回传的进度，此条状态为 %[1]s", "only what is pending is tried again; this one is %[1]s", report.State))
	}
	return report, err
}

// ProgressReport gives a report, with what was sent and answered.
func (s *Store) ProgressReport(ctx context.Context, id int64) (casework.ProgressReport, error) {
	line, err := gorm.G[progressLine](s.db).Where("id = ?", id).Take(ctx)
	if err != nil {
		return casework.ProgressReport{}, found("read a report", err, casework.Refuse(casework.NotFound, "progress_report_not_found",
			casework.Say("没有这条进度回传记录", "there is no such report of progress")))
	}
	return s.progressReport(line)
}
