package interop

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"

	"github.com/odziv/odziv/ledger"
)

// fsckWithin bounds a run: the tool is known to hang on some logs.
const fsckWithin = 2 * time.Minute

// fsckLog runs Tessera's check over a log.
func fsckLog(t *testing.T, v note.Verifier, f fsck.Fetcher) error {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), fsckWithin)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- fsck.New(v.Name(), v, f, hashBundle, fsck.Opts{N: 4}).Check(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return fmt.Errorf("fsck did not end: %w", ctx.Err())
	}
}

// hashBundle splits an entry bundle as C2SP tlog-tiles says, without our code.
func hashBundle(bundle []byte) (hashes [][]byte, err error) {
	for len(bundle) > 0 {
		if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
			return nil, fmt.Errorf("bundle ends in the middle of an entry")
		}
		end := 2 + int(binary.BigEndian.Uint16(bundle))
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(bundle[2:end]))
		bundle = bundle[end:]
	}
	return hashes, nil
}

// writeTiles writes a log as files, as a mirror keeps it.
func (b *book) writeTiles(t *testing.T, dir string) {
	t.Helper()
	put := func(name string, data []byte) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("checkpoint", b.note)
	err := b.store.View(t.Context(), func(r ledger.Reader) error {
		for tile := range ledger.TreeTiles(size) {
			data, err := ledger.ReadTile(t.Context(), r, ledger.Ev, tile)
			if err != nil {
				return err
			}
			put(ledger.TilePath(tile), data)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Tessera's check passes over our files, and finds a changed entry and a
// changed node.
func TestTesseraChecksFiles(t *testing.T) {
	b := publish(t)
	dir := t.TempDir()
	b.writeTiles(t, dir)
	if err := fsckLog(t, b.key.Verifier(), client.FileFetcher{Root: dir}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tile/entries/001", "tile/0/000", "tile/1/000.p/2"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bad := append([]byte{}, good...)
		bad[len(bad)/2] ^= 1
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		if fsckLog(t, b.key.Verifier(), client.FileFetcher{Root: dir}) == nil {
			t.Errorf("%s was changed and fsck passed", name)
		}
		if err := os.WriteFile(path, good, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
