package api

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
)

func keyed(q asked, key string) asked {
	headers := map[string]string{"Idempotency-Key": key}
	maps.Copy(headers, q.headers)
	q.headers = headers
	return q
}

// A key stands for one request: the same again gets the first answer, another
// under it is refused and does nothing, whatever the route.
func TestAKeyStandsForOneRequest(t *testing.T) {
	t.Parallel()
	staff := object{"name": "王芳", "department": "service_hall", "roles": []string{"service_hall"}, "districts": []string{"*"}, "active": true}
	other := object{"name": "王芬", "department": "service_hall", "roles": []string{"service_hall"}, "districts": []string{"*"}, "active": true}
	for name, c := range map[string]struct{ first, second asked }{
		"an update of a case": {
			asked{as: "taskforce", path: "/v1/cases/W1/withdraw", body: object{"reason": "项目取消"}},
			asked{as: "taskforce", path: "/v1/cases/W1/withdraw", body: object{"reason": "重复提交"}},
		},
		"a request": {
			asked{as: "hotline", path: "/v1/connection-requests", body: requestWith(func(o object) { delete(o, "external_number") })},
			asked{as: "hotline", path: "/v1/connection-requests", body: requestWith(func(o object) { delete(o, "external_number"); part(o, "site")["address"] = "别处" })},
		},
		"a service": {
			asked{as: "hotline", path: "/v1/service-requests", body: transferBody()},
			asked{as: "hotline", path: "/v1/service-requests", body: func() object { b := transferBody(); b["account"] = "0000000002"; return b }()},
		},
		"a joint request": {
			asked{as: "hotline", path: "/v1/joint-requests", body: jointBody("gas", "water")},
			asked{as: "hotline", path: "/v1/joint-requests", body: jointBody("water")},
		},
		"a list":             {list("park-1", fourRows), list("park-1", header+"1,芜湖泰盛汽车零部件有限公司,91340281WKEFY5QE4Y,沈兰英,13800001653,无为市,凤河路30号,水\r\n")},
		"a list's name":      {list("park-1", fourRows), list("park-2", fourRows)},
		"a member of staff":  {asked{as: "taskforce_office", method: http.MethodPut, path: "/v1/staff/hall-09", body: staff}, asked{as: "taskforce_office", method: http.MethodPut, path: "/v1/staff/hall-09", body: other}},
		"a customer's words": {asked{path: "/v1/public/cases/W1/withdraw", body: object{"reason": "项目取消"}}, asked{path: "/v1/public/cases/W1/withdraw", body: object{"reason": "不办了"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.open(t, "W1")
			for _, q := range []*asked{&c.first, &c.second} {
				if body, ok := q.body.(object); ok && strings.HasPrefix(q.path, "/v1/public/") {
					body["code"] = w.ring.Code("W1")
				}
				*q = keyed(*q, "the-same-key")
			}
			w.act(t, c.first)
			before := w.state("W1")
			cases := len(w.cases)
			p := refused(t, w.ask(t, c.second), 422, "idempotency_key_reused")
			require.NotContains(t, p.Detail, "the-same-key")
			require.Equal(t, before, w.state("W1"))
			require.Len(t, w.cases, cases)
			w.act(t, c.first)
			require.Len(t, w.cases, cases)
			w.act(t, keyed(c.first, "another-key-"+key()))
		})
	}
}

// What was refused did nothing, so its key may come with the corrected body; a
// dry run binds nothing either, and JSON may be written in another way.
func TestAKeyIsBoundByWhatIsDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	q := keyed(asked{as: "taskforce", path: "/v1/cases/W1/withdraw", body: object{"reason": ""}}, "corrected-1")
	refused(t, w.ask(t, q), 422, "invalid_input")
	require.Empty(t, w.bound)
	q.body = `{"reason":"项目取消"}`
	first := w.act(t, q).Body.String()
	q.body = `{ "reason" : "\u9879目取消" }`
	require.Equal(t, first, w.act(t, q).Body.String())
	require.Len(t, w.bound, 1)
	for id, content := range w.bound {
		require.Regexp(t, "^[0-9a-f]{32}$", id)
		require.Regexp(t, "^[0-9a-f]{32}$", content)
	}

	// Where nobody knows what was done the key stays with its body.
	w.open(t, "W2")
	late := keyed(asked{as: "taskforce", path: "/v1/cases/W2/withdraw", body: object{"reason": "项目取消"}}, "in-doubt-1")
	w.down = casework.Refuse(casework.Unavailable, "try_again", casework.Say("繁忙", "busy"))
	refused(t, w.ask(t, late), 503, "try_again")
	w.down = nil
	late.body = object{"reason": "别的"}
	refused(t, w.ask(t, late), 422, "idempotency_key_reused")
	late.body = object{"reason": "项目取消"}
	w.act(t, late)

	import1 := keyed(asked{as: "network", path: "/v1/network/imports?name=m.csv&dry_run=true", body: "nonsense", headers: map[string]string{"Content-Type": "text/csv"}}, "imports-1")
	require.Equal(t, 422, w.ask(t, import1).Code)
	require.Len(t, w.bound, 2)
}

// A form's boundary is another one each time it is sent; its parts are compared.
func TestADocumentSentAgainMayHaveAnotherBoundary(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	again := map[string]string{"Idempotency-Key": "document-1"}
	require.Equal(t, 201, w.ask(t, w.upload(t, "taskforce", "施工图", "a.pdf", pdf, again)).Code)
	require.Equal(t, 200, w.ask(t, w.upload(t, "taskforce", "施工图", "a.pdf", pdf, again)).Code)
	refused(t, w.ask(t, w.upload(t, "taskforce", "别的", "a.pdf", pdf, again)), 422, "idempotency_key_reused")
	refused(t, w.ask(t, w.upload(t, "taskforce", "施工图", "a.pdf", append(pdf, '.'), again)), 422, "idempotency_key_reused")
}
