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
// history it must open exactly what the event's leaf lists (ErrDiffers).
//
// With holes, openings before it were erased, and what they said is unknown:
// acts on unknown duties are passed over, and of the duties derived only those
// count that the leaf lists, because an erased notice may have opened the others
// before. obligation.kept restores what was lost.
func Replay(book Book, world World, ev Event, holes bool) (Changes, error) {
	ch, err := advance(book, world, ev, holes)
	if err != nil || ev.Opens == nil {
		return ch, err
	}
	if holes {
		return ch.only(ev.Opens), nil
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
