package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

func TestACaseInFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.open(t, "W1")
	rec := w.ask(t, asked{as: "auditor", path: "/v1/cases/W1"})
	v := read[caseView](t, rec, 200)
	require.Equal(t, etag(k.Version), rec.Header().Get("ETag"))
	require.Equal(t, casework.Contact{Name: "沈*", Phone: "138****1653"}, v.Request.Contact)
	require.NotContains(t, rec.Body.String(), "沈兰英")
	require.Equal(t, "无为市", v.District)
	require.Equal(t, "联系客户", v.Tasks[0].Title)
	require.Equal(t, int64(60), *v.Deadlines[0].MinutesLeft)
	require.Len(t, v.Escalations, 1)
	require.Equal(t, "https://water.example.cn/v1/cases/W1/escalations/W1-T1/breach/acknowledge", v.Escalations[0].AcknowledgePath)
	require.Equal(t, 6, v.Score.Kept)
	require.NotEmpty(t, v.Missing)
	require.NotContains(t, rec.Body.String(), "null", "lists are empty, not null")
	for _, at := range regexp.MustCompile(`"\d{4}-\d\d-\d\dT[^"]+"`).FindAllString(rec.Body.String(), -1) {
		require.True(t, strings.HasSuffix(at, `+08:00"`), at)
	}
}

func TestTimesAreOfWuhuWhateverTheStoreSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	rec := w.ask(t, asked{as: "auditor", path: "/v1/cases"})
	require.Contains(t, rec.Body.String(), `"received_at":"2026-12-01T09:00:00+08:00"`)
}

func TestANaturalPersonIsMasked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.open(t, "W1")
	k.Request.Applicant = casework.Applicant{Name: "张晓明", Person: true}
	k.Request.Extra = map[string]json.RawMessage{"id_card": json.RawMessage(`"340202199001011234"`)}
	w.keep(k)
	body := w.ask(t, asked{as: "management", path: "/v1/cases/W1"}).Body.String()
	require.NotContains(t, body, "晓明")
	require.NotContains(t, body, "3402021990")
	require.Contains(t, body, "张*")
}

func TestContactsAreAuditedBeforeTheyAreShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	v := read[contactView](t, w.ask(t, asked{as: "hotline", path: "/v1/cases/W1/contact"}), 200)
	require.Equal(t, "13800001653", v.Contact.Phone)
	require.Equal(t, []casework.AuditEntry{{At: noon, Actor: "hotline", What: "contact_unmasked", Target: "W1"}}, w.audited)
	w.hire("tf-jinghu", casework.Taskforce, "340202")
	refused(t, w.ask(t, asked{as: "tf-jinghu", path: "/v1/cases/W1/contact"}), 403, "wrong_district")
	require.Len(t, w.audited, 1)
}

func TestATimelineHidesWhoWasAmended(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	w.act(t, asked{as: "hotline", method: http.MethodPatch, path: "/v1/cases/W1", body: object{
		"contact": object{"name": "周红", "phone": "13911112222"}, "reason": "换人"}})
	require.Equal(t, "13911112222", w.cases["W1"].Request.Contact.Phone)
	rec := w.ask(t, asked{as: "auditor", path: "/v1/cases/W1/timeline"})
	events := read[page[casework.Event]](t, rec, 200).Items
	require.Contains(t, string(events[len(events)-1].Data), "换人")
	require.Contains(t, rec.Body.String(), "138****1653")
	require.NotContains(t, rec.Body.String(), "13800001653")
	require.Equal(t, 200, w.ask(t, asked{as: "auditor", path: "/v1/cases/W1/touchpoints"}).Code)
	require.Equal(t, 200, w.ask(t, asked{as: "auditor", path: "/v1/cases/W1/deadlines"}).Code)
}

