package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/demo"
)

// clerk is a member of staff of one department and one district.
func clerk(id string, role casework.Role, district casework.District) casework.Actor {
	return casework.Actor{ID: id, Name: id, Department: role.Department(), Roles: []casework.Role{role}, Districts: []casework.District{district}}
}

// What is refused leaves neither an update in the history nor an event nor a
// changed snapshot, and says what is the matter.
func TestRefusalsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	here := casework.District("340223")
	tf := casework.By{Actor: clerk("tf-01", casework.Taskforce, here)}
	other := casework.By{Actor: clerk("tf-02", casework.Taskforce, here)}
	far := casework.By{Actor: clerk("tf-09", casework.Taskforce, "340281")}
	engineer := casework.By{Actor: clerk("en-01", casework.Engineering, here)}
	office := casework.By{Actor: clerk("of-01", casework.TaskforceOffice, here)}
	b := newBook(t)
	b.play(func(p *people) {
		contact := p.task(casework.ContactCustomer)
		done := enter(contact, demo.AnswerTo(contact, demo.Choices{}, p.env.Now()).Input)
		by := func(who casework.By) casework.CompleteTask { c := done; c.By = who; return c }

		p.refused("wrong_role", by(engineer))
		p.refused("wrong_role", by(office))
		p.refused("wrong_role", by(byCustomer))
		p.refused("wrong_district", by(far))
		stale := by(tf)
		stale.IfVersion = p.snapshot.Version - 1
		require.Equal(t, casework.Conflict, p.refused("stale_version", stale).Kind)
		kind := by(tf)
		kind.Kind = casework.AssessNetwork
		p.refused("wrong_task_kind", kind)
		nowhere := by(tf)
		nowhere.Task = caseNumber + "-T99"
		require.Contains(t, p.refused("task_not_open", nowhere).EN, contact.ID, "it says what is open")
		bad := by(tf)
		bad.Input = []byte(`{"by":"letter","diameter":7}`)
		require.Equal(t, []string{"by", "demand.diameter"}, fields(p.refused("invalid_input", bad)))

		p.refused("wrong_role", casework.ClaimTask{By: engineer, Task: contact.ID})
		p.refused("not_holder", casework.ReleaseTask{By: tf, Task: contact.ID})
		p.refused("task_not_held", casework.ReleaseTask{By: office, Task: contact.ID})
		p.refused("wrong_role", casework.AssignTask{By: tf, Task: contact.ID, To: other.Actor})
		require.Equal(t, []string{"to"}, fields(p.refused("invalid_input", casework.AssignTask{By: office, Task: contact.ID, To: engineer.Actor})))
		require.Equal(t, []string{"to"}, fields(p.refused("invalid_input", casework.AssignTask{By: office, Task: contact.ID, To: far.Actor})))

		p.must(casework.ClaimTask{By: tf, Task: contact.ID})
		p.refused("task_yours", casework.ClaimTask{By: tf, Task: contact.ID})
		p.refused("task_held", casework.ClaimTask{By: other, Task: contact.ID})
		p.refused("task_held", by(other))
		p.refused("not_holder", casework.DelegateTask{By: other, Task: contact.ID, To: other.Actor, Reason: "请假"})
		require.Equal(t, []string{"reason", "to"}, fields(p.refused("invalid_input", casework.DelegateTask{By: tf, Task: contact.ID, To: engineer.Actor})))
		p.must(casework.DelegateTask{By: tf, Task: contact.ID, To: other.Actor, Reason: "请假"})
		require.Equal(t, "tf-02", p.task(casework.ContactCustomer).Assignee)
		p.must(by(other))
		require.Equal(t, casework.TaskDone, p.tasks[contact.ID].State)
		require.Equal(t, "tf-02", p.tasks[contact.ID].DoneBy)
		p.refused("task_not_open", by(other))

		p.refused("wrong_role", casework.Withdraw{By: engineer, Reason: "x"})
		p.refused("wrong_role", casework.AmendRequest{By: byCustomer})
		require.Equal(t, []string{"", "reason"}, fields(p.refused("invalid_input", casework.AmendRequest{By: tf})))
		p.refused("not_supplied", casework.ConfirmAcceptance{By: byCustomer})
		p.refused("wrong_role", casework.ConfirmDesign{By: tf})
		p.refused("escalation_not_open", casework.AcknowledgeEscalation{By: tf, Escalation: "x"})
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// The red line: never a charge for the meter or for anything outside the
// property line, and the refusal names the rule.
func TestForbiddenChargeIsRefusedByItsRule(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		for _, kind := range []casework.ChargeKind{casework.MeteringDevice, casework.OutsideProperty} {
			f := p.refused("charge_forbidden", casework.ProposeCharge{By: byStaff, Charge: casework.Charge{Kind: kind, Amount: 1, Note: "表"}})
			require.Contains(t, f.Rule, "国办函〔2020〕129号")
		}
		require.Equal(t, 7, p.snapshot.Score().Kept)
		charge := casework.Charge{ID: "mine", Kind: casework.InsideProperty, Item: "N01", Quantity: 3, Amount: 36000}
		p.must(casework.ProposeCharge{By: byStaff, Charge: charge})
		charge.ID, charge.At, charge.By = caseNumber+"-C1", p.snapshot.Charges[0].At, staff.ID
		require.Equal(t, []casework.Charge{charge}, p.snapshot.Charges)
		require.Equal(t, casework.Score{Kept: 6, Broken: []casework.Zero{casework.ZeroFee}}, p.snapshot.Score())
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// The query is for diagnosis: it answers with what was committed.
func TestStateQueryAnswersWithTheCase(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.finish(casework.ContactCustomer)
		answer, err := p.env.QueryWorkflow(contract.StateQuery)
		require.NoError(t, err)
		var got *casework.Case
		require.NoError(t, answer.Get(&got))
		require.Equal(t, asJSON(t, p.snapshot), asJSON(t, got))
		p.leave()
	})
}
