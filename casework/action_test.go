package casework_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// received is a Monday at ten; now is an hour later.
var (
	received = time.Date(2026, 11, 23, 10, 0, 0, 0, calendar.Shanghai)
	now      = received.Add(time.Hour)
)

var (
	able       = casework.Actor{ID: "all-01", Name: "全能", Roles: casework.Roles()[:10], Districts: []casework.District{casework.AllDistricts}}
	byAble     = casework.By{Actor: able}
	byCustomer = casework.By{Actor: casework.AsCustomer()}
)

func terms() casework.Terms {
	return casework.Terms{
		PolicyVersion: "test", Lane: casework.Lane101, Hours: calendar.Hours{Spans: []calendar.Span{{From: 8*60 + 30, To: 12 * 60}, {From: 14 * 60, To: 17*60 + 30}}},
		Limits: map[casework.LimitName]calendar.Budget{
			"contact_customer": {Unit: calendar.WorkingDays, Days: 1}, "lane_101": {Unit: calendar.WorkingDays, Days: 1},
		},
		Ladder: []casework.Rung{
			{Name: casework.RungReminder, Before: calendar.Budget{Unit: calendar.WorkingTime, Time: 2 * time.Hour}},
			{Name: casework.RungBreach, To: casework.TaskforceOffice, Level: 1},
			{Name: casework.RungLead, To: casework.TaskforceLead, Level: 2, After: calendar.Budget{Unit: calendar.WorkingTime, Time: 4 * time.Hour}},
			{Name: casework.RungManagement, To: casework.Management, Level: 3, After: calendar.Budget{Unit: calendar.WorkingDays, Days: 1}},
		},
		PauseReasons: []casework.PauseReason{casework.ForceMajeure},
		Atlas:        []string{"WS-01", "WS-02"},
	}
}

// newCase is a case with one live task of a kind.
func newCase(t *testing.T, kind casework.TaskKind, qualifier string) (*casework.Case, casework.Task) {
	t.Helper()
	k := casework.NewCase("W1", soundRequest(), terms(), able, received)
	k.Need(kind, qualifier, 1, received, received)
	task, ok := k.Live(kind, qualifier)
	require.True(t, ok)
	return k, *task
}

// wrong gives the fields that a refusal names.
func wrong(t *testing.T, err error) []string {
	t.Helper()
	require.Error(t, err)
	f := casework.AsFault(err)
	require.Equal(t, casework.Invalid, f.Kind, f.Error())
	var names []string
	for _, field := range f.Fields {
		require.NotEmpty(t, field.ZH)
		require.NotEmpty(t, field.EN)
		names = append(names, field.Field)
	}
	return names
}

