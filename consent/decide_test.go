package consent

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/messaging"
)

// decideCase is one message against one book; the vectors hold the same cases.
type decideCase struct {
	name   string
	record *Record
	set    func(*shelf)
	change func(*Request)
	now    int64
	code   string
	desk   string
	detail string
}

// decideCases is the table of every refusal code, with both sides of each
// boundary. k2 and second are on record in every case.
func decideCases(t testing.TB) (cases []decideCase, others []*Record) {
	v1 := given()
	v2 := follow(v1, Narrowed, func(s *Statement) { s.To = []string{ngo1.Inst} })
	k2 := with(v1, func(s *Statement) {
		s.ID, s.To, s.Purposes, s.Cats = id("k", "2"), []string{nesA.Desk}, []string{"legal-aid"}, []string{"identity"}
	})
	second := with(v1, func(s *Statement) {
		s.ID, s.Subj, s.Grantor.H, s.To = id("k", "3"), id("p", "2"), id("p", "2"), []string{ngo1.Inst}
	})
	excluded := func(who, subj string) func(*shelf) {
		return func(b *shelf) {
			b.exclusions = append(b.exclusions, Exclusion{ID: id("x", "1"), Subj: []string{subj}, Who: who})
		}
	}
	now := t0 + 2*day
	p1, p2 := v1.Subj, second.Subj
	cite := func(r *Request, refs ...messaging.ConsentRef) { r.Basis.Consents = refs }
	return []decideCase{
		{"under consent", recordOf(t, v1), nil, func(r *Request) {}, now, "", "", ""},
		{"two recipients", recordOf(t, v1), nil, func(r *Request) { r.To = []Party{nesA, ngo1} }, now, "", "", ""},
		{"no category named", recordOf(t, v1), nil, func(r *Request) { r.Cats = nil }, now, "", "", ""},
		{"to nobody but oneself", recordOf(t, v1), nil, func(r *Request) { r.To = nil }, now, "", "", ""},
		{"by desk", recordOf(t, with(v1, func(s *Statement) { s.To = []string{ngo1.Desk} })), nil, func(r *Request) {}, now, "", "", ""},

		{"unknown basis", recordOf(t, v1), nil, func(r *Request) { r.Basis.Code = "habit" }, now, CodeBasis, ngo1.Desk, "does not know"},
		{"unknown kind", recordOf(t, v1), nil, func(r *Request) { r.Kind = "gossip" }, now, CodeBasis, ngo1.Desk, "not permitted"},
		{"cell permits other bases", recordOf(t, v1), nil, func(r *Request) { r.Basis = messaging.Basis{Code: "criminal-procedure"} }, now, CodeBasis, ngo1.Desk, "not permitted"},
		{"sender's type not in the cell", recordOf(t, v1), nil, func(r *Request) { r.From = policA }, now, CodeBasis, ngo1.Desk, "police to ngo"},
		{"recipient's type not in the cell", recordOf(t, v1), nil, func(r *Request) { r.To = []Party{ngo1, ppoA} }, now, CodeBasis, ppoA.Desk, "swc to ppo-higher"},
		{"a type the pack does not know", recordOf(t, v1), nil, func(r *Request) { r.Kind, r.From.Type = "notice", "bank" }, now, CodeBasis, ngo1.Desk, "bank"},
		{"order without its ref", recordOf(t, v1), nil, func(r *Request) {
			r.To, r.Basis = []Party{nesA}, messaging.Basis{Code: "court-order"}
		}, now, CodeBasis, nesA.Desk, "ref"},
		{"order with a blank ref", recordOf(t, v1), nil, func(r *Request) {
			r.To, r.Basis = []Party{nesA}, messaging.Basis{Code: "court-order", Ref: " "}
		}, now, CodeBasis, nesA.Desk, "ref"},
		{"order with its ref", recordOf(t, v1), nil, func(r *Request) {
			r.To, r.Basis = []Party{nesA}, messaging.Basis{Code: "court-order", Ref: "K 1/2026"}
		}, now, "", "", ""},
		{"task without necessity", recordOf(t, v1), nil, func(r *Request) {
			r.To, r.Basis = []Party{nesA}, messaging.Basis{Code: "public-task"}
		}, now, CodeBasis, nesA.Desk, "necessity"},
		{"task with a made-up necessity", recordOf(t, v1), nil, func(r *Request) {
			r.To, r.Basis = []Party{nesA}, messaging.Basis{Code: "public-task", Necessity: "faster"}
		}, now, CodeBasis, nesA.Desk, "necessity"},
		{"task with a reason for something else", recordOf(t, v1), nil, func(r *Request) {
			r.To, r.Basis = []Party{nesA}, messaging.Basis{Code: "public-task", Necessity: "ground-gone"}
		}, now, CodeBasis, nesA.Desk, "necessity"},
		{"task with necessity", recordOf(t, v1), nil, func(r *Request) {
			r.To, r.Basis = []Party{nesA}, messaging.Basis{Code: "public-task", Necessity: "task-given"}
		}, now, "", "", ""},
		{"consent beside a duty", recordOf(t, v1), nil, func(r *Request) {
			r.Kind, r.To, r.Basis.Code = "duty-notice", []Party{ppoA}, "legal-obligation"
		}, now, CodeBasis, ppoA.Desk, "consent alone"},
		{"a duty without consent", recordOf(t, v1), nil, func(r *Request) {
			r.Kind, r.To, r.Basis = "duty-notice", []Party{ppoA}, messaging.Basis{Code: "legal-obligation"}
		}, now, "", "", ""},
		{"procedure after a withdrawal", recordOf(t, v1, follow(v1, Withdrawn, nil)), nil, func(r *Request) {
			r.Kind, r.To, r.Basis = "notice", []Party{ppoA}, messaging.Basis{Code: "criminal-procedure"}
		}, now, "", "", ""},

		{"excluded recipient", recordOf(t, v1), excluded(nesA.Desk, p1), func(r *Request) { r.To = []Party{ngo1, nesA} }, now, CodeExcluded, nesA.Desk, p1},
		{"excluded recipient on another basis", recordOf(t, v1), excluded(ppoA.Desk, p1), func(r *Request) {
			r.Kind, r.To, r.Basis = "notice", []Party{ppoA}, messaging.Basis{Code: "criminal-procedure"}
		}, now, CodeExcluded, ppoA.Desk, p1},
		{"excluded for one of two persons", recordOf(t, v1), excluded(ngo1.Desk, p2), func(r *Request) { r.Subj = []string{p1, p2} }, now, CodeExcluded, ngo1.Desk, p2},
		{"excluded for somebody else", recordOf(t, v1), excluded(ngo1.Desk, p2), func(r *Request) {}, now, "", "", ""},
		{"matrix comes before exclusion", recordOf(t, v1), excluded(ngo1.Desk, p1), func(r *Request) { r.Kind = "gossip" }, now, CodeBasis, ngo1.Desk, ""},

		{"no person", recordOf(t, v1), nil, func(r *Request) { r.Subj = nil }, now, CodeSubject, ngo1.Desk, "no person"},
		{"no person, nobody to", recordOf(t, v1), nil, func(r *Request) { r.Subj, r.To = nil, nil }, now, CodeSubject, "", ""},
		{"no consent named", recordOf(t, v1), nil, func(r *Request) { cite(r) }, now, CodeSubject, ngo1.Desk, "no consent"},
		{"consent nobody knows", recordOf(t, v1), nil, func(r *Request) { cite(r, messaging.ConsentRef{ID: id("k", "9"), Ver: 1}) }, now, CodeSubject, ngo1.Desk, id("k", "9")},
		{"record without a version", &Record{ID: v1.ID}, nil, func(r *Request) {}, now, CodeSubject, ngo1.Desk, ""},
		{"another's consent", recordOf(t, v1), nil, func(r *Request) { r.Subj = []string{p2} }, now, CodeSubject, ngo1.Desk, p2},
		{"one of two persons", recordOf(t, v1), nil, func(r *Request) { r.Subj = []string{p1, p2} }, now, CodeSubject, ngo1.Desk, p2},
		{"both of two persons", recordOf(t, v1), nil, func(r *Request) {
			r.Subj = []string{p2, p1}
			cite(r, messaging.ConsentRef{ID: second.ID, Ver: 1}, messaging.ConsentRef{ID: v1.ID, Ver: 1})
		}, now, "", "", ""},
		{"the version before", recordOf(t, v1, v2), nil, func(r *Request) {}, now, CodeVersion, ngo1.Desk, "version 1"},
		{"a version to come", recordOf(t, v1), nil, func(r *Request) { cite(r, messaging.ConsentRef{ID: v1.ID, Ver: 2}) }, now, CodeVersion, ngo1.Desk, "version 2"},
		{"composed before a withdrawal", recordOf(t, v1, follow(v1, Withdrawn, nil)), nil, func(r *Request) {}, now, CodeVersion, ngo1.Desk, ""},
		{"citing the withdrawal", recordOf(t, v1, follow(v1, Withdrawn, nil)), nil, func(r *Request) { cite(r, messaging.ConsentRef{ID: v1.ID, Ver: 2}) }, now, CodeStatus, ngo1.Desk, ""},
		{"revoked", recordOf(t, v1, follow(v1, Revoked, nil)), nil, func(r *Request) { cite(r, messaging.ConsentRef{ID: v1.ID, Ver: 2}) }, now, CodeStatus, ngo1.Desk, ""},
		{"invalidated", recordOf(t, v1, follow(v1, Invalidated, nil)), nil, func(r *Request) { cite(r, messaging.ConsentRef{ID: v1.ID, Ver: 2}) }, now, CodeStatus, ngo1.Desk, ""},
		{"only asked", recordOf(t, with(v1, func(s *Statement) { s.Ev = Requested.Event() })), nil, func(r *Request) {}, now, CodeStatus, ngo1.Desk, ""},
		{"deferred", recordOf(t, with(v1, func(s *Statement) { s.Ev = Deferred.Event() })), nil, func(r *Request) {}, now, CodeStatus, ngo1.Desk, ""},
		{"refused", recordOf(t, with(v1, func(s *Statement) { s.Ev = Refused.Event() })), nil, func(r *Request) {}, now, CodeStatus, ngo1.Desk, ""},
		{"renewed", recordOf(t, v1, follow(v1, Renewed, func(s *Statement) { s.NA += day })), nil, func(r *Request) { cite(r, messaging.ConsentRef{ID: v1.ID, Ver: 2}) }, now, "", "", ""},
		{"another case", recordOf(t, v1), nil, func(r *Request) { r.Case = id("c", "2") }, now, CodeCase, ngo1.Desk, ""},
		{"a linked case", recordOf(t, v1), func(b *shelf) { b.links = [][2]string{{id("c", "2"), v1.Case}} }, func(r *Request) { r.Case = id("c", "2") }, now, "", "", ""},
		{"another sender", recordOf(t, v1), nil, func(r *Request) { r.From = ngo1; r.To = []Party{nesA} }, now, CodeSender, nesA.Desk, ""},
		{"another desk of the sender", recordOf(t, v1), nil, func(r *Request) { r.From = swcAL }, now, "", "", ""},
		{"another recipient", recordOf(t, v1), nil, func(r *Request) { r.To = []Party{ngo1, policA} }, now, CodeRecipient, policA.Desk, p1},
		{"the recipient narrowed out", recordOf(t, v1, v2), nil, func(r *Request) {
			r.To = []Party{nesA}
			cite(r, messaging.ConsentRef{ID: v1.ID, Ver: 2})
		}, now, CodeRecipient, nesA.Desk, ""},
		{"the recipient narrowed to", recordOf(t, v1, v2), nil, func(r *Request) { cite(r, messaging.ConsentRef{ID: v1.ID, Ver: 2}) }, now, "", "", ""},
		{"another desk than named", recordOf(t, with(v1, func(s *Statement) { s.To = []string{swcAL.Desk} })), nil, func(r *Request) { r.To = []Party{swcA} }, now, CodeRecipient, swcA.Desk, ""},
		{"a guest of a named institution", recordOf(t, v1), nil, func(r *Request) { r.To = []Party{repOf1} }, now, CodeRecipient, repOf1.Desk, ""},
		{"a guest named by desk", recordOf(t, with(v1, func(s *Statement) { s.To = []string{repOf1.Desk} })), nil, func(r *Request) { r.To = []Party{repOf1} }, now, "", "", ""},
		{"whom recipients may pass on to", recordOf(t, with(v1, func(s *Statement) { s.Onward = []string{policA.Inst} })), nil, func(r *Request) { r.To = []Party{policA} }, now, CodeRecipient, policA.Desk, ""},
		{"another purpose", recordOf(t, v1), nil, func(r *Request) { r.Basis.Purpose = "legal-aid" }, now, CodePurpose, ngo1.Desk, ""},
		{"another category", recordOf(t, v1), nil, func(r *Request) { r.Cats = []string{"needs", "health"} }, now, CodeCategory, ngo1.Desk, "health"},
		{"no category, another purpose", recordOf(t, v1), nil, func(r *Request) { r.Cats, r.Basis.Purpose = nil, "legal-aid" }, now, CodePurpose, ngo1.Desk, ""},
		{"before it begins", recordOf(t, v1), nil, func(r *Request) {}, v1.NB - 1, CodeTime, ngo1.Desk, ""},
		{"as it begins", recordOf(t, v1), nil, func(r *Request) {}, v1.NB, "", "", ""},
		{"its last moment", recordOf(t, v1), nil, func(r *Request) {}, v1.NA - 1, "", "", ""},
		{"as it ends", recordOf(t, v1), nil, func(r *Request) {}, v1.NA, CodeTime, ngo1.Desk, ""},
		{"excluded grantor", recordOf(t, childs()), excluded(childs().Grantor.H, p1), func(r *Request) {}, now, CodeGrantor, ngo1.Desk, ""},
		{"grantor excluded for somebody else", recordOf(t, childs()), excluded(childs().Grantor.H, p2), func(r *Request) {}, now, "", "", ""},
		{"two consents, each for a part", recordOf(t, v1), nil, func(r *Request) {
			r.To, r.Cats, r.Basis.Purpose = []Party{nesA}, []string{"identity"}, "legal-aid"
			cite(r, messaging.ConsentRef{ID: k2.ID, Ver: 1}, messaging.ConsentRef{ID: v1.ID, Ver: 1})
		}, now, "", "", ""},
		{"parts of two consents make no whole", recordOf(t, v1), nil, func(r *Request) {
			r.To, r.Cats = []Party{nesA}, []string{"identity"} // assistance by one, identity by the other
			cite(r, messaging.ConsentRef{ID: v1.ID, Ver: 1}, messaging.ConsentRef{ID: k2.ID, Ver: 1})
		}, now, CodeCategory, nesA.Desk, v1.ID},
	}, []*Record{recordOf(t, k2), recordOf(t, second)}
}

