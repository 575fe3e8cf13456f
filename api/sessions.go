package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/curbstop/curbstop/casework"
)

type logIn struct {
	address string
	Body    struct {
		StaffID  string `json:"staff_id" required:"true" minLength:"1" maxLength:"64" doc:"工号 staff number"`
		Password string `json:"password" required:"true" minLength:"1" maxLength:"256" doc:"密码 password"`
	}
}

// Resolve notes where the log-in comes from, for its limit.
func (in *logIn) Resolve(ctx huma.Context) []error {
	in.address = addressOf(humagin.Unwrap(ctx))
	return nil
}

type session struct {
	Token     string         `json:"token" doc:"放在请求头 Authorization: Bearer 之后 goes into the header Authorization: Bearer"`
	ExpiresAt time.Time      `json:"expires_at"`
	Staff     casework.Staff `json:"staff"`
}

func (a *API) registerSessions() {
	handle(a, route{
		id: "log-in", method: http.MethodPost, path: "/v1/sessions", tag: "sessions", access: forMachines, unkeyed: true,
		status:  http.StatusCreated,
		summary: casework.Say("登录，取得令牌", "log in and get a token"),
	}, a.logIn)
	handle(a, route{
		id: "me", method: http.MethodGet, path: "/v1/me", tag: "sessions", access: forStaff(),
		summary: casework.Say("我的工号、角色、部门与服务区域", "who I am: roles, department and districts"),
	}, func(ctx context.Context, _ *struct{}) (*reply[casework.Staff], error) {
		return answer(a.store.Staff(ctx, actorOf(ctx).ID))
	})
}

// dummyHash is checked where there is no hash, so that an unknown staff number
// takes as long as a wrong password.
var dummyHash = sync.OnceValue(func() string { return HashPassword("nobody") })

func (a *API) logIn(ctx context.Context, in *logIn) (*reply[session], error) {
	if !a.logins.allow(in.Body.StaffID + "\x00" + in.address) {
		return nil, tooManyCalls()
	}
	staff, hash, err := a.credentials(ctx, in.Body.StaffID)
	if err != nil {
		return nil, err
	}
	// Hashing takes memory on purpose; only so many may at one time.
	select {
	case a.hashing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	known := hash != ""
	if !known {
		hash = dummyHash()
	}
	right := checkPassword(hash, in.Body.Password)
	<-a.hashing
	if !right || !known || !staff.Active {
		return nil, casework.Refuse(casework.Unauthorised, "wrong_credentials",
			casework.Say("工号或密码不正确", "wrong staff number or password"))
	}
	now := a.now()
	token, err := IssueToken(a.identities.options.JWTKey, staff.ID, a.identities.options.SessionLifetime, now)
	return answer(session{Token: token, ExpiresAt: now.Add(a.identities.options.SessionLifetime), Staff: staff}, err)
}

// credentials gives a person's row and hash, both empty for somebody unknown.
func (a *API) credentials(ctx context.Context, id string) (casework.Staff, string, error) {
	staff, err := a.store.Staff(ctx, id)
	if err == nil {
		var hash string
		if hash, err = a.store.PasswordHash(ctx, id); err == nil {
			return staff, hash, nil
		}
	}
	if casework.AsFault(err).Kind == casework.NotFound {
		return casework.Staff{}, "", nil
	}
	return casework.Staff{}, "", err
}
