package demo

import (
	"fmt"
	"time"

	"github.com/curbstop/curbstop/casework"
)

// serviceAnswer gives a valid answer to a task of a transfer, a closing or an
// order of 12345, and to whatever asks for nothing but that it was done.
func serviceAnswer(t casework.Task, c Choices, n int, now time.Time) Answer {
	switch t.Kind {
	case casework.ObtainCertificate:
		number := c.CertNumber
		if number == "" {
			number = fmt.Sprintf("DZZZ%06d", n)
		}
		return plain(casework.CertificateInput{Number: number, Source: "register"})
	case casework.CheckAccount:
		account := c.Account
		if account == "" {
			account = fmt.Sprintf("30%08d", n)
		}
		return plain(casework.AccountCheckInput{Account: account, AskAgain: c.AskAgain, HolderVerified: !c.AskAgain, Note: "已电话核实原户主"})
	case casework.SettleArrears:
		if c.Agreement {
			return plain(casework.ArrearsInput{How: casework.SettledByAgreement, Payer: "holder", Agreement: "双方约定由原户主一周内缴清"})
		}
		return plain(casework.ArrearsInput{How: casework.SettledByPayment, Payer: "holder"})
	case casework.ReadMeter:
		value := c.FinalRead
		if value == 0 {
			value = 1234
		}
		return plain(casework.MeterReading{Reading: value, ReadAt: now, How: "visit", Agreed: true})
	case casework.ConfirmTransfer:
		return plain(casework.TransferInput{ContractEnded: true, ContractNumber: fmt.Sprintf("HT%06d", n), ConfirmedAt: now, ConfirmedBy: "online", NumberKept: true})
	case casework.ChangeHolder, casework.CloseAccount:
		if c.AskAgain {
			return plain(casework.BillingTaskInput{AskAgain: true})
		}
		return plain(casework.BillingTaskInput{Reference: fmt.Sprintf("JF%06d", n)})
	case casework.SettleFinal:
		return plain(casework.FinalInput{AskAgain: c.AskAgain, Settled: !c.AskAgain, Reference: fmt.Sprintf("SK%06d", n)})
	case casework.AcceptOrder:
		return plain(casework.AcceptOrderInput{Department: casework.Department(casework.Network), Note: "请尽快核实处理"})
	case casework.HandleOrder:
		if c.PassOn != "" && string(c.PassOn) != t.Qualifier {
			return plain(casework.HandleOrderInput{Result: "transferred", To: c.PassOn, Measures: "属施工遗留问题，转交办理"})
		}
		return plain(casework.HandleOrderInput{Result: "handled", Measures: "已抢修恢复供水，并向来电人说明", Contacts: true})
	case casework.AnswerOrder:
		return plain(casework.AnswerOrderInput{Answer: "已抢修恢复供水，来电人认可"})
	default:
		return plain(casework.NoteInput{Note: "已办理"})
	}
}
