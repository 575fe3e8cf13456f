package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/store"
	"github.com/curbstop/curbstop/testkit"
)

// city saves six cases that differ in everything that lists filter by. It is
// Wednesday the 4th, noon:
//
//	A  water, online, taskforce and network at work, both tasks run
//	B  gas of a natural person, found by outreach, lane 201, paused
//	C  water, closed
//	D  the network upgrade that A needs
//	E  water, late, escalated to level 2, its contact held by tf-01
//	F  water, withdrawn
func city(t *testing.T, s *store.Store) map[string]*story {
	t.Helper()
	r := request()
	a := contactAndAssessment("W20260303-00001", r, at(3, 16, 0))

	r.Utility, r.Channel, r.ExternalNumber, r.Lane = casework.Gas, casework.Outreach, "OR-2", casework.Lane201
	r.Applicant, r.Contact = casework.Applicant{Name: "尉迟恭", Person: true}, casework.Contact{Name: "尉迟恭", Phone: "13955302222"}
	r.Site = casework.Site{District: "340207", Address: "鸠江区Canal路2号"}
	b := contactAndAssessment("G20260302-00002", r, at(2, 10, 0))
	b.save(t, s)
	b.act(t, casework.PauseCase{By: casework.By{Actor: clerk}, Reason: casework.CustomerNotReady, Evidence: "d1", PlannedEnd: at(9, 9, 0)}, at(2, 11, 0))

	r = request()
	r.ExternalNumber, r.Site = "WST-3", casework.Site{District: "340207", Address: "鸠江区长江路3号"}
	c := begin("W20260302-00003", r, at(2, 11, 0))
	c.End(casework.Closed, at(3, 9, 0))

	d := &story{Case: casework.NewUpgrade("W20260303-00001-U1", a.Case, at(4, 9, 0))}
	d.Need(casework.DesignUpgrade, "", 1, at(4, 9, 0), at(4, 9, 0))

	r = request()
	r.ExternalNumber, r.Contact.Phone = "WST-5", "13955305555"
	e := contactAndAssessment("W20260302-00005", r, at(2, 9, 0))
	e.save(t, s)
	e.act(t, casework.ClaimTask{By: casework.By{Actor: clerk}, Task: e.Number + "-T1"}, at(2, 9, 30))
	e.save(t, s)
	e.Fire(at(4, 11, 30)) // reminder, breach and lead of the contact

	r.ExternalNumber = "WST-6"
	f := contactAndAssessment("W20260304-00006", r, at(4, 10, 0))
	f.save(t, s)
	f.act(t, casework.Withdraw{By: casework.By{Actor: office}, Reason: "客户不再需要"}, at(4, 10, 30))
	f.save(t, s)
	f.End(casework.Withdrawn, at(4, 10, 45))

	stories := map[string]*story{"A": a, "B": b, "C": c, "D": d, "E": e, "F": f}
	for _, y := range stories {
		y.save(t, s)
	}
	return stories
}

