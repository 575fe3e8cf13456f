package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/curbstop/curbstop/casework"
)

type health struct {
	Status  string `json:"status" enum:"ok" doc:"ok"`
	Version string `json:"version,omitempty" doc:"程序版本 version of the program"`
}

// readiness tells which parts answer. It names no address and repeats no error:
// anybody may ask.
type readiness struct {
	Status  string `json:"status" enum:"ok,degraded" doc:"degraded：可收件、可查阅，但暂不能办理 requests are accepted and lists read, decisions wait"`
	Version string `json:"version,omitempty" doc:"程序版本 version of the program"`
	Parts   parts  `json:"parts"`
}

type parts struct {
	Database string `json:"database" enum:"ok" doc:"数据库；不可用时应答 503 the database; where it is away the answer is 503"`
	Temporal string `json:"temporal" enum:"ok,unreachable" doc:"Temporal"`
	Workers  string `json:"workers" enum:"ok,absent,unknown" doc:"近几分钟是否有 worker 在办理 whether a worker asked for work within the last minutes"`
}

// readyWithin bounds the question to each part: a load balancer gives up before
// a slow answer comes.
const readyWithin = 2 * time.Second

func (a *API) registerHealth() {
	handle(a, route{
		id: "live", method: http.MethodGet, path: "/healthz", tag: "health", access: forMachines,
		summary: casework.Say("程序是否在运行", "whether the program runs"),
	}, func(context.Context, *struct{}) (*reply[health], error) {
		return answer(health{Status: "ok", Version: a.huma.OpenAPI().Info.Version}, nil)
	})
	handle(a, route{
		id: "ready", method: http.MethodGet, path: "/readyz", tag: "health", access: forMachines,
		summary: casework.Say("能否受理请求，以及各部分是否可用", "whether requests can be served, and which parts answer"),
	}, a.ready)
}

// ready is whether a load balancer should send requests here, which takes the
// database. Without Temporal requests are accepted all the same, by their
// receipts, and lists are read: to send nobody here would lose more than it
// saves, so that is told beside.
func (a *API) ready(ctx context.Context, _ *struct{}) (*reply[readiness], error) {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	r := readiness{Status: "ok", Version: a.huma.OpenAPI().Info.Version, Parts: parts{"ok", "ok", "ok"}}
	var asked sync.WaitGroup
	asked.Go(func() {
		switch working, err := a.desk.Working(ctx); {
		case err != nil:
			r.Status, r.Parts.Temporal, r.Parts.Workers = "degraded", "unreachable", "unknown"
		case !working:
			r.Status, r.Parts.Workers = "degraded", "absent"
		}
	})
	err := a.store.Ping(ctx)
	asked.Wait()
	if err != nil {
		return nil, unavailable(err)
	}
	return answer(r, nil)
}
