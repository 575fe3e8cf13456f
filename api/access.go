package api

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/curbstop/curbstop/casework"
)

// access says who may call an operation. The zero value lets nobody in, so an
// operation for which nothing was said is closed, not open.
type access struct {
	public  bool // without login
	limited bool // a public operation that is rate limited by address
	sparing bool // and more narrowly, because nothing is proved by a code
	roles   []casework.Role
}

// public operations that are limited answer strangers; the others serve the
// machinery around.
var (
	forMachines  = access{public: true}
	forStrangers = access{public: true, limited: true}
	// Applicants are strangers who bring something new in, or ask after an account.
	forApplicants = access{public: true, limited: true, sparing: true}
)

func forRoles(roles ...casework.Role) access { return access{roles: roles} }

// forStaff lets in everybody who can log in.
func forStaff() access {
	return access{roles: slices.DeleteFunc(casework.Roles(), func(r casework.Role) bool { return r == casework.Customer })}
}

// contactReaders are the roles that must call a customer or stand at the door.
var contactReaders = []casework.Role{
	casework.Taskforce, casework.TaskforceOffice, casework.Engineering, casework.ServiceHall, casework.Hotline,
}

// caseReaders are the roles that work with cases or supervise. Production and
// quality have no part in a connection unless a task names them, and a
// platform only hands requests in.
var caseReaders = []casework.Role{
	casework.Taskforce, casework.TaskforceOffice, casework.TaskforceLead, casework.Management, casework.Engineering,
	casework.Network, casework.ServiceHall, casework.Hotline, casework.Auditor,
}

// taskWorkers are the roles that can hold a task: any department may have to
// rectify something.
var taskWorkers = []casework.Role{
	casework.Taskforce, casework.TaskforceOffice, casework.TaskforceLead, casework.Management, casework.Engineering,
	casework.Network, casework.Production, casework.Quality, casework.ServiceHall, casework.Hotline,
}

var dispatchers = []casework.Role{casework.TaskforceOffice, casework.TaskforceLead, casework.Management}

// document writes into the OpenAPI document what admit enforces.
func (x access) document(op *huma.Operation) {
	op.Extensions = map[string]any{"x-public": x.public}
	if x.public {
		return
	}
	names := make([]string, len(x.roles))
	said := make([]string, len(x.roles))
	for i, r := range x.roles {
		names[i], said[i] = string(r), r.Name()
	}
	op.Extensions["x-roles"] = names
	op.Security = []map[string][]string{{securityScheme: {}}}
	op.Description = strings.TrimSpace(op.Description + "\n\n限 for: " + strings.Join(said, "、") + " (" + strings.Join(names, ", ") + ")")
}

// call is what is known of a request while it is served.
type call struct {
	requestID string
	actor     casework.Actor
	ifVersion int64    // from If-Match; 0 where there was none
	updateID  string   // from the Idempotency-Key, its own for each person and address
	content   *content // what came with that key; nil where none is asked for
	log       *slog.Logger
}

func (c *call) logger() *slog.Logger {
	if c.log == nil {
		return slog.Default()
	}
	return c.log
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{}
}

func actorOf(ctx context.Context) casework.Actor { return callOf(ctx).actor }

// by is who acts, and on which version of the case they decided.
func by(ctx context.Context) casework.By {
	c := callOf(ctx)
	return casework.By{Actor: c.actor, IfVersion: c.ifVersion}
}

// admit lets a request through to its operation: identity, role, the headers
// of a write, and the limit of the body. It is the only way in.
func (a *API) admit(ctx huma.Context, next func(huma.Context)) {
	r, _ := ctx.Operation().Metadata[routeKey].(route)
	if err := a.judge(ctx, r); err != nil {
		writeProblem(humagin.Unwrap(ctx), problemOf(ctx.Context(), err))
		return
	}
	request := humagin.Unwrap(ctx).Request
	request.Body = http.MaxBytesReader(humagin.Unwrap(ctx).Writer, request.Body, ctx.Operation().MaxBodyBytes+1)
	if r.binds() {
		callOf(ctx.Context()).content = watch(request, r.reads)
	}
	next(ctx)
}

func (a *API) judge(ctx huma.Context, r route) error {
	c := callOf(ctx.Context())
	switch {
	case r.access.limited:
		address := addressOf(humagin.Unwrap(ctx))
		if !a.strangers.allow(address) || r.access.sparing && !a.applicants.allow(address) {
			return tooManyCalls()
		}
		c.actor = casework.AsCustomer()
	case !r.access.public:
		actor, err := a.identities.actor(ctx.Context(), ctx.Header("Authorization"))
		if err != nil {
			return err
		}
		c.actor = actor
		if err := r.access.check(actor); err != nil {
			return err
		}
	}
	return c.readHeaders(ctx, r)
}

func (x access) check(actor casework.Actor) error {
	if actor.Has(x.roles...) {
		return nil
	}
	names, codes := make([]string, len(x.roles)), make([]string, len(x.roles))
	for i, r := range x.roles {
		names[i], codes[i] = r.Name(), string(r)
	}
	return casework.Refuse(casework.Forbidden, "wrong_role", casework.Say(
		"此操作限："+strings.Join(names, "、"), "only for: "+strings.Join(codes, ", ")))
}

// within narrows what is asked for to the districts of the person who asks;
// nil stands for the whole city.
func within(actor casework.Actor, asked []casework.District) ([]casework.District, error) {
	for _, d := range asked {
		if err := d.Check(); err != nil {
			return nil, err
		}
		if err := covers(actor, d); err != nil {
			return nil, err
		}
	}
	switch {
	case len(asked) > 0:
		return asked, nil
	case slices.Contains(actor.Districts, casework.AllDistricts):
		return nil, nil
	case len(actor.Districts) == 0:
		return nil, casework.Refuse(casework.Forbidden, "no_district", casework.Say(
			"您尚未分配服务区域，请联系营商专班办公室", "no district is assigned to you; ask the taskforce office"))
	}
	return actor.Districts, nil
}

func covers(actor casework.Actor, d casework.District) error {
	if actor.Covers(d) {
		return nil
	}
	return casework.Refuse(casework.Forbidden, "wrong_district", casework.Sayf(
		"%s不在您的服务区域", "%s is outside your districts", d.Name()))
}

// ownDepartment narrows a list to the department of the person who asks,
// unless they see all.
func ownDepartment(actor casework.Actor, asked casework.Department) (casework.Department, error) {
	if actor.SeesAll() || asked == actor.Department {
		return asked, nil
	}
	if asked != "" {
		return "", casework.Refuse(casework.Forbidden, "wrong_department", casework.Sayf(
			"只能查看本部门（%[1]s）的任务", "only the tasks of your own department (%[2]s)", actor.Department.Name(), actor.Department))
	}
	return actor.Department, nil
}
