package sim_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/portal"
	"github.com/curbstop/curbstop/platforms/sim"
	"github.com/curbstop/curbstop/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// only cuts the demo's senders down to one.
func only(t testing.TB, id string) func(string) []byte {
	t.Helper()
	return func(address string) []byte {
		var file struct {
			Senders []map[string]any `yaml:"senders"`
		}
		require.NoError(t, yaml.Unmarshal(hurried(address), &file))
		for _, s := range file.Senders {
			if s["id"] == id || id == "portal" && s["id"] == "rating" {
				text, err := yaml.Marshal(map[string]any{"senders": []any{s}})
				require.NoError(t, err)
				return text
			}
		}
		t.Fatal("no sender ", id)
		return nil
	}
}

// hurried are the demo's senders, who do not wait long for an answer.
func hurried(address string) []byte {
	return bytes.ReplaceAll(sim.DemoSenders(address), []byte("timeout: 2s"), []byte("timeout: 200ms"))
}

// Each adapter, with the proofs and the reporter, stands everything that its
// platform does: the stand-in itself judges.
func TestAdaptersStandTheirPlatforms(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"gonggai", "gonggai-rest", "portal", "wanshitong", "startup", "park", "joint", "property", "hotline"} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			o := sim.Options{Seed: 7, Requests: 24, Shares: sim.DemoShares()}
			if id == "gonggai" {
				o.Exchange = testkit.Database(t)
			}
			w := newIntake(t).open(o, only(t, id))
			require.NoError(t, w.Play(t.Context()))
			require.NoError(t, w.Await(t.Context(), 20*time.Second))
			for _, r := range w.Judge().Rules {
				assert.Empty(t, r.Broken, r.Name)
			}
			seen := map[sim.Wrong]int{}
			for _, e := range w.Ledger() {
				seen[e.Wrong]++
			}
			assert.Positive(t, seen[sim.Duplicate])
			assert.Positive(t, seen[sim.Garbage])
		})
	}
}

// All of them at once; the rating platform has its turn when a case ended.
func TestAllPlatformsAtOnce(t *testing.T) {
	t.Parallel()
	in := newIntake(t)
	w := in.open(sim.Options{Seed: 3, Requests: 40, Shares: sim.DemoShares(), Exchange: testkit.Database(t)}, hurried)
	require.NoError(t, w.Play(t.Context()))
	require.NoError(t, w.Await(t.Context(), 20*time.Second))
	rated := func() int {
		n := 0
		for _, e := range w.Ledger() {
			if e.Platform == "rating" && e.Good {
				n++
			}
		}
		return n
	}
	require.Eventually(t, func() bool { return rated() > 0 }, 10*time.Second, 50*time.Millisecond)
	require.NoError(t, w.Await(t.Context(), time.Second))
	require.True(t, w.Judge().Held(), w.Judge().String())

	var out bytes.Buffer
	w.Print(&out)
	require.Contains(t, out.String(), "wanshitong")
	require.NotContains(t, out.String(), "✗")

	got, err := http.Get("http://" + w.Address() + "/ledger")
	require.NoError(t, err)
	defer got.Body.Close()
	var ledger struct {
		Seed    uint64
		Held    bool
		Entries []sim.Entry
	}
	require.NoError(t, json.NewDecoder(got.Body).Decode(&ledger))
	require.Equal(t, uint64(3), ledger.Seed)
	require.True(t, ledger.Held)
	require.GreaterOrEqual(t, len(ledger.Entries), 40)
}

// The WeChat account verifies our address, and its users write to it.
func TestAddressIsVerified(t *testing.T) {
	t.Parallel()
	w := newIntake(t).open(sim.Options{Seed: 5}, only(t, "wechat"))
	require.NoError(t, w.Play(t.Context()))
	require.True(t, w.Judge().Held(), w.Judge().String())
	rules := w.Judge().Rules
	echo := slices.IndexFunc(rules, func(r sim.Rule) bool { return strings.HasPrefix(r.Name, "微信原样回显") })
	require.Equal(t, 3, rules[echo].Looked)
	require.Len(t, w.Ledger(), 3)
}

// A service code is exchanged with the stand-in as with the province.
func TestServiceCodesAreExchanged(t *testing.T) {
	t.Parallel()
	w := newIntake(t).open(sim.Options{Seed: 1}, only(t, "portal"))
	exchange, err := portal.NewWanshitong("http://"+w.Address()+"/identity/swap", "TEST-SERVICE-ID", "")
	require.NoError(t, err)
	got, err := exchange.Person(t.Context(), "TESTTOKEN")
	require.NoError(t, err)
	require.Equal(t, casework.Person{Name: "测试王丙", Phone: "13800000003", ResidentID: "340207198505050020"}, got)
	_, err = exchange.Person(t.Context(), "TESTTOKEN-expired")
	require.Equal(t, "service_code_expired", casework.AsFault(err).Code)
	require.NoError(t, w.Close())
	_, err = exchange.Person(t.Context(), "TESTTOKEN")
	require.Equal(t, casework.Unavailable, casework.AsFault(err).Kind)
}

