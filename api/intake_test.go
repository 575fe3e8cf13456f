package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/curbstop/curbstop/casework"
)

func TestARequestIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := asked{as: "platform", path: "/v1/connection-requests", body: requestWith(func(o object) { part(o, "contact")["phone"] = "+86 138-0000-1653" })}
	rec := w.ask(t, q)
	first := read[Acceptance](t, rec, 201)
	require.Equal(t, "https://water.example.cn/v1/cases/"+first.Number, rec.Header().Get("Location"))
	require.Equal(t, accepted, first.Status)
	require.True(t, w.ring.CheckCode(first.Number, first.Code))
	require.Equal(t, "https://water.example.cn/v1/public/progress?number="+first.Number+"&code="+first.Code, first.ProgressURL)
	require.Equal(t, "13800001653", w.cases[first.Number].Request.Contact.Phone)

	again := read[Acceptance](t, w.ask(t, q), 200)
	require.Equal(t, acceptedBefore, again.Status)
	require.Equal(t, first.Number, again.Number)
	require.Equal(t, first.Code, again.Code)

	// A platform that repeats another's number learns the case, not the code
	// with which it could act in the customer's name.
	w.hire("platform-2", casework.Platform)
	q.as = "platform-2"
	require.Empty(t, read[Acceptance](t, w.ask(t, q), 200).Code)
	q.as = "hotline"
	require.NotEmpty(t, read[Acceptance](t, w.ask(t, q), 200).Code)
}

func TestTheKeyStandsForAMissingNumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	q := asked{as: "hotline", path: "/v1/connection-requests", headers: map[string]string{"Idempotency-Key": "my-key-1"},
		body: requestWith(func(o object) { delete(o, "external_number") })}
	first := read[Acceptance](t, w.ask(t, q), 201)
	require.Equal(t, first.Number, read[Acceptance](t, w.ask(t, q), 200).Number)
	q.as = "taskforce"
	require.NotEqual(t, first.Number, read[Acceptance](t, w.ask(t, q), 201).Number, "another person's key is another key")
}

func TestAcceptedThoughTheWorkCannotStartYet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.down = casework.Refuse(casework.Unavailable, "desk_unavailable", casework.Say("暂不可用", "not available"))
	q := asked{as: "hotline", path: "/v1/connection-requests", body: goodRequest()}
	first := read[Acceptance](t, w.ask(t, q), 202)
	require.Equal(t, starting, first.Status)
	require.Empty(t, w.cases)
	w.down = nil
	require.Equal(t, first.Number, read[Acceptance](t, w.ask(t, q), 200).Number)
	require.Len(t, w.cases, 1, "who sends it again starts it")
	w.down = errors.New("a bug")
	q.body = requestWith(func(o object) { o["external_number"] = "A-2" })
	refused(t, w.ask(t, q), 500, "internal")
}

func list(name, body string) asked {
	return asked{as: "taskforce", path: "/v1/request-lists?name=" + name, body: body, headers: map[string]string{"Content-Type": "text/csv"}}
}

const header = "序号,单位名称,统一社会信用代码,联系人,联系电话,所属区县,用能地址,用能类型\r\n"

const fourRows = header +
	"1,芜湖泰盛汽车零部件有限公司,91340281WKEFY5QE4Y,沈兰英,13800001653,无为市,凤河路30号,水\r\n" +
	"2,芜湖越皖电子科技有限公司,91340209PA7R8JM87F,冯艳,13900008260,弋江区,利民路16号3栋,水、气\r\n" +
	"3,芜湖远源洗涤服务有限公司,91340212U6RU536T8G,杨平英,1380000682,繁昌区,迎春路305号,水\r\n" +
	"4,芜湖泰江食品有限公司,913402126HBF5M4P7K,韩刚军,17700006310,繁昌区,繁阳大道257号,气\r\n" +
	"5,坏行\r\n" +
	"6,芜湖恒远食品有限公司,91340212U6RU536T8G,韩刚,138 0000 6310,繁昌区,繁阳大道25号,水\r\n"

