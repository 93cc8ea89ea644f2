package rules

import (
	_ "embed"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/odziv/odziv/internal/script"
)

// maxText is the longest text of a pack, in characters.
const maxText = 600

// text checks that both languages are there and can be shown on one line, and
// that the Serbian is Cyrillic throughout: its Latin is derived letter by
// letter, so a Latin letter inside a word would come out wrong and unseen.
func (c *checker) text(path string, t Text) {
	if strings.TrimSpace(t.EN) == "" {
		c.bad(path+".en", "is missing; every text is in English and in Serbian Cyrillic")
	}
	if strings.TrimSpace(t.SR) == "" {
		c.bad(path+".sr", "is missing; every text is in English and in Serbian Cyrillic")
	}
	c.plain(path+".en", t.EN)
	c.plain(path+".sr", t.SR)
	for _, w := range strings.FieldsFunc(t.SR, func(r rune) bool { return !unicode.IsLetter(r) }) {
		if mixed(w) {
			c.bad(path+".sr", "%q mixes Cyrillic and other letters; type it in Serbian Cyrillic", clip(w))
		}
	}
	if t.SR != "" && !strings.ContainsFunc(t.SR, script.IsCyrillic) {
		c.bad(path+".sr", "%q is not Cyrillic; type the Cyrillic, the Latin is derived from it", clip(t.SR))
	}
}

func mixed(word string) bool {
	return strings.ContainsFunc(word, script.IsCyrillic) &&
		strings.ContainsFunc(word, func(r rune) bool { return !script.IsCyrillic(r) })
}

// plain checks a text that is shown: printable, on one line, not too long.
func (c *checker) plain(path, s string) {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		c.bad(path, "contains a line break or a character that does not print; write it on one line")
	}
	if n := utf8.RuneCountInString(s); n > maxText {
		c.bad(path, "%d characters, at most %d", n, maxText)
	}
}

//go:embed telling.txt
var tellingFile string

// stems are the telling words, folded as [fold] folds.
var stems = func() []string {
	var out []string
	for line := range strings.Lines(tellingFile) {
		line, _, _ = strings.Cut(line, "#")
		if w := fold(strings.TrimSpace(line)); w != "" {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}()

// TellingWord finds the first word of s that would tell a stranger what
// happened to a person: a word that begins with a stem of telling.txt, in
// Serbian Cyrillic, Serbian Latin with or without its marks, or English.
// Codes, URLs, log lines, file names and subjects must have none.
func TellingWord(s string) (word string, found bool) {
	words := strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })
	for _, w := range words {
		f := fold(w)
		for _, stem := range stems {
			if strings.HasPrefix(f, stem) {
				return w, true
			}
		}
	}
	return "", false
}

// unmark spells Serbian Latin as it is typed on a foreign keyboard.
var unmark = strings.NewReplacer("č", "c", "ć", "c", "š", "s", "ž", "z", "đ", "dj")

func fold(s string) string { return unmark.Replace(strings.ToLower(script.Latin(s))) }

// telling refuses telling words in every code that leaves a sealed body. The
// fields of a kind stay inside it and are not looked at.
func (c *checker) telling() {
	c.visible(func(path, code string) {
		if w, found := TellingWord(code); found {
			c.bad(path, "code %q contains the telling word %q; codes stand in URLs, logs and exports, choose a neutral one", clip(code), w)
		}
	})
}

// visible visits every code of the pack that the exchange can see.
func (c *checker) visible(visit func(path, code string)) {
	p := c.p
	visit("family", p.Family)
	visit("domain", p.Domain)
	for _, l := range p.namedLists() {
		for i, n := range l.list {
			visit(at(l.path, i)+".code", n.Code)
		}
	}
	for i, x := range p.Categories {
		visit(at("category", i)+".code", x.Code)
	}
	for i, x := range p.Bases {
		visit(at("basis", i)+".code", x.Code)
	}
	for i, x := range p.Reasons {
		visit(at("reason", i)+".code", x.Code)
	}
	for i, k := range p.Kinds {
		visit(at("kind", i)+".code", k.Code)
		for j, f := range k.Facts {
			for _, code := range append([]string{f.Code}, f.Values...) {
				visit(at(at("kind", i)+".fact", j), code)
			}
		}
	}
	for i, x := range p.Rules {
		visit(at("rule", i)+".code", x.Code)
	}
	for i, x := range p.Clocks {
		visit(at("clock", i)+".code", x.Code)
	}
	for i, x := range p.Chains {
		visit(at("chain", i)+".code", x.Code)
	}
	for i, x := range p.Warnings {
		visit(at("warning", i)+".id", x.ID)
	}
	for i, x := range p.Letters {
		visit(at("letter", i)+".channel", x.Channel)
	}
}

// namedList is a list of plain codes: its path in the file, what a printed pack
// calls it, and its elements.
type namedList struct {
	path, title string
	list        []Named
}

func (p *Pack) namedLists() []namedList {
	c := &p.Consent
	return []namedList{
		{"type", "types", p.Types},
		{"function", "functions", p.Functions},
		{"purpose", "purposes", p.Purposes},
		{"value", "values", p.Values},
		{"consent.age", "age", c.Ages},
		{"consent.opinion", "opinion", c.Opinions},
		{"consent.form", "form", c.Forms},
		{"consent.method", "method", c.Methods},
		{"consent.channel", "channel", c.Channels},
		{"consent.interpreter", "interpreter", c.Interps},
		{"consent.told", "exceptions", c.Told},
		{"consent.relation", "relations", c.Relations},
		{"consent.ground", "grounds", c.Grounds},
		{"consent.level", "levels", c.Levels},
	}
}
