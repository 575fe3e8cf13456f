package api

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/curbstop/curbstop/casework"
)

// Platforms takes in what government platforms and other outside systems send,
// and shows what became of it and what they were told.
type Platforms interface {
	// Receive proves a sender and answers it in its own words; path is below
	// its address. An error is a refusal for which it has none.
	Receive(w http.ResponseWriter, r *http.Request, sender, path string, from netip.Addr) error

	Messages(ctx context.Context, f casework.InboxFilter) ([]casework.InboxMessage, string, error)
	Message(ctx context.Context, id string) (casework.InboxMessage, error)
	// Mend keeps a corrected copy, Replay tries once more, and Ignore notes that
	// nothing is to be done; each gives the message as it stands then.
	Mend(ctx context.Context, id string, body []byte, note string, by casework.Actor) (casework.InboxMessage, error)
	Replay(ctx context.Context, id string) (casework.InboxMessage, error)
	Ignore(ctx context.Context, id, reason string, by casework.Actor) (casework.InboxMessage, error)

	ProgressReports(ctx context.Context, f casework.ProgressFilter) ([]casework.ProgressReport, string, error)
	ProgressReport(ctx context.Context, id int64) (casework.ProgressReport, error)
	RetryProgress(ctx context.Context, id int64, now time.Time) (casework.ProgressReport, error)
}

// platformPath is where senders reach us. What is below it is theirs to choose.
const platformPath = "/v1/platforms/{sender}/{path}"

func (a *API) registerPlatforms() {
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		a.describeReceipt(method)
		a.engine.Handle(method, "/v1/platforms/:sender/*path", a.receive)
	}
	readers := forRoles(casework.TaskforceOffice, casework.ServiceHall, casework.Auditor)
	menders := forRoles(casework.TaskforceOffice, casework.ServiceHall)
	handle(a, route{
		id: "list-inbox", method: http.MethodGet, path: "/v1/inbox", tag: "platforms", access: readers,
		summary: casework.Say("平台来件及其处理情况，最新的在前（不含正文）", "what platforms sent and what became of it, the newest first, without the bodies"),
	}, a.listInbox)
	handle(a, route{
		id: "inbox-message", method: http.MethodGet, path: "/v1/inbox/{id}", tag: "platforms", access: readers,
		summary: casework.Say("来件全文（含个人信息，查看留痕）", "a message, whole; it holds personal data, so reading it is audited"),
	}, a.inboxMessage)
	handle(a, route{
		id: "mend-message", method: http.MethodPost, path: "/v1/inbox/{id}/mend", tag: "platforms", access: menders, bodyBytes: 2 * a.limits.MessageBytes,
		summary: casework.Say("更正来件：保留原件，另存更正件并办理（操作留痕）", "mend a message: the original stays, a corrected copy is kept beside it and taken up; audited"),
	}, a.mendMessage)
	handle(a, route{
		id: "replay-message", method: http.MethodPost, path: "/v1/inbox/{id}/replay", tag: "platforms", access: menders,
		summary: casework.Say("重放来件，例如映射更正之后（操作留痕）", "take a message up once more, such as after a mapping was corrected; audited"),
	}, a.replayMessage)
	handle(a, route{
		id: "ignore-message", method: http.MethodPost, path: "/v1/inbox/{id}/ignore", tag: "platforms", access: menders,
		summary: casework.Say("忽略来件，须写明理由（操作留痕）", "ignore a message, with the reason; audited"),
	}, a.ignoreMessage)
	handle(a, route{
		id: "list-progress-reports", method: http.MethodGet, path: "/v1/progress-reports", tag: "platforms", access: readers,
		summary: casework.Say("向平台回传的进度及其结果，最新的在前", "what platforms are told of the cases that they follow and what became of it, the newest first"),
	}, a.listProgress)
	handle(a, route{
		id: "progress-report", method: http.MethodGet, path: "/v1/progress-reports/{report}", tag: "platforms", access: readers,
		summary: casework.Say("一条进度回传：发送与应答全文（查看留痕）", "what a platform was told and what it answered, whole; audited"),
	}, a.progressReport)
	handle(a, route{
		id: "retry-progress-report", method: http.MethodPost, path: "/v1/progress-reports/{report}/retry", tag: "platforms",
		access:  forRoles(casework.TaskforceOffice),
		summary: casework.Say("立即重发待回传的进度（操作留痕）", "tell a platform now what waits to be told; audited"),
	}, a.retryProgress)
}

