package obligation_test

import (
	"testing"

	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// complained is a ledger with one complaint: a digest is owed every two months.
func complained(t testing.TB) (*ledger, obligation.Obligation) {
	l := newLedger(t, readWorld(t))
	l.at("2026-03-02 10:00").send(message{name: "a", kind: "complaint", from: "swc.legal", to: []string{"ppo"}, caseName: "1"})
	return l, l.owed("a", "status-digest", "swc.legal")
}

func TestPeriodicDuty(t *testing.T) {
	l, first := complained(t)
	l.at("2026-04-30 10:00")
	ch := l.do(l.from("ppo", "swc.legal", "status-reply", fulfilID(first)))
	same(t, "met", l.moves(ch), []string{"fulfil status-digest fulfilled"})
	same(t, "next", no(l.opens(ch), " ack "), []string{"ppo→swc.legal status-digest 2026-07-01 00:00"})
	next := ch.Opens[1]
	if next.N != 1 || next.Trigger != first.Trigger || next.Start != l.now || !next.Repeats ||
		next.ID != obligation.ID(first.Trigger, "status-digest", first.Obligor, first.Obligee, 1) {
		t.Errorf("%+v", next)
	}
	steps, err := next.Explain(l.w.pack(), l.w.cal())
	if err != nil || steps[0].Why != "event" || steps[len(steps)-1].At != next.Due {
		t.Errorf("explained by %+v, %v", steps, err)
	}

	l.now = next.Due // late: the next runs from the late answer
	ch = l.do(l.from("ppo", "swc.legal", "status-reply", fulfilID(next)))
	same(t, "late", l.moves(ch), []string{"fulfil status-digest fulfilled-late"})
	same(t, "next", no(l.opens(ch), " ack "), []string{"ppo→swc.legal status-digest 2026-09-02 00:00"})

	l.at("2026-09-02 00:00")
	ch = l.do(l.from("ppo", "swc.legal", "judgment-final"))
	same(t, "ends", l.moves(ch), []string{"end status-digest ended"})
	if o := ch.Moves[0].O; !o.Late {
		t.Errorf("the end forgives what was late: %+v", o)
	}
	l.refused("closed", l.from("ppo", "swc.legal", "status-reply", fulfilID(ch.Moves[0].O)))
	l.refold()
}

// A last answer counts before the matter ends, and none follows it.
func TestAnswerThatEndsThePeriod(t *testing.T) {
	l, first := complained(t)
	l.at("2026-04-30 10:00")
	ch := l.do(l.from("ppo", "swc.legal", "dismissal", fulfilID(first)))
	same(t, "met", l.moves(ch), []string{"fulfil status-digest fulfilled"})
	for _, o := range ch.Opens {
		if o.Rule == "status-digest" {
			t.Errorf("another follows: %+v", o)
		}
	}
}

func TestWaivedPeriodIsOver(t *testing.T) {
	l, first := complained(t)
	ch := l.do(l.from("swc.legal", "ppo", "status-query", messaging.Act{Op: messaging.OpWaive, ID: first.ID, Reason: "agreed"}))
	same(t, "opens", no(l.opens(ch), " ack "), nil)
}

func TestEndIsOfTheMatterOnly(t *testing.T) {
	l, _ := complained(t)
	other := l.from("ppo", "swc.legal", "judgment-final")
	other.Core.Case = id("c", "9")
	same(t, "another case", l.moves(l.do(other)), nil)
	l.link("9", "1")
	same(t, "linked", l.moves(l.do(l.from("ppo", "swc.legal", "judgment-final"))), []string{"end status-digest ended"})
}

// The next occurrence of a duty towards a person goes to whoever represents
// them then.
func TestNextOccurrenceFindsTheRepresentative(t *testing.T) {
	l := newLedger(t, readWorld(t))
	l.grant("att", "1", "1", "2026-01-01 00:00", "2026-04-01 00:00")
	l.grant("att2", "1", "1", "2026-04-01 00:00", "2027-01-01 00:00")
	l.at("2026-03-02 10:00").send(message{name: "a", kind: "referral-accepted", from: "swc.case", to: []string{"ngo"}, caseName: "1",
		subj: []string{"1"}, occurred: "2026-03-02 09:00"})
	first := l.owed("a", "person-digest", "att")
	if show(t, first.Due) != "2026-04-03 00:00" {
		t.Fatalf("due %s", show(t, first.Due))
	}
	l.at("2026-04-02 10:00")
	l.refused("recipient", l.from("swc.case", "att", "status-reply", fulfilID(first))) // represents nobody any more
	ev := l.from("swc.case", "att2", "status-reply", fulfilID(first))
	same(t, "waits", l.moves(l.do(ev)), []string{"fulfil person-digest in-progress"})
	ch := l.at("2026-05-05 10:00").do(obligation.Event{Ev: obligation.EvRetrieved, Desk: id("d", "att2"), Obj: id("x", "r"),
		Receipt: &obligation.Receipt{Msg: ev.Obj, Desk: id("d", "att2")}})
	same(t, "handed over", l.moves(ch), []string{"handed-over person-digest fulfilled"})
	same(t, "next", l.opens(ch), []string{"swc.case→att2 person-digest 2026-06-06 00:00"})
	if n := ch.Opens[0].N; n != 1 {
		t.Errorf("occurrence %d", n)
	}
	l.refold()
}
