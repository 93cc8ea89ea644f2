package ledger_test

import (
	"context"
	"errors"
	"math/bits"
	"strings"
	"testing"

	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// inBatch opens a Batch on the evidence log inside a transaction.
func inBatch(t testing.TB, s ledger.Storage, f func(b *ledger.Batch) error) error {
	t.Helper()
	ctx := context.Background()
	return s.Update(ctx, func(tx ledger.Tx) error {
		b, err := ledger.NewBatch(ctx, tx, ledger.Ev)
		if err != nil {
			return err
		}
		return f(b)
	})
}

// TestBatchModel plays random appends, marks, rollbacks and flushes against a
// plain list, over several transactions, some of which fail.
func TestBatchModel(t *testing.T) {
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		m := storagetest.NewMemory()
		var stored [][]byte
		for range rapid.IntRange(1, 6).Draw(t, "transactions") {
			want := stored
			boom := errors.New("boom")
			err := m.Update(ctx, func(tx ledger.Tx) error {
				b, err := ledger.NewBatch(ctx, tx, ledger.Ev)
				if err != nil {
					t.Fatal(err)
				}
				want = play(t, b, want)
				if rapid.IntRange(0, 3).Draw(t, "fail") == 0 {
					return boom
				}
				return nil
			})
			if err != nil && err != boom {
				t.Fatal(err)
			}
			if err == nil {
				stored = want
			}
			checkLog(t, m, stored)
		}
	})
}

func play(t *rapid.T, b *ledger.Batch, want [][]byte) [][]byte {
	marks := []ledger.Mark{b.Mark()}
	for range rapid.IntRange(0, 12).Draw(t, "steps") {
		switch rapid.SampledFrom([]string{"append", "append", "append", "mark", "rollback", "flush"}).Draw(t, "step") {
		case "append":
			for _, leaf := range rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 40), 1, 70).Draw(t, "leaves") {
				idx, err := b.Append(leaf)
				if err != nil || idx != int64(len(want)) {
					t.Fatalf("append gave %d, %v, want %d", idx, err, len(want))
				}
				want = append(want, leaf)
			}
		case "mark":
			marks = append(marks, b.Mark())
		case "rollback":
			i := rapid.IntRange(0, len(marks)-1).Draw(t, "mark")
			b.Rollback(marks[i])
			want, marks = want[:marks[i]], marks[:i+1]
		case "flush":
			flush(t, b, want)
			marks = []ledger.Mark{b.Mark()}
		}
		if b.Next() != int64(len(want)) {
			t.Fatalf("next is %d, want %d", b.Next(), len(want))
		}
	}
	flush(t, b, want)
	return want
}

