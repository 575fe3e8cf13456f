package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/store"
	"github.com/curbstop/curbstop/testkit"
)

// asked is a case that was accepted and has begun.
func asked(t testing.TB, s *store.Store, r casework.Request, at time.Time) *story {
	t.Helper()
	receipt, _, err := s.Accept(t.Context(), r, casework.Actor{ID: "portal"}, at)
	require.NoError(t, err)
	y := contactAndAssessment(receipt.Number, r, at)
	y.save(t, s)
	return y
}

func (y *story) follows(t testing.TB, s *store.Store, sender, external string, since time.Time) {
	t.Helper()
	require.NoError(t, s.Follow(t.Context(), casework.Follower{Case: y.Number, Sender: sender, External: external, Since: since}))
}

func (y *story) pauses(t testing.TB, s *store.Store, at time.Time) {
	t.Helper()
	y.act(t, casework.PauseCase{By: casework.By{Actor: clerk}, Reason: casework.CustomerNotReady, Evidence: "d1", PlannedEnd: at.Add(48 * time.Hour)}, at)
	y.save(t, s)
}

func (y *story) resumes(t testing.TB, s *store.Store, at time.Time) {
	t.Helper()
	y.act(t, casework.ResumeCase{By: casework.By{Actor: clerk}, Reason: casework.CustomerNotReady}, at)
	y.save(t, s)
}

// planned works out all reports.
func planned(t testing.TB, s *store.Store) {
	t.Helper()
	for n := 1; n > 0; {
		var err error
		n, err = s.PlanProgress(t.Context(), time.Second, 10)
		require.NoError(t, err)
	}
}

// takes is a sender that takes whatever it is told until nothing is left.
func takes(t testing.TB, s *store.Store, sender string) (told []string) {
	t.Helper()
	for {
		claimed, err := s.ClaimProgress(t.Context(), sender, at(30, 9, 0), at(30, 9, 5), 10)
		require.NoError(t, err)
		if len(claimed) == 0 {
			return told
		}
		for _, r := range claimed {
			told = append(told, fmt.Sprintf("%s %s %s %s", r.Key(), r.External, r.Milestone, r.At.In(time.UTC).Add(8*time.Hour).Format("02 15:04")))
			require.NoError(t, s.RecordProgress(t.Context(), casework.ProgressAttempt{Report: r.ID, N: r.Attempts, State: casework.ProgressSent, At: at(30, 9, 0)}))
		}
	}
}

// Two platforms follow one case, one of them under two numbers. One is stuck,
// and the other two know nothing of it.
func TestEachFollowerIsToldByItself(t *testing.T) {
	t.Parallel()
	s := open(t)
	y := asked(t, s, request(), at(2, 9, 0))
	y.follows(t, s, "portal", "P-1", at(2, 9, 0))
	y.follows(t, s, "park", "K-1", at(2, 9, 0))
	y.follows(t, s, "park", "K-2", at(2, 9, 0))
	y.follows(t, s, "park", "K-2", at(3, 9, 0)) // the first note stays
	y.pauses(t, s, at(2, 10, 0))
	planned(t, s)
	stuck, err := s.ClaimProgress(t.Context(), "portal", at(3, 9, 0), at(3, 9, 5), 10)
	require.NoError(t, err)
	require.Len(t, stuck, 1)
	require.NoError(t, s.RecordProgress(t.Context(), casework.ProgressAttempt{Report: stuck[0].ID, N: 1, State: casework.ProgressPending, At: at(3, 9, 0), NextAt: at(31, 9, 0), Error: "不收"}))

	n := y.Number
	require.Equal(t, []string{
		n + "/2/1 K-1 received 02 09:00", n + "/3/1 K-2 received 02 09:00", n + "/2/2 K-1 suspended 02 10:00", n + "/3/2 K-2 suspended 02 10:00",
	}, takes(t, s, "park"))
	require.Empty(t, takes(t, s, "portal"), "what is behind it waits")
	y.resumes(t, s, at(2, 11, 0))
	planned(t, s)
	require.Equal(t, []string{n + "/2/3 K-1 resumed 02 11:00", n + "/3/3 K-2 resumed 02 11:00"}, takes(t, s, "park"))
	_, err = s.RetryProgress(t.Context(), stuck[0].ID, at(4, 9, 0))
	require.NoError(t, err)
	require.Equal(t, []string{n + "/1 P-1 received 02 09:00", n + "/2 P-1 suspended 02 10:00", n + "/3 P-1 resumed 02 11:00"}, takes(t, s, "portal"))

	listed, _, err := s.ProgressReports(t.Context(), casework.ProgressFilter{Case: n, Sender: "park"})
	require.NoError(t, err)
	require.Len(t, listed, 6)
	require.Equal(t, []any{3, "K-2"}, []any{listed[0].Follower, listed[0].External})
}

