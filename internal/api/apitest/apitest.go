// Package apitest gives tests a real exchange behind its real HTTP API on
// loopback: SQLite in a temporary directory, a demonstration directory of two
// institutions, a clock that the test moves. Nothing in it is a fake.
//
// [Start] makes the exchange, [World.Client] a client for an officer of it,
// [World.Seal] a message that the rules let through.
package apitest

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/shred"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
)

// Begin is where the clock of a new world stands, in ms since 1970 UTC.
const Begin = int64(1772442000123)

const host = "exchange.example"

// A World is one exchange and what there is around it.
type World struct {
	X         *exchange.Exchange
	Config    exchange.Config // of X
	Store     exchange.Store
	Clock     *Clock
	URL       string
	Authority string
	Pack      *rules.Pack
	A, B      *Party // a center for social work and a prosecutor's office
	Council   statement.SigningKey
	Delegates [2]statement.SigningKey

	t       testing.TB
	log     lockedBuffer
	signers map[ledger.Log]*ledger.SigningKey
	anchor  *ledger.FileAnchor
	lost    atomic.Int64 // items of A's feed that the store does not have
}

// Clock is a clock that stands still until it is moved. Safe for concurrent use.
type Clock struct{ ms atomic.Int64 }

// Now implements [exchange.Clock].
func (c *Clock) Now() int64 { return c.ms.Load() }

// Monotonic implements [exchange.Clock]: this clock never jumps.
func (c *Clock) Monotonic() int64 { return c.ms.Load() }

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// Set sets the clock, in ms since 1970 UTC.
func (c *Clock) Set(ms int64) { c.ms.Store(ms) }

// lockedBuffer is a log that a test may read while requests run.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Start makes a world and serves it until the test ends. Authority and Log of
// opts are set here.
func Start(t testing.TB, opts api.Options) *World {
	t.Helper()
	return StartOn(t, "sqlite:"+filepath.Join(t.TempDir(), "odziv.db"), opts)
}

// StartOn is Start on an empty database.
func StartOn(t testing.TB, dsn string, opts api.Options) *World {
	t.Helper()
	w := &World{t: t, Clock: &Clock{}, signers: map[ledger.Log]*ledger.SigningKey{}}
	w.Clock.ms.Store(Begin)
	w.openExchange(dsn)
	w.fillDirectory()
	w.Publish()
	w.serve(opts)
	return w
}

func (w *World) openExchange(dsn string) {
	ctx, dir := w.t.Context(), w.t.TempDir()
	w.newSigners()
	store := must(w, func() (exchange.Store, error) {
		return sqlstore.Create(ctx, dsn)
	})
	w.Store = store
	w.Council = signer("council")
	w.Delegates = [2]statement.SigningKey{signer("delegate/1"), signer("delegate/2")}
	w.check(exchange.Begin(ctx, store, w.genesis(), Begin-hour))
	w.Pack = must(w, func() (*rules.Pack, error) { return rules.Load("rs-a@1") })
	keyFile := filepath.Join(dir, "period.key")
	w.check(shred.InitKeyFile(keyFile))
	periods := must(w, func() (*shred.KeyFile, error) { return shred.OpenKeyFile(keyFile) })
	w.anchor = must(w, func() (*ledger.FileAnchor, error) { return ledger.OpenFileAnchor(w.t.TempDir()) })
	w.Config = exchange.Config{Store: store, Clock: w.Clock, Host: host, Packs: rules.NewSet(w.Pack),
		Periods: periods, Log: slog.New(slog.NewTextHandler(&w.log, nil))}
	w.X = must(w, func() (*exchange.Exchange, error) { return exchange.Open(ctx, w.Config) })
	w.background(w.X.Run, func() { w.check(store.Close()) })
}

// background runs f until the test ends, and then last.
func (w *World) background(f func(context.Context) error, last func()) {
	ctx, stop := context.WithCancel(context.WithoutCancel(w.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	w.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
		last()
	})
}

func (w *World) serve(opts api.Options) {
	w.Authority = w.Serve(func(authority string, log *slog.Logger) http.Handler {
		opts.Authority, opts.Log = authority, log
		return api.New(w.X, opts)
	})
	w.URL = "http://" + w.Authority
}

// Serve serves a handler on a loopback address of its own until the test ends.
// The handler is made with that address and the log of the world.
func (w *World) Serve(handler func(authority string, log *slog.Logger) http.Handler) (authority string) {
	w.t.Helper()
	log := slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	srv := api.Server("127.0.0.1:0", nil, nil, log)
	ln, err := api.Listen(w.t.Context(), srv)
	w.check(err)
	authority = ln.Addr().String()
	srv.Handler = handler(authority, log)
	w.background(func(ctx context.Context) error { return api.Serve(ctx, srv, ln) }, func() {})
	return authority
}

// Log is what the server and the exchange logged so far.
func (w *World) Log() string { return w.log.String() }

// Publish signs a checkpoint of each tree that has grown.
func (w *World) Publish() {
	w.t.Helper()
	for _, log := range ledger.Logs {
		_, _, err := ledger.NewPublisher(w.Store, log, w.signers[log], w.anchor, ledger.Unwatched{}).Step(context.Background(), w.Clock.Now())
		w.check(err)
	}
}

// Another is another server on the same store, with the same people: an exchange
// of its own, served at its own address until the test ends.
func (w *World) Another(opts api.Options) *World {
	w.t.Helper()
	other := &World{Config: w.Config, Store: w.Store, Clock: w.Clock, Pack: w.Pack, A: w.A, B: w.B, Council: w.Council,
		Delegates: w.Delegates, t: w.t, signers: w.signers, anchor: w.anchor}
	other.X = must(w, func() (*exchange.Exchange, error) { return exchange.Open(w.t.Context(), w.Config) })
	other.background(other.X.Run, func() {})
	other.serve(opts)
	return other
}

// Client returns a client that signs with a key, on the clock of the world.
func (w *World) Client(key statement.Signer, opts client.Options) *client.Client {
	w.t.Helper()
	if opts.Pause == nil {
		opts.Pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	}
	c, err := client.New(w.URL, key, w.Clock.Now, opts)
	w.check(err)
	return c
}

// Directory is the directory as the exchange last saw it.
func (w *World) Directory() *directory.State { return w.X.Directory() }

func (w *World) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func must[T any](w *World, f func() (T, error)) T {
	w.t.Helper()
	v, err := f()
	w.check(err)
	return v
}
