package inbox

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms/trial"
	"github.com/curbstop/curbstop/testkit"
)

func attachmentsOf(w *world, number string) []casework.Attachment {
	w.t.Helper()
	k, err := w.Case(w.t.Context(), number)
	require.NoError(w.t, err)
	return k.Request.Attachments
}

// A file that was sent ahead is found by the ID that its sender was given; one
// that nobody knows, or that is another sender's, is noted as what was named.
func TestFileThatWasSentAhead(t *testing.T) {
	t.Parallel()
	w := withAdapters(t, testkit.Database(t), newKey(), "postgres://nowhere")
	const scan = "iVBORw0KGgo="
	upload := post{sender: "gonggai", nonce: "n", path: "com/file/imageUploadBase64", body: `{"fileName":"平面图.png","base64":"` + scan + `"}`}
	require.Contains(t, w.send(upload).Body.String(), `"errcode":"0"`)
	id := w.all()[0].ID
	require.Empty(t, w.receipts())
	request := trial.With(sample(t, "gonggai", "gonggai-project.json", "rest_calls", 4, "body"), "x", "y")
	plain, err := base64.StdEncoding.DecodeString(request["request"].(string)) //nolint:errcheck // a test stops at the panic
	require.NoError(t, err)
	said := strings.NewReplacer(`"TESTFILE0001"`, `"`+id+`","TESTFILE0001"`, `"340100"`, `"340207"`).Replace(string(plain))
	w.send(post{sender: "gonggai", nonce: "n", path: "com/common/saveInstall", body: written(t, map[string]any{"request": base64.StdEncoding.EncodeToString([]byte(said))})})
	require.Len(t, w.receipts(), 1)
	came := attachmentsOf(w, w.receipts()[0].Number)
	require.Len(t, came, 2)
	asked := came[0].Message
	require.Equal(t, []casework.Attachment{
		{ID: asked + "-1", Kind: casework.RequestPaper, Title: "平面图.png", Sender: "gonggai", Message: asked, Holds: id, SHA256: came[0].SHA256},
		{ID: asked + "-2", Kind: casework.RequestPaper, Title: "随件材料 TESTFILE0001", Sender: "gonggai", Message: asked, Reference: "TESTFILE0001"},
	}, came)
	content, err := w.inbox.Attachment(t.Context(), came[0])
	require.NoError(t, err)
	require.Equal(t, scan, base64.StdEncoding.EncodeToString(content))
	_, err = w.inbox.Attachment(t.Context(), casework.Attachment{Message: asked, SHA256: "another"})
	require.ErrorContains(t, err, "read otherwise than before")
}

// A case that came of a corrected message has the corrected copy's papers, and a
// lead those of the application that joined it.
func TestPapersOfACorrectedCopyAndOfALead(t *testing.T) {
	t.Parallel()
	w := withAdapters(t, testkit.Database(t), newKey(), "postgres://nowhere")
	p := beginnings(t)["gonggai"].post
	spoilt := p
	spoilt.body = strings.Replace(p.body, "iVBORw0KGgo=", "iVBORw0KGgo", 1)
	w.send(spoilt)
	require.Equal(t, []string{"kept"}, w.states())
	original := w.all()[0].ID
	mended := staff[casework.InboxMessage](w, casework.ServiceHall, "POST", "/v1/inbox/"+original+"/mend", map[string]any{"text": p.body, "note": "附件补全"}, 200)
	require.Equal(t, casework.InboxTakenUp, mended.State, "%+v", mended.Fault)
	came := attachmentsOf(w, mended.Numbers[0])
	require.Len(t, came, 1)
	require.Equal(t, mended.ID, came[0].Message)
	require.NotEqual(t, original, came[0].Message)

	lead := request("芜湖泰盛汽车零部件有限公司")
	lead.Utility, lead.Channel, lead.ExternalNumber, lead.Lead = casework.Water, casework.IndustrialPark, "plot/1", true
	lead.Site.District, lead.Project = "340207", "2600-340100-04-01-000001-T2"
	receipt, _, err := w.Accept(t.Context(), lead, casework.Actor{ID: "office"}, w.clock())
	require.NoError(t, err)
	require.NoError(t, w.Start(t.Context(), receipt, true))
	joins := p
	joins.body = strings.NewReplacer("000001-T1", "000001-T2", "340100260101TEST0001", "340100260101TEST0009").Replace(p.body)
	require.Contains(t, w.send(joins).Body.String(), receipt.Number)
	require.Len(t, attachmentsOf(w, receipt.Number), 1)
	w.send(joins)
	require.Len(t, attachmentsOf(w, receipt.Number), 1)
}

// Papers of what has no case stay in their message and hold nothing up.
func TestPapersThatHaveNoCase(t *testing.T) {
	t.Parallel()
	w := withAdapters(t, testkit.Database(t), newKey(), "postgres://nowhere")
	row := sample(t, "gonggai", "gonggai-project.json", "frontdb_tables", "SPGL_XMSQCLJQTFJXXB", 0)
	require.Equal(t, 200, w.send(post{sender: "gonggai", nonce: "n", path: "SPGL_XMSQCLJQTFJXXB", body: written(t, map[string]any{"attachment": row})}).Code)
	require.Equal(t, []string{"taken_up"}, w.states())
	require.Empty(t, w.receipts())
}

// What travels with a request is bounded; the rest is named and stays in its message.
func TestAThousandPapers(t *testing.T) {
	t.Parallel()
	w := withAdapters(t, testkit.Database(t), newKey(), "postgres://nowhere")
	order := trial.With(sample(t, "hotline", "hotline-workorder.json", "order_push"), "areaCode", "340207", "accessory", strings.Repeat("https://x.invalid/1.jpg;", 1000))
	require.Equal(t, 200, w.send(post{sender: "hotline", nonce: "n", path: "order_push", body: written(t, order)}).Code)
	k, err := w.Case(t.Context(), w.receipts()[0].Number)
	require.NoError(t, err)
	require.Len(t, k.Request.Attachments, maxAttachments+1)
	require.Len(t, k.Unfiled(), maxAttachments)
	require.Equal(t, "其余 900 份", k.Request.Attachments[maxAttachments].Title)
}
