package rules

import (
	"slices"
	"strings"
)

func (c *checker) consent() {
	s := &c.p.Consent
	c.source("consent.source", s.Source)
	c.plainTerm("consent.default", s.Default)
	c.plainTerm("consent.longest", s.Longest)
	c.plainTerm("consent.guardian_longest", s.Guardian)
	c.plainTerm("consent.reask", s.Reask)
	c.plainTerm("consent.review", s.Review)
	c.within("consent.default", s.Default, s.Longest)
	c.within("consent.guardian_longest", s.Guardian, s.Longest)
	for _, l := range c.p.namedLists() {
		if strings.HasPrefix(l.path, "consent.") {
			c.has(l.path, len(l.list))
		}
	}
	c.bands()
	c.grantors()
	c.recorders()
}

// within compares two terms of one unit; mixed units cannot be ordered without
// a calendar, and nobody should have to.
func (c *checker) within(path string, t, limit Term) {
	if t.Unit != limit.Unit {
		c.bad(path+".unit", "is not the unit of consent.longest (%s); write both in one unit", clip(limit.Unit))
	} else if t.Amount > limit.Amount {
		c.bad(path+".amount", "%d %s is longer than consent.longest (%d)", t.Amount, t.Unit, limit.Amount)
	}
}

func (c *checker) bands() {
	s := &c.p.Consent
	ages := codes{"consent.age", codesOf(s.Ages)}
	if !slices.Contains(ages.list, AgeUnknown) {
		c.bad("consent.age", "has no band %q; an age that nobody knows must be sayable", AgeUnknown)
	}
	if c.ref("consent.child_band", ages, s.ChildBand) && s.ChildBand == AgeUnknown {
		c.bad("consent.child_band", "unknown counts as this band, so it must be another")
	}
}

func (c *checker) grantors() {
	s := &c.p.Consent
	ages := codes{"consent.age", codesOf(s.Ages)}
	relations := codes{"consent.relation", codesOf(s.Relations)}
	given := map[string]bool{}
	pairs := map[[2]string]bool{}
	for i, g := range s.Grantors {
		path := at("consent.grantor", i)
		c.source(path+".source", g.Source)
		c.refs(path+".age", ages, g.Age)
		c.refs(path+".relations", relations, g.Relations)
		if len(g.Age) == 0 || len(g.Relations) == 0 {
			c.bad(path, "names no age band or no relation; name at least one of each")
		}
		if g.Agreement && !g.Opinion {
			c.bad(path+".agreement", "agreement is an opinion; set opinion = true too")
		}
		for _, a := range g.Age {
			given[a] = true
			for _, rel := range g.Relations {
				if pairs[[2]string{a, rel}] {
					c.bad(path, "relation %s may give for band %s by an earlier row; one row decides, remove the other", rel, a)
				}
				pairs[[2]string{a, rel}] = true
			}
		}
	}
	for i, a := range s.Ages {
		switch {
		case a.Code == AgeUnknown && given[a.Code]:
			c.bad("consent.grantor", "names band %s, which counts as %s; remove it", AgeUnknown, s.ChildBand)
		case a.Code != AgeUnknown && !given[a.Code]:
			c.bad(at("consent.age", i), "nobody may give for band %q; add a [[consent.grantor]]", clip(a.Code))
		}
	}
}

func (c *checker) recorders() {
	rows := map[[2]string]bool{}
	for i, r := range c.p.Consent.Recorders {
		path := at("consent.recorder", i)
		c.source(path+".source", r.Source)
		c.words(path+".acts", "act", r.Acts, true)
		c.words(path+".roles", "role", r.Roles, true)
		c.refs(path+".types", c.types, r.Types)
		c.word(path+".cosign", "cosign", r.Cosign)
		if len(r.Types) == 0 {
			c.bad(path+".types", "is empty; name institution types")
		}
		for _, act := range r.Acts {
			for _, t := range r.Types {
				if rows[[2]string{act, t}] {
					c.bad(path, "type %s may record %s by an earlier row; one row decides, remove the other", t, act)
				}
				rows[[2]string{act, t}] = true
			}
		}
	}
	for _, act := range []string{"given", "withdrawn"} {
		if !slices.ContainsFunc(c.p.Consent.Recorders, func(r Recorder) bool { return slices.Contains(r.Acts, act) }) {
			c.bad("consent.recorder", "nobody may record %s; add a row", act)
		}
	}
}
