package activities

import (
	"context"
	"fmt"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// Calendars knows the notices in force.
type Calendars interface {
	Notices(ctx context.Context) (calendar.Notices, error)
}

// Deadlines works out due moments. The calendar never enters a workflow: it is
// read here, and its version goes on record with what it gave.
type Deadlines struct{ Calendars Calendars }

// WorkOutInput asks for the due moments of deadlines by the business hours of
// their case.
type WorkOutInput struct {
	Hours     calendar.Hours
	Deadlines []casework.Deadline
}

// WorkOutDeadlines gives the deadlines with their due moments and rungs.
func (d *Deadlines) WorkOutDeadlines(ctx context.Context, in WorkOutInput) ([]casework.Deadline, error) {
	notices, err := d.Calendars.Notices(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the calendar: %w", err)
	}
	cal, err := calendar.New(notices, in.Hours)
	if err != nil {
		return nil, fmt.Errorf("calendar of %s: %w", notices.Version(), err)
	}
	out := make([]casework.Deadline, len(in.Deadlines))
	for i, deadline := range in.Deadlines {
		out[i] = deadline.WorkOut(cal, notices.Version())
	}
	return out, nil
}
