package demo

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/curbstop/curbstop/casework"
)

// The register of mains and the list of planned plots of the demo. Both are
// invented: they stand in the city's districts and have nothing to do with its
// real network.
var (
	//go:embed network.geojson
	networkRegister []byte
	//go:embed plots.csv
	plotList []byte
)

// PlotListName is the name under which the demo sends the list of plots.
const PlotListName = "demo-plots-2027"

// leads brings in the register of mains and the planned plots. The first plot's
// lead is played to its application and on to the end, the others wait.
func (p *Play) leads(ctx context.Context) error {
	var imported struct{ Version struct{ Mains int } }
	err := p.as(casework.Network).send(ctx, http.MethodPost, "/v1/network/imports?name=demo-network.geojson", "demo-network", "application/geo+json",
		bytes.NewReader(networkRegister), &imported)
	if err != nil {
		return fmt.Errorf("import the register: %w", err)
	}
	var list ListResult
	err = p.as(casework.Taskforce).send(ctx, http.MethodPost, "/v1/plot-lists?name="+url.QueryEscape(PlotListName), "list-"+PlotListName, "text/csv",
		bytes.NewReader(plotList), &list)
	if err != nil {
		return fmt.Errorf("send the plots: %w", err)
	}
	p.Say("管网登记：%d 条管线；规划地块 %d 个，立为意向 %d 件", imported.Version.Mains, list.Counts.Rows, list.Counts.Cases)
	for i, row := range list.Rows {
		for _, c := range row.Cases {
			if err := p.lead(ctx, c.Number, c.Code, i == 0); err != nil {
				return fmt.Errorf("%s: %w", c.Number, err)
			}
		}
	}
	return nil
}

// lead works a lead until it waits; one that applies is worked on to its end.
func (p *Play) lead(ctx context.Context, number, code string, applies bool) error {
	for range 200 {
		var c struct {
			Lead    bool
			Request casework.Request
		}
		err := p.as(casework.TaskforceOffice).Get(ctx, "/v1/cases/"+number, &c)
		var problem *Problem
		tasks := []task{}
		switch {
		case errors.As(err, &problem) && problem.Code == "case_not_found": // it is opened a moment later
		case err != nil:
			return err
		case !c.Lead:
			return p.follow(ctx, number, code, fate{choices: func(task) Choices { return Choices{} }})
		default:
			if tasks, err = p.tasks(ctx, number); err != nil {
				return err
			}
		}
		if len(tasks) == 0 {
			if err := p.pause(ctx, 200*time.Millisecond, true); err != nil {
				return err
			}
			continue
		}
		t := tasks[0]
		if i := slices.IndexFunc(tasks, func(t task) bool { return t.Kind != casework.FollowUpLead }); i >= 0 {
			t = tasks[i]
		}
		switch t.Kind {
		case casework.ContactCustomer:
			err = p.enter(ctx, t, casework.ContactInput{Nobody: true, Note: "已与园区对接，尚未确定入驻企业"})
		case casework.AssessNetwork:
			err = p.assess(ctx, t)
		case casework.FollowUpLead:
			if !applies {
				p.left.Add(1)
				return p.enter(ctx, t, AnswerTo(t.Task, Choices{}, time.Now()).Input)
			}
			if c.Request.Contact.Phone == "" {
				err = p.visit(ctx, number)
			} else {
				err = p.applies(ctx, number, code)
			}
		default:
			err = p.enter(ctx, t, AnswerTo(t.Task, Choices{}, time.Now()).Input)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.Kind, err)
		}
	}
	return errors.New("the lead does not come to wait")
}

func (p *Play) enter(ctx context.Context, t task, input any) error {
	err := p.post(ctx, t.Role, "/v1/tasks/"+url.PathEscape(t.ID)+"/complete", "demo-"+t.ID+"-complete-0", map[string]any{"kind": t.Kind, "input": input})
	if err == nil {
		p.done.Add(1)
	}
	return err
}

// assess decides by what the register proposes.
func (p *Play) assess(ctx context.Context, t task) error {
	var proposed casework.Proposal
	if err := p.as(casework.Network).Get(ctx, "/v1/cases/"+t.Case+"/assessment-proposal", &proposed); err != nil {
		return err
	}
	p.Say("管网评估建议（%s）：%s %s", t.Case, proposed.Result, proposed.Why.ZH)
	in := casework.AssessmentInput{Result: proposed.Result, Main: proposed.Main, Source: "二水厂"}
	if in.Result != casework.Adequate {
		in.Plan = "按管网规划新建或改造"
	}
	for _, m := range proposed.Mains {
		if m.ID == proposed.Main {
			in.MainDiameter, in.Pressure, in.Distance = m.Diameter, m.Pressure, m.Distance
		}
	}
	return p.enter(ctx, t, in)
}

// visit finds out who comes to the plot.
func (p *Play) visit(ctx context.Context, number string) error {
	return p.post(ctx, casework.Taskforce, "/v1/cases/"+number+"/visits", "demo-visit-"+number, map[string]any{
		"visited_at": time.Now().Format(time.RFC3339), "found": "企业已摘牌，年内进场", "next_step": "告知周边管网情况",
		"contact": casework.Contact{Name: "方远", Phone: "13855300018"}})
}

// applies is the customer's application, which says only what nobody knew yet.
func (p *Play) applies(ctx context.Context, number, code string) error {
	who := casework.Applicant{Name: "芜湖万春智能装备有限公司", CreditCode: "91340200MA8N004320"} //nolint:gosec // the code of an organisation opens nothing
	return p.customer(ctx, number, code, "apply", map[string]any{
		"channel": casework.MiniProgram, "applicant": who, "demand": casework.Demand{DailyVolume: 60, Diameter: 50}})
}
