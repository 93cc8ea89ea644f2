package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/mod/sumdb/note"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// Keys are the keys of a server at work, wherever they lie: what signs, what
// wraps, what remembers. Safe for concurrent use. With a Vault, somebody calls
// [Keys.Run] while they are used.
type Keys struct {
	Periods shred.PeriodWrapper
	Anchor  ledger.Anchor
	Local   ledger.Anchor // the folder anchor/; the same as Anchor without a Vault

	held  map[ledger.Log][]heldKey
	vault *vaultKeys // nil without a Vault
}

// heldKey is a key that signs.
type heldKey struct {
	vkey   string
	signer ledger.Signer
}

// OpenKeys opens the keys of a server that is going to run. It asks no Vault: one
// that is sealed is none of its errors.
func (h *Home) OpenKeys(log *slog.Logger) (_ *Keys, err error) {
	c, err := h.Custody()
	if err != nil {
		return nil, err
	}
	k := &Keys{held: map[ledger.Log][]heldKey{}}
	if c.inVault() {
		if k.vault, err = h.openVault(c, log); err != nil {
			return nil, err
		}
	}
	for _, l := range ledger.Logs {
		for _, key := range inUse(c.of(l)) {
			s, err := h.signer(l, key, k.vault)
			if err != nil {
				return nil, err
			}
			k.held[l] = append(k.held[l], heldKey{key.VKey, s})
		}
	}
	if k.Local, err = ledger.OpenFileAnchor(h.path("anchor")); err != nil {
		return nil, err
	}
	k.Anchor = k.Local
	if c.Anchor.In == InVault {
		k.Anchor = &twoAnchors{local: k.Local, shared: k.vault.anchor()}
	}
	if c.Period.In == InVault {
		k.Periods, err = k.vault.periods(c.Period.Name)
	} else {
		k.Periods, err = shred.OpenKeyFile(h.periodPath())
	}
	return k, err
}

// signer opens one key.
func (h *Home) signer(l ledger.Log, key LogKey, v *vaultKeys) (ledger.Signer, error) {
	if key.In == InVault {
		return v.signer(key)
	}
	s, err := h.seedKey(l, key.Name)
	if err == nil && s.VerifierKey() != key.VKey {
		err = fmt.Errorf("%s: %w: it is %s", h.path("keys", key.Name), ErrForeignKey, s.VerifierKey())
	}
	return s, err
}

// Signers are what signs for each log, once the directory names their keys.
func (k *Keys) Signers(x *exchange.Exchange) (map[ledger.Log]ledger.Signer, error) {
	signers := map[ledger.Log]ledger.Signer{}
	for _, l := range ledger.Logs {
		r := &keyring{held: k.held[l], named: func() string { return namedKey(x.Directory(), l) }}
		if _, err := r.Signers(); err != nil {
			return nil, fmt.Errorf("%s: %w", l, err)
		}
		signers[l] = r
	}
	return signers, nil
}

// Holds reports whether a key is one of those that sign here.
func (k *Keys) Holds(vkey string) bool {
	for _, l := range ledger.Logs {
		for _, held := range k.held[l] {
			if held.vkey == vkey {
				return true
			}
		}
	}
	return false
}

// OpenExchange opens the database and the exchange on it, with these keys. The
// caller closes the store after the exchange's Run has ended.
func (k *Keys) OpenExchange(ctx context.Context, h *Home, clock exchange.Clock, packs *rules.Set, log *slog.Logger) (*exchange.Exchange, error) {
	return openExchange(ctx, h, exchange.Config{Clock: clock, Packs: packs, Log: log, Periods: k.Periods, Signs: k.Holds})
}

func openExchange(ctx context.Context, h *Home, cfg exchange.Config) (*exchange.Exchange, error) {
	store, err := sqlstore.Open(ctx, h.DSN())
	if err != nil {
		return nil, err
	}
	cfg.Store, cfg.Host = store, h.Host
	x, err := exchange.Open(ctx, cfg)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return x, nil
}

// keyring signs for one log with every key in use. While a key is renewed there
// are two, and both sign, before the directory names the new one and after: who
// has not heard of the change and who has both accept what is signed
// (ledger.Keyring). It signs only while the directory names one of them: after a
// change to keys that are not here it would sign for nobody.
type keyring struct {
	held  []heldKey
	named func() string
}

var _ ledger.Keyring = (*keyring)(nil)

// Verifier implements [ledger.Signer].
func (r *keyring) Verifier() note.Verifier { return r.held[0].signer.Verifier() }

// Sign implements [ledger.Signer], for one who asks for one signature.
func (r *keyring) Sign(ctx context.Context, text []byte) ([]byte, error) {
	return r.held[0].signer.Sign(ctx, text)
}

// Signers implements [ledger.Keyring]. The key that the directory names comes
// first.
func (r *keyring) Signers() ([]ledger.Signer, error) {
	named := r.named()
	var first, others []ledger.Signer
	for _, k := range r.held {
		if k.vkey == named {
			first = append(first, k.signer)
		} else {
			others = append(others, k.signer)
		}
	}
	if len(first) == 0 {
		return nil, fmt.Errorf("%w: it names %s", ErrForeignKey, named)
	}
	return append(first, others...), nil
}

func namedKey(dir *directory.State, l ledger.Log) string {
	if l == ledger.Dir {
		return dir.Logs().Dir
	}
	return dir.Logs().Ev
}

// CheckNamed wants the directory to name a key of this server for each log.
func (h *Home) CheckNamed(dir *directory.State) error {
	c, err := h.Custody()
	if err != nil {
		return err
	}
	for _, l := range ledger.Logs {
		named := namedKey(dir, l)
		ok := false
		for _, k := range inUse(c.of(l)) {
			ok = ok || k.VKey == named
		}
		if !ok {
			return fmt.Errorf("%s: %w for %s", h.whereFrom(c.of(l)[0]), ErrForeignKey, l)
		}
	}
	return nil
}

// whereFrom names the place of a key to people.
func (h *Home) whereFrom(k LogKey) string {
	if k.In == InFile {
		return h.path("keys", k.Name)
	}
	return fmt.Sprintf("Vault key %s version %d", k.Name, k.Version)
}

// noPeriods is the wrapper of a command that needs no key of the shred layer,
// where that lies in Vault.
type noPeriods struct{}

func (noPeriods) WrapPeriod(context.Context, shred.Period) ([]byte, error) { return nil, ErrInVault }
func (noPeriods) UnwrapPeriod(context.Context, string, []byte) (shred.Period, error) {
	return shred.Period{}, ErrInVault
}
