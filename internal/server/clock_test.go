package server_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/ledger"
)

// wandering is a clock that can be set, and a steady reading that goes with time.
type wandering struct {
	mu        sync.Mutex
	now, mono int64
}

func (c *wandering) Now() int64       { c.mu.Lock(); defer c.mu.Unlock(); return c.now }
func (c *wandering) Monotonic() int64 { c.mu.Lock(); defer c.mu.Unlock(); return c.mono }

// pass lets time go by, step sets the clock.
func (c *wandering) pass(ms int64) { c.mu.Lock(); c.now += ms; c.mono += ms; c.mu.Unlock() }
func (c *wandering) step(ms int64) { c.mu.Lock(); c.now += ms; c.mu.Unlock() }

const minute = int64(60 * 1000)

// timed is a copy of the lived ledger under a clock of its own.
type timed struct {
	*restored
	home   *server.Home
	clock  *wandering
	anchor string
}

func (h *history) timed(t *testing.T) *timed {
	t.Helper()
	home := *h.home
	home.DB = "sqlite:" + filepath.Join(memoryDir(t), "ledger.db")
	full := h.open(t)
	fresh := h.serve(t, h.begin(t, full, &home))
	_, err := exchange.Import(context.Background(), fresh.store, h.trusting(t, h.mirror(t, full, h.sizes)), h.now, nil)
	must(t, err)
	fresh.reopen(h.between(0, h.sizes[ledger.Ev]))
	r := &timed{home: &home, clock: &wandering{now: h.now}, anchor: memoryDir(t)}
	r.restored = r.server(t, h)
	return r
}

// server is a further server on the database, with the same clock.
func (r *timed) server(t *testing.T, h *history) *restored {
	t.Helper()
	packs, err := server.Packs()
	must(t, err)
	store, err := sqlstore.Open(context.Background(), r.home.DSN())
	must(t, err)
	periods, err := shred.OpenKeyFile(filepath.Join(h.home.Dir, "keys", "period.key"))
	must(t, err)
	x, err := exchange.Open(context.Background(), exchange.Config{Store: store, Clock: r.clock, Host: h.home.Host, Packs: packs,
		Periods: periods, Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	running(t, x)
	return &restored{t: t, h: h, store: store, x: x}
}

// write records something: it erases the first opening that may be.
func (r *restored) write() error {
	r.t.Helper()
	ctx := context.Background()
	found := errors.New("found")
	at := int64(-1)
	err := r.store.Read(ctx, func(v exchange.View) error {
		return v.Openings(ctx, 0, func(idx int64, o evidence.Opening) error {
			meta, _, err := o.Decode()
			if err == nil && meta.By != evidence.System {
				at, err = idx, found
			}
			return err
		})
	})
	if !errors.Is(err, found) {
		r.t.Fatalf("nothing is left to erase: %v", err)
	}
	_, err = r.x.Erase(ctx, []int64{at}, "retention")
	return err
}

// publish signs both trees at the clock's time.
func (r *timed) publish() {
	r.t.Helper()
	ctx := context.Background()
	anchor, err := ledger.OpenFileAnchor(r.anchor)
	must(r.t, err)
	for _, log := range ledger.Logs {
		key, err := r.home.Signer(log)
		must(r.t, err)
		p := ledger.NewPublisher(r.store, log, key, anchor, ledger.Unwatched{})
		must(r.t, p.Adopt(ctx))
		_, _, err = p.Step(ctx, r.clock.Now())
		must(r.t, err)
	}
}

// A clock that jumped stops every write until it is back, or until an operator
// accepts it, once for each jump; every server follows the acceptance.
func TestClockJump(t *testing.T) {
	h, err := lived()
	must(t, err)
	r := h.timed(t)
	must(t, r.write())
	r.clock.pass(minute)
	must(t, r.write())
	for _, by := range []int64{10 * minute, -6 * minute} {
		r.clock.step(by)
		if err := r.write(); code(err) != "clock" {
			t.Errorf("after a step of %d ms: %v", by, err)
		}
		if !r.x.ClockInDoubt() {
			t.Error("something may be signed")
		}
		if _, err := r.server(t, h).x.AcceptClock(context.Background(), r.clock.Now()-minute, minute-1); code(err) != "clock" {
			t.Errorf("accepted against another clock: %v", err)
		}
		if _, err := r.server(t, h).x.AcceptClock(context.Background(), r.clock.Now()-minute, minute); err != nil {
			t.Fatal(err)
		}
		if err := r.write(); err != nil {
			t.Errorf("after the clock was accepted: %v", err)
		}
		if r.x.ClockInDoubt() {
			t.Error("nothing may be signed")
		}
	}
	r.clock.step(-10 * minute) // the acceptances have counted
	if err := r.write(); code(err) != "clock" {
		t.Errorf("after one more step: %v", err)
	}
	r.sound()
}

// A clock that was a day ahead left checkpoints from the future. A right one is
// refused until an operator accepts it, and then a step back is noticed as ever.
func TestClockWasAhead(t *testing.T) {
	h, err := lived()
	must(t, err)
	r := h.timed(t)
	const day = 24 * 60 * minute
	r.clock.step(day)
	ahead := &timed{restored: r.server(t, h), home: r.home, clock: r.clock, anchor: r.anchor}
	must(t, ahead.write())
	ahead.publish()
	r.clock.step(-day)
	right := &timed{restored: r.server(t, h), home: r.home, clock: r.clock, anchor: r.anchor}
	if err := right.write(); code(err) != "clock" {
		t.Errorf("before the last checkpoint: %v", err)
	}
	jump, err := r.server(t, h).x.AcceptClock(context.Background(), r.clock.Now()-minute, minute)
	if err != nil || jump > -day+minute {
		t.Fatalf("accepted a step of %d: %v", jump, err)
	}
	must(t, right.write())
	right.publish()
	r.clock.pass(minute)
	must(t, right.write())
	right.publish()
	r.clock.step(-2 * minute)
	if err := r.server(t, h).write(); code(err) != "clock" {
		t.Errorf("a step back after the acceptance: %v", err)
	}
	right.sound()
}
