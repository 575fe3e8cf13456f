package casework_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/casework"
)

func TestAZeroCharacterIsRefused(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"", `{"note":"已联系"}`, `{"note":"\u0001"}`, "u0000"} {
		require.NoError(t, casework.CheckZero([]byte(good)), good)
	}
	for _, bad := range []string{"a\x00b", `{"note":"a\u0000"}`, `{"folded":"{\"note\":\"\\u0000\"}"}`} {
		require.Equal(t, "zero_character", casework.AsFault(casework.CheckZero([]byte(bad))).Code, bad)
	}
}