// Who joins a case later is told from the beginning, as of when it joined; what
// had ended by then is none of its.
func TestALateFollowerIsToldInOrder(t *testing.T) {
	t.Parallel()
	s := open(t)
	y := asked(t, s, request(), at(2, 9, 0))
	y.follows(t, s, "portal", "P-1", at(2, 9, 0))
	y.pauses(t, s, at(2, 10, 0))
	y.resumes(t, s, at(2, 11, 0))
	y.pauses(t, s, at(2, 15, 0))
	planned(t, s)
	n := y.Number
	require.Len(t, takes(t, s, "portal"), 4)
	y.follows(t, s, "park", "K-1", at(3, 9, 0))
	planned(t, s)
	require.Equal(t, []string{n + "/2/1 K-1 received 03 09:00", n + "/2/2 K-1 suspended 03 09:00"}, takes(t, s, "park"))
	require.Empty(t, takes(t, s, "portal"))
	y.resumes(t, s, at(4, 9, 0))
	planned(t, s)
	require.Equal(t, []string{n + "/2/3 K-1 resumed 04 09:00"}, takes(t, s, "park"))
	require.Equal(t, []string{n + "/5 P-1 resumed 04 09:00"}, takes(t, s, "portal"))
}

// However many note themselves at one moment, each is counted once.
func TestFollowersAreCountedOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	y := asked(t, s, request(), at(2, 9, 0))
	var all sync.WaitGroup
	for i := range 24 {
		all.Go(func() {
			err := s.Follow(t.Context(), casework.Follower{Case: y.Number, Sender: fmt.Sprint("s", i%6), External: "E", Since: at(2, 9, 0)})
			if err != nil {
				t.Error(err)
			}
			if _, err := s.PlanProgress(t.Context(), time.Second, 10); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	planned(t, s)
	keys := map[string]bool{}
	for i := range 6 {
		told := takes(t, s, fmt.Sprint("s", i))
		require.Len(t, told, 1)
		keys[told[0]] = true
	}
	require.Len(t, keys, 6)
	require.NoError(t, s.Follow(t.Context(), casework.Follower{Case: "W20260302-09999", Sender: "s0", External: "E"}), "no such case")
}

// Some senders are told of every case that is received from when they were
// first named, whoever brought it.
func TestSomeAreToldOfAllCases(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	s := openAt(t, url, key) // it is noon on the 4th
	watch := func(all ...casework.Watcher) {
		t.Helper()
		require.NoError(t, s.Watch(t.Context(), all))
	}
	number := 0
	opened := func(at time.Time, change func(*casework.Request)) *story {
		t.Helper()
		r := request()
		number++
		r.ExternalNumber = fmt.Sprint("N-", number)
		if change != nil {
			change(&r)
		}
		return asked(t, s, r, at)
	}
	old := opened(at(4, 11, 0), nil)
	ratings := casework.Watcher{Sender: "ratings"}
	watch(ratings, casework.Watcher{Sender: "gas", Utilities: []casework.Utility{casework.Gas}}, casework.Watcher{Sender: "county", District: "340223"})
	watch(ratings, casework.Watcher{Sender: "gas", Utilities: []casework.Utility{casework.Gas}}, casework.Watcher{Sender: "county", District: "340223"})
	old.pauses(t, s, at(4, 14, 0))
	water := opened(at(4, 14, 0), nil)
	gas := opened(at(4, 14, 0), func(r *casework.Request) { r.Utility, r.Site.District = casework.Gas, "340223" })
	own := opened(at(4, 14, 0), nil)
	own.follows(t, s, "ratings", "R-1", at(4, 14, 0))
	planned(t, s)
	require.ElementsMatch(t, []string{
		water.Number + "/1 " + water.Number + " received 04 14:00", gas.Number + "/3/1 " + gas.Number + " received 04 14:00", own.Number + "/1 R-1 received 04 14:00",
	}, takes(t, s, "ratings"))
	require.Equal(t, []string{gas.Number + "/2/1 " + gas.Number + " received 04 14:00"}, takes(t, s, "gas"))
	require.Equal(t, []string{gas.Number + "/1 " + gas.Number + " received 04 14:00"}, takes(t, s, "county"))

	// They may not take back what they did not ask for; a rating finds its case.
	found, err := s.NumbersOf(t.Context(), "ratings", water.Number)
	require.NoError(t, err)
	require.Empty(t, found)
	found, err = s.NumbersOf(t.Context(), "", water.Number)
	require.NoError(t, err)
	require.Equal(t, []string{water.Number}, found)
	found, err = s.NumbersOf(t.Context(), "ratings", "R-1")
	require.NoError(t, err)
	require.Equal(t, []string{own.Number}, found)

	// Who is not named any more is told of no further case.
	watch()
	later := opened(at(4, 15, 0), nil)
	water.pauses(t, s, at(4, 15, 0))
	planned(t, s)
	require.Equal(t, []string{water.Number + "/2 " + water.Number + " suspended 04 15:00"}, takes(t, s, "ratings"), "of the cases that it knows it is")
	listed, _, err := s.ProgressReports(t.Context(), casework.ProgressFilter{Case: later.Number})
	require.NoError(t, err)
	require.Empty(t, listed)

	// Back in time, it has missed nothing; after a week it begins anew.
	watch(ratings)
	planned(t, s)
	require.Equal(t, []string{later.Number + "/1 " + later.Number + " received 04 15:00"}, takes(t, s, "ratings"))
	watch()
	missed := opened(at(4, 16, 0), nil)
	planned(t, s)
	s = openIn(t, url, key, at(11, 12, 1))
	watch(ratings)
	missed.pauses(t, s, at(11, 13, 0))
	anew := opened(at(11, 13, 0), nil)
	planned(t, s)
	require.Equal(t, []string{anew.Number + "/1 " + anew.Number + " received 11 13:00"}, takes(t, s, "ratings"))
}

// What a report repeats is what its own platform had asked for.
func TestAReportRepeatsWhatItsPlatformAsked(t *testing.T) {
	t.Parallel()
	s := open(t)
	require.NoError(t, s.Watch(t.Context(), []casework.Watcher{{Sender: "ratings"}}))
	lead := request()
	lead.Lead, lead.Project, lead.ExternalNumber = true, "2600-340200-04-01-000001", "GC-1"
	receipt, _, err := s.Accept(t.Context(), lead, casework.Actor{ID: "gonggai"}, at(4, 13, 0))
	require.NoError(t, err)
	y := &story{Case: casework.NewCase(receipt.Number, lead, terms(), receipt.By, at(4, 13, 0))}
	y.save(t, s)
	y.follows(t, s, "gonggai", "GC-1", at(4, 13, 0))
	application := lead
	application.Lead, application.ExternalNumber, application.Applicant.Name = false, "P-1", "芜湖新址食品有限公司"
	app, found, err := s.AcceptApplication(t.Context(), application, casework.Actor{ID: "portal"}, at(4, 14, 0))
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, y.Number, app.Case)
	y.act(t, casework.Apply{By: casework.By{Actor: casework.Actor{ID: "portal", Roles: []casework.Role{casework.Platform}, Districts: []casework.District{casework.AllDistricts}}}, Request: application}, at(4, 14, 0))
	y.save(t, s)
	y.follows(t, s, "portal", "P-1", at(4, 14, 0))
	y.follows(t, s, "gonggai", "P-1", at(4, 14, 0)) // a number that is another's application
	gas := lead
	gas.Utility, gas.ExternalNumber = casework.Gas, "GC-2"
	second, _, err := s.Accept(t.Context(), gas, casework.Actor{ID: "gonggai"}, at(4, 13, 0))
	require.NoError(t, err)
	z := &story{Case: casework.NewCase(second.Number, gas, terms(), second.By, at(4, 13, 0))}
	z.save(t, s)
	together := []casework.Request{application, application}
	together[1].Utility, together[1].Applicant.Name = casework.Gas, "芜湖联办食品有限公司"
	kept, _, err := s.AcceptTogether(t.Context(), "J-1", together, casework.Actor{ID: "park"}, at(4, 14, 30))
	require.NoError(t, err)
	require.Len(t, kept.Applications, 1, "the lead of water has an application already")
	z.follows(t, s, "park", "J-1", at(4, 14, 30))
	planned(t, s)
	said := map[string]string{}
	listed, _, err := s.ProgressReports(t.Context(), casework.ProgressFilter{})
	require.NoError(t, err)
	for _, r := range listed {
		got, err := s.Asked(t.Context(), r)
		require.NoError(t, err)
		said[r.Sender+" "+r.External] = fmt.Sprint(got.Request.Lead, " ", got.Request.Applicant.Name)
	}
	require.Equal(t, map[string]string{
		"gonggai GC-1": "true 芜湖鸠兹食品有限公司", "portal P-1": "false 芜湖新址食品有限公司", "gonggai P-1": "true 芜湖鸠兹食品有限公司",
		"ratings " + y.Number: "false 芜湖新址食品有限公司", "ratings " + z.Number: "true 芜湖鸠兹食品有限公司",
		"park J-1": "false 芜湖联办食品有限公司",
	}, said)
}

// Who was noted at a lead that would not have the application follows the case
// that comes instead, and the lead no more: what it takes back is its own.
func TestASenderFollowsWhatComesInsteadOfALead(t *testing.T) {
	t.Parallel()
	s := open(t)
	portal := casework.Actor{ID: "portal"}
	for _, r := range ofProject() {
		leadCase(t, s, r)
	}
	follow := func(number, sender, external string) {
		t.Helper()
		require.NoError(t, s.Follow(t.Context(), casework.Follower{Case: number, Sender: sender, External: external, Since: at(2, 9, 0)}))
	}
	kept, _, err := s.AcceptTogether(t.Context(), "P-1", ofProject(), portal, at(2, 9, 0))
	require.NoError(t, err)
	water, gas := kept.Applications[0], kept.Applications[1]
	follow(water.Case, "gonggai", "GC-1")
	follow(water.Case, "portal", "P-1")
	follow(gas.Case, "portal", "P-1")
	planned(t, s)
	require.ElementsMatch(t, []string{gas.Case + "/1 P-1 received 02 09:00", water.Case + "/2/1 P-1 received 02 09:00"}, takes(t, s, "portal"))

	own, refused, err := s.RefuseApplication(t.Context(), water)
	require.NoError(t, err)
	require.True(t, refused)
	mine, err := s.NumbersOf(t.Context(), "portal", "P-1")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{own.Number, gas.Case}, mine)
	theirs, err := s.NumbersOf(t.Context(), "gonggai", "GC-1")
	require.NoError(t, err)
	require.Equal(t, []string{water.Case}, theirs)

	begin(own.Number, own.Request, at(2, 9, 0)).save(t, s)
	planned(t, s)
	require.Empty(t, takes(t, s, "portal"), "it was told already that its request was received")
	listed, _, err := s.ProgressReports(t.Context(), casework.ProgressFilter{Sender: "portal"})
	require.NoError(t, err)
	var cases []string
	for _, r := range listed {
		cases = append(cases, r.Case)
	}
	require.ElementsMatch(t, []string{water.Case, gas.Case}, cases, "what it was told stays on record where it was told")
}

