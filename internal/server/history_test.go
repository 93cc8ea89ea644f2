package server_test

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/scenario"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
)

// rounds scales the number of tries of a test.
func rounds(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("ODZIV_ROUNDS"), 64); err == nil && f > 0 {
		return max(1, int(float64(n)*f))
	}
	return n
}

// memoryDir is a folder in memory where the machine has one: for tests whose
// subject is order, not durability.
func memoryDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "odziv-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// history is a ledger that was lived on for a while, at rest, with everything
// that a restored one is held against.
type history struct {
	home     *server.Home
	world    *demo.World
	now      int64
	openings map[int64]evidence.Opening
	derived  map[string]string
	sizes    map[ledger.Log]int64
	erased   map[int64]evidence.Opening // as they were before
	actors   []string                   // key ids
}

// lived plays scenarios, erases two openings, goes on, and closes the server.
var lived = sync.OnceValues(func() (*history, error) {
	ctx := context.Background()
	dir, err := os.MkdirTemp("/dev/shm", "odziv-lived-*")
	if err != nil {
		if dir, err = os.MkdirTemp("", "odziv-lived-*"); err != nil {
			return nil, err
		}
	}
	livedIn = dir
	packs, err := server.Packs()
	if err != nil {
		return nil, err
	}
	files, err := scenario.Shipped(packs)
	if err != nil {
		return nil, err
	}
	w, _, err := scenario.Play(ctx, files[:3], scenario.Options{World: demo.Options{Dir: filepath.Join(dir, "world")}, Bookkeeper: true})
	if err != nil {
		return nil, err
	}
	h := &history{home: w.Home, world: w, openings: map[int64]evidence.Opening{}, sizes: map[ledger.Log]int64{}}
	if h.erased, err = eraseSome(ctx, w); err != nil {
		return nil, err
	}
	if _, err := w.Bookkeep(ctx); err != nil {
		return nil, err
	}
	if err := w.Published(ctx); err != nil {
		return nil, err
	}
	for _, m := range w.Members {
		for _, d := range m.Desks {
			for _, o := range d.Officers {
				h.actors = append(h.actors, statement.KeyID(o.Keys.Signer().Public()))
			}
		}
	}
	h.now = w.Clock.Now()
	if err := h.read(ctx, w.Exchange.Store); err != nil {
		return nil, err
	}
	return h, w.Close()
})

// TestMain removes what lived left.
func TestMain(m *testing.M) {
	code := pgtest.Run(m)
	if livedIn != "" {
		os.RemoveAll(livedIn)
	}
	os.Exit(code)
}

var livedIn string

