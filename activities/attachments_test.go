package activities_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/activities"
	"github.com/curbstop/curbstop/casework"
)

// inMessages are files by the message in which they lie.
type inMessages map[string]string

func (m inMessages) Attachment(_ context.Context, a casework.Attachment) ([]byte, error) {
	content, ok := m[a.Message]
	if !ok {
		return nil, errDown
	}
	return []byte(content), nil
}

func TestFileAttachments(t *testing.T) {
	t.Parallel()
	o := newOutside()
	a := &activities.Attachments{Archive: o, Messages: inMessages{"M1": "%PDF-1.4", "M2": "<svg onload=alert(1)>", "M3": "MZ\x90\x00"}}
	came := func(message, hash, reference string) casework.Attachment {
		return casework.Attachment{ID: message + "-1", Kind: casework.RequestPaper, Title: "营业执照.exe", Sender: "portal", Message: message, SHA256: hash, Reference: reference}
	}
	in := activities.AttachmentsInput{Number: "W1", Attachments: []casework.Attachment{
		came("M1", "x", ""), came("M2", "x", ""), came("M3", "x", ""), came("M4", "", "建字第1号"),
	}}
	for range 2 {
		filed, err := a.FileAttachments(t.Context(), in)
		require.NoError(t, err)
		require.Len(t, filed, 4)
		pdf := filed[0].Document
		require.Equal(t, casework.Document{
			ID: "M1-1", Kind: casework.RequestPaper, Title: "营业执照.exe", MediaType: "application/pdf", Size: 8, SHA256: "sum", Key: "cases/W1/M1-1", Message: "M1", By: "portal",
		}, pdf)
		require.Equal(t, "营业执照.exe.pdf", casework.FileName(pdf), "it is saved as what it is")
		require.NotEmpty(t, filed[1].Left.ZH, "a picture that runs scripts")
		require.NotEmpty(t, filed[2].Left.ZH, "a program")
		require.Equal(t, casework.Filed{Document: casework.Document{ID: "M4-1", Kind: casework.RequestPaper, Title: "营业执照.exe", Message: "M4", Reference: "建字第1号", By: "portal"}}, filed[3])
		require.Equal(t, map[string]string{"cases/W1/M1-1": "%PDF-1.4"}, o.puts)
	}
	_, err := a.FileAttachments(t.Context(), activities.AttachmentsInput{Number: "W1", Attachments: []casework.Attachment{came("M5", "x", "")}})
	require.ErrorIs(t, err, errDown)
	o.err = errDown
	_, err = a.FileAttachments(t.Context(), in)
	require.ErrorIs(t, err, errDown, "an archive that is down is tried again")
}
