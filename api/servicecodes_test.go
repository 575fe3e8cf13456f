package api

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
)

var shower = casework.Person{Name: "测试王丙", Phone: "13800000003", ResidentID: "340207198505050020"}

// province answers for a token.
type province map[string]error

func (p province) Person(_ context.Context, token string) (casework.Person, error) {
	err, known := p[token]
	switch {
	case !known:
		return shower, nil
	case err != nil:
		return casework.Person{}, err
	}
	panic("nothing to answer")
}

func withIdentity(i Identity) func(*Options) { return func(o *Options) { o.Identity = i } }

func scan(t testing.TB, w *world, as, token string) serviceCodeView {
	t.Helper()
	return read[serviceCodeView](t, w.act(t, asked{as: as, path: "/v1/service-codes", body: object{"token": token}}), 201)
}

// At a window the customer shows a code, and the form fills itself: nothing
// personal is typed, nothing personal goes through the browser, and who looked
// at whom is on record.
func TestServiceCodeFillsARequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withIdentity(province{}))
	rec := w.act(t, asked{as: "service_hall", path: "/v1/service-codes", body: object{"token": "T-1"}})
	for _, personal := range []string{"王丙", "13800000003", "340207198505050020"} {
		require.NotContains(t, rec.Body.String(), personal)
		require.NotContains(t, w.log.String(), personal)
	}
	got := read[serviceCodeView](t, rec, 201)
	require.Equal(t, serviceCodeView{
		ServiceCode: got.ServiceCode, ExpiresAt: noon.Add(30 * time.Minute), Name: "测*", Phone: "138****0003", ResidentID: "****20",
	}, serviceCodeView{got.ServiceCode, got.ExpiresAt.In(noon.Location()), got.Name, got.Phone, got.ResidentID})
	data, err := json.Marshal(map[string]string{"name": "测*", "phone_index": w.ring.Index("13800000003")})
	require.NoError(t, err)
	require.Equal(t, []casework.AuditEntry{{At: noon, Actor: "service_hall", What: "service_code_read", Target: "service_code", Data: data}}, w.audited)

	site := goodRequest().Site
	w.act(t, asked{as: "service_hall", path: "/v1/connection-requests", body: object{
		"utility": "water", "channel": "service_hall", "external_number": "C-1", "site": site, "demand": object{}, "service_code": got.ServiceCode,
	}})
	want := casework.Request{
		Utility: casework.Water, Channel: casework.ServiceHallDesk, ExternalNumber: "C-1", Site: site, ByServiceCode: true,
		Applicant: casework.Applicant{Name: "测试王丙", Person: true}, Contact: casework.Contact{Name: "测试王丙", Phone: "13800000003"},
	}
	require.Equal(t, want, w.receipts["service_hall/C-1"].Request)
	// For an enterprise the person is whom to call.
	w.act(t, asked{as: "service_hall", path: "/v1/connection-requests", body: object{
		"utility": "water", "channel": "service_hall", "external_number": "C-2", "site": site, "demand": object{}, "service_code": got.ServiceCode, "applicant": goodRequest().Applicant,
	}})
	want.ExternalNumber, want.Applicant = "C-2", goodRequest().Applicant
	require.Equal(t, want, w.receipts["service_hall/C-2"].Request)
	// A joint request, and a closing, whose identity paper the code is.
	w.act(t, asked{as: "service_hall", path: "/v1/joint-requests", body: object{
		"utilities": []string{"water"}, "channel": "service_hall", "external_number": "C-3", "site": site, "service_code": got.ServiceCode,
	}})
	require.Equal(t, "测试王丙", w.receipts["service_hall/C-3/water"].Request.Applicant.Name)
	w.act(t, asked{as: "service_hall", path: "/v1/service-requests", body: object{
		"service": "account_closing", "utility": "water", "channel": "service_hall", "external_number": "C-4", "account": "0000000001", "service_code": got.ServiceCode,
	}})
	var closing casework.ServiceRequest
	for _, r := range w.receipts {
		if r.Service != nil {
			closing = *r.Service
		}
	}
	require.Equal(t, casework.AccountHolder{Name: "测试王丙", Phone: "13800000003", ResidentID: "340207198505050020"}, closing.Holder)
	require.Equal(t, []casework.Certificate{{Kind: casework.IdentityCertificate, Number: "340207198505050020"}}, closing.Certificates)
	require.True(t, closing.ByServiceCode)
}

