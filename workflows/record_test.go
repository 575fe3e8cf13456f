//go:build record

package workflows_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/demo"
	"github.com/curbstop/curbstop/devstack"
	"github.com/curbstop/curbstop/policy"
	"github.com/curbstop/curbstop/worker"
)

// generation is the folder of the histories recorded now. A new one begins when
// a new version of workflow.GetVersion makes all cases go another way: those of
// before stay, because cases that began before it go on as they show.
const generation = "asides"

// TestRecord plays cases on a real server and writes their histories for
// TestReplay. It is built only with the tag "record": a history is recorded
// once, when its kind of case is new, and stays.
func TestRecord(t *testing.T) { //nolint:tparallel // the cases share one server, which ends with the last
	stack, err := devstack.Start(t.Context(), devstack.Options{Ephemeral: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stack.Close(context.WithoutCancel(t.Context()))) })
	c, r := recorder(t, stack.TemporalAddress)

	for name, script := range map[string]func(l *live){
		"straight": func(l *live) { l.straight(demo.Choices{}) },
		"follow-up": func(l *live) {
			l.reach(casework.FollowUp, demo.Choices{NotYet: true})
			for range 3 {
				l.finish(casework.FollowUp, demo.Choices{NotYet: true})
			}
			l.finish(casework.FollowUp, demo.Choices{})
			l.straight(demo.Choices{})
		},
		"withdrawal": func(l *live) {
			l.reach(casework.PrepareMaterials, permitsOf(road, green))
			l.finish(casework.PrepareMaterials, demo.Choices{})
			l.finish(casework.FilePermit, demo.Choices{})
			l.finish(casework.RecordPermitResult, demo.Choices{RefusePermit: true})
			l.finish(casework.HandOverPermit, demo.Choices{})
			l.finish(casework.FilePermit, demo.Choices{})
			l.must(casework.Withdraw{By: byCustomer, Reason: "项目取消"})
			l.straight(demo.Choices{})
		},
		"upgrade": func(l *live) {
			l.reach(casework.PrepareMaterials, demo.Choices{Upgrade: true})
			l.must(casework.PauseCase{By: byStaff, Reason: casework.ForceMajeure, Evidence: "暴雨", PlannedEnd: time.Now().Add(time.Hour)})
			l.finish(casework.PrepareMaterials, demo.Choices{})
			l.must(casework.ResumeCase{By: byStaff})
			built := l.on(l.number + "-U1")
			built.straight(demo.Choices{})
			l.save("upgrade-child", built.number)
			require.Eventually(l.t, func() bool { return len(l.snapshot().Tasks) > 0 }, time.Minute, 50*time.Millisecond)
			l.reach(casework.AcceptMeter, demo.Choices{})
			l.finish(casework.AcceptMeter, demo.Choices{MeterFails: true})
			l.reach(casework.Callback, demo.Choices{})
			l.finish(casework.Callback, demo.Choices{Dissatisfied: true})
			l.straight(demo.Choices{})
		},
		// Withdrawn with nothing to undo: the case is gone at once, and must have
		// told the upgrade before.
		"upgrade-withdrawn": func(l *live) {
			l.reach(casework.BriefCustomer, demo.Choices{Upgrade: true})
			built := l.on(l.number + "-U1")
			require.Eventually(l.t, func() bool { return built.snapshot() != nil }, time.Minute, 50*time.Millisecond)
			l.must(casework.Withdraw{By: byCustomer, Reason: "项目取消"})
			require.Eventually(l.t, func() bool { return built.snapshot().Status == casework.Withdrawn }, time.Minute, 50*time.Millisecond)
			l.save("upgrade-withdrawn-child", built.number)
		},
		// Nobody acts until every rung has fired.
		"late": func(l *live) {
			require.Eventually(l.t, func() bool { return l.snapshot().Level == 3 }, 2*time.Minute, 100*time.Millisecond)
			for _, e := range l.snapshot().Escalations {
				l.must(casework.AcknowledgeEscalation{By: byStaff, Escalation: e.ID})
			}
			l.straight(demo.Choices{})
		},
		// Everything that supervisors do, and what their own clocks do.
		"supervised": func(l *live) {
			l.await(func(k *casework.Case) bool { return k != nil })
			contact := l.snapshot().Tasks[0].ID
			l.must(casework.ExtendDeadline{By: byStaff, Deadline: contact, Extra: calendar.Budget{Unit: calendar.WorkingTime, Time: 5 * time.Second}, Reason: "客户外出"})
			l.must(casework.PauseCase{By: byStaff, Reason: casework.CustomerNotReady, Evidence: "来函", PlannedEnd: time.Now().Add(2 * time.Second)})
			l.must(casework.PauseCase{By: byStaff, Reason: casework.ForceMajeure, Evidence: "暴雪", PlannedEnd: time.Now().Add(time.Hour)})
			l.must(casework.ResumeCase{By: byStaff, Reason: casework.ForceMajeure})
			l.await(func(k *casework.Case) bool {
				_, reviewed := k.Live(casework.ReviewPause, string(casework.CustomerNotReady))
				return reviewed
			})
			l.finish(casework.ReviewPause, demo.Choices{PauseGoesOn: true})
			l.must(casework.ResumeCase{By: byStaff})
			require.NoError(l.t, l.c.SignalWorkflow(l.t.Context(), contract.WorkflowID(l.number), "", contract.CalendarChanged, nil))
			old, other := l.snapshot().Terms, policy.Demo().Terms()
			other.PolicyVersion = "demo-other"
			other.Limits["contact_customer"] = calendar.Budget{Unit: calendar.WorkingTime, Time: time.Minute}
			l.must(casework.MovePolicy{By: byStaff, Terms: other, Reason: "新办法"}, casework.MovePolicy{By: byStaff, Terms: old, Reason: "退回"})
			l.must(casework.ClaimTask{By: byStaff, Task: contact}, casework.HandOver{By: byStaff, Person: staff.ID, Reason: "请假"})
			climbed := ""
			l.await(func(k *casework.Case) bool {
				for _, e := range k.Escalations {
					if len(e.Climbs) > 0 {
						climbed = e.ID
					}
				}
				return climbed != ""
			})
			l.must(casework.AnswerEscalation{By: byStaff, Escalation: climbed, Answer: casework.AnswerReassign, Note: "改派", To: &staff},
				casework.CloseEscalation{By: byStaff, Escalation: climbed})
			l.straight(demo.Choices{Permits: []casework.PermitNeed{{Kind: casework.RoadOccupation, AffectsTraffic: true}}})
		},
		// Gas without a credit code, designed twice, with a hazard at commissioning.
		"gas": func(l *live) {
			large := demo.Choices{Large: true, CardPaid: true}
			for _, kind := range []casework.TaskKind{
				casework.ContactCustomer, casework.AssessNetwork, casework.BriefCustomer, casework.ScheduleSurvey, casework.ConductSurvey,
				casework.UploadSurvey, casework.DesignConnection,
			} {
				l.finish(kind, large)
			}
			l.finish(casework.AgreeQuote, demo.Choices{Revise: true})
			l.finish(casework.DesignConnection, large)
			l.must(casework.ConfirmQuote{By: byCustomer})
			l.finish(casework.CompleteDeferred, large)
			l.must(casework.ConfirmContract{By: byCustomer, Kind: casework.SupplyContractKind})
			l.reach(casework.CommissionSupply, large)
			l.finish(casework.CommissionSupply, demo.Choices{Hazard: true})
			l.straight(large)
		},
		// A planned plot: followed up, visited, briefed, applied, supplied.
		"lead": func(l *live) {
			l.await(func(k *casework.Case) bool { return len(k.Tasks) > 0 })
			l.must(enter(l.snapshot().Tasks[0], casework.ContactInput{Nobody: true, Note: "园区尚未定企业"}))
			l.finish(casework.AssessNetwork, demo.Choices{})
			l.finish(casework.FollowUpLead, demo.Choices{})
			l.must(casework.LocateSite{By: byStaff, Position: casework.Position{Lon: 118.33, Lat: 30.91}},
				casework.RecordVisit{By: byStaff, Visit: casework.Visit{VisitedAt: time.Now(), Found: "企业已入驻", NextStep: "告知", NextOn: calendar.DateOf(time.Now()).AddDays(3)},
					Contact: &casework.Contact{Name: "秦刚丽", Phone: "13900007716"}})
			l.finish(casework.BriefCustomer, demo.Choices{})
			l.must(application())
			l.straight(demo.Choices{})
		},
		// Papers that came along, that come later, and with the application of a lead.
		"attachments": func(l *live) {
			filed := func(n int) {
				l.await(func(k *casework.Case) bool {
					return len(k.Tasks) > 0 && len(k.Unfiled()) == 0 && len(k.Request.Attachments) == n
				})
			}
			filed(2)
			platform := casework.By{Actor: casework.Actor{ID: "gonggai", Roles: []casework.Role{casework.Platform}, Districts: []casework.District{casework.AllDistricts}}}
			l.must(casework.BringAttachments{By: platform, Attachments: []casework.Attachment{sent("M2-1", "M1", casework.RequestPaper)}})
			filed(3)
			l.must(enter(l.snapshot().Tasks[0], casework.ContactInput{Nobody: true, Note: "园区尚未定企业"}))
			l.finish(casework.AssessNetwork, demo.Choices{})
			apply := application()
			apply.Request.Attachments = []casework.Attachment{sent("M3-1", "M1", casework.RequestPaper)}
			l.must(apply)
			filed(4)
			l.straight(demo.Choices{})
		},
		// A bad review starts the workflow of a closed case again.
		"reopened": func(l *live) {
			l.straight(demo.Choices{})
			l.ended()
			a := rate(1)
			handle, err := l.c.UpdateWithStartWorkflow(l.t.Context(), client.UpdateWithStartWorkflowOptions{
				StartWorkflowOperation: l.c.NewWithStartWorkflowOperation(l.options(enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE),
					contract.ConnectionWorkflow, contract.CaseInput{Number: l.number, State: l.snapshot()}),
				UpdateOptions: client.UpdateWorkflowOptions{UpdateName: contract.Rate, Args: []any{a}, WaitForStage: client.WorkflowUpdateStageCompleted},
			})
			require.NoError(l.t, err)
			require.NoError(l.t, handle.Get(l.t.Context(), nil))
			require.Equal(l.t, casework.Open, l.snapshot().Status)
			l.straight(demo.Choices{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &live{t: t, c: c, r: r, number: "W-" + name}
			terms := policy.Demo().Terms()
			if name == "supervised" {
				terms.PauseBound = calendar.Budget{Unit: calendar.WorkingTime, Time: 3 * time.Second}
			}
			in := contract.CaseInput{Number: l.number, Request: request(), Terms: terms, By: staff}
			if name == "gas" {
				in.Request.Utility, in.Request.Applicant.CreditCode = casework.Gas, ""
			}
			if name == "lead" || name == "attachments" {
				in.Request = aLead(casework.Water)
			}
			if name == "attachments" {
				r.mu.Lock()
				r.messages = map[string][]byte{"M1": png, "M0": []byte("<html>")} // no other case looks there
				r.mu.Unlock()
				in.Request.Attachments = []casework.Attachment{sent("M1-1", "M1", casework.RequestPaper), sent("M0-1", "M0", casework.RequestPaper)}
			}
			// The server's caches learn of new search attributes within seconds.
			require.EventuallyWithT(t, func(t *assert.CollectT) {
				_, err := c.ExecuteWorkflow(l.t.Context(), l.options(enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE), contract.ConnectionWorkflow, in)
				require.NoError(t, err)
			}, time.Minute, time.Second)
			require.Eventually(t, func() bool { return l.snapshot() != nil }, time.Minute, 50*time.Millisecond)
			script(l)
			l.ended()
			l.save(name, l.number)
			require.Empty(t, r.faultsOf())
		})
	}
}

