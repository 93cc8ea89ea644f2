package witness

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/internal/statement"
	"github.com/odziv/odziv/ledger"
)

const origin = "log.example/ev"

// branch is one history of a log, which may leave another's at some index.
type branch struct {
	hashes []tlog.Hash
	size   int64
}

func (b *branch) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		out[i] = b.hashes[at]
	}
	return out, nil
}

func (b *branch) grow(t testing.TB, name string, n int64) {
	for range n {
		more, err := tlog.StoredHashes(b.size, fmt.Appendf(nil, "%s %d", name, b.size), b)
		check(t, err)
		b.hashes = append(b.hashes, more...)
		b.size++
	}
}

// forked is another history that agrees with this one below size.
func (b *branch) forked(t testing.TB, size int64) *branch {
	other := &branch{hashes: slices.Clone(b.hashes[:tlog.StoredHashIndex(0, size)]), size: size}
	return other
}

func (b *branch) at(t testing.TB, size int64) ledger.Checkpoint {
	root, err := tlog.TreeHash(size, b)
	check(t, err)
	if size == 0 {
		root = ledger.EmptyRoot()
	}
	return ledger.Checkpoint{Origin: origin, Size: size, Root: root}
}

func (b *branch) proof(t testing.TB, old, size int64) tlog.TreeProof {
	if old == 0 || old > size {
		return nil
	}
	p, err := tlog.ProveTree(size, old, b)
	check(t, err)
	return p
}

func (b *branch) prove(t testing.TB, size int64) ledger.ProveFrom {
	return func(_ context.Context, old int64) (tlog.TreeProof, error) { return b.proof(t, old, size), nil }
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func seed(b byte) []byte { return slices.Repeat([]byte{b}, 32) }

// logKey signs checkpoints; another for the same name is a stranger's.
func logKey(t testing.TB, b byte) *ledger.SigningKey {
	key, err := ledger.NewSigningKey(origin, seed(b))
	check(t, err)
	return key
}

func sign(t testing.TB, key *ledger.SigningKey, c ledger.Checkpoint) []byte {
	signed, err := ledger.SignCheckpoint(t.Context(), key, c)
	check(t, err)
	return signed
}

// open is a witness of the one log, with its memory in dir.
func open(t testing.TB, dir string) *Witness {
	t.Helper()
	key, err := NewKey("witness.example/w", statement.NewSigningKey(seed(9)))
	check(t, err)
	memory, err := OpenMemory(dir)
	check(t, err)
	t.Cleanup(func() { memory.Close() })
	trusted := logKey(t, 1).Verifier()
	return &Witness{Key: key, Memory: memory, Clock: func() int64 { return 1_700_000_000_000 },
		Verifiers: func(of string) []note.Verifier {
			if of == origin {
				return []note.Verifier{trusted}
			}
			return nil
		}}
}

// request asks for the tree of a size.
func (b *branch) request(t testing.TB, key *ledger.SigningKey, old, size int64) Request {
	return Request{Old: old, Proof: b.proof(t, old, size), Checkpoint: sign(t, key, b.at(t, size))}
}
