package office

import (
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/odziv/odziv/ledger"
)

// tree is the directory's Merkle tree over the entries that were verified. It
// is a value: a grown one leaves the one before as it was.
type tree struct {
	hashes []tlog.Hash // in the order of tlog.StoredHashIndex
	size   int64
}

// ReadHashes implements tlog.HashReader.
func (t tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		if at < 0 || at >= int64(len(t.hashes)) {
			return nil, fmt.Errorf("office: no hash %d in a tree of %d entries", at, t.size)
		}
		out[i] = t.hashes[at]
	}
	return out, nil
}

// grown is the tree with more entries at its end.
func (t tree) grown(leaves [][]byte) tree {
	t.hashes = slices.Clip(t.hashes)
	for _, leaf := range leaves {
		more, err := tlog.StoredHashes(t.size, leaf, t)
		if err != nil {
			panic(err) // every hash it asks for was stored before
		}
		t.hashes = append(t.hashes, more...)
		t.size++
	}
	return t
}

// root is the RFC 6962 root over the first n entries, n at most the size.
func (t tree) root(n int64) tlog.Hash {
	if n == 0 {
		return ledger.EmptyRoot()
	}
	root, err := tlog.TreeHash(n, t)
	if err != nil {
		panic(err) // n is more than the size
	}
	return root
}
