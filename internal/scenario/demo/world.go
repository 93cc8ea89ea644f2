package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/odziv/odziv/internal/api/client"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/rules"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
)

// Host is the name of every demonstration's exchange. It resolves nowhere
// (RFC 2606).
const Host = "demo.odziv.example"

// Options say what to build. Clock is required.
type Options struct {
	Dir       string   // keeps everything; "" for a temporary folder that Close removes
	DB        string   // sqlite:PATH, which must not exist, or postgres://… without a ledger; "" for a file in Dir
	Codes     []string // institutions; those they escalate to and the center come along; none: all
	Packs     []string // rule packs to adopt; none: rs-a@1
	Clock     *Clock
	Listen    string        // loopback address; "" for a free port
	Authority string        // host and port that requests are signed for; "" for the address listened on
	SignEvery time.Duration // 0: 10 ms, in real time
	Bookkeep  bool          // the server keeps books by itself; without it only [World.Bookkeep] does
	Log       *slog.Logger
	Transport http.RoundTripper                  // of every officer; nil: one shared
	Progress  func(what string, done, total int) // nil: nobody is told
}

// World is a running exchange and everybody who uses it. Its methods are safe
// for concurrent use, but one officer does one thing at a time.
type World struct {
	Clock     *Clock
	Exchange  *exchange.Exchange
	Home      *server.Home
	Packs     *rules.Set
	Dir       string    // the folder
	URL       string    // of the exchange
	Genesis   string    // hex SHA-256 of the genesis leaf
	Members   []*Member // institutions, in the order of the demonstration directory
	byCode    map[string]*Member
	mu        sync.Mutex // guards byDesk
	byDesk    map[string]*Desk
	transport http.RoundTripper
	progress  func(what string, done, total int)
	keys      authorities
	stop      context.CancelFunc
	ended     chan error
	temporary bool
}

// Open builds a world and leaves its server running until [World.Close]. After
// an error nothing of it is left but what a named folder or database holds.
func Open(ctx context.Context, opts Options) (*World, error) {
	list, err := institutionsOf(opts)
	if err != nil {
		return nil, err
	}
	w := &World{Clock: opts.Clock, byCode: map[string]*Member{}, byDesk: map[string]*Desk{}, transport: opts.Transport,
		progress: opts.Progress, ended: make(chan error, 1), stop: func() {}}
	if w.progress == nil {
		w.progress = func(string, int, int) {}
	}
	if w.transport == nil {
		w.transport = &http.Transport{MaxIdleConnsPerHost: 2 * workers, DisableCompression: true}
	}
	for _, i := range list {
		w.newMember(i)
	}
	if err := w.folder(opts.Dir); err != nil {
		return nil, err
	}
	if err := w.build(ctx, opts); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // every other failure follows from it
		}
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *World) build(ctx context.Context, opts Options) error {
	if err := w.serve(ctx, opts); err != nil {
		w.ended <- nil // Close has nothing to wait for
		return err
	}
	return w.found(ctx, opts.Packs)
}

func institutionsOf(opts Options) ([]Institution, error) {
	all, err := Institutions()
	if err != nil {
		return nil, err
	}
	return closure(all, opts.Codes)
}

// folder makes the folder of the world. One that holds something is left alone.
func (w *World) folder(dir string) (err error) {
	if dir == "" {
		w.temporary = true
		w.Dir, err = os.MkdirTemp("", "odziv-demo-*")
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("demo: %s: %w: a demonstration begins in a folder of its own", dir, fs.ErrExist)
	}
	if w.Dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	return os.MkdirAll(w.Dir, 0o700)
}

// Close stops the server, and removes the folder if it was a temporary one. It
// returns what made the server stop by itself, if anything did.
func (w *World) Close() error {
	w.stop()
	err := w.wait()
	w.ended <- err // Close may be called again
	if w.temporary {
		err = errors.Join(err, os.RemoveAll(w.Dir))
	}
	return err
}

// wait returns when the server has ended. It lets go of unused connections, for
// which the server would wait.
func (w *World) wait() error {
	t, keeps := w.transport.(interface{ CloseIdleConnections() })
	for {
		if keeps {
			t.CloseIdleConnections()
		}
		select {
		case err := <-w.ended:
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Bookkeep lets the server write what has become due onto the record: no
// answer depends on it. It returns how many leaves that were.
func (w *World) Bookkeep(ctx context.Context) (int, error) { return w.Exchange.Bookkeep(ctx) }

// Member finds an institution by its code.
func (w *World) Member(code string) (*Member, bool) {
	m, ok := w.byCode[code]
	return m, ok
}

// DeskByID finds a desk by its identifier.
func (w *World) DeskByID(id string) (*Desk, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, ok := w.byDesk[id]
	return d, ok
}

// Sizes are the numbers of leaves of the two trees.
func (w *World) Sizes(ctx context.Context) (dir, ev int64, err error) {
	err = w.Exchange.Store.View(ctx, func(r ledger.Reader) error {
		heads := map[ledger.Log]*int64{ledger.Dir: &dir, ledger.Ev: &ev}
		for _, log := range ledger.Logs {
			head, err := r.Head(ctx, log)
			if err != nil {
				return err
			}
			*heads[log] = head.Size
		}
		return nil
	})
	return dir, ev, err
}

// client is a connection of whoever signs. A demonstration's server is never
// far, so a lost answer is asked for again at once.
func (w *World) client(s statement.Signer) (*client.Client, error) {
	return client.New(w.URL, s, w.Clock.Now, client.Options{Transport: w.transport,
		Pause: func(ctx context.Context, d time.Duration) error { return sleep(ctx, min(d, 50*time.Millisecond)) }})
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
