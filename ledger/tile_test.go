package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/odziv/odziv/ledger"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

func TestTilePaths(t *testing.T) {
	for path, want := range map[string]tlog.Tile{
		"tile/0/000":                                 ledger.HashTile(0, 0, 256),
		"tile/0/x001/x234/067":                       ledger.HashTile(0, 1234067, 256),
		"tile/0/x001/x234/067.p/1":                   ledger.HashTile(0, 1234067, 1),
		"tile/2/000.p/255":                           ledger.HashTile(2, 0, 255),
		"tile/6/000.p/31":                            ledger.HashTile(6, 0, 31),
		"tile/entries/000":                           ledger.Bundle(0, 256),
		"tile/entries/x999/999.p/12":                 ledger.Bundle(999999, 12),
		"tile/entries/x035/x184/x372/x088/831.p/255": ledger.Bundle(35184372088831, 255), // holds entry 2^53-2
	} {
		if got := ledger.TilePath(want); got != path {
			t.Errorf("%+v has path %s, want %s", want, got, path)
		}
		if got, err := ledger.ParseTilePath(path); err != nil || got != want {
			t.Errorf("%s is %+v, %v, want %+v", path, got, err, want)
		}
	}
	for _, bad := range []string{
		"", "tile", "tile/", "tile/0", "tile/0/", "/tile/0/000", "tile/0/000/", "tile/0/0", "tile/0/0000",
		"tile/00/000", "tile/-1/000", "tile/+1/000", "tile/7/000", "tile/64/000", "tile/8/0/000", "tile/data/000",
		"tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/", "tile/0/000.p/-1",
		"tile/0/001/000", "tile/0/x000/000", "tile/0/x001/x000", "tile/6/000.p/32", "tile/6/001",
		"tile/entries/x035/x184/x372/x088/831", "tile/entries/x035/x184/x372/x088/832.p/1",
		"tile/0/../000", "tile/entries/000\x00", "tile/0/x999/x999/x999/x999/x999/x999/x999/999", strings.Repeat("tile/0/", 20),
	} {
		if got, err := ledger.ParseTilePath(bad); err == nil {
			t.Errorf("%q is accepted as %+v", bad, got)
		}
	}
}

// TestTreeTiles compares the tiles of every tree with those x/mod counts.
func TestTreeTiles(t *testing.T) {
	for _, size := range []int64{0, 1, 255, 256, 257, 511, 512, 600, 65535, 65536, 65537, 70000} {
		var hashes, bundles []tlog.Tile
		for tile := range ledger.TreeTiles(size) {
			if tile.L == ledger.EntryLevel {
				bundles = append(bundles, tile)
			} else {
				hashes = append(hashes, tile)
			}
			if !ledger.TileWithin(tile, size) {
				t.Errorf("size %d: %s is not within", size, ledger.TilePath(tile))
			}
			if ledger.TileWithin(tile, size-1) && tile.W < ledger.TileWidth && size>>(8*max(tile.L, 0)) > (size-1)>>(8*max(tile.L, 0)) {
				t.Errorf("size %d: %s is within a smaller tree", size, ledger.TilePath(tile))
			}
		}
		if want := tlog.NewTiles(8, 0, size); !slices.Equal(hashes, want) {
			t.Errorf("size %d: tiles %v, want %v", size, hashes, want)
		}
		if want := int((size + 255) / 256); len(bundles) != want {
			t.Errorf("size %d: %d bundles, want %d", size, len(bundles), want)
		}
	}
	for range ledger.TreeTiles(ledger.MaxSize) {
		break // must not build the list first
	}
}

func TestTileWithin(t *testing.T) {
	for _, c := range []struct {
		tile tlog.Tile
		size int64
		want bool
	}{
		{ledger.HashTile(0, 0, 1), 0, false}, {ledger.HashTile(0, 0, 1), 1, true},
		{ledger.Bundle(1, 44), 299, false}, {ledger.Bundle(1, 44), 300, true},
		{ledger.HashTile(1, 0, 1), 255, false}, {ledger.HashTile(1, 0, 1), 256, true},
		{ledger.HashTile(1, 0, 2), 511, false}, {ledger.HashTile(1, 0, 2), 512, true},
		{ledger.HashTile(2, 0, 1), 65535, false}, {ledger.HashTile(2, 0, 1), 65536, true},
	} {
		if got := ledger.TileWithin(c.tile, c.size); got != c.want {
			t.Errorf("%s within %d: %v", ledger.TilePath(c.tile), c.size, got)
		}
	}
}

func TestBundles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 50), 1, 256).Draw(t, "entries")
		data, err := ledger.FormatBundle(entries)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ledger.ParseBundle(data, len(entries))
		if err != nil || !slices.EqualFunc(got, entries, bytes.Equal) {
			t.Fatalf("came back as %q, %v", got, err)
		}
		for _, w := range []int{len(entries) - 1, len(entries) + 1} {
			if _, err := ledger.ParseBundle(data, w); err == nil {
				t.Fatalf("%d entries read as %d", len(entries), w)
			}
		}
		cut := rapid.IntRange(0, len(data)-1).Draw(t, "cut")
		if _, err := ledger.ParseBundle(data[:cut], len(entries)); err == nil {
			t.Fatalf("%d of %d bytes accepted", cut, len(data))
		}
	})
	for what, bad := range map[string][][]byte{
		"none": {}, "257": make([][]byte, 257), "empty entry": {{1}, {}}, "65536 bytes": {make([]byte, 65536)},
	} {
		if _, err := ledger.FormatBundle(bad); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	if _, err := ledger.ParseBundle([]byte{0, 1, 'x', 0, 0}, 2); err == nil {
		t.Error("an empty entry: accepted")
	}
}

