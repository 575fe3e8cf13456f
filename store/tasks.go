package store

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/curbstop/curbstop/casework"
)

type taskRow struct {
	ID               string `gorm:"primaryKey"`
	CaseNumber       string
	Kind             casework.TaskKind
	Qualifier        string
	Round            int
	Stage            casework.Stage
	Role             casework.Role
	Department       casework.Department
	State            casework.TaskState
	OpenedAt         time.Time
	Anchor           *time.Time
	Assignee         string
	AssigneeName     string
	AssignedAt       *time.Time
	DoneAt           *time.Time
	DoneBy           string
	Outcome          string
	Input            []byte
	DueAt            *time.Time
	RemainingSeconds int64
	Stopped          bool
	Provisional      bool
	UrgentAt         *time.Time
	UrgentBy         casework.LimitName
}

func (taskRow) TableName() string { return "tasks" }

// unlessStanding replaces a task, except a live one that is recorded as it
// stands: each decision writes all live tasks, and most did not change. What a
// task was completed with is sealed and can't be compared.
var unlessStanding = &clause.OnConflict{UpdateAll: true, Where: clause.Where{Exprs: []clause.Expression{
	clause.Expr{SQL: "tasks.input IS NOT NULL OR excluded.input IS NOT NULL OR (" + taskFacts("tasks") + ") IS DISTINCT FROM (" + taskFacts("excluded") + ")"},
}}}

// taskFacts names the columns that say how a task stands, as far as they can be
// compared.
func taskFacts(table string) string {
	row, err := schema.Parse(taskRow{}, &sync.Map{}, schema.NamingStrategy{})
	if err != nil {
		panic(err) // taskRow is no model
	}
	columns := slices.DeleteFunc(row.DBNames, func(name string) bool { return name == "id" || name == "case_number" || name == "input" })
	return table + "." + strings.Join(columns, ", "+table+".")
}

// taskLine is a task with what lists show of its case.
type taskLine struct {
	Task      taskRow `gorm:"embedded"`
	District  casework.District
	Applicant string
	Address   string
}

func (taskLine) TableName() string { return "task_lines" }

func inputContext(taskID string) string { return "task/" + taskID }

// taskRow is the row of a task with the deadline by which it is shown. What has
// ended is urgent no more and stays where it was due.
func (s *Store) taskRow(t casework.Task, d *casework.Deadline, u casework.Urgency) taskRow {
	row := taskRow{
		ID: t.ID, CaseNumber: t.Case, Kind: t.Kind, Qualifier: t.Qualifier, Round: t.Round, Stage: t.Stage, Role: t.Role,
		Department: t.Department, State: t.State, OpenedAt: t.OpenedAt, Anchor: orNull(t.Anchor), Assignee: t.Assignee, AssigneeName: t.AssigneeName,
		AssignedAt: orNull(t.AssignedAt), DoneAt: orNull(t.DoneAt), DoneBy: t.DoneBy, Outcome: t.Outcome,
		Input: s.sealBytes(t.Input, inputContext(t.ID)),
	}
	if d != nil {
		row.DueAt, row.RemainingSeconds = orNull(d.Due.At), int64(d.Due.Remaining/time.Second)
		row.Stopped, row.Provisional = d.Due.Stopped, d.Due.Provisional
	}
	row.UrgentAt, row.UrgentBy = row.DueAt, ""
	if t.State == casework.TaskOpen {
		row.UrgentAt, row.UrgentBy = orNull(u.At), u.Limit
	}
	return row
}

