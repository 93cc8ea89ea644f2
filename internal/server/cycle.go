package server

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/keys/vault"
	"github.com/odziv/odziv/keys/vault/operator"
)

// Cycled says what became of the period keys.
type Cycled struct {
	Periods int    `json:"periods"`           // wrapped anew
	In      Place  `json:"in"`                // where the key over them lies
	Key     string `json:"key,omitempty"`     // its name in Vault
	Version int    `json:"version,omitempty"` // of it, under which all of them are now
}

// Cycle wraps every period key anew: in files under a fresh key, which takes the
// place of the old one; in Vault under the newest version of the key there. What
// was copied before, a backup, then opens nothing once the old key is gone: the
// last step of an urgent erasure.
//
// With files no server may run. With Vault one may: it wraps under the newest
// version too. After an interruption the same call goes on.
func (h *Home) Cycle(ctx context.Context, log *slog.Logger) (Cycled, error) {
	if h.Keys != nil && h.Keys.Period.In == InVault {
		return h.cycleVault(ctx, log)
	}
	return h.cycleFiles(ctx, nil)
}

// cycleTries bounds how often a server that makes a key meanwhile is given way.
const cycleTries = 3

func (h *Home) cycleVault(ctx context.Context, log *slog.Logger) (Cycled, error) {
	done := Cycled{In: InVault, Key: h.Keys.Period.Name}
	client, err := vault.Open(ctx, h.config(*h.Keys.Vault, log))
	if err != nil {
		return done, err
	}
	defer client.Close()
	store, err := sqlstore.Open(ctx, h.DSN())
	if err != nil {
		return done, err
	}
	for range cycleTries {
		done.Periods, err = exchange.RewrapPeriods(ctx, store, nil, operator.Periods(client, done.Key), true)
		if !errors.Is(err, exchange.ErrPeriods) {
			break
		}
	}
	if err == nil {
		done.Version, err = oldestVersion(ctx, store)
	}
	return done, errors.Join(err, store.Close())
}

// oldestVersion is that of the Vault key over the period keys, 0 if there is none.
func oldestVersion(ctx context.Context, store exchange.Store) (oldest int, err error) {
	err = store.Read(ctx, func(v exchange.View) error {
		rows, err := v.Periods(ctx)
		for _, row := range rows {
			if version := operator.PeriodVersion(row.Wrapped); oldest == 0 || version < oldest {
				oldest = version
			}
		}
		return err
	})
	return oldest, err
}

// cycleFiles keeps this order: the next key is a file before anything is wrapped
// with it, and takes the name of the old one only when nothing needs that any
// more. While there are two no server starts ([Home.CheckSettled]).
func (h *Home) cycleFiles(ctx context.Context, step func(name string) error) (done Cycled, err error) {
	done.In = InFile
	if step == nil {
		step = func(string) error { return nil }
	}
	release, err := h.Lock()
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, release()) }()
	if _, err := os.Lstat(h.movingPath()); !errors.Is(err, fs.ErrNotExist) {
		return done, errors.Join(ErrMoving, err)
	}
	if err := appear(h.nextPeriodPath(), shred.InitKeyFile); err != nil {
		return done, err
	}
	if err := step("next key"); err != nil {
		return done, err
	}
	old, err := shred.OpenKeyFile(h.periodPath())
	if err != nil {
		return done, err
	}
	next, err := shred.OpenKeyFile(h.nextPeriodPath())
	if err != nil {
		return done, err
	}
	store, err := sqlstore.Open(ctx, h.DSN())
	if err != nil {
		return done, err
	}
	done.Periods, err = exchange.RewrapPeriods(ctx, store, old, next, false)
	if err = errors.Join(err, store.Close()); err != nil {
		return done, err
	}
	if err := step("period keys wrapped"); err != nil {
		return done, err
	}
	return done, errors.Join(os.Rename(h.nextPeriodPath(), h.periodPath()), syncFolder(filepath.Dir(h.periodPath())))
}
