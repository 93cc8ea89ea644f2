package obligation

import (
	"fmt"
	"time"
)

// Date is a day of the Gregorian calendar, counted from 1970-01-01 (day 0). It
// has no time zone; only [Calendar] knows when a date begins.
type Date int

// LastDate is the last day that deadlines are computed for, 2099-12-31: after
// it the Julian computus is off by another day.
const LastDate Date = 47481

const dayMillis = 24 * 60 * 60 * 1000

// ParseDate reads YYYY-MM-DD.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("obligation: %.20q is not a date: write YYYY-MM-DD", s)
	}
	return dateOf(t), nil
}

// String writes YYYY-MM-DD.
func (d Date) String() string { return d.utc().Format(time.DateOnly) }

// Weekday is the day of the week.
func (d Date) Weekday() time.Weekday { return d.utc().Weekday() }

// civil makes a date from its parts; days and months beyond their range carry.
func civil(year int, month time.Month, day int) Date {
	return dateOf(time.Date(year, month, day, 0, 0, 0, 0, time.UTC))
}

// dateOf takes the date a time shows in its own zone.
func dateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).UnixMilli() / dayMillis)
}

func (d Date) utc() time.Time { return time.UnixMilli(int64(d) * dayMillis).UTC() }

// addMonths goes to the same day number of a later month, or to its last day
// when it has no such day.
func (d Date) addMonths(n int) Date {
	y, m, day := d.utc().Date()
	last := civil(y, m+time.Month(n)+1, 0)
	return min(civil(y, m+time.Month(n), 1)+Date(day-1), last)
}
