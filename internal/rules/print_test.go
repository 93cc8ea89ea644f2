package rules

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/script"
)

var update = flag.Bool("update", false, "write the golden files")

func printed(t *testing.T, p *Pack, format, lang string) string {
	t.Helper()
	var b bytes.Buffer
	if err := Print(&b, p, format, lang); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPrintGolden(t *testing.T) {
	for _, c := range []struct{ id, format, lang string }{
		{"rs-a@1", "md", "en"}, {"rs-a@1", "md", "sr"},
		{"xx-demo@1", "md", "en"}, {"xx-demo@1", "md", "sr-latn"}, {"xx-demo@1", "html", "sr"},
	} {
		name := "testdata/print/" + strings.TrimSuffix(c.id, "@1") + "." + c.lang + "." + c.format
		got := printed(t, load(t, c.id), c.format, c.lang)
		if *update {
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs; look, then go test -update", name)
		}
	}
}

// Every document is complete: no phrase missing, the same bytes twice, every
// rule, kind and number in it, and in Latin not one Cyrillic letter.
func TestPrintEverything(t *testing.T) {
	for _, id := range []string{"rs-a@1", "xx-demo@1"} {
		p := load(t, id)
		for _, format := range []string{"md", "html"} {
			for _, lang := range []string{"en", "sr", "sr-latn"} {
				text := printed(t, p, format, lang)
				if strings.Contains(text, "⟦") || strings.Contains(text, "%!") {
					t.Errorf("%s %s %s: a phrase is missing or wrong", id, format, lang)
				}
				if text != printed(t, p, format, lang) {
					t.Errorf("%s %s %s: not the same twice", id, format, lang)
				}
				for _, r := range p.Rules {
					if n := headings(text, "("+r.Code+")"); n != 1 {
						t.Errorf("%s %s %s: rule %s is there %d times", id, format, lang, r.Code, n)
					}
				}
				if !strings.Contains(text, p.Hash()) {
					t.Errorf("%s %s %s: no hash", id, format, lang)
				}
				if lang == "sr-latn" && strings.ContainsFunc(text, script.IsCyrillic) {
					t.Errorf("%s %s: Cyrillic in the Latin document", id, format)
				}
			}
		}
	}
}

// headings counts the headings of obligations that name a code.
func headings(text, code string) (n int) {
	for line := range strings.Lines(text) {
		heading := strings.HasPrefix(line, "### ") || strings.HasPrefix(line, "<h3>")
		if heading && strings.ContainsAny(line, "123456789") && strings.Contains(line, code) {
			n++
		}
	}
	return n
}

func TestPrintRefuses(t *testing.T) {
	p := load(t, "xx-demo@1")
	if err := Print(&bytes.Buffer{}, p, "pdf", "en"); err == nil || !strings.Contains(err.Error(), "use md or html") {
		t.Error(err)
	}
	if err := Print(&bytes.Buffer{}, p, "md", "de"); err == nil || !strings.Contains(err.Error(), "use en, sr or sr-latn") {
		t.Error(err)
	}
	for _, format := range []string{"md", "html"} {
		if err := Print(full{}, p, format, "en"); !errors.Is(err, errFull) {
			t.Errorf("%s to a full disk: %v", format, err)
		}
	}
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// A text of a pack is never markup.
func TestPrintEscapes(t *testing.T) {
	src := edit(t, file(t, "xx-demo.toml"), [2]string{`en = "Guild"`, `en = "<script>alert(1)</script> | **x** [a](b)"`})
	p, err := Parse("hostile.toml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	if h := printed(t, p, "html", "en"); strings.Contains(h, "<script") || !strings.Contains(h, "&lt;script&gt;alert(1)") {
		t.Error("markup in HTML")
	}
	md := printed(t, p, "md", "en")
	if strings.Contains(md, "<script") || strings.Contains(md, "**x**") || strings.Contains(md, "[a](b)") || !strings.Contains(md, `\| \*\*x\*\*`) {
		t.Error("markup in Markdown")
	}
	for _, line := range strings.Split(md, "\n") {
		if strings.Contains(line, "alert") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") < 3 {
			t.Errorf("a broken row: %s", line)
		}
	}
}

// A document fetches nothing.
func TestPrintIsSelfContained(t *testing.T) {
	h := printed(t, load(t, "rs-a@1"), "html", "en")
	for _, s := range []string{"http://", "https://", "<link", "<script", "<img", "@import", "url("} {
		if strings.Contains(h, s) {
			t.Errorf("the document contains %q", s)
		}
	}
}

func TestAmounts(t *testing.T) {
	for _, c := range []struct {
		amount int
		unit   string
		en, sr string
	}{
		{1, "wd", "1 working day", "1 радни дан"},
		{2, "wd", "2 working days", "2 радна дана"},
		{4, "cd", "4 calendar days", "4 календарска дана"},
		{5, "wd", "5 working days", "5 радних дана"},
		{8, "cd", "8 calendar days", "8 календарских дана"},
		{11, "mo", "11 months", "11 месеци"},
		{12, "mo", "12 months", "12 месеци"},
		{14, "h", "14 hours", "14 сати"},
		{21, "h", "21 hours", "21 сат"},
		{24, "h", "24 hours", "24 сата"},
		{30, "min", "30 minutes", "30 минута"},
		{31, "min", "31 minutes", "31 минут"},
		{111, "cd", "111 calendar days", "111 календарских дана"},
		{0, "min", "0 minutes", "0 минута"},
	} {
		if got := (Term{Amount: c.amount, Unit: c.unit}).amount(); got.EN != c.en || got.SR != c.sr {
			t.Errorf("%d %s is %q and %q", c.amount, c.unit, got.EN, got.SR)
		}
	}
}

// Phrases are in both languages, the Serbian in Cyrillic, with the same verbs.
func TestPhrases(t *testing.T) {
	c := &checker{}
	for key, text := range phrases {
		c.text(key, text)
		if verbs(text.EN) != verbs(text.SR) {
			t.Errorf("%s: %q and %q", key, text.EN, text.SR)
		}
	}
	for _, p := range c.found {
		t.Error(p)
	}
}

func verbs(s string) string {
	var out []string
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '%' {
			out = append(out, s[i:i+2])
			i++
		}
	}
	return strings.Join(out, " ")
}
