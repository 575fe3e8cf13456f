// Package deploy_test holds docker-compose.yml to what a production start depends on.
package deploy_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// secrets are the variables without which nothing may start. None of them has a default anywhere.
var secrets = []string{
	"POSTGRES_PASSWORD",
	"CURBSTOP_DB_PASSWORD",
	"TEMPORAL_DB_PASSWORD",
	"CURBSTOP_JWT_KEY",
	"CURBSTOP_SEAL_KEYS",
	"CURBSTOP_PUBLIC_URL",
}

// ours says which of our services the compose file starts, and with which subcommand.
var ours = map[string]string{"migrate": "migrate", "api": "api", "worker": "worker"}

// variables are the ones that the binary reads, besides the TEMPORAL_ ones of Temporal's SDK.
var variables = []string{
	"CURBSTOP_DATABASE_URL", "CURBSTOP_LISTEN", "CURBSTOP_DATA", "CURBSTOP_BLOB_URL", "CURBSTOP_JWT_KEY",
	"CURBSTOP_OIDC_ISSUER", "CURBSTOP_OIDC_AUDIENCE", "CURBSTOP_SEAL_KEYS", "CURBSTOP_POLICY", "CURBSTOP_OUTLETS", "CURBSTOP_SENDERS",
	"CURBSTOP_TEMPORAL_UI_URL", "CURBSTOP_PUBLIC_URL", "CURBSTOP_HOTLINE", "CURBSTOP_BILLING_URL", "CURBSTOP_BILLING_TOKEN", "CURBSTOP_IDENTITY_URL", "CURBSTOP_IDENTITY_SERVICE_ID", "CURBSTOP_IDENTITY_ROLE_CODE", "CURBSTOP_TRUSTED_PROXIES", "CURBSTOP_PUBLIC_PER_MINUTE", "CURBSTOP_BUILD_ID", "CURBSTOP_CASES_IN_MEMORY",
}

// filledIn is the environment of a place that filled in what it must, each variable with a value of its own.
func filledIn() map[string]string {
	env := map[string]string{}
	for _, name := range secrets {
		env[name] = "value-of-" + name
	}
	return env
}

func load(t *testing.T, env map[string]string) (*types.Project, error) {
	t.Helper()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	options, err := cli.NewProjectOptions(
		[]string{filepath.Join(root, "docker-compose.yml")},
		cli.WithWorkingDirectory(root),
		cli.WithEnv(slices.Collect(func(yield func(string) bool) {
			for name, value := range env {
				if !yield(name + "=" + value) {
					return
				}
			}
		})),
		cli.WithResolvedPaths(true),
	)
	require.NoError(t, err)
	return options.LoadProject(t.Context())
}

func project(t *testing.T) *types.Project {
	t.Helper()
	p, err := load(t, filledIn())
	require.NoError(t, err)
	return p
}

func TestEverySecretIsRequired(t *testing.T) {
	t.Parallel()
	for _, name := range secrets {
		for state, change := range map[string]func(env map[string]string){
			"missing": func(env map[string]string) { delete(env, name) },
			"empty":   func(env map[string]string) { env[name] = "" },
		} {
			t.Run(name+" "+state, func(t *testing.T) {
				t.Parallel()
				env := filledIn()
				change(env)
				_, err := load(t, env)
				require.ErrorContains(t, err, name, "the error names what to fill in")
			})
		}
	}
}

// A password written into the file would be the same everywhere. So whatever looks like one is a variable's value.
func TestNoSecretIsWrittenIntoTheFile(t *testing.T) {
	t.Parallel()
	sensitive := regexp.MustCompile(`(?i)(PASSWORD|PWD|_KEY|_KEYS|SECRET|DATABASE_URL)$`)
	seen := 0
	for name, service := range project(t).Services {
		for variable, value := range service.Environment {
			if !sensitive.MatchString(variable) || value == nil || *value == "" {
				continue
			}
			seen++
			assert.Contains(t, *value, "value-of-", "%s: %s", name, variable)
		}
	}
	assert.GreaterOrEqual(t, seen, 10, "the pattern still finds the secrets")
}

