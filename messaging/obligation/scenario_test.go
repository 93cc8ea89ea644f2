package obligation_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

func toJSON(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// worlds runs a test under the small pack of testdata and under rs-a.
func worlds(t *testing.T, test func(*testing.T, *ledger)) {
	run := func(w *testWorld) func(*testing.T) {
		return func(t *testing.T) {
			l := newLedger(t, w)
			test(t, l)
			l.refold()
		}
	}
	t.Run("xx-test@1", run(readWorld(t)))
	t.Run("rs-a@1", run(readWorld(t).withPack(t, "rs-a@1")))
}

// no leaves out what contains one of the words.
func no(list []string, words ...string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, w) })
	})
}

var institution = map[string]string{"complainant": "institution"}

// S01: a complaint, and silence.
func TestComplaintAndSilence(t *testing.T) {
	worlds(t, func(t *testing.T, l *ledger) {
		ch := l.at("2026-03-02 10:00").send(message{name: "a", kind: "complaint", from: "swc.legal", to: []string{"ppo"}, caseName: "1",
			subj: []string{"1"}, facts: institution, obl: []messaging.Act{{Op: messaging.OpDeclare, Rule: "report-to-center"}}})
		same(t, "opens", l.opens(ch), []string{
			"ppo→swc.legal ack 2026-03-05 00:00",
			"ppo→swc.legal registration 2026-03-10 00:00",
			"ppo→swc.legal status-digest 2026-05-03 00:00",
			"swc.legal→center report-to-center 2026-03-03 10:00",
		})
		reg := l.owed("a", "registration", "swc.legal")
		if reg.ID != obligation.ID(100, "registration", id("d", "ppo"), id("d", "swc.legal"), 0) {
			t.Errorf("id is %s", reg.ID)
		}

		ch = l.at("2026-03-03 09:00").retrieved("a", "ppo")
		same(t, "fetching", l.moves(ch), nil)
		ch = l.at("2026-03-03 09:01").decrypted("a", "ppo")
		same(t, "opening", l.moves(ch), []string{"fulfil ack fulfilled"})
		report := l.owed("a", "report-to-center", "center")
		ch = l.at("2026-03-03 09:59").send(message{name: "b", kind: "suspicion-report", from: "swc.legal", to: []string{"center"}, caseName: "1",
			obl: []messaging.Act{fulfilID(report)}})
		same(t, "reporting", l.moves(ch), []string{"fulfil report-to-center fulfilled"})
		l.at("2026-03-03 10:30").decrypted("b", "center")

		same(t, "in time", no(l.missing("2026-03-09 23:59"), "feedback"), nil)
		same(t, "silence", no(l.missing("2026-03-10 00:00"), "feedback"), []string{"ppo→swc.legal registration"})
		same(t, "and longer", no(l.missing("2026-05-03 00:00"), "feedback"), []string{"ppo→swc.legal registration", "ppo→swc.legal status-digest"})
		if v := l.view(reg, "2026-03-11 12:00"); v.LateDays != 2 || v.SilentDays != 9 || !v.Breach {
			t.Errorf("view %+v", v)
		}
		levels, err := obligation.Escalation(reg, l.w.pack(), l.w.cal(), ms(t, "2026-03-10 00:00"))
		if err != nil || len(levels) != 2 || levels[1].Level != 1 || !slices.Equal(levels[1].To, []string{"obligor-head", "obligee-head", "obligee"}) {
			t.Errorf("levels %+v, %v", levels, err)
		}
	})
}

// twoComplaints is the beginning of S02: police and a center complained, the
// prosecution linked the handles, and an attorney represents the person.
func twoComplaints(l *ledger, represented bool) {
	l.at("2026-01-12 10:00").send(message{name: "a", kind: "complaint", from: "police", to: []string{"ppo"}, caseName: "1", subj: []string{"1"}, facts: institution})
	l.at("2026-01-13 10:00").send(message{name: "b", kind: "complaint", from: "swc.legal", to: []string{"ppo"}, caseName: "2", subj: []string{"1"}, facts: institution})
	l.link("1", "2")
	l.link("2", "3")
	if represented {
		l.at("2026-01-20 10:00").grant("att", "3", "1", "2026-01-20 00:00", "2027-01-01 00:00")
	}
}

func dismissal(name, to, caseName string, acts ...messaging.Act) message {
	return message{name: name, kind: "dismissal", from: "ppo", to: []string{to}, caseName: caseName, subj: []string{"1"},
		set: "decision", occurred: "2026-02-09 09:00", obl: acts}
}

