package consent

import (
	"reflect"
	"slices"
	"testing"

	"github.com/odziv/odziv/messaging"
	"pgregory.net/rapid"
)

// world is a small set of everything, so that draws meet each other often.
var world = struct {
	persons, grantors, cases, purposes, cats []string
	parties                                  []Party
}{
	persons:  []string{id("p", "1"), id("p", "2")},
	grantors: []string{id("g", "1"), id("g", "2")},
	cases:    []string{id("c", "1"), id("c", "2"), id("c", "3")},
	purposes: []string{"assistance", "legal-aid"},
	cats:     []string{"contact", "needs", "health"},
	parties:  []Party{swcA, swcAL, ngo1, nesA, policA, repOf1},
}

func some[T any](rt *rapid.T, name string, all []T, least int) []T {
	return rapid.Custom(func(rt *rapid.T) []T {
		order := rapid.Permutation(all).Draw(rt, "order")
		return order[:rapid.IntRange(least, len(all)).Draw(rt, "count")]
	}).Draw(rt, name)
}

func one[T any](rt *rapid.T, name string, all []T) T { return rapid.SampledFrom(all).Draw(rt, name) }

// drawConsent draws a consent of any act and scope.
func drawConsent(rt *rapid.T, name string) *Statement {
	return with(given(), func(s *Statement) {
		s.ID, s.Subj, s.Case = id("k", name), one(rt, "subj", world.persons), one(rt, "case", world.cases)
		s.Grantor = Grantor{one(rt, "grantor", world.grantors), "guardian"}
		if rapid.Bool().Draw(rt, "self") {
			s.Grantor = Grantor{s.Subj, Self}
		}
		s.Ev = one(rt, "act", append([]Act{Given, Given, Given, Given, Renewed, Narrowed}, Acts()...)).Event()
		s.From = some(rt, "from", []string{swcA.Inst, ngo1.Inst}, 1)
		s.To = some(rt, "to", []string{swcA.Inst, swcAL.Desk, ngo1.Inst, nesA.Inst, policA.Desk, repOf1.Desk}, 1)
		s.Purposes = some(rt, "purposes", world.purposes, 1)
		s.Cats = some(rt, "cats", world.cats, 1)
		s.NB = t0 + rapid.Int64Range(0, 3).Draw(rt, "nb")
		s.NA = s.NB + rapid.Int64Range(1, 4).Draw(rt, "length")
	})
}

// drawBook draws a few consents with an exclusion and a link here and there.
func drawBook(rt *rapid.T) (*shelf, []*Statement) {
	var all []*Statement
	b := book()
	for _, name := range []string{"a", "b", "c", "d"}[:rapid.IntRange(1, 4).Draw(rt, "consents")] {
		s := drawConsent(rt, name)
		b.records[s.ID] = &Record{ID: s.ID, Versions: []Version{Recorded(s, int64(100+len(all)), s.At)}}
		all = append(all, s)
	}
	if rapid.IntRange(0, 3).Draw(rt, "exclude") == 0 {
		who := one(rt, "who", append(slices.Clone(world.grantors), ngo1.Desk, nesA.Desk))
		b.exclusions = append(b.exclusions, Exclusion{Subj: some(rt, "of", world.persons, 1), Who: who})
	}
	if rapid.Bool().Draw(rt, "link") {
		b.links = append(b.links, [2]string{world.cases[0], world.cases[1]})
	}
	return b, all
}

func drawRequest(rt *rapid.T, all []*Statement) Request {
	req := Request{
		Kind: "notice", Case: one(rt, "case", world.cases), From: one(rt, "sender", []Party{swcA, swcAL, ngo1}),
		Subj: some(rt, "subjects", world.persons, 0), Cats: some(rt, "categories", world.cats, 0),
		To:    some(rt, "recipients", world.parties, 0),
		Basis: messaging.Basis{Code: "consent", Purpose: one(rt, "purpose", world.purposes)},
	}
	for _, s := range some(rt, "cited", all, 0) {
		req.Basis.Consents = append(req.Basis.Consents, messaging.ConsentRef{ID: s.ID, Ver: rapid.IntRange(1, 2).Draw(rt, "ver")/2 + 1})
	}
	// Half of the requests are made to fit the first consent, else few would pass.
	if rapid.Bool().Draw(rt, "fit") {
		s := all[0]
		req.Subj, req.Case, req.Cats, req.Basis.Purpose = []string{s.Subj}, s.Case, s.Cats, s.Purposes[0]
		req.Basis.Consents = append(req.Basis.Consents, messaging.ConsentRef{ID: s.ID, Ver: 1})
		req.To = slices.DeleteFunc(slices.Clone(req.To), func(p Party) bool { return !s.names(p) })
	}
	return req
}

