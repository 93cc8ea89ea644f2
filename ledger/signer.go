package ledger

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// maxName bounds the origin of a log, which is also its key's name, in bytes.
const maxName = 255

// A Signer holds the checkpoint key of one log, in a file or in a Vault. Sign
// returns the 64 bytes of a pure Ed25519 signature (RFC 8032) over text.
// Implementations are safe for concurrent use.
type Signer interface {
	Verifier() note.Verifier
	Sign(ctx context.Context, text []byte) ([]byte, error)
}

// A Keyring is the Signer of a log whose key is being renewed. Its checkpoints
// bear a signature by each key, the old one and its successor, so that whoever
// knows either follows: there is no moment at which the key changes.
type Keyring interface {
	Signer

	// Signers are the keys that sign now, at least one, no two the same.
	Signers() ([]Signer, error)
}

// signersOf are the keys behind a Signer.
func signersOf(s Signer) ([]Signer, error) {
	if ring, ok := s.(Keyring); ok {
		return ring.Signers()
	}
	return []Signer{s}, nil
}

// A SigningKey is a Signer whose key is in memory. It prints as "redacted", and
// the key sits behind a function, where reflection does not find it either.
type SigningKey struct {
	sign     func(text []byte) []byte
	vkey     string
	verifier note.Verifier
}

// NewSigningKey returns the signer of the log named origin with a 32-byte
// Ed25519 seed.
func NewSigningKey(origin string, seed []byte) (*SigningKey, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("ledger: seed of %d bytes, want %d", len(seed), ed25519.SeedSize)
	}
	priv := ed25519.NewKeyFromSeed(seed)
	vkey, err := VerifierKey(origin, priv.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	v, err := ParseVerifierKey(vkey)
	if err != nil {
		return nil, err
	}
	sign := func(text []byte) []byte { return ed25519.Sign(priv, text) }
	return &SigningKey{sign: sign, vkey: vkey, verifier: v}, nil
}

// Verifier checks what the key signs.
func (k *SigningKey) Verifier() note.Verifier { return k.verifier }

// VerifierKey is the public half as text; see [VerifierKey].
func (k *SigningKey) VerifierKey() string { return k.vkey }

// Sign signs text with pure Ed25519.
func (k *SigningKey) Sign(_ context.Context, text []byte) ([]byte, error) {
	return k.sign(text), nil
}

// String, GoString, MarshalText and LogValue keep the key out of every output.
func (k *SigningKey) String() string               { return "redacted" }
func (k *SigningKey) GoString() string             { return "redacted" }
func (k *SigningKey) MarshalText() ([]byte, error) { return []byte("redacted"), nil }
func (k *SigningKey) LogValue() slog.Value         { return slog.StringValue("redacted") }

// VerifierKey spells a log's public key as signed-note does:
// "<origin>+<key id, 8 hex digits>+<base64 of 0x01 and the 32 bytes>".
func VerifierKey(origin string, pub ed25519.PublicKey) (string, error) {
	if err := checkOrigin(origin); err != nil {
		return "", err
	}
	vkey, err := note.NewEd25519VerifierKey(origin, pub)
	if err != nil {
		return "", fmt.Errorf("ledger: verifier key: %w", err)
	}
	return vkey, nil
}

// ParseVerifierKey is the inverse of [VerifierKey] and accepts no other
// spelling and no other algorithm.
func ParseVerifierKey(vkey string) (note.Verifier, error) {
	if len(vkey) > maxName+64 {
		return nil, errors.New("ledger: verifier key is too long")
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, fmt.Errorf("ledger: verifier key: %w", err)
	}
	key := strings.SplitN(vkey, "+", 3)[2] // NewVerifier found all three parts; base64 may hold a plus
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return nil, fmt.Errorf("ledger: verifier key: %w", err)
	}
	again, err := VerifierKey(v.Name(), raw[1:])
	if err != nil {
		return nil, err
	}
	if again != vkey {
		return nil, errors.New("ledger: verifier key is not in its one spelling")
	}
	return v, nil
}

// checkOrigin accepts what is safe as a line of a note, as a key name and in a
// URL: 1 to 255 printable ASCII characters without space or plus.
func checkOrigin(origin string) error {
	if len(origin) < 1 || len(origin) > maxName {
		return fmt.Errorf("ledger: origin of %d bytes, want 1 to %d", len(origin), maxName)
	}
	for _, c := range []byte(origin) {
		if c <= ' ' || c > '~' || c == '+' {
			return fmt.Errorf("ledger: origin %.60q: only printable ASCII without space and plus", origin)
		}
	}
	return nil
}
