package api

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/curbstop/curbstop/casework"
)

const (
	minKey = 8
	maxKey = 128
)

// readHeaders takes over the headers of a write.
func (c *call) readHeaders(ctx huma.Context, r route) error {
	if r.keyed() {
		key := ctx.Header("Idempotency-Key")
		if !validKey(key) {
			return casework.Refuse(malformed, "idempotency_key", casework.Sayf(
				"请求头 Idempotency-Key 必填：%[1]d 至 %[2]d 个可见 ASCII 字符；同一操作重试时用同一个值，系统只办理一次",
				"the header Idempotency-Key is required: %[1]d to %[2]d visible ASCII characters; repeat it when you retry, and the action is done once",
				minKey, maxKey))
		}
		u := ctx.URL()
		c.updateID = digest(c.actor.ID, ctx.Method(), u.Path, key)
	}
	if r.versioned {
		version, err := parseVersion(ctx.Header("If-Match"))
		if err != nil {
			return err
		}
		c.ifVersion = version
	}
	return nil
}

func validKey(key string) bool {
	if len(key) < minKey || len(key) > maxKey {
		return false
	}
	return !strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' })
}

// digest names the parts by one short text. Two people who choose the same key
// and one person who uses a key twice for different things don't collide.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// etag is a case's version as a header.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// parseVersion reads If-Match: a version as etag writes it, with or without
// quotes. Nothing and * match every version.
func parseVersion(header string) (int64, error) {
	header = strings.TrimSpace(header)
	if header == "" || header == "*" {
		return 0, nil
	}
	version, err := strconv.ParseInt(strings.Trim(header, `"`), 10, 64)
	if err != nil || version < 1 {
		return 0, casework.Refuse(malformed, "if_match", casework.Say(
			"请求头 If-Match 应为案件版本号，例如 \"12\"", `the header If-Match must be a version of the case, such as "12"`))
	}
	return version, nil
}

// documentHeaders writes into the OpenAPI document which headers a write takes.
func (r route) documentHeaders(op *huma.Operation) {
	if r.keyed() {
		shortest, longest := minKey, maxKey
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "Idempotency-Key", In: "header", Required: true,
			Description: "同一操作重试时用同一个值，只办理一次 repeat it when you retry: the action is done once",
			Schema:      &huma.Schema{Type: huma.TypeString, MinLength: &shortest, MaxLength: &longest},
		})
	}
	if r.versioned {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "If-Match", In: "header",
			Description: "您看到的案件版本；已变更则 409 the version that you decided on; 409 if the case has changed since",
			Schema:      &huma.Schema{Type: huma.TypeString, Examples: []any{fmt.Sprintf("%q", "12")}},
		})
	}
}
