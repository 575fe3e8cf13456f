package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/store"
	"github.com/curbstop/curbstop/testkit"
)

// fork is the case as a workflow finds it that runs again from here.
func (y *story) fork() *story { return &story{Case: y.Clone()} }

func (y *story) events() (all []casework.Event) {
	for _, one := range y.saves {
		all = append(all, one.changes.Events...)
	}
	return all
}

func saveAll(t tester, s *store.Store, saves []save) {
	t.Helper()
	for _, one := range saves {
		require.NoError(t, s.Save(t.Context(), one.snapshot, one.changes))
	}
}

// database is a store that can also be looked at from behind.
type database struct {
	*store.Store
	connection *pgx.Conn
}

func openDatabase(t *testing.T) database {
	t.Helper()
	url := testkit.Database(t)
	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, connection.Close(context.WithoutCancel(t.Context()))) })
	return database{openAt(t, url, key), connection}
}

// hidden is what is recorded of a case and read by no method of the store.
func (d database) hidden(t tester, number string) []string {
	t.Helper()
	rows, err := d.connection.Query(t.Context(), `
		SELECT concat_ws(' ', 'task', id, since) FROM tasks WHERE case_number = $1
		UNION ALL SELECT concat_ws(' ', 'deadline', id, limit_name, since) FROM deadlines WHERE case_number = $1
		UNION ALL SELECT concat_ws(' ', 'escalation', id, since) FROM escalations WHERE case_number = $1
		UNION ALL SELECT concat_ws(' ', 'touchpoint', n, since) FROM touchpoints WHERE case_number = $1
		UNION ALL SELECT concat_ws(' ', 'document', id, kind, size, at, actor, since) FROM documents WHERE case_number = $1
		ORDER BY 1`, number)
	require.NoError(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return found
}

// requireSame compares all that two databases hold of a case, except for what
// was abandoned.
func requireSame(t tester, want, got database, number string) {
	t.Helper()
	equal(t, read(t, want.Store, number), read(t, got.Store, number))
	equal(t, want.hidden(t, number), got.hidden(t, number))
}

var (
	completeContact = json.RawMessage(`{"by":"visit","note":"与欧阳若兰面谈"}`)
	charge          = casework.Charge{Kind: casework.CustomerRequest, Amount: 100, Note: "延伸服务"}
)

// drawing attaches a document under an ID that two attempts may both give.
func drawing(kind casework.DocumentKind, id string) casework.AttachDocument {
	return casework.AttachDocument{By: casework.By{Actor: clerk}, Document: casework.Document{
		ID: id, Kind: kind, Title: "图.pdf", MediaType: "application/pdf", Size: 7, SHA256: "00", Key: "k/" + string(kind),
	}}
}

// also applies an action within the decision under way.
func (y *story) also(t tester, a casework.Action, now time.Time) {
	t.Helper()
	require.NoError(t, a.Apply(y.Case, now))
}

// forget gives a case of which a workflow recorded two decisions, which touch
// every table, and then forgot them: where it goes on, and what it forgot. The
// database of those who only saw the truth has the case up to the fork.
func forget(t tester, seen, truth *store.Store) (fork, lost *story) {
	t.Helper()
	y := contactAndAssessment("W20260302-00001", request(), at(2, 9, 0))
	y.save(t, seen)
	y.act(t, drawing(casework.SurveyRecord, "d1"), at(2, 10, 0))
	y.save(t, seen)
	y.Fire(at(3, 16, 0)) // the contact's reminder
	y.save(t, seen)
	saveAll(t, truth, y.saves)

	lost = y.fork()
	now := at(3, 17, 30)
	lost.Fire(now) // its breach
	lost.also(t, casework.AcknowledgeEscalation{By: casework.By{Actor: office}, Escalation: y.Number + "-T1/reminder", Note: "催办"}, now)
	lost.also(t, casework.ClaimTask{By: casework.By{Actor: engineer}, Task: y.Number + "-T2"}, now)
	lost.also(t, casework.CompleteTask{By: casework.By{Actor: clerk}, Task: y.Number + "-T1", Input: completeContact}, now)
	lost.Need(casework.BriefCustomer, "", 1, now, now)
	lost.Need(casework.ContactCustomer, "", 2, now, now)
	lost.save(t, seen)
	lost.act(t, drawing(casework.Evidence, "d2"), now)
	lost.also(t, casework.ProposeCharge{By: casework.By{Actor: clerk}, Charge: charge}, now)
	lost.save(t, seen)
	return y.fork(), lost
}

func TestForgottenDecisionsGiveWayToTheTruth(t *testing.T) {
	t.Parallel()
	now := at(3, 17, 31)
	for name, decide := range map[string]func(t tester, y *story){
		"shorter": func(t tester, y *story) {
			y.also(t, casework.ClaimTask{By: casework.By{Actor: clerk}, Task: y.Number + "-T1"}, now)
		},
		"longer": func(t tester, y *story) {
			for range 9 {
				y.also(t, casework.ClaimTask{By: casework.By{Actor: clerk}, Task: y.Number + "-T1"}, now)
				y.also(t, casework.ReleaseTask{By: casework.By{Actor: clerk}, Task: y.Number + "-T1"}, now)
			}
			y.also(t, drawing(casework.ConstructionDrawing, "d2"), now)
		},
		"the same later": func(t tester, y *story) {
			y.Fire(now)
			y.also(t, casework.CompleteTask{By: casework.By{Actor: clerk}, Task: y.Number + "-T1", Input: completeContact}, now)
			y.Need(casework.ContactCustomer, "", 2, now, now)
		},
		"the end": func(t tester, y *story) {
			y.also(t, casework.Withdraw{By: casework.By{Actor: clerk}, Reason: "客户撤回"}, now)
			y.End(casework.Withdrawn, now)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen, truth := openDatabase(t), openDatabase(t)
			y, lost := forget(t, seen.Store, truth.Store)
			before, err := seen.Task(t.Context(), y.Number+"-T1")
			require.NoError(t, err)
			require.Equal(t, casework.TaskDone, before.State)

			decide(t, y)
			y.save(t, seen.Store)
			saveAll(t, truth.Store, y.saves)
			requireSame(t, truth, seen, y.Number)

			// Nothing of it is lost, and nothing of it comes back.
			var abandoned []store.AbandonedEvent
			for _, e := range lost.events() {
				abandoned = append(abandoned, store.AbandonedEvent{Event: e, AbandonedAt: at(4, 12, 0), ReplacedBy: y.Version})
			}
			for range 2 {
				got, err := seen.Abandoned(t.Context(), y.Number)
				require.NoError(t, err)
				equal(t, abandoned, got)
				requireSame(t, truth, seen, y.Number)
				saveAll(t, seen.Store, append(slices.Clone(lost.saves), y.saves...))
			}

			// What follows, follows the truth.
			if !y.Status.Ended() {
				y.act(t, drawing(casework.Evidence, "d3"), now.Add(time.Hour))
				y.save(t, seen.Store)
				saveAll(t, truth.Store, y.saves)
				requireSame(t, truth, seen, y.Number)
			}
		})
	}
}

