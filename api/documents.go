package api

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/curbstop/curbstop/casework"
)

// documentPolicy lets a document show itself and do nothing.
const documentPolicy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"

// formOverhead is what a form may hold beside its file.
const formOverhead = 64 << 10

func (a *API) registerDocuments() {
	read := forRoles(caseReaders...)
	handle(a, route{
		id: "list-documents", method: http.MethodGet, path: "/v1/cases/{number}/documents", tag: "documents", access: read,
		summary: casework.Say("材料清单", "the documents of a case"),
	}, a.listDocuments)
	handle(a, route{
		id: "attach-document", method: http.MethodPost, path: "/v1/cases/{number}/documents", tag: "documents",
		access: forRoles(casework.Taskforce, casework.TaskforceOffice, casework.Management, casework.Engineering, casework.Network,
			casework.Production, casework.Quality, casework.ServiceHall, casework.Hotline),
		status: http.StatusCreated, bodyBytes: a.limits.DocumentBytes + formOverhead, versioned: true,
		summary: casework.Say("上传材料（PDF、PNG、JPEG、DOCX、XLSX、DWG、TXT）", "attach a document (PDF, PNG, JPEG, DOCX, XLSX, DWG, TXT)"),
		body: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"multipart/form-data": {Schema: &huma.Schema{
			Type: huma.TypeObject, Required: []string{"kind", "file"},
			Properties: map[string]*huma.Schema{
				"kind":  documentKindSchema{}.Schema(nil),
				"title": {Type: huma.TypeString, Description: "名称；不填用文件名 title; the file's name where there is none"},
				"file":  {Type: huma.TypeString, Format: "binary", Description: "文件 the file"},
			},
		}}}},
	}, a.attachDocument)
	handle(a, route{
		id: "get-document", method: http.MethodGet, path: "/v1/cases/{number}/documents/{id}", tag: "documents", access: read,
		summary: casework.Say("下载材料（留痕）", "download a document; audited"),
		responses: map[string]*huma.Response{"200": {
			Description: "文件 the file",
			Content:     map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
		}},
	}, a.getDocument)
}

// documentView is a document without the place where its bytes lie.
type documentView struct {
	ID        string                `json:"id"`
	Kind      casework.DocumentKind `json:"kind"`
	KindName  string                `json:"kind_name"`
	Title     string                `json:"title"`
	MediaType string                `json:"media_type"`
	Size      int64                 `json:"size" doc:"字节 bytes"`
	SHA256    string                `json:"sha256"`
	Drafted   bool                  `json:"drafted,omitempty" doc:"系统生成 written by the system"`
	Message   string                `json:"message,omitempty" doc:"随哪份来件送来 the platform's message that brought it"`
	Reference string                `json:"reference,omitempty" doc:"证照编号或链接；原件不在本系统 its number or link, where the original lies elsewhere"`
	At        time.Time             `json:"at"`
	By        string                `json:"by"`
	URL       string                `json:"url"`
}

func (a *API) viewDocument(number string, d casework.Document) documentView {
	return documentView{
		ID: d.ID, Kind: d.Kind, KindName: d.Kind.Name(), Title: d.Title, MediaType: d.MediaType, Size: d.Size, SHA256: d.SHA256,
		Drafted: d.Drafted, Message: d.Message, Reference: maskReference(d.Kind, d.Reference), At: d.At, By: d.By, URL: a.link("/v1/cases/%s/documents/%s", number, d.ID),
	}
}

