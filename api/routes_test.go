package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// address fills in an operation's path.
func address(path string) string {
	return strings.NewReplacer("{number}", "W1", "{id}", "W1-T1", "{kind}", "callback", "{name}", "x",
		"{deadline}", "lane", "{version}", "current", "{rung}", "breach", "{delivery}", "1", "{report}", "1", "{month}", "2026-11", "{account}", "0000000001").Replace(path)
}

// Every operation that is not declared public asks who is calling, then
// whether their role may. Both come before the input is looked at.
func TestEveryOperationIsGuarded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.api.routes()
	require.Greater(t, len(all), 40)
	served := 0
	for _, r := range w.api.engine.Routes() {
		if strings.HasPrefix(r.Path, "/v1/") || r.Path == codecPath {
			served++
		}
	}
	described := slices.DeleteFunc(slices.Clone(all), func(r route) bool { return r.path == "/healthz" || r.path == "/readyz" })
	require.Len(t, described, served, "an address is served that is no operation")

	for _, r := range all {
		t.Run(r.id, func(t *testing.T) {
			t.Parallel()
			if r.access.public {
				require.True(t, r.tag == "health" || r.tag == "customers" || r.id == "log-in" || strings.HasPrefix(r.id, "platform-message"), "%s is public", r.id)
				return
			}
			refused(t, w.ask(t, asked{method: r.method, path: address(r.path)}), 401, "not_logged_in")
			for _, role := range casework.Roles() {
				if !slices.Contains(r.access.roles, role) {
					refused(t, w.ask(t, asked{as: string(role), method: r.method, path: address(r.path)}), 403, "wrong_role")
				}
			}
			if r.keyed() {
				rec := w.ask(t, asked{as: string(r.access.roles[0]), method: r.method, path: address(r.path), headers: map[string]string{"Idempotency-Key": ""}})
				refused(t, rec, 400, "idempotency_key")
			}
		})
	}
}

func TestOnlyReadersReadCases(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	for _, r := range w.api.routes() {
		// Attaching shows nothing of a case: it is open to whoever must prove a rectification.
		if r.tag != "cases" && r.tag != "documents" || r.id == "attach-document" {
			continue
		}
		for _, role := range []casework.Role{casework.Production, casework.Quality, casework.Customer, casework.Platform} {
			require.NotContains(t, r.access.roles, role, r.id)
		}
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.ask(t, asked{path: "/openapi.json"})
	document := read[struct {
		OpenAPI    string                               `json:"openapi"`
		Paths      map[string]map[string]map[string]any `json:"paths"`
		Components struct {
			Schemas map[string]*struct {
				Properties map[string]any `json:"properties"`
				Required   []string       `json:"required"`
			} `json:"schemas"`
		} `json:"components"`
	}](t, rec, 200)
	require.Equal(t, "3.1.0", document.OpenAPI)
	ids := map[string]bool{}
	for path, item := range document.Paths {
		for method, op := range item {
			require.NotEmpty(t, op["summary"], "%s %s", method, path)
			require.NotEmpty(t, op["tags"], "%s %s", method, path)
			require.Contains(t, op, "security", "%s %s", method, path)
			require.Contains(t, op, "x-public", "%s %s", method, path)
			id, _ := op["operationId"].(string)
			raw, _ := json.Marshal(op["parameters"])
			for _, name := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
				require.Contains(t, string(raw), `"in":"path","name":"`+name[1]+`"`, "%s %s: the parameter is not read", method, path)
			}
			require.False(t, ids[id], id)
			ids[id] = true
			if op["x-public"] == false {
				require.NotEmpty(t, op["x-roles"], id)
			}
		}
	}
	for _, s := range casework.Specs() {
		kind := read[struct {
			Schema map[string]any `json:"schema"`
		}](t, w.ask(t, asked{as: "auditor", path: "/v1/task-kinds/" + string(s.Kind)}), 200)
		require.Equal(t, "object", kind.Schema["type"], s.Kind)
		raw, err := json.Marshal(kind.Schema)
		require.NoError(t, err)
		require.NotContains(t, string(raw), "#/components", "the schema must stand alone")
	}
	require.Contains(t, document.Components.Schemas, "SurveyInput")
	require.Contains(t, document.Components.Schemas["Contact"].Required, "phone")
	yaml := w.ask(t, asked{path: "/openapi.yaml"})
	require.Equal(t, 200, yaml.Code)
	require.Contains(t, yaml.Body.String(), "openapi: 3.1.0")
	require.NotContains(t, rec.Body.String(), `"null"`, "lists are never null")
}

func TestUnknownAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	refused(t, w.ask(t, asked{path: "/v1/nothing"}), 404, "no_route")
	refused(t, w.ask(t, asked{path: "/v1/cases/"}), 404, "no_route")
	rec := w.ask(t, asked{method: http.MethodDelete, path: "/v1/cases/W1"})
	p := refused(t, rec, 405, "no_method")
	require.Contains(t, p.EN, "GET")
	require.Contains(t, rec.Header().Get("Allow"), "PATCH")
}

func TestAnswersCarrySecurityHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.ask(t, asked{path: "/healthz"}).Header()
	require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
	require.Equal(t, "no-store", h.Get("Cache-Control"))
	require.Contains(t, h.Get("Content-Security-Policy"), "default-src 'none'")
	require.NotEmpty(t, h.Get("X-Request-Id"))
}

func TestOurMistakesStayOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	w.down = &json.UnsupportedValueError{Str: "secret of the database"}
	rec := w.ask(t, asked{as: "taskforce", path: "/v1/cases/W1/resume", body: "{}"})
	p := refused(t, rec, 500, "internal")
	require.NotContains(t, rec.Body.String(), "secret")
	require.Contains(t, w.log.String(), "secret of the database")
	require.Contains(t, w.log.String(), p.RequestID)

	w.down = casework.Refuse(casework.Unavailable, "desk_unavailable", casework.Say("暂不可用", "not available"))
	rec = w.ask(t, asked{as: "taskforce", path: "/v1/cases/W1/resume", body: "{}"})
	refused(t, rec, 503, "desk_unavailable")
	require.Equal(t, "5", rec.Header().Get("Retry-After"))
	refused(t, w.ask(t, asked{path: "/readyz"}), 503, "unavailable")
	require.Equal(t, 200, w.ask(t, asked{path: "/healthz"}).Code)

	refused(t, w.ask(t, asked{as: "taskforce", path: "/v1/cases/W1/contact"}), 503, "desk_unavailable")
}

func TestPanicIsAProblem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.Desk = panicking{} })
	w.open(t, "W1")
	rec := w.ask(t, asked{as: "taskforce", path: "/v1/cases/W1/resume", body: "{}"})
	refused(t, rec, 500, "internal")
	require.NotContains(t, rec.Body.String(), "wires crossed")
	require.Contains(t, w.log.String(), "wires crossed")
}

type panicking struct{ Desk }

func TestHumaIsWorded(t *testing.T) {
	t.Parallel()
	f := fieldFault(&huma.ErrorDetail{Message: "something new: 13800001653", Location: "body.contact.phone", Value: "13800001653"})
	require.Equal(t, "contact.phone", f.Field)
	require.NotContains(t, f.ZH+f.EN, "1380")
	require.Equal(t, "bodyguard", fieldFault(&huma.ErrorDetail{Location: "bodyguard"}).Field)
}

func (panicking) Do(context.Context, string, casework.Action, string) (contract.Done, error) {
	panic("wires crossed")
}

// Without Temporal, or without a worker, requests are accepted and lists read:
// the process is ready, and says which part is missing, not why.
func TestReadyTellsWhichPartsAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ready := func() readiness { return read[readiness](t, w.ask(t, asked{path: "/readyz"}), 200) }
	require.Equal(t, readiness{"ok", "1.2.3", parts{"ok", "ok", "ok"}}, ready())
	w.idle = true
	require.Equal(t, readiness{"degraded", "1.2.3", parts{"ok", "ok", "absent"}}, ready())
	w.away = errors.New("dial tcp 10.0.0.7:7233: secret")
	require.Equal(t, readiness{"degraded", "1.2.3", parts{"ok", "unreachable", "unknown"}}, ready())
	w.down = errors.New("secret")
	require.NotContains(t, w.ask(t, asked{path: "/readyz"}).Body.String(), "secret")
}
