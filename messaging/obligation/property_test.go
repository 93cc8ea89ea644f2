package obligation_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
	"pgregory.net/rapid"
)

// story draws events one after the other: messages that mostly make sense, with
// acts on duties that exist, and everything else a ledger may hold.
type story struct {
	*ledger
	rt    *rapid.T
	msgs  []string // names of messages that were accepted
	cases []string
	gave  []obligation.Changes // what each event changed
}

var (
	storyKinds = []string{"complaint", "dismissal", "referral", "referral-accepted", "referral-outcome", "opinion-request", "opinion",
		"status-reply", "complaint-registered", "withdrawal-confirmed", "judgment-final", "suspicion-report"}
	storyDesks = []string{"ppo", "police", "swc.legal", "swc.case", "ngo", "nes", "att", "att2", "center"}
	storyOps   = []string{"ack", "interim", "fulfil", "fulfil", "fulfil", "extend", "suspend", "dispute", "waive", "transfer", "cancel"}
)

func newStory(t *testing.T, rt *rapid.T, cases ...string) *story {
	return &story{ledger: newLedger(t, readWorld(t)), rt: rt, cases: cases}
}

func (s *story) pick(what string, of []string) string { return rapid.SampledFrom(of).Draw(s.rt, what) }

// step draws one event and records it if it is admissible.
func (s *story) step() {
	s.now += int64(rapid.SampledFrom([]int{0, 1, 1000, 3_600_000, 3_600_000, 86_400_000, 10 * 86_400_000}).Draw(s.rt, "later"))
	ev, name := s.draw()
	ev, ch, err := s.try(ev)
	var refused *obligation.ActError
	if errors.As(err, &refused) {
		return
	}
	if err != nil {
		s.rt.Fatal(err)
	}
	s.record(ev, ch)
	s.gave = append(s.gave, ch)
	if name != "" {
		s.msgs = append(s.msgs, name)
	}
}

func (s *story) draw() (obligation.Event, string) {
	switch what := rapid.IntRange(0, 11).Draw(s.rt, "event"); {
	case what == 0 && len(s.msgs) > 0:
		return receipt(obligation.EvDecrypted, s.pick("opened", s.msgs), s.pick("by", storyDesks)), ""
	case what <= 2 && len(s.msgs) > 0:
		return s.drawRetrieval(), ""
	case what == 3:
		return s.drawChange(), ""
	case what == 4:
		return s.drawAttested(), ""
	case what == 5 && rapid.IntRange(0, 3).Draw(s.rt, "rarely") == 0:
		var link []string
		for _, c := range s.cases {
			link = append(link, id("c", c))
		}
		return obligation.Event{Ev: obligation.EvLink, Obj: id("x", toJSON(s.t, s.idx)), Desk: id("d", "ppo"), Link: link}, ""
	case what == 6:
		return s.drawGrant(), ""
	}
	return s.drawMessage()
}

// drawRetrieval lets a recipient fetch a message, a late one most times.
func (s *story) drawRetrieval() obligation.Event {
	i := rapid.IntRange(max(0, len(s.msgs)-4), len(s.msgs)-1).Draw(s.rt, "fetched")
	ev := receipt(obligation.EvRetrieved, s.msgs[i], s.pick("by", storyDesks))
	if sent, ok, _ := s.book.Message(ev.Receipt.Msg); ok && len(sent.To) > 0 {
		ev.Desk = rapid.SampledFrom(sent.To).Draw(s.rt, "recipient")
		ev.Receipt.Desk = ev.Desk
	}
	return ev
}

func (s *story) drawMessage() (obligation.Event, string) {
	m := message{name: toJSON(s.t, s.idx), kind: s.pick("kind", storyKinds), from: s.pick("from", storyDesks),
		to: []string{s.pick("to", storyDesks)}, caseName: s.pick("case", s.cases), urg: s.pick("urgency", []string{"I", "U", "R"}),
		subj: []string{s.pick("person", []string{"1", "2"})}}
	if rapid.Bool().Draw(s.rt, "two") {
		m.to = append(m.to, s.pick("also to", storyDesks))
	}
	if rapid.Bool().Draw(s.rt, "dated") {
		m.occurred = s.pick("occurred", []string{"2026-01-05 09:00", "2026-01-20 09:00"})
	}
	if rapid.Bool().Draw(s.rt, "in a set") {
		m.set = s.pick("set", []string{"s1", "s2"})
	}
	if len(s.msgs) > 0 {
		m.re = s.pick("re", s.msgs)
	}
	m.obl = s.drawActs(&m)
	return s.event(m), m.name
}

