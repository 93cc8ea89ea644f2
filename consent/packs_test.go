package consent

import (
	"testing"

	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/messaging"
)

// Every pack of the program counts consent in units that can be added here.
func TestEmbeddedPacks(t *testing.T) {
	ids, err := rules.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		pack, err := rules.Load(id)
		if err != nil {
			t.Fatal(err)
		}
		c := &pack.Consent
		if !knows(c.Relations, Self) {
			t.Errorf("%s: no relation %q", id, Self)
		}
		for name, term := range map[string]rules.Term{
			"default": c.Default, "longest": c.Longest, "guardian": c.Guardian, "reask": c.Reask, "review": c.Review,
		} {
			if end, err := after(t0, term, pack.Location()); err != nil || end <= t0 {
				t.Errorf("%s: %s: %d, %v", id, name, end, err)
			}
		}
		for _, g := range c.Grantors {
			if until, err := Until(pack, g.Age[0], g.Relations[0], t0); err != nil || until <= t0 {
				t.Errorf("%s: until for %v: %d, %v", id, g.Relations, until, err)
			}
		}
	}
	if len(ids) == 0 {
		t.Error("no pack")
	}
}

// The opinions that the rules speak of are those of the pack in use.
func TestOpinionsOfThePack(t *testing.T) {
	pack, err := rules.Load("rs-a@1")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{OpinionAgrees, OpinionDisagrees, OpinionNotAsked} {
		if !knows(pack.Consent.Opinions, code) {
			t.Errorf("no opinion %q", code)
		}
	}
}

func TestTermInOtherUnits(t *testing.T) {
	loc := testPack().Location()
	for unit, want := range map[string]int64{"min": t0 + 2*60_000, "h": t0 + 2*3_600_000, "cd": belgrade(t, "2026-02-16 00:00:00.000"), "mo": belgrade(t, "2026-04-14 00:00:00.000")} {
		if got, err := after(t0, rules.Term{Amount: 2, Unit: unit}, loc); err != nil || got != want {
			t.Errorf("2 %s: %d, %v, want %d", unit, got, err, want)
		}
	}
	for _, unit := range []string{"wd", "", "years"} {
		if got, err := after(t0, rules.Term{Amount: 2, Unit: unit}, loc); err == nil {
			t.Errorf("2 %q: %d, want an error", unit, got)
		}
	}
	// 24 hours are elapsed time across the change of clocks, a day is not
	eve := belgrade(t, "2026-03-28 20:00:00.000")
	if got, _ := after(eve, rules.Term{Amount: 24, Unit: "h"}, loc); got != belgrade(t, "2026-03-29 21:00:00.000") {
		t.Errorf("24 h: %d", got)
	}
	if got, _ := after(eve, rules.Term{Amount: 1, Unit: "cd"}, loc); got != belgrade(t, "2026-03-30 00:00:00.000") {
		t.Errorf("1 cd: %d", got)
	}
}

func BenchmarkDecideAtTheLimits(b *testing.B) {
	base, req := book(), ask(1)
	req.Kind, req.Basis.Consents, req.To, req.Subj, req.Cats = "notice", nil, nil, ids("p", 16), codes(32)
	for _, k := range ids("k", 64) {
		s := with(given(), func(s *Statement) {
			s.ID, s.Subj, s.Grantor.H, s.To, s.Cats = k, req.Subj[0], req.Subj[0], ids("d", 32), codes(16)
		})
		base.records[k] = recordOf(b, s)
		req.Basis.Consents = append(req.Basis.Consents, messaging.ConsentRef{ID: k, Ver: 1})
	}
	for _, d := range ids("d", 32) {
		req.To = append(req.To, Party{d, ngo1.Inst, "ngo"})
	}
	for b.Loop() {
		if d, err := Decide(base, testPack(), req, t0); err != nil || d.Allow {
			b.Fatal(d, err)
		}
	}
}
