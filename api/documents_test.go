package api

import (
	"archive/zip"
	"bytes"
	"errors"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
)

// form makes an upload of one file.
func form(t *testing.T, fields map[string]string, name string, content []byte) (body []byte, contentType string) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for field, value := range fields {
		require.NoError(t, m.WriteField(field, value))
	}
	if name != "" {
		f, err := m.CreateFormFile("file", name)
		require.NoError(t, err)
		_, _ = f.Write(content)
	}
	require.NoError(t, m.Close())
	return b.Bytes(), m.FormDataContentType()
}

func office2007(t *testing.T, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, p := range append([]string{"[Content_Types].xml"}, parts...) {
		_, err := z.Create(p)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

var pdf = []byte("%PDF-1.7\nminimal")

func (w *world) upload(t *testing.T, as, title, name string, content []byte, headers map[string]string) asked {
	t.Helper()
	fields := map[string]string{"kind": "construction_drawing"}
	if title != "" {
		fields["title"] = title
	}
	body, contentType := form(t, fields, name, content)
	h := map[string]string{"Content-Type": contentType}
	maps.Copy(h, headers)
	return asked{as: as, path: "/v1/cases/W1/documents", body: body, headers: h}
}

// No record keeps a zero character, in a title or in the name of a file.
func TestATitleWithAZeroCharacterIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	q := w.upload(t, "taskforce", "a\x00", "a.pdf", pdf, nil)
	require.Equal(t, []string{"title"}, fields(refused(t, w.ask(t, q), 422, "invalid_input")))
	named := w.upload(t, "taskforce", "", "a.pdf", pdf, nil)
	body, _ := named.body.([]byte)
	named.body = bytes.Replace(body, []byte(`filename="a.pdf"`), []byte(`filename*=UTF-8''a%00.pdf`), 1)
	require.Equal(t, []string{"title"}, fields(refused(t, w.ask(t, named), 422, "invalid_input")))
	require.Empty(t, w.cases["W1"].Documents)
}

func TestADocumentGoesInAndOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	q := w.upload(t, "taskforce", "施工图 凤河路", `C:\scans\图.pdf`, pdf, map[string]string{"Idempotency-Key": "upload-1"})
	rec := w.ask(t, q)
	d := read[documentView](t, rec, 201)
	require.Equal(t, "application/pdf", d.MediaType)
	require.Equal(t, int64(len(pdf)), d.Size)
	require.Equal(t, d.URL, rec.Header().Get("Location"))
	require.NotContains(t, rec.Body.String(), "cases/W1/D", "where the bytes lie is nobody's business")

	require.Equal(t, d.ID, read[documentView](t, w.ask(t, q), 200).ID, "a repeat is the same document")
	require.Len(t, w.cases["W1"].Documents, 1)
	require.Len(t, w.blobs, 1)

	rec = w.ask(t, asked{as: "auditor", path: "/v1/cases/W1/documents/" + d.ID})
	require.Equal(t, 200, rec.Code)
	require.Equal(t, pdf, rec.Body.Bytes())
	require.Equal(t, "application/pdf", rec.Header().Get("Content-Type"))
	require.Equal(t, "nosniff", rec.Header().Get("X-Content-Type-Options"))
	require.Contains(t, rec.Header().Get("Content-Security-Policy"), "sandbox")
	kind, params, err := mime.ParseMediaType(rec.Header().Get("Content-Disposition"))
	require.NoError(t, err)
	require.Equal(t, "attachment", kind)
	require.Equal(t, "施工图 凤河路.pdf", params["filename"])
	require.Equal(t, "document_read", w.audited[0].What)
}

func TestFilesByWhatIsInThem(t *testing.T) {
	t.Parallel()
	chinese := []byte("踏勘记录：现场具备接入条件。")
	for name, c := range map[string]struct {
		file    string
		content []byte
		want    string // empty: refused
	}{
		"pdf":                {"a.pdf", pdf, "application/pdf"},
		"capital extension":  {"A.PDF", pdf, "application/pdf"},
		"png":                {"a.png", []byte("\x89PNG\r\n\x1a\n0000"), "image/png"},
		"jpeg":               {"a.jpeg", []byte("\xff\xd8\xff\xe0"), "image/jpeg"},
		"docx":               {"a.docx", office2007(t, "word/document.xml"), "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		"xlsx":               {"a.xlsx", office2007(t, "xl/workbook.xml"), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
		"dwg":                {"a.dwg", []byte("AC1032\x00\x00"), "image/vnd.dwg"},
		"text":               {"a.txt", chinese, "text/plain"},
		"text of GB18030":    {"a.txt", []byte(gb18030(t, string(chinese))), "text/plain"},
		"png called pdf":     {"a.pdf", []byte("\x89PNG\r\n\x1a\n0000"), ""},
		"docx called xlsx":   {"a.xlsx", office2007(t, "word/document.xml"), ""},
		"macros":             {"a.docx", office2007(t, "word/document.xml", "word/vbaProject.bin"), ""},
		"zip":                {"a.zip", office2007(t), ""},
		"zip called docx":    {"a.docx", office2007(t), ""},
		"html":               {"a.html", []byte("<!doctype html><script>"), ""},
		"html called text":   {"a.txt", []byte("\ufeff <HTML>"), ""},
		"svg":                {"a.svg", []byte("<svg onload=alert(1)>"), ""},
		"program":            {"a.exe", []byte("MZ\x90\x00"), ""},
		"program called txt": {"a.txt", []byte("MZ\x90\x00"), ""},
		"without extension":  {"a", pdf, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.open(t, "W1")
			rec := w.ask(t, w.upload(t, "engineering", "", c.file, c.content, nil))
			if c.want != "" {
				require.Equal(t, c.want, read[documentView](t, rec, 201).MediaType)
				return
			}
			p := refused(t, rec, 415, "unsupported_file")
			require.Contains(t, p.ZH, "PDF、PNG、JPEG、DOCX、XLSX、DWG、TXT")
			require.Empty(t, w.blobs)
			require.Empty(t, w.cases["W1"].Documents)
		})
	}
}

