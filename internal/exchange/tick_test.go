package exchange

import "testing"

// jumping is a clock whose two readings part.
type jumping struct{ now, mono int64 }

func (c *jumping) Now() int64       { return c.now }
func (c *jumping) Monotonic() int64 { return c.mono }

func TestTick(t *testing.T) {
	for _, tt := range []struct {
		name      string
		now, mono int64
		jump      int64
	}{
		{"steady", 1000 + 60_000, 60_000, 0},
		{"forward", 1000 + maxJump + 60_001, 60_000, maxJump + 1},
		{"back", 1000 - 5, 60_000, -60_005},
	} {
		c := &jumping{now: 1000}
		var k tick
		k.start(c)
		c.now, c.mono = tt.now, tt.mono
		if now, jump := k.jump(c); now != tt.now || jump != tt.jump {
			t.Errorf("%s: now %d jump %d, want %d and %d", tt.name, now, jump, tt.now, tt.jump)
		}
	}
}
