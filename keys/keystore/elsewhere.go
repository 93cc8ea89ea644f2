package keystore

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/odziv/odziv/internal/statement"
)

const publicPrefix = "# ed25519-public: "

// GenerateElsewhere returns a keystore with a fresh age identity for a signing key
// that is not in this program.
func GenerateElsewhere(owner Owner, created int64, signer statement.Signer) (*Keystore, error) {
	k, err := generate(owner, created, Options{})
	if err != nil {
		return nil, err
	}
	k.secret().signer, k.secret().public = signer, signer.Public()
	return k, nil
}

// Elsewhere returns the text of everything but the signing key, of which it names
// the public half: what lies in a Vault beside a key that only signs. It holds
// secrets; the caller clears it. age reads it as an identity file.
func (k *Keystore) Elsewhere() ([]byte, error) {
	s := k.secret()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locked {
		return nil, fmt.Errorf("keystore: %w", ErrLocked)
	}
	text := k.text(s, publicPrefix, s.public)
	if len(text) > MaxFile {
		clear(text)
		return nil, fmt.Errorf("keystore: %d bytes, at most %d: drop old desk epochs", len(text), MaxFile)
	}
	return text, nil
}

// ParseElsewhere is the inverse of [Keystore.Elsewhere]. The signer must be of the
// public key that the text names: another one is [ErrOther].
func ParseElsewhere(text []byte, signer statement.Signer) (*Keystore, error) {
	if len(text) > MaxFile {
		return nil, fmt.Errorf("keystore: %w: above %d bytes", ErrFormat, MaxFile)
	}
	k, err := parse(text, (*lines).public, (*Keystore).Elsewhere)
	if err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	if !k.secret().public.Equal(signer.Public()) {
		return nil, fmt.Errorf("keystore: %w: the signing key is not the one that these identities belong to", ErrOther)
	}
	k.secret().signer = signer
	return k, nil
}

func (r *lines) public(k *Keystore) error {
	line, err := r.next()
	if err != nil {
		return err
	}
	if len(line) < len(publicPrefix) || line[:len(publicPrefix)] != publicPrefix {
		return errors.New("not an ed25519-public")
	}
	key, err := base64.StdEncoding.Strict().DecodeString(line[len(publicPrefix):])
	if err != nil || len(key) != ed25519.PublicKeySize {
		return errors.New("not an ed25519-public of 32 bytes")
	}
	k.secret().public = key
	return nil
}

// WithSeed gives the secret bytes of the signing key to f, which brings them to a
// Vault, and clears them when f returns. [ErrElsewhere] where they are not here.
func (k *Keystore) WithSeed(f func(seed []byte) error) error {
	s := k.secret()
	s.mu.Lock()
	key, elsewhere, locked := s.signing, s.signer != nil, s.locked
	s.mu.Unlock()
	switch {
	case locked:
		return fmt.Errorf("keystore: %w", ErrLocked)
	case elsewhere:
		return fmt.Errorf("keystore: %w", ErrElsewhere)
	}
	seed := key.Seed()
	defer clear(seed)
	return f(seed)
}
