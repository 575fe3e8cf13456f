package inbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/adapters"
	"github.com/curbstop/curbstop/platforms/senders"
	"github.com/curbstop/curbstop/platforms/trial"
	"github.com/curbstop/curbstop/testkit"
)

// childExchange names the exchange database to a child.
const childExchange = "CURBSTOP_TEST_CHILD_EXCHANGE"

// theAdapters has a sender for each adapter, under the adapter's name; that of
// exchange tables besides.
func theAdapters() string {
	var b strings.Builder
	b.WriteString("senders:\n")
	for _, name := range append(adapters.Names(), "tables") {
		channel, adapter, exchange := casework.GovPortal, name, ""
		switch name {
		case "gonggai":
			channel = casework.ProjectApproval
		case "tables":
			channel, adapter, exchange = casework.ProjectApproval, "gonggai", "    exchange: {url_env: DSN}\n"
		case "park":
			channel = casework.IndustrialPark
		}
		fmt.Fprintf(&b, "  - id: %s\n    name: %s\n    adapter: %s\n    channel: %s\n    district: \"340202\"\n    proof: {way: token, secret_env: SECRET}\n%s", name, name, adapter, channel, exchange)
	}
	return b.String()
}

// withAdapters is a process with every adapter as it is.
func withAdapters(t testing.TB, database, keys, exchange string) *world {
	t.Helper()
	makes := senders.Adapters{}
	for _, name := range adapters.Names() {
		makes[name] = func(s senders.Setup) (platforms.Adapter, error) {
			return adapters.New(name, adapters.Setup{Mapping: s.Mapping, Channel: s.Channel, Database: s.Exchange.URL})
		}
	}
	return joinedBy(t, database, keys, theAdapters(), makes, func(name string) string {
		return map[string]string{"SECRET": "a secret", "DSN": exchange}[name]
	})
}

const goodCode, goodCard, otherCard = "91340200MA8TEAT00J", "340202199001011231", "340207198505050020"

func sample(t testing.TB, adapter, file string, path ...any) map[string]any {
	t.Helper()
	return trial.Sample(t, "../"+adapter+"/testdata/"+file, path...)
}

