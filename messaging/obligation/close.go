package obligation

import (
	"slices"

	"github.com/odziv/odziv/messaging"
)

// close ends a duty without an answer. What was late by then stays late.
func (t *turn) close(op string, o *Obligation, s State) {
	o.lapse(t.ev.At)
	if o.passed(t.ev.At) && !o.submitted() {
		o.Late = true
	}
	o.State, o.Since = s, t.ev.At
	o.clearSuspension()
	t.move(op, *o)
}

// Parties that asked to cancel.
const (
	askedObligor = "obligor"
	askedObligee = "obligee"
)

// cancel needs both parties, each by an act of its own.
func (t *turn) cancel(a messaging.Act, o *Obligation) {
	side := askedObligee
	if t.n.actor == o.Obligor {
		side = askedObligor
	}
	if o.CancelAsked == "" || o.CancelAsked == side {
		o.CancelAsked = side
		t.move(a.Op, *o)
		return
	}
	o.CancelAsked = ""
	t.close(a.Op, o, Cancelled)
}

// end closes what a notice of this kind ends. Off the system only a notice that
// went out counts.
func (t *turn) end() error {
	if t.n.kind == "" || t.n.what == WhatReceived {
		return nil
	}
	live, err := t.live(t.cases)
	if err != nil {
		return err
	}
	for _, o := range live {
		r, err := t.rule(&o)
		if err != nil {
			return err
		}
		if o.Trigger == t.ev.Idx || !slices.Contains(r.EndsWith, t.n.kind) {
			continue
		}
		o.Attested = o.Attested || t.n.attested()
		t.close(OpEnd, &o, Ended)
	}
	return nil
}

// blocked cancels the duties of desks from messages whose release to them was
// closed: nobody owes an answer to what they cannot read any more.
func (t *turn) blocked() error {
	for _, b := range t.ev.Blocked {
		sent, ok, err := t.book.Message(b.Msg)
		if err != nil {
			return err
		}
		if !ok || sent.Case == "" {
			continue
		}
		live, err := t.live([]string{sent.Case})
		if err != nil {
			return err
		}
		for _, o := range live {
			if o.TriggerObj == b.Msg && o.Obligor == b.Desk {
				o.Reason = ReasonBlocked
				t.close(messaging.OpCancel, &o, Cancelled)
			}
		}
	}
	return nil
}

// obligation is what is left of a duty whose trigger was erased: who owed what
// to whom, and that it was late or not.
func (k *Kept) obligation() Obligation {
	o := Obligation{ID: k.O, Rule: k.Rule, Obligor: k.Obligor, Obligee: k.Obligee, Trigger: -1, Pack: k.Pack,
		OpenedAt: k.At, Due: k.Due, State: k.State, Since: k.At, Late: k.Late, Kept: true}
	if isPerson(k.Obligee) {
		o.Person = k.Obligee
	}
	if o.State == Suspended { // until when is erased; its due time holds the suspension
		o.State = InProgress
	}
	if k.Answered {
		o.Sent = []Submission{{Idx: -1, To: []string{}}}
	}
	return o
}

// Keep is what an erasure at a time must keep of a duty.
func Keep(o Obligation, now int64) Kept {
	o.lapse(now)
	if o.State == Suspended {
		o.State = o.Prior
	}
	return Kept{Answered: o.submitted(), At: o.Since, Due: o.Due, Late: o.Late, O: o.ID, Obligee: o.Obligee,
		Obligor: o.Obligor, Pack: o.Pack, Rule: o.Rule, State: o.State}
}
