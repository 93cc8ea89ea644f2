package script

import (
	"os"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

func TestLatin(t *testing.T) {
	for _, c := range []struct{ cyrillic, want string }{
		{"", ""},
		{"абвгдђежзијклљмнњопрстћуфхцчџш", "abvgdđežzijklljmnnjoprstćufhcčdžš"},
		{"АБВГДЂЕЖЗИЈКЛМНОПРСТЋУФХЦЧШ", "ABVGDĐEŽZIJKLMNOPRSTĆUFHCČŠ"},
		{"Љубав, Његош и Џеп", "Ljubav, Njegoš i Džep"},
		{"ЉУБАВ, ЊЕГОШ И ЏЕП", "LJUBAV, NJEGOŠ I DŽEP"},
		{"Љ", "Lj"},
		{"Љ.", "Lj."},
		{"КРАЉ", "KRALJ"},
		{"КОЊ!", "KONJ!"},
		{"Краљ", "Kralj"},
		{"Њ. Е.", "Nj. E."},
		{"А-Љ", "A-Lj"},
		{"ЉЉ", "LJLJ"},
		{"ЂЉ", "ĐLJ"},
		{"инјекција", "injekcija"},
		{"S01: жалба (CPC čl. 284)", "S01: žalba (CPC čl. 284)"},
		{"Ъы — ქ", "Ъы — ქ"}, // letters of other alphabets stay
		{"већ\xff\xfeлатиница", "već\xff\xfelatinica"},
		{"\ufffdа", "\ufffda"},
	} {
		if got := Latin(c.cyrillic); got != c.want {
			t.Errorf("Latin(%q) = %q, want %q", c.cyrillic, got, c.want)
		}
	}
}

// The alphabet has thirty letters; their Latin spellings all differ.
func TestAlphabet(t *testing.T) {
	if len(latin) != 30 {
		t.Fatalf("%d letters, want 30", len(latin))
	}
	seen := map[string]rune{}
	for r, l := range latin {
		if seen[l] != 0 {
			t.Errorf("%c and %c are both %s", r, seen[l], l)
		}
		seen[l] = r
		if !IsCyrillic(r) || !IsCyrillic(unicode.ToUpper(r)) {
			t.Errorf("%c is not Cyrillic", r)
		}
	}
	for _, r := range "abcčж" {
		if IsCyrillic(r) != (r == 'ж') {
			t.Errorf("IsCyrillic(%c) = %v", r, IsCyrillic(r))
		}
	}
}

func checkLatin(t interface{ Errorf(string, ...any) }, s string) {
	got := Latin(s)
	if strings.ContainsFunc(got, IsCyrillic) {
		t.Errorf("Latin(%q) = %q still has Cyrillic", s, got)
	}
	if Latin(got) != got {
		t.Errorf("Latin of %q changes it", got)
	}
	if !strings.ContainsFunc(s, IsCyrillic) && got != s {
		t.Errorf("Latin(%q) = %q changed what is not Cyrillic", s, got)
	}
}

func TestLatinProperty(t *testing.T) {
	letters := rapid.SampledFrom([]rune("абвгдђежзијклљмнњопрстћуфхцчџшЉЊЏАБ ab-.,1"))
	rapid.Check(t, func(rt *rapid.T) {
		s := string(rapid.SliceOf(letters).Draw(rt, "s"))
		checkLatin(rt, s)
		// Case never changes which letters come out.
		if l, u := Latin(s), Latin(strings.ToUpper(s)); !strings.EqualFold(l, u) {
			rt.Errorf("%q and %q differ in more than case", l, u)
		}
	})
}

func FuzzLatin(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) { checkLatin(t, s) })
}

func TestSeeds(t *testing.T) {
	if seeds, err := os.ReadDir("testdata/fuzz/FuzzLatin"); err != nil || len(seeds) == 0 {
		t.Fatalf("no seeds: %v", err)
	}
}
