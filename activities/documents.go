package activities

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/curbstop/curbstop/casework"
)

// Archive keeps documents' bytes. Putting the same bytes under the same key
// twice changes nothing.
type Archive interface {
	Put(ctx context.Context, key, mediaType string, r io.Reader) (size int64, sha256 string, err error)
}

// CaseReader gives a case as it was last committed.
type CaseReader interface {
	Case(ctx context.Context, number string) (*casework.Case, error)
}

// Documents writes the documents that the system drafts itself.
type Documents struct {
	Cases   CaseReader
	Archive Archive
	// Write draws a document as HTML from what the case knows.
	Write func(kind casework.DocumentKind, k *casework.Case, now time.Time) (title string, html []byte, err error)
}

// DraftInput asks for the documents of a case. The moment that stands on the
// paper is the workflow's, not that of an attempt.
type DraftInput struct {
	Number  string                  `json:"number"`
	Version int64                   `json:"version"` // of the case when the draft was asked for; part of the documents' IDs
	Kinds   []casework.DocumentKind `json:"kinds"`
	At      time.Time               `json:"at"`
}

// DraftDocuments writes and archives documents, and gives their records.
func (d *Documents) DraftDocuments(ctx context.Context, in DraftInput) ([]casework.Document, error) {
	k, err := d.Cases.Case(ctx, in.Number)
	if err != nil {
		return nil, fmt.Errorf("read case %s: %w", in.Number, err)
	}
	if k.Version < in.Version {
		return nil, fmt.Errorf("case %s is recorded up to version %d, the draft shows version %d", in.Number, k.Version, in.Version)
	}
	var out []casework.Document
	for _, kind := range in.Kinds {
		title, html, err := d.Write(kind, k, in.At)
		if err != nil {
			return nil, fmt.Errorf("draft %s of %s: %w", kind, in.Number, err)
		}
		id := fmt.Sprintf("%s-%d-%s", in.Number, in.Version, kind)
		doc := casework.Document{
			ID: id, Kind: kind, Title: title, MediaType: "text/html; charset=utf-8",
			// The key names the version that was drawn: an attempt that finds the
			// case further on writes beside the first, never over it.
			Key: fmt.Sprintf("cases/%s/%s@%d", in.Number, id, k.Version),
		}
		doc.Size, doc.SHA256, err = d.Archive.Put(ctx, doc.Key, doc.MediaType, bytes.NewReader(html))
		if err != nil {
			return nil, fmt.Errorf("archive %s of %s: %w", kind, in.Number, err)
		}
		out = append(out, doc)
	}
	return out, nil
}