// The stand-in's judgement is worth something only if it finds fault.
func TestJudgementFindsFault(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*platforms.Outcome)
		broke string
	}{
		"another number each time": {func() func(*platforms.Outcome) {
			n := 0
			return func(o *platforms.Outcome) {
				if n++; len(o.Numbers) > 0 {
					o.Numbers = []string{strings.Replace("W20261124-9999n", "n", string(rune('0'+n%10)), 1)}
				}
			}
		}(), "重复同号"},
		"garbage waved through": {func(o *platforms.Outcome) { o.Fault = nil }, "无法识别的留存"},
		"refused all of it": {func(o *platforms.Outcome) {
			o.Numbers, o.Fault = nil, casework.Refuse(casework.Invalid, "no", casework.Say("不", "no"))
		}, "每件一号"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := newIntake(t)
			in.spoil = c.spoil
			w := in.open(sim.Options{Seed: 5, Requests: 12, Shares: sim.Shares{Duplicate: 0.3, Garbage: 0.3}}, only(t, "portal"))
			require.NoError(t, w.Play(t.Context()))
			require.Contains(t, w.Judge().String(), c.broke)
		})
	}
}

// So is its judgement of the records of services.
func TestJudgementFindsFaultWithRecords(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func([]casework.ProgressReport) []casework.ProgressReport{
		"none": func([]casework.ProgressReport) []casework.ProgressReport { return nil },
		"twice": func(all []casework.ProgressReport) []casework.ProgressReport {
			for _, r := range all {
				r.Follower = 3
				all = append(all, r)
			}
			return all
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := newIntake(t)
			in.spoilRecords = spoil
			w := in.open(sim.Options{Seed: 5, Requests: 6, Exchange: testkit.Database(t)}, hurried)
			require.NoError(t, w.Play(t.Context()))
			require.Eventually(t, func() bool { return strings.Contains(w.Judge().String(), "办结必录") }, 10*time.Second, 50*time.Millisecond)
		})
	}
}

func TestOnlyThisMachine(t *testing.T) {
	t.Parallel()
	secrets, err := sim.Secrets(sim.DemoSenders("127.0.0.1:1"))
	require.NoError(t, err)
	secrets["CURBSTOP_EXCHANGE_URL"] = "x"
	good := sim.Options{Target: "http://127.0.0.1:8080", Listen: "127.0.0.1:0", Senders: sim.DemoSenders("127.0.0.1:1"), Getenv: func(n string) string { return secrets[n] }}
	for name, change := range map[string]func(*sim.Options){
		"target elsewhere":   func(o *sim.Options) { o.Target = "https://example.com" },
		"target in disguise": func(o *sim.Options) { o.Target = "http://127.0.0.1@example.com" },
		"no target":          func(o *sim.Options) { o.Target = "" },
		"listens to all":     func(o *sim.Options) { o.Listen = ":8790" },
		"no exchange":        func(*sim.Options) {},
		"exchange elsewhere": func(o *sim.Options) { o.Exchange = "postgres://a:secret@db.example.com/x" },
		"shares beyond all":  func(o *sim.Options) { o.Shares = sim.Shares{Duplicate: 0.6, Garbage: 0.6} },
		"negative":           func(o *sim.Options) { o.Requests = -1 },
		"no secret":          func(o *sim.Options) { o.Getenv = func(string) string { return "" } },
		"no senders":         func(o *sim.Options) { o.Senders = []byte("senders: []") },
		"told elsewhere":     func(o *sim.Options) { o.Senders = sim.DemoSenders("example.com:80") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := good
			change(&o)
			w, err := sim.Open(t.Context(), o)
			require.Error(t, err)
			require.NoError(t, w.Close())
			require.NotContains(t, err.Error(), "secret@")
			require.True(t, strings.ContainsFunc(err.Error(), func(r rune) bool { return r > 0x4e00 && r < 0x9fff }), err)
		})
	}
}

// The same seed sends the same.
func TestSeed(t *testing.T) {
	t.Parallel()
	now := time.Now()
	sent := func(seed uint64) (bodies []string) {
		in := newIntake(t)
		w := in.open(sim.Options{Seed: seed, Requests: 12, Shares: sim.DemoShares(), Now: func() time.Time { return now }}, only(t, "hotline"))
		require.NoError(t, w.Play(t.Context()))
		for _, e := range w.Ledger() {
			if e.Direction == sim.Sent && e.How != "办结之后 after the end" {
				bodies = append(bodies, string(e.Wrong)+e.Body)
			}
		}
		return bodies
	}
	first := sent(11)
	require.ElementsMatch(t, first, sent(11))
	require.NotEqual(t, first, sent(12))
}
