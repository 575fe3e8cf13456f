package api

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// rememberedCallers bounds a limiter's memory: two generations of this many
// callers, some hundred bytes each.
const rememberedCallers = 10_000

// limiter lets each caller through so many times a minute. When a generation
// is full the one before it is forgotten, and with it the callers that were
// not seen for the longest; a flood of addresses costs no more memory.
type limiter struct {
	every rate.Limit
	burst int
	now   func() time.Time

	mu         sync.Mutex
	young, old map[string]*rate.Limiter
}

func newLimiter(perMinute int, now func() time.Time) *limiter {
	return &limiter{
		every: rate.Every(time.Minute / time.Duration(perMinute)), burst: perMinute, now: now,
		young: map[string]*rate.Limiter{}, old: map[string]*rate.Limiter{},
	}
}

func (l *limiter) allow(caller string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket, ok := l.young[caller]
	if !ok {
		if len(l.young) >= rememberedCallers {
			l.old, l.young = l.young, map[string]*rate.Limiter{}
		}
		if bucket, ok = l.old[caller]; !ok {
			bucket = rate.NewLimiter(l.every, l.burst)
		}
		l.young[caller] = bucket
	}
	return bucket.AllowN(l.now(), 1)
}
