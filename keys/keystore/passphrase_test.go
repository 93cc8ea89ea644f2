package keystore

import (
	"strings"
	"testing"
)

// TestWords: 4096 words, no two closer than two letters, in the letters allowed.
func TestWords(t *testing.T) {
	seen := map[string]int{}
	for n := range 1 << bitsPerWord {
		w := word(n)
		if len(w) != 5 || strings.Trim(w, consonants+vowels) != "" || strings.ContainsAny(w, "quwxyz") {
			t.Errorf("%d: %q", n, w)
		}
		// Each word minus one letter, marked by where, must be new: else two
		// words differ in that letter only.
		for i := range w {
			short := w[:i] + "?" + w[i+1:]
			if other, ok := seen[short]; ok {
				t.Fatalf("%s and %s differ in one letter", w, word(other))
			}
			seen[short] = n
		}
	}
	for n, want := range map[int]string{0: "babab", 1: "babek", 2: "babit", 1023: "fovor", 4094: "vovic", 4095: "vovol"} {
		if got := word(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// TestSpell: every one of the 72 bits changes exactly the word it belongs to.
func TestSpell(t *testing.T) {
	var zero [words * bitsPerWord / 8]byte
	plain := strings.Split(spell(zero), " ")
	if len(plain) != words {
		t.Fatalf("%d words, want %d", len(plain), words)
	}
	for bit := range words * bitsPerWord {
		r := zero
		r[bit/8] |= 0x80 >> (bit % 8)
		for i, w := range strings.Split(spell(r), " ") {
			want := word(0)
			if i == bit/bitsPerWord {
				want = word(1 << (bitsPerWord - 1 - bit%bitsPerWord))
			}
			if w != want {
				t.Errorf("bit %d: word %d is %s, want %s", bit, i, w, want)
			}
		}
	}
}

func TestGeneratePassphrase(t *testing.T) {
	a, b := GeneratePassphrase(), GeneratePassphrase()
	if a.Reveal() == b.Reveal() {
		t.Error("the same twice")
	}
	if err := a.checkNew(false); err != nil || len(a.Reveal()) != 35 {
		t.Errorf("%d bytes, %v", len(a.Reveal()), err)
	}
}

// TestMistyped: every slip in one letter, and every two neighbouring letters in
// the wrong order, is found in the word it happened in.
func TestMistyped(t *testing.T) {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	for range 20 {
		list := strings.Split(GeneratePassphrase().Reveal(), " ")
		slip := func(i int, wrong string) {
			t.Helper()
			text := strings.Join(append(append(append([]string{}, list[:i]...), wrong), list[i+1:]...), " ")
			if wrong != list[i] && Mistyped(NewSecret(text)) != i+1 {
				t.Errorf("word %d as %s for %s: not noticed", i+1, wrong, list[i])
			}
		}
		for i, w := range list {
			for at := range w {
				for _, l := range letters {
					slip(i, w[:at]+string(l)+w[at+1:])
				}
				slip(i, w[:at]+w[at+1:])
				if at > 0 {
					slip(i, w[:at-1]+w[at:at+1]+w[at-1:at]+w[at+1:])
				}
			}
		}
	}
	good := "babab babek babit fovor vovic vovol"
	for text, want := range map[string]int{
		good: 0, "": 0, "babab": 0, "BABAB babek babit fovor vovic vovol": 0, good + " ": 0, good + " babab": 0,
		"babab babek babit fovor vovic vovil":                       6,
		"babak babek babit fovor vovic vovol":                       1,
		"babab babek babit wrong wrong wrong":                       4,
		"babab babek wrong wrong wrong wrong":                       0, // somebody's own
		"correct horse battery staple of mine":                      0,
		"БАБАБ бабек бабит фовор вовиц вовил":                       6,
		strings.Repeat("babab ", MaxPassphrase/6+1):                 0,
		"babab babek babit fovor vovic \xff\xfe":                    6,
		"babab babek babit fovor vovic " + strings.Repeat("x", 900): 6,
	} {
		if got := Mistyped(NewSecret(text)); got != want {
			t.Errorf("%.60q: word %d, want %d", text, got, want)
		}
	}
}

// TestTyped: generated words are understood however they are typed; anything else
// stays as it is.
func TestTyped(t *testing.T) {
	good := passphrase.Reveal()
	for _, text := range []string{good, strings.ToUpper(good), " " + strings.ReplaceAll(good, " ", "   ") + "\t", "бабаб бабек бабит фовор вовиц вовол", "Бабаб БАБЕК babit fovor vovic vovol"} {
		if Typed(text).Reveal() != good {
			t.Errorf("%q is not understood", text)
		}
	}
	for _, text := range []string{"", "Moja lozinka je dugačka", "BABAB BABEK", good + " babab", "babab  babek babit fovor vovic vovil"} {
		if Typed(text).Reveal() != text {
			t.Errorf("%q was changed", text)
		}
	}
	for range 50 {
		if g := GeneratePassphrase(); Typed(g.Reveal()).Reveal() != g.Reveal() || Mistyped(g) != 0 {
			t.Errorf("a generated one is not its own")
		}
	}
}

func TestSameWord(t *testing.T) {
	for typed, same := range map[string]bool{"babek": true, " BABEK\r": true, "бабек": true, "babak": false, "": false, "babek babek": false} {
		if SameWord(typed, "babek") != same {
			t.Errorf("%q: %v", typed, !same)
		}
	}
}

// TestOwnPassphrase: what could never be typed again locks nothing.
func TestOwnPassphrase(t *testing.T) {
	for text, ok := range map[string]bool{
		"moja dugačka lozinka":                 true,
		passphrase.Reveal():                    true,
		"babab babek babit fovor vovic vovil":  false,
		"BABAB babek babit fovor vovic vovol":  false,
		"babab  babek babit fovor vovic vovol": false,
	} {
		if err := NewSecret(text).checkNew(false); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		} else if err != nil && strings.Contains(err.Error(), "bab") {
			t.Errorf("the error quotes it: %v", err)
		}
	}
}

// FuzzTyped: what Typed makes of a text is what it makes of the result, and what
// may lock a file can be typed.
func FuzzTyped(f *testing.F) {
	for _, seed := range []string{"babab babek babit fovor vovic vovol", "БАБАБ бабек", "", " x ", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		typed := Typed(text)
		if Typed(typed.Reveal()).Reveal() != typed.Reveal() {
			t.Errorf("%q is understood in two ways", text)
		}
		if s := NewSecret(text); s.checkNew(false) == nil && (typed.Reveal() != text || Mistyped(s) != 0) {
			t.Errorf("%q may lock a file and cannot open it", text)
		}
	})
}
