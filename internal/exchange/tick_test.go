package exchange

import "testing"

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
		k := tick{now: 1000, accepted: 7}
		if jump := k.jump(tt.now, tt.mono); jump != tt.jump {
			t.Errorf("%s: jump %d, want %d", tt.name, jump, tt.jump)
		}
		if k.rebase(tt.now, tt.mono, 7) {
			t.Errorf("%s: an acceptance counted twice", tt.name)
		}
		if !k.rebase(tt.now, tt.mono, 8) || k.jump(tt.now+5, tt.mono+5) != 0 {
			t.Errorf("%s: an accepted clock is in doubt still", tt.name)
		}
	}
}

// The time of the store goes on by the steady reading, whatever the machine's
// clock does.
func TestShared(t *testing.T) {
	given := &shared{}
	if share(given) != Clock(given) {
		t.Error("a clock that was given is replaced")
	}
	c, ok := share(System()).(*shared)
	if !ok {
		t.Fatal("the machine's clock is not shared")
	}
	machine := System().Now()
	if now := c.Now(); now < machine || now > machine+60_000 {
		t.Errorf("before the store was asked: %d at %d", now, machine)
	}
	c.follow(1_000_000)
	if now := c.Now(); now < 1_000_000 || now > 1_060_000 {
		t.Errorf("after: %d", now)
	}
}

// An acceptance of an earlier clock excuses what was published by the clock that
// was ahead, and nothing after it.
func TestExcuses(t *testing.T) {
	a := &acceptance{at: 10 * slack, jump: -5 * slack}
	for published, want := range map[int64]bool{10*slack + 1: true, 9*slack + 1: true, 9 * slack: false, 5 * slack: false} {
		if a.excuses(published) != want {
			t.Errorf("at %d: %v", published, !want)
		}
	}
	a.jump = 1
	if a.excuses(10 * slack) {
		t.Error("a clock accepted forward excuses a step back")
	}
}
