package rules

import (
	"fmt"
	"strings"
)

func (pr *printer) matrix() {
	pr.doc.heading(2, pr.s("matrix"))
	pr.doc.paragraph(pr.s("matrix-text"))
	var rows [][]string
	for _, c := range pr.Matrix {
		rows = append(rows, []string{pr.name("kind", c.Kind), pr.nameList("type", c.From), pr.nameList("type", c.To),
			pr.nameList("basis", c.Bases), pr.source(c.Source)})
	}
	pr.doc.table([]string{pr.s("kind"), pr.s("from"), pr.s("to"), pr.s("bases"), pr.s("source")}, rows)
	pr.doc.heading(3, pr.s("bases-title"))
	rows = nil
	for _, b := range pr.Bases {
		rows = append(rows, []string{pr.t(b.Name), b.Code, pr.requirements(b), pr.source(b.Source)})
	}
	pr.doc.table([]string{pr.s("name"), pr.s("code"), pr.s("requires"), pr.s("source")}, rows)
}

func (pr *printer) requirements(b Basis) string {
	var needs []string
	for _, n := range []struct {
		on     bool
		phrase string
	}{{b.Ref, "req-ref"}, {b.Necessity, "req-necessity"}, {b.Consent, "req-consent"}} {
		if n.on {
			needs = append(needs, pr.s(n.phrase))
		}
	}
	return strings.Join(needs, ", ")
}

func (pr *printer) kinds() {
	pr.doc.heading(2, pr.s("kinds"))
	var rows [][]string
	for i := range pr.Kinds {
		k := &pr.Kinds[i]
		rows = append(rows, []string{fmt.Sprintf("%s\n(%s)", pr.t(k.Name), k.Code), pr.phraseList("urgency-", k.Urgency),
			pr.nameList("category", k.Categories), pr.visible(k), pr.sealed(k), pr.source(k.Source)})
	}
	pr.doc.table([]string{pr.s("kind"), pr.s("urgency"), pr.s("categories"), pr.s("visible"), pr.s("sealed"), pr.s("source")}, rows)
}

func (pr *printer) visible(k *Kind) string {
	if len(k.Facts) == 0 {
		return pr.s("nothing")
	}
	lines := make([]string, len(k.Facts))
	for i, f := range k.Facts {
		lines[i] = fmt.Sprintf("%s (%s): %s", f.Code, strings.Join(f.Values, ", "), f.Reason)
	}
	return strings.Join(lines, "\n")
}

func (pr *printer) sealed(k *Kind) string {
	names := make([]string, len(k.Fields))
	for i, f := range k.Fields {
		names[i] = pr.t(f.Name)
	}
	return strings.Join(names, "; ")
}

func (pr *printer) consent() {
	c := &pr.Consent
	pr.doc.heading(2, pr.s("consent"))
	pr.doc.table([]string{pr.s("why"), pr.source(c.Source)}, [][]string{
		{pr.s("default"), pr.term(c.Default)},
		{pr.s("longest"), pr.term(c.Longest)},
		{pr.s("guardian"), pr.term(c.Guardian)},
		{pr.s("reask"), pr.term(c.Reask)},
		{pr.s("review"), pr.term(c.Review)},
		{pr.s("child-band"), pr.name("consent.age", c.ChildBand)},
	})
	pr.doc.heading(3, pr.s("who-gives"))
	var rows [][]string
	for _, g := range c.Grantors {
		opinion := "op-none"
		switch {
		case g.Agreement:
			opinion = "op-agreement"
		case g.Opinion:
			opinion = "op-opinion"
		}
		rows = append(rows, []string{pr.nameList("consent.age", g.Age), pr.nameList("consent.relation", g.Relations), pr.s(opinion), pr.source(g.Source)})
	}
	pr.doc.table([]string{pr.s("age"), pr.s("relation"), pr.s("opinion"), pr.s("source")}, rows)
	pr.recorders()
}

func (pr *printer) recorders() {
	pr.doc.heading(3, pr.s("who-records"))
	var rows [][]string
	for _, r := range pr.Consent.Recorders {
		rows = append(rows, []string{pr.phraseList("", r.Acts), pr.nameList("type", r.Types), strings.Join(r.Roles, ", "),
			pr.yes(r.Party), pr.s("cosign-" + r.Cosign), pr.source(r.Source)})
	}
	pr.doc.table([]string{pr.s("act"), pr.s("types"), pr.s("roles"), pr.s("party"), pr.s("cosign"), pr.s("source")}, rows)
}

func (pr *printer) letters() {
	if len(pr.Letters) == 0 {
		return
	}
	pr.doc.heading(2, pr.s("letters"))
	var rows [][]string
	for _, l := range pr.Letters {
		rows = append(rows, []string{pr.t(l.Name), l.Channel, pr.yes(l.Serves), pr.source(l.Source)})
	}
	pr.doc.table([]string{pr.s("name"), pr.s("code"), pr.s("serves"), pr.s("source")}, rows)
}

