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
// becomes a case; one case is worked to its end, and one is passed on and then
// worked to its end, of which their platforms are told.
func TestPlatformsOutside(t *testing.T) { //nolint:tparallel // those within that may run beside each other do, in groups
	t.Parallel()
	w, err := sim.Open(t.Context(), sim.Options{
		Seed: 20261124, Requests: 40, Shares: sim.DemoShares(), Target: "http://" + place.Address, Listen: place.world, Exchange: place.exchange,
		Senders: sim.DemoSenders(place.world), Getenv: os.Getenv, Without: place.Unplayed(), Serves: served(),
		BillingToken: place.config.BillingToken, BillingFaults: 0.15, Customers: 12,
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
	papers(t, w)
	serviceCode(t)
	require.NotEmpty(t, cut.Kept, "the seed sends no garbage as the portal; take another")
	mend(t, w, cut)
	mendRow(t, w)
	complete(t, w)
	passOn(t, w)
	settleAccounts(t, w)
	require.NoError(t, w.Await(t.Context(), 20*time.Second))
	require.True(t, w.Judge().Held(), w.Judge().String())
}

// papers sees that what the platform sent along lies in the cases' files.
func papers(t *testing.T, w *sim.World) {
	t.Helper()
	looked := 0
	for _, e := range w.Ledger() {
		if e.Platform != "gonggai-rest" || !e.Good || e.Wrong != "" || len(e.Numbers) == 0 || ahead(w, e) {
			continue
		}
		looked++
		var filed []casework.Document
		require.Eventually(t, func() bool {
			k, err := place.Store.Case(t.Context(), e.Numbers[0])
			require.NoError(t, err)
			filed = slices.DeleteFunc(k.Documents, func(d casework.Document) bool { return d.Message == "" })
			return len(k.Unfiled()) == 0
		}, 20*time.Second, 100*time.Millisecond, "the papers of %s are not filed", e.Numbers[0])
		require.NotEmpty(t, filed, "%s %s", e.Kind, e.Body)
		for _, d := range filed {
			require.Equal(t, "image/png", d.MediaType)
			require.Equal(t, "gonggai-rest", d.By)
			file, err := place.Archive.Open(t.Context(), d.Key)
			require.NoError(t, err)
			require.NoError(t, file.Close())
		}
	}
	require.Positive(t, looked, "the seed sends nothing with papers; take another")
}

// serviceCode hands in a request for who shows a service code at a window.
func serviceCode(t *testing.T) {
	t.Helper()
	hall := as(casework.ServiceHall)
	var read struct {
		ServiceCode string `json:"service_code"`
		Name        string `json:"name"`
	}
	require.NoError(t, hall.Post(t.Context(), "/v1/service-codes", "", map[string]string{"token": "TESTTOKEN"}, &read))
	require.Equal(t, "测*", read.Name)
	var got opened
	require.NoError(t, hall.Post(t.Context(), "/v1/connection-requests", "service-code-1", map[string]any{
		"utility": "water", "channel": "service_hall", "external_number": "service-code-1", "service_code": read.ServiceCode, "demand": map[string]any{},
		"site": casework.Site{District: "340202", Address: "芜湖市镜湖区测试路9号"},
	}, &got))
	var k *casework.Case
	require.Eventually(t, func() bool {
		var err error
		k, err = place.Store.Case(t.Context(), got.Number)
		return err == nil
	}, 20*time.Second, 100*time.Millisecond)
	require.Equal(t, casework.Contact{Name: "测试王丙", Phone: "13800000003"}, k.Request.Contact)
	require.Equal(t, []casework.Zero{casework.ZeroErrand}, k.Score().Broken)
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
	e := ofThePortal(t, w)
	play(t, opened{Number: e.Numbers[0], Code: place.Ring.Code(e.Numbers[0])})
	require.Eventually(t, func() bool { return slices.Contains(told(w, e), "completed") }, 20*time.Second, 100*time.Millisecond, fmt.Sprint(told(w, e)))
	require.Equal(t, []sim.State{"received", "accepted", "in_work", "completed"}, told(w, e))
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(w.Ledger(), func(r sim.Entry) bool {
			return r.Platform == "rating" && r.Direction == sim.Sent && r.External == e.Numbers[0] && r.Good
		})
	}, 20*time.Second, 100*time.Millisecond, "the rating was not taken")
}

// ofThePortal finds a request for water that the portal sent and nobody has
// finished.
func ofThePortal(t *testing.T, w *sim.World) sim.Entry {
	t.Helper()
	for _, e := range w.Ledger() {
		if e.Platform != "portal" && e.Platform != "wanshitong" || !e.Good || !e.Request || e.Wrong != "" || !strings.Contains(e.Body, "TEST-GSBZ") || ahead(w, e) {
			continue
		}
		// One that waits for its start behind others has no case yet.
		if k, err := place.Store.Case(t.Context(), e.Numbers[0]); err == nil && !k.Status.Ended() {
			return e
		}
	}
	require.FailNow(t, "the seed has too few requests for water by the portal; take another")
	return sim.Entry{}
}

// told are the states that a platform took of one of its requests, in order.
func told(w *sim.World, of sim.Entry) (states []sim.State) {
	for _, e := range w.Ledger() {
		if e.Direction == sim.Told && e.Platform == of.Platform && e.External == of.External && (e.Reaction == sim.Took || e.Reaction == sim.TimedOut) {
			if n := len(states); n == 0 || states[n-1] != e.Meaning {
				states = append(states, e.Meaning)
			}
		}
	}
	return states
}

// passOn passes one case of the portal on to the other utility: what goes on is
// worked to its end, and the portal, which knows no word for passing on, is told
// of it under the number of its own as if nothing had happened.
func passOn(t *testing.T, w *sim.World) {
	t.Helper()
	e := ofThePortal(t, w)
	number := e.Numbers[0]
	require.NoError(t, as(casework.ServiceHall).Post(t.Context(), "/v1/cases/"+number+"/pass-on", "pass-"+number,
		map[string]any{"utility": "gas", "reason": "门户选错事项，客户要的是用气"}, nil))
	require.Eventually(t, func() bool { return recorded(t, number).Status == casework.PassedOn }, 20*time.Second, 100*time.Millisecond, "%s was not passed on", number)
	on := recorded(t, number).GoesOnAs()
	w.PassedOn(number, on)
	// What goes on is opened a moment later.
	require.Eventually(t, func() bool { _, err := place.Store.Case(t.Context(), on); return err == nil }, 20*time.Second, 100*time.Millisecond, "%s was not opened", on)
	require.Equal(t, casework.Gas, recorded(t, on).Request.Utility)
	play(t, opened{Number: on, Code: place.Ring.Code(on)})
	require.Eventually(t, func() bool { return slices.Contains(told(w, e), "completed") }, 20*time.Second, 100*time.Millisecond, "%s, now %s", number, on)
	require.Equal(t, []sim.State{"received", "accepted", "in_work", "completed"}, told(w, e))
}

// ahead tells whether something about the request came ahead of it: it is
// withdrawn then.
func ahead(w *sim.World, e sim.Entry) bool {
	return slices.ContainsFunc(w.Ledger(), func(o sim.Entry) bool { return o.External == e.External && o.Wrong == sim.OutOfOrder })
}
