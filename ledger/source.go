package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"
)

// A TileSource yields the hash tiles and entry bundles of one log, from a
// database, a folder, an archive or a mirror. What it yields is not trusted.
type TileSource interface {
	// Tile returns the bytes of t; a tile that is not there is an error that
	// wraps [ErrMissing].
	Tile(ctx context.Context, t tlog.Tile) ([]byte, error)
}

// ReaderTiles makes the tiles of a log from its stored rows.
func ReaderTiles(r Reader, log Log) TileSource { return readerTiles{r, log} }

type readerTiles struct {
	r   Reader
	log Log
}

func (s readerTiles) Tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	return ReadTile(ctx, s.r, s.log, t)
}

// FSTiles reads tiles from files named by [TilePath] under the root of fsys.
// Where a partial tile is not there it looks for the full one.
func FSTiles(fsys fs.FS) TileSource { return fsTiles{fsys} }

type fsTiles struct{ fsys fs.FS }

func (s fsTiles) Tile(_ context.Context, t tlog.Tile) ([]byte, error) {
	if err := checkTile(t); err != nil {
		return nil, err
	}
	data, err := s.read(t)
	if err == nil || !errors.Is(err, ErrMissing) || t.W == TileWidth {
		return data, err
	}
	full, err2 := s.read(HashTile(t.L, t.N, TileWidth))
	if err2 != nil {
		return nil, err
	}
	return cutTile(t, full)
}

// cutTile takes the first t.W hashes or entries of a full tile.
func cutTile(t tlog.Tile, full []byte) ([]byte, error) {
	if t.L != EntryLevel {
		return full[:t.W*tlog.HashSize], nil
	}
	entries, err := ParseBundle(full, TileWidth)
	if err != nil {
		return nil, err
	}
	return FormatBundle(entries[:t.W])
}

func (s fsTiles) read(t tlog.Tile) ([]byte, error) {
	path := TilePath(t)
	f, err := s.fsys.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("ledger: %s: %w", path, ErrMissing)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	defer f.Close()
	limit := maxBundle
	if t.L != EntryLevel {
		limit = t.W * tlog.HashSize
	}
	data, err := readUpTo(f, limit+1)
	if err != nil {
		return nil, fmt.Errorf("ledger: %s: %w", path, err)
	}
	if len(data) > limit || t.L != EntryLevel && len(data) != limit {
		return nil, &badTile{path, fmt.Sprintf("%d bytes, want %d", len(data), limit)}
	}
	return data, nil
}

// readUpTo reads at most limit bytes of f, with room for its size from the start.
func readUpTo(f fs.File, limit int) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(int(min(max(info.Size(), 0), int64(limit))) + bytes.MinRead)
	_, err = b.ReadFrom(io.LimitReader(f, int64(limit)))
	return b.Bytes(), err
}

// badTile says that a tile is there but is not one: a finding, not a failure.
type badTile struct{ path, what string }

func (e *badTile) Error() string { return "ledger: " + e.path + ": " + e.what }

// TileHashes returns a reader of node hashes out of tiles, each proven to lead
// to the root of c before it is returned: with it tlog.ProveRecord and
// tlog.ProveTree work from files alone.
func TileHashes(ctx context.Context, src TileSource, c Checkpoint) tlog.HashReader {
	if c.Size == 0 {
		return tlog.HashReaderFunc(func(positions []int64) ([]tlog.Hash, error) {
			if len(positions) > 0 {
				return nil, fmt.Errorf("ledger: an empty tree has no hashes: %w", ErrMissing)
			}
			return nil, nil
		})
	}
	return tlog.TileHashReader(tlog.Tree{N: c.Size, Hash: c.Root}, &tileReader{ctx, src})
}

type tileReader struct {
	ctx context.Context
	src TileSource
}

func (r *tileReader) Height() int                     { return TileHeight }
func (r *tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r *tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, t := range tiles {
		var err error
		if data[i], err = r.src.Tile(r.ctx, t); err != nil {
			return nil, err
		}
	}
	return data, nil
}
