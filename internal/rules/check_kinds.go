package rules

import (
	"fmt"
	"slices"
)

const (
	maxValues = 8        // values of a fact
	maxFacts  = 8        // facts of a kind
	maxFields = 64       // sealed fields of a kind
	maxField  = 64 << 10 // bytes of a sealed field
)

func (c *checker) kinds() {
	c.has("kind", len(c.p.Kinds))
	for i := range c.p.Kinds {
		k, path := &c.p.Kinds[i], at("kind", i)
		c.element(path, k.Code, k.Name, k.Source)
		c.word(path+".track", "track", k.Track)
		c.word(path+".re", "need", k.Re)
		c.word(path+".occurred", "need", k.Occurred)
		c.words(path+".urgency", "urgency", k.Urgency, true)
		c.words(path+".roles", "role", k.Roles, true)
		c.refs(path+".categories", c.categories, k.Categories)
		c.refs(path+".values", c.values, k.Answers)
		if k.Caseless && k.Re == "required" {
			c.bad(path+".re", "a caseless kind answers nothing; write re = \"none\" or \"optional\"")
		}
		c.facts(path, k)
		c.fields(path, k)
	}
	c.distinctBy("kind", len(c.p.Kinds), func(i int) string { return c.p.Kinds[i].Code })
}

func (c *checker) facts(path string, k *Kind) {
	if len(k.Facts) > maxFacts {
		c.bad(path+".fact", "%d facts, at most %d; the operator sees every one", len(k.Facts), maxFacts)
	}
	for j, f := range k.Facts {
		fact := at(path+".fact", j)
		c.code(fact+".code", f.Code)
		for _, v := range f.Values {
			c.code(fact+".values", v)
		}
		c.unique(fact+".values", f.Values)
		if n := len(f.Values); n == 0 || n > maxValues {
			c.bad(fact+".values", "%d values, 1 to %d; the operator sees every one", n, maxValues)
		}
		if f.Reason == "" {
			c.bad(fact+".reason", "is missing; a fact is visible to the operator, say why a rule must see it")
		}
		c.plain(fact+".reason", f.Reason)
		if !c.read(k.Code, f.Code) {
			c.bad(fact, "no rule or warning reads fact %q of kind %s, so the operator would see it for nothing; make it a [[kind.field]], or remove it", clip(f.Code), k.Code)
		}
	}
	c.distinctBy(path+".fact", len(k.Facts), func(j int) string { return k.Facts[j].Code })
}

// read reports whether a rule or a warning compares a fact of a kind.
func (c *checker) read(kind, fact string) bool {
	for i := range c.p.Rules {
		r := &c.p.Rules[i]
		if _, ok := r.Trigger.Facts[fact]; ok && slices.Contains(triggerKinds(c.p, r), kind) {
			return true
		}
	}
	return slices.ContainsFunc(c.p.Warnings, func(w Warning) bool {
		_, ok := w.Facts[fact]
		return ok && slices.Contains(w.Kinds, kind)
	})
}

// reservedFields are members that every sealed text has.
var reservedFields = []string{"subject", "body"}

func (c *checker) fields(path string, k *Kind) {
	if len(k.Fields) > maxFields {
		c.bad(path+".field", "%d fields, at most %d", len(k.Fields), maxFields)
	}
	for j, f := range k.Fields {
		field := at(path+".field", j)
		c.code(field+".code", f.Code)
		c.text(field+".name", f.Name)
		c.fieldType(field, &f)
		if slices.Contains(reservedFields, f.Code) {
			c.bad(field+".code", "every message has a %s already; choose another code", f.Code)
		}
		if slices.ContainsFunc(k.Facts, func(x Fact) bool { return x.Code == f.Code }) {
			c.bad(field+".code", "%q is a visible fact of this kind too; sealed and visible must not share a code", f.Code)
		}
	}
	c.distinctBy(path+".field", len(k.Fields), func(j int) string { return k.Fields[j].Code })
}

func (c *checker) fieldType(path string, f *Field) {
	if !c.word(path+".type", "field", f.Type) {
		return
	}
	if f.Type != "code" {
		if len(f.Values) > 0 {
			c.bad(path+".values", "only a field of type code has values")
		}
		if f.Max < 1 || f.Max > maxField {
			c.bad(path+".max", "%d bytes; write 1 … %d", f.Max, maxField)
		}
		return
	}
	if len(f.Values) == 0 {
		c.bad(path+".values", "is empty; a field of type code lists its values")
	}
	if f.Max != 0 {
		c.bad(path+".max", "a field of type code is bounded by its values; remove max")
	}
	for _, v := range f.Values {
		c.code(path+".values", v)
	}
	c.unique(path+".values", f.Values)
}

func (c *checker) matrix() {
	for i, cell := range c.p.Matrix {
		path := at("matrix", i)
		c.refKind(path+".kind", cell.Kind)
		c.cellTypes(path+".from", cell.From)
		c.cellTypes(path+".to", cell.To)
		c.refs(path+".bases", c.bases, cell.Bases)
		if len(cell.Bases) == 0 {
			c.bad(path+".bases", "is empty; a cell without a basis permits nothing, remove it or name one")
		}
		c.source(path+".source", cell.Source)
	}
	for i, k := range c.p.Kinds {
		if !slices.ContainsFunc(c.p.Matrix, func(x Cell) bool { return x.Kind == k.Code }) {
			c.bad(at("kind", i), "no [[matrix]] cell permits kind %q, so nobody could send it; add one or remove the kind", k.Code)
		}
	}
}

func (c *checker) cellTypes(path string, list []string) {
	if len(list) == 0 {
		c.bad(path, "is empty; name institution types, or [\"*\"] for every one")
	}
	if slices.Contains(list, Any) {
		if len(list) > 1 {
			c.bad(path, "\"*\" is every type already; remove the others")
		}
		return
	}
	c.refs(path, c.types, list)
}

// compared checks facts that a rule or a warning compares: each must be a
// permitted fact of every kind that may trigger it.
func (c *checker) compared(path, who string, kinds []string, facts map[string]string) {
	for fact, value := range facts {
		for _, code := range kinds {
			if k := c.kindsByCode[code]; k != nil {
				c.comparedIn(join(path, fact), who, k, fact, value)
			}
		}
	}
}

func (c *checker) comparedIn(path, who string, k *Kind, fact, value string) {
	if i := slices.IndexFunc(k.Facts, func(f Fact) bool { return f.Code == fact }); i >= 0 {
		if !slices.Contains(k.Facts[i].Values, value) {
			c.bad(path, "fact %q of kind %s has no value %q; its values are %v", fact, k.Code, clip(value), k.Facts[i].Values)
		}
		return
	}
	if slices.ContainsFunc(k.Fields, func(f Field) bool { return f.Code == fact }) {
		c.bad(path, "%s", sealed(who, fact, k.Code))
		return
	}
	c.bad(path, "kind %s permits no fact %q; add a [[kind.fact]] with its values and a reason, or compare another", k.Code, clip(fact))
}

func sealed(who, field, kind string) string {
	return fmt.Sprintf("%s reads sealed field %s of kind %s: a rule sees only facts; "+
		"declare it (declared = true, when = …) or permit a fact with a reason", who, field, kind)
}
