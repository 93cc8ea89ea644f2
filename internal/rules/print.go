package rules

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/odziv/odziv/internal/script"
)

// Languages of [Print]. Serbian Latin is derived from the Cyrillic.
var tags = map[string]string{"en": "en", "sr": "sr-Cyrl", "sr-latn": "sr-Latn"}

// Print writes the whole pack as a document a lawyer can read: who owes what to
// whom, by when and why, who may send what on which basis, what a consent
// needs, and every number with its source. Format is md or html, lang is en, sr
// or sr-latn. The same pack prints to the same bytes.
func Print(w io.Writer, p *Pack, format, lang string) error {
	tag, ok := tags[lang]
	if !ok {
		return fmt.Errorf("rules: print: %q is no language; use en, sr or sr-latn", clip(lang))
	}
	doc, err := newDocument(w, format)
	if err != nil {
		return err
	}
	pr := &printer{Pack: p, doc: doc, lang: lang, names: p.names()}
	pr.opening(tag)
	pr.obligations()
	pr.clocks()
	pr.chains()
	pr.matrix()
	pr.kinds()
	pr.consent()
	pr.letters()
	pr.warnings()
	pr.calendar()
	pr.numbers()
	pr.lists()
	if err := doc.end(); err != nil {
		return fmt.Errorf("rules: print: %w", err)
	}
	return nil
}

type printer struct {
	*Pack
	doc   document
	lang  string
	names map[string]map[string]Text // list to code to name
}

// names maps the codes of every list to their names.
func (p *Pack) names() map[string]map[string]Text {
	all := map[string]map[string]Text{}
	add := func(list, code string, name Text) {
		if all[list] == nil {
			all[list] = map[string]Text{}
		}
		all[list][code] = name
	}
	for _, l := range p.namedLists() {
		for _, n := range l.list {
			add(l.path, n.Code, n.Name)
		}
	}
	for _, x := range p.Kinds {
		add("kind", x.Code, x.Name)
	}
	for _, x := range p.Bases {
		add("basis", x.Code, x.Name)
	}
	for _, x := range p.Categories {
		add("category", x.Code, x.Name)
	}
	for _, x := range p.Rules {
		add("rule", x.Code, x.Name)
	}
	for _, x := range p.Chains {
		add("chain", x.Code, x.Name)
	}
	return all
}

// t is a text in the language of the document.
func (pr *printer) t(text Text) string {
	switch pr.lang {
	case "en":
		return text.EN
	case "sr":
		return text.SR
	}
	return script.Latin(text.SR)
}

// s is a phrase with its arguments. A phrase that is missing shows itself.
func (pr *printer) s(phrase string, args ...any) string {
	words, ok := phrases[phrase]
	if !ok {
		return "⟦" + phrase + "⟧"
	}
	text := pr.t(words)
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// name is the name of a code. Every reference of a parsed pack resolves.
func (pr *printer) name(list, code string) string { return pr.t(pr.names[list][code]) }

func (pr *printer) nameList(list string, codes []string) string {
	if slices.Equal(codes, []string{Any}) {
		return pr.s("any-type")
	}
	out := make([]string, len(codes))
	for i, c := range codes {
		out[i] = pr.name(list, c)
	}
	return strings.Join(out, ", ")
}

func (pr *printer) phraseList(prefix string, words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = pr.s(prefix + w)
	}
	return strings.Join(out, ", ")
}

// source is where something comes from, as "law: CPC art. 284(2). Note".
func (pr *printer) source(s Source) string {
	text := pr.s(s.Kind) + ": " + s.Ref
	if s.Note != "" {
		text += ". " + s.Note
	}
	return text
}

func (pr *printer) yes(b bool) string {
	if b {
		return pr.s("yes")
	}
	return pr.s("no")
}

func (pr *printer) opening(tag string) {
	pr.doc.start(pr.t(pr.Title), tag)
	pr.doc.paragraph(pr.s("reading-text"))
	pr.doc.table([]string{pr.s("pack"), pr.ID()}, [][]string{
		{pr.s("country"), pr.Country},
		{pr.s("domain"), pr.Domain},
		{pr.s("effective"), pr.EffectiveFrom},
		{pr.s("zone"), pr.Zone},
		{pr.s("longest-hold"), pr.term(pr.LongestHold)},
		{pr.s("why"), pr.source(pr.Source)},
		{pr.s("fingerprint"), pr.Hash()},
	})
}

// term is an amount of time with the source of its number.
func (pr *printer) term(t Term) string {
	return pr.s("number-from", pr.t(t.amount()), pr.source(t.Source))
}
