package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/curbstop/curbstop/contract"
)

// calendarWatchSpec is each day at nine in the morning from 15 November, about
// when the State Council publishes the next year's notice, to the end of the year.
func calendarWatchSpec() client.ScheduleSpec {
	nine := []client.ScheduleRange{{Start: 9}}
	return client.ScheduleSpec{
		Calendars: []client.ScheduleCalendarSpec{
			{Month: []client.ScheduleRange{{Start: 11}}, DayOfMonth: []client.ScheduleRange{{Start: 15, End: 30}}, Hour: nine, Comment: "11 月 15 日起"},
			{Month: []client.ScheduleRange{{Start: 12}}, DayOfMonth: []client.ScheduleRange{{Start: 1, End: 31}}, Hour: nine, Comment: "至 12 月 31 日"},
		},
		TimeZoneName: "Asia/Shanghai",
	}
}

// watchCalendar makes the schedule that looks for the next year's notice, or
// brings the one that is there up to date. It may stay paused by hand.
func watchCalendar(ctx context.Context, options client.Options) error {
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return fmt.Errorf("connect to Temporal: %w", err)
	}
	defer c.Close()
	action := &client.ScheduleWorkflowAction{
		ID: contract.CalendarWatch, Workflow: contract.CalendarWatchWorkflow, TaskQueue: contract.TaskQueue,
		StaticSummary: "查看下一年放假通知",
	}
	// What was missed while the server was down is made up for, for a week: the
	// next day's look finds the same.
	const catchUp = 7 * 24 * time.Hour
	_, err = c.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID: contract.CalendarWatch, Spec: calendarWatchSpec(), Action: action,
		Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: catchUp,
	})
	if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return wrapped("make the calendar's schedule", err)
	}
	err = c.ScheduleClient().GetHandle(ctx, contract.CalendarWatch).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			s := in.Description.Schedule
			spec := calendarWatchSpec()
			s.Spec, s.Action = &spec, action
			s.Policy = &client.SchedulePolicies{Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: catchUp}
			return &client.ScheduleUpdate{Schedule: &s}, nil
		},
	})
	return wrapped("update the calendar's schedule", err)
}

func wrapped(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
