package obligation_test

import (
	"testing"

	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// paper is an attested act of a desk.
func paper(desk, what, kind string, to ...string) obligation.Event {
	return obligation.Event{Ev: obligation.EvAttested, Obj: id("x", desk+what+kind), Desk: id("d", desk), Case: id("c", "1"),
		Attested: &obligation.Attested{Channel: "post", What: what, Kind: kind, To: to}}
}

func TestAttestedTriggers(t *testing.T) {
	l := newLedger(t, readWorld(t))
	sent := paper("swc.legal", obligation.WhatServed, "complaint", id("d", "ppo"))
	ch := l.at("2026-03-02 10:00").do(sent)
	same(t, "a complaint on paper", l.opens(ch), []string{
		"ppo→swc.legal registration 2026-03-10 00:00", "ppo→swc.legal status-digest 2026-05-03 00:00"})
	if !ch.Opens[0].Attested || ch.Opens[0].TriggerObj != sent.Obj {
		t.Errorf("%+v", ch.Opens[0])
	}
	steps, err := ch.Opens[0].Explain(l.w.pack(), l.w.cal())
	if err != nil || steps[1].Code != obligation.StepAttested {
		t.Errorf("explained by %+v, %v", steps, err)
	}
	ch = l.at("2026-03-20 10:00").do(paper("ppo", obligation.WhatSent, "judgment-final", id("d", "swc.legal")))
	same(t, "ends the period", l.moves(ch), []string{"end status-digest ended"})
	ch = l.do(paper("ppo", obligation.WhatSent, "dismissal", id("p", "1")))
	same(t, "whoever filed on paper is told", l.opens(ch), []string{"ppo→swc.legal dismissal-complainant 2026-03-31 00:00"})
	l.refold()
}

// What a desk says it received makes that desk owe, and nobody else.
func TestAttestedReceived(t *testing.T) {
	l := newLedger(t, readWorld(t))
	got := paper("ppo", obligation.WhatReceived, "complaint")
	got.Attested.From = id("d", "police")
	got.Attested.Obl = []messaging.Act{{Op: messaging.OpDeclare, Rule: "report-to-center"}}
	ch := l.at("2026-03-02 10:00").do(got)
	same(t, "opens", l.opens(ch), []string{"ppo→police registration 2026-03-10 00:00", "ppo→police status-digest 2026-05-03 00:00"})
	got = paper("police", obligation.WhatReceived, "judgment-final")
	got.Attested.From = id("d", "ppo")
	same(t, "another's word ends nothing", l.moves(l.do(got)), nil)
	got = paper("ngo", obligation.WhatReceived, "opinion-request")
	got.Attested.From = id("p", "1")
	same(t, "a person is owed by representatives only", l.opens(l.do(got)), nil)
	got = paper("ngo", obligation.WhatReceived, "opinion-request")
	got.Obj, got.Attested.From = id("x", "again"), id("d", "ppo")
	ch = l.do(got)
	same(t, "received is handed over", l.opens(ch), []string{"ngo→ppo opinion 2026-03-10 00:00"})
	l.refold()
}

func TestAttestedHandsOver(t *testing.T) {
	l := newLedger(t, readWorld(t))
	l.at("2026-03-05 10:00").send(message{name: "q", kind: "opinion-request", from: "ppo", to: []string{"ngo"}, caseName: "1"})
	attempt := paper("ppo", obligation.WhatAttempt, "opinion-request", id("d", "ngo"))
	attempt.Attested.Of = id("m", "q")
	ch := l.do(attempt)
	same(t, "an attempt", append(l.moves(ch), l.opens(ch)...), nil)
	proof := paper("ppo", obligation.WhatServed, "", id("d", "ngo"), id("d", "nes"))
	proof.Attested.Of, proof.Attested.Occurred = id("m", "q"), ms(t, "2027-01-01 00:00")
	ch = l.at("2026-03-06 10:00").do(proof)
	same(t, "proof of service", l.moves(ch), []string{"start opinion open"})
	if o := ch.Moves[0].O; o.Start != l.now || show(t, o.Due) != "2026-03-14 00:00" {
		t.Errorf("the term starts when the proof is filed: %+v", o)
	}
	h, ok, err := l.book.HandedOver(id("m", "q"), id("d", "ngo"))
	if err != nil || !ok || h.Served != l.now || h.At != l.now {
		t.Errorf("a proof dated after its filing: %+v", h)
	}
	same(t, "once", l.moves(l.retrieved("q", "ngo")), nil)
	l.refold()
}

func TestAttestedRefusals(t *testing.T) {
	l, response, _ := referred(t)
	change := func(ev obligation.Event, f func(*obligation.Attested)) obligation.Event { f(ev.Attested); return ev }
	ok := func() obligation.Event {
		return change(paper("swc.case", obligation.WhatSent, "referral-accepted", id("d", "ngo")), func(a *obligation.Attested) { a.Obl = []messaging.Act{fulfilID(response)} })
	}
	for name, c := range map[string]struct {
		reason string
		ev     obligation.Event
	}{
		"channel":                {"channel", change(ok(), func(a *obligation.Attested) { a.Channel = "pigeon" })},
		"channel serves nothing": {"channel", change(ok(), func(a *obligation.Attested) { a.Channel, a.What = "phone", obligation.WhatServed })},
		"what":                   {"what", change(ok(), func(a *obligation.Attested) { a.What = "thought" })},
		"sent by another":        {"what", change(ok(), func(a *obligation.Attested) { a.From = id("d", "nes") })},
		"received from nobody":   {"what", change(ok(), func(a *obligation.Attested) { a.What = obligation.WhatReceived })},
		"received from itself":   {"what", change(ok(), func(a *obligation.Attested) { a.What, a.From = obligation.WhatReceived, id("d", "swc.case") })},
		"received answers":       {"what", change(ok(), func(a *obligation.Attested) { a.What, a.From = obligation.WhatReceived, id("d", "ngo") })},
		"attempt answers":        {"what", change(ok(), func(a *obligation.Attested) { a.What = obligation.WhatAttempt })},
		"service of nothing":     {"service", change(ok(), func(a *obligation.Attested) { a.What, a.Of = obligation.WhatServed, id("m", "none") })},
		"to somebody else":       {"recipient", change(ok(), func(a *obligation.Attested) { a.To = []string{id("p", "9")} })},
		"a kind that is none":    {"kind", change(ok(), func(a *obligation.Attested) { a.Kind = "" })},
	} {
		t.Run(name, func(t *testing.T) {
			(&ledger{t: t, w: l.w, book: l.book, now: l.now, idx: l.idx}).refused(c.reason, c.ev)
		})
	}
	stranger := paper("nes", obligation.WhatServed, "", id("d", "swc.case"))
	stranger.Attested.Of = id("m", "r")
	l.refused("service", stranger)
	byPhone := change(ok(), func(a *obligation.Attested) { a.Channel = "phone" })
	same(t, "told by phone", l.moves(l.do(byPhone)), []string{"fulfil referral-response fulfilled"})
	if o := l.owed("r", "referral-response", "ngo"); !o.Attested {
		t.Errorf("%+v", o)
	}
}

// An attestation may be trigger and answer in one, naming itself.
func TestAttestedFulfilsItself(t *testing.T) {
	l := newLedger(t, readWorld(t))
	ev := paper("ppo", obligation.WhatServed, "dismissal", id("p", "1"))
	ev.Subj, ev.Attested.Occurred = []string{id("p", "1")}, ms(t, "2026-02-09 09:00")
	ev.Attested.Obl = []messaging.Act{{Op: messaging.OpFulfil, Of: ev.Obj, Rule: "dismissal-injured"}}
	ch := l.at("2026-02-12 10:00").do(ev)
	same(t, "opens", l.opens(ch), []string{"ppo→person dismissal-injured 2026-02-19 00:00"})
	same(t, "moves", l.moves(ch), []string{"fulfil dismissal-injured in-progress", "handed-over dismissal-injured fulfilled"})
	if o := ch.Moves[1].O; o.Served != ev.Attested.Occurred || o.HandedOver != l.now {
		t.Errorf("%+v", o)
	}
	l.refold()
}

// A letter that was never served leaves the duty visible, and a later one may
// still serve.
func TestLetterThatDoesNotArrive(t *testing.T) {
	l := newLedger(t, readWorld(t))
	l.at("2026-02-09 10:00").send(dismissal("m1", "police", "1"))
	o := l.get(id("m", "m1"), "dismissal-injured", id("p", "1"))
	letter := posted(l, obligation.WhatSent, "", "2026-02-09 09:00", fulfilID(o))
	l.at("2026-02-10 10:00").do(letter)
	o = l.get(id("m", "m1"), "dismissal-injured", id("p", "1"))
	if v := l.view(o, "2026-06-01 00:00"); !v.Unserved || v.LateDays == 0 || v.SilentDays != 111 {
		t.Errorf("%+v", v)
	}
	if c := theClock(t, l, "2026-05-12 00:00"); c.Informed || !c.Over || show(t, c.Due) != "2026-05-12 00:00" {
		t.Errorf("%+v", c)
	}
	for n := range 16 {
		again := posted(l, obligation.WhatSent, "", "2026-02-09 09:00", fulfilID(o))
		again.Obj = id("x", toJSON(t, n))
		if n == 15 {
			l.refused("count", again)
			break
		}
		l.do(again)
	}
	l.refold()
}
