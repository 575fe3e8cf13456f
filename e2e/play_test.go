package e2e_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/demo"
)

// The demo's own play is the widest test: every stage, branch and escalation,
// on the real list, through HTTP.
func TestPlayOnTheRealList(t *testing.T) {
	t.Parallel()
	p := &demo.Play{Base: "http://" + place.Address, Tokens: place.tokens, Hurry: true, Say: t.Logf}
	list, err := p.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, 121, list.Counts.Rows)
	require.Equal(t, 89+53, list.Counts.Cases, "water and gas")
	require.Equal(t, 6, list.Counts.Kept, "six that can't be read")
	require.NoError(t, p.Await(t.Context(), 2*time.Minute))

	numbers := map[string]bool{}
	for _, row := range list.Rows {
		for _, c := range row.Cases {
			numbers[c.Number] = true
		}
	}
	lines, err := demo.All[casework.CaseLine](t.Context(), as(casework.TaskforceOffice), "/v1/cases?kind=connection&channel=industrial_park")
	require.NoError(t, err)
	lines = checkLeads(t, lines)
	// The stand-in for the platforms, beside this play, is a park too.
	lines = slices.DeleteFunc(lines, func(l casework.CaseLine) bool { return !numbers[l.Number] })
	require.Len(t, lines, len(numbers))
	seen := map[casework.Status]bool{}
	stages := map[casework.Stage]bool{}
	for _, l := range lines {
		seen[l.Status] = true
		if l.Status.Ended() {
			checkEnded(t, l)
			continue
		}
		stages[l.Stage] = true
	}
	require.Equal(t, map[casework.Status]bool{casework.Open: true, casework.Paused: true, casework.Withdrawn: true, casework.Closed: true}, seen)
	for _, s := range casework.Stages() {
		require.True(t, stages[s], "no case was left open in %s", s)
	}
	checkEscalations(t)
	checkMessages(t)
	checkVisibility(t)

	// The same list once more: nothing is accepted twice.
	again, err := as(casework.ServiceHall).List(t.Context(), demo.ListName, bytes.NewReader(demo.ParkList()))
	require.NoError(t, err)
	require.Equal(t, 115, again.Counts.AcceptedBefore)
	require.Equal(t, 6, again.Counts.Kept)
	kept, err := demo.All[casework.KeptRow](t.Context(), as(casework.TaskforceOffice), "/v1/request-lists/"+demo.ListName+"/kept")
	require.NoError(t, err)
	require.Len(t, kept, 6, "rows that can't be read")
}

// checkLeads looks at the planned plots, one of which applied and was connected
// by what the register proposed, and gives the cases of the list.
func checkLeads(t *testing.T, all []casework.CaseLine) (others []casework.CaseLine) {
	t.Helper()
	waiting, applied := 0, 0
	for _, l := range all {
		k, err := place.Store.Case(t.Context(), l.Number)
		require.NoError(t, err)
		switch {
		case k.Request.Site.Plot == "":
			others = append(others, l)
		case l.Lead:
			waiting++
			require.Equal(t, casework.WaitingLead, k.StageTitle())
			require.NotEmpty(t, k.Assessment.Main)
			require.Equal(t, k.Assessment.Main, k.Proposed.Main)
		default:
			applied++
			require.Equal(t, casework.Closed, l.Status)
			require.NotNil(t, k.Applied)
			require.Len(t, k.Visits, 1)
		}
	}
	require.Equal(t, [2]int{3, 1}, [2]int{waiting, applied})
	return others
}

// checkEnded looks at the whole record of a case that came to its end.
func checkEnded(t *testing.T, l casework.CaseLine) {
	t.Helper()
	k, err := place.Store.Case(t.Context(), l.Number)
	require.NoError(t, err)
	require.Empty(t, k.Tasks, l.Number)
	require.Empty(t, k.Deadlines, l.Number)
	if l.Status == casework.Closed {
		require.Empty(t, k.MissingDocuments(), l.Number)
		require.True(t, k.Evaluated.Closed(), l.Number)
	}
	events, err := demo.All[casework.Event](t.Context(), as(casework.Auditor), "/v1/cases/"+l.Number+"/timeline")
	require.NoError(t, err)
	for i, e := range events {
		require.Equal(t, int64(i+1), e.N, l.Number)
	}
	require.Equal(t, k.Version, int64(len(events)), l.Number)
	require.Equal(t, casework.Received, events[0].Kind)
}

// checkEscalations sees that every rung was recorded once, and that the top of
// the ladder was reached by way of every rung below.
func checkEscalations(t *testing.T) {
	t.Helper()
	all, err := demo.All[casework.Escalation](t.Context(), as(casework.TaskforceLead), "/v1/escalations")
	require.NoError(t, err)
	rungs := map[string]map[casework.RungName]time.Time{}
	for _, e := range all {
		if rungs[e.Deadline] == nil {
			rungs[e.Deadline] = map[casework.RungName]time.Time{}
		}
		_, twice := rungs[e.Deadline][e.Rung]
		require.False(t, twice && e.Deadline != casework.LaneDeadline, e.ID)
		rungs[e.Deadline][e.Rung] = e.RungAt
	}
	top := 0
	for deadline, fired := range rungs {
		if fired[casework.RungManagement].IsZero() {
			continue
		}
		top++
		require.True(t, fired[casework.RungBreach].Before(fired[casework.RungLead]), deadline)
		require.True(t, fired[casework.RungLead].Before(fired[casework.RungManagement]), deadline)
	}
	require.GreaterOrEqual(t, top, 3)
}

// checkMessages sees that every rung was told once, through the one outlet that
// there is, or was over before; the top rung's was told in any case.
func checkMessages(t *testing.T) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		escalations, err := demo.All[casework.Escalation](context.Background(), as(casework.TaskforceLead), "/v1/escalations")
		require.NoError(c, err)
		messages, err := demo.All[casework.MessageLine](context.Background(), as(casework.TaskforceLead), "/v1/messages")
		require.NoError(c, err)
		told := map[string]casework.Delivery{}
		for _, m := range messages {
			require.Len(c, m.Deliveries, 1, m.ID)
			d := m.Deliveries[0]
			told[m.ID] = d
			require.Equal(c, "log", d.Outlet)
			if d.State == casework.DeliverySent {
				require.Equal(c, m.Text.ZH, d.Sent.Text)
				require.Equal(c, 1, d.Attempts, m.ID)
				continue
			}
			if d.State == casework.DeliveryPending && time.Since(m.At) < 20*time.Second {
				continue // the cases of other tests climb on meanwhile
			}
			require.Equal(c, casework.DeliveryMoot, d.State, m.ID)
			require.False(c, m.Top, m.ID)
		}
		require.Len(c, told, len(messages))
		for _, e := range escalations {
			require.Contains(c, told, e.ID)
		}
	}, time.Minute, 500*time.Millisecond)
}

// checkVisibility sees that the Temporal UI's list finds by search attributes
// the cases that the records show escalated.
func checkVisibility(t *testing.T) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		lines, err := demo.All[casework.CaseLine](context.Background(), as(casework.TaskforceOffice), "/v1/cases?level=1")
		require.NoError(c, err)
		open := 0
		for _, l := range lines {
			if !l.Status.Ended() {
				open++
			}
		}
		count, err := place.Temporal.CountWorkflow(context.Background(), &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: contract.Namespace, Query: "ExecutionStatus = 'Running' AND CurbstopLevel > 0"})
		require.NoError(c, err)
		require.Equal(c, int64(open), count.GetCount())
		require.Positive(c, open)
	}, 30*time.Second, 500*time.Millisecond)
}
