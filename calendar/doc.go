// Package calendar counts working days and working hours the way Chinese law and office life do,
// and works out when a task is due, through pauses and holidays.
//
// # Working days
//
// Monday to Friday are working days, unless the State Council General Office's yearly notice on
// public holidays (国务院办公厅关于部分节假日安排的通知) says otherwise: it makes weekdays holidays and,
// in exchange, some weekend days working days (调休). [Notices] is one version of that table of
// exceptions; it is data, read with [ReadCSV] or [ReadHolidayCN], and [Seed] holds what was
// published when the program was built. A year without notice is counted by weekends only, and what
// was counted through it is marked provisional.
//
// # Working time
//
// A [Calendar] joins the notices with [Hours]. It sees time as one line of working time on which
// nights, weekends and holidays have no length: [Calendar.Between] is a difference on that line and
// [Calendar.Add] a step along it. So whatever is added can be measured again, exactly.
//
// # Deadlines
//
// A [Budget] is what a rule grants, such as "1 working_day" or "same_day"; [Calendar.Due] lays it
// from an anchor event and moves it by the working time that was stopped. The counting is that of
// the Civil Code (民法典): in a period of days the day of the event is not counted (art. 201); if
// the last day is a day off, the next working day takes its place, and the period ends at close of
// business (art. 203).
//
// Everything here is pure: nothing reads a clock, a file or the machine's time zone, and equal
// arguments give equal results. All dates and times of day are those of [Shanghai].
package calendar
