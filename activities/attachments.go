package activities

import (
	"bytes"
	"context"
	"fmt"

	"github.com/curbstop/curbstop/casework"
)

// AttachmentReader gives the file of an attachment from the message in which it
// was kept.
type AttachmentReader interface {
	Attachment(ctx context.Context, a casework.Attachment) ([]byte, error)
}

// Attachments files what platforms sent along.
type Attachments struct {
	Messages AttachmentReader
	Archive  Archive
}

// AttachmentsInput names what came along with a case, without the files.
type AttachmentsInput struct {
	Number      string                `json:"number"`
	Attachments []casework.Attachment `json:"attachments"`
}

// FileAttachments puts the files of attachments into the archive and gives their
// records. Those that were put there before are only recorded. A file that an
// upload would be refused for is left in its message.
func (a *Attachments) FileAttachments(ctx context.Context, in AttachmentsInput) ([]casework.Filed, error) {
	filed := make([]casework.Filed, 0, len(in.Attachments))
	for _, attachment := range in.Attachments {
		f := casework.Filed{Document: attachment.Document()}
		if attachment.SHA256 != "" {
			if err := a.file(ctx, in.Number, attachment, &f); err != nil {
				return nil, fmt.Errorf("file %s of %s: %w", attachment.ID, in.Number, err)
			}
		}
		filed = append(filed, f)
	}
	return filed, nil
}

func (a *Attachments) file(ctx context.Context, number string, attachment casework.Attachment, f *casework.Filed) error {
	content, err := a.Messages.Attachment(ctx, attachment)
	if err != nil {
		return err
	}
	d := &f.Document
	d.MediaType, err = casework.RecogniseFile(bytes.NewReader(content), int64(len(content)), "")
	if err == nil {
		d.Key = "cases/" + number + "/" + d.ID
		d.Size, d.SHA256, err = a.Archive.Put(ctx, d.Key, d.MediaType, bytes.NewReader(content))
	}
	if refused := casework.AsFault(err); err != nil && (refused.Kind == casework.Unsupported || refused.Kind == casework.TooLarge) {
		f.Left = refused.Text
		return nil
	}
	return err
}
