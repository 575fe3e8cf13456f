package rounds_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/curbstop/curbstop/rounds"
)

// A round goes on while there is more, waits after it or after an error, and ends
// with the context without a word.
func TestRepeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		begun, trouble := time.Now(), errors.New("trouble")
		var at []time.Duration
		var failed []error
		rounds.Repeat(ctx, time.Minute, func(context.Context) (bool, error) {
			at = append(at, time.Since(begun))
			switch len(at) {
			case 1, 2:
				return true, nil
			case 4:
				return true, trouble
			case 5:
				cancel()
				return true, context.Canceled
			}
			return false, nil
		}, func(err error) { failed = append(failed, err) })
		require.Equal(t, []time.Duration{0, 0, 0, time.Minute, 2 * time.Minute}, at)
		require.Equal(t, []error{trouble}, failed)
	})
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]time.Duration{
		0: time.Minute, 1: time.Minute, 2: 2 * time.Minute, 3: 4 * time.Minute, 6: 32 * time.Minute, 7: time.Hour, 1_000_000: time.Hour,
	} {
		require.Equal(t, want, rounds.Backoff(n, time.Minute, time.Hour), n)
	}
}