// exported writes all tiles of a log into a file system.
func exported(t testing.TB, m ledger.Storage, size int64) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	view(t, m, func(r ledger.Reader) {
		for tile := range ledger.TreeTiles(size) {
			data, err := ledger.ReadTile(context.Background(), r, ledger.Ev, tile)
			if err != nil {
				t.Fatal(err)
			}
			files[ledger.TilePath(tile)] = &fstest.MapFile{Data: data}
		}
	})
	return files
}

// TestTileHashes proves entries and growth from files alone.
func TestTileHashes(t *testing.T) {
	ctx := context.Background()
	m := grown(t, 600)
	files := exported(t, m, 600)
	view(t, m, func(r ledger.Reader) {
		c := at(t, r, 600)
		proven := ledger.TileHashes(ctx, ledger.FSTiles(files), c)
		for _, idx := range []int64{0, 255, 256, 511, 512, 599} {
			p, err := tlog.ProveRecord(600, idx, proven)
			if err != nil {
				t.Fatal(err)
			}
			if err := ledger.VerifyInclusion(p, c, idx, vectorEntry(idx)); err != nil {
				t.Error(err)
			}
		}
		p, err := tlog.ProveTree(600, 257, proven)
		if err != nil {
			t.Fatal(err)
		}
		if err := ledger.VerifyConsistency(tlog.TreeProof(p), at(t, r, 257), c); err != nil {
			t.Error(err)
		}
		files["tile/0/001"].Data[0] ^= 1
		if _, err := tlog.ProveRecord(600, 256, proven); err == nil {
			t.Error("a proof from an edited tile")
		}
	})
	empty := ledger.TileHashes(ctx, ledger.FSTiles(fstest.MapFS{}), ledger.Checkpoint{Root: ledger.EmptyRoot()})
	if _, err := empty.ReadHashes([]int64{0}); !errors.Is(err, ledger.ErrMissing) {
		t.Errorf("a hash of the empty tree: %v", err)
	}
	if h, err := empty.ReadHashes(nil); err != nil || len(h) != 0 {
		t.Errorf("no hash of the empty tree: %v, %v", h, err)
	}
}

func TestFSTiles(t *testing.T) {
	ctx := context.Background()
	files := exported(t, grown(t, 600), 600)
	src := ledger.FSTiles(files)
	for _, tile := range []tlog.Tile{ledger.HashTile(0, 1, 7), ledger.Bundle(1, 7), ledger.HashTile(0, 2, 88)} {
		data, err := src.Tile(ctx, tile)
		if err != nil {
			t.Fatalf("%s: %v", ledger.TilePath(tile), err)
		}
		view(t, grown(t, 600), func(r ledger.Reader) {
			if want, err := ledger.ReadTile(ctx, r, ledger.Ev, tile); err != nil || !bytes.Equal(data, want) {
				t.Errorf("%s differs from the stored rows: %v", ledger.TilePath(tile), err)
			}
		})
	}
	for _, tile := range []tlog.Tile{ledger.HashTile(0, 2, 89), ledger.HashTile(0, 3, 256), ledger.HashTile(2, 0, 1)} {
		if _, err := src.Tile(ctx, tile); !errors.Is(err, ledger.ErrMissing) {
			t.Errorf("%s: %v", ledger.TilePath(tile), err)
		}
	}
	for _, tile := range []tlog.Tile{{H: 7, W: 1}, {H: 8, L: -2, W: 1}, {H: 8, L: 7, W: 1}, {H: 8, N: -1, W: 1}, {H: 8, W: 257}, {H: 8}, {H: 8, N: 1 << 60, W: 1}} {
		if _, err := src.Tile(ctx, tile); err == nil || errors.Is(err, ledger.ErrMissing) {
			t.Errorf("%+v: %v", tile, err)
		}
		view(t, grown(t, 1), func(r ledger.Reader) {
			if _, err := ledger.ReadTile(ctx, r, ledger.Ev, tile); err == nil {
				t.Errorf("%+v was read", tile)
			}
		})
	}
	files["tile/0/000"].Data = files["tile/0/000"].Data[:8191]
	if _, err := src.Tile(ctx, ledger.HashTile(0, 0, 256)); err == nil {
		t.Error("a hash tile of 8191 bytes was read")
	}
	if _, err := src.Tile(ctx, ledger.HashTile(0, 0, 3)); err == nil {
		t.Error("a part of a hash tile of 8191 bytes was read")
	}
	if _, err := ledger.FSTiles(brokenFS{}).Tile(ctx, ledger.Bundle(0, 1)); err == nil || errors.Is(err, ledger.ErrMissing) {
		t.Errorf("a disk that fails: %v", err)
	}
}

type brokenFS struct{}

func (brokenFS) Open(string) (fs.File, error) { return nil, errors.New("input/output error") }
