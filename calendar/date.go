package calendar

import (
	"cmp"
	"fmt"
	"time"
)

// Shanghai is the one time zone of China, UTC+8. It is fixed rather than loaded, so that the result
// of a computation never depends on the zone database of the machine (nor on the summer time of
// 1986 to 1991, which no deadline here reaches). Treat it as a constant.
var Shanghai = time.FixedZone("CST", zoneSeconds)

const (
	zoneSeconds = 8 * 60 * 60
	daySeconds  = 24 * 60 * 60
)

// Date is a day of the Gregorian calendar in China. It is comparable, and its text form, also in
// JSON and YAML, is 2006-01-02. The zero Date means "no date" and its text form is empty.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf is the date on which t falls in [Shanghai], whatever the location that t carries.
func DateOf(t time.Time) Date {
	y, m, d := t.In(Shanghai).Date()
	return Date{y, m, d}
}

// ParseDate reads the form 2006-01-02. It refuses any other form and days that do not exist.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, wrong("日期“%s”不对，应为实有的日子，写作 2026-12-08", "%q is not a date of the form 2026-12-08", s)
	}
	y, m, d := t.Date()
	return Date{y, m, d}, nil
}

// Valid tells whether d is a day that exists and that the text form can carry (years 0 to 9999).
func (d Date) Valid() bool {
	return d.Year >= 0 && d.Year <= 9999 && d == dateOfDay(d.day())
}

// IsZero tells whether d is "no date".
func (d Date) IsZero() bool { return d == Date{} }

// AddDays is the date n calendar days later, or earlier if n is negative.
func (d Date) AddDays(n int) Date { return dateOfDay(d.day() + n) }

// Before tells whether d comes before other.
func (d Date) Before(other Date) bool { return d.Compare(other) < 0 }

// Compare is negative if d comes before other, zero if they are equal, positive if d comes after.
func (d Date) Compare(other Date) int {
	return cmp.Or(cmp.Compare(d.Year, other.Year), cmp.Compare(d.Month, other.Month), cmp.Compare(d.Day, other.Day))
}

// Weekday is the day of the week of d.
func (d Date) Weekday() time.Weekday { return d.At(0).Weekday() }

// At is the moment of day m on d in [Shanghai]. 24:00 is the midnight that ends d.
func (d Date) At(m Minute) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, int(m), 0, 0, Shanghai)
}

// String is the form 2006-01-02, or nothing for the zero Date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

// MarshalText writes what [Date.String] shows. It refuses a day that does not exist.
func (d Date) MarshalText() ([]byte, error) {
	if !d.IsZero() && !d.Valid() {
		return nil, wrong("没有 %s 这一天", "there is no day %s", d)
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads what [Date.MarshalText] writes.
func (d *Date) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = Date{}
		return nil
	}
	parsed, err := ParseDate(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// day numbers the dates in a row; 1970-01-01, a Thursday, is 0.
func (d Date) day() int {
	return int(floorDiv(time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Unix(), daySeconds))
}

// dateOfDay is the inverse of [Date.day].
func dateOfDay(day int) Date {
	y, m, d := time.Unix(int64(day)*daySeconds, 0).UTC().Date()
	return Date{y, m, d}
}

// split takes a moment apart into the number of its day and the time since midnight in Shanghai.
func split(t time.Time) (day int, sinceMidnight time.Duration) {
	seconds := t.Unix() + zoneSeconds
	n := floorDiv(seconds, daySeconds)
	return int(n), time.Duration(seconds-n*daySeconds)*time.Second + time.Duration(t.Nanosecond())
}

// join is the inverse of [split]; sinceMidnight may reach 24 hours.
func join(day int, sinceMidnight time.Duration) time.Time {
	return time.Unix(int64(day)*daySeconds-zoneSeconds, int64(sinceMidnight)).In(Shanghai)
}

// floorDiv divides and rounds down, also for dates before 1970, where / rounds up.
func floorDiv[T int | int64](a, b T) T {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
