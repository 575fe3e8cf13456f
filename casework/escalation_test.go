package casework_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// An escalation that has climbed, and whose case is moved to a policy with no
// step above the level that it has reached, says no more that it will climb.
func TestEscalationThatCanClimbNoFurtherNamesNoMoment(t *testing.T) {
	t.Parallel()
	hour := calendar.Budget{Unit: calendar.WorkingTime, Time: time.Hour}
	rules := terms()
	rules.Ladder = []casework.Rung{
		{Name: casework.RungBreach, To: casework.TaskforceOffice, Level: 1, Answer: hour},
		{Name: casework.RungLead, To: casework.TaskforceLead, Level: 2, After: calendar.Budget{Unit: calendar.WorkingDays, Days: 9}, Answer: hour},
		{Name: casework.RungManagement, To: casework.Management, Level: 3, After: calendar.Budget{Unit: calendar.WorkingDays, Days: 9}},
	}
	k := casework.NewCase("W1", soundRequest(), rules, able, received)
	k.Need(casework.ContactCustomer, "", 1, received, received)
	workAll(t, k, received)
	breached := time.Date(2026, 11, 24, 17, 30, 0, 0, calendar.Shanghai)
	k.Fire(breached)
	workAll(t, k, breached)
	climbed := breached.Add(16 * time.Hour) // an hour after the opening
	k.Fire(climbed)
	require.Equal(t, casework.TaskforceLead, k.Escalations[0].To)
	require.False(t, k.Escalations[0].AnswerDueAt.IsZero())

	flat := rules
	flat.PolicyVersion = "flat"
	flat.Ladder = []casework.Rung{
		{Name: casework.RungBreach, To: casework.TaskforceOffice, Level: 1, Answer: hour},
		{Name: casework.RungManagement, To: casework.Management, Level: 2, After: calendar.Budget{Unit: calendar.WorkingDays, Days: 9}},
	}
	require.NoError(t, casework.MovePolicy{By: byAble, Terms: flat, Reason: "试"}.Apply(k, climbed))
	workAll(t, k, climbed)
	k.Fire(climbed)
	require.Equal(t, casework.TaskforceLead, k.Escalations[0].To, "it does not climb down")
	require.True(t, k.Escalations[0].AnswerDueAt.IsZero(), k.Escalations[0].AnswerDueAt)
}
