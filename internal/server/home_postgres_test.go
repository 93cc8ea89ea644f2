package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/ledger"
)

// TestBeginOnPostgres: the installer makes roles and tables, the server begins
// and serves with few rights, a beginning in the middle of which something failed
// is gone on with, and none is repeated.
func TestBeginOnPostgres(t *testing.T) {
	ctx := context.Background()
	c := pgtest.Start(t, pgtest.Options{})
	installer := c.Database(t)
	c.Exec("postgres", "CREATE ROLE odziv_api NOLOGIN; CREATE ROLE odziv_eraser NOLOGIN; CREATE ROLE odzivd LOGIN NOINHERIT IN ROLE odziv_api, odziv_eraser")
	s := settings()
	s.DB = c.SocketDSN("odzivd", pgtest.NameOf(installer))
	h, err := InitHome(t.TempDir()+"/home", s)
	if err != nil {
		t.Fatal(err)
	}
	leaf := genesis(t, h)
	if err := h.Begin(ctx, leaf, now); !errors.Is(err, sqlstore.ErrForbidden) {
		t.Errorf("begin with the server's own rights: %v", err)
	}
	if err := h.BeginAs(ctx, installer, []byte("{}"), now); err == nil {
		t.Error("begin with no genesis: accepted")
	}
	if err := h.BeginAs(ctx, installer, leaf, now); err != nil {
		t.Fatalf("begin after one that failed: %v", err)
	}
	for _, again := range []error{h.BeginAs(ctx, installer, leaf, now), h.Begin(ctx, leaf, now)} {
		if !errors.Is(again, exchange.ErrExists) {
			t.Errorf("begin again: %v", again)
		}
	}
	packs, err := Packs()
	if err != nil {
		t.Fatal(err)
	}
	x, err := h.OpenExchange(ctx, exchange.System(), packs, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	err = x.Store.View(ctx, func(r ledger.Reader) error {
		head, err := r.Head(ctx, ledger.Dir)
		if head.Size != 1 {
			t.Errorf("%d statements", head.Size)
		}
		return err
	})
	if err := errors.Join(err, x.Store.Close()); err != nil {
		t.Error(err)
	}
}
