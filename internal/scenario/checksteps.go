package scenario

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/odziv/odziv/consent"
	"github.com/odziv/odziv/internal/api/wire"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/obligation"
)

// steps checks each step against what the steps before it named.
func (c *checker) steps() {
	last := int64(0)
	for i := range c.f.Steps {
		s, path := &c.f.Steps[i], element("step", i)
		if s.At.MS != 0 && s.At.MS < last {
			c.report(join(path, "at"), "is before the step before it")
		}
		last = max(last, s.At.MS)
		c.text(join(path, "note"), s.Note, false)
		c.one(path, s)
		c.declareThings(path, s)
		c.members(path, reflect.ValueOf(s))
		c.shapes(path, s)
	}
}

// actions are the members of a step that do something.
func (s *Step) actions() []string {
	var done []string
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch name := f.Tag.Get("toml"); name {
		case "at", "note", "bookkeeper", "refused", "expect":
		default:
			if !v.Field(i).IsZero() {
				done = append(done, name)
			}
		}
	}
	return done
}

func (c *checker) one(path string, s *Step) {
	done := s.actions()
	if len(done) > 1 {
		c.report(path, "does several things (%s): make several steps of them; they may have the same time", strings.Join(done, ", "))
	}
	if len(done) == 0 && s.Refused != nil {
		c.report(join(path, "refused"), "nothing is done that could be refused")
	}
	if len(s.Set) == 1 {
		c.report(join(path, "set"), "a set has at least two messages")
	}
}

// declareThings takes down what a step names, before its own members refer to
// it: a message may fulfil what it opens.
func (c *checker) declareThings(path string, s *Step) {
	named := func(member, sort, name string) {
		if name == "" {
			return
		}
		c.declare(join(path, member), "thing", name)
		c.names[sort][name] = true
	}
	if s.Send != nil {
		named("send.as", "message", s.Send.As)
	}
	for i, m := range s.Set {
		named(element("set", i)+".as", "message", m.As)
	}
	if s.Consent != nil {
		named("consent.as", "consent", s.Consent.As)
	}
	if s.Grant != nil {
		named("grant.as", "grant", s.Grant.As)
	}
	if s.Attest != nil {
		named("attest.as", "thing", s.Attest.As)
	}
	if s.Exclude != nil {
		named("exclude.as", "thing", s.Exclude.As)
	}
	if s.Silence != nil {
		named("silence.as", "thing", s.Silence.As)
	}
	if s.Issue != nil {
		named("issue.as", "thing", s.Issue.As)
	}
	if s.Steal != nil {
		named("steal.as", "thing", s.Steal.As)
	}
}

// members checks every member that has a tag.
func (c *checker) members(path string, v reflect.Value) {
	walk(path, v, func(path string, f reflect.StructField, v reflect.Value) {
		is := strings.Fields(f.Tag.Get("is"))
		if len(is) == 0 {
			return
		}
		if is[0] == "must" {
			is = is[1:]
			if v.IsZero() {
				c.report(path, "is missing")
				return
			}
		}
		if len(is) > 0 {
			c.each(path, strings.Split(is[0], "|"), v)
		}
	})
}

// each checks a value, or every element of a list.
func (c *checker) each(path string, sorts []string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			c.each(path, sorts, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			c.each(element(path, i), sorts, v.Index(i))
		}
	case reflect.String:
		c.value(path, sorts, v.String())
	}
}

// value wants s to be of one of the sorts; an absent one is fine.
func (c *checker) value(path string, sorts []string, s string) {
	if s == "" || slices.ContainsFunc(sorts, func(sort string) bool { return c.is(sort, s) }) {
		return
	}
	c.report(path, "%q is no %s here", clip(s), strings.Join(sorts, " or "))
}

