package casework_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// Each zero is lost by the contact that cost the customer something, and once.
func TestScoreCountsWhatCostTheCustomer(t *testing.T) {
	t.Parallel()
	for channel, broken := range map[casework.Channel][]casework.Zero{
		casework.IndustrialPark: {}, casework.Outreach: {}, casework.ProjectApproval: {},
		casework.WeChat: {casework.ZeroApplication}, casework.GovPortal: {casework.ZeroApplication},
		casework.ServiceHallDesk: {casework.ZeroErrand},
	} {
		r := soundRequest()
		r.Channel = channel
		k := casework.NewCase("W1", r, terms(), able, received)
		require.Equal(t, casework.Score{Kept: 7 - len(broken), Broken: broken}, k.Score(), channel)
	}
	r := soundRequest()
	r.Channel = casework.WeChat
	k := casework.NewCase("W1", r, terms(), able, received)
	for range 2 {
		next, err := k.Try(casework.ProposeCharge{By: byAble, Charge: casework.Charge{Kind: casework.CustomerRequest, Amount: 5, Note: "x"}}, now)
		require.NoError(t, err)
		k = next
	}
	k.Need(casework.ConductSurvey, "", 1, received, received)
	next, err := k.Try(casework.CompleteTask{By: byAble, Task: "W1-T1", Input: json.RawMessage(`{"conducted_at":"2026-11-23T10:30:00+08:00","customer_present":true,
		"not_yet":{"reason":"x","explained":true,"follow_up_on":"2026-11-23"}}`)}, now)
	require.NoError(t, err)
	// In the order of the measures, not in that of the events.
	require.Equal(t, casework.Score{Kept: 4, Broken: []casework.Zero{casework.ZeroVisit, casework.ZeroApplication, casework.ZeroFee}}, next.Score())
	require.Equal(t, 4, next.Contacts)
}

// A stage that was passed is never entered again, however often it is named.
func TestStagesAreEnteredOnceAndForward(t *testing.T) {
	t.Parallel()
	k := casework.NewCase("W1", soundRequest(), terms(), able, received)
	for range 3 {
		for _, s := range casework.Stages() {
			k.Enter(s, now)
		}
	}
	var entered []casework.Stage
	for _, e := range k.TakeChanges().Events {
		if e.Kind == casework.StageEntered {
			entered = append(entered, e.Stage)
		}
	}
	require.Equal(t, casework.Stages(), entered)
}

// Needing a task twice opens it once, and its number is never used again.
func TestNeedOpensOneTaskOfAKind(t *testing.T) {
	t.Parallel()
	k, first := newCase(t, casework.ContactCustomer, "")
	k.Need(casework.ContactCustomer, "", 2, received, now)
	require.Equal(t, []casework.Task{first}, k.Tasks)
	k.Need(casework.Rectify, "network", 1, received, now)
	rectify, ok := k.Live(casework.Rectify, "network")
	require.True(t, ok)
	require.Equal(t, casework.Task{
		ID: "W1-T2", Case: "W1", Kind: casework.Rectify, Qualifier: "network", Round: 1, Stage: casework.Evaluation,
		Role: casework.Network, Department: "network", State: casework.TaskOpen, OpenedAt: now, Anchor: received,
	}, *rectify)
	require.Equal(t, "整改·管网运行部", rectify.Title())
}

// The upgrade's first event belongs to its own workflow: what is recorded in a
// value does not travel with it.
func TestUpgradeIsOpenedWhereItRuns(t *testing.T) {
	t.Parallel()
	parent := casework.NewCase("W1", soundRequest(), terms(), able, received)
	k := casework.NewUpgrade("W1-U1", parent, now).Clone()
	require.Zero(t, k.Version)
	k.BeginUpgrade(now)
	k.BeginUpgrade(now)
	events := k.TakeChanges().Events
	require.Len(t, events, 1)
	require.Equal(t, int64(1), events[0].N)
	require.Equal(t, casework.Received, events[0].Kind)
	require.Equal(t, int64(1), k.Version)
	require.Equal(t, casework.Contact{}, k.Request.Contact)
}

// Ending a case ends its pause, so that one opened again is not paused for ever.
func TestEndEndsThePause(t *testing.T) {
	t.Parallel()
	k, _ := newCase(t, casework.ContactCustomer, "")
	k, err := k.Try(casework.PauseCase{By: byAble, Reason: casework.ForceMajeure, Evidence: "x", PlannedEnd: now.Add(time.Hour)}, now)
	require.NoError(t, err)
	require.Equal(t, now.Add(time.Hour).UTC(), k.NextWake().UTC())
	k.End(casework.Closed, now.Add(time.Minute))
	require.Equal(t, now.Add(time.Minute), k.Pauses[0].To)
}

