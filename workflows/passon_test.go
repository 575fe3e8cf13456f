package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
)

// To another district the case stays and its people change: tasks go back to
// the department, and those who receive it have the day to accept it.
func TestACaseIsPassedOnToAnotherDistrict(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		contact := p.task(casework.ContactCustomer)
		p.must(casework.ClaimTask{By: byStaff, Task: contact.ID})
		hall := casework.By{Actor: casework.Actor{ID: "hall-02", Roles: []casework.Role{casework.ServiceHall}, Districts: []casework.District{"340202"}}}
		p.refused("wrong_district", casework.PassOn{By: hall, District: "340202", Reason: "镜湖区的"})
		p.refused("there_already", casework.PassOn{By: byStaff, District: "340223", Reason: "x"})
		p.refused("invalid_input", casework.PassOn{By: byStaff, District: "340202", Utility: casework.Gas, Reason: "x"})
		p.refused("invalid_input", casework.PassOn{By: byStaff, District: "340202"})
		p.must(casework.PassOn{By: byStaff, District: "340202", Reason: "地址在镜湖区"})
		require.Equal(t, []string{"accept_transfer", "contact_customer"}, p.kinds())
		require.Empty(t, p.tasks[contact.ID].Assignee)
		d, ok := p.snapshot.Deadline(p.task(casework.AcceptTransfer).ID)
		require.True(t, ok)
		require.Equal(t, "2026-11-23 17:30", casework.Clock(d.Due.At))
		require.Equal(t, casework.MessagePassedOn, p.messages[len(p.messages)-1].Kind)
		require.EqualValues(t, "340202", p.messages[len(p.messages)-1].District)
		p.finish(casework.AcceptTransfer)
		p.must(casework.PassOn{By: byStaff, District: "340207", Reason: "又在鸠江区"})
		require.Equal(t, 2, p.finish(casework.AcceptTransfer).Round)
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.Len(t, b.snapshot.Passes, 2)
	require.Equal(t, "all-01", b.snapshot.Passes[1].AcceptedBy)
	require.Equal(t, 2, b.count(casework.CasePassedOn))
}

// To the other utility the case ends and goes on as another one, which knows
// everything. The receipt comes first; this case ends once it is there.
func TestACaseIsPassedOnToTheOtherUtility(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.reach(casework.ConductSurvey)
		p.must(paper("plan", casework.OtherPaper))
		p.must(casework.PassOn{By: byStaff, Utility: casework.Gas, Reason: "客户要的是用气"})
		require.Equal(t, casework.PassedOn, p.snapshot.Status)
	})
	require.NoError(t, b.env.GetWorkflowError())
	require.Equal(t, "G20261123-00002", b.snapshot.GoesOnAs())
	require.Equal(t, []string{"G20261123-00002"}, b.records.started)
	requireNothingLeft(t, b.ledger)
	receipt := b.records.passed[0]
	require.Equal(t, casework.Gas, receipt.Request.Utility)

	// The case that goes on.
	next := newBookAt(t, monday.AddDate(0, 0, 2), newRecords())
	next.input.Request, next.input.Carried = receipt.Request, receipt.Carried
	next.play(func(p *people) {
		require.Equal(t, []string{"accept_transfer", "assess_network"}, p.kinds(), "the customer is not asked again")
		require.Equal(t, monday.UTC(), p.snapshot.ReceivedAt.UTC(), "the customer has waited since")
		require.Equal(t, caseNumber, p.snapshot.PassedFrom)
		require.Equal(t, "plan", p.snapshot.Documents[0].ID)
		require.Len(t, p.documents, len(p.snapshot.Documents))
		p.finish(casework.AcceptTransfer)
		p.straight()
	})
	require.Equal(t, casework.Closed, next.snapshot.Status)
}

// What needs undoing is not passed on to another utility.
func TestWorkThatHasBegunIsNotPassedOn(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.reach(casework.PrepareMaterials)
		p.finish(casework.PrepareMaterials)
		p.refused("work_begun", casework.PassOn{By: byStaff, Utility: casework.Gas, Reason: "x"})
		p.must(casework.PassOn{By: byStaff, District: "340202", Reason: "地址在镜湖区"})
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// To another service it goes on as a case of that service, with who asked and
// what they brought.
func TestACaseIsPassedOnToAnotherService(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.env.SetTestTimeout(time.Minute)
	b.play(func(p *people) {
		p.must(casework.PassOn{By: byStaff, Service: casework.ClosingCase, Reason: "要销户"})
	})
	require.Equal(t, casework.PassedOn, b.snapshot.Status)
	require.Equal(t, "WX20261123-00002", b.snapshot.GoesOnAs())
	require.Equal(t, []string{"WX20261123-00002"}, b.records.started)
	came := b.records.passed[0]
	asked := request().Normalise()
	require.Equal(t, casework.ServiceRequest{
		Service: casework.ClosingCase, Utility: casework.Water, Channel: asked.Channel, ExternalNumber: asked.ExternalNumber,
		District: asked.Site.District, Address: asked.Site.Address, Reason: "要销户", Extra: asked.Extra,
		Holder: casework.AccountHolder{Name: asked.Applicant.Name, Phone: asked.Contact.Phone, CreditCode: asked.Applicant.CreditCode},
	}, *came.Service)
	require.Equal(t, b.snapshot.Number, came.Carried.From)
}

// What a service can't be opened with is kept for a person, and nothing is lost.
func TestACaseThatNamesNobodyIsKeptForAPerson(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.env.SetTestTimeout(time.Minute)
	b.input.Request = aLead(casework.Water)
	b.input.Request.Applicant.Name = ""
	b.play(func(p *people) {
		p.must(casework.PassOn{By: byStaff, Service: casework.ClosingCase, Reason: "要销户"})
	})
	require.Equal(t, "Z20261123-00001", b.snapshot.GoesOnAs())
}

// The service's case has what came along, and those who receive it accept it.
func TestAServiceGoesOnFromAConnection(t *testing.T) {
	t.Parallel()
	b := newServiceBook(t, order(), nil)
	b.input.Carried = &casework.Carried{
		From: "W20261123-00009", ReceivedAt: monday.Add(-time.Hour), At: monday, By: staff.ID, Reason: "投诉停水",
		Documents: []casework.Document{{ID: "D1", Kind: casework.Evidence}},
	}
	b.play(func(p *people) {
		p.finish(casework.AcceptTransfer)
		p.finish(casework.AcceptOrder)
		p.straight()
	})
	require.Equal(t, []any{casework.Closed, "W20261123-00009", monday.Add(-time.Hour).UTC()},
		[]any{b.snapshot.Status, b.snapshot.PassedFrom, b.snapshot.ReceivedAt.UTC()})
	require.Equal(t, "D1", b.snapshot.Documents[0].ID)
	requireNothingLeft(t, b.ledger)
}
