package rules

import (
	"strings"
	"time"
)

// lists checks the pack's plain lists, bases, reasons and letters.
func (c *checker) lists() {
	p := c.p
	for _, l := range p.namedLists() {
		c.named(l.path, l.list)
	}
	c.has("type", len(p.Types))
	c.has("function", len(p.Functions))
	c.has("purpose", len(p.Purposes))
	c.has("value", len(p.Values))
	c.has("category", len(p.Categories))
	c.has("basis", len(p.Bases))
	if _, ok := named(p.Types, TypeRepresentative); !ok {
		c.bad("type", "there is no type %q; persons are represented in every country, add it", TypeRepresentative)
	}
	if _, ok := named(p.Functions, FnRep); !ok {
		c.bad("function", "there is no function %q, which desks of representatives have; add it", FnRep)
	}
	for i, x := range p.Categories {
		c.element(at("category", i), x.Code, x.Name, x.Source)
	}
	for i, x := range p.Bases {
		c.element(at("basis", i), x.Code, x.Name, x.Source)
	}
	for i, x := range p.Reasons {
		c.element(at("reason", i), x.Code, x.Name, x.Source)
		c.words(at("reason", i)+".for", "for", x.For, true)
	}
	for i, x := range p.Letters {
		c.element(at("letter", i), x.Channel, x.Name, x.Source)
	}
	c.distinct("category", c.categories.list)
	c.distinct("basis", c.bases.list)
	c.distinctBy("reason", len(p.Reasons), func(i int) string { return p.Reasons[i].Code })
	c.distinctBy("letter", len(p.Letters), func(i int) string { return p.Letters[i].Channel })
}

func (c *checker) has(list string, n int) {
	if n == 0 {
		c.bad(list, "the pack has none; add at least one [[%s]]", list)
	}
}

// named checks a list of codes with names and sources.
func (c *checker) named(list string, elements []Named) {
	for i, n := range elements {
		c.element(at(list, i), n.Code, n.Name, n.Source)
	}
	c.distinct(list, codesOf(elements))
}

func (c *checker) element(path, code string, name Text, source Source) {
	c.code(path+".code", code)
	c.text(path+".name", name)
	c.source(path+".source", source)
}

// distinct refuses the second element with a code.
func (c *checker) distinct(list string, codes []string) {
	c.distinctBy(list, len(codes), func(i int) string { return codes[i] })
}

func (c *checker) distinctBy(list string, n int, code func(int) string) {
	seen := map[string]bool{}
	for i := range n {
		if s := code(i); seen[s] {
			c.bad(at(list, i), "code %q is there twice; rename or remove one", clip(s))
		} else {
			seen[s] = true
		}
	}
}

func (c *checker) calendar() {
	cal := &c.p.Calendar
	c.source("calendar.source", cal.Source)
	c.words("calendar.weekend", "weekday", cal.Weekend, false)
	if len(cal.Weekend) > 6 {
		c.bad("calendar.weekend", "leaves no working day; a term in working days would never end")
	}
	days := map[[2]int]bool{}
	for i := range cal.Holidays {
		h, path := &cal.Holidays[i], at("calendar.holiday", i)
		c.text(path+".name", h.Name)
		c.source(path+".source", h.Source)
		c.holiday(path, h)
		if day := [2]int{h.Month, h.Day}; h.Easter == "" {
			if days[day] {
				c.bad(path, "%d-%02d is there twice; remove one", h.Month, h.Day)
			}
			days[day] = true
		}
	}
}

// holiday is either a day of a month or a distance from Easter.
func (c *checker) holiday(path string, h *Holiday) {
	if h.Easter != "" {
		c.word(path+".easter", "easter", h.Easter)
		if h.Month != 0 || h.Day != 0 {
			c.bad(path, "has a day of the month and a distance from Easter; keep one")
		}
		if h.Offset < -70 || h.Offset > 70 {
			c.bad(path+".offset", "%d days from Easter; at most 70 either way", h.Offset)
		}
		return
	}
	if h.Offset != 0 {
		c.bad(path+".offset", "counts from Easter; add easter = \"orthodox\" or \"western\"")
	}
	// 2024 is a leap year, so 29 February exists.
	day := time.Date(2024, time.Month(h.Month), h.Day, 0, 0, 0, 0, time.UTC)
	if h.Month < 1 || h.Month > 12 || day.Day() != h.Day || int(day.Month()) != h.Month {
		c.bad(path, "month %d, day %d is no day; write month = 1 … 12 and day = 1 … 31, or easter = …", h.Month, h.Day)
	}
}

func (c *checker) chains() {
	for i := range c.p.Chains {
		x, path := &c.p.Chains[i], at("chain", i)
		c.element(path, x.Code, x.Name, x.Source)
		if x.RemindPercent < 1 || x.RemindPercent > 99 {
			c.bad(path+".remind_percent", "%d is not a part of the term; write 1 … 99", x.RemindPercent)
		}
		c.term(path+".remind_before", x.RemindBefore, false)
		for j, s := range x.Steps {
			step := at(path+".step", j)
			c.term(step+".after", s.After, true)
			c.words(step+".to", "step", s.To, true)
			for _, to := range s.To {
				c.stepFunction(step+".to", to)
			}
		}
	}
	c.distinctBy("chain", len(c.p.Chains), func(i int) string { return c.p.Chains[i].Code })
}

// stepFunction refuses a step to a function that no desk of the pack has.
func (c *checker) stepFunction(path, to string) {
	for suffix, fn := range map[string]string{"-head": "head", "-supervision": "supervision"} {
		if _, ok := named(c.p.Functions, fn); strings.HasSuffix(to, suffix) && !ok {
			c.bad(path, "%q goes to desks of function %s, which this pack lacks; add [[function]] code = %q", to, fn, fn)
		}
	}
}
