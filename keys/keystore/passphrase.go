package keystore

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Words are consonant, vowel, consonant, vowel, consonant. The letters are in
// the same place on English, Serbian Latin and German keyboards (no y, z), are
// written by hand in Serbia (no q, w, x) and are not taken for each other (u is
// read as v). The first four letters are 4+2+4+2 = 12 random bits; the last is
// a check, so that no two words differ in one letter only.
const (
	consonants = "bcdfghjklmnprstv"
	vowels     = "aeio"

	words       = 6
	bitsPerWord = 12
)

// GeneratePassphrase returns six words of 12 random bits each, 72 bits in all,
// separated by single spaces. Under [WorkFactor] trying them all is out of reach.
func GeneratePassphrase() Secret {
	var r [words * bitsPerWord / 8]byte
	rand.Read(r[:]) // never fails since Go 1.24
	return NewSecret(spell(r))
}

// spell writes 72 bits as six words, most significant bits first.
func spell(r [words * bitsPerWord / 8]byte) string {
	var list [words]string
	for i := range list {
		first := i * bitsPerWord / 8
		pair := int(r[first])<<8 | int(r[first+1])
		if i%2 == 0 {
			pair >>= 4
		}
		list[i] = word(pair & 0xfff)
	}
	return strings.Join(list[:], " ")
}

// word spells a number below 4096.
func word(n int) string {
	a, b, c, d := n>>8&15, n>>6&3, n>>2&15, n&3
	// Odd factors below 16 are invertible mod 16, and a vowel moves the sum by
	// less than 16: one changed letter always changes the check.
	check := (a + 3*b + 5*c + 7*d) & 15
	return string([]byte{consonants[a], vowels[b], consonants[c], vowels[d], consonants[check]})
}

// cyrillic are the letters on the same keys of a Serbian keyboard that was left
// in its other script.
var cyrillic = strings.NewReplacer("б", "b", "ц", "c", "д", "d", "ф", "f", "г", "g", "х", "h", "ј", "j", "к", "k", "л", "l", "м", "m",
	"н", "n", "п", "p", "р", "r", "с", "s", "т", "t", "в", "v", "а", "a", "е", "e", "и", "i", "о", "o")

// Typed is the passphrase that somebody typed. Six words as [GeneratePassphrase]
// makes them are taken in capitals, in Cyrillic and with any blanks between them;
// anything else is taken exactly as it is, since the age command, which opens the
// file too, knows no such mercy.
func Typed(text string) Secret {
	if list := plain(text); len(list) == words && mistyped(list) == 0 {
		return NewSecret(strings.Join(list, " "))
	}
	return NewSecret(text)
}

// plain spells words as they were generated.
func plain(text string) []string {
	if len(text) > MaxPassphrase {
		return nil
	}
	return strings.Fields(cyrillic.Replace(strings.Map(unicode.ToLower, text)))
}

// SameWord reports whether somebody typed this word of a generated passphrase.
func SameWord(typed, word string) bool { return slices.Equal(plain(typed), plain(word)) }

// Mistyped finds the word of a generated passphrase that is none: its number from
// 1, or 0 if there is none or if this is no generated passphrase at all. It takes
// no key and no file: it tells a guesser what is written in FORMAT.md.
func Mistyped(s Secret) int {
	list := plain(s.Reveal())
	wrong := 0
	for i := range list {
		if !isWord(list[i]) {
			wrong++
		}
	}
	if len(list) != words || wrong > words-generatedLike {
		return 0
	}
	return mistyped(list)
}

// generatedLike is how many of the six words must be right before the others
// count as mistyped: of texts that nobody generated, one in ten to the ninth has
// so many by chance.
const generatedLike = 3

// mistyped is the number of the first word that is none, 0 if all are.
func mistyped(list []string) int {
	for i, w := range list {
		if !isWord(w) {
			return i + 1
		}
	}
	return 0
}

// isWord reports whether w is one of the 4096.
func isWord(w string) bool {
	if len(w) != 5 {
		return false
	}
	a, b := strings.IndexByte(consonants, w[0]), strings.IndexByte(vowels, w[1])
	c, d := strings.IndexByte(consonants, w[2]), strings.IndexByte(vowels, w[3])
	return a >= 0 && b >= 0 && c >= 0 && d >= 0 && w == word(a<<8|b<<6|c<<2|d)
}

// checkOwn refuses a passphrase of somebody's own that would be taken for a
// generated one with a mistake in it, and could then never be typed.
func checkOwn(s Secret) error {
	if n := Mistyped(s); n > 0 {
		return fmt.Errorf("it looks like six generated words, and word %d is none of them", n)
	}
	if Typed(s.Reveal()).Reveal() != s.Reveal() {
		return fmt.Errorf("six generated words are locked in small letters with one space between them")
	}
	return nil
}
