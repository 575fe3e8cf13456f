package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/store"
	"github.com/curbstop/curbstop/testkit"
)

// other is the utility beside another.
func other(u casework.Utility) casework.Utility {
	if u == casework.Gas {
		return casework.Water
	}
	return casework.Gas
}

// passes has a case passed on to the other utility, writes the receipt of the case
// that goes on and begins it; the first one has not ended yet.
func (y *story) passes(t tester, s *store.Store, at time.Time) *story {
	t.Helper()
	y.act(t, casework.PassOn{By: casework.By{Actor: clerk}, Utility: other(y.Request.Utility), Reason: "窗口错了"}, at)
	y.save(t, s)
	r, carried := y.Request, y.Carry()
	r.Utility = y.PassPending().Utility
	receipt, err := s.AcceptPassed(t.Context(), r, carried)
	require.NoError(t, err)
	again, err := s.AcceptPassed(t.Context(), r, carried)
	require.NoError(t, err)
	require.Equal(t, receipt.Number, again.Number)
	on := begin(receipt.Number, r, at.Add(time.Minute))
	on.CarryOver(&carried, at.Add(time.Minute))
	on.save(t, s)
	return on
}

// passed ends a case that was passed on.
func (y *story) passed(t tester, s *store.Store, on *story, at time.Time) {
	t.Helper()
	y.PassedTo(on.Number, at)
	y.save(t, s)
}

// Who asked for a case follows the one that goes on, under its number, behind all
// that it is told of the first one, and is told each state once. There and back.
func TestWhoAskedFollowsTheCaseThatGoesOn(t *testing.T) {
	t.Parallel()
	s := open(t)
	require.NoError(t, s.Watch(t.Context(), []casework.Watcher{{Sender: "ratings"}}))
	water := asked(t, s, request(), at(4, 13, 0))
	water.follows(t, s, "portal", "P-1", at(4, 13, 0))
	water.follows(t, s, "park", "K-1", at(4, 13, 0))
	water.pauses(t, s, at(4, 13, 10))
	gas := water.passes(t, s, at(4, 13, 20))
	planned(t, s)
	w, g := water.Number, gas.Number
	require.Equal(t, []string{w + "/2/1 K-1 received 04 13:00", w + "/2/2 K-1 suspended 04 13:10"}, takes(t, s, "park"), "the first one has not ended")
	water.passed(t, s, gas, at(4, 13, 22))
	planned(t, s)
	require.Equal(t, []string{w + "/2/3 K-1 passed_on 04 13:22", g + "/2/4 K-1 resumed 04 13:21"}, takes(t, s, "park"))
	require.ElementsMatch(t, []string{w + "/3/1 " + w + " received 04 13:00", g + "/3/1 " + g + " received 04 13:21", w + "/3/2 " + w + " suspended 04 13:10", w + "/3/3 " + w + " passed_on 04 13:22"},
		takes(t, s, "ratings"), "who is told of all cases is told of two")

	// A platform that is stuck with the first one is told of no other.
	stuck, err := s.ClaimProgress(t.Context(), "portal", at(5, 9, 0), at(5, 9, 5), 10)
	require.NoError(t, err)
	require.Len(t, stuck, 1)
	require.NoError(t, s.RecordProgress(t.Context(), casework.ProgressAttempt{Report: stuck[0].ID, N: 1, State: casework.ProgressPending, At: at(5, 9, 0), NextAt: at(31, 9, 0), Error: "不收"}))
	gas.pauses(t, s, at(4, 14, 0))
	back := gas.passes(t, s, at(4, 14, 20))
	gas.passed(t, s, back, at(4, 14, 22))
	back.act(t, casework.Withdraw{By: casework.By{Actor: clerk}, Reason: "不办了"}, at(4, 15, 0))
	back.save(t, s)
	planned(t, s)
	require.Empty(t, takes(t, s, "portal"))
	b := back.Number
	require.Equal(t, []string{g + "/2/5 K-1 suspended 04 14:00", b + "/2/6 K-1 resumed 04 14:21"}, takes(t, s, "park"), "that it was passed on it knows")
	_, err = s.RetryProgress(t.Context(), stuck[0].ID, at(6, 9, 0))
	require.NoError(t, err)
	require.Equal(t, []string{
		w + "/1 P-1 received 04 13:00", w + "/2 P-1 suspended 04 13:10", w + "/3 P-1 passed_on 04 13:22", g + "/4 P-1 resumed 04 13:21",
		g + "/5 P-1 suspended 04 14:00", b + "/6 P-1 resumed 04 14:21",
	}, takes(t, s, "portal"))

	// Who comes only now is told all of it.
	water.follows(t, s, "late", "L-1", at(4, 16, 0))
	planned(t, s)
	require.Equal(t, []string{
		w + "/4/1 L-1 received 04 16:00", w + "/4/2 L-1 suspended 04 16:00", w + "/4/3 L-1 passed_on 04 16:00", g + "/4/4 L-1 resumed 04 16:00",
		g + "/4/5 L-1 suspended 04 16:00", b + "/4/6 L-1 resumed 04 16:00",
	}, takes(t, s, "late"))

	// Whatever number is known, what is done is done to the case that goes on.
	for _, known := range [][2]string{{"portal", "P-1"}, {"park", "K-1"}, {"late", "L-1"}, {"portal", w}, {"portal", g}, {"portal", b}, {"", w}, {"", g}, {"", b}, {"", "P-1"}} {
		found, err := s.NumbersOf(t.Context(), known[0], known[1])
		require.NoError(t, err)
		require.Equal(t, []string{b}, found, known)
	}
	for _, unknown := range [][2]string{{"ratings", w}, {"ratings", b}, {"park", "P-1"}, {"", "P-2"}} {
		found, err := s.NumbersOf(t.Context(), unknown[0], unknown[1])
		require.NoError(t, err)
		require.Empty(t, found, unknown)
	}
	// What is repeated is what was asked for, where it came in.
	reports, _, err := s.ProgressReports(t.Context(), casework.ProgressFilter{Case: b, Sender: "portal"})
	require.NoError(t, err)
	require.Len(t, reports, 1)
	repeated, err := s.Asked(t.Context(), reports[0])
	require.NoError(t, err)
	require.Equal(t, []any{w, request().Applicant, true}, []any{repeated.Number, repeated.Request.Applicant, at(4, 13, 0).Equal(repeated.ReceivedAt)})
}

