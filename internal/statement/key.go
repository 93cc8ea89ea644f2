package statement

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
)

// SigningKey is an Ed25519 private key held in memory. It prints as "redacted":
// the key sits behind a function, so that no verb of fmt and no reflection on a
// struct around it reaches the bytes.
type SigningKey struct{ priv func() ed25519.PrivateKey }

// NewSigningKey returns the key of a 32-byte seed (RFC 8032).
func NewSigningKey(seed []byte) SigningKey {
	priv := ed25519.NewKeyFromSeed(seed)
	return SigningKey{func() ed25519.PrivateKey { return priv }}
}

// Public returns the public half.
func (k SigningKey) Public() ed25519.PublicKey { return k.priv().Public().(ed25519.PublicKey) }

// Sign signs message with pure Ed25519.
func (k SigningKey) Sign(_ context.Context, message []byte) ([]byte, error) {
	return ed25519.Sign(k.priv(), message), nil
}

// Seed returns the 32 secret bytes, for the keystore alone.
func (k SigningKey) Seed() []byte { return k.priv().Seed() }

// Format, String, MarshalText and LogValue keep the key out of every output.
func (SigningKey) Format(f fmt.State, _ rune)   { fmt.Fprint(f, "redacted") }
func (SigningKey) String() string               { return "redacted" }
func (SigningKey) MarshalText() ([]byte, error) { return []byte("redacted"), nil }
func (SigningKey) LogValue() slog.Value         { return slog.StringValue("redacted") }
