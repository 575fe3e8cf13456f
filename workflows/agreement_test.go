package workflows_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/policy"
	"github.com/curbstop/curbstop/simulate"
)

// busyMonths is a short, hard time: few people, everything that can go wrong
// does, and much is late.
const busyMonths = `
name: 忙季
from: 2026-09-14
to: 2026-11-30
requests: {per_working_day: {wechat: 1, service_hall: 1, industrial_park: 1}, months: {10: 2, 11: 0.1}}
districts: {"340202": 2, "340223": 1}
lanes: {"101": 1, "201": 1}
shares:
  upgrade: 0.25
  not_yet_connectable: 0.3
  design_later: 0.4
  permits: {road_occupation: 0.4, green_space_occupation: 0.3}
  ordinary_route: 0.3
  permit_refused: 0.3
  meter_fails: 0.2
  unreached: 0.3
  dissatisfied: 0.3
  withdrawn: 0.25
staff:
  taskforce: [{people: 1}, {districts: ["340223"], people: 1}]
  network: [{people: 1}]
  engineering: [{people: 2}]
  service_hall: [{people: 1}]
  hotline: [{people: 1}]
service:
  contact_customer: {fixed: 15}
  assess_network: {triangular: [5, 20, 60]}
  conduct_survey: {uniform: [20, 60]}
  upload_survey: {fixed: 20}
  prepare_materials: {exponential: 60}
  enter_site: {lognormal: {mean: 120, spread: 90}}
  complete_entry: {fixed: 60}
  install_meter: {fixed: 45}
  accept_meter: {fixed: 30}
  rectify: {fixed: 240}
  design_upgrade: {fixed: 300}
waits:
  build_upgrade: {exponential: 1500}
  callback: {uniform: [0, 600]}
authority: {joint_commitment: {exponential: 300}, ordinary: {exponential: 2500}}
customers:
  survey_ahead: {uniform: [30, 1200]}
  follow_up_after: {exponential: 1000}
  confirm_design: {exponential: 200}
  confirm_acceptance: {exponential: 60}
  withdraw: {exponential: 1500}
`

// busyForBoth is the same time with gas beside the water: every way that a
// connection to gas can go, and requests for both.
var busyForBoth = strings.NewReplacer(
	"withdrawn: 0.25", "withdrawn: 0.6", "withdraw: {exponential: 1500}", "withdraw: {uniform: [500, 5000]}",
	"  design_upgrade: {fixed: 300}", `  design_upgrade: {fixed: 300}
  design_connection: {uniform: [60, 400]}
  agree_quote: {fixed: 15}
  sign_contracts: {fixed: 10}
  commission_supply: {exponential: 200}
  remedy_hazard: {exponential: 600}
  void_contract: {fixed: 5}`,
).Replace(busyMonths) + `  agree_quote: {exponential: 120}
  sign_contracts: {uniform: [0, 240]}
  complete_deferred: {exponential: 900}
gas:
  requests: {per_working_day: {wechat: 1, industrial_park: 1}}
  shares: {joint: 0.4, residential: 0.4, no_credit_code: 0.5, designed: 0.4, revised: 0.3, online: 0.5, card_meter: 0.5, hazard: 0.7}
`

// played is a connection and its upgrade as the simulation played them.
type played struct {
	number    string
	request   casework.Request
	joint     *casework.Joint
	received  time.Time
	records   *records
	decisions []simulate.Decision // of both cases, in their order
}

// playBusyMonths runs the simulation and sorts its decisions by connection.
func playBusyMonths(t *testing.T, scenario string, seed uint64, cases int) []*played {
	t.Helper()
	s, err := simulate.Parse([]byte(scenario))
	require.NoError(t, err)
	byNumber := map[string]*played{}
	var all []*played
	_, err = simulate.Run(t.Context(), s, simulate.Options{
		Policy: policy.Default(), Notices: calendar.Seed(), Seed: seed, Cases: cases,
		Watch: func(d simulate.Decision) {
			k := d.Case
			number := k.Number
			if k.Kind == casework.UpgradeCase {
				number = k.Parent
			}
			p, known := byNumber[number]
			if !known {
				p = &played{number: number, request: k.Request, received: d.At, records: newRecords()}
				if j := k.Joint; j != nil {
					p.joint = &casework.Joint{Number: j.Number, Sibling: j.Sibling, Utility: j.Utility}
				}
				byNumber[number] = p
				all = append(all, p)
			}
			require.NoError(t, p.records.Save(context.Background(), k.Clone(), d.Changes))
			p.decisions = append(p.decisions, simulate.Decision{At: d.At, Case: &casework.Case{Number: k.Number}, Action: d.Action})
		},
	})
	require.NoError(t, err)
	return all
}

// The simulation drives the rules and stages without Temporal. The workflow,
// given the same requests and the same acts at the same moments, must write the
// same history: every event, task, deadline and rung, to the moment.
func TestSimulationAgreesWithWorkflow(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		scenario string
		requests int // of each of the three seeds
		cases    int // of all together, both of a joint request
		seen     []casework.EventKind
	}{
		"water": {busyMonths, 12, 36, nil},
		"water and gas": {busyForBoth, 14, 53, []casework.EventKind{
			casework.ConnectionJudged, casework.QuoteMade, casework.QuoteAgreed, casework.ContractSigned, casework.JointShared,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			agree(t, test.scenario, test.requests, test.cases, test.seen)
		})
	}
}

