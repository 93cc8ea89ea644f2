package obligation

import (
	"slices"
)

// Memory is a [Book] in memory, alone or as a layer over another ([Stage]). It
// is not safe for concurrent use. Its JSON form is deterministic and restores
// an equal Memory; a layer's holds only the layer.
type Memory struct {
	base        Book
	obligations map[string]Obligation
	byTrigger   map[[2]string][]string // object, rule → ids
	byCase      map[string][]string    // case → ids
	messages    map[string]Sent
	inCase      map[string][]string // case → messages
	handed      map[[2]string]Handed
	links       map[string][]string // case → cases linked directly
	grants      []Grant
	ended       map[string]bool // grants
}

// NewMemory makes an empty Memory.
func NewMemory() *Memory {
	return &Memory{
		obligations: map[string]Obligation{}, byTrigger: map[[2]string][]string{}, byCase: map[string][]string{},
		messages: map[string]Sent{}, inCase: map[string][]string{}, handed: map[[2]string]Handed{},
		links: map[string][]string{}, ended: map[string]bool{},
	}
}

// Stage makes a Memory that reads through to base and keeps what is recorded to
// itself: for the messages of a set, or a group of writes, before they are
// stored. Base must not change while the stage is used.
func Stage(base Book) *Memory {
	m := NewMemory()
	m.base = base
	return m
}

// Record stores an accepted event and what Advance answered to it.
func (m *Memory) Record(ev Event, ch Changes) {
	for _, o := range ch.Opens {
		m.put(o)
	}
	for _, v := range ch.Moves {
		m.put(v.O)
	}
	if s, ok := SentOf(ev); ok {
		m.send(s)
	}
	for _, h := range HandedOf(ev) {
		m.hand(h)
	}
	if ev.Grant != nil {
		m.grants = append(m.grants, *ev.Grant)
	}
	for _, id := range ev.GrantEnds {
		m.ended[id] = true
	}
	for i := 1; i < len(ev.Link); i++ {
		m.link(ev.Link[0], ev.Link[i])
	}
}

func (m *Memory) put(o Obligation) {
	if old, ok := m.obligations[o.ID]; ok {
		m.byTrigger[triggerKey(&old)] = without(m.byTrigger[triggerKey(&old)], o.ID)
		m.byCase[old.Case] = without(m.byCase[old.Case], o.ID)
	}
	m.obligations[o.ID] = o
	m.byTrigger[triggerKey(&o)] = append(m.byTrigger[triggerKey(&o)], o.ID)
	m.byCase[o.Case] = append(m.byCase[o.Case], o.ID)
}

func triggerKey(o *Obligation) [2]string { return [2]string{o.TriggerObj, o.Rule} }

func without(ids []string, id string) []string {
	return slices.DeleteFunc(ids, func(s string) bool { return s == id })
}

func (m *Memory) send(s Sent) {
	if _, ok := m.messages[s.Obj]; ok {
		return
	}
	m.messages[s.Obj] = s
	m.inCase[s.Case] = append(m.inCase[s.Case], s.Obj)
}

// hand keeps the first handing over. A layer may keep a second: its base has
// the first, and answers before it.
func (m *Memory) hand(h HandedTo) {
	key := [2]string{h.Obj, h.To}
	if _, ok := m.handed[key]; !ok {
		m.handed[key] = h.Handed
	}
}

func (m *Memory) link(a, b string) {
	if a != b && !slices.Contains(m.links[a], b) {
		m.links[a] = append(m.links[a], b)
		m.links[b] = append(m.links[b], a)
	}
}

// All lists every duty, by id: of a layer, those it holds.
func (m *Memory) All() []Obligation {
	list := make([]Obligation, 0, len(m.obligations))
	for _, o := range m.obligations {
		list = append(list, o)
	}
	slices.SortFunc(list, byID)
	return list
}
