//go:build record

package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/demo"
	"github.com/curbstop/curbstop/devstack"
	"github.com/curbstop/curbstop/policy"
)

// TestRecordJoint plays the two cases of a joint request, of which one is
// withdrawn while its permit is pending, and a case that is passed on.
func TestRecordJoint(t *testing.T) {
	t.Parallel()
	stack, err := devstack.Start(t.Context(), devstack.Options{Ephemeral: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stack.Close(context.WithoutCancel(t.Context()))) })
	c, r := recorder(t, stack.TemporalAddress)
	start := func(number, sibling string) *live {
		l := &live{t: t, c: c, r: r, number: number}
		in := contract.CaseInput{Number: number, Request: request(), Terms: policy.Demo().Terms(), By: staff}
		if sibling != "" {
			in.Joint = &casework.Joint{Number: "J-joint", Sibling: sibling}
		}
		require.EventuallyWithT(t, func(t *assert.CollectT) {
			_, err := c.ExecuteWorkflow(l.t.Context(), l.options(enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE), contract.ConnectionWorkflow, in)
			require.NoError(t, err)
		}, time.Minute, time.Second)
		l.await(func(k *casework.Case) bool { return k != nil })
		return l
	}
	road := permitsOf(road)

	water := start("W-joint", "G-joint")
	time.Sleep(time.Second) // the other starts late, and is told later
	gas := start("G-joint", "W-joint")
	for _, l := range []*live{water, gas} {
		l.reach(casework.ScheduleSurvey, demo.Choices{})
	}
	water.finish(casework.ScheduleSurvey, demo.Choices{})
	gas.await(func(k *casework.Case) bool { return k.Appointment != nil })
	water.reach(casework.UploadSurvey, road)
	water.finish(casework.UploadSurvey, road)
	water.await(func(k *casework.Case) bool { _, files := k.Live(casework.FilePermit, "road_occupation"); return files })
	water.finish(casework.FilePermit, road)
	gas.reach(casework.UploadSurvey, road)
	gas.finish(casework.UploadSurvey, road)
	gas.await(func(k *casework.Case) bool {
		return k.Permits[0].FilingNumber != "" && k.Permits[0].SharedWith == "W-joint"
	})
	time.Sleep(time.Second) // water hears that gas waits for its permit
	water.must(casework.Withdraw{By: byCustomer, Reason: "不用水了"})
	gas.await(func(k *casework.Case) bool {
		_, own := k.Live(casework.RecordPermitResult, "road_occupation")
		return own
	})
	water.ended()
	require.Equal(t, casework.Withdrawn, water.snapshot().Status)
	gas.straight(road)
	gas.ended()
	require.Equal(t, casework.Closed, gas.snapshot().Status)
	water.save("joint-withdrawn", water.number)
	gas.save("joint", gas.number)

	passed := start("W-passed-on", "")
	passed.must(casework.PassOn{By: byStaff, District: "340202", Reason: "地址在镜湖区"}, casework.PassOn{By: byStaff, Utility: casework.Gas, Reason: "客户要的是用气"})
	passed.ended()
	require.Equal(t, casework.PassedOn, passed.snapshot().Status)
	passed.save("passed-on", passed.number)
	require.Empty(t, r.faultsOf())
}

// TestRecordJointLead plays a gas lead that becomes one of the cases of a joint
// request after the other has spoken, and an upgrade that moves to another
// policy with its connection.
func TestRecordJointLead(t *testing.T) {
	t.Parallel()
	stack, err := devstack.Start(t.Context(), devstack.Options{Ephemeral: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stack.Close(context.WithoutCancel(t.Context()))) })
	c, r := recorder(t, stack.TemporalAddress)
	start := func(number string, q casework.Request, joint *casework.Joint) *live {
		l := &live{t: t, c: c, r: r, number: number}
		in := contract.CaseInput{Number: number, Request: q, Terms: policy.Demo().Terms(), By: staff, Joint: joint}
		require.EventuallyWithT(t, func(t *assert.CollectT) {
			_, err := c.ExecuteWorkflow(l.t.Context(), l.options(enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE), contract.ConnectionWorkflow, in)
			require.NoError(t, err)
		}, time.Minute, time.Second)
		l.await(func(k *casework.Case) bool { return k != nil })
		return l
	}
	road := permitsOf(road)

	lead := request()
	lead.Utility, lead.Lead = casework.Gas, true
	gas := start("G-joint-lead", lead, nil)
	gas.reach(casework.ConductSurvey, demo.Choices{})
	water := start("W-joint-lead", request(), &casework.Joint{Number: "J-joint-lead", Sibling: gas.number, Utility: casework.Gas})
	time.Sleep(time.Second) // it tells the lead, which knows nothing of it yet
	applied := lead
	applied.Lead = false
	gas.must(casework.Apply{By: byStaff, Request: applied, Joint: &casework.Joint{
		Number: "J-joint-lead", Sibling: water.number, Utility: casework.Water, Since: time.Now()}})
	require.NotNil(t, gas.snapshot().Joint.Known)
	water.reach(casework.UploadSurvey, road)
	gas.reach(casework.FilePermit, road)
	water.finish(casework.UploadSurvey, road)
	water.await(func(k *casework.Case) bool { return k.Permits[0].SharedWith == gas.number })
	gas.straight(road)
	gas.ended()
	water.straight(road)
	water.ended()
	require.Equal(t, []casework.Status{casework.Closed, casework.Closed}, []casework.Status{gas.snapshot().Status, water.snapshot().Status})
	gas.save("joint-lead", gas.number)
	water.save("joint-beside-lead", water.number)

	moved := start("W-upgrade-moved", request(), nil)
	moved.reach(casework.BriefCustomer, demo.Choices{Upgrade: true})
	built := moved.on(moved.number + "-U1")
	built.await(func(k *casework.Case) bool { return k != nil })
	terms := policy.Demo().Terms()
	terms.PolicyVersion = "moved"
	moved.must(casework.MovePolicy{By: as(casework.TaskforceOffice), Terms: terms, Reason: "新办法施行"})
	built.await(func(k *casework.Case) bool { return k.Terms.PolicyVersion == "moved" })
	built.straight(demo.Choices{})
	moved.await(func(k *casework.Case) bool { return !k.Upgrade.Pending() })
	moved.straight(demo.Choices{})
	moved.ended()
	moved.save("upgrade-moved", moved.number)
	moved.save("upgrade-moved-child", built.number)
	require.Empty(t, r.faultsOf())
}
