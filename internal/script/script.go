// Package script derives Serbian Latin from Serbian Cyrillic.
//
// The Cyrillic alphabet of Vuk Karadžić and the Latin one of Ljudevit Gaj
// correspond letter by letter, save that Љ Њ Џ become two letters each. The way
// back is not unique (nj may be њ or нј), so texts are kept in Cyrillic.
package script

import (
	"strings"
	"unicode"
)

var latin = map[rune]string{
	'а': "a", 'б': "b", 'в': "v", 'г': "g", 'д': "d", 'ђ': "đ", 'е': "e", 'ж': "ž", 'з': "z", 'и': "i",
	'ј': "j", 'к': "k", 'л': "l", 'љ': "lj", 'м': "m", 'н': "n", 'њ': "nj", 'о': "o", 'п': "p", 'р': "r",
	'с': "s", 'т': "t", 'ћ': "ć", 'у': "u", 'ф': "f", 'х': "h", 'ц': "c", 'ч': "č", 'џ': "dž", 'ш': "š",
}

// IsCyrillic reports whether r is one of the thirty letters, in either case.
func IsCyrillic(r rune) bool {
	_, ok := latin[unicode.ToLower(r)]
	return ok
}

// Latin returns text with every Serbian Cyrillic letter in Latin. Everything
// else stays as it is: Latin words, digits, other alphabets, invalid bytes.
//
// A capital Љ becomes "LJ" where its neighbours are capitals too and "Lj" where
// they are not: the letter after it decides, at the end of a word the one
// before it, and alone it is "Lj".
func Latin(text string) string {
	if !strings.ContainsFunc(text, IsCyrillic) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	prev := ' '
	for i, r := range text {
		low, ok := latin[unicode.ToLower(r)]
		switch {
		case !ok:
			b.WriteString(text[i : i+size(text[i:], r)])
		case !unicode.IsUpper(r):
			b.WriteString(low)
		case shouted(prev, text[i+size(text[i:], r):]):
			b.WriteString(strings.ToUpper(low))
		default:
			first := []rune(low)[0]
			b.WriteRune(unicode.ToUpper(first))
			b.WriteString(low[len(string(first)):])
		}
		prev = r
	}
	return b.String()
}

// shouted reports whether a capital stands among capitals.
func shouted(before rune, after string) bool {
	for _, next := range after {
		if unicode.IsLetter(next) {
			return unicode.IsUpper(next)
		}
		break
	}
	return unicode.IsLetter(before) && unicode.IsUpper(before)
}

// size is the length of the first character of s, one byte if it is invalid.
func size(s string, r rune) int {
	if r == unicode.ReplacementChar && !strings.HasPrefix(s, string(r)) {
		return 1
	}
	return len(string(r))
}
