package consent

import (
	"fmt"
	"time"

	"github.com/odziv/odziv/internal/rules"
)

// Until returns when a consent given at from (ms) ends when nobody says
// otherwise: the pack's default, or the longest of a guardian where that is
// shorter. A guardian's program takes majority into account as well; the age
// itself is never here.
func Until(pack *rules.Pack, age, rel string, from int64) (int64, error) {
	until, err := after(from, pack.Consent.Default, pack.Location())
	if err != nil {
		return 0, err
	}
	latest, err := latestEnd(pack, age, rel, from)
	if err != nil {
		return 0, err
	}
	return min(until, latest), nil
}

// latestEnd is the latest na of a consent given at from.
func latestEnd(pack *rules.Pack, age, rel string, from int64) (int64, error) {
	latest, err := after(from, pack.Consent.Longest, pack.Location())
	if err != nil {
		return 0, err
	}
	g, ok := grantorRule(pack, age, rel)
	if !ok || !g.Guardian {
		return latest, nil
	}
	guardian, err := after(from, pack.Consent.Guardian, pack.Location())
	if err != nil {
		return 0, err
	}
	return min(latest, guardian), nil
}

// dayOf is the beginning of the day of a time in loc.
func dayOf(at int64, loc *time.Location) int64 {
	y, m, d := time.UnixMilli(at).In(loc).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, loc).UnixMilli()
}

// after adds a term. Minutes and hours are elapsed time; days and months end at
// 24:00 in the pack's zone, the first day not counted, and a month without that
// day ends with its last.
func after(from int64, t rules.Term, loc *time.Location) (int64, error) {
	switch t.Unit {
	case rules.UnitMinutes:
		return from + int64(t.Amount)*time.Minute.Milliseconds(), nil
	case rules.UnitHours:
		return from + int64(t.Amount)*time.Hour.Milliseconds(), nil
	case rules.UnitCalendarDays, rules.UnitMonths:
	default:
		return 0, fmt.Errorf("consent: a term of the pack is in %q; consent counts min, h, cd or mo", t.Unit)
	}
	y, m, d := time.UnixMilli(from).In(loc).Date()
	if t.Unit == rules.UnitCalendarDays {
		return time.Date(y, m, d+t.Amount+1, 0, 0, 0, 0, loc).UnixMilli(), nil
	}
	m += time.Month(t.Amount)
	last := time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return time.Date(y, m, min(d, last)+1, 0, 0, 0, 0, loc).UnixMilli(), nil
}
