package statement

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/gowebpki/jcs"
	"golang.org/x/text/unicode/norm"
)

// MaxSize bounds a statement and a message payload, in bytes.
const MaxSize = 32 << 10

// MaxDepth bounds how deep arrays and objects nest: no format of ours needs a
// third of it, and no reader of others' bytes should recurse at their will.
const MaxDepth = 32

// maxSafe is the largest integer that every JSON implementation reads exactly
// (RFC 8785 §3.2.2.3, IEEE 754 double).
const maxSafe = 1<<53 - 1

// ErrNotCanonical says that bytes are JSON but not the one canonical spelling
// of their value.
var ErrNotCanonical = errors.New("not canonical JSON")

// Marshal returns the canonical form of v: RFC 8785, with no null, no fraction,
// no integer beyond 2^53-1 and every string in NFC. A nil slice or map is an
// error: the formats know absent and empty, never null.
func Marshal(v any) ([]byte, error) {
	if text, ok := marshalEvident(v); ok {
		return text, nil
	}
	return marshal(v)
}

// marshal is Marshal the long way, for every value.
func marshal(v any) ([]byte, error) {
	text, err := spell(v)
	if err != nil {
		return nil, err
	}
	if err := checkTokens(text); err != nil {
		return nil, fmt.Errorf("statement: marshal: %w", err)
	}
	return text, nil
}

// spell writes v as RFC 8785 does, whatever v holds.
func spell(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("statement: marshal: %w", err)
	}
	text, err := jcs.Transform(raw)
	if err != nil {
		return nil, fmt.Errorf("statement: marshal: %w", err)
	}
	return text, nil
}

// Unmarshal decodes data into v and refuses every spelling but the canonical
// one: unknown or case-variant members, duplicates, null, fractions, escapes
// that need not be, unordered members, trailing bytes. The caller bounds the
// size of data before.
func Unmarshal(data []byte, v any) error {
	if unmarshalEvident(data, v) {
		return nil
	}
	return unmarshal(data, v)
}

// unmarshal is Unmarshal the long way, for every text.
func unmarshal(data []byte, v any) error {
	if err := checkTokens(data); err != nil {
		return fmt.Errorf("statement: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("statement: %w", err)
	}
	again, err := spell(v) // equal to data, whose tokens were checked
	if err != nil {
		return err
	}
	if !bytes.Equal(again, data) {
		if err := checkTokens(again); err != nil { // a required member is missing
			return fmt.Errorf("statement: %w", err)
		}
		return fmt.Errorf("statement: %w", ErrNotCanonical)
	}
	return nil
}

// checkTokens walks data once for what decoding would forgive.
func checkTokens(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	for depth := 0; ; {
		tok, err := dec.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case json.Delim:
			if depth += step(t); depth > MaxDepth {
				return fmt.Errorf("nested deeper than %d levels", MaxDepth)
			}
		case nil:
			return errors.New("null is not a value here")
		case string:
			if !norm.NFC.IsNormalString(t) {
				return errors.New("string is not in Unicode NFC")
			}
		case json.Number:
			n, err := t.Int64()
			if err != nil || n > maxSafe || n < -maxSafe {
				return fmt.Errorf("number %s is not an integer within 2^53-1", t)
			}
		}
	}
}

// step is what a bracket adds to the depth.
func step(d json.Delim) int {
	if d == '{' || d == '[' {
		return 1
	}
	return -1
}
