package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/billing/rest"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/demo"
	billingsim "github.com/curbstop/curbstop/platforms/sim/billing"
	"github.com/curbstop/curbstop/policy"
	"github.com/curbstop/curbstop/worker"
)

// Receipt stands in for the store: a case that the records know nothing of has
// the receipt of the transfer.
func (r *records) Receipt(_ context.Context, number string) (casework.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.receipt.Number != number {
		return casework.Receipt{}, errors.New("no such receipt")
	}
	return r.receipt, nil
}

const accountNumber = "0000000001"

// seller, buyer and their certificates are synthetic.
var (
	seller = casework.AccountHolder{Name: "测试赵丁", Phone: "13800000004", ResidentID: "340100190001010000"}
	buyer  = casework.AccountHolder{Name: "测试王丙", Phone: "13800000003", ResidentID: "340100190001010001"}
	png    = []byte("\x89PNG\r\n\x1a\n0000")
)

func transfer() casework.ServiceRequest {
	return casework.ServiceRequest{
		Service: casework.TransferCase, Utility: casework.Water, Channel: casework.PropertyTransfer, ExternalNumber: "TESTSL0001",
		Account: accountNumber, Holder: seller, NewHolder: buyer, Reason: "买卖",
		Property: casework.Property{Acceptance: "TESTSL0001", Item: "TESTXM0001"},
		Certificates: []casework.Certificate{
			{Kind: casework.IdentityCertificate, Content: png}, {Kind: casework.TitleCertificate, Content: png}, {Kind: casework.SaleContract, Content: png},
		},
	}
}

func closing() casework.ServiceRequest {
	return casework.ServiceRequest{
		Service: casework.ClosingCase, Utility: casework.Water, Channel: casework.ServiceHallDesk, ExternalNumber: "XH-1",
		Account: accountNumber, Holder: seller, Reason: "房屋拆迁",
		Certificates: []casework.Certificate{{Kind: casework.IdentityCertificate, Number: seller.ResidentID}},
	}
}

func order() casework.ServiceRequest {
	return casework.ServiceRequest{
		Service: casework.OrderCase, Utility: casework.Water, Channel: casework.Hotline12345, ExternalNumber: "TEST202611230001", District: "340202",
		Order: &casework.HotlineOrder{
			Title: "测试小区停水", Content: "来电人反映测试小区今晨停水", Caller: casework.Contact{Name: "测试王丙", Phone: "13800000003"},
			CalledAt: monday.Add(-2 * time.Hour), ReplyBy: monday.AddDate(0, 0, 3).Add(8 * time.Hour),
		},
	}
}

// account is the seller's, with nothing owed, last read at 1200.
func account() billingsim.Account {
	return billingsim.Account{
		Number: accountNumber, Utility: "water", Holder: billingsim.Holder{Name: seller.Name, ResidentID: seller.ResidentID},
		District: "340202", Address: "测试路2号101室", LastReading: &billingsim.Reading{Value: 1200, At: monday.AddDate(0, -1, 0)},
	}
}

// newServiceBook is a book of a service's case, with a billing system over real
// HTTP unless it is nil.
func newServiceBook(t *testing.T, r casework.ServiceRequest, system *billingsim.Server) *book {
	t.Helper()
	suite := &testsuite.WorkflowTestSuite{}
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	number := map[casework.CaseKind]string{casework.TransferCase: "WT20261123-00001", casework.ClosingCase: "WX20261123-00001", casework.OrderCase: "WH20261123-00001"}[r.Service]
	kept := newRecords()
	kept.receipt = casework.Receipt{Number: number, Service: &r, Request: r.Request()}
	brief := r.Brief()
	b := &book{
		archive: func(string) (int64, string, error) { return 1, "00", nil },
		t:       t, env: suite.NewTestWorkflowEnvironment(), records: kept, ledger: kept.of(number),
		input: contract.CaseInput{Number: number, Service: &brief, Terms: policy.Default().Terms(), By: staff},
	}
	b.env.SetDataConverter(converter.GetDefaultDataConverter())
	b.env.SetStartTime(monday)
	b.env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: contract.WorkflowID(number), TaskQueue: contract.TaskQueue})
	b.env.SetTestTimeout(20 * time.Second)
	over := effects(kept, func(key string) (int64, string, error) { return b.archive(key) })
	over.Billing = &activities.Billing{Cases: kept, Now: func() time.Time { return monday }}
	if system != nil {
		server := httptest.NewServer(system)
		t.Cleanup(server.Close)
		c, err := rest.New(server.URL+"/api", "")
		require.NoError(t, err)
		over.Billing.System = c
	}
	worker.Register(b.env, over)
	return b
}

