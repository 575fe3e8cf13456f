package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/network"
)

// NetworkStore keeps the register of mains.
type NetworkStore interface {
	// CompareMains lists what an import would change, ImportMains does it, whole
	// or not at all; the key makes a repeated call give the first one's version.
	CompareMains(ctx context.Context, r network.Register, partial bool) ([]network.Change, error)
	ImportMains(ctx context.Context, r network.Register, v network.Version, key string) (network.Version, error)
	Main(ctx context.Context, u casework.Utility, id string) (network.Main, error)
	Mains(ctx context.Context, f network.Filter) ([]network.Main, string, error)
	NearestMains(ctx context.Context, u casework.Utility, p casework.Position, most int) ([]network.Near, error)
	// Committed tells what cases other than one have been promised of mains.
	Committed(ctx context.Context, u casework.Utility, mains []string, except string) (map[string]network.Commitment, error)
	MainVersions(ctx context.Context, p casework.Page) ([]network.Version, string, error)
	// MainVersion is the number of the newest version, 0 before the first.
	MainVersion(ctx context.Context) (int64, error)
}

// proposedMains is how many mains a proposal shows.
const proposedMains = 5

// registerBytes bounds a register that is handed in: some hundred thousand mains.
const registerBytes = 128 << 20

func (a *API) registerNetwork() {
	readers := forRoles(caseReaders...)
	handle(a, route{
		id: "import-mains", method: http.MethodPost, path: "/v1/network/imports", tag: "network",
		access: forRoles(casework.Network, casework.TaskforceOffice), bodyBytes: registerBytes,
		summary: casework.Say("导入管网登记（CSV 或 GeoJSON）；有误则整份不导入；dry_run 只列出变化",
			"import the register of mains (CSV or GeoJSON), whole or not at all; dry_run only lists what would change"),
		reads: true, body: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"text/csv":             {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
			"application/geo+json": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		}},
	}, a.importMains)
	handle(a, route{
		id: "main-versions", method: http.MethodGet, path: "/v1/network/versions", tag: "network", access: readers,
		summary: casework.Say("管网登记的历次导入", "the imports of the register, the newest first"),
	}, func(ctx context.Context, in *Paging) (*reply[page[network.Version]], error) {
		versions, next, err := a.store.MainVersions(ctx, in.page())
		return answer(page[network.Version]{versions, next}, err)
	})
	handle(a, route{
		id: "list-mains", method: http.MethodGet, path: "/v1/network/mains", tag: "network", access: readers,
		summary: casework.Say("管线（限本人服务区域）", "mains, of one's own districts"),
	}, a.mains)
	handle(a, route{
		id: "assessment-proposal", method: http.MethodGet, path: "/v1/cases/{number}/assessment-proposal", tag: "network", access: readers,
		summary: casework.Say("管网评估建议：附近管线及是否满足；由评估人决定", "what the register proposes to the assessment: mains nearby and whether they suffice; a person decides"),
	}, a.assessmentProposal)
	handle(a, route{
		id: "locate-site", method: http.MethodPost, path: "/v1/cases/{number}/position", tag: "network", versioned: true,
		access:  forRoles(casework.Network, casework.Taskforce, casework.TaskforceOffice, casework.ServiceHall),
		summary: casework.Say("标注用能位置", "say where the supply is wanted"),
	}, func(ctx context.Context, in *placing) (*doneReply, error) {
		return a.do(ctx, in.Number, casework.LocateSite{By: by(ctx), Position: in.Body.Position, Source: in.Body.Source})
	})
}

type placing struct {
	CaseAddress
	Body struct {
		casework.Position
		Source string `json:"source,omitempty" doc:"如何得到，如现场定位 how it was found"`
	}
}

type registerUpload struct {
	Name    string `query:"name" required:"true" minLength:"1" maxLength:"100" doc:"文件名 name of the file"`
	DryRun  bool   `query:"dry_run" doc:"只列出变化，不导入 only list what would change"`
	Partial bool   `query:"partial" doc:"文件只含部分管线：不在文件中的管线不变 the file has some mains only: those that it does not name stay"`

	body io.Reader
}

