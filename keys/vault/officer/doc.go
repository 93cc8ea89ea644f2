// Package officer keeps the keys of one officer in her institution's own Vault.
// The signing key is in the transit engine, which never shows it; the age
// identities, hers and those of her desks, are one entry of the key-value store
// (version 2), which is read once and held in memory while the keys are open.
// Both are named after the entity that the token belongs to, so that one
// templated policy serves all officers:
//
//	path "transit-odziv/sign/officer-{{identity.entity.id}}" { capabilities = ["update"] }
//
// The text of the entry is that of a keystore file but for its second line
// (keys/keystore/FORMAT.md); age reads it as an identity file.
package officer

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"

	"github.com/odziv/odziv/keys/keystore"
	"github.com/odziv/odziv/keys/vault"
)

// What can be wrong, beside the errors of packages vault and keystore.
var (
	// ErrNone: there are no keys of this officer in this Vault.
	ErrNone = errors.New("no keys of yours are in this Vault")
	// ErrHalf: a signing key is there without its identities, or the other way
	// round: somebody was interrupted, or somebody deleted one of them.
	ErrHalf = errors.New("only a part of your keys is in this Vault")
)

const (
	field = "keys" // of the entry
	// kept is how many versions of the entry Vault keeps: this one and the one
	// before it, as beside a keystore file.
	kept = 2
	// tries bounds how often a save begins again because another program was first.
	tries = 8
)

// Keys are an officer's keys in a Vault: a keystore without its signing key, which
// signs by asking. Safe for concurrent use; prints as "redacted".
type Keys struct {
	*keystore.Keystore
	place place

	mu      sync.Mutex
	version int // of the entry that Keystore was read from or written to
}

// place is where the keys of one officer are.
type place struct {
	client *vault.Client
	name   string // of the transit key and of the entry
}

func find(ctx context.Context, c *vault.Client) (place, error) {
	entity, err := c.Entity(ctx)
	if err != nil {
		return place{}, err
	}
	return place{c, "officer-" + entity}, nil
}

// Name is what the transit key and the entry are called.
func (k *Keys) Name() string { return k.place.name }

// signer is one version of the transit key.
type signer struct {
	place   place
	version int
	public  ed25519.PublicKey
}

func (s *signer) Public() ed25519.PublicKey { return s.public }

// Sign has Vault sign. The answer was verified under the public key before it is
// returned.
func (s *signer) Sign(ctx context.Context, message []byte) ([]byte, error) {
	return s.place.client.Sign(ctx, s.place.name, s.version, s.public, message)
}

// Format keeps what lies behind the client out of every output.
func (s *signer) Format(f fmt.State, _ rune) { fmt.Fprint(f, "redacted") }
