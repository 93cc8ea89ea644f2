package consent

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestStatus(t *testing.T) {
	v1 := with(given(), func(s *Statement) { s.NB = t0 + day })
	v2 := follow(v1, Narrowed, func(s *Statement) { s.To = s.To[:1] })
	for _, c := range []struct {
		name string
		r    *Record
		now  int64
		want Status
	}{
		{"nothing on record", &Record{ID: v1.ID}, t0, None},
		{"before nb", recordOf(t, v1), v1.NB - 1, NotYet},
		{"at nb", recordOf(t, v1), v1.NB, Status(Given)},
		{"last moment", recordOf(t, v1), v1.NA - 1, Status(Given)},
		{"at na", recordOf(t, v1), v1.NA, Expired},
		{"narrowed", recordOf(t, v1, v2), v1.NB, Status(Narrowed)},
		{"narrowed, at na", recordOf(t, v1, v2), v1.NA, Expired},
		{"withdrawn, at na", recordOf(t, v1, follow(v1, Withdrawn, nil)), v1.NA, Status(Withdrawn)},
		{"refused, at na", recordOf(t, with(v1, func(s *Statement) { s.Ev = Refused.Event() })), v1.NA, Status(Refused)},
		{"a clock set back frees nothing", recordOf(t, v1, follow(v1, Withdrawn, nil)), v1.At, Status(Withdrawn)},
	} {
		if got := c.r.Status(c.now); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	r := recordOf(t, v1, v2)
	for ver, want := range map[int]Status{0: None, 1: Superseded, 2: Status(Narrowed), 3: None} {
		if got := r.StatusOf(ver, v1.NB); got != want {
			t.Errorf("version %d: %q, want %q", ver, got, want)
		}
	}
}

func TestAppend(t *testing.T) {
	v1 := given()
	v2 := follow(v1, Withdrawn, nil)
	for _, c := range []struct {
		name string
		v    Version
		ok   bool
	}{
		{"next", Recorded(v2, 11, v2.At), true},
		{"same leaf", Recorded(v2, 10, v2.At), false},
		{"same version", Recorded(v1, 11, v2.At), false},
		{"prev is another", Recorded(with(v2, func(s *Statement) { s.Prev = 0 }), 11, v2.At), false},
		{"a hole", Recorded(follow(v2, Requested, nil), 11, v2.At), false},
		{"another consent", Recorded(with(v2, func(s *Statement) { s.ID = id("k", "2") }), 11, v2.At), false},
		{"act and event disagree", Version{Idx: 11, At: v2.At, Act: Given, S: *v2, By: v2.By}, false},
	} {
		r := recordOf(t, v1)
		err := r.Append(c.v)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if want := map[bool]int{true: 2, false: 1}[c.ok]; len(r.Versions) != want {
			t.Errorf("%s: %d versions, want %d", c.name, len(r.Versions), want)
		}
	}
}

// states brings a record into each state there is.
func states(t *testing.T) map[Status]*Record {
	first := func(act Act) *Statement { return with(given(), func(s *Statement) { s.Ev = act.Event() }) }
	v1 := given()
	expired := with(v1, func(s *Statement) { s.NA = s.NB + 1 })
	later := with(v1, func(s *Statement) { s.NB = s.NA - 1 })
	return map[Status]*Record{
		None:                {ID: v1.ID},
		Status(Requested):   recordOf(t, first(Requested)),
		Status(Deferred):    recordOf(t, first(Deferred)),
		Status(Given):       recordOf(t, v1),
		Status(Refused):     recordOf(t, first(Refused)),
		Status(Narrowed):    recordOf(t, v1, follow(v1, Narrowed, nil)),
		Status(Renewed):     recordOf(t, v1, follow(v1, Renewed, nil)),
		Status(Withdrawn):   recordOf(t, v1, follow(v1, Withdrawn, nil)),
		Status(Revoked):     recordOf(t, v1, follow(v1, Revoked, nil)),
		Status(Invalidated): recordOf(t, v1, follow(v1, Invalidated, nil)),
		Expired:             recordOf(t, expired),
		NotYet:              recordOf(t, later),
	}
}

// Every state with every act: the table of FORMAT.md §3, written out here a
// second time so that a slip in one shows against the other.
func TestTransitions(t *testing.T) {
	table := map[Status]string{
		None:                "yyyynnnnn",
		Status(Requested):   "nyyynnnnn",
		Status(Deferred):    "nyynnnnnn",
		Status(Given):       "nnnnyyyyy",
		Status(Refused):     "ynnnnnnnn",
		Status(Narrowed):    "nnnnyyyyy",
		Status(Renewed):     "nnnnyyyyy",
		Status(Withdrawn):   "ynnnnnnnn",
		Status(Revoked):     "nnnnnnnnn",
		Status(Invalidated): "ynnnnnnnn",
		Expired:             "ynnnnnyyy",
		NotYet:              "nnnnyyyyy",
	}
	all := states(t)
	if len(all) != len(table) || len(table) != len(admissible) {
		t.Fatalf("%d states, %d rows, %d in the program", len(all), len(table), len(admissible))
	}
	now := t0 + 20*day
	for from, row := range table {
		r := all[from]
		if got := r.Status(now); got != from {
			t.Fatalf("record for %q is %q", from, got)
		}
		for i, act := range Acts() {
			next := given()
			if cur := r.Current(); cur != nil {
				next = follow(&cur.S, act, func(s *Statement) { s.At = now })
			}
			next.Ev = act.Event()
			switch act {
			case Narrowed:
				next.Cats = next.Cats[:1]
			case Renewed:
				next.NA += day
			case Given:
				next.NB = max(next.NB, next.At)
			}
			err := r.Next(testPack(), next, now)
			if want := row[i] == 'y'; (err == nil) != want {
				t.Errorf("%q after %q: %v, want admitted %t", act, from, err, want)
			}
			var refused *TransitionError
			if err != nil && (!errors.As(err, &refused) || refused.Reason != NoTransition || refused.From != from || refused.Act != act) {
				t.Errorf("%q after %q: %v, want the reason transition", act, from, err)
			}
			if got := slices.Contains(Admissible(from), act); got != (row[i] == 'y') {
				t.Errorf("Admissible(%q) and %q: %t", from, act, got)
			}
		}
	}
}

func TestAdmissibleIsACopy(t *testing.T) {
	Admissible(None)[0] = "changed"
	if Admissible(None)[0] == "changed" {
		t.Error("the caller can change the table")
	}
}

// nextCase is one statement after another; the vectors hold the same cases.
type nextCase struct {
	name   string
	first  *Statement
	next   *Statement
	now    int64
	reason string
}

func nextCases() []nextCase {
	v1 := with(given(), func(s *Statement) { s.Onward = []string{ngo1.Inst} })
	asked := with(v1, func(s *Statement) { s.Ev = Requested.Event() })
	guarded := with(childs(), func(s *Statement) { s.Onward = []string{} })
	now := v1.At + day
	return []nextCase{
		{"narrowed by a recipient", v1, follow(v1, Narrowed, func(s *Statement) { s.To = s.To[:1] }), now, ""},
		{"narrowed by a category", v1, follow(v1, Narrowed, func(s *Statement) { s.Cats = s.Cats[1:] }), now, ""},
		{"narrowed by passing on", v1, follow(v1, Narrowed, func(s *Statement) { s.Onward = []string{} }), now, ""},
		{"narrowed by its end", v1, follow(v1, Narrowed, func(s *Statement) { s.NA-- }), now, ""},
		{"narrowed by its beginning", v1, follow(v1, Narrowed, func(s *Statement) { s.NB++ }), now, ""},
		{"narrowed to the same", v1, follow(v1, Narrowed, nil), now, NoChange},
		{"narrowed to the same in another order", v1, follow(v1, Narrowed, func(s *Statement) { slices.Reverse(s.To) }), now, NoChange},
		{"narrowed with another recipient", v1, follow(v1, Narrowed, func(s *Statement) { s.To = []string{policA.Inst} }), now, NoWidening},
		{"narrowed to a desk of a recipient", v1, follow(v1, Narrowed, func(s *Statement) { s.To = []string{ngo1.Desk} }), now, NoWidening},
		{"narrowed with another purpose", v1, follow(v1, Narrowed, func(s *Statement) { s.Purposes = []string{"legal-aid"} }), now, NoWidening},
		{"narrowed with another category", v1, follow(v1, Narrowed, func(s *Statement) { s.Cats = []string{"contact", "health"} }), now, NoWidening},
		{"narrowed with another sender", v1, follow(v1, Narrowed, func(s *Statement) { s.From = []string{ngo1.Inst} }), now, NoWidening},
		{"narrowed and passed on further", v1, follow(v1, Narrowed, func(s *Statement) { s.To, s.Onward = s.To[:1], []string{nesA.Inst} }), now, NoWidening},
		{"narrowed and longer", v1, follow(v1, Narrowed, func(s *Statement) { s.To, s.NA = s.To[:1], s.NA+1 }), now, NoWidening},
		{"narrowed and earlier", v1, follow(v1, Narrowed, func(s *Statement) { s.To, s.NB = s.To[:1], s.NB-1 }), now, NoWidening},
		{"narrowed in another's name", guarded, follow(guarded, Narrowed, func(s *Statement) {
			s.To, s.Grantor.H = s.To[:1], id("g", "2")
		}), now, NoGrantor},
		{"narrowed into the past", v1, follow(v1, Narrowed, func(s *Statement) { s.NA = now }), now, NoTime},
		{"narrowed to the next moment", v1, follow(v1, Narrowed, func(s *Statement) { s.NA = now + 1 }), now, ""},

		{"renewed", v1, follow(v1, Renewed, func(s *Statement) { s.NA++ }), now, ""},
		{"renewed for less", v1, follow(v1, Renewed, func(s *Statement) { s.NA++; s.To = s.To[:1] }), now, ""},
		{"renewed for more", v1, follow(v1, Renewed, func(s *Statement) { s.NA++; s.To = append(s.To, policA.Inst) }), now, NoWidening},
		{"renewed without a later end", v1, follow(v1, Renewed, nil), now, NoTime},
		{"renewed, reaching back", v1, follow(v1, Renewed, func(s *Statement) { s.NA++; s.NB-- }), now, NoWidening},
		{"renewed by another guardian", guarded, follow(guarded, Renewed, func(s *Statement) { s.NA++; s.Grantor.H = id("g", "2") }), now, ""},
		{"renewed in the last moment", v1, follow(v1, Renewed, func(s *Statement) { s.NA++ }), v1.NA - 1, ""},
		{"renewed too late", v1, follow(v1, Renewed, func(s *Statement) { s.NA++ }), v1.NA, NoTransition},

		{"withdrawn", v1, follow(v1, Withdrawn, nil), now, ""},
		{"withdrawn, naming nothing", v1, follow(v1, Withdrawn, func(s *Statement) {
			s.From, s.To, s.Purposes, s.Cats, s.Onward = []string{}, []string{}, []string{}, []string{}, []string{}
		}), now, ""},
		{"withdrawn by whoever was told", guarded, follow(guarded, Withdrawn, func(s *Statement) { s.Grantor = Grantor{s.Subj, Self} }), now, ""},
		{"withdrawn, naming more", v1, follow(v1, Withdrawn, func(s *Statement) { s.To = append(s.To, policA.Inst) }), now, NoWidening},
		{"withdrawn after its end", v1, follow(v1, Withdrawn, nil), v1.NA, ""},

		{"yes to what was asked", asked, follow(asked, Given, func(s *Statement) { s.NB = s.At }), now, ""},
		{"yes to part of it", asked, follow(asked, Given, func(s *Statement) { s.NB, s.Cats = s.At, s.Cats[:1] }), now, ""},
		{"yes to more", asked, follow(asked, Given, func(s *Statement) { s.NB, s.Cats = s.At, append(s.Cats, "health") }), now, NoWidening},
		{"yes for longer than asked", asked, follow(asked, Given, func(s *Statement) { s.NB, s.NA = s.At, s.NA+day }), now, ""},
		{"yes, over already", asked, follow(asked, Given, func(s *Statement) { s.NB = s.At }), v1.NA, NoTime},
		{"no to what was asked", asked, follow(asked, Refused, nil), now, ""},
		{"no to more", asked, follow(asked, Refused, func(s *Statement) { s.To = append(s.To, policA.Inst) }), now, NoWidening},

		{"another person", v1, follow(v1, Withdrawn, func(s *Statement) { s.Subj, s.Grantor = id("p", "2"), Grantor{id("p", "2"), Self} }), now, NoIdentity},
		{"another case", v1, follow(v1, Withdrawn, func(s *Statement) { s.Case = id("c", "2") }), now, NoIdentity},
		{"another consent", v1, follow(v1, Withdrawn, func(s *Statement) { s.ID = id("k", "2") }), now, NoIdentity},
		{"the same version", v1, with(follow(v1, Withdrawn, nil), func(s *Statement) { s.Ver, s.Prev = 1, 0 }), now, NoVersion},
		{"a version left out", v1, with(follow(v1, Withdrawn, nil), func(s *Statement) { s.Ver, s.Prev = 3, 2 }), now, NoVersion},
		{"given twice", v1, follow(v1, Given, nil), now, NoTransition},
		{"asked for more while given", v1, follow(v1, Requested, func(s *Statement) { s.To = append(s.To, policA.Inst) }), now, NoTransition},
	}
}

func TestNext(t *testing.T) {
	for _, c := range nextCases() {
		err := recordOf(t, c.first).Next(testPack(), c.next, c.now)
		var refused *TransitionError
		switch {
		case c.reason == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.reason != "" && (!errors.As(err, &refused) || refused.Reason != c.reason):
			t.Errorf("%s: %v, want %s", c.name, err, c.reason)
		}
	}
}

func TestFirstVersionOverAlready(t *testing.T) {
	s, r := given(), &Record{ID: given().ID}
	if err := r.Next(testPack(), s, s.NA-1); err != nil {
		t.Errorf("in its last moment: %v", err)
	}
	var refused *TransitionError
	if err := r.Next(testPack(), s, s.NA); !errors.As(err, &refused) || refused.Reason != NoTime {
		t.Errorf("at its end: %v", err)
	}
}

// Parse refuses such a statement; Next does not rely on it.
func TestNextWithAnotherPrev(t *testing.T) {
	s := with(follow(given(), Withdrawn, nil), func(s *Statement) { s.Prev = 0 })
	var refused *TransitionError
	if err := recordOf(t, given()).Next(testPack(), s, s.At); !errors.As(err, &refused) || refused.Reason != NoVersion {
		t.Errorf("%v, want %s", err, NoVersion)
	}
}

func TestNextIncludesCheck(t *testing.T) {
	s := with(given(), func(s *Statement) { s.Told = []string{} })
	checkFault(t, "not told", (&Record{ID: s.ID}).Next(testPack(), s, s.At), "told", FaultTold)
}

// A person who said no is left alone for the pack's seven days, which end with
// the seventh.
func TestReask(t *testing.T) {
	no := with(given(), func(s *Statement) { s.Ev, s.At, s.NB = Refused.Event(), belgrade(t, "2026-03-20 11:00:00.000"), t0 })
	again := belgrade(t, "2026-03-28 00:00:00.000") // 27 March is the seventh day
	r := recordOf(t, no)
	for _, c := range []struct {
		now int64
		ok  bool
	}{{no.At, false}, {again - 1, false}, {again, true}} {
		ask := follow(no, Requested, func(s *Statement) { s.At = c.now })
		err := r.Next(testPack(), ask, c.now)
		checkReask(t, "the same record", err, c.ok)

		elsewhere := with(ask, func(s *Statement) { s.ID, s.Ver, s.Prev = id("k", "2"), 1, 0 })
		checkReask(t, "a new record", CheckReask(testPack(), []*Record{r}, elsewhere, c.now), c.ok)
	}
	for name, change := range map[string]func(*Statement){
		"of another person":   func(s *Statement) { s.Subj, s.Grantor.H = id("p", "2"), id("p", "2") },
		"for other parties":   func(s *Statement) { s.To = []string{policA.Inst} },
		"for another purpose": func(s *Statement) { s.Purposes = []string{"employment"} },
		"an answer, not asked": func(s *Statement) {
			s.Ev = Given.Event()
		},
	} {
		s := with(no, func(s *Statement) { s.ID, s.Ev = id("k", "2"), Requested.Event(); change(s) })
		checkReask(t, name, CheckReask(testPack(), []*Record{r, {ID: id("k", "3")}}, s, no.At), true)
	}
	withdrawn := recordOf(t, given(), follow(given(), Withdrawn, nil))
	s := with(given(), func(s *Statement) { s.ID, s.Ev = id("k", "2"), Requested.Event() })
	checkReask(t, "after a withdrawal", CheckReask(testPack(), []*Record{withdrawn}, s, t0+day), true)
}

func checkReask(t *testing.T, name string, err error, ok bool) {
	t.Helper()
	var refused *TransitionError
	if ok && err != nil || !ok && (!errors.As(err, &refused) || refused.Reason != NoReask) {
		t.Errorf("%s: %v, want admitted %t", name, err, ok)
	}
}

// Whatever is recorded in whatever order: versions stay dense, and what is
// admitted never names more than the yes before it.
func TestRecordProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r, now := &Record{ID: given().ID}, t0
		for i := range rapid.IntRange(1, 12).Draw(rt, "attempts") {
			now += rapid.Int64Range(0, 60*day).Draw(rt, "passes")
			next := drawNext(rt, r, now)
			prev := r.Current()
			if r.Next(testPack(), next, now) != nil {
				continue
			}
			if err := r.Append(Recorded(next, int64(i), now)); err != nil {
				rt.Fatalf("admitted but not appended: %v", err)
			}
			if next.Act() == Narrowed && (next.outside(&prev.S) != "" || next.NA > prev.S.NA || next.NB < prev.S.NB) {
				rt.Fatalf("narrowed to more: %+v after %+v", next, prev.S)
			}
		}
		for i, v := range r.Versions {
			if v.S.Ver != i+1 || v.S.Prev != i || v.S.Subj != r.Versions[0].S.Subj {
				rt.Fatalf("version %d is %+v", i+1, v.S)
			}
		}
	})
}

