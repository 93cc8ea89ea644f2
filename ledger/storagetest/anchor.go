package storagetest

import (
	"context"
	"errors"
	"sync"

	"github.com/odziv/odziv/ledger"
)

// memoryAnchor is an Anchor that holds what it was given last.
type memoryAnchor struct {
	mu    sync.Mutex
	notes [len(ledger.Logs)][]byte
}

// NewAnchor returns an empty ledger.Anchor in memory. Unlike one in a file it
// believes its caller: it does not compare sizes.
func NewAnchor() ledger.Anchor { return &memoryAnchor{} }

func (a *memoryAnchor) Last(_ context.Context, log ledger.Log) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.notes[log], nil
}

func (a *memoryAnchor) Keep(_ context.Context, log ledger.Log, note []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.notes[log] = note
	return nil
}

func isTreeMismatch(err error) bool { return errors.Is(err, ledger.ErrTreeMismatch) }
