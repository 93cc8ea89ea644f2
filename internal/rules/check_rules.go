package rules

import (
	"slices"
	"strings"
)

func (c *checker) rules() {
	c.has("rule", len(c.p.Rules))
	for i := range c.p.Rules {
		r, path := &c.p.Rules[i], at("rule", i)
		c.element(path, r.Code, r.Name, r.Source)
		kinds := c.trigger(path+".trigger", r)
		c.conditions(path, r, kinds)
		c.parties(path, r)
		c.fulfilment(path, r)
		c.due(path, r, kinds)
		c.period(path, r)
		c.statutory(path, r)
		if c.chainsByCode[r.Chain] == nil {
			c.bad(path+".chain", "no chain %q in this pack; add a [[chain]] with that code, or correct the reference", clip(r.Chain))
		}
		if r.Tell != "" {
			c.word(path+".tell", "tell", r.Tell)
		}
	}
	c.distinctBy("rule", len(c.p.Rules), func(i int) string { return c.p.Rules[i].Code })
}

// trigger checks what opens a rule and returns the kinds that may.
func (c *checker) trigger(path string, r *Rule) []string {
	t := r.Trigger
	if (len(t.Kinds) == 0) == (len(t.Events) == 0) {
		c.bad(path, "names kinds and events, or neither; a rule is opened by messages (kinds = […]) or by the ledger (events = […])")
	}
	kinds := t.Kinds
	if slices.Contains(kinds, Any) {
		if len(kinds) > 1 {
			c.bad(path+".kinds", "\"*\" is every kind already; remove the others")
		}
		kinds = triggerKinds(c.p, r)
	} else {
		c.refKinds(path+".kinds", kinds)
	}
	c.words(path+".events", "event", t.Events, false)
	c.refs(path+".from", c.types, t.From)
	if len(t.Events) > 0 && (len(t.Facts) > 0 || len(t.From) > 0) {
		c.bad(path, "an event has neither facts nor a sender type; remove facts and from")
	}
	c.compared(path+".facts", "rule "+r.Code, kinds, t.Facts)
	return kinds
}

// conditions checks what a declared rule evaluates on the sealed fields.
func (c *checker) conditions(path string, r *Rule, kinds []string) {
	if r.Declared && len(r.When) == 0 {
		c.bad(path+".when", "is missing; a declared rule says what the sender's program evaluates: when = [{field = …, in = […]}]")
	}
	if r.Declared && len(r.Trigger.Events) > 0 {
		c.bad(path+".declared", "an event carries no sealed fields to declare from; remove declared")
	}
	for j, w := range r.When {
		when := at(path+".when", j)
		if !r.Declared {
			c.bad(when, "rule %s reads sealed field %s but is not declared; set declared = true, or compare a fact in trigger.facts", r.Code, clip(w.Field))
		}
		if len(w.In) == 0 {
			c.bad(when+".in", "is empty; name the values that declare the rule")
		}
		c.unique(when+".in", w.In)
		for _, code := range kinds {
			if k := c.kindsByCode[code]; k != nil {
				c.condition(when, k, w)
			}
		}
	}
}

func (c *checker) condition(path string, k *Kind, w Condition) {
	i := slices.IndexFunc(k.Fields, func(f Field) bool { return f.Code == w.Field })
	if i < 0 {
		c.bad(path+".field", "kind %s has no sealed field %q; add a [[kind.field]], or name one it has", k.Code, clip(w.Field))
		return
	}
	f := &k.Fields[i]
	if f.Type != "code" {
		c.bad(path+".field", "field %s of kind %s is free %s; only a field of type code can be evaluated alike by sender and recipient", f.Code, k.Code, f.Type)
		return
	}
	for _, v := range w.In {
		if !slices.Contains(f.Values, v) {
			c.bad(path+".in", "field %s of kind %s has no value %q; its values are %s", f.Code, k.Code, clip(v), strings.Join(f.Values, ", "))
		}
	}
}

func (c *checker) parties(path string, r *Rule) {
	event := len(r.Trigger.Events) > 0
	c.party(path+".obligor", r.Obligor, event)
	c.party(path+".obligee", r.Obligee, event)
	if r.Obligor.Who == WhoPerson {
		c.bad(path+".obligor.who", "the person concerned owes nothing; name who must tell them")
	}
	if r.Obligor.Who == r.Obligee.Who && (r.Obligor.Who == WhoSender || r.Obligor.Who == WhoRecipient) {
		c.bad(path+".obligee.who", "%s owes itself; name another party", r.Obligor.Who)
	}
}

