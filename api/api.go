// Package api is the HTTP side of curbstop: routes, who may call them, what
// people send turned into an action for the case's workflow, and a refusal
// turned into a problem (RFC 9457) that a clerk understands.
//
// A handler never changes a case. It hands an action to the [Desk] and reads
// back through the [Store].
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"go.temporal.io/sdk/converter"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/policy"
	"github.com/curbstop/curbstop/reports"
	"github.com/curbstop/curbstop/seal"
)

// Options are what an API is made of. Store, Desk, Archive, Ring, Printout,
// Paper and Auth.JWTKey are required.
type Options struct {
	Store   Store
	Desk    Desk
	Archive Archive
	Ring    *seal.Ring
	Auth    AuthOptions

	// Billing is asked for balances, and what is asked of it is carried there by
	// workflows; nil: this installation has no billing system.
	Billing Billing
	// Identity tells whose service code was scanned; nil: none can be read here.
	Identity Identity
	// Codec decodes payloads for the Temporal UI; nil switches /codec/decode off.
	Codec converter.PayloadCodec
	// Printout draws a case with its history as a page that prints; required.
	Printout func(k *casework.Case, events []casework.Event, clock reports.Clock, now time.Time) ([]byte, error)
	// Paper drafts a paper of a case, for the customer who is to agree to it;
	// required.
	Paper func(kind casework.DocumentKind, k *casework.Case, now time.Time) (title string, html []byte, err error)
	// Hours gives the business hours by which reports over many cases count; a
	// single case counts by those of its own terms. Nil: every hour of every day.
	Hours func(context.Context) (calendar.Hours, error)
	// Hotline is the number that customers are told to call; empty: 12345.
	Hotline string
	// Platforms takes in what government platforms and other outside systems
	// send, and shows what became of it; nil: this installation has none.
	Platforms Platforms

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default
	// PublicURL is where customers reach this API, such as
	// https://water.example.cn; links in answers begin with it. Empty gives
	// links without a host.
	PublicURL string
	// TemporalUIURL is the one origin that may call /codec/decode from a browser.
	TemporalUIURL string
	Version       string
	// TrustedProxies are the addresses (CIDR) whose X-Forwarded-For is
	// believed; empty: nobody's, so that a caller can't choose the address by
	// which it is rate limited.
	TrustedProxies []string
	Limits         Limits
}

// Limits bound what one caller can ask for. A zero field takes its default.
type Limits struct {
	BodyBytes     int64 // of a JSON body; 1 MiB
	ListBytes     int64 // of a request list; 32 MiB
	DocumentBytes int64 // of one document; 20 MiB
	MessageBytes  int64 // of a platform's message; 20 MiB, because certificates come along

	PublicPerMinute   int // calls without login per address; 30; a fifth of them may bring something new in
	SessionsPerMinute int // log-ins per staff number and address; 5
}

func (l Limits) withDefaults() Limits {
	l.BodyBytes = nonZero(l.BodyBytes, 1<<20)
	l.ListBytes = nonZero(l.ListBytes, 32<<20)
	l.DocumentBytes = nonZero(l.DocumentBytes, 20<<20)
	l.MessageBytes = nonZero(l.MessageBytes, 20<<20)
	l.PublicPerMinute = nonZero(l.PublicPerMinute, 30)
	l.SessionsPerMinute = nonZero(l.SessionsPerMinute, 5)
	return l
}

