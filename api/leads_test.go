package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/network"
)

// pipes are the register of mains, and the applications that belong to leads.
type pipes struct {
	register  []network.Main
	imported  []network.Version
	committed map[string]network.Commitment
	kept      map[string]casework.LeadApplication // by channel and external number
}

func (m *memory) AcceptApplication(_ context.Context, r casework.Request, by casework.Actor, at time.Time) (casework.LeadApplication, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := string(r.Channel) + "/" + r.ExternalNumber
	if app, ok := m.kept[id]; ok {
		return app, app.State != casework.ApplicationRefused, nil
	}
	for _, k := range m.cases {
		if r.ProjectKey() != "" && k.Request.Lead && k.Request.ProjectKey() == r.ProjectKey() && k.Request.Utility == r.Utility {
			app := casework.LeadApplication{Case: k.Number, Request: r, By: by, ReceivedAt: at, State: casework.ApplicationReceived}
			if m.kept == nil {
				m.kept = map[string]casework.LeadApplication{}
			}
			m.kept[id] = app
			return app, true, nil
		}
	}
	return casework.LeadApplication{}, false, nil
}

func (m *memory) SettleApplication(_ context.Context, r casework.Request) error {
	m.settle(r, casework.ApplicationApplied)
	return nil
}

// tie lets the parts of a joint request know of each other, of which at least one
// is the application of a lead. The lock is held.
func (m *memory) tie(rec *casework.JointReceipt) {
	first := &rec.Applications[0]
	if first.Joint != nil {
		rec.Number = first.Joint.Number
		return
	}
	rec.Number = "J" + first.Case[1:]
	joint := func(sibling string, u casework.Utility) *casework.Joint {
		return &casework.Joint{Number: rec.Number, Sibling: sibling, Utility: u}
	}
	if len(rec.Receipts) == 1 {
		other := &rec.Receipts[0]
		other.Joint = joint(first.Case, first.Request.Utility)
		m.receipts[string(other.Request.Channel)+"/"+other.Request.ExternalNumber] = *other
		first.Joint = joint(other.Number, other.Request.Utility)
	} else {
		other := &rec.Applications[1]
		first.Joint, other.Joint = joint(other.Case, other.Request.Utility), joint(first.Case, first.Request.Utility)
		m.kept[string(other.Request.Channel)+"/"+other.Request.ExternalNumber] = *other
	}
	m.kept[string(first.Request.Channel)+"/"+first.Request.ExternalNumber] = *first
}

func (m *memory) settle(r casework.Request, state casework.ApplicationState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := string(r.Channel) + "/" + r.ExternalNumber
	app := m.kept[id]
	app.State = state
	m.kept[id] = app
}

func (m *memory) RefuseApplication(ctx context.Context, app casework.LeadApplication) (casework.Receipt, bool, error) {
	m.settle(app.Request, casework.ApplicationRefused)
	own, _, err := m.Accept(ctx, app.Request, app.By, app.ReceivedAt)
	return own, true, err
}

func (m *memory) PossibleLeads(_ context.Context, r casework.Request) ([]casework.LeadMatch, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var leads []casework.LeadMatch
	for _, k := range m.cases {
		if k.Request.Lead && k.Request.Party() != "" && k.Request.Party() == r.Party() {
			leads = append(leads, casework.LeadMatch{Number: k.Number, Applicant: k.Request.Applicant.Name, Party: true})
		}
	}
	return leads, nil
}

func (m *memory) CompareMains(_ context.Context, r network.Register, partial bool) ([]network.Change, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return network.Compare(m.register, r.Mains, partial), nil
}

func (m *memory) ImportMains(_ context.Context, r network.Register, v network.Version, _ string) (network.Version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.register = r.Mains
	v.N, v.ImportedAt, v.Mains, v.Utilities = int64(len(m.imported)+1), noon, len(r.Mains), r.Utilities()
	m.imported = append(m.imported, v)
	return v, nil
}

