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
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/curbstop/curbstop/casework"
)

//go:embed park-list-gb18030.csv
var parkList []byte

// ListName is the name under which the demo sends the park's list.
const ListName = "demo-park-2026"

// ParkList is the list that the demo takes in: GB18030, as a park exported it.
func ParkList() []byte { return bytes.Clone(parkList) }

// Play is one run of the demo against an API.
type Play struct {
	Base   string
	Tokens map[casework.Role]string // a token of somebody with each role
	Say    func(format string, args ...any)
	// Hurry leaves out the pauses that people would make; tests set it.
	Hurry bool

	connect sync.Once
	client  *http.Client // made when somebody first speaks
	done    atomic.Int64 // tasks completed
	ended   atomic.Int64 // cases brought to their end
	left    atomic.Int64 // cases left lying
	faults  faults
}

// faults keeps what went wrong, each once.
type faults struct {
	mu   sync.Mutex
	list []string
}

func (f *faults) add(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.list, text) {
		f.list = append(f.list, text)
	}
}

// as gives the client of somebody with a role; without one, a customer's.
func (p *Play) as(r casework.Role) Client {
	p.connect.Do(func() {
		p.client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	})
	return Client{Base: p.Base, Token: p.Tokens[r], HTTP: p.client}
}

// Run takes in the list and works the cases. It returns what the list gave; a
// case that met a fault is named in the error, the others went on.
func (p *Play) Run(ctx context.Context) (ListResult, error) {
	list, err := p.as(casework.ServiceHall).List(ctx, ListName, bytes.NewReader(parkList))
	if err != nil {
		return list, fmt.Errorf("send the list: %w", err)
	}
	p.Say("清单 %d 行：受理 %d，受理并注明 %d，此前已收 %d，留待人工处理 %d；立案 %d 件",
		list.Counts.Rows, list.Counts.Accepted, list.Counts.AcceptedWithNote, list.Counts.AcceptedBefore, list.Counts.Kept, list.Counts.Cases)
	watch, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { p.watch(watch) })
	var workers errgroup.Group
	workers.SetLimit(12)
	workers.Go(func() error {
		if err := p.leads(ctx); err != nil && ctx.Err() == nil {
			p.faults.add("意向: " + err.Error())
		}
		return nil
	})
	i := map[casework.Utility]int{} // so far, of each utility
	for _, row := range list.Rows {
		for _, c := range row.Cases {
			f := fateOf(i[c.Utility], c.Utility)
			i[c.Utility]++
			workers.Go(func() error {
				if err := p.follow(ctx, c.Number, c.Code, f); err != nil && ctx.Err() == nil {
					p.faults.add(fmt.Sprintf("%s (%s): %v", c.Number, f.name, err))
				}
				return nil
			})
		}
	}
	_ = workers.Wait()
	stop()
	watching.Wait()
	if ctx.Err() != nil {
		return list, ctx.Err()
	}
	if len(p.faults.list) > 0 {
		return list, fmt.Errorf("%d cases met a fault, first: %s", len(p.faults.list), p.faults.list[0])
	}
	return list, nil
}

// watch tells how the play goes.
func (p *Play) watch(ctx context.Context) {
	began := time.Now()
	tick := time.NewTicker(3 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := p.answerBreaches(ctx); err != nil && ctx.Err() == nil {
				p.faults.add("answer a breach: " + err.Error())
			}
			p.Say("%3.0f 秒：办结任务 %d，结案 %d，搁置 %d", time.Since(began).Seconds(), p.done.Load(), p.ended.Load(), p.left.Load())
		}
	}
}

// Straight works one case to its end, with no fate of its own.
func (p *Play) Straight(ctx context.Context, number, code string) error {
	return p.follow(ctx, number, code, fate{choices: func(task) Choices { return Choices{} }})
}

// Leave works one case the straight way as far as it goes without the tasks of
// a kind.
func (p *Play) Leave(ctx context.Context, number, code string, kind casework.TaskKind) error {
	return p.follow(ctx, number, code, fate{leave: kind, choices: func(task) Choices { return Choices{} }})
}

// fate is what the play makes of a case.
type fate struct {
	name     string
	leave    casework.TaskKind // left lying here, to run past its deadline
	withdraw casework.TaskKind // withdrawn by the customer when this task is open
	pause    casework.TaskKind // paused when this task is open
	extend   casework.TaskKind // the lead grants time when this task is open
	charge   bool              // somebody tries to charge for the meter
	rating   int               // the customer's own verdict, after supply-on
	choices  func(t task) Choices
	gas      bool // as its case says
	online   bool // gas: the customer agrees and signs with their code
}

