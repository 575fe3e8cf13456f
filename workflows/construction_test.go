package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
	"github.com/curbstop/curbstop/policy"
)

// The eight documents (seven where no permit was needed) must be there before
// the case's entry is complete; what the system knows it has written itself.
func TestEntryWaitsForTheEightDocuments(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		entry := p.reach(casework.CompleteEntry)
		require.Equal(t, []casework.DocumentKind{casework.PriceControlSheet, casework.AcceptanceConfirmation}, p.snapshot.MissingDocuments())
		f := p.refused("documents_missing", enter(entry, casework.EntryInput{}))
		require.Equal(t, "measures 2.2.5", f.Rule)
		p.must(paper("price", casework.PriceControlSheet))
		p.refused("documents_missing", enter(entry, casework.EntryInput{}))
		p.must(casework.ConfirmAcceptance{By: byCustomer})
		require.Empty(t, p.snapshot.MissingDocuments(), "the confirmation is drafted from the customer's word")
		p.refused("already_confirmed", casework.ConfirmAcceptance{By: byCustomer})
		p.must(enter(entry, casework.EntryInput{}))
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
	drafted := map[casework.DocumentKind]int{}
	for _, d := range b.documents {
		if d.Drafted {
			drafted[d.Kind]++
		}
	}
	require.Equal(t, map[casework.DocumentKind]int{
		casework.Booking: 1, casework.NoticeOfAcceptance: 1, casework.MaterialRequisition: 1,
		casework.CommencementReport: 1, casework.AcceptanceConfirmation: 1, casework.Briefing: 1,
	}, drafted)
}

// The site is entered the day after the task order, which goes out by itself.
func TestSiteEntryIsDueTheNextDay(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.reach(casework.PrepareMaterials)
		p.until("2026-11-27 16:00") // a Friday
		p.finish(casework.PrepareMaterials)
		site := p.task(casework.EnterSite)
		d, ok := p.snapshot.Deadline(site.ID)
		require.True(t, ok)
		require.Equal(t, at(t, "2026-11-27 16:00"), p.snapshot.TaskOrderAt.Truncate(time.Minute))
		require.Equal(t, "2026-11-30 17:30", casework.Clock(d.Due.At))
		p.leave()
	})
}

// A meter that fails its acceptance is replaced and accepted again; what else
// the stage does goes on beside it. The second acceptance counts from the new
// meter, so it does not begin in breach.
func TestMeterThatFailsIsReplaced(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.play(func(p *people) {
		p.reach(casework.AcceptMeter)
		require.Equal(t, []string{
			"accept_meter", "confirm_part/engineering", "confirm_part/network", "confirm_part/service_hall", "confirm_part/taskforce", "open_account",
		}, p.kinds())
		p.until("2026-11-24 10:00")
		p.finish(casework.AcceptMeter, demo.Choices{MeterFails: true})
		require.Nil(t, p.snapshot.Meter)
		require.Contains(t, p.kinds(), "install_meter")
		require.NotContains(t, p.kinds(), "accept_meter")
		p.until("2026-11-26 10:00")
		p.finish(casework.InstallMeter)
		d, ok := p.snapshot.Deadline(p.task(casework.AcceptMeter).ID)
		require.True(t, ok)
		require.Equal(t, "2026-11-27 17:30", casework.Clock(d.Due.At))
		require.Nil(t, p.snapshot.MeterAccepted)
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.NotNil(t, b.snapshot.MeterAccepted)
	require.Equal(t, []casework.Department{"taskforce", "engineering", "network", "service_hall"}, b.snapshot.Confirmed)
}

// The papers of an archive that is down are written when it is up again;
// neither people nor the clock wait for it.
func TestArchiveThatIsDownHoldsUpNothingElse(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.input.Terms = policy.Demo().Terms() // a ladder of seconds: the test environment tries for ten minutes only
	down := true
	b.archive = func(string) (int64, string, error) {
		if down {
			return 0, "", errDown
		}
		return kept("")
	}
	b.play(func(p *people) {
		p.wait(time.Minute)
		require.Len(t, p.rungs(), 4)
		entry := p.reach(casework.CompleteEntry)
		p.must(paper("price", casework.PriceControlSheet), casework.ConfirmAcceptance{By: byCustomer})
		p.refused("documents_missing", enter(entry, casework.EntryInput{}))
		down = false
		p.wait(5 * time.Minute)
		require.Empty(t, p.snapshot.MissingDocuments())
		p.must(enter(entry, casework.EntryInput{}))
		p.straight()
	})
	require.Equal(t, casework.Closed, b.snapshot.Status)
	require.Empty(t, b.snapshot.Drafts)
}