// A database of before is brought over: who was told is told on, under the keys
// that its platform knows.
func TestSendersBecomeFollowers(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	s := openAt(t, url, key)
	y := asked(t, s, request(), at(2, 9, 0))
	y.follows(t, s, "portal", "P-1", at(2, 9, 0))
	planned(t, s)
	stranger := request()
	stranger.ExternalNumber = "WST-2"
	other := asked(t, s, stranger, at(2, 9, 0))
	require.Equal(t, []string{y.Number + "/1 P-1 received 02 09:00"}, takes(t, s, "portal"))

	require.NoError(t, store.MigrateDown(t.Context(), url, 15))
	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer connection.Close(t.Context())
	var sender, external string
	require.NoError(t, connection.QueryRow(t.Context(), "SELECT sender, sender_number FROM receipts WHERE number = $1", y.Number).Scan(&sender, &external))
	require.Equal(t, []string{"portal", "P-1"}, []string{sender, external})
	_, err = store.Migrate(t.Context(), url)
	require.NoError(t, err)

	y.pauses(t, s, at(2, 10, 0))
	planned(t, s)
	require.Equal(t, []string{y.Number + "/2 P-1 suspended 02 10:00"}, takes(t, s, "portal"))

	// A process of the version before, which still runs, notes a sender as it did.
	_, err = connection.Exec(t.Context(), "UPDATE receipts SET sender = 'park', sender_number = 'K-1', progress_due = true WHERE number = $1 AND sender = ''", other.Number)
	require.NoError(t, err)
	planned(t, s)
	require.Equal(t, []string{other.Number + "/1 K-1 received 02 09:00"}, takes(t, s, "park"))
	found, err := s.NumbersOf(t.Context(), "portal", "P-1")
	require.NoError(t, err)
	require.Equal(t, []string{y.Number}, found)
}

