package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
)

type object = map[string]any

// contactInput completes the first task of an opened case.
func contactInput() object { return object{"by": "phone"} }

func complete(kind, input any) object {
	o := object{"input": input}
	if kind != nil {
		o["kind"] = kind
	}
	return o
}

func requestWith(change func(object)) object {
	raw, _ := json.Marshal(goodRequest())
	o := object{}
	_ = json.Unmarshal(raw, &o)
	change(o)
	return o
}

func part(o object, name string) object { v, _ := o[name].(object); return v }

// Each bad input gets its status, its code, both languages and the fields that
// are wrong, and leaves the case as it was.
func TestBadInputIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	const completeT1 = "/v1/tasks/W1-T1/complete"
	for name, q := range map[string]struct {
		asked
		status int
		code   string
		fields []string
	}{
		"wrong task kind":          {asked{as: "taskforce", path: completeT1, body: complete("callback", contactInput())}, 409, "wrong_task_kind", nil},
		"unknown task kind":        {asked{as: "taskforce", path: completeT1, body: complete("dance", contactInput())}, 422, "invalid_input", []string{"kind"}},
		"wrong role by the route":  {asked{as: "auditor", path: completeT1, body: complete(nil, contactInput())}, 403, "wrong_role", nil},
		"wrong role by the task":   {asked{as: "network", path: completeT1, body: complete(nil, contactInput())}, 403, "wrong_role", nil},
		"wrong district":           {asked{as: "tf-jinghu", path: completeT1, body: complete(nil, contactInput())}, 403, "wrong_district", nil},
		"read in a wrong district": {asked{as: "tf-jinghu", path: "/v1/cases/W1"}, 403, "wrong_district", nil},
		"task already done":        {asked{as: "network", path: "/v1/tasks/W1-T2/complete", body: complete(nil, object{"result": "adequate"})}, 409, "task_not_open", nil},
		"stale version":            {asked{as: "taskforce", path: completeT1, body: complete(nil, contactInput()), headers: map[string]string{"If-Match": `"1"`}}, 409, "stale_version", nil},
		"no version":               {asked{as: "taskforce", path: completeT1, body: complete(nil, contactInput()), headers: map[string]string{"If-Match": "yesterday"}}, 400, "if_match", nil},
		"unknown case":             {asked{as: "taskforce", path: "/v1/cases/W9"}, 404, "case_not_found", nil},
		"unknown case, write":      {asked{as: "taskforce", path: "/v1/tasks/W9-T1/claim", method: http.MethodPost}, 404, "case_not_found", nil},
		"bytes of no text":         {asked{as: "taskforce", path: "/v1/cases/%ff"}, 400, "address_unreadable", nil},
		"a zero byte":              {asked{as: "taskforce", path: "/v1/cases?text=a%00"}, 400, "address_unreadable", nil},
		"a zero byte, a stranger":  {asked{path: "/v1/public/progress?number=%00&code=AAAAAAAAAA"}, 400, "address_unreadable", nil},
		"a zero character":         {asked{as: "taskforce", path: completeT1, body: `{"input":{"by":"phone","note":"a\u0000"}}`}, 422, "zero_character", nil},
		"a stranger's zero": {asked{path: "/v1/public/service-requests", body: `{"channel":"wechat","service":"account_closing","utility":"water",
			"account":"0000000001","holder":{"name":"测试赵丁","phone":"13800138000"},"reason":"a\u0000"}`}, 422, "zero_character", nil},
		"no task ID":              {asked{as: "taskforce", path: "/v1/tasks/W1/claim", method: http.MethodPost}, 404, "task_not_found", nil},
		"unknown escalation":      {asked{as: "taskforce", path: "/v1/cases/W1/escalations/lane/breach/acknowledge", body: object{}}, 404, "escalation_not_found", nil},
		"another's escalation":    {asked{as: "taskforce_office", path: "/v1/cases/W2/escalations/W1-T1/breach/acknowledge", body: object{}}, 404, "escalation_not_found", nil},
		"oversized body":          {asked{as: "taskforce", path: completeT1, body: `{"input":{"note":"` + strings.Repeat("x", 1<<20) + `"}}`}, 413, "body_too_large", nil},
		"malformed JSON":          {asked{as: "taskforce", path: completeT1, body: `{"input":`}, 400, "malformed_body", nil},
		"no body":                 {asked{as: "taskforce", path: completeT1, method: http.MethodPost}, 400, "malformed_body", nil},
		"another kind of body":    {asked{as: "taskforce", path: completeT1, body: "a=1", headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, 415, "unsupported_body", nil},
		"unknown field":           {asked{as: "taskforce", path: completeT1, body: object{"input": object{}, "nonsense": 1}}, 422, "invalid_input", []string{"nonsense"}},
		"unknown field of a task": {asked{as: "taskforce", path: completeT1, body: complete(nil, object{"by": "phone", "nonsense": 1})}, 422, "invalid_input", []string{"nonsense"}},
		"impossible date of a task": {asked{as: "taskforce", path: completeT1, body: complete(nil, object{"by": "phone", "wanted_on": "2026-02-30"})},
			422, "invalid_input", []string{""}},
		"impossible date": {asked{as: "taskforce", path: "/v1/connection-requests", body: requestWith(func(o object) { part(o, "demand")["wanted_on"] = "2026-02-30" })},
			422, "invalid_input", []string{"demand.wanted_on"}},
		"bad credit code": {asked{as: "taskforce", path: "/v1/connection-requests", body: requestWith(func(o object) { part(o, "applicant")["credit_code"] = "91340281WKEFY5QE4X" })},
			422, "invalid_input", []string{"applicant.credit_code"}},
		"override without reason": {asked{as: "taskforce", path: "/v1/connection-requests", body: requestWith(func(o object) {
			part(o, "applicant")["credit_code"], part(o, "applicant")["credit_code_override"] = "91340281WKEFY5QE4X", " "
		})}, 422, "invalid_input", []string{"applicant.credit_code"}},
		"bad phone": {asked{as: "taskforce", path: "/v1/connection-requests", body: requestWith(func(o object) { part(o, "contact")["phone"] = "1380000165" })},
			422, "invalid_input", []string{"contact.phone"}},
		"everything missing, named at once": {asked{as: "taskforce", path: "/v1/connection-requests", body: object{"utility": "water", "channel": "outreach"}},
			422, "invalid_input", []string{"applicant.credit_code", "applicant.name", "contact.name", "contact.phone", "site.address", "site.district"}},
		"abolished district": {asked{as: "taskforce", path: "/v1/connection-requests", body: requestWith(func(o object) { part(o, "site")["district"] = "340208" })},
			422, "invalid_input", []string{"site.district"}},
		"unknown channel": {asked{as: "taskforce", path: "/v1/connection-requests", body: requestWith(func(o object) { o["channel"] = "fax" })},
			422, "invalid_input", []string{"channel"}},
		"forbidden charge": {asked{as: "engineering", path: "/v1/cases/W1/charges", body: object{"kind": "metering_device", "amount": 10000, "note": "水表"}},
			409, "charge_forbidden", nil},
		"pause for no reason": {asked{as: "taskforce", path: "/v1/cases/W1/pause", body: object{"reason": "holiday", "planned_end": "2026-12-02T09:00:00+08:00"}},
			422, "invalid_input", []string{"evidence", "reason"}},
		"pause until no moment": {asked{as: "taskforce", path: "/v1/cases/W1/pause", body: object{"reason": "customer_not_ready", "evidence": "函", "planned_end": "2026-13-02T09:00:00+08:00"}},
			422, "invalid_input", []string{"planned_end"}},
		"amend nothing":               {asked{as: "taskforce", method: http.MethodPatch, path: "/v1/cases/W1", body: object{"reason": "笔误"}}, 422, "invalid_input", []string{""}},
		"assign to nobody":            {asked{as: "taskforce_office", path: "/v1/tasks/W1-T1/assign", body: object{"to": "ghost"}}, 422, "invalid_input", []string{"to"}},
		"assign to the wrong person":  {asked{as: "taskforce_office", path: "/v1/tasks/W1-T1/assign", body: object{"to": "network"}}, 422, "invalid_input", []string{"to"}},
		"assign without a name":       {asked{as: "taskforce_office", path: "/v1/tasks/W1-T1/assign", body: object{}}, 422, "invalid_input", []string{"to"}},
		"release what nobody holds":   {asked{as: "taskforce_office", path: "/v1/tasks/W1-T1/release", body: object{}}, 409, "task_not_held", nil},
		"too many tasks at once":      {asked{as: "taskforce_office", path: "/v1/tasks/bulk-assign", body: object{"to": "taskforce", "tasks": []string{}}}, 422, "invalid_input", []string{"tasks"}},
		"bad filter":                  {asked{as: "auditor", path: "/v1/cases?status=lost&limit=900&overdue=perhaps&colour=red"}, 422, "invalid_input", []string{"colour"}},
		"bad values of filters":       {asked{as: "auditor", path: "/v1/cases?status=lost&limit=900&overdue=perhaps&received_from=2026-02-30"}, 422, "invalid_input", []string{"limit", "overdue", "received_from", "status"}},
		"filter that ends too early":  {asked{as: "auditor", path: "/v1/cases?received_from=2026-03-02&received_to=2026-03-01"}, 422, "invalid_input", []string{"received_to"}},
		"filter outside one's area":   {asked{as: "tf-jinghu", path: "/v1/cases?district=340281"}, 403, "wrong_district", nil},
		"another department's tasks":  {asked{as: "network", path: "/v1/tasks?department=engineering"}, 403, "wrong_department", nil},
		"key that is too short":       {asked{as: "taskforce", path: completeT1, body: complete(nil, contactInput()), headers: map[string]string{"Idempotency-Key": "short"}}, 400, "idempotency_key", nil},
		"key with blanks":             {asked{as: "taskforce", path: completeT1, body: complete(nil, contactInput()), headers: map[string]string{"Idempotency-Key": "one two three"}}, 400, "idempotency_key", nil},
		"staff without a role":        {asked{as: "taskforce_office", method: http.MethodPut, path: "/v1/staff/new-1", body: object{"name": "张三", "department": "taskforce"}}, 422, "invalid_input", []string{"roles"}},
		"own roles":                   {asked{as: "taskforce_office", method: http.MethodPut, path: "/v1/staff/taskforce_office", body: object{"name": "x", "department": "taskforce", "roles": []string{"management"}, "active": true}}, 403, "own_roles", nil},
		"weak password":               {asked{as: "taskforce_office", method: http.MethodPut, path: "/v1/staff/new-1", body: object{"name": "张三", "department": "taskforce", "roles": []string{"taskforce"}, "password": "short"}}, 422, "invalid_input", []string{"password"}},
		"unknown kind of task":        {asked{as: "auditor", path: "/v1/task-kinds/dance"}, 404, "task_kind_not_found", nil},
		"document that is not there":  {asked{as: "auditor", path: "/v1/cases/W1/documents/D1"}, 404, "document_not_found", nil},
		"decoding where there's none": {asked{as: "auditor", path: codecPath, body: object{}}, 404, "no_codec", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.hire("tf-jinghu", casework.Taskforce, "340202")
			w.open(t, "W1")
			w.open(t, "W2")
			w.act(t, asked{as: "network", path: "/v1/tasks/W1-T2/complete", body: complete(nil, object{"result": "adequate", "main_diameter": 300, "pressure": 0.3})})
			before, receipts := w.state("W1")+w.state("W2"), maps.Clone(w.receipts)

			rec := w.ask(t, q.asked)
			p := refused(t, rec, q.status, q.code)
			if q.fields != nil {
				require.Equal(t, q.fields, fields(p), rec.Body.String())
			}
			require.NotContains(t, rec.Body.String(), "1380000165", "a phone number is repeated")
			require.Equal(t, before, w.state("W1")+w.state("W2"))
			require.Equal(t, receipts, w.receipts)
		})
	}
}

func TestOverrideOfACreditCodeWithAReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.ask(t, asked{as: "taskforce", path: "/v1/connection-requests", body: requestWith(func(o object) {
		part(o, "applicant")["credit_code"], part(o, "applicant")["credit_code_override"] = "91340281WKEFY5QE4X", "执照如此，已核对"
	})})
	require.Equal(t, 201, rec.Code, rec.Body.String())
}

// The limit holds where no length is announced, too.
func TestAnEndlessBodyIsCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.Limits.BodyBytes = 1000 })
	rec := w.ask(t, asked{as: "taskforce", path: "/v1/cases/W1/withdraw", body: struct{ *bytes.Reader }{bytes.NewReader(bytes.Repeat([]byte(" "), 1<<20))}})
	refused(t, rec, 413, "body_too_large")
}

func FuzzAddressesNeverFailInside(f *testing.F) {
	w := newWorld(f)
	w.open(f, "W1")
	f.Add("W1", "open", "50", "cursor")
	f.Add("W1-T1", "%00", "-1", "\x00")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		for _, path := range []string{"/v1/cases/", "/v1/tasks/", "/v1/request-lists/", "/v1/task-kinds/"} {
			rec := w.ask(t, asked{as: "auditor", path: (path + url.QueryEscape(a) + "?limit=" + url.QueryEscape(c))})
			require.Less(t, rec.Code, 500)
		}
		rec := w.ask(t, asked{as: "auditor", path: "/v1/cases?status=" + url.QueryEscape(b) + "&limit=" + url.QueryEscape(c) + "&cursor=" + url.QueryEscape(d) + "&text=" + url.QueryEscape(a)})
		require.Less(t, rec.Code, 500)
	})
}
