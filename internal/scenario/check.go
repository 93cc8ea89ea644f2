package scenario

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

// Limits of a file.
const (
	maxNames  = 64      // actors; persons and others; cases
	maxSteps  = 400     //
	maxExpect = 64      // of one kind after one step
	maxText   = 4 << 10 // bytes of a text
	maxList   = 32      // elements of any other list
	maxAttach = 64 << 20
)

// formatVersion is the only one there is.
const formatVersion = 1

// checker holds a decoded file against what its members may be (the tag is) and
// collects what is wrong.
type checker struct {
	f        *File
	packs    *rules.Set
	pack     *rules.Pack
	insts    map[string]demo.Institution
	names    map[string]map[string]bool // sort of name to the names of that sort
	problems []Problem
}

func newChecker(f *File, packs *rules.Set) *checker {
	c := &checker{f: f, packs: packs, insts: map[string]demo.Institution{}, names: map[string]map[string]bool{}}
	for _, sort := range []string{"actor", "person", "other", "case", "message", "consent", "grant", "thing", "institution"} {
		c.names[sort] = map[string]bool{}
	}
	return c
}

func (c *checker) report(path, format string, args ...any) {
	c.problems = append(c.problems, Problem{Line: lineOf(c.f.lines, path), Path: path, Text: fmt.Sprintf(format, args...)})
}

func (c *checker) run() []Problem {
	if !c.head() {
		return c.problems
	}
	c.f.times(c.f.Location(), c.report)
	c.bounds()
	c.cast()
	c.steps()
	slices.SortStableFunc(c.problems, func(a, b Problem) int { return a.Line - b.Line })
	return c.problems
}

// head checks what everything else rests on.
func (c *checker) head() bool {
	f := c.f
	if f.Format != formatVersion {
		c.report("format", "is %d, this program reads %d", f.Format, formatVersion)
	}
	if !statement.IsCode(f.ID) {
		c.report("id", "give the scenario a short name of lower-case letters, digits and '-'")
	}
	c.text("title", f.Title, true)
	if f.Pack == "" {
		f.Pack = "rs-a@1"
	}
	pack, ok := c.packs.Get(f.Pack)
	if !ok {
		c.report("pack", "this program ships no rule pack %q; it has %s", clip(f.Pack), strings.Join(c.packs.IDs(), ", "))
		return false
	}
	c.pack, f.pack = pack, pack
	if f.Zone != "" && f.Location().String() != f.Zone {
		c.report("zone", "no time zone %q; leave it out for that of the pack", clip(f.Zone))
	}
	if len(f.Steps) == 0 {
		c.report("", "a scenario has at least one [[step]]")
	}
	return len(c.problems) == 0
}

// text wants both languages or, where it may be absent, none.
func (c *checker) text(path string, t Text, must bool) {
	if (t.EN == "") != (t.SR == "") || must && t.EN == "" {
		c.report(path, "say it in English (en) and Serbian (sr)")
	}
}

// bounds limits every list and text of the file.
func (c *checker) bounds() {
	walk("", reflect.ValueOf(c.f), func(path string, _ reflect.StructField, v reflect.Value) {
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		switch v.Kind() {
		case reflect.String:
			if v.Len() > maxText || !utf8.ValidString(v.String()) {
				c.report(path, "a text has at most %d bytes of UTF-8", maxText)
			}
		case reflect.Slice, reflect.Map:
			if most := mostOf(path); v.Len() > most {
				c.report(path, "%d of them, at most %d", v.Len(), most)
			}
		case reflect.Int, reflect.Int64:
			least := int64(0)
			if strings.HasSuffix(path, ".level") {
				least = -1 // of a duty that is not escalated
			}
			if v.Int() < least || v.Int() > maxAttach {
				c.report(path, "is not between %d and %d", least, maxAttach)
			}
		}
	})
}

func mostOf(path string) int {
	switch {
	case path == "step":
		return maxSteps
	case strings.Contains(path, ".expect."):
		return maxExpect
	case !strings.Contains(path, "."):
		return maxNames
	}
	return maxList
}

// cast takes down who and what there is.
func (c *checker) cast() {
	c.list("persons", "person", c.f.Persons)
	c.list("others", "other", c.f.Others)
	c.list("cases", "case", c.f.Cases)
	all, err := demo.Institutions()
	if err != nil {
		c.report("", "%v", err)
	}
	for _, i := range all {
		c.insts[i.Code] = i
		c.names["institution"][i.Code] = true
	}
	for i, a := range c.f.Actors {
		path := element("actor", i)
		c.declare(join(path, "name"), "actor", a.Name)
		if c.names["institution"][a.Name] && a.institution() != a.Name {
			c.report(join(path, "name"), "%q is an institution, and the actor is not a desk of it", a.Name)
		}
		c.officer(path, &a)
		switch {
		case (a.Desk == "") == (a.Sponsor == ""):
			c.report(path, "an actor is a desk of the demonstration directory (desk) or a representative (sponsor)")
		case a.Desk != "":
			c.desk(join(path, "desk"), a.Desk)
		case !slices.Contains(c.insts[a.Sponsor].Desks, directory.Rep):
			c.report(join(path, "sponsor"), "%q hosts no representatives", clip(a.Sponsor))
		}
	}
}

// officer checks which officer of the desk acts.
func (c *checker) officer(path string, a *Actor) {
	switch {
	case a.Officer < 0 || a.Officer > 2:
		c.report(join(path, "officer"), "a desk begins with officers 1 and 2")
	case a.Officer != 0 && (a.Joins || a.Sponsor != ""):
		c.report(join(path, "officer"), "who joins, or represents, is no officer of the beginning")
	case a.Joins && a.Sponsor != "":
		c.report(join(path, "joins"), "a representative's desk has one officer")
	}
}

func (c *checker) desk(path, name string) {
	code, fn, _ := strings.Cut(name, ".")
	inst, ok := c.insts[code]
	if !ok {
		c.report(path, "the demonstration directory has no institution %q", clip(code))
		return
	}
	if fn == directory.Rep || !slices.Contains(inst.Desks, fn) {
		c.report(path, "%s has no desk %q; it has %s", code, clip(fn), strings.Join(inst.Desks, ", "))
	}
}

func (c *checker) list(path, sort string, names []string) {
	for i, name := range names {
		c.declare(element(path, i), sort, name)
	}
}

// declare takes a name down, once among all names of persons and actors, all of
// cases, and all of things.
func (c *checker) declare(path, sort, name string) {
	if !statement.IsCode(name) {
		c.report(path, "%q is no name: use lower-case letters, digits and '-'", clip(name))
		return
	}
	for _, rival := range rivals[sort] {
		if c.names[rival][name] {
			c.report(path, "%q is the name of another %s", name, rival)
		}
	}
	c.names[sort][name] = true
}

// rivals are the sorts of names among which a name is unique, since some member
// takes either.
var rivals = map[string][]string{
	"actor": {"actor", "person", "other"}, "person": {"actor", "person", "other"},
	"other": {"actor", "person", "other"}, "case": {"case"}, "thing": {"thing"},
}
