package store

import (
	"context"
	"encoding/json"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/curbstop/curbstop/casework"
)

type handOverRow struct {
	ID          string `gorm:"primaryKey"`
	Person      string
	ToPerson    *string
	Reason      []byte
	Leaving     bool
	RequestedBy string
	RequestedAt time.Time
	Started     bool
	DoneAt      *time.Time
}

func (handOverRow) TableName() string { return "hand_overs" }

func handOverContext(id string) string { return "hand_over/" + id }

func handOverNotFound() *casework.Fault {
	return casework.Refuse(casework.NotFound, "hand_over_not_found", casework.Say("没有这条移交记录", "there is no such hand-over"))
}

func (s *Store) handOvers(ctx context.Context, rows []handOverRow) ([]casework.StaffHandOver, error) {
	list := make([]casework.StaffHandOver, len(rows))
	causes := make([]string, len(rows))
	for i, r := range rows {
		list[i] = casework.StaffHandOver{
			ID: r.ID, Person: r.Person, To: orEmpty(r.ToPerson), Leaving: r.Leaving, By: r.RequestedBy, At: moment(&r.RequestedAt), DoneAt: moment(r.DoneAt),
		}
		if err := s.open(r.Reason, handOverContext(r.ID), &list[i].Reason); err != nil {
			return nil, err
		}
		causes[i] = list[i].Cause()
	}
	handed, err := s.handed(ctx, causes)
	for i := range list {
		list[i].Handed = handed[causes[i]]
	}
	return list, err
}

// BeginHandOver writes a hand-over down, once for its ID, and switches off the
// account of somebody who leaves in the same transaction: a repeat gives the
// first, and created is false.
func (s *Store) BeginHandOver(ctx context.Context, h casework.StaffHandOver) (got casework.StaffHandOver, created bool, err error) {
	reason, err := s.seal(h.Reason, handOverContext(h.ID))
	if err != nil {
		return got, false, err
	}
	row := handOverRow{
		ID: h.ID, Person: h.Person, ToPerson: orNone(h.To), Reason: reason, Leaving: h.Leaving, RequestedBy: h.By, RequestedAt: h.At,
	}
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		result := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoNothing: true}).Create(&row)
		created = result.RowsAffected == 1
		if result.Error != nil || !created || !h.Leaving {
			return result.Error
		}
		_, err := gorm.G[staffRow](tx).Where("id = ?", h.Person).Update(ctx, "active", false)
		return err
	})
	if err != nil {
		return got, false, failed("begin a hand-over", err)
	}
	got, err = s.StaffHandOver(ctx, h.ID)
	return got, created, err
}

// StaffHandOver gives one hand-over, with what was moved so far.
func (s *Store) StaffHandOver(ctx context.Context, id string) (casework.StaffHandOver, error) {
	row, err := gorm.G[handOverRow](s.db).Where("id = ?", id).Take(ctx)
	if err != nil {
		return casework.StaffHandOver{}, found("read a hand-over", err, handOverNotFound())
	}
	list, err := s.handOvers(ctx, []handOverRow{row})
	if err != nil {
		return casework.StaffHandOver{}, err
	}
	return list[0], nil
}

// FinishHandOver notes when everything had been moved; the first time stands.
func (s *Store) FinishHandOver(ctx context.Context, id string, at time.Time) (casework.StaffHandOver, error) {
	if _, err := gorm.G[handOverRow](s.db).Where("id = ? AND done_at IS NULL", id).Update(ctx, "done_at", at); err != nil {
		return casework.StaffHandOver{}, failed("finish a hand-over", err)
	}
	return s.StaffHandOver(ctx, id)
}

// MarkHandOverStarted notes that the workflow of a hand-over was started.
func (s *Store) MarkHandOverStarted(ctx context.Context, id string) error {
	_, err := gorm.G[handOverRow](s.db).Where("id = ?", id).Update(ctx, "started", true)
	return failed("mark a hand-over", err)
}

// UnstartedHandOvers lists at most limit hand-overs that were requested before
// a moment and whose workflow is not known to have been started.
func (s *Store) UnstartedHandOvers(ctx context.Context, before time.Time, limit int) ([]casework.StaffHandOver, error) {
	rows, err := gorm.G[handOverRow](s.db).Where("NOT started AND requested_at < ?", before).Order("requested_at, id").Limit(limit).Find(ctx)
	if err != nil {
		return nil, failed("list unstarted hand-overs", err)
	}
	return s.handOvers(ctx, rows)
}

// OpenTasksOf counts the open tasks that a person holds.
func (s *Store) OpenTasksOf(ctx context.Context, person string) (int, error) {
	n, err := gorm.G[taskRow](s.db).Where("assignee = ? AND state = 'open'", person).Count(ctx, "id")
	return int(n), failed("count tasks", err)
}

