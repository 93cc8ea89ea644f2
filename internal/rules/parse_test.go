package rules

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func file(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile("packs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func load(t testing.TB, id string) *Pack {
	t.Helper()
	p, err := Load(id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every pack of the program passes, under its own name and hash.
func TestEmbedded(t *testing.T) {
	ids, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"rs-a@1", "xx-demo@1"}; !slices.Equal(ids, want) {
		t.Fatalf("embedded %v, want %v", ids, want)
	}
	for _, id := range ids {
		p := load(t, id)
		data := file(t, p.Family+".toml")
		sum := sha256.Sum256([]byte(data))
		if p.ID() != id || p.Hash() != hex.EncodeToString(sum[:]) || string(p.Raw()) != data {
			t.Errorf("%s: id %s, hash %s, %d bytes", id, p.ID(), p.Hash(), len(p.Raw()))
		}
	}
	if _, err := Load("rs-a@2"); err == nil || !strings.Contains(err.Error(), "it has rs-a@1, xx-demo@1") {
		t.Errorf("Load of an unknown pack: %v", err)
	}
}

// What Raw returns is the caller's own.
func TestRawIsACopy(t *testing.T) {
	p := load(t, "xx-demo@1")
	p.Raw()[0] = 'X'
	if p.Raw()[0] == 'X' {
		t.Error("a caller changed the pack")
	}
}

func TestSizeBound(t *testing.T) {
	data := []byte(file(t, "xx-demo.toml"))
	full := append(data, bytes.Repeat([]byte("#"), MaxSize-len(data))...)
	if _, err := Parse("full.toml", full); err != nil {
		t.Errorf("%d bytes: %v", len(full), err)
	}
	_, err := Parse("over.toml", append(full, '#'))
	if err == nil || !strings.Contains(err.Error(), "at most 524288") {
		t.Errorf("%d bytes: %v", len(full)+1, err)
	}
}

// Files made to be slow are refused in time.
func TestHostileShapes(t *testing.T) {
	var many, types strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&many, "k%d = 1\n", i)
	}
	for range 65 {
		types.WriteString("[[type]]\n")
	}
	for name, c := range map[string]struct{ src, want string }{
		"many keys":     {many.String(), "20000 problem(s)"},
		"many types":    {types.String(), "type: 65 of them, at most 64; split the domain into two packs"},
		"dots":          {strings.Repeat("a.", MaxSize/2-3) + "a = 1", "1 problem(s)\nhostile.toml:1: a: no such member"},
		"table of dots": {"[" + strings.Repeat("a.", MaxSize/2-3) + "a]", "hostile.toml:1: a: no such member"},
		"long key":      {strings.Repeat("a", MaxSize-8) + " = 1", "is not spelt in lower-case"},
		"deep array":    {"a = " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000), "no such member"},
		"deeper array":  {"a = " + strings.Repeat("[", MaxSize/2-8) + strings.Repeat("]", MaxSize/2-8), "hostile.toml:1:"},
		"deep table":    {"a = " + strings.Repeat("{a=", 9000) + "1" + strings.Repeat("}", 9000), "no such member"},
	} {
		_, err := Parse("hostile.toml", []byte(c.src))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.200v", name, err)
		}
		if err != nil && len(err.Error()) > 40000 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
}

// Defaults that a pack may leave out.
func TestDefaults(t *testing.T) {
	p := load(t, "xx-demo@1")
	for code, want := range map[string][2]string{
		"ack":             {OnOpened, TellOpen},
		"answer-high":     {OnSubmitted, TellDue},
		"tell-magistrate": {OnSubmitted, TellNever},
		"serve-ruling":    {OnHandedOver, TellOpen},
	} {
		r, ok := p.Rule(code)
		if !ok || r.FulfilOn != want[0] || r.Tell != want[1] {
			t.Errorf("%s: %+v", code, r)
		}
	}
}

// A rule that three events open is there once for each, and is still one rule.
func TestOneEntryPerEvent(t *testing.T) {
	p := load(t, "xx-demo@1")
	var events []string
	for _, r := range p.Rules {
		if r.Code == "let-go" {
			events = append(events, r.Trigger.Event)
		}
	}
	if want := []string{"consent.withdrawn", "consent.narrowed", "consent.expired"}; !slices.Equal(events, want) {
		t.Errorf("entries for %v, want %v", events, want)
	}
	for _, ev := range events {
		if on := p.RulesOn(ev); len(on) != 1 || on[0].Code != "let-go" || on[0].Trigger.Event != ev {
			t.Errorf("RulesOn(%s) = %v", ev, on)
		}
	}
	if on := p.RulesOn("consent.given"); len(on) != 0 {
		t.Errorf("RulesOn(consent.given) = %v", on)
	}
}