// Each kind of task names every field that is wrong, at once.
func TestBadInputNamesItsFields(t *testing.T) {
	t.Parallel()
	const (
		ok     = `"2026-11-23T10:30:00+08:00"`
		future = `"2026-11-23T11:05:01+08:00"` // five minutes of skew are forgiven, not a second more
		early  = `"2026-11-23T09:54:59+08:00"`
	)
	long := strings.Repeat("长", 2001)
	type bad struct {
		input string
		want  []string
	}
	for kind, cases := range map[casework.TaskKind][]bad{
		casework.ContactCustomer: {
			{`{}`, []string{"by"}},
			{`{"by":"letter","note":"` + long + `","diameter":55,"daily_volume":-1}`, []string{"by", "note", "demand.daily_volume", "demand.diameter"}},
			{`{"by":"phone","build_from":"2026-12-02","build_to":"2026-12-01"}`, []string{"demand.build_to"}},
		},
		casework.AssessNetwork: {
			{`{}`, []string{"result", "main_diameter", "pressure"}},
			{`{"result":"adequate","main_diameter":14,"pressure":2.6,"distance":-1}`, []string{"main_diameter", "pressure", "distance"}},
			{`{"result":"upgrade_needed","main_diameter":100,"pressure":0.2}`, []string{"plan"}},
			{`{"result":"no_main","distance":100001}`, []string{"distance", "plan"}},
		},
		casework.BriefCustomer: {{`{"delivered":"post"}`, []string{"delivered"}}},
		casework.ScheduleSurvey: {
			{`{}`, []string{"survey_at", "survey_at", "attendees"}},
			{`{"survey_at":"2026-11-23T10:54:59+08:00","attendees":["taskforce","kitchen"]}`, []string{"survey_at", "attendees"}},
			{`{"survey_at":"2028-11-23T10:54:59+08:00","attendees":["engineering"]}`, []string{"survey_at", "attendees"}},
		},
		casework.ConductSurvey: {
			{`{}`, []string{"conducted_at", "not_yet"}},
			{`{"conducted_at":` + future + `,"connectable":true}`, []string{"conducted_at", "information_checked", "application_completed", "design"}},
			{`{"conducted_at":` + ok + `,"connectable":true,"information_checked":true,"application_completed":true,"not_yet":{},
				"design":{"atlas":"WS-09","meter_diameter":7,"pipe_length":0},"permits":[{"kind":"road_occupation"},{"kind":"road_occupation"},{"kind":"moon"}]}`,
				[]string{"not_yet", "design.atlas", "design.meter_diameter", "design.pipe_material", "design.pipe_length", "permits", "permits"}},
			{`{"conducted_at":` + early + `,"not_yet":{}}`, []string{"conducted_at", "not_yet.reason", "not_yet.explained", "not_yet.follow_up_on"}},
			{`{"conducted_at":` + ok + `,"design":{},"not_yet":{"reason":"x","explained":true,"follow_up_on":"2026-11-22"}}`, []string{"connectable", "not_yet.follow_up_on"}},
		},
		casework.FollowUp: {
			{`{}`, []string{"result", "note"}},
			{`{"result":"not_yet_connectable","note":"x"}`, []string{"next_on"}},
			{`{"result":"not_yet_connectable","note":"x","next_on":"2027-11-25"}`, []string{"next_on"}},
		},
		casework.FollowUpLead: {
			{`{}`, []string{"result", "note"}},
			{`{"result":"applied","note":"x"}`, []string{"result"}},
			{`{"result":"waiting","note":"x","next_on":"2026-11-22"}`, []string{"next_on"}},
			{`{"result":"dropped","note":"x","contact":{"phone":"1"}}`, []string{"contact"}},
		},
		casework.PrepareMaterials: {
			{`{}`, []string{"items"}},
			{`{"items":[{"quantity":0},{"code":"a","name":"b","unit":"c","quantity":1}]}`, []string{"items.code", "items.name", "items.unit", "items.quantity"}},
		},
		casework.FilePermit:         {{`{"filed_at":` + future + `}`, []string{"filed_at", "filing_number"}}},
		casework.RecordPermitResult: {{`{"granted":true}`, []string{"decided_at", "receipt_number"}}, {`{"decided_at":` + early + `}`, []string{"decided_at", "decided_at", "reason"}}},
		casework.HandOverPermit:     {{`{"note":"` + long + `"}`, []string{"note"}}},
		casework.EnterSite:          {{`{}`, []string{"entered_at", "crew"}}},
		casework.InstallMeter: {
			{`{}`, []string{"serial", "seal", "diameter", "installed_at"}},
			{`{"serial":"abc-1","seal":"F1","diameter":20,"reading":1000000,"installed_at":` + ok + `}`, []string{"serial", "reading"}},
			{`{"serial":"WH001","seal":"F1","diameter":20,"reading":-1,"installed_at":` + future + `}`, []string{"reading", "installed_at"}},
		},
		casework.TurnOnSupply: {{`{"pressure":3}`, []string{"supplied_at", "pressure"}}, {`{"supplied_at":"2026-11-23T10:14:00+08:00"}`, []string{"supplied_at"}}},
		casework.AcceptMeter:  {{`{}`, []string{"note"}}},
		casework.OpenAccount:  {{`{"account_number":"12345","contract_number":"` + long + `"}`, []string{"account_number", "contract_number"}}},
		casework.EnrolReading: {{`{}`, []string{"book", "cycle"}}},
		casework.ConfirmPart:  {{`{"note":"` + long + `"}`, []string{"note"}}},
		casework.Callback: {
			{`{}`, []string{"called_at"}},
			{`{"called_at":` + ok + `,"satisfaction":"satisfied"}`, []string{"satisfaction"}},
			{`{"called_at":` + ok + `,"reached":true,"satisfaction":"delighted"}`, []string{"satisfaction"}},
			{`{"called_at":` + ok + `,"reached":true,"satisfaction":"dissatisfied","responsible":"customer"}`, []string{"comment", "responsible"}},
		},
		casework.Rectify:   {{`{}`, []string{"measures", "evidence"}}},
		casework.HomeVisit: {{`{}`, []string{"visited_at", "reasons", "responsible"}}, {`{"resolved":true,"visited_at":` + ok + `}`, []string{"reasons"}}},
		casework.ReviewPause: {
			{`{}`, []string{"decision", "note"}},
			{`{"decision":"continue","note":"x"}`, []string{"planned_end"}},
			{`{"decision":"resume","note":"x","planned_end":` + future + `}`, []string{"planned_end"}},
		},
		casework.ReleaseMaterials:  {{`{"note":"` + long + `"}`, []string{"note"}}},
		casework.WithdrawPermit:    {{`{"note":"` + long + `"}`, []string{"note"}}},
		casework.DesignUpgrade:     {{`{}`, []string{"scheme", "diameter", "length"}}},
		casework.BuildUpgrade:      {{`{"built_at":` + future + `}`, []string{"built_at"}}},
		casework.CommissionUpgrade: {{`{}`, []string{"commissioned_at", "pressure", "water_passed"}}},
		// Their gates come before the input and are tested with the workflow.
		casework.UploadSurvey:  nil,
		casework.CompleteEntry: nil,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			for _, c := range cases {
				k, task := newCase(t, kind, "road_occupation")
				k.Permits = []casework.Permit{{PermitNeed: casework.PermitNeed{Kind: casework.RoadOccupation}, FiledAt: received.Add(15 * time.Minute)}}
				k.Meter = &casework.MeterInput{InstalledAt: received.Add(15 * time.Minute)}
				_, err := k.Try(casework.CompleteTask{By: byAble, Task: task.ID, Input: json.RawMessage(c.input)}, now)
				require.Equal(t, c.want, wrong(t, err), c.input)
			}
		})
	}
}

