package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/curbstop/curbstop/casework"
)

// kindView is a kind of task as forms are made from it.
type kindView struct {
	casework.Spec
	RoleName string         `json:"role_name"`
	Schema   map[string]any `json:"schema,omitempty" doc:"填报项的 JSON Schema（2020-12） JSON Schema of the input"`
	// Checklist is that of the policy in force; a task shows its own.
	Checklist []string `json:"checklist,omitempty" doc:"现行政策的核对清单 checklist of the policy in force"`
}

func (a *API) registerTaskKinds() {
	a.taskSchemas = map[casework.TaskKind]map[string]any{}
	for _, spec := range casework.Specs() {
		t := reflect.TypeOf(spec.NewInput()).Elem()
		// By its name in the document, for clients that are generated from it.
		a.huma.OpenAPI().Components.Schemas.Schema(t, true, t.Name())
		a.taskSchemas[spec.Kind] = standalone(t)
	}
	handle(a, route{
		id: "list-task-kinds", method: http.MethodGet, path: "/v1/task-kinds", tag: "tasks", access: forStaff(),
		summary: casework.Say("全部任务类别及其规定", "every kind of task, with its rule"),
	}, func(context.Context, *struct{}) (*reply[page[kindView]], error) {
		var views []kindView
		for _, s := range casework.Specs() {
			views = append(views, kindView{Spec: s, RoleName: s.Role.Name()})
		}
		return answer(page[kindView]{Items: views}, nil)
	})
	handle(a, route{
		id: "get-task-kind", method: http.MethodGet, path: "/v1/task-kinds/{kind}", tag: "tasks", access: forStaff(),
		summary: casework.Say("一类任务的规定与填报项", "a kind of task and the schema of its input"),
	}, func(ctx context.Context, in *struct {
		Kind string `path:"kind" maxLength:"64"`
	}) (*reply[kindView], error) {
		s, ok := casework.SpecOf(casework.TaskKind(in.Kind))
		if !ok {
			return nil, casework.Refuse(casework.NotFound, "task_kind_not_found",
				casework.Say("没有这类任务，见 GET /v1/task-kinds", "there is no such kind of task; see GET /v1/task-kinds"))
		}
		p, err := a.policies.Current(ctx)
		return answer(kindView{Spec: s, RoleName: s.Role.Name(), Schema: a.taskSchemas[s.Kind], Checklist: p.Checklists[s.Kind]}, err)
	})
}

// standalone gives the JSON Schema of a type with everything it refers to, so
// that a form can be made from it without the OpenAPI document.
func standalone(t reflect.Type) map[string]any {
	const prefix = "#/$defs/"
	r := huma.NewMapRegistry(prefix, huma.DefaultSchemaNamer)
	nameValues(r)
	s := r.Schema(t, false, t.Name())
	out := asMap(s)
	defs := map[string]any{}
	for name, def := range r.Map() {
		if def != s {
			defs[name] = asMap(def)
		}
	}
	if len(defs) > 0 {
		out["$defs"] = defs
	}
	out["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	return out
}

func asMap(s *huma.Schema) map[string]any {
	b, err := json.Marshal(s)
	var m map[string]any
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		panic("api: a schema that is no JSON: " + err.Error()) // the types are our own; a test makes all of them
	}
	return m
}

// schemaOf gives the schema of a type that no operation takes or gives whole.
func schemaOf[T any](api huma.API) *huma.Schema {
	t := reflect.TypeFor[T]()
	return api.OpenAPI().Components.Schemas.Schema(t, true, t.Name())
}
