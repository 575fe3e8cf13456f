package calendar_test

import (
	"fmt"
	"time"

	"github.com/curbstop/curbstop/calendar"
)

// The customer asks on Thursday at 16:00, and the rule grants one working day: it ends on Friday at
// the close of business. While the customer's site was not ready, for two working hours on Friday,
// the clock stood still; so what was left on Friday is left on Monday.
func ExampleCalendar_Due() {
	hours := calendar.Hours{Spans: []calendar.Span{{From: 8*60 + 30, To: 12 * 60}, {From: 13*60 + 30, To: 17*60 + 30}}}
	c, err := calendar.New(calendar.Seed(), hours)
	if err != nil {
		panic(err)
	}
	rule, err := calendar.ParseBudget("1 working_day")
	if err != nil {
		panic(err)
	}
	asked := time.Date(2026, time.November, 19, 16, 0, 0, 0, calendar.Shanghai)
	fmt.Println(c.Due(asked, rule, nil).At)

	friday := calendar.DateOf(asked).AddDays(1)
	pause := calendar.Stop{From: friday.At(9 * 60), To: friday.At(11 * 60)}
	fmt.Println(c.Due(asked, rule, []calendar.Stop{pause}).At)

	pause.To = time.Time{} // Not over yet.
	fmt.Println(c.Due(asked, rule, []calendar.Stop{pause}).Remaining)
	// Output:
	// 2026-11-20 17:30:00 +0800 CST
	// 2026-11-23 10:30:00 +0800 CST
	// 7h0m0s
}

// In 2026 the Spring Festival is paid for with Saturday 14 February, a working day.
func ExampleCalendar_Next() {
	c, err := calendar.New(calendar.Seed(), calendar.AlwaysOpen)
	if err != nil {
		panic(err)
	}
	fmt.Println(c.Next(calendar.Date{Year: 2026, Month: time.February, Day: 13}))

	office, err := calendar.New(calendar.Seed(), calendar.Hours{Spans: []calendar.Span{{From: 9 * 60, To: 17 * 60}}})
	if err != nil {
		panic(err)
	}
	saturday := office.Next(calendar.Date{Year: 2026, Month: time.February, Day: 13})
	fmt.Println(saturday, saturday.Weekday())
	fmt.Println(office.Next(saturday))
	// Output:
	// 2026-02-14
	// 2026-02-14 Saturday
	// 2026-02-24
}