func TestCaseFilters(t *testing.T) {
	t.Parallel()
	s := open(t)
	stories := city(t, s)
	letters := map[string]string{}
	for letter, y := range stories {
		letters[y.Number] = letter
	}
	for name, test := range map[string]struct {
		filter casework.CaseFilter
		want   string // newest first
	}{
		"all":              {casework.CaseFilter{}, "FDACBE"},
		"kind":             {casework.CaseFilter{Kind: casework.UpgradeCase}, "D"},
		"status":           {casework.CaseFilter{Status: casework.Paused}, "B"},
		"ended":            {casework.CaseFilter{Status: casework.Withdrawn}, "F"},
		"stage":            {casework.CaseFilter{Stage: casework.Upgrade}, "D"},
		"running":          {casework.CaseFilter{Running: true}, "DABE"},
		"policy":           {casework.CaseFilter{Policy: "2026-01", Stage: casework.Upgrade}, "D"},
		"other policy":     {casework.CaseFilter{Policy: "2026-02"}, ""},
		"lane":             {casework.CaseFilter{Lane: casework.Lane201}, "B"},
		"channel":          {casework.CaseFilter{Channel: casework.Outreach}, "B"},
		"one district":     {casework.CaseFilter{Districts: []casework.District{"340207"}}, "CB"},
		"two districts":    {casework.CaseFilter{Districts: []casework.District{"340207", "340202"}}, "FDACBE"},
		"no such district": {casework.CaseFilter{Districts: []casework.District{"340281"}}, ""},
		"department":       {casework.CaseFilter{Department: "network"}, "D"},
		"assignee":         {casework.CaseFilter{Assignee: "tf-01"}, "E"},
		"overdue":          {casework.CaseFilter{Overdue: true}, "E"},
		"level":            {casework.CaseFilter{Level: 2}, "E"},
		"level too high":   {casework.CaseFilter{Level: 3}, ""},
		"received from":    {casework.CaseFilter{From: at(3, 16, 0)}, "FDA"},
		"received to":      {casework.CaseFilter{To: at(3, 16, 0)}, "CBE"},
		"received within":  {casework.CaseFilter{From: at(2, 10, 0), To: at(2, 11, 0)}, "B"},
		"number":           {casework.CaseFilter{Text: "g20260302"}, "B"},
		"applicant":        {casework.CaseFilter{Text: "鸠兹食品"}, "FDACE"},
		"address":          {casework.CaseFilter{Text: "canal"}, "B"},
		"literally":        {casework.CaseFilter{Text: "100%号"}, "FDAE"},
		"no pattern":       {casework.CaseFilter{Text: "镜湖区%号"}, ""},
		"phone":            {casework.CaseFilter{Text: "+86 139-5530-2222"}, "B"},
		"part of a phone":  {casework.CaseFilter{Text: "5530222"}, ""},
		"a person's name":  {casework.CaseFilter{Text: "尉迟恭"}, ""},
		"all at once": {casework.CaseFilter{
			Kind: casework.ConnectionCase, Status: casework.Open, Stage: casework.PreService, Lane: casework.Lane101,
			Channel: casework.WanShiTong, Districts: []casework.District{"340202"}, Department: "taskforce", Assignee: "tf-01",
			Overdue: true, Level: 1, Text: "13955305555", From: at(2, 9, 0), To: at(2, 9, 1),
		}, "E"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines, next, err := s.Cases(t.Context(), test.filter)
			require.NoError(t, err)
			require.Empty(t, next)
			got := ""
			for _, line := range lines {
				got += letters[line.Number]
			}
			require.Equal(t, test.want, got)
		})
	}
}

func TestTaskFilters(t *testing.T) {
	t.Parallel()
	s := open(t)
	stories := city(t, s)
	names := map[string]string{}
	for letter, y := range stories {
		for n := 1; n <= y.LastTask; n++ {
			names[casework.TaskID(y.Number, n)] = fmt.Sprintf("%s%d", letter, n)
		}
	}
	for name, test := range map[string]struct {
		filter casework.TaskFilter
		want   []string // due first
	}{
		"all":           {casework.TaskFilter{}, []string{"E1", "E2", "A1", "A2", "F1", "F2", "B1", "B2", "D1"}},
		"assignee":      {casework.TaskFilter{Assignee: "tf-01"}, []string{"E1"}},
		"unassigned":    {casework.TaskFilter{Unassigned: true, State: casework.TaskOpen}, []string{"E2", "A1", "A2", "B1", "B2", "D1"}},
		"department":    {casework.TaskFilter{Department: "network"}, []string{"E2", "A2", "F2", "B2", "D1"}},
		"roles":         {casework.TaskFilter{Roles: []casework.Role{casework.Taskforce, casework.Hotline}}, []string{"E1", "A1", "F1", "B1"}},
		"districts":     {casework.TaskFilter{Districts: []casework.District{"340207"}}, []string{"B1", "B2"}},
		"kind":          {casework.TaskFilter{Kind: casework.DesignUpgrade}, []string{"D1"}},
		"stage":         {casework.TaskFilter{Stage: casework.Upgrade}, []string{"D1"}},
		"open":          {casework.TaskFilter{State: casework.TaskOpen}, []string{"E1", "E2", "A1", "A2", "B1", "B2", "D1"}},
		"cancelled":     {casework.TaskFilter{State: casework.TaskCancelled}, []string{"F1", "F2"}},
		"case":          {casework.TaskFilter{Case: stories["B"].Number}, []string{"B1", "B2"}},
		"overdue":       {casework.TaskFilter{Overdue: true}, []string{"E1"}},
		"due before":    {casework.TaskFilter{DueBefore: at(4, 17, 31)}, []string{"E1", "E2", "A1"}},
		"none are done": {casework.TaskFilter{State: casework.TaskDone}, nil},
		"all at once": {casework.TaskFilter{
			Assignee: "tf-01", Department: "taskforce", Roles: []casework.Role{casework.Taskforce},
			Districts: []casework.District{"340202"}, Kind: casework.ContactCustomer, Stage: casework.PreService,
			State: casework.TaskOpen, Case: stories["E"].Number, Overdue: true, DueBefore: at(4, 12, 0),
		}, []string{"E1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines, next, err := s.Tasks(t.Context(), test.filter)
			require.NoError(t, err)
			require.Empty(t, next)
			var got []string
			for _, line := range lines {
				got = append(got, names[line.ID])
			}
			require.Equal(t, test.want, got)
		})
	}
}

