package audit_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/odziv/odziv/internal/audit"
	"github.com/odziv/odziv/internal/audit/audittest"
	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
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

// benchTree is how many leaves the benchmarks of trees alone have.
const benchTree = 100_000

// treeOnly is a bundle of leaves of which nothing is shown.
func treeOnly(b *testing.B) (*audittest.World, []byte) {
	b.Helper()
	w := audittest.New(b, false)
	leaves := make([][]byte, benchTree)
	for i := range leaves {
		o := evidence.Opening{Meta: binary.BigEndian.AppendUint64(nil, uint64(i)), RM: audittest.Seed("rm"), RP: audittest.Seed("rp")}
		leaf, err := o.Leaf()
		if err != nil {
			b.Fatal(err)
		}
		leaves[i] = leaf
	}
	for half := range slices.Chunk(leaves, benchTree/2) {
		if err := storagetest.Append(w.Memory, ledger.Ev, w.At, half...); err != nil {
			b.Fatal(err)
		}
	}
	w.Publish()
	return w, bundleOf(b, w, audit.Options{})
}

// BenchmarkVerifyBundleWithoutOpenings verifies a directory and compares trees.
// Compare with BenchmarkTreeAlone: the budget is 1.5 times that.
func BenchmarkVerifyBundleWithoutOpenings(b *testing.B) {
	w, bundle := treeOnly(b)
	for b.Loop() {
		if _, found, err := verify(b, bundle, audit.Trust{Genesis: w.Genesis()}); err != nil || len(found) > 0 {
			b.Fatal(found, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchTree, "ns/entry")
}

// BenchmarkTreeAlone computes the hashes of such a tree, and the signatures of
// its directory.
func BenchmarkTreeAlone(b *testing.B) {
	w, _ := treeOnly(b)
	leaf, node := make([]byte, 110), make([]byte, 65)
	for b.Loop() {
		if _, err := directory.New().Replay(w.Leaves); err != nil {
			b.Fatal(err)
		}
		for range benchTree {
			sha256.Sum256(leaf)
			sha256.Sum256(node)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchTree, "ns/entry")
}
