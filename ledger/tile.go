package ledger

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Tiles have the one height of C2SP tlog-tiles.
const (
	TileHeight = 8
	TileWidth  = 1 << TileHeight
	EntryLevel = -1 // the level of an entry bundle in a tlog.Tile

	maxBundle   = TileWidth * (2 + MaxEntry)
	maxTilePath = 64
)

// HashTile names the tile of width w, number n of a level.
func HashTile(level int, n int64, w int) tlog.Tile {
	return tlog.Tile{H: TileHeight, L: level, N: n, W: w}
}

// Bundle names the entry bundle of width w, number n.
func Bundle(n int64, w int) tlog.Tile { return HashTile(EntryLevel, n, w) }

// TilePath is the path of a tile below a log's prefix: "tile/<L>/<N>[.p/<W>]" or
// "tile/entries/<N>[.p/<W>]".
func TilePath(t tlog.Tile) string {
	rest := strings.TrimPrefix(t.Path(), "tile/8/")
	if bundle, ok := strings.CutPrefix(rest, "data/"); ok {
		return "tile/entries/" + bundle
	}
	return "tile/" + rest
}

// ParseTilePath is the inverse of [TilePath] and accepts no other spelling.
func ParseTilePath(path string) (tlog.Tile, error) {
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok || len(path) > maxTilePath || strings.HasPrefix(rest, "data/") {
		return tlog.Tile{}, fmt.Errorf("ledger: %.80q is not the path of a tile", path)
	}
	if bundle, ok := strings.CutPrefix(rest, "entries/"); ok {
		rest = "data/" + bundle
	}
	t, err := tlog.ParseTilePath("tile/8/" + rest)
	if err != nil {
		return tlog.Tile{}, fmt.Errorf("ledger: %.80q is not the path of a tile", path)
	}
	if err := checkTile(t); err != nil {
		return tlog.Tile{}, err
	}
	return t, nil
}

// checkTile bounds a tile to what a log of at most MaxSize entries can have.
func checkTile(t tlog.Tile) error {
	if t.H != TileHeight || t.L < EntryLevel || t.L > 6 || t.W < 1 || t.W > TileWidth ||
		t.N < 0 || t.N > MaxSize>>TileHeight || !TileWithin(t, MaxSize) {
		return fmt.Errorf("ledger: no log has the tile height %d, level %d, number %d, width %d", t.H, t.L, t.N, t.W)
	}
	return nil
}

// TileWithin reports whether the tree of a size holds every hash or entry of t.
// A server that must not betray a larger tree asks it before it answers.
func TileWithin(t tlog.Tile, size int64) bool {
	return t.N<<TileHeight+int64(t.W) <= size>>(TileHeight*max(t.L, 0))
}

// TreeTiles yields every tile of the tree of a size: first the entry bundles,
// then the hash tiles level by level, each from left to right, the last of a
// level partial unless it is full.
func TreeTiles(size int64) iter.Seq[tlog.Tile] {
	return func(yield func(tlog.Tile) bool) {
		for level := EntryLevel; level <= 0 || size>>(TileHeight*level) > 0; level++ {
			if !yieldLevel(level, size>>(TileHeight*max(level, 0)), yield) {
				return
			}
		}
	}
}

func yieldLevel(level int, count int64, yield func(tlog.Tile) bool) bool {
	for n := int64(0); n<<TileHeight < count; n++ {
		if !yield(HashTile(level, n, int(min(TileWidth, count-n<<TileHeight)))) {
			return false
		}
	}
	return true
}

// FormatBundle spells entries as an entry bundle: each after its length, 16
// bits big-endian.
func FormatBundle(entries [][]byte) ([]byte, error) {
	if len(entries) < 1 || len(entries) > TileWidth {
		return nil, fmt.Errorf("ledger: bundle of %d entries, want 1 to %d", len(entries), TileWidth)
	}
	size := 0
	for _, e := range entries {
		if err := checkEntry(e); err != nil {
			return nil, err
		}
		size += 2 + len(e)
	}
	data := make([]byte, 0, size)
	for _, e := range entries {
		data = binary.BigEndian.AppendUint16(data, uint16(len(e)))
		data = append(data, e...)
	}
	return data, nil
}

// ParseBundle is the inverse of [FormatBundle] for exactly w entries. The
// entries share the memory of data.
func ParseBundle(data []byte, w int) ([][]byte, error) {
	if w < 1 || w > TileWidth {
		return nil, fmt.Errorf("ledger: bundle of %d entries, want 1 to %d", w, TileWidth)
	}
	entries := make([][]byte, w)
	for i := range entries {
		e, rest, err := cutEntry(data)
		if err != nil {
			return nil, fmt.Errorf("ledger: bundle: entry %d of %d: %w", i, w, err)
		}
		entries[i], data = e, rest
	}
	if len(data) > 0 {
		return nil, fmt.Errorf("ledger: bundle: %d bytes after the last of %d entries", len(data), w)
	}
	return entries, nil
}

func cutEntry(data []byte) (entry, rest []byte, err error) {
	if len(data) < 2 {
		return nil, nil, errors.New("no length")
	}
	size := int(binary.BigEndian.Uint16(data))
	data = data[2:]
	if size == 0 {
		return nil, nil, ErrEntrySize
	}
	if len(data) < size {
		return nil, nil, fmt.Errorf("%d of %d bytes", len(data), size)
	}
	return data[:size:size], data[size:], nil
}

// ReadTile makes a hash tile or an entry bundle from what is stored, in one
// query. A tile the tree does not hold yet is an error that wraps [ErrMissing].
func ReadTile(ctx context.Context, r Reader, log Log, t tlog.Tile) ([]byte, error) {
	if err := checkTile(t); err != nil {
		return nil, err
	}
	if t.L == EntryLevel {
		first := t.N << TileHeight
		entries, err := r.Entries(ctx, log, first, first+int64(t.W))
		if err != nil {
			return nil, fmt.Errorf("ledger: %s of %s: %w", TilePath(t), log, err)
		}
		return FormatBundle(entries)
	}
	data, err := tlog.ReadTileData(t, hashReader(ctx, r, log))
	if err != nil {
		return nil, fmt.Errorf("ledger: %s of %s: %w", TilePath(t), log, err)
	}
	return data, nil
}
