package statement

import (
	"bytes"
	"encoding/json"
	"sync"
)

// Nearly everything that is signed is ASCII without an escape, and the structs
// it is decoded into name their members in order. For such a text one walk over
// the bytes and one plain encoding decide what otherwise takes two tokenizers,
// an encoder and a canonicalizer. What the walk does not know it does not
// refuse: [Unmarshal] and [Marshal] then take the long way, which decides.

// evident reports that text is an object or an array in canonical form, for
// reasons that one walk can see: ASCII, no escape, members strictly ascending
// (bytes of ASCII sort like the UTF-16 units of RFC 8785 §3.2.3), integers of at
// most maxEvidentDigits, no null, no space, at most MaxDepth levels. False says
// nothing.
func evident(text []byte) bool {
	if len(text) < 2 || text[0] != '{' && text[0] != '[' {
		return false
	}
	w := walk{text: text}
	return w.value() && w.at == len(text)
}

// maxEvidentDigits is a length at which every number is below 2^53.
const maxEvidentDigits = 15

// walk is the place in a text.
type walk struct {
	text  []byte
	at    int
	depth int
}

// peek is the byte at hand, 0 behind the end. No text that is evident holds a 0.
func (w *walk) peek() byte {
	if w.at < len(w.text) {
		return w.text[w.at]
	}
	return 0
}

func (w *walk) take(c byte) bool {
	if w.peek() != c {
		return false
	}
	w.at++
	return true
}

func (w *walk) value() bool {
	switch c := w.peek(); {
	case c == '"':
		_, ok := w.str()
		return ok
	case c == '{':
		return w.nested(w.object)
	case c == '[':
		return w.nested(w.array)
	case c == 't':
		return w.word("true")
	case c == 'f':
		return w.word("false")
	case c == '-' || c >= '0' && c <= '9':
		return w.integer()
	}
	return false
}

func (w *walk) nested(f func() bool) bool {
	w.at++
	if w.depth++; w.depth > MaxDepth {
		return false
	}
	ok := f()
	w.depth--
	return ok
}

func (w *walk) object() bool {
	if w.take('}') {
		return true
	}
	var before []byte
	for first := true; ; first = false {
		name, ok := w.str()
		if !ok || !first && bytes.Compare(before, name) >= 0 || !w.take(':') || !w.value() {
			return false
		}
		before = name
		if !w.take(',') {
			return w.take('}')
		}
	}
}

func (w *walk) array() bool {
	if w.take(']') {
		return true
	}
	for {
		if !w.value() {
			return false
		}
		if !w.take(',') {
			return w.take(']')
		}
	}
}

// str reads a string without escapes.
func (w *walk) str() (inner []byte, ok bool) {
	if !w.take('"') {
		return nil, false
	}
	start := w.at
	for w.at < len(w.text) {
		c := w.text[w.at]
		w.at++
		if c == '"' {
			return w.text[start : w.at-1], true
		}
		if c < 0x20 || c >= 0x80 || c == '\\' {
			return nil, false
		}
	}
	return nil, false
}

func (w *walk) word(s string) bool {
	if !bytes.HasPrefix(w.text[w.at:], []byte(s)) {
		return false
	}
	w.at += len(s)
	return true
}

// integer reads an integer without a leading zero; minus zero is none.
func (w *walk) integer() bool {
	negative := w.take('-')
	start := w.at
	for c := w.peek(); c >= '0' && c <= '9'; c = w.peek() {
		w.at++
	}
	digits := w.text[start:w.at]
	if len(digits) == 0 || len(digits) > maxEvidentDigits {
		return false
	}
	return digits[0] != '0' || len(digits) == 1 && !negative
}

// plainBuffers are for texts that are compared and forgotten.
var plainBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// plain writes v as encoding/json does, without its escapes for HTML.
func plain(b *bytes.Buffer, v any) error {
	b.Reset()
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the line end
	return nil
}

// marshalEvident is [Marshal] where the plain text is evidently canonical: then
// RFC 8785 leaves it as it is.
func marshalEvident(v any) ([]byte, bool) {
	b := plainBuffers.Get().(*bytes.Buffer)
	defer plainBuffers.Put(b)
	if plain(b, v) != nil || !evident(b.Bytes()) {
		return nil, false
	}
	return bytes.Clone(b.Bytes()), true
}

// unmarshalEvident is [Unmarshal] where data is evidently canonical and the value
// is spelled again plainly as data: then its canonical spelling is data too. What
// decoding forgives (a member unknown, missing, or in other letters) would not
// come back.
func unmarshalEvident(data []byte, v any) bool {
	if !evident(data) || json.Unmarshal(data, v) != nil {
		return false
	}
	b := plainBuffers.Get().(*bytes.Buffer)
	defer plainBuffers.Put(b)
	return plain(b, v) == nil && bytes.Equal(b.Bytes(), data)
}
