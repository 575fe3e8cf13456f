package simulate

import (
	"container/heap"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
	"github.com/curbstop/curbstop/policy"
	"github.com/curbstop/curbstop/workflows"
)

// Options are what a run takes beside its scenario.
type Options struct {
	Policy   policy.Policy
	Notices  calendar.Notices
	Seed     uint64
	Cases    int                 // how many requests come in, of both utilities; 0: as many as the rates make
	Progress func(came, all int) // told of each hundredth of the requests; may be nil
	// Watch is told of every decision in its order, so that a test can have the
	// workflow take the same ones; may be nil.
	Watch func(Decision)
}

// Decision is one decision on a case and what it changed.
type Decision struct {
	At      time.Time
	Case    *casework.Case  // after the decision; it goes on to change
	Action  casework.Action // nil where time or the process decided; SiblingTold in a joint request
	Changes casework.Changes
}

// SiblingTold is what the case beside another of a joint request told it.
type SiblingTold struct{ casework.Shared }

// Apply implements [casework.Action].
func (s SiblingTold) Apply(k *casework.Case, now time.Time) error {
	k.Learn(s.Shared, now)
	return nil
}

// Run plays a scenario to its last day. The same scenario, options and version
// of the program give the same result to the last digit.
func Run(ctx context.Context, s Scenario, o Options) (Result, error) {
	if err := s.validate(); err != nil {
		return Result{}, err
	}
	cal, err := calendar.New(o.Notices, o.Policy.Hours)
	if err != nil {
		return Result{}, err
	}
	for _, d := range o.Policy.Confirming {
		if len(s.Staff[d]) == 0 {
			return Result{}, fmt.Errorf("政策要求%s同步点击，模拟文件中却没有该部门人员 the policy wants %s to confirm its part, but the scenario has no staff there", d.Name(), d)
		}
	}
	for _, u := range utilities {
		if s.Plays(u) && !o.Policy.Serves(u) {
			return Result{}, fmt.Errorf("政策 %s 不办理%s，模拟文件却有其来件 the policy %[1]s does not serve %[3]s, but the scenario has requests for it", o.Policy.Version, u.Name(), u)
		}
	}
	y := &year{Scenario: s, Options: o, cal: cal, end: s.To.AddDays(1).At(0).UTC(), districts: sorted(s.Districts)}
	y.all = newTally(y)
	for range utilities {
		y.of = append(y.of, newTally(y))
	}
	for _, d := range casework.Departments() {
		if len(s.Staff[d]) > 0 {
			y.offices = append(y.offices, newOffice(d, s.Staff[d], y.districts))
		}
	}
	arrivals, err := y.arrivals()
	if err != nil {
		return Result{}, err
	}
	for i := range arrivals {
		y.at(arrivals[i].at, func() error {
			if every := max(len(arrivals)/100, 1); y.Progress != nil && (i+1)%every == 0 {
				y.Progress(i+1, len(arrivals))
			}
			return y.receive(&arrivals[i])
		})
	}
	for d := s.From; !s.To.Before(d); d = d.AddDays(1) {
		if cal.Working(d) {
			y.at(cal.Close(d).UTC(), func() error { y.close(d); return nil })
		}
	}
	if err := y.play(ctx); err != nil {
		return Result{}, err
	}
	return y.result(), nil
}

// year is a run under way: one clock for all cases and all people.
type year struct {
	Scenario
	Options
	cal       *calendar.Calendar
	now, end  time.Time
	agenda    agenda
	planned   int // moments planned so far
	offices   []*office
	districts []casework.District
	files     []*file         // of the cases that have not ended
	closed    []calendar.Date // working days that are over
	all       *tally
	of        []*tally // of each utility, by its place
}

// plan is something that happens at a moment.
type plan struct {
	at time.Time
	n  int // what was planned first happens first
	do func() error
}

// agenda is a heap of plans, the next one on top.
type agenda []plan

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at.Before(a[j].at) || a[i].at.Equal(a[j].at) && a[i].n < a[j].n
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

