package service_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/cmd/curbstop/service"
)

func TestLocalKeysAreMadeOnceAndKeptPrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var first, second service.Config
	made, err := first.LocalKeys(dir)
	require.NoError(t, err)
	require.True(t, made)
	made, err = second.LocalKeys(dir)
	require.NoError(t, err)
	require.False(t, made)
	require.Equal(t, first, second)
	require.NotEmpty(t, first.JWTKey)
	require.NotEmpty(t, first.SealKeys)
	info, err := os.Stat(filepath.Join(dir, service.KeysFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	configured := service.Config{JWTKey: "mine"}
	_, err = configured.LocalKeys(dir)
	require.NoError(t, err)
	require.Equal(t, "mine", configured.JWTKey, "what is configured stays")
}

func TestOpenSaysWhichSettingIsMissingOrWrong(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "policy.yaml")
	require.NoError(t, os.WriteFile(broken, []byte("version: v1\nlanes: 101\n"), 0o600))
	keys := service.Config{}
	_, err := keys.LocalKeys(t.TempDir())
	require.NoError(t, err)
	for name, c := range map[string]struct {
		config service.Config
		want   string
	}{
		"no keys":       {service.Config{}, "CURBSTOP_SEAL_KEYS"},
		"bad keys":      {service.Config{SealKeys: "k1:short"}, "k1"},
		"no database":   {service.Config{SealKeys: keys.SealKeys}, "CURBSTOP_DATABASE_URL"},
		"no policy":     {service.Config{SealKeys: keys.SealKeys, PolicyFile: broken + ".missing"}, "policy file"},
		"broken policy": {service.Config{SealKeys: keys.SealKeys, PolicyFile: broken}, "lanes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := service.Open(t.Context(), c.config, nil)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestOutletsOfTheEnvironment(t *testing.T) {
	t.Parallel()
	none, err := service.Config{}.Outlets(slog.Default())
	require.NoError(t, err)
	require.Equal(t, []string{"log"}, none.Names())
	file := filepath.Join(t.TempDir(), "outlets.yaml")
	require.NoError(t, os.WriteFile(file, []byte("outlets:\n  - {name: desk, kind: webhook, url_env: CURBSTOP_TEST_NOT_SET}\n"), 0o600))
	_, err = service.Config{OutletsFile: file}.Outlets(slog.Default())
	require.ErrorContains(t, err, "CURBSTOP_TEST_NOT_SET")
	_, err = service.Config{OutletsFile: file + ".missing"}.Outlets(slog.Default())
	require.ErrorContains(t, err, "CURBSTOP_OUTLETS")
}

func TestSendersOfTheEnvironment(t *testing.T) {
	t.Parallel()
	none, err := service.Config{}.Senders()
	require.NoError(t, err)
	require.Empty(t, none.All())
	file := filepath.Join(t.TempDir(), "senders.yaml")
	require.NoError(t, os.WriteFile(file, []byte("senders:\n  - {id: a, name: 甲, channel: gov_portal, mapping: none.yaml, proof: {way: token, secret_env: CURBSTOP_TEST_NOT_SET}}\n"), 0o600))
	_, err = service.Config{SendersFile: file}.Senders()
	require.ErrorContains(t, err, "CURBSTOP_TEST_NOT_SET")
	require.ErrorContains(t, err, "none.yaml")
	_, err = service.Config{SendersFile: file + ".missing"}.Senders()
	require.ErrorContains(t, err, "CURBSTOP_SENDERS")
}

func TestTheEnvironmentIsReadOrSaysWhatIsWrong(t *testing.T) { //nolint:paralleltest // the environment is everybody's
	for value, want := range map[string]string{"-1": "it must be at least 1", "many": "CURBSTOP_CASES_IN_MEMORY must be a whole number"} {
		t.Setenv("CURBSTOP_CASES_IN_MEMORY", value)
		_, err := service.FromEnvironment()
		require.ErrorContains(t, err, want)
	}
	t.Setenv("CURBSTOP_CASES_IN_MEMORY", "500")
	c, err := service.FromEnvironment()
	require.NoError(t, err)
	require.Equal(t, 500, c.CasesInMemory)
}