// A permit receipt is needed for each permit, and only where there is one.
func TestRequiredDocuments(t *testing.T) {
	t.Parallel()
	k := casework.NewCase("W1", soundRequest(), terms(), able, received)
	require.Len(t, k.RequiredDocuments(), 7)
	k.Permits = []casework.Permit{{}, {}}
	require.Len(t, k.RequiredDocuments(), 8)
	for _, kind := range k.RequiredDocuments() {
		k.Documents = append(k.Documents, casework.Document{ID: string(kind), Kind: kind})
	}
	require.Equal(t, []casework.DocumentKind{casework.PermitReceipt}, k.MissingDocuments())
	k.Documents = append(k.Documents, casework.Document{ID: "second", Kind: casework.PermitReceipt})
	require.Empty(t, k.MissingDocuments())
}

func TestPermitRoute(t *testing.T) {
	t.Parallel()
	require.Equal(t, casework.JointCommitment, casework.PermitNeed{}.Route())
	require.Equal(t, casework.OrdinaryRoute, casework.PermitNeed{FellsTrees: true}.Route())
	require.Equal(t, casework.OrdinaryRoute, casework.PermitNeed{AffectsTraffic: true}.Route())
}

// The rungs of several deadlines fire in the order of their moments.
func TestFireKeepsTheOrderOfMoments(t *testing.T) {
	t.Parallel()
	k, _ := newCase(t, casework.ContactCustomer, "")
	cal, err := calendar.New(calendar.Seed(), terms().Hours)
	require.NoError(t, err)
	k.Terms.Limits["brief_customer"] = calendar.Budget{Unit: calendar.WorkingTime, Time: 3 * time.Hour}
	k.Need(casework.BriefCustomer, "", 1, received, received)
	stale := k.Unworked()
	require.Len(t, stale, 2)
	for i := range stale {
		stale[i] = stale[i].WorkOut(cal, "v")
	}
	k.Worked(stale, received)
	k.TakeChanges()
	require.Equal(t, "2026-11-23 11:00", casework.Clock(k.NextWake()))
	k.Fire(received.AddDate(0, 0, 7))
	var fired []string
	for _, e := range k.TakeChanges().Escalations {
		fired = append(fired, e.ID+" "+casework.Clock(e.RungAt))
	}
	require.Equal(t, []string{
		"W1-T2/reminder 2026-11-23 11:00", "W1-T2/breach 2026-11-23 15:00", "W1-T2/taskforce_lead 2026-11-24 10:00",
		"W1-T1/reminder 2026-11-24 15:30", "W1-T1/breach 2026-11-24 17:30", "W1-T1/taskforce_lead 2026-11-25 14:30",
		"W1-T2/management 2026-11-25 17:30", "W1-T1/management 2026-11-26 17:30",
	}, fired)
	require.True(t, k.NextWake().IsZero())
	k.Fire(received.AddDate(0, 0, 8))
	require.False(t, k.Changed(), "a rung fires once")
}

// Whoever completes a task first after a downtime does not act its breach away:
// what fell due before goes on record before.
func TestBreachIsOnRecordBeforeTheActThatComesLate(t *testing.T) {
	t.Parallel()
	k, task := newCase(t, casework.ContactCustomer, "")
	cal, err := calendar.New(calendar.Seed(), terms().Hours)
	require.NoError(t, err)
	k.Worked([]casework.Deadline{k.Unworked()[0].WorkOut(cal, "v")}, received)
	k.TakeChanges()
	late := time.Date(2026, 11, 24, 18, 0, 0, 0, calendar.Shanghai) // half an hour after the breach
	next, err := k.Try(casework.CompleteTask{By: byAble, Task: task.ID, Input: json.RawMessage(`{"by":"phone"}`)}, late)
	require.NoError(t, err)
	changes := next.TakeChanges()
	var kinds []casework.EventKind
	for _, e := range changes.Events {
		kinds = append(kinds, e.Kind)
	}
	require.Equal(t, []casework.EventKind{casework.RungFired, casework.RungFired, casework.TaskCompleted}, kinds)
	require.Len(t, changes.Escalations, 2)
}
