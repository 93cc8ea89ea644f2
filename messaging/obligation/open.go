package obligation

import (
	"slices"

	"github.com/odziv/odziv/internal/rules"
)

// open opens every duty that the notice triggers.
func (t *turn) open() error {
	if t.n.answers() {
		return nil
	}
	for i := range t.pack.Rules {
		r := &t.pack.Rules[i]
		if !t.n.triggers(r) || !t.fromType(r) {
			continue
		}
		if err := t.openRule(r); err != nil {
			return err
		}
	}
	if t.lenient {
		t.openListed()
	}
	return nil
}

func (t *turn) fromType(r *rules.Rule) bool {
	return len(r.Trigger.From) == 0 || slices.Contains(r.Trigger.From, t.typeOf(t.n.from))
}

// openRule opens one duty for each pair of an obligor and an obligee, save
// where a notice of the same act has opened it before.
func (t *turn) openRule(r *rules.Rule) error {
	obligors, err := t.parties(r.Obligor)
	if err != nil {
		return err
	}
	obligees, err := t.parties(r.Obligee)
	if err != nil {
		return err
	}
	count := map[[2]string]int{} // two persons may have one representative
	for _, or := range obligors {
		for _, ee := range obligees {
			if or.desk == ee.desk || or.person != "" || t.n.what == WhatReceived && or.desk != t.n.actor {
				continue // nobody owes themselves, nor on another's word that they sent something
			}
			twin, err := t.twin(r, or, ee)
			if err != nil {
				return err
			}
			if twin {
				continue
			}
			pair := [2]string{or.desk, ee.desk}
			o, err := t.fresh(r, or, ee, count[pair])
			if err != nil {
				return err
			}
			count[pair]++
			t.enter(o)
		}
	}
	return nil
}

// twin reports whether an earlier notice of the same act opened this duty. An
// act without a time of its own is never the same.
func (t *turn) twin(r *rules.Rule, or, ee party) (bool, error) {
	if t.n.kind == "" || t.n.occurred == 0 || len(t.cases) == 0 {
		return false, nil
	}
	return t.book.Twin(t.cases, r.Code, or.desk, ee.whom(), t.n.kind, t.n.occurred)
}

// fresh makes a duty and starts its term, if it starts now.
func (t *turn) fresh(r *rules.Rule, or, ee party, n int) (Obligation, error) {
	ev := t.ev
	o := Obligation{
		ID: ID(ev.Idx, r.Code, or.desk, ee.desk, n), Rule: r.Code, Obligor: or.desk, Obligee: ee.desk, Person: ee.person,
		Case: ev.caseID(), Trigger: ev.Idx, TriggerObj: ev.Obj, Kind: t.n.kind, Urg: t.n.urg, N: n, Occurred: t.n.occurred,
		Pack: ev.packID(), OpenedAt: ev.At, State: Open, Since: ev.At, Attested: t.n.attested(),
	}
	d, ok := deadline(r, o.Urg)
	if !ok {
		return o, nil
	}
	if d.Start == rules.StartHandedOver && t.n.what != WhatServed && t.n.what != WhatReceived {
		return o, nil // begins when the trigger is handed over
	}
	start, estimated := t.startOf(d, &o)
	return o, t.begin(&o, d, start, estimated)
}

// startOf is when a term begins. The act's claimed time counts only against the
// one who claims it, and never lies after its receipt.
func (t *turn) startOf(d rules.Deadline, o *Obligation) (start int64, estimated bool) {
	switch d.Start {
	case rules.StartDecided, rules.StartServed, rules.StartEvent:
		if t.n.occurred > 0 && t.n.actor == o.Obligor {
			return min(t.n.occurred, t.ev.At), false
		}
		return t.ev.At, true
	}
	return t.ev.At, false
}

// begin sets the due time of a term that starts.
func (t *turn) begin(o *Obligation, d rules.Deadline, start int64, estimated bool) error {
	cal, err := t.calendar(o.Pack)
	if err != nil {
		return err
	}
	due, _, err := cal.Due(d, start)
	if err != nil {
		return err
	}
	o.Start, o.Estimated, o.Due, o.Cal = start, estimated, due, cal.Hash()
	return nil
}

