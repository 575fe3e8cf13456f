//go:build record

package workflows_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/curbstop/curbstop/billing/rest"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/demo"
	"github.com/curbstop/curbstop/devstack"
	billingsim "github.com/curbstop/curbstop/platforms/sim/billing"
	"github.com/curbstop/curbstop/policy"
	"github.com/curbstop/curbstop/worker"
)

// TestRecordServices plays a transfer, a closing and an order of 12345, as
// TestRecord plays connections.
func TestRecordServices(t *testing.T) { //nolint:paralleltest // the cases share one server and one receipt
	stack, err := devstack.Start(t.Context(), devstack.Options{Ephemeral: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stack.Close(context.WithoutCancel(t.Context()))) })
	system := billingsim.New()
	server := httptest.NewServer(system)
	t.Cleanup(server.Close)
	ask, err := rest.New(server.URL+"/api", "")
	require.NoError(t, err)
	c, r := recorder(t, stack.TemporalAddress, func(a *worker.Activities) { a.Billing.System, a.Billing.Now = ask, time.Now })

	sale, order := transfer(), order()
	sale.Certificates = sale.Certificates[:1]
	order.Order.CalledAt, order.Order.ReplyBy = time.Now().Add(-time.Minute), time.Now().Add(24*time.Hour)
	for _, one := range []struct {
		name   string
		asked  casework.ServiceRequest
		script func(l *live)
	}{
		// The title did not come along, and something is owed that is agreed upon.
		{"transfer", sale, func(l *live) {
			l.does(casework.ObtainCertificate, demo.Choices{})
			l.does(casework.ReadMeter, demo.Choices{})
			l.does(casework.SettleArrears, demo.Choices{Agreement: true})
			l.does(casework.ConfirmTransfer, demo.Choices{})
			l.does(casework.Callback, demo.Choices{})
		}},
		// What the final bill comes to is paid.
		{"closing", closing(), func(l *live) {
			l.does(casework.ReadMeter, demo.Choices{})
			l.does(casework.RemoveMeter, demo.Choices{})
			l.await(func(k *casework.Case) bool { return k.Served.Bill != nil })
			paid, _ := system.Account(accountNumber)
			paid.Balance.Owed = 0
			system.Put(paid)
			l.does(casework.SettleFinal, demo.Choices{})
			l.does(casework.Callback, demo.Choices{})
		}},
		// Passed on to another department, extended, and brought back by a visit.
		{"order", order, func(l *live) {
			l.does(casework.AcceptOrder, demo.Choices{})
			l.does(casework.HandleOrder, demo.Choices{PassOn: "engineering"})
			l.must(casework.ExtendOrder{By: byStaff, Decision: casework.ExtensionAsked, Until: time.Now().Add(48 * time.Hour), Reason: "管材到货延迟"},
				casework.ExtendOrder{By: byStaff, Decision: casework.ExtensionGranted})
			l.does(casework.HandleOrder, demo.Choices{})
			l.does(casework.AnswerOrder, demo.Choices{})
			platform := casework.By{Actor: casework.Actor{ID: "12345", Roles: []casework.Role{casework.Platform}}}
			l.must(casework.RecordOrderVisit{By: platform, VisitedAt: time.Now(), Comment: "仍未解决"})
			l.does(casework.HandleOrder, demo.Choices{})
			l.does(casework.AnswerOrder, demo.Choices{})
			l.must(casework.RecordOrderVisit{By: platform, VisitedAt: time.Now(), Satisfied: true, Solved: true})
		}},
	} {
		t.Run(one.name, func(t *testing.T) { //nolint:paralleltest // see above
			owing := account()
			if one.asked.Service == casework.TransferCase {
				owing.Balance.Owed = 12_345
			}
			system.Put(owing)
			l := &live{t: t, c: c, r: r, number: "W-" + one.name}
			r.mu.Lock()
			r.receipt = casework.Receipt{Number: l.number, Service: &one.asked, Request: one.asked.Request()}
			r.mu.Unlock()
			brief := one.asked.Brief()
			in := contract.CaseInput{Number: l.number, Service: &brief, Terms: policy.Demo().Terms(), By: staff}
			// The server's caches learn of new search attributes within seconds.
			require.EventuallyWithT(t, func(t *assert.CollectT) {
				options := l.options(enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE)
				options.StaticSummary, options.TypedSearchAttributes = one.asked.Service.Name()+" "+l.number, contract.ServiceAttributes(one.asked.Request())
				_, err := c.ExecuteWorkflow(l.t.Context(), options, contract.WorkflowOf(one.asked.Service), in)
				require.NoError(t, err)
			}, time.Minute, time.Second)
			l.await(func(k *casework.Case) bool { return k != nil })
			one.script(l)
			l.ended()
			l.save(one.name, l.number)
			require.Empty(t, r.faultsOf())
		})
	}
}

// does completes the task of a kind once it is open: what billing answers takes
// a moment.
func (l *live) does(kind casework.TaskKind, c demo.Choices) {
	l.t.Helper()
	l.await(func(k *casework.Case) bool {
		for i := range k.Tasks {
			if k.Tasks[i].Kind == kind {
				return true
			}
		}
		return false
	})
	l.finish(kind, c)
}
