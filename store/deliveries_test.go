package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/store"
	"github.com/curbstop/curbstop/testkit"
)

// through plans every message for some outlets, at once.
func through(outlets ...string) func(casework.Message) []casework.Delivery {
	return func(m casework.Message) []casework.Delivery {
		var planned []casework.Delivery
		for _, o := range outlets {
			planned = append(planned, casework.Delivery{Outlet: o, NextAt: m.At})
		}
		return planned
	}
}

// late is a case with the three messages of a deadline that was missed; the
// last is of the top rung.
func late(t testing.TB, s *store.Store, number string) *story {
	t.Helper()
	y := answered(number, at(2, 9, 0), 4*time.Hour)
	y.save(t, s)
	y.Fire(at(3, 16, 0)) // reminder
	y.save(t, s)
	y.Fire(at(3, 17, 30)) // breach
	y.save(t, s)
	y.Fire(at(4, 10, 30)) // lead
	y.save(t, s)
	return y
}

func route(t testing.TB, s *store.Store, outlets ...string) int {
	t.Helper()
	n, err := s.RouteMessages(t.Context(), 100, through(outlets...))
	require.NoError(t, err)
	return n
}

// claim takes what is due at a moment and gives the messages' IDs with the try.
func claim(t testing.TB, s *store.Store, outlet string, now time.Time, topOnly bool) (claimed []casework.Delivery) {
	t.Helper()
	lines, _, err := s.ClaimDeliveries(t.Context(), outlet, now, now.Add(5*time.Minute), topOnly, 100)
	require.NoError(t, err)
	for _, l := range lines {
		require.Len(t, l.Deliveries, 1)
		require.Equal(t, l.ID, l.Deliveries[0].Message)
		claimed = append(claimed, l.Deliveries[0])
	}
	return claimed
}

func ids(claimed []casework.Delivery) (all []string) {
	for _, d := range claimed {
		all = append(all, fmt.Sprint(d.Message, " ", d.Attempts))
	}
	return all
}

// states gives message, outlet and state of every delivery of a case, the
// newest message first.
func states(t testing.TB, s *store.Store, number string) (all []string) {
	t.Helper()
	lines, _, err := s.Messages(t.Context(), casework.MessageFilter{Case: number})
	require.NoError(t, err)
	for _, l := range lines {
		line := l.ID
		if !l.AbandonedAt.IsZero() {
			line += " abandoned"
		}
		for _, d := range l.Deliveries {
			line += " " + d.Outlet + "=" + string(d.State)
		}
		all = append(all, line)
	}
	return all
}

func TestMessagesAreRoutedOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	y := late(t, s, "W20260302-00001")
	require.Equal(t, 3, route(t, s, "log"))
	require.Zero(t, route(t, s, "log", "mail"), "an outlet that comes later carries no old messages")
	id := y.Number + "-T1/"
	require.Equal(t, []string{id + "taskforce_lead log=pending", id + "breach log=pending", id + "reminder log=pending"}, states(t, s, y.Number))
	require.Zero(t, route(t, s))
}

// The reminder and the breach are over, because the next rung took over; the
// top rung's goes out, whatever became of it.
func TestWhatIsOverIsMoot(t *testing.T) {
	t.Parallel()
	s := open(t)
	y := late(t, s, "W20260302-00001")
	route(t, s, "log")
	y.act(t, casework.CompleteTask{By: casework.By{Actor: clerk}, Task: y.Number + "-T1", Input: completeContact}, at(4, 11, 0))
	y.save(t, s)
	id := y.Number + "-T1/"
	require.Equal(t, []string{id + "taskforce_lead 1"}, ids(claim(t, s, "log", at(4, 12, 0), false)))
	require.Equal(t, []string{id + "taskforce_lead log=pending", id + "breach log=moot", id + "reminder log=moot"}, states(t, s, y.Number))
}