func written(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

// begins is what begins something of each adapter: its own sample where one is
// public, and how many cases come of it.
type begins struct {
	post
	cases   int
	follows string // what must be there before: the post of another adapter
	papers  int    // documents that come along with each case
}

func beginnings(t testing.TB) map[string]begins {
	t.Helper()
	const company = "芜湖测试机械有限公司"
	png := "image/png;base64,iVBORw0KGgo="
	approval := trial.With(sample(t, "gonggai", "gonggai-project.json", "rest_calls", 3, "data"), "credno", goodCode, "address", "芜湖市鸠江区测试路1号")
	all := map[string]begins{
		"gonggai": {cases: 1, papers: 1, post: post{path: "api/appService/submit", contentType: "application/x-www-form-urlencoded", body: "data=" + written(t, approval)}},
		"portal": {cases: 1, papers: 2, post: post{path: "project_info", body: written(t, trial.With(sample(t, "portal", "ahzwfw-application.json", "project_info"),
			"applyerPageCode", goodCode, "applicantcode", goodCard, "itemregionid", "340207000000", "region_id", "340207000000",
			"materials", []any{map[string]any{"name": "营业执照.png", "content": png}, map[string]any{"certName": "建设工程规划许可证", "certNo": "建字第1号"}}))}},
		"startup": {cases: 2, papers: 1, post: post{path: "application", body: written(t, map[string]any{
			"applyno": "KB340200260101TEST0001", "services": "水,气", "applyerType": "2", "entname": company, "uniscid": goodCode, "lerep": "测试张甲",
			"lerepid": goodCard, "applicantmobile": "13800000001", "regionid": "340202", "dom": "芜湖市镜湖区测试路3号", "certs": []any{map[string]any{"certName": "营业执照", "url": "https://example.invalid/1"}},
		})}},
		"park": {cases: 2, post: post{path: "list", body: written(t, map[string]any{"batchNo": "城东园区202611", "rows": []any{map[string]any{
			"序号": 1, "单位名称": company, "统一社会信用代码": goodCode, "联系人": "沈兰英", "联系电话": "13800009560", "所属区县": "无为市", "用能地址": "芜湖市无为市凤河路30号", "用能类型": "水、气",
		}}})}},
		"joint": {cases: 2, papers: 1, post: post{path: "joint/apply", body: written(t, map[string]any{
			"bizNo": "SDQ20261124TEST0001", "services": []any{"01", "03"}, "applicantType": 2, "applicantName": company, "certNo": goodCode, "contactName": "测试李乙",
			"contactPhone": "13800000001", "regionCode": "340271", "address": "芜湖经济技术开发区测试路8号", "materials": []any{map[string]any{"fileName": "总平图.png", "content": png}},
		})}},
		"property": {cases: 1, post: post{path: "gas/transfer", body: written(t, trial.With(sample(t, "property", "anhui-transfer.json", "hefei_gas"), "fromUserSfid", goodCard, "toUserSfid", otherCard))}},
		"hotline":  {cases: 1, post: post{path: "order_push", body: written(t, trial.With(sample(t, "hotline", "hotline-workorder.json", "order_push"), "areaCode", "340207"))}},
		"rating":   {cases: 1, follows: "portal", post: post{path: "evaluation", body: written(t, sample(t, "rating", "haochaping-evaluation.json", "evaluation_in"))}},
		"channels": {post: post{path: "wechat", contentType: "text/xml", body: "<xml><Content>你好</Content></xml>"}},
	}
	for name, b := range all {
		b.sender, b.nonce = name, "n"
		all[name] = b
	}
	return all
}

// A process is killed between the receipt of what an adapter read and its start,
// or, where nothing starts, before that is noted. Another takes it up: there is
// one case for it, however often it is sent again, and the same answer.
func TestAProcessIsKilledWhateverTheAdapter(t *testing.T) {
	t.Parallel()
	all := beginnings(t)
	require.Equal(t, adapters.Names(), slices.Sorted(maps.Keys(all)), "every adapter has its test")
	for name, b := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if database := os.Getenv(childDatabase); database != "" {
				w := withAdapters(t, database, os.Getenv(childKeys), "postgres://nowhere")
				dies(w, b.cases > 0)
				w.send(b.post)
				t.Fatal("it should have died")
			}
			database, keys := testkit.Database(t), newKey()
			w := withAdapters(t, database, keys, "postgres://nowhere")
			if b.follows != "" {
				require.Equal(t, 200, w.send(all[b.follows].post).Code)
				w.supplied(w.receipts()[0].Number)
			}
			killedAt(t, t.Name(), childDatabase+"="+database, childKeys+"="+keys)
			require.Contains(t, w.states(), "received")
			if b.follows == "" {
				require.Empty(t, w.receipts(), "it was killed before anything started")
			}
			w.wait(lease)
			w.sweeps()
			require.NotContains(t, w.states(), "received")
			require.NotContains(t, w.states(), "kept")
			w.wait(lease)
			require.NoError(t, catchUp(w))
			w.holds(b)
			first := w.send(b.post)
			require.Equal(t, 200, first.Code)
			require.Equal(t, first.Body.String(), w.send(b.post).Body.String())
			w.holds(b)
		})
	}
}

// holds checks that a world has what was begun once, with its papers.
func (w *world) holds(b begins) {
	w.t.Helper()
	lines := w.receipts()
	require.Len(w.t, lines, b.cases)
	for _, line := range lines {
		k, err := w.Case(w.t.Context(), line.Number)
		require.NoError(w.t, err)
		if b.follows != "" {
			require.Len(w.t, k.Evaluated.Ratings, 1)
			continue
		}
		require.Len(w.t, k.Request.Attachments, b.papers)
		for _, a := range k.Request.Attachments {
			if a.SHA256 != "" {
				content, err := w.inbox.Attachment(w.t.Context(), a)
				require.NoError(w.t, err)
				require.Equal(w.t, "\x89PNG\r\n\x1a\n", string(content))
			}
		}
	}
}

// catchUp starts the cases of receipts that nobody started, as every API does.
func catchUp(w *world) error {
	waiting, err := w.Unstarted(w.t.Context(), w.clock(), 100)
	for _, r := range waiting {
		if err == nil {
			err = w.Start(w.t.Context(), r, true)
		}
	}
	return err
}

