package obligation

import (
	"errors"
	"slices"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/messaging"
)

// Reasons of an ActError. FORMAT.md 4.3 says what each means.
const (
	BadUnknown    = "unknown"     // no such duty
	BadCase       = "case"        // the duty belongs to another matter
	BadClosed     = "closed"      // it is final already
	BadNotObligor = "not_obligor" // the act is the obligor's
	BadNotObligee = "not_obligee" // the act is the obligee's
	BadRecipient  = "recipient"   // the other party is not among the recipients
	BadKind       = "kind"        // this kind of message does not answer the rule
	BadValue      = "value"       // the pack or the kind has no such reply value
	BadReason     = "reason"      // the pack has no such reason for this act
	BadCount      = "count"       // no further interim reply or submission
	BadLate       = "late"        // the due time has passed: late stays late
	BadStatutory  = "statutory"   // the term is the law's
	BadExtend     = "extend"      // the new due time is not after the present one
	BadUntil      = "until"       // the suspension is not in the future, or one runs already
	BadTo         = "to"          // a duty cannot be transferred there
	BadForward    = "forward"     // a transfer without a forward
	BadRule       = "rule"        // the message declares what its kind does not trigger
	BadOp         = "op"          // unknown act
	BadWhat       = "what"        // such an attestation performs no acts
	BadChannel    = "channel"     // the pack has no such channel, or it serves nothing
	BadService    = "service"     // proof of service of what the desk neither sent nor received
)

// maxSent bounds the answers of one duty that wait to be handed over.
const maxSent = 16

