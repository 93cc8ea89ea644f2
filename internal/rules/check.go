package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/odziv/odziv/internal/statement"
)

// check returns everything that is wrong with a decoded pack.
func check(p *Pack, lines map[string]int) []Problem {
	c := &checker{p: p, lines: lines, labels: map[string]string{}}
	if c.bounds(); len(c.found) > 0 {
		return c.found
	}
	c.collect()
	c.pack()
	c.calendar()
	c.lists()
	c.kinds()
	c.matrix()
	c.rules()
	c.clocks()
	c.chains()
	c.warnings()
	c.consent()
	c.telling()
	if len(c.found) == 0 { // routes of a broken pack would only repeat its faults
		c.reachable()
	}
	slices.SortStableFunc(c.found, func(a, b Problem) int { return a.Line - b.Line })
	return c.found
}

type checker struct {
	p      *Pack
	lines  map[string]int
	labels map[string]string // path of a coded element to what errors call it
	found  []Problem

	types, functions, categories, values, bases codes
	kindsByCode                                 map[string]*Kind
	rulesByCode                                 map[string]*Rule
	chainsByCode                                map[string]*Chain
}

// codes is a list of codes that may be referred to, and what it is called.
type codes struct {
	what string
	list []string
}

// bad records a problem. The path is numeric, as in the file.
func (c *checker) bad(path, format string, args ...any) {
	c.found = append(c.found, Problem{Line: lineOf(c.lines, path), Path: c.shown(path), Text: fmt.Sprintf(format, args...)})
}

// shown replaces "rule[3]" by "rule[registration]", which a person can find.
func (c *checker) shown(path string) string {
	end := strings.IndexByte(path, ']') + 1
	if label, ok := c.labels[path[:end]]; ok {
		return label + path[end:]
	}
	return path
}