// eraseSome erases two messages of an early case.
func eraseSome(ctx context.Context, w *demo.World) (map[int64]evidence.Opening, error) {
	gone := map[int64]evidence.Opening{}
	err := w.Exchange.Store.Read(ctx, func(v exchange.View) error {
		return v.Openings(ctx, 0, func(idx int64, o evidence.Opening) error {
			meta, _, err := o.Decode()
			if err == nil && meta.Ev == evidence.MessageSubmitted && len(gone) < 2 {
				gone[idx] = o
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	_, err = w.Exchange.Erase(ctx, slices.Sorted(maps.Keys(gone)), "retention")
	return gone, err
}

func (h *history) read(ctx context.Context, store exchange.Store) error {
	err := store.Read(ctx, func(v exchange.View) error {
		for _, l := range ledger.Logs {
			head, err := v.Head(ctx, l)
			if err != nil {
				return err
			}
			h.sizes[l] = head.Size
		}
		return v.Openings(ctx, 0, func(idx int64, o evidence.Opening) error {
			h.openings[idx] = o
			return nil
		})
	})
	if err != nil {
		return err
	}
	h.derived, err = derived(ctx, store)
	return err
}

func derived(ctx context.Context, store exchange.Store) (map[string]string, error) {
	rows := map[string]string{}
	err := store.Read(ctx, func(v exchange.View) error {
		return v.Derived(ctx, func(table, key, row string) error {
			rows[table+"/"+key] = row
			return nil
		})
	})
	return rows, err
}

// mirror is what an observer would have kept of both trees at these sizes.
func (h *history) mirror(t testing.TB, store exchange.Store, sizes map[ledger.Log]int64) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	ctx := context.Background()
	must(t, store.View(ctx, func(r ledger.Reader) error {
		for _, l := range ledger.Logs {
			key, err := h.home.Signer(l)
			if err != nil {
				return err
			}
			head, err := r.Head(ctx, l)
			if err != nil {
				return err
			}
			proof, err := ledger.ReadTile(ctx, r, l, ledger.Bundle(0, 1))
			if err != nil || len(proof) == 0 {
				return err
			}
			root, err := rootAt(ctx, r, l, head, sizes[l])
			if err != nil {
				return err
			}
			signed, err := ledger.SignCheckpoint(ctx, key, ledger.Checkpoint{Origin: l.Origin(h.home.Host), Size: sizes[l], Root: root})
			if err != nil {
				return err
			}
			files[l.String()+"/checkpoint"] = &fstest.MapFile{Data: signed}
			for tile := range ledger.TreeTiles(sizes[l]) {
				data, err := ledger.ReadTile(ctx, r, l, tile)
				if err != nil {
					return err
				}
				files[l.String()+"/"+ledger.TilePath(tile)] = &fstest.MapFile{Data: data}
			}
		}
		return nil
	}))
	return files
}

// trusting is the mirror of this history's ledger in some files.
func (h *history) trusting(t testing.TB, files fs.FS) exchange.Mirror {
	t.Helper()
	m, err := h.home.Mirror(files)
	must(t, err)
	return m
}

// open opens the store of the history.
func (h *history) open(t testing.TB) exchange.Store {
	t.Helper()
	store, err := sqlstore.Open(context.Background(), h.home.DSN())
	must(t, err)
	t.Cleanup(func() { store.Close() })
	return store
}

// restored is a ledger on the way back.
type restored struct {
	t     *testing.T
	h     *history
	store exchange.Store
	x     *exchange.Exchange
	nonce int
}

// fresh is an exchange on a new database with the genesis alone.
func (h *history) fresh(t *testing.T, full exchange.Store) *restored {
	t.Helper()
	home := *h.home
	home.DB = "sqlite:" + filepath.Join(memoryDir(t), "ledger.db")
	return h.serve(t, h.begin(t, full, &home))
}

// begin begins the database of a home with the genesis of the history.
func (h *history) begin(t *testing.T, full exchange.Store, home *server.Home) *server.Home {
	t.Helper()
	ctx := context.Background()
	var genesis []byte
	must(t, full.View(ctx, func(r ledger.Reader) error {
		leaves, err := r.Entries(ctx, ledger.Dir, 0, 1)
		genesis = leaves[0]
		return err
	}))
	must(t, home.Begin(ctx, genesis, h.now))
	return home
}

// serve lets an exchange run on a database.
func (h *history) serve(t *testing.T, home *server.Home) *restored {
	t.Helper()
	packs, err := server.Packs()
	must(t, err)
	x, err := home.OpenExchange(context.Background(), demo.NewClock(h.now), packs, slog.New(slog.DiscardHandler))
	must(t, err)
	running(t, x)
	return &restored{t: t, h: h, store: x.Store, x: x}
}

// running lets the sequencer of an exchange run until the test ends.
func running(t *testing.T, x *exchange.Exchange) {
	ctx, stop := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() { x.Run(ctx) })
	t.Cleanup(func() { stop(); ended.Wait(); x.Store.Close() })
}

// caller is anybody whom the directory knows by now.
func (r *restored) caller() exchange.Caller {
	r.t.Helper()
	must(r.t, r.x.Follow(context.Background()))
	for _, i := range rand.Perm(len(r.h.actors)) {
		if _, ok := r.x.Key(r.h.actors[i]); ok {
			r.nonce++
			return exchange.Caller{Key: r.h.actors[i], Nonce: fmt.Sprintf("nonce-%016d", r.nonce)}
		}
	}
	r.t.Fatal("nobody is in the directory")
	return exchange.Caller{}
}

// reopen gives back openings in random order, by anybody.
func (r *restored) reopen(indexes []int64) {
	r.t.Helper()
	for _, i := range rand.Perm(len(indexes)) {
		idx := indexes[i]
		must(r.t, r.x.Reopen(context.Background(), r.caller(), evidence.ItemOf(idx, 0, r.h.openings[idx])))
	}
}

func (r *restored) incomplete() bool {
	r.t.Helper()
	is := false
	must(r.t, r.store.Read(context.Background(), func(v exchange.View) (err error) {
		is, err = v.Incomplete(context.Background())
		return err
	}))
	return is
}

func (r *restored) holes() []int64 {
	r.t.Helper()
	var all []int64
	for after := int64(-1); ; {
		page, err := r.x.Holes(context.Background(), r.caller(), after, 7)
		must(r.t, err)
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		after = page[len(page)-1]
	}
}

// sound fails the test unless fsck finds nothing.
func (r *restored) sound() {
	r.t.Helper()
	found := r.check()
	for _, f := range found {
		r.t.Errorf("fsck: %s", f)
	}
}

func (r *restored) check() []exchange.Finding {
	r.t.Helper()
	scratch, err := sqlstore.Create(context.Background(), "sqlite:"+filepath.Join(memoryDir(r.t), "scratch.db"))
	must(r.t, err)
	defer scratch.Close()
	found, err := exchange.Check(context.Background(), r.store, scratch, r.x.Packs, nil)
	must(r.t, err)
	return found
}

// same fails the test unless the derived rows are those of the history.
func (r *restored) same() {
	r.t.Helper()
	rows, err := derived(context.Background(), r.store)
	must(r.t, err)
	if !maps.Equal(rows, r.h.derived) {
		r.t.Errorf("%d derived rows, %d before the loss, and they differ", len(rows), len(r.h.derived))
	}
}

// between lists the indexes of a stretch that had an opening.
func (h *history) between(from, to int64) []int64 {
	var list []int64
	for idx := range h.openings {
		if from <= idx && idx < to {
			list = append(list, idx)
		}
	}
	return list
}

func code(err error) string {
	if r, ok := exchange.AsRefusal(err); ok {
		return r.Code
	}
	return fmt.Sprint(err)
}
