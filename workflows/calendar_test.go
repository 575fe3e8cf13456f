package workflows_test

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/policy"
	"github.com/curbstop/curbstop/worker"
)

// CalendarMoves looks through the records as the store does.
func (r *records) CalendarMoves(_ context.Context, n calendar.Notices, behind string, each func(string, []casework.DeadlineMove) error) error {
	r.mu.Lock()
	numbers := slices.Sorted(maps.Keys(r.cases))
	r.mu.Unlock()
	for _, number := range numbers {
		k, _ := r.Case(context.Background(), number)
		if k == nil || number <= behind {
			continue
		}
		cal, err := calendar.New(n, k.Terms.Hours)
		if err != nil {
			return err
		}
		var moves []casework.DeadlineMove
		for i := range k.Deadlines {
			if m, moved := k.Deadlines[i].MoveBy(cal); moved {
				moves = append(moves, m)
			}
		}
		if err := each(number, moves); err != nil {
			return err
		}
	}
	return nil
}

func (r *records) Told(context.Context, string, int) error    { return nil }
func (r *records) Settled(context.Context, string, int) error { return nil }

// signals notes what was sent to whom.
type signals struct{ sent []string }

func (s *signals) SignalWorkflow(_ context.Context, id, _, name string, _ any) error {
	if name == contract.CalendarChanged {
		s.sent = append(s.sent, id)
	}
	return nil
}

// tell has the cases looked at that the calendar in force moves, and gives the
// workflows that were told.
func tell(t *testing.T, r *records) []string {
	t.Helper()
	sent := &signals{}
	c := &activities.Calendar{Records: r, Signaller: sent, Terms: termsInForce}
	suite := &testsuite.WorkflowTestSuite{}
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(c)
	_, err := env.ExecuteActivity(c.TellCases, contract.CalendarImport{Version: r.notices.Version()})
	require.NoError(t, err)
	return sent.sent
}

// spring is the notice for 2020, in which the Spring Festival ended on Thursday
// 30 January and Saturday 1 February was a make-up working day.
func spring(t *testing.T) calendar.Notices {
	t.Helper()
	days := []calendar.Day{
		{Date: calendar.Date{Year: 2020, Month: 1, Day: 1}, Kind: calendar.Holiday, Name: "元旦", Notice: "国办发明电〔2019〕16号"},
		{Date: calendar.Date{Year: 2020, Month: 1, Day: 19}, Kind: calendar.Workday, Name: "春节", Notice: "国办发明电〔2019〕16号"},
		{Date: calendar.Date{Year: 2020, Month: 2, Day: 1}, Kind: calendar.Workday, Name: "春节", Notice: "国办发明电〔2019〕16号"},
	}
	for d := 24; d <= 30; d++ {
		days = append(days, calendar.Day{Date: calendar.Date{Year: 2020, Month: 1, Day: d}, Kind: calendar.Holiday, Name: "春节", Notice: "国办发明电〔2019〕16号"})
	}
	n, err := calendar.NewNotices("2020", days)
	require.NoError(t, err)
	return n
}

// prolonged is the emergency notice of late January 2020: the festival was
// prolonged to Sunday 2 February, over the make-up day.
const prolonged = "date,kind,name,source_notice\n2020-01-31,holiday,春节,国办发明电〔2020〕1号\n2020-02-01,holiday,春节,国办发明电〔2020〕1号\n"

