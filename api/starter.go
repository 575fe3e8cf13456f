package api

import (
	"context"
	"log/slog"
	"runtime"
	"sync"

	"github.com/curbstop/curbstop/casework"
)

// starter starts the cases of accepted requests, a few at one time. To open a
// case costs a hundred times what accepting it does, so where requests come in
// faster than cases open, the starts trail: the receipt is the promise, and who
// sent the request is answered at once. What does not fit into the queue, or is
// in it when the process ends, is found by its receipt.
type starter struct {
	start func(ctx context.Context, r casework.Receipt, wait bool) error
	log   *slog.Logger

	mu      sync.Mutex
	opening int // starts under way
	queue   []casework.Receipt
}

// How many cases are opened at one time: enough to keep the processors busy
// while one waits for a disk, few enough that who comes in now is answered at
// once. And how many receipts wait in memory: minutes' worth, a kilobyte or two
// each.
var maxOpening = 2 * runtime.GOMAXPROCS(0)

const maxQueued = 20_000

// take gives a slot for a start that somebody waits for, unless others wait for
// one already.
func (s *starter) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opening >= maxOpening || len(s.queue) > 0 {
		return false
	}
	s.opening++
	return true
}

// release gives the slot to the receipts that came meanwhile.
func (s *starter) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opening--
	s.next()
}

// later has a receipt started when its turn comes.
func (s *starter) later(r casework.Receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) < maxQueued {
		s.queue = append(s.queue, r)
	}
	s.next()
}

// next starts as many as there are slots. The lock is held.
func (s *starter) next() {
	for s.opening < maxOpening && len(s.queue) > 0 {
		r := s.queue[0]
		s.queue = s.queue[1:]
		s.opening++
		go func() {
			defer s.release()
			// It waits for the first records, so that what has been started is
			// open before more is: the queue stays here, not in the workers.
			if err := s.start(context.Background(), r, true); err != nil {
				s.log.Warn("An accepted request waits to be started.", "case", r.Number, "error", err)
			}
		}()
	}
}