// recorder readies a namespace and a worker whose records stay in memory.
func recorder(t *testing.T, address string, change ...func(*worker.Activities)) (client.Client, *records) {
	t.Helper()
	// The identity stands in each event: it must not name this machine.
	options := client.Options{HostPort: address, Namespace: contract.Namespace, Identity: "recorder", Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))}
	namespaces, err := client.NewNamespaceClient(options)
	require.NoError(t, err)
	defer namespaces.Close()
	require.NoError(t, namespaces.Register(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: contract.Namespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour)}))
	attributes := map[string]enumspb.IndexedValueType{}
	for _, key := range contract.SearchAttributeKeys() {
		attributes[key.GetName()] = key.GetValueType()
	}
	var c client.Client
	// The server's caches learn of a new namespace within seconds.
	require.Eventually(t, func() bool {
		if c, err = client.DialContext(t.Context(), options); err != nil {
			return false
		}
		_, err = c.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{Namespace: contract.Namespace, SearchAttributes: attributes})
		return err == nil
	}, time.Minute, time.Second, "%v", err)
	t.Cleanup(c.Close)
	r := newRecords()
	over := effects(r, kept)
	for _, f := range change {
		f(&over)
	}
	w := worker.New(c, over, worker.Options{BuildID: "recorder"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	return c, r
}

// TestRecordHandOvers plays an absence that ends early, and somebody who leaves.
func TestRecordHandOvers(t *testing.T) {
	t.Parallel()
	stack, err := devstack.Start(t.Context(), devstack.Options{Ephemeral: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stack.Close(context.WithoutCancel(t.Context()))) })
	d := newDesk(t, li)
	d.now = time.Now
	d.absence.From, d.absence.To = time.Now().Add(30*time.Second), time.Now().Add(time.Hour)
	c, r := recorder(t, stack.TemporalAddress, func(a *worker.Activities) {
		a.HandOvers = &activities.HandOvers{Book: d, Cases: d, Now: time.Now}
	})
	for name, workflow := range map[string]struct {
		cause, kind string
		input       any
	}{
		"absence":   {d.absence.Cause(), contract.AbsenceWorkflow, contract.AbsenceInput{Absence: d.absence}},
		"hand-over": {d.handOver.Cause(), contract.HandOverWorkflow, contract.HandOverInput{HandOver: d.handOver}},
	} {
		_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: workflow.cause, TaskQueue: contract.TaskQueue}, workflow.kind, workflow.input)
		require.NoError(t, err)
		if name == "absence" {
			// Once it has begun, and looks again in a quarter of an hour.
			require.Eventually(t, func() bool { return time.Now().After(d.absence.From.Add(5 * time.Second)) }, time.Minute, time.Second)
			d.absence.EndedAt = time.Now()
			require.NoError(t, c.SignalWorkflow(t.Context(), workflow.cause, "", contract.AbsenceChanged, nil))
		} else {
			handle, err := c.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{WorkflowID: workflow.cause, UpdateName: contract.HandedOver, WaitForStage: client.WorkflowUpdateStageCompleted})
			require.NoError(t, err)
			require.NoError(t, handle.Get(t.Context(), nil))
		}
		(&live{t, c, r, workflow.cause}).saveID(name, workflow.cause)
	}
}

