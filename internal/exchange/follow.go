package exchange

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/odziv/odziv/ledger"
)

// lookTime bounds one look at the store for directory entries of other servers.
const lookTime = 5 * time.Second

// A follower shares looks at the directory between requests: one is under way,
// at most one waits. Its zero value is ready to use.
type follower struct {
	mu   sync.Mutex
	next *look // has not begun: whoever comes now may share it
	last *look // the latest of all
}

type look struct {
	done chan struct{}
	err  error
}

// Follow takes over the directory entries that any server had recorded when it
// was called, so that a key revoked anywhere is revoked here. Calls at one time
// share a query, but none that began before it: the directory after it is never
// older than the call.
func (x *Exchange) Follow(ctx context.Context) error {
	f := &x.followed
	f.mu.Lock()
	l := f.next
	if l == nil {
		l = &look{done: make(chan struct{})}
		go x.look(context.WithoutCancel(ctx), l, f.last)
		f.next, f.last = l, l
	}
	f.mu.Unlock()
	select {
	case <-l.done:
		return l.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// look waits for the one before and reads the head of the directory once.
func (x *Exchange) look(ctx context.Context, l, before *look) {
	if before != nil {
		<-before.done
	}
	x.followed.mu.Lock()
	x.followed.next = nil
	x.followed.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	l.err = x.catchUp(ctx)
	close(l.done)
}

func (x *Exchange) catchUp(ctx context.Context) (err error) {
	defer recovered(&err)
	dir := x.Directory() // before the snapshot, which then cannot be older
	return x.Store.View(ctx, func(r ledger.Reader) error {
		head, err := r.Head(ctx, ledger.Dir)
		if err != nil || head.Size == dir.N() {
			return err
		}
		if head.Size < dir.N() {
			return fmt.Errorf("exchange: the directory has %d entries, this server has seen %d: %w", head.Size, dir.N(), ledger.ErrRollback)
		}
		if dir, err = follow(ctx, r, dir); err == nil {
			x.adopt(dir)
		}
		return err
	})
}
