package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/lib/pq"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"k8s.io/klog/v2"

	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/ledger"
)

func TestMain(m *testing.M) {
	klog.LogToStderr(false) // what Tessera says at its work
	klog.SetOutput(io.Discard)
	os.Exit(pgtest.Run(m))
}

// log is one that is compared: add returns once the entry has its index for good.
type log struct {
	add  func(ctx context.Context, entry []byte) (index int64, err error)
	root func() (size int64, root tlog.Hash)
}

const origin = "bench.odziv.example/ev"

// ours is the ledger on a store.
func ours(t testing.TB, database string) *log {
	ctx, stop := context.WithCancel(context.Background())
	store, err := sqlstore.Create(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	a := newAppender(store, ledger.Ev)
	var running sync.WaitGroup
	running.Go(func() { a.run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &log{add: a.add, root: func() (size int64, root tlog.Hash) {
		err := store.View(context.Background(), func(r ledger.Reader) error {
			head, err := r.Head(context.Background(), ledger.Ev)
			size, root = head.Size, head.Root
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return size, root
	}}
}

// tesseras is Tessera on files. A batch that is not full waits for maxAge.
func tesseras(t testing.TB, dir string, maxAge time.Duration) *log {
	ctx := context.Background()
	private, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	known, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	options := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithCheckpointInterval(time.Second).
		WithBatching(tessera.DefaultBatchMaxSize, maxAge)
	ctx, stop := context.WithCancel(ctx)
	t.Cleanup(stop)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		t.Fatal(err)
	}
	return &log{
		add: func(ctx context.Context, entry []byte) (int64, error) {
			index, err := appender.Add(ctx, tessera.NewEntry(entry))()
			return int64(index.Index), err
		},
		root: func() (int64, tlog.Hash) {
			if err := shutdown(ctx); err != nil { // waits until a checkpoint covers everything
				t.Fatal(err)
			}
			signed, err := reader.ReadCheckpoint(ctx)
			if err != nil {
				t.Fatal(err)
			}
			n, err := note.Open(signed, note.VerifierList(known))
			if err != nil {
				t.Fatal(err)
			}
			var at, root string
			var size int64
			if _, err := fmt.Sscanf(n.Text, "%s\n%d\n%s\n", &at, &size, &root); err != nil {
				t.Fatal(err)
			}
			hash, err := tlog.ParseHash(root)
			if err != nil {
				t.Fatal(err)
			}
			return size, hash
		},
	}
}

// soon is how long a batch waits for more entries than there are; the default of
// Tessera, a quarter of a second, is for batches that are always full.
const soon = 5 * time.Millisecond

// addAll adds n entries by as many clients at once and returns them by index.
func addAll(t testing.TB, l *log, clients, n, size int) (entries [][]byte, took time.Duration) {
	entries = make([][]byte, n)
	fresh := make([][]byte, n)
	for i := range fresh {
		fresh[i] = make([]byte, size)
		rand.Read(fresh[i])
	}
	began := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				index, err := l.add(context.Background(), fresh[i])
				if err != nil {
					t.Error(err)
					return
				}
				entries[index] = fresh[i]
			}
		})
	}
	wg.Wait()
	return entries, time.Since(began)
}

// TestSameLog: the logs that are compared are the same log: the same entries in
// the same order have the same root.
func TestSameLog(t *testing.T) {
	const n = 100
	theirs := tesseras(t, t.TempDir(), soon)
	entries, _ := addAll(t, theirs, 32, n, 109)
	size, root := theirs.root()
	if size != n {
		t.Fatalf("Tessera holds %d entries, want %d", size, n)
	}
	for name, database := range map[string]string{
		"sqlite":   "sqlite:" + filepath.Join(t.TempDir(), "ledger.db"),
		"postgres": pgtest.Shared(t).Database(t),
	} {
		l := ours(t, database)
		mixed, _ := addAll(t, l, 32, n, 109) // by many at once, then one by one
		for _, entry := range append(mixed, entries...) {
			if entry == nil { // two adds were given one index
				t.Fatalf("%s: an index was given twice", name)
			}
		}
		again := ours(t, fresh(t, name))
		for i, entry := range entries {
			if index, err := again.add(context.Background(), entry); err != nil || index != int64(i) {
				t.Fatalf("%s: entry %d at %d: %v", name, i, index, err)
			}
		}
		if s, r := again.root(); s != size || r != root {
			t.Errorf("%s: root %v of %d, Tessera %v of %d", name, r, s, root, size)
		}
	}
}