func TestWhatIsClaimedIsDueAgainAfterItsLease(t *testing.T) {
	t.Parallel()
	s := open(t)
	y := answered("W20260302-00001", at(2, 9, 0), 4*time.Hour)
	y.save(t, s)
	y.Fire(at(3, 16, 0))
	y.save(t, s)
	route(t, s, "log", "mail")
	id := y.Number + "-T1/reminder"
	require.Empty(t, claim(t, s, "log", at(3, 15, 59), false), "not due yet")
	require.Empty(t, claim(t, s, "log", at(3, 16, 0), true), "not of the top rung")
	require.Equal(t, []string{id + " 1"}, ids(claim(t, s, "log", at(3, 16, 0), false)))
	require.Empty(t, claim(t, s, "log", at(3, 16, 4), false), "somebody has it")
	require.Equal(t, []string{id + " 2"}, ids(claim(t, s, "log", at(3, 16, 5), false)), "whoever had it has died")
	require.Equal(t, []string{id + " 1"}, ids(claim(t, s, "mail", at(3, 16, 5), false)), "each outlet for itself")
}

func TestTheTopRungGoesFirst(t *testing.T) {
	t.Parallel()
	s := open(t)
	for i := range 3 {
		y := answered(fmt.Sprintf("W20260302-0000%d", i), at(2, 9, 0), 4*time.Hour)
		y.save(t, s)
		y.Fire(at(3, 16, 0))
		y.save(t, s)
	}
	y := late(t, s, "W20260302-00009")
	route(t, s, "log")
	lines, seen, err := s.ClaimDeliveries(t.Context(), "log", at(4, 12, 0), at(4, 12, 5), false, 2)
	require.NoError(t, err)
	require.Equal(t, 2, seen)
	require.Equal(t, y.Number+"-T1/taskforce_lead", lines[0].ID)
	require.Equal(t, "W20260302-00000-T1/reminder", lines[1].ID)
}

func TestHowATryEndedIsRecorded(t *testing.T) {
	t.Parallel()
	s := open(t)
	y := answered("W20260302-00001", at(2, 9, 0), 4*time.Hour)
	y.save(t, s)
	y.Fire(at(3, 16, 0))
	y.save(t, s)
	route(t, s, "log")
	record := func(a casework.Attempt) casework.Delivery {
		t.Helper()
		require.NoError(t, s.RecordAttempt(t.Context(), a))
		lines, _, err := s.Messages(t.Context(), casework.MessageFilter{Outlet: "log"})
		require.NoError(t, err)
		require.Len(t, lines, 1)
		return lines[0].Deliveries[0]
	}
	first := claim(t, s, "log", at(3, 16, 0), false)[0]
	want := casework.Delivery{ID: first.ID, Message: first.Message, Outlet: "log", State: casework.DeliveryPending, Attempts: 1, FirstAt: at(3, 16, 0)}

	want.NextAt, want.LastError = at(3, 16, 1), "busy"
	equal(t, want, record(casework.Attempt{Delivery: first.ID, N: 1, State: casework.DeliveryPending, At: at(3, 16, 0), NextAt: at(3, 16, 1), Error: "busy"}))

	second := claim(t, s, "log", at(3, 16, 1), false)[0]
	require.Equal(t, at(3, 16, 0), second.FirstAt)
	want.NextAt = at(3, 16, 2)
	equal(t, want, record(casework.Attempt{Delivery: first.ID, N: 2, State: casework.DeliveryPending, Uncalled: true, NextAt: at(3, 16, 2)})) // a try that called nobody does not count

	claim(t, s, "log", at(3, 16, 2), false)
	want.Attempts, want.NextAt = 2, at(3, 16, 7)
	equal(t, want, record(casework.Attempt{Delivery: first.ID, N: 1, State: casework.DeliveryDead, At: at(3, 16, 3), Error: "late"})) // who was overtaken has nothing to say

	want.State, want.NextAt, want.SettledAt, want.LastError = casework.DeliveryDead, time.Time{}, at(3, 16, 3), "refused"
	equal(t, want, record(casework.Attempt{Delivery: first.ID, N: 2, State: casework.DeliveryDead, At: at(3, 16, 3), Error: "refused"}))

	again, err := s.RetryDelivery(t.Context(), first.ID, at(4, 9, 0))
	require.NoError(t, err)
	want.State, want.NextAt, want.SettledAt, want.FirstAt = casework.DeliveryPending, at(4, 9, 0), time.Time{}, time.Time{}
	equal(t, want, again)
	again, err = s.RetryDelivery(t.Context(), first.ID, at(4, 9, 30))
	require.NoError(t, err)
	equal(t, want, again)

	claim(t, s, "log", at(4, 9, 0), false)
	sent := &casework.Sent{To: []string{"wang@water.example.cn"}, Text: "催办", Answer: "250 ok"}
	want.State, want.Attempts, want.NextAt, want.FirstAt, want.SettledAt, want.LastError = casework.DeliverySent, 3, time.Time{}, at(4, 9, 0), at(4, 9, 1), ""
	want.Sent = sent
	// That it was sent counts from whomever it comes, and stays.
	equal(t, want, record(casework.Attempt{Delivery: first.ID, N: 1, State: casework.DeliverySent, At: at(4, 9, 1), Sent: sent}))
	equal(t, want, record(casework.Attempt{Delivery: first.ID, N: 3, State: casework.DeliveryDead, At: at(4, 9, 2), Error: "late"}))
	equal(t, want, record(casework.Attempt{Delivery: first.ID, N: 3, State: casework.DeliverySent, At: at(4, 9, 3), Sent: &casework.Sent{}}))
	_, err = s.RetryDelivery(t.Context(), first.ID, at(4, 9, 0))
	refused(t, err, casework.Conflict, "not_dead")
	_, err = s.RetryDelivery(t.Context(), 99, at(4, 9, 0))
	refused(t, err, casework.NotFound, "delivery_not_found")
	_, err = s.MessageOf(t.Context(), 99)
	refused(t, err, casework.NotFound, "delivery_not_found")
	line, err := s.MessageOf(t.Context(), first.ID)
	require.NoError(t, err)
	equal(t, []casework.Delivery{want}, line.Deliveries)
}

