package exchange

import (
	"testing"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/messaging/obligation"
)

// No reminder of any pack lies further before its due time than bookkeeping
// looks, whatever the day, the holidays among them.
func TestHorizon(t *testing.T) {
	ids, err := rules.Embedded()
	if err != nil || len(ids) == 0 {
		t.Fatalf("%v, %v", ids, err)
	}
	reminders := 0
	for _, id := range ids {
		pack, err := rules.Load(id)
		if err != nil {
			t.Fatal(err)
		}
		x := &Exchange{Config: Config{Packs: rules.NewSet(pack)}}
		horizon := x.horizon()
		cal := x.cals.of(pack, nil)
		for _, rule := range pack.Rules {
			const begin = 1767222000000 // 1 January 2026 in Belgrade
			for due := int64(begin); due < begin+400*day; due += 31 * hour {
				o := obligation.Obligation{Rule: rule.Code, OpenedAt: 1, Start: 1, Due: due, State: obligation.Open}
				levels, err := obligation.Plan(o, pack, cal)
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range levels {
					if l.At < due-horizon {
						t.Fatalf("%s %s: level %d of a duty due at %d is at %d, %d ms before", id, rule.Code, l.Level, due, l.At, due-l.At)
					}
					if l.Level == 0 {
						reminders++
					}
				}
			}
		}
	}
	if reminders == 0 {
		t.Error("no pack reminds anybody: this test tests nothing")
	}
}

func TestReminds(t *testing.T) {
	for unit, want := range map[string]int64{rules.UnitMinutes: 3 * 60_000, rules.UnitHours: 3 * hour,
		rules.UnitMonths: 93 * day, rules.UnitWorkingDays: 66 * day} {
		if got := reminds(rules.Term{Amount: 3, Unit: unit}); got != want {
			t.Errorf("3 %s: %d ms, want %d", unit, got, want)
		}
	}
}
