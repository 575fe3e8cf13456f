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

// WorkOutInput asks for the due moments of deadlines, and for the working time
// of stretches that have ended, by the business hours of their case.
type WorkOutInput struct {
	Hours     calendar.Hours
	Deadlines []casework.Deadline
	Ended     []casework.Holding
}

// Worked is what came out.
type Worked struct {
	Deadlines []casework.Deadline
	Ended     []casework.Holding
}

// WorkOut gives the deadlines with their due moments and rungs, and the
// stretches with their working time.
func (d *Deadlines) WorkOut(ctx context.Context, in WorkOutInput) (Worked, error) {
	notices, err := d.Calendars.Notices(ctx)
	if err != nil {
		return Worked{}, fmt.Errorf("read the calendar: %w", err)
	}
	cal, err := calendar.New(notices, in.Hours)
	if err != nil {
		return Worked{}, fmt.Errorf("calendar of %s: %w", notices.Version(), err)
	}
	worked := Worked{Deadlines: make([]casework.Deadline, len(in.Deadlines)), Ended: in.Ended}
	for i, deadline := range in.Deadlines {
		worked.Deadlines[i] = deadline.WorkOut(cal, notices.Version())
	}
	for i, h := range worked.Ended {
		worked.Ended[i].Working = cal.Between(h.From, h.To)
	}
	return worked, nil
}

// WorkOutDeadlines is WorkOut for runs that began before curbstop noted who
// holds the clock.
func (d *Deadlines) WorkOutDeadlines(ctx context.Context, in WorkOutInput) ([]casework.Deadline, error) {
	worked, err := d.WorkOut(ctx, in)
	return worked.Deadlines, err
}