func TestEscalationFilters(t *testing.T) {
	t.Parallel()
	s := open(t)
	e := city(t, s)["E"]
	e.act(t, casework.AcknowledgeEscalation{By: casework.By{Actor: office}, Escalation: e.Number + "-T1/breach"}, at(4, 11, 45))
	e.save(t, s)
	b := contactAndAssessment("W20260227-00009", request(), at(1, 9, 0))
	b.save(t, s)
	b.Fire(at(2, 16, 0))
	b.save(t, s)
	all := []string{"W20260302-00005-T1/taskforce_lead", "W20260302-00005-T1/reminder", "W20260302-00005-T1/breach", "W20260227-00009-T1/reminder"}
	for name, test := range map[string]struct {
		filter casework.EscalationFilter
		want   []string // newest first
	}{
		"all":          {casework.EscalationFilter{}, all},
		"case":         {casework.EscalationFilter{Case: b.Number}, all[3:]},
		"to":           {casework.EscalationFilter{To: casework.TaskforceLead}, all[:1]},
		"department":   {casework.EscalationFilter{Department: "network"}, nil},
		"districts":    {casework.EscalationFilter{Districts: []casework.District{"340202", "340207"}}, all},
		"elsewhere":    {casework.EscalationFilter{Districts: []casework.District{"340207"}}, nil},
		"level":        {casework.EscalationFilter{Level: 1}, []string{all[0], all[2]}},
		"open":         {casework.EscalationFilter{Open: true}, []string{all[0], all[1], all[3]}},
		"waiting":      {casework.EscalationFilter{State: casework.EscalationWaiting}, []string{all[0], all[1], all[3]}},
		"acknowledged": {casework.EscalationFilter{State: casework.EscalationAcknowledged}, nil},
		"answered":     {casework.EscalationFilter{State: casework.EscalationReplied}, nil},
		"closed":       {casework.EscalationFilter{State: casework.EscalationOver}, all[2:3]},
		"mine":         {casework.EscalationFilter{Mine: office}, all[2:3]},
		"my role's":    {casework.EscalationFilter{Mine: clerk}, []string{all[1], all[3]}},
		"no role's":    {casework.EscalationFilter{Mine: casework.Actor{ID: "x"}}, nil},
		"all at once":  {casework.EscalationFilter{Case: e.Number, To: casework.TaskforceLead, Department: "taskforce", Districts: []casework.District{"340202"}, Level: 2, Open: true}, all[:1]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rungs, next, err := s.Escalations(t.Context(), test.filter)
			require.NoError(t, err)
			require.Empty(t, next)
			var got []string
			for _, rung := range rungs {
				got = append(got, rung.ID)
			}
			require.Equal(t, test.want, got)
		})
	}
}

