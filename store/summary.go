package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/curbstop/curbstop/casework"
)

// Count is how many there are of a key.
type Count struct {
	Key string `json:"key"`
	N   int64  `json:"n"`
}

// Summary counts what there is, all at one moment. Each list is in the order
// of the process and leaves out what there is none of.
type Summary struct {
	CasesByStatus []Count `json:"cases_by_status"`
	OpenByStage   []Count `json:"open_by_stage"` // cases that have not ended
	TasksByState  []Count `json:"tasks_by_state"`
	Escalations   []Count `json:"escalations"` // by rung
}

// Summary counts cases, tasks and escalations. It reads them all, so it is for
// a report now and then, not for every page.
func (s *Store) Summary(ctx context.Context) (Summary, error) {
	var rows []struct {
		List string
		Key  string
		N    int64
	}
	// One statement sees one moment.
	err := s.db.WithContext(ctx).Raw(`
		SELECT 'status' AS list, status AS key, count(*) AS n FROM cases GROUP BY status
		UNION ALL
		SELECT 'stage', stage, count(*) FROM cases WHERE status NOT IN ('withdrawn', 'closed', 'passed_on') GROUP BY stage
		UNION ALL
		SELECT 'state', state, count(*) FROM tasks GROUP BY state
		UNION ALL
		SELECT 'rung', rung, count(*) FROM escalations GROUP BY rung`).Scan(&rows).Error
	if err != nil {
		return Summary{}, failed("summarise", err)
	}
	lists := map[string][]Count{}
	for _, r := range rows {
		lists[r.List] = append(lists[r.List], Count{r.Key, r.N})
	}
	return Summary{
		CasesByStatus: inOrder(lists["status"], casework.Statuses()),
		OpenByStage:   inOrder(lists["stage"], casework.AllStages()),
		TasksByState:  inOrder(lists["state"], []casework.TaskState{casework.TaskOpen, casework.TaskDone, casework.TaskCancelled}),
		Escalations: inOrder(lists["rung"], []casework.RungName{
			casework.RungReminder, casework.RungBreach, casework.RungLead, casework.RungManagement,
		}),
	}, nil
}

// inOrder sorts counts as the process lists their keys. A key that it does not
// list, such as a rung that a policy added, comes last.
func inOrder[K ~string](counts []Count, keys []K) []Count {
	rank := func(c Count) int {
		if i := slices.Index(keys, K(c.Key)); i >= 0 {
			return i
		}
		return len(keys)
	}
	slices.SortFunc(counts, func(a, b Count) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Key, b.Key)) })
	return counts
}
