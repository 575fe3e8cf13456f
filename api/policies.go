package api

import (
	"context"
	"net/http"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/policy"
)

// policyBytes bounds a policy file.
const policyBytes = 256 << 10

// publishers put a policy in force and move many cases to one; the taskforce
// office may look at what either would do, and move a single case.
var publishers = []casework.Role{casework.TaskforceLead, casework.Management}

func (a *API) registerPolicies() {
	read := forRoles(caseReaders...)
	handle(a, route{
		id: "list-policies", method: http.MethodGet, path: "/v1/policies", tag: "policies", access: read,
		summary: casework.Say("已发布的政策版本，现行的在前", "the published versions of the policy, the one in force first"),
	}, a.listPolicies)
	handle(a, route{
		id: "publish-policy", method: http.MethodPost, path: "/v1/policies", tag: "policies", access: forRoles(dispatchers...), bodyBytes: policyBytes,
		summary: casework.Say("发布政策文件（YAML），此后新案件适用；dry_run 只校验并对比现行版本", "publish a policy file (YAML) for new cases; dry_run only judges it and compares it with the version in force"),
	}, a.publishPolicy)
	handle(a, route{
		id: "get-policy", method: http.MethodGet, path: "/v1/policies/{version}", tag: "policies", access: read,
		summary: casework.Say("一个政策版本；current 为现行版本", "a version of the policy; current is the one in force"),
	}, a.getPolicy)
	handle(a, route{
		id: "diff-policy", method: http.MethodGet, path: "/v1/policies/{version}/diff", tag: "policies", access: read,
		summary: casework.Say("逐项对比两个版本", "two versions compared field by field"),
	}, a.diffPolicy)
	handle(a, route{
		id: "move-case", method: http.MethodPost, path: "/v1/cases/{number}/policy", tag: "policies", access: forRoles(dispatchers...), versioned: true,
		summary: casework.Say("案件改用另一政策版本；dry_run 只预览时限变化", "move a case to another version of the policy; dry_run only shows what would change"),
	}, a.moveCase)
	handle(a, route{
		id: "move-cases", method: http.MethodPost, path: "/v1/policy-moves", tag: "policies", access: forRoles(dispatchers...),
		summary: casework.Say("按条件批量改用另一政策版本，逐案给出结果；dry_run 只预览", "move running cases by a filter, with an outcome for each; dry_run only shows what would change"),
	}, a.moveCases)
}

type policyLine struct {
	casework.PublishedPolicy
	InForce bool `json:"in_force" doc:"现行，新案件适用 serves new cases"`
}

func (a *API) listPolicies(ctx context.Context, _ *struct{}) (*reply[page[policyLine]], error) {
	published, err := a.store.Policies(ctx)
	if err != nil {
		return nil, err
	}
	lines := make([]policyLine, len(published))
	for i, p := range published {
		lines[i] = policyLine{p, i == 0}
	}
	return answer(page[policyLine]{Items: lines}, nil)
}

// PolicyAddress is the part of an address that names a version; exported like
// [CaseAddress].
type PolicyAddress struct {
	Version string `path:"version" maxLength:"40" doc:"政策版本，或 current version of the policy, or current"`
}

// version gives a published version by its name.
func (a *API) version(ctx context.Context, name string) (policy.Policy, error) {
	if name == policy.Current {
		return a.policies.Current(ctx)
	}
	return a.policies.Version(ctx, name)
}

type policyView struct {
	policyLine
	Fields []policy.Field `json:"fields" doc:"逐项内容 what it says, field by field"`
	Terms  casework.Terms `json:"terms" doc:"案件适用的条款 what a case takes from it"`
	YAML   string         `json:"yaml" doc:"原文 the file"`
}

func (a *API) getPolicy(ctx context.Context, in *PolicyAddress) (*reply[policyView], error) {
	p, err := a.version(ctx, in.Version)
	if err != nil {
		return nil, err
	}
	published, err := a.store.Policy(ctx, p.Version)
	if err != nil {
		return nil, err
	}
	newest, err := a.store.CurrentPolicy(ctx)
	return answer(policyView{policyLine{published, newest.Version == p.Version}, p.Fields(), p.Terms(), p.Text()}, err)
}

type policyDiff struct {
	From    string               `json:"from"`
	To      string               `json:"to"`
	Changes []policy.FieldChange `json:"changes"`
}

func (a *API) diffPolicy(ctx context.Context, in *struct {
	PolicyAddress
	From string `query:"from" maxLength:"40" default:"current" doc:"与哪个版本比较 the version to compare with"`
}) (*reply[policyDiff], error) {
	to, err := a.version(ctx, in.Version)
	if err != nil {
		return nil, err
	}
	from, err := a.version(ctx, in.From)
	return answer(policyDiff{from.Version, to.Version, policy.Diff(from, to)}, err)
}

type publication struct {
	DryRun  bool   `query:"dry_run" doc:"只校验和对比，不发布 judge and compare, publish nothing"`
	RawBody []byte `contentType:"application/yaml" required:"true"`
}

