package workflows

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
	"github.com/curbstop/curbstop/policy"
)

// TestModel plays random people, some of whom know what they do and some of
// whom don't, against the rules and the stages without Temporal between them:
// whatever they do in whatever order, the case never comes to a dead end, loses
// no task, fires no rung twice, and ends once people act straight.
func TestModel(t *testing.T) {
	t.Parallel()
	// Each part plays a hundred histories, or as many as -rapid.checks says.
	for part := range 4 {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				w := newWorld(t)
				for range rapid.IntRange(5, 60).Draw(t, "steps") {
					w.randomStep()
				}
				w.straight()
			})
		})
	}
}

// world is one connection, the upgrade that it may need, and time.
type world struct {
	*rapid.T
	cal   *calendar.Calendar
	now   time.Time
	main  *file
	built *file // the upgrade's case, once there is one
}

// file is a case with the records that its decisions left.
type file struct {
	casefile  *casefile
	events    int64
	tasks     map[string]casework.Task
	deadlines map[string]casework.Deadline
	fired     map[string]casework.Escalation
}

func newFile(c *casefile) *file {
	return &file{c, 0, map[string]casework.Task{}, map[string]casework.Deadline{}, map[string]casework.Escalation{}}
}

func newWorld(t *rapid.T) *world {
	cal, err := calendar.New(calendar.Seed(), terms.Hours)
	require.NoError(t, err)
	day := rapid.IntRange(0, 300).Draw(t, "day")
	w := &world{T: t, cal: cal, now: time.Date(2026, 1, 1, 0, 0, 0, 0, calendar.Shanghai).AddDate(0, 0, day).Add(time.Duration(rapid.IntRange(0, 24*60-1).Draw(t, "minute")) * time.Minute).UTC()}
	r := casework.Request{
		Utility: casework.Water, Channel: rapid.SampledFrom(casework.Channels()).Draw(t, "channel"),
		Applicant: casework.Applicant{Name: "芜湖瑞安医疗器械有限公司", CreditCode: "91340223RDUELXGQ0Y"},
		Contact:   casework.Contact{Name: "秦刚丽", Phone: "13900007716"}, Site: casework.Site{District: "340223", Address: "涌珠泉路287号"},
	}
	c := &connection{casefile: casefile{state: casework.NewCase("W1", r, terms, able, w.now)}}
	c.advance = c.stages
	w.main = newFile(&c.casefile)
	w.settle(w.main)
	return w
}

var (
	terms   = policy.Default().Terms()
	able    = casework.Actor{ID: "all-01", Name: "全能", Roles: casework.Roles()[:10], Districts: []casework.District{casework.AllDistricts}}
	strange = casework.Actor{ID: "far-01", Name: "外区", Roles: casework.Roles()[:10], Districts: []casework.District{"340281"}}
	auditor = casework.Actor{ID: "au-01", Name: "监督", Roles: []casework.Role{casework.Auditor}, Districts: []casework.District{casework.AllDistricts}}
)

// actor draws somebody: most can do everything, some hold one role, some none
// that helps.
func (w *world) actor() casework.Actor {
	switch n := rapid.IntRange(0, 19).Draw(w.T, "actor"); {
	case n < 12:
		return able
	case n < 15:
		return casework.AsCustomer()
	case n < 18:
		role := rapid.SampledFrom(casework.Roles()).Draw(w.T, "role")
		return casework.Actor{ID: "one-" + string(role), Name: "某人", Roles: []casework.Role{role}, Districts: []casework.District{"340223"}}
	case n == 18:
		return strange
	}
	return auditor
}

func (w *world) randomStep() {
	switch n := rapid.IntRange(0, 9).Draw(w.T, "step"); {
	case n < 3:
		w.pass(time.Duration(rapid.IntRange(1, 3*7*24*60).Draw(w.T, "minutes")) * time.Minute)
	case n == 3:
		w.pass(time.Duration(rapid.IntRange(1, 120).Draw(w.T, "minutes")) * time.Minute)
	case n == 4 && w.built != nil:
		_ = w.act(w.built, w.action(w.built)) // a refusal is as good
	default:
		_ = w.act(w.main, w.action(w.main))
	}
}

