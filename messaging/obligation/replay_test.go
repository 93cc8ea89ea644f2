package obligation_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/odziv/odziv/messaging/obligation"
	"pgregory.net/rapid"
)

// listed gives an event what its leaf would list.
func listed(ev obligation.Event, ch obligation.Changes) obligation.Event {
	ev.Opens, ev.Listed, ev.Moved = []string{}, nil, nil
	for _, o := range ch.Opens {
		ev.Opens = append(ev.Opens, o.ID)
		ev.Listed = append(ev.Listed, obligation.Listed{O: o.ID, Rule: o.Rule, Obligor: o.Obligor, Obligee: o.Obligee, Due: o.Due, N: o.N})
	}
	for _, m := range ch.Moves {
		ev.Moved = append(ev.Moved, obligation.Moved{O: m.O.ID, Op: m.Op, State: m.O.State})
	}
	return ev
}

func replay(events []obligation.Event, w *testWorld, holes bool) (*obligation.Memory, error) {
	m := obligation.NewMemory()
	for _, ev := range events {
		ch, err := obligation.Replay(m, w, ev, holes)
		if err != nil {
			return nil, err
		}
		m.Record(ev, ch)
	}
	return m, nil
}

// erase drops events, and appends what an exchange keeps of the duties they
// opened or moved.
func (s *story) erase(gone func(i int) bool) (left []obligation.Event) {
	var kept []string
	for i, ev := range s.events {
		if !gone(i) {
			left = append(left, listed(ev, s.gave[i]))
			continue
		}
		for _, o := range s.gave[i].Opens {
			kept = append(kept, o.ID)
		}
		for _, m := range s.gave[i].Moves {
			kept = append(kept, m.O.ID)
		}
	}
	slices.Sort(kept)
	for i, o := range slices.Compact(kept) {
		duty, _, _ := s.book.Obligation(o)
		k := obligation.Keep(duty, s.now)
		left = append(left, obligation.Event{Idx: s.idx + int64(i), At: s.now, Ev: obligation.EvKept, Obj: o, Kept: &k})
	}
	return left
}

// Whatever is erased, no breach disappears with it and none appears.
func TestErasureKeepsBreaches(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStory(t, rt, "1", "2")
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			s.step()
		}
		n := 0
		m, err := replay(s.erase(func(int) bool {
			erased := rapid.Bool().Draw(rt, "erased")
			if erased {
				n++
			}
			return erased
		}), s.w, true)
		if err != nil {
			rt.Fatal(err)
		}
		for _, now := range []int64{s.now, s.now + 365*86_400_000} {
			before, after := s.breaches(s.book, now), s.breaches(m, now)
			if gone := missingFrom(before, after); gone != "" {
				rt.Fatalf("%d erased: the breach of %s is gone", n, gone)
			}
			if more := missingFrom(after, before); more != "" {
				live, _, _ := s.book.Obligation(more)
				again, _, _ := m.Obligation(more)
				rt.Fatalf("%d erased: a breach appears:\n%+v\n%+v", n, live, again)
			}
		}
	})
}

// A complete history replays to the same book, and a leaf that lists other
// duties is caught.
func TestReplayOfACompleteHistory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStory(t, rt, "1", "2")
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			s.step()
		}
		var all []obligation.Event
		for i, ev := range s.events {
			all = append(all, listed(ev, s.gave[i]))
		}
		for _, holes := range []bool{false, true} {
			m, err := replay(all, s.w, holes)
			if err != nil || toJSON(t, m) != toJSON(t, s.book) {
				rt.Fatalf("holes %v: %v", holes, err)
			}
		}
		if len(all) == 0 {
			return
		}
		i := rapid.IntRange(0, len(all)-1).Draw(rt, "tampered")
		all[i].Opens = append(slices.Clone(all[i].Opens), obligation.ID(1, "none", "d_a", "d_b", 0))
		if _, err := replay(all, s.w, false); !errors.Is(err, obligation.ErrDiffers) {
			rt.Fatalf("a duty too many: %v", err)
		}
		all[i].Opens = all[i].Opens[:len(all[i].Opens)-1]
		if len(all[i].Opens) > 0 {
			all[i].Opens = all[i].Opens[1:]
			if _, err := replay(all, s.w, false); !errors.Is(err, obligation.ErrDiffers) {
				rt.Fatalf("a duty too few: %v", err)
			}
		}
	})
}

// What each part of a kept record does.
func TestKept(t *testing.T) {
	l, response, outcome := referred(t)
	l.at("2026-03-06 10:00").do(l.from("swc.case", "ngo", "status-query", suspendUntil(outcome, ms(t, "2026-06-01 00:00"))))
	l.now = response.Due
	for _, o := range l.book.All() {
		if o.Rule == "ack" {
			continue
		}
		k := obligation.Keep(o, l.now)
		ch := l.do(obligation.Event{Ev: obligation.EvKept, Obj: o.ID, Kept: &k})
		after := ch.Moves[0].O
		if after.Case != "" || after.TriggerObj != "" || after.Trigger != -1 || !after.Kept || after.Due != o.Due {
			t.Errorf("kept %+v", after)
		}
		if a, b := o.View(o.Due, l.w.pack(), l.w.cal()), after.View(o.Due, l.w.pack(), l.w.cal()); a.Overdue != b.Overdue || a.Missing != b.Missing {
			t.Errorf("kept %+v of %+v", b, a)
		}
		if !l.view(after, "2027-01-01 00:00").Missing {
			t.Errorf("not missing: %+v", after)
		}
	}
	ch := l.do(l.from("swc.case", "ngo", "referral-accepted", fulfilID(response)))
	same(t, "answered late", l.moves(ch), []string{"fulfil referral-response fulfilled-late"})
	transfer := act("transfer", outcome)
	transfer.To = id("d", "nes")
	l.refused("to", l.from("swc.case", "ngo", "status-reply", transfer))
	l.refold()
}

// An answer that was given in time and waited to be handed over is no breach
// after the erasure either.
func TestKeptWaitingAnswer(t *testing.T) {
	l := newLedger(t, readWorld(t))
	l.grant("att", "1", "1", "2026-01-01 00:00", "2027-01-01 00:00")
	l.at("2026-02-09 10:00").send(dismissal("m1", "att", "1", fulfilOf("m1", "dismissal-injured")))
	o := l.owed("m1", "dismissal-injured", "att")
	k := obligation.Keep(o, l.now)
	after := l.do(obligation.Event{Ev: obligation.EvKept, Obj: o.ID, Kept: &k}).Moves[0].O
	if v := l.view(after, "2027-01-01 00:00"); v.Overdue || !v.Unserved || v.Breach {
		t.Errorf("%+v", v)
	}
}