// comes waits until a task of a kind is open: what billing answers takes a moment.
func (p *people) comes(kind casework.TaskKind) casework.Task {
	p.t.Helper()
	for range 50 {
		for _, t := range p.snapshot.Tasks {
			if t.Kind == kind {
				return t
			}
		}
		p.wait(5 * time.Second)
	}
	require.FailNow(p.t, "the task does not come", "%s among %s", kind, p.kinds())
	return casework.Task{}
}

// does completes the task of a kind once it is open.
func (p *people) does(kind casework.TaskKind, choices ...demo.Choices) casework.Task {
	p.t.Helper()
	p.comes(kind)
	return p.finish(kind, choices...)
}

func (l *ledger) done() []string {
	var kinds []string
	for _, e := range l.events {
		if e.Kind == casework.TaskCompleted {
			kinds = append(kinds, string(l.tasks[e.Task].Kind))
		}
	}
	return kinds
}

func (l *ledger) milestones() []casework.Milestone {
	var reached []casework.Milestone
	for _, e := range l.events {
		if m, ok := casework.MilestoneOf(e); ok {
			reached = append(reached, m)
		}
	}
	return reached
}

// A transfer pushed with a house sale needs nothing of anybody but the reading
// and the contract; its certificates are filed and not asked for.
func TestTransferPushedWithAHouseSale(t *testing.T) {
	t.Parallel()
	system := billingsim.New(account())
	b := newServiceBook(t, transfer(), system)
	b.play(func(p *people) {
		p.does(casework.ReadMeter)
		require.Equal(t, casework.District("340202"), p.snapshot.Request.Site.District, "billing knows where it is")
		p.does(casework.ConfirmTransfer)
		p.comes(casework.Callback)
		require.Equal(t, casework.Evaluation, p.snapshot.Stage)
		p.straight()
	})
	require.Equal(t, []string{"read_meter", "confirm_transfer", "callback"}, b.done())
	require.Equal(t, []casework.Milestone{casework.MilestoneReceived, casework.MilestoneAccepted, casework.MilestoneInWork, casework.MilestoneCompleted}, b.milestones())
	require.Len(t, b.documents, 3)
	require.Equal(t, "image/png", b.documents[0].MediaType)
	require.Equal(t, casework.IdentityPaper, b.documents[0].Kind)
	require.Equal(t, casework.Score{Kept: 7, Broken: []casework.Zero{}}, b.snapshot.Score())
	got, _ := system.Account(accountNumber)
	require.Equal(t, billingsim.Holder(buyer), got.Holder)
	require.InDelta(t, 1234, got.LastReading.Value, 0)
	require.Contains(t, got.Contract, "HT")
	require.NotContains(t, string(mustJSON(t, b.snapshot.Served)), seller.Name, "facts name nobody")
	requireNothingLeft(t, b.ledger)
}