// action draws something to do, sensible or not.
func (w *world) action(f *file) casework.Action {
	k := f.casefile.state
	by := casework.By{Actor: w.actor()}
	if rapid.IntRange(0, 29).Draw(w.T, "stale") == 0 {
		by.IfVersion = max(k.Version-1, 1)
	}
	task := k.Number + "-T1"
	if len(k.Tasks) > 0 && rapid.IntRange(0, 9).Draw(w.T, "any task") > 0 {
		task = rapid.SampledFrom(k.Tasks).Draw(w.T, "task").ID
	}
	reason := rapid.SampledFrom([]string{"", "理由"}).Draw(w.T, "reason")
	switch rapid.IntRange(0, 24).Draw(w.T, "action") {
	case 0:
		return casework.ClaimTask{By: by, Task: task}
	case 1:
		return casework.ReleaseTask{By: by, Task: task}
	case 2:
		return casework.AssignTask{By: by, Task: task, To: w.actor(), Reason: reason}
	case 3:
		return casework.DelegateTask{By: by, Task: task, To: w.actor(), Reason: reason}
	case 4:
		// Few cases are withdrawn, or no history would come far.
		if rapid.IntRange(0, 9).Draw(w.T, "really") > 0 {
			return casework.AmendRequest{By: by, Remark: &reason, Reason: reason}
		}
		return casework.Withdraw{By: by, Reason: reason}
	case 5:
		days := rapid.IntRange(-1, 400).Draw(w.T, "days")
		return casework.PauseCase{By: by, Reason: casework.CustomerNotReady, Evidence: reason, PlannedEnd: w.now.AddDate(0, 0, days)}
	case 6:
		return casework.ResumeCase{By: by, Note: reason}
	case 7:
		return casework.AttachDocument{By: by, Document: document(k, rapid.SampledFrom(casework.DocumentKinds()).Draw(w.T, "paper"))}
	case 8:
		kind := rapid.SampledFrom([]casework.ChargeKind{casework.MeteringDevice, casework.InsideProperty, "tip"}).Draw(w.T, "charge")
		return casework.ProposeCharge{By: by, Charge: casework.Charge{Kind: kind, Amount: 12000, Note: reason, Item: "N01", Quantity: 1}}
	case 9:
		return casework.ConfirmDesign{By: by}
	case 10:
		return casework.ConfirmAcceptance{By: by}
	case 11:
		return casework.Rate{By: by, Level: rapid.IntRange(0, 6).Draw(w.T, "level"), Comment: reason}
	case 12:
		e := "W1-T1/reminder"
		if len(k.Escalations) > 0 {
			e = rapid.SampledFrom(k.Escalations).Draw(w.T, "escalation").ID
		}
		return casework.AcknowledgeEscalation{By: by, Escalation: e, Note: reason}
	case 13:
		input := rapid.SampledFrom([]string{"", "null", "{}", "[]", "7", `{"note":"x"}`, `{"connectable":true}`, `{"zzz":1}`, `{"kind":`}).Draw(w.T, "input")
		return casework.CompleteTask{By: by, Task: task, Input: json.RawMessage(input)}
	}
	t, ok := k.Find(task)
	if !ok {
		return casework.CompleteTask{By: by, Task: task, Input: json.RawMessage("{}")}
	}
	return w.answer(by, k, *t, w.choices())
}

func (w *world) choices() demo.Choices {
	flag := func(label string) bool { return rapid.IntRange(0, 2).Draw(w.T, label) == 0 }
	c := demo.Choices{
		Upgrade: flag("upgrade"), NotYet: flag("not yet"), RefusePermit: flag("refuse"), DesignLater: flag("later"),
		MeterFails: flag("fails"), Unreached: flag("unreached"), Dissatisfied: flag("dissatisfied"),
	}
	for _, kind := range casework.PermitKinds() {
		if flag("permit") {
			c.Permits = append(c.Permits, casework.PermitNeed{Kind: kind, FellsTrees: flag("trees")})
		}
	}
	return c
}

func document(k *casework.Case, kind casework.DocumentKind) casework.Document {
	id := fmt.Sprintf("paper-%d-%s", k.Version, kind)
	return casework.Document{ID: id, Kind: kind, Title: id, Key: id}
}