func (r *records) faultsOf() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.faults
}

// live acts on a case on a real server.
type live struct {
	t      *testing.T
	c      client.Client
	r      *records
	number string
}

func (l *live) on(number string) *live { return &live{l.t, l.c, l.r, number} }

func (l *live) options(reuse enumspb.WorkflowIdReusePolicy) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: contract.WorkflowID(l.number), TaskQueue: contract.TaskQueue, StaticSummary: "接入报装 " + l.number,
		WorkflowIDReusePolicy: reuse, WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		TypedSearchAttributes: contract.SearchAttributes(request(), casework.Lane101),
	}
}

func (l *live) snapshot() *casework.Case {
	k, err := l.r.Case(l.t.Context(), l.number)
	require.NoError(l.t, err)
	return k
}

func (l *live) must(actions ...casework.Action) {
	l.t.Helper()
	for _, a := range actions {
		if c, ok := a.(casework.CompleteTask); ok && c.Kind == casework.CompleteEntry {
			require.Eventually(l.t, func() bool { return len(l.snapshot().MissingDocuments()) == 0 }, time.Minute, 50*time.Millisecond)
		}
		handle, err := l.c.UpdateWorkflow(l.t.Context(), client.UpdateWorkflowOptions{
			WorkflowID: contract.WorkflowID(l.number), UpdateName: contract.UpdateName(a), Args: []any{a}, WaitForStage: client.WorkflowUpdateStageCompleted})
		require.NoError(l.t, err)
		require.NoError(l.t, handle.Get(l.t.Context(), nil), "%T", a)
	}
}