func decide(t interface{ Fatal(...any) }, b *shelf, req Request, now int64) Decision {
	d, err := Decide(b, testPack(), req, now)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// specified is the predicate of PROTOCOL E.2 word for word, without a thought
// for reasons or speed. A message without categories counts as one with a
// category that every consent covers.
func specified(b *shelf, req Request, now int64) bool {
	for _, t := range req.To {
		for _, s := range req.Subj {
			if out, _ := b.Excluded(t.Desk, s, now); out {
				return false
			}
		}
	}
	cats := req.Cats
	if len(cats) == 0 {
		cats = []string{"any"}
	}
	for _, s := range req.Subj {
		for _, t := range req.To {
			for _, c := range cats {
				if !slices.ContainsFunc(req.Basis.Consents, func(k messaging.ConsentRef) bool { return covers(b, k, req, s, t, c, now) }) {
					return false
				}
			}
		}
	}
	return len(req.Subj) > 0
}

func covers(b *shelf, k messaging.ConsentRef, req Request, s string, t Party, c string, now int64) bool {
	r, ok := b.records[k.ID]
	if !ok {
		return false
	}
	cur := r.Versions[len(r.Versions)-1]
	same, _ := b.Same(cur.S.Case, req.Case)
	out, _ := b.Excluded(cur.S.Grantor.H, s, now)
	byInst := t.Type != "representative" && slices.Contains(cur.S.To, t.Inst)
	return cur.S.Subj == s && cur.S.Ver == k.Ver &&
		slices.Contains([]string{"consent.given", "consent.narrowed", "consent.renewed"}, cur.S.Ev) &&
		same && slices.Contains(cur.S.From, req.From.Inst) && (slices.Contains(cur.S.To, t.Desk) || byInst) &&
		slices.Contains(cur.S.Purposes, req.Basis.Purpose) && (c == "any" || slices.Contains(cur.S.Cats, c)) &&
		cur.S.NB <= now && now < cur.S.NA && !out
}

func TestDecideIsAsSpecified(t *testing.T) {
	allowed, refused := 0, map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		b, all := drawBook(rt)
		req := drawRequest(rt, all)
		now := t0 + rapid.Int64Range(0, 7).Draw(rt, "now")
		d := decide(rt, b, req, now)
		if want := specified(b, req, now); d.Allow != want {
			rt.Fatalf("%+v, specified %t for %+v", d, want, req)
		}
		if d.Allow != (d.Code == "") {
			rt.Fatalf("a permit has no code and a refusal one: %+v", d)
		}
		if d.Allow {
			allowed++
		}
		refused[d.Code]++
	})
	if allowed == 0 || len(refused) < 5 {
		t.Errorf("the draws are too poor to show anything: %d allowed, %v", allowed, refused)
	}
}

// The order in which a message lists consents, recipients, persons or
// categories changes nothing, not even the reason.
func TestOrderIsIrrelevant(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b, all := drawBook(rt)
		req := drawRequest(rt, all)
		now := t0 + rapid.Int64Range(0, 7).Draw(rt, "now")
		other := req
		other.To = rapid.Permutation(req.To).Draw(rt, "to")
		other.Subj = rapid.Permutation(req.Subj).Draw(rt, "subj")
		other.Cats = rapid.Permutation(req.Cats).Draw(rt, "cats")
		other.Basis.Consents = rapid.Permutation(req.Basis.Consents).Draw(rt, "consents order")
		if one, two := decide(rt, b, req, now), decide(rt, b, other, now); !reflect.DeepEqual(one, two) {
			rt.Fatalf("%+v, in another order %+v", one, two)
		}
	})
}

// One recipient more never helps, and one who fails refuses all: the message is
// permitted if and only if it is for each recipient alone.
func TestEveryRecipientCounts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b, all := drawBook(rt)
		req := drawRequest(rt, all)
		now := t0 + rapid.Int64Range(0, 7).Draw(rt, "now")
		whole := decide(rt, b, req, now)
		each, failing := true, []string{}
		for _, p := range req.To {
			single := req
			single.To = []Party{p}
			if !decide(rt, b, single, now).Allow {
				each, failing = false, append(failing, p.Desk)
			}
		}
		if len(req.To) > 0 && whole.Allow != each {
			rt.Fatalf("together %t, each alone %t", whole.Allow, each)
		}
		if len(req.To) > 0 && !whole.Allow && !slices.Contains(failing, whole.Desk) {
			rt.Fatalf("%s is named, %v fail", whole.Desk, failing)
		}
		more := req
		more.To = append(slices.Clone(req.To), one(rt, "more", world.parties))
		if !whole.Allow && decide(rt, b, more, now).Allow {
			rt.Fatalf("refused, and permitted with one recipient more")
		}
	})
}

