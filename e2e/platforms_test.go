package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/demo"
	"github.com/curbstop/curbstop/platforms/sim"
)

// meetPlatforms writes the senders' file with its secrets, and makes the
// exchange database, before anything is started that reads them.
func (p *installation) meetPlatforms(ctx context.Context) error {
	free, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.world = free.Addr().String()
	if err := free.Close(); err != nil {
		return err
	}
	senders := sim.DemoSenders(p.world)
	secrets, err := sim.Secrets(senders)
	if err != nil {
		return err
	}
	p.exchange = p.stack.PostgresURL("exchange")
	secrets["CURBSTOP_EXCHANGE_URL"] = p.exchange
	for name, value := range secrets {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	db, err := pgx.Connect(ctx, p.stack.PostgresURL("curbstop"))
	if err != nil {
		return err
	}
	if _, err := db.Exec(ctx, "CREATE DATABASE exchange"); err != nil {
		return err
	}
	if err := db.Close(ctx); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.stack.DataDir, "senders.yaml"), senders, 0o600)
}

// Every platform sends what it can, right and wrong, to the whole system; the
// stand-in judges. What was kept is seen by staff; one message is mended and
// becomes a case; one case is worked to its end, of which its platform is told.
func TestPlatformsOutside(t *testing.T) {
	t.Parallel()
	w, err := sim.Open(t.Context(), sim.Options{
		Seed: 20261124, Requests: 30, Shares: sim.DemoShares(), Target: "http://" + place.Address, Listen: place.world, Exchange: place.exchange,
		Senders: sim.DemoSenders(place.world), Getenv: os.Getenv,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	require.NoError(t, w.Play(t.Context()))
	require.NoError(t, w.Await(t.Context(), 40*time.Second))
	defer func() {
		if t.Failed() {
			var out bytes.Buffer
			w.Print(&out)
			t.Log(out.String())
		}
	}()
	require.True(t, w.Judge().Held(), w.Judge().String())

	office := as(casework.TaskforceOffice)
	inbox, err := demo.All[casework.InboxMessage](t.Context(), office, "/v1/inbox?state=kept")
	require.NoError(t, err)
	kept := map[string]casework.InboxMessage{}
	for _, m := range inbox {
		kept[m.ID] = m
	}
	var cut sim.Entry
	for _, e := range w.Ledger() {
		if e.Wrong != sim.Garbage || e.Direction != sim.Sent {
			continue
		}
		require.Contains(t, kept, e.Kept, e.How)
		require.Equal(t, e.Platform, kept[e.Kept].Sender)
		require.NotNil(t, kept[e.Kept].Fault, e.How)
		if e.Platform == "portal" || e.Platform == "wanshitong" {
			cut = e
		}
	}
	if cut.Kept == "" {
		cut = sendCut(t, w)
	}
	mend(t, w, cut)
	complete(t, w)
}