// fateOf deals the fates: three of five cases go straight.
func fateOf(i int, utility casework.Utility) fate {
	permits := []casework.PermitNeed{{Kind: casework.RoadExcavation}, {Kind: casework.GreenSpaceOccupation}}
	ordinary := []casework.PermitNeed{{Kind: casework.RoadOccupation, AffectsTraffic: true}}
	fates := []fate{
		{name: "道路、绿地审批", choices: func(task) Choices { return Choices{Permits: permits} }},
		{name: "管网改造", choices: func(task) Choices { return Choices{Upgrade: true} }},
		{name: "暂不具备条件，跟进后接通", choices: func(t task) Choices {
			return Choices{NotYet: t.Kind == casework.ConductSurvey && t.Round == 1 || t.Kind == casework.FollowUp && t.Round < 2}
		}},
		{name: "审批被退回后重报", choices: func(t task) Choices {
			return Choices{Permits: ordinary, RefusePermit: t.Round == 1}
		}},
		{name: "客户撤回", withdraw: casework.EnterSite, choices: func(task) Choices { return Choices{Permits: permits} }},
		{name: "水表不合格更换", choices: func(t task) Choices { return Choices{MeterFails: t.Round == 1 && t.Kind == casework.AcceptMeter} }},
		{name: "线上确认方案", charge: true, choices: func(task) Choices { return Choices{DesignLater: true} }},
		{name: "回访不满意，整改", choices: func(t task) Choices { return Choices{Dissatisfied: t.Round == 1} }},
		{name: "差评，上门回访", rating: 2},
		{name: "五星好评", rating: 5},
		{name: "联系超时", leave: casework.ContactCustomer},
		{name: "踏勘超时", leave: casework.ConductSurvey},
		{name: "备料超时", leave: casework.PrepareMaterials},
		{name: "进场超时", leave: casework.EnterSite},
		{name: "录入超时", leave: casework.CompleteEntry},
		{name: "验收超时", leave: casework.AcceptMeter},
		{name: "待回访", leave: casework.Callback},
		{name: "持续跟进中", leave: casework.FollowUp, choices: func(task) Choices { return Choices{NotYet: true} }},
		{name: "客户原因暂停", pause: casework.EnterSite},
		{name: "组长延期", extend: casework.BriefCustomer},
		{name: "审批中", leave: casework.RecordPermitResult, choices: func(task) Choices { return Choices{Permits: ordinary} }},
	}
	if utility == casework.Gas {
		fates = append(fates, gasFates()...)
	}
	f := fate{name: "一次办成"}
	if i%5 == 1 || i%5 == 3 {
		f = fates[(i/5*2+i%5/3)%len(fates)]
	}
	if f.choices == nil {
		f.choices = func(task) Choices { return Choices{} }
	}
	return f
}

// task is a task as the work lists show it.
type task struct{ casework.Task }

// follow works one case until it ends or its fate leaves it.
func (p *Play) follow(ctx context.Context, number, code string, f fate) error {
	idle := 0
	for step := 0; step < 400 && ctx.Err() == nil; step++ {
		var c struct {
			Status  casework.Status `json:"status"`
			Supply  time.Time       `json:"supply_at"`
			Tasks   []shown         `json:"tasks"`
			Request struct {
				Utility casework.Utility `json:"utility"`
			} `json:"request"`
		}
		if err := p.as(casework.TaskforceOffice).Get(ctx, "/v1/cases/"+number, &c); err != nil {
			var problem *Problem
			if errors.As(err, &problem) && problem.Code == "case_not_found" && step < 200 {
				// A case of a list is accepted at once and opened a moment later.
				if err := p.pause(ctx, 300*time.Millisecond, true); err != nil {
					return err
				}
				continue
			}
			return err
		}
		if c.Status.Ended() {
			p.ended.Add(1)
			return nil
		}
		tasks, err := p.tasks(ctx, number)
		if err != nil {
			return err
		}
		tasks = slices.DeleteFunc(tasks, func(t task) bool { return f.leave == t.Kind })
		if len(tasks) == 0 {
			// What follows may be on its way: an upgrade's end, a paper being drafted.
			if idle++; idle > 20 || f.leave != "" && idle > 3 {
				p.left.Add(1)
				return nil
			}
			if err := p.pause(ctx, 300*time.Millisecond, true); err != nil {
				return err
			}
			continue
		}
		idle = 0
		f.gas = c.Request.Utility == casework.Gas
		t := tasks[0]
		switch t.Kind {
		case f.withdraw:
			if err := p.customer(ctx, number, code, "withdraw", map[string]any{"reason": "项目暂缓，不再需要接入"}); err != nil {
				return err
			}
			f.withdraw = ""
			continue
		case f.pause:
			if c.Status == casework.Paused {
				p.left.Add(1)
				return nil
			}
			return p.pauseCase(ctx, number)
		case f.extend:
			if err := p.extendDeadline(ctx, t); err != nil {
				return err
			}
			f.extend = ""
		default:
		}
		err = p.complete(ctx, t, c.Tasks, number, code, f)
		var problem *Problem
		if errors.As(err, &problem) && problem.Code == "task_not_open" {
			// The other case of a joint request agreed it with the customer meanwhile.
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.Kind, err)
		}
		if (t.Kind == casework.TurnOnSupply || t.Kind == casework.CommissionSupply) && f.rating > 0 {
			if err := p.rate(ctx, number, code, f.rating); err != nil {
				return err
			}
		}
		if err := p.pause(ctx, 250*time.Millisecond, false); err != nil {
			return err
		}
	}
	return errors.Join(ctx.Err(), errors.New("the case does not come to an end"))
}