// drawActs draws acts on duties, and makes sender and kind fit them most times.
func (s *story) drawActs(m *message) []messaging.Act {
	all := s.book.All()
	var acts []messaging.Act
	for range rapid.IntRange(0, 2).Draw(s.rt, "acts") {
		if len(all) == 0 {
			return nil
		}
		o := rapid.SampledFrom(all).Draw(s.rt, "duty")
		a := messaging.Act{Op: s.pick("op", storyOps), ID: o.ID, Value: "known", Reason: s.pick("reason", []string{"agreed", "awaiting", "not-ours"}),
			Due: o.Due + 86_400_000, Until: s.now + 86_400_000*3, To: id("d", s.pick("transfer to", storyDesks))}
		if len(acts) == 0 && rapid.IntRange(0, 4).Draw(s.rt, "fits") > 0 {
			s.fit(m, &a, &o)
		}
		acts = append(acts, a)
	}
	if rapid.IntRange(0, 3).Draw(s.rt, "own") == 0 {
		acts = append(acts, fulfilOf(m.name, s.pick("own rule", []string{"dismissal-injured", "dismissal-police", "dismissal-complainant"})))
	}
	return acts
}

func (s *story) fit(m *message, a *messaging.Act, o *obligation.Obligation) {
	from, to := s.name(o.Obligor), s.name(o.Obligee)
	if a.Op == messaging.OpExtend || a.Op == messaging.OpWaive || a.Op == messaging.OpCancel && rapid.Bool().Draw(s.rt, "by the obligee") {
		from, to = to, from
	}
	a.Reason = map[string]string{"suspend": "awaiting", "dispute": "not-ours"}[a.Op]
	if a.Reason == "" {
		a.Reason = "agreed"
	}
	if from != "person" && to != "person" {
		m.from, m.to = from, []string{to, m.to[0]}
	}
	for _, c := range s.cases {
		if id("c", c) == o.Case {
			m.caseName = c
		}
	}
	if a.Op == messaging.OpTransfer {
		m.to = append(m.to, s.name(a.To))
	}
	for _, r := range s.w.pack().Rules {
		if r.Code == o.Rule && a.Op == messaging.OpFulfil {
			m.kind = r.Fulfilled[0]
		}
	}
	if a.Op == messaging.OpInterim {
		m.kind = "status-reply"
	}
}

func (s *story) drawChange() obligation.Event {
	ch := &obligation.ConsentChange{Consent: id("k", toJSON(s.t, s.idx)), Ver: 1, Case: id("c", s.pick("case", s.cases)), Subj: id("p", "1"),
		Recorder: id("d", "swc.case"), Removed: []string{id("d", s.pick("removed", storyDesks))}}
	ev := obligation.Event{Ev: s.pick("change", []string{"consent.narrowed", "consent.withdrawn", "consent.expired"}), Obj: ch.Consent, Desk: ch.Recorder, Change: ch}
	for _, m := range s.msgs {
		if rapid.IntRange(0, 5).Draw(s.rt, "blocked") == 0 {
			ev.Blocked = append(ev.Blocked, obligation.Block{Msg: id("m", m), Desk: ch.Removed[0]})
		}
	}
	return ev
}

func (s *story) drawAttested() obligation.Event {
	a := &obligation.Attested{Channel: "post", What: s.pick("what", []string{"sent", "served", "attempt"}), Kind: s.pick("kind", storyKinds),
		To: []string{id("p", "1")}, Occurred: s.now - 86_400_000}
	if rapid.Bool().Draw(s.rt, "to a desk") {
		a.To = []string{id("d", s.pick("to", storyDesks))}
	}
	ev := obligation.Event{Ev: obligation.EvAttested, Obj: id("x", toJSON(s.t, s.idx)), Desk: id("d", s.pick("from", storyDesks)),
		Case: id("c", s.pick("case", s.cases)), Subj: []string{id("p", "1")}, Attested: a}
	if all := s.book.All(); len(all) > 0 && a.What != "attempt" && rapid.Bool().Draw(s.rt, "answers") {
		o := rapid.SampledFrom(all).Draw(s.rt, "duty")
		ev.Desk, a.To, a.Obl = o.Obligor, []string{o.Whom()}, []messaging.Act{fulfilID(o)}
		for _, r := range s.w.pack().Rules {
			if r.Code == o.Rule {
				a.Kind = r.Fulfilled[0]
			}
		}
	}
	return ev
}

func (s *story) drawGrant() obligation.Event {
	x := id("x", toJSON(s.t, s.idx))
	g := &obligation.Grant{ID: x, Case: id("c", s.pick("case", s.cases)), Desk: id("d", s.pick("desk", []string{"att", "att2"})),
		Subj: []string{id("p", s.pick("person", []string{"1", "2"}))}, Scope: []string{obligation.ScopeDuties}, NB: s.now, NA: s.now + 90*86_400_000}
	ev := obligation.Event{Ev: obligation.EvGrant, Obj: x, Desk: id("d", "ngo"), Grant: g}
	for _, old := range s.events {
		if old.Grant != nil && rapid.Bool().Draw(s.rt, "ends") {
			ev.GrantEnds = append(ev.GrantEnds, old.Grant.ID)
		}
	}
	return ev
}

