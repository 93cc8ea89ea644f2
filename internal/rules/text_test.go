package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/odziv/odziv/internal/script"
)

func TestTellingWord(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"dismissal-injured", ""},
		{"status-digest", ""},
		{"therapeutic-robot-begins", ""}, // stems begin words, they are not looked for inside
		{"", ""},
		{"Victim", "Victim"},
		{"complaint-of-victims", "victims"},
		{"anti_trafficking.pdf", "trafficking"},
		{"ŽRTVA nasilja", "ŽRTVA"},
		{"zrtve", "zrtve"},
		{"предмет жртве", "жртве"},
		{"ТРГОВИНА људима", "ТРГОВИНА"},
		{"trgovina", "trgovina"},
		{"prosjačenje", "prosjačenje"},
		{"prosjacenje", "prosjacenje"},
		{"izrabljivanje", "izrabljivanje"},
		{"жалба", ""},
		{"обавештење о одбацивању", ""},
	} {
		got, found := TellingWord(c.in)
		if got != c.want || found != (c.want != "") {
			t.Errorf("TellingWord(%q) = %q, %v, want %q", c.in, got, found, c.want)
		}
	}
}

// Each stem of the list is found as it stands, in capitals, and, if it is
// Cyrillic, in Latin with and without its marks. Every script is there.
func TestTellingList(t *testing.T) {
	scripts := map[string]int{}
	for line := range strings.Lines(tellingFile) {
		stem := strings.TrimSpace(line)
		if stem == "" || strings.HasPrefix(stem, "#") {
			continue
		}
		kind := "ascii"
		if strings.ContainsFunc(stem, script.IsCyrillic) {
			kind = "cyrillic"
		} else if strings.ContainsAny(stem, "čćšžđ") {
			kind = "latin"
		}
		scripts[kind]++
		for _, s := range []string{stem, strings.ToUpper(stem), script.Latin(stem), fold(stem), "a-" + stem + "x"} {
			if _, found := TellingWord(s); !found {
				t.Errorf("%q of stem %q is not found", s, stem)
			}
		}
	}
	if scripts["ascii"] < 20 || scripts["latin"] < 5 || scripts["cyrillic"] < 20 {
		t.Errorf("the list is too short: %v", scripts)
	}
}

// No code of a shipped pack that the exchange can see tells anything.
func TestVisibleCodes(t *testing.T) {
	for _, id := range []string{"rs-a@1", "xx-demo@1"} {
		c := &checker{p: load(t, id)}
		n := 0
		c.visible(func(path, code string) {
			n++
			if w, found := TellingWord(code); found {
				t.Errorf("%s: %s: %q", id, path, w)
			}
		})
		if n < 40 {
			t.Errorf("%s: only %d codes seen", id, n)
		}
	}
}

// Nothing of rs-a is in code: no string of this package is one of its kinds,
// institution types, rules or bases, save the words of the protocol itself.
func TestNothingOfAPackInCode(t *testing.T) {
	p := load(t, "rs-a@1")
	codes := map[string]bool{}
	for _, k := range p.Kinds {
		codes[k.Code] = true
	}
	for _, list := range [][]string{codesOf(p.Types), codesOf(p.Purposes)} {
		for _, code := range list {
			codes[code] = true
		}
	}
	for _, r := range p.Rules {
		codes[r.Code] = true
	}
	for _, b := range p.Bases {
		codes[b.Code] = true
	}
	for _, words := range vocabulary {
		for _, word := range words {
			delete(codes, word)
		}
	}
	for _, word := range []string{RuleAck, TypeRepresentative, "consent"} {
		delete(codes, word)
	}
	pkgs, err := parser.ParseDir(token.NewFileSet(), ".", func(f os.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, pkg := range pkgs {
		ast.Inspect(pkg, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				seen++
				if s, _ := strconv.Unquote(lit.Value); codes[s] {
					t.Errorf("%q is a code of a pack", s)
				}
			}
			return true
		})
	}
	if seen < 100 {
		t.Errorf("only %d strings seen", seen)
	}
}