// tasks are the open tasks of a case and of its network upgrade.
func (p *Play) tasks(ctx context.Context, number string) ([]task, error) {
	var out []task
	for _, n := range []string{number, number + "-U1"} {
		tasks, err := All[task](ctx, p.as(casework.TaskforceOffice), "/v1/tasks?case="+n)
		if err != nil {
			return nil, err
		}
		out = append(out, tasks...)
	}
	return out, nil
}

// shown is what a case or a task says beyond the work lists.
type shown struct {
	ID        string   `json:"id"`
	Checklist []string `json:"checklist"`
}

// checklist is what must be confirmed before a task is done, as its case shows
// it; the task says it where the case was read before it was opened.
func (p *Play) checklist(ctx context.Context, t task, read []shown) ([]string, error) {
	for _, s := range read {
		if s.ID == t.ID {
			return s.Checklist, nil
		}
	}
	var s shown
	err := p.as(t.Role).Get(ctx, "/v1/tasks/"+url.PathEscape(t.ID), &s)
	return s.Checklist, err
}

// complete does one task: papers first, then the customer's part, then the
// input of its kind.
func (p *Play) complete(ctx context.Context, t task, read []shown, number, code string, f fate) error {
	c := f.choices(t)
	c.Gas = f.gas
	if f.online {
		if done, err := p.agreesOnline(ctx, t, number, code); done || err != nil {
			return err
		}
	}
	var err error
	if c.Checklist, err = p.checklist(ctx, t, read); err != nil {
		return err
	}
	answer := AnswerTo(t.Task, c, time.Now())
	who := p.as(t.Role)
	if f.charge && t.Kind == casework.UploadSurvey {
		if err := p.triesToCharge(ctx, number); err != nil {
			return err
		}
	}
	for _, kind := range answer.Papers {
		id, err := who.Upload(ctx, t.Case, kind, fmt.Sprintf("demo-%s-%s", t.ID, kind), paper)
		if err != nil {
			return fmt.Errorf("upload %s: %w", kind, err)
		}
		if t.Kind == casework.Rectify {
			c.EvidencePaper = id
			answer = AnswerTo(t.Task, c, time.Now())
		}
	}
	if t.Kind == casework.UploadSurvey && c.DesignLater {
		if err := p.customer(ctx, number, code, "confirm-design", nil); err != nil {
			return err
		}
	}
	if answer.Customer {
		if err := p.customer(ctx, number, code, "confirm-acceptance", nil); err != nil {
			return err
		}
	}
	for attempt := 0; ; attempt++ {
		body := map[string]any{"kind": t.Kind, "input": answer.Input}
		if len(answer.Checked) > 0 {
			body["checked"] = answer.Checked
		}
		err := p.post(ctx, t.Role, "/v1/tasks/"+url.PathEscape(t.ID)+"/complete", fmt.Sprintf("demo-%s-complete-%d", t.ID, attempt), body)
		var problem *Problem
		if errors.As(err, &problem) && problem.Code == "documents_missing" && attempt < 20 {
			// The confirmation that the customer just gave is still being drafted.
			if err := p.pause(ctx, 200*time.Millisecond, true); err != nil {
				return err
			}
			continue
		}
		if err == nil {
			p.done.Add(1)
		}
		return err
	}
}