func TestForgottenTasksAreTakenBack(t *testing.T) {
	t.Parallel()
	s := open(t)
	y, lost := forget(t, s, open(t))
	require.Len(t, lost.Tasks, 3)
	for _, task := range lost.Tasks {
		_, err := s.Task(t.Context(), task.ID)
		require.NoError(t, err)
	}
	y.act(t, drawing(casework.Evidence, "d3"), at(3, 17, 31))
	y.save(t, s)

	contact, err := s.Task(t.Context(), y.Number+"-T1") // was done
	require.NoError(t, err)
	equal(t, y.Tasks[0], contact.Task)
	assess, err := s.Task(t.Context(), y.Number+"-T2") // was claimed
	require.NoError(t, err)
	equal(t, y.Tasks[1], assess.Task)
	for _, id := range []string{y.Number + "-T3", y.Number + "-T4"} { // was opened
		_, err = s.Task(t.Context(), id)
		refused(t, err, casework.NotFound, "task_not_found")
	}
	reminder, err := s.Escalation(t.Context(), y.Number+"-T1/reminder") // was acknowledged
	require.NoError(t, err)
	equal(t, y.Escalations[0], reminder)
	breach, err := s.Escalation(t.Context(), y.Number+"-T1/breach") // had fired, and fires again with the truth
	require.NoError(t, err)
	require.True(t, breach.FiredAt.Equal(at(3, 17, 31)), "%s", breach.FiredAt)
}

