package vault

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A KeyType is one of the transit engine's.
type KeyType string

// The types used here.
const (
	Ed25519   KeyType = "ed25519"
	AES256GCM KeyType = "aes256-gcm96"
)

// MaxMessage bounds what is signed, encrypted or decrypted, in bytes.
const MaxMessage = 256 << 10

// KeyInfo is what Vault says of a transit key.
type KeyInfo struct {
	Type   KeyType
	Latest int // version
	// Oldest versions that still decrypt, still encrypt or sign, and still exist.
	// 0 means no bound; MinDecryption is 1 then.
	MinDecryption, MinEncryption, MinAvailable int
	// Exportable and PlaintextBackup never become false again; DeletionAllowed may.
	Exportable, PlaintextBackup, DeletionAllowed bool
	// Imported: the key was made outside of Vault.
	Imported bool
	// Public are the public keys by version, of Ed25519 keys.
	Public map[int]ed25519.PublicKey
}

// Key describes a transit key. The error wraps [ErrNotFound] if there is none.
func (c *Client) Key(ctx context.Context, key string) (KeyInfo, error) {
	path, err := c.transit("keys", key)
	if err != nil {
		return KeyInfo{}, err
	}
	var out struct {
		Data struct {
			Type            KeyType                    `json:"type"`
			Latest          int                        `json:"latest_version"`
			MinDecryption   int                        `json:"min_decryption_version"`
			MinEncryption   int                        `json:"min_encryption_version"`
			MinAvailable    int                        `json:"min_available_version"`
			Exportable      bool                       `json:"exportable"`
			PlaintextBackup bool                       `json:"allow_plaintext_backup"`
			DeletionAllowed bool                       `json:"deletion_allowed"`
			Imported        bool                       `json:"imported_key"`
			Keys            map[string]json.RawMessage `json:"keys"`
		} `json:"data"`
	}
	if err := c.call(ctx, request{verb: "GET", path: path}, &out); err != nil {
		return KeyInfo{}, fmt.Errorf("vault: read key %s: %w", key, err)
	}
	d := out.Data
	info := KeyInfo{d.Type, d.Latest, d.MinDecryption, d.MinEncryption, d.MinAvailable, d.Exportable, d.PlaintextBackup, d.DeletionAllowed, d.Imported, nil}
	if d.Type == Ed25519 {
		info.Public, err = publicKeys(d.Keys)
	}
	if d.Type == "" || d.Latest < 1 {
		err = errors.New("no type or no version")
	}
	if err != nil {
		return KeyInfo{}, fmt.Errorf("vault: read key %s: %w: %w", key, ErrAnswer, err)
	}
	return info, nil
}

func publicKeys(keys map[string]json.RawMessage) (map[int]ed25519.PublicKey, error) {
	all := map[int]ed25519.PublicKey{}
	for version, raw := range keys {
		n, err := strconv.Atoi(version)
		var k struct {
			Public []byte `json:"public_key"`
		}
		if err = errors.Join(err, json.Unmarshal(raw, &k)); err != nil || len(k.Public) != ed25519.PublicKeySize || n < 1 {
			return nil, errors.New("not an Ed25519 public key")
		}
		all[n] = k.Public
	}
	return all, nil
}

// PublicKeys returns the public key of every version of an Ed25519 key.
func (c *Client) PublicKeys(ctx context.Context, key string) (map[int]ed25519.PublicKey, error) {
	info, err := c.Key(ctx, key)
	if err != nil {
		return nil, err
	}
	if info.Type != Ed25519 {
		return nil, fmt.Errorf("vault: key %s is %.40q, not %s: %w", key, info.Type, Ed25519, ErrAnswer)
	}
	return info.Public, nil
}

