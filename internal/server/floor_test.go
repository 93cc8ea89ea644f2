package server_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/ledger"
)

// failover is a store that turns into another: a primary that died and the
// standby that took its name.
type failover struct {
	at atomic.Pointer[exchange.Store]
}

func (f *failover) to(s exchange.Store) { f.at.Store(&s) }
func (f *failover) now() exchange.Store { return *f.at.Load() }

func (f *failover) Write(ctx context.Context, do func(exchange.Tx) error) error {
	return f.now().Write(ctx, do)
}
func (f *failover) Read(ctx context.Context, do func(exchange.View) error) error {
	return f.now().Read(ctx, do)
}
func (f *failover) Scratch(ctx context.Context, do func(exchange.Scratch) error) error {
	return f.now().Scratch(ctx, do)
}
func (f *failover) Update(ctx context.Context, do func(ledger.Tx) error) error {
	return f.now().Update(ctx, do)
}
func (f *failover) View(ctx context.Context, do func(ledger.Reader) error) error {
	return f.now().View(ctx, do)
}
func (f *failover) Close() error { return nil }

// A standby that lost the last transactions takes over under a running server:
// not one write gets in, before any signer has looked, and the server halts.
func TestOlderStore(t *testing.T) {
	h, err := lived()
	must(t, err)
	ctx := context.Background()
	full := h.open(t)
	behind := h.fresh(t, full)
	size := h.sizes[ledger.Ev]
	_, err = exchange.Import(ctx, behind.store, h.trusting(t, h.mirror(t, full, map[ledger.Log]int64{ledger.Dir: h.sizes[ledger.Dir], ledger.Ev: size - 1})), h.now, nil)
	must(t, err)
	ahead := h.fresh(t, full)
	_, err = exchange.Import(ctx, ahead.store, h.trusting(t, h.mirror(t, full, h.sizes)), h.now, nil)
	must(t, err)

	store := &failover{}
	store.to(ahead.store)
	r := &restored{t: t, h: h, store: store, x: exchangeOn(t, h, store)}
	idx := h.between(0, size)[0]
	must(t, r.x.Reopen(ctx, r.caller(), evidence.ItemOf(idx, 0, h.openings[idx])))
	if r.x.HaltCause() != nil {
		t.Fatal(r.x.HaltCause())
	}
	store.to(behind.store)
	if err := r.x.Reopen(ctx, r.caller(), evidence.ItemOf(idx, 0, h.openings[idx])); code(err) != "store" {
		t.Errorf("written to an older store: %v", err)
	}
	<-r.x.Halted()
	if !errors.Is(r.x.HaltCause(), ledger.ErrRollback) {
		t.Errorf("halted by %v", r.x.HaltCause())
	}
	store.to(ahead.store) // too late: an operator looks first
	if err := r.x.Reopen(ctx, r.caller(), evidence.ItemOf(idx, 0, h.openings[idx])); code(err) != "stopping" {
		t.Errorf("went on by itself: %v", err)
	}
	must(t, behind.store.Read(ctx, func(v exchange.View) error {
		_, ok, err := v.Opening(ctx, idx)
		if ok {
			t.Error("the older store was written to")
		}
		return err
	}))
}

// exchangeOn runs an exchange on a store.
func exchangeOn(t *testing.T, h *history, store exchange.Store) *exchange.Exchange {
	t.Helper()
	packs, err := server.Packs()
	must(t, err)
	periods, err := shred.OpenKeyFile(filepath.Join(h.home.Dir, "keys", "period.key"))
	must(t, err)
	x, err := exchange.Open(context.Background(), exchange.Config{Store: store, Clock: demo.NewClock(h.now), Host: h.home.Host, Packs: packs,
		Periods: periods, Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	running(t, x)
	return x
}