func (pr *printer) warnings() {
	if len(pr.Warnings) == 0 {
		return
	}
	pr.doc.heading(2, pr.s("warnings"))
	var rows [][]string
	for _, w := range pr.Warnings {
		when := pr.nameList("kind", w.Kinds)
		for _, fact := range sortedKeys(w.Facts) {
			when += pr.s("with-fact", fact, w.Facts[fact])
		}
		rows = append(rows, []string{pr.t(w.Name), w.ID, when, pr.yes(w.Blocking), pr.source(w.Source)})
	}
	pr.doc.table([]string{pr.s("name"), pr.s("code"), pr.s("kind"), pr.s("blocking"), pr.s("source")}, rows)
}

func (pr *printer) calendar() {
	c := &pr.Calendar
	pr.doc.heading(2, pr.s("calendar"))
	pr.doc.table([]string{pr.s("weekend"), pr.phraseList("", c.Weekend)}, [][]string{
		{pr.s("moves"), pr.yes(c.SundayMovesNext)},
		{pr.s("why"), pr.source(c.Source)},
	})
	var rows [][]string
	for _, h := range c.Holidays {
		day := fmt.Sprintf("%d. %d.", h.Day, h.Month)
		if h.Easter != "" {
			day = fmt.Sprintf("%s %+d", pr.s("easter-"+h.Easter), h.Offset)
		}
		rows = append(rows, []string{pr.t(h.Name), day, pr.yes(h.State), pr.yes(h.Working), pr.source(h.Source)})
	}
	if len(rows) > 0 {
		pr.doc.table([]string{pr.s("name"), pr.s("day"), pr.s("state"), pr.s("works"), pr.s("source")}, rows)
	}
}

// numbers lists every term of the pack with its source, and counts them: how
// much of the rule book is law is the first thing to know about it.
func (pr *printer) numbers() {
	pr.doc.heading(2, pr.s("numbers"))
	count := map[string]int{}
	var rows [][]string
	for _, n := range pr.terms() {
		count[n.term.Source.Kind]++
		rows = append(rows, []string{n.where, pr.t(n.term.amount()), pr.s(n.term.Source.Kind), n.term.Source.Ref})
	}
	var parts []string
	for _, kind := range vocabulary["source"] {
		parts = append(parts, fmt.Sprintf("%s %d", pr.s(kind), count[kind]))
	}
	pr.doc.paragraph(pr.s("numbers-text", len(rows), strings.Join(parts, ", ")))
	pr.doc.table([]string{pr.s("where"), pr.s("number"), pr.s("source"), pr.s("why")}, rows)
}

// number is a term and the code of what it belongs to.
type number struct {
	where string
	term  Term
}

func (pr *printer) terms() []number {
	c := &pr.Consent
	out := []number{{"longest-hold", pr.LongestHold}}
	for i := range pr.Rules {
		r := &pr.Rules[i]
		if i > 0 && r.Code == pr.Rules[i-1].Code {
			continue
		}
		for _, d := range r.Due {
			out = append(out, number{strings.TrimSpace(r.Code + " " + d.Urgency), d.Term})
		}
		if r.Every != nil {
			out = append(out, number{r.Code + " (" + pr.s("repeats") + ")", *r.Every})
		}
	}
	for _, k := range pr.Clocks {
		out = append(out, number{k.Code, k.Informed.Term}, number{k.Code + " (" + pr.s("never") + ")", k.Never.Term})
	}
	for _, ch := range pr.Chains {
		out = append(out, number{ch.Code + " (" + pr.s("remind") + ")", ch.RemindBefore})
		for i, s := range ch.Steps {
			out = append(out, number{fmt.Sprintf("%s %d", ch.Code, i+1), s.After})
		}
	}
	return append(out, number{"consent (" + pr.s("default") + ")", c.Default}, number{"consent (" + pr.s("longest") + ")", c.Longest},
		number{"consent (" + pr.s("guardian") + ")", c.Guardian}, number{"consent (" + pr.s("reask") + ")", c.Reask},
		number{"consent (" + pr.s("review") + ")", c.Review})
}

func (pr *printer) lists() {
	pr.doc.heading(2, pr.s("lists"))
	header := []string{pr.s("name"), pr.s("code"), pr.s("source")}
	for _, l := range pr.namedLists() {
		rows := make([][]string, len(l.list))
		for i, n := range l.list {
			rows[i] = []string{pr.t(n.Name), n.Code, pr.source(n.Source)}
		}
		pr.doc.heading(3, pr.s(l.title))
		pr.doc.table(header, rows)
	}
	var rows [][]string
	for _, c := range pr.Categories {
		source := pr.source(c.Source)
		if c.Excluded {
			source = pr.s("excluded") + "; " + source
		}
		rows = append(rows, []string{pr.t(c.Name), c.Code, source})
	}
	pr.doc.heading(3, pr.s("data"))
	pr.doc.table(header, rows)
	rows = nil
	for _, r := range pr.Reasons {
		rows = append(rows, []string{pr.t(r.Name), r.Code, strings.Join(r.For, ", "), pr.source(r.Source)})
	}
	if len(rows) > 0 {
		pr.doc.heading(3, pr.s("reasons"))
		pr.doc.table([]string{pr.s("name"), pr.s("code"), pr.s("act"), pr.s("source")}, rows)
	}
}
