package api

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
)

// reversing turns the bytes of a payload around.
type reversing struct{}

func (reversing) Encode(ps []*commonpb.Payload) ([]*commonpb.Payload, error) { return ps, nil }

func (reversing) Decode(ps []*commonpb.Payload) ([]*commonpb.Payload, error) {
	for _, p := range ps {
		if string(p.Data) == "bad" {
			return nil, errors.New("key k-2024 is not on the ring")
		}
		out := make([]byte, len(p.Data))
		for i, b := range p.Data {
			out[len(out)-1-i] = b
		}
		p.Data = out
	}
	return ps, nil
}

func TestDecodingForTheTemporalUI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.Codec = reversing{} })
	q := asked{as: "auditor", path: codecPath, body: `{"payloads":[{"data":"Y2Jh"}]}`, headers: map[string]string{
		"Idempotency-Key": "", "X-Namespace": "curbstop", "Origin": "https://temporal.example.cn"}}
	rec := w.ask(t, q)
	require.Equal(t, 200, rec.Code, rec.Body.String())
	require.Contains(t, rec.Body.String(), `"data":"YWJj"`)
	require.Equal(t, "https://temporal.example.cn", rec.Header().Get("Access-Control-Allow-Origin"))
	require.Equal(t, "payload_decoded", w.audited[0].What)
	require.Equal(t, "curbstop", w.audited[0].Target)

	q.body = `{"payloads":[{"data":"YmFk"}]}`
	rec = w.ask(t, q)
	refused(t, rec, 400, "not_decoded")
	require.NotContains(t, rec.Body.String(), "k-2024")
	q.as = ""
	require.Equal(t, "https://temporal.example.cn", w.ask(t, q).Header().Get("Access-Control-Allow-Origin"), "the UI must be able to read a refusal")
	q.headers["Origin"] = "https://evil.example"
	require.Empty(t, w.ask(t, q).Header().Get("Access-Control-Allow-Origin"))

	preflight := w.ask(t, asked{method: http.MethodOptions, path: codecPath, headers: map[string]string{"Origin": "https://temporal.example.cn"}})
	require.Equal(t, 204, preflight.Code)
	require.Equal(t, "Authorization, Content-Type, X-Namespace", preflight.Header().Get("Access-Control-Allow-Headers"))
	require.Empty(t, w.ask(t, asked{method: http.MethodOptions, path: "/v1/cases", headers: map[string]string{"Origin": "https://temporal.example.cn"}}).Header().Get("Access-Control-Allow-Origin"))
}

// The page of documentation loads nothing from elsewhere, and what is vendored
// is what docs/README.md says.
func TestDocsComeFromHere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.ask(t, asked{path: "/docs"})
	require.Equal(t, 200, rec.Code)
	require.Contains(t, rec.Header().Get("Content-Type"), "text/html")
	require.NotContains(t, rec.Body.String(), "http")
	require.Contains(t, rec.Header().Get("Content-Security-Policy"), "connect-src 'self'")
	readme, err := docsFiles.ReadFile("docs/README.md")
	require.NoError(t, err)
	for _, file := range []string{"swagger-ui-bundle.js", "swagger-ui.css"} {
		rec := w.ask(t, asked{path: "/docs/" + file})
		require.Equal(t, 200, rec.Code)
		sum := sha256.Sum256(rec.Body.Bytes())
		require.Contains(t, strings.ReplaceAll(string(readme), " ", ""), "|"+file+"|"+hex.EncodeToString(sum[:])+"|")
	}
	for _, file := range []string{"start.js", "swagger-ui.LICENSE.txt", "swagger-ui.NOTICE.txt", "swagger-ui-bundle.js.LICENSE.txt"} {
		require.Equal(t, 200, w.ask(t, asked{path: "/docs/" + file}).Code, file)
	}
}
