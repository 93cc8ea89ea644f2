package operator

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/keys/vault"
)

// A PeriodKeys is a [shred.PeriodWrapper] whose key never leaves Vault. Wrapped
// keys are Vault's text "vault:v<version>:<base64>"; those of a [shred.KeyFile]
// are 60 bytes, so the two are told apart by [PeriodVersion].
type PeriodKeys struct {
	client *vault.Client
	key    string
}

var _ shred.PeriodWrapper = (*PeriodKeys)(nil)

// Periods wraps period keys with a transit key, see [KeyPeriod].
func Periods(c *vault.Client, key string) *PeriodKeys { return &PeriodKeys{c, key} }

const periodLabel = "odziv/vault-period/v1"

// bound is the associated data of a period's key. A zero byte ends each part; an
// id holds none.
func bound(id string) []byte { return []byte(periodLabel + "\x00" + id + "\x00") }

// WrapPeriod encrypts a period key under the latest version of the Vault key and
// binds its id. It has Vault decrypt what it got before it returns it: a key is
// about to live in this form alone.
func (p *PeriodKeys) WrapPeriod(ctx context.Context, period shred.Period) ([]byte, error) {
	secret := period.Key.Secret()
	defer clear(secret)
	if secret == nil || !goodPeriod(period.ID) {
		return nil, errors.New("operator: wrap period: no key, or no id that can be bound")
	}
	wrapped, err := p.client.Encrypt(ctx, p.key, 0, secret, bound(period.ID))
	if err != nil {
		return nil, fmt.Errorf("operator: wrap period: %w", err)
	}
	again, err := p.client.Decrypt(ctx, p.key, wrapped, bound(period.ID))
	defer clear(again)
	if err == nil && !bytes.Equal(again, secret) {
		err = vault.ErrAnswer
	}
	if err != nil {
		return nil, fmt.Errorf("operator: wrap period: what Vault encrypted it does not decrypt: %w", err)
	}
	return []byte(wrapped), nil
}

// UnwrapPeriod is the inverse of WrapPeriod. The error wraps [shred.ErrKey] where
// the key does not open this, now or ever, and only an error of package vault
// where Vault cannot say.
func (p *PeriodKeys) UnwrapPeriod(ctx context.Context, id string, wrapped []byte) (shred.Period, error) {
	if !goodPeriod(id) || PeriodVersion(wrapped) == 0 {
		return shred.Period{}, fmt.Errorf("operator: unwrap period: not wrapped by a Vault: %w", shred.ErrKey)
	}
	secret, err := p.client.Decrypt(ctx, p.key, string(wrapped), bound(id))
	defer clear(secret)
	if errors.Is(err, vault.ErrCiphertext) || errors.Is(err, vault.ErrKeyVersion) {
		err = fmt.Errorf("%w: %w", shred.ErrKey, err)
	}
	if err != nil {
		return shred.Period{}, fmt.Errorf("operator: unwrap period: %w", err)
	}
	key, err := shred.ParseKey(secret)
	if err != nil {
		return shred.Period{}, fmt.Errorf("operator: unwrap period: %w: %w", vault.ErrAnswer, err)
	}
	return shred.Period{ID: id, Key: key}, nil
}

// Rewrap moves a wrapped key to the latest version of the Vault key, and returns
// it unchanged if it is there already. Vault's own rewrap fails on what has
// associated data, so the key passes through memory once.
func (p *PeriodKeys) Rewrap(ctx context.Context, id string, wrapped []byte) ([]byte, error) {
	period, err := p.UnwrapPeriod(ctx, id, wrapped)
	if err != nil {
		return nil, err
	}
	fresh, err := p.WrapPeriod(ctx, period)
	if err != nil {
		return nil, err
	}
	if PeriodVersion(fresh) == PeriodVersion(wrapped) {
		return wrapped, nil
	}
	return fresh, nil
}

// PeriodVersion is the version of the Vault key that a period key is wrapped
// under, 0 if it is not wrapped by a Vault.
func PeriodVersion(wrapped []byte) int {
	if len(wrapped) > maxWrapped {
		return 0
	}
	version, err := vault.CiphertextVersion(string(wrapped))
	if err != nil {
		return 0
	}
	return version
}

// maxWrapped bounds a wrapped period key, in bytes; Vault's have about 95.
const maxWrapped = 512

// goodPeriod admits the ids of package shred: no zero byte, not empty, bounded.
func goodPeriod(id string) bool {
	return len(id) > 0 && len(id) <= 40 && !bytes.Contains([]byte(id), []byte{0})
}