func TestAListIsTakenRowByRow(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"utf-8": fourRows, "gb18030": gb18030(t, fourRows)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, waterOnly)
			got := read[listAnswer](t, w.ask(t, list("park-1", body)), 200)
			require.Equal(t, "park-1", got.List)
			require.Equal(t, listCounts{Rows: 6, Accepted: 1, AcceptedWithNote: 2, Kept: 3, Cases: 3}, got.Counts)
			outcomes := ""
			for i, r := range got.Rows {
				require.Equal(t, i+2, r.Line)
				outcomes += r.Outcome + " "
				for _, f := range r.Faults {
					requireBoth(t, f.ZH, f.EN)
				}
			}
			require.Equal(t, "accepted accepted_with_note kept kept kept accepted_with_note ", outcomes)
			require.Equal(t, "用能类型", got.Rows[1].Faults[0].Field)
			require.Equal(t, "用气服务尚未在本系统开通", got.Rows[1].Faults[0].ZH)
			require.Len(t, w.keptRows, 4, "the row of which half was accepted is kept too")

			again := read[listAnswer](t, w.ask(t, list("park-1", body)), 200)
			require.Equal(t, listCounts{Rows: 6, AcceptedBefore: 3, Kept: 3, Cases: 3}, again.Counts)
			require.Len(t, w.cases, 3)
			require.Equal(t, got.Rows[0].Cases[0].Code, again.Rows[0].Cases[0].Code)

			kept := read[page[casework.KeptRow]](t, w.ask(t, asked{as: "auditor", path: "/v1/request-lists/park-1/kept"}), 200)
			require.Len(t, kept.Items, 8)
			require.Equal(t, "kept_rows_read", w.audited[0].What)
		})
	}
}

func gb18030(t *testing.T, s string) string {
	t.Helper()
	out, err := simplifiedchinese.GB18030.NewEncoder().String(s)
	require.NoError(t, err)
	return out
}

func TestListsThatAreNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		asked
		status int
		code   string
	}{
		"unknown header":   {list("x", "序号,颜色\r\n1,红\r\n"), 422, "bad_header"},
		"empty":            {list("x", header), 422, "empty_list"},
		"nothing at all":   {list("x", " "), 422, "empty_list"},
		"a workbook":       {list("x", "PK\x03\x04\x00\x00\x00"), 422, "unknown_encoding"},
		"without a name":   {list("", fourRows), 422, "invalid_input"},
		"name with slash":  {list("a%2Fb", fourRows), 422, "invalid_input"},
		"too large":        {list("x", header+strings.Repeat("x", 4000)), 413, "list_too_large"},
		"sent by a reader": {asked{as: "auditor", path: "/v1/request-lists?name=x", body: fourRows}, 403, "wrong_role"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *Options) { o.Limits.ListBytes = 4000 })
			refused(t, w.ask(t, c.asked), c.status, c.code)
			require.Empty(t, w.receipts)
			require.Empty(t, w.keptRows)
		})
	}
}

// A store that fails midway ends the answer with the reason; what came before
// stands, and sending the list again brings the rest.
func TestAListThatBreaksOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.down = errors.New("secret of the database")
	rec := w.ask(t, list("x", fourRows))
	got := read[listAnswer](t, rec, 200)
	require.Equal(t, "internal", got.Problem.Code)
	require.Empty(t, got.Rows)
	require.NotContains(t, rec.Body.String(), "secret")
	w.down = nil
	require.Equal(t, 5, read[listAnswer](t, w.ask(t, list("x", fourRows)), 200).Counts.Cases)
}

// discarding counts an answer's lines and forgets them.
type discarding struct {
	*httptest.ResponseRecorder
	lines int
	last  []byte
	peak  uint64
}

func (d *discarding) Write(b []byte) (int, error) {
	d.lines += bytes.Count(b, []byte("\n"))
	d.last = append(d.last, b...)
	d.last = d.last[max(0, len(d.last)-600):]
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	d.peak = max(d.peak, m.HeapAlloc)
	return len(b), nil
}

// forgetful keeps nothing of a list, so that what grows is the api.
type forgetful struct{ Store }

func (forgetful) KeepRows(context.Context, []casework.KeptRow) error { return nil }
func (forgetful) Accept(_ context.Context, r casework.Request, by casework.Actor, now time.Time) (casework.Receipt, bool, error) {
	return casework.Receipt{Number: "W" + r.ExternalNumber, By: by, Started: true}, false, nil
}

func (forgetful) AcceptTogether(_ context.Context, external string, requests []casework.Request, by casework.Actor, _ time.Time) (casework.JointReceipt, bool, error) {
	rec := casework.JointReceipt{Number: "J" + external}
	for _, r := range requests {
		rec.Receipts = append(rec.Receipts, casework.Receipt{Number: "W" + r.ExternalNumber, Request: r, By: by, Started: true})
	}
	return rec, false, nil
}

// The encodings take turns: each counts what it takes by itself.
func TestALongListTakesLittleMemory(t *testing.T) {
	for name, encode := range map[string]func(string) string{
		"utf-8 with a byte-order mark": func(s string) string { return s },
		"gb18030":                      func(s string) string { return gb18030(t, s) },
	} {
		t.Run(name, func(t *testing.T) { longList(t, encode) })
	}
}