// Who was told to forget may not know it: its Saves come late, with numbers
// that are taken, that come next, or that leave a gap.
func TestLateAttemptChangesNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	y := contactAndAssessment("W20260302-00001", request(), at(2, 9, 0))
	y.save(t, s)
	late := y.fork()
	for i := range 3 {
		late.act(t, drawing(casework.Evidence, fmt.Sprint("late", i)), at(2, 9, 30))
		late.commit(t)
	}
	y.act(t, casework.ClaimTask{By: casework.By{Actor: clerk}, Task: y.Number + "-T1"}, at(2, 9, 31))
	y.save(t, s)
	before := read(t, s, y.Number)
	saveAll(t, s, late.saves)
	equal(t, before, read(t, s, y.Number))
	abandoned, err := s.Abandoned(t.Context(), y.Number)
	require.NoError(t, err)
	require.Empty(t, abandoned)
}

// Two attempts never decide at the same moment, so this is a mistake.
func TestTwoTruthsOfOneMomentAreRefused(t *testing.T) {
	t.Parallel()
	s := open(t)
	y := contactAndAssessment("W20260302-00001", request(), at(2, 9, 0))
	y.save(t, s)
	fork := y.fork()
	y.act(t, casework.ClaimTask{By: casework.By{Actor: clerk}, Task: y.Number + "-T1"}, at(2, 9, 30))
	y.save(t, s)
	before := read(t, s, y.Number)

	fork.act(t, casework.ClaimTask{By: casework.By{Actor: engineer}, Task: y.Number + "-T2"}, at(2, 9, 30))
	other := fork.commit(t)
	require.ErrorContains(t, s.Save(t.Context(), other.snapshot, other.changes), "diverges")
	equal(t, before, read(t, s, y.Number))
}

// Even the first decision of a case may be forgotten, and attempts may meet.
func TestOfManyBeginningsTheLastIsTrue(t *testing.T) {
	t.Parallel()
	seen, truth := openDatabase(t), openDatabase(t)
	var all sync.WaitGroup
	var last *story
	for minute := range 6 {
		last = contactAndAssessment("W20260302-00001", request(), at(2, 9, minute))
		one := last.commit(t)
		all.Go(func() {
			for range 2 {
				if err := seen.Save(t.Context(), one.snapshot, one.changes); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	saveAll(t, truth.Store, last.saves)
	requireSame(t, truth, seen, last.Number)
}

// Who changes the tables by hand can't make a history forget either.
func TestOnlyWhatIsKeptLeavesAHistory(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	y := busyWeek(t, openAt(t, url, key))
	keep := func(n int64, actor string) string {
		return fmt.Sprintf(`INSERT INTO abandoned_events (case_number, n, at, kind, actor, stage, task, note_zh, note_en, data, abandoned_at, replaced_by)
			SELECT case_number, n, at, kind, %s, stage, task, note_zh, note_en, data, now(), 1 FROM events WHERE n = %d;`, actor, n)
	}
	remove := func(n int64) string { return fmt.Sprintf("DELETE FROM events WHERE n = %d;", n) }
	require.ErrorContains(t, execute(t, url, keep(y.Version, "'x'")+remove(y.Version)), "append-only", "another event is kept")
	require.ErrorContains(t, execute(t, url, keep(2, "actor")+remove(2)), "events_without_gap")
	require.ErrorContains(t, execute(t, url, keep(y.Version, "actor")+remove(y.Version)), "cases_last_event")
}

// Whatever attempts come between, whenever their Saves arrive, the store ends
// up as if there had only been the truth.
func TestTheStoreHoldsOnlyTheTruth(t *testing.T) {
	t.Parallel()
	seen, truth := openDatabase(t), openDatabase(t)
	number := 0
	rapid.Check(t, func(t *rapid.T) {
		number++
		w := &world{seen: seen, truth: truth, now: at(2, 9, 0)}
		w.story = begin(fmt.Sprintf("W20260302-%05d", number), request(), w.now)
		for range rapid.IntRange(1, 4).Draw(t, "workflow tasks") {
			w.step(t)
		}
	})
}

// world is a workflow whose tasks may fail, and a network that may be slow.
type world struct {
	seen, truth database
	story       *story // the truth
	now         time.Time
	attempts    []*attempt
}

// attempt is what one try of a workflow task saved, and how much of that was
// sent so far: a Save is sent only after the one before it was answered.
type attempt struct {
	saves []save
	sent  int
}

// step is one workflow task with the attempts at it that fail.
func (w *world) step(t *rapid.T) {
	for range rapid.IntRange(0, 2).Draw(t, "failing attempts") {
		failing := &attempt{saves: w.attempt(t).saves}
		w.attempts = append(w.attempts, failing)
		for range rapid.IntRange(0, len(failing.saves)).Draw(t, "saves before it failed") {
			w.send(t, failing, failing.sent)
		}
		w.straggle(t)
	}
	w.story = w.attempt(t)
	succeeding := &attempt{saves: w.story.saves}
	for i := range succeeding.saves {
		w.send(t, succeeding, i)
		w.straggle(t)
	}
	w.attempts = append(w.attempts, succeeding)
	saveAll(t, w.truth.Store, succeeding.saves)
	// As long as it decides nothing, nobody can know what was forgotten.
	if len(succeeding.saves) > 0 {
		requireSame(t, w.truth, w.seen, w.story.Number)
	}
}

// send sends a Save that is the next one, or was sent before.
func (w *world) send(t *rapid.T, a *attempt, i int) {
	require.NoError(t, w.seen.Save(t.Context(), a.saves[i].snapshot, a.saves[i].changes))
	a.sent = max(a.sent, i+1)
}

// straggle lets Saves of earlier attempts arrive, again or at last.
func (w *world) straggle(t *rapid.T) {
	for range rapid.IntRange(0, 3).Draw(t, "stragglers") {
		if len(w.attempts) == 0 {
			return
		}
		a := rapid.SampledFrom(w.attempts).Draw(t, "attempt")
		if last := min(a.sent, len(a.saves)-1); last >= 0 {
			w.send(t, a, rapid.IntRange(0, last).Draw(t, "save"))
		}
	}
}

// attempt decides from the truth on, later than all attempts before.
func (w *world) attempt(t *rapid.T) *story {
	w.now = w.now.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "minutes")) * time.Minute)
	y := w.story.fork()
	if y.Version <= 1 { // the case has yet to be recorded
		y = contactAndAssessment(w.story.Number, request(), w.now)
		y.commit(t)
	}
	for range rapid.IntRange(0, 3).Draw(t, "decisions") {
		w.now = w.now.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "seconds")) * time.Second)
		for range rapid.IntRange(1, 3).Draw(t, "actions") {
			y.random(t, w.now)
		}
		if wake := y.NextWake(); !wake.IsZero() && !wake.After(w.now) {
			y.Fire(w.now)
		}
		if y.Changed() {
			y.commit(t)
		}
	}
	return y
}

