package shred

import (
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

const (
	// MaxHeader bounds the header of an envelope, in bytes: 32 recipients need
	// some 50 KB.
	MaxHeader = 64 << 10
	// HybridStanza is the only stanza type an envelope may have (X-Wing).
	HybridStanza = "mlkem768x25519"
)

// CountStanzas returns the stanza types in the header of an age file, in order,
// without opening it. It reads src somewhat beyond the header, at most
// [MaxHeader] bytes; a longer header is refused. An error wraps [ErrStanzas].
func CountStanzas(src io.Reader) ([]string, error) {
	var s spy
	_, err := age.Decrypt(io.LimitReader(src, MaxHeader), &s)
	if !s.called {
		return nil, fmt.Errorf("shred: %w: no age header within %d bytes: %w", ErrStanzas, MaxHeader, err)
	}
	return s.types, nil
}

// CheckStanzas wants exactly n stanzas, all of type [HybridStanza]: as many as
// the signed header names recipients for a body, one for an attachment. A
// hidden recipient is one too many.
func CheckStanzas(src io.Reader, n int) error {
	types, err := CountStanzas(src)
	if err != nil {
		return err
	}
	if len(types) != n {
		return fmt.Errorf("shred: %w: %d stanzas, want %d", ErrStanzas, len(types), n)
	}
	for i, t := range types {
		if t != HybridStanza {
			return fmt.Errorf("shred: %w: stanza %d is not %s", ErrStanzas, i+1, HybridStanza)
		}
	}
	return nil
}

// spy is an identity that opens nothing and notes what it was shown.
type spy struct {
	called bool
	types  []string
}

var errSpy = errors.New("not meant to open it")

func (s *spy) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	s.called = true
	for _, st := range stanzas {
		s.types = append(s.types, st.Type)
	}
	return nil, errSpy
}
