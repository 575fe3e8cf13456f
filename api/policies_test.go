package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/policy"
)

// next is the default policy as version 2027, with another limit.
func next() string {
	return strings.NewReplacer(policy.Default().Version, "wuhu-2027.1", "contact_customer: 1 working_day", "contact_customer: 3 working_days").Replace(policy.Default().Text())
}

func yaml(as, query, text string) asked {
	return asked{as: as, method: http.MethodPost, path: "/v1/policies" + query, body: text, headers: map[string]string{"Content-Type": "application/yaml"}}
}

var changes = []policy.FieldChange{
	{Path: "version", Title: "版本", From: policy.Default().Version, To: "wuhu-2027.1"},
	{Path: "limits.contact_customer", Title: "联系客户", From: "1 working_day", To: "3 working_days"},
}

func TestPublishingAPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := policy.Default().Version

	// The office looks; only the lead and the management publish.
	preview := read[publicationView](t, w.ask(t, yaml("taskforce_office", "?dry_run=true", next())), 200)
	require.Equal(t, publicationView{policyDiff: policyDiff{old, "wuhu-2027.1", changes}}, preview)
	refused(t, w.ask(t, yaml("taskforce_office", "", next())), 403, "wrong_role")
	require.Len(t, w.policies, 1)

	p := refused(t, w.ask(t, yaml("taskforce_lead", "", strings.Replace(next(), "to: management", "to: taskforce_office", 1))), 422, "invalid_input")
	require.Equal(t, []string{"ladder[3].to"}, fields(p))
	require.Contains(t, p.Errors[0].ZH, "兜圈：taskforce_office → taskforce_lead → taskforce_office")
	refused(t, w.ask(t, yaml("taskforce_lead", "", strings.Replace(policy.Default().Text(), "lane_101: 1", "lane_101: 2", 1))), 409, "policy_exists")
	refused(t, w.ask(t, yaml("taskforce_lead", "", "# "+strings.Repeat("长", policyBytes/3))), 413, "body_too_large")
	require.Len(t, w.policies, 1, "a refusal changes nothing")

	published := read[publicationView](t, w.ask(t, yaml("taskforce_lead", "", next())), 200)
	require.Equal(t, publicationView{policyDiff: policyDiff{old, "wuhu-2027.1", changes}, Published: true}, published)
	again := read[publicationView](t, w.ask(t, yaml("management", "", next())), 200)
	require.False(t, again.Published)
	require.Equal(t, "taskforce_lead", w.policies[1].PublishedBy)
	require.Equal(t, []string{"policy_published wuhu-2027.1 taskforce_lead"}, w.trail())

	list := read[page[policyLine]](t, w.ask(t, asked{as: "auditor", path: "/v1/policies"}), 200)
	require.Equal(t, []string{"wuhu-2027.1", old}, []string{list.Items[0].Version, list.Items[1].Version})
	require.Equal(t, []bool{true, false}, []bool{list.Items[0].InForce, list.Items[1].InForce})
	current := read[map[string]any](t, w.ask(t, asked{as: "service_hall", path: "/v1/policies/current"}), 200)
	require.Equal(t, "wuhu-2027.1", current["version"])
	require.Equal(t, next(), current["yaml"])
	require.Equal(t, true, current["in_force"])
	first := read[map[string]any](t, w.ask(t, asked{as: "service_hall", path: "/v1/policies/" + old}), 200)
	require.Equal(t, false, first["in_force"])
	there := read[policyDiff](t, w.ask(t, asked{as: "auditor", path: "/v1/policies/current/diff?from=" + old}), 200)
	require.Equal(t, policyDiff{old, "wuhu-2027.1", changes}, there)
	same := read[policyDiff](t, w.ask(t, asked{as: "auditor", path: "/v1/policies/current/diff"}), 200)
	require.Empty(t, same.Changes)
	refused(t, w.ask(t, asked{as: "auditor", path: "/v1/policies/none"}), 404, "policy_not_found")
	refused(t, w.ask(t, asked{as: "auditor", path: "/v1/policies/current/diff?from=none"}), 404, "policy_not_found")
}

