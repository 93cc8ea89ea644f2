package exchange

import "time"

// Clock tells the time of the exchange, in ms since 1970 UTC, and a reading
// that never jumps, by which a jump of the first is noticed. The real one is
// [System]; the scenario player has its own. Safe for concurrent use.
type Clock interface {
	Now() int64
	Monotonic() int64
}

// System is the clock of the machine.
func System() Clock { return systemClock{time.Now()} }

type systemClock struct{ started time.Time }

func (systemClock) Now() int64         { return time.Now().UnixMilli() }
func (c systemClock) Monotonic() int64 { return time.Since(c.started).Milliseconds() }
