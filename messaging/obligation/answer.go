package obligation

import (
	"slices"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/messaging"
)

// ack says that the obligor has the duty. It stops no clock, and answers only
// the rule that opening answers.
func (t *turn) ack(a messaging.Act, r *rules.Rule, o *Obligation) error {
	if r.FulfilOn == rules.OnOpened {
		return t.meet(a.Op, r, o, Submission{Obj: t.ev.Obj, Idx: t.ev.Idx, At: t.ev.At, Att: t.n.attested()})
	}
	switch {
	case o.State == Open:
		o.State, o.Since = Acknowledged, t.ev.At
	case o.State == Suspended && o.Prior == Open:
		o.Prior = Acknowledged
	}
	t.move(a.Op, *o)
	return nil
}

// interim is a reply that does not answer. It moves no due time.
func (t *turn) interim(a messaging.Act, r *rules.Rule, o *Obligation) error {
	switch {
	case !slices.Contains(r.Interim, t.n.kind):
		return bad(a, BadKind)
	case o.Interims >= r.MaxInter:
		return bad(a, BadCount)
	case !t.checkValue(a.Value):
		return bad(a, BadValue)
	}
	o.Interims++
	o.Answered = t.ev.At
	t.progress(o)
	t.move(a.Op, *o)
	return nil
}

// progress marks that the obligor is at it.
func (t *turn) progress(o *Obligation) {
	switch o.State {
	case Open, Acknowledged:
		o.State, o.Since = InProgress, t.ev.At
	case Suspended:
		o.Prior = InProgress
	}
}

// fulfil answers. It meets the duty at once, except where the rule wants the
// answer handed over: then it waits, and its own time decides whether it was
// late.
func (t *turn) fulfil(a messaging.Act, r *rules.Rule, o *Obligation) error {
	switch {
	case !slices.Contains(r.Fulfilled, t.n.kind):
		return bad(a, BadKind)
	case !t.checkValue(a.Value):
		return bad(a, BadValue)
	case len(o.Sent) >= maxSent:
		return bad(a, BadCount)
	}
	to, err := t.reached(o, true)
	if err != nil {
		return err
	}
	if len(to) == 0 { // over holes: who stood for the obligee is erased
		to = t.n.to
	}
	if o.State == Suspended {
		if err := t.unsuspend(o, t.ev.At); err != nil {
			return err
		}
	}
	s := Submission{Obj: t.ev.Obj, Idx: t.ev.Idx, At: t.ev.At, To: sorted(to), Value: a.Value, Att: t.n.attested()}
	o.Answered = t.ev.At
	if r.FulfilOn != rules.OnHandedOver || o.Case == "" {
		return t.meet(a.Op, r, o, s)
	}
	o.Sent = append(slices.Clone(o.Sent), s)
	t.progress(o)
	t.move(a.Op, *o)
	return nil
}

// meet makes a duty fulfilled, in time or late, and opens the next occurrence
// of a periodic one.
func (t *turn) meet(op string, r *rules.Rule, o *Obligation, s Submission) error {
	if o.State == Suspended {
		if err := t.unsuspend(o, t.ev.At); err != nil {
			return err
		}
	}
	o.State, o.Since, o.Sent, o.Prior = Fulfilled, t.ev.At, nil, ""
	if o.passed(s.At) {
		o.State, o.Late = FulfilledLate, true
	}
	o.MetAt, o.MetBy, o.MetObj, o.Value = s.At, s.Idx, s.Obj, s.Value
	o.Attested = o.Attested || s.Att
	o.Transfer = nil
	t.move(op, *o)
	return t.next(r, o)
}

// passed reports whether a time is too late for the duty. The due time itself
// is the first instant that is.
func (o *Obligation) passed(at int64) bool { return o.Due > 0 && at >= o.Due }

// submitted reports whether an answer that waits to be handed over was given in
// time.
func (o *Obligation) submitted() bool {
	return slices.ContainsFunc(o.Sent, func(s Submission) bool { return !o.passed(s.At) })
}

// next opens the occurrence after one that was met, unless the notice that met
// it ends the period. What a kept record is left of has no further occurrence.
func (t *turn) next(r *rules.Rule, o *Obligation) error {
	if r.Every == nil || o.Kept || slices.Contains(r.EndsWith, t.n.kind) {
		return nil
	}
	next := Obligation{
		Rule: o.Rule, Obligor: o.Obligor, Obligee: o.Obligee, Person: o.Person, Case: o.Case, Trigger: o.Trigger,
		TriggerObj: o.TriggerObj, Kind: o.Kind, Urg: o.Urg, Occurred: o.Occurred, Pack: o.Pack, OpenedAt: t.ev.At,
		State: Open, Since: t.ev.At, Attested: t.n.attested(), Repeats: true,
	}
	if o.Person != "" {
		desks, err := t.representativesOf(o)
		if err != nil {
			return err
		}
		next.Obligee = o.Person
		if len(desks) > 0 {
			next.Obligee = desks[0]
		}
	}
	if err := t.number(&next, o.N+1); err != nil {
		return err
	}
	d, _ := deadline(r, o.Urg)
	d.Term, d.Start = *r.Every, rules.StartEvent
	if err := t.begin(&next, d, t.ev.At, false); err != nil {
		return err
	}
	t.enter(next)
	return nil
}

// number gives a duty the first free occurrence from n on, and its id.
func (t *turn) number(o *Obligation, n int) error {
	for ; ; n++ {
		id := ID(o.Trigger, o.Rule, o.Obligor, o.Obligee, n)
		_, taken, err := t.get(id)
		if err != nil {
			return err
		}
		if !taken {
			o.N, o.ID = n, id
			return nil
		}
	}
}

func (t *turn) representativesOf(o *Obligation) ([]string, error) {
	linked, err := t.book.Linked(o.Case)
	if err != nil {
		return nil, err
	}
	return t.representatives(linked, o.Person)
}