// trail is who did what, as it was audited.
func (m *memory) trail() []string {
	var out []string
	for _, e := range m.audited {
		out = append(out, e.What+" "+e.Target+" "+e.Actor)
	}
	return out
}

func TestMovingACase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	w.policies = append(w.policies, casework.PublishedPolicy{Version: "wuhu-2027.1", Text: next()})
	before := w.state("W1")
	preview := read[MoveOutcome](t, w.ask(t, asked{as: "taskforce_office", path: "/v1/cases/W1/policy?dry_run=true", body: object{"to": "current"}}), 200)
	require.Equal(t, []string{"test", "wuhu-2027.1"}, []string{preview.From, preview.To})
	require.Len(t, preview.Moves, 2, "one limit is longer, and one is new")
	require.Equal(t, casework.LimitName("contact_customer"), preview.Moves[0].Limit)
	require.Equal(t, "2026-12-01 11:00", casework.Clock(preview.Moves[0].From.At))
	require.Equal(t, "2026-12-04 17:30", casework.Clock(preview.Moves[0].To.At))
	require.Nil(t, preview.Done)
	require.Equal(t, before, w.state("W1"))

	move := object{"to": "wuhu-2027.1", "reason": "新办法施行"}
	refused(t, w.ask(t, asked{as: "taskforce_office", path: "/v1/cases/W1/policy", body: object{"to": "current"}}), 422, "invalid_input")
	refused(t, w.ask(t, asked{as: "taskforce_office", path: "/v1/cases/W1/policy", body: object{"to": "none", "reason": "x"}}), 404, "policy_not_found")
	refused(t, w.ask(t, asked{as: "taskforce_office", path: "/v1/cases/W1/policy", body: move, headers: map[string]string{"If-Match": "1"}}), 409, "stale_version")
	require.Equal(t, before, w.state("W1"))
	q := asked{as: "taskforce_office", path: "/v1/cases/W1/policy", body: move, headers: map[string]string{"Idempotency-Key": "move-once"}}
	first := read[MoveOutcome](t, w.ask(t, q), 200)
	require.NotNil(t, first.Done)
	again := read[MoveOutcome](t, w.ask(t, q), 200)
	require.Equal(t, first.Done, again.Done, "the same key gives the first answer")
	require.Equal(t, "wuhu-2027.1", w.cases["W1"].Terms.PolicyVersion)
	refused(t, w.ask(t, asked{as: "taskforce_office", path: "/v1/cases/W1/policy", body: move}), 409, "same_policy")
}

// The preview shows the open upgrade beside its case, for it moves with it; in a
// page that holds both, the one that came along is passed over.
func TestTheUpgradeIsShownWithItsCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.open(t, "W1")
	k.Assessment = &casework.AssessmentInput{Result: casework.UpgradeNeeded}
	k.StartUpgrade(noon)
	w.keep(k)
	u := casework.NewUpgrade("W1-U1", k, noon)
	u.BeginUpgrade(noon)
	u.Need(casework.DesignUpgrade, "", 1, noon, noon)
	w.keep(u)
	w.policies = append(w.policies, casework.PublishedPolicy{Version: "wuhu-2027.1", Text: next()})
	move := object{"to": "wuhu-2027.1", "reason": "新办法施行"}
	shown := read[MoveOutcome](t, w.ask(t, asked{as: "taskforce_office", path: "/v1/cases/W1/policy?dry_run=true", body: move,
		headers: map[string]string{"If-Match": fmt.Sprint(k.Version)}}), 200)
	require.Equal(t, []string{"W1", "W1-U1", "test", "wuhu-2027.1"}, []string{shown.Case, shown.Upgrade.Case, shown.Upgrade.From, shown.Upgrade.To})
	require.Equal(t, "test", w.cases["W1-U1"].Terms.PolicyVersion)
	done := read[MoveOutcome](t, w.ask(t, asked{as: "taskforce_office", path: "/v1/cases/W1/policy", body: move}), 200)
	require.Equal(t, "W1-U1", done.Upgrade.Case)
	follows, _, ok := w.cases["W1"].UpgradeFollows()
	require.True(t, ok)
	require.Equal(t, "wuhu-2027.1", follows.Terms.PolicyVersion)
	require.Equal(t, []string{"taskforce_office", "新办法施行"}, []string{follows.Actor.ID, follows.Reason})
}

