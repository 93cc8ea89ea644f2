package rules

import (
	"fmt"
	"slices"
	"strings"
)

func (pr *printer) obligations() {
	pr.doc.heading(2, pr.s("obligations"))
	n := 0
	for i := range pr.Rules {
		r := &pr.Rules[i]
		if i > 0 && r.Code == pr.Rules[i-1].Code {
			continue // entered once per event
		}
		n++
		pr.doc.heading(3, fmt.Sprintf("%d. %s (%s)", n, pr.t(r.Name), r.Code))
		pr.doc.table([]string{pr.s("opens"), pr.opens(r)}, pr.ruleRows(r))
	}
}

func (pr *printer) ruleRows(r *Rule) [][]string {
	rows := [][]string{
		{pr.s("owes"), pr.party(r.Obligor)},
		{pr.s("owed"), pr.party(r.Obligee)},
		{pr.s("by-when"), pr.due(r)},
		{pr.s("fulfilled"), pr.fulfilment(r)},
	}
	if len(r.Interim) > 0 {
		rows = append(rows, []string{pr.s("interim"), pr.s("interim-max", pr.nameList("kind", r.Interim), r.MaxInter)})
	}
	if r.Every != nil {
		rows = append(rows, []string{pr.s("repeats"), pr.term(*r.Every)},
			[]string{pr.s("ends"), pr.nameList("kind", r.EndsWith)})
	}
	if r.Statutory {
		rows = append(rows, []string{pr.s("statutory"), pr.s("no-extension")})
	}
	late := pr.s("not-missing")
	if r.Missing {
		late = pr.s("missing")
	}
	return append(rows,
		[]string{pr.s("late"), pr.name("chain", r.Chain) + "; " + late},
		[]string{pr.s("told"), pr.s("tell-" + r.Tell)},
		[]string{pr.s("why"), pr.source(r.Source)})
}

func (pr *printer) opens(r *Rule) string {
	var text string
	switch t := r.Trigger; {
	case len(t.Events) > 0:
		text = pr.s("event", pr.events(t.Events))
	case slices.Contains(t.Kinds, Any):
		text = pr.s("any-notice")
	default:
		text = pr.s("notice", pr.nameList("kind", t.Kinds))
	}
	if len(r.Trigger.From) > 0 {
		text += pr.s("from-types", pr.nameList("type", r.Trigger.From))
	}
	for _, fact := range sortedKeys(r.Trigger.Facts) {
		text += pr.s("with-fact", fact, r.Trigger.Facts[fact])
	}
	if r.Declared {
		var parts []string
		for _, w := range r.When {
			parts = append(parts, pr.s("is-one-of", pr.fieldName(r, w.Field), strings.Join(w.In, ", ")))
		}
		text += pr.s("declared", strings.Join(parts, "; "))
	}
	return text
}

// events names changes of consent: "consent.narrowed" is "Consent: narrowed".
func (pr *printer) events(events []string) string {
	out := make([]string, len(events))
	for i, e := range events {
		out[i] = pr.s("consent") + ": " + pr.s(strings.TrimPrefix(e, "consent."))
	}
	return strings.Join(out, ", ")
}

func (pr *printer) fieldName(r *Rule, field string) string {
	for _, code := range r.Trigger.Kinds {
		if k, ok := pr.Kind(code); ok {
			if i := slices.IndexFunc(k.Fields, func(f Field) bool { return f.Code == field }); i >= 0 {
				return pr.t(k.Fields[i].Name)
			}
		}
	}
	return field
}

func (pr *printer) party(p Party) string {
	var text string
	switch p.Who {
	case WhoFiled:
		text = pr.s("filed", pr.name("kind", p.Kind))
	case WhoFunction:
		text = pr.name("type", p.Type) + ": " + pr.name("function", p.Fn)
	default:
		text = pr.s(p.Who)
	}
	if len(p.Types) > 0 {
		text += pr.s("only", pr.nameList("type", p.Types))
	}
	if len(p.Not) > 0 {
		text += pr.s("except", pr.nameList("type", p.Not))
	}
	return text
}

func (pr *printer) due(r *Rule) string {
	lines := make([]string, len(r.Due))
	for i, d := range r.Due {
		lines[i] = pr.deadline(d)
		if d.Urgency != "" {
			lines[i] = pr.s("urgency-"+d.Urgency) + ": " + lines[i]
		}
	}
	return strings.Join(lines, "\n")
}

func (pr *printer) deadline(d Deadline) string {
	text := pr.t(d.amount()) + " " + pr.s("start-"+d.Start)
	if d.Shift == ShiftNext {
		text += pr.s("shift")
	}
	return pr.s("number-from", text, pr.source(d.Source))
}

func (pr *printer) fulfilment(r *Rule) string {
	names := make([]string, len(r.Fulfilled))
	for i, k := range r.Fulfilled {
		names[i] = pr.name("kind", k)
	}
	if r.FulfilOn == OnOpened {
		return strings.Join(append([]string{pr.s("opening")}, names...), pr.s("or"))
	}
	kinds := strings.Join(names, pr.s("or"))
	if r.FulfilOn == OnHandedOver {
		return pr.s("handed-over", kinds)
	}
	return pr.s("submitted", kinds)
}

func (pr *printer) clocks() {
	if len(pr.Clocks) == 0 {
		return
	}
	pr.doc.heading(2, pr.s("clocks"))
	for _, c := range pr.Clocks {
		pr.doc.heading(3, fmt.Sprintf("%s (%s)", pr.t(c.Name), c.Code))
		pr.doc.table([]string{pr.s("starts-with"), pr.nameList("kind", c.Kinds)}, [][]string{
			{pr.s("duty"), pr.name("rule", c.Rule)},
			{pr.s("informed"), pr.deadline(c.Informed)},
			{pr.s("never"), pr.deadline(c.Never)},
			{pr.s("why"), pr.source(c.Source)},
		})
	}
}

func (pr *printer) chains() {
	pr.doc.heading(2, pr.s("chains"))
	var rows [][]string
	for _, c := range pr.Chains {
		rows = append(rows, []string{pr.t(c.Name), pr.s("remind"),
			pr.s("number-from", pr.s("remind-text", c.RemindPercent, pr.t(c.RemindBefore.amount())), pr.source(c.RemindBefore.Source)),
			pr.s("to-obligor"), pr.source(c.Source)})
		for i, s := range c.Steps {
			when := pr.s("at-due")
			if s.After.Amount > 0 {
				when = pr.s("after-due", pr.t(s.After.amount()))
			}
			rows = append(rows, []string{pr.t(c.Name), fmt.Sprintf("%s %d", pr.s("step"), i+1),
				when, pr.phraseList("to-", s.To), pr.source(s.After.Source)})
		}
	}
	pr.doc.table([]string{pr.s("chain"), pr.s("step"), pr.s("by-when"), pr.s("owed"), pr.s("source")}, rows)
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