func TestOutletsThatLeftTheConfigurationGiveUp(t *testing.T) {
	t.Parallel()
	s := open(t) // whose now is noon of the 4th
	y := late(t, s, "W20260302-00001")
	route(t, s, "log", "mail")
	require.NoError(t, s.ExpireDeliveries(t.Context(), []string{"log"}, at(4, 12, 0), at(7, 12, 0)))
	require.NotContains(t, fmt.Sprint(states(t, s, y.Number)), "dead", "not yet")
	require.NoError(t, s.ExpireDeliveries(t.Context(), []string{"log"}, at(4, 12, 1), at(7, 12, 0)))
	id := y.Number + "-T1/"
	require.Equal(t, []string{id + "taskforce_lead log=pending mail=dead", id + "breach log=pending mail=dead", id + "reminder log=pending mail=dead"}, states(t, s, y.Number))
}

// Many deliverers share the work: each message goes to one of them.
func TestEachMessageIsClaimedByOne(t *testing.T) {
	t.Parallel()
	s := open(t)
	const cases = 30
	for i := range cases {
		y := answered(fmt.Sprintf("W20260302-%05d", i), at(2, 9, 0), 4*time.Hour)
		y.save(t, s)
		y.Fire(at(3, 16, 0))
		y.save(t, s)
	}
	var mu sync.Mutex
	var all []string
	routed := 0
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			for {
				n, err := s.RouteMessages(t.Context(), 4, through("log"))
				if err != nil {
					t.Error(err)
				}
				lines, _, err := s.ClaimDeliveries(t.Context(), "log", at(4, 9, 0), at(4, 9, 5), false, 3)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				routed += n
				for _, l := range lines {
					all = append(all, l.ID)
				}
				mu.Unlock()
				if n == 0 && len(lines) == 0 {
					return
				}
			}
		})
	}
	group.Wait()
	require.Equal(t, cases, routed)
	slices.Sort(all)
	require.Len(t, slices.Compact(slices.Clone(all)), cases)
	require.Len(t, all, cases, "taken twice")
}

