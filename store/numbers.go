package store

import (
	"context"
	"sync"

	"gorm.io/gorm"
)

// drawnAhead is how many case numbers are drawn at one time. A process that ends
// takes with it those that it did not give: a gap in them means nothing.
const drawnAhead = 16

// numbers are case numbers that were drawn ahead, so that accepting a request
// is one statement.
type numbers struct {
	mu   sync.Mutex
	free []int64 // the next one first
}

// draw gives a number that nobody else gets.
func (n *numbers) draw(ctx context.Context, db *gorm.DB) (int64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.free) == 0 {
		err := db.WithContext(ctx).Raw("SELECT nextval('case_numbers') FROM generate_series(1, ?)", drawnAhead).Scan(&n.free).Error
		if err != nil {
			return 0, failed("draw case numbers", err)
		}
	}
	next := n.free[0]
	n.free = n.free[1:]
	return next, nil
}

// giveBack takes a number back that was not given to anybody.
func (n *numbers) giveBack(number int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.free = append([]int64{number}, n.free...)
}
