package obligation_test

import (
	"bytes"
	"encoding/json"
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

// Whatever an event holds, Advance changes duties, refuses an act or fails, and
// what it answers can be recorded, folded on and written.
func FuzzAdvance(f *testing.F) {
	w := readWorld(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		m := obligation.NewMemory()
		for line := range bytes.Lines(data[:min(len(data), 1<<16)]) {
			var ev obligation.Event
			if json.Unmarshal(line, &ev) != nil {
				continue
			}
			ch, err := obligation.Advance(m, w, ev)
			if err != nil && len(ch.Opens)+len(ch.Moves) > 0 {
				t.Fatalf("refused and answered: %+v", ch)
			}
			if err == nil {
				m.Record(ev, ch)
			}
			if ch, err = obligation.Replay(m, w, ev, true); err == nil {
				m.Record(ev, ch)
			}
		}
		var back obligation.Memory
		if err := json.Unmarshal([]byte(toJSON(t, m)), &back); err != nil || toJSON(t, &back) != toJSON(t, m) {
			t.Fatalf("reads back otherwise: %v", err)
		}
		for _, o := range m.All() {
			o.View(1<<41, w.packs[o.Pack], w.cal())
		}
	})
}

func TestFuzzSeedsAreThere(t *testing.T) {
	for _, target := range []string{"FuzzAdvance", "FuzzDue"} {
		seeds, err := os.ReadDir("testdata/fuzz/" + target)
		if err != nil || len(seeds) < 5 {
			t.Errorf("%s: %d seeds, %v", target, len(seeds), err)
		}
	}
}