func TestListsKeepToDistrictAndDepartment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hire("nobody", casework.Hotline)
	ask := func(as, path string) any {
		t.Helper()
		require.Equal(t, 200, w.ask(t, asked{as: as, path: path}).Code)
		return w.filter
	}
	cases := func(as, query string) casework.CaseFilter {
		f, _ := ask(as, "/v1/cases"+query).(casework.CaseFilter)
		return f
	}
	tasks := func(as, path string) casework.TaskFilter {
		f, _ := ask(as, path).(casework.TaskFilter)
		return f
	}
	require.Empty(t, cases("taskforce", "").Districts, "the whole city")
	require.Equal(t, []casework.District{"340281"}, cases("tf-wuwei", "").Districts)
	require.Equal(t, []casework.District{"340202", "340207"}, cases("taskforce", "?district=340202,340207").Districts)
	refused(t, w.ask(t, asked{as: "nobody", path: "/v1/cases"}), 403, "no_district")

	f := cases("auditor", "?kind=connection&status=open&stage=permits&lane=101&channel=outreach&department=network&assignee=x&overdue=true&level=2&text=凤河路&received_from=2026-11-01&received_to=2026-11-30&limit=7&cursor=c")
	require.Equal(t, casework.CaseFilter{
		Kind: casework.ConnectionCase, Status: casework.Open, Stage: casework.Permits, Lane: casework.Lane101, Channel: casework.Outreach,
		Department: "network", Assignee: "x", Overdue: true, Level: 2, Text: "凤河路", Page: casework.Page{Limit: 7, Cursor: "c"},
		From: f.From, To: f.To,
	}, f)
	require.Equal(t, "2026-11-01T00:00:00+08:00", f.From.Format("2006-01-02T15:04:05Z07:00"))
	require.Equal(t, "2026-12-01T00:00:00+08:00", f.To.Format("2006-01-02T15:04:05Z07:00"))

	require.Equal(t, 50, tasks("network", "/v1/tasks").Limit)
	require.Equal(t, casework.Department("network"), tasks("network", "/v1/tasks").Department)
	require.Equal(t, casework.Department("network"), tasks("network", "/v1/tasks/department").Department)
	require.Empty(t, tasks("management", "/v1/tasks/department").Department, "who supervises sees all")
	require.Equal(t, casework.Department("network"), tasks("auditor", "/v1/tasks?department=network").Department)
	mine := tasks("network", "/v1/tasks/mine")
	require.Equal(t, "network", mine.Assignee)
	require.Equal(t, casework.TaskOpen, mine.State)
	refused(t, w.ask(t, asked{as: "network", path: "/v1/escalations?department=engineering"}), 403, "wrong_department")
	e, _ := ask("network", "/v1/escalations?open=true&level=1").(casework.EscalationFilter)
	require.Equal(t, casework.EscalationFilter{Department: "network", Level: 1, Open: true, Page: casework.Page{Limit: 50}}, e)
	e, _ = ask("taskforce_lead", "/v1/escalations?state=waiting&to=taskforce_lead&mine=true").(casework.EscalationFilter)
	require.Equal(t, casework.EscalationFilter{
		State: casework.EscalationWaiting, To: casework.TaskforceLead, Mine: w.staff["taskforce_lead"].Actor(), Page: casework.Page{Limit: 50},
	}, e)
}

func TestTasksFromClaimToDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.open(t, "W1")
	w.hire("taskforce-2", casework.Taskforce, casework.AllDistricts)
	done := read[contract.Done](t, w.act(t, asked{as: "taskforce", method: http.MethodPost, path: "/v1/tasks/W1-T1/claim", headers: map[string]string{"If-Match": etag(k.Version)}}), 200)
	require.Equal(t, k.Version+1, done.Version)
	line := read[taskView](t, w.ask(t, asked{as: "auditor", path: "/v1/tasks/W1-T1"}), 200)
	require.Equal(t, "营商专班(taskforce)", line.HolderName)
	refused(t, w.ask(t, asked{as: "taskforce-2", method: http.MethodPost, path: "/v1/tasks/W1-T1/claim"}), 409, "task_held")
	refused(t, w.ask(t, asked{as: "taskforce", path: "/v1/tasks/W1-T1/delegate", body: object{"to": "taskforce-2"}}), 422, "invalid_input")
	w.act(t, asked{as: "taskforce", path: "/v1/tasks/W1-T1/delegate", body: object{"to": "taskforce-2", "reason": "休假"}})
	w.act(t, asked{as: "taskforce-2", path: "/v1/tasks/W1-T1/release", body: object{"reason": "退回"}})
	w.act(t, asked{as: "management", path: "/v1/tasks/W1-T1/assign", body: object{"to": "taskforce"}})

	q := asked{as: "taskforce", path: "/v1/tasks/W1-T1/complete", body: complete("contact_customer", contactInput()), headers: map[string]string{"Idempotency-Key": "complete-1"}}
	first := w.act(t, q)
	require.NotEmpty(t, first.Header().Get("ETag"))
	require.Equal(t, first.Body.String(), w.act(t, q).Body.String(), "the same key does it once")
	q.headers = nil
	refused(t, w.ask(t, q), 409, "task_not_open")
	// The same key for another thing is another key.
	w.act(t, asked{as: "network", path: "/v1/tasks/W1-T2/complete", body: complete(nil, object{"result": "no_main", "plan": "新建"}), headers: map[string]string{"Idempotency-Key": "complete-1"}})
	require.NotNil(t, w.cases["W1"].Assessment)

	refused(t, w.ask(t, asked{as: "production", path: "/v1/tasks/W1-T1"}), 403, "wrong_department")
}

func TestManyTasksAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	w.open(t, "W2")
	q := asked{as: "taskforce_office", path: "/v1/tasks/bulk-assign", body: object{"to": "taskforce", "tasks": []string{"W1-T1", "W1-T2", "W2-T1", "W9-T1", "?"}}}
	rec := w.ask(t, q)
	got := read[struct {
		Items             []bulkOutcome
		Assigned, Refused int
	}](t, rec, 207)
	require.Equal(t, 2, got.Assigned)
	require.Equal(t, 3, got.Refused)
	require.Equal(t, "W1-T1", got.Items[0].Task)
	require.Equal(t, "invalid_input", got.Items[1].Problem.Code)
	require.Equal(t, "case_not_found", got.Items[3].Problem.Code)
	require.Equal(t, "task_not_found", got.Items[4].Problem.Code)
	q.body = object{"to": "taskforce", "tasks": []string{"W1-T1", "W2-T1"}}
	require.Equal(t, 200, w.ask(t, q).Code)
}

func TestEscalationsAreAcknowledged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	path := "/v1/cases/W1/escalations/W1-T1/breach/acknowledge"
	refused(t, w.ask(t, asked{as: "network", path: path, body: object{}}), 403, "wrong_role")
	w.act(t, asked{as: "taskforce_office", path: path, body: object{"note": "已督办"}})
	refused(t, w.ask(t, asked{as: "taskforce_office", path: path, body: object{}}), 409, "escalation_not_open")
	require.Equal(t, "W1-lane/breach", EscalationAddress{DeadlineAddress{CaseAddress{"W1"}, "lane"}, "breach"}.id())
}

// An escalation is acknowledged, answered and closed, and each entry names what
// can be done about it now.
func TestEscalationsAreAnsweredAndClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hire("taskforce-2", casework.Taskforce, casework.AllDistricts)
	gone := w.staff["taskforce-2"]
	gone.ID, gone.Active = "taskforce-gone", false
	w.staff[gone.ID] = gone
	rules := testTerms
	rules.Ladder = []casework.Rung{{Name: casework.RungBreach, To: casework.TaskforceOffice, Level: 1, Answer: calendar.Budget{Unit: calendar.WorkingTime, Time: time.Hour}}}
	w.openBy(t, "W1", rules)
	base := "/v1/cases/W1/escalations/W1-T1/breach/"
	view := func() escalationView {
		v := read[caseView](t, w.ask(t, asked{as: "auditor", path: "/v1/cases/W1"}), 200)
		require.Len(t, v.Escalations, 1)
		return v.Escalations[0]
	}
	can := func(v escalationView) [5]string {
		return [5]string{string(v.State), v.Owner, v.AcknowledgePath, v.AnswerPath, v.ClosePath}
	}
	link := "https://water.example.cn" + base
	require.Equal(t, [5]string{"waiting", "", link + "acknowledge", link + "answer", ""}, can(view()))
	refused(t, w.ask(t, asked{as: "taskforce_office", path: base + "close", body: object{}}), 409, "not_answered")
	w.act(t, asked{as: "taskforce_office", path: base + "acknowledge", body: object{"note": "已督办"}})
	require.Equal(t, [5]string{"acknowledged", "taskforce_office", "", link + "answer", ""}, can(view()))

	answer := func(as string, body object) *httptest.ResponseRecorder {
		return w.ask(t, asked{as: as, path: base + "answer", body: body})
	}
	refused(t, answer("network", object{"answer": "note", "note": "x"}), 403, "wrong_role")
	require.Equal(t, []string{"answer", "note"}, fields(refused(t, answer("taskforce_office", object{"answer": "shrug", "note": ""}), 422, "invalid_input")))
	require.Equal(t, []string{"to"}, fields(refused(t, answer("taskforce_office", object{"answer": "reassign", "note": "x"}), 422, "invalid_input")))
	for _, nobody := range []string{"nobody", "taskforce-gone"} {
		require.Equal(t, []string{"to"}, fields(refused(t, answer("taskforce_office", object{"answer": "reassign", "note": "x", "to": nobody}), 422, "invalid_input")))
	}
	require.Equal(t, []string{"extra"}, fields(refused(t, answer("taskforce_lead", object{"answer": "extend", "note": "x", "extra": "ages"}), 422, "invalid_input")))
	require.Equal(t, []string{"extra"}, fields(refused(t, answer("taskforce_lead", object{"answer": "extend", "note": "x"}), 422, "invalid_input")))
	refused(t, answer("taskforce_office", object{"answer": "extend", "note": "x", "extra": "1 working_day"}), 403, "wrong_role")
	refused(t, w.ask(t, asked{as: "taskforce_office", path: "/v1/cases/W1/escalations/W1-T9/breach/answer", body: object{"answer": "note", "note": "x"}}), 404, "escalation_not_found")
	require.Equal(t, 200, answer("taskforce_office", object{"answer": "reassign", "note": "改派二组", "to": "taskforce-2"}).Code)
	require.Equal(t, "taskforce-2", w.cases["W1"].Tasks[0].Assignee)
	v := view()
	require.Equal(t, [5]string{"answered", "taskforce_office", "", "", link + "close"}, can(v))
	require.Equal(t, []string{"改派", "改派二组", "taskforce_office"}, []string{v.AnswerName, v.AnswerNote, v.AnsweredBy})
	refused(t, answer("taskforce_office", object{"answer": "note", "note": "x"}), 409, "already_answered")

	w.act(t, asked{as: "taskforce_office", path: base + "close", body: object{}})
	require.Equal(t, "closed", string(w.fired[len(w.fired)-1].State()))
	refused(t, w.ask(t, asked{as: "taskforce_office", path: base + "close", body: object{}}), 409, "escalation_not_open")
}

func TestDeadlinesAreExtendedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	extend := func(as string, body object) *httptest.ResponseRecorder {
		return w.ask(t, asked{as: as, path: "/v1/cases/W1/deadlines/W1-T1/extend", body: body})
	}
	good := object{"extra": "1 working_day", "reason": "客户要求改期"}
	for _, role := range casework.Roles() {
		if role != casework.TaskforceLead && role != casework.Management {
			refused(t, extend(string(role), good), 403, "wrong_role")
		}
	}
	require.Equal(t, []string{"extra", "reason"}, fields(refused(t, extend("taskforce_lead", object{"extra": "", "reason": ""}), 422, "invalid_input")))
	require.Equal(t, []string{"extra"}, fields(refused(t, extend("taskforce_lead", object{"extra": "same_day", "reason": "x"}), 422, "invalid_input")))
	refused(t, w.ask(t, asked{as: "taskforce_lead", path: "/v1/cases/W1/deadlines/W1-T9/extend", body: good}), 409, "deadline_not_open")
	require.Equal(t, 200, extend("management", good).Code)
	d, ok := w.cases["W1"].Deadline("W1-T1")
	require.True(t, ok)
	require.Equal(t, "management", d.Extension.By)
	refused(t, extend("taskforce_lead", good), 409, "already_extended")
}

