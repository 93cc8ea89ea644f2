package exchange

import (
	"sync"
)

// maxJump is how far the clock may stray from its own steady reading, in ms,
// before writes are refused.
const maxJump = 5 * 60 * 1000

// tick notices a clock that jumped: it compares how far the clock moved with
// how far the steady reading did.
type tick struct {
	mu   sync.Mutex
	now  int64
	mono int64
}

func (t *tick) start(c Clock) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now, t.mono = c.Now(), c.Monotonic()
}

// jump returns how far the clock is from where it should be, in ms.
func (t *tick) jump(c Clock) (now, jump int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now = c.Now()
	return now, now - (t.now + c.Monotonic() - t.mono)
}