// S02: one decision, three addressees, three messages of a set.
func TestDecisionForThree(t *testing.T) {
	worlds(t, func(t *testing.T, l *ledger) {
		twoComplaints(l, true)
		ch := l.at("2026-02-09 10:00").send(dismissal("m1", "police", "1", fulfilOf("m1", "dismissal-police")))
		same(t, "opens", no(l.opens(ch), " ack "), []string{
			"ppo→att dismissal-injured 2026-02-19 00:00",
			"ppo→police dismissal-police 2026-02-19 00:00",
			"ppo→swc.legal dismissal-complainant 2026-02-19 00:00",
		})
		same(t, "moves", l.moves(ch)[:1], []string{"fulfil dismissal-police fulfilled"})
		same(t, "digests end", no(l.moves(ch)[1:], "end status-digest ended"), nil)
		ch = l.send(dismissal("m2", "swc.legal", "2", fulfilOf("m1", "dismissal-complainant")))
		same(t, "opens no more", no(l.opens(ch), " ack "), nil)
		same(t, "moves", l.moves(ch), []string{"fulfil dismissal-complainant fulfilled"})
		ch = l.send(dismissal("m3", "att", "3", fulfilOf("m1", "dismissal-injured")))
		same(t, "waits", l.moves(ch), []string{"fulfil dismissal-injured in-progress"})

		injured := l.owed("m1", "dismissal-injured", "att")
		if v := l.view(injured, "2026-02-19 00:00"); !v.Unserved || v.Overdue || v.Missing {
			t.Errorf("not handed over: %+v", v)
		}
		c := theClock(t, l, "2026-03-01 00:00")
		if c.Informed || show(t, c.Due) != "2026-05-12 00:00" {
			t.Errorf("never informed: %+v", c)
		}
		ch = l.at("2026-02-20 08:00").retrieved("m3", "att") // fetched after the term, sent in time
		same(t, "moves", l.moves(ch), []string{"handed-over dismissal-injured fulfilled"})
		c = theClock(t, l, "2026-03-02 23:59")
		if !c.Informed || c.Over || show(t, c.Due) != "2026-03-03 00:00" || c.Attested {
			t.Errorf("objection: %+v", c)
		}
		if c := theClock(t, l, "2026-03-03 00:00"); !c.Over {
			t.Errorf("objection is not over: %+v", c)
		}
	})
}

func theClock(t *testing.T, l *ledger, now string) obligation.RightClock {
	t.Helper()
	clocks, err := obligation.Clocks(l.w, 7, l.book.All(), ms(t, now))
	if err != nil || len(clocks) != 1 {
		t.Fatalf("%d clocks, %v", len(clocks), err)
	}
	return clocks[0]
}

// S02, when only the police are told.
func TestDecisionToldToOneAlone(t *testing.T) {
	worlds(t, func(t *testing.T, l *ledger) {
		twoComplaints(l, true)
		m1 := dismissal("m1", "police", "1", fulfilOf("m1", "dismissal-police"))
		m1.set = ""
		l.at("2026-02-09 10:00").send(m1)
		same(t, "the day before", no(l.missing("2026-02-18 23:59"), "registration"), nil)
		same(t, "from then on", no(l.missing("2026-02-19 00:00"), "registration"),
			[]string{"ppo→att dismissal-injured", "ppo→swc.legal dismissal-complainant"})

		later := dismissal("m2", "swc.legal", "2", fulfilID(l.owed("m1", "dismissal-complainant", "swc.legal")))
		later.set = ""
		ch := l.at("2026-02-19 00:00").send(later)
		same(t, "opens", no(l.opens(ch), " ack "), nil)
		same(t, "late", l.moves(ch), []string{"fulfil dismissal-complainant fulfilled-late"})
		o := l.owed("m1", "dismissal-complainant", "swc.legal")
		if v := l.view(o, "2030-01-01 00:00"); !v.Breach || v.Overdue || !o.Late {
			t.Errorf("late does not stay late: %+v", v)
		}
	})
}

// posted is a letter of the prosecution to the person, attested.
func posted(l *ledger, what string, of string, occurred string, acts ...messaging.Act) obligation.Event {
	a := &obligation.Attested{Channel: "post", What: what, To: []string{id("p", "1")}, Occurred: ms(l.t, occurred), Obl: acts}
	if a.Kind = "dismissal"; of != "" {
		a.Kind, a.Of = "", of
	}
	return obligation.Event{Ev: obligation.EvAttested, Obj: id("x", what+of+occurred), Desk: id("d", "ppo"), Case: id("c", "1"),
		Subj: []string{id("p", "1")}, Attested: a}
}

// S02, when nobody represents the person: a letter, then its proof of service,
// attested in either way.
func TestDecisionByPost(t *testing.T) {
	for _, again := range []bool{false, true} {
		worlds(t, func(t *testing.T, l *ledger) {
			twoComplaints(l, false)
			ch := l.at("2026-02-09 10:00").send(dismissal("m1", "police", "1", fulfilOf("m1", "dismissal-police")))
			same(t, "opens", no(l.opens(ch), " ack ", "police ", "legal "), []string{"ppo→person dismissal-injured 2026-02-19 00:00"})
			injured := l.get(id("m", "m1"), "dismissal-injured", id("p", "1"))

			letter := posted(l, obligation.WhatSent, "", "2026-02-09 09:00", fulfilID(injured))
			ch = l.at("2026-02-18 23:59").do(letter)
			same(t, "sent", l.moves(ch), []string{"fulfil dismissal-injured in-progress"})
			same(t, "the same act", l.opens(ch), nil)
			proof := posted(l, obligation.WhatServed, letter.Obj, "2026-02-20 11:00")
			if again { // the proof may also be an attestation of its own
				proof = posted(l, obligation.WhatServed, "", "2026-02-20 11:00", fulfilID(injured))
			}
			ch = l.at("2026-02-27 10:00").do(proof)
			same(t, "served", l.moves(ch)[len(l.moves(ch))-1:], []string{"handed-over dismissal-injured fulfilled"})
			o := l.get(id("m", "m1"), "dismissal-injured", id("p", "1"))
			if !o.Attested || show(t, o.MetAt) != "2026-02-18 23:59" || show(t, o.Served) != "2026-02-20 11:00" || o.MetObj != letter.Obj {
				t.Errorf("%+v", o)
			}
			if c := theClock(t, l, "2026-02-28 23:59"); !c.Informed || !c.Attested || c.Over || show(t, c.Due) != "2026-03-03 00:00" {
				t.Errorf("objection: %+v", c)
			}
		})
	}
}

