package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms/mapping"
)

// Wanshitong tells whose service code (办事码) of the 皖事通 app was scanned, so
// that nobody is asked what the province knows already.
type Wanshitong struct {
	client              *http.Client
	url                 string
	serviceID, roleCode string
}

// timeout bounds how long a window waits for the province.
const timeout = 10 * time.Second

// NewWanshitong exchanges tokens at an address, under the ID by which the
// utility is registered there and, where the province wants one, a code of its
// role.
func NewWanshitong(address, serviceID, roleCode string) (*Wanshitong, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, errors.New("the address at which service codes are exchanged must be http(s)://host/path without a password in it")
	}
	if serviceID == "" {
		return nil, errors.New("service codes are exchanged under the ID of a registered service, which is missing")
	}
	return &Wanshitong{url: address, serviceID: serviceID, roleCode: roleCode, client: &http.Client{
		Timeout: timeout,
		// A redirect would carry the code to somebody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// maxAnswer is more than any answer of the exchange has.
const maxAnswer = 64 << 10

// Person exchanges the token of a service code. Its error is an Invalid or
// Unavailable [casework.Fault].
func (w *Wanshitong) Person(ctx context.Context, token string) (casework.Person, error) {
	body, err := json.Marshal(map[string]string{"TOKEN": token, "SERVICEID": w.serviceID, "ROLECODE": w.roleCode})
	if err != nil {
		return casework.Person{}, fmt.Errorf("exchange a service code: %w", err)
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return casework.Person{}, fmt.Errorf("exchange a service code: %w", err)
	}
	q.Header.Set("Content-Type", "application/json")
	answer, err := w.client.Do(q)
	if err != nil {
		return casework.Person{}, unavailable(err)
	}
	defer answer.Body.Close()
	written, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return casework.Person{}, unavailable(err)
	}
	if answer.StatusCode != http.StatusOK {
		return casework.Person{}, unavailable(fmt.Errorf("status %d", answer.StatusCode))
	}
	return readPerson(written)
}

func unavailable(cause error) error {
	return errors.Join(casework.Refuse(casework.Unavailable, "service_code_unavailable",
		casework.Say("皖事通暂时无法读取办事码，请稍后再试或手工填写", "the service code can't be read just now; try again or fill in the form by hand")), cause)
}

// readPerson reads the answer of the exchange. The names of its fields have
// dots in them, or are nested; both occur.
func readPerson(answer []byte) (casework.Person, error) {
	v, err := mapping.ParseObject(answer)
	if err != nil || casework.CheckZero(answer) != nil {
		return casework.Person{}, unavailable(errors.New("the answer is no JSON object that can be kept"))
	}
	if nested := v.At("data"); nested.At("perUserVo.name") != nil {
		v = nested
	}
	const name, phone, id = "perUserVo.name", "perUserVo.bindPhone", "perUserVo.credentNo"
	p := casework.Person{
		Name: v.At(name).Text(), Phone: casework.NormalisePhone(v.At(phone).Text()),
		ResidentID: casework.NormaliseCreditCode(v.At(id).Text()), // the same plain spelling
	}
	if p.Name == "" && p.Phone == "" && p.ResidentID == "" {
		return casework.Person{}, casework.Refuse(casework.Invalid, "service_code_expired",
			casework.Say("办事码已失效，请客户刷新后再扫", "the service code has expired; the customer refreshes it and it is scanned again"))
	}
	if p.Name == "" || casework.CheckPhone(p.Phone) != nil || casework.CheckResidentID(p.ResidentID) != nil {
		return casework.Person{}, casework.Refuse(casework.Invalid, "service_code_incomplete",
			casework.Say("皖事通返回的姓名、手机号或证件号不完整，请手工填写", "name, phone or identity number from the province are not complete; fill in the form by hand"))
	}
	return p, nil
}
