package api

import (
	"bytes"
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/curbstop/curbstop/casework"
)

// codecBytes bounds what is decoded at one time: a page of a history.
const codecBytes = 16 << 20

func (a *API) registerCodec() {
	handle(a, route{
		id: "decode-payloads", method: http.MethodPost, path: codecPath, tag: "operations", unkeyed: true, bodyBytes: codecBytes,
		access:  forRoles(casework.Auditor, casework.TaskforceOffice, casework.TaskforceLead, casework.Management),
		summary: casework.Say("为 Temporal UI 解密（每次留痕）", "decode payloads for the Temporal UI; audited"),
		body: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			// A range, for huma would read a body of application/json itself.
			"application/*": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary", Description: "temporal.api.common.v1.Payloads, JSON"}},
		}},
	}, a.decode)
}

type payloads struct {
	Namespace string `header:"X-Namespace" maxLength:"200"`

	request *http.Request
}

// Resolve keeps the request: Temporal's own handler reads it.
func (in *payloads) Resolve(ctx huma.Context) []error {
	in.request = humagin.Unwrap(ctx).Request
	return nil
}

func (a *API) decode(ctx context.Context, in *payloads) (*streamed, error) {
	if a.codec == nil {
		return nil, casework.Refuse(casework.NotFound, "no_codec",
			casework.Say("本系统未启用解密服务", "decoding is switched off here"))
	}
	if err := a.audit(ctx, "payload_decoded", in.Namespace, nil); err != nil {
		return nil, err
	}
	decoded := &captured{header: http.Header{}, status: http.StatusOK}
	a.codec.ServeHTTP(decoded, in.request)
	if decoded.status != http.StatusOK {
		// Its own text may name keys or repeat bytes.
		return nil, casework.Refuse(malformed, "not_decoded",
			casework.Say("无法解密：格式不符，或所用密钥已不在", "not decoded: malformed, or sealed with a key that is gone"))
	}
	return &streamed{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "application/json")
		_, _ = hc.BodyWriter().Write(decoded.body.Bytes())
	}}, nil
}

// captured holds an answer back until it is known to be one.
type captured struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (c *captured) Header() http.Header         { return c.header }
func (c *captured) WriteHeader(status int)      { c.status = status }
func (c *captured) Write(b []byte) (int, error) { return c.body.Write(b) }
