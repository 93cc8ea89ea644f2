package statement

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// canonical is the second reader: FORMAT.md section 1 as a recursive descent
// over bytes, without encoding/json. It exists to disagree.
func canonical(data []byte) bool {
	if !utf8.Valid(data) {
		return false
	}
	r := &reader{rest: string(data)}
	return r.value(0) && r.rest == ""
}

type reader struct{ rest string }

// take removes a prefix, if it is there.
func (r *reader) take(prefix string) bool {
	rest, ok := strings.CutPrefix(r.rest, prefix)
	if ok {
		r.rest = rest
	}
	return ok
}

func (r *reader) value(level int) bool {
	switch {
	case r.take("true"), r.take("false"):
		return true
	case r.take("{"):
		return level < 32 && r.members(level+1)
	case r.take("["):
		return level < 32 && r.elements(level+1)
	case strings.HasPrefix(r.rest, `"`):
		_, ok := r.text()
		return ok
	}
	return r.number()
}

func (r *reader) members(level int) bool {
	if r.take("}") {
		return true
	}
	for last := []uint16(nil); ; {
		name, ok := r.text()
		units := utf16.Encode([]rune(name))
		if !ok || last != nil && !before(last, units) || !r.take(":") || !r.value(level) {
			return false
		}
		last = append(units, 0)[:len(units)]
		if r.take("}") {
			return true
		}
		if !r.take(",") {
			return false
		}
	}
}

func before(a, b []uint16) bool {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return len(a) < len(b)
}

func (r *reader) elements(level int) bool {
	if r.take("]") {
		return true
	}
	for r.value(level) {
		if r.take("]") {
			return true
		}
		if !r.take(",") {
			return false
		}
	}
	return false
}

func (r *reader) number() bool {
	minus := r.take("-")
	digits := r.rest[:len(r.rest)-len(strings.TrimLeft(r.rest, "0123456789"))]
	r.rest = r.rest[len(digits):]
	if digits == "0" {
		return !minus
	}
	const limit = "9007199254740991"
	return digits != "" && digits[0] != '0' && (len(digits) < len(limit) || len(digits) == len(limit) && digits <= limit)
}

var shortEscapes = map[string]string{"\b": `\b`, "\t": `\t`, "\n": `\n`, "\f": `\f`, "\r": `\r`, `"`: `\"`, `\`: `\\`}

// text reads a string and returns what it means.
func (r *reader) text() (string, bool) {
	if !r.take(`"`) {
		return "", false
	}
	var meaning strings.Builder
	for !r.take(`"`) {
		c, ok := r.character()
		if !ok {
			return "", false
		}
		meaning.WriteString(c)
	}
	return meaning.String(), norm.NFC.IsNormalString(meaning.String())
}

func (r *reader) character() (string, bool) {
	if r.rest == "" {
		return "", false
	}
	for meaning, spelling := range shortEscapes {
		if r.take(spelling) {
			return meaning, true
		}
	}
	for c := range 0x20 {
		if _, short := shortEscapes[string(rune(c))]; !short && r.take(`\u00`+string("01"[c>>4])+string("0123456789abcdef"[c&15])) {
			return string(rune(c)), true
		}
	}
	c, n := utf8.DecodeRuneInString(r.rest)
	r.rest = r.rest[n:]
	return string(c), c >= 0x20 && c != '\\' && c != '"'
}

func nfc(s string) string { return norm.NFC.String(strings.ToValidUTF8(s, "")) }