// answer completes a task validly; the papers that it needs are another matter.
func (w *world) answer(by casework.By, k *casework.Case, t casework.Task, c demo.Choices) casework.CompleteTask {
	c.Checklist = k.Terms.Checklists[t.Kind]
	a := demo.AnswerTo(t, c, w.now)
	input := a.Input
	switch {
	case t.Kind == casework.Rectify && len(k.Documents) > 0:
		input = casework.RectificationInput{Measures: "已修复", Evidence: k.Documents[0].ID}
	case t.Kind == casework.HomeVisit && c.Dissatisfied:
		input = casework.HomeVisitInput{VisitedAt: w.now, Reasons: "未解决", Responsible: "network"}
	case t.Kind == casework.FollowUp && c.RefusePermit && c.MeterFails:
		input = casework.FollowUpInput{Result: "withdrawn", Note: "不建了"}
	}
	b, err := json.Marshal(input)
	require.NoError(w, err)
	return casework.CompleteTask{By: by, Task: t.ID, Kind: t.Kind, Input: b, Checked: a.Checked}
}

// act tries an action the way the workflow does, and gives the refusal. Trying
// must never change the case that it was tried on.
func (w *world) act(f *file, a casework.Action) error {
	before := asJSON(w, f.casefile.state)
	ended := f.casefile.state.Status.Ended()
	next, err := f.casefile.state.Try(a, w.now)
	require.Equal(w, before, asJSON(w, f.casefile.state), "trying changed the case")
	if err != nil {
		require.NotEqual(w, casework.Internal, casework.AsFault(err).Kind, "%v", err)
		return err
	}
	_, review := a.(casework.Rate)
	require.False(w, ended && !review, "%T on an ended case", a)
	f.casefile.state = next
	w.settle(f)
	return nil
}

// settle does what casefile.settle does, with the calendar at hand and the
// records checked.
func (w *world) settle(f *file) {
	c := f.casefile
	for {
		c.advance(w.now)
		c.state.NoteHolder(w.now)
		w.workOut(f)
		if wake := c.state.NextWake(); wake.IsZero() || wake.After(w.now) {
			break
		}
		c.state.Fire(w.now)
	}
	w.check(f, c.state.TakeChanges())
	if f == w.main {
		w.tendUpgrade()
	}
	if len(c.state.Drafts) > 0 && !c.state.Status.Ended() && rapid.Bool().Draw(w.T, "drafted now") {
		w.draft(f)
	}
}

func (w *world) workOut(f *file) {
	stale := f.casefile.state.Unworked()
	for i := range stale {
		stale[i] = stale[i].WorkOut(w.cal, "seed")
	}
	f.casefile.state.Worked(stale, w.now)
	ended := f.casefile.state.Clock.Ended
	for i, h := range ended {
		ended[i].Working = w.cal.Between(h.From, h.To)
	}
	f.casefile.state.Counted(ended)
}

func (w *world) draft(f *file) {
	k := f.casefile.state
	var written []casework.Document
	for _, kind := range k.Drafts {
		written = append(written, casework.Document{ID: fmt.Sprintf("draft-%d-%s", k.Version, kind), Kind: kind})
	}
	k.Drafted(written, w.now)
	w.settle(f)
}

// tendUpgrade does what the two workflows tell each other.
func (w *world) tendUpgrade() {
	k := w.main.casefile.state
	if k.Upgrade != nil && w.built == nil {
		u := &networkUpgrade{casefile{state: casework.NewUpgrade(k.Upgrade.Case, k, w.now).Clone()}}
		u.advance = u.stages
		u.state.BeginUpgrade(w.now)
		w.built = newFile(&u.casefile)
		w.settle(w.built)
	}
	if w.built == nil {
		return
	}
	if u := w.built.casefile.state; !k.WithdrawnAt.IsZero() && k.Upgrade.Pending() && !u.Status.Ended() {
		u.Cancel(w.now)
		w.settle(w.built)
	}
}

