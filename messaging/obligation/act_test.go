package obligation_test

import (
	"errors"
	"testing"

	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// referred is a ledger with one referral from ngo to swc.case on Thursday
// 2026-03-05 10:00: response due 2026-03-11 00:00, outcome due 2026-04-05 00:00.
func referred(t testing.TB) (l *ledger, response, outcome obligation.Obligation) {
	l = newLedger(t, readWorld(t))
	l.at("2026-03-05 10:00").send(message{name: "r", kind: "referral", from: "ngo", to: []string{"swc.case"}, caseName: "1", subj: []string{"3"}})
	return l, l.owed("r", "referral-response", "ngo"), l.owed("r", "referral-outcome", "ngo")
}

// from makes a message of a case from a desk to another, with acts.
func (l *ledger) from(desk, to, kind string, acts ...messaging.Act) obligation.Event {
	l.idx += 1000 // names of messages are made of the index; leave room
	defer func() { l.idx -= 1000 }()
	return l.event(message{name: kind + desk + to + show(l.t, l.now) + toJSON(l.t, l.idx), kind: kind, from: desk, to: []string{to}, caseName: "1", obl: acts})
}

func TestActsThatAreRefused(t *testing.T) {
	l, response, outcome := referred(t)
	l.at("2026-03-06 10:00")
	closed := l.owed("r", "ack", "ngo")
	l.decrypted("r", "swc.case")
	fulfil := func(o obligation.Obligation) messaging.Act { return fulfilID(o) }
	with := func(a messaging.Act, change func(*messaging.Act)) messaging.Act { change(&a); return a }
	interim := with(act(messaging.OpInterim, outcome), func(a *messaging.Act) { a.Value = "no-data" })
	extend := messaging.Act{Op: messaging.OpExtend, ID: response.ID, Due: response.Due + 1, Reason: "agreed"}
	suspend := messaging.Act{Op: messaging.OpSuspend, ID: response.ID, Until: l.now + 1, Reason: "awaiting"}
	transfer := messaging.Act{Op: messaging.OpTransfer, ID: response.ID, To: id("d", "nes")}

	for name, c := range map[string]struct {
		reason string
		ev     obligation.Event
	}{
		"unknown id":        {"unknown", l.from("swc.case", "ngo", "referral-accepted", messaging.Act{Op: messaging.OpFulfil, ID: id("o", "none")})},
		"of another set":    {"unknown", l.from("swc.case", "ngo", "referral-accepted", fulfilOf("r", "referral-response"))},
		"of nothing":        {"unknown", l.from("swc.case", "ngo", "referral-accepted", messaging.Act{Op: messaging.OpFulfil})},
		"final":             {"closed", l.from("swc.case", "ngo", "acknowledgement", fulfil(closed))},
		"other obligor":     {"not_obligor", l.from("nes", "ngo", "referral-accepted", fulfil(response))},
		"obligee fulfils":   {"not_obligor", l.from("ngo", "swc.case", "referral-accepted", fulfil(response))},
		"obligor waives":    {"not_obligee", l.from("swc.case", "ngo", "status-reply", messaging.Act{Op: messaging.OpWaive, ID: response.ID, Reason: "agreed"})},
		"obligor extends":   {"not_obligee", l.from("swc.case", "ngo", "status-reply", extend)},
		"stranger cancels":  {"not_obligor", l.from("nes", "ngo", "status-reply", messaging.Act{Op: messaging.OpCancel, ID: response.ID, Reason: "agreed"})},
		"obligee not told":  {"recipient", l.from("swc.case", "nes", "referral-accepted", fulfil(response))},
		"obligor not told":  {"recipient", l.from("ngo", "nes", "status-reply", extend)},
		"kind":              {"kind", l.from("swc.case", "ngo", "status-reply", fulfil(response))},
		"interim kind":      {"kind", l.from("swc.case", "ngo", "referral-accepted", interim)},
		"value":             {"value", l.from("swc.case", "ngo", "referral-accepted", with(fulfil(response), func(a *messaging.Act) { a.Value = "perhaps" }))},
		"value of the kind": {"value", l.from("swc.case", "ngo", "referral-outcome", with(fulfil(outcome), func(a *messaging.Act) { a.Value = "none-to-report" }))},
		"blank value":       {"value", l.from("swc.case", "ngo", "referral-outcome", with(fulfil(outcome), func(a *messaging.Act) { a.Value = "" }))},
		"interim value":     {"value", l.from("swc.case", "ngo", "status-reply", with(interim, func(a *messaging.Act) { a.Value = "perhaps" }))},
		"reason":            {"reason", l.from("ngo", "swc.case", "status-reply", with(extend, func(a *messaging.Act) { a.Reason = "awaiting" }))},
		"no reason":         {"reason", l.from("swc.case", "ngo", "status-reply", messaging.Act{Op: messaging.OpDispute, ID: response.ID})},
		"same due":          {"extend", l.from("ngo", "swc.case", "status-reply", with(extend, func(a *messaging.Act) { a.Due = response.Due }))},
		"due beyond 2099":   {"extend", l.from("ngo", "swc.case", "status-reply", with(extend, func(a *messaging.Act) { a.Due = 4_102_444_800_001 }))},
		"until now":         {"until", l.from("swc.case", "ngo", "status-reply", with(suspend, func(a *messaging.Act) { a.Until = l.now }))},
		"until beyond 2099": {"until", l.from("swc.case", "ngo", "status-reply", with(suspend, func(a *messaging.Act) { a.Until = 4_102_444_800_000 }))},
		"to a person":       {"to", l.from("swc.case", "ngo", "status-reply", with(transfer, func(a *messaging.Act) { a.To = id("p", "3") }))},
		"to itself":         {"to", l.from("swc.case", "ngo", "status-reply", with(transfer, func(a *messaging.Act) { a.To = response.Obligor }))},
		"to the obligee":    {"to", l.from("swc.case", "ngo", "status-reply", with(transfer, func(a *messaging.Act) { a.To = response.Obligee }))},
		"no forward":        {"forward", l.from("swc.case", "ngo", "status-reply", transfer)},
		"op":                {"op", l.from("swc.case", "ngo", "status-reply", act("forget", response))},
		"not declared":      {"rule", l.from("swc.case", "ngo", "referral", messaging.Act{Op: messaging.OpDeclare, Rule: "referral-response"})},
		"not triggered":     {"rule", l.from("swc.case", "ngo", "referral", messaging.Act{Op: messaging.OpDeclare, Rule: "report-to-center"})},
		"sender's type":     {"rule", l.from("ppo", "ngo", "complaint", messaging.Act{Op: messaging.OpDeclare, Rule: "report-to-center"})},
		"no such rule":      {"rule", l.from("swc.case", "ngo", "referral", messaging.Act{Op: messaging.OpDeclare, Rule: "none"})},
	} {
		t.Run(name, func(t *testing.T) {
			(&ledger{t: t, w: l.w, book: l.book, now: l.now, idx: l.idx}).refused(c.reason, c.ev)
		})
	}
	other := l.from("swc.case", "ngo", "referral-accepted", fulfil(response))
	other.Core.Case = id("c", "2")
	l.refused("case", other)
	l.link("1", "2")
	l.do(other)
	if o := l.owed("r", "referral-response", "ngo"); o.State != obligation.Fulfilled || o.Value != "known" {
		t.Errorf("a linked handle: %+v", o)
	}
}

// An act error names its place and its target, and nothing is recorded of a
// message with one bad act.
func TestOneBadActRefusesTheMessage(t *testing.T) {
	l, response, outcome := referred(t)
	ev := l.from("swc.case", "ngo", "referral-accepted", fulfilID(response), fulfilID(outcome))
	_, ch, err := l.try(ev)
	var bad *obligation.ActError
	if !errors.As(err, &bad) || bad.Act != 1 || bad.Target != outcome.ID || len(ch.Opens)+len(ch.Moves) != 0 {
		t.Errorf("changes %+v, error %v", ch, err)
	}
	if bad.Error() != "obligation: act on "+outcome.ID+" is not admissible: kind" {
		t.Errorf("says %q", bad.Error())
	}
}

func TestFulfilAtTheBoundary(t *testing.T) {
	for _, late := range []bool{false, true} {
		l, response, _ := referred(t)
		l.now = response.Due - 1
		want := obligation.Fulfilled
		if late {
			l.now, want = response.Due, obligation.FulfilledLate
		}
		ch := l.do(l.from("swc.case", "ngo", "referral-declined", fulfilID(response)))
		o := ch.Moves[0].O
		if o.State != want || o.Late != late || o.MetAt != l.now || o.MetBy != 101 || o.Since != l.now {
			t.Errorf("late %v: %+v", late, o)
		}
		if v := o.View(l.now, l.w.pack(), l.w.cal()); v.Breach != late || v.Overdue || v.SilentDays != 0 {
			t.Errorf("late %v: view %+v", late, v)
		}
		l.refold()
	}
}

func TestAckAndInterim(t *testing.T) {
	l, _, outcome := referred(t)
	l.at("2026-03-09 10:00")
	ch := l.do(l.from("swc.case", "ngo", "status-reply", act(messaging.OpAck, outcome)))
	same(t, "acknowledged", l.moves(ch), []string{"ack referral-outcome acknowledged"})
	if v := ch.Moves[0].O.View(l.now, l.w.pack(), l.w.cal()); v.SilentDays != 4 {
		t.Errorf("to have the duty is not an answer: %+v", v)
	}
	interim := messaging.Act{Op: messaging.OpInterim, ID: outcome.ID, Value: "no-data"}
	for range 2 {
		ch = l.do(l.from("swc.case", "ngo", "status-reply", interim))
		same(t, "interim", l.moves(ch), []string{"interim referral-outcome in-progress"})
	}
	l.refused("count", l.from("swc.case", "ngo", "status-reply", interim))
	o := l.owed("r", "referral-outcome", "ngo")
	if o.Interims != 2 || o.Due != outcome.Due || o.Answered != l.now {
		t.Errorf("%+v", o)
	}
	ch = l.do(l.from("swc.case", "ngo", "status-reply", act(messaging.OpAck, outcome)))
	same(t, "stays", l.moves(ch), []string{"ack referral-outcome in-progress"})
	if v := o.View(outcome.Due, l.w.pack(), l.w.cal()); !v.Overdue || !v.Missing {
		t.Errorf("an interim reply is no answer: %+v", v)
	}
	l.refold()
}

// The rule that opening answers is also answered by saying so.
func TestAckAnswersOpening(t *testing.T) {
	l, _, _ := referred(t)
	ack := l.owed("r", "ack", "ngo")
	ch := l.do(l.from("swc.case", "ngo", "status-reply", act(messaging.OpAck, ack)))
	same(t, "answered", l.moves(ch), []string{"ack ack fulfilled"})
	same(t, "opening comes after", l.moves(l.decrypted("r", "swc.case")), nil)
}

func TestOpeningIsTheRecipientsOwn(t *testing.T) {
	l, _, _ := referred(t)
	same(t, "another desk", l.moves(l.decrypted("r", "nes")), nil)
	same(t, "another message", l.moves(l.decrypted("q", "swc.case")), nil)
	l.now = l.owed("r", "ack", "ngo").Due
	ch := l.decrypted("r", "swc.case")
	same(t, "late", l.moves(ch), []string{"fulfil ack fulfilled-late"})
	if v := ch.Moves[0].O.View(l.now, l.w.pack(), l.w.cal()); v.Missing {
		t.Errorf("an unopened message is no missing reply: %+v", v)
	}
}

func TestExtend(t *testing.T) {
	l, response, _ := referred(t)
	extend := messaging.Act{Op: messaging.OpExtend, ID: response.ID, Due: response.Due + 3_600_000, Reason: "agreed"}
	l.now = response.Due - 1
	ch := l.do(l.from("ngo", "swc.case", "status-reply", extend))
	o := ch.Moves[0].O
	if o.Due != extend.Due || o.Reason != "agreed" || o.State != obligation.Open || o.DueBy != "extended" {
		t.Errorf("%+v", o)
	}
	extend.Due++
	l.now = o.Due
	l.refused("late", l.from("ngo", "swc.case", "status-reply", extend))
	l.refold()
}

func TestStatutoryTermsStand(t *testing.T) {
	l := newLedger(t, readWorld(t))
	l.at("2026-01-20 10:00").grant("att", "1", "1", "2026-01-20 00:00", "2027-01-01 00:00")
	m := dismissal("m1", "att", "1")
	l.at("2026-02-09 10:00").send(m)
	o := l.owed("m1", "dismissal-injured", "att")
	l.refused("statutory", l.from("att", "ppo", "status-reply", messaging.Act{Op: messaging.OpExtend, ID: o.ID, Due: o.Due + 1, Reason: "agreed"}))
	l.refused("statutory", l.from("ppo", "att", "status-reply", messaging.Act{Op: messaging.OpSuspend, ID: o.ID, Until: l.now + 1, Reason: "awaiting"}))
	ch := l.do(l.from("att", "ppo", "status-reply", messaging.Act{Op: messaging.OpWaive, ID: o.ID, Reason: "agreed"}))
	same(t, "waived for the person", l.moves(ch), []string{"waive dismissal-injured waived"})
}

func TestWaiveAndCancelKeepTheBreach(t *testing.T) {
	for _, overdue := range []bool{false, true} {
		l, response, outcome := referred(t)
		if overdue {
			l.now = outcome.Due
		}
		waive := messaging.Act{Op: messaging.OpWaive, ID: response.ID, Reason: "agreed"}
		cancel := messaging.Act{Op: messaging.OpCancel, ID: outcome.ID, Reason: "agreed"}
		ch := l.do(l.from("ngo", "swc.case", "status-reply", waive, cancel, cancel))
		same(t, "one party", l.moves(ch), []string{"waive referral-response waived", "cancel referral-outcome open", "cancel referral-outcome open"})
		if ch.Moves[0].O.Late != overdue {
			t.Errorf("overdue %v: waived %+v", overdue, ch.Moves[0].O)
		}
		ch = l.do(l.from("swc.case", "ngo", "status-reply", messaging.Act{Op: messaging.OpCancel, ID: outcome.ID, Reason: "not-ours"}))
		same(t, "both parties", l.moves(ch), []string{"cancel referral-outcome cancelled"})
		o := ch.Moves[0].O
		if o.Late != overdue || o.Reason != "not-ours" {
			t.Errorf("overdue %v: %+v", overdue, o)
		}
		l.refused("closed", l.from("swc.case", "ngo", "referral-outcome", fulfilID(outcome)))
		l.refold()
	}
}

func TestDisputeIsAFlag(t *testing.T) {
	l, response, _ := referred(t)
	l.do(l.from("swc.case", "ngo", "status-reply", messaging.Act{Op: messaging.OpDispute, ID: response.ID, Reason: "not-ours"}))
	o := l.owed("r", "referral-response", "ngo")
	if v := o.View(o.Due, l.w.pack(), l.w.cal()); !o.Disputed || !v.Missing || o.State != obligation.Open {
		t.Errorf("%+v %+v", o, v)
	}
}