// The table above would miss a kind that is added.
func TestEveryKindIsInTheCatalogueOnce(t *testing.T) {
	t.Parallel()
	seen := map[casework.TaskKind]bool{}
	for _, s := range casework.Specs() {
		require.False(t, seen[s.Kind], s.Kind)
		seen[s.Kind] = true
		require.True(t, s.Stage.Valid() || slices.Contains([]casework.TaskKind{casework.ReviewPause, casework.FollowUpLead, casework.AcceptTransfer, casework.CompleteDeferred}, s.Kind), s.Kind)
		require.True(t, s.Role.Valid(), s.Kind)
		require.NotEmpty(t, s.Outcomes, s.Kind)
		require.NotEmpty(t, s.Source, s.Kind)
		require.NotNil(t, s.NewInput(), s.Kind)
	}
	require.Len(t, seen, 51)
}

// What is not an input of the kind at all is refused too, never guessed at.
func TestInputIsReadStrictly(t *testing.T) {
	t.Parallel()
	for input, want := range map[string][]string{
		`{"by":"phone","colour":"red"}`: {"colour"},
		`{"by":7}`:                      {"by"},
		`{"diameter":"50"}`:             {"diameter"},
		`[]`:                            {""},
		`{"by":"phone"} {}`:             {""},
		`{"by":`:                        {""},
		`{"build_from":"2026-13-01"}`:   {""},
	} {
		k, task := newCase(t, casework.ContactCustomer, "")
		_, err := k.Try(casework.CompleteTask{By: byAble, Task: task.ID, Input: json.RawMessage(input)}, now)
		require.Equal(t, want, wrong(t, err), input)
	}
}