type publicationView struct {
	policyDiff
	Published bool `json:"published" doc:"本次已发布；预览或同一内容已发布过则为否 published by this call; not by a preview, nor where the same text was before"`
}

func (a *API) publishPolicy(ctx context.Context, in *publication) (*reply[publicationView], error) {
	if err := a.mayPublish(ctx, in.DryRun); err != nil {
		return nil, err
	}
	p, err := policy.Parse(in.RawBody)
	if err != nil {
		return nil, err
	}
	now, err := a.policies.Current(ctx)
	if err != nil {
		return nil, err
	}
	out := publicationView{policyDiff: policyDiff{now.Version, p.Version, policy.Diff(now, p)}}
	if in.DryRun {
		return answer(out, nil)
	}
	out.Published, err = a.store.PublishPolicy(ctx, casework.PublishedPolicy{
		Version: p.Version, Name: p.Name, Text: p.Text(), PublishedBy: actorOf(ctx).ID,
	})
	if err == nil && out.Published {
		err = a.audit(ctx, "policy_published", p.Version, nil)
	}
	return answer(out, err)
}

// mayPublish lets those who may only look do so.
func (a *API) mayPublish(ctx context.Context, dryRun bool) error {
	if dryRun {
		return nil
	}
	return forRoles(publishers...).check(actorOf(ctx))
}

// PolicyMove is what a move asks for; exported like [CaseAddress].
type PolicyMove struct {
	To     string `json:"to" required:"true" minLength:"1" maxLength:"40" doc:"改用的政策版本，或 current the version to move to, or current"`
	Reason string `json:"reason,omitempty" doc:"原因；预览可不填 why; may be left out of a preview"`
}

// action is the move as the cases take it.
func (a *API) action(ctx context.Context, m PolicyMove, dryRun bool) (casework.MovePolicy, error) {
	if dryRun && m.Reason == "" {
		m.Reason = "预览 preview"
	}
	to, err := a.version(ctx, m.To)
	return casework.MovePolicy{By: by(ctx), Terms: to.Terms(), Reason: m.Reason}, err
}

func (a *API) moves() PolicyMoves { return PolicyMoves{Store: a.store, Desk: a.desk, Now: a.now} }

func (a *API) moveCase(ctx context.Context, in *struct {
	CaseAddress
	DryRun bool `query:"dry_run" doc:"只预览 only show what would change"`
	Body   PolicyMove
}) (*reply[MoveOutcome], error) {
	if _, err := a.readable(ctx, in.Number); err != nil {
		return nil, err
	}
	move, err := a.action(ctx, in.Body, in.DryRun)
	if err != nil {
		return nil, err
	}
	return answer(a.moves().One(ctx, in.Number, move, !in.DryRun, callOf(ctx).updateID))
}

type movesInput struct {
	DryRun bool `query:"dry_run" doc:"只预览 only show what would change"`
	Paging
	Body struct {
		PolicyMove
		From     string              `json:"from,omitempty" maxLength:"40" doc:"现适用的版本 the version that they have now"`
		Kind     casework.CaseKind   `json:"kind,omitempty"`
		Stage    casework.Stage      `json:"stage,omitempty"`
		District []casework.District `json:"district,omitempty" maxItems:"20" doc:"区县代码 district codes"`
	}
}

type movesReply struct {
	Status int
	Body   struct {
		Items      []MoveOutcome `json:"items"`
		Moved      int           `json:"moved"`
		Refused    int           `json:"refused"`
		NextCursor string        `json:"next_cursor,omitempty" doc:"下一批游标，没有即完成 cursor of the next page; absent at the end"`
	}
}

// moveCases answers 207 where some of the cases were refused. Each has a key of
// its own, so that sending the same again moves what is left.
func (a *API) moveCases(ctx context.Context, in *movesInput) (*movesReply, error) {
	if err := a.mayPublish(ctx, in.DryRun); err != nil {
		return nil, err
	}
	districts, err := within(actorOf(ctx), in.Body.District)
	if err != nil {
		return nil, err
	}
	move, err := a.action(ctx, in.Body.PolicyMove, in.DryRun)
	if err != nil {
		return nil, err
	}
	if !in.DryRun {
		if err := move.Reasoned(); err != nil {
			return nil, err
		}
		if err := a.audit(ctx, "cases_moved", move.Terms.PolicyVersion, in.Body); err != nil {
			return nil, err
		}
	}
	f := casework.CaseFilter{Kind: in.Body.Kind, Stage: in.Body.Stage, Districts: districts, Policy: in.Body.From, Page: in.page()}
	items, next, err := a.moves().Some(ctx, f, move, !in.DryRun, callOf(ctx).updateID)
	if err != nil {
		return nil, err
	}
	out := &movesReply{Status: http.StatusOK}
	out.Body.Items, out.Body.NextCursor = items, next
	for _, item := range items {
		switch {
		case item.Problem != nil:
			out.Body.Refused++
			out.Status = http.StatusMultiStatus
		case item.Done != nil:
			out.Body.Moved++
		}
	}
	return out, nil
}