func (a *API) listDocuments(ctx context.Context, in *CaseAddress) (*reply[page[documentView]], error) {
	k, err := a.readable(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	return answer(page[documentView]{Items: a.viewCase(k).Documents}, nil)
}

type upload struct {
	CaseAddress
	RawBody multipart.Form
}

type documentReply struct {
	Status   int
	Location string `header:"Location"`
	Body     documentView
}

// attachDocument keeps the bytes and hands their record to the case. The ID
// follows from the caller's key, so that a repeat is the same document.
func (a *API) attachDocument(ctx context.Context, in *upload) (*documentReply, error) {
	k, err := a.readable(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	d := casework.Document{ID: "D" + callOf(ctx).updateID}
	d.Key = fmt.Sprintf("cases/%s/%s", k.Number, d.ID)
	if i := indexOf(k.Documents, d.ID); i >= 0 {
		return a.attached(http.StatusOK, k.Number, k.Documents[i]), nil
	}
	file, err := a.readForm(&in.RawBody, &d)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	// The case is asked first on a copy: bytes that it would refuse are not kept.
	d.At, d.By = a.now(), actorOf(ctx).ID
	act := casework.AttachDocument{By: by(ctx), Document: d}
	if _, err := k.Try(act, d.At); err != nil {
		return nil, err
	}
	if d.Size, d.SHA256, err = a.archive.Put(ctx, d.Key, d.MediaType, file); err != nil {
		return nil, unavailable(err)
	}
	act.Document = d
	if _, err := a.do(ctx, k.Number, act); err != nil {
		a.discard(ctx, d, err)
		return nil, err
	}
	return a.attached(http.StatusCreated, k.Number, d), nil
}

// discard takes back the bytes of a document that the case refused after all.
// Where nobody knows what became of it they stay: a repeat needs them.
func (a *API) discard(ctx context.Context, d casework.Document, refusal error) {
	switch casework.AsFault(refusal).Kind {
	case casework.Unavailable, casework.Internal:
		return
	default:
		if err := a.archive.Delete(context.WithoutCancel(ctx), d.Key); err != nil {
			a.log.WarnContext(ctx, "bytes without a document stay behind", slog.String("key", d.Key), slog.Any("error", err))
		}
	}
}

func indexOf(ds []casework.Document, id string) int {
	return slices.IndexFunc(ds, func(d casework.Document) bool { return d.ID == id })
}

func (a *API) attached(status int, number string, d casework.Document) *documentReply {
	v := a.viewDocument(number, d)
	return &documentReply{Status: status, Location: v.URL, Body: v}
}

// readForm takes the parts of a form into a document and opens its file.
func (a *API) readForm(form *multipart.Form, d *casework.Document) (multipart.File, error) {
	var c casework.Check
	for name := range form.Value {
		c.Require(name == "kind" || name == "title", name, casework.Say("没有这个填报项", "there is no such field"))
	}
	for name := range form.File {
		c.Require(name == "file", name, casework.Say("没有这个填报项", "there is no such field"))
	}
	d.Kind, d.Title = casework.DocumentKind(only(form.Value["kind"])), strings.TrimSpace(only(form.Value["title"]))
	c.Require(len(form.File["file"]) == 1, "file", casework.Say("请上传一个文件", "exactly one file is needed"))
	if err := c.Err(); err != nil {
		return nil, err
	}
	header := form.File["file"][0]
	switch {
	case header.Size > a.limits.DocumentBytes:
		return nil, casework.Refuse(casework.TooLarge, "document_too_large", casework.Sayf(
			"文件超过 %d MB", "the file exceeds %d MB", a.limits.DocumentBytes>>20))
	case header.Size == 0:
		c.Field("file", casework.Say("文件是空的", "the file is empty"))
		return nil, c.Err()
	}
	// A browser may send a whole path, with either slash.
	name := path.Base(strings.ReplaceAll(header.Filename, `\`, "/"))
	if d.Title == "" {
		d.Title = name
	}
	c.Nested("title", casework.CheckZero([]byte(d.Title)))
	if err := c.Err(); err != nil {
		return nil, err
	}
	file, err := header.Open()
	if err != nil {
		return nil, err
	}
	if d.MediaType, err = casework.RecogniseFile(file, header.Size, name); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// only gives the value of a field that is there once.
func only(values []string) string {
	if len(values) != 1 {
		return ""
	}
	return values[0]
}

type documentAddress struct {
	CaseAddress
	ID string `path:"id" maxLength:"80" doc:"材料编号 document ID"`
}

// getDocument sends a document. Documents name people, so each look is
// audited; none is ever run by a browser as a page of this address.
func (a *API) getDocument(ctx context.Context, in *documentAddress) (*streamed, error) {
	k, err := a.readable(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	i := indexOf(k.Documents, in.ID)
	if i < 0 {
		return nil, casework.Refuse(casework.NotFound, "document_not_found",
			casework.Say("该案件没有这份材料", "the case has no such document"))
	}
	d := k.Documents[i]
	if d.Key == "" {
		return nil, casework.Refuse(casework.NotFound, "document_elsewhere",
			casework.Say("本系统没有原件，请按材料清单中的编号或链接（reference）查阅", "the original is not kept here; look it up by the number or link (reference) in the list of documents"))
	}
	if err := a.audit(ctx, "document_read", k.Number, map[string]string{"document": d.ID}); err != nil {
		return nil, err
	}
	file, err := a.archive.Open(ctx, d.Key)
	if err != nil {
		return nil, unavailable(err)
	}
	return &streamed{Body: func(hc huma.Context) {
		defer func() { _ = file.Close() }()
		hc.SetHeader("Content-Type", d.MediaType)
		hc.SetHeader("Content-Disposition", disposition(d))
		hc.SetHeader("Content-Length", strconv.FormatInt(d.Size, 10))
		hc.SetHeader("ETag", `"`+d.SHA256+`"`)
		hc.SetHeader("Content-Security-Policy", documentPolicy)
		hc.SetStatus(http.StatusOK)
		if _, err := io.Copy(hc.BodyWriter(), file); err != nil {
			a.log.WarnContext(ctx, "a download broke off", slog.String("document", d.ID), slog.Any("error", err))
		}
	}}, nil
}

// disposition names the file (RFC 6266, RFC 8187). What the system drafted is
// shown in place, what people uploaded is only saved.
func disposition(d casework.Document) string {
	kind := "attachment"
	if d.Drafted {
		kind = "inline"
	}
	return mime.FormatMediaType(kind, map[string]string{"filename": casework.FileName(d)})
}
