package workflows

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
)

// TestModel plays random people, some of whom know what they do and some of
// whom don't, against the rules and the stages without Temporal between them:
// whatever they do in whatever order, under whatever policy and notices, the
// case never comes to a dead end, loses no task, and ends once people act
// straight. After each step every due moment, every rung, every escalation and
// who held the clock agree with the reference.
func TestModel(t *testing.T) {
	t.Parallel()
	for part := range modelParts {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				w := newWorld(t)
				for range rapid.SampledFrom([]int{5, 10, 20, 40, 60}).Draw(t, "steps") {
					w.randomStep()
				}
				if w.oneIn(2, "to the end") {
					w.straight()
					w.afterwards()
				}
			})
		})
	}
}

// modelParts is how many parts TestModel has, each of a hundred histories;
// -rapid.checks=500 makes it five times as many.
const modelParts = 8

// world is one connection, the upgrade that it may need, and time.
type world struct {
	*rapid.T
	days     []calendar.Day                // the notices in force
	cals     map[string]*calendar.Calendar // by them, for the hours of each policy
	policies []casework.Terms
	now      time.Time
	main     *file
	built    *file // the upgrade's case, once there is one
	// cancelled tells that the upgrade knows of the withdrawal.
	cancelled bool
	story     []string
}

// file is a case with the records that its decisions left, and the reference
// that keeps its clocks beside it.
type file struct {
	casefile  *casefile
	reference *reference
	events    int64
	tasks     map[string]casework.Task
	deadlines map[string]casework.Deadline
	fired     map[string]casework.Escalation
	holdings  []casework.Holding
	messages  map[string]bool
	accepted  bool // the application is accepted: the lane's clock began
	late      bool // something was reported late
}

func (w *world) newFile(c *casefile) *file {
	return &file{
		casefile: c, reference: newReference(c.state.Number, c.state.Terms, w.days, w.now),
		tasks: map[string]casework.Task{}, deadlines: map[string]casework.Deadline{}, fired: map[string]casework.Escalation{}, messages: map[string]bool{},
	}
}

// Errorf tells, beside what is wrong, how it came to it.
func (w *world) Errorf(format string, args ...any) {
	w.T.Errorf("%s\n\nThe history:\n%s", fmt.Sprintf(format, args...), strings.Join(w.story, "\n"))
}

// tell notes a line of the history.
func (w *world) tell(format string, args ...any) {
	w.story = append(w.story, minuteOf(w.now).String()+" "+fmt.Sprintf(format, args...))
}

func newWorld(t *rapid.T) *world {
	start := time.Date(2023, 1, 2, 0, 0, 0, 0, calendar.Shanghai)
	w := &world{T: t}
	w.now = start.AddDate(0, 0, rapid.IntRange(0, 4*365).Draw(t, "day")).Add(time.Duration(rapid.IntRange(0, 24*60-1).Draw(t, "minute")) * time.Minute).UTC()
	w.notices()
	for _, label := range []string{"policy", "second policy", "third policy"} {
		w.policies = append(w.policies, chanceTerms(rapid.Uint64Range(0, 999).Draw(t, label)))
	}
	r := casework.Request{
		Utility: rapid.SampledFrom([]casework.Utility{casework.Water, casework.Gas}).Draw(t, "utility"), Channel: rapid.SampledFrom(casework.Channels()).Draw(t, "channel"),
		Applicant: casework.Applicant{Name: "芜湖瑞安医疗器械有限公司", CreditCode: "91340223RDUELXGQ0Y"},
		Contact:   casework.Contact{Name: "秦刚丽", Phone: "13900007716"}, Site: casework.Site{District: "340223", Address: "涌珠泉路287号"},
	}
	if r.Utility == casework.Gas && w.oneIn(3, "no code yet") {
		r.Applicant.CreditCode = ""
	}
	c := &connection{casefile: casefile{state: casework.NewCase("W1", r, w.policies[0], able, w.now)}}
	c.advance = c.stages
	w.main = w.newFile(&c.casefile)
	w.tell("received under %s", w.policies[0].PolicyVersion)
	w.settle(w.main)
	return w
}

// notices draws the notices that are in force from now on.
func (w *world) notices() {
	seed := rapid.Uint64Range(0, 999).Draw(w.T, "notices")
	w.days, w.cals = chanceDays(seed, w.now), map[string]*calendar.Calendar{}
	w.tell("notices %d", seed)
}

// calendar is that of a case: the notices in force with the case's own hours.
func (w *world) calendar(k *casework.Case) *calendar.Calendar {
	cal, ok := w.cals[k.Terms.PolicyVersion]
	if !ok {
		n, err := calendar.NewNotices("chance", w.days)
		require.NoError(w, err)
		cal, err = calendar.New(n, k.Terms.Hours)
		require.NoError(w, err)
		w.cals[k.Terms.PolicyVersion] = cal
	}
	return cal
}