func (c *decideCase) scene(others []*Record) (*shelf, Request) {
	b := book(append([]*Record{c.record}, others...)...)
	if c.set != nil {
		c.set(b)
	}
	req := ask(1)
	c.change(&req)
	return b, req
}

func TestDecide(t *testing.T) {
	cases, others := decideCases(t)
	reached := map[string]bool{}
	for _, c := range cases {
		b, req := c.scene(others)
		reached[c.code] = true
		d, err := Decide(b, testPack(), req, c.now)
		switch {
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		case d.Allow != (c.code == "") || d.Code != c.code || d.Desk != c.desk:
			t.Errorf("%s: %+v, want %q for %q", c.name, d, c.code, c.desk)
		case !strings.Contains(d.Detail, c.detail):
			t.Errorf("%s: detail %q, want %q", c.name, d.Detail, c.detail)
		case !d.Allow && d.Used != nil:
			t.Errorf("%s: refused and yet used %v", c.name, d.Used)
		}
	}
	for _, code := range Codes() {
		if !reached[code] {
			t.Errorf("no case is refused with %s", code)
		}
	}
}

func TestCodes(t *testing.T) {
	if n := len(Codes()); n != 12 || len(slices.Compact(sorted(Codes()))) != n {
		t.Errorf("%d codes: %v", n, Codes())
	}
	for _, c := range Codes() {
		if _, found := rules.TellingWord(c); found {
			t.Errorf("%s tells", c)
		}
	}
}

