// Package rounds does work that waits in the records round after round, beside
// everything else, and says how long to leave what failed.
package rounds

import (
	"context"
	"time"
)

// Repeat works until the context ends: as long as there is more to do, then again
// after a while. What a round failed with is said to failed, unless the context
// has ended, and the next round comes after that while.
func Repeat(ctx context.Context, every time.Duration, work func(context.Context) (more bool, err error), failed func(error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		for ctx.Err() == nil {
			more, err := work(ctx)
			if err != nil && ctx.Err() == nil {
				failed(err)
			}
			if err != nil || !more {
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Backoff is how long to wait after the nth try: first after one, twice as long
// after each further one, and at most last.
func Backoff(n int, first, last time.Duration) time.Duration {
	wait := first
	for ; n > 1 && wait < last; n-- {
		wait *= 2
	}
	return min(wait, last)
}