// pass lets time pass: the clock of each case wakes at its moments, or, after
// an outage, finds at the end what it missed.
func (w *world) pass(d time.Duration) {
	until := w.now.Add(d)
	outage := rapid.IntRange(0, 4).Draw(w.T, "outage") == 0
	for {
		var first *file
		var at time.Time
		for _, f := range []*file{w.main, w.built} {
			if f == nil || f.casefile.state.Status.Ended() {
				continue
			}
			if wake := f.casefile.state.NextWake(); !wake.IsZero() && !wake.After(until) && (first == nil || wake.Before(at)) {
				first, at = f, wake
			}
		}
		if first == nil {
			break
		}
		if outage {
			at = until
		}
		if at.After(w.now) {
			w.now = at
		}
		first.casefile.state.Fire(w.now)
		w.settle(first)
		next := first.casefile.state.NextWake()
		require.True(w, next.IsZero() || next.After(w.now), "the clock would wake without end")
	}
	w.now = until
}

// check sees to everything that must hold after each decision.
func (w *world) check(f *file, c casework.Changes) {
	k := f.casefile.state
	for _, e := range c.Events {
		f.events++
		require.Equal(w, f.events, e.N, "a gap in the history")
		if e.Kind == casework.TaskOrderIssued {
			require.NotNil(w, k.Materials)
			require.False(w, k.Upgrade.Pending())
			require.False(w, slices.ContainsFunc(k.Permits, func(p casework.Permit) bool { return !p.Granted }))
		}
	}
	require.Equal(w, f.events, k.Version)
	w.checkTasks(f, c)
	w.checkDeadlines(f, c)
	w.checkStatus(f)
	if k.Version%8 == 0 || k.Status.Ended() {
		require.Equal(w, asJSON(w, k), asJSON(w, k.Clone()), "the state does not survive a new run")
	}
}

func (w *world) checkTasks(f *file, c casework.Changes) {
	k := f.casefile.state
	for _, t := range c.Tasks {
		if old, known := f.tasks[t.ID]; known {
			require.Equal(w, casework.TaskOpen, old.State, "%s came back", t.ID)
		}
		f.tasks[t.ID] = t
	}
	require.Len(w, f.tasks, k.LastTask, "a task was lost before it was recorded")
	live := map[string]string{}
	for id, t := range f.tasks {
		_, open := k.Find(id)
		require.Equal(w, t.State == casework.TaskOpen, open, "%s is %s", id, t.State)
		spec, ok := casework.SpecOf(t.Kind)
		require.True(w, ok)
		switch t.State {
		case casework.TaskOpen:
			key := string(t.Kind) + "/" + t.Qualifier
			require.Empty(w, live[key], "%s is live twice", key)
			live[key] = id
			if _, limited := k.Terms.Limits[spec.Limit]; limited {
				_, ok := k.Deadline(id)
				require.True(w, ok, "%s has no deadline", t.Title())
			}
		case casework.TaskDone:
			require.Contains(w, spec.Outcomes, t.Outcome)
			require.NotEmpty(w, t.DoneBy)
			require.False(w, t.DoneAt.IsZero())
		case casework.TaskCancelled:
			require.False(w, t.DoneAt.IsZero())
			require.Empty(w, t.Outcome)
		}
	}
}

func (w *world) checkDeadlines(f *file, c casework.Changes) {
	k := f.casefile.state
	var last time.Time
	for _, e := range c.Escalations {
		if _, known := f.fired[e.ID]; known {
			require.True(w, f.fired[e.ID].FiredAt.Equal(e.FiredAt), "%s fired twice", e.ID)
		} else {
			require.False(w, e.RungAt.Before(last), "%s out of order", e.ID)
			require.False(w, e.FiredAt.Before(e.RungAt), "%s too early", e.ID)
			last = e.RungAt
		}
		f.fired[e.ID] = e
	}
	for _, d := range c.Deadlines {
		if old, known := f.deadlines[d.ID]; known {
			require.True(w, old.Live(), "%s came back", d.ID)
			for i, r := range old.Rungs {
				require.True(w, r.FiredAt.IsZero() || d.Rungs[i].FiredAt.Equal(r.FiredAt) && d.Rungs[i].At.Equal(r.At), "%s forgot a rung that fired", d.ID)
			}
		}
		f.deadlines[d.ID] = d
	}
	for _, d := range k.Deadlines {
		require.False(w, d.Stale, d.ID)
		if !d.OnWork() {
			continue
		}
		if d.ID != casework.LaneDeadline {
			_, ok := k.Find(d.ID)
			require.True(w, ok, "%s outlives its task", d.ID)
		}
		require.False(w, k.Status == casework.Paused && d.Limit != "review_pause" && !d.Due.Stopped && d.Due.At.After(w.now), "%s runs on in a pause", d.ID)
	}
}

