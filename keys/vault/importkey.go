package vault

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/kwp/subtle"
)

// ImportEd25519 brings a key made elsewhere into Vault as version 1 of a new
// transit key, which Vault never shows, backs up in the clear or deletes. Then it
// has Vault sign and compares: Ed25519 has one signature for a message, so the
// key in Vault is proven to be the one given. Only then may the copy outside be
// put away. The error wraps [ErrExists] if the name is taken.
//
// The seed travels under a fresh AES-256 key (key wrap with padding, RFC 5649),
// that one under Vault's RSA-4096 wrapping key (OAEP with SHA-256).
func (c *Client) ImportEd25519(ctx context.Context, name string, seed []byte) error {
	path, err := c.transit("keys", name)
	if err != nil {
		return err
	}
	if len(seed) != ed25519.SeedSize {
		return fmt.Errorf("vault: import key %s: seed of %d bytes, want %d", name, len(seed), ed25519.SeedSize)
	}
	if err := c.mustBeFree(ctx, name); err != nil {
		return err
	}
	to, err := c.wrappingKey(ctx)
	if err != nil {
		return fmt.Errorf("vault: import key %s: %w", name, err)
	}
	private := ed25519.NewKeyFromSeed(seed)
	wrapped, err := wrapForImport(to, private)
	if err != nil {
		return fmt.Errorf("vault: import key %s: %w", name, err)
	}
	body := map[string]any{
		"ciphertext": wrapped, "type": Ed25519, "hash_function": "SHA256",
		"exportable": false, "allow_plaintext_backup": false, "allow_rotation": true,
	}
	if err := c.call(ctx, request{verb: "PUT", path: path + "/import", body: body}, nil); err != nil {
		return fmt.Errorf("vault: import key %s: %w", name, err)
	}
	if err := c.mustBeLocked(ctx, name, Ed25519, true); err != nil {
		return err
	}
	return c.ProveEd25519(ctx, name, 1, seed)
}

// proof is signed to see which key signs. It begins with a zero byte, as nothing
// that is signed elsewhere does.
const proof = "\x00this signature only shows which key made it: "

// ProveEd25519 has a version of a key sign something fresh and meaningless, and
// compares with what the seed itself signs. The error wraps [ErrAnswer] if they differ.
func (c *Client) ProveEd25519(ctx context.Context, key string, version int, seed []byte) error {
	if len(seed) != ed25519.SeedSize {
		return fmt.Errorf("vault: seed of %d bytes, want %d", len(seed), ed25519.SeedSize)
	}
	private := ed25519.NewKeyFromSeed(seed)
	message := []byte(proof + rand.Text())
	public := private.Public().(ed25519.PublicKey)
	held, err := c.PublicKeys(ctx, key)
	if err != nil {
		return err
	}
	if !public.Equal(held[version]) {
		return fmt.Errorf("vault: key %s version %d: %w: another public key", key, version, ErrAnswer)
	}
	sig, err := c.Sign(ctx, key, version, public, message)
	if err != nil {
		return err
	}
	if string(sig) != string(ed25519.Sign(private, message)) {
		return fmt.Errorf("vault: key %s version %d: %w: another signature than the seed makes", key, version, ErrAnswer)
	}
	return nil
}

func (c *Client) wrappingKey(ctx context.Context) (*rsa.PublicKey, error) {
	var out struct {
		Data struct {
			Public string `json:"public_key"`
		} `json:"data"`
	}
	if err := c.call(ctx, request{verb: "GET", path: c.cfg.Transit + "/wrapping_key"}, &out); err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(out.Data.Public))
	if block == nil {
		return nil, fmt.Errorf("%w: wrapping key is not PEM", ErrAnswer)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	public, ok := key.(*rsa.PublicKey)
	if err != nil || !ok || public.Size() != 512 {
		return nil, fmt.Errorf("%w: wrapping key is not RSA of 4096 bits", ErrAnswer)
	}
	return public, nil
}

func wrapForImport(to *rsa.PublicKey, private ed25519.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, errors.New("key cannot be encoded")
	}
	defer clear(der)
	once := make([]byte, 32)
	defer clear(once)
	rand.Read(once) // never fails since Go 1.24
	kwp, err := subtle.NewKWP(once)
	if err != nil {
		return nil, err
	}
	inner, err := kwp.Wrap(der)
	if err != nil {
		return nil, err
	}
	outer, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, to, once, nil)
	if err != nil {
		return nil, err
	}
	return append(outer, inner...), nil
}
