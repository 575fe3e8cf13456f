package api

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// leave is what the memory knows of absences and hand-overs.
type leave struct {
	absences  []casework.Absence
	handOvers map[string]casework.StaffHandOver
	told      []string // what the desk was asked for
	stuck     bool     // nothing is moved
}

func (m *memory) AddAbsence(_ context.Context, a casework.Absence) (casework.Absence, bool, error) {
	for _, there := range m.leave.absences {
		if there.ID == a.ID {
			return there, false, nil
		}
		if (there.Person == a.Person || there.Person == a.Deputy) && there.From.Before(a.To) && a.From.Before(there.Until()) {
			return a, false, a.Overlapping(there)
		}
	}
	m.leave.absences = append(m.leave.absences, a)
	return a, true, nil
}

func (m *memory) Absence(_ context.Context, id string) (casework.Absence, error) {
	for _, a := range m.leave.absences {
		if a.ID == id {
			return a, nil
		}
	}
	return casework.Absence{}, missing("absence")
}

func (m *memory) Absences(_ context.Context, f casework.AbsenceFilter) ([]casework.Absence, string, error) {
	m.filter = f
	return slices.Clone(m.leave.absences), "", nil
}

func (m *memory) AbsencesOf(_ context.Context, persons []string, from, to time.Time) ([]casework.Absence, error) {
	var found []casework.Absence
	for _, a := range m.leave.absences {
		if slices.Contains(persons, a.Person) && a.From.Before(to) && a.Until().After(from) && a.State(from) != casework.AbsenceCancelled {
			found = append(found, a)
		}
	}
	return found, nil
}

func (m *memory) EndAbsence(_ context.Context, id, by string, at time.Time) (casework.Absence, error) {
	for i := range m.leave.absences {
		if a := &m.leave.absences[i]; a.ID == id {
			a.EndedAt, a.EndedBy = at, by
			return *a, nil
		}
	}
	return casework.Absence{}, missing("absence")
}

func (m *memory) BeginHandOver(_ context.Context, h casework.StaffHandOver) (casework.StaffHandOver, bool, error) {
	if there, ok := m.leave.handOvers[h.ID]; ok {
		return there, false, nil
	}
	if h.Leaving {
		s := m.staff[h.Person]
		s.Active = false
		m.staff[h.Person] = s
	}
	if m.leave.handOvers == nil {
		m.leave.handOvers = map[string]casework.StaffHandOver{}
	}
	m.leave.handOvers[h.ID] = h
	return h, true, nil
}

func (m *memory) StaffHandOver(_ context.Context, id string) (casework.StaffHandOver, error) {
	if h, ok := m.leave.handOvers[id]; ok {
		return h, nil
	}
	return casework.StaffHandOver{}, missing("hand_over")
}

func (m *memory) OpenTasksOf(_ context.Context, person string) (int, error) {
	n := 0
	for _, l := range m.lines {
		if l.Assignee == person && l.State == casework.TaskOpen {
			n++
		}
	}
	return n, nil
}

func (m *memory) StartAbsence(_ context.Context, a casework.Absence) error {
	m.leave.told = append(m.leave.told, "start "+a.ID)
	return m.down
}

func (m *memory) LookAgain(_ context.Context, a casework.Absence) error {
	m.leave.told = append(m.leave.told, "look "+a.ID)
	return m.down
}

func (m *memory) StartHandOver(ctx context.Context, h casework.StaffHandOver, _ time.Duration) error {
	if m.leave.stuck {
		return nil
	}
	if m.down != nil {
		return m.down
	}
	for number := range m.cases {
		act := casework.HandOver{By: casework.By{Actor: casework.System()}, Person: h.Person, Reason: h.Reason}
		if s, ok := m.staff[h.To]; ok {
			to := s.Actor()
			act.To = &to
		}
		if _, err := m.Do(ctx, number, act, h.ID+number); err != nil {
			return err
		}
	}
	h.DoneAt, h.Handed = noon, casework.Handed{Cases: len(m.cases), ToPerson: 1}
	m.leave.handOvers[h.ID] = h
	return nil
}

// holding gives a world in which the taskforce holds a task that is due at 11.
func holding(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.hire("tf-02", casework.Taskforce, casework.AllDistricts)
	w.open(t, "W1")
	w.act(t, asked{as: "taskforce", method: "POST", path: "/v1/tasks/W1-T1/claim"})
	line := w.lines["W1-T1"]
	line.DueAt = noon.Add(time.Hour)
	w.lines["W1-T1"] = line
	return w
}

