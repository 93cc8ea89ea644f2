package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/odziv/odziv/internal/api"
	"github.com/odziv/odziv/internal/api/apitest"
	"github.com/odziv/odziv/internal/exchange"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
)

// rounds scales the number of tries of a test.
func rounds(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("ODZIV_ROUNDS"), 64); err == nil && f > 0 {
		return max(1, int(float64(n)*f))
	}
	return n
}

// A shadow is the exchange of a world whose trees lie in memory, so that many
// can be tried. It is asked without a socket, and counts what it reads.
type shadow struct {
	http.Handler
	*storagetest.Memory
	t    testing.TB
	read atomic.Int64  // snapshots of the trees
	hold chan struct{} // if not nil, a read waits until it can receive
}

func newShadow(t testing.TB, w *apitest.World, opts api.Options) *shadow {
	t.Helper()
	s := &shadow{Memory: storagetest.NewMemory(), t: t}
	s.restart(w, opts)
	return s
}

// restart begins a server anew: it remembers nothing.
func (s *shadow) restart(w *apitest.World, opts api.Options) {
	s.t.Helper()
	cfg := w.Config
	cfg.Store = &shadowStore{cfg.Store, s}
	x, err := exchange.Open(context.Background(), cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	opts.Authority = w.Authority
	s.Handler = api.New(x, opts)
}

// shadowStore takes the trees from a shadow and all else from the world.
type shadowStore struct {
	exchange.Store
	shadow *shadow
}

func (s *shadowStore) View(ctx context.Context, f func(ledger.Reader) error) error {
	s.shadow.read.Add(1)
	if s.shadow.hold != nil {
		<-s.shadow.hold
	}
	return s.shadow.Memory.View(ctx, f)
}

func (s *shadow) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// grow adds entries to both trees that nobody could mistake for others.
func (s *shadow) grow(at int64, tag string, n int) {
	s.t.Helper()
	for _, log := range ledger.Logs {
		s.check(storagetest.Append(s.Memory, log, at, storagetest.Leaves(tag+log.String(), n)...))
	}
}

// publish publishes checkpoints of both trees. A note ends with line, which
// stands for what witnesses add.
func (s *shadow) publish(at int64, quorum bool, line string) {
	s.t.Helper()
	for _, log := range ledger.Logs {
		s.check(s.Update(context.Background(), func(tx ledger.Tx) error {
			head, err := tx.Head(context.Background(), log)
			if err != nil {
				return err
			}
			last, err := tx.LastCheckpoint(context.Background(), log)
			if err != nil {
				return err
			}
			p := ledger.Published{Size: head.Size, Root: head.Root, At: at, Quorum: quorum, Note: fmt.Appendf(nil, "%s\n%d\n%s\n%s", log, head.Size, head.Root, line)}
			if p.Size == last.Size {
				p.Seq = last.Seq + 1
			}
			return tx.PublishCheckpoint(context.Background(), log, p)
		}))
	}
}

// ask returns all that a stranger sees of an answer: status, fields and body.
func (s *shadow) ask(path string) string {
	s.t.Helper()
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
	var b strings.Builder
	fmt.Fprintln(&b, rec.Code)
	if err := rec.Header().Write(&b); err != nil {
		s.t.Fatal(err)
	}
	b.WriteString(rec.Body.String())
	return b.String()
}

func status(answer string) string { return answer[:3] }

// everyTile calls f for every tile that a log of a size, or a little more, could
// have, and for some that it could not.
func everyTile(size int64, f func(level int, n int64, w int)) {
	for level := ledger.EntryLevel; level <= 3; level++ {
		last := size >> (8 * max(level, 0)) >> 8
		for n := int64(0); n <= last+1; n++ {
			for w := 1; w <= ledger.TileWidth; w++ {
				f(level, n, w)
			}
		}
	}
}

// TestEveryTile: for trees of every small size, and of sizes around full tiles,
// every conceivable tile is there exactly if the public checkpoint holds all of
// it; and the 404 is that of a path that there is not, in every byte.
func TestEveryTile(t *testing.T) {
	w := apitest.Start(t, api.Options{})
	w.Clock.Advance(2 * quarter)
	at := w.Clock.Now() - w.Clock.Now()%exchange.PublicEvery
	for _, size := range []int64{0, 1, 2, 3, 5, 8, 255, 256, 257, 511, 512, 513, 768} {
		s := newShadow(t, w, api.Options{})
		s.grow(at-2, "seen", int(size))
		s.publish(at-1, true, "")
		s.grow(at+1, "unseen", 3)
		s.publish(at+1, true, "")
		nowhere := s.ask("/nowhere")
		everyTile(size+3, func(level int, n int64, width int) {
			path := ledger.TilePath(ledger.HashTile(level, n, width))
			got, held := s.ask("/ev/"+path), held(level, n, width, size)
			if !held && got != nowhere || held && status(got) != "200" {
				t.Fatalf("size %d: GET /ev/%s: %s", size, path, got)
			}
			if got := s.ask("/dir/" + path); got != nowhere { // of the directory, nothing
				t.Fatalf("size %d: GET /dir/%s: %s", size, path, got)
			}
		})
	}
}

// held reports whether the tree of a size has all of a tile, as RFC 6962 counts.
func held(level int, n int64, w int, size int64) bool {
	each := int64(1) // entries below one hash
	for range max(level, 0) {
		each *= ledger.TileWidth
	}
	return (n*ledger.TileWidth+int64(w))*each <= size
}

// TestPublicSeesNothingNewer: two ledgers agree up to the public checkpoint and
// differ after it in entries, sizes, checkpoints and cosignatures. No path tells
// a stranger which is which, in any byte.
func TestPublicSeesNothingNewer(t *testing.T) {
	w := apitest.Start(t, api.Options{})
	w.Clock.Advance(2 * quarter)
	at := w.Clock.Now() - w.Clock.Now()%exchange.PublicEvery
	w.Clock.Set(at + exchange.PublicEvery - 1)
	rapid.Check(t, func(rt *rapid.T) {
		a, b := newShadow(t, w, api.Options{}), newShadow(t, w, api.Options{})
		size := history(rt, at, a, b)
		before := a.ask("/ev/checkpoint") + b.ask("/ev/checkpoint")
		paths := probes(rt, size)
		for name, s := range map[string]*shadow{"a": a, "b": b} {
			paths = append(paths, probes(rt, size+future(rt, name, at, s))...)
		}
		if after := a.ask("/ev/checkpoint") + b.ask("/ev/checkpoint"); after != before {
			rt.Fatalf("the public checkpoint moved within its quarter of an hour:\n%s\n%s", before, after)
		}
		if rapid.Bool().Draw(rt, "restart") {
			b.restart(w, api.Options{})
		}
		for _, path := range paths {
			if x, y := a.ask(path), b.ask(path); x != y {
				rt.Fatalf("GET %s tells one ledger from another:\n%s\n%s", path, x, y)
			}
		}
	})
}

// history gives two ledgers the same past, up to a moment.
func history(rt *rapid.T, at int64, a, b *shadow) (size int64) {
	steps := rapid.IntRange(0, 4).Draw(rt, "past")
	for i := range steps {
		n := rapid.SampledFrom([]int{0, 1, 3, 100, 256}).Draw(rt, "grown")
		quorum, ago := rapid.Bool().Draw(rt, "quorum"), rapid.Int64Range(0, 3).Draw(rt, "ago")
		for _, s := range []*shadow{a, b} {
			s.grow(at-4, fmt.Sprint("past", i), n)
			s.publish(at-ago, quorum, fmt.Sprint("past", i))
		}
		size += int64(n)
	}
	return size
}

// future gives a ledger what nobody may see before the next quarter of an hour.
func future(rt *rapid.T, name string, at int64, s *shadow) (grown int64) {
	for i := range rapid.IntRange(0, 4).Draw(rt, "future of "+name) {
		n := rapid.SampledFrom([]int{0, 1, 2, 57, 255, 256, 300}).Draw(rt, "grown")
		s.grow(at+1, fmt.Sprint(name, i), n)
		grown += int64(n)
		if rapid.Bool().Draw(rt, "published") {
			s.publish(at+rapid.Int64Range(1, exchange.PublicEvery-2).Draw(rt, "when"), rapid.Bool().Draw(rt, "quorum"), name)
		}
	}
	return grown
}

// probes are paths at and around the edge of a tree.
func probes(rt *rapid.T, size int64) []string {
	paths := []string{"/ev/checkpoint", "/dir/checkpoint", "/dir/entries?from=0", "/ev/consistency?from=0&to=1", "/ev/proof/0", "/dir/proof/0"}
	for d := int64(-2); d <= 2; d++ {
		paths = append(paths, fmt.Sprint("/ev/proof/", size+d), fmt.Sprint("/dir/proof/", size+d))
		for level := ledger.EntryLevel; level <= 2; level++ {
			edge := size>>(8*max(level, 0)) + d
			for _, tile := range []struct {
				n int64
				w int64
			}{{edge >> 8, edge & 255}, {edge >> 8, 256}, {0, edge}, {0, 1}, {rapid.Int64Range(0, 8).Draw(rt, "n"), rapid.Int64Range(1, 256).Draw(rt, "w")}} {
				if tile.w < 1 || tile.w > ledger.TileWidth || tile.n < 0 {
					continue
				}
				path := ledger.TilePath(ledger.HashTile(level, tile.n, int(tile.w)))
				paths = append(paths, "/ev/"+path, "/dir/"+path)
			}
		}
	}
	return paths
}

// TestPublicMovesOn with the quarter hours, and never back.
func TestPublicMovesOn(t *testing.T) {
	w := apitest.Start(t, api.Options{})
	w.Clock.Advance(quarter)
	at := w.Clock.Now() - w.Clock.Now()%exchange.PublicEvery
	s := newShadow(t, w, api.Options{})
	sees := func(want string) {
		t.Helper()
		got := s.ask("/ev/checkpoint")
		if want == "" && status(got) != "404" || want != "" && !strings.Contains(got, "\nev\n"+want+"\n") {
			t.Errorf("the public sees %q, want the size %q", got, want)
		}
	}
	set := w.Clock.Set
	set(at + 1)
	sees("")
	s.grow(at-1, "x", 5)
	s.publish(at-1, false, "")
	set(at + 2000)
	sees("") // no quorum
	s.publish(at, true, "")
	sees("")             // looked for a moment ago
	set(at + 3000)       // dated in time, but late in the store
	sees("5")            //
	s.grow(at+1, "y", 1) // too late for this quarter
	s.publish(at+1, true, "")
	set(at + 59_999)
	sees("5")
	set(at + exchange.PublicEvery - 1)
	sees("5")
	set(at + exchange.PublicEvery)
	sees("6")
	s.grow(at+exchange.PublicEvery+1, "z", 1)
	s.publish(at+exchange.PublicEvery+1, true, "")
	set(at + 1) // a clock that is set back
	sees("6")
	set(at + 10*exchange.PublicEvery)
	sees("7")
}

// TestProbingIsCheap: what lies outside is refused without asking the store, and
// the checkpoint is read a few times per quarter of an hour.
func TestProbingIsCheap(t *testing.T) {
	w := apitest.Start(t, api.Options{})
	w.Clock.Advance(quarter)
	at := w.Clock.Now() - w.Clock.Now()%exchange.PublicEvery
	s := newShadow(t, w, api.Options{})
	s.grow(at, "x", 5)
	s.publish(at, true, "")
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			for j := range 20 {
				s.ask("/ev/checkpoint")
				s.ask("/dir/checkpoint")
				s.ask(fmt.Sprintf("/ev/tile/0/%03d", i*20+j))
				s.ask(fmt.Sprint("/ev/proof/", 5+i*20+j))
				s.ask(fmt.Sprintf("/dir/tile/entries/000.p/%d", 1+i))
			}
		})
	}
	all.Wait()
	if n := s.read.Load(); n != int64(len(ledger.Logs)) {
		t.Errorf("%d reads for 5000 probes at one moment", n)
	}
	s.read.Store(0)
	for range 900 { // of a quarter of an hour, one second each
		w.Clock.Advance(1e9)
		s.ask("/ev/checkpoint")
	}
	if n := s.read.Load(); n > 62 {
		t.Errorf("%d reads in a quarter of an hour", n)
	}
}