// What a lead would not have is a case of its own, which its sender follows
// instead of the lead's; whoever brought the lead follows on.
func TestWhoJoinedInVainFollowsItsOwnCase(t *testing.T) {
	t.Parallel()
	for name, joint := range map[string]bool{"by itself": false, "a part of a joint request": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			lead := request()
			lead.Lead, lead.Project, lead.ExternalNumber = true, "2600-340200-04-01-000001", "GC-1"
			receipt, _, err := s.Accept(t.Context(), lead, casework.Actor{ID: "gonggai"}, at(4, 13, 0))
			require.NoError(t, err)
			y := begin(receipt.Number, lead, at(4, 13, 0))
			y.save(t, s)
			y.follows(t, s, "gonggai", "GC-1", at(4, 13, 0))
			r := lead
			r.Lead, r.ExternalNumber = false, "P-1"
			var app casework.LeadApplication
			if joint {
				gas := r
				gas.Utility = casework.Gas
				kept, _, err := s.AcceptTogether(t.Context(), "P-1", []casework.Request{r, gas}, casework.Actor{ID: "portal"}, at(4, 14, 0))
				require.NoError(t, err)
				require.Len(t, kept.Applications, 1)
				app = kept.Applications[0]
			} else {
				var found bool
				app, found, err = s.AcceptApplication(t.Context(), r, casework.Actor{ID: "portal"}, at(4, 14, 0))
				require.NoError(t, err)
				require.True(t, found)
			}
			y.follows(t, s, "portal", "P-1", at(4, 14, 0))
			planned(t, s)
			n := y.Number
			require.Equal(t, []string{n + "/2/1 P-1 received 04 14:00"}, takes(t, s, "portal"))
			// The lead goes on elsewhere, and the application comes too late.
			on := y.passes(t, s, at(4, 14, 10))
			y.passed(t, s, on, at(4, 14, 12))
			planned(t, s)
			own, refused, err := s.RefuseApplication(t.Context(), app)
			require.NoError(t, err)
			require.True(t, refused)
			for range 2 { // who refuses it again finds the same, and who was noted since
				y.follows(t, s, "portal", "P-1", at(4, 14, 0))
				again, _, err := s.RefuseApplication(t.Context(), app)
				require.NoError(t, err)
				require.Equal(t, own.Number, again.Number)
			}
			z := begin(own.Number, own.Request, at(4, 14, 30))
			z.save(t, s)
			z.pauses(t, s, at(4, 14, 40))
			on.pauses(t, s, at(4, 14, 40))
			planned(t, s)
			require.Equal(t, []string{own.Number + "/2 P-1 suspended 04 14:40"}, takes(t, s, "portal"), "received it was before")
			require.Equal(t, []string{
				n + "/1 GC-1 received 04 13:00", n + "/2 GC-1 passed_on 04 14:12", on.Number + "/3 GC-1 suspended 04 14:40",
			}, takes(t, s, "gonggai"))
			found, err := s.NumbersOf(t.Context(), "portal", "P-1")
			require.NoError(t, err)
			require.Equal(t, []string{own.Number}, found)
			found, err = s.NumbersOf(t.Context(), "gonggai", "GC-1")
			require.NoError(t, err)
			require.Equal(t, []string{on.Number}, found)
			reports, _, err := s.ProgressReports(t.Context(), casework.ProgressFilter{Case: own.Number})
			require.NoError(t, err)
			repeated, err := s.Asked(t.Context(), reports[0])
			require.NoError(t, err)
			require.Equal(t, []any{own.Number, false}, []any{repeated.Number, repeated.Request.Lead})
		})
	}
}

