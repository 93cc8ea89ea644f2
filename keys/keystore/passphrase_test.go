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
