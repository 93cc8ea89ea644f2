package demo

import (
	"fmt"
	"sync"
	"time"
)

// Clock moves only when told, until [Clock.Run]. It is the time of the server
// and of every officer of a world; no other program can be given one. Safe for
// concurrent use.
type Clock struct {
	mu    sync.Mutex
	ms    int64
	began time.Time // zero while the clock stands
}

// NewClock returns a clock that stands at a time, in ms since 1970 UTC.
func NewClock(at int64) *Clock { return &Clock{ms: at} }

// Now implements exchange.Clock.
func (c *Clock) Now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *Clock) now() int64 {
	if c.began.IsZero() {
		return c.ms
	}
	return c.ms + time.Since(c.began).Milliseconds()
}

// Monotonic implements exchange.Clock: this clock never jumps, for whoever
// moves it means to.
func (c *Clock) Monotonic() int64 { return c.Now() }

// Forward moves the clock to a time that is not before the present one.
func (c *Clock) Forward(to int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if to < now {
		return fmt.Errorf("demo: time cannot go back from %s to %s", stamp(now), stamp(to))
	}
	c.ms = to
	if !c.began.IsZero() {
		c.began = time.Now()
	}
	return nil
}

// Run lets the clock go on by itself from where it stands.
func (c *Clock) Run() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ms, c.began = c.now(), time.Now()
}

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04 MST") }
