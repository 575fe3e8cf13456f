package inbox

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
	"github.com/curbstop/curbstop/seal"
)

// Variables by which a test tells its child which database to use.
const (
	childDatabase = "CURBSTOP_TEST_CHILD_DATABASE"
	childKeys     = "CURBSTOP_TEST_CHILD_KEYS"
)

// A process is killed between receipt and start. The sender got no answer and
// sends again, or does not: either way there is one case.
func TestAProcessIsKilledBetweenReceiptAndStart(t *testing.T) {
	t.Parallel()
	if url := os.Getenv(childDatabase); url != "" {
		w := joined(t, url, os.Getenv(childKeys))
		w.inbox.Desk = killed{}
		w.send(post{sender: "signed", path: "push", body: one, nonce: "n1"})
		t.Fatal("it should have died")
	}
	w := newWorld(t)
	killedAt(t, t.Name(), childDatabase+"="+w.url, childKeys+"="+w.keys)
	require.Equal(t, []string{"received"}, w.states())
	require.Empty(t, w.receipts())
	w.wait(lease)
	w.sweeps()
	require.Equal(t, []string{"taken_up"}, w.states())
	require.Len(t, w.receipts(), 1)
	again := w.answered(w.send(post{sender: "signed", path: "push", body: one, nonce: "n2"}), 200)
	require.True(t, again.Before)
	require.Len(t, w.receipts(), 1)
}

// killed is a desk at which the process dies.
type killed struct{ Desk }

func (killed) Start(context.Context, casework.Receipt, bool) error { return die() }

func (killed) Do(context.Context, string, casework.Action, string) (contract.Done, error) {
	return contract.Done{}, die()
}

// die kills this process: nothing is closed, rolled back or told.
func die() error {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill()
	}
	select {}
}

func newKey() string { return seal.NewKey("test") }
