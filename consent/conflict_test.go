package consent

import (
	"reflect"
	"testing"

	"github.com/odziv/odziv/internal/statement"
)

func conflictSet() *ConflictSet {
	return &ConflictSet{
		Head: with(given(), func(s *Statement) { s.Ev, s.ID = EventConflictSet, id("x", "1") }).Head,
		Subj: []string{id("p", "1"), id("p", "2")}, Who: id("g", "parent"), Rel: "parent",
		Ground: "suspect", Level: "suspicion", ReviewBy: t0 + 30*day,
	}
}

func conflictLifted() *ConflictLifted {
	return &ConflictLifted{
		Head: with(given(), func(s *Statement) { s.Ev, s.ID, s.At = EventConflictLifted, id("x", "2"), t0+day }).Head,
		Of:   id("x", "1"), Reason: "ground-gone",
	}
}

func TestConflictRoundTrip(t *testing.T) {
	set, err := ParseConflictSet(signed(t, conflictSet(), officer("swc-a.case")))
	if err != nil || !reflect.DeepEqual(set, conflictSet()) {
		t.Errorf("%+v, %v", set, err)
	}
	lifted, err := ParseConflictLifted(signed(t, conflictLifted(), officer("swc-a.case"), officer("swc-a.head")))
	if err != nil || !reflect.DeepEqual(lifted, conflictLifted()) {
		t.Errorf("%+v, %v", lifted, err)
	}
	if _, err := ParseConflictLifted(signed(t, conflictSet(), officer("swc-a.case"))); err == nil {
		t.Error("a conflict.set was read as conflict.lifted")
	}
	if _, err := ParseConflictSet(signed(t, conflictLifted(), officer("swc-a.case"))); err == nil {
		t.Error("a conflict.lifted was read as conflict.set")
	}
	d := signed(t, conflictSet(), officer("swc-a.case"))
	d.PayloadType = statement.TypeOfEvent(EventConflictLifted)
	if _, err := ParseConflictSet(d); err == nil {
		t.Error("payload type of another event accepted")
	}
	d = signed(t, conflictLifted(), officer("swc-a.case"))
	d.PayloadType = statement.TypeOfEvent(EventConflictSet)
	if _, err := ParseConflictLifted(d); err == nil {
		t.Error("payload type of another event accepted")
	}
}