func TestUploadsThatAreRefusedKeepNoBytes(t *testing.T) {
	t.Parallel()
	drawing := map[string]string{"kind": "construction_drawing"}
	for name, c := range map[string]struct {
		as      string // taskforce where empty
		fields  map[string]string
		file    string
		content []byte
		headers map[string]string
		before  func(*world)
		status  int
		code    string
	}{
		"file too large": {fields: drawing, file: "a.pdf", content: append(pdf, make([]byte, 2000)...), status: 413, code: "document_too_large"},
		"form too large": {fields: drawing, file: "a.pdf", content: append(pdf, make([]byte, formOverhead+3000)...), status: 413, code: "body_too_large"},
		"empty file":     {fields: drawing, file: "a.pdf", status: 422, code: "invalid_input"},
		"no file":        {fields: drawing, status: 422, code: "invalid_input"},
		"no form":        {fields: drawing, headers: map[string]string{"Content-Type": "application/json"}, status: 400, code: "malformed_body"},
		"unknown kind":   {fields: map[string]string{"kind": "poem"}, file: "a.pdf", content: pdf, status: 422, code: "invalid_input"},
		"unknown field":  {fields: map[string]string{"kind": "other", "colour": "red"}, file: "a.pdf", content: pdf, status: 422, code: "invalid_input"},
		"a reader":       {as: "auditor", fields: drawing, file: "a.pdf", content: pdf, status: 403, code: "wrong_role"},
		"wrong district": {as: "tf-jinghu", fields: drawing, file: "a.pdf", content: pdf, status: 403, code: "wrong_district"},
		"stale version":  {fields: drawing, file: "a.pdf", content: pdf, headers: map[string]string{"If-Match": `"1"`}, status: 409, code: "stale_version"},
		"case ended": {fields: drawing, file: "a.pdf", content: pdf, status: 409, code: "case_ended",
			before: func(w *world) { w.cases["W1"].Status = casework.Closed }},
		"unknown case": {fields: drawing, file: "a.pdf", content: pdf, status: 404, code: "case_not_found",
			before: func(w *world) { delete(w.cases, "W1") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *Options) { o.Limits.DocumentBytes = 2000 })
			w.hire("tf-jinghu", casework.Taskforce, "340202")
			w.open(t, "W1")
			if c.before != nil {
				c.before(w)
			}
			body, contentType := form(t, c.fields, c.file, c.content)
			headers := map[string]string{"Content-Type": contentType}
			maps.Copy(headers, c.headers)
			rec := w.ask(t, asked{as: nonZero(c.as, "taskforce"), path: "/v1/cases/W1/documents", body: body, headers: headers})
			refused(t, rec, c.status, c.code)
			require.Empty(t, w.blobs)
		})
	}
}

// Where the case refuses after all, the bytes go; where nobody knows, a
// repeat needs them.
func TestBytesOfADocumentThatTheCaseRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open(t, "W1")
	w.down = casework.Refuse(casework.Conflict, "case_ended", casework.Say("已结束", "ended"))
	refused(t, w.ask(t, w.upload(t, "taskforce", "", "a.pdf", pdf, nil)), 409, "case_ended")
	require.Empty(t, w.blobs)
	w.down = casework.Refuse(casework.Unavailable, "desk_unavailable", casework.Say("暂不可用", "not available"))
	refused(t, w.ask(t, w.upload(t, "taskforce", "", "a.pdf", pdf, nil)), 503, "desk_unavailable")
	require.Len(t, w.blobs, 1)
	w.down = errors.New("a bug")
	refused(t, w.ask(t, w.upload(t, "taskforce", "", "a.pdf", pdf, nil)), 500, "internal")
	require.Len(t, w.blobs, 2)
}

// A draft is HTML that the system wrote; it is shown, but as a stranger.
func TestADraftRunsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.open(t, "W1")
	k.Drafted([]casework.Document{{ID: "draft-1", Kind: casework.Booking, Title: "预约信息", MediaType: "text/html; charset=utf-8", Size: 4, Key: "k"}}, noon)
	w.keep(k)
	w.blobs["k"] = []byte("<p>x")
	rec := w.ask(t, asked{as: "auditor", path: "/v1/cases/W1/documents/draft-1"})
	require.Equal(t, http.StatusOK, rec.Code)
	require.True(t, strings.HasPrefix(rec.Header().Get("Content-Disposition"), "inline"))
	require.Contains(t, rec.Header().Get("Content-Disposition"), "filename*=utf-8''")
	require.True(t, strings.HasPrefix(rec.Header().Get("Content-Security-Policy"), "sandbox;"))
}