// Resolve takes the body as it comes: it is no JSON of ours.
func (in *registerUpload) Resolve(ctx huma.Context) []error {
	in.body = humagin.Unwrap(ctx).Request.Body
	return nil
}

// registerImport is what became of an import, or would.
type registerImport struct {
	Version *network.Version `json:"version,omitempty" doc:"试运行时没有 absent in a dry run"`
	Added   int              `json:"added"`
	Changed int              `json:"changed"`
	Removed int              `json:"removed"`
	Notes   []casework.Text  `json:"notes"`
	Changes []mainChange     `json:"changes" doc:"前 1000 项变化 the first thousand changes"`
}

type mainChange struct {
	Utility casework.Utility `json:"utility"`
	ID      string           `json:"id"`
	Change  string           `json:"change" enum:"added,changed,removed"`
	What    string           `json:"what"`
}

// maxChanges bounds the changes that an answer names.
const maxChanges = 1000

func (a *API) importMains(ctx context.Context, in *registerUpload) (*reply[registerImport], error) {
	file, err := io.ReadAll(in.body)
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return nil, casework.Refuse(casework.TooLarge, "body_too_large", casework.Sayf("文件过大，最多 %d MB", "the file is too large: at most %d MB", registerBytes>>20))
		}
		return nil, casework.Refuse(malformed, "body_broken", casework.Say("文件没有完整收到，请重新发送", "the file did not arrive whole; send it again"))
	}
	if err := a.bindKey(ctx); err != nil {
		return nil, err
	}
	register, err := network.Read(file)
	if err != nil {
		return nil, err
	}
	changes, err := a.store.CompareMains(ctx, register, in.Partial)
	if err != nil {
		return nil, err
	}
	out := registerImport{Notes: register.Notes}
	for _, c := range changes {
		switch c.Kind() {
		case "added":
			out.Added++
		case "removed":
			out.Removed++
		default:
			out.Changed++
		}
		if m := c.Main(); len(out.Changes) < maxChanges {
			out.Changes = append(out.Changes, mainChange{m.Utility, m.ID, c.Kind(), c.What()})
		}
	}
	if in.DryRun {
		return answer(out, nil)
	}
	if err := a.audit(ctx, "mains_imported", in.Name, nil); err != nil {
		return nil, err
	}
	v, err := a.store.ImportMains(ctx, register, VersionOf(file, in.Name, actorOf(ctx).ID, in.Partial), callOf(ctx).updateID)
	out.Version, out.Added, out.Changed, out.Removed = &v, v.Added, v.Changed, v.Removed
	return answer(out, err)
}

// VersionOf says of an import who brought which file.
func VersionOf(file []byte, name, by string, partial bool) network.Version {
	sum := sha256.Sum256(file)
	return network.Version{ImportedBy: by, File: name, SHA256: hex.EncodeToString(sum[:]), Partial: partial}
}

type mainQuery struct {
	Utility  casework.Utility `query:"utility"`
	State    network.State    `query:"state" enum:"in_service,planned,abandoned"`
	District []string         `query:"district" maxItems:"20" doc:"区县代码，逗号分隔 district codes, separated by commas"`
	Paging
}

func (a *API) mains(ctx context.Context, in *mainQuery) (*reply[page[network.Main]], error) {
	districts, err := within(actorOf(ctx), districtsOf(in.District))
	if err != nil {
		return nil, err
	}
	mains, next, err := a.store.Mains(ctx, network.Filter{Utility: in.Utility, State: in.State, Districts: districts, Page: in.page()})
	return answer(page[network.Main]{mains, next}, err)
}