// The database judges how far an escalation has come as [casework.Escalation]
// does, whatever it went through.
func TestStatesOfEscalationsAreThoseOfCasework(t *testing.T) {
	t.Parallel()
	s := open(t)
	y := answered("W20260302-00001", at(2, 9, 0), time.Hour)
	y.save(t, s)
	id := y.Number + "-T1/breach"
	by := func(a casework.Actor) casework.By { return casework.By{Actor: a} }
	lead := casework.Actor{ID: "tl-01", Roles: []casework.Role{casework.TaskforceLead}, Districts: []casework.District{casework.AllDistricts}}
	seen := map[casework.EscalationState]int{}
	check := func() {
		t.Helper()
		y.save(t, s)
		all, _, err := s.Escalations(t.Context(), casework.EscalationFilter{})
		require.NoError(t, err)
		for _, state := range casework.EscalationStates() {
			var want []string
			for _, e := range all {
				if e.State() == state {
					want = append(want, e.ID)
					seen[state]++
				}
			}
			found, _, err := s.Escalations(t.Context(), casework.EscalationFilter{State: state})
			require.NoError(t, err)
			var got []string
			for _, e := range found {
				got = append(got, e.ID)
			}
			require.Equal(t, want, got, state)
		}
	}
	y.Fire(at(3, 17, 30)) // reminder and breach
	check()
	y.act(t, casework.AcknowledgeEscalation{By: by(office), Escalation: id}, at(4, 8, 40))
	check()
	y.Fire(at(4, 9, 30)) // it climbs
	check()
	require.Equal(t, casework.TaskforceLead, y.Escalations[len(y.Escalations)-1].To)
	y.act(t, casework.AcknowledgeEscalation{By: by(lead), Escalation: id}, at(4, 9, 40))
	check()
	y.act(t, casework.AnswerEscalation{By: by(lead), Escalation: id, Answer: casework.AnswerNote, Note: "x"}, at(4, 9, 50))
	check()
	y.act(t, casework.CloseEscalation{By: by(lead), Escalation: id}, at(4, 10, 0))
	check()
	require.Len(t, seen, 4)
}

// walk reads a list page by page to its end and lets something happen between
// pages. It gives the keys in the order in which they were read.
func walk[T any](t *testing.T, list func(casework.Page) ([]T, string, error), keyOf func(T) string, between func(page int)) []string {
	t.Helper()
	var keys []string
	p := casework.Page{Limit: 3}
	for page := 0; ; page++ {
		require.Less(t, page, 100, "the walk does not end")
		rows, next, err := list(p)
		require.NoError(t, err)
		require.LessOrEqual(t, len(rows), 3)
		for _, r := range rows {
			keys = append(keys, keyOf(r))
		}
		if next == "" {
			return keys
		}
		p.Cursor = next
		between(page)
	}
}

// walksOnce walks a list while rows are added: what is there at first is read
// once and in order, what is added at most once.
func walksOnce[T any](t *testing.T, list func(casework.Page) ([]T, string, error), keyOf func(T) string, between func(page int)) {
	t.Helper()
	rows, next, err := list(casework.Page{Limit: 200})
	require.NoError(t, err)
	require.Empty(t, next)
	var there []string
	for _, r := range rows {
		there = append(there, keyOf(r))
	}
	require.Greater(t, len(there), 3)
	keys := walk(t, list, keyOf, between)
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(keys))), len(keys), "read twice: %v", keys)
	require.Equal(t, there, slices.DeleteFunc(keys, func(k string) bool { return !slices.Contains(there, k) }))
}

// The moments of many rows are equal, as when a park sends a list: the cursor
// must tell them apart by their keys.
func TestCursorsWalkEachRowOnceWhileOthersAreAdded(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx := t.Context()
	const n = 11
	added := 0
	add := func(received time.Time) {
		added++
		r := request()
		r.ExternalNumber = fmt.Sprint(added)
		y := contactAndAssessment(fmt.Sprintf("W20260302-%05d", added), r, received)
		if added%2 == 0 {
			delete(y.Terms.Limits, "assess_network")
			y.Deadlines = y.Deadlines[:1] // half of the assessments have no due moment
		}
		y.save(t, s)
		y.Fire(received.AddDate(0, 0, 7))
		y.save(t, s)
		require.NoError(t, s.KeepRows(ctx, []casework.KeptRow{{List: "park.csv", Line: added, Cells: []casework.Cell{{Header: "a", Text: "b"}}}}))
		require.NoError(t, s.PutStaff(ctx, casework.Staff{ID: fmt.Sprintf("tf-%02d", added)}, ""))
	}
	for range n {
		add(at(2, 9, 0))
	}
	between := func(page int) { add(at(2, 9, page%3-1)) } // before, among and behind what was read

	cases := func(p casework.Page) ([]casework.CaseLine, string, error) {
		return s.Cases(ctx, casework.CaseFilter{Page: p})
	}
	caseKey := func(l casework.CaseLine) string { return l.Number }
	tasks := func(p casework.Page) ([]casework.TaskLine, string, error) {
		return s.Tasks(ctx, casework.TaskFilter{Page: p})
	}
	taskKey := func(l casework.TaskLine) string { return l.ID }
	rungs := func(p casework.Page) ([]casework.Escalation, string, error) {
		return s.Escalations(ctx, casework.EscalationFilter{Page: p})
	}
	rungKey := func(e casework.Escalation) string { return e.ID }
	kept := func(p casework.Page) ([]casework.KeptRow, string, error) { return s.KeptRows(ctx, "park.csv", p) }
	keptKey := func(r casework.KeptRow) string { return fmt.Sprint(r.Line) }
	staff := func(p casework.Page) ([]casework.Staff, string, error) { return s.StaffList(ctx, p) }
	staffKey := func(m casework.Staff) string { return m.ID }
	events := func(p casework.Page) ([]casework.Event, string, error) { return s.Timeline(ctx, "W20260302-00001", p) }
	eventKey := func(e casework.Event) string { return fmt.Sprint(e.N) }

	walksOnce(t, cases, caseKey, between)
	walksOnce(t, tasks, taskKey, between)
	walksOnce(t, rungs, rungKey, between)
	walksOnce(t, kept, keptKey, between)
	walksOnce(t, staff, staffKey, between)
	walksOnce(t, events, eventKey, between)
}

