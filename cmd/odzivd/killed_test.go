package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/odziv/odziv/internal/server"
	"github.com/odziv/odziv/internal/sqlstore"
	"github.com/odziv/odziv/ledger"
)

// rounds scales the number of tries of a test.
func rounds(n int) int {
	if f, err := strconv.ParseFloat(os.Getenv("ODZIV_ROUNDS"), 64); err == nil && f > 0 {
		return max(1, int(float64(n)*f))
	}
	return n
}

// longSize is how many entries of evidence the long ledger has: enough for an
// import to be killed in the middle.
const longSize = 60*ledger.TileWidth + 17

// TestImportKilled kills an import at random moments: each time what is there is
// whole, and in the end the tree is the mirror's.
func TestImportKilled(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "odzivd") // the test binary is the program under this name
	if err := os.Symlink(self, binary); err != nil {
		t.Fatal(err)
	}
	home, folder := longLedger(t, dir)
	sizes := []int64{wholeSize(t, home)}
	for range rounds(8) {
		cmd := exec.Command(binary, "import", "--dir", home.Dir, "--from", folder)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(time.Duration(100+rand.IntN(200))*time.Millisecond, func() { cmd.Process.Kill() })
		cmd.Wait()
		kill.Stop()
		sizes = append(sizes, wholeSize(t, home))
	}
	out, err := exec.Command(binary, "import", "--dir", home.Dir, "--from", folder).CombinedOutput()
	if err != nil {
		t.Fatalf("the last import: %v\n%s", err, out)
	}
	if sizes = append(sizes, wholeSize(t, home)); sizes[len(sizes)-1] != longSize {
		t.Errorf("ended with %d entries of %d", sizes[len(sizes)-1], longSize)
	}
	t.Logf("sizes after each kill: %v", sizes)
}

// longLedger makes a server with a long tree of leaves that say nothing, lets a
// mirror of it be taken, and puts it back to its genesis.
func longLedger(t *testing.T, dir string) (*server.Home, string) {
	t.Helper()
	ctx := context.Background()
	home, err := server.InitHome(filepath.Join(dir, "server"), server.Settings{Host: "exchange.example", Authority: "exchange.example", DB: "sqlite:ledger.db"})
	if err != nil {
		t.Fatal(err)
	}
	genesis, err := genesisFor(home, false)
	if err != nil {
		t.Fatal(err)
	}
	full := *home
	full.DB = "sqlite:" + filepath.Join(dir, "full.db")
	folder := filepath.Join(dir, "mirror")
	err = errors.Join(full.Begin(ctx, genesis, 1), grow(ctx, &full), writeMirror(ctx, &full, folder), home.Begin(ctx, genesis, 1))
	if err != nil {
		t.Fatal(err)
	}
	return home, folder
}

// grow appends entries, signs and publishes.
func grow(ctx context.Context, home *server.Home) error {
	store, err := sqlstore.Open(ctx, home.DSN())
	if err != nil {
		return err
	}
	err = store.Update(ctx, func(tx ledger.Tx) error {
		b, err := ledger.NewBatch(ctx, tx, ledger.Ev)
		if err != nil {
			return err
		}
		for i := range longSize {
			if _, err := b.Append(fmt.Appendf(nil, "entry %d", i)); err != nil {
				return err
			}
		}
		_, err = b.Flush(ctx, 1)
		return err
	})
	anchor, anchorErr := home.Anchor()
	if err = errors.Join(err, anchorErr); err != nil {
		return errors.Join(err, store.Close())
	}
	for _, log := range ledger.Logs {
		key, keyErr := home.Signer(log)
		if keyErr != nil {
			return errors.Join(err, keyErr, store.Close())
		}
		_, _, stepErr := ledger.NewPublisher(store, log, key, anchor, ledger.Unwatched{}).Step(ctx, 1)
		err = errors.Join(err, stepErr)
	}
	return errors.Join(err, store.Close())
}

// wholeSize is the size of the evidence tree, every entry and node of which
// agrees with its head.
func wholeSize(t *testing.T, home *server.Home) (size int64) {
	t.Helper()
	ctx := context.Background()
	store, err := sqlstore.Open(ctx, home.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	err = store.View(ctx, func(r ledger.Reader) error {
		found, err := ledger.Check(ctx, r, ledger.Ev)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return fmt.Errorf("%s", found[0])
		}
		head, err := r.Head(ctx, ledger.Ev)
		size = head.Size
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}
