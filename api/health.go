package api

import (
	"context"
	"net/http"
	"time"

	"github.com/curbstop/curbstop/casework"
)

type health struct {
	Status  string `json:"status" enum:"ok" doc:"ok"`
	Version string `json:"version,omitempty" doc:"程序版本 version of the program"`
}

// readyWithin bounds the question to the database: a load balancer gives up
// before a slow answer comes.
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
		summary: casework.Say("能否受理请求", "whether requests can be served"),
	}, func(ctx context.Context, _ *struct{}) (*reply[health], error) {
		ctx, cancel := context.WithTimeout(ctx, readyWithin)
		defer cancel()
		if err := a.store.Ping(ctx); err != nil {
			return nil, unavailable(err)
		}
		return answer(health{Status: "ok", Version: a.huma.OpenAPI().Info.Version}, nil)
	})
}