// What a workflow forgot is taken back with its messages, as long as nobody was
// told; what may have gone out stays on record, and goes out once.
func TestMessagesOfAnAbandonedTail(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before func(t *testing.T, s *store.Store)
		after  []string // once the truth, in which nothing fired, is recorded
		again  []string // once the rungs fired in truth, and were routed
	}{
		"not routed": {func(*testing.T, *store.Store) {}, nil, []string{"reminder a=pending b=pending", "breach a=pending b=pending"}},
		"not claimed": {func(t *testing.T, s *store.Store) { t.Helper(); route(t, s, "a", "b") }, nil,
			[]string{"reminder a=pending b=pending", "breach a=pending b=pending"}},
		"one sent, one claimed": {func(t *testing.T, s *store.Store) {
			t.Helper()
			route(t, s, "a", "b")
			for _, d := range claim(t, s, "a", at(3, 17, 40), false) {
				require.NoError(t, s.RecordAttempt(t.Context(), casework.Attempt{Delivery: d.ID, N: 1, State: casework.DeliverySent, At: at(3, 17, 41), Sent: &casework.Sent{Text: "x"}}))
			}
			lines, _, err := s.ClaimDeliveries(t.Context(), "b", at(3, 17, 40), at(3, 17, 45), false, 2) // the reminder is over, the breach is not
			require.NoError(t, err)
			require.Len(t, lines, 1)
		}, []string{"breach abandoned a=sent b=moot"}, []string{"reminder a=pending b=pending", "breach a=sent b=pending"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			y := answered("W20260302-00001", at(2, 9, 0), 4*time.Hour)
			y.save(t, s)
			lost := y.fork()
			lost.Fire(at(3, 17, 30)) // reminder and breach
			lost.save(t, s)
			test.before(t, s)
			y.also(t, casework.ClaimTask{By: casework.By{Actor: clerk}, Task: y.Number + "-T1"}, at(3, 17, 50))
			y.save(t, s)
			found := func() (all []string) {
				for _, state := range states(t, s, y.Number) {
					all = append(all, state[len(y.Number+"-T1/"):])
				}
				return all
			}
			require.Equal(t, test.after, found())
			y.Fire(at(3, 17, 51))
			y.save(t, s)
			route(t, s, "a", "b")
			require.Equal(t, test.again, found())
		})
	}
}

func TestMessageFilters(t *testing.T) {
	t.Parallel()
	s := open(t)
	y := late(t, s, "W20260302-00001")
	route(t, s, "log")
	for _, d := range claim(t, s, "log", at(4, 12, 0), false) { // of which two are moot
		require.NoError(t, s.RecordAttempt(t.Context(), casework.Attempt{Delivery: d.ID, N: 1, State: casework.DeliverySent, At: at(4, 12, 0), Sent: &casework.Sent{}}))
	}
	other := late(t, s, "W20260302-00002")
	for name, test := range map[string]struct {
		filter casework.MessageFilter
		want   int
	}{
		"all":                {casework.MessageFilter{}, 6},
		"case":               {casework.MessageFilter{Case: other.Number}, 3},
		"state":              {casework.MessageFilter{State: casework.DeliveryMoot}, 2},
		"outlet":             {casework.MessageFilter{Outlet: "log"}, 3},
		"state of an outlet": {casework.MessageFilter{State: casework.DeliverySent, Outlet: "log"}, 1},
		"another outlet":     {casework.MessageFilter{State: casework.DeliverySent, Outlet: "mail"}, 0},
		"district":           {casework.MessageFilter{Districts: []casework.District{"340202"}}, 6},
		"elsewhere":          {casework.MessageFilter{Districts: []casework.District{"340207"}}, 0},
		"all at once":        {casework.MessageFilter{Case: y.Number, State: casework.DeliverySent, Outlet: "log", Districts: []casework.District{"340202"}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, _, err := s.Messages(t.Context(), test.filter)
			require.NoError(t, err)
			require.Len(t, found, test.want)
		})
	}
	keys := walk(t, func(p casework.Page) ([]casework.MessageLine, string, error) {
		return s.Messages(t.Context(), casework.MessageFilter{Page: p})
	}, func(l casework.MessageLine) string { return l.ID }, func(int) {})
	require.Len(t, keys, 6)
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(keys))), 6)
}

