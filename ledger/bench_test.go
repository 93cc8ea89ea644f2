package ledger_test

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
)

const benchEntries = 100_000

// benchFiles writes the tiles of a log of 109-byte entries to a folder.
func benchFiles(b *testing.B) (string, ledger.Checkpoint) {
	b.Helper()
	m := storagetest.NewMemory()
	leaves := make([][]byte, 0, 50_000)
	for i := range benchEntries {
		leaf := make([]byte, 109)
		leaf[0], leaf[1], leaf[2] = byte(i), byte(i>>8), byte(i>>16)
		if leaves = append(leaves, leaf); len(leaves) == cap(leaves) {
			if err := storagetest.Append(m, ledger.Ev, 1, leaves...); err != nil {
				b.Fatal(err)
			}
			leaves = leaves[:0]
		}
	}
	dir := b.TempDir()
	var c ledger.Checkpoint
	view(b, m, func(r ledger.Reader) {
		c = at(b, r, benchEntries)
		for tile := range ledger.TreeTiles(benchEntries) {
			data, err := ledger.ReadTile(context.Background(), r, ledger.Ev, tile)
			if err != nil {
				b.Fatal(err)
			}
			name := filepath.Join(dir, filepath.FromSlash(ledger.TilePath(tile)))
			if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(name, data, 0o600); err != nil {
				b.Fatal(err)
			}
		}
	})
	return dir, c
}

// BenchmarkAuditTree reads a log of 100,000 entries from files. Compare with
// BenchmarkHashesAlone: the budget is 1.5 times that.
func BenchmarkAuditTree(b *testing.B) {
	dir, c := benchFiles(b)
	b.ReportAllocs()
	for b.Loop() {
		found, err := ledger.AuditTree(context.Background(), ledger.FSTiles(os.DirFS(dir)), c, nil)
		if err != nil || len(found) > 0 {
			b.Fatal(found, err)
		}
	}
}

// BenchmarkHashesAlone computes as many hashes as a tree of 100,000 entries of
// 109 bytes needs, and nothing else.
func BenchmarkHashesAlone(b *testing.B) {
	leaf, node := make([]byte, 110), make([]byte, 65)
	for b.Loop() {
		for range benchEntries {
			sha256.Sum256(leaf)
			sha256.Sum256(node)
		}
	}
}