var (
	able    = casework.Actor{ID: "all-01", Name: "全能", Roles: casework.Roles()[:10], Districts: []casework.District{casework.AllDistricts}}
	strange = casework.Actor{ID: "far-01", Name: "外区", Roles: casework.Roles()[:10], Districts: []casework.District{"340281"}}
	auditor = casework.Actor{ID: "au-01", Name: "监督", Roles: []casework.Role{casework.Auditor}, Districts: []casework.District{casework.AllDistricts}}
)

// actor draws somebody: most can do everything, some hold one role, some none
// that helps.
func (w *world) actor() casework.Actor {
	switch rapid.SampledFrom([]string{"able", "able", "able", "able", "able", "customer", "one role", "one role", "far", "auditor"}).Draw(w.T, "actor") {
	case "able":
		return able
	case "customer":
		return casework.AsCustomer()
	case "one role":
		role := rapid.SampledFrom(casework.Roles()).Draw(w.T, "role")
		return casework.Actor{ID: "one-" + string(role), Name: "某人", Roles: []casework.Role{role}, Districts: []casework.District{"340223"}}
	case "far":
		return strange
	}
	return auditor
}

// oneIn draws whether something happens that happens once in so many times.
// (rapid's own integers are mostly small ones.)
func (w *world) oneIn(n int, label string) bool {
	return rapid.SampledFrom(append(make([]bool, n-1), true)).Draw(w.T, label)
}

// steps are what people and time do, each as often as it stands here.
var steps = []string{
	"work", "work", "work", "work", "work", "supervise", "supervise", "supervise", "anything", "anything",
	"minutes", "minutes", "days", "days", "weeks", "notices",
}

func (w *world) randomStep() {
	f := w.main
	if w.built != nil && !w.built.casefile.state.Status.Ended() && w.oneIn(3, "upgrade's") {
		f = w.built
	}
	ended := f.casefile.state.Status.Ended()
	minutes := func(most int) time.Duration {
		return time.Duration(rapid.IntRange(1, most).Draw(w.T, "minutes")) * time.Minute
	}
	switch step := rapid.SampledFrom(steps).Draw(w.T, "step"); {
	case step == "minutes":
		w.pass(minutes(180))
	case step == "days":
		w.pass(minutes(4 * 24 * 60))
	case step == "weeks":
		w.pass(minutes(3 * 7 * 24 * 60))
	case step == "notices":
		w.importNotices()
	case ended && w.oneIn(2, "rates"):
		_ = w.act(f, casework.Rate{By: casework.By{Actor: casework.AsCustomer()}, Level: rapid.IntRange(1, 5).Draw(w.T, "level")})
	case step == "work" && !ended:
		w.straightStep(f, w.choices(), w.late(f))
	case step == "supervise":
		_ = w.act(f, w.supervision(f, casework.By{Actor: able})) // a refusal is as good
	default:
		_ = w.act(f, w.action(f))
	}
}

// supervision draws something that moves clocks.
func (w *world) supervision(f *file, by casework.By) casework.Action {
	k := f.casefile.state
	reason := w.reason()
	escalation := "W1-T1/reminder"
	if len(k.Escalations) > 0 {
		escalation = rapid.SampledFrom(k.Escalations).Draw(w.T, "escalation").ID
	}
	extra := rapid.SampledFrom([]calendar.Budget{
		{Unit: calendar.WorkingDays, Days: 1}, {Unit: calendar.WorkingDays, Days: 3}, {Unit: calendar.WorkingTime, Time: 4 * time.Hour}, {Unit: calendar.WorkingTime, Time: 17 * time.Minute},
		{Unit: calendar.SameDay},
	})
	kinds := []string{"pause", "pause", "resume", "extend", "move", "acknowledge", "answer", "answer", "close"}
	switch rapid.SampledFrom(kinds).Draw(w.T, "supervision") {
	case "pause":
		days := rapid.SampledFrom([]int{3, 1, 10, 40, 300, 400, -1}).Draw(w.T, "days")
		why := rapid.SampledFrom(k.Terms.PauseReasons).Draw(w.T, "why")
		return casework.PauseCase{By: by, Reason: why, Evidence: reason, PlannedEnd: w.now.AddDate(0, 0, days)}
	case "resume":
		why := rapid.SampledFrom(append([]casework.PauseReason{""}, k.Terms.PauseReasons...)).Draw(w.T, "why")
		return casework.ResumeCase{By: by, Reason: why, Note: reason}
	case "extend":
		id := casework.LaneDeadline
		if len(k.Deadlines) > 0 {
			id = rapid.SampledFrom(k.Deadlines).Draw(w.T, "deadline").ID
		}
		return casework.ExtendDeadline{By: by, Deadline: id, Extra: extra.Draw(w.T, "extra"), Reason: reason}
	case "move":
		return casework.MovePolicy{By: by, Terms: rapid.SampledFrom(w.policies).Draw(w.T, "to"), Reason: reason}
	case "acknowledge":
		return casework.AcknowledgeEscalation{By: by, Escalation: escalation, Note: reason}
	case "answer":
		a := casework.AnswerEscalation{By: by, Escalation: escalation, Answer: rapid.SampledFrom(casework.AnswerKinds()).Draw(w.T, "answer"), Note: reason}
		if a.Answer == casework.AnswerReassign {
			to := w.actor()
			a.To = &to
		}
		if a.Answer == casework.AnswerExtend {
			a.Extra = extra.Draw(w.T, "extra")
		}
		return a
	}
	return casework.CloseEscalation{By: by, Escalation: escalation, Note: reason}
}

