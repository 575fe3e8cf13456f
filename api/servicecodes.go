package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/curbstop/curbstop/casework"
)

// Identity tells whose service code (办事码) was scanned. Its errors are faults:
// Invalid where the code has expired, Unavailable where nobody can be asked.
type Identity interface {
	Person(ctx context.Context, token string) (casework.Person, error)
}

const (
	// serviceCodeTime is how long a window may take to fill in a form for a code.
	serviceCodeTime = 30 * time.Minute
	// identityTimeout bounds how long a window waits for the province, whatever
	// the one who is asked allows.
	identityTimeout = 15 * time.Second
)

func (a *API) registerServiceCodes() {
	handle(a, route{
		id: "read-service-code", method: http.MethodPost, path: "/v1/service-codes", tag: "intake",
		access: forRoles(casework.ServiceHall, casework.Taskforce, casework.TaskforceOffice), status: http.StatusCreated, unkeyed: true,
		summary: casework.Say("读取客户出示的办事码，凭以填表（留痕）", "read the service code that a customer shows, by which forms are filled in; audited"),
	}, a.readServiceCode)
}

type serviceCodeInput struct {
	Body struct {
		Token string `json:"token" minLength:"1" maxLength:"2000" doc:"扫码得到的内容 what was scanned"`
	}
}

// serviceCodeView shows whom a code belongs to. What the form needs is in the
// code itself, sealed, so that no personal data goes through the window's
// browser.
type serviceCodeView struct {
	ServiceCode string    `json:"service_code" doc:"填表凭据：提交申请时写入 service_code，姓名、电话、证件号即自动填写；只限本人使用 write it into a request's service_code, which fills itself; for whoever read it alone"`
	ExpiresAt   time.Time `json:"expires_at"`
	Name        string    `json:"name" doc:"姓名（脱敏） masked"`
	Phone       string    `json:"phone" doc:"手机号（脱敏） masked"`
	ResidentID  string    `json:"resident_id" doc:"身份证号（脱敏） masked"`
}

type serviceCodeReply struct {
	Status int
	Body   serviceCodeView
}

// heldCode is what a service code of ours holds.
type heldCode struct {
	Person    casework.Person `json:"person"`
	ExpiresAt time.Time       `json:"expires_at"`
}

func serviceCodeContext(staff string) string { return "service-code/" + staff }

func (a *API) readServiceCode(ctx context.Context, in *serviceCodeInput) (*serviceCodeReply, error) {
	if a.identity == nil {
		return nil, casework.Refuse(casework.Unavailable, "service_code_not_connected",
			casework.Say("本系统未接通皖事通办事码，请手工填写", "service codes are not connected here; fill in the form by hand"))
	}
	bounded, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	p, err := a.identity.Person(bounded, in.Body.Token)
	if err != nil {
		if casework.AsFault(err).Kind == casework.Internal {
			err = unavailable(err)
		}
		return nil, err
	}
	// The phone is the index by which lists find people, so that who audits can
	// tell whom somebody looked at.
	if err := a.audit(ctx, "service_code_read", "service_code", map[string]string{"name": maskName(p.Name), "phone_index": a.ring.Index(p.Phone)}); err != nil {
		return nil, err
	}
	held := heldCode{Person: p, ExpiresAt: a.now().Add(serviceCodeTime)}
	plain, err := json.Marshal(held)
	if err != nil {
		return nil, err
	}
	return &serviceCodeReply{Status: http.StatusCreated, Body: serviceCodeView{
		ServiceCode: base64.RawURLEncoding.EncodeToString(a.ring.Seal(plain, serviceCodeContext(actorOf(ctx).ID))), ExpiresAt: held.ExpiresAt,
		Name: maskName(p.Name), Phone: maskPhone(p.Phone), ResidentID: maskNumber(p.ResidentID),
	}}, nil
}

// shown gives who showed the service code that a request names; false where it
// names none.
func (a *API) shown(ctx context.Context, code string) (casework.Person, bool, error) {
	if code == "" {
		return casework.Person{}, false, nil
	}
	var held heldCode
	sealed, err := base64.RawURLEncoding.DecodeString(code)
	if err == nil {
		var plain []byte
		if plain, err = a.ring.Open(sealed, serviceCodeContext(actorOf(ctx).ID)); err == nil {
			err = json.Unmarshal(plain, &held)
		}
	}
	if err == nil && !a.now().Before(held.ExpiresAt) {
		err = errors.New("it is too old")
	}
	if err != nil {
		var c casework.Check
		c.Field("service_code", casework.Say("办事码凭据无效或已过期，请重新扫码", "this is no service code of yours, or it has expired; scan it again"))
		return casework.Person{}, false, c.Err()
	}
	return held.Person, true, nil
}

// ServiceCode is the part of a request that names a service code; exported like
// [CaseAddress].
type ServiceCode struct {
	ServiceCode string `json:"service_code,omitempty" maxLength:"4000" doc:"办事码凭据（见 /v1/service-codes）；填了即不必再填客户姓名、电话 from /v1/service-codes; who applies need then not be filled in"`
}