// post does what depends on the time of day as somebody with a role. Its key may
// belong to a play that ended in the middle of the same call, at another time.
// What became of that one, the case shows; so this one takes a key of its own.
func (p *Play) post(ctx context.Context, who casework.Role, path, key string, body any) error {
	taken := key
	for again := 1; ; again++ {
		err := p.as(who).Post(ctx, path, taken, body, nil)
		var problem *Problem
		if !errors.As(err, &problem) || problem.Code != "idempotency_key_reused" || again > 20 {
			return err
		}
		taken = fmt.Sprintf("%s-again-%d", key, again)
	}
}

// triesToCharge sees that a charge for the meter is refused by the rule.
func (p *Play) triesToCharge(ctx context.Context, number string) error {
	err := p.as(casework.Engineering).Post(ctx, "/v1/cases/"+number+"/charges", "demo-charge-"+number,
		map[string]any{"kind": casework.MeteringDevice, "amount": 38000, "note": "水表费"}, nil)
	var problem *Problem
	if !errors.As(err, &problem) || problem.Code != "charge_forbidden" {
		return fmt.Errorf("a charge for the meter was not refused: %w", err)
	}
	p.Say("收费被拒：%s", problem.Detail)
	return nil
}

// customer acts with the case's code, as a customer does without a login. What
// was confirmed before stays confirmed.
func (p *Play) customer(ctx context.Context, number, code, what string, body map[string]any) error {
	if body == nil {
		body = map[string]any{}
	}
	key := "demo-" + what + "-" + number
	if kind, ok := body["kind"].(string); ok {
		key += "-" + kind // one contract, then another
	}
	body["code"] = code
	err := p.as("").Post(ctx, "/v1/public/cases/"+number+"/"+what, key, body, nil)
	var problem *Problem
	if errors.As(err, &problem) && (problem.Code == "already_confirmed" || problem.Code == "already_withdrawing") {
		return nil
	}
	return err
}

func (p *Play) rate(ctx context.Context, number, code string, level int) error {
	body := map[string]any{"level": level, "comment": "施工当天未提前告知"}
	if level > 2 {
		body["comment"] = "服务热情，当天接通"
	}
	return p.customer(ctx, number, code, "rate", body)
}

func (p *Play) pauseCase(ctx context.Context, number string) error {
	p.left.Add(1)
	return p.post(ctx, casework.Taskforce, "/v1/cases/"+number+"/pause", "demo-pause-"+number, map[string]any{
		"reason": casework.CustomerNotReady, "evidence": "客户来函：厂房未封顶", "planned_end": time.Now().Add(24 * time.Hour).Format(time.RFC3339)})
}

// extendDeadline has the lead grant time on top of a task's limit, which works
// once.
func (p *Play) extendDeadline(ctx context.Context, t task) error {
	err := p.as(casework.TaskforceLead).Post(ctx, "/v1/cases/"+t.Case+"/deadlines/"+t.ID+"/extend", "demo-extend-"+t.ID,
		map[string]any{"extra": "10s", "reason": "客户外出，约定次日上门"}, nil)
	var problem *Problem
	if errors.As(err, &problem) && (problem.Code == "already_extended" || problem.Code == "extension_too_late") {
		return nil
	}
	return err
}

// answerBreaches has the taskforce office answer what waits for it: every other
// one, so that the rest climbs.
func (p *Play) answerBreaches(ctx context.Context) error {
	office := p.as(casework.TaskforceOffice)
	waiting, err := All[casework.Escalation](ctx, office, "/v1/escalations?open=true&to=taskforce_office")
	if err != nil {
		return err
	}
	for i, e := range waiting {
		if i%2 == 1 || !e.AnsweredAt.IsZero() {
			continue
		}
		err := office.Post(ctx, fmt.Sprintf("/v1/cases/%s/escalations/%s/%s/answer", e.Case, e.Deadline, e.Rung), "demo-answer-"+e.ID,
			map[string]any{"answer": casework.AnswerDispatch, "note": "已电话督办，加派一组"}, nil)
		var problem *Problem
		if err != nil && !errors.As(err, &problem) { // somebody or something else was faster
			return err
		}
	}
	return nil
}

// pause waits as people do, unless the play hurries and need not.
func (p *Play) pause(ctx context.Context, d time.Duration, needed bool) error {
	if p.Hurry && !needed {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// paper is the smallest page that every reader of PDF opens.
var paper = []byte("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n" +
	"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n")
