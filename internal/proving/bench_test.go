package proving

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// BenchmarkSubmit measures durable submits of messages that were sealed and
// uploaded before, by 32 clients at once, and beside them the same number of
// bare durable inserts of 4 KiB in the same kind of file. The ratio is what to
// quote.
func BenchmarkSubmit(b *testing.B) {
	const clients = 32
	f := openBench(b)
	swc, ppo := f.sender("swc-kraljevo", "legal"), f.sender("hppo-kraljevo", "registry")
	n := max(b.N, clients)
	type prepared struct {
		id  string
		raw []byte
	}
	ready := make([]prepared, n)
	for i := range ready {
		core := swc.core("complaint", messaging.Basis{Code: "legal-obligation", Purpose: "procedure"})
		_, raw, err := swc.seal(context.Background(), core, ppo.desk, map[string]string{})
		if err != nil {
			b.Fatal(err)
		}
		ready[i] = prepared{core.Msg, raw}
	}
	b.ResetTimer()
	began, before := time.Now(), processorTime()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if _, err := f.Exchange.SubmitMessage(context.Background(), swc.caller(), ready[i].id, ready[i].raw); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	ours, used := time.Since(began), processorTime()-before
	b.StopTimer()
	bare := bareInserts(b, n)
	b.ReportMetric(float64(n)/ours.Seconds(), "submits/s")
	b.ReportMetric(float64(used.Microseconds())/float64(n), "cpu-µs/submit")
	b.ReportMetric(float64(n)/bare.Seconds(), "bare/s")
	b.ReportMetric(bare.Seconds()/ours.Seconds(), "ratio")
}

// processorTime is what this process has used so far, of users' and the system's
// time: on a busy machine it says more than a clock.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// openBench is openField for a benchmark.
func openBench(b *testing.B) *field {
	w, err := demo.Open(context.Background(), demo.Options{Dir: b.TempDir(), Clock: demo.NewClock(start),
		Codes: []string{"swc-kraljevo", "hppo-kraljevo"}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { w.Close() })
	f := &field{World: w, t: b, log: &buffer{}}
	f.head = f.dirHead()
	return f
}

// bareInserts writes n rows of 4 KiB, each in a durable transaction of its own.
func bareInserts(b *testing.B, n int) time.Duration {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "bare.db")+"?_pragma=journal_mode(wal)&_pragma=synchronous(full)")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)"); err != nil {
		b.Fatal(err)
	}
	value := bytes.Repeat([]byte{7}, 4096)
	began := time.Now()
	for i := range n {
		if _, err := db.Exec("INSERT INTO t VALUES (?, ?)", i, value); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began)
}

// BenchmarkSend measures a whole send by an officer's program: follow the
// directory, seal, upload, submit, over loopback HTTP.
func BenchmarkSend(b *testing.B) {
	f := openBench(b)
	m, _ := f.Member("swc-kraljevo")
	d, _ := m.Desk("legal")
	p, _ := f.Member("hppo-kraljevo")
	to, _ := p.Desk("registry")
	o, err := d.Office(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		draft := f.complaint(d.ID, to.ID)
		draft.Text = envelope.Text{Subject: "s", Fields: draft.Text.Fields}
		if _, err := o.Send(context.Background(), draft); err != nil {
			b.Fatal(fmt.Errorf("send: %w", err))
		}
	}
}
