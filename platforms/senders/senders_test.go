package senders_test

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/platforms"
	"github.com/curbstop/curbstop/platforms/senders"
)

type adapter struct{ platforms.Adapter }

type exchange struct{ platforms.Exchange }

func options(setups *[]senders.Setup) senders.Options {
	environment := map[string]string{"TOKEN": "token-of-ours", "DSN": "postgres://u:hidden@h/db", "SM4": "0123456789abcdef"}
	note := func(s senders.Setup) {
		if setups != nil {
			*setups = append(*setups, s)
		}
	}
	return senders.Options{
		Adapters: senders.Adapters{
			"plain":  func(s senders.Setup) (platforms.Adapter, error) { note(s); return adapter{}, nil },
			"tables": func(s senders.Setup) (platforms.Adapter, error) { note(s); return exchange{}, nil },
			"picky": func(senders.Setup) (platforms.Adapter, error) {
				var c casework.Check
				c.Field("districts.镜湖", casework.Say("没有这个区县", "no such district"))
				return nil, c.Err()
			},
			"broken": func(s senders.Setup) (platforms.Adapter, error) { return nil, errors.New("dial " + s.Exchange.URL) },
		},
		Getenv: func(name string) string { return environment[name] },
		ReadFile: func(name string) ([]byte, error) {
			if name == "park.yaml" {
				return []byte("mapping"), nil
			}
			return nil, os.ErrNotExist
		},
	}
}

const good = `
senders:
  - id: gonggai
    name: 芜湖市工程建设项目审批管理系统
    adapter: tables
    channel: project_approval
    mapping: park.yaml
    utilities: [water, gas]
    district: "340202"
    proof: {way: tif, secret_env: TOKEN, window: 10m}
    addresses: [10.1.2.0/24, "2001:db8::1"]
    decrypt: {cipher: sm4-cbc, key_env: SM4}
    per_minute: 600
    secrets: {token: TOKEN}
    exchange: {url_env: DSN, every: 1m, batch: 200}
    report:
      url: https://platform.example.cn/base
      proof: {way: hmac-sm3, secret_env: TOKEN}
      timeout: 20s
  - {id: park, name: 园区, adapter: plain, channel: industrial_park, proof: {way: none}, addresses: [10.9.9.9]}
  - id: rating
    name: 好差评
    adapter: plain
    channel: gov_portal
    utilities: [water]
    district: "340202"
    proof: {way: token, secret_env: TOKEN}
    report: {url: "https://rating.example.cn", proof: {way: none}, cases: all}
`

func TestASendersFileIsUnderstood(t *testing.T) {
	t.Parallel()
	var setups []senders.Setup
	all, err := senders.Parse([]byte(good), options(&setups))
	require.NoError(t, err)
	require.Len(t, setups, 3)
	require.Equal(t, "mapping", string(setups[0].Mapping))
	require.Equal(t, "postgres://u:hidden@h/db", setups[0].Exchange.URL)
	require.Equal(t, map[string]string{"token": "token-of-ours"}, setups[0].Secrets)
	require.Nil(t, setups[1].Mapping)
	s, ok := all.Find("gonggai")
	require.True(t, ok)
	require.Equal(t, casework.Actor{
		ID: "gonggai", Name: "芜湖市工程建设项目审批管理系统", Roles: []casework.Role{casework.Platform}, Districts: []casework.District{casework.AllDistricts},
	}, s.Actor())
	for address, admitted := range map[string]bool{
		"10.1.2.7": true, "::ffff:10.1.2.7": true, "10.1.3.7": false, "2001:db8::1": true, "2001:db8::2": false,
	} {
		require.Equal(t, admitted, s.Admits(netip.MustParseAddr(address)), address)
	}
	require.False(t, s.Admits(netip.Addr{}), "an address that nobody knows")
	require.Equal(t, []casework.Watcher{{Sender: "rating", Utilities: []casework.Utility{casework.Water}, District: "340202"}}, all.Watchers())
	_, ok = all.Find("nobody")
	require.False(t, ok)

	said := strings.Join(all.Describe(), "\n")
	for _, part := range []string{"gonggai", "park.yaml", "window=10m0s", "600", "platform.example.cn", "10.1.2.0/24", "sm4-cbc", "none", "全部办件"} {
		require.Contains(t, said, part)
	}
	for _, secret := range []string{"token-of-ours", "hidden", "0123456789abcdef"} {
		require.NotContains(t, said, secret)
	}
}

