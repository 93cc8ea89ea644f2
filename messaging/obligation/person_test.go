package obligation_test

import (
	"slices"
	"testing"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

func TestTwoPersonsWithOneRepresentative(t *testing.T) {
	l := newLedger(t, readWorld(t))
	l.grant("att", "1", "1", "2026-01-01 00:00", "2027-01-01 00:00")
	l.grant("att", "1", "2", "2026-01-01 00:00", "2027-01-01 00:00")
	m := dismissal("m1", "att", "1", fulfilOf("m1", "dismissal-injured"))
	m.subj = []string{"1", "2", "3"}
	ch := l.at("2026-02-09 10:00").send(m)
	opens := no(l.opens(ch), " ack ")
	slices.Sort(opens)
	same(t, "opens", opens, []string{"ppo→att dismissal-injured 2026-02-19 00:00", "ppo→att dismissal-injured 2026-02-19 00:00",
		"ppo→person dismissal-injured 2026-02-19 00:00"})
	same(t, "one notice tells both", l.moves(ch), []string{"fulfil dismissal-injured in-progress", "fulfil dismissal-injured in-progress"})
	if n := ch.Moves[0].O.N + ch.Moves[1].O.N; n != 1 || ch.Moves[0].O.Person == ch.Moves[1].O.Person {
		t.Errorf("occurrences %+v %+v", ch.Moves[0].O, ch.Moves[1].O)
	}
	ch = l.retrieved("m1", "att")
	same(t, "both", l.moves(ch), []string{"handed-over dismissal-injured fulfilled", "handed-over dismissal-injured fulfilled"})
	l.refold()
}

// A second notice of one act opens nothing new, whoever represents the person
// by then; one for a person not named before does.
func TestSecondNoticeOfOneAct(t *testing.T) {
	l := newLedger(t, readWorld(t))
	m := dismissal("m1", "police", "1")
	same(t, "first", no(l.opens(l.at("2026-02-09 10:00").send(m)), " ack "), []string{"ppo→person dismissal-injured 2026-02-19 00:00"})
	l.grant("att", "1", "1", "2026-01-01 00:00", "2027-01-01 00:00")
	m.name, m.subj = "m2", []string{"1", "2"}
	same(t, "second", no(l.opens(l.send(m)), " ack "), []string{"ppo→person dismissal-injured 2026-02-19 00:00"})
	m.name, m.caseName = "m3", "2"
	same(t, "another case", no(l.opens(l.send(m)), " ack ")[:1], []string{"ppo→person dismissal-injured 2026-02-19 00:00"})
	m.name, m.caseName, m.occurred = "m4", "1", "2026-02-09 09:01"
	if n := len(no(l.opens(l.send(m)), " ack ")); n != 2 {
		t.Errorf("another act opens %d", n)
	}
	m.name, m.occurred = "m5", ""
	ch := l.send(m)
	if n := len(no(l.opens(ch), " ack ")); n != 2 {
		t.Errorf("without a time of its own each notice counts: %d", n)
	}
	if o := ch.Opens[1]; !o.Estimated || o.Start != l.now {
		t.Errorf("a decision without a date: %+v", o)
	}
}

func TestGrantsInForce(t *testing.T) {
	for name, c := range map[string]struct {
		grant func(*ledger)
		want  string
	}{
		"none":        {func(*ledger) {}, "person"},
		"in force":    {func(l *ledger) { l.grant("att", "1", "1", "2026-02-09 10:00", "2026-02-09 10:01") }, "att"},
		"not yet":     {func(l *ledger) { l.grant("att", "1", "1", "2026-02-09 10:01", "2027-01-01 00:00") }, "person"},
		"over":        {func(l *ledger) { l.grant("att", "1", "1", "2026-01-01 00:00", "2026-02-09 10:00") }, "person"},
		"other scope": {func(l *ledger) { l.grant("att", "1", "1", "2026-01-01 00:00", "2027-01-01 00:00", "consent") }, "person"},
		"other case":  {func(l *ledger) { l.grant("att", "2", "1", "2026-01-01 00:00", "2027-01-01 00:00") }, "person"},
		"other":       {func(l *ledger) { l.grant("att", "1", "2", "2026-01-01 00:00", "2027-01-01 00:00") }, "person"},
		"linked": {func(l *ledger) {
			l.grant("att", "2", "1", "2026-01-01 00:00", "2027-01-01 00:00")
			l.link("2", "1")
		}, "att"},
		"ended": {func(l *ledger) {
			x := l.grant("att", "1", "1", "2026-01-01 00:00", "2027-01-01 00:00")
			l.do(obligation.Event{Ev: obligation.EvGrantEnd, Obj: id("x", "end"), GrantEnds: []string{x}})
		}, "person"},
		"second after the first ended": {func(l *ledger) {
			x := l.grant("att", "1", "1", "2026-01-01 00:00", "2027-01-01 00:00")
			l.grant("att2", "1", "1", "2026-01-01 00:00", "2027-01-01 00:00")
			l.do(obligation.Event{Ev: "conflict.set", Obj: id("x", "set"), Pack: l.w.id, GrantEnds: []string{x}})
		}, "att2"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t, readWorld(t))
			c.grant(l)
			ch := l.at("2026-02-09 10:00").send(dismissal("m1", "police", "1"))
			same(t, "opens", no(l.opens(ch), " ack "), []string{"ppo→" + c.want + " dismissal-injured 2026-02-19 00:00"})
			l.refold()
		})
	}
}

