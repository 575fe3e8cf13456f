package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/demo"
)

func TestRequestIsAcceptedOnceHoweverOftenItIsSent(t *testing.T) {
	t.Parallel()
	first := openCase(t, "once-1")
	require.Equal(t, "accepted", first.Status)
	var again opened
	require.NoError(t, as(casework.ServiceHall).Post(t.Context(), "/v1/connection-requests", "another-key-1", request("once-1"), &again))
	require.Equal(t, opened{Number: first.Number, Code: first.Code, Status: "accepted_before"}, again)

	// What was just accepted is in the list that is read next.
	var line struct {
		Items []casework.CaseLine `json:"items"`
	}
	require.NoError(t, as(casework.TaskforceOffice).Get(t.Context(), "/v1/cases?text="+first.Number, &line))
	require.Len(t, line.Items, 1)
	require.Equal(t, casework.PreService, line.Items[0].Stage)
}

// A task that was completed shows what follows in the list that is read next,
// and completing it again changes nothing.
func TestDecisionIsReadBackAtOnce(t *testing.T) {
	t.Parallel()
	o := openCase(t, "read-1")
	tasks, err := demo.All[casework.Task](t.Context(), as(casework.TaskforceOffice), "/v1/tasks?case="+o.Number)
	require.NoError(t, err)
	require.Len(t, tasks, 1)
	complete := func(key string) error {
		return as(casework.Taskforce).Post(t.Context(), "/v1/tasks/"+tasks[0].ID+"/complete", key,
			map[string]any{"input": map[string]any{"by": "phone"}}, nil)
	}
	require.NoError(t, complete("first-try"))
	after, err := demo.All[casework.Task](t.Context(), as(casework.TaskforceOffice), "/v1/tasks?case="+o.Number)
	require.NoError(t, err)
	require.Len(t, after, 1)
	require.Equal(t, casework.AssessNetwork, after[0].Kind)
	require.NoError(t, complete("first-try"), "the same key gives the first answer")
	refused(t, complete("second-try"), http.StatusConflict, "task_not_open")
}

func TestRefusedActionLeavesNoTrace(t *testing.T) {
	t.Parallel()
	o := openCase(t, "trace-1")
	history := func() int {
		n := 0
		for it := place.Temporal.GetWorkflowHistory(t.Context(), contract.WorkflowID(o.Number), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); it.HasNext(); n++ {
			e, err := it.Next()
			require.NoError(t, err)
			if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED {
				continue
			}
		}
		return n
	}
	// The drafted booking is the last thing that happens by itself. It is recorded
	// while the task that decides it is still under way.
	require.Eventually(t, func() bool {
		k, err := place.Store.Case(t.Context(), o.Number)
		if err != nil || len(k.Documents) != 1 {
			return false
		}
		run, err := place.Temporal.DescribeWorkflowExecution(t.Context(), contract.WorkflowID(o.Number), "")
		return err == nil && run.GetPendingWorkflowTask() == nil
	}, 30*time.Second, 50*time.Millisecond)
	before, err := place.Store.Case(t.Context(), o.Number)
	require.NoError(t, err)
	events := history()
	task := o.Number + "-T1"
	for name, try := range map[string]struct {
		role   casework.Role
		body   map[string]any
		status int
		code   string
	}{
		"wrong role":  {casework.Engineering, map[string]any{"input": map[string]any{"by": "phone"}}, http.StatusForbidden, "wrong_role"},
		"wrong kind":  {casework.Taskforce, map[string]any{"kind": "assess_network", "input": map[string]any{}}, http.StatusConflict, "wrong_task_kind"},
		"wrong input": {casework.Taskforce, map[string]any{"input": map[string]any{"by": "pigeon"}}, http.StatusUnprocessableEntity, "invalid_input"},
		"unknown field": {casework.Taskforce, map[string]any{"input": map[string]any{"by": "phone", "colour": "blue"}},
			http.StatusUnprocessableEntity, "invalid_input"},
	} {
		err := as(try.role).Post(t.Context(), "/v1/tasks/"+task+"/complete", "refused-"+strings.ReplaceAll(name, " ", "-"), try.body, nil)
		refused(t, err, try.status, try.code)
	}
	after, err := place.Store.Case(t.Context(), o.Number)
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.Equal(t, events, history())
}

