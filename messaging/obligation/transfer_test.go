package obligation_test

import (
	"testing"

	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// notOurs is a set: the answer to the obligee and the forward to another desk.
func notOurs(l *ledger, o obligation.Obligation) {
	l.t.Helper()
	answer := l.event(message{name: "t1", kind: "status-reply", from: "swc.case", to: []string{"ngo"}, caseName: "1", set: "t",
		obl: []messaging.Act{{Op: messaging.OpTransfer, ID: o.ID, To: id("d", "nes")}}})
	same(l.t, "announced", l.moves(l.do(answer)), []string{"transfer referral-response open"})
	l.send(message{name: "t2", kind: "forward", from: "swc.case", to: []string{"nes", "police"}, caseName: "1", set: "t"})
}

// moved is the duty a transfer opened.
func moved(l *ledger, from obligation.Obligation) (obligation.Obligation, bool) {
	for _, o := range l.book.All() {
		if o.From == from.ID {
			return o, true
		}
	}
	return obligation.Obligation{}, false
}

func TestTransferTakesEffectWhenTheForwardIsHandedOver(t *testing.T) {
	l, response, _ := referred(t)
	l.at("2026-03-06 10:00")
	notOurs(l, response)
	same(t, "the answer is fetched", l.moves(l.retrieved("t1", "ngo")), nil)
	same(t, "by another desk", l.moves(l.retrieved("t2", "police")), nil)
	if o := l.owed("r", "referral-response", "ngo"); !l.view(o, "2026-03-11 00:00").Missing {
		t.Error("an announced transfer stops the clock")
	}
	ch := l.at("2026-03-10 10:00").retrieved("t2", "nes")
	same(t, "moves", l.moves(ch), []string{"transfer referral-response transferred"})
	same(t, "opens", l.opens(ch), []string{"nes→ngo referral-response 2026-03-11 00:00"})
	old, taken := ch.Moves[0].O, ch.Opens[0]
	if old.Late || old.Transfer.ID != taken.ID || taken.From != old.ID || taken.Trigger != old.Trigger ||
		taken.ID != obligation.ID(100, "referral-response", id("d", "nes"), id("d", "ngo"), 0) {
		t.Errorf("old %+v\nnew %+v", old, taken)
	}
	l.refused("closed", l.from("swc.case", "ngo", "referral-accepted", fulfilID(old)))
	ch = l.do(l.from("nes", "ngo", "referral-accepted", fulfilID(taken)))
	same(t, "answered", l.moves(ch), []string{"fulfil referral-response fulfilled"})
	l.refold()
}

func TestTransferKeepsTheBreach(t *testing.T) {
	l, response, _ := referred(t)
	l.at("2026-03-06 10:00")
	notOurs(l, response)
	ch := l.at("2026-03-11 00:00").retrieved("t2", "nes")
	if o := ch.Moves[0].O; !o.Late {
		t.Errorf("the first obligor was not late: %+v", o)
	}
	if v := ch.Opens[0].View(l.now, l.w.pack(), l.w.cal()); !v.Overdue {
		t.Errorf("the due time moved: %+v", ch.Opens[0])
	}
	l.refold()
}

func TestTransferToADeskThatOwesItAlready(t *testing.T) {
	l := newLedger(t, readWorld(t))
	l.at("2026-03-05 10:00").send(message{name: "r", kind: "referral", from: "ngo", to: []string{"swc.case", "nes"}, caseName: "1"})
	o := l.book.All()[0]
	for _, x := range l.book.All() {
		if x.Rule == "referral-response" && x.Obligor == id("d", "swc.case") {
			o = x
		}
	}
	notOurs(l, o)
	ch := l.retrieved("t2", "nes")
	same(t, "moves", l.moves(ch), []string{"transfer referral-response transferred"})
	same(t, "opens", l.opens(ch), nil)
	if id := ch.Moves[0].O.Transfer.ID; id == "" || id == o.ID {
		t.Errorf("transferred to %q", id)
	}
}

// One message may be both the answer and the forward.
func TestTransferInOneMessage(t *testing.T) {
	l, response, _ := referred(t)
	l.send(message{name: "t", kind: "status-reply", from: "swc.case", to: []string{"ngo", "nes"}, caseName: "1",
		obl: []messaging.Act{{Op: messaging.OpSuspend, ID: response.ID, Until: l.now + 1e9, Reason: "awaiting"},
			{Op: messaging.OpTransfer, ID: response.ID, To: id("d", "nes")}}})
	ch := l.at("2026-03-06 10:00").retrieved("t", "nes")
	taken, ok := moved(l, response)
	if !ok || ch.Moves[0].O.State != obligation.Transferred || show(t, taken.Due) != "2026-03-12 00:00" || taken.DueBy != "suspended" {
		t.Errorf("moves %v, new %+v", l.moves(ch), taken)
	}
	l.refold()
}
