package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/seal"
	"github.com/curbstop/curbstop/store"
	"github.com/curbstop/curbstop/testkit"
)

func TestPoliciesAreNeverChanged(t *testing.T) {
	t.Parallel()
	url := testkit.Database(t)
	now := at(2, 9, 0)
	ring, err := seal.ParseRing(key)
	require.NoError(t, err)
	s, err := store.Open(t.Context(), url, store.Options{Ring: ring, Now: func() time.Time { return now }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	_, err = s.CurrentPolicy(t.Context())
	refused(t, err, casework.NotFound, "no_policy")
	all, err := s.Policies(t.Context())
	require.NoError(t, err)
	require.Empty(t, all)

	publish := func(version, text string) (bool, error) {
		return s.PublishPolicy(t.Context(), casework.PublishedPolicy{Version: version, Name: "芜湖 " + version, Text: text, PublishedBy: "lead-01"})
	}
	for _, version := range []string{"v1", "v3", "v2"} { // the order of publication counts, not the name
		added, err := publish(version, "version: "+version)
		require.NoError(t, err)
		require.True(t, added)
		now = now.AddDate(0, 0, 1)
	}
	added, err := publish("v1", "version: v1")
	require.NoError(t, err)
	require.False(t, added, "the same again changes nothing")
	_, err = publish("v1", "version: v1 # once more")
	refused(t, err, casework.Conflict, "policy_exists")

	line := func(version string, day int) casework.PublishedPolicy {
		return casework.PublishedPolicy{Version: version, Name: "芜湖 " + version, PublishedAt: at(day, 9, 0), PublishedBy: "lead-01"}
	}
	current, err := s.CurrentPolicy(t.Context())
	require.NoError(t, err)
	require.Equal(t, line("v2", 4), current)
	all, err = s.Policies(t.Context())
	require.NoError(t, err)
	require.Equal(t, []casework.PublishedPolicy{line("v2", 4), line("v3", 3), line("v1", 2)}, all)
	whole := line("v1", 2)
	whole.Text = "version: v1"
	first, err := s.Policy(t.Context(), "v1")
	require.NoError(t, err)
	require.Equal(t, whole, first)
	_, err = s.Policy(t.Context(), "v9")
	refused(t, err, casework.NotFound, "policy_not_found")
	for _, statement := range []string{"UPDATE policies SET text = ''", "DELETE FROM policies", "TRUNCATE policies"} {
		require.ErrorContains(t, execute(t, url, statement), "append-only", statement)
	}
}

// Of those who publish at one moment each gets a place of its own, and the same
// version is added once.
func TestPoliciesPublishedTogether(t *testing.T) {
	t.Parallel()
	s := open(t)
	var all sync.WaitGroup
	var mutex sync.Mutex
	added := 0
	for i := range 12 {
		all.Go(func() {
			version := fmt.Sprintf("v%d", i/3)
			ok, err := s.PublishPolicy(t.Context(), casework.PublishedPolicy{Version: version, Text: version})
			mutex.Lock()
			defer mutex.Unlock()
			if err != nil {
				t.Error(err)
			}
			if ok {
				added++
			}
		})
	}
	all.Wait()
	require.Equal(t, 4, added)
	versions, err := s.Policies(t.Context())
	require.NoError(t, err)
	require.Len(t, versions, 4)
}
