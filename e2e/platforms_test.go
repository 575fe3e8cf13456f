package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
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
	if err := sim.MakeTables(ctx, p.exchange); err != nil {
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
		Seed: 20261124, Requests: 40, Shares: sim.DemoShares(), Target: "http://" + place.Address, Listen: place.world, Exchange: place.exchange,
		Senders: sim.DemoSenders(place.world), Getenv: os.Getenv, Without: place.Unplayed(), Serves: served(),
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
		if slices.Contains([]string{"portal", "wanshitong", "startup", "joint"}, e.Platform) {
			cut = e
		}
	}
	require.NotEmpty(t, cut.Kept, "the seed sends no garbage as the portal; take another")
	mend(t, w, cut)
	mendRow(t, w)
	complete(t, w)
}

// served are the utilities that can be asked for.
func served() (names []string) {
	for _, u := range place.Policy.Utilities {
		names = append(names, string(u))
	}
	return names
}

// mend corrects a message of which a part was lost on the way, as a clerk does
// who asked its sender, and sees it become a case.
func mend(t *testing.T, w *sim.World, cut sim.Entry) {
	t.Helper()
	i := slices.IndexFunc(w.Ledger(), func(e sim.Entry) bool { return e.Platform == cut.Platform && e.Wrong == "" && e.Request })
	require.GreaterOrEqual(t, i, 0)
	other := w.Ledger()[i]
	text := strings.ReplaceAll(other.Body, other.External, cut.External)
	hall := as(casework.ServiceHall)
	var mended casework.InboxMessage
	require.NoError(t, hall.Post(t.Context(), "/v1/inbox/"+cut.Kept+"/mend", "mend-"+cut.Kept, map[string]any{"text": text, "note": "对方补发的全文"}, &mended))
	require.Equal(t, casework.InboxTakenUp, mended.State, "%+v", mended.Fault)
	require.NotEmpty(t, mended.Numbers)
	k, err := place.Store.Case(t.Context(), mended.Numbers[0])
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(k.Request.ExternalNumber, cut.External), k.Request.ExternalNumber)
	var original casework.InboxMessage
	require.NoError(t, hall.Get(t.Context(), "/v1/inbox/"+cut.Kept, &original))
	require.Equal(t, casework.InboxMended, original.State)
}

// mendRow corrects the message of a row that was refused: the row counts as
// accepted then, and its platform sees that.
func mendRow(t *testing.T, w *sim.World) {
	t.Helper()
	row := func() sim.Entry {
		i := slices.IndexFunc(w.Ledger(), func(e sim.Entry) bool { return e.Direction == sim.Row && e.Wrong == sim.Garbage })
		require.GreaterOrEqual(t, i, 0, "the seed sends no garbage through tables; take another")
		return w.Ledger()[i]
	}
	require.Equal(t, 2, row().Status)
	hall := as(casework.ServiceHall)
	kept, err := demo.All[casework.InboxMessage](t.Context(), hall, "/v1/inbox?state=kept&sender=gonggai")
	require.NoError(t, err)
	for _, m := range kept {
		var whole struct{ Text string }
		require.NoError(t, hall.Get(t.Context(), "/v1/inbox/"+m.ID, &whole))
		if !strings.Contains(whole.Text, row().External) {
			continue
		}
		text := strings.NewReplacer(`"lxrsjh":"1380000"`, `"lxrsjh":"13800000009"`, "TEST-9999", "TEST-GSBZ").Replace(whole.Text)
		var mended casework.InboxMessage
		require.NoError(t, hall.Post(t.Context(), "/v1/inbox/"+m.ID+"/mend", "mend-"+m.ID, map[string]any{"text": text, "note": "电话核对"}, &mended))
		require.Equal(t, casework.InboxTakenUp, mended.State, "%+v", mended.Fault)
	}
	require.Eventually(t, func() bool { return row().Status == 3 && row().Answer == "" }, 20*time.Second, 100*time.Millisecond, "%+v", row())
}

// complete works one case of the portal to its end: its platform is told each
// state once and in order, and the customer's rating comes in.
func complete(t *testing.T, w *sim.World) {
	t.Helper()
	i := slices.IndexFunc(w.Ledger(), func(e sim.Entry) bool {
		return (e.Platform == "portal" || e.Platform == "wanshitong") && e.Good && e.Request && e.Wrong == "" && strings.Contains(e.Body, "TEST-GSBZ") && !ahead(w, e)
	})
	require.GreaterOrEqual(t, i, 0)
	e := w.Ledger()[i]
	play(t, opened{Number: e.Numbers[0], Code: place.Ring.Code(e.Numbers[0])})
	last := func() (states []sim.State) {
		for _, told := range w.Ledger() {
			if told.Direction == sim.Told && told.Platform == e.Platform && told.External == e.External && (told.Reaction == sim.Took || told.Reaction == sim.TimedOut) {
				if n := len(states); n == 0 || states[n-1] != told.Meaning {
					states = append(states, told.Meaning)
				}
			}
		}
		return states
	}
	require.Eventually(t, func() bool { return slices.Contains(last(), "completed") }, 20*time.Second, 100*time.Millisecond, fmt.Sprint(last()))
	require.Equal(t, []sim.State{"received", "accepted", "in_work", "completed"}, last())
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(w.Ledger(), func(r sim.Entry) bool {
			return r.Platform == "rating" && r.Direction == sim.Sent && r.External == e.Numbers[0] && r.Good
		})
	}, 20*time.Second, 100*time.Millisecond, "the rating was not taken")
	require.NoError(t, w.Await(t.Context(), 10*time.Second))
	require.True(t, w.Judge().Held(), w.Judge().String())
}

// ahead tells whether something about the request came ahead of it: it is
// withdrawn then.
func ahead(w *sim.World, e sim.Entry) bool {
	return slices.ContainsFunc(w.Ledger(), func(o sim.Entry) bool { return o.External == e.External && o.Wrong == sim.OutOfOrder })
}