// All problems come in one error, in the order of the file, with their lines.
func TestAllProblemsAtOnce(t *testing.T) {
	src := edit(t, file(t, "xx-demo.toml"),
		[2]string{`country = "XX"`, `country = "xx"`},
		[2]string{`unit = "min"` + "\nurgency = \"I\"", `unit = "weeks"` + "\nurgency = \"I\""},
		[2]string{`channel = "bottle"`, `channel = "Bottle"`})
	_, err := Parse("three.toml", []byte(src))
	var invalid *Invalid
	if !errors.As(err, &invalid) || len(invalid.Problems) != 3 {
		t.Fatalf("%v", err)
	}
	for i, want := range []string{"country", "rule[ack].due[0].unit", "letter[0].code"} {
		p := invalid.Problems[i]
		if p.Path != want {
			t.Errorf("problem %d is %v, want path %s", i, p, want)
		}
	}
	for i, want := range []string{`country = "xx"`, `unit = "weeks"`, `[[letter]]`} {
		line := strings.Split(src, "\n")[invalid.Problems[i].Line-1]
		if line != want {
			t.Errorf("problem %d points at %q, want %q", i, line, want)
		}
	}
	if n := strings.Count(err.Error(), "\nthree.toml:"); n != 3 {
		t.Errorf("%d lines in %v", n, err)
	}
}

// A hopeless file prints a readable error.
func TestErrorIsBounded(t *testing.T) {
	e := &Invalid{Name: "x", Problems: make([]Problem, maxPrinted+7)}
	if got := e.Error(); !strings.HasSuffix(got, "… and 7 more") || strings.Count(got, "\n") != maxPrinted+1 {
		t.Errorf("%d lines, ends %q", strings.Count(got, "\n"), got[len(got)-20:])
	}
}

func TestDeclares(t *testing.T) {
	p := load(t, "rs-a@1")
	r, _ := p.Rule("report-to-center")
	for _, c := range []struct {
		fields map[string]string
		want   bool
	}{
		{map[string]string{"indicators": "present"}, true},
		{map[string]string{"indicators": "unclear", "age": "adult"}, true},
		{map[string]string{"indicators": "none"}, false},
		{map[string]string{"indicators": ""}, false},
		{map[string]string{}, false},
		{nil, false},
	} {
		if got := r.Declares(c.fields); got != c.want {
			t.Errorf("Declares(%v) = %v", c.fields, got)
		}
	}
	if other, _ := p.Rule("registration"); other.Declares(map[string]string{"indicators": "present"}) {
		t.Error("a rule that is not declared declares")
	}
	two := Rule{Declared: true, When: []Condition{{"a", []string{"x"}}, {"b", []string{"y"}}}}
	if two.Declares(map[string]string{"a": "x"}) || !two.Declares(map[string]string{"a": "x", "b": "y"}) {
		t.Error("all conditions must hold")
	}
	if (&Rule{Declared: true}).Declares(map[string]string{"a": "x"}) {
		t.Error("a rule without conditions declares")
	}
}

func TestSet(t *testing.T) {
	a, b := load(t, "rs-a@1"), load(t, "xx-demo@1")
	s := NewSet(a, b)
	if p, ok := s.Get("rs-a@1"); !ok || p != a {
		t.Error("rs-a@1 is not in its set")
	}
	if _, ok := s.Get("rs-a@2"); ok {
		t.Error("rs-a@2 is in the set")
	}
	if got := s.IDs(); !slices.Equal(got, []string{"rs-a@1", "xx-demo@1"}) {
		t.Error(got)
	}
	if p, err := s.Adopted("xx-demo@1", b.Hash()); err != nil || p != b {
		t.Error(err)
	}
	if _, err := s.Adopted("xx-demo@1", a.Hash()); err == nil || !strings.Contains(err.Error(), "use the adopted file") {
		t.Errorf("another hash: %v", err)
	}
	if _, err := s.Adopted("xx-demo@2", b.Hash()); err == nil || !strings.Contains(err.Error(), "add its file") {
		t.Errorf("another version: %v", err)
	}
}

// Parse never panics, and what it accepts can be looked up and printed.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("fuzz.toml", data)
		if err != nil {
			var invalid *Invalid
			if !errors.As(err, &invalid) || len(invalid.Problems) == 0 || p != nil {
				t.Fatalf("%T %v", err, err)
			}
			_ = err.Error()
			return
		}
		var out bytes.Buffer
		for _, lang := range []string{"en", "sr", "sr-latn"} {
			if err := Print(&out, p, "html", lang); err != nil {
				t.Fatal(err)
			}
		}
		if p.Location() == nil || len(p.Hash()) != 64 {
			t.Fatal("incomplete pack")
		}
		again, err := Parse("again.toml", p.Raw())
		if err != nil || again.Hash() != p.Hash() {
			t.Fatalf("its own bytes: %v", err)
		}
	})
}

func TestSeeds(t *testing.T) {
	if seeds, err := os.ReadDir("testdata/fuzz/FuzzParse"); err != nil || len(seeds) < 5 {
		t.Fatalf("%d seeds: %v", len(seeds), err)
	}
}