// reason draws what people give as a reason, mostly something.
func (w *world) reason() string {
	if w.oneIn(8, "no reason") {
		return ""
	}
	return "理由"
}

// importNotices puts other notices in force, of which every case is told.
func (w *world) importNotices() {
	w.notices()
	for _, f := range []*file{w.main, w.built} {
		if f == nil {
			continue
		}
		f.reference.imported(w.days)
		f.casefile.state.Recalculate()
		w.settle(f)
	}
}

var anything = []string{
	"work", "work", "work", "supervise", "supervise", "claim", "release", "assign", "delegate", "hand over", "amend or withdraw",
	"attach", "charge", "confirm design", "confirm quote", "confirm contract", "confirm acceptance", "rate", "nonsense",
}

// action draws something to do, sensible or not.
func (w *world) action(f *file) casework.Action {
	k := f.casefile.state
	by := casework.By{Actor: w.actor()}
	if w.oneIn(30, "stale") {
		by.IfVersion = max(k.Version-1, 1)
	}
	task := k.Number + "-T1"
	if len(k.Tasks) > 0 && !w.oneIn(10, "first task") {
		task = rapid.SampledFrom(k.Tasks).Draw(w.T, "task").ID
	}
	reason := w.reason()
	switch rapid.SampledFrom(anything).Draw(w.T, "action") {
	case "claim":
		return casework.ClaimTask{By: by, Task: task}
	case "release":
		return casework.ReleaseTask{By: by, Task: task}
	case "assign":
		return casework.AssignTask{By: by, Task: task, To: w.actor(), Reason: reason}
	case "delegate":
		return casework.DelegateTask{By: by, Task: task, To: w.actor(), Reason: reason}
	case "amend or withdraw":
		// Few cases are withdrawn, or no history would come far.
		if !w.oneIn(4, "withdraw") {
			a := casework.AmendRequest{By: by, Remark: &reason, Reason: reason}
			if w.oneIn(4, "the code") {
				applicant := k.Request.Applicant
				applicant.CreditCode = rapid.SampledFrom([]string{"", "91340223RDUELXGQ0Y"}).Draw(w.T, "code")
				a.Applicant = &applicant
			}
			return a
		}
		return casework.Withdraw{By: by, Reason: reason}
	case "attach":
		return casework.AttachDocument{By: by, Document: document(k, rapid.SampledFrom(casework.DocumentKinds()).Draw(w.T, "paper"))}
	case "charge":
		kind := rapid.SampledFrom([]casework.ChargeKind{casework.MeteringDevice, casework.InsideProperty, "tip"}).Draw(w.T, "charge")
		return casework.ProposeCharge{By: by, Charge: casework.Charge{Kind: kind, Amount: 12000, Note: reason, Item: "N01", Quantity: 1}}
	case "confirm design":
		return casework.ConfirmDesign{By: by}
	case "confirm quote":
		return casework.ConfirmQuote{By: by}
	case "confirm contract":
		return casework.ConfirmContract{By: by, Kind: rapid.SampledFrom(casework.ContractKinds()).Draw(w.T, "contract")}
	case "confirm acceptance":
		return casework.ConfirmAcceptance{By: by}
	case "rate":
		return casework.Rate{By: by, Level: rapid.IntRange(0, 6).Draw(w.T, "level"), Comment: reason}
	case "supervise":
		return w.supervision(f, by)
	case "hand over":
		to := w.actor()
		return casework.HandOver{By: by, Person: w.actor().ID, To: &to, Reason: reason}
	case "nonsense":
		input := rapid.SampledFrom([]string{"", "null", "{}", "[]", "7", `{"note":"x"}`, `{"connectable":true}`, `{"zzz":1}`, `{"kind":`}).Draw(w.T, "input")
		return casework.CompleteTask{By: by, Task: task, Input: json.RawMessage(input)}
	}
	t, ok := k.Find(task)
	if !ok {
		return casework.CompleteTask{By: by, Task: task, Input: json.RawMessage("{}")}
	}
	return w.answer(by, k, *t, w.choices(), w.late(f))
}

