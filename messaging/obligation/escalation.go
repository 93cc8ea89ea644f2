package obligation

import (
	"slices"

	"github.com/odziv/odziv/internal/rules"
)

// Level is one step of an escalation: level 0 reminds the obligor before the
// due time, the others tell of silence after it. To holds codes of the pack
// (obligor, obligor-head, …), which the exchange resolves to desks.
type Level struct {
	Level int      `json:"level"`
	At    int64    `json:"at"`
	To    []string `json:"to"`
}

// Plan lists the levels of a duty's chain with their times, in order. A duty
// without a due time has none.
func Plan(o Obligation, pack *rules.Pack, cal *Calendar) ([]Level, error) {
	r := ruleOf(pack, o.Rule)
	if r == nil || o.Due == 0 {
		return nil, nil
	}
	i := slices.IndexFunc(pack.Chains, func(c rules.Chain) bool { return c.Code == r.Chain })
	if i < 0 {
		return nil, nil
	}
	chain := &pack.Chains[i]
	var levels []Level
	if at := reminder(&o, chain, cal); at < o.Due {
		levels = append(levels, Level{Level: 0, At: at, To: []string{"obligor"}})
	}
	for i, step := range chain.Steps {
		at, err := cal.after(step.After, o.Due)
		if err != nil {
			return nil, err
		}
		levels = append(levels, Level{Level: i + 1, At: at, To: step.To})
	}
	return levels, nil
}

// Escalation lists the levels reached at a time. A duty that is final, is
// suspended or whose answer waits to be handed over reaches none.
func Escalation(o Obligation, pack *rules.Pack, cal *Calendar, now int64) ([]Level, error) {
	o.lapse(now)
	if o.State.Final() || o.State == Suspended || o.submitted() {
		return nil, nil
	}
	levels, err := Plan(o, pack, cal)
	return slices.DeleteFunc(levels, func(l Level) bool { return l.At > now }), err
}

// reminder is the later of a share of the term and a time before its end, but
// not before the duty was opened.
func reminder(o *Obligation, c *rules.Chain, cal *Calendar) int64 {
	at := o.OpenedAt
	if c.RemindPercent > 0 {
		at = max(at, o.Start+(o.Due-o.Start)/100*int64(c.RemindPercent))
	}
	if c.RemindBefore.Amount > 0 {
		at = max(at, cal.before(c.RemindBefore, o.Due))
	}
	return at
}

// after is the end of a term that begins with a due time: of days, those after
// the last day in time.
func (c *Calendar) after(t rules.Term, due int64) (int64, error) {
	if t.Amount == 0 {
		return due, nil
	}
	start := due
	if !elapses(t.Unit) {
		start--
	}
	at, _, err := c.Due(rules.Deadline{Term: t}, start)
	return at, err
}

// before is the same distance back from a due time; months count as 30 days.
func (c *Calendar) before(t rules.Term, due int64) int64 {
	switch t.Unit {
	case rules.UnitMinutes:
		return due - int64(t.Amount)*60*1000
	case rules.UnitHours:
		return due - int64(t.Amount)*60*60*1000
	case rules.UnitMonths:
		return due - int64(t.Amount)*30*dayMillis
	case rules.UnitWorkingDays:
		d := c.DateOf(due)
		for n := 0; n < t.Amount && d > 0; {
			if d--; c.IsWorking(d) {
				n++
			}
		}
		return c.Begin(d)
	}
	return due - int64(t.Amount)*dayMillis
}

func elapses(unit string) bool { return unit == rules.UnitMinutes || unit == rules.UnitHours }
