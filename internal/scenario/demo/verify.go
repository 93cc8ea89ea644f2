package demo

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/sqlstore"
)

// Bundle writes an audit bundle to a new file: both trees, every opening, the
// rule packs.
func (w *World) Bundle(ctx context.Context, path string) (err error) {
	if err := w.Published(ctx); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			err = errors.Join(err, os.Remove(path)) // a part of a bundle verifies as nothing
		}
	}()
	return w.Exchange.Store.Read(ctx, func(v exchange.View) error {
		return audit.WriteBundle(ctx, f, v, audit.Options{Made: w.Clock.Now(), Packs: w.Packs})
	})
}

// Verify verifies a bundle as odziv-verify does, with nothing but the hash of
// the genesis.
func Verify(ctx context.Context, path, genesis string) (audit.Report, []audit.Finding, error) {
	f, err := os.Open(path)
	if err != nil {
		return audit.Report{}, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return audit.Report{}, nil, err
	}
	return audit.VerifyBundle(ctx, f, info.Size(), audit.Trust{Genesis: genesis}, nil)
}

// Check verifies everything the server stores, as odzivd fsck does.
func (w *World) Check(ctx context.Context) (found []exchange.Finding, err error) {
	dir, err := os.MkdirTemp("", "odziv-demo-check-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	scratch, err := sqlstore.Create(ctx, "sqlite:"+filepath.Join(dir, "scratch.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, scratch.Close()) }()
	return exchange.Check(ctx, w.Exchange.Store, scratch, w.Packs, nil)
}