// everybody may do all that these tests have done.
var everybody = casework.Actor{ID: "all-01", Name: "全能", Districts: []casework.District{casework.AllDistricts}, Roles: []casework.Role{
	casework.Taskforce, casework.TaskforceOffice, casework.Network,
}}

// random does something that the case allows, or nothing.
func (y *story) random(t *rapid.T, now time.Time) {
	by := casework.By{Actor: everybody}
	task, escalation := "", ""
	if len(y.Tasks) > 0 {
		task = rapid.SampledFrom(y.Tasks).Draw(t, "task").ID
	}
	if len(y.Escalations) > 0 {
		escalation = rapid.SampledFrom(y.Escalations).Draw(t, "escalation").ID
	}
	address := fmt.Sprintf("镜湖区北京西路%d号", y.Version)
	action := rapid.SampledFrom([]casework.Action{
		casework.ClaimTask{By: by, Task: task},
		casework.ReleaseTask{By: by, Task: task},
		casework.CompleteTask{By: by, Task: task, Input: completeContact},
		casework.CompleteTask{By: by, Task: task, Input: json.RawMessage(`{"result":"adequate","main_diameter":200,"pressure":0.3}`)},
		casework.CompleteTask{By: by, Task: task},
		casework.AcknowledgeEscalation{By: by, Escalation: escalation},
		drawing(rapid.SampledFrom([]casework.DocumentKind{casework.Evidence, casework.SurveyRecord}).Draw(t, "document"), fmt.Sprint("d", len(y.Documents))),
		casework.ProposeCharge{By: by, Charge: charge},
		casework.AmendRequest{By: by, Address: &address, Reason: "更正"},
		casework.PauseCase{By: by, Reason: casework.CustomerNotReady, Evidence: "d1", PlannedEnd: now.Add(time.Hour)},
		casework.ResumeCase{By: by},
		casework.Withdraw{By: by, Reason: "客户撤回"},
		need(casework.ContactCustomer), need(casework.AssessNetwork), need(casework.BriefCustomer),
	}).Draw(t, "action")
	if _, err := y.Try(action, now); err == nil {
		y.also(t, action, now)
	}
}

// need is a stage of the workflow that opens a task.
type need casework.TaskKind

// Apply implements casework.Action.
func (n need) Apply(k *casework.Case, now time.Time) error {
	if k.Status == casework.Open {
		k.Need(casework.TaskKind(n), "", 1, now, now)
	}
	return nil
}
