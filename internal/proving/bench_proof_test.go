package proving

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/pgtest"
	"github.com/odziv/odziv/internal/scenario/demo"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/messaging"
)

// BenchmarkProof measures how long it takes from submitting a message to its
// proof under a signed checkpoint, by 32 clients that ask every millisecond, with
// the signer of production: one step a second. A commit of the same run, which
// the budget counts beside the signer's period, is the submit itself.
func BenchmarkProof(b *testing.B) {
	const every = time.Second
	b.Run("sqlite", func(b *testing.B) {
		proveAll(b, demo.Options{Dir: b.TempDir(), SignEvery: every})
	})
	b.Run("postgres", func(b *testing.B) {
		cluster := pgtest.Start(b, pgtest.Options{Disk: diskFolder(b)})
		proveAll(b, demo.Options{Dir: b.TempDir(), DB: cluster.Database(b), SignEvery: every})
	})
}

func proveAll(b *testing.B, o demo.Options) {
	f := openBench(b, o)
	n := max(b.N, 4*clients)
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
	answered, proven := make([]time.Duration, n), make([]time.Duration, n)
	b.ResetTimer()
	atOnce(b, n, func(i int) error {
		began := time.Now()
		item, err := f.Exchange.SubmitMessage(context.Background(), swc.caller(), ids[i], raws[i])
		if err != nil {
			return err
		}
		answered[i] = time.Since(began)
		for {
			_, frozen, err := f.Exchange.Proof(context.Background(), ledger.Ev, item.Idx)
			if err == nil && frozen {
				proven[i] = time.Since(began)
				return nil
			}
			time.Sleep(time.Millisecond)
		}
	})
	b.StopTimer()
	for name, all := range map[string][]time.Duration{"answer": answered, "proof": proven} {
		slices.Sort(all)
		b.ReportMetric(float64(all[n/2].Microseconds())/1000, name+"-p50-ms")
		b.ReportMetric(float64(all[n*99/100].Microseconds())/1000, name+"-p99-ms")
	}
}
