package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAKeyRemembersWhatCameWithIt(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx := t.Context()
	bind := func(key, content string) []bool {
		same, fresh, err := s.BindKey(ctx, key, content)
		require.NoError(t, err)
		return []bool{same, fresh}
	}
	require.Equal(t, []bool{true, true}, bind("k1", "a"))
	require.Equal(t, []bool{true, false}, bind("k1", "a"))
	require.Equal(t, []bool{false, false}, bind("k1", "b"))
	require.Equal(t, []bool{true, false}, bind("k1", "a"), "a refused body does not take the place of the first")
	require.NoError(t, s.FreeKey(ctx, "k1"))
	require.Equal(t, []bool{true, true}, bind("k1", "b"))
	require.NoError(t, s.ForgetKeys(ctx, time.Time{}))
	require.Equal(t, []bool{true, false}, bind("k1", "b"))
	require.NoError(t, s.ForgetKeys(ctx, time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)))
	require.Equal(t, []bool{true, true}, bind("k1", "c"))
}