// is reports whether s is of a sort: a name the file declared, a code of the
// pack, or a word of the format.
func (c *checker) is(sort, s string) bool {
	if names, ok := c.names[sort]; ok {
		return names[s]
	}
	if words, ok := words[sort]; ok {
		return slices.Contains(words, s)
	}
	switch sort {
	case "code":
		return statement.IsCode(s)
	case "text", "name", "moment":
		return s == strings.TrimSpace(s)
	case "acted": // a reason of the pack, or the engine's own
		return s == obligation.ReasonBlocked || c.inPack("reason", s)
	case "problem":
		return wire.Title(s) != "" || slices.Contains(programCodes, s)
	case "act":
		return slices.Contains(consent.Acts(), consent.Act(s))
	}
	return c.inPack(sort, s)
}

// programCodes are the codes with which a program itself says no, beside those
// of the exchange.
var programCodes = []string{"field", "epoch", "lie", "unexpected", "release"}

// inPack reports whether the rule pack has a code of a sort.
func (c *checker) inPack(sort, s string) (ok bool) {
	p := c.pack
	switch sort {
	case "kind":
		_, ok = p.Kind(s)
	case "rule":
		_, ok = p.Rule(s)
	case "basis":
		_, ok = p.Basis(s)
	case "purpose":
		_, ok = p.Purpose(s)
	case "category":
		_, ok = p.Category(s)
	case "value":
		_, ok = p.Value(s)
	case "clock":
		_, ok = p.Clock(s)
	case "channel":
		_, ok = p.Letter(s)
	case "reason":
		ok = slices.ContainsFunc(p.Reasons, func(r rules.Reason) bool { return r.Code == s })
	}
	return ok
}

// shapes checks what one member alone does not show.
func (c *checker) shapes(path string, s *Step) {
	for i, m := range s.Set {
		c.sendShape(element(join(path, "set"), i), m)
	}
	if s.Send != nil {
		c.sendShape(join(path, "send"), s.Send)
	}
	if k := s.Consent; k != nil {
		first := k.As != ""
		if first == (k.Of != "") {
			c.report(join(path, "consent"), "name the consent: as for a new one, of for a further version")
		}
		if first && (k.Person == "" || k.Case == "" || len(k.From) == 0 || len(k.To) == 0 || len(k.Purposes) == 0 || len(k.Cats) == 0) {
			c.report(join(path, "consent"), "the first version names person, case, from, to, purposes and cats")
		}
	}
	c.expectShapes(join(path, "expect"), &s.Expect)
}

func (c *checker) sendShape(path string, m *Send) {
	if m.Case == "" && m.Re == "" {
		c.report(path, "name the case, or the message that this one answers (re)")
	}
	for i, a := range m.Acts {
		if a.Op != messaging.OpDeclare && a.Of == "" {
			c.report(element(join(path, "act"), i), "say what opened the duty (of)")
		}
	}
}

// expectShapes wants every expectation to compare something.
func (c *checker) expectShapes(path string, e *Expect) {
	for _, x := range e.all(path) {
		switch v := x.what.(type) {
		case *DutyExpect, *FeedExpect, *ProofExpect: // that it is there, or verifies, is something
			continue
		case *MissingExpect:
			if (v.Desk == "") == (v.Institution == "") {
				c.report(x.path, "name a desk or an institution")
			}
		}
		if compares(x.what) == 0 {
			c.report(x.path, "compares nothing")
		}
	}
}

// compares counts the members of an expectation that are compared.
func compares(e any) int {
	n := 0
	v := reflect.ValueOf(e).Elem()
	for i := range v.NumField() {
		if _, ok := v.Type().Field(i).Tag.Lookup("check"); ok && !v.Field(i).IsZero() {
			n++
		}
	}
	return n
}

// expected is one expectation with its place.
type expected struct {
	path string
	what any
}

// all lists the expectations of a step in the order of their kinds.
func (e *Expect) all(path string) []expected {
	var list []expected
	v := reflect.ValueOf(e).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("toml")
		for n := range v.Field(i).Len() {
			list = append(list, expected{fmt.Sprintf("%s.%s[%d]", path, name, n), v.Field(i).Index(n).Interface()})
		}
	}
	return list
}
