package ceremony

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
)

func (g *telling) genesis(b *directory.Genesis) {
	g.title("The first entry of a new directory: who founds it, which keys its logs have, and who watches")
	g.line("name", b.Name, "name")
	demo := "no: it guards real mail"
	if b.Demo {
		demo = "YES: nothing in it is safe"
		g.warn("this is a demonstration: weak keys are accepted in it for ever, and it can never become the real one")
	}
	g.line("demonstration", demo, "demo")
	g.charter(b.Council, b.Delegates, b.Logs, b.Quorum, b.Witnesses)
}

func (g *telling) policy(b *directory.Policy) {
	g.title("New rules for the whole directory, in place of all that holds now")
	g.charter(b.Council, b.Delegates, b.Logs, b.Quorum, b.Witnesses)
	if g.Dir != nil {
		g.changedCharter(b)
	}
}

// charter tells what genesis and policy lay down.
func (g *telling) charter(c directory.Council, delegates []directory.Delegate, l directory.Logs, q directory.Quorum, witnesses []directory.Witness) {
	g.line("council", fmt.Sprintf("%d of %d keys decide", c.K, len(c.Keys)), "council")
	g.keys("council key", c.Keys)
	g.threshold("the council", c.K, len(c.Keys))
	if len(delegates) == 0 {
		g.line("delegates", "none", "delegates")
		g.warn("no delegates: nobody can admit institutions or adopt rule packs until the council names two")
	}
	for i, d := range delegates {
		g.line(fmt.Sprintf("delegate %d", i+1), fmt.Sprintf("in %s\n%s", g.called(d.I), FingerprintOf(d.Key)), "delegates")
	}
	if len(delegates) == 1 {
		g.warn("one delegate alone can do nothing: two sign what admits an institution")
	}
	g.line("log of the directory", l.Dir, "logs")
	g.line("log of evidence", l.Ev, "logs")
	for i, w := range witnesses {
		g.line(fmt.Sprintf("witness %d", i+1), fmt.Sprintf("%s\n%s", w.Operator, w.VKey), "witnesses")
	}
	if len(witnesses) == 0 {
		g.line("witnesses", "none", "witnesses")
	}
	for _, one := range []struct{ label, text string }{{"quorum of the directory", q.Dir}, {"quorum of evidence", q.Ev}} {
		text := strings.TrimSpace(one.text)
		if one.text == directory.QuorumNone {
			text = "none: nobody confirms"
		}
		g.line(one.label, text, "quorum")
	}
	if q.Dir == directory.QuorumNone || q.Ev == directory.QuorumNone {
		g.warn("no witness must confirm: whoever runs the exchange could show different histories to different people, and every proof will say unwitnessed")
	}
}

// keys tells keys, each with its fingerprint to compare.
func (g *telling) keys(label string, keys []ed25519.PublicKey) {
	for i, k := range keys {
		g.line(fmt.Sprintf("%s %d", label, i+1), FingerprintOf(k))
	}
}

// threshold warns of numbers that are too small or too large.
func (g *telling) threshold(who string, k, n int) {
	switch {
	case k == 1:
		g.warn("one key alone decides for %s: whoever steals it is %s", who, who)
	case k == n:
		g.warn("all %d keys of %s are needed: one lost key, and nobody can ever change anything for it again", n, who)
	}
}

// changedCharter warns of what is new.
func (g *telling) changedCharter(b *directory.Policy) {
	old := g.Dir.Council()
	added, gone := difference(old.Keys, b.Council.Keys)
	if len(added)+len(gone) > 0 || old.K != b.Council.K {
		g.warn("THE COUNCIL CHANGES: was %d of %d, becomes %d of %d; %s", old.K, len(old.Keys), b.Council.K, len(b.Council.Keys), comesAndGoes(added, gone))
	}
	var was, is []ed25519.PublicKey
	for _, d := range g.Dir.Delegates() {
		was = append(was, d.Key)
	}
	for _, d := range b.Delegates {
		is = append(is, d.Key)
	}
	if added, gone := difference(was, is); len(added)+len(gone) > 0 {
		g.warn("delegates change: %s", comesAndGoes(added, gone))
	}
	if b.Logs != g.Dir.Logs() {
		g.warn("A KEY OF THE LOGS CHANGES: compare the new one with whoever runs the exchange, on paper")
	}
	if b.Quorum != g.Dir.Quorum() {
		g.warn("who must confirm the logs changes: compare the quorum with the one before")
	}
	if !slices.Equal(b.Witnesses, g.Dir.Witnesses()) {
		g.warn("the witnesses change")
	}
}

// difference is which keys come and which go.
func difference(was, is []ed25519.PublicKey) (added, gone []string) {
	before, after := keyIDs(was), keyIDs(is)
	for _, id := range after {
		if !slices.Contains(before, id) {
			added = append(added, Short(DigestOf(id)))
		}
	}
	for _, id := range before {
		if !slices.Contains(after, id) {
			gone = append(gone, Short(DigestOf(id)))
		}
	}
	return added, gone
}

func comesAndGoes(added, gone []string) string {
	var parts []string
	if len(added) > 0 {
		parts = append(parts, "new: "+strings.Join(added, ", "))
	}
	if len(gone) > 0 {
		parts = append(parts, "no longer: "+strings.Join(gone, ", "))
	}
	if len(parts) == 0 {
		return "the keys stay"
	}
	return strings.Join(parts, "; ")
}

func keyIDs(keys []ed25519.PublicKey) []string {
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = statement.KeyID(k)
	}
	return ids
}

func (g *telling) delegateRevoke(b *directory.DelegateRevoke) {
	g.title("A delegate's key ends, at once and for ever")
	g.line("key", Fingerprint(DigestOf(b.Key)), "key")
	if g.Dir != nil {
		g.line("whose", g.Who(b.Key))
		if n := len(g.Dir.Delegates()); n <= 2 {
			g.warn("%d delegates remain after it: two are needed to admit institutions and adopt packs; the council names others", n-1)
		}
	}
	g.line("reason", b.Reason, "reason")
}

func (g *telling) packAdopt(b *directory.PackAdopt) {
	g.title("The rule pack %s comes into force", b.ID)
	g.line("pack", b.ID, "id")
	g.line("its text", Fingerprint(b.Hash), "hash")
	g.line("from", g.when(b.From), "from")
	g.warn("a rule pack decides who owes what to whom: odzivd rules print %s shows its text, odzivd rules list its hash", b.ID)
}

func (g *telling) calendarDay(b *directory.CalendarDay) {
	what := "is a working day after all"
	if b.Off {
		what = "is a day off"
	}
	g.title("%s %s in the calendar of %s", b.Date, what, b.Zone)
	g.line("day", b.Date+" "+what, "date", "off")
	g.line("calendar", b.Zone, "zone")
	g.line("decreed in", b.Ref, "ref")
	g.warn("it moves deadlines that are open, never a breach that has happened")
}

func (g *telling) auditGrant(b *directory.AuditGrant) {
	g.title("A desk may look over openings, for oversight")
	g.line("desk", g.called(b.D), "d")
	g.line("sees", b.Scope+": who wrote to whom, when and what is owed; never content", "scope")
	g.line("for", g.span(b.From, b.To), "from", "to")
	g.warn("this desk will see the openings of all institutions")
}