// Of two consents that come equally far the one with the lower ID is named,
// before the category and from it on.
func TestDetailOfEquals(t *testing.T) {
	one, two := given(), with(given(), func(s *Statement) { s.ID = id("k", "2") })
	lower := min(one.ID, two.ID)
	for code, change := range map[string]func(*Request){
		CodeRecipient: func(r *Request) { r.To = []Party{policA} },
		CodeCategory:  func(r *Request) { r.Cats = []string{"health"} },
	} {
		req := ask(1)
		req.Basis.Consents = []messaging.ConsentRef{{ID: max(one.ID, two.ID), Ver: 1}, {ID: lower, Ver: 1}}
		change(&req)
		d, err := Decide(book(recordOf(t, one), recordOf(t, two)), testPack(), req, t0)
		if err != nil || d.Code != code || !strings.HasSuffix(d.Detail, lower+" version 1") {
			t.Errorf("%+v, %v, want %s for %s", d, err, code, lower)
		}
	}
}

func TestUsed(t *testing.T) {
	v1 := given()
	twin := with(v1, func(s *Statement) { s.ID = id("k", "twin") })
	idle := with(v1, func(s *Statement) { s.ID, s.Purposes = id("k", "idle"), []string{"employment"} })
	b := book(recordOf(t, v1), recordOf(t, twin), recordOf(t, idle))
	req := ask(1)
	req.Basis.Consents = []messaging.ConsentRef{{ID: twin.ID, Ver: 1}, {ID: idle.ID, Ver: 1}, {ID: v1.ID, Ver: 1}, {ID: v1.ID, Ver: 1}}
	d, err := Decide(b, testPack(), req, t0)
	if err != nil {
		t.Fatal(err)
	}
	want := []Ref{{twin.ID, 1, 10}, {v1.ID, 1, 10}}
	slices.SortFunc(want, func(a, b Ref) int { return strings.Compare(a.ID, b.ID) })
	if !d.Allow || !reflect.DeepEqual(d.Used, want) {
		t.Errorf("%+v, want %v", d, want)
	}

	req.Kind, req.To, req.Basis = "notice", []Party{ppoA}, messaging.Basis{Code: "criminal-procedure"}
	if d, err = Decide(b, testPack(), req, t0); err != nil || !d.Allow || d.Used != nil {
		t.Errorf("another basis: %+v, %v", d, err)
	}
}