func TestNothingPersonalReachesTemporalInTheClear(t *testing.T) {
	t.Parallel()
	o := openCase(t, "sealed-1")
	texts := 0
	for it := place.Temporal.GetWorkflowHistory(t.Context(), contract.WorkflowID(o.Number), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); it.HasNext(); {
		e, err := it.Next()
		require.NoError(t, err)
		b, err := protojson.Marshal(e)
		require.NoError(t, err)
		require.NotContains(t, string(b), "MTM5MDAwMDc3MTY") // the phone in base64, as payloads are shown
		require.NotContains(t, string(b), "13900007716")
		require.NotContains(t, string(b), "秦刚丽")
		texts++
	}
	require.Positive(t, texts)
	metadata, err := place.Temporal.QueryWorkflow(t.Context(), contract.WorkflowID(o.Number), "", contract.StateQuery)
	require.NoError(t, err)
	var k casework.Case
	require.NoError(t, metadata.Get(&k))
	require.Equal(t, "13900007716", k.Request.Contact.Phone, "who has the key reads it")
}

// A customer may change their mind after the case was closed; a bad review
// opens it again until the visit has closed the loop.
func TestBadReviewOpensAClosedCaseAgain(t *testing.T) {
	t.Parallel()
	o := openCase(t, "review-1")
	play(t, o)
	rate := func(key string, level int) error {
		return as("").Post(t.Context(), "/v1/public/cases/"+o.Number+"/rate", key, map[string]any{"code": o.Code, "level": level, "comment": "路面没有恢复"}, nil)
	}
	require.NoError(t, rate("rate-well", 5))
	k, err := place.Store.Case(t.Context(), o.Number)
	require.NoError(t, err)
	require.Equal(t, casework.Closed, k.Status)
	require.NoError(t, rate("rate-badly", 1))
	k, err = place.Store.Case(t.Context(), o.Number)
	require.NoError(t, err)
	require.Equal(t, casework.Open, k.Status)
	require.Len(t, k.Tasks, 1)
	require.Equal(t, casework.HomeVisit, k.Tasks[0].Kind)
	play(t, o)
	k, err = place.Store.Case(t.Context(), o.Number)
	require.NoError(t, err)
	require.Equal(t, casework.Closed, k.Status)
	require.Len(t, k.Evaluated.Ratings, 2)
}

func TestCustomerSeesProgressWithTheCodeAlone(t *testing.T) {
	t.Parallel()
	o := openCase(t, "progress-1")
	var progress map[string]any
	require.NoError(t, as("").Get(t.Context(), "/v1/public/progress?number="+o.Number+"&code="+o.Code, &progress))
	refused(t, as("").Get(t.Context(), "/v1/public/progress?number="+o.Number+"&code=AAAAAAAAAA", nil), http.StatusNotFound, "number_or_code")
	refused(t, as("").Get(t.Context(), "/v1/public/progress?number=W20200101-99999&code="+o.Code, nil), http.StatusNotFound, "number_or_code")
}

// A process that ends between accepting a request and starting its workflow
// loses nothing: the next one starts it.
func TestAcceptedRequestIsStartedByTheNextProcess(t *testing.T) {
	t.Parallel()
	r := casework.Request{
		Utility: casework.Water, Channel: casework.WeChat, ExternalNumber: "orphan-1",
		Applicant: casework.Applicant{Name: "王小明", Person: true}, Contact: casework.Contact{Name: "王小明", Phone: "13800138000"},
		Site: casework.Site{District: "340202", Address: "芜湖市镜湖区北京西路1号"},
	}
	receipt, created, err := place.Store.Accept(t.Context(), r, casework.System(), time.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.True(t, created)
	n, err := place.Desk.CatchUp(t.Context())
	require.NoError(t, err)
	require.Positive(t, n)
	require.Eventually(t, func() bool {
		_, err := place.Store.Case(t.Context(), receipt.Number)
		return err == nil
	}, 30*time.Second, 50*time.Millisecond)
}

// A case whose workflow was terminated by hand goes on from its record.
func TestATerminatedCaseStartsAgain(t *testing.T) {
	t.Parallel()
	o := openCase(t, "gone-1")
	refusedFault(t, place.Desk.Restart(t.Context(), o.Number, false), "case_running")
	require.NoError(t, place.Temporal.TerminateWorkflow(t.Context(), contract.WorkflowID(o.Number), "", "by mistake"))
	task := o.Number + "-T1"
	complete := func(key string) error {
		return as(casework.Taskforce).Post(t.Context(), "/v1/tasks/"+task+"/complete", key, map[string]any{"input": map[string]any{"by": "phone"}}, nil)
	}
	refused(t, complete("gone-complete-1"), http.StatusServiceUnavailable, "try_again")
	require.NoError(t, place.Desk.Restart(t.Context(), o.Number, false))
	require.NoError(t, complete("gone-complete-1"))
	after, err := demo.All[casework.Task](t.Context(), as(casework.TaskforceOffice), "/v1/tasks?case="+o.Number)
	require.NoError(t, err)
	require.Len(t, after, 1)
	require.Equal(t, casework.AssessNetwork, after[0].Kind)
}

func refusedFault(t *testing.T, err error, code string) {
	t.Helper()
	require.Equal(t, code, casework.AsFault(err).Code)
}