// Push implements [heap.Interface].
func (a *agenda) Push(x any) {
	if p, ok := x.(plan); ok {
		*a = append(*a, p)
	}
}

// Pop implements [heap.Interface].
func (a *agenda) Pop() any {
	last := len(*a) - 1
	p := (*a)[last]
	(*a)[last] = plan{}
	*a = (*a)[:last]
	return p
}

func (y *year) at(t time.Time, do func() error) {
	y.planned++
	heap.Push(&y.agenda, plan{t, y.planned, do})
}

// play lets everything happen in its order, up to the end of the last day.
// People look for work once all that a moment brings is on their lists.
func (y *year) play(ctx context.Context) error {
	for len(y.agenda) > 0 && y.agenda[0].at.Before(y.end) {
		if err := ctx.Err(); err != nil {
			return err
		}
		y.now = y.agenda[0].at
		for len(y.agenda) > 0 && y.agenda[0].at.Equal(y.now) {
			next, ok := heap.Pop(&y.agenda).(plan)
			if !ok {
				break
			}
			if err := next.do(); err != nil {
				return err
			}
		}
		for _, o := range y.offices {
			if err := y.dispatch(o); err != nil {
				return err
			}
		}
	}
	return nil
}

// opening is the first moment from t on at which people work.
func (y *year) opening(t time.Time) time.Time {
	return y.cal.Add(t, time.Second).Add(-time.Second).UTC()
}

// file is a case, as its workflow would hold it.
type file struct {
	k       *casework.Case
	who     *customer
	other   *file // a connection's upgrade, or an upgrade's connection
	works   []*work
	wake    time.Time // when its clock rings; zero while it is not set
	dropped bool      // the upgrade knows of the withdrawal
	sibling *file     // the other case of a joint request
	news    string    // what that one knows of this
}

// receive opens the cases of a request: two where it is joint.
func (y *year) receive(who *customer) error {
	f := y.open(who)
	if who.with == nil {
		return y.settle(f, nil)
	}
	g := y.open(who.with)
	f.sibling, g.sibling = g, f
	f.k.Joint = &casework.Joint{Number: who.joint, Sibling: g.k.Number, Utility: g.who.utility}
	g.k.Joint = &casework.Joint{Number: who.joint, Sibling: f.k.Number, Utility: f.who.utility}
	if err := y.settle(f, nil); err != nil {
		return err
	}
	return y.settle(g, nil)
}

// open makes the case of a customer and plans its withdrawal, if they will.
func (y *year) open(who *customer) *file {
	r := casework.Request{
		Utility: who.utility, Channel: who.channel, Lane: who.lane, Applicant: who.applicant(),
		Contact: casework.Contact{Name: "模拟客户", Phone: "13900000000"},
		Site:    casework.Site{District: who.district, Address: "模拟地址"},
	}
	f := &file{k: casework.NewCase(who.number, r, y.Policy.Terms(), casework.AsCustomer(), y.now), who: who}
	for _, t := range y.tallies(f) {
		t.received++
	}
	y.files = append(y.files, f)
	if who.withdraws {
		y.at(y.cal.Add(y.now, who.withdrawsIn).UTC(), func() error {
			if f.k.Status != casework.Open || f.k.Supply != nil {
				return nil
			}
			return y.act(f, casework.Withdraw{By: casework.By{Actor: casework.AsCustomer()}, Reason: "客户取消" + who.utility.Name() + "计划"})
		})
	}
	return f
}

// act takes a person's decision as the workflow does. A refusal ends the run:
// people here do nothing that the rules forbid, so it is a mistake of ours or a
// policy that the answers do not fit.
func (y *year) act(f *file, a casework.Action) error {
	// What fell due before goes on record before, as in casework.Case.Try.
	f.k.Fire(y.now)
	if err := a.Apply(f.k, y.now); err != nil {
		return fmt.Errorf("模拟中的操作被拒绝 an act of the simulation was refused: %s, %s, %T: %w", f.k.Number, casework.Clock(y.now), a, err)
	}
	return y.settle(f, a)
}