func away(from, to time.Time) map[string]any {
	return map[string]any{"from": from, "to": to, "reason": "病假"}
}

func TestPeopleEnterTheirOwnAbsence(t *testing.T) {
	t.Parallel()
	w := holding(t)
	body := away(noon, noon.Add(8*time.Hour))
	body["deputy"] = "tf-02"
	rec := w.act(t, asked{as: "taskforce", path: "/v1/absences", body: body, headers: map[string]string{"Idempotency-Key": "absence-1"}})
	got := read[absenceView](t, rec, 201)
	want := absenceView{State: casework.AbsenceCurrent, Absence: casework.Absence{
		ID: got.ID, Person: "taskforce", Deputy: "tf-02", From: noon, To: noon.Add(8 * time.Hour), Reason: "病假", By: "taskforce", At: noon}}
	for _, moment := range []*time.Time{&got.From, &got.To, &got.At} {
		*moment = moment.In(calendar.Shanghai)
	}
	require.Equal(t, want, got)
	require.Equal(t, "https://water.example.cn/v1/absences/"+got.ID, rec.Header().Get("Location"))
	require.Equal(t, []string{"start " + got.ID}, w.leave.told)
	again := w.ask(t, asked{as: "taskforce", path: "/v1/absences", body: body, headers: map[string]string{"Idempotency-Key": "absence-1"}})
	require.Equal(t, got.ID, read[absenceView](t, again, 200).ID)

	refused(t, w.ask(t, asked{as: "taskforce", path: "/v1/absences", body: body}), 409, "absence_overlaps")
	body["person"], body["deputy"] = "tf-02", "taskforce"
	refused(t, w.ask(t, asked{as: "taskforce", path: "/v1/absences", body: body}), 403, "not_yours")
	refused(t, w.ask(t, asked{as: "taskforce_office", path: "/v1/absences", body: body}), 409, "deputy_absent")
	body["deputy"] = "tf-02"
	p := refused(t, w.ask(t, asked{as: "taskforce_office", path: "/v1/absences", body: body}), 422, "invalid_input")
	require.Equal(t, []string{"deputy"}, fields(p))
	body["deputy"] = "engineering"
	p = refused(t, w.ask(t, asked{as: "taskforce_office", path: "/v1/absences", body: body}), 422, "invalid_input")
	require.Contains(t, p.Errors[0].ZH, "没有相同角色")
	p = refused(t, w.ask(t, asked{as: "tf-02", path: "/v1/absences", body: map[string]any{"from": noon, "to": noon.AddDate(2, 0, 0)}}), 422, "invalid_input")
	require.Equal(t, []string{"reason", "to"}, fields(p))
	p = refused(t, w.ask(t, asked{as: "tf-02", path: "/v1/absences", body: away(noon, noon.Add(-time.Hour))}), 422, "invalid_input")
	require.Equal(t, []string{"to", "to"}, fields(p))
	body["person"], body["deputy"] = "nobody", ""
	p = refused(t, w.ask(t, asked{as: "taskforce_office", path: "/v1/absences", body: body}), 422, "invalid_input")
	require.Equal(t, []string{"person"}, fields(p))
}

func TestReasonOfAnAbsenceIsNotForEveryone(t *testing.T) {
	t.Parallel()
	w := holding(t)
	body := away(noon.Add(time.Hour), noon.Add(8*time.Hour))
	body["deputy"] = "tf-02"
	id := read[absenceView](t, w.act(t, asked{as: "taskforce", path: "/v1/absences", body: body}), 201).ID
	for as, reason := range map[string]string{"taskforce": "病假", "taskforce_office": "病假", "auditor": "病假", "tf-02": ""} {
		require.Equal(t, reason, read[absenceView](t, w.ask(t, asked{as: as, path: "/v1/absences/" + id}), 200).Reason, as)
		list := read[page[absenceView]](t, w.ask(t, asked{as: as, path: "/v1/absences?state=coming"}), 200)
		require.Equal(t, reason, list.Items[0].Reason, as)
	}
	refused(t, w.ask(t, asked{as: "hotline", path: "/v1/absences/" + id}), 404, "absence_not_found")
	w.ask(t, asked{as: "hotline", path: "/v1/absences"})
	require.Equal(t, casework.AbsenceFilter{Involving: "hotline", Page: casework.Page{Limit: 50}}, w.filter)

	refused(t, w.ask(t, asked{as: "tf-02", method: "POST", path: "/v1/absences/" + id + "/end"}), 403, "not_yours")
	ended := read[absenceView](t, w.act(t, asked{as: "taskforce_lead", method: "POST", path: "/v1/absences/" + id + "/end"}), 200)
	require.Equal(t, casework.AbsenceCancelled, ended.State)
	require.Equal(t, []string{"start " + id, "look " + id}, w.leave.told)
}

