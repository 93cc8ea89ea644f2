package observe

import (
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/ledger"
)

// levels is how many levels of tiles a log of at most ledger.MaxSize entries has.
const levels = 7

// A frontier is the right edge of a tree in tiles: of each level the tile that
// is not full yet. It is all that growing and hashing the tree needs. The zero
// value is the empty tree.
type frontier struct {
	size    int64
	entries [][]byte // of the bundle that is not full yet
	open    [levels][]tlog.Hash
}

// tile is a tile with its content.
type tile struct {
	tlog.Tile
	data []byte
}

// clone shares nothing that add would change.
func (f *frontier) clone() *frontier {
	next := &frontier{size: f.size, entries: f.entries[:len(f.entries):len(f.entries)]}
	for l, hashes := range f.open {
		next.open[l] = hashes[:len(hashes):len(hashes)]
	}
	return next
}

// add appends an entry and returns the tiles that it filled.
func (f *frontier) add(leaf []byte) ([]tile, error) {
	n := f.size >> ledger.TileHeight
	f.entries = append(f.entries, leaf)
	f.size++
	var full []tile
	if len(f.entries) == ledger.TileWidth {
		data, err := ledger.FormatBundle(f.entries)
		if err != nil {
			return nil, err
		}
		full = append(full, tile{ledger.Bundle(n, ledger.TileWidth), data})
		f.entries = nil
	}
	h := tlog.RecordHash(leaf)
	for l := range f.open {
		f.open[l] = append(f.open[l], h)
		if len(f.open[l]) < ledger.TileWidth {
			break
		}
		full = append(full, tile{ledger.HashTile(l, n, ledger.TileWidth), hashData(f.open[l])})
		h = perfect(f.open[l])
		f.open[l], n = nil, n>>ledger.TileHeight
	}
	return full, nil
}

// partial are the tiles that are not full, as they stand.
func (f *frontier) partial() ([]tile, error) {
	var list []tile
	n := f.size >> ledger.TileHeight
	if len(f.entries) > 0 {
		data, err := ledger.FormatBundle(f.entries)
		if err != nil {
			return nil, err
		}
		list = append(list, tile{ledger.Bundle(n, len(f.entries)), data})
	}
	for l, hashes := range f.open {
		if len(hashes) > 0 {
			list = append(list, tile{ledger.HashTile(l, n, len(hashes)), hashData(hashes)})
		}
		n >>= ledger.TileHeight
	}
	return list, nil
}

// root is the Merkle tree hash (RFC 6962 §2.1).
func (f *frontier) root() tlog.Hash {
	if f.size == 0 {
		return ledger.EmptyRoot()
	}
	var subtrees []tlog.Hash // from left to right
	for l := levels - 1; l >= 0; l-- {
		rest := f.open[l]
		for len(rest) > 0 {
			width := 1 << (bits.Len(uint(len(rest))) - 1)
			subtrees = append(subtrees, perfect(rest[:width]))
			rest = rest[width:]
		}
	}
	h := subtrees[len(subtrees)-1]
	for i := len(subtrees) - 2; i >= 0; i-- {
		h = tlog.NodeHash(subtrees[i], h)
	}
	return h
}

// perfect is the hash over a power of two of hashes.
func perfect(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	half := len(hashes) / 2
	return tlog.NodeHash(perfect(hashes[:half]), perfect(hashes[half:]))
}

func hashData(hashes []tlog.Hash) []byte {
	data := make([]byte, 0, len(hashes)*tlog.HashSize)
	for _, h := range hashes {
		data = append(data, h[:]...)
	}
	return data
}

// hashesOf is the inverse of hashData.
func hashesOf(data []byte) []tlog.Hash {
	hashes := make([]tlog.Hash, len(data)/tlog.HashSize)
	for i := range hashes {
		copy(hashes[i][:], data[i*tlog.HashSize:])
	}
	return hashes
}
