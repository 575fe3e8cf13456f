package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/network"
	"github.com/curbstop/curbstop/store"
	"github.com/curbstop/curbstop/testkit"
)

// streets draws short mains around the middle of the city.
func streets(random *rand.Rand, n int) []network.Main {
	mains := make([]network.Main, n)
	for i := range mains {
		lon, lat := 118.2+0.4*random.Float64(), 31.1+0.4*random.Float64()
		line := network.Line{{Lon: lon, Lat: lat}}
		for range 1 + random.IntN(3) {
			lon, lat = lon+0.004*(random.Float64()-0.5), lat+0.004*(random.Float64()-0.5)
			line = append(line, casework.Position{Lon: lon, Lat: lat})
		}
		mains[i] = network.Main{
			ID: fmt.Sprintf("JS-%06d", i), Utility: casework.Water, District: "340202", State: network.InService, Diameter: 100 + random.IntN(3)*100,
			Pressure: 0.3, Capacity: new(float64(random.IntN(1000))), Lines: []network.Line{line},
		}
	}
	return mains
}

func imported(t *testing.T, s *store.Store, mains []network.Main, v network.Version, key string) network.Version {
	t.Helper()
	got, err := s.ImportMains(t.Context(), network.Register{Mains: mains}, v, key)
	require.NoError(t, err)
	return got
}