// An emergency notice moves an open deadline once. Rungs that fired stay fired,
// and those that come later come by the new calendar.
func TestEmergencyNoticeMovesOpenDeadlinesOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		start, before, after string
		fired, later         []string
	}{
		"an open deadline": {"2020-01-23 16:00", "2020-01-31 17:30", "2020-02-03 17:30", nil,
			[]string{"T1 reminder 2020-02-03 15:30", "T1 breach 2020-02-03 17:30", "T1 taskforce_lead 2020-02-04 14:30", "T1 management 2020-02-05 17:30"}},
		"a ladder under way": {"2020-01-21 10:00", "2020-01-22 17:30", "2020-01-22 17:30",
			[]string{"T1 reminder 2020-01-22 15:30", "T1 breach 2020-01-22 17:30", "T1 taskforce_lead 2020-01-23 14:30"},
			[]string{"T1 management 2020-02-03 17:30"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRecords()
			r.notices = spring(t)
			b := newBookAt(t, at(t, c.start), r)
			b.play(func(p *people) {
				contact := p.task(casework.ContactCustomer)
				require.Equal(t, c.before, p.due(contact))
				p.until("2020-01-27 12:00")
				require.ElementsMatch(t, c.fired, ladder(p.ledger, 0))

				plan, err := casework.CalendarImport{File: []byte(prolonged), Year: 2020, Amend: true}.Plan(r.notices, "2020-emergency")
				require.NoError(t, err)
				require.Error(t, plan.Accept(false), "13 days off in a year of 11")
				r.notices = plan.Notices
				told := tell(t, r)
				require.Equal(t, []string{contract.WorkflowID(caseNumber)}, told)
				p.env.SignalWorkflow(contract.CalendarChanged, nil)
				p.wait(time.Second)
				require.Equal(t, c.after, p.due(contact))
				require.Equal(t, "2020-emergency", p.deadlines[contact.ID].CalendarVersion)
				require.Equal(t, 1, p.count(casework.DeadlinesMoved))
				require.Empty(t, tell(t, r), "a case that has followed is not told again")

				// A signal that comes twice moves nothing.
				moved := p.deadlines[contact.ID]
				p.env.SignalWorkflow(contract.CalendarChanged, nil)
				p.wait(time.Second)
				require.Equal(t, moved, p.deadlines[contact.ID])

				p.until("2020-02-06 09:00")
				require.Equal(t, append(slices.Clone(c.fired), c.later...), ladder(p.ledger, 0))
				p.leave()
			})
		})
	}
}

func newCalendarEnv(t *testing.T, r *records, start string, id string) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	suite := &testsuite.WorkflowTestSuite{}
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetDataConverter(converter.GetDefaultDataConverter())
	env.SetStartTime(at(t, start))
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: id, TaskQueue: contract.TaskQueue})
	worker.Register(env, effects(r, kept))
	return env
}

// The cases are looked at again until none is left that has not followed, or
// until it is for a person to look.
func TestImportLooksAgainUntilAllHaveFollowed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		told []int
		left int
		took time.Duration
	}{
		"nobody to tell":   {[]int{0, 0}, 0, time.Minute},
		"all follow":       {[]int{40, 0}, 0, time.Minute},
		"some are slow":    {[]int{40, 3, 1, 0}, 0, 7 * time.Minute},
		"one never does":   {[]int{2, 1, 1, 1, 1, 1, 1}, 1, 63 * time.Minute},
		"found at a later": {[]int{0, 1, 0}, 0, 3 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newCalendarEnv(t, newRecords(), "2026-11-16 09:00", contract.CalendarImportID("v1"))
			looks := 0
			env.OnActivity("TellCases", mock.Anything, contract.CalendarImport{Version: "v1"}).Return(func(context.Context, contract.CalendarImport) (int, error) {
				looks++
				return c.told[looks-1], nil
			})
			var settled []activities.SettleInput
			env.OnActivity("SettleImport", mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.SettleInput) error {
				settled = append(settled, in)
				return nil
			})
			began := env.Now()
			env.ExecuteWorkflow(contract.CalendarImportWorkflow, contract.CalendarImport{Version: "v1"})
			require.NoError(t, env.GetWorkflowError())
			require.Len(t, c.told, looks)
			require.Equal(t, []activities.SettleInput{{Version: "v1", Left: c.left}}, settled)
			require.Equal(t, c.took, env.Now().Sub(began).Round(time.Second))
		})
	}
}