func TestServiceCodesAreRefused(t *testing.T) {
	t.Parallel()
	later := noon
	gone := casework.Refuse(casework.Invalid, "service_code_expired", casework.Say("办事码已失效", "expired"))
	w := newWorld(t, withIdentity(province{"expired": gone, "down": errors.New("dial tcp: refused")}), func(o *Options) { o.Now = func() time.Time { return later } })
	code := func(token string) asked {
		return asked{as: "service_hall", path: "/v1/service-codes", body: object{"token": token}}
	}
	refused(t, w.ask(t, code("expired")), 422, "service_code_expired")
	refused(t, w.ask(t, code("down")), 503, "unavailable")
	refused(t, w.ask(t, code("")), 422, "invalid_input")
	refused(t, newWorld(t).ask(t, code("T-1")), 503, "service_code_not_connected")
	require.Empty(t, w.audited)

	request := func(as, code string) asked {
		return asked{as: as, path: "/v1/connection-requests", body: object{
			"utility": "water", "channel": "service_hall", "site": goodRequest().Site, "demand": object{}, "service_code": code,
		}}
	}
	ours := scan(t, w, "service_hall", "T-1").ServiceCode
	for name, q := range map[string]asked{"another's": request("taskforce", ours), "none of ours": request("service_hall", "QUJD"), "no code": request("service_hall", "?")} {
		require.Equal(t, []string{"service_code"}, fields(refused(t, w.ask(t, q), 422, "invalid_input")), name)
	}
	// What a code says can't be said without one.
	q := request("service_hall", "")
	require.Equal(t, []string{"applicant.credit_code", "applicant.name", "contact.name", "contact.phone"}, fields(refused(t, w.ask(t, q), 422, "invalid_input")))
	claimed := requestWith(func(o object) { o["by_service_code"] = true })
	w.act(t, asked{as: "service_hall", path: "/v1/connection-requests", body: claimed})
	for _, r := range w.receipts {
		require.False(t, r.Request.ByServiceCode)
	}
	later = noon.Add(30 * time.Minute)
	require.Equal(t, []string{"service_code"}, fields(refused(t, w.ask(t, request("service_hall", ours)), 422, "invalid_input")))
}

// Papers that came along are shown with where they came from; what lies with
// somebody else can't be downloaded, and nobody who hands in a request names any.
func TestPapersThatCameAlong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.open(t, "W1")
	k.Request.Attachments = []casework.Attachment{
		{ID: "M1-1", Kind: casework.IdentityPaper, Title: "身份证", Sender: "portal", Message: "M1", Reference: "340207198505050020"},
		{ID: "M1-2", Kind: casework.RequestPaper, Title: "营业执照.html", Sender: "portal", Message: "M1", SHA256: "aa"},
	}
	k.FileAttachments([]casework.Filed{
		{Document: k.Request.Attachments[0].Document()},
		{Document: k.Request.Attachments[1].Document(), Left: casework.Say("不接受此类文件", "not accepted")},
	}, noon)
	w.cases["W1"] = k
	rec := w.act(t, asked{as: "service_hall", path: "/v1/cases/W1/documents"})
	require.NotContains(t, rec.Body.String(), "340207198505050020")
	require.Equal(t, []documentView{{
		ID: "M1-1", Kind: casework.IdentityPaper, KindName: "身份证明", Title: "身份证", Message: "M1", Reference: "****20", At: noon, By: "portal",
		URL: "https://water.example.cn/v1/cases/W1/documents/M1-1",
	}}, func() []documentView {
		items := read[page[documentView]](t, rec, 200).Items
		for i := range items {
			items[i].At = items[i].At.In(noon.Location())
		}
		return items
	}())
	refused(t, w.ask(t, asked{as: "service_hall", path: "/v1/cases/W1/documents/M1-1"}), 404, "document_elsewhere")
	shown := w.act(t, asked{as: "service_hall", path: "/v1/cases/W1"}).Body.String()
	require.NotContains(t, shown, "340207198505050020")
	require.Contains(t, shown, "不接受此类文件", "what was left in its message is shown with the reason")

	named := requestWith(func(o object) {
		o["attachments"] = []object{{"id": "M1-1", "kind": "other", "title": "x", "sender": "x", "message": "M1"}}
	})
	require.Equal(t, []string{"attachments"}, fields(refused(t, w.ask(t, asked{as: "platform", path: "/v1/connection-requests", body: named}), 422, "invalid_input")))
}
