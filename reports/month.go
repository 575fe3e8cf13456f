package reports

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"time"

	"github.com/curbstop/curbstop/calendar"
	"github.com/curbstop/curbstop/casework"
)

// Month is what the monthly dispatch meeting (月度调度会) has before it: what the
// month came to, what was worst, and what stands now.
type Month struct {
	At     time.Time
	Period Period
	Places string // what it is narrowed to, for people

	OnTime   OnTime
	Clock    ClockSum
	Agenda   Late // the worst breaches of the month
	Voice    Voice
	Work     WorkInProgress
	Ladder   Ladder
	Paused   Paused
	DueToday DueToday
}

//go:embed month.html
var monthFile string

var monthPage = template.Must(template.New("month").Funcs(template.FuncMap{
	"clock":   orDash,
	"hours":   func(seconds int64) string { return casework.Worked(worked(seconds)) },
	"percent": func(share float64) string { return fmt.Sprintf("%.1f%%", share*100) },
	"fill":    func(p casework.Party) template.CSS { return template.CSS(fills[p]) }, //nolint:gosec // a colour from our table
	"ink":     func(p casework.Party) template.CSS { return template.CSS(ink(p)) },   //nolint:gosec // black or white
	"letter":  letter,
	"width":   func(share float64) template.CSS { return template.CSS(fmt.Sprintf("%.2f%%", share*100)) }, //nolint:gosec // a number
	"part": func(n, of int64) float64 {
		if of == 0 {
			return 0
		}
		return float64(n) / float64(of)
	},
	"plus":  func(n int) int { return n + 1 },
	"value": func(share *float64) float64 { return *share },
	"tone":  tone,
	"cnMonth": func(d calendar.Date) string {
		return fmt.Sprintf("%d年%d月", d.Year, d.Month)
	},
}).Parse(monthFile))

func orDash(t time.Time) string {
	if t.IsZero() {
		return "—"
	}
	return casework.Clock(t)
}

// tone paints a bucket of age, the older the darker.
func tone(bucket int) template.CSS {
	tones := []template.CSS{"#dbe7f1", "#b3cde3", "#86aecf", "#5b8db8", "#326b9c", "#123f68"}
	return tones[min(bucket, len(tones)-1)]
}

// MonthPage draws a month as a page that prints on A4 and needs nothing from
// outside.
func MonthPage(m Month) ([]byte, error) {
	var b bytes.Buffer
	if err := monthPage.Execute(&b, m); err != nil {
		return nil, fmt.Errorf("reports: %w", err)
	}
	return b.Bytes(), nil
}