// act performs the acts of the notice in their order.
func (t *turn) act() error {
	for i, a := range t.n.acts {
		err := t.performAct(a)
		var refused *ActError
		if errors.As(err, &refused) {
			if t.lenient {
				continue
			}
			refused.Act = i
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bad refuses an act.
func bad(a messaging.Act, reason string) error {
	target := a.ID
	if target == "" {
		target = a.Rule
	}
	return &ActError{Reason: reason, Target: target}
}

func (t *turn) performAct(a messaging.Act) error {
	if a.Op == messaging.OpDeclare {
		return t.checkDeclared(a)
	}
	if t.n.what == WhatAttempt || t.n.what == WhatReceived {
		return bad(a, BadWhat)
	}
	targets, err := t.targets(a)
	if err != nil {
		return err
	}
	for _, o := range targets {
		if err := t.perform(a, o); err != nil {
			return err
		}
	}
	return nil
}

// checkDeclared accepts a declaration of a declared rule that this message
// triggers; opening it was open's work.
func (t *turn) checkDeclared(a messaging.Act) error {
	r := ruleOf(t.pack, a.Rule)
	if r == nil || !r.Declared || !t.n.triggers(r) || !t.fromType(r) {
		return bad(a, BadRule)
	}
	return nil
}

// targets are the duties an act names: one by its id, or those that a message
// of the same set (or this one) opened under a rule towards its recipients.
func (t *turn) targets(a messaging.Act) ([]Obligation, error) {
	if a.ID != "" {
		o, ok, err := t.get(a.ID)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, bad(a, BadUnknown)
		}
		return []Obligation{o}, nil
	}
	ok, err := t.sameSet(a.Of)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, bad(a, BadUnknown)
	}
	opened, err := t.openedBy(a.Of, a.Rule)
	if err != nil {
		return nil, err
	}
	return t.choose(a, opened)
}

// sameSet reports whether a message is this one or one of its set.
func (t *turn) sameSet(msg string) (bool, error) {
	if msg == t.ev.Obj {
		return true, nil
	}
	if t.n.set == "" {
		return false, nil
	}
	sent, ok, err := t.book.Message(msg)
	return ok && sent.Set == t.n.set, err
}

// choose picks, of the duties a message opened under a rule, those of the actor
// towards its recipients, and says why there is none.
func (t *turn) choose(a messaging.Act, opened []Obligation) ([]Obligation, error) {
	reason := BadUnknown
	var list []Obligation
	for _, o := range opened {
		why, err := t.between(a, &o)
		switch {
		case err != nil:
			return nil, err
		case why == "" && o.State.Final():
			reason = BadClosed
		case why == "":
			list = append(list, o)
		case reason == BadUnknown || why == BadRecipient && reason != BadClosed:
			reason = why
		}
	}
	if len(list) == 0 {
		return nil, bad(a, reason)
	}
	return list, nil
}

// between tells why the actor may not perform the act on the duty in a message
// to these recipients, or "".
func (t *turn) between(a messaging.Act, o *Obligation) (why string, err error) {
	asObligee, err := t.standsFor(o, t.n.actor)
	if err != nil {
		return "", err
	}
	asObligor := t.n.actor == o.Obligor
	switch a.Op {
	case messaging.OpExtend, messaging.OpWaive:
		if !asObligee {
			return BadNotObligee, nil
		}
		asObligor = false
	case messaging.OpCancel:
		if !asObligor && !asObligee {
			return BadNotObligor, nil
		}
	default:
		if !asObligor {
			return BadNotObligor, nil
		}
	}
	reached, err := t.reached(o, asObligor)
	if err != nil || len(reached) > 0 {
		return "", err
	}
	return BadRecipient, nil
}

// reached are the recipients that stand for the other side of a duty.
func (t *turn) reached(o *Obligation, byObligor bool) ([]string, error) {
	var list []string
	for _, to := range t.n.to {
		ok := to == o.Obligor
		if byObligor {
			stands, err := t.standsFor(o, to)
			if err != nil {
				return nil, err
			}
			ok = stands || t.n.attested() && to == o.Whom()
		}
		if ok {
			list = append(list, to)
		}
	}
	return list, nil
}

// standsFor reports whether a desk is the obligee: for a duty towards a person
// whoever represents them now, and no longer who did when it was opened.
func (t *turn) standsFor(o *Obligation, desk string) (bool, error) {
	if o.Person == "" || isPerson(desk) {
		return desk == o.Obligee && !isPerson(desk), nil
	}
	cases := t.cases
	if o.Case != "" {
		linked, err := t.book.Linked(o.Case)
		if err != nil {
			return false, err
		}
		cases = linked
	}
	desks, err := t.representatives(cases, o.Person)
	return slices.Contains(desks, desk), err
}

// perform does one act to one duty.
func (t *turn) perform(a messaging.Act, o Obligation) error {
	if err := t.admit(a, &o); err != nil {
		return err
	}
	if o.State.Final() {
		return bad(a, BadClosed)
	}
	r, err := t.rule(&o)
	if err != nil {
		if o.Kept { // not even its rule is left
			return bad(a, BadUnknown)
		}
		return err
	}
	o.lapse(t.ev.At)
	if t.n.actor == o.Obligor {
		if err := t.beginLate(&o, r); err != nil {
			return err
		}
	}
	return t.apply(a, r, &o)
}

// admit refuses an act of a message about another matter, by a desk that is not
// entitled to it, or behind the other party's back. Over holes it was admitted
// in its time, on links and grants that may be erased since.
func (t *turn) admit(a messaging.Act, o *Obligation) error {
	if t.lenient {
		return nil
	}
	if o.Case != "" && !slices.Contains(t.cases, o.Case) {
		return bad(a, BadCase)
	}
	why, err := t.between(a, o)
	if err != nil {
		return err
	}
	if why != "" {
		return bad(a, why)
	}
	return nil
}

// beginLate starts a term whose start is not on record at the first thing its
// obligor says about it, marked as an estimate.
func (t *turn) beginLate(o *Obligation, r *rules.Rule) error {
	if d, ok := deadline(r, o.Urg); ok && o.Start == 0 && !o.Kept {
		return t.begin(o, d, t.ev.At, true)
	}
	return nil
}

// apply changes the duty as the act says and records the step.
func (t *turn) apply(a messaging.Act, r *rules.Rule, o *Obligation) error {
	switch a.Op {
	case messaging.OpAck:
		return t.ack(a, r, o)
	case messaging.OpInterim:
		return t.interim(a, r, o)
	case messaging.OpFulfil:
		return t.fulfil(a, r, o)
	case messaging.OpTransfer:
		return t.transfer(a, o)
	case messaging.OpExtend, messaging.OpSuspend, messaging.OpDispute, messaging.OpWaive, messaging.OpCancel:
		if !giveReason(t.pack, a) {
			return bad(a, BadReason)
		}
		o.Reason = a.Reason
		return t.reasoned(a, r, o)
	}
	return bad(a, BadOp)
}

// reasoned performs the acts that need a reason.
func (t *turn) reasoned(a messaging.Act, r *rules.Rule, o *Obligation) error {
	switch a.Op {
	case messaging.OpExtend:
		return t.extend(a, r, o)
	case messaging.OpSuspend:
		return t.suspend(a, r, o)
	case messaging.OpDispute:
		o.Disputed = true
		o.Answered = t.ev.At
		t.move(a.Op, *o)
	case messaging.OpWaive:
		t.close(a.Op, o, Waived)
	case messaging.OpCancel:
		t.cancel(a, o)
	}
	return nil
}

func giveReason(p *rules.Pack, a messaging.Act) bool {
	return slices.ContainsFunc(p.Reasons, func(r rules.Reason) bool { return r.Code == a.Reason && slices.Contains(r.For, a.Op) })
}

// checkValue refuses a reply value that the pack does not know or the kind does
// not give. A kind that lists its values must give one of them: blank is none.
func (t *turn) checkValue(value string) bool {
	i := slices.IndexFunc(t.pack.Kinds, func(k rules.Kind) bool { return k.Code == t.n.kind })
	if i >= 0 && len(t.pack.Kinds[i].Answers) > 0 {
		return slices.Contains(t.pack.Kinds[i].Answers, value)
	}
	return value == "" || slices.ContainsFunc(t.pack.Values, func(v rules.Named) bool { return v.Code == value })
}