// The watch opens the duty of the next year once, from 15 November on, and
// nothing while the notice is there.
func TestWatchOpensTheDutyOnce(t *testing.T) {
	t.Parallel()
	for start, year := range map[string]string{
		"2026-11-14 09:00": "", "2026-11-15 09:00": "2027", "2026-12-31 09:00": "2027", "2027-01-04 09:00": "2027", "2025-11-20 09:00": "",
	} {
		t.Run(start, func(t *testing.T) {
			t.Parallel()
			r := newRecords()
			env := newCalendarEnv(t, r, start, "test")
			env.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
				for range 2 {
					if err := workflow.ExecuteChildWorkflow(ctx, contract.CalendarWatchWorkflow).Get(ctx, nil); err != nil {
						return err
					}
				}
				return workflow.Sleep(ctx, time.Minute)
			}, workflow.RegisterOptions{Name: "TwoDays"})
			env.SetDetachedChildWait(false)
			env.ExecuteWorkflow("TwoDays")
			require.NoError(t, env.GetWorkflowError())
			var opened []string
			for number := range r.cases {
				opened = append(opened, number)
			}
			if year == "" {
				require.Empty(t, opened)
				return
			}
			require.Equal(t, []string{"D" + year + "-notice"}, opened)
			require.Equal(t, []string{"import_notice/" + year}, r.of(opened[0]).kinds())
			require.Equal(t, 1, r.of(opened[0]).count(casework.TaskOpened))
			require.Empty(t, r.faults)
		})
	}
}

// The duty climbs its ladder like any task, and ends by itself when the notice
// of its own year has come in.
func TestDutyEndsWithTheNotice(t *testing.T) {
	t.Parallel()
	r := newRecords()
	number := casework.NoticeDutyNumber(2027)
	env := newCalendarEnv(t, r, "2026-11-16 09:00", contract.WorkflowID(number))
	duty := r.of(number)
	env.SetTestTimeout(20 * time.Second)
	env.RegisterDelayedCallback(func() {
		require.Equal(t, []string{"import_notice/2027"}, duty.kinds())
		require.Contains(t, details(t, env), "例行事务：导入 2027 年放假通知")
		require.Contains(t, details(t, env), "2026-11-30 17:30")
		env.SignalWorkflow(contract.NoticeImported, nil) // of another year, for all that anybody knows
	}, time.Hour)
	env.RegisterDelayedCallback(func() {
		require.Equal(t, casework.Open, duty.snapshot.Status)
		var err error
		r.notices, err = r.notices.Amend("v2", []calendar.Day{{Date: calendar.Date{Year: 2027, Month: 1, Day: 1}, Kind: calendar.Holiday}})
		require.NoError(t, err)
		env.SignalWorkflow(contract.NoticeImported, nil)
	}, at(t, "2026-11-30 18:00").Sub(env.Now()))
	env.ExecuteWorkflow(contract.NoticeDutyWorkflow, contract.CaseInput{Number: number, State: casework.NewNoticeDuty(2027, policy.Default().Terms(), env.Now())})
	require.NoError(t, env.GetWorkflowError())
	require.Empty(t, r.faults)
	require.Equal(t, casework.Closed, duty.snapshot.Status)
	require.Equal(t, []rung{{number + "-T1", "2026-11-30 15:30"}, {number + "-T1", "2026-11-30 17:30"}}, duty.rungs())
	require.Equal(t, casework.TaskDone, duty.tasks[number+"-T1"].State)
	require.Equal(t, "2026-11-30 18:00", casework.Clock(duty.snapshot.EndedAt))
}

// A notice that came in before the duty began leaves nothing to do.
func TestDutyOfANoticeThatIsThereEndsAtOnce(t *testing.T) {
	t.Parallel()
	r := newRecords()
	number := casework.NoticeDutyNumber(2026)
	env := newCalendarEnv(t, r, "2025-11-16 09:00", contract.WorkflowID(number))
	env.ExecuteWorkflow(contract.NoticeDutyWorkflow, contract.CaseInput{Number: number, State: casework.NewNoticeDuty(2026, policy.Default().Terms(), env.Now())})
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, casework.Closed, r.of(number).snapshot.Status)

	env = newCalendarEnv(t, r, "2025-11-16 09:00", "case/W1")
	env.ExecuteWorkflow(contract.NoticeDutyWorkflow, contract.CaseInput{Number: "W1", State: &casework.Case{Number: "W1"}})
	require.ErrorContains(t, env.GetWorkflowError(), "not the duty of a year")
}

// details is what the Temporal UI shows of the workflow.
func details(t *testing.T, env *testsuite.TestWorkflowEnvironment) string {
	t.Helper()
	v, err := env.QueryWorkflow("__temporal_workflow_metadata")
	require.NoError(t, err)
	var metadata sdkpb.WorkflowMetadata
	require.NoError(t, v.Get(&metadata))
	return metadata.GetCurrentDetails()
}
