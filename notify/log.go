package notify

import (
	"context"
	"log/slog"

	"github.com/curbstop/curbstop/casework"
)

// logOutlet writes messages into the process's own log: for an installation
// that has no other outlet yet, and for whoever collects logs.
type logOutlet struct {
	name string
	log  *slog.Logger
}

func (o logOutlet) Name() string { return o.name }

func (o logOutlet) Send(ctx context.Context, n Notice) (casework.Sent, error) {
	o.log.InfoContext(ctx, "A message goes out.", "outlet", o.name, "message", n.ID, "kind", string(n.Kind), "case", n.Case,
		"level", n.Level, "to", string(n.Message.To), "district", string(n.District), "text", n.Text.ZH)
	return casework.Sent{Text: n.Text.ZH}, nil
}
