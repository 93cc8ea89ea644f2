package ledger_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/odziv/odziv/ledger"
	"golang.org/x/mod/sumdb/tlog"
)

func cp(t testing.TB, size int64, tag byte) []byte {
	t.Helper()
	h := tlog.Hash{tag}
	if size == 0 {
		h = ledger.EmptyRoot()
	}
	msg, err := ledger.SignCheckpoint(context.Background(), key, ledger.Checkpoint{Origin: "ledger.example/ev", Size: size, Root: h})
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

func openAnchor(t testing.TB, dir string) *ledger.FileAnchor {
	t.Helper()
	a, err := ledger.OpenFileAnchor(dir)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestFileAnchorKeepsTheLargest(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	a := openAnchor(t, dir)
	if last, err := a.Last(ctx, ledger.Ev); last != nil || err != nil {
		t.Fatalf("a new anchor holds %q, %v", last, err)
	}
	for _, step := range []struct{ keep, want int64 }{{0, 0}, {5, 5}, {3, 5}, {5, 5}, {12, 12}, {0, 12}} {
		if err := a.Keep(ctx, ledger.Ev, cp(t, step.keep, 1)); err != nil {
			t.Fatal(err)
		}
		for _, who := range []*ledger.FileAnchor{a, openAnchor(t, dir)} {
			if last, err := who.Last(ctx, ledger.Ev); err != nil || string(last) != string(cp(t, step.want, 1)) {
				t.Errorf("after %d: holds %q, %v", step.keep, last, err)
			}
		}
	}
	if last, err := a.Last(ctx, ledger.Dir); last != nil || err != nil {
		t.Errorf("the other log holds %q, %v", last, err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%d files are left, %v", len(files), err)
	}
	if err := a.Keep(ctx, ledger.Ev, cp(t, 12, 2)); !errors.Is(err, ledger.ErrRollback) {
		t.Errorf("another root at the same size: %v", err)
	}
	if err := a.Keep(ctx, ledger.Ev, []byte("not a note")); !errors.Is(err, ledger.ErrCheckpoint) {
		t.Errorf("not a note: %v", err)
	}
}

// TestFileAnchorShared: many servers keep in one directory; the largest stays.
func TestFileAnchorShared(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	var wg sync.WaitGroup
	for w := range int64(4) {
		a := openAnchor(t, dir)
		wg.Go(func() {
			for i := range int64(25) {
				if err := a.Keep(ctx, ledger.Ev, cp(t, 1+i*4+w, 1)); err != nil {
					t.Error(err)
				}
				if last, err := a.Last(ctx, ledger.Ev); err != nil || last == nil {
					t.Errorf("last: %q, %v", last, err)
				}
			}
		})
	}
	wg.Wait()
	if last, err := openAnchor(t, dir).Last(ctx, ledger.Ev); err != nil || string(last) != string(cp(t, 100, 1)) {
		t.Errorf("holds %q, %v", last, err)
	}
}

func TestFileAnchorFailures(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{file, filepath.Join(dir, "absent")} {
		if _, err := ledger.OpenFileAnchor(bad); err == nil {
			t.Errorf("opened %s", bad)
		}
	}
	for what, content := range map[string][]byte{"another size": cp(t, 6, 1), "garbage": []byte("x")} {
		dir := t.TempDir()
		a := openAnchor(t, dir)
		if err := os.WriteFile(filepath.Join(dir, "ev-0000000000000007.checkpoint"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Last(ctx, ledger.Ev); !errors.Is(err, ledger.ErrCheckpoint) {
			t.Errorf("%s: last: %v", what, err)
		}
		if err := a.Keep(ctx, ledger.Ev, cp(t, 9, 1)); !errors.Is(err, ledger.ErrCheckpoint) {
			t.Errorf("%s: keep: %v", what, err)
		}
	}
	gone := t.TempDir()
	a := openAnchor(t, gone)
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Last(ctx, ledger.Ev); err == nil {
		t.Error("read from a directory that is gone")
	}
	if err := a.Keep(ctx, ledger.Ev, cp(t, 9, 1)); err == nil {
		t.Error("kept in a directory that is gone")
	}
}
