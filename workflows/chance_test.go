package workflows

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/policy"
)

// chanceDays draws a table of notices: the real ones for seed 0; else some of
// their years may be missing, and some days around a moment are otherwise.
func chanceDays(seed uint64, around time.Time) []calendar.Day {
	days := calendar.Seed().Days()
	if seed == 0 {
		return days
	}
	chance := rand.New(rand.NewPCG(seed, 1))
	if year := 2022 + chance.IntN(8); year < 2027 {
		days = slices.DeleteFunc(days, func(d calendar.Day) bool { return d.Date.Year == year })
	}
	for range chance.IntN(12) {
		date := calendar.DateOf(around).AddDays(chance.IntN(100) - 10)
		days = slices.DeleteFunc(days, func(d calendar.Day) bool { return d.Date == date })
		kind := calendar.Holiday
		if weekday := date.Weekday(); (weekday == time.Saturday || weekday == time.Sunday) && chance.IntN(4) > 0 {
			kind = calendar.Workday
		}
		days = append(days, calendar.Day{Date: date, Kind: kind, Name: "变更", Notice: "变更"})
	}
	if chance.IntN(3) == 0 { // a notice of the next year, if a short one
		first := calendar.Date{Year: 2027, Month: time.January, Day: 1}
		days = slices.DeleteFunc(days, func(d calendar.Day) bool { return d.Date == first })
		days = append(days, calendar.Day{Date: first, Kind: calendar.Holiday, Name: "元旦", Notice: "2027"})
	}
	return slices.DeleteFunc(days, func(d calendar.Day) bool { return seed%17 == 1 && d.Date.Year > 2024 })
}

var wuhu = policy.Default().Terms()

// chanceTerms draws a policy: Wuhu's own for seed 0.
func chanceTerms(seed uint64) casework.Terms {
	t := wuhu
	if seed == 0 {
		return t
	}
	t.Limits = maps.Clone(t.Limits)
	chance := rand.New(rand.NewPCG(seed, 2))
	t.PolicyVersion = fmt.Sprint("chance-", seed)
	t.Hours = []calendar.Hours{
		t.Hours,
		{Spans: []calendar.Span{{From: 9 * 60, To: 17 * 60}}},
		{Spans: []calendar.Span{{From: 0, To: 6 * 60}, {From: 20 * 60, To: 24 * 60}}},
		{Spans: []calendar.Span{{From: 8 * 60, To: 20 * 60}}, EveryDay: true},
		calendar.AlwaysOpen,
	}[chance.IntN(5)]
	for _, name := range slices.Sorted(maps.Keys(t.Limits)) {
		switch chance.IntN(8) {
		case 0:
			delete(t.Limits, name)
		case 1, 2: // as Wuhu has it
		default:
			t.Limits[name] = chanceBudget(chance, true)
		}
	}
	t.Ladder = chanceLadder(chance)
	t.Ladders = map[casework.LimitName][]casework.Rung{}
	for _, name := range slices.Sorted(maps.Keys(t.Limits)) {
		if chance.IntN(6) == 0 {
			t.Ladders[name] = chanceLadder(chance)
		}
	}
	if chance.IntN(4) == 0 {
		t.PauseBound = calendar.Budget{}
	} else {
		t.PauseBound = chanceBudget(chance, false)
	}
	return t
}

// chanceBudget draws a budget of any unit; one that is not an agreed date ends
// later than it begins.
func chanceBudget(chance *rand.Rand, date bool) calendar.Budget {
	switch n := chance.IntN(12); {
	case n < 4:
		return calendar.Budget{Unit: calendar.WorkingDays, Days: chance.IntN(5) + 1}
	case n < 8:
		return calendar.Budget{Unit: calendar.WorkingTime, Time: time.Duration(chance.IntN(900)+5) * time.Minute}
	case n == 8:
		return calendar.Budget{Unit: calendar.SameDay}
	case n == 9:
		return calendar.Budget{Unit: calendar.NextDay}
	case n == 10 && date:
		return calendar.Budget{Unit: calendar.OnDate}
	}
	return calendar.Budget{Unit: calendar.NextCalendarDay}
}

// chanceLadder draws a ladder: reminders, a breach, and what comes after it.
func chanceLadder(chance *rand.Rand) []casework.Rung {
	answer := func() calendar.Budget {
		if chance.IntN(4) == 0 {
			return calendar.Budget{}
		}
		return chanceBudget(chance, false)
	}
	var ladder []casework.Rung
	for i := range chance.IntN(3) {
		ladder = append(ladder, casework.Rung{
			Name: []casework.RungName{"early", casework.RungReminder}[i], Answer: answer(),
			Before: calendar.Budget{Unit: calendar.WorkingTime, Time: time.Duration(chance.IntN(600)+1) * time.Minute},
		})
	}
	if chance.IntN(4) > 0 || len(ladder) == 0 {
		ladder = append(ladder, casework.Rung{Name: casework.RungBreach, To: casework.TaskforceOffice, Level: 1, Answer: answer()})
	}
	for i, name := range []casework.RungName{"office_again", casework.RungLead, casework.RungManagement} {
		if chance.IntN(3) > 0 {
			ladder = append(ladder, casework.Rung{
				Name: name, To: []casework.Role{casework.TaskforceOffice, casework.TaskforceLead, casework.Management}[i], Level: max(1, i+1-chance.IntN(2)),
				After: chanceBudget(chance, false), Answer: answer(),
			})
		}
	}
	for i := 1; i < len(ladder); i++ {
		ladder[i].Level = max(ladder[i].Level, ladder[i-1].Level)
	}
	return ladder
}
