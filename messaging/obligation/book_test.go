package obligation_test

import (
	"errors"
	"testing"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

var errBook = errors.New("the disk is gone")

// failing is a book whose nth question fails.
type failing struct {
	obligation.Book
	left int
}

func (f *failing) fail() error {
	if f.left--; f.left == 0 {
		return errBook
	}
	return nil
}

func ask[T any](f *failing, answer func() (T, error)) (T, error) {
	var none T
	if err := f.fail(); err != nil {
		return none, err
	}
	return answer()
}

func (f *failing) Obligation(id string) (obligation.Obligation, bool, error) {
	if err := f.fail(); err != nil {
		return obligation.Obligation{}, false, err
	}
	return f.Book.Obligation(id)
}
func (f *failing) Opened(obj, rule string) ([]obligation.Obligation, error) {
	return ask(f, func() ([]obligation.Obligation, error) { return f.Book.Opened(obj, rule) })
}
func (f *failing) Live(cases []string) ([]obligation.Obligation, error) {
	return ask(f, func() ([]obligation.Obligation, error) { return f.Book.Live(cases) })
}
func (f *failing) Twin(cases []string, rule, obligor, whom, kind string, occurred int64) (bool, error) {
	return ask(f, func() (bool, error) { return f.Book.Twin(cases, rule, obligor, whom, kind, occurred) })
}
func (f *failing) Linked(c string) ([]string, error) {
	return ask(f, func() ([]string, error) { return f.Book.Linked(c) })
}
func (f *failing) Filed(cases []string, kind string) ([]string, error) {
	return ask(f, func() ([]string, error) { return f.Book.Filed(cases, kind) })
}
func (f *failing) Grants(cases []string, subj string) ([]obligation.Grant, error) {
	return ask(f, func() ([]obligation.Grant, error) { return f.Book.Grants(cases, subj) })
}
func (f *failing) Message(obj string) (obligation.Sent, bool, error) {
	if err := f.fail(); err != nil {
		return obligation.Sent{}, false, err
	}
	return f.Book.Message(obj)
}
func (f *failing) HandedOver(obj, to string) (obligation.Handed, bool, error) {
	if err := f.fail(); err != nil {
		return obligation.Handed{}, false, err
	}
	return f.Book.HandedOver(obj, to)
}

// A question that the storage cannot answer is never taken for a no: the event
// fails, and not as a refusal of the act. Layers pass the failure on.
func TestStorageErrorsAreNotRefusals(t *testing.T) {
	for name, c := range eventsThatAskMuch(t) {
		t.Run(name, func(t *testing.T) {
			asked := 0
			for n := 1; ; n++ {
				_, err := obligation.Advance(obligation.Stage(&failing{c.l.book, n}), c.l.w, c.ev)
				if err == nil {
					asked = n - 1
					break
				}
				var refused *obligation.ActError
				if !errors.Is(err, errBook) || errors.As(err, &refused) {
					t.Fatalf("question %d: %v", n, err)
				}
			}
			if asked < 2 {
				t.Errorf("asked only %d questions", asked)
			}
		})
	}
}

type asking struct {
	l  *ledger
	ev obligation.Event
}

func eventsThatAskMuch(t *testing.T) map[string]asking {
	cases := map[string]asking{}
	number := func(l *ledger, ev obligation.Event) asking {
		ev.Idx, ev.At, ev.DirN = l.idx, l.now, 7
		if ev.Core == nil {
			ev.Pack = l.w.id
		}
		return asking{l, ev}
	}
	l := newLedger(t, readWorld(t))
	twoComplaints(l, true)
	l.at("2026-02-09 10:00").send(dismissal("m1", "police", "1"))
	cases["set"] = number(l, l.event(dismissal("m3", "att", "3", fulfilOf("m1", "dismissal-injured"))))
	cases["id"] = number(l, l.event(dismissal("m3", "att", "3", fulfilID(l.owed("m1", "dismissal-injured", "att")))))
	l = newLedger(t, readWorld(t))
	twoComplaints(l, true)
	l.at("2026-02-09 10:00").send(dismissal("m1", "att", "1", fulfilOf("m1", "dismissal-injured")))
	cases["retrieved"] = number(l, receipt(obligation.EvRetrieved, "m1", "att"))
	cases["decrypted"] = number(l, receipt(obligation.EvDecrypted, "m1", "att"))
	cases["proof"] = number(l, posted(l, obligation.WhatServed, id("m", "m1"), "2026-02-09 09:00"))

	l, response, _ := referred(t)
	ask := l.from("swc.case", "ngo", "status-query", suspendUntil(response, l.now+1e9))
	l.do(ask)
	reply := l.from("ngo", "swc.case", "status-reply")
	reply.Core.Re = ask.Obj
	cases["resume"] = number(l, reply)
	change := &obligation.ConsentChange{Consent: id("k", "k"), Case: id("c", "1"), Subj: id("p", "3"), Recorder: id("d", "ngo"), Removed: []string{id("d", "swc.case")}}
	cases["blocked"] = number(l, obligation.Event{Ev: "consent.narrowed", Obj: change.Consent, Desk: change.Recorder, Change: change,
		Blocked: []obligation.Block{{Msg: id("m", "r"), Desk: id("d", "swc.case")}}})
	l, response, _ = referred(t)
	notOurs(l, response)
	cases["transfer"] = number(l, receipt(obligation.EvRetrieved, "t2", "nes"))
	l, first := complained(t)
	cases["period"] = number(l, l.from("ppo", "swc.legal", "status-reply", fulfilID(first)))
	l = newLedger(t, readWorld(t))
	l.grant("att", "1", "1", "2026-01-01 00:00", "2027-01-01 00:00")
	l.send(message{name: "a", kind: "referral-accepted", from: "swc.case", to: []string{"ngo"}, caseName: "1", subj: []string{"1"}, occurred: "2026-01-02 00:00"})
	l.send(message{name: "b", kind: "status-reply", from: "swc.case", to: []string{"att"}, caseName: "1", obl: []messaging.Act{fulfilID(l.owed("a", "person-digest", "att"))}})
	cases["period of a person"] = number(l, receipt(obligation.EvRetrieved, "b", "att"))
	l = newLedger(t, readWorld(t))
	l.send(message{name: "q", kind: "opinion-request", from: "ppo", to: []string{"ngo"}})
	cases["caseless"] = number(l, receipt(obligation.EvRetrieved, "q", "ngo"))
	return cases
}

func TestReplayPassesStorageErrorsOn(t *testing.T) {
	l, response, _ := referred(t)
	ev := receipt(obligation.EvRetrieved, "none", "ngo")
	ev.Moved = []obligation.Moved{{O: response.ID, Op: "end", State: obligation.Ended}}
	for n := 1; n <= 3; n++ {
		if _, err := obligation.Replay(&failing{l.book, n}, l.w, ev, true); !errors.Is(err, errBook) {
			t.Errorf("question %d: %v", n, err)
		}
	}
}

// A pack, a calendar or a term that is not there stops the event.
func TestBrokenWorld(t *testing.T) {
	event := func(l *ledger) obligation.Event {
		return l.event(message{name: "r", kind: "referral", from: "ngo", to: []string{"nes"}, caseName: "1"})
	}
	for name, breakIt := range map[string]func(*testWorld, *obligation.Event){
		"pack":     func(w *testWorld, _ *obligation.Event) { delete(w.packs, w.id) },
		"calendar": func(w *testWorld, _ *obligation.Event) { delete(w.cals, w.id) },
		"term": func(w *testWorld, _ *obligation.Event) {
			p := *w.pack()
			p.Rules = []rules.Rule{{Code: "f", Trigger: rules.Trigger{Kinds: []string{"*"}}, Obligor: rules.Party{Who: "recipient"},
				Obligee: rules.Party{Who: "sender"}, Due: []rules.Deadline{{Term: rules.Term{Amount: 1, Unit: "week"}}}}}
			w.packs[w.id] = &p
		},
		"none named": func(_ *testWorld, ev *obligation.Event) { ev.Core.Pack = "" },
	} {
		w := readWorld(t)
		l := newLedger(t, w)
		ev := event(l)
		breakIt(w, &ev)
		_, _, err := l.try(ev)
		var refused *obligation.ActError
		if err == nil || errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l, response, _ := referred(t)
	p := *l.w.pack()
	p.Rules = nil
	l.w.packs[l.w.id] = &p
	if _, _, err := l.try(l.from("swc.case", "ngo", "status-reply", fulfilID(response))); err == nil {
		t.Error("a duty whose rule is gone is answered")
	}
	if _, err := response.Explain(&p, l.w.cal()); err == nil {
		t.Error("explained without a rule")
	}
}

func TestMemoryRefusesOtherJSON(t *testing.T) {
	for _, data := range []string{`{`, `{"v":2}`, `[]`, `{"v":"1"}`} {
		if err := new(obligation.Memory).UnmarshalJSON([]byte(data)); err == nil {
			t.Errorf("read %s", data)
		}
	}
}