func TestTheExampleNamesEveryVariable(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../docker-compose.yml")
	require.NoError(t, err)
	example, err := dotenv.ReadWithLookup(nil, ".env.example")
	require.NoError(t, err)

	used := map[string]bool{}
	for _, match := range regexp.MustCompile(`\$\{([A-Z0-9_]+)(:[?-])?`).FindAllStringSubmatch(string(file), -1) {
		assert.NotEmpty(t, match[2], "${%s} has neither a default nor a message", match[1])
		used[match[1]] = true
	}
	assert.ElementsMatch(t, slices.Collect(maps.Keys(used)), slices.Collect(maps.Keys(example)))
	for name, value := range example {
		assert.Empty(t, value, "%s: an example value becomes someone's password", name)
	}
	_, err = load(t, example)
	require.Error(t, err, "an example that is not filled in must not start")
}

func TestOurServicesRunOurBinary(t *testing.T) {
	t.Parallel()
	p := project(t)
	for name, subcommand := range ours {
		service, err := p.GetService(name)
		require.NoError(t, err)
		require.NotNil(t, service.Build, name)
		assert.Equal(t, p.WorkingDir, service.Build.Context, name)
		assert.FileExists(t, filepath.Join(service.Build.Context, service.Build.Dockerfile), name)
		assert.Equal(t, types.ShellCommand{subcommand}, service.Command, name)
		assert.Empty(t, service.Entrypoint, "%s: the image's entrypoint is the binary", name)
		assert.True(t, service.ReadOnly, name)
		assert.Equal(t, []string{"ALL"}, service.CapDrop, name)

		for variable := range service.Environment {
			if strings.HasPrefix(variable, "CURBSTOP_") {
				assert.Contains(t, variables, variable, "%s: the binary does not read it", name)
			}
		}
		assert.NotEmpty(t, service.Environment["TEMPORAL_ADDRESS"], name)
		assert.NotEmpty(t, service.Environment["TEMPORAL_NAMESPACE"], name)
	}

	dockerfile, err := os.ReadFile("../Dockerfile")
	require.NoError(t, err)
	assert.Regexp(t, `(?m)^FROM scratch$`, string(dockerfile))
	assert.Regexp(t, `(?m)^USER [1-9]\d*:[1-9]\d*$`, string(dockerfile), "not root, and by number: scratch has no names")
	assert.Regexp(t, `(?m)^ENTRYPOINT \["/curbstop"\]$`, string(dockerfile))
	assert.Regexp(t, `(?m)^ENV CGO_ENABLED=0$`, string(dockerfile), "an empty image has no libc")
}

// What one process seals, another one opens; what one stores, another one reads.
func TestAPIAndWorkerAgree(t *testing.T) {
	t.Parallel()
	p := project(t)
	api, worker := p.Services["api"], p.Services["worker"]
	for _, variable := range []string{
		"CURBSTOP_SEAL_KEYS", "CURBSTOP_BLOB_URL", "CURBSTOP_DATABASE_URL", "CURBSTOP_POLICY",
		"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE",
	} {
		require.NotNil(t, api.Environment[variable], variable)
		assert.Equal(t, api.Environment[variable], worker.Environment[variable], variable)
	}
	assert.Equal(t, volume(t, p, "api", "/var/lib/curbstop/documents"), volume(t, p, "worker", "/var/lib/curbstop/documents"))
	assert.NotContains(t, worker.Environment, "CURBSTOP_JWT_KEY", "only the API signs and checks tokens")
	assert.NotContains(t, p.Services["migrate"].Environment, "CURBSTOP_SEAL_KEYS", "a migration opens no personal data")
}

