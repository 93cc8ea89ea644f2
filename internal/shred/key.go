package shred

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// KeySize is the size of every key here, in bytes.
const KeySize = 32

const nonceSize = 12

// Key is an AES-256-GCM key: the shred key of one message or the key of one
// period. It prints as "redacted" under every verb. The zero Key is none and
// refused everywhere.
//
// The bytes lie behind a function because package fmt prints the unexported
// fields of a struct without asking them, and follows pointers under some verbs.
type Key struct{ secret func() *[KeySize]byte }

func newKey(b [KeySize]byte) Key { return Key{func() *[KeySize]byte { return &b }} }

// NewKey returns a fresh random key.
func NewKey() Key {
	var b [KeySize]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return newKey(b)
}

// ParseKey returns the key of 32 secret bytes.
func ParseKey(secret []byte) (Key, error) {
	if len(secret) != KeySize {
		return Key{}, fmt.Errorf("shred: key of %d bytes, want %d", len(secret), KeySize)
	}
	return newKey([KeySize]byte(secret)), nil
}

// Secret returns a copy of the 32 secret bytes, for a [PeriodWrapper] alone. It
// is nil for the zero Key.
func (k Key) Secret() []byte {
	if k.IsZero() {
		return nil
	}
	return bytes.Clone(k.secret()[:])
}

// IsZero reports whether k is no key at all.
func (k Key) IsZero() bool { return k.secret == nil }

func (Key) Format(f fmt.State, _ rune)   { fmt.Fprint(f, "redacted") }
func (Key) String() string               { return "redacted" }
func (Key) MarshalText() ([]byte, error) { return []byte("redacted"), nil }
func (Key) LogValue() slog.Value         { return slog.StringValue("redacted") }

func (k Key) aead() (cipher.AEAD, error) {
	if k.IsZero() {
		return nil, errors.New("no key")
	}
	block, err := aes.NewCipher(k.secret()[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal returns a fresh nonce and the plaintext encrypted under it. A random
// 96-bit nonce is safe for 2^32 uses of one key (NIST SP 800-38D §8.3); a
// period of 30 days sees far fewer.
func (k Key) seal(plaintext, aad []byte) (nonce, ciphertext []byte, err error) {
	aead, err := k.aead()
	if err != nil {
		return nil, nil, err
	}
	nonce = make([]byte, nonceSize)
	rand.Read(nonce)
	return nonce, aead.Seal(nil, nonce, plaintext, aad), nil
}

func (k Key) open(nonce, ciphertext, aad []byte) ([]byte, error) {
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	plaintext, err := aead.Open(nil, nonce, ciphertext, aad)
	if err != nil {
		return nil, ErrKey
	}
	return plaintext, nil
}

// sealBox and openBox are seal and open with the nonce in front.
func (k Key) sealBox(plaintext, aad []byte) ([]byte, error) {
	nonce, ciphertext, err := k.seal(plaintext, aad)
	return append(nonce, ciphertext...), err
}

func (k Key) openBox(box, aad []byte) ([]byte, error) {
	if len(box) < nonceSize {
		return nil, ErrKey
	}
	return k.open(box[:nonceSize], box[nonceSize:], aad)
}

// bind joins a label and names into associated data. A zero byte ends each:
// none holds one, so no two lists join to the same bytes.
func bind(label string, names ...string) []byte {
	b := append([]byte(label), 0)
	for _, n := range names {
		b = append(append(b, n...), 0)
	}
	return b
}

// checkMessage admits message ids: "m_" and 26 characters of lower-case base32.
func checkMessage(msg string) error {
	rest, ok := strings.CutPrefix(msg, "m_")
	if !ok || len(rest) != 26 || strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return errors.New("not a message id")
	}
	return nil
}