// Sign signs message with one version of an Ed25519 key (pure, RFC 8032) and
// returns the 64 bytes once they verify under pub. A rotation of the key changes
// nothing: the version is always said, and an answer of another is refused. The
// error wraps [ErrKeyVersion] if Vault no longer signs with that version, and
// [ErrAnswer] if the answer is not what was asked for.
func (c *Client) Sign(ctx context.Context, key string, version int, pub ed25519.PublicKey, message []byte) ([]byte, error) {
	path, err := c.transit("sign", key)
	if err != nil {
		return nil, err
	}
	if version < 1 || len(pub) != ed25519.PublicKeySize || len(message) > MaxMessage {
		return nil, fmt.Errorf("vault: sign with %s: a version, a public key and at most %d bytes are needed", key, MaxMessage)
	}
	var out struct {
		Data struct {
			Signature string `json:"signature"`
			Version   int    `json:"key_version"`
		} `json:"data"`
	}
	body := map[string]any{"input": message, "key_version": version}
	if err := c.call(ctx, request{verb: "PUT", path: path, body: body}, &out); err != nil {
		return nil, fmt.Errorf("vault: sign with %s version %d: %w", key, version, err)
	}
	said, text, err := splitVersion(out.Data.Signature)
	if err != nil || said != out.Data.Version {
		return nil, fmt.Errorf("vault: sign with %s: %w: not a signature", key, ErrAnswer)
	}
	if said != version {
		return nil, fmt.Errorf("vault: sign with %s: %w: asked for version %d, answered with %d", key, errors.Join(ErrAnswer, ErrKeyVersion), version, said)
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(sig) != ed25519.SignatureSize || !ed25519.Verify(pub, message, sig) {
		return nil, fmt.Errorf("vault: sign with %s version %d: %w: the signature is not that of the expected key", key, version, ErrAnswer)
	}
	return sig, nil
}

// Encrypt encrypts under one version of an AES key, under the latest if version
// is 0, and binds associated, which may be empty. It returns Vault's own form,
// see [CiphertextVersion]. That it decrypts again only a [Client.Decrypt] shows.
// The key must exist: its policy must not allow "create", with which Vault would
// make one here without a word.
func (c *Client) Encrypt(ctx context.Context, key string, version int, plaintext, associated []byte) (string, error) {
	path, err := c.transit("encrypt", key)
	if err != nil {
		return "", err
	}
	if version < 0 || len(plaintext) > MaxMessage {
		return "", fmt.Errorf("vault: encrypt with %s: at most %d bytes", key, MaxMessage)
	}
	body := map[string]any{"plaintext": nonNil(plaintext), "associated_data": nonNil(associated)}
	if version > 0 {
		body["key_version"] = version
	}
	var out struct {
		Data struct {
			Ciphertext string `json:"ciphertext"`
			Version    int    `json:"key_version"`
		} `json:"data"`
	}
	if err := c.call(ctx, request{verb: "PUT", path: path, body: body}, &out); err != nil {
		return "", fmt.Errorf("vault: encrypt with %s: %w", key, err)
	}
	said, err := CiphertextVersion(out.Data.Ciphertext)
	if err != nil || said != out.Data.Version {
		return "", fmt.Errorf("vault: encrypt with %s: %w: not a ciphertext", key, ErrAnswer)
	}
	if version > 0 && said != version {
		return "", fmt.Errorf("vault: encrypt with %s: %w: asked for version %d, answered with %d", key, errors.Join(ErrAnswer, ErrKeyVersion), version, said)
	}
	return out.Data.Ciphertext, nil
}

// Decrypt is the inverse of Encrypt. The error wraps [ErrCiphertext] if the key or
// associated is another or the ciphertext was altered, and [ErrKeyVersion] if
// its version has been retired.
func (c *Client) Decrypt(ctx context.Context, key, ciphertext string, associated []byte) ([]byte, error) {
	path, err := c.transit("decrypt", key)
	if err != nil {
		return nil, err
	}
	if _, err := CiphertextVersion(ciphertext); err != nil {
		return nil, fmt.Errorf("vault: decrypt with %s: %w", key, err)
	}
	var out struct {
		Data struct {
			Plaintext *[]byte `json:"plaintext"`
		} `json:"data"`
	}
	body := map[string]any{"ciphertext": ciphertext, "associated_data": nonNil(associated)}
	if err := c.call(ctx, request{verb: "PUT", path: path, body: body}, &out); err != nil {
		return nil, fmt.Errorf("vault: decrypt with %s: %w", key, err)
	}
	if out.Data.Plaintext == nil {
		return nil, fmt.Errorf("vault: decrypt with %s: %w: no plaintext", key, ErrAnswer)
	}
	return *out.Data.Plaintext, nil
}

// nonNil: JSON spells nil bytes as null, which Vault does not take for empty.
func nonNil(b []byte) []byte { return append([]byte{}, b...) }

// CiphertextVersion returns the version of the key that a ciphertext is under:
// "vault:v<version>:<base64>". The error wraps [ErrCiphertext].
func CiphertextVersion(ciphertext string) (int, error) {
	version, text, err := splitVersion(ciphertext)
	if err == nil {
		var raw []byte
		raw, err = base64.StdEncoding.Strict().DecodeString(text)
		if err == nil && (len(raw) < 28 || len(raw) > MaxMessage+28) { // nonce 12, tag 16
			err = errors.New("wrong size")
		}
	}
	if err != nil {
		return 0, fmt.Errorf("%w: not of the form vault:vN:base64", ErrCiphertext)
	}
	return version, nil
}

// splitVersion splits "vault:v<version>:<rest>", a version in its one spelling.
func splitVersion(s string) (int, string, error) {
	rest, ok := strings.CutPrefix(s, "vault:v")
	number, text, ok2 := strings.Cut(rest, ":")
	n, err := strconv.Atoi(number)
	if !ok || !ok2 || err != nil || n < 1 || strconv.Itoa(n) != number {
		return 0, "", errors.New("not of the form vault:vN:…")
	}
	return n, text, nil
}

// CreateKey makes a key of version 1 that Vault never shows, backs up in the clear
// or deletes. The error wraps [ErrExists] if the name is taken.
func (c *Client) CreateKey(ctx context.Context, name string, typ KeyType) error {
	path, err := c.transit("keys", name)
	if err != nil {
		return err
	}
	if err := c.mustBeFree(ctx, name); err != nil {
		return err
	}
	body := map[string]any{"type": typ, "exportable": false, "allow_plaintext_backup": false}
	if err := c.call(ctx, request{verb: "PUT", path: path, body: body, needs: "create"}, nil); err != nil {
		return fmt.Errorf("vault: create key %s: %w", name, err)
	}
	return c.mustBeLocked(ctx, name, typ, false)
}

func (c *Client) mustBeFree(ctx context.Context, name string) error {
	switch _, err := c.Key(ctx, name); {
	case err == nil:
		return fmt.Errorf("vault: create key %s: %w", name, ErrExists)
	case !errors.Is(err, ErrNotFound):
		return err
	}
	return nil
}

// mustBeLocked checks that a fresh key is what was asked for: somebody may have
// made another in the same moment.
func (c *Client) mustBeLocked(ctx context.Context, name string, typ KeyType, imported bool) error {
	info, err := c.Key(ctx, name)
	if err != nil {
		return err
	}
	if info.Type != typ || info.Exportable || info.PlaintextBackup || info.DeletionAllowed || info.Latest != 1 || info.Imported != imported {
		return fmt.Errorf("vault: create key %s: %w: there is another key of that name now, or one that can be taken out", name, ErrAnswer)
	}
	return nil
}

// Rotate adds a version to a key and returns its number. Versions in use stay.
func (c *Client) Rotate(ctx context.Context, key string) (int, error) {
	path, err := c.transit("keys", key)
	if err != nil {
		return 0, err
	}
	if err := c.call(ctx, request{verb: "PUT", path: path + "/rotate"}, nil); err != nil {
		return 0, fmt.Errorf("vault: rotate key %s: %w", key, err)
	}
	info, err := c.Key(ctx, key)
	return info.Latest, err
}

// Retire destroys every version of a key below the given one: nothing encrypted
// under them is ever decrypted again, and they sign no more. Vault's own backups
// still hold them.
func (c *Client) Retire(ctx context.Context, key string, below int) error {
	path, err := c.transit("keys", key)
	if err != nil {
		return err
	}
	if below < 1 {
		return fmt.Errorf("vault: retire versions of %s: there is none below %d", key, below)
	}
	bounds := map[string]any{"min_decryption_version": below, "min_encryption_version": below}
	if err := c.call(ctx, request{verb: "PUT", path: path + "/config", body: bounds}, nil); err != nil {
		return fmt.Errorf("vault: retire versions of %s: %w", key, err)
	}
	if err := c.call(ctx, request{verb: "PUT", path: path + "/trim", body: map[string]any{"min_available_version": below}}, nil); err != nil {
		return fmt.Errorf("vault: retire versions of %s: %w", key, err)
	}
	return nil
}

// transit is the path of an operation with a key.
func (c *Client) transit(operation, key string) (string, error) {
	if err := checkName("key", keyName, key); err != nil {
		return "", fmt.Errorf("vault: %w", err)
	}
	return c.cfg.Transit + "/" + operation + "/" + key, nil
}
