package keystore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"filippo.io/age"
)

// lock encrypts the plaintext of a keystore under the passphrase.
func lock(text []byte, passphrase Secret, logN int) ([]byte, error) {
	r, err := age.NewScryptRecipient(passphrase.Reveal())
	if err != nil {
		return nil, err
	}
	r.SetWorkFactor(logN)
	var b bytes.Buffer
	w, err := age.Encrypt(&b, r)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// unlock is the inverse of lock, and reports the work factor it found. Whether
// the file is a demonstration's is decided before any work is done.
func unlock(file []byte, passphrase Secret, opts Options) (text []byte, logN int, err error) {
	inner, err := age.NewScryptIdentity(passphrase.Reveal())
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrPassphrase, err)
	}
	inner.SetMaxWorkFactor(MaxWorkFactor)
	id := &passphraseIdentity{inner: inner, demo: opts.Demo}
	r, err := age.Decrypt(bytes.NewReader(file), id)
	var noMatch *age.NoIdentityMatchError
	switch {
	case errors.As(err, &noMatch):
		return nil, 0, ErrPassphrase
	case errors.Is(err, ErrDemo):
		return nil, 0, err
	case err != nil:
		return nil, 0, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	text, err = io.ReadAll(r)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return text, id.logN, nil
}

// passphraseIdentity looks at the stanza before it lets age spend the work.
type passphraseIdentity struct {
	inner *age.ScryptIdentity
	demo  bool
	logN  int
}

func (p *passphraseIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if len(stanzas) != 1 || stanzas[0].Type != "scrypt" || len(stanzas[0].Args) != 2 {
		return nil, errors.New("file is not locked by a passphrase alone")
	}
	logN, err := strconv.Atoi(stanzas[0].Args[1])
	if err != nil || logN > MaxWorkFactor {
		return nil, fmt.Errorf("scrypt work factor above 2^%d", MaxWorkFactor)
	}
	if logN < WorkFactor && !p.demo {
		return nil, fmt.Errorf("%w: scrypt work factor below 2^%d", ErrDemo, WorkFactor)
	}
	p.logN = logN
	return p.inner.Unwrap(stanzas)
}
