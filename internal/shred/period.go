package shred

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

const (
	keyLabel    = "odziv/shred-key/v1"
	periodLabel = "odziv/shred-period/v1"
)

// sealedKeySize is that of a sealed shred key: nonce, key, tag.
const sealedKeySize = nonceSize + KeySize + 16

// Period is the key under which the shred keys of 30 days lie. It stays in
// memory while in use; only its wrapped form is stored.
type Period struct {
	ID  string // 1 to 40 of a-z, 0-9 and '-'
	Key Key
}

func (p Period) check() error {
	if len(p.ID) < 1 || len(p.ID) > 40 || strings.Trim(p.ID, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return errors.New("not a period id")
	}
	return nil
}

// A PeriodWrapper keeps period keys: in a key file here, in a Vault elsewhere.
// It may call a remote system, so it is never used inside a database
// transaction. Implementations are safe for concurrent use and bind the period's
// id, so that a wrapped key unwraps under its own id only.
type PeriodWrapper interface {
	WrapPeriod(ctx context.Context, p Period) ([]byte, error)
	UnwrapPeriod(ctx context.Context, id string, wrapped []byte) (Period, error)
}

// SealKey encrypts the shred key of a message under the key of a period: 60
// bytes, bound to both.
func SealKey(p Period, msg string, key Key) ([]byte, error) {
	if err := errors.Join(p.check(), checkMessage(msg)); err != nil {
		return nil, fmt.Errorf("shred: seal key: %w", err)
	}
	if key.IsZero() {
		return nil, errors.New("shred: seal key: no key")
	}
	sealed, err := p.Key.sealBox(key.secret()[:], bind(keyLabel, p.ID, msg))
	if err != nil {
		return nil, fmt.Errorf("shred: seal key: %w", err)
	}
	return sealed, nil
}

// OpenKey is the inverse of [SealKey].
func OpenKey(p Period, msg string, sealed []byte) (Key, error) {
	if err := errors.Join(p.check(), checkMessage(msg)); err != nil {
		return Key{}, fmt.Errorf("shred: open key: %w", err)
	}
	secret, err := p.Key.openBox(sealed, bind(keyLabel, p.ID, msg))
	if err != nil {
		return Key{}, fmt.Errorf("shred: open key: %w", err)
	}
	return ParseKey(secret)
}

// ResealKey moves a sealed shred key to another period, as urgent erasure does
// with every survivor before the old period key is destroyed.
func ResealKey(from, to Period, msg string, sealed []byte) ([]byte, error) {
	key, err := OpenKey(from, msg, sealed)
	if err != nil {
		return nil, err
	}
	return SealKey(to, msg, key)
}