func TestStaffListTellsWhoIsThere(t *testing.T) {
	t.Parallel()
	w := holding(t)
	w.leave.absences = []casework.Absence{
		{ID: "a", Person: "tf-02", Deputy: "taskforce", From: noon.Add(-time.Hour), To: noon.Add(time.Hour)},
		{ID: "b", Person: "hotline", From: noon.Add(time.Hour), To: noon.Add(2 * time.Hour)},
	}
	away := map[string]string{}
	for _, s := range read[page[staffView]](t, w.ask(t, asked{as: "auditor", path: "/v1/staff"}), 200).Items {
		if !s.AbsentUntil.IsZero() {
			away[s.ID] = casework.Clock(s.AbsentUntil) + " " + s.Deputy
		}
	}
	require.Equal(t, map[string]string{"tf-02": "2026-12-01 11:00 taskforce"}, away)
}

// An absence that can't be started for now is on record all the same.
func TestAbsenceIsKeptWhileTemporalIsDown(t *testing.T) {
	t.Parallel()
	w := holding(t)
	w.down = errors.New("out of reach")
	rec := w.ask(t, asked{as: "taskforce", path: "/v1/absences", body: away(noon, noon.Add(time.Hour))})
	require.Equal(t, 201, rec.Code, rec.Body.String())
	require.Len(t, w.leave.absences, 1)
	require.Contains(t, w.log.String(), "out of reach")
}

// Nobody is given a task while they are away, or when they will be before it is
// due. Who takes one is there.
func TestAbsentPersonIsGivenNoTask(t *testing.T) {
	t.Parallel()
	w := holding(t)
	w.leave.absences = []casework.Absence{
		{ID: "a", Person: "tf-02", Deputy: "taskforce", From: noon.Add(30 * time.Minute), To: noon.Add(8 * time.Hour)},
	}
	to := map[string]any{"to": "tf-02", "reason": "忙"}
	p := refused(t, w.ask(t, asked{as: "taskforce_office", path: "/v1/tasks/W1-T1/assign", body: to}), 409, "person_absent")
	require.Equal(t, "tf-02 自 2026-12-01 10:30 至 2026-12-01 18:00 缺勤，请派给代理人 taskforce", p.ZH)
	refused(t, w.ask(t, asked{as: "taskforce", path: "/v1/tasks/W1-T1/delegate", body: to}), 409, "person_absent")
	rec := w.ask(t, asked{as: "taskforce_office", path: "/v1/tasks/bulk-assign", body: map[string]any{"tasks": []string{"W1-T1"}, "to": "tf-02"}})
	bulk := read[struct {
		Items []struct {
			Problem Problem `json:"problem"`
		} `json:"items"`
	}](t, rec, 207)
	require.Equal(t, "person_absent", bulk.Items[0].Problem.Code)
	require.Equal(t, "taskforce", w.lines["W1-T1"].Assignee)

	// Due before the absence begins, it may be given.
	line := w.lines["W1-T1"]
	line.DueAt = noon.Add(20 * time.Minute)
	w.lines["W1-T1"] = line
	w.act(t, asked{as: "taskforce_office", path: "/v1/tasks/W1-T1/assign", body: to})
	w.act(t, asked{as: "taskforce_office", path: "/v1/tasks/W1-T1/release", body: "{}"})
	w.leave.absences[0].From = noon.Add(-time.Hour)
	refused(t, w.ask(t, asked{as: "taskforce_office", path: "/v1/tasks/W1-T1/assign", body: to}), 409, "person_absent")
	w.act(t, asked{as: "tf-02", method: "POST", path: "/v1/tasks/W1-T1/claim"})
	require.Equal(t, "tf-02", w.lines["W1-T1"].Assignee)
	refused(t, w.ask(t, asked{as: "taskforce_office", path: "/v1/staff/taskforce/hand-over", body: map[string]any{"to": "tf-02", "reason": "x"}}), 409, "person_absent")
}