// A task that asks for nothing may be completed with nothing, and what is
// recorded is JSON all the same.
func TestEmptyInput(t *testing.T) {
	t.Parallel()
	for _, input := range []json.RawMessage{nil, {}, json.RawMessage(" \n"), json.RawMessage("null"), json.RawMessage("{}")} {
		k, task := newCase(t, casework.ConfirmPart, "network")
		next, err := k.Try(casework.CompleteTask{By: byAble, Task: task.ID, Input: input}, now)
		require.NoError(t, err)
		require.Equal(t, []casework.Department{"network"}, next.Confirmed)
		for _, e := range next.TakeChanges().Events {
			require.Contains(t, []string{"null", "{}"}, string(e.Data))
		}
	}
}

// Trying never changes the case it was tried on, whatever comes of it.
func TestTryLeavesTheCaseAlone(t *testing.T) {
	t.Parallel()
	k, task := newCase(t, casework.ContactCustomer, "")
	before, err := json.Marshal(k)
	require.NoError(t, err)
	for _, a := range []casework.Action{
		casework.ClaimTask{By: byAble, Task: task.ID},
		casework.CompleteTask{By: byAble, Task: task.ID, Input: json.RawMessage(`{"by":"phone","diameter":20}`)},
		casework.Withdraw{By: byCustomer, Reason: "x"},
		casework.ConfirmDesign{By: byCustomer},
		casework.PauseCase{By: byAble, Reason: casework.ForceMajeure, Evidence: "x", PlannedEnd: now.Add(time.Hour)},
	} {
		_, _ = k.Try(a, now)
		after, err := json.Marshal(k)
		require.NoError(t, err)
		require.JSONEq(t, string(before), string(after), "%T", a)
	}
	require.Equal(t, int64(2), k.Version)
}

func TestPauseReasonMustBeThePolicys(t *testing.T) {
	t.Parallel()
	k, _ := newCase(t, casework.ContactCustomer, "")
	_, err := k.Try(casework.PauseCase{By: byAble, Reason: casework.CustomerNotReady, Evidence: "x", PlannedEnd: now.Add(time.Hour)}, now)
	require.Equal(t, []string{"reason"}, wrong(t, err))
}

// A correction is judged like the request itself and keeps what was said before.
func TestAmendment(t *testing.T) {
	t.Parallel()
	k, _ := newCase(t, casework.ContactCustomer, "")
	address, bad := "芜湖市无为市凤河路31号", ""
	_, err := k.Try(casework.AmendRequest{By: byAble, Address: &bad, Contact: &casework.Contact{Name: "沈", Phone: "1"}, Reason: "笔误"}, now)
	require.Equal(t, []string{"contact.phone", "site.address"}, wrong(t, err))
	next, err := k.Try(casework.AmendRequest{By: byAble, Address: &address, Reason: "笔误"}, now)
	require.NoError(t, err)
	want := soundRequest()
	want.Site.Address = address
	require.Equal(t, want, next.Request)
	events := next.TakeChanges().Events
	require.Contains(t, string(events[0].Data), "凤河路30号")
	require.NotContains(t, events[0].Note.String(), "凤河路", "notes hold no personal data")
}

func TestChargesNameTheirRule(t *testing.T) {
	t.Parallel()
	for kind, want := range map[casework.ChargeKind]string{
		casework.MeteringDevice: "charge_forbidden", casework.OutsideProperty: "charge_forbidden",
		casework.InsideProperty: "", casework.CustomerRequest: "", "tip": "invalid_input",
	} {
		err := casework.CheckCharge(casework.Charge{Kind: kind, Amount: 1, Note: "x"})
		if want == "" {
			require.NoError(t, err)
			continue
		}
		f := casework.AsFault(err)
		require.Equal(t, want, f.Code)
		require.Equal(t, want == "charge_forbidden", strings.Contains(f.Rule, "皖发改价格〔2021〕543号"))
	}
	require.Equal(t, []string{"amount", "note"}, wrong(t, casework.CheckCharge(casework.Charge{Kind: casework.InsideProperty, Note: " "})))
}