// breaches lists the duties in breach at a time.
func (l *ledger) breaches(m *obligation.Memory, now int64) []string {
	var ids []string
	for _, o := range m.All() {
		if o.View(now, l.w.packs[o.Pack], l.w.cal()).Breach {
			ids = append(ids, o.ID)
		}
	}
	return ids
}

func missingFrom(sub, of []string) string {
	for _, s := range sub {
		if !slices.Contains(of, s) {
			return s
		}
	}
	return ""
}

// No sequence of events makes a breach disappear or a final state change, and
// time alone never takes overdue back.
func TestBreachesStay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStory(t, rt, "1", "2")
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			before, at := s.book.All(), s.now
			was := s.breaches(s.book, at)
			s.step()
			if gone := missingFrom(was, s.breaches(s.book, s.now)); gone != "" {
				rt.Fatalf("the breach of %s disappears", gone)
			}
			for _, old := range before {
				now, ok, err := s.book.Obligation(old.ID)
				if err != nil || !ok || old.State.Final() && toJSON(t, now) != toJSON(t, old) {
					rt.Fatalf("%s was %s and is %+v", old.ID, old.State, now)
				}
			}
		}
		checkMonotone(rt, s)
	})
}

func checkMonotone(rt *rapid.T, s *story) {
	t1 := s.now + rapid.Int64Range(0, 400*86_400_000).Draw(rt, "t1")
	t2 := t1 + rapid.Int64Range(0, 400*86_400_000).Draw(rt, "t2")
	for _, o := range s.book.All() {
		v1, v2 := o.View(t1, s.w.pack(), s.w.cal()), o.View(t2, s.w.pack(), s.w.cal())
		if v1.Overdue && !v2.Overdue || v1.Breach && !v2.Breach || v1.SilentDays > v2.SilentDays || v1.LateDays > v2.LateDays {
			rt.Fatalf("%+v\nthen %+v\nof %+v", v1, v2, o)
		}
		if v1.Missing && (!v1.Overdue || o.State.Final()) || v1.Overdue && v1.Unserved {
			rt.Fatalf("%+v of %+v", v1, o)
		}
	}
}

// A fold of a part, stored and read back, goes on to the same end; a stage over
// a part answers what the whole would.
func TestFoldInParts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStory(t, rt, "1", "2")
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			s.step()
		}
		whole, err := obligation.Fold(s.events, s.w)
		if err != nil {
			rt.Fatal(err)
		}
		if a, b := toJSON(t, whole), toJSON(t, s.book); a != b {
			rt.Fatalf("fold differs:\n%s\n%s", a, b)
		}
		cut := rapid.IntRange(0, len(s.events)).Draw(rt, "cut")
		part, err := obligation.Fold(s.events[:cut], s.w)
		if err != nil {
			rt.Fatal(err)
		}
		var restored obligation.Memory
		if err := json.Unmarshal([]byte(toJSON(t, part)), &restored); err != nil {
			rt.Fatal(err)
		}
		stage := obligation.Stage(part)
		for i, ev := range s.events[cut:] {
			want := toJSON(t, s.gave[cut+i])
			a, errA := obligation.Advance(&restored, s.w, ev)
			b, errB := obligation.Advance(stage, s.w, ev)
			if errA != nil || errB != nil || toJSON(t, a) != want || toJSON(t, b) != want {
				rt.Fatalf("event %d: %v %v\nwhole    %s\nrestored %s\nstaged   %s", ev.Idx, errA, errB, want, toJSON(t, a), toJSON(t, b))
			}
			restored.Record(ev, a)
			stage.Record(ev, b)
		}
		if a, b := toJSON(t, &restored), toJSON(t, whole); a != b {
			rt.Fatalf("restored differs:\n%s\n%s", a, b)
		}
	})
}

// Two matters that nothing links do not see each other, however their events
// lie between each other in the ledger.
func TestIndependentMatters(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := newStory(t, rt, "1"), newStory(t, rt, "2")
		b.idx = 5000
		for range rapid.IntRange(5, 20).Draw(rt, "steps") {
			a.step()
			b.step()
		}
		var mixed []obligation.Event
		x, y := a.events, b.events
		for len(x)+len(y) > 0 {
			if len(y) == 0 || len(x) > 0 && rapid.Bool().Draw(rt, "which") {
				mixed, x = append(mixed, x[0]), x[1:]
			} else {
				mixed, y = append(mixed, y[0]), y[1:]
			}
		}
		m, err := obligation.Fold(mixed, a.w)
		if err != nil {
			rt.Fatal(err)
		}
		want := append(a.book.All(), b.book.All()...)
		slices.SortFunc(want, func(x, y obligation.Obligation) int { return slices.Compare([]string{x.ID}, []string{y.ID}) })
		if x, y := toJSON(t, m.All()), toJSON(t, want); x != y {
			rt.Fatalf("mixed differs:\n%s\n%s", x, y)
		}
	})
}
