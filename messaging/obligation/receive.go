package obligation

import (
	"slices"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/messaging"
)

// checkAttested refuses an attestation that proves nothing: by a channel the
// pack does not know, or of a service the desk had no part in.
func (t *turn) checkAttested() error {
	a := t.ev.Attested
	if a == nil || t.lenient {
		return nil
	}
	i := slices.IndexFunc(t.pack.Letters, func(l rules.Letter) bool { return l.Channel == a.Channel })
	if i < 0 || a.What == WhatServed && !t.pack.Letters[i].Serves {
		return &ActError{Reason: BadChannel, Target: a.Channel}
	}
	if !slices.Contains([]string{WhatSent, WhatServed, WhatReceived, WhatAttempt}, a.What) {
		return &ActError{Reason: BadWhat, Target: a.What}
	}
	if own := a.From == "" || a.From == t.ev.Desk; own == (a.What == WhatReceived) {
		return &ActError{Reason: BadWhat, Target: a.What} // each attests what it sent, or what another sent it
	}
	if a.Of == "" {
		return nil
	}
	sent, ok, err := t.book.Message(a.Of)
	if err != nil {
		return err
	}
	if !ok || sent.From != t.ev.Desk && !slices.Contains(sent.To, t.ev.Desk) {
		return &ActError{Reason: BadService, Target: a.Of}
	}
	return nil
}