// After a withdrawal (or revocation, or invalidation) nothing passes at any
// later time, whichever version is cited.
func TestWithdrawnNeverPermits(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := with(drawConsent(rt, "a"), func(s *Statement) { s.Ev = Given.Event() })
		end := one(rt, "end", []Act{Withdrawn, Revoked, Invalidated})
		now := s.At + rapid.Int64Range(0, 10).Draw(rt, "later")
		r := &Record{ID: s.ID, Versions: []Version{Recorded(s, 1, s.At)}}
		last := follow(s, end, nil)
		if err := r.Next(testPack(), last, now); err != nil {
			rt.Fatalf("%s not admitted: %v", end, err)
		}
		if err := r.Append(Recorded(last, 2, now)); err != nil {
			rt.Fatal(err)
		}
		req := drawRequest(rt, []*Statement{s})
		req.To = some(rt, "somebody", world.parties, 1)
		req.Basis.Consents = []messaging.ConsentRef{{ID: s.ID, Ver: rapid.IntRange(1, 3).Draw(rt, "cited version")}}
		// also earlier: a clock set back must not reopen anything
		at := now + rapid.Int64Range(-10, 100*month).Draw(rt, "sent")
		if decide(rt, book(r), req, at).Allow {
			rt.Fatalf("permitted %d after the end", at-now)
		}
	})
}

// What a narrowed version permits, the version before it permitted too.
func TestNarrowingOnlyTakes(t *testing.T) {
	passed := 0
	rapid.Check(t, func(rt *rapid.T) {
		s := with(drawConsent(rt, "a"), func(s *Statement) { s.Ev = Given.Event() })
		narrow := follow(s, Narrowed, func(n *Statement) {
			n.From, n.To = some(rt, "from", s.From, 1), some(rt, "to", s.To, 1)
			n.Purposes, n.Cats = some(rt, "purposes", s.Purposes, 1), some(rt, "cats", s.Cats, 1)
			n.NB += rapid.Int64Range(-1, 1).Draw(rt, "nb")
			n.NA += rapid.Int64Range(-1, 1).Draw(rt, "na")
			if rapid.IntRange(0, 4).Draw(rt, "change grantor") == 0 {
				n.Grantor = Grantor{id("g", "1"), "guardian"}
			}
		})
		before := &Record{ID: s.ID, Versions: []Version{Recorded(s, 1, s.At)}}
		if narrow.NA <= narrow.NB || before.Next(testPack(), narrow, s.NB) != nil {
			return
		}
		after := &Record{ID: s.ID, Versions: []Version{before.Versions[0], Recorded(narrow, 2, s.NB)}}
		req := drawRequest(rt, []*Statement{narrow})
		now := t0 + rapid.Int64Range(0, 9).Draw(rt, "now")
		was, is := book(before), book(after)
		if rapid.Bool().Draw(rt, "excluded grantor") {
			x := Exclusion{Subj: []string{s.Subj}, Who: s.Grantor.H}
			was.exclusions, is.exclusions = []Exclusion{x}, []Exclusion{x}
		}
		req.Basis.Consents = []messaging.ConsentRef{{ID: s.ID, Ver: 2}}
		if !decide(rt, is, req, now).Allow {
			return
		}
		passed++
		req.Basis.Consents = []messaging.ConsentRef{{ID: s.ID, Ver: 1}}
		if d := decide(rt, was, req, now); !d.Allow {
			rt.Fatalf("narrowed permits what was refused before: %+v", d)
		}
	})
	if passed == 0 {
		t.Error("no draw was permitted, so nothing is shown")
	}
}

// An exclusion acts at once, on consents that were given long before it, and on
// the excluded as recipient whatever the basis.
func TestExclusionActsAtOnce(t *testing.T) {
	passed := 0
	rapid.Check(t, func(rt *rapid.T) {
		s := with(drawConsent(rt, "a"), func(s *Statement) { s.Ev = Given.Event() })
		req := drawRequest(rt, []*Statement{s})
		req.To = some(rt, "somebody", world.parties, 1)
		b := book(&Record{ID: s.ID, Versions: []Version{Recorded(s, 1, s.At)}})
		now := t0 + rapid.Int64Range(0, 6).Draw(rt, "now")
		if !decide(rt, b, req, now).Allow {
			return
		}
		passed++
		x := Exclusion{Subj: []string{s.Subj}, Who: s.Grantor.H, SetAt: now, SetIdx: 9}
		b.exclusions = []Exclusion{x}
		if d := decide(rt, b, req, now); d.Code != CodeGrantor {
			rt.Fatalf("after the grantor's exclusion: %+v", d)
		}
		b.exclusions[0].LiftedAt, b.exclusions[0].LiftedIdx = now, 10
		if d := decide(rt, b, req, now); !d.Allow {
			rt.Fatalf("after it was lifted: %+v", d)
		}
		b.exclusions[0] = Exclusion{Subj: []string{s.Subj}, Who: req.To[0].Desk}
		if d := decide(rt, b, req, now); d.Code != CodeExcluded || d.Desk != req.To[0].Desk {
			rt.Fatalf("after the recipient's exclusion: %+v", d)
		}
	})
	if passed == 0 {
		t.Error("no draw was permitted, so nothing is shown")
	}
}