func nonZero[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// API serves the routes. Make it with [New].
type API struct {
	store    Store
	desk     Desk
	archive  Archive
	billing  Billing  // nil where there is none
	identity Identity // nil where there is none
	ring     *seal.Ring
	codec    http.Handler // nil where decoding is off

	printout    func(*casework.Case, []casework.Event, reports.Clock, time.Time) ([]byte, error)
	paper       func(casework.DocumentKind, *casework.Case, time.Time) (string, []byte, error)
	hours       func(context.Context) (calendar.Hours, error)
	hotline     string
	now         func() time.Time
	log         *slog.Logger
	publicURL   string
	temporalUI  string
	limits      Limits
	identities  *identities
	strangers   *limiter // calls without login, by address
	applicants  *limiter // what strangers bring in or ask after, by address, phone number and account
	logins      *limiter // by staff number and address
	starts      *starter // cases that are being opened
	hashing     chan struct{}
	taskSchemas map[casework.TaskKind]map[string]any
	policies    *policy.Shelf
	platforms   Platforms

	engine *gin.Engine
	huma   huma.API
}

// New wires an API. It fails where a required option is missing or weak, so
// that an installation can't start open.
func New(o Options) (*API, error) {
	switch {
	case o.Store == nil, o.Desk == nil, o.Archive == nil, o.Ring == nil, o.Printout == nil, o.Paper == nil:
		return nil, errors.New("api: Store, Desk, Archive, Ring, Printout and Paper are required")
	}
	now := o.Now
	if now == nil {
		now = time.Now
	}
	identities, err := newIdentities(o.Auth, o.Store, now)
	if err != nil {
		return nil, err
	}
	limits := o.Limits.withDefaults()
	a := &API{
		store: o.Store, desk: o.Desk, archive: o.Archive, billing: o.Billing, identity: o.Identity, ring: o.Ring, printout: o.Printout, paper: o.Paper,
		hotline: nonZero(o.Hotline, "12345"), now: now, log: o.Logger,
		publicURL: o.PublicURL, temporalUI: o.TemporalUIURL, limits: limits, identities: identities,
		strangers: newLimiter(limits.PublicPerMinute, now), applicants: newLimiter(max(1, limits.PublicPerMinute/5), now),
		logins:    newLimiter(limits.SessionsPerMinute, now),
		hashing:   make(chan struct{}, parallelHashes),
		policies:  policy.NewShelf(o.Store),
		hours:     o.Hours,
		platforms: o.Platforms,
	}
	if a.platforms == nil {
		a.platforms = noPlatforms{}
	}
	if a.hours == nil {
		a.hours = func(context.Context) (calendar.Hours, error) { return calendar.AlwaysOpen, nil }
	}
	if a.log == nil {
		a.log = slog.Default()
	}
	a.starts = &starter{start: a.desk.Start, log: a.log}
	if o.Codec != nil {
		a.codec = converter.NewPayloadCodecHTTPHandler(o.Codec)
	}
	if a.engine, err = a.newEngine(o.TrustedProxies); err != nil {
		return nil, err
	}
	a.huma = humagin.New(a.engine, documentConfig(o.Version))
	// The middleware must stand before the first operation: huma binds the ones
	// that it knows when an operation is registered.
	a.huma.UseMiddleware(a.admit)
	a.register()
	if err := a.serveDocument(); err != nil {
		return nil, err
	}
	return a, nil
}

// Handler serves everything, from /healthz to the documentation page.
func (a *API) Handler() http.Handler { return a.engine }

func (a *API) register() {
	a.registerHealth()
	a.registerSessions()
	a.registerIntake()
	a.registerServiceCodes()
	a.registerJoint()
	a.registerForwardings()
	a.registerLists()
	a.registerCases()
	a.registerTasks()
	a.registerTaskKinds()
	a.registerDocuments()
	a.registerEscalations()
	a.registerPolicies()
	a.registerMessages()
	a.registerSupervision()
	a.registerCustomers()
	a.registerAgreement()
	a.registerServices()
	a.registerAccounts()
	a.registerPublicIntake()
	a.registerStaff()
	a.registerCalendar()
	a.registerAbsences()
	a.registerHandOvers()
	a.registerPlatforms()
	a.registerCodec()
	a.registerLeads()
	a.registerNetwork()
}

// route describes an operation: where it is, what it is called, and who may
// call it.
type route struct {
	id      string
	method  string
	path    string
	tag     string
	summary casework.Text
	access  access

	status    int   // on success; 0: 200
	bodyBytes int64 // limit of the body; 0: the API's
	unkeyed   bool  // a write that needs no Idempotency-Key
	reads     bool  // the handler reads the body itself, and calls bindKey then
	versioned bool  // takes If-Match with the case's version
	body      *huma.RequestBody
	responses map[string]*huma.Response
}

func (r route) writes() bool { return r.method != http.MethodGet }

// keyed tells whether the operation asks for an Idempotency-Key.
func (r route) keyed() bool { return r.writes() && !r.unkeyed }

// binds tells whether a key stands for one request alone. All applicants are one
// caller, and two of them may choose the same key, so that theirs counts
// together with what came: see ownNumber.
func (r route) binds() bool { return r.keyed() && !r.access.sparing }

// routeKey is where an operation's metadata holds its route.
const routeKey = "route"

// handle registers an operation. What the handler returns as an error becomes
// a problem here and nowhere else.
func handle[I, O any](a *API, r route, handler func(context.Context, *I) (*O, error)) {
	op := huma.Operation{
		OperationID: r.id, Method: r.method, Path: r.path, Tags: []string{r.tag}, Summary: r.summary.String(),
		DefaultStatus: r.status, MaxBodyBytes: nonZero(r.bodyBytes, a.limits.BodyBytes),
		RequestBody: r.body, Responses: r.responses,
		Metadata: map[string]any{routeKey: r},
		Security: []map[string][]string{},
		// A query parameter that nobody reads is a filter that does not filter.
		RejectUnknownQueryParameters: true,
	}
	r.access.document(&op)
	r.documentHeaders(&op)
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		if r.binds() && !r.reads {
			if err := a.bindKey(ctx); err != nil {
				return nil, problemOf(ctx, err)
			}
		}
		out, err := handler(ctx, in)
		if err != nil {
			p := problemOf(ctx, err)
			a.freeKey(ctx, p)
			return nil, p
		}
		if c := callOf(ctx).content; c != nil && !c.bound {
			panic(r.id + " reads its body itself and compared its key with nothing")
		}
		return out, nil
	})
}

// link is an address of this API as an answer shows it.
func (a *API) link(format string, args ...any) string {
	return a.publicURL + fmt.Sprintf(format, args...)
}

// reply is a JSON answer without further headers.
type reply[T any] struct{ Body T }

func answer[T any](body T, err error) (*reply[T], error) {
	if err != nil {
		return nil, err
	}
	return &reply[T]{Body: body}, nil
}

// page is a part of a list.
type page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor,omitempty" doc:"下一页游标，没有即到底 cursor of the next page; absent at the end"`
}

// Paging is the part of a list that a caller asks for; exported like [CaseAddress].
type Paging struct {
	Cursor string `query:"cursor" maxLength:"1000" doc:"上一页给出的游标 next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"每页条数 entries a page"`
}

func (p Paging) page() casework.Page { return casework.Page{Limit: p.Limit, Cursor: p.Cursor} }