func (c *checker) party(path string, p Party, event bool) {
	if !c.word(path+".who", "who", p.Who) {
		return
	}
	switch {
	case p.Who == WhoFiled && p.Kind == "":
		c.bad(path+".kind", "is missing; who = \"filed\" needs the kind that was filed")
	case p.Who != WhoFiled && p.Kind != "":
		c.bad(path+".kind", "belongs to who = \"filed\" only; remove it")
	case p.Kind != "":
		c.refKind(path+".kind", p.Kind)
	}
	if p.Who == WhoFunction {
		c.ref(path+".type", c.types, p.Type)
		c.ref(path+".fn", c.functions, p.Fn)
	} else if p.Type != "" || p.Fn != "" {
		c.bad(path, "type and fn belong to who = \"function\" only; use types to narrow")
	}
	c.refs(path+".types", c.types, p.Types)
	c.refs(path+".not", c.types, p.Not)
	if len(p.Types) > 0 && len(p.Not) > 0 {
		c.bad(path, "types and not narrow the same list; keep one")
	}
	if byMessage := p.Who == WhoSender || p.Who == WhoRecipient; byMessage && event {
		c.bad(path+".who", "an event has no %s; use removed, recorder, function, filed or person", p.Who)
	}
	if byEvent := p.Who == WhoRemoved || p.Who == WhoRecorder; byEvent && !event {
		c.bad(path+".who", "%s exists only for a change of consent; use sender, recipient, function, filed or person", p.Who)
	}
}

func (c *checker) fulfilment(path string, r *Rule) {
	c.refKinds(path+".fulfilled_by", r.Fulfilled)
	c.refKinds(path+".interim_by", r.Interim)
	if r.FulfilOn != "" {
		c.word(path+".fulfil_on", "fulfil", r.FulfilOn)
	}
	if r.FulfilOn == OnOpened && r.Code != RuleAck {
		c.bad(path+".fulfil_on", "opening a message answers nothing; only rule %s is fulfilled by it, write submitted or handed-over", RuleAck)
	}
	if r.Code == RuleAck && r.Missing {
		c.bad(path+".missing", "an unopened message is not a missing reply; write missing = false")
	}
	if r.FulfilOn != OnOpened && len(r.Fulfilled) == 0 {
		c.bad(path+".fulfilled_by", "is empty; name the kinds of message that fulfil the rule")
	}
	if (len(r.Interim) > 0) != (r.MaxInter > 0) || r.MaxInter < 0 || r.MaxInter > 24 {
		c.bad(path+".max_interim", "%d; write 1 … 24 where interim_by names kinds, and leave it out elsewhere", r.MaxInter)
	}
}

func (c *checker) due(path string, r *Rule, kinds []string) {
	if len(r.Due) == 0 {
		c.bad(path+".due", "is missing; a rule without a deadline is never overdue")
	}
	for j := range r.Due {
		d, due := &r.Due[j], at(path+".due", j)
		c.deadline(due, d)
		if d.Urgency != "" {
			c.word(due+".urgency", "urgency", d.Urgency)
		}
		if ownTime(d.Start) && r.Obligor.Who != WhoSender {
			c.bad(due+".start", "%s is a time the trigger's sender claims, so only a duty of the sender may start at it; use consigned or handed-over", d.Start)
		}
		if d.Start != StartConsigned && len(r.Trigger.Events) > 0 {
			c.bad(due+".start", "an event has only its own time; use consigned")
		}
		c.startKinds(due, d, kinds)
	}
	c.urgencies(path, r, kinds)
}

func ownTime(start string) bool {
	return start == StartDecided || start == StartServed || start == StartEvent
}

// startKinds refuses to start at a time that the kind does not carry.
func (c *checker) startKinds(path string, d *Deadline, kinds []string) {
	for _, code := range kinds {
		if k := c.kindsByCode[code]; k != nil && ownTime(d.Start) && k.Occurred == "none" {
			c.bad(path+".start", "kind %s carries no time of its own; set its occurred to required, or start at consigned", code)
		}
	}
}