// settle does what follows a decision, in the order of the workflow: open what
// the stages need, work out due moments, fire what fell due meanwhile, commit;
// then draft the papers that are owed and tell the other case.
func (y *year) settle(f *file, a casework.Action) error {
	k := f.k
	for {
		workflows.Advance(k, y.now)
		k.NoteHolder(y.now)
		y.workOut(k)
		if wake := k.NextWake(); wake.IsZero() || wake.After(y.now) {
			break
		}
		k.Fire(y.now)
	}
	// What a case is told may matter only later, so it is a decision all the same.
	if changes := k.TakeChanges(); len(changes.Events) > 0 || len(changes.Deadlines) > 0 || a != nil {
		if y.Watch != nil {
			y.Watch(Decision{y.now, k, a, changes})
		}
		for _, t := range y.tallies(f) {
			t.note(y, f, changes)
		}
		for i := range changes.Tasks {
			y.follow(f, &changes.Tasks[i])
		}
		if len(changes.Deadlines) > 0 {
			y.reorder(f)
		}
	}
	if len(k.Drafts) > 0 {
		k.Drafted(drafts(k), y.now)
		return y.settle(f, nil)
	}
	y.arm(f)
	if err := y.tell(f); err != nil {
		return err
	}
	return y.tellSibling(f)
}

// workOut does what the workflow has an activity do: due moments, and how long
// those held the clock who let go of it.
func (y *year) workOut(k *casework.Case) {
	stale, ended := k.Unworked(), k.Clock.Ended
	for i := range stale {
		stale[i] = stale[i].WorkOut(y.cal, y.Notices.Version())
	}
	for i, h := range ended {
		ended[i].Working = y.cal.Between(h.From, h.To)
	}
	k.Worked(stale, y.now)
	k.Counted(ended)
}

// drafts are the papers that the system writes itself.
func drafts(k *casework.Case) []casework.Document {
	written := make([]casework.Document, len(k.Drafts))
	for i, kind := range k.Drafts {
		id := fmt.Sprintf("%s-%d-%s", k.Number, k.Version, kind)
		written[i] = casework.Document{ID: id, Kind: kind, Title: kind.Name(), Key: id}
	}
	return written
}

// arm sets the clock of a case for the next thing that time itself does, only
// ever for an earlier moment, as the workflow's.
func (y *year) arm(f *file) {
	wake := f.k.NextWake()
	if wake.IsZero() || !f.wake.IsZero() && !wake.Before(f.wake) {
		return
	}
	f.wake = wake.UTC()
	y.at(f.wake, func() error {
		if !f.wake.Equal(y.now) {
			return nil // it was set for an earlier moment meanwhile
		}
		f.wake = time.Time{}
		if next := f.k.NextWake(); next.IsZero() || next.After(y.now) {
			y.arm(f)
			return nil
		}
		f.k.Fire(y.now)
		return y.settle(f, nil)
	})
}

// reportDelay is the time after which a case hears of another: an upgrade's run
// ends before it reports, and what a case of a joint request tells is on its way.
const reportDelay = time.Millisecond

// tellSibling does what the workflows of a joint request tell each other: each
// tells what it knows whenever that has changed, while the other has not ended.
func (y *year) tellSibling(f *file) error {
	if f.sibling == nil || f.sibling.k.Status.Ended() {
		return nil
	}
	news := f.k.News()
	if news == f.news {
		return nil
	}
	f.news = news
	// It goes as a text, so that the other one shares no memory with this.
	text, err := json.Marshal(f.k.Share())
	if err != nil {
		return err
	}
	var told SiblingTold
	if err := json.Unmarshal(text, &told.Shared); err != nil {
		return err
	}
	y.at(y.now.Add(reportDelay), func() error {
		if f.sibling.k.Status.Ended() {
			return nil
		}
		if err := told.Apply(f.sibling.k, y.now); err != nil {
			return err
		}
		return y.settle(f.sibling, told)
	})
	return nil
}

