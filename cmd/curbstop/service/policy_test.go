package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/policy"
	"github.com/curbstop/curbstop/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// A start publishes what it is configured with, once. A version that is known
// keeps its content, and the built-in policy steps back where people have
// published theirs.
func TestStartPublishesThePolicy(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	builtIn := policy.Default()
	c := Config{DatabaseURL: testkit.Database(t)}
	inForce := func() []string {
		p, err := c.seed(ctx)
		require.NoError(t, err)
		s, err := OpenUnsealed(ctx, c)
		require.NoError(t, err)
		defer s.Close()
		all, err := s.Policies(ctx)
		require.NoError(t, err)
		require.Equal(t, all[0].Version, p.Version)
		versions := make([]string, len(all))
		for i, v := range all {
			versions[i] = v.Version + " by " + v.PublishedBy
		}
		return versions
	}
	first := builtIn.Version + " by system"
	require.Equal(t, []string{first}, inForce())
	require.Equal(t, []string{first}, inForce(), "the next start changes nothing")

	file := filepath.Join(t.TempDir(), "ours.yaml")
	write := func(pairs ...string) {
		require.NoError(t, os.WriteFile(file, []byte(strings.NewReplacer(pairs...).Replace(builtIn.Text())), 0o600))
	}
	c.PolicyFile = file
	write("lane_101: 1", "lane_101: 2")
	_, err := c.seed(ctx)
	require.ErrorContains(t, err, "raise the version")
	require.ErrorContains(t, err, file)
	require.Equal(t, "policy_exists", casework.AsFault(err).Code)
	write(builtIn.Version, "ours-1")
	require.Equal(t, []string{"ours-1 by system", first}, inForce())

	// Somebody publishes; neither the file, which is known, nor the built-in
	// policy comes back in force by a start.
	s, err := OpenUnsealed(ctx, c)
	require.NoError(t, err)
	defer s.Close()
	_, err = s.PublishPolicy(ctx, casework.PublishedPolicy{Version: "ours-2", Text: strings.Replace(builtIn.Text(), builtIn.Version, "ours-2", 1), PublishedBy: "lead-01"})
	require.NoError(t, err)
	require.Equal(t, []string{"ours-2 by lead-01", "ours-1 by system", first}, inForce())
	c.PolicyFile = ""
	require.Equal(t, []string{"ours-2 by lead-01", "ours-1 by system", first}, inForce())
	newer, err := policy.Parse([]byte(strings.Replace(builtIn.Text(), builtIn.Version, "ours-3", 1)))
	require.NoError(t, err)
	c.Policy = &newer
	require.Equal(t, "ours-3 by system", inForce()[0], "what is configured is meant")
}

// A version that was published serves at once, without a restart.
func TestShelfFollowsWhatIsPublished(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := Config{DatabaseURL: testkit.Database(t)}
	s, err := OpenUnsealed(ctx, c)
	require.NoError(t, err)
	defer s.Close()
	shelf := policy.NewShelf(s)
	_, err = shelf.Terms(ctx)
	require.Equal(t, "no_policy", casework.AsFault(err).Code)
	require.NoError(t, c.publish(ctx, s))
	terms, err := shelf.Terms(ctx)
	require.NoError(t, err)
	require.Equal(t, policy.Default().Terms(), terms)
	text := strings.Replace(policy.Default().Text(), policy.Default().Version, "next", 1) + "\nlearnt_later: true\n"
	_, err = s.PublishPolicy(ctx, casework.PublishedPolicy{Version: "next", Text: text})
	require.NoError(t, err)
	terms, err = shelf.Terms(ctx)
	require.NoError(t, err, "what was judged once is read, whatever rules there are now")
	require.Equal(t, "next", terms.PolicyVersion)
	water := strings.Replace(strings.Replace(policy.Default().Text(), policy.Default().Version, "water", 1), "utilities: [water, gas]", "utilities: [water]", 1)
	_, err = s.PublishPolicy(ctx, casework.PublishedPolicy{Version: "water", Text: water})
	require.NoError(t, err)
	for u, want := range map[casework.Utility]string{casework.Water: "water", casework.Gas: "next"} {
		terms, err = shelf.TermsFor(ctx, u)
		require.NoError(t, err)
		require.Equal(t, want, terms.PolicyVersion, "a request accepted just before gas was dropped starts by what served it")
	}
	old, err := shelf.Version(ctx, policy.Default().Version)
	require.NoError(t, err)
	require.Equal(t, policy.Default(), old)
}
