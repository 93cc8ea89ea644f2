package ledger_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
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

func TestFileAnchor(t *testing.T) {
	storagetest.RunAnchor(t, func(t testing.TB) func() ledger.Anchor {
		dir := t.TempDir()
		return func() ledger.Anchor { return openAnchor(t, dir) }
	})
}

// Smaller files go when a larger one is there.
func TestFileAnchorRemovesTheSmaller(t *testing.T) {
	dir := t.TempDir()
	a := openAnchor(t, dir)
	for _, size := range []int64{0, 5, 3, 5, 12, 0} {
		if err := a.Keep(t.Context(), ledger.Ev, cp(t, size, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%d files are left, %v", len(files), err)
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
