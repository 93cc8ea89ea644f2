package obligation

import (
	"errors"
	"fmt"

	"github.com/odziv/odziv/internal/rules"
)

// ErrTerm says that a term cannot be computed: an unknown unit or shift, an
// amount or a start out of range, or a calendar in which no day is working. A
// pack that rules.Parse accepted gives no such term.
var ErrTerm = errors.New("term cannot be computed")

// maxElapsed bounds terms in minutes and hours, in ms: ten years, as everywhere.
const maxElapsed = 3660 * dayMillis

// Due computes when a term is over: the first instant that is too late. Minutes
// and hours elapse, across clock changes and holidays. Days and months end at
// 24:00 local time, the day of the event not counted; a month ends on the same
// day number, else on its last day. The steps explain it and are never empty.
func (c *Calendar) Due(d rules.Deadline, start int64) (due int64, steps []Step, err error) {
	if start < 0 || c.DateOf(start) > LastDate || d.Amount < 0 {
		return 0, nil, fmt.Errorf("obligation: %d %.10s from %d: %w", d.Amount, d.Unit, start, ErrTerm)
	}
	steps = []Step{{Code: StepStart, At: start, Date: c.DateOf(start).String(), Why: d.Start}}
	switch d.Unit {
	case rules.UnitMinutes:
		return c.elapse(d, start, 60*1000, steps)
	case rules.UnitHours:
		return c.elapse(d, start, 60*60*1000, steps)
	}
	last, steps, err := c.count(d.Term, c.DateOf(start), steps)
	if err == nil {
		last, steps, err = c.shift(d.Shift, last, steps)
	}
	if err != nil || last > LastDate {
		return 0, nil, fmt.Errorf("obligation: %d %.10s from %d: %w", d.Amount, d.Unit, start, ErrTerm)
	}
	due = c.Begin(last + 1)
	return due, append(steps, Step{Code: StepEnd, Date: last.String(), At: due}), nil
}

func (c *Calendar) elapse(d rules.Deadline, start, unit int64, steps []Step) (int64, []Step, error) {
	if int64(d.Amount) > maxElapsed/unit {
		return 0, nil, fmt.Errorf("obligation: %d %s: %w", d.Amount, d.Unit, ErrTerm)
	}
	due := start + int64(d.Amount)*unit
	return due, append(steps, Step{Code: StepElapsed, N: d.Amount, Unit: d.Unit, At: due, Date: c.DateOf(due).String()}), nil
}

// count finds the last day of a term of days or months that began on a day
// which is not counted.
func (c *Calendar) count(t rules.Term, day Date, steps []Step) (Date, []Step, error) {
	steps = append(steps, Step{Code: StepEventDay, Date: day.String()})
	last := day
	switch t.Unit {
	case rules.UnitCalendarDays:
		last = day + Date(min(t.Amount, int(LastDate)))
	case rules.UnitMonths:
		last = day.addMonths(min(t.Amount, int(LastDate)))
	case rules.UnitWorkingDays:
		for n := 0; n < t.Amount; {
			last++
			if last > LastDate {
				return 0, nil, ErrTerm
			}
			if off, free := c.free(last); free {
				steps = append(steps, skipped(last, off))
				continue
			}
			n++
		}
	default:
		return 0, nil, ErrTerm
	}
	return last, append(steps, Step{Code: StepCount, N: t.Amount, Unit: t.Unit, Date: last.String()}), nil
}

// shift moves an end off a day that is not working, if the deadline says so.
func (c *Calendar) shift(shift string, last Date, steps []Step) (Date, []Step, error) {
	switch shift {
	case rules.ShiftNone, "":
		return last, steps, nil
	case rules.ShiftNext:
	default:
		return 0, nil, ErrTerm
	}
	to, ok := c.NextWorking(last)
	if !ok {
		return 0, nil, ErrTerm
	}
	if to == last {
		return last, steps, nil
	}
	for d := last; d < to; d++ {
		off, _ := c.free(d)
		steps = append(steps, skipped(d, off))
	}
	return to, append(steps, Step{Code: StepShift, Date: to.String()}), nil
}

func skipped(d Date, off offDay) Step {
	s := Step{Code: StepFree, Date: d.String(), Why: off.why, EN: off.name.EN, SR: off.name.SR}
	if off.why == whyWeekend {
		s.N = int(d.Weekday())
	}
	return s
}
