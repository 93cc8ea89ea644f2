package ceremony

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/odziv/odziv/keys/directory"
)

const year = 366 * 24 * 3600 * 1000 // ms

func (g *telling) officerEnrol(b *directory.OfficerEnrol) {
	g.title("An officer is enrolled")
	old, known := g.officer(b.U)
	if known && old.KeyID == b.Key {
		g.title("An officer's roles and term are renewed; her keys stay")
	} else if known {
		g.title("An officer is enrolled again, with new keys")
	}
	g.line("officer", g.called(b.U), "u")
	g.line("institution", g.called(b.I), "i")
	g.line("key", FingerprintOf(b.Ed), "ed")
	g.line("key as signed", b.Key, "key")
	g.line("receives with", Fingerprint(directory.RecipientHash(b.Rcp)), "rcp")
	g.line("roles", strings.Join(b.Roles, ", "), "roles")
	g.line("valid", g.span(b.NB, b.NA), "nb", "na")
	switch {
	case known && old.KeyID == b.Key && !slices.Equal(old.Roles, b.Roles):
		g.warn("her roles change: they were %s", strings.Join(old.Roles, ", "))
	case known && old.KeyID == b.Key:
	default:
		g.warn("sign only if you saw her, her ID card, and the same key on her paper")
	}
	if b.NA-b.NB > 2*year {
		g.warn("a term of more than two years: people change desks sooner")
	}
	for _, role := range []string{"auditor", "registrar", "desk-key", "supervisor"} {
		if slices.Contains(b.Roles, role) && !slices.Contains(old.Roles, role) {
			g.warn("the role %s is more than that of a member", role)
		}
	}
}

func (g *telling) officer(u string) (directory.Officer, bool) {
	if g.Dir == nil {
		return directory.Officer{}, false
	}
	return g.Dir.Officer(u)
}

func (g *telling) officerRevoke(b *directory.OfficerRevoke) {
	g.title("An officer's key ends, at once and for ever")
	g.line("officer", g.called(b.U), "u")
	g.line("key", Fingerprint(DigestOf(b.Key)), "key")
	g.line("reason", b.Reason, "reason")
	g.line("not to be trusted", "since "+g.when(b.From), "from")
	if b.From < b.At {
		g.warn("what this key signed since %s deserves a second look", g.when(b.From))
	}
	if g.Dir != nil {
		if desks := g.Dir.DesksOf(b.U); len(desks) > 0 {
			g.warn("make new keys for %s: odziv directory rotate", g.calledAll(desks))
		}
	}
}

func (g *telling) card(b *directory.Card) {
	g.title("Contact details, as a commitment: the details themselves are kept elsewhere")
	g.line("of", g.called(b.Of), "of")
	g.line("commitment", base64.StdEncoding.EncodeToString(b.C), "c")
}

func (g *telling) deskProfile(b *directory.DeskProfile) {
	g.title("A desk opens")
	g.line("desk", g.called(b.D), "d")
	g.line("institution", g.called(b.I), "i")
	g.line("function", b.Fn, "fn")
	g.line("valid", g.span(b.NB, b.NA), "nb", "na")
	if g.Dir != nil {
		if old, ok := g.Dir.Desk(b.D); ok {
			g.title("A desk changes")
			g.warn("the desk is there already, as %s, %s", old.Fn, g.span(old.NB, old.NA))
		}
	}
	if b.Fn == directory.Rep {
		g.warn("a representative's desk: one person outside the institution reads what a case grants her")
	}
}

func (g *telling) deskMembers(b *directory.DeskMembers) {
	g.title("Who the members of a desk are, all of them")
	g.line("desk", g.called(b.D), "d")
	g.line("members", g.calledAll(b.Members), "members")
	if g.Dir == nil {
		return
	}
	old, _ := g.Dir.Desk(b.D)
	var come, go_ []string
	for _, u := range b.Members {
		if !slices.Contains(old.Members, u) {
			come = append(come, u)
		}
	}
	for _, u := range old.Members {
		if !slices.Contains(b.Members, u) {
			go_ = append(go_, u)
		}
	}
	if len(come) > 0 {
		g.line("comes", g.calledAll(come))
		if e, ok := g.Dir.ActiveEpoch(b.D); ok {
			g.warn("NEW READERS of the mail of this desk: %s. They read what is sealed to the key after its present one (number %d), and what came before if a member grants it to them", g.calledAll(come), e.E)
		}
	}
	if len(go_) > 0 {
		g.line("goes", g.calledAll(go_))
		g.warn("whoever goes still holds the desk's present key: make a new one at once, with odziv directory rotate")
	}
	switch len(b.Members) {
	case 0:
		g.warn("nobody is left at this desk: what is sent to it stays unread")
	case 1:
		g.warn("one member alone: a registrar must confirm each of the desk's keys, and nobody stands in")
	}
}

func (g *telling) deskRota(b *directory.DeskRota) {
	g.title("Who of a desk can be reached, in this order")
	g.line("desk", g.called(b.D), "d")
	g.line("for", g.span(b.From, b.To), "from", "to")
	for i, c := range b.Contacts {
		card := "no contact details on record"
		if len(c.Card) > 0 {
			card = "details " + base64.StdEncoding.EncodeToString(c.Card)
		}
		g.line(fmt.Sprintf("contact %d", i+1), fmt.Sprintf("%s, %s", g.called(c.U), card), "contacts")
	}
}

func (g *telling) deskEpoch(b *directory.DeskEpoch) {
	g.title("A desk gets key number %d", b.E)
	g.line("desk", g.called(b.D), "d")
	g.line("number", fmt.Sprint(b.E), "e")
	g.line("key", Fingerprint(b.RK), "rk")
	g.line("why", b.Why, "why")
	for i, p := range b.Pkg {
		g.line(fmt.Sprintf("reader %d", i+1), fmt.Sprintf("%s\nkey %s\npackage %s", g.Who(p.Key), p.Key, p.SHA256), "pkg")
	}
	for _, e := range b.Esc {
		g.line("recoverable by custodians", fmt.Sprintf("%v, file %s", numbered(e.Cust), e.SHA256), "esc")
	}
	if len(b.Esc) == 0 {
		g.line("recoverable", "by nobody: the institution has no custodians", "esc")
		g.warn("if all members lose this key, what was sealed to it is lost")
	}
}

// numbered counts custodians from 1, as paper does.
func numbered(from0 []int) string {
	names := make([]string, len(from0))
	for i, n := range from0 {
		names[i] = fmt.Sprint(n + 1)
	}
	return strings.Join(names, " and ")
}

func (g *telling) deskEpochAck(b *directory.DeskEpochAck) {
	g.title("A second person confirms key number %d of a desk", b.E)
	g.line("desk", g.called(b.D), "d")
	g.line("number", fmt.Sprint(b.E), "e")
}

func (g *telling) deskEpochDispute(b *directory.DeskEpochDispute) {
	g.title("Somebody disputes key number %d of a desk: it is not used from now on", b.E)
	g.line("desk", g.called(b.D), "d")
	g.line("number", fmt.Sprint(b.E), "e")
	g.line("why", b.Why, "why")
}