// fresh is one more empty database.
func fresh(t *testing.T, engine string) string {
	if engine == "postgres" {
		return pgtest.Shared(t).Database(t)
	}
	return "sqlite:" + filepath.Join(t.TempDir(), "again.db")
}

// BenchmarkAppend adds entries by 32 and by 256 clients, each waiting for its
// index: to Tessera on files, to the ledger on both engines, and beside them bare
// inserts of 4 KiB over lib/pq. Compare within one run; cpu counts this process
// alone, not PostgreSQL's.
func BenchmarkAppend(b *testing.B) {
	for _, clients := range []int{32, 256} {
		for _, size := range []int{109, 1024} {
			name := func(who string) string { return fmt.Sprintf("%d-clients/%d-bytes/%s", clients, size, who) }
			b.Run(name("tessera"), func(b *testing.B) { measure(b, tesseras(b, disk(b), tessera.DefaultBatchMaxAge), clients, size) })
			b.Run(name("tessera-soon"), func(b *testing.B) { measure(b, tesseras(b, disk(b), soon), clients, size) })
			b.Run(name("sqlite"), func(b *testing.B) {
				measure(b, ours(b, "sqlite:"+filepath.Join(disk(b), "ledger.db")), clients, size)
			})
			b.Run(name("postgres"), func(b *testing.B) {
				cluster := pgtest.Start(b, pgtest.Options{Disk: disk(b), Settings: map[string]string{"max_connections": "300"}})
				measure(b, ours(b, cluster.Database(b)), clients, size)
			})
		}
	}
	b.Run("32-clients/4096-bytes/inserts", func(b *testing.B) {
		cluster := pgtest.Start(b, pgtest.Options{Disk: disk(b)})
		measure(b, inserts(b, cluster.Database(b), 32), 32, 4096)
	})
}

// disk is a folder that is not in memory.
func disk(b *testing.B) string {
	place := os.Getenv("TMPDIR")
	if place == "" {
		place = "/var/tmp"
	}
	dir, err := os.MkdirTemp(place, "odziv-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func measure(b *testing.B, l *log, clients, size int) {
	n := max(b.N, clients)
	addAll(b, l, clients, clients, size) // statements are prepared, files are there
	b.ResetTimer()
	before := processorTime()
	_, took := addAll(b, offset(l, int64(clients)), clients, n, size)
	b.StopTimer()
	b.ReportMetric(float64(n)/took.Seconds(), "adds/s")
	b.ReportMetric(float64((processorTime()-before).Microseconds())/float64(n), "cpu-µs/add")
}

// offset counts from the first entry after some.
func offset(l *log, by int64) *log {
	return &log{root: l.root, add: func(ctx context.Context, entry []byte) (int64, error) {
		index, err := l.add(ctx, entry)
		return index - by, err
	}}
}

// inserts is a table, and no log.
func inserts(b *testing.B, dsn string, clients int) *log {
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(clients)
	db.SetMaxIdleConns(clients)
	if _, err := db.Exec("CREATE TABLE t (id bigint PRIMARY KEY, v bytea)"); err != nil {
		b.Fatal(err)
	}
	insert, err := db.Prepare("INSERT INTO t VALUES ($1, $2)")
	if err != nil {
		b.Fatal(err)
	}
	var next atomic.Int64
	value := bytes.Repeat([]byte{7}, 4096)
	return &log{add: func(ctx context.Context, _ []byte) (int64, error) {
		id := next.Add(1) - 1
		_, err := insert.ExecContext(ctx, id, value)
		return id, err
	}}
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