func TestWhoLeavesHandsEverythingOver(t *testing.T) {
	t.Parallel()
	w := holding(t)
	off := map[string]any{"name": "陈", "department": "taskforce", "roles": []string{"taskforce"}, "districts": []string{"*"}, "active": false}
	p := refused(t, w.ask(t, asked{as: "taskforce_office", method: "PUT", path: "/v1/staff/taskforce", body: off}), 409, "holds_tasks")
	require.Contains(t, p.ZH, "1 项在办任务")
	require.Contains(t, p.EN, "/v1/staff/taskforce/hand-over")

	leaving := map[string]any{"to": "tf-02", "reason": "调离", "leaving": true}
	refused(t, w.ask(t, asked{as: "taskforce_lead", path: "/v1/staff/taskforce/hand-over", body: leaving}), 403, "wrong_role")
	refused(t, w.ask(t, asked{as: "taskforce_office", path: "/v1/staff/taskforce_office/hand-over", body: leaving}), 403, "own_roles")
	p = refused(t, w.ask(t, asked{as: "taskforce_office", path: "/v1/staff/taskforce/hand-over", body: map[string]any{"to": "engineering"}}), 422, "invalid_input")
	require.Equal(t, []string{"reason", "to"}, fields(p))
	refused(t, w.ask(t, asked{as: "taskforce_office", path: "/v1/staff/nobody/hand-over", body: leaving}), 404, "staff_not_found")

	w.leave.stuck = true
	rec := w.ask(t, asked{as: "taskforce_office", path: "/v1/staff/taskforce/hand-over", body: leaving, headers: map[string]string{"Idempotency-Key": "leave-01"}})
	begun := read[handOverView](t, rec, 202)
	require.Equal(t, 1, begun.OpenTasks)
	refused(t, w.ask(t, asked{as: "taskforce", path: "/v1/me"}), 401, "not_logged_in")
	w.leave.stuck = false
	rec = w.ask(t, asked{as: "taskforce_office", path: "/v1/staff/taskforce/hand-over", body: leaving, headers: map[string]string{"Idempotency-Key": "leave-01"}})
	done := read[handOverView](t, rec, 200)
	require.Equal(t, casework.Handed{Cases: 1, ToPerson: 1}, done.Handed)
	require.Equal(t, begun.ID, done.ID)
	require.Zero(t, done.OpenTasks)
	require.Equal(t, "tf-02", w.lines["W1-T1"].Assignee)
	require.Equal(t, done, read[handOverView](t, w.ask(t, asked{as: "auditor", path: "/v1/hand-overs/" + done.ID}), 200))
	require.Equal(t, "work_handed_over taskforce", w.audited[0].What+" "+w.audited[0].Target)
	w.act(t, asked{as: "taskforce_office", method: "PUT", path: "/v1/staff/taskforce", body: off})
}

// Who conducted the survey may not alone accept the finished work, where the
// policy says so.
func TestSurveyorDoesNotAcceptAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.open(t, "W1")
	k.Terms.SeparateAcceptance, k.SurveyedBy = true, "service_hall"
	k.Need(casework.AcceptMeter, "", 1, noon, noon)
	w.keep(k)
	passed := map[string]any{"input": map[string]any{"passed": true}}
	p := refused(t, w.ask(t, asked{as: "service_hall", path: "/v1/tasks/W1-T3/complete", body: passed}), 403, "surveyor_accepts")
	require.Equal(t, "踏勘人不得单独验收，请填写共同验收人（witness）或由他人验收", p.ZH)
	nobody := map[string]any{"input": map[string]any{"passed": true, "witness": "hall-99"}}
	refused(t, w.ask(t, asked{as: "service_hall", path: "/v1/tasks/W1-T3/complete", body: nobody}), 422, "invalid_input")
	witness := map[string]any{"input": map[string]any{"passed": true, "witness": "engineering"}}
	w.act(t, asked{as: "service_hall", path: "/v1/tasks/W1-T3/complete", body: witness})
}
