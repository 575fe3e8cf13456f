// Package activities holds the effects of the workflows: records, due moments
// and documents. One struct an area, each declaring the small interfaces that
// it needs.
package activities

import (
	"context"
	"fmt"

	"github.com/curbstop/curbstop/casework"
)

// Recorder keeps a case's snapshot and what one decision changed. Recording
// the same changes twice must change nothing. The case is the workflow's own:
// it may be read until Save returns, and neither changed nor kept.
type Recorder interface {
	Save(ctx context.Context, k *casework.Case, c casework.Changes) error
}

// Records writes what a case decided into the store.
type Records struct{ Recorder Recorder }

// SaveInput is one decision: the case after it, and what it changed.
type SaveInput struct {
	Case    *casework.Case
	Changes casework.Changes
}

// SaveRecords commits a decision. It is short and idempotent, so it runs as a
// local activity.
func (r *Records) SaveRecords(ctx context.Context, in SaveInput) error {
	if err := r.Recorder.Save(ctx, in.Case, in.Changes); err != nil {
		return fmt.Errorf("save case %s at version %d: %w", in.Case.Number, in.Case.Version, err)
	}
	return nil
}
