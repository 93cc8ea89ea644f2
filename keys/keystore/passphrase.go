package keystore

import (
	"crypto/rand"
	"strings"
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
