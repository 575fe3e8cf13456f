package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms/mapping"
)

// Identity tells whose service code (办事码) was scanned, so that nobody is
// asked what the province knows already.
type Identity interface {
	// Person exchanges the token of a service code. Its error is an Invalid or
	// Unavailable [casework.Fault].
	Person(ctx context.Context, token string) (Person, error)
}

// Person is who showed a service code. It is personal data.
type Person struct {
	Name       string
	Phone      string
	ResidentID string
}

// Fill puts what is known of a person into a request wherever that says
// nothing yet. A request of an organisation keeps its applicant: the person is
// whom to call.
func (p Person) Fill(q casework.Request) casework.Request {
	if q.Applicant.Name == "" {
		q.Applicant = casework.Applicant{Name: p.Name, Person: true}
	}
	if q.Contact.Name == "" {
		q.Contact.Name = p.Name
	}
	if q.Contact.Phone == "" {
		q.Contact.Phone = p.Phone
	}
	return q
}

// Wanshitong exchanges tokens of the 皖事通 app over HTTP.
type Wanshitong struct {
	Client    *http.Client // with a timeout
	URL       string       // where tokens are exchanged
	ServiceID string       // under which the utility is registered there
	RoleCode  string
}

// maxAnswer is more than any answer of the exchange has.
const maxAnswer = 64 << 10

// Person implements [Identity].
func (w Wanshitong) Person(ctx context.Context, token string) (Person, error) {
	body, err := json.Marshal(map[string]string{"TOKEN": token, "SERVICEID": w.ServiceID, "ROLECODE": w.RoleCode})
	if err != nil {
		return Person{}, fmt.Errorf("exchange a service code: %w", err)
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return Person{}, fmt.Errorf("exchange a service code: %w", err)
	}
	q.Header.Set("Content-Type", "application/json")
	answer, err := w.Client.Do(q)
	if err != nil {
		return Person{}, unavailable(err)
	}
	defer answer.Body.Close()
	written, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil || answer.StatusCode != http.StatusOK {
		return Person{}, unavailable(fmt.Errorf("status %d: %w", answer.StatusCode, err))
	}
	return readPerson(written)
}

func unavailable(cause error) error {
	return errors.Join(casework.Refuse(casework.Unavailable, "service_code_unavailable",
		casework.Say("皖事通暂时无法读取办事码，请稍后再试或手工填写", "the service code can't be read just now; try again or fill in the form by hand")), cause)
}

// readPerson reads the answer of the exchange. The names of its fields have
// dots in them, or are nested; both occur.
func readPerson(answer []byte) (Person, error) {
	v, err := mapping.ParseObject(answer)
	if err != nil {
		return Person{}, err
	}
	if nested := v.At("data"); nested.At("perUserVo.name") != nil {
		v = nested
	}
	const name, phone, id = "perUserVo.name", "perUserVo.bindPhone", "perUserVo.credentNo"
	p := Person{
		Name: v.At(name).Text(), Phone: casework.NormalisePhone(v.At(phone).Text()),
		ResidentID: casework.NormaliseCreditCode(v.At(id).Text()), // the same plain spelling
	}
	if p.Name == "" && p.Phone == "" && p.ResidentID == "" {
		return Person{}, casework.Refuse(casework.Invalid, "service_code_expired",
			casework.Say("办事码已失效，请客户刷新后再扫", "the service code has expired; the customer refreshes it and it is scanned again"))
	}
	var c casework.Check
	c.Require(p.Name != "", name, casework.Say("不能为空", "it is missing"))
	c.Nested(phone, casework.CheckPhone(p.Phone))
	c.Nested(id, casework.CheckResidentID(p.ResidentID))
	if err := c.Err(); err != nil {
		return Person{}, err
	}
	return p, nil
}