func at(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

func (c *checker) collect() {
	p := c.p
	c.types = codes{"type", codesOf(p.Types)}
	c.functions = codes{"function", codesOf(p.Functions)}
	c.values = codes{"value", codesOf(p.Values)}
	c.categories = codes{what: "category"}
	for _, x := range p.Categories {
		c.categories.list = append(c.categories.list, x.Code)
	}
	c.bases = codes{what: "basis"}
	for _, x := range p.Bases {
		c.bases.list = append(c.bases.list, x.Code)
	}
	c.kindsByCode = byCode(p.Kinds, func(k *Kind) string { return k.Code })
	c.rulesByCode = byCode(p.Rules, func(r *Rule) string { return r.Code })
	c.chainsByCode = byCode(p.Chains, func(x *Chain) string { return x.Code })
	for i, k := range p.Kinds {
		c.label("kind", i, k.Code)
	}
	for i, r := range p.Rules {
		c.label("rule", i, r.Code)
	}
	for i, x := range p.Chains {
		c.label("chain", i, x.Code)
	}
	for i, x := range p.Clocks {
		c.label("clock", i, x.Code)
	}
	for i, x := range p.Matrix {
		c.label("matrix", i, x.Kind)
	}
}

// bounds refuses lists that no agreement of institutions is long enough for,
// before anything is compared with everything.
func (c *checker) bounds() {
	p := c.p
	for _, l := range []struct {
		path  string
		n, at int
	}{
		{"type", len(p.Types), 64}, {"kind", len(p.Kinds), 256}, {"rule", len(p.Rules), 256}, {"matrix", len(p.Matrix), 1024},
		{"function", len(p.Functions), 256}, {"category", len(p.Categories), 256}, {"purpose", len(p.Purposes), 256},
		{"basis", len(p.Bases), 64}, {"value", len(p.Values), 256}, {"reason", len(p.Reasons), 256}, {"clock", len(p.Clocks), 256},
		{"chain", len(p.Chains), 64}, {"warning", len(p.Warnings), 256}, {"letter", len(p.Letters), 64},
		{"calendar.holiday", len(p.Calendar.Holidays), 256},
		{"consent.grantor", len(p.Consent.Grantors), 256}, {"consent.recorder", len(p.Consent.Recorders), 256},
	} {
		if l.n > l.at {
			c.bad(l.path, "%d of them, at most %d; split the domain into two packs", l.n, l.at)
		}
	}
}

func (c *checker) label(list string, i int, code string) {
	if statement.IsCode(code) {
		c.labels[at(list, i)] = list + "[" + code + "]"
	}
}

var country = regexp.MustCompile(`^[A-Z]{2}$`)

func (c *checker) pack() {
	p := c.p
	if !statement.IsPackID(p.ID()) {
		c.bad("family", "%q is not the id of a pack; give family a code of at most 32 letters and version 1 or more", clip(p.ID()))
	}
	if !country.MatchString(p.Country) {
		c.bad("country", "%q is not two capital letters (ISO 3166-1, or XX for none)", clip(p.Country))
	}
	c.code("domain", p.Domain)
	if _, err := time.Parse(time.DateOnly, p.EffectiveFrom); err != nil {
		c.bad("effective_from", "%q is not a date; write YYYY-MM-DD", clip(p.EffectiveFrom))
	}
	if _, err := time.LoadLocation(p.Zone); err != nil || p.Zone == "" || p.Zone == "Local" {
		c.bad("zone", "%q is no time zone; write an IANA name such as Europe/Belgrade", clip(p.Zone))
	}
	c.text("title", p.Title)
	c.source("source", p.Source)
	c.plainTerm("longest_hold", p.LongestHold)
}

func (c *checker) code(path, code string) {
	if !statement.IsCode(code) {
		c.bad(path, "%q is not a code; use 1 to 40 lower-case letters, digits and hyphens", clip(code))
	}
}

// word checks a word of the format's own vocabulary.
func (c *checker) word(path, kind, w string) bool {
	if slices.Contains(vocabulary[kind], w) {
		return true
	}
	if w == "" {
		c.bad(path, "is missing; write one of %s", strings.Join(vocabulary[kind], ", "))
	} else {
		c.bad(path, "%q is not one of %s", clip(w), strings.Join(vocabulary[kind], ", "))
	}
	return false
}

func (c *checker) words(path, kind string, list []string, needed bool) {
	if needed && len(list) == 0 {
		c.bad(path, "is empty; name at least one of %s", strings.Join(vocabulary[kind], ", "))
	}
	for _, w := range list {
		c.word(path, kind, w)
	}
	c.unique(path, list)
}

// ref checks a reference to a code of the pack.
func (c *checker) ref(path string, to codes, code string) bool {
	if slices.Contains(to.list, code) {
		return true
	}
	c.bad(path, "no %s %q in this pack; add a [[%s]] with that code, or correct the reference", to.what, clip(code), to.what)
	return false
}

func (c *checker) refs(path string, to codes, list []string) {
	for _, code := range list {
		c.ref(path, to, code)
	}
	c.unique(path, list)
}

func (c *checker) refKind(path, code string) bool {
	if c.kindsByCode[code] != nil {
		return true
	}
	c.bad(path, "no kind %q in this pack; add a [[kind]] with that code, or correct the reference", clip(code))
	return false
}

func (c *checker) refKinds(path string, list []string) {
	for _, code := range list {
		c.refKind(path, code)
	}
	c.unique(path, list)
}

func (c *checker) unique(path string, list []string) {
	seen := map[string]bool{}
	for _, s := range list {
		if seen[s] {
			c.bad(path, "%q is there twice; remove one", clip(s))
		}
		seen[s] = true
	}
}

func (c *checker) source(path string, s Source) {
	if s == (Source{}) {
		c.bad(path, "is missing; say where this comes from: source = {kind = \"law\" | \"study\" | \"practice\" | \"assumption\", ref = \"…\"}")
		return
	}
	c.word(path+".kind", "source", s.Kind)
	if strings.TrimSpace(s.Ref) == "" {
		c.bad(path+".ref", "is empty; name the article, the line of the study, the practice, or why it is assumed")
	}
	c.plain(path+".ref", s.Ref)
	c.plain(path+".note", s.Note)
}

// longest bounds the amounts of a term: ten years, the longest a case is kept.
var longest = map[string]int{UnitMinutes: 7 * 24 * 60, UnitHours: 366 * 24, UnitCalendarDays: 3660, UnitWorkingDays: 2600, UnitMonths: 120}

// term checks an amount of time. Zero is none, save where a step begins at due.
func (c *checker) term(path string, t Term, zero bool) {
	if t == (Term{}) {
		c.bad(path, "is missing; write {amount = …, unit = \"…\", source = {…}}")
		return
	}
	if c.word(path+".unit", "unit", t.Unit) && t.Amount > longest[t.Unit] {
		c.bad(path+".amount", "%d %s is more than %d; a term that long is a mistake", t.Amount, t.Unit, longest[t.Unit])
	}
	if t.Amount < 0 || t.Amount == 0 && !zero {
		c.bad(path+".amount", "%d is not an amount of time; write 1 or more", t.Amount)
	}
	c.source(path+".source", t.Source)
}

// plainTerm is a term that runs without the calendar of working days.
func (c *checker) plainTerm(path string, t Term) {
	c.term(path, t, false)
	if t.Unit == UnitWorkingDays {
		c.bad(path+".unit", "runs day and night, not in working days; write min, h, cd or mo")
	}
}