func (a *API) assessmentProposal(ctx context.Context, in *CaseAddress) (*reply[casework.Proposal], error) {
	k, err := a.readable(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	p, err := a.proposal(ctx, k)
	if err != nil {
		return nil, err
	}
	return answer(*p, nil)
}

// proposal asks the register what it proposes for a case as it stands.
func (a *API) proposal(ctx context.Context, k *casework.Case) (*casework.Proposal, error) {
	site := k.Request.Site.Position
	if site == nil {
		return nil, casework.Refuse(casework.Conflict, "position_missing", casework.Say(
			"案件没有坐标：请先标注用能位置（POST /v1/cases/{number}/position）", "the case has no position; say where it is first (POST /v1/cases/{number}/position)"))
	}
	terms := k.Terms.Network
	if terms == (casework.NetworkTerms{}) { // the case is older than these terms
		current, err := a.policies.Terms(ctx)
		if err != nil {
			return nil, err
		}
		terms = current.Network
	}
	version, err := a.store.MainVersion(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case version == 0:
		return nil, casework.Refuse(casework.Conflict, "register_empty", casework.Say("尚未导入管网登记", "no register of mains was imported yet"))
	case terms == (casework.NetworkTerms{}):
		return nil, casework.Refuse(casework.Conflict, "no_network_terms", casework.Say("政策未规定接入条件（network）", "the policy does not say what a main must give (network)"))
	}
	near, err := a.store.NearestMains(ctx, k.Request.Utility, *site, proposedMains)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(near))
	for i, n := range near {
		ids[i] = n.ID
	}
	committed, err := a.store.Committed(ctx, k.Request.Utility, ids, k.Number)
	if err != nil {
		return nil, err
	}
	mains := make([]casework.ProposedMain, len(near))
	for i, n := range near {
		mains[i] = n.Proposed(committed[n.ID])
	}
	p := casework.ProposeConnection(k.Request.Utility, k.Request.Demand, terms, mains)
	p.Site, p.Version, p.At = *site, version, a.now()
	return &p, nil
}

// assessed gives what the register proposes to an assessment that is being
// entered, so that both stay on record; nil where it proposes nothing, or where
// the task is of another kind. A main that was chosen must be in the register.
func (a *API) assessed(ctx context.Context, task string, input json.RawMessage) (*casework.Proposal, error) {
	line, err := a.store.Task(ctx, task)
	unknown := err != nil && casework.AsFault(err).Kind == casework.NotFound
	if err != nil && !unknown {
		return nil, err
	}
	if unknown || line.Kind != casework.AssessNetwork || line.State != casework.TaskOpen {
		return nil, nil // the case says what is wrong with the task
	}
	k, err := a.store.Case(ctx, line.Case)
	if err != nil {
		return nil, err
	}
	var in struct {
		Main string `json:"main"`
	}
	_ = json.Unmarshal(input, &in) // what can't be read at all is refused by the case, field by field
	if in.Main = strings.TrimSpace(in.Main); in.Main != "" {
		m, err := a.store.Main(ctx, k.Request.Utility, in.Main)
		var c casework.Check
		switch {
		case err != nil && casework.AsFault(err).Kind == casework.NotFound:
			c.Field("main", casework.Say("管网登记中没有这条管线", "there is no such main in the register"))
		case err != nil:
			return nil, err
		default:
			c.Require(m.State != network.Abandoned, "main", casework.Say("该管线已废弃", "this main is abandoned"))
		}
		if err := c.Err(); err != nil {
			return nil, err
		}
	}
	p, err := a.proposal(ctx, k)
	if f := casework.AsFault(err); err != nil && f.Kind == casework.Conflict {
		return nil, nil // nothing to propose from
	}
	if err == nil && in.Main != "" && !named(p, in.Main) {
		p, err = a.proposalWith(ctx, k, p, in.Main)
	}
	return p, err
}

func named(p *casework.Proposal, id string) bool {
	for _, m := range p.Mains {
		if m.ID == id {
			return true
		}
	}
	return false
}

// proposalWith adds to what is on record a main that was chosen though nearer
// ones were proposed, with what is committed of it.
func (a *API) proposalWith(ctx context.Context, k *casework.Case, p *casework.Proposal, id string) (*casework.Proposal, error) {
	m, err := a.store.Main(ctx, k.Request.Utility, id)
	if err != nil {
		return nil, err
	}
	committed, err := a.store.Committed(ctx, k.Request.Utility, []string{id}, k.Number)
	if err != nil {
		return nil, err
	}
	chosen := network.Near{Main: m, Metres: math.Round(m.Distance(p.Site)*10) / 10}
	p.Mains = append(p.Mains, chosen.Proposed(committed[id]))
	return p, nil
}
