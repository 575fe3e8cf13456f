package workflows_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/demo"
)

var upgrade = demo.Choices{Upgrade: true}

// The upgrade is a case of its own with its own tasks; the connection goes on
// beside it and only its task order waits. The service limit stands meanwhile.
func TestTaskOrderWaitsForTheUpgrade(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.reach(casework.BriefCustomer, upgrade)
		built := p.on(upgradeNumber)
		require.Equal(t, []string{"design_upgrade"}, built.kinds())
		require.Equal(t, casework.Received, built.events[0].Kind)
		require.Equal(t, casework.Contact{}, built.snapshot.Request.Contact, "the crews have no business with the customer's phone")
		p.reach(casework.PrepareMaterials)
		p.finish(casework.PrepareMaterials)
		require.Empty(t, p.kinds())
		require.Equal(t, casework.Construction, p.snapshot.Stage)
		require.True(t, p.snapshot.TaskOrderAt.IsZero())
		p.until("2026-12-15 11:00")
		require.Empty(t, p.snapshot.Escalations, "nothing is late while the upgrade is built")
		d, _ := p.snapshot.Deadline(casework.LaneDeadline)
		require.True(t, d.Due.Stopped)
		left := d.Due.Remaining

		for _, kind := range []casework.TaskKind{casework.DesignUpgrade, casework.BuildUpgrade, casework.CommissionUpgrade} {
			require.Equal(t, []string{string(kind)}, built.kinds())
			require.Equal(t, casework.Upgrade, built.finish(kind).Stage)
		}
		require.Equal(t, casework.Closed, built.snapshot.Status)
		require.Equal(t, []string{"enter_site"}, p.kinds())
		require.False(t, p.snapshot.Upgrade.Pending())
		d, _ = p.snapshot.Deadline(casework.LaneDeadline)
		// What was left of the working day when the clock stopped is there still.
		require.Equal(t, hours(t).Add(p.snapshot.Upgrade.DoneAt, left).UTC(), d.Due.At.UTC())
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.Equal(t, 1, b.count(casework.UpgradeFinished))
	requireNothingLeft(t, b.records.of(upgradeNumber))
}

// The task order goes out when the last of its three conditions is met,
// whichever that is, and not before.
func TestTaskOrderWaitsForTheLastCondition(t *testing.T) {
	t.Parallel()
	materials := func(p *people) { p.finish(casework.PrepareMaterials) }
	permit := func(p *people) {
		p.finish(casework.FilePermit)
		require.True(p.t, p.snapshot.TaskOrderAt.IsZero())
		p.finish(casework.RecordPermitResult)
	}
	built := func(p *people) { p.on(upgradeNumber).straight() }
	for name, order := range map[string][]func(*people){
		"materials": {permit, built, materials},
		"permit":    {built, materials, permit},
		"upgrade":   {materials, permit, built},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBook(t)
			b.play(func(p *people) {
				p.toPermits(demo.Choices{Upgrade: true, Permits: []casework.PermitNeed{road}})
				for _, meet := range order {
					require.True(t, p.snapshot.TaskOrderAt.IsZero())
					require.NotContains(t, p.kinds(), "enter_site")
					meet(p)
				}
				require.False(t, p.snapshot.TaskOrderAt.IsZero())
				require.Contains(t, p.kinds(), "enter_site")
				require.Contains(t, p.kinds(), "hand_over_permit/road_occupation", "the result is owed to engineering all the same")
				p.straight()
			})
			require.Equal(t, 1, b.count(casework.TaskOrderIssued))
			require.Equal(t, casework.Closed, b.snapshot.Status)
		})
	}
}

// An upgrade whose building has not begun ends with the withdrawal, also where
// the connection has nothing to undo and is gone at once; what is being built
// serves the network and goes on.
func TestWithdrawalEndsAnUpgradeThatHasNotBegun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(p *people)
		undo    []string
		want    casework.Status
	}{
		"nothing to undo": {func(*people) {}, nil, casework.Withdrawn},
		"materials to return": {func(p *people) {
			p.reach(casework.PrepareMaterials)
			p.finish(casework.PrepareMaterials)
		}, []string{"release_materials"}, casework.Withdrawn},
		"being built": {func(p *people) {
			p.reach(casework.PrepareMaterials)
			p.finish(casework.PrepareMaterials)
			p.on(upgradeNumber).finish(casework.DesignUpgrade)
		}, []string{"release_materials"}, casework.Open},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBook(t)
			b.env.SetDetachedChildWait(c.want == casework.Withdrawn)
			b.play(func(p *people) {
				p.reach(casework.BriefCustomer, upgrade)
				c.prepare(p)
				p.must(casework.Withdraw{By: byCustomer, Reason: "不再需要"})
				if c.undo != nil {
					require.Equal(t, c.undo, p.kinds())
				}
				p.straight()
			})
			require.NoError(t, b.env.GetWorkflowError())
			require.Equal(t, casework.Withdrawn, b.snapshot.Status)
			require.Equal(t, c.want, b.records.of(upgradeNumber).snapshot.Status)
			if c.want == casework.Withdrawn {
				requireNothingLeft(t, b.records.of(upgradeNumber))
			}
		})
	}
}

