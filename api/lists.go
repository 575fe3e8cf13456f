package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"os"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"golang.org/x/sync/errgroup"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms/parklist"
)

const (
	// listChunk is how many rows are worked on together. What became of them is
	// on disk before it is told, and no more than this many are in memory.
	listChunk = 128
	// listWorkers is how many rows are accepted at one time.
	listWorkers = 16
)

type listUpload struct {
	Name string `query:"name" required:"true" minLength:"1" maxLength:"60" pattern:"^[^/\\x00-\\x1f]+$" doc:"清单名称；同名重发不会重复收件 name of the list; sent again under its name, nothing is accepted twice"`

	body   io.Reader
	stream bool // one line a row
}

// Resolve takes the body as it comes, for a list may be larger than what is
// kept in memory.
func (in *listUpload) Resolve(ctx huma.Context) []error {
	in.body = humagin.Unwrap(ctx).Request.Body
	in.stream = strings.Contains(ctx.Header("Accept"), ndjson)
	return nil
}

const ndjson = "application/x-ndjson"

// listRow is what became of a row.
type listRow struct {
	Line    int                   `json:"line" doc:"文件中的行号 line in the file"`
	Number  string                `json:"number,omitempty" doc:"序号 the row's own number"`
	Outcome string                `json:"outcome" enum:"accepted,accepted_with_note,accepted_before,kept"`
	Cases   []listCase            `json:"cases" doc:"所立案件 the cases"`
	Notes   []casework.Text       `json:"notes,omitempty" doc:"按何种写法理解、哪些待补 what was read otherwise than written, or is deferred"`
	Faults  []casework.FieldFault `json:"faults,omitempty" doc:"为何留待人工处理 why the row was kept"`
}

// The outcomes of a row.
const (
	rowAccepted         = "accepted"
	rowAcceptedWithNote = "accepted_with_note"
	rowAcceptedBefore   = "accepted_before"
	rowKept             = "kept"
)

type listCase struct {
	Acceptance
	Utility casework.Utility `json:"utility"`
	Joint   string           `json:"joint,omitempty" doc:"联办编号；查询码对联办编号和各案件都有效 number of the joint request; the code serves it and each case"`
}

// listCounts closes a list's answer.
type listCounts struct {
	Rows             int `json:"rows"`
	Accepted         int `json:"accepted"`
	AcceptedWithNote int `json:"accepted_with_note"`
	AcceptedBefore   int `json:"accepted_before"`
	Kept             int `json:"kept"`
	Cases            int `json:"cases"`
}

func (c *listCounts) count(r listRow) {
	c.Rows++
	c.Cases += len(r.Cases)
	switch r.Outcome {
	case rowAccepted:
		c.Accepted++
	case rowAcceptedWithNote:
		c.AcceptedWithNote++
	case rowAcceptedBefore:
		c.AcceptedBefore++
	case rowKept:
		c.Kept++
	}
}

// listAnswer is the answer as a whole, which is written piece by piece. The
// problem is there where the rows after the last one were not reached.
type listAnswer struct {
	List    string     `json:"list"`
	Rows    []listRow  `json:"rows"`
	Problem *Problem   `json:"problem,omitempty" doc:"中途中断的原因；请以同名重发，已收的不会重复 why it broke off; send the list again under its name"`
	Counts  listCounts `json:"counts"`
}

func (a *API) registerLists() {
	upload := route{
		id: "accept-list", method: http.MethodPost, path: "/v1/request-lists", tag: "intake",
		access:    forRoles(casework.Taskforce, casework.TaskforceOffice, casework.ServiceHall, casework.Platform),
		bodyBytes: a.limits.ListBytes,
		summary:   casework.Say("提交园区清单（CSV，UTF-8 或 GB18030）；逐行收件，看不懂的行留待人工处理", "hand in a park's list (CSV, UTF-8 or GB18030), row by row; what is not understood is kept for a person"),
		body:      listBody(), responses: a.listResponses(), reads: true,
	}
	handle(a, upload, a.acceptList)
	handle(a, route{
		id: "kept-rows", method: http.MethodGet, path: "/v1/request-lists/{name}/kept", tag: "intake",
		access:  forRoles(casework.Taskforce, casework.TaskforceOffice, casework.ServiceHall, casework.Auditor),
		summary: casework.Say("清单中留待人工处理的行（含联系电话，查看留痕）", "the rows of a list that a person must mend; they hold phone numbers, so reading them is audited"),
	}, a.keptRows)
}

type streamed struct{ Body func(huma.Context) }

func (a *API) acceptList(ctx context.Context, in *listUpload) (*streamed, error) {
	return a.takeList(ctx, in, func(file *os.File) iter.Seq2[parklist.Row, error] {
		return parklist.Read(file, parklist.Options{List: in.Name})
	})
}