// Held lists at most limit cases in which a person holds open tasks, by case
// number after one that was listed before.
func (s *Store) Held(ctx context.Context, person, after string, limit int) ([]casework.HeldCase, error) {
	var rows []struct {
		CaseNumber string
		Tasks      json.RawMessage
	}
	err := s.db.WithContext(ctx).Raw(`
		SELECT case_number, json_agg(id ORDER BY id) AS tasks FROM tasks
		WHERE assignee = ? AND state = 'open' AND case_number > ?
		GROUP BY case_number ORDER BY case_number LIMIT ?`, person, after, limit).Scan(&rows).Error
	if err != nil {
		return nil, failed("list what somebody holds", err)
	}
	held := make([]casework.HeldCase, len(rows))
	for i, r := range rows {
		held[i].Case = r.CaseNumber
		if err := json.Unmarshal(r.Tasks, &held[i].Tasks); err != nil {
			return nil, failed("list what somebody holds", err)
		}
	}
	return held, nil
}

type handedRow struct {
	Cause      string `gorm:"primaryKey"`
	Task       string `gorm:"primaryKey"`
	CaseNumber string
	ToPerson   *string
	At         *time.Time
}

func (handedRow) TableName() string { return "handed_tasks" }

// NoteHanding writes down which tasks are about to change hands, so that they
// are counted whatever happens to the process in between.
func (s *Store) NoteHanding(ctx context.Context, cause string, held []casework.HeldCase) error {
	var rows []handedRow
	for _, k := range held {
		for _, task := range k.Tasks {
			rows = append(rows, handedRow{Cause: cause, Task: task, CaseNumber: k.Case})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	err := s.db.WithContext(ctx).Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(&rows, 500).Error
	return failed("note what changes hands", err)
}

// SettleHanding notes where the tasks have gone that changed hands, and forgets
// those of the cases that answered and left them where they were.
func (s *Store) SettleHanding(ctx context.Context, cause, person string, answered []string, at time.Time) error {
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		err := tx.Exec(`
			UPDATE handed_tasks SET to_person = tasks.assignee, at = ? FROM tasks
			WHERE handed_tasks.cause = ? AND handed_tasks.to_person IS NULL AND tasks.id = handed_tasks.task AND tasks.assignee <> ?`,
			at, cause, person).Error
		if err != nil || len(answered) == 0 {
			return err
		}
		return tx.Exec("DELETE FROM handed_tasks WHERE cause = ? AND to_person IS NULL AND case_number IN ?", cause, answered).Error
	})
	return failed("note what changed hands", err)
}

// TellHanding has told of what changed hands for a cause and nobody was told of;
// write words the messages. They are recorded with the note that it is told, so
// that each task is told once, whatever happens to the process. What was done or
// passed on meanwhile is left out.
func (s *Store) TellHanding(ctx context.Context, cause string, write func([]casework.HandedTask) []casework.Message) error {
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var rows []struct {
			Task, CaseNumber string
			Kind             casework.TaskKind
			Role             casework.Role
			Department       casework.Department
			District         casework.District
			ToPerson         string
			DueAt            *time.Time
			Provisional      bool
			Still            bool
		}
		err := tx.Raw(`
			SELECT h.task, h.case_number, t.kind, t.role, t.department, c.district, h.to_person, t.due_at, t.provisional,
			       t.state = 'open' AND t.assignee = h.to_person AS still
			FROM handed_tasks h JOIN tasks t ON t.id = h.task JOIN cases c ON c.number = h.case_number
			WHERE h.cause = ? AND h.to_person IS NOT NULL AND NOT h.told
			ORDER BY h.task FOR UPDATE OF h`, cause).Scan(&rows).Error
		if err != nil || len(rows) == 0 {
			return err
		}
		var tasks []casework.HandedTask
		told := make([]string, len(rows))
		for i, r := range rows {
			told[i] = r.Task
			if r.Still {
				tasks = append(tasks, casework.HandedTask{
					ID: r.Task, Case: r.CaseNumber, Kind: r.Kind, Role: r.Role, Department: r.Department, District: r.District, To: r.ToPerson, DueAt: moment(r.DueAt),
					Provisional: r.Provisional,
				})
			}
		}
		var messages []messageRow
		for _, m := range write(tasks) {
			messages = append(messages, messageRowOf(m))
		}
		if len(messages) > 0 {
			all := since(0, messages) // of no case's decision
			if err := tx.Create(&all).Error; err != nil {
				return err
			}
		}
		return tx.Exec("UPDATE handed_tasks SET told = true WHERE cause = ? AND task IN ?", cause, told).Error
	})
	return failed("tell of what changed hands", err)
}

// handed counts, for each cause, what changed hands.
func (s *Store) handed(ctx context.Context, causes []string) (map[string]casework.Handed, error) {
	if len(causes) == 0 {
		return nil, nil
	}
	var rows []struct {
		Cause                         string
		Cases, ToPerson, ToDepartment int
	}
	err := s.db.WithContext(ctx).Raw(`
		SELECT cause, count(DISTINCT case_number) AS cases, count(*) FILTER (WHERE to_person <> '') AS to_person,
		       count(*) FILTER (WHERE to_person = '') AS to_department
		FROM handed_tasks WHERE cause IN ? AND to_person IS NOT NULL GROUP BY cause`, causes).Scan(&rows).Error
	if err != nil {
		return nil, failed("count what changed hands", err)
	}
	handed := make(map[string]casework.Handed, len(rows))
	for _, r := range rows {
		handed[r.Cause] = casework.Handed{Cases: r.Cases, ToPerson: r.ToPerson, ToDepartment: r.ToDepartment}
	}
	return handed, nil
}
