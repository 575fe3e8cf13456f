package e2e_test

import (
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
)

// Tasks go to the deputy when the absence begins, and back to the department
// when the deputy leaves for somebody who does not suit.
func TestWorkIsHandedOver(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	office := as(casework.TaskforceOffice)
	for id, district := range map[string]casework.District{"away-01": "340223", "away-02": "340223", "away-03": "340202"} {
		require.NoError(t, place.Store.PutStaff(ctx, casework.Staff{ID: id, Name: id, Department: "taskforce", Active: true,
			Roles: []casework.Role{casework.Taskforce}, Districts: []casework.District{district}}, ""))
	}
	held := func(who string) int {
		tasks, err := demo.All[casework.Task](ctx, office, "/v1/tasks?assignee="+who)
		require.NoError(t, err)
		return len(tasks)
	}
	for _, external := range []string{"absence-1", "absence-2", "absence-3"} {
		o := openCase(t, external)
		require.NoError(t, office.Post(ctx, "/v1/tasks/"+o.Number+"-T1/assign", "give-"+external, map[string]any{"to": "away-01"}, nil))
	}
	var a casework.Absence
	require.NoError(t, office.Post(ctx, "/v1/absences", "absence-away-01", map[string]any{"person": "away-01", "deputy": "away-02",
		"from": time.Now().Add(2 * time.Second), "to": time.Now().Add(time.Hour), "reason": "培训"}, &a))
	require.Equal(t, 3, held("away-01"), "not before it begins")
	require.Eventually(t, func() bool {
		require.NoError(t, office.Get(ctx, "/v1/absences/"+a.ID, &a))
		return a.Handed == casework.Handed{Cases: 3, ToPerson: 3}
	}, 30*time.Second, 100*time.Millisecond)
	require.Equal(t, []int{0, 3}, []int{held("away-01"), held("away-02")})

	o := openCase(t, "absence-4")
	refused(t, office.Post(ctx, "/v1/tasks/"+o.Number+"-T1/assign", "give-absence-4", map[string]any{"to": "away-01"}, nil), http.StatusConflict, "person_absent")
	require.NoError(t, office.Post(ctx, "/v1/absences/"+a.ID+"/end", "end-away-01", map[string]any{}, nil))
	require.NoError(t, office.Post(ctx, "/v1/tasks/"+o.Number+"-T1/assign", "give-absence-4-again", map[string]any{"to": "away-01"}, nil))

	var h casework.StaffHandOver
	require.NoError(t, office.Post(ctx, "/v1/staff/away-02/hand-over", "leave-away-02", map[string]any{"to": "away-03", "reason": "调离", "leaving": true}, &h))
	require.Eventually(t, func() bool {
		require.NoError(t, office.Get(ctx, "/v1/hand-overs/"+h.ID, &h))
		return !h.DoneAt.IsZero()
	}, 30*time.Second, 100*time.Millisecond)
	require.Equal(t, casework.Handed{Cases: 3, ToDepartment: 3}, h.Handed)
	require.Zero(t, held("away-02"))
	staff, err := place.Store.Staff(ctx, "away-02")
	require.NoError(t, err)
	require.False(t, staff.Active)
}

// Where one person surveys and accepts, somebody else looks at the work too.
func TestWhoSurveyedDoesNotAcceptAlone(t *testing.T) {
	t.Parallel()
	require.NoError(t, place.Store.PutStaff(t.Context(), casework.Staff{ID: "station-01", Name: "峨桥站", Department: "taskforce", Active: true,
		Roles: []casework.Role{casework.Taskforce, casework.ServiceHall}, Districts: []casework.District{casework.AllDistricts}}, ""))
	token, err := place.issue("station-01")
	require.NoError(t, err)
	tokens := maps.Clone(place.tokens)
	tokens[casework.Taskforce], tokens[casework.ServiceHall] = token, token
	o := openCase(t, "alone-1")
	p := &demo.Play{Base: "http://" + place.Address, Tokens: tokens, Hurry: true, Say: t.Logf}
	require.NoError(t, p.Leave(t.Context(), o.Number, o.Code, casework.AcceptMeter))

	tasks, err := demo.All[casework.Task](t.Context(), as(casework.TaskforceOffice), "/v1/tasks?kind=accept_meter&case="+o.Number)
	require.NoError(t, err)
	require.Len(t, tasks, 1)
	var shown struct {
		Checklist []string `json:"checklist"`
	}
	who := demo.Client{Base: "http://" + place.Address, Token: token, HTTP: http.DefaultClient}
	require.NoError(t, who.Get(t.Context(), "/v1/tasks/"+tasks[0].ID, &shown))
	accept := func(witness string) error {
		return who.Post(t.Context(), "/v1/tasks/"+tasks[0].ID+"/complete", "accept-with-"+witness, map[string]any{
			"input": casework.MeterAcceptanceInput{Passed: true, Witness: witness}, "checked": shown.Checklist}, nil)
	}
	refused(t, accept(""), http.StatusForbidden, "surveyor_accepts")
	refused(t, accept("station-01"), http.StatusForbidden, "surveyor_accepts")
	refused(t, accept("nobody-99"), http.StatusUnprocessableEntity, "invalid_input")
	require.NoError(t, accept("eng-01"))
	require.NoError(t, p.Straight(t.Context(), o.Number, o.Code))
}