// deadline is the first of a rule's terms that fits the urgency.
func deadline(r *rules.Rule, urg string) (rules.Deadline, bool) {
	for _, d := range r.Due {
		if d.Urgency == "" || d.Urgency == urg {
			return d, true
		}
	}
	return rules.Deadline{}, false
}

// party is one who owes or is owed: a desk, and the person it stands for. A
// person without a representative stands in both.
type party struct{ desk, person string }

func (p party) whom() string {
	if p.person != "" {
		return p.person
	}
	return p.desk
}

// parties resolves a party of a rule, each once, in a fixed order.
func (t *turn) parties(p rules.Party) ([]party, error) {
	var list []party
	add := func(desks ...string) {
		for _, d := range desks {
			if d != "" && !isPerson(d) && !slices.Contains(list, party{desk: d}) && t.narrowed(p, d) {
				list = append(list, party{desk: d})
			}
		}
	}
	switch p.Who {
	case rules.WhoSender:
		add(t.n.from)
	case rules.WhoRecipient:
		add(t.n.to...)
	case rules.WhoFunction:
		if desk, ok := t.world.Function(t.ev.DirN, p.Type, p.Fn, t.near(p.Type)); ok {
			add(desk)
		}
	case rules.WhoFiled:
		filed, err := t.filed(p.Kind)
		if err != nil {
			return nil, err
		}
		add(filed...)
	case rules.WhoPerson:
		return t.persons()
	case rules.WhoRemoved:
		if t.n.change != nil {
			add(t.n.change.Removed...)
		}
	case rules.WhoRecorder:
		desk, err := t.recorder()
		if err != nil {
			return nil, err
		}
		add(desk)
	}
	return list, nil
}

// narrowed applies a party's lists of types.
func (t *turn) narrowed(p rules.Party, desk string) bool {
	if len(p.Types) == 0 && len(p.Not) == 0 {
		return true
	}
	typ := t.typeOf(desk)
	return (len(p.Types) == 0 || slices.Contains(p.Types, typ)) && !slices.Contains(p.Not, typ)
}

// near is the desk of a type that took part in the trigger.
func (t *turn) near(typ string) string {
	for _, desk := range append([]string{t.n.from}, t.n.to...) {
		if desk != "" && !isPerson(desk) && t.typeOf(desk) == typ {
			return desk
		}
	}
	return ""
}

func (t *turn) filed(kind string) ([]string, error) {
	if len(t.cases) == 0 {
		return nil, nil
	}
	desks, err := t.book.Filed(t.cases, kind)
	return sorted(desks), err
}

// persons are the persons concerned, each as the desk that represents them.
func (t *turn) persons() ([]party, error) {
	var list []party
	for _, p := range sorted(t.n.subj) {
		desks, err := t.representatives(t.cases, p)
		if err != nil {
			return nil, err
		}
		desk := p
		if len(desks) > 0 {
			desk = desks[0]
		}
		list = append(list, party{desk: desk, person: p})
	}
	return list, nil
}

// recorder is who confirms a change of consent to the person: their
// representative, else the desk that recorded it.
func (t *turn) recorder() (string, error) {
	if t.n.change == nil {
		return "", nil
	}
	desks, err := t.representatives(t.cases, t.n.change.Subj)
	if err != nil || len(desks) > 0 {
		return first(desks), err
	}
	return t.n.change.Recorder, nil
}

// representatives are the desks that stand for a person now, in the order of
// their grants.
func (t *turn) representatives(cases []string, subj string) ([]string, error) {
	if len(cases) == 0 {
		return nil, nil
	}
	grants, err := t.book.Grants(cases, subj)
	if err != nil {
		return nil, err
	}
	var desks []string
	for _, g := range grants {
		if g.covers(t.ev.At) && !slices.Contains(desks, g.Desk) {
			desks = append(desks, g.Desk)
		}
	}
	return desks, nil
}

// covers reports whether a grant is in force and lets its desk stand as obligee.
func (g *Grant) covers(at int64) bool {
	return slices.Contains(g.Scope, ScopeDuties) && g.NB <= at && at < g.NA
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