// TestGate: strangers wait for each other, a bounded number of them, and members
// do not wait for them.
func TestGate(t *testing.T) {
	w := apitest.Start(t, api.Options{})
	w.Clock.Advance(quarter)
	at := w.Clock.Now() - w.Clock.Now()%exchange.PublicEvery
	s := newShadow(t, w, api.Options{MaxPublic: 2})
	s.grow(at, "x", 5)
	s.publish(at, true, "")
	s.ask("/ev/checkpoint")
	s.hold = make(chan struct{})
	s.read.Store(0)
	answers := make(chan string, 2000)
	for range cap(answers) {
		go func() { answers <- status(s.ask("/ev/tile/0/000.p/5")) }()
	}
	refused := 0
	for range cap(answers) - 2 - api.MaxWaiting { // all but those inside and those who wait
		if got := <-answers; got != "503" {
			t.Fatalf("answered %s before a place was free", got)
		}
		refused++
	}
	if n := s.read.Load(); n != 2 {
		t.Errorf("%d read at once", n)
	}
	close(s.hold)
	for range cap(answers) - refused {
		if got := <-answers; got != "200" {
			t.Errorf("answered %s to one who waited", got)
		}
	}
}

// FuzzTilePath: whatever stands behind /ev/tile/, the answer is a tile of the
// public tree in its one spelling, or that of a path that there is not.
func FuzzTilePath(f *testing.F) {
	w := apitest.Start(f, api.Options{})
	w.Clock.Advance(quarter)
	at := w.Clock.Now() - w.Clock.Now()%exchange.PublicEvery
	s := newShadow(f, w, api.Options{})
	s.grow(at, "x", 300)
	s.publish(at, true, "")
	_, nowhere, _ := strings.Cut(s.ask("/nowhere"), "{")
	f.Fuzz(func(t *testing.T, path string) {
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		u, err := req.URL.Parse("/ev/tile/" + path)
		if err != nil || u.RawQuery != "" || u.ForceQuery || !strings.HasPrefix(u.Path, "/ev/tile/") || u.Host != "" || u.Fragment != "" {
			return
		}
		req.URL, req.RequestURI = u, u.RequestURI()
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, req)
		tile, err := ledger.ParseTilePath(strings.TrimPrefix(u.EscapedPath(), "/ev/"))
		if there := err == nil && held(tile.L, tile.N, tile.W, 300); there != (rec.Code == http.StatusOK) {
			t.Fatalf("GET %s: %d %s", u, rec.Code, rec.Body)
		}
		if rec.Code != http.StatusOK && rec.Body.String() != "{"+nowhere {
			t.Fatalf("GET %s: %s", u, rec.Body)
		}
	})
}