// What was passed on before this was kept has its followers too; reports keep
// their keys. So has what a process of the version before passes on meanwhile.
func TestWhatWasPassedOnBeforeHasFollowers(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	s := openAt(t, url, key)
	require.NoError(t, s.Watch(t.Context(), []casework.Watcher{{Sender: "ratings"}}))
	first := asked(t, s, request(), at(4, 13, 0))
	first.follows(t, s, "portal", "P-1", at(4, 13, 0))
	second := first.passes(t, s, at(4, 13, 10))
	first.passed(t, s, second, at(4, 13, 12))
	third := second.passes(t, s, at(4, 13, 20))
	second.passed(t, s, third, at(4, 13, 22))
	planned(t, s)
	require.Len(t, takes(t, s, "ratings"), 5)
	require.NoError(t, store.MigrateDown(t.Context(), url, 22))
	stranger := request()
	stranger.ExternalNumber = "passed/" + third.Number
	refused(t, stranger.Validate(), casework.Invalid, "invalid_input")
	_, err := store.Migrate(t.Context(), url)
	require.NoError(t, err)
	planned(t, s)
	third.pauses(t, s, at(4, 14, 0))
	planned(t, s)
	require.Equal(t, []string{
		first.Number + "/1 P-1 received 04 13:00", first.Number + "/2 P-1 passed_on 04 13:12", third.Number + "/3/3 P-1 suspended 04 14:00",
	}, takes(t, s, "portal"))

	third.resumes(t, s, at(4, 14, 5))
	third.act(t, casework.PassOn{By: casework.By{Actor: clerk}, Utility: casework.Gas, Reason: "窗口错了"}, at(4, 14, 10))
	third.save(t, s)
	// As the version before wrote it.
	require.NoError(t, execute(t, url, fmt.Sprintf(`INSERT INTO receipts (number, channel, external_number, received_at, started, body)
		SELECT 'G20260304-77777', channel, 'passed/%s', received_at, false, body FROM receipts WHERE number = '%[1]s'`, third.Number)))
	found, err := s.NumbersOf(t.Context(), "portal", "P-1")
	require.NoError(t, err)
	require.Equal(t, []string{"G20260304-77777"}, found)
	found, err = s.NumbersOf(t.Context(), "", first.Number)
	require.NoError(t, err)
	require.Equal(t, []string{"G20260304-77777"}, found)
}