// late draws how late something is reported.
func (w *world) late(f *file) time.Duration {
	if !w.oneIn(12, "late") {
		return 0
	}
	f.late = true
	return time.Duration(rapid.IntRange(1, 3*24*60).Draw(w.T, "minutes late")) * time.Minute
}

func (w *world) choices() demo.Choices {
	flag := func(label string) bool { return w.oneIn(3, label) }
	c := demo.Choices{
		PauseGoesOn: flag("goes on"), Upgrade: flag("upgrade"), NotYet: flag("not yet"), RefusePermit: flag("refuse"), DesignLater: flag("later"),
		MeterFails: flag("fails"), Unreached: flag("unreached"), Dissatisfied: flag("dissatisfied"),
		Large: flag("large"), CardPaid: flag("card"), Hazard: flag("hazard"), Revise: flag("revise"),
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
// It may report late what was done some minutes ago.
func (w *world) answer(by casework.By, k *casework.Case, t casework.Task, c demo.Choices, late time.Duration) casework.CompleteTask {
	c.Checklist, c.Gas = k.Checklist(t.Kind), k.Request.Utility == casework.Gas
	a := demo.AnswerTo(t, c, w.now)
	input, checked := a.Input, a.Checked
	ago := func(earliest time.Time) time.Time { return later(w.now.Add(-late), earliest) }
	switch a := input.(type) {
	case casework.AppointmentInput:
		a.SurveyAt = w.now.Add(time.Duration(rapid.IntRange(0, 4*24*60).Draw(w.T, "survey in")) * time.Minute)
		input = a
	case casework.SurveyInput:
		a.ConductedAt = ago(k.ReceivedAt)
		input = a
	case casework.FilingInput:
		a.FiledAt = ago(k.ReceivedAt)
		input = a
	case casework.PermitResultInput:
		for _, p := range k.Permits {
			if string(p.Kind) == t.Qualifier {
				a.DecidedAt = ago(p.FiledAt)
			}
		}
		input = a
	case casework.SupplyInput:
		a.SuppliedAt = ago(k.Meter.InstalledAt)
		input = a
	case casework.CommissioningInput:
		a.TestedAt = ago(k.Meter.InstalledAt)
		if a.Passed {
			a.SuppliedAt = a.TestedAt
		}
		input = a
	}
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
	return casework.CompleteTask{By: by, Task: t.ID, Kind: t.Kind, Input: b, Checked: checked}
}

// act tries an action the way the workflow does, and gives the refusal. Trying
// must never change the case that it was tried on.
func (w *world) act(f *file, a casework.Action) error {
	k := f.casefile.state
	before := ""
	if k.Version%4 == 0 {
		before = asJSON(w, k)
	}
	next, err := k.Try(a, w.now)
	if before != "" {
		require.Equal(w, before, asJSON(w, k), "trying changed the case")
	}
	w.tellOf(k, a, err)
	if err != nil {
		fault := casework.AsFault(err)
		require.NotEqual(w, casework.Internal, fault.Kind, "%v", err)
		w.checkRefusal(f, a, fault)
		return err
	}
	_, review := a.(casework.Rate)
	require.False(w, k.Status.Ended() && !review, "%T on an ended case", a)
	f.reference.lapse(minuteOf(w.now)) // nobody acts a breach away
	w.inform(f, a)
	f.casefile.state = next
	w.settle(f)
	return nil
}

func (w *world) tellOf(k *casework.Case, a casework.Action, err error) {
	said := fmt.Sprintf("%+v", a)
	if b, err := json.Marshal(a); err == nil {
		said = string(b)
	}
	if i := strings.Index(said, "},"); i > 0 {
		said = said[i+2:]
	}
	if _, ok := a.(casework.MovePolicy); ok || len(said) > 160 {
		said = strings.ToValidUTF8(said[:min(len(said), 160)], "")
	}
	if err != nil {
		said += " refused: " + casework.AsFault(err).Code
	}
	w.tell("%s %T %s", k.Number, a, said)
}

// inform tells the reference of an action that the case took. Tasks, the lane
// and what it waits for are told when the case is settled.
func (w *world) inform(f *file, a casework.Action) {
	r, now := f.reference, minuteOf(w.now)
	extend := func(id string, extra calendar.Budget) {
		c := r.clock(id)
		require.NotNil(w, c)
		require.Nil(w, c.extra, "extended twice")
		due := r.due(c)
		require.True(w, due.stopped || now < due.at, "extended too late: %s", due)
		c.extra = &extra
	}
	switch a := a.(type) {
	case casework.PauseCase:
		r.paused(a.Reason, minuteOf(a.PlannedEnd), now)
	case casework.ResumeCase:
		r.resumed(a.Reason, now)
	case casework.ExtendDeadline:
		extend(a.Deadline, a.Extra)
	case casework.AnswerEscalation:
		if a.Answer == casework.AnswerExtend {
			extend(r.escalation(a.Escalation).of.id, a.Extra)
		}
		r.answered(a.Escalation, now)
	case casework.AcknowledgeEscalation:
		r.acknowledged(a.Escalation, now)
	case casework.CloseEscalation:
		r.close(r.escalation(a.Escalation), casework.ClosedByPerson, now)
	case casework.MovePolicy:
		r.moved(a.Terms)
	case casework.CompleteTask:
		if t, ok := f.casefile.state.Find(a.Task); ok && t.Kind == casework.ReviewPause {
			var in casework.PauseReviewInput
			require.NoError(w, json.Unmarshal(a.Input, &in))
			if reason := casework.PauseReason(t.Qualifier); in.Decision == casework.EndPause {
				r.resumed(reason, now)
			} else {
				r.goesOn(reason, minuteOf(in.PlannedEnd), now)
			}
		}
	}
}

// checkRefusal sees to it that time alone refuses an extension.
func (w *world) checkRefusal(f *file, a casework.Action, fault *casework.Fault) {
	if extend, ok := a.(casework.ExtendDeadline); ok && fault.Code == "extension_too_late" {
		due := f.reference.due(f.reference.clock(extend.Deadline))
		require.True(w, !due.stopped && due.at <= minuteOf(w.now), "not too late: %s", due)
	}
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
	w.tendUpgrade()
	if len(c.state.Drafts) > 0 && !c.state.Status.Ended() && rapid.Bool().Draw(w.T, "drafted now") {
		w.draft(f)
	}
}

func (w *world) workOut(f *file) {
	stale := f.casefile.state.Unworked()
	for i := range stale {
		stale[i] = stale[i].WorkOut(w.calendar(f.casefile.state), "chance")
	}
	f.casefile.state.Worked(stale, w.now)
	ended := f.casefile.state.Clock.Ended
	for i, h := range ended {
		ended[i].Working = w.calendar(f.casefile.state).Between(h.From, h.To)
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
	w.tell("%s drafted", k.Number)
	w.settle(f)
}

// tendUpgrade does what the two workflows tell each other.
func (w *world) tendUpgrade() {
	k := w.main.casefile.state
	if k.Upgrade != nil && w.built == nil {
		u := &networkUpgrade{casefile{state: casework.NewUpgrade(k.Upgrade.Case, k, w.now).Clone()}}
		u.advance = u.stages
		u.state.BeginUpgrade(w.now)
		w.built = w.newFile(&u.casefile)
		w.settle(w.built)
	}
	if w.built == nil {
		return
	}
	if w.built.casefile.state.Status.Ended() && k.Upgrade.Pending() && !k.Status.Ended() {
		w.tell("upgrade finished")
		k.FinishUpgrade(w.now)
		w.settle(w.main)
		return
	}
	if u := w.built.casefile.state; !k.WithdrawnAt.IsZero() && k.Upgrade.Pending() && !u.Status.Ended() && !w.cancelled {
		w.cancelled = true
		u.Cancel(w.now)
		w.settle(w.built)
	}
}

// pass lets time pass: the clock of each case wakes at its moments, or, after
// an outage, finds at the end what it missed.
func (w *world) pass(d time.Duration) {
	until := w.now.Add(d)
	outage := w.oneIn(5, "outage")
	w.tell("%s pass, outage %t", d, outage)
	if outage && rapid.Bool().Draw(w.T, "somebody is first") {
		w.now = until // somebody acts before the clock does
		return
	}
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
		first.reference.lapse(minuteOf(w.now))
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
			w.checkAgreement(k)
		}
	}
	require.Equal(w, f.events, k.Version)
	w.checkTasks(f, c)
	w.checkDeadlines(f, c)
	w.checkStatus(f)
	w.checkClocks(f, c)
	w.checkHoldings(f, c)
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
	for _, d := range c.Deadlines {
		if old, known := f.deadlines[d.ID]; known {
			require.True(w, old.Live(), "%s came back", d.ID)
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
		require.False(w, k.Status == casework.Paused && d.Limit != "review_pause" && !d.Due.Stopped && d.Due.At.After(w.now) && d.Due.At.After(d.Anchor), "%s runs on in a pause", d.ID)
	}
}

// checkClocks tells the reference what the case did and compares what time does
// in both.
func (w *world) checkClocks(f *file, c casework.Changes) {
	k, r, now := f.casefile.state, f.reference, minuteOf(w.now)
	w.follow(f, c)
	r.lapse(now)

	want, got := r.tell(), clocksOf(k)
	require.Equal(w, want, got, "what the reference and the case say of the limits on the work")
	if !k.Status.Ended() {
		require.Equal(w, r.wake().String(), minuteOf(k.NextWake()).String(), "the next moment at which time does something")
	}

	var news, fired []string
	for _, e := range r.news {
		news = append(news, fmt.Sprintf("%s %s", e.at, e.id))
	}
	for _, e := range c.Escalations {
		if _, known := f.fired[e.ID]; !known {
			fired = append(fired, fmt.Sprintf("%s %s", minuteOf(e.RungAt), e.ID))
		}
		f.fired[e.ID] = e
	}
	r.news = nil
	require.Equal(w, inOrder(news), inOrder(fired), "rungs that fired, in their order")
	require.Len(w, f.fired, len(r.escalations))
	for _, e := range c.Escalations {
		require.Equal(w, r.escalation(e.ID).String(), escalationOf(e))
	}
	require.Equal(w, r.level(), k.Level)
	for _, e := range k.Escalations {
		if want, asked := r.answerBy(e.ID); asked {
			require.Equal(w, want.String(), minuteOf(e.AnswerDueAt).String(), "when %s climbs", e.ID)
		}
	}
	for _, e := range r.escalations {
		open := slices.ContainsFunc(k.Escalations, func(o casework.Escalation) bool { return o.ID == e.id && escalationOf(o) == e.String() })
		require.Equal(w, e.closed == 0, open, "%s is open", e)
	}
	w.checkTold(f, c)
}

// follow tells the reference of the tasks, the lane and what it waits for.
func (w *world) follow(f *file, c casework.Changes) {
	k, r, now := f.casefile.state, f.reference, minuteOf(w.now)
	for _, t := range c.Tasks {
		switch spec, _ := casework.SpecOf(t.Kind); {
		case t.State == casework.TaskDone:
			r.ended(t.ID, casework.ClosedByWork, now)
		case t.State == casework.TaskCancelled:
			r.ended(t.ID, casework.ClosedByDrop, now)
		case r.clock(t.ID) == nil:
			if event, ok := eventOf(k, t); ok {
				require.Equal(w, minuteOf(event).String(), minuteOf(t.Anchor).String(), "the event from which %s counts", t.Title())
			}
			r.began(t.ID, spec.Limit, minuteOf(t.Anchor))
		}
	}
	if !k.ApplicationAt.IsZero() && !f.accepted {
		f.accepted = true
		r.began(casework.LaneDeadline, k.LaneLimit(), minuteOf(k.ApplicationAt))
	}
	if lane := r.clock(casework.LaneDeadline); lane != nil {
		lane.limit = k.LaneLimit() // the customer wanted another design, or the policy moved
	}
	for _, p := range k.Permits {
		r.waiting(fmt.Sprint(p.Kind, p.Attempt), minuteOf(p.FiledAt), minuteOf(p.DecidedAt))
	}
	if k.Upgrade != nil {
		r.waiting("upgrade", minuteOf(k.Upgrade.StartedAt), minuteOf(k.Upgrade.DoneAt))
	}
	if k.Supply != nil {
		r.ended(casework.LaneDeadline, casework.ClosedByWork, now)
	}
	if !k.WithdrawnAt.IsZero() || k.Status.Ended() {
		r.ended(casework.LaneDeadline, casework.ClosedByDrop, now)
		r.resumed("", now)
	}
}

// eventOf is the event from which the limit of a task counts (section 3 of the
// process): where it names none, that the task was opened. False where the rule
// is about more than the case's facts of now.
func eventOf(k *casework.Case, t casework.Task) (time.Time, bool) {
	permit := func(of func(casework.Permit) time.Time) time.Time {
		i := slices.IndexFunc(k.Permits, func(p casework.Permit) bool { return string(p.Kind) == t.Qualifier })
		return of(k.Permits[i])
	}
	switch t.Kind { //nolint:exhaustive // the others count from their opening
	case casework.ContactCustomer, casework.DesignUpgrade:
		return k.ReceivedAt, true
	case casework.ConductSurvey:
		return k.Appointment.SurveyAt, true
	case casework.FollowUp:
		return k.NextFollow.At(0), true
	case casework.UploadSurvey:
		return k.Survey.ConductedAt, true
	case casework.PrepareMaterials:
		if k.Request.Utility == casework.Water {
			return k.UploadedAt, true
		}
	case casework.FilePermit:
		if t.Round == 1 {
			// A design of its own comes behind the upload and is filed with the permit.
			return later(k.UploadedAt, k.Gas.DesignedAt), true
		}
	case casework.RecordPermitResult:
		return permit(func(p casework.Permit) time.Time { return p.FiledAt }), true
	case casework.HandOverPermit:
		return permit(func(p casework.Permit) time.Time { return p.DecidedAt }), true
	case casework.EnterSite:
		return k.TaskOrderAt, true
	case casework.CompleteEntry, casework.OpenAccount, casework.EnrolReading, casework.ConfirmPart:
		return k.Supply.SuppliedAt, true
	case casework.CompleteDeferred:
		return k.ReceivedAt, true
	case casework.IssueCard:
		return k.Supply.SuppliedAt, true
	case casework.RemoveMeter, casework.ReleaseMaterials, casework.WithdrawPermit, casework.VoidContract:
		return k.WithdrawnAt, true
	case casework.Callback, casework.AcceptMeter:
		return time.Time{}, false
	}
	return t.OpenedAt, true
}

// checkTold compares what was announced: each rung, climb and planned end of a
// pause once.
func (w *world) checkTold(f *file, c casework.Changes) {
	for _, m := range c.Messages {
		require.False(w, f.messages[m.ID], "%s is told twice", m.ID)
		f.messages[m.ID] = true
	}
	told := f.reference.reminders + f.reference.reviewed
	for _, e := range f.reference.escalations {
		told += 1 + len(e.climbs)
	}
	require.Len(w, f.messages, told)
}

// clocksOf writes a case's limits on the work as the reference does.
func clocksOf(k *casework.Case) string {
	var lines []string
	for _, d := range k.Deadlines {
		passed := slices.ContainsFunc(d.Rungs, func(r casework.RungMark) bool { return !r.FiredAt.IsZero() })
		if !d.OnWork() || d.Budget == (calendar.Budget{}) && !passed && d.Extension == nil {
			continue
		}
		due := dueMoment{minuteOf(d.Due.At), int(d.Due.Remaining / time.Minute), d.Due.Stopped, d.Due.Provisional}
		line := fmt.Sprintf("%s %s due %s:", d.ID, d.Limit, due)
		for _, r := range d.Rungs {
			switch {
			case !r.FiredAt.IsZero():
				line += fmt.Sprintf("\n  %s %s fired %s", r.Name, minuteOf(r.At), minuteOf(r.FiredAt))
			case !r.At.IsZero():
				line += fmt.Sprintf("\n  %s %s", r.Name, minuteOf(r.At))
			}
		}
		lines = append(lines, line)
	}
	return tidy(lines)
}

// escalationOf writes an escalation as the reference does.
func escalationOf(e casework.Escalation) string {
	a := asked{
		id: e.ID, level: e.Level, to: e.To, due: minuteOf(e.DueAt), fired: fired{at: minuteOf(e.RungAt), on: minuteOf(e.FiredAt)},
		answered: minuteOf(e.AnsweredAt), closed: minuteOf(e.ClosedAt), closing: e.Closing,
	}
	for _, c := range e.Climbs {
		a.climbs = append(a.climbs, fmt.Sprintf("%s %s", c.To, minuteOf(c.At)))
	}
	return a.String()
}

// inOrder brings what fell due at one moment into one order and leaves the rest
// as it is.
func inOrder(lines []string) string {
	moment := func(s string) string { return s[:len("2006-01-02 15:04")] }
	for i := range lines {
		for j := i; j > 0 && moment(lines[j]) == moment(lines[j-1]) && lines[j] < lines[j-1]; j-- {
			lines[j], lines[j-1] = lines[j-1], lines[j]
		}
	}
	return strings.Join(lines, "\n")
}

// checkHoldings sees to it that somebody holds the clock at any moment from the
// first contact to supply-on, and that it was stopped just when the lane's clock
// was: so what the departments held it for since the application was accepted
// is what the lane's limit counted.
func (w *world) checkHoldings(f *file, c casework.Changes) {
	k := f.casefile.state
	for _, h := range c.Holdings {
		require.LessOrEqual(w, h.N, len(f.holdings)+1)
		if h.N > len(f.holdings) {
			f.holdings = append(f.holdings, h)
		}
		f.holdings[h.N-1] = h
	}
	at := k.ReceivedAt
	var held []stretch
	for i, h := range f.holdings {
		require.True(w, h.From.Equal(at), "holding %d begins at %s, not %s", h.N, h.From, at)
		at = h.To
		require.Equal(w, i < len(f.holdings)-1, i < len(f.holdings)-1 && !h.To.IsZero(), "holding %d lasts", h.N)
		if h.Stopped {
			held = append(held, stretch{minuteOf(h.From), minuteOf(h.To)})
		}
	}
	if k.Status.Ended() || k.Supply != nil {
		require.False(w, at.IsZero(), "somebody holds the clock of a case that needs none")
	}
	if !f.accepted || f.late || !k.WithdrawnAt.IsZero() {
		return // what is reported late stops the lane's clock from when it was, and holds it from when it is known
	}
	lane := &timed{id: casework.LaneDeadline, anchor: minuteOf(k.ApplicationAt)}
	end := minute(0)
	if k.Supply != nil {
		end = minuteOf(k.Supply.SuppliedAt)
	}
	require.Equal(w, within(f.reference.stops(lane), lane.anchor, end), within(held, lane.anchor, end), "when the lane's clock stood, and when holdings say so")
}

// within clips stretches to those between two moments; an end of 0 is none.
func within(all []stretch, from, to minute) []stretch {
	var out []stretch
	for _, s := range union(all, from) {
		if to != 0 && (s.to == 0 || s.to > to) {
			s.to = to
		}
		if s.to == 0 || s.from < s.to {
			out = append(out, s)
		}
	}
	return out
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
		for _, c := range k.Gas.Contracts {
			require.Equal(w, c.SignedAt.IsZero(), c.VoidedAt.IsZero(), "a contract outlives the case")
		}
	}
}

// checkAgreement sees to what must be settled with a gas customer before
// construction begins, and that nothing of it happens for water.
func (w *world) checkAgreement(k *casework.Case) {
	if k.Request.Utility == casework.Water {
		require.Empty(w, k.Gas)
		return
	}
	require.False(w, k.Gas.Quote.AgreedAt.IsZero())
	require.NotNil(w, k.ChosenDesign())
	require.Len(w, k.Gas.Contracts, 2)
	total := int64(0)
	for _, c := range k.Charges {
		total += c.Amount
	}
	require.GreaterOrEqual(w, total, k.Gas.Quote.Total)
	for _, c := range k.Gas.Contracts {
		require.False(w, c.SignedAt.IsZero())
	}
}

// straight has able people bring both cases to their end.
func (w *world) straight() {
	for range 150 {
		k := w.main.casefile.state
		done := k.Status.Ended()
		if !done {
			w.resumeAll(w.main)
			w.straightStep(w.main, demo.Choices{}, 0)
		}
		if w.built != nil {
			if !w.built.casefile.state.Status.Ended() {
				w.resumeAll(w.built)
				w.straightStep(w.built, demo.Choices{}, 0)
				done = false
			}
		}
		if done {
			return
		}
		w.pass(time.Minute)
	}
	require.Fail(w, "people acted straight and the case did not end", "%s %s", w.main.casefile.state.Stage, asJSON(w, w.main.casefile.state.Tasks))
}

// afterwards has a customer who is not content open the case again.
func (w *world) afterwards() {
	if w.main.casefile.state.Status != casework.Closed || !w.oneIn(3, "a bad review") {
		return
	}
	require.NoError(w, w.act(w.main, casework.Rate{By: casework.By{Actor: casework.AsCustomer()}, Level: 1, Comment: "路面未恢复"}))
	require.Equal(w, casework.Open, w.main.casefile.state.Status)
	for range 6 {
		w.randomStep()
	}
	w.straight()
}

func (w *world) resumeAll(f *file) {
	if f.casefile.state.Status == casework.Paused {
		require.NoError(w, w.act(f, casework.ResumeCase{By: casework.By{Actor: able}}))
	}
}

// straightStep does whatever the first open task needs.
func (w *world) straightStep(f *file, c demo.Choices, late time.Duration) {
	k := f.casefile.state
	by := casework.By{Actor: able}
	if len(k.Drafts) > 0 {
		w.draft(f)
	}
	k = f.casefile.state
	if len(k.Tasks) == 0 {
		return
	}
	t := k.Tasks[0]
	if missing, ok := k.Live(casework.CompleteDeferred, string(casework.CreditCodeItem)); ok && t.Kind == casework.SignContracts {
		t = *missing // an amendment took the code away after the contracts were drafted
	}
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
		if k.DesignConfirmedAt.IsZero() && !k.NeedsDesign() {
			require.NoError(w, w.act(f, casework.ConfirmDesign{By: casework.By{Actor: casework.AsCustomer()}}))
		}
	case casework.DesignConnection:
		attach(casework.ConstructionDrawing)
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
	require.NoError(w, w.act(f, w.answer(by, f.casefile.state, t, c, late)))
}

func asJSON(t require.TestingT, v any) string {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}
