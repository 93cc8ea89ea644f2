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

// catchUp adopts what the directory has more. One that is shorter than was seen,
// or another one, is an older store: the exchange halts.
func (x *Exchange) catchUp(ctx context.Context) (err error) {
	defer recovered(&err)
	dir, known := x.Directory(), x.floor.of(ledger.Dir) // before the snapshot, which then cannot be older
	err = x.Store.View(ctx, func(r ledger.Reader) error {
		head, err := r.Head(ctx, ledger.Dir)
		if err != nil {
			return err
		}
		if head.Size < dir.N() || head.Size == known.Size && known.Size > 0 && head.Root != known.Root {
			return fmt.Errorf("exchange: the directory has %d entries, or others than the %d that this server has seen: %w", head.Size, dir.N(), ledger.ErrRollback)
		}
		if head.Size == dir.N() {
			return nil
		}
		if dir, err = follow(ctx, r, dir); err == nil {
			x.adopt(dir)
		}
		return err
	})
	x.haltAt(err)
	return err
}

// of is the head of a log that is known to be committed.
func (f *floor) of(log ledger.Log) ledger.Head {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known[log]
}