func flush(t *rapid.T, b *ledger.Batch, want [][]byte) {
	head, err := b.Flush(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if head.Size != int64(len(want)) || head.Root != storagetest.MTH(want) || head != b.Head() {
		t.Fatalf("flushed to %d %s, want %d %s", head.Size, head.Root, len(want), storagetest.MTH(want))
	}
}

func checkLog(t *rapid.T, m *storagetest.Memory, want [][]byte) {
	ctx := context.Background()
	err := m.View(ctx, func(r ledger.Reader) error {
		head, err := r.Head(ctx, ledger.Ev)
		if err != nil || head.Root != storagetest.MTH(want) {
			t.Fatalf("stored root at %d, %v", head.Size, err)
		}
		found, err := ledger.Check(ctx, r, ledger.Ev)
		if len(found) > 0 {
			t.Fatalf("findings: %v", found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// countingTx counts what a Batch asks of its transaction.
type countingTx struct {
	ledger.Tx
	queries, hashes, inserts, moves *int
}

func (tx countingTx) Hashes(ctx context.Context, log ledger.Log, pos []int64) ([]tlog.Hash, error) {
	*tx.queries++
	*tx.hashes += len(pos)
	return tx.Tx.Hashes(ctx, log, pos)
}

func (tx countingTx) InsertEntries(ctx context.Context, log ledger.Log, first int64, leaves [][]byte) error {
	*tx.inserts++
	return tx.Tx.InsertEntries(ctx, log, first, leaves)
}

func (tx countingTx) MoveHead(ctx context.Context, log ledger.Log, old, new ledger.Head) error {
	*tx.moves++
	return tx.Tx.MoveHead(ctx, log, old, new)
}

func TestBatchAsksLittle(t *testing.T) {
	ctx := context.Background()
	for _, size := range []int64{0, 1, 255, 256, 600} {
		var queries, hashes, inserts, moves int
		err := grown(t, size).Update(ctx, func(tx ledger.Tx) error {
			b, err := ledger.NewBatch(ctx, countingTx{tx, &queries, &hashes, &inserts, &moves}, ledger.Ev)
			if err != nil {
				return err
			}
			if _, err := b.Flush(ctx, 5); err != nil || inserts+moves > 0 {
				t.Errorf("an empty flush wrote: %d inserts, %d moves, %v", inserts, moves, err)
			}
			for range 300 {
				b.Append([]byte("x"))
			}
			_, err = b.Flush(ctx, 5)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := bits.OnesCount64(uint64(size)); hashes != want || queries > 1 || inserts != 1 || moves != 1 {
			t.Errorf("at size %d: %d queries for %d hashes (want %d), %d inserts, %d moves", size, queries, hashes, want, inserts, moves)
		}
	}
}

func TestBatchKeepsItsOwnCopy(t *testing.T) {
	m := storagetest.NewMemory()
	leaf := []byte("as appended")
	err := inBatch(t, m, func(b *ledger.Batch) error {
		if _, err := b.Append(leaf); err != nil {
			return err
		}
		copy(leaf, "overwritten")
		_, err := b.Flush(context.Background(), 1)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	view(t, m, func(r ledger.Reader) {
		got, err := r.Entries(context.Background(), ledger.Ev, 0, 1)
		if err != nil || string(got[0]) != "as appended" {
			t.Errorf("entry is %q, %v", got, err)
		}
	})
}

func TestBatchLimits(t *testing.T) {
	m := storagetest.NewMemory()
	inBatch(t, m, func(b *ledger.Batch) error {
		for i := range ledger.MaxBatch {
			if _, err := b.Append([]byte("x")); err != nil {
				t.Fatalf("entry %d: %v", i, err)
			}
		}
		if _, err := b.Append([]byte("x")); !errors.Is(err, ledger.ErrBatchFull) {
			t.Errorf("entry beyond MaxBatch: %v", err)
		}
		return errors.New("give up")
	})
	inBatch(t, m, func(b *ledger.Batch) error {
		large := make([]byte, ledger.MaxEntry)
		for left := ledger.MaxBatchBytes; left > 0; left -= len(large) {
			large = large[:min(left, ledger.MaxEntry)]
			if _, err := b.Append(large); err != nil {
				t.Fatalf("with %d bytes left: %v", left, err)
			}
		}
		if _, err := b.Append([]byte("x")); !errors.Is(err, ledger.ErrBatchFull) {
			t.Errorf("byte beyond MaxBatchBytes: %v", err)
		}
		b.Rollback(0)
		if _, err := b.Append([]byte("x")); err != nil {
			t.Errorf("after rolling back a full batch: %v", err)
		}
		return errors.New("give up")
	})
}

func TestBatchEntrySizes(t *testing.T) {
	inBatch(t, storagetest.NewMemory(), func(b *ledger.Batch) error {
		for size, ok := range map[int]bool{0: false, 1: true, ledger.MaxEntry: true, ledger.MaxEntry + 1: false} {
			_, err := b.Append(make([]byte, size))
			if ok != (err == nil) || !ok && !errors.Is(err, ledger.ErrEntrySize) {
				t.Errorf("entry of %d bytes: %v", size, err)
			}
		}
		return nil
	})
}

func TestBatchRefusesForeignMarks(t *testing.T) {
	ctx := context.Background()
	for what, misuse := range map[string]func(b *ledger.Batch){
		"before the head": func(b *ledger.Batch) { b.Rollback(2) },
		"not yet reached": func(b *ledger.Batch) { b.Rollback(b.Mark() + 1) },
		"flushed": func(b *ledger.Batch) {
			m := b.Mark()
			b.Append([]byte("x"))
			b.Flush(ctx, 1)
			b.Rollback(m)
		},
		"rolled back past": func(b *ledger.Batch) {
			first := b.Mark()
			b.Append([]byte("x"))
			second := b.Mark()
			b.Rollback(first)
			b.Rollback(second)
		},
	} {
		err := inBatch(t, grown(t, 3), func(b *ledger.Batch) error {
			misuse(b)
			if _, err := b.Append([]byte("x")); err == nil {
				t.Errorf("%s: append still works", what)
			}
			_, err := b.Flush(ctx, 1)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "mark") {
			t.Errorf("%s: flushed, %v", what, err)
		}
	}
}

func TestBatchTimeNeverGoesBack(t *testing.T) {
	m := grown(t, 1) // at 1000
	for _, c := range [][2]int64{{999, 1000}, {1000, 1000}, {1001, 1001}, {-5, 1001}} {
		if err := storagetest.Append(m, ledger.Ev, c[0], []byte("x")); err != nil {
			t.Fatal(err)
		}
		view(t, m, func(r ledger.Reader) {
			if head, _ := r.Head(context.Background(), ledger.Ev); head.At != c[1] {
				t.Errorf("flushed at %d: head at %d, want %d", c[0], head.At, c[1])
			}
		})
	}
}

func TestBatchRefusesEditedTree(t *testing.T) {
	for what, edit := range map[string]func(m *storagetest.Memory, h ledger.Head) error{
		"root":         func(m *storagetest.Memory, h ledger.Head) error { h.Root[0] ^= 1; return m.ForgeHead(ledger.Ev, h) },
		"size up":      func(m *storagetest.Memory, h ledger.Head) error { h.Size++; return m.ForgeHead(ledger.Ev, h) },
		"size down":    func(m *storagetest.Memory, h ledger.Head) error { h.Size--; return m.ForgeHead(ledger.Ev, h) },
		"size 0":       func(m *storagetest.Memory, h ledger.Head) error { h.Size = 0; return m.ForgeHead(ledger.Ev, h) },
		"size below 0": func(m *storagetest.Memory, h ledger.Head) error { h.Size = -1; return m.ForgeHead(ledger.Ev, h) },
		"size beyond 2^53": func(m *storagetest.Memory, h ledger.Head) error {
			h.Size = ledger.MaxSize + 1
			return m.ForgeHead(ledger.Ev, h)
		},
		"edge node": func(m *storagetest.Memory, h ledger.Head) error {
			return m.ForgeNode(ledger.Ev, tlog.StoredHashIndex(1, 2), tlog.Hash{})
		},
	} {
		m := grown(t, 6)
		var head ledger.Head
		view(t, m, func(r ledger.Reader) { head, _ = r.Head(context.Background(), ledger.Ev) })
		if err := edit(m, head); err != nil {
			t.Fatal(err)
		}
		err := storagetest.Append(m, ledger.Ev, 1, []byte("x"))
		if !errors.Is(err, ledger.ErrTreeMismatch) || !strings.Contains(err.Error(), "stored tree does not match head root") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// faultyTx fails one of the writes.
type faultyTx struct {
	ledger.Tx
	entries, nodes, head error
}

func (tx faultyTx) InsertEntries(ctx context.Context, log ledger.Log, first int64, leaves [][]byte) error {
	return errors.Join(tx.entries, tx.Tx.InsertEntries(ctx, log, first, leaves))
}

func (tx faultyTx) InsertNodes(ctx context.Context, log ledger.Log, first int64, hashes []tlog.Hash) error {
	return errors.Join(tx.nodes, tx.Tx.InsertNodes(ctx, log, first, hashes))
}

func (tx faultyTx) MoveHead(ctx context.Context, log ledger.Log, old, new ledger.Head) error {
	return errors.Join(tx.head, tx.Tx.MoveHead(ctx, log, old, new))
}

func TestBatchIsSpoiledByAFailedFlush(t *testing.T) {
	ctx := context.Background()
	disk := errors.New("disk full")
	for what, fault := range map[string]faultyTx{"entries": {entries: disk}, "nodes": {nodes: disk}, "head": {head: disk}} {
		m := grown(t, 3)
		err := m.Update(ctx, func(tx ledger.Tx) error {
			fault.Tx = tx
			b, err := ledger.NewBatch(ctx, fault, ledger.Ev)
			if err != nil {
				return err
			}
			b.Append([]byte("x"))
			if _, err := b.Flush(ctx, 1); !errors.Is(err, disk) {
				t.Errorf("%s: flush: %v", what, err)
			}
			if _, err := b.Append([]byte("y")); !errors.Is(err, disk) {
				t.Errorf("%s: append after a failed flush: %v", what, err)
			}
			_, err = b.Flush(ctx, 1)
			return err
		})
		if !errors.Is(err, disk) {
			t.Errorf("%s: update: %v", what, err)
		}
		view(t, m, func(r ledger.Reader) {
			if found, err := ledger.Check(ctx, r, ledger.Ev); err != nil || len(found) > 0 {
				t.Errorf("%s: after the failure: %v, %v", what, found, err)
			}
		})
	}
}

// fullTx is a log of the greatest size, all of whose nodes are zero.
type fullTx struct{ ledger.Tx }

func (fullTx) Hashes(_ context.Context, _ ledger.Log, pos []int64) ([]tlog.Hash, error) {
	return make([]tlog.Hash, len(pos)), nil
}

func (tx fullTx) Head(ctx context.Context, log ledger.Log) (ledger.Head, error) {
	root, err := ledger.RootAt(ctx, tx, log, ledger.MaxSize-1)
	return ledger.Head{Size: ledger.MaxSize - 1, Root: root}, err
}

func TestBatchAtTheGreatestSize(t *testing.T) {
	b, err := ledger.NewBatch(context.Background(), fullTx{}, ledger.Ev)
	if err != nil {
		t.Fatal(err)
	}
	if idx, err := b.Append([]byte("last")); err != nil || idx != ledger.MaxSize-1 {
		t.Errorf("the last entry: %d, %v", idx, err)
	}
	if _, err := b.Append([]byte("one more")); err == nil {
		t.Error("a log of 2^53-1 entries took one more")
	}
}

func BenchmarkBatch(b *testing.B) {
	for name, size := range map[string]int{"109B": 109, "1KiB": 1024} {
		b.Run(name, func(b *testing.B) {
			leaf := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			batch, err := ledger.NewBatch(context.Background(), discardTx{}, ledger.Ev)
			if err != nil {
				b.Fatal(err)
			}
			for i := range b.N {
				if _, err := batch.Append(leaf); err != nil {
					b.Fatal(err)
				}
				if i%64 == 63 {
					batch.Flush(context.Background(), 1)
				}
			}
		})
	}
}

// discardTx begins empty and forgets what is written.
type discardTx struct{ ledger.Tx }

func (discardTx) Head(context.Context, ledger.Log) (ledger.Head, error) {
	return ledger.Head{Root: ledger.EmptyRoot()}, nil
}
func (discardTx) InsertEntries(context.Context, ledger.Log, int64, [][]byte) error     { return nil }
func (discardTx) InsertNodes(context.Context, ledger.Log, int64, []tlog.Hash) error    { return nil }
func (discardTx) MoveHead(context.Context, ledger.Log, ledger.Head, ledger.Head) error { return nil }