// Facts, urgencies and sender types decide what opens.
func TestWhatTriggers(t *testing.T) {
	l := newLedger(t, readWorld(t))
	help := message{name: "h", kind: "urgent-help", from: "ngo", to: []string{"swc.case"}, caseName: "1", urg: "I"}
	same(t, "no fact", no(l.opens(l.send(help)), " ack "), nil)
	help.name, help.facts = "h2", map[string]string{"danger": "no"}
	same(t, "other value", no(l.opens(l.send(help)), " ack "), nil)
	help.name, help.facts = "h3", map[string]string{"danger": "yes"}
	same(t, "fact", l.opens(l.at("2026-03-28 20:00").send(help)), []string{"swc.case→ngo ack 2026-03-28 20:30", "swc.case→ngo urgent-only 2026-03-28 20:30"})
	help.name, help.urg = "h4", "R"
	same(t, "no term for the urgency", l.opens(l.send(help)), []string{"swc.case→ngo ack 2026-04-01 00:00", "swc.case→ngo urgent-only "})
	declare := message{name: "c", kind: "complaint", from: "ppo", to: []string{"police"}, caseName: "1"}
	same(t, "not declared", no(l.opens(l.send(declare)), " ack ", "registration", "digest"), nil)
}

// Own copies neither owe nor are owed, nor does anyone owe themselves.
func TestOwnCopies(t *testing.T) {
	l := newLedger(t, readWorld(t))
	same(t, "to itself", l.opens(l.send(message{name: "a", kind: "referral", from: "ngo", to: []string{"ngo"}, caseName: "1"})), nil)
	l.send(message{name: "b", kind: "complaint", from: "ppo", to: []string{"ppo2"}, caseName: "2"})
	ch := l.send(dismissal("m", "ppo2", "2"))
	for _, o := range ch.Opens {
		if o.Obligor == o.Obligee {
			t.Errorf("owes itself: %+v", o)
		}
	}
	twice := message{name: "c", kind: "referral", from: "ngo", to: []string{"nes", "nes"}, caseName: "3"}
	if n := len(l.send(twice).Opens); n != 3 {
		t.Errorf("a desk named twice owes %d", n)
	}
}

// A caseless message opens duties that are met without a case.
func TestCaseless(t *testing.T) {
	l := newLedger(t, readWorld(t))
	ch := l.at("2026-03-05 10:00").send(message{name: "r", kind: "referral", from: "ngo", to: []string{"nes", "swc.case"}})
	if len(ch.Opens) != 6 {
		t.Fatalf("opens %v", l.opens(ch))
	}
	same(t, "opened", l.moves(l.decrypted("r", "nes")), []string{"fulfil ack fulfilled"})
	o := ch.Opens[slices.IndexFunc(ch.Opens, func(o obligation.Obligation) bool { return o.Rule == "referral-response" })]
	ev := l.from(l.name(o.Obligor), "ngo", "referral-accepted", fulfilID(o))
	ev.Core.Case = ""
	same(t, "answered", l.moves(l.do(ev)), []string{"fulfil referral-response fulfilled"})
	l.send(message{name: "q", kind: "opinion-request", from: "ppo", to: []string{"ngo"}})
	same(t, "starts", l.moves(l.retrieved("q", "ngo")), []string{"start opinion open"})
	l.refold()
}

// The desk that a pack calls by type and function is looked for near the
// trigger, and a rule whose desk is nowhere opens nothing.
func TestFunctionParty(t *testing.T) {
	w := readWorld(t)
	p := *w.pack()
	p.Rules = []rules.Rule{{Code: "f", Trigger: rules.Trigger{Kinds: []string{"note"}}, Obligor: rules.Party{Who: "function", Type: "swc", Fn: "legal"},
		Obligee: rules.Party{Who: "function", Type: "ngo", Fn: "audit"}, Fulfilled: []string{"note"}, Due: []rules.Deadline{{Term: rules.Term{Amount: 1, Unit: "h"}, Start: "consigned"}}}}
	w.packs[w.id] = &p
	l := newLedger(t, w)
	same(t, "near the recipient, else the party itself", l.opens(l.at("2026-03-02 10:00").send(message{name: "a", kind: "note", from: "ngo", to: []string{"swc.case"}, caseName: "1"})),
		[]string{"swc.legal→ngo f 2026-03-02 11:00"})
	same(t, "nowhere", l.opens(l.send(message{name: "b", kind: "note", from: "ppo", to: []string{"swc.case"}, caseName: "1"})), nil)
}

// Whoever declares is believed; the declaration itself changes nothing else.
func TestDeclared(t *testing.T) {
	l := newLedger(t, readWorld(t))
	m := message{name: "a", kind: "complaint", from: "ngo", to: []string{"ppo"}, caseName: "1",
		obl: []messaging.Act{{Op: messaging.OpDeclare, Rule: "report-to-center"}}}
	ch := l.at("2026-03-02 10:00").send(m)
	same(t, "moves", l.moves(ch), nil)
	if n := len(ch.Opens); n != 4 {
		t.Errorf("opens %v", l.opens(ch))
	}
}
