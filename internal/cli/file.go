package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// ReadFile reads a file that a person named, at most limit bytes.
func ReadFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, Hint(fmt.Errorf("%s: longer than %d KiB", name, limit>>10), "check that this is the file you mean")
	}
	return data, nil
}

// ReadJSON reads a JSON file that a person wrote, at most limit bytes, into v. A
// misspelled member, or one that stands there twice, is an error: what a program
// silently leaves out of a file, nobody misses before it matters.
func ReadJSON(name string, limit int64, v any) error {
	data, err := ReadFile(name, limit)
	if err != nil {
		return err
	}
	if err := decodeStrict(data, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func decodeStrict(data []byte, v any) error {
	w := &walker{data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	if err := w.value(0); err != nil {
		return w.where(err)
	}
	if _, err := w.dec.Token(); err != io.EOF {
		return w.where(errors.New("there is something after the end"))
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return locate(data, dec.InputOffset(), err)
	}
	return nil
}

// maxDepth bounds how deep objects and lists nest.
const maxDepth = 32

// walker reads a JSON text once, for what decoding would forgive.
type walker struct {
	data []byte
	dec  *json.Decoder
}

func (w *walker) value(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	tok, err := w.dec.Token()
	if err != nil {
		return err
	}
	switch tok {
	case nil:
		return errors.New("null is no value here: leave the member out")
	case json.Delim('{'):
		return w.members(depth)
	case json.Delim('['):
		return w.elements(depth)
	}
	return nil
}

func (w *walker) members(depth int) error {
	seen := map[string]bool{}
	for w.dec.More() {
		tok, err := w.dec.Token()
		if err != nil {
			return err
		}
		name, _ := tok.(string)
		if folded := strings.ToLower(name); seen[folded] {
			return fmt.Errorf("%.40q stands there twice", name)
		} else {
			seen[folded] = true
		}
		if err := w.value(depth + 1); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return err
}

func (w *walker) elements(depth int) error {
	for w.dec.More() {
		if err := w.value(depth + 1); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return err
}

func (w *walker) where(err error) error { return locate(w.data, w.dec.InputOffset(), err) }

// locate says in which line an error is.
func locate(data []byte, offset int64, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
		err = fmt.Errorf("%q is no %s", kind.Field, kind.Type)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("the file ends too early")
	}
	offset = min(max(offset, 0), int64(len(data)))
	line := 1 + bytes.Count(data[:offset], []byte("\n"))
	return fmt.Errorf("line %d: %s", line, strings.TrimPrefix(err.Error(), "json: "))
}