func TestLimitsOfAPage(t *testing.T) {
	t.Parallel()
	s := open(t)
	var rows []casework.KeptRow
	for line := range 203 {
		rows = append(rows, casework.KeptRow{List: "park.csv", Line: line + 1})
	}
	require.NoError(t, s.KeepRows(t.Context(), rows))
	for limit, want := range map[int]int{0: 50, -1: 50, 1: 1, 200: 200, 1000: 200} {
		got, next, err := s.KeptRows(t.Context(), "", casework.Page{Limit: limit})
		require.NoError(t, err)
		require.Len(t, got, want)
		require.NotEmpty(t, next)
	}
}

func TestBadCursorsAreRefused(t *testing.T) {
	t.Parallel()
	s := open(t)
	city(t, s)
	_, ofTasks, err := s.Tasks(t.Context(), casework.TaskFilter{Page: casework.Page{Limit: 1}})
	require.NoError(t, err)
	for _, cursor := range []string{"?", "bm90IEpTT04", ofTasks, "eyJudW1iZXIiOjF9"} {
		_, _, err := s.Cases(t.Context(), casework.CaseFilter{Page: casework.Page{Cursor: cursor}})
		refused(t, err, casework.Invalid, "bad_cursor")
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	t.Parallel()
	s := openAt(t, testkit.Database(t), key)
	ctx := t.Context()
	_, err := s.Case(ctx, "W1")
	refused(t, err, casework.NotFound, "case_not_found")
	_, err = s.Receipt(ctx, "W1")
	refused(t, err, casework.NotFound, "case_not_found")
	refused(t, s.MarkStarted(ctx, "W1"), casework.NotFound, "case_not_found")
	_, err = s.Task(ctx, "W1-T1")
	refused(t, err, casework.NotFound, "task_not_found")
	_, err = s.Escalation(ctx, "W1-lane/breach")
	refused(t, err, casework.NotFound, "escalation_not_found")
	_, err = s.Staff(ctx, "tf-99")
	refused(t, err, casework.NotFound, "staff_not_found")
	_, err = s.PasswordHash(ctx, "tf-99")
	refused(t, err, casework.NotFound, "staff_not_found")
	events, next, err := s.Timeline(ctx, "W1", casework.Page{})
	require.NoError(t, err)
	require.Empty(t, next)
	require.Empty(t, events)
}

func TestSummaryCountsInTheOrderOfTheProcess(t *testing.T) {
	t.Parallel()
	s := open(t)
	city(t, s)
	got, err := s.Summary(t.Context())
	require.NoError(t, err)
	equal(t, store.Summary{
		CasesByStatus: []store.Count{{Key: "open", N: 3}, {Key: "paused", N: 1}, {Key: "withdrawn", N: 1}, {Key: "closed", N: 1}},
		OpenByStage:   []store.Count{{Key: "pre_service", N: 3}, {Key: "network_upgrade", N: 1}},
		TasksByState:  []store.Count{{Key: "open", N: 7}, {Key: "cancelled", N: 2}},
		Escalations:   []store.Count{{Key: "reminder", N: 1}, {Key: "breach", N: 1}, {Key: "taskforce_lead", N: 1}},
	}, got)
}