// The two halves, with something of the caller's between them.
func TestHalves(t *testing.T) {
	b, req := book(recordOf(t, given())), ask(2)
	d, err := DecideBasis(b, testPack(), req, t0)
	if err != nil || !d.Allow {
		t.Errorf("first half: %+v, %v", d, err)
	}
	if d, err = DecideConsent(b, req, t0); err != nil || d.Code != CodeVersion {
		t.Errorf("second half: %+v, %v", d, err)
	}
	for basis, want := range map[string]bool{"consent": true, "court-order": false, "habit": false} {
		if got := NeedsConsent(testPack(), basis); got != want {
			t.Errorf("NeedsConsent(%s) = %t", basis, got)
		}
	}
}

func TestDecideBounds(t *testing.T) {
	b := book(recordOf(t, given()))
	for name, c := range map[string]struct {
		max    int
		change func(*Request, int)
	}{
		"recipients": {messaging.MaxRecipients, func(r *Request, n int) { r.To = slices.Repeat([]Party{ngo1}, n) }},
		"persons":    {messaging.MaxSubjects, func(r *Request, n int) { r.Subj = slices.Repeat(r.Subj, n) }},
		"categories": {messaging.MaxCategories, func(r *Request, n int) { r.Cats = slices.Repeat(r.Cats, n) }},
		"consents": {messaging.MaxConsents, func(r *Request, n int) {
			r.Basis.Consents = slices.Repeat(r.Basis.Consents, n)
		}},
	} {
		req := ask(1)
		c.change(&req, c.max)
		if d, err := Decide(b, testPack(), req, t0); err != nil || !d.Allow {
			t.Errorf("%d %s: %+v, %v", c.max, name, d, err)
		}
		req = ask(1)
		c.change(&req, c.max+1)
		if d, err := Decide(b, testPack(), req, t0); err == nil || d.Allow {
			t.Errorf("%d %s: %+v, want an error", c.max+1, name, d)
		}
		if d, err := DecideConsent(b, req, t0); err == nil || d.Allow {
			t.Errorf("%d %s, second half: %+v, want an error", c.max+1, name, d)
		}
	}
}