// takeList takes the rows of a list that a reader finds in the file.
func (a *API) takeList(ctx context.Context, in *listUpload, read func(*os.File) iter.Seq2[parklist.Row, error]) (*streamed, error) {
	file, err := spool(in.body)
	if err != nil {
		return nil, err
	}
	if err := a.bindKey(ctx); err != nil {
		_ = file.Close()
		_ = os.Remove(file.Name())
		return nil, err
	}
	next, stop := iter.Pull2(read(file))
	finish := func() {
		stop()
		_ = file.Close()
		_ = os.Remove(file.Name())
	}
	list := &listIntake{api: a, name: in.Name, next: next}
	// A file that is no list is refused before anything is answered or kept.
	first, err := list.chunk()
	if err != nil {
		finish()
		return nil, err
	}
	return &streamed{Body: func(hc huma.Context) {
		defer finish()
		list.run(ctx, newListWriter(hc, in.Name, in.stream), first)
	}}, nil
}

// spool puts a body on disk. A list that is too large or breaks off on its way
// is then refused as a whole instead of accepted by half, and memory stays
// flat.
func spool(body io.Reader) (*os.File, error) {
	file, err := os.CreateTemp("", "curbstop-list-*.csv")
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(file, body)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err == nil {
		return file, nil
	}
	_ = file.Close()
	_ = os.Remove(file.Name())
	if tooBig := new(http.MaxBytesError); errors.As(err, &tooBig) {
		return nil, casework.Refuse(casework.TooLarge, "list_too_large", casework.Sayf(
			"清单超过 %d MB，请拆分后提交", "the list exceeds %d MB; send it in parts", tooBig.Limit>>20))
	}
	return nil, err
}

// listIntake takes a list in, chunk by chunk.
type listIntake struct {
	api    *API
	name   string
	next   func() (parklist.Row, error, bool)
	counts listCounts
	broken error // what reading ended with, told after the rows before it
}

