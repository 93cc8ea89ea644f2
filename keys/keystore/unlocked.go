package keystore

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Lock holds what was unlocked, of any type, for as long as somebody works with
// it: keys, or a whole session on them. It is reachable only inside
// [Lock.Use]. After a pause without a use, at [Lock.Lock] and at the end of the
// program's work it is given to forget, and every use gives [ErrLocked] until
// [Lock.Unlock]. Safe for concurrent use.
type Lock[K any] struct {
	after  time.Duration
	clock  LockClock
	forget func(K)

	mu     sync.Mutex
	held   *holding[K]
	onLock func() // may be nil
}

// LockClock is the time a Lock lives in. Now is the wall clock: a computer that
// slept all night must not wake up unlocked, and timers sleep with it. AfterFunc
// calls f once after d, unless stop is called before.
type LockClock struct {
	Now       func() time.Time
	AfterFunc func(d time.Duration, f func()) (stop func())
}

// holding is one time between unlocking and locking.
type holding[K any] struct {
	keys   K
	uses   int
	pauses int       // begun so far: a timer of an earlier one says nothing
	locked bool      // nothing new begins; forgotten when the last use ends
	until  time.Time // when it locks if nobody uses it, by the wall clock
	stop   func()    // of the timer
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// NewLock returns a Lock that is locked. It locks itself after a pause of after
// without a use; what it held goes to forget, once, when the last use of it ended.
func NewLock[K any](after time.Duration, clock LockClock, forget func(K)) *Lock[K] {
	return &Lock[K]{after: after, clock: clock, forget: forget}
}

// OnLock names what is called whenever it locked itself after a pause, from
// another goroutine.
func (l *Lock[K]) OnLock(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.onLock = f
}

// Unlock holds keys from now on, in place of what was held.
func (l *Lock[K]) Unlock(keys K) {
	l.mu.Lock()
	old := l.held
	h := &holding[K]{keys: keys}
	h.ctx, h.cancel = context.WithCancelCause(context.Background())
	l.held = h
	l.wait(h)
	l.mu.Unlock()
	l.end(old)
}

// Locked reports whether there is nothing to use.
func (l *Lock[K]) Locked() bool { return l.take(0) == nil }

// Use gives the keys to f. The context it passes ends when the keys are locked
// meanwhile, with ErrLocked as its cause; f returns then as soon as it can, and
// keeps nothing.
func (l *Lock[K]) Use(ctx context.Context, f func(ctx context.Context, keys K) error) error {
	h := l.take(1)
	if h == nil {
		return fmt.Errorf("keystore: %w", ErrLocked)
	}
	defer l.done(h)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(h.ctx, func() { cancel(ErrLocked) })()
	return f(ctx, h.keys)
}

// Lock forgets what is held: at once, or when the uses under way end.
func (l *Lock[K]) Lock() {
	l.mu.Lock()
	h := l.held
	l.held = nil
	l.mu.Unlock()
	l.end(h)
}

// take begins so many uses, nil if it is locked.
func (l *Lock[K]) take(uses int) *holding[K] {
	l.mu.Lock()
	h := l.held
	if h == nil {
		l.mu.Unlock()
		return nil
	}
	if h.uses == 0 && !l.clock.Now().Round(0).Before(h.until) {
		l.held = nil
		l.mu.Unlock()
		l.end(h)
		return nil
	}
	h.uses += uses
	l.mu.Unlock()
	return h
}

// done ends a use. The pause begins with the end of the last one.
func (l *Lock[K]) done(h *holding[K]) {
	l.mu.Lock()
	h.uses--
	last := h.locked && h.uses == 0
	if !h.locked {
		l.wait(h)
	}
	l.mu.Unlock()
	if last {
		l.drop(h)
	}
}

// wait begins a pause. Called with mu held.
func (l *Lock[K]) wait(h *holding[K]) {
	if h.stop != nil {
		h.stop()
	}
	h.pauses++
	pause := h.pauses
	h.until = l.clock.Now().Round(0).Add(l.after) // without the monotonic clock, which may stop with the computer
	h.stop = l.clock.AfterFunc(l.after, func() { l.elapsed(h, pause) })
}

// elapsed locks if nobody used the keys meanwhile.
func (l *Lock[K]) elapsed(h *holding[K], pause int) {
	l.mu.Lock()
	if l.held != h || h.uses > 0 || h.pauses != pause {
		l.mu.Unlock()
		return
	}
	l.held = nil
	say := l.onLock
	l.mu.Unlock()
	l.end(h)
	if say != nil {
		say()
	}
}

// end lets no new use of h begin, and tells those under way.
func (l *Lock[K]) end(h *holding[K]) {
	if h == nil {
		return
	}
	l.mu.Lock()
	h.stop()
	first := !h.locked
	h.locked = true
	idle := h.uses == 0
	l.mu.Unlock()
	h.cancel(ErrLocked)
	if first && idle {
		l.drop(h)
	}
}

func (l *Lock[K]) drop(h *holding[K]) {
	keys := h.keys
	var none K
	h.keys = none
	l.forget(keys)
}