// tell does what the workflows of a connection and its upgrade tell each other.
func (y *year) tell(f *file) error {
	k := f.k
	switch {
	case k.Status.Ended():
		y.files = slices.DeleteFunc(y.files, func(o *file) bool { return o == f })
		if k.Kind == casework.UpgradeCase && f.other != nil {
			parent := f.other
			f.other = nil
			y.at(y.now.Add(reportDelay), func() error {
				if parent.k.Status.Ended() {
					return nil
				}
				parent.k.FinishUpgrade(y.now)
				return y.settle(parent, nil)
			})
			return nil
		}
	case k.Kind == casework.ConnectionCase && k.Upgrade != nil && f.other == nil:
		f.other = &file{k: casework.NewUpgrade(k.Upgrade.Case, k, y.now), who: f.who, other: f}
		f.other.k.BeginUpgrade(y.now)
		y.files = append(y.files, f.other)
		return y.settle(f.other, nil)
	}
	if k.Kind == casework.ConnectionCase && !k.WithdrawnAt.IsZero() && k.Upgrade.Pending() && !f.dropped {
		f.dropped = true
		f.other.k.Cancel(y.now)
		return y.settle(f.other, nil)
	}
	return nil
}

// follow sees a task through: it waits in other hands, then on the list, then
// in the hands of one of ours.
func (y *year) follow(f *file, t *casework.Task) {
	i := slices.IndexFunc(f.works, func(w *work) bool { return w.task == t.ID })
	switch {
	case t.State != casework.TaskOpen && i >= 0:
		// Whoever completes a task has let go of it before; what is still on a
		// list or in hand was cancelled, or the customer did it by themselves.
		y.drop(f.works[i])
		f.works = slices.Delete(f.works, i, i+1)
	case t.State != casework.TaskOpen:
	case i < 0:
		w := y.newWork(f, t)
		f.works = append(f.works, w)
		y.await(w)
	case t.Kind == casework.ConductSurvey && !f.works[i].listed && !f.k.Appointment.SurveyAt.Equal(f.works[i].ready):
		// The two cases of a joint request had agreed on two dates.
		f.works[i].ready = f.k.Appointment.SurveyAt
		y.await(f.works[i])
	}
}