// Of a refused row it is found what came of it, through all its copies.
func TestWhatCameOfRefusedRows(t *testing.T) {
	t.Parallel()
	s := open(t)
	kept := func(body string) casework.InboxMessage {
		t.Helper()
		m, _, err := s.KeepMessage(t.Context(), casework.InboxMessage{Sender: "tables", Kind: "T", Body: []byte(body), ReceivedAt: at(2, 9, 0)}, at(2, 9, 1))
		require.NoError(t, err)
		require.NoError(t, s.RefuseRow(t.Context(), m.ID))
		return m
	}
	settle := func(m casework.InboxMessage, state casework.InboxState, numbers ...string) {
		t.Helper()
		m.State, m.Numbers = state, numbers
		require.NoError(t, s.SettleMessage(t.Context(), m))
	}
	mend := func(m casework.InboxMessage, body string, at time.Time) casework.InboxMessage {
		t.Helper()
		copied, err := s.MendMessage(t.Context(), m.ID, casework.InboxMessage{Body: []byte(body), ReceivedAt: at}, at)
		require.NoError(t, err)
		return copied
	}
	rows := func() (said []string) {
		t.Helper()
		found, err := s.RefusedRows(t.Context(), "tables", 10)
		require.NoError(t, err)
		for _, m := range found {
			said = append(said, fmt.Sprintf("%s %s %v", m.Body, m.State, m.Numbers))
		}
		return said
	}
	replayed, mended, ignored, waits := kept("replayed"), kept("mended"), kept("ignored"), kept("waits")
	for _, m := range []casework.InboxMessage{replayed, mended, ignored, waits} {
		settle(m, casework.InboxKept)
	}
	require.Empty(t, rows())
	first := mend(mended, "mended once", at(2, 10, 0))
	settle(first, casework.InboxKept)
	require.Empty(t, rows(), "the copy is no better")
	settle(mend(first, "mended twice", at(2, 11, 0)), casework.InboxTakenUp, "W1", "G2")
	settle(replayed, casework.InboxTakenUp, "W3")
	require.NoError(t, s.IgnoreMessage(t.Context(), ignored.ID, "联调", "to-01", at(2, 12, 0)))
	require.ElementsMatch(t, []string{"mended taken_up [W1 G2]", "replayed taken_up [W3]", "ignored ignored []"}, rows())
	require.NoError(t, s.RowSettled(t.Context(), mended.ID))
	require.NoError(t, s.RowSettled(t.Context(), ignored.ID))
	require.Equal(t, []string{"replayed taken_up [W3]"}, rows())
	others, err := s.RefusedRows(t.Context(), "others", 10)
	require.NoError(t, err)
	require.Empty(t, others)
}