func TestImportsAreVersions(t *testing.T) {
	t.Parallel()
	s := open(t)
	n, err := s.MainVersion(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	first := streets(rand.New(rand.NewPCG(1, 1)), 6)
	v1 := imported(t, s, first, network.Version{ImportedBy: "net-01", File: "a.csv", SHA256: "aa"}, "k1")
	equal(t, network.Version{N: 1, ImportedAt: at(4, 12, 0), ImportedBy: "net-01", File: "a.csv", SHA256: "aa", Utilities: []casework.Utility{casework.Water}, Mains: 6, Added: 6}, v1)
	equal(t, v1, imported(t, s, first[:1], network.Version{}, "k1")) // the key says that it was done

	second := append([]network.Main{}, first[1:]...)
	second[0].Diameter = 600
	second = append(second, network.Main{ID: "RQ-1", Utility: casework.Gas, District: "340207", State: network.Planned, Lines: first[0].Lines})
	changes, err := s.CompareMains(t.Context(), network.Register{Mains: second}, false)
	require.NoError(t, err)
	require.Len(t, changes, 3)
	v2 := imported(t, s, second, network.Version{ImportedBy: "net-02", File: "b.csv"}, "k2")
	require.Equal(t, []int{1, 1, 1}, []int{v2.Added, v2.Changed, v2.Removed})
	_, err = s.Main(t.Context(), casework.Water, first[0].ID)
	refused(t, err, casework.NotFound, "main_not_found")
	got, err := s.Main(t.Context(), casework.Water, first[1].ID)
	require.NoError(t, err)
	equal(t, second[0], got)

	// A partial file removes nothing.
	v3 := imported(t, s, first[:1], network.Version{Partial: true}, "k3")
	require.Equal(t, []int{1, 0, 0}, []int{v3.Added, v3.Changed, v3.Removed})
	list, next, err := s.Mains(t.Context(), network.Filter{Utility: casework.Water, Page: casework.Page{Limit: 4}})
	require.NoError(t, err)
	rest, end, err := s.Mains(t.Context(), network.Filter{Utility: casework.Water, Page: casework.Page{Limit: 4, Cursor: next}})
	require.NoError(t, err)
	require.Empty(t, end)
	want := append([]network.Main{first[0], second[0]}, first[2:]...)
	equal(t, want, append(list, rest...))
	some, _, err := s.Mains(t.Context(), network.Filter{State: network.Planned, Districts: []casework.District{"340207"}})
	require.NoError(t, err)
	equal(t, second[len(second)-1:], some)

	versions, _, err := s.MainVersions(t.Context(), casework.Page{})
	require.NoError(t, err)
	equal(t, []network.Version{v3, v2, v1}, versions)
}

// Of two imports at one time each is compared with what the other left.
func TestImportsAtOneTime(t *testing.T) {
	t.Parallel()
	s := open(t)
	mains := streets(rand.New(rand.NewPCG(2, 2)), 50)
	errs := make(chan error, 4)
	for i := range 4 {
		go func() {
			_, err := s.ImportMains(t.Context(), network.Register{Mains: mains}, network.Version{File: fmt.Sprint(i)}, fmt.Sprint(i))
			errs <- err
		}()
	}
	for range 4 {
		require.NoError(t, <-errs)
	}
	versions, _, err := s.MainVersions(t.Context(), casework.Page{})
	require.NoError(t, err)
	added := 0
	for _, v := range versions {
		added += v.Added
	}
	require.Equal(t, 50, added)
}

// The nearest mains are those that looking at all of them finds, and they are
// found within milliseconds.
func TestNearestMains(t *testing.T) {
	t.Parallel()
	s := open(t)
	random := rand.New(rand.NewPCG(3, 3))
	mains := streets(random, 5000)
	mains[0].State = network.Abandoned
	imported(t, s, append(mains, network.Main{ID: "RQ", Utility: casework.Gas, District: "340207", State: network.InService, Lines: mains[0].Lines}), network.Version{}, "k")
	const places = 60
	began := time.Now()
	for i := range places {
		// Some lie far outside, where there is little or nothing.
		p := casework.Position{Lon: 118.1 + 0.6*random.Float64(), Lat: 31.0 + 0.6*random.Float64()}
		if i%10 == 0 {
			p.Lon++
		}
		got, err := s.NearestMains(t.Context(), casework.Water, p, 5)
		require.NoError(t, err)
		var want []network.Near
		for _, n := range network.Nearest(mains[1:], p, 5) {
			if n.Metres <= 25_000 {
				want = append(want, n)
			}
		}
		equal(t, want, got)
	}
	t.Logf("%s a place", time.Since(began)/places)
}

// assessedOn is a case that was assessed on a main.
func assessedOn(t *testing.T, s *store.Store, number, main string, volume float64) *story {
	t.Helper()
	r := request()
	r.ExternalNumber, r.Demand.DailyVolume = number, volume
	y := begin(number, r, at(3, 9, 0))
	y.Assessment = &casework.AssessmentInput{Result: casework.Adequate, Main: main}
	y.save(t, s)
	return y
}

func TestWhatIsCommitted(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	s := openAt(t, url, key)
	mains := streets(rand.New(rand.NewPCG(4, 4)), 3)
	imported(t, s, mains, network.Version{}, "k1")
	on := mains[0].ID
	assessedOn(t, s, "W1", on, 100)
	supplied := assessedOn(t, s, "W2", on, 20)
	gone := assessedOn(t, s, "W3", on, 400)
	assessedOn(t, s, "W4", mains[1].ID, 8)
	gone.act(t, casework.Withdraw{By: casework.By{Actor: clerk}, Reason: "x"}, at(4, 9, 0))
	gone.save(t, s)
	committed := func(except string) map[string]network.Commitment {
		got, err := s.Committed(t.Context(), casework.Water, []string{on, mains[1].ID, mains[2].ID}, except)
		require.NoError(t, err)
		return got
	}
	other := network.Commitment{Volume: 8, Cases: 1}
	require.Equal(t, map[string]network.Commitment{on: {Volume: 120, Cases: 2}, mains[1].ID: other}, committed(""))
	require.Equal(t, map[string]network.Commitment{on: {Volume: 20, Cases: 1}, mains[1].ID: other}, committed("W1"), "a case does not stand in its own way")

	// Connected after the register was imported, the register does not know of it
	// yet; a later import of the whole network does, a partial one of others not.
	supply := func(when string) {
		require.NoError(t, execute(t, url, "UPDATE cases SET supply_at = '"+when+"', ended_at = '"+when+"' WHERE number = 'W2'"))
	}
	require.NotNil(t, supplied)
	supply("2026-03-05 12:00+08")
	require.Equal(t, network.Commitment{Volume: 120, Cases: 2}, committed("")[on])
	supply("2026-03-04 11:00+08")
	require.Equal(t, network.Commitment{Volume: 100, Cases: 1}, committed("")[on])
}

func TestApplicationFindsItsLead(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx := t.Context()
	lead := request()
	lead.Lead, lead.Project, lead.ExternalNumber, lead.Site.Plot = true, "2026-340202-35-01-100001", "L1", "P-1"
	y := begin("W1", lead, at(3, 9, 0))
	y.save(t, s)
	lines, _, err := s.Cases(ctx, casework.CaseFilter{Lead: new(true)})
	require.NoError(t, err)
	require.Len(t, lines, 1)
	require.True(t, lines[0].Lead)

	by := casework.Actor{ID: "gonggai", Roles: []casework.Role{casework.Platform}}
	r := request()
	r.Channel, r.ExternalNumber, r.Project = casework.ProjectApproval, "GG-1", "2026 340202 35 01 100001"
	for name, change := range map[string]func(*casework.Request){
		"a lead":           func(r *casework.Request) { r.Lead = true },
		"no project":       func(r *casework.Request) { r.Project = "" },
		"another project":  func(r *casework.Request) { r.Project = "other" },
		"another utility":  func(r *casework.Request) { r.Utility = casework.Gas },
		"another district": func(r *casework.Request) { r.Site.District = "340207" },
	} {
		other := r
		change(&other)
		_, found, err := s.AcceptApplication(ctx, other, by, at(4, 9, 0))
		require.NoError(t, err)
		require.False(t, found, name)
	}
	want := casework.LeadApplication{Case: "W1", Request: r, By: by, ReceivedAt: at(4, 9, 0), State: casework.ApplicationReceived}
	for range 2 {
		got, found, err := s.AcceptApplication(ctx, r, by, at(4, 9, 0))
		require.NoError(t, err)
		require.True(t, found)
		equal(t, want, got)
	}
	unsettled, err := s.UnsettledApplications(ctx, at(4, 10, 0), 10)
	require.NoError(t, err)
	equal(t, []casework.LeadApplication{want}, unsettled)
	for range 2 {
		own, refused, err := s.RefuseApplication(ctx, want)
		require.NoError(t, err)
		require.True(t, refused)
		require.Equal(t, r, own.Request)
	}
	_, found, err := s.AcceptApplication(ctx, r, by, at(4, 9, 0))
	require.NoError(t, err)
	require.False(t, found, "the lead would not have it: it is a request of its own")
	unsettled, err = s.UnsettledApplications(ctx, at(4, 10, 0), 10)
	require.NoError(t, err)
	require.Empty(t, unsettled)

	// What was taken up as a request of its own stays one.
	taken := r
	taken.ExternalNumber = "GG-2"
	_, _, err = s.Accept(ctx, taken, by, at(4, 9, 0))
	require.NoError(t, err)
	_, found, err = s.AcceptApplication(ctx, taken, by, at(4, 9, 0))
	require.NoError(t, err)
	require.False(t, found)

	match := casework.LeadMatch{Number: "W1", Applicant: lead.Applicant.Name, Address: lead.Site.Address, District: "340202"}
	for name, c := range map[string]struct {
		change func(*casework.Request)
		want   func(*casework.LeadMatch)
	}{
		"project": {func(r *casework.Request) { r.Site.Address = "别处" }, func(m *casework.LeadMatch) { m.Project = true }},
		"party":   {func(r *casework.Request) { r.Project = "" }, func(m *casework.LeadMatch) { m.Party = true }},
		"plot": {func(r *casework.Request) { r.Project, r.Applicant.CreditCode, r.Site.Plot = "", "", "P-1" },
			func(m *casework.LeadMatch) { m.Plot = true }},
		"nothing": {func(r *casework.Request) { r.Project, r.Site.Address = "", "别处" }, nil},
	} {
		q := r
		c.change(&q)
		got, err := s.PossibleLeads(ctx, q)
		require.NoError(t, err)
		if c.want == nil {
			require.Empty(t, got, name)
			continue
		}
		w := match
		c.want(&w)
		equal(t, []casework.LeadMatch{w}, got)
	}
	// Two leads of a project: a person must say which.
	second := lead
	second.ExternalNumber = "L2"
	begin("W2", second, at(3, 9, 0)).save(t, s)
	r.ExternalNumber = "GG-3"
	_, found, err = s.AcceptApplication(ctx, r, by, at(4, 9, 0))
	require.NoError(t, err)
	require.False(t, found)
}

// Leads stand apart from the work in progress: they may wait for years.
func TestLeadsStandApartInReports(t *testing.T) {
	t.Parallel()
	s := open(t)
	lead := request()
	lead.Lead = true
	begin("W1", lead, at(2, 9, 0)).save(t, s)
	begin("W2", request(), at(3, 9, 0)).save(t, s)
	loads, err := s.WorkInProgress(t.Context(), casework.SupervisionFilter{}, nil)
	require.NoError(t, err)
	equal(t, []casework.StageLoad{
		{Stage: casework.PreService, Lead: true, Cases: 1, Median: at(2, 9, 0), P90: at(2, 9, 0), Oldest: at(2, 9, 0), Received: at(2, 9, 0), Buckets: []int64{1}},
		{Stage: casework.PreService, Cases: 1, Median: at(3, 9, 0), P90: at(3, 9, 0), Oldest: at(3, 9, 0), Received: at(3, 9, 0), Buckets: []int64{1}},
	}, loads)
}
