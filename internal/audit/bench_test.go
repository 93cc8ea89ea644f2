package audit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"runtime"
	"sync"
	"testing"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/audit/audittest"
	"github.com/odziv/odziv/internal/statement"
)

// benchEntries is how many openings the benchmarks verify.
const benchEntries = 5_000

func benchWorld(b *testing.B) *audittest.World {
	b.Helper()
	w := audittest.New(b, false)
	w.Fill(benchEntries)
	w.Publish()
	return w
}

// BenchmarkVerifyBundle verifies a bundle of messages, each opened and signed.
// Compare with BenchmarkHashesAndSignaturesAlone: the budget is 3 times that.
func BenchmarkVerifyBundle(b *testing.B) {
	w := benchWorld(b)
	bundle := bundleOf(b, w, audit.Options{})
	b.SetBytes(int64(len(bundle)))
	b.ReportAllocs()
	for b.Loop() {
		if _, found, err := verify(b, bundle, audit.Trust{Genesis: w.Genesis()}); err != nil || len(found) > 0 {
			b.Fatal(found, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchEntries, "ns/entry")
}

// BenchmarkHashesAndSignaturesAlone does what no verifier can leave out: two
// commitments, a leaf and a node hash, and a signature for each opening, on all
// processors.
func BenchmarkHashesAndSignaturesAlone(b *testing.B) {
	w := benchWorld(b)
	type one struct{ pae, sig []byte }
	var all []one
	for i := range w.Openings {
		d := w.Priv(int64(i)).Stmt
		all = append(all, one{statement.PAE(d.PayloadType, d.Payload), d.Signatures[0].Sig})
	}
	key := audittest.Key(audittest.Officer("A", 1)).Public()
	workers := runtime.GOMAXPROCS(0)
	for b.Loop() {
		var wg sync.WaitGroup
		for n := range workers {
			wg.Go(func() {
				for i := n; i < len(all); i += workers {
					o := w.Openings[i]
					for _, half := range [][2][]byte{{o.RM, o.Meta}, {o.RP, o.Priv}} {
						h := hmac.New(sha256.New, half[0])
						h.Write(half[1])
						h.Sum(nil)
					}
					sha256.Sum256(all[i].sig)
					sha256.Sum256(all[i].pae[:65])
					if !ed25519.Verify(key, all[i].pae, all[i].sig) {
						panic("does not verify")
					}
				}
			})
		}
		wg.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchEntries, "ns/entry")
}

// BenchmarkVerifyBundleWithoutOpenings compares trees alone. Compare with
// BenchmarkTreeHashesAlone: the budget is 1.5 times that.
func BenchmarkVerifyBundleWithoutOpenings(b *testing.B) {
	w := benchWorld(b)
	for i := range w.Openings {
		w.Erased[int64(i)] = true
	}
	var bundle bytes.Buffer
	if err := audit.WriteBundle(context.Background(), &bundle, w.Source(), audit.Options{}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, found, err := verify(b, bundle.Bytes(), audit.Trust{}); err != nil || len(found) > 0 {
			b.Fatal(found, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchEntries, "ns/entry")
}

// BenchmarkTreeHashesAlone computes the hashes of the tree, and the directory's
// signatures.
func BenchmarkTreeHashesAlone(b *testing.B) {
	w := benchWorld(b)
	leaf, node := make([]byte, 110), make([]byte, 65)
	for b.Loop() {
		if _, err := w.Dir.At(0), error(nil); err != nil {
			b.Fatal(err)
		}
		for range benchEntries {
			sha256.Sum256(leaf)
			sha256.Sum256(node)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchEntries, "ns/entry")
}
