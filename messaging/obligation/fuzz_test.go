package obligation_test

import (
	"os"
	"testing"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/messaging/obligation"
)

// Whatever the term, Due answers or refuses, and what it answers holds.
func FuzzDue(f *testing.F) {
	w := readWorld(f)
	f.Fuzz(func(t *testing.T, amount int, unit, shift string, start int64, zoneIndex uint8) {
		loc := zone(t, oddZones[int(zoneIndex)%len(oddZones)])
		cal := obligation.NewCalendar(w.pack().Calendar, loc, nil)
		d := rules.Deadline{Term: rules.Term{Amount: amount, Unit: unit}, Shift: shift}
		due, steps, err := cal.Due(d, start)
		if err != nil {
			if due != 0 || steps != nil {
				t.Fatalf("refused and answered: %d %v", due, steps)
			}
			return
		}
		if d.Shift == "" {
			d.Shift = "none"
		}
		checkDue(t, cal, d, start, due, steps)
		for _, lang := range []string{"en", "sr"} {
			if lines := obligation.Explain(steps, lang, loc); len(lines) != len(steps) {
				t.Fatalf("%d lines for %d steps", len(lines), len(steps))
			}
		}
	})
}

func TestFuzzSeedsAreThere(t *testing.T) {
	for _, target := range []string{"FuzzDue"} {
		seeds, err := os.ReadDir("testdata/fuzz/" + target)
		if err != nil || len(seeds) < 5 {
			t.Errorf("%s: %d seeds, %v", target, len(seeds), err)
		}
	}
}
