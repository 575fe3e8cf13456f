package demo

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/curbstop/curbstop/casework"
)

// Services works off the transfers and closings that come in, whoever brings
// them, until last is closed and those that are known have come to their end.
func (p *Play) Services(ctx context.Context, last <-chan struct{}) error {
	var work sync.WaitGroup
	defer work.Wait()
	known, over := map[string]bool{}, false
	var faults faults
	for !over {
		select {
		case <-last:
			over = true // one more look
		default:
		}
		for _, kind := range []casework.CaseKind{casework.TransferCase, casework.ClosingCase} {
			lines, err := All[casework.CaseLine](ctx, p.as(casework.TaskforceOffice), "/v1/cases?kind="+string(kind))
			if err != nil {
				return err
			}
			for _, l := range lines {
				if known[l.Number] || l.Status.Ended() {
					continue
				}
				known[l.Number] = true
				work.Go(func() {
					if err := p.Serve(ctx, l.Number); err != nil && ctx.Err() == nil {
						faults.add(l.Number + ": " + err.Error())
					}
				})
			}
		}
		if !over && p.pause(ctx, time.Second, true) != nil {
			return ctx.Err()
		}
	}
	work.Wait()
	p.Say("过户、销户 %d 件已办到底 transfers and closings worked off", len(known))
	if len(faults.list) > 0 {
		return fmt.Errorf("%d transfers and closings met a fault, first: %s", len(faults.list), faults.list[0])
	}
	return nil
}

// serviceCase is what staff see of a transfer or a closing.
type serviceCase struct {
	Number  string                   `json:"number"`
	Kind    casework.CaseKind        `json:"kind"`
	Status  casework.Status          `json:"status"`
	Service *casework.ServiceRequest `json:"service"`
	Facts   struct {
		Served casework.ServiceFacts `json:"served"`
	} `json:"facts"`
	Tasks []shown `json:"tasks"`
}

// Serve works one transfer or closing to its end: with what billing says, and by
// hand where it says nothing. Arrears are paid at the window, or it is agreed who
// pays.
func (p *Play) Serve(ctx context.Context, number string) error {
	const steps, idlest = 800, 400 // billing is asked on, less and less often
	tried := 0
	for step, idle := 0, 0; step < steps && ctx.Err() == nil; step++ {
		var k serviceCase
		err := p.as(casework.TaskforceOffice).Get(ctx, "/v1/cases/"+number, &k)
		if problem := (*Problem)(nil); errors.As(err, &problem) && problem.Code == "case_not_found" {
			err = nil // accepted, and opened a moment later
		}
		if err != nil {
			return err
		}
		if k.Status.Ended() {
			return nil
		}
		tasks, err := All[task](ctx, p.as(casework.TaskforceOffice), "/v1/tasks?case="+number)
		if err != nil {
			return err
		}
		done := false
		for _, t := range tasks {
			if done, err = p.serves(ctx, k, t, &tried); done || err != nil {
				break
			}
		}
		problem := (*Problem)(nil)
		if errors.As(err, &problem) && (problem.Code == "task_not_open" || problem.Status == 503) {
			err = nil // billing answered meanwhile, or does not answer just now
		}
		if err != nil {
			return err
		}
		if done {
			idle = 0
		} else if idle++; idle > idlest {
			return errors.New("nothing goes on in the case")
		}
		if err := p.pause(ctx, 300*time.Millisecond, !done); err != nil {
			return err
		}
	}
	return errors.Join(ctx.Err(), errors.New("the case does not come to an end"))
}

// serves completes one task; false where it can't be done yet.
func (p *Play) serves(ctx context.Context, k serviceCase, t task, tried *int) (bool, error) {
	s := k.Facts.Served
	checked, err := p.checklist(ctx, t, k.Tasks)
	if err != nil {
		return false, err
	}
	c := Choices{Checklist: checked, Account: k.Service.Account, AskAgain: askedAgain(s.Billing.Trouble)}
	owed, settled := int64(0), ""
	switch t.Kind {
	case casework.ReadMeter:
		if s.Account != nil {
			c.FinalRead = s.Account.Reading + 12
		}
	case casework.SettleArrears:
		c.AskAgain = false
		c.Agreement = k.Kind == casework.TransferCase && number(k.Number)%2 == 0
		if !c.Agreement && s.Account != nil && !s.Account.Person {
			owed, settled = s.Account.Owed, "arrears"
		}
	case casework.SettleFinal:
		// Without a bill nobody knows what to collect, and billing closes no account that owes.
		c.AskAgain = s.Bill == nil
		if s.Bill != nil {
			owed, settled = s.Bill.Owed, "final"
		}
	default:
	}
	if owed > 0 {
		if paid, err := p.collect(ctx, k, settled, owed, tried); err != nil || !paid {
			return false, err
		}
	}
	answer := AnswerTo(t.Task, c, time.Now())
	body := map[string]any{"kind": t.Kind, "input": answer.Input}
	if len(answer.Checked) > 0 {
		body["checked"] = answer.Checked
	}
	err = p.post(ctx, t.Role, "/v1/tasks/"+url.PathEscape(t.ID)+"/complete", "demo-serve-"+t.ID, body)
	var problem *Problem
	if t.Kind == casework.ReadMeter && s.Account == nil && errors.As(err, &problem) && problem.Code == "invalid_input" {
		return false, nil // billing said meanwhile what the meter showed last
	}
	if err != nil {
		return false, err
	}
	p.done.Add(1)
	return true, nil
}

// askedAgain tells whether billing may do it when it is asked again; else a
// person does it by hand.
func askedAgain(trouble casework.BillingTrouble) bool {
	return trouble == casework.BillingRefused || trouble == casework.BillingUnavailable
}

// collect takes what is owed at the window and has billing book it, once: false
// while billing has not said so yet. What it refuses is handed in anew.
func (p *Play) collect(ctx context.Context, k serviceCase, what string, owed int64, tried *int) (bool, error) {
	var got struct {
		State casework.BillingState `json:"state"`
	}
	name := fmt.Sprintf("%s-%s-%d", k.Number, what, *tried)
	err := p.as(casework.ServiceHall).Post(ctx, "/v1/accounts/"+k.Service.Account+"/payments", "demo-"+name,
		map[string]any{"amount": owed, "way": "cash", "number": "SK-" + name, "channel": "service_hall"}, &got)
	if err == nil && got.State == casework.BillingDenied {
		*tried++
	}
	return err == nil && got.State == casework.BillingDone, err
}