func (l *live) finish(kind casework.TaskKind, c demo.Choices) {
	l.t.Helper()
	k := l.snapshot()
	for _, t := range k.Tasks {
		if t.Kind == kind {
			l.must(complete(k, t, c, time.Now().In(calendar.Shanghai))...)
			return
		}
	}
	require.FailNow(l.t, "no such task", "%s", kind)
}

func (l *live) reach(kind casework.TaskKind, c demo.Choices) {
	l.t.Helper()
	l.work(c, func(k *casework.Case) bool {
		for i := range k.Tasks {
			if k.Tasks[i].Kind == kind {
				return true
			}
		}
		return false
	})
}

func (l *live) straight(c demo.Choices) {
	l.t.Helper()
	l.work(c, func(k *casework.Case) bool { return k.Status.Ended() })
}

func (l *live) work(c demo.Choices, enough func(*casework.Case) bool) {
	l.t.Helper()
	require.Eventually(l.t, func() bool { return l.snapshot() != nil }, time.Minute, 50*time.Millisecond)
	for range 60 {
		k := l.snapshot()
		if enough(k) {
			return
		}
		require.NotEmpty(l.t, k.Tasks, "nothing to do in %s", k.Stage)
		l.finish(k.Tasks[0].Kind, c)
	}
	require.FailNow(l.t, "sixty tasks did not lead there")
}