func TestTheDemosFile(t *testing.T) {
	t.Parallel()
	_, err := senders.Parse(senders.Demo, options(nil))
	require.NoError(t, err)
}

func TestAFileThatIsWrong(t *testing.T) {
	t.Parallel()
	const sender = "senders:\n  - id: a\n    name: 甲\n    adapter: plain\n    channel: gov_portal\n    proof: {way: token, secret_env: TOKEN}\n"
	for name, c := range map[string]struct{ file, field, says string }{
		"twice":              {sender + "  - {id: a, name: 乙, adapter: plain, channel: gov_portal, proof: {way: token, secret_env: TOKEN}}\n", "senders[1].id", "line 7"},
		"id":                 {strings.Replace(sender, "id: a", "id: A B", 1), "senders[0].id", "line 2"},
		"channel":            {strings.Replace(sender, "gov_portal", "somewhere", 1), "senders[0].channel", "line 5"},
		"adapter":            {strings.Replace(sender, "plain", "magic", 1), "senders[0].adapter", "broken、picky、plain、tables"},
		"mapping is missing": {sender + "    mapping: none.yaml\n", "senders[0].mapping", "line 7"},
		"mapping is wrong":   {strings.Replace(sender, "plain", "picky", 1), "senders[0].mapping.districts.镜湖", "no such district"},
		"proves nothing":     {strings.Replace(sender, "{way: token, secret_env: TOKEN}", "{way: none}", 1), "senders[0].addresses", "in its name"},
		"no proof":           {strings.Replace(sender, "    proof: {way: token, secret_env: TOKEN}\n", "", 1), "senders[0].proof.way", "bg-hmac"},
		"secret":             {strings.Replace(sender, "TOKEN", "NONE", 1), "senders[0].proof.secret_env", "line 6"},
		"address":            {sender + "    addresses: [somewhere]\n", "senders[0].addresses", "10.1.2.0/24"},
		"district":           {sender + "    district: \"999999\"\n", "senders[0].district", "line 7"},
		"utility":            {sender + "    utilities: [steam]\n", "senders[0].utilities", "water"},
		"quota":              {sender + "    per_minute: -1\n", "senders[0].per_minute", "line 7"},
		"report's address":   {sender + "    report: {url: \"https://u:p@h/x\", proof: {way: none}}\n", "senders[0].report.url", "https://"},
		"report's proof":     {sender + "    report:\n      url: https://h/x\n      proof: {way: sm2}\n", "senders[0].report.proof.private_key_env", "line 9"},
		"told of some":       {sender + "    report: {url: \"https://h/x\", proof: {way: none}, cases: some}\n", "senders[0].report.cases", "must be own"},
		"told through tables": {strings.Replace(sender, "plain", "tables", 1) + "    exchange: {url_env: DSN}\n    report: {url: \"https://h/x\", proof: {way: none}, cases: all}\n",
			"senders[0].report.cases", "others' cases"},
		"no tables":        {sender + "    exchange: {url_env: DSN}\n", "senders[0].exchange", "no exchange tables"},
		"tables' pace":     {strings.Replace(sender, "plain", "tables", 1) + "    exchange: {url_env: DSN, every: 1ms}\n", "senders[0].exchange.every", "1s"},
		"tables' address":  {strings.Replace(sender, "plain", "tables", 1) + "    exchange: {url_env: NONE}\n", "senders[0].exchange.url_env", "NONE"},
		"adapter's secret": {sender + "    secrets: {key: NONE}\n", "senders[0].secrets.key", "NONE"},
		"decrypt":          {sender + "    decrypt: {cipher: sm4-cbc, key_env: TOKEN}\n", "senders[0].decrypt.key_env", "16"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := senders.Parse([]byte(c.file), options(nil))
			f := casework.AsFault(err)
			require.Equal(t, casework.Invalid, f.Kind, "%v", err)
			said := map[string]string{}
			for _, field := range f.Fields {
				require.NotEmpty(t, field.ZH)
				said[field.Field] = field.EN
			}
			require.Contains(t, said, c.field)
			require.Contains(t, said[c.field], c.says)
			require.NotContains(t, err.Error(), "token-of-ours")
		})
	}
	_, err := senders.Parse([]byte(strings.Replace(good, "adapter: tables", "adapter: broken", 1)), options(nil))
	require.ErrorContains(t, err, "senders[0].adapter")
	require.NotContains(t, err.Error(), "hidden")
	_, err = senders.Parse([]byte("senders: [{id: a, secret: x}]"), options(nil))
	require.Equal(t, "invalid_senders", casework.AsFault(err).Code)
}