// chunk reads the next rows; none at the end. An error ahead of the first row
// is given back, a later one noted.
func (l *listIntake) chunk() ([]parklist.Row, error) {
	var rows []parklist.Row
	for len(rows) < listChunk && l.broken == nil {
		row, err, ok := l.next()
		switch {
		case !ok:
			return rows, nil
		case err != nil && len(rows) == 0:
			return nil, err
		case err != nil:
			l.broken = err
		default:
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func (l *listIntake) run(ctx context.Context, w *listWriter, rows []parklist.Row) {
	var err error
	for len(rows) > 0 && err == nil {
		var done []listRow
		if done, err = l.take(ctx, rows); err != nil {
			break
		}
		for _, r := range done {
			l.counts.count(r)
			w.row(r)
		}
		rows, err = l.chunk()
	}
	if err == nil {
		err = l.broken
	}
	var p *Problem
	if err != nil {
		p = problemOf(ctx, err)
	}
	w.end(p, l.counts)
}

// take accepts the rows of a chunk at one time and answers in their order.
// Nothing is answered before it is kept.
func (l *listIntake) take(ctx context.Context, rows []parklist.Row) ([]listRow, error) {
	served, err := l.api.served(ctx)
	if err != nil {
		return nil, err
	}
	done := make([]listRow, len(rows))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(listWorkers)
	for i := range rows {
		group.Go(func() (err error) {
			done[i], err = l.takeRow(ctx, served, rows[i])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var kept []casework.KeptRow
	var understood []int
	for i, row := range rows {
		if len(done[i].Faults) > 0 {
			kept = append(kept, l.kept(ctx, row, done[i].Faults))
		} else {
			understood = append(understood, row.Line)
		}
	}
	ctx = context.WithoutCancel(ctx) // the group's own context has ended with it
	if len(kept) > 0 {
		if err := l.api.store.KeepRows(ctx, kept); err != nil {
			return nil, err
		}
	}
	if len(understood) > 0 {
		if err := l.api.store.MendRows(ctx, l.name, understood, l.api.now()); err != nil {
			return nil, err
		}
	}
	return done, nil
}

// takeRow accepts the requests of a row. What this installation does not serve
// is a fault of the row, but no reason against its other half.
func (l *listIntake) takeRow(ctx context.Context, serves func(casework.Utility) bool, row parklist.Row) (listRow, error) {
	out := listRow{Line: row.Line, Number: row.Number, Notes: row.Notes, Faults: row.Faults, Cases: []listCase{}}
	fresh := false
	var served []casework.Request
	for _, r := range row.Requests {
		ours := serves(r.Utility)
		if !ours {
			var err error
			if ours, err = l.api.acceptedBefore(ctx, r.Channel, r.ExternalNumber); err != nil {
				return out, err
			}
		}
		if ours {
			served = append(served, r)
			continue
		}
		out.Faults = append(out.Faults, casework.FieldFault{Field: "用能类型", Text: notServed(r.Utility)})
	}
	switch len(served) {
	case 0:
	case 1:
		got, err := l.api.accept(ctx, served[0], false)
		if err != nil {
			return out, err
		}
		out.Cases = append(out.Cases, listCase{Acceptance: got, Utility: served[0].Utility})
	default:
		// The halves of a row are one request of one customer.
		external := strings.TrimSuffix(served[0].ExternalNumber, "/"+string(served[0].Utility))
		got, err := l.api.acceptTogether(ctx, external, served, false)
		if err != nil {
			return out, err
		}
		out.Cases = got.Cases
	}
	for _, c := range out.Cases {
		fresh = fresh || c.Status != acceptedBefore
	}
	switch {
	case len(out.Cases) == 0:
		out.Outcome = rowKept
	case !fresh:
		out.Outcome = rowAcceptedBefore
	case len(out.Notes) > 0 || len(out.Faults) > 0:
		out.Outcome = rowAcceptedWithNote
	default:
		out.Outcome = rowAccepted
	}
	return out, nil
}

func (l *listIntake) kept(ctx context.Context, row parklist.Row, faults []casework.FieldFault) casework.KeptRow {
	k := casework.KeptRow{
		List: l.name, Line: row.Line, Number: row.Number, Faults: faults, KeptAt: l.api.now(), KeptBy: actorOf(ctx).ID,
	}
	for _, c := range row.Cells {
		k.Cells = append(k.Cells, casework.Cell{Header: c.Header, Text: c.Text})
	}
	if len(row.Cells) == 0 {
		k.Cells = []casework.Cell{{Header: parklist.WholeLine, Text: row.Raw}}
	}
	return k
}

// listWriter writes an answer piece by piece, as one JSON object or as lines.
type listWriter struct {
	out     *bufio.Writer
	encoder *json.Encoder
	flusher http.Flusher
	stream  bool
	rows    int
}

func newListWriter(ctx huma.Context, list string, stream bool) *listWriter {
	w := &listWriter{out: bufio.NewWriter(ctx.BodyWriter()), stream: stream}
	w.flusher, _ = ctx.BodyWriter().(http.Flusher)
	w.encoder = json.NewEncoder(w.out)
	w.encoder.SetEscapeHTML(false)
	ctx.SetStatus(http.StatusOK)
	if stream {
		ctx.SetHeader("Content-Type", ndjson)
		return w
	}
	ctx.SetHeader("Content-Type", "application/json")
	_, _ = w.out.WriteString(`{"list":`)
	w.encode(list)
	_, _ = w.out.WriteString(`,"rows":[`)
	return w
}

// encode writes a value. A client that went away is noticed by the request's
// context; there is nobody left to tell.
func (w *listWriter) encode(v any) { _ = w.encoder.Encode(v) } //nolint:errchkjson // structs of our own

func (w *listWriter) row(r listRow) {
	if !w.stream && w.rows > 0 {
		_ = w.out.WriteByte(',')
	}
	w.encode(r)
	w.rows++
	if w.rows%listChunk == 0 {
		w.flush()
	}
}

func (w *listWriter) end(p *Problem, c listCounts) {
	if w.stream {
		w.encode(struct {
			Problem *Problem   `json:"problem,omitempty"`
			Counts  listCounts `json:"counts"`
		}{p, c})
	} else {
		_, _ = w.out.WriteString(`]`)
		if p != nil {
			_, _ = w.out.WriteString(`,"problem":`)
			w.encode(p)
		}
		_, _ = w.out.WriteString(`,"counts":`)
		w.encode(c)
		_, _ = w.out.WriteString("}\n")
	}
	w.flush()
}

func (w *listWriter) flush() {
	_ = w.out.Flush()
	if w.flusher != nil {
		w.flusher.Flush()
	}
}

type keptQuery struct {
	Name string `path:"name" maxLength:"60" doc:"清单名称 name of the list"`
	Paging
}

func (a *API) keptRows(ctx context.Context, in *keptQuery) (*reply[page[casework.KeptRow]], error) {
	if err := a.audit(ctx, "kept_rows_read", in.Name, nil); err != nil {
		return nil, err
	}
	rows, next, err := a.store.KeptRows(ctx, in.Name, in.page())
	return answer(page[casework.KeptRow]{rows, next}, err)
}

// audit records what somebody is about to see or take. It comes first: what
// can't be recorded is not shown.
func (a *API) audit(ctx context.Context, what, target string, data any) error {
	entry := casework.AuditEntry{At: a.now(), Actor: actorOf(ctx).ID, What: what, Target: target}
	if data != nil {
		b, err := json.Marshal(data)
		if err != nil {
			return err
		}
		entry.Data = b
	}
	return a.store.Audit(ctx, entry)
}
