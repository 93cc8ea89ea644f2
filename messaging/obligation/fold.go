package obligation

import (
	"errors"
	"fmt"
	"slices"
)

// ErrDiffers says that an event opened other duties than its leaf lists: the
// ledger's server, or this program, does not follow the rules.
var ErrDiffers = errors.New("duties differ from those the leaf lists")

// Fold derives all duties from a complete history, in the order of the ledger.
func Fold(events []Event, world World) (*Memory, error) {
	m := NewMemory()
	for _, ev := range events {
		ch, err := Advance(m, world, ev)
		if err != nil {
			return nil, fmt.Errorf("obligation: fold: event %d: %w", ev.Idx, err)
		}
		m.Record(ev, ch)
	}
	return m, nil
}

// Replay is [Advance] for an event that the ledger holds already. Of a complete
// history it must open exactly what the event's leaf lists in Opens (ErrDiffers).
//
// With holes, openings before it were erased, and what they said is unknown.
// Then the leaf decides: acts on unknown duties are passed over; a duty that is
// derived but not listed is dropped (an erased notice of the same act opened it
// before); one that is listed but not derived is restored from Listed, and a
// state from Moved. obligation.kept overrides all.
func Replay(book Book, world World, ev Event, holes bool) (Changes, error) {
	ch, err := advance(book, world, ev, holes)
	if err != nil {
		return Changes{}, err
	}
	if holes {
		return ch.reconciled(book, &ev)
	}
	if !slices.Equal(sorted(ev.Opens), ch.opened()) {
		return Changes{}, fmt.Errorf("obligation: event %d: %w", ev.Idx, ErrDiffers)
	}
	return ch, nil
}

// opened lists the ids of the duties opened, sorted.
func (ch *Changes) opened() []string {
	ids := make([]string, 0, len(ch.Opens))
	for _, o := range ch.Opens {
		ids = append(ids, o.ID)
	}
	slices.Sort(ids)
	return ids
}

// openListed makes the duties that a notice opens those which its leaf lists.
func (t *turn) openListed() {
	t.changes = t.changes.only(t.ev.Opens)
	listed := map[string]bool{}
	for _, o := range t.changes.Opens {
		listed[o.ID] = true
	}
	for id := range t.now {
		if !listed[id] {
			delete(t.now, id)
		}
	}
	for _, l := range t.ev.Listed {
		if !listed[l.O] && l.O == ID(t.ev.Idx, l.Rule, l.Obligor, l.Obligee, l.N) {
			t.enter(t.restored(l))
		}
	}
}

// restored is a duty of this notice as far as its leaf tells of it.
func (t *turn) restored(l Listed) Obligation {
	o := Obligation{ID: l.O, Rule: l.Rule, Obligor: l.Obligor, Obligee: l.Obligee, Case: t.ev.caseID(), Trigger: t.ev.Idx,
		TriggerObj: t.ev.Obj, Kind: t.n.kind, Urg: t.n.urg, N: l.N, Occurred: t.n.occurred, Pack: t.ev.packID(),
		OpenedAt: t.ev.At, Due: l.Due, State: Open, Since: t.ev.At, Attested: t.n.attested()}
	if l.Due > 0 {
		o.Start, o.Estimated = t.ev.At, true
	}
	if isPerson(l.Obligee) {
		o.Person = l.Obligee
	}
	return o
}

// only drops duties that are not listed, and their moves in the same event.
func (ch Changes) only(ids []string) Changes {
	dropped := map[string]bool{}
	for _, id := range ch.opened() {
		dropped[id] = !slices.Contains(ids, id)
	}
	ch.Opens = slices.DeleteFunc(ch.Opens, func(o Obligation) bool { return dropped[o.ID] })
	ch.Moves = slices.DeleteFunc(ch.Moves, func(v Move) bool { return dropped[v.O.ID] })
	return ch
}

// reconciled makes an event over holes do what its leaf says it did.
func (ch Changes) reconciled(book Book, ev *Event) (Changes, error) {
	ch = ch.only(ev.Opens)
	have := ch.opened()
	for _, l := range ev.Listed { // the further course of duties whose beginning is erased
		if _, found := slices.BinarySearch(have, l.O); !found {
			k := Kept{At: ev.At, Due: l.Due, O: l.O, Obligee: l.Obligee, Obligor: l.Obligor, Pack: ev.packID(), Rule: l.Rule, State: Open}
			ch.Opens = append(ch.Opens, k.obligation())
		}
	}
	for i, m := range ev.Moved {
		if slices.ContainsFunc(ev.Moved[i+1:], func(later Moved) bool { return later.O == m.O }) {
			continue // a step on the way
		}
		o, ok, err := ch.latest(book, m.O)
		if err != nil {
			return Changes{}, err
		}
		if ok && o.State != m.State && !o.State.Final() {
			o.force(m.State, ev)
			ch.Moves = append(ch.Moves, Move{m.Op, o})
		}
	}
	return ch, nil
}

// latest is a duty as the changes leave it.
func (ch *Changes) latest(book Book, id string) (Obligation, bool, error) {
	for i := len(ch.Moves) - 1; i >= 0; i-- {
		if ch.Moves[i].O.ID == id {
			return ch.Moves[i].O, true, nil
		}
	}
	for _, o := range ch.Opens {
		if o.ID == id {
			return o, true, nil
		}
	}
	return book.Obligation(id)
}

// force puts a duty into the state that a leaf says it had.
func (o *Obligation) force(s State, ev *Event) {
	if s == Suspended { // until when is not on record
		s = InProgress
	}
	o.clearSuspension()
	switch s {
	case Fulfilled, FulfilledLate:
		o.MetAt, o.MetBy, o.MetObj = ev.At, ev.Idx, ev.Obj
		o.Late = o.Late || s == FulfilledLate
	case Waived, Cancelled, Ended, Transferred:
		o.Late = o.Late || o.passed(ev.At) && !o.submitted()
	}
	o.State, o.Since = s, ev.At
}