// While a clock stands, every list shows the time that is left and no date, and
// the supervisors' own clocks stand apart.
func TestStandingClocksShowTheTimeThatIsLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.open(t, "W1")
	d, _ := k.Deadline("W1-T1")
	d.Due = calendar.Due{Stopped: true, Remaining: 150 * time.Minute}
	none := *d
	none.ID, none.Limit, none.Budget, none.Due = "W1-T2", "assess_network", calendar.Budget{}, calendar.Due{}
	lane := *d
	lane.ID, lane.Limit, lane.Due = casework.LaneDeadline, casework.LaneLimit(casework.Lane101), calendar.Due{Stopped: true, Remaining: 3 * time.Hour}
	k.Deadlines = append(k.Deadlines, none, lane,
		casework.Deadline{ID: "pause-1-1", Limit: casework.PauseBoundLimit, Budget: lane.Budget, Due: calendar.Due{At: noon.Add(time.Hour)}},
		casework.Deadline{ID: "answer:W1-T1/breach", Limit: casework.AnswerLimit, Budget: lane.Budget, Due: calendar.Due{At: noon.Add(time.Minute)}})
	k.NoteHolder(noon.Add(-time.Hour))
	k.Clock.Spent = []casework.Spent{{Party: casework.PartyCustomer, Working: 90 * time.Minute}}
	w.keep(k)

	v := read[caseView](t, w.ask(t, asked{as: "auditor", path: "/v1/cases/W1"}), 200)
	require.True(t, v.DueAt.IsZero())
	require.Equal(t, []any{true, int64(150)}, []any{v.Stopped, v.RemainingMinutes})
	var titles []string
	for _, d := range append(v.Deadlines, v.Supervision...) {
		titles = append(titles, fmt.Sprint(d.LimitTitle, " ", d.OnWork, " ", *d.MinutesLeft))
	}
	require.Equal(t, []string{"联系客户 true 150", "模式101服务时限 true 180", "暂停复核期限 false 60", "升级答复时限 false 1"}, titles)
	for _, task := range v.Tasks { // the second has no limit of its own, and so the lane's
		require.True(t, task.Stopped && task.DueAt.IsZero() && task.UrgentAt.IsZero() && task.UrgentBy == "")
	}
	require.Equal(t, []int64{150, 180}, []int64{v.Tasks[0].RemainingMinutes, v.Tasks[1].RemainingMinutes})
	require.True(t, v.Clock.Since.Equal(k.ReceivedAt))
	require.Equal(t, &clockView{
		Party: "taskforce", PartyName: "营商专班", Since: v.Clock.Since, Spent: []spentView{{casework.PartyCustomer, "客户", 90}},
	}, v.Clock)
	all := read[page[deadlineView]](t, w.ask(t, asked{as: "auditor", path: "/v1/cases/W1/deadlines"}), 200)
	require.Len(t, all.Items, 5)
	require.Nil(t, all.Items[1].MinutesLeft, "no limit, no time left")

	progress := w.ask(t, asked{path: "/v1/public/progress?number=W1&code=" + w.ring.Code("W1")})
	p := read[progressView](t, progress, 200)
	require.Equal(t, []any{true, true, int64(180)}, []any{p.PromisedBy.IsZero(), p.Stopped, p.RemainingMinutes})
	require.NotContains(t, progress.Body.String(), "answer")
	require.NotContains(t, progress.Body.String(), "pause")

	list := w.ask(t, asked{as: "auditor", path: "/v1/cases"})
	require.Contains(t, list.Body.String(), `"remaining_minutes":150`)
	require.NotContains(t, list.Body.String(), `"remaining":`)
}

func TestPausesForSeveralReasonsEndOneByOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rules := testTerms
	rules.PauseReasons = []casework.PauseReason{casework.CustomerNotReady, casework.ForceMajeure}
	w.openBy(t, "W1", rules)
	for _, reason := range rules.PauseReasons {
		w.act(t, asked{as: "taskforce", path: "/v1/cases/W1/pause", body: object{"reason": reason, "evidence": "来函", "planned_end": "2026-12-08T09:00:00+08:00"}})
	}
	w.act(t, asked{as: "taskforce", path: "/v1/cases/W1/resume", body: object{"reason": "force_majeure"}})
	require.Equal(t, casework.Paused, w.cases["W1"].Status)
	refused(t, w.ask(t, asked{as: "taskforce", path: "/v1/cases/W1/resume", body: object{"reason": "force_majeure"}}), 409, "not_paused")
	w.act(t, asked{as: "taskforce", path: "/v1/cases/W1/resume", body: object{}})
	require.Equal(t, casework.Open, w.cases["W1"].Status)
}

func TestMessagesAreListedAndSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.told = []casework.MessageLine{{
		Message: casework.Message{ID: "W1-T1/breach", Case: "W1", Kind: casework.MessageRung, To: casework.TaskforceOffice, District: "340281", At: noon.UTC()},
		Deliveries: []casework.Delivery{{
			ID: 7, Message: "W1-T1/breach", Outlet: "office-wecom", State: casework.DeliveryDead, Attempts: 3, LastError: "对方拒收 refused",
		}},
	}}
	list := read[page[messageView]](t, w.ask(t, asked{as: "auditor", path: "/v1/messages?case=W1&state=dead&outlet=office-wecom&district=340281"}), 200)
	require.Equal(t, casework.MessageFilter{
		Case: "W1", State: casework.DeliveryDead, Outlet: "office-wecom", Districts: []casework.District{"340281"}, Page: casework.Page{Limit: 50},
	}, w.filter)
	require.Equal(t, "提醒与升级", list.Items[0].KindName)
	require.Equal(t, int64(7), list.Items[0].Deliveries[0].ID)
	refused(t, w.ask(t, asked{as: "auditor", path: "/v1/messages?state=lost"}), 422, "invalid_input")

	again := read[casework.Delivery](t, w.ask(t, asked{as: "taskforce_office", path: "/v1/deliveries/7/retry", method: http.MethodPost}), 200)
	require.Equal(t, casework.DeliveryPending, again.State)
	require.Equal(t, []string{"delivery_retried", "W1-T1/breach"}, []string{w.audited[0].What, w.audited[0].Target})
	refused(t, w.ask(t, asked{as: "taskforce_office", path: "/v1/deliveries/8/retry", method: http.MethodPost}), 404, "delivery_not_found")
	w.hire("office-jinghu", casework.TaskforceOffice, "340202")
	refused(t, w.ask(t, asked{as: "office-jinghu", path: "/v1/deliveries/7/retry", method: http.MethodPost}), 403, "wrong_district")
}

func TestPausesAndCharges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	w.act(t, asked{as: "taskforce", path: "/v1/cases/W1/pause", body: object{"reason": "customer_not_ready", "evidence": "客户来函", "planned_end": "2026-12-08T09:00:00+08:00"}})
	v := read[caseView](t, w.ask(t, asked{as: "auditor", path: "/v1/cases/W1"}), 200)
	require.Equal(t, "已暂停", v.StatusName)
	require.Len(t, v.Pauses, 1)
	w.act(t, asked{as: "taskforce", path: "/v1/cases/W1/resume", body: object{}})
	w.act(t, asked{as: "service_hall", path: "/v1/cases/W1/charges", body: object{"kind": "customer_request", "amount": 12000, "note": "延伸服务，价目表3"}})
	p := refused(t, w.ask(t, asked{as: "service_hall", path: "/v1/cases/W1/charges", body: object{"kind": "outside_property_line", "amount": 1, "note": "x"}}), 409, "charge_forbidden")
	require.Contains(t, p.Rule, "国办函〔2020〕129号")
	w.act(t, asked{as: "hotline", path: "/v1/cases/W1/withdraw", body: object{"reason": "客户不建了"}})
	require.Equal(t, casework.Withdrawing, w.cases["W1"].Status)
}

func TestStaffAreAddedAndAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := asked{as: "taskforce_office", method: http.MethodPut, path: "/v1/staff/hall-9", body: object{
		"name": "张三", "department": "service_hall", "roles": []string{"service_hall"}, "districts": []string{"340202"}, "active": true, "password": "a long password", "email": "hall-9@water.example.cn"}}
	rec := w.act(t, q)
	require.NotContains(t, rec.Body.String(), "password")
	require.True(t, checkPassword(w.hashes["hall-9"], "a long password"))
	require.Equal(t, "hall-9@water.example.cn", w.staff["hall-9"].Email)
	require.Equal(t, "staff_changed", w.audited[0].What)
	require.NotContains(t, string(w.audited[0].Data), "a long password")
	require.Equal(t, 201, w.ask(t, asked{path: "/v1/sessions", body: object{"staff_id": "hall-9", "password": "a long password"}}).Code)
	q.path = "/v1/staff/system"
	refused(t, w.ask(t, q), 422, "invalid_input")
}

// A task shows by which limit it is how urgent, beside its own due moment.
func TestTaskShowsWhyItIsUrgent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.open(t, "W1")
	d, _ := k.Deadline("W1-T1")
	d.Due = calendar.Due{At: noon.Add(3 * time.Hour)}
	lane := *d
	lane.ID, lane.Limit, lane.Due = casework.LaneDeadline, casework.LaneLimit(casework.Lane101), calendar.Due{At: noon.Add(time.Hour)}
	k.Deadlines = append(k.Deadlines, lane)
	w.keep(k)
	v := read[caseView](t, w.ask(t, asked{as: "auditor", path: "/v1/cases/W1"}), 200)
	task := v.Tasks[0]
	require.True(t, task.DueAt.Equal(noon.Add(3*time.Hour)) && task.UrgentAt.Equal(noon.Add(time.Hour)), "%s, %s", task.DueAt, task.UrgentAt)
	require.Equal(t, casework.LimitName("lane_101"), task.UrgentBy)
}