func (s *Store) taskLine(r taskLine, now time.Time) (casework.TaskLine, error) {
	t := &r.Task
	input, err := s.openBytes(t.Input, inputContext(t.ID))
	if err != nil {
		return casework.TaskLine{}, err
	}
	line := casework.TaskLine{
		Task: casework.Task{
			ID: t.ID, Case: t.CaseNumber, Kind: t.Kind, Qualifier: t.Qualifier, Round: t.Round, Stage: t.Stage, Role: t.Role,
			Department: t.Department, State: t.State, OpenedAt: moment(&t.OpenedAt), Anchor: moment(t.Anchor), Assignee: t.Assignee,
			AssigneeName: t.AssigneeName, AssignedAt: moment(t.AssignedAt), DoneAt: moment(t.DoneAt), DoneBy: t.DoneBy,
			Outcome: t.Outcome, Input: input,
		},
		District: r.District, Applicant: r.Applicant, Address: r.Address, DueAt: moment(t.DueAt),
		Remaining: time.Duration(t.RemainingSeconds) * time.Second, Stopped: t.Stopped, Provisional: t.Provisional,
	}
	if t.State == casework.TaskOpen {
		line.UrgentAt, line.UrgentBy = moment(t.UrgentAt), t.UrgentBy
	}
	switch t.State {
	case casework.TaskOpen:
		line.Overdue = !line.DueAt.IsZero() && line.DueAt.Before(now)
	case casework.TaskDone:
		line.Overdue = !line.DueAt.IsZero() && line.DueAt.Before(line.DoneAt)
	case casework.TaskCancelled:
		// Nobody was late with what nobody had to do.
	}
	return line, nil
}

// Task gives one task, live or ended.
func (s *Store) Task(ctx context.Context, id string) (casework.TaskLine, error) {
	row, err := gorm.G[taskLine](s.db).Where("id = ?", id).Take(ctx)
	if err != nil {
		return casework.TaskLine{}, found("read a task", err, taskNotFound())
	}
	return s.taskLine(row, s.now())
}

// taskPlace is where a task stands in the list.
type taskPlace struct {
	Urgent *time.Time `json:"urgent,omitempty"`
	Opened time.Time  `json:"opened"`
	ID     string     `json:"id"`
}

var urgentTasks = order[taskLine, taskPlace]{
	by:    "urgent_at ASC NULLS LAST, opened_at, id",
	place: func(r taskLine) taskPlace { return taskPlace{r.Task.UrgentAt, r.Task.OpenedAt, r.Task.ID} },
	after: func(q query[taskLine], p taskPlace) query[taskLine] {
		if p.Urgent == nil {
			return q.Where("(urgent_at IS NULL AND (opened_at, id) > (?, ?))", p.Opened, p.ID)
		}
		return q.Where("((urgent_at, opened_at, id) > (?, ?, ?) OR urgent_at IS NULL)", p.Urgent, p.Opened, p.ID)
	},
}

// Tasks lists tasks of every state, unless the filter names one: the most urgent
// first (see [casework.Case.Urgency]; what has ended, by when it was due), those
// whose clocks stand last. A done task counts as overdue if it was done too
// late. A task whose due moment moves during a walk from page to page may move
// with it.
func (s *Store) Tasks(ctx context.Context, f casework.TaskFilter) ([]casework.TaskLine, string, error) {
	now := s.now()
	q := gorm.G[taskLine](s.db).Scopes()
	q = equal(q, "assignee", f.Assignee)
	if f.Unassigned {
		q = q.Where("assignee = ''")
	}
	q = equal(q, "department", f.Department)
	q = anyOf(q, "role", f.Roles)
	q = anyOf(q, "district", f.Districts)
	q = equal(q, "kind", f.Kind)
	q = equal(q, "stage", f.Stage)
	if f.State == casework.TaskOpen {
		// Written out, so that the indexes on open tasks also serve a prepared
		// statement's general plan.
		q = q.Where("state = 'open'")
	} else {
		q = equal(q, "state", f.State)
	}
	q = equal(q, "case_number", f.Case)
	if f.Overdue {
		q = q.Where("state <> 'cancelled' AND due_at < COALESCE(done_at, ?)", now)
	}
	if !f.DueBefore.IsZero() {
		q = q.Where("due_at < ?", f.DueBefore)
	}
	rows, next, err := part(ctx, q, urgentTasks, f.Page)
	if err != nil {
		return nil, "", failed("list tasks", err)
	}
	lines := make([]casework.TaskLine, len(rows))
	for i, r := range rows {
		if lines[i], err = s.taskLine(r, now); err != nil {
			return nil, "", err
		}
	}
	return lines, next, nil
}
