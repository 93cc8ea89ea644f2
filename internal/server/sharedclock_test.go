package server_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/server"
)

// Servers on PostgreSQL have its time, each of them, whatever their own clocks
// say; a clock of the database that is far off, or jumps, is refused until an
// operator accepts it, and seconds, as between a primary and its standby, are not.
func TestSharedClock(t *testing.T) {
	h, err := lived()
	must(t, err)
	ctx := context.Background()
	c := pgtest.Start(t, pgtest.Options{Faketime: "+120"})
	home := *h.home
	home.DB = c.Database(t)
	h.begin(t, h.open(t), &home)
	one, two := onSystem(t, &home), onSystem(t, &home)
	write := func(x *exchange.Exchange) string {
		if _, err := x.Bookkeep(ctx); err != nil {
			return code(err)
		}
		return ""
	}
	for i, x := range []*exchange.Exchange{one, two} {
		must(t, x.Synchronise(ctx))
		if off := x.Clock.Now() - time.Now().UnixMilli(); off < minute || off > 3*minute {
			t.Errorf("server %d is %d ms from its machine, the database two minutes", i, off)
		}
		if got := write(x); got != "" {
			t.Errorf("server %d: %s", i, got)
		}
	}
	c.SetClock("+125")
	if got := write(one); got != "" {
		t.Errorf("after five seconds: %s", got)
	}
	c.SetClock("+1200")
	late := onSystem(t, &home) // a restart does not take any clock for granted
	for i, x := range []*exchange.Exchange{one, two, late} {
		if got := write(x); got != "clock" {
			t.Errorf("server %d after a jump of eighteen minutes: %q", i, got)
		}
	}
	if _, err := onSystem(t, &home).AcceptClock(ctx, time.Now().UnixMilli()+20*minute, 2*minute); err != nil {
		t.Fatal(err)
	}
	for i, x := range []*exchange.Exchange{one, two, late} {
		if got := write(x); got != "" {
			t.Errorf("server %d after the clock was accepted: %s", i, got)
		}
		if off := x.Clock.Now() - time.Now().UnixMilli(); off < 19*minute || off > 21*minute {
			t.Errorf("server %d is %d ms from its machine, the database twenty minutes", i, off)
		}
	}
	c.SetClock("-60")
	if got := write(one); got != "clock" {
		t.Errorf("after a jump back: %q", got)
	}
}

// onSystem runs an exchange by the machine's clock, as odzivd does.
func onSystem(t *testing.T, home *server.Home) *exchange.Exchange {
	t.Helper()
	packs, err := server.Packs()
	must(t, err)
	x, err := home.OpenExchange(context.Background(), exchange.System(), packs, slog.New(slog.DiscardHandler))
	must(t, err)
	running(t, x)
	return x
}