// Rows of the exchange tables that were taken and not settled are given again:
// there is one case, and each row is settled.
func TestAProcessIsKilledBetweenARowAndItsSettling(t *testing.T) {
	t.Parallel()
	if database := os.Getenv(childDatabase); database != "" {
		w := withAdapters(t, database, os.Getenv(childKeys), os.Getenv(childExchange))
		dies(w, true)
		w.polls()
		t.Fatal("it should have died")
	}
	database, keys, exchange := testkit.Database(t), newKey(), testkit.Database(t)
	db, err := sql.Open("pgx", exchange)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	tables, err := os.ReadFile("../gonggai/testdata/front.sql")
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), string(tables))
	require.NoError(t, err)
	const project, item, paper = "SPGL_XMJBXXB", "SPGL_XMSPSXBLXXB", "SPGL_XMSQCLJQTFJXXB"
	put := func(table string, replace ...any) {
		row := trial.With(sample(t, "gonggai", "gonggai-project.json", "frontdb_tables", table, 0), append([]any{"lsh", trial.Missing}, replace...)...)
		columns := slices.Sorted(maps.Keys(row))
		_, err := db.ExecContext(t.Context(), "INSERT INTO "+table+" ("+strings.Join(columns, ",")+") SELECT "+strings.Join(columns, ",")+" FROM json_populate_record(NULL::"+table+", $1)", written(t, row))
		require.NoError(t, err)
	}
	put(project, "jsdwdm", goodCode, "jsddxzqh", "340207", "xzqhdm", "340207", "jsdd", "芜湖市鸠江区测试路1号")
	put(item)
	put(paper)
	waiting := func() (n int) {
		for _, table := range []string{project, item, paper} {
			var rows int
			require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table+" WHERE sjsczt = 0").Scan(&rows))
			n += rows
		}
		return n
	}
	w := withAdapters(t, database, keys, exchange)
	killedAt(t, t.Name(), childDatabase+"="+database, childKeys+"="+keys, childExchange+"="+exchange)
	require.Equal(t, 3, waiting(), "nothing was settled")
	require.Equal(t, []string{"received"}, w.states())
	w.wait(lease)
	for range 4 {
		w.polls()
	}
	require.Zero(t, waiting())
	require.Equal(t, []string{"taken_up", "taken_up", "taken_up"}, w.states())
	var brought int
	numbers := map[string]bool{}
	for _, line := range w.receipts() {
		numbers[line.Number] = true
		k, err := w.Case(t.Context(), line.Number)
		require.NoError(t, err)
		brought += len(k.Request.Attachments)
	}
	require.NotEmpty(t, numbers)
	require.Equal(t, 1, brought, "the paper is noted once")
	w.polls()
	w.sweeps()
	require.Len(t, w.receipts(), len(numbers))
}

// polls asks the exchange tables once.
func (w *world) polls() {
	w.t.Helper()
	s, ok := w.inbox.Senders.Find("tables")
	require.True(w.t, ok)
	_, err := w.inbox.poll(w.t.Context(), s, s.Adapter.(platforms.Exchange)) //nolint:errcheck // a test stops at the panic
	require.NoError(w.t, err)
}

// dies has a process die when a case is to be started or told, or, where there
// is none, when the message is to be settled.
func dies(w *world, asks bool) {
	w.inbox.Desk = killed{}
	if !asks {
		w.inbox.Book = unsettled{w.Store}
	}
}

// unsettled is a book before which the process dies.
type unsettled struct{ Book }

func (unsettled) SettleMessage(context.Context, casework.InboxMessage) error { return die() }

// killedAt runs a test in a child, which must be killed.
func killedAt(t *testing.T, name string, environment ...string) {
	t.Helper()
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		parts = append(parts, "^"+regexp.QuoteMeta(part)+"$")
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+strings.Join(parts, "/"))
	child.Env = append(append(os.Environ(), environment...), testkit.DatabaseURLVariable+"=")
	out, err := child.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, -1, child.ProcessState.ExitCode(), "killed by a signal: %s", out)
}