// outcomes are those that random histories must have come to, for the ways of
// gas to be compared.
var outcomes = []string{"agree_quote revise", "agree_quote agreed", "commission_supply failed", "complete_deferred done", "design_connection done",
	"issue_card done", "void_contract done", "sign_contracts done", "schedule_survey done"}

func agree(t *testing.T, scenario string, requests, cases int, kinds []casework.EventKind) {
	t.Helper()
	end := calendar.Date{Year: 2026, Month: time.December, Day: 1}.At(0)
	var all []*played
	seen, came := map[casework.EventKind]int{}, map[string]int{}
	for seed := range uint64(3) {
		for _, h := range playBusyMonths(t, scenario, seed, requests) {
			require.Empty(t, h.records.faults)
			for _, l := range h.records.cases {
				for _, e := range l.events {
					seen[e.Kind]++
				}
				for _, task := range l.tasks {
					came[string(task.Kind)+" "+task.Outcome]++
				}
			}
			all = append(all, h)
		}
	}
	require.Len(t, all, cases)
	for _, kind := range append([]casework.EventKind{
		casework.UpgradeStarted, casework.UpgradeFinished, casework.CaseClosed, casework.CaseWithdrawn, casework.DesignConfirmed,
		casework.RungFired, casework.TaskWasCancelled,
	}, kinds...) {
		require.Positive(t, seen[kind], "no history with %s", kind)
	}
	for _, outcome := range outcomes {
		require.True(t, len(kinds) == 0 || came[outcome] > 0, "no history with %s", outcome)
	}
	for i, h := range all {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			h.agrees(t, end)
		})
	}
}

// agrees has the workflow of one connection take the decisions that the
// simulation took, and compares what both wrote.
func (h *played) agrees(t *testing.T, end time.Time) {
	t.Helper()
	b := newBookAt(t, h.received, newRecords())
	b.ledger = b.records.of(h.number)
	b.input = contract.CaseInput{Number: h.number, Request: h.request, Terms: policy.Default().Terms(), By: casework.AsCustomer(), Joint: h.joint}
	if h.joint != nil {
		b.env.OnSignalExternalWorkflow(mock.Anything, contract.WorkflowID(h.joint.Sibling), "", contract.SiblingTells, mock.Anything).Return(nil)
	}
	b.env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: contract.WorkflowID(h.number), TaskQueue: contract.TaskQueue})
	b.playFrom(0, func(p *people) {
		connection := p.on(h.number)
		for _, d := range h.decisions {
			if d.Action == nil {
				continue
			}
			// What is told comes a moment after a decision, whose papers go first.
			connection.settled(nil)
			if wait := d.At.Sub(p.env.Now()); wait > 0 && !b.ledger.ended() {
				p.wait(wait)
			}
			if b.ledger.ended() {
				return // what goes on in its upgrade is not played here
			}
			who := connection
			if d.Case.Number != h.number {
				who = p.on(d.Case.Number)
			}
			who.settled(d.Action)
			if told, ok := d.Action.(simulate.SiblingTold); ok {
				who.hears(told.Shared)
				continue
			}
			accepted, err := who.try(d.Action)
			require.NoError(t, err, "%s %s %T", d.Case.Number, casework.Clock(d.At), d.Action)
			require.True(t, accepted)
		}
		if !b.ledger.ended() {
			p.wait(end.Add(-time.Second).Sub(p.env.Now()))
		}
		if !b.ledger.ended() {
			p.leave()
		}
	})
	for _, number := range []string{h.number, h.number + "-U1"} {
		want, got := h.records.of(number), b.records.of(number)
		if number != h.number && b.ledger.ended() && len(got.events) < len(want.events) {
			require.Equal(t, lines(t, want.events[:len(got.events)]), lines(t, got.events), "an upgrade that outlived its connection")
			continue
		}
		require.Equal(t, lines(t, want.events), lines(t, got.events))
		require.Equal(t, asJSON(t, want.tasks), asJSON(t, got.tasks))
		require.Equal(t, asJSON(t, want.deadlines), asJSON(t, got.deadlines))
		require.Equal(t, lines(t, want.fired), lines(t, got.fired))
	}
}

// settled waits until what came before has been written, its papers included,
// and the task that the act is about is open. No time passes.
func (p *people) settled(a casework.Action) {
	p.t.Helper()
	task := ""
	switch a := a.(type) {
	case casework.ClaimTask:
		task = a.Task
	case casework.CompleteTask:
		task = a.Task
	}
	for range 1_000_000 {
		if k := p.snapshot; k != nil && len(k.Drafts) == 0 {
			if _, open := k.Find(task); open || task == "" {
				return
			}
		}
		p.yield(func(resume func()) { p.after(0, resume) })
	}
	require.FailNow(p.t, "the workflow does not come to rest", "%s before %T %s", p.number, a, task)
}

// hears is told by the other case of a joint request. No time passes.
func (p *people) hears(s casework.Shared) {
	p.yield(func(resume func()) {
		p.env.SignalWorkflow(contract.SiblingTells, s)
		p.after(0, resume)
	})
}

func lines[T any](t *testing.T, list []T) []string {
	t.Helper()
	var out []string
	for _, v := range list {
		out = append(out, asJSON(t, v))
	}
	return out
}
