package audit

import (
	"errors"
	"fmt"

	"github.com/odziv/odziv/internal/evidence"
	"github.com/odziv/odziv/internal/statement"
)

// leafSize is the length of every leaf of the evidence tree.
const leafSize = 109

// parseLeaf reads a leaf of the evidence tree in its one spelling.
func parseLeaf(leaf []byte) (*evidence.Leaf, error) {
	if len(leaf) != leafSize {
		return nil, fmt.Errorf("a leaf of %d bytes, every one has %d", len(leaf), leafSize)
	}
	var l evidence.Leaf
	if err := statement.Unmarshal(leaf, &l); err != nil {
		return nil, fmt.Errorf("no leaf: %w", err)
	}
	if len(l.M) != evidence.KeySize || len(l.P) != evidence.KeySize || l.V != 1 {
		return nil, errors.New("no leaf: two commitments of 32 bytes, version 1")
	}
	return &l, nil
}

func decodeMeta(data []byte, meta *evidence.Meta) error {
	if len(data) > evidence.MaxObject {
		return fmt.Errorf("meta of %d bytes, at most %d", len(data), evidence.MaxObject)
	}
	if err := decode(data, meta); err != nil {
		return fmt.Errorf("meta: %w", err)
	}
	return nil
}
