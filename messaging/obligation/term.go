package obligation

import (
	"slices"
	"strings"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
)

// Why a due time is not the rule's own.
const (
	DueExtended  = "extended"
	DueSuspended = "suspended"
)

// extend moves the due time, as the obligee agrees. Nothing that is late
// already, and no term of the law, is extended.
func (t *turn) extend(a messaging.Act, r *rules.Rule, o *Obligation) error {
	switch {
	case r.Statutory:
		return bad(a, BadStatutory)
	case o.passed(t.ev.At):
		return bad(a, BadLate)
	case o.Due == 0 || a.Due <= o.Due || a.Due > lastInstant:
		return bad(a, BadExtend)
	}
	if o.State == Suspended {
		o.State, o.Since = o.Prior, t.ev.At
		o.clearSuspension()
	}
	o.Due, o.DueBy = a.Due, DueExtended
	t.move(a.Op, *o)
	return nil
}

// lastInstant bounds due times that an act names: the end of LastDate, UTC.
const lastInstant = int64(LastDate+1) * dayMillis

// suspend stops the clock until a time or until the obligee replies, whichever
// comes first. The due time moves by as long as that.
func (t *turn) suspend(a messaging.Act, r *rules.Rule, o *Obligation) error {
	switch {
	case r.Statutory:
		return bad(a, BadStatutory)
	case o.passed(t.ev.At):
		return bad(a, BadLate)
	case o.Due == 0 || a.Until <= t.ev.At || a.Until > lastInstant-(o.Due-t.ev.At) || o.State == Suspended:
		return bad(a, BadUntil)
	}
	cal, err := t.calendar(o.Pack)
	if err != nil {
		return err
	}
	o.Prior, o.State, o.Since = o.State, Suspended, t.ev.At
	o.Suspended, o.SuspendedAt, o.SuspendedBy, o.SuspendedDue = a.Until, t.ev.At, t.ev.Obj, o.Due
	o.Due, o.DueBy = cal.later(o.Due, a.Until-t.ev.At), DueSuspended
	o.Answered = t.ev.At
	t.move(a.Op, *o)
	return nil
}

// later moves a due time by ms. One that ends a day still ends a day.
func (c *Calendar) later(due, ms int64) int64 {
	moved := due + ms
	if c.Begin(c.DateOf(due)) != due {
		return moved
	}
	if d := c.DateOf(moved); c.Begin(d) < moved {
		return c.Begin(d + 1)
	}
	return moved
}

// unsuspend ends a suspension early: the due time moves by what it lasted.
func (t *turn) unsuspend(o *Obligation, at int64) error {
	cal, err := t.calendar(o.Pack)
	if err != nil {
		return err
	}
	o.Due = cal.later(o.SuspendedDue, at-o.SuspendedAt)
	o.State, o.Since = o.Prior, at
	o.clearSuspension()
	return nil
}

// lapse ends a suspension whose time is over.
func (o *Obligation) lapse(at int64) {
	if o.State == Suspended && at >= o.Suspended {
		o.State, o.Since = o.Prior, o.Suspended
		o.clearSuspension()
	}
}

func (o *Obligation) clearSuspension() {
	o.Prior, o.Suspended, o.SuspendedAt, o.SuspendedBy, o.SuspendedDue = "", 0, 0, "", 0
}

// resume ends suspensions that waited for this reply.
func (t *turn) resume() error {
	if t.n.re == "" {
		return nil
	}
	live, err := t.live(t.cases)
	if err != nil {
		return err
	}
	for _, o := range live {
		if o.State != Suspended || o.SuspendedBy != t.n.re || t.ev.At >= o.Suspended || !slices.Contains(t.n.to, o.Obligor) {
			continue
		}
		awaited, err := t.standsFor(&o, t.n.actor)
		if err != nil {
			return err
		}
		if !awaited {
			continue
		}
		if err := t.unsuspend(&o, t.ev.At); err != nil {
			return err
		}
		t.move(OpResume, o)
	}
	return nil
}

// transfer announces that another desk owes it. It takes effect when that desk
// was handed the forward: this message or another of its set.
func (t *turn) transfer(a messaging.Act, o *Obligation) error {
	switch {
	case !strings.HasPrefix(a.To, statement.Desk+"_") || a.To == o.Obligor || a.To == o.Obligee || o.Kept:
		return bad(a, BadTo)
	case t.n.set == "" && !slices.Contains(t.n.to, a.To):
		return bad(a, BadForward)
	}
	o.Transfer = &Transfer{To: a.To, Msg: t.ev.Obj, Set: t.n.set}
	o.Answered = t.ev.At
	t.move(a.Op, *o)
	return nil
}
