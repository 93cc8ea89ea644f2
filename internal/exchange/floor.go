package exchange

import (
	"errors"
	"fmt"
	"sync"

	"github.com/odziv/odziv/ledger"
)

// floor is what this server knows to be committed. A store that holds less is an
// older one, a standby that lost its last transactions perhaps: nothing may be
// written to it, or there would be two histories before the signer looks again.
type floor struct {
	mu    sync.Mutex
	known [len(ledger.Logs)]ledger.Head
}

// check holds the heads, read under the lock, against what is known.
func (f *floor) check(log [len(ledger.Logs)]*ledger.Batch) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range ledger.Logs {
		head, known := log[l].Head(), f.known[l]
		if head.Size < known.Size {
			return fmt.Errorf("exchange: %s has %d entries, and this server has seen %d: %w", l, head.Size, known.Size, ledger.ErrRollback)
		}
		if head.Size == known.Size && known.Size > 0 && head.Root != known.Root {
			return fmt.Errorf("exchange: %s has another root at size %d than this server has seen: %w", l, head.Size, ledger.ErrRollback)
		}
	}
	return nil
}

// raise takes the heads of a transaction that was committed.
func (f *floor) raise(log [len(ledger.Logs)]*ledger.Batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range ledger.Logs {
		if head := log[l].Head(); head.Size > f.known[l].Size {
			f.known[l] = head
		}
	}
}

// halt stops the writes of an exchange for good.
type halt struct {
	once  sync.Once
	ended chan struct{}
	cause error
}

// Halt lets the exchange write nothing any more: the store is not the one it was.
// The first cause is the one that counts.
func (x *Exchange) Halt(cause error) {
	x.halted.once.Do(func() {
		x.halted.cause = cause
		close(x.halted.ended)
	})
}

// Halted is closed when the exchange has stopped by itself or was told to by
// [Exchange.Halt]; then [Exchange.HaltCause] says why.
func (x *Exchange) Halted() <-chan struct{} { return x.halted.ended }

// HaltCause is why the exchange halted, nil while it has not.
func (x *Exchange) HaltCause() error {
	select {
	case <-x.halted.ended:
		return x.halted.cause
	default:
		return nil
	}
}

// haltAt halts on an error that another try cannot mend.
func (x *Exchange) haltAt(err error) {
	if errors.Is(err, ledger.ErrRollback) || errors.Is(err, ledger.ErrTreeMismatch) {
		x.Halt(err)
	}
}

// mayWrite refuses a section of a halted exchange, and one on an older store.
func (s *section) mayWrite() error {
	if s.x.HaltCause() != nil {
		return refuse(Unavailable, "stopping", "the exchange has stopped: its store is not the one it was").
			hint("nothing was recorded; the operator restores the ledger")
	}
	return s.x.floor.check(s.log)
}