// The news of a finished upgrade may come while one decision is being
// committed and another waits for it: it must reach the case that comes out of
// both, or the case would wait for ever.
func TestNewsOfTheUpgradeIsNotLostBetweenDecisions(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.reach(casework.PrepareMaterials, upgrade)
		p.yield(func(resume func()) {
			waiting := 2
			done := func(_ any, err error) {
				if err != nil {
					t.Error(err)
				}
				if waiting--; waiting == 0 {
					p.after(time.Second, resume)
				}
			}
			for _, a := range []casework.AttachDocument{paper("a", casework.OtherPaper), paper("b", casework.OtherPaper)} {
				p.env.UpdateWorkflow(contract.AttachDocument, a.Document.ID, &testsuite.TestUpdateCallback{
					OnAccept: func() {}, OnReject: func(err error) { done(nil, err) }, OnComplete: done,
				}, a)
			}
			p.env.SignalWorkflow(contract.UpgradeFinished, nil)
		})
		require.False(t, p.snapshot.Upgrade.Pending())
		require.Equal(t, 1, p.count(casework.UpgradeFinished))
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// A second signal, or one to a case without an upgrade, changes nothing.
func TestNewsOfNoUpgradeChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.env.SignalWorkflow(contract.UpgradeFinished, nil)
		p.wait(time.Second)
		require.Nil(t, p.snapshot.Upgrade)
		require.Zero(t, p.count(casework.UpgradeFinished))
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// An upgrade that is late climbs its own ladder.
func TestUpgradeHasDeadlinesOfItsOwn(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.reach(casework.BriefCustomer, upgrade)
		p.wait(10 * 24 * time.Hour)
		built := p.on(upgradeNumber)
		// Three working days after Monday 23: Thursday at close of business.
		task := upgradeNumber + "-T1"
		require.Equal(t, []rung{
			{task, "2026-11-26 15:30"}, {task, "2026-11-26 17:30"}, {task, "2026-11-27 14:30"}, {task, "2026-11-30 17:30"},
		}, built.rungs())
		require.Equal(t, 3, built.snapshot.Level)
		f := built.refused("not_a_connection", casework.Withdraw{By: byStaff, Reason: "x"})
		require.Equal(t, casework.Conflict, f.Kind)
		p.leave()
	})
}

// A survey that is reported only when the upgrade is finished was held while it
// was being built: the service limit stood from then until its end.
func TestLateSurveyCountsTheUpgradeThatHasEnded(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		survey := p.reach(casework.ConductSurvey, upgrade)
		conducted := at(t, "2026-11-23 11:00")
		p.until("2026-11-23 16:00")
		p.on(upgradeNumber).straight()
		p.until("2026-11-23 17:00")
		p.must(enter(survey, casework.SurveyInput{
			ConductedAt: conducted, Connectable: true, InformationChecked: true, ApplicationCompleted: true, DesignConfirmed: true,
			Design: &casework.Design{Atlas: "WS-01", MeterDiameter: 50, PipeMaterial: "PE100", PipeLength: 35.5},
		}))
		d, _ := p.snapshot.Deadline(casework.LaneDeadline)
		// One working day after the survey, and the three working hours until four o'clock.
		require.Equal(t, hours(t).Add(at(t, "2026-11-24 17:30"), hours(t).Between(conducted, p.snapshot.Upgrade.DoneAt)).UTC(), d.Due.At.UTC())
		require.Equal(t, "2026-11-25 11:30", casework.Clock(d.Due.At))
		p.leave()
	})
}

// An open upgrade has the policy of its connection, there and back, by who moved
// that and for their reason; one that was moved there before stays as it is.
func TestAnUpgradeMovesWithItsConnection(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.reach(casework.BriefCustomer, upgrade)
		built := p.on(upgradeNumber)
		design := built.task(casework.DesignUpgrade)
		before := built.due(design)
		longer := func(t *casework.Terms) {
			t.Limits = maps.Clone(t.Limits)
			t.Limits["design_upgrade"] = calendar.Budget{Unit: calendar.WorkingDays, Days: 20}
		}
		p.moveTo("longer", longer)
		p.wait(time.Second)
		require.Equal(t, "longer", built.snapshot.Terms.PolicyVersion)
		require.NotEqual(t, before, built.due(design))
		moved := built.events[slices.IndexFunc(built.events, func(e casework.Event) bool { return e.Kind == casework.PolicyMoved })]
		require.Equal(t, as(casework.TaskforceOffice).Actor.ID, moved.Actor)
		require.Contains(t, string(moved.Data), "新办法施行")

		p.moveTo("back", asBefore)
		p.wait(time.Second)
		require.Equal(t, before, built.due(design), "moving back gives the limits as they were")
		require.Equal(t, 2, built.count(casework.PolicyMoved))

		built.moveTo("longer", longer) // by itself, ahead of its connection
		p.moveTo("longer", longer)
		p.wait(time.Second)
		require.Equal(t, 3, built.count(casework.PolicyMoved))
		built.straight()
		p.moveTo("after", asBefore)
		p.straight()
	})
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.Equal(t, 4, b.count(casework.PolicyMoved))
	requireNothingLeft(t, b.records.of(upgradeNumber))
}
