package rules

import (
	"slices"
	"time"
)

// packIndex is filled by Parse and never changes after it.
type packIndex struct {
	loc     *time.Location
	kinds   map[string]*Kind
	rules   map[string]*Rule // the first entry of a rule
	bases   map[string]*Basis
	chains  map[string]*Chain
	clocks  map[string]*Clock
	byKind  map[string][]*Rule
	byEvent map[string][]*Rule
	matrix  map[route][]string
}

// route is one way a kind may go.
type route struct{ kind, from, to string }

func newIndex(p *Pack, loc *time.Location) *packIndex {
	x := &packIndex{
		loc:     loc,
		kinds:   byCode(p.Kinds, func(k *Kind) string { return k.Code }),
		rules:   byCode(p.Rules, func(r *Rule) string { return r.Code }),
		bases:   byCode(p.Bases, func(b *Basis) string { return b.Code }),
		chains:  byCode(p.Chains, func(c *Chain) string { return c.Code }),
		clocks:  byCode(p.Clocks, func(c *Clock) string { return c.Code }),
		byKind:  map[string][]*Rule{},
		byEvent: map[string][]*Rule{},
		matrix:  routes(p),
	}
	for i := range p.Rules {
		r := &p.Rules[i]
		for _, k := range triggerKinds(p, r) {
			x.byKind[k] = append(x.byKind[k], r)
		}
		if r.Trigger.Event != "" {
			x.byEvent[r.Trigger.Event] = append(x.byEvent[r.Trigger.Event], r)
		}
	}
	return x
}

// byCode maps codes to the elements of list; the first of a code wins.
func byCode[T any](list []T, code func(*T) string) map[string]*T {
	m := make(map[string]*T, len(list))
	for i := range list {
		if c := code(&list[i]); m[c] == nil {
			m[c] = &list[i]
		}
	}
	return m
}

// routes unfolds the matrix. Bases of a route are in the order of the pack.
func routes(p *Pack) map[route][]string {
	m := map[route][]string{}
	all := codesOf(p.Types)
	for _, cell := range p.Matrix {
		for _, from := range expand(cell.From, all) {
			for _, to := range expand(cell.To, all) {
				at := route{cell.Kind, from, to}
				m[at] = append(m[at], cell.Bases...)
			}
		}
	}
	order := map[string]int{}
	for i, b := range p.Bases {
		order[b.Code] = i
	}
	for at, bases := range m {
		slices.SortFunc(bases, func(a, b string) int { return order[a] - order[b] })
		m[at] = slices.Compact(bases)
	}
	return m
}

// expand replaces "*" by all.
func expand(list, all []string) []string {
	if slices.Contains(list, Any) {
		return all
	}
	return list
}

func codesOf(list []Named) []string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = n.Code
	}
	return out
}

func triggerKinds(p *Pack, r *Rule) []string {
	if !slices.Contains(r.Trigger.Kinds, Any) {
		return r.Trigger.Kinds
	}
	out := make([]string, len(p.Kinds))
	for i, k := range p.Kinds {
		out[i] = k.Code
	}
	return out
}

// Kind finds a notification kind.
func (p *Pack) Kind(code string) (*Kind, bool) { return find(p.index.kinds, code) }

// Rule finds a rule. Of a rule that several events open it is the first entry.
func (p *Pack) Rule(code string) (*Rule, bool) { return find(p.index.rules, code) }

// Basis finds a legal basis.
func (p *Pack) Basis(code string) (*Basis, bool) { return find(p.index.bases, code) }

// Chain finds an escalation chain.
func (p *Pack) Chain(code string) (*Chain, bool) { return find(p.index.chains, code) }

// Clock finds a clock of the person.
func (p *Pack) Clock(code string) (*Clock, bool) { return find(p.index.clocks, code) }

func find[T any](m map[string]*T, code string) (*T, bool) {
	t, ok := m[code]
	return t, ok
}

// RulesFor returns the rules that a message of kind may open, in the order of
// the pack: those that name it and those that name any. Facts and sender types
// still have to be compared. The caller must not change the slice.
func (p *Pack) RulesFor(kind string) []*Rule { return p.index.byKind[kind] }

// RulesOn returns the rules that an event of the ledger opens, such as
// consent.withdrawn. The caller must not change the slice.
func (p *Pack) RulesOn(event string) []*Rule { return p.index.byEvent[event] }

// Allowed returns the bases on which a kind may go from one institution type
// to another, in the order of the pack; none means that it may not go at all.
// The caller must not change the slice.
func (p *Pack) Allowed(kind, fromType, toType string) []string {
	return p.index.matrix[route{kind, fromType, toType}]
}

// ClocksFor returns the person's clocks that a notice of kind starts.
func (p *Pack) ClocksFor(kind string) []*Clock {
	var out []*Clock
	for i := range p.Clocks {
		if slices.Contains(p.Clocks[i].Kinds, kind) {
			out = append(out, &p.Clocks[i])
		}
	}
	return out
}

// Type finds an institution type.
func (p *Pack) Type(code string) (*Named, bool) { return named(p.Types, code) }

// Function finds a function of desks.
func (p *Pack) Function(code string) (*Named, bool) { return named(p.Functions, code) }

// Purpose finds a purpose family.
func (p *Pack) Purpose(code string) (*Named, bool) { return named(p.Purposes, code) }

// Value finds a reply value.
func (p *Pack) Value(code string) (*Named, bool) { return named(p.Values, code) }

func named(list []Named, code string) (*Named, bool) {
	i := slices.IndexFunc(list, func(n Named) bool { return n.Code == code })
	if i < 0 {
		return nil, false
	}
	return &list[i], true
}

// Category finds a data category.
func (p *Pack) Category(code string) (*Category, bool) {
	i := slices.IndexFunc(p.Categories, func(c Category) bool { return c.Code == code })
	if i < 0 {
		return nil, false
	}
	return &p.Categories[i], true
}

// Letter finds a channel off the system.
func (p *Pack) Letter(channel string) (*Letter, bool) {
	i := slices.IndexFunc(p.Letters, func(l Letter) bool { return l.Channel == channel })
	if i < 0 {
		return nil, false
	}
	return &p.Letters[i], true
}

// ReasonFor finds a reason code that may be given for a use: an act such as
// waive, "hold", "refuse", "necessity" or "consent".
func (p *Pack) ReasonFor(code, use string) (*Reason, bool) {
	for i := range p.Reasons {
		if r := &p.Reasons[i]; r.Code == code && slices.Contains(r.For, use) {
			return r, true
		}
	}
	return nil, false
}

// DueFor returns the deadline of a rule for an urgency: the first that fits.
func (r *Rule) DueFor(urgency string) (Deadline, bool) {
	for _, d := range r.Due {
		if d.Urgency == "" || d.Urgency == urgency {
			return d, true
		}
	}
	return Deadline{}, false
}

// Declares reports whether a message with these sealed fields must declare the
// rule: it is a declared rule, and every condition finds its field among the
// values it names. The sender's program asks before sealing and the
// recipient's after opening; a difference is a fact.mismatch.
func (r *Rule) Declares(fields map[string]string) bool {
	if !r.Declared || len(r.When) == 0 {
		return false
	}
	for _, c := range r.When {
		if !slices.Contains(c.In, fields[c.Field]) {
			return false
		}
	}
	return true
}
