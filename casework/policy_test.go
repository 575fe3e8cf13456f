package casework_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// A task is done once every item of its checklist is confirmed; a meter that
// fails needs none, and an item that is not on the list is refused either way.
func TestChecklist(t *testing.T) {
	t.Parallel()
	k, meter := newCase(t, casework.AcceptMeter, "")
	k.Terms.Checklists = map[casework.TaskKind][]string{casework.AcceptMeter: {"表位正确", "封号完好"}}
	do := func(passed bool, checked ...string) (*casework.Case, error) {
		input := json.RawMessage(fmt.Sprintf(`{"passed":%t,"note":"已查看"}`, passed))
		return k.Try(casework.CompleteTask{By: byAble, Task: meter.ID, Input: input, Checked: checked}, now)
	}
	for name, test := range map[string]struct {
		passed  bool
		checked []string
		wrong   []string
	}{
		"nothing confirmed":       {true, nil, []string{"checked", "checked"}},
		"one item missing":        {true, []string{"封号完好"}, []string{"checked"}},
		"unknown item":            {true, []string{"表位正确", "封号完好", "漂亮"}, []string{"checked[2]"}},
		"unknown item of failure": {false, []string{"漂亮"}, []string{"checked[0]"}},
	} {
		_, err := do(test.passed, test.checked...)
		require.Equal(t, test.wrong, wrong(t, err), name)
	}
	next, err := do(true, "封号完好", "表位正确")
	require.NoError(t, err)
	events := next.TakeChanges().Events
	require.JSONEq(t, `{"passed":true,"note":"已查看","checked":["封号完好","表位正确"]}`, string(events[len(events)-1].Data))
	next, err = do(false, "表位正确")
	require.NoError(t, err)
	require.Nil(t, next.MeterAccepted)
	k.Terms.Checklists = nil // a case that began before there were checklists
	_, err = do(true)
	require.NoError(t, err)
	_, err = do(true, "表位正确")
	require.Equal(t, []string{"checked[0]"}, wrong(t, err))
}

func TestChargeByThePriceList(t *testing.T) {
	t.Parallel()
	k, _ := newCase(t, casework.ContactCustomer, "")
	charge := casework.Charge{Kind: casework.InsideProperty, Item: "N01", Quantity: 3, Amount: 36000}
	propose := func(change func(*casework.Charge)) error {
		c := charge
		change(&c)
		_, err := k.Try(casework.ProposeCharge{By: byAble, Charge: c}, now)
		return err
	}
	require.Equal(t, []string{"item"}, wrong(t, propose(func(*casework.Charge) {})), "there is no price list")
	k.Terms.Prices = []casework.Price{
		{Code: "N01", Name: "管道", Kind: casework.InsideProperty, Utility: casework.Water, Unit: "米", Fen: 12000, Source: "价目表"},
		{Code: "G01", Name: "燃气管", Kind: casework.InsideProperty, Utility: casework.Gas, Unit: "米", Fen: 100, Source: "价目表"},
	}
	require.NoError(t, propose(func(*casework.Charge) {}))
	for name, test := range map[string]struct {
		change func(*casework.Charge)
		want   string
	}{
		"no item":        {func(c *casework.Charge) { c.Item, c.Note = "", "红线内管道" }, "item"},
		"unknown item":   {func(c *casework.Charge) { c.Item = "N09" }, "item"},
		"item of gas":    {func(c *casework.Charge) { c.Item, c.Amount = "G01", 300 }, "item"},
		"other kind":     {func(c *casework.Charge) { c.Kind = casework.CustomerRequest }, "kind"},
		"no quantity":    {func(c *casework.Charge) { c.Quantity = 0 }, "quantity"},
		"negative":       {func(c *casework.Charge) { c.Quantity = -3 }, "quantity"},
		"too much of it": {func(c *casework.Charge) { c.Quantity = 1 << 40 }, "quantity"},
		"other amount":   {func(c *casework.Charge) { c.Amount = 36001 }, "amount"},
	} {
		require.Equal(t, []string{test.want}, wrong(t, propose(test.change)), name)
	}
	for _, kind := range []casework.ChargeKind{casework.MeteringDevice, casework.OutsideProperty} {
		require.Equal(t, "charge_forbidden", casework.AsFault(propose(func(c *casework.Charge) { c.Kind = kind })).Code, "whatever the price list says")
	}
}

// A preview says what the move then does, and leaves the case alone.
func TestPreview(t *testing.T) {
	t.Parallel()
	k, contact := newCase(t, casework.ContactCustomer, "")
	k.Need(casework.AssessNetwork, "", 1, received, received)
	cal, err := calendar.New(calendar.Seed(), k.Terms.Hours)
	require.NoError(t, err)
	for _, d := range k.Unworked() {
		k.Worked([]casework.Deadline{d.WorkOut(cal, "n")}, received)
	}
	k.TakeChanges()
	before := string(marshal(t, k))

	other := terms()
	other.PolicyVersion = "next"
	other.Limits = map[casework.LimitName]calendar.Budget{
		"contact_customer": {Unit: calendar.WorkingTime, Time: 2 * time.Hour}, "assess_network": {Unit: calendar.WorkingDays, Days: 2},
	}
	later := received.Add(90 * time.Minute) // half past eleven
	move := casework.MovePolicy{By: byAble, Terms: other, Reason: "新办法施行"}
	p, err := move.Preview(k, calendar.Seed(), later)
	require.NoError(t, err)
	due := func(text string) calendar.Due {
		at, err := time.ParseInLocation("2006-01-02 15:04", text, calendar.Shanghai)
		require.NoError(t, err)
		return calendar.Due{At: at}
	}
	require.Equal(t, casework.Preview{
		Case: "W1", From: "test", To: "next",
		Moves: []casework.Move{
			{Deadline: contact.ID, Limit: "contact_customer", From: due("2026-11-24 17:30"), To: due("2026-11-23 12:00")},
			{Deadline: "W1-T2", Limit: "assess_network", To: due("2026-11-25 17:30")},
		},
		Fires: []casework.Firing{{Deadline: contact.ID, Limit: "contact_customer", Rung: casework.RungReminder, At: received}},
	}, p)
	require.Equal(t, before, string(marshal(t, k)))

	moved, err := k.Try(move, later)
	require.NoError(t, err)
	for _, d := range moved.Unworked() {
		moved.Worked([]casework.Deadline{d.WorkOut(cal, "n")}, later)
	}
	back := casework.MovePolicy{By: byAble, Terms: terms(), Reason: "退回"}
	p, err = back.Preview(moved, calendar.Seed(), later)
	require.NoError(t, err)
	require.Equal(t, []casework.Move{
		{Deadline: contact.ID, Limit: "contact_customer", From: due("2026-11-23 12:00"), To: due("2026-11-24 17:30")},
		{Deadline: "W1-T2", Limit: "assess_network", From: due("2026-11-25 17:30")},
	}, p.Moves)

	_, err = back.Preview(k, calendar.Seed(), later)
	require.Equal(t, "same_policy", casework.AsFault(err).Code)
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return b
}
