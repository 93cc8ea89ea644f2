package audit

import (
	"bytes"
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"github.com/odziv/odziv/internal/evidence"
)

// maxLine bounds one line of an openings file, in bytes.
const maxLine = 2*evidence.MaxObject + 256

const (
	keyText = 44 // base64 of 32 bytes

	beforeMeta = `,"meta":`
	beforePriv = `,"priv":`
	beforeRM   = `,"rm":"`
	beforeRP   = `","rp":"`
	endLine    = `"}`
)

// shownOpening is one line: an opening, or its half for oversight (no PRIV).
type shownOpening struct {
	idx  int64
	meta []byte
	rm   []byte
	priv []byte // nil if only META is shown
	rp   []byte
}

// appendLine spells an opening as a line of canonical JSON with a line end.
func appendLine(b []byte, idx int64, o *evidence.Opening, metaOnly bool) []byte {
	b = strconv.AppendInt(append(b, `{"idx":`...), idx, 10)
	b = append(append(b, beforeMeta...), o.Meta...)
	if !metaOnly {
		b = append(append(b, beforePriv...), o.Priv...)
	}
	b = base64.StdEncoding.AppendEncode(append(b, beforeRM...), o.RM)
	if !metaOnly {
		b = base64.StdEncoding.AppendEncode(append(b, beforeRP...), o.RP)
	}
	return append(b, endLine+"\n"...)
}

// parseLine is the inverse of appendLine and accepts no other spelling around
// META and PRIV; they are held against the leaf before they are read. The parts
// share the memory of line, which has no line end.
func parseLine(line []byte) (*shownOpening, error) {
	bad := errors.New("is not an opening in its one spelling")
	rest, ok := bytes.CutPrefix(line, []byte(`{"idx":`))
	if !ok || len(line) > maxLine {
		return nil, bad
	}
	digits, rest, ok := bytes.Cut(rest, []byte(beforeMeta))
	if !ok {
		return nil, bad
	}
	idx, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil || idx < 0 || strconv.FormatInt(idx, 10) != string(digits) {
		return nil, bad
	}
	s := &shownOpening{idx: idx}
	n := objectEnd(rest)
	if n < 0 {
		return nil, bad
	}
	s.meta, rest = rest[:n], rest[n:]
	if after, ok := bytes.CutPrefix(rest, []byte(beforePriv)); ok {
		if n = objectEnd(after); n < 0 {
			return nil, bad
		}
		s.priv, rest = after[:n], after[n:]
	}
	return s, s.keys(rest)
}

// keys reads the end of a line: one key or both, as there are objects.
func (s *shownOpening) keys(rest []byte) (err error) {
	want := len(beforeRM) + keyText + len(endLine)
	if s.priv != nil {
		want += len(beforeRP) + keyText
	}
	if len(rest) != want || !bytes.HasPrefix(rest, []byte(beforeRM)) || !bytes.HasSuffix(rest, []byte(endLine)) {
		return errors.New("does not end with the keys of what it shows")
	}
	rest = rest[len(beforeRM) : len(rest)-len(endLine)]
	if s.rm, err = key32(rest[:keyText]); err != nil || s.priv == nil {
		return err
	}
	rest = rest[keyText:]
	if !bytes.HasPrefix(rest, []byte(beforeRP)) {
		return errors.New("does not end with the keys of what it shows")
	}
	s.rp, err = key32(rest[len(beforeRP):])
	return err
}

func key32(text []byte) ([]byte, error) {
	raw := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(raw, text)
	if err != nil || n != evidence.KeySize {
		return nil, errors.New("a key is not the base64 of 32 bytes")
	}
	return raw[:n], nil
}

// objectEnd is where the JSON object at the start of data ends, -1 if it does
// not. It counts braces outside of strings and knows nothing else of JSON.
func objectEnd(data []byte) int {
	if len(data) == 0 || data[0] != '{' {
		return -1
	}
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			if i = stringEnd(data, i); i < 0 {
				return -1
			}
		}
	}
	return -1
}

// stringEnd is the index of the quote that closes the string opened at i.
func stringEnd(data []byte, i int) int {
	for i++; i < len(data); i++ {
		j := bytes.IndexByte(data[i:], '"')
		if j < 0 {
			return -1
		}
		escapes := 0
		for k := i + j - 1; k >= i && data[k] == '\\'; k-- {
			escapes++
		}
		if i += j; escapes%2 == 0 {
			return i
		}
	}
	return -1
}

// check holds the opening against its leaf and decodes it; priv is nil if only
// META is shown.
func (s *shownOpening) check(leaf []byte) (*evidence.Meta, *evidence.Priv, error) {
	if s.priv != nil {
		o := evidence.Opening{Meta: s.meta, RM: s.rm, Priv: s.priv, RP: s.rp}
		return checkOpening(&o, leaf, s.idx)
	}
	return s.checkMeta(leaf)
}

// checkMeta is check for META alone: the leaf must be a leaf, and its m the
// commitment to META.
func (s *shownOpening) checkMeta(leaf []byte) (*evidence.Meta, *evidence.Priv, error) {
	l, err := parseLeaf(leaf)
	if err != nil {
		return nil, nil, err
	}
	if !hmac.Equal(mac(s.rm, s.meta), l.M) {
		return nil, nil, fmt.Errorf("leaf %d: %w", s.idx, evidence.ErrOpening)
	}
	var meta evidence.Meta
	if err := decodeMeta(s.meta, &meta); err != nil {
		return nil, nil, err
	}
	if meta.Idx != s.idx {
		return nil, nil, fmt.Errorf("leaf %d says it is %d: %w", s.idx, meta.Idx, evidence.ErrOpening)
	}
	return &meta, nil, nil
}
