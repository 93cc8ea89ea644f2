package filelock_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/odziv/odziv/internal/filelock"
)

// One holds, the next is told, and after the end the next may.
func TestTake(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	first, err := filelock.Take(name)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := filelock.Take(name); !errors.Is(err, filelock.ErrHeld) {
		t.Fatalf("taken twice: %v, %v", second, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := filelock.Take(name)
	if err != nil {
		t.Fatalf("after the first let go: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// A folder that is not there is no lock that somebody holds.
func TestNowhere(t *testing.T) {
	if _, err := filelock.Take(filepath.Join(t.TempDir(), "none", "lock")); err == nil || errors.Is(err, filelock.ErrHeld) {
		t.Errorf("taken in no folder: %v", err)
	}
}
