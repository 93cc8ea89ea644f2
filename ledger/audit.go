package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// AuditTree recomputes a log from its entries and compares every tile and the
// root with what c commits to. It reads each bundle and tile once, in order,
// and holds one of each level in memory. No finding means that src holds
// exactly the entries of c.
//
// visit, which may be nil, sees every entry in order, before the root is known
// to be right: it must do nothing that cannot be undone. Its error, a cancelled
// context and a failing src end the audit with an error.
func AuditTree(ctx context.Context, src TileSource, c Checkpoint, visit func(idx int64, leaf []byte) error) ([]Finding, error) {
	if err := checkSize(c.Size); err != nil {
		return nil, err
	}
	a := &audit{src: src, c: c, visit: visit}
	for a.edge.size < c.Size && !a.full() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := a.bundle(ctx); err != nil {
			return nil, err
		}
	}
	for level := range a.levels {
		if err := a.compare(ctx, level); err != nil {
			return nil, err
		}
	}
	if a.edge.size == c.Size {
		a.conclude(ctx)
	}
	return a.findings, nil
}

type audit struct {
	findings
	src     TileSource
	c       Checkpoint
	visit   func(int64, []byte) error
	edge    edge
	levels  [7]level // tiles under construction
	doubts  []doubt
	scratch []byte
	nodes   []tlog.Hash
}

// level is the tile of one level under construction: its number and hashes.
type level struct {
	n      int64
	hashes []tlog.Hash
}

// doubt is a recomputed hash that its tile does not have. Which of the two is
// wrong shows when the root is known.
type doubt struct {
	tile     tlog.Tile
	i        int
	computed tlog.Hash
}

// bundle reads the next bundle and takes its entries into the tree.
func (a *audit) bundle(ctx context.Context) error {
	n := a.edge.size >> TileHeight
	t := Bundle(n, int(min(TileWidth, a.c.Size-a.edge.size)))
	data, err := a.tile(ctx, t)
	if err != nil && !isFinding(err) {
		return err
	}
	var entries [][]byte
	if err == nil {
		entries, err = ParseBundle(data, t.W)
	}
	if err != nil {
		a.put(Finding{Part: PartEntry, At: a.edge.size, Path: TilePath(t), Text: "bundle cannot be read: " + err.Error()})
		return a.skip(ctx, t)
	}
	for _, leaf := range entries {
		if a.visit != nil {
			if err := a.visit(a.edge.size, leaf); err != nil {
				return err
			}
		}
		a.scratch = append(append(a.scratch[:0], 0x00), leaf...)
		if err := a.take(ctx, sha256.Sum256(a.scratch)); err != nil {
			return err
		}
	}
	return nil
}

// skip goes on past a bundle that cannot be read with the hashes of its tile,
// to find what else is wrong.
func (a *audit) skip(ctx context.Context, t tlog.Tile) error {
	t.L = 0
	data, err := a.tile(ctx, t)
	if err != nil && !isFinding(err) {
		return err
	}
	for i := range t.W {
		var h tlog.Hash
		if err == nil {
			copy(h[:], data[i*tlog.HashSize:])
		}
		if err := a.take(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// take appends one leaf hash to the tree and to the tiles it completes.
func (a *audit) take(ctx context.Context, leaf tlog.Hash) error {
	a.nodes = a.edge.add(leaf, a.nodes[:0])
	for l := 0; l*TileHeight < len(a.nodes); l++ {
		lv := &a.levels[l]
		lv.hashes = append(lv.hashes, a.nodes[l*TileHeight])
		if len(lv.hashes) < TileWidth {
			continue
		}
		if err := a.compare(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// compare holds the tile under construction of a level against the source and
// begins the next one.
func (a *audit) compare(ctx context.Context, l int) error {
	lv := &a.levels[l]
	if len(lv.hashes) == 0 {
		return nil
	}
	t := HashTile(l, lv.n, len(lv.hashes))
	data, err := a.tile(ctx, t)
	switch {
	case err != nil && !isFinding(err):
		return err
	case err != nil:
		a.put(Finding{Part: PartTile, At: t.N, Path: TilePath(t), Text: err.Error()})
	default:
		for i, h := range lv.hashes {
			if h != tlog.Hash(data[i*tlog.HashSize:(i+1)*tlog.HashSize]) && len(a.doubts) < MaxFindings {
				a.doubts = append(a.doubts, doubt{t, i, h})
			}
		}
	}
	lv.n++
	lv.hashes = lv.hashes[:0]
	return nil
}

// conclude compares the roots and settles every doubt.
func (a *audit) conclude(ctx context.Context) {
	whole := a.edge.root() == a.c.Root
	proven := TileHashes(ctx, a.src, a.c)
	found := len(a.findings)
	for _, d := range a.doubts {
		a.settle(d, whole, proven)
	}
	if !whole && len(a.findings) == found {
		a.add(PartCheckpoint, a.c.Size, "its root is %s, the entries have %s", a.c.Root, a.edge.root())
	}
}

// settle decides between a tile and what was computed from the entries: if the
// entries lead to the root the tile is wrong; else, if the tile does, an entry.
func (a *audit) settle(d doubt, whole bool, proven tlog.HashReader) {
	tile := Finding{Part: PartTile, At: d.tile.N, Path: TilePath(d.tile)}
	if whole {
		tile.Text = fmt.Sprintf("hash %d is not that of the entries", d.i)
		a.put(tile)
		return
	}
	n := d.tile.N<<TileHeight + int64(d.i)
	_, err := proven.ReadHashes([]int64{tlog.StoredHashIndex(d.tile.L*TileHeight, n)})
	if err != nil {
		tile.Text = fmt.Sprintf("hash %d is not that of the entries, and the tile does not lead to the checkpoint: %v", d.i, err)
		a.put(tile)
		return
	}
	if d.tile.L == 0 {
		a.put(Finding{Part: PartEntry, At: n, Path: TilePath(Bundle(d.tile.N, d.tile.W)), Text: "is not the entry that the checkpoint commits to"})
	} else if !a.namedBelow(d.tile.L, n) {
		below := HashTile(d.tile.L-1, n, TileWidth)
		a.put(Finding{Part: PartTile, At: n, Path: TilePath(below), Text: "agrees with its entries, but does not lead to the checkpoint"})
	}
}

// namedBelow reports whether a finding already explains why node n of a tile
// level is not as computed.
func (a *audit) namedBelow(level int, n int64) bool {
	for _, f := range a.findings {
		first := f.At
		if t, err := ParseTilePath(f.Path); err == nil && f.Part == PartTile {
			first = t.N << (TileHeight * (t.L + 1))
		}
		if first>>(TileHeight*level) == n {
			return true
		}
	}
	return false
}

// tile reads a tile and holds a hash tile to its length.
func (a *audit) tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	data, err := a.src.Tile(ctx, t)
	if err == nil && t.L != EntryLevel && len(data) != t.W*tlog.HashSize {
		return nil, &badTile{TilePath(t), fmt.Sprintf("%d bytes, want %d", len(data), t.W*tlog.HashSize)}
	}
	return data, err
}

// isFinding tells damage, which an audit reports, from a source that fails.
func isFinding(err error) bool {
	var bad *badTile
	return errors.Is(err, ErrMissing) || errors.Is(err, ErrEntrySize) || errors.As(err, &bad)
}