// However often a case is passed on, whenever reports are worked out, whoever
// comes late, and however often a platform refuses or its answer is lost: each
// platform is told each state once and in order, and in the end all of it.
func TestPassedOnThereAndBack(t *testing.T) {
	t.Parallel()
	s := open(t)
	var worlds atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		world := worlds.Add(1)
		name := func(n int) string { return fmt.Sprintf("s%d-%d", world, n) }
		r := request()
		r.ExternalNumber = fmt.Sprint("R-", world)
		now := at(4, 13, 0)
		receipt, _, err := s.Accept(t.Context(), r, casework.Actor{ID: name(1)}, now)
		require.NoError(t, err)
		first := begin(receipt.Number, r, now)
		first.save(t, s)
		all := []*story{first}
		follow := func(n int) {
			f := casework.Follower{Case: first.Number, Sender: name(n), External: name(n), Since: now}
			require.NoError(t, s.Follow(t.Context(), f))
		}
		follow(1)
		followers, waits := 1, (*story)(nil)
		told := map[string][]casework.ProgressReport{}
		report := func(sender string, refuses bool) bool {
			claimed, err := s.ClaimProgress(t.Context(), sender, at(30, 9, 0), at(30, 9, 0), 10)
			require.NoError(t, err)
			require.LessOrEqual(t, len(claimed), 1, "one at a time")
			for _, c := range claimed {
				a := casework.ProgressAttempt{Report: c.ID, N: c.Attempts, State: casework.ProgressSent, At: at(30, 9, 0)}
				if refuses {
					a.State, a.NextAt = casework.ProgressPending, at(30, 9, 0)
				} else {
					told[sender] = append(told[sender], c)
				}
				require.NoError(t, s.RecordProgress(t.Context(), a))
			}
			return len(claimed) > 0
		}
		end := func() {
			if waits != nil {
				waits.passed(t, s, all[len(all)-1], now)
				waits = nil
			}
		}
		for range rapid.IntRange(1, 16).Draw(t, "steps") {
			now = now.Add(time.Minute)
			last := all[len(all)-1]
			switch rapid.SampledFrom([]string{"pause", "resume", "pass", "end", "plan", "plan", "tell", "tell", "refuse", "late"}).Draw(t, "step") {
			case "pause":
				a := casework.PauseCase{By: casework.By{Actor: clerk}, Reason: casework.CustomerNotReady, Evidence: "d1", PlannedEnd: now.Add(48 * time.Hour)}
				if last.Status == casework.Open {
					last.act(t, a, now)
					last.save(t, s)
				}
			case "resume":
				if last.Status == casework.Paused {
					last.act(t, casework.ResumeCase{By: casework.By{Actor: clerk}}, now)
					last.save(t, s)
				}
			case "pass":
				end()
				waits = last
				all = append(all, last.passes(t, s, now))
			case "end":
				end()
			case "plan":
				_, err := s.PlanProgress(t.Context(), 0, 10)
				require.NoError(t, err)
			case "tell":
				report(name(rapid.IntRange(1, followers).Draw(t, "who")), false)
			case "refuse":
				report(name(rapid.IntRange(1, followers).Draw(t, "who")), true)
			case "late":
				followers++
				follow(followers)
			}
		}
		end()
		for n := 1; n > 0; {
			n, err = s.PlanProgress(t.Context(), 0, 10)
			require.NoError(t, err)
		}
		for n := 1; n <= followers; n++ {
			for report(name(n), false) {
			}
			require.NoError(t, wellTold(told[name(n)], all), name(n))
			found, err := s.NumbersOf(t.Context(), name(n), name(n))
			require.NoError(t, err)
			require.Equal(t, []string{all[len(all)-1].Number}, found)
		}
	})
}

// wellTold judges what a platform was told of a chain of cases.
func wellTold(told []casework.ProgressReport, chain []*story) error {
	place := map[string]int{}
	for i, y := range chain {
		place[y.Number] = i
	}
	stands, once := false, map[casework.Milestone]int{}
	var said []string
	for i, r := range told {
		said = append(said, r.Key()+" "+string(r.Milestone))
		if r.N != i+1 || i > 0 && place[r.Case] < place[told[i-1].Case] {
			return errors.New("out of order: " + strings.Join(said, ", "))
		}
		switch r.Milestone {
		case casework.MilestoneSuspended, casework.MilestoneResumed:
			if stands == (r.Milestone == casework.MilestoneSuspended) {
				return errors.New("the clock stands or goes on twice: " + strings.Join(said, ", "))
			}
			stands = !stands
		default:
			once[r.Milestone]++
		}
	}
	want := 1
	if len(chain) == 1 {
		want = 0
	}
	if once[casework.MilestoneReceived] != 1 || once[casework.MilestonePassedOn] != want || stands != (chain[len(chain)-1].Status == casework.Paused) {
		return errors.New("not all, or too often: " + strings.Join(said, ", "))
	}
	return nil
}
