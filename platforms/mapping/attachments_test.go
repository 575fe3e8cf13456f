package mapping_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/mapping"
)

var papersShape = mapping.Shape{
	Messages: map[string][]string{"request": {"attachments"}, mapping.Material: mapping.MaterialFields()},
	Codes:    map[string]func(string) error{mapping.Document: mapping.IsDocument},
}

const papersFile = `
name: 测试
layouts:
  request: {kinds: a, fields: {attachments: [papers, scan]}}
  material: {fields: {content: data, name: file, kind: type, number: no, link: url, files: files}}
codes:
  document: {"03": identity_certificate, 不动产权证书: title_certificate}
`

func TestPapersOfAMessage(t *testing.T) {
	t.Parallel()
	f, err := mapping.Parse([]byte(papersFile), papersShape)
	require.NoError(t, err)
	const png, image = "iVBORw0KGgo=", "\x89PNG\r\n\x1a\n"
	for name, c := range map[string]struct {
		papers any
		want   []platforms.Attachment
		extra  string // what stays where it is
		fault  bool
	}{
		"a file": {[]any{map[string]any{"data": png, "file": "a.png", "type": "03"}},
			[]platforms.Attachment{{Field: "03", Name: "a.png", Content: []byte(image), Kind: casework.IdentityPaper}}, "", false},
		"a data URL": {[]any{map[string]any{"data": "data:image/png;base64," + png}},
			[]platforms.Attachment{{Field: "papers", ContentType: "image/png", Content: []byte(image), Kind: casework.RequestPaper}}, "", false},
		"broken into lines": {"image/png;base64,iVBO\r\nRw0KGgo=\n",
			[]platforms.Attachment{{Field: "papers", ContentType: "image/png", Content: []byte(image), Kind: casework.RequestPaper}}, "", false},
		"a list as a text": {`[{"data":"QUJDRA==","file":"不动产权证书.pdf"}]`,
			[]platforms.Attachment{{Field: "papers", Name: "不动产权证书.pdf", Content: []byte("ABCD"), Kind: casework.TitlePaper}}, "", false},
		"files within a paper": {[]any{map[string]any{"type": "03", "files": []any{map[string]any{"data": png}, map[string]any{"url": "https://x.invalid/1"}}}},
			[]platforms.Attachment{{Field: "03", Content: []byte(image), Kind: casework.IdentityPaper}, {Field: "03", Reference: "https://x.invalid/1", Kind: casework.IdentityPaper}}, "", false},
		"a number": {[]any{map[string]any{"file": "规划许可证", "no": "建字第1号"}},
			[]platforms.Attachment{{Field: "papers", Name: "规划许可证", Reference: "建字第1号", Kind: casework.RequestPaper}}, "", false},
		"links": {"https://x.invalid/a.pdf;https://x.invalid/b.pdf", []platforms.Attachment{
			{Field: "papers", Name: "a.pdf", Reference: "https://x.invalid/a.pdf", Kind: casework.RequestPaper},
			{Field: "papers", Name: "b.pdf", Reference: "https://x.invalid/b.pdf", Kind: casework.RequestPaper},
		}, `{"papers":"https://x.invalid/a.pdf;https://x.invalid/b.pdf"}`, false},
		"a name alone":      {[]any{map[string]any{"file": "营业执照"}}, nil, `{"papers":[{"file":"营业执照"}]}`, false},
		"words":             {"见附件", nil, `{"papers":"见附件"}`, false},
		"nothing":           {[]any{}, nil, "", false},
		"no Base64":         {[]any{map[string]any{"data": "?"}}, nil, "", true},
		"no Base64 in text": {"image/png;base64,?", nil, "", true},
		"no list":           {"[", nil, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := json.Marshal(map[string]any{"papers": c.papers})
			require.NoError(t, err)
			root, err := mapping.ParseObject(body)
			require.NoError(t, err)
			r := f.Read("request", root)
			got := r.Attachments()
			assert.Equal(t, c.want, got)
			if c.fault {
				require.Error(t, r.Err())
				return
			}
			require.NoError(t, r.Err())
			extra := ""
			if left := r.Extra(got); left != nil {
				b, err := json.Marshal(left)
				require.NoError(t, err)
				extra = string(b)
			}
			assert.Equal(t, c.extra, extra)
		})
	}
}

// A sender's paper never stands for one that we owe ourselves.
func TestKindsOfPapersAreJudged(t *testing.T) {
	t.Parallel()
	_, err := mapping.Parse([]byte(strings.Replace(papersFile, "title_certificate", "construction_drawing", 1)), papersShape)
	require.Error(t, err)
	require.Equal(t, "codes.document.不动产权证书", casework.AsFault(err).Fields[0].Field)
}
