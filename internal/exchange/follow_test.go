package exchange

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/odziv/odziv/keys/directory"
	"github.com/odziv/odziv/ledger"
	"github.com/odziv/odziv/ledger/storagetest"
)

// heldStore lets a view go on when it is told to.
type heldStore struct {
	Store
	memory *storagetest.Memory
	goOn   chan struct{}
	begun  int
}

func (s *heldStore) View(ctx context.Context, f func(ledger.Reader) error) error {
	s.begun++ // views never overlap: that is what is tested
	<-s.goOn
	return s.memory.View(ctx, f)
}

// TestFollowIsShared: all that come while a look is under way share one other,
// which begins after they came.
func TestFollowIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &heldStore{memory: storagetest.NewMemory(), goOn: make(chan struct{})}
		x := &Exchange{Config: Config{Store: store}}
		x.dir.Store(directory.New())
		var answered atomic.Int64
		follow := func() {
			if err := x.Follow(t.Context()); err != nil {
				t.Error(err)
			}
			answered.Add(1)
		}
		step := func(begun int, done int64) {
			t.Helper()
			synctest.Wait()
			if store.begun != begun || answered.Load() != done {
				t.Errorf("%d looks begun, %d calls answered, want %d and %d", store.begun, answered.Load(), begun, done)
			}
		}
		go follow()
		step(1, 0)
		for range 100 {
			go follow()
			synctest.Wait()
		}
		step(1, 0)
		store.goOn <- struct{}{}
		step(2, 1)
		go follow()
		step(2, 1)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := x.Follow(gone); err != context.Canceled {
			t.Errorf("a caller that went away: %v", err)
		}
		store.goOn <- struct{}{}
		step(3, 101)
		store.goOn <- struct{}{}
		step(3, 102)
	})
}
