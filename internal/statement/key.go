package statement

import (
	"context"
	"crypto/ed25519"
	"log/slog"
)

// SigningKey is an Ed25519 private key held in memory. It prints as "redacted".
type SigningKey struct{ priv ed25519.PrivateKey }

// NewSigningKey returns the key of a 32-byte seed (RFC 8032).
func NewSigningKey(seed []byte) SigningKey { return SigningKey{ed25519.NewKeyFromSeed(seed)} }

// Public returns the public half.
func (k SigningKey) Public() ed25519.PublicKey { return k.priv.Public().(ed25519.PublicKey) }

// Sign signs message with pure Ed25519.
func (k SigningKey) Sign(_ context.Context, message []byte) ([]byte, error) {
	return ed25519.Sign(k.priv, message), nil
}

// Seed returns the 32 secret bytes, for the keystore alone.
func (k SigningKey) Seed() []byte { return k.priv.Seed() }

// String, GoString, MarshalText and LogValue keep the key out of every output.
func (k SigningKey) String() string               { return "redacted" }
func (k SigningKey) GoString() string             { return "redacted" }
func (k SigningKey) MarshalText() ([]byte, error) { return []byte("redacted"), nil }
func (k SigningKey) LogValue() slog.Value         { return slog.StringValue("redacted") }