func longList(t *testing.T, encode func(string) string) {
	t.Helper()
	w := newWorld(t, func(o *Options) { o.Store = forgetful{o.Store} })
	const rows = 10_000
	file, err := os.CreateTemp(t.TempDir(), "list")
	require.NoError(t, err)
	if encode("水") == "水" {
		_, _ = io.WriteString(file, "\ufeff")
	}
	_, _ = io.WriteString(file, encode(header))
	for i := range rows {
		phone, utility := fmt.Sprintf("138%08d", i), "水"
		if i%5 == 0 {
			phone = "call me"
		}
		if i%3 == 0 {
			utility = "水、气"
		}
		_, _ = io.WriteString(file, encode(fmt.Sprintf("%d,芜湖第%d食品有限公司,91340281WKEFY5QE4Y,沈兰英,%s,无为市,凤河路%d号,%s\r\n", i+1, i, phone, i, utility)))
	}
	_, _ = file.Seek(0, io.SeekStart)
	size, _ := file.Stat()

	r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/request-lists?name=long", file)
	r.Header.Set("Authorization", "Bearer "+w.token(t, "platform"))
	r.Header.Set("Idempotency-Key", "long-list-1")
	r.Header.Set("Accept", ndjson)
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	rec := &discarding{ResponseRecorder: httptest.NewRecorder()}
	w.api.Handler().ServeHTTP(rec, r)
	require.Equal(t, rows+1, rec.lines)
	var end struct{ Counts listCounts }
	require.NoError(t, json.Unmarshal(rec.last[bytes.LastIndexByte(bytes.TrimSpace(rec.last), '\n')+1:], &end))
	require.Equal(t, listCounts{Rows: rows, AcceptedBefore: 8000, Kept: 2000, Cases: 8000 + 2667}, end.Counts)
	grown := int64(rec.peak) - int64(before.HeapAlloc)
	t.Logf("a list of %d rows and %d KiB: heap grew by at most %d KiB", rows, size.Size()>>10, grown>>10)
	require.Less(t, grown, int64(16<<20))
}

// A published version that drops a utility, or adds it again, holds for what
// comes in from then on, without a restart; what was accepted before stays ours.
func TestUtilitiesFollowThePolicyInForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gas := func(external string) asked {
		return asked{as: "platform", path: "/v1/connection-requests", body: requestWith(func(o object) { o["utility"], o["external_number"] = "gas", external })}
	}
	service := func(external string) asked {
		body := transferBody()
		body["utility"], body["external_number"] = "gas", external
		return asked{as: "hotline", path: "/v1/service-requests", body: body}
	}
	both := func(external string) asked {
		body := jointBody("gas", "water")
		body["external_number"] = external
		return asked{as: "platform", path: "/v1/joint-requests", body: body}
	}
	case1 := read[Acceptance](t, w.ask(t, gas("A-1")), 201)
	transfer := read[Acceptance](t, w.ask(t, service("S-1")), 201)
	joint := read[JointAcceptance](t, w.ask(t, both("J-1")), 201)
	rows := read[listAnswer](t, w.ask(t, list("park-1", fourRows)), 200)
	require.Empty(t, rows.Rows[1].Faults)

	w.serve("water", "[water]")
	require.Equal(t, acceptedBefore, read[Acceptance](t, w.ask(t, gas("A-1")), 200).Status)
	require.Equal(t, case1.Number, read[Acceptance](t, w.ask(t, gas("A-1")), 200).Number)
	require.Equal(t, forwarded, read[Acceptance](t, w.ask(t, gas("A-2")), 202).Status)
	require.Equal(t, transfer.Number, read[Acceptance](t, w.ask(t, service("S-1")), 200).Number)
	refused(t, w.ask(t, service("S-2")), 409, "utility_not_served")
	require.Equal(t, joint.Number, read[JointAcceptance](t, w.ask(t, both("J-1")), 200).Number)
	half := read[JointAcceptance](t, w.ask(t, both("J-2")), 201)
	require.Len(t, half.Notes, 1)
	again := read[listAnswer](t, w.ask(t, list("park-1", fourRows)), 200)
	require.Equal(t, rowAcceptedBefore, again.Rows[1].Outcome)
	other := read[listAnswer](t, w.ask(t, list("park-2", fourRows)), 200)
	require.Equal(t, "用能类型", other.Rows[1].Faults[0].Field)
	require.Equal(t, 200, w.ask(t, asked{as: "taskforce", path: "/v1/cases/" + case1.Number}).Code)

	w.serve("both", "[water, gas]")
	require.Equal(t, accepted, read[Acceptance](t, w.ask(t, gas("A-3")), 201).Status)
}
