package rules

import "slices"

// reachable refuses duties that nobody is permitted to fulfil: for every way a
// trigger may go, some fulfilling kind must be allowed from whoever owes to
// whoever is owed. A gap in the matrix would make an institution late for ever.
func (c *checker) reachable() {
	routes := routes(c.p)
	for i := range c.p.Rules {
		r := &c.p.Rules[i]
		if r.FulfilOn == OnOpened {
			continue
		}
		reported := map[[2]string]bool{}
		for _, pair := range c.pairs(r, routes) {
			or, ee := pair[0], pair[1]
			fits := slices.ContainsFunc(r.Fulfilled, func(k string) bool { return len(routes[route{k, or, ee}]) > 0 })
			if !fits && !reported[pair] {
				reported[pair] = true
				c.bad(at("rule", i)+".fulfilled_by", "%s would owe %s, but no [[matrix]] cell permits %v from %s to %s; add a cell, or narrow the parties",
					or, ee, r.Fulfilled, or, ee)
			}
		}
	}
}

// pairs lists the types that may come to owe each other under a rule, in the
// order of the pack.
func (c *checker) pairs(r *Rule, routes map[route][]string) [][2]string {
	var out [][2]string
	for _, from := range c.types.list {
		for _, to := range c.types.list {
			if !c.mayTrigger(r, routes, from, to) {
				continue
			}
			for _, or := range c.partyTypes(r.Obligor, routes, from, to) {
				for _, ee := range c.partyTypes(r.Obligee, routes, from, to) {
					out = append(out, [2]string{or, ee})
				}
			}
		}
	}
	return out
}

func (c *checker) mayTrigger(r *Rule, routes map[route][]string, from, to string) bool {
	if len(r.Trigger.Events) > 0 {
		return true
	}
	if len(r.Trigger.From) > 0 && !slices.Contains(r.Trigger.From, from) {
		return false
	}
	return slices.ContainsFunc(triggerKinds(c.p, r), func(k string) bool { return len(routes[route{k, from, to}]) > 0 })
}

// partyTypes lists the types a party may be of, when the trigger goes from one
// type to another. A change of consent may touch any type.
func (c *checker) partyTypes(p Party, routes map[route][]string, from, to string) []string {
	var out []string
	switch p.Who {
	case WhoSender:
		out = []string{from}
	case WhoRecipient:
		out = []string{to}
	case WhoFunction:
		out = []string{p.Type}
	case WhoRemoved:
		out = []string{to}
	case WhoRecorder:
		out = []string{from}
	case WhoPerson:
		out = []string{TypeRepresentative}
	case WhoFiled:
		out = c.filers(p.Kind, routes)
	}
	return slices.DeleteFunc(out, func(t string) bool {
		return len(p.Types) > 0 && !slices.Contains(p.Types, t) || slices.Contains(p.Not, t)
	})
}

// filers lists the types that may send a kind to anyone.
func (c *checker) filers(kind string, routes map[route][]string) []string {
	return slices.DeleteFunc(slices.Clone(c.types.list), func(from string) bool {
		return !slices.ContainsFunc(c.types.list, func(to string) bool { return len(routes[route{kind, from, to}]) > 0 })
	})
}