func (m *memory) Main(_ context.Context, _ casework.Utility, id string) (network.Main, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.register, func(other network.Main) bool { return other.ID == id })
	if i < 0 {
		return network.Main{}, missing("main")
	}
	return m.register[i], nil
}

func (m *memory) Mains(_ context.Context, f network.Filter) ([]network.Main, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.filter = f
	return m.register, "", nil
}

func (m *memory) NearestMains(_ context.Context, _ casework.Utility, p casework.Position, most int) ([]network.Near, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return network.Nearest(m.register, p, most), nil
}

func (m *memory) Committed(context.Context, casework.Utility, []string, string) (map[string]network.Commitment, error) {
	return m.pipes.committed, nil
}

func (m *memory) MainVersions(context.Context, casework.Page) ([]network.Version, string, error) {
	return m.imported, "", nil
}

func (m *memory) MainVersion(context.Context) (int64, error) { return int64(len(m.imported)), nil }

// aLead is a request before anybody applied.
func aLead() casework.Request {
	r := goodRequest()
	r.Lead, r.Project, r.ExternalNumber = true, "2026-340281-35-01-100001", "L-1"
	return r
}

// keepLead puts a waiting lead into the world.
func (w *world) keepLead(t testing.TB, number string, r casework.Request) {
	t.Helper()
	k := casework.NewCase(number, r, testTerms, casework.Actor{ID: "tf-01"}, noon.Add(-time.Hour))
	k.Enter(casework.PreService, noon.Add(-time.Hour))
	k.Need(casework.FollowUpLead, "", 1, noon, noon)
	w.keep(k)
}

func TestLeadIsTakenInAndShownAsOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plot := casework.Request{Utility: casework.Water, Channel: casework.IndustrialPark, Lead: true, ExternalNumber: "p1",
		Site: casework.Site{District: "340281", Plot: "WW-7", Address: "无为市城东"}}
	got := read[Acceptance](t, w.ask(t, asked{as: "taskforce", path: "/v1/connection-requests", body: plot}), 201)
	shown := read[caseView](t, w.ask(t, asked{as: "taskforce", path: "/v1/cases/" + got.Number}), 200)
	require.True(t, shown.Lead)
	require.Equal(t, []string{"applicant.name", "applicant.credit_code", "contact.name", "contact.phone"}, shown.ToApply)

	w.keepLead(t, "W9", aLead())
	shown = read[caseView](t, w.ask(t, asked{as: "taskforce", path: "/v1/cases/W9"}), 200)
	require.Equal(t, "意向待申请", shown.StageName)
	own := read[progressView](t, w.ask(t, asked{path: "/v1/public/progress?number=W9&code=" + w.ring.Code("W9")}), 200)
	require.True(t, own.Lead)
	require.Contains(t, own.Actions, "apply")

	yes := true
	read[page[caseLineView]](t, w.ask(t, asked{as: "taskforce", path: "/v1/cases?lead=true"}), 200)
	require.Equal(t, casework.CaseFilter{Lead: &yes, Page: casework.Page{Limit: 50}}, w.filter)
	refused(t, w.ask(t, asked{as: "taskforce", path: "/v1/cases?lead=maybe"}), 422, "invalid_input")
}

func TestCustomerAppliesWithTheCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := aLead()
	r.Contact = casework.Contact{}
	w.keepLead(t, "W9", r)
	path := "/v1/public/cases/W9/apply"
	refused(t, w.ask(t, asked{path: path, body: map[string]any{"code": "wrong"}}), 404, "number_or_code")
	code := w.ring.Code("W9")
	p := refused(t, w.ask(t, asked{path: path, body: map[string]any{"code": code}}), 422, "invalid_input")
	require.Equal(t, []string{"contact.name", "contact.phone"}, fields(p), "only what is missing is asked for")
	w.act(t, asked{path: path, body: map[string]any{"code": code, "contact": goodRequest().Contact}})
	k := w.cases["W9"]
	require.False(t, k.Request.Lead)
	require.Equal(t, &casework.Application{At: noon, By: "customer", Channel: casework.CompanySite}, k.Applied)

	// What the request said before is on record, masked for those who read it.
	events := read[page[casework.Event]](t, w.ask(t, asked{as: "auditor", path: "/v1/cases/W9/timeline"}), 200)
	i := slices.IndexFunc(events.Items, func(e casework.Event) bool { return e.Kind == casework.LeadApplied })
	require.NotContains(t, string(events.Items[i].Data), goodRequest().Contact.Phone)
	refused(t, w.ask(t, asked{path: path, body: map[string]any{"code": code}}), 409, "applied_before")
}

func TestApplicationOfALeadsProjectJoinsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keepLead(t, "W9", aLead())
	r := goodRequest()
	r.Project, r.Channel, r.ExternalNumber = "2026340281 35-01-100001", casework.ProjectApproval, "GG-1"
	got := read[Acceptance](t, w.ask(t, asked{as: "platform", path: "/v1/connection-requests", body: r}), 201)
	require.Equal(t, Acceptance{Number: "W9", Code: w.ring.Code("W9"), Status: accepted, Applied: true,
		ProgressURL: "https://water.example.cn/v1/public/progress?number=W9&code=" + w.ring.Code("W9")}, got)
	require.Equal(t, "GG-1", w.cases["W9"].Applied.ExternalNumber)
	require.Empty(t, w.receipts, "no case of its own")

	again := read[Acceptance](t, w.ask(t, asked{as: "platform", path: "/v1/connection-requests", body: r}), 200)
	require.Equal(t, acceptedBefore, again.Status)
	require.Equal(t, "W9", again.Number)

	// A second application of the project is a request of its own.
	r.ExternalNumber = "GG-2"
	other := read[Acceptance](t, w.ask(t, asked{as: "platform", path: "/v1/connection-requests", body: r}), 201)
	require.NotEqual(t, "W9", other.Number)
	require.False(t, other.Applied)
}

// What a dead process leaves between keeping an application and telling the lead
// is settled by the next.
func TestKeptApplicationsAreSettled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keepLead(t, "W9", aLead())
	r := goodRequest()
	r.Project, r.Channel, r.ExternalNumber = aLead().Project, casework.ProjectApproval, "GG-1"
	app, found, err := w.AcceptApplication(t.Context(), r, casework.Actor{ID: "platform", Roles: []casework.Role{casework.Platform}}, noon)
	require.NoError(t, err)
	require.True(t, found)
	w.down = casework.Refuse(casework.Unavailable, "try_again", casework.Say("忙", "busy"))
	_, err = settleApplication(t.Context(), w.memory, w.memory, app)
	require.ErrorIs(t, err, w.down)
	w.down = nil
	for range 2 { // a repeat in another run of the case is answered alike
		own, err := settleApplication(t.Context(), w.memory, w.memory, app)
		require.NoError(t, err)
		require.Nil(t, own)
		clear(w.done)
	}
	require.Equal(t, casework.ApplicationApplied, w.kept["project_approval/GG-1"].State)
}

func TestStaffAreShownPossibleLeadsAndJoinThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keepLead(t, "W9", aLead())
	r := goodRequest()
	got := read[Acceptance](t, w.ask(t, asked{as: "service_hall", path: "/v1/connection-requests", body: r}), 201)
	require.Equal(t, []casework.LeadMatch{{Number: "W9", Applicant: r.Applicant.Name, Party: true}}, got.PossibleLeads)
	leads := read[page[casework.LeadMatch]](t, w.ask(t, asked{as: "service_hall", path: "/v1/cases/" + got.Number + "/possible-leads"}), 200)
	require.Len(t, leads.Items, 1)

	w.act(t, asked{as: "service_hall", path: "/v1/cases/W9/apply", body: map[string]any{"case": got.Number}})
	require.False(t, w.cases["W9"].Request.Lead)
	require.Equal(t, casework.Withdrawing, w.cases[got.Number].Status)
	require.Equal(t, "并入意向案件 W9", w.cases[got.Number].Withdrawal)
	refused(t, w.ask(t, asked{as: "service_hall", path: "/v1/cases/W9/apply", body: map[string]any{"case": "W9"}}), 422, "invalid_input")
}

func TestVisitIsRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keepLead(t, "W9", aLead())
	w.act(t, asked{as: "taskforce", path: "/v1/cases/W9/visits", body: map[string]any{
		"visited_at": noon, "found": "已封顶", "next_step": "送方案", "next_on": "2026-12-08"}})
	require.Equal(t, "已封顶", w.cases["W9"].Visits[0].Found)
	p := refused(t, w.ask(t, asked{as: "taskforce", path: "/v1/cases/W9/visits", body: map[string]any{}}), 422, "invalid_input")
	require.Equal(t, []string{"visit.found", "visit.next_step", "visit.visited_at"}, fields(p))
}

func TestPlotsBecomeLeads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	csv := "地块编号,所属区县,地块位置,地块名称,规划用途,计划开工日期,经度,纬度,用能类型\n" +
		"P-1,鸠江区,万春中路北侧,一号地块,工业用地,2027年5月1日,118.3935,31.3725,水\n" +
		"P-2,火星区,某处,,,,,,\n" +
		"P-3,镜湖区,,,,,,,\n" +
		"P-1,鸠江区,万春中路南侧,,,,,,水\n" +
		"P-4,镜湖区,北京路,,,,31.37,118.39,\n"
	list := read[listAnswer](t, w.ask(t, asked{as: "taskforce", path: "/v1/plot-lists?name=2027", body: csv}), 200)
	outcomes := []string{}
	for _, r := range list.Rows {
		line := fmt.Sprintf("%d %s", r.Line, r.Outcome)
		for _, f := range r.Faults {
			line += " " + f.Field
		}
		outcomes = append(outcomes, line)
	}
	require.Equal(t, []string{"2 accepted_with_note", "3 kept 所属区县", "4 kept 地块位置", "5 kept 地块编号", "6 kept 经度"}, outcomes)
	k := w.cases[list.Rows[0].Cases[0].Number]
	require.True(t, k.Request.Lead)
	require.Equal(t, casework.Site{District: "340207", Address: "万春中路北侧", Plot: "P-1", Position: &casework.Position{Lon: 118.3935, Lat: 31.3725}}, k.Request.Site)
	require.Equal(t, "2027-05-01", k.Request.Demand.BuildFrom.String())
	require.Len(t, w.keptRows, 4)
	again := read[listAnswer](t, w.ask(t, asked{as: "taskforce", path: "/v1/plot-lists?name=2028", body: strings.Join(strings.SplitAfter(csv, "\n")[:2], "")}), 200)
	require.Equal(t, 1, again.Counts.AcceptedBefore, "a plot is opened once, in whichever list it comes")
	refused(t, w.ask(t, asked{as: "taskforce", path: "/v1/plot-lists?name=x", body: "地块,位置\n"}), 422, "bad_header")
}

const someMains = "id,utility,district,state,diameter,pressure,capacity,geometry\n" +
	"big,water,无为市,in_service,300,0.32,1000,117.900 31.300;117.910 31.300\n" +
	"small,water,无为市,in_service,100,0.15,50,117.900 31.3005;117.910 31.3005\n"

func TestRegisterIsImportedWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	post := func(query, body string) *registerImport {
		got := read[registerImport](t, w.ask(t, asked{as: "network", path: "/v1/network/imports?name=mains.csv" + query, body: body}), 200)
		return &got
	}
	dry := post("&dry_run=true", someMains)
	require.Nil(t, dry.Version)
	require.Equal(t, 2, dry.Added)
	require.Equal(t, mainChange{"water", "big", "added", "DN300 in_service 无为市"}, dry.Changes[0])
	require.Empty(t, w.register)
	p := refused(t, w.ask(t, asked{as: "network", path: "/v1/network/imports?name=x", body: someMains + "bad,water,无为市,in_service,7,0.3,1,117.9 31.3\n"}), 422, "bad_register")
	require.Equal(t, []string{"line 4.diameter", "line 4.geometry"}, fields(p))
	require.Empty(t, w.register)
	done := post("", someMains)
	require.Equal(t, int64(1), done.Version.N)
	require.Equal(t, "network", done.Version.ImportedBy)
	require.Len(t, w.register, 2)
	require.Equal(t, "mains_imported", w.audited[len(w.audited)-1].What)
	read[page[network.Main]](t, w.ask(t, asked{as: "tf-wuwei", path: "/v1/network/mains?utility=water"}), 200)
	require.Equal(t, network.Filter{Utility: casework.Water, Districts: []casework.District{"340281"}, Page: casework.Page{Limit: 50}}, w.filter)
	read[page[network.Version]](t, w.ask(t, asked{as: "auditor", path: "/v1/network/versions"}), 200)
}

func TestProposalAndWhatWasDecidedStayOnRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	path := "/v1/cases/W1/assessment-proposal"
	refused(t, w.ask(t, asked{as: "network", path: path}), 409, "position_missing")
	p := refused(t, w.ask(t, asked{as: "network", path: "/v1/cases/W1/position", body: map[string]any{"lon": 31.3, "lat": 117.9}}), 422, "invalid_input")
	require.Equal(t, []string{"position"}, fields(p))
	w.act(t, asked{as: "network", path: "/v1/cases/W1/position", body: map[string]any{"lon": 117.905, "lat": 31.301, "source": "现场"}})
	refused(t, w.ask(t, asked{as: "network", path: path}), 409, "register_empty")
	w.act(t, asked{as: "network", path: "/v1/network/imports?name=mains.csv", body: someMains})

	got := read[casework.Proposal](t, w.ask(t, asked{as: "network", path: path}), 200)
	require.Equal(t, casework.Adequate, got.Result)
	require.Equal(t, "big", got.Main)
	require.Equal(t, int64(1), got.Version)
	require.Equal(t, []string{"small", "big"}, []string{got.Mains[0].ID, got.Mains[1].ID}, "the nearest first, though it falls short")
	require.False(t, got.Mains[0].Suitable)
	require.InDelta(t, 111.2, got.Mains[1].Distance, 0.5)

	// What others were promised is not promised again.
	w.pipes.committed = map[string]network.Commitment{"big": {Volume: 850, Cases: 2}}
	got = read[casework.Proposal](t, w.ask(t, asked{as: "network", path: path}), 200)
	require.Equal(t, casework.UpgradeNeeded, got.Result)

	assess := func(main string) map[string]any {
		return map[string]any{"kind": "assess_network", "input": map[string]any{"result": "adequate", "main_diameter": 300, "pressure": 0.32, "main": main}}
	}
	p = refused(t, w.ask(t, asked{as: "network", path: "/v1/tasks/W1-T2/complete", body: assess("nowhere")}), 422, "invalid_input")
	require.Equal(t, []string{"main"}, fields(p))
	w.act(t, asked{as: "network", path: "/v1/tasks/W1-T2/complete", body: assess("big")})
	k := w.cases["W1"]
	require.Equal(t, casework.Adequate, k.Assessment.Result, "the person decides")
	require.Equal(t, "big", k.Assessment.Main)
	require.Equal(t, casework.UpgradeNeeded, k.Proposed.Result)
	require.Equal(t, int64(1), k.Proposed.Version)
	require.InDelta(t, 850, k.Proposed.Mains[1].Committed, 0)
}

// Without a register an assessment is what it was.
func TestAssessmentWithoutRegister(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	w.act(t, asked{as: "network", method: http.MethodPost, path: "/v1/tasks/W1-T2/complete",
		body: map[string]any{"input": map[string]any{"result": "adequate", "main_diameter": 300, "pressure": 0.32}}})
	require.Nil(t, w.cases["W1"].Proposed)
}
