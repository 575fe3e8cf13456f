package seal_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/curbstop/curbstop/seal"
)

func ring(t *testing.T, keys ...string) *seal.Ring {
	t.Helper()
	r, err := seal.ParseRing(strings.Join(keys, ","))
	require.NoError(t, err)
	return r
}

func TestSealOpensOnlyInItsPlace(t *testing.T) {
	t.Parallel()
	r := ring(t, seal.NewKey("a"))
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		sealed := r.Seal(plain, "case/W1")
		opened, err := r.Open(sealed, "case/W1")
		require.NoError(t, err)
		require.Equal(t, string(plain), string(opened))
		_, err = r.Open(sealed, "case/W2")
		require.Error(t, err)
		i := rapid.IntRange(0, len(sealed)-1).Draw(t, "i")
		sealed[i] ^= 0x40
		_, err = r.Open(sealed, "case/W1")
		require.Error(t, err)
	})
}

func TestRotationKeepsOldValuesIndexesAndCodes(t *testing.T) {
	t.Parallel()
	before, after := seal.NewKey("2026"), seal.NewKey("2027")
	old, rotated := ring(t, before), ring(t, after, before)
	opened, err := rotated.Open(old.Seal([]byte("13800138000"), "x"), "x")
	require.NoError(t, err)
	require.Equal(t, "13800138000", string(opened))
	require.Equal(t, "2027", rotated.KeyID())
	require.Equal(t, old.Index("13800138000"), rotated.Index("13800138000"))
	require.True(t, rotated.CheckCode("W1", strings.ToLower(old.Code("W1"))))
	_, err = old.Open(rotated.Seal([]byte("x"), "x"), "x")
	require.ErrorContains(t, err, "2027")
}

func TestCodesAreTellApart(t *testing.T) {
	t.Parallel()
	r := ring(t, seal.NewKey("a"))
	require.Len(t, r.Code("W1"), 10)
	require.NotEqual(t, r.Code("W1"), r.Code("W2"))
	require.False(t, r.CheckCode("W1", r.Code("W2")))
	require.False(t, r.CheckCode("W1", ""))
	require.Empty(t, r.Index(""))
}

func TestParseRingRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "a", "a:", "a:AAAA", "a b:" + strings.TrimPrefix(seal.NewKey("x"), "x:"), seal.NewKey("a") + "," + seal.NewKey("a")} {
		_, err := seal.ParseRing(text)
		require.Error(t, err, text)
	}
}
