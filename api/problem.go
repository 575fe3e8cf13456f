package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/curbstop/curbstop/casework"
)

// Kinds of fault that only HTTP knows.
const (
	malformed casework.FaultKind = "malformed"         // not even readable, so nothing in it was judged
	tooMany   casework.FaultKind = "too_many_requests" // the caller's own pace is the obstacle
)

// kinds is the one table that maps kinds of fault to HTTP.
var kinds = map[casework.FaultKind]struct {
	status int
	title  casework.Text
	retry  time.Duration // how long a client should wait; 0 where trying again changes nothing
}{
	casework.Invalid:      {http.StatusUnprocessableEntity, casework.Say("填报内容有误", "Invalid input"), 0},
	malformed:             {http.StatusBadRequest, casework.Say("请求格式有误", "Malformed request"), 0},
	casework.Unauthorised: {http.StatusUnauthorized, casework.Say("请先登录", "Not logged in"), 0},
	casework.Forbidden:    {http.StatusForbidden, casework.Say("无权操作", "Not allowed"), 0},
	casework.NotFound:     {http.StatusNotFound, casework.Say("未找到", "Not found"), 0},
	casework.Conflict:     {http.StatusConflict, casework.Say("当前状态不允许", "Not in this state"), 0},
	casework.Gone:         {http.StatusGone, casework.Say("已结束", "Gone"), 0},
	casework.TooLarge:     {http.StatusRequestEntityTooLarge, casework.Say("内容过大", "Too large"), 0},
	casework.Unsupported:  {http.StatusUnsupportedMediaType, casework.Say("类型不受支持", "Unsupported type"), 0},
	tooMany:               {http.StatusTooManyRequests, casework.Say("操作过于频繁", "Too many requests"), time.Minute},
	casework.Unavailable:  {http.StatusServiceUnavailable, casework.Say("暂时无法办理", "Unavailable"), 5 * time.Second},
	casework.Internal:     {http.StatusInternalServerError, casework.Say("系统内部错误", "Internal error"), 0},
}

// Problem is a refusal as clients get it (RFC 9457). It never repeats a value
// that was sent, for values may be personal, and never holds the text of an
// error of ours.
type Problem struct { //nolint:errname // the word of RFC 9457, and the name of the schema
	Type      string                `json:"type" doc:"/problems/ 加错误代码 and the code"`
	Title     string                `json:"title" doc:"错误种类 kind of problem"`
	Status    int                   `json:"status"`
	Detail    string                `json:"detail" doc:"中文说明及英文 what is wrong and what is allowed, Chinese then English"`
	ZH        string                `json:"zh" doc:"中文说明 the Chinese sentence"`
	EN        string                `json:"en" doc:"英文说明 the English sentence"`
	Code      string                `json:"code" doc:"供程序判断的错误代码 stable code for programs"`
	Rule      string                `json:"rule,omitempty" doc:"所依据的规定 the measure, law or standard behind it"`
	Errors    []casework.FieldFault `json:"errors,omitempty" doc:"逐项错误 every field that is wrong"`
	RequestID string                `json:"request_id,omitempty" doc:"请求编号，报障时提供 quote it when you ask for help"`

	retry time.Duration
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

// GetStatus tells huma the status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType makes huma send a problem as one.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders tells huma the headers: when to come back, and how to log in.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int(p.retry.Seconds())))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	return h
}

func newProblem(f *casework.Fault, requestID string) *Problem {
	kind, ok := kinds[f.Kind]
	if !ok {
		kind = kinds[casework.Internal]
	}
	return &Problem{
		Type: "/problems/" + f.Code, Title: kind.title.String(), Status: kind.status,
		Detail: f.Text.String(), ZH: f.ZH, EN: f.EN, Code: f.Code, Rule: f.Rule, Errors: f.Fields,
		RequestID: requestID, retry: kind.retry,
	}
}

