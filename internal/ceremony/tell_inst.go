package ceremony

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"

	"github.com/odziv/odziv/keys/directory"
)

func (g *telling) instJoin(b *directory.InstJoin) {
	g.title("An institution joins")
	g.line("institution", g.called(b.I), "i")
	g.root("root", b.Root, "root")
	g.warn("whoever holds these root keys speaks for the institution from now on: compare every fingerprint with its sheet, on paper, in person")
}

// root tells k of n keys.
func (g *telling) root(label string, r directory.Root, members ...string) {
	g.line(label, fmt.Sprintf("%d of %d keys decide", r.K, len(r.Keys)), members...)
	g.keys(label+" key", r.Keys)
	g.threshold("the institution", r.K, len(r.Keys))
}

func (g *telling) instProfile(b *directory.InstProfile) {
	g.title("What an institution is, and for how long")
	old, known := g.institution(b.I)
	g.line("institution", g.called(b.I), "i")
	g.line("type", b.Type, "type")
	g.line("level", b.Level, "level")
	territory := "none named"
	if len(b.Territory) > 0 {
		territory = strings.Join(b.Territory, ", ")
	}
	g.line("territory", territory, "territory")
	above := "nobody: nothing escalates from it"
	if b.EscalatesTo != "" {
		above = g.called(b.EscalatesTo)
	}
	g.line("escalates to", above, "escalates_to")
	emergency := "no"
	if b.Emergency {
		emergency = "yes, it may share in an emergency"
	}
	g.line("emergency", emergency, "emergency")
	g.line("valid", g.span(b.NB, b.NA), "nb", "na")
	if b.Pred != "" {
		g.line("succeeds", g.called(b.Pred), "pred")
		g.warn("it takes the place of %s: desks and keys of that one stay its own until their members grant them", g.called(b.Pred))
	}
	g.warn("the type decides what it may send and receive, under which rules")
	if known && old.Type != "" && old.Type != b.Type {
		g.warn("ITS TYPE CHANGES: it was %s", old.Type)
	}
	if known && old.NA > b.NA {
		g.warn("it ends earlier than so far: it was to last until %s", g.when(old.NA))
	}
}

func (g *telling) institution(i string) (directory.Institution, bool) {
	if g.Dir == nil {
		return directory.Institution{}, false
	}
	return g.Dir.Institution(i)
}

func (g *telling) instRoot(b *directory.InstRoot) {
	g.title("An institution gets another root")
	g.line("institution", g.called(b.I), "i")
	g.root("new root", directory.Root{K: b.K, Keys: b.Keys}, "k", "keys")
	if old, ok := g.institution(b.I); ok {
		added, gone := difference(old.Root.Keys, b.Keys)
		g.warn("THE ROOT CHANGES: was %d of %d, becomes %d of %d; %s. Whoever holds it names registrars, custodians and the observer", old.Root.K, len(old.Root.Keys), b.K, len(b.Keys), comesAndGoes(added, gone))
	}
}

func (g *telling) instRegistrars(b *directory.InstRegistrars) {
	g.title("Who the registrars of an institution are, all of them")
	g.line("institution", g.called(b.I), "i")
	g.line("registrars", fmt.Sprintf("%d; two of them enrol, one revokes", len(b.Keys)), "keys")
	g.keys("registrar key", b.Keys)
	old, _ := g.institution(b.I)
	added, gone := difference(old.Registrars, b.Keys)
	if len(added) > 0 {
		g.warn("any two registrars can put a new reader at every desk of this institution; %s", comesAndGoes(added, gone))
	} else if len(gone) > 0 {
		g.warn("registrars go: %s", comesAndGoes(added, gone))
	}
	if len(b.Keys) == 2 {
		g.warn("two registrars and no more: when one is away nobody can be enrolled")
	}
}

func (g *telling) instCustodians(b *directory.InstCustodians) {
	g.title("Who can recover desks of an institution that lost all their keys")
	g.line("institution", g.called(b.I), "i")
	g.line("custodians", fmt.Sprintf("any %d of %d together", b.K, len(b.Rcps)), "k", "rcps")
	for i, r := range b.Rcps {
		g.line(fmt.Sprintf("custodian %d", i+1), "opens with "+Fingerprint(directory.RecipientHash(r)), "rcps")
	}
	g.custodianKeys(b.Keys)
	g.warn("any %d of these custodians together can open the keys that desks make from now on; each release stands on record", b.K)
	g.threshold("recovery", b.K, len(b.Rcps))
}

func (g *telling) custodianKeys(keys []ed25519.PublicKey) {
	for i, k := range keys {
		g.line(fmt.Sprintf("custodian %d", i+1), "signs with "+FingerprintOf(k), "keys")
	}
}

func (g *telling) instObserver(b *directory.InstObserver) {
	g.title("Which key the observer of an institution has")
	g.line("institution", g.called(b.I), "i")
	g.line("observer key", FingerprintOf(b.Key), "key")
	if old, ok := g.institution(b.I); ok && len(old.Observer) > 0 && !slices.Equal(old.Observer, b.Key) {
		g.warn("the observer so far, %s, ends: what it signs counts no more", Short(Digest(old.Observer)))
	}
}