// Only the certificate that did not come along is obtained.
func TestMissingCertificateIsObtainedAlone(t *testing.T) {
	t.Parallel()
	r := transfer()
	r.Certificates = r.Certificates[:1]
	b := newServiceBook(t, r, billingsim.New(account()))
	b.play(func(p *people) {
		p.comes(casework.ObtainCertificate)
		require.Equal(t, []string{"obtain_certificate/title"}, p.kinds())
		p.wait(time.Hour)
		require.Equal(t, []string{"obtain_certificate/title"}, p.kinds(), "billing has been asked meanwhile")
		p.finish(casework.ObtainCertificate)
		p.does(casework.ReadMeter)
		p.does(casework.ConfirmTransfer)
		p.does(casework.Callback)
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// Who is owed nothing any more is not asked: billing is looked at now and then.
func TestArrearsPaidAreFoundByLooking(t *testing.T) {
	t.Parallel()
	owing := account()
	owing.Balance.Owed = 12_345
	system := billingsim.New(owing)
	b := newServiceBook(t, transfer(), system)
	b.play(func(p *people) {
		p.comes(casework.SettleArrears)
		p.finish(casework.ReadMeter)
		p.finish(casework.SettleArrears)
		require.Equal(t, 2, p.comes(casework.SettleArrears).Round, "nobody had paid")
		require.Equal(t, casework.PartyCustomer, p.snapshot.Clock.Now.Party)
		p.wait(13 * time.Hour)
		require.Equal(t, []string{"settle_arrears"}, p.kinds())
		system.Put(account())
		p.wait(13 * time.Hour)
		p.does(casework.ConfirmTransfer)
		p.does(casework.Callback)
	})
	require.Equal(t, 1, b.count(casework.ArrearsFound))
	require.Equal(t, casework.Closed, b.snapshot.Status)
	requireNothingLeft(t, b.ledger)
}

// What is agreed is told to billing, which would refuse arrears without.
func TestArrearsAgreedUpon(t *testing.T) {
	t.Parallel()
	owing := account()
	owing.Balance.Owed = 12_345
	b := newServiceBook(t, transfer(), billingsim.New(owing))
	b.play(func(p *people) {
		p.comes(casework.SettleArrears)
		p.finish(casework.SettleArrears, demo.Choices{Agreement: true})
		p.does(casework.ReadMeter)
		p.does(casework.ConfirmTransfer)
		p.does(casework.Callback)
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
}

// A holder who is another than the request says is for a person to look into.
func TestOtherHolderIsVerified(t *testing.T) {
	t.Parallel()
	other := account()
	other.Holder = billingsim.Holder{Name: "测试李乙"}
	b := newServiceBook(t, transfer(), billingsim.New(other))
	b.play(func(p *people) {
		task := p.comes(casework.CheckAccount)
		require.Equal(t, casework.HolderDiffers, p.snapshot.Served.Account.Holder)
		p.refused("invalid_input", enter(task, casework.AccountCheckInput{Account: accountNumber, Note: "已核实"}))
		p.must(enter(task, casework.AccountCheckInput{Account: accountNumber, HolderVerified: true, Note: "房产证为其配偶，已核实"}))
		require.InDelta(t, 1200, p.snapshot.Served.Account.Reading, 0, "what billing said stays")
		p.refused("invalid_input", enter(p.task(casework.ReadMeter), casework.MeterReading{Reading: 1199, ReadAt: p.env.Now(), How: "visit", Agreed: true}))
		p.does(casework.ReadMeter)
		p.does(casework.ConfirmTransfer)
		p.does(casework.Callback)
	})
}

// A number that billing does not know is corrected, and billing asked again.
func TestUnknownAccountIsCorrected(t *testing.T) {
	t.Parallel()
	r := transfer()
	r.Account = "9999999999"
	b := newServiceBook(t, r, billingsim.New(account()))
	b.play(func(p *people) {
		p.comes(casework.CheckAccount)
		require.Equal(t, casework.BillingNotFound, p.snapshot.Served.Billing.Trouble)
		p.finish(casework.CheckAccount, demo.Choices{Account: accountNumber, AskAgain: true})
		p.does(casework.ReadMeter)
		p.does(casework.ConfirmTransfer)
		p.does(casework.Callback)
	})
	require.Equal(t, accountNumber, b.snapshot.Service.Account)
}

// Billing that is down holds nobody up for long: a person may do it, and billing
// is asked on. Whoever is first, it is done once.
func TestBillingDownAndUpAgain(t *testing.T) {
	t.Parallel()
	system := billingsim.New(account())
	b := newServiceBook(t, transfer(), system)
	system.Break(billingsim.Down)
	b.play(func(p *people) {
		p.comes(casework.CheckAccount)
		require.Equal(t, casework.BillingUnavailable, p.snapshot.Served.Billing.Trouble)
		system.Break("")
		p.wait(10 * time.Minute)
		require.Equal(t, []string{"read_meter"}, p.kinds(), "billing answered and the task was done by it")
		p.finish(casework.ReadMeter)
		system.Fail(billingsim.LoseAnswer, billingsim.Garbage, billingsim.AnswerTwice)
		p.does(casework.ConfirmTransfer)
		p.does(casework.Callback)
	})
	_, done := system.Counts()
	require.Equal(t, 1, done, "the change was made once, though its answer was lost")
	require.Equal(t, 1, b.count(casework.BillingTroubled))
	requireNothingLeft(t, b.ledger)
}

// A person who did it first keeps billing from being asked on.
func TestPersonIsFasterThanBilling(t *testing.T) {
	t.Parallel()
	system := billingsim.New(account())
	b := newServiceBook(t, transfer(), system)
	b.play(func(p *people) {
		p.does(casework.ReadMeter)
		system.Break(billingsim.Down)
		p.does(casework.ConfirmTransfer)
		p.does(casework.ChangeHolder)
		calls, _ := system.Counts()
		p.does(casework.Callback)
		after, _ := system.Counts()
		require.Equal(t, calls, after)
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
	_, done := system.Counts()
	require.Zero(t, done)
}

// A no of billing is put right by a person, who has it asked again.
func TestRefusedChangeIsPutRight(t *testing.T) {
	t.Parallel()
	system := billingsim.New(account())
	b := newServiceBook(t, transfer(), system)
	b.play(func(p *people) {
		p.does(casework.ReadMeter)
		system.Fail(billingsim.Refuse)
		p.does(casework.ConfirmTransfer)
		p.comes(casework.ChangeHolder)
		require.Equal(t, "账户已锁定，请到营业厅核实", p.snapshot.Served.Billing.Reason)
		p.finish(casework.ChangeHolder, demo.Choices{AskAgain: true})
		p.does(casework.Callback)
	})
	got, _ := system.Account(accountNumber)
	require.Equal(t, buyer.Name, got.Holder.Name)
}

// Without a billing system people enter what it would say, to the end.
func TestWithoutBilling(t *testing.T) {
	t.Parallel()
	for _, r := range []casework.ServiceRequest{transfer(), closing()} {
		t.Run(string(r.Service), func(t *testing.T) {
			t.Parallel()
			b := newServiceBook(t, r, nil)
			b.play(func(p *people) {
				p.comes(casework.CheckAccount)
				require.Equal(t, casework.BillingNotConnected, p.snapshot.Served.Billing.Trouble)
				for !p.ended() {
					for range 50 {
						if p.ended() || len(p.snapshot.Tasks) > 0 {
							break
						}
						p.wait(5 * time.Second)
					}
					if !p.ended() {
						p.finish(p.snapshot.Tasks[0].Kind)
					}
				}
			})
			want := map[casework.CaseKind][]string{
				casework.TransferCase: {"check_account", "read_meter", "confirm_transfer", "change_holder", "callback"},
				casework.ClosingCase:  {"check_account", "read_meter", "remove_meter", "settle_final", "close_account", "callback"},
			}
			require.Equal(t, want[r.Service], b.done())
			requireNothingLeft(t, b.ledger)
		})
	}
}

// A closing ends with the last bill: what is owed is paid before billing closes
// the account; what was prepaid is given back.
func TestClosing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		credit int64
		read   float64
		want   []string
	}{
		"owed":     {0, 1234, []string{"read_meter", "remove_meter", "settle_final", "callback"}},
		"refunded": {100_000, 1234, []string{"read_meter", "remove_meter", "settle_final", "callback"}},
		"even":     {10_200, 1234, []string{"read_meter", "remove_meter", "callback"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := account()
			a.Balance.Credit = c.credit
			system := billingsim.New(a)
			b := newServiceBook(t, closing(), system)
			b.play(func(p *people) {
				p.does(casework.ReadMeter, demo.Choices{FinalRead: c.read})
				p.does(casework.RemoveMeter)
				if len(c.want) == 4 {
					p.refused("meter_removed", casework.Withdraw{By: byCustomer, Reason: "不拆了"})
					p.comes(casework.SettleFinal)
					bill := p.snapshot.Served.Bill
					require.Equal(t, name == "owed", bill.Owed == 34*billingsim.PricePerUnit)
					require.Equal(t, name == "refunded", bill.Refund > 0)
					paid, _ := system.Account(accountNumber)
					paid.Balance.Owed = 0
					system.Put(paid)
					p.finish(casework.SettleFinal)
				}
				p.does(casework.Callback)
			})
			require.Equal(t, c.want, b.done())
			got, _ := system.Account(accountNumber)
			require.Equal(t, "closed", got.State)
			require.False(t, b.snapshot.Served.ClosedAt.IsZero())
			requireNothingLeft(t, b.ledger)
		})
	}
}

// Until the work is done, a customer may think again.
func TestServiceIsWithdrawn(t *testing.T) {
	t.Parallel()
	b := newServiceBook(t, transfer(), billingsim.New(account()))
	b.play(func(p *people) {
		p.comes(casework.ReadMeter)
		p.must(casework.Withdraw{By: byCustomer, Reason: "不卖了"})
	})
	require.Equal(t, casework.Withdrawn, b.snapshot.Status)
	requireNothingLeft(t, b.ledger)
}

// An order goes to a department, and on to another inside; its answer is due when
// 12345 says, whatever day that is and however the case is paused.
func TestOrder(t *testing.T) {
	t.Parallel()
	r := order()
	r.Order.ReplyBy = at(t, "2026-11-28 20:00") // a Saturday evening
	b := newServiceBook(t, r, nil)
	b.play(func(p *people) {
		require.Equal(t, []string{"accept_order", "answer_order"}, p.kinds())
		p.finish(casework.AcceptOrder)
		require.Equal(t, []string{"answer_order", "handle_order/network"}, p.kinds())
		require.Equal(t, casework.Department("network"), p.snapshot.InCharge())
		p.refused("order_not_handled", enter(p.task(casework.AnswerOrder), casework.AnswerOrderInput{Answer: "x"}))
		p.must(casework.PauseCase{By: byStaff, Reason: casework.ForceMajeure, Evidence: "暴雨", PlannedEnd: p.env.Now().Add(time.Hour)})
		d, ok := p.snapshot.Deadline(p.task(casework.AnswerOrder).ID)
		require.True(t, ok)
		require.Equal(t, "2026-11-28 20:00", casework.Clock(d.Due.At))
		p.refused("set_outside", casework.ExtendDeadline{By: byStaff, Deadline: d.ID, Extra: policy.Default().PauseBound, Reason: "x"})
		p.must(casework.ResumeCase{By: byStaff})
		p.finish(casework.HandleOrder, demo.Choices{PassOn: "engineering"})
		require.Equal(t, []string{"answer_order", "handle_order/engineering"}, p.kinds())
		require.Equal(t, casework.Department("engineering"), p.snapshot.InCharge())
		p.finish(casework.HandleOrder)
		p.finish(casework.AnswerOrder)
		require.Equal(t, []string{"callback"}, p.kinds())
		p.finish(casework.Callback)
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.Empty(t, b.fired)
	require.Equal(t, []casework.Milestone{
		casework.MilestoneReceived, casework.MilestoneAccepted, casework.MilestoneInWork, casework.MilestoneSuspended, casework.MilestoneResumed,
		casework.MilestoneInWork, casework.MilestoneCompleted,
	}, b.milestones())
	requireNothingLeft(t, b.ledger)
}

// 12345 grants more time, and the answer is due then.
func TestOrderIsExtendedBy12345(t *testing.T) {
	t.Parallel()
	b := newServiceBook(t, order(), nil)
	b.play(func(p *people) {
		p.finish(casework.AcceptOrder)
		until := at(p.t, "2026-12-05 18:00")
		p.refused("no_extension", casework.ExtendOrder{By: byStaff, Decision: casework.ExtensionGranted, Until: until})
		p.refused("invalid_input", casework.ExtendOrder{By: byStaff, Decision: casework.ExtensionAsked, Until: monday, Reason: "x"})
		p.must(casework.ExtendOrder{By: byStaff, Decision: casework.ExtensionAsked, Until: until, Reason: "管材到货延迟"})
		p.refused("extension_waits", casework.ExtendOrder{By: byStaff, Decision: casework.ExtensionAsked, Until: until, Reason: "x"})
		p.must(casework.ExtendOrder{By: byStaff, Decision: casework.ExtensionGranted})
		d, _ := p.snapshot.Deadline(p.task(casework.AnswerOrder).ID)
		require.Equal(p.t, "2026-12-05 18:00", casework.Clock(d.Due.At))
		p.finish(casework.HandleOrder)
		p.straight()
	})
	require.Equal(t, 1, b.count(casework.DeadlinesMoved))
}

// A caller who is not satisfied brings the order back, also by 12345's own visit;
// who was visited and satisfied is not called again.
func TestDissatisfiedCallerBringsTheOrderBack(t *testing.T) {
	t.Parallel()
	platform := casework.By{Actor: casework.Actor{ID: "12345", Roles: []casework.Role{casework.Platform}}}
	b := newServiceBook(t, order(), nil)
	b.play(func(p *people) {
		p.refused("not_answered", casework.RecordOrderVisit{By: platform, VisitedAt: p.env.Now()})
		for p.snapshot.Stage != casework.Evaluation {
			p.finish(p.snapshot.Tasks[0].Kind)
		}
		p.finish(casework.Callback, demo.Choices{Dissatisfied: true})
		require.Equal(t, []string{"answer_order", "handle_order/engineering"}, p.kinds())
		require.Equal(t, 2, p.task(casework.HandleOrder).Round)
		require.Equal(t, casework.OrderHandling, p.snapshot.Stage)
		p.finish(casework.HandleOrder)
		p.finish(casework.AnswerOrder)
		p.must(casework.RecordOrderVisit{By: platform, VisitedAt: p.env.Now(), Comment: "仍未解决", ReplyBy: at(t, "2026-11-25 18:00")})
		require.Equal(t, []string{"answer_order", "handle_order/engineering"}, p.kinds())
		d, _ := p.snapshot.Deadline(p.task(casework.AnswerOrder).ID)
		require.Equal(t, "2026-11-25 18:00", casework.Clock(d.Due.At))
		p.finish(casework.HandleOrder)
		p.finish(casework.AnswerOrder)
		p.must(casework.RecordOrderVisit{By: platform, VisitedAt: p.env.Now(), Satisfied: true, Solved: true})
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.Equal(t, 2, b.count(casework.OrderAgain))
	requireNothingLeft(t, b.ledger)
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return b
}