func TestConflictShape(t *testing.T) {
	for name, change := range map[string]func(*ConflictSet){
		"another event":     func(c *ConflictSet) { c.Ev = Given.Event() },
		"id of a consent":   func(c *ConflictSet) { c.ID = id("k", "1") },
		"no case":           func(c *ConflictSet) { c.Case = "" },
		"nobody protected":  func(c *ConflictSet) { c.Subj = []string{} },
		"subj absent":       func(c *ConflictSet) { c.Subj = nil },
		"17 persons":        func(c *ConflictSet) { c.Subj = ids("p", 17) },
		"not a person":      func(c *ConflictSet) { c.Subj = []string{id("g", "1")} },
		"an institution":    func(c *ConflictSet) { c.Who = swcA.Inst },
		"their own matter":  func(c *ConflictSet) { c.Who = c.Subj[1] },
		"review now":        func(c *ConflictSet) { c.ReviewBy = c.At },
		"ground in words":   func(c *ConflictSet) { c.Ground = "Some words" },
		"level in words":    func(c *ConflictSet) { c.Level = "Some words" },
		"relation in words": func(c *ConflictSet) { c.Rel = "Some words" },
	} {
		c := conflictSet()
		change(c)
		if _, _, err := c.Encode(); err == nil {
			t.Errorf("set: %s: accepted", name)
		}
	}
	for name, change := range map[string]func(*ConflictSet){
		"16 persons":    func(c *ConflictSet) { c.Subj = ids("p", 16) },
		"a desk":        func(c *ConflictSet) { c.Who = ngo1.Desk },
		"another p":     func(c *ConflictSet) { c.Who = id("p", "3") },
		"review at + 1": func(c *ConflictSet) { c.ReviewBy = c.At + 1 },
	} {
		c := conflictSet()
		change(c)
		if _, _, err := c.Encode(); err != nil {
			t.Errorf("set: %s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*ConflictLifted){
		"another event":   func(c *ConflictLifted) { c.Ev = EventConflictSet },
		"id of a consent": func(c *ConflictLifted) { c.ID = id("k", "1") },
		"no case":         func(c *ConflictLifted) { c.Case = "" },
		"of a consent":    func(c *ConflictLifted) { c.Of = id("k", "1") },
		"no reason":       func(c *ConflictLifted) { c.Reason = "" },
	} {
		c := conflictLifted()
		change(c)
		if _, _, err := c.Encode(); err == nil {
			t.Errorf("lifted: %s: accepted", name)
		}
	}
}

func TestConflictCheck(t *testing.T) {
	review := belgrade(t, "2026-03-16 00:00:00.000") // 15 March is the thirtieth day
	for _, c := range []struct {
		name   string
		change func(*ConflictSet)
		member string
		reason string
	}{
		{"as set", func(c *ConflictSet) {}, "", ""},
		{"unknown relation", func(c *ConflictSet) { c.Rel = "x" }, "rel", FaultUnknown},
		{"unknown ground", func(c *ConflictSet) { c.Ground = "x" }, "ground", FaultUnknown},
		{"unknown level", func(c *ConflictSet) { c.Level = "x" }, "level", FaultUnknown},
		{"reviewed in time", func(c *ConflictSet) { c.ReviewBy = review }, "", ""},
		{"reviewed too late", func(c *ConflictSet) { c.ReviewBy = review + 1 }, "review_by", FaultValidity},
	} {
		set := conflictSet()
		c.change(set)
		checkFault(t, c.name, set.Check(testPack()), c.member, c.reason)
	}
	checkFault(t, "lifted", conflictLifted().Check(testPack()), "", "")
	lifted := conflictLifted()
	lifted.Reason = "task-given" // a reason for something else
	checkFault(t, "lifted for another reason", lifted.Check(testPack()), "reason", FaultUnknown)
}

func TestExclusion(t *testing.T) {
	set := conflictSet()
	x := Excluding(set, 5, t0)
	who, p1 := set.Who, set.Subj[0]
	for _, c := range []struct {
		name      string
		who, subj string
		now       int64
		want      bool
	}{
		{"as set", who, p1, t0, true},
		{"a brother or sister", who, set.Subj[1], t0, true},
		{"after the review date", who, p1, set.ReviewBy + 1, true},
		{"by a clock set back", who, p1, t0 - 1, true},
		{"another person", who, id("p", "3"), t0, false},
		{"somebody else", id("g", "other"), p1, t0, false},
	} {
		if got := x.Excludes(c.who, c.subj, c.now); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
	for name, change := range map[string]func(*ConflictLifted){
		"of another":   func(c *ConflictLifted) { c.Of = id("x", "9") },
		"another case": func(c *ConflictLifted) { c.Case = id("c", "9") },
	} {
		l := conflictLifted()
		change(l)
		if err := x.Lift(l, 6, t0+day); err == nil || x.LiftedAt != 0 {
			t.Errorf("lifted by a statement %s", name)
		}
	}
	if err := x.Lift(conflictLifted(), 5, t0+day); err == nil {
		t.Error("lifted at the leaf that set it")
	}
	if err := x.Lift(conflictLifted(), 6, t0+day); err != nil {
		t.Fatal(err)
	}
	if !x.Excludes(who, p1, t0+day-1) || x.Excludes(who, p1, t0+day) {
		t.Error("lifted at another time than recorded")
	}
	if err := x.Lift(conflictLifted(), 7, t0+day); err == nil {
		t.Error("lifted twice")
	}
}

func TestCheckConflict(t *testing.T) {
	out := func(who string) *shelf {
		b := book()
		b.exclusions = []Exclusion{{Subj: []string{id("p", "1")}, Who: who}}
		return b
	}
	child := with(childs(), func(s *Statement) { s.To, s.Onward = []string{nesA.Inst, ngo1.Desk}, []string{policA.Desk} })
	for _, c := range []struct {
		name   string
		who    string
		act    Act
		member string
		reason string
	}{
		{"grantor asked", child.Grantor.H, Requested, "grantor", FaultExcluded},
		{"grantor gives", child.Grantor.H, Given, "grantor", FaultExcluded},
		{"grantor renews", child.Grantor.H, Renewed, "grantor", FaultExcluded},
		{"grantor narrows", child.Grantor.H, Narrowed, "", ""},
		{"grantor withdraws", child.Grantor.H, Withdrawn, "", ""},
		{"grantor refuses", child.Grantor.H, Refused, "", ""},
		{"recipient", ngo1.Desk, Given, "to", FaultExcluded},
		{"passed on to", policA.Desk, Given, "onward", FaultExcluded},
		{"somebody else", id("g", "other"), Given, "", ""},
	} {
		s := with(child, func(s *Statement) { s.Ev = c.act.Event() })
		checkFault(t, c.name, CheckConflict(out(c.who), s, t0), c.member, c.reason)
	}
}
