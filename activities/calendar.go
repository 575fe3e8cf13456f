package activities

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/contract"
)

// CalendarRecords knows the table in force, which live deadlines it moves, and
// how far the cases have been told of a version.
type CalendarRecords interface {
	Notices(ctx context.Context) (calendar.Notices, error)
	// CalendarMoves shows each case with a live deadline, in the order of
	// numbers behind the one given, with the deadlines that the notices move.
	CalendarMoves(ctx context.Context, n calendar.Notices, behind string, each func(number string, moves []casework.DeadlineMove) error) error
	Told(ctx context.Context, version string, told int) error
	Settled(ctx context.Context, version string, left int) error
}

// Signaller reaches running workflows. A Temporal client is one.
type Signaller interface {
	SignalWorkflow(ctx context.Context, workflowID, runID, signalName string, arg any) error
}

// Calendar brings a new version of the calendar to the cases that it touches.
type Calendar struct {
	Records   CalendarRecords
	Signaller Signaller
	Terms     func(context.Context) (casework.Terms, error) // of the policy in force, for duties that begin now
}

// telling is how far an attempt came; the next one goes on from there.
type telling struct {
	Behind string `json:"behind"`
	Told   int    `json:"told"`
}

// TellCases tells each case whose live deadlines the calendar in force moves,
// and the duties that wait for a notice. It gives how many cases were told: a
// case that has worked its deadlines out is not told again, and telling one
// twice changes nothing. A case that has ended meanwhile needs no telling.
func (c *Calendar) TellCases(ctx context.Context, in contract.CalendarImport) (int, error) {
	notices, err := c.Records.Notices(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the calendar: %w", err)
	}
	for _, year := range notices.Years() {
		if _, err := c.tell(ctx, casework.NoticeDutyNumber(year), contract.NoticeImported); err != nil {
			return 0, err
		}
	}
	var done telling
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &done); err != nil {
			return 0, fmt.Errorf("read how far the attempt before came: %w", err)
		}
	}
	err = c.Records.CalendarMoves(ctx, notices, done.Behind, func(number string, moves []casework.DeadlineMove) error {
		if len(moves) > 0 {
			running, err := c.tell(ctx, number, contract.CalendarChanged)
			if err != nil {
				return err
			}
			if running {
				done.Told++
			}
		}
		done.Behind = number
		activity.RecordHeartbeat(ctx, done)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("tell the cases of calendar %s: %w", in.Version, err)
	}
	return done.Told, c.Records.Told(ctx, in.Version, done.Told)
}

// tell signals a case's workflow, and tells whether there is one.
func (c *Calendar) tell(ctx context.Context, number, signal string) (bool, error) {
	err := c.Signaller.SignalWorkflow(ctx, contract.WorkflowID(number), "", signal, nil)
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return false, nil
	}
	return err == nil, err
}

// SettleInput ends an import.
type SettleInput struct {
	Version string `json:"version"`
	Left    int    `json:"left"` // cases that have been told and not followed
}

// SettleImport notes that nobody is told of a version any more.
func (c *Calendar) SettleImport(ctx context.Context, in SettleInput) error {
	return c.Records.Settled(ctx, in.Version, in.Left)
}

// YearNotice says what is known of a year's notice.
type YearNotice struct {
	Imported bool           `json:"imported"`
	Version  string         `json:"version"` // of the calendar in force
	Terms    casework.Terms `json:"terms"`   // for a duty that begins now
}

// LookForNotice tells whether the notice of a year is in the table in force.
func (c *Calendar) LookForNotice(ctx context.Context, year int) (YearNotice, error) {
	notices, err := c.Records.Notices(ctx)
	if err != nil {
		return YearNotice{}, fmt.Errorf("read the calendar: %w", err)
	}
	terms, err := c.Terms(ctx)
	if err != nil {
		return YearNotice{}, fmt.Errorf("read the policy: %w", err)
	}
	return YearNotice{Imported: notices.HasYear(year), Version: notices.Version(), Terms: terms}, nil
}