// urgencies checks that every urgency of the triggers finds a deadline, and
// that every deadline can be found.
func (c *checker) urgencies(path string, r *Rule, kinds []string) {
	possible := map[string]string{} // urgency to a kind that has it
	for _, code := range kinds {
		if k := c.kindsByCode[code]; k != nil {
			for _, u := range k.Urgency {
				possible[u] = code
			}
		}
	}
	covered := map[string]bool{}
	every := false
	for j, d := range r.Due {
		if every || covered[d.Urgency] {
			c.bad(at(path+".due", j), "is never reached; an earlier deadline already fits, put the general one last")
		}
		if d.Urgency != "" && possible[d.Urgency] == "" {
			c.bad(at(path+".due", j)+".urgency", "no trigger of the rule may be sent with urgency %s; remove the deadline", d.Urgency)
		}
		covered[d.Urgency] = true
		every = every || d.Urgency == ""
	}
	for _, u := range vocabulary["urgency"] {
		if k := possible[u]; k != "" && !every && !covered[u] && len(r.Due) > 0 {
			c.bad(path+".due", "has no deadline for urgency %s of kind %s; add one, or one without an urgency", u, k)
		}
	}
}

func (c *checker) deadline(path string, d *Deadline) {
	c.term(path, d.Term, false)
	c.word(path+".start", "start", d.Start)
	if c.word(path+".shift", "shift", d.Shift) && d.Shift != ShiftNone && d.Unit != UnitCalendarDays && d.Unit != UnitMonths {
		c.bad(path+".shift", "a term in %s ends where it ends; write shift = \"none\"", clip(d.Unit))
	}
}

func (c *checker) period(path string, r *Rule) {
	c.refKinds(path+".ends_with", r.EndsWith)
	if r.Every == nil {
		if len(r.EndsWith) > 0 {
			c.bad(path+".ends_with", "ends a periodic rule only; add every = …, or remove it")
		}
		return
	}
	c.term(path+".every", *r.Every, false)
	if len(r.EndsWith) == 0 {
		c.bad(path+".ends_with", "is missing; say which kinds end the period, or it would be owed for ever")
	}
}

// statutory refuses to call an assumed number the law.
func (c *checker) statutory(path string, r *Rule) {
	if !r.Statutory {
		return
	}
	if r.Source.Kind != "law" {
		c.bad(path+".statutory", "a statutory rule needs source.kind = \"law\"; name the article, or set statutory = false")
	}
	for j, d := range r.Due {
		if d.Source.Kind != "law" && d.Source.Kind != "" {
			c.bad(at(path+".due", j)+".source.kind", "the number of a statutory rule is law, this is %s; name the article, or set statutory = false", clip(d.Source.Kind))
		}
	}
}

func (c *checker) clocks() {
	for i := range c.p.Clocks {
		x, path := &c.p.Clocks[i], at("clock", i)
		c.element(path, x.Code, x.Name, x.Source)
		c.refKinds(path+".kinds", x.Kinds)
		if len(x.Kinds) == 0 {
			c.bad(path+".kinds", "is empty; name the notices that start the clock")
		}
		c.clockRule(path+".rule", x.Rule)
		c.deadline(path+".informed", &x.Informed)
		c.deadline(path+".never", &x.Never)
		if x.Informed.Start != StartHandedOver {
			c.bad(path+".informed.start", "the clock of a person who was informed runs from handing over; write handed-over")
		}
		if x.Never.Start != "" && !ownTime(x.Never.Start) {
			c.bad(path+".never.start", "the clock of a person who never was informed runs from the act; write decided, served or event")
		}
		c.startKinds(path+".never", &x.Never, x.Kinds)
	}
	c.distinctBy("clock", len(c.p.Clocks), func(i int) string { return c.p.Clocks[i].Code })
}

func (c *checker) clockRule(path, code string) {
	r := c.rulesByCode[code]
	switch {
	case r == nil:
		c.bad(path, "no rule %q in this pack; name the rule that informs the person", clip(code))
	case r.Obligee.Who != WhoPerson || r.FulfilOn != OnHandedOver:
		c.bad(path, "rule %s does not inform the person by handing over; name one with obligee person and fulfil_on handed-over", code)
	}
}

func (c *checker) warnings() {
	for i := range c.p.Warnings {
		w, path := &c.p.Warnings[i], at("warning", i)
		c.code(path+".id", w.ID)
		c.text(path+".name", w.Name)
		c.source(path+".source", w.Source)
		c.refKinds(path+".kinds", w.Kinds)
		if len(w.Kinds) == 0 {
			c.bad(path+".kinds", "is empty; name the kinds it warns about")
		}
		c.compared(path+".facts", "warning "+w.ID, w.Kinds, w.Facts)
	}
	c.distinctBy("warning", len(c.p.Warnings), func(i int) string { return c.p.Warnings[i].ID })
}
