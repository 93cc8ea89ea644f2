package obligation

import "slices"

// Obligation implements [Book].
func (m *Memory) Obligation(id string) (Obligation, bool, error) {
	if o, ok := m.obligations[id]; ok || m.base == nil {
		return o, ok, nil
	}
	return m.base.Obligation(id)
}

// Opened implements [Book].
func (m *Memory) Opened(obj, rule string) ([]Obligation, error) {
	var below []Obligation
	if m.base != nil {
		var err error
		if below, err = m.base.Opened(obj, rule); err != nil {
			return nil, err
		}
	}
	return m.over(below, m.byTrigger[[2]string{obj, rule}], func(*Obligation) bool { return true }), nil
}

// Live implements [Book].
func (m *Memory) Live(cases []string) ([]Obligation, error) {
	var below []Obligation
	if m.base != nil {
		var err error
		if below, err = m.base.Live(cases); err != nil {
			return nil, err
		}
	}
	var ids []string
	for _, c := range cases {
		ids = append(ids, m.byCase[c]...)
	}
	return m.over(below, ids, func(o *Obligation) bool { return !o.State.Final() }), nil
}

// over lays the duties of this layer over those of its base.
func (m *Memory) over(below []Obligation, ids []string, fits func(*Obligation) bool) []Obligation {
	var list []Obligation
	for _, o := range below {
		if _, newer := m.obligations[o.ID]; !newer {
			list = append(list, o)
		}
	}
	for _, id := range ids {
		if o := m.obligations[id]; fits(&o) {
			list = append(list, o)
		}
	}
	slices.SortFunc(list, byID)
	return slices.CompactFunc(list, func(a, b Obligation) bool { return a.ID == b.ID })
}

// Twin implements [Book].
func (m *Memory) Twin(cases []string, rule, obligor, whom, kind string, occurred int64) (bool, error) {
	for _, c := range cases {
		for _, id := range m.byCase[c] {
			o := m.obligations[id]
			if o.Rule == rule && o.Obligor == obligor && o.Whom() == whom && o.Kind == kind && o.Occurred == occurred {
				return true, nil
			}
		}
	}
	if m.base == nil {
		return false, nil
	}
	return m.base.Twin(cases, rule, obligor, whom, kind, occurred)
}

// Linked implements [Book]. Handles linked in this layer join what the base
// knows of each of them.
func (m *Memory) Linked(caseID string) ([]string, error) {
	seen := map[string]bool{caseID: true}
	queue := []string{caseID}
	for len(queue) > 0 {
		c := queue[0]
		queue = queue[1:]
		next := m.links[c]
		if m.base != nil {
			below, err := m.base.Linked(c)
			if err != nil {
				return nil, err
			}
			next = append(slices.Clone(next), below...)
		}
		for _, n := range next {
			if !seen[n] {
				seen[n] = true
				queue = append(queue, n)
			}
		}
	}
	list := make([]string, 0, len(seen))
	for c := range seen {
		list = append(list, c)
	}
	return sorted(list), nil
}

// Filed implements [Book].
func (m *Memory) Filed(cases []string, kind string) ([]string, error) {
	var desks []string
	if m.base != nil {
		below, err := m.base.Filed(cases, kind)
		if err != nil {
			return nil, err
		}
		desks = slices.Clone(below)
	}
	for _, c := range cases {
		for _, obj := range m.inCase[c] {
			if s := m.messages[obj]; s.Kind == kind {
				desks = append(desks, s.From)
			}
		}
	}
	return sorted(desks), nil
}

// Grants implements [Book].
func (m *Memory) Grants(cases []string, subj string) ([]Grant, error) {
	var list []Grant
	if m.base != nil {
		below, err := m.base.Grants(cases, subj)
		if err != nil {
			return nil, err
		}
		list = slices.Clone(below)
	}
	for _, g := range m.grants {
		if slices.Contains(cases, g.Case) && slices.Contains(g.Subj, subj) {
			list = append(list, g)
		}
	}
	return slices.DeleteFunc(list, func(g Grant) bool { return m.ended[g.ID] }), nil
}

// Message implements [Book].
func (m *Memory) Message(obj string) (Sent, bool, error) {
	if s, ok := m.messages[obj]; ok || m.base == nil {
		return s, ok, nil
	}
	return m.base.Message(obj)
}

// HandedOver implements [Book].
func (m *Memory) HandedOver(obj, to string) (Handed, bool, error) {
	if m.base != nil {
		if h, ok, err := m.base.HandedOver(obj, to); err != nil || ok {
			return h, ok, err
		}
	}
	h, ok := m.handed[[2]string{obj, to}]
	return h, ok, nil
}
