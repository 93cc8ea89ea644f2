package obligation

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/odziv/odziv/internal/rules"
)

// Advance tells what one accepted event does to duties, given what the events
// before it left. It changes nothing; the caller records the answer. A message
// whose acts are not admissible is an *ActError; other errors are the book's or
// a broken pack's.
//
// Within one event duties are opened first, then the acts are performed in their
// order, then suspensions resume and periods end: a message may fulfil what it
// opens, and a last answer counts before it ends the series.
func Advance(book Book, world World, ev Event) (Changes, error) {
	return advance(book, world, ev, false)
}

func advance(book Book, world World, ev Event, lenient bool) (Changes, error) {
	t := &turn{book: book, world: world, ev: &ev, n: noticeOf(&ev), lenient: lenient, now: map[string]Obligation{}}
	if err := t.run(); err != nil {
		var refused *ActError
		if errors.As(err, &refused) {
			return Changes{}, err
		}
		return Changes{}, fmt.Errorf("obligation: event %d: %w", ev.Idx, err)
	}
	return t.changes, nil
}

// turn is the work on one event. Duties are read through it, so that a later
// step sees what an earlier one did.
type turn struct {
	book    Book
	world   World
	ev      *Event
	n       *notice
	pack    *rules.Pack // in force
	cases   []string    // linked with the event's
	lenient bool        // skip acts that are not admissible
	now     map[string]Obligation
	changes Changes
}

func (t *turn) run() error {
	if t.ev.Kept != nil {
		t.move(OpKeep, t.ev.Kept.obligation())
		return nil
	}
	if c := t.ev.caseID(); c != "" {
		linked, err := t.book.Linked(c)
		if err != nil {
			return err
		}
		t.cases = sorted(linked)
	}
	for _, step := range []func() error{t.notice, t.opened, t.handedOver, t.blocked} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// notice opens and moves duties as a message, an attestation or an event of the
// ledger asks for.
func (t *turn) notice() error {
	if t.ev.packID() == "" && t.ev.Core == nil && t.ev.Attested == nil {
		return nil // nothing a rule could read
	}
	pack, ok := t.world.Pack(t.ev.packID())
	if !ok {
		return fmt.Errorf("rule pack %.40q is not known", t.ev.packID())
	}
	t.pack = pack
	if err := t.checkAttested(); err != nil {
		return err
	}
	for _, step := range []func() error{t.open, t.act, t.resume, t.end} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// move records a step of a duty.
func (t *turn) move(op string, o Obligation) {
	t.now[o.ID] = o
	t.changes.Moves = append(t.changes.Moves, Move{op, o})
}

// enter records a new duty.
func (t *turn) enter(o Obligation) {
	t.now[o.ID] = o
	t.changes.Opens = append(t.changes.Opens, o)
}

// get is a duty as the steps so far leave it.
func (t *turn) get(id string) (Obligation, bool, error) {
	if o, ok := t.now[id]; ok {
		return o, true, nil
	}
	return t.book.Obligation(id)
}

// openedBy lists what a message or statement opened under a rule, by id.
func (t *turn) openedBy(obj, rule string) ([]Obligation, error) {
	stored, err := t.book.Opened(obj, rule)
	if err != nil {
		return nil, err
	}
	return t.merge(stored, func(o *Obligation) bool { return o.TriggerObj == obj && o.Rule == rule }), nil
}

// live lists the duties of cases that are not final, by id. A duty without a
// case is found by its trigger only.
func (t *turn) live(cases []string) ([]Obligation, error) {
	if len(cases) == 0 {
		return nil, nil
	}
	stored, err := t.book.Live(cases)
	if err != nil {
		return nil, err
	}
	return t.merge(stored, func(o *Obligation) bool { return !o.State.Final() && slices.Contains(cases, o.Case) }), nil
}

// merge lays what this event did over what the book holds.
func (t *turn) merge(stored []Obligation, fits func(*Obligation) bool) []Obligation {
	byID := map[string]Obligation{}
	for _, o := range stored {
		byID[o.ID] = o
	}
	for id, o := range t.now {
		byID[id] = o
	}
	list := make([]Obligation, 0, len(byID))
	for _, o := range byID {
		if fits(&o) {
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(a, b Obligation) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// rule is the rule of a duty, in the pack of its trigger.
func (t *turn) rule(o *Obligation) (*rules.Rule, error) {
	pack, ok := t.world.Pack(o.Pack)
	if !ok {
		return nil, fmt.Errorf("rule pack %.40q of %s is not known", o.Pack, o.ID)
	}
	r := ruleOf(pack, o.Rule)
	if r == nil {
		return nil, fmt.Errorf("rule pack %.40q has no rule %.40q", o.Pack, o.Rule)
	}
	return r, nil
}

// ruleOf finds a rule by its code; of several entries (one per event that opens
// it) the first, which has the same terms.
func ruleOf(p *rules.Pack, code string) *rules.Rule {
	if p == nil {
		return nil
	}
	i := slices.IndexFunc(p.Rules, func(r rules.Rule) bool { return r.Code == code })
	if i < 0 {
		return nil
	}
	return &p.Rules[i]
}

func (t *turn) calendar(packID string) (*Calendar, error) {
	if cal := t.world.Calendar(packID, t.ev.DirN); cal != nil {
		return cal, nil
	}
	return nil, fmt.Errorf("no calendar for rule pack %.40q", packID)
}

// typeOf is the institution type of a desk.
func (t *turn) typeOf(desk string) string {
	if typ := t.world.TypeOf(t.ev.DirN, desk); typ != "" || desk != t.ev.Desk {
		return typ
	}
	return t.ev.Type
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
