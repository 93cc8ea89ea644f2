package exchange

import (
	"sync/atomic"
	"time"
)

// Clock tells the time of the exchange, in ms since 1970 UTC, and a reading
// that never jumps, by which a jump of the first is noticed. The real one is
// [System]; the scenario player has its own. Safe for concurrent use.
type Clock interface {
	Now() int64
	Monotonic() int64
}

// System is the clock of the machine. An exchange that is given it reads, under
// the lock, the clock of its store where that has one: several servers on one
// database have one time. Any other clock that is given wins over the store's.
func System() Clock { return systemClock{time.Now()} }

type systemClock struct{ started time.Time }

func (systemClock) Now() int64         { return time.Now().UnixMilli() }
func (c systemClock) Monotonic() int64 { return time.Since(c.started).Milliseconds() }

// shared is the time that was read last under the lock, of the store or, where
// it has none, of the machine, carried on by the machine's steady reading: it
// never jumps. It lags behind the store by the way the answer took, and never
// leads. Until it was read it is the machine's clock.
type shared struct {
	systemClock
	known atomic.Bool
	ahead atomic.Int64 // of the steady reading, ms
}

// Now implements Clock.
func (c *shared) Now() int64 {
	if !c.known.Load() {
		return c.systemClock.Now()
	}
	return c.Monotonic() + c.ahead.Load()
}

// follow takes over a time that was read and found sound.
func (c *shared) follow(at int64) {
	c.ahead.Store(at - c.Monotonic())
	c.known.Store(true)
}

// share lets an exchange on the machine's clock follow that of its store.
func share(c Clock) Clock {
	if machine, ok := c.(systemClock); ok {
		return &shared{systemClock: machine}
	}
	return c
}