func TestMovingManyCases(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, number := range []string{"W1", "W2", "W3", "W4"} {
		w.open(t, number)
	}
	w.policies = append(w.policies, casework.PublishedPolicy{Version: "wuhu-2027.1", Text: next()})
	w.cases["W3"].Terms.PolicyVersion = "wuhu-2027.1"
	w.cases["W4"].End(casework.Closed, noon) // between the list and the move
	before := w.state("W1")

	type moves struct {
		Items          []MoveOutcome
		Moved, Refused int
	}
	preview := read[moves](t, w.ask(t, asked{as: "taskforce_office", path: "/v1/policy-moves?dry_run=true&limit=10",
		body: object{"to": "current", "from": "test", "stage": "pre_service", "district": []string{"340281"}}}), 207)
	require.Len(t, preview.Items, 3, "who has it already is passed over")
	require.Equal(t, []int{0, 1}, []int{preview.Moved, preview.Refused})
	require.Equal(t, before, w.state("W1"))
	require.Empty(t, w.trail())
	require.Equal(t, casework.CaseFilter{Stage: casework.PreService, Districts: []casework.District{"340281"}, Policy: "test", Running: true,
		Page: casework.Page{Limit: 10}}, w.filter)

	refused(t, w.ask(t, asked{as: "taskforce_office", path: "/v1/policy-moves", body: object{"to": "current", "reason": "x"}}), 403, "wrong_role")
	refused(t, w.ask(t, asked{as: "taskforce_lead", path: "/v1/policy-moves", body: object{"to": "current"}}), 422, "invalid_input")
	require.Empty(t, w.trail())
	done := read[moves](t, w.ask(t, asked{as: "taskforce_lead", path: "/v1/policy-moves", body: object{"to": "current", "reason": "新办法施行"}}), 207)
	require.Equal(t, []int{2, 1}, []int{done.Moved, done.Refused})
	for _, item := range done.Items {
		if item.Case == "W4" {
			require.Equal(t, "case_ended", item.Problem.Code)
		} else {
			require.NotNil(t, item.Done)
		}
	}
	require.Equal(t, "wuhu-2027.1", w.cases["W2"].Terms.PolicyVersion)
	require.Equal(t, []string{"cases_moved wuhu-2027.1 taskforce_lead"}, w.trail())
}

// A task shows its own case's checklist, the kind that of the policy in force.
func TestChecklistIsShownAndTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.open(t, "W1")
	k.Terms.Checklists = map[casework.TaskKind][]string{casework.ContactCustomer: {"已核对电话"}}
	w.keep(k)
	shown := read[taskView](t, w.ask(t, asked{as: "taskforce", path: "/v1/tasks/W1-T1"}), 200)
	require.Equal(t, []string{"已核对电话"}, shown.Checklist)
	whole := read[caseView](t, w.ask(t, asked{as: "taskforce", path: "/v1/cases/W1"}), 200)
	require.Equal(t, []string{"已核对电话"}, whole.Tasks[0].Checklist)
	kind := read[map[string]any](t, w.ask(t, asked{as: "auditor", path: "/v1/task-kinds/accept_meter"}), 200)
	require.Equal(t, []any{"表位正确", "接口无渗漏", "封号完好", "起码一致"}, kind["checklist"])

	input := object{"by": "phone"}
	p := refused(t, w.ask(t, asked{as: "taskforce", path: "/v1/tasks/W1-T1/complete", body: object{"input": input}}), 422, "invalid_input")
	require.Equal(t, []string{"checked"}, fields(p))
	w.act(t, asked{as: "taskforce", path: "/v1/tasks/W1-T1/complete", body: object{"input": input, "checked": []string{"已核对电话"}}})
}