func (w *world) checkStatus(f *file) {
	k := f.casefile.state
	paused := slices.ContainsFunc(k.Pauses, func(p casework.Pause) bool { return p.To.IsZero() })
	require.Equal(w, k.Status == casework.Paused, paused)
	if !k.Status.Ended() {
		require.True(w, len(k.Tasks) > 0 || k.Upgrade.Pending(), "a dead end in %s, %s", k.Stage, k.Status)
		return
	}
	require.Empty(w, k.Tasks)
	require.Empty(w, k.Deadlines)
	if k.Status == casework.Closed && k.Kind == casework.ConnectionCase {
		require.True(w, k.Evaluated.Closed())
		require.Empty(w, k.MissingDocuments())
		require.NotNil(w, k.Supply)
		require.NotNil(w, k.MeterAccepted)
		require.Equal(w, casework.Evaluation, k.Stage)
	}
	if k.Status == casework.Withdrawn && k.Kind == casework.ConnectionCase {
		require.Nil(w, k.Materials)
	}
}

// straight has able people bring both cases to their end.
func (w *world) straight() {
	for range 150 {
		k := w.main.casefile.state
		done := k.Status.Ended()
		if !done {
			w.straightStep(w.main)
		}
		if w.built != nil {
			if !w.built.casefile.state.Status.Ended() {
				w.straightStep(w.built)
				done = false
			}
			if w.built.casefile.state.Status.Ended() && w.main.casefile.state.Upgrade.Pending() && !w.main.casefile.state.Status.Ended() {
				w.main.casefile.state.FinishUpgrade(w.now)
				w.settle(w.main)
			}
		}
		if done {
			return
		}
		w.pass(time.Minute)
	}
	require.Fail(w, "people acted straight and the case did not end", "%s %s", w.main.casefile.state.Stage, asJSON(w, w.main.casefile.state.Tasks))
}

// straightStep does whatever the first open task needs.
func (w *world) straightStep(f *file) {
	k := f.casefile.state
	by := casework.By{Actor: able}
	if k.Status == casework.Paused {
		require.NoError(w, w.act(f, casework.ResumeCase{By: by}))
	}
	if len(k.Drafts) > 0 {
		w.draft(f)
	}
	k = f.casefile.state
	if len(k.Tasks) == 0 {
		return
	}
	t := k.Tasks[0]
	if t.Assignee != "" && t.Assignee != able.ID {
		require.NoError(w, w.act(f, casework.ReleaseTask{By: by, Task: t.ID}))
	}
	attach := func(kind casework.DocumentKind) {
		require.NoError(w, w.act(f, casework.AttachDocument{By: by, Document: document(f.casefile.state, kind)}))
	}
	switch t.Kind { //nolint:exhaustive // the other kinds need no paper
	case casework.UploadSurvey:
		attach(casework.SurveyRecord)
		attach(casework.ConstructionDrawing)
		if k.DesignConfirmedAt.IsZero() {
			require.NoError(w, w.act(f, casework.ConfirmDesign{By: casework.By{Actor: casework.AsCustomer()}}))
		}
	case casework.CompleteEntry:
		if k.AcceptanceConfirmed.IsZero() {
			require.NoError(w, w.act(f, casework.ConfirmAcceptance{By: casework.By{Actor: casework.AsCustomer()}}))
		}
		if len(f.casefile.state.Drafts) > 0 {
			w.draft(f)
		}
		attach(casework.PriceControlSheet)
		for range k.Permits {
			attach(casework.PermitReceipt)
		}
	}
	require.NoError(w, w.act(f, w.answer(by, f.casefile.state, t, demo.Choices{})))
}

func asJSON(t require.TestingT, v any) string {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}
