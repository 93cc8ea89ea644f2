package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/keys/vault"
	"github.com/odziv/odziv/keys/vault/operator"
	"github.com/odziv/odziv/ledger"
)

// vaultKeys are the keys of a server that lie in Vault.
type vaultKeys struct {
	client *vault.Client
	home   *Home
	log    *slog.Logger
	keys   map[ledger.Log][]LogKey // those in Vault that sign
	period string
}

// config is the way to a Vault as the settings say it.
func (h *Home) config(v VaultAccess, log *slog.Logger) vault.Config {
	cfg := vault.Config{Address: v.Address, CACert: h.at(v.CA), Transit: v.Transit, KV: v.KV, Log: log}
	if v.Token != "" {
		cfg.Auth = vault.TokenFile{Path: h.at(v.Token)}
	} else {
		cfg.Auth = vault.AppRole{RoleIDFile: h.at(v.RoleID), SecretIDFile: h.at(v.SecretID), Mount: v.AppRole, Role: v.Role}
	}
	return cfg
}

// openVault makes the client, which has not asked Vault for anything.
func (h *Home) openVault(c *Custody, log *slog.Logger) (*vaultKeys, error) {
	client, err := vault.New(h.config(*c.Vault, log))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	v := &vaultKeys{client: client, home: h, log: log, keys: map[ledger.Log][]LogKey{}}
	for _, l := range ledger.Logs {
		for _, k := range inUse(c.of(l)) {
			if k.In == InVault {
				v.keys[l] = append(v.keys[l], k)
			}
		}
	}
	if c.Period.In == InVault {
		v.period = c.Period.Name
	}
	return v, nil
}

func (v *vaultKeys) signer(k LogKey) (ledger.Signer, error) {
	return operator.SignerWhenReady(v.client, k.Name, k.VKey)
}

func (v *vaultKeys) periods(key string) (shred.PeriodWrapper, error) {
	return operator.Periods(v.client, key), nil
}

func (v *vaultKeys) anchor() ledger.Anchor {
	return operator.Anchor(v.client, operator.AnchorPath)
}

// ErrVault says that the anchor in Vault cannot be had now. It is wrapped with
// the reason.
var ErrVault = errors.New("the anchor in Vault cannot be had")

// twoAnchors is the anchor that all servers of a ledger share, in Vault, with a
// copy on this server's own disk. The copy is what a server that starts while
// Vault is away is held against, and what commands look at that do not log in. It
// is written first: what Vault holds of this server it has too.
type twoAnchors struct{ local, shared ledger.Anchor }

// Last implements [ledger.Anchor]: the larger one. Without Vault's there is no
// answer, for another server may have signed since.
func (a *twoAnchors) Last(ctx context.Context, log ledger.Log) ([]byte, error) {
	shared, err := a.shared.Last(ctx, log)
	if err != nil {
		return nil, away(err)
	}
	if shared != nil {
		// The local one takes what is larger, and refuses another root.
		if err := a.local.Keep(ctx, log, shared); err != nil {
			return nil, err
		}
	}
	return a.local.Last(ctx, log)
}

// Keep implements [ledger.Anchor].
func (a *twoAnchors) Keep(ctx context.Context, log ledger.Log, note []byte) error {
	if err := a.local.Keep(ctx, log, note); err != nil {
		return err
	}
	return away(a.shared.Keep(ctx, log, note))
}

// away marks what Vault did not answer; another history is no such thing.
func away(err error) error {
	if err == nil || errors.Is(err, ledger.ErrRollback) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrVault, err)
}
