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

// holes replays what is left of a ledger's events after those at some places
// were erased, without what is kept of their duties.
func (s *story) holes(gone ...int) *obligation.Memory {
	s.t.Helper()
	var left []obligation.Event
	for i, ev := range s.events {
		if !slices.Contains(gone, i) {
			left = append(left, listed(ev, s.gave[i]))
		}
	}
	m, err := replay(left, s.w, true)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// told is a story that a test tells itself.
func told(t *testing.T, events func(*story)) *story {
	s := &story{ledger: newLedger(t, readWorld(t))}
	events(s)
	m := obligation.NewMemory()
	for _, ev := range s.events {
		ch, err := obligation.Advance(m, s.w, ev)
		if err != nil {
			t.Fatal(err)
		}
		m.Record(ev, ch)
		s.gave = append(s.gave, ch)
	}
	return s
}

// A duty that an erased notice of the same act had opened is not opened again.
func TestHolesOpenNothingTwice(t *testing.T) {
	s := told(t, func(s *story) {
		s.at("2026-02-09 10:00").send(dismissal("m1", "police", "1"))
		s.send(dismissal("m2", "swc.legal", "1"))
	})
	for _, o := range s.holes(0).All() {
		if o.Rule != "ack" {
			t.Errorf("opened again: %+v", o)
		}
	}
}

// A duty towards a desk that had filed an erased complaint is restored from the
// leaf, with its due time.
func TestHolesRestoreWhatTheLeafLists(t *testing.T) {
	s := told(t, func(s *story) {
		s.at("2026-01-12 10:00").send(message{name: "a", kind: "complaint", from: "police", to: []string{"ppo"}, caseName: "1"})
		s.at("2026-02-09 10:00").send(dismissal("m1", "nes", "1"))
	})
	live := s.owed("m1", "dismissal-police", "police")
	o, ok, err := s.holes(0).Obligation(live.ID)
	if err != nil || !ok || o.Due != live.Due || o.Case != live.Case || o.TriggerObj != live.TriggerObj || o.Occurred != live.Occurred || !o.Estimated {
		t.Errorf("%v %v\n%+v\n%+v", ok, err, o, live)
	}
	// Its fulfilment in a later message is derived as before.
	s = told(t, func(s *story) {
		s.at("2026-01-12 10:00").send(message{name: "a", kind: "complaint", from: "police", to: []string{"ppo"}, caseName: "1"})
		s.at("2026-02-09 10:00").send(dismissal("m1", "police", "1", fulfilOf("m1", "dismissal-police")))
	})
	if o, ok, err := s.holes(0).Obligation(live.ID); err != nil || !ok || o.State != obligation.Fulfilled || o.MetAt != s.now {
		t.Errorf("%v %v %+v", ok, err, o)
	}
}

// A state that only the erased explain is taken from the leaf.
func TestHolesTakeStatesFromTheLeaf(t *testing.T) {
	digest := func(s *story) obligation.Obligation { return s.owed("a", "status-digest", "swc.legal") }
	s := told(t, func(s *story) {
		s.at("2026-03-02 10:00").send(message{name: "a", kind: "complaint", from: "swc.legal", to: []string{"ppo"}, caseName: "1"})
		s.link("1", "2")
		s.at("2026-06-02 10:00").send(message{name: "j", kind: "judgment-final", from: "ppo", to: []string{"police"}, caseName: "2"})
	})
	o, _, err := s.holes(1).Obligation(digest(s).ID)
	if err != nil || o.State != obligation.Ended || !o.Late {
		t.Errorf("ended over an erased link: %v %+v", err, o)
	}

	s = told(t, func(s *story) {
		s.at("2026-03-02 10:00").send(message{name: "r", kind: "referral", from: "ngo", to: []string{"swc.case"}, caseName: "1"})
		notOurs(s.ledger, s.owed("r", "referral-response", "ngo"))
		s.at("2026-03-06 10:00").retrieved("t2", "nes")
	})
	live := s.owed("r", "referral-response", "ngo")
	m := s.holes(1) // the announcement is erased: the forward does not know what it carries
	o, _, err = m.Obligation(live.ID)
	if err != nil || o.State != obligation.Transferred || !o.Late {
		t.Errorf("transferred: %v %+v", err, o)
	}
	taken, ok, err := m.Obligation(live.Transfer.ID)
	if err != nil || !ok || taken.Due != live.Due || !taken.Kept {
		t.Errorf("taken: %v %v %+v", ok, err, taken)
	}

	s = told(t, func(s *story) {
		s.grant("att", "1", "1", "2026-01-01 00:00", "2027-01-01 00:00")
		s.at("2026-02-09 10:00").send(dismissal("m1", "att", "1", fulfilOf("m1", "dismissal-injured")))
		s.retrieved("m1", "att")
	})
	live = s.owed("m1", "dismissal-injured", "att")
	o, _, err = s.holes(0).Obligation(live.ID)
	if err != nil || o.State != obligation.Fulfilled || o.Late || o.MetAt == 0 {
		t.Errorf("fulfilled: %v %+v", err, o)
	}
}

// Of several moves of one duty in one event, the last is its state.
func TestHolesTakeTheLastMove(t *testing.T) {
	s := told(t, func(s *story) {
		s.at("2026-03-05 10:00").send(message{name: "r", kind: "referral", from: "ngo", to: []string{"swc.case"}, caseName: "1"})
		o := s.owed("r", "referral-response", "ngo")
		s.do(s.from("swc.case", "ngo", "status-query", act("ack", o), suspendUntil(o, s.now+1e9)))
	})
	if a, b := toJSON(t, s.holes().All()), toJSON(t, s.book.All()); a != b {
		t.Errorf("%s\n%s", a, b)
	}
}
