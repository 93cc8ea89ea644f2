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

	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/messaging"
	"github.com/odziv/odziv/messaging/envelope"
)

// clients is how many submit at once.
const clients = 32

// BenchmarkSubmit measures durable submits of messages that were sealed and
// uploaded before, by 32 clients at once. Beside them, in the same run and on the
// same disk: on SQLite as many bare inserts of 4 KiB by one writer; on PostgreSQL
// as many by 32 clients, and the rows of a submit written by hand, each in a
// transaction of its own that waits for no other. The ratios are what to quote.
func BenchmarkSubmit(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		dir := b.TempDir()
		r := submitAll(openBench(b, demo.Options{Dir: dir}), max(b.N, clients))
		r.report(b)
		r.beside(b, "bare", bareInserts(b, r.n))
	})
	b.Run("postgres", func(b *testing.B) {
		cluster := pgtest.Start(b, pgtest.Options{Disk: diskFolder(b)})
		ours, rows, bare := cluster.Database(b), cluster.Database(b), cluster.Database(b)
		r := submitAll(openBench(b, demo.Options{Dir: b.TempDir(), DB: ours}), max(b.N, clients))
		r.report(b)
		r.beside(b, "rows", handWritten(b, rows, r.n))
		r.beside(b, "bare", bareServed(b, bare, r.n))
		b.Logf("rows left by %d submits, and by hand:\n%v\n%v", r.n, rowsOf(b, ours), rowsOf(b, rows))
	})
}

// submitted is how long n submits took, and how much of the processor.
type submitted struct {
	n          int
	took, used time.Duration
}

func (r submitted) report(b *testing.B) {
	b.ReportMetric(float64(r.n)/r.took.Seconds(), "submits/s")
	b.ReportMetric(float64(r.used.Microseconds())/float64(r.n), "cpu-µs/submit")
}

// beside reports what else was measured, and how the submits compare.
func (r submitted) beside(b *testing.B, name string, took time.Duration) {
	b.ReportMetric(float64(r.n)/took.Seconds(), name+"/s")
	b.ReportMetric(took.Seconds()/r.took.Seconds(), "ratio-"+name)
}

// submitAll seals and uploads n messages and then submits them.
func submitAll(f *field, n int) submitted {
	b := f.t.(*testing.B)
	swc, ppo := f.sender("swc-kraljevo", "legal"), f.sender("hppo-kraljevo", "registry")
	ids, raws := make([]string, n), make([][]byte, n)
	for i := range n {
		core := swc.core("complaint", messaging.Basis{Code: "legal-obligation", Purpose: "procedure"})
		_, raw, err := swc.seal(context.Background(), core, ppo.desk, map[string]string{})
		if err != nil {
			b.Fatal(err)
		}
		ids[i], raws[i] = core.Msg, raw
	}
	b.ResetTimer()
	before := processorTime()
	took := atOnce(b, n, func(i int) error {
		_, err := f.Exchange.SubmitMessage(context.Background(), swc.caller(), ids[i], raws[i])
		return err
	})
	b.StopTimer()
	return submitted{n, took, processorTime() - before}
}

// atOnce does n things by as many clients as there are.
func atOnce(b *testing.B, n int, do func(i int) error) time.Duration {
	began := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if err := do(int(i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began)
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
func openBench(b *testing.B, o demo.Options) *field {
	o.Clock, o.Codes = demo.NewClock(start), []string{"swc-kraljevo", "hppo-kraljevo"}
	w, err := demo.Open(context.Background(), o)
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
	f := openBench(b, demo.Options{Dir: b.TempDir()})
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
