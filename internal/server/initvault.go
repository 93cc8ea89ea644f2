package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/keys/vault"
	"github.com/odziv/odziv/keys/vault/operator"
	"github.com/odziv/odziv/ledger"
)

// InitHomeInVault makes the folder of a server whose keys were made in Vault,
// once. It logs in as the server will, and sees that each key does what it must;
// it makes none.
func InitHomeInVault(ctx context.Context, dir string, s Settings, access VaultAccess, log *slog.Logger) (h *Home, err error) {
	s.Keys = nil
	if err := s.check(); err != nil {
		return nil, err
	}
	h = &Home{Dir: dir, Settings: s}
	for _, name := range []string{"server.json", "server.json.new", "keys/dir.seed", "keys/ev.seed", "keys/period.key"} {
		if _, err := os.Lstat(h.path(name)); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", dir, ErrHome)
		}
	}
	client, err := vault.Open(ctx, h.config(access, log))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	c := &Custody{Vault: &access, Period: Kept{InVault, operator.KeyPeriod}, Anchor: Kept{In: InVault}}
	for _, l := range ledger.Logs {
		key, err := newestKey(ctx, client, l, s.Host)
		if err != nil {
			return nil, err
		}
		if err := signs(ctx, client, key); err != nil {
			return nil, err
		}
		c.set(l, []LogKey{key})
	}
	if err := wraps(ctx, operator.Periods(client, c.Period.Name)); err != nil {
		return nil, err
	}
	if err := anchors(ctx, operator.Anchor(client, operator.AnchorPath)); err != nil {
		return nil, err
	}
	h.Keys = c
	if err := h.Settings.check(); err != nil {
		return nil, err
	}
	for _, sub := range []string{"", "anchor"} {
		if err := os.MkdirAll(h.path(sub), 0o700); err != nil {
			return nil, err
		}
	}
	return h, h.writeSettings()
}

// signs has Vault sign what is no checkpoint, and verifies it.
func signs(ctx context.Context, client *vault.Client, key LogKey) error {
	signer, err := operator.SignerWhenReady(client, key.Name, key.VKey)
	if err != nil {
		return err
	}
	var fresh [16]byte
	rand.Read(fresh[:])
	_, err = signer.Sign(ctx, []byte("\x00this signature only shows that the key signs: "+hex.EncodeToString(fresh[:])))
	return err
}

// wraps has a key wrapped that nobody uses; the wrapper unwraps it to be sure.
func wraps(ctx context.Context, periods shred.PeriodWrapper) error {
	_, err := periods.WrapPeriod(ctx, shred.Period{ID: "nobody-uses-this", Key: shred.NewKey()})
	return err
}

// ErrAnchored says that Vault holds the anchor of a ledger that goes on.
var ErrAnchored = errors.New("Vault holds the last checkpoint of another ledger")

// anchors wants the place of the anchor to be readable, and empty.
func anchors(ctx context.Context, anchor ledger.Anchor) error {
	for _, l := range ledger.Logs {
		note, err := anchor.Last(ctx, l)
		if err != nil {
			return err
		}
		if note != nil {
			return ErrAnchored
		}
	}
	return nil
}