// await puts a task on its list when it is ready. Reports between two cases
// take less than a second; people begin at the next one.
func (y *year) await(w *work) {
	ready := later(w.ready.Add(time.Second-time.Nanosecond).Truncate(time.Second), y.now)
	w.awaited = ready
	y.at(ready, func() error {
		if w.gone || w.listed || !w.awaited.Equal(ready) {
			return nil
		}
		return y.list(w)
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// list puts a task on its department's list, once the customer has done what
// it waits for. What customers do online by themselves is done with that.
func (y *year) list(w *work) error {
	k := w.file.k
	byCustomer := casework.By{Actor: casework.AsCustomer()}
	online := y.Gas != nil && w.other < y.Gas.Shares.Online
	switch {
	case w.kind == casework.UploadSurvey && confirmsDesign(k):
		if err := y.act(w.file, casework.ConfirmDesign{By: byCustomer}); err != nil {
			return err
		}
	case w.kind == casework.CompleteEntry && k.AcceptanceConfirmed.IsZero():
		if err := y.act(w.file, casework.ConfirmAcceptance{By: byCustomer}); err != nil {
			return err
		}
	case w.kind == casework.AgreeQuote && online && w.chance >= y.Gas.Shares.Revised:
		return y.act(w.file, casework.ConfirmQuote{By: byCustomer})
	case w.kind == casework.SignContracts && online:
		task, ok := k.Find(w.task)
		if !ok {
			return fmt.Errorf("任务 %s 已不在办 task %[1]s is open no more", w.task)
		}
		return y.act(w.file, casework.ConfirmContract{By: byCustomer, Kind: casework.ContractKind(task.Qualifier)})
	}
	w.listed = true
	w.ready, w.urgent = y.now, urgency(k, w.task)
	y.office(w.department).put(w)
	return nil
}

func (y *year) office(d casework.Department) *office {
	return y.offices[slices.IndexFunc(y.offices, func(o *office) bool { return o.department == d })]
}

// reorder moves a case's tasks on their lists after its deadlines changed.
func (y *year) reorder(f *file) {
	for _, w := range f.works {
		if at := urgency(f.k, w.task); w.place >= 0 && !at.Equal(w.urgent) {
			w.urgent = at
			y.office(w.department).moved(w)
		}
	}
}

// urgency is the moment by which work lists put a task.
func urgency(k *casework.Case, task string) time.Time {
	t, ok := k.Find(task)
	if !ok {
		return time.Time{}
	}
	return k.Urgency(t).At
}

// drop takes a task that is open no more from the list, or out of somebody's hands.
func (y *year) drop(w *work) {
	w.gone = true
	o := y.office(w.department)
	o.remove(w)
	if w.team != nil {
		o.free(w, y.cal.Between(w.begun, y.now))
	}
}

// dispatch gives the people of a department who are free what is most urgent.
func (y *year) dispatch(o *office) error {
	if o.all.waiting == 0 {
		return nil
	}
	if opening := y.opening(y.now); opening.After(y.now) {
		if !o.opens.Equal(opening) {
			o.opens = opening
			y.at(opening, func() error { return nil }) // whoever plays dispatches then
		}
		return nil
	}
	for _, t := range o.teams {
		for len(t.idle) > 0 {
			w := o.take(t)
			if w == nil {
				break
			}
			if err := y.begin(o, t, w); err != nil {
				return err
			}
		}
	}
	return nil
}

func (y *year) begin(o *office, t *team, w *work) error {
	last := len(t.idle) - 1
	w.team, w.by, w.begun = t, t.idle[last], y.now
	t.idle = t.idle[:last]
	o.begin(w, y.cal.Between(w.ready, y.now))
	if err := y.act(w.file, casework.ClaimTask{By: casework.By{Actor: t.actor(w.by)}, Task: w.task}); err != nil {
		return err
	}
	y.at(y.cal.Add(y.now, w.service).UTC(), func() error { return y.finish(o, w) })
	return nil
}

// finish completes a task: papers first, then what its kind asks for.
func (y *year) finish(o *office, w *work) error {
	if w.gone {
		return nil
	}
	by := casework.By{Actor: w.team.actor(w.by)}
	o.free(w, y.cal.Between(w.begun, y.now))
	for _, c := range o.counts(w) {
		c.tasks++
	}
	task, ok := w.file.k.Find(w.task)
	if !ok {
		return fmt.Errorf("任务 %s 已不在办 task %[1]s is open no more", w.task)
	}
	answer := y.answer(w, *task)
	attach := func(id string, kind casework.DocumentKind) error {
		return y.act(w.file, casework.AttachDocument{By: by, Document: casework.Document{ID: id, Kind: kind, Title: kind.Name(), Key: id}})
	}
	for _, kind := range answer.Papers {
		if err := attach(w.task+"-"+string(kind), kind); err != nil {
			return err
		}
	}
	// A permit that the other case of a joint request passed on has its receipt
	// there, and is filed here with the rest.
	for n := 1; w.kind == casework.CompleteEntry && slices.Contains(w.file.k.MissingDocuments(), casework.PermitReceipt); n++ {
		if err := attach(fmt.Sprintf("%s-%s-%d", w.task, casework.PermitReceipt, n), casework.PermitReceipt); err != nil {
			return err
		}
	}
	input, err := json.Marshal(answer.Input)
	if err != nil {
		return err
	}
	return y.act(w.file, casework.CompleteTask{By: by, Task: w.task, Kind: w.kind, Input: input, Checked: answer.Checked})
}

// maxAhead keeps agreed dates within the year that the rules allow.
const maxAhead = 365 * 24 * time.Hour

// surveyTime is how long before the close of business a survey begins at the
// latest, in working time.
const surveyTime = 2 * time.Hour

// answer is what is entered: the demo's answer, with the moments and choices
// that were drawn for the task.
func (y *year) answer(w *work, t casework.Task) demo.Answer {
	s, who := &y.Shares, w.file.who
	gas := GasShares{}
	if y.Gas != nil {
		gas = y.Gas.Shares
	}
	a := demo.AnswerTo(t, demo.Choices{
		Upgrade: who.upgrade, Permits: who.permits,
		NotYet:        w.chance < s.NotYet,
		DesignLater:   w.other < s.DesignLater,
		RefusePermit:  w.chance < s.PermitRefused,
		MeterFails:    w.chance < s.MeterFails,
		Unreached:     w.chance < s.Unreached,
		Dissatisfied:  w.other < s.Dissatisfied,
		EvidencePaper: w.task + "-" + string(casework.Evidence),
		Checklist:     w.file.k.Checklist(t.Kind),
		Gas:           who.utility == casework.Gas,
		Large:         who.designed || w.file.k.NeedsDesign(),
		CardPaid:      who.card,
		Hazard:        w.chance < gas.Hazard,
		Revise:        w.chance < gas.Revised,
	}, y.now)
	if who.utility == casework.Gas {
		return y.gasAnswer(w, a)
	}
	return y.dated(w, a)
}

// dated gives an answer with what was agreed with the customer, and a sheet of
// the policy's atlas.
func (y *year) dated(w *work, a demo.Answer) demo.Answer {
	switch in := a.Input.(type) {
	case casework.AppointmentInput:
		in.SurveyAt = y.opening(y.agreed(w))
		// Nobody agrees on a time so late that the survey would not end that day.
		if day := calendar.DateOf(in.SurveyAt); y.cal.Between(in.SurveyAt, y.cal.Close(day)) < surveyTime {
			in.SurveyAt = y.opening(y.cal.Next(day).At(0))
		}
		a.Input = in
	case casework.SurveyInput:
		if in.NotYet != nil {
			in.NotYet.FollowUpOn = calendar.DateOf(y.agreed(w))
		}
		atlas := y.Policy.Atlas
		if w.file.who.utility == casework.Gas {
			atlas = y.Policy.Gas.Atlas
		}
		if in.Design != nil && in.Design.Atlas != "" && len(atlas) > 0 {
			in.Design.Atlas = atlas[int(w.chance*float64(len(atlas)))]
		}
		a.Input = in
	case casework.FollowUpInput:
		if in.Result == casework.NotYetConnectable {
			in.NextOn = calendar.DateOf(y.agreed(w))
		}
		a.Input = in
	}
	return a
}

// gasAnswer fits an answer to the policy: what it calls small, its price list,
// and its test of tightness.
func (y *year) gasAnswer(w *work, a demo.Answer) demo.Answer {
	terms, class := &w.file.k.Terms, w.file.k.Request.Class()
	switch in := a.Input.(type) {
	case casework.SurveyInput:
		if in.Design == nil {
			break
		}
		small := terms.Gas.Small
		if !w.file.who.designed {
			in.Design.Meter, in.Design.PipeLength = small.Meter, min(in.Design.PipeLength, small.PipeLength)
		} else {
			in.Design.PipeLength = max(in.Design.PipeLength, 2*small.PipeLength)
		}
		if !terms.Scale(class, *in.Design, in.Excavation).Small {
			in.Design.Atlas, in.DesignConfirmed = "", false
		}
		a.Input = in
	case casework.ConnectionDesignInput:
		in.Lines = slices.DeleteFunc(in.Lines, func(l casework.Quantity) bool {
			p, listed := terms.Price(l.Item)
			return !listed || p.Utility != casework.Gas || p.Fixed != nil
		})
		a.Input = in
	case casework.CommissioningInput:
		test := terms.Gas.Class(class).Tightness
		in.Kilopascals, in.Minutes = max(in.Kilopascals, test.Kilopascals), max(in.Minutes, test.Minutes)
		a.Input = in
	}
	return y.dated(w, a)
}

// agreed is a date or time that is agreed with the customer.
func (y *year) agreed(w *work) time.Time {
	at := y.cal.Add(y.now, w.ahead)
	if latest := y.now.Add(maxAhead); at.After(latest) {
		return latest
	}
	return at
}