// opened answers the rule that opening answers.
func (t *turn) opened() error {
	if t.ev.Ev != EvDecrypted || t.ev.Receipt == nil {
		return nil
	}
	sent, ok, err := t.book.Message(t.ev.Receipt.Msg)
	if err != nil || !ok {
		return err
	}
	pack, ok := t.world.Pack(sent.Pack)
	if !ok {
		return nil
	}
	for i := range pack.Rules {
		if pack.Rules[i].FulfilOn != rules.OnOpened {
			continue
		}
		if err := t.openedRule(&pack.Rules[i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *turn) openedRule(r *rules.Rule) error {
	list, err := t.openedBy(t.ev.Receipt.Msg, r.Code)
	if err != nil {
		return err
	}
	for _, o := range list {
		if o.State.Final() || o.Obligor != t.ev.Receipt.Desk {
			continue
		}
		o.lapse(t.ev.At)
		if err := t.beginLate(&o, r); err != nil {
			return err
		}
		if err := t.meet(messaging.OpFulfil, r, &o, Submission{Obj: t.ev.Obj, Idx: t.ev.Idx, At: t.ev.At}); err != nil {
			return err
		}
	}
	return nil
}

// handedOver completes what waited for a handing over: terms start, answers
// count, forwards carry their duty along. Only the first of an object to a
// party does.
func (t *turn) handedOver() error {
	for _, h := range HandedOf(*t.ev) {
		if _, before, err := t.book.HandedOver(h.Obj, h.To); err != nil {
			return err
		} else if before {
			continue
		}
		sent, ok, err := t.sent(h.Obj)
		if err != nil {
			return err
		}
		if !ok || !slices.Contains(sent.To, h.To) {
			continue
		}
		if err := t.reachedBy(h, sent); err != nil {
			return err
		}
	}
	return nil
}

// sent is a message of the book, or the attestation of this very event.
func (t *turn) sent(obj string) (Sent, bool, error) {
	if own, ok := SentOf(*t.ev); ok && own.Obj == obj {
		return own, true, nil
	}
	return t.book.Message(obj)
}

func (t *turn) reachedBy(h HandedTo, sent Sent) error {
	list, err := t.waiting(sent)
	if err != nil {
		return err
	}
	for _, o := range list {
		r, err := t.rule(&o)
		if err != nil {
			return err
		}
		o.lapse(t.ev.At)
		if err := t.arrive(r, &o, h, sent); err != nil {
			return err
		}
	}
	return nil
}

// waiting are the duties that a handing over of this message may concern.
func (t *turn) waiting(sent Sent) ([]Obligation, error) {
	if sent.Case != "" {
		linked, err := t.book.Linked(sent.Case)
		if err != nil {
			return nil, err
		}
		return t.live(sorted(linked))
	}
	pack, ok := t.world.Pack(sent.Pack)
	if !ok {
		return nil, nil
	}
	var list []Obligation
	for i := range pack.Rules {
		opened, err := t.openedBy(sent.Obj, pack.Rules[i].Code)
		if err != nil {
			return nil, err
		}
		for _, o := range opened {
			if !o.State.Final() {
				list = append(list, o)
			}
		}
	}
	return list, nil
}

// arrive does what one handing over means for one duty.
func (t *turn) arrive(r *rules.Rule, o *Obligation, h HandedTo, sent Sent) error {
	d, ok := deadline(r, o.Urg)
	if o.Start == 0 && ok && d.Start == rules.StartHandedOver && o.TriggerObj == sent.Obj && t.starts(o, h.To, sent) {
		if err := t.begin(o, d, t.ev.At, false); err != nil {
			return err
		}
		t.move(OpStart, *o)
		return nil
	}
	for _, s := range o.Sent {
		if s.Obj == sent.Obj && slices.Contains(s.To, h.To) {
			o.HandedOver, o.Served = t.ev.At, h.Served
			return t.meet(OpHandedOver, r, o, o.posted(s, h))
		}
	}
	if x := o.Transfer; x != nil && x.To == h.To && (x.Msg == sent.Obj || x.Set != "" && x.Set == sent.Set) {
		return t.carry(r, o)
	}
	return nil
}

// posted is the submission that a handing over completes. A proof of service
// speaks for every attested letter to that party, so the first of them counts:
// it was sent in time if that one was.
func (o *Obligation) posted(s Submission, h HandedTo) Submission {
	s.Att = s.Att || h.Served > 0
	if h.Served == 0 {
		return s
	}
	for _, earlier := range o.Sent {
		if earlier.Att && slices.Contains(earlier.To, h.To) {
			return earlier
		}
	}
	return s
}

// starts reports whether a term begins with the handing over to this desk: the
// obligor's own, if it was a recipient, else the obligee's, else anyone's.
func (t *turn) starts(o *Obligation, to string, sent Sent) bool {
	for _, who := range []string{o.Obligor, o.Obligee} {
		if slices.Contains(sent.To, who) {
			return to == who
		}
	}
	return true
}

// carry moves a duty to the desk that was handed the forward, with the same due
// time: nobody's term starts anew. If that desk owes it already, nothing opens.
func (t *turn) carry(r *rules.Rule, o *Obligation) error {
	if o.State == Suspended {
		if err := t.unsuspend(o, t.ev.At); err != nil {
			return err
		}
	}
	x := *o.Transfer
	taken := Obligation{
		Rule: o.Rule, Obligor: x.To, Obligee: o.Obligee, Person: o.Person, Case: o.Case, Trigger: o.Trigger,
		TriggerObj: o.TriggerObj, Kind: o.Kind, Urg: o.Urg, Occurred: o.Occurred, Pack: o.Pack, Cal: o.Cal,
		OpenedAt: t.ev.At, Start: o.Start, Estimated: o.Estimated, Due: o.Due, DueBy: o.DueBy,
		State: Open, Since: t.ev.At, From: o.ID, Attested: o.Attested, Repeats: o.Repeats,
	}
	owed, err := t.owedAlready(&taken)
	if err != nil {
		return err
	}
	if owed != "" {
		x.ID = owed
	} else {
		if err := t.number(&taken, o.N); err != nil {
			return err
		}
		if err := t.beginLate(&taken, r); err != nil {
			return err
		}
		x.ID = taken.ID
	}
	o.Transfer = &x
	t.close(messaging.OpTransfer, o, Transferred)
	if owed == "" {
		t.enter(taken)
	}
	return nil
}

// owedAlready is the live duty of the same trigger that the new obligor has
// towards the same obligee.
func (t *turn) owedAlready(o *Obligation) (string, error) {
	list, err := t.openedBy(o.TriggerObj, o.Rule)
	if err != nil {
		return "", err
	}
	for _, other := range list {
		if other.Obligor == o.Obligor && other.Whom() == o.Whom() && !other.State.Final() {
			return other.ID, nil
		}
	}
	return "", nil
}
