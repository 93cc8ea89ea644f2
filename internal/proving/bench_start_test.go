package proving

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/ledger"
)

// BenchmarkStart serves a ledger of a million entries by the real program, on
// SQLite: how long it takes from starting the program to its first answer, how
// much memory it holds then, and how large the program is.
func BenchmarkStart(b *testing.B) {
	const entries = 1_000_000
	binary := filepath.Join(b.TempDir(), "odzivd")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/odziv/odziv/cmd/odzivd").CombinedOutput(); err != nil {
		b.Fatalf("%v %s", err, out)
	}
	dir := b.TempDir()
	w, err := demo.Open(context.Background(), demo.Options{Dir: dir, Clock: demo.NewClock(time.Now().UnixMilli()), Codes: []string{"ngo-b"}})
	if err != nil {
		b.Fatal(err)
	}
	home := w.Home.Dir
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	fillLedger(b, filepath.Join(home, "ledger.db"), entries)
	var took time.Duration
	var resident int
	b.ResetTimer()
	for range b.N {
		t, kib := startOnce(b, binary, home)
		took, resident = took+t, max(resident, kib)
	}
	b.StopTimer()
	info, err := os.Stat(binary)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(took.Milliseconds())/float64(b.N), "ms-to-ready")
	b.ReportMetric(float64(resident)/1024, "MiB-resident")
	b.ReportMetric(float64(info.Size())/(1<<20), "MiB-program")
}

// fillLedger appends leaves without openings.
func fillLedger(b *testing.B, path string, n int) {
	ctx := context.Background()
	store, err := sqlstore.Open(ctx, "sqlite:"+path)
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	for done := 0; done < n; {
		err := store.Update(ctx, func(tx ledger.Tx) error {
			batch, err := ledger.NewBatch(ctx, tx, ledger.Ev)
			if err != nil {
				return err
			}
			for range 20_000 {
				if _, err := batch.Append(fmt.Appendf(nil, "%0109d", done)); err != nil {
					return err
				}
				done++
			}
			_, err = batch.Flush(ctx, 1)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// startOnce starts the program, waits for an answer, and ends it.
func startOnce(b *testing.B, binary, home string) (took time.Duration, kib int) {
	address := freeLoopback(b)
	cmd := exec.Command(binary, "serve", "--dir", home, "--listen", address)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}()
	for {
		answer, err := http.Get("http://" + address + "/healthz")
		if err == nil {
			answer.Body.Close()
			break
		}
		if time.Since(began) > time.Minute {
			b.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	took = time.Since(began)
	time.Sleep(3 * time.Second) // what it does at its beginning is done: it idles
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			_, _ = fmt.Sscan(rest, &kib)
		}
	}
	return took, kib
}

// freeLoopback is an address on which nothing listens.
func freeLoopback(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