// problemOf turns an error into what the client may see of it. What is ours is
// logged here with the request's ID, by which it is found again.
func problemOf(ctx context.Context, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	c := callOf(ctx)
	f := casework.AsFault(err)
	switch {
	case errors.Is(err, context.Canceled):
		// The client went away; nobody reads the answer, and nothing is broken.
		f = casework.Refuse(casework.Unavailable, "cancelled", casework.Say("请求已取消", "the request was cancelled"))
	case f.Kind == casework.Internal, f.Kind == casework.Unavailable:
		c.report(ctx, err)
	}
	return newProblem(f, c.requestID)
}

// report logs what went wrong on our side, under the ID that the client was
// given.
func (c *call) report(ctx context.Context, err error) {
	c.logger().ErrorContext(ctx, "request failed", slog.String("request_id", c.requestID),
		slog.String("code", casework.AsFault(err).Code), slog.Any("error", err))
}

// writeProblem answers outside huma: in middleware and for unknown routes.
func writeProblem(c *gin.Context, p *Problem) {
	maps.Copy(c.Writer.Header(), p.GetHeaders())
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	c.Abort()
	c.Data(p.Status, p.ContentType(""), body)
}

// unavailable says that something of ours could not be reached; err is logged.
func unavailable(err error) error {
	return fmt.Errorf("%w: %w", casework.Refuse(casework.Unavailable, "unavailable",
		casework.Say("系统暂时不可用，请稍后重试", "temporarily unavailable; try again later")), err)
}

func tooManyCalls() error {
	return casework.Refuse(tooMany, "too_many_requests",
		casework.Say("操作过于频繁，请一分钟后再试", "too many requests; try again in a minute"))
}

// huma builds its own refusals through package variables; there is no other
// way to give them the form of ours. They are set once, before any API exists.
func init() { //nolint:gochecknoinits // see above
	huma.NewError = func(status int, text string, errs ...error) huma.StatusError {
		return newProblem(faultOfHuma(context.Background(), status, text, errs), "")
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, text string, errs ...error) huma.StatusError {
		return newProblem(faultOfHuma(ctx.Context(), status, text, errs), callOf(ctx.Context()).requestID)
	}
	// A list in an answer is never null, and in a request null is no list.
	huma.DefaultArrayNullable = false
	wordValidation()
}

// faultOfHuma words what huma refuses before a handler runs.
func faultOfHuma(ctx context.Context, status int, text string, errs []error) *casework.Fault {
	for _, err := range errs {
		// huma keeps of an error only what it says.
		if zero := casework.AsFault(casework.CheckZero([]byte{0})); strings.Contains(err.Error(), zero.Error()) {
			return zero
		}
		if tooBig := new(http.MaxBytesError); errors.As(err, &tooBig) || strings.Contains(err.Error(), "request body too large") {
			status = http.StatusRequestEntityTooLarge
		} else if strings.HasPrefix(err.Error(), "cannot read multipart form") {
			status = http.StatusBadRequest
		}
	}
	switch status {
	case http.StatusBadRequest:
		return casework.Refuse(malformed, "malformed_body",
			casework.Say("请求内容缺失或不是有效的格式（应为文档所列格式，通常是 JSON）", "the body is missing or can't be read; it must have the form that the documentation names, usually JSON"))
	case http.StatusRequestTimeout:
		return casework.Refuse(malformed, "body_timeout",
			casework.Say("请求内容未能及时收完，请重试", "the body did not arrive in time; try again"))
	case http.StatusRequestEntityTooLarge:
		return casework.Refuse(casework.TooLarge, "body_too_large",
			casework.Say("请求内容超过大小限制", "the body exceeds its limit"))
	case http.StatusUnsupportedMediaType:
		return casework.Refuse(casework.Unsupported, "unsupported_body",
			casework.Say("请求内容类型应为 application/json", "the body must be application/json"))
	case http.StatusUnprocessableEntity:
		return &casework.Fault{
			Kind: casework.Invalid, Code: "invalid_input", Fields: fieldFaults(errs),
			Text: casework.Say("填报内容有误，请按提示修改", "the input is not valid; see each field"),
		}
	}
	if c := callOf(ctx); c.requestID != "" {
		c.report(ctx, fmt.Errorf("%d %s: %w", status, text, errors.Join(errs...)))
	}
	return casework.AsFault(nil)
}
