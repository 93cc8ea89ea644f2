package operator

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"

	"github.com/odziv/odziv/keys/vault"
	"github.com/odziv/odziv/ledger"
)

// signer is one version of a transit key, pinned by its public key.
type signer struct {
	client   *vault.Client
	key      string
	public   ed25519.PublicKey
	verifier note.Verifier

	mu      sync.Mutex
	version int // 0 until found
}

// Signer returns the signer of the log that vkey belongs to (signed-note's
// spelling, see [ledger.VerifierKey]): that version of the transit key whose
// public key is vkey's. It stays with that version whatever happens to the key
// later. The error wraps [vault.ErrKeyVersion] if no version fits.
func Signer(ctx context.Context, c *vault.Client, key, vkey string) (ledger.Signer, error) {
	s, err := newSigner(c, key, vkey)
	if err != nil {
		return nil, err
	}
	if _, err := s.pinned(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// SignerWhenReady is [Signer] without asking Vault yet, for a server that starts
// while Vault is sealed. The first signature looks for the version.
func SignerWhenReady(c *vault.Client, key, vkey string) (ledger.Signer, error) {
	return newSigner(c, key, vkey)
}

func newSigner(c *vault.Client, key, vkey string) (*signer, error) {
	v, err := ledger.ParseVerifierKey(vkey)
	if err != nil {
		return nil, fmt.Errorf("operator: %w", err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.SplitN(vkey, "+", 3)[2]) // as just parsed
	if err != nil {
		return nil, fmt.Errorf("operator: verifier key: %w", err)
	}
	return &signer{client: c, key: key, public: raw[1:], verifier: v}, nil
}

// Verifier implements [ledger.Signer].
func (s *signer) Verifier() note.Verifier { return s.verifier }

// Sign implements [ledger.Signer].
func (s *signer) Sign(ctx context.Context, text []byte) ([]byte, error) {
	version, err := s.pinned(ctx)
	if err != nil {
		return nil, err
	}
	sig, err := s.client.Sign(ctx, s.key, version, s.public, text)
	if errors.Is(err, vault.ErrKeyVersion) {
		return nil, fmt.Errorf("operator: %s signs with version %d of the Vault key %s, which Vault does not do any more: "+
			"lower its min_encryption_version; if the version was trimmed, the log needs a new key: %w", s.verifier.Name(), version, s.key, err)
	}
	if err != nil {
		return nil, fmt.Errorf("operator: %w", err)
	}
	return sig, nil
}

// pinned is the version with the public key of the log.
func (s *signer) pinned(ctx context.Context) (int, error) {
	s.mu.Lock()
	known := s.version
	s.mu.Unlock()
	if known > 0 {
		return known, nil
	}
	keys, err := s.client.PublicKeys(ctx, s.key)
	if err != nil {
		return 0, fmt.Errorf("operator: %w", err)
	}
	for _, version := range slices.Sorted(maps.Keys(keys)) {
		if s.public.Equal(keys[version]) {
			s.mu.Lock()
			s.version = version
			s.mu.Unlock()
			return version, nil
		}
	}
	return 0, fmt.Errorf("operator: none of the %d versions of the Vault key %s is the key of %s: "+
		"it is the key of another ledger, or the version was trimmed: %w", len(keys), s.key, s.verifier.Name(), vault.ErrKeyVersion)
}