// drawNext draws a following statement: any act, any part of a small world.
func drawNext(rt *rapid.T, r *Record, now int64) *Statement {
	act := rapid.SampledFrom(Acts()).Draw(rt, "act")
	part := func(name string, all []string) []string {
		out := []string{}
		for _, v := range all {
			if rapid.IntRange(0, 3).Draw(rt, name) > 0 {
				out = append(out, v)
			}
		}
		return out
	}
	return with(given(), func(s *Statement) {
		s.Ev, s.At, s.Ver, s.Prev = act.Event(), now, len(r.Versions)+1, len(r.Versions)
		s.From = part("from", []string{swcA.Inst, ngo1.Inst})
		s.To = part("to", []string{ngo1.Inst, nesA.Inst, policA.Desk})
		s.Purposes = part("purposes", []string{"assistance", "legal-aid"})
		s.Cats = part("cats", []string{"contact", "needs", "health"})
		s.Onward = part("onward", []string{ngo1.Inst})
		s.NB = now + rapid.SampledFrom([]int64{0, 0, 1, -2 * day, day}).Draw(rt, "nb")
		s.NA = s.NB + rapid.SampledFrom([]int64{1, day, month, 6 * month}).Draw(rt, "length")
		if cur := r.Current(); cur != nil && rapid.Bool().Draw(rt, "keep beginning") {
			s.NB = cur.S.NB
		}
	})
}
