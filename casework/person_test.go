package casework

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var shower = Person{Name: "测试王丙", Phone: "13800000003", ResidentID: "340207198505050020"}

func TestServiceCodeFillsTheForm(t *testing.T) {
	t.Parallel()
	contact := Contact{Name: "测试王丙", Phone: "13800000003"}
	require.Equal(t, Request{Applicant: Applicant{Name: "测试王丙", Person: true}, Contact: contact, ByServiceCode: true}, shower.Fill(Request{}))
	own := Applicant{Name: "测试置业有限公司", CreditCode: "91340200MA8TEAT00J"}
	require.Equal(t, Request{Applicant: own, Contact: contact, ByServiceCode: true}, shower.Fill(Request{Applicant: own}))
	said := Contact{Name: "测试李乙", Phone: "13800000001"}
	require.Equal(t, Request{Applicant: own, Contact: said, ByServiceCode: true}, shower.Fill(Request{Applicant: own, Contact: said}))

	identity := []Certificate{{Kind: IdentityCertificate, Number: shower.ResidentID}}
	self := AccountHolder{Name: "测试王丙", Phone: "13800000003", ResidentID: shower.ResidentID}
	require.Equal(t, ServiceRequest{Service: ClosingCase, Holder: self, Certificates: identity, ByServiceCode: true}, shower.FillService(ServiceRequest{Service: ClosingCase}))
	require.Equal(t, ServiceRequest{Service: TransferCase, NewHolder: self, Certificates: identity, ByServiceCode: true},
		shower.FillService(ServiceRequest{Service: TransferCase, NewHolder: AccountHolder{Name: "测试王丙"}, Certificates: identity}))
	company := AccountHolder{Name: "测试置业有限公司", CreditCode: "91340200MA8TEAT00J"}
	require.Equal(t, ServiceRequest{Service: TransferCase, NewHolder: company, ByServiceCode: true},
		shower.FillService(ServiceRequest{Service: TransferCase, NewHolder: company}), "who acts for somebody else is not the holder")
	require.Equal(t, ServiceRequest{Service: OrderCase}, shower.FillService(ServiceRequest{Service: OrderCase}))
}

// Who shows a service code at a window made an errand and brought no paper.
func TestServiceCodeCostsNoPaper(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	k := NewCase("W1", shower.Fill(Request{Utility: Water, Channel: ServiceHallDesk}), Terms{}, Actor{ID: "hall-01"}, at)
	require.Equal(t, []Touchpoint{
		{Zero: ZeroErrand, Cost: true, Note: Say("客户到窗口，由工作人员代办", "the customer came to a window and staff applied for them"), At: at, By: "hall-01"},
		{Zero: ZeroDocument, Note: Say("凭办事码自动填表，客户未带材料", "a service code filled in the form; the customer brought no paper"), At: at, By: "hall-01"},
	}, k.TakeChanges().Touchpoints)
	require.Equal(t, []Zero{ZeroErrand}, k.Score().Broken)
}