// S05: a referral that is opened and never answered.
func TestReferralOpenedIsNotAnswered(t *testing.T) {
	worlds(t, func(t *testing.T, l *ledger) {
		ch := l.at("2026-04-09 12:00").send(message{name: "r", kind: "referral", from: "ngo", to: []string{"swc.case"}, caseName: "1", subj: []string{"3"}})
		same(t, "opens", l.opens(ch), []string{
			"swc.case→ngo ack 2026-04-16 00:00",
			"swc.case→ngo referral-response 2026-04-17 00:00",
			"swc.case→ngo referral-outcome 2026-05-10 00:00",
		})
		l.at("2026-04-10 09:00").retrieved("r", "swc.case")
		same(t, "opened", l.moves(l.decrypted("r", "swc.case")), []string{"fulfil ack fulfilled"})
		same(t, "missing", l.missing("2026-05-10 00:00"), []string{"swc.case→ngo referral-outcome", "swc.case→ngo referral-response"})
		same(t, "missing before", l.missing("2026-04-16 23:59"), nil)
	})
}

// S11: a consent is narrowed twice; the desks taken out confirm.
func TestNarrowingReachesEveryone(t *testing.T) {
	worlds(t, func(t *testing.T, l *ledger) {
		l.at("2026-04-20 10:00").send(message{name: "a", kind: "referral", from: "swc.case", to: []string{"nes"}, caseName: "1", subj: []string{"7"}})
		l.at("2026-04-20 10:01").send(message{name: "b", kind: "referral", from: "swc.case", to: []string{"ngo"}, caseName: "1", subj: []string{"7"}})
		l.at("2026-04-21 10:00").retrieved("b", "ngo")
		l.decrypted("b", "ngo")

		ch := l.at("2026-05-04 11:20").narrowed("k", 2, "1", "7", "swc.case", []obligation.Block{{Msg: id("m", "a"), Desk: id("d", "nes")}}, "nes")
		same(t, "opens", l.opens(ch), []string{"nes→swc.case withdrawal-confirm 2026-05-05 11:20"})
		moves := l.moves(ch)
		slices.Sort(moves)
		same(t, "cancelled", moves, []string{"cancel ack cancelled", "cancel referral-outcome cancelled", "cancel referral-response cancelled"})
		if o := l.owed("a", "referral-response", "swc.case"); o.Reason != "release_blocked" || !o.Late {
			t.Errorf("a reply that was overdue by then: %+v", o)
		}
		if o := l.owed("a", "referral-outcome", "swc.case"); o.Late {
			t.Errorf("a reply that was not due yet is late: %+v", o)
		}

		confirm := l.get(id("k", "k"), "withdrawal-confirm", id("d", "swc.case"))
		ch = l.at("2026-05-05 11:19").send(message{name: "c", kind: "withdrawal-confirmed", from: "nes", to: []string{"swc.case"}, caseName: "1",
			obl: []messaging.Act{fulfilID(confirm)}})
		same(t, "confirmed", l.moves(ch), []string{"fulfil withdrawal-confirm fulfilled"})

		ch = l.at("2026-05-20 09:00").narrowed("k", 3, "1", "7", "swc.case", nil, "ngo")
		same(t, "opens", l.opens(ch), []string{"ngo→swc.case withdrawal-confirm 2026-05-21 09:00"})
		if l.missing("2026-05-21 09:00")[0] != "ngo→swc.case referral-outcome" {
			t.Errorf("what was fetched is still owed: %v", l.missing("2026-05-21 09:00"))
		}
	})
}

// S11, when an attorney represents the person.
func TestNarrowingIsConfirmedToTheRepresentative(t *testing.T) {
	worlds(t, func(t *testing.T, l *ledger) {
		l.grant("att", "1", "7", "2026-01-01 00:00", "2026-05-04 11:20")
		l.grant("att2", "1", "7", "2026-05-04 11:20", "2027-01-01 00:00")
		ch := l.at("2026-05-04 11:20").narrowed("k", 2, "1", "7", "swc.case", nil, "nes")
		same(t, "opens", l.opens(ch), []string{"nes→att2 withdrawal-confirm 2026-05-05 11:20"})
	})
}
