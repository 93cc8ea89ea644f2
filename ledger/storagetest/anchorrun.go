package storagetest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/ledger"
)

// RunAnchor runs the suite that every ledger.Anchor passes which compares sizes.
// fresh returns a new, empty place each time; what it returns opens that place
// once more, as another server would.
func RunAnchor(t *testing.T, fresh func(t testing.TB) func() ledger.Anchor) {
	t.Run("keeps the largest", func(t *testing.T) { anchorLargest(t, fresh(t)) })
	t.Run("refuses", func(t *testing.T) { anchorRefuses(t, fresh(t)) })
	t.Run("shared", func(t *testing.T) { anchorShared(t, fresh(t)) })
	t.Run("one winner", func(t *testing.T) { anchorOneWinner(t, fresh(t)) })
}

// SignedCheckpoint is a checkpoint of ledger.example/ev, signed with a key of
// this suite; its root is made of tag.
func SignedCheckpoint(t testing.TB, size int64, tag byte) []byte {
	t.Helper()
	key, err := ledger.NewSigningKey("ledger.example/ev", make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	root := tlog.Hash{tag}
	if size == 0 {
		root = ledger.EmptyRoot()
	}
	note, err := ledger.SignCheckpoint(context.Background(), key, ledger.Checkpoint{Origin: "ledger.example/ev", Size: size, Root: root})
	if err != nil {
		t.Fatal(err)
	}
	return note
}

func anchorLargest(t *testing.T, open func() ledger.Anchor) {
	ctx, a := t.Context(), open()
	if last, err := a.Last(ctx, ledger.Ev); last != nil || err != nil {
		t.Fatalf("a new anchor holds %q, %v", last, err)
	}
	for _, step := range []struct{ keep, want int64 }{{0, 0}, {5, 5}, {3, 5}, {5, 5}, {12, 12}, {0, 12}} {
		if err := a.Keep(ctx, ledger.Ev, SignedCheckpoint(t, step.keep, 1)); err != nil {
			t.Fatal(err)
		}
		for _, who := range []ledger.Anchor{a, open()} {
			if last, err := who.Last(ctx, ledger.Ev); err != nil || string(last) != string(SignedCheckpoint(t, step.want, 1)) {
				t.Errorf("after %d: holds %q, %v", step.keep, last, err)
			}
		}
	}
	if last, err := a.Last(ctx, ledger.Dir); last != nil || err != nil {
		t.Errorf("the other log holds %q, %v", last, err)
	}
}

// anchorRefuses: an anchor that has seen a size, and one that finds out now.
func anchorRefuses(t *testing.T, open func() ledger.Anchor) {
	ctx, a := t.Context(), open()
	if err := a.Keep(ctx, ledger.Ev, SignedCheckpoint(t, 12, 1)); err != nil {
		t.Fatal(err)
	}
	for _, who := range []ledger.Anchor{a, open()} {
		if err := who.Keep(ctx, ledger.Ev, SignedCheckpoint(t, 12, 2)); !errors.Is(err, ledger.ErrRollback) {
			t.Errorf("another root at the same size: %v", err)
		}
		if err := who.Keep(ctx, ledger.Ev, []byte("not a note")); !errors.Is(err, ledger.ErrCheckpoint) {
			t.Errorf("not a note: %v", err)
		}
	}
	// Behind the back of one that remembers 12.
	if err := open().Keep(ctx, ledger.Ev, SignedCheckpoint(t, 20, 1)); err != nil {
		t.Fatal(err)
	}
	if err := a.Keep(ctx, ledger.Ev, SignedCheckpoint(t, 15, 1)); err != nil {
		t.Errorf("a smaller one is left out: %v", err)
	}
	if err := a.Keep(ctx, ledger.Ev, SignedCheckpoint(t, 20, 2)); !errors.Is(err, ledger.ErrRollback) {
		t.Errorf("another root at a size that another server kept: %v", err)
	}
	if last, err := a.Last(ctx, ledger.Ev); err != nil || string(last) != string(SignedCheckpoint(t, 20, 1)) {
		t.Errorf("holds %q, %v", last, err)
	}
}

// anchorShared: many servers keep in one place; the largest stays.
func anchorShared(t *testing.T, open func() ledger.Anchor) {
	ctx := t.Context()
	var all sync.WaitGroup
	for w := range int64(4) {
		a := open()
		all.Go(func() {
			for i := range int64(25) {
				if err := a.Keep(ctx, ledger.Ev, SignedCheckpoint(t, 1+i*4+w, 1)); err != nil {
					t.Error(err)
				}
				if last, err := a.Last(ctx, ledger.Ev); err != nil || last == nil {
					t.Errorf("last: %q, %v", last, err)
				}
			}
		})
	}
	all.Wait()
	if last, err := open().Last(ctx, ledger.Ev); err != nil || string(last) != string(SignedCheckpoint(t, 100, 1)) {
		t.Errorf("holds %q, %v", last, err)
	}
}

// anchorOneWinner: what was kept without an error is never gone, whoever keeps
// something else in the same moment; rounds of two servers with growing sizes.
func anchorOneWinner(t *testing.T, open func() ledger.Anchor) {
	ctx := t.Context()
	one, two := open(), open()
	for size := int64(1); size <= 10; size++ {
		var all sync.WaitGroup
		all.Go(func() {
			if err := one.Keep(ctx, ledger.Ev, SignedCheckpoint(t, size, 1)); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			if err := two.Keep(ctx, ledger.Ev, SignedCheckpoint(t, size, 1)); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		if last, err := open().Last(ctx, ledger.Ev); err != nil || string(last) != string(SignedCheckpoint(t, size, 1)) {
			t.Fatalf("size %d: holds %q, %v", size, last, err)
		}
	}
}