// A mail address is personal: it lies sealed, and whoever has the key reads it.
func TestMailAddressesAreSealed(t *testing.T) {
	t.Parallel()
	d := openDatabase(t)
	member := casework.Staff{ID: "tf-01", Name: "陈专", Department: "taskforce", Roles: []casework.Role{casework.Taskforce}, Districts: []casework.District{"340202"}, Active: true, Email: "chen@water.example.cn"}
	require.NoError(t, d.PutStaff(t.Context(), member, ""))
	read, err := d.Staff(t.Context(), member.ID)
	require.NoError(t, err)
	equal(t, member, read)
	late(t, d.Store, "W20260302-00001")
	route(t, d.Store, "mail")
	for _, one := range claim(t, d.Store, "mail", at(4, 12, 0), false) {
		require.NoError(t, d.RecordAttempt(t.Context(), casework.Attempt{Delivery: one.ID, N: 1, State: casework.DeliverySent, At: at(4, 12, 0),
			Sent: &casework.Sent{To: []string{member.Email}, Text: "催办"}}))
	}
	var sealed int
	require.NoError(t, d.connection.QueryRow(t.Context(), `SELECT
		(SELECT count(*) FROM staff WHERE email IS NOT NULL AND position('chen' IN encode(email, 'escape')) = 0) +
		(SELECT count(*) FROM deliveries WHERE sent IS NOT NULL AND position('chen' IN encode(sent, 'escape')) = 0)`).Scan(&sealed))
	require.Equal(t, 2, sealed)
	member.Email = ""
	require.NoError(t, d.PutStaff(t.Context(), member, ""))
	read, err = d.Staff(t.Context(), member.ID)
	require.NoError(t, err)
	equal(t, member, read)
}

// What was recorded before there were outlets is told to nobody afterwards.
func TestOldMessagesStayAsTheyAre(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	s := openAt(t, url, key)
	y := late(t, s, "W20260302-00001")
	require.NoError(t, s.Close())
	require.NoError(t, store.MigrateDown(t.Context(), url, 7))
	_, err := store.Migrate(t.Context(), url)
	require.NoError(t, err)
	s = openAt(t, url, key)
	require.Zero(t, route(t, s, "log"))
	require.Len(t, states(t, s, y.Number), 3)
}

// What is said of a pause is about nothing once the pause has ended, or was
// reviewed: what waits for the morning stays. An attempt that is abandoned takes
// that back too.
func TestMessagesOfAPauseThatEndedAreMoot(t *testing.T) {
	t.Parallel()
	s := open(t)
	y := answered("W20260302-00001", at(2, 9, 0), 4*time.Hour)
	y.save(t, s)
	y.act(t, casework.PauseCase{By: casework.By{Actor: clerk}, Reason: casework.CustomerNotReady, Evidence: "来函", PlannedEnd: at(2, 20, 0)}, at(2, 10, 0))
	y.save(t, s)
	y.Fire(at(2, 20, 0))
	y.save(t, s)
	require.Equal(t, 1, route(t, s, "log"))
	message := fmt.Sprintf("%s/pause_end/customer_not_ready/%d", y.Number, at(2, 20, 0).Unix())
	lost := y.fork()
	lost.act(t, casework.ResumeCase{By: casework.By{Actor: clerk}, Note: "具备条件"}, at(2, 21, 0))
	lost.save(t, s)
	require.Empty(t, claim(t, s, "log", at(3, 8, 30), false))
	require.Equal(t, []string{message + " log=moot"}, states(t, s, y.Number))

	// In truth the pause lasts, so the message is meant again.
	y.also(t, casework.ClaimTask{By: casework.By{Actor: clerk}, Task: y.Number + "-T1"}, at(2, 22, 0))
	y.save(t, s)
	require.Equal(t, 1, route(t, s, "log"))
	require.Equal(t, []string{message + " log=pending"}, states(t, s, y.Number))
	y.act(t, casework.ResumeCase{By: casework.By{Actor: clerk}, Note: "具备条件"}, at(2, 23, 0))
	y.save(t, s)
	require.Empty(t, claim(t, s, "log", at(3, 8, 30), false))
	require.Equal(t, []string{message + " log=moot"}, states(t, s, y.Number))
}