// describeReceipt puts into the document what no operation of huma's serves:
// senders write in forms of their own.
func (a *API) describeReceipt(method string) {
	id := "platform-message"
	if method == http.MethodGet {
		id = "platform-message-by-get"
	}
	r := route{id: id, method: method, path: platformPath, tag: "platforms", access: access{public: true}, unkeyed: true}
	text := func(name, doc string) *huma.Param {
		return &huma.Param{Name: name, In: "path", Required: true, Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	a.huma.OpenAPI().AddOperation(&huma.Operation{
		OperationID: id, Method: method, Path: platformPath, Tags: []string{r.tag},
		Summary: casework.Say("平台报文：以约定的方式证明身份，格式与应答均为平台自己的", "a platform's message: it proves itself in the agreed way, and is answered in its own words").String(),
		Parameters: []*huma.Param{
			text("sender", "来件方编号 ID of the sender"), text("path", "来件方自己的路径，可含斜杠 the sender's own path; it may hold slashes"),
		},
		Responses: map[string]*huma.Response{
			"200": {Description: "平台约定的应答 the answer that was agreed with the platform"},
			"401": {Description: "身份未通过核验 the sender did not prove itself"},
			"429": {Description: "超过约定次数，请稍后重发 over its quota; send it again later"},
		},
		Metadata: map[string]any{routeKey: r}, Security: []map[string][]string{}, Extensions: map[string]any{"x-public": true},
	})
}

// receive hands a platform's message on. The address is the one that stands
// behind trusted proxies.
func (a *API) receive(c *gin.Context) {
	from, err := netip.ParseAddr(c.ClientIP())
	if err != nil {
		from = netip.Addr{}
	}
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, a.limits.MessageBytes)
	sender := c.Param("sender")
	if err := a.platforms.Receive(c.Writer, c.Request, sender, strings.TrimPrefix(c.Param("path"), "/"), from); err != nil {
		writeProblem(c, problemOf(c.Request.Context(), err))
	}
}

type inboxQuery struct {
	Sender string              `query:"sender" maxLength:"40" doc:"来件方编号 ID of the sender"`
	State  casework.InboxState `query:"state" enum:"received,taken_up,kept,mended,ignored" doc:"状态 state"`
	Paging
}

func (a *API) listInbox(ctx context.Context, in *inboxQuery) (*reply[page[casework.InboxMessage]], error) {
	found, next, err := a.platforms.Messages(ctx, casework.InboxFilter{Sender: in.Sender, State: in.State, Page: in.page()})
	return answer(page[casework.InboxMessage]{found, next}, err)
}

// InboxAddress names a message; exported like [CaseAddress].
type InboxAddress struct {
	ID string `path:"id" maxLength:"64" doc:"来件编号 ID of the message"`
}

// inboxView is a message, whole, as people read it.
type inboxView struct {
	casework.InboxMessage
	Body []byte `json:"body,omitempty" doc:"正文（base64），仅在不是文本时 the body in base64, where it is no text"`
	Text string `json:"text,omitempty" doc:"正文 the body"`
}

func viewInbox(m casework.InboxMessage) inboxView {
	v := inboxView{InboxMessage: m}
	if utf8.Valid(m.Body) {
		v.Text = string(m.Body)
	} else {
		v.Body = m.Body
	}
	return v
}

func (a *API) inboxMessage(ctx context.Context, in *InboxAddress) (*reply[inboxView], error) {
	if err := a.audit(ctx, "inbox_message_read", in.ID, nil); err != nil {
		return nil, err
	}
	m, err := a.platforms.Message(ctx, in.ID)
	return answer(viewInbox(m), err)
}

type mendInput struct {
	InboxAddress
	Body struct {
		Text string `json:"text,omitempty" doc:"更正后的全文 the corrected body"`
		Body []byte `json:"body,omitempty" doc:"更正后的全文（base64），仅在不是文本时 the corrected body in base64, where it is no text"`
		Note string `json:"note" maxLength:"2000" doc:"更正了什么 what was corrected"`
	}
}

func (a *API) mendMessage(ctx context.Context, in *mendInput) (*reply[inboxView], error) {
	body := in.Body.Body
	if in.Body.Text != "" {
		body = []byte(in.Body.Text)
	}
	var c casework.Check
	c.Require(strings.TrimSpace(in.Body.Note) != "", "note", casework.Say("此项必填", "required"))
	c.Require(len(body) > 0, "text", casework.Say("此项必填", "required"))
	c.Require(in.Body.Text == "" || len(in.Body.Body) == 0, "body", casework.Say("text 与 body 只填一项", "give either text or body"))
	if err := c.Err(); err != nil {
		return nil, err
	}
	return a.changeMessage(ctx, "inbox_message_mended", in.ID, func() (casework.InboxMessage, error) {
		return a.platforms.Mend(ctx, in.ID, body, in.Body.Note, actorOf(ctx))
	})
}

func (a *API) replayMessage(ctx context.Context, in *InboxAddress) (*reply[inboxView], error) {
	return a.changeMessage(ctx, "inbox_message_replayed", in.ID, func() (casework.InboxMessage, error) {
		return a.platforms.Replay(ctx, in.ID)
	})
}

type ignoreInput struct {
	InboxAddress
	Body struct {
		Reason string `json:"reason" maxLength:"2000" doc:"理由 why"`
	}
}

func (a *API) ignoreMessage(ctx context.Context, in *ignoreInput) (*reply[inboxView], error) {
	var c casework.Check
	c.Require(strings.TrimSpace(in.Body.Reason) != "", "reason", casework.Say("此项必填", "required"))
	if err := c.Err(); err != nil {
		return nil, err
	}
	return a.changeMessage(ctx, "inbox_message_ignored", in.ID, func() (casework.InboxMessage, error) {
		return a.platforms.Ignore(ctx, in.ID, in.Body.Reason, actorOf(ctx))
	})
}

// changeMessage records who does something about a message, and shows what it
// became without its body.
func (a *API) changeMessage(ctx context.Context, what, id string, change func() (casework.InboxMessage, error)) (*reply[inboxView], error) {
	if err := a.audit(ctx, what, id, nil); err != nil {
		return nil, err
	}
	m, err := change()
	m.Body = nil
	return answer(viewInbox(m), err)
}

type progressReportQuery struct {
	Case   string                 `query:"case" maxLength:"64" doc:"案件编号 case number"`
	Sender string                 `query:"sender" maxLength:"40" doc:"来件方编号 ID of the sender"`
	State  casework.ProgressState `query:"state" enum:"pending,sent,untold,stuck" doc:"状态；stuck 为等待超过一天 state; stuck: pending for longer than a day"`
	Paging
}

func (a *API) listProgress(ctx context.Context, in *progressReportQuery) (*reply[page[casework.ProgressReport]], error) {
	found, next, err := a.platforms.ProgressReports(ctx, casework.ProgressFilter{Case: in.Case, Sender: in.Sender, State: in.State, Page: in.page()})
	for i := range found {
		found[i].Sent = nil // may be personal: see progressReport
	}
	return answer(page[casework.ProgressReport]{found, next}, err)
}

type progressAddress struct {
	Report int64 `path:"report" minimum:"1" doc:"回传记录编号 id of the report"`
}

func (a *API) retryProgress(ctx context.Context, in *progressAddress) (*reply[casework.ProgressReport], error) {
	if err := a.audit(ctx, "progress_report_retried", strconv.FormatInt(in.Report, 10), nil); err != nil {
		return nil, err
	}
	got, err := a.platforms.RetryProgress(ctx, in.Report, a.now())
	got.Sent = nil
	return answer(got, err)
}

func (a *API) progressReport(ctx context.Context, in *progressAddress) (*reply[casework.ProgressReport], error) {
	if err := a.audit(ctx, "progress_report_read", strconv.FormatInt(in.Report, 10), nil); err != nil {
		return nil, err
	}
	return answer(a.platforms.ProgressReport(ctx, in.Report))
}

// noPlatforms is an installation to which no platform sends.
type noPlatforms struct{}

func (noPlatforms) refuse() error {
	return casework.Refuse(casework.NotFound, "no_platforms", casework.Say("本系统未接入外部平台", "no platform is connected to this installation"))
}

func (n noPlatforms) Receive(http.ResponseWriter, *http.Request, string, string, netip.Addr) error {
	return n.refuse()
}

func (n noPlatforms) Messages(context.Context, casework.InboxFilter) ([]casework.InboxMessage, string, error) {
	return nil, "", n.refuse()
}

func (n noPlatforms) Message(context.Context, string) (casework.InboxMessage, error) {
	return casework.InboxMessage{}, n.refuse()
}

func (n noPlatforms) Mend(context.Context, string, []byte, string, casework.Actor) (casework.InboxMessage, error) {
	return casework.InboxMessage{}, n.refuse()
}

func (n noPlatforms) Replay(context.Context, string) (casework.InboxMessage, error) {
	return casework.InboxMessage{}, n.refuse()
}

func (n noPlatforms) Ignore(context.Context, string, string, casework.Actor) (casework.InboxMessage, error) {
	return casework.InboxMessage{}, n.refuse()
}

func (n noPlatforms) ProgressReports(context.Context, casework.ProgressFilter) ([]casework.ProgressReport, string, error) {
	return nil, "", n.refuse()
}

func (n noPlatforms) RetryProgress(context.Context, int64, time.Time) (casework.ProgressReport, error) {
	return casework.ProgressReport{}, n.refuse()
}

func (n noPlatforms) ProgressReport(context.Context, int64) (casework.ProgressReport, error) {
	return casework.ProgressReport{}, n.refuse()
}