// await waits until the records show something.
func (l *live) await(shows func(k *casework.Case) bool) {
	l.t.Helper()
	require.Eventually(l.t, func() bool { return shows(l.snapshot()) }, time.Minute, 50*time.Millisecond)
}

// ended waits until the workflow itself has ended.
func (l *live) ended() {
	l.t.Helper()
	require.NoError(l.t, l.c.GetWorkflow(l.t.Context(), contract.WorkflowID(l.number), "").Get(l.t.Context(), nil))
}

// save writes the history of a case's last run.
func (l *live) save(name, number string) {
	l.t.Helper()
	l.saveID(name, contract.WorkflowID(number))
}

// saveID writes the history of a workflow's last run.
func (l *live) saveID(name, id string) {
	l.t.Helper()
	require.NoError(l.t, l.c.GetWorkflow(l.t.Context(), id, "").Get(l.t.Context(), nil))
	h := &historypb.History{}
	for events := l.c.GetWorkflowHistory(l.t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		e, err := events.Next()
		require.NoError(l.t, err)
		h.Events = append(h.Events, e)
	}
	b, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(h)
	require.NoError(l.t, err)
	// The sticky queues of the worker are named after this machine.
	host, err := os.Hostname()
	require.NoError(l.t, err)
	b = bytes.ReplaceAll(b, []byte(`"`+host+":"), []byte(`"recorder:`))
	file := filepath.Join("testdata", "histories", generation, name+".json")
	require.NoError(l.t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(l.t, os.WriteFile(file, b, 0o644))
	l.t.Logf("%s: %d events, %d bytes", file, len(h.Events), len(b))
}