// A failure of storage is an error and permits nothing.
func TestDecideFails(t *testing.T) {
	b := book(recordOf(t, given()))
	b.fail = errors.New("storage is gone")
	for name, decide := range map[string]func() (Decision, error){
		"first half":  func() (Decision, error) { return DecideBasis(b, testPack(), ask(1), t0) },
		"second half": func() (Decision, error) { return DecideConsent(b, ask(1), t0) },
		"cases": func() (Decision, error) {
			return DecideConsent(failing{b: book(recordOf(t, given())), at: "same"}, ask(1), t0)
		},
		"exclusions": func() (Decision, error) {
			return DecideConsent(failing{b: book(recordOf(t, given())), at: "excluded"}, ask(1), t0)
		},
	} {
		if d, err := decide(); err == nil || d.Allow {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
	if err := CheckConflict(b, given(), t0); err == nil {
		t.Error("conflict: no error")
	}
}

// failing fails at one question only.
type failing struct {
	b  *shelf
	at string
}

func (f failing) Record(id string) (*Record, bool, error) { return f.b.Record(id) }

func (f failing) Excluded(who, subj string, now int64) (bool, error) {
	if f.at == "excluded" {
		return false, errors.New("storage is gone")
	}
	return f.b.Excluded(who, subj, now)
}

func (f failing) Same(a, b string) (bool, error) {
	if f.at == "same" {
		return false, errors.New("storage is gone")
	}
	return f.b.Same(a, b)
}