func TestStartOrder(t *testing.T) {
	t.Parallel()
	p := project(t)
	for _, want := range []struct{ service, before, condition string }{
		{"temporal-schema", "postgres", types.ServiceConditionHealthy},
		{"temporal", "temporal-schema", types.ServiceConditionCompletedSuccessfully},
		{"temporal-ui", "temporal", types.ServiceConditionHealthy},
		{"migrate", "postgres", types.ServiceConditionHealthy},
		{"migrate", "temporal", types.ServiceConditionHealthy},
		{"api", "migrate", types.ServiceConditionCompletedSuccessfully},
		{"worker", "migrate", types.ServiceConditionCompletedSuccessfully},
	} {
		dependency, ok := p.Services[want.service].DependsOn[want.before]
		if assert.True(t, ok, "%s waits for %s", want.service, want.before) {
			assert.Equal(t, want.condition, dependency.Condition, "%s waits for %s", want.service, want.before)
		}
	}

	// Every condition can come true, and no service waits for itself.
	const entered, left = 1, 2
	state := map[string]int{}
	var visit func(name string, path []string)
	visit = func(name string, path []string) {
		require.NotEqual(t, entered, state[name], "a circle: %s", strings.Join(append(path, name), " -> "))
		if state[name] == left {
			return
		}
		state[name] = entered
		for before, dependency := range p.Services[name].DependsOn {
			service, ok := p.Services[before]
			require.True(t, ok, "%s waits for %s, which is no service", name, before)
			switch dependency.Condition {
			case types.ServiceConditionHealthy:
				assert.NotNil(t, service.HealthCheck, "%s waits for the health of %s, which has no check", name, before)
			case types.ServiceConditionCompletedSuccessfully:
				assert.NotContains(t, []string{"always", "unless-stopped"}, service.Restart, "%s waits for the end of %s, which never ends", name, before)
			default:
				assert.Fail(t, "a start that waits for nothing", "%s waits for %s: %s", name, before, dependency.Condition)
			}
			visit(before, append(path, name))
		}
		state[name] = left
	}
	for name := range p.Services {
		visit(name, nil)
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	for name, service := range project(t).Services {
		switch name {
		case "migrate", "temporal-schema":
			assert.Regexp(t, `^on-failure:\d+$`, service.Restart, "%s runs once", name)
		default:
			assert.Equal(t, "unless-stopped", service.Restart, name)
		}
	}
}

func TestImagesArePinned(t *testing.T) {
	t.Parallel()
	p := project(t)
	exact := regexp.MustCompile(`^[a-z/-]+:\d+\.\d+(\.\d+)?$`)
	for name, service := range p.Services {
		assert.NotContains(t, service.Image, "latest", name)
		assert.NotContains(t, service.Image, "auto-setup", "%s: deprecated", name)
		if _, built := ours[name]; !built {
			assert.Regexp(t, exact, service.Image, name)
		}
	}
	_, server, _ := strings.Cut(p.Services["temporal"].Image, ":")
	_, tools, _ := strings.Cut(p.Services["temporal-schema"].Image, ":")
	assert.Equal(t, server, tools, "the tables and the server are of one version")
}

func TestOnlyTheDoorsAreOpen(t *testing.T) {
	t.Parallel()
	p := project(t)
	doors := map[string]bool{"api": true, "temporal-ui": true}
	for name, service := range p.Services {
		assert.NotEqual(t, "host", service.NetworkMode, name)
		assert.False(t, service.Privileged, name)
		if !doors[name] {
			assert.Empty(t, service.Ports, "%s is reached from within only", name)
		}
		for _, port := range service.Ports {
			assert.Equal(t, "127.0.0.1", port.HostIP, "%s: a proxy with TLS stands in front", name)
		}
	}
	for name := range doors {
		assert.Len(t, p.Services[name].Ports, 1, name)
	}
	assert.True(t, p.Networks["backend"].Internal)
	for _, name := range []string{"postgres", "temporal", "temporal-schema", "migrate"} {
		assert.Equal(t, []string{"backend"}, slices.Collect(maps.Keys(p.Services[name].Networks)), name)
	}
}

func TestWhatMustLastIsInANamedVolume(t *testing.T) {
	t.Parallel()
	p := project(t)
	for _, want := range []struct{ service, target, volume string }{
		{"postgres", "/var/lib/postgresql/data", "postgres"},
		{"api", "/var/lib/curbstop/documents", "documents"},
		{"worker", "/var/lib/curbstop/documents", "documents"},
	} {
		mount := volume(t, p, want.service, want.target)
		assert.Equal(t, types.VolumeTypeVolume, mount.Type, want.service)
		assert.Equal(t, want.volume, mount.Source, want.service)
		assert.Contains(t, p.Volumes, want.volume)
	}
	for name, service := range p.Services {
		for _, mount := range service.Volumes {
			if mount.Type != types.VolumeTypeBind {
				assert.NotEmpty(t, mount.Source, "%s: an unnamed volume is lost with its container", name)
				continue
			}
			assert.True(t, mount.ReadOnly, "%s: %s", name, mount.Target)
			_, err := os.Stat(mount.Source)
			require.NoError(t, err, "%s mounts a file that is not there: docker would make a folder of it", name)
		}
	}
}

func volume(t *testing.T, p *types.Project, service, target string) types.ServiceVolumeConfig {
	t.Helper()
	for _, mount := range p.Services[service].Volumes {
		if mount.Target == target {
			return mount
		}
	}
	require.Fail(t, "no volume", "%s: %s", service, target)
	return types.ServiceVolumeConfig{}
}
