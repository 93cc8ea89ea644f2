package ledger

import (
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// edge is the right edge of a tree: for every bit set in size, the hash of the
// full subtree of that many leaves. It is all that appending needs.
type edge struct {
	size int64
	hash [54]tlog.Hash // by level; sizes reach 2^53
}

// edgePositions lists where the right edge of a tree is stored, from the
// smallest subtree to the largest.
func edgePositions(size int64) []int64 {
	positions := make([]int64, 0, bits.OnesCount64(uint64(size)))
	for level, n := 0, size; n > 0; level, n = level+1, n>>1 {
		if n&1 == 1 {
			positions = append(positions, tlog.StoredHashIndex(level, n-1))
		}
	}
	return positions
}

// newEdge builds the edge from the hashes stored at edgePositions(size).
func newEdge(size int64, hashes []tlog.Hash) (edge, error) {
	e := edge{size: size}
	if len(hashes) != bits.OnesCount64(uint64(size)) {
		return e, fmt.Errorf("ledger: %d hashes for the right edge of %d entries: %w", len(hashes), size, ErrMissing)
	}
	for level, n := 0, size; n > 0; level, n = level+1, n>>1 {
		if n&1 == 1 {
			e.hash[level], hashes = hashes[0], hashes[1:]
		}
	}
	return e, nil
}

// add appends one leaf and returns nodes with the hashes to store for it, in
// stored order: the leaf's own, then every subtree that it completes.
func (e *edge) add(leaf tlog.Hash, nodes []tlog.Hash) []tlog.Hash {
	nodes = append(nodes, leaf)
	level := 0
	for n := e.size; n&1 == 1; n >>= 1 {
		leaf = tlog.NodeHash(e.hash[level], leaf)
		nodes = append(nodes, leaf)
		level++
	}
	e.hash[level] = leaf
	e.size++
	return nodes
}

// root is the Merkle tree hash of the leaves so far.
func (e *edge) root() tlog.Hash {
	if e.size == 0 {
		return EmptyRoot()
	}
	level := bits.TrailingZeros64(uint64(e.size))
	h := e.hash[level]
	for level++; e.size>>level > 0; level++ {
		if e.size>>level&1 == 1 {
			h = tlog.NodeHash(e.hash[level], h)
		}
	}
	return h
}
